/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryDetail: one picture large, with everything that made it; stars, tags, make again, trash with undo.
 * Signals: "back"; "step" (int: -1 the one before, 1 the one after, 0 this one is gone).
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_DETAIL (easel_gallery_detail_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryDetail, easel_gallery_detail, EASEL, GALLERY_DETAIL, AdwBin)

void easel_gallery_detail_show (EaselGalleryDetail *self, gint64 id);

G_END_DECLS
