/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselQueue: what is to be made, in order. A GListModel of EaselQueueItem, kept in an SQLite file so that it survives
 * quitting and a crash: an item leaves the file only when its pictures are in the gallery or the person removed it. One
 * item at a time is with the engine; finished pictures are written into the gallery's folder on a worker thread.
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
 * "message" (why it failed, or NULL). */
EaselRequest *easel_queue_item_get_request (EaselQueueItem *self);
EaselJob *easel_queue_item_get_job (EaselQueueItem *self);
EaselJobState easel_queue_item_get_state (EaselQueueItem *self);
gint64 easel_queue_item_get_saved_id (EaselQueueItem *self);
const char *easel_queue_item_get_message (EaselQueueItem *self);

#define EASEL_TYPE_QUEUE (easel_queue_get_type ())
G_DECLARE_FINAL_TYPE (EaselQueue, easel_queue, EASEL, QUEUE, GObject)

/* Properties: "paused" (writable), "current" (EaselQueueItem or NULL), "format" (ending of new files, "png"), "preview"
 * (whether jobs that start from now on show the picture after every step). Signal "finished" (EaselQueueItem).
 * Reads what an earlier run left; starts with it unless paused. */
EaselQueue *easel_queue_new (const char *database, EaselEngine *engine, EaselGallery *gallery, GError **error);

/* Appends, or puts next when `first`. Durable when it returns TRUE. A request for several pictures becomes one item a
 * picture, with seeds in a row, so that stopping or a crash costs one picture. */
gboolean easel_queue_add (EaselQueue *self, EaselRequest *request, gboolean first, GError **error);
gboolean easel_queue_move (EaselQueue *self, guint from, guint to, GError **error);
/* A running one is stopped first. */
gboolean easel_queue_remove (EaselQueue *self, guint position, GError **error);
/* Another request in the same place; not for the running one. */
gboolean easel_queue_replace (EaselQueue *self, guint position, EaselRequest *request, GError **error);
void easel_queue_set_paused (EaselQueue *self, gboolean paused);
gboolean easel_queue_get_paused (EaselQueue *self);
EaselQueueItem *easel_queue_get_current (EaselQueue *self);
/* Stops the running one and takes it out. */
void easel_queue_stop_current (EaselQueue *self);

G_END_DECLS
