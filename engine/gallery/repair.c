/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An index that is damaged or of another version: checking it, saving what a person added, a new one in its place.
 * Nothing is ever deleted.
 */
#include "engine/gallery/gallery-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define MAX_GAP 100000 /* ids in a row that are not there, or cannot be read, before the end is taken for reached */

typedef struct
{
  char *path, *tags;
  int stars, state;
} Salvaged;

static void
salvaged_free (gpointer data)
{
  Salvaged *row = data;

  g_free (row->path);
  g_free (row->tags);
  g_free (row);
}

static void
keep_row (GPtrArray *rows, sqlite3_stmt *s)
{
  const char *path = (const char *) sqlite3_column_text (s, 0), *tags = (const char *) sqlite3_column_text (s, 2);
  Salvaged *row;

  if (!path || !tags || !g_utf8_validate (path, -1, NULL) || !g_utf8_validate (tags, -1, NULL))
    return;
  row = g_new0 (Salvaged, 1);
  row->path = g_strdup (path);
  row->stars = CLAMP (sqlite3_column_int (s, 1), 0, 5);
  row->tags = g_strdup (tags);
  row->state = sqlite3_column_int (s, 3) == STATE_FORGOTTEN ? STATE_FORGOTTEN : STATE_PRESENT;
  g_ptr_array_add (rows, row);
}

/* In one go where the file is sound; row by row where it is not, since a damaged page costs only the rows on it. */
static void
read_rows (sqlite3 *db, const char *columns, GPtrArray *rows)
{
  g_autofree char *all = g_strdup_printf ("SELECT %s WHERE stars > 0 OR tags <> '' OR state = 3", columns);
  g_autofree char *one = g_strdup_printf ("SELECT %s WHERE id = ?", columns);
  g_autoptr (EaselStatement) s = easel_gallery_prepare (db, all, NULL);
  int code, gap = 0;

  if (!s)
    return;
  while ((code = sqlite3_step (s)) == SQLITE_ROW)
    keep_row (rows, s);
  if (code == SQLITE_DONE)
    return;
  g_ptr_array_set_size (rows, 0);
  g_clear_pointer (&s, sqlite3_finalize);
  s = easel_gallery_prepare (db, one, NULL);
  for (gint64 id = 1; s && gap < MAX_GAP; id++)
    {
      sqlite3_reset (s);
      sqlite3_bind_int64 (s, 1, id);
      gap++;
      if (sqlite3_step (s) == SQLITE_ROW)
        {
          gap = 0;
          if (sqlite3_column_int (s, 4))
            keep_row (rows, s);
        }
    }
}

/* Rows of the index, and those an earlier rescue has not been able to place yet. */
static GPtrArray *
salvage (const char *database)
{
  GPtrArray *rows = g_ptr_array_new_with_free_func (salvaged_free);
  sqlite3 *db = NULL;

  if (sqlite3_open_v2 (database, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
    {
      g_autoptr (EaselStatement) s = NULL;

      read_rows (db, "path, stars, tags, state, stars > 0 OR tags <> '' OR state = 3 FROM item", rows);
      s = easel_gallery_prepare (db, "SELECT path, stars, tags, state FROM salvaged", NULL);
      while (s && sqlite3_step (s) == SQLITE_ROW)
        keep_row (rows, s);
      g_clear_pointer (&s, sqlite3_finalize);
    }
  sqlite3_close (db);
  return rows;
}

/* Renames what there is of the index: the file and what SQLite keeps beside it. */
static gboolean
set_aside (const char *database, const char *ending, GError **error)
{
  static const char *const parts[] = { "", "-wal", "-shm" };
  g_autofree char *free_name = NULL;

  for (int n = 1; !free_name || g_file_test (free_name, G_FILE_TEST_EXISTS); n++)
    {
      g_free (free_name);
      free_name = g_strdup_printf ("%s.%s-%d", database, ending, n);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autofree char *from = g_strconcat (database, parts[i], NULL);
      g_autofree char *to = g_strconcat (free_name, parts[i], NULL);

      if (g_rename (from, to) != 0 && errno != ENOENT)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                       "The gallery's index %s cannot be moved aside: %s. Check the permissions of its folder.", from,
                       g_strerror (errno));
          return FALSE;
        }
    }
  return TRUE;
}

/* A log that belongs to another file would be played into the new one: it goes first. */
static gboolean
put_in_place (const char *database, const char *ending, GError **error)
{
  g_autofree char *fresh = g_strconcat (database, ".new", NULL);

  if (!set_aside (database, ending, error))
    return FALSE;
  if (g_rename (fresh, database) == 0)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "The gallery's new index %s cannot be put in place: %s.", fresh,
               g_strerror (errno));
  return FALSE;
}

static gboolean
store_salvaged (sqlite3 *db, GPtrArray *rows, GError **error)
{
  g_autoptr (EaselStatement) s = easel_gallery_prepare (
      db, "INSERT OR REPLACE INTO salvaged (path, stars, tags, state) VALUES (?, ?, ?, ?)", error);

  if (!s || !easel_gallery_run (db, "BEGIN IMMEDIATE", error))
    return FALSE;
  for (guint i = 0; i < rows->len; i++)
    {
      const Salvaged *row = rows->pdata[i];

      sqlite3_reset (s);
      sqlite3_bind_text (s, 1, row->path, -1, SQLITE_STATIC);
      sqlite3_bind_int (s, 2, row->stars);
      sqlite3_bind_text (s, 3, row->tags, -1, SQLITE_STATIC);
      sqlite3_bind_int (s, 4, row->state);
      if (!easel_gallery_finish (db, s, error))
        {
          easel_gallery_run (db, "ROLLBACK", NULL);
          return FALSE;
        }
    }
  return easel_gallery_run (db, "COMMIT", error);
}

/* An index of this version under another name, with what was saved, whole on the disk. */
static gboolean
make_fresh (EaselGallery *self, GPtrArray *rows, GError **error)
{
  g_autofree char *database = g_steal_pointer (&self->database);
  gboolean ok;

  self->database = g_strconcat (database, ".new", NULL);
  g_unlink (self->database); /* of an attempt that did not get to its end: the index is still in its place then */
  ok = easel_gallery_connect (self, error) && store_salvaged (self->db, rows, error) &&
       easel_gallery_run (self->db, "PRAGMA wal_checkpoint (TRUNCATE)", error);
  easel_gallery_disconnect (self);
  g_free (self->database);
  self->database = g_steal_pointer (&database);
  return ok;
}

/* The order makes a crash at any moment harmless: the new index is complete before the old one is moved, and
 * easel_gallery_finish_exchange() goes on from there. */
gboolean
easel_gallery_exchange (EaselGallery *self, const char *ending, GError **error)
{
  g_autoptr (GPtrArray) rows = salvage (self->database);

  return make_fresh (self, rows, error) && put_in_place (self->database, ending, error) &&
         easel_gallery_connect (self, error);
}

gboolean
easel_gallery_finish_exchange (EaselGallery *self, GError **error)
{
  g_autofree char *fresh = g_strconcat (self->database, ".new", NULL);

  if (g_file_test (self->database, G_FILE_TEST_EXISTS) || !g_file_test (fresh, G_FILE_TEST_EXISTS))
    return TRUE;
  return put_in_place (self->database, "damaged", error);
}

gboolean
easel_gallery_rebuild (EaselGallery *self, GCancellable *cancellable, GError **error)
{
  gboolean ok;

  g_rw_lock_writer_lock (&self->file_lock);
  easel_gallery_disconnect (self);
  ok = easel_gallery_exchange (self, "damaged", error);
  g_rw_lock_writer_unlock (&self->file_lock);
  easel_gallery_changed (self);
  return ok && easel_gallery_scan (self, NULL, cancellable, error);
}

/* ---- checking ---- */

typedef struct
{
  gboolean damaged, words_wrong;
} Findings;

static gboolean
check_index (EaselGallery *self, GString *report, Findings *found, GError **error)
{
  sqlite3 *db = easel_gallery_begin_write (self);
  g_autoptr (EaselStatement) check = db ? easel_gallery_prepare (db, "PRAGMA integrity_check", error) : NULL;
  int code = SQLITE_ERROR;

  while (check && (code = sqlite3_step (check)) == SQLITE_ROW)
    {
      const char *line = (const char *) sqlite3_column_text (check, 0);

      /* Since SQLite 3.44 it looks at the words too: "malformed inverted index for FTS5 table". They are checked below,
       * and made anew without the rest. */
      if (g_strcmp0 (line, "ok") != 0 && !(line && strstr (line, "inverted index")))
        {
          g_string_append_printf (report, "The index is damaged: %s.\n", line);
          found->damaged = TRUE;
        }
    }
  if (check && code != SQLITE_DONE)
    {
      g_string_append_printf (report, "The index is damaged: %s.\n", sqlite3_errmsg (db));
      found->damaged = TRUE;
    }
  if (check && !found->damaged &&
      !easel_gallery_run (db, "INSERT INTO words (words, rank) VALUES ('integrity-check', 1)", NULL))
    {
      g_string_append (report, "The index of words does not agree with the pictures.\n");
      found->words_wrong = TRUE;
    }
  g_clear_pointer (&check, sqlite3_finalize);
  easel_gallery_end_write (self);
  return TRUE;
}

static gboolean
check_files (EaselGallery *self, GString *report, GCancellable *cancellable, GError **error)
{
  sqlite3 *db = easel_gallery_borrow (self, error);
  g_autoptr (EaselStatement) paths = db ? easel_gallery_prepare (db, "SELECT path FROM item WHERE state < 2", error)
                                        : NULL;
  gboolean ok = paths != NULL;

  while (ok && sqlite3_step (paths) == SQLITE_ROW)
    {
      g_autofree char *path = easel_gallery_absolute (self, (const char *) sqlite3_column_text (paths, 0));

      ok = !g_cancellable_set_error_if_cancelled (cancellable, error);
      if (ok && !g_file_test (path, G_FILE_TEST_IS_REGULAR))
        g_string_append_printf (report, "%s is not there any more.\n", path);
    }
  g_clear_pointer (&paths, sqlite3_finalize);
  if (db)
    easel_gallery_give_back (self, db);
  return ok;
}

char *
easel_gallery_check (EaselGallery *self, gboolean repair, GCancellable *cancellable, GError **error)
{
  g_autoptr (GString) report = g_string_new (NULL);
  g_autofree char *problem = easel_gallery_folder_problem (self);
  Findings found = { 0 };

  if (!check_index (self, report, &found, error))
    return NULL;
  if (repair && found.damaged)
    {
      if (!easel_gallery_rebuild (self, cancellable, error))
        return NULL;
      g_string_append (report, "A new index was made from the files; the old one was kept beside it.\n");
    }
  else if (repair && found.words_wrong)
    {
      sqlite3 *db = easel_gallery_begin_write (self);
      gboolean ok = easel_gallery_run (db, "INSERT INTO words (words) VALUES ('rebuild')", error);

      easel_gallery_end_write (self);
      if (!ok)
        return NULL;
      g_string_append (report, "The index of words was made anew.\n");
    }
  if (problem)
    g_string_append_printf (report, "%s\n", problem);
  if (g_file_test (self->folder, G_FILE_TEST_IS_DIR) && !found.damaged &&
      !check_files (self, report, cancellable, error))
    return NULL;
  return g_string_free (g_steal_pointer (&report), FALSE);
}
