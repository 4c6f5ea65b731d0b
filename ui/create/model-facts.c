/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/model-facts.h"

#include <string.h>

#include "engine/core/model-folder.h"

void
easel_model_facts_free (EaselModelFacts *self)
{
  if (!self)
    return;
  g_clear_pointer (&self->defaults, easel_request_unref);
  g_clear_pointer (&self->samplers, g_ptr_array_unref);
  g_free (self);
}

static GPtrArray *
fitting_samplers (EaselEngine *engine, const char *model, GError **error)
{
  g_autofree char *path = easel_engine_find_model (engine, model, error);
  g_autoptr (EaselModelFolder) folder = path ? easel_model_folder_open (path, error) : NULL;
  JsonObject *config = folder ? easel_model_folder_config (folder, "scheduler", error) : NULL;
  const char *own = config ? easel_sampler_default_name (config, error) : NULL;
  g_autoptr (GPtrArray) fit = g_ptr_array_new ();
  const EaselSamplerInfo *all;
  guint n;

  if (!own)
    return NULL;
  all = easel_sampler_list (&n);
  for (guint i = 0; i < n; i++)
    if (strcmp (all[i].name, own) == 0)
      g_ptr_array_insert (fit, 0, (gpointer) &all[i]);
    else if (easel_sampler_fits (all[i].name, config, NULL))
      g_ptr_array_add (fit, (gpointer) &all[i]);
  return g_steal_pointer (&fit);
}

static void
read_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autoptr (EaselModelFacts) facts = g_new0 (EaselModelFacts, 1);
  EaselRequestSettings settings = EASEL_REQUEST_SETTINGS_INIT;
  g_autoptr (EaselRequest) request = NULL;
  GError *error = NULL;

  settings.model = data;
  settings.seed = 0;
  request = easel_request_new (&settings, &error);
  if (request)
    facts->defaults = easel_engine_resolve (source, request, &error);
  if (facts->defaults)
    facts->samplers = fitting_samplers (source, data, &error);
  facts->multiple = 32;
  if (facts->samplers)
    g_task_return_pointer (task, g_steal_pointer (&facts), (GDestroyNotify) easel_model_facts_free);
  else
    g_task_return_error (task, error);
}

void
easel_model_facts_read_async (EaselEngine *engine, const char *model, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (engine, cancellable, callback, user_data);

  g_task_set_task_data (task, g_strdup (model), g_free);
  g_task_run_in_thread (task, read_thread);
}

EaselModelFacts *
easel_model_facts_read_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
plan_free (gpointer data)
{
  easel_plan_clear (data);
  g_free (data);
}

static void
plan_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  EaselPlan *plan = g_new0 (EaselPlan, 1);
  GError *error = NULL;

  if (easel_engine_plan (source, data, plan, &error))
    {
      g_task_return_pointer (task, plan, plan_free);
      return;
    }
  g_free (plan);
  g_task_return_error (task, error);
}

void
easel_plan_async (EaselEngine *engine, EaselRequest *request, GCancellable *cancellable, GAsyncReadyCallback callback,
                  gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (engine, cancellable, callback, user_data);

  g_task_set_task_data (task, easel_request_ref (request), (GDestroyNotify) easel_request_unref);
  g_task_run_in_thread (task, plan_thread);
}

gboolean
easel_plan_finish (GAsyncResult *result, EaselPlan *plan, GError **error)
{
  EaselPlan *made = g_task_propagate_pointer (G_TASK (result), error);

  if (!made)
    return FALSE;
  *plan = *made;
  g_free (made);
  return TRUE;
}
