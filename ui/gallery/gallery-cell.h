/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryCell: one tile of the grid: the picture, its stars, whether it is a clip, whether it is picked. Draws
 * itself and has no children, so that a screenful of them is cheap to lay out while scrolling.
 */
#pragma once

#include <gtk/gtk.h>

#include "ui/gallery/gallery-model.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_CELL (easel_gallery_cell_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryCell, easel_gallery_cell, EASEL, GALLERY_CELL, GtkWidget)

EaselGalleryCell *easel_gallery_cell_new (void);
/* What it shows from now on; NULL: nothing. */
void easel_gallery_cell_set_object (EaselGalleryCell *self, EaselGalleryObject *object);
EaselGalleryObject *easel_gallery_cell_get_object (EaselGalleryCell *self);
/* Draws the mark of a picked item, or the empty circle that invites to pick it. */
void easel_gallery_cell_set_picked (EaselGalleryCell *self, gboolean picking, gboolean picked);

/* The words a person would call an item by: its prompt, or the name of its file. Caller frees. */
char *easel_gallery_item_words (const EaselGalleryItem *item);

G_END_DECLS
