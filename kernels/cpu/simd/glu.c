/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simd.h"

#define UNIT 16384 /* elements a unit */

typedef struct
{
  const EaselGluArgs *a;
  int64_t m, c, lda, ldb, rows;
} Work;

INLINE void
glu_row (const float *x, const float *b, float *y, int64_t c, EaselAct act)
{
  int64_t i = 0;

  for (; i + VL <= c; i += VL)
    {
      vf v = vact (vload (x + i), act);
      vstore (y + i, b ? v * vload (b + i) : v);
    }
  if (i < c)
    {
      vf v = vact (vload_part (x + i, c - i), act);
      vstore_part (y + i, b ? v * vload_part (b + i, c - i) : v, c - i);
    }
}

static void
glu_rows (const void *data, int64_t unit, int worker)
{
  const Work *work = data;
  int64_t end = easel_min_i64 (work->m, (unit + 1) * work->rows);

  (void) worker;
  for (int64_t m = unit * work->rows; m < end; m++)
    {
      const float *x = (const float *) work->a->a.data + m * work->lda;
      const float *b = work->a->b.data ? (const float *) work->a->b.data + m * work->ldb : NULL;
      float *y = (float *) work->a->y.data + m * work->c;

      switch (work->a->act)
        {
        case EASEL_ACT_RELU:
          glu_row (x, b, y, work->c, EASEL_ACT_RELU);
          break;
        case EASEL_ACT_SILU:
          glu_row (x, b, y, work->c, EASEL_ACT_SILU);
          break;
        case EASEL_ACT_GELU_TANH:
          glu_row (x, b, y, work->c, EASEL_ACT_GELU_TANH);
          break;
        default:
          glu_row (x, b, y, work->c, EASEL_ACT_NONE);
        }
    }
}

void
ISA (glu) (EaselStream *s, const EaselGluArgs *a)
{
  int64_t c = a->y.shape[a->y.n_dims - 1];
  Work work = { .a = a, .m = easel_tensor_count (&a->y) / c, .c = c, .rows = c < UNIT ? UNIT / c : 1 };

  work.lda = a->a_stride ? a->a_stride : c;
  work.ldb = a->b_stride ? a->b_stride : c;
  easel_pool_run (easel_cpu (s)->pool, easel_ceil_div (work.m, work.rows), glu_rows, &work);
}
