/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pipeline's parts, private to this room.
 */
#pragma once

#include "engine/core/pipeline.h"
#include "engine/samplers/sampler.h"
#include "engine/sana/dcae.h"
#include "engine/core/habits.h"
#include "engine/sana/transformer.h"
#include "engine/text/sana-prompt.h"

G_BEGIN_DECLS

/* The models, opened when first needed. Twice: on the device, and on a dry device where a run only measures. */
typedef struct
{
  EaselDevice *device; /* borrowed (the real one) or owned (dry) */
  EaselSanaTransformer *transformer;
  EaselDcae *vae;
  EaselGemma2 *encoder;
  EaselWeights *encoder_weights, *transformer_weights; /* borrowed from these */
  EaselDtype encoder_act, transformer_act, vae_act; /* what each computes in, once it is opened */
} SanaParts;

/* An encoded prompt, on the host in the dtype that the encoder computes in. */
typedef struct
{
  char *key;
  int n_text; /* rows up to the last real token */
  void *embeds;  /* [n_text, hidden] */
  guint8 *mask;  /* [n_text] */
} SanaText;

typedef struct
{
  EaselPipeline base;
  gboolean sprint;
  EaselModelFolder *folder; /* owned */
  EaselDevice *device;      /* borrowed */
  guint64 used_before;      /* bytes of it that were given out before this pipeline */
  EaselTokenizer *tokenizer;
  JsonObject *scheduler;    /* borrowed from the folder */
  EaselSanaConfig config;   /* of the transformer */
  int factor;               /* pixels of picture for one of latent */
  double scaling;
  EaselHabits habits;
  const char *variant;      /* of the weights: "bf16", "fp16" or NULL */
  char *precision;          /* what the parts were opened for: "bf16", …, NULL as they were trained */
  SanaParts real, dry;
  int blocks_streamed;       /* of the real transformer, as the plan wanted when it was opened */
  gboolean encoder_streamed; /* the real one */
  GQueue texts;             /* of SanaText, the last used first */
  guint encodings;          /* how often the text encoder has run for a job (tests) */
} SanaPipeline;

/* A resolved request made ready: all that decides shapes. */
typedef struct
{
  const EaselRequestSettings *settings; /* borrowed */
  int width, height; /* that are generated; settings' are those of the result */
  gboolean guided;   /* two samples: the negative prompt first */
  EaselSanaTokens *prompt, *negative;
  char *prompt_key, *negative_key;
  int n_text;        /* rows of text both have */
  EaselSampler *sampler;
  /* chosen by the plan */
  EaselDcaeTiling tiling; /* zero: whole */
  gboolean exclusive;     /* the text encoder and the other models are never on the device together */
} SanaRecipe;

gboolean sana_recipe_init (SanaRecipe *self, SanaPipeline *pipeline, EaselRequest *resolved, GError **error);
void sana_recipe_clear (SanaRecipe *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SanaRecipe, sana_recipe_clear)

/* Closes what was opened for another precision, texts too. */
void sana_set_precision (SanaPipeline *self, const char *precision);

/* The models of `parts`, opened now when they are not. */
gboolean sana_parts_load_encoder (SanaPipeline *self, SanaParts *parts, GError **error);
gboolean sana_parts_load_transformer (SanaPipeline *self, SanaParts *parts, GError **error);
gboolean sana_parts_load_vae (SanaPipeline *self, SanaParts *parts, GError **error);
void sana_parts_drop_encoder (SanaParts *parts);
void sana_parts_drop_models (SanaParts *parts); /* all but the encoder */
void sana_parts_clear (SanaParts *parts);
void sana_forget_texts (SanaPipeline *self);

/* What sana_generate gives. */
typedef struct
{
  guint8 *pixels; /* host [height, width, 3] of the result's size, the caller's; NULL on a dry stream */
  int stopped_after; /* steps that were taken, 0: all */
  double encode_flops, denoise_flops, decode_flops;
} SanaResult;

/* Tokens to pixels on `stream` with `parts`: the same code measures (dry) and makes. job may be NULL. */
gboolean sana_generate (SanaPipeline *self, SanaParts *parts, EaselStream *stream, const SanaRecipe *recipe,
                        EaselJob *job, SanaResult *result, GError **error);

/* Every way to make `recipe`, measured, in the order in which they are tried: array of EaselPlan. */
GArray *sana_plans (SanaPipeline *self, SanaRecipe *recipe, GError **error);
/* Chooses the recipe's last members, and puts out models that were opened for another way. */
void sana_plan_apply (SanaPipeline *self, SanaRecipe *recipe, const EaselPlan *plan);

G_END_DECLS
