/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryDetail: one picture or clip large, with everything that is known about it beside it.
 */
#pragma once

#include <adwaita.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_DETAIL (easel_gallery_detail_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryDetail, easel_gallery_detail, EASEL, GALLERY_DETAIL, AdwBin)

/* Signals: "back"; "step" (int: -1 before, 1 after, 0: the one shown is gone). */

/* Reads the item and its picture on workers. */
void easel_gallery_detail_show (EaselGalleryDetail *self, gint64 id);
/* The gallery changed: the row is read again, and the picture where the file is another. */
void easel_gallery_detail_refresh (EaselGalleryDetail *self);
/* Lets go of the picture; for when the page is left. */
void easel_gallery_detail_clear (EaselGalleryDetail *self);
/* Whether there is one before and after this. */
void easel_gallery_detail_set_ends (EaselGalleryDetail *self, gboolean first, gboolean last);

G_END_DECLS
