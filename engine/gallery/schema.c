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
  /* 1 -> 2. Length of clips. Indexes for each order the list can have, over what is shown alone, so that a page of
   * 100,000 is read in order and not sorted. The words by the tokenizer of tokens.c. */
  "ALTER TABLE item ADD COLUMN seconds REAL NOT NULL DEFAULT 0;"
  "DROP INDEX item_newest;"
  "CREATE INDEX item_shown ON item (created DESC, id DESC) WHERE state < 2;"
  "CREATE INDEX item_starred ON item (stars DESC, created DESC, id DESC) WHERE state < 2;"
  "CREATE INDEX item_named ON item (path COLLATE NOCASE, id) WHERE state < 2;"
  "CREATE INDEX item_model ON item (model) WHERE state < 2;"
  /* What a person added to rows of an index that was given up, until a scan meets the file again. */
  "CREATE TABLE salvaged (path TEXT PRIMARY KEY, stars INTEGER NOT NULL, tags TEXT NOT NULL, state INTEGER NOT NULL)"
  "  WITHOUT ROWID;"
  /* The folder the paths are relative to, as of the last opening. One row. */
  "CREATE TABLE place (folder TEXT NOT NULL);"
  "DROP TABLE words;"
  "CREATE VIRTUAL TABLE words USING fts5 (prompt, negative, model, tags, path, content='item', content_rowid='id',"
  "  prefix='1 2 3', tokenize='easel');"
  "INSERT INTO words (words) VALUES ('rebuild');",
};

int
easel_gallery_schema_version (void)
{
  return (int) G_N_ELEMENTS (migrations);
}

static int
read_version (sqlite3 *db, GError **error)
{
  g_autoptr (EaselStatement) statement = easel_gallery_prepare (db, "PRAGMA user_version", error);

  if (!statement)
    return -1;
  if (sqlite3_step (statement) != SQLITE_ROW)
    {
      easel_gallery_fail (db, error);
      return -1;
    }
  return sqlite3_column_int (statement, 0);
}

gboolean
easel_gallery_migrate (sqlite3 *db, GError **error)
{
  int version = read_version (db, error);

  if (version < 0)
    return FALSE;
  if (version > easel_gallery_schema_version ())
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "The gallery's index %s was made by a newer version of Easel (its version is %d, this one knows %d)."
                   " Update Easel, or have a new index made from the pictures; this one is kept beside it.",
                   sqlite3_db_filename (db, "main"), version, easel_gallery_schema_version ());
      return FALSE;
    }
  for (; version < easel_gallery_schema_version (); version++)
    {
      g_autofree char *done = g_strdup_printf ("PRAGMA user_version = %d; COMMIT", version + 1);

      /* IMMEDIATE: another process that is migrating has the lock; its version is read again then. */
      if (!easel_gallery_run (db, "BEGIN IMMEDIATE", error))
        return FALSE;
      if (read_version (db, NULL) != version)
        {
          easel_gallery_run (db, "ROLLBACK", NULL);
          continue;
        }
      if (!easel_gallery_run (db, migrations[version], error) || !easel_gallery_run (db, done, error))
        {
          easel_gallery_run (db, "ROLLBACK", NULL);
          return FALSE;
        }
    }
  return TRUE;
}
