/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What weights.c shares with weights-random.c and weights-convert.c.
 */
#pragma once

#include "engine/core/weights.h"

G_BEGIN_DECLS

typedef struct EaselRandomWeights EaselRandomWeights;

/* NO_MEMORY. */
EaselRandomWeights *easel_random_weights_new (EaselDtype dtype, guint32 seed, GError **error);
void easel_random_weights_free (EaselRandomWeights *self);

/* A tensor on the host, borrowed from `self`: around 0, or around 1 when it is the weight of a norm (one dimension, a
 * name that ends in "weight"). FALSE: no room. */
gboolean easel_random_weights_make (EaselRandomWeights *self, const char *name, int n_dims, const gint64 *shape,
                                    EaselTensor *out);

/* Weights as scaled tensors, see weights-convert.c. */
typedef struct EaselConvertedWeights EaselConvertedWeights;

/* files: EaselSafetensors the weights are in. folder: of the cache, or NULL. */
EaselConvertedWeights *easel_converted_weights_new (EaselDtype dtype, const char *where, GPtrArray *files,
                                                    const char *folder);
void easel_converted_weights_free (EaselConvertedWeights *self);

/* The dtype of all of them. */
EaselDtype easel_converted_weights_dtype (EaselConvertedWeights *self);

/* Fills dst (scaled, on the stream's device) from the cache, else from `src` as its file has it. Problems are the
 * stream's. */
void easel_converted_weights_place (EaselConvertedWeights *self, EaselStream *s, const char *name, EaselTensor dst,
                                    const EaselTensor *src);

/* All have been placed: keeps them when there is something new. They must still be where they were placed. What is on
 * the device may go with easel_converted_weights_forget(). A cache that cannot be written stops nothing. */
void easel_converted_weights_keep (EaselConvertedWeights *self, EaselStream *s);
void easel_converted_weights_forget (EaselConvertedWeights *self);

G_END_DECLS
