/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sizes a Sana model was trained on, and the way back from them to the size a person asked for. Reference: diffusers
 * PixArtImageProcessor and the ASPECT_RATIO_*_BIN tables of SanaPipeline.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The trained size whose ratio of height to width is nearest. sample_size: the transformer's, 16, 32, 64 or 128 (512,
 * 1024, 2048, 4096 pixels). FALSE when there is no table for it. Pure; any thread. */
gboolean easel_sana_nearest_size (int sample_size, int width, int height, int *out_width, int *out_height);

/* The i-th trained size, by growing height; FALSE after the last, or when there is no table. Pure; any thread. */
gboolean easel_sana_trained_size (int sample_size, int i, int *out_width, int *out_height);

/* Enlarges or shrinks (bilinear, torch's rule with align_corners off and no antialiasing) until both sides cover the
 * new size, then cuts out the middle. in [height, width, channels] f32, out [new_height, new_width, channels] f32, both
 * on the host, the caller's; equal sizes are copied. Any thread. */
void easel_sana_resize_and_crop (const float *in, int width, int height, int channels, float *out, int new_width,
                                 int new_height);

/* [-1, 1] f32 to u8: (x / 2 + 0.5) clamped, times 255, rounded to even as numpy does. FALSE when a value is not a
 * finite number; out is then undefined. */
gboolean easel_sana_to_u8 (const float *in, gsize n, guint8 *out);

G_END_DECLS
