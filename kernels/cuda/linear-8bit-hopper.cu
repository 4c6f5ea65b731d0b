/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Products of scaled 8-bit numbers on Hopper, with everything that follows in their way out.
 *
 * A block is persistent: one warp asks the copy engine for tiles, two warpgroups multiply. A tile of y is 2 ROWS by BN,
 * a step 128 of K: 2 ROWS rows of x and BN rows of w, 128 bytes each, zeros beyond the ends. While the warpgroups write
 * a tile out, tiles of the next are on their way. 144 columns are there for the multiprocessors: 2048 rows by 2240
 * columns are 128 tiles of 256 x 144 for 132 of them, and 144 tiles of 256 x 128.
 * Sums of e4m3 are the tensor cores' own (some 14 bits, as everybody's fast FP8), those of s8 exact.
 */
#include "hopper-8bit.cuh"
#include "linear-8bit.cuh"

#include <cuda_fp8.h>

#define THREADS 384
#define STEP 128

template <int ROWS, int BN> struct Ring
{
  static constexpr int A_BYTES = 2 * ROWS * STEP, B_BYTES = BN * STEP, STAGE = A_BYTES + B_BYTES;
  static constexpr int STAGES = ROWS == 128 ? 4 : 6;
  static constexpr int COLUMNS = (BN + 31) / 32 * 32;
  static constexpr int BYTES = STAGES * STAGE + 1024 + 128 + 4 * COLUMNS * 4;
};

struct Tiles
{
  int rows, columns, all;
  bool rows_first; /* tiles of rows follow each other: what they share of w is read once */
};

__device__ __forceinline__ float
activate_16 (int act, float x)
{
  if (act == EASEL_ACT_SILU)
    return silu_16 (x);
  if (act == EASEL_ACT_GELU_TANH) /* (1 + tanh (u)) / 2 = 1 / (1 + exp (-2 u)) */
    return x * reciprocal (1 + power_of_two (-2.302208198f * (x + 0.044715f * x * x * x)));
  return act == EASEL_ACT_RELU ? relu (x) : x;
}

__device__ __forceinline__ uint32_t
pack (bool is_bf16, float2 v)
{
  return is_bf16 ? pack2<bf16> (v.x, v.y) : pack2<f16> (v.x, v.y);
}

__device__ __forceinline__ float2
unpack (bool is_bf16, uint32_t v)
{
  return is_bf16 ? unpack2<bf16> (v) : unpack2<f16> (v);
}

/* One row's 32 columns from n on, of which this lane has pairs 2t, 2t + 1 of each 8 (t = lane % 4), to y. factors,
 * biases: of the columns, in shared memory. */
__device__ __forceinline__ void
write_row (const Linear8 &l, int64_t row, int n, bool there, float scale, const float *gate, const float2 (&factor)[4],
           const float2 (&bias)[4], const uint4 &residual, float2 (&v)[4])
{
  const bool is_bf16 = l.y_dtype == EASEL_DTYPE_BF16;
  const int t = threadIdx.x & 3;
  uint32_t pairs[4] = { residual.x, residual.y, residual.z, residual.w };

#pragma unroll
  for (int u = 0; u < 4; u++)
    {
      v[u].x = activate_16 (l.act, v[u].x * (scale * factor[u].x) + bias[u].x);
      v[u].y = activate_16 (l.act, v[u].y * (scale * factor[u].y) + bias[u].y);
    }
  if (gate)
#pragma unroll
    for (int u = 0; u < 4; u++)
      if (n + u * 8 < l.N)
        {
          const float2 g = *(const float2 *) (gate + n + u * 8 + t * 2);

          v[u].x *= g.x;
          v[u].y *= g.y;
        }
  if (l.residual)
    {
      quad_transpose (pairs);
#pragma unroll
      for (int u = 0; u < 4; u++)
        {
          const float2 r = unpack (is_bf16, pairs[u]);

          v[u].x += r.x;
          v[u].y += r.y;
        }
    }
#pragma unroll
  for (int u = 0; u < 4; u++)
    pairs[u] = pack (is_bf16, v[u]);
  quad_transpose (pairs);
  if (there)
    *(uint4 *) ((uint16_t *) l.y + row * l.ldy + n + t * 8) = make_uint4 (pairs[0], pairs[1], pairs[2], pairs[3]);
}

/* A warpgroup's ROWS rows of a tile, from (m0, n0) on. shared: factors and biases of the tile's columns. */
template <typename Sum, int ROWS, int BN>
__device__ __forceinline__ void
write_tile (const Linear8 &l, int m0, int n0, const float *shared, Sum (&sum)[ROWS / 64][BN / 2])
{
  constexpr int E = ROWS / 32; /* rows of a lane */
  const int warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32, t = lane & 3, end = min (l.N, n0 + BN);
  float scale[E];

#pragma unroll
  for (int e = 0; e < E; e++)
    {
      const int row = m0 + e / 2 * 64 + warp * 16 + e % 2 * 8 + lane / 4;

      scale[e] = row < l.M ? l.x_scales[row] : 0;
    }
#pragma unroll
  for (int j = 0; j < (BN + 31) / 32; j++)
    {
      const int n = n0 + j * 32;
      float2 factor[4], bias[4];
      uint4 residual[E];

#pragma unroll
      for (int u = 0; u < 4; u++)
        {
          factor[u] = *(const float2 *) (shared + j * 32 + u * 8 + t * 2);
          bias[u] = *(const float2 *) (shared + Ring<ROWS, BN>::COLUMNS + j * 32 + u * 8 + t * 2);
        }
#pragma unroll
      for (int e = 0; e < E; e++)
        {
          const int64_t row = m0 + e / 2 * 64 + warp * 16 + e % 2 * 8 + lane / 4;

          residual[e] = make_uint4 (0, 0, 0, 0);
          if (l.residual && row < l.M && n + t * 8 < end)
            residual[e] = *(const uint4 *) ((const uint16_t *) l.residual + row * l.ldr + n + t * 8);
        }
#pragma unroll
      for (int e = 0; e < E; e++)
        {
          const int row = m0 + e / 2 * 64 + warp * 16 + e % 2 * 8 + lane / 4;
          const bool inside = row < l.M;
          float2 v[4];

#pragma unroll
          for (int u = 0; u < 4; u++)
            if (j * 32 + u * 8 < BN)
              v[u] = make_float2 ((float) sum[e / 2][(j * 4 + u) * 4 + e % 2 * 2],
                                  (float) sum[e / 2][(j * 4 + u) * 4 + e % 2 * 2 + 1]);
            else
              v[u] = make_float2 (0, 0);
          write_row (l, row, n, inside && n + t * 8 < end, scale[e],
                     l.gate && inside ? l.gate + (int64_t) (row / l.per) * l.N : NULL, factor, bias, residual[e], v);
        }
    }
}

template <typename Sum, int ROWS, int BN>
__global__ void __launch_bounds__ (THREADS, 1)
linear_8bit_tiles (const Linear8 l, const Tiles tiles, const __grid_constant__ CUtensorMap map_x,
                   const __grid_constant__ CUtensorMap map_w)
{
#if EASEL_CUDA_HAS_HOPPER
  typedef Ring<ROWS, BN> R;
  extern __shared__ unsigned char shared[];
  const uint32_t base = (shared_address (shared) + 1023) & ~1023u, full = base + R::STAGES * R::STAGE;
  const uint32_t empty = full + R::STAGES * 8;
  const int group = threadIdx.x / 128, steps = (l.K + STEP - 1) / STEP;
  int stage = 0, phase = 0;

  if (threadIdx.x == 0)
    {
      for (int i = 0; i < R::STAGES; i++)
        {
          barrier_init (full + i * 8, 1);
          barrier_init (empty + i * 8, 2);
        }
      asm volatile ("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;\n" ::: "memory");
    }
  __syncthreads ();

  if (group == 0)
    {
      registers_fewer<40> ();
      if (threadIdx.x != 0)
        return;
      for (int i = blockIdx.x; i < tiles.all; i += gridDim.x)
        {
          const int m0 = (tiles.rows_first ? i % tiles.rows : i / tiles.columns) * 2 * ROWS;
          const int n0 = (tiles.rows_first ? i / tiles.rows : i % tiles.columns) * BN;

          for (int step = 0; step < steps; step++)
            {
              const uint32_t to = base + stage * R::STAGE;

              barrier_wait (empty + stage * 8, phase ^ 1);
              barrier_expect (full + stage * 8, R::STAGE);
              copy_box_3d (to, &map_x, full + stage * 8, step * STEP, 0, m0);
              copy_box_3d (to + R::A_BYTES, &map_w, full + stage * 8, step * STEP, 0, n0);
              if (++stage == R::STAGES)
                {
                  stage = 0;
                  phase ^= 1;
                }
            }
        }
    }
  else
    {
      registers_more<232> ();
      float *mine = reinterpret_cast<float *> (shared + (empty + R::STAGES * 8 - shared_address (shared)))
                    + (group - 1) * 2 * R::COLUMNS;

      for (int i = blockIdx.x; i < tiles.all; i += gridDim.x)
        {
          const int m0 = (tiles.rows_first ? i % tiles.rows : i / tiles.columns) * 2 * ROWS + (group - 1) * ROWS;
          const int n0 = (tiles.rows_first ? i / tiles.rows : i % tiles.columns) * BN;
          Sum sum[ROWS / 64][BN / 2];
          int last = 0;

          for (int c = threadIdx.x % 128; c < R::COLUMNS; c += 128) /* wanted after the products, far from here */
            {
              const bool there = c < BN && n0 + c < l.N;

              mine[c] = there ? l.w_scales[n0 + c] : 0;
              mine[R::COLUMNS + c] = there ? vector_at (l.bias, n0 + c, 0) : 0;
            }
          for (int step = 0; step < steps; step++)
            {
              const uint32_t a = base + stage * R::STAGE + (group - 1) * (R::A_BYTES / 2);
              const uint64_t da = tile_descriptor (a), db = tile_descriptor (base + stage * R::STAGE + R::A_BYTES);

              barrier_wait (full + stage * 8, phase);
              products_begin ();
#pragma unroll
              for (int k = 0; k < 4; k++)
#pragma unroll
                for (int r = 0; r < ROWS / 64; r++)
                  product_8bit (sum[r], da + r * 512 + k * 2, db + k * 2, step > 0 || k > 0);
              products_commit ();
              products_wait<1> ();
              if (step > 0 && threadIdx.x % 128 == 0)
                barrier_arrive (empty + last * 8);
              last = stage;
              if (++stage == R::STAGES)
                {
                  stage = 0;
                  phase ^= 1;
                }
            }
          products_wait<0> ();
          if (threadIdx.x % 128 == 0)
            barrier_arrive (empty + last * 8);
          asm volatile ("bar.sync %0, 128;\n" ::"r"(group) : "memory");
          write_tile<Sum, ROWS, BN> (l, m0, n0, mine, sum);
          asm volatile ("bar.sync %0, 128;\n" ::"r"(group) : "memory"); /* factors and biases have been read */
        }
    }
#endif
}

/* [rows, K] as boxes of `box` rows and 128 bytes. */
static bool
map_rows (CUtensorMap *map, const Linear8 *l, const void *data, int rows, int box_rows)
{
  const cuuint64_t dims[3] = { (cuuint64_t) l->K, 1, (cuuint64_t) rows };
  const cuuint64_t strides[2] = { (cuuint64_t) l->K, (cuuint64_t) l->K };
  const cuuint32_t box[3] = { STEP, 1, (cuuint32_t) box_rows };

  return hopper_map (map, l->dtype, data, 3, dims, strides, box);
}

template <typename Sum, int ROWS, int BN>
static bool
launch (EaselStream *s, const Linear8 *l)
{
  typedef Ring<ROWS, BN> R;
  const void *kernel = reinterpret_cast<const void *> (linear_8bit_tiles<Sum, ROWS, BN>);
  CUtensorMap map_x, map_w;
  Tiles tiles;

  if (!map_rows (&map_x, l, l->x, l->M, 2 * ROWS) || !map_rows (&map_w, l, l->w, l->N, BN)
      || !easel_cuda_allow_shared (s, kernel, R::BYTES, "linear"))
    return false;
  tiles.rows = (l->M + 2 * ROWS - 1) / (2 * ROWS);
  tiles.columns = (l->N + BN - 1) / BN;
  tiles.all = tiles.rows * tiles.columns;
  tiles.rows_first = l->N > l->M;
  linear_8bit_tiles<Sum, ROWS, BN><<<tiles.all < easel_cuda (s)->n_sms ? tiles.all : easel_cuda (s)->n_sms, THREADS,
                                     R::BYTES, easel_cuda (s)->stream>>> (*l, tiles, map_x, map_w);
  return true;
}

/* What the busiest multiprocessor has to do with tiles of so many rows and columns, in elements of y; smaller tiles
 * read more for each. */
static double
work_of (EaselStream *s, const Linear8 *l, int rows, int columns)
{
  const int64_t tiles = easel_cuda_divide_up (l->M, rows) * easel_cuda_divide_up (l->N, columns);

  return (double) (easel_cuda_divide_up (tiles, easel_cuda (s)->n_sms) * rows * columns) * (rows < 256 ? 1.15 : 1.0);
}

template <typename Sum>
static bool
choose (EaselStream *s, const Linear8 *l)
{
  const double work[4] = { work_of (s, l, 256, 128), work_of (s, l, 256, 144), work_of (s, l, 128, 128),
                           work_of (s, l, 128, 144) };
  int best = 0;

  for (int i = 1; i < 4; i++)
    if (work[i] < work[best])
      best = i;
  switch (best)
    {
    case 0:
      return launch<Sum, 128, 128> (s, l);
    case 1:
      return launch<Sum, 128, 144> (s, l);
    case 2:
      return launch<Sum, 64, 128> (s, l);
    default:
      return launch<Sum, 64, 144> (s, l);
    }
}

bool
linear_8bit_hopper (EaselStream *s, const Linear8 *l)
{
  if (!easel_cuda_hopper (s) || l->y_dtype == EASEL_DTYPE_F32 || l->K % 16 || l->N % 8 || l->ldy % 8 || l->ldr % 8
      || !easel_cuda_aligned (l->x) || !easel_cuda_aligned (l->w) || !easel_cuda_aligned (l->y)
      || !easel_cuda_aligned (l->residual) || !easel_cuda_aligned (l->gate))
    return false;
  return l->dtype == EASEL_DTYPE_I8 ? choose<int> (s, l) : choose<float> (s, l);
}
