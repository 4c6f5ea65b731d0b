/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading the configuration and the weights of the transformer's trunk, and what is computed once a job.
 */
#include "engine/sana/trunk.h"

#include <math.h>

#define TIME_CHANNELS 256 /* width of the sinusoidal embedding: a constant of the reference class */
#define MAX_INNER 65536

static gboolean
read_config (EaselSanaConfig *c, JsonObject *object, const char *where, GError **error)
{
  EaselFields f = easel_fields (object, where);
  const char *qk_norm = easel_fields_string (&f, "qk_norm", NULL);

  c->in_channels = easel_fields_int (&f, "in_channels", 32, 1, 4096);
  c->out_channels = easel_fields_int (&f, "out_channels", c->in_channels, 1, 4096);
  c->heads = easel_fields_int (&f, "num_attention_heads", 70, 1, 4096);
  c->head_dim = easel_fields_int (&f, "attention_head_dim", 32, 1, 1024);
  c->layers = easel_fields_int (&f, "num_layers", 20, 1, 1024);
  c->cross_heads = easel_fields_int (&f, "num_cross_attention_heads", 20, 1, 4096);
  c->cross_head_dim = easel_fields_int (&f, "cross_attention_head_dim", 112, 1, 1024);
  c->cross_dim = easel_fields_int (&f, "cross_attention_dim", 2240, 1, MAX_INNER);
  c->caption_channels = easel_fields_int (&f, "caption_channels", 2304, 1, MAX_INNER);
  c->sample_size = easel_fields_int (&f, "sample_size", 32, 1, 4096);
  c->patch_size = easel_fields_int (&f, "patch_size", 1, 1, 64);
  c->mlp_ratio = easel_fields_double (&f, "mlp_ratio", 2.5);
  c->norm_eps = easel_fields_double (&f, "norm_eps", 1e-6);
  c->attention_bias = easel_fields_bool (&f, "attention_bias", FALSE);
  c->norm_affine = easel_fields_bool (&f, "norm_elementwise_affine", FALSE);
  c->position_embedding = easel_fields_has (&f, "interpolation_scale");
  c->interpolation_scale = easel_fields_double (&f, "interpolation_scale", 1);
  c->guidance_embeds = easel_fields_bool (&f, "guidance_embeds", FALSE);
  c->guidance_embeds_scale = easel_fields_double (&f, "guidance_embeds_scale", 0.1);
  c->timestep_scale = easel_fields_double (&f, "timestep_scale", 1);
  c->qk_norm = qk_norm != NULL;
  if (!easel_fields_done (&f, error))
    return FALSE;

  c->inner = c->heads * c->head_dim;
  c->mlp_hidden = c->mlp_ratio > 0 && c->mlp_ratio < 64 ? (int) (c->mlp_ratio * c->inner) : 0;
  if (c->patch_size != 1)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s: patch_size %d is not supported, only 1", where,
                 c->patch_size);
  else if (qk_norm && strcmp (qk_norm, "rms_norm_across_heads") != 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 "%s: qk_norm \"%s\" is not supported, only \"rms_norm_across_heads\" or none", where, qk_norm);
  else if (c->inner > MAX_INNER || c->mlp_hidden < 1)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                 "%s: %d heads of %d with mlp_ratio %g make no sense", where, c->heads, c->head_dim, c->mlp_ratio);
  else if (c->cross_dim != c->inner)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 "%s: cross_attention_dim %d differs from the width %d of the blocks", where, c->cross_dim, c->inner);
  else if (c->position_embedding && (c->inner % 4 != 0 || !(c->interpolation_scale > 0)))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                 "%s: positions need a width divisible by 4 and an interpolation_scale above 0", where);
  else
    return TRUE;
  return FALSE;
}

SanaLinear
sana_take_linear (EaselWeights *weights, gint64 n, gint64 k, gboolean bias, const char *name, ...)
{
  g_autofree char *base = NULL;
  SanaLinear l = { 0 };
  va_list args;

  va_start (args, name);
  base = g_strdup_vprintf (name, args);
  va_end (args);
  l.w = easel_weights_take (weights, EASEL_SHAPE (n, k), "%s.weight", base);
  if (bias)
    l.b = easel_weights_take (weights, EASEL_SHAPE (n), "%s.bias", base);
  return l;
}

/* The same of a block's own product, which may have 8 bits. A convolution of 1x1 is a linear layer on channels-last
 * pictures. */
static SanaLinear G_GNUC_PRINTF (6, 7)
take_product (EaselWeights *weights, gboolean conv, gint64 n, gint64 k, gboolean bias, const char *name, ...)
{
  g_autofree char *base = NULL;
  SanaLinear l = { 0 };
  va_list args;

  va_start (args, name);
  base = g_strdup_vprintf (name, args);
  va_end (args);
  if (conv)
    l.w = easel_weights_take_product (weights, EASEL_SHAPE (n, k, 1, 1), "%s.weight", base);
  else
    l.w = easel_weights_take_product (weights, EASEL_SHAPE (n, k), "%s.weight", base);
  if (bias)
    l.b = easel_weights_take (weights, EASEL_SHAPE (n), "%s.bias", base);
  return l;
}

static SanaLinear
take_conv1x1 (EaselWeights *weights, gint64 n, gint64 k, gboolean bias, const char *name)
{
  SanaLinear l = { 0 };

  l.w = easel_weights_take (weights, EASEL_SHAPE (n, k, 1, 1), "%s.weight", name);
  if (l.w.data)
    l.w = easel_tensor_as (l.w, n, k);
  if (bias)
    l.b = easel_weights_take (weights, EASEL_SHAPE (n), "%s.bias", name);
  return l;
}

static void
take_block (SanaBlock *b, const EaselSanaConfig *c, EaselWeights *weights, int i)
{
  const gint64 C = c->inner, D = (gint64) c->cross_heads * c->cross_head_dim, H = c->mlp_hidden;
  g_autofree char *at = g_strdup_printf ("transformer_blocks.%d", i);

  b->scale_shift = easel_weights_take (weights, EASEL_SHAPE (6, C), "%s.scale_shift_table", at);
  b->q = take_product (weights, FALSE, C, C, c->attention_bias, "%s.attn1.to_q", at);
  b->k = take_product (weights, FALSE, C, C, c->attention_bias, "%s.attn1.to_k", at);
  b->v = take_product (weights, FALSE, C, C, c->attention_bias, "%s.attn1.to_v", at);
  b->out = take_product (weights, FALSE, C, C, TRUE, "%s.attn1.to_out.0", at);
  b->cross_q = take_product (weights, FALSE, D, C, TRUE, "%s.attn2.to_q", at);
  b->cross_k = take_product (weights, FALSE, D, C, TRUE, "%s.attn2.to_k", at);
  b->cross_v = take_product (weights, FALSE, D, C, TRUE, "%s.attn2.to_v", at);
  b->cross_out = take_product (weights, FALSE, C, D, TRUE, "%s.attn2.to_out.0", at);
  if (c->qk_norm)
    {
      b->norm_q = easel_weights_take (weights, EASEL_SHAPE (C), "%s.attn1.norm_q.weight", at);
      b->norm_k = easel_weights_take (weights, EASEL_SHAPE (C), "%s.attn1.norm_k.weight", at);
      b->cross_norm_q = easel_weights_take (weights, EASEL_SHAPE (D), "%s.attn2.norm_q.weight", at);
      b->cross_norm_k = easel_weights_take (weights, EASEL_SHAPE (D), "%s.attn2.norm_k.weight", at);
    }
  if (c->norm_affine)
    {
      b->norm2.w = easel_weights_take (weights, EASEL_SHAPE (C), "%s.norm2.weight", at);
      b->norm2.b = easel_weights_take (weights, EASEL_SHAPE (C), "%s.norm2.bias", at);
    }
  b->inverted = take_product (weights, TRUE, 2 * H, C, TRUE, "%s.ff.conv_inverted", at);
  b->depth.w = easel_weights_take (weights, EASEL_SHAPE (2 * H, 1, 3, 3), "%s.ff.conv_depth.weight", at);
  b->depth.b = easel_weights_take (weights, EASEL_SHAPE (2 * H), "%s.ff.conv_depth.bias", at);
  b->point = take_product (weights, TRUE, C, H, FALSE, "%s.ff.conv_point", at);
}

gboolean
sana_trunk_init (SanaTrunk *self, JsonObject *config, const char *where, EaselWeights *weights, EaselDevice *device,
                 GError **error)
{
  const EaselSanaConfig *c = &self->config;
  const char *time;

  *self = (SanaTrunk){ .weights = weights, .device = device };
  if (!read_config (&self->config, config, where, error))
    return FALSE;

  const gint64 C = c->inner;
  easel_weights_set_device (weights, device);
  self->patch = take_conv1x1 (weights, C, c->in_channels, TRUE, "patch_embed.proj");
  time = c->guidance_embeds ? "time_embed" : "time_embed.emb";
  self->time_1 = sana_take_linear (weights, C, TIME_CHANNELS, TRUE, "%s.timestep_embedder.linear_1", time);
  self->time_2 = sana_take_linear (weights, C, C, TRUE, "%s.timestep_embedder.linear_2", time);
  if (c->guidance_embeds)
    {
      self->guidance_1 = sana_take_linear (weights, C, TIME_CHANNELS, TRUE, "time_embed.guidance_embedder.linear_1");
      self->guidance_2 = sana_take_linear (weights, C, C, TRUE, "time_embed.guidance_embedder.linear_2");
    }
  self->modulation = sana_take_linear (weights, 6 * C, C, TRUE, "time_embed.linear");
  self->caption_1 = sana_take_linear (weights, C, c->caption_channels, TRUE, "caption_projection.linear_1");
  self->caption_2 = sana_take_linear (weights, C, C, TRUE, "caption_projection.linear_2");
  self->caption_norm = easel_weights_take (weights, EASEL_SHAPE (C), "caption_norm.weight");
  self->blocks = g_new0 (SanaBlock, c->layers);
  for (int i = 0; i < c->layers; i++)
    {
      easel_weights_begin_block (weights, i, c->layers);
      take_block (&self->blocks[i], c, weights, i);
      easel_weights_end_block (weights);
    }
  return TRUE;
}

void
sana_trunk_clear (SanaTrunk *self)
{
  g_clear_pointer (&self->blocks, g_free);
  g_clear_pointer (&self->weights, easel_weights_free);
}

/* Sine and cosine of columns, then of rows (the reference's order, get_2d_sincos_pos_embed): [h w, C] f32, host. */
static float *
position_table (const EaselSanaConfig *c, int h, int w, GError **error)
{
  const int C = c->inner, quarter = C / 4;
  const float base = c->sample_size / c->patch_size, scale = c->interpolation_scale;
  float *table = g_try_malloc_n ((gsize) h * w, C * sizeof (float));

  if (!table)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for the positions of %d x %d tokens",
                   h, w);
      return NULL;
    }
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      {
        float *row = table + ((gsize) y * w + x) * C;
        /* positions in f32 and angles in f64, as the reference */
        const double px = (float) ((float) x / ((float) w / base)) / scale;
        const double py = (float) ((float) y / ((float) h / base)) / scale;

        for (int i = 0; i < quarter; i++)
          {
            const double omega = 1.0 / pow (10000, i / (C / 4.0));

            row[i] = sin (px * omega);
            row[quarter + i] = cos (px * omega);
            row[2 * quarter + i] = sin (py * omega);
            row[3 * quarter + i] = cos (py * omega);
          }
      }
  return table;
}

static gboolean
upload_positions (const SanaTrunk *self, EaselStream *s, EaselSanaContext *context, GError **error)
{
  const gint64 n = (gint64) context->h * context->w, C = self->config.inner;
  g_autofree float *host = NULL;
  EaselTensor f32;
  size_t mark;

  if (!easel_stream_is_dry (s) && !(host = position_table (&self->config, context->h, context->w, error)))
    return FALSE;
  context->position = easel_new (s, s->act_dtype, n, C);
  mark = easel_stream_mark (s);
  f32 = easel_new (s, EASEL_DTYPE_F32, n, C);
  easel_upload (s, f32, host);
  easel_cast (s, .x = f32, .y = context->position);
  easel_stream_release (s, mark);
  return TRUE;
}

EaselSanaContext *
sana_trunk_context (const SanaTrunk *self, EaselStream *s, EaselTensor text, const guint8 *mask, int h, int w,
                    GError **error)
{
  const EaselSanaConfig *c = &self->config;
  const gint64 B = text.shape[0], n = text.shape[1], C = c->inner, D = (gint64) c->cross_heads * c->cross_head_dim;
  const EaselDtype act = s->act_dtype;
  g_autoptr (EaselSanaContext) context = g_new0 (EaselSanaContext, 1);
  EaselTensor hidden, caption;
  size_t mark;

  if (text.n_dims != 3 || text.shape[2] != c->caption_channels || h < 1 || w < 1)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "The text encoder gives %d numbers a token and the transformer takes %d: not made for each other",
                   text.n_dims == 3 ? (int) text.shape[2] : 0, c->caption_channels);
      return NULL;
    }
  context->batch = B;
  context->n_text = n;
  context->h = h;
  context->w = w;
  context->layers = c->layers;
  context->k = g_new0 (EaselTensor, c->layers);
  context->v = g_new0 (EaselTensor, c->layers);

  /* What stays: the mask, positions, modulation tables, keys and values. */
  context->mask = easel_new (s, EASEL_DTYPE_U8, B, n);
  easel_upload (s, context->mask, mask);
  if (c->position_embedding && !upload_positions (self, s, context, error))
    return NULL;
  context->tables = easel_new (s, EASEL_DTYPE_F32, c->layers, 6, C);
  if (self->out_scale_shift.data)
    context->out_table = easel_new (s, EASEL_DTYPE_F32, 2, C);
  for (int i = 0; i < c->layers; i++)
    {
      context->k[i] = easel_new (s, act, B, n, D);
      context->v[i] = easel_new (s, act, B, n, D);
    }
  if (!easel_stream_check (s, "Preparing the text", error))
    return NULL;

  /* caption = norm (linear_2 (gelu (linear_1 (text))))   [B, n, C] */
  mark = easel_stream_mark (s);
  hidden = easel_new (s, act, B, n, C);
  caption = easel_new (s, act, B, n, C);
  easel_linear (s, .x = text, .w = self->caption_1.w, .bias = self->caption_1.b, .y = hidden,
                .act = EASEL_ACT_GELU_TANH);
  easel_linear (s, .x = hidden, .w = self->caption_2.w, .bias = self->caption_2.b, .y = caption);
  easel_norm (s, .kind = EASEL_NORM_RMS, .x = caption, .weight = self->caption_norm, .y = caption, .eps = 1e-5f);

  for (int i = 0; i < c->layers && easel_stream_ok (s); i++)
    {
      const SanaBlock *b = &self->blocks[i];

      easel_weights_enter_block (self->weights, s, i);
      easel_cast (s, .x = b->scale_shift, .y = easel_tensor_rows (context->tables, i, 1));
      easel_linear (s, .x = caption, .w = b->cross_k.w, .bias = b->cross_k.b, .y = context->k[i]);
      easel_linear (s, .x = caption, .w = b->cross_v.w, .bias = b->cross_v.b, .y = context->v[i]);
      if (c->qk_norm)
        easel_norm (s, .kind = EASEL_NORM_RMS, .x = context->k[i], .weight = b->cross_norm_k, .y = context->k[i],
                    .eps = 1e-5f);
      easel_weights_leave_block (self->weights, s, i);
    }
  if (self->out_scale_shift.data)
    easel_cast (s, .x = self->out_scale_shift, .y = context->out_table);
  easel_stream_release (s, mark);
  if (!easel_stream_check (s, "Preparing the text", error))
    return NULL;
  return g_steal_pointer (&context);
}

void
easel_sana_context_free (EaselSanaContext *self)
{
  if (!self)
    return;
  g_free (self->k);
  g_free (self->v);
  g_free (self);
}

gboolean
sana_trunk_check_input (const SanaTrunk *self, const EaselSanaContext *context, EaselTensor x, EaselTensor timestep,
                        EaselTensor guidance, GError **error)
{
  const EaselSanaConfig *c = &self->config;
  char got[80];

  if (x.n_dims != 4 || (x.shape[0] != context->batch && x.shape[0] != 1) || x.shape[1] != context->h
      || x.shape[2] != context->w || x.shape[3] != c->in_channels)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "The latents are %s, the transformer takes [%d, %d, %d, %d]",
                 easel_tensor_describe (&x, got, sizeof got), context->batch, context->h, context->w, c->in_channels);
  else if (easel_tensor_count (&timestep) != context->batch && easel_tensor_count (&timestep) != 1)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%d timesteps for %d samples",
                 (int) easel_tensor_count (&timestep), context->batch);
  else if (c->guidance_embeds && easel_tensor_count (&guidance) != easel_tensor_count (&timestep))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "This transformer (guidance_embeds) needs a guidance scale for each timestep");
  else if (!c->guidance_embeds && guidance.data)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "This transformer takes no guidance scale of its own");
  else
    return TRUE;
  return FALSE;
}
