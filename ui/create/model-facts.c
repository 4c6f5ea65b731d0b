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
  if (!easel_engine_rules (source, data, &facts->rules, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  /* Some models refuse to begin with nothing; which file it is does not matter here. */
  if (facts->rules.input == EASEL_INPUT_PICTURE || facts->rules.input == EASEL_INPUT_CLIP)
    settings.input = "input";
  request = easel_request_new (&settings, &error);
  if (request)
    facts->defaults = easel_engine_resolve (source, request, &error);
  if (facts->defaults)
    facts->samplers = fitting_samplers (source, data, &error);
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

/* ---- names ---- */

static void
names_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autoptr (GPtrArray) found = easel_engine_list_models (source);
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  g_autofree char *usual = easel_engine_find_model (source, NULL, NULL);

  /* The one that is used when nobody chooses comes first. */
  for (guint i = 0; i < found->len; i++)
    {
      const EaselModelInfo *info = found->pdata[i];
      if (!info->problem && g_strcmp0 (info->path, usual) == 0)
        g_strv_builder_add (names, info->name);
    }
  for (guint i = 0; i < found->len; i++)
    {
      const EaselModelInfo *info = found->pdata[i];
      if (!info->problem && g_strcmp0 (info->path, usual) != 0)
        g_strv_builder_add (names, info->name);
    }
  g_task_return_pointer (task, g_strv_builder_end (names), (GDestroyNotify) g_strfreev);
}

void
easel_model_names_async (EaselEngine *engine, GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (engine, cancellable, callback, user_data);

  g_task_run_in_thread (task, names_thread);
}

char **
easel_model_names_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* ---- tokens ---- */

static void
meter_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  EaselTokenMeter *meter = g_new0 (EaselTokenMeter, 1);
  GError *error = NULL;

  if (easel_engine_meter (source, data, meter, &error))
    {
      g_task_return_pointer (task, meter, g_free);
      return;
    }
  g_free (meter);
  g_task_return_error (task, error);
}

void
easel_meter_async (EaselEngine *engine, const char *model, const char *prompt, GCancellable *cancellable,
                   GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (engine, cancellable, callback, user_data);
  EaselRequestSettings settings = EASEL_REQUEST_SETTINGS_INIT;
  EaselRequest *request;
  GError *error = NULL;

  settings.model = model;
  settings.prompt = prompt;
  request = easel_request_new (&settings, &error);
  if (!request)
    {
      g_task_return_error (task, error);
      return;
    }
  g_task_set_task_data (task, request, (GDestroyNotify) easel_request_unref);
  g_task_run_in_thread (task, meter_thread);
}

gboolean
easel_meter_finish (GAsyncResult *result, EaselTokenMeter *meter, char **counted, GError **error)
{
  g_autofree EaselTokenMeter *made = g_task_propagate_pointer (G_TASK (result), error);

  if (!made)
    return FALSE;
  *meter = *made;
  *counted = g_strdup (easel_request_settings (g_task_get_task_data (G_TASK (result)))->prompt);
  return TRUE;
}

/* ---- plans ---- */

typedef struct
{
  EaselRequest *asked, *resolved;
} PlanData;

static void
plan_data_free (gpointer data)
{
  PlanData *plan = data;

  easel_request_unref (plan->asked);
  g_clear_pointer (&plan->resolved, easel_request_unref);
  g_free (plan);
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
  PlanData *asked = data;
  GError *error = NULL;

  asked->resolved = easel_engine_resolve (source, asked->asked, &error);
  if (asked->resolved && easel_engine_plan (source, asked->resolved, plan, &error))
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

  PlanData *data = g_new0 (PlanData, 1);

  data->asked = easel_request_ref (request);
  g_task_set_task_data (task, data, plan_data_free);
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

EaselRequest *
easel_plan_get_request (GAsyncResult *result)
{
  return ((PlanData *) g_task_get_task_data (G_TASK (result)))->resolved;
}
