/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cogvideox/denoise.h"
#include "engine/cogvideox/reuse.h"

#include <math.h>
#include <string.h>

/* What the loop holds on the device. n samples a forward pass, C channels of latents. */
typedef struct
{
  int n, C;
  gsize count;                      /* of one sample */
  EaselTensor slots[EASEL_N_SLOTS]; /* [F, h, w, C] f32 */
  EaselTensor planes;               /* with a picture: [F, 2 C, h, w] f32, its half filled */
  EaselTensor input, output;        /* [n, F, h, w, in], [n, F, h, w, C] f32 */
  EaselTensor timestep;             /* [n] f32 */
  EaselTensor clean;                /* [F, h, w, C] f32 */
  float *host;                      /* [2 count] */
} Loop;

static void
loop_clear (Loop *l)
{
  g_free (l->host);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Loop, loop_clear)

void
cog_state_clear (CogState *self)
{
  for (int i = 0; i < EASEL_N_SLOTS; i++)
    g_clear_pointer (&self->slots[i], g_free);
}

/* [F, C, h, w] as torch draws it -> [F, h, w, C]. */
static void
to_channels_last (const float *in, float *out, int frames, gsize pixels, int C)
{
  for (int f = 0; f < frames; f++, in += pixels * C, out += pixels * C)
    for (gsize p = 0; p < pixels; p++)
      for (int c = 0; c < C; c++)
        out[p * C + c] = in[c * pixels + p];
}

static void
upload_noise (const CogDenoise *self, EaselStream *s, Loop *l, const float *given, EaselTensor to)
{
  if (easel_stream_is_dry (s))
    return;
  if (!given)
    {
      easel_rng_randn (self->rng, l->host, l->count, EASEL_DTYPE_F32);
      given = l->host;
    }
  to_channels_last (given, l->host + l->count, self->frames, (gsize) self->h * self->w, l->C);
  easel_upload (s, to, l->host + l->count);
}

/* Frame f of the planes: channels of the noise, then those of the picture. */
static EaselTensor
plane (const CogDenoise *self, Loop *l, int f, gboolean picture)
{
  EaselTensor rows = easel_tensor_as (l->planes, 2 * self->frames, l->C, self->h, self->w);

  return easel_tensor_rows (rows, 2 * f + (picture ? 1 : 0), 1);
}

static gboolean
prepare (const CogDenoise *self, EaselStream *s, Loop *l, GError **error)
{
  const EaselCogConfig *c = easel_cog_transformer_config (self->transformer);
  const gint64 F = self->frames, h = self->h, w = self->w;

  l->C = c->out_channels;
  l->n = (int) self->text.shape[0];
  l->count = (gsize) F * h * w * l->C;
  if (c->in_channels != l->C && c->in_channels != 2 * l->C)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "transformer/config.json: %d channels in and %d out are not supported", c->in_channels, l->C);
      return FALSE;
    }
  if (!(l->host = g_try_malloc_n (2 * l->count, sizeof (float))))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for latents of %d frames of %d x %d",
                   self->frames, self->w, self->h);
      return FALSE;
    }
  for (int i = 0; i < easel_sampler_n_slots (self->sampler); i++)
    l->slots[i] = easel_new (s, EASEL_DTYPE_F32, F, h, w, l->C);
  l->input = easel_new (s, EASEL_DTYPE_F32, l->n, F, h, w, c->in_channels);
  l->output = easel_new (s, EASEL_DTYPE_F32, l->n, F, h, w, l->C);
  l->clean = easel_new (s, EASEL_DTYPE_F32, F, h, w, l->C);
  l->timestep = easel_new (s, EASEL_DTYPE_F32, l->n);
  if (c->in_channels == 2 * l->C)
    {
      l->planes = easel_new (s, EASEL_DTYPE_F32, F, 2 * l->C, h, w);
      for (int f = 0; f < F && easel_stream_ok (s); f++)
        {
          EaselTensor frame = easel_tensor_rows (l->clean, f, 1);

          if (self->picture)
            easel_upload (s, frame, self->picture + f * (l->count / F));
          easel_layout (s, .x = frame, .y = plane (self, l, f, TRUE));
        }
    }
  return easel_stream_check (s, "Denoising", error);
}

/* X at the first evaluation: noise, a clip with noise, or where an earlier run was (whose noise is drawn again, so that
 * what follows is the same). */
static void
begin (const CogDenoise *self, EaselStream *s, Loop *l)
{
  EaselTensor x = l->slots[EASEL_SLOT_X];
  double clean = 0, noise = easel_sampler_init_sigma (self->sampler);

  upload_noise (self, s, l, self->noise, x);
  if (self->start)
    {
      easel_sampler_start (self->sampler, &clean, &noise);
      easel_upload (s, l->clean, self->start);
      easel_lincomb (s, .n_terms = 2, .x = { l->clean, x }, .c = { (float) clean, (float) noise }, .y = x);
    }
  else
    easel_lincomb (s, .n_terms = 1, .x = { x }, .c = { (float) noise }, .y = x);
  if (!self->resume || easel_stream_is_dry (s))
    return;
  for (int i = 0; i < self->resume->evaluation; i++)
    for (int j = 0; j < easel_sampler_evaluation (self->sampler, i)->noise; j++)
      easel_rng_randn (self->rng, l->host, l->count, EASEL_DTYPE_F32);
  for (int i = 0; i < easel_sampler_n_slots (self->sampler); i++)
    if (self->resume->slots[i])
      easel_upload (s, l->slots[i], self->resume->slots[i]);
}

/* The model's input for every sample: x times `scale`, and the picture's channels where it takes them. */
static void
fill_input (const CogDenoise *self, EaselStream *s, Loop *l, double scale)
{
  EaselTensor first = easel_tensor_rows (l->input, 0, 1), x = l->slots[EASEL_SLOT_X];

  if (!easel_stream_ok (s))
    return;
  if (!l->planes.data)
    easel_lincomb (s, .n_terms = 1, .x = { x }, .c = { (float) scale }, .y = first);
  else
    {
      easel_lincomb (s, .n_terms = 1, .x = { x }, .c = { (float) scale }, .y = l->clean);
      for (int f = 0; f < self->frames && easel_stream_ok (s); f++)
        easel_layout (s, .x = easel_tensor_rows (l->clean, f, 1), .y = plane (self, l, f, FALSE));
      easel_layout (s, .x = l->planes, .y = easel_tensor_as (first, self->frames, self->h, self->w, 2 * l->C),
                    .to_channels_last = true);
    }
  for (int i = 1; i < l->n && easel_stream_ok (s); i++)
    easel_cast (s, .x = first, .y = easel_tensor_rows (l->input, i, 1));
}

/* use_dynamic_cfg of the reference, which takes the timestep for a step. */
static double
guidance_at (const CogDenoise *self, double timestep)
{
  const double n = easel_sampler_n_evaluations (self->sampler);

  if (!self->dynamic)
    return self->guidance;
  return 1 + self->guidance * ((1 - cos (G_PI * pow ((n - timestep) / n, 5))) / 2);
}

/* One evaluation of the model into MODEL. */
static gboolean
evaluate (const CogDenoise *self, EaselStream *s, EaselCogContext *context, EaselCogReuse *reuse, Loop *l, int i,
          EaselJob *job, GError **error)
{
  const EaselEvaluation *e = easel_sampler_evaluation (self->sampler, i);
  const EaselCogStep step = { .x = l->input, .timestep = l->timestep, .ofs = self->ofs, .reuse = reuse };
  const float times[2] = { (float) e->timestep, (float) e->timestep };
  const float g = (float) guidance_at (self, e->timestep);
  EaselTensor model = l->slots[EASEL_SLOT_MODEL];

  if (reuse)
    easel_cog_reuse_next (reuse, i, easel_sampler_n_evaluations (self->sampler));
  easel_upload (s, l->timestep, times);
  fill_input (self, s, l, e->input_scale);
  if (!easel_cog_transformer_forward (self->transformer, s, context, &step, l->output, job, error))
    return FALSE;
  if (l->n == 2) /* negative + g (text - negative) */
    easel_lincomb (s, .n_terms = 2, .x = { easel_tensor_rows (l->output, 0, 1), easel_tensor_rows (l->output, 1, 1) },
                   .c = { 1 - g, g }, .y = model);
  else
    easel_lincomb (s, .n_terms = 1, .x = { l->output }, .c = { 1 }, .y = model);
  return easel_stream_check (s, "Denoising", error);
}

/* Whether what evaluation i led to is kept; where work is reused, only before one that computes everything. */
static gboolean
keeps_here (const CogDenoise *self, int i)
{
  const int all = self->reuse > 0 ? EASEL_COG_REUSE_EVERY : 1, every = (self->keep_every + all - 1) / all * all;

  return self->keep_cb && every > 0 && ((i + 1) % every == 0 || i + 1 == easel_sampler_n_evaluations (self->sampler));
}

/* What is needed to go on from evaluation `next`, given to keep_cb. A copy that has no memory is not kept. */
static void
keep (const CogDenoise *self, EaselStream *s, Loop *l, EaselCogReuse *reuse, int next)
{
  g_auto (CogState) state = { .evaluation = next, .n_slots = easel_sampler_n_slots (self->sampler),
                              .reused = reuse ? easel_cog_reuse_count (reuse) : 0 };

  for (int i = 0; i < state.n_slots; i++)
    {
      if (i == EASEL_SLOT_MODEL || i == EASEL_SLOT_NOISE)
        continue;
      if (!(state.slots[i] = g_try_malloc_n (l->count, sizeof (float))))
        return;
      easel_download (s, state.slots[i], l->slots[i]);
    }
  if (easel_stream_ok (s))
    self->keep_cb (&state, self->user_data);
}

/* Whether evaluation i is the last of a step after which no other is wanted. */
static gboolean
stops_here (const CogDenoise *self, int i, EaselJob *job)
{
  const int n = easel_sampler_n_evaluations (self->sampler), step = easel_sampler_evaluation (self->sampler, i)->step;

  if (i + 1 >= n || easel_sampler_evaluation (self->sampler, i + 1)->step == step)
    return FALSE;
  return (self->stop_after > 0 && step + 1 >= self->stop_after) || easel_job_ends_early (job);
}

gboolean
cog_denoise (const CogDenoise *self, EaselStream *s, EaselTensor out, EaselJob *job, GError **error)
{
  const int n_evaluations = easel_sampler_n_evaluations (self->sampler);
  const int n_steps = easel_sampler_n_steps (self->sampler), first = self->resume ? self->resume->evaluation : 0;
  const size_t mark = easel_stream_mark (s);
  g_autoptr (EaselCogContext) context = NULL;
  g_autoptr (EaselCogReuse) reuse = NULL;
  g_auto (Loop) l = { 0 };
  EaselTensor result;
  gboolean ok = FALSE;

  /* 1. Everything the loop needs; what does not change between steps is computed here. */
  if (!prepare (self, s, &l, error)
      || !(context = easel_cog_context_new (self->transformer, s, self->text, self->frames, self->h, self->w, error))
      || (self->reuse > 0
          && !(reuse = easel_cog_reuse_new (self->transformer, s, context, self->reuse,
                                            self->resume ? self->resume->reused : 0, error))))
    goto cleanup;

  /* 2. The beginning: X [F, h, w, C]. */
  begin (self, s, &l);

  /* 3. Steps: the model, the preview, fresh noise, the sampler's update; until the last, or until it is enough: then
   *    the model's guess is the result. */
  result = l.slots[EASEL_SLOT_X];
  for (int i = first; i < n_evaluations; i++)
    {
      const EaselEvaluation *e = easel_sampler_evaluation (self->sampler, i);
      gboolean stop;

      if (!easel_job_step (job, e->step, n_steps, error) || !evaluate (self, s, context, reuse, &l, i, job, error))
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
      if (keeps_here (self, i) && !easel_stream_is_dry (s))
        keep (self, s, &l, reuse, i + 1);
    }

  if (reuse && self->reused)
    *self->reused = easel_cog_reuse_count (reuse);

  /* 4. Latents in the model's scale. */
  easel_lincomb (s, .n_terms = 1, .x = { result }, .c = { (float) (1 / easel_sampler_data_sigma (self->sampler)) },
                 .y = out);
  ok = easel_stream_check (s, "Denoising", error);

cleanup:
  easel_stream_release (s, mark);
  return ok;
}
