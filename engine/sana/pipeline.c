/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two pipeline classes: opening a folder, the rules of a request, running it.
 */
#include "engine/core/devices.h"
#include "engine/core/plans.h"
#include "engine/sana/pipeline-private.h"
#include "engine/sana/resolution.h"

#include <string.h>

#define MAX_SIDE 8192
#define MAX_GUIDANCE 100

/* ------------------------------------------------------------------------------------------------------ opening */

static void
pipeline_free (EaselPipeline *base)
{
  SanaPipeline *self = (SanaPipeline *) base;

  if (!self)
    return;
  sana_forget_texts (self);
  sana_parts_clear (&self->real);
  sana_parts_clear (&self->dry);
  easel_device_close (&self->dry.device);
  easel_habits_clear (&self->habits);
  g_clear_pointer (&self->tokenizer, easel_tokenizer_free);
  g_clear_pointer (&self->folder, easel_model_folder_free);
  g_free (self->precision);
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

/* The 16-bit set of the transformer's folder, which is how the model was trained, not a 32-bit copy beside it. */
static const char *
choose_variant (EaselModelFolder *folder)
{
  static const char *const variants[] = { "bf16", "fp16" };
  g_autofree char *dir = easel_model_folder_dir (folder, "transformer");

  for (gsize i = 0; i < G_N_ELEMENTS (variants); i++)
    {
      g_autofree char *single = g_strdup_printf ("%s/diffusion_pytorch_model.%s.safetensors", dir, variants[i]);
      g_autofree char *index = g_strdup_printf ("%s/diffusion_pytorch_model.safetensors.index.%s.json", dir,
                                                variants[i]);

      if (g_file_test (single, G_FILE_TEST_EXISTS) || g_file_test (index, G_FILE_TEST_EXISTS))
        return variants[i];
    }
  return NULL;
}

/* What resolve and plan need of the models, and that they belong together. The dry copies read headers only. */
static gboolean
read_models (SanaPipeline *self, GError **error)
{
  if (easel_dry_device_open (self->device->act_dtype, &self->dry.device) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to open the model");
      return FALSE;
    }
  if (!sana_parts_load_transformer (self, &self->dry, error) || !sana_parts_load_vae (self, &self->dry, error))
    return FALSE;
  self->config = *easel_sana_transformer_config (self->dry.transformer);
  self->factor = easel_dcae_factor (self->dry.vae);
  self->scaling = easel_dcae_scaling_factor (self->dry.vae);
  if (self->config.out_channels != self->config.in_channels)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 "transformer/config.json: out_channels %d besides in_channels %d (learned sigma) is not supported",
                 self->config.out_channels, self->config.in_channels);
  else if (self->config.in_channels != easel_dcae_latent_channels (self->dry.vae))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                 "The transformer works on %d channels and the autoencoder on %d: they do not belong together",
                 self->config.in_channels, easel_dcae_latent_channels (self->dry.vae));
  else if (self->config.guidance_embeds != self->sprint)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                 "transformer/config.json: guidance_embeds is %s, %s needs %s",
                 self->config.guidance_embeds ? "true" : "false", self->base.klass->pipeline_class,
                 self->sprint ? "true" : "false");
  else
    return TRUE;
  return FALSE;
}

static EaselPipeline *
pipeline_open (const EaselPipelineClass *klass, gboolean sprint, EaselModelFolder *folder, EaselDevice *device,
               GError **error)
{
  SanaPipeline *self = g_new0 (SanaPipeline, 1);
  g_autofree char *tokenizer = NULL;
  const EaselHabits habits = { .human_instruction = TRUE, .max_tokens = 300, .steps = sprint ? 2 : 20,
                               .guidance = 4.5 };

  self->base.klass = klass;
  self->sprint = sprint;
  self->folder = folder;
  self->device = self->real.device = device;
  self->used_before = device->memory_used;
  g_queue_init (&self->texts);
  tokenizer = easel_model_folder_dir (folder, "tokenizer");
  self->variant = choose_variant (folder);
  if (check_class (folder, "transformer", "SanaTransformer2DModel", error)
      && check_class (folder, "vae", "AutoencoderDC", error)
      && check_class (folder, "text_encoder", "Gemma2Model", error)
      && (self->scheduler = easel_model_folder_config (folder, "scheduler", error)) && read_models (self, error)
      && easel_habits_read (&self->habits, easel_model_folder_path (folder), self->config.in_channels, &habits,
                             error)
      && (self->tokenizer = easel_tokenizer_open (tokenizer, EASEL_TOKENIZER_GEMMA, error)))
    return &self->base;
  pipeline_free (&self->base);
  return NULL;
}

static EaselPipeline *
sana_open (EaselModelFolder *folder, EaselDevice *device, GError **error)
{
  return pipeline_open (&easel_sana_pipeline_class, FALSE, folder, device, error);
}

static EaselPipeline *
sprint_open (EaselModelFolder *folder, EaselDevice *device, GError **error)
{
  return pipeline_open (&easel_sana_sprint_pipeline_class, TRUE, folder, device, error);
}

/* --------------------------------------------------------------------------------------------------- resolving */

static gboolean G_GNUC_PRINTF (2, 3)
bad (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error)
    *error = g_error_new_valist (EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, format, args);
  va_end (args);
  return FALSE;
}

/* Sizes with a table: any from a small picture to MAX_SIDE. Without: multiples of the autoencoder's factor. */
static gboolean
check_side (SanaPipeline *self, const char *name, int side, gboolean binning, GError **error)
{
  const int f = self->factor, low = side / f * f, least = binning ? 16 : f;

  if (side < least || side > MAX_SIDE)
    return bad (error, "%s %d is outside of what the model can do: %d to %d", name, side, least, MAX_SIDE);
  if (binning || side % f == 0)
    return TRUE;
  if (low < least)
    return bad (error, "%s must be a multiple of %d, and %d is not; the nearest is %d", name, f, side, low + f);
  return bad (error, "%s must be a multiple of %d, and %d is not; the nearest are %d and %d", name, f, side, low,
              low + f);
}

static gboolean
check_rules (SanaPipeline *self, const EaselRequestSettings *s, GError **error)
{
  const char *reason = NULL;
  g_autoptr (EaselSampler) sampler = NULL;
  const EaselSamplerInfo *info;

  if (!check_side (self, "Width", s->width, s->resolution_binning, error)
      || !check_side (self, "Height", s->height, s->resolution_binning, error))
    return FALSE;
  if (!(s->guidance >= 0 && s->guidance <= MAX_GUIDANCE))
    return bad (error, "The guidance scale must be a number from 0 to %d", MAX_GUIDANCE);
  if (s->max_tokens < 2 || s->max_tokens > 8192)
    return bad (error, "A prompt may have 2 to 8192 tokens, not %d", s->max_tokens);
  if (s->frames > 1)
    return bad (error, "This model makes pictures, not clips of %d frames", s->frames);
  if (s->input)
    return bad (error, "This model makes pictures from words alone and cannot begin with \"%s\"", s->input);
  if (s->dynamic_guidance)
    return bad (error, "Dynamic guidance is for clips; this model makes pictures");
  if (s->noise && strcmp (s->noise, "cpu") != 0 && strcmp (s->noise, "cuda") != 0)
    return bad (error, "There is no noise called \"%s\"; there are \"cpu\" and \"cuda\"", s->noise);
  if (!easel_devices_check_precision (self->device, s->precision, error))
    return FALSE;
  if (!(info = easel_sampler_find (s->sampler)) || !easel_sampler_fits (s->sampler, self->scheduler, &reason))
    return bad (error, "The sampler \"%s\" cannot be used with this model: %s", s->sampler,
                info ? reason : "there is none of that name");
  if (s->steps < info->min_steps || s->steps > info->max_steps)
    return bad (error, "The sampler \"%s\" takes %d to %d steps, not %d", s->sampler, info->min_steps, info->max_steps,
                s->steps);
  sampler = easel_sampler_new (s->sampler, self->scheduler, s->steps, error);
  return sampler != NULL;
}

static gboolean
has_table (SanaPipeline *self)
{
  int w, h;

  return (!self->sprint || self->config.sample_size == 32)
         && easel_sana_nearest_size (self->config.sample_size, 1, 1, &w, &h);
}

static EaselRequest *
pipeline_resolve (EaselPipeline *base, EaselRequest *request, GError **error)
{
  SanaPipeline *self = (SanaPipeline *) base;
  EaselRequestSettings s = *easel_request_settings (request);
  const int side = self->config.sample_size * self->factor;

  s.width = s.width ? s.width : side;
  s.height = s.height ? s.height : side;
  s.steps = s.steps ? s.steps : self->habits.steps;
  s.stop_after = s.stop_after < s.steps ? s.stop_after : 0;
  s.reuse = s.reused = 0; /* of clips */
  s.guidance = s.guidance < 0 ? self->habits.guidance : s.guidance;
  s.max_tokens = s.max_tokens ? s.max_tokens : self->habits.max_tokens;
  s.human_instruction = s.human_instruction && self->habits.human_instruction;
  s.seed = s.seed < 0 ? (gint64) g_random_int () : s.seed;
  s.count = s.count ? s.count : 1;
  s.frames = s.frames ? s.frames : 1;
  s.noise = s.noise ? s.noise : "cpu";
  /* Models of other sizes were given no table by their makers: they make what is asked for. */
  s.resolution_binning = s.resolution_binning && has_table (self);
  if (!s.sampler && !(s.sampler = easel_sampler_default_name (self->scheduler, error)))
    return NULL;
  return check_rules (self, &s, error) ? easel_request_new (&s, error) : NULL;
}

static void
pipeline_rules (EaselPipeline *base, EaselModelRules *out)
{
  SanaPipeline *self = (SanaPipeline *) base;
  const int side = self->config.sample_size * self->factor;
  int w, h;

  out->sizes[0].width = out->sizes[0].height = side;
  out->n_sizes = 1;
  for (int i = 0; has_table (self) && easel_sana_trained_size (self->config.sample_size, i, &w, &h); i++)
    if ((w != side || h != side) && out->n_sizes < EASEL_MODEL_MAX_SIZES)
      {
        out->sizes[out->n_sizes].width = w;
        out->sizes[out->n_sizes++].height = h;
      }
  out->multiple = has_table (self) ? 1 : self->factor;
  out->least = has_table (self) ? 16 : self->factor;
  out->most = MAX_SIDE / self->factor * self->factor;
  out->negative = !self->sprint;
  out->guidance_most = MAX_GUIDANCE;
}

static gboolean
pipeline_meter (EaselPipeline *base, EaselRequest *request, EaselTokenMeter *out, GError **error)
{
  SanaPipeline *self = (SanaPipeline *) base;
  const EaselRequestSettings *s = easel_request_settings (request);
  const gboolean instruct = s->human_instruction && self->habits.human_instruction;

  return easel_sana_token_meter (self->tokenizer, s->prompt, instruct ? easel_sana_human_instruction () : NULL,
                                 s->max_tokens ? s->max_tokens : self->habits.max_tokens, out, error);
}

/* ------------------------------------------------------------------------------------------------------- recipe */

static int
rows_used (const EaselSanaTokens *tokens)
{
  int n = 0;

  for (int i = 0; i < tokens->n_selected; i++)
    if (tokens->mask[tokens->select[i]])
      n = i + 1;
  return n;
}

gboolean
sana_recipe_init (SanaRecipe *r, SanaPipeline *self, EaselRequest *resolved, GError **error)
{
  const EaselRequestSettings *s = easel_request_settings (resolved);
  const char *instruction = s->human_instruction ? easel_sana_human_instruction () : NULL;

  r->settings = s;
  r->width = s->width;
  r->height = s->height;
  if (s->resolution_binning)
    easel_sana_nearest_size (self->config.sample_size, s->width, s->height, &r->width, &r->height);
  r->guided = !self->sprint && s->guidance > 1;
  r->prompt_key = g_strdup_printf ("%d %d %s", s->max_tokens, instruction != NULL, s->prompt);
  if (!(r->prompt = easel_sana_tokens_new (self->tokenizer, s->prompt, instruction, s->max_tokens, error)))
    return FALSE;
  r->n_text = MAX (rows_used (r->prompt), 1);
  if (r->guided)
    {
      r->negative_key = g_strdup_printf ("%d 0 %s", s->max_tokens, s->negative);
      if (!(r->negative = easel_sana_tokens_new (self->tokenizer, s->negative, NULL, s->max_tokens, error)))
        return FALSE;
      r->n_text = MAX (r->n_text, rows_used (r->negative));
    }
  return (r->sampler = easel_sampler_new (s->sampler, self->scheduler, s->steps, error)) != NULL;
}

void
sana_recipe_clear (SanaRecipe *self)
{
  g_clear_pointer (&self->prompt, easel_sana_tokens_free);
  g_clear_pointer (&self->negative, easel_sana_tokens_free);
  g_clear_pointer (&self->prompt_key, g_free);
  g_clear_pointer (&self->negative_key, g_free);
  g_clear_pointer (&self->sampler, easel_sampler_free);
}

/* ------------------------------------------------------------------------------------------------------ running */

static GArray *
pipeline_plans (EaselPipeline *base, EaselRequest *resolved, GError **error)
{
  SanaPipeline *self = (SanaPipeline *) base;
  g_auto (SanaRecipe) recipe = { 0 };

  sana_set_precision (self, easel_request_settings (resolved)->precision);
  return sana_recipe_init (&recipe, self, resolved, error) ? sana_plans (self, &recipe, error) : NULL;
}

typedef struct
{
  SanaPipeline *self;
  SanaRecipe *recipe;
  EaselJob *job;
  SanaResult *result;
} Attempt;

/* One attempt: the arena is all that a job allocates on the device, and it is allocated here. */
static gboolean
run_once (gpointer data, const EaselPlan *plan, GError **error)
{
  Attempt *a = data;
  SanaPipeline *self = a->self;
  EaselStream *s = NULL;
  gboolean ok;

  sana_plan_apply (self, a->recipe, plan);
  if (easel_stream_open (self->device, plan->activations_bytes, &s) != EASEL_STATUS_OK)
    {
      g_autofree char *size = g_format_size (plan->activations_bytes);

      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY,
                   "%s could not give the %s that a picture of %d × %d needs", self->device->name, size,
                   a->recipe->width, a->recipe->height);
      return FALSE;
    }
  ok = sana_generate (self, &self->real, s, a->recipe, a->job, a->result, error);
  easel_stream_close (&s);
  return ok;
}

static gboolean
pipeline_run (EaselPipeline *base, EaselRequest *resolved, EaselJob *job, EaselPicture **out, GError **error)
{
  SanaPipeline *self = (SanaPipeline *) base;
  g_auto (SanaRecipe) recipe = { 0 };
  g_autoptr (EaselPicture) picture = NULL;
  g_autoptr (GArray) plans = NULL;
  g_autofree char *said = NULL;
  SanaResult result = { 0 };
  Attempt attempt = { self, &recipe, job, &result };

  easel_job_report_phase (job, EASEL_PHASE_LOADING);
  sana_set_precision (self, easel_request_settings (resolved)->precision);
  if (!sana_recipe_init (&recipe, self, resolved, error)
      || !(picture = easel_picture_new (recipe.settings->width, recipe.settings->height, 1, error))
      || !(plans = sana_plans (self, &recipe, error)))
    return FALSE;
  result.pixels = picture->rgb;
  said = g_strdup_printf ("Not enough memory for %d × %d pixels, even in tiles; choose a smaller size", recipe.width,
                          recipe.height);
  if (!easel_plans_run (plans, run_once, &attempt, said, error)
      || (result.stopped_after > 0
          && !(picture->request = easel_request_as_done (resolved, result.stopped_after, 0, error))))
    return FALSE;
  *out = g_steal_pointer (&picture);
  return TRUE;
}

const EaselPipelineClass easel_sana_pipeline_class = {
  .pipeline_class = "SanaPipeline",
  .open = sana_open,
  .resolve = pipeline_resolve,
  .rules = pipeline_rules,
  .meter = pipeline_meter,
  .plans = pipeline_plans,
  .run = pipeline_run,
  .free = pipeline_free,
};

const EaselPipelineClass easel_sana_sprint_pipeline_class = {
  .pipeline_class = "SanaSprintPipeline",
  .open = sprint_open,
  .resolve = pipeline_resolve,
  .rules = pipeline_rules,
  .meter = pipeline_meter,
  .plans = pipeline_plans,
  .run = pipeline_run,
  .free = pipeline_free,
};
