/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recipes: settings of one or many pictures in a YAML file that people write, share and keep with their work.
 *
 *   easel: 1                     # format; may be left out
 *   name: Harbour at dawn
 *   description: Wide and calm.
 *   extends: base.yaml           # another recipe in the same folder or below it; its settings come first
 *   model: starter-sana
 *   prompt: a harbour at dawn
 *   size: 1024x768               # or width and height
 *   steps: 20
 *   seed: 42                     # or random
 *   pictures:                    # one request each; what is above are their defaults
 *     - seed: 43
 *     - prompt: the same harbour in fog
 *       guidance: 3.5
 *
 * Settings are the members of EaselRequestSettings in YAML's spelling: model, prompt, negative, width, height, size,
 * steps, stop-after, guidance, seed, sampler, count, resolution-binning, human-instruction, max-tokens, frames, fps,
 * dynamic-guidance, strength, fit-input, reuse, noise, precision. `null` takes an inherited value back to the caller's
 * default. Order of precedence: the caller's defaults, the recipe extended, this recipe, the picture, the caller's
 * overrides. A recipe that has no `pictures` inherits those of the one it extends, and without any it is one picture. A
 * name to extend is relative to the first file's folder.
 *
 * Values are checked where they stand, with file and line in the error; what depends on the model is checked by the
 * pipeline. A recipe is hostile input: see yaml.h; at most EASEL_RECIPE_MAX_EXTENDS files follow each other, none with
 * a name that leads out of the folder.
 */
#pragma once

#include "engine/core/request.h"

G_BEGIN_DECLS

#define EASEL_RECIPE_MAX_PICTURES 1000u
#define EASEL_RECIPE_MAX_EXTENDS 8

typedef struct EaselRecipe EaselRecipe;

/* Reads `path` and what it extends. `defaults` may be NULL (EASEL_REQUEST_SETTINGS_INIT); copied. NOT_FOUND, IO,
 * DAMAGED (not YAML, too large), BAD_REQUEST (a setting unknown or out of range), UNSUPPORTED (a newer format). Any
 * thread. */
EaselRecipe *easel_recipe_load (const char *path, const EaselRequestSettings *defaults, GError **error);

/* The same from memory; `where` names the text in errors; `extends` is refused, since there is no folder. */
EaselRecipe *easel_recipe_parse (const char *text, gsize length, const char *where,
                                 const EaselRequestSettings *defaults, GError **error);

void easel_recipe_free (EaselRecipe *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselRecipe, easel_recipe_free)

/* Sets one setting for every picture: "steps=20", as people type it. BAD_REQUEST; nothing is changed then. */
gboolean easel_recipe_override (EaselRecipe *self, const char *assignment, GError **error);

const char *easel_recipe_name (EaselRecipe *self);        /* NULL when the file has none */
const char *easel_recipe_description (EaselRecipe *self); /* the same */
guint easel_recipe_n_pictures (EaselRecipe *self);        /* at least 1 */
/* Borrowed, with its strings, until the recipe is freed or overridden. */
const EaselRequestSettings *easel_recipe_settings (EaselRecipe *self, guint i);

/* A recipe of one picture as text that reads back to the same settings; those that are nobody's choice (0, < 0, NULL)
 * are left out. name and description may be NULL. Caller frees. NO_MEMORY, BAD_REQUEST (a text is not UTF-8). */
char *easel_recipe_to_yaml (const EaselRequestSettings *settings, const char *name, const char *description,
                            GError **error);

G_END_DECLS
