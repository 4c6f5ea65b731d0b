/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Convolutions on Hopper: stride 1, one group, 16 bits, channels in eights (rows of 16 bytes for the copy engine).
 *
 * A block is persistent: one warp asks the copy engine for tiles, two warpgroups multiply. A tile is 16 x 16 pixels of
 * a frame by BN channels. For each tap and each 64 channels the copy engine brings the 16 x 16 pixels shifted by the
 * tap, zeros where they lie outside of the frame, and BN rows of weights: so a convolution is as many matrix products
 * as it has taps, with no padding, no copy and no index arithmetic. While the warpgroups write a tile out, tiles of the
 * next are on their way.
 *
 * Enlarged by 2 before a 3 x 3 convolution: each of the four pixels that stand for one reads 2 x 2 pixels of the small
 * picture, with the taps that fall on the same pixel added beforehand (in f32): 4/9 of the work.
 */
#include "conv-store.cuh"
#include "hopper.cuh"

#define SIDE 16
#define PIXELS (SIDE * SIDE)
#define THREADS 384
#define A_BYTES (PIXELS * 128)

struct Plan
{
  int tiles_x, tiles_y, tiles_n, phases, kt, kh, kw, chunks; /* chunks: of 64 channels */
  int tiles;
  int places; /* tiles of pixels: those of one tile of channels follow each other. 0: the other way round */
};

template <int BN> struct Ring
{
  static constexpr int B_BYTES = BN * 128;
  static constexpr int STAGE = A_BYTES + (B_BYTES + 1023) / 1024 * 1024;
  static constexpr int STAGES = BN == 128 ? 4 : 5;
  static constexpr int BYTES = STAGES * STAGE + 1024 + 128 + 2 * (BN < 32 ? 32 : BN) * 4;
};

struct Tile
{
  int n, phase, x, y, frame;

  __device__ __forceinline__
  Tile (const Plan &p, int i)
  {
    n = p.places ? i / p.places : i % p.tiles_n;
    i = p.places ? i % p.places : i / p.tiles_n;
    phase = i % p.phases;
    i /= p.phases;
    x = i % p.tiles_x * SIDE;
    i /= p.tiles_x;
    y = i % p.tiles_y * SIDE;
    frame = i / p.tiles_y;
  }
};

template <typename T, int BN, bool WIDE>
__global__ void __launch_bounds__ (THREADS, 1)
conv_hopper_tiles (const Conv c, const Plan p, const __grid_constant__ CUtensorMap map_x,
                   const __grid_constant__ CUtensorMap map_before, const __grid_constant__ CUtensorMap map_w)
{
#if EASEL_CUDA_HAS_HOPPER
  typedef Ring<BN> R;
  extern __shared__ unsigned char shared[];
  const uint32_t base = (shared_address (shared) + 1023) & ~1023u, full = base + R::STAGES * R::STAGE;
  const uint32_t empty = full + R::STAGES * 8;
  const int group = threadIdx.x / 128, steps = p.kt * p.kh * p.kw * p.chunks;
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
      for (int i = blockIdx.x; i < p.tiles; i += gridDim.x)
        {
          const Tile tile (p, i);
          const int x0 = tile.x + (p.phases > 1 ? (tile.phase & 1) - 1 : -c.pad);
          const int y0 = tile.y + (p.phases > 1 ? (tile.phase >> 1) - 1 : -c.pad), n0 = tile.phase * c.co + tile.n * BN;

          for (int t = 0, tap = 0; t < p.kt; t++)
            {
              const int from = tile.frame + t - (p.kt - 1);
              const CUtensorMap *map = from < 0 && c.before ? &map_before : &map_x;
              const int frame = from >= 0 ? from : c.before ? from + p.kt - 1 : 0;

              for (int ky = 0; ky < p.kh; ky++)
                for (int kx = 0; kx < p.kw; kx++, tap++)
                  for (int chunk = 0; chunk < p.chunks; chunk++)
                    {
                      const uint32_t to = base + stage * R::STAGE;

                      barrier_wait (empty + stage * 8, phase ^ 1);
                      barrier_expect (full + stage * 8, A_BYTES + R::B_BYTES);
                      copy_box_4d (to, map, full + stage * 8, chunk * 64, x0 + kx, y0 + ky, frame);
                      copy_box_3d (to + A_BYTES, &map_w, full + stage * 8, chunk * 64, tap, n0);
                      if (++stage == R::STAGES)
                        {
                          stage = 0;
                          phase ^= 1;
                        }
                    }
            }
        }
    }
  else
    {
      registers_more<232> ();
      const int warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
      float *biases = reinterpret_cast<float *> (shared + (empty + R::STAGES * 8 - shared_address (shared)))
                      + (group - 1) * BN;

      for (int i = blockIdx.x; i < p.tiles; i += gridDim.x)
        {
          const Tile tile (p, i);
          float sum[2][BN / 2];
          int last = 0;

          const int n = tile.n * BN + threadIdx.x % 128;
          if ((int) threadIdx.x % 128 < BN) /* wanted after the products, far from here */
            biases[threadIdx.x % 128] = n < c.co ? vector_at (c.bias, n, 0) : 0;

          for (int step = 0; step < steps; step++)
            {
              const uint32_t a = base + stage * R::STAGE + (group - 1) * (A_BYTES / 2);
              const uint64_t da = tile_descriptor (a), db = tile_descriptor (base + stage * R::STAGE + A_BYTES);

              barrier_wait (full + stage * 8, phase);
              products_begin ();
#pragma unroll
              for (int k = 0; k < 4; k++)
                {
                  product (sum[0], da + k * 2, db + k * 2, step > 0 || k > 0, T{});
                  product (sum[1], da + 512 + k * 2, db + k * 2, step > 0 || k > 0, T{});
                }
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

#pragma unroll
          for (int j = 0; j < (BN + 31) / 32; j++)
            {
              const int first = tile.n * BN + j * 32, end = min (c.co, tile.n * BN + BN);
              float2 bias[4];
              ConvRow rows[4];

              conv_bias (biases + j * 32, bias);
#pragma unroll
              for (int e = 0; e < 4; e++)
                {
                  const int row = (group - 1) * 128 + e / 2 * 64 + warp * 16 + e % 2 * 8 + lane / 4;
                  int y = tile.y + row / SIDE, x = tile.x + row % SIDE;

                  if (p.phases > 1)
                    {
                      y = y * 2 + (tile.phase >> 1);
                      x = x * 2 + (tile.phase & 1);
                    }
                  rows[e] = conv_row<T, WIDE> (c, ((int64_t) tile.frame * c.oh + y) * c.ow + x, y < c.oh && x < c.ow,
                                               first, end);
                }
#pragma unroll
              for (int e = 0; e < 4; e++)
                {
                  float2 v[4];

#pragma unroll
                  for (int u = 0; u < 4; u++)
                    if (j * 32 + u * 8 < BN)
                      v[u] = make_float2 (sum[e / 2][(j * 4 + u) * 4 + e % 2 * 2],
                                          sum[e / 2][(j * 4 + u) * 4 + e % 2 * 2 + 1]);
                    else
                      v[u] = make_float2 (0, 0);
                  conv_store<T, WIDE> (c, rows[e], end - first, bias, v);
                }
            }
          asm volatile ("bar.sync %0, 128;\n" ::"r"(group) : "memory"); /* biases have been read */
        }
    }
#endif
}

/* w [co, 3, 3, ci] to [4 (i, j)][co, 2, 2, ci]: taps that read the same pixel of the small picture added. */
template <typename T>
__global__ void __launch_bounds__ (256)
conv_fold (T *to, const T *w, int co, int ci)
{
  const int64_t n = (int64_t) 16 * co * ci;

  for (int64_t at = blockIdx.x * (int64_t) 256 + threadIdx.x; at < n; at += (int64_t) gridDim.x * 256)
    {
      const int c = (int) (at % ci), x = (int) (at / ci % 2), y = (int) (at / ci / 2 % 2);
      const int o = (int) (at / ci / 4 % co), phase = (int) (at / ci / 4 / co), i = phase >> 1, j = phase & 1;
      float sum = 0;

      for (int ky = 0; ky < 3; ky++)
        for (int kx = 0; kx < 3; kx++)
          if ((ky + 1 - i) / 2 == y && (kx + 1 - j) / 2 == x)
            sum += to_f32 (w[(((int64_t) o * 3 + ky) * 3 + kx) * ci + c]);
      to[at] = from_f32<T> (sum);
    }
}

/* x [frames, h, w, c] as boxes of 16 x 16 pixels and 64 channels. */
static bool
map_pixels (CUtensorMap *map, const Conv *c, const void *x, int frames)
{
  const cuuint64_t dims[4] = { (cuuint64_t) c->c, (cuuint64_t) c->w_, (cuuint64_t) c->h, (cuuint64_t) frames };
  const cuuint64_t strides[3] = { dims[0] * 2, dims[0] * dims[1] * 2, dims[0] * dims[1] * dims[2] * 2 };
  const cuuint32_t box[4] = { 64, SIDE, SIDE, 1 };

  return hopper_map (map, c->dtype, x, 4, dims, strides, box);
}

template <typename T, int BN, bool WIDE>
static bool
launch (EaselStream *s, const Conv *c, const void *w, Plan p)
{
  typedef Ring<BN> R;
  const int taps = p.kt * p.kh * p.kw;
  const cuuint64_t dims[3] = { (cuuint64_t) c->ci, (cuuint64_t) taps, (cuuint64_t) c->co * p.phases };
  const cuuint64_t strides[2] = { dims[0] * 2, dims[0] * dims[1] * 2 };
  const cuuint32_t box[3] = { 64, 1, BN };
  CUtensorMap map_x, map_before, map_w;

  if (!map_pixels (&map_x, c, c->x, c->frames) || !hopper_map (&map_w, c->dtype, w, 3, dims, strides, box))
    return false;
  map_before = map_x;
  if (c->before && !map_pixels (&map_before, c, c->before, c->kt - 1))
    return false;
  /* What is larger is read once: weights, when blocks that run together share tiles of channels. */
  if ((int64_t) c->co * c->ci * taps > (int64_t) c->frames * c->h * c->w_ * c->c)
    p.places = p.tiles;
  p.tiles_n = (c->co + BN - 1) / BN;
  p.tiles *= p.tiles_n;
  if (!easel_cuda_allow_shared (s, reinterpret_cast<const void *> (conv_hopper_tiles<T, BN, WIDE>), R::BYTES,
                                "convolution"))
    return false;
  conv_hopper_tiles<T, BN, WIDE><<<p.tiles < easel_cuda (s)->n_sms ? p.tiles : easel_cuda (s)->n_sms, THREADS, R::BYTES,
                             easel_cuda (s)->stream>>> (*c, p, map_x, map_before, map_w);
  return true;
}

template <typename T>
static bool
choose (EaselStream *s, const Conv *c)
{
  const bool enlarge = c->up == 2;
  const void *w = c->w;
  Plan p = {};

  p.phases = enlarge ? 4 : 1;
  p.tiles_x = ((enlarge ? c->w_ : c->ow) + SIDE - 1) / SIDE;
  p.tiles_y = ((enlarge ? c->h : c->oh) + SIDE - 1) / SIDE;
  p.kt = c->kt;
  p.kh = enlarge ? 2 : c->kh;
  p.kw = enlarge ? 2 : c->kw;
  p.chunks = (c->ci + 63) / 64;
  p.tiles = c->frames * p.tiles_y * p.tiles_x * p.phases;
  if (enlarge)
    {
      const int64_t n = (int64_t) 16 * c->co * c->ci;

      if (n * 2 > (int64_t) EASEL_CUDA_WORKSPACE)
        return false;
      w = easel_cuda (s)->workspace;
      conv_fold<T><<<easel_cuda_blocks (n, 256, 4096), 256, 0, easel_cuda (s)->stream>>> (
          static_cast<T *> (easel_cuda (s)->workspace), static_cast<const T *> (c->w), c->co, c->ci);
    }
  if (!conv_is_wide (c))
    return launch<T, 16, false> (s, c, w, p);
  return c->co <= 64 ? launch<T, 64, true> (s, c, w, p) : launch<T, 128, true> (s, c, w, p);
}

bool
conv_hopper (EaselStream *s, const Conv *c)
{
  const int64_t tiles = (int64_t) c->frames * (c->oh / SIDE + 1) * (c->ow / SIDE + 1) * (c->co / 16 + 1) * 4;

  if (!easel_cuda_hopper (s) || c->dtype == EASEL_DTYPE_F32 || c->groups != 1 || c->stride != 1 || c->ci % 8
      || !conv_stores (c) || (!conv_is_wide (c) && c->co > 16) || !easel_cuda_aligned (c->x)
      || !easel_cuda_aligned (c->before) || !easel_cuda_aligned (c->w)
      || tiles > 1 << 30)
    return false;
  if (c->up == 2 ? c->kt != 1 || c->kh != 3 || c->kw != 3 || c->pad != 1 || c->oh != 2 * c->h || c->ow != 2 * c->w_
                 : c->up != 1)
    return false;
  return c->dtype == EASEL_DTYPE_BF16 ? choose<bf16> (s, c) : choose<f16> (s, c);
}
