/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One query at a time. Keys are taken in blocks that fit the scratch, with the running maximum of "online softmax".
 */
#include "plain.h"

#define BLOCK 1024

typedef struct
{
  const EaselAttentionArgs *a;
  const EaselCpu *cpu;
  int64_t n_q;
} Work;

static inline const float *
head_at (const EaselHeads *heads, int64_t token, int64_t h)
{
  return (const float *) heads->data + token * heads->row + h * heads->head;
}

/* The score of query i and key j, or -INFINITY when the key is not seen. */
static float
score (const Work *work, int64_t b, int64_t h, int64_t i, int64_t j)
{
  const EaselAttentionArgs *a = work->a;
  const float *q = head_at (&a->q, b * work->n_q + i, h);
  const float *k = head_at (&a->k, b * a->n_kv + j, h / (a->heads / a->kv_heads));
  double dot = 0;
  float s;

  if ((a->mask.data && !((const uint8_t *) a->mask.data)[b * a->n_kv + j]) || (a->causal && j > i) ||
      (a->window > 0 && i - j >= a->window))
    return -INFINITY;
  for (int64_t d = 0; d < a->head_dim; d++)
    dot += (double) q[d] * k[d];
  s = a->scale * (float) dot;
  if (a->softcap > 0)
    s = a->softcap * tanhf (s / a->softcap);
  if (a->bias.data)
    s += ((const float *) a->bias.data)[(h * work->n_q + i) * a->n_kv + j];
  return s;
}

static void
attention_row (const void *data, int64_t unit, int worker)
{
  const Work *work = data;
  const EaselAttentionArgs *a = work->a;
  int64_t d = a->head_dim, i = unit % work->n_q, h = unit / work->n_q % a->heads, b = unit / work->n_q / a->heads;
  float *y = (float *) a->y.data + (b * work->n_q + i) * a->heads * d + h * d;
  float *scores = easel_cpu_scratch (work->cpu, worker), top = -INFINITY;
  double *sums = (double *) (scores + BLOCK), total = 0;

  for (int64_t c = 0; c < d; c++)
    sums[c] = 0;
  for (int64_t j0 = 0; j0 < a->n_kv; j0 += BLOCK)
    {
      int64_t n = easel_min_i64 (BLOCK, a->n_kv - j0);
      float block_top = top;
      double shrink;

      for (int64_t j = 0; j < n; j++)
        {
          scores[j] = score (work, b, h, i, j0 + j);
          if (!(scores[j] <= block_top)) /* NaN goes through */
            block_top = scores[j];
        }
      if (block_top == -INFINITY)
        continue;
      shrink = top == -INFINITY ? 0 : exp ((double) top - block_top);
      total *= shrink;
      for (int64_t c = 0; c < d; c++)
        sums[c] *= shrink;
      for (int64_t j = 0; j < n; j++)
        {
          double p = exp ((double) scores[j] - block_top);
          const float *v = head_at (&a->v, b * a->n_kv + j0 + j, h / (a->heads / a->kv_heads));

          if (scores[j] == -INFINITY)
            continue;
          total += p;
          for (int64_t c = 0; c < d; c++)
            sums[c] += p * v[c];
        }
      top = block_top;
    }
  for (int64_t c = 0; c < d; c++)
    y[c] = total == 0 ? 0 : (float) (sums[c] / total);
}

void
easel_plain_attention (EaselStream *s, const EaselAttentionArgs *a)
{
  if (BLOCK * sizeof (float) + (size_t) a->head_dim * sizeof (double) > EASEL_CPU_SCRATCH)
    {
      easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, "attention: heads of %lld", (long long) a->head_dim);
      return;
    }
  easel_pool_run (easel_cpu (s)->pool, a->y.shape[0] * a->heads * a->y.shape[1], attention_row,
                  &(Work){ .a = a, .cpu = easel_cpu (s), .n_q = a->y.shape[1] });
}
