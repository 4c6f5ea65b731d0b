/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Attention: which path, and the plain one, f32 throughout, for every dtype and shape.
 *
 * attention_rows: a warp has one query, a block 8 neighbouring ones of a head. Keys come 32 at a time: they are laid
 * into shared memory, a lane scores one key, the maximum and the sum run along ("online softmax"), and each lane adds
 * up its own channels of v.
 */
#include "attention.cuh"

#include <limits.h>
#include <math.h>

#define WARPS 8
#define KEYS 32
#define MOST_CHANNELS 8 /* a lane: heads of up to 256 */

template <typename T>
__global__ void __launch_bounds__ (WARPS * 32)
attention_rows (const Attention a)
{
  extern __shared__ float shared[]; /* keys [KEYS][d + 1], queries [WARPS][d] */
  float *keys = shared, *query = shared + KEYS * (a.d + 1) + threadIdx.x / 32 * a.d;
  const int lane = threadIdx.x % 32, h = blockIdx.y, b = blockIdx.z, hk = h / (a.heads / a.kv_heads);
  const int i = blockIdx.x * WARPS + threadIdx.x / 32;
  const T *q = static_cast<const T *> (a.q.data) + ((int64_t) b * a.n_q + i) * a.q.row + h * a.q.head;
  const T *k = static_cast<const T *> (a.k.data) + (int64_t) b * a.n_kv * a.k.row + hk * a.k.head;
  const T *v = static_cast<const T *> (a.v.data) + (int64_t) b * a.n_kv * a.v.row + hk * a.v.head;
  float top = -INFINITY, total = 0, sum[MOST_CHANNELS] = {};

  for (int c = lane; c < a.d && i < a.n_q; c += 32)
    query[c] = to_f32 (q[c]);
  for (int j0 = 0; j0 < a.n_kv; j0 += KEYS)
    {
      const int n = min (KEYS, a.n_kv - j0), j = j0 + lane;
      float s = -INFINITY, block_top, p;

      __syncthreads ();
      for (int c = threadIdx.x; c < n * a.d; c += WARPS * 32)
        keys[c / a.d * (a.d + 1) + c % a.d] = to_f32 (k[(int64_t) (j0 + c / a.d) * a.k.row + c % a.d]);
      __syncthreads ();
      if (i >= a.n_q)
        continue;
      if (lane < n && !(a.mask && !a.mask[(int64_t) b * a.n_kv + j]) && !(a.causal && j > i)
          && !(a.window > 0 && i - j >= a.window))
        {
          float dot[4] = {}; /* four sums round less than one */

#pragma unroll 4
          for (int c = 0; c < a.d; c++)
            dot[c % 4] = fmaf (query[c], keys[lane * (a.d + 1) + c], dot[c % 4]);
          s = a.scale * ((dot[0] + dot[1]) + (dot[2] + dot[3]));
          if (a.softcap > 0)
            s = a.softcap * tanhf (s / a.softcap);
          if (a.bias)
            s += a.bias[((int64_t) h * a.n_q + i) * a.n_kv + j];
        }
      block_top = fmaxf (top, warp_max (s));
      if (block_top == -INFINITY)
        continue;
      p = expf (s - block_top); /* 0 for a key that is not seen */
      const float shrink = expf (top - block_top);
      total = total * shrink + warp_sum (p);
#pragma unroll
      for (int u = 0; u < MOST_CHANNELS; u++)
        sum[u] *= shrink;
      for (int u = 0; u < n; u++)
        {
          const float pu = __shfl_sync (~0u, p, u);
          const T *row = v + (int64_t) (j0 + u) * a.v.row;

          if (pu == 0)
            continue;
#pragma unroll
          for (int w = 0; w < MOST_CHANNELS; w++)
            if (lane + w * 32 < a.d)
              sum[w] = fmaf (pu, to_f32 (row[lane + w * 32]), sum[w]);
        }
      top = block_top;
    }
  if (i >= a.n_q)
    return;
#pragma unroll
  for (int w = 0; w < MOST_CHANNELS; w++)
    if (lane + w * 32 < a.d)
      static_cast<T *> (a.y)[(((int64_t) b * a.n_q + i) * a.heads + h) * a.d + lane + w * 32] =
          from_f32<T> (total == 0 ? 0 : sum[w] / total);
}

bool
attention_plain (EaselStream *s, const Attention *a, EaselDtype dtype)
{
  const size_t bytes = (KEYS * (a->d + 1) + WARPS * a->d) * sizeof (float);
  const dim3 grid ((unsigned) easel_cuda_divide_up (a->n_q, WARPS), a->heads, a->b);

  EASEL_CUDA_DISPATCH (dtype, {
    if (easel_cuda_allow_shared (s, reinterpret_cast<const void *> (attention_rows<T>), bytes, "attention"))
      attention_rows<T><<<grid, WARPS * 32, bytes, easel_cuda (s)->stream>>> (*a);
  });
  return true;
}

extern "C" void
easel_cuda_attention (EaselStream *s, const EaselAttentionArgs *args)
{
  const EaselDtype dtype = args->y.dtype;
  Attention a = {};

  if (args->head_dim > MOST_CHANNELS * 32 || args->heads > 65535 || args->y.shape[0] > 65535
      || args->y.shape[1] > INT_MAX / 2 || args->n_kv > INT_MAX / 2)
    {
      easel_cuda_refuse (s, "attention", "heads of more than 256, or more than 65535 of them, or too many tokens",
                         &args->y);
      return;
    }
  a.q = args->q;
  a.k = args->k;
  a.v = args->v;
  a.mask = static_cast<const uint8_t *> (args->mask.data);
  a.bias = static_cast<const float *> (args->bias.data);
  a.y = args->y.data;
  a.b = (int) args->y.shape[0];
  a.n_q = (int) args->y.shape[1];
  a.n_kv = (int) args->n_kv;
  a.heads = (int) args->heads;
  a.kv_heads = (int) args->kv_heads;
  a.d = (int) args->head_dim;
  a.scale = args->scale;
  a.softcap = args->softcap;
  a.causal = args->causal;
  a.window = args->window < INT_MAX ? (int) args->window : 0;
  if (attention_hopper (s, &a, dtype) || attention_mma (s, &a, dtype) || attention_plain (s, &a, dtype))
    easel_cuda_launched (s, "attention", &args->y);
}
