/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The gallery on real files: adding, finding, editing, the trash and back, damaged and newer indexes, files that come
 * and go by hand, damaged pictures; and the queue's rows. Everything happens in a home of its own.
 */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "engine/gallery/gallery.h"
#include "engine/media/image-file.h"
#include "engine/queue/store.h"

static char *home;

typedef struct
{
  char *folder, *database;
  EaselGallery *gallery;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  static int n;
  GError *error = NULL;

  f->folder = g_strdup_printf ("%s/pictures-%d", home, n);
  f->database = g_strdup_printf ("%s/index-%d/gallery.sqlite", home, n++);
  f->gallery = easel_gallery_open (f->database, f->folder, NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_object (&f->gallery);
  g_free (f->folder);
  g_free (f->database);
}

static EaselRequest *
request_of (const char *prompt, const char *model, gint64 seed)
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

/* Writes a picture into the gallery's folder; returns its path. */
static char *
make_file (Fixture *f, const char *prompt, const char *model, gint64 seed)
{
  GError *error = NULL;
  g_autoptr (EaselPicture) picture = easel_picture_new (8, 6, 1, &error);
  char *path;

  g_assert_no_error (error);
  memset (picture->rgb, (int) seed, 8 * 6 * 3);
  picture->request = request_of (prompt, model, seed);
  path = easel_gallery_new_path (f->gallery, picture->request, "png");
  easel_image_write (picture, path, NULL, &error);
  g_assert_no_error (error);
  return path;
}

static gint64
make (Fixture *f, const char *prompt, const char *model, gint64 seed)
{
  g_autofree char *path = make_file (f, prompt, model, seed);
  GError *error = NULL;
  gint64 id = 0;

  easel_gallery_add (f->gallery, path, &id, &error);
  g_assert_no_error (error);
  g_assert_cmpint (id, >, 0);
  return id;
}

static guint
count (Fixture *f, const char *text, int min_stars, const char *tag)
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

static void
test_find (Fixture *f, gconstpointer data)
{
  const char *tags[] = { " sea ", "sea", "holiday\nplan", "", NULL };
  GError *error = NULL;
  gint64 boat = make (f, "A sailboat in the sea, café", "starter-sana", 3);
  gint64 star = make (f, "a yellow star", "sana-1.6b", 4);
  g_autoptr (EaselGalleryItem) item = NULL;
  g_autoptr (GPtrArray) models = NULL, found_tags = NULL;

  g_assert_cmpuint (count (f, NULL, 0, NULL), ==, 2);
  g_assert_cmpuint (count (f, "sail", 0, NULL), ==, 1);
  g_assert_cmpuint (count (f, "cafe sea", 0, NULL), ==, 1); /* accents do not matter */
  g_assert_cmpuint (count (f, "star", 0, NULL), ==, 2);     /* a word of one, the model's name of the other */
  g_assert_cmpuint (count (f, "sail star yellow", 0, NULL), ==, 0);
  /* Nothing a person types is query language. */
  g_assert_cmpuint (count (f, "\" OR * NEAR( -", 0, NULL), ==, 0);
  g_assert_cmpuint (count (f, "***", 0, NULL), ==, 2);
  g_assert_cmpuint (count (f, "'; DROP TABLE item; --", 0, NULL), ==, 0);
  easel_gallery_set_stars (f->gallery, star, 4, &error);
  easel_gallery_set_tags (f->gallery, boat, tags, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count (f, NULL, 4, NULL), ==, 1);
  g_assert_cmpuint (count (f, "holid", 0, NULL), ==, 1);
  g_assert_cmpuint (count (f, NULL, 0, "sea"), ==, 1);
  item = easel_gallery_get (f->gallery, boat, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (item->tags), ==, 2);
  g_assert_cmpstr (item->tags[0], ==, "holiday plan");
  g_assert_cmpint (item->width, ==, 8);
  g_assert_cmpint (item->seed, ==, 3);
  g_assert_nonnull (item->request);
  models = easel_gallery_models (f->gallery, &error);
  g_assert_cmpuint (models->len, ==, 2);
  found_tags = easel_gallery_tags (f->gallery, &error);
  g_assert_cmpuint (found_tags->len, ==, 2);
}

static void
test_reopen (Fixture *f, gconstpointer data)
{
  gint64 id = make (f, "kept", "m", 1);
  gboolean rebuilt = TRUE;
  GError *error = NULL;
  g_autofree char *report = NULL;

  easel_gallery_set_stars (f->gallery, id, 5, NULL);
  g_clear_object (&f->gallery);
  f->gallery = easel_gallery_open (f->database, f->folder, &rebuilt, &error);
  g_assert_no_error (error);
  g_assert_false (rebuilt);
  g_assert_cmpuint (count (f, "kept", 5, NULL), ==, 1);
  report = easel_gallery_check (f->gallery, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (report, ==, "");
}

/* Overwrites the middle of the index with rubbish: set aside, made anew from the files. */
static void
test_damaged (Fixture *f, gconstpointer data)
{
  g_autofree char *aside = g_strconcat (f->database, ".damaged-1", NULL);
  g_autofree char *rubbish = g_malloc (64 << 10);
  gboolean rebuilt = FALSE;
  GError *error = NULL;

  for (int i = 0; i < 5; i++)
    make (f, "survives", "m", i);
  g_clear_object (&f->gallery);
  memset (rubbish, 0x5a, 64 << 10);
  g_assert_true (g_file_set_contents (f->database, rubbish, 64 << 10, NULL));
  f->gallery = easel_gallery_open (f->database, f->folder, &rebuilt, &error);
  g_assert_no_error (error);
  g_assert_true (rebuilt);
  g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count (f, "survives", 0, NULL), ==, 5);
}

static void
test_newer (Fixture *f, gconstpointer data)
{
  sqlite3 *db = NULL;
  GError *error = NULL;

  g_clear_object (&f->gallery);
  g_assert_cmpint (sqlite3_open (f->database, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, "PRAGMA user_version = 99", NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
  f->gallery = easel_gallery_open (f->database, f->folder, NULL, &error);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED);
  g_assert_null (f->gallery);
  g_clear_error (&error);
}

static void
test_scan (Fixture *f, gconstpointer data)
{
  g_autofree char *one = make_file (f, "by hand", "m", 1);
  g_autofree char *two = make_file (f, "by hand too", "m", 2);
  g_autofree char *broken = g_build_filename (f->folder, "broken.png", NULL);
  EaselGalleryScan result;
  EaselGalleryQuery q = EASEL_GALLERY_QUERY_INIT;
  GError *error = NULL;
  g_autoptr (GArray) ids = NULL;
  g_autoptr (EaselGalleryItem) item = NULL;

  g_file_set_contents (broken, "no picture", -1, NULL);
  easel_gallery_scan (f->gallery, &result, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (result.added, ==, 2);
  g_assert_cmpint (result.failed, ==, 1);
  easel_gallery_scan (f->gallery, &result, NULL, &error);
  g_assert_cmpint (result.added + result.changed + result.failed, ==, 0); /* what is known is not read again */
  g_assert_cmpint (g_unlink (one), ==, 0);
  easel_gallery_scan (f->gallery, &result, NULL, &error);
  g_assert_cmpint (result.missing, ==, 1);
  q.text = "hand";
  ids = easel_gallery_query (f->gallery, &q, &error);
  g_assert_cmpuint (ids->len, ==, 2); /* shown as missing, not dropped */
  /* Forgotten ones stay forgotten. */
  for (guint i = 0; i < ids->len; i++)
    easel_gallery_forget (f->gallery, g_array_index (ids, gint64, i), &error);
  easel_gallery_scan (f->gallery, &result, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count (f, NULL, 0, NULL), ==, 0);
  g_assert_true (g_file_test (two, G_FILE_TEST_EXISTS));
}

static void
test_trash (Fixture *f, gconstpointer data)
{
  gint64 id = make (f, "goes and comes back", "m", 1);
  GError *error = NULL;
  g_autoptr (EaselGalleryItem) item = easel_gallery_get (f->gallery, id, &error);

  if (!easel_gallery_trash (f->gallery, id, &error))
    {
      /* A folder of temporary files may lie where the system has no trash; then nothing must have happened. */
      g_assert_true (g_file_test (item->path, G_FILE_TEST_EXISTS));
      g_assert_cmpuint (count (f, NULL, 0, NULL), ==, 1);
      g_test_skip (error->message);
      g_clear_error (&error);
      return;
    }
  g_assert_false (g_file_test (item->path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count (f, NULL, 0, NULL), ==, 0);
  easel_gallery_untrash (f->gallery, id, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_test (item->path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count (f, NULL, 0, NULL), ==, 1);
}

static void
test_outside (Fixture *f, gconstpointer data)
{
  g_autofree char *elsewhere = g_build_filename (home, "elsewhere.png", NULL);
  g_autofree char *sneaky = g_build_filename (f->folder, "..", "elsewhere.png", NULL);
  GError *error = NULL;

  g_assert_false (easel_gallery_add (f->gallery, elsewhere, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  g_assert_false (easel_gallery_add (f->gallery, sneaky, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
}

static void
test_thumbnail (Fixture *f, gconstpointer data)
{
  g_autofree char *path = make_file (f, "small", "m", 9);
  g_autofree char *broken = g_build_filename (f->folder, "broken.png", NULL);
  GError *error = NULL;
  g_autofree char *thumbnail = easel_thumbnail_ensure (path, 256, &error);
  g_autofree char *again = NULL;
  g_autoptr (GHashTable) texts = NULL;
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);

  g_assert_no_error (error);
  texts = easel_image_read_texts (thumbnail, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_hash_table_lookup (texts, "Thumb::URI"), ==, uri);
  again = easel_thumbnail_ensure (path, 256, &error);
  g_assert_cmpstr (again, ==, thumbnail);
  g_file_set_contents (broken, "no picture", -1, NULL);
  for (int i = 0; i < 2; i++)
    {
      g_assert_null (easel_thumbnail_ensure (broken, 256, &error));
      g_assert_nonnull (error);
      g_clear_error (&error);
    }
}

/* ---- the queue's rows ---- */

static void
append_prompt (gint64 id, EaselRequest *request, gpointer user_data)
{
  g_string_append (user_data, easel_request_settings (request)->prompt);
}

static char *
order_of (EaselQueueStore *store)
{
  GString *order = g_string_new (NULL);
  GError *error = NULL;

  easel_queue_store_each (store, append_prompt, order, &error);
  g_assert_no_error (error);
  return g_string_free (order, FALSE);
}

static void
test_queue_store (void)
{
  g_autofree char *path = g_build_filename (home, "queue.sqlite", NULL);
  GError *error = NULL;
  g_autoptr (EaselQueueStore) store = easel_queue_store_open (path, &error);
  const char *prompts[] = { "a", "b", "c" };
  gint64 ids[4], order[4];
  g_autofree char *first = NULL, *second = NULL, *third = NULL;
  g_autoptr (EaselRequest) next = request_of ("x", "m", 1);

  g_assert_no_error (error);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (EaselRequest) request = request_of (prompts[i], "m", i);
      g_assert_true (easel_queue_store_add (store, request, -1, &ids[i], &error));
    }
  g_assert_true (easel_queue_store_add (store, next, 1, &ids[3], &error));
  first = order_of (store);
  g_assert_cmpstr (first, ==, "axbc");
  order[0] = ids[2], order[1] = ids[0], order[2] = ids[3], order[3] = ids[1];
  g_assert_true (easel_queue_store_reorder (store, order, 4, &error));
  g_assert_true (easel_queue_store_remove (store, ids[3], &error));
  g_assert_true (easel_queue_store_set_paused (store, TRUE, &error));
  g_clear_pointer (&store, easel_queue_store_free);
  store = easel_queue_store_open (path, &error);
  g_assert_no_error (error);
  second = order_of (store);
  g_assert_cmpstr (second, ==, "cab");
  g_assert_true (easel_queue_store_get_paused (store));
  g_assert_true (easel_queue_store_replace (store, ids[0], next, &error));
  third = order_of (store);
  g_assert_cmpstr (third, ==, "cxb");
}

int
main (int argc, char **argv)
{
  g_autofree char *data = NULL, *cache = NULL;
  int status;

  home = g_dir_make_tmp ("easel-gallery-XXXXXX", NULL);
  data = g_build_filename (home, "data", NULL);
  cache = g_build_filename (home, "cache", NULL);
  g_setenv ("XDG_DATA_HOME", data, TRUE);
  g_setenv ("XDG_CACHE_HOME", cache, TRUE);
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add ("/gallery/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  ADD (find);
  ADD (reopen);
  ADD (damaged);
  ADD (newer);
  ADD (scan);
  ADD (trash);
  ADD (outside);
  ADD (thumbnail);
  g_test_add_func ("/queue/store", test_queue_store);
  status = g_test_run ();
  g_spawn_sync (NULL, (char *[]){ (char *) "rm", (char *) "-rf", home, NULL }, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                NULL, NULL, NULL, NULL);
  g_free (home);
  return status;
}
