/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every pipeline class offers the engine. A table maps class names of model_index.json to these.
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/model-folder.h"

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
  char *summary;              /* a sentence for the person */
} EaselPlan;
void easel_plan_clear (EaselPlan *plan);

/* Bytes a job may use of a device of which used_before are taken already: its limit, or on the processor seven tenths
 * of what the machine has. Not of what happens to be free now: the same request must choose the same plan. */
guint64 easel_plan_budget (EaselDevice *device, guint64 used_before);

typedef struct
{
  const char *pipeline_class; /* "SanaPipeline" */
  /* Opens what is cheap (configs, tokenizer); weights are mapped when a stage needs them. Takes the folder, also on
   * failure. */
  EaselPipeline *(*open) (EaselModelFolder *folder, EaselDevice *device, GError **error);
  /* Fills every default and checks every model-dependent rule; BAD_REQUEST says the rule and the nearest good value. */
  EaselRequest *(*resolve) (EaselPipeline *self, EaselRequest *request, GError **error);
  gboolean (*plan) (EaselPipeline *self, EaselRequest *resolved, EaselPlan *out, GError **error);
  /* One picture or clip: `resolved` has count 1 and a seed; the engine sets the picture's request. Engine thread only.
   * CANCELLED, NO_MEMORY, DAMAGED, …; *out untouched on failure. */
  gboolean (*run) (EaselPipeline *self, EaselRequest *resolved, EaselJob *job, EaselPicture **out, GError **error);
  void (*free) (EaselPipeline *self);
} EaselPipelineClass;

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
