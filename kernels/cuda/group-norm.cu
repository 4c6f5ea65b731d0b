/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Group norm over a clip, conditioned by place. x is read twice and y written once.
 *
 * 1. moments: a thread has V channels (16 bytes, or one) and walks over pixels; each channel's sums are taken relative
 *    to its first value there, so that nothing cancels, and become (count, mean, sum of squares about the mean).
 *    Threads of a block are joined group by group in the order of their numbers.
 * 2. join: one block a group joins the blocks' moments in a fixed order and writes each channel's factor and summand:
 *    weight / sqrt (var + eps) and bias - mean * factor.
 * 3. apply: y = act ((x * factor + summand) * scale + shift), a block a piece of a row of pixels.
 */
#include "tensor-core.cuh"

#include <limits.h>

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
  float *factor, *summand;   /* [c] */
  int pieces;                /* of a row of pixels, a block each */
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
  const int per = a.c / a.groups;
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
    part[0] = Moments{ 1 / sqrtf (mine.m2 / mine.n + a.eps), mine.mean, 0 };
  __syncthreads ();
  for (int c = blockIdx.x * per + threadIdx.x; c < ((int) blockIdx.x + 1) * per; c += THREADS)
    {
      const float factor = part[0].n * vector_at (a.weight, c, 1);

      a.factor[c] = factor;
      a.summand[c] = vector_at (a.bias, c, 0) - part[0].mean * factor;
    }
}

template <typename T, int V> union Raw
{
  uint4 vector; /* V > 1 */
  T v[16 / sizeof (T)];

  __device__ __forceinline__ void
  load (const T *from)
  {
    if constexpr (V == 1)
      v[0] = *from;
    else
      vector = *reinterpret_cast<const uint4 *> (from);
  }
  __device__ __forceinline__ void
  store (T *to) const
  {
    if constexpr (V == 1)
      *to = v[0];
    else
      *reinterpret_cast<uint4 *> (to) = vector;
  }
  __device__ Raw () {}
};

/* Grid: pieces of rows, slabs. */
template <typename T, int V, bool CONDITION>
__global__ void __launch_bounds__ (THREADS)
apply (const GroupNorm a)
{
  const int in_slab = min (THREADS, a.chunks - (int) blockIdx.y * THREADS), lanes = THREADS / in_slab;
  const int channel = (blockIdx.y * THREADS + threadIdx.x % in_slab) * V;
  const int row = blockIdx.x / a.pieces, y = row % a.h, f = row / a.h, length = (a.w + a.pieces - 1) / a.pieces;
  const int first = blockIdx.x % a.pieces * length, end = min (first + length, a.w);
  const T *x = static_cast<const T *> (a.x) + (int64_t) row * a.w * a.c + channel;
  T *out = static_cast<T *> (a.y) + (int64_t) row * a.w * a.c + channel;
  const T *scale = NULL, *shift = NULL;
  const int wide = CONDITION ? a.w / a.cw : 1;
  float factor[V], summand[V];

  if ((int) threadIdx.x >= lanes * in_slab)
    return;
  if (CONDITION)
    {
      const int cf = a.f > 1 && a.f % 2 == 1 ? (f == 0 ? 0 : 1 + (f - 1) / ((a.f - 1) / (a.cf - 1)))
                                             : f / (a.f / a.cf);
      const int64_t at = ((int64_t) cf * a.ch + y / (a.h / a.ch)) * a.cw * a.c + channel;

      scale = static_cast<const T *> (a.scale) + at;
      shift = static_cast<const T *> (a.shift) + at;
    }
#pragma unroll
  for (int i = 0; i < V; i++)
    {
      factor[i] = a.factor[channel + i];
      summand[i] = a.summand[channel + i];
    }
  for (int p0 = first + threadIdx.x / in_slab; p0 < end; p0 += lanes * AHEAD)
    {
      Raw<T, V> v[AHEAD], k[AHEAD], b[AHEAD];

#pragma unroll
      for (int u = 0; u < AHEAD; u++)
        if (p0 + u * lanes < end)
          {
            v[u].load (x + (int64_t) (p0 + u * lanes) * a.c);
            if (CONDITION)
              {
                k[u].load (scale + (int64_t) ((p0 + u * lanes) / wide) * a.c);
                b[u].load (shift + (int64_t) ((p0 + u * lanes) / wide) * a.c);
              }
          }
#pragma unroll
      for (int u = 0; u < AHEAD; u++)
        {
#pragma unroll
          for (int i = 0; i < V; i++)
            {
              float t = fmaf (to_f32 (v[u].v[i]), factor[i], summand[i]);

              if (CONDITION)
                t = fmaf (t, to_f32 (k[u].v[i]), to_f32 (b[u].v[i]));
              if (a.act == EASEL_ACT_SILU)
                t = sizeof (T) == 2 ? silu_16 (t) : silu (t);
              else if (a.act != EASEL_ACT_NONE)
                t = activate (a.act, t);
              v[u].v[i] = from_f32<T> (t);
            }
          if (p0 + u * lanes < end)
            v[u].store (out + (int64_t) (p0 + u * lanes) * a.c);
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
  a.factor = static_cast<float *> (cuda->workspace);
  a.summand = a.factor + a.c;
  a.partial = a.summand + a.c;
  a.pieces = (int) easel_cuda_divide_up (a.w, lanes * AHEAD * 4);
  if (((int64_t) a.groups * a.slabs * a.blocks * 3 + 2 * a.c) * 4 > (int64_t) EASEL_CUDA_WORKSPACE
      || (int64_t) a.f * a.h * a.pieces > INT_MAX)
    {
      easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, "group_norm: %d groups of %d channels", a.groups, a.c);
      return;
    }
  moments<T, V><<<dim3 (a.blocks, a.slabs), THREADS, 0, cuda->stream>>> (a);
  join<<<a.groups, THREADS, 0, cuda->stream>>> (a);

  const dim3 grid (a.f * a.h * a.pieces, a.slabs);
  if (a.scale)
    apply<T, V, true><<<grid, THREADS, 0, cuda->stream>>> (a);
  else
    apply<T, V, false><<<grid, THREADS, 0, cuda->stream>>> (a);
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
