/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Settings, and one line of work with the reason of its last failure.
 */
#include <errno.h>
#include <string.h>

#include "engine/hub/hub-private.h"

EaselHubSettings *
easel_hub_settings_new (const char *cache_dir)
{
  EaselHubSettings *self = g_new0 (EaselHubSettings, 1);

  self->endpoint = g_strdup (EASEL_HUB_ENDPOINT);
  self->cache_dir = g_strdup (cache_dir);
  self->connections = 4;
  self->keep_free = 256 << 20;
  self->piece = 32 << 20;
  self->block = 256 << 10;
  self->connect_ms = 15000;
  self->stall_ms = 30000;
  self->retries = 6;
  self->backoff_ms = 500;
  self->network_wait_ms = 20000;
  self->max_files = 20000;
  return self;
}

EaselHubSettings *
easel_hub_settings_copy (const EaselHubSettings *settings)
{
  EaselHubSettings *self = g_memdup2 (settings, sizeof *settings);

  self->endpoint = g_strdup (settings->endpoint && *settings->endpoint ? settings->endpoint : EASEL_HUB_ENDPOINT);
  for (gsize n = strlen (self->endpoint); n > 0 && self->endpoint[n - 1] == '/'; n--)
    self->endpoint[n - 1] = '\0';
  self->cache_dir = g_strdup (settings->cache_dir);
  self->import_dirs = g_strdupv (settings->import_dirs);
  self->token = settings->token && *settings->token ? g_strdup (settings->token) : NULL;
  self->proxy = g_strdup (settings->proxy);
  self->no_proxy = g_strdup (settings->no_proxy);
  self->ca_file = g_strdup (settings->ca_file);
  self->connections = CLAMP (self->connections, 1, 16);
  self->block = CLAMP (self->block, 4 << 10, 1 << 20);
  self->piece = MAX (self->piece / self->block * self->block, self->block);
  return self;
}

gboolean
easel_hub_settings_differ (const EaselHubSettings *a, const EaselHubSettings *b)
{
  return g_strcmp0 (a->endpoint, b->endpoint) != 0 || g_strcmp0 (a->token, b->token) != 0 ||
         g_strcmp0 (a->proxy, b->proxy) != 0 || g_strcmp0 (a->no_proxy, b->no_proxy) != 0 ||
         g_strcmp0 (a->ca_file, b->ca_file) != 0 || a->offline != b->offline || a->no_links != b->no_links ||
         a->connections != b->connections || a->rate != b->rate || a->keep_free != b->keep_free;
}

void
easel_hub_settings_free (EaselHubSettings *settings)
{
  if (!settings)
    return;
  g_free (settings->endpoint);
  g_free (settings->cache_dir);
  g_strfreev (settings->import_dirs);
  if (settings->token)
    explicit_bzero (settings->token, strlen (settings->token));
  g_free (settings->token);
  g_free (settings->proxy);
  g_free (settings->no_proxy);
  g_free (settings->ca_file);
  g_free (settings);
}

const char *
easel_hub_reason_name (EaselHubReason reason)
{
  static const char *const names[] = {
    "none",       "no-network",    "offline",        "portal",      "tls",     "server",  "busy",
    "no-token",   "bad-token",     "token-right",    "terms",       "no-repository",      "no-revision",
    "not-a-pipeline", "hostile",   "changed",        "wrong-bytes", "disk-full", "read-only", "disk", "cancelled",
  };
  return (guint) reason < G_N_ELEMENTS (names) ? names[reason] : "unknown";
}

static EaselError
code_of_reason (EaselHubReason reason)
{
  switch (reason)
    {
    case EASEL_HUB_REASON_NO_TOKEN:
    case EASEL_HUB_REASON_BAD_TOKEN:
    case EASEL_HUB_REASON_TOKEN_RIGHT:
    case EASEL_HUB_REASON_TERMS:
      return EASEL_ERROR_ACCESS;
    case EASEL_HUB_REASON_NO_REPOSITORY:
    case EASEL_HUB_REASON_NO_REVISION:
      return EASEL_ERROR_NOT_FOUND;
    case EASEL_HUB_REASON_NOT_A_PIPELINE:
      return EASEL_ERROR_UNSUPPORTED;
    case EASEL_HUB_REASON_HOSTILE:
    case EASEL_HUB_REASON_CHANGED:
    case EASEL_HUB_REASON_WRONG_BYTES:
      return EASEL_ERROR_DAMAGED;
    case EASEL_HUB_REASON_DISK_FULL:
    case EASEL_HUB_REASON_READ_ONLY:
    case EASEL_HUB_REASON_DISK:
      return EASEL_ERROR_IO;
    case EASEL_HUB_REASON_CANCELLED:
      return EASEL_ERROR_CANCELLED;
    default:
      return EASEL_ERROR_NETWORK;
    }
}

EaselHubSession *
easel_hub_session_new (const EaselHubSettings *settings, GCancellable *cancellable)
{
  EaselHubSession *self = g_new0 (EaselHubSession, 1);

  self->settings = easel_hub_settings_copy (settings);
  self->cancellable = cancellable;
  return self;
}

void
easel_hub_session_free (EaselHubSession *self)
{
  if (!self)
    return;
  if (self->multi)
    curl_multi_cleanup (self->multi);
  easel_hub_settings_free (self->settings);
  g_free (self->page);
  g_free (self);
}

gboolean
easel_hub_fail (EaselHubSession *self, EaselHubReason reason, GError **error, const char *format, ...)
{
  va_list args;

  self->reason = reason;
  va_start (args, format);
  if (error && !*error)
    {
      g_autofree char *text = g_strdup_vprintf (format, args);
      g_set_error_literal (error, EASEL_ERROR, code_of_reason (reason), text);
    }
  va_end (args);
  return FALSE;
}

gboolean
easel_hub_cancelled (EaselHubSession *self, GError **error)
{
  if (!g_cancellable_is_cancelled (self->cancellable) && (!self->go_on || self->go_on (self->go_on_data)))
    return FALSE;
  easel_hub_fail (self, EASEL_HUB_REASON_CANCELLED, error, "Stopped because you asked.");
  return TRUE;
}

gboolean
easel_hub_fail_errno (EaselHubSession *self, int code, const char *doing, const char *path, GError **error)
{
  switch (code)
    {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return easel_hub_fail (self, EASEL_HUB_REASON_DISK_FULL, error,
                             "The drive of %s is full (%s). Free some space or choose another folder; what was fetched "
                             "is kept.", self->settings->cache_dir, g_strerror (code));
    case EROFS:
    case EACCES:
    case EPERM:
      return easel_hub_fail (self, EASEL_HUB_REASON_READ_ONLY, error,
                             "%s %s: %s. Choose a model folder that you may write to.", doing, path, g_strerror (code));
    default:
      return easel_hub_fail (self, EASEL_HUB_REASON_DISK, error, "%s %s: %s.", doing, path, g_strerror (code));
    }
}
