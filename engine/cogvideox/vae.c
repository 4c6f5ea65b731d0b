/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The autoencoder's configuration and weights, and its two public directions.
 */
#include "engine/cogvideox/vae-private.h"

#include <string.h>

#define WHERE "vae/config.json"

/* ------------------------------------------------------------------------------------------------- configuration */

static gboolean G_GNUC_PRINTF (3, 4)
refuse (GError **error, EaselError code, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, EASEL_ERROR, code, WHERE ": %s", text);
  return FALSE;
}

/* One kind of block, a word a stage. */
static gboolean
check_types (JsonObject *object, const char *name, const char *wanted, int n, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);
  JsonArray *list;

  if (!node || JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  list = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  if (!list || (int) json_array_get_length (list) != n)
    return refuse (error, EASEL_ERROR_DAMAGED, "%s must list %d stages", name, n);
  for (int i = 0; i < n; i++)
    {
      JsonNode *word = json_array_get_element (list, i);

      if (!JSON_NODE_HOLDS_VALUE (word) || json_node_get_value_type (word) != G_TYPE_STRING
          || strcmp (json_node_get_string (word), wanted) != 0)
        return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s: only %s is supported", name, wanted);
    }
  return TRUE;
}

static gboolean
check_config (const EaselCogVaeConfig *c, EaselFields *f, GError **error)
{
  const char *act = easel_fields_string (f, "act_fn", "silu");
  const gboolean quant = easel_fields_bool (f, "use_quant_conv", FALSE);
  const gboolean post_quant = easel_fields_bool (f, "use_post_quant_conv", FALSE);
  JsonObject *object = f->object;

  if (!easel_fields_done (f, error))
    return FALSE;
  if (strcmp (act, "silu") != 0 && strcmp (act, "swish") != 0)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "act_fn \"%s\" is not supported, only silu", act);
  if (quant || post_quant)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "use_quant_conv and use_post_quant_conv are not supported");
  if (c->n_stages < 2)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "block_out_channels must list at least 2 stages");
  for (int i = 0; i < c->n_stages; i++)
    if (c->channels[i] < 1 || c->channels[i] > 65536 || c->channels[i] % c->groups != 0)
      return refuse (error, EASEL_ERROR_DAMAGED, "%d channels in %d groups make no sense", c->channels[i], c->groups);
  if (c->temporal_ratio != 1 << c->temporal_stages || c->temporal_stages >= c->n_stages)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "temporal_compression_ratio %d is not supported",
                   c->temporal_ratio);
  if (!(c->scaling_factor > 0 && c->scaling_factor < 1e6))
    return refuse (error, EASEL_ERROR_DAMAGED, "scaling_factor %g makes no sense", c->scaling_factor);
  return check_types (object, "down_block_types", "CogVideoXDownBlock3D", c->n_stages, error)
         && check_types (object, "up_block_types", "CogVideoXUpBlock3D", c->n_stages, error);
}

static gboolean
read_config (EaselCogVaeConfig *c, JsonObject *object, GError **error)
{
  EaselFields f = easel_fields (object, WHERE);
  gint64 channels[EASEL_COG_VAE_MAX_STAGES] = { 128, 256, 256, 512 };

  c->in_channels = easel_fields_int (&f, "in_channels", 3, 1, 1024);
  c->out_channels = easel_fields_int (&f, "out_channels", 3, 1, 1024);
  c->latent_channels = easel_fields_int (&f, "latent_channels", 16, 1, 4096);
  c->layers = easel_fields_int (&f, "layers_per_block", 3, 1, 256);
  c->groups = easel_fields_int (&f, "norm_num_groups", 32, 1, 4096);
  c->norm_eps = easel_fields_double (&f, "norm_eps", 1e-6);
  c->temporal_ratio = easel_fields_int (&f, "temporal_compression_ratio", 4, 1, 64);
  c->sample_height = easel_fields_int (&f, "sample_height", 480, 2, 65536);
  c->sample_width = easel_fields_int (&f, "sample_width", 720, 2, 65536);
  c->scaling_factor = easel_fields_double (&f, "scaling_factor", 1.15258426);
  c->invert_scale = easel_fields_bool (&f, "invert_scale_latents", FALSE);
  c->n_stages = 4;
  if (easel_fields_has (&f, "block_out_channels"))
    c->n_stages = easel_fields_ints (&f, "block_out_channels", EASEL_COG_VAE_MAX_STAGES, channels);
  for (int i = 0; i < c->n_stages; i++)
    c->channels[i] = (int) CLAMP (channels[i], 0, G_MAXINT);
  while (c->temporal_ratio >> (c->temporal_stages + 1))
    c->temporal_stages++;
  return check_config (c, &f, error);
}

/* ------------------------------------------------------------------------------------------------------- weights */

static VaeConv
take_conv (EaselCogVae *self, VaeSide *side, gint64 n, gint64 k, const char *at, const char *name)
{
  VaeConv conv = { .at = side->n_convs++ };

  conv.w = easel_weights_take (self->weights, EASEL_SHAPE (n, k, 3, 3, 3), "%s.%s.conv.weight", at, name);
  conv.b = easel_weights_take (self->weights, EASEL_SHAPE (n), "%s.%s.conv.bias", at, name);
  return conv;
}

/* A convolution of 1x1x1 as a linear layer. */
static EaselTensor
take_point (EaselCogVae *self, gint64 n, gint64 k, const char *at, const char *name)
{
  EaselTensor w = easel_weights_take (self->weights, EASEL_SHAPE (n, k, 1, 1, 1), "%s.%s.weight", at, name);

  return w.data ? easel_tensor_as (w, n, k) : w;
}

static VaeNorm
take_norm (EaselCogVae *self, gboolean decoder, gint64 C, const char *at, const char *name)
{
  EaselWeights *weights = self->weights;
  const gint64 z = self->config.latent_channels;
  g_autofree char *base = g_strconcat (at, ".", name, NULL);
  VaeNorm n = { 0 };

  n.w = easel_weights_take (weights, EASEL_SHAPE (C), decoder ? "%s.norm_layer.weight" : "%s.weight", base);
  n.b = easel_weights_take (weights, EASEL_SHAPE (C), decoder ? "%s.norm_layer.bias" : "%s.bias", base);
  if (!decoder)
    return n;
  n.scale_w = take_point (self, C, z, base, "conv_y.conv");
  n.scale_b = easel_weights_take (weights, EASEL_SHAPE (C), "%s.conv_y.conv.bias", base);
  n.shift_w = take_point (self, C, z, base, "conv_b.conv");
  n.shift_b = easel_weights_take (weights, EASEL_SHAPE (C), "%s.conv_b.conv.bias", base);
  return n;
}

static void
take_resnet (EaselCogVae *self, VaeSide *side, VaeResnet *r, gboolean decoder, int in, int out, const char *at)
{
  r->in = in;
  r->out = out;
  r->norm_1 = take_norm (self, decoder, in, at, "norm1");
  r->norm_2 = take_norm (self, decoder, out, at, "norm2");
  r->conv_1 = take_conv (self, side, out, in, at, "conv1");
  r->conv_2 = take_conv (self, side, out, out, at, "conv2");
  if (in == out)
    return;
  r->shortcut_w = take_point (self, out, in, at, "conv_shortcut");
  r->shortcut_b = easel_weights_take (self->weights, EASEL_SHAPE (out), "%s.conv_shortcut.bias", at);
}

static gboolean
take_side (EaselCogVae *self, gboolean decoder, GError **error)
{
  const EaselCogVaeConfig *c = &self->config;
  const char *name = decoder ? "decoder" : "encoder";
  VaeSide *side = decoder ? &self->decoder : &self->encoder;
  const int last = c->n_stages - 1, deep = c->channels[last];
  int in = decoder ? deep : c->channels[0];

  if (side->taken)
    return TRUE;
  side->n_convs = 0;
  side->in = take_conv (self, side, in, decoder ? c->latent_channels : c->in_channels, name, "conv_in");
  for (int i = 0; i < 2; i++)
    {
      g_autofree char *at = g_strdup_printf ("%s.mid_block.resnets.%d", name, i);

      take_resnet (self, side, &side->mid[i], decoder, deep, deep, at);
    }
  for (int i = 0; i < c->n_stages; i++)
    {
      VaeStage *stage = &side->stages[i];
      g_autofree char *at = g_strdup_printf ("%s.%s_blocks.%d", name, decoder ? "up" : "down", i);

      stage->channels = c->channels[decoder ? last - i : i];
      stage->n_resnets = c->layers + (decoder ? 1 : 0);
      stage->over_time = i < c->temporal_stages;
      g_free (stage->resnets);
      stage->resnets = g_new0 (VaeResnet, stage->n_resnets);
      for (int j = 0; j < stage->n_resnets; j++)
        {
          g_autofree char *resnet = g_strdup_printf ("%s.resnets.%d", at, j);

          take_resnet (self, side, &stage->resnets[j], decoder, j == 0 ? in : stage->channels, stage->channels, resnet);
        }
      in = stage->channels;
      if (i == last)
        break;
      stage->resample_w = easel_weights_take (self->weights, EASEL_SHAPE (in, in, 3, 3), "%s.%ssamplers.0.conv.weight",
                                              at, decoder ? "up" : "down");
      stage->resample_b = easel_weights_take (self->weights, EASEL_SHAPE (in), "%s.%ssamplers.0.conv.bias", at,
                                              decoder ? "up" : "down");
    }
  side->norm_out = take_norm (self, decoder, in, name, "norm_out");
  side->out = take_conv (self, side, decoder ? c->out_channels : 2 * c->latent_channels, in, name, "conv_out");
  side->taken = easel_weights_done (self->weights, error);
  return side->taken;
}

EaselCogVae *
easel_cog_vae_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error)
{
  g_autoptr (EaselCogVae) self = g_new0 (EaselCogVae, 1);

  self->weights = weights;
  self->device = device;
  if (!read_config (&self->config, config, error))
    return NULL;
  easel_weights_set_device (weights, device);
  if (!take_side (self, TRUE, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
easel_cog_vae_free (EaselCogVae *self)
{
  if (!self)
    return;
  for (int i = 0; i < EASEL_COG_VAE_MAX_STAGES; i++)
    {
      g_free (self->encoder.stages[i].resnets);
      g_free (self->decoder.stages[i].resnets);
    }
  easel_weights_free (self->weights);
  g_free (self);
}

const EaselCogVaeConfig *
easel_cog_vae_config (EaselCogVae *self)
{
  return &self->config;
}

int
easel_cog_vae_factor (EaselCogVae *self)
{
  return 1 << (self->config.n_stages - 1);
}

guint64
easel_cog_vae_weights_bytes (EaselCogVae *self)
{
  return easel_weights_held_bytes (self->weights);
}

/* -------------------------------------------------------------------------------------------------------- frames */

int
vae_n_batches (int n, int size)
{
  return MAX (n / size, 1);
}

void
vae_batch (int n, int size, int i, int *start, int *end)
{
  const int rest = n % size;

  *start = size * i + (i == 0 ? 0 : rest);
  *end = MIN (size * (i + 1) + rest, n);
}

int
vae_frames_decoded (const EaselCogVaeConfig *c, int n)
{
  for (int i = 0; i < c->temporal_stages && n > 1; i++)
    n = n % 2 == 1 ? 2 * n - 1 : 2 * n;
  return n;
}

int
vae_frames_encoded (const EaselCogVaeConfig *c, int n)
{
  for (int i = 0; i < c->temporal_stages; i++)
    n = n % 2 == 1 ? 1 + n / 2 : n / 2;
  return n;
}

static int
all_frames (const EaselCogVaeConfig *c, int n, int size, int (*after) (const EaselCogVaeConfig *, int))
{
  int sum = 0;

  for (int i = 0; i < vae_n_batches (n, size); i++)
    {
      int start, end;

      vae_batch (n, size, i, &start, &end);
      sum += after (c, end - start);
    }
  return sum;
}

int
easel_cog_vae_frames (EaselCogVae *self, int n)
{
  return all_frames (&self->config, n, VAE_DECODE_FRAMES, vae_frames_decoded);
}

int
easel_cog_vae_latent_frames (EaselCogVae *self, int n)
{
  return all_frames (&self->config, n, VAE_ENCODE_FRAMES, vae_frames_encoded);
}

/* ---------------------------------------------------------------------------------------------------------- public */

void
easel_cog_vae_default_tiling (EaselCogVae *self, EaselCogTiling *out)
{
  *out = (EaselCogTiling){ self->config.sample_height / 2, self->config.sample_width / 2, 1.0 / 6, 1.0 / 5 };
}

static gboolean
check_tiling (EaselCogVae *self, const EaselCogTiling *t, GError **error)
{
  const int f = easel_cog_vae_factor (self), h = t->tile_height / f, w = t->tile_width / f;

  if (h >= 1 && w >= 1 && t->overlap_height >= 0 && t->overlap_width >= 0 && (int) (h * (1 - t->overlap_height)) >= 1
      && (int) (w * (1 - t->overlap_width)) >= 1)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
               "Tiles of %d x %d pixels with overlaps of %g and %g cannot cover a clip", t->tile_width, t->tile_height,
               t->overlap_width, t->overlap_height);
  return FALSE;
}

static gboolean
run (EaselCogVae *self, EaselStream *s, VaePiece *piece, const EaselCogTiling *tiling, gboolean encode, EaselJob *job,
     GError **error)
{
  const int f = encode ? 1 : easel_cog_vae_factor (self);

  piece->row_x = piece->w;
  piece->stride_x = (gint64) piece->w * piece->h;
  if (tiling && tiling->tile_height > 0
      && (piece->h > tiling->tile_height / f || piece->w > tiling->tile_width / f))
    return check_tiling (self, tiling, error) && vae_run_tiled (self, s, piece, tiling, encode, job, error);
  piece->row_y = encode ? piece->w / easel_cog_vae_factor (self) : piece->w * f;
  piece->stride_y = piece->row_y * (encode ? piece->h / easel_cog_vae_factor (self) : piece->h * f);
  return (encode ? vae_encode_piece : vae_decode_piece) (self, s, piece, job, error);
}

gboolean
easel_cog_vae_decode (EaselCogVae *self, EaselStream *stream, const float *z, int frames, int h, int w,
                      const EaselCogTiling *tiling, float *out, EaselJob *job, GError **error)
{
  VaePiece piece = { .x = z, .y = out, .frames = frames, .h = h, .w = w };

  if (frames < 1 || h < 1 || w < 1)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "There is nothing to decode");
      return FALSE;
    }
  return run (self, stream, &piece, tiling, FALSE, job, error);
}

gboolean
easel_cog_vae_encode (EaselCogVae *self, EaselStream *stream, const float *clip, int frames, int height, int width,
                      const EaselCogTiling *tiling, float *moments, EaselJob *job, GError **error)
{
  const int f = easel_cog_vae_factor (self), z = self->config.latent_channels;
  VaePiece piece = { .x = clip, .y = moments, .frames = frames, .h = height, .w = width };

  if (frames < 1 || height < f || width < f || height % f != 0 || width % f != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "The autoencoder takes clips with sides that are multiples of %d, not of %d x %d", f, width, height);
      return FALSE;
    }
  if (!take_side (self, FALSE, error) || !run (self, stream, &piece, tiling, TRUE, job, error))
    return FALSE;
  if (easel_stream_is_dry (stream))
    return TRUE;

  const gsize pixels = (gsize) easel_cog_vae_latent_frames (self, frames) * (height / f) * (width / f);
  for (gsize p = 0; p < pixels; p++)
    for (int c = z; c < 2 * z; c++)
      moments[p * 2 * z + c] = CLAMP (moments[p * 2 * z + c], -30, 20);
  return TRUE;
}
