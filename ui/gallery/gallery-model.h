/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryModel: a query as a list. Holds ids (8 bytes a row); items are made when asked for and live as long as
 * somebody shows them, so 100,000 rows cost less than a megabyte. Queries, rows and thumbnails are read on worker
 * threads; the last few hundred tiles are kept. Main thread only; never waits for the disk.
 */
#pragma once

#include <gdk/gdk.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

/* The side of a tile in the grid, in pixels. */
#define EASEL_GALLERY_TILE 168

#define EASEL_TYPE_GALLERY_OBJECT (easel_gallery_object_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryObject, easel_gallery_object, EASEL, GALLERY_OBJECT, GObject)

/* Signal "changed" (gboolean row): the row is there, or another; FALSE: the tile. */
gint64 easel_gallery_object_get_id (EaselGalleryObject *self);
/* Borrowed until the next "changed"; NULL until it is read, or when the row is gone. */
const EaselGalleryItem *easel_gallery_object_get_item (EaselGalleryObject *self);
/* Borrowed; NULL until it is loaded. */
GdkTexture *easel_gallery_object_get_tile (EaselGalleryObject *self);
/* The file cannot be shown. */
gboolean easel_gallery_object_is_damaged (EaselGalleryObject *self);
/* A cell shows it from now on: its row and tile are read. In pairs. */
void easel_gallery_object_show (EaselGalleryObject *self);
void easel_gallery_object_hide (EaselGalleryObject *self);

#define EASEL_TYPE_GALLERY_MODEL (easel_gallery_model_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryModel, easel_gallery_model, EASEL, GALLERY_MODEL, GObject)

/* scale: pixels of the display to one of GTK's. Signals: "loaded" (const char *problem) each time a query has been
 * answered; problem is NULL or the sentence why it could not, the list is as it was then. */
EaselGalleryModel *easel_gallery_model_new (EaselGallery *gallery, int scale);
/* Another query; copied. The list changes when it is answered, and only where it differs. */
void easel_gallery_model_set_query (EaselGalleryModel *self, const EaselGalleryQuery *query);
/* Whether the list is the answer to the last query. */
gboolean easel_gallery_model_is_settled (EaselGalleryModel *self);
/* Position of an id, G_MAXUINT when it is not in the list. */
guint easel_gallery_model_find (EaselGalleryModel *self, gint64 id);
/* 0 beyond the end. */
gint64 easel_gallery_model_get_id (EaselGalleryModel *self, guint position);

G_END_DECLS
