/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SanaControlNetModel: the first blocks of a Sana transformer on a control picture's latents, giving residuals for the
 * transformer's blocks. Reference: diffusers models/controlnets/controlnet_sana.py.
 */
#pragma once

#include "engine/sana/transformer.h"

G_BEGIN_DECLS

typedef struct EaselSanaControlnet EaselSanaControlnet;

/* Takes the weights, also on failure. */
EaselSanaControlnet *easel_sana_controlnet_new (JsonObject *config, EaselWeights *weights, EaselDevice *device,
                                                GError **error);
void easel_sana_controlnet_free (EaselSanaControlnet *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselSanaControlnet, easel_sana_controlnet_free)
int easel_sana_controlnet_n_residuals (EaselSanaControlnet *self);
int easel_sana_controlnet_width (EaselSanaControlnet *self); /* channels of a residual: the transformer's inner */

/* As easel_sana_context_new. */
EaselSanaContext *easel_sana_controlnet_context_new (EaselSanaControlnet *self, EaselStream *stream, EaselTensor text,
                                                     const guint8 *mask, int h, int w, GError **error);

/* x, control: [batch, h, w, in_channels] f32 or act; timestep: [batch] f32. residuals: n_residuals tensors
 * [batch, h w, inner] act, the caller's. scale: conditioning scale. Scratch is given back. */
gboolean easel_sana_controlnet_forward (EaselSanaControlnet *self, EaselStream *stream, EaselSanaContext *context,
                                        EaselTensor x, EaselTensor control, EaselTensor timestep, double scale,
                                        EaselTensor *residuals, EaselJob *job, GError **error);

G_END_DECLS
