/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * CogVideoX's two samplers (diffusers CogVideoXDDIMScheduler, CogVideoXDPMScheduler): DDIM in its interpolating form,
 * and a second order SDE DPM-Solver++ that draws noise twice in most steps and uses the second.
 */
#include "engine/samplers/schedule.h"

#include <math.h>

/* Alphas of step i: now, next, and the step before (-1: there was none). */
static gboolean
alphas (const EaselSchedule *s, const double *t, int i, int first, int n, double *now, double *next, double *back,
        GError **error)
{
  int at = (int) t[i], to = at - s->train / n;

  if (!easel_schedule_covers (s, at, n, error))
    return FALSE;
  *now = s->alphas_cumprod[at];
  *next = to >= 0 ? s->alphas_cumprod[to] : s->set_alpha_to_one ? 1 : s->alphas_cumprod[0];
  *back = i > first ? s->alphas_cumprod[(int) t[i - 1]] : -1;
  return TRUE;
}

static EaselEvaluation *
evaluation (EaselSampler *self, const EaselSchedule *s, int step, double t, double now, EaselPredictor *clean)
{
  double alpha = sqrt (now), sigma = sqrt (1 - now);
  EaselEvaluation *e = easel_sampler_add (self, step, t, sigma / alpha);

  *clean = easel_predict_clean (s->prediction, alpha, sigma);
  e->preview_x = clean->x;
  e->preview_model = clean->model;
  if (self->n_evaluations == 1)
    {
      self->start_clean = alpha;
      self->start_noise = sigma;
    }
  return e;
}

gboolean
easel_build_cogvideox_ddim (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double t[EASEL_SAMPLER_MAX_STEPS];

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  easel_spacing_ends (s, n, TRUE, t);
  for (int i = first; i < n; i++)
    {
      double now, next, back;
      EaselPredictor clean;
      if (!alphas (s, t, i, first, n, &now, &next, &back, error))
        return FALSE;
      EaselEvaluation *e = evaluation (self, s, i, t[i], now, &clean);
      double a = sqrt ((1 - next) / (1 - now)), b = sqrt (next) - sqrt (now) * a;
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, a + b * clean.x }, { EASEL_SLOT_MODEL, b * clean.model });
    }
  return TRUE;
}

static double
lambda (double a)
{
  return log (sqrt (a / (1 - a)));
}

gboolean
easel_build_cogvideox_dpm (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double t[EASEL_SAMPLER_MAX_STEPS];

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  easel_spacing_ends (s, n, TRUE, t);
  for (int i = first; i < n; i++)
    {
      double now, next, back;
      EaselPredictor clean;
      if (!alphas (s, t, i, first, n, &now, &next, &back, error))
        return FALSE;
      EaselEvaluation *e = evaluation (self, s, i, t[i], now, &clean);
      /* h is infinite where a step begins at pure noise or ends clean; every use of it has a limit there. */
      double h = lambda (next) - lambda (now);
      double keep = sqrt ((1 - next) / (1 - now)) * exp (-h), pull = -expm1 (-2 * h) * sqrt (next);
      gboolean second = back >= 0 && (int) t[i] - s->train / n >= 0;
      double extra = second ? h / (2 * (lambda (now) - lambda (back))) : 0;
      int new_clean = EASEL_SLOT_H0 + i % 2, old_clean = EASEL_SLOT_H0 + (i + 1) % 2;

      e->noise = second ? 2 : 1;
      EASEL_ASSIGN (self, e, new_clean, { EASEL_SLOT_X, clean.x }, { EASEL_SLOT_MODEL, clean.model });
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, keep }, { new_clean, pull * (1 + extra) },
                    { old_clean, -pull * extra },
                    { EASEL_SLOT_NOISE, sqrt (1 - next) * sqrt (-expm1 (-2 * h)) });
    }
  return TRUE;
}
