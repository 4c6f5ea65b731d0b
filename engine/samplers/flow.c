/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Flow matching, X = (1 - sigma) x0 + sigma noise, the model predicting dX / dsigma (Liu et al. 2022, arXiv 2209.03003;
 * diffusers FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler).
 */
#include "engine/samplers/schedule.h"

#include <math.h>

#define SAMPLE EASEL_SLOT_H0
#define SLOPE (EASEL_SLOT_H0 + 1)

static double
shifted_f32 (double shift, double sigma)
{
  return easel_f32 (easel_f32 (shift * sigma) / easel_f32 (1 + easel_f32 ((shift - 1) * sigma)));
}

/* n + 1 sigmas from 1 down. The reference shifts the ends once when it is made and all of them again here, so the
 * smallest sigma is shifted twice; models are tuned with that. */
static void
levels (EaselSampler *self, const EaselSchedule *s, int n, int first, double *sigma)
{
  double high = shifted_f32 (s->shift, 1), low = shifted_f32 (s->shift, easel_f32 (1.0 / s->train));

  for (int i = 0; i < n; i++)
    sigma[i] = easel_schedule_shifted (s, easel_linspace (high * s->train, low * s->train, n, i) / s->train);
  if (self->def->build == easel_build_flow_euler && (s->karras || s->exponential))
    easel_schedule_respace (s, sigma[0], sigma[n - 1], n, sigma);
  for (int i = 0; i < n; i++)
    sigma[i] = easel_f32 (sigma[i]);
  sigma[n] = 0;
  self->start_clean = 1 - sigma[first];
  self->start_noise = sigma[first];
}

static EaselEvaluation *
evaluation (EaselSampler *self, const EaselSchedule *s, int step, double sigma)
{
  EaselEvaluation *e = easel_sampler_add (self, step, easel_f32 (sigma * s->train), sigma);

  e->preview_x = 1;
  e->preview_model = -sigma;
  return e;
}

gboolean
easel_build_flow_euler (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double sigma[EASEL_SAMPLER_MAX_STEPS + 1];

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  levels (self, s, n, first, sigma);
  for (int i = first; i < n; i++)
    {
      EaselEvaluation *e = evaluation (self, s, i, sigma[i]);
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, 1 }, { EASEL_SLOT_MODEL, sigma[i + 1] - sigma[i] });
    }
  return TRUE;
}

gboolean
easel_build_flow_heun (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double sigma[EASEL_SAMPLER_MAX_STEPS + 1];

  if (!easel_sampler_room (self, 2 * (n - first), error))
    return FALSE;
  levels (self, s, n, first, sigma);
  for (int i = first; i < n; i++)
    {
      double h = sigma[i + 1] - sigma[i];
      EaselEvaluation *e = evaluation (self, s, i, sigma[i]);

      if (i + 1 < n)
        {
          EASEL_ASSIGN (self, e, SLOPE, { EASEL_SLOT_MODEL, 1 });
          EASEL_ASSIGN (self, e, SAMPLE, { EASEL_SLOT_X, 1 });
        }
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, 1 }, { EASEL_SLOT_MODEL, h });
      if (i + 1 < n) /* the last step ends at 0, where the slope is not asked for again */
        {
          e = evaluation (self, s, i, sigma[i + 1]);
          EASEL_ASSIGN (self, e, EASEL_SLOT_X, { SAMPLE, 1 }, { SLOPE, h / 2 }, { EASEL_SLOT_MODEL, h / 2 });
        }
    }
  return TRUE;
}
