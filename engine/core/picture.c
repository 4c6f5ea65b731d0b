/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/picture.h"

G_DEFINE_BOXED_TYPE (EaselPicture, easel_picture, easel_picture_ref, easel_picture_unref)

EaselPicture *
easel_picture_new (int width, int height, int n_frames, GError **error)
{
  if (width < 1 || height < 1 || n_frames < 1 || width > EASEL_PICTURE_MAX_SIDE || height > EASEL_PICTURE_MAX_SIDE
      || n_frames > EASEL_PICTURE_MAX_FRAMES)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "A picture of %d × %d pixels and %d frames is not possible: sides go from 1 to %d, frames to %d.",
                   width, height, n_frames, EASEL_PICTURE_MAX_SIDE, EASEL_PICTURE_MAX_FRAMES);
      return NULL;
    }
  /* At most 65535^2 * 100000 * 3 < 2^51: no overflow. */
  guint64 bytes = (guint64) width * (guint64) height * (guint64) n_frames * 3;
  guint8 *rgb = bytes <= G_MAXSIZE / 2 ? g_try_malloc ((gsize) bytes) : NULL;
  if (!rgb)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY,
                   "No memory for a picture of %d × %d pixels and %d frames (%" G_GUINT64_FORMAT
                   " bytes). Choose a smaller size.",
                   width, height, n_frames, bytes);
      return NULL;
    }
  EaselPicture *self = g_new0 (EaselPicture, 1);
  self->width = width;
  self->height = height;
  self->n_frames = n_frames;
  self->rgb = rgb;
  g_atomic_ref_count_init (&self->refs);
  return self;
}

EaselPicture *
easel_picture_ref (EaselPicture *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
easel_picture_unref (EaselPicture *self)
{
  if (!self || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->request, easel_request_unref);
  g_free (self->rgb);
  g_free (self);
}
