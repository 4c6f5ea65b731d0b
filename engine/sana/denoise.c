/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sana/denoise.h"

#include <string.h>

#define WORTH_RECORDING 4 /* evaluations: a recording costs about as much as two */

/* What the loop holds on the device. n samples a forward pass, C channels. */
typedef struct
{
  int n, C;
  gsize count;                       /* of one sample */
  EaselTensor slots[EASEL_N_SLOTS];  /* [1, h, w, C] f32 */
  EaselTensor input, output;         /* [1, h, w, C], [n, h, w, C] f32: samples differ in their text alone */
  EaselTensor text;                  /* [n, n_text, channels] */
  guint8 *mask;                      /* host [n, n_text] */
  EaselTensor timestep, guidance;    /* [1] f32 */
  EaselTensor clean;                 /* [1, h, w, C] f32 */
  float *host;                       /* [2 C h w] */
  EaselGraph *graph;                 /* one evaluation, on devices that record; freed with the stream at hand */
} Loop;

static void
loop_clear (Loop *l)
{
  g_free (l->mask);
  g_free (l->host);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Loop, loop_clear)

static void
upload_value (EaselStream *s, EaselTensor t, double value)
{
  const float host = (float) value;

  easel_upload (s, t, &host);
}

/* NCHW noise as torch draws it -> channels last on the device. */
static void
upload_noise (const SanaDenoise *self, EaselStream *s, Loop *l, const float *given, EaselTensor to)
{
  const gsize pixels = (gsize) self->h * self->w;
  float *last = l->host + l->count;

  if (easel_stream_is_dry (s))
    return;
  if (!given)
    {
      easel_rng_randn (self->rng, l->host, l->count, EASEL_DTYPE_F32);
      given = l->host;
    }
  for (gsize p = 0; p < pixels; p++)
    for (int c = 0; c < l->C; c++)
      last[p * l->C + c] = given[c * pixels + p];
  easel_upload (s, to, last);
}

/* Perturbed attention runs the last sample once more. */
static void
repeat_last (EaselStream *s, Loop *l, EaselTensor text, const guint8 *mask)
{
  const gint64 n_text = text.shape[1], have = text.shape[0];

  l->mask = g_malloc (l->n * n_text);
  memcpy (l->mask, mask, have * n_text);
  l->text = text;
  if (l->n == have)
    return;
  memcpy (l->mask + have * n_text, mask + (have - 1) * n_text, n_text);
  l->text = easel_new (s, text.dtype, l->n, n_text, text.shape[2]);
  if (!easel_stream_ok (s))
    return;
  easel_cast (s, .x = text, .y = easel_tensor_rows (l->text, 0, have));
  easel_cast (s, .x = easel_tensor_rows (text, have - 1, 1), .y = easel_tensor_rows (l->text, have, 1));
}

static gboolean
prepare (const SanaDenoise *self, EaselStream *s, Loop *l, GError **error)
{
  const EaselSanaConfig *c = easel_sana_transformer_config (self->transformer);
  const gint64 h = self->h, w = self->w;

  l->C = c->in_channels;
  l->n = (int) self->text.shape[0] + (self->pag_scale > 0 ? 1 : 0);
  l->count = (gsize) h * w * l->C;
  l->host = g_try_malloc_n (2 * l->count, sizeof (float));
  if (!l->host)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for latents of %d x %d", self->w,
                   self->h);
      return FALSE;
    }
  for (int i = 0; i < easel_sampler_n_slots (self->sampler); i++)
    l->slots[i] = easel_new (s, EASEL_DTYPE_F32, 1, h, w, l->C);
  l->input = easel_new (s, EASEL_DTYPE_F32, 1, h, w, l->C);
  l->output = easel_new (s, EASEL_DTYPE_F32, l->n, h, w, l->C);
  l->clean = easel_new (s, EASEL_DTYPE_F32, 1, h, w, l->C);
  l->timestep = easel_new (s, EASEL_DTYPE_F32, 1);
  if (c->guidance_embeds)
    {
      l->guidance = easel_new (s, EASEL_DTYPE_F32, 1);
      upload_value (s, l->guidance, self->guidance * c->guidance_embeds_scale);
    }
  repeat_last (s, l, self->text, self->mask);
  return easel_stream_check (s, "Denoising", error);
}

/* MODEL from the outputs: guidance between the samples. */
static void
guide (const SanaDenoise *self, EaselStream *s, Loop *l)
{
  const float g = (float) self->guidance, p = (float) self->pag_scale;
  EaselTensor out[3] = { EASEL_NO_TENSOR };

  if (!easel_stream_ok (s))
    return;
  for (int i = 0; i < l->n; i++)
    out[i] = easel_tensor_rows (l->output, i, 1);
  if (self->pag_scale > 0 && l->n == 3) /* negative + g (text - negative) + p (text - perturbed) */
    easel_lincomb (s, .n_terms = 3, .x = { out[0], out[1], out[2] }, .c = { 1 - g, g + p, -p },
                   .y = l->slots[EASEL_SLOT_MODEL]);
  else if (self->pag_scale > 0) /* text + p (text - perturbed) */
    easel_lincomb (s, .n_terms = 2, .x = { out[0], out[1] }, .c = { 1 + p, -p }, .y = l->slots[EASEL_SLOT_MODEL]);
  else if (l->n == 2) /* negative + g (text - negative) */
    easel_lincomb (s, .n_terms = 2, .x = { out[0], out[1] }, .c = { 1 - g, g }, .y = l->slots[EASEL_SLOT_MODEL]);
  else
    easel_lincomb (s, .n_terms = 1, .x = { out[0] }, .c = { 1 }, .y = l->slots[EASEL_SLOT_MODEL]);
}

/* The network and guidance: what is the same at every evaluation, but for the numbers in input and timestep. */
static gboolean
run_model (const SanaDenoise *self, EaselStream *s, EaselSanaContext *context, Loop *l, EaselJob *job, GError **error)
{
  const EaselSanaStep step = { .x = l->input, .timestep = l->timestep, .guidance = l->guidance,
                               .n_perturbed = self->pag_scale > 0 ? 1 : 0, .perturbed = self->perturbed };

  if (!easel_sana_transformer_forward (self->transformer, s, context, &step, l->output, job, error))
    return FALSE;
  guide (self, s, l);
  return easel_stream_check (s, "Denoising", error);
}

/* The same: issued the first time, recorded the second when that is worth it and the device can, then replayed. */
static gboolean
run_model_again (const SanaDenoise *self, EaselStream *s, EaselSanaContext *context, Loop *l, int i, EaselJob *job,
                 GError **error)
{
  if (!l->graph && i == 1 && !self->streamed && easel_sampler_n_evaluations (self->sampler) >= WORTH_RECORDING
      && easel_graph_begin (s))
    {
      const size_t mark = easel_stream_mark (s);
      g_autoptr (GError) problem = NULL;

      run_model (self, s, context, l, job, &problem);
      l->graph = easel_graph_end (s);
      easel_stream_release (s, mark);
      if (g_error_matches (problem, EASEL_ERROR, EASEL_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&problem));
          return FALSE;
        }
    }
  if (!l->graph)
    return run_model (self, s, context, l, job, error);
  easel_graph_replay (s, l->graph);
  return easel_stream_check (s, "Denoising", error);
}

/* One evaluation of the model into MODEL. A sampler of trigflow (SANA-Sprint) says what time and scale the network is
 * told and how its output becomes MODEL; for all others that is the sampler's own time and the guided output. */
static gboolean
evaluate (const SanaDenoise *self, EaselStream *s, EaselSanaContext *context, Loop *l, int i, EaselJob *job,
          GError **error)
{
  const EaselSanaConfig *c = easel_sana_transformer_config (self->transformer);
  const EaselEvaluation *e = easel_sampler_evaluation (self->sampler, i);
  EaselTrigflow flow = { e->timestep * c->timestep_scale, e->input_scale, 0, 1 };

  if (self->trigflow)
    flow = easel_sampler_trigflow (self->sampler, i);
  upload_value (s, l->timestep, flow.timestep);
  easel_lincomb (s, .n_terms = 1, .x = { l->slots[EASEL_SLOT_X] }, .c = { (float) flow.input_scale }, .y = l->input);
  if (!run_model_again (self, s, context, l, i, job, error))
    return FALSE;
  if (self->trigflow)
    easel_lincomb (s, .n_terms = 2, .x = { l->slots[EASEL_SLOT_X], l->slots[EASEL_SLOT_MODEL] },
                   .c = { (float) flow.from_sample, (float) flow.from_output }, .y = l->slots[EASEL_SLOT_MODEL]);
  return easel_stream_check (s, "Denoising", error);
}

/* Whether evaluation i is the last of a step after which no other is wanted. */
static gboolean
stops_here (const SanaDenoise *self, int i, EaselJob *job)
{
  const int n = easel_sampler_n_evaluations (self->sampler), step = easel_sampler_evaluation (self->sampler, i)->step;

  if (i + 1 >= n || easel_sampler_evaluation (self->sampler, i + 1)->step == step)
    return FALSE;
  return (self->stop_after > 0 && step + 1 >= self->stop_after) || easel_job_ends_early (job);
}

gboolean
sana_denoise (const SanaDenoise *self, EaselStream *s, EaselTensor out, EaselJob *job, GError **error)
{
  const int n_evaluations = easel_sampler_n_evaluations (self->sampler);
  const int n_steps = easel_sampler_n_steps (self->sampler);
  const size_t mark = easel_stream_mark (s);
  g_autoptr (EaselSanaContext) context = NULL;
  g_auto (Loop) l = { 0 };
  EaselTensor result;
  gboolean ok = FALSE;

  /* 1. Everything the loop needs; what does not change between steps is computed here. */
  if (!prepare (self, s, &l, error)
      || !(context = easel_sana_context_new (self->transformer, s, l.text, l.mask, self->h, self->w, error)))
    goto cleanup;

  /* 2. Noise: x = randn * sigma_0   [1, h, w, C] */
  upload_noise (self, s, &l, self->noise, l.slots[EASEL_SLOT_X]);
  easel_lincomb (s, .n_terms = 1, .x = { l.slots[EASEL_SLOT_X] },
                 .c = { (float) easel_sampler_init_sigma (self->sampler) }, .y = l.slots[EASEL_SLOT_X]);

  /* 3. Steps: the model, the preview, fresh noise, the sampler's update; until the last, or until it is enough: then
   *    the model's guess is the result. */
  result = l.slots[EASEL_SLOT_X];
  for (int i = 0; i < n_evaluations; i++)
    {
      const EaselEvaluation *e = easel_sampler_evaluation (self->sampler, i);
      gboolean stop;

      if (!easel_job_step (job, e->step, n_steps, error))
        goto cleanup;
      if (!evaluate (self, s, context, &l, i, job, error))
        goto cleanup;
      stop = stops_here (self, i, job);
      if (self->clean_cb || stop)
        easel_lincomb (s, .n_terms = 2, .x = { l.slots[EASEL_SLOT_X], l.slots[EASEL_SLOT_MODEL] },
                       .c = { (float) e->preview_x, (float) e->preview_model }, .y = l.clean);
      if (self->clean_cb)
        self->clean_cb (i, s, l.slots[EASEL_SLOT_X], l.clean, self->user_data);
      if (stop)
        {
          result = l.clean;
          if (self->stopped_after)
            *self->stopped_after = e->step + 1;
          break;
        }
      for (int j = 0; j < e->noise; j++)
        upload_noise (self, s, &l, NULL, l.slots[EASEL_SLOT_NOISE]);
      easel_sampler_apply (self->sampler, i, s, l.slots);
      if (self->step_cb)
        self->step_cb (i, s, l.slots[EASEL_SLOT_X], l.clean, self->user_data);
    }

  /* 4. Latents in the model's scale. */
  easel_lincomb (s, .n_terms = 1, .x = { result }, .c = { (float) (1 / easel_sampler_data_sigma (self->sampler)) },
                 .y = out);
  ok = easel_stream_check (s, "Denoising", error);

cleanup:
  easel_graph_free (s, &l.graph);
  easel_stream_release (s, mark);
  return ok;
}
