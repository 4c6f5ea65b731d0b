/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SanaTransformer2DModel: Sana 1.0, 1.5 (qk_norm), Sprint (guidance_embeds), 2K/4K (interpolation_scale), and the
 * ControlNet of the same family. Linear attention O(N), GLUMBConv. Reference: diffusers
 * models/transformers/sana_transformer.py; "SANA" (arXiv 2410.10629), "SANA-Sprint" (2503.09641).
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/weights.h"
#include "kernels/ops.h"

G_BEGIN_DECLS

typedef struct EaselSanaTransformer EaselSanaTransformer;

/* The fields of config.json, spelled once. */
typedef struct
{
  int in_channels, out_channels, heads, head_dim, layers, cross_heads, cross_head_dim, cross_dim, caption_channels;
  int sample_size, patch_size, inner, mlp_hidden; /* inner = heads * head_dim; mlp_hidden = int (mlp_ratio * inner) */
  double mlp_ratio, norm_eps, interpolation_scale, guidance_embeds_scale, timestep_scale;
  gboolean attention_bias, norm_affine, qk_norm, guidance_embeds, position_embedding;
} EaselSanaConfig;

/* Takes the weights. */
EaselSanaTransformer *easel_sana_transformer_new (JsonObject *config, EaselWeights *weights, EaselDevice *device,
                                                  GError **error);
void easel_sana_transformer_free (EaselSanaTransformer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselSanaTransformer, easel_sana_transformer_free)
const EaselSanaConfig *easel_sana_transformer_config (EaselSanaTransformer *self);

/* What does not change between the steps of a job: caption projection and norm, cross-attention keys and values of all
 * blocks, position table. Lives in the arena from which it was made. */
typedef struct EaselSanaContext EaselSanaContext;

/* text: [batch, n_text, caption_channels] act; mask: host [batch, n_text], 1 = real, borrowed for the call; h, w latent
 * size. Columns that every mask leaves out may be dropped beforehand: the result is the same and the work less. The
 * returned struct is freed with easel_sana_context_free; its tensors belong to the arena. */
EaselSanaContext *easel_sana_context_new (EaselSanaTransformer *self, EaselStream *stream, EaselTensor text,
                                          const guint8 *mask, int h, int w, GError **error);
void easel_sana_context_free (EaselSanaContext *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselSanaContext, easel_sana_context_free)

typedef struct
{
  EaselTensor x;        /* [batch or 1, h, w, in_channels] f32 or act; 1: every sample starts from it */
  EaselTensor timestep; /* [batch or 1] f32 on the device; 1: every sample is at that time */
  EaselTensor guidance; /* as many as timesteps, f32 (already times guidance_embeds_scale), or absent */
  const EaselTensor *control; /* ControlNet residuals, added after block 1, 2, … n_control (not after block 0, as the
                                 reference), or NULL */
  int n_control;
  int n_perturbed;      /* perturbed-attention guidance: in the blocks below, the self-attention of the last n_perturbed
                           samples of the batch is the identity */
  const gboolean *perturbed; /* [layers], or NULL: none */
  EaselTensor *blocks;  /* NULL, or `layers` tensors [batch, h w, inner] that receive each block's output (tests) */
} EaselSanaStep;

/* out: [batch, h, w, out_channels] f32, given by the caller. Scratch comes from the arena and is given back. job (may
 * be NULL) is checked between blocks. CANCELLED, NO_MEMORY, BAD_REQUEST (shapes), DEVICE. */
gboolean easel_sana_transformer_forward (EaselSanaTransformer *self, EaselStream *stream, EaselSanaContext *context,
                                         const EaselSanaStep *step, EaselTensor out, EaselJob *job, GError **error);

G_END_DECLS
