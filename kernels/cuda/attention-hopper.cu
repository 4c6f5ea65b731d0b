/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Attention on Hopper: heads of 64, every key seen, 16 bits; scores, softmax and sums in f32.
 *
 * A block has 192 queries of a head: one warp asks the copy engine for keys and values, 128 of each at a time, and
 * three warpgroups have 64 queries each. A warpgroup's scores are one product; after the softmax the same registers,
 * packed to 16 bits, are the left operand of p v, which is issued together with the scores of the next keys. Three
 * warpgroups, so that while one is at its exponentials (16 a clock and multiprocessor: they take as long as the
 * products themselves) the tensor cores have the others'.
 */
#include "attention.cuh"
#include "hopper.cuh"

#include <math.h>

#define HEAD 64
#define GROUPS 3
#define QUERIES (GROUPS * 64)
#define KEYS 128
#define STAGES 4
#define THREADS (128 + GROUPS * 128)
#define Q_BYTES (QUERIES * HEAD * 2)
#define KV_BYTES (KEYS * HEAD * 2)
#define BYTES (Q_BYTES + STAGES * 2 * KV_BYTES + 1024 + 256)

#if EASEL_CUDA_HAS_HOPPER

/* s [64, KEYS] to its softmax's numerators; keys from `n` on are not seen. Scales the sums so far. */
__device__ __forceinline__ void
soften (float (&s)[KEYS / 2], float (&out)[HEAD / 2], float (&top)[2], float (&total)[2], float scale, int n)
{
  const int column = threadIdx.x % 4 * 2;

  if (n < KEYS)
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        if (j * 8 + column + e % 2 >= n)
          s[j * 4 + e] = -INFINITY;
#pragma unroll
  for (int half = 0; half < 2; half++)
    {
      float now = top[half], sum[2] = {}, shrink, from;

#pragma unroll
      for (int j = 0; j < KEYS / 8; j++)
        now = fmaxf (now, fmaxf (s[j * 4 + half * 2], s[j * 4 + half * 2 + 1]));
      now = fmaxf (now, __shfl_xor_sync (~0u, now, 1));
      now = fmaxf (now, __shfl_xor_sync (~0u, now, 2));
      from = now * scale; /* there is a key in every tile: not -infinity unless scores are */
      shrink = power_of_two (fmaf (top[half], scale, -from));
      top[half] = now;
#pragma unroll
      for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int e = 0; e < 2; e++)
          {
            const float p = power_of_two (fmaf (s[j * 4 + half * 2 + e], scale, -from));

            s[j * 4 + half * 2 + e] = p;
            sum[e] += p;
          }
      total[half] = fmaf (total[half], shrink, sum[0] + sum[1]);
#pragma unroll
      for (int j = 0; j < HEAD / 8; j++)
        {
          out[j * 4 + half * 2] *= shrink;
          out[j * 4 + half * 2 + 1] *= shrink;
        }
    }
}

#endif

template <typename T>
__global__ void __launch_bounds__ (THREADS, 1)
attention_hopper_tiles (const Attention a, const float scale, const __grid_constant__ CUtensorMap map_q,
                        const __grid_constant__ CUtensorMap map_k, const __grid_constant__ CUtensorMap map_v)
{
#if EASEL_CUDA_HAS_HOPPER
  extern __shared__ unsigned char shared[];
  const uint32_t qs = (shared_address (shared) + 1023) & ~1023u, ks = qs + Q_BYTES, vs = ks + STAGES * KV_BYTES;
  const uint32_t q_full = vs + STAGES * KV_BYTES, k_full = q_full + 8, v_full = k_full + STAGES * 8;
  const uint32_t empty = v_full + STAGES * 8;
  const int i0 = blockIdx.x * QUERIES, h = blockIdx.y, b = blockIdx.z, hk = h / (a.heads / a.kv_heads);
  const int group = threadIdx.x / 128, tiles = (a.n_kv + KEYS - 1) / KEYS;

  if (threadIdx.x == 0)
    {
      barrier_init (q_full, 1);
      for (int i = 0; i < STAGES; i++)
        {
          barrier_init (k_full + i * 8, 1);
          barrier_init (v_full + i * 8, 1);
          barrier_init (empty + i * 8, GROUPS);
        }
      asm volatile ("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;\n" ::: "memory");
    }
  __syncthreads ();

  if (group == 0)
    {
      registers_fewer<32> ();
      if (threadIdx.x != 0)
        return;
      barrier_expect (q_full, Q_BYTES);
      copy_box_4d (qs, &map_q, q_full, 0, h, i0, b);
      for (int tile = 0; tile < tiles; tile++)
        {
          const int stage = tile % STAGES;

          barrier_wait (empty + stage * 8, (tile / STAGES & 1) ^ 1);
          barrier_expect (k_full + stage * 8, KV_BYTES);
          copy_box_4d (ks + stage * KV_BYTES, &map_k, k_full + stage * 8, 0, hk, tile * KEYS, b);
          barrier_expect (v_full + stage * 8, KV_BYTES);
          copy_box_4d (vs + stage * KV_BYTES, &map_v, v_full + stage * 8, 0, hk, tile * KEYS, b);
        }
    }
  else
    {
      registers_more<160> ();
      const int warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
      const uint64_t dq = tile_descriptor (qs + (group - 1) * 64 * HEAD * 2);
      float s[KEYS / 2], out[HEAD / 2] = {}, top[2] = { -INFINITY, -INFINITY }, total[2] = {};

      auto score = [&] (int tile) {
        const int stage = tile % STAGES;
        const uint64_t dk = tile_descriptor (ks + stage * KV_BYTES);

        barrier_wait (k_full + stage * 8, tile / STAGES & 1);
        products_begin ();
#pragma unroll
        for (int i = 0; i < HEAD / 16; i++)
          product (s, dq + i * 2, dk + i * 2, i > 0, T{});
        products_commit ();
      };

      barrier_wait (q_full, 0);
      score (0);
      products_wait<0> ();
      for (int tile = 0; tile < tiles; tile++)
        {
          const int stage = tile % STAGES;
          const uint64_t dv = tile_descriptor (vs + stage * KV_BYTES);
          uint32_t p[KEYS / 16][4];

          soften (s, out, top, total, scale, a.n_kv - tile * KEYS);
#pragma unroll
          for (int i = 0; i < KEYS / 16; i++)
#pragma unroll
            for (int e = 0; e < 4; e++)
              p[i][e] = pack2<T> (s[(i * 2 + e / 2) * 4 + e % 2 * 2], s[(i * 2 + e / 2) * 4 + e % 2 * 2 + 1]);
          barrier_wait (v_full + stage * 8, tile / STAGES & 1);
          products_begin ();
#pragma unroll
          for (int i = 0; i < KEYS / 16; i++)
            product_rows (out, p[i], dv + i * 128, T{});
          products_commit ();
          if (tile + 1 < tiles)
            score (tile + 1);
          products_wait<0> ();
          if (threadIdx.x % 128 == 0)
            barrier_arrive (empty + stage * 8);
        }

#pragma unroll
      for (int half = 0; half < 2; half++)
        {
          const int row = i0 + (group - 1) * 64 + warp * 16 + half * 8 + lane / 4;
          T *y = static_cast<T *> (a.y) + (((int64_t) b * a.n_q + row) * a.heads + h) * HEAD;
          float sum = total[half];

          sum += __shfl_xor_sync (~0u, sum, 1);
          sum += __shfl_xor_sync (~0u, sum, 2);
#pragma unroll
          for (int j = 0; j < HEAD / 32; j++)
            {
              uint32_t pairs[4];

#pragma unroll
              for (int e = 0; e < 4; e++)
                pairs[e] = pack2<T> (out[(j * 4 + e) * 4 + half * 2] / sum, out[(j * 4 + e) * 4 + half * 2 + 1] / sum);
              quad_transpose (pairs);
              if (row < a.n_q)
                *reinterpret_cast<uint4 *> (y + j * 32 + lane % 4 * 8) =
                    make_uint4 (pairs[0], pairs[1], pairs[2], pairs[3]);
            }
        }
    }
#endif
}

/* [b, n, heads, 64] inside rows, as boxes of `rows` tokens of one head. */
static bool
map_heads (CUtensorMap *map, EaselDtype dtype, const EaselHeads *h, int heads, int n, int b, int rows)
{
  const cuuint64_t dims[4] = { HEAD, (cuuint64_t) heads, (cuuint64_t) n, (cuuint64_t) b };
  const cuuint64_t strides[3] = { (cuuint64_t) h->head * 2, (cuuint64_t) h->row * 2, (cuuint64_t) h->row * n * 2 };
  const cuuint32_t box[4] = { HEAD, 1, (cuuint32_t) rows, 1 };

  return hopper_map (map, dtype, h->data, 4, dims, strides, box);
}

template <typename T>
static bool
launch (EaselStream *s, const Attention *a, EaselDtype dtype)
{
  const dim3 grid ((unsigned) easel_cuda_divide_up (a->n_q, QUERIES), a->heads, a->b);
  CUtensorMap map_q, map_k, map_v;

  if (!map_heads (&map_q, dtype, &a->q, a->heads, a->n_q, a->b, QUERIES)
      || !map_heads (&map_k, dtype, &a->k, a->kv_heads, a->n_kv, a->b, KEYS)
      || !map_heads (&map_v, dtype, &a->v, a->kv_heads, a->n_kv, a->b, KEYS))
    return false;
  if (easel_cuda_allow_shared (s, reinterpret_cast<const void *> (attention_hopper_tiles<T>), BYTES, "attention"))
    attention_hopper_tiles<T><<<grid, THREADS, BYTES, easel_cuda (s)->stream>>> (*a, a->scale * 1.4426950408889634f,
                                                                                 map_q, map_k, map_v);
  return true;
}

bool
attention_hopper (EaselStream *s, const Attention *a, EaselDtype dtype)
{
  if (!easel_cuda_hopper (s) || dtype == EASEL_DTYPE_F32 || a->d != HEAD || a->mask || a->bias || a->softcap > 0
      || a->causal || a->window > 0 || !(a->scale > 0) || !attention_in_16_bytes (a))
    return false;
  return dtype == EASEL_DTYPE_BF16 ? launch<bf16> (s, a, dtype) : launch<f16> (s, a, dtype);
}
