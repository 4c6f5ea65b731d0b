/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

typedef struct
{
  const EaselDepthwiseGluArgs *a;
} Work;

static float
depthwise (const EaselDepthwiseGluArgs *a, int64_t b, int64_t y, int64_t x, int64_t c)
{
  int64_t h = a->x.shape[1], w = a->x.shape[2], c2 = a->x.shape[3];
  const float *data = a->x.data;
  float sum = 0;

  for (int64_t ky = 0; ky < 3; ky++)
    for (int64_t kx = 0; kx < 3; kx++)
      if (y + ky >= 1 && y + ky <= h && x + kx >= 1 && x + kx <= w)
        sum += data[((b * h + y + ky - 1) * w + x + kx - 1) * c2 + c] *
               easel_float_at (a->w.data, a->w.dtype, c * 9 + ky * 3 + kx);
  return a->bias.data ? sum + easel_float_at (a->bias.data, a->bias.dtype, c) : sum;
}

static void
depthwise_glu_row (const void *data, int64_t unit, int worker)
{
  const EaselDepthwiseGluArgs *a = ((const Work *) data)->a;
  int64_t h = a->x.shape[1], w = a->x.shape[2], c = a->y.shape[3];
  float *y = (float *) a->y.data + unit * w * c;

  (void) worker;
  for (int64_t x = 0; x < w; x++)
    for (int64_t i = 0; i < c; i++)
      y[x * c + i] = depthwise (a, unit / h, unit % h, x, i) *
                     easel_plain_act (depthwise (a, unit / h, unit % h, x, c + i), EASEL_ACT_SILU);
}

void
easel_plain_depthwise_glu (EaselStream *s, const EaselDepthwiseGluArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, a->x.shape[0] * a->x.shape[1], depthwise_glu_row, &(Work){ a });
}
