/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pipelines' parts, private to this room.
 */
#pragma once

#include "engine/cogvideox/denoise.h"
#include "engine/cogvideox/vae.h"
#include "engine/core/habits.h"
#include "engine/core/pipeline.h"
#include "engine/text/t5.h"
#include "engine/text/tokenizer.h"

G_BEGIN_DECLS

typedef enum
{
  COG_FROM_TEXT,    /* CogVideoXPipeline */
  COG_FROM_PICTURE, /* CogVideoXImageToVideoPipeline */
  COG_FROM_CLIP,    /* CogVideoXVideoToVideoPipeline, and CogVideoXPipeline when a clip is given */
} CogKind;

/* The models, opened when first needed. Twice: on the device, and on a dry device where a run only measures. */
typedef struct
{
  EaselDevice *device; /* borrowed (the real one) or owned (dry) */
  EaselCogTransformer *transformer;
  EaselCogVae *vae;
  EaselT5 *encoder;
  EaselWeights *encoder_weights, *transformer_weights; /* borrowed from these */
  EaselDtype encoder_act, transformer_act, vae_act; /* what each computes in, once it is opened */
} CogParts;

typedef struct
{
  EaselPipeline base;
  CogKind kind;
  EaselModelFolder *folder; /* owned */
  EaselDevice *device;      /* borrowed */
  guint64 used_before;      /* bytes of it that were given out before this pipeline */
  EaselTokenizer *tokenizer;
  JsonObject *scheduler;    /* borrowed from the folder */
  EaselCogConfig config;    /* of the transformer */
  EaselCogVaeConfig vae_config;
  int factor;               /* pixels of a side for one of latents */
  EaselHabits habits;
  const char *variant;      /* of the weights: "bf16", "fp16" or NULL */
  char *precision;          /* what the parts were opened for: "bf16", …, NULL as they were trained */
  CogParts real, dry;
  int blocks_streamed;       /* of the real transformer, as the plan wanted when it was opened */
  gboolean encoder_streamed; /* the real one */
  char *text_key;           /* the prompts whose embeddings are kept, */
  void *text;               /* [n, max_tokens, text_dim] on the host, in the encoder's dtype */
} CogPipeline;

/* A resolved request made ready: all that decides shapes. */
typedef struct
{
  const EaselRequestSettings *settings; /* borrowed */
  EaselRequest *request;                /* borrowed */
  CogKind kind;
  gboolean guided;           /* two samples: the negative prompt first */
  char *text_key;
  gint32 *ids;               /* [n, max_tokens] */
  int extra;                 /* frames of latents in front that 1.5 makes to fill its patches, and drops */
  int frames, h, w;          /* of the latents, with those */
  EaselSampler *sampler;
  /* chosen by the plan */
  EaselCogTiling tiling;     /* zero: whole */
  gboolean exclusive;        /* the text encoder and the other models are never on the device together */
} CogRecipe;

gboolean cog_recipe_init (CogRecipe *self, CogPipeline *pipeline, EaselRequest *resolved, GError **error);
void cog_recipe_clear (CogRecipe *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CogRecipe, cog_recipe_clear)

/* Closes what was opened for another precision, the text too. */
void cog_set_precision (CogPipeline *self, const char *precision);

/* The models of `parts`, opened now when they are not. */
gboolean cog_parts_load_encoder (CogPipeline *self, CogParts *parts, GError **error);
gboolean cog_parts_load_transformer (CogPipeline *self, CogParts *parts, GError **error);
gboolean cog_parts_load_vae (CogPipeline *self, CogParts *parts, GError **error);
void cog_parts_drop_encoder (CogParts *parts);
void cog_parts_drop_models (CogParts *parts); /* all but the encoder */
void cog_parts_clear (CogParts *parts);

/* What cog_generate gives. */
typedef struct
{
  EaselPicture *clip; /* of the result's size, the caller's; NULL on a dry stream */
  int stopped_after;  /* steps that were taken, 0: all */
  int reused;         /* evaluations of the model that used earlier work */
  double encode_flops, denoise_flops, decode_flops;
} CogResult;

/* Tokens to frames on `stream` with `parts`: the same code measures (dry) and makes. input: host [frames of it, height,
 * width, 3] in [-1, 1], or NULL (text to video, dry). job may be NULL. */
gboolean cog_generate (CogPipeline *self, CogParts *parts, EaselStream *stream, const CogRecipe *recipe,
                       const float *input, EaselJob *job, CogResult *result, GError **error);

/* Every way to make `recipe`, measured, in the order in which they are tried: array of EaselPlan. */
GArray *cog_plans (CogPipeline *self, CogRecipe *recipe, GError **error);
/* Chooses the recipe's last members, and puts out models that were opened for another way. */
void cog_plan_apply (CogPipeline *self, CogRecipe *recipe, const EaselPlan *plan);

/* The rules of a request. */
EaselRequest *cog_resolve (CogPipeline *self, EaselRequest *request, GError **error);
void cog_rules (CogPipeline *self, EaselModelRules *out);
/* Frames that the model is given of its input: 1 of a picture, all of a clip. */
int cog_input_frames (const CogRecipe *recipe);
/* The input of the request as the model wants it, [cog_input_frames, height, width, 3] in [-1, 1], cut in the middle to
 * the request's shape or fitted between bars, and resized; g_free. NULL with an error. */
float *cog_input_read (const CogRecipe *recipe, GError **error);

/* The file a job leaves its latents in (safetensors: slot.N, and as metadata the request and the evaluation). */
void cog_checkpoint_write (const char *path, const CogRecipe *recipe, const CogState *state, int C);
/* FALSE when there is none of this request. */
gboolean cog_checkpoint_read (const char *path, const CogRecipe *recipe, int C, CogState *out);

G_END_DECLS
