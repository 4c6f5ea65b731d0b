/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * AutoencoderDC: its weights and its two public directions.
 */
#include "engine/sana/dcae-private.h"

#include <math.h>

#define BATCH_NORM_EPS 1e-5

EaselDcae *
easel_dcae_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error)
{
  g_autoptr (EaselDcae) self = g_new0 (EaselDcae, 1);

  self->weights = weights;
  self->device = device;
  self->owned = g_array_new (FALSE, FALSE, sizeof (EaselTensor));
  if (!dcae_config_read (&self->config, config, error))
    return NULL;
  easel_weights_set_device (weights, device);
  if (!dcae_take_decoder (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
dcae_side_clear (DcaeSide *self)
{
  for (int i = 0; i < DCAE_MAX_STAGES; i++)
    g_clear_pointer (&self->stages[i].blocks, g_free);
  self->taken = FALSE;
}

void
easel_dcae_free (EaselDcae *self)
{
  if (!self)
    return;
  dcae_side_clear (&self->encoder);
  dcae_side_clear (&self->decoder);
  for (guint i = 0; i < self->owned->len; i++)
    {
      EaselTensor *t = &g_array_index (self->owned, EaselTensor, i);

      easel_device_free (self->device, t->data, easel_tensor_bytes (t));
    }
  g_array_unref (self->owned);
  easel_weights_free (self->weights);
  g_free (self);
}

double
easel_dcae_scaling_factor (EaselDcae *self)
{
  return self->config.scaling_factor;
}

int
easel_dcae_latent_channels (EaselDcae *self)
{
  return self->config.latent_channels;
}

int
easel_dcae_factor (EaselDcae *self)
{
  return 1 << (self->config.n_stages - 1);
}

guint64
easel_dcae_weights_bytes (EaselDcae *self)
{
  return easel_weights_held_bytes (self->weights);
}

/* -------------------------------------------------------------------------------------------------------- weights */

static DcaeLayer
take_conv (EaselWeights *weights, gint64 n, gint64 k, gint64 size, const char *name)
{
  DcaeLayer l;

  l.w = easel_weights_take (weights, EASEL_SHAPE (n, k, size, size), "%s.weight", name);
  l.b = easel_weights_take (weights, EASEL_SHAPE (n), "%s.bias", name);
  return l;
}

/* [n, k, 1, 1] seen as [n, k] */
static EaselTensor
take_point (EaselWeights *weights, gint64 n, gint64 k, const char *name)
{
  EaselTensor w = easel_weights_take (weights, EASEL_SHAPE (n, k, 1, 1), "%s.weight", name);

  return w.data ? easel_tensor_as (w, n, k) : w;
}

/* A weight as floats on the host, wherever it lives. */
static gboolean
read_floats (EaselStream *s, EaselTensor t, float *out)
{
  const size_t mark = easel_stream_mark (s);
  EaselTensor f32 = easel_new (s, EASEL_DTYPE_F32, easel_tensor_count (&t));

  easel_cast (s, .x = t, .y = f32);
  easel_download (s, out, f32);
  easel_stream_release (s, mark);
  return easel_stream_ok (s);
}

static EaselTensor
own_floats (EaselDcae *self, EaselStream *s, const float *host, gint64 n, EaselDtype dtype)
{
  EaselTensor t = easel_tensor_of (NULL, dtype, n);
  void *data = NULL;

  if (easel_device_alloc (self->device, n * easel_dtype_size (dtype), &data) != EASEL_STATUS_OK)
    {
      easel_stream_fail (s, EASEL_STATUS_NO_MEMORY, "no memory for a batch norm of %d channels", (int) n);
      return EASEL_NO_TENSOR;
    }
  t.data = data;
  g_array_append_val (self->owned, t);
  easel_upload_weight (s, t, host, EASEL_DTYPE_F32);
  return t;
}

/* A batch norm at rest is y = x * factor + offset: factor = w / sqrt (var + eps), offset = b - mean * factor. */
static gboolean
fold_batch_norm (EaselDcae *self, DcaeNorm *norm, gint64 C, const char *name, GError **error)
{
  EaselTensor mean = easel_weights_take (self->weights, EASEL_SHAPE (C), "%s.running_mean", name);
  EaselTensor var = easel_weights_take (self->weights, EASEL_SHAPE (C), "%s.running_var", name);
  g_autofree float *floats = g_new (float, 4 * C);
  EaselStream *s = NULL;
  EaselDtype dtype;
  gboolean ok;

  if (!easel_weights_done (self->weights, error))
    return FALSE;
  if (easel_stream_open (self->device, (C * sizeof (float) + 255) / 256 * 256, &s) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory to read the batch norms of the autoencoder");
      return FALSE;
    }
  if (read_floats (s, norm->w, floats) && read_floats (s, norm->b, floats + C) && read_floats (s, mean, floats + 2 * C)
      && read_floats (s, var, floats + 3 * C))
    {
      for (gint64 i = 0; i < C; i++)
        {
          floats[i] = floats[i] / sqrt (floats[3 * C + i] + BATCH_NORM_EPS);
          floats[C + i] -= floats[2 * C + i] * floats[i];
        }
      /* Where weights are uploaded all have one dtype, and convolutions are asked for it. */
      dtype = self->device->maps_weights ? EASEL_DTYPE_F32 : mean.dtype;
      norm->w = own_floats (self, s, floats, C, dtype);
      norm->b = own_floats (self, s, floats + C, C, dtype);
      if (norm->w.data)
        norm->w = easel_tensor_as (norm->w, C, 1, 1, 1);
    }
  ok = easel_stream_check (s, "Reading the autoencoder", error);
  easel_stream_close (&s);
  return ok;
}

static gboolean
take_norm (EaselDcae *self, DcaeNorm *norm, DcaeNormKind kind, gint64 C, const char *name, GError **error)
{
  norm->kind = kind;
  norm->w = easel_weights_take (self->weights, EASEL_SHAPE (C), "%s.weight", name);
  norm->b = easel_weights_take (self->weights, EASEL_SHAPE (C), "%s.bias", name);
  return kind != DCAE_NORM_BATCH || fold_batch_norm (self, norm, C, name, error);
}

static gboolean
take_res_block (EaselDcae *self, DcaeBlock *b, const DcaeSideConfig *side, int stage, const char *at, GError **error)
{
  const gint64 C = side->channels[stage];
  g_autofree char *conv_1 = g_strconcat (at, ".conv1", NULL);
  g_autofree char *norm = g_strconcat (at, ".norm", NULL);

  b->act = side->act[stage];
  b->conv_1 = take_conv (self->weights, C, C, 3, conv_1);
  b->conv_2 = easel_weights_take (self->weights, EASEL_SHAPE (C, C, 3, 3), "%s.conv2.weight", at);
  return take_norm (self, &b->norm, side->norm[stage], C, norm, error);
}

static gboolean
take_vit_block (EaselDcae *self, DcaeBlock *b, const DcaeSideConfig *side, int stage, const char *at, GError **error)
{
  EaselWeights *weights = self->weights;
  const gint64 C = side->channels[stage];
  g_autofree char *norm = g_strconcat (at, ".attn.norm_out", NULL);
  g_autofree char *inverted = g_strconcat (at, ".conv_out.conv_inverted", NULL);
  g_autofree char *point = g_strconcat (at, ".conv_out.conv_point", NULL);
  g_autofree char *glu_norm = g_strconcat (at, ".conv_out.norm", NULL);
  gint64 I;

  b->head_dim = self->config.head_dim;
  b->heads = C / b->head_dim;
  b->n_scales = side->n_scales[stage];
  I = (gint64) b->heads * b->head_dim;
  b->q = easel_weights_take (weights, EASEL_SHAPE (I, C), "%s.attn.to_q.weight", at);
  b->k = easel_weights_take (weights, EASEL_SHAPE (I, C), "%s.attn.to_k.weight", at);
  b->v = easel_weights_take (weights, EASEL_SHAPE (I, C), "%s.attn.to_v.weight", at);
  for (int j = 0; j < b->n_scales; j++)
    {
      const gint64 size = side->scales[stage][j];

      b->scales[j].depth = easel_weights_take (weights, EASEL_SHAPE (3 * I, 1, size, size),
                                               "%s.attn.to_qkv_multiscale.%d.proj_in.weight", at, j);
      b->scales[j].mix = easel_weights_take (weights, EASEL_SHAPE (3 * I, b->head_dim, 1, 1),
                                             "%s.attn.to_qkv_multiscale.%d.proj_out.weight", at, j);
    }
  b->out = easel_weights_take (weights, EASEL_SHAPE (C, I * (1 + b->n_scales)), "%s.attn.to_out.weight", at);
  b->inverted.w = take_point (weights, 8 * C, C, inverted);
  b->inverted.b = easel_weights_take (weights, EASEL_SHAPE (8 * C), "%s.bias", inverted);
  b->depth.w = easel_weights_take (weights, EASEL_SHAPE (8 * C, 1, 3, 3), "%s.conv_out.conv_depth.weight", at);
  b->depth.b = easel_weights_take (weights, EASEL_SHAPE (8 * C), "%s.conv_out.conv_depth.bias", at);
  b->point = take_point (weights, C, 4 * C, point);
  return take_norm (self, &b->glu_norm, DCAE_NORM_RMS, C, glu_norm, error)
         && take_norm (self, &b->norm, side->norm[stage], C, norm, error);
}

/* Blocks first.first … of stage i, under `at` ("decoder.up_blocks.3"). */
static gboolean
take_blocks (EaselDcae *self, DcaeStage *stage, const DcaeSideConfig *side, int i, const char *at, int first,
             GError **error)
{
  stage->channels = side->channels[i];
  stage->n_blocks = side->layers[i];
  stage->blocks = g_new0 (DcaeBlock, MAX (stage->n_blocks, 1));
  for (int j = 0; j < stage->n_blocks; j++)
    {
      DcaeBlock *b = &stage->blocks[j];
      g_autofree char *name = g_strdup_printf ("%s.%d", at, first + j);

      b->kind = side->kind[i];
      if (!(b->kind == DCAE_RES_BLOCK ? take_res_block : take_vit_block) (self, b, side, i, name, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
dcae_take_decoder (EaselDcae *self, GError **error)
{
  const DcaeConfig *c = &self->config;
  const int *channels = c->decoder.channels, last = c->n_stages - 1, first = c->decoder.layers[0] > 0 ? 0 : 1;
  const int shuffle = c->up_interpolate ? 1 : 4;
  DcaeSide *side = &self->decoder;

  side->in = take_conv (self->weights, channels[last], c->latent_channels, 3, "decoder.conv_in");
  for (int i = last; i >= first; i--)
    {
      DcaeStage *stage = &side->stages[i];
      g_autofree char *at = g_strdup_printf ("decoder.up_blocks.%d", i);
      g_autofree char *up = g_strconcat (at, ".0.conv", NULL);

      if (i < last)
        stage->resample = take_conv (self->weights, (gint64) channels[i] * shuffle, channels[i + 1], 3, up);
      if (!take_blocks (self, stage, &c->decoder, i, at, i < last ? 1 : 0, error))
        return FALSE;
    }
  side->out_act = c->out_act;
  if (!take_norm (self, &side->norm_out, DCAE_NORM_RMS, channels[first], "decoder.norm_out", error))
    return FALSE;
  side->out = first == 0 ? take_conv (self->weights, c->in_channels, channels[0], 3, "decoder.conv_out")
                         : take_conv (self->weights, (gint64) c->in_channels * shuffle, channels[1], 3,
                                      "decoder.conv_out.conv");
  side->taken = easel_weights_done (self->weights, error);
  return side->taken;
}

gboolean
dcae_take_encoder (EaselDcae *self, GError **error)
{
  const DcaeConfig *c = &self->config;
  const int *channels = c->encoder.channels, last = c->n_stages - 1, first = c->encoder.layers[0] > 0 ? 0 : 1;
  const int shuffle = c->down_unshuffle ? 4 : 1;
  DcaeSide *side = &self->encoder;

  side->in = first == 0 ? take_conv (self->weights, channels[0], c->in_channels, 3, "encoder.conv_in")
                        : take_conv (self->weights, channels[1] / shuffle, c->in_channels, 3, "encoder.conv_in.conv");
  for (int i = first; i <= last; i++)
    {
      DcaeStage *stage = &side->stages[i];
      g_autofree char *at = g_strdup_printf ("encoder.down_blocks.%d", i);
      g_autofree char *down = g_strdup_printf ("%s.%d.conv", at, c->encoder.layers[i]);

      if (!take_blocks (self, stage, &c->encoder, i, at, 0, error))
        return FALSE;
      if (i < last)
        stage->resample = take_conv (self->weights, channels[i + 1] / shuffle, channels[i], 3, down);
    }
  side->out = take_conv (self->weights, c->latent_channels, channels[last], 3, "encoder.conv_out");
  side->taken = easel_weights_done (self->weights, error);
  return side->taken;
}

/* ---------------------------------------------------------------------------------------------------------- public */

static gboolean
check_tiling (EaselDcae *self, const EaselDcaeTiling *t, GError **error)
{
  const int f = easel_dcae_factor (self);

  if (t->tile_height > 0 && t->tile_width > 0 && t->stride_height > 0 && t->stride_width > 0
      && t->stride_height <= t->tile_height && t->stride_width <= t->tile_width && t->tile_height % f == 0
      && t->tile_width % f == 0 && t->stride_height % f == 0 && t->stride_width % f == 0)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
               "Tiles of %d x %d with steps of %d x %d: all must be multiples of %d and steps no longer than tiles",
               t->tile_width, t->tile_height, t->stride_width, t->stride_height, f);
  return FALSE;
}

static gboolean
check_pair (EaselDcae *self, EaselTensor image, EaselTensor z, GError **error)
{
  const int f = easel_dcae_factor (self);
  char a[80], b[80];

  if (image.n_dims == 4 && z.n_dims == 4 && image.shape[0] == z.shape[0] && image.shape[1] == z.shape[1] * f
      && image.shape[2] == z.shape[2] * f && image.shape[3] == self->config.in_channels
      && z.shape[3] == self->config.latent_channels)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
               "A picture %s and latents %s do not go together: sides differ by %d, channels are %d and %d",
               easel_tensor_describe (&image, a, sizeof a), easel_tensor_describe (&z, b, sizeof b), f,
               self->config.in_channels, self->config.latent_channels);
  return FALSE;
}

/* As the reference: tiles only when a side is longer than a tile. */
static gboolean
wants_tiles (EaselTensor image, const EaselDcaeTiling *t)
{
  return t && t->tile_height > 0 && t->tile_width > 0
         && (image.shape[1] > t->tile_height || image.shape[2] > t->tile_width);
}

gboolean
easel_dcae_decode (EaselDcae *self, EaselStream *stream, EaselTensor z, const EaselDcaeTiling *tiling, EaselTensor out,
                   EaselJob *job, GError **error)
{
  if (!check_pair (self, out, z, error))
    return FALSE;
  if (!wants_tiles (out, tiling))
    return dcae_decode_piece (self, stream, z, out, (DcaeProgress){ job, 0, 1 }, error);
  return check_tiling (self, tiling, error) && dcae_run_tiled (self, stream, z, tiling, FALSE, out, job, error);
}

gboolean
easel_dcae_encode (EaselDcae *self, EaselStream *stream, EaselTensor image, const EaselDcaeTiling *tiling,
                   EaselTensor out, EaselJob *job, GError **error)
{
  if (!check_pair (self, image, out, error) || (!self->encoder.taken && !dcae_take_encoder (self, error)))
    return FALSE;
  if (!wants_tiles (image, tiling))
    return dcae_encode_piece (self, stream, image, out, (DcaeProgress){ job, 0, 1 }, error);
  return check_tiling (self, tiling, error) && dcae_run_tiled (self, stream, image, tiling, TRUE, out, job, error);
}
