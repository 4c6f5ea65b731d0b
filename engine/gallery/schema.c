/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The index's tables, as a list of migrations: entry i brings version i to i + 1. Entries are never edited once
 * released; a change is a new entry.
 */
#include "engine/gallery/gallery-private.h"

static const char *const migrations[] = {
  /* 0 -> 1. Paths are relative to the gallery's folder, so that it can be moved. `tags` repeats the tag table as text
   * for the word index, which reads its content from `item` by triggers. */
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
  "  VALUES (new.id, new.prompt, new.negative, new.model, new.tags, new.path); END;",
};

int
easel_gallery_schema_version (void)
{
  return (int) G_N_ELEMENTS (migrations);
}

static int
read_version (EaselGallery *self, GError **error)
{
  g_autoptr (EaselStatement) statement = easel_gallery_prepare (self, "PRAGMA user_version", error);

  if (!statement)
    return -1;
  if (sqlite3_step (statement) != SQLITE_ROW)
    {
      easel_gallery_fail (self, error);
      return -1;
    }
  return sqlite3_column_int (statement, 0);
}

gboolean
easel_gallery_migrate (EaselGallery *self, GError **error)
{
  int version = read_version (self, error);

  if (version < 0)
    return FALSE;
  if (version > easel_gallery_schema_version ())
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "The gallery's index %s was made by a newer version of Easel (its version is %d, this one knows %d)."
                   " Update Easel, or move the file away to have a new index made from the pictures.",
                   self->database, version, easel_gallery_schema_version ());
      return FALSE;
    }
  for (; version < easel_gallery_schema_version (); version++)
    {
      g_autofree char *done = g_strdup_printf ("PRAGMA user_version = %d; COMMIT", version + 1);

      /* IMMEDIATE: another process that is migrating has the lock; its version is read again then. */
      if (!easel_gallery_run (self, "BEGIN IMMEDIATE", error))
        return FALSE;
      if (read_version (self, NULL) != version)
        {
          easel_gallery_run (self, "ROLLBACK", NULL);
          continue;
        }
      if (!easel_gallery_run (self, migrations[version], error) || !easel_gallery_run (self, done, error))
        {
          easel_gallery_run (self, "ROLLBACK", NULL);
          return FALSE;
        }
    }
  return TRUE;
}
