/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Interleaved pairs: x' = x cos + swapped (x) sin', where sin' has its even elements negated.
 */
#include "simd.h"

typedef struct
{
  const EaselRopeArgs *a;
} Work;

INLINE vf
swap_pairs (vf x)
{
#if VL == 16
  return __builtin_shufflevector (x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#elif VL == 8
  return __builtin_shufflevector (x, x, 1, 0, 3, 2, 5, 4, 7, 6);
#else
  return __builtin_shufflevector (x, x, 1, 0, 3, 2);
#endif
}

static void
rope_pairs (float *x, const float *cosine, const float *sine, int64_t d)
{
  float t[VL];
  vf sign;
  int64_t i = 0;

  for (int j = 0; j < VL; j++)
    t[j] = j % 2 ? 1 : -1;
  sign = vload (t);
  for (; i + VL <= d; i += VL)
    {
      vf v = vload (x + i);
      vstore (x + i, vfma (v, vload (cosine + i), swap_pairs (v) * (vload (sine + i) * sign)));
    }
  if (i < d)
    {
      vf v = vload_part (x + i, d - i);
      v = vfma (v, vload_part (cosine + i, d - i), swap_pairs (v) * (vload_part (sine + i, d - i) * sign));
      vstore_part (x + i, v, d - i);
    }
}

static void
rope_halves (float *x, const float *cosine, const float *sine, int64_t d)
{
  int64_t half = d / 2, i = 0;

  for (; i + VL <= half; i += VL)
    {
      vf u = vload (x + i), v = vload (x + half + i);

      vstore (x + i, u * vload (cosine + i) - v * vload (sine + i));
      vstore (x + half + i, v * vload (cosine + half + i) + u * vload (sine + half + i));
    }
  for (; i < half; i++)
    {
      float u = x[i], v = x[half + i];

      x[i] = u * cosine[i] - v * sine[i];
      x[half + i] = v * cosine[half + i] + u * sine[half + i];
    }
}

static void
rope_token (const void *data, int64_t unit, int worker)
{
  const EaselRopeArgs *a = ((const Work *) data)->a;
  int64_t rows = a->n_tokens - a->first, t = unit % rows;
  const float *cosine = (const float *) a->cos.data + t * a->head_dim;
  const float *sine = (const float *) a->sin.data + t * a->head_dim;
  float *x = (float *) a->x.data + (unit / rows * a->n_tokens + a->first + t) * a->x.row;

  (void) worker;
  for (int64_t h = 0; h < a->heads; h++)
    if (a->interleaved)
      rope_pairs (x + h * a->x.head, cosine, sine, a->head_dim);
    else
      rope_halves (x + h * a->x.head, cosine, sine, a->head_dim);
}

void
ISA (rope) (EaselStream *s, const EaselRopeArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, a->batch * (a->n_tokens - a->first), rope_token, &(Work){ a });
}
