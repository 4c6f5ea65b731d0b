/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryModel: a query as a list. Holds ids (8 bytes a row); items are made when asked for and live as long as
 * somebody shows them, so 100,000 rows cost less than a megabyte. Thumbnails load on worker threads; the last
 * few hundred textures are kept. Main thread only.
 */
#pragma once

#include <gdk/gdk.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_OBJECT (easel_gallery_object_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryObject, easel_gallery_object, EASEL, GALLERY_OBJECT, GObject)

/* Properties: "texture" (GdkTexture, NULL until loaded), "stars". */
gint64 easel_gallery_object_get_id (EaselGalleryObject *self);
/* Borrowed; NULL when the row is gone. */
const EaselGalleryItem *easel_gallery_object_get_item (EaselGalleryObject *self);
/* Starts loading the thumbnail; "texture" changes when it is there. */
void easel_gallery_object_want_texture (EaselGalleryObject *self);

#define EASEL_TYPE_GALLERY_MODEL (easel_gallery_model_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryModel, easel_gallery_model, EASEL, GALLERY_MODEL, GObject)

EaselGalleryModel *easel_gallery_model_new (EaselGallery *gallery);
/* Another query; copied. The list changes only where it differs. */
void easel_gallery_model_set_query (EaselGalleryModel *self, const EaselGalleryQuery *query);
/* Position of an id, G_MAXUINT when it is not in the list. */
guint easel_gallery_model_find (EaselGalleryModel *self, gint64 id);

G_END_DECLS
