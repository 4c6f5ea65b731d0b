/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sums over tokens in double: the plain twin is the accurate one.
 */
#include "plain.h"

typedef struct
{
  const EaselLinearAttentionArgs *a;
  const EaselCpu *cpu;
  int64_t n;
} Work;

static inline const float *
head_at (const EaselHeads *heads, int64_t token, int64_t h)
{
  return (const float *) heads->data + token * heads->row + h * heads->head;
}

static void
linear_attention_head (const void *data, int64_t unit, int worker)
{
  const Work *work = data;
  const EaselLinearAttentionArgs *a = work->a;
  int64_t d = a->head_dim, h = unit % a->heads, first = unit / a->heads * work->n;
  double *sums = easel_cpu_scratch (work->cpu, worker), *k_sum = sums + d * d;

  memset (sums, 0, (size_t) (d * d + d) * sizeof *sums);
  for (int64_t j = first; j < first + work->n; j++)
    {
      const float *k = head_at (&a->k, j, h), *v = head_at (&a->v, j, h);

      for (int64_t r = 0; r < d; r++)
        if (k[r] > 0 || k[r] != k[r])
          {
            for (int64_t c = 0; c < d; c++)
              sums[r * d + c] += (double) k[r] * v[c];
            k_sum[r] += k[r];
          }
    }
  for (int64_t i = first; i < first + work->n; i++)
    {
      const float *q = head_at (&a->q, i, h);
      float *y = (float *) a->y.data + i * (a->y_stride ? a->y_stride : a->heads * d) + h * d;
      double below = 0;

      for (int64_t r = 0; r < d; r++)
        below += easel_plain_act (q[r], EASEL_ACT_RELU) * k_sum[r];
      for (int64_t c = 0; c < d; c++)
        {
          double above = 0;

          for (int64_t r = 0; r < d; r++)
            above += easel_plain_act (q[r], EASEL_ACT_RELU) * sums[r * d + c];
          y[c] = (float) (above / (below + a->eps));
        }
    }
}

void
easel_plain_linear_attention (EaselStream *s, const EaselLinearAttentionArgs *a)
{
  if ((size_t) (a->head_dim * a->head_dim + a->head_dim) * sizeof (double) > EASEL_CPU_SCRATCH)
    {
      easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, "linear_attention: heads of %lld", (long long) a->head_dim);
      return;
    }
  easel_pool_run (easel_cpu (s)->pool, a->y.shape[0] * a->heads, linear_attention_head,
                  &(Work){ .a = a, .cpu = easel_cpu (s), .n = a->y.shape[1] });
}
