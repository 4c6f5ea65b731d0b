/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * h = depthwise 3x3 (x) + bias; y = h[.., :C] * silu (h[.., C:])     x [B, H, W, 2C], y [B, H, W, C], w [2C, 3, 3]
 *
 * Bound by memory: x is read once from it (what blocks share comes from L2), y written once. A block computes 4 rows of
 * 32 pixels and 128 bytes of channels; it asks for its 6 x 34 pixels of both halves at once (cp.async, zeros outside),
 * so that two blocks keep 200 KiB under way on a multiprocessor. A thread then has 16 bytes of channels of 4
 * neighbouring pixels.
 */
#include "tensor-core.cuh"

#define THREADS 256
#define STRIP 4
#define CHUNKS 8
#define COLUMNS 34
#define BYTES (2 * 6 * COLUMNS * 128)

struct Glu
{
  const void *x, *w;
  void *y;
  EaselCudaVector bias;
  int b, h, w_, c; /* c: of y */
};

/* One half of a strip: pixels [3][STRIP + 2] of shared memory, weights [9][slab]. */
template <typename T>
__device__ __forceinline__ void
window (const unsigned char *pixels, const float *weights, int slab, float (&sum)[STRIP][Pack<T>::N])
{
  constexpr int N = Pack<T>::N;

#pragma unroll 1
  for (int ky = 0; ky < 3; ky++)
    {
      float w[3][N];

#pragma unroll
      for (int kx = 0; kx < 3; kx++)
#pragma unroll
        for (int k = 0; k < N; k++)
          w[kx][k] = weights[(ky * 3 + kx) * slab + k];
#pragma unroll
      for (int i = 0; i < STRIP + 2; i++)
        {
          float v[N];

          load_f32<T> (v, reinterpret_cast<const T *> (pixels + (ky * COLUMNS + i) * 128));
#pragma unroll
          for (int j = 0; j < STRIP; j++)
            if (i >= j && i - j < 3)
#pragma unroll
              for (int k = 0; k < N; k++)
                sum[j][k] = fmaf (v[k], w[i >= j && i - j < 3 ? i - j : 0][k], sum[j][k]);
        }
    }
}

/* Grid: tiles of 4 x 32 pixels, slabs of channels, batch. C a multiple of 16 bytes. */
template <typename T>
__global__ void __launch_bounds__ (THREADS, 2)
glu_strips (const Glu a)
{
  constexpr int N = Pack<T>::N, SLAB = N * CHUNKS;
  extern __shared__ __align__ (128) unsigned char pixels[]; /* [2][6][34] of 128 bytes */
  __shared__ __align__ (16) float w[2][9 * SLAB];
  const int c0 = blockIdx.y * SLAB, chunk = threadIdx.x % CHUNKS, at = c0 + chunk * N;
  const int across = (a.w_ + 31) / 32, y0 = blockIdx.x / across * 4, x0 = blockIdx.x % across * 32;
  const int strip = threadIdx.x / CHUNKS, sy = strip / 8, sx = strip % 8 * STRIP, oy = y0 + sy, ox = x0 + sx;
  const T *x = static_cast<const T *> (a.x) + (int64_t) blockIdx.z * a.h * a.w_ * 2 * a.c + at;
  float value[STRIP][N], gate[STRIP][N];

#pragma unroll 4
  for (int i = strip; i < 2 * 6 * COLUMNS; i += THREADS / CHUNKS)
    {
      const int half = i / (6 * COLUMNS), y = y0 + i / COLUMNS % 6 - 1, column = x0 + i % COLUMNS - 1;
      const bool there = y >= 0 && y < a.h && column >= 0 && column < a.w_ && at < a.c;

      copy_async (shared_address (pixels) + i * 128 + chunk * 16,
                  there ? x + ((int64_t) y * a.w_ + column) * 2 * a.c + half * a.c : static_cast<const T *> (a.x),
                  there);
    }
  copy_commit ();
#pragma unroll 4
  for (int i = threadIdx.x; i < 2 * 9 * SLAB; i += THREADS)
    {
      const int half = i / (9 * SLAB), k = i % (9 * SLAB);

      w[half][k % 9 * SLAB + k / 9] =
          c0 + k / 9 < a.c ? to_f32 (static_cast<const T *> (a.w)[((int64_t) half * a.c + c0) * 9 + k]) : 0;
    }
#pragma unroll
  for (int k = 0; k < N; k++)
    {
      const float u = at < a.c ? vector_at (a.bias, at + k, 0) : 0;
      const float v = at < a.c ? vector_at (a.bias, a.c + at + k, 0) : 0;

#pragma unroll
      for (int j = 0; j < STRIP; j++)
        {
          value[j][k] = u;
          gate[j][k] = v;
        }
    }
  copy_wait<0> ();
  __syncthreads ();
  const unsigned char *from = pixels + (sy * COLUMNS + sx) * 128 + chunk * 16;
  window<T> (from, w[0] + chunk * N, SLAB, value);
  window<T> (from + 6 * COLUMNS * 128, w[1] + chunk * N, SLAB, gate);
#pragma unroll
  for (int j = 0; j < STRIP; j++)
    if (at < a.c && oy < a.h && ox + j < a.w_)
      {
        float r[N];

#pragma unroll
        for (int k = 0; k < N; k++)
          r[k] = value[j][k] * (sizeof (T) == 2 ? silu_16 (gate[j][k]) : silu (gate[j][k]));
        store_f32<T> (static_cast<T *> (a.y) + (((int64_t) blockIdx.z * a.h + oy) * a.w_ + ox + j) * a.c + at, r);
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
  constexpr int SLAB = Pack<T>::N * CHUNKS;
  const cudaStream_t stream = easel_cuda (s)->stream;
  const int64_t tiles = easel_cuda_divide_up (a.w_, 32) * easel_cuda_divide_up (a.h, 4);
  const dim3 grid ((unsigned) tiles, (unsigned) easel_cuda_divide_up (a.c, SLAB), a.b);

  if (a.c % Pack<T>::N == 0 && easel_cuda_aligned (a.x) && easel_cuda_aligned (a.y) && grid.y <= 65535
      && grid.z <= 65535)
    {
      if (easel_cuda_allow_shared (s, reinterpret_cast<const void *> (glu_strips<T>), BYTES, "depthwise_glu"))
        glu_strips<T><<<grid, THREADS, BYTES, stream>>> (a);
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
