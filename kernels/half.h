/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Scalar conversions between f32 and the 16-bit floats, round to nearest even, NaN stays NaN. Every processor.
 */
#pragma once

#include "tensor.h"

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

/* out[0 … n) = data[start … start + n) as f32. */
static inline void
easel_floats_at (float *out, const void *data, EaselDtype dtype, int64_t start, int64_t n)
{
  if (dtype == EASEL_DTYPE_F32)
    memcpy (out, (const float *) data + start, (size_t) n * sizeof *out);
  else if (dtype == EASEL_DTYPE_BF16)
    for (int64_t i = 0; i < n; i++)
      out[i] = easel_f32_from_bf16 (((const uint16_t *) data)[start + i]);
  else
    for (int64_t i = 0; i < n; i++)
      out[i] = easel_f32_from_f16 (((const uint16_t *) data)[start + i]);
}
