/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What can happen to the index: an older version, a newer one, damage, a rescue that was interrupted, a full disk, a
 * folder that is not there. What a person added is still there afterwards.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/gallery/fixture.h"

/* The index as version 1 made it. */
static const char version_1[] =
    "PRAGMA journal_mode = WAL; BEGIN;"
    "CREATE TABLE item ("
    "  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, width INTEGER NOT NULL,"
    "  height INTEGER NOT NULL, frames INTEGER NOT NULL, bytes INTEGER NOT NULL, mtime INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, model TEXT NOT NULL, sampler TEXT NOT NULL, prompt TEXT NOT NULL,"
    "  negative TEXT NOT NULL, steps INTEGER NOT NULL, guidance REAL NOT NULL, seed INTEGER NOT NULL, request TEXT,"
    "  stars INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '', state INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX item_newest ON item (state, created DESC, id DESC);"
    "CREATE TABLE tag (item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE, name TEXT NOT NULL,"
    "  PRIMARY KEY (name, item)) WITHOUT ROWID;"
    "CREATE INDEX tag_item ON tag (item);"
    "CREATE VIRTUAL TABLE words USING fts5 (prompt, negative, model, tags, path, content='item', content_rowid='id',"
    "  prefix='1 2 3', tokenize='unicode61 remove_diacritics 2');"
    "CREATE TRIGGER item_added AFTER INSERT ON item BEGIN"
    "  INSERT INTO words (rowid, prompt, negative, model, tags, path)"
    "  VALUES (new.id, new.prompt, new.negative, new.model, new.tags, new.path); END;"
    "CREATE TRIGGER item_removed AFTER DELETE ON item BEGIN"
    "  INSERT INTO words (words, rowid, prompt, negative, model, tags, path)"
    "  VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.tags, old.path); END;"
    "CREATE TRIGGER item_edited AFTER UPDATE OF prompt, negative, model, tags, path ON item BEGIN"
    "  INSERT INTO words (words, rowid, prompt, negative, model, tags, path)"
    "  VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.tags, old.path);"
    "  INSERT INTO words (rowid, prompt, negative, model, tags, path)"
    "  VALUES (new.id, new.prompt, new.negative, new.model, new.tags, new.path); END;"
    "INSERT INTO item (path, kind, width, height, frames, bytes, mtime, created, model, sampler, prompt, negative,"
    "  steps, guidance, seed, stars, tags) VALUES"
    "  ('old.png', 0, 8, 6, 1, 100, 1, 1, 'm', 's', '一只红色的气球', '', 20, 4.5, 7, 4, 'sea');"
    "INSERT INTO tag VALUES (1, 'sea'); PRAGMA user_version = 1; COMMIT;";

static void
assert_sound (Fixture *f)
{
  GError *error = NULL;
  g_autofree char *report = easel_gallery_check (f->gallery, FALSE, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (report, ==, "");
}

static void
test_migrate (Fixture *f, gconstpointer data)
{
  g_autofree char *path = g_build_filename (f->folder, "old.png", NULL);
  g_autoptr (EaselGalleryItem) item = NULL;

  g_clear_object (&f->gallery);
  g_assert_cmpint (g_unlink (f->database), ==, 0);
  fixture_sql (f->database, version_1);
  g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  fixture_reopen (f, NULL);
  g_assert_cmpuint (fixture_count (f, "红色", 4, "sea"), ==, 1); /* found inside the sentence since version 2 */
  g_assert_cmpuint (fixture_count (f, "气球", 0, NULL), ==, 1);
  g_assert_cmpuint (fixture_count (f, "色红", 0, NULL), ==, 0);
  item = easel_gallery_get (f->gallery, 1, NULL);
  g_assert_nonnull (item);
  g_assert_cmpint (item->stars, ==, 4);
  g_assert_cmpint (item->seed, ==, 7);
  g_assert_cmpstr (item->tags[0], ==, "sea");
  assert_sound (f);
  fixture_reopen (f, NULL);
  g_assert_cmpuint (fixture_count (f, NULL, 4, NULL), ==, 1);
}

/* A migration that cannot be finished leaves the index as it was. */
static void
test_migrate_fails (Fixture *f, gconstpointer data)
{
  GError *error = NULL;

  g_clear_object (&f->gallery);
  g_assert_cmpint (g_unlink (f->database), ==, 0);
  fixture_sql (f->database, version_1);
  fixture_sql (f->database, "CREATE TABLE salvaged (in_the_way)");
  f->gallery = easel_gallery_open (f->database, f->folder, NULL, &error);
  g_assert_null (f->gallery);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_FAILED);
  g_clear_error (&error);
  fixture_sql (f->database, "DROP TABLE salvaged");
  fixture_reopen (f, NULL);
  g_assert_cmpuint (fixture_count (f, NULL, 4, "sea"), ==, 1);
}

static void
test_newer (Fixture *f, gconstpointer data)
{
  const char *tags[] = { "keep", NULL };
  gint64 id = fixture_make (f, "from the future", "m", 1);
  g_autofree char *aside = g_strconcat (f->database, ".old-1", NULL);
  GError *error = NULL;

  easel_gallery_set_stars (f->gallery, id, 3, &error);
  easel_gallery_set_tags (f->gallery, id, tags, &error);
  g_assert_no_error (error);
  g_clear_object (&f->gallery);
  fixture_sql (f->database, "PRAGMA user_version = 99");
  f->gallery = easel_gallery_open (f->database, f->folder, NULL, &error);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED);
  g_assert_null (f->gallery);
  g_clear_error (&error);
  /* The way forward. */
  f->gallery = easel_gallery_open_anew (f->database, f->folder, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
  g_assert_true (easel_gallery_scan (f->gallery, NULL, NULL, &error));
  g_assert_cmpuint (fixture_count (f, "future", 3, "keep"), ==, 1);
  assert_sound (f);
}

/* The files' own marks are taken away, so that what comes back comes from the index. */
static void
remove_marks (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *copy = g_strconcat (path, ".copy", NULL);
      g_autofree char *bytes = NULL;
      gsize n;

      g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
      g_assert_true (g_file_set_contents (copy, bytes, (gssize) n, NULL));
      g_assert_cmpint (g_rename (copy, path), ==, 0);
    }
}

/* Overwrites the index with rubbish from an offset on. */
static void
damage (const char *database, gsize from)
{
  g_autofree char *bytes = NULL;
  gsize n;

  g_assert_true (g_file_get_contents (database, &bytes, &n, NULL));
  for (gsize i = MIN (from, n); i < n; i++)
    bytes[i] = 0x5a;
  g_assert_true (g_file_set_contents (database, bytes, (gssize) n, NULL));
}

static void
test_rubbish (Fixture *f, gconstpointer data)
{
  g_autofree char *aside = g_strconcat (f->database, ".damaged-1", NULL);
  gboolean rebuilt = FALSE;
  GError *error = NULL;

  for (int i = 0; i < 5; i++)
    easel_gallery_set_stars (f->gallery, fixture_make (f, "survives", "m", i), 2, &error);
  g_assert_no_error (error);
  g_clear_object (&f->gallery);
  damage (f->database, 0);
  fixture_reopen (f, &rebuilt);
  g_assert_true (rebuilt);
  g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
  g_assert_true (easel_gallery_scan (f->gallery, NULL, NULL, &error));
  g_assert_cmpuint (fixture_count (f, "survives", 0, NULL), ==, 5);
  assert_sound (f);
}

/* Stars and tags outlive an index of which nothing can be read, in the files themselves. */
static void
test_marks (Fixture *f, gconstpointer data)
{
  const char *tags[] = { "sea", "two words", NULL };
  gint64 id = fixture_make (f, "marked", "m", 1);
  GError *error = NULL;

  easel_gallery_set_stars (f->gallery, id, 5, &error);
  easel_gallery_set_tags (f->gallery, id, tags, &error);
  g_assert_no_error (error);
  g_clear_object (&f->gallery);
  g_assert_cmpint (g_unlink (f->database), ==, 0);
  fixture_reopen (f, NULL);
  g_assert_true (easel_gallery_scan (f->gallery, NULL, NULL, &error));
  g_assert_cmpuint (fixture_count (f, "marked", 0, NULL), ==, 1);
  if (fixture_count (f, NULL, 5, NULL) == 0)
    g_test_skip ("this file system keeps no extended attributes");
  else
    g_assert_cmpuint (fixture_count (f, "marked", 5, "two words"), ==, 1);
}

/* Damage behind the first pages: what is on the others is saved. */
static void
test_salvage (Fixture *f, gconstpointer data)
{
  guint before, after;
  GError *error = NULL;

  for (int i = 0; i < 150; i++)
    {
      const char *tags[] = { "kept", NULL };
      easel_gallery_set_tags (f->gallery, fixture_make (f, "one of many", "m", i), tags, &error);
      g_assert_no_error (error);
    }
  before = fixture_count (f, NULL, 0, "kept");
  g_assert_cmpuint (before, ==, 150);
  g_clear_object (&f->gallery);
  remove_marks (f->folder);
  {
    struct stat st;
    g_assert_cmpint (stat (f->database, &st), ==, 0);
    damage (f->database, (gsize) st.st_size / 2);
  }
  f->gallery = easel_gallery_open (f->database, f->folder, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (easel_gallery_rebuild (f->gallery, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (fixture_count (f, "many", 0, NULL), ==, 150);
  after = fixture_count (f, NULL, 0, "kept");
  g_test_message ("%u of 150 tags saved from half an index", after);
  g_assert_cmpuint (after, >, 15);
  assert_sound (f);
}

static void
test_words (Fixture *f, gconstpointer data)
{
  GError *error = NULL;
  g_autofree char *report = NULL, *repaired = NULL;

  fixture_make (f, "one balloon", "m", 1);
  g_clear_object (&f->gallery);
  /* Behind the triggers' back. */
  fixture_sql (f->database, "DELETE FROM words_docsize; DELETE FROM words_data WHERE id > 10");
  fixture_reopen (f, NULL);
  report = easel_gallery_check (f->gallery, FALSE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (report, !=, "");
  repaired = easel_gallery_check (f->gallery, TRUE, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (repaired, "anew"));
  assert_sound (f);
  g_assert_cmpuint (fixture_count (f, "balloon", 0, NULL), ==, 1);
}

/* A crash after the old index was moved and before the new one was put in its place. */
static void
test_interrupted (Fixture *f, gconstpointer data)
{
  g_autofree char *fresh = g_strconcat (f->database, ".new", NULL);
  g_autofree char *log = g_strconcat (f->database, "-wal", NULL);
  gint64 id = fixture_make (f, "in between", "m", 1);
  GError *error = NULL;

  easel_gallery_set_stars (f->gallery, id, 4, &error);
  g_clear_object (&f->gallery);
  g_assert_cmpint (g_rename (f->database, fresh), ==, 0);
  g_assert_true (g_file_set_contents (log, "a log of another file", -1, NULL));
  fixture_reopen (f, NULL);
  g_assert_cmpuint (fixture_count (f, "between", 4, NULL), ==, 1);
  assert_sound (f);
}

static void
test_rename (Fixture *f, gconstpointer data)
{
  gint64 id = fixture_make (f, "moves about", "m", 1);
  g_autoptr (EaselGalleryItem) item = easel_gallery_get (f->gallery, id, NULL);
  g_autofree char *folder = g_build_filename (f->folder, "trips", NULL);
  g_autofree char *moved = g_build_filename (folder, "new name.png", NULL);
  g_autoptr (EaselGalleryItem) after = NULL;
  EaselGalleryScan result;
  GError *error = NULL;

  easel_gallery_set_stars (f->gallery, id, 3, &error);
  g_assert_cmpint (g_mkdir (folder, 0755), ==, 0);
  g_assert_cmpint (g_rename (item->path, moved), ==, 0);
  g_assert_true (easel_gallery_scan (f->gallery, &result, NULL, &error));
  g_assert_cmpint (result.changed, ==, 1);
  g_assert_cmpint (result.missing + result.added, ==, 0);
  after = easel_gallery_get (f->gallery, id, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (after->path, ==, moved);
  g_assert_cmpint (after->stars, ==, 3);
  g_assert_false (after->missing);
}

static void
test_folder_gone (Fixture *f, gconstpointer data)
{
  g_autofree char *elsewhere = g_strconcat (f->folder, "-unplugged", NULL);
  g_autofree char *fine = NULL, *problem = NULL, *database = g_strdup (f->database);
  g_autofree char *deep = NULL;
  EaselGalleryQuery missing = EASEL_GALLERY_QUERY_INIT;
  GError *error = NULL;
  g_autoptr (GArray) ids = NULL;

  fixture_make (f, "on a drive", "m", 1);
  fine = easel_gallery_folder_problem (f->gallery);
  g_assert_null (fine);
  g_assert_cmpint (g_rename (f->folder, elsewhere), ==, 0);
  problem = easel_gallery_folder_problem (f->gallery);
  g_assert_nonnull (strstr (problem, "Plug in"));
  g_assert_false (easel_gallery_scan (f->gallery, NULL, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
  g_clear_error (&error);
  missing.missing = TRUE;
  ids = easel_gallery_query (f->gallery, &missing, &error);
  g_assert_cmpuint (ids->len, ==, 0);
  g_clear_object (&f->gallery);
  /* Opens all the same, and does not make folders where a drive would be. */
  deep = g_build_filename (f->folder, "not", "there", NULL);
  f->gallery = easel_gallery_open (database, deep, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (fixture_count (f, "drive", 0, NULL), ==, 1);
  g_assert_false (g_file_test (f->folder, G_FILE_TEST_EXISTS));
}

/* A person chooses another folder: what stayed in the old one stays in the gallery, also after a scan and a return. */
static void
test_other_folder (Fixture *f, gconstpointer data)
{
  gint64 id = fixture_make (f, "stays behind", "m", 1);
  g_autofree char *old = g_strdup (f->folder), *last = NULL;
  g_autoptr (EaselGalleryItem) before = easel_gallery_get (f->gallery, id, NULL), after = NULL, back = NULL;
  GError *error = NULL;

  g_free (f->folder);
  f->folder = g_strconcat (old, "-other", NULL);
  fixture_reopen (f, NULL);
  fixture_make (f, "in the new one", "m", 2);
  g_assert_true (easel_gallery_scan (f->gallery, NULL, NULL, &error));
  after = easel_gallery_get (f->gallery, id, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (after->path, ==, before->path);
  g_assert_false (after->missing);
  last = easel_gallery_last_folder (f->database);
  g_assert_cmpstr (last, ==, f->folder);
  g_free (f->folder);
  f->folder = g_steal_pointer (&old);
  fixture_reopen (f, NULL);
  g_assert_true (easel_gallery_scan (f->gallery, NULL, NULL, &error));
  back = easel_gallery_get (f->gallery, id, &error);
  g_assert_cmpstr (back->path, ==, before->path);
  g_assert_cmpuint (fixture_count (f, NULL, 0, NULL), ==, 2);
  assert_sound (f);
}

/* The largest file this process may write stands in for a disk that is full. */
static void
test_full_disk (Fixture *f, gconstpointer data)
{
  gint64 id = fixture_make (f, "before it was full", "m", 1);
  struct rlimit old, tight = { 0 };
  g_autofree char *path = fixture_file (f, "does not fit", "m", 2);
  GError *error = NULL;

  easel_gallery_set_stars (f->gallery, id, 2, &error);
  g_assert_no_error (error);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &old), ==, 0);
  signal (SIGXFSZ, SIG_IGN);
  tight = (struct rlimit){ 4096, old.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &tight), ==, 0);
  g_assert_false (easel_gallery_set_stars (f->gallery, id, 5, &error));
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &old), ==, 0);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_IO);
  g_assert_nonnull (strstr (error->message, "Free some space"));
  g_clear_error (&error);
  g_assert_cmpuint (fixture_count (f, NULL, 2, NULL), ==, 1); /* what was saved is still there */
  g_assert_cmpuint (fixture_count (f, NULL, 5, NULL), ==, 0);
  /* And when there is space again, it goes on. */
  g_assert_true (easel_gallery_set_stars (f->gallery, id, 5, &error));
  g_assert_true (easel_gallery_add (f->gallery, path, NULL, &error));
  g_assert_no_error (error);
  fixture_reopen (f, NULL);
  g_assert_cmpuint (fixture_count (f, NULL, 5, NULL), ==, 1);
  assert_sound (f);
}

static void
test_many_at_once (Fixture *f, gconstpointer data)
{
  const char *add[] = { "one", "two", NULL }, *other[] = { "two", NULL };
  gint64 ids[4];
  GError *error = NULL;

  for (int i = 0; i < 3; i++)
    ids[i] = fixture_make (f, "together", "m", i);
  g_assert_true (easel_gallery_set_stars_of (f->gallery, ids, 3, 4, &error));
  g_assert_true (easel_gallery_edit_tags_of (f->gallery, ids, 3, add, NULL, &error));
  g_assert_true (easel_gallery_edit_tags_of (f->gallery, ids, 2, NULL, other, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (fixture_count (f, NULL, 4, "one"), ==, 3);
  g_assert_cmpuint (fixture_count (f, NULL, 4, "two"), ==, 1);
  /* All or none. */
  ids[3] = 9999;
  g_assert_false (easel_gallery_set_stars_of (f->gallery, ids, 4, 1, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_cmpuint (fixture_count (f, NULL, 4, NULL), ==, 3);
}

int
main (int argc, char **argv)
{
  int status;

  fixture_home ();
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add ("/gallery/index/" #name, Fixture, NULL, fixture_set_up, test_##name, fixture_tear_down)
  ADD (migrate);
  ADD (migrate_fails);
  ADD (newer);
  ADD (rubbish);
  ADD (marks);
  ADD (salvage);
  ADD (words);
  ADD (interrupted);
  ADD (rename);
  ADD (folder_gone);
  ADD (other_folder);
  ADD (full_disk);
  ADD (many_at_once);
  status = g_test_run ();
  fixture_home_away ();
  return status;
}
