/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

void
easel_plain_pixel_unshuffle (EaselStream *s, const EaselPixelUnshuffleArgs *a)
{
  int64_t rows = a->y.shape[0] * a->y.shape[1], w = a->y.shape[2], c = a->y.shape[3], cx = a->x.shape[3];
  int64_t f = a->factor, group = cx * f * f / c;
  const float *x = a->x.data, *residual = a->residual.data;
  float *y = a->y.data;

  (void) s;
  for (int64_t row = 0; row < rows; row++)
    for (int64_t column = 0; column < w; column++)
      for (int64_t i = 0; i < c; i++)
        {
          int64_t at = (row * w + column) * c + i;
          float sum = 0;

          for (int64_t q = i * group; q < (i + 1) * group; q++)
            {
              int64_t ci = q / (f * f), dy = q / f % f, dx = q % f;

              sum += x[((row * f + dy) * w * f + column * f + dx) * cx + ci];
            }
          y[at] = (residual ? residual[at] : 0) + sum / (float) group;
        }
}
