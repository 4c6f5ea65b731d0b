/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gemma 2 as a text encoder (transformers' Gemma2Model): last hidden state after the final norm. Grouped heads,
 * soft-capped attention, sliding window on alternate layers (layer_types, else even layers), rotary positions,
 * GeGLU. Reference: Gemma2Model in eager fp32; "Gemma 2" (arXiv 2408.00118).
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/weights.h"

G_BEGIN_DECLS

typedef struct EaselGemma2 EaselGemma2;

/* Takes the weights (frees them with itself, and on failure). UNSUPPORTED, DAMAGED, NO_MEMORY. */
EaselGemma2 *easel_gemma2_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error);
void easel_gemma2_free (EaselGemma2 *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselGemma2, easel_gemma2_free)
int easel_gemma2_hidden_size (EaselGemma2 *self);
int easel_gemma2_n_layers (EaselGemma2 *self);

/* ids, mask: host, [batch, n]. out: [batch, n, hidden] act, from the stream's arena, caller's. Scratch beyond `out` is
 * given back. hidden: NULL, or n_layers + 1 host buffers [batch, n, hidden] f32 that receive what
 * output_hidden_states=True returns. job may be NULL. On a dry stream ids are not read. */
gboolean easel_gemma2_encode (EaselGemma2 *self, EaselStream *stream, int batch, int n, const gint32 *ids,
                              const guint8 *mask, EaselTensor *out, float **hidden, EaselJob *job, GError **error);

/* A text after an instruction that many texts share: ids [n_prefix + n], all real. What the n_prefix tokens leave in
 * each layer (keys and values, easel_gemma2_prefix_bytes() on the host) is remembered for the last n_prefix ids, so
 * that the next text costs its own tokens only. Both are always computed apart: the bytes are the same whether the
 * prefix was remembered or not; they differ from those of easel_gemma2_encode() over the whole by rounding.
 * out: [1 + n, hidden] act, the state of the very first token and those of the last n; the caller's, as above. */
gboolean easel_gemma2_encode_after (EaselGemma2 *self, EaselStream *stream, int n_prefix, int n, const gint32 *ids,
                                    EaselTensor *out, EaselJob *job, GError **error);
/* Host memory that remembering a prefix takes, in bytes, for activations of this dtype. */
gsize easel_gemma2_prefix_bytes (EaselGemma2 *self, int n_prefix, EaselDtype act);

G_END_DECLS
