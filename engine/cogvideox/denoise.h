/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From noise to latents of a clip (private to this room): the loop of all CogVideoX pipelines over any sampler.
 */
#pragma once

#include "engine/cogvideox/transformer.h"
#include "engine/core/rng.h"
#include "engine/samplers/sampler.h"

G_BEGIN_DECLS

/* After an evaluation of the model: x [F, h, w, C] f32, the latents, and clean, the model's guess of the finished ones.
 * On the engine's thread; memory is borrowed. */
typedef void (*CogStepFunc) (int evaluation, EaselStream *stream, EaselTensor x, EaselTensor clean, gpointer user_data);

/* Everything the loop needs to go on with `evaluation`, on the host: slots [F, h, w, C] f32, the sampler's, NULL those
 * that it does not use. */
typedef struct
{
  int evaluation, n_slots, reused; /* reused: evaluations before it that used earlier work */
  float *slots[EASEL_N_SLOTS];
} CogState;
void cog_state_clear (CogState *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CogState, cog_state_clear)

/* Called between evaluations, when keep_every of them have passed (with reuse: and the next one computes everything);
 * borrowed. */
typedef void (*CogKeepFunc) (const CogState *state, gpointer user_data);

typedef struct
{
  EaselCogTransformer *transformer;
  EaselSampler *sampler;
  EaselTensor text;     /* [n, n_text, text_dim] act; n: 1, or 2 with the negative prompt first */
  int frames, h, w;     /* of the latents */
  double guidance;      /* classifier-free (n = 2) */
  gboolean dynamic;     /* guidance grows from 1 as the reference's use_dynamic_cfg says */
  double ofs;           /* for models that have it */
  double reuse;         /* 0: every step is computed; else the change below which a step uses earlier work (reuse.h) */
  int *reused;          /* NULL, or receives how many evaluations did so */
  EaselRng *rng;        /* starting noise, then the sampler's */
  const float *noise;   /* NULL, or starting noise [F, C, h, w] in place of drawing it */
  const float *start;   /* NULL, or latents [F, h, w, C] of a clip to change, in the model's scale */
  const float *picture; /* latents [F, h, w, C] beside the noise for models that take 2 C channels, else NULL */
  const CogState *resume; /* NULL, or where an earlier run of the same request was; rng as at its beginning */
  int stop_after;       /* steps, then out is the model's guess; 0: all. As easel_job_finish_early() asks for */
  int *stopped_after;   /* NULL, or receives the steps that were taken when they are not all */
  int keep_every;       /* 0: never */
  CogKeepFunc keep_cb;
  CogStepFunc clean_cb; /* NULL: nobody asks for clean. Before the sampler's update. */
  CogStepFunc step_cb;  /* NULL, or called after every update with x alone (tests) */
  gpointer user_data;
} CogDenoise;

/* out: [F, h, w, C] f32, the caller's: latents in the model's scale. All memory comes from the arena before the first
 * step and is given back. Reports every step to `job` (may be NULL). CANCELLED, NO_MEMORY, DEVICE. */
gboolean cog_denoise (const CogDenoise *self, EaselStream *stream, EaselTensor out, EaselJob *job, GError **error);

G_END_DECLS
