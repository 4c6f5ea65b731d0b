/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two passes over a row that stays in the cache. Weight and bias are converted once an op when they fit the shared
 * scratch (they do: 262,144 columns). Scaled rows are the plain twin's (see linear).
 */
#include "simd.h"

#define UNIT 8192 /* elements a unit, so that a short row is not a unit of its own */

typedef struct
{
  const EaselNormArgs *a;
  const float *weight, *bias; /* [c]; NULL: absent */
  int64_t m, c, ldx, ldy, ldr, scale_rows, shift_rows, rows;
} Work;

INLINE float
sum_of (const float *x, int64_t n, float mean, bool squares)
{
  vf s[4] = { vset (0), vset (0), vset (0), vset (0) };
  int64_t i = 0;

  for (; i + 4 * VL <= n; i += 4 * VL)
    UNROLL
    for (int j = 0; j < 4; j++)
      {
        vf v = vload (x + i + j * VL) - mean;
        s[j] = squares ? vfma (v, v, s[j]) : s[j] + v;
      }
  for (; i + VL <= n; i += VL)
    {
      vf v = vload (x + i) - mean;
      s[0] = squares ? vfma (v, v, s[0]) : s[0] + v;
    }
  if (i < n)
    {
      float t[VL] = { 0 };
      vf v;

      for (int64_t j = i; j < n; j++)
        t[j - i] = x[j] - mean;
      v = vload (t);
      s[1] = squares ? vfma (v, v, s[1]) : s[1] + v;
    }
  return vsum ((s[0] + s[1]) + (s[2] + s[3]));
}

INLINE vf
normalised (const Work *work, const float *x, const float *scale, const float *shift, const float *residual, int64_t i,
            int64_t some, float mean, float inverse, EaselAct act)
{
#define LOAD(p) (some >= VL ? vload ((p) + i) : vload_part ((p) + i, some))
  vf v = (LOAD (x) - mean) * inverse;

  if (work->weight)
    v = v * LOAD (work->weight);
  if (work->bias)
    v = v + LOAD (work->bias);
  if (scale)
    v = v * (1.0f + LOAD (scale));
  if (shift)
    v = v + LOAD (shift);
  v = vact (v, act);
  return residual ? LOAD (residual) + v : v;
#undef LOAD
}

static void
norm_rows (const void *data, int64_t unit, int worker)
{
  const Work *work = data;
  const EaselNormArgs *a = work->a;
  int64_t c = work->c, end = easel_min_i64 (work->m, (unit + 1) * work->rows);

  (void) worker;
  for (int64_t m = unit * work->rows; m < end; m++)
    {
      const float *x = (const float *) a->x.data + m * work->ldx;
      const float *residual = a->residual.data ? (const float *) a->residual.data + m * work->ldr : NULL;
      const float *scale = a->scale.data ? (const float *) a->scale.data + m / work->scale_rows * c : NULL;
      const float *shift = a->shift.data ? (const float *) a->shift.data + m / work->shift_rows * c : NULL;
      float *y = (float *) a->y.data + m * work->ldy;
      float mean = a->kind == EASEL_NORM_LAYER ? sum_of (x, c, 0, false) / (float) c : 0;
      float inverse = 1 / sqrtf (sum_of (x, c, mean, true) / (float) c + a->eps);
      int64_t i = 0;

      for (; i + VL <= c; i += VL)
        vstore (y + i, normalised (work, x, scale, shift, residual, i, VL, mean, inverse, a->act));
      if (i < c)
        vstore_part (y + i, normalised (work, x, scale, shift, residual, i, c - i, mean, inverse, a->act), c - i);
    }
}

void
ISA (norm) (EaselStream *s, const EaselNormArgs *a)
{
  int64_t c = a->x.shape[a->x.n_dims - 1], m = easel_tensor_count (&a->x) / c;
  float *shared = easel_cpu_shared (easel_cpu (s));
  Work work = { .a = a, .m = m, .c = c, .scale_rows = 1, .shift_rows = 1, .rows = 1 };

  if ((size_t) c * 2 * sizeof (float) > EASEL_CPU_SHARED || a->y.scales)
    {
      easel_plain_norm (s, a);
      return;
    }
  if (a->weight.data)
    {
      vcopy_any (shared, a->weight.data, a->weight.dtype, 0, c);
      for (int64_t i = 0; i < c; i++)
        shared[i] += a->weight_offset;
      work.weight = shared;
    }
  if (a->bias.data)
    {
      vcopy_any (shared + c, a->bias.data, a->bias.dtype, 0, c);
      work.bias = shared + c;
    }
  work.ldx = a->x_stride ? a->x_stride : c;
  work.ldy = a->y_stride ? a->y_stride : c;
  work.ldr = a->residual.data == a->y.data ? work.ldy : c;
  if (a->scale.data)
    work.scale_rows = m / (easel_tensor_count (&a->scale) / c);
  if (a->shift.data)
    work.shift_rows = m / (easel_tensor_count (&a->shift) / c);
  if (c < UNIT)
    work.rows = UNIT / c;
  easel_pool_run (easel_cpu (s)->pool, easel_ceil_div (m, work.rows), norm_rows, &work);
}
