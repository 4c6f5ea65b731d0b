/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The queue with the starter model: order, pausing, changing, stopping, keeping, failing, and what is left after a
 * program ended without a word.
 */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "engine/media/image-file.h"
#include "engine/queue/queue.h"

typedef struct
{
  char *dir, *pictures, *database, *index;
  EaselEngine *engine;
  EaselGallery *gallery;
  EaselQueue *queue;
  GPtrArray *finished; /* EaselQueueItem */
} Fixture;

static void
finished_cb (EaselQueue *queue, EaselQueueItem *item, Fixture *f)
{
  g_ptr_array_add (f->finished, g_object_ref (item));
}

static void
open_queue (Fixture *f, gboolean paused)
{
  g_autoptr (GError) error = NULL;

  f->queue = easel_queue_new (f->database, f->engine, f->gallery, NULL, &error);
  g_assert_no_error (error);
  if (paused)
    easel_queue_set_paused (f->queue, TRUE);
  g_signal_connect (f->queue, "finished", G_CALLBACK (finished_cb), f);
}

/* As a program that ends: the running job is stopped, rows stay. */
static void
close_queue (Fixture *f)
{
  g_object_run_dispose (G_OBJECT (f->queue));
  g_clear_object (&f->queue);
  while (easel_engine_queue_length (f->engine) > 0 || g_main_context_pending (NULL))
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
}

static void
fixture_open (Fixture *f)
{
  g_autofree char *root = g_build_filename (g_getenv ("EASEL_SOURCE"), "data", "starter", NULL);
  const char *roots[] = { root, NULL };
  EaselEngineSettings settings = { .model_roots = roots, .device = "cpu", .threads = 2 };
  g_autoptr (GError) error = NULL;

  f->dir = g_dir_make_tmp ("easel-queue-XXXXXX", &error);
  g_assert_no_error (error);
  f->pictures = g_build_filename (f->dir, "pictures", NULL);
  f->database = g_build_filename (f->dir, "queue.sqlite", NULL);
  f->index = g_build_filename (f->dir, "gallery.sqlite", NULL);
  f->finished = g_ptr_array_new_with_free_func (g_object_unref);
  f->engine = easel_engine_new (&settings, &error);
  g_assert_no_error (error);
  f->gallery = easel_gallery_open (f->index, f->pictures, NULL, &error);
  g_assert_no_error (error);
}

static void
fixture_close (Fixture *f)
{
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", f->dir);

  if (f->queue)
    close_queue (f);
  g_object_unref (f->gallery);
  g_object_unref (f->engine);
  g_ptr_array_unref (f->finished);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (f->pictures);
  g_free (f->database);
  g_free (f->index);
  g_free (f->dir);
}

/* Something quick. */
static EaselRequest *
words (const char *prompt, int count)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;

  s.model = "starter-sana";
  s.prompt = prompt;
  s.width = s.height = 64;
  s.steps = 2;
  s.seed = 7;
  s.count = count;
  s.resolution_binning = FALSE;
  return easel_request_new (&s, NULL);
}

static void
add (Fixture *f, const char *prompt, int count, gboolean first)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = words (prompt, count);

  g_assert_true (easel_queue_add (f->queue, request, first, &error));
  g_assert_no_error (error);
}

/* The prompts in order, joined by commas. */
static char *
order (Fixture *f)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (f->queue)); i++)
    {
      g_autoptr (EaselQueueItem) item = g_list_model_get_item (G_LIST_MODEL (f->queue), i);
      g_string_append_printf (text, "%s%s", i ? "," : "",
                              easel_request_settings (easel_queue_item_get_request (item))->prompt);
    }
  return g_string_free (text, FALSE);
}

static void
assert_order (Fixture *f, const char *expected)
{
  g_autofree char *got = order (f);
  g_assert_cmpstr (got, ==, expected);
}

static gboolean
timeout_cb (gpointer expired)
{
  *(gboolean *) expired = TRUE;
  return G_SOURCE_CONTINUE;
}

/* Iterates until n items are over. Generous: machines are busy. */
static void
wait_finished (Fixture *f, guint n)
{
  gboolean expired = FALSE;
  guint timer = g_timeout_add_seconds (180, timeout_cb, &expired);

  while (f->finished->len < n && !expired)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (timer);
  g_assert_cmpuint (f->finished->len, >=, n);
}

static guint
n_files (Fixture *f)
{
  g_autoptr (GDir) dir = g_dir_open (f->pictures, 0, NULL);
  const char *name;
  guint n = 0;

  while (dir && (name = g_dir_read_name (dir)))
    n += g_str_has_suffix (name, ".png") && name[0] != '.';
  return n;
}

static void
execute (Fixture *f, const char *sql)
{
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (f->database, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
}

/* ---- order ---- */

static void
test_order (void)
{
  Fixture f = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) changed = words ("changed", 1);

  fixture_open (&f);
  open_queue (&f, TRUE);
  add (&f, "a", 1, FALSE);
  add (&f, "b", 1, FALSE);
  add (&f, "c", 1, FALSE);
  add (&f, "first", 1, TRUE);
  assert_order (&f, "first,a,b,c");
  g_assert_true (easel_queue_move (f.queue, 3, 1, &error));
  assert_order (&f, "first,c,a,b");
  g_assert_true (easel_queue_move (f.queue, 0, 3, &error));
  assert_order (&f, "c,a,b,first");
  g_assert_false (easel_queue_move (f.queue, 0, 4, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  g_assert_true (easel_queue_remove (f.queue, 1, &error));
  g_assert_true (easel_queue_replace (f.queue, 1, changed, &error));
  assert_order (&f, "c,changed,first");
  close_queue (&f);
  open_queue (&f, FALSE);
  g_assert_true (easel_queue_get_paused (f.queue));
  assert_order (&f, "c,changed,first");
  easel_queue_set_paused (f.queue, FALSE);
  wait_finished (&f, 3);
  assert_order (&f, "");
  g_assert_cmpuint (n_files (&f), ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      EaselQueueItem *item = f.finished->pdata[i];
      const char *expected[] = { "c", "changed", "first" };

      g_assert_cmpint (easel_queue_item_get_state (item), ==, EASEL_JOB_DONE);
      g_assert_cmpint (easel_queue_item_get_saved_id (item), >, 0);
      g_assert_cmpstr (easel_request_settings (easel_queue_item_get_request (item))->prompt, ==, expected[i]);
    }
  fixture_close (&f);
}

/* A series is one item a picture, with its own seed; all of them or none. */
static void
test_series (void)
{
  Fixture f = { 0 };
  g_autoptr (GError) error = NULL;

  fixture_open (&f);
  open_queue (&f, TRUE);
  add (&f, "many", 200, FALSE);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (f.queue)), ==, 200);
  for (guint i = 0; i < 200; i += 66)
    {
      g_autoptr (EaselQueueItem) item = g_list_model_get_item (G_LIST_MODEL (f.queue), i);
      g_assert_cmpint (easel_request_settings (easel_queue_item_get_request (item))->seed, ==, 7 + i);
      g_assert_cmpint (easel_request_settings (easel_queue_item_get_request (item))->count, ==, 1);
    }
  g_assert_true (easel_queue_clear (f.queue, &error));
  assert_order (&f, "");
  close_queue (&f);
  open_queue (&f, TRUE);
  assert_order (&f, "");
  fixture_close (&f);
}

/* ---- stopping ---- */

static void
stop_cb (EaselJob *job, GParamSpec *spec, gpointer keep)
{
  int step;
  EaselQueue *queue = g_object_get_data (G_OBJECT (job), "queue");

  g_object_get (job, "step", &step, NULL);
  if (step >= 1)
    easel_queue_stop_current (queue, GPOINTER_TO_INT (keep));
}

static void
stop_in_the_middle (gboolean keep)
{
  Fixture f = { 0 };
  EaselRequestSettings s;
  g_autoptr (EaselRequest) plain = words ("stopped", 1), longer = NULL;
  g_autoptr (GError) error = NULL;
  EaselQueueItem *item;

  fixture_open (&f);
  open_queue (&f, TRUE);
  s = *easel_request_settings (plain);
  s.steps = 40;
  longer = easel_request_new (&s, NULL);
  g_assert_true (easel_queue_add (f.queue, longer, FALSE, &error));
  add (&f, "next", 1, FALSE);
  easel_queue_set_paused (f.queue, FALSE);
  item = easel_queue_get_current (f.queue);
  g_assert_nonnull (item);
  g_object_set_data (G_OBJECT (easel_queue_item_get_job (item)), "queue", f.queue);
  g_signal_connect (easel_queue_item_get_job (item), "notify::step", G_CALLBACK (stop_cb), GINT_TO_POINTER (keep));
  wait_finished (&f, 2);
  g_assert_cmpint (easel_queue_item_get_state (f.finished->pdata[0]), ==, keep ? EASEL_JOB_DONE : EASEL_JOB_CANCELLED);
  g_assert_cmpint (easel_queue_item_get_state (f.finished->pdata[1]), ==, EASEL_JOB_DONE);
  g_assert_cmpuint (n_files (&f), ==, keep ? 2 : 1);
  assert_order (&f, "");
  if (keep)
    {
      g_autoptr (EaselGalleryItem) saved =
          easel_gallery_get (f.gallery, easel_queue_item_get_saved_id (f.finished->pdata[0]), &error);
      g_autoptr (EaselRequest) inside = easel_image_read_request (saved->path, &error);

      g_assert_no_error (error);
      g_assert_cmpint (easel_request_settings (inside)->stop_after, >=, 1);
      g_assert_cmpint (easel_request_settings (inside)->stop_after, <, 40);
      g_assert_cmpint (easel_request_settings (inside)->steps, ==, 40);
    }
  fixture_close (&f);
}

static void
test_stop (void)
{
  stop_in_the_middle (FALSE);
}

static void
test_stop_and_keep (void)
{
  stop_in_the_middle (TRUE);
}

/* ---- failing ---- */

/* A failed one stays, last, with its reason; trying it again is up to the person. */
static void
test_failure_stays (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s;
  g_autoptr (EaselRequest) plain = words ("wrong", 1), wrong = NULL;
  g_autoptr (EaselQueueItem) item = NULL;
  g_autoptr (GError) error = NULL;

  fixture_open (&f);
  open_queue (&f, TRUE);
  s = *easel_request_settings (plain);
  s.sampler = "no-such-sampler";
  wrong = easel_request_new (&s, NULL);
  g_assert_true (easel_queue_add (f.queue, wrong, FALSE, &error));
  add (&f, "right", 1, FALSE);
  easel_queue_set_paused (f.queue, FALSE);
  wait_finished (&f, 2);
  g_assert_cmpint (easel_queue_item_get_state (f.finished->pdata[0]), ==, EASEL_JOB_FAILED);
  g_assert_cmpint (easel_queue_item_get_state (f.finished->pdata[1]), ==, EASEL_JOB_DONE);
  assert_order (&f, "wrong");
  g_assert_cmpuint (easel_queue_n_to_do (f.queue), ==, 0);
  close_queue (&f);
  open_queue (&f, TRUE);
  add (&f, "later", 1, FALSE);
  assert_order (&f, "later,wrong");
  item = g_list_model_get_item (G_LIST_MODEL (f.queue), 1);
  g_assert_cmpint (easel_queue_item_get_state (item), ==, EASEL_JOB_FAILED);
  g_assert_nonnull (strstr (easel_queue_item_get_message (item), "no-such-sampler"));
  g_assert_true (easel_queue_replace (f.queue, 1, plain, &error));
  g_assert_cmpuint (easel_queue_n_to_do (f.queue), ==, 2);
  easel_queue_set_paused (f.queue, FALSE);
  wait_finished (&f, 4);
  assert_order (&f, "");
  fixture_close (&f);
}

/* The folder is gone: the picture cannot be kept, the row can; the queue waits, and goes on when the folder is back. */
static void
test_no_folder (void)
{
  Fixture f = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *moved = NULL;
  g_autoptr (EaselRequest) again = words ("kept", 1);

  fixture_open (&f);
  open_queue (&f, TRUE);
  moved = g_strconcat (f.pictures, ".away", NULL);
  g_assert_cmpint (g_rename (f.pictures, moved), ==, 0);
  g_assert_true (g_file_set_contents (f.pictures, "", 0, NULL)); /* a file in its place */
  add (&f, "kept", 1, FALSE);
  add (&f, "waits", 1, FALSE);
  easel_queue_set_paused (f.queue, FALSE);
  wait_finished (&f, 1);
  g_assert_cmpint (easel_queue_item_get_state (f.finished->pdata[0]), ==, EASEL_JOB_FAILED);
  g_assert_nonnull (easel_queue_item_get_message (f.finished->pdata[0]));
  g_assert_true (easel_queue_get_paused (f.queue));
  assert_order (&f, "waits,kept");
  g_assert_cmpint (g_unlink (f.pictures), ==, 0);
  g_assert_cmpint (g_rename (moved, f.pictures), ==, 0);
  g_assert_true (easel_queue_replace (f.queue, 1, again, &error));
  easel_queue_set_paused (f.queue, FALSE);
  wait_finished (&f, 3);
  g_assert_cmpuint (n_files (&f), ==, 2);
  fixture_close (&f);
}

/* ---- files ---- */

/* What ended the program twice waits for the person. The input's whole name survives; a request's JSON has its end. */
static void
test_begun_twice (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s;
  g_autoptr (EaselRequest) plain = words ("heavy", 1), with_input = NULL;
  g_autoptr (EaselQueueItem) item = NULL;
  g_autoptr (GError) error = NULL;

  fixture_open (&f);
  open_queue (&f, TRUE);
  s = *easel_request_settings (plain);
  s.input = "/somewhere/else/clip.mp4";
  with_input = easel_request_new (&s, NULL);
  g_assert_true (easel_queue_add (f.queue, with_input, FALSE, &error));
  close_queue (&f);
  execute (&f, "UPDATE queue SET begun = 2");
  open_queue (&f, FALSE);
  g_assert_cmpuint (easel_queue_n_to_do (f.queue), ==, 0);
  item = g_list_model_get_item (G_LIST_MODEL (f.queue), 0);
  g_assert_cmpint (easel_queue_item_get_state (item), ==, EASEL_JOB_FAILED);
  g_assert_nonnull (easel_queue_item_get_message (item));
  g_assert_cmpstr (easel_request_settings (easel_queue_item_get_request (item))->input, ==,
                   "/somewhere/else/clip.mp4");
  fixture_close (&f);
}

/* An older file is brought up to date, a newer one is left alone, a damaged one is set aside. */
static void
test_versions (void)
{
  Fixture f = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = words ("old", 1);
  g_autofree char *json = easel_request_to_json (request), *aside = NULL;
  char *sql = sqlite3_mprintf ("CREATE TABLE queue (id INTEGER PRIMARY KEY, place REAL NOT NULL,"
                               " request TEXT NOT NULL);"
                               "CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
                               "INSERT INTO setting VALUES ('paused', 1);"
                               "INSERT INTO queue (place, request) VALUES (1, %Q); PRAGMA user_version = 1", json);
  gboolean damaged = FALSE;

  fixture_open (&f);
  execute (&f, sql);
  sqlite3_free (sql);
  open_queue (&f, FALSE);
  assert_order (&f, "old");
  g_assert_true (easel_queue_get_paused (f.queue));
  close_queue (&f);

  execute (&f, "PRAGMA user_version = 99");
  f.queue = easel_queue_new (f.database, f.engine, f.gallery, &damaged, &error);
  g_assert_null (f.queue);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED);
  g_assert_false (damaged);
  g_clear_error (&error);

  g_assert_true (g_file_set_contents (f.database, "this is no database at all, it is a text of some length", -1, NULL));
  f.queue = easel_queue_new (f.database, f.engine, f.gallery, &damaged, &error);
  g_assert_no_error (error);
  g_assert_true (damaged);
  aside = g_strconcat (f.database, ".damaged-1", NULL);
  g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
  assert_order (&f, "");
  fixture_close (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/queue/order", test_order);
  g_test_add_func ("/queue/series", test_series);
  g_test_add_func ("/queue/stop", test_stop);
  g_test_add_func ("/queue/stop-and-keep", test_stop_and_keep);
  g_test_add_func ("/queue/failure-stays", test_failure_stays);
  g_test_add_func ("/queue/no-folder", test_no_folder);
  g_test_add_func ("/queue/begun-twice", test_begun_twice);
  g_test_add_func ("/queue/versions", test_versions);
  return g_test_run ();
}
