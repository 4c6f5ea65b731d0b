/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGallery: what was made. The files are the truth; an SQLite index (WAL, FTS5) beside them makes them findable.
 * Whatever the index holds about a picture it also finds in the file again (the request inside), except what a person
 * added afterwards (stars, tags), which is committed durably before it is shown as saved.
 *
 * Threads: every function may be called from any thread; one connection, one lock. Calls that touch one row take well
 * under a millisecond; easel_gallery_scan() and easel_gallery_open() may take long and belong on a worker.
 */
#pragma once

#include <gio/gio.h>

#include "engine/core/picture.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY (easel_gallery_get_type ())
G_DECLARE_FINAL_TYPE (EaselGallery, easel_gallery, EASEL, GALLERY, GObject)

/* Opens the index at `database` (created when absent, brought up to date when older) for pictures below `folder`.
 * A damaged index is set aside ("….damaged-N"), stars and tags are saved from it as far as they can be read, and a new
 * one is filled from the files; *rebuilt (may be NULL) says so. UNSUPPORTED: made by a newer Easel, nothing is touched.
 * IO: the folder or the index cannot be written. */
EaselGallery *easel_gallery_open (const char *database, const char *folder, gboolean *rebuilt, GError **error);

const char *easel_gallery_get_folder (EaselGallery *self);

/* Signals, emitted in the main context the gallery was opened in: "changed" (rows were added, removed or edited;
 * coalesced to one emission an iteration). */

typedef enum
{
  EASEL_ITEM_PICTURE,
  EASEL_ITEM_CLIP,
} EaselItemKind;

/* One row. Owned by whoever got it; free with easel_gallery_item_free(). */
typedef struct
{
  gint64 id;
  char *path;              /* absolute */
  EaselItemKind kind;
  int width, height, n_frames;
  gint64 bytes, created;   /* created: Unix seconds */
  char *model, *sampler, *prompt, *negative; /* "" when unknown */
  int steps;
  double guidance;
  gint64 seed;
  int stars;               /* 0..5 */
  char **tags;             /* sorted, NULL-terminated */
  char *request;           /* JSON as in the file, or NULL: not made by Easel */
  gboolean missing;        /* the file was gone when last looked for */
} EaselGalleryItem;
void easel_gallery_item_free (EaselGalleryItem *item);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselGalleryItem, easel_gallery_item_free)

typedef enum
{
  EASEL_SORT_NEWEST,
  EASEL_SORT_OLDEST,
  EASEL_SORT_STARS,
  EASEL_SORT_NAME,
} EaselGallerySort;

/* What to show; all zero: everything, newest first. */
typedef struct
{
  const char *text;         /* words, each a prefix; in prompt, negative, model, tags, file name */
  const char *model, *tag;  /* exact */
  int kind;                 /* -1 all (0 is EASEL_ITEM_PICTURE): use EASEL_GALLERY_QUERY_INIT */
  int min_stars;
  int min_side;             /* pixels, of the longer side */
  gint64 since, until;      /* Unix seconds, 0 open */
  gboolean trashed;         /* the trash instead */
  EaselGallerySort sort;
} EaselGalleryQuery;
#define EASEL_GALLERY_QUERY_INIT { .kind = -1 }

/* Ids in order, as an array of gint64. NULL with FAILED. Words are taken literally: no query language can be broken. */
GArray *easel_gallery_query (EaselGallery *self, const EaselGalleryQuery *query, GError **error);
/* NULL with NOT_FOUND. */
EaselGalleryItem *easel_gallery_get (EaselGallery *self, gint64 id, GError **error);
/* Items of ids[0..n), one round trip; rows that are gone are left out. GPtrArray of EaselGalleryItem. */
GPtrArray *easel_gallery_get_many (EaselGallery *self, const gint64 *ids, guint n, GError **error);
/* Distinct models / tags with how often, most frequent first: arrays of EaselGalleryCount. */
typedef struct
{
  char *name;
  gint64 count;
} EaselGalleryCount;
GPtrArray *easel_gallery_models (EaselGallery *self, GError **error);
GPtrArray *easel_gallery_tags (EaselGallery *self, GError **error);

/* A name in the gallery's folder that is free for this request: "YYYY-MM-DD prompt-words seed.ext". Caller frees. */
char *easel_gallery_new_path (EaselGallery *self, EaselRequest *request, const char *extension);
/* Adds (or refreshes) a file that lies below the folder; reads size and request from the file. *id may be NULL. */
gboolean easel_gallery_add (EaselGallery *self, const char *path, gint64 *id, GError **error);
gboolean easel_gallery_set_stars (EaselGallery *self, gint64 id, int stars, GError **error);
gboolean easel_gallery_set_tags (EaselGallery *self, gint64 id, const char *const *tags, GError **error);
/* Moves the file to the desktop's trash; the row stays, marked, so that it can be undone. */
gboolean easel_gallery_trash (EaselGallery *self, gint64 id, GError **error);
/* Puts it back where it was (from the trash's own record). NOT_FOUND: the trash was emptied. */
gboolean easel_gallery_untrash (EaselGallery *self, gint64 id, GError **error);
/* Takes the row out of the gallery; the file stays where it is and is not picked up again by a scan. */
gboolean easel_gallery_forget (EaselGallery *self, gint64 id, GError **error);

typedef struct
{
  int added, changed, missing, failed;
} EaselGalleryScan;
/* Brings the index in line with the folder. Damaged files are counted, remembered by size and time, not read again. */
gboolean easel_gallery_scan (EaselGallery *self, EaselGalleryScan *result, GCancellable *cancellable, GError **error);
/* Watches the folder (and those below it) from now on; changes appear by themselves. Main context of the caller. */
gboolean easel_gallery_watch (EaselGallery *self, GError **error);

/* SQLite's own integrity check, the text index's check, and every file looked for. Problems as sentences, one a line;
 * "" when sound. Caller frees. */
char *easel_gallery_check (EaselGallery *self, GError **error);

/* Thumbnails as the freedesktop specification has them ($XDG_CACHE_HOME/thumbnails/{large,x-large}, MD5 of the URI,
 * with Thumb::URI and Thumb::MTime), made when absent or stale. size: 256 or 512. Path; caller frees. Blocking: worker
 * threads. Files that cannot be read are recorded under fail/easel and not tried again until they change. */
char *easel_thumbnail_ensure (const char *path, int size, GError **error);

G_END_DECLS
