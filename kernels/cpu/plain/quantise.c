/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

static void
quantise_row (const void *data, int64_t m, int worker)
{
  const EaselQuantiseArgs *a = data;
  const int64_t k = a->x.shape[a->x.n_dims - 1];

  (void) worker;
  easel_quantise_row ((const float *) a->x.data + m * (a->x_stride ? a->x_stride : k), k, a->y.dtype,
                      (char *) a->y.data + m * k, a->y.scales + m);
}

void
easel_plain_quantise (EaselStream *s, const EaselQuantiseArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, easel_tensor_n_rows (&a->x), quantise_row, a);
}
