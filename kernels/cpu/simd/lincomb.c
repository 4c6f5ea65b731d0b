/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simd.h"

#define UNIT 16384 /* elements a unit */

static void
lincomb_unit (const void *data, int64_t unit, int worker)
{
  const EaselLincombArgs *a = data;
  int64_t end = easel_min_i64 (easel_tensor_count (&a->y), (unit + 1) * UNIT), i = unit * UNIT;
  float *y = a->y.data;

  (void) worker;
  for (; i < end; i += VL)
    {
      bool whole = end - i >= VL;
      vf sum = vset (0);

      for (int t = 0; t < a->n_terms; t++)
        {
          const float *x = (const float *) a->x[t].data + i;
          vf term = (whole ? vload (x) : vload_part (x, end - i)) * a->c[t];

          sum = t ? sum + term : term;
        }
      if (whole)
        vstore (y + i, sum);
      else
        vstore_part (y + i, sum, end - i);
    }
}

void
ISA (lincomb) (EaselStream *s, const EaselLincombArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, easel_ceil_div (easel_tensor_count (&a->y), UNIT), lincomb_unit, a);
}
