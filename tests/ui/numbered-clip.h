/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A clip whose frames say their number, so that a test sees which one is on screen after any codec.
 */
#pragma once

#include <gdk/gdk.h>

#include "engine/core/picture.h"

/* n frames (at most 256) of 320 × 240: eight squares with the number's bits above a ball that moves. */
EaselPicture *numbered_clip_new (int n, double fps);
/* The number that a picture of such a frame says. */
int numbered_clip_read (GdkTexture *texture);
