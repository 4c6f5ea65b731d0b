/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every pipeline class offers the engine. A table maps class names of model_index.json to these.
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/model-folder.h"
#include "engine/text/tokenizer.h"

G_BEGIN_DECLS

typedef struct EaselPipeline EaselPipeline;

/* The plan of one job: what it will need, before it runs. */
typedef struct
{
  guint64 weights_bytes;      /* held at the peak */
  guint64 activations_bytes;  /* largest arena of any stage */
  guint64 peak_bytes;         /* of the whole job on this device */
  double flops;               /* whole job, one picture */
  double encode_flops, step_flops, decode_flops; /* of its stages, 0 not known: tells the time left of a first run */
  int steps, width, height, frames;
  int input_width, input_height; /* of the picture or clip it begins with, where its shape is another; else 0 */
  int tile_width, tile_height; /* pixels decoded at a time; 0: everything at once */
  gboolean takes_turns;        /* the text encoder and the other models are not in memory together */
  gboolean encoder_streamed;   /* and it is read block by block */
  int blocks_streamed;         /* of the transformer, that take turns on the device; 0: all stay */
  guint64 streamed_bytes;      /* what these copy for a step */
  gboolean fits;               /* what the device gives */
  int way;                     /* the pipeline's: which of its ways to decode, the best first */
  char *summary;               /* a sentence for the person */
} EaselPlan;
void easel_plan_clear (EaselPlan *plan);
/* The part of the input, 0 to 1, that is cut off to give it the shape of what is made; 0 where input_width is. *sides:
 * at its sides (fitted: with bars above and below), not at its top and bottom. */
double easel_plan_input_cut (const EaselPlan *plan, gboolean *sides);

/* Bytes a job may use of a device of which used_before are taken already: its limit; on a card without one what is
 * free now; on the processor seven tenths of what the machine has, not of what happens to be free: the same request
 * must choose the same plan. */
guint64 easel_plan_budget (EaselDevice *device, guint64 used_before);

/* What may stand beside the words. */
typedef enum
{
  EASEL_INPUT_NONE,
  EASEL_INPUT_PICTURE,       /* needed */
  EASEL_INPUT_CLIP,          /* needed */
  EASEL_INPUT_CLIP_OPTIONAL,
} EaselInput;

#define EASEL_MODEL_MAX_SIZES 48

/* What a model can be asked for, so that a person is offered nothing else; resolve() stays the judge. */
typedef struct
{
  struct
  {
    int width, height;
  } sizes[EASEL_MODEL_MAX_SIZES]; /* it was trained with, the model's own first */
  int n_sizes;
  int least, most, multiple; /* of sides typed freely; multiple 1: any, made at the nearest of `sizes` and cut */
  gboolean only_sizes;       /* nothing but `sizes` */
  int frames_least, frames_most, frames_step; /* least + k * step; most 0: makes pictures */
  EaselInput input;
  gboolean negative;         /* a negative prompt has an effect */
  double guidance_most;
} EaselModelRules;

typedef struct
{
  const char *pipeline_class; /* "SanaPipeline" */
  /* Opens what is cheap (configs, tokenizer); weights are mapped when a stage needs them. Takes the folder, also on
   * failure. */
  EaselPipeline *(*open) (EaselModelFolder *folder, EaselDevice *device, GError **error);
  /* Fills every default and checks every model-dependent rule; BAD_REQUEST says the rule and the nearest good value. */
  EaselRequest *(*resolve) (EaselPipeline *self, EaselRequest *request, GError **error);
  void (*rules) (EaselPipeline *self, EaselModelRules *out);
  /* How much of the request's prompt the model sees; it need not be resolved. BAD_REQUEST: not UTF-8, too long. */
  gboolean (*meter) (EaselPipeline *self, EaselRequest *request, EaselTokenMeter *out, GError **error);
  /* Every way to do the job, an array of EaselPlan in the order in which they are tried (g_array_unref). */
  GArray *(*plans) (EaselPipeline *self, EaselRequest *resolved, GError **error);
  /* One picture or clip: `resolved` has count 1 and a seed; the engine sets the picture's request. Engine thread only.
   * CANCELLED, NO_MEMORY, DAMAGED, …; *out untouched on failure. */
  gboolean (*run) (EaselPipeline *self, EaselRequest *resolved, EaselJob *job, EaselPicture **out, GError **error);
  void (*free) (EaselPipeline *self);
} EaselPipelineClass;

/* The plan that is tried first; easel_plan_clear. */
gboolean easel_pipeline_plan (EaselPipeline *self, EaselRequest *resolved, EaselPlan *out, GError **error);

/* For run(): the request as it was carried out when not all steps were taken (easel_job_finish_early()) or some used
 * the work of others; 0: neither. Caller unrefs. */
EaselRequest *easel_request_as_done (EaselRequest *resolved, int stopped_after, int reused, GError **error);

struct EaselPipeline
{
  const EaselPipelineClass *klass;
  /* the pipeline's own follows */
};

/* engine/sana */
extern const EaselPipelineClass easel_sana_pipeline_class;        /* SanaPipeline */
extern const EaselPipelineClass easel_sana_sprint_pipeline_class; /* SanaSprintPipeline */

/* engine/cogvideox */
extern const EaselPipelineClass easel_cogvideox_pipeline_class;       /* CogVideoXPipeline */
extern const EaselPipelineClass easel_cogvideox_image_pipeline_class; /* CogVideoXImageToVideoPipeline */
extern const EaselPipelineClass easel_cogvideox_video_pipeline_class; /* CogVideoXVideoToVideoPipeline */

/* The class for a folder; UNSUPPORTED names the class and lists what is known. */
const EaselPipelineClass *easel_pipeline_class_find (const char *pipeline_class, GError **error);

G_END_DECLS
