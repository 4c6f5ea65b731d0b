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
  GMutex lock;          /* guards db and every statement run on it */
  sqlite3 *db;
  char *folder, *database;
  GMainContext *context;
  GSource *pending;     /* the emission on its way, under lock */
  GHashTable *monitors; /* path to GFileMonitor; main context only */
  guint rescan;         /* source id of the delayed scan; main context only */
  gboolean scanning, scan_again;
  GCancellable *scans;
};

/* A statement that finalises itself. All below: lock held. */
typedef sqlite3_stmt EaselStatement;
static inline void
easel_statement_free (EaselStatement *statement)
{
  sqlite3_finalize (statement);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselStatement, easel_statement_free)

/* NULL with FAILED (DAMAGED when SQLite says so). */
EaselStatement *easel_gallery_prepare (EaselGallery *self, const char *sql, GError **error);
/* Runs to the end; rows are ignored. */
gboolean easel_gallery_finish (EaselGallery *self, EaselStatement *statement, GError **error);
gboolean easel_gallery_run (EaselGallery *self, const char *sql, GError **error);
/* Sets `error` from the connection; always FALSE. */
gboolean easel_gallery_fail (EaselGallery *self, GError **error);

/* Brings the schema to this version inside one transaction. */
gboolean easel_gallery_migrate (EaselGallery *self, GError **error);
int easel_gallery_schema_version (void);

/* Any thread, lock held or not: "changed" will be emitted once in the gallery's context. */
void easel_gallery_changed (EaselGallery *self);

/* Writes the tags of a row in both places; lock held, inside a transaction. */
gboolean easel_gallery_write_tags (EaselGallery *self, gint64 id, const char *const *tags, GError **error);

/* The path of a file below the folder, relative to it; NULL when it lies elsewhere. Caller frees. */
char *easel_gallery_relative (EaselGallery *self, const char *path);
