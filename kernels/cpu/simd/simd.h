/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Vectors of floats. Every file of this folder is compiled once a level (EASEL_ISA: simd128, avx2, avx512) with that
 * level's compiler flags; ISA (name) is a function's name at that level. Only `static` functions may live in headers
 * used here: an inline function shared with other objects could be the AVX-512 one on a processor without it.
 *
 * Arithmetic is written with operators; what has none is below. Multiply-adds are explicit, so that a full tile and
 * an edge of it round alike.
 */
#pragma once

#include "kernels/cpu/cpu.h"
#include "kernels/half.h"

#include <math.h>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define EASEL_PASTE2(a, b, c) easel_##a##_##b##c
#define EASEL_PASTE(a, b, c) EASEL_PASTE2 (a, b, c)
#define ISA(name) EASEL_PASTE (EASEL_ISA, name, )

#define INLINE static inline __attribute__ ((always_inline))
#define UNROLL _Pragma ("GCC unroll 16")

#if defined(__AVX512F__)
#define VL 16
typedef float vf __attribute__ ((vector_size (64)));
typedef int32_t vi __attribute__ ((vector_size (64), aligned (4)));
#elif defined(__AVX2__)
#define VL 8
typedef float vf __attribute__ ((vector_size (32)));
typedef int32_t vi __attribute__ ((vector_size (32), aligned (4)));
#elif defined(__aarch64__)
#define VL 4
typedef float vf __attribute__ ((vector_size (16)));
typedef int32_t vi __attribute__ ((vector_size (16), aligned (4)));
#else
#define VL 4
typedef float vf __attribute__ ((vector_size (16)));
typedef int32_t vi __attribute__ ((vector_size (16), aligned (4)));
#endif

INLINE vf
vset (float x)
{
#if defined(__AVX512F__)
  return _mm512_set1_ps (x);
#elif defined(__AVX2__)
  return _mm256_set1_ps (x);
#else
  return (vf){ x, x, x, x };
#endif
}

INLINE vf
vload (const float *p)
{
  vf v;
  memcpy (&v, p, sizeof v);
  return v;
}

INLINE void
vstore (float *p, vf v)
{
  memcpy (p, &v, sizeof v);
}

/* The first n < VL elements, zeros after them. */
INLINE vf
vload_part (const float *p, int64_t n)
{
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps ((__mmask16) ((1u << n) - 1), p);
#else
  float t[VL] = { 0 };
  for (int64_t i = 0; i < n; i++)
    t[i] = p[i];
  return vload (t);
#endif
}

INLINE void
vstore_part (float *p, vf v, int64_t n)
{
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps (p, (__mmask16) ((1u << n) - 1), v);
#else
  float t[VL];
  vstore (t, v);
  for (int64_t i = 0; i < n; i++)
    p[i] = t[i];
#endif
}

/* a * b + c */
INLINE vf
vfma (vf a, vf b, vf c)
{
#if defined(__AVX512F__)
  return _mm512_fmadd_ps (a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps (a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f32 (c, a, b);
#else
  return a * b + c;
#endif
}

#if VL == 4
/* a where the comparison holds, else b. */
#define vselect(comparison, a, b) vselect_bits ((vi) (comparison), (a), (b))
INLINE vf
vselect_bits (vi mask, vf a, vf b)
{
  return (vf) (((vi) a & mask) | ((vi) b & ~mask));
}
#endif

/* x where x > limit is false for NaN: NaN comes through. */
INLINE vf
vmax_nan (vf x, float limit)
{
#if defined(__AVX512F__)
  return _mm512_max_ps (vset (limit), x);
#elif defined(__AVX2__)
  return _mm256_max_ps (vset (limit), x);
#else
  vf l = vset (limit);
  return vselect (l > x, l, x);
#endif
}

INLINE vf
vmin_nan (vf x, float limit)
{
#if defined(__AVX512F__)
  return _mm512_min_ps (vset (limit), x);
#elif defined(__AVX2__)
  return _mm256_min_ps (vset (limit), x);
#else
  vf l = vset (limit);
  return vselect (l < x, l, x);
#endif
}

/* The larger of two; NaN when b is. */
INLINE vf
vmax2 (vf a, vf b)
{
#if defined(__AVX512F__)
  return _mm512_max_ps (a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps (a, b);
#else
  return vselect (a > b, a, b);
#endif
}

INLINE vf
vround (vf x)
{
#if defined(__AVX512F__)
  return _mm512_roundscale_ps (x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__AVX2__)
  return _mm256_round_ps (x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__aarch64__)
  return vrndnq_f32 (x);
#else
  /* |x| < 2^22 here: adding 1.5 * 2^23 rounds to nearest. */
  vf magic = vset (12582912.0f);
  return (x + magic) - magic;
#endif
}

/* x * 2^n for whole n in [-126, 127]. */
INLINE vf
vscale2 (vf x, vf n)
{
#if defined(__AVX512F__)
  return _mm512_scalef_ps (x, n);
#else
  vi i = __builtin_convertvector (n, vi);
  vf power;
  i = (i + 127) << 23;
  memcpy (&power, &i, sizeof power);
  return x * power;
#endif
}

/* exp, within 2 units in the last place; 0 below -87.3, at most exp (88.3). x = n ln 2 + r, |r| <= ln 2 / 2. */
INLINE vf
vexp (vf x)
{
  vf n, r, p;

  x = vmin_nan (x, 88.3f);
  x = vmax_nan (x, -87.3f);
  n = vround (x * 1.44269504088896341f);
  r = vfma (n, vset (-0.693359375f), x);
  r = vfma (n, vset (2.12194440e-4f), r);
  p = vfma (vset (1.9875691500e-4f), r, vset (1.3981999507e-3f));
  p = vfma (p, r, vset (8.3334519073e-3f));
  p = vfma (p, r, vset (4.1665795894e-2f));
  p = vfma (p, r, vset (1.6666665459e-1f));
  p = vfma (p, r, vset (5.0000001201e-1f));
  p = vfma (p, r * r, r) + 1.0f;
  return vscale2 (p, n);
}

INLINE vf
vact (vf x, EaselAct act)
{
  switch (act)
    {
    case EASEL_ACT_RELU:
      return vmax_nan (x, 0);
    case EASEL_ACT_SILU:
      return x / (1.0f + vexp (-x));
    case EASEL_ACT_GELU_TANH: /* (1 + tanh (u)) / 2 = 1 / (1 + exp (-2 u)) */
      return x / (1.0f + vexp (x * vfma (x * x, vset (-1.5957691216057308f * 0.044715f), vset (-1.5957691216057308f))));
    default:
      return x;
    }
}

/* Sum of the elements, by halves: the same order on every run. */
INLINE float
vsum (vf v)
{
#if VL == 16
  v = v + __builtin_shufflevector (v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  v = v + __builtin_shufflevector (v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  v = v + __builtin_shufflevector (v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  v = v + __builtin_shufflevector (v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#elif VL == 8
  v = v + __builtin_shufflevector (v, v, 4, 5, 6, 7, 0, 1, 2, 3);
  v = v + __builtin_shufflevector (v, v, 2, 3, 0, 1, 6, 7, 4, 5);
  v = v + __builtin_shufflevector (v, v, 1, 0, 3, 2, 5, 4, 7, 6);
#else
  v = v + __builtin_shufflevector (v, v, 2, 3, 0, 1);
  v = v + __builtin_shufflevector (v, v, 1, 0, 3, 2);
#endif
  return v[0];
}

INLINE float
vtop (vf v)
{
  float t[VL], top;

  vstore (t, v);
  top = t[0];
  for (int i = 1; i < VL; i++)
    if (!(t[i] <= top))
      top = t[i];
  return top;
}

INLINE vf
vload_f16 (const uint16_t *p)
{
#if defined(__AVX512F__)
  return _mm512_cvtph_ps (_mm256_loadu_si256 ((const __m256i *) p));
#elif defined(__AVX2__)
  return _mm256_cvtph_ps (_mm_loadu_si128 ((const __m128i *) p));
#elif defined(__aarch64__)
  return vcvt_f32_f16 (vreinterpret_f16_u16 (vld1_u16 (p)));
#else
  return (vf){ easel_f32_from_f16 (p[0]), easel_f32_from_f16 (p[1]), easel_f32_from_f16 (p[2]),
               easel_f32_from_f16 (p[3]) };
#endif
}

INLINE vf
vload_bf16 (const uint16_t *p)
{
#if defined(__AVX512F__)
  return _mm512_castsi512_ps (
      _mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_loadu_si256 ((const __m256i *) p)), 16));
#elif defined(__AVX2__)
  return _mm256_castsi256_ps (_mm256_slli_epi32 (_mm256_cvtepu16_epi32 (_mm_loadu_si128 ((const __m128i *) p)), 16));
#else
  return (vf){ easel_f32_from_bf16 (p[0]), easel_f32_from_bf16 (p[1]), easel_f32_from_bf16 (p[2]),
               easel_f32_from_bf16 (p[3]) };
#endif
}

/* Elements [i, i + VL) of data of one of the three float dtypes. */
INLINE vf
vload_any (const void *data, EaselDtype dtype, int64_t i)
{
  if (dtype == EASEL_DTYPE_BF16)
    return vload_bf16 ((const uint16_t *) data + i);
  if (dtype == EASEL_DTYPE_F16)
    return vload_f16 ((const uint16_t *) data + i);
  return vload ((const float *) data + i);
}

/* The same for the first n < VL, zeros after them. */
INLINE vf
vload_any_part (const void *data, EaselDtype dtype, int64_t i, int64_t n)
{
  if (dtype == EASEL_DTYPE_F32)
    return vload_part ((const float *) data + i, n);
  else
    {
      uint16_t t[VL] = { 0 };
      memcpy (t, (const uint16_t *) data + i, (size_t) n * sizeof *t);
      return dtype == EASEL_DTYPE_BF16 ? vload_bf16 (t) : vload_f16 (t);
    }
}

/* dst[0 … n) = src[0 … n) as f32. */
INLINE void
vcopy_any (float *dst, const void *src, EaselDtype dtype, int64_t start, int64_t n)
{
  int64_t i = 0;

  for (; i + VL <= n; i += VL)
    vstore (dst + i, vload_any (src, dtype, start + i));
  if (i < n)
    vstore_part (dst + i, vload_any_part (src, dtype, start + i, n - i), n - i);
}

INLINE void
vcopy (float *dst, const float *src, int64_t n)
{
  int64_t i = 0;

  for (; i + VL <= n; i += VL)
    vstore (dst + i, vload (src + i));
  if (i < n)
    vstore_part (dst + i, vload_part (src + i, n - i), n - i);
}

INLINE void
vzero (float *dst, int64_t n)
{
  memset (dst, 0, (size_t) n * sizeof *dst);
}

/* Rows become columns: VL x VL, by log2 (VL) rounds of interleaving the first half of the rows with the second. */
INLINE void
vtranspose (vf r[VL])
{
  UNROLL
  for (int round = 1; round < VL; round *= 2)
    {
      vf t[VL];

      UNROLL
      for (int i = 0; i < VL / 2; i++)
        {
          vf a = r[i], b = r[i + VL / 2];
#if VL == 16
          t[2 * i] = __builtin_shufflevector (a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
          t[2 * i + 1] = __builtin_shufflevector (a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif VL == 8
          t[2 * i] = __builtin_shufflevector (a, b, 0, 8, 1, 9, 2, 10, 3, 11);
          t[2 * i + 1] = __builtin_shufflevector (a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
          t[2 * i] = __builtin_shufflevector (a, b, 0, 4, 1, 5);
          t[2 * i + 1] = __builtin_shufflevector (a, b, 2, 6, 3, 7);
#endif
        }
      UNROLL
      for (int i = 0; i < VL; i++)
        r[i] = t[i];
    }
}

/* The kernels of this level. */
#define EASEL_SIMD_PROTOTYPE(name, Args) void ISA (name) (EaselStream *s, const Args *a);
EASEL_FOR_EACH_OP (EASEL_SIMD_PROTOTYPE)
#undef EASEL_SIMD_PROTOTYPE
