/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Products of scaled 8-bit numbers on Hopper, with everything that follows in their way out.
 *
 * A block is persistent: one warp asks the copy engine for tiles, two warpgroups multiply. A tile of y is 2 ROWS by BN,
 * a step 128 of K: 2 ROWS rows of x and BN rows of w, 128 bytes each, zeros beyond the ends. While the warpgroups write
 * a tile out, tiles of the next are on their way. 144 columns are there for the multiprocessors: 2048 rows by 2240
 * columns are 128 tiles of 256 x 144 for 132 of them, and 144 tiles of 256 x 128.
 *
 * Where SHARE is 2, two blocks are a cluster: tiles of the same rows and of columns beside each other; each asks for
 * half of the rows of x, for both, since the L2 cache hardly gives what is multiplied: 50 KB for each step of 256 x
 * 144, which takes 1152 cycles, are 43 bytes a cycle and multiprocessor.
 *
 * Sums of e4m3 are the tensor cores' own (some 14 bits, as everybody's fast FP8), those of s8 exact.
 */
#include "hopper-8bit.cuh"
#include "linear-8bit.cuh"

#define THREADS 384
#define STEP 128

template <int ROWS, int BN> struct Ring
{
  static constexpr int A_BYTES = 2 * ROWS * STEP, B_BYTES = BN * STEP, STAGE = A_BYTES + B_BYTES;
  static constexpr int STAGES = ROWS == 128 ? 4 : 6;
  static constexpr int BYTES = STAGES * STAGE + 1024 + 128 + 4 * BN * 4;
};

/* Of columns: pairs, where blocks are. */
struct Tiles
{
  int rows, columns, all;
  bool rows_first; /* tiles of rows follow each other: what they share of w is read once */
};

struct Tile
{
  int m, n;

  __device__ __forceinline__
  Tile (const Tiles &t, int i, int rank, int rows, int columns, int share)
  {
    m = (t.rows_first ? i % t.rows : i / t.columns) * rows;
    n = ((t.rows_first ? i / t.rows : i % t.columns) * share + rank) * columns;
  }
};

#if EASEL_CUDA_HAS_HOPPER

__device__ __forceinline__ int
cluster_rank (void)
{
  int rank;

  asm volatile ("mov.u32 %0, %%cluster_ctarank;\n" : "=r"(rank));
  return rank;
}

/* All threads of both blocks that are still there. */
__device__ __forceinline__ void
cluster_meet (void)
{
  asm volatile ("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;\n" ::: "memory");
}

/* At the barrier of the same place in a block of the cluster. */
__device__ __forceinline__ void
barrier_arrive_at (uint32_t barrier, int rank)
{
  asm volatile ("{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %0, %1;\n"
                "mbarrier.arrive.shared::cluster.b64 _, [there];\n}\n" ::"r"(barrier),
                "r"(rank)
                : "memory");
}

__device__ __forceinline__ void
copy_box_5d (uint32_t to, const CUtensorMap *map, uint32_t barrier, int c0, int c1, int c2, int c3, int c4)
{
  asm volatile ("cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, "
                "%5, %6, %7}], [%2];\n" ::"r"(to),
                "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4)
                : "memory");
}

/* A box to the same place of both blocks; the barrier of each is told. */
__device__ __forceinline__ void
copy_box_3d_to_both (uint32_t to, const CUtensorMap *map, uint32_t barrier, int c0, int c1, int c2)
{
  asm volatile ("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster "
                "[%0], [%1, {%3, %4, %5}], [%2], %6;\n" ::"r"(to),
                "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2), "h"((uint16_t) 3)
                : "memory");
}

#endif

/* What a way out can do besides scales and bias. One kernel that chose at run time had 140 KB of code, which took
 * longer to fetch (18 us a tile) than the products of a tile take (14). */
enum
{
  OUT_PLAIN,
  OUT_SILU,
  OUT_GELU,
  OUT_ADDED, /* to a residual */
  OUT_GATED, /* and added to a residual */
};

template <int OUT>
__device__ __forceinline__ float
activate_16 (float x)
{
  if constexpr (OUT == OUT_SILU)
    return silu_16 (x);
  else if constexpr (OUT == OUT_GELU) /* (1 + tanh (u)) / 2 = 1 / (1 + exp (-2 u)) */
    return x * reciprocal (1 + power_of_two (-2.302208198f * (x + 0.044715f * x * x * x)));
  else
    return x;
}

/* A warpgroup's ROWS rows of a tile, from (m0, n0) on. shared: factors and biases of the tile's columns. A lane has, of
 * each 16 columns, four in a row (see map_weights): what it writes, adds and multiplies with lies together. */
template <typename T, typename Sum, int ROWS, int BN, int OUT>
__device__ __forceinline__ void
write_tile (const Linear8 &l, int m0, int n0, const float *shared, Sum (&sum)[ROWS / 64][BN / 2])
{
  constexpr int E = ROWS / 32; /* rows of a lane */
  const int lane = threadIdx.x % 32, column = lane % 4 * 4, first = m0 + threadIdx.x / 32 % 4 * 16 + lane / 4;
  const T *r[E];
  const float *gate[E];
  float scale[E];
  T *y[E];
  uint2 residual[E], next[E];

#pragma unroll
  for (int e = 0; e < E; e++)
    {
      const int64_t row = first + e / 2 * 64 + e % 2 * 8, there = min (row, (int64_t) l.M - 1);

      scale[e] = l.x_scales[there];
      y[e] = row < l.M ? (T *) l.y + row * l.ldy + n0 + column : NULL;
      if constexpr (OUT == OUT_GATED)
        gate[e] = l.gate + there / l.per * l.N + n0 + column;
      if constexpr (OUT >= OUT_ADDED)
        {
          r[e] = (const T *) l.residual + there * l.ldr + n0 + column;
          if (n0 < l.N)
            next[e] = *(const uint2 *) r[e];
        }
    }
#pragma unroll
  for (int j = 0; j < BN / 16; j++)
    {
      const float4 factor = *(const float4 *) (shared + j * 16 + column);
      const float4 bias = *(const float4 *) (shared + BN + j * 16 + column);

      if (n0 + j * 16 >= l.N)
        break;
#pragma unroll
      for (int e = 0; e < E && OUT >= OUT_ADDED; e++) /* asked for before the stores that may be to the same rows */
        {
          residual[e] = next[e];
          if (j + 1 < BN / 16 && n0 + (j + 1) * 16 < l.N)
            next[e] = *(const uint2 *) (r[e] + (j + 1) * 16);
        }
#pragma unroll
      for (int e = 0; e < E; e++)
        {
          const Sum *from = &sum[e / 2][j * 8 + e % 2 * 2];
          float v[4] = { activate_16<OUT> ((float) from[0] * (scale[e] * factor.x) + bias.x),
                         activate_16<OUT> ((float) from[1] * (scale[e] * factor.y) + bias.y),
                         activate_16<OUT> ((float) from[4] * (scale[e] * factor.z) + bias.z),
                         activate_16<OUT> ((float) from[5] * (scale[e] * factor.w) + bias.w) };

          if constexpr (OUT == OUT_GATED)
            {
              const float4 g = *(const float4 *) (gate[e] + j * 16);

              v[0] *= g.x, v[1] *= g.y, v[2] *= g.z, v[3] *= g.w;
            }
          if constexpr (OUT >= OUT_ADDED)
            {
              const float2 low = unpack2<T> (residual[e].x), high = unpack2<T> (residual[e].y);

              v[0] += low.x, v[1] += low.y, v[2] += high.x, v[3] += high.y;
            }
          if (y[e])
            *(uint2 *) (y[e] + j * 16) = make_uint2 (pack2<T> (v[0], v[1]), pack2<T> (v[2], v[3]));
        }
    }
}

template <typename T, typename Sum, int ROWS, int BN, int OUT, int SHARE>
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
  const int rank = SHARE == 2 ? cluster_rank () : 0;
  int stage = 0, phase = 0;

  if (threadIdx.x == 0)
    {
      for (int i = 0; i < R::STAGES; i++)
        {
          barrier_init (full + i * 8, 1);
          barrier_init (empty + i * 8, 2 * SHARE);
        }
      asm volatile ("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;\n" ::: "memory");
    }
  if (SHARE == 2)
    cluster_meet ();
  else
    __syncthreads ();

  if (group == 0)
    {
      registers_fewer<40> ();
      for (int i = blockIdx.x / SHARE; i < tiles.all && threadIdx.x == 0; i += gridDim.x / SHARE)
        {
          const Tile tile (tiles, i, rank, 2 * ROWS, BN, SHARE);

          for (int step = 0; step < steps; step++)
            {
              const uint32_t to = base + stage * R::STAGE;

              barrier_wait (empty + stage * 8, phase ^ 1);
              barrier_expect (full + stage * 8, R::STAGE);
              if (SHARE == 1)
                copy_box_3d (to, &map_x, full + stage * 8, step * STEP, 0, tile.m);
              else
                copy_box_3d_to_both (to + rank * (R::A_BYTES / 2), &map_x, full + stage * 8, step * STEP, 0,
                                     tile.m + rank * ROWS);
              copy_box_5d (to + R::A_BYTES, &map_w, full + stage * 8, step * STEP, 0, 0, 0, tile.n / 16);
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
                    + (group - 1) * 2 * BN;

      for (int i = blockIdx.x / SHARE; i < tiles.all; i += gridDim.x / SHARE)
        {
          const Tile tile (tiles, i, rank, 2 * ROWS, BN, SHARE);
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
              if (step > 0 && threadIdx.x % 128 < SHARE)
                barrier_arrive_at (empty + last * 8, threadIdx.x % 128);
              last = stage;
              if (++stage == R::STAGES)
                {
                  stage = 0;
                  phase ^= 1;
                }
            }
          products_wait<0> ();
          if (threadIdx.x % 128 < SHARE)
            barrier_arrive_at (empty + last * 8, threadIdx.x % 128);
          asm volatile ("bar.sync %0, 128;\n" ::"r"(group) : "memory");
          write_tile<T, Sum, ROWS, BN, OUT> (l, m0, n0, mine, sum);
          asm volatile ("bar.sync %0, 128;\n" ::"r"(group) : "memory"); /* factors and biases have been read */
        }
    }
  if (SHARE == 2)
    cluster_meet (); /* the other block may still write here */
#endif
}

/* x [M, K] as boxes of `rows` rows and 128 bytes. */
static bool
map_rows (CUtensorMap *map, const Linear8 *l, int rows)
{
  const cuuint64_t dims[3] = { (cuuint64_t) l->K, 1, (cuuint64_t) l->M };
  const cuuint64_t strides[2] = { (cuuint64_t) l->K, (cuuint64_t) l->K };
  const cuuint32_t box[3] = { STEP, 1, (cuuint32_t) rows };

  return hopper_map (map, l->dtype, l->x, 3, dims, strides, box);
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

template <typename T, typename Sum, int ROWS, int BN, int OUT, int SHARE>
static bool
launch (EaselStream *s, const Linear8 *l)
{
  typedef Ring<ROWS, BN> R;
  const void *kernel = reinterpret_cast<const void *> (linear_8bit_tiles<T, Sum, ROWS, BN, OUT, SHARE>);
  const int clusters = easel_cuda (s)->n_sms / SHARE;
  cudaLaunchAttribute cluster = {};
  cudaLaunchConfig_t config = {};
  CUtensorMap map_x, map_w;
  Tiles tiles;

  if (!map_rows (&map_x, l, SHARE == 2 ? ROWS : 2 * ROWS) || !map_weights (&map_w, l, BN)
      || !easel_cuda_allow_shared (s, kernel, R::BYTES, "linear"))
    return false;
  tiles.rows = (l->M + 2 * ROWS - 1) / (2 * ROWS);
  tiles.columns = (l->N + SHARE * BN - 1) / (SHARE * BN);
  tiles.all = tiles.rows * tiles.columns;
  tiles.rows_first = l->N > l->M;
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = { SHARE, 1, 1 };
  config.gridDim = dim3 ((unsigned) (SHARE * (tiles.all < clusters ? tiles.all : clusters)));
  config.blockDim = dim3 (THREADS);
  config.dynamicSmemBytes = R::BYTES;
  config.stream = easel_cuda (s)->stream;
  config.attrs = &cluster;
  config.numAttrs = 1;
  const cudaError_t error
      = cudaLaunchKernelEx (&config, linear_8bit_tiles<T, Sum, ROWS, BN, OUT, SHARE>, *l, tiles, map_x, map_w);

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

template <typename T, typename Sum, int OUT, int SHARE>
static bool
choose (EaselStream *s, const Linear8 *l)
{
  const double work[3] = { work_of (s, l, 256, 128), work_of (s, l, 256, 144), work_of (s, l, 128, 144) };

  if (work[2] < work[0] && work[2] < work[1])
    return launch<T, Sum, 64, 144, OUT, SHARE> (s, l);
  return work[1] < work[0] ? launch<T, Sum, 128, 144, OUT, SHARE> (s, l) : launch<T, Sum, 128, 128, OUT, SHARE> (s, l);
}

/* Pairs of blocks pay where sums are long: 10 to 15 % for K = 5600; they cost 2 us where they are short. */
template <typename T, typename Sum>
static bool
choose_out (EaselStream *s, const Linear8 *l)
{
  const bool pairs = l->K > 2 * l->N;

  if (l->gate || l->residual)
    {
      if (l->act != EASEL_ACT_NONE || !l->residual)
        return false;
      if (l->gate)
        return pairs ? choose<T, Sum, OUT_GATED, 2> (s, l) : choose<T, Sum, OUT_GATED, 1> (s, l);
      return pairs ? choose<T, Sum, OUT_ADDED, 2> (s, l) : choose<T, Sum, OUT_ADDED, 1> (s, l);
    }
  switch (l->act)
    {
    case EASEL_ACT_NONE:
      return choose<T, Sum, OUT_PLAIN, 1> (s, l);
    case EASEL_ACT_SILU:
      return choose<T, Sum, OUT_SILU, 1> (s, l);
    case EASEL_ACT_GELU_TANH:
      return choose<T, Sum, OUT_GELU, 1> (s, l);
    default:
      return false;
    }
}

bool
linear_8bit_hopper (EaselStream *s, const Linear8 *l)
{
  if (!easel_cuda_hopper (s) || l->y_dtype == EASEL_DTYPE_F32 || l->K % 16 || l->N % 16 || l->ldy % 4 || l->ldr % 4
      || !easel_cuda_aligned (l->x) || !easel_cuda_aligned (l->w) || !easel_cuda_aligned (l->y)
      || !easel_cuda_aligned (l->residual) || !easel_cuda_aligned (l->gate))
    return false;
  if (l->y_dtype == EASEL_DTYPE_BF16)
    return l->dtype == EASEL_DTYPE_I8 ? choose_out<bf16, int> (s, l) : choose_out<bf16, float> (s, l);
  return l->dtype == EASEL_DTYPE_I8 ? choose_out<f16, int> (s, l) : choose_out<f16, float> (s, l);
}
