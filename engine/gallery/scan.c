/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From files to rows: adding one, and bringing the index in line with the folder.
 */
#include "engine/gallery/gallery-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/media/image-file.h"
#include "engine/media/video-file.h"

#define MAX_DEPTH 8   /* of folders below the gallery's */
#define BATCH 128     /* rows in a transaction: one wait for the disk, and others get in between */

static const struct
{
  const char *ending;
  EaselItemKind kind;
} endings[] = {
  { ".png", EASEL_ITEM_PICTURE },  { ".jpg", EASEL_ITEM_PICTURE }, { ".jpeg", EASEL_ITEM_PICTURE },
  { ".webp", EASEL_ITEM_PICTURE }, { ".mp4", EASEL_ITEM_CLIP },    { ".webm", EASEL_ITEM_CLIP },
  { ".mkv", EASEL_ITEM_CLIP },     { ".gif", EASEL_ITEM_CLIP },    { ".apng", EASEL_ITEM_CLIP },
};

static gboolean
has_ending (const char *path, EaselItemKind *kind)
{
  const char *dot = strrchr (path, '.');

  for (gsize i = 0; dot && i < G_N_ELEMENTS (endings); i++)
    if (g_ascii_strcasecmp (dot, endings[i].ending) == 0)
      {
        *kind = endings[i].kind;
        return TRUE;
      }
  return FALSE;
}

gboolean
easel_gallery_kind_of (const char *path, EaselItemKind *kind)
{
  if (!has_ending (path, kind))
    return FALSE;
  if (easel_video_moves (path))
    *kind = EASEL_ITEM_CLIP;
  return TRUE;
}

char *
easel_gallery_relative (EaselGallery *self, const char *path)
{
  g_autofree char *whole = g_canonicalize_filename (path, NULL);
  gsize n = strlen (self->folder);

  if (!g_str_has_prefix (whole, self->folder) || whole[n] != G_DIR_SEPARATOR || !g_utf8_validate (whole, -1, NULL))
    return NULL;
  return g_strdup (whole + n + 1);
}

/* ---- one file ---- */

/* Everything a file says about itself. request and tags may be NULL. */
typedef struct
{
  char *relative;
  struct stat st;
  ItemState state;
  EaselItemKind kind;
  int width, height, frames;
  double seconds;
  EaselRequest *request;
  int stars;
  char **tags;
} FileFacts;

static void
file_facts_free (gpointer data)
{
  FileFacts *facts = data;

  g_free (facts->relative);
  g_clear_pointer (&facts->request, easel_request_unref);
  g_strfreev (facts->tags);
  g_free (facts);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FileFacts, file_facts_free)

/* A clip whose codec is missing here is still one: it is listed without its size. */
static void
read_clip (const char *path, FileFacts *facts)
{
  g_autoptr (EaselPicture) first = easel_video_read (path, 1, NULL);
  const EaselRequestSettings *s;

  facts->request = easel_video_read_request (path, NULL);
  if (first)
    {
      facts->width = first->width;
      facts->height = first->height;
    }
  s = facts->request ? easel_request_settings (facts->request) : NULL;
  if (s && s->frames > 0)
    {
      double fps = s->fps > 0 ? s->fps : first ? first->fps : 0;

      facts->frames = s->frames;
      facts->seconds = fps > 0 ? s->frames / fps : 0;
    }
}

static FileFacts *
read_facts (EaselGallery *self, const char *path, GError **error)
{
  g_autoptr (FileFacts) facts = g_new0 (FileFacts, 1);

  facts->relative = easel_gallery_relative (self, path);
  facts->frames = 1;
  if (!facts->relative)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s does not lie in the gallery's folder %s.", path,
                   self->folder);
      return NULL;
    }
  if (stat (path, &facts->st) != 0 || !S_ISREG (facts->st.st_mode))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "%s is not there.", path);
      return NULL;
    }
  if (!easel_gallery_kind_of (path, &facts->kind))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s is not a kind of picture or clip that Easel knows.",
                   path);
      return NULL;
    }
  if (facts->kind == EASEL_ITEM_CLIP)
    read_clip (path, facts);
  else if (easel_image_probe (path, &facts->width, &facts->height, error))
    facts->request = easel_image_read_request (path, NULL); /* a picture without one is fine */
  else
    return NULL;
  easel_marks_read (path, &facts->stars, &facts->tags);
  return g_steal_pointer (&facts);
}

static gint64
mtime_of (const struct stat *st)
{
  return (gint64) st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* A row that is new takes what was saved from an index before this one, or else what the file itself carries. */
static gboolean
take_marks (sqlite3 *db, gint64 id, const FileFacts *facts, GError **error)
{
  g_autoptr (EaselStatement) find =
      easel_gallery_prepare (db, "SELECT stars, tags, state FROM salvaged WHERE path = ?", error);
  g_autoptr (EaselStatement) apply =
      find ? easel_gallery_prepare (db, "UPDATE item SET stars = ?, state = ? WHERE id = ?", error) : NULL;
  g_autoptr (EaselStatement) clear =
      apply ? easel_gallery_prepare (db, "DELETE FROM salvaged WHERE path = ?", error) : NULL;
  g_auto (GStrv) tags = NULL;
  int stars = facts->stars;
  ItemState state = facts->state;
  gboolean saved;

  if (!clear)
    return FALSE;
  sqlite3_bind_text (find, 1, facts->relative, -1, SQLITE_STATIC);
  saved = sqlite3_step (find) == SQLITE_ROW;
  if (saved)
    {
      stars = sqlite3_column_int (find, 0);
      tags = g_strsplit ((const char *) sqlite3_column_text (find, 1), "\n", -1);
      if (sqlite3_column_int (find, 2) == STATE_FORGOTTEN)
        state = STATE_FORGOTTEN;
    }
  else if (facts->tags)
    tags = g_strdupv (facts->tags);
  sqlite3_reset (find);
  if (!saved && !stars && !(tags && tags[0]))
    return TRUE;
  sqlite3_bind_int (apply, 1, stars);
  sqlite3_bind_int (apply, 2, state);
  sqlite3_bind_int64 (apply, 3, id);
  sqlite3_bind_text (clear, 1, facts->relative, -1, SQLITE_STATIC);
  return easel_gallery_finish (db, apply, error) && easel_gallery_finish (db, clear, error) &&
         (!tags || easel_gallery_write_tags (db, id, (const char *const *) tags, error));
}

/* Writes the row, inside a transaction. Stars and tags of a row that was there are kept. */
static gboolean
write_row (sqlite3 *db, const FileFacts *facts, gint64 *id_out, GError **error)
{
  static const char sql[] =
      "INSERT INTO item (path, kind, width, height, frames, bytes, mtime, created, model, sampler, prompt, negative,"
      " steps, guidance, seed, request, state, seconds)"
      " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)"
      " ON CONFLICT (path) DO UPDATE SET kind = ?2, width = ?3, height = ?4, frames = ?5, bytes = ?6, mtime = ?7,"
      " model = ?9, sampler = ?10, prompt = ?11, negative = ?12, steps = ?13, guidance = ?14, seed = ?15,"
      " request = ?16, state = ?17, seconds = ?18 RETURNING id";
  const EaselRequestSettings none = EASEL_REQUEST_SETTINGS_INIT;
  const EaselRequestSettings *s = facts->request ? easel_request_settings (facts->request) : &none;
  g_autofree char *json = facts->request ? easel_request_to_json (facts->request) : NULL;
  g_autoptr (EaselStatement) before = easel_gallery_prepare (db, "SELECT 1 FROM item WHERE path = ?", error);
  g_autoptr (EaselStatement) q = before ? easel_gallery_prepare (db, sql, error) : NULL;
  gboolean known;
  gint64 id;

  if (!q)
    return FALSE;
  sqlite3_bind_text (before, 1, facts->relative, -1, SQLITE_STATIC);
  known = sqlite3_step (before) == SQLITE_ROW;
  sqlite3_reset (before);
  sqlite3_bind_text (q, 1, facts->relative, -1, SQLITE_STATIC);
  sqlite3_bind_int (q, 2, facts->kind);
  sqlite3_bind_int (q, 3, facts->width);
  sqlite3_bind_int (q, 4, facts->height);
  sqlite3_bind_int (q, 5, facts->frames);
  sqlite3_bind_int64 (q, 6, facts->st.st_size);
  sqlite3_bind_int64 (q, 7, mtime_of (&facts->st));
  sqlite3_bind_int64 (q, 8, facts->st.st_mtim.tv_sec);
  sqlite3_bind_text (q, 9, s->model ? s->model : "", -1, SQLITE_STATIC);
  sqlite3_bind_text (q, 10, s->sampler ? s->sampler : "", -1, SQLITE_STATIC);
  sqlite3_bind_text (q, 11, s->prompt ? s->prompt : "", -1, SQLITE_STATIC);
  sqlite3_bind_text (q, 12, s->negative ? s->negative : "", -1, SQLITE_STATIC);
  sqlite3_bind_int (q, 13, s->steps);
  sqlite3_bind_double (q, 14, s->guidance);
  sqlite3_bind_int64 (q, 15, s->seed);
  sqlite3_bind_text (q, 16, json, -1, SQLITE_STATIC);
  sqlite3_bind_int (q, 17, facts->state);
  sqlite3_bind_double (q, 18, facts->seconds);
  if (sqlite3_step (q) != SQLITE_ROW)
    return easel_gallery_fail (db, error);
  id = sqlite3_column_int64 (q, 0);
  if (!easel_gallery_finish (db, q, error) || (!known && !take_marks (db, id, facts, error)))
    return FALSE;
  if (id_out)
    *id_out = id;
  return TRUE;
}

static gboolean
write_rows (EaselGallery *self, GPtrArray *files, gint64 *id, GError **error)
{
  sqlite3 *db = easel_gallery_begin_write (self);
  gboolean ok = easel_gallery_run (db, "BEGIN IMMEDIATE", error);

  if (ok)
    {
      for (guint i = 0; ok && i < files->len; i++)
        ok = write_row (db, files->pdata[i], id, error);
      ok = ok && easel_gallery_run (db, "COMMIT", error);
      if (!ok)
        easel_gallery_run (db, "ROLLBACK", NULL);
    }
  easel_gallery_end_write (self);
  if (ok && files->len)
    easel_gallery_changed (self);
  return ok;
}

gboolean
easel_gallery_add (EaselGallery *self, const char *path, gint64 *id, GError **error)
{
  g_autoptr (GPtrArray) one = g_ptr_array_new_with_free_func (file_facts_free);
  FileFacts *facts = read_facts (self, path, error);

  if (!facts)
    return FALSE;
  g_ptr_array_add (one, facts);
  return write_rows (self, one, id, error);
}

/* ---- the whole folder ---- */

/* What the index knows of a path. */
typedef struct
{
  gint64 id, mtime, bytes;
  ItemState state;
  gboolean seen;
} Known;

typedef struct
{
  EaselGallery *self;
  GHashTable *known;     /* relative path to Known */
  GPtrArray *candidates; /* absolute paths that are new or changed */
  GPtrArray *closed;     /* relative paths of folders that could not be read, with a slash at the end */
  GPtrArray *folders;    /* absolute paths of those that were, or NULL: nobody asks */
  GPtrArray *batch;      /* FileFacts on their way into the index */
  EaselGalleryScan *result;
  GCancellable *cancellable;
  GError **error;
} Scan;

static GHashTable *
read_known (EaselGallery *self, GError **error)
{
  sqlite3 *db = easel_gallery_borrow (self, error);
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (EaselStatement) s =
      db ? easel_gallery_prepare (db, "SELECT id, path, mtime, bytes, state FROM item", error) : NULL;
  int code = SQLITE_ERROR;

  while (s && (code = sqlite3_step (s)) == SQLITE_ROW)
    {
      Known *k = g_new0 (Known, 1);

      k->id = sqlite3_column_int64 (s, 0);
      k->mtime = sqlite3_column_int64 (s, 2);
      k->bytes = sqlite3_column_int64 (s, 3);
      k->state = sqlite3_column_int (s, 4);
      g_hash_table_replace (known, g_strdup ((const char *) sqlite3_column_text (s, 1)), k);
    }
  if (s && code != SQLITE_DONE)
    easel_gallery_fail (db, error);
  g_clear_pointer (&s, sqlite3_finalize);
  if (db)
    easel_gallery_give_back (self, db);
  return code == SQLITE_DONE ? g_steal_pointer (&known) : NULL;
}

/* Forgotten ones stay forgotten; unreadable ones are not read again until they change. */
static void
meet_file (Scan *scan, const char *path)
{
  g_autofree char *relative = easel_gallery_relative (scan->self, path);
  EaselItemKind kind;
  struct stat st;
  Known *known;

  if (!relative || !has_ending (path, &kind) || stat (path, &st) != 0 || !S_ISREG (st.st_mode))
    return;
  known = g_hash_table_lookup (scan->known, relative);
  if (known)
    {
      known->seen = TRUE;
      if (known->state == STATE_FORGOTTEN ||
          (known->mtime == mtime_of (&st) && known->bytes == st.st_size && known->state != STATE_MISSING &&
           known->state != STATE_TRASHED))
        return;
    }
  g_ptr_array_add (scan->candidates, g_strdup (path));
}

static gboolean
walk (Scan *scan, const char *folder, int depth)
{
  g_autofree char *relative = easel_gallery_relative (scan->self, folder);
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;
  gboolean ok = TRUE;

  if (!dir && relative)
    g_ptr_array_add (scan->closed, g_strconcat (relative, "/", NULL));
  else if (!dir && !g_file_test (folder, G_FILE_TEST_IS_DIR))
    g_set_error (scan->error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "The gallery's folder %s is not there.", folder);
  else if (!dir)
    g_set_error (scan->error, EASEL_ERROR, EASEL_ERROR_IO, "The gallery's folder %s cannot be read.", folder);
  if (!dir)
    return relative != NULL;
  if (scan->folders)
    g_ptr_array_add (scan->folders, g_strdup (folder));
  while (ok && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (name[0] == '.') /* hidden, and our own temporary files */
        continue;
      if (g_cancellable_set_error_if_cancelled (scan->cancellable, scan->error))
        ok = FALSE;
      else if (g_file_test (path, G_FILE_TEST_IS_DIR))
        ok = depth >= MAX_DEPTH || g_file_test (path, G_FILE_TEST_IS_SYMLINK) || walk (scan, path, depth + 1);
      else
        meet_file (scan, path);
    }
  g_dir_close (dir);
  return ok;
}

/* Rows whose file was not met, by size and time, so that a file that only changed its name is known again. */
static GHashTable *
vanished_rows (Scan *scan)
{
  GHashTable *rows = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer path, value;

  g_hash_table_iter_init (&iter, scan->known);
  while (g_hash_table_iter_next (&iter, &path, &value))
    {
      Known *known = value;

      if (!known->seen && known->state <= STATE_MISSING &&
          !(g_path_is_absolute (path) && g_file_test (path, G_FILE_TEST_EXISTS)))
        g_hash_table_replace (rows, g_strdup_printf ("%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, known->mtime,
                                                     known->bytes), known);
    }
  return rows;
}

/* TRUE: the row follows the file to its new name. */
static gboolean
follow_rename (Scan *scan, GHashTable *vanished, const char *path)
{
  g_autofree char *relative = easel_gallery_relative (scan->self, path);
  g_autofree char *key = NULL;
  g_autoptr (EaselStatement) s = NULL;
  struct stat st;
  Known *known;
  sqlite3 *db;
  gboolean ok = FALSE;

  if (g_hash_table_size (vanished) == 0 || g_hash_table_contains (scan->known, relative) || stat (path, &st) != 0)
    return FALSE;
  key = g_strdup_printf ("%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, mtime_of (&st), (gint64) st.st_size);
  known = g_hash_table_lookup (vanished, key);
  if (!known || known->seen)
    return FALSE;
  db = easel_gallery_begin_write (scan->self);
  s = easel_gallery_prepare (db, "UPDATE item SET path = ?, state = 0 WHERE id = ?", NULL);
  if (s)
    {
      sqlite3_bind_text (s, 1, relative, -1, SQLITE_STATIC);
      sqlite3_bind_int64 (s, 2, known->id);
      ok = easel_gallery_finish (db, s, NULL);
    }
  g_clear_pointer (&s, sqlite3_finalize);
  easel_gallery_end_write (scan->self);
  known->seen |= ok;
  return ok;
}

static gboolean
flush_batch (Scan *scan)
{
  gboolean ok = scan->batch->len == 0 || write_rows (scan->self, scan->batch, NULL, scan->error);

  g_ptr_array_set_size (scan->batch, 0);
  return ok;
}

static gboolean
take_candidate (Scan *scan, GHashTable *vanished, const char *path)
{
  g_autofree char *relative = NULL;
  FileFacts *facts;

  if (g_cancellable_set_error_if_cancelled (scan->cancellable, scan->error))
    return FALSE;
  if (follow_rename (scan, vanished, path))
    {
      scan->result->changed++;
      return TRUE;
    }
  facts = read_facts (scan->self, path, NULL);
  relative = easel_gallery_relative (scan->self, path);
  if (!facts)
    {
      /* Remembered by its size and time. */
      facts = g_new0 (FileFacts, 1);
      facts->state = STATE_UNREADABLE;
      facts->relative = g_strdup (relative);
      if (stat (path, &facts->st) != 0)
        {
          file_facts_free (facts);
          return TRUE; /* gone again */
        }
      easel_gallery_kind_of (path, &facts->kind);
      scan->result->failed++;
    }
  else if (g_hash_table_contains (scan->known, relative))
    scan->result->changed++;
  else
    scan->result->added++;
  g_ptr_array_add (scan->batch, facts);
  return scan->batch->len < BATCH || flush_batch (scan);
}

static gboolean
below_closed (Scan *scan, const char *relative)
{
  for (guint i = 0; i < scan->closed->len; i++)
    if (g_str_has_prefix (relative, scan->closed->pdata[i]))
      return TRUE;
  return FALSE;
}

/* Shown as missing, never dropped. */
static gboolean
mark_missing (Scan *scan)
{
  sqlite3 *db = easel_gallery_begin_write (scan->self);
  g_autoptr (EaselStatement) s =
      easel_gallery_prepare (db, "UPDATE item SET state = 1 WHERE id = ? AND state = 0", scan->error);
  GHashTableIter iter;
  gpointer path, value;
  gboolean ok = s && easel_gallery_run (db, "BEGIN IMMEDIATE", scan->error);

  if (ok)
    {
      g_hash_table_iter_init (&iter, scan->known);
      while (ok && g_hash_table_iter_next (&iter, &path, &value))
        {
          Known *known = value;

          if (known->seen || known->state != STATE_PRESENT || below_closed (scan, path) ||
              (g_path_is_absolute (path) && g_file_test (path, G_FILE_TEST_EXISTS)))
            continue;
          sqlite3_reset (s);
          sqlite3_bind_int64 (s, 1, known->id);
          ok = easel_gallery_finish (db, s, scan->error);
          scan->result->missing++;
        }
      sqlite3_reset (s);
      ok = ok && easel_gallery_run (db, "COMMIT", scan->error);
      if (!ok)
        easel_gallery_run (db, "ROLLBACK", NULL);
    }
  g_clear_pointer (&s, sqlite3_finalize);
  easel_gallery_end_write (scan->self);
  return ok;
}

gboolean
easel_gallery_scan_folders (EaselGallery *self, EaselGalleryScan *result, GPtrArray *folders, GCancellable *cancellable,
                            GError **error)
{
  EaselGalleryScan counted = { 0 };
  g_autoptr (GHashTable) known = read_known (self, error);
  g_autoptr (GHashTable) vanished = NULL;
  g_autoptr (GPtrArray) candidates = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) closed = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) batch = g_ptr_array_new_with_free_func (file_facts_free);
  Scan scan = { self, known, candidates, closed, folders, batch, &counted, cancellable, error };
  gboolean ok = known && walk (&scan, self->folder, 0);

  if (ok)
    {
      vanished = vanished_rows (&scan);
      for (guint i = 0; ok && i < candidates->len; i++)
        ok = take_candidate (&scan, vanished, candidates->pdata[i]);
      ok = ok && flush_batch (&scan) && mark_missing (&scan);
    }
  if (counted.added || counted.changed || counted.missing)
    easel_gallery_changed (self);
  if (result)
    *result = counted;
  return ok;
}

gboolean
easel_gallery_scan (EaselGallery *self, EaselGalleryScan *result, GCancellable *cancellable, GError **error)
{
  return easel_gallery_scan_folders (self, result, NULL, cancellable, error);
}
