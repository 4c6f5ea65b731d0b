/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y[m,k] = x[m,k] / scale[m], scale[m] = max_k |x[m,k]| / 448 (e4m3) or / 127 (s8).
 *
 * A block a row, which is read once and kept in registers: 2 bytes in, 1 out a number, most often from and to the L2
 * cache. The largest is found among bit patterns, where infinity is above every number and NaN above infinity: both get
 * into the scale and from there into all that is made of the row.
 */
#include "cuda-device.h"
#include "quantise.cuh"

#define PACKS 4 /* of 16 bytes a thread */

/* The largest of a block's values, in every thread. */
__device__ __forceinline__ uint32_t
block_max (uint32_t x)
{
  __shared__ uint32_t of_warp[32];
  const int lane = threadIdx.x % 32;

  x = __reduce_max_sync (~0u, x);
  if (blockDim.x == 32)
    return x;
  if (lane == 0)
    of_warp[threadIdx.x / 32] = x;
  __syncthreads ();
  return __reduce_max_sync (~0u, lane < (int) (blockDim.x / 32) ? of_warp[lane] : 0);
}

/* Up to PACKS packs a thread; x's rows on 16 bytes, K a multiple of a pack. */
template <typename T, typename To>
static __global__ void
quantise_rows (const T *__restrict__ x, int64_t ldx, To *__restrict__ y, float *__restrict__ scales, int K, float most)
{
  constexpr int P = Pack<T>::N;
  const int64_t m = blockIdx.x;
  float v[PACKS][P];
  uint32_t largest = 0;

  wait_for_previous ();
#pragma unroll
  for (int i = 0; i < PACKS; i++)
    {
      const int k = (i * blockDim.x + threadIdx.x) * P;

      if (k < K)
        load_f32 (v[i], x + m * ldx + k);
      else
#pragma unroll
        for (int j = 0; j < P; j++)
          v[i][j] = 0;
    }
#pragma unroll
  for (int i = 0; i < PACKS; i++)
#pragma unroll
    for (int j = 0; j < P; j++)
      largest = max (largest, quantise_magnitude (v[i][j]));
  const float most_of_row = __uint_as_float (block_max (largest));
  const float factor = quantise_factor (most_of_row, most);

  if (threadIdx.x == 0)
    scales[m] = most_of_row / most;
#pragma unroll
  for (int i = 0; i < PACKS; i++)
    {
      const int k = (i * blockDim.x + threadIdx.x) * P;

      if (k < K)
#pragma unroll
        for (int j = 0; j < P; j += 4)
          *(uint32_t *) (y + m * K + k + j) = quantise_four<To> (v[i][j] * factor, v[i][j + 1] * factor,
                                                                 v[i][j + 2] * factor, v[i][j + 3] * factor);
    }
}

/* Rows of any length and alignment, read twice. */
template <typename T, typename To>
static __global__ void
quantise_plain (const T *__restrict__ x, int64_t ldx, To *__restrict__ y, float *__restrict__ scales, int K, float most)
{
  const int64_t m = blockIdx.x;
  uint32_t largest = 0;

  wait_for_previous ();
  for (int k = threadIdx.x; k < K; k += blockDim.x)
    largest = max (largest, quantise_magnitude (to_f32 (x[m * ldx + k])));
  const float most_of_row = __uint_as_float (block_max (largest));
  const float factor = quantise_factor (most_of_row, most);

  if (threadIdx.x == 0)
    scales[m] = most_of_row / most;
  for (int k = threadIdx.x; k < K; k += blockDim.x)
    ((uint8_t *) y)[m * K + k] = (uint8_t) quantise_four<To> (to_f32 (x[m * ldx + k]) * factor, 0, 0, 0);
}

template <typename T, typename To>
static cudaError_t
launch (EaselStream *s, const T *x, int64_t ldx, To *y, float *scales, int64_t M, int K, float most)
{
  constexpr int P = Pack<T>::N;
  const int threads = (int) (easel_cuda_divide_up (easel_cuda_divide_up (K / P, PACKS), 32) * 32);
  const bool packs = K % P == 0 && ldx % P == 0 && easel_cuda_aligned (x) && easel_cuda_aligned (y) && threads <= 1024;
  cudaLaunchAttribute early = {};
  cudaLaunchConfig_t config = {};

  config.gridDim = dim3 ((unsigned) M);
  config.blockDim = dim3 (packs ? threads : K >= 1024 ? 256 : 32);
  config.stream = easel_cuda (s)->stream;
  config.attrs = &early;
  config.numAttrs = easel_cuda_early (s, &early) ? 1 : 0;
  return packs ? cudaLaunchKernelEx (&config, quantise_rows<T, To>, x, ldx, y, scales, K, most)
               : cudaLaunchKernelEx (&config, quantise_plain<T, To>, x, ldx, y, scales, K, most);
}

bool
easel_cuda_quantise_rows (EaselStream *s, const void *x, EaselDtype dtype, int64_t ldx, EaselTensor y)
{
  const int64_t M = easel_tensor_n_rows (&y), K = y.shape[y.n_dims - 1];
  cudaError_t error = cudaSuccess;

  if (M > INT32_MAX || K > INT32_MAX)
    return false;
  EASEL_CUDA_DISPATCH (dtype, {
    if (y.dtype == EASEL_DTYPE_I8)
      error = launch<T, int8_t> (s, (const T *) x, ldx, (int8_t *) y.data, y.scales, M, (int) K, 127);
    else
      error = launch<T, __nv_fp8_e4m3> (s, (const T *) x, ldx, (__nv_fp8_e4m3 *) y.data, y.scales, M, (int) K, 448);
  });
  easel_cuda_check (s, error, "quantise", &y);
  return true;
}

void
easel_cuda_quantise (EaselStream *s, const EaselQuantiseArgs *a)
{
  const int64_t K = a->x.shape[a->x.n_dims - 1];

  if (easel_cuda_quantise_rows (s, a->x.data, a->x.dtype, a->x_stride ? a->x_stride : K, a->y))
    easel_cuda_launched (s, "quantise", &a->y);
  else
    easel_cuda_refuse (s, "quantise", "too large", &a->x);
}
