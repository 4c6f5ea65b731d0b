/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The way back to a control's default, one click away: a small button that is there only when the control says
 * something else.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* of: what goes back, as the control is titled ("Steps"). Floating, hidden until needed. */
GtkWidget *easel_reset_button_new (const char *of);
/* Turns a button of a template into one; it keeps its place, so that nothing beside it jumps. */
void easel_reset_button_setup (GtkButton *button, const char *of);
void easel_reset_button_set_needed (GtkWidget *button, gboolean needed);

G_END_DECLS
