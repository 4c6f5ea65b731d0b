/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryPage: what was made, as a grid; search and filters above it; what can be done with those that are picked
 * below it; one picture large with all its settings; two compared.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_PAGE (easel_gallery_page_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryPage, easel_gallery_page, EASEL, GALLERY_PAGE, AdwBin)

/* Shows the item large. */
void easel_gallery_page_show_item (EaselGalleryPage *self, gint64 id);
void easel_gallery_page_start_search (EaselGalleryPage *self);
/* Shows what these words find, without filters. */
void easel_gallery_page_search (EaselGalleryPage *self, const char *words);

G_END_DECLS
