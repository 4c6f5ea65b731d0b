/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Samplers: how the model's outputs turn noise into a picture. One file a family, one table (samplers.c) that names
 * them, one interface.
 *
 * Every sampler here is linear in its buffers: the sample, the model's output, what it remembers, fresh noise. So a
 * sampler is a table of coefficients computed on the host in double, and a step is a few linear combinations that any
 * device can run (easel_lincomb). Buffers are slots:
 *   EASEL_SLOT_X       the sample, f32; updated by every step
 *   EASEL_SLOT_MODEL   the model's output for this evaluation (guidance already applied), in the model's own prediction
 *   EASEL_SLOT_NOISE   standard normal noise, drawn fresh before the step when `noise` is set
 *   EASEL_SLOT_H0…     what the sampler remembers; nothing is read there before it was written
 * An evaluation is one call of the model. Most samplers have one for each step, Heun two (and one for the last).
 *
 * A run:
 *   X = init_sigma * randn                              (or start() for a picture that is changed rather than made)
 *   for each evaluation i
 *     MODEL = model (X * input_scale, timestep)         (SCM: see easel_sampler_trigflow)
 *     draw NOISE `noise` times, keep the last
 *     easel_sampler_apply (i)
 *   the clean sample is X / data_sigma
 *
 * The reference is diffusers' scheduler of the same class, called with its steps in order from the first (its
 * begin_index set), to 1e-5 relative at every step.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/core/error.h"
#include "kernels/ops.h"

G_BEGIN_DECLS

enum
{
  EASEL_SLOT_X,
  EASEL_SLOT_MODEL,
  EASEL_SLOT_NOISE,
  EASEL_SLOT_H0,
  EASEL_N_SLOTS = EASEL_SLOT_H0 + 6
};

/* slot[dst] = sum c[i] slot[src[i]], in the order given */
typedef struct
{
  int dst, n_terms;
  int src[EASEL_MAX_TERMS];
  double c[EASEL_MAX_TERMS];
} EaselAssign;

#define EASEL_MAX_ASSIGNS 8
typedef struct
{
  double timestep;    /* what the model is told, in the scheduler's own units (diffusers' `t`) */
  double input_scale; /* the model sees x * input_scale (scale_model_input) */
  double sigma;       /* for previews and tests; NaN where the sampler has none */
  int step;           /* which of the n steps this evaluation belongs to */
  int noise;          /* how often to draw EASEL_SLOT_NOISE (one randn of x's count, f32) before the assignments; the
                       * last draw stays. 0, 1, or 2 (CogVideoX DPM draws twice and drops the first) */
  int n_assigns;
  EaselAssign assigns[EASEL_MAX_ASSIGNS];
  /* The predicted clean sample as a combination of X and MODEL (before the assignments), for previews:
   * x0 = preview_x * X + preview_model * MODEL */
  double preview_x, preview_model;
} EaselEvaluation;

/* A model's needs, to say which samplers make sense. */
typedef enum
{
  EASEL_PREDICTS_EPSILON = 1 << 0,
  EASEL_PREDICTS_V = 1 << 1,
  EASEL_PREDICTS_SAMPLE = 1 << 2,
  EASEL_PREDICTS_FLOW = 1 << 3,
  EASEL_PREDICTS_TRIGFLOW = 1 << 4,
} EaselPrediction;

typedef struct
{
  const char *name;        /* "dpm++-2m", as people write it */
  const char *description; /* one line, English */
  guint predictions;       /* EaselPrediction bits it can be used with */
  int min_steps, max_steps; /* bounds of any schedule; never more than the model's training steps */
  gboolean uses_noise;      /* draws while it samples: the result depends on the generator beyond the start */
} EaselSamplerInfo;

/* All samplers, in the order to show; *n receives how many. */
const EaselSamplerInfo *easel_sampler_list (guint *n);
const EaselSamplerInfo *easel_sampler_find (const char *name); /* NULL when unknown */

typedef struct EaselSampler EaselSampler; /* the schedule of one run: immutable once made */

/* `config`: the model's scheduler_config.json (class and fields of diffusers; unknown fields that change results are
 * UNSUPPORTED and named). `name`: NULL for the config's own class, else another sampler on this model's schedule
 * (shift, betas, prediction and spacing are kept). BAD_REQUEST when the pair makes no sense, with the reason and the
 * names that do. */
EaselSampler *easel_sampler_new (const char *name, JsonObject *config, int n_steps, GError **error);
/* The same schedule of n_steps, entered at step `first` in [0, n_steps): evaluations of earlier steps are left out
 * (diffusers: timesteps[first * order:] with begin_index). With strength s, first = n_steps - (int) (n_steps * s). */
EaselSampler *easel_sampler_new_from (const char *name, JsonObject *config, int n_steps, int first, GError **error);
/* The sampler name that a config's own class means ("flow-dpm++"). UNSUPPORTED names the class. */
const char *easel_sampler_default_name (JsonObject *config, GError **error);
/* Whether `name` can serve this config; on FALSE *reason (static or interned) says why not. */
gboolean easel_sampler_fits (const char *name, JsonObject *config, const char **reason);

void easel_sampler_free (EaselSampler *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselSampler, easel_sampler_free)

const char *easel_sampler_name (EaselSampler *self);
double easel_sampler_init_sigma (EaselSampler *self); /* starting noise is multiplied by it */
double easel_sampler_data_sigma (EaselSampler *self); /* 0.5 for SCM, else 1; the final X / it are the latents */
int easel_sampler_n_steps (EaselSampler *self);
int easel_sampler_n_evaluations (EaselSampler *self);
const EaselEvaluation *easel_sampler_evaluation (EaselSampler *self, int i);
int easel_sampler_n_slots (EaselSampler *self); /* highest slot used + 1 */

/* The sample to begin with when something existing is changed: X = *clean * data_sigma * latents + *noise * randn
 * (diffusers' add_noise at the first timestep of this run). */
void easel_sampler_start (EaselSampler *self, double *clean, double *noise);

/* SCM: how a network trained with flow time (SANA-Sprint) is asked for evaluation i; EaselEvaluation.timestep is the
 * trigflow angle, this timestep what the network is told.
 *   out   = network (X * input_scale, timestep, guidance)
 *   MODEL = from_sample * X + from_output * out
 * which is F of trigflow times data_sigma (SCMScheduler and SanaSprintPipeline). For other samplers: the identity. */
typedef struct
{
  double timestep, input_scale, from_sample, from_output;
} EaselTrigflow;
EaselTrigflow easel_sampler_trigflow (EaselSampler *self, int i);

/* Runs the assignments of evaluation i on device buffers slots[EASEL_N_SLOTS] (f32, one count). The caller has filled
 * MODEL and, when `noise` is set, NOISE. Launches are few: one easel_lincomb an assignment. */
void easel_sampler_apply (EaselSampler *self, int i, EaselStream *stream, EaselTensor *slots);

G_END_DECLS
