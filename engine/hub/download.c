/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselDownload: one entry of the queue, written by the hub's thread, read by anybody, bound to by widgets.
 */
#include <string.h>

#include "engine/hub/hub-private.h"

struct _EaselDownload
{
  GObject parent;

  char *cache_dir, *repo, *revision, *precision;
  GMainContext *context; /* owned: where notify is emitted */

  /* Under `lock`: */
  GMutex lock;
  GCond changed;
  EaselDownloadWant want;
  EaselDownloadProgress progress;
  char *detail, *page, *snapshot;
  GError *error;
  gint64 retry_at;
  gboolean notify_pending;
  void (*wake) (gpointer hub);
  gpointer hub; /* not owned; NULL once the hub is gone */
};

enum
{
  PROP_REPO = 1,
  PROP_STATE,
  PROP_REASON,
  PROP_DETAIL,
  PROP_BYTES_DONE,
  PROP_BYTES_TOTAL,
  PROP_RATE,
  PROP_ETA,
  N_PROPS
};
static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (EaselDownload, easel_download, G_TYPE_OBJECT)

const char *
easel_download_state_name (EaselDownloadState state)
{
  static const char *const names[] = { "waiting", "planning", "downloading", "verifying", "paused",
                                       "no-network", "failed", "cancelled", "done" };
  return (guint) state < G_N_ELEMENTS (names) ? names[state] : "unknown";
}

static void
easel_download_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  EaselDownload *self = EASEL_DOWNLOAD (object);
  EaselDownloadProgress p = easel_download_get_progress (self);

  switch (id)
    {
    case PROP_REPO:
      g_value_set_string (value, self->repo);
      break;
    case PROP_STATE:
      g_value_set_int (value, p.state);
      break;
    case PROP_REASON:
      g_value_set_int (value, p.reason);
      break;
    case PROP_DETAIL:
      g_value_take_string (value, easel_download_dup_detail (self));
      break;
    case PROP_BYTES_DONE:
      g_value_set_int64 (value, p.bytes_done);
      break;
    case PROP_BYTES_TOTAL:
      g_value_set_int64 (value, p.bytes_total);
      break;
    case PROP_RATE:
      g_value_set_double (value, p.rate);
      break;
    case PROP_ETA:
      g_value_set_double (value, p.eta);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
easel_download_finalize (GObject *object)
{
  EaselDownload *self = EASEL_DOWNLOAD (object);

  g_free (self->cache_dir);
  g_free (self->repo);
  g_free (self->revision);
  g_free (self->precision);
  g_free (self->detail);
  g_free (self->page);
  g_free (self->snapshot);
  g_clear_error (&self->error);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  G_OBJECT_CLASS (easel_download_parent_class)->finalize (object);
}

static void
easel_download_class_init (EaselDownloadClass *class)
{
  GObjectClass *object = G_OBJECT_CLASS (class);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object->get_property = easel_download_get_property;
  object->finalize = easel_download_finalize;
  props[PROP_REPO] = g_param_spec_string ("repo", NULL, NULL, NULL, flags);
  props[PROP_STATE] = g_param_spec_int ("state", NULL, NULL, 0, EASEL_DOWNLOAD_DONE, 0, flags);
  props[PROP_REASON] = g_param_spec_int ("reason", NULL, NULL, 0, EASEL_HUB_REASON_CANCELLED, 0, flags);
  props[PROP_DETAIL] = g_param_spec_string ("detail", NULL, NULL, NULL, flags);
  props[PROP_BYTES_DONE] = g_param_spec_int64 ("bytes-done", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_BYTES_TOTAL] = g_param_spec_int64 ("bytes-total", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_RATE] = g_param_spec_double ("rate", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);
  props[PROP_ETA] = g_param_spec_double ("eta", NULL, NULL, -1, G_MAXDOUBLE, -1, flags);
  g_object_class_install_properties (object, N_PROPS, props);
}

static void
easel_download_init (EaselDownload *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->progress.eta = -1;
}

EaselDownload *
easel_download_new (const EaselWish *wish, GMainContext *context, void (*wake) (gpointer hub), gpointer hub)
{
  EaselDownload *self = g_object_new (EASEL_TYPE_DOWNLOAD, NULL);

  self->cache_dir = g_strdup (wish->cache_dir);
  self->repo = g_strdup (wish->repo);
  self->revision = g_strdup (wish->revision);
  self->precision = g_strdup (wish->precision);
  self->context = g_main_context_ref (context);
  self->wake = wake;
  self->hub = hub;
  if (wish->paused)
    {
      self->want = EASEL_WANT_PAUSE;
      self->progress.state = EASEL_DOWNLOAD_PAUSED;
    }
  return self;
}

void
easel_download_detach (EaselDownload *self)
{
  g_mutex_lock (&self->lock);
  self->hub = NULL;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* ---- notification ------------------------------------------------------------------------------------------------ */

static gboolean
notify_cb (gpointer data)
{
  EaselDownload *self = data;

  g_mutex_lock (&self->lock);
  self->notify_pending = FALSE;
  g_mutex_unlock (&self->lock);
  g_object_freeze_notify (G_OBJECT (self));
  for (guint i = PROP_STATE; i < N_PROPS; i++)
    g_object_notify_by_pspec (G_OBJECT (self), props[i]);
  g_object_thaw_notify (G_OBJECT (self));
  return G_SOURCE_REMOVE;
}

/* At most one source is pending; progress waits a tenth of a second for more, a new state does not. */
static void
changed_locked (EaselDownload *self, gboolean at_once)
{
  GSource *source;

  g_cond_broadcast (&self->changed);
  if (self->notify_pending && !at_once)
    return;
  self->notify_pending = TRUE;
  source = at_once ? g_idle_source_new () : g_timeout_source_new (100);
  g_source_set_callback (source, notify_cb, g_object_ref (self), g_object_unref);
  g_source_attach (source, self->context);
  g_source_unref (source);
}

void
easel_download_report (EaselDownload *self, const EaselDownloadProgress *progress, const char *detail)
{
  g_mutex_lock (&self->lock);
  {
    gboolean new_state = self->progress.state != progress->state;

    self->progress = *progress;
    if (g_strcmp0 (self->detail, detail) != 0)
      {
        g_free (self->detail);
        self->detail = g_strdup (detail);
      }
    changed_locked (self, new_state);
  }
  g_mutex_unlock (&self->lock);
}

void
easel_download_set_state (EaselDownload *self, EaselDownloadState state, EaselHubReason reason, GError *error,
                          const char *detail, const char *page)
{
  g_mutex_lock (&self->lock);
  self->progress.state = state;
  self->progress.reason = reason;
  if (state != EASEL_DOWNLOAD_DOWNLOADING && state != EASEL_DOWNLOAD_VERIFYING)
    {
      self->progress.rate = 0;
      self->progress.eta = -1;
    }
  g_clear_error (&self->error);
  self->error = error;
  g_free (self->detail);
  self->detail = g_strdup (detail ? detail : error ? error->message : NULL);
  g_free (self->page);
  self->page = g_strdup (page);
  changed_locked (self, TRUE);
  g_mutex_unlock (&self->lock);
}

void
easel_download_set_size (EaselDownload *self, gint64 bytes_done, gint64 bytes_total)
{
  g_mutex_lock (&self->lock);
  if (self->progress.bytes_total == 0)
    {
      self->progress.bytes_done = bytes_done;
      self->progress.bytes_total = bytes_total;
      changed_locked (self, TRUE);
    }
  g_mutex_unlock (&self->lock);
}

void
easel_download_set_snapshot (EaselDownload *self, const char *path)
{
  g_mutex_lock (&self->lock);
  g_free (self->snapshot);
  self->snapshot = g_strdup (path);
  g_mutex_unlock (&self->lock);
}

/* ---- getters ----------------------------------------------------------------------------------------------------- */

const char *
easel_download_get_cache_dir (EaselDownload *self)
{
  return self->cache_dir;
}

const char *
easel_download_get_repo (EaselDownload *self)
{
  return self->repo;
}

const char *
easel_download_get_revision (EaselDownload *self)
{
  return self->revision;
}

const char *
easel_download_get_precision (EaselDownload *self)
{
  return self->precision;
}

EaselDownloadProgress
easel_download_get_progress (EaselDownload *self)
{
  EaselDownloadProgress p;

  g_mutex_lock (&self->lock);
  p = self->progress;
  g_mutex_unlock (&self->lock);
  return p;
}

EaselDownloadState
easel_download_get_state (EaselDownload *self)
{
  return easel_download_get_progress (self).state;
}

static char *
dup_locked (EaselDownload *self, char *const *field)
{
  char *text;

  g_mutex_lock (&self->lock);
  text = g_strdup (*field);
  g_mutex_unlock (&self->lock);
  return text;
}

char *
easel_download_dup_detail (EaselDownload *self)
{
  return dup_locked (self, &self->detail);
}

char *
easel_download_dup_snapshot (EaselDownload *self)
{
  return dup_locked (self, &self->snapshot);
}

char *
easel_download_dup_page (EaselDownload *self)
{
  return dup_locked (self, &self->page);
}

GError *
easel_download_dup_error (EaselDownload *self)
{
  GError *error;

  g_mutex_lock (&self->lock);
  error = self->error ? g_error_copy (self->error) : NULL;
  g_mutex_unlock (&self->lock);
  return error;
}

gint64
easel_download_get_retry_at (EaselDownload *self)
{
  gint64 at;

  g_mutex_lock (&self->lock);
  at = self->retry_at;
  g_mutex_unlock (&self->lock);
  return at;
}

void
easel_download_set_retry_at (EaselDownload *self, gint64 at)
{
  g_mutex_lock (&self->lock);
  self->retry_at = at;
  g_mutex_unlock (&self->lock);
}

EaselDownloadWant
easel_download_get_want (EaselDownload *self)
{
  EaselDownloadWant want;

  g_mutex_lock (&self->lock);
  want = self->want;
  g_mutex_unlock (&self->lock);
  return want;
}

/* ---- what the person wants --------------------------------------------------------------------------------------- */

static void
want (EaselDownload *self, EaselDownloadWant what)
{
  void (*wake) (gpointer hub) = NULL;
  gpointer hub;

  g_mutex_lock (&self->lock);
  if (self->progress.state != EASEL_DOWNLOAD_DONE && self->progress.state != EASEL_DOWNLOAD_CANCELLED)
    {
      self->want = what;
      self->retry_at = 0;
      if (what == EASEL_WANT_RUN &&
          (self->progress.state == EASEL_DOWNLOAD_PAUSED || self->progress.state == EASEL_DOWNLOAD_FAILED ||
           self->progress.state == EASEL_DOWNLOAD_NO_NETWORK))
        {
          self->progress.state = EASEL_DOWNLOAD_WAITING;
          self->progress.reason = EASEL_HUB_REASON_NONE;
          g_clear_error (&self->error);
          g_clear_pointer (&self->detail, g_free);
          changed_locked (self, TRUE);
        }
      wake = self->wake;
    }
  hub = self->hub;
  g_mutex_unlock (&self->lock);
  if (hub && wake)
    wake (hub);
}

void
easel_download_pause (EaselDownload *self)
{
  want (self, EASEL_WANT_PAUSE);
}

void
easel_download_resume (EaselDownload *self)
{
  want (self, EASEL_WANT_RUN);
}

void
easel_download_cancel (EaselDownload *self, gboolean keep)
{
  want (self, keep ? EASEL_WANT_CANCEL : EASEL_WANT_CANCEL_AND_DELETE);
}

gboolean
easel_download_wait (EaselDownload *self, int timeout_ms)
{
  gint64 until = timeout_ms < 0 ? G_MAXINT64 : g_get_monotonic_time () + (gint64) timeout_ms * 1000;
  gboolean over;

  g_mutex_lock (&self->lock);
  for (;;)
    {
      EaselDownloadState s = self->progress.state;

      over = s == EASEL_DOWNLOAD_DONE || s == EASEL_DOWNLOAD_FAILED || s == EASEL_DOWNLOAD_CANCELLED ||
             s == EASEL_DOWNLOAD_PAUSED || s == EASEL_DOWNLOAD_NO_NETWORK;
      if (over || !self->hub)
        break;
      if (until == G_MAXINT64)
        g_cond_wait (&self->changed, &self->lock);
      else if (!g_cond_wait_until (&self->changed, &self->lock, until))
        break;
    }
  g_mutex_unlock (&self->lock);
  return over;
}
