/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryGrid: the tiles, and which of them are picked: by Ctrl or Shift and a click, by Space, by a long press,
 * or by any click once picking was begun. A click opens otherwise. Tiles can be dragged out as files.
 */
#pragma once

#include <adwaita.h>

#include "ui/gallery/gallery-model.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_GRID (easel_gallery_grid_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryGrid, easel_gallery_grid, EASEL, GALLERY_GRID, AdwBin)

/* Signals: "open" (uint position); "picked-changed" when the picked ones, or whether picking is on, changed; "menu"
 * (GtkWidget *at, double x, double y): a menu is wanted there. */

/* Takes a reference. */
void easel_gallery_grid_set_model (EaselGalleryGrid *self, EaselGalleryModel *model);
gboolean easel_gallery_grid_get_picking (EaselGalleryGrid *self);
/* Off: nothing stays picked. */
void easel_gallery_grid_set_picking (EaselGalleryGrid *self, gboolean picking);
/* Ids, in the order of the list. Caller unrefs. */
GArray *easel_gallery_grid_get_picked (EaselGalleryGrid *self);
guint easel_gallery_grid_count_picked (EaselGalleryGrid *self);
/* The picked ones, or else the one with the focus. Caller unrefs. */
GArray *easel_gallery_grid_get_targets (EaselGalleryGrid *self);
void easel_gallery_grid_pick_all (EaselGalleryGrid *self);
/* Gives the focus to the tile at `position` and scrolls there; G_MAXUINT: to the tile that had it last. */
void easel_gallery_grid_focus (EaselGalleryGrid *self, guint position);
GtkAdjustment *easel_gallery_grid_get_adjustment (EaselGalleryGrid *self);

G_END_DECLS
