/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Convolutions as implicit matrix products on the tensor cores of every card from sm_80 up: f16 or bf16, f32 sums, any
 * kernel, stride, padding, enlargement and groups, channels of a group in eights (16 bytes: what one asynchronous copy
 * moves).
 *
 * A block of 8 warps computes 128 pixels by BN channels of a group (BN 128, 64 or 32), K in steps of 64 through three
 * stages of shared memory. A row of a stage is 128 bytes; its chunks of 16 bytes are permuted by the row (chunk ^ row %
 * 8), so that ldmatrix meets every bank once. Pictures are read where they lie: nothing is padded or copied, pixels
 * outside are zeros that cp.async fills in.
 */
#include "conv-store.cuh"

#define BM 128
#define STAGES 3
#define THREADS 256
#define ROW 128 /* bytes */

/* Where a thread is in K: chunk `c8` of 8 channels, tap (t, ky, kx). */
struct Place
{
  int c8, kx, ky, t;

  __device__ __forceinline__ void
  advance (const Conv &c, int chunks)
  {
    const int per = c.ci / 8;

    c8 += chunks;
    while (c8 >= per)
      {
        c8 -= per;
        if (++kx == c.kw)
          {
            kx = 0;
            if (++ky == c.kh)
              {
                ky = 0;
                t++;
              }
          }
      }
  }
};

template <typename T, int BN, bool WIDE>
__global__ void __launch_bounds__ (THREADS)
conv_mma_tiles (const Conv c)
{
  constexpr int WN = BN / 32, WM = 8 / WN, MT = BM / WM / 16, STAGE = (BM + BN) * ROW;
  extern __shared__ __align__ (128) unsigned char shared[];
  __shared__ float biases[BN];
  const uint32_t base = shared_address (shared);
  const int M = c.frames * c.oh * c.ow, K = c.kt * c.kh * c.kw * c.ci, steps = (K + 63) / 64;
  const int m0 = blockIdx.x * BM, n0 = blockIdx.y * BN, g = blockIdx.z;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, wm = warp / WN * (MT * 16), wn = warp % WN * 32;
  const int chunk = threadIdx.x % 8, row = threadIdx.x / 8;
  const T *w = static_cast<const T *> (c.w) + ((int64_t) g * c.no + n0) * K;
  int frame[4], y0[4], x0[4];
  float sum[MT][4][4] = {};
  Place place = {};

#pragma unroll
  for (int i = 0; i < 4; i++)
    {
      const int m = m0 + row + 32 * i;

      frame[i] = m < M ? m / (c.oh * c.ow) : -1;
      y0[i] = m / c.ow % c.oh * c.stride - c.pad;
      x0[i] = m % c.ow * c.stride - c.pad;
    }
  place.advance (c, chunk);
  if (threadIdx.x < BN)
    biases[threadIdx.x] = n0 + (int) threadIdx.x < c.no ? vector_at (c.bias, g * c.no + n0 + threadIdx.x, 0) : 0;

  auto fetch = [&] (int step) {
    const uint32_t to = base + step % STAGES * STAGE + row * ROW + ((chunk ^ (row & 7)) << 4);
    const int k = step * 64 + chunk * 8;

#pragma unroll
    for (int i = 0; i < 4; i++)
      {
        const int y = y0[i] + place.ky, x = x0[i] + place.kx;
        const bool there = frame[i] >= 0 && k < K && y >= 0 && y < c.h * c.up && x >= 0 && x < c.w_ * c.up;
        const T *from = static_cast<const T *> (c.x);

        if (there)
          from = conv_frame<T> (c, frame[i], place.t)
                 + ((int64_t) (c.up == 1 ? y : y / c.up) * c.w_ + (c.up == 1 ? x : x / c.up)) * c.c + g * c.ci
                 + place.c8 * 8;
        copy_async (to + i * 32 * ROW, from, there);
      }
#pragma unroll
    for (int i = 0; i < BN / 32; i++)
      {
        const bool there = n0 + row + 32 * i < c.no && k < K;

        copy_async (to + (BM + i * 32) * ROW, there ? w + (int64_t) (row + 32 * i) * K + k : w, there);
      }
    place.advance (c, 8);
  };

  for (int i = 0; i < STAGES - 1; i++)
    {
      if (i < steps)
        fetch (i);
      copy_commit ();
    }
  for (int step = 0; step < steps; step++)
    {
      const uint32_t a = base + step % STAGES * STAGE, b = a + BM * ROW;

      copy_wait<STAGES - 2> ();
      __syncthreads ();
      if (step + STAGES - 1 < steps)
        fetch (step + STAGES - 1);
      copy_commit ();
#pragma unroll
      for (int k = 0; k < 4; k++)
        {
          uint32_t ra[MT][4], rb[2][4];

#pragma unroll
          for (int i = 0; i < MT; i++)
            {
              const int r = wm + i * 16 + lane % 16;

              load_matrix (ra[i], a + r * ROW + (((k * 2 + lane / 16) ^ (r & 7)) << 4));
            }
#pragma unroll
          for (int i = 0; i < 2; i++)
            {
              const int r = wn + i * 16 + lane / 16 * 8 + lane % 8;

              load_matrix (rb[i], b + r * ROW + (((k * 2 + lane / 8 % 2) ^ (r & 7)) << 4));
            }
#pragma unroll
          for (int i = 0; i < MT; i++)
#pragma unroll
            for (int j = 0; j < 4; j++)
              mma<T> (sum[i][j], ra[i], rb[j / 2][j % 2 * 2], rb[j / 2][j % 2 * 2 + 1]);
        }
    }
  copy_wait<0> ();

  const int n = g * c.no + n0 + wn, end = (g + 1) * c.no;
  float2 bias[4];

  conv_bias (biases + wn, bias);
#pragma unroll
  for (int i = 0; i < MT; i++)
    {
      const int m = m0 + wm + i * 16 + lane / 4;
      const ConvRow rows[2] = { conv_row<T, WIDE> (c, m, m < M, n, end),
                                conv_row<T, WIDE> (c, m + 8, m + 8 < M, n, end) };

#pragma unroll
      for (int half = 0; half < 2; half++)
        {
          float2 v[4];

#pragma unroll
          for (int j = 0; j < 4; j++)
            v[j] = make_float2 (sum[i][j][half * 2], sum[i][j][half * 2 + 1]);
          conv_store<T, WIDE> (c, rows[half], end - n, bias, v);
        }
    }
}

template <typename T, int BN, bool WIDE>
static bool
launch (EaselStream *s, const Conv *c)
{
  const size_t bytes = (size_t) STAGES * (BM + BN) * ROW;
  const int64_t M = (int64_t) c->frames * c->oh * c->ow;
  const dim3 grid ((unsigned) easel_cuda_divide_up (M, BM), (unsigned) easel_cuda_divide_up (c->no, BN), c->groups);

  if (grid.y > 65535 || grid.z > 65535
      || !easel_cuda_allow_shared (s, reinterpret_cast<const void *> (conv_mma_tiles<T, BN, WIDE>), bytes,
                                   "convolution"))
    return false;
  conv_mma_tiles<T, BN, WIDE><<<grid, THREADS, bytes, easel_cuda (s)->stream>>> (*c);
  return true;
}

template <typename T>
static bool
choose (EaselStream *s, const Conv *c)
{
  if (!conv_is_wide (c))
    return launch<T, 32, false> (s, c);
  if (c->no <= 32)
    return launch<T, 32, true> (s, c);
  return c->no <= 64 ? launch<T, 64, true> (s, c) : launch<T, 128, true> (s, c);
}

bool
conv_mma (EaselStream *s, const Conv *c)
{
  if (c->dtype == EASEL_DTYPE_F32 || c->ci % 8 || c->c % 8 || !conv_stores (c) || !easel_cuda_aligned (c->x)
      || !easel_cuda_aligned (c->before) || !easel_cuda_aligned (c->w))
    return false;
  return c->dtype == EASEL_DTYPE_BF16 ? choose<bf16> (s, c) : choose<f16> (s, c);
}
