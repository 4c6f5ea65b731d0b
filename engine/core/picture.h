/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselPicture: finished pixels on the host. 8 bits, RGB, rows top to bottom, no padding between rows; clips have
 * n_frames > 1. Immutable once shared, reference-counted.
 */
#pragma once

#include <glib-object.h>

#include "engine/core/request.h"

G_BEGIN_DECLS

typedef struct
{
  int width, height, n_frames;
  double fps;            /* clips */
  guint8 *rgb;           /* [n_frames, height, width, 3] */
  EaselRequest *request; /* resolved: seed and all defaults filled, count 1; owned; may be NULL (previews) */
  gatomicrefcount refs;
} EaselPicture;

#define EASEL_TYPE_PICTURE (easel_picture_get_type ())
GType easel_picture_get_type (void);

#define EASEL_PICTURE_MAX_SIDE 65535
#define EASEL_PICTURE_MAX_FRAMES 100000

/* Pixels uninitialised. NULL with NO_MEMORY, or BAD_REQUEST when a side or the number of frames is out of range. */
EaselPicture *easel_picture_new (int width, int height, int n_frames, GError **error);
EaselPicture *easel_picture_ref (EaselPicture *self);
void easel_picture_unref (EaselPicture *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselPicture, easel_picture_unref)

G_END_DECLS
