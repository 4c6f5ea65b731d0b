/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The autoencoder's parts, private to this room. Names of weights are those of diffusers' AutoencoderKLCogVideoX.
 */
#pragma once

#include "engine/cogvideox/vae.h"

G_BEGIN_DECLS

/* A causal convolution; `at` is the place of its frames in VaeRun.caches. */
typedef struct
{
  EaselTensor w, b; /* [n, k, 3, 3, 3]; [n] */
  int at;
} VaeConv;

/* Group norm; in the decoder scaled and shifted by the latents through two layers. */
typedef struct
{
  EaselTensor w, b;               /* [C] */
  EaselTensor scale_w, scale_b;   /* [C, latent], [C]; absent in the encoder */
  EaselTensor shift_w, shift_b;
} VaeNorm;

typedef struct
{
  int in, out;
  VaeNorm norm_1, norm_2;
  VaeConv conv_1, conv_2;
  EaselTensor shortcut_w, shortcut_b; /* [out, in], [out], where they differ */
} VaeResnet;

/* Stages in the order they run. */
typedef struct
{
  int channels, n_resnets;
  VaeResnet *resnets;
  EaselTensor resample_w, resample_b; /* [C, C, 3, 3], [C]: after the resnets; absent in the last stage */
  gboolean over_time;                 /* it also halves or doubles the frames */
} VaeStage;

typedef struct
{
  gboolean taken;
  int n_convs;
  VaeConv in, out;
  VaeResnet mid[2]; /* decoder: before the stages, encoder: after them */
  VaeStage stages[EASEL_COG_VAE_MAX_STAGES];
  VaeNorm norm_out;
} VaeSide;

struct EaselCogVae
{
  EaselCogVaeConfig config;
  EaselWeights *weights; /* owned */
  EaselDevice *device;   /* borrowed */
  VaeSide encoder, decoder;
};

/* Latents that decode together, frames that encode together (constants of the reference class). */
#define VAE_DECODE_FRAMES 2
#define VAE_ENCODE_FRAMES 8

/* Batches of a clip of n frames: how many, and the frames of batch i: [start, end). */
int vae_n_batches (int n, int size);
void vae_batch (int n, int size, int i, int *start, int *end);
/* Frames of one batch after decoding or encoding. */
int vae_frames_decoded (const EaselCogVaeConfig *c, int n);
int vae_frames_encoded (const EaselCogVaeConfig *c, int n);

/* A piece of a clip, all its frames: `x` host, rows of row_x pixels, from which [h, w] are taken; the same for y. The
 * first frame's first pixel is at x and y, frames are stride_x and stride_y pixels apart. NULL on a dry stream. */
typedef struct
{
  const float *x;
  float *y;
  gint64 row_x, stride_x, row_y, stride_y;
  int frames, h, w; /* of x */
} VaePiece;

gboolean vae_decode_piece (EaselCogVae *self, EaselStream *s, const VaePiece *piece, EaselJob *job, GError **error);
gboolean vae_encode_piece (EaselCogVae *self, EaselStream *s, const VaePiece *piece, EaselJob *job, GError **error);
/* In tiles, through the host. x is [frames, h, w, ·]. */
gboolean vae_run_tiled (EaselCogVae *self, EaselStream *s, const VaePiece *whole, const EaselCogTiling *tiling,
                        gboolean encode, EaselJob *job, GError **error);

G_END_DECLS
