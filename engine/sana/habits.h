/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * easel.json, an optional file beside model_index.json that says how a model was trained where that differs from what
 * Sana's pipelines assume. Every member is optional:
 *
 *   {
 *     "human_instruction": false,   prompts were given without the complex human instruction   (default true)
 *     "max_tokens": 64,             tokens of a prompt it saw                                   (default 300)
 *     "steps": 20, "guidance": 4.5, what looks best                                  (default 20, 4.5; Sprint 2, 4.5)
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
  double guidance;
  int n_channels;   /* rows of latent_rgb */
  float *latent_rgb; /* [n_channels, 3], never NULL */
  float bias[3];
} SanaHabits;

/* Reads folder/easel.json when there is one. n_channels: of the latents. DAMAGED names the member. */
gboolean sana_habits_read (SanaHabits *self, const char *folder, int n_channels, gboolean sprint, GError **error);
void sana_habits_clear (SanaHabits *self);

/* A small picture of latents: clean [h, w, n_channels] f32 on the host -> [h, w] colours. NULL without memory. */
EaselPicture *sana_habits_preview (const SanaHabits *self, const float *clean, int w, int h);

G_END_DECLS
