/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Words to pixels, in numbered steps.
 */
#include "engine/sana/denoise.h"
#include "engine/sana/pipeline-private.h"
#include "engine/core/pixels.h"

#include <string.h>

#define MAX_TEXTS 8 /* encoded prompts kept */

static void
text_free (SanaText *text)
{
  g_free (text->key);
  g_free (text->embeds);
  g_free (text->mask);
  g_free (text);
}

static SanaText *
find_text (SanaPipeline *self, const char *key)
{
  for (GList *l = self->texts.head; l; l = l->next)
    if (!strcmp (((SanaText *) l->data)->key, key))
      {
        g_queue_unlink (&self->texts, l);
        g_queue_push_head_link (&self->texts, l);
        return l->data;
      }
  return NULL;
}

/* Runs the text encoder; the result is kept on the host. On a dry stream nothing is kept. */
static gboolean
encode (SanaPipeline *self, SanaParts *parts, EaselStream *s, const EaselSanaTokens *tokens, const char *key,
        EaselJob *job, GError **error)
{
  const size_t mark = easel_stream_mark (s);
  g_autofree guint8 *mask = g_malloc0 (tokens->n_selected);
  EaselTensor embeds;
  SanaText *text;
  gsize row;

  if (!sana_parts_load_encoder (self, parts, error))
    return FALSE;
  easel_stream_set_act (s, parts->encoder_act);
  if (!easel_sana_encode_prompt (parts->encoder, s, tokens, &embeds, mask, job, error))
    return FALSE;
  row = easel_tensor_bytes (&embeds) / tokens->n_selected;
  if (!easel_stream_is_dry (s))
    {
      text = g_new0 (SanaText, 1);
      text->key = g_strdup (key);
      for (int i = 0; i < tokens->n_selected; i++)
        if (mask[i])
          text->n_text = i + 1;
      text->mask = g_memdup2 (mask, tokens->n_selected);
      text->embeds = g_malloc (MAX (text->n_text, 1) * row);
      if (text->n_text > 0)
        {
          const gint64 hidden = embeds.shape[embeds.n_dims - 1];

          embeds = easel_tensor_as (embeds, tokens->n_selected, hidden);
          easel_download (s, text->embeds, easel_tensor_rows (embeds, 0, text->n_text));
        }
      if (!easel_stream_check (s, "Reading the prompt", error))
        {
          text_free (text);
          return FALSE;
        }
      g_queue_push_head (&self->texts, text);
      self->encodings++;
      while (self->texts.length > MAX_TEXTS)
        text_free (g_queue_pop_tail (&self->texts));
    }
  easel_stream_release (s, mark);
  return TRUE;
}

/* Rows [i] of the batch from a kept text. Padding is masked: its numbers do not matter, but they are numbers. */
static void
fill_text (SanaText *text, gsize row, int i, int n_text, guint8 *host, guint8 *mask)
{
  const int n = MIN (text->n_text, n_text);

  memcpy (host + (gsize) i * n_text * row, text->embeds, n * row);
  memcpy (mask + (gsize) i * n_text, text->mask, n);
}

/* [n, n_text, hidden] act from the arena and its mask, negative prompt first. stored: of the kept texts. */
static gboolean
batch_texts (SanaPipeline *self, EaselStream *s, const SanaRecipe *r, EaselDtype stored, int hidden, EaselTensor *out,
             guint8 *mask, GError **error)
{
  const int n = r->guided ? 2 : 1;
  const gsize row = hidden * easel_dtype_size (stored), bytes = (gsize) n * r->n_text * row;
  g_autofree guint8 *host = NULL;
  EaselTensor read;
  size_t mark;

  *out = easel_new (s, s->act_dtype, n, r->n_text, hidden);
  mark = easel_stream_mark (s);
  read = stored == s->act_dtype ? *out : easel_new (s, stored, n, r->n_text, hidden);
  if (easel_stream_is_dry (s))
    {
      easel_stream_release (s, mark);
      return TRUE;
    }
  if (!(host = g_try_malloc0 (bytes)))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for the text");
      return FALSE;
    }
  if (r->guided)
    fill_text (find_text (self, r->negative_key), row, 0, r->n_text, host, mask);
  fill_text (find_text (self, r->prompt_key), row, n - 1, r->n_text, host, mask);
  easel_upload (s, read, host);
  if (read.data != out->data)
    easel_cast (s, .x = read, .y = *out);
  easel_stream_release (s, mark);
  return easel_stream_check (s, "Reading the prompt", error);
}

typedef struct
{
  SanaPipeline *self;
  EaselJob *job;
  float *host; /* [h, w, C] */
  int w, h;
  float scale; /* from the sampler's scale to the latents' */
} Preview;

static void
preview_cb (int evaluation G_GNUC_UNUSED, EaselStream *s, EaselTensor x G_GNUC_UNUSED, EaselTensor clean, gpointer data)
{
  Preview *p = data;
  EaselPicture *picture;

  if (!easel_job_wants_preview (p->job))
    return;
  easel_download (s, p->host, clean);
  for (gsize i = 0, n = (gsize) p->w * p->h * p->self->config.in_channels; p->scale != 1 && i < n; i++)
    p->host[i] *= p->scale;
  if (easel_stream_ok (s) && (picture = easel_habits_preview (&p->self->habits, p->host, p->w, p->h, 1)))
    easel_job_report_preview (p->job, picture);
}

/* Pixels of the model's size on the device -> u8 of the result's size on the host. */
static gboolean
finish_pixels (EaselStream *s, const SanaRecipe *r, EaselTensor image, guint8 *pixels, GError **error)
{
  const int width = r->settings->width, height = r->settings->height;
  const gsize n = (gsize) width * height * 3;
  g_autofree float *whole = g_try_malloc_n ((gsize) r->width * r->height * 3, sizeof (float));
  g_autofree float *cut = NULL;
  float *result = whole;

  if (whole && (width != r->width || height != r->height))
    {
      cut = g_try_malloc_n (n, sizeof (float));
      result = cut;
    }
  if (!result)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for a picture of %d x %d", width,
                   height);
      return FALSE;
    }
  easel_download (s, whole, image);
  if (!easel_stream_check (s, "Decoding", error))
    return FALSE;
  if (cut)
    easel_pixels_cover (whole, r->width, r->height, 3, cut, width, height);
  if (easel_pixels_to_u8 (result, n, pixels))
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED,
               "The model's numbers grew out of range and gave no picture; its weights may be damaged or made for "
               "another precision");
  return FALSE;
}

/* What the recipe's words need: kept from an earlier job, or encoded now. */
static gboolean
prepare_texts (SanaPipeline *self, SanaParts *parts, EaselStream *s, const SanaRecipe *r, EaselJob *job, GError **error)
{
  const gboolean dry = easel_stream_is_dry (s);
  const gboolean negative = r->guided && (dry || !find_text (self, r->negative_key));
  const gboolean prompt = dry || !find_text (self, r->prompt_key);

  if (r->exclusive && (negative || prompt) && !dry && !parts->encoder)
    sana_parts_drop_models (parts);
  if ((negative && !encode (self, parts, s, r->negative, r->negative_key, job, error))
      || (prompt && !encode (self, parts, s, r->prompt, r->prompt_key, job, error)))
    return FALSE;
  if (r->exclusive && !dry)
    sana_parts_drop_encoder (parts);
  else if (parts->encoder_weights && parts->device->maps_weights)
    easel_weights_drop_pages (parts->encoder_weights);
  return TRUE;
}

gboolean
sana_generate (SanaPipeline *self, SanaParts *parts, EaselStream *s, const SanaRecipe *r, EaselJob *job,
               SanaResult *result, GError **error)
{
  const gboolean dry = easel_stream_is_dry (s);
  const int h = r->height / self->factor, w = r->width / self->factor, C = self->config.in_channels;
  g_autofree guint8 *mask = g_malloc0 (2 * (gsize) r->n_text);
  g_autofree float *preview_host = NULL;
  g_autoptr (EaselRng) rng = NULL;
  Preview preview = { self, job, NULL, w, h, (float) (1 / easel_sampler_data_sigma (r->sampler)) };
  SanaDenoise denoise = { 0 };
  EaselTensor text, latents, image;
  double flops = s->flops;
  size_t mark;

  /* 1. Text: tokens (already in the recipe) -> embeddings, kept on the host for the next job with the same words. The
   *    encoder runs over real tokens only, and makes room afterwards. */
  easel_job_report_phase (job, EASEL_PHASE_ENCODING_TEXT);
  if (!prepare_texts (self, parts, s, r, job, error))
    return FALSE;
  result->encode_flops = s->flops - flops;

  /* 2. What outlives the loop: latents [1, h, w, C] f32, text [n, n_text, hidden]. n is 2 with guidance. The models are
   *    opened only now: on a card with little memory the text encoder has just made room for them. */
  easel_job_report_phase (job, EASEL_PHASE_DENOISING);
  if (!sana_parts_load_transformer (self, parts, error) || !sana_parts_load_vae (self, parts, error))
    return FALSE;
  latents = easel_new (s, EASEL_DTYPE_F32, 1, h, w, C);
  mark = easel_stream_mark (s);
  easel_stream_set_act (s, parts->transformer_act);
  if (!batch_texts (self, s, r, parts->encoder_act, self->config.caption_channels, &text, mask, error))
    return FALSE;

  /* 3. Denoise: noise from the seed, then the sampler's from the same generator. */
  denoise = (SanaDenoise){ .transformer = parts->transformer, .sampler = r->sampler, .text = text, .mask = mask, .h = h,
                           .w = w, .guidance = r->settings->guidance, .trigflow = self->sprint,
                           .streamed = !dry && self->blocks_streamed > 0,
                           .stop_after = dry ? 0 : r->settings->stop_after, .stopped_after = &result->stopped_after };
  if (!dry)
    denoise.rng = rng = easel_rng_new (g_strcmp0 (r->settings->noise, "cuda") == 0 ? EASEL_RNG_CUDA : EASEL_RNG_CPU,
                                       (guint64) r->settings->seed);
  if (job)
    {
      preview.host = preview_host = g_new (float, (gsize) h *w *C);
      denoise.clean_cb = preview_cb;
      denoise.user_data = &preview;
    }
  flops = s->flops;
  if (!sana_denoise (&denoise, s, latents, job, error))
    return FALSE;
  easel_stream_release (s, mark);
  result->denoise_flops = s->flops - flops;

  /* 4. Decode: latents / scaling factor -> image [1, H, W, 3] f32 in [-1, 1]. */
  easel_job_report_phase (job, EASEL_PHASE_DECODING);
  flops = s->flops;
  easel_lincomb (s, .n_terms = 1, .x = { latents }, .c = { (float) (1 / self->scaling) }, .y = latents);
  easel_stream_set_act (s, parts->vae_act);
  image = easel_new (s, EASEL_DTYPE_F32, 1, r->height, r->width, 3);
  if (!easel_dcae_decode (parts->vae, s, latents, &r->tiling, image, job, error))
    return FALSE;

  result->decode_flops = s->flops - flops;

  /* 5. Pixels of the size that was asked for. */
  return dry || (finish_pixels (s, r, image, result->pixels, error) && easel_job_check (job, error));
}
