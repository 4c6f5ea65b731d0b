/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The encoder of T5 v1.1 (transformers' T5EncoderModel) as CogVideoX uses it: a fixed number of tokens, no mask, so
 * that padding is read like text. RMS norms, heads without scaling, one table of relative position biases for all
 * layers, gated GELU (tanh form). Reference: T5EncoderModel in eager fp32; "Exploring the limits of transfer learning"
 * (arXiv 1910.10683) and "GLU variants improve transformer" (arXiv 2002.05202).
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/weights.h"

G_BEGIN_DECLS

typedef struct EaselT5 EaselT5;

/* Takes the weights (frees them with itself, and on failure). UNSUPPORTED, DAMAGED, NO_MEMORY. */
EaselT5 *easel_t5_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error);
void easel_t5_free (EaselT5 *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselT5, easel_t5_free)
int easel_t5_hidden_size (EaselT5 *self);

/* ids: host, [batch, n]; the prompt and the negative prompt go best in one call. out: [batch, n, hidden] act, from the
 * stream's arena, caller's; scratch beyond it is given back. job may be NULL. On a dry stream ids are not read.
 * On a device that computes in f16 the residual stream of T5-XXL overflows: use bf16 or f32 there. */
gboolean easel_t5_encode (EaselT5 *self, EaselStream *stream, int batch, int n, const gint32 *ids, EaselTensor *out,
                          EaselJob *job, GError **error);

/* Bucket of a key `relative` tokens after its query (negative: before), of n_buckets: half of them for each side, half
 * of these exact, the rest growing by a factor up to max_distance. */
int easel_t5_bucket (int relative, int n_buckets, int max_distance);

G_END_DECLS
