/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselQueueList: what is being made, waits, or failed; with the ways to reorder (buttons, Alt with the arrows,
 * dragging), change, try again and remove. Shown only when there is more than what is being made.
 * Signal "edit" (EaselQueueItem).
 */
#pragma once

#include <adwaita.h>

#include "engine/queue/queue.h"

G_BEGIN_DECLS

#define EASEL_TYPE_QUEUE_LIST (easel_queue_list_get_type ())
G_DECLARE_FINAL_TYPE (EaselQueueList, easel_queue_list, EASEL, QUEUE_LIST, AdwBin)

/* Once. */
void easel_queue_list_set_queue (EaselQueueList *self, EaselQueue *queue);

G_END_DECLS
