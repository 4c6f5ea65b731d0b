/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From noise to latents (private to this room): the loop of SanaPipeline and SanaSprintPipeline over any sampler.
 */
#pragma once

#include "engine/core/rng.h"
#include "engine/samplers/sampler.h"
#include "engine/sana/transformer.h"

G_BEGIN_DECLS

/* After the model's output and before the sampler's update, once an evaluation: x [1, h, w, C] f32, the current
 * latents, and clean, the model's guess of the finished ones. On the engine's thread; memory is borrowed. */
typedef void (*SanaStepFunc) (int evaluation, EaselStream *stream, EaselTensor x, EaselTensor clean,
                              gpointer user_data);

typedef struct
{
  EaselSanaTransformer *transformer;
  EaselSampler *sampler;
  EaselTensor text;        /* [n, n_text, caption_channels] act; n: 1, or 2 with the negative prompt first */
  const guint8 *mask;      /* host [n, n_text] */
  int h, w;                /* of the latents */
  double guidance;         /* classifier-free (n = 2), or what the model is told (guidance_embeds) */
  gboolean streamed;       /* blocks of the transformer take turns on the device: a step cannot be recorded */
  gboolean trigflow;       /* SanaSprintPipeline: the sampler says what the network is asked */
  double pag_scale;        /* perturbed-attention guidance, 0: none */
  const gboolean *perturbed; /* [layers]: blocks it perturbs */
  EaselRng *rng;           /* starting noise, then the sampler's */
  const float *noise;      /* NULL, or starting noise [C, h, w] on the host in place of drawing it */
  int stop_after;          /* steps, then out is the model's guess; 0: all. As easel_job_finish_early() asks for */
  int *stopped_after;      /* NULL, or receives the steps that were taken when they are not all */
  SanaStepFunc clean_cb;   /* NULL: nobody asks for clean */
  SanaStepFunc step_cb;    /* NULL, or called after every update with x alone (tests) */
  gpointer user_data;
} SanaDenoise;

/* out: [1, h, w, C] f32, the caller's: latents in the model's scale (divide by the autoencoder's scaling factor to
 * decode). Everything else comes from the arena before the first step and is given back. Reports every step to `job`
 * (may be NULL). CANCELLED, NO_MEMORY, DEVICE. */
gboolean sana_denoise (const SanaDenoise *self, EaselStream *stream, EaselTensor out, EaselJob *job, GError **error);

G_END_DECLS
