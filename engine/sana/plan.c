/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a job will need, measured by running it on the dry device.
 */
#include "engine/core/devices.h"
#include "engine/core/plans.h"
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
  g_autofree char *held = easel_plan_words (plan);
  g_autofree char *tiles = plan->tile_width > 0 ? g_strdup_printf (", decoded in tiles of %d × %d pixels",
                                                                   plan->tile_width, plan->tile_height)
                                                : g_strdup ("");

  return g_strdup_printf ("%d × %d in %d steps: %s of memory, %s of it weights%s%s%s%s", r->width, r->height,
                          plan->steps, peak, weights, held, tiles, note ? ", " : "", note ? note : "");
}

GArray *
sana_plans (SanaPipeline *self, SanaRecipe *r, GError **error)
{
  const guint64 budget = easel_plan_budget (self->device, self->used_before);
  g_autoptr (GArray) plans = easel_plans_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (tilings); i++)
    {
      EaselPlan way = { .steps = r->settings->steps, .width = r->settings->width, .height = r->settings->height,
                        .frames = 1, .way = (int) i };
      EaselNeeds needs = { 0 };

      if (!makes_sense (r, &tilings[i]))
        continue;
      r->tiling = tilings[i];
      if (!measure (self, r, &way, error))
        return NULL;
      way.tile_width = MIN (r->tiling.tile_width, r->width);
      way.tile_height = MIN (r->tiling.tile_height, r->height);
      needs.encoder = easel_weights_held_bytes (self->dry.encoder_weights);
      needs.encoder_blocks = easel_weights_blocks (self->dry.encoder_weights);
      needs.transformer = easel_weights_held_bytes (self->dry.transformer_weights);
      needs.transformer_blocks = easel_weights_blocks (self->dry.transformer_weights);
      needs.vae = easel_dcae_weights_bytes (self->dry.vae);
      needs.kept = easel_sana_prompt_bytes (self->dry.encoder, r->prompt, self->dry.encoder_act);
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
sana_plan_apply (SanaPipeline *self, SanaRecipe *r, const EaselPlan *plan)
{
  r->tiling = tilings[plan->way];
  r->exclusive = plan->takes_turns;
  if (!easel_plan_serves (self->blocks_streamed, plan->blocks_streamed))
    {
      sana_parts_drop_models (&self->real);
      self->blocks_streamed = plan->blocks_streamed;
    }
  if (self->encoder_streamed != plan->encoder_streamed)
    {
      sana_parts_drop_encoder (&self->real);
      self->encoder_streamed = plan->encoder_streamed;
    }
}
