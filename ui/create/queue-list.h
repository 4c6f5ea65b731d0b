/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselQueueList: what waits, as rows that can be moved (buttons, Alt+Up/Down, dragging), edited and removed; pause.
 */
#pragma once

#include <adwaita.h>

#include "engine/queue/queue.h"

G_BEGIN_DECLS

#define EASEL_TYPE_QUEUE_LIST (easel_queue_list_get_type ())
G_DECLARE_FINAL_TYPE (EaselQueueList, easel_queue_list, EASEL, QUEUE_LIST, AdwBin)

/* Once; borrowed by reference. */
void easel_queue_list_set_queue (EaselQueueList *self, EaselQueue *queue);

G_END_DECLS
