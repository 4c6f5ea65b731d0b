/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/queue/store.h"

#include <glib/gstdio.h>
#include <sqlite3.h>

struct EaselQueueStore
{
  sqlite3 *db;
  char *path;
};

#define SCHEMA_VERSION 2
/* After so many beginnings without an end the person is asked. */
#define MAX_BEGINNINGS 2

/* place: the order; a double, so that one row can be put before all others without touching them. input: the file a
 * clip begins with, whole (a request's JSON has its last part alone). problem: why it failed. begun: how often. */
static const char *const migrations[SCHEMA_VERSION] = {
  "CREATE TABLE queue (id INTEGER PRIMARY KEY, place REAL NOT NULL, request TEXT NOT NULL);"
  "CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
  "ALTER TABLE queue ADD COLUMN input TEXT; ALTER TABLE queue ADD COLUMN problem TEXT;"
  "ALTER TABLE queue ADD COLUMN begun INTEGER NOT NULL DEFAULT 0",
};

static gboolean
fail (EaselQueueStore *self, GError **error)
{
  int code = self->db ? sqlite3_errcode (self->db) : SQLITE_NOMEM;
  EaselError kind = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? EASEL_ERROR_DAMAGED : EASEL_ERROR_IO;

  g_set_error (error, EASEL_ERROR, kind, "The queue cannot be kept in %s: %s.", self->path,
               self->db ? sqlite3_errmsg (self->db) : "not enough memory");
  return FALSE;
}

void
easel_queue_store_free (EaselQueueStore *self)
{
  if (!self)
    return;
  sqlite3_close (self->db);
  g_free (self->path);
  g_free (self);
}

/* Runs to the end; whichever of :number, :id, :text and :input occur in the statement are bound. */
static gboolean
run_with (EaselQueueStore *self, const char *sql, double number, gint64 id, const char *text, const char *input,
          GError **error)
{
  sqlite3_stmt *s = NULL;
  gboolean ok = sqlite3_prepare_v2 (self->db, sql, -1, &s, NULL) == SQLITE_OK;
  int at;

  if (ok)
    {
      if ((at = sqlite3_bind_parameter_index (s, ":number")))
        sqlite3_bind_double (s, at, number);
      if ((at = sqlite3_bind_parameter_index (s, ":id")))
        sqlite3_bind_int64 (s, at, id);
      if ((at = sqlite3_bind_parameter_index (s, ":text")))
        sqlite3_bind_text (s, at, text, -1, SQLITE_STATIC);
      if ((at = sqlite3_bind_parameter_index (s, ":input")) && input)
        sqlite3_bind_text (s, at, input, -1, SQLITE_STATIC);
      ok = sqlite3_step (s) == SQLITE_DONE;
    }
  if (!ok)
    fail (self, error);
  sqlite3_finalize (s);
  return ok;
}

static gboolean
run (EaselQueueStore *self, const char *sql, double number, gint64 id, const char *text, GError **error)
{
  return run_with (self, sql, number, id, text, NULL, error);
}

static double
number_of (EaselQueueStore *self, const char *sql, double fallback)
{
  sqlite3_stmt *s = NULL;
  double value = fallback;

  if (sqlite3_prepare_v2 (self->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step (s) == SQLITE_ROW &&
      sqlite3_column_type (s, 0) != SQLITE_NULL)
    value = sqlite3_column_double (s, 0);
  sqlite3_finalize (s);
  return value;
}

static gboolean
execute (EaselQueueStore *self, const char *sql, GError **error)
{
  return sqlite3_exec (self->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail (self, error);
}

gboolean
easel_queue_store_start (EaselQueueStore *self, GError **error)
{
  return execute (self, "BEGIN IMMEDIATE", error);
}

void
easel_queue_store_undo (EaselQueueStore *self)
{
  sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
}

gboolean
easel_queue_store_commit (EaselQueueStore *self, GError **error)
{
  if (execute (self, "COMMIT", error))
    return TRUE;
  easel_queue_store_undo (self);
  return FALSE;
}

/* Brings an older file up to date, each version in one transaction. */
static gboolean
migrate (EaselQueueStore *self, GError **error)
{
  int version = (int) number_of (self, "PRAGMA user_version", 0);

  if (version > SCHEMA_VERSION)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "The queue in %s was made by a newer version of Easel. Update Easel to go on with it.", self->path);
      return FALSE;
    }
  for (; version < SCHEMA_VERSION; version++)
    {
      g_autofree char *mark = g_strdup_printf ("PRAGMA user_version = %d", version + 1);

      if (!easel_queue_store_start (self, error))
        return FALSE;
      if (!execute (self, migrations[version], error) || !execute (self, mark, error))
        {
          easel_queue_store_undo (self);
          return FALSE;
        }
      if (!easel_queue_store_commit (self, error))
        return FALSE;
    }
  return TRUE;
}

static EaselQueueStore *
open_once (const char *path, GError **error)
{
  g_autoptr (EaselQueueStore) self = g_new0 (EaselQueueStore, 1);

  self->path = g_strdup (path);
  if (sqlite3_open_v2 (path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL) !=
      SQLITE_OK)
    {
      fail (self, error);
      return NULL;
    }
  sqlite3_busy_timeout (self->db, 5000);
  if (!execute (self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", error) || !migrate (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* Renames a damaged file and its companions to a free name, so that nothing is thrown away. */
static gboolean
set_aside (const char *path)
{
  static const char *const parts[] = { "", "-wal", "-shm" };

  for (int n = 1; n < 1000; n++)
    {
      g_autofree char *to = g_strdup_printf ("%s.damaged-%d", path, n);

      if (g_file_test (to, G_FILE_TEST_EXISTS))
        continue;
      for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
        {
          g_autofree char *old = g_strconcat (path, parts[i], NULL), *new = g_strconcat (to, parts[i], NULL);

          if (g_rename (old, new) != 0 && i == 0)
            return FALSE;
        }
      return TRUE;
    }
  return FALSE;
}

EaselQueueStore *
easel_queue_store_open (const char *path, gboolean *damaged, GError **error)
{
  g_autoptr (GError) problem = NULL;
  EaselQueueStore *self = open_once (path, &problem);

  if (damaged)
    *damaged = FALSE;
  if (!self && g_error_matches (problem, EASEL_ERROR, EASEL_ERROR_DAMAGED) && set_aside (path))
    {
      if (damaged)
        *damaged = TRUE;
      return open_once (path, error);
    }
  if (!self)
    g_propagate_error (error, g_steal_pointer (&problem));
  return self;
}

/* The request with the whole name of its input. */
static EaselRequest *
read_request (const char *json, gsize length, const char *input)
{
  g_autoptr (EaselRequest) request = easel_request_from_json (json, length, NULL);
  EaselRequestSettings settings;

  if (!request || !input)
    return g_steal_pointer (&request);
  settings = *easel_request_settings (request);
  settings.input = input;
  return easel_request_new (&settings, NULL);
}

gboolean
easel_queue_store_each (EaselQueueStore *self, EaselQueueRow row, gpointer user_data, GError **error)
{
  static const char sql[] = "SELECT id, request, input, problem, begun FROM queue ORDER BY place, id";
  sqlite3_stmt *s = NULL;
  int code;

  if (sqlite3_prepare_v2 (self->db, sql, -1, &s, NULL) != SQLITE_OK)
    return fail (self, error);
  while ((code = sqlite3_step (s)) == SQLITE_ROW)
    {
      const char *json = (const char *) sqlite3_column_text (s, 1), *problem;
      g_autoptr (EaselRequest) request =
          read_request (json, (gsize) sqlite3_column_bytes (s, 1), (const char *) sqlite3_column_text (s, 2));

      problem = (const char *) sqlite3_column_text (s, 3);
      if (!problem && sqlite3_column_int (s, 4) >= MAX_BEGINNINGS)
        problem = "Easel ended twice while it was making this. Try again with a smaller size, or remove it.";
      if (request)
        row (sqlite3_column_int64 (s, 0), request, problem, user_data);
    }
  sqlite3_finalize (s);
  return code == SQLITE_DONE || fail (self, error);
}

gboolean
easel_queue_store_add (EaselQueueStore *self, EaselRequest *request, int position, gint64 *id, GError **error)
{
  g_autofree char *json = easel_request_to_json (request);
  g_autofree char *before = g_strdup_printf ("SELECT place FROM queue ORDER BY place, id LIMIT 1 OFFSET %d",
                                             position - 1);
  g_autofree char *after = g_strdup_printf ("SELECT place FROM queue ORDER BY place, id LIMIT 1 OFFSET %d", position);
  double last = number_of (self, "SELECT max (place) FROM queue", 0), low, high, place = last + 1;

  if (position >= 0)
    {
      high = number_of (self, after, last + 2);
      low = position > 0 ? number_of (self, before, high - 2) : high - 2;
      place = (low + high) / 2;
    }
  if (!run_with (self, "INSERT INTO queue (place, request, input) VALUES (:number, :text, :input)", place, 0, json,
                 easel_request_settings (request)->input, error))
    return FALSE;
  *id = sqlite3_last_insert_rowid (self->db);
  return TRUE;
}

gboolean
easel_queue_store_begin (EaselQueueStore *self, gint64 id, GError **error)
{
  return run (self, "UPDATE queue SET begun = begun + 1 WHERE id = :id", 0, id, NULL, error);
}

gboolean
easel_queue_store_unbegin (EaselQueueStore *self, gint64 id, GError **error)
{
  return run (self, "UPDATE queue SET begun = 0 WHERE id = :id", 0, id, NULL, error);
}

gboolean
easel_queue_store_fail (EaselQueueStore *self, gint64 id, const char *problem, GError **error)
{
  return run (self, "UPDATE queue SET problem = :text, place = 1 + (SELECT max (place) FROM queue) WHERE id = :id", 0,
              id, problem, error);
}

gboolean
easel_queue_store_clear (EaselQueueStore *self, gint64 keep, GError **error)
{
  return run (self, "DELETE FROM queue WHERE id <> :id", 0, keep, NULL, error);
}

gboolean
easel_queue_store_remove (EaselQueueStore *self, gint64 id, GError **error)
{
  return run (self, "DELETE FROM queue WHERE id = :id", 0, id, NULL, error);
}

gboolean
easel_queue_store_replace (EaselQueueStore *self, gint64 id, EaselRequest *request, GError **error)
{
  g_autofree char *json = easel_request_to_json (request);
  return run_with (self,
                   "UPDATE queue SET request = :text, input = :input, problem = NULL, begun = 0 WHERE id = :id", 0, id,
                   json, easel_request_settings (request)->input, error);
}

gboolean
easel_queue_store_reorder (EaselQueueStore *self, const gint64 *ids, guint n, GError **error)
{
  gboolean ok = easel_queue_store_start (self, error);

  if (!ok)
    return FALSE;
  for (guint i = 0; ok && i < n; i++)
    ok = run (self, "UPDATE queue SET place = :number WHERE id = :id", i + 1, ids[i], NULL, error);
  if (ok)
    return easel_queue_store_commit (self, error);
  easel_queue_store_undo (self);
  return FALSE;
}

gboolean
easel_queue_store_get_paused (EaselQueueStore *self)
{
  return number_of (self, "SELECT value FROM setting WHERE name = 'paused'", 0) != 0;
}

gboolean
easel_queue_store_set_paused (EaselQueueStore *self, gboolean paused, GError **error)
{
  return run (self, "INSERT INTO setting (name, value) VALUES ('paused', :number)"
                    " ON CONFLICT (name) DO UPDATE SET value = :number", paused, 0, NULL, error);
}
