/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryFilters: the controls that narrow the gallery down, for a popover, and what they say as a query.
 */
#pragma once

#include <adwaita.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_FILTERS (easel_gallery_filters_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryFilters, easel_gallery_filters, EASEL, GALLERY_FILTERS, AdwBin)

/* Signal "changed". */

/* Reads which models and tags there are, on a worker; before it is shown. */
void easel_gallery_filters_refresh (EaselGalleryFilters *self);
/* Sets all but text and order; strings are borrowed until the next change. */
void easel_gallery_filters_apply (EaselGalleryFilters *self, EaselGalleryQuery *query);
/* How many controls narrow the gallery down. */
guint easel_gallery_filters_count (EaselGalleryFilters *self);
gboolean easel_gallery_filters_is_trash (EaselGalleryFilters *self);
void easel_gallery_filters_clear (EaselGalleryFilters *self);
/* Nothing but the files that cannot be read. */
void easel_gallery_filters_show_unreadable (EaselGalleryFilters *self);
/* What they say, for people: "Clips · ★★★ · past week". Caller frees. */
char *easel_gallery_filters_words (EaselGalleryFilters *self);

G_END_DECLS
