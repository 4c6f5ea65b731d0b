/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the Create page needs to know about a model, asked of the engine on a worker thread.
 */
#pragma once

#include "engine/core/engine.h"
#include "engine/samplers/sampler.h"

G_BEGIN_DECLS

typedef struct
{
  EaselRequest *defaults;  /* every setting resolved for an empty request */
  GPtrArray *samplers;     /* EaselSamplerInfo that fit, borrowed from the table; the model's own first */
  int multiple;            /* of sides, pixels */
} EaselModelFacts;

void easel_model_facts_free (EaselModelFacts *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselModelFacts, easel_model_facts_free)

void easel_model_facts_read_async (EaselEngine *engine, const char *model, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data);
EaselModelFacts *easel_model_facts_read_finish (GAsyncResult *result, GError **error);

/* The plan of a request, on a worker thread. */
void easel_plan_async (EaselEngine *engine, EaselRequest *request, GCancellable *cancellable,
                       GAsyncReadyCallback callback, gpointer user_data);
gboolean easel_plan_finish (GAsyncResult *result, EaselPlan *plan, GError **error);

G_END_DECLS
