/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The models of a folder, opened when first needed, and what a job will need, measured by running it on the dry device.
 */
#include "engine/cogvideox/pipeline-private.h"
#include "engine/media/image-file.h"
#include "engine/core/devices.h"

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
      self, weights, FALSE, dry->transformer ? easel_cog_transformer_weights_bytes (dry->transformer) : 0);
  parts->transformer = easel_cog_transformer_new (config, weights, parts->device, error);
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
cog_parts_clear (CogParts *parts)
{
  cog_parts_drop_encoder (parts);
  g_clear_pointer (&parts->transformer, easel_cog_transformer_free);
  g_clear_pointer (&parts->vae, easel_cog_vae_free);
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

/* What a picture of another shape loses when it is made to cover the clip; "" when that is less than a hundredth, or
 * there is none that can be looked at. */
static char *
say_cut (const CogRecipe *r)
{
  const EaselRequestSettings *s = r->settings;
  int width, height;
  double wanted, given;

  if (r->kind != COG_FROM_PICTURE || !s->input || !easel_image_probe (s->input, &width, &height, NULL))
    return g_strdup ("");
  wanted = (double) s->width / s->height;
  given = (double) width / height;
  if (given > 1.01 * wanted)
    return g_strdup_printf ("; %.0f %% of the picture of %d × %d are cut off at its sides", 100 * (1 - wanted / given),
                            width, height);
  if (wanted > 1.01 * given)
    return g_strdup_printf ("; %.0f %% of the picture of %d × %d are cut off at its top and bottom",
                            100 * (1 - given / wanted), width, height);
  return g_strdup ("");
}

static char *
say (CogPipeline *self, const CogRecipe *r, const EaselPlan *plan)
{
  g_autofree char *note = easel_devices_precision_note (self->device, r->settings->precision);
  g_autofree char *cut = say_cut (r);
  g_autofree char *peak = g_format_size (plan->peak_bytes), *weights = g_format_size (plan->weights_bytes);
  g_autofree char *tiles = plan->tile_width > 0 ? g_strdup_printf (", decoded in tiles of %d × %d pixels",
                                                                   plan->tile_width, plan->tile_height)
                                                : g_strdup ("");

  return g_strdup_printf ("%d frames of %d × %d in %d steps: %s of memory, %s of it weights%s%s%s%s", plan->frames,
                          plan->width, plan->height, plan->steps, peak, weights, tiles, note ? ", " : "",
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

static void
plan_say (CogPipeline *self, const CogRecipe *r, EaselPlan *plan, gboolean keep_encoder)
{
  plan->tile_width = MIN (r->tiling.tile_width, r->settings->width);
  plan->tile_height = MIN (r->tiling.tile_height, r->settings->height);
  plan->takes_turns = !keep_encoder;
  plan->summary = say (self, r, plan);
}

gboolean
cog_plan_make (CogPipeline *self, CogRecipe *r, int attempt, EaselPlan *plan, gboolean *keep_encoder, GError **error)
{
  const guint64 limit = easel_plan_budget (self->device, 0);
  EaselCogTiling tilings[6] = { { 0 }, strips (self, r, 2), strips (self, r, 3), { 0 }, { 256, 256, 0.25, 0.25 },
                                { 128, 128, 0.25, 0.25 } };
  guint64 encoder, models;
  gboolean fits = TRUE;

  *plan = (EaselPlan){ .steps = r->settings->steps, .width = r->settings->width, .height = r->settings->height,
                       .frames = r->settings->frames };
  easel_cog_vae_default_tiling (self->dry.vae, &tilings[3]);
  for (gsize i = 0; i < G_N_ELEMENTS (tilings); i++)
    {
      if (!makes_sense (self, r, &tilings[i]))
        continue;
      r->tiling = tilings[i];
      if (!measure (self, r, plan, error))
        return FALSE;
      encoder = easel_weights_held_bytes (self->dry.encoder_weights);
      models = easel_cog_transformer_weights_bytes (self->dry.transformer);
      models += easel_cog_vae_weights_bytes (self->dry.vae);
      *keep_encoder = self->device->maps_weights || encoder + models + plan->activations_bytes <= limit;
      plan->weights_bytes = *keep_encoder && !self->device->maps_weights ? encoder + models : MAX (encoder, models);
      plan->peak_bytes = plan->weights_bytes + plan->activations_bytes;
      fits = plan->peak_bytes <= limit;
      if (fits && attempt-- == 0)
        {
          plan_say (self, r, plan, *keep_encoder);
          return TRUE;
        }
    }
  /* Nothing fits what there should be: the smallest is tried once, the device has the last word. */
  if (!fits && attempt == 0)
    {
      plan_say (self, r, plan, *keep_encoder);
      return TRUE;
    }
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY,
               "Not enough memory for %d frames of %d × %d pixels, even in tiles; choose fewer frames or a smaller "
               "size",
               plan->frames, plan->width, plan->height);
  return FALSE;
}
