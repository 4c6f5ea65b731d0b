/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

void
easel_plain_embedding (EaselStream *s, const EaselEmbeddingArgs *a)
{
  int64_t m = easel_tensor_count (&a->ids), c = a->table.shape[1];
  const int32_t *ids = a->ids.data;
  float *y = a->y.data;

  (void) s;
  for (int64_t i = 0; i < m; i++)
    {
      easel_floats_at (y + i * c, a->table.data, a->table.dtype, ids[i] * c, c);
      for (int64_t j = 0; j < c; j++)
        y[i * c + j] *= a->scale;
    }
}
