/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening the index, setting a damaged one aside, and what a person changes: stars, tags, forgetting.
 */
#include "engine/gallery/gallery-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

G_DEFINE_FINAL_TYPE (EaselGallery, easel_gallery, G_TYPE_OBJECT)

enum
{
  CHANGED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void
easel_gallery_dispose (GObject *object)
{
  EaselGallery *self = EASEL_GALLERY (object);

  g_cancellable_cancel (self->scans);
  g_clear_handle_id (&self->rescan, g_source_remove);
  g_clear_pointer (&self->monitors, g_hash_table_unref);
  G_OBJECT_CLASS (easel_gallery_parent_class)->dispose (object);
}

static void
easel_gallery_finalize (GObject *object)
{
  EaselGallery *self = EASEL_GALLERY (object);

  if (self->pending)
    {
      g_source_destroy (self->pending);
      g_source_unref (self->pending);
    }
  sqlite3_close (self->db);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_object (&self->scans);
  g_free (self->folder);
  g_free (self->database);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (easel_gallery_parent_class)->finalize (object);
}

static void
easel_gallery_class_init (EaselGalleryClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = easel_gallery_dispose;
  object_class->finalize = easel_gallery_finalize;
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 0);
}

static void
easel_gallery_init (EaselGallery *self)
{
  g_mutex_init (&self->lock);
  self->context = g_main_context_ref_thread_default ();
  self->scans = g_cancellable_new ();
}

static gboolean
emit_changed_cb (gpointer user_data)
{
  g_autoptr (EaselGallery) self = g_weak_ref_get (user_data);

  if (!self)
    return G_SOURCE_REMOVE;
  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->pending, g_source_unref);
  g_mutex_unlock (&self->lock);
  g_signal_emit (self, signals[CHANGED], 0);
  return G_SOURCE_REMOVE;
}

static void
weak_ref_free (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

/* Lock held. */
void
easel_gallery_changed (EaselGallery *self)
{
  GWeakRef *weak;

  if (self->pending)
    return;
  weak = g_new0 (GWeakRef, 1);
  g_weak_ref_init (weak, self);
  self->pending = g_idle_source_new ();
  g_source_set_callback (self->pending, emit_changed_cb, weak, weak_ref_free);
  g_source_attach (self->pending, self->context);
}

gboolean
easel_gallery_fail (EaselGallery *self, GError **error)
{
  int code = sqlite3_errcode (self->db);

  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "The gallery's index %s is damaged (%s).", self->database,
                 sqlite3_errmsg (self->db));
  else if (code == SQLITE_FULL || code == SQLITE_IOERR || code == SQLITE_READONLY || code == SQLITE_CANTOPEN)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                 "The gallery's index %s cannot be written (%s). Free some space or check the folder's permissions.",
                 self->database, sqlite3_errmsg (self->db));
  else
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "The gallery's index %s: %s.", self->database,
                 sqlite3_errmsg (self->db));
  return FALSE;
}

EaselStatement *
easel_gallery_prepare (EaselGallery *self, const char *sql, GError **error)
{
  sqlite3_stmt *statement = NULL;

  if (sqlite3_prepare_v2 (self->db, sql, -1, &statement, NULL) != SQLITE_OK)
    easel_gallery_fail (self, error);
  return statement;
}

gboolean
easel_gallery_finish (EaselGallery *self, EaselStatement *statement, GError **error)
{
  int code;

  while ((code = sqlite3_step (statement)) == SQLITE_ROW)
    ;
  return code == SQLITE_DONE || easel_gallery_fail (self, error);
}

gboolean
easel_gallery_run (EaselGallery *self, const char *sql, GError **error)
{
  return sqlite3_exec (self->db, sql, NULL, NULL, NULL) == SQLITE_OK || easel_gallery_fail (self, error);
}

static gboolean
connect_database (EaselGallery *self, GError **error)
{
  if (sqlite3_open_v2 (self->database, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                       NULL) != SQLITE_OK)
    return easel_gallery_fail (self, error);
  sqlite3_busy_timeout (self->db, 5000);
  /* FULL: a star that was shown as saved survives a power cut. quick_check costs milliseconds where the full check
   * costs seconds; easel_gallery_check() runs that one. */
  return easel_gallery_run (self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                                  "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384", error) &&
         easel_gallery_migrate (self, error) &&
         easel_gallery_run (self, "SELECT count(*) FROM sqlite_master; SELECT id FROM item LIMIT 1", error);
}

/* What a person added and no file holds, read from a damaged index as far as it can be. path to "stars\ntag\ntag". */
static GHashTable *
salvage (const char *database)
{
  GHashTable *kept = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;

  if (sqlite3_open_v2 (database, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
      sqlite3_prepare_v2 (db, "SELECT path, stars, tags FROM item WHERE stars > 0 OR tags <> ''", -1, &statement,
                          NULL) == SQLITE_OK)
    while (sqlite3_step (statement) == SQLITE_ROW)
      {
        const char *path = (const char *) sqlite3_column_text (statement, 0);
        const char *tags = (const char *) sqlite3_column_text (statement, 2);

        if (path && tags)
          g_hash_table_replace (kept, g_strdup (path),
                                g_strdup_printf ("%d\n%s", sqlite3_column_int (statement, 1), tags));
      }
  sqlite3_finalize (statement);
  sqlite3_close (db);
  return kept;
}

static void
restore (EaselGallery *self, GHashTable *kept)
{
  GHashTableIter iter;
  gpointer path, text;

  g_hash_table_iter_init (&iter, kept);
  while (g_hash_table_iter_next (&iter, &path, &text))
    {
      g_auto (GStrv) parts = g_strsplit (text, "\n", -1);
      g_autoptr (EaselStatement) find = NULL;
      gint64 id = 0;

      g_mutex_lock (&self->lock);
      find = easel_gallery_prepare (self, "SELECT id FROM item WHERE path = ?", NULL);
      if (find)
        {
          sqlite3_bind_text (find, 1, path, -1, SQLITE_STATIC);
          if (sqlite3_step (find) == SQLITE_ROW)
            id = sqlite3_column_int64 (find, 0);
        }
      g_clear_pointer (&find, sqlite3_finalize);
      g_mutex_unlock (&self->lock);
      if (id == 0)
        continue;
      easel_gallery_set_stars (self, id, (int) g_ascii_strtoll (parts[0], NULL, 10), NULL);
      if (parts[1] && *parts[1])
        easel_gallery_set_tags (self, id, (const char *const *) parts + 1, NULL);
    }
}

/* Renames the index and what SQLite keeps beside it; never deletes. */
static gboolean
set_aside (const char *database, GError **error)
{
  static const char *const endings[] = { "", "-wal", "-shm" };
  g_autofree char *free_name = NULL;

  for (int n = 1; !free_name || g_file_test (free_name, G_FILE_TEST_EXISTS); n++)
    {
      g_free (free_name);
      free_name = g_strdup_printf ("%s.damaged-%d", database, n);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_autofree char *from = g_strconcat (database, endings[i], NULL);
      g_autofree char *to = g_strconcat (free_name, endings[i], NULL);

      if (g_rename (from, to) != 0 && errno != ENOENT)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "The damaged index %s cannot be moved aside: %s.", from,
                       g_strerror (errno));
          return FALSE;
        }
    }
  return TRUE;
}

EaselGallery *
easel_gallery_open (const char *database, const char *folder, gboolean *rebuilt, GError **error)
{
  g_autoptr (EaselGallery) self = g_object_new (EASEL_TYPE_GALLERY, NULL);
  g_autofree char *parent = g_path_get_dirname (database);
  g_autoptr (GHashTable) kept = NULL;
  g_autoptr (GError) problem = NULL;

  self->database = g_strdup (database);
  self->folder = g_canonicalize_filename (folder, NULL);
  if (g_mkdir_with_parents (parent, 0700) != 0 || g_mkdir_with_parents (self->folder, 0755) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "The gallery's folder %s cannot be made: %s.", self->folder,
                   g_strerror (errno));
      return NULL;
    }
  if (rebuilt)
    *rebuilt = FALSE;
  if (connect_database (self, &problem))
    return g_steal_pointer (&self);
  if (!g_error_matches (problem, EASEL_ERROR, EASEL_ERROR_DAMAGED))
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
  g_clear_pointer (&self->db, sqlite3_close);
  kept = salvage (database);
  if (!set_aside (database, error) || !connect_database (self, error) ||
      !easel_gallery_scan (self, NULL, NULL, error))
    return NULL;
  restore (self, kept);
  if (rebuilt)
    *rebuilt = TRUE;
  return g_steal_pointer (&self);
}

const char *
easel_gallery_get_folder (EaselGallery *self)
{
  return self->folder;
}

gboolean
easel_gallery_set_stars (EaselGallery *self, gint64 id, int stars, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (EaselStatement) statement = NULL;

  statement = easel_gallery_prepare (self, "UPDATE item SET stars = ? WHERE id = ?", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int (statement, 1, CLAMP (stars, 0, 5));
  sqlite3_bind_int64 (statement, 2, id);
  if (!easel_gallery_finish (self, statement, error))
    return FALSE;
  easel_gallery_changed (self);
  return TRUE;
}

static int
compare_tags (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Stripped, no empty ones, no line breaks, sorted, each once. Borrowed strings are copied. */
static GPtrArray *
clean_tags (const char *const *tags)
{
  GPtrArray *clean = g_ptr_array_new_with_free_func (g_free);

  for (; tags && *tags; tags++)
    {
      char *tag = g_strstrip (g_strdelimit (g_utf8_make_valid (*tags, -1), "\n\r\t", ' '));

      if (*tag)
        g_ptr_array_add (clean, tag);
      else
        g_free (tag);
    }
  g_ptr_array_sort (clean, compare_tags);
  for (guint i = clean->len; i-- > 1;)
    if (strcmp (clean->pdata[i], clean->pdata[i - 1]) == 0)
      g_ptr_array_remove_index (clean, i);
  g_ptr_array_add (clean, NULL);
  return clean;
}

gboolean
easel_gallery_write_tags (EaselGallery *self, gint64 id, const char *const *tags, GError **error)
{
  g_autoptr (GPtrArray) clean = clean_tags (tags);
  g_autofree char *joined = g_strjoinv ("\n", (char **) clean->pdata);
  g_autoptr (EaselStatement) text = NULL, clear = NULL, insert = NULL;

  text = easel_gallery_prepare (self, "UPDATE item SET tags = ? WHERE id = ?", error);
  clear = text ? easel_gallery_prepare (self, "DELETE FROM tag WHERE item = ?", error) : NULL;
  insert = clear ? easel_gallery_prepare (self, "INSERT INTO tag (item, name) VALUES (?, ?)", error) : NULL;
  if (!insert)
    return FALSE;
  sqlite3_bind_text (text, 1, joined, -1, SQLITE_STATIC);
  sqlite3_bind_int64 (text, 2, id);
  sqlite3_bind_int64 (clear, 1, id);
  if (!easel_gallery_finish (self, text, error) || !easel_gallery_finish (self, clear, error))
    return FALSE;
  for (guint i = 0; i + 1 < clean->len; i++)
    {
      sqlite3_reset (insert);
      sqlite3_bind_int64 (insert, 1, id);
      sqlite3_bind_text (insert, 2, clean->pdata[i], -1, SQLITE_STATIC);
      if (!easel_gallery_finish (self, insert, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
easel_gallery_set_tags (EaselGallery *self, gint64 id, const char *const *tags, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (!easel_gallery_run (self, "BEGIN IMMEDIATE", error))
    return FALSE;
  if (!easel_gallery_write_tags (self, id, tags, error) || !easel_gallery_run (self, "COMMIT", error))
    {
      easel_gallery_run (self, "ROLLBACK", NULL);
      return FALSE;
    }
  easel_gallery_changed (self);
  return TRUE;
}
