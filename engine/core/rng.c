/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * CPU. mt19937 (Matsumoto and Nishimura 1998) seeded with the low 32 bits of the seed, then Box-Muller as torch's CPU
 * kernel does it. From 16 values on, uniforms fill the whole output and are transformed in blocks of 16: value j and
 * j + 8 of a block become radius * cos and radius * sin. A rest shorter than 16 is drawn anew as the last 16 values.
 * In float the AVX2 build of torch approximates log, sin and cos with the single precision polynomials of Cephes
 * (Moshier), contracted to fused multiply-adds by its compiler; the same polynomials in the same order give the same
 * bits here. Below 16 values each is drawn in double, and the sine half of a pair is kept for the next call.
 *
 * CUDA. Philox 4x32-10 (Salmon et al. 2011): thread t of the grid has the subsequence t and draws four normals at a
 * time, which land a grid apart.
 */
#include "engine/core/rng.h"

#include <math.h>
#include <string.h>

#include "kernels/half.h"

#define MT_N 624
#define MT_M 397

struct EaselRng
{
  EaselRngKind kind;
  guint64 seed;
  /* CPU */
  guint32 mt[MT_N];
  int mt_next; /* MT_N: all used */
  gboolean has_spare;
  double spare; /* the sine half of the last single pair */
  /* CUDA */
  guint64 offset; /* of the next draw, in single 32-bit numbers of every thread */
  guint multiprocessors, threads;
};

EaselRng *
easel_rng_new (EaselRngKind kind, guint64 seed)
{
  EaselRng *self = g_new0 (EaselRng, 1);
  self->kind = kind;
  self->seed = seed;
  self->mt[0] = (guint32) seed;
  for (guint32 i = 1; i < MT_N; i++)
    self->mt[i] = 1812433253u * (self->mt[i - 1] ^ (self->mt[i - 1] >> 30)) + i;
  self->mt_next = MT_N;
  easel_rng_set_cuda_grid (self, 132, 2048);
  return self;
}

void
easel_rng_free (EaselRng *self)
{
  g_free (self);
}

void
easel_rng_set_cuda_grid (EaselRng *self, guint multiprocessors, guint threads_per_multiprocessor)
{
  self->multiprocessors = MAX (multiprocessors, 1);
  self->threads = MAX (threads_per_multiprocessor, 256);
}

/* ---- mt19937 ---- */

static void
mt_refill (EaselRng *self)
{
  for (int i = 0; i < MT_N; i++)
    {
      guint32 y = (self->mt[i] & 0x80000000u) | (self->mt[(i + 1) % MT_N] & 0x7fffffffu);
      self->mt[i] = self->mt[(i + MT_M) % MT_N] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
  self->mt_next = 0;
}

static guint32
mt_draw (EaselRng *self)
{
  if (self->mt_next >= MT_N)
    mt_refill (self);
  guint32 y = self->mt[self->mt_next++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

/* Uniform in [0, 1) with 24 bits. */
static float
mt_float (EaselRng *self)
{
  return (float) (mt_draw (self) & 0xffffffu) * 0x1p-24f;
}

/* Uniform in [0, 1) with 53 bits; torch puts the first number into the high half. */
static double
mt_double (EaselRng *self)
{
  guint64 high = mt_draw (self);
  guint64 low = mt_draw (self);
  return (double) ((high << 32 | low) & ((G_GUINT64_CONSTANT (1) << 53) - 1)) * 0x1p-53;
}

/* ---- float: the Cephes polynomials ---- */

static float
cephes_logf (float x)
{
  static const float P[] = { 7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                             -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                             2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f };
  int exponent;
  x = frexpf (x, &exponent);
  float e = (float) exponent;
  if (x < 0.707106781186547524f)
    {
      e -= 1.0f;
      x = x - 1.0f + x;
    }
  else
    x -= 1.0f;
  float z = x * x;
  float y = P[0];
  for (int i = 1; i < 9; i++)
    y = fmaf (y, x, P[i]);
  y = y * x;
  y = fmaf (y, z, e * -2.12194440e-4f);
  y = fmaf (-z, 0.5f, y);
  return fmaf (e, 0.693359375f, x + y);
}

/* 0 <= x < 2 pi */
static void
cephes_sincosf (float x, float *sine, float *cosine)
{
  guint32 octant = ((guint32) (x * 1.27323954473516f) + 1) & ~1u;
  float y = (float) octant;
  x = fmaf (y, -0.78515625f, x);
  x = fmaf (y, -2.4187564849853515625e-4f, x);
  x = fmaf (y, -3.77489497744594108e-8f, x);
  float z = x * x;
  float c = 2.443315711809948e-5f;
  c = fmaf (c, z, -1.388731625493765e-3f);
  c = fmaf (c, z, 4.166664568298827e-2f);
  c = c * z;
  c = fmaf (c, z, -(z * 0.5f)) + 1.0f;
  float s = -1.9515295891e-4f;
  s = fmaf (s, z, 8.3321608736e-3f);
  s = fmaf (s, z, -1.6666654611e-1f);
  s = s * z;
  s = fmaf (s, x, x);
  gboolean swap = (octant & 2) != 0;
  float sin_value = swap ? c : s, cos_value = swap ? s : c;
  *sine = octant & 4 ? -sin_value : sin_value;
  *cosine = (octant + 2) & 4 ? -cos_value : cos_value;
}

static void
block_float (float *data)
{
  for (int j = 0; j < 8; j++)
    {
      float u1 = 1.0f - data[j]; /* (0, 1] for the logarithm */
      float radius = sqrtf (-2.0f * cephes_logf (u1));
      float sine, cosine;
      cephes_sincosf ((float) (2.0 * G_PI) * data[j + 8], &sine, &cosine);
      /* + 0: no negative zeros */
      data[j] = radius * cosine + 0.0f;
      data[j + 8] = radius * sine + 0.0f;
    }
}

static void
cpu_float (EaselRng *self, float *out, gsize n)
{
  for (gsize i = 0; i < n; i++)
    out[i] = mt_float (self);
  for (gsize i = 0; i + 16 <= n; i += 16)
    block_float (out + i);
  if (n % 16 != 0)
    {
      for (gsize i = n - 16; i < n; i++)
        out[i] = mt_float (self);
      block_float (out + n - 16);
    }
}

/* ---- double, half, bf16 ---- */

static float
narrow (float x, EaselDtype dtype)
{
  if (dtype == EASEL_DTYPE_F16)
    return easel_f32_from_f16 (easel_f16_from_f32 (x));
  return dtype == EASEL_DTYPE_BF16 ? easel_f32_from_bf16 (easel_bf16_from_f32 (x)) : x;
}

/* torch computes the 16-bit dtypes in themselves: every operation rounds. */
static void
block_narrow (float *data, EaselDtype dtype)
{
  for (int j = 0; j < 8; j++)
    {
      float u1 = narrow (1.0f - data[j], dtype);
      float log_u1 = narrow (logf (u1), dtype);
      float radius = narrow (sqrtf (narrow (-2.0f * log_u1, dtype)), dtype);
      float theta = narrow ((float) (2.0 * G_PI * (double) data[j + 8]), dtype);
      data[j] = narrow (radius * narrow (cosf (theta), dtype), dtype) + 0.0f;
      data[j + 8] = narrow (radius * narrow (sinf (theta), dtype), dtype) + 0.0f;
    }
}

static void
cpu_narrow (EaselRng *self, float *out, gsize n, EaselDtype dtype)
{
  int bits = dtype == EASEL_DTYPE_F16 ? 11 : 8;
  guint32 mask = (1u << bits) - 1;
  float unit = ldexpf (1.0f, -bits);
  for (gsize i = 0; i < n; i++)
    out[i] = (float) (mt_draw (self) & mask) * unit;
  for (gsize i = 0; i + 16 <= n; i += 16)
    block_narrow (out + i, dtype);
  if (n % 16 != 0)
    {
      for (gsize i = n - 16; i < n; i++)
        out[i] = (float) (mt_draw (self) & mask) * unit;
      block_narrow (out + n - 16, dtype);
    }
}

static void
block_double (const double *uniform, float *out)
{
  for (int j = 0; j < 8; j++)
    {
      double radius = sqrt (-2.0 * log (1.0 - uniform[j]));
      double theta = 2.0 * G_PI * uniform[j + 8];
      out[j] = (float) (radius * cos (theta));
      out[j + 8] = (float) (radius * sin (theta));
    }
}

static void
cpu_double (EaselRng *self, float *out, gsize n)
{
  double block[16];
  gsize rest = n % 16;
  for (gsize i = 0; i + 16 <= n; i += 16)
    {
      for (int j = 0; j < 16; j++)
        block[j] = mt_double (self);
      block_double (block, out + i);
    }
  if (rest == 0)
    return;
  /* The uniforms of the rest are drawn and thrown away. */
  for (gsize i = 0; i < rest; i++)
    mt_double (self);
  for (int j = 0; j < 16; j++)
    block[j] = mt_double (self);
  block_double (block, out + n - 16);
}

static double
cpu_single (EaselRng *self)
{
  if (self->has_spare)
    {
      self->has_spare = FALSE;
      return self->spare;
    }
  double u1 = mt_double (self);
  double u2 = mt_double (self);
  double radius = sqrt (-2.0 * log1p (-u2));
  double theta = 2.0 * G_PI * u1;
  self->spare = radius * sin (theta);
  self->has_spare = TRUE;
  return radius * cos (theta);
}

static void
cpu_randn (EaselRng *self, float *out, gsize n, EaselDtype dtype)
{
  if (n < 16)
    for (gsize i = 0; i < n; i++)
      out[i] = narrow ((float) cpu_single (self), dtype);
  else if (dtype == EASEL_DTYPE_F64)
    cpu_double (self, out, n);
  else if (dtype == EASEL_DTYPE_F32)
    cpu_float (self, out, n);
  else
    cpu_narrow (self, out, n, dtype);
}

/* ---- CUDA ---- */

static void
philox (const guint32 counter[4], guint64 key, guint32 out[4])
{
  guint32 k0 = (guint32) key, k1 = (guint32) (key >> 32);
  guint32 c[4] = { counter[0], counter[1], counter[2], counter[3] };
  for (int round = 0; round < 10; round++)
    {
      guint64 a = (guint64) 0xd2511f53u * c[0];
      guint64 b = (guint64) 0xcd9e8d57u * c[2];
      guint32 next[4] = { (guint32) (b >> 32) ^ c[1] ^ k0, (guint32) b, (guint32) (a >> 32) ^ c[3] ^ k1, (guint32) a };
      memcpy (c, next, sizeof c);
      k0 += 0x9e3779b9u;
      k1 += 0xbb67ae85u;
    }
  memcpy (out, c, sizeof c);
}

/* What cuRAND's fast sine and cosine give for an angle of 0 … 2 pi. The hardware works on turns: the product with
 * 1 / (2 pi) is cut off to float, then to 25 binary places; the upper two bits are the quadrant, and a falling quadrant
 * is mirrored by the ones' complement. The steps were found by comparing with golden values of an H200; its table of
 * the quarter wave differs from the true sine by at most 2e-7. */
static void
hardware_sincosf (float angle, float *sine, float *cosine)
{
  const guint32 quarter = 1u << 23;
  guint32 turns = (guint32) ((double) angle * (double) 0.15915494f * 0x1p25);
  /* The cut to float's 24 bits. */
  if (turns >= 4 * quarter)
    turns &= ~3u;
  else if (turns >= 2 * quarter)
    turns &= ~1u;
  for (guint32 k = 0; k < 2; k++)
    {
      guint32 quadrant = (turns / quarter + k) & 3, rest = turns % quarter;
      if (quadrant & 1)
        rest = quarter - 1 - rest;
      float value = (float) sin (G_PI_2 * (double) rest / (double) quarter);
      *(k ? cosine : sine) = quadrant & 2 ? -value : value;
    }
}

/* cuRAND's Box-Muller in float: the sine half first. */
static void
pair_float (guint32 x, guint32 y, float *out)
{
  float u = fmaf ((float) x, 0x1p-32f, 0x1p-33f);
  float v = fmaf ((float) y, (float) (0x1p-32 * 2.0 * G_PI), (float) (0x1p-33 * 2.0 * G_PI));
  float radius = sqrtf (-2.0f * logf (u));
  float sine, cosine;
  hardware_sincosf (v, &sine, &cosine);
  out[0] = radius * sine;
  out[1] = radius * cosine;
}

static void
pair_double (const guint32 x[4], float *out)
{
  double u = (double) (x[0] ^ (guint64) x[1] << 21) * 0x1p-53 + 0x1p-54;
  double v = (double) (x[2] ^ (guint64) x[3] << 21) * 0x1p-52 + 0x1p-53;
  double radius = sqrt (-2.0 * log (u));
  out[0] = (float) (radius * sin (G_PI * v));
  out[1] = (float) (radius * cos (G_PI * v));
}

static void
cuda_randn (EaselRng *self, float *out, gsize n, EaselDtype dtype)
{
  const gsize block = 256;
  const gsize unroll = dtype == EASEL_DTYPE_F64 ? 2 : 4;
  gsize blocks = MIN ((n + block - 1) / block, (gsize) self->multiprocessors * (self->threads / block));
  gsize grid = blocks * block;
  gsize turns = (n - 1) / (grid * unroll) + 1;
  for (gsize turn = 0; turn < turns; turn++)
    for (gsize thread = 0; thread < grid; thread++)
      {
        gsize first = turn * grid * unroll + thread;
        if (first >= n)
          break;
        guint64 position = self->offset / 4 + turn;
        guint32 counter[4] = { (guint32) position, (guint32) (position >> 32), (guint32) thread,
                               (guint32) ((guint64) thread >> 32) };
        guint32 bits[4];
        float normal[4];
        philox (counter, self->seed, bits);
        if (unroll == 2)
          pair_double (bits, normal);
        else
          {
            pair_float (bits[0], bits[1], normal);
            pair_float (bits[2], bits[3], normal + 2);
          }
        for (gsize k = 0; k < unroll && first + k * grid < n; k++)
          out[first + k * grid] = narrow (normal[k], dtype);
      }
  self->offset += turns * 4;
}

void
easel_rng_randn (EaselRng *self, float *out, gsize n, EaselDtype dtype)
{
  if (n == 0)
    return;
  if (self->kind == EASEL_RNG_CUDA)
    cuda_randn (self, out, n, dtype);
  else
    cpu_randn (self, out, n, dtype);
}
