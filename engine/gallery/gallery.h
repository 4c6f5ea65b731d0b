/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGallery: what was made. The files are the truth; an SQLite index (WAL, FTS5) beside them makes them findable.
 * Whatever the index holds about a picture it also finds in the file again (the request inside), except what a person
 * added afterwards (stars, tags), which is committed durably before it is shown as saved.
 *
 * A person's stars and tags are also written as extended attributes of the file, where the file system has them.
 *
 * Threads: every function may be called from any thread. Reading never waits for writing. What writes waits for the
 * disk (an fsync) and belongs on a worker in a program with a window; so do easel_gallery_scan(), _check(), _rebuild().
 */
#pragma once

#include <gio/gio.h>

#include "engine/core/picture.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY (easel_gallery_get_type ())
G_DECLARE_FINAL_TYPE (EaselGallery, easel_gallery, EASEL, GALLERY, GObject)

/* Opens the index at `database` (created when absent, brought up to date when older) for pictures below `folder`.
 * A damaged index is set aside ("….damaged-N"); stars and tags are saved from it as far as they can be read, and the
 * next scan fills a new one from the files: *rebuilt (may be NULL) says so. A folder that is not there (a drive that is
 * not plugged in) is no failure, see easel_gallery_folder_problem(). UNSUPPORTED: made by a newer Easel, nothing is
 * touched; easel_gallery_open_anew() is the way forward. IO: the index cannot be written. */
/* Another folder than the last time: files that are not in it but still in the old one stay in the gallery. */
EaselGallery *easel_gallery_open (const char *database, const char *folder, gboolean *rebuilt, GError **error);
/* The same, but whatever index is there is set aside ("….old-N", never deleted) after saving stars and tags from it.
 * Scan afterwards. */
EaselGallery *easel_gallery_open_anew (const char *database, const char *folder, GError **error);
/* The same for a gallery that is open, when a call failed with DAMAGED. Scans. */
gboolean easel_gallery_rebuild (EaselGallery *self, GCancellable *cancellable, GError **error);

const char *easel_gallery_get_folder (EaselGallery *self);
/* The folder an index was opened with last, or NULL: not made yet, or of another version. Caller frees. */
char *easel_gallery_last_folder (const char *database);
/* What is wrong with the folder now, as a sentence with a way forward: not there, cannot be read, cannot be written.
 * NULL when nothing is. Caller frees. Looks at the disk. */
char *easel_gallery_folder_problem (EaselGallery *self);

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
  int width, height, n_frames; /* 0: not known */
  double seconds;          /* clips; 0: not known */
  gint64 bytes, created;   /* created: Unix seconds */
  gint64 modified;         /* of the file, in nanoseconds since 1970: another one is another picture */
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
  int min_side, max_side;   /* pixels, of the longer side; 0 open */
  gint64 since, until;      /* Unix seconds, 0 open */
  gboolean untagged;        /* only those without tags */
  gboolean missing;         /* only those whose file is gone */
  gboolean unreadable;      /* the files that are no pictures instead, whatever their names say */
  gboolean trashed;         /* the trash instead */
  EaselGallerySort sort;
  int limit;                /* 0: all */
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
/* Many at once, in one transaction: all or none. Tags in `add` are added, those in `remove` taken off (either may be
 * NULL). */
gboolean easel_gallery_set_stars_of (EaselGallery *self, const gint64 *ids, guint n, int stars, GError **error);
gboolean easel_gallery_edit_tags_of (EaselGallery *self, const gint64 *ids, guint n, const char *const *add,
                                     const char *const *remove, GError **error);
/* Moves the file to the desktop's trash; the row stays, marked, so that it can be undone. UNSUPPORTED: there is no
 * trash where the file lies. */
gboolean easel_gallery_trash (EaselGallery *self, gint64 id, GError **error);
/* Puts it back where it was (from the trash's own record). NOT_FOUND: the trash was emptied. */
gboolean easel_gallery_untrash (EaselGallery *self, gint64 id, GError **error);
/* Deletes the file and its row for good: only after asking, where there is no trash. */
gboolean easel_gallery_delete (EaselGallery *self, gint64 id, GError **error);
/* Takes the row out of the gallery; the file stays where it is and is not picked up again by a scan. */
gboolean easel_gallery_forget (EaselGallery *self, gint64 id, GError **error);

typedef struct
{
  int added, changed, missing, failed;
} EaselGalleryScan;
/* Brings the index in line with the folder. A file that was renamed or moved below it keeps its stars and tags. Damaged
 * files are counted, remembered by size and time, not read again. NOT_FOUND: the folder is not there; then nothing is
 * marked as missing. */
gboolean easel_gallery_scan (EaselGallery *self, EaselGalleryScan *result, GCancellable *cancellable, GError **error);
/* Scans on a worker, and from now on whenever something changes in the folder or below. Main context of the caller. A
 * folder that comes back is seen at the next call. */
void easel_gallery_watch (EaselGallery *self);

/* SQLite's own integrity check, the word index's check, and every file looked for. Problems as sentences, one a line;
 * "" when sound. With `repair`: the word index is made anew where it disagrees, the whole index where it is damaged;
 * the report says so. Caller frees. */
char *easel_gallery_check (EaselGallery *self, gboolean repair, GCancellable *cancellable, GError **error);

/* Thumbnails as the freedesktop specification has them ($XDG_CACHE_HOME/thumbnails/{normal,large,x-large,xx-large},
 * MD5 of the URI, with Thumb::URI and Thumb::MTime), made when absent or stale; one that lies ready in a folder's
 * shared repository (.sh_thumbnails) is used. Clips: their first frame. size: the side wanted, up to 1024; the smallest
 * of the standard's sizes that has it. Path; caller frees. Blocking: worker threads. Files that cannot be read are
 * recorded under fail/easel-VERSION and not tried again until they change: DAMAGED. */
char *easel_thumbnail_ensure (const char *path, int size, GError **error);

G_END_DECLS
