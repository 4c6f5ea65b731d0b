/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The three models of a folder, opened when first needed.
 */
#include "engine/core/devices.h"
#include "engine/core/plans.h"
#include "engine/sana/pipeline-private.h"

/* expected: bytes of the weights, when the dry copy has counted them. */
static EaselDtype
choose (SanaPipeline *self, EaselWeights *weights, gboolean range, guint64 expected)
{
  return easel_devices_choose_dtype (self->device, self->precision, weights, range, expected);
}

void
sana_forget_texts (SanaPipeline *self)
{
  SanaText *text;

  while ((text = g_queue_pop_head (&self->texts)))
    {
      g_free (text->key);
      g_free (text->embeds);
      g_free (text->mask);
      g_free (text);
    }
}

void
sana_set_precision (SanaPipeline *self, const char *precision)
{
  if (g_strcmp0 (self->precision, precision) == 0)
    return;
  sana_parts_clear (&self->real);
  sana_parts_clear (&self->dry);
  sana_forget_texts (self);
  g_free (self->precision);
  self->precision = g_strdup (precision);
}

gboolean
sana_parts_load_encoder (SanaPipeline *self, SanaParts *parts, GError **error)
{
  const SanaParts *dry = &self->dry;
  JsonObject *config;
  EaselWeights *weights;

  if (parts->encoder)
    return TRUE;
  if (!(weights = easel_model_folder_component (self->folder, "text_encoder", self->variant, &config, error)))
    return FALSE;
  parts->encoder_act = choose (self, weights, TRUE, dry->encoder ? easel_weights_held_bytes (dry->encoder_weights) : 0);
  if (self->encoder_streamed && parts == &self->real)
    easel_plan_hold (weights, dry->encoder_weights, easel_weights_blocks (dry->encoder_weights).n, TRUE);
  parts->encoder = easel_gemma2_new (config, weights, parts->device, error);
  parts->encoder_weights = parts->encoder ? weights : NULL;
  return parts->encoder != NULL;
}

gboolean
sana_parts_load_transformer (SanaPipeline *self, SanaParts *parts, GError **error)
{
  const SanaParts *dry = &self->dry;
  JsonObject *config;
  EaselWeights *weights;

  if (parts->transformer)
    return TRUE;
  if (!(weights = easel_model_folder_component (self->folder, "transformer", self->variant, &config, error)))
    return FALSE;
  parts->transformer_act = choose (
      self, weights, FALSE, dry->transformer ? easel_weights_held_bytes (dry->transformer_weights) : 0);
  if (self->blocks_streamed > 0 && parts == &self->real)
    easel_plan_hold (weights, dry->transformer_weights, self->blocks_streamed, FALSE);
  parts->transformer = easel_sana_transformer_new (config, weights, parts->device, error);
  parts->transformer_weights = parts->transformer ? weights : NULL;
  return parts->transformer != NULL;
}

gboolean
sana_parts_load_vae (SanaPipeline *self, SanaParts *parts, GError **error)
{
  const SanaParts *dry = &self->dry;
  JsonObject *config;
  EaselWeights *weights;

  if (parts->vae)
    return TRUE;
  /* the plain set where there is one: autoencoders of fp16 models were made for more range than fp16 has */
  if (!(weights = easel_model_folder_component (self->folder, "vae", NULL, &config, error)))
    return FALSE;
  parts->vae_act = choose (self, weights, TRUE, dry->vae ? easel_dcae_weights_bytes (dry->vae) : 0);
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
  parts->transformer_weights = NULL;
  g_clear_pointer (&parts->vae, easel_dcae_free);
}

void
sana_parts_clear (SanaParts *parts)
{
  sana_parts_drop_encoder (parts);
  sana_parts_drop_models (parts);
}
