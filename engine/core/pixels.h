/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pixels on the host between what a person has or wants and what a model takes or gives. Reference: diffusers'
 * PixArtImageProcessor.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Enlarges or shrinks (bilinear, torch's rule with align_corners off and no antialiasing) until both sides cover the
 * new size, then cuts out the middle. in [height, width, channels] f32, out [new_height, new_width, channels] f32, both
 * on the host, the caller's; equal sizes are copied. Any thread. */
void easel_pixels_cover (const float *in, int width, int height, int channels, float *out, int new_width,
                         int new_height);

/* Enlarges or shrinks in the same way until both sides fit, in the middle of bars of -1 (black). */
void easel_pixels_fit (const float *in, int width, int height, int channels, float *out, int new_width,
                       int new_height);

/* [-1, 1] f32 to u8: (x / 2 + 0.5) clamped, times 255, rounded to even as numpy does. FALSE when a value is not a
 * finite number; out is then undefined. */
gboolean easel_pixels_to_u8 (const float *in, gsize n, guint8 *out);

G_END_DECLS
