/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How far a picture or clip is from another one that it should be.
 */
#pragma once

#include "engine/core/picture.h"

G_BEGIN_DECLS

typedef struct
{
  double psnr; /* dB over all values; 100 when they are the same */
  double ssim; /* of luma, mean over windows and frames; 1 when they are the same */
} EaselLikeness;

/* BAD_REQUEST when size or number of frames differ. Any thread. */
gboolean easel_picture_compare (const EaselPicture *a, const EaselPicture *b, EaselLikeness *out, GError **error);

G_END_DECLS
