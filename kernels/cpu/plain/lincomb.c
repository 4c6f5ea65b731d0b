/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

void
easel_plain_lincomb (EaselStream *s, const EaselLincombArgs *a)
{
  int64_t n = easel_tensor_count (&a->y);
  float *y = a->y.data;

  (void) s;
  for (int64_t i = 0; i < n; i++)
    {
      float sum = a->c[0] * ((const float *) a->x[0].data)[i];

      for (int t = 1; t < a->n_terms; t++)
        sum += a->c[t] * ((const float *) a->x[t].data)[i];
      y[i] = sum;
    }
}
