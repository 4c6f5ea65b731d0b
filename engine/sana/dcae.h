/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * AutoencoderDC (DC-AE): pictures to latents and back, 32 times smaller on a side for Sana (the factor is read from the
 * configuration). ResBlock and EfficientViTBlock (multi-scale linear attention), Conv/pixel_unshuffle down,
 * interpolate/pixel_shuffle up, channel-averaging and -repeating shortcuts. Reference: diffusers
 * models/autoencoders/autoencoder_dc.py; "Deep Compression Autoencoder" (arXiv 2410.10733).
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/weights.h"
#include "kernels/ops.h"

G_BEGIN_DECLS

typedef struct EaselDcae EaselDcae;

/* Takes the weights. */
EaselDcae *easel_dcae_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error);
void easel_dcae_free (EaselDcae *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselDcae, easel_dcae_free)

double easel_dcae_scaling_factor (EaselDcae *self);
int easel_dcae_latent_channels (EaselDcae *self);
int easel_dcae_factor (EaselDcae *self); /* pixels of picture for one of latent, on a side */

/* Tiling as AutoencoderDC.enable_tiling: sample pixels; zero tile: whole. Overlap blended linearly. */
typedef struct
{
  int tile_height, tile_width, stride_height, stride_width;
} EaselDcaeTiling;

guint64 easel_dcae_weights_bytes (EaselDcae *self);

/* z: [batch, h, w, latent] f32 or act, already divided by the scaling factor. out: [batch, h f, w f, 3] f32, the
 * caller's, roughly in [-1, 1]. tiling may be NULL. job (may be NULL) is checked between tiles and blocks. */
gboolean easel_dcae_decode (EaselDcae *self, EaselStream *stream, EaselTensor z, const EaselDcaeTiling *tiling,
                            EaselTensor out, EaselJob *job, GError **error);
/* image: [batch, H, W, 3] f32 in [-1, 1], sides multiples of the factor. out: [batch, H/f, W/f, latent] f32. */
gboolean easel_dcae_encode (EaselDcae *self, EaselStream *stream, EaselTensor image, const EaselDcaeTiling *tiling,
                            EaselTensor out, EaselJob *job, GError **error);

G_END_DECLS
