/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness.h"

#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_BLOCKS 64
#define ARENA ((size_t) 1 << 20)

static struct
{
  void *base;
  size_t bytes;
} blocks[MAX_BLOCKS];
static int n_blocks;
static uint64_t state = 0x9e3779b97f4a7c15u;
static int n_failures, n_checks;

void
harness_fail (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  fputs ("FAIL ", stdout);
  vprintf (format, args);
  fputc ('\n', stdout);
  va_end (args);
  n_failures++;
}

int
harness_finish (void)
{
  printf ("%d checks, %d failures\n", n_checks, n_failures);
  return n_failures > 0;
}

void *
harness_memory (size_t bytes)
{
  size_t page = (size_t) sysconf (_SC_PAGESIZE), size = (bytes + page - 1) / page * page + page;
  char *base = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (base == MAP_FAILED || n_blocks == MAX_BLOCKS)
    {
      fputs ("out of memory for the test\n", stderr);
      exit (2);
    }
  mprotect (base + size - page, page, PROT_NONE);
  blocks[n_blocks].base = base;
  blocks[n_blocks++].bytes = size;
  return base + size - page - bytes;
}

void
harness_end (void)
{
  while (n_blocks > 0)
    {
      n_blocks--;
      munmap (blocks[n_blocks].base, blocks[n_blocks].bytes);
    }
}

static double
uniform (void)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (double) (state >> 11) * 0x1p-53;
}

int
harness_random_int (int below)
{
  return (int) (uniform () * below);
}

EaselTensor
harness_empty (EaselDtype dtype, int n_dims, const int64_t *shape)
{
  EaselTensor t = easel_tensor (&state, dtype, n_dims, shape);

  t.data = harness_memory (easel_tensor_bytes (&t));
  return t;
}

EaselTensor
harness_random (EaselDtype dtype, double spread, double offset, int n_dims, const int64_t *shape)
{
  EaselTensor t = harness_empty (dtype, n_dims, shape);
  int64_t n = easel_tensor_count (&t);

  for (int64_t i = 0; i < n; i++)
    {
      float v = (float) ((uniform () + uniform () + uniform () - 1.5) * 2 * spread + offset);

      if (dtype == EASEL_DTYPE_F32)
        memcpy ((char *) t.data + i * 4, &v, 4);
      else
        {
          uint16_t h = dtype == EASEL_DTYPE_F16 ? easel_f16_from_f32 (v) : easel_bf16_from_f32 (v);
          memcpy ((char *) t.data + i * 2, &h, 2);
        }
    }
  return t;
}

double
harness_at (const EaselTensor *t, int64_t i)
{
  float code;

  if (!t->scales)
    return easel_float_at (t->data, t->dtype, i);
  easel_floats_at (&code, t->data, t->dtype, i, 1);
  return (double) code * t->scales[i / t->shape[t->n_dims - 1]];
}

double
harness_act (double x, EaselAct act)
{
  switch (act)
    {
    case EASEL_ACT_RELU:
      return x > 0 ? x : 0;
    case EASEL_ACT_SILU:
      return x / (1 + exp (-x));
    case EASEL_ACT_GELU_TANH:
      return x / (1 + exp (-2 * sqrt (2 / M_PI) * (x + 0.044715 * x * x * x)));
    default:
      return x;
    }
}

double *
harness_want (int64_t n)
{
  return harness_memory ((size_t) n * sizeof (double));
}

static void
compare (const char *name, const char *device, const EaselTensor *y, const void *before, const double *want, int64_t n,
         double tolerance)
{
  double rms = 0;
  int64_t written = 0;
  size_t size = easel_dtype_size (y->dtype);

  for (int64_t i = 0; i < n; i++)
    if (!isnan (want[i]))
      {
        rms += want[i] * want[i];
        written++;
      }
  rms = sqrt (rms / (written ? (double) written : 1));
  for (int64_t i = 0; i < n; i++)
    {
      double got = harness_at (y, i);

      n_checks++;
      if (isnan (want[i]))
        {
          if (memcmp ((const char *) y->data + (size_t) i * size, (const char *) before + (size_t) i * size, size) != 0)
            {
              harness_fail ("%s on %s: element %lld must not be written", name, device, (long long) i);
              return;
            }
        }
      else if (!(fabs (got - want[i]) <= tolerance * (fabs (want[i]) + rms)))
        {
          harness_fail ("%s on %s: element %lld is %.9g, expected %.9g (rms %.3g)", name, device, (long long) i, got,
                        want[i], rms);
          return;
        }
    }
}

void
harness_check (const char *name, HarnessIssue issue, const void *data, EaselTensor y, const double *want, int64_t n,
               double tolerance)
{
  size_t bytes = (size_t) n * easel_dtype_size (y.dtype);
  void *before = malloc (bytes), *first = malloc (bytes);

  memcpy (before, y.data, bytes);
  for (int level = EASEL_CPU_PLAIN; level < EASEL_CPU_N_LEVELS; level++)
    for (int threads = 1; threads <= 3; threads++)
      {
        EaselDevice *device;
        EaselStream *s;

        if (easel_cpu_device_open_level (threads, (EaselCpuLevel) level, &device) != EASEL_STATUS_OK)
          continue;
        if (easel_stream_open (device, ARENA, &s) != EASEL_STATUS_OK)
          exit (2);
        memcpy (y.data, before, bytes);
        issue (s, data);
        if (!easel_stream_ok (s))
          harness_fail ("%s on %s: %s", name, device->name, s->message);
        compare (name, device->name, &y, before, want, n, tolerance);
        if (threads == 1)
          memcpy (first, y.data, bytes);
        else if (memcmp (first, y.data, bytes) != 0)
          harness_fail ("%s on %s: other bytes than with one thread", name, device->name);
        easel_stream_close (&s);
        easel_device_close (&device);
      }
  memcpy (y.data, before, bytes);
  free (before);
  free (first);
}
