/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A diffusers folder as it is on the Hub: model_index.json names the pipeline class and, for each component, library
 * and class. Nothing is known by name: everything is read from the configuration. One file of our own may lie beside
 * model_index.json: easel.json, how a model was trained where that differs from its pipeline's defaults (members:
 * engine/core/habits.h).
 */
#pragma once

#include "engine/core/json.h"
#include "engine/core/weights.h"

G_BEGIN_DECLS

typedef struct EaselModelFolder EaselModelFolder;

/* Reads model_index.json and checks that every component it names has its folder. NOT_FOUND, DAMAGED, UNSUPPORTED. */
EaselModelFolder *easel_model_folder_open (const char *path, GError **error);
/* The same with the contents of model_index.json given; takes the object. */
EaselModelFolder *easel_model_folder_new (const char *path, JsonObject *index, GError **error);
void easel_model_folder_free (EaselModelFolder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselModelFolder, easel_model_folder_free)

/* Where its weights keep what they are converted to (easel_weights_set_cache()); NULL: nowhere. */
void easel_model_folder_set_cache (EaselModelFolder *self, const char *folder);

const char *easel_model_folder_path (EaselModelFolder *self);
const char *easel_model_folder_name (EaselModelFolder *self);           /* last part of the path, or the Hub's name */
const char *easel_model_folder_pipeline_class (EaselModelFolder *self); /* "SanaPipeline" */
/* Class of a component ("AutoencoderDC"), or NULL when there is none. */
const char *easel_model_folder_class (EaselModelFolder *self, const char *component);
/* Names of the components, borrowed; free the array. */
GPtrArray *easel_model_folder_components (EaselModelFolder *self);
/* path/component; caller frees. */
char *easel_model_folder_dir (EaselModelFolder *self, const char *component);
/* config.json of a component (scheduler_config.json for "scheduler"), borrowed; NULL with an error. Read once. */
JsonObject *easel_model_folder_config (EaselModelFolder *self, const char *component, GError **error);
/* Opened weights of a component (one instance per call). `variant` may be NULL. */
EaselWeights *easel_model_folder_weights (EaselModelFolder *self, const char *component, const char *variant,
                                          GError **error);
/* Both at once, as models are made from them: *config borrowed, weights the caller's. NULL with an error. */
EaselWeights *easel_model_folder_component (EaselModelFolder *self, const char *component, const char *variant,
                                            JsonObject **config, GError **error);
/* Licence: SPDX id or name from README front matter or LICENSE file's first words; NULL when unknown. Caller frees. */
char *easel_model_folder_licence (EaselModelFolder *self);

/* What `easel-cli models` and the models page list: a quick look that opens no weights beyond their headers' sizes. */
typedef struct
{
  char *name, *path, *pipeline_class, *licence, *dtype;
  guint64 bytes;       /* of the files one run needs */
  guint64 largest;     /* of those of the largest component */
  int default_size;    /* pixels on a side, 0 unknown */
  char *problem;       /* NULL, or why it cannot be used */
} EaselModelInfo;
void easel_model_info_free (EaselModelInfo *info);
/* Every model folder directly below one of `roots` (NULL-terminated), and in the Hub's cache layout
 * (models--OWNER--NAME/snapshots/REVISION); EaselModelInfo, sorted by name; of one name the first root wins. Never
 * fails. */
GPtrArray *easel_model_folder_list (const char *const *roots);

/* Whether weights fit a device, before anything is known about the request. */
typedef enum
{
  EASEL_FIT_UNKNOWN,
  EASEL_FIT_WHOLE,    /* all at once */
  EASEL_FIT_IN_PARTS, /* one component after the other: slower */
  EASEL_FIT_NOT,
} EaselFit;
/* weights, largest: bytes of all components and of the largest, 0 unknown. budget: bytes a job may use, of which an
 * eighth is left for what it computes; G_MAXUINT64 unknown. */
EaselFit easel_fit (guint64 weights, guint64 largest, guint64 budget);

G_END_DECLS
