/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * easel.json, an optional file beside model_index.json that says how a model was trained where that differs from what
 * the pipelines assume. Every member is optional:
 *
 *   {
 *     "human_instruction": false,   prompts were given without the complex human instruction   (default true)
 *     "max_tokens": 64,             tokens of a prompt it saw                                   (default 300)
 *     "steps": 20, "guidance": 4.5, what looks best                 (default 20, 4.5; Sprint 2, 4.5; CogVideoX 50, 6)
 *     "fps": 8,                     clips: frames a second it was trained with          (default 8; CogVideoX 1.5: 16)
 *     "latent_rgb": [[r, g, b], …], for previews: colour = latent_rgb_bias + sum over channels of latent * row
 *     "latent_rgb_bias": [r, g, b]  in 0 to 1                                                   (0.5 each)
 *   }
 */
#pragma once

#include "engine/core/picture.h"

G_BEGIN_DECLS

typedef struct
{
  gboolean human_instruction;
  int max_tokens, steps;
  double guidance, fps;
  int n_channels;   /* rows of latent_rgb */
  float *latent_rgb; /* [n_channels, 3], never NULL */
  float bias[3];
} EaselHabits;

/* Reads folder/easel.json when there is one. defaults: what the pipeline assumes (its colours and n_channels are not
 * read); n_channels: of the latents. DAMAGED names the member. */
gboolean easel_habits_read (EaselHabits *self, const char *folder, int n_channels, const EaselHabits *defaults,
                            GError **error);
void easel_habits_clear (EaselHabits *self);

/* A small picture or clip of latents: clean [frames, h, w, n_channels] f32 on the host -> [frames, h, w] colours. NULL
 * without memory. */
EaselPicture *easel_habits_preview (const EaselHabits *self, const float *clean, int w, int h, int frames);

G_END_DECLS
