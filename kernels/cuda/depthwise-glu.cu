/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * h = depthwise 3x3 (x) + bias; y = h[.., :C] * silu (h[.., C:])     x [B, H, W, 2C], y [B, H, W, C], w [2C, 3, 3]
 *
 * Bound by memory: x is read once from it (what blocks share comes from L2), y written once. A block computes 4 rows of
 * 32 pixels and 128 bytes of channels; it asks for its 6 x 34 pixels of both halves at once (cp.async, zeros outside).
 * A lane has 4 bytes of channels, with their weights (9 words of shared memory, 36 bytes from a neighbour's: no two in
 * one bank) in registers for good; a warp walks along 16 pixels of a row and
 * keeps the 3 x 3 window in registers, so that a step reads one new column of it.
 */
#include "tensor-core.cuh"

#define THREADS 256
#define COLUMNS 34
#define HALF (6 * COLUMNS * 128)
#define BYTES (2 * HALF)
#define WEIGHTS (32 * 36) /* bytes of a half */
#define PER 2 /* channels of a lane, at most */

struct Glu
{
  const void *x, *w;
  void *y;
  EaselCudaVector bias;
  int b, h, w_, c; /* c: of y */
};

/* Column `at` of the window: 3 rows of a lane's channels, from shared memory. */
template <typename T>
__device__ __forceinline__ void
take_column (const unsigned char *at, float (&column)[3][PER])
{
#pragma unroll
  for (int ky = 0; ky < 3; ky++)
    {
      const uint32_t bits = *reinterpret_cast<const uint32_t *> (at + ky * COLUMNS * 128);

      if constexpr (sizeof (T) == 4)
        column[ky][0] = __uint_as_float (bits);
      else
        {
          const float2 both = unpack2<T> (bits);

          column[ky][0] = both.x;
          column[ky][1] = both.y;
        }
    }
}

/* Grid: tiles of 4 x 32 pixels, slabs of 128 bytes of channels, batch. C a multiple of 16 bytes. */
template <typename T>
__global__ void __launch_bounds__ (THREADS, 2)
glu_tiles (const Glu a)
{
  constexpr int N = 4 / sizeof (T), SLAB = 128 / sizeof (T); /* channels of a lane, of the block */
  extern __shared__ __align__ (128) unsigned char pixels[];  /* [2][6][34] of 128 bytes, then weights [2][SLAB][9] */
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, chunk = threadIdx.x % 8, c0 = blockIdx.y * SLAB;
  const int across = (a.w_ + 31) / 32, y0 = blockIdx.x / across * 4, x0 = blockIdx.x % across * 32;
  const int oy = y0 + warp / 2, sx = warp % 2 * 16, channel = c0 + lane * N;
  const T *x = static_cast<const T *> (a.x) + (int64_t) blockIdx.z * a.h * a.w_ * 2 * a.c;
  float w[2][9][PER] = {}, bias[2][PER] = {}, window[2][3][3][PER];

#pragma unroll 4
  for (int i = threadIdx.x / 8; i < 2 * 6 * COLUMNS; i += THREADS / 8)
    {
      const int half = i / (6 * COLUMNS), y = y0 + i / COLUMNS % 6 - 1, column = x0 + i % COLUMNS - 1;
      const int at = c0 + chunk * (16 / (int) sizeof (T));
      const bool there = y >= 0 && y < a.h && column >= 0 && column < a.w_ && at < a.c;

      copy_async (shared_address (pixels) + i * 128 + chunk * 16,
                  there ? x + ((int64_t) y * a.w_ + column) * 2 * a.c + half * a.c + at : x, there);
    }
  for (int i = threadIdx.x; i < 2 * WEIGHTS / 16; i += THREADS)
    {
      const int half = i / (WEIGHTS / 16), at = c0 * 9 + i % (WEIGHTS / 16) * (16 / (int) sizeof (T));
      const bool there = at < a.c * 9;

      copy_async (shared_address (pixels) + BYTES + i * 16,
                  there ? static_cast<const T *> (a.w) + (int64_t) half * a.c * 9 + at : a.w, there);
    }
  copy_commit ();
  if (channel < a.c)
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
      for (int k = 0; k < N; k++)
        bias[half][k] = vector_at (a.bias, half * a.c + channel + k, 0);
  copy_wait<0> ();
  __syncthreads ();
#pragma unroll
  for (int half = 0; half < 2; half++)
#pragma unroll
    for (int i = 0; i < 9; i++) /* word i of the lane's: numbers N i and on of its N channels by 9 taps */
      {
        const uint32_t bits = *reinterpret_cast<const uint32_t *> (pixels + BYTES + half * WEIGHTS + lane * 36 + i * 4);

        if constexpr (sizeof (T) == 4)
          w[half][i][0] = __uint_as_float (bits);
        else
          {
            const float2 both = unpack2<T> (bits);

            w[half][i * 2 % 9][i * 2 / 9] = both.x;
            w[half][(i * 2 + 1) % 9][(i * 2 + 1) / 9] = both.y;
          }
      }

  const unsigned char *from = pixels + (warp / 2 * COLUMNS + sx) * 128 + lane * 4;
  T *y = static_cast<T *> (a.y) + (((int64_t) blockIdx.z * a.h + oy) * a.w_ + x0 + sx) * a.c + channel;
#pragma unroll
  for (int half = 0; half < 2; half++)
#pragma unroll
    for (int i = 0; i < 2; i++)
      take_column<T> (from + half * HALF + i * 128, window[half][i]);
  if (channel >= a.c || oy >= a.h)
    return;
#pragma unroll 1
  for (int i = 0; i < 16; i += 3)
#pragma unroll
    for (int j = 0; j < 3; j++) /* column j of the window is the oldest when pixel i + j is made */
      {
        float sum[2][PER];

        if (i + j >= 16 || x0 + sx + i + j >= a.w_)
          break;
#pragma unroll
        for (int half = 0; half < 2; half++)
          {
            take_column<T> (from + half * HALF + (i + j + 2) * 128, window[half][(j + 2) % 3]);
#pragma unroll
            for (int k = 0; k < N; k++)
              {
                sum[half][k] = bias[half][k];
#pragma unroll
                for (int tap = 0; tap < 9; tap++)
                  sum[half][k] = fmaf (window[half][(j + tap % 3) % 3][tap / 3][k], w[half][tap][k], sum[half][k]);
              }
          }
#pragma unroll
        for (int k = 0; k < N; k++)
          sum[0][k] *= sizeof (T) == 2 ? silu_16 (sum[1][k]) : silu (sum[1][k]);
        if constexpr (sizeof (T) == 4)
          y[(int64_t) (i + j) * a.c] = from_f32<T> (sum[0][0]);
        else
          *reinterpret_cast<uint32_t *> (y + (int64_t) (i + j) * a.c) = pack2<T> (sum[0][0], sum[0][1]);
      }
}

/* Any C: a thread an output. */
template <typename T>
__global__ void __launch_bounds__ (THREADS)
glu_each (const Glu a)
{
  const int64_t n = (int64_t) a.b * a.h * a.w_ * a.c;

  for (int64_t i = blockIdx.x * (int64_t) THREADS + threadIdx.x; i < n; i += (int64_t) gridDim.x * THREADS)
    {
      const int c = (int) (i % a.c), ox = (int) (i / a.c % a.w_), oy = (int) (i / a.c / a.w_ % a.h);
      const T *x = static_cast<const T *> (a.x) + i / a.c / a.w_ / a.h * a.h * a.w_ * 2 * a.c + c;
      const T *w = static_cast<const T *> (a.w);
      float value = vector_at (a.bias, c, 0), gate = vector_at (a.bias, a.c + c, 0);

      for (int tap = 0; tap < 9; tap++)
        {
          const int y = oy + tap / 3 - 1, col = ox + tap % 3 - 1;
          const int64_t at = ((int64_t) y * a.w_ + col) * 2 * a.c;

          if (y < 0 || y >= a.h || col < 0 || col >= a.w_)
            continue;
          value = fmaf (to_f32 (x[at]), to_f32 (w[(int64_t) c * 9 + tap]), value);
          gate = fmaf (to_f32 (x[at + a.c]), to_f32 (w[((int64_t) a.c + c) * 9 + tap]), gate);
        }
      static_cast<T *> (a.y)[i] = from_f32<T> (value * silu (gate));
    }
}

template <typename T>
static void
run (EaselStream *s, const Glu &a)
{
  constexpr int SLAB = 128 / sizeof (T);
  const cudaStream_t stream = easel_cuda (s)->stream;
  const int64_t tiles = easel_cuda_divide_up (a.w_, 32) * easel_cuda_divide_up (a.h, 4);
  const dim3 grid ((unsigned) tiles, (unsigned) easel_cuda_divide_up (a.c, SLAB), a.b);

  const size_t bytes = BYTES + 2 * WEIGHTS;

  if (a.c % Pack<T>::N == 0 && easel_cuda_aligned (a.x) && easel_cuda_aligned (a.w) && easel_cuda_aligned (a.y)
      && grid.y <= 65535 && grid.z <= 65535)
    {
      if (easel_cuda_allow_shared (s, reinterpret_cast<const void *> (glu_tiles<T>), bytes, "depthwise_glu"))
        glu_tiles<T><<<grid, THREADS, bytes, stream>>> (a);
    }
  else
    glu_each<T><<<easel_cuda_blocks ((int64_t) a.b * a.h * a.w_ * a.c, THREADS, 1 << 20), THREADS, 0, stream>>> (a);
}

extern "C" void
easel_cuda_depthwise_glu (EaselStream *s, const EaselDepthwiseGluArgs *a)
{
  const Glu glu = { a->x.data, a->w.data, a->y.data, easel_cuda_vector (&a->bias), (int) a->y.shape[0],
                    (int) a->y.shape[1], (int) a->y.shape[2], (int) a->y.shape[3] };

  if (a->w.dtype != a->x.dtype)
    {
      easel_cuda_refuse (s, "depthwise_glu", "weights of another dtype than the activations", &a->w);
      return;
    }
  EASEL_CUDA_DISPATCH (a->x.dtype, run<T> (s, glu););
  easel_cuda_launched (s, "depthwise_glu", &a->y);
}
