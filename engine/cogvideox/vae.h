/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * AutoencoderKLCogVideoX: clips to latents and back, 8 times smaller on each side and 4 times over time in the released
 * models. Convolutions are causal in time, so a clip is worked through in batches of frames (2 of latents when
 * decoding, 8 of the clip when encoding, one more in the first of an odd number), each convolution remembering the two
 * frames before. Reference: diffusers models/autoencoders/autoencoder_kl_cogvideox.py; "CogVideoX" (arXiv 2408.06072).
 *
 * Clips stay on the host, channels last, floats in [-1, 1]: only one batch of frames is on the device at a time.
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/weights.h"
#include "kernels/ops.h"

G_BEGIN_DECLS

#define EASEL_COG_VAE_MAX_STAGES 8

typedef struct EaselCogVae EaselCogVae;

/* The fields of config.json, spelled once. */
typedef struct
{
  int in_channels, out_channels, latent_channels, layers, groups;
  int n_stages, channels[EASEL_COG_VAE_MAX_STAGES];
  int temporal_ratio, temporal_stages; /* log2 of it: stages that also halve the number of frames */
  int sample_height, sample_width;     /* pixels */
  double norm_eps, scaling_factor;
  gboolean invert_scale;               /* image-to-video divides the picture's latents by the factor (CogVideoX 1.5) */
} EaselCogVaeConfig;

/* Takes the weights, also on failure. The encoder's are looked at when first needed. */
EaselCogVae *easel_cog_vae_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error);
void easel_cog_vae_free (EaselCogVae *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselCogVae, easel_cog_vae_free)
const EaselCogVaeConfig *easel_cog_vae_config (EaselCogVae *self);
int easel_cog_vae_factor (EaselCogVae *self); /* pixels of a side for one of latents */
guint64 easel_cog_vae_weights_bytes (EaselCogVae *self);

/* Overlapping tiles, blended linearly, as enable_tiling() of the reference. All zero: none. */
typedef struct
{
  int tile_height, tile_width;          /* pixels */
  double overlap_height, overlap_width; /* share of a tile that the next one repeats, in (0, 1) */
} EaselCogTiling;

/* The reference's: half the sample's sides, 1/6 and 1/5 of overlap. */
void easel_cog_vae_default_tiling (EaselCogVae *self, EaselCogTiling *out);

/* Frames that decoding n frames of latents gives: 4 (n - 1) + 1 for odd n of the released models. */
int easel_cog_vae_frames (EaselCogVae *self, int n);
/* Frames of latents that encoding n frames gives. */
int easel_cog_vae_latent_frames (EaselCogVae *self, int n);
/* Sides that decoding h x w latents gives: 8 h x 8 w; with tiles that do not divide evenly the reference's result is a
 * little larger, and so is ours. */
void easel_cog_vae_size (EaselCogVae *self, const EaselCogTiling *tiling, int h, int w, int *height, int *width);

/* z: host [frames, h, w, latent_channels], already divided by the scaling factor. out: host, [easel_cog_vae_frames,
 * height, width, out_channels] as easel_cog_vae_size says. tiling may be NULL. On a dry stream neither is touched and
 * may be NULL. Scratch comes from the arena and is given back; job (may be NULL) is checked in every block.
 * CANCELLED, NO_MEMORY, BAD_REQUEST, DEVICE. */
gboolean easel_cog_vae_decode (EaselCogVae *self, EaselStream *stream, const float *z, int frames, int h, int w,
                               const EaselCogTiling *tiling, float *out, EaselJob *job, GError **error);

/* clip: host [frames, height, width, in_channels]; sides multiples of the factor. moments: host [easel_cog_vae_latent_
 * frames, height / factor, width / factor, 2 latent_channels]: means, then logarithms of variances, limited to
 * [-30, 20]. As above for the rest. */
gboolean easel_cog_vae_encode (EaselCogVae *self, EaselStream *stream, const float *clip, int frames, int height,
                               int width, const EaselCogTiling *tiling, float *moments, EaselJob *job, GError **error);

G_END_DECLS
