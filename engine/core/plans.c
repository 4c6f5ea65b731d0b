/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/plans.h"

#include "engine/core/error.h"

/* What uploading takes besides: arenas of streams that only copy, and ends of slabs that stay empty. */
static guint64
besides (guint64 weights)
{
  return 4096 + weights / 64;
}

static void
clear (gpointer plan)
{
  easel_plan_clear (plan);
}

GArray *
easel_plans_new (void)
{
  GArray *plans = g_array_new (FALSE, TRUE, sizeof (EaselPlan));
  g_array_set_clear_func (plans, clear);
  return plans;
}

static void
add (GArray *plans, guint64 budget, const EaselPlan *way, guint64 weights, guint64 extra)
{
  EaselPlan plan = *way;
  plan.weights_bytes = weights;
  plan.peak_bytes = weights + plan.activations_bytes + extra;
  plan.fits = plan.peak_bytes <= budget;
  g_array_append_val (plans, plan);
}

/* A model of which `streamed` blocks take turns in two rooms. */
static guint64
held (guint64 whole, const EaselWeightBlocks *blocks, int streamed)
{
  return streamed == 0 ? whole : whole - streamed * blocks->smallest + 2 * blocks->largest;
}

/* As few blocks taking turns as fit; their number is even, so that the last makes room for the first, or all. Two would
 * stay in their rooms. */
static void
add_streamed (GArray *plans, EaselDevice *device, guint64 budget, const EaselNeeds *needs, const EaselPlan *way)
{
  const EaselWeightBlocks *blocks = &needs->transformer_blocks, *texts = &needs->encoder_blocks;
  const guint64 taken = way->activations_bytes + device->stream_bytes + 4096;
  const guint64 room = (budget - MIN (budget, taken)) / 65 * 64;
  EaselPlan plan = *way;
  guint64 encoder = needs->encoder, models = needs->transformer + needs->vae;
  int n = 0;

  plan.takes_turns = TRUE;
  plan.encoder_streamed = encoder > room && texts->n > 2;
  if (plan.encoder_streamed)
    encoder = held (needs->encoder, texts, texts->n);
  while (models > room && n < blocks->n && blocks->n > 2)
    {
      n = n == 0 ? MIN (4, blocks->n) : MIN (n + 2, blocks->n);
      models = held (needs->transformer, blocks, n) + needs->vae;
    }
  if (n == 0 && !plan.encoder_streamed)
    return; /* that is the plan before */
  plan.blocks_streamed = n;
  plan.streamed_bytes = n * blocks->largest;
  add (plans, budget, &plan, MAX (encoder, models), device->stream_bytes + besides (MAX (encoder, models)));
}

void
easel_plans_add (GArray *plans, EaselDevice *device, guint64 budget, const EaselNeeds *needs, const EaselPlan *way)
{
  const guint64 models = needs->transformer + needs->vae;
  EaselPlan plan = *way;

  if (device->maps_weights)
    {
      add (plans, budget, &plan, MAX (needs->encoder, models) + needs->kept, 0);
      return;
    }
  add (plans, budget, &plan, needs->encoder + models, besides (needs->encoder + models));
  plan.takes_turns = TRUE;
  add (plans, budget, &plan, MAX (needs->encoder, models), besides (MAX (needs->encoder, models)));
  add_streamed (plans, device, budget, needs, way);
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  const EaselPlan *x = a, *y = b;

  if (x->fits != y->fits)
    return x->fits ? -1 : 1;
  if (!x->fits)
    return x->peak_bytes < y->peak_bytes ? -1 : x->peak_bytes > y->peak_bytes;
  if (x->blocks_streamed != y->blocks_streamed)
    return x->blocks_streamed - y->blocks_streamed;
  if (x->way != y->way)
    return x->way - y->way;
  if (x->takes_turns != y->takes_turns)
    return x->takes_turns ? 1 : -1;
  return x->encoder_streamed - y->encoder_streamed;
}

void
easel_plans_sort (GArray *plans)
{
  g_array_sort (plans, compare);
}

char *
easel_plan_words (const EaselPlan *plan)
{
  g_autoptr (GString) text = g_string_new (NULL);

  if (plan->encoder_streamed)
    g_string_append (text, ", the text encoder read block by block");
  else if (plan->takes_turns)
    g_string_append (text, ", the text encoder put out after use");
  if (plan->blocks_streamed > 0)
    {
      g_autofree char *bytes = g_format_size (plan->streamed_bytes);
      g_string_append_printf (text, ", %d blocks of the model taking turns (%s a step)", plan->blocks_streamed, bytes);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

gboolean
easel_plans_run (GArray *plans, EaselPlanRun run, gpointer data, const char *said, GError **error)
{
  guint64 failed = G_MAXUINT64;

  for (guint i = 0; i < plans->len; i++)
    {
      const EaselPlan *plan = &g_array_index (plans, EaselPlan, i);
      g_autoptr (GError) problem = NULL;

      if ((!plan->fits && i > 0) || plan->peak_bytes >= failed)
        continue;
      if (run (data, plan, &problem))
        return TRUE;
      if (!g_error_matches (problem, EASEL_ERROR, EASEL_ERROR_NO_MEMORY))
        {
          g_propagate_error (error, g_steal_pointer (&problem));
          return FALSE;
        }
      failed = plan->peak_bytes;
    }
  g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, said);
  return FALSE;
}

void
easel_plan_hold (EaselWeights *weights, EaselWeights *counted, int streamed, gboolean once)
{
  const EaselWeightBlocks blocks = easel_weights_blocks (counted);

  easel_weights_set_streamed (weights, streamed, blocks.largest, once);
  easel_weights_expect_bytes (weights, easel_weights_held_bytes (counted) - streamed * blocks.smallest);
}

gboolean
easel_plan_serves (int held_blocks, int wanted)
{
  return held_blocks == wanted || (wanted > 0 && held_blocks > wanted);
}
