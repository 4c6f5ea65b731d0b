/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One forward pass of the trunk: patches, time, blocks. Tokens are channels last, so every 1x1 convolution is a linear
 * layer and the picture [B, h, w, C] is the same memory as the tokens [B, h w, C].
 */
#include "engine/sana/trunk.h"

#include <math.h>

#define TIME_CHANNELS 256
#define QK_NORM_EPS 1e-5f          /* Attention's default */
#define LINEAR_ATTENTION_EPS 1e-15f

static EaselHeads
heads_of (EaselTensor t, gint64 row, gint64 head)
{
  return (EaselHeads){ .data = t.data, .row = row, .head = head };
}

void
sana_trunk_embed_patches (const SanaTrunk *self, EaselStream *s, const EaselSanaContext *context, EaselTensor x,
                          EaselTensor tokens)
{
  const EaselSanaConfig *c = &self->config;
  const gint64 n = x.shape[0], N = (gint64) context->h * context->w;
  const EaselDtype act = s->act_dtype;
  size_t mark = easel_stream_mark (s);

  x = easel_tensor_as (x, n, N, c->in_channels);
  if (x.dtype != act)
    {
      EaselTensor cast = easel_new (s, act, n, N, c->in_channels);

      easel_cast (s, .x = x, .y = cast);
      x = cast;
    }
  easel_linear (s, .x = x, .w = self->patch.w, .bias = self->patch.b, .y = tokens);
  if (context->position.data)
    easel_add (s, .x = tokens, .r = context->position, .y = tokens);
  easel_stream_release (s, mark);
}

/* linear_2 (silu (linear_1 (sinusoids (t))))   t [B] f32 -> [B, C] act from the arena */
static EaselTensor
embed_scalar (EaselStream *s, EaselTensor t, const SanaLinear *linear_1, const SanaLinear *linear_2)
{
  const gint64 B = easel_tensor_count (&t), C = linear_2->w.shape[0];
  const EaselDtype act = s->act_dtype;
  EaselTensor y = easel_new (s, act, B, C);
  size_t mark = easel_stream_mark (s);
  EaselTensor waves = easel_new (s, EASEL_DTYPE_F32, B, TIME_CHANNELS);
  EaselTensor x = act == EASEL_DTYPE_F32 ? waves : easel_new (s, act, B, TIME_CHANNELS);
  EaselTensor hidden = easel_new (s, act, B, C);

  easel_timestep_embedding (s, .t = t, .y = waves, .flip_sin_to_cos = true);
  if (x.data != waves.data)
    easel_cast (s, .x = waves, .y = x);
  easel_linear (s, .x = x, .w = linear_1->w, .bias = linear_1->b, .y = hidden, .act = EASEL_ACT_SILU);
  easel_linear (s, .x = hidden, .w = linear_2->w, .bias = linear_2->b, .y = y);
  easel_stream_release (s, mark);
  return y;
}

void
sana_trunk_shift_table (EaselStream *s, EaselTensor table, EaselTensor embedded, EaselTensor out)
{
  const gint64 C = table.shape[table.n_dims - 1], n = easel_tensor_count (&table) / C;
  const gint64 g = easel_tensor_count (&embedded) / C;

  if (!easel_stream_ok (s))
    return;
  table = easel_tensor_as (table, n, C);
  embedded = easel_tensor_as (embedded, g, C);
  out = easel_tensor_as (out, n * g, C);
  for (gint64 i = 0; i < n; i++)
    for (gint64 j = 0; j < g; j++)
      easel_add (s, .x = easel_tensor_rows (table, i, 1), .r = easel_tensor_rows (embedded, j, 1),
                 .y = easel_tensor_rows (out, i * g + j, 1));
}

/* Every sample at its own time: rows of [layers, 6] one by one. Pipelines never need it, the reference allows it. */
static void
modulate_apart (EaselStream *s, const EaselSanaContext *context, EaselTensor six, EaselTensor all)
{
  const gint64 g = six.shape[0], C = six.shape[1] / 6;
  EaselTensor tables = easel_tensor_as (context->tables, context->layers * 6, C);
  EaselTensor parts = easel_tensor_as (six, g * 6, C), rows = easel_tensor_as (all, context->layers * 6 * g, C);

  for (gint64 i = 0; i < context->layers * 6 && easel_stream_ok (s); i++)
    for (gint64 j = 0; j < g; j++)
      easel_add (s, .x = easel_tensor_rows (tables, i, 1), .r = easel_tensor_rows (parts, j * 6 + i % 6, 1),
                 .y = easel_tensor_rows (rows, i * g + j, 1));
}

EaselTensor
sana_trunk_modulate (const SanaTrunk *self, EaselStream *s, const EaselSanaContext *context, EaselTensor timestep,
                     EaselTensor guidance, EaselTensor *embedded)
{
  const gint64 g = easel_tensor_count (&timestep), C = self->config.inner;
  const EaselDtype act = s->act_dtype;
  EaselTensor all = easel_new (s, EASEL_DTYPE_F32, context->layers, 6, g, C);
  EaselTensor keep = embedded ? easel_new (s, EASEL_DTYPE_F32, g, C) : EASEL_NO_TENSOR;
  size_t mark = easel_stream_mark (s);
  EaselTensor six = easel_new (s, act, g, 6 * C);
  EaselTensor time = embed_scalar (s, timestep, &self->time_1, &self->time_2); /* [g, C] */

  if (self->config.guidance_embeds)
    easel_add (s, .x = time, .r = embed_scalar (s, guidance, &self->guidance_1, &self->guidance_2), .y = time);
  if (embedded)
    easel_cast (s, .x = time, .y = keep);

  /* six = linear (silu (time)), then every block at once: all = tables + six */
  easel_glu (s, .a = time, .y = time, .act = EASEL_ACT_SILU);
  easel_linear (s, .x = time, .w = self->modulation.w, .bias = self->modulation.b, .y = six);
  if (act != EASEL_DTYPE_F32)
    {
      EaselTensor f32 = easel_new (s, EASEL_DTYPE_F32, g, 6 * C);

      easel_cast (s, .x = six, .y = f32);
      six = f32;
    }
  if (g == 1)
    easel_add (s, .x = context->tables, .r = six, .y = all);
  else if (easel_stream_ok (s))
    modulate_apart (s, context, six, all);
  easel_stream_release (s, mark);
  if (embedded)
    *embedded = keep;
  return all;
}

/* y = self-attention of n, before the output projection; q, k, v are scratch of n's shape. */
static void
self_attention (const SanaTrunk *self, EaselStream *s, const SanaBlock *b, EaselTensor n, EaselTensor y,
                int n_perturbed)
{
  const EaselSanaConfig *c = &self->config;
  const gint64 B = n.shape[0], N = n.shape[1], C = c->inner, plain = B - n_perturbed;
  const EaselDtype act = s->act_dtype;
  EaselTensor q = easel_new (s, act, B, N, C), k = easel_new (s, act, B, N, C), v = easel_new (s, act, B, N, C);

  easel_linear (s, .x = n, .w = b->q.w, .bias = b->q.b, .y = q);
  easel_linear (s, .x = n, .w = b->k.w, .bias = b->k.b, .y = k);
  easel_linear (s, .x = n, .w = b->v.w, .bias = b->v.b, .y = v);
  if (!easel_stream_ok (s))
    return;
  if (c->qk_norm)
    {
      easel_norm (s, .kind = EASEL_NORM_RMS, .x = q, .weight = b->norm_q, .y = q, .eps = QK_NORM_EPS);
      easel_norm (s, .kind = EASEL_NORM_RMS, .x = k, .weight = b->norm_k, .y = k, .eps = QK_NORM_EPS);
    }
  easel_linear_attention (s, .q = heads_of (q, C, c->head_dim), .k = heads_of (k, C, c->head_dim),
                          .v = heads_of (v, C, c->head_dim), .y = easel_tensor_rows (y, 0, plain), .heads = c->heads,
                          .head_dim = c->head_dim, .eps = LINEAR_ATTENTION_EPS);
  if (n_perturbed > 0) /* every token attends to itself alone */
    easel_cast (s, .x = easel_tensor_rows (v, plain, n_perturbed), .y = easel_tensor_rows (y, plain, n_perturbed));
}

void
sana_trunk_block (const SanaTrunk *self, EaselStream *s, const EaselSanaContext *context, int i, EaselTensor x,
                  EaselTensor modulation, int n_perturbed, int n_same)
{
  const EaselSanaConfig *c = &self->config;
  const SanaBlock *b = &self->blocks[i];
  const gint64 B = context->batch, h = context->h, w = context->w, N = h * w, C = c->inner, H = c->mlp_hidden;
  const gint64 D = (gint64) c->cross_heads * c->cross_head_dim, g = modulation.shape[2];
  const EaselDtype act = s->act_dtype;
  const size_t mark = easel_stream_mark (s);
  EaselTensor m[6], n, a, q, wide, gated, first;

  if (!easel_stream_ok (s))
    return;
  easel_weights_enter_block (self->weights, s, i);
  /* 1. shift, scale, gate of the attention and of the feed-forward, each [g, C] f32 */
  for (int j = 0; j < 6; j++)
    m[j] = easel_tensor_of ((float *) modulation.data + ((gsize) i * 6 + j) * g * C, EASEL_DTYPE_F32, g, C);

  /* 2. Linear self-attention: x += gate * out (attention (modulated norm (x))) */
  first = easel_tensor_rows (x, 0, n_same);
  n = easel_new_input (s, &b->q.w, n_same, N, C);
  a = easel_new (s, act, n_same, N, C);
  easel_norm (s, .kind = EASEL_NORM_LAYER, .x = first, .scale = m[1], .shift = m[0], .y = n, .eps = c->norm_eps);
  self_attention (self, s, b, n, a, n_perturbed);
  easel_linear (s, .x = a, .w = b->out.w, .bias = b->out.b, .gate = m[2], .residual = first, .y = first);
  for (gint64 j = n_same; j < B; j++)
    easel_cast (s, .x = easel_tensor_rows (x, 0, 1), .y = easel_tensor_rows (x, j, 1));
  easel_stream_release (s, mark);

  /* 3. Cross-attention to the text: x += out (attention (q (x), k, v)) */
  q = easel_new (s, act, B, N, D);
  a = easel_new (s, act, B, N, D);
  easel_linear (s, .x = x, .w = b->cross_q.w, .bias = b->cross_q.b, .y = q);
  if (c->qk_norm)
    easel_norm (s, .kind = EASEL_NORM_RMS, .x = q, .weight = b->cross_norm_q, .y = q, .eps = QK_NORM_EPS);
  easel_attention (s, .q = heads_of (q, D, c->cross_head_dim), .k = heads_of (context->k[i], D, c->cross_head_dim),
                   .v = heads_of (context->v[i], D, c->cross_head_dim), .mask = context->mask, .y = a,
                   .n_kv = context->n_text, .heads = c->cross_heads, .kv_heads = c->cross_heads,
                   .head_dim = c->cross_head_dim, .scale = 1.0f / sqrtf (c->cross_head_dim));
  easel_linear (s, .x = a, .w = b->cross_out.w, .bias = b->cross_out.b, .residual = x, .y = x);
  easel_stream_release (s, mark);

  /* 4. Feed-forward (GLUMBConv): x += gate * point (depthwise GLU (silu (inverted (modulated norm (x))))) */
  n = easel_new_input (s, &b->inverted.w, B, N, C);
  wide = easel_new (s, act, B, h, w, 2 * H);
  gated = easel_new (s, act, B, h, w, H);
  easel_norm (s, .kind = EASEL_NORM_LAYER, .x = x, .weight = b->norm2.w, .bias = b->norm2.b, .scale = m[4],
              .shift = m[3], .y = n, .eps = c->norm_eps);
  easel_linear (s, .x = n, .w = b->inverted.w, .bias = b->inverted.b, .y = wide, .act = EASEL_ACT_SILU);
  easel_depthwise_glu (s, .x = wide, .w = b->depth.w, .bias = b->depth.b, .y = gated);
  easel_linear (s, .x = gated, .w = b->point.w, .gate = m[5], .residual = x, .y = x);
  easel_stream_release (s, mark);
  easel_weights_leave_block (self->weights, s, i);
}
