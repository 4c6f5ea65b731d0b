/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The transformer's parts, private to this room. Names of weights are those of diffusers' CogVideoXTransformer3DModel.
 */
#pragma once

#include "engine/cogvideox/transformer.h"

G_BEGIN_DECLS

typedef struct
{
  EaselTensor w, b; /* [n, k]; [n] or absent. Norms: [n] and [n] */
} CogLayer;

/* C = inner, T = time_dim */
typedef struct
{
  CogLayer modulate_1, modulate_2; /* [6C, T]: shift, scale, gate of the clip; shift, scale, gate of the text */
  CogLayer norm_1, norm_2;         /* [C] with norm_affine */
  CogLayer q, k, v, out;           /* [C, C] */
  CogLayer norm_q, norm_k;         /* [head_dim] */
  CogLayer wide, narrow;           /* [4C, C], [C, 4C] */
} CogBlock;

struct EaselCogTransformer
{
  EaselCogConfig config;
  EaselWeights *weights; /* owned */
  EaselDevice *device;   /* borrowed */
  CogLayer patch;        /* [C, in * patch_t * patch * patch] */
  CogLayer text;         /* [C, text_dim] */
  EaselTensor positions; /* learned: [max_text + tokens of a sample, C] on the host; else absent */
  CogLayer time_1, time_2; /* [T, C], [T, T] */
  CogLayer ofs_1, ofs_2;   /* [O, O] twice */
  CogLayer norm_final, norm_out; /* [C] with norm_affine */
  CogLayer modulate_out;   /* [2C, T]: shift, scale */
  CogLayer out;            /* [out * patch_t * patch * patch, C] */
  CogBlock *blocks;        /* [layers] */
};

struct EaselCogContext
{
  int batch, n_text, frames, h, w; /* of the latents */
  int f, y, x;                     /* tokens along each: frames / patch_t, h / patch, w / patch */
  gint64 n_clip, n;                /* f y x; n_text + n_clip */
  EaselTensor text;                /* [B, n_text, C] act */
  EaselTensor position;            /* [n, C] act, or absent */
  EaselTensor cos, sin;            /* [n_clip, head_dim] f32, or absent */
};

/* Fills position, cos and sin as the configuration asks. */
gboolean cog_context_place (const EaselCogTransformer *self, EaselStream *s, EaselCogContext *context, GError **error);

G_END_DECLS
