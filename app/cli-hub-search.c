/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * models search: the catalogue, and the Hub.
 */
#include "app/cli-hub.h"

#include <stdio.h>

static void
add_cells (GPtrArray *cells, const char *a, const char *b, const char *c, const char *d)
{
  g_ptr_array_add (cells, g_strdup (a));
  g_ptr_array_add (cells, g_strdup (b ? b : "-"));
  g_ptr_array_add (cells, g_strdup (c ? c : "-"));
  g_ptr_array_add (cells, g_strdup (d ? d : "-"));
}

/* The catalogue, which needs no network. */
static CliStatus
list_catalogue (const CliArgs *args)
{
  g_autoptr (GPtrArray) entries = cli_hub_catalogue ();
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  CliJson json;

  if (!entries)
    return cli_usage ("The catalogue of models is not installed. 'easel-cli models search WORDS' asks the Hub.");
  if (args->json)
    {
      cli_json_begin (&json);
      cli_json_open (&json, NULL, '[');
    }
  else
    add_cells (cells, "NAME", "FETCHES", "LICENCE", "GOOD FOR");
  for (guint i = 0; i < entries->len; i++)
    {
      const EaselCatalogueEntry *e = entries->pdata[i];
      g_autofree char *size = e->download > 0 ? cli_format_bytes (e->download) : NULL;

      if (!args->json)
        {
          add_cells (cells, e->name, size, e->licence_name, e->good_for);
          continue;
        }
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "name", e->name);
      cli_json_string (&json, "title", e->title);
      cli_json_string (&json, "kind", e->kind);
      cli_json_string (&json, "repository", e->repository);
      cli_json_string (&json, "class", e->pipeline_class);
      cli_json_int (&json, "download", e->download);
      cli_json_int (&json, "memory", e->memory);
      cli_json_string (&json, "licence", e->licence_name);
      cli_json_string (&json, "licence_link", e->licence_link);
      cli_json_string (&json, "good_for", e->good_for);
      cli_json_close (&json, '}');
    }
  if (args->json)
    {
      cli_json_close (&json, ']');
      cli_json_end (&json);
    }
  else
    cli_print_table (cells, 4, 1u << 1);
  return CLI_OK;
}

CliStatus
cli_hub_search (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = NULL;
  g_autoptr (GPtrArray) hits = NULL;
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) words = g_string_new (NULL);
  EaselHubReason reason;
  CliJson json;

  for (guint i = 1; i < args->positional->len; i++)
    g_string_append_printf (words, "%s%s", i > 1 ? " " : "", (char *) args->positional->pdata[i]);
  if (words->len == 0)
    return list_catalogue (args);
  if (!(settings = cli_hub_settings (args, TRUE, &error)))
    return cli_failed (error);
  hits = easel_hub_search (settings, words->str, 30, NULL, &reason, &error);
  if (!hits)
    return cli_hub_failed (args, error, reason, NULL);
  if (args->json)
    {
      cli_json_begin (&json);
      cli_json_open (&json, NULL, '[');
    }
  else
    add_cells (cells, "REPOSITORY", "CLASS", "LICENCE", "DOWNLOADS");
  for (guint i = 0; i < hits->len; i++)
    {
      const EaselHubHit *hit = hits->pdata[i];
      g_autofree char *downloads = g_strdup_printf ("%" G_GINT64_FORMAT "%s", MAX (0, hit->downloads),
                                                    hit->gated ? " (gated)" : "");

      if (!args->json)
        {
          add_cells (cells, hit->repo, hit->pipeline_class, hit->licence, downloads);
          continue;
        }
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "repository", hit->repo);
      cli_json_string (&json, "class", hit->pipeline_class);
      cli_json_string (&json, "licence", hit->licence);
      cli_json_bool (&json, "gated", hit->gated);
      cli_json_int (&json, "downloads", hit->downloads);
      cli_json_close (&json, '}');
    }
  if (args->json)
    {
      cli_json_close (&json, ']');
      cli_json_end (&json);
    }
  else if (hits->len > 0)
    cli_print_table (cells, 4, 1u << 3);
  else
    fprintf (stderr, "Nothing of the kind that this program runs is called '%s' on %s.\n", words->str,
             settings->endpoint);
  return CLI_OK;
}
