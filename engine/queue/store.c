/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/queue/store.h"

#include <glib/gstdio.h>
#include <sqlite3.h>

struct EaselQueueStore
{
  sqlite3 *db;
  char *path;
};

#define SCHEMA_VERSION 1

/* place: the order; a double, so that one row can be put before all others without touching them. */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS queue (id INTEGER PRIMARY KEY, place REAL NOT NULL, request TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version = 1; COMMIT";

static gboolean
fail (EaselQueueStore *self, GError **error)
{
  int code = sqlite3_errcode (self->db);
  EaselError kind = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? EASEL_ERROR_DAMAGED : EASEL_ERROR_IO;

  g_set_error (error, EASEL_ERROR, kind, "The queue cannot be kept in %s: %s.", self->path, sqlite3_errmsg (self->db));
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

/* Runs to the end; whichever of :number, :id and :text occur in the statement are bound. */
static gboolean
run (EaselQueueStore *self, const char *sql, double number, gint64 id, const char *text, GError **error)
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
      ok = sqlite3_step (s) == SQLITE_DONE;
    }
  if (!ok)
    fail (self, error);
  sqlite3_finalize (s);
  return ok;
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

EaselQueueStore *
easel_queue_store_open (const char *path, GError **error)
{
  g_autoptr (EaselQueueStore) self = g_new0 (EaselQueueStore, 1);

  self->path = g_strdup (path);
  if (sqlite3_open_v2 (path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
    {
      fail (self, error);
      return NULL;
    }
  sqlite3_busy_timeout (self->db, 5000);
  if (number_of (self, "PRAGMA user_version", 0) > SCHEMA_VERSION)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "The queue in %s was made by a newer version of Easel. Update Easel to go on with it.", path);
      return NULL;
    }
  if (sqlite3_exec (self->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL) != SQLITE_OK ||
      sqlite3_exec (self->db, schema, NULL, NULL, NULL) != SQLITE_OK)
    {
      fail (self, error);
      return NULL;
    }
  return g_steal_pointer (&self);
}

gboolean
easel_queue_store_each (EaselQueueStore *self, EaselQueueRow row, gpointer user_data, GError **error)
{
  sqlite3_stmt *s = NULL;
  int code;

  if (sqlite3_prepare_v2 (self->db, "SELECT id, request FROM queue ORDER BY place, id", -1, &s, NULL) != SQLITE_OK)
    return fail (self, error);
  while ((code = sqlite3_step (s)) == SQLITE_ROW)
    {
      const char *json = (const char *) sqlite3_column_text (s, 1);
      g_autoptr (EaselRequest) request = easel_request_from_json (json, sqlite3_column_bytes (s, 1), NULL);

      if (request)
        row (sqlite3_column_int64 (s, 0), request, user_data);
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
  if (!run (self, "INSERT INTO queue (place, request) VALUES (:number, :text)", place, 0, json, error))
    return FALSE;
  *id = sqlite3_last_insert_rowid (self->db);
  return TRUE;
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
  return run (self, "UPDATE queue SET request = :text WHERE id = :id", 0, id, json, error);
}

gboolean
easel_queue_store_reorder (EaselQueueStore *self, const gint64 *ids, guint n, GError **error)
{
  gboolean ok = sqlite3_exec (self->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK || fail (self, error);

  for (guint i = 0; ok && i < n; i++)
    ok = run (self, "UPDATE queue SET place = :number WHERE id = :id", i + 1, ids[i], NULL, error);
  if (ok && sqlite3_exec (self->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
    return TRUE;
  if (ok)
    fail (self, error);
  sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
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
