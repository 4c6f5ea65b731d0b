/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of this room share. Nothing outside engine/hub and tests/hub includes it.
 *
 *   names.c    what a repository may be called, and its files; URLs        (pure functions)
 *   digest.c   SHA-256 and git blob ids                                    (libcrypto)
 *   cache.c    the folder: paths, locks, refs, links
 *   part.c     an unfinished file: its bytes and the map of its blocks
 *   net.c      one request: headers, redirects, who gets the token, errors as sentences (libcurl)
 *   listing.c  JSON of the Hub: revisions, trees, searches
 *   select.c   which files a pipeline needs at a precision                 (pure functions)
 *   plan.c     the three above in order
 *   licence.c  the licence's text
 *   hasher.c   the thread that reads back and hashes what the network wrote
 *   fetch.c    the loop that fetches the files of one plan over several connections
 *   download.c, hub.c   the objects; the queue and its thread
 *   wish.c     what is wanted, on disk
 *   installed.c, check.c   what is on disk: list, verify, repair, remove
 */
#pragma once

#include <curl/curl.h>

#include "engine/hub/hub.h"

G_BEGIN_DECLS

/* ---- session: one line of work on one thread --------------------------------------------------------------------- */

typedef struct
{
  EaselHubSettings *settings; /* owned */
  GCancellable *cancellable;  /* borrowed, may be NULL */
  EaselHubReason reason;      /* of the last failure */
  char *page;                 /* owned: the page that helps, or NULL */
  CURLM *multi;               /* of easel_net_get: keeps connections open between requests; NULL before the first */
  gboolean (*go_on) (gpointer data); /* another way to stop, asked while waiting; may be NULL */
  gpointer go_on_data;
} EaselHubSession;

EaselHubSession *easel_hub_session_new (const EaselHubSettings *settings, GCancellable *cancellable);
void easel_hub_session_free (EaselHubSession *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselHubSession, easel_hub_session_free)
/* Sets reason and error together; the reason decides the EaselError code. Returns FALSE. */
gboolean easel_hub_fail (EaselHubSession *self, EaselHubReason reason, GError **error, const char *format, ...)
  G_GNUC_PRINTF (4, 5);
gboolean easel_hub_cancelled (EaselHubSession *self, GError **error); /* TRUE with the error set */
/* An errno of the drive as reason and sentence. Returns FALSE. */
gboolean easel_hub_fail_errno (EaselHubSession *self, int code, const char *doing, const char *path, GError **error);

/* TRUE when a download that runs with the one would go otherwise with the other. */
gboolean easel_hub_settings_differ (const EaselHubSettings *a, const EaselHubSettings *b);

/* ---- names.c ----------------------------------------------------------------------------------------------------- */

/* "name" or "owner/name" of letters, digits, '-', '_', '.'; at most 96; huggingface_hub's rules. */
gboolean easel_hub_valid_repo (const char *repo);
/* A branch, tag or commit: git's rules, tightened: no "..", no control characters, no leading '-' or '/'. */
gboolean easel_hub_valid_revision (const char *revision);
gboolean easel_hub_is_commit (const char *text);       /* 40 lower-case hex digits */
gboolean easel_hub_is_hex (const char *text, gsize n); /* exactly n lower-case hex digits */
/* A path in a repository. On refusal *why is a static phrase ("contains '..'"). */
gboolean easel_hub_valid_path (const char *path, const char **why);
/* `text` with control characters and bytes that are not UTF-8 replaced, cut at 120 characters, for messages. */
char *easel_hub_printable (const char *text);
/* W/"abc" -> abc; NULL for NULL or an etag that cannot be a file name. */
char *easel_hub_normalize_etag (const char *etag);
/* ENDPOINT/REPO/resolve/REVISION/PATH, escaped. */
char *easel_hub_resolve_url (const char *endpoint, const char *repo, const char *revision, const char *path);
/* ENDPOINT/api/models/REPO/WHAT with `what` taken as it is. */
char *easel_hub_api_url (const char *endpoint, const char *repo, const char *what);
/* models--owner--name and back (NULL when it is none). */
char *easel_hub_folder_name (const char *repo);
char *easel_hub_repo_from_folder (const char *folder);
/* scheme://host:port in lower case with the port always there; NULL when it is no http or https URL. */
char *easel_hub_url_origin (const char *url);
/* `location` seen from `base`, absolute; NULL when it is no http or https URL. */
char *easel_hub_url_resolve (const char *base, const char *location);

/* ---- digest.c ---------------------------------------------------------------------------------------------------- */

typedef struct EaselDigest EaselDigest;
/* For an etag of 64 digits SHA-256; of 40 digits the git blob id of `size` bytes. NULL for others or without memory. */
EaselDigest *easel_digest_new (const char *etag, gint64 size);
void easel_digest_update (EaselDigest *self, const void *data, gsize n);
/* TRUE when the hash equals `etag`. Ends the digest. */
gboolean easel_digest_matches (EaselDigest *self, const char *etag);
void easel_digest_free (EaselDigest *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselDigest, easel_digest_free)
/* Reads a whole file. 1 matches, 0 does not, -1 error (errno). progress may be NULL; FALSE from it: ECANCELED. */
int easel_digest_file (const char *path, const char *etag, gboolean (*progress) (gint64 bytes, gpointer data),
                       gpointer data);

/* ---- cache.c ----------------------------------------------------------------------------------------------------- */

char *easel_hub_cache_repo_dir (const char *cache_dir, const char *repo);
char *easel_hub_cache_blob (const char *cache_dir, const char *repo, const char *etag);
char *easel_hub_cache_pointer (const char *cache_dir, const char *repo, const char *commit, const char *path);
/* Makes blobs/, snapshots/COMMIT, CACHEDIR.TAG and refs/REVISION (when it is no commit). */
gboolean easel_hub_cache_prepare (EaselHubSession *session, const char *repo, const char *revision, const char *commit,
                                  GError **error);
/* The commit that refs/REVISION names, or NULL. */
char *easel_hub_cache_read_ref (const char *cache_dir, const char *repo, const char *revision);
/* A lock as huggingface_hub's filelock takes it. Returns the descriptor; -1 held by another program; -2 error. */
int easel_hub_cache_lock (const char *cache_dir, const char *repo, const char *etag);
void easel_hub_cache_unlock (int fd);
/* TRUE when links can be made in the cache (probed). */
gboolean easel_hub_cache_links_work (const EaselHubSettings *settings);
/* Gives the file a name in the snapshot: a relative link to its blob, or where links do not work the file itself
 * (moved when `fresh`, else copied). Replaces what is there. */
gboolean easel_hub_cache_link (EaselHubSession *session, const char *repo, const char *commit, const char *path,
                               const char *etag, gboolean links, gboolean fresh, GError **error);
/* Complete and of the right size: 2 in the snapshot, 1 as a blob only, 0 not here. */
int easel_hub_cache_has (const char *cache_dir, const char *repo, const char *commit, const EaselHubFile *file);
/* The same content in another repository of the cache or in an import folder, taken over by hard link, reflink or
 * copy; hashed first when it comes from outside. TRUE when the blob is here now. */
gboolean easel_hub_cache_adopt (EaselHubSession *session, const char *repo, const EaselHubFile *file);
/* Bytes free for this user on the drive of `path` or its nearest parent that exists; -1 unknown. */
gint64 easel_hub_disk_free (const char *path);
/* Writes a small file: temporary name, sync, rename. */
gboolean easel_hub_write_file (EaselHubSession *session, const char *path, const char *text, gsize n, GError **error);

/* ---- part.c ------------------------------------------------------------------------------------------------------ */

/* ETAG.easel.incomplete holds the bytes, ETAG.easel.blocks one byte for each block: written or not. The map is
 * advice: holes in the file and a wrong size overrule it, and the hash decides in the end. */
typedef struct
{
  char *path, *map_path;
  int fd, map_fd;
  gint64 size, block;
  guint n_blocks;
  guint8 *done;     /* [n_blocks] */
  gint64 bytes;     /* in done blocks */
  guint frontier;   /* blocks done without a gap from the start */
} EaselPart;

/* Opens or makes the part of a file; the caller holds its lock. Takes over a part that huggingface_hub left. */
EaselPart *easel_part_open (EaselHubSession *session, const char *blob_path, gint64 size, GError **error);
/* The bytes of block i are in the file. FALSE with errno. */
gboolean easel_part_mark (EaselPart *self, guint i);
gint64 easel_part_frontier_bytes (EaselPart *self);
/* Forgets every block (the hash was wrong). */
gboolean easel_part_reset (EaselPart *self);
/* Gives the bytes, which were hashed, their name. FALSE with errno. Close afterwards. */
gboolean easel_part_finish (EaselPart *self, const char *blob_path);
/* Closes; `remove` deletes both files. */
void easel_part_close (EaselPart *self, gboolean remove);
/* How many bytes a part on disk holds; 0 when there is none. */
gint64 easel_part_peek (const char *blob_path, gint64 size, gint64 block);
void easel_part_delete (const char *blob_path);

/* ---- net.c ------------------------------------------------------------------------------------------------------- */

typedef struct
{
  long status;
  char *location, *etag, *linked_etag, *commit, *error_code, *error_message, *next, *content_type, *xet;
  gint64 linked_size, length;             /* -1 unknown */
  gint64 range_from, range_to, range_all; /* of Content-Range; -1 */
  gint64 retry_after;                     /* seconds; -1 */
  gboolean encoded;                       /* a Content-Encoding we did not ask for */
} EaselReply;
void easel_reply_clear (EaselReply *self);

/* Prepares a handle for `url`: timeouts, proxy, certificates, protocols, no redirects by itself, and the token when
 * the origin is the endpoint's. *headers is to be freed after the transfer. Header lines go to `reply`.
 * FALSE: no URL. */
gboolean easel_net_setup (EaselHubSession *session, CURL *easy, const char *url, EaselReply *reply,
                          struct curl_slist **headers);
/* What curl's code means. FALSE always; reason NO_NETWORK, TLS or SERVER. */
gboolean easel_net_fail_curl (EaselHubSession *session, CURLcode code, const char *url, GError **error);
/* What the status and headers of an answer mean, said about `repo` (or NULL). FALSE always. */
gboolean easel_net_fail_reply (EaselHubSession *session, const EaselReply *reply, const char *repo, GError **error);
gboolean easel_net_is_temporary (long status); /* 408, 429, 5xx */
/* Milliseconds to wait before try number `attempt` (from 1), with jitter; retry_after in seconds or -1. */
int easel_net_backoff (const EaselHubSettings *settings, int attempt, gint64 retry_after);
/* FALSE with an error for a redirect that is not to be followed (too many, a downgrade from https, no http at all). */
gboolean easel_net_check_redirect (EaselHubSession *session, const char *from, const char *to, int count,
                                   GError **error);
/* GET (or HEAD) with retries and redirects. The body, at most max_bytes, is in *body (NULL for HEAD). Answers other
 * than 2xx are errors. same_origin: a redirect elsewhere is a captive portal. repo: for sentences. */
gboolean easel_net_get (EaselHubSession *session, const char *url, gboolean head, gboolean same_origin, gsize max_bytes,
                        const char *repo, EaselReply *reply, GByteArray **body, GError **error);

/* ---- listing.c --------------------------------------------------------------------------------------------------- */

EaselHubFile *easel_hub_file_new (const char *path, gint64 size, const char *etag, gboolean lfs);
void easel_hub_file_free (EaselHubFile *file);
/* One page of a tree, added to `files`. Refuses names, sizes, counts and duplicates that no honest repository has. */
gboolean easel_listing_parse_tree (EaselHubSession *session, const char *text, gsize n, GPtrArray *files,
                                   GError **error);
/* After the last page: sorts, refuses a name twice, a file that is a folder too, and sums that overflow. */
gboolean easel_listing_finish (EaselHubSession *session, GPtrArray *files, GError **error);
/* Commit, licence and gating of a revision. */
gboolean easel_listing_info (EaselHubSession *session, const char *repo, const char *revision, char **commit,
                             char **licence, GError **error);
GPtrArray *easel_listing_tree (EaselHubSession *session, const char *repo, const char *commit, GError **error);
/* Saved with the cache: trees/COMMIT.json when everything is here (huggingface_hub takes such a listing as a promise
 * of completeness), trees/COMMIT.easel.json otherwise. NULL when there is none. */
gboolean easel_listing_save (EaselHubSession *session, const char *repo, const char *commit, GPtrArray *files,
                             const char *precision, GError **error);
/* What was chosen when the listing was saved, or NULL. */
char *easel_listing_precision (const char *cache_dir, const char *repo, const char *commit);
GPtrArray *easel_listing_load (const char *cache_dir, const char *repo, const char *commit);

/* ---- select.c ---------------------------------------------------------------------------------------------------- */

/* Marks the wanted files. model_index: text of model_index.json. *pipeline_class is set also when it is unsupported. */
gboolean easel_select_files (EaselHubSession *session, GPtrArray *files, const char *model_index, gsize n,
                             const char *precision, char **pipeline_class, GError **error);

/* ---- plan.c ------------------------------------------------------------------------------------------------------ */

EaselHubPlan *easel_hub_plan_in_session (EaselHubSession *session, const char *repo, const char *revision,
                                         const char *precision, GError **error);
/* A small file's text (at most 1 MiB): from the cache when it is there, else from the Hub, its hash checked. */
gboolean easel_hub_read_small_file (EaselHubSession *session, const EaselHubPlan *plan, const EaselHubFile *file,
                                    char **text, gsize *n, GError **error);
/* Counts again what is here. */
void easel_hub_plan_look (EaselHubPlan *plan, const EaselHubSettings *settings);

/* ---- hasher.c ---------------------------------------------------------------------------------------------------- */

typedef struct EaselHasher EaselHasher;
typedef struct EaselHashJob EaselHashJob;
typedef enum
{
  EASEL_HASH_RUNNING,
  EASEL_HASH_RIGHT, /* and on the drive, when sync was asked for */
  EASEL_HASH_WRONG,
  EASEL_HASH_FAILED, /* reading back failed: errno in *code */
} EaselHashState;

/* One thread; wake is called on it whenever a job ends. block: bytes of the buffers that are handed over. */
EaselHasher *easel_hasher_new (gsize block, void (*wake) (gpointer data), gpointer data);
void easel_hasher_free (EaselHasher *self); /* after every job was ended */
/* Hashes [0, size) of fd as the frontier moves. fd stays the caller's and open until the job is ended. */
EaselHashJob *easel_hasher_add (EaselHasher *self, int fd, gint64 size, const char *etag, gboolean sync);
/* [at, at + n) was written from *bytes, a buffer of `block` bytes on the heap, and [0, frontier) is in the file now.
 * When the buffer is the next to be hashed it is kept and *bytes replaced by an empty one. bytes NULL: only the
 * frontier. */
void easel_hash_job_written (EaselHashJob *self, gint64 at, gsize n, guint8 **bytes, gint64 frontier);
EaselHashState easel_hash_job_state (EaselHashJob *self, gint64 *hashed, int *code);
void easel_hash_job_end (EaselHashJob *self); /* stops it, waits, frees */

/* ---- fetch.c ----------------------------------------------------------------------------------------------------- */

typedef struct
{
  EaselHubSession *session;
  EaselHubPlan *plan;
  /* What the person wants; asked often: FALSE stops the work (paused, cancelled, not first in the queue any more). */
  gboolean (*go_on) (gpointer data);
  /* Called a few times a second. */
  void (*report) (const EaselDownloadProgress *progress, const char *detail, gpointer data);
  void (*multi_ready) (CURLM *multi, gpointer data); /* so that another thread can wake it; NULL at the end */
  gpointer data;
} EaselFetch;

typedef enum
{
  EASEL_FETCH_DONE,
  EASEL_FETCH_STOPPED, /* go_on said no */
  EASEL_FETCH_FAILED,  /* error and session->reason; NO_NETWORK may go on later */
} EaselFetchResult;
EaselFetchResult easel_fetch_run (EaselFetch *self, GError **error);

/* ---- wish.c ------------------------------------------------------------------------------------------------------ */

typedef struct
{
  char *cache_dir, *repo, *revision, *precision;
  gboolean paused;
} EaselWish;
void easel_wish_free (EaselWish *wish);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselWish, easel_wish_free)

/* ---- download.c -------------------------------------------------------------------------------------------------- */

typedef enum
{
  EASEL_WANT_RUN,
  EASEL_WANT_PAUSE,
  EASEL_WANT_CANCEL,
  EASEL_WANT_CANCEL_AND_DELETE,
} EaselDownloadWant;

EaselDownload *easel_download_new (const EaselWish *wish, GMainContext *context, void (*wake) (gpointer hub),
                                   gpointer hub);
void easel_download_detach (EaselDownload *self); /* the hub is going away */
EaselDownloadWant easel_download_get_want (EaselDownload *self);
/* Worker's side. error: taken. */
void easel_download_report (EaselDownload *self, const EaselDownloadProgress *progress, const char *detail);
void easel_download_set_state (EaselDownload *self, EaselDownloadState state, EaselHubReason reason, GError *error,
                               const char *detail, const char *page);
void easel_download_set_snapshot (EaselDownload *self, const char *path);
gint64 easel_download_get_retry_at (EaselDownload *self); /* monotonic microseconds; 0: at once */
void easel_download_set_retry_at (EaselDownload *self, gint64 at);

/* How much of it is on disk, when nothing else is known about it yet. */
void easel_download_set_size (EaselDownload *self, gint64 bytes_done, gint64 bytes_total);

/* Beside a repository that is not complete: what is wanted of it. */
gboolean easel_want_save (EaselHubSession *session, const char *repo, const char *revision, const char *precision,
                          GError **error);
void easel_want_delete (const char *cache_dir, const char *repo);
EaselWish *easel_want_load (const char *cache_dir, const char *repo); /* NULL when there is none; paused is set */
GPtrArray *easel_wants_in (const char *cache_dir);                    /* EaselWish, by name */
/* The queue as text, without what is done or cancelled, and back: EaselWish, without those that cannot be. */
char *easel_queue_text (GPtrArray *downloads);
GPtrArray *easel_queue_load (const char *path);

G_END_DECLS
