/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two halves of fetching: fetch.c (files: what is missing, locks, hashes, names) and lane.c (connections).
 *
 * Invariants:
 *   - a block is `done` only after all its bytes are in the file; bytes of a done block are never written again,
 *     so what the hasher has read stays what it read;
 *   - a block is `taken` while a lane is fetching it; no two lanes share one;
 *   - a file gets its name only after its hash matched.
 */
#pragma once

#include "engine/hub/hub-private.h"

typedef enum
{
  ITEM_WAITING, /* not opened: not its turn, or another program holds its lock */
  ITEM_OPEN,    /* locked, part open, blocks missing or hash running */
  ITEM_DONE,    /* has its name as a blob, and its links but model_index.json's */
} ItemState;

typedef struct
{
  EaselHubFile *file;   /* borrowed from the plan */
  GPtrArray *paths;     /* borrowed names with this content */
  ItemState state;
  int lock;
  gboolean held_elsewhere;
  EaselPart *part;
  guint8 *taken;        /* [part->n_blocks] */
  EaselHashJob *job;
  char *location;       /* where the bytes are, once the Hub said so; NULL: ask */
  gboolean confirmed;   /* a lane got bytes from there; until then one lane at a time */
  gboolean no_ranges;   /* the server sends whole files only: one lane, from the start */
  gboolean inherited;   /* some bytes are from an earlier run */
  guint lanes, wrong, failures;
  gint64 retry_at;
} Item;

typedef struct Lane Lane;

typedef struct
{
  EaselFetch *job;
  EaselHubSession *session;
  EaselHubPlan *plan;
  CURLM *multi;
  EaselHasher *hasher;
  GPtrArray *items;     /* Item */
  guint first;          /* items before it are done */
  GPtrArray *lanes;     /* Lane, one for each connection */
  guint busy;           /* lanes that are fetching */
  gboolean links;
  GError *trouble;      /* of the last failed try, for the sentence when tries run out */
  EaselHubReason trouble_reason;
  GError **error;
  gboolean failed;      /* stop: error is set */
  gint64 fetched;       /* over the network in this run */
  gint64 clock_gap;     /* boot time - monotonic time: grows while the machine sleeps */
  gint64 last_report, last_space, rate_at, rate_bytes;
  double rate;
  double allowance;     /* bytes that the bandwidth limit lets through now; below 0 after a large bite */
  gint64 allowed_at;    /* when it was last filled up */
} Fetcher;

/* lane.c */
Lane *lane_new (gsize block);
void lane_free (Lane *self, Fetcher *f);
gboolean lane_is_free (const Lane *self);
/* Fetches blocks [from, to) of an open item. */
void lane_start (Lane *self, Fetcher *f, Item *item, guint from, guint to);
/* curl is done with it. */
void lane_finish (Lane *self, Fetcher *f, CURLcode code);
/* Gives up what it is doing; its blocks are free again. */
void lane_stop (Lane *self, Fetcher *f);
/* TRUE when the server has been silent for too long. */
gboolean lane_is_stalled (const Lane *self, Fetcher *f, gint64 now);
/* Takes bytes again when the bandwidth limit had held it. */
void lane_go_on (Lane *self);

/* fetch.c: a try failed; trouble and reason are in f->trouble. Schedules the next one, or fails the run. */
void fetcher_try_again (Fetcher *f, Item *item, gint64 retry_after);
/* Bytes that came, against the bandwidth limit. FALSE: not now; lane_go_on() is called when they may be taken. */
gboolean fetcher_may_take (Fetcher *f, gsize bytes);
/* A failure that no second try will mend. The error is in f->error already. */
void fetcher_give_up (Fetcher *f);
