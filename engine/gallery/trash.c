/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Taking a picture out: the desktop's trash and back, forgetting; and names for new ones. Nothing is deleted here.
 */
#include "engine/gallery/gallery-private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixmounts.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gboolean
set_state (EaselGallery *self, gint64 id, ItemState state, GError **error)
{
  sqlite3 *db = easel_gallery_begin_write (self);
  g_autoptr (EaselStatement) s = easel_gallery_prepare (db, "UPDATE item SET state = ? WHERE id = ?", error);
  gboolean ok = s != NULL;

  if (s)
    {
      sqlite3_bind_int (s, 1, state);
      sqlite3_bind_int64 (s, 2, id);
      ok = easel_gallery_finish (db, s, error);
    }
  g_clear_pointer (&s, sqlite3_finalize);
  easel_gallery_end_write (self);
  if (ok)
    easel_gallery_changed (self);
  return ok;
}

gboolean
easel_gallery_forget (EaselGallery *self, gint64 id, GError **error)
{
  return set_state (self, id, STATE_FORGOTTEN, error);
}

gboolean
easel_gallery_trash (EaselGallery *self, gint64 id, GError **error)
{
  g_autoptr (EaselGalleryItem) item = easel_gallery_get (self, id, error);
  g_autoptr (GFile) file = NULL;
  g_autoptr (GError) problem = NULL;

  if (!item)
    return FALSE;
  file = g_file_new_for_path (item->path);
  /* The row first: were it the other way round, a crash in between would show the picture as missing. */
  if (!set_state (self, id, STATE_TRASHED, error))
    return FALSE;
  if (g_file_trash (file, NULL, &problem) || g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  set_state (self, id, STATE_PRESENT, NULL);
  g_set_error (error, EASEL_ERROR,
               g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED) ? EASEL_ERROR_UNSUPPORTED
                                                                               : EASEL_ERROR_IO,
               "%s cannot be put into the trash: %s. It is where it was.", item->path, problem->message);
  return FALSE;
}

gboolean
easel_gallery_delete (EaselGallery *self, gint64 id, GError **error)
{
  g_autoptr (EaselGalleryItem) item = easel_gallery_get (self, id, error);
  g_autoptr (EaselStatement) s = NULL;
  sqlite3 *db;
  gboolean ok = FALSE;

  if (!item)
    return FALSE;
  if (g_unlink (item->path) != 0 && errno != ENOENT)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "%s cannot be deleted: %s. It is where it was.", item->path,
                   g_strerror (errno));
      return FALSE;
    }
  db = easel_gallery_begin_write (self);
  s = easel_gallery_prepare (db, "DELETE FROM item WHERE id = ?", error);
  if (s)
    {
      sqlite3_bind_int64 (s, 1, id);
      ok = easel_gallery_finish (db, s, error);
    }
  g_clear_pointer (&s, sqlite3_finalize);
  easel_gallery_end_write (self);
  if (ok)
    easel_gallery_changed (self);
  return ok;
}

/* A record in a trash folder: the newest one of this path. Returns the trashed file; *info its record. */
static char *
find_in_trash (const char *trash, const char *original, const char *top, char **info)
{
  g_autofree char *records = g_build_filename (trash, "info", NULL);
  GDir *dir = g_dir_open (records, 0, NULL);
  g_autofree char *newest = NULL;
  const char *name;
  char *found = NULL;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *record = g_build_filename (records, name, NULL);
      g_autoptr (GKeyFile) keys = g_key_file_new ();
      g_autofree char *escaped = NULL, *path = NULL, *whole = NULL, *date = NULL, *plain = NULL;

      if (!g_str_has_suffix (name, ".trashinfo") || !g_key_file_load_from_file (keys, record, 0, NULL))
        continue;
      escaped = g_key_file_get_string (keys, "Trash Info", "Path", NULL);
      date = g_key_file_get_string (keys, "Trash Info", "DeletionDate", NULL);
      path = escaped ? g_uri_unescape_string (escaped, NULL) : NULL;
      /* Relative to the top folder of its own drive, in a trash of that drive. */
      whole = path ? (g_path_is_absolute (path) ? g_strdup (path) : g_build_filename (top, path, NULL)) : NULL;
      if (g_strcmp0 (whole, original) != 0 || (newest && g_strcmp0 (date, newest) < 0))
        continue;
      plain = g_strndup (name, strlen (name) - strlen (".trashinfo"));
      g_free (newest);
      newest = g_strdup (date);
      g_free (found);
      found = g_build_filename (trash, "files", plain, NULL);
      g_free (*info);
      *info = g_strdup (record);
    }
  g_clear_pointer (&dir, g_dir_close);
  return found;
}

/* The trash folders a file of this path can have gone to, after the freedesktop.org Trash specification 1.0. */
static char *
find_trashed (const char *original, char **info)
{
  g_autofree char *home = g_build_filename (g_get_user_data_dir (), "Trash", NULL);
  char *found = find_in_trash (home, original, "/", info);
  g_autofree char *parent = g_path_get_dirname (original);
  GUnixMountEntry *mount = found ? NULL : g_unix_mount_for (parent, NULL);

  if (mount)
    {
      const char *top = g_unix_mount_get_mount_path (mount);
      g_autofree char *shared = g_strdup_printf ("%s/.Trash/%u", top, (guint) getuid ());
      g_autofree char *own = g_strdup_printf ("%s/.Trash-%u", top, (guint) getuid ());

      found = find_in_trash (shared, original, top, info);
      if (!found)
        found = find_in_trash (own, original, top, info);
      g_unix_mount_free (mount);
    }
  return found;
}

gboolean
easel_gallery_untrash (EaselGallery *self, gint64 id, GError **error)
{
  g_autoptr (EaselGalleryItem) item = easel_gallery_get (self, id, error);
  g_autofree char *info = NULL, *trashed = NULL, *parent = NULL;

  if (!item)
    return FALSE;
  trashed = find_trashed (item->path, &info);
  if (!trashed || !g_file_test (trashed, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                   "%s is not in the trash any more; it cannot be brought back.", item->path);
      return FALSE;
    }
  parent = g_path_get_dirname (item->path);
  /* NOREPLACE: somebody may have put another file there meanwhile. */
  if (g_mkdir_with_parents (parent, 0755) != 0 ||
      renameat2 (AT_FDCWD, trashed, AT_FDCWD, item->path, RENAME_NOREPLACE) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "%s cannot be brought back: %s. It is still in the trash.",
                   item->path, g_strerror (errno));
      return FALSE;
    }
  g_unlink (info);
  return set_state (self, id, STATE_PRESENT, error);
}

/* The first words of a prompt as a piece of a file name: letters and digits of any script, single spaces. */
static char *
name_words (const char *prompt)
{
  g_autoptr (GString) words = g_string_new (NULL);
  int n = 0;

  for (const char *c = prompt; *c && n < 48; c = g_utf8_next_char (c))
    {
      gunichar u = g_utf8_get_char (c);

      if (g_unichar_isalnum (u) || g_unichar_ismark (u))
        {
          g_string_append_unichar (words, u);
          n++;
        }
      else if (words->len && words->str[words->len - 1] != ' ')
        {
          g_string_append_c (words, ' ');
          n++;
        }
    }
  return g_strstrip (g_string_free (g_steal_pointer (&words), FALSE));
}

char *
easel_gallery_new_path (EaselGallery *self, EaselRequest *request, const char *extension)
{
  const EaselRequestSettings *s = easel_request_settings (request);
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *date = g_date_time_format (now, "%Y-%m-%d");
  g_autofree char *words = name_words (s->prompt);
  char *path = NULL;

  for (int n = 1; !path || g_file_test (path, G_FILE_TEST_EXISTS); n++)
    {
      g_autofree char *again = n > 1 ? g_strdup_printf (" (%d)", n) : g_strdup ("");
      g_autofree char *name = g_strdup_printf ("%s %s%s%" G_GINT64_FORMAT "%s.%s", date, words, *words ? " " : "",
                                               s->seed, again, extension);

      g_free (path);
      path = g_build_filename (self->folder, name, NULL);
    }
  return path;
}
