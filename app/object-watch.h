/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether closed windows give everything back: for tests. Main thread.
 */
#pragma once

#include <gtk/gtk.h>

/* From now on remembers, when a window of `application` is asked to close, it and every widget of ours in it. */
void object_watch_start (GtkApplication *application);

/* Writes to `path` a line "finalised N" and a line "alive TYPE" for each that was not. Call when the application is
 * gone. */
void object_watch_say (const char *path);
