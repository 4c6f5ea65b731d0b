/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The three models of a folder, opened when first needed.
 */
#include "engine/sana/pipeline-private.h"

gboolean
sana_parts_load_encoder (SanaPipeline *self, SanaParts *parts, GError **error)
{
  JsonObject *config;
  EaselWeights *weights;

  if (parts->encoder)
    return TRUE;
  if (!(weights = easel_model_folder_component (self->folder, "text_encoder", self->variant, &config, error)))
    return FALSE;
  parts->encoder = easel_gemma2_new (config, weights, parts->device, error);
  parts->encoder_weights = parts->encoder ? weights : NULL;
  return parts->encoder != NULL;
}

gboolean
sana_parts_load_transformer (SanaPipeline *self, SanaParts *parts, GError **error)
{
  JsonObject *config;
  EaselWeights *weights;

  if (parts->transformer)
    return TRUE;
  if (!(weights = easel_model_folder_component (self->folder, "transformer", self->variant, &config, error)))
    return FALSE;
  parts->transformer = easel_sana_transformer_new (config, weights, parts->device, error);
  return parts->transformer != NULL;
}

gboolean
sana_parts_load_vae (SanaPipeline *self, SanaParts *parts, GError **error)
{
  JsonObject *config;
  EaselWeights *weights;

  if (parts->vae)
    return TRUE;
  /* the plain set where there is one: autoencoders of fp16 models were made for more range than fp16 has */
  if (!(weights = easel_model_folder_component (self->folder, "vae", NULL, &config, error)))
    return FALSE;
  parts->vae = easel_dcae_new (config, weights, parts->device, error);
  return parts->vae != NULL;
}

void
sana_parts_drop_encoder (SanaParts *parts)
{
  g_clear_pointer (&parts->encoder, easel_gemma2_free);
  parts->encoder_weights = NULL;
}

void
sana_parts_drop_models (SanaParts *parts)
{
  g_clear_pointer (&parts->transformer, easel_sana_transformer_free);
  g_clear_pointer (&parts->vae, easel_dcae_free);
}

void
sana_parts_clear (SanaParts *parts)
{
  sana_parts_drop_encoder (parts);
  sana_parts_drop_models (parts);
}
