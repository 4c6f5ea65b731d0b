/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

void
easel_plain_pixel_shuffle (EaselStream *s, const EaselPixelShuffleArgs *a)
{
  int64_t rows = a->y.shape[0] * a->y.shape[1], w = a->y.shape[2], c = a->y.shape[3], cx = a->x.shape[3];
  int64_t f = a->factor, repeats = c * f * f / cx;
  const float *x = a->x.data, *residual = a->residual.data;
  float *y = a->y.data;

  (void) s;
  for (int64_t row = 0; row < rows; row++)
    for (int64_t column = 0; column < w; column++)
      for (int64_t i = 0; i < c; i++)
        {
          int64_t at = (row * w + column) * c + i, q = (i * f + row % f) * f + column % f;
          float v = x[((row / f) * (w / f) + column / f) * cx + q / repeats];

          y[at] = residual ? residual[at] + v : v;
        }
}
