/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Shared by the files of this room.
 */
#pragma once

#include <sqlite3.h>

#include "engine/gallery/gallery.h"

/* What `item.state` holds. Only PRESENT and MISSING are shown; the others keep a file from being picked up again. */
typedef enum
{
  STATE_PRESENT,
  STATE_MISSING,
  STATE_TRASHED,
  STATE_FORGOTTEN,
  STATE_UNREADABLE,
} ItemState;

struct _EaselGallery
{
  GObject parent;
  /* Held for reading by whoever uses a connection, for writing while the file behind all of them is exchanged. */
  GRWLock file_lock;
  GMutex lock;          /* guards db, the one connection that writes, and every statement run on it */
  sqlite3 *db;
  GMutex readers_lock;  /* guards readers */
  GPtrArray *readers;   /* idle connections that only read: they never wait for a writer (WAL) */
  char *folder, *database;
  GMainContext *context;
  GMutex pending_lock;
  GSource *pending;     /* the emission on its way, under pending_lock */
  GHashTable *monitors; /* path to GFileMonitor; main context only */
  guint rescan;         /* source id of the delayed scan; main context only */
  gboolean scanning, scan_again;
  GCancellable *scans;
};

/* A statement that finalises itself. */
typedef sqlite3_stmt EaselStatement;
static inline void
easel_statement_free (EaselStatement *statement)
{
  sqlite3_finalize (statement);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselStatement, easel_statement_free)

/* ---- connection.c: whoever calls these has the connection to himself ---- */

/* NULL with FAILED, IO (full disk, no permission) or DAMAGED, as SQLite says. */
EaselStatement *easel_gallery_prepare (sqlite3 *db, const char *sql, GError **error);
/* Runs to the end; rows are ignored. */
gboolean easel_gallery_finish (sqlite3 *db, EaselStatement *statement, GError **error);
gboolean easel_gallery_run (sqlite3 *db, const char *sql, GError **error);
/* Sets `error` from the connection; always FALSE. */
gboolean easel_gallery_fail (sqlite3 *db, GError **error);

/* Opens the connection that writes and brings the schema up to date; lock or file_lock held for writing. */
gboolean easel_gallery_connect (EaselGallery *self, GError **error);
void easel_gallery_disconnect (EaselGallery *self);
/* The connection that writes; until easel_gallery_end_write() nobody else writes in this process. */
sqlite3 *easel_gallery_begin_write (EaselGallery *self);
void easel_gallery_end_write (EaselGallery *self);
/* A connection for reading, the caller's until given back. NULL with an error as above; nothing to give back then. */
sqlite3 *easel_gallery_borrow (EaselGallery *self, GError **error);
void easel_gallery_give_back (EaselGallery *self, sqlite3 *reader);

/* ---- schema.c, tokens.c ---- */

/* Brings the schema to this version, each step in a transaction of its own. */
gboolean easel_gallery_migrate (sqlite3 *db, GError **error);
int easel_gallery_schema_version (void);
/* Makes the tokenizer "easel" known to a connection: SQLite's unicode61, and scripts that are written without spaces
 * (Chinese, Japanese, Thai, …) a character a token, so that a word inside a sentence is found. */
gboolean easel_gallery_add_tokenizer (sqlite3 *db, GError **error);

/* ---- between the files ---- */

/* repair.c. Saves what a person added from the index that is there, renames that index ("….ending-N") and opens a new
 * one that holds what was saved for the next scan. Not connected before; connected after. file_lock: as for connect. */
gboolean easel_gallery_exchange (EaselGallery *self, const char *ending, GError **error);
/* Goes on with an exchange that a crash interrupted. Before connecting. */
gboolean easel_gallery_finish_exchange (EaselGallery *self, GError **error);

/* Any thread: "changed" will be emitted once in the gallery's context. */
void easel_gallery_changed (EaselGallery *self);
/* Writes the tags of a row in both places; inside a transaction. */
gboolean easel_gallery_write_tags (sqlite3 *db, gint64 id, const char *const *tags, GError **error);
/* The path of a file below the folder, relative to it; NULL when it lies elsewhere. Caller frees. */
char *easel_gallery_relative (EaselGallery *self, const char *path);

/* The path of a row: relative to the folder, or absolute where it lies elsewhere. Caller frees. */
char *easel_gallery_absolute (EaselGallery *self, const char *stored);
/* place.c. Compares the folder with the one of the last opening; rows whose files stayed there keep them. */
gboolean easel_gallery_settle_folder (EaselGallery *self, GError **error);

/* What a file is, by its ending and, of a .webp, its first bytes; FALSE: nothing for the gallery. */
gboolean easel_gallery_kind_of (const char *path, EaselItemKind *kind);
/* easel_gallery_scan() that also appends the folders it met (absolute paths) to `folders`; NULL: nobody asks. */
gboolean easel_gallery_scan_folders (EaselGallery *self, EaselGalleryScan *result, GPtrArray *folders,
                                     GCancellable *cancellable, GError **error);

/* marks.c: stars and tags as extended attributes of the file itself (user.xdg.tags, user.baloo.rating, as other
 * programs of the desktop keep them), so that they outlive the index. Best effort: a file system may have none. */
void easel_marks_write (const char *path, int stars, const char *const *tags);
/* FALSE: the file carries none. *tags: caller frees with g_strfreev. */
gboolean easel_marks_read (const char *path, int *stars, char ***tags);
