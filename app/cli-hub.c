/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * models WORD: the Hub and the models on disk. Here is what the words share, and which function each of them is.
 */
#include "app/cli-hub.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/hub-environment.h"
#include "app/places.h"
#include "engine/hub/secret.h"

/* A handler and not a blocked signal: OpenBLAS has threads before main, which would not have it blocked. */
static volatile sig_atomic_t interrupted;

static void
interrupt_cb (int number G_GNUC_UNUSED)
{
  interrupted = 1;
}

void
cli_hub_watch_signals (void)
{
  struct sigaction action = { .sa_handler = interrupt_cb, .sa_flags = SA_RESTART };

  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

gboolean
cli_hub_interrupted (void)
{
  return interrupted;
}

EaselHubSettings *
cli_hub_settings (const CliArgs *args, gboolean network, GError **error)
{
  g_autoptr (EaselHubSettings) s = hub_environment_settings ();

  if (args->cache)
    {
      g_free (s->cache_dir);
      s->cache_dir = g_canonicalize_filename (args->cache, NULL);
    }
  if (args->endpoint)
    {
      g_free (s->endpoint);
      s->endpoint = g_strdup (args->endpoint);
    }
  if (network && args->login && !s->token)
    {
      g_autofree char *path = hub_environment_login_path ();
      if (!(s->token = easel_hub_token_from_login (path, error)))
        return NULL;
    }
  if (network && !s->token)
    s->token = easel_hub_token_lookup (s->endpoint, NULL); /* of this endpoint: after --endpoint, not before */
  if (args->limit && (s->rate = cli_parse_bytes (args->limit)) == 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "--limit takes bytes a second, such as 500K or 5M, not '%s'.", args->limit);
      return NULL;
    }
  if (args->connections > 0)
    s->connections = args->connections;
  s->offline = s->offline || args->offline;
  if (args->imports->len > 0)
    {
      g_ptr_array_add (args->imports, NULL);
      s->import_dirs = g_strdupv ((char **) args->imports->pdata);
      g_ptr_array_set_size (args->imports, (int) args->imports->len - 1);
    }
  s->network_wait_ms = 0; /* a command says so and ends; the same command goes on */
  return g_steal_pointer (&s);
}

GPtrArray *
cli_hub_catalogue (void)
{
  g_autofree char *path = easel_places_catalogue ();
  g_autofree char *own = easel_places_own_catalogue ();
  g_autoptr (GError) error = NULL;
  GPtrArray *entries = path ? easel_catalogue_load (path, own, &error) : NULL;

  if (error)
    {
      fprintf (stderr, "easel-cli: %s\n", error->message);
      entries = easel_catalogue_load (path, NULL, NULL);
    }
  return entries;
}

CliHubWanted
cli_hub_find (const CliArgs *args, const char *name)
{
  CliHubWanted w = { .catalogue = cli_hub_catalogue (), .repo = name, .revision = "main", .precision = "auto" };

  w.entry = w.catalogue ? easel_catalogue_find (w.catalogue, name) : NULL;
  if (w.entry)
    {
      w.repo = w.entry->repository;
      w.revision = w.entry->revision;
      w.precision = w.entry->precision;
    }
  if (args->revision)
    w.revision = args->revision;
  if (args->precision)
    w.precision = args->precision;
  return w;
}

void
cli_hub_wanted_clear (CliHubWanted *w)
{
  g_clear_pointer (&w->catalogue, g_ptr_array_unref);
}

CliStatus
cli_hub_failed (const CliArgs *args, const GError *error, EaselHubReason reason, const char *page)
{
  if (args->json)
    {
      CliJson json;

      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "event", "error");
      cli_json_string (&json, "code", easel_error_code_name (error->code));
      cli_json_string (&json, "reason", easel_hub_reason_name (reason));
      cli_json_string (&json, "message", error->message);
      cli_json_string (&json, "page", page);
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  return cli_failed (error);
}

CliStatus
cli_hub (const CliArgs *args)
{
  static const struct
  {
    const char *word;
    CliStatus (*run) (const CliArgs *args, const char *name);
  } words[] = { { "plan", cli_hub_plan },     { "licence", cli_hub_licence }, { "pull", cli_hub_pull },
                { "repair", cli_hub_repair }, { "remove", cli_hub_remove },   { "verify", cli_hub_verify } };
  static const char *const all[] = { "search", "plan",   "licence", "pull",  "verify",
                                     "repair", "remove", "login",   "logout", "tidy" };
  const char *word = args->positional->pdata[0];
  const char *name = args->positional->len > 1 ? args->positional->pdata[1] : NULL;
  const char *nearest;

  if (strcmp (word, "search") == 0)
    return cli_hub_search (args);
  if (strcmp (word, "login") == 0)
    return cli_hub_login (args);
  if (strcmp (word, "logout") == 0)
    return cli_hub_logout (args);
  if (strcmp (word, "tidy") == 0)
    return cli_models_tidy (args);
  if (strcmp (word, "remove") == 0 && args->orphans)
    return cli_hub_orphans (args);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (strcmp (word, words[i].word) == 0)
      return name || words[i].run == cli_hub_verify
               ? words[i].run (args, name)
               : cli_usage ("'models %s' needs a model: a name that 'easel-cli models search' lists, or owner/name.",
                            word);
  nearest = cli_nearest (word, all, G_N_ELEMENTS (all));
  return nearest ? cli_usage ("'models' knows no '%s'. Did you mean '%s'?", word, nearest)
                 : cli_usage ("'models' knows search, plan, licence, pull, verify, repair, remove, tidy, login "
                              "and logout, not '%s'.", word);
}
