/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening the gallery, its signal, and what a person adds: stars and tags.
 */
#include "engine/gallery/gallery-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

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
  easel_gallery_disconnect (self);
  g_clear_pointer (&self->readers, g_ptr_array_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_object (&self->scans);
  g_free (self->folder);
  g_free (self->database);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->readers_lock);
  g_mutex_clear (&self->pending_lock);
  g_rw_lock_clear (&self->file_lock);
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
close_reader (gpointer reader)
{
  sqlite3_close (reader);
}

static void
easel_gallery_init (EaselGallery *self)
{
  g_rw_lock_init (&self->file_lock);
  g_mutex_init (&self->lock);
  g_mutex_init (&self->readers_lock);
  g_mutex_init (&self->pending_lock);
  self->readers = g_ptr_array_new_with_free_func (close_reader);
  self->context = g_main_context_ref_thread_default ();
  self->scans = g_cancellable_new ();
}

static gboolean
emit_changed_cb (gpointer user_data)
{
  g_autoptr (EaselGallery) self = g_weak_ref_get (user_data);

  if (!self)
    return G_SOURCE_REMOVE;
  g_mutex_lock (&self->pending_lock);
  g_clear_pointer (&self->pending, g_source_unref);
  g_mutex_unlock (&self->pending_lock);
  g_signal_emit (self, signals[CHANGED], 0);
  return G_SOURCE_REMOVE;
}

static void
weak_ref_free (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

void
easel_gallery_changed (EaselGallery *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->pending_lock);
  GWeakRef *weak;

  if (self->pending)
    return;
  weak = g_new0 (GWeakRef, 1);
  g_weak_ref_init (weak, self);
  self->pending = g_idle_source_new ();
  g_source_set_callback (self->pending, emit_changed_cb, weak, weak_ref_free);
  g_source_attach (self->pending, self->context);
}

/* ---- opening ---- */

/* A gallery that has pictures makes at most the last part of its folder's path: more that is missing is a drive that
 * is not plugged in, and a folder made in its place would hide it. */
static void
make_folder (EaselGallery *self)
{
  g_autoptr (EaselStatement) any = easel_gallery_prepare (self->db, "SELECT 1 FROM item LIMIT 1", NULL);

  if (any && sqlite3_step (any) == SQLITE_ROW)
    g_mkdir (self->folder, 0755);
  else
    g_mkdir_with_parents (self->folder, 0755);
}

EaselGallery *
easel_gallery_open (const char *database, const char *folder, gboolean *rebuilt, GError **error)
{
  g_autoptr (EaselGallery) self = g_object_new (EASEL_TYPE_GALLERY, NULL);
  g_autofree char *parent = g_path_get_dirname (database);
  g_autoptr (GError) problem = NULL;

  if (rebuilt)
    *rebuilt = FALSE;
  self->database = g_canonicalize_filename (database, NULL);
  self->folder = g_canonicalize_filename (folder, NULL);
  if (g_mkdir_with_parents (parent, 0700) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "The folder %s for the gallery's index cannot be made: %s.",
                   parent, g_strerror (errno));
      return NULL;
    }
  if (!easel_gallery_finish_exchange (self, error))
    return NULL;
  if (!easel_gallery_connect (self, &problem))
    {
      if (!g_error_matches (problem, EASEL_ERROR, EASEL_ERROR_DAMAGED))
        {
          g_propagate_error (error, g_steal_pointer (&problem));
          return NULL;
        }
      easel_gallery_disconnect (self);
      if (!easel_gallery_exchange (self, "damaged", error))
        return NULL;
      if (rebuilt)
        *rebuilt = TRUE;
    }
  make_folder (self);
  if (!easel_gallery_settle_folder (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

EaselGallery *
easel_gallery_open_anew (const char *database, const char *folder, GError **error)
{
  g_autoptr (EaselGallery) self = g_object_new (EASEL_TYPE_GALLERY, NULL);

  self->database = g_canonicalize_filename (database, NULL);
  self->folder = g_canonicalize_filename (folder, NULL);
  if (!easel_gallery_exchange (self, "old", error) || !easel_gallery_settle_folder (self, error))
    return NULL;
  make_folder (self);
  return g_steal_pointer (&self);
}

const char *
easel_gallery_get_folder (EaselGallery *self)
{
  return self->folder;
}

char *
easel_gallery_folder_problem (EaselGallery *self)
{
  if (!g_file_test (self->folder, G_FILE_TEST_IS_DIR))
    return g_strdup_printf ("The folder %s is not there. Plug in the drive it is on, or choose another folder in the"
                            " preferences.", self->folder);
  if (access (self->folder, R_OK | X_OK) != 0)
    return g_strdup_printf ("The folder %s cannot be read (%s). Check its permissions, or choose another folder in the"
                            " preferences.", self->folder, g_strerror (errno));
  if (access (self->folder, W_OK) != 0)
    return g_strdup_printf ("Nothing can be saved in %s (%s). Check its permissions, or choose another folder in the"
                            " preferences.", self->folder, g_strerror (errno));
  return NULL;
}

/* ---- stars and tags ---- */

static int
compare_tags (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Stripped, no empty ones, no line breaks or commas, sorted, each once. Borrowed strings are copied. */
static GPtrArray *
clean_tags (const char *const *tags)
{
  GPtrArray *clean = g_ptr_array_new_with_free_func (g_free);

  for (; tags && *tags; tags++)
    {
      char *tag = g_strstrip (g_strdelimit (g_utf8_make_valid (*tags, -1), "\n\r\t,", ' '));

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
easel_gallery_write_tags (sqlite3 *db, gint64 id, const char *const *tags, GError **error)
{
  g_autoptr (GPtrArray) clean = clean_tags (tags);
  g_autofree char *joined = g_strjoinv ("\n", (char **) clean->pdata);
  g_autoptr (EaselStatement) text = NULL, clear = NULL, insert = NULL;

  text = easel_gallery_prepare (db, "UPDATE item SET tags = ? WHERE id = ?", error);
  clear = text ? easel_gallery_prepare (db, "DELETE FROM tag WHERE item = ?", error) : NULL;
  insert = clear ? easel_gallery_prepare (db, "INSERT INTO tag (item, name) VALUES (?, ?)", error) : NULL;
  if (!insert)
    return FALSE;
  sqlite3_bind_text (text, 1, joined, -1, SQLITE_STATIC);
  sqlite3_bind_int64 (text, 2, id);
  sqlite3_bind_int64 (clear, 1, id);
  if (!easel_gallery_finish (db, text, error) || !easel_gallery_finish (db, clear, error))
    return FALSE;
  for (guint i = 0; i + 1 < clean->len; i++)
    {
      sqlite3_reset (insert);
      sqlite3_bind_int64 (insert, 1, id);
      sqlite3_bind_text (insert, 2, clean->pdata[i], -1, SQLITE_STATIC);
      if (!easel_gallery_finish (db, insert, error))
        return FALSE;
    }
  return TRUE;
}

/* What one call does to each of its rows. */
typedef struct
{
  gboolean stars_given, tags_given; /* tags_given: `add` is the whole list */
  int stars;
  const char *const *add, *const *remove;
} Edit;

/* The tags of a row after an edit; caller frees with g_strfreev. */
static char **
edited_tags (const char *joined, const Edit *edit)
{
  g_auto (GStrv) old = g_strsplit (edit->tags_given ? "" : joined, "\n", -1);
  g_autoptr (GStrvBuilder) tags = g_strv_builder_new ();

  for (guint i = 0; old[i]; i++)
    if (!edit->remove || !g_strv_contains (edit->remove, old[i]))
      g_strv_builder_add (tags, old[i]);
  for (guint i = 0; edit->add && edit->add[i]; i++)
    g_strv_builder_add (tags, edit->add[i]);
  return g_strv_builder_end (tags);
}

/* One row; its marks go into `marks` for after the commit. NOT_FOUND when it is gone. */
static gboolean
edit_row (EaselGallery *self, sqlite3 *db, EaselStatement *find, EaselStatement *star, gint64 id, const Edit *edit,
          GError **error)
{
  g_auto (GStrv) tags = NULL;
  int code;

  sqlite3_reset (find);
  sqlite3_bind_int64 (find, 1, id);
  code = sqlite3_step (find);
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    return easel_gallery_fail (db, error);
  if (code == SQLITE_DONE)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                   "There is no number %" G_GINT64_FORMAT " in the gallery; it may have been removed meanwhile.", id);
      return FALSE;
    }
  tags = edited_tags ((const char *) sqlite3_column_text (find, 0), edit);
  if (edit->stars_given)
    {
      sqlite3_reset (star);
      sqlite3_bind_int (star, 1, CLAMP (edit->stars, 0, 5));
      sqlite3_bind_int64 (star, 2, id);
      return easel_gallery_finish (db, star, error);
    }
  return easel_gallery_write_tags (db, id, (const char *const *) tags, error);
}

/* Into the files, after the index has it: should this be lost to a crash, the index still knows. */
static void
write_marks (EaselGallery *self, const gint64 *ids, guint n)
{
  g_autoptr (GPtrArray) items = easel_gallery_get_many (self, ids, n, NULL);

  for (guint i = 0; items && i < items->len; i++)
    {
      EaselGalleryItem *item = items->pdata[i];
      easel_marks_write (item->path, item->stars, (const char *const *) item->tags);
    }
}

static gboolean
edit_rows (EaselGallery *self, const gint64 *ids, guint n, const Edit *edit, GError **error)
{
  sqlite3 *db = easel_gallery_begin_write (self);
  g_autoptr (EaselStatement) find = easel_gallery_prepare (db, "SELECT tags FROM item WHERE id = ?", error);
  g_autoptr (EaselStatement) star =
      find ? easel_gallery_prepare (db, "UPDATE item SET stars = ? WHERE id = ?", error) : NULL;
  gboolean ok = star && easel_gallery_run (db, "BEGIN IMMEDIATE", error);

  if (ok)
    {
      for (guint i = 0; ok && i < n; i++)
        ok = edit_row (self, db, find, star, ids[i], edit, error);
      sqlite3_reset (find);
      ok = ok && easel_gallery_run (db, "COMMIT", error);
      if (!ok)
        easel_gallery_run (db, "ROLLBACK", NULL);
    }
  g_clear_pointer (&find, sqlite3_finalize);
  g_clear_pointer (&star, sqlite3_finalize);
  easel_gallery_end_write (self);
  if (!ok)
    return FALSE;
  write_marks (self, ids, n);
  easel_gallery_changed (self);
  return TRUE;
}

gboolean
easel_gallery_set_stars_of (EaselGallery *self, const gint64 *ids, guint n, int stars, GError **error)
{
  const Edit edit = { .stars_given = TRUE, .stars = stars };
  return edit_rows (self, ids, n, &edit, error);
}

gboolean
easel_gallery_set_stars (EaselGallery *self, gint64 id, int stars, GError **error)
{
  return easel_gallery_set_stars_of (self, &id, 1, stars, error);
}

gboolean
easel_gallery_set_tags (EaselGallery *self, gint64 id, const char *const *tags, GError **error)
{
  const Edit edit = { .tags_given = TRUE, .add = tags };
  return edit_rows (self, &id, 1, &edit, error);
}

gboolean
easel_gallery_edit_tags_of (EaselGallery *self, const gint64 *ids, guint n, const char *const *add,
                            const char *const *remove, GError **error)
{
  const Edit edit = { .add = add, .remove = remove };
  return edit_rows (self, ids, n, &edit, error);
}
