/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the text encoders share. Private to this room.
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/json.h"
#include "engine/core/weights.h"

G_BEGIN_DECLS

#define EASEL_ENCODER_MAX_TOKENS 65536 /* batch * n of one encode call */

/* A number that JSON's null turns off: null gives 0, a missing member gives the fallback. */
double easel_encoder_optional (EaselFields *fields, const char *name, double fallback);

/* What every encode call begins with: the stream is fine, the job (may be NULL) is not cancelled, batch and n are sane
 * (BAD_REQUEST), and every id [batch, n] lies in [0, vocab) (DAMAGED: the tokenizer is not this model's; not looked at
 * on a dry stream). */
gboolean easel_encoder_begin (EaselStream *stream, EaselJob *job, int batch, int n, const gint32 *ids, int vocab,
                              GError **error);

/* Host memory onto the device; a no-op on a dry or failed stream, where `src` is not read. */
EaselTensor easel_encoder_upload (EaselStream *stream, EaselDtype dtype, int n_dims, const gint64 *shape,
                                  const void *src);

/* y [.., C] act = scale * table[ids]: ids [rows of y] on the host, table [vocab, C] from easel_weights_take_table() of
 * `weights`. Where the table stayed on the host its rows are fetched there. On a dry stream ids may be NULL. */
void easel_encoder_embed (EaselStream *stream, EaselWeights *weights, EaselTensor table, const gint32 *ids,
                          float scale, EaselTensor y);

/* x (act) as f32 into host memory of its count; scratch is given back. */
void easel_encoder_download (EaselStream *stream, EaselTensor x, float *out);

/* Between layers: cancelled (job may be NULL), or an op has failed? */
gboolean easel_encoder_check (EaselStream *stream, EaselJob *job, GError **error);

G_END_DECLS
