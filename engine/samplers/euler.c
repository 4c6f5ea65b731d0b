/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Euler, Euler ancestral and Heun on X = x0 + sigma noise (Karras et al. 2022, arXiv 2206.00364, algorithm 1; diffusers
 * EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, HeunDiscreteScheduler). The model sees
 * X / sqrt (sigma^2 + 1).
 */
#include "engine/samplers/schedule.h"

#include <math.h>

#define SAMPLE EASEL_SLOT_H0
#define SLOPE (EASEL_SLOT_H0 + 1)

/* Timesteps and n + 1 sigmas, and what start and end need. */
static void
levels (EaselSampler *self, const EaselSchedule *s, int n, int first, gboolean respaced, double *t, double *sigma)
{
  double largest = 0;

  easel_spacing_ends (s, n, FALSE, t);
  for (int i = 0; i < n; i++)
    sigma[i] = easel_schedule_sigma_at (s, t[i]);
  if (respaced && (s->karras || s->exponential))
    {
      easel_schedule_respace (s, sigma[0], sigma[n - 1], n, sigma);
      for (int i = 0; i < n; i++)
        t[i] = easel_f32 (easel_schedule_time_of (s, sigma[i]));
    }
  sigma[n] = s->final_sigma_min && respaced ? easel_schedule_sigma (s, 0) : 0;
  for (int i = 0; i <= n; i++)
    {
      sigma[i] = easel_f32 (sigma[i]);
      largest = MAX (largest, sigma[i]);
    }
  self->init_sigma = s->spacing == EASEL_SPACING_LEADING ? sqrt (largest * largest + 1) : largest;
  self->start_clean = 1;
  self->start_noise = sigma[first];
}

/* x0 from X and MODEL at a sigma. */
static EaselPredictor
clean_at (EaselPrediction prediction, double sigma)
{
  if (prediction == EASEL_PREDICTS_V)
    return (EaselPredictor){ 1 / (sigma * sigma + 1), -sigma / sqrt (sigma * sigma + 1) };
  if (prediction == EASEL_PREDICTS_SAMPLE)
    return (EaselPredictor){ 0, 1 };
  return (EaselPredictor){ 1, -sigma };
}

/* dX / dsigma = (X - x0) / sigma. */
static EaselPredictor
slope_at (EaselPrediction prediction, double sigma)
{
  if (prediction == EASEL_PREDICTS_V)
    return (EaselPredictor){ sigma / (sigma * sigma + 1), 1 / sqrt (sigma * sigma + 1) };
  if (prediction == EASEL_PREDICTS_SAMPLE)
    return (EaselPredictor){ 1 / sigma, -1 / sigma };
  return (EaselPredictor){ 0, 1 };
}

static EaselEvaluation *
evaluation (EaselSampler *self, const EaselSchedule *s, int step, double t, double sigma)
{
  EaselEvaluation *e = easel_sampler_add (self, step, t, sigma);
  EaselPredictor clean = clean_at (s->prediction, sigma);

  e->input_scale = 1 / sqrt (sigma * sigma + 1);
  e->preview_x = clean.x;
  e->preview_model = clean.model;
  return e;
}

gboolean
easel_build_euler (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double t[EASEL_SAMPLER_MAX_STEPS], sigma[EASEL_SAMPLER_MAX_STEPS + 1];

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  levels (self, s, n, first, TRUE, t, sigma);
  for (int i = first; i < n; i++)
    {
      EaselPredictor slope = slope_at (s->prediction, sigma[i]);
      double h = sigma[i + 1] - sigma[i];
      EaselEvaluation *e = evaluation (self, s, i, t[i], sigma[i]);
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, 1 + h * slope.x }, { EASEL_SLOT_MODEL, h * slope.model });
    }
  return TRUE;
}

gboolean
easel_build_euler_ancestral (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double t[EASEL_SAMPLER_MAX_STEPS], sigma[EASEL_SAMPLER_MAX_STEPS + 1];

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  levels (self, s, n, first, FALSE, t, sigma);
  for (int i = first; i < n; i++)
    {
      EaselPredictor slope = slope_at (s->prediction, sigma[i]);
      double from = sigma[i] * sigma[i], to = sigma[i + 1] * sigma[i + 1];
      /* Down past the next level, then up to it with fresh noise. */
      double up = sqrt (to * (from - to) / from), h = sqrt (to - up * up) - sigma[i];
      EaselEvaluation *e = evaluation (self, s, i, t[i], sigma[i]);
      e->noise = 1;
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, 1 + h * slope.x }, { EASEL_SLOT_MODEL, h * slope.model },
                    { EASEL_SLOT_NOISE, up });
    }
  return TRUE;
}

gboolean
easel_build_heun (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double t[EASEL_SAMPLER_MAX_STEPS], sigma[EASEL_SAMPLER_MAX_STEPS + 1];

  if (!easel_sampler_room (self, 2 * (n - first), error))
    return FALSE;
  levels (self, s, n, first, TRUE, t, sigma);
  sigma[n] = 0;
  for (int i = first; i < n; i++)
    {
      EaselPredictor slope = slope_at (s->prediction, sigma[i]);
      double h = sigma[i + 1] - sigma[i];
      EaselEvaluation *e = evaluation (self, s, i, t[i], sigma[i]);
      if (i + 1 == n) /* to zero: the slope there cannot be asked for */
        {
          EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, 1 + h * slope.x },
                        { EASEL_SLOT_MODEL, h * slope.model });
          break;
        }
      EASEL_ASSIGN (self, e, SLOPE, { EASEL_SLOT_X, slope.x }, { EASEL_SLOT_MODEL, slope.model });
      EASEL_ASSIGN (self, e, SAMPLE, { EASEL_SLOT_X, 1 });
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, 1 }, { SLOPE, h });

      slope = slope_at (s->prediction, sigma[i + 1]);
      e = evaluation (self, s, i, t[i + 1], sigma[i + 1]);
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { SAMPLE, 1 }, { SLOPE, h / 2 }, { EASEL_SLOT_X, h / 2 * slope.x },
                    { EASEL_SLOT_MODEL, h / 2 * slope.model });
    }
  return TRUE;
}
