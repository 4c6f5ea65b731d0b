/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a job's models may lie, and which of these ways is taken. A pipeline measures what it needs for each way to
 * decode; here the ways to hold the weights are tried on it:
 *
 *   1. everything on the device;
 *   2. the text encoder put out after use, the other models opened then;
 *   3. also, blocks of the transformer taking turns (engine/core/weights-stream.c), as few as need be, and the text
 *      encoder's all when it does not fit whole.
 *
 * Where weights are mapped (the processor) there is one way: the system brings pages and takes them.
 */
#pragma once

#include "engine/core/pipeline.h"
#include "engine/core/weights.h"

G_BEGIN_DECLS

/* What one way to decode needs, in bytes. */
typedef struct
{
  guint64 encoder, transformer, vae; /* weights, whole */
  EaselWeightBlocks encoder_blocks, transformer_blocks;
  guint64 kept;                      /* of the text on the host, where weights are mapped */
} EaselNeeds;

/* Adds plans for one way to decode to `plans` (of EaselPlan). `way` has sizes, activations, flops and tiles. */
void easel_plans_add (GArray *plans, EaselDevice *device, guint64 budget, const EaselNeeds *needs,
                      const EaselPlan *way);

/* A new array of EaselPlan that clears what it holds; g_array_unref. */
GArray *easel_plans_new (void);

/* Orders them: those that fit the budget, the fastest first, then the others, the smallest first. A way that decodes in
 * smaller pieces comes after all that do not, unless these need the transformer's blocks to take turns. */
void easel_plans_sort (GArray *plans);

/* ", the text encoder put out after use, …": how the weights are held, "" for the plain way. Free with g_free. */
char *easel_plan_words (const EaselPlan *plan);

/* Runs a job by one plan after the other until one has enough memory. `run` does it, FALSE with NO_MEMORY: not enough.
 * A plan that needs as much as one that failed is not tried; of those beyond the budget only the smallest is, when
 * nothing fits: the device has the last word. `said` is the error when all have failed. */
typedef gboolean (*EaselPlanRun) (gpointer data, const EaselPlan *plan, GError **error);
gboolean easel_plans_run (GArray *plans, EaselPlanRun run, gpointer data, const char *said, GError **error);

/* Before a model's weights are taken: `streamed` of its blocks are to take turns, as `counted`, the same weights of a
 * dry copy, says of their sizes. once: easel_weights_set_streamed(). */
void easel_plan_hold (EaselWeights *weights, EaselWeights *counted, int streamed, gboolean once);

/* Whether what was opened for `held` blocks taking turns serves a plan that wants `wanted`: fewer resident blocks than
 * there is room for are not worth opening a model again, unless all of them could stay. */
gboolean easel_plan_serves (int held, int wanted);

G_END_DECLS
