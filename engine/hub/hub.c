/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselHub: the queue and its thread. One download at a time has the network, the first in the queue that can run; it
 * is told top to bottom in run_download(). What must survive a crash is on disk: parts, listing, and the wish itself.
 */
#include <string.h>
#include <unistd.h>

#include "engine/hub/hub-private.h"

struct _EaselHub
{
  GObject parent;

  GMainContext *context; /* owned */
  GListStore *list;      /* EaselDownload; the owner's thread only */
  GThread *thread;       /* the owner's thread starts it */

  /* Under `lock`: */
  GMutex lock;
  GCond cond;
  EaselHubSettings *settings;
  GPtrArray *order;       /* owned EaselDownload, as in `list` */
  EaselDownload *current; /* borrowed from `order`, or NULL */
  CURLM *multi;           /* of the running fetch, to wake it */
  GPtrArray *unseen;      /* owned EaselDownload of which nobody looked yet how much is on disk */
  guint generation;       /* of the settings: what runs with older ones begins again */
  gboolean quit;

  /* Under `keeping`, which is taken first: */
  GMutex keeping;
  char *queue_file, *kept; /* what is in it; NULL: the queue is not kept */
};

G_DEFINE_FINAL_TYPE (EaselHub, easel_hub, G_TYPE_OBJECT)

/* Writes the queue when it changed. Any thread. */
static void
keep_queue (EaselHub *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  g_mutex_lock (&self->keeping);
  if (self->queue_file)
    {
      g_mutex_lock (&self->lock);
      text = easel_queue_text (self->order);
      g_mutex_unlock (&self->lock);
      if (g_strcmp0 (text, self->kept) != 0)
        {
          if (!g_file_set_contents_full (self->queue_file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
            g_debug ("hub: %s", error->message); /* the parts are on disk all the same, and found there */
          g_free (self->kept);
          self->kept = g_steal_pointer (&text);
        }
    }
  g_mutex_unlock (&self->keeping);
}

static void
wake (gpointer data)
{
  EaselHub *self = data;

  keep_queue (self);
  g_mutex_lock (&self->lock);
  if (self->multi)
    curl_multi_wakeup (self->multi);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static gboolean
can_run (EaselDownload *download, gint64 now)
{
  EaselDownloadState state = easel_download_get_state (download);

  if (easel_download_get_want (download) != EASEL_WANT_RUN)
    return FALSE;
  return state == EASEL_DOWNLOAD_WAITING || state == EASEL_DOWNLOAD_PLANNING || state == EASEL_DOWNLOAD_DOWNLOADING ||
         state == EASEL_DOWNLOAD_VERIFYING ||
         (state == EASEL_DOWNLOAD_NO_NETWORK && easel_download_get_retry_at (download) <= now);
}

static EaselDownload *
first_locked (EaselHub *self)
{
  gint64 now = g_get_monotonic_time ();

  for (guint i = 0; i < self->order->len; i++)
    if (can_run (self->order->pdata[i], now))
      return self->order->pdata[i];
  return NULL;
}

typedef struct
{
  EaselHub *hub;
  EaselDownload *download;
  EaselHubPlan *plan;
  guint generation;
} Run;

/* Paused, cancelled, quitting, new settings, or another one was moved to the front: FALSE. */
static gboolean
go_on (gpointer data)
{
  Run *run = data;
  gboolean on;

  if (easel_download_get_want (run->download) != EASEL_WANT_RUN)
    return FALSE;
  g_mutex_lock (&run->hub->lock);
  on = !run->hub->quit && run->hub->generation == run->generation && first_locked (run->hub) == run->download;
  g_mutex_unlock (&run->hub->lock);
  return on;
}

static void
report (const EaselDownloadProgress *progress, const char *detail, gpointer data)
{
  Run *run = data;
  easel_download_report (run->download, progress, detail);
}

static void
multi_ready (CURLM *multi, gpointer data)
{
  Run *run = data;

  g_mutex_lock (&run->hub->lock);
  run->hub->multi = multi;
  g_mutex_unlock (&run->hub->lock);
}

static void
forget_listing (EaselHubSession *session, const EaselHubPlan *plan)
{
  g_autofree char *dir = easel_hub_cache_repo_dir (session->settings->cache_dir, plan->repo);
  static const char *const endings[] = { ".easel.json", ".json" };

  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_autofree char *name = g_strconcat (plan->commit, endings[i], NULL);
      g_autofree char *path = g_build_filename (dir, "trees", name, NULL);
      unlink (path);
    }
}

/* Plans and fetches; once more with a fresh list when a file changed in between. */
static EaselFetchResult
plan_and_fetch (Run *run, EaselHubSession *session, GError **error)
{
  EaselFetch fetch = { session, NULL, go_on, report, multi_ready, run };
  const char *repo = easel_download_get_repo (run->download), *revision = easel_download_get_revision (run->download);
  const char *precision = easel_download_get_precision (run->download);

  for (int attempt = 0;; attempt++)
    {
      g_autoptr (GError) local = NULL;
      EaselFetchResult result = EASEL_FETCH_FAILED;

      g_clear_pointer (&run->plan, easel_hub_plan_free);
      run->plan = easel_hub_plan_in_session (session, repo, revision, precision, &local);
      if (run->plan)
        {
          g_autofree char *path =
            easel_hub_cache_pointer (session->settings->cache_dir, repo, run->plan->commit, "model_index.json");
          g_autofree char *folder = g_path_get_dirname (path);

          easel_download_set_snapshot (run->download, folder);
          if (easel_hub_cache_prepare (session, repo, run->plan->revision, run->plan->commit, NULL))
            easel_want_save (session, repo, revision, precision, NULL);
          fetch.plan = run->plan;
          result = easel_fetch_run (&fetch, &local);
        }
      if (result != EASEL_FETCH_FAILED || session->reason != EASEL_HUB_REASON_CHANGED || attempt > 0)
        {
          if (local)
            g_propagate_error (error, g_steal_pointer (&local));
          return result;
        }
      if (run->plan)
        forget_listing (session, run->plan);
    }
}

static void
finish (Run *run, EaselHubSession *session)
{
  EaselHubPlan *plan = run->plan;
  gboolean complete = TRUE;
  EaselDownloadProgress p = easel_download_get_progress (run->download);

  /* With a list of everything beside it, huggingface_hub calls a snapshot with less incomplete; so only when it is. */
  for (guint i = 0; i < plan->files->len && complete; i++)
    complete = easel_hub_cache_has (session->settings->cache_dir, plan->repo, plan->commit, plan->files->pdata[i]) == 2;
  if (complete)
    easel_listing_save (session, plan->repo, plan->commit, plan->files, NULL, NULL);
  easel_want_delete (session->settings->cache_dir, plan->repo);
  p.state = EASEL_DOWNLOAD_VERIFYING;
  p.bytes_done = p.bytes_total = p.bytes_verified = plan->bytes;
  p.rate = 0;
  p.eta = 0;
  easel_download_report (run->download, &p, NULL);
  easel_download_set_state (run->download, EASEL_DOWNLOAD_DONE, EASEL_HUB_REASON_NONE, NULL, NULL, NULL);
}

static void
fail (Run *run, EaselHubSession *session, GError *error)
{
  gboolean network = session->reason == EASEL_HUB_REASON_NO_NETWORK || session->reason == EASEL_HUB_REASON_PORTAL;
  int wait = session->settings->network_wait_ms;

  if (network && wait > 0)
    easel_download_set_retry_at (run->download, g_get_monotonic_time () + (gint64) wait * 1000);
  easel_download_set_state (run->download,
                            network && wait > 0 ? EASEL_DOWNLOAD_NO_NETWORK : EASEL_DOWNLOAD_FAILED, session->reason,
                            error, NULL, session->page);
}

static void
delete_parts (EaselHubSession *session, const char *repo)
{
  g_autofree char *dir = easel_hub_cache_repo_dir (session->settings->cache_dir, repo);
  g_autofree char *blobs = g_build_filename (dir, "blobs", NULL);
  GDir *entries = g_dir_open (blobs, 0, NULL);
  const char *name;

  while (entries && (name = g_dir_read_name (entries)))
    if (g_str_has_suffix (name, ".easel.incomplete"))
      {
        g_autofree char *etag = g_strndup (name, strlen (name) - strlen (".easel.incomplete"));
        g_autofree char *blob = g_build_filename (blobs, etag, NULL);
        int lock = easel_hub_cache_lock (session->settings->cache_dir, repo, etag);

        if (lock >= 0)
          easel_part_delete (blob);
        easel_hub_cache_unlock (lock);
      }
  g_clear_pointer (&entries, g_dir_close);
}

/* What a download left: its parts, and the snapshot when it never became complete. */
static void
delete_unfinished (EaselHubSession *session, const char *repo, const char *revision)
{
  const char *cache = session->settings->cache_dir;
  g_autofree char *snapshot = NULL, *index = NULL;

  delete_parts (session, repo);
  snapshot = easel_hub_snapshot_path (cache, repo, revision, NULL);
  index = snapshot ? g_build_filename (snapshot, "model_index.json", NULL) : NULL;
  if (index && !g_file_test (index, G_FILE_TEST_EXISTS))
    easel_hub_remove (cache, repo, revision, FALSE, NULL);
}

/* A line of work for this download: the settings of now, its own folder. */
static EaselHubSession *
session_for (EaselHub *self, EaselDownload *download, guint *generation)
{
  EaselHubSession *session;

  g_mutex_lock (&self->lock);
  session = easel_hub_session_new (self->settings, NULL);
  if (generation)
    *generation = self->generation;
  g_mutex_unlock (&self->lock);
  g_free (session->settings->cache_dir);
  session->settings->cache_dir = g_strdup (easel_download_get_cache_dir (download));
  return session;
}

/* After a download stopped because somebody wanted it to, or one that was not running is to stop. */
static void
settle (EaselHub *self, EaselDownload *download)
{
  g_autoptr (EaselHubSession) session = NULL;
  EaselDownloadWant want = easel_download_get_want (download);

  if (want == EASEL_WANT_RUN || want == EASEL_WANT_PAUSE)
    {
      easel_download_set_state (download, want == EASEL_WANT_RUN ? EASEL_DOWNLOAD_WAITING : EASEL_DOWNLOAD_PAUSED,
                                EASEL_HUB_REASON_NONE, NULL, NULL, NULL);
      return;
    }
  session = session_for (self, download, NULL);
  easel_want_delete (session->settings->cache_dir, easel_download_get_repo (download));
  if (want == EASEL_WANT_CANCEL_AND_DELETE)
    delete_unfinished (session, easel_download_get_repo (download), easel_download_get_revision (download));
  easel_download_set_state (download, EASEL_DOWNLOAD_CANCELLED, EASEL_HUB_REASON_CANCELLED,
                            g_error_new (EASEL_ERROR, EASEL_ERROR_CANCELLED, "Stopped because you asked."), NULL, NULL);
}

static void
run_download (EaselHub *self, EaselDownload *download)
{
  Run run = { self, download, NULL, 0 };
  g_autoptr (EaselHubSession) session = NULL;
  g_autoptr (GError) error = NULL;

  session = session_for (self, download, &run.generation);
  session->go_on = go_on;
  session->go_on_data = &run;

  easel_download_set_state (download, EASEL_DOWNLOAD_PLANNING, EASEL_HUB_REASON_NONE, NULL, NULL, NULL);
  switch (plan_and_fetch (&run, session, &error))
    {
    case EASEL_FETCH_DONE:
      finish (&run, session);
      break;
    case EASEL_FETCH_STOPPED:
      settle (self, download);
      break;
    case EASEL_FETCH_FAILED:
      if (session->reason == EASEL_HUB_REASON_CANCELLED)
        settle (self, download);
      else
        fail (&run, session, g_steal_pointer (&error));
      break;
    }
  g_clear_pointer (&run.plan, easel_hub_plan_free);
}

/* How much of a download of an earlier run is on disk, from the list that was saved with it. */
static void
look (EaselHub *self, EaselDownload *download)
{
  g_autoptr (EaselHubSession) session = session_for (self, download, NULL);
  g_autoptr (EaselHubPlan) plan = NULL;

  session->settings->offline = TRUE;
  plan = easel_hub_plan_in_session (session, easel_download_get_repo (download), easel_download_get_revision (download),
                                    easel_download_get_precision (download), NULL);
  if (plan)
    easel_download_set_size (download, plan->here, plan->bytes);
}

/* A download that is not running and is to stop: paused or cancelled while waiting. */
static EaselDownload *
to_settle_locked (EaselHub *self)
{
  for (guint i = 0; i < self->order->len; i++)
    {
      EaselDownload *download = self->order->pdata[i];
      EaselDownloadWant want = easel_download_get_want (download);
      EaselDownloadState state = easel_download_get_state (download);
      gboolean over = state == EASEL_DOWNLOAD_DONE || state == EASEL_DOWNLOAD_CANCELLED;

      if ((want == EASEL_WANT_PAUSE && !over && state != EASEL_DOWNLOAD_PAUSED) ||
          (want >= EASEL_WANT_CANCEL && !over))
        return download;
    }
  return NULL;
}

static gint64
next_retry_locked (EaselHub *self)
{
  gint64 next = G_MAXINT64;

  for (guint i = 0; i < self->order->len; i++)
    if (easel_download_get_state (self->order->pdata[i]) == EASEL_DOWNLOAD_NO_NETWORK)
      next = MIN (next, MAX (1, easel_download_get_retry_at (self->order->pdata[i])));
  return next;
}

static gpointer
hub_thread (gpointer data)
{
  EaselHub *self = data;

  g_mutex_lock (&self->lock);
  while (!self->quit)
    {
      g_autoptr (EaselDownload) unseen = self->unseen->len > 0 ? g_ptr_array_steal_index (self->unseen, 0) : NULL;
      g_autoptr (EaselDownload) stop = unseen ? NULL : to_settle_locked (self);
      g_autoptr (EaselDownload) run = unseen || stop ? NULL : first_locked (self);

      if (!unseen && !stop && !run)
        {
          gint64 next = next_retry_locked (self);

          if (next == G_MAXINT64)
            g_cond_wait (&self->cond, &self->lock);
          else
            g_cond_wait_until (&self->cond, &self->lock, next);
          continue;
        }
      if (stop)
        g_object_ref (stop);
      if (run)
        g_object_ref (run);
      self->current = run;
      g_mutex_unlock (&self->lock);
      if (unseen)
        look (self, unseen);
      else if (stop)
        settle (self, stop);
      else
        run_download (self, run);
      keep_queue (self);
      g_mutex_lock (&self->lock);
      self->current = NULL;
    }
  g_mutex_unlock (&self->lock);
  return NULL;
}

/* ---- the object -------------------------------------------------------------------------------------------------- */

static void
easel_hub_finalize (GObject *object)
{
  EaselHub *self = EASEL_HUB (object);

  g_mutex_lock (&self->lock);
  self->quit = TRUE;
  if (self->multi)
    curl_multi_wakeup (self->multi);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  if (self->thread)
    g_thread_join (self->thread);
  for (guint i = 0; i < self->order->len; i++)
    easel_download_detach (self->order->pdata[i]);
  g_ptr_array_unref (self->order);
  g_ptr_array_unref (self->unseen);
  g_free (self->queue_file);
  g_free (self->kept);
  g_clear_object (&self->list);
  easel_hub_settings_free (self->settings);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->keeping);
  g_cond_clear (&self->cond);
  G_OBJECT_CLASS (easel_hub_parent_class)->finalize (object);
}

static void
easel_hub_class_init (EaselHubClass *class)
{
  G_OBJECT_CLASS (class)->finalize = easel_hub_finalize;
}

static void
easel_hub_init (EaselHub *self)
{
  g_mutex_init (&self->lock);
  g_mutex_init (&self->keeping);
  g_cond_init (&self->cond);
  self->unseen = g_ptr_array_new_with_free_func (g_object_unref);
  self->list = g_list_store_new (EASEL_TYPE_DOWNLOAD);
  self->order = g_ptr_array_new_with_free_func (g_object_unref);
  self->context = g_main_context_ref_thread_default ();
}

EaselHub *
easel_hub_new (const EaselHubSettings *settings)
{
  EaselHub *self = g_object_new (EASEL_TYPE_HUB, NULL);

  self->settings = easel_hub_settings_copy (settings);
  return self;
}

void
easel_hub_set_settings (EaselHub *self, const EaselHubSettings *settings)
{
  gboolean differ;

  g_mutex_lock (&self->lock);
  differ = easel_hub_settings_differ (self->settings, settings);
  easel_hub_settings_free (self->settings);
  self->settings = easel_hub_settings_copy (settings);
  self->generation += differ;
  g_mutex_unlock (&self->lock);
  if (differ)
    easel_hub_network_changed (self);
}

static EaselDownload *
find (EaselHub *self, const EaselWish *wish)
{
  for (guint i = 0; i < self->order->len; i++)
    {
      EaselDownload *d = self->order->pdata[i];
      EaselDownloadState state = easel_download_get_state (d);

      if (state != EASEL_DOWNLOAD_DONE && state != EASEL_DOWNLOAD_CANCELLED &&
          strcmp (easel_download_get_cache_dir (d), wish->cache_dir) == 0 &&
          strcmp (easel_download_get_repo (d), wish->repo) == 0 &&
          strcmp (easel_download_get_revision (d), wish->revision) == 0 &&
          strcmp (easel_download_get_precision (d), wish->precision) == 0)
        return d;
    }
  return NULL;
}

static void
append (EaselHub *self, EaselDownload *download)
{
  g_list_store_append (self->list, download);
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->order, g_object_ref (download));
  g_mutex_unlock (&self->lock);
  if (!self->thread)
    self->thread = g_thread_new ("easel-hub", hub_thread, self);
  wake (self);
}

EaselDownload *
easel_hub_pull (EaselHub *self, const char *cache_dir, const char *repo, const char *revision, const char *precision)
{
  EaselWish wish = { NULL, (char *) repo, (char *) (revision ? revision : "main"),
                     (char *) (precision ? precision : "auto"), FALSE };
  g_autofree char *folder = g_canonicalize_filename (cache_dir ? cache_dir : self->settings->cache_dir, NULL);
  EaselDownload *download;

  wish.cache_dir = folder;
  download = find (self, &wish);
  if (download)
    {
      easel_download_resume (download);
      return g_object_ref (download);
    }
  download = easel_download_new (&wish, self->context, wake, self);
  append (self, download);
  return download;
}

/* Puts the wishes that are not in the queue at its end. */
static void
append_all (EaselHub *self, GPtrArray *wishes)
{
  for (guint i = 0; i < wishes->len; i++)
    if (!find (self, wishes->pdata[i]))
      {
        g_autoptr (EaselDownload) download = easel_download_new (wishes->pdata[i], self->context, wake, self);

        g_mutex_lock (&self->lock);
        g_ptr_array_add (self->unseen, g_object_ref (download));
        g_mutex_unlock (&self->lock);
        append (self, download);
      }
}

void
easel_hub_restore (EaselHub *self, const char *queue_file, const char *const *cache_dirs)
{
  g_autoptr (GPtrArray) queued = easel_queue_load (queue_file);

  append_all (self, queued);
  for (; *cache_dirs; cache_dirs++)
    {
      g_autoptr (GPtrArray) left = easel_wants_in (*cache_dirs);
      append_all (self, left);
    }
  g_mutex_lock (&self->keeping);
  self->queue_file = g_strdup (queue_file);
  g_mutex_unlock (&self->keeping);
  keep_queue (self);
}

GListModel *
easel_hub_get_queue (EaselHub *self)
{
  return G_LIST_MODEL (self->list);
}

void
easel_hub_move (EaselHub *self, EaselDownload *download, guint position)
{
  guint at;

  if (!g_list_store_find (self->list, download, &at))
    return;
  position = MIN (position, self->order->len - 1);
  g_object_ref (download);
  g_list_store_remove (self->list, at);
  g_list_store_insert (self->list, position, download);
  g_mutex_lock (&self->lock);
  g_ptr_array_insert (self->order, (int) position, g_ptr_array_steal_index (self->order, at));
  g_mutex_unlock (&self->lock);
  g_object_unref (download);
  wake (self);
}

void
easel_hub_forget (EaselHub *self, EaselDownload *download)
{
  EaselDownloadState state = easel_download_get_state (download);
  guint at;

  if (!g_list_store_find (self->list, download, &at) ||
      (state != EASEL_DOWNLOAD_DONE && state != EASEL_DOWNLOAD_FAILED && state != EASEL_DOWNLOAD_CANCELLED))
    return;
  if (state == EASEL_DOWNLOAD_FAILED)
    easel_want_delete (easel_download_get_cache_dir (download), easel_download_get_repo (download));
  g_mutex_lock (&self->lock);
  easel_download_detach (download);
  g_ptr_array_remove_index (self->order, at);
  g_mutex_unlock (&self->lock);
  g_list_store_remove (self->list, at);
  keep_queue (self);
}

void
easel_hub_network_changed (EaselHub *self)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->order->len; i++)
    easel_download_set_retry_at (self->order->pdata[i], 0);
  g_mutex_unlock (&self->lock);
  wake (self);
}

gboolean
easel_hub_is_busy (EaselHub *self)
{
  gboolean busy;

  g_mutex_lock (&self->lock);
  busy = self->current != NULL;
  g_mutex_unlock (&self->lock);
  return busy;
}
