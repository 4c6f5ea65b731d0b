/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which folder the paths of the index are relative to, and what happens when a person chooses another.
 */
#include "engine/gallery/gallery-private.h"

#include <string.h>

char *
easel_gallery_absolute (EaselGallery *self, const char *stored)
{
  return g_path_is_absolute (stored) ? g_strdup (stored) : g_build_filename (self->folder, stored, NULL);
}

static char *
read_folder (sqlite3 *db)
{
  g_autoptr (EaselStatement) s = easel_gallery_prepare (db, "SELECT folder FROM place", NULL);
  const char *folder = s && sqlite3_step (s) == SQLITE_ROW ? (const char *) sqlite3_column_text (s, 0) : NULL;

  return g_strdup (folder);
}

char *
easel_gallery_last_folder (const char *database)
{
  sqlite3 *db = NULL;
  char *folder = NULL;

  if (g_file_test (database, G_FILE_TEST_IS_REGULAR) &&
      sqlite3_open_v2 (database, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
    folder = read_folder (db);
  sqlite3_close (db);
  return folder;
}

/* The new path of a row; NULL: it stays. Moved with the folder: relative still fits. Left behind: absolute. An absolute
 * one that lies in the new folder becomes relative. */
static char *
new_path (EaselGallery *self, const char *old_folder, const char *stored)
{
  g_autofree char *there = NULL, *here = NULL;

  if (g_path_is_absolute (stored))
    return easel_gallery_relative (self, stored);
  here = g_build_filename (self->folder, stored, NULL);
  there = g_build_filename (old_folder, stored, NULL);
  if (g_file_test (here, G_FILE_TEST_EXISTS) || !g_file_test (there, G_FILE_TEST_EXISTS))
    return NULL;
  return g_steal_pointer (&there);
}

static gboolean
move_rows (EaselGallery *self, const char *old_folder, GError **error)
{
  g_autoptr (EaselStatement) rows = easel_gallery_prepare (self->db, "SELECT id, path FROM item", error);
  g_autoptr (EaselStatement) move =
      rows ? easel_gallery_prepare (self->db, "UPDATE OR IGNORE item SET path = ? WHERE id = ?", error) : NULL;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));

  if (!move)
    return FALSE;
  while (sqlite3_step (rows) == SQLITE_ROW)
    {
      char *path = new_path (self, old_folder, (const char *) sqlite3_column_text (rows, 1));
      gint64 id = sqlite3_column_int64 (rows, 0);

      if (!path)
        continue;
      g_ptr_array_add (paths, path);
      g_array_append_val (ids, id);
    }
  sqlite3_reset (rows);
  for (guint i = 0; i < ids->len; i++)
    {
      sqlite3_reset (move);
      sqlite3_bind_text (move, 1, paths->pdata[i], -1, SQLITE_STATIC);
      sqlite3_bind_int64 (move, 2, g_array_index (ids, gint64, i));
      if (!easel_gallery_finish (self->db, move, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
write_folder (EaselGallery *self, GError **error)
{
  g_autoptr (EaselStatement) s = NULL;

  if (!easel_gallery_run (self->db, "DELETE FROM place", error))
    return FALSE;
  s = easel_gallery_prepare (self->db, "INSERT INTO place (folder) VALUES (?)", error);
  if (!s)
    return FALSE;
  sqlite3_bind_text (s, 1, self->folder, -1, SQLITE_STATIC);
  return easel_gallery_finish (self->db, s, error);
}

gboolean
easel_gallery_settle_folder (EaselGallery *self, GError **error)
{
  g_autofree char *old = read_folder (self->db);

  if (g_strcmp0 (old, self->folder) == 0)
    return TRUE;
  if (!easel_gallery_run (self->db, "BEGIN IMMEDIATE", error))
    return FALSE;
  if ((!old || move_rows (self, old, error)) && write_folder (self, error) &&
      easel_gallery_run (self->db, "COMMIT", error))
    return TRUE;
  easel_gallery_run (self->db, "ROLLBACK", NULL);
  return FALSE;
}
