/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The gallery on real files: adding, finding, editing, the trash and back, files that come and go by hand, damaged
 * pictures, thumbnails; and the queue's rows. What happens to the index itself is in test-index.c.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/media/image-file.h"
#include "engine/media/video-file.h"
#include "engine/queue/store.h"
#include "tests/gallery/fixture.h"

static void
test_find (Fixture *f, gconstpointer data)
{
  const char *tags[] = { " sea ", "sea", "holiday\nplan", "a,b", "", NULL };
  GError *error = NULL;
  gint64 boat = fixture_make (f, "A sailboat in the sea, café", "starter-sana", 3);
  gint64 star = fixture_make (f, "a yellow star", "sana-1.6b", 4);
  g_autoptr (EaselGalleryItem) item = NULL;
  g_autoptr (GPtrArray) models = NULL, found_tags = NULL;

  g_assert_cmpuint (fixture_count (f, NULL, 0, NULL), ==, 2);
  g_assert_cmpuint (fixture_count (f, "sail", 0, NULL), ==, 1);
  g_assert_cmpuint (fixture_count (f, "cafe sea", 0, NULL), ==, 1); /* accents do not matter */
  g_assert_cmpuint (fixture_count (f, "star", 0, NULL), ==, 2);     /* a word of one, the model's name of the other */
  g_assert_cmpuint (fixture_count (f, "sail star yellow", 0, NULL), ==, 0);
  /* Nothing a person types is query language. */
  g_assert_cmpuint (fixture_count (f, "\" OR * NEAR( -", 0, NULL), ==, 0);
  g_assert_cmpuint (fixture_count (f, "***", 0, NULL), ==, 2);
  g_assert_cmpuint (fixture_count (f, "'; DROP TABLE item; --", 0, NULL), ==, 0);
  easel_gallery_set_stars (f->gallery, star, 4, &error);
  easel_gallery_set_tags (f->gallery, boat, tags, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (fixture_count (f, NULL, 4, NULL), ==, 1);
  g_assert_cmpuint (fixture_count (f, "holid", 0, NULL), ==, 1);
  g_assert_cmpuint (fixture_count (f, NULL, 0, "sea"), ==, 1);
  item = easel_gallery_get (f->gallery, boat, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (item->tags), ==, 3);
  g_assert_cmpstr (item->tags[0], ==, "a b");
  g_assert_cmpstr (item->tags[1], ==, "holiday plan");
  g_assert_cmpint (item->width, ==, 8);
  g_assert_cmpint (item->seed, ==, 3);
  g_assert_nonnull (item->request);
  models = easel_gallery_models (f->gallery, &error);
  g_assert_cmpuint (models->len, ==, 2);
  found_tags = easel_gallery_tags (f->gallery, &error);
  g_assert_cmpuint (found_tags->len, ==, 3);
}

static void
test_reopen (Fixture *f, gconstpointer data)
{
  gint64 id = fixture_make (f, "kept", "m", 1);
  gboolean rebuilt = TRUE;
  GError *error = NULL;
  g_autofree char *report = NULL;

  easel_gallery_set_stars (f->gallery, id, 5, NULL);
  fixture_reopen (f, &rebuilt);
  g_assert_false (rebuilt);
  g_assert_cmpuint (fixture_count (f, "kept", 5, NULL), ==, 1);
  report = easel_gallery_check (f->gallery, FALSE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (report, ==, "");
}

static void
test_scan (Fixture *f, gconstpointer data)
{
  g_autofree char *one = fixture_file (f, "by hand", "m", 1);
  g_autofree char *two = fixture_file (f, "by hand too", "m", 2);
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
  g_assert_cmpuint (fixture_count (f, NULL, 0, NULL), ==, 0);
  g_assert_true (g_file_test (two, G_FILE_TEST_EXISTS));
}

static void
test_trash (Fixture *f, gconstpointer data)
{
  gint64 id = fixture_make (f, "goes and comes back", "m", 1);
  GError *error = NULL;
  g_autoptr (EaselGalleryItem) item = easel_gallery_get (f->gallery, id, &error);

  if (!easel_gallery_trash (f->gallery, id, &error))
    {
      /* A folder of temporary files may lie where the system has no trash; then nothing must have happened. */
      g_assert_true (g_file_test (item->path, G_FILE_TEST_EXISTS));
      g_assert_cmpuint (fixture_count (f, NULL, 0, NULL), ==, 1);
      g_test_skip (error->message);
      g_clear_error (&error);
      return;
    }
  g_assert_false (g_file_test (item->path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (fixture_count (f, NULL, 0, NULL), ==, 0);
  easel_gallery_untrash (f->gallery, id, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_test (item->path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (fixture_count (f, NULL, 0, NULL), ==, 1);
}

static void
test_outside (Fixture *f, gconstpointer data)
{
  g_autofree char *elsewhere = g_build_filename (fixture_get_home (), "elsewhere.png", NULL);
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
  g_autofree char *path = fixture_file (f, "small", "m", 9);
  g_autofree char *broken = g_build_filename (f->folder, "broken.png", NULL);
  GError *error = NULL;
  g_autofree char *thumbnail = easel_thumbnail_ensure (path, 256, &error);
  g_autofree char *again = NULL, *normal = NULL, *hash = NULL, *record = NULL;
  g_autoptr (GHashTable) texts = NULL;
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL), *broken_uri = g_filename_to_uri (broken, NULL, NULL);
  struct stat st;

  g_assert_no_error (error);
  texts = easel_image_read_texts (thumbnail, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_hash_table_lookup (texts, "Thumb::URI"), ==, uri);
  again = easel_thumbnail_ensure (path, 256, &error);
  g_assert_cmpstr (again, ==, thumbnail);
  normal = easel_thumbnail_ensure (path, 100, &error);
  g_assert_nonnull (strstr (normal, "/thumbnails/normal/"));
  g_assert_cmpint (stat (normal, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  g_file_set_contents (broken, "no picture", -1, NULL);
  for (int i = 0; i < 2; i++)
    {
      g_assert_null (easel_thumbnail_ensure (broken, 256, &error));
      g_assert_error (error, EASEL_ERROR, (i ? EASEL_ERROR_DAMAGED : EASEL_ERROR_UNSUPPORTED));
      g_clear_error (&error);
    }
  hash = g_compute_checksum_for_string (G_CHECKSUM_MD5, broken_uri, -1);
  record = g_strdup_printf ("%s/thumbnails/fail/easel-" EASEL_VERSION "/%s.png", g_get_user_cache_dir (), hash);
  g_assert_true (g_file_test (record, G_FILE_TEST_IS_REGULAR));
}

/* One that another program left beside the file is taken as it is. */
static void
test_shared_thumbnail (Fixture *f, gconstpointer data)
{
  g_autofree char *path = fixture_file (f, "beside", "m", 4);
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_MD5, base, -1);
  g_autofree char *shared = g_strdup_printf ("%s/.sh_thumbnails/large/%s.png", f->folder, hash);
  g_autofree char *folder = g_path_get_dirname (shared);
  GError *error = NULL;
  g_autofree char *made = easel_thumbnail_ensure (path, 256, &error);
  g_autofree char *bytes = NULL, *found = NULL;
  gsize n;

  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (made, &bytes, &n, NULL));
  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  g_assert_true (g_file_set_contents (shared, bytes, (gssize) n, NULL));
  g_assert_cmpint (g_unlink (made), ==, 0);
  found = easel_thumbnail_ensure (path, 256, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (found, ==, shared);
}

/* ---- the queue's rows ---- */

static void
append_prompt (gint64 id, EaselRequest *request, const char *problem, gpointer user_data)
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
  g_autofree char *path = g_build_filename (fixture_get_home (), "queue.sqlite", NULL);
  GError *error = NULL;
  g_autoptr (EaselQueueStore) store = easel_queue_store_open (path, NULL, &error);
  const char *prompts[] = { "a", "b", "c" };
  gint64 ids[4], order[4];
  g_autofree char *first = NULL, *second = NULL, *third = NULL;
  g_autoptr (EaselRequest) next = fixture_request ("x", "m", 1);

  g_assert_no_error (error);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (EaselRequest) request = fixture_request (prompts[i], "m", i);
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
  store = easel_queue_store_open (path, NULL, &error);
  g_assert_no_error (error);
  second = order_of (store);
  g_assert_cmpstr (second, ==, "cab");
  g_assert_true (easel_queue_store_get_paused (store));
  g_assert_true (easel_queue_store_replace (store, ids[0], next, &error));
  third = order_of (store);
  g_assert_cmpstr (third, ==, "cxb");
}

/* Animations are clips, with their length and a thumbnail; a WebP that stands still is a picture. */
static void
test_animations (Fixture *f, gconstpointer data)
{
  static const char *const names[] = { "a.gif", "b.apng", "c.webp", "still.webp" };
  g_autoptr (GError) error = NULL;
  EaselGalleryScan result = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
      g_autofree char *path = g_build_filename (f->folder, names[i], NULL), *thumbnail = NULL;
      const int frames = i < 3 ? 4 : 1;
      g_autoptr (EaselPicture) picture = easel_picture_new (8, 6, frames, NULL);

      s.prompt = names[i];
      s.frames = frames;
      s.fps = 8;
      picture->fps = 8;
      picture->request = easel_request_new (&s, NULL);
      for (int p = 0; p < frames * 8 * 6 * 3; p++)
        picture->rgb[p] = (guint8) (p * 7);
      if (frames > 1)
        easel_video_write (picture, path, NULL, &error);
      else
        easel_image_write (picture, path, NULL, &error);
      g_assert_no_error (error);
      thumbnail = easel_thumbnail_ensure (path, 128, &error);
      g_assert_no_error (error);
    }
  g_assert_true (easel_gallery_scan (f->gallery, &result, NULL, &error));
  g_assert_cmpint (result.added, ==, 4);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      EaselGalleryQuery q = EASEL_GALLERY_QUERY_INIT;
      g_autoptr (GArray) ids = NULL;
      g_autoptr (EaselGalleryItem) item = NULL;

      q.text = names[i];
      q.kind = i < 3 ? EASEL_ITEM_CLIP : EASEL_ITEM_PICTURE;
      ids = easel_gallery_query (f->gallery, &q, &error);
      g_assert_cmpuint (ids->len, ==, 1);
      item = easel_gallery_get (f->gallery, g_array_index (ids, gint64, 0), &error);
      g_assert_cmpint (item->width, ==, 8);
      g_assert_cmpint (item->n_frames, ==, i < 3 ? 4 : 1);
      g_assert_cmpfloat (item->seconds, ==, i < 3 ? 0.5 : 0);
    }
}

int
main (int argc, char **argv)
{
  int status;

  fixture_home ();
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add ("/gallery/" #name, Fixture, NULL, fixture_set_up, test_##name, fixture_tear_down)
  ADD (find);
  ADD (reopen);
  ADD (scan);
  ADD (trash);
  ADD (outside);
  ADD (thumbnail);
  ADD (shared_thumbnail);
  ADD (animations);
  g_test_add_func ("/queue/store", test_queue_store);
  status = g_test_run ();
  fixture_home_away ();
  return status;
}
