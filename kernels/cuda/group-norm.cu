/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Group norm over a clip, conditioned by place. x is read twice and y written once.
 *
 * 1. moments: a thread has V channels (16 bytes, or one) and walks over pixels; each channel's sums are taken relative
 *    to its first value there, so that nothing cancels, and become (count, mean, sum of squares about the mean).
 *    Threads of a block are joined group by group in the order of their numbers.
 * 2. join: one block a group joins the blocks' moments in a fixed order.
 * 3. apply: y = act (((x - mean) / sqrt (var + eps) * weight + bias) * scale + shift).
 */
#include "tensor-core.cuh"

#define THREADS 256

static constexpr int AHEAD = 4; /* pixels a thread asks for before it uses the first */

struct GroupNorm
{
  const void *x, *scale, *shift;
  void *y;
  EaselCudaVector weight, bias;
  int act, c, groups;
  int64_t pixels;
  int f, h, w;    /* of x */
  int cf, ch, cw; /* of scale and shift */
  float eps;
  int blocks, slabs, chunks; /* chunks of V channels: in all */
  float *partial;            /* [groups][slabs][blocks][3] */
  float *stats;              /* [groups][2]: mean, 1 / sqrt (var + eps) */
};

struct Moments
{
  float n, mean, m2;

  __device__ __forceinline__ void
  join (const Moments &o)
  {
    if (o.n > 0)
      {
        const float sum = n + o.n, part = o.n / sum, d = o.mean - mean;

        mean = fmaf (d, part, mean);
        m2 += o.m2 + d * d * n * part;
        n = sum;
      }
  }
};

template <typename T, int V>
__device__ __forceinline__ void
load_v (float (&v)[V], const T *x)
{
  if constexpr (V == 1)
    v[0] = to_f32 (*x);
  else
    load_f32<T> (v, x);
}

/* A thread's place: its chunk of channels, its first pixel and the step to its next. False: nothing to do. */
template <typename T>
__device__ __forceinline__ bool
thread_place (const GroupNorm &a, int &chunk, int64_t &first, int64_t &step)
{
  const int in_slab = min (THREADS, a.chunks - (int) blockIdx.y * THREADS), lanes = THREADS / in_slab;

  chunk = blockIdx.y * THREADS + threadIdx.x % in_slab;
  first = (int64_t) blockIdx.x * lanes + threadIdx.x / in_slab;
  step = (int64_t) a.blocks * lanes;
  return (int) threadIdx.x < lanes * in_slab;
}

template <typename T, int V>
__global__ void __launch_bounds__ (THREADS)
moments (const GroupNorm a)
{
  __shared__ float mean[V][THREADS], m2[V][THREADS], count[THREADS];
  const int per = a.c / a.groups, in_slab = min (THREADS, a.chunks - (int) blockIdx.y * THREADS);
  int chunk;
  int64_t first, step, n = 0;
  float base[V] = {}, s1[V] = {}, s2[V] = {};

  if (thread_place<T> (a, chunk, first, step) && first < a.pixels)
    {
      const T *x = static_cast<const T *> (a.x) + chunk * V;

      load_v<T, V> (base, x + first * a.c);
#pragma unroll AHEAD
      for (int64_t p = first; p < a.pixels; p += step, n++)
        {
          float v[V];

          load_v<T, V> (v, x + p * a.c);
#pragma unroll
          for (int i = 0; i < V; i++)
            {
              const float d = v[i] - base[i];

              s1[i] += d;
              s2[i] = fmaf (d, d, s2[i]);
            }
        }
    }
  count[threadIdx.x] = (float) n;
#pragma unroll
  for (int i = 0; i < V; i++)
    {
      mean[i][threadIdx.x] = n > 0 ? base[i] + s1[i] / (float) n : 0;
      m2[i][threadIdx.x] = n > 0 ? s2[i] - s1[i] * (s1[i] / (float) n) : 0;
    }
  __syncthreads ();
  for (int g = threadIdx.x; g < a.groups; g += THREADS)
    {
      const int low = max (g * per, (int) blockIdx.y * THREADS * V) - (int) blockIdx.y * THREADS * V;
      const int high = min ((g + 1) * per - (int) blockIdx.y * THREADS * V, in_slab * V);
      Moments all = { 0, 0, 0 };

      for (int lane = 0; lane < THREADS / in_slab; lane++)
        for (int c = low; c < high; c++)
          {
            const int t = lane * in_slab + c / V;

            all.join (Moments{ count[t], mean[c % V][t], m2[c % V][t] });
          }
      float *to = a.partial + (((int64_t) g * a.slabs + blockIdx.y) * a.blocks + blockIdx.x) * 3;

      to[0] = all.n;
      to[1] = all.mean;
      to[2] = all.m2;
    }
}

__global__ void __launch_bounds__ (THREADS)
join (const GroupNorm a)
{
  __shared__ Moments part[THREADS];
  const float *from = a.partial + (int64_t) blockIdx.x * a.slabs * a.blocks * 3;
  Moments mine = { 0, 0, 0 };

  for (int i = threadIdx.x; i < a.slabs * a.blocks; i += THREADS)
    mine.join (Moments{ from[i * 3], from[i * 3 + 1], from[i * 3 + 2] });
  part[threadIdx.x] = mine;
  for (int half = THREADS / 2; half > 0; half /= 2)
    {
      __syncthreads ();
      if ((int) threadIdx.x < half)
        {
          mine.join (part[threadIdx.x + half]);
          part[threadIdx.x] = mine;
        }
    }
  if (threadIdx.x == 0)
    {
      a.stats[blockIdx.x * 2] = mine.mean;
      a.stats[blockIdx.x * 2 + 1] = 1 / sqrtf (mine.m2 / mine.n + a.eps);
    }
}

/* The pixel of scale and shift that pixel p reads. */
__device__ __forceinline__ int64_t
condition_at (const GroupNorm &a, int64_t p)
{
  const int x = (int) (p % a.w), y = (int) (p / a.w % a.h), f = (int) (p / a.w / a.h);
  int cf;

  if (a.f > 1 && a.f % 2 == 1)
    cf = f == 0 ? 0 : 1 + (f - 1) / ((a.f - 1) / (a.cf - 1));
  else
    cf = f / (a.f / a.cf);
  return ((int64_t) cf * a.ch + y / (a.h / a.ch)) * a.cw + x / (a.w / a.cw);
}

template <typename T, int V, bool CONDITION>
__global__ void __launch_bounds__ (THREADS)
apply (const GroupNorm a)
{
  const int per = a.c / a.groups;
  int chunk;
  int64_t first, step;
  float mean[V], factor[V], bias[V];

  if (!thread_place<T> (a, chunk, first, step))
    return;
#pragma unroll
  for (int i = 0; i < V; i++)
    {
      const int c = chunk * V + i, g = c / per;

      mean[i] = a.stats[g * 2];
      factor[i] = a.stats[g * 2 + 1] * vector_at (a.weight, c, 1);
      bias[i] = vector_at (a.bias, c, 0);
    }
#pragma unroll 1
  for (int64_t p0 = first; p0 < a.pixels; p0 += step * AHEAD)
    {
      float v[AHEAD][V], k[AHEAD][V], b[AHEAD][V];

#pragma unroll
      for (int u = 0; u < AHEAD; u++)
        if (p0 + u * step < a.pixels)
          {
            load_v<T, V> (v[u], static_cast<const T *> (a.x) + (p0 + u * step) * a.c + chunk * V);
            if (CONDITION)
              {
                const int64_t from = condition_at (a, p0 + u * step) * a.c + chunk * V;

                load_v<T, V> (k[u], static_cast<const T *> (a.scale) + from);
                load_v<T, V> (b[u], static_cast<const T *> (a.shift) + from);
              }
          }
#pragma unroll
      for (int u = 0; u < AHEAD; u++)
        if (p0 + u * step < a.pixels)
          {
            T *y = static_cast<T *> (a.y) + (p0 + u * step) * a.c + chunk * V;

#pragma unroll
            for (int i = 0; i < V; i++)
              {
                float x = fmaf (v[u][i] - mean[i], factor[i], bias[i]);

                if (CONDITION)
                  x = fmaf (x, k[u][i], b[u][i]);
                if (a.act == EASEL_ACT_SILU)
                  x = sizeof (T) == 2 ? silu_16 (x) : silu (x);
                else
                  x = activate (a.act, x);
                v[u][i] = x;
              }
            if constexpr (V == 1)
              *y = from_f32<T> (v[u][0]);
            else
              store_f32<T> (y, v[u]);
          }
    }
}

template <typename T, int V>
static void
run (EaselStream *s, GroupNorm a)
{
  const EaselCudaStream *cuda = easel_cuda (s);
  const int64_t lanes = THREADS / (a.c / V < THREADS ? a.c / V : THREADS);
  const int64_t blocks = easel_cuda_divide_up (a.pixels, lanes * 8), most = (int64_t) cuda->n_sms * 4;

  a.chunks = a.c / V;
  a.slabs = (int) easel_cuda_divide_up (a.chunks, THREADS);
  a.blocks = (int) (blocks < most ? blocks : most);
  a.stats = static_cast<float *> (cuda->workspace);
  a.partial = a.stats + (a.groups * 2 + 63) / 64 * 64;
  if (((int64_t) a.groups * a.slabs * a.blocks * 3 + a.groups * 2 + 64) * 4 > (int64_t) EASEL_CUDA_WORKSPACE)
    {
      easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, "group_norm: %d groups of %d channels", a.groups, a.c);
      return;
    }
  moments<T, V><<<dim3 (a.blocks, a.slabs), THREADS, 0, cuda->stream>>> (a);
  join<<<a.groups, THREADS, 0, cuda->stream>>> (a);
  a.blocks = (int) (blocks < 4 * most ? blocks : 4 * most);
  if (a.scale)
    apply<T, V, true><<<dim3 (a.blocks, a.slabs), THREADS, 0, cuda->stream>>> (a);
  else
    apply<T, V, false><<<dim3 (a.blocks, a.slabs), THREADS, 0, cuda->stream>>> (a);
}

extern "C" void
easel_cuda_group_norm (EaselStream *s, const EaselGroupNormArgs *a)
{
  const int64_t *x = a->x.shape, *c = a->scale.shape;
  GroupNorm n = {};

  n.x = a->x.data;
  n.y = a->y.data;
  n.scale = a->scale.data;
  n.shift = a->shift.data;
  n.weight = easel_cuda_vector (&a->weight);
  n.bias = easel_cuda_vector (&a->bias);
  n.act = a->act;
  n.f = (int) x[0];
  n.h = (int) x[1];
  n.w = (int) x[2];
  n.c = (int) x[3];
  n.pixels = x[0] * x[1] * x[2];
  n.groups = (int) a->groups;
  n.eps = a->eps;
  n.cf = n.scale ? (int) c[0] : 1;
  n.ch = n.scale ? (int) c[1] : 1;
  n.cw = n.scale ? (int) c[2] : 1;
  EASEL_CUDA_DISPATCH (a->x.dtype, {
    if (n.c % Pack<T>::N == 0)
      run<T, Pack<T>::N> (s, n);
    else
      run<T, 1> (s, n);
  });
  easel_cuda_launched (s, "group_norm", &a->y);
}
