/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * n = norm (x[m,:]) * (weight_offset + weight) + bias;  y = residual + act (n * (1 + scale[b,:]) + shift[b,:])
 *
 * A row is read once and kept in registers; mean and variance in two passes over those registers, f32. Bound by memory:
 * 2 bytes in, 2 bytes out per number in bf16. Many rows of up to 288 packs of 16 bytes: a warp a row, or several short
 * rows a warp (norm_warps; norm_scaled when y has 8 bits). Otherwise a block a row (norm_rows, up to 8 packs a
 * thread; longer rows are read again).
 */
#include "cuda-device.h"
#include "quantise.cuh"

typedef struct
{
  const void *x, *residual;
  void *y;
  int64_t ldx, ldy, ldr, per_scale, per_shift; /* rows that share a row of the tables */
  int64_t first;                               /* row, as the tables count */
  EaselCudaVector weight, bias;
  const float *scale, *shift;
  float *y_scales; /* y has 8 bits: integers, or e4m3 */
  float eps, weight_offset;
  int C, act, rms;
  bool integers;
} Norm;

__device__ __forceinline__ float
normed (const Norm &a, float x, float mean, float inverse, const float *scale, const float *shift, int c)
{
  float n = (x - mean) * inverse * (a.weight.data ? a.weight_offset + vector_at (a.weight, c, 0.0f) : 1.0f)
            + vector_at (a.bias, c, 0.0f);

  if (scale)
    n *= 1.0f + scale[c];
  if (shift)
    n += shift[c];
  return activate (a.act, n);
}

/* V packs a thread; V 0: one number at a time, rows of any length and alignment. */
template <typename T, int V>
static __global__ void
norm_rows (const Norm a)
{
  constexpr int P = V ? Pack<T>::N : 1, K = V ? V : 1;
  __shared__ float shared[33];
  const int64_t m = blockIdx.x;
  const T *x = (const T *) a.x + m * a.ldx;
  const T *r = a.residual ? (const T *) a.residual + m * a.ldr : NULL;
  const float *scale = a.scale ? a.scale + (a.first + m) / a.per_scale * a.C : NULL;
  const float *shift = a.shift ? a.shift + (a.first + m) / a.per_shift * a.C : NULL;
  T *y = (T *) a.y + m * a.ldy;
  float v[K][Pack<T>::N], mean = 0, sum = 0;

  if (V)
    {
#pragma unroll
      for (int k = 0; k < K; k++)
        {
          const int c = (k * blockDim.x + threadIdx.x) * P;

          if (c < a.C)
            load_f32 (v[k], x + c);
          else
#pragma unroll
            for (int i = 0; i < P; i++)
              v[k][i] = 0;
#pragma unroll
          for (int i = 0; i < P; i++)
            sum += v[k][i];
        }
      if (!a.rms)
        mean = block_sum (sum, shared) / a.C;
      sum = 0;
#pragma unroll
      for (int k = 0; k < K; k++)
        if ((int) (k * blockDim.x + threadIdx.x) * P < a.C)
#pragma unroll
          for (int i = 0; i < P; i++)
            sum += (v[k][i] - mean) * (v[k][i] - mean);
    }
  else
    {
      if (!a.rms)
        {
          for (int c = threadIdx.x; c < a.C; c += blockDim.x)
            sum += to_f32 (x[c]);
          mean = block_sum (sum, shared) / a.C;
        }
      sum = 0;
      for (int c = threadIdx.x; c < a.C; c += blockDim.x)
        sum += (to_f32 (x[c]) - mean) * (to_f32 (x[c]) - mean);
    }
  const float inverse = 1.0f / sqrtf (block_sum (sum, shared) / a.C + a.eps);

  if (V)
    {
#pragma unroll
      for (int k = 0; k < K; k++)
        {
          const int c = (k * blockDim.x + threadIdx.x) * P;
          float add[Pack<T>::N] = {};

          if (c >= a.C)
            continue;
          if (r)
            load_f32 (add, r + c);
#pragma unroll
          for (int i = 0; i < P; i++)
            v[k][i] = add[i] + normed (a, v[k][i], mean, inverse, scale, shift, c + i);
          store_f32 (y + c, v[k]);
        }
    }
  else
    for (int c = threadIdx.x; c < a.C; c += blockDim.x)
      y[c] = from_f32<T> ((r ? to_f32 (r[c]) : 0.0f)
                          + normed (a, to_f32 (x[c]), mean, inverse, scale, shift, c));
}

/* N numbers of a vector from c on, a multiple of N. */
template <int N>
__device__ __forceinline__ void
vector_pack (const EaselCudaVector &v, int c, float absent, float (&out)[N])
{
  if (!v.data)
#pragma unroll
    for (int i = 0; i < N; i++)
      out[i] = absent;
  else if (v.dtype == EASEL_DTYPE_F32)
#pragma unroll
    for (int i = 0; i < N; i += 4)
      *(float4 *) &out[i] = *(const float4 *) ((const float *) v.data + c + i);
  else
#pragma unroll
    for (int i = 0; i < N; i += 4)
      {
        const uint2 u = *(const uint2 *) ((const bf16 *) v.data + c + i);
        const uint32_t both[2] = { u.x, u.y };

#pragma unroll
        for (int j = 0; j < 4; j++)
          out[i + j] = v.dtype == EASEL_DTYPE_BF16 ? to_f32 (((const bf16 *) both)[j])
                                                   : to_f32 (((const f16 *) both)[j]);
      }
}

/* `lanes` (a power of two) lanes a row, K packs a lane, kept as they are in memory. Activations: none, SiLU, ReLU: code
 * that is unrolled has to stay short, see conv-store.cuh. */
template <typename T, int K>
static __global__ void
__launch_bounds__ (256, 2)
norm_warps (const Norm a, int64_t rows, int lanes)
{
  constexpr int P = Pack<T>::N;
  const int64_t m = (blockIdx.x * (int64_t) 256 + threadIdx.x) / lanes;
  const int lane = threadIdx.x % lanes;
  const bool there = m < rows;
  const T *x = (const T *) a.x + m * a.ldx, *r = (const T *) a.residual + m * a.ldr;
  T *y = (T *) a.y + m * a.ldy;
  Pack<T> v[K];
  float sum = 0, mean = 0;

  wait_for_previous ();
#pragma unroll
  for (int k = 0; k < K; k++)
    if (there && (k * lanes + lane) * P < a.C)
      v[k] = load_pack (x + (k * lanes + lane) * P);
    else
      *(uint4 *) &v[k] = make_uint4 (0, 0, 0, 0);
  if (!a.rms)
    {
#pragma unroll
      for (int k = 0; k < K; k++)
#pragma unroll
        for (int i = 0; i < P; i++)
          sum += to_f32 (v[k].v[i]);
      for (int d = lanes / 2; d > 0; d /= 2)
        sum += __shfl_xor_sync (0xffffffffu, sum, d);
      mean = sum / a.C;
    }
  sum = 0;
#pragma unroll
  for (int k = 0; k < K; k++)
    if ((k * lanes + lane) * P < a.C)
#pragma unroll
      for (int i = 0; i < P; i++)
        sum += (to_f32 (v[k].v[i]) - mean) * (to_f32 (v[k].v[i]) - mean);
  for (int d = lanes / 2; d > 0; d /= 2)
    sum += __shfl_xor_sync (0xffffffffu, sum, d);
  const float inverse = 1.0f / sqrtf (sum / a.C + a.eps);
  const float *scale = a.scale ? a.scale + (a.first + m) / a.per_scale * a.C : NULL;
  const float *shift = a.shift ? a.shift + (a.first + m) / a.per_shift * a.C : NULL;

#pragma unroll
  for (int k = 0; k < K; k++)
    {
      const int c = (k * lanes + lane) * P;
      float n[P], t[P];

      if (!there || c >= a.C)
        continue;
      vector_pack<P> (a.weight, c, 1.0f - a.weight_offset, t);
#pragma unroll
      for (int i = 0; i < P; i++)
        n[i] = (to_f32 (v[k].v[i]) - mean) * inverse * (a.weight_offset + t[i]);
      vector_pack<P> (a.bias, c, 0.0f, t);
#pragma unroll
      for (int i = 0; i < P; i++)
        n[i] += t[i];
      if (scale)
        {
          vector_pack<P> (EaselCudaVector{ scale, EASEL_DTYPE_F32 }, c, 0.0f, t);
#pragma unroll
          for (int i = 0; i < P; i++)
            n[i] *= 1.0f + t[i];
        }
      if (shift)
        {
          vector_pack<P> (EaselCudaVector{ shift, EASEL_DTYPE_F32 }, c, 0.0f, t);
#pragma unroll
          for (int i = 0; i < P; i++)
            n[i] += t[i];
        }
      if (a.act != EASEL_ACT_NONE)
#pragma unroll
        for (int i = 0; i < P; i++)
          n[i] = a.act == EASEL_ACT_SILU ? silu (n[i]) : relu (n[i]);
      if (a.residual)
        {
          load_f32 (t, r + c);
#pragma unroll
          for (int i = 0; i < P; i++)
            n[i] += t[i];
        }
      store_f32 (y + c, n);
    }
}

/* Eight bits: a warp a row, which stays in shared memory, each pack its lane's alone. Loops, not registers: what is
 * unrolled nine times takes longer to fetch than to execute. */
template <typename T>
static __global__ void
norm_scaled (const Norm a, int64_t rows)
{
  constexpr int P = Pack<T>::N;
  extern __shared__ uint4 packs[];
  const int lane = threadIdx.x % 32, n = a.C / P;
  const int64_t m = (int64_t) blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  T *row = (T *) (packs + threadIdx.x / 32 * n);
  const float most = a.integers ? 127 : 448;
  uint32_t largest = 0;
  float sum = 0, mean = 0, v[P], t[P];

  wait_for_previous ();
  if (m >= rows)
    return;
  const T *x = (const T *) a.x + m * a.ldx, *r = (const T *) a.residual + m * a.ldr;
  const float *scale = a.scale ? a.scale + (a.first + m) / a.per_scale * a.C : NULL;
  const float *shift = a.shift ? a.shift + (a.first + m) / a.per_shift * a.C : NULL;

#pragma unroll 3
  for (int k = lane; k < n; k += 32)
    {
      load_f32 (v, x + k * P);
      store_f32 (row + k * P, v);
#pragma unroll
      for (int i = 0; i < P; i++)
        sum += v[i];
    }
  if (!a.rms)
    mean = warp_sum (sum) / a.C;
  sum = 0;
  for (int k = lane; k < n; k += 32)
    {
      load_f32 (v, row + k * P);
#pragma unroll
      for (int i = 0; i < P; i++)
        sum += (v[i] - mean) * (v[i] - mean);
    }
  const float inverse = 1.0f / sqrtf (warp_sum (sum) / a.C + a.eps);

#pragma unroll 2
  for (int k = lane; k < n; k += 32)
    {
      const int c = k * P;

      load_f32 (v, row + c);
      vector_pack<P> (a.weight, c, 1.0f - a.weight_offset, t);
#pragma unroll
      for (int i = 0; i < P; i++)
        v[i] = (v[i] - mean) * inverse * (a.weight_offset + t[i]);
      vector_pack<P> (a.bias, c, 0.0f, t);
#pragma unroll
      for (int i = 0; i < P; i++)
        v[i] += t[i];
      vector_pack<P> (EaselCudaVector{ scale, EASEL_DTYPE_F32 }, c, 0.0f, t);
#pragma unroll
      for (int i = 0; i < P; i++)
        v[i] *= 1.0f + t[i];
      vector_pack<P> (EaselCudaVector{ shift, EASEL_DTYPE_F32 }, c, 0.0f, t);
#pragma unroll
      for (int i = 0; i < P; i++)
        v[i] += t[i];
      if (a.act != EASEL_ACT_NONE)
#pragma unroll
        for (int i = 0; i < P; i++)
          v[i] = a.act == EASEL_ACT_SILU ? silu (v[i]) : relu (v[i]);
      if (a.residual)
        {
          load_f32 (t, r + c);
#pragma unroll
          for (int i = 0; i < P; i++)
            v[i] += t[i];
        }
      store_f32 (row + c, v);
#pragma unroll
      for (int i = 0; i < P; i++)
        largest = max (largest, quantise_magnitude (to_f32 (row[c + i])));
    }
  largest = __reduce_max_sync (0xffffffffu, largest);
  const float factor = quantise_factor (__uint_as_float (largest), most);

  if (lane == 0)
    a.y_scales[m] = __uint_as_float (largest) / most;
  for (int k = lane; k < n; k += 32)
    {
      uint32_t *y = (uint32_t *) ((char *) a.y + m * a.C + k * P);

      load_f32 (v, row + k * P);
#pragma unroll
      for (int i = 0; i < P; i++)
        v[i] *= factor;
#pragma unroll
      for (int i = 0; i < P; i += 4)
        y[i / 4] = a.integers ? quantise_four<int8_t> (v[i], v[i + 1], v[i + 2], v[i + 3])
                              : quantise_four<__nv_fp8_e4m3> (v[i], v[i + 1], v[i + 2], v[i + 3]);
    }
}

/* A norm's kernel that begins early. */
template <typename... Args>
static void
start (EaselStream *s, void (*kernel) (Args...), int64_t blocks, int threads, size_t shared, Args... args)
{
  cudaLaunchAttribute early = {};
  cudaLaunchConfig_t config = {};

  config.gridDim = dim3 ((unsigned) blocks);
  config.blockDim = dim3 ((unsigned) threads);
  config.dynamicSmemBytes = shared;
  config.stream = easel_cuda (s)->stream;
  config.attrs = &early;
  config.numAttrs = easel_cuda_early (s, &early) ? 1 : 0;
  easel_cuda_check (s, cudaLaunchKernelEx (&config, kernel, args...), "norm", NULL);
}

template <typename T>
static bool
launch_warps (EaselStream *s, const Norm *a, int64_t rows)
{
  const int n = a->C / Pack<T>::N;
  const int warps = rows < 1024 ? 2 : 8; /* of a block; rows that are written as 8 bits have one each */
  int lanes = 1;

  if (n > 288 || (n > 64 && rows < 1024 && !a->y_scales) || a->act == EASEL_ACT_GELU_TANH
      || !easel_cuda_aligned (a->weight.data)
      || !easel_cuda_aligned (a->bias.data) || !easel_cuda_aligned (a->scale) || !easel_cuda_aligned (a->shift))
    return false;
  if (a->y_scales)
    {
      start (s, norm_scaled<T>, easel_cuda_divide_up (rows, warps), warps * 32, (size_t) warps * n * 16, *a, rows);
      return true;
    }
  while (lanes < n && lanes < 32)
    lanes *= 2;
  const int64_t blocks = easel_cuda_divide_up (rows * lanes, 256);
  if (n <= lanes)
    start (s, norm_warps<T, 1>, blocks, 256, 0, *a, rows, lanes);
  else if (n <= 2 * lanes)
    start (s, norm_warps<T, 2>, blocks, 256, 0, *a, rows, lanes);
  else
    start (s, norm_warps<T, 9>, blocks, 256, 0, *a, rows, lanes);
  return true;
}

template <typename T> static void launch (EaselStream *s, const Norm *a, int64_t rows);

/* Rows to 8 bits that norm_scaled does not take: through the workspace. */
template <typename T>
static void
launch_scaled (EaselStream *s, const Norm *a, int64_t rows)
{
  const int64_t slice = (int64_t) (EASEL_CUDA_WORKSPACE / (a->C * sizeof (T)));
  const EaselDtype dtype = a->integers ? EASEL_DTYPE_I8 : EASEL_DTYPE_F8_E4M3;

  for (int64_t m0 = 0; m0 < rows; m0 += slice)
    {
      const int64_t m = rows - m0 < slice ? rows - m0 : slice;
      const int64_t shape[2] = { m, a->C };
      EaselTensor y = easel_tensor ((char *) a->y + m0 * a->C, dtype, 2, shape);
      Norm part = *a;

      part.x = (const T *) a->x + m0 * a->ldx;
      part.residual = a->residual ? (const T *) a->residual + m0 * a->ldr : NULL;
      part.first = a->first + m0;
      part.y = easel_cuda (s)->workspace;
      part.y_scales = NULL;
      y.scales = a->y_scales + m0;
      launch<T> (s, &part, m);
      easel_cuda_quantise_rows (s, part.y, s->act_dtype, a->C, y);
    }
}

template <typename T>
static void
launch (EaselStream *s, const Norm *a, int64_t rows)
{
  constexpr int P = Pack<T>::N;
  const bool packs = a->C % P == 0 && a->ldx % P == 0 && a->ldy % P == 0 && a->ldr % P == 0
                     && easel_cuda_aligned (a->x) && easel_cuda_aligned (a->y) && easel_cuda_aligned (a->residual);
  const int n = a->C / P;
  cudaStream_t stream = easel_cuda (s)->stream;
  int threads;

  if (packs && launch_warps<T> (s, a, rows))
    return;
  if (a->y_scales)
    {
      launch_scaled<T> (s, a, rows);
      return;
    }
  /* As few packs a thread as there are threads for: a row's latency is what counts. */
  if (!packs || n > 8 * 512) /* more threads have not the registers for 8 packs */
    {
      threads = a->C >= 1024 ? 256 : a->C >= 256 ? 128 : 32;
      norm_rows<T, 0><<<(unsigned) rows, threads, 0, stream>>> (*a);
      return;
    }
  if (n <= 512)
    {
      threads = (n + 31) / 32 * 32;
      norm_rows<T, 1><<<(unsigned) rows, threads, 0, stream>>> (*a);
    }
  else if (n <= 1024)
    {
      threads = (n + 63) / 64 * 32;
      norm_rows<T, 2><<<(unsigned) rows, threads, 0, stream>>> (*a);
    }
  else
    {
      threads = (n + 255) / 256 * 32;
      norm_rows<T, 8><<<(unsigned) rows, threads, 0, stream>>> (*a);
    }
}

void
easel_cuda_norm (EaselStream *s, const EaselNormArgs *a)
{
  const int64_t C = a->x.shape[a->x.n_dims - 1], M = easel_tensor_count (&a->x) / C;
  Norm n = {};

  if (C > INT32_MAX || M > INT32_MAX)
    {
      easel_cuda_refuse (s, "norm", "too large", &a->x);
      return;
    }
  n.x = a->x.data, n.y = a->y.data, n.residual = a->residual.data;
  n.ldx = a->x_stride ? a->x_stride : C, n.ldy = a->y_stride ? a->y_stride : C;
  n.ldr = a->residual.data == a->y.data ? n.ldy : C;
  n.per_scale = a->scale.data ? M / (easel_tensor_count (&a->scale) / C) : M;
  n.per_shift = a->shift.data ? M / (easel_tensor_count (&a->shift) / C) : M;
  n.weight = easel_cuda_vector (&a->weight), n.bias = easel_cuda_vector (&a->bias);
  n.scale = (const float *) a->scale.data, n.shift = (const float *) a->shift.data;
  n.eps = a->eps, n.weight_offset = a->weight_offset;
  n.y_scales = a->y.scales, n.integers = a->y.dtype == EASEL_DTYPE_I8;
  n.C = (int) C, n.act = a->act, n.rms = a->kind == EASEL_NORM_RMS;
  EASEL_CUDA_DISPATCH (s->act_dtype, { launch<T> (s, &n, M); });
  easel_cuda_launched (s, "norm", &a->y);
}
