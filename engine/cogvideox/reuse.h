/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Skipping repeated work between steps (private to this room). Neighbouring steps of a clip differ little: when the
 * first block changes its tokens almost as it did at the last step that was computed, the other blocks are taken to do
 * the same as then: what they added is kept and added again. After "First Block Cache" (ParaAttention, 2024) and
 * TeaCache (arXiv 2411.19108). The starter model of six blocks, three clips of 50 steps: at 0.1, 26 steps reused,
 * denoising 1.7 times as fast, 36 to 45 dB from the exact clip; at 0.2, 36 steps, 2.2 to 2.4 times, 28 to 38 dB; at
 * 0.3, 37 steps, 2.6 times, 28 to 37 dB. The lowest are of a shape that spins.
 */
#pragma once

#include "engine/cogvideox/transformer-private.h"

G_BEGIN_DECLS

/* Every so many evaluations, from the first on, all is computed: errors of reused ones add up, and an interrupted job
 * that goes on at such a one needs nothing of what was before it. */
#define EASEL_COG_REUSE_EVERY 5

/* tokens of `context`: memory from the arena, as long as that lives. threshold: relative change of the first block's
 * work, 0 < threshold. reused: those of an earlier part of the job, counted in. NO_MEMORY. */
EaselCogReuse *easel_cog_reuse_new (EaselCogTransformer *self, EaselStream *stream, EaselCogContext *context,
                                    double threshold, int reused, GError **error);
void easel_cog_reuse_free (EaselCogReuse *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselCogReuse, easel_cog_reuse_free)

/* The next forward is evaluation i of n. */
void easel_cog_reuse_next (EaselCogReuse *self, int i, int n);
/* Evaluations so far that reused the work of an earlier one. */
int easel_cog_reuse_count (EaselCogReuse *self);

/* For the forward pass, in this order: before and after the first block; then, where cog_reuse_skips() says no, after
 * the last one, else instead of the others. tokens [B, n, C] act. */
void cog_reuse_before (EaselCogReuse *self, EaselStream *stream, EaselTensor tokens);
gboolean cog_reuse_skips (EaselCogReuse *self, EaselStream *stream, EaselTensor tokens);
void cog_reuse_remember (EaselCogReuse *self, EaselStream *stream, EaselTensor tokens);
void cog_reuse_apply (EaselCogReuse *self, EaselStream *stream, EaselTensor tokens);

G_END_DECLS
