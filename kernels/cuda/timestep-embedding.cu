/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * f_i = exp (-ln (max_period) i / (half - freq_shift)); e = [sin (scale t f), cos (scale t f)], halves swapped by flip.
 * Frequencies are rounded to f32 before the product with t, as the reference does.
 */
#include "device.cuh"

static __global__ void
embed (float *__restrict__ y, const float *__restrict__ t, int64_t half, bool flip, float minus_log, float freq_shift,
       float scale)
{
  const int64_t b = blockIdx.x;

  for (int64_t i = threadIdx.x; i < half; i += blockDim.x)
    {
      const float exponent = minus_log * (float) i / ((float) half - freq_shift);
      const float angle = scale * (t[b] * expf (exponent));

      y[b * 2 * half + i] = flip ? cosf (angle) : sinf (angle);
      y[b * 2 * half + half + i] = flip ? sinf (angle) : cosf (angle);
    }
}

void
easel_cuda_timestep_embedding (EaselStream *s, const EaselTimestepEmbeddingArgs *a)
{
  const double period = a->max_period > 0 ? a->max_period : 10000;

  embed<<<(unsigned) easel_tensor_count (&a->t), 128, 0, easel_cuda (s)->stream>>> (
      (float *) a->y.data, (const float *) a->t.data, a->y.shape[a->y.n_dims - 1] / 2, a->flip_sin_to_cos,
      (float) -log (period), a->freq_shift, a->scale != 0 ? a->scale : 1.0f);
  easel_cuda_launched (s, "timestep_embedding", &a->y);
}
