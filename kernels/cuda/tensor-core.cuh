/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tensor cores as every card from sm_80 up has them: fragments of mma.sync, asynchronous copies into shared memory,
 * pairs of 16-bit numbers, and the epilogue's exchange between the lanes of a quad.
 */
#pragma once

#include "device.cuh"

template <typename T> constexpr bool IS_BF16 = false;
template <> constexpr bool IS_BF16<bf16> = true;

/* Two f32 as the 32 bits of two 16-bit numbers, the first in the lower half; and back. */
template <typename T> __device__ __forceinline__ uint32_t pack2 (float a, float b);
template <>
__device__ __forceinline__ uint32_t
pack2<f16> (float a, float b)
{
  __half2 h = __floats2half2_rn (a, b);
  return *reinterpret_cast<uint32_t *> (&h);
}
template <>
__device__ __forceinline__ uint32_t
pack2<bf16> (float a, float b)
{
  __nv_bfloat162 h = __floats2bfloat162_rn (a, b);
  return *reinterpret_cast<uint32_t *> (&h);
}
template <typename T> __device__ __forceinline__ float2 unpack2 (uint32_t v);
template <>
__device__ __forceinline__ float2
unpack2<f16> (uint32_t v)
{
  return __half22float2 (*reinterpret_cast<__half2 *> (&v));
}
template <>
__device__ __forceinline__ float2
unpack2<bf16> (uint32_t v)
{
  return make_float2 (__uint_as_float (v << 16), __uint_as_float (v & 0xffff0000u));
}

/* Where results are rounded to 16 bits: the hardware's 2^x, 1 / x and what follows from them, good to 22 bits or so. */

__device__ __forceinline__ float
power_of_two (float x)
{
  float y;

  asm ("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float
reciprocal (float x)
{
  float y;

  asm ("rcp.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float
silu_16 (float x)
{
  return x * reciprocal (1 + power_of_two (-1.4426950408889634f * x));
}

__device__ __forceinline__ float
tanh_16 (float x)
{
  return 1 - 2 * reciprocal (1 + power_of_two (2.8853900817779268f * x));
}

/* Lane t of a quad holds columns 2t, 2t + 1 of four tiles of 8 columns (the accumulators of mma and wgmma); afterwards
 * it holds all 8 columns of tile t, 16 bytes in a row. Its own inverse. */
__device__ __forceinline__ void
quad_transpose (uint32_t (&v)[4])
{
  const int lane = threadIdx.x & 3;
  const bool odd = lane & 1, high = lane & 2;
  uint32_t a = __shfl_xor_sync (~0u, odd ? v[0] : v[1], 1), b = __shfl_xor_sync (~0u, odd ? v[2] : v[3], 1);

  if (odd)
    v[0] = a, v[2] = b;
  else
    v[1] = a, v[3] = b;
  a = __shfl_xor_sync (~0u, high ? v[0] : v[2], 2);
  b = __shfl_xor_sync (~0u, high ? v[1] : v[3], 2);
  if (high)
    v[0] = a, v[1] = b;
  else
    v[2] = a, v[3] = b;
}

/* ----------------------------------------------------------------------------------------------- sm_80: copies, mma */

__device__ __forceinline__ uint32_t
shared_address (const void *p)
{
  return static_cast<uint32_t> (__cvta_generic_to_shared (p));
}

/* 16 bytes into shared memory; zeros when not `there`, and then `from` is not read. */
__device__ __forceinline__ void
copy_async (uint32_t to, const void *from, bool there)
{
  asm volatile ("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from), "r"(there ? 16 : 0)
                : "memory");
}

__device__ __forceinline__ void
copy_commit (void)
{
  asm volatile ("cp.async.commit_group;\n" ::: "memory");
}

template <int N>
__device__ __forceinline__ void
copy_wait (void)
{
  asm volatile ("cp.async.wait_group %0;\n" ::"n"(N) : "memory");
}

__device__ __forceinline__ void
load_matrix (uint32_t (&r)[4], uint32_t address)
{
  asm volatile ("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                : "r"(address)
                : "memory");
}

__device__ __forceinline__ void
load_matrix_transposed (uint32_t (&r)[4], uint32_t address)
{
  asm volatile ("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                : "r"(address)
                : "memory");
}

/* c [16, 8] += a [16, 16] b [16, 8]: lane l holds rows l / 4 and l / 4 + 8, columns 2 (l % 4) and the next of c. */
template <typename T>
__device__ __forceinline__ void
mma (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
  if constexpr (IS_BF16<T>)
    asm volatile ("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                  "{%0,%1,%2,%3};\n"
                  : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                  : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  else
    asm volatile ("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                  "{%0,%1,%2,%3};\n"
                  : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                  : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
