/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vae/config.json of an AutoencoderDC. Defaults are those of the reference class.
 */
#include <string.h>

#include "engine/sana/dcae-private.h"

#define WHERE "vae/config.json"

static const int default_channels[] = { 128, 256, 512, 512, 1024, 1024 };
static const int default_encoder_layers[] = { 2, 2, 2, 3, 3, 3 };
static const int default_decoder_layers[] = { 3, 3, 3, 3, 3, 3 };

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

/* A list of numbers, at most DCAE_MAX_STAGES. Returns how many, or 0 with an error. */
static int
read_ints (EaselFields *f, const char *name, const int *fallback, int n_fallback, int *out, GError **error)
{
  gint64 values[DCAE_MAX_STAGES + 1];
  int n;

  if (!easel_fields_has (f, name))
    {
      memcpy (out, fallback, n_fallback * sizeof (int));
      return n_fallback;
    }
  n = easel_fields_ints (f, name, DCAE_MAX_STAGES + 1, values);
  if (n < 0)
    return easel_fields_done (f, error), 0;
  if (n == 0 || n > DCAE_MAX_STAGES)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s must list 1 to %d stages", name, DCAE_MAX_STAGES), 0;
  for (int i = 0; i < n; i++)
    {
      if (values[i] < 0 || values[i] > 65536)
        return refuse (error, EASEL_ERROR_DAMAGED, "%s holds %" G_GINT64_FORMAT, name, values[i]), 0;
      out[i] = values[i];
    }
  return n;
}

/* The word for stage i: one word for all, or a list of one a stage. NULL with an error. */
static const char *
word_at (JsonObject *object, const char *name, const char *fallback, int i, int n, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  if (!node || JSON_NODE_HOLDS_NULL (node))
    return fallback;
  if (JSON_NODE_HOLDS_ARRAY (node))
    {
      JsonArray *array = json_node_get_array (node);

      if ((int) json_array_get_length (array) != n)
        return refuse (error, EASEL_ERROR_DAMAGED, "%s lists %u stages, not %d", name,
                       json_array_get_length (array), n),
               NULL;
      node = json_array_get_element (array, i);
    }
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return refuse (error, EASEL_ERROR_DAMAGED, "%s must be words", name), NULL;
  return json_node_get_string (node);
}

static gboolean
act_from (const char *name, const char *word, EaselAct *out, GError **error)
{
  if (!word)
    return FALSE;
  if (!strcmp (word, "relu"))
    *out = EASEL_ACT_RELU;
  else if (!strcmp (word, "silu") || !strcmp (word, "swish"))
    *out = EASEL_ACT_SILU;
  else
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s \"%s\" is not supported, only relu and silu", name, word);
  return TRUE;
}

static gboolean
norm_from (const char *name, const char *word, DcaeNormKind *out, GError **error)
{
  if (!word)
    return FALSE;
  if (!strcmp (word, "rms_norm"))
    *out = DCAE_NORM_RMS;
  else if (!strcmp (word, "batch_norm"))
    *out = DCAE_NORM_BATCH;
  else
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s \"%s\" is not supported, only rms_norm and batch_norm", name,
                   word);
  return TRUE;
}

static gboolean
kind_from (const char *name, const char *word, DcaeBlockKind *out, GError **error)
{
  if (!word)
    return FALSE;
  if (!strcmp (word, "ResBlock"))
    *out = DCAE_RES_BLOCK;
  else if (!strcmp (word, "EfficientViTBlock"))
    *out = DCAE_VIT_BLOCK;
  else
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s \"%s\" is not supported, only ResBlock and EfficientViTBlock",
                   name, word);
  return TRUE;
}

/* [[], [5], …]: kernel sizes for each stage. Absent: 5 from the fourth stage on, as the reference. */
static gboolean
read_scales (JsonObject *object, const char *name, int n, DcaeSideConfig *side, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);
  JsonArray *stages;

  if (!node || JSON_NODE_HOLDS_NULL (node))
    {
      for (int i = 3; i < n; i++)
        side->n_scales[i] = 1, side->scales[i][0] = 5;
      return TRUE;
    }
  if (!JSON_NODE_HOLDS_ARRAY (node) || (int) json_array_get_length (json_node_get_array (node)) != n)
    return refuse (error, EASEL_ERROR_DAMAGED, "%s must be a list of %d lists", name, n);
  stages = json_node_get_array (node);
  for (int i = 0; i < n; i++)
    {
      JsonNode *stage = json_array_get_element (stages, i);
      JsonArray *sizes = JSON_NODE_HOLDS_ARRAY (stage) ? json_node_get_array (stage) : NULL;

      if (!sizes || json_array_get_length (sizes) > DCAE_MAX_SCALES)
        return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s: at most %d scales a stage", name, DCAE_MAX_SCALES);
      side->n_scales[i] = json_array_get_length (sizes);
      for (int j = 0; j < side->n_scales[i]; j++)
        {
          JsonNode *size = json_array_get_element (sizes, j);
          gint64 k = JSON_NODE_HOLDS_VALUE (size) && json_node_get_value_type (size) == G_TYPE_INT64
                         ? json_node_get_int (size)
                         : 0;

          if (k < 1 || k > 31 || k % 2 == 0)
            return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s: kernel sizes must be odd, 1 to 31", name);
          side->scales[i][j] = k;
        }
    }
  return TRUE;
}

static gboolean
read_side (EaselFields *f, gboolean encoder, DcaeConfig *c, GError **error)
{
  DcaeSideConfig *side = encoder ? &c->encoder : &c->decoder;
  const char *channels = encoder ? "encoder_block_out_channels" : "decoder_block_out_channels";
  const char *layers = encoder ? "encoder_layers_per_block" : "decoder_layers_per_block";
  const char *types = encoder ? "encoder_block_types" : "decoder_block_types";
  const char *scales = encoder ? "encoder_qkv_multiscales" : "decoder_qkv_multiscales";
  int n = read_ints (f, channels, default_channels, 6, side->channels, error);
  int n_layers;

  if (n == 0)
    return FALSE;
  if (encoder)
    c->n_stages = n;
  else if (n != c->n_stages)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "%d stages of the encoder and %d of the decoder", c->n_stages, n);
  n_layers = read_ints (f, layers, encoder ? default_encoder_layers : default_decoder_layers, 6, side->layers, error);
  if (n_layers == 0)
    return FALSE;
  if (n_layers != n)
    return refuse (error, EASEL_ERROR_DAMAGED, "%s lists %d stages, not %d", layers, n_layers, n);
  if (n < 2)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s must list at least 2 stages", channels);
  if (!read_scales (f->object, scales, n, side, error))
    return FALSE;
  for (int i = 0; i < n; i++)
    {
      side->norm[i] = DCAE_NORM_RMS; /* always so in the encoder */
      side->act[i] = EASEL_ACT_SILU;
      if (!kind_from (types, word_at (f->object, types, "ResBlock", i, n, error), &side->kind[i], error))
        return FALSE;
      if (!encoder
          && (!norm_from ("decoder_norm_types", word_at (f->object, "decoder_norm_types", "rms_norm", i, n, error),
                          &side->norm[i], error)
              || !act_from ("decoder_act_fns", word_at (f->object, "decoder_act_fns", "silu", i, n, error),
                            &side->act[i], error)))
        return FALSE;
      if (side->channels[i] < 1 || side->layers[i] > 256)
        return refuse (error, EASEL_ERROR_DAMAGED, "stage %d has %d channels and %d layers", i, side->channels[i],
                       side->layers[i]);
      if (i > 0 && side->layers[i] < 1)
        return refuse (error, EASEL_ERROR_UNSUPPORTED, "%s: only the first stage may be empty", layers);
      if (side->kind[i] == DCAE_VIT_BLOCK && side->channels[i] / c->head_dim < 1)
        return refuse (error, EASEL_ERROR_DAMAGED, "stage %d has %d channels for heads of %d", i, side->channels[i],
                       c->head_dim);
    }
  return TRUE;
}

/* Shortcuts average or repeat whole groups of channels. */
static gboolean
check_shortcuts (const DcaeConfig *c, GError **error)
{
  const int last = c->n_stages - 1, first_encoder = c->encoder.layers[0] > 0 ? 0 : 1;
  const int first_decoder = c->decoder.layers[0] > 0 ? 0 : 1;

  if (c->out_shortcut && c->encoder.channels[last] % c->latent_channels != 0)
    return refuse (error, EASEL_ERROR_DAMAGED, "encoder_out_shortcut: %d channels are not a multiple of %d",
                   c->encoder.channels[last], c->latent_channels);
  if (c->in_shortcut && c->decoder.channels[last] % c->latent_channels != 0)
    return refuse (error, EASEL_ERROR_DAMAGED, "decoder_in_shortcut: %d channels are not a multiple of %d",
                   c->decoder.channels[last], c->latent_channels);
  for (int i = first_encoder; i < last; i++)
    if (c->encoder.channels[i] * 4 % c->encoder.channels[i + 1] != 0
        || (c->down_unshuffle && c->encoder.channels[i + 1] % 4 != 0))
      return refuse (error, EASEL_ERROR_DAMAGED, "no way down from %d to %d channels", c->encoder.channels[i],
                     c->encoder.channels[i + 1]);
  for (int i = first_decoder; i < last; i++)
    if (c->decoder.channels[i] * 4 % c->decoder.channels[i + 1] != 0)
      return refuse (error, EASEL_ERROR_DAMAGED, "no way up from %d to %d channels", c->decoder.channels[i + 1],
                     c->decoder.channels[i]);
  if (first_encoder && c->down_unshuffle && c->encoder.channels[1] % 4 != 0)
    return refuse (error, EASEL_ERROR_DAMAGED, "%d channels cannot be unshuffled", c->encoder.channels[1]);
  return TRUE;
}

gboolean
dcae_config_read (DcaeConfig *c, JsonObject *object, GError **error)
{
  EaselFields f = easel_fields (object, WHERE);
  const char *up = easel_fields_string (&f, "upsample_block_type", "pixel_shuffle");
  const char *down = easel_fields_string (&f, "downsample_block_type", "pixel_unshuffle");
  const char *act = easel_fields_string (&f, "decoder_conv_act_fn", "relu");

  *c = (DcaeConfig){ 0 };
  c->in_channels = easel_fields_int (&f, "in_channels", 3, 1, 4096);
  c->latent_channels = easel_fields_int (&f, "latent_channels", 32, 1, 65536);
  c->head_dim = easel_fields_int (&f, "attention_head_dim", 32, 1, 1024);
  c->out_shortcut = easel_fields_bool (&f, "encoder_out_shortcut", TRUE);
  c->in_shortcut = easel_fields_bool (&f, "decoder_in_shortcut", TRUE);
  c->scaling_factor = easel_fields_double (&f, "scaling_factor", 1);
  if (!easel_fields_done (&f, error))
    return FALSE;
  /* any other word means the other way in the reference; here it must be one of the two */
  if (strcmp (up, "pixel_shuffle") != 0 && strcmp (up, "interpolate") != 0)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "upsample_block_type \"%s\" is not supported", up);
  if (g_ascii_strcasecmp (down, "conv") != 0 && strcmp (down, "pixel_unshuffle") != 0)
    return refuse (error, EASEL_ERROR_UNSUPPORTED, "downsample_block_type \"%s\" is not supported", down);
  c->up_interpolate = !strcmp (up, "interpolate");
  c->down_unshuffle = !strcmp (down, "pixel_unshuffle");
  if (!(c->scaling_factor > 0 && c->scaling_factor < 1e6))
    return refuse (error, EASEL_ERROR_DAMAGED, "scaling_factor %g makes no sense", c->scaling_factor);
  return act_from ("decoder_conv_act_fn", act, &c->out_act, error) && read_side (&f, TRUE, c, error)
         && read_side (&f, FALSE, c, error) && check_shortcuts (c, error);
}
