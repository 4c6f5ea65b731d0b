/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

void
easel_plain_cast (EaselStream *s, const EaselCastArgs *a)
{
  int64_t n = easel_tensor_count (&a->x);

  (void) s;
  for (int64_t i = 0; i < n; i++)
    {
      float v = easel_float_at (a->x.data, a->x.dtype, i);

      if (a->y.dtype == EASEL_DTYPE_F32)
        ((float *) a->y.data)[i] = v;
      else if (a->y.dtype == EASEL_DTYPE_BF16)
        ((uint16_t *) a->y.data)[i] = easel_bf16_from_f32 (v);
      else
        ((uint16_t *) a->y.data)[i] = easel_f16_from_f32 (v);
    }
}
