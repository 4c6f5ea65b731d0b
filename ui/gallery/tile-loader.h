/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselTileLoader: thumbnails for the grid, ready to be drawn. A tile is square, filled by the middle of the picture,
 * with its round corners and in the form the renderer uses, so that drawing one while scrolling is one copy. Two worker
 * threads, what was asked for last first: that is what is on the screen.
 *
 * Threads: the main one; the callback comes there too.
 */
#pragma once

#include <gdk/gdk.h>

G_BEGIN_DECLS

typedef struct EaselTileLoader EaselTileLoader;
typedef struct EaselTileWish EaselTileWish;

/* texture: NULL when the file cannot be shown, `damaged` then says whether it is the file's fault. Borrowed. */
typedef void (*EaselTileReady) (GdkTexture *texture, gboolean damaged, gpointer user_data);

/* side, radius: pixels of the display. */
EaselTileLoader *easel_tile_loader_new (int side, int radius);
/* Waits for what is being read; wishes that are left are dropped. */
void easel_tile_loader_free (EaselTileLoader *self);

/* The wish lives until its answer came or it was withdrawn: then `ready` is not called any more. */
EaselTileWish *easel_tile_loader_want (EaselTileLoader *self, const char *path, EaselTileReady ready,
                                       gpointer user_data);
void easel_tile_wish_withdraw (EaselTileWish *wish);

G_END_DECLS
