/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Three passes: sums of every channel, their squared distances from the group's mean, the result. A chunk of pixels
 * adds up in float over runs of RUN pixels and in double over runs; chunks depend on the shape alone and are added in
 * order. Weight, bias, mean and inverse deviation become one factor and one offset a channel.
 */
#include "simd.h"

#define RUN 64
#define CHUNKS 64

typedef struct
{
  const EaselGroupNormArgs *a;
  int64_t m, c, chunk;
  double *sums; /* [chunks, c] */
  float *mean, *factor, *offset; /* [c] */
  bool squares;
} Work;

/* Sums of VL (or fewer) channels over a chunk; their floats are one vector at a time, which the prefetcher follows. */
static void
sum_chunk (const void *data, int64_t unit, int worker)
{
  const Work *w = data;
  const float *x = w->a->x.data;
  int64_t start = unit * w->chunk, end = easel_min_i64 (w->m, start + w->chunk);
  double *sums = w->sums + unit * w->c;

  (void) worker;
  memset (sums, 0, (size_t) w->c * sizeof *sums);
  for (int64_t m0 = start; m0 < end; m0 += RUN)
    for (int64_t c = 0; c < w->c; c += VL)
      {
        int64_t m1 = easel_min_i64 (end, m0 + RUN), some = easel_min_i64 (VL, w->c - c);
        vf mean = some == VL ? vload (w->mean + c) : vload_part (w->mean + c, some), sum = vset (0);
        float t[VL];

        for (int64_t m = m0; m < m1; m++)
          {
            vf v = some == VL ? vload (x + m * w->c + c) : vload_part (x + m * w->c + c, some);

            v = v - mean;
            sum = w->squares ? vfma (v, v, sum) : sum + v;
          }
        vstore (t, sum);
        for (int64_t i = 0; i < some; i++)
          sums[c + i] += t[i];
      }
}

/* Adds the chunks, then the channels of each group; out[c] receives the group's average. */
static void
average (const Work *w, int64_t chunks, double *out)
{
  int64_t per = w->c / w->a->groups;

  for (int64_t g = 0; g < w->a->groups; g++)
    {
      double sum = 0;

      for (int64_t i = 0; i < chunks; i++)
        for (int64_t c = g * per; c < (g + 1) * per; c++)
          sum += w->sums[i * w->c + c];
      for (int64_t c = g * per; c < (g + 1) * per; c++)
        out[c] = sum / ((double) w->m * (double) per);
    }
}

/* Pixel of the conditioning that pixel m of the clip reads. */
INLINE int64_t
condition_of (const EaselGroupNormArgs *a, int64_t m)
{
  const int64_t *to = a->x.shape, *n = a->scale.shape;
  int64_t f = m / (to[1] * to[2]), y = m / to[2] % to[1], x = m % to[2];

  if (to[0] > 1 && to[0] % 2 == 1)
    f = f == 0 ? 0 : 1 + (f - 1) / ((to[0] - 1) / (n[0] - 1));
  else
    f = f / (to[0] / n[0]);
  return (f * n[1] + y / (to[1] / n[1])) * n[2] + x / (to[2] / n[2]);
}

static void
apply_chunk (const void *data, int64_t unit, int worker)
{
  const Work *w = data;
  const EaselGroupNormArgs *a = w->a;
  int64_t end = easel_min_i64 (w->m, (unit + 1) * w->chunk);

  (void) worker;
  for (int64_t m = unit * w->chunk; m < end; m++)
    {
      const float *x = (const float *) a->x.data + m * w->c;
      int64_t at = a->scale.data ? condition_of (a, m) * w->c : 0;
      const float *scale = a->scale.data ? (const float *) a->scale.data + at : NULL;
      const float *shift = a->shift.data ? (const float *) a->shift.data + at : NULL;
      float *y = (float *) a->y.data + m * w->c;

      for (int64_t c = 0; c < w->c; c += VL)
        {
          int64_t some = easel_min_i64 (VL, w->c - c);
#define LOAD(p) (some == VL ? vload ((p) + c) : vload_part ((p) + c, some))
          vf v = vfma (LOAD (x) - LOAD (w->mean), LOAD (w->factor), LOAD (w->offset));

          if (scale)
            v = vfma (v, LOAD (scale), LOAD (shift));
          v = vact (v, a->act);
          if (some == VL)
            vstore (y + c, v);
          else
            vstore_part (y + c, v, some);
#undef LOAD
        }
    }
}

void
ISA (group_norm) (EaselStream *s, const EaselGroupNormArgs *a)
{
  const EaselCpu *cpu = easel_cpu (s);
  int64_t c = a->x.shape[3], m = easel_tensor_count (&a->x) / c, chunk = easel_ceil_div (m, CHUNKS), chunks;
  size_t need = (size_t) c * ((CHUNKS + 1) * sizeof (double) + 3 * sizeof (float));
  double *averages = easel_cpu_shared (cpu);
  Work w = { .a = a, .m = m, .c = c, .chunk = chunk };

  if (need > EASEL_CPU_SHARED)
    {
      easel_plain_group_norm (s, a);
      return;
    }
  chunks = easel_ceil_div (m, chunk);
  w.sums = averages + c;
  w.mean = (float *) (w.sums + CHUNKS * c);
  w.factor = w.mean + c;
  w.offset = w.factor + c;
  for (int64_t i = 0; i < c; i++)
    w.mean[i] = 0;
  easel_pool_run (cpu->pool, chunks, sum_chunk, &w);
  average (&w, chunks, averages);
  for (int64_t i = 0; i < c; i++)
    w.mean[i] = (float) averages[i];
  w.squares = true;
  easel_pool_run (cpu->pool, chunks, sum_chunk, &w);
  average (&w, chunks, averages);
  for (int64_t i = 0; i < c; i++)
    {
      w.factor[i] = (float) (1 / sqrt (averages[i] + a->eps));
      if (a->weight.data)
        w.factor[i] *= easel_float_at (a->weight.data, a->weight.dtype, i);
      w.offset[i] = a->bias.data ? easel_float_at (a->bias.data, a->bias.dtype, i) : 0;
    }
  easel_pool_run (cpu->pool, chunks, apply_chunk, &w);
}
