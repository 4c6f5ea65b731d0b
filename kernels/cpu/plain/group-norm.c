/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pixels are cut into chunks whose borders depend on the shape alone; each chunk sums its groups in double and the sums
 * of the chunks are added in order, so that threads do not change the result.
 */
#include "plain.h"

typedef struct
{
  const EaselGroupNormArgs *a;
  int64_t m, c, groups, chunk; /* pixels of the clip, channels, pixels a chunk */
  double *sums;                /* [chunks, groups] */
  double *mean, *inverse;      /* [groups] */
  bool squares;                /* second pass */
} Work;

static void
sum_chunk (const void *data, int64_t unit, int worker)
{
  const Work *w = data;
  int64_t per = w->c / w->groups, end = easel_min_i64 (w->m, (unit + 1) * w->chunk);
  double *sums = w->sums + unit * w->groups;

  (void) worker;
  for (int64_t g = 0; g < w->groups; g++)
    sums[g] = 0;
  for (int64_t m = unit * w->chunk; m < end; m++)
    for (int64_t g = 0; g < w->groups; g++)
      {
        const float *x = (const float *) w->a->x.data + m * w->c + g * per;

        for (int64_t i = 0; i < per; i++)
          sums[g] += w->squares ? (x[i] - w->mean[g]) * (x[i] - w->mean[g]) : x[i];
      }
}

/* Pixel of the conditioning that pixel m of the clip reads. */
static int64_t
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
  int64_t per = w->c / w->groups, end = easel_min_i64 (w->m, (unit + 1) * w->chunk);

  (void) worker;
  for (int64_t m = unit * w->chunk; m < end; m++)
    {
      const float *x = (const float *) a->x.data + m * w->c;
      int64_t at = a->scale.data ? condition_of (a, m) * w->c : 0;
      const float *scale = a->scale.data ? (const float *) a->scale.data + at : NULL;
      const float *shift = a->shift.data ? (const float *) a->shift.data + at : NULL;
      float *y = (float *) a->y.data + m * w->c;

      for (int64_t i = 0; i < w->c; i++)
        {
          float v = (float) ((x[i] - w->mean[i / per]) * w->inverse[i / per]);

          if (a->weight.data)
            v *= easel_float_at (a->weight.data, a->weight.dtype, i);
          if (a->bias.data)
            v += easel_float_at (a->bias.data, a->bias.dtype, i);
          if (scale)
            v = v * scale[i] + shift[i];
          y[i] = easel_plain_act (v, a->act);
        }
    }
}

void
easel_plain_group_norm (EaselStream *s, const EaselGroupNormArgs *a)
{
  const EaselCpu *cpu = easel_cpu (s);
  int64_t c = a->x.shape[3], m = easel_tensor_count (&a->x) / c;
  int64_t room = (int64_t) (EASEL_CPU_SHARED / sizeof (double)) / a->groups - 2;
  int64_t chunk = easel_ceil_div (m, easel_min_i64 (room, 256)), chunks;
  Work w = { .a = a, .m = m, .c = c, .groups = a->groups, .chunk = chunk, .mean = easel_cpu_shared (cpu) };

  if (room < 1)
    {
      easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, "group_norm: %lld groups", (long long) a->groups);
      return;
    }
  chunks = easel_ceil_div (m, chunk);
  w.inverse = w.mean + a->groups;
  w.sums = w.inverse + a->groups;
  for (int pass = 0; pass < 2; pass++)
    {
      w.squares = pass == 1;
      easel_pool_run (cpu->pool, chunks, sum_chunk, &w);
      for (int64_t g = 0; g < a->groups; g++)
        {
          double sum = 0;

          for (int64_t i = 0; i < chunks; i++)
            sum += w.sums[i * a->groups + g];
          sum /= (double) m * (double) (c / a->groups);
          if (pass == 0)
            w.mean[g] = sum;
          else
            w.inverse[g] = 1 / sqrt (sum + a->eps);
        }
    }
  easel_pool_run (cpu->pool, chunks, apply_chunk, &w);
}
