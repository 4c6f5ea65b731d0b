/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test-kernels-cuda [--portable] [--only OP] [--dtype f32|f16|bf16]: every operation on the card against the CPU.
 * Exit status 77 without a card, with the reason.
 */
#include "cuda-pair.h"

#include "kernels/cuda-loader.h"
#include "kernels/half.h"

#include <string.h>

#define ARENA ((size_t) 512 << 20)

int
pair_random (Pair *p, int below)
{
  p->rng ^= p->rng << 13;
  p->rng ^= p->rng >> 7;
  p->rng ^= p->rng << 17;
  return (int) ((p->rng >> 20) % (uint64_t) below);
}

static float
to_float (EaselDtype dtype, const void *data, int64_t i)
{
  switch (dtype)
    {
    case EASEL_DTYPE_F32:
      return ((const float *) data)[i];
    case EASEL_DTYPE_F16:
      return easel_f32_from_f16 (((const uint16_t *) data)[i]);
    case EASEL_DTYPE_BF16:
      return easel_f32_from_bf16 (((const uint16_t *) data)[i]);
    default:
      return NAN;
    }
}

static void
from_float (EaselDtype dtype, void *data, int64_t i, float x)
{
  if (dtype == EASEL_DTYPE_F32)
    ((float *) data)[i] = x;
  else
    ((uint16_t *) data)[i] = dtype == EASEL_DTYPE_F16 ? easel_f16_from_f32 (x) : easel_bf16_from_f32 (x);
}

/* Memory before a failing case may run out: tests are sized to fit. */
static void *
memory (size_t bytes)
{
  void *data = malloc (bytes ? bytes : 1);

  if (!data)
    {
      fprintf (stderr, "no memory\n");
      exit (1);
    }
  return data;
}

static Both
make (Pair *p, bool weight, EaselDtype card, float lo, float hi, int n_dims, const int64_t *shape)
{
  Both b = { 0 };
  float *rounded;
  void *host;
  int64_t n;

  if (n_dims == 0)
    return b;
  b.on[CPU] = easel_stream_alloc (p->s[CPU], EASEL_DTYPE_F32, n_dims, shape);
  b.on[CARD] = easel_stream_alloc (p->s[CARD], card, n_dims, shape);
  n = easel_tensor_count (&b.on[CPU]);
  if (!b.on[CPU].data || !b.on[CARD].data)
    return b;
  rounded = b.on[CPU].data;
  host = memory ((size_t) n * easel_dtype_size (card));
  for (int64_t i = 0; i < n; i++)
    {
      from_float (card, host, i, lo + (hi - lo) * (float) pair_random (p, 1 << 20) / (float) (1 << 20));
      rounded[i] = to_float (card, host, i);
    }
  if (weight)
    easel_upload_weight (p->s[CARD], b.on[CARD], host, card);
  else
    easel_upload (p->s[CARD], b.on[CARD], host);
  free (host);
  return b;
}

Both
pair_numbers (Pair *p, EaselDtype card, float lo, float hi, int n_dims, const int64_t *shape)
{
  return make (p, false, card, lo, hi, n_dims, shape);
}

Both
pair_weight (Pair *p, EaselDtype card, float lo, float hi, int n_dims, const int64_t *shape)
{
  return make (p, true, card, lo, hi, n_dims, shape);
}

Both
pair_mask (Pair *p, int percent, int64_t n)
{
  Both b = { 0 };
  uint8_t *host = memory ((size_t) n);

  for (int64_t i = 0; i < n; i++)
    host[i] = pair_random (p, 100) < percent;
  for (int i = 0; i < SIDES; i++)
    {
      b.on[i] = easel_new (p->s[i], EASEL_DTYPE_U8, n);
      easel_upload (p->s[i], b.on[i], host);
    }
  free (host);
  return b;
}

Both
pair_ids (Pair *p, int below, int64_t n)
{
  Both b = { 0 };
  int32_t *host = memory ((size_t) n * sizeof *host);

  for (int64_t i = 0; i < n; i++)
    host[i] = pair_random (p, below);
  for (int i = 0; i < SIDES; i++)
    {
      b.on[i] = easel_new (p->s[i], EASEL_DTYPE_I32, n);
      easel_upload (p->s[i], b.on[i], host);
    }
  free (host);
  return b;
}

bool
pair_begin (Pair *p, const char *op)
{
  return !p->only || strcmp (p->only, op) == 0;
}

/* What a number of a dtype may be off, rounded some times on the way. */
static double
rounding (EaselDtype dtype)
{
  return dtype == EASEL_DTYPE_F32 ? 1e-5 : dtype == EASEL_DTYPE_F16 ? 2e-3 : 1.6e-2;
}

void
pair_compare (Pair *p, const char *what, Both y, double slack)
{
  const int64_t n = easel_tensor_count (&y.on[CPU]);
  const float *want = y.on[CPU].data;
  const EaselDtype dtype = y.on[CARD].dtype;
  const double e = slack * rounding (dtype == EASEL_DTYPE_F32 ? p->act : dtype);
  double square = 0, rms, worst = 0;
  int64_t at = -1;
  void *host;

  p->cases++;
  for (int i = 0; i < SIDES; i++)
    if (!easel_stream_ok (p->s[i]))
      {
        const bool none = i == CARD && strstr (p->s[i]->message, ": not on ");

        printf ("%s %s: %s\n", none ? "absent" : "FAIL  ", what, p->s[i]->message);
        p->absent += none;
        p->failures += !none;
        return;
      }
  host = memory ((size_t) n * easel_dtype_size (dtype));
  easel_download (p->s[CARD], host, y.on[CARD]);
  if (!easel_stream_ok (p->s[CARD]))
    {
      printf ("FAIL   %s: %s\n", what, p->s[CARD]->message);
      p->failures++;
      free (host);
      return;
    }
  for (int64_t i = 0; i < n; i++)
    square += (double) want[i] * want[i];
  rms = sqrt (square / (double) n);
  for (int64_t i = 0; i < n; i++)
    {
      const double off = fabs (to_float (dtype, host, i) - (double) want[i]) / (fabs (want[i]) + rms + 1e-30);

      if (!(off <= worst)) /* keeps a NaN */
        {
          worst = off;
          at = i;
          if (isnan (off))
            break;
        }
    }
  if (!(worst <= e))
    {
      char shape[80];

      printf ("FAIL   %s %s: element %lld is %g, the CPU has %g (off by %.2g, allowed %.2g)\n", what,
              easel_tensor_describe (&y.on[CARD], shape, sizeof shape), (long long) at, to_float (dtype, host, at),
              want[at], worst, e);
      p->failures++;
    }
  free (host);
}

void
pair_end (Pair *p)
{
  for (int i = 0; i < SIDES; i++)
    {
      easel_stream_release (p->s[i], 0);
      easel_stream_clear (p->s[i]);
    }
}

static bool
test_dtype (Pair *p, EaselDtype dtype)
{
  const int before = p->failures, cases = p->cases;

  p->act = dtype;
  p->rng = 88172645463325252ull;
  if (!easel_stream_set_act (p->s[CARD], dtype))
    {
      printf ("FAIL   %s\n", p->s[CARD]->message);
      p->failures++;
      return false;
    }
  test_rows (p);
  test_8bit (p);
  test_models (p);
  printf ("%-5s %d comparisons, %d failed\n", easel_dtype_name (dtype), p->cases - cases, p->failures - before);
  return true;
}

int
main (int argc, char **argv)
{
  static const EaselDtype dtypes[] = { EASEL_DTYPE_F32, EASEL_DTYPE_BF16, EASEL_DTYPE_F16 };
  EaselCudaSettings settings = { 0 };
  const char *dtype = NULL;
  char why[256];
  Pair p = { 0 };

  setvbuf (stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc; i++)
    if (!strcmp (argv[i], "--portable"))
      settings.portable = true;
    else if (!strcmp (argv[i], "--only") && i + 1 < argc)
      p.only = argv[++i];
    else if (!strcmp (argv[i], "--dtype") && i + 1 < argc)
      dtype = argv[++i];
    else
      {
        fprintf (stderr, "usage: test-kernels-cuda [--portable] [--only OP] [--dtype f32|f16|bf16]\n");
        return 2;
      }
  if (easel_cuda_device_open (&settings, &p.device[CARD], why, sizeof why) != EASEL_STATUS_OK)
    {
      printf ("SKIP: %s\n", why);
      return 77;
    }
  if (easel_cpu_device_open (0, &p.device[CPU]) != EASEL_STATUS_OK ||
      easel_stream_open (p.device[CPU], ARENA, &p.s[CPU]) != EASEL_STATUS_OK ||
      easel_stream_open (p.device[CARD], ARENA, &p.s[CARD]) != EASEL_STATUS_OK)
    {
      fprintf (stderr, "no memory\n");
      return 1;
    }
  printf ("%s%s\n", p.device[CARD]->name, settings.portable ? ", portable kernels" : "");
  for (int i = 0; i < 3; i++)
    if (!dtype || !strcmp (dtype, easel_dtype_name (dtypes[i])))
      test_dtype (&p, dtypes[i]);
  for (int i = 0; i < SIDES; i++)
    {
      easel_stream_close (&p.s[i]);
      if (i == CARD && p.device[i]->memory_used != 0)
        {
          printf ("FAIL   %llu bytes of the card were not given back\n", (unsigned long long) p.device[i]->memory_used);
          p.failures++;
        }
      easel_device_close (&p.device[i]);
    }
  printf ("%d comparisons, %d failed, %d operations absent\n", p.cases, p.failures, p.absent);
  return p.failures || p.absent || p.cases == 0 ? 1 : 0;
}
