/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

#define LEAST 1e-30f /* a row below is zeros */

void
easel_plain_quantise_row (const float *x, int64_t k, EaselDtype dtype, void *codes, float *scale)
{
  const float most = dtype == EASEL_DTYPE_I8 ? 127 : 448;
  uint32_t largest = 0;
  float factor;

  /* As bits: infinity is above every number, NaN above infinity. */
  for (int64_t i = 0; i < k; i++)
    {
      uint32_t bits = easel_float_bits (x[i]) & 0x7fffffffu;

      largest = bits > largest ? bits : largest;
    }
  *scale = easel_float_from_bits (largest) / most;
  factor = easel_float_from_bits (largest) > LEAST ? most / easel_float_from_bits (largest) : 0;
  for (int64_t i = 0; i < k; i++)
    if (dtype == EASEL_DTYPE_F8_E4M3)
      ((uint8_t *) codes)[i] = easel_e4m3_from_f32 (x[i] * factor);
    else
      ((int8_t *) codes)[i] = largest < 0x7f800000u ? (int8_t) lrintf (x[i] * factor) : 0;
}

static void
quantise_row (const void *data, int64_t m, int worker)
{
  const EaselQuantiseArgs *a = data;
  const int64_t k = a->x.shape[a->x.n_dims - 1];

  (void) worker;
  easel_plain_quantise_row ((const float *) a->x.data + m * (a->x_stride ? a->x_stride : k), k, a->y.dtype,
                            (char *) a->y.data + m * k, a->y.scales + m);
}

void
easel_plain_quantise (EaselStream *s, const EaselQuantiseArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, easel_tensor_n_rows (&a->x), quantise_row, a);
}
