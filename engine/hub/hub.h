/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Hugging Face Hub: what a repository holds, what one pipeline needs of it, fetching that, and the cache on disk.
 *
 *   EaselHubSettings   everything that comes from outside; engine/hub reads no environment and no settings of its own
 *   EaselHubPlan       which files, how many bytes, what is already here: shown before the first byte is fetched
 *   EaselHub           the queue of downloads and its one network thread
 *   EaselDownload      one entry of the queue, a GObject to bind to; its states say what is happening, nothing nicer
 *   easel_hub_verify, _repair, _remove, _orphans, _installed: the cache on disk
 *
 * The cache is huggingface_hub's own (models--org--name/{blobs,refs,snapshots}, relative links, .locks), so both
 * programs can use one folder at once. engine/hub/README.md tells the rules.
 *
 * Blocking functions say so; they may be called from any thread but the one that draws, several at once.
 */
#pragma once

#include <gio/gio.h>

#include "engine/core/error.h"

G_BEGIN_DECLS

/* ---- settings ---------------------------------------------------------------------------------------------------- */

#define EASEL_HUB_ENDPOINT "https://huggingface.co"

typedef struct
{
  char *endpoint;     /* EASEL_HUB_ENDPOINT or a mirror; no slash at the end */
  char *cache_dir;    /* huggingface_hub's "hub" folder; made when it is missing */
  char **import_dirs; /* folders with files that may be wanted (found by size, taken by hash); NULL for none */
  char *token;        /* sent to the endpoint's own origin only; NULL for none */
  char *proxy;        /* "http://host:port", "socks5h://..."; NULL or "": none */
  char *no_proxy;     /* hosts that need no proxy, comma separated; NULL */
  char *ca_file;      /* PEM file to trust instead of the system's; NULL */
  gboolean offline;   /* no connection at all */
  gboolean no_links;  /* plain files in snapshots even where links work */
  gboolean no_sync;   /* do not wait for the drive before a file gets its name (benchmarks on memory drives) */
  int connections;    /* at once, 1..16; 4 */
  gint64 rate;        /* bytes a second over all connections; 0: no limit */
  gint64 keep_free;   /* bytes to leave free on the drive; 256 MiB */
  gint64 piece;       /* bytes of one range request when there are several connections; 32 MiB */
  gint64 block;       /* bytes that are fetched again at most after a cut, per connection; 256 KiB. Part of the
                         format of an unfinished file: one written with another block starts over. */
  int connect_ms;     /* 15 s */
  int stall_ms;       /* silence after which a connection counts as dead; 30 s */
  int retries;        /* failures in a row, without a new block, before giving up; 6 */
  int backoff_ms;     /* first wait; doubles up to 30 s, with jitter; 500 */
  int network_wait_ms; /* a download without network tries again after this; 20 s. 0: it fails instead */
  guint max_files;    /* a repository with more is refused; 20,000 */
} EaselHubSettings;

/* Defaults. cache_dir: copied. Free with easel_hub_settings_free. */
EaselHubSettings *easel_hub_settings_new (const char *cache_dir);
EaselHubSettings *easel_hub_settings_copy (const EaselHubSettings *settings);
void easel_hub_settings_free (EaselHubSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselHubSettings, easel_hub_settings_free)

/* Why something did not work, finer than EaselError: the desktop words each of them. */
typedef enum
{
  EASEL_HUB_REASON_NONE,
  EASEL_HUB_REASON_NO_NETWORK,      /* name not found, no route, cut, stalled */
  EASEL_HUB_REASON_OFFLINE,         /* settings.offline */
  EASEL_HUB_REASON_PORTAL,          /* a web page answers instead of the Hub */
  EASEL_HUB_REASON_TLS,             /* certificate not trusted */
  EASEL_HUB_REASON_SERVER,          /* 5xx, nonsense, redirect loops */
  EASEL_HUB_REASON_BUSY,            /* 429 */
  EASEL_HUB_REASON_NO_TOKEN,        /* gated or private, and no token was sent */
  EASEL_HUB_REASON_BAD_TOKEN,       /* the token itself is refused: mistyped, expired, revoked */
  EASEL_HUB_REASON_TOKEN_RIGHT,     /* the token is fine and lacks the right */
  EASEL_HUB_REASON_TERMS,           /* terms not accepted, or not yet granted: open `page` */
  EASEL_HUB_REASON_NO_REPOSITORY,
  EASEL_HUB_REASON_NO_REVISION,
  EASEL_HUB_REASON_NOT_A_PIPELINE,  /* nothing this program runs */
  EASEL_HUB_REASON_HOSTILE,         /* names, sizes or counts that no honest repository has */
  EASEL_HUB_REASON_CHANGED,         /* the server's file is not the one that was listed */
  EASEL_HUB_REASON_WRONG_BYTES,     /* the hash does not match, twice */
  EASEL_HUB_REASON_DISK_FULL,
  EASEL_HUB_REASON_READ_ONLY,       /* the cache cannot be written */
  EASEL_HUB_REASON_DISK,            /* another error of the drive */
  EASEL_HUB_REASON_CANCELLED,
} EaselHubReason;
/* "no-network", "terms", ...: stable, for --json. */
const char *easel_hub_reason_name (EaselHubReason reason);

/* ---- plan -------------------------------------------------------------------------------------------------------- */

typedef struct
{
  char *path;      /* in the repository, checked: relative, no "..", no control characters */
  gint64 size;     /* bytes */
  char *etag;      /* sha256 (64 hex digits) of an LFS file, git blob id (40) of a small one: the name of its blob */
  char *git_id;    /* git blob id: the etag, or of an LFS file its pointer's; NULL when the Hub did not say */
  gboolean lfs;
  char *xet;       /* Xet hash or NULL; fetched through the plain bridge all the same */
  gboolean wanted; /* needed by the pipeline at the chosen precision */
  gint64 here;     /* bytes that are on disk already: size when complete, less when broken off */
} EaselHubFile;

typedef struct
{
  char *repo;           /* "Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers" */
  char *revision;       /* as asked for: "main" */
  char *commit;         /* 40 hex digits that the revision stands for */
  char *precision;      /* as asked for: "auto", "fp32", "bf16", "fp16", a variant's name, or "all" */
  char *pipeline_class; /* "SanaPipeline"; NULL when the whole repository was asked for and it has none */
  char *licence;        /* from the repository's tags, or NULL */
  char *page;           /* web page of the repository */
  GPtrArray *files;     /* EaselHubFile, every file of the repository, sorted by path */
  guint n_wanted;
  gint64 bytes, here, fetch; /* of the wanted files; fetch = bytes - here */
  gint64 repo_bytes;    /* of every file */
  gint64 disk_free;     /* on the cache's drive, -1 unknown */
} EaselHubPlan;

void easel_hub_plan_free (EaselHubPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselHubPlan, easel_hub_plan_free)

/* Lists `repo` at `revision` (NULL: "main") and chooses the files that its pipeline needs at `precision` (NULL:
 * "auto"; "all": the whole repository). Access is checked: a gated repository fails here, before the first byte.
 * Offline, the listing saved with an earlier download is used. Blocking; any thread.
 * reason, page: where to put why it failed and the web page that helps; either may be NULL; *page is to be freed.
 * Fails: NETWORK, ACCESS, NOT_FOUND, UNSUPPORTED (not a pipeline we run), DAMAGED (hostile), IO, CANCELLED. */
EaselHubPlan *easel_hub_plan (const EaselHubSettings *settings, const char *repo, const char *revision,
                              const char *precision, GCancellable *cancellable, EaselHubReason *reason, char **page,
                              GError **error);

/* The licence that comes with a repository, as text to be read before downloading: its LICENSE file, or what the model
 * card says under a heading about it. *name: the file it is from (caller frees). NULL without error when the repository
 * has neither; the page is all there is then. Offline only when the file is here. Blocking; any thread.
 * Fails as easel_hub_plan. */
char *easel_hub_licence_text (const EaselHubSettings *settings, const EaselHubPlan *plan, GCancellable *cancellable,
                              char **name, GError **error);

/* Bytes of the wanted files of the largest component (folder) of a plan. */
gint64 easel_hub_plan_largest (const EaselHubPlan *plan);

/* TRUE for pipeline classes that this program loads. */
gboolean easel_hub_runs_class (const char *pipeline_class);

typedef struct
{
  char *repo;
  char *pipeline_class;
  char *licence;        /* or NULL */
  char *last_modified;  /* ISO 8601 or NULL */
  gboolean gated;
  gint64 downloads, likes; /* -1 unknown */
} EaselHubHit;
void easel_hub_hit_free (EaselHubHit *hit);

/* Repositories on the Hub of the classes we load, most downloaded first; words: NULL or "" for all. Blocking. */
GPtrArray *easel_hub_search (const EaselHubSettings *settings, const char *words, guint limit,
                             GCancellable *cancellable, EaselHubReason *reason, GError **error);

/* ---- downloads --------------------------------------------------------------------------------------------------- */

typedef enum
{
  EASEL_DOWNLOAD_WAITING,     /* its turn has not come, or a try failed and the next is near (`reason`, `detail`) */
  EASEL_DOWNLOAD_PLANNING,    /* asking the Hub what there is and whether we may have it */
  EASEL_DOWNLOAD_DOWNLOADING,
  EASEL_DOWNLOAD_VERIFYING,   /* every byte is here, the hash is still running */
  EASEL_DOWNLOAD_PAUSED,      /* by the person */
  EASEL_DOWNLOAD_NO_NETWORK,  /* goes on by itself when there is a network again */
  EASEL_DOWNLOAD_FAILED,      /* see `error` and `reason`; resume tries again */
  EASEL_DOWNLOAD_CANCELLED,
  EASEL_DOWNLOAD_DONE,
} EaselDownloadState;
const char *easel_download_state_name (EaselDownloadState state);

/* Properties: state, reason, detail (a sentence or NULL), bytes-done, bytes-total, rate (bytes a second), eta (seconds,
 * -1 unknown), repo. They change, and `notify` is emitted, only in the main context in which the hub was made
 * (coalesced, at most ten times a second); the getters below read the newest values from any thread. */
#define EASEL_TYPE_DOWNLOAD (easel_download_get_type ())
G_DECLARE_FINAL_TYPE (EaselDownload, easel_download, EASEL, DOWNLOAD, GObject)

typedef struct
{
  EaselDownloadState state;
  EaselHubReason reason;
  gint64 bytes_done, bytes_total; /* wanted bytes; done counts what was here before */
  gint64 fetched;                 /* bytes that came over the network in this run, wasted ones included */
  gint64 bytes_verified;
  double rate;                    /* bytes a second, smoothed; 0 when nothing moves */
  double eta;                     /* seconds, -1 unknown */
  guint files_done, files_total;
} EaselDownloadProgress;
EaselDownloadProgress easel_download_get_progress (EaselDownload *self);

const char *easel_download_get_cache_dir (EaselDownload *self);
const char *easel_download_get_repo (EaselDownload *self);
const char *easel_download_get_revision (EaselDownload *self);
const char *easel_download_get_precision (EaselDownload *self);
EaselDownloadState easel_download_get_state (EaselDownload *self);
char *easel_download_dup_detail (EaselDownload *self);   /* a sentence about the state, or NULL */
char *easel_download_dup_snapshot (EaselDownload *self); /* the model folder; NULL before it is known */
char *easel_download_dup_page (EaselDownload *self);     /* web page that helps with `reason`, or NULL */
GError *easel_download_dup_error (EaselDownload *self);  /* NULL unless failed, cancelled or without network */

/* Any thread; each takes effect within a quarter of a second. What was fetched stays on disk when paused. */
void easel_download_pause (EaselDownload *self);
void easel_download_resume (EaselDownload *self); /* also tries again after a failure */
/* keep: leave unfinished parts on disk for another time; else they are deleted. */
void easel_download_cancel (EaselDownload *self, gboolean keep);
/* Blocks until done, failed, cancelled, paused or without network, or until `timeout_ms` (-1: for ever) has passed.
 * Not from the main context's thread of a desktop. TRUE when the state is one of those. */
gboolean easel_download_wait (EaselDownload *self, int timeout_ms);

#define EASEL_TYPE_HUB (easel_hub_get_type ())
G_DECLARE_FINAL_TYPE (EaselHub, easel_hub, EASEL, HUB, GObject)

/* Starts no thread before the first download. Settings are copied. Call from the thread whose thread-default main
 * context shall receive notifications. Dropping the last reference stops the thread; unfinished parts stay. */
EaselHub *easel_hub_new (const EaselHubSettings *settings);
/* Takes effect within a quarter of a second: what runs begins again with them, where it was. cache_dir is of downloads
 * that are added from now on. Any thread. */
void easel_hub_set_settings (EaselHub *self, const EaselHubSettings *settings);
/* Adds a download into `cache_dir` (NULL: the settings') to the end of the queue, or returns the one that is there for
 * the same repository, revision and precision (resumed). Returns a new reference. Same thread as easel_hub_new. */
EaselDownload *easel_hub_pull (EaselHub *self, const char *cache_dir, const char *repo, const char *revision,
                               const char *precision);
/* Downloads of earlier runs: the queue of `queue_file` in its old order, paused if they were, else going on; and what
 * was left unfinished in one of `cache_dirs` (NULL-terminated) without being in it, paused. From here on the queue is
 * kept in that file at every change, so that it is there after a crash. Once; same thread as easel_hub_new. */
void easel_hub_restore (EaselHub *self, const char *queue_file, const char *const *cache_dirs);
/* A list of EaselDownload in order, finished ones included, to show; owned by the hub. */
GListModel *easel_hub_get_queue (EaselHub *self);
/* Moves to `position` of the queue; a download that comes first takes the network at once. Same thread. */
void easel_hub_move (EaselHub *self, EaselDownload *download, guint position);
/* Takes a finished, failed or cancelled download off the list. Same thread. */
void easel_hub_forget (EaselHub *self, EaselDownload *download);
/* The network came back (GNetworkMonitor, resume from sleep): those without network try again now. Any thread. */
void easel_hub_network_changed (EaselHub *self);
/* TRUE while anything is being fetched or verified: the desktop inhibits suspend. Any thread. */
gboolean easel_hub_is_busy (EaselHub *self);

/* ---- the cache on disk ------------------------------------------------------------------------------------------- */

typedef struct
{
  char *repo, *commit;
  char **refs;          /* names that stand for this commit ("main"), NULL-terminated */
  char *path;           /* .../snapshots/COMMIT, a model folder when pipeline_class is set */
  char *pipeline_class; /* from model_index.json, or NULL */
  gint64 bytes;         /* of the files it links to */
  gint64 bytes_alone;   /* what removing it would free: not shared with other snapshots or repositories */
  guint files;          /* names, not contents */
  gboolean unfinished;  /* a download of it is on disk, not complete */
} EaselHubSnapshot;
void easel_hub_snapshot_free (EaselHubSnapshot *snapshot);
/* Every snapshot of a model in the cache, sorted by repository. Never fails; blocking (a stat for each file). */
GPtrArray *easel_hub_installed (const char *cache_dir);
/* snapshots/COMMIT of a repository at a revision (branch, tag, commit), or NULL with NOT_FOUND. */
char *easel_hub_snapshot_path (const char *cache_dir, const char *repo, const char *revision, GError **error);

typedef enum
{
  EASEL_HUB_MISSING,    /* listed and wanted, not here */
  EASEL_HUB_BROKEN,     /* a link to nothing, an unreadable file */
  EASEL_HUB_WRONG_SIZE,
  EASEL_HUB_WRONG_HASH, /* right size, wrong bytes: deep check only */
  EASEL_HUB_BAD_HEADER, /* a safetensors header or JSON that cannot be */
} EaselHubFault;
typedef struct
{
  EaselHubFault fault;
  char *path;   /* in the repository */
  char *what;   /* a sentence */
  gint64 bytes; /* to fetch again */
} EaselHubFinding;
void easel_hub_finding_free (EaselHubFinding *finding);
/* done, total: bytes read so far and to read. Called on the caller's thread. */
typedef void (*EaselHubProgressFunc) (gint64 done, gint64 total, const char *path, gpointer user_data);

/* Checks a snapshot. Quick: links, sizes, headers. Deep: the hash of every byte. An empty array: all is well.
 * NOT_FOUND when the snapshot is not there; CANCELLED. Offline. Blocking. */
GPtrArray *easel_hub_verify (const char *cache_dir, const char *repo, const char *revision, gboolean deep,
                             EaselHubProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                             GError **error);
/* Takes what easel_hub_verify found out of the snapshot, so that pulling the same revision fetches exactly that.
 * The caller pulls. Returns how many bytes there will be to fetch, -1 with an error. Blocking. */
gint64 easel_hub_repair (const char *cache_dir, const char *repo, const char *revision, GPtrArray *findings,
                         GError **error);
/* The precision that was asked for when this revision was fetched: what repairing it must ask for again, so that no
 * other weights come too. NULL when another program fetched it. Caller frees. Blocking (one small file). */
char *easel_hub_precision_of (const char *cache_dir, const char *repo, const char *revision);
/* Removes a revision (NULL: the repository with all of them). Blobs that other revisions use stay; blobs that are
 * hard links of another repository's free nothing and are not counted. dry: only count. Refuses (IO) while another
 * program downloads it. Returns bytes freed, -1 with an error. Blocking. */
gint64 easel_hub_remove (const char *cache_dir, const char *repo, const char *revision, gboolean dry, GError **error);

typedef struct
{
  char *path; /* in the cache */
  char *why;  /* "unfinished download", "no snapshot uses it" */
  gint64 bytes;
} EaselHubOrphan;
void easel_hub_orphan_free (EaselHubOrphan *orphan);
/* Files in the cache's model folders that no snapshot uses; what a running program holds a lock on is left out, and the
 * repositories in `keep` (NULL-terminated, or NULL). remove: delete them too. Never fails. Blocking. */
GPtrArray *easel_hub_orphans (const char *cache_dir, const char *const *keep, gboolean remove);

G_END_DECLS
