/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What weights.c shares with weights-random.c, weights-convert.c and weights-stream.c.
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

/* Fills dst (scaled, on the stream's device) from the cache, else from `src` as its file has it. stays: dst remains
 * there, so that it can be kept. Problems are the stream's. */
void easel_converted_weights_place (EaselConvertedWeights *self, EaselStream *s, const char *name, EaselTensor dst,
                                    const EaselTensor *src, gboolean stays);

/* All have been placed: keeps them when there is something new. They must still be where they were placed. What is on
 * the device may go with easel_converted_weights_forget(). A cache that cannot be written stops nothing. */
void easel_converted_weights_keep (EaselConvertedWeights *self, EaselStream *s);
void easel_converted_weights_forget (EaselConvertedWeights *self);

/* Weights that take turns on the device, see weights-stream.c. */
typedef struct EaselStreamedWeights EaselStreamedWeights;

/* n_streamed blocks of at most `room` bytes each. once: they are read from their files whenever they are wanted. */
EaselStreamedWeights *easel_streamed_weights_new (int n_streamed, guint64 room, gboolean once);
void easel_streamed_weights_free (EaselStreamedWeights *self);
void easel_streamed_weights_forget (EaselStreamedWeights *self); /* all that is on the device */

/* Tensors taken between these belong to block i of n. */
void easel_streamed_weights_begin (EaselStreamedWeights *self, int i, int n);
void easel_streamed_weights_end (EaselStreamedWeights *self);
gboolean easel_streamed_weights_taking (const EaselStreamedWeights *self); /* between them, and the block takes turns */

/* Gives `tensor` (dtype and shape set; scales not NULL when it has some) its place in the block that is being taken;
 * `stored` is what its file has, borrowed. bytes: with its scales, which begin at scales_at. */
EaselStatus easel_streamed_weights_place (EaselStreamedWeights *self, EaselDevice *device,
                                          EaselConvertedWeights *converted, const char *name,
                                          const EaselTensor *stored, gsize bytes, gsize scales_at,
                                          EaselTensor *tensor);

void easel_streamed_weights_enter (EaselStreamedWeights *self, EaselStream *s, int i);
void easel_streamed_weights_leave (EaselStreamedWeights *self, EaselStream *s, int i);

G_END_DECLS
