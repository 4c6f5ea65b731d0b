/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselStage: the picture that is being made, or the last one. Binds to the queue's current item: preview after every
 * step, phase, steps, time left, Stop. Nothing here polls.
 * Signal "example" (string): a prompt of the empty stage was pressed.
 */
#pragma once

#include <adwaita.h>

#include "engine/queue/queue.h"

G_BEGIN_DECLS

#define EASEL_TYPE_STAGE (easel_stage_get_type ())
G_DECLARE_FINAL_TYPE (EaselStage, easel_stage, EASEL, STAGE, AdwBin)

/* Once; borrowed by reference. */
void easel_stage_set_queue (EaselStage *self, EaselQueue *queue);
/* Stops what is being made and says so at once. */
/* keep: no more steps, and the picture as it is then. */
void easel_stage_stop (EaselStage *self, gboolean keep);

G_END_DECLS
