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
  EaselModelRules rules;
} EaselModelFacts;

void easel_model_facts_free (EaselModelFacts *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselModelFacts, easel_model_facts_free)

void easel_model_facts_read_async (EaselEngine *engine, const char *model, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data);
EaselModelFacts *easel_model_facts_read_finish (GAsyncResult *result, GError **error);

/* The names of the models that can be used, on a worker thread; caller frees with g_strfreev(). */
void easel_model_names_async (EaselEngine *engine, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data);
char **easel_model_names_finish (GAsyncResult *result, GError **error);

/* How much of a prompt its model sees, on a worker thread. *counted: the prompt it is about; caller frees. */
void easel_meter_async (EaselEngine *engine, const char *model, const char *prompt, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user_data);
gboolean easel_meter_finish (GAsyncResult *result, EaselTokenMeter *meter, char **counted, GError **error);

/* The plan of a request, on a worker thread. */
void easel_plan_async (EaselEngine *engine, EaselRequest *request, GCancellable *cancellable,
                       GAsyncReadyCallback callback, gpointer user_data);
gboolean easel_plan_finish (GAsyncResult *result, EaselPlan *plan, GError **error);
/* The request that was planned, with every default filled; borrowed from the result. */
EaselRequest *easel_plan_get_request (GAsyncResult *result);

G_END_DECLS
