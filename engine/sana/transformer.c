/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SanaTransformer2DModel: the trunk and its output.
 */
#include "engine/sana/trunk.h"

#define OUT_NORM_EPS 1e-6f /* a constant of the reference class, not norm_eps */

struct EaselSanaTransformer
{
  SanaTrunk trunk;
  SanaLinear out; /* [out_channels, C] */
};

EaselSanaTransformer *
easel_sana_transformer_new (JsonObject *config, EaselWeights *weights, EaselDevice *device, GError **error)
{
  g_autoptr (EaselSanaTransformer) self = g_new0 (EaselSanaTransformer, 1);
  SanaTrunk *t = &self->trunk;

  if (!sana_trunk_init (t, config, "transformer/config.json", weights, device, error))
    return NULL;
  t->out_scale_shift = easel_weights_take (weights, EASEL_SHAPE (2, t->config.inner), "scale_shift_table");
  self->out = sana_take_linear (weights, t->config.out_channels, t->config.inner, TRUE, "proj_out");
  if (!easel_weights_done (weights, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
easel_sana_transformer_free (EaselSanaTransformer *self)
{
  if (!self)
    return;
  sana_trunk_clear (&self->trunk);
  g_free (self);
}

const EaselSanaConfig *
easel_sana_transformer_config (EaselSanaTransformer *self)
{
  return &self->trunk.config;
}

EaselSanaContext *
easel_sana_context_new (EaselSanaTransformer *self, EaselStream *stream, EaselTensor text, const guint8 *mask, int h,
                        int w, GError **error)
{
  return sana_trunk_context (&self->trunk, stream, text, mask, h, w, error);
}

static gboolean
check_step (EaselSanaTransformer *self, EaselSanaContext *context, const EaselSanaStep *step, EaselTensor out,
            GError **error)
{
  const EaselSanaConfig *c = &self->trunk.config;

  if (!sana_trunk_check_input (&self->trunk, context, step->x, step->timestep, step->guidance, error))
    return FALSE;
  if (easel_tensor_count (&out) != (gint64) context->batch * context->h * context->w * c->out_channels
      || out.dtype != EASEL_DTYPE_F32)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "The transformer's output has another shape");
  else if (step->n_perturbed < 0 || (step->n_perturbed > 0 && step->n_perturbed >= context->batch))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%d perturbed samples in a batch of %d",
                 step->n_perturbed, context->batch);
  else
    return TRUE;
  return FALSE;
}

gboolean
easel_sana_transformer_forward (EaselSanaTransformer *self, EaselStream *s, EaselSanaContext *context,
                                const EaselSanaStep *step, EaselTensor out, EaselJob *job, GError **error)
{
  const SanaTrunk *trunk = &self->trunk;
  const gint64 B = context->batch, N = (gint64) context->h * context->w, C = trunk->config.inner;
  const gint64 g = easel_tensor_count (&step->timestep);
  const size_t mark = easel_stream_mark (s);
  EaselTensor x, modulation, time, shift_scale, y;
  int n_same = B;

  if (!check_step (self, context, step, out, error))
    return FALSE;

  /* 1. Patches: [B, h, w, in] -> x [B, N, C]. Samples that start alike stay alike until they meet their text, so one is
   *    enough until then, unless their times differ or the first block is perturbed.
   * 2. Time: shifts, scales and gates of every block. */
  x = easel_new (s, s->act_dtype, B, N, C);
  if (!easel_stream_check (s, "Denoising", error))
    return FALSE;
  if (step->x.shape[0] == 1)
    {
      n_same = 1;
      sana_trunk_embed_patches (trunk, s, context, step->x, easel_tensor_rows (x, 0, 1));
      if (g > 1 || (step->n_perturbed > 0 && step->perturbed && step->perturbed[0]))
        {
          n_same = B;
          for (gint64 j = 1; j < B; j++)
            easel_cast (s, .x = easel_tensor_rows (x, 0, 1), .y = easel_tensor_rows (x, j, 1));
        }
    }
  else
    sana_trunk_embed_patches (trunk, s, context, step->x, x);
  modulation = sana_trunk_modulate (trunk, s, context, step->timestep, step->guidance, &time);

  /* 3. Blocks, in place on x. */
  for (int i = 0; i < trunk->config.layers; i++)
    {
      gboolean perturbed = step->perturbed && step->perturbed[i];

      sana_trunk_block (trunk, s, context, i, x, modulation, perturbed ? step->n_perturbed : 0, i == 0 ? n_same : B);
      if (step->blocks)
        easel_cast (s, .x = x, .y = step->blocks[i]);
      if (step->control && i > 0 && i <= step->n_control)
        easel_add (s, .x = x, .r = step->control[i - 1], .y = x);
      if (!easel_stream_check (s, "Denoising", error) || !easel_job_check (job, error))
        {
          easel_stream_release (s, mark);
          return FALSE;
        }
    }

  /* 4. Output: norm, shift and scale by the time, projection to [B, h, w, out]. */
  shift_scale = easel_new (s, EASEL_DTYPE_F32, 2, g, C);
  sana_trunk_shift_table (s, context->out_table, time, shift_scale);
  easel_norm (s, .kind = EASEL_NORM_LAYER, .x = x,
              .shift = easel_tensor_as (easel_tensor_rows (shift_scale, 0, 1), g, C),
              .scale = easel_tensor_as (easel_tensor_rows (shift_scale, 1, 1), g, C), .y = x, .eps = OUT_NORM_EPS);
  out = easel_tensor_as (out, B, N, trunk->config.out_channels);
  y = s->act_dtype == EASEL_DTYPE_F32 ? out
                                               : easel_new (s, s->act_dtype, B, N, trunk->config.out_channels);
  easel_linear (s, .x = x, .w = self->out.w, .bias = self->out.b, .y = y);
  if (y.data != out.data)
    easel_cast (s, .x = y, .y = out);
  easel_stream_release (s, mark);
  return easel_stream_check (s, "Denoising", error);
}
