/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * models search|plan|pull|verify|repair|remove: the Hub and the models on disk.
 */
#include "app/cli-hub.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/hub-environment.h"
#include "engine/hub/catalogue.h"
#include "engine/hub/hub.h"
#include "engine/hub/secret.h"

/* A handler and not a blocked signal: OpenBLAS has threads before main, which would not have it blocked. */
static volatile sig_atomic_t interrupted;

static void
interrupt_cb (int number G_GNUC_UNUSED)
{
  interrupted = 1;
}

/* From here on Ctrl+C is noticed, not died of. */
static void
watch_signals (void)
{
  struct sigaction action = { .sa_handler = interrupt_cb, .sa_flags = SA_RESTART };

  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

/* ---- what the command line and the environment say --------------------------------------------------------------- */

/* "5M" bytes a second; 0 when it is no number. */
static gint64
parse_rate (const char *text)
{
  char *end = NULL;
  gint64 value = g_ascii_strtoll (text, &end, 10);
  int shift = 0;

  if (end == text || value <= 0 || value > (gint64) 1 << 40)
    return 0;
  switch (g_ascii_toupper (*end))
    {
    case 'G':
      shift += 10;
      G_GNUC_FALLTHROUGH;
    case 'M':
      shift += 10;
      G_GNUC_FALLTHROUGH;
    case 'K':
      shift += 10;
      end++;
      break;
    default:
      break;
    }
  return *end || shift > 20 ? 0 : value << shift;
}

static EaselHubSettings *
read_settings (const CliArgs *args, gboolean network, GError **error)
{
  g_autoptr (EaselHubSettings) s = hub_environment_settings (network && !args->login);

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
  if (args->limit && (s->rate = parse_rate (args->limit)) == 0)
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

/* data/catalogue.yaml beside the program or installed, and the person's own. NULL when there is none. */
static GPtrArray *
read_catalogue (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program ? g_path_get_dirname (program) : g_strdup (".");
  g_autofree char *own = g_build_filename (g_get_user_data_dir (), "easel", "catalogue.yaml", NULL);
  char *places[] = { g_build_filename (folder, "..", "..", "data", "catalogue.yaml", NULL),
                                g_build_filename (folder, "..", "share", "easel", "catalogue.yaml", NULL),
                                g_build_filename (EASEL_DATADIR, "easel", "catalogue.yaml", NULL) };
  GPtrArray *entries = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autoptr (GError) error = NULL;

      if (!entries && g_file_test (places[i], G_FILE_TEST_EXISTS) &&
          !(entries = easel_catalogue_load (places[i], own, &error)))
        {
          fprintf (stderr, "easel-cli: %s\n", error->message);
          entries = easel_catalogue_load (places[i], NULL, NULL);
        }
    }
  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    g_free (places[i]);
  return entries;
}

/* What a person names: an entry of the catalogue, or owner/name. */
typedef struct
{
  GPtrArray *catalogue;
  const EaselCatalogueEntry *entry; /* or NULL */
  const char *repo, *revision, *precision;
} Wanted;

static Wanted
find_wanted (const CliArgs *args, const char *name)
{
  Wanted w = { .catalogue = read_catalogue (), .repo = name, .revision = "main", .precision = "auto" };

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

static void
wanted_clear (Wanted *w)
{
  g_clear_pointer (&w->catalogue, g_ptr_array_unref);
}

static CliStatus
failed_for (const CliArgs *args, const GError *error, EaselHubReason reason, const char *page)
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

/* ---- search ------------------------------------------------------------------------------------------------------ */

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
  g_autoptr (GPtrArray) entries = read_catalogue ();
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

static CliStatus
run_search (const CliArgs *args)
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
  if (!(settings = read_settings (args, TRUE, &error)))
    return cli_failed (error);
  hits = easel_hub_search (settings, words->str, 30, NULL, &reason, &error);
  if (!hits)
    return failed_for (args, error, reason, NULL);
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

/* ---- plan and pull ----------------------------------------------------------------------------------------------- */

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

static CliStatus
run_plan (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = read_settings (args, TRUE, &error);
  g_autoptr (EaselHubPlan) plan = NULL;
  g_autofree char *page = NULL;
  EaselHubReason reason = EASEL_HUB_REASON_NONE;
  Wanted w = find_wanted (args, name);
  CliStatus status = CLI_OK;

  if (settings)
    plan = easel_hub_plan (settings, w.repo, w.revision, w.precision, NULL, &reason, &page, &error);
  if (!plan)
    status = failed_for (args, error, reason, page);
  else if (args->json)
    print_plan_json (plan, w.entry);
  else
    print_plan (plan, w.entry);
  wanted_clear (&w);
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
  g_autofree char *fetched = cli_format_bytes (p.fetched);

  if (!args->json && !args->quiet && isatty (STDERR_FILENO))
    fputs ("\r\033[K", stderr);
  if (p.state != EASEL_DOWNLOAD_DONE)
    {
      g_autoptr (GError) stopped = g_error_new (EASEL_ERROR, EASEL_ERROR_CANCELLED,
                                                "Stopped. The same command goes on where it was.");
      return failed_for (args, error && p.state != EASEL_DOWNLOAD_CANCELLED ? error : stopped, p.reason, page);
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

static CliStatus
pull_with (const CliArgs *args, const EaselHubSettings *settings, const Wanted *w)
{
  g_autoptr (EaselHub) hub = NULL;
  g_autoptr (EaselDownload) download = NULL;

  hub = easel_hub_new (settings);
  download = easel_hub_pull (hub, w->repo, w->revision, w->precision);
  while (!easel_download_wait (download, 250))
    {
      say_progress (args, download);
      if (interrupted)
        easel_download_cancel (download, TRUE);
    }
  return end_pull (args, download);
}

static CliStatus
run_pull (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = read_settings (args, TRUE, &error);
  Wanted w = find_wanted (args, name);
  CliStatus status;

  if (!settings)
    status = cli_failed (error);
  else
    {
      if (w.entry && !args->json && !args->quiet)
        fprintf (stderr, "%s. Licence: %s, %s\n", w.entry->title, w.entry->licence_name, w.entry->licence_link);
      status = pull_with (args, settings, &w);
    }
  wanted_clear (&w);
  return status;
}

/* ---- verify, repair, remove -------------------------------------------------------------------------------------- */

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

  if (interrupted)
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

static CliStatus
run_verify (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = read_settings (args, FALSE, &error);
  g_autoptr (GPtrArray) all = NULL;
  CliStatus status = CLI_OK;
  guint n = 0;

  if (!settings)
    return cli_failed (error);
  if (name)
    {
      Wanted w = find_wanted (args, name);
      g_autoptr (GPtrArray) findings = check_one (args, settings, w.repo, w.revision, args->deep, &error);

      status = !findings ? cli_failed (error) : findings->len > 0 ? CLI_FAILED : CLI_OK;
      n = 1;
      wanted_clear (&w);
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

static CliStatus
run_repair (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = read_settings (args, TRUE, &error);
  g_autoptr (GPtrArray) findings = NULL;
  Wanted w = find_wanted (args, name);
  CliStatus status = CLI_FAILED;

  if (settings)
    findings = check_one (args, settings, w.repo, w.revision, TRUE, &error);
  if (findings && findings->len == 0)
    {
      status = CLI_OK;
      if (!args->json && !args->quiet)
        puts ("Nothing is wrong.");
    }
  else if (findings && easel_hub_repair (settings->cache_dir, w.repo, w.revision, findings, &error) >= 0)
    status = pull_with (args, settings, &w);
  else
    status = cli_failed (error);
  wanted_clear (&w);
  return status;
}

static CliStatus
run_remove (const CliArgs *args, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = read_settings (args, FALSE, &error);
  Wanted w = find_wanted (args, name);
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
  wanted_clear (&w);
  return status;
}

/* Leftovers of every repository: remove --orphans. */
static CliStatus
run_orphans (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = read_settings (args, FALSE, &error);
  g_autoptr (GPtrArray) found = NULL;
  g_autofree char *text = NULL;
  gint64 bytes = 0;

  if (!settings)
    return cli_failed (error);
  found = easel_hub_orphans (settings->cache_dir, !args->dry_run);
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

CliStatus
cli_hub (const CliArgs *args)
{
  static const char *const words[] = { "search", "plan", "pull", "verify", "repair", "remove" };
  const char *word = args->positional->pdata[0];
  const char *name = args->positional->len > 1 ? args->positional->pdata[1] : NULL;
  const char *nearest;

  if (strcmp (word, "search") == 0)
    return run_search (args);
  if (strcmp (word, "verify") == 0)
    return run_verify (args, name);
  if (strcmp (word, "remove") == 0 && args->orphans)
    return run_orphans (args);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (strcmp (word, words[i]) == 0 && !name)
      return cli_usage ("'models %s' needs a model: a name that 'easel-cli models search' lists, or owner/name.", word);
  if (strcmp (word, "plan") == 0)
    return run_plan (args, name);
  if (strcmp (word, "pull") == 0)
    {
      watch_signals ();
      return run_pull (args, name);
    }
  if (strcmp (word, "repair") == 0)
    {
      watch_signals ();
      return run_repair (args, name);
    }
  if (strcmp (word, "remove") == 0)
    return run_remove (args, name);
  nearest = cli_nearest (word, words, G_N_ELEMENTS (words));
  return nearest ? cli_usage ("'models' knows no '%s'. Did you mean '%s'?", word, nearest)
                 : cli_usage ("'models' knows search, plan, pull, verify, repair and remove, not '%s'.", word);
}
