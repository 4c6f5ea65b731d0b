/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One forward pass: patches, time, blocks, and back to latents. Each sample's tokens are its text, then its clip, in
 * one piece of memory; attention and the feed-forward see them as one sequence, norms and gates as two.
 */
#include "engine/cogvideox/reuse.h"

#include <math.h>

#define QK_NORM_EPS 1e-6f

/* Rows of one part of one sample: [rows, C] of tokens [B, n, C]. */
static EaselTensor
part_of (EaselTensor tokens, const EaselCogContext *x, int b, gboolean text)
{
  const gint64 C = tokens.shape[2], start = b * x->n + (text ? 0 : x->n_text);

  return easel_tensor_rows (easel_tensor_as (tokens, x->batch * x->n, C), start, text ? x->n_text : x->n_clip);
}

/* The j-th of the vectors [1, C] that the time gives sample b: modulation [B, n_vectors C] f32. */
static EaselTensor
vector_of (EaselTensor modulation, gint64 C, int b, int j)
{
  return easel_tensor_of ((float *) modulation.data + b * modulation.shape[1] + j * C, EASEL_DTYPE_F32, 1, C);
}

/* x [B, frames, h, w, in] -> tokens [B, n, C], the text before the clip, positions added. */
static EaselTensor
embed (const EaselCogTransformer *self, EaselStream *s, const EaselCogContext *x, EaselTensor latents)
{
  const EaselCogConfig *c = &self->config;
  const EaselDtype act = s->act_dtype;
  const gint64 B = x->batch, t = c->patch_t, in = c->in_channels, p = c->patch, pixels = (gint64) x->h * x->w;
  EaselTensor tokens = easel_new (s, act, B, x->n, c->inner);
  const size_t mark = easel_stream_mark (s);
  EaselTensor picture = latents, patches;

  if (!easel_stream_ok (s))
    return tokens;
  if (t > 1) /* channels (channel, frame of the patch): a transposition of frames and everything else */
    {
      picture = easel_new (s, act, B * x->f, pixels, in, t);
      easel_layout (s, .x = easel_tensor_as (latents, B * x->f, t, pixels, in), .y = picture, .to_channels_last = true);
    }
  else if (latents.dtype != act)
    {
      picture = easel_new (s, act, B * x->f, pixels, in, 1);
      easel_cast (s, .x = latents, .y = picture);
    }
  patches = easel_new (s, act, B * x->f, x->y, x->x, in * t * p * p);
  easel_pixel_unshuffle (s, .x = easel_tensor_as (picture, B * x->f, x->h, x->w, in * t), .y = patches,
                         .factor = (int) p);
  patches = easel_tensor_as (patches, B, x->n_clip, in * t * p * p);
  for (int b = 0; b < B && easel_stream_ok (s); b++)
    {
      easel_cast (s, .x = easel_tensor_rows (x->text, b, 1), .y = part_of (tokens, x, b, TRUE));
      easel_linear (s, .x = easel_tensor_rows (patches, b, 1), .w = self->patch.w, .bias = self->patch.b,
                    .y = part_of (tokens, x, b, FALSE));
    }
  if (x->position.data)
    easel_add (s, .x = tokens, .r = x->position, .y = tokens);
  easel_stream_release (s, mark);
  return tokens;
}

/* linear_2 (silu (linear_1 (sinusoids of width n (t))))   t [B] f32 -> [B, T] act from the arena */
static EaselTensor
embed_scalar (const EaselCogConfig *c, EaselStream *s, EaselTensor t, gint64 n, const CogLayer *linear_1,
              const CogLayer *linear_2)
{
  const gint64 B = easel_tensor_count (&t), T = linear_2->w.shape[0];
  const EaselDtype act = s->act_dtype;
  EaselTensor y = easel_new (s, act, B, T);
  const size_t mark = easel_stream_mark (s);
  EaselTensor wave = easel_new (s, EASEL_DTYPE_F32, B, n), x = act == EASEL_DTYPE_F32 ? wave : easel_new (s, act, B, n);
  EaselTensor hidden = easel_new (s, act, B, T);

  easel_timestep_embedding (s, .t = t, .y = wave, .flip_sin_to_cos = c->flip_sin_to_cos,
                            .freq_shift = (float) c->freq_shift);
  if (x.data != wave.data)
    easel_cast (s, .x = wave, .y = x);
  easel_linear (s, .x = x, .w = linear_1->w, .bias = linear_1->b, .y = hidden, .act = EASEL_ACT_SILU);
  easel_linear (s, .x = hidden, .w = linear_2->w, .bias = linear_2->b, .y = y);
  easel_stream_release (s, mark);
  return y;
}

/* silu (time + ofs): [B, T] act, what every adaptive norm reads. */
static EaselTensor
embed_time (const EaselCogTransformer *self, EaselStream *s, const EaselCogStep *step)
{
  const EaselCogConfig *c = &self->config;
  EaselTensor time = embed_scalar (c, s, step->timestep, c->inner, &self->time_1, &self->time_2);

  if (c->ofs_dim > 0)
    {
      const size_t mark = easel_stream_mark (s);
      const float host = (float) step->ofs;
      EaselTensor ofs = easel_new (s, EASEL_DTYPE_F32, 1);

      easel_upload (s, ofs, &host);
      easel_add (s, .x = time, .r = embed_scalar (c, s, ofs, c->ofs_dim, &self->ofs_1, &self->ofs_2), .y = time);
      easel_stream_release (s, mark);
    }
  easel_glu (s, .a = time, .y = time, .act = EASEL_ACT_SILU);
  return time;
}

/* The vectors of one adaptive norm: [B, n_vectors C] f32 from the arena. */
static EaselTensor
modulate (EaselStream *s, EaselTensor time, const CogLayer *linear)
{
  const gint64 B = time.shape[0], n = linear->w.shape[0];
  const EaselDtype act = s->act_dtype;
  EaselTensor y = easel_new (s, EASEL_DTYPE_F32, B, n), x = act == EASEL_DTYPE_F32 ? y : easel_new (s, act, B, n);

  easel_linear (s, .x = time, .w = linear->w, .bias = linear->b, .y = x);
  if (x.data != y.data)
    easel_cast (s, .x = x, .y = y);
  return y;
}

/* y = norm (x) * (1 + scale) + shift, with the clip's and the text's own scale and shift. */
static void
adapt (const EaselCogTransformer *self, EaselStream *s, const EaselCogContext *x, EaselTensor tokens,
       EaselTensor modulation, const CogLayer *norm, EaselTensor y)
{
  const gint64 C = self->config.inner;

  for (int b = 0; b < x->batch && easel_stream_ok (s); b++)
    for (int text = 0; text < 2; text++)
      easel_norm (s, .kind = EASEL_NORM_LAYER, .x = part_of (tokens, x, b, text), .weight = norm->w, .bias = norm->b,
                  .shift = vector_of (modulation, C, b, 3 * text), .scale = vector_of (modulation, C, b, 3 * text + 1),
                  .y = part_of (y, x, b, text), .eps = (float) self->config.norm_eps);
}

/* tokens += gate * (linear (x)), with the clip's and the text's own gate. x [B, n, K]. */
static void
add_gated (const EaselCogTransformer *self, EaselStream *s, const EaselCogContext *x, EaselTensor from,
           EaselTensor modulation, const CogLayer *linear, EaselTensor tokens)
{
  for (int b = 0; b < x->batch && easel_stream_ok (s); b++)
    for (int text = 0; text < 2; text++)
      easel_linear (s, .x = part_of (from, x, b, text), .w = linear->w, .bias = linear->b,
                    .gate = vector_of (modulation, self->config.inner, b, 3 * text + 2),
                    .residual = part_of (tokens, x, b, text), .y = part_of (tokens, x, b, text));
}

/* y = attention of n over the whole sequence, before the output projection. */
static void
attend (const EaselCogTransformer *self, EaselStream *s, const EaselCogContext *x, const CogBlock *b, EaselTensor n,
        EaselTensor y)
{
  const EaselCogConfig *c = &self->config;
  const EaselDtype act = s->act_dtype;
  const gint64 B = x->batch, C = c->inner, D = c->head_dim;
  EaselTensor qkv[3];
  const CogLayer *linear[3] = { &b->q, &b->k, &b->v }, *norm[2] = { &b->norm_q, &b->norm_k };
  EaselHeads heads[3];

  for (int i = 0; i < 3; i++)
    {
      qkv[i] = easel_new (s, act, B, x->n, C);
      easel_linear (s, .x = n, .w = linear[i]->w, .bias = linear[i]->b, .y = qkv[i]);
      heads[i] = (EaselHeads){ .data = qkv[i].data, .row = C, .head = D };
    }
  for (int i = 0; i < 2 && easel_stream_ok (s); i++)
    {
      EaselTensor rows = easel_tensor_as (qkv[i], B * x->n * c->heads, D);

      easel_norm (s, .kind = EASEL_NORM_LAYER, .x = rows, .weight = norm[i]->w, .bias = norm[i]->b, .y = rows,
                  .eps = QK_NORM_EPS);
      if (c->rotary)
        easel_rope (s, .x = heads[i], .cos = x->cos, .sin = x->sin, .batch = B, .n_tokens = x->n, .heads = c->heads,
                    .head_dim = D, .first = x->n_text, .interleaved = true);
    }
  easel_attention (s, .q = heads[0], .k = heads[1], .v = heads[2], .y = y, .n_kv = x->n, .heads = c->heads,
                   .kv_heads = c->heads, .head_dim = D, .scale = 1 / sqrtf ((float) D));
}

static void
run_block (const EaselCogTransformer *self, EaselStream *s, const EaselCogContext *x, const CogBlock *b,
           EaselTensor time, EaselTensor tokens)
{
  const gint64 C = self->config.inner;
  const EaselDtype act = s->act_dtype;
  const size_t start = easel_stream_mark (s);
  EaselTensor m = modulate (s, time, &b->modulate_1), n, y;

  /* 1. tokens += gate * out (attention (adaptive norm (tokens))) */
  n = easel_new_input (s, &b->q.w, x->batch, x->n, C);
  y = easel_new (s, act, x->batch, x->n, C);
  adapt (self, s, x, tokens, m, &b->norm_1, n);
  attend (self, s, x, b, n, y);
  add_gated (self, s, x, y, m, &b->out, tokens);
  easel_stream_release (s, start);

  /* 2. tokens += gate * narrow (gelu (wide (adaptive norm (tokens)))) */
  m = modulate (s, time, &b->modulate_2);
  n = easel_new_input (s, &b->wide.w, x->batch, x->n, C);
  y = easel_new (s, act, x->batch, x->n, 4 * C);
  adapt (self, s, x, tokens, m, &b->norm_2, n);
  easel_linear (s, .x = n, .w = b->wide.w, .bias = b->wide.b, .y = y, .act = EASEL_ACT_GELU_TANH);
  add_gated (self, s, x, y, m, &b->narrow, tokens);
  easel_stream_release (s, start);
}

/* Tokens of the clip -> out [B, frames, h, w, out] f32. */
static void
finish (const EaselCogTransformer *self, EaselStream *s, const EaselCogContext *x, EaselTensor time, EaselTensor tokens,
        EaselTensor out)
{
  const EaselCogConfig *c = &self->config;
  const EaselDtype act = s->act_dtype;
  const gint64 B = x->batch, C = c->inner, t = c->patch_t, p = c->patch, n = c->out_channels;
  EaselTensor m = modulate (s, time, &self->modulate_out);
  EaselTensor clip = easel_new (s, act, B, x->n_clip, C), patches = easel_new (s, act, B, x->n_clip, n * t * p * p);
  EaselTensor picture = act == EASEL_DTYPE_F32 && t == 1 ? out : easel_new (s, act, B, x->frames, x->h, x->w, n);

  if (!easel_stream_ok (s))
    return;
  for (int b = 0; b < B; b++)
    {
      EaselTensor rows = part_of (tokens, x, b, FALSE);
      EaselTensor y = easel_tensor_as (easel_tensor_rows (clip, b, 1), x->n_clip, C);

      easel_norm (s, .kind = EASEL_NORM_LAYER, .x = rows, .weight = self->norm_final.w, .bias = self->norm_final.b,
                  .y = rows, .eps = (float) c->norm_eps);
      easel_norm (s, .kind = EASEL_NORM_LAYER, .x = rows, .weight = self->norm_out.w, .bias = self->norm_out.b,
                  .shift = vector_of (m, C, b, 0), .scale = vector_of (m, C, b, 1), .y = y, .eps = (float) c->norm_eps);
    }
  easel_linear (s, .x = clip, .w = self->out.w, .bias = self->out.b, .y = patches);
  easel_pixel_shuffle (s, .x = easel_tensor_as (patches, B * x->f, x->y, x->x, n * t * p * p),
                       .y = easel_tensor_as (picture, B * x->f, x->h, x->w, n * t), .factor = (int) p);
  if (t > 1)
    easel_layout (s, .x = easel_tensor_as (picture, B * x->f, (gint64) x->h * x->w, n, t),
                  .y = easel_tensor_as (out, B * x->f, t, (gint64) x->h * x->w, n));
  else if (picture.data != out.data)
    easel_cast (s, .x = picture, .y = out);
}

static gboolean
check_step (const EaselCogTransformer *self, const EaselCogContext *x, const EaselCogStep *step, EaselTensor out,
            GError **error)
{
  const gint64 in[5] = { x->batch, x->frames, x->h, x->w, self->config.in_channels };
  char got[80];
  gboolean fits = step->x.n_dims == 5;

  for (int i = 0; fits && i < 5; i++)
    fits = step->x.shape[i] == in[i];
  if (!fits)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "The latents are %s, the transformer takes [%d, %d, %d, %d, %d]",
                 easel_tensor_describe (&step->x, got, sizeof got), x->batch, x->frames, x->h, x->w, (int) in[4]);
  else if (easel_tensor_count (&step->timestep) != x->batch)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%d timesteps for %d samples",
                 (int) easel_tensor_count (&step->timestep), x->batch);
  else if (out.dtype != EASEL_DTYPE_F32
           || easel_tensor_count (&out) != in[0] * in[1] * in[2] * in[3] * self->config.out_channels)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "The transformer's output has another shape");
  else
    return TRUE;
  return FALSE;
}

gboolean
easel_cog_transformer_forward (EaselCogTransformer *self, EaselStream *s, EaselCogContext *context,
                               const EaselCogStep *step, EaselTensor out, EaselJob *job, GError **error)
{
  const size_t mark = easel_stream_mark (s);
  EaselTensor tokens, time;
  gboolean ok = TRUE, reused = FALSE;

  if (!check_step (self, context, step, out, error))
    return FALSE;

  /* 1. Tokens [B, n_text + n_clip, C].  2. What the time says, [B, T]. */
  tokens = embed (self, s, context, step->x);
  time = embed_time (self, s, step);

  /* 3. Blocks, in place on the tokens. The first says whether the work of an earlier step will do for the others. */
  if (step->reuse)
    cog_reuse_before (step->reuse, s, tokens);
  for (int i = 0; ok && i < self->config.layers; i++)
    {
      easel_weights_enter_block (self->weights, s, i);
      run_block (self, s, context, &self->blocks[i], time, tokens);
      easel_weights_leave_block (self->weights, s, i);
      ok = easel_stream_check (s, "Denoising", error) && easel_job_check (job, error);
      if (ok && i == 0 && step->reuse && (reused = cog_reuse_skips (step->reuse, s, tokens)))
        break;
    }
  if (ok && step->reuse && reused)
    cog_reuse_apply (step->reuse, s, tokens);
  else if (ok && step->reuse)
    cog_reuse_remember (step->reuse, s, tokens);

  /* 4. Norms, projection, patches back to latents [B, frames, h, w, out]. */
  if (ok)
    {
      finish (self, s, context, time, tokens, out);
      ok = easel_stream_check (s, "Denoising", error);
    }
  easel_stream_release (s, mark);
  return ok;
}
