/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The three pipeline classes: opening a folder, making a request ready, running it.
 */
#include "engine/cogvideox/pipeline-private.h"
#include "engine/core/plans.h"
#include "engine/media/image-file.h"
#include "engine/media/video-file.h"
#include "engine/core/pixels.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------------ opening */

static void
pipeline_free (EaselPipeline *base)
{
  CogPipeline *self = (CogPipeline *) base;

  if (!self)
    return;
  cog_parts_clear (&self->real);
  cog_parts_clear (&self->dry);
  easel_device_close (&self->dry.device);
  easel_habits_clear (&self->habits);
  g_clear_pointer (&self->tokenizer, easel_tokenizer_free);
  g_clear_pointer (&self->folder, easel_model_folder_free);
  g_free (self->precision);
  g_free (self->text_key);
  g_free (self->text);
  g_free (self);
}

static gboolean
check_class (EaselModelFolder *folder, const char *component, const char *wanted, GError **error)
{
  const char *got = easel_model_folder_class (folder, component);

  if (got && !strcmp (got, wanted))
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s: the %s is %s%s; this pipeline needs %s",
               easel_model_folder_name (folder), component, got ? "of class " : "", got ? got : "missing", wanted);
  return FALSE;
}

/* What resolve and plan need of the models, and that they belong together. The dry copies read headers only. */
static gboolean
read_models (CogPipeline *self, GError **error)
{
  const EaselCogConfig *c = &self->config;
  const EaselCogVaeConfig *v = &self->vae_config;
  const int beside = self->kind == COG_FROM_PICTURE ? 2 : 1;

  if (easel_dry_device_open (self->device->act_dtype, &self->dry.device) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to open the model");
      return FALSE;
    }
  if (!cog_parts_load_transformer (self, &self->dry, error) || !cog_parts_load_vae (self, &self->dry, error))
    return FALSE;
  self->config = *easel_cog_transformer_config (self->dry.transformer);
  self->vae_config = *easel_cog_vae_config (self->dry.vae);
  self->factor = easel_cog_vae_factor (self->dry.vae);
  if (c->out_channels != v->latent_channels || c->in_channels != beside * v->latent_channels)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                 "The transformer takes %d channels and gives %d, the autoencoder has %d: they are not those of a %s",
                 c->in_channels, c->out_channels, v->latent_channels, self->base.klass->pipeline_class);
  else if (v->in_channels != 3 || v->out_channels != 3)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 "vae/config.json: pictures of %d channels in and %d out are not supported", v->in_channels,
                 v->out_channels);
  else
    return TRUE;
  return FALSE;
}

static EaselPipeline *
pipeline_open (const EaselPipelineClass *klass, CogKind kind, EaselModelFolder *folder, EaselDevice *device,
               GError **error)
{
  CogPipeline *self = g_new0 (CogPipeline, 1);
  g_autofree char *tokenizer = easel_model_folder_dir (folder, "tokenizer");
  EaselHabits habits = { .steps = 50, .guidance = 6 };

  self->base.klass = klass;
  self->kind = kind;
  self->folder = folder;
  self->device = self->real.device = device;
  self->used_before = device->memory_used;
  if (check_class (folder, "transformer", "CogVideoXTransformer3DModel", error)
      && check_class (folder, "vae", "AutoencoderKLCogVideoX", error)
      && check_class (folder, "text_encoder", "T5EncoderModel", error)
      && (self->scheduler = easel_model_folder_config (folder, "scheduler", error)) && read_models (self, error)
      && (self->tokenizer = easel_tokenizer_open (tokenizer, EASEL_TOKENIZER_T5, error)))
    {
      habits.max_tokens = self->config.max_text;
      habits.fps = self->config.over_time ? 16 : 8;
      if (easel_habits_read (&self->habits, easel_model_folder_path (folder), self->config.out_channels, &habits,
                             error))
        return &self->base;
    }
  pipeline_free (&self->base);
  return NULL;
}

static EaselPipeline *
text_open (EaselModelFolder *folder, EaselDevice *device, GError **error)
{
  return pipeline_open (&easel_cogvideox_pipeline_class, COG_FROM_TEXT, folder, device, error);
}

static EaselPipeline *
picture_open (EaselModelFolder *folder, EaselDevice *device, GError **error)
{
  return pipeline_open (&easel_cogvideox_image_pipeline_class, COG_FROM_PICTURE, folder, device, error);
}

static EaselPipeline *
clip_open (EaselModelFolder *folder, EaselDevice *device, GError **error)
{
  return pipeline_open (&easel_cogvideox_video_pipeline_class, COG_FROM_CLIP, folder, device, error);
}

static EaselRequest *
pipeline_resolve (EaselPipeline *base, EaselRequest *request, GError **error)
{
  return cog_resolve ((CogPipeline *) base, request, error);
}

/* ------------------------------------------------------------------------------------------------------- recipe */

gboolean
cog_recipe_init (CogRecipe *r, CogPipeline *self, EaselRequest *resolved, GError **error)
{
  const EaselRequestSettings *s = easel_request_settings (resolved);
  const int n = s->max_tokens, t = self->config.patch_t;
  int first = 0, latents;

  r->settings = s;
  r->request = resolved;
  r->kind = self->kind == COG_FROM_TEXT && s->input ? COG_FROM_CLIP : self->kind;
  r->guided = s->guidance > 1;
  latents = (s->frames - 1) / self->vae_config.temporal_ratio + 1;
  r->extra = (t - latents % t) % t;
  r->frames = latents + r->extra;
  r->h = s->height / self->factor;
  r->w = s->width / self->factor;
  r->text_key = g_strdup_printf ("%d %d %s%c%s", n, r->guided, s->prompt, 1, r->guided ? s->negative : "");
  r->ids = g_new (gint32, 2 * (gsize) n);
  if ((r->guided && !easel_tokenizer_encode_fixed (self->tokenizer, s->negative, n, r->ids, NULL, NULL, error))
      || !easel_tokenizer_encode_fixed (self->tokenizer, s->prompt, n, r->ids + (r->guided ? n : 0), NULL, NULL, error))
    return FALSE;
  if (r->kind == COG_FROM_CLIP)
    first = s->steps - MIN ((int) (s->steps * s->strength), s->steps);
  r->sampler = easel_sampler_new_from (s->sampler, self->scheduler, s->steps, first, error);
  return r->sampler != NULL;
}

void
cog_recipe_clear (CogRecipe *self)
{
  g_clear_pointer (&self->text_key, g_free);
  g_clear_pointer (&self->ids, g_free);
  g_clear_pointer (&self->sampler, easel_sampler_free);
}

int
cog_input_frames (const CogRecipe *recipe)
{
  return recipe->kind == COG_FROM_CLIP ? recipe->settings->frames : 1;
}

/* Of a clip shorter than the request the model would have to invent the rest: refused. */
float *
cog_input_read (const CogRecipe *r, GError **error)
{
  const EaselRequestSettings *s = r->settings;
  const int n = cog_input_frames (r);
  g_autoptr (EaselPicture) input
      = n > 1 ? easel_video_read (s->input, n, error) : easel_image_read (s->input, error);
  const gsize out_size = (gsize) s->width * s->height * 3;
  const gsize in_size = input ? (gsize) input->width * input->height * 3 : 0;
  g_autofree float *frame = NULL, *out = NULL;

  if (!input)
    return NULL;
  if (input->n_frames < n)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s has %d frames and %d are asked for", s->input,
                   input->n_frames, n);
      return NULL;
    }
  frame = g_try_malloc_n (in_size, sizeof (float));
  out = g_try_malloc_n (out_size * n, sizeof (float));
  if (!frame || !out)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read %s", s->input);
      return NULL;
    }
  for (int f = 0; f < n; f++)
    {
      for (gsize i = 0; i < in_size; i++)
        frame[i] = (float) input->rgb[f * in_size + i] / 255 * 2 - 1;
      (s->fit_input ? easel_pixels_fit : easel_pixels_cover) (frame, input->width, input->height, 3,
                                                              out + f * out_size, s->width, s->height);
    }
  return g_steal_pointer (&out);
}

/* ------------------------------------------------------------------------------------------------------ running */

static void
pipeline_rules (EaselPipeline *base, EaselModelRules *out)
{
  cog_rules ((CogPipeline *) base, out);
}

static gboolean
pipeline_meter (EaselPipeline *base, EaselRequest *request, EaselTokenMeter *out, GError **error)
{
  CogPipeline *self = (CogPipeline *) base;
  const EaselRequestSettings *s = easel_request_settings (request);

  return easel_tokenizer_meter (self->tokenizer, s->prompt, s->max_tokens ? s->max_tokens : self->habits.max_tokens,
                                out, error);
}

static GArray *
pipeline_plans (EaselPipeline *base, EaselRequest *resolved, GError **error)
{
  CogPipeline *self = (CogPipeline *) base;
  g_auto (CogRecipe) recipe = { 0 };

  cog_set_precision (self, easel_request_settings (resolved)->precision);
  return cog_recipe_init (&recipe, self, resolved, error) ? cog_plans (self, &recipe, error) : NULL;
}

typedef struct
{
  CogPipeline *self;
  CogRecipe *recipe;
  const float *input;
  EaselJob *job;
  CogResult *result;
} Attempt;

/* One attempt: the arena is all that a job allocates on the device, and it is allocated here. */
static gboolean
run_once (gpointer data, const EaselPlan *plan, GError **error)
{
  Attempt *a = data;
  CogPipeline *self = a->self;
  EaselStream *s = NULL;
  gboolean ok;

  cog_plan_apply (self, a->recipe, plan);
  if (easel_stream_open (self->device, plan->activations_bytes, &s) != EASEL_STATUS_OK)
    {
      g_autofree char *size = g_format_size (plan->activations_bytes);

      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY,
                   "%s could not give the %s that %d frames of %d × %d need", self->device->name, size, plan->frames,
                   plan->width, plan->height);
      return FALSE;
    }
  ok = cog_generate (self, &self->real, s, a->recipe, a->input, a->job, a->result, error);
  easel_stream_close (&s);
  return ok;
}

static gboolean
pipeline_run (EaselPipeline *base, EaselRequest *resolved, EaselJob *job, EaselPicture **out, GError **error)
{
  CogPipeline *self = (CogPipeline *) base;
  const EaselRequestSettings *s = easel_request_settings (resolved);
  g_auto (CogRecipe) recipe = { 0 };
  g_autoptr (EaselPicture) clip = NULL;
  g_autoptr (GArray) plans = NULL;
  g_autofree float *input = NULL;
  g_autofree char *said = NULL;
  CogResult result = { 0 };
  Attempt attempt = { self, &recipe, NULL, job, &result };

  easel_job_report_phase (job, EASEL_PHASE_LOADING);
  cog_set_precision (self, easel_request_settings (resolved)->precision);
  if (!cog_recipe_init (&recipe, self, resolved, error)
      || !(clip = easel_picture_new (s->width, s->height, s->frames, error))
      || (recipe.kind != COG_FROM_TEXT && !(input = cog_input_read (&recipe, error)))
      || !(plans = cog_plans (self, &recipe, error)))
    return FALSE;
  clip->fps = s->fps;
  result.clip = clip;
  attempt.input = input;
  said = g_strdup_printf ("Not enough memory for %d frames of %d × %d pixels, even in tiles; choose fewer frames or a "
                          "smaller size",
                          s->frames, s->width, s->height);
  if (!easel_plans_run (plans, run_once, &attempt, said, error)
      || ((result.stopped_after > 0 || result.reused > 0)
          && !(clip->request = easel_request_as_done (resolved, result.stopped_after, result.reused, error))))
    return FALSE;
  *out = g_steal_pointer (&clip);
  return TRUE;
}

const EaselPipelineClass easel_cogvideox_pipeline_class = {
  .pipeline_class = "CogVideoXPipeline",
  .open = text_open,
  .resolve = pipeline_resolve,
  .rules = pipeline_rules,
  .meter = pipeline_meter,
  .plans = pipeline_plans,
  .run = pipeline_run,
  .free = pipeline_free,
};

const EaselPipelineClass easel_cogvideox_image_pipeline_class = {
  .pipeline_class = "CogVideoXImageToVideoPipeline",
  .open = picture_open,
  .resolve = pipeline_resolve,
  .rules = pipeline_rules,
  .meter = pipeline_meter,
  .plans = pipeline_plans,
  .run = pipeline_run,
  .free = pipeline_free,
};

const EaselPipelineClass easel_cogvideox_video_pipeline_class = {
  .pipeline_class = "CogVideoXVideoToVideoPipeline",
  .open = clip_open,
  .resolve = pipeline_resolve,
  .rules = pipeline_rules,
  .meter = pipeline_meter,
  .plans = pipeline_plans,
  .run = pipeline_run,
  .free = pipeline_free,
};
