/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

void
easel_plain_layout (EaselStream *s, const EaselLayoutArgs *a)
{
  const EaselTensor *planar = a->to_channels_last ? &a->x : &a->y;
  int64_t batch = planar->shape[0], channels = planar->shape[1], n = planar->shape[2] * planar->shape[3];
  const float *x = a->x.data;
  float *y = a->y.data;

  (void) s;
  for (int64_t b = 0; b < batch; b++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t i = 0; i < n; i++)
        {
          int64_t at_planar = (b * channels + c) * n + i, at_last = (b * n + i) * channels + c;

          y[a->to_channels_last ? at_last : at_planar] = x[a->to_channels_last ? at_planar : at_last];
        }
}
