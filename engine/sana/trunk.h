/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the transformer and its ControlNet share (private to this room): patch and time embedding, caption projection,
 * the blocks. Names of weights are those of diffusers' SanaTransformer2DModel.
 */
#pragma once

#include "engine/sana/transformer.h"

G_BEGIN_DECLS

typedef struct
{
  EaselTensor w, b; /* [n, k]; [n] or absent */
} SanaLinear;

/* C = inner, H = mlp_hidden, D = cross_heads * cross_head_dim */
typedef struct
{
  EaselTensor scale_shift; /* [6, C]: shift, scale, gate of attention; shift, scale, gate of the feed-forward */
  SanaLinear q, k, v, out; /* self-attention, [C, C] */
  EaselTensor norm_q, norm_k; /* [C] with qk_norm */
  SanaLinear cross_q, cross_k, cross_v, cross_out; /* [D, C] thrice, [C, D] */
  EaselTensor cross_norm_q, cross_norm_k;
  SanaLinear norm2;    /* [C] and [C], with norm_affine */
  SanaLinear inverted; /* [2H, C] */
  SanaLinear depth;    /* [2H, 1, 3, 3] */
  SanaLinear point;    /* [C, H] */
} SanaBlock;

typedef struct
{
  EaselSanaConfig config;
  EaselWeights *weights; /* owned */
  EaselDevice *device;   /* borrowed */
  SanaLinear patch;      /* [C, in_channels] */
  SanaLinear time_1, time_2, guidance_1, guidance_2; /* [C, 256], [C, C] */
  SanaLinear modulation; /* [6C, C] */
  SanaLinear caption_1, caption_2; /* [C, caption_channels], [C, C] */
  EaselTensor caption_norm;        /* [C] */
  EaselTensor out_scale_shift;     /* [2, C]; absent in a ControlNet */
  SanaBlock *blocks;               /* [layers] */
} SanaTrunk;

struct EaselSanaContext
{
  int batch, n_text, h, w, layers;
  EaselTensor mask;     /* [B, n_text] u8 on the device */
  EaselTensor position; /* [h w, C] act, or absent */
  EaselTensor tables;   /* [layers, 6, C] f32: the blocks' scale_shift */
  EaselTensor out_table; /* [2, C] f32, or absent */
  EaselTensor *k, *v;   /* [layers] of [B, n_text, D] act */
};

/* Reads the configuration and takes every weight but those of the output. Owns `weights` from here on, also on failure.
 * A missing tensor is reported by easel_weights_done(), which the caller calls after taking its own. */
gboolean sana_trunk_init (SanaTrunk *self, JsonObject *config, const char *where, EaselWeights *weights,
                          EaselDevice *device, GError **error);
void sana_trunk_clear (SanaTrunk *self);
/* name.weight [n, k] and, when `bias`, name.bias [n]. */
SanaLinear sana_take_linear (EaselWeights *weights, gint64 n, gint64 k, gboolean bias, const char *name, ...)
    G_GNUC_PRINTF (5, 6);

EaselSanaContext *sana_trunk_context (const SanaTrunk *self, EaselStream *stream, EaselTensor text, const guint8 *mask,
                                      int h, int w, GError **error);

/* Checks a step's shapes against the context; a mismatch is a bug of the caller or a bad control picture. */
gboolean sana_trunk_check_input (const SanaTrunk *self, const EaselSanaContext *context, EaselTensor x,
                                 EaselTensor timestep, EaselTensor guidance, GError **error);

/* x [n, h, w, in] f32 or act, n = B or 1 -> tokens [n, h w, C] act, the caller's, positions added. */
void sana_trunk_embed_patches (const SanaTrunk *self, EaselStream *s, const EaselSanaContext *context, EaselTensor x,
                               EaselTensor tokens);

/* timestep, guidance [g], g = B or 1 (every sample at the same time: less work) -> modulation [layers, 6, g, C] f32
 * from the arena and *embedded [g, C] f32 (may be NULL). */
EaselTensor sana_trunk_modulate (const SanaTrunk *self, EaselStream *s, const EaselSanaContext *context,
                                 EaselTensor timestep, EaselTensor guidance, EaselTensor *embedded);

/* out [n, g, C] = table [n, C] + embedded [g, C], all f32 */
void sana_trunk_shift_table (EaselStream *s, EaselTensor table, EaselTensor embedded, EaselTensor out);

/* Block `i` on x [B, h w, C] in place. modulation: all blocks'. n_perturbed: samples at the end of the batch whose
 * self-attention is the identity. n_same: B, or 1 when x came in with its first sample alone and the others are to be
 * copies of it: the self-attention is then computed once. */
void sana_trunk_block (const SanaTrunk *self, EaselStream *s, const EaselSanaContext *context, int i, EaselTensor x,
                       EaselTensor modulation, int n_perturbed, int n_same);

G_END_DECLS
