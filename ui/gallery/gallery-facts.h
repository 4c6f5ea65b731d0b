/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselGalleryFacts: everything there is to know about an item: stars and tags to change, and each setting it was made
 * with, to be copied as words or taken over into Create one by one.
 */
#pragma once

#include <adwaita.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

#define EASEL_TYPE_GALLERY_FACTS (easel_gallery_facts_get_type ())
G_DECLARE_FINAL_TYPE (EaselGalleryFacts, easel_gallery_facts, EASEL, GALLERY_FACTS, AdwBin)

/* item and request (NULL: it carries none) are borrowed until the next call. */
void easel_gallery_facts_show (EaselGalleryFacts *self, const EaselGalleryItem *item, EaselRequest *request);

G_END_DECLS
