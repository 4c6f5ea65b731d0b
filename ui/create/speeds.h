/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What this machine has shown it can do: learnt from finished jobs, kept in the settings, used to say how long the next
 * one will take. Main thread.
 */
#pragma once

#include "engine/core/engine.h"

G_BEGIN_DECLS

/* A finished job with its plan. bytes: of its file, 0 unknown; format: its ending. */
void easel_speeds_learn (GSettings *settings, const char *device, EaselJob *job, const EaselPlan *plan, gint64 bytes,
                         const char *format);
/* Seconds that one picture of this plan will take once its model is loaded; < 0: nothing is known yet. */
double easel_speeds_seconds (GSettings *settings, const char *device, const EaselRequestSettings *s,
                             const EaselPlan *plan);
/* Bytes of the file; always something. */
double easel_speeds_bytes (GSettings *settings, const EaselPlan *plan, const char *format);

G_END_DECLS
