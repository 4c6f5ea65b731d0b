/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DC-AE's parts, private to this room. Names of weights are those of diffusers' AutoencoderDC.
 */
#pragma once

#include "engine/sana/dcae.h"

G_BEGIN_DECLS

#define DCAE_MAX_STAGES 12
#define DCAE_MAX_SCALES 4

typedef struct
{
  EaselTensor w, b; /* as torch stores them; b absent without bias */
} DcaeLayer;

typedef enum
{
  DCAE_NORM_RMS,
  DCAE_NORM_BATCH, /* at rest: a factor and an offset for each channel */
} DcaeNormKind;

typedef struct
{
  DcaeNormKind kind;
  EaselTensor w, b; /* [C]; batch: [C, 1, 1, 1] and [C] f32, owned by the autoencoder */
} DcaeNorm;

typedef enum
{
  DCAE_RES_BLOCK,
  DCAE_VIT_BLOCK,
} DcaeBlockKind;

/* One scale of the attention: a depthwise convolution, then one of 1x1 within each head. */
typedef struct
{
  EaselTensor depth; /* [3 I, 1, k, k] */
  EaselTensor mix;   /* [3 I, head_dim, 1, 1] */
} DcaeScale;

/* C channels, I = heads * head_dim */
typedef struct
{
  DcaeBlockKind kind;
  DcaeNorm norm; /* ResBlock: after conv_2; EfficientViTBlock: after the attention */
  /* ResBlock */
  DcaeLayer conv_1;   /* [C, C, 3, 3] */
  EaselTensor conv_2; /* [C, C, 3, 3] */
  EaselAct act;
  /* EfficientViTBlock */
  EaselTensor q, k, v; /* [I, C] */
  EaselTensor out;     /* [C, I (1 + n_scales)] */
  int heads, head_dim, n_scales;
  DcaeScale scales[DCAE_MAX_SCALES];
  DcaeLayer inverted, depth; /* [8C, C]; [8C, 1, 3, 3] */
  EaselTensor point;         /* [C, 4C] */
  DcaeNorm glu_norm;
} DcaeBlock;

/* Stage i works at 1/2^i of the picture's sides. */
typedef struct
{
  int channels, n_blocks;
  DcaeBlock *blocks;
  DcaeLayer resample; /* encoder: down to stage i + 1; decoder: up from stage i + 1. Absent in the last. */
} DcaeStage;

typedef struct
{
  gboolean taken;
  DcaeStage stages[DCAE_MAX_STAGES];
  DcaeLayer in, out;
  DcaeNorm norm_out; /* decoder */
  EaselAct out_act;  /* decoder */
} DcaeSide;

typedef struct
{
  DcaeBlockKind kind[DCAE_MAX_STAGES];
  DcaeNormKind norm[DCAE_MAX_STAGES];
  EaselAct act[DCAE_MAX_STAGES];
  int channels[DCAE_MAX_STAGES], layers[DCAE_MAX_STAGES];
  int n_scales[DCAE_MAX_STAGES], scales[DCAE_MAX_STAGES][DCAE_MAX_SCALES];
} DcaeSideConfig;

typedef struct
{
  int in_channels, latent_channels, head_dim, n_stages;
  DcaeSideConfig encoder, decoder;
  gboolean up_interpolate, down_unshuffle, out_shortcut, in_shortcut;
  EaselAct out_act;
  double scaling_factor;
} DcaeConfig;

struct EaselDcae
{
  DcaeConfig config;
  EaselWeights *weights; /* owned */
  EaselDevice *device;   /* borrowed */
  DcaeSide encoder, decoder; /* the encoder is taken when first used */
  GArray *owned;             /* of EaselTensor: folded batch norms */
};

/* config.json, everything checked that the weights do not check. */
gboolean dcae_config_read (DcaeConfig *self, JsonObject *object, GError **error);

/* Takes the weights of one side. */
gboolean dcae_take_decoder (EaselDcae *self, GError **error);
gboolean dcae_take_encoder (EaselDcae *self, GError **error);
void dcae_side_clear (DcaeSide *self);

/* Who is told how far a piece is, after every block and in proportion to its work. */
#define DCAE_STEPS 100 /* a piece is reported as that many steps of its phase */
typedef struct
{
  EaselJob *job; /* may be NULL */
  int piece, n_pieces;
} DcaeProgress;

/* One piece, not tiled. z [B, h, w, latent], out [B, h f, w f, 3] f32. */
gboolean dcae_decode_piece (EaselDcae *self, EaselStream *s, EaselTensor z, EaselTensor out, DcaeProgress progress,
                            GError **error);
gboolean dcae_encode_piece (EaselDcae *self, EaselStream *s, EaselTensor image, EaselTensor out, DcaeProgress progress,
                            GError **error);

/* In tiles with linear blending, through the host. x, y as above for either direction. */
gboolean dcae_run_tiled (EaselDcae *self, EaselStream *s, EaselTensor x, const EaselDcaeTiling *tiling, gboolean encode,
                         EaselTensor y, EaselJob *job, GError **error);

G_END_DECLS
