/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How long the main loop is away from its sources: the time between two polls is the time in which nothing is drawn and
 * nobody is heard. For measuring (./dev bench --desktop), not for people.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* From now on, on the default main context; writes a line of JSON to `path` at every SIGUSR1 and begins anew:
 * {"iterations": n, "over_16_ms": n, "longest_ms": x, "seconds": x}. Once. */
void stall_meter_start (const char *path);
/* Another line there: {"name": value}. */
void stall_meter_say (const char *path, const char *name, double value);

G_END_DECLS
