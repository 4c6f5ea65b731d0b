/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * models verify, repair and remove: what is on disk.
 */
#include "app/cli-hub.h"

#include <stdio.h>
#include <unistd.h>

typedef struct
{
  const CliArgs *args;
  GCancellable *cancellable;
} Checking;

static void
say_checked (gint64 done, gint64 total, const char *path, gpointer data)
{
  const Checking *checking = data;
  const CliArgs *args = checking->args;

  if (cli_hub_interrupted ())
    g_cancellable_cancel (checking->cancellable);
  if (!args->quiet && !args->json && isatty (STDERR_FILENO) && total > 0)
    fprintf (stderr, "\r\033[K%3d %%  %s", (int) (100 * done / total), path);
}

static void
print_finding (const CliArgs *args, const char *repo, const EaselHubFinding *finding)
{
  CliJson json;

  if (!args->json)
    {
      printf ("%s: %s\n", repo, finding->what);
      return;
    }
  cli_json_begin (&json);
  cli_json_open (&json, NULL, '{');
  cli_json_string (&json, "event", "finding");
  cli_json_string (&json, "repository", repo);
  cli_json_string (&json, "path", finding->path);
  cli_json_string (&json, "what", finding->what);
  cli_json_int (&json, "bytes", finding->bytes);
  cli_json_close (&json, '}');
  cli_json_end (&json);
}

static GPtrArray *
check_one (const CliArgs *args, const EaselHubSettings *settings, const char *repo, const char *revision, gboolean deep,
           GError **error)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Checking checking = { args, cancellable };
  GPtrArray *findings =
    easel_hub_verify (settings->cache_dir, repo, revision, deep, say_checked, &checking, cancellable, error);

  if (!args->quiet && !args->json && isatty (STDERR_FILENO))
    fputs ("\r\033[K", stderr);
  for (guint i = 0; findings && i < findings->len; i++)
    print_finding (args, repo, findings->pdata[i]);
  return findings;
}

CliStatus
cli_hub_verify (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, FALSE, &error);
  g_autoptr (GPtrArray) all = NULL;
  CliStatus status = CLI_OK;
  guint n = 0;

  if (!settings)
    return cli_failed (error);
  if (name)
    {
      CliHubWanted w = cli_hub_find (args, name);
      g_autoptr (GPtrArray) findings = check_one (args, settings, w.repo, w.revision, args->deep, &error);

      status = !findings ? cli_failed (error) : findings->len > 0 ? CLI_FAILED : CLI_OK;
      n = 1;
      cli_hub_wanted_clear (&w);
    }
  else
    {
      all = easel_hub_installed (settings->cache_dir);
      for (n = 0; n < all->len; n++)
        {
          const EaselHubSnapshot *s = all->pdata[n];
          g_autoptr (GPtrArray) findings = check_one (args, settings, s->repo, s->commit, args->deep, NULL);

          if (!findings || findings->len > 0)
            status = CLI_FAILED;
        }
    }
  if (status == CLI_OK && !args->json && !args->quiet)
    printf ("%u checked, nothing wrong%s\n", n,
            args->deep ? "" : " in names, sizes and headers; --deep reads every byte");
  return status;
}

CliStatus
cli_hub_repair (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, TRUE, &error);
  g_autoptr (GPtrArray) findings = NULL;
  g_autofree char *snapshot = NULL, *commit = NULL, *precision = NULL;
  CliHubWanted w = cli_hub_find (args, name);
  CliStatus status = CLI_FAILED;

  cli_hub_watch_signals ();
  if (settings)
    snapshot = easel_hub_snapshot_path (settings->cache_dir, w.repo, w.revision, &error);
  if (snapshot)
    {
      /* What is here is repaired: not another commit, and no other weights than were asked for. */
      w.revision = commit = g_path_get_basename (snapshot);
      precision = easel_hub_precision_of (settings->cache_dir, w.repo, commit);
      if (precision && !args->precision)
        w.precision = precision;
      findings = check_one (args, settings, w.repo, w.revision, TRUE, &error);
    }
  if (findings && findings->len == 0)
    {
      status = CLI_OK;
      if (!args->json && !args->quiet)
        puts ("Nothing is wrong.");
    }
  else if (findings && easel_hub_repair (settings->cache_dir, w.repo, w.revision, findings, &error) >= 0)
    status = cli_hub_fetch (args, settings, &w);
  else
    status = cli_failed (error);
  cli_hub_wanted_clear (&w);
  return status;
}

CliStatus
cli_hub_remove (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, FALSE, &error);
  CliHubWanted w = cli_hub_find (args, name);
  gint64 freed = settings ? easel_hub_remove (settings->cache_dir, w.repo, args->revision, args->dry_run, &error) : -1;
  CliStatus status = CLI_OK;

  if (freed < 0)
    status = cli_failed (error);
  else if (args->json)
    {
      CliJson json;

      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "event", args->dry_run ? "would-remove" : "removed");
      cli_json_string (&json, "repository", w.repo);
      cli_json_int (&json, "freed", freed);
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  else
    {
      g_autofree char *text = cli_format_bytes (freed);
      printf ("%s: %s %s\n", w.repo, text, args->dry_run ? "would be freed" : "freed");
    }
  cli_hub_wanted_clear (&w);
  return status;
}

/* Leftovers of every repository: remove --orphans. */
CliStatus
cli_hub_orphans (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, FALSE, &error);
  g_autoptr (GPtrArray) found = NULL;
  g_autofree char *text = NULL;
  gint64 bytes = 0;

  if (!settings)
    return cli_failed (error);
  found = easel_hub_orphans (settings->cache_dir, NULL, !args->dry_run);
  for (guint i = 0; i < found->len; i++)
    {
      const EaselHubOrphan *orphan = found->pdata[i];

      bytes += orphan->bytes;
      if (!args->json)
        printf ("%s: %s\n", orphan->path, orphan->why);
    }
  text = cli_format_bytes (bytes);
  if (args->json)
    printf ("{\"event\":\"orphans\",\"files\":%u,\"freed\":%" G_GINT64_FORMAT "}\n", found->len, bytes);
  else
    printf ("%u files, %s %s\n", found->len, text, args->dry_run ? "would be freed" : "freed");
  return CLI_OK;
}
