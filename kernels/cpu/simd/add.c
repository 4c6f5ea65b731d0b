/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simd.h"

#define UNIT 16384 /* elements a unit */

static void
add_unit (const void *data, int64_t unit, int worker)
{
  const EaselAddArgs *a = data;
  int64_t n = easel_tensor_count (&a->x), period = easel_tensor_count (&a->r);
  int64_t i = unit * UNIT, end = easel_min_i64 (n, i + UNIT);
  const float *x = a->x.data, *r = a->r.data;
  float *y = a->y.data;

  (void) worker;
  while (i < end) /* runs in which r does not start again */
    {
      int64_t at = i % period, stop = easel_min_i64 (end, i - at + period);

      for (; i + VL <= stop; i += VL, at += VL)
        vstore (y + i, vload (x + i) + vload (r + at));
      for (; i < stop; i++, at++)
        y[i] = x[i] + r[at];
    }
}

void
ISA (add) (EaselStream *s, const EaselAddArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, easel_ceil_div (easel_tensor_count (&a->x), UNIT), add_unit, a);
}
