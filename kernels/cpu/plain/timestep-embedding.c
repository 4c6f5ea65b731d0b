/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Frequencies are rounded to f32 before the product with t, as the reference does: with t near 1000 the difference
 * is visible.
 */
#include "plain.h"

void
easel_plain_timestep_embedding (EaselStream *s, const EaselTimestepEmbeddingArgs *a)
{
  int64_t n = easel_tensor_count (&a->t), dim = a->y.shape[a->y.n_dims - 1], half = dim / 2;
  double max_period = a->max_period > 0 ? a->max_period : 10000;
  float scale = a->scale != 0 ? a->scale : 1;
  const float *t = a->t.data;
  float *y = a->y.data;

  (void) s;
  for (int64_t b = 0; b < n; b++)
    for (int64_t i = 0; i < half; i++)
      {
        float exponent = (float) -log (max_period) * (float) i / ((float) half - a->freq_shift);
        float angle = scale * (t[b] * expf (exponent));

        y[b * dim + i] = a->flip_sin_to_cos ? cosf (angle) : sinf (angle);
        y[b * dim + half + i] = a->flip_sin_to_cos ? sinf (angle) : cosf (angle);
      }
}
