/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y = x + r, r repeated along the leading dimensions of x. Bound by memory.
 */
#include "device.cuh"

template <typename T, bool PACKS>
static __global__ void
add_repeated (T *y, const T *x, const T *r, int64_t n, int64_t period)
{
  constexpr int P = PACKS ? Pack<T>::N : 1;
  const int64_t stride = (int64_t) gridDim.x * blockDim.x * P;

  for (int64_t i = ((int64_t) blockIdx.x * blockDim.x + threadIdx.x) * P; i < n; i += stride)
    if (PACKS)
      {
        float u[Pack<T>::N], v[Pack<T>::N];

        load_f32 (u, x + i);
        load_f32 (v, r + i % period);
#pragma unroll
        for (int j = 0; j < Pack<T>::N; j++)
          u[j] += v[j];
        store_f32 (y + i, u);
      }
    else
      y[i] = from_f32<T> (to_f32 (x[i]) + to_f32 (r[i % period]));
}

template <typename T>
static void
launch (EaselStream *s, const EaselAddArgs *a)
{
  constexpr int P = Pack<T>::N;
  const int64_t n = easel_tensor_count (&a->x), period = easel_tensor_count (&a->r);
  const bool packs = period % P == 0 && easel_cuda_aligned (a->x.data) && easel_cuda_aligned (a->r.data)
                     && easel_cuda_aligned (a->y.data);
  const unsigned blocks = easel_cuda_blocks (packs ? n / P : n, 256, (int64_t) easel_cuda (s)->n_sms * 32);
  cudaStream_t stream = easel_cuda (s)->stream;

  if (packs)
    add_repeated<T, true><<<blocks, 256, 0, stream>>> ((T *) a->y.data, (const T *) a->x.data, (const T *) a->r.data, n,
                                                       period);
  else
    add_repeated<T, false><<<blocks, 256, 0, stream>>> ((T *) a->y.data, (const T *) a->x.data, (const T *) a->r.data,
                                                        n, period);
}

void
easel_cuda_add (EaselStream *s, const EaselAddArgs *a)
{
  EASEL_CUDA_DISPATCH (a->y.dtype, { launch<T> (s, a); });
  easel_cuda_launched (s, "add", &a->y);
}
