/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Scalar conversions between f32 and the smaller floats, round to nearest even, NaN stays NaN; a row to 8 bits. Every
 * processor.
 */
#pragma once

#include "tensor.h"

#include <math.h>
#include <string.h>

static inline float
easel_float_from_bits (uint32_t bits)
{
  float f;
  memcpy (&f, &bits, sizeof f);
  return f;
}

static inline uint32_t
easel_float_bits (float f)
{
  uint32_t bits;
  memcpy (&bits, &f, sizeof bits);
  return bits;
}

static inline float
easel_f32_from_bf16 (uint16_t h)
{
  return easel_float_from_bits ((uint32_t) h << 16);
}

static inline uint16_t
easel_bf16_from_f32 (float f)
{
  uint32_t u = easel_float_bits (f);

  if ((u & 0x7fffffffu) > 0x7f800000u)
    return (uint16_t) (u >> 16 | 0x40);
  return (uint16_t) ((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

static inline float
easel_f32_from_f16 (uint16_t h)
{
  uint32_t sign = (uint32_t) (h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;

  if (exponent == 31)
    return easel_float_from_bits (sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) /* zero or subnormal: an exact multiple of 2^-24 */
    return easel_float_from_bits (sign | easel_float_bits ((float) mantissa * 0x1p-24f));
  return easel_float_from_bits (sign | (exponent + 112) << 23 | mantissa << 13);
}

static inline uint16_t
easel_f16_from_f32 (float f)
{
  uint32_t u = easel_float_bits (f), sign = u >> 16 & 0x8000, v = u & 0x7fffffffu;

  if (v > 0x7f800000u)
    return (uint16_t) (sign | 0x7e00);
  if (v >= 0x477ff000u) /* rounds to 65536 or beyond */
    return (uint16_t) (sign | 0x7c00);
  if (v < 0x38800000u) /* subnormal: adding 0.5 rounds to a multiple of 2^-24 in the low bits */
    return (uint16_t) (sign | (easel_float_bits (easel_float_from_bits (v) + 0.5f) - 0x3f000000u));
  v += 0xfffu + (v >> 13 & 1);
  return (uint16_t) (sign | (v - 0x38000000u) >> 13);
}

/* E4M3: no infinity, 0x7f is NaN, the largest is 448; what is beyond becomes that. */
static inline float
easel_f32_from_e4m3 (uint8_t h)
{
  uint32_t sign = (uint32_t) (h & 0x80) << 24, exponent = h >> 3 & 15, mantissa = h & 7;

  if ((h & 0x7f) == 0x7f)
    return easel_float_from_bits (sign | 0x7fc00000u);
  if (exponent == 0) /* zero or subnormal: an exact multiple of 2^-9 */
    return easel_float_from_bits (sign | easel_float_bits ((float) mantissa * 0x1p-9f));
  return easel_float_from_bits (sign | (exponent + 120) << 23 | mantissa << 20);
}

static inline uint8_t
easel_e4m3_from_f32 (float f)
{
  uint32_t u = easel_float_bits (f), sign = u >> 24 & 0x80, v = u & 0x7fffffffu;

  if (v > 0x7f800000u)
    return (uint8_t) (sign | 0x7f);
  if (v >= 0x43e80000u) /* 464 rounds to 480 or beyond */
    return (uint8_t) (sign | 0x7e);
  if (v < 0x3c800000u) /* subnormal: adding 2^14 rounds to a multiple of 2^-9 in the low bits */
    return (uint8_t) (sign | (easel_float_bits (easel_float_from_bits (v) + 0x1p14f) - 0x46800000u));
  v += 0x7ffffu + (v >> 20 & 1);
  return (uint8_t) (sign | (v - 0x3c000000u) >> 20);
}

/* Element i of a tensor's data of one of the three float dtypes. */
static inline float
easel_float_at (const void *data, EaselDtype dtype, int64_t i)
{
  switch (dtype)
    {
    case EASEL_DTYPE_BF16:
      return easel_f32_from_bf16 (((const uint16_t *) data)[i]);
    case EASEL_DTYPE_F16:
      return easel_f32_from_f16 (((const uint16_t *) data)[i]);
    default:
      return ((const float *) data)[i];
    }
}

/* out[0 … n) = data[start … start + n) as f32; of scaled tensors without the scale. */
static inline void
easel_floats_at (float *out, const void *data, EaselDtype dtype, int64_t start, int64_t n)
{
  if (dtype == EASEL_DTYPE_F32)
    memcpy (out, (const float *) data + start, (size_t) n * sizeof *out);
  else if (dtype == EASEL_DTYPE_BF16)
    for (int64_t i = 0; i < n; i++)
      out[i] = easel_f32_from_bf16 (((const uint16_t *) data)[start + i]);
  else if (dtype == EASEL_DTYPE_F16)
    for (int64_t i = 0; i < n; i++)
      out[i] = easel_f32_from_f16 (((const uint16_t *) data)[start + i]);
  else if (dtype == EASEL_DTYPE_I8)
    for (int64_t i = 0; i < n; i++)
      out[i] = ((const int8_t *) data)[start + i];
  else
    for (int64_t i = 0; i < n; i++)
      out[i] = easel_f32_from_e4m3 (((const uint8_t *) data)[start + i]);
}

/* One row of quantise (ops.h): codes [k] of `dtype`, f8_e4m3 or i8, and *scale. */
static inline void
easel_quantise_row (const float *x, int64_t k, EaselDtype dtype, void *codes, float *scale)
{
  const float most = dtype == EASEL_DTYPE_I8 ? 127 : 448;
  uint32_t largest = 0;
  float factor;

  /* As bits: infinity is above every number, NaN above infinity. */
  for (int64_t i = 0; i < k; i++)
    {
      uint32_t bits = easel_float_bits (x[i]) & 0x7fffffffu;

      largest = bits > largest ? bits : largest;
    }
  *scale = easel_float_from_bits (largest) / most;
  factor = easel_float_from_bits (largest) > 1e-30f ? most / easel_float_from_bits (largest) : 0;
  for (int64_t i = 0; i < k; i++)
    if (dtype == EASEL_DTYPE_F8_E4M3)
      ((uint8_t *) codes)[i] = easel_e4m3_from_f32 (x[i] * factor);
    else
      ((int8_t *) codes)[i] = largest < 0x7f800000u ? (int8_t) lrintf (x[i] * factor) : 0;
}
