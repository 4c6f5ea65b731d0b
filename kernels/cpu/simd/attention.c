/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A block of queries of one head against all keys, KEYS at a time: scores by a matrix product, the running maximum and
 * sum of "online softmax" (Milakov and Gimelshein, arXiv 1805.02867), values by another product. Blocks of keys that no
 * query of the block may see (causal, window) are not touched.
 */
#include "gemm.h"

#define KEYS 256    /* keys at a time */
#define QUERIES 112 /* queries a unit, a multiple of every MR but 12's: the last rows are simply fewer */
#define MAX_DIM 256

typedef struct
{
  const EaselCpu *cpu;
  const EaselAttentionArgs *a;
  int64_t n_q, blocks;
} Work;

typedef struct
{
  float *block, *keys, *values, *scores, *out, *top, *total;
} Scratch;

#define SCRATCH_FLOATS(d) (A_FLOATS + 2 * KEYS * (d) + MR * LDA + QUERIES * (d) + 2 * QUERIES)

/* Scores of one query to seen keys only, in place: scale, cap, bias, mask. */
static void
mask_scores (const EaselAttentionArgs *a, float *p, int64_t b, int64_t h, int64_t n_q, int64_t i, int64_t j0, int64_t n)
{
  const float *bias = a->bias.data ? (const float *) a->bias.data + (h * n_q + i) * a->n_kv + j0 : NULL;
  const uint8_t *mask = a->mask.data ? (const uint8_t *) a->mask.data + b * a->n_kv + j0 : NULL;
  int64_t first = a->window > 0 ? i - a->window + 1 - j0 : 0, end = a->causal ? i + 1 - j0 : n;

  for (int64_t j = 0; j < n; j += VL)
    {
      vf s = vload (p + j) * a->scale;

      if (a->softcap > 0) /* cap * tanh (s / cap) = cap * (1 - 2 / (exp (2 s / cap) + 1)) */
        s = a->softcap * (1.0f - 2.0f / (vexp (s * (2 / a->softcap)) + 1.0f));
      if (bias)
        s = s + (n - j >= VL ? vload (bias + j) : vload_part (bias + j, n - j));
      vstore (p + j, s);
    }
  for (int64_t j = 0; j < n && mask; j++)
    if (!mask[j])
      p[j] = -INFINITY;
  for (int64_t j = 0; j < easel_min_i64 (first, n); j++)
    p[j] = -INFINITY;
  for (int64_t j = end > 0 ? end : 0; j < easel_ceil_div (n, VL) * VL; j++)
    p[j] = -INFINITY;
  for (int64_t j = n; j < easel_ceil_div (n, VL) * VL; j++)
    p[j] = -INFINITY;
}

/* Scores become exp (score - top); earlier sums shrink to the new maximum. */
static void
soften (float *p, int64_t n, float *out, int64_t d, float *top, float *total)
{
  vf most = vset (-INFINITY), sum = vset (0);
  float higher, shrink;

  for (int64_t j = 0; j < n; j += VL)
    most = vmax2 (most, vload (p + j));
  higher = vtop (most);
  if (higher <= *top)
    higher = *top;
  if (higher == -INFINITY)
    {
      vzero (p, easel_ceil_div (n, VL) * VL);
      return;
    }
  for (int64_t j = 0; j < n; j += VL)
    {
      vf s = vload (p + j), e = vexp (s - higher);
      float t[VL], u[VL];

      /* exp stops at 1e-38; what is not seen must weigh nothing. */
      vstore (t, s);
      vstore (u, e);
      UNROLL
      for (int i = 0; i < VL; i++)
        u[i] = t[i] == -INFINITY ? 0 : u[i];
      e = vload (u);
      vstore (p + j, e);
      sum = sum + e;
    }
  if (higher > *top || *total == 0)
    {
      shrink = *top == -INFINITY ? 0 : expf (*top - higher);
      *total *= shrink;
      for (int64_t c = 0; c < d; c++)
        out[c] *= shrink;
    }
  *total += vsum (sum);
  *top = higher;
}

static void
attend_block (const Work *work, const Scratch *w, int64_t b, int64_t h, int64_t q0, int64_t n_queries, int64_t j0,
              int64_t n)
{
  const EaselAttentionArgs *a = work->a;
  int64_t d = a->head_dim, ld = easel_ceil_div (d, VL) * VL, kv_head = h / (a->heads / a->kv_heads);
  const float *k = (const float *) a->k.data + (b * a->n_kv + j0) * a->k.row + kv_head * a->k.head;
  const float *v = (const float *) a->v.data + (b * a->n_kv + j0) * a->v.row + kv_head * a->v.head;
  const float *q = (const float *) a->q.data + (b * work->n_q + q0) * a->q.row + h * a->q.head;

  ISA (pack_rows) (w->keys, k, EASEL_DTYPE_F32, 0, a->k.row, n, d, 1);
  ISA (pack_columns) (w->values, v, a->v.row, d, n);
  for (int64_t m = 0; m < n_queries; m += MR)
    {
      int rows = (int) easel_min_i64 (MR, n_queries - m);

      for (int i = 0; i < rows; i++)
        vcopy (w->block + i * LDA, q + (m + i) * a->q.row, d);
      ISA (gemm_rows) (rows, n, d, w->block, w->keys, w->scores, LDA, false);
      for (int i = 0; i < rows; i++)
        {
          mask_scores (a, w->scores + i * LDA, b, h, work->n_q, q0 + m + i, j0, n);
          soften (w->scores + i * LDA, n, w->out + (m + i) * ld, d, &w->top[m + i], &w->total[m + i]);
        }
      ISA (gemm_rows) (rows, d, n, w->scores, w->values, w->out + m * ld, ld, true);
    }
}

static void
attention_unit (const void *data, int64_t unit, int worker)
{
  const Work *work = data;
  const EaselAttentionArgs *a = work->a;
  int64_t d = a->head_dim, ld = easel_ceil_div (d, VL) * VL, head = unit / work->blocks;
  int64_t q0 = unit % work->blocks * QUERIES, n_queries = easel_min_i64 (QUERIES, work->n_q - q0);
  int64_t b = head / a->heads, h = head % a->heads;
  Scratch w = { .block = easel_cpu_scratch (work->cpu, worker) };

  w.keys = w.block + A_FLOATS;
  w.values = w.keys + KEYS * ld;
  w.scores = w.values + KEYS * ld;
  w.out = w.scores + MR * LDA;
  w.top = w.out + QUERIES * ld;
  w.total = w.top + QUERIES;
  vzero (w.out, QUERIES * ld);
  vzero (w.total, QUERIES);
  for (int i = 0; i < QUERIES; i++)
    w.top[i] = -INFINITY;

  for (int64_t j0 = 0; j0 < a->n_kv; j0 += KEYS)
    {
      if ((a->causal && j0 > q0 + n_queries - 1) || (a->window > 0 && j0 + KEYS - 1 <= q0 - a->window))
        continue;
      attend_block (work, &w, b, h, q0, n_queries, j0, easel_min_i64 (KEYS, a->n_kv - j0));
    }
  for (int64_t i = 0; i < n_queries; i++)
    {
      float *y = (float *) a->y.data + (b * work->n_q + q0 + i) * a->heads * d + h * d;
      float scale = w.total[i] == 0 ? 0 : 1 / w.total[i];

      for (int64_t c = 0; c < d; c++)
        y[c] = w.out[i * ld + c] * scale;
    }
}

void
ISA (attention) (EaselStream *s, const EaselAttentionArgs *a)
{
  int64_t n_q = a->y.shape[1], blocks = easel_ceil_div (n_q, QUERIES);

  _Static_assert (SCRATCH_FLOATS (MAX_DIM) * sizeof (float) <= EASEL_CPU_SCRATCH, "scratch");
  if (a->head_dim > MAX_DIM)
    {
      easel_plain_attention (s, a);
      return;
    }
  easel_pool_run (easel_cpu (s)->pool, a->y.shape[0] * a->heads * blocks, attention_unit,
                  &(Work){ .cpu = easel_cpu (s), .a = a, .n_q = n_q, .blocks = blocks });
}
