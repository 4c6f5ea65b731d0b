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
        {
          if (*c == '"') /* doubled, it is a letter */
            g_string_append_c (expression, '"');
          g_string_append_c (expression, *c);
        }
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
      return " ORDER BY item.created, item.id";
    case EASEL_SORT_STARS:
      return " ORDER BY item.stars DESC, item.created DESC, item.id DESC";
    case EASEL_SORT_NAME:
      return " ORDER BY item.path COLLATE NOCASE, item.id";
    case EASEL_SORT_NEWEST:
    default:
      return " ORDER BY item.created DESC, item.id DESC";
    }
}

/* Few matches are looked up and sorted; many are a bit each, and the list is read in its order from an index: each way
 * costs seconds where the other costs milliseconds. */
#define FEW_MATCHES 4000

typedef struct
{
  guint8 *bits; /* NULL: no words were given, or few match */
  gint64 max;
  guint n;
} Matches;

static gboolean
find_matches (sqlite3 *db, const char *match, Matches *matches, GError **error)
{
  g_autoptr (EaselStatement) s = easel_gallery_prepare (db, "SELECT rowid FROM words WHERE words MATCH ?", error);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  int code;

  if (!s)
    return FALSE;
  sqlite3_bind_text (s, 1, match, -1, SQLITE_STATIC);
  while ((code = sqlite3_step (s)) == SQLITE_ROW)
    {
      gint64 id = sqlite3_column_int64 (s, 0);

      g_array_append_val (ids, id);
      matches->max = MAX (matches->max, id);
    }
  if (code != SQLITE_DONE)
    return easel_gallery_fail (db, error);
  matches->n = ids->len;
  if (ids->len <= FEW_MATCHES)
    return TRUE;
  matches->bits = g_try_malloc0 ((gsize) matches->max / 8 + 1);
  if (!matches->bits)
    return TRUE; /* the slow way needs no memory */
  for (guint i = 0; i < ids->len; i++)
    {
      gint64 id = g_array_index (ids, gint64, i);
      matches->bits[id >> 3] |= (guint8) (1u << (id & 7));
    }
  return TRUE;
}

/* Numbers go into the text, strings are bound: ?1 the words, ?2 the model, ?3 the tag. */
static char *
query_text (const EaselGalleryQuery *query, gboolean by_words)
{
  g_autoptr (GString) sql = g_string_new (by_words ? "SELECT item.id FROM words CROSS JOIN item"
                                                     " ON item.id = words.rowid WHERE words MATCH ?1 AND "
                                                   : "SELECT item.id FROM item WHERE ");

  g_string_append (sql, query->trashed      ? "item.state = 2"
                        : query->unreadable ? "item.state = 4"
                        : query->missing    ? "item.state = 1"
                                            : "item.state < 2");
  if (query->model)
    g_string_append (sql, " AND item.model = ?2");
  if (query->tag)
    g_string_append (sql, " AND item.id IN (SELECT tag.item FROM tag WHERE tag.name = ?3)");
  if (query->untagged)
    g_string_append (sql, " AND item.tags = ''");
  if (query->kind >= 0)
    g_string_append_printf (sql, " AND item.kind = %d", query->kind);
  if (query->min_stars > 0)
    g_string_append_printf (sql, " AND item.stars >= %d", query->min_stars);
  if (query->min_side > 0)
    g_string_append_printf (sql, " AND max (item.width, item.height) >= %d", query->min_side);
  if (query->max_side > 0)
    g_string_append_printf (sql, " AND max (item.width, item.height) <= %d", query->max_side);
  if (query->since)
    g_string_append_printf (sql, " AND item.created >= %" G_GINT64_FORMAT, query->since);
  if (query->until)
    g_string_append_printf (sql, " AND item.created <= %" G_GINT64_FORMAT, query->until);
  g_string_append (sql, order_by (query->sort));
  return g_string_free (g_steal_pointer (&sql), FALSE);
}

static GArray *
run_query (sqlite3 *db, const EaselGalleryQuery *query, const char *match, const Matches *matches, GError **error)
{
  gboolean by_words = match && !matches->bits;
  g_autofree char *sql = query_text (query, by_words);
  g_autoptr (EaselStatement) s = easel_gallery_prepare (db, sql, error);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  guint limit = query->limit > 0 ? (guint) query->limit : G_MAXUINT;
  int code = SQLITE_DONE;

  if (!s)
    return NULL;
  if (by_words)
    sqlite3_bind_text (s, 1, match, -1, SQLITE_STATIC);
  if (query->model)
    sqlite3_bind_text (s, 2, query->model, -1, SQLITE_STATIC);
  if (query->tag)
    sqlite3_bind_text (s, 3, query->tag, -1, SQLITE_STATIC);
  while (ids->len < limit && (code = sqlite3_step (s)) == SQLITE_ROW)
    {
      gint64 id = sqlite3_column_int64 (s, 0);

      if (!matches->bits || (id <= matches->max && (matches->bits[id >> 3] >> (id & 7) & 1)))
        g_array_append_val (ids, id);
    }
  if (code == SQLITE_DONE || ids->len == limit)
    return g_steal_pointer (&ids);
  easel_gallery_fail (db, error);
  return NULL;
}

GArray *
easel_gallery_query (EaselGallery *self, const EaselGalleryQuery *query, GError **error)
{
  g_autofree char *match = query->text ? match_expression (query->text) : NULL;
  sqlite3 *db = easel_gallery_borrow (self, error);
  Matches matches = { 0 };
  GArray *ids = NULL;

  if (!db)
    return NULL;
  /* One transaction: both statements see the same rows. */
  if (easel_gallery_run (db, "BEGIN", error))
    {
      if (!match || find_matches (db, match, &matches, error))
        ids = match && matches.n == 0 ? g_array_new (FALSE, FALSE, sizeof (gint64))
                                      : run_query (db, query, match, &matches, error);
      easel_gallery_run (db, "ROLLBACK", NULL);
    }
  g_free (matches.bits);
  easel_gallery_give_back (self, db);
  return ids;
}

#define ITEM_COLUMNS                                                                                          \
  "id, path, kind, width, height, frames, bytes, created, model, sampler, prompt, negative, steps, guidance," \
  " seed, stars, tags, request, state, seconds, mtime"

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
  item->path = easel_gallery_absolute (self, (const char *) sqlite3_column_text (s, 1));
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
  item->seconds = sqlite3_column_double (s, 19);
  item->modified = sqlite3_column_int64 (s, 20);
  return item;
}

static GPtrArray *
get_rows (EaselGallery *self, sqlite3 *db, const gint64 *ids, guint n, GError **error)
{
  g_autoptr (EaselStatement) s = easel_gallery_prepare (db, "SELECT " ITEM_COLUMNS " FROM item WHERE id = ?", error);
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_gallery_item_free);

  if (!s)
    return NULL;
  for (guint i = 0; i < n; i++)
    {
      int code;

      sqlite3_reset (s);
      sqlite3_bind_int64 (s, 1, ids[i]);
      code = sqlite3_step (s);
      if (code == SQLITE_ROW)
        g_ptr_array_add (items, read_item (self, s));
      else if (code != SQLITE_DONE)
        {
          easel_gallery_fail (db, error);
          return NULL;
        }
    }
  return g_steal_pointer (&items);
}

GPtrArray *
easel_gallery_get_many (EaselGallery *self, const gint64 *ids, guint n, GError **error)
{
  sqlite3 *db = easel_gallery_borrow (self, error);
  GPtrArray *items = db ? get_rows (self, db, ids, n, error) : NULL;

  if (db)
    easel_gallery_give_back (self, db);
  return items;
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
read_counts (sqlite3 *db, const char *sql, GError **error)
{
  g_autoptr (EaselStatement) statement = easel_gallery_prepare (db, sql, error);
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
  if (code == SQLITE_DONE)
    return g_steal_pointer (&found);
  easel_gallery_fail (db, error);
  return NULL;
}

static GPtrArray *
counts (EaselGallery *self, const char *sql, GError **error)
{
  sqlite3 *db = easel_gallery_borrow (self, error);
  GPtrArray *found = db ? read_counts (db, sql, error) : NULL;

  if (db)
    easel_gallery_give_back (self, db);
  return found;
}

GPtrArray *
easel_gallery_models (EaselGallery *self, GError **error)
{
  return counts (self, "SELECT model, count(*) AS n FROM item WHERE state < 2 AND model <> ''"
                       " GROUP BY model ORDER BY n DESC, model", error);
}

GPtrArray *
easel_gallery_tags (EaselGallery *self, GError **error)
{
  return counts (self, "SELECT name, count(*) AS n FROM tag JOIN item ON item.id = tag.item"
                       " WHERE state < 2 GROUP BY name ORDER BY n DESC, name", error);
}
