/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parity of the cogvideox room: the transformers, the autoencoder, and whole runs. Clips of the cases are
 * [B, F, C, H, W] (latents) or [B, C, F, H, W] (videos), ours are [B, F, H, W, C].
 */
#include "engine/cogvideox/denoise.h"
#include "engine/cogvideox/vae.h"
#include "engine/text/t5.h"
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

typedef enum
{
  FRAMES_FIRST,   /* [B, F, C, H, W] */
  CHANNELS_FIRST, /* [B, C, F, H, W] */
} Order;

/* A clip of the case [B, F, H, W, C]; in: from the case's order to ours, else back. The caller frees. */
static float *
permute (const float *in, const gint64 *d, Order order, gboolean to_ours)
{
  const gint64 B = d[0], F = d[1], P = d[2] * d[3], C = d[4];
  float *out = g_new (float, B *F *P *C);

  for (gint64 b = 0; b < B; b++)
    for (gint64 f = 0; f < F; f++)
      for (gint64 p = 0; p < P; p++)
        for (gint64 c = 0; c < C; c++)
          {
            const gint64 ours = ((b * F + f) * P + p) * C + c;
            const gint64 theirs = (order == FRAMES_FIRST ? (b * F + f) * C + c : (b * C + c) * F + f) * P + p;

            out[to_ours ? ours : theirs] = in[to_ours ? theirs : ours];
          }
  return out;
}

/* A clip of the case on the device, [B, F, H, W, C] f32. */
static gboolean
load_clip (ParityCase *c, EaselStream *s, const char *name, Order order, EaselTensor *out, GError **error)
{
  g_autofree float *host = parity_floats (c, name, NULL, error), *ours = NULL;
  gint64 d[5];
  EaselTensor t;

  if (!host || !easel_safetensors_find (c->tensors, name, &t) || t.n_dims != 5)
    return FALSE;
  d[0] = t.shape[0];
  d[1] = order == FRAMES_FIRST ? t.shape[1] : t.shape[2];
  d[2] = t.shape[3];
  d[3] = t.shape[4];
  d[4] = order == FRAMES_FIRST ? t.shape[2] : t.shape[1];
  ours = permute (host, d, order, TRUE);
  *out = easel_new (s, EASEL_DTYPE_F32, d[0], d[1], d[2], d[3], d[4]);
  easel_upload (s, *out, ours);
  return easel_stream_check (s, "Loading", error);
}

static gboolean
check_clip (ParityCase *c, EaselStream *s, const char *name, EaselTensor got, Order order, double bound, GError **error)
{
  const gint64 n = easel_tensor_count (&got);
  g_autofree float *host = g_new (float, n), *theirs = NULL;

  parity_download (s, host, got);
  if (!easel_stream_check (s, name, error))
    return FALSE;
  theirs = permute (host, got.shape, order, FALSE);
  parity_check (c, name, theirs, n, bound);
  return TRUE;
}

/* A tensor of the case on the device, in its own shape. */
static gboolean
load (ParityCase *c, EaselStream *s, const char *name, EaselDtype dtype, EaselTensor *out, GError **error)
{
  g_autofree float *host = parity_floats (c, name, NULL, error);
  EaselTensor t;

  if (!host || !easel_safetensors_find (c->tensors, name, &t))
    return FALSE;
  *out = easel_stream_alloc (s, dtype, t.n_dims, t.shape);
  parity_upload (s, *out, host);
  return easel_stream_check (s, "Loading", error);
}

static EaselWeights *
open_model (ParityCase *c, const char *member, JsonObject **config, GError **error)
{
  g_autofree char *dir = parity_model_dir (c, member, error);
  g_autofree char *path = dir ? g_build_filename (dir, "config.json", NULL) : NULL;

  if (!dir || !(*config = easel_json_load (path, error)))
    return NULL;
  return parity_weights (c, dir, error);
}

static EaselCogTransformer *
open_transformer (ParityCase *c, const char *member, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = open_model (c, member, &config, error);

  return weights ? easel_cog_transformer_new (config, weights, c->device, error) : NULL;
}

/* ---------------------------------------------------------------------------------------------------- transformer */

static gboolean
forward (ParityCase *c, EaselStream *s, EaselCogTransformer *t, const char *x, const char *want, GError **error)
{
  const size_t mark = easel_stream_mark (s);
  g_autoptr (EaselCogContext) context = NULL;
  EaselCogStep step = { .ofs = 2 };
  EaselTensor text, out;
  gint64 batch;

  if (!load_clip (c, s, x, FRAMES_FIRST, &step.x, error) || !load (c, s, "text", s->act_dtype, &text, error)
      || !load (c, s, "timestep", EASEL_DTYPE_F32, &step.timestep, error))
    return FALSE;
  batch = step.x.shape[0];
  text = easel_tensor_rows (text, 0, batch);
  step.timestep = easel_tensor_rows (step.timestep, 0, batch);
  out = easel_new (s, EASEL_DTYPE_F32, batch, step.x.shape[1], step.x.shape[2], step.x.shape[3],
                   easel_cog_transformer_config (t)->out_channels);
  context = easel_cog_context_new (t, s, text, (int) step.x.shape[1], (int) step.x.shape[2], (int) step.x.shape[3],
                                   error);
  if (!context || !easel_cog_transformer_forward (t, s, context, &step, out, NULL, error)
      || !check_clip (c, s, want, out, FRAMES_FIRST, 2e-5, error))
    return FALSE;
  if (!strcmp (x, "x") && parity_has (c, "rope_cos"))
    {
      EaselTensor table[2] = { easel_cog_context_cos (context), easel_cog_context_sin (context) };
      const gint64 n = easel_tensor_count (&table[0]);
      g_autofree float *host = g_new0 (float, n);

      for (int i = 0; i < 2; i++)
        {
          easel_download (s, host, table[i]);
          parity_check (c, i == 0 ? "rope_cos" : "rope_sin", host, n, 2e-6);
        }
    }
  easel_stream_release (s, mark);
  return TRUE;
}

static gboolean
run_transformer (ParityCase *c, GError **error)
{
  g_autoptr (EaselStream) s = open_stream (c, error);
  g_autoptr (EaselCogTransformer) t = s ? open_transformer (c, "model", error) : NULL;

  return t && forward (c, s, t, "x", "out", error)
         && (!parity_has (c, "x_small") || forward (c, s, t, "x_small", "out_small", error));
}

/* ---------------------------------------------------------------------------------------------------- autoencoder */

static EaselCogVae *
open_vae (ParityCase *c, const char *member, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = open_model (c, member, &config, error);

  return weights ? easel_cog_vae_new (config, weights, c->device, error) : NULL;
}

/* A clip of the case on the host, [F, H, W, C]; d: [1, F, H, W, C]. */
static float *
host_clip (ParityCase *c, const char *name, gint64 *d, GError **error)
{
  g_autofree float *host = parity_floats (c, name, NULL, error);
  EaselTensor t;

  if (!host || !easel_safetensors_find (c->tensors, name, &t) || t.n_dims != 5)
    return NULL;
  d[0] = 1, d[1] = t.shape[2], d[2] = t.shape[3], d[3] = t.shape[4], d[4] = t.shape[1];
  return permute (host, d, CHANNELS_FIRST, TRUE);
}

static gboolean
decode (ParityCase *c, EaselStream *s, EaselCogVae *vae, const char *z_name, const char *want, gboolean tiled,
        GError **error)
{
  EaselCogTiling tiling = { 0 };
  gint64 d[5], out_d[5] = { 1 };
  g_autofree float *z = host_clip (c, z_name, d, error), *out = NULL, *theirs = NULL;
  int h, w;

  if (!z)
    return FALSE;
  if (tiled)
    easel_cog_vae_default_tiling (vae, &tiling);
  easel_cog_vae_size (vae, &tiling, (int) d[2], (int) d[3], &h, &w);
  out_d[1] = easel_cog_vae_frames (vae, (int) d[1]), out_d[2] = h, out_d[3] = w, out_d[4] = 3;
  out = g_new0 (float, out_d[1] * h * w * 3);
  if (!easel_cog_vae_decode (vae, s, z, (int) d[1], (int) d[2], (int) d[3], &tiling, out, NULL, error))
    return FALSE;
  theirs = permute (out, out_d, CHANNELS_FIRST, FALSE);
  parity_check (c, want, theirs, out_d[1] * h * w * 3, 2e-5);
  return TRUE;
}

/* Means, and logarithms of variances, of the first `frames` of the case's video. */
static gboolean
encode (ParityCase *c, EaselStream *s, EaselCogVae *vae, int frames, const char *mean, const char *logvar,
        GError **error)
{
  const int f = easel_cog_vae_factor (vae), Z = easel_cog_vae_config (vae)->latent_channels;
  const char *wanted[2] = { mean, logvar };
  gint64 d[5];
  g_autofree float *clip = host_clip (c, "video", d, error), *moments = NULL;
  gsize pixels;

  if (!clip)
    return FALSE;
  frames = frames ? frames : (int) d[1];
  gint64 z_d[5] = { 1, easel_cog_vae_latent_frames (vae, frames), d[2] / f, d[3] / f, Z };
  pixels = z_d[1] * z_d[2] * z_d[3];
  moments = g_new0 (float, pixels * 2 * Z);
  if (!easel_cog_vae_encode (vae, s, clip, frames, (int) d[2], (int) d[3], NULL, moments, NULL, error))
    return FALSE;
  for (int i = 0; i < 2 && wanted[i]; i++)
    {
      g_autofree float *half = g_new (float, pixels * Z), *theirs = NULL;

      for (gsize p = 0; p < pixels; p++)
        memcpy (half + p * Z, moments + (2 * p + i) * Z, Z * sizeof (float));
      theirs = permute (half, z_d, CHANNELS_FIRST, FALSE);
      parity_check (c, wanted[i], theirs, pixels * Z, 2e-5);
    }
  return TRUE;
}

static gboolean
run_vae (ParityCase *c, GError **error)
{
  g_autoptr (EaselStream) s = open_stream (c, error);
  g_autoptr (EaselCogVae) vae = s ? open_vae (c, "model", error) : NULL;

  return vae && decode (c, s, vae, "z.1", "decoded.1", FALSE, error)
         && decode (c, s, vae, "z.3", "decoded.3", FALSE, error) && decode (c, s, vae, "z.5", "decoded.5", FALSE, error)
         && encode (c, s, vae, 0, "encoded.mean", "encoded.logvar", error)
         && encode (c, s, vae, 1, "image.mean", NULL, error)
         && (!parity_has (c, "tiled.z") || decode (c, s, vae, "tiled.z", "tiled.decoded", TRUE, error));
}

/* ----------------------------------------------------------------------------------------------------- whole runs */

/* The reference wrote the scheduler's fields without its class: the name of the case says which it was. */
static EaselSampler *
make_sampler (ParityCase *c, GError **error)
{
  JsonObject *config = json_object_get_object_member (c->meta, "scheduler");
  const int steps = json_object_get_int_member (c->meta, "steps");

  if (!json_object_has_member (config, "_class_name"))
    json_object_set_string_member (config, "_class_name",
                                   strstr (c->name, "dpm") ? "CogVideoXDPMScheduler" : "CogVideoXDDIMScheduler");
  return easel_sampler_new (NULL, config, steps, error);
}

typedef struct
{
  ParityCase *c;
  GError *error;
} Steps;

static EaselTensor
as_batch (EaselTensor clip)
{
  return easel_tensor_as (clip, 1, clip.shape[0], clip.shape[1], clip.shape[2], clip.shape[3]);
}

static void
step_cb (int evaluation, EaselStream *s, EaselTensor x, EaselTensor clean G_GNUC_UNUSED, gpointer data)
{
  Steps *steps = data;
  g_autofree char *name = g_strdup_printf ("latents.%d", evaluation + 1);

  if (!steps->error)
    check_clip (steps->c, s, name, as_batch (x), FRAMES_FIRST, 1e-4, &steps->error);
}

static gboolean
encode_ids (ParityCase *c, EaselStream *s, EaselT5 *encoder, const char *ids_name, const char *embeds_name,
            EaselTensor row, GError **error)
{
  gint64 n = 0, count = easel_tensor_count (&row);
  g_autofree gint64 *ids = parity_ints (c, ids_name, &n, error);
  g_autofree gint32 *ids32 = g_new (gint32, n + 1);
  g_autofree float *host = g_new (float, count);
  const size_t mark = easel_stream_mark (s);
  EaselTensor embeds;

  for (gint64 i = 0; ids && i < n; i++)
    ids32[i] = (gint32) ids[i];
  if (!ids || !easel_t5_encode (encoder, s, 1, (int) n, ids32, &embeds, NULL, error))
    return FALSE;
  parity_download (s, host, embeds);
  parity_upload (s, row, host);
  parity_check (c, embeds_name, host, count, 2e-5);
  easel_stream_release (s, mark);
  return easel_stream_check (s, "Reading the prompt", error);
}

static EaselT5 *
open_encoder (ParityCase *c, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = open_model (c, "text_encoder", &config, error);

  return weights ? easel_t5_new (config, weights, c->device, error) : NULL;
}

static gboolean
decode_run (ParityCase *c, EaselStream *s, EaselTensor latents, GError **error)
{
  g_autoptr (EaselCogVae) vae = open_vae (c, "vae", error);
  const gint64 n = easel_tensor_count (&latents);
  g_autofree float *z = g_new (float, n), *out = NULL, *theirs = NULL;
  gint64 d[5] = { 1 };

  if (!vae)
    return FALSE;
  easel_lincomb (s, .n_terms = 1, .x = { latents },
                 .c = { (float) (1 / easel_cog_vae_config (vae)->scaling_factor) }, .y = latents);
  easel_download (s, z, latents);
  d[1] = easel_cog_vae_frames (vae, (int) latents.shape[0]);
  d[2] = latents.shape[1] * easel_cog_vae_factor (vae);
  d[3] = latents.shape[2] * easel_cog_vae_factor (vae);
  d[4] = 3;
  out = g_new (float, d[1] * d[2] * d[3] * 3);
  if (!easel_cog_vae_decode (vae, s, z, (int) latents.shape[0], (int) latents.shape[1], (int) latents.shape[2], NULL,
                             out, NULL, error))
    return FALSE;
  theirs = permute (out, d, CHANNELS_FIRST, FALSE);
  parity_check (c, "video", theirs, d[1] * d[2] * d[3] * 3, 2e-4);
  return TRUE;
}

static gboolean
run_whole (ParityCase *c, GError **error)
{
  const int frames = (json_object_get_int_member (c->meta, "num_frames") - 1) / 4 + 1;
  const int h = json_object_get_int_member (c->meta, "height") / 8;
  const int w = json_object_get_int_member (c->meta, "width") / 8;
  g_autoptr (EaselCogTransformer) model = open_transformer (c, "transformer", error);
  g_autoptr (EaselT5) encoder = model ? open_encoder (c, error) : NULL;
  g_autoptr (EaselSampler) sampler = encoder ? make_sampler (c, error) : NULL;
  g_autoptr (EaselStream) s = sampler ? open_stream (c, error) : NULL;
  g_autoptr (EaselRng) rng = NULL, start = NULL;
  g_autofree float *noise = NULL;
  Steps steps = { c, NULL };
  EaselTensor text, latents;
  CogDenoise denoise;
  gint64 n;

  if (!s)
    return FALSE;
  text = easel_new (s, s->act_dtype, 2, easel_cog_transformer_config (model)->max_text,
                    easel_t5_hidden_size (encoder));
  latents = easel_new (s, EASEL_DTYPE_F32, frames, h, w, easel_cog_transformer_config (model)->out_channels);
  if (!encode_ids (c, s, encoder, "neg_ids", "neg_embeds", easel_tensor_rows (text, 0, 1), error)
      || !encode_ids (c, s, encoder, "ids", "prompt_embeds", easel_tensor_rows (text, 1, 1), error))
    return FALSE;
  n = easel_tensor_count (&latents);
  noise = g_new (float, n);
  start = easel_rng_new (EASEL_RNG_CPU, json_object_get_int_member (c->meta, "noise_seed"));
  easel_rng_randn (start, noise, n, EASEL_DTYPE_F32);
  parity_check_absolute (c, "latents0", noise, n, 1e-6);
  rng = easel_rng_new (EASEL_RNG_CPU, json_object_get_int_member (c->meta, "sampler_noise_seed"));
  denoise = (CogDenoise){ .transformer = model, .sampler = sampler, .text = text, .frames = frames, .h = h, .w = w,
                          .guidance = json_object_get_double_member (c->meta, "guidance"),
                          .dynamic = json_object_get_boolean_member (c->meta, "dynamic_cfg"), .rng = rng,
                          .noise = noise, .step_cb = step_cb, .user_data = &steps };
  if (!cog_denoise (&denoise, s, latents, NULL, error))
    return FALSE;
  if (steps.error)
    {
      g_propagate_error (error, steps.error);
      return FALSE;
    }
  return check_clip (c, s, "latents_final", as_batch (latents), FRAMES_FIRST, 1e-4, error)
         && decode_run (c, s, latents, error);
}

const ParityFamily parity_cogvideox[] = {
  { "e2e-cog*", run_whole },
  { "cogvae*", run_vae },
  { "cog-*", run_transformer },
  { NULL },
};
