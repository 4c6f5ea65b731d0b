/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections to the index: one that writes, a few that read. A reader never waits for a writer or another reader, so
 * a star being made durable on a slow disk does not keep a list from being drawn.
 */
#include "engine/gallery/gallery-private.h"

#define IDLE_READERS 4

gboolean
easel_gallery_fail (sqlite3 *db, GError **error)
{
  int code = db ? sqlite3_errcode (db) : SQLITE_CANTOPEN;
  const char *path = db ? sqlite3_db_filename (db, "main") : "", *why = db ? sqlite3_errmsg (db) : "not open";

  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "The gallery's index %s is damaged (%s).", path, why);
  else if (code == SQLITE_FULL || code == SQLITE_IOERR)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                 "The gallery's index %s cannot be written (%s). Free some space on its disk and try again.", path,
                 why);
  else if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                 "The gallery's index %s cannot be written (%s). Check the permissions of its folder.", path, why);
  else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                 "The gallery's index %s is in use by another program. Try again when that one is done.", path);
  else
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "The gallery's index %s: %s.", path, why);
  return FALSE;
}

EaselStatement *
easel_gallery_prepare (sqlite3 *db, const char *sql, GError **error)
{
  sqlite3_stmt *statement = NULL;

  /* No connection: making the index anew failed halfway. */
  if (!db || sqlite3_prepare_v2 (db, sql, -1, &statement, NULL) != SQLITE_OK)
    easel_gallery_fail (db, error);
  return statement;
}

gboolean
easel_gallery_finish (sqlite3 *db, EaselStatement *statement, GError **error)
{
  int code;

  while ((code = sqlite3_step (statement)) == SQLITE_ROW)
    ;
  return code == SQLITE_DONE || easel_gallery_fail (db, error);
}

gboolean
easel_gallery_run (sqlite3 *db, const char *sql, GError **error)
{
  return (db && sqlite3_exec (db, sql, NULL, NULL, NULL) == SQLITE_OK) || easel_gallery_fail (db, error);
}

static sqlite3 *
open_database (const char *path, int flags, GError **error)
{
  sqlite3 *db = NULL;
  int code = sqlite3_open_v2 (path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);

  if (!db)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "There is no memory for the gallery's index.");
      return NULL;
    }
  if (code == SQLITE_OK)
    {
      sqlite3_busy_timeout (db, 5000);
      if (easel_gallery_add_tokenizer (db, error))
        return db;
    }
  else
    easel_gallery_fail (db, error);
  sqlite3_close (db);
  return NULL;
}

gboolean
easel_gallery_connect (EaselGallery *self, GError **error)
{
  self->db = open_database (self->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
  if (!self->db)
    return FALSE;
  /* FULL: a star that was shown as saved survives a power cut. The last line reads a page of each table, which costs
   * milliseconds where the full check costs seconds; easel_gallery_check() runs that one. */
  return easel_gallery_run (self->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                      "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
                                      "PRAGMA cache_size = -8192", error) &&
         easel_gallery_migrate (self->db, error) &&
         easel_gallery_run (self->db, "SELECT count(*) FROM sqlite_master; SELECT id FROM item LIMIT 1;"
                                      "SELECT item FROM tag LIMIT 1; SELECT rowid FROM words LIMIT 1", error);
}

/* The connection must go even where it cannot be closed cleanly. */
void
easel_gallery_disconnect (EaselGallery *self)
{
  if (self->readers)
    g_ptr_array_set_size (self->readers, 0);
  g_clear_pointer (&self->db, sqlite3_close);
}

sqlite3 *
easel_gallery_begin_write (EaselGallery *self)
{
  g_rw_lock_reader_lock (&self->file_lock);
  g_mutex_lock (&self->lock);
  return self->db;
}

void
easel_gallery_end_write (EaselGallery *self)
{
  g_mutex_unlock (&self->lock);
  g_rw_lock_reader_unlock (&self->file_lock);
}

sqlite3 *
easel_gallery_borrow (EaselGallery *self, GError **error)
{
  sqlite3 *reader = NULL;

  g_rw_lock_reader_lock (&self->file_lock);
  g_mutex_lock (&self->readers_lock);
  if (self->readers->len > 0)
    reader = g_ptr_array_steal_index_fast (self->readers, self->readers->len - 1);
  g_mutex_unlock (&self->readers_lock);
  if (!reader)
    {
      reader = open_database (self->database, SQLITE_OPEN_READWRITE, error);
      if (reader && !easel_gallery_run (reader, "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
                                                "PRAGMA cache_size = -8192", error))
        g_clear_pointer (&reader, sqlite3_close);
    }
  if (!reader)
    g_rw_lock_reader_unlock (&self->file_lock);
  return reader;
}

void
easel_gallery_give_back (EaselGallery *self, sqlite3 *reader)
{
  g_mutex_lock (&self->readers_lock);
  if (self->readers->len < IDLE_READERS)
    {
      g_ptr_array_add (self->readers, reader);
      reader = NULL;
    }
  g_mutex_unlock (&self->readers_lock);
  g_rw_lock_reader_unlock (&self->file_lock);
  if (reader)
    sqlite3_close (reader);
}
