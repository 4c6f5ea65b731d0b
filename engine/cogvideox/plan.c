/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The models of a folder, opened when first needed, and what a job will need, measured by running it on the dry device.
 */
#include "engine/cogvideox/pipeline-private.h"
#include "engine/media/image-file.h"
#include "engine/media/video-file.h"
#include "engine/core/devices.h"
#include "engine/core/plans.h"

#include <string.h>

/* ---------------------------------------------------------------------------------------------------------- parts */

/* expected: bytes of the weights, when the dry copy has counted them. */
static EaselDtype
choose (CogPipeline *self, EaselWeights *weights, gboolean range, guint64 expected)
{
  return easel_devices_choose_dtype (self->device, self->precision, weights, range, expected);
}

void
cog_set_precision (CogPipeline *self, const char *precision)
{
  if (g_strcmp0 (self->precision, precision) == 0)
    return;
  cog_parts_clear (&self->real);
  cog_parts_clear (&self->dry);
  g_clear_pointer (&self->text_key, g_free);
  g_clear_pointer (&self->text, g_free);
  g_free (self->precision);
  self->precision = g_strdup (precision);
}

gboolean
cog_parts_load_encoder (CogPipeline *self, CogParts *parts, GError **error)
{
  const CogParts *dry = &self->dry;
  JsonObject *config;
  EaselWeights *weights;

  if (parts->encoder)
    return TRUE;
  if (!(weights = easel_model_folder_component (self->folder, "text_encoder", self->variant, &config, error)))
    return FALSE;
  parts->encoder_act = choose (self, weights, TRUE, dry->encoder ? easel_weights_held_bytes (dry->encoder_weights) : 0);
  if (self->encoder_streamed && parts == &self->real)
    easel_plan_hold (weights, dry->encoder_weights, easel_weights_blocks (dry->encoder_weights).n, TRUE);
  parts->encoder = easel_t5_new (config, weights, parts->device, error);
  parts->encoder_weights = parts->encoder ? weights : NULL;
  if (!parts->encoder || easel_t5_hidden_size (parts->encoder) == self->config.text_dim)
    return parts->encoder != NULL;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
               "The text encoder gives %d channels and the transformer takes %d: they do not belong together",
               easel_t5_hidden_size (parts->encoder), self->config.text_dim);
  cog_parts_drop_encoder (parts);
  return FALSE;
}

gboolean
cog_parts_load_transformer (CogPipeline *self, CogParts *parts, GError **error)
{
  const CogParts *dry = &self->dry;
  JsonObject *config;
  EaselWeights *weights;

  if (parts->transformer)
    return TRUE;
  if (!(weights = easel_model_folder_component (self->folder, "transformer", self->variant, &config, error)))
    return FALSE;
  parts->transformer_act = choose (
      self, weights, FALSE, dry->transformer ? easel_weights_held_bytes (dry->transformer_weights) : 0);
  if (self->blocks_streamed > 0 && parts == &self->real)
    easel_plan_hold (weights, dry->transformer_weights, self->blocks_streamed, FALSE);
  parts->transformer = easel_cog_transformer_new (config, weights, parts->device, error);
  parts->transformer_weights = parts->transformer ? weights : NULL;
  return parts->transformer != NULL;
}

gboolean
cog_parts_load_vae (CogPipeline *self, CogParts *parts, GError **error)
{
  const CogParts *dry = &self->dry;
  JsonObject *config;
  EaselWeights *weights;

  if (parts->vae)
    return TRUE;
  if (!(weights = easel_model_folder_component (self->folder, "vae", NULL, &config, error)))
    return FALSE;
  parts->vae_act = choose (self, weights, FALSE, dry->vae ? easel_cog_vae_weights_bytes (dry->vae) : 0);
  parts->vae = easel_cog_vae_new (config, weights, parts->device, error);
  return parts->vae != NULL;
}

void
cog_parts_drop_encoder (CogParts *parts)
{
  g_clear_pointer (&parts->encoder, easel_t5_free);
  parts->encoder_weights = NULL;
}

void
cog_parts_drop_models (CogParts *parts)
{
  g_clear_pointer (&parts->transformer, easel_cog_transformer_free);
  parts->transformer_weights = NULL;
  g_clear_pointer (&parts->vae, easel_cog_vae_free);
}

void
cog_parts_clear (CogParts *parts)
{
  cog_parts_drop_encoder (parts);
  cog_parts_drop_models (parts);
}

/* ----------------------------------------------------------------------------------------------------------- plans */

/* Runs the recipe dry. */
static gboolean
measure (CogPipeline *self, const CogRecipe *r, EaselPlan *plan, GError **error)
{
  CogResult result = { 0 };
  EaselStream *s = NULL;
  gboolean ok;

  if (easel_stream_open (self->dry.device, 0, &s) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to plan");
      return FALSE;
    }
  ok = cog_generate (self, &self->dry, s, r, NULL, NULL, &result, error);
  plan->activations_bytes = s->peak;
  plan->flops = s->flops;
  plan->encode_flops = result.encode_flops;
  plan->step_flops = result.denoise_flops / easel_sampler_n_evaluations (r->sampler);
  plan->decode_flops = result.decode_flops;
  easel_stream_close (&s);
  return ok;
}

/* Tells the plan of an input whose shape is not the request's; one that cannot be read is the job's to complain of. */
static void
look_at_input (const CogRecipe *r, EaselPlan *plan)
{
  const EaselRequestSettings *s = r->settings;
  int width = 0, height = 0;
  gboolean sides;

  if (r->kind == COG_FROM_TEXT || !s->input)
    return;
  if (cog_input_frames (r) > 1)
    {
      g_autoptr (EaselPicture) first = easel_video_read (s->input, 1, NULL);

      width = first ? first->width : 0;
      height = first ? first->height : 0;
    }
  else if (!easel_image_probe (s->input, &width, &height, NULL))
    return;
  plan->input_width = width;
  plan->input_height = height;
  if (easel_plan_input_cut (plan, &sides) < 1 - 1 / 1.01) /* the same, but for rounding */
    plan->input_width = plan->input_height = 0;
}

/* What becomes of an input of another shape, and which of its frames are used; "" when there is nothing to say. */
static char *
say_input (const CogRecipe *r, const EaselPlan *plan)
{
  const EaselRequestSettings *s = r->settings;
  const int w = plan->input_width, h = plan->input_height;
  gboolean sides;
  const double cut = easel_plan_input_cut (plan, &sides);
  const char *what = r->kind == COG_FROM_CLIP ? "clip" : "picture";
  g_autofree char *frames = r->kind == COG_FROM_CLIP && s->input
                                ? g_strdup_printf ("; the first %d frames of the clip are used", cog_input_frames (r))
                                : g_strdup ("");

  if (!h)
    return g_steal_pointer (&frames);
  if (s->fit_input)
    return g_strdup_printf ("%s; the %s of %d × %d stands between bars %s", frames, what, w, h,
                            sides ? "above and below" : "at its sides");
  return g_strdup_printf ("%s; %.0f %% of the %s of %d × %d are cut off at its %s", frames,
                          100 * cut, what, w, h, sides ? "sides" : "top and bottom");
}

static char *
say (CogPipeline *self, const CogRecipe *r, const EaselPlan *plan)
{
  g_autofree char *note = easel_devices_precision_note (self->device, r->settings->precision);
  g_autofree char *cut = say_input (r, plan);
  g_autofree char *peak = g_format_size (plan->peak_bytes), *weights = g_format_size (plan->weights_bytes);
  g_autofree char *held = easel_plan_words (plan);
  g_autofree char *tiles = plan->tile_width > 0 ? g_strdup_printf (", decoded in tiles of %d × %d pixels",
                                                                   plan->tile_width, plan->tile_height)
                                                : g_strdup ("");

  return g_strdup_printf ("%d frames of %d × %d in %d steps: %s of memory, %s of it weights%s%s%s%s%s", plan->frames,
                          plan->width, plan->height, plan->steps, peak, weights, held, tiles, note ? ", " : "",
                          note ? note : "", cut);
}

/* n strips as wide as the clip; the next one repeats an eighth of a strip: a share that binary numbers hold, so that
 * steps and seams come out whole for every size. */
static EaselCogTiling
strips (CogPipeline *self, const CogRecipe *r, int n)
{
  const int f = easel_cog_vae_factor (self->dry.vae), across = (r->w + 6) / 7, down = (r->h + 7 * n - 1) / (7 * n);

  return (EaselCogTiling){ 8 * down * f, 8 * across * f, 0.125, 0.125 };
}

/* Tiles smaller than the clip that cover it exactly. */
static gboolean
makes_sense (CogPipeline *self, const CogRecipe *r, const EaselCogTiling *t)
{
  int height, width;

  if (t->tile_width == 0)
    return TRUE;
  if (r->settings->width <= t->tile_width && r->settings->height <= t->tile_height)
    return FALSE;
  easel_cog_vae_size (self->dry.vae, t, r->h, r->w, &height, &width);
  return height == r->settings->height && width == r->settings->width;
}

/* Ways to decode, from the one that needs most memory. */
#define MAX_WAYS 6

static void
ways_to_decode (CogPipeline *self, const CogRecipe *r, EaselCogTiling out[MAX_WAYS])
{
  const EaselCogTiling ways[MAX_WAYS] = { { 0 }, strips (self, r, 2), strips (self, r, 3), { 0 },
                                          { 256, 256, 0.25, 0.25 }, { 128, 128, 0.25, 0.25 } };

  memcpy (out, ways, sizeof ways);
  easel_cog_vae_default_tiling (self->dry.vae, &out[3]);
}

GArray *
cog_plans (CogPipeline *self, CogRecipe *r, GError **error)
{
  const guint64 budget = easel_plan_budget (self->device, self->used_before);
  g_autoptr (GArray) plans = easel_plans_new ();
  EaselCogTiling ways[MAX_WAYS];
  EaselPlan seen = { .width = r->settings->width, .height = r->settings->height };

  look_at_input (r, &seen);
  if (!cog_parts_load_vae (self, &self->dry, error)) /* another precision has closed it */
    return NULL;
  ways_to_decode (self, r, ways);
  for (int i = 0; i < MAX_WAYS; i++)
    {
      EaselPlan way = { .steps = r->settings->steps, .width = r->settings->width, .height = r->settings->height,
                        .frames = r->settings->frames, .way = i, .input_width = seen.input_width,
                        .input_height = seen.input_height };
      EaselNeeds needs = { 0 };

      if (!makes_sense (self, r, &ways[i]))
        continue;
      r->tiling = ways[i];
      if (!measure (self, r, &way, error))
        return NULL;
      way.tile_width = MIN (r->tiling.tile_width, r->settings->width);
      way.tile_height = MIN (r->tiling.tile_height, r->settings->height);
      needs.encoder = easel_weights_held_bytes (self->dry.encoder_weights);
      needs.encoder_blocks = easel_weights_blocks (self->dry.encoder_weights);
      needs.transformer = easel_weights_held_bytes (self->dry.transformer_weights);
      needs.transformer_blocks = easel_weights_blocks (self->dry.transformer_weights);
      needs.vae = easel_cog_vae_weights_bytes (self->dry.vae);
      easel_plans_add (plans, self->device, budget, &needs, &way);
    }
  easel_plans_sort (plans);
  for (guint i = 0; i < plans->len; i++)
    {
      EaselPlan *plan = &g_array_index (plans, EaselPlan, i);

      plan->summary = say (self, r, plan);
    }
  return g_steal_pointer (&plans);
}

void
cog_plan_apply (CogPipeline *self, CogRecipe *r, const EaselPlan *plan)
{
  EaselCogTiling ways[MAX_WAYS];

  ways_to_decode (self, r, ways);
  r->tiling = ways[plan->way];
  r->exclusive = plan->takes_turns;
  if (!easel_plan_serves (self->blocks_streamed, plan->blocks_streamed))
    {
      cog_parts_drop_models (&self->real);
      self->blocks_streamed = plan->blocks_streamed;
    }
  if (self->encoder_streamed != plan->encoder_streamed)
    {
      cog_parts_drop_encoder (&self->real);
      self->encoder_streamed = plan->encoder_streamed;
    }
}
