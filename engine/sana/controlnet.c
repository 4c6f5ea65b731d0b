/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SanaControlNetModel: the trunk, an entry for the control picture and a projection after each block.
 */
#include "engine/sana/controlnet.h"

#include "engine/sana/trunk.h"

struct EaselSanaControlnet
{
  SanaTrunk trunk;
  SanaLinear input;     /* [C, C], on the embedded control picture */
  SanaLinear *outputs;  /* [layers] of [C, C] */
};

EaselSanaControlnet *
easel_sana_controlnet_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error)
{
  g_autoptr (EaselSanaControlnet) self = g_new0 (EaselSanaControlnet, 1);
  const EaselSanaConfig *c = &self->trunk.config;

  if (!sana_trunk_init (&self->trunk, config, "controlnet/config.json", weights, device, error))
    return NULL;
  if (c->guidance_embeds || c->qk_norm)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "controlnet/config.json: SanaControlNetModel has neither guidance_embeds nor qk_norm");
      return NULL;
    }
  self->input = sana_take_linear (weights, c->inner, c->inner, TRUE, "input_block");
  self->outputs = g_new0 (SanaLinear, c->layers);
  for (int i = 0; i < c->layers; i++)
    self->outputs[i] = sana_take_linear (weights, c->inner, c->inner, TRUE, "controlnet_blocks.%d", i);
  if (!easel_weights_done (weights, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
easel_sana_controlnet_free (EaselSanaControlnet *self)
{
  if (!self)
    return;
  g_free (self->outputs);
  sana_trunk_clear (&self->trunk);
  g_free (self);
}

int
easel_sana_controlnet_n_residuals (EaselSanaControlnet *self)
{
  return self->trunk.config.layers;
}

int
easel_sana_controlnet_width (EaselSanaControlnet *self)
{
  return self->trunk.config.inner;
}

EaselSanaContext *
easel_sana_controlnet_context_new (EaselSanaControlnet *self, EaselStream *stream, EaselTensor text, const guint8 *mask,
                                   int h, int w, GError **error)
{
  return sana_trunk_context (&self->trunk, stream, text, mask, h, w, error);
}

gboolean
easel_sana_controlnet_forward (EaselSanaControlnet *self, EaselStream *s, EaselSanaContext *context, EaselTensor x,
                               EaselTensor control, EaselTensor timestep, double scale, EaselTensor *residuals,
                               EaselJob *job, GError **error)
{
  const SanaTrunk *trunk = &self->trunk;
  const gint64 B = context->batch, C = trunk->config.inner;
  const size_t mark = easel_stream_mark (s);
  EaselTensor tokens, hint, gate, modulation;

  if (!sana_trunk_check_input (trunk, context, x, timestep, EASEL_NO_TENSOR, error)
      || !sana_trunk_check_input (trunk, context, control, timestep, EASEL_NO_TENSOR, error))
    return FALSE;
  if (x.shape[0] != B || control.shape[0] != B)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "A ControlNet needs latents and a picture for each sample");
      return FALSE;
    }

  /* 1. tokens = patches (x) + input (patches (control))   [B, h w, C] */
  tokens = easel_new (s, s->act_dtype, B, (gint64) context->h * context->w, C);
  hint = easel_new (s, s->act_dtype, B, (gint64) context->h * context->w, C);
  sana_trunk_embed_patches (trunk, s, context, x, tokens);
  sana_trunk_embed_patches (trunk, s, context, control, hint);
  easel_linear (s, .x = hint, .w = self->input.w, .bias = self->input.b, .residual = tokens, .y = tokens);

  /* 2. Blocks; after each, residual = scale * output (tokens). The scale is a gate of one value. */
  modulation = sana_trunk_modulate (trunk, s, context, timestep, EASEL_NO_TENSOR, NULL);
  gate = easel_new (s, EASEL_DTYPE_F32, B, C);
  if (!easel_stream_is_dry (s) && easel_stream_ok (s))
    {
      g_autofree float *host = g_new (float, B *C);

      for (gint64 i = 0; i < B * C; i++)
        host[i] = scale;
      easel_upload (s, gate, host);
    }
  for (int i = 0; i < trunk->config.layers; i++)
    {
      sana_trunk_block (trunk, s, context, i, tokens, modulation, 0, B);
      easel_linear (s, .x = tokens, .w = self->outputs[i].w, .bias = self->outputs[i].b, .gate = gate,
                    .y = residuals[i]);
      if (!easel_stream_check (s, "Following the control picture", error) || !easel_job_check (job, error))
        {
          easel_stream_release (s, mark);
          return FALSE;
        }
    }
  easel_stream_release (s, mark);
  return TRUE;
}
