/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselPreflight: the line under Generate that says what it will do before it does it: time (learnt from this machine),
 * memory, disk, device, and the plan where it is not the plain one.
 */
#pragma once

#include <adwaita.h>

#include "engine/core/job.h"

G_BEGIN_DECLS

#define EASEL_TYPE_PREFLIGHT (easel_preflight_get_type ())
G_DECLARE_FINAL_TYPE (EaselPreflight, easel_preflight, EASEL, PREFLIGHT, AdwBin)

/* Plans on a worker thread and says what came out, unless something else is asked before. */
void easel_preflight_ask (EaselPreflight *self, EaselRequest *request);
/* A sentence instead. */
void easel_preflight_say (EaselPreflight *self, const char *sentence);
/* After a job was finished: remembers how fast this machine was. bytes: of its file. */
void easel_preflight_learn (EaselPreflight *self, EaselJob *job, gint64 bytes);

G_END_DECLS
