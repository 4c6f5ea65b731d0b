/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * attention, linear_attention and rope against formulas in double.
 */
#include "harness.h"

static void
issue_attention (EaselStream *s, const void *data)
{
  easel_op_attention (s, data);
}

static void
issue_linear_attention (EaselStream *s, const void *data)
{
  easel_op_linear_attention (s, data);
}

static void
issue_rope (EaselStream *s, const void *data)
{
  easel_op_rope (s, data);
}

typedef struct
{
  int64_t batch, n_q, n_kv, heads, kv_heads, head_dim, window;
  bool masked, causal, biased, packed;
  float softcap, spread;
} Attention;

static double
softmax_score (const EaselAttentionArgs *a, int64_t b, int64_t h, int64_t n_q, int64_t i, int64_t j)
{
  const float *q = (const float *) a->q.data + (b * n_q + i) * a->q.row + h * a->q.head;
  const float *k =
      (const float *) a->k.data + (b * a->n_kv + j) * a->k.row + h / (a->heads / a->kv_heads) * a->k.head;
  double s = 0;

  if ((a->mask.data && !((const uint8_t *) a->mask.data)[b * a->n_kv + j]) || (a->causal && j > i) ||
      (a->window && i - j >= a->window))
    return -INFINITY;
  for (int64_t d = 0; d < a->head_dim; d++)
    s += (double) q[d] * k[d];
  s *= a->scale;
  if (a->softcap > 0)
    s = a->softcap * tanh (s / a->softcap);
  return a->bias.data ? s + harness_at (&a->bias, (h * n_q + i) * a->n_kv + j) : s;
}

static void
attention_reference (const EaselAttentionArgs *a, int64_t batch, int64_t n_q, double *want)
{
  double *p = harness_want (a->n_kv);
  int64_t d = a->head_dim;

  for (int64_t b = 0; b < batch; b++)
    for (int64_t h = 0; h < a->heads; h++)
      for (int64_t i = 0; i < n_q; i++)
        {
          double top = -INFINITY, total = 0;

          for (int64_t j = 0; j < a->n_kv; j++)
            {
              p[j] = softmax_score (a, b, h, n_q, i, j);
              top = p[j] > top ? p[j] : top;
            }
          for (int64_t j = 0; j < a->n_kv; j++)
            total += p[j] = top == -INFINITY ? 0 : exp (p[j] - top);
          for (int64_t c = 0; c < d; c++)
            {
              double sum = 0;

              for (int64_t j = 0; j < a->n_kv; j++)
                sum += p[j] * ((const float *) a->v.data)[(b * a->n_kv + j) * a->v.row +
                                                          h / (a->heads / a->kv_heads) * a->v.head + c];
              want[((b * n_q + i) * a->heads + h) * d + c] = total > 0 ? sum / total : 0;
            }
        }
}

static void
attention_case (const Attention *c)
{
  int64_t row_q = c->heads * c->head_dim, row_kv = c->kv_heads * c->head_dim, n = c->batch * c->n_q * row_q;
  EaselTensor q = RANDOM (F32, c->spread, c->batch * c->n_q, row_q), k, v;
  EaselAttentionArgs a = {
    .q = { q.data, row_q, c->head_dim },
    .y = EMPTY (F32, c->batch, c->n_q, row_q),
    .n_kv = c->n_kv,
    .heads = c->heads,
    .kv_heads = c->kv_heads,
    .head_dim = c->head_dim,
    .scale = (float) (1 / sqrt ((double) c->head_dim)),
    .softcap = c->softcap,
    .causal = c->causal,
    .window = c->window,
  };
  double *want = harness_want (n);
  char name[160];

  if (c->packed) /* keys and values beside each other in one matrix */
    {
      k = RANDOM (F32, c->spread, c->batch * c->n_kv, 2 * row_kv);
      a.k = (EaselHeads){ k.data, 2 * row_kv, c->head_dim };
      a.v = (EaselHeads){ (float *) k.data + row_kv, 2 * row_kv, c->head_dim };
    }
  else
    {
      k = RANDOM (F32, c->spread, c->batch * c->n_kv, row_kv);
      v = RANDOM (F32, 1, c->batch * c->n_kv, row_kv);
      a.k = (EaselHeads){ k.data, row_kv, c->head_dim };
      a.v = (EaselHeads){ v.data, row_kv, c->head_dim };
    }
  if (c->masked)
    {
      a.mask = EMPTY (U8, c->batch, c->n_kv);
      for (int64_t i = 0; i < c->batch * c->n_kv; i++) /* the first batch sees no key at all */
        ((uint8_t *) a.mask.data)[i] = i >= c->n_kv && harness_random_int (3) > 0;
    }
  if (c->biased)
    a.bias = RANDOM (F32, 1, c->heads, c->n_q, c->n_kv);
  attention_reference (&a, c->batch, c->n_q, want);
  snprintf (name, sizeof name, "attention b%lld q%lld kv%lld h%lld/%lld d%lld%s%s%s", (long long) c->batch,
            (long long) c->n_q, (long long) c->n_kv, (long long) c->heads, (long long) c->kv_heads,
            (long long) c->head_dim, c->masked ? " masked" : "", c->causal ? " causal" : "", c->biased ? " bias" : "");
  harness_check (name, issue_attention, &a, a.y, want, n, 1e-5);
  harness_end ();
}

static void
test_attention (void)
{
  static const Attention cases[] = {
    { .batch = 1, .n_q = 1, .n_kv = 1, .heads = 1, .kv_heads = 1, .head_dim = 1, .spread = 1 },
    { .batch = 2, .n_q = 5, .n_kv = 7, .heads = 3, .kv_heads = 3, .head_dim = 8, .spread = 2, .masked = true },
    { .batch = 2, .n_q = 17, .n_kv = 33, .heads = 2, .kv_heads = 1, .head_dim = 17, .spread = 2, .packed = true },
    { .batch = 1, .n_q = 40, .n_kv = 40, .heads = 4, .kv_heads = 2, .head_dim = 32, .spread = 3, .causal = true,
      .softcap = 5 },
    { .batch = 1, .n_q = 35, .n_kv = 35, .heads = 2, .kv_heads = 2, .head_dim = 16, .spread = 1, .causal = true,
      .window = 6, .softcap = 50 },
    { .batch = 2, .n_q = 70, .n_kv = 300, .heads = 2, .kv_heads = 2, .head_dim = 112, .spread = 3, .masked = true,
      .packed = true },
    { .batch = 2, .n_q = 9, .n_kv = 1030, .heads = 1, .kv_heads = 1, .head_dim = 64, .spread = 4, .masked = true },
    { .batch = 1, .n_q = 26, .n_kv = 26, .heads = 4, .kv_heads = 4, .head_dim = 64, .spread = 1, .biased = true },
    { .batch = 2, .n_q = 130, .n_kv = 129, .heads = 1, .kv_heads = 1, .head_dim = 20, .spread = 6 },
    { .batch = 1, .n_q = 3, .n_kv = 19, .heads = 8, .kv_heads = 4, .head_dim = 256, .spread = 1, .masked = true,
      .biased = true },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    attention_case (&cases[i]);
}

static void
linear_attention_case (int64_t batch, int64_t n_tokens, int64_t heads, int64_t d, bool joined, int64_t extra)
{
  int64_t row = joined ? 3 * heads * d : heads * d, head = joined ? 3 * d : d, ldy = heads * d + extra;
  int64_t n = (batch * n_tokens - 1) * ldy + heads * d;
  EaselTensor q = RANDOM (F32, 1, batch * n_tokens, row), k = q, v = q, y = RANDOM (F32, 1, n);
  EaselLinearAttentionArgs a = {
    .y = easel_tensor_of (y.data, EASEL_DTYPE_F32, batch, n_tokens, heads * d),
    .heads = heads,
    .head_dim = d,
    .y_stride = extra ? ldy : 0,
    .eps = 1e-15f,
  };
  double *want = harness_want (n);
  char name[100];

  if (!joined)
    {
      k = RANDOM (F32, 1, batch * n_tokens, row);
      v = RANDOM (F32, 1, batch * n_tokens, row);
    }
  a.q = (EaselHeads){ q.data, row, head };
  a.k = (EaselHeads){ (float *) k.data + (joined ? d : 0), row, head };
  a.v = (EaselHeads){ (float *) v.data + (joined ? 2 * d : 0), row, head };
  for (int64_t i = 0; i < n; i++)
    want[i] = NAN;
  for (int64_t b = 0; b < batch; b++)
    for (int64_t h = 0; h < heads; h++)
      for (int64_t i = 0; i < n_tokens; i++)
        for (int64_t c = 0; c < d; c++)
          {
            const float *qi = (const float *) a.q.data + (b * n_tokens + i) * row + h * head;
            double above = 0, below = 0;

            for (int64_t j = 0; j < n_tokens; j++)
              {
                const float *kj = (const float *) a.k.data + (b * n_tokens + j) * row + h * head;
                const float *vj = (const float *) a.v.data + (b * n_tokens + j) * row + h * head;
                double dot = 0;

                for (int64_t r = 0; r < d; r++)
                  dot += qi[r] > 0 && kj[r] > 0 ? (double) qi[r] * kj[r] : 0;
                above += dot * vj[c];
                below += dot;
              }
            want[(b * n_tokens + i) * ldy + h * d + c] = above / (below + a.eps);
          }
  snprintf (name, sizeof name, "linear_attention b%lld n%lld h%lld d%lld%s", (long long) batch, (long long) n_tokens,
            (long long) heads, (long long) d, joined ? " joined" : "");
  harness_check (name, issue_linear_attention, &a, y, want, n, 2e-5);
  harness_end ();
}

static void
rope_case (int64_t batch, int64_t n_tokens, int64_t heads, int64_t d, int64_t first, bool interleaved)
{
  int64_t n = batch * n_tokens * heads * d, rows = n_tokens - first;
  EaselTensor x = RANDOM (F32, 1, batch, n_tokens, heads * d);
  EaselRopeArgs a = {
    .x = { x.data, heads * d, d },
    .cos = RANDOM (F32, 1, rows, d),
    .sin = RANDOM (F32, 1, rows, d),
    .batch = batch,
    .n_tokens = n_tokens,
    .heads = heads,
    .head_dim = d,
    .first = first,
    .interleaved = interleaved,
  };
  double *want = harness_want (n);
  char name[100];

  for (int64_t i = 0; i < n; i++)
    {
      int64_t c = i % d, token = i / (heads * d) % n_tokens, at = (token - first) * d + c;
      int64_t other = interleaved ? c ^ 1 : (c + d / 2) % d;
      bool minus = interleaved ? c % 2 == 0 : c < d / 2;

      want[i] = NAN;
      if (token >= first)
        want[i] = harness_at (&x, i) * harness_at (&a.cos, at) +
                  (minus ? -1 : 1) * harness_at (&x, i - c + other) * harness_at (&a.sin, at);
    }
  snprintf (name, sizeof name, "rope b%lld n%lld h%lld d%lld first %lld%s", (long long) batch, (long long) n_tokens,
            (long long) heads, (long long) d, (long long) first, interleaved ? " interleaved" : "");
  harness_check (name, issue_rope, &a, x, want, n, 1e-6);
  harness_end ();
}

int
main (void)
{
  test_attention ();
  linear_attention_case (1, 1, 1, 1, false, 0);
  linear_attention_case (2, 5, 3, 7, false, 2);
  linear_attention_case (1, 64, 2, 32, true, 0);
  linear_attention_case (2, 70, 3, 32, true, 5);
  linear_attention_case (1, 33, 2, 112, false, 0);
  linear_attention_case (1, 300, 1, 17, true, 0);
  linear_attention_case (1, 700, 1, 32, false, 0);
  rope_case (1, 1, 1, 2, 0, true);
  rope_case (2, 5, 3, 16, 0, false);
  rope_case (2, 7, 2, 64, 3, true);
  rope_case (1, 4, 2, 34, 1, false);
  rope_case (1, 9, 1, 6, 2, true);
  return harness_finish ();
}
