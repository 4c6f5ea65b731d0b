/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Inside the room: what the queue changes in an item. The queue's context alone.
 */
#pragma once

#include "engine/queue/queue.h"

G_BEGIN_DECLS

struct _EaselQueueItem
{
  GObject parent;
  gint64 id; /* of the row */
  EaselRequest *request;
  EaselJob *job;
  EaselJobState state;
  gint64 saved_id;
  char *message;
};

EaselQueueItem *easel_queue_item_new (gint64 id, EaselRequest *request);
void easel_queue_item_set_state (EaselQueueItem *self, EaselJobState state);
void easel_queue_item_set_job (EaselQueueItem *self, EaselJob *job);
void easel_queue_item_set_message (EaselQueueItem *self, const char *message);
void easel_queue_item_set_saved_id (EaselQueueItem *self, gint64 id);

G_END_DECLS
