/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Both halves of a vector of channels along one row of pixels. The nine weights of a half stay in registers; the first
 * half's results wait in the output until the second half's gate multiplies them.
 */
#include "simd.h"

typedef struct
{
  const EaselCpu *cpu;
  const EaselDepthwiseGluArgs *a;
  int64_t h, w, c, c0, n_c; /* channels [c0, c0 + n_c) of each half in this pass */
} Work;

/* Sum of the taps that lie inside for pixel x, rows [r0, r1) of the kernel. */
INLINE vf
taps_at (const float *in, const vf w[9], int64_t x, int64_t width, int64_t row, int64_t c2, int r0, int r1,
         int64_t some)
{
  vf sum = vset (0);

  for (int ky = r0; ky < r1; ky++)
    {
      const float *p = in + (ky - 1) * row + x * c2;

      for (int kx = 0; kx < 3; kx++)
        if (x + kx >= 1 && x + kx <= width)
          {
            const float *q = p + (kx - 1) * c2;
            sum = vfma (some == VL ? vload (q) : vload_part (q, some), w[ky * 3 + kx], sum);
          }
    }
  return sum;
}

/* The same where all nine lie inside. */
INLINE vf
taps_inside (const float *in, const vf w[9], int64_t x, int64_t row, int64_t c2)
{
  const float *p = in + (x - 1) * c2;
  vf sum = vset (0);

  UNROLL
  for (int ky = 0; ky < 3; ky++)
    UNROLL
    for (int kx = 0; kx < 3; kx++)
      sum = vfma (vload (p + (ky - 1) * row + kx * c2), w[ky * 3 + kx], sum);
  return sum;
}

static void
glu_row (const void *data, int64_t unit, int worker)
{
  const Work *work = data;
  const EaselDepthwiseGluArgs *a = work->a;
  int64_t c = work->c, c2 = 2 * c, width = work->w, row = width * c2, oy = unit % work->h;
  const float *weights = easel_cpu_shared (work->cpu);
  int r0 = oy == 0, r1 = oy == work->h - 1 ? 2 : 3;
  float *y = (float *) a->y.data + unit * width * c;

  (void) worker;
  for (int64_t i = 0; i < work->n_c; i += VL)
    for (int half = 0; half < 2; half++)
      {
        int64_t at = work->c0 + i, some = easel_min_i64 (VL, work->n_c - i);
        const float *in = (const float *) a->x.data + unit * row + half * c + at;
        const float *packed = weights + (i / VL * 2 + half) * 10 * VL;
        vf w[9], bias = vload (packed + 9 * VL);

        UNROLL
        for (int t = 0; t < 9; t++)
          w[t] = vload (packed + t * VL);
        for (int64_t x = 0; x < width; x++)
          {
            bool inside = some == VL && r0 == 0 && r1 == 3 && x > 0 && x < width - 1;
            vf v = (inside ? taps_inside (in, w, x, row, c2) : taps_at (in, w, x, width, row, c2, r0, r1, some)) + bias;
            float *out = y + x * c + at;

            if (half == 1)
              v = (some == VL ? vload (out) : vload_part (out, some)) * vact (v, EASEL_ACT_SILU);
            if (some == VL)
              vstore (out, v);
            else
              vstore_part (out, v, some);
          }
      }
}

/* Weights as [vectors][2 halves][9 taps and the bias][VL] in the shared scratch, as many channels as fit at a time. */
void
ISA (depthwise_glu) (EaselStream *s, const EaselDepthwiseGluArgs *a)
{
  int64_t c = a->y.shape[3], most = (int64_t) (EASEL_CPU_SHARED / sizeof (float) / 20 / VL * VL);
  Work work = { .cpu = easel_cpu (s), .a = a, .h = a->x.shape[1], .w = a->x.shape[2], .c = c };
  float *weights = easel_cpu_shared (work.cpu);

  for (work.c0 = 0; work.c0 < c; work.c0 += most)
    {
      work.n_c = easel_min_i64 (most, c - work.c0);
      for (int64_t i = 0; i < easel_ceil_div (work.n_c, VL) * VL; i++)
        for (int half = 0; half < 2; half++)
          {
            float *out = weights + (i / VL * 2 + half) * 10 * VL + i % VL;
            int64_t channel = half * c + work.c0 + i;

            for (int t = 0; t < 9; t++)
              out[t * VL] = i < work.n_c ? easel_float_at (a->w.data, a->w.dtype, channel * 9 + t) : 0;
            out[9 * VL] = i < work.n_c && a->bias.data ? easel_float_at (a->bias.data, a->bias.dtype, channel) : 0;
          }
      easel_pool_run (work.cpu->pool, a->x.shape[0] * work.h, glu_row, &work);
    }
}
