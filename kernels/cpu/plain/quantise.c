/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

#define LEAST 1e-30f /* a row below is zeros */

static void
quantise_row (const void *data, int64_t m, int worker)
{
  const EaselQuantiseArgs *a = data;
  const int64_t k = a->x.shape[a->x.n_dims - 1];
  const float *x = (const float *) a->x.data + m * (a->x_stride ? a->x_stride : k);
  const float most = a->y.dtype == EASEL_DTYPE_I8 ? 127 : 448;
  uint32_t largest = 0;
  float factor;

  (void) worker;
  /* As bits: infinity is above every number, NaN above infinity. */
  for (int64_t i = 0; i < k; i++)
    {
      uint32_t bits = easel_float_bits (x[i]) & 0x7fffffffu;

      largest = bits > largest ? bits : largest;
    }
  a->y.scales[m] = easel_float_from_bits (largest) / most;
  factor = easel_float_from_bits (largest) > LEAST ? most / easel_float_from_bits (largest) : 0;
  for (int64_t i = 0; i < k; i++)
    if (a->y.dtype == EASEL_DTYPE_F8_E4M3)
      ((uint8_t *) a->y.data)[m * k + i] = easel_e4m3_from_f32 (x[i] * factor);
    else
      ((int8_t *) a->y.data)[m * k + i] = largest < 0x7f800000u ? (int8_t) lrintf (x[i] * factor) : 0;
}

void
easel_plain_quantise (EaselStream *s, const EaselQuantiseArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, easel_tensor_n_rows (&a->x), quantise_row, a);
}
