/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselStarBox: five stars to press. The one that is set already takes them all away.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define EASEL_TYPE_STAR_BOX (easel_star_box_get_type ())
G_DECLARE_FINAL_TYPE (EaselStarBox, easel_star_box, EASEL, STAR_BOX, GtkBox)

/* Signal "picked" (int stars) when a person pressed one. */
void easel_star_box_set_stars (EaselStarBox *self, int stars);
int easel_star_box_get_stars (EaselStarBox *self);

G_END_DECLS
