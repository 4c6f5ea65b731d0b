/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Convolutions without tensor cores: every shape and dtype, f32 multiplications. The reference of the other paths, and
 * what f32 runs on.
 *
 * conv_tiles: a block computes 64 pixels by 64 channels of a group, 4 x 4 a thread, K in steps of 16 through shared
 * memory. conv_window (depthwise, stride 1): a thread has 16 bytes of channels and 4 neighbouring pixels, and asks for
 * a row of its window before it uses any of it; weights of the block's channels stand in shared memory. conv_each
 * (depthwise, anything else): a thread an output.
 */
#include "conv.cuh"

#define TILE 64
#define STEP 16
#define THREADS 256

template <typename T>
__global__ void __launch_bounds__ (THREADS)
conv_tiles (const Conv c)
{
  __shared__ float a[STEP][TILE + 4], b[STEP][TILE + 4];
  const int m0 = blockIdx.x * TILE, n0 = blockIdx.y * TILE, g = blockIdx.z, M = c.frames * c.oh * c.ow;
  const int K = c.kt * c.kh * c.kw * c.ci, row = threadIdx.x / 4, k1 = threadIdx.x % 4 * 4;
  const int m = m0 + row, f = m / (c.oh * c.ow), oy = m / c.ow % c.oh, ox = m % c.ow;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  const T *w = static_cast<const T *> (c.w) + ((int64_t) g * c.no + n0 + row) * K;
  float sum[4][4] = {};

  for (int k0 = 0; k0 < K; k0 += STEP)
    {
      for (int i = 0; i < 4; i++)
        {
          const int k = k0 + k1 + i, tap = k / c.ci, ci = k - tap * c.ci;
          const int y = oy * c.stride + tap / c.kw % c.kh - c.pad, x = ox * c.stride + tap % c.kw - c.pad;
          float v = 0;

          if (m < M && k < K && y >= 0 && y < c.h * c.up && x >= 0 && x < c.w_ * c.up)
            v = to_f32 (conv_frame<T> (c, f, tap / (c.kw * c.kh))[((int64_t) (y / c.up) * c.w_ + x / c.up) * c.c
                                                                   + g * c.ci + ci]);
          a[k1 + i][row] = v;
          b[k1 + i][row] = n0 + row < c.no && k < K ? to_f32 (w[k]) : 0;
        }
      __syncthreads ();
#pragma unroll
      for (int k = 0; k < STEP; k++)
        {
          const float4 u = *reinterpret_cast<const float4 *> (&a[k][ty * 4]);
          const float4 v = *reinterpret_cast<const float4 *> (&b[k][tx * 4]);
          const float us[4] = { u.x, u.y, u.z, u.w }, vs[4] = { v.x, v.y, v.z, v.w };

#pragma unroll
          for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++)
              sum[i][j] = fmaf (us[i], vs[j], sum[i][j]);
        }
      __syncthreads ();
    }
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 4; j++)
      if (m0 + ty * 4 + i < M && n0 + tx * 4 + j < c.no)
        {
          const int n = g * c.no + n0 + tx * 4 + j;
          const int64_t at = (int64_t) (m0 + ty * 4 + i) * c.co + n;
          float v = activate (c.act, sum[i][j] + vector_at (c.bias, n, 0));

          if (c.residual)
            v += to_f32 (static_cast<const T *> (c.residual)[at]);
          static_cast<T *> (c.y)[at] = from_f32<T> (v);
        }
}

bool
conv_plain (EaselStream *s, const Conv *c)
{
  const int64_t M = (int64_t) c->frames * c->oh * c->ow;
  const dim3 grid ((unsigned) easel_cuda_divide_up (M, TILE), (unsigned) easel_cuda_divide_up (c->no, TILE), c->groups);

  if (grid.y > 65535 || grid.z > 65535)
    {
      easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, "convolution: %d groups of %d channels", c->groups, c->no);
      return false;
    }
  EASEL_CUDA_DISPATCH (c->dtype, conv_tiles<T><<<grid, THREADS, 0, easel_cuda (s)->stream>>> (*c););
  return true;
}

/* -------------------------------------------------------------------------------------------------------- depthwise */

#define STRIP 4
#define CHUNKS 8 /* of 16 bytes: the channels of a block */

/* KS x KS, stride 1. Grid: strips of pixels / 32, slabs of channels, frames. */
template <typename T, int KS>
__global__ void __launch_bounds__ (THREADS, 1)
conv_window (const Conv c)
{
  constexpr int N = Pack<T>::N, SLAB = N * CHUNKS;
  __shared__ float w[KS * KS][SLAB];
  const int c0 = blockIdx.y * SLAB, chunk = threadIdx.x % CHUNKS, at = c0 + chunk * N, f = blockIdx.z;
  const int strips = (c.ow + STRIP - 1) / STRIP, strip = blockIdx.x * (THREADS / CHUNKS) + threadIdx.x / CHUNKS;
  const int oy = strip / strips, ox = strip % strips * STRIP;
  const T *x = static_cast<const T *> (c.x) + (int64_t) f * c.h * c.w_ * c.c + at;
  float sum[STRIP][N] = {};

#pragma unroll 4
  for (int i = threadIdx.x; i < KS * KS * SLAB; i += THREADS)
    {
      const int channel = c0 + i / (KS * KS);

      w[i % (KS * KS)][i / (KS * KS)] =
          channel < c.c ? to_f32 (static_cast<const T *> (c.w)[(int64_t) c0 * (KS * KS) + i]) : 0;
    }
  __syncthreads ();
  if (at >= c.c || oy >= c.oh)
    return;
#pragma unroll 1
  for (int ky = 0; ky < KS; ky++)
    {
      const int y = oy + ky - c.pad;
      uint4 row[STRIP + KS - 1];

#pragma unroll
      for (int i = 0; i < STRIP + KS - 1; i++)
        {
          const int col = ox + i - c.pad;
          const bool there = y >= 0 && y < c.h && col >= 0 && col < c.w_;

          row[i] = there ? *reinterpret_cast<const uint4 *> (x + ((int64_t) y * c.w_ + col) * c.c)
                         : make_uint4 (0, 0, 0, 0);
        }
#pragma unroll
      for (int i = 0; i < STRIP + KS - 1; i++)
        {
          const Pack<T> *v = reinterpret_cast<const Pack<T> *> (&row[i]);

#pragma unroll
          for (int j = 0; j < STRIP; j++)
            if (i >= j && i - j < KS)
#pragma unroll
              for (int k = 0; k < N; k++)
                sum[j][k] = fmaf (to_f32 (v->v[k]), w[ky * KS + (i >= j && i - j < KS ? i - j : 0)][chunk * N + k],
                                  sum[j][k]);
        }
    }
#pragma unroll
  for (int j = 0; j < STRIP; j++)
    if (ox + j < c.ow)
      {
        const int64_t to = (((int64_t) f * c.oh + oy) * c.ow + ox + j) * c.co + at;
        float r[N] = {};

        if (c.residual)
          load_f32<T> (r, static_cast<const T *> (c.residual) + to);
#pragma unroll
        for (int k = 0; k < N; k++)
          r[k] += activate (c.act, sum[j][k] + vector_at (c.bias, at + k, 0));
        store_f32<T> (static_cast<T *> (c.y) + to, r);
      }
}

template <typename T>
__global__ void __launch_bounds__ (THREADS)
conv_each (const Conv c)
{
  const int64_t n = (int64_t) c.frames * c.oh * c.ow * c.co;

  for (int64_t i = blockIdx.x * (int64_t) THREADS + threadIdx.x; i < n; i += (int64_t) gridDim.x * THREADS)
    {
      const int channel = (int) (i % c.co), ox = (int) (i / c.co % c.ow), oy = (int) (i / c.co / c.ow % c.oh);
      const T *x = static_cast<const T *> (c.x) + i / c.co / c.ow / c.oh * c.h * c.w_ * c.c + channel;
      const T *w = static_cast<const T *> (c.w) + (int64_t) channel * c.kh * c.kw;
      float sum = 0;

      for (int tap = 0; tap < c.kh * c.kw; tap++)
        {
          const int y = oy * c.stride + tap / c.kw - c.pad, col = ox * c.stride + tap % c.kw - c.pad;

          if (y >= 0 && y < c.h * c.up && col >= 0 && col < c.w_ * c.up)
            sum = fmaf (to_f32 (x[((int64_t) (y / c.up) * c.w_ + col / c.up) * c.c]), to_f32 (w[tap]), sum);
        }
      sum = activate (c.act, sum + vector_at (c.bias, channel, 0));
      if (c.residual)
        sum += to_f32 (static_cast<const T *> (c.residual)[i]);
      static_cast<T *> (c.y)[i] = from_f32<T> (sum);
    }
}

template <typename T>
static void
depthwise (EaselStream *s, const Conv *c)
{
  constexpr int SLAB = Pack<T>::N * CHUNKS;
  const cudaStream_t stream = easel_cuda (s)->stream;
  const int64_t strips = easel_cuda_divide_up (c->ow, STRIP) * c->oh;
  const dim3 grid ((unsigned) easel_cuda_divide_up (strips, THREADS / CHUNKS),
                   (unsigned) easel_cuda_divide_up (c->c, SLAB), c->frames);
  const bool window = c->kh == c->kw && c->stride == 1 && c->up == 1 && c->c % Pack<T>::N == 0 && grid.y <= 65535
                      && grid.z <= 65535;

  if (window && c->kh == 3)
    conv_window<T, 3><<<grid, THREADS, 0, stream>>> (*c);
  else if (window && c->kh == 5)
    conv_window<T, 5><<<grid, THREADS, 0, stream>>> (*c);
  else
    conv_each<T><<<easel_cuda_blocks ((int64_t) c->frames * c->oh * c->ow * c->co, THREADS, 1 << 20), THREADS, 0,
                   stream>>> (*c);
}

bool
conv_depthwise (EaselStream *s, const Conv *c)
{
  if (c->ci != 1 || c->no != 1 || c->kt != 1 || c->groups == 1)
    return false;
  EASEL_CUDA_DISPATCH (c->dtype, depthwise<T> (s, c););
  return true;
}
