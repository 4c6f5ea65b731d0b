/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Words, a picture or a clip to a clip, in numbered steps: CogVideoXPipeline, CogVideoXImageToVideoPipeline and
 * CogVideoXVideoToVideoPipeline differ in step 3 alone.
 */
#include "engine/cogvideox/pipeline-private.h"
#include "engine/core/pixels.h"

#include <math.h>
#include <string.h>

#define OFS 2.0 /* what CogVideoX 1.5's image-to-video is always told */

static gboolean
no_memory (const CogRecipe *r, GError **error)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for a clip of %d frames of %d × %d pixels",
               r->settings->frames, r->settings->width, r->settings->height);
  return FALSE;
}

/* The embeddings of both prompts, kept on the host until other prompts come. On a dry stream nothing is kept. */
static gboolean
encode_text (CogPipeline *self, CogParts *parts, EaselStream *s, const CogRecipe *r, EaselJob *job, GError **error)
{
  const size_t mark = easel_stream_mark (s);
  const gboolean dry = easel_stream_is_dry (s);
  EaselTensor text;

  if (!dry && g_strcmp0 (self->text_key, r->text_key) == 0)
    return TRUE;
  if (!dry && r->exclusive && !parts->encoder)
    cog_parts_drop_models (parts);
  if (!cog_parts_load_encoder (self, parts, error))
    return FALSE;
  easel_stream_set_act (s, parts->encoder_act);
  if (!easel_t5_encode (parts->encoder, s, r->guided ? 2 : 1, r->settings->max_tokens, r->ids, &text, job, error))
    return FALSE;
  if (!dry)
    {
      void *host = g_try_malloc (easel_tensor_bytes (&text));

      if (!host)
        return no_memory (r, error);
      easel_download (s, host, text);
      if (!easel_stream_check (s, "Reading the prompt", error))
        {
          g_free (host);
          return FALSE;
        }
      g_free (self->text);
      g_free (self->text_key);
      self->text = host;
      self->text_key = g_strdup (r->text_key);
      if (parts->device->maps_weights)
        easel_weights_drop_pages (parts->encoder_weights);
    }
  easel_stream_release (s, mark);
  return TRUE;
}

/* A sample of what the encoder says: mean + deviation * randn, which torch draws as [C, F, h, w]; times `scale`.
 * moments [frames, pixels, 2 C] -> out [frames, pixels, C]. */
static void
draw_latents (EaselRng *rng, const float *moments, int frames, gsize pixels, int C, double scale, float *noise,
              float *out)
{
  easel_rng_randn (rng, noise, (gsize) frames * pixels * C, EASEL_DTYPE_F32);
  for (int f = 0; f < frames; f++)
    for (gsize p = 0; p < pixels; p++)
      for (int c = 0; c < C; c++)
        {
          const float *m = moments + ((gsize) f * pixels + p) * 2 * C + c;
          const float deviation = expf (0.5f * m[C]);

          out[((gsize) f * pixels + p) * C + c]
              = (m[0] + deviation * noise[((gsize) c * frames + f) * pixels + p]) * (float) scale;
        }
}

/* The input as latents [frames, h, w, C] in the model's scale, zeros after those of a picture; g_free. On a dry stream
 * only the work is measured and *out stays NULL. */
static gboolean
encode_input (CogPipeline *self, CogParts *parts, EaselStream *s, const CogRecipe *r, const float *input, EaselRng *rng,
              EaselJob *job, float **out, GError **error)
{
  const EaselRequestSettings *st = r->settings;
  const int n = cog_input_frames (r), C = self->vae_config.latent_channels;
  const gsize pixels = (gsize) r->h * r->w;
  const int frames = easel_cog_vae_latent_frames (parts->vae, n);
  const gboolean invert = r->kind == COG_FROM_PICTURE && self->vae_config.invert_scale;
  const double scale = invert ? 1 / self->vae_config.scaling_factor : self->vae_config.scaling_factor;
  g_autofree float *moments = NULL, *noise = NULL, *latents = NULL;

  if (!easel_stream_is_dry (s))
    {
      moments = g_try_malloc_n (frames * pixels * 2 * C, sizeof (float));
      noise = g_try_malloc_n (frames * pixels * C, sizeof (float));
      latents = g_try_malloc0_n (r->frames * pixels * C, sizeof (float));
      if (!moments || !noise || !latents || frames > r->frames)
        return no_memory (r, error);
    }
  if (!easel_cog_vae_encode (parts->vae, s, input, n, st->height, st->width, &r->tiling, moments, job, error))
    return FALSE;
  if (latents)
    draw_latents (rng, moments, frames, pixels, C, scale, noise, latents);
  *out = g_steal_pointer (&latents);
  return TRUE;
}

/* ------------------------------------------------------------------------------------------- preview and checkpoint */

typedef struct
{
  CogPipeline *self;
  const CogRecipe *recipe;
  EaselJob *job;
  float *host; /* [frames, h, w, C] */
} Watcher;

/* The clip as it looks now, moving, at the size of the latents. */
static void
preview_cb (int evaluation G_GNUC_UNUSED, EaselStream *s, EaselTensor x G_GNUC_UNUSED, EaselTensor clean, gpointer data)
{
  Watcher *w = data;
  EaselPicture *clip;

  if (!w->host || !easel_job_wants_preview (w->job))
    return;
  easel_download (s, w->host, clean);
  clip = easel_stream_ok (s) ? easel_habits_preview (&w->self->habits, w->host, w->recipe->w, w->recipe->h,
                                                     w->recipe->frames)
                             : NULL;
  if (!clip)
    return;
  clip->fps = w->recipe->settings->fps / w->self->vae_config.temporal_ratio;
  easel_job_report_preview (w->job, clip);
}

static void
keep_cb (const CogState *state, gpointer data)
{
  Watcher *w = data;

  cog_checkpoint_write (easel_job_get_checkpoint (w->job, NULL), w->recipe, state, w->self->config.out_channels);
}

/* Latents / scaling factor -> frames of u8 in the clip. */
static gboolean
decode (CogPipeline *self, CogParts *parts, EaselStream *s, const CogRecipe *r, const float *z, EaselPicture *clip,
        EaselJob *job, GError **error)
{
  const EaselRequestSettings *st = r->settings;
  const gsize skip = (gsize) r->extra * r->h * r->w * self->vae_config.latent_channels;
  const gsize count = (gsize) st->frames * st->width * st->height * 3;
  const gboolean dry = easel_stream_is_dry (s);
  g_autofree float *video = dry ? NULL : g_try_malloc_n (count, sizeof (float));

  if (!dry && !video)
    return no_memory (r, error);
  if (!easel_cog_vae_decode (parts->vae, s, z ? z + skip : NULL, r->frames - r->extra, r->h, r->w, &r->tiling, video,
                             job, error))
    return FALSE;
  if (dry || easel_pixels_to_u8 (video, count, clip->rgb))
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED,
               "The model's numbers grew out of range and gave no clip; its weights may be damaged or made for another "
               "precision");
  return FALSE;
}

/* The kept embeddings, in what the transformer computes in. */
static EaselTensor
upload_text (EaselStream *s, const void *host, EaselDtype stored, gint64 n, gint64 n_text, gint64 dim)
{
  EaselTensor text = easel_new (s, s->act_dtype, n, n_text, dim), read = text;
  const size_t mark = easel_stream_mark (s);

  if (stored != s->act_dtype)
    read = easel_new (s, stored, n, n_text, dim);
  easel_upload (s, read, host);
  if (read.data != text.data)
    easel_cast (s, .x = read, .y = text);
  easel_stream_release (s, mark);
  return text;
}

gboolean
cog_generate (CogPipeline *self, CogParts *parts, EaselStream *s, const CogRecipe *r, const float *input, EaselJob *job,
              CogResult *result, GError **error)
{
  const gboolean dry = easel_stream_is_dry (s);
  const EaselRequestSettings *st = r->settings;
  const int C = self->config.out_channels, n_text = st->max_tokens;
  const gsize count = (gsize) r->frames * r->h * r->w * C;
  const char *checkpoint = easel_job_get_checkpoint (job, NULL);
  g_autofree float *beginning = NULL, *host = dry ? NULL : g_try_malloc_n (count, sizeof (float));
  g_autoptr (EaselRng) rng = NULL;
  g_auto (CogState) state = { 0 };
  Watcher watcher = { self, r, job, host };
  EaselTensor text, latents;
  CogDenoise denoise;
  double flops = s->flops;
  size_t mark;

  if (!dry && !host)
    return no_memory (r, error);

  /* 1. Text: tokens (already in the recipe) -> embeddings [n, n_text, text_dim], kept on the host. n is 2 with
   *    guidance, the negative prompt first. The encoder's pages are given back. */
  easel_job_report_phase (job, EASEL_PHASE_ENCODING_TEXT);
  if (!encode_text (self, parts, s, r, job, error))
    return FALSE;
  if (!dry && r->exclusive)
    cog_parts_drop_encoder (parts);
  result->encode_flops = s->flops - flops;

  /* 2. The models, and the generator of all noise. */
  easel_job_report_phase (job, EASEL_PHASE_LOADING);
  if (!cog_parts_load_transformer (self, parts, error) || !cog_parts_load_vae (self, parts, error))
    return FALSE;
  if (!dry)
    rng = easel_rng_new (g_strcmp0 (st->noise, "cuda") == 0 ? EASEL_RNG_CUDA : EASEL_RNG_CPU, (guint64) st->seed);

  /* 3. The input -> latents: a picture stands beside the noise in every step, a clip is where the steps begin. */
  flops = s->flops;
  easel_stream_set_act (s, parts->vae_act);
  if (r->kind != COG_FROM_TEXT && !encode_input (self, parts, s, r, input, rng, job, &beginning, error))
    return FALSE;
  result->encode_flops += s->flops - flops;

  /* 4. Denoise: latents [frames, h, w, C] f32; from where an interrupted job of the same request was. */
  easel_job_report_phase (job, EASEL_PHASE_DENOISING);
  latents = easel_new (s, EASEL_DTYPE_F32, r->frames, r->h, r->w, C);
  mark = easel_stream_mark (s);
  easel_stream_set_act (s, parts->transformer_act);
  text = upload_text (s, self->text, parts->encoder_act, r->guided ? 2 : 1, n_text, self->config.text_dim);
  denoise = (CogDenoise){ .transformer = parts->transformer, .sampler = r->sampler, .text = text, .frames = r->frames,
                          .h = r->h, .w = r->w, .guidance = st->guidance, .dynamic = st->dynamic_guidance, .ofs = OFS,
                          .rng = rng, .start = r->kind == COG_FROM_CLIP ? beginning : NULL,
                          .picture = r->kind == COG_FROM_PICTURE ? beginning : NULL,
                          .stop_after = dry ? 0 : st->stop_after, .stopped_after = &result->stopped_after,
                          .reuse = st->reuse, .reused = &result->reused,
                          .clean_cb = job ? preview_cb : NULL, .user_data = &watcher };
  if (checkpoint && !dry)
    {
      easel_job_get_checkpoint (job, &denoise.keep_every);
      denoise.keep_cb = keep_cb;
      denoise.resume = cog_checkpoint_read (checkpoint, r, C, &state) ? &state : NULL;
    }
  flops = s->flops;
  if (!cog_denoise (&denoise, s, latents, job, error))
    return FALSE;
  easel_stream_release (s, mark);
  result->denoise_flops = s->flops - flops;

  /* 5. Decode: latents / scaling factor -> frames, without those that only filled patches. */
  easel_job_report_phase (job, EASEL_PHASE_DECODING);
  flops = s->flops;
  easel_stream_set_act (s, parts->vae_act);
  easel_lincomb (s, .n_terms = 1, .x = { latents }, .c = { (float) (1 / self->vae_config.scaling_factor) },
                 .y = latents);
  if (!dry)
    easel_download (s, host, latents);
  if (!easel_stream_check (s, "Decoding", error) || !decode (self, parts, s, r, host, result->clip, job, error))
    return FALSE;
  result->decode_flops = s->flops - flops;
  return TRUE;
}
