/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Attention on the tensor cores of every card from sm_80 up, in one pass over keys ("flash"): f16 or bf16, scores,
 * softmax and sums in f32.
 *
 * A block has 16 queries a warp, held in registers as fragments (heads of 256: in shared memory), and walks over tiles
 * of keys in two stages of shared memory filled by cp.async. Scores are accumulators of q k^T; after the softmax the
 * same registers, packed to 16 bits, are the left operand of p v. Rows in shared memory are D numbers and 16 bytes of
 * padding, an odd number of 16 bytes, so that ldmatrix meets every bank once. D is the head rounded up to what is
 * compiled: the rest is zeros.
 */
#include "attention.cuh"
#include "tensor-core.cuh"

#include <math.h>

#define LOG2E 1.4426950408889634f

template <int D> struct Sizes
{
  static constexpr int WARPS = D <= 64 ? 8 : 4;
  static constexpr int KEYS = D <= 128 ? 64 : 32;
  static constexpr int QUERIES = WARPS * 16;
  static constexpr int BLOCKS = D <= 64 ? 1 : D <= 112 ? 3 : 1; /* a multiprocessor, at least */
  static constexpr int ROW = D * 2 + 16; /* bytes */
  static constexpr bool Q_STAYS = D > 128;
  static constexpr int BYTES = 4 * KEYS * ROW + (Q_STAYS ? QUERIES * ROW : 0);
};

/* ROWS rows of one head, from `first` on, into shared memory at `to`; rows from `n` on and channels from d on are 0. */
template <typename T, int D, int ROWS, int THREADS>
__device__ __forceinline__ void
fetch_rows (uint32_t to, const T *from, int64_t row, int first, int n, int d)
{
  for (int i = threadIdx.x; i < ROWS * (D / 8); i += THREADS)
    {
      const int r = i / (D / 8), chunk = i % (D / 8);
      const bool there = first + r < n && chunk * 8 < d;

      copy_async (to + r * Sizes<D>::ROW + chunk * 16, there ? from + (int64_t) (first + r) * row + chunk * 8 : from,
                  there);
    }
}

/* What else there is than the number of keys. */
enum Mode
{
  NOTHING,
  MASK, /* and a positive scale */
  ALL,  /* bias, soft-cap, causality, a window, a mask; any scale */
};

/* Which of a lane's keys of a tile there are: bit 2 j + e is key 8 j + 2 (lane % 4) + e. `mask` is the batch's. */
template <int KEYS>
__device__ __forceinline__ uint32_t
keys_seen (const uint8_t *mask, int first, int n_kv)
{
  uint32_t seen = 0;

  if (!mask && first + KEYS <= n_kv)
    return ~0u;
#pragma unroll
  for (int i = 0; i < KEYS / 4; i++)
    {
      const int key = first + i / 2 * 8 + threadIdx.x % 4 * 2 + i % 2;

      if (key < n_kv && (!mask || mask[key]))
        seen |= 1u << i;
    }
  return seen;
}

/* s scaled, capped, with its bias; a key that a row does not see for its place loses its bit in the row's `seen`. */
template <int NS>
__device__ __forceinline__ void
score_all (const Attention &a, float (&s)[NS][4], uint32_t (&seen)[2], int h, int row0, int first)
{
  const float cap = 1 / a.softcap;

#pragma unroll
  for (int j = 0; j < NS; j++)
#pragma unroll
    for (int e = 0; e < 4; e++)
      {
        const int key = first + j * 8 + threadIdx.x % 4 * 2 + e % 2, row = row0 + e / 2 * 8;
        float x = s[j][e] * a.scale;

        if (a.softcap > 0)
          x = a.softcap * tanh_16 (x * cap);
        if ((a.causal && key > row) || (a.window > 0 && row - key >= a.window))
          seen[e / 2] &= ~(1u << (j * 2 + e % 2));
        if (a.bias && key < a.n_kv && row < a.n_q)
          x += a.bias[((int64_t) h * a.n_q + row) * a.n_kv + key];
        s[j][e] = x;
      }
}

/* Scores to the softmax's numerators, in powers of two of `factor` times them; the sums so far are scaled along. */
template <int NS, int NO>
__device__ __forceinline__ void
soften (float (&s)[NS][4], float (&out)[NO][4], float (&top)[2], float (&total)[2], float factor)
{
#pragma unroll
  for (int half = 0; half < 2; half++)
    {
      float now = top[half], shrink, sum = 0, from;

#pragma unroll
      for (int j = 0; j < NS; j++)
        now = fmaxf (now, fmaxf (s[j][half * 2], s[j][half * 2 + 1]));
      now = fmaxf (now, __shfl_xor_sync (~0u, now, 1));
      now = fmaxf (now, __shfl_xor_sync (~0u, now, 2));
      from = now == -INFINITY ? 0 : now * factor;
      shrink = power_of_two (fmaf (top[half], factor, -from));
      top[half] = now;
#pragma unroll
      for (int j = 0; j < NS; j++)
#pragma unroll
        for (int e = 0; e < 2; e++)
          {
            s[j][half * 2 + e] = power_of_two (fmaf (s[j][half * 2 + e], factor, -from));
            sum += s[j][half * 2 + e];
          }
      total[half] = total[half] * shrink + sum;
#pragma unroll
      for (int j = 0; j < NO; j++)
        {
          out[j][half * 2] *= shrink;
          out[j][half * 2 + 1] *= shrink;
        }
    }
}

/* Sums to y, 16 bytes a lane; rows and channels that there are. */
template <typename T, int NO>
__device__ __forceinline__ void
put (const Attention &a, const float (&out)[NO][4], const float (&total)[2], int row0, int h, int b)
{
#pragma unroll
  for (int half = 0; half < 2; half++)
    {
      const int row = row0 + half * 8;
      T *y = static_cast<T *> (a.y) + (((int64_t) b * a.n_q + row) * a.heads + h) * a.d;
      float sum = total[half];

      sum += __shfl_xor_sync (~0u, sum, 1);
      sum += __shfl_xor_sync (~0u, sum, 2);
      const float share = sum == 0 ? 0 : 1 / sum;
#pragma unroll
      for (int j = 0; j < (NO + 3) / 4; j++)
        {
          uint32_t pairs[4];

#pragma unroll
          for (int e = 0; e < 4; e++)
            {
              const int n = j * 4 + e < NO ? j * 4 + e : NO - 1;

              pairs[e] = j * 4 + e < NO ? pack2<T> (out[n][half * 2] * share, out[n][half * 2 + 1] * share) : 0;
            }
          quad_transpose (pairs);
          if (row < a.n_q && j * 32 + threadIdx.x % 4 * 8 < a.d)
            *reinterpret_cast<uint4 *> (y + j * 32 + threadIdx.x % 4 * 8) =
                make_uint4 (pairs[0], pairs[1], pairs[2], pairs[3]);
        }
    }
}

template <typename T, int D, int MODE>
__global__ void __launch_bounds__ (Sizes<D>::WARPS * 32, Sizes<D>::BLOCKS)
attention_tiles (const Attention a)
{
  typedef Sizes<D> S;
  constexpr int THREADS = S::WARPS * 32, NS = S::KEYS / 8, NO = D / 8, KQ = D / 16;
  extern __shared__ __align__ (128) unsigned char shared[];
  const uint32_t base = shared_address (shared), q_base = S::Q_STAYS ? base + 4 * S::KEYS * S::ROW : base;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, h = blockIdx.y, b = blockIdx.z;
  const int i0 = blockIdx.x * S::QUERIES, hk = h / (a.heads / a.kv_heads), row0 = i0 + warp * 16 + lane / 4;
  const T *q = static_cast<const T *> (a.q.data) + (int64_t) b * a.n_q * a.q.row + h * a.q.head;
  const T *k = static_cast<const T *> (a.k.data) + (int64_t) b * a.n_kv * a.k.row + hk * a.k.head;
  const T *v = static_cast<const T *> (a.v.data) + (int64_t) b * a.n_kv * a.v.row + hk * a.v.head;
  const uint32_t q_at = q_base + (warp * 16 + lane % 16) * S::ROW + lane / 16 * 16;
  const int end = MODE == ALL && a.causal ? min (a.n_kv, i0 + S::QUERIES) : a.n_kv;
  const int start = MODE == ALL && a.window > 0 ? max (0, i0 - a.window + 1) / S::KEYS : 0;
  const int tiles = (end + S::KEYS - 1) / S::KEYS;
  const uint8_t *mask = a.mask ? a.mask + (int64_t) b * a.n_kv : NULL;
  const float factor = MODE == ALL ? LOG2E : a.scale * LOG2E;
  uint32_t rq[S::Q_STAYS ? 1 : KQ][4];
  float out[NO][4] = {}, top[2] = { -INFINITY, -INFINITY }, total[2] = {};

  uint64_t active = ~(uint64_t) 0; /* of the first 64 tiles: some key of it is seen */

  auto fetch = [&] (int tile, int stage) {
    const uint32_t to = base + (stage & 1) * 2 * S::KEYS * S::ROW;

    fetch_rows<T, D, S::KEYS, THREADS> (to, k, a.k.row, tile * S::KEYS, a.n_kv, a.d);
    fetch_rows<T, D, S::KEYS, THREADS> (to + S::KEYS * S::ROW, v, a.v.row, tile * S::KEYS, a.n_kv, a.d);
  };

  auto next = [&] (int tile) {
    while (tile < min (tiles, 64) && !(active >> tile & 1))
      tile++;
    return tile;
  };

  fetch_rows<T, D, S::QUERIES, THREADS> (q_base, q, a.q.row, i0, a.n_q, a.d);
  copy_commit ();
  if constexpr (!S::Q_STAYS)
    {
      copy_wait<0> ();
      __syncthreads ();
#pragma unroll
      for (int i = 0; i < KQ; i++)
        load_matrix (rq[i], q_at + i * 32);
      __syncthreads ();
    }
  if (MODE != NOTHING && mask)
    for (int tile = start; tile < min (tiles, 64); tile++)
      if (!__any_sync (~0u, keys_seen<S::KEYS> (mask, tile * S::KEYS, a.n_kv) != 0))
        active &= ~((uint64_t) 1 << tile);
  int tile = next (start);
  if (tile < tiles)
    fetch (tile, 0);
  copy_commit ();

  for (int stage = 0, following; tile < tiles; tile = following, stage++)
    {
      const uint32_t ks = base + (stage & 1) * 2 * S::KEYS * S::ROW, vs = ks + S::KEYS * S::ROW;
      const uint32_t there = keys_seen<S::KEYS> (MODE == NOTHING ? NULL : mask, tile * S::KEYS, a.n_kv);
      uint32_t seen[2] = { there, there };
      float s[NS][4] = {};

      copy_wait<0> ();
      __syncthreads ();
      following = next (tile + 1);
      if (following < tiles)
        fetch (following, stage + 1);
      copy_commit ();
      if (MODE != NOTHING && !__any_sync (~0u, there != 0))
        continue;

      /* 1. Scores. */
#pragma unroll
      for (int i = 0; i < KQ; i++)
        {
          uint32_t ra[4];

          if constexpr (S::Q_STAYS)
            load_matrix (ra, q_at + i * 32);
          else
            for (int e = 0; e < 4; e++)
              ra[e] = rq[i][e];
#pragma unroll
          for (int j = 0; j < NS / 2; j++)
            {
              uint32_t rb[4];

              load_matrix (rb, ks + (j * 16 + lane / 16 * 8 + lane % 8) * S::ROW + i * 32 + lane / 8 % 2 * 16);
              mma<T> (s[j * 2], ra, rb[0], rb[1]);
              mma<T> (s[j * 2 + 1], ra, rb[2], rb[3]);
            }
        }

      /* 2. What is not seen at -infinity. */
      if constexpr (MODE == ALL)
        score_all<NS> (a, s, seen, h, row0, tile * S::KEYS);
      if ((seen[0] & seen[1]) != ~0u)
#pragma unroll
        for (int j = 0; j < NS; j++)
#pragma unroll
          for (int e = 0; e < 4; e++)
            if (!(seen[e / 2] >> (j * 2 + e % 2) & 1))
              s[j][e] = -INFINITY;

      /* 3. Softmax as it goes. */
      soften<NS, NO> (s, out, top, total, factor);

      /* 4. p v */
#pragma unroll
      for (int i = 0; i < NS / 2; i++)
        {
          const uint32_t ra[4] = { pack2<T> (s[i * 2][0], s[i * 2][1]), pack2<T> (s[i * 2][2], s[i * 2][3]),
                                   pack2<T> (s[i * 2 + 1][0], s[i * 2 + 1][1]),
                                   pack2<T> (s[i * 2 + 1][2], s[i * 2 + 1][3]) };

#pragma unroll
          for (int j = 0; j < NO / 2; j++)
            {
              uint32_t rb[4];

              load_matrix_transposed (rb, vs + (i * 16 + lane % 16) * S::ROW + j * 32 + lane / 16 * 16);
              mma<T> (out[j * 2], ra, rb[0], rb[1]);
              mma<T> (out[j * 2 + 1], ra, rb[2], rb[3]);
            }
        }
    }
  copy_wait<0> ();

  put<T, NO> (a, out, total, row0, h, b);
}

template <typename T, int D, int MODE>
static bool
launch (EaselStream *s, const Attention *a)
{
  typedef Sizes<D> S;
  const dim3 grid ((unsigned) easel_cuda_divide_up (a->n_q, S::QUERIES), a->heads, a->b);

  if (S::BYTES > easel_cuda (s)->shared_max)
    return false;
  if (easel_cuda_allow_shared (s, reinterpret_cast<const void *> (attention_tiles<T, D, MODE>), S::BYTES,
                               "attention"))
    attention_tiles<T, D, MODE><<<grid, S::WARPS * 32, S::BYTES, easel_cuda (s)->stream>>> (*a);
  return true;
}

template <typename T>
static bool
choose (EaselStream *s, const Attention *a)
{
  const bool all = a->bias || a->softcap > 0 || a->causal || a->window > 0 || !(a->scale > 0);

  if (a->d <= 32)
    return launch<T, 32, ALL> (s, a);
  if (a->d <= 64)
    return all || a->mask ? launch<T, 64, ALL> (s, a) : launch<T, 64, NOTHING> (s, a);
  if (a->d <= 80)
    return all ? launch<T, 128, ALL> (s, a) : launch<T, 80, MASK> (s, a);
  if (a->d <= 112)
    return all ? launch<T, 128, ALL> (s, a) : launch<T, 112, MASK> (s, a);
  if (a->d <= 128)
    return all ? launch<T, 128, ALL> (s, a) : launch<T, 128, MASK> (s, a);
  return launch<T, 256, ALL> (s, a);
}

bool
attention_mma (EaselStream *s, const Attention *a, EaselDtype dtype)
{
  if (dtype == EASEL_DTYPE_F32 || !attention_in_16_bytes (a))
    return false;
  return dtype == EASEL_DTYPE_BF16 ? choose<bf16> (s, a) : choose<f16> (s, a);
}
