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

G_END_DECLS
