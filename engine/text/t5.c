/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * T5's encoder. See t5.h. One block, x [M, d_model] being the residual stream, M = batch * n:
 *
 *   h = norm (x);  x = x + softmax (q k^T + bias) v Wo       bias [heads, n, n], the same in every block
 *   h = norm (x);  x = x + (gelu (h W0) * h W1) Wo
 */
#include "engine/text/t5.h"

#include <math.h>
#include <string.h>

#include "engine/text/encoder.h"
#include "kernels/ops.h"

typedef struct
{
  EaselTensor q, k, v, o;       /* 3 x [heads * d_kv, d_model], [d_model, heads * d_kv] */
  EaselTensor wi_0, wi_1, wo;   /* 2 x [d_ff, d_model], [d_model, d_ff] */
  EaselTensor norm_attention, norm_ff; /* [d_model] */
} Block;

struct EaselT5
{
  int d_model, d_kv, d_ff, n_layers, n_heads, vocab, n_buckets, max_distance;
  float eps;
  EaselTensor embedding;     /* [vocab, d_model] */
  EaselTensor relative_bias; /* [n_buckets, heads] */
  EaselTensor norm;          /* [d_model] */
  Block *blocks;
  EaselWeights *weights;
};

static gboolean
unsupported (GError **error, const char *name, const char *value)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "text_encoder/config.json: %s \"%s\" is not supported.",
               name, value);
  return FALSE;
}

static gboolean
read_config (EaselT5 *self, JsonObject *config, GError **error)
{
  EaselFields f = easel_fields (config, "text_encoder/config.json");
  const char *type = easel_fields_string (&f, "model_type", "t5");
  const char *form = easel_fields_string (&f, "feed_forward_proj", "relu");

  self->d_model = (int) easel_fields_int (&f, "d_model", 512, 1, 65536);
  self->d_kv = (int) easel_fields_int (&f, "d_kv", 64, 1, 1024);
  self->d_ff = (int) easel_fields_int (&f, "d_ff", 2048, 1, 262144);
  self->n_layers = (int) easel_fields_int (&f, "num_layers", 6, 1, 512);
  self->n_heads = (int) easel_fields_int (&f, "num_heads", 8, 1, 1024);
  self->vocab = (int) easel_fields_int (&f, "vocab_size", 32128, 1, 1 << 24);
  self->n_buckets = (int) easel_fields_int (&f, "relative_attention_num_buckets", 32, 4, 65536);
  self->max_distance = (int) easel_fields_int (&f, "relative_attention_max_distance", 128, 1, 1 << 24);
  self->eps = (float) easel_fields_double (&f, "layer_norm_epsilon", 1e-6);
  self->blocks = g_new0 (Block, self->n_layers);
  if (!easel_fields_done (&f, error))
    return FALSE;
  if (strcmp (type, "t5") != 0)
    return unsupported (error, "model_type", type);
  if (strcmp (form, "gated-gelu") != 0)
    return unsupported (error, "feed_forward_proj", form);
  if (self->n_buckets % 4 != 0 || self->max_distance <= self->n_buckets / 4)
    return unsupported (error, "relative_attention_num_buckets", "not a multiple of 4 below the distance");
  if (!(self->eps >= 0))
    return unsupported (error, "layer_norm_epsilon", "below zero");
  return TRUE;
}

static gboolean
take_weights (EaselT5 *self, EaselDevice *device, GError **error)
{
  static const char attention[] = "encoder.block.%d.layer.0.SelfAttention.%s.weight";
  static const char dense[] = "encoder.block.%d.layer.1.DenseReluDense.%s.weight";
  EaselWeights *w = self->weights;
  gint64 model = self->d_model, inner = (gint64) self->n_heads * self->d_kv, ff = self->d_ff;

  easel_weights_set_device (w, device);
  self->embedding = easel_weights_take_table (w, EASEL_SHAPE (self->vocab, model), "%s",
                                              easel_weights_has (w, "shared.weight") ? "shared.weight"
                                                                                     : "encoder.embed_tokens.weight");
  self->relative_bias
      = easel_weights_take (w, EASEL_SHAPE (self->n_buckets, self->n_heads),
                            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
  self->norm = easel_weights_take (w, EASEL_SHAPE (model), "encoder.final_layer_norm.weight");
  for (int i = 0; i < self->n_layers; i++)
    {
      Block *b = &self->blocks[i];

      easel_weights_begin_block (w, i, self->n_layers);
      b->q = easel_weights_take_product (w, EASEL_SHAPE (inner, model), attention, i, "q");
      b->k = easel_weights_take_product (w, EASEL_SHAPE (inner, model), attention, i, "k");
      b->v = easel_weights_take_product (w, EASEL_SHAPE (inner, model), attention, i, "v");
      b->o = easel_weights_take_product (w, EASEL_SHAPE (model, inner), attention, i, "o");
      b->wi_0 = easel_weights_take_product (w, EASEL_SHAPE (ff, model), dense, i, "wi_0");
      b->wi_1 = easel_weights_take_product (w, EASEL_SHAPE (ff, model), dense, i, "wi_1");
      /* What it reads has outliers that 8 bits do not bear: transformers, too, quantises all of T5 but wo. */
      b->wo = easel_weights_take (w, EASEL_SHAPE (model, ff), dense, i, "wo");
      b->norm_attention = easel_weights_take (w, EASEL_SHAPE (model), "encoder.block.%d.layer.0.layer_norm.weight", i);
      b->norm_ff = easel_weights_take (w, EASEL_SHAPE (model), "encoder.block.%d.layer.1.layer_norm.weight", i);
      easel_weights_end_block (w);
    }
  return easel_weights_done (w, error);
}

EaselT5 *
easel_t5_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error)
{
  g_autoptr (EaselT5) self = g_new0 (EaselT5, 1);

  self->weights = weights;
  if (!read_config (self, config, error) || !take_weights (self, device, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
easel_t5_free (EaselT5 *self)
{
  if (self == NULL)
    return;
  g_free (self->blocks);
  easel_weights_free (self->weights);
  g_free (self);
}

int
easel_t5_hidden_size (EaselT5 *self)
{
  return self->d_model;
}

int
easel_t5_bucket (int relative, int n_buckets, int max_distance)
{
  int half = n_buckets / 2, exact = half / 2, distance = abs (relative), bucket = distance;

  /* Single precision, as torch computes it: the edges of the buckets depend on it. */
  if (distance >= exact)
    {
      float steps = logf ((float) distance / (float) exact) / (float) log ((double) max_distance / exact);

      bucket = exact + (int) (steps * (float) (half - exact));
      bucket = MIN (bucket, half - 1);
    }
  return relative > 0 ? half + bucket : bucket;
}

/* bias[h, i, j] = table[bucket (j - i), h] depends on j - i alone: row i is a window into one line of 2n - 1 values.
 * Scratch of the host is freed; the tensor [heads, n, n] f32 stays in the arena. */
static gboolean
upload_bias (EaselT5 *self, EaselStream *s, int n, EaselTensor *out, GError **error)
{
  gsize heads = (gsize) self->n_heads, row = (gsize) n, line_size = 2 * row - 1;
  g_autofree float *table = g_try_new (float, (gsize) self->n_buckets * heads);
  g_autofree float *line = g_try_new (float, line_size);
  g_autofree float *bias = easel_stream_is_dry (s) ? NULL : g_try_new (float, heads * row * row);

  if (table == NULL || line == NULL || (bias == NULL && !easel_stream_is_dry (s)))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read a prompt of %d tokens.", n);
      return FALSE;
    }
  easel_encoder_download (s, self->relative_bias, table);
  for (gsize h = 0; h < heads && bias != NULL && easel_stream_ok (s); h++)
    {
      for (int d = 1 - n; d < n; d++)
        line[d + n - 1] = table[(gsize) easel_t5_bucket (d, self->n_buckets, self->max_distance) * heads + h];
      for (gsize i = 0; i < row; i++)
        memcpy (bias + (h * row + i) * row, line + (row - 1 - i), row * sizeof (float));
    }
  *out = easel_encoder_upload (s, EASEL_DTYPE_F32, EASEL_SHAPE (self->n_heads, n, n), bias);
  return TRUE;
}

/* y = norm (x) */
static void
norm (EaselT5 *self, EaselStream *s, EaselTensor x, EaselTensor weight, EaselTensor y)
{
  easel_norm (s, .kind = EASEL_NORM_RMS, .x = x, .weight = weight, .y = y, .eps = self->eps);
}

static void
attention (EaselT5 *self, const Block *b, EaselStream *s, EaselTensor x, EaselTensor bias)
{
  EaselDtype act = s->act_dtype;
  gint64 batch = x.shape[0], n = x.shape[1], inner = (gint64) self->n_heads * self->d_kv;
  size_t mark = easel_stream_mark (s);
  EaselTensor h = easel_new_input (s, &b->q, batch, n, self->d_model);
  EaselTensor q = easel_new (s, act, batch, n, inner);
  EaselTensor k = easel_new (s, act, batch, n, inner);
  EaselTensor v = easel_new (s, act, batch, n, inner);
  EaselTensor a = easel_new (s, act, batch, n, inner);

  norm (self, s, x, b->norm_attention, h);
  easel_linear (s, .x = h, .w = b->q, .y = q);
  easel_linear (s, .x = h, .w = b->k, .y = k);
  easel_linear (s, .x = h, .w = b->v, .y = v);
  easel_attention (s, .q = { q.data, inner, self->d_kv }, .k = { k.data, inner, self->d_kv },
                   .v = { v.data, inner, self->d_kv }, .bias = bias, .y = a, .n_kv = n, .heads = self->n_heads,
                   .kv_heads = self->n_heads, .head_dim = self->d_kv, .scale = 1);
  easel_linear (s, .x = a, .w = b->o, .residual = x, .y = x);
  easel_stream_release (s, mark);
}

static void
feed_forward (EaselT5 *self, const Block *b, EaselStream *s, EaselTensor x)
{
  EaselDtype act = s->act_dtype;
  size_t mark = easel_stream_mark (s);
  EaselTensor h = easel_new_input (s, &b->wi_0, x.shape[0], x.shape[1], self->d_model);
  EaselTensor gate = easel_new (s, act, x.shape[0], x.shape[1], self->d_ff);
  EaselTensor up = easel_new (s, act, x.shape[0], x.shape[1], self->d_ff);

  norm (self, s, x, b->norm_ff, h);
  easel_linear (s, .x = h, .w = b->wi_0, .y = gate);
  easel_linear (s, .x = h, .w = b->wi_1, .y = up);
  easel_glu (s, .a = gate, .b = up, .y = gate, .act = EASEL_ACT_GELU_TANH);
  easel_linear (s, .x = gate, .w = b->wo, .residual = x, .y = x);
  easel_stream_release (s, mark);
}

gboolean
easel_t5_encode (EaselT5 *self, EaselStream *stream, int batch, int n, const gint32 *ids, EaselTensor *out,
                 EaselJob *job, GError **error)
{
  size_t start = easel_stream_mark (stream), mark;
  EaselTensor x, bias;
  gboolean ok;

  if (!easel_encoder_begin (stream, job, batch, n, ids, self->vocab, error))
    return FALSE;
  x = easel_new (stream, stream->act_dtype, batch, n, self->d_model);
  mark = easel_stream_mark (stream);
  easel_encoder_embed (stream, self->weights, self->embedding, ids, 1, x);
  ok = upload_bias (self, stream, n, &bias, error);
  for (int i = 0; i < self->n_layers && ok; i++)
    {
      easel_weights_enter_block (self->weights, stream, i);
      attention (self, &self->blocks[i], stream, x, bias);
      feed_forward (self, &self->blocks[i], stream, x);
      easel_weights_leave_block (self->weights, stream, i);
      ok = easel_encoder_check (stream, job, error);
    }
  if (ok)
    {
      norm (self, stream, x, self->norm, x);
      ok = easel_encoder_check (stream, job, error);
    }
  easel_stream_release (stream, ok ? mark : start);
  if (ok)
    *out = x;
  return ok;
}
