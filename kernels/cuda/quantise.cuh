/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Numbers to 8 bits with a scale a row: what quantise and norm share.
 */
#pragma once

#include "device.cuh"

#include <cuda_fp8.h>

#define QUANTISE_LEAST 1e-30f /* a row below is zeros */

/* Four numbers, the first in the lowest byte. */
template <typename To> __device__ __forceinline__ uint32_t quantise_four (float a, float b, float c, float d);

template <>
__device__ __forceinline__ uint32_t
quantise_four<__nv_fp8_e4m3> (float a, float b, float c, float d)
{
  return (uint32_t) __nv_cvt_float2_to_fp8x2 (make_float2 (a, b), __NV_SATFINITE, __NV_E4M3)
         | (uint32_t) __nv_cvt_float2_to_fp8x2 (make_float2 (c, d), __NV_SATFINITE, __NV_E4M3) << 16;
}

template <>
__device__ __forceinline__ uint32_t
quantise_four<int8_t> (float a, float b, float c, float d)
{
  return (__float2int_rn (a) & 0xff) | (__float2int_rn (b) & 0xff) << 8 | (__float2int_rn (c) & 0xff) << 16
         | (uint32_t) __float2int_rn (d) << 24;
}

/* As bits: infinity is above every number, NaN above infinity. */
__device__ __forceinline__ uint32_t
quantise_magnitude (float x)
{
  return __float_as_uint (x) & 0x7fffffffu;
}

/* What a row's numbers are multiplied with; its scale is largest / most. */
__device__ __forceinline__ float
quantise_factor (float largest, float most)
{
  return largest > QUANTISE_LEAST ? most / largest : 0;
}
