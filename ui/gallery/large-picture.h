/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whole pictures for the screen, read on a worker by the engine's reader, which trusts no file.
 */
#pragma once

#include <gdk/gdk.h>

#include "engine/core/picture.h"

G_BEGIN_DECLS

/* Pixels in the form the renderer uses; any thread. NULL with NO_MEMORY. */
GdkTexture *easel_large_picture_to_texture (const EaselPicture *picture, GError **error);

/* The picture of a file, or the first frame of a clip. */
void easel_large_picture_load (const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data);
GdkTexture *easel_large_picture_load_finish (GAsyncResult *result, GError **error);

/* Both pictures and what is different between them: |a - b|, brighter. `second` is scaled to the first one's size. */
typedef struct
{
  GdkTexture *first, *second, *difference; /* owned */
  double mean;    /* of |a - b|, 0..255 */
  double part;    /* of the pixels that differ, 0..1 */
} EaselPicturePair;
void easel_picture_pair_free (EaselPicturePair *pair);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselPicturePair, easel_picture_pair_free)

void easel_picture_pair_load (const char *first, const char *second, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data);
EaselPicturePair *easel_picture_pair_load_finish (GAsyncResult *result, GError **error);

G_END_DECLS
