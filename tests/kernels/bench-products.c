/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How fast a card multiplies in each precision, at the sizes of our models: the time of a linear layer as models issue
 * it (8 bits: x quantised first), of the product alone, and its rate.
 *
 *   bench-products [--portable] [--filter TEXT]
 *
 * Each figure is the shortest of some batches of calls, a synchronisation after each batch. Inputs are random and stay
 * where they are, so what fits is in the L2 cache, as in a model. Exit status 77 without a card.
 */
#include "kernels/cuda-loader.h"
#include "kernels/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCHES 7

static const struct
{
  const char *name;
  int64_t m, n, k;
  EaselAct act;
  bool gated; /* a gate, and y as its own residual */
} cases[] = {
  { "sana q", 2048, 2240, 2240, EASEL_ACT_NONE, false },
  { "sana out", 2048, 2240, 2240, EASEL_ACT_NONE, true },
  { "sana q, k, v", 2048, 6720, 2240, EASEL_ACT_NONE, false },
  { "sana inverted", 2048, 11200, 2240, EASEL_ACT_SILU, false },
  { "sana point", 2048, 2240, 5600, EASEL_ACT_NONE, true },
  { "sana q, one", 1024, 2240, 2240, EASEL_ACT_NONE, false },
  { "sana inverted, one", 1024, 11200, 2240, EASEL_ACT_SILU, false },
  { "sana point, one", 1024, 2240, 5600, EASEL_ACT_NONE, true },
  { "sana inverted, 4096", 32768, 11200, 2240, EASEL_ACT_SILU, false },
  { "sana point, 4096", 32768, 2240, 5600, EASEL_ACT_NONE, true },
  { "cogvideox q", 35552, 1920, 1920, EASEL_ACT_NONE, false },
  { "cogvideox wide", 35552, 7680, 1920, EASEL_ACT_GELU_TANH, false },
  { "cogvideox narrow", 17550, 1920, 7680, EASEL_ACT_NONE, true },
  { "gemma up", 300, 9216, 2304, EASEL_ACT_NONE, false },
  { "gemma down", 300, 2304, 9216, EASEL_ACT_NONE, false },
  { "t5 up", 452, 10240, 4096, EASEL_ACT_NONE, false },
  { "square", 8192, 8192, 8192, EASEL_ACT_NONE, false },
};

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

/* Uniform numbers around 0, tiled from a small piece. */
static EaselTensor
random_rows (EaselStream *s, int64_t rows, int64_t columns)
{
  EaselTensor t = easel_new (s, EASEL_DTYPE_BF16, rows, columns);
  const size_t mark = easel_stream_mark (s);
  const int64_t some = rows < 64 ? rows : 64;
  EaselTensor f32 = easel_new (s, EASEL_DTYPE_F32, some, columns);
  float *host = malloc (easel_tensor_bytes (&f32) + 1);

  for (int64_t i = 0; host && i < some * columns; i++)
    host[i] = (float) rand () / (float) RAND_MAX - 0.5f;
  if (host)
    easel_upload (s, f32, host);
  for (int64_t i = 0; i < rows; i += some)
    {
      const int64_t n = rows - i < some ? rows - i : some;

      easel_cast (s, .x = easel_tensor_rows (f32, 0, n), .y = easel_tensor_rows (t, i, n));
    }
  free (host);
  easel_stream_release (s, mark);
  return t;
}

static EaselTensor
as_scaled (EaselStream *s, EaselDtype dtype, EaselTensor x)
{
  EaselTensor y = easel_new (s, dtype, x.shape[0], x.shape[1]);

  y.scales = easel_new (s, EASEL_DTYPE_F32, x.shape[0]).data;
  easel_quantise (s, .x = x, .y = y);
  return y;
}

/* Seconds of one call. */
static double
time_linear (EaselStream *s, const EaselLinearArgs *a)
{
  const double work = 2.0 * (double) (a->w.shape[0] * easel_tensor_count (&a->x));
  const int calls = work > 4e11 ? 3 : 20;
  double best = 1e9;

  for (int i = 0; i < BATCHES; i++)
    {
      double start;

      easel_synchronize (s);
      start = now ();
      for (int j = 0; j < calls; j++)
        easel_op_linear (s, a);
      easel_synchronize (s);
      start = (now () - start) / calls;
      best = start < best ? start : best;
    }
  return best;
}

static void
run_case (EaselStream *s, size_t i)
{
  static const EaselDtype dtypes[] = { EASEL_DTYPE_BF16, EASEL_DTYPE_F8_E4M3, EASEL_DTYPE_I8 };
  const int64_t m = cases[i].m, n = cases[i].n, k = cases[i].k;
  EaselTensor x = random_rows (s, m, k), w = random_rows (s, n, k), y = easel_new (s, EASEL_DTYPE_BF16, m, n);
  EaselTensor bias = easel_tensor_as (random_rows (s, 1, n), n), gate = easel_new (s, EASEL_DTYPE_F32, 1, n);

  easel_cast (s, .x = bias, .y = gate);
  printf ("%-20s %6lld %6lld %5lld", cases[i].name, (long long) m, (long long) n, (long long) k);
  for (size_t d = 0; d < 3; d++)
    {
      const size_t mark = easel_stream_mark (s);
      EaselLinearArgs a = { .x = x, .w = w, .bias = bias, .y = y, .act = cases[i].act };
      double whole, alone;

      if (cases[i].gated)
        {
          a.gate = gate;
          a.residual = y;
        }
      if (d > 0 && !(s->device->product_dtypes >> dtypes[d] & 1))
        continue;
      if (d > 0)
        a.w = as_scaled (s, dtypes[d], w);
      whole = alone = time_linear (s, &a);
      if (d > 0)
        {
          a.x = as_scaled (s, dtypes[d], x);
          alone = time_linear (s, &a);
        }
      printf ("  %s %8.1f us", d ? easel_dtype_name (dtypes[d]) : "bf16", whole * 1e6);
      if (d > 0)
        printf (", alone %8.1f", alone * 1e6);
      printf (" (%5.0f)", 2e-12 * (double) (m * n * k) / alone);
      easel_stream_release (s, mark);
    }
  printf ("%s\n", s->message);
  easel_stream_release (s, 0);
}

int
main (int argc, char **argv)
{
  EaselCudaSettings settings = { 0 };
  const char *filter = "";
  EaselDevice *device = NULL;
  EaselStream *s = NULL;
  char why[256];
  int failed;

  for (int i = 1; i < argc; i++)
    if (!strcmp (argv[i], "--portable"))
      settings.portable = true;
    else if (!strcmp (argv[i], "--filter") && i + 1 < argc)
      filter = argv[++i];
    else
      {
        fprintf (stderr, "usage: bench-products [--portable] [--filter TEXT]\n");
        return 2;
      }
  if (easel_cuda_device_open (&settings, &device, why, sizeof why) != EASEL_STATUS_OK)
    {
      printf ("SKIP: %s\n", why);
      return 77;
    }
  device->act_dtype = EASEL_DTYPE_BF16;
  if (easel_stream_open (device, (size_t) 3 << 30, &s) != EASEL_STATUS_OK)
    {
      fprintf (stderr, "no memory\n");
      return 1;
    }
  setvbuf (stdout, NULL, _IOLBF, 0);
  printf ("# %s%s; in brackets: TFLOP/s of the product alone\n", device->name,
          settings.portable ? ", portable kernels" : "");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0] && easel_stream_ok (s); i++)
    if (strstr (cases[i].name, filter))
      run_case (s, i);
  failed = !easel_stream_ok (s);
  easel_stream_close (&s);
  easel_device_close (&device);
  return failed;
}
