/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

typedef struct
{
  const EaselNormArgs *a;
  const EaselCpu *cpu;
  int64_t m, c, scale_rows, shift_rows;
} Work;

static void
norm_row (const void *data, int64_t m, int worker)
{
  const Work *work = data;
  const EaselNormArgs *a = work->a;
  int64_t c = work->c;
  const float *x = (const float *) a->x.data + m * (a->x_stride ? a->x_stride : c);
  int64_t ldy = a->y_stride ? a->y_stride : c, ldr = a->residual.data == a->y.data ? ldy : c;
  const float *residual = a->residual.data ? (const float *) a->residual.data + m * ldr : NULL;
  const float *scale = a->scale.data ? (const float *) a->scale.data + m / work->scale_rows * c : NULL;
  const float *shift = a->shift.data ? (const float *) a->shift.data + m / work->shift_rows * c : NULL;
  float *y = a->y.scales ? easel_cpu_scratch (work->cpu, worker) : (float *) a->y.data + m * ldy;
  double mean = 0, var = 0;
  float inverse;

  if (a->kind == EASEL_NORM_LAYER)
    {
      for (int64_t i = 0; i < c; i++)
        mean += x[i];
      mean /= (double) c;
    }
  for (int64_t i = 0; i < c; i++)
    var += (x[i] - mean) * (x[i] - mean);
  inverse = (float) (1 / sqrt (var / (double) c + a->eps));

  for (int64_t i = 0; i < c; i++)
    {
      float v = (float) (x[i] - mean) * inverse;

      if (a->weight.data)
        v *= a->weight_offset + easel_float_at (a->weight.data, a->weight.dtype, i);
      if (a->bias.data)
        v += easel_float_at (a->bias.data, a->bias.dtype, i);
      if (scale)
        v *= 1 + scale[i];
      if (shift)
        v += shift[i];
      v = easel_plain_act (v, a->act);
      y[i] = residual ? residual[i] + v : v;
    }
  if (a->y.scales)
    easel_quantise_row (y, c, a->y.dtype, (char *) a->y.data + m * c, a->y.scales + m);
}

void
easel_plain_norm (EaselStream *s, const EaselNormArgs *a)
{
  int64_t c = a->x.shape[a->x.n_dims - 1], m = easel_tensor_count (&a->x) / c;
  Work work = { .a = a, .cpu = easel_cpu (s), .m = m, .c = c, .scale_rows = 1, .shift_rows = 1 };

  if (a->scale.data)
    work.scale_rows = m / (easel_tensor_count (&a->scale) / c);
  if (a->shift.data)
    work.shift_rows = m / (easel_tensor_count (&a->shift) / c);
  easel_pool_run (easel_cpu (s)->pool, m, norm_row, &work);
}
