/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parity of the sana room: the autoencoder, the transformers, the ControlNet, sizes, and whole runs.
 */
#include "engine/sana/controlnet.h"
#include "engine/sana/dcae.h"
#include "engine/sana/denoise.h"
#include "engine/core/pixels.h"
#include "engine/sana/resolution.h"
#include "engine/text/sana-prompt.h"
#include "tests/parity/parity.h"

#include <stdio.h>
#include <string.h>

#define ARENA_BYTES ((gsize) 192 << 20)

static void
close_stream (EaselStream *s)
{
  easel_stream_close (&s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselStream, close_stream)

static EaselStream *
open_stream (ParityCase *c, GError **error)
{
  EaselStream *s = NULL;

  if (easel_stream_open (c->device, ARENA_BYTES, &s) != EASEL_STATUS_OK)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "no memory for the arena");
  return s;
}

/* [B, C, H, W] -> [B, H, W, C] or back; the caller frees. */
static float *
permute (const float *in, const gint64 *shape, gboolean to_last)
{
  const gint64 B = shape[0], C = shape[1], P = shape[2] * shape[3];
  float *out = g_new (float, B *C *P);

  for (gint64 b = 0; b < B; b++)
    for (gint64 c = 0; c < C; c++)
      for (gint64 p = 0; p < P; p++)
        {
          const gint64 first = (b * C + c) * P + p, last = (b * P + p) * C + c;

          out[to_last ? last : first] = in[to_last ? first : last];
        }
  return out;
}

static gboolean
shape_of (ParityCase *c, const char *name, gint64 *shape, GError **error)
{
  EaselTensor t;

  if (!easel_safetensors_find (c->tensors, name, &t))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "case %s has no tensor \"%s\"", c->name, name);
      return FALSE;
    }
  for (int i = 0; i < 4; i++)
    shape[i] = i < t.n_dims ? t.shape[i] : 1;
  return TRUE;
}

/* A picture of the case, channels last, on the device. */
static gboolean
load_picture (ParityCase *c, EaselStream *s, const char *name, EaselTensor *out, GError **error)
{
  g_autofree float *host = NULL, *last = NULL;
  gint64 d[4];

  if (!shape_of (c, name, d, error) || !(host = parity_floats (c, name, NULL, error)))
    return FALSE;
  last = permute (host, d, TRUE);
  *out = easel_new (s, EASEL_DTYPE_F32, d[0], d[2], d[3], d[1]);
  easel_upload (s, *out, last);
  return easel_stream_check (s, "Loading", error);
}

/* Compares a channels-last picture on the device with the case's [B, C, H, W]. */
static gboolean
check_picture (ParityCase *c, EaselStream *s, const char *name, EaselTensor got, double bound, GError **error)
{
  const gint64 shape[4] = { got.shape[0], got.shape[3], got.shape[1], got.shape[2] }, n = easel_tensor_count (&got);
  g_autofree float *host = g_new (float, n), *first = NULL;

  parity_download (s, host, got);
  if (!easel_stream_check (s, name, error))
    return FALSE;
  first = permute (host, shape, FALSE);
  parity_check (c, name, first, n, bound);
  return TRUE;
}

static gboolean
check_rows (ParityCase *c, EaselStream *s, const char *name, EaselTensor got, double bound, GError **error)
{
  const gint64 n = easel_tensor_count (&got);
  g_autofree float *host = g_new (float, n);

  parity_download (s, host, got);
  if (!easel_stream_check (s, name, error))
    return FALSE;
  parity_check (c, name, host, n, bound);
  return TRUE;
}

/* Weights and config.json of the folder that the case's json names. */
static EaselWeights *
open_model (ParityCase *c, const char *member, JsonObject **config, GError **error)
{
  g_autofree char *dir = parity_model_dir (c, member, error);
  g_autofree char *path = dir ? g_build_filename (dir, "config.json", NULL) : NULL;

  if (!dir || !(*config = easel_json_load (path, error)))
    return NULL;
  return parity_weights (c, dir, error);
}

static EaselDcae *
open_dcae (ParityCase *c, const char *member, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = open_model (c, member, &config, error);

  return weights ? easel_dcae_new (config, weights, c->device, error) : NULL;
}

static EaselSanaTransformer *
open_transformer (ParityCase *c, const char *member, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = open_model (c, member, &config, error);

  return weights ? easel_sana_transformer_new (config, weights, c->device, error) : NULL;
}

/* ------------------------------------------------------------------------------------------------------------ DC-AE */

static gboolean
decode_and_check (ParityCase *c, EaselDcae *dcae, EaselStream *s, const char *from, const EaselDcaeTiling *tiling,
                  const char *want, GError **error)
{
  const gint64 f = easel_dcae_factor (dcae);
  size_t mark = easel_stream_mark (s);
  EaselTensor z, out;

  if (!load_picture (c, s, from, &z, error))
    return FALSE;
  out = easel_new (s, EASEL_DTYPE_F32, z.shape[0], z.shape[1] * f, z.shape[2] * f, 3);
  if (!easel_dcae_decode (dcae, s, z, tiling, out, NULL, error) || !check_picture (c, s, want, out, 2e-5, error))
    return FALSE;
  easel_stream_release (s, mark);
  return TRUE;
}

static gboolean
encode_and_check (ParityCase *c, EaselDcae *dcae, EaselStream *s, const char *from, const EaselDcaeTiling *tiling,
                  const char *want, GError **error)
{
  const gint64 f = easel_dcae_factor (dcae);
  size_t mark = easel_stream_mark (s);
  EaselTensor image, out;

  if (!load_picture (c, s, from, &image, error))
    return FALSE;
  out = easel_new (s, EASEL_DTYPE_F32, image.shape[0], image.shape[1] / f, image.shape[2] / f,
                   easel_dcae_latent_channels (dcae));
  if (!easel_dcae_encode (dcae, s, image, tiling, out, NULL, error) || !check_picture (c, s, want, out, 2e-5, error))
    return FALSE;
  easel_stream_release (s, mark);
  return TRUE;
}

static gboolean
run_dcae (ParityCase *c, GError **error)
{
  EaselDcaeTiling tiling = { 128, 128, 96, 96 };
  g_autoptr (EaselDcae) dcae = open_dcae (c, "model", error);
  g_autoptr (EaselStream) s = dcae ? open_stream (c, error) : NULL;

  if (json_object_has_member (c->meta, "tiling"))
    {
      JsonArray *t = json_object_get_array_member (c->meta, "tiling");

      tiling = (EaselDcaeTiling){ json_array_get_int_element (t, 0), json_array_get_int_element (t, 1),
                                  json_array_get_int_element (t, 2), json_array_get_int_element (t, 3) };
    }
  return s && decode_and_check (c, dcae, s, "z", NULL, "decoded", error)
         && encode_and_check (c, dcae, s, "image", NULL, "encoded", error)
         && (!parity_has (c, "tiled.z")
             || decode_and_check (c, dcae, s, "tiled.z", &tiling, "tiled.decoded", error))
         && (!parity_has (c, "tiled.image")
             || encode_and_check (c, dcae, s, "tiled.image", &tiling, "tiled.encoded", error));
}

/* ----------------------------------------------------------------------------------------------------- transformers */

typedef struct
{
  EaselTensor x, text, timestep;
  guint8 *mask;
} Inputs;

static void
inputs_clear (Inputs *in)
{
  g_free (in->mask);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Inputs, inputs_clear)

/* x, text, mask, timestep of a forward case. */
static gboolean
load_inputs (ParityCase *c, EaselStream *s, Inputs *in, GError **error)
{
  g_autofree float *text = parity_floats (c, "text", NULL, error);
  g_autofree gint64 *mask = text ? parity_ints (c, "mask", NULL, error) : NULL;
  g_autofree float *timestep = mask ? parity_floats (c, "timestep", NULL, error) : NULL;
  gint64 d[4];

  if (!timestep || !shape_of (c, "text", d, error) || !load_picture (c, s, "x", &in->x, error))
    return FALSE;
  in->text = easel_new (s, s->act_dtype, d[0], d[1], d[2]);
  in->timestep = easel_new (s, EASEL_DTYPE_F32, d[0]);
  parity_upload (s, in->text, text);
  easel_upload (s, in->timestep, timestep);
  in->mask = g_new (guint8, d[0] * d[1]);
  for (gint64 i = 0; i < d[0] * d[1]; i++)
    in->mask[i] = mask[i] != 0;
  return easel_stream_check (s, "Loading", error);
}

static EaselTensor
upload_pair (EaselStream *s, gint64 n, double value)
{
  EaselTensor t = easel_new (s, EASEL_DTYPE_F32, n);
  g_autofree float *host = g_new (float, n);

  for (gint64 i = 0; i < n; i++)
    host[i] = (float) value;
  easel_upload (s, t, host);
  return t;
}

static gboolean
run_transformer (ParityCase *c, GError **error)
{
  g_autoptr (EaselSanaTransformer) model = open_transformer (c, "model", error);
  g_autoptr (EaselStream) s = model ? open_stream (c, error) : NULL;
  g_autoptr (EaselSanaContext) context = NULL;
  g_autofree EaselTensor *blocks = NULL;
  g_auto (Inputs) in = { 0 };
  const EaselSanaConfig *config;
  EaselSanaStep step = { 0 };
  EaselTensor out;

  if (!s || !load_inputs (c, s, &in, error))
    return FALSE;
  config = easel_sana_transformer_config (model);
  context = easel_sana_context_new (model, s, in.text, in.mask, in.x.shape[1], in.x.shape[2], error);
  if (!context)
    return FALSE;
  step.x = in.x;
  step.timestep = in.timestep;
  if (config->guidance_embeds)
    step.guidance = upload_pair (s, in.x.shape[0],
                                 json_object_get_double_member (c->meta, "guidance") * config->guidance_embeds_scale);
  step.blocks = blocks = g_new (EaselTensor, config->layers);
  for (int i = 0; i < config->layers; i++)
    blocks[i] = easel_new (s, EASEL_DTYPE_F32, in.x.shape[0], in.x.shape[1] * in.x.shape[2], config->inner);
  out = easel_new (s, EASEL_DTYPE_F32, in.x.shape[0], in.x.shape[1], in.x.shape[2], config->out_channels);
  if (!easel_sana_transformer_forward (model, s, context, &step, out, NULL, error))
    return FALSE;
  for (int i = 0; i < config->layers; i++)
    {
      g_autofree char *name = g_strdup_printf ("block.%d", i);

      if (!check_rows (c, s, name, blocks[i], 2e-5, error))
        return FALSE;
    }
  return check_picture (c, s, "out", out, 2e-5, error);
}

static gboolean
run_controlnet (ParityCase *c, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  g_autoptr (EaselSanaTransformer) model = open_transformer (c, "transformer", error);
  EaselWeights *weights = model ? open_model (c, "controlnet", &config, error) : NULL;
  g_autoptr (EaselSanaControlnet) control
      = weights ? easel_sana_controlnet_new (config, weights, c->device, error) : NULL;
  g_autoptr (EaselStream) s = control ? open_stream (c, error) : NULL;
  g_autoptr (EaselSanaContext) context = NULL, control_context = NULL;
  g_autofree EaselTensor *residuals = NULL;
  g_auto (Inputs) in = { 0 };
  EaselSanaStep step = { 0 };
  EaselTensor hint, out;
  int n;

  if (!s || !load_inputs (c, s, &in, error) || !load_picture (c, s, "cond", &hint, error))
    return FALSE;
  context = easel_sana_context_new (model, s, in.text, in.mask, in.x.shape[1], in.x.shape[2], error);
  control_context
      = context ? easel_sana_controlnet_context_new (control, s, in.text, in.mask, in.x.shape[1], in.x.shape[2], error)
                : NULL;
  if (!control_context)
    return FALSE;
  n = easel_sana_controlnet_n_residuals (control);
  residuals = g_new (EaselTensor, n);
  for (int i = 0; i < n; i++)
    residuals[i] = easel_new (s, s->act_dtype, in.x.shape[0], in.x.shape[1] * in.x.shape[2],
                              easel_sana_controlnet_width (control));
  if (!easel_sana_controlnet_forward (control, s, control_context, in.x, hint, in.timestep,
                                      json_object_get_double_member (c->meta, "conditioning_scale"), residuals, NULL,
                                      error))
    return FALSE;
  for (int i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("res.%d", i);

      if (!check_rows (c, s, name, residuals[i], 5e-5, error))
        return FALSE;
    }
  step = (EaselSanaStep){ .x = in.x, .timestep = in.timestep, .control = residuals, .n_control = n };
  out = easel_new (s, EASEL_DTYPE_F32, in.x.shape[0], in.x.shape[1], in.x.shape[2], in.x.shape[3]);
  return easel_sana_transformer_forward (model, s, context, &step, out, NULL, error)
         && check_picture (c, s, "out", out, 5e-5, error);
}

/* -------------------------------------------------------------------------------------------------------- sizes */

static gboolean
run_resolution (ParityCase *c, GError **error)
{
  JsonArray *bins = json_object_get_array_member (c->meta, "bins");
  JsonArray *sizes = json_object_get_array_member (c->meta, "resize");
  g_autofree float *first = parity_floats (c, "x", NULL, error), *x = NULL;
  gint64 d[4];
  int wrong = 0;

  if (!first || !shape_of (c, "x", d, error))
    return FALSE;
  for (guint i = 0; i < json_array_get_length (bins); i++)
    {
      JsonObject *bin = json_array_get_object_element (bins, i);
      int w = 0, h = 0;

      wrong += !easel_sana_nearest_size (json_object_get_int_member (bin, "sample_size"),
                                         json_object_get_int_member (bin, "width"),
                                         json_object_get_int_member (bin, "height"), &w, &h)
               || w != json_object_get_int_member (bin, "bin_width")
               || h != json_object_get_int_member (bin, "bin_height");
    }
  parity_row (c, "bins that differ", wrong, 0);

  x = permute (first, d, TRUE);
  for (guint i = 0; i < json_array_get_length (sizes); i++)
    {
      JsonArray *size = json_array_get_array_element (sizes, i);
      const int w = json_array_get_int_element (size, 0), h = json_array_get_int_element (size, 1);
      const gint64 shape[4] = { 1, d[1], h, w };
      g_autofree char *name = g_strdup_printf ("resized.%u", i);
      g_autofree float *out = g_new (float, d[1] *h *w), *got = NULL;

      easel_pixels_cover (x, d[3], d[2], d[1], out, w, h);
      got = permute (out, shape, FALSE);
      parity_check (c, name, got, d[1] * h * w, 1e-5);
    }
  return TRUE;
}

/* ----------------------------------------------------------------------------------------------------- whole runs */

/* The reference wrote the scheduler's fields without its class. */
static EaselSampler *
make_sampler (ParityCase *c, GError **error)
{
  JsonObject *config = json_object_get_object_member (c->meta, "scheduler");
  const char *klass = json_object_has_member (config, "flow_shift") ? "DPMSolverMultistepScheduler"
                      : json_object_has_member (config, "shift")    ? "FlowMatchEulerDiscreteScheduler"
                                                                    : "SCMScheduler";

  json_object_set_string_member (config, "_class_name", klass);
  return easel_sampler_new (NULL, config, json_object_get_int_member (c->meta, "steps"), error);
}

typedef struct
{
  ParityCase *c;
  double bound;
  GError *error;
} Steps;

/* After every step: the latents of the reference's callback. */
static void
step_cb (int evaluation, EaselStream *s, EaselTensor x, EaselTensor clean G_GNUC_UNUSED, gpointer data)
{
  Steps *steps = data;
  g_autofree char *name = g_strdup_printf ("latents.%d", evaluation + 1);

  if (!steps->error)
    check_picture (steps->c, s, name, x, steps->bound, &steps->error);
}

/* ids of the case -> embeddings in rows [i] of the batch, compared where they are real. */
static gboolean
encode_ids (ParityCase *c, EaselStream *s, EaselGemma2 *encoder, const char *ids_name, const char *embeds_name,
            const char *mask_name, EaselTensor row, guint8 *mask, GError **error)
{
  gint64 n = 0, n_mask = 0;
  const int n_selected = row.shape[1], hidden = row.shape[2];
  g_autofree gint64 *ids = parity_ints (c, ids_name, &n, error);
  g_autofree gint64 *want_mask = ids ? parity_ints (c, mask_name, &n_mask, error) : NULL;
  g_autofree gint32 *ids32 = g_new (gint32, n + 1);
  g_autofree float *host = g_new (float, (gsize) n_selected *hidden);
  g_autoptr (EaselSanaTokens) tokens = NULL;
  size_t mark = easel_stream_mark (s);
  EaselTensor embeds;
  int wrong = 0;

  if (!want_mask)
    return FALSE;
  for (gint64 i = 0; i < n; i++)
    ids32[i] = (gint32) ids[i];
  if (!(tokens = easel_sana_tokens_new_from_ids (ids32, n, 0, n_selected, error))
      || !easel_sana_encode_prompt (encoder, s, tokens, &embeds, mask, NULL, error))
    return FALSE;
  parity_download (s, host, embeds);
  parity_upload (s, row, host);
  easel_stream_release (s, mark);
  parity_check_rows (c, embeds_name, host, n_selected, hidden, mask, 2e-5);
  for (int i = 0; i < n_selected; i++)
    wrong += mask[i] != want_mask[i];
  parity_row (c, mask_name, wrong, 0);
  return easel_stream_check (s, "Reading the prompt", error);
}

static EaselGemma2 *
open_encoder (ParityCase *c, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = open_model (c, "text_encoder", &config, error);

  return weights ? easel_gemma2_new (config, weights, c->device, error) : NULL;
}

/* The starting noise of the case, drawn here and compared. [C, h, w] */
static float *
draw_noise (ParityCase *c, gsize n)
{
  g_autoptr (EaselRng) rng = easel_rng_new (EASEL_RNG_CPU, json_object_get_int_member (c->meta, "noise_seed"));
  float *noise = g_new (float, n);

  easel_rng_randn (rng, noise, n, EASEL_DTYPE_F32);
  parity_check_absolute (c, "latents0", noise, n, 1e-6);
  return noise;
}

static gboolean
decode_run (ParityCase *c, EaselStream *s, EaselTensor latents, GError **error)
{
  g_autoptr (EaselDcae) dcae = open_dcae (c, "vae", error);
  gint64 f, n;
  EaselTensor image;

  if (!dcae)
    return FALSE;
  f = easel_dcae_factor (dcae);
  easel_lincomb (s, .n_terms = 1, .x = { latents }, .c = { (float) (1 / easel_dcae_scaling_factor (dcae)) },
                 .y = latents);
  image = easel_new (s, EASEL_DTYPE_F32, 1, latents.shape[1] * f, latents.shape[2] * f, 3);
  if (!easel_dcae_decode (dcae, s, latents, NULL, image, NULL, error)
      || (parity_has (c, "image") && !check_picture (c, s, "image", image, 2e-4, error)))
    return FALSE;

  n = easel_tensor_count (&image);
  const gint64 shape[4] = { 1, 3, image.shape[1], image.shape[2] };
  g_autofree float *host = g_new (float, n), *levels = g_new (float, n), *first = NULL;
  g_autofree guint8 *u8 = g_new (guint8, n);

  easel_download (s, host, image);
  parity_row (c, "pixels that are no numbers", !easel_pixels_to_u8 (host, n, u8), 0);
  for (gint64 i = 0; i < n; i++)
    levels[i] = u8[i];
  first = permute (levels, shape, FALSE);
  /* In 16 bits the picture differs by what its latents do; "image" bounds it. */
  if (s->act_dtype == EASEL_DTYPE_F32)
    parity_check_absolute (c, "image_u8", first, n, 1);
  return TRUE;
}

static gboolean
run_whole (ParityCase *c, GError **error)
{
  JsonArray *size = json_object_get_array_member (c->meta, "latent");
  const int h = json_array_get_int_element (size, 0), w = json_array_get_int_element (size, 1);
  const int n_text = json_object_get_int_member (c->meta, "max_sequence_length"), n = parity_has (c, "neg_ids") ? 2 : 1;
  g_autoptr (EaselSanaTransformer) model = open_transformer (c, "transformer", error);
  g_autoptr (EaselGemma2) encoder = model ? open_encoder (c, error) : NULL;
  g_autoptr (EaselSampler) sampler = encoder ? make_sampler (c, error) : NULL;
  g_autoptr (EaselStream) s = sampler ? open_stream (c, error) : NULL;
  g_autoptr (EaselRng) rng = NULL;
  g_autofree guint8 *mask = g_new0 (guint8, 2 * n_text);
  g_autofree float *noise = NULL;
  Steps steps = { c, 1e-4, NULL };
  EaselTensor text, latents;
  SanaDenoise denoise;

  if (!s)
    return FALSE;
  text = easel_new (s, s->act_dtype, n, n_text, easel_gemma2_hidden_size (encoder));
  latents = easel_new (s, EASEL_DTYPE_F32, 1, h, w, easel_sana_transformer_config (model)->in_channels);
  if ((n == 2
       && !encode_ids (c, s, encoder, "neg_ids", "neg_embeds", "neg_mask", easel_tensor_rows (text, 0, 1), mask, error))
      || !encode_ids (c, s, encoder, "ids", "prompt_embeds", "prompt_mask", easel_tensor_rows (text, n - 1, 1),
                      mask + (n - 1) * n_text, error))
    return FALSE;
  noise = draw_noise (c, easel_tensor_count (&latents));
  rng = easel_rng_new (EASEL_RNG_CPU, json_object_get_int_member (c->meta, "sampler_noise_seed"));
  denoise = (SanaDenoise){ .transformer = model, .sampler = sampler, .text = text, .mask = mask, .h = h, .w = w,
                           .guidance = json_object_get_double_member (c->meta, "guidance"), .rng = rng, .noise = noise,
                           .trigflow = easel_sana_transformer_config (model)->guidance_embeds, .step_cb = step_cb,
                           .user_data = &steps };
  if (!sana_denoise (&denoise, s, latents, NULL, error))
    return FALSE;
  if (steps.error)
    {
      g_propagate_error (error, steps.error);
      return FALSE;
    }
  return check_picture (c, s, "latents_final", latents, 1e-4, error) && decode_run (c, s, latents, error);
}

/* Perturbed-attention guidance: negative, text, text with one block's self-attention left out. */
static gboolean
run_pag (ParityCase *c, GError **error)
{
  g_autoptr (EaselSanaTransformer) model = open_transformer (c, "transformer", error);
  g_autoptr (EaselSampler) sampler = model ? make_sampler (c, error) : NULL;
  g_autoptr (EaselStream) s = sampler ? open_stream (c, error) : NULL;
  const char *layer = json_object_get_string_member (c->meta, "pag_applied_layers");
  g_autofree float *noise = NULL, *prompt = NULL, *negative = NULL;
  g_autofree gboolean *perturbed = NULL;
  g_autofree guint8 *mask = NULL;
  Steps steps = { c, 5e-5, NULL };
  EaselTensor text, latents;
  SanaDenoise denoise;
  gint64 z[4], d[4];
  guint block = 0;

  if (!s || !shape_of (c, "latents0", z, error) || !shape_of (c, "prompt_embeds", d, error)
      || !(noise = parity_floats (c, "latents0", NULL, error))
      || !(prompt = parity_floats (c, "prompt_embeds", NULL, error))
      || !(negative = parity_floats (c, "neg_embeds", NULL, error)))
    return FALSE;
  perturbed = g_new0 (gboolean, easel_sana_transformer_config (model)->layers);
  if (sscanf (layer, "transformer_blocks.%u", &block) == 1
      && (int) block < easel_sana_transformer_config (model)->layers)
    perturbed[block] = TRUE;
  mask = g_malloc (2 * d[1]);
  memset (mask, 1, 2 * d[1]);
  text = easel_new (s, s->act_dtype, 2, d[1], d[2]);
  latents = easel_new (s, EASEL_DTYPE_F32, 1, z[2], z[3], z[1]);
  parity_upload (s, easel_tensor_rows (text, 0, 1), negative);
  parity_upload (s, easel_tensor_rows (text, 1, 1), prompt);
  denoise = (SanaDenoise){ .transformer = model, .sampler = sampler, .text = text, .mask = mask, .h = z[2], .w = z[3],
                           .guidance = json_object_get_double_member (c->meta, "guidance"), .noise = noise,
                           .pag_scale = json_object_get_double_member (c->meta, "pag_scale"), .perturbed = perturbed,
                           .step_cb = step_cb, .user_data = &steps };
  if (!sana_denoise (&denoise, s, latents, NULL, error))
    return FALSE;
  if (steps.error)
    {
      g_propagate_error (error, steps.error);
      return FALSE;
    }
  return check_picture (c, s, "latents_final", latents, 5e-5, error);
}

const ParityFamily parity_sana[] = {
  { "dcae*", run_dcae },
  { "sana-*-tiny", run_transformer },
  { "sana-controlnet", run_controlnet },
  { "sana-pag", run_pag },
  { "resolution", run_resolution },
  { "e2e-sana*", run_whole },
  { "e2e-sprint*", run_whole },
  { NULL },
};
