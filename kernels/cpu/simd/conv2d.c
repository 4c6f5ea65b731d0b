/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Dense: the blocked product, with rows of A copied from the picture as they are needed; channels lie last, so a row of
 * the kernel is one run of memory. Enlarged by 2: four products with 2x2 kernels on the small picture, their weights
 * the sums of those that meet the same small pixel: 2.25 times fewer multiplications. Depthwise: one vector of
 * channels at a time along the row.
 */
#include "product.h"

typedef struct
{
  const EaselCpu *cpu;
  const EaselConv2dArgs *a;
  const float *x;
  /* Picture read, channels between its pixels; output; kernel; where the kernel starts. */
  int64_t h, w, c, oh, ow, kh, kw, stride, up, pad_y, pad_x;
} Patches;

/* One kernel row's worth of one pixel, some of it outside: tap by tap. */
static void
gather_edge (const Patches *p, int64_t b, int64_t sy, int64_t sx, int64_t c0, int64_t n, float *dst)
{
  for (int64_t kx = 0; kx < p->kw; kx++)
    {
      int64_t x = sx + kx;

      if (sy < 0 || sy >= p->h * p->up || x < 0 || x >= p->w * p->up)
        vzero (dst + kx * n, n);
      else
        vcopy (dst + kx * n, p->x + ((b * p->h + sy / p->up) * p->w + x / p->up) * p->c + c0, n);
    }
}

static void
gather_patches (const void *data, int64_t m0, int rows, int64_t c0, int64_t n, float *dst)
{
  const Patches *p = data;
  int64_t ox = m0 % p->ow, oy = m0 / p->ow % p->oh, b = m0 / (p->ow * p->oh);
  /* All channels of all taps of a kernel row lie together when none are left out. */
  bool whole = n == p->c && p->up == 1;

  for (int i = 0; i < rows; i++)
    {
      int64_t sy = oy * p->stride - p->pad_y, sx = ox * p->stride - p->pad_x;
      bool inside = p->up == 1 && sx >= 0 && sx + p->kw <= p->w;

      for (int64_t ky = 0; ky < p->kh; ky++)
        {
          float *out = dst + i * LDA + ky * p->kw * n;
          const float *in;

          if (!inside || sy + ky < 0 || sy + ky >= p->h)
            {
              gather_edge (p, b, sy + ky, sx, c0, n, out);
              continue;
            }
          in = p->x + ((b * p->h + sy + ky) * p->w + sx) * p->c + c0;
          if (whole)
            vcopy (out, in, p->kw * n);
          else
            for (int64_t kx = 0; kx < p->kw; kx++)
              vcopy (out + kx * n, in + kx * p->c, n);
        }
      if (++ox == p->ow)
        {
          ox = 0;
          if (++oy == p->oh)
            {
              oy = 0;
              b++;
            }
        }
    }
}

/* MR pixels beside each other, all of whose taps lie inside: runs of a kernel row, or of a tap when channels are
 * split. */
static bool
direct_patches (const void *data, int64_t m0, int64_t c0, int64_t n, Direct *direct)
{
  const Patches *p = data;
  int64_t ox = m0 % p->ow, row = m0 / p->ow, oy = row % p->oh, b = row / p->oh;
  int64_t sy = oy - p->pad_y, sx = ox - p->pad_x;
  bool whole = n == p->c;

  if (ox + MR > p->ow || sx < 0 || sx + MR - 1 + p->kw > p->w || sy < 0 || sy + p->kh > p->h)
    return false;
  direct->a = p->x + ((b * p->h + sy) * p->w + sx) * p->c + c0;
  direct->lda = p->c;
  direct->length = whole ? p->kw * n : n;
  direct->n_segments = 0;
  for (int64_t ky = 0; ky < p->kh; ky++)
    for (int64_t kx = 0; kx < (whole ? 1 : p->kw); kx++)
      direct->offsets[direct->n_segments++] = (ky * p->w + kx) * p->c;
  return true;
}

/* NULL when patches cannot be used where they lie. */
static DirectFunc
direct_for (const Patches *p)
{
  bool can = p->stride == 1 && p->up == 1 && p->kh * p->kw <= MAX_SEGMENTS && ISA (gemm_has_direct) (p->c);

  return can ? direct_patches : NULL;
}

/* --- Depthwise ---------------------------------------------------------------------------------------------------- */

#define MAX_TAPS 64

/* One output row, vector by vector of channels: the taps' weights stay in registers or in the first-level cache. */
static void
depthwise_row (const void *data, int64_t unit, int worker)
{
  const Patches *p = data;
  const EaselConv2dArgs *a = p->a;
  int64_t b = unit / p->oh, oy = unit % p->oh, taps = p->kh * p->kw;
  const float *weights = easel_cpu_shared (p->cpu);
  const float *residual = a->residual.data ? (const float *) a->residual.data + unit * p->ow * p->c : NULL;
  float *y = (float *) a->y.data + unit * p->ow * p->c;

  (void) worker;
  for (int64_t c = 0; c < p->c; c += VL)
    {
      int64_t some = easel_min_i64 (VL, p->c - c);
      vf w[MAX_TAPS], bias = vload (weights + (c / VL * (taps + 1) + taps) * VL);

      for (int64_t t = 0; t < taps; t++)
        w[t] = vload (weights + (c / VL * (taps + 1) + t) * VL);
      for (int64_t ox = 0; ox < p->ow; ox++)
        {
          vf sum = vset (0), v;
          int64_t at = ox * p->c + c;

          for (int64_t ky = 0; ky < p->kh; ky++)
            {
              int64_t sy = oy * p->stride + ky - p->pad_y, sx = ox * p->stride - p->pad_x;
              const float *in = p->x + ((b * p->h + sy) * p->w + sx) * p->c + c;
              int64_t k0 = sx < 0 ? -sx : 0, k1 = easel_min_i64 (p->kw, p->w - sx);

              if (sy < 0 || sy >= p->h)
                continue;
              if (some == VL)
                for (int64_t kx = k0; kx < k1; kx++)
                  sum = vfma (vload (in + kx * p->c), w[ky * p->kw + kx], sum);
              else
                for (int64_t kx = k0; kx < k1; kx++)
                  sum = vfma (vload_part (in + kx * p->c, some), w[ky * p->kw + kx], sum);
            }
          v = vact (sum + bias, a->act);
          if (some == VL)
            vstore (y + at, residual ? vload (residual + at) + v : v);
          else
            vstore_part (y + at, residual ? vload_part (residual + at, some) + v : v, some);
        }
    }
}

/* Weights [C, taps] as [C / VL][taps + 1][VL] with the bias last, in the shared scratch. False: too large. */
static bool
depthwise (const Patches *p)
{
  const EaselConv2dArgs *a = p->a;
  int64_t taps = p->kh * p->kw, vectors = easel_ceil_div (p->c, VL);
  float *weights = easel_cpu_shared (p->cpu);

  if (taps > MAX_TAPS || p->up != 1 || (size_t) (vectors * (taps + 1) * VL) * sizeof (float) > EASEL_CPU_SHARED)
    return false;
  for (int64_t c = 0; c < vectors * VL; c++)
    {
      float *out = weights + c / VL * (taps + 1) * VL + c % VL;

      for (int64_t t = 0; t < taps; t++)
        out[t * VL] = c < p->c ? easel_float_at (a->w.data, a->w.dtype, c * taps + t) : 0;
      out[taps * VL] = c < p->c && a->bias.data ? easel_float_at (a->bias.data, a->bias.dtype, c) : 0;
    }
  easel_pool_run (p->cpu->pool, a->y.shape[0] * p->oh, depthwise_row, p);
  return true;
}

/* --- Dense and grouped -------------------------------------------------------------------------------------------- */

static bool
enlarged_by_two (const Patches *p)
{
  Patches small = *p;

  small.up = 1;
  small.oh = p->h;
  small.ow = p->w;
  small.kh = small.kw = 2;
  for (int phase = 0; phase < 4; phase++)
    {
      const EaselConv2dArgs *a = p->a;

      small.pad_y = 1 - phase / 2;
      small.pad_x = 1 - phase % 2;
      if (!ISA (product) (&(Product){
              .cpu = p->cpu,
              .gather = gather_patches,
              .gather_data = &small,
              .direct = direct_for (&small),
              .weights = { .w = a->w.data, .dtype = a->w.dtype, .row = p->c * 9, .phase = phase },
              .m = a->x.shape[0] * p->h * p->w,
              .n = a->w.shape[0],
              .channels = p->c,
              .taps = 4,
              .bias = a->bias.data,
              .bias_dtype = a->bias.dtype,
              .residual = a->residual.data,
              .c = a->y.data,
              .ldc = a->w.shape[0],
              .small_h = p->h,
              .small_w = p->w,
              .act = a->act,
          }))
        return false;
    }
  return true;
}

static bool
grouped (const Patches *p, int64_t groups)
{
  const EaselConv2dArgs *a = p->a;
  int64_t co = a->w.shape[0] / groups, ci = p->c / groups, taps = p->kh * p->kw;

  for (int64_t g = 0; g < groups; g++)
    {
      Patches part = *p;

      part.x += g * ci;
      if (!ISA (product) (&(Product){
              .cpu = p->cpu,
              .gather = gather_patches,
              .gather_data = &part,
              .direct = direct_for (&part),
              .weights = { .w = a->w.data,
                           .dtype = a->w.dtype,
                           .start = g * co * ci * taps,
                           .row = ci * taps,
                           .phase = -1 },
              .m = a->y.shape[0] * p->oh * p->ow,
              .n = co,
              .channels = ci,
              .taps = taps,
              .bias = a->bias.data,
              .bias_dtype = a->bias.dtype,
              .bias_start = g * co,
              .residual = a->residual.data ? (const float *) a->residual.data + g * co : NULL,
              .c = (float *) a->y.data + g * co,
              .ldc = a->w.shape[0],
              .ldr = a->w.shape[0],
              .act = a->act,
          }))
        return false;
    }
  return true;
}

void
ISA (conv2d) (EaselStream *s, const EaselConv2dArgs *a)
{
  int64_t groups = a->groups ? a->groups : 1;
  Patches p = {
    .cpu = easel_cpu (s),
    .a = a,
    .x = a->x.data,
    .h = a->x.shape[1],
    .w = a->x.shape[2],
    .c = a->x.shape[3],
    .oh = a->y.shape[1],
    .ow = a->y.shape[2],
    .kh = a->w.shape[2],
    .kw = a->w.shape[3],
    .stride = a->stride ? a->stride : 1,
    .up = a->upsample ? a->upsample : 1,
    .pad_y = a->pad,
    .pad_x = a->pad,
  };
  bool done;

  if (groups > 1 && groups == p.c && groups == a->w.shape[0])
    done = depthwise (&p);
  else if (groups == 1 && p.up == 2 && p.kh == 3 && p.kw == 3 && a->pad == 1 && a->pad_end == 0 && p.stride == 1)
    done = enlarged_by_two (&p);
  else
    done = grouped (&p, groups);
  if (!done)
    easel_plain_conv2d (s, a);
}
