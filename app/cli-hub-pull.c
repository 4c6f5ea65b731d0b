/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * models plan, licence and pull.
 */
#include "app/cli-hub.h"

#include <stdio.h>
#include <unistd.h>

static void
print_plan_json (const EaselHubPlan *plan, const EaselCatalogueEntry *entry)
{
  CliJson json;

  cli_json_begin (&json);
  cli_json_open (&json, NULL, '{');
  cli_json_string (&json, "event", "plan");
  cli_json_string (&json, "repository", plan->repo);
  cli_json_string (&json, "commit", plan->commit);
  cli_json_string (&json, "class", plan->pipeline_class);
  cli_json_string (&json, "licence", entry ? entry->licence_name : plan->licence);
  cli_json_string (&json, "licence_link", entry ? entry->licence_link : plan->page);
  cli_json_int (&json, "bytes", plan->bytes);
  cli_json_int (&json, "here", plan->here);
  cli_json_int (&json, "fetch", plan->fetch);
  cli_json_int (&json, "repository_bytes", plan->repo_bytes);
  cli_json_int (&json, "disk_free", plan->disk_free);
  cli_json_open (&json, "files", '[');
  for (guint i = 0; i < plan->files->len; i++)
    {
      const EaselHubFile *file = plan->files->pdata[i];

      if (!file->wanted)
        continue;
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "path", file->path);
      cli_json_int (&json, "bytes", file->size);
      cli_json_int (&json, "here", file->here);
      cli_json_close (&json, '}');
    }
  cli_json_close (&json, ']');
  cli_json_close (&json, '}');
  cli_json_end (&json);
}

static void
print_plan (const EaselHubPlan *plan, const EaselCatalogueEntry *entry)
{
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *fetch = cli_format_bytes (plan->fetch), *bytes = cli_format_bytes (plan->bytes);
  g_autofree char *all = cli_format_bytes (plan->repo_bytes);
  g_autofree char *room = plan->disk_free >= 0 ? cli_format_bytes (plan->disk_free) : g_strdup ("unknown");

  for (guint i = 0; i < plan->files->len; i++)
    {
      const EaselHubFile *file = plan->files->pdata[i];

      if (!file->wanted)
        continue;
      g_ptr_array_add (cells, cli_format_bytes (file->size));
      g_ptr_array_add (cells, g_strdup (file->here == file->size ? "here" : file->here > 0 ? "begun" : ""));
      g_ptr_array_add (cells, g_strdup (file->path));
    }
  cli_print_table (cells, 3, 1u << 0);
  printf ("\n%s (%s), commit %.7s\n", plan->repo, plan->pipeline_class ? plan->pipeline_class : "no pipeline",
          plan->commit);
  printf ("licence: %s, %s\n", entry ? entry->licence_name : plan->licence ? plan->licence : "unknown",
          entry ? entry->licence_link : plan->page);
  printf ("%u files, %s of the repository's %s; %s to fetch; free on the drive: %s\n", plan->n_wanted, bytes, all,
          fetch, room);
}

CliStatus
cli_hub_plan (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, TRUE, &error);
  g_autoptr (EaselHubPlan) plan = NULL;
  g_autofree char *page = NULL;
  EaselHubReason reason = EASEL_HUB_REASON_NONE;
  CliHubWanted w = cli_hub_find (args, name);
  CliStatus status = CLI_OK;

  if (settings)
    plan = easel_hub_plan (settings, w.repo, w.revision, w.precision, NULL, &reason, &page, &error);
  if (!plan)
    status = cli_hub_failed (args, error, reason, page);
  else if (args->json)
    print_plan_json (plan, w.entry);
  else
    print_plan (plan, w.entry);
  cli_hub_wanted_clear (&w);
  return status;
}

/* The text of the licence, to read before fetching. */
CliStatus
cli_hub_licence (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, TRUE, &error);
  g_autoptr (EaselHubPlan) plan = NULL;
  g_autofree char *page = NULL, *file = NULL, *text = NULL;
  EaselHubReason reason = EASEL_HUB_REASON_NONE;
  CliHubWanted w = cli_hub_find (args, name);
  CliStatus status = CLI_OK;

  if (settings)
    plan = easel_hub_plan (settings, w.repo, w.revision, w.precision, NULL, &reason, &page, &error);
  if (plan)
    text = easel_hub_licence_text (settings, plan, NULL, &file, &error);
  if (error)
    status = cli_hub_failed (args, error, reason, page);
  else if (text)
    printf ("%s of %s:\n\n%s\n", file, w.repo, text);
  else
    printf ("%s comes without a licence text. Its page says what it says: %s\n", w.repo,
            w.entry ? w.entry->licence_link : plan->page);
  cli_hub_wanted_clear (&w);
  return status;
}

/* One line that is written over on a terminal; a JSON event; or nothing. */
static void
say_progress (const CliArgs *args, EaselDownload *download)
{
  EaselDownloadProgress p = easel_download_get_progress (download);
  g_autofree char *done = cli_format_bytes (p.bytes_done), *total = cli_format_bytes (p.bytes_total);
  g_autofree char *rate = cli_format_bytes ((guint64) p.rate);
  g_autofree char *left = p.eta >= 0 ? cli_format_seconds (p.eta) : g_strdup ("?");
  g_autofree char *detail = easel_download_dup_detail (download);

  if (args->json)
    {
      CliJson json;

      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "event", "progress");
      cli_json_string (&json, "state", easel_download_state_name (p.state));
      cli_json_int (&json, "bytes_done", p.bytes_done);
      cli_json_int (&json, "bytes_total", p.bytes_total);
      cli_json_double (&json, "rate", p.rate);
      cli_json_double (&json, "eta", p.eta);
      cli_json_string (&json, "detail", detail);
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  else if (!args->quiet && isatty (STDERR_FILENO))
    fprintf (stderr, "\r\033[K%s  %s of %s  %s/s  %s left%s%s", easel_download_state_name (p.state), done, total, rate,
             left, detail ? "  " : "", detail ? detail : "");
}

static CliStatus
end_pull (const CliArgs *args, EaselDownload *download)
{
  EaselDownloadProgress p = easel_download_get_progress (download);
  g_autoptr (GError) error = easel_download_dup_error (download);
  g_autofree char *snapshot = easel_download_dup_snapshot (download), *page = easel_download_dup_page (download);

  if (!args->json && !args->quiet && isatty (STDERR_FILENO))
    fputs ("\r\033[K", stderr);
  if (p.state != EASEL_DOWNLOAD_DONE)
    {
      g_autoptr (GError) stopped = g_error_new (EASEL_ERROR, EASEL_ERROR_CANCELLED,
                                                "Stopped. The same command goes on where it was.");
      return cli_hub_failed (args, error && p.state != EASEL_DOWNLOAD_CANCELLED ? error : stopped, p.reason, page);
    }
  if (args->json)
    {
      CliJson json;

      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "event", "done");
      cli_json_string (&json, "path", snapshot);
      cli_json_int (&json, "fetched", p.fetched);
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  else
    puts (snapshot);
  return CLI_OK;
}

CliStatus
cli_hub_fetch (const CliArgs *args, const EaselHubSettings *settings, const CliHubWanted *w)
{
  g_autoptr (EaselHub) hub = NULL;
  g_autoptr (EaselDownload) download = NULL;

  hub = easel_hub_new (settings);
  download = easel_hub_pull (hub, NULL, w->repo, w->revision, w->precision);
  while (!easel_download_wait (download, 250))
    {
      say_progress (args, download);
      if (cli_hub_interrupted ())
        easel_download_cancel (download, TRUE);
    }
  return end_pull (args, download);
}

CliStatus
cli_hub_pull (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, TRUE, &error);
  CliHubWanted w = cli_hub_find (args, name);
  CliStatus status;

  cli_hub_watch_signals ();
  if (!settings)
    status = cli_failed (error);
  else
    {
      if (w.entry && !args->json && !args->quiet)
        fprintf (stderr, "%s. Licence: %s, %s\n", w.entry->title, w.entry->licence_name, w.entry->licence_link);
      status = cli_hub_fetch (args, settings, &w);
    }
  cli_hub_wanted_clear (&w);
  return status;
}
