/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a job will need, measured by running it on the dry device.
 */
#include "engine/core/devices.h"
#include "engine/sana/pipeline-private.h"

#define WIDE (1 << 20) /* as any picture */

/* Ways to decode, from the one that needs most memory: whole; strips as wide as the picture, which repeat least and
 * never leave the device; the tiles that the 4K model's authors use; the reference's default. Larger ones show fewer
 * seams in smooth skies. */
static const EaselDcaeTiling tilings[] = {
  { 0 },
  { 1088, WIDE, 1024, WIDE },
  { 1024, 1024, 896, 896 },
  { 512, 512, 448, 448 },
};

static gboolean
makes_sense (const SanaRecipe *r, const EaselDcaeTiling *t)
{
  return t->tile_width == 0 || r->width > t->tile_width || r->height > t->tile_height;
}

/* Runs the recipe dry; plan->steps is set. */
static gboolean
measure (SanaPipeline *self, const SanaRecipe *r, EaselPlan *plan, GError **error)
{
  SanaResult result = { 0 };
  EaselStream *s = NULL;
  gboolean ok;

  if (easel_stream_open (self->dry.device, 0, &s) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to plan");
      return FALSE;
    }
  ok = sana_generate (self, &self->dry, s, r, NULL, &result, error);
  plan->activations_bytes = s->peak;
  plan->flops = s->flops;
  plan->encode_flops = result.encode_flops;
  plan->step_flops = result.denoise_flops / plan->steps;
  plan->decode_flops = result.decode_flops;
  easel_stream_close (&s);
  return ok;
}

static char *
say (SanaPipeline *self, const SanaRecipe *r, const EaselPlan *plan)
{
  g_autofree char *note = easel_devices_precision_note (self->device, r->settings->precision);
  g_autofree char *peak = g_format_size (plan->peak_bytes), *weights = g_format_size (plan->weights_bytes);
  g_autofree char *tiles = plan->tile_width > 0 ? g_strdup_printf (", decoded in tiles of %d × %d pixels",
                                                                   plan->tile_width, plan->tile_height)
                                                : g_strdup ("");

  return g_strdup_printf ("%d × %d in %d steps: %s of memory, %s of it weights%s%s%s%s", r->width, r->height,
                          plan->steps, peak, weights, r->exclusive ? ", the text encoder put out after use" : "", tiles,
                          note ? ", " : "", note ? note : "");
}

static void
plan_say (SanaPipeline *self, const SanaRecipe *r, EaselPlan *plan)
{
  plan->tile_width = MIN (r->tiling.tile_width, r->width);
  plan->tile_height = MIN (r->tiling.tile_height, r->height);
  plan->takes_turns = r->exclusive;
  plan->summary = say (self, r, plan);
}

gboolean
sana_plan_make (SanaPipeline *self, SanaRecipe *r, int attempt, EaselPlan *plan, GError **error)
{
  const guint64 limit = easel_plan_budget (self->device, self->used_before);
  guint64 encoder, models;
  gboolean fits = TRUE;

  *plan = (EaselPlan){ .steps = r->settings->steps, .width = r->settings->width, .height = r->settings->height,
                       .frames = 1 };
  for (gsize i = 0; i < G_N_ELEMENTS (tilings); i++)
    {
      if (!makes_sense (r, &tilings[i]))
        continue;
      r->tiling = tilings[i];
      if (!measure (self, r, plan, error))
        return FALSE;
      encoder = easel_weights_held_bytes (self->dry.encoder_weights);
      models = easel_sana_transformer_weights_bytes (self->dry.transformer) + easel_dcae_weights_bytes (self->dry.vae);
      /* Mapped weights come and go by pages: what is used at one time counts. */
      r->exclusive = !self->device->maps_weights && encoder + models + plan->activations_bytes > limit;
      plan->weights_bytes = self->device->maps_weights || r->exclusive ? MAX (encoder, models) : encoder + models;
      /* The remembered prompt lies on the host. */
      if (self->device->maps_weights)
        plan->weights_bytes += easel_sana_prompt_bytes (self->dry.encoder, r->prompt, self->dry.encoder_act);
      plan->peak_bytes = plan->weights_bytes + plan->activations_bytes;
      fits = plan->peak_bytes <= limit;
      if (fits && attempt-- == 0)
        {
          plan_say (self, r, plan);
          return TRUE;
        }
    }
  /* Nothing fits what there should be: the smallest is tried once, the device has the last word. */
  if (!fits && attempt == 0)
    {
      plan_say (self, r, plan);
      return TRUE;
    }
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY,
               "Not enough memory for %d × %d pixels, even in tiles; choose a smaller size", r->width, r->height);
  return FALSE;
}
