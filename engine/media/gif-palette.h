/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * 256 colours for a whole clip (private to this room).
 */
#pragma once

#include "engine/core/picture.h"

G_BEGIN_DECLS

typedef struct
{
  guint8 rgb[256][3];
  guint8 *nearest; /* [32768], of 5 bits a channel; owned */
} EaselGifPalette;

/* Median cut over all frames: the box with the most pixels times its longest side is cut at its median, 255 times. */
gboolean easel_gif_palette_init (EaselGifPalette *self, const EaselPicture *clip, GError **error);
void easel_gif_palette_clear (EaselGifPalette *self);

/* Indices [height, width] of a frame. Dithered by a fixed pattern, so that what stands still does not flicker. */
void easel_gif_palette_map (const EaselGifPalette *self, const EaselPicture *clip, int frame, guint8 *indices);

G_END_DECLS
