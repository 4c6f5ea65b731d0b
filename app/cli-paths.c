/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli.h"
#include "app/places.h"

#include <stdio.h>

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
  g_autofree char *converted = easel_places_converted ();
  gint64 limit = args->vram_limit ? cli_parse_bytes (args->vram_limit) : 0;
  EaselEngine *engine;

  if (args->vram_limit && limit == 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "--vram-limit takes a size such as 4G or 800M, not '%s'.", args->vram_limit);
      return NULL;
    }
  engine = easel_engine_new (&(EaselEngineSettings){ .model_roots = (const char *const *) roots,
                                                     .device = args->device,
                                                     .threads = args->threads,
                                                     .card_limit = (guint64) limit,
                                                     .cache_folder = converted },
                             error);
  if (engine && easel_engine_device_note (engine) && !args->quiet)
    fprintf (stderr, "easel-cli: the card is not used: %s\n", easel_engine_device_note (engine));
  return engine;
}
