/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

typedef struct
{
  const EaselGluArgs *a;
} Work;

static void
glu_row (const void *data, int64_t m, int worker)
{
  const EaselGluArgs *a = ((const Work *) data)->a;
  int64_t c = a->y.shape[a->y.n_dims - 1];
  const float *x = (const float *) a->a.data + m * (a->a_stride ? a->a_stride : c);
  const float *b = a->b.data ? (const float *) a->b.data + m * (a->b_stride ? a->b_stride : c) : NULL;
  float *y = (float *) a->y.data + m * c;

  (void) worker;
  for (int64_t i = 0; i < c; i++)
    y[i] = b ? easel_plain_act (x[i], a->act) * b[i] : easel_plain_act (x[i], a->act);
}

void
easel_plain_glu (EaselStream *s, const EaselGluArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, easel_tensor_count (&a->y) / a->y.shape[a->y.n_dims - 1], glu_row, &(Work){ a });
}
