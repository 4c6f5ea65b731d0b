/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading the configuration and the weights of the transformer, and what is computed once a job.
 */
#include "engine/cogvideox/transformer-private.h"

#define WHERE "transformer/config.json"
#define MAX_INNER 65536

/* ------------------------------------------------------------------------------------------------- configuration */

static gboolean
check_config (const EaselCogConfig *c, EaselFields *f, GError **error)
{
  const char *act = easel_fields_string (f, "activation_fn", "gelu-approximate");
  const char *time_act = easel_fields_string (f, "timestep_activation_fn", "silu");
  const gboolean positions = !c->rotary || c->learned;

  if (!easel_fields_done (f, error))
    return FALSE;
  if (strcmp (act, "gelu-approximate") != 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 WHERE ": activation_fn \"%s\" is not supported, only gelu-approximate", act);
  else if (strcmp (time_act, "silu") != 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 WHERE ": timestep_activation_fn \"%s\" is not supported, only silu", time_act);
  else if (c->inner > MAX_INNER)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, WHERE ": %d heads of %d make no sense", c->heads,
                 c->head_dim);
  else if (c->rotary && c->head_dim % 16 != 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 WHERE ": rotary positions need heads of a multiple of 16, not of %d", c->head_dim);
  else if (positions && c->inner % 16 != 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 WHERE ": positions need a width divisible by 16, not %d", c->inner);
  else if (!c->rotary && c->learned)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 WHERE ": learned positions without rotary ones are not supported");
  else if (positions && c->over_time)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 WHERE ": patch_size_t with positions other than rotary ones is not supported");
  else if (!(c->spatial_scale > 0 && c->temporal_scale > 0))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, WHERE ": interpolation scales must be above 0");
  else if (!(c->freq_shift >= 0 && c->freq_shift < c->inner / 2) || c->inner % 2 || c->ofs_dim % 2)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, WHERE ": freq_shift %g makes no sense", c->freq_shift);
  else if (c->sample_height < c->patch || c->sample_width < c->patch)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, WHERE ": samples are smaller than a patch");
  else
    return TRUE;
  return FALSE;
}

static gboolean
read_config (EaselCogConfig *c, JsonObject *object, GError **error)
{
  EaselFields f = easel_fields (object, WHERE);

  c->heads = easel_fields_int (&f, "num_attention_heads", 30, 1, 4096);
  c->head_dim = easel_fields_int (&f, "attention_head_dim", 64, 1, 1024);
  c->in_channels = easel_fields_int (&f, "in_channels", 16, 1, 4096);
  c->out_channels = easel_fields_int (&f, "out_channels", 16, 1, 4096);
  c->flip_sin_to_cos = easel_fields_bool (&f, "flip_sin_to_cos", TRUE);
  c->freq_shift = easel_fields_double (&f, "freq_shift", 0);
  c->time_dim = easel_fields_int (&f, "time_embed_dim", 512, 1, MAX_INNER);
  c->ofs_dim = easel_fields_int (&f, "ofs_embed_dim", 0, 0, MAX_INNER);
  c->text_dim = easel_fields_int (&f, "text_embed_dim", 4096, 1, MAX_INNER);
  c->layers = easel_fields_int (&f, "num_layers", 30, 1, 1024);
  c->attention_bias = easel_fields_bool (&f, "attention_bias", TRUE);
  c->sample_width = easel_fields_int (&f, "sample_width", 90, 1, 4096);
  c->sample_height = easel_fields_int (&f, "sample_height", 60, 1, 4096);
  c->sample_frames = easel_fields_int (&f, "sample_frames", 49, 1, 10000);
  c->patch = easel_fields_int (&f, "patch_size", 2, 1, 64);
  c->patch_t = easel_fields_int (&f, "patch_size_t", 1, 1, 64);
  c->over_time = easel_fields_has (&f, "patch_size_t");
  c->temporal_ratio = easel_fields_int (&f, "temporal_compression_ratio", 4, 1, 64);
  c->max_text = easel_fields_int (&f, "max_text_seq_length", 226, 1, 8192);
  c->norm_affine = easel_fields_bool (&f, "norm_elementwise_affine", TRUE);
  c->norm_eps = easel_fields_double (&f, "norm_eps", 1e-5);
  c->spatial_scale = easel_fields_double (&f, "spatial_interpolation_scale", 1.875);
  c->temporal_scale = easel_fields_double (&f, "temporal_interpolation_scale", 1);
  c->rotary = easel_fields_bool (&f, "use_rotary_positional_embeddings", FALSE);
  c->learned = easel_fields_bool (&f, "use_learned_positional_embeddings", FALSE);
  c->patch_bias = easel_fields_bool (&f, "patch_bias", TRUE);
  c->inner = c->heads * c->head_dim;
  return check_config (c, &f, error);
}

/* ------------------------------------------------------------------------------------------------------- weights */

static CogLayer G_GNUC_PRINTF (5, 6)
take_linear (EaselWeights *weights, gint64 n, gint64 k, gboolean bias, const char *name, ...)
{
  g_autofree char *base = NULL;
  CogLayer l = { 0 };
  va_list args;

  va_start (args, name);
  base = g_strdup_vprintf (name, args);
  va_end (args);
  l.w = easel_weights_take (weights, EASEL_SHAPE (n, k), "%s.weight", base);
  if (bias)
    l.b = easel_weights_take (weights, EASEL_SHAPE (n), "%s.bias", base);
  return l;
}

/* The same of a product over all tokens, which may have 8 bits. */
static CogLayer G_GNUC_PRINTF (5, 6)
take_product (EaselWeights *weights, gint64 n, gint64 k, gboolean bias, const char *name, ...)
{
  g_autofree char *base = NULL;
  CogLayer l = { 0 };
  va_list args;

  va_start (args, name);
  base = g_strdup_vprintf (name, args);
  va_end (args);
  l.w = easel_weights_take_product (weights, EASEL_SHAPE (n, k), "%s.weight", base);
  if (bias)
    l.b = easel_weights_take (weights, EASEL_SHAPE (n), "%s.bias", base);
  return l;
}

static CogLayer
take_norm (EaselWeights *weights, gboolean affine, gint64 n, const char *at, const char *name)
{
  CogLayer l = { 0 };

  if (!affine)
    return l;
  l.w = easel_weights_take (weights, EASEL_SHAPE (n), "%s%s.weight", at, name);
  l.b = easel_weights_take (weights, EASEL_SHAPE (n), "%s%s.bias", at, name);
  return l;
}

/* A patch is a convolution whose steps do not overlap: a linear layer on the patch laid out as (channel, row, column),
 * which is how both kinds of weights are stored. */
static CogLayer
take_patch (const EaselCogConfig *c, EaselWeights *weights)
{
  const gint64 C = c->inner, p = c->patch, in = c->in_channels;
  CogLayer l = { 0 };

  if (c->over_time)
    return take_linear (weights, C, in * c->patch_t * p * p, TRUE, "patch_embed.proj");
  l.w = easel_weights_take_matrix (weights, EASEL_SHAPE (C, in, p, p), "patch_embed.proj.weight");
  if (c->patch_bias)
    l.b = easel_weights_take (weights, EASEL_SHAPE (C), "patch_embed.proj.bias");
  return l;
}

static void
take_block (CogBlock *b, const EaselCogConfig *c, EaselWeights *weights, int i)
{
  const gint64 C = c->inner, T = c->time_dim;
  g_autofree char *at = g_strdup_printf ("transformer_blocks.%d", i);

  b->modulate_1 = take_linear (weights, 6 * C, T, TRUE, "%s.norm1.linear", at);
  b->modulate_2 = take_linear (weights, 6 * C, T, TRUE, "%s.norm2.linear", at);
  b->norm_1 = take_norm (weights, c->norm_affine, C, at, ".norm1.norm");
  b->norm_2 = take_norm (weights, c->norm_affine, C, at, ".norm2.norm");
  b->q = take_product (weights, C, C, c->attention_bias, "%s.attn1.to_q", at);
  b->k = take_product (weights, C, C, c->attention_bias, "%s.attn1.to_k", at);
  b->v = take_product (weights, C, C, c->attention_bias, "%s.attn1.to_v", at);
  b->out = take_product (weights, C, C, TRUE, "%s.attn1.to_out.0", at);
  b->norm_q = take_norm (weights, TRUE, c->head_dim, at, ".attn1.norm_q");
  b->norm_k = take_norm (weights, TRUE, c->head_dim, at, ".attn1.norm_k");
  b->wide = take_product (weights, 4 * C, C, TRUE, "%s.ff.net.0.proj", at);
  b->narrow = take_product (weights, C, 4 * C, TRUE, "%s.ff.net.2", at);
}

static gint64
sample_tokens (const EaselCogConfig *c)
{
  const gint64 frames = (c->sample_frames - 1) / c->temporal_ratio + 1;

  return frames * (c->sample_height / c->patch) * (c->sample_width / c->patch);
}

EaselCogTransformer *
easel_cog_transformer_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error)
{
  g_autoptr (EaselCogTransformer) self = g_new0 (EaselCogTransformer, 1);
  const EaselCogConfig *c = &self->config;

  self->weights = weights;
  self->device = device;
  if (!read_config (&self->config, config, error))
    return NULL;

  const gint64 C = c->inner, T = c->time_dim, O = c->ofs_dim;
  easel_weights_set_device (weights, device);
  self->patch = take_patch (c, weights);
  self->text = take_linear (weights, C, c->text_dim, TRUE, "patch_embed.text_proj");
  if (c->learned)
    {
      const gint64 n = c->max_text + sample_tokens (c);

      self->positions = easel_weights_take_table (weights, EASEL_SHAPE (1, n, C), "patch_embed.pos_embedding");
      if (self->positions.data)
        self->positions = easel_tensor_as (self->positions, n, C);
    }
  self->time_1 = take_linear (weights, T, C, TRUE, "time_embedding.linear_1");
  self->time_2 = take_linear (weights, T, T, TRUE, "time_embedding.linear_2");
  if (O > 0 && O != T)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                   WHERE ": ofs_embed_dim %d and time_embed_dim %d cannot be added", c->ofs_dim, c->time_dim);
      return NULL;
    }
  if (O > 0)
    {
      self->ofs_1 = take_linear (weights, O, O, TRUE, "ofs_embedding.linear_1");
      self->ofs_2 = take_linear (weights, O, O, TRUE, "ofs_embedding.linear_2");
    }
  self->blocks = g_new0 (CogBlock, c->layers);
  for (int i = 0; i < c->layers; i++)
    {
      easel_weights_begin_block (weights, i, c->layers);
      take_block (&self->blocks[i], c, weights, i);
      easel_weights_end_block (weights);
    }
  self->norm_final = take_norm (weights, c->norm_affine, C, "norm_final", "");
  self->norm_out = take_norm (weights, c->norm_affine, C, "norm_out", ".norm");
  self->modulate_out = take_linear (weights, 2 * C, T, TRUE, "norm_out.linear");
  self->out = take_linear (weights, (gint64) c->out_channels * c->patch_t * c->patch * c->patch, C, TRUE, "proj_out");
  if (!easel_weights_done (weights, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
easel_cog_transformer_free (EaselCogTransformer *self)
{
  if (!self)
    return;
  g_free (self->blocks);
  easel_weights_free (self->weights);
  g_free (self);
}

const EaselCogConfig *
easel_cog_transformer_config (EaselCogTransformer *self)
{
  return &self->config;
}

/* ------------------------------------------------------------------------------------------------------- context */

static gboolean
check_sizes (const EaselCogConfig *c, const EaselCogContext *x, EaselTensor text, GError **error)
{
  if (text.n_dims != 3 || text.shape[2] != c->text_dim)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "The transformer takes text of %d channels", c->text_dim);
  else if (x->frames < 1 || x->frames % c->patch_t != 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "%d frames of latents are not a multiple of the model's %d", x->frames, c->patch_t);
  else if (x->h < c->patch || x->w < c->patch || x->h % c->patch != 0 || x->w % c->patch != 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "Latents of %d x %d are not a multiple of the model's patches of %d", x->w, x->h, c->patch);
  else if ((!c->rotary || c->learned) && x->n_text != c->max_text)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "This model needs exactly %d tokens of text, not %d",
                 c->max_text, x->n_text);
  else if (c->learned && (x->h != c->sample_height || x->w != c->sample_width))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "This model knows its place only in latents of %d x %d, not of %d x %d", c->sample_width,
                 c->sample_height, x->w, x->h);
  else if (c->over_time && (x->h > c->sample_height || x->w > c->sample_width))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "This model makes latents of at most %d x %d, not %d x %d",
                 c->sample_width, c->sample_height, x->w, x->h);
  else
    return TRUE;
  return FALSE;
}

EaselCogContext *
easel_cog_context_new (EaselCogTransformer *self, EaselStream *s, EaselTensor text, int frames, int h, int w,
                       GError **error)
{
  const EaselCogConfig *c = &self->config;
  g_autoptr (EaselCogContext) context = g_new0 (EaselCogContext, 1);

  context->frames = frames;
  context->h = h;
  context->w = w;
  context->n_text = text.n_dims == 3 ? (int) text.shape[1] : 0;
  context->batch = text.n_dims == 3 ? (int) text.shape[0] : 0;
  if (!check_sizes (c, context, text, error))
    return NULL;
  context->f = frames / c->patch_t;
  context->y = h / c->patch;
  context->x = w / c->patch;
  context->n_clip = (gint64) context->f * context->y * context->x;
  context->n = context->n_text + context->n_clip;

  context->text = easel_new (s, s->act_dtype, context->batch, context->n_text, c->inner);
  easel_linear (s, .x = text, .w = self->text.w, .bias = self->text.b, .y = context->text);
  if (!cog_context_place (self, s, context, error) || !easel_stream_check (s, "Preparing the text", error))
    return NULL;
  return g_steal_pointer (&context);
}

void
easel_cog_context_free (EaselCogContext *self)
{
  g_free (self);
}

EaselTensor
easel_cog_context_cos (EaselCogContext *self)
{
  return self->cos;
}

EaselTensor
easel_cog_context_sin (EaselCogContext *self)
{
  return self->sin;
}
