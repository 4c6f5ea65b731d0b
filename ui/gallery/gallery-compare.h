/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryCompare: two pictures side by side, one over the other with a divider, or what is different between them;
 * and which settings are.
 */
#pragma once

#include <adwaita.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_COMPARE (easel_gallery_compare_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryCompare, easel_gallery_compare, EASEL, GALLERY_COMPARE, AdwBin)

/* Signal "back". */
/* Copies what it needs. */
void easel_gallery_compare_show (EaselGalleryCompare *self, const EaselGalleryItem *first,
                                 const EaselGalleryItem *second);
void easel_gallery_compare_clear (EaselGalleryCompare *self);

G_END_DECLS
