/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * CogVideoXTransformer3DModel: 2b (sine positions), 5b (rotary positions), 5b image-to-video (learned positions, 32
 * channels in), 1.5 (patches over time, `ofs`). Text and clip are one sequence of tokens under full attention; both
 * have adaptive norms of their own. Reference: diffusers models/transformers/cogvideox_transformer_3d.py; "CogVideoX"
 * (arXiv 2408.06072).
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/weights.h"
#include "kernels/ops.h"

G_BEGIN_DECLS

typedef struct EaselCogTransformer EaselCogTransformer;

/* The fields of config.json, spelled once. Sizes of samples are those of latents. */
typedef struct
{
  int in_channels, out_channels, heads, head_dim, inner, layers; /* inner = heads * head_dim */
  int text_dim, max_text, time_dim, ofs_dim;                     /* ofs_dim 0: no such embedding */
  int sample_width, sample_height, sample_frames, temporal_ratio; /* sample_frames: of the clip, not of the latents */
  int patch, patch_t; /* patch_t 1: none */
  gboolean over_time; /* patch_size_t is given: CogVideoX 1.5 */
  gboolean rotary, learned, attention_bias, norm_affine, patch_bias, flip_sin_to_cos;
  double norm_eps, freq_shift, spatial_scale, temporal_scale;
} EaselCogConfig;

/* Takes the weights, also on failure. UNSUPPORTED and DAMAGED name the field or tensor. */
EaselCogTransformer *easel_cog_transformer_new (JsonObject *config, EaselWeights *weights, EaselDevice *device,
                                                GError **error);
void easel_cog_transformer_free (EaselCogTransformer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselCogTransformer, easel_cog_transformer_free)
const EaselCogConfig *easel_cog_transformer_config (EaselCogTransformer *self);

/* What does not change between the steps of a job: the projected text and the positions. Lives in the arena from which
 * it was made. */
typedef struct EaselCogContext EaselCogContext;

/* text: [batch, n_text, text_dim] act; frames, h, w: of the latents. BAD_REQUEST: a number of frames that patch_t does
 * not divide, sides that the patch does not divide, n_text other than max_text where positions are added to the text,
 * and sizes outside of what learned or 1.5's positions know. Freed with easel_cog_context_free; its tensors belong to
 * the arena. */
EaselCogContext *easel_cog_context_new (EaselCogTransformer *self, EaselStream *stream, EaselTensor text, int frames,
                                        int h, int w, GError **error);
void easel_cog_context_free (EaselCogContext *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselCogContext, easel_cog_context_free)

/* The rotary table of the context, [tokens of the clip, head_dim] f32 on the device, or absent (tests). */
EaselTensor easel_cog_context_cos (EaselCogContext *self);
EaselTensor easel_cog_context_sin (EaselCogContext *self);

/* Work of earlier steps that is used again: reuse.h. */
typedef struct EaselCogReuse EaselCogReuse;

typedef struct
{
  EaselTensor x;        /* [batch, frames, h, w, in_channels] f32 or act */
  EaselTensor timestep; /* [batch] f32 on the device */
  double ofs;           /* read when the model has ofs_dim */
  EaselCogReuse *reuse; /* NULL: everything is computed */
} EaselCogStep;

/* out: [batch, frames, h, w, out_channels] f32, given by the caller. Scratch comes from the arena and is given back.
 * job (may be NULL) is checked between blocks. CANCELLED, NO_MEMORY, BAD_REQUEST (shapes), DEVICE. */
gboolean easel_cog_transformer_forward (EaselCogTransformer *self, EaselStream *stream, EaselCogContext *context,
                                        const EaselCogStep *step, EaselTensor out, EaselJob *job, GError **error);

G_END_DECLS
