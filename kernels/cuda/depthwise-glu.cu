/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * h = depthwise 3x3 (x) + bias; y = h[.., :C] * silu (h[.., C:])     x [B, H, W, 2C], y [B, H, W, C], w [2C, 3, 3]
 *
 * Bound by memory: x is read once from it (rows above and below come from L2), y written once. A thread has 16 bytes of
 * channels of both halves and 4 neighbouring pixels of a row: each of the 3 rows is 6 loads for 4 outputs, all asked
 * for before the first is used. Weights of the block's channels stand in shared memory as f32.
 */
#include "tensor-core.cuh"

#define THREADS 256
#define STRIP 4
#define CHUNKS 8

struct Glu
{
  const void *x, *w;
  void *y;
  EaselCudaVector bias;
  int b, h, w_, c; /* c: of y */
};

template <typename T>
__device__ __forceinline__ void
window (const Glu &a, const T *x, const float *weights, int slab, int oy, int ox, float (&sum)[STRIP][Pack<T>::N])
{
  constexpr int N = Pack<T>::N;

#pragma unroll 1
  for (int ky = 0; ky < 3; ky++)
    {
      const int y = oy + ky - 1;
      uint4 row[STRIP + 2];

#pragma unroll
      for (int i = 0; i < STRIP + 2; i++)
        {
          const int col = ox + i - 1;
          const bool there = y >= 0 && y < a.h && col >= 0 && col < a.w_;

          row[i] = there ? *reinterpret_cast<const uint4 *> (x + ((int64_t) y * a.w_ + col) * 2 * a.c)
                         : make_uint4 (0, 0, 0, 0);
        }
#pragma unroll
      for (int i = 0; i < STRIP + 2; i++)
        {
          const Pack<T> *v = reinterpret_cast<const Pack<T> *> (&row[i]);

#pragma unroll
          for (int j = 0; j < STRIP; j++)
            if (i >= j && i - j < 3)
#pragma unroll
              for (int k = 0; k < N; k++)
                sum[j][k] = fmaf (to_f32 (v->v[k]), weights[(ky * 3 + (i >= j && i - j < 3 ? i - j : 0)) * slab + k],
                                  sum[j][k]);
        }
    }
}

/* Grid: strips / 32, slabs of channels, batch. C a multiple of 16 bytes. */
template <typename T>
__global__ void __launch_bounds__ (THREADS, 2)
glu_strips (const Glu a)
{
  constexpr int N = Pack<T>::N, SLAB = N * CHUNKS;
  __shared__ __align__ (16) float w[2][9 * SLAB];
  const int c0 = blockIdx.y * SLAB, chunk = threadIdx.x % CHUNKS, at = c0 + chunk * N;
  const int strips = (a.w_ + STRIP - 1) / STRIP, strip = blockIdx.x * (THREADS / CHUNKS) + threadIdx.x / CHUNKS;
  const int oy = strip / strips, ox = strip % strips * STRIP;
  const T *x = static_cast<const T *> (a.x) + (int64_t) blockIdx.z * a.h * a.w_ * 2 * a.c + at;
  float value[STRIP][N], gate[STRIP][N];

#pragma unroll 4
  for (int i = threadIdx.x; i < 2 * 9 * SLAB; i += THREADS)
    {
      const int half = i / (9 * SLAB), k = i % (9 * SLAB);

      w[half][k % 9 * SLAB + k / 9] =
          c0 + k / 9 < a.c ? to_f32 (static_cast<const T *> (a.w)[((int64_t) half * a.c + c0) * 9 + k]) : 0;
    }
  __syncthreads ();
  if (at >= a.c || oy >= a.h)
    return;
#pragma unroll
  for (int k = 0; k < N; k++)
    {
      const float u = vector_at (a.bias, at + k, 0), v = vector_at (a.bias, a.c + at + k, 0);

#pragma unroll
      for (int j = 0; j < STRIP; j++)
        {
          value[j][k] = u;
          gate[j][k] = v;
        }
    }
  window<T> (a, x, w[0] + chunk * N, SLAB, oy, ox, value);
  window<T> (a, x + a.c, w[1] + chunk * N, SLAB, oy, ox, gate);
#pragma unroll
  for (int j = 0; j < STRIP; j++)
    if (ox + j < a.w_)
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
  const int64_t strips = easel_cuda_divide_up (a.w_, STRIP) * a.h;
  const dim3 grid ((unsigned) easel_cuda_divide_up (strips, THREADS / CHUNKS),
                   (unsigned) easel_cuda_divide_up (a.c, SLAB), a.b);

  if (a.c % Pack<T>::N == 0 && grid.y <= 65535 && grid.z <= 65535)
    glu_strips<T><<<grid, THREADS, 0, stream>>> (a);
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
