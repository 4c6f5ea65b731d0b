/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

typedef struct
{
  const EaselRopeArgs *a;
} Work;

static void
rope_token (const void *data, int64_t unit, int worker)
{
  const EaselRopeArgs *a = ((const Work *) data)->a;
  int64_t rows = a->n_tokens - a->first, t = unit % rows, half = a->head_dim / 2;
  const float *cosine = (const float *) a->cos.data + t * a->head_dim;
  const float *sine = (const float *) a->sin.data + t * a->head_dim;

  (void) worker;
  for (int64_t h = 0; h < a->heads; h++)
    {
      float *x = (float *) a->x.data + (unit / rows * a->n_tokens + a->first + t) * a->x.row + h * a->x.head;

      for (int64_t i = 0; i < half; i++)
        {
          int64_t p = a->interleaved ? 2 * i : i, q = a->interleaved ? 2 * i + 1 : i + half;
          float u = x[p], v = x[q];

          x[p] = u * cosine[p] - v * sine[p];
          x[q] = v * cosine[q] + u * sine[q];
        }
    }
}

void
easel_plain_rope (EaselStream *s, const EaselRopeArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, a->batch * (a->n_tokens - a->first), rope_token, &(Work){ a });
}
