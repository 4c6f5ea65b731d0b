/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Products of scaled 8-bit numbers on Hopper, with everything that follows in their way out.
 *
 * A block is persistent: one warp asks the copy engine for tiles, two warpgroups multiply. A tile of y is 2 ROWS by BN,
 * a step 128 of K: 2 ROWS rows of x and BN rows of w, 128 bytes each, zeros beyond the ends. While the warpgroups write
 * a tile out, tiles of the next are on their way. 144 columns are there for the multiprocessors: 2048 rows by 2240
 * columns are 128 tiles of 256 x 144 for 132 of them, and 144 tiles of 256 x 128.
 *
 * Two ways out. With scales, a bias and at most one activation: from the registers, unrolled, 12 to 30 KB of code that
 * is executed once a tile. With a gate or a residual such code is 40 KB, and fetching it took 50 us after every other
 * kernel, four times what the products of a tile take; so sums go through shared memory and a short loop (OUT_LOOP).
 *
 * Sums of e4m3 are the tensor cores' own (some 14 bits, as everybody's fast FP8), those of s8 exact.
 */
#include "hopper-8bit.cuh"
#include "linear-8bit.cuh"

#define THREADS 384
#define STEP 128

enum
{
  OUT_PLAIN,
  OUT_SILU,
  OUT_GELU,
  OUT_LOOP, /* everything there is */
};

template <int ROWS, int BN, int OUT> struct Ring
{
  static constexpr int A_BYTES = 2 * ROWS * STEP, B_BYTES = BN * STEP, STAGE = A_BYTES + B_BYTES;
  static constexpr int STAGED = OUT == OUT_LOOP ? 16 * BN * 4 : 0; /* of a warp: 16 rows of sums */
  static constexpr int STAGES = (ROWS == 128 ? 4 : 6) - (OUT == OUT_LOOP ? ROWS == 128 ? 1 : 2 : 0);
  static constexpr int BYTES = STAGES * STAGE + 8 * STAGED + 1024 + 128 + 4 * BN * 4;
};

struct Tiles
{
  int rows, columns, all;
  bool rows_first; /* tiles of rows follow each other: what they share of w is read once */
};

struct Tile
{
  int m, n;

  __device__ __forceinline__
  Tile (const Tiles &t, int i, int rows, int columns)
  {
    m = (t.rows_first ? i % t.rows : i / t.columns) * rows;
    n = (t.rows_first ? i / t.rows : i % t.columns) * columns;
  }
};

#if EASEL_CUDA_HAS_HOPPER

__device__ __forceinline__ void
copy_box_5d (uint32_t to, const CUtensorMap *map, uint32_t barrier, int c0, int c1, int c2, int c3, int c4)
{
  asm volatile ("cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, "
                "%5, %6, %7}], [%2];\n" ::"r"(to),
                "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4)
                : "memory");
}

#endif

/* ---- the way out through registers ---- */

template <int OUT>
__device__ __forceinline__ float
activate_one (float x)
{
  if constexpr (OUT == OUT_SILU)
    return silu_16 (x);
  else if constexpr (OUT == OUT_GELU) /* (1 + tanh (u)) / 2 = 1 / (1 + exp (-2 u)) */
    return x * reciprocal (1 + power_of_two (-2.302208198f * (x + 0.044715f * x * x * x)));
  else
    return x;
}

/* A warpgroup's ROWS rows of a tile, from (m0, n0) on. shared: factors and biases of the tile's columns. A lane has, of
 * each 16 columns, four in a row (see map_weights). */
template <typename T, typename Sum, int ROWS, int BN, int OUT>
__device__ __forceinline__ void
write_registers (const Linear8 &l, int m0, int n0, const float *shared, Sum (&sum)[ROWS / 64][BN / 2])
{
  constexpr int E = ROWS / 32; /* rows of a lane */
  const int lane = threadIdx.x % 32, column = lane % 4 * 4, first = m0 + threadIdx.x / 32 % 4 * 16 + lane / 4;
  float scale[E];
  T *y[E];

#pragma unroll
  for (int e = 0; e < E; e++)
    {
      const int64_t row = first + e / 2 * 64 + e % 2 * 8;

      scale[e] = row < l.M ? l.x_scales[row] : 0;
      y[e] = row < l.M ? (T *) l.y + row * l.ldy + n0 + column : NULL;
    }
#pragma unroll
  for (int j = 0; j < BN / 16; j++)
    {
      const float4 factor = *(const float4 *) (shared + j * 16 + column);
      const float4 bias = *(const float4 *) (shared + BN + j * 16 + column);

      if (n0 + j * 16 >= l.N)
        break;
#pragma unroll
      for (int e = 0; e < E; e++)
        {
          const Sum *from = &sum[e / 2][j * 8 + e % 2 * 2];
          const float v[4] = { activate_one<OUT> ((float) from[0] * (scale[e] * factor.x) + bias.x),
                               activate_one<OUT> ((float) from[1] * (scale[e] * factor.y) + bias.y),
                               activate_one<OUT> ((float) from[4] * (scale[e] * factor.z) + bias.z),
                               activate_one<OUT> ((float) from[5] * (scale[e] * factor.w) + bias.w) };

          if (y[e])
            *(uint2 *) (y[e] + j * 16) = make_uint2 (pack2<T> (v[0], v[1]), pack2<T> (v[2], v[3]));
        }
    }
}

/* ---- the way out through shared memory ---- */

__device__ __forceinline__ void
activate_eight (int act, float (&v)[8])
{
  if (act == EASEL_ACT_SILU)
#pragma unroll
    for (int i = 0; i < 8; i++)
      v[i] = silu_16 (v[i]);
  else if (act == EASEL_ACT_GELU_TANH) /* (1 + tanh (u)) / 2 = 1 / (1 + exp (-2 u)) */
#pragma unroll
    for (int i = 0; i < 8; i++)
      v[i] *= reciprocal (1 + power_of_two (-2.302208198f * (v[i] + 0.044715f * v[i] * v[i] * v[i])));
  else if (act == EASEL_ACT_RELU)
#pragma unroll
    for (int i = 0; i < 8; i++)
      v[i] = relu (v[i]);
}

/* The sums of 16 rows of a warp to shared memory, rows of BN; columns 8 to 15 and 0 to 7 of each 16 change places in
 * two rows of four, so that no bank is asked twice where BN is 144. */
template <typename Sum, int BN>
__device__ __forceinline__ void
stage (Sum *to, const Sum (&sum)[BN / 2])
{
  struct alignas (8) Two
  {
    Sum a, b;
  };
  const int lane = threadIdx.x % 32, row = lane / 4, flip = (row >> 1 & 1) * 8;
  Sum *even = to + row * BN + lane % 4 * 2 + flip, *odd = even - 2 * flip;

#pragma unroll
  for (int j = 0; j < BN / 8; j++)
    {
      Sum *at = (j % 2 ? odd : even) + j * 8;

      *(Two *) at = Two{ sum[4 * j], sum[4 * j + 1] };
      *(Two *) (at + 8 * BN) = Two{ sum[4 * j + 2], sum[4 * j + 3] };
    }
}

/* pairs += v */
template <typename T>
__device__ __forceinline__ void
add_pairs (uint32_t (&pairs)[4], const float (&v)[8])
{
#pragma unroll
  for (int i = 0; i < 4; i++)
    {
      const float2 r = unpack2<T> (pairs[i]);

      pairs[i] = pack2<T> (v[2 * i] + r.x, v[2 * i + 1] + r.y);
    }
}

/* Eight numbers on 16 bytes. */
template <typename Number>
__device__ __forceinline__ void
load_eight (Number (&to)[8], const Number *from)
{
  *(uint4 *) &to[0] = *(const uint4 *) from;
  *(uint4 *) &to[4] = *(const uint4 *) (from + 4);
}

/* Where the i-th piece of eight columns of 16 rows is. */
template <int BN> struct Piece
{
  int row, n; /* in y */
  bool there;

  __device__ __forceinline__
  Piece (const Linear8 &l, int m0, int n0, int i)
  {
    row = m0 + i / (BN / 8);
    n = n0 + i % (BN / 8) * 8;
    there = i < 2 * BN && row < l.M && n < l.N;
  }
};

/* A piece from what is staged. factors: of its columns, BN further their biases. */
template <typename T, typename Sum, int BN>
__device__ __forceinline__ void
write_piece (const Linear8 &l, const Piece<BN> &p, float scale, const uint4 &residual, const Sum *from,
             const float *factors)
{
  uint32_t pairs[4] = { residual.x, residual.y, residual.z, residual.w };
  float v[8], factor[8], bias[8];
  Sum sum[8];

  load_eight (sum, from);
  load_eight (factor, factors);
  load_eight (bias, factors + BN);
#pragma unroll
  for (int i = 0; i < 8; i++)
    v[i] = (float) sum[i] * (scale * factor[i]) + bias[i];
  activate_eight (l.act, v);
  if (l.gate)
    {
      load_eight (factor, l.gate + (int64_t) (p.row / l.per) * l.N + p.n);
#pragma unroll
      for (int i = 0; i < 8; i++)
        v[i] *= factor[i];
    }
  add_pairs<T> (pairs, v);
  *(uint4 *) ((uint16_t *) l.y + p.row * l.ldy + p.n) = make_uint4 (pairs[0], pairs[1], pairs[2], pairs[3]);
}

/* 16 rows from m0 on, BN columns from n0 on. shared: factors and biases of the columns. What the next pieces need from
 * memory is asked for before these are written. */
template <typename T, typename Sum, int BN>
__device__ __forceinline__ void
write_rows (const Linear8 &l, int m0, int n0, const Sum *staged, const float *shared)
{
  constexpr int AT_ONCE = BN / 16 % 3 == 0 ? 3 : 4;
  const int lane = threadIdx.x % 32;
  uint4 next[AT_ONCE];
  float next_scale[AT_ONCE];

#pragma unroll 1
  for (int first = -AT_ONCE; first < BN / 16; first += AT_ONCE)
    {
      uint4 residual[AT_ONCE];
      float scale[AT_ONCE];

#pragma unroll
      for (int i = 0; i < AT_ONCE; i++)
        {
          const Piece<BN> p (l, m0, n0, (first + AT_ONCE + i) * 32 + lane);

          residual[i] = next[i];
          scale[i] = next_scale[i];
          next[i] = make_uint4 (0, 0, 0, 0);
          if (p.there)
            next_scale[i] = l.x_scales[p.row];
          if (p.there && l.residual)
            next[i] = *(const uint4 *) ((const uint16_t *) l.residual + p.row * l.ldr + p.n);
        }
      if (first < 0)
        continue;
#pragma unroll
      for (int i = 0; i < AT_ONCE; i++)
        {
          const Piece<BN> p (l, m0, n0, (first + i) * 32 + lane);
          const int r = p.row - m0, c = p.n - n0;

          if (p.there)
            write_piece<T> (l, p, scale[i], residual[i], staged + r * BN + (c ^ (r >> 1 & 1) * 8), shared + c);
        }
    }
}

/* A warpgroup's ROWS rows of a tile, from (m0, n0) on; each warp its own, through `staged`. */
template <typename T, typename Sum, int ROWS, int BN>
__device__ __forceinline__ void
write_loop (const Linear8 &l, int m0, int n0, Sum *staged, const float *shared, Sum (&sum)[ROWS / 64][BN / 2])
{
#pragma unroll 1
  for (int r = 0; r < ROWS / 64; r++)
    {
      if (ROWS == 64 || r == 0)
        stage<Sum, BN> (staged, sum[0]);
      else
        stage<Sum, BN> (staged, sum[ROWS / 64 - 1]);
      __syncwarp ();
      write_rows<T, Sum, BN> (l, m0 + r * 64 + threadIdx.x / 32 % 4 * 16, n0, staged, shared);
      __syncwarp ();
    }
}

template <typename T, typename Sum, int ROWS, int BN, int OUT>
__global__ void __launch_bounds__ (THREADS, 1)
linear_8bit_tiles (const Linear8 l, const Tiles tiles, const __grid_constant__ CUtensorMap map_x,
                   const __grid_constant__ CUtensorMap map_w)
{
#if EASEL_CUDA_HAS_HOPPER
  typedef Ring<ROWS, BN, OUT> R;
  extern __shared__ unsigned char shared[];
  const uint32_t base = (shared_address (shared) + 1023) & ~1023u, full = base + R::STAGES * R::STAGE;
  const uint32_t empty = full + R::STAGES * 8;
  const int group = threadIdx.x / 128, steps = (l.K + STEP - 1) / STEP;
  int slot = 0, phase = 0;

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
  wait_for_previous ();

  if (group == 0)
    {
      registers_fewer<40> ();
      if (threadIdx.x != 0)
        return;
      for (int i = blockIdx.x; i < tiles.all; i += gridDim.x)
        {
          const Tile tile (tiles, i, 2 * ROWS, BN);

          for (int step = 0; step < steps; step++)
            {
              const uint32_t to = base + slot * R::STAGE;

              barrier_wait (empty + slot * 8, phase ^ 1);
              barrier_expect (full + slot * 8, R::STAGE);
              copy_box_3d (to, &map_x, full + slot * 8, step * STEP, 0, tile.m);
              if (OUT == OUT_LOOP)
                copy_box_3d (to + R::A_BYTES, &map_w, full + slot * 8, step * STEP, 0, tile.n);
              else
                copy_box_5d (to + R::A_BYTES, &map_w, full + slot * 8, step * STEP, 0, 0, 0, tile.n / 16);
              if (++slot == R::STAGES)
                {
                  slot = 0;
                  phase ^= 1;
                }
            }
        }
    }
  else
    {
      registers_more<232> ();
      unsigned char *const after = shared + (full + 128 - shared_address (shared));
      float *const mine = reinterpret_cast<float *> (after) + (group - 1) * 2 * BN;
      Sum *const staged = reinterpret_cast<Sum *> (after + 4 * BN * 4 + (threadIdx.x / 32 - 4) * R::STAGED);

      for (int i = blockIdx.x; i < tiles.all; i += gridDim.x)
        {
          const Tile tile (tiles, i, 2 * ROWS, BN);
          const int m0 = tile.m + (group - 1) * ROWS, n0 = tile.n;
          Sum sum[ROWS / 64][BN / 2];
          int last = 0;

          for (int c = threadIdx.x % 128; c < BN; c += 128) /* wanted after the products, far from here */
            {
              const bool there = n0 + c < l.N;

              mine[c] = there ? l.w_scales[n0 + c] : 0;
              mine[BN + c] = there ? vector_at (l.bias, n0 + c, 0) : 0;
            }
          for (int step = 0; step < steps; step++)
            {
              const uint32_t a = base + slot * R::STAGE + (group - 1) * (R::A_BYTES / 2);
              const uint64_t da = tile_descriptor (a), db = tile_descriptor (base + slot * R::STAGE + R::A_BYTES);

              barrier_wait (full + slot * 8, phase);
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
              last = slot;
              if (++slot == R::STAGES)
                {
                  slot = 0;
                  phase ^= 1;
                }
            }
          products_wait<0> ();
          if (threadIdx.x % 128 == 0)
            barrier_arrive (empty + last * 8);
          asm volatile ("bar.sync %0, 128;\n" ::"r"(group) : "memory");
          if constexpr (OUT == OUT_LOOP)
            write_loop<T, Sum, ROWS, BN> (l, m0, n0, staged, mine, sum);
          else
            write_registers<T, Sum, ROWS, BN, OUT> (l, m0, n0, mine, sum);
          asm volatile ("bar.sync %0, 128;\n" ::"r"(group) : "memory"); /* factors and biases have been read */
        }
    }
#endif
}

/* [rows, K] as boxes of `box_rows` rows and 128 bytes. */
static bool
map_rows (CUtensorMap *map, const Linear8 *l, const void *data, int rows, int box_rows)
{
  const cuuint64_t dims[3] = { (cuuint64_t) l->K, 1, (cuuint64_t) rows };
  const cuuint64_t strides[2] = { (cuuint64_t) l->K, (cuuint64_t) l->K };
  const cuuint32_t box[3] = { STEP, 1, (cuuint32_t) box_rows };

  return hopper_map (map, l->dtype, data, 3, dims, strides, box);
}

/* w [N, K] as boxes of `rows` rows and 128 bytes, the rows of each 16 in another order: 0, 1, 4, 5, 8, 9, 12, 13, then
 * 2, 3, 6, 7, … A lane's sums are of columns 2t, 2t + 1 of each 8 that are multiplied: now they are of columns 4t to
 * 4t + 3 of w's 16, and nothing has to change lanes on the way out. */
static bool
map_weights (CUtensorMap *map, const Linear8 *l, int rows)
{
  const cuuint64_t K = (cuuint64_t) l->K, dims[5] = { K, 2, 4, 2, (cuuint64_t) l->N / 16 };
  const cuuint64_t strides[4] = { K, 4 * K, 2 * K, 16 * K };
  const cuuint32_t box[5] = { STEP, 2, 4, 2, (cuuint32_t) rows / 16 };

  return hopper_map (map, l->dtype, l->w, 5, dims, strides, box);
}

template <typename T, typename Sum, int ROWS, int BN, int OUT>
static bool
launch (EaselStream *s, const Linear8 *l)
{
  typedef Ring<ROWS, BN, OUT> R;
  const void *kernel = reinterpret_cast<const void *> (linear_8bit_tiles<T, Sum, ROWS, BN, OUT>);
  cudaLaunchAttribute early = {};
  cudaLaunchConfig_t config = {};
  CUtensorMap map_x, map_w;
  Tiles tiles;

  if (!map_rows (&map_x, l, l->x, l->M, 2 * ROWS)
      || !(OUT == OUT_LOOP ? map_rows (&map_w, l, l->w, l->N, BN) : map_weights (&map_w, l, BN))
      || !easel_cuda_allow_shared (s, kernel, R::BYTES, "linear"))
    return false;
  tiles.rows = (l->M + 2 * ROWS - 1) / (2 * ROWS);
  tiles.columns = (l->N + BN - 1) / BN;
  tiles.all = tiles.rows * tiles.columns;
  tiles.rows_first = l->N > l->M;
  config.gridDim = dim3 ((unsigned) (tiles.all < easel_cuda (s)->n_sms ? tiles.all : easel_cuda (s)->n_sms));
  config.blockDim = dim3 (THREADS);
  config.dynamicSmemBytes = R::BYTES;
  config.stream = easel_cuda (s)->stream;
  config.attrs = &early;
  config.numAttrs = easel_cuda_early (s, &early) ? 1 : 0;
  const cudaError_t error
      = cudaLaunchKernelEx (&config, linear_8bit_tiles<T, Sum, ROWS, BN, OUT>, *l, tiles, map_x, map_w);

  easel_cuda_check (s, error, "linear", NULL);
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

template <typename T, typename Sum, int OUT>
static bool
choose_tile (EaselStream *s, const Linear8 *l)
{
  const double work[3] = { work_of (s, l, 256, 128), work_of (s, l, 256, 144), work_of (s, l, 128, 144) };

  if (work[2] < work[0] && work[2] < work[1])
    return launch<T, Sum, 64, 144, OUT> (s, l);
  return work[1] < work[0] ? launch<T, Sum, 128, 144, OUT> (s, l) : launch<T, Sum, 128, 128, OUT> (s, l);
}

template <typename T, typename Sum>
static bool
choose_out (EaselStream *s, const Linear8 *l)
{
  if (l->gate || l->residual || l->act == EASEL_ACT_RELU)
    return choose_tile<T, Sum, OUT_LOOP> (s, l);
  switch (l->act)
    {
    case EASEL_ACT_SILU:
      return choose_tile<T, Sum, OUT_SILU> (s, l);
    case EASEL_ACT_GELU_TANH:
      return choose_tile<T, Sum, OUT_GELU> (s, l);
    default:
      return choose_tile<T, Sum, OUT_PLAIN> (s, l);
    }
}

bool
linear_8bit_hopper (EaselStream *s, const Linear8 *l)
{
  if (!easel_cuda_hopper (s) || l->y_dtype == EASEL_DTYPE_F32 || l->K % 16 || l->N % 16 || l->ldy % 8 || l->ldr % 8
      || !easel_cuda_aligned (l->x) || !easel_cuda_aligned (l->w) || !easel_cuda_aligned (l->y)
      || !easel_cuda_aligned (l->residual) || !easel_cuda_aligned (l->gate))
    return false;
  if (l->y_dtype == EASEL_DTYPE_BF16)
    return l->dtype == EASEL_DTYPE_I8 ? choose_out<bf16, int> (s, l) : choose_out<bf16, float> (s, l);
  return l->dtype == EASEL_DTYPE_I8 ? choose_out<f16, int> (s, l) : choose_out<f16, float> (s, l);
}
