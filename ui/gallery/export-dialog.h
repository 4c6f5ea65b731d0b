/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Asks in which format, with or without the settings inside, and where; then exports on a worker. What was chosen is
 * remembered.
 */
#pragma once

#include <gtk/gtk.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

/* items: EaselGalleryItem, at least one; a reference is taken. */
void easel_export_dialog_present (GtkWindow *parent, GPtrArray *items);

G_END_DECLS
