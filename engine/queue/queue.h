/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselQueue: what is to be made, in order. A GListModel of EaselQueueItem, kept in an SQLite file so that it survives
 * quitting and a crash: an item leaves the file only when its pictures are in the gallery or the person removed it. One
 * item at a time is with the engine; finished pictures and clips are written into the gallery's folder on a worker
 * thread.
 *
 * The order: the one that is being made, those that wait, those that failed. A failed one stays with its reason until
 * it is tried again or removed. One whose making ended the program twice is not tried a third time by itself.
 *
 * Threads: the main context it was made in, alone.
 */
#pragma once

#include "engine/core/engine.h"
#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

#define EASEL_TYPE_QUEUE_ITEM (easel_queue_item_get_type ())
G_DECLARE_FINAL_TYPE (EaselQueueItem, easel_queue_item, EASEL, QUEUE_ITEM, GObject)

/* Properties: "job" (EaselJob, NULL until it is its turn), "state" (EaselJobState), "saved-id" (int64, 0 until saved),
 * "message" (why it failed, or NULL). Everything returned is borrowed. */
EaselRequest *easel_queue_item_get_request (EaselQueueItem *self);
EaselJob *easel_queue_item_get_job (EaselQueueItem *self);
EaselJobState easel_queue_item_get_state (EaselQueueItem *self);
gint64 easel_queue_item_get_saved_id (EaselQueueItem *self);
const char *easel_queue_item_get_message (EaselQueueItem *self);

#define EASEL_TYPE_QUEUE (easel_queue_get_type ())
G_DECLARE_FINAL_TYPE (EaselQueue, easel_queue, EASEL, QUEUE, GObject)

/* Properties: "paused" (writable), "current" (EaselQueueItem or NULL), "saving" (its file is being written); how new
 * files are written: "format" (ending for pictures, "png"), "clip-format" (for clips, "mp4"), "metadata" (whether the
 * request goes inside); "preview" (whether jobs that start from now on show the picture after every step).
 * Signal "finished" (EaselQueueItem), for better or worse.
 * Reads what an earlier run left; starts with it unless paused. A damaged file is set aside ("….damaged-N") and
 * *damaged (may be NULL) says so. UNSUPPORTED: of a newer Easel. IO. */
EaselQueue *easel_queue_new (const char *database, EaselEngine *engine, EaselGallery *gallery, gboolean *damaged,
                             GError **error);

/* Appends, or puts next when `first`. Durable when it returns TRUE. A request for several pictures becomes one item a
 * picture, with seeds in a row, so that stopping or a crash costs one picture. All or none. */
gboolean easel_queue_add (EaselQueue *self, EaselRequest *request, gboolean first, GError **error);
/* Among those that wait. */
gboolean easel_queue_move (EaselQueue *self, guint from, guint to, GError **error);
/* A running one is stopped first. */
gboolean easel_queue_remove (EaselQueue *self, guint position, GError **error);
/* All but the running one. */
gboolean easel_queue_clear (EaselQueue *self, GError **error);
/* Another request in the same place; not for the running one. A failed one waits again, as the last. */
gboolean easel_queue_replace (EaselQueue *self, guint position, EaselRequest *request, GError **error);
/* Where it is now; G_MAXUINT: nowhere. */
guint easel_queue_find (EaselQueue *self, EaselQueueItem *item);
/* Running and waiting, without those that failed. */
guint easel_queue_n_to_do (EaselQueue *self);
void easel_queue_set_paused (EaselQueue *self, gboolean paused);
gboolean easel_queue_get_paused (EaselQueue *self);
EaselQueueItem *easel_queue_get_current (EaselQueue *self);
/* Stops the running one and takes it out. keep: its picture is finished from the step it is at, and saved. */
void easel_queue_stop_current (EaselQueue *self, gboolean keep);

G_END_DECLS
