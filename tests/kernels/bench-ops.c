/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How fast each op is at the shapes of our models: GFLOP/s, GB/s (of the tensors that an op must touch), and how many
 * times faster than the plain twin, which for products is OpenBLAS.
 *
 *   bench-ops [--threads N] [--no-plain] [--filter TEXT] [--level plain|simd128|avx2|avx512] [--cpu-time]
 *
 * --cpu-time counts the process's time on processors instead of the clock's: for one thread on a busy machine.
 *
 * Each figure is the median of repeated runs; the spread is (slowest quarter - fastest quarter) / median. Numbers
 * depend on what else the machine does.
 */
#include "kernels/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 15

typedef struct
{
  const char *name;
  enum
  {
    LINEAR,
    CONV,
    GLUMB,
    NORM,
    LINEAR_ATTENTION,
    ATTENTION,
    GLU,
    LINCOMB,
    SHUFFLE,
    LAYOUT,
  } op;
  EaselDtype weights;
  /* linear: m, n, k. conv: side, ci, co, kernel, upsample, groups. glumb, shuffle: side, c. attention: tokens, keys,
   * heads, head_dim. Rows: m, c. */
  int64_t p[6];
} Case;

static const Case cases[] = {
  { "linear starter qkv", LINEAR, EASEL_DTYPE_F16, { 512, 768, 256 } },
  { "linear starter out", LINEAR, EASEL_DTYPE_F16, { 512, 256, 256 } },
  { "linear starter mlp in", LINEAR, EASEL_DTYPE_F16, { 512, 1280, 256 } },
  { "linear starter mlp out", LINEAR, EASEL_DTYPE_F16, { 512, 256, 640 } },
  { "linear starter time", LINEAR, EASEL_DTYPE_F16, { 2, 1536, 256 } },
  { "linear sana qkv", LINEAR, EASEL_DTYPE_BF16, { 512, 6720, 2240 } },
  { "linear sana mlp in", LINEAR, EASEL_DTYPE_BF16, { 512, 11200, 2240 } },
  { "linear sana time", LINEAR, EASEL_DTYPE_BF16, { 2, 13440, 2240 } },
  { "linear gemma up", LINEAR, EASEL_DTYPE_BF16, { 300, 9216, 2304 } },
  { "linear square f32", LINEAR, EASEL_DTYPE_F32, { 1024, 1024, 1024 } },
  { "conv 16 > 16 @512", CONV, EASEL_DTYPE_F16, { 512, 16, 16, 3, 1, 1 } },
  { "conv 32 > 16 @256 x2", CONV, EASEL_DTYPE_F16, { 256, 32, 16, 3, 2, 1 } },
  { "conv 16 > 3 @512", CONV, EASEL_DTYPE_F16, { 512, 16, 3, 3, 1, 1 } },
  { "conv 32 > 32 @256", CONV, EASEL_DTYPE_F16, { 256, 32, 32, 3, 1, 1 } },
  { "conv 64 > 32 @128 x2", CONV, EASEL_DTYPE_F16, { 128, 64, 32, 3, 2, 1 } },
  { "conv 64 > 64 @128", CONV, EASEL_DTYPE_F16, { 128, 64, 64, 3, 1, 1 } },
  { "conv 128 > 64 @32 x2", CONV, EASEL_DTYPE_F16, { 32, 128, 64, 3, 2, 1 } },
  { "conv 128 > 128 @128", CONV, EASEL_DTYPE_BF16, { 128, 128, 128, 3, 1, 1 } },
  { "conv 512 > 512 @64", CONV, EASEL_DTYPE_BF16, { 64, 512, 512, 3, 1, 1 } },
  { "conv 1024 > 1024 @16 x2", CONV, EASEL_DTYPE_BF16, { 16, 1024, 1024, 3, 2, 1 } },
  { "depthwise 5x5 384 @32", CONV, EASEL_DTYPE_F16, { 32, 384, 384, 5, 1, 384 } },
  { "grouped 1x1 384 @32", CONV, EASEL_DTYPE_F16, { 32, 384, 384, 1, 1, 12 } },
  { "glumb 640 @16", GLUMB, EASEL_DTYPE_F16, { 16, 640 } },
  { "glumb 512 @32", GLUMB, EASEL_DTYPE_F16, { 32, 512 } },
  { "glumb 5600 @16", GLUMB, EASEL_DTYPE_BF16, { 16, 5600 } },
  { "norm 512x256", NORM, EASEL_DTYPE_F16, { 512, 256 } },
  { "norm 262144x16", NORM, EASEL_DTYPE_F16, { 262144, 16 } },
  { "norm 512x2240", NORM, EASEL_DTYPE_BF16, { 512, 2240 } },
  { "linear attention 512 8x32", LINEAR_ATTENTION, EASEL_DTYPE_F32, { 512, 0, 8, 32 } },
  { "linear attention 512 70x32", LINEAR_ATTENTION, EASEL_DTYPE_F32, { 512, 0, 70, 32 } },
  { "attention 256x64 8x32", ATTENTION, EASEL_DTYPE_F32, { 256, 64, 8, 32 } },
  { "attention 256x300 20x112", ATTENTION, EASEL_DTYPE_F32, { 256, 300, 20, 112 } },
  { "attention 1024x1024 8x64", ATTENTION, EASEL_DTYPE_F32, { 1024, 1024, 8, 64 } },
  { "silu glu 512x2240", GLU, EASEL_DTYPE_F32, { 512, 2240 } },
  { "lincomb 3 x 524288", LINCOMB, EASEL_DTYPE_F32, { 1024, 512 } },
  { "pixel_shuffle 32 > 16 @256", SHUFFLE, EASEL_DTYPE_F32, { 256, 16 } },
  { "layout 3 @512", LAYOUT, EASEL_DTYPE_F32, { 512, 3 } },
};

typedef struct
{
  double seconds, spread, flops, bytes;
} Figure;

static clockid_t clock_used = CLOCK_MONOTONIC;

static double
now (void)
{
  struct timespec t;

  clock_gettime (clock_used, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* Small numbers of both signs; as 16-bit floats any bits below 0x4000 are between 0 and 2. */
static EaselTensor
filled (EaselStream *s, EaselDtype dtype, int n_dims, const int64_t *shape)
{
  EaselTensor t = easel_stream_alloc (s, dtype, n_dims, shape);
  int64_t n = easel_tensor_count (&t);
  uint32_t state = 12345;

  for (int64_t i = 0; i < n; i++)
    {
      state = state * 1664525 + 1013904223;
      if (dtype == EASEL_DTYPE_F32)
        ((float *) t.data)[i] = (float) (state >> 8) * 0x1p-24f - 0.5f;
      else
        ((uint16_t *) t.data)[i] =
            (uint16_t) ((dtype == EASEL_DTYPE_BF16 ? 0x3c00 : 0x2000) + (state >> 31 << 15) + (state >> 24));
    }
  return t;
}
#define FILLED(dtype, ...)                                                                       \
  filled (s, dtype, (int) (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), \
          (const int64_t[]){ __VA_ARGS__ })

typedef struct
{
  const Case *c;
  EaselTensor x, w, bias, y, k, v;
} Data;

static void
prepare (EaselStream *s, const Case *c, Data *d)
{
  const int64_t *p = c->p;
  EaselDtype f = EASEL_DTYPE_F32;

  d->c = c;
  switch (c->op)
    {
    case LINEAR:
      d->x = FILLED (f, p[0], p[2]);
      d->w = FILLED (c->weights, p[1], p[2]);
      d->bias = FILLED (c->weights, p[1]);
      d->y = FILLED (f, p[0], p[1]);
      break;
    case CONV:
      d->x = FILLED (f, 1, p[0], p[0], p[1]);
      d->w = FILLED (c->weights, p[2], p[1] / p[5], p[3], p[3]);
      d->bias = FILLED (c->weights, p[2]);
      d->y = FILLED (f, 1, p[0] * p[4], p[0] * p[4], p[2]);
      break;
    case GLUMB:
      d->x = FILLED (f, 1, p[0], p[0], 2 * p[1]);
      d->w = FILLED (c->weights, 2 * p[1], 1, 3, 3);
      d->bias = FILLED (c->weights, 2 * p[1]);
      d->y = FILLED (f, 1, p[0], p[0], p[1]);
      break;
    case LINEAR_ATTENTION:
    case ATTENTION:
      d->x = FILLED (f, 1, p[0], p[2] * p[3]);
      d->k = FILLED (f, 1, p[1] ? p[1] : p[0], p[2] * p[3]);
      d->v = FILLED (f, 1, p[1] ? p[1] : p[0], p[2] * p[3]);
      d->y = FILLED (f, 1, p[0], p[2] * p[3]);
      break;
    case SHUFFLE:
      d->x = FILLED (f, 1, p[0], p[0], 2 * p[1]);
      d->y = FILLED (f, 1, 2 * p[0], 2 * p[0], p[1]);
      break;
    case LAYOUT:
      d->x = FILLED (f, 1, p[0], p[0], p[1]);
      d->y = FILLED (f, 1, p[1], p[0], p[0]);
      break;
    default:
      d->x = FILLED (f, p[0], p[1]);
      d->k = FILLED (f, p[0], p[1]);
      d->y = FILLED (f, p[0], p[1]);
      d->w = FILLED (c->weights, p[1]);
    }
}

static void
issue (EaselStream *s, const Data *d)
{
  const int64_t *p = d->c->p;
  EaselHeads q = { d->x.data, p[2] * p[3], p[3] }, k = { d->k.data, p[2] * p[3], p[3] };
  EaselHeads v = { d->v.data, p[2] * p[3], p[3] };

  switch (d->c->op)
    {
    case LINEAR:
      easel_linear (s, .x = d->x, .w = d->w, .bias = d->bias, .y = d->y);
      break;
    case CONV:
      easel_conv2d (s, .x = d->x, .w = d->w, .bias = d->bias, .y = d->y, .pad = (int) p[3] / 2, .upsample = (int) p[4],
                    .groups = (int) p[5]);
      break;
    case GLUMB:
      easel_depthwise_glu (s, .x = d->x, .w = d->w, .bias = d->bias, .y = d->y);
      break;
    case NORM:
      easel_norm (s, .kind = EASEL_NORM_RMS, .x = d->x, .weight = d->w, .bias = d->w, .y = d->y, .eps = 1e-5f);
      break;
    case LINEAR_ATTENTION:
      easel_linear_attention (s, .q = q, .k = k, .v = v, .y = d->y, .heads = p[2], .head_dim = p[3], .eps = 1e-15f);
      break;
    case ATTENTION:
      easel_attention (s, .q = q, .k = k, .v = v, .y = d->y, .n_kv = p[1], .heads = p[2], .kv_heads = p[2],
                       .head_dim = p[3], .scale = 0.2f);
      break;
    case GLU:
      easel_glu (s, .a = d->x, .b = d->k, .y = d->y, .act = EASEL_ACT_SILU);
      break;
    case LINCOMB:
      easel_lincomb (s, .n_terms = 3, .x = { d->x, d->k, d->y }, .c = { 1, 0.5f, 0.2f }, .y = d->y);
      break;
    case SHUFFLE:
      easel_pixel_shuffle (s, .x = d->x, .residual = d->y, .y = d->y, .factor = 2);
      break;
    case LAYOUT:
      easel_layout (s, .x = d->x, .y = d->y);
      break;
    }
}

static int
by_value (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static bool
measure (EaselCpuLevel level, int threads, const Case *c, Figure *out)
{
  EaselDevice *device;
  EaselStream *s;
  Data data = { 0 };
  double times[RUNS], begin = now ();
  int n = 0;

  if (easel_cpu_device_open_level (threads, level, &device) != EASEL_STATUS_OK)
    return false;
  if (easel_stream_open (device, (size_t) 600 << 20, &s) != EASEL_STATUS_OK)
    return false;
  prepare (s, c, &data);
  issue (s, &data);
  easel_stream_reset_counters (s);
  while (n < RUNS && (n < 3 || now () - begin < 0.5))
    {
      double t = now (), each;
      int repeats = 0;

      do /* at least a millisecond a reading */
        {
          issue (s, &data);
          repeats++;
        }
      while (now () - t < 1e-3);
      each = (now () - t) / repeats;
      times[n++] = each;
      out->flops = s->flops / (double) s->launches;
      out->bytes = s->bytes / (double) s->launches;
    }
  qsort (times, (size_t) n, sizeof *times, by_value);
  out->seconds = times[n / 2];
  out->spread = (times[n * 3 / 4] - times[n / 4]) / times[n / 2];
  if (!easel_stream_ok (s))
    printf ("%s: %s\n", c->name, s->message);
  easel_stream_close (&s);
  easel_device_close (&device);
  return true;
}

int
main (int argc, char **argv)
{
  static const char *const levels[] = { "best", "plain", "simd128", "avx2", "avx512" };
  EaselCpuLevel level = EASEL_CPU_BEST;
  EaselDevice *device;
  const char *filter = "";
  int threads = 0;
  bool plain = true;

  for (int i = 1; i < argc; i++)
    if (!strcmp (argv[i], "--no-plain"))
      plain = false;
    else if (!strcmp (argv[i], "--cpu-time"))
      clock_used = CLOCK_PROCESS_CPUTIME_ID;
    else if (!strcmp (argv[i], "--threads") && i + 1 < argc)
      threads = atoi (argv[++i]);
    else if (!strcmp (argv[i], "--filter") && i + 1 < argc)
      filter = argv[++i];
    else if (!strcmp (argv[i], "--level") && i + 1 < argc)
      {
        i++;
        for (int j = 0; j < EASEL_CPU_N_LEVELS; j++)
          if (!strcmp (argv[i], levels[j]))
            level = (EaselCpuLevel) j;
      }
  if (easel_cpu_device_open_level (threads, level, &device) != EASEL_STATUS_OK)
    return 77;
  printf ("%s\n%-28s %10s %9s %8s %7s %9s\n", device->name, "op", "ms", "GFLOP/s", "GB/s", "spread", "x plain");
  easel_device_close (&device);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      Figure fast = { 0 }, slow = { 0 };

      if (!strstr (cases[i].name, filter) || !measure (level, threads, &cases[i], &fast))
        continue;
      printf ("%-28s %10.3f %9.1f %8.1f %6.0f%%", cases[i].name, 1e3 * fast.seconds, fast.flops / fast.seconds * 1e-9,
              fast.bytes / fast.seconds * 1e-9, 100 * fast.spread);
      if (plain && measure (EASEL_CPU_PLAIN, threads, &cases[i], &slow))
        printf (" %9.2f", slow.seconds / fast.seconds);
      printf ("\n");
      fflush (stdout);
    }
  return 0;
}
