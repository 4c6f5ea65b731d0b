/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * models: what is installed, and what was made of it. samplers: what there is, and what fits a model. Neither loads a
 * model.
 */
#include "app/cli-hub.h"
#include "app/places.h"

#include <stdio.h>
#include <string.h>

#include "engine/core/model-folder.h"
#include "engine/samplers/sampler.h"

static void
print_models_json (const GPtrArray *models)
{
  CliJson json;

  cli_json_begin (&json);
  cli_json_open (&json, NULL, '[');
  for (guint i = 0; i < models->len; i++)
    {
      const EaselModelInfo *info = g_ptr_array_index (models, i);

      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "name", info->name);
      cli_json_string (&json, "class", info->pipeline_class);
      cli_json_int (&json, "size", info->default_size);
      cli_json_string (&json, "dtype", info->dtype);
      cli_json_int (&json, "bytes", (gint64) info->bytes);
      cli_json_string (&json, "licence", info->licence);
      cli_json_string (&json, "path", info->path);
      cli_json_string (&json, "problem", info->problem);
      cli_json_close (&json, '}');
    }
  cli_json_close (&json, ']');
  cli_json_end (&json);
}

static void
print_models_table (const GPtrArray *models)
{
  static const char *const titles[] = { "NAME", "CLASS", "SIZE", "DTYPE", "BYTES", "LICENCE", "PATH" };
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < G_N_ELEMENTS (titles); i++)
    g_ptr_array_add (cells, g_strdup (titles[i]));
  for (guint i = 0; i < models->len; i++)
    {
      const EaselModelInfo *info = g_ptr_array_index (models, i);

      g_ptr_array_add (cells, g_strdup (info->name));
      g_ptr_array_add (cells, g_strdup (info->pipeline_class ? info->pipeline_class : "-"));
      g_ptr_array_add (cells, info->default_size > 0 ? g_strdup_printf ("%d", info->default_size) : g_strdup ("-"));
      g_ptr_array_add (cells, g_strdup (info->dtype ? info->dtype : "-"));
      g_ptr_array_add (cells, cli_format_bytes (info->bytes));
      g_ptr_array_add (cells, g_strdup (info->licence ? info->licence : "unknown"));
      g_ptr_array_add (cells, info->problem ? g_strdup_printf ("%s (%s)", info->path, info->problem)
                                            : g_strdup (info->path));
    }
  cli_print_table (cells, G_N_ELEMENTS (titles), 1u << 2 | 1u << 4);
}

CliStatus
cli_models (const CliArgs *args)
{
  g_auto (GStrv) roots = NULL;
  g_autoptr (GPtrArray) models = NULL;

  if (args->positional->len > 0)
    return cli_hub (args);
  roots = cli_model_roots (args);
  models = easel_model_folder_list ((const char *const *) roots);
  if (args->json)
    print_models_json (models);
  else if (models->len > 0)
    print_models_table (models);
  else
    fprintf (stderr,
             "No model is installed. Put model folders into %s/easel/models, or say where they are with --models.\n",
             g_get_user_data_dir ());
  return CLI_OK;
}

CliStatus
cli_models_tidy (const CliArgs *args)
{
  g_autofree char *folder = easel_places_converted ();
  const guint64 freed = easel_weights_clear_cache (folder);
  g_autofree char *size = cli_format_bytes (freed);

  if (args->json)
    {
      CliJson json;

      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_int (&json, "freed", (gint64) freed);
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  else if (freed > 0)
    printf ("%s of converted weights are deleted. They are made again when they are needed.\n", size);
  else
    printf ("There are no converted weights.\n");
  return CLI_OK;
}

/* The folder of the model that the command line names. */
static EaselModelFolder *
open_model (const CliArgs *args, GError **error)
{
  CliArgs cheap = *args;
  cheap.device = "cpu"; /* nothing is computed */
  g_autoptr (EaselEngine) engine = cli_engine_new (&cheap, error);
  g_autofree char *path = engine ? easel_engine_find_model (engine, args->model, error) : NULL;

  return path ? easel_model_folder_open (path, error) : NULL;
}

static void
print_sampler_json (CliJson *json, const EaselSamplerInfo *info, JsonObject *config, gboolean fits, gboolean own)
{
  cli_json_open (json, NULL, '{');
  cli_json_string (json, "name", info->name);
  cli_json_string (json, "description", info->description);
  cli_json_int (json, "min_steps", info->min_steps);
  cli_json_int (json, "max_steps", info->max_steps);
  cli_json_bool (json, "noise", info->uses_noise);
  if (config)
    {
      cli_json_bool (json, "fits", fits);
      cli_json_bool (json, "default", own);
    }
  cli_json_close (json, '}');
}

CliStatus
cli_samplers (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselModelFolder) folder = NULL;
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  JsonObject *config = NULL;
  const char *own = NULL;
  guint n;
  const EaselSamplerInfo *list = easel_sampler_list (&n);
  CliJson json;

  if (args->model
      && ((folder = open_model (args, &error)) == NULL
          || (config = easel_model_folder_config (folder, "scheduler", &error)) == NULL
          || (own = easel_sampler_default_name (config, &error)) == NULL))
    return cli_failed (error);

  if (args->json)
    {
      cli_json_begin (&json);
      cli_json_open (&json, NULL, '[');
    }
  for (guint i = 0; i < n; i++)
    {
      const char *reason = NULL;
      gboolean fits = config == NULL || easel_sampler_fits (list[i].name, config, &reason);
      gboolean is_own = own && strcmp (own, list[i].name) == 0;

      if (args->json)
        print_sampler_json (&json, &list[i], config, fits, is_own);
      else
        {
          g_ptr_array_add (cells, g_strdup (list[i].name));
          if (config)
            g_ptr_array_add (cells, g_strdup (is_own ? "default" : fits ? "yes" : "no"));
          g_ptr_array_add (cells, !fits && reason ? g_strdup_printf ("%s (%s)", list[i].description, reason)
                                                  : g_strdup (list[i].description));
        }
    }
  if (args->json)
    {
      cli_json_close (&json, ']');
      cli_json_end (&json);
    }
  else
    cli_print_table (cells, config ? 3 : 2, 0);
  return CLI_OK;
}
