/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Between [B, C, H, W] and [B, H, W, C], converting between f32 and act: a transposition of [rows, columns] through
 * shared memory, both sides read and written along their rows.
 */
#include "device.cuh"

#define TILE 32

/* y[b, j, i] = x[b, i, j];  x [B, I, J] */
template <typename To, typename From>
static __global__ void
transpose (To *__restrict__ y, const From *__restrict__ x, int64_t I, int64_t J, int64_t tiles_j)
{
  __shared__ float tile[TILE][TILE + 1];
  const int64_t b = blockIdx.y, i0 = blockIdx.x / tiles_j * TILE, j0 = blockIdx.x % tiles_j * TILE;

  for (int r = threadIdx.y; r < TILE; r += blockDim.y)
    if (i0 + r < I && j0 + threadIdx.x < J)
      tile[r][threadIdx.x] = to_f32 (x[(b * I + i0 + r) * J + j0 + threadIdx.x]);
  __syncthreads ();
  for (int r = threadIdx.y; r < TILE; r += blockDim.y)
    if (j0 + r < J && i0 + threadIdx.x < I)
      y[(b * J + j0 + r) * I + i0 + threadIdx.x] = from_f32<To> (tile[threadIdx.x][r]);
}

template <typename From>
static void
launch (EaselStream *s, const EaselLayoutArgs *a, int64_t B, int64_t I, int64_t J)
{
  const int64_t tiles_j = easel_cuda_divide_up (J, TILE);
  const dim3 grid ((unsigned) (easel_cuda_divide_up (I, TILE) * tiles_j), (unsigned) B), block (TILE, 8);

  EASEL_CUDA_DISPATCH (a->y.dtype, {
    transpose<T, From><<<grid, block, 0, easel_cuda (s)->stream>>> ((T *) a->y.data, (const From *) a->x.data, I, J,
                                                                     tiles_j);
  });
}

void
easel_cuda_layout (EaselStream *s, const EaselLayoutArgs *a)
{
  const EaselTensor *planar = a->to_channels_last ? &a->x : &a->y;
  const int64_t B = planar->shape[0], C = planar->shape[1], n = planar->shape[2] * planar->shape[3];

  if (B > 65535)
    {
      easel_cuda_refuse (s, "layout", "too large a batch", planar);
      return;
    }
  EASEL_CUDA_DISPATCH (a->x.dtype, { launch<T> (s, a, B, a->to_channels_last ? C : n, a->to_channels_last ? n : C); });
  easel_cuda_launched (s, "layout", &a->y);
}
