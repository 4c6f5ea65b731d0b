/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli.h"
#include "app/places.h"

char **
cli_model_roots (const CliArgs *args)
{
  g_autoptr (GPtrArray) first = g_ptr_array_new ();

  for (guint i = 0; i < args->models->len; i++)
    g_ptr_array_add (first, g_ptr_array_index (args->models, i));
  g_ptr_array_add (first, NULL);
  return easel_places_model_roots ((const char *const *) first->pdata);
}

EaselEngine *
cli_engine_new (const CliArgs *args, GError **error)
{
  g_auto (GStrv) roots = cli_model_roots (args);

  return easel_engine_new (&(EaselEngineSettings){ .model_roots = (const char *const *) roots,
                                                   .device = args->device,
                                                   .threads = args->threads },
                           error);
}
