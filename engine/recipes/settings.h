/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Inside the room: one setting, by name, from a value as it was written.
 */
#pragma once

#include "engine/core/request.h"
#include "engine/recipes/yaml.h"

G_BEGIN_DECLS

/* Sets `key` in `out`; null sets what `base` has. Texts are copied into `strings`. NULL when it is done, else why not,
 * a clause without a full stop ("steps must be a whole number from 1 to 10000, not \"many\""); `out` is untouched
 * then. Caller frees. */
char *easel_setting_apply (EaselRequestSettings *out, const EaselRequestSettings *base, const char *key,
                           const EaselYaml *value, GStringChunk *strings);

/* Replaces the texts of `self` by copies in `strings`. */
void easel_settings_copy_texts (EaselRequestSettings *self, GStringChunk *strings);

G_END_DECLS
