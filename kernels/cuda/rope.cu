/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rotary positions in place: x' = x * cos + rotate (x) * sin, pairs (2i, 2i + 1) or halves (i, i + head_dim / 2).
 * One thread a pair; threads of a block walk along the pairs of one token's heads.
 */
#include "device.cuh"

template <typename T>
static __global__ void
rotate (T *x, int64_t row, int64_t head, const float *__restrict__ cosine, const float *__restrict__ sine, int64_t rows,
        int64_t n_tokens, int64_t first, int heads, int head_dim, bool interleaved)
{
  const int64_t token = blockIdx.x, b = token / rows, t = token % rows;
  const int half = head_dim / 2;
  T *at = x + (b * n_tokens + first + t) * row;
  const float *c = cosine + t * head_dim, *s = sine + t * head_dim;

  for (int i = threadIdx.x; i < heads * half; i += blockDim.x)
    {
      const int h = i / half, j = i % half, p = interleaved ? 2 * j : j, q = interleaved ? 2 * j + 1 : j + half;
      T *pair = at + h * head;
      const float u = to_f32 (pair[p]), v = to_f32 (pair[q]);

      pair[p] = from_f32<T> (u * c[p] - v * s[p]);
      pair[q] = from_f32<T> (v * c[q] + u * s[q]);
    }
}

void
easel_cuda_rope (EaselStream *s, const EaselRopeArgs *a)
{
  const int64_t rows = a->n_tokens - a->first, tokens = a->batch * rows, pairs = a->heads * (a->head_dim / 2);

  if (tokens > INT32_MAX || a->heads * a->head_dim > INT32_MAX)
    {
      easel_cuda_refuse (s, "rope", "too large", &a->cos);
      return;
    }
  EASEL_CUDA_DISPATCH (s->act_dtype, {
    rotate<T><<<(unsigned) tokens, pairs >= 256 ? 256 : 64, 0, easel_cuda (s)->stream>>> (
        (T *) a->x.data, a->x.row, a->x.head, (const float *) a->cos.data, (const float *) a->sin.data, rows,
        a->n_tokens, a->first, (int) a->heads, (int) a->head_dim, a->interleaved);
  });
  easel_cuda_launched (s, "rope", &a->cos);
}
