/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y[m,:] = table[ids[m],:] * scale. One block a token.
 */
#include "device.cuh"

template <typename T, typename W>
static __global__ void
gather (T *__restrict__ y, const W *__restrict__ table, const int32_t *__restrict__ ids, int64_t C, float scale)
{
  const int64_t m = blockIdx.x;
  const W *row = table + ids[m] * C;

  for (int64_t c = threadIdx.x; c < C; c += blockDim.x)
    y[m * C + c] = from_f32<T> (to_f32 (row[c]) * scale);
}

template <typename Act>
static void
launch (EaselStream *s, const EaselEmbeddingArgs *a)
{
  const unsigned M = (unsigned) easel_tensor_count (&a->ids);

  EASEL_CUDA_DISPATCH (a->table.dtype, {
    gather<Act, T><<<M, 256, 0, easel_cuda (s)->stream>>> ((Act *) a->y.data, (const T *) a->table.data,
                                                            (const int32_t *) a->ids.data, a->table.shape[1],
                                                            a->scale);
  });
}

void
easel_cuda_embedding (EaselStream *s, const EaselEmbeddingArgs *a)
{
  if (easel_tensor_count (&a->ids) > INT32_MAX)
    {
      easel_cuda_refuse (s, "embedding", "too many tokens", &a->ids);
      return;
    }
  EASEL_CUDA_DISPATCH (s->act_dtype, { launch<T> (s, a); });
  easel_cuda_launched (s, "embedding", &a->y);
}
