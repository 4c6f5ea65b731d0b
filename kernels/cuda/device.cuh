/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What kernels share: loads and stores through f32, 16 bytes at a time; activations; sums over a warp and a block;
 * dispatch on a dtype. Only for .cu files.
 */
#pragma once

#include "cuda.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

/* Hopper's own instructions (wgmma, setmaxnreg) exist in the pass for sm_90a alone. */
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define EASEL_CUDA_HAS_HOPPER 1
#else
#define EASEL_CUDA_HAS_HOPPER 0
#endif

typedef __nv_bfloat16 bf16;
typedef __half f16;

/* For kernels that are launched with easel_cuda_early(): the first thing that touches memory waits here for what was
 * issued before, and lets what is issued next begin likewise. */
__device__ __forceinline__ void
wait_for_previous (void)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile ("griddepcontrol.wait;\ngriddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

/* A kernel that begins while the one before it ends (sm_90 and newer): barriers and the like are made ready meanwhile.
 * False, and *attribute untouched, where cards cannot. */
static inline bool
easel_cuda_early (const EaselStream *s, cudaLaunchAttribute *attribute)
{
  if (easel_cuda (s)->sm < 90)
    return false;
  attribute->id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute->val.programmaticStreamSerializationAllowed = 1;
  return true;
}

/* ---- one number ---- */

__device__ __forceinline__ float
to_f32 (float x)
{
  return x;
}

__device__ __forceinline__ float
to_f32 (f16 x)
{
  return __half2float (x);
}

__device__ __forceinline__ float
to_f32 (bf16 x)
{
  return __bfloat162float (x);
}

template <typename T> __device__ __forceinline__ T from_f32 (float x);

template <>
__device__ __forceinline__ float
from_f32<float> (float x)
{
  return x;
}

template <>
__device__ __forceinline__ f16
from_f32<f16> (float x)
{
  return __float2half_rn (x);
}

template <>
__device__ __forceinline__ bf16
from_f32<bf16> (float x)
{
  return __float2bfloat16_rn (x);
}

/* ---- 16 bytes ---- */

template <typename T> struct alignas (16) Pack
{
  static constexpr int N = 16 / sizeof (T);
  T v[N];
};

/* `at` on 16 bytes. */
template <typename T>
__device__ __forceinline__ Pack<T>
load_pack (const T *at)
{
  Pack<T> p;
  *(uint4 *) &p = *(const uint4 *) at;
  return p;
}

template <typename T>
__device__ __forceinline__ void
store_pack (T *at, const Pack<T> &p)
{
  *(uint4 *) at = *(const uint4 *) &p;
}

/* N floats (a multiple of nothing in particular) from 16 bytes and back. */
template <typename T>
__device__ __forceinline__ void
load_f32 (float (&out)[Pack<T>::N], const T *at)
{
  Pack<T> p = load_pack (at);
#pragma unroll
  for (int i = 0; i < Pack<T>::N; i++)
    out[i] = to_f32 (p.v[i]);
}

template <typename T>
__device__ __forceinline__ void
store_f32 (T *at, const float (&x)[Pack<T>::N])
{
  Pack<T> p;
#pragma unroll
  for (int i = 0; i < Pack<T>::N; i++)
    p.v[i] = from_f32<T> (x[i]);
  store_pack (at, p);
}

/* ---- biases and the like: any dtype, decided at run time; the branch is the same for all threads ---- */

typedef struct
{
  const void *data; /* NULL: absent */
  int dtype;
} EaselCudaVector;

static inline EaselCudaVector
easel_cuda_vector (const EaselTensor *t)
{
  EaselCudaVector v = { t->data, (int) t->dtype };
  return v;
}

/* `absent` where there is none. */
__device__ __forceinline__ float
vector_at (const EaselCudaVector &v, int64_t i, float absent)
{
  if (!v.data)
    return absent;
  if (v.dtype == EASEL_DTYPE_F32)
    return ((const float *) v.data)[i];
  return v.dtype == EASEL_DTYPE_BF16 ? to_f32 (((const bf16 *) v.data)[i]) : to_f32 (((const f16 *) v.data)[i]);
}

/* ---- activations; real expf and tanhf ---- */

__device__ __forceinline__ float
silu (float x)
{
  return x / (1.0f + expf (-x));
}

__device__ __forceinline__ float
gelu_tanh (float x)
{
  return 0.5f * x * (1.0f + tanhf (0.7978845608028654f * (x + 0.044715f * x * x * x)));
}

/* NaN passes through relu as it does on the CPU. */
__device__ __forceinline__ float
relu (float x)
{
  return x < 0.0f ? 0.0f : x;
}

/* `act` is an EaselAct, the same for all threads. */
__device__ __forceinline__ float
activate (int act, float x)
{
  switch (act)
    {
    case EASEL_ACT_RELU:
      return relu (x);
    case EASEL_ACT_SILU:
      return silu (x);
    case EASEL_ACT_GELU_TANH:
      return gelu_tanh (x);
    default:
      return x;
    }
}

/* ---- sums: fixed order ---- */

__device__ __forceinline__ float
warp_sum (float x)
{
#pragma unroll
  for (int d = 16; d > 0; d >>= 1)
    x += __shfl_xor_sync (0xffffffffu, x, d);
  return x;
}

__device__ __forceinline__ float
warp_max (float x)
{
#pragma unroll
  for (int d = 16; d > 0; d >>= 1)
    x = fmaxf (x, __shfl_xor_sync (0xffffffffu, x, d));
  return x;
}

/* Over blockDim.x threads (a multiple of 32, at most 1024), result in every thread. `shared` has 33 floats; a second
 * call with the same memory is fine. */
__device__ __forceinline__ float
block_sum (float x, float *shared)
{
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;

  x = warp_sum (x);
  __syncthreads ();
  if (lane == 0)
    shared[warp] = x;
  __syncthreads ();
  if (warp == 0)
    {
      x = lane < (int) (blockDim.x / 32) ? shared[lane] : 0.0f;
      x = warp_sum (x);
      if (lane == 0)
        shared[32] = x;
    }
  __syncthreads ();
  return shared[32];
}

/* ---- dispatch ---- */

/* Runs the code with T as the type of `dtype` (f32, f16, bf16). */
#define EASEL_CUDA_DISPATCH(dtype, ...)                                      \
  do                                                                         \
    {                                                                        \
      switch (dtype)                                                         \
        {                                                                    \
        case EASEL_DTYPE_F32:                                                \
          {                                                                  \
            typedef float T;                                                 \
            __VA_ARGS__                                                      \
          }                                                                  \
          break;                                                             \
        case EASEL_DTYPE_F16:                                                \
          {                                                                  \
            typedef f16 T;                                                   \
            __VA_ARGS__                                                      \
          }                                                                  \
          break;                                                             \
        default:                                                             \
          {                                                                  \
            typedef bf16 T;                                                  \
            __VA_ARGS__                                                      \
          }                                                                  \
          break;                                                             \
        }                                                                    \
    }                                                                        \
  while (0)

static inline bool
easel_cuda_aligned (const void *p)
{
  return ((uintptr_t) p & 15) == 0;
}

static inline int64_t
easel_cuda_divide_up (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

/* Blocks for `n` items of `per_block`, at most `most` (kernels loop over the rest). */
static inline unsigned
easel_cuda_blocks (int64_t n, int64_t per_block, int64_t most)
{
  int64_t blocks = easel_cuda_divide_up (n, per_block);
  return (unsigned) (blocks < most ? blocks : most);
}
