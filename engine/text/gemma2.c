/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gemma 2. See gemma2.h. One layer, x [M, hidden] being the residual stream, M = batch * n:
 *
 *   h = norm (x)                                  RMS, weights are offsets from 1
 *   q, k, v = h Wq, h Wk, h Wv                    grouped heads: n_heads queries, n_kv_heads keys and values
 *   rotate q and k by their positions
 *   a = softmax (cap (q k^T / sqrt (query_pre_attn_scalar))) v        causal; every other layer in a window
 *   x = x + norm (a Wo)
 *   x = x + norm ((gelu (norm (x) Wgate) * norm (x) Wup) Wdown)
 *
 * Padding is on the right, so the causal order alone keeps real tokens from seeing it; the mask is for callers that
 * pad otherwise.
 */
#include "engine/text/gemma2.h"

#include <math.h>
#include <string.h>

#include "engine/text/encoder.h"
#include "kernels/ops.h"

typedef struct
{
  gboolean sliding;
  EaselTensor q, k, v, o;      /* [n_heads * head_dim, hidden], 2 x [n_kv_heads * head_dim, hidden], transposed of q */
  EaselTensor gate, up, down;  /* 2 x [intermediate, hidden], [hidden, intermediate] */
  EaselTensor norm_attention_in, norm_attention_out, norm_mlp_in, norm_mlp_out; /* [hidden] */
} Layer;

/* What a prefix of n tokens left behind, on the host: per layer rotated keys and values [n, n_kv_heads * head_dim], and
 * the final state of its first token [hidden], all in dtype. */
typedef struct
{
  int n;
  gint32 *ids;
  EaselDtype dtype;
  char *keys, *values, *first;
  gsize layer_bytes;
  gboolean whole; /* computed to the end */
} Prefix;

struct EaselGemma2
{
  int hidden, intermediate, n_layers, n_heads, n_kv_heads, head_dim, vocab;
  gint64 window;
  float eps, softcap, scale;
  double rope_theta;
  EaselTensor embedding; /* [vocab, hidden] */
  EaselTensor norm;      /* [hidden] */
  Layer *layers;
  EaselWeights *weights;
  Prefix prefix;
};

static gboolean
unsupported (GError **error, const char *name, const char *value)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "text_encoder/config.json: %s \"%s\" is not supported.",
               name, value);
  return FALSE;
}

/* rope_theta stands at the top (old files) or in rope_parameters (new ones). */
static gboolean
read_rope (EaselGemma2 *self, JsonObject *config, EaselFields *fields, GError **error)
{
  EaselFields rope;
  const char *type;

  self->rope_theta = easel_fields_double (fields, "rope_theta", 10000.0);
  if (easel_fields_has (fields, "rope_scaling"))
    return unsupported (error, "rope_scaling", "other than null");
  if (easel_fields_has (fields, "rope_parameters"))
    {
      JsonNode *node = json_object_get_member (config, "rope_parameters");

      if (!JSON_NODE_HOLDS_OBJECT (node))
        return unsupported (error, "rope_parameters", "other than an object");
      rope = easel_fields (json_node_get_object (node), "text_encoder/config.json: rope_parameters");
      type = easel_fields_string (&rope, "rope_type", "default");
      self->rope_theta = easel_fields_double (&rope, "rope_theta", self->rope_theta);
      if (strcmp (type, "default") != 0)
        {
          g_clear_error (&rope.error);
          return unsupported (error, "rope_type", type);
        }
      if (!easel_fields_done (&rope, error))
        return FALSE;
    }
  if (!(self->rope_theta >= 1.0 && self->rope_theta <= 1e12))
    return unsupported (error, "rope_theta", "outside 1 to 1e12");
  return TRUE;
}

/* Which layers look through the window: layer_types, or every other from the first. */
static gboolean
read_layer_types (EaselGemma2 *self, JsonObject *config, EaselFields *fields, GError **error)
{
  JsonArray *types;
  JsonNode *node;

  for (int i = 0; i < self->n_layers; i++)
    self->layers[i].sliding = i % 2 == 0;
  if (!easel_fields_has (fields, "layer_types"))
    return TRUE;
  node = json_object_get_member (config, "layer_types");
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return unsupported (error, "layer_types", "other than a list");
  types = json_node_get_array (node);
  if (json_array_get_length (types) != (guint) self->n_layers)
    return unsupported (error, "layer_types", "of another length than num_hidden_layers");
  for (int i = 0; i < self->n_layers; i++)
    {
      JsonNode *element = json_array_get_element (types, (guint) i);
      const char *type = json_node_get_value_type (element) == G_TYPE_STRING ? json_node_get_string (element) : "";

      self->layers[i].sliding = strcmp (type, "sliding_attention") == 0;
      if (!self->layers[i].sliding && strcmp (type, "full_attention") != 0)
        return unsupported (error, "layer_types", type);
    }
  return TRUE;
}

static gboolean
read_config (EaselGemma2 *self, JsonObject *config, GError **error)
{
  EaselFields f = easel_fields (config, "text_encoder/config.json");
  const char *type = easel_fields_string (&f, "model_type", "gemma2");
  const char *activation = easel_fields_string (&f, "hidden_activation", "gelu_pytorch_tanh");
  double scalar = easel_fields_double (&f, "query_pre_attn_scalar", 256);
  gboolean bias = easel_fields_bool (&f, "attention_bias", FALSE);
  gboolean bidirectional = easel_fields_bool (&f, "use_bidirectional_attention", FALSE);

  self->hidden = (int) easel_fields_int (&f, "hidden_size", 2304, 1, 65536);
  self->intermediate = (int) easel_fields_int (&f, "intermediate_size", 9216, 1, 262144);
  self->n_layers = (int) easel_fields_int (&f, "num_hidden_layers", 26, 1, 512);
  self->n_heads = (int) easel_fields_int (&f, "num_attention_heads", 8, 1, 1024);
  self->n_kv_heads = (int) easel_fields_int (&f, "num_key_value_heads", 4, 1, 1024);
  self->head_dim = (int) easel_fields_int (&f, "head_dim", 256, 2, 1024);
  self->vocab = (int) easel_fields_int (&f, "vocab_size", 256000, 1, 1 << 24);
  self->window = (gint64) easel_encoder_optional (&f, "sliding_window", 4096);
  self->softcap = (float) easel_encoder_optional (&f, "attn_logit_softcapping", 50.0);
  self->eps = (float) easel_fields_double (&f, "rms_norm_eps", 1e-6);
  self->scale = (float) (1.0 / sqrt (scalar));
  self->layers = g_new0 (Layer, self->n_layers);
  if (!easel_fields_done (&f, error))
    return FALSE;
  if (strcmp (type, "gemma2") != 0)
    return unsupported (error, "model_type", type);
  if (strcmp (activation, "gelu_pytorch_tanh") != 0)
    return unsupported (error, "hidden_activation", activation);
  if (bias)
    return unsupported (error, "attention_bias", "true");
  if (bidirectional)
    return unsupported (error, "use_bidirectional_attention", "true");
  if (self->n_heads % self->n_kv_heads != 0)
    return unsupported (error, "num_key_value_heads", "not a divisor of num_attention_heads");
  if (self->head_dim % 2 != 0)
    return unsupported (error, "head_dim", "odd");
  if (!(scalar > 0) || !(self->eps >= 0) || !(self->softcap >= 0) || self->window < 0)
    return unsupported (error, "query_pre_attn_scalar, rms_norm_eps, attn_logit_softcapping or sliding_window",
                        "below zero");
  return read_rope (self, config, &f, error) && read_layer_types (self, config, &f, error);
}

static gboolean
take_weights (EaselGemma2 *self, EaselDevice *device, GError **error)
{
  EaselWeights *w = self->weights;
  gint64 hidden = self->hidden, inner = (gint64) self->n_heads * self->head_dim;
  gint64 kv = (gint64) self->n_kv_heads * self->head_dim, mlp = self->intermediate;
  /* Gemma2Model writes bare names, Gemma2ForCausalLM the same below "model.". */
  const char *p = easel_weights_has (w, "model.embed_tokens.weight") ? "model." : "";

  easel_weights_set_device (w, device);
  self->embedding = easel_weights_take_table (w, EASEL_SHAPE (self->vocab, hidden), "%sembed_tokens.weight", p);
  self->norm = easel_weights_take (w, EASEL_SHAPE (hidden), "%snorm.weight", p);
  for (int i = 0; i < self->n_layers; i++)
    {
      Layer *l = &self->layers[i];

      easel_weights_begin_block (w, i, self->n_layers);
      l->q = easel_weights_take_product (w, EASEL_SHAPE (inner, hidden), "%slayers.%d.self_attn.q_proj.weight", p, i);
      l->k = easel_weights_take_product (w, EASEL_SHAPE (kv, hidden), "%slayers.%d.self_attn.k_proj.weight", p, i);
      l->v = easel_weights_take_product (w, EASEL_SHAPE (kv, hidden), "%slayers.%d.self_attn.v_proj.weight", p, i);
      l->o = easel_weights_take_product (w, EASEL_SHAPE (hidden, inner), "%slayers.%d.self_attn.o_proj.weight", p, i);
      l->gate = easel_weights_take_product (w, EASEL_SHAPE (mlp, hidden), "%slayers.%d.mlp.gate_proj.weight", p, i);
      l->up = easel_weights_take_product (w, EASEL_SHAPE (mlp, hidden), "%slayers.%d.mlp.up_proj.weight", p, i);
      l->down = easel_weights_take_product (w, EASEL_SHAPE (hidden, mlp), "%slayers.%d.mlp.down_proj.weight", p, i);
      l->norm_attention_in
          = easel_weights_take (w, EASEL_SHAPE (hidden), "%slayers.%d.input_layernorm.weight", p, i);
      l->norm_attention_out
          = easel_weights_take (w, EASEL_SHAPE (hidden), "%slayers.%d.post_attention_layernorm.weight", p, i);
      l->norm_mlp_in
          = easel_weights_take (w, EASEL_SHAPE (hidden), "%slayers.%d.pre_feedforward_layernorm.weight", p, i);
      l->norm_mlp_out
          = easel_weights_take (w, EASEL_SHAPE (hidden), "%slayers.%d.post_feedforward_layernorm.weight", p, i);
      easel_weights_end_block (w);
    }
  return easel_weights_done (w, error);
}

EaselGemma2 *
easel_gemma2_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error)
{
  g_autoptr (EaselGemma2) self = g_new0 (EaselGemma2, 1);

  self->weights = weights;
  if (!read_config (self, config, error) || !take_weights (self, device, error))
    return NULL;
  return g_steal_pointer (&self);
}

static void
prefix_clear (Prefix *prefix)
{
  g_free (prefix->ids);
  g_free (prefix->keys);
  g_free (prefix->values);
  g_free (prefix->first);
  *prefix = (Prefix){ 0 };
}

void
easel_gemma2_free (EaselGemma2 *self)
{
  if (self == NULL)
    return;
  prefix_clear (&self->prefix);
  g_free (self->layers);
  easel_weights_free (self->weights);
  g_free (self);
}

int
easel_gemma2_hidden_size (EaselGemma2 *self)
{
  return self->hidden;
}

int
easel_gemma2_n_layers (EaselGemma2 *self)
{
  return self->n_layers;
}

typedef struct
{
  EaselStream *stream;
  gint64 batch, n;      /* texts, and tokens of each that are computed */
  gint64 n_before;      /* tokens before these that are remembered in `prefix` (batch 1) */
  EaselTensor cosines, sines, mask;
  EaselTensor seen, seen_sliding; /* n_before > 0: biases [n_heads, n, n_before + n] instead of causal and window */
  Prefix *prefix;       /* read when n_before > 0, else written unless NULL */
} Pass;

/* Rotary tables, [n, head_dim] f32 each, from position n_before on: both halves of a row hold the angles
 * position * theta^(-2i / head_dim). In single precision as transformers does: the angle is what is rounded. */
static gboolean
upload_rope (EaselGemma2 *self, Pass *pass, GError **error)
{
  int n = (int) pass->n;
  int half = self->head_dim / 2;
  gsize count = (gsize) n * (gsize) self->head_dim;
  g_autofree float *tables = g_try_new (float, count * 2);

  if (tables == NULL)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read a prompt of %d tokens.", n);
      return FALSE;
    }
  for (int k = 0; k < half; k++)
    {
      float frequency = 1.0f / powf ((float) self->rope_theta, (float) (2 * k) / (float) self->head_dim);

      for (int i = 0; i < n; i++)
        {
          float *row = tables + (gsize) i * (gsize) self->head_dim + k;
          float angle = (float) (i + (int) pass->n_before) * frequency;

          row[0] = row[half] = cosf (angle);
          row[count] = row[count + (gsize) half] = sinf (angle);
        }
    }
  pass->cosines = easel_encoder_upload (pass->stream, EASEL_DTYPE_F32, EASEL_SHAPE (n, self->head_dim), tables);
  pass->sines = easel_encoder_upload (pass->stream, EASEL_DTYPE_F32, EASEL_SHAPE (n, self->head_dim), tables + count);
  return TRUE;
}

/* Which keys each query sees, as a bias: 0, or so far down that nothing is left. Queries begin at n_before. */
static gboolean
upload_seen (EaselGemma2 *self, Pass *pass, gint64 window, EaselTensor *out, GError **error)
{
  gsize n = (gsize) pass->n, n_keys = n + (gsize) pass->n_before, square = n * n_keys, heads = (gsize) self->n_heads;
  gboolean dry = easel_stream_is_dry (pass->stream);
  g_autofree float *bias = dry ? NULL : g_try_new (float, square * heads);

  if (bias == NULL && !dry)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read a prompt of %d tokens.",
                   (int) pass->n);
      return FALSE;
    }
  for (gsize i = 0; i < n && bias != NULL; i++)
    for (gsize j = 0; j < n_keys; j++)
      {
        gint64 behind = (gint64) i + pass->n_before - (gint64) j;

        bias[i * n_keys + j] = behind >= 0 && (window == 0 || behind < window) ? 0.0f : -1e30f;
      }
  for (gsize h = 1; h < heads && bias != NULL; h++)
    memcpy (bias + h * square, bias, square * sizeof (float));
  *out = easel_encoder_upload (pass->stream, EASEL_DTYPE_F32, EASEL_SHAPE (self->n_heads, pass->n, (gint64) n_keys),
                               bias);
  return TRUE;
}

/* y = residual + norm (x) */
static void
norm (EaselGemma2 *self, EaselStream *s, EaselTensor x, EaselTensor weight, EaselTensor residual, EaselTensor y)
{
  easel_norm (s, .kind = EASEL_NORM_RMS, .x = x, .weight = weight, .weight_offset = 1, .residual = residual, .y = y,
              .eps = self->eps);
}

/* Remembered keys or values of a layer into the first rows of x, or the rows of x into memory. */
static void
move_prefix (const Pass *pass, char *memory, int layer, EaselTensor x)
{
  EaselStream *s = pass->stream;
  char *host;

  if (pass->prefix == NULL || memory == NULL || !easel_stream_ok (s))
    return;
  host = memory + (gsize) layer * pass->prefix->layer_bytes;
  if (pass->n_before > 0)
    easel_upload (s, easel_tensor_rows (x, 0, pass->n_before), host);
  else
    easel_download (s, host, x);
}

static void
attention (EaselGemma2 *self, int layer, const Pass *pass, EaselTensor x)
{
  const Layer *l = &self->layers[layer];
  EaselStream *s = pass->stream;
  EaselDtype act = s->act_dtype;
  gint64 inner = (gint64) self->n_heads * self->head_dim, kv = (gint64) self->n_kv_heads * self->head_dim;
  size_t mark = easel_stream_mark (s);
  EaselTensor in = easel_new_input (s, &l->q, pass->batch, pass->n, self->hidden);
  EaselTensor h = easel_new (s, act, pass->batch, pass->n, self->hidden);
  EaselTensor q = easel_new (s, act, pass->batch, pass->n, inner);
  EaselTensor k = easel_new (s, act, pass->batch * (pass->n_before + pass->n), kv);
  EaselTensor v = easel_new (s, act, pass->batch * (pass->n_before + pass->n), kv);
  EaselTensor a = easel_new (s, act, pass->batch, pass->n, inner);
  EaselTensor new_k = easel_tensor_rows (k, pass->n_before, pass->batch * pass->n);
  EaselTensor new_v = easel_tensor_rows (v, pass->n_before, pass->batch * pass->n);
  EaselHeads qh = { q.data, inner, self->head_dim }, kh = { k.data, kv, self->head_dim };
  EaselHeads vh = { v.data, kv, self->head_dim }, new_kh = { new_k.data, kv, self->head_dim };
  gboolean biased = pass->n_before > 0;

  norm (self, s, x, l->norm_attention_in, EASEL_NO_TENSOR, in);
  easel_linear (s, .x = in, .w = l->q, .y = q);
  easel_linear (s, .x = in, .w = l->k, .y = new_k);
  easel_linear (s, .x = in, .w = l->v, .y = new_v);
  easel_rope (s, .x = qh, .cos = pass->cosines, .sin = pass->sines, .batch = pass->batch, .n_tokens = pass->n,
              .heads = self->n_heads, .head_dim = self->head_dim);
  easel_rope (s, .x = new_kh, .cos = pass->cosines, .sin = pass->sines, .batch = pass->batch, .n_tokens = pass->n,
              .heads = self->n_kv_heads, .head_dim = self->head_dim);
  move_prefix (pass, pass->prefix != NULL ? pass->prefix->keys : NULL, layer, k);
  move_prefix (pass, pass->prefix != NULL ? pass->prefix->values : NULL, layer, v);
  easel_attention (s, .q = qh, .k = kh, .v = vh, .mask = pass->mask, .y = a, .n_kv = pass->n_before + pass->n,
                   .bias = l->sliding ? pass->seen_sliding : pass->seen, .heads = self->n_heads,
                   .kv_heads = self->n_kv_heads, .head_dim = self->head_dim, .scale = self->scale,
                   .softcap = self->softcap, .causal = !biased, .window = l->sliding && !biased ? self->window : 0);
  easel_linear (s, .x = a, .w = l->o, .y = h);
  norm (self, s, h, l->norm_attention_out, x, x);
  easel_stream_release (s, mark);
}

static void
feed_forward (EaselGemma2 *self, const Layer *l, const Pass *pass, EaselTensor x)
{
  EaselStream *s = pass->stream;
  EaselDtype act = s->act_dtype;
  size_t mark = easel_stream_mark (s);
  EaselTensor in = easel_new_input (s, &l->gate, pass->batch, pass->n, self->hidden);
  EaselTensor h = easel_new (s, act, pass->batch, pass->n, self->hidden);
  EaselTensor gate = easel_new (s, act, pass->batch, pass->n, self->intermediate);
  EaselTensor up = easel_new (s, act, pass->batch, pass->n, self->intermediate);

  norm (self, s, x, l->norm_mlp_in, EASEL_NO_TENSOR, in);
  easel_linear (s, .x = in, .w = l->gate, .y = gate);
  easel_linear (s, .x = in, .w = l->up, .y = up);
  easel_glu (s, .a = gate, .b = up, .y = gate, .act = EASEL_ACT_GELU_TANH);
  easel_linear (s, .x = gate, .w = l->down, .y = h);
  norm (self, s, h, l->norm_mlp_out, x, x);
  easel_stream_release (s, mark);
}

/* Embeddings of ids [batch * n] (host) and all layers, in x [batch, n, hidden]. */
static gboolean
forward (EaselGemma2 *self, const Pass *pass, const gint32 *ids, EaselTensor x, float **hidden, EaselJob *job,
         GError **error)
{
  EaselStream *s = pass->stream;

  easel_encoder_embed (s, self->weights, self->embedding, ids, sqrtf ((float) self->hidden), x);
  for (int i = 0; i < self->n_layers; i++)
    {
      if (hidden != NULL)
        easel_encoder_download (s, x, hidden[i]);
      easel_weights_enter_block (self->weights, s, i);
      attention (self, i, pass, x);
      feed_forward (self, &self->layers[i], pass, x);
      easel_weights_leave_block (self->weights, s, i);
      if (!easel_encoder_check (s, job, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
easel_gemma2_encode (EaselGemma2 *self, EaselStream *stream, int batch, int n, const gint32 *ids, const guint8 *mask,
                     EaselTensor *out, float **hidden, EaselJob *job, GError **error)
{
  Pass pass = { .stream = stream, .batch = batch, .n = n };
  size_t start = easel_stream_mark (stream), mark;
  EaselTensor x;
  gboolean ok;

  if (!easel_encoder_begin (stream, job, batch, n, ids, self->vocab, error))
    return FALSE;
  x = easel_new (stream, stream->act_dtype, batch, n, self->hidden);
  mark = easel_stream_mark (stream);
  if (mask != NULL && memchr (mask, 0, (gsize) batch * (gsize) n) != NULL)
    pass.mask = easel_encoder_upload (stream, EASEL_DTYPE_U8, EASEL_SHAPE (batch, n), mask);
  ok = upload_rope (self, &pass, error) && forward (self, &pass, ids, x, hidden, job, error);
  if (ok)
    {
      norm (self, stream, x, self->norm, EASEL_NO_TENSOR, x);
      if (hidden != NULL)
        easel_encoder_download (stream, x, hidden[self->n_layers]);
      ok = easel_encoder_check (stream, job, error);
    }
  easel_stream_release (stream, ok ? mark : start);
  if (ok)
    *out = x;
  return ok;
}

gsize
easel_gemma2_prefix_bytes (EaselGemma2 *self, int n_prefix, EaselDtype act)
{
  gsize row = (gsize) self->n_kv_heads * (gsize) self->head_dim * easel_dtype_size (act);

  return 2 * (gsize) self->n_layers * (gsize) n_prefix * row;
}

/* Room to remember a prefix in. */
static gboolean
prefix_alloc (EaselGemma2 *self, int n, const gint32 *ids, EaselDtype dtype, GError **error)
{
  Prefix *p = &self->prefix;
  gsize half = easel_gemma2_prefix_bytes (self, n, dtype) / 2;

  prefix_clear (p);
  p->n = n;
  p->dtype = dtype;
  p->layer_bytes = half / (gsize) self->n_layers;
  p->ids = g_try_malloc_n ((gsize) n, sizeof (gint32));
  p->keys = g_try_malloc (half);
  p->values = g_try_malloc (half);
  p->first = g_try_malloc_n ((gsize) self->hidden, easel_dtype_size (dtype));
  if (p->ids != NULL && p->keys != NULL && p->values != NULL && p->first != NULL)
    {
      memcpy (p->ids, ids, (gsize) n * sizeof (gint32));
      return TRUE;
    }
  prefix_clear (p);
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read a prompt of %d tokens.", n);
  return FALSE;
}

/* Computes the prefix and remembers it; `first` [1, hidden] receives the final state of its first token. On a dry
 * stream nothing is remembered. */
static gboolean
compute_prefix (EaselGemma2 *self, EaselStream *s, int n, const gint32 *ids, EaselTensor first, EaselJob *job,
                GError **error)
{
  gboolean dry = easel_stream_is_dry (s), ok;
  Pass pass = { .stream = s, .batch = 1, .n = n, .prefix = dry ? NULL : &self->prefix };
  size_t mark = easel_stream_mark (s);
  EaselTensor x;

  if (!dry && !prefix_alloc (self, n, ids, s->act_dtype, error))
    return FALSE;
  x = easel_new (s, s->act_dtype, 1, n, self->hidden);
  ok = upload_rope (self, &pass, error) && forward (self, &pass, ids, x, NULL, job, error);
  if (ok)
    {
      x = easel_tensor_rows (easel_tensor_as (x, n, self->hidden), 0, 1);
      norm (self, s, x, self->norm, EASEL_NO_TENSOR, first);
      if (!dry && easel_stream_ok (s))
        easel_download (s, self->prefix.first, first);
      ok = easel_encoder_check (s, job, error);
    }
  if (ok)
    self->prefix.whole = !dry;
  else
    prefix_clear (&self->prefix);
  easel_stream_release (s, mark);
  return ok;
}

gboolean
easel_gemma2_encode_after (EaselGemma2 *self, EaselStream *stream, int n_prefix, int n, const gint32 *ids,
                           EaselTensor *out, EaselJob *job, GError **error)
{
  Pass pass = { .stream = stream, .batch = 1, .n = n, .n_before = n_prefix, .prefix = &self->prefix };
  const Prefix *p = &self->prefix;
  gboolean dry = easel_stream_is_dry (stream), ok = TRUE;
  size_t start = easel_stream_mark (stream), mark;
  EaselTensor y, x;

  if (n_prefix < 1 || n < 1 || n > EASEL_ENCODER_MAX_TOKENS - n_prefix)
    n_prefix = n = 0; /* refused by begin */
  if (!easel_encoder_begin (stream, job, 1, n_prefix + n, ids, self->vocab, error))
    return FALSE;
  y = easel_new (stream, stream->act_dtype, 1 + n, self->hidden);
  if (!easel_encoder_check (stream, job, error))
    {
      easel_stream_release (stream, start);
      return FALSE;
    }
  mark = easel_stream_mark (stream);
  if (!dry && p->whole && p->n == n_prefix && p->dtype == y.dtype
      && memcmp (p->ids, ids, (gsize) n_prefix * sizeof (gint32)) == 0)
    easel_upload (stream, easel_tensor_rows (y, 0, 1), p->first);
  else
    ok = compute_prefix (self, stream, n_prefix, ids, easel_tensor_rows (y, 0, 1), job, error);
  if (ok)
    {
      x = easel_tensor_as (easel_tensor_rows (y, 1, n), 1, n, self->hidden);
      ok = upload_rope (self, &pass, error) && upload_seen (self, &pass, 0, &pass.seen, error);
    }
  pass.seen_sliding = pass.seen;
  if (ok && self->window > 0 && self->window < n_prefix + n)
    ok = upload_seen (self, &pass, self->window, &pass.seen_sliding, error);
  ok = ok && forward (self, &pass, dry ? NULL : ids + n_prefix, x, NULL, job, error);
  if (ok)
    {
      norm (self, stream, x, self->norm, EASEL_NO_TENSOR, x);
      ok = easel_encoder_check (stream, job, error);
    }
  easel_stream_release (stream, ok ? mark : start);
  if (ok)
    *out = y;
  return ok;
}
