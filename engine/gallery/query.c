/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading the index: ids for a query, items for ids, facets. A query gives ids only (8 bytes each), so 100,000 results
 * cost less than a megabyte; items are fetched for what is on screen.
 */
#include "engine/gallery/gallery-private.h"

#include <string.h>

void
easel_gallery_item_free (EaselGalleryItem *item)
{
  if (!item)
    return;
  g_free (item->path);
  g_free (item->model);
  g_free (item->sampler);
  g_free (item->prompt);
  g_free (item->negative);
  g_strfreev (item->tags);
  g_free (item->request);
  g_free (item);
}

/* Each word becomes a quoted prefix ("cat"*), so that nothing a person types is query language. NULL: no words. */
static char *
match_expression (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_auto (GStrv) words = g_strsplit_set (valid, " \t\n\r", -1);
  GString *expression = g_string_new (NULL);

  for (char **w = words; *w; w++)
    {
      gboolean any = FALSE;

      for (const char *c = *w; *c && !any; c = g_utf8_next_char (c))
        any = g_unichar_isalnum (g_utf8_get_char (c));
      if (!any) /* punctuation alone is no token and would match nothing */
        continue;
      g_string_append (expression, expression->len ? " \"" : "\"");
      for (const char *c = *w; *c; c++)
        g_string_append_printf (expression, *c == '"' ? "\"\"" : "%c", *c);
      g_string_append (expression, "\"*");
    }
  return g_string_free (expression, expression->len == 0);
}

static const char *
order_by (EaselGallerySort sort)
{
  switch (sort)
    {
    case EASEL_SORT_OLDEST:
      return " ORDER BY created, id";
    case EASEL_SORT_STARS:
      return " ORDER BY stars DESC, created DESC, id DESC";
    case EASEL_SORT_NAME:
      return " ORDER BY path COLLATE NOCASE, id";
    case EASEL_SORT_NEWEST:
    default:
      return " ORDER BY created DESC, id DESC";
    }
}

GArray *
easel_gallery_query (EaselGallery *self, const EaselGalleryQuery *query, GError **error)
{
  g_autoptr (GString) sql = g_string_new ("SELECT id FROM item WHERE ");
  g_autofree char *match = query->text ? match_expression (query->text) : NULL;
  g_autoptr (EaselStatement) statement = NULL;
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  int code, at = 1;

  /* Numbers go into the text, strings are bound. */
  g_string_append (sql, query->trashed ? "state = 2" : "state IN (0, 1)");
  if (match)
    g_string_append (sql, " AND id IN (SELECT rowid FROM words WHERE words MATCH ?)");
  if (query->model)
    g_string_append (sql, " AND model = ?");
  if (query->tag)
    g_string_append (sql, " AND id IN (SELECT item FROM tag WHERE name = ?)");
  if (query->kind >= 0)
    g_string_append_printf (sql, " AND kind = %d", query->kind);
  if (query->min_stars > 0)
    g_string_append_printf (sql, " AND stars >= %d", query->min_stars);
  if (query->min_side > 0)
    g_string_append_printf (sql, " AND max (width, height) >= %d", query->min_side);
  if (query->since)
    g_string_append_printf (sql, " AND created >= %" G_GINT64_FORMAT, query->since);
  if (query->until)
    g_string_append_printf (sql, " AND created <= %" G_GINT64_FORMAT, query->until);
  g_string_append (sql, order_by (query->sort));

  locker = g_mutex_locker_new (&self->lock);
  statement = easel_gallery_prepare (self, sql->str, error);
  if (!statement)
    return NULL;
  if (match)
    sqlite3_bind_text (statement, at++, match, -1, SQLITE_STATIC);
  if (query->model)
    sqlite3_bind_text (statement, at++, query->model, -1, SQLITE_STATIC);
  if (query->tag)
    sqlite3_bind_text (statement, at++, query->tag, -1, SQLITE_STATIC);
  while ((code = sqlite3_step (statement)) == SQLITE_ROW)
    {
      gint64 id = sqlite3_column_int64 (statement, 0);
      g_array_append_val (ids, id);
    }
  if (code != SQLITE_DONE)
    {
      easel_gallery_fail (self, error);
      return NULL;
    }
  return g_steal_pointer (&ids);
}

#define ITEM_COLUMNS                                                                                          \
  "id, path, kind, width, height, frames, bytes, created, model, sampler, prompt, negative, steps, guidance," \
  " seed, stars, tags, request, state"

static char *
column_text (sqlite3_stmt *statement, int column)
{
  const char *text = (const char *) sqlite3_column_text (statement, column);
  return g_strdup (text ? text : "");
}

static EaselGalleryItem *
read_item (EaselGallery *self, sqlite3_stmt *s)
{
  EaselGalleryItem *item = g_new0 (EaselGalleryItem, 1);
  const char *tags = (const char *) sqlite3_column_text (s, 16);

  item->id = sqlite3_column_int64 (s, 0);
  item->path = g_build_filename (self->folder, (const char *) sqlite3_column_text (s, 1), NULL);
  item->kind = sqlite3_column_int (s, 2);
  item->width = sqlite3_column_int (s, 3);
  item->height = sqlite3_column_int (s, 4);
  item->n_frames = sqlite3_column_int (s, 5);
  item->bytes = sqlite3_column_int64 (s, 6);
  item->created = sqlite3_column_int64 (s, 7);
  item->model = column_text (s, 8);
  item->sampler = column_text (s, 9);
  item->prompt = column_text (s, 10);
  item->negative = column_text (s, 11);
  item->steps = sqlite3_column_int (s, 12);
  item->guidance = sqlite3_column_double (s, 13);
  item->seed = sqlite3_column_int64 (s, 14);
  item->stars = sqlite3_column_int (s, 15);
  item->tags = tags && *tags ? g_strsplit (tags, "\n", -1) : g_new0 (char *, 1);
  item->request = g_strdup ((const char *) sqlite3_column_text (s, 17));
  item->missing = sqlite3_column_int (s, 18) == STATE_MISSING;
  return item;
}

GPtrArray *
easel_gallery_get_many (EaselGallery *self, const gint64 *ids, guint n, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (EaselStatement) statement = NULL;
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_gallery_item_free);

  statement = easel_gallery_prepare (self, "SELECT " ITEM_COLUMNS " FROM item WHERE id = ?", error);
  if (!statement)
    return NULL;
  for (guint i = 0; i < n; i++)
    {
      int code;

      sqlite3_reset (statement);
      sqlite3_bind_int64 (statement, 1, ids[i]);
      code = sqlite3_step (statement);
      if (code == SQLITE_ROW)
        g_ptr_array_add (items, read_item (self, statement));
      else if (code != SQLITE_DONE)
        {
          easel_gallery_fail (self, error);
          return NULL;
        }
    }
  return g_steal_pointer (&items);
}

EaselGalleryItem *
easel_gallery_get (EaselGallery *self, gint64 id, GError **error)
{
  g_autoptr (GPtrArray) items = easel_gallery_get_many (self, &id, 1, error);

  if (!items)
    return NULL;
  if (items->len == 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                   "There is no number %" G_GINT64_FORMAT " in the gallery; it may have been removed meanwhile.", id);
      return NULL;
    }
  return g_ptr_array_steal_index (items, 0);
}

static void
count_free (gpointer data)
{
  EaselGalleryCount *count = data;
  g_free (count->name);
  g_free (count);
}

static GPtrArray *
counts (EaselGallery *self, const char *sql, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (EaselStatement) statement = easel_gallery_prepare (self, sql, error);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (count_free);
  int code;

  if (!statement)
    return NULL;
  while ((code = sqlite3_step (statement)) == SQLITE_ROW)
    {
      EaselGalleryCount *count = g_new0 (EaselGalleryCount, 1);

      count->name = column_text (statement, 0);
      count->count = sqlite3_column_int64 (statement, 1);
      g_ptr_array_add (found, count);
    }
  if (code != SQLITE_DONE)
    {
      easel_gallery_fail (self, error);
      return NULL;
    }
  return g_steal_pointer (&found);
}

GPtrArray *
easel_gallery_models (EaselGallery *self, GError **error)
{
  return counts (self, "SELECT model, count(*) AS n FROM item WHERE state IN (0, 1) AND model <> ''"
                       " GROUP BY model ORDER BY n DESC, model", error);
}

GPtrArray *
easel_gallery_tags (EaselGallery *self, GError **error)
{
  return counts (self, "SELECT name, count(*) AS n FROM tag JOIN item ON item.id = tag.item"
                       " WHERE state IN (0, 1) GROUP BY name ORDER BY n DESC, name", error);
}

char *
easel_gallery_check (EaselGallery *self, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (EaselStatement) check = easel_gallery_prepare (self, "PRAGMA integrity_check", error);
  g_autoptr (EaselStatement) paths = NULL;
  g_autoptr (GString) report = g_string_new (NULL);

  if (!check)
    return NULL;
  while (sqlite3_step (check) == SQLITE_ROW)
    {
      const char *line = (const char *) sqlite3_column_text (check, 0);
      if (g_strcmp0 (line, "ok") != 0)
        g_string_append_printf (report, "The index is damaged: %s.\n", line);
    }
  if (!easel_gallery_run (self, "INSERT INTO words (words) VALUES ('integrity-check')", NULL))
    g_string_append (report, "The index of words does not agree with the pictures.\n");
  paths = easel_gallery_prepare (self, "SELECT path FROM item WHERE state IN (0, 1)", error);
  if (!paths)
    return NULL;
  while (sqlite3_step (paths) == SQLITE_ROW)
    {
      g_autofree char *path = g_build_filename (self->folder, (const char *) sqlite3_column_text (paths, 0), NULL);
      if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
        g_string_append_printf (report, "%s is not there any more.\n", path);
    }
  return g_string_free (g_steal_pointer (&report), FALSE);
}
