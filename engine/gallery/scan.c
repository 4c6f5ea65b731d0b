/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From files to rows: adding one, scanning the folder, watching it.
 */
#include "engine/gallery/gallery-private.h"

#include <string.h>
#include <sys/stat.h>

#include "engine/media/image-file.h"

#define MAX_DEPTH 8          /* of folders below the gallery's */
#define RESCAN_DELAY_MS 400  /* quiet time after a change in the folder before it is looked at */

static const struct
{
  const char *ending;
  EaselItemKind kind;
} endings[] = {
  { ".png", EASEL_ITEM_PICTURE }, { ".jpg", EASEL_ITEM_PICTURE }, { ".jpeg", EASEL_ITEM_PICTURE },
  { ".webp", EASEL_ITEM_PICTURE }, { ".mp4", EASEL_ITEM_CLIP },   { ".webm", EASEL_ITEM_CLIP },
  { ".mkv", EASEL_ITEM_CLIP },     { ".gif", EASEL_ITEM_CLIP },
};

static gboolean
kind_of (const char *path, EaselItemKind *kind)
{
  g_autofree char *lower = g_ascii_strdown (path, -1);

  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (lower, endings[i].ending))
      {
        *kind = endings[i].kind;
        return TRUE;
      }
  return FALSE;
}

char *
easel_gallery_relative (EaselGallery *self, const char *path)
{
  g_autofree char *whole = g_canonicalize_filename (path, NULL);
  gsize n = strlen (self->folder);

  if (!g_str_has_prefix (whole, self->folder) || whole[n] != G_DIR_SEPARATOR || !g_utf8_validate (whole, -1, NULL))
    return NULL;
  return g_strdup (whole + n + 1);
}

/* Everything a file says about itself. request may be NULL. FALSE: not a readable picture. */
typedef struct
{
  struct stat st;
  EaselItemKind kind;
  int width, height;
  EaselRequest *request;
} FileFacts;

static gboolean
read_facts (const char *path, FileFacts *facts, GError **error)
{
  if (stat (path, &facts->st) != 0 || !S_ISREG (facts->st.st_mode))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "%s is not there.", path);
      return FALSE;
    }
  if (!kind_of (path, &facts->kind))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s is not a kind of picture or clip that Easel knows.",
                   path);
      return FALSE;
    }
  if (facts->kind == EASEL_ITEM_CLIP)
    return TRUE;
  if (!easel_image_probe (path, &facts->width, &facts->height, error))
    return FALSE;
  facts->request = easel_image_read_request (path, NULL); /* a picture without one is fine */
  return TRUE;
}

static gint64
mtime_of (const struct stat *st)
{
  return (gint64) st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Writes the row; lock held. Stars, tags and a forgotten state are kept. */
static gboolean
write_row (EaselGallery *self, const char *relative, const FileFacts *facts, ItemState state, gint64 *id,
           GError **error)
{
  static const char sql[] =
      "INSERT INTO item (path, kind, width, height, frames, bytes, mtime, created, model, sampler, prompt, negative,"
      " steps, guidance, seed, request, state) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)"
      " ON CONFLICT (path) DO UPDATE SET kind = ?2, width = ?3, height = ?4, frames = ?5, bytes = ?6, mtime = ?7,"
      " model = ?9, sampler = ?10, prompt = ?11, negative = ?12, steps = ?13, guidance = ?14, seed = ?15,"
      " request = ?16, state = ?17 RETURNING id";
  const EaselRequestSettings none = EASEL_REQUEST_SETTINGS_INIT;
  const EaselRequestSettings *s = facts->request ? easel_request_settings (facts->request) : &none;
  g_autofree char *json = facts->request ? easel_request_to_json (facts->request) : NULL;
  g_autoptr (EaselStatement) q = easel_gallery_prepare (self, sql, error);

  if (!q)
    return FALSE;
  sqlite3_bind_text (q, 1, relative, -1, SQLITE_STATIC);
  sqlite3_bind_int (q, 2, facts->kind);
  sqlite3_bind_int (q, 3, facts->width);
  sqlite3_bind_int (q, 4, facts->height);
  sqlite3_bind_int (q, 5, MAX (1, s->frames));
  sqlite3_bind_int64 (q, 6, facts->st.st_size);
  sqlite3_bind_int64 (q, 7, mtime_of (&facts->st));
  sqlite3_bind_int64 (q, 8, facts->st.st_mtim.tv_sec);
  sqlite3_bind_text (q, 9, s->model ? s->model : "", -1, SQLITE_STATIC);
  sqlite3_bind_text (q, 10, s->sampler ? s->sampler : "", -1, SQLITE_STATIC);
  sqlite3_bind_text (q, 11, s->prompt ? s->prompt : "", -1, SQLITE_STATIC);
  sqlite3_bind_text (q, 12, s->negative ? s->negative : "", -1, SQLITE_STATIC);
  sqlite3_bind_int (q, 13, s->steps);
  sqlite3_bind_double (q, 14, s->guidance);
  sqlite3_bind_int64 (q, 15, s->seed);
  sqlite3_bind_text (q, 16, json, -1, SQLITE_STATIC);
  sqlite3_bind_int (q, 17, state);
  if (sqlite3_step (q) != SQLITE_ROW)
    return easel_gallery_fail (self, error);
  if (id)
    *id = sqlite3_column_int64 (q, 0);
  return easel_gallery_finish (self, q, error);
}

gboolean
easel_gallery_add (EaselGallery *self, const char *path, gint64 *id, GError **error)
{
  g_autofree char *relative = easel_gallery_relative (self, path);
  FileFacts facts = { 0 };
  gboolean ok;

  if (!relative)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s does not lie in the gallery's folder %s.", path,
                   self->folder);
      return FALSE;
    }
  if (!read_facts (path, &facts, error))
    return FALSE;
  g_mutex_lock (&self->lock);
  ok = write_row (self, relative, &facts, STATE_PRESENT, id, error);
  if (ok)
    easel_gallery_changed (self);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&facts.request, easel_request_unref);
  return ok;
}

/* What the index knows of a path. */
typedef struct
{
  gint64 id, mtime, bytes;
  ItemState state;
  gboolean seen;
} Known;

static GHashTable *
read_known (EaselGallery *self, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (EaselStatement) s = easel_gallery_prepare (self, "SELECT id, path, mtime, bytes, state FROM item", error);
  int code;

  if (!s)
    return NULL;
  while ((code = sqlite3_step (s)) == SQLITE_ROW)
    {
      Known *k = g_new0 (Known, 1);

      k->id = sqlite3_column_int64 (s, 0);
      k->mtime = sqlite3_column_int64 (s, 2);
      k->bytes = sqlite3_column_int64 (s, 3);
      k->state = sqlite3_column_int (s, 4);
      g_hash_table_replace (known, g_strdup ((const char *) sqlite3_column_text (s, 1)), k);
    }
  if (code != SQLITE_DONE)
    {
      easel_gallery_fail (self, error);
      return NULL;
    }
  return g_steal_pointer (&known);
}

typedef struct
{
  EaselGallery *self;
  GHashTable *known;
  EaselGalleryScan *result;
  GCancellable *cancellable;
  GError **error;
} Scan;

/* One file. Forgotten ones stay forgotten; unreadable ones are not read again until they change. */
static gboolean
scan_file (Scan *scan, const char *path)
{
  EaselGallery *self = scan->self;
  g_autofree char *relative = easel_gallery_relative (self, path);
  FileFacts facts = { 0 };
  EaselItemKind kind;
  Known *known;
  gboolean ok;

  if (!relative || !kind_of (path, &kind) || stat (path, &facts.st) != 0)
    return TRUE;
  known = g_hash_table_lookup (scan->known, relative);
  if (known)
    {
      known->seen = TRUE;
      if (known->state == STATE_FORGOTTEN ||
          (known->mtime == mtime_of (&facts.st) && known->bytes == facts.st.st_size &&
           known->state != STATE_MISSING && known->state != STATE_TRASHED))
        return TRUE;
    }
  ok = read_facts (path, &facts, NULL);
  if (ok && known)
    scan->result->changed++;
  else if (ok)
    scan->result->added++;
  else
    scan->result->failed++;
  g_mutex_lock (&self->lock);
  ok = write_row (self, relative, &facts, ok ? STATE_PRESENT : STATE_UNREADABLE, NULL, scan->error);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&facts.request, easel_request_unref);
  return ok;
}

static gboolean
scan_folder (Scan *scan, const char *folder, int depth)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;
  gboolean ok = TRUE;

  while (ok && dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (name[0] == '.') /* hidden, and our own temporary files */
        continue;
      if (g_cancellable_set_error_if_cancelled (scan->cancellable, scan->error))
        ok = FALSE;
      else if (g_file_test (path, G_FILE_TEST_IS_DIR))
        ok = depth >= MAX_DEPTH || g_file_test (path, G_FILE_TEST_IS_SYMLINK) || scan_folder (scan, path, depth + 1);
      else
        ok = scan_file (scan, path);
    }
  g_clear_pointer (&dir, g_dir_close);
  return ok;
}

/* Rows whose file was not met. The folder itself being away (a drive that is not plugged in) marks them too: they are
 * shown as missing, never dropped. */
static gboolean
mark_missing (Scan *scan)
{
  GHashTableIter iter;
  gpointer value;
  gboolean ok = TRUE;

  g_hash_table_iter_init (&iter, scan->known);
  while (ok && g_hash_table_iter_next (&iter, NULL, &value))
    {
      Known *known = value;
      g_autoptr (GMutexLocker) locker = NULL;
      g_autoptr (EaselStatement) s = NULL;

      if (known->seen || known->state != STATE_PRESENT)
        continue;
      locker = g_mutex_locker_new (&scan->self->lock);
      s = easel_gallery_prepare (scan->self, "UPDATE item SET state = 1 WHERE id = ? AND state = 0", scan->error);
      if (!s)
        return FALSE;
      sqlite3_bind_int64 (s, 1, known->id);
      ok = easel_gallery_finish (scan->self, s, scan->error);
      scan->result->missing++;
    }
  return ok;
}

gboolean
easel_gallery_scan (EaselGallery *self, EaselGalleryScan *result, GCancellable *cancellable, GError **error)
{
  EaselGalleryScan counted = { 0 };
  g_autoptr (GHashTable) known = read_known (self, error);
  Scan scan = { self, known, &counted, cancellable, error };
  gboolean ok;

  if (!known)
    return FALSE;
  ok = scan_folder (&scan, self->folder, 0) && mark_missing (&scan);
  if (counted.added || counted.changed || counted.missing)
    {
      g_mutex_lock (&self->lock);
      easel_gallery_changed (self);
      g_mutex_unlock (&self->lock);
    }
  if (result)
    *result = counted;
  return ok;
}

/* ---- watching: main context only ---- */

static void watch_folder (EaselGallery *self, const char *folder, int depth);

static void
scan_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;

  if (easel_gallery_scan (source, NULL, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static gboolean
rescan_cb (gpointer user_data);

static void
scanned_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGallery *self = EASEL_GALLERY (source);

  g_task_propagate_boolean (G_TASK (result), NULL); /* the next change tries again */
  self->scanning = FALSE;
  if (self->scan_again && !g_cancellable_is_cancelled (self->scans))
    {
      self->scan_again = FALSE;
      rescan_cb (self);
    }
}

static gboolean
rescan_cb (gpointer user_data)
{
  EaselGallery *self = user_data;
  g_autoptr (GTask) task = NULL;

  self->rescan = 0;
  if (self->scanning)
    {
      self->scan_again = TRUE;
      return G_SOURCE_REMOVE;
    }
  self->scanning = TRUE;
  watch_folder (self, self->folder, 0); /* folders made meanwhile */
  task = g_task_new (self, self->scans, scanned_cb, NULL);
  g_task_run_in_thread (task, scan_thread);
  return G_SOURCE_REMOVE;
}

static void
folder_changed_cb (GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, EaselGallery *self)
{
  g_clear_handle_id (&self->rescan, g_source_remove);
  self->rescan = g_timeout_add (RESCAN_DELAY_MS, rescan_cb, self);
}

static void
watch_folder (EaselGallery *self, const char *folder, int depth)
{
  GDir *dir;
  const char *name;

  if (!g_hash_table_contains (self->monitors, folder))
    {
      g_autoptr (GFile) file = g_file_new_for_path (folder);
      GFileMonitor *monitor = g_file_monitor_directory (file, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);

      if (!monitor)
        return;
      g_signal_connect_object (monitor, "changed", G_CALLBACK (folder_changed_cb), self, 0);
      g_hash_table_insert (self->monitors, g_strdup (folder), monitor);
    }
  dir = depth < MAX_DEPTH ? g_dir_open (folder, 0, NULL) : NULL;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (name[0] != '.' && g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
        watch_folder (self, path, depth + 1);
    }
  g_clear_pointer (&dir, g_dir_close);
}

gboolean
easel_gallery_watch (EaselGallery *self, GError **error)
{
  if (self->monitors)
    return TRUE;
  self->monitors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
  watch_folder (self, self->folder, 0);
  if (g_hash_table_size (self->monitors) > 0)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "The folder %s cannot be watched for changes.", self->folder);
  return FALSE;
}
