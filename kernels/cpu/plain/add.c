/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

void
easel_plain_add (EaselStream *s, const EaselAddArgs *a)
{
  int64_t n = easel_tensor_count (&a->x), period = easel_tensor_count (&a->r);
  const float *x = a->x.data, *r = a->r.data;
  float *y = a->y.data;

  (void) s;
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] + r[i % period];
}
