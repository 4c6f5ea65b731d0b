/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * engine/hub from a command line, with the settings that tests need (short waits, small blocks). Prints one JSON object
 * a line; the last one of a pull holds its end. Exit status 0 when the command did what it should.
 *
 *   hubtool --endpoint URL --cache DIR [...] plan|pull|verify|deep|repair|remove|remove-dry REPO [REVISION [PRECISION]]
 *   hubtool --cache DIR installed|orphans|orphans-remove
 *   hubtool --endpoint URL --cache DIR licence REPO [REVISION]
 *   hubtool --endpoint URL --cache DIR --queue FILE queue|pull …
 *   hubtool --endpoint URL search WORDS
 */
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "engine/hub/hub.h"

static EaselHubSettings *settings;
static int pause_ms;
static char *queue_file;

static void
say (JsonBuilder *b)
{
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = NULL;

  json_builder_end_object (b);
  root = json_builder_get_root (b);
  text = json_to_string (root, FALSE);
  puts (text);
  fflush (stdout);
  g_object_unref (b);
}

static JsonBuilder *
begin (void)
{
  JsonBuilder *b = json_builder_new ();
  return json_builder_begin_object (b);
}

static void
put_text (JsonBuilder *b, const char *name, const char *value)
{
  json_builder_set_member_name (b, name);
  if (value)
    json_builder_add_string_value (b, value);
  else
    json_builder_add_null_value (b);
}

static void
put_int (JsonBuilder *b, const char *name, gint64 value)
{
  json_builder_add_int_value (json_builder_set_member_name (b, name), value);
}

static int
fail (GError *error, EaselHubReason reason, const char *page)
{
  JsonBuilder *b = begin ();

  put_text (b, "error", easel_error_code_name (error->code));
  put_text (b, "reason", easel_hub_reason_name (reason));
  put_text (b, "message", error->message);
  put_text (b, "page", page);
  say (b);
  g_error_free (error);
  return 1;
}

static int
plan (const char *repo, const char *revision, const char *precision)
{
  GError *error = NULL;
  EaselHubReason reason;
  g_autofree char *page = NULL;
  g_autoptr (EaselHubPlan) p = easel_hub_plan (settings, repo, revision, precision, NULL, &reason, &page, &error);
  JsonBuilder *b;

  if (!p)
    return fail (error, reason, page);
  b = begin ();
  put_text (b, "commit", p->commit);
  put_text (b, "class", p->pipeline_class);
  put_text (b, "licence", p->licence);
  put_int (b, "bytes", p->bytes);
  put_int (b, "here", p->here);
  put_int (b, "fetch", p->fetch);
  put_int (b, "repo_bytes", p->repo_bytes);
  json_builder_begin_array (json_builder_set_member_name (b, "wanted"));
  for (guint i = 0; i < p->files->len; i++)
    {
      EaselHubFile *file = p->files->pdata[i];
      if (file->wanted)
        json_builder_add_string_value (b, file->path);
    }
  json_builder_end_array (b);
  say (b);
  return 0;
}

static int
licence (const char *repo, const char *revision)
{
  GError *error = NULL;
  EaselHubReason reason;
  g_autoptr (EaselHubPlan) p = easel_hub_plan (settings, repo, revision, NULL, NULL, &reason, NULL, &error);
  g_autofree char *name = NULL, *text = p ? easel_hub_licence_text (settings, p, NULL, &name, &error) : NULL;
  JsonBuilder *b;

  if (error)
    return fail (error, reason, NULL);
  b = begin ();
  put_text (b, "name", name);
  put_text (b, "text", text);
  put_int (b, "largest", easel_hub_plan_largest (p));
  say (b);
  return 0;
}

/* The most memory this program had, from the kernel. Not getrusage: that counts its parent's before the exec. Under
 * AddressSanitizer, which keeps what is freed, it says nothing: -1. */
static gint64
peak_kib (void)
{
#ifdef __SANITIZE_ADDRESS__
  return -1;
#else
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &text, NULL, NULL) || !(line = strstr (text, "VmHWM:")))
    return -1;
  return g_ascii_strtoll (line + strlen ("VmHWM:"), NULL, 10);
#endif
}

/* Processor seconds of the network thread: what bounds the speed when there are enough processors. */
static double
network_seconds (void)
{
  GDir *tasks = g_dir_open ("/proc/self/task", 0, NULL);
  const char *id;
  double seconds = 0;

  while (tasks && (id = g_dir_read_name (tasks)))
    {
      g_autofree char *comm_path = g_build_filename ("/proc/self/task", id, "comm", NULL);
      g_autofree char *stat_path = g_build_filename ("/proc/self/task", id, "schedstat", NULL);
      g_autofree char *comm = NULL, *stat = NULL;

      if (g_file_get_contents (comm_path, &comm, NULL, NULL) && g_str_has_prefix (comm, "easel-hub") &&
          g_file_get_contents (stat_path, &stat, NULL, NULL))
        seconds = g_ascii_strtoll (stat, NULL, 10) / 1e9;
    }
  g_clear_pointer (&tasks, g_dir_close);
  return seconds;
}

static EaselHub *
new_hub (void)
{
  EaselHub *hub = easel_hub_new (settings);
  const char *caches[] = { settings->cache_dir, NULL };

  if (queue_file)
    easel_hub_restore (hub, queue_file, caches);
  return hub;
}

/* What is left from earlier runs, after everything that goes on by itself has ended. */
static int
queue (void)
{
  g_autoptr (EaselHub) hub = new_hub ();
  GListModel *list = easel_hub_get_queue (hub);

  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (EaselDownload) download = g_list_model_get_item (list, i);
      EaselDownloadProgress p;
      JsonBuilder *b = begin ();

      easel_download_wait (download, -1);
      for (int tries = 0; tries < 500 && easel_download_get_state (download) == EASEL_DOWNLOAD_PAUSED &&
                          easel_download_get_progress (download).bytes_total == 0; tries++)
        g_usleep (10000); /* the list that is on disk is read by the hub's thread */
      p = easel_download_get_progress (download);
      put_text (b, "repo", easel_download_get_repo (download));
      put_text (b, "state", easel_download_state_name (p.state));
      put_int (b, "bytes_done", p.bytes_done);
      put_int (b, "bytes_total", p.bytes_total);
      put_int (b, "fetched", p.fetched);
      say (b);
    }
  return 0;
}

static int
pull (const char *repo, const char *revision, const char *precision)
{
  g_autoptr (EaselHub) hub = new_hub ();
  g_autoptr (EaselDownload) download = easel_hub_pull (hub, NULL, repo, revision, precision);
  g_autoptr (GError) error = NULL;
  g_autofree char *snapshot = NULL;
  EaselDownloadProgress p;
  JsonBuilder *b = begin ();

  if (pause_ms > 0)
    {
      easel_download_wait (download, pause_ms);
      easel_download_pause (download);
      easel_download_wait (download, -1);
      easel_download_resume (download);
    }
  easel_download_wait (download, -1);
  p = easel_download_get_progress (download);
  error = easel_download_dup_error (download);
  snapshot = easel_download_dup_snapshot (download);
  put_text (b, "state", easel_download_state_name (p.state));
  put_text (b, "reason", easel_hub_reason_name (p.reason));
  put_text (b, "message", error ? error->message : NULL);
  put_text (b, "snapshot", snapshot);
  put_int (b, "fetched", p.fetched);
  put_int (b, "bytes_done", p.bytes_done);
  put_int (b, "bytes_total", p.bytes_total);
  put_int (b, "peak_kib", peak_kib ());
  json_builder_add_double_value (json_builder_set_member_name (b, "network_cpu_s"), network_seconds ());
  say (b);
  return p.state == EASEL_DOWNLOAD_DONE ? 0 : 1;
}

static int
verify (const char *repo, const char *revision, gboolean deep, gboolean repair)
{
  GError *error = NULL;
  g_autoptr (GPtrArray) findings =
    easel_hub_verify (settings->cache_dir, repo, revision, deep, NULL, NULL, NULL, &error);
  guint n;

  if (!findings)
    return fail (error, EASEL_HUB_REASON_NONE, NULL);
  n = findings->len;
  for (guint i = 0; i < n; i++)
    {
      EaselHubFinding *finding = findings->pdata[i];
      JsonBuilder *b = begin ();

      put_text (b, "path", finding->path);
      put_text (b, "what", finding->what);
      put_int (b, "fault", finding->fault);
      put_int (b, "bytes", finding->bytes);
      say (b);
    }
  if (!repair)
    return n == 0 ? 0 : 1;
  if (easel_hub_repair (settings->cache_dir, repo, revision, findings, &error) < 0)
    return fail (error, EASEL_HUB_REASON_NONE, NULL);
  {
    g_autofree char *precision = easel_hub_precision_of (settings->cache_dir, repo, revision);
    return pull (repo, revision, precision);
  }
}

static int
remove_it (const char *repo, const char *revision, gboolean dry)
{
  GError *error = NULL;
  gint64 freed = easel_hub_remove (settings->cache_dir, repo, revision, dry, &error);
  JsonBuilder *b;

  if (freed < 0)
    return fail (error, EASEL_HUB_REASON_NONE, NULL);
  b = begin ();
  put_int (b, "freed", freed);
  say (b);
  return 0;
}

static int
list_installed (void)
{
  g_autoptr (GPtrArray) found = easel_hub_installed (settings->cache_dir);

  for (guint i = 0; i < found->len; i++)
    {
      EaselHubSnapshot *s = found->pdata[i];
      JsonBuilder *b = begin ();
      g_autofree char *refs = g_strjoinv (" ", s->refs);

      put_text (b, "repo", s->repo);
      put_text (b, "commit", s->commit);
      put_text (b, "refs", refs);
      put_text (b, "class", s->pipeline_class);
      put_int (b, "bytes", s->bytes);
      put_int (b, "alone", s->bytes_alone);
      put_int (b, "files", s->files);
      put_int (b, "unfinished", s->unfinished);
      say (b);
    }
  return 0;
}

static int
list_orphans (gboolean remove)
{
  g_autoptr (GPtrArray) found = easel_hub_orphans (settings->cache_dir, NULL, remove);

  for (guint i = 0; i < found->len; i++)
    {
      EaselHubOrphan *o = found->pdata[i];
      JsonBuilder *b = begin ();

      put_text (b, "path", o->path);
      put_text (b, "why", o->why);
      put_int (b, "bytes", o->bytes);
      say (b);
    }
  return 0;
}

static int
search (const char *words)
{
  GError *error = NULL;
  EaselHubReason reason;
  g_autoptr (GPtrArray) hits = easel_hub_search (settings, words, 20, NULL, &reason, &error);

  if (!hits)
    return fail (error, reason, NULL);
  for (guint i = 0; i < hits->len; i++)
    {
      EaselHubHit *hit = hits->pdata[i];
      JsonBuilder *b = begin ();

      put_text (b, "repo", hit->repo);
      put_text (b, "class", hit->pipeline_class);
      put_text (b, "licence", hit->licence);
      put_int (b, "gated", hit->gated);
      put_int (b, "downloads", hit->downloads);
      say (b);
    }
  return 0;
}

int
main (int argc, char **argv)
{
  EaselHubSettings *s = settings = easel_hub_settings_new ("cache");
  GOptionEntry options[] = {
    { "endpoint", 0, 0, G_OPTION_ARG_STRING, &s->endpoint, NULL, NULL },
    { "cache", 0, 0, G_OPTION_ARG_STRING, &s->cache_dir, NULL, NULL },
    { "import", 0, 0, G_OPTION_ARG_STRING_ARRAY, &s->import_dirs, NULL, NULL },
    { "token", 0, 0, G_OPTION_ARG_STRING, &s->token, NULL, NULL },
    { "proxy", 0, 0, G_OPTION_ARG_STRING, &s->proxy, NULL, NULL },
    { "ca", 0, 0, G_OPTION_ARG_STRING, &s->ca_file, NULL, NULL },
    { "offline", 0, 0, G_OPTION_ARG_NONE, &s->offline, NULL, NULL },
    { "no-links", 0, 0, G_OPTION_ARG_NONE, &s->no_links, NULL, NULL },
    { "no-sync", 0, 0, G_OPTION_ARG_NONE, &s->no_sync, NULL, NULL },
    { "connections", 0, 0, G_OPTION_ARG_INT, &s->connections, NULL, NULL },
    { "rate", 0, 0, G_OPTION_ARG_INT64, &s->rate, NULL, NULL },
    { "keep-free", 0, 0, G_OPTION_ARG_INT64, &s->keep_free, NULL, NULL },
    { "piece", 0, 0, G_OPTION_ARG_INT64, &s->piece, NULL, NULL },
    { "block", 0, 0, G_OPTION_ARG_INT64, &s->block, NULL, NULL },
    { "stall-ms", 0, 0, G_OPTION_ARG_INT, &s->stall_ms, NULL, NULL },
    { "retries", 0, 0, G_OPTION_ARG_INT, &s->retries, NULL, NULL },
    { "backoff-ms", 0, 0, G_OPTION_ARG_INT, &s->backoff_ms, NULL, NULL },
    { "network-wait-ms", 0, 0, G_OPTION_ARG_INT, &s->network_wait_ms, NULL, NULL },
    { "max-files", 0, 0, G_OPTION_ARG_INT, &s->max_files, NULL, NULL },
    { "queue", 0, 0, G_OPTION_ARG_FILENAME, &queue_file, NULL, NULL },
    { "pause-ms", 0, 0, G_OPTION_ARG_INT, &pause_ms, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("COMMAND [REPO [REVISION [PRECISION]]]");
  g_autoptr (GError) error = NULL;
  const char *command, *repo, *revision, *precision;

  s->network_wait_ms = 0;
  g_clear_pointer (&s->endpoint, g_free); /* the option parser replaces without freeing */
  g_clear_pointer (&s->cache_dir, g_free);
  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc < 2)
    {
      fprintf (stderr, "hubtool: %s\n", error ? error->message : "what?");
      return 2;
    }
  if (!s->cache_dir)
    s->cache_dir = g_strdup ("cache");
  command = argv[1];
  repo = argc > 2 ? argv[2] : "";
  revision = argc > 3 && *argv[3] ? argv[3] : NULL;
  precision = argc > 4 ? argv[4] : NULL;
  if (strcmp (command, "plan") == 0)
    return plan (repo, revision, precision);
  if (strcmp (command, "pull") == 0)
    return pull (repo, revision, precision);
  if (strcmp (command, "verify") == 0 || strcmp (command, "deep") == 0)
    return verify (repo, revision, strcmp (command, "deep") == 0, FALSE);
  if (strcmp (command, "repair") == 0)
    return verify (repo, revision, TRUE, TRUE);
  if (strcmp (command, "remove") == 0 || strcmp (command, "remove-dry") == 0)
    return remove_it (repo, revision, strcmp (command, "remove-dry") == 0);
  if (strcmp (command, "licence") == 0)
    return licence (repo, revision);
  if (strcmp (command, "queue") == 0)
    return queue ();
  if (strcmp (command, "installed") == 0)
    return list_installed ();
  if (g_str_has_prefix (command, "orphans"))
    return list_orphans (strcmp (command, "orphans-remove") == 0);
  if (strcmp (command, "search") == 0)
    return search (repo);
  fprintf (stderr, "hubtool: no command %s\n", command);
  return 2;
}
