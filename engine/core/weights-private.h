/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What weights.c and weights-random.c share.
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

G_END_DECLS
