/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/gallery/fixture.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "engine/media/image-file.h"

static char *home;

void
fixture_home (void)
{
  g_autofree char *data = NULL, *cache = NULL;

  home = g_dir_make_tmp ("easel-gallery-XXXXXX", NULL);
  data = g_build_filename (home, "data", NULL);
  cache = g_build_filename (home, "cache", NULL);
  g_setenv ("XDG_DATA_HOME", data, TRUE);
  g_setenv ("XDG_CACHE_HOME", cache, TRUE);
}

const char *
fixture_get_home (void)
{
  return home;
}

void
fixture_home_away (void)
{
  char *argv[] = { (char *) "rm", (char *) "-rf", home, NULL };

  g_spawn_sync (NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
  g_clear_pointer (&home, g_free);
}

void
fixture_set_up (Fixture *f, gconstpointer data)
{
  static int n;
  GError *error = NULL;

  f->folder = g_strdup_printf ("%s/pictures-%d", home, n);
  f->database = g_strdup_printf ("%s/index-%d/gallery.sqlite", home, n++);
  f->gallery = easel_gallery_open (f->database, f->folder, NULL, &error);
  g_assert_no_error (error);
}

void
fixture_tear_down (Fixture *f, gconstpointer data)
{
  g_clear_object (&f->gallery);
  g_free (f->folder);
  g_free (f->database);
}

void
fixture_reopen (Fixture *f, gboolean *rebuilt)
{
  GError *error = NULL;

  g_clear_object (&f->gallery);
  f->gallery = easel_gallery_open (f->database, f->folder, rebuilt, &error);
  g_assert_no_error (error);
}

void
fixture_sql (const char *database, const char *sql)
{
  sqlite3 *db = NULL;
  char *message = NULL;

  g_assert_cmpint (sqlite3_open (database, &db), ==, SQLITE_OK);
  sqlite3_exec (db, sql, NULL, NULL, &message);
  g_assert_cmpstr (message, ==, NULL);
  sqlite3_close (db);
}

EaselRequest *
fixture_request (const char *prompt, const char *model, gint64 seed)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  GError *error = NULL;
  EaselRequest *request;

  s.prompt = prompt;
  s.model = model;
  s.seed = seed;
  s.steps = 20;
  s.guidance = 4.5;
  s.width = 8;
  s.height = 6;
  s.sampler = "flow-dpm++";
  request = easel_request_new (&s, &error);
  g_assert_no_error (error);
  return request;
}

char *
fixture_file (Fixture *f, const char *prompt, const char *model, gint64 seed)
{
  GError *error = NULL;
  g_autoptr (EaselPicture) picture = easel_picture_new (8, 6, 1, &error);
  char *path;

  g_assert_no_error (error);
  memset (picture->rgb, (int) seed, 8 * 6 * 3);
  picture->request = fixture_request (prompt, model, seed);
  path = easel_gallery_new_path (f->gallery, picture->request, "png");
  easel_image_write (picture, path, NULL, &error);
  g_assert_no_error (error);
  return path;
}

gint64
fixture_make (Fixture *f, const char *prompt, const char *model, gint64 seed)
{
  g_autofree char *path = fixture_file (f, prompt, model, seed);
  GError *error = NULL;
  gint64 id = 0;

  easel_gallery_add (f->gallery, path, &id, &error);
  g_assert_no_error (error);
  g_assert_cmpint (id, >, 0);
  return id;
}

guint
fixture_count (Fixture *f, const char *text, int min_stars, const char *tag)
{
  EaselGalleryQuery q = EASEL_GALLERY_QUERY_INIT;
  GError *error = NULL;
  g_autoptr (GArray) ids = NULL;

  q.text = text;
  q.min_stars = min_stars;
  q.tag = tag;
  ids = easel_gallery_query (f->gallery, &q, &error);
  g_assert_no_error (error);
  return ids->len;
}
