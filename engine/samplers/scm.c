/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Continuous-time consistency sampling in trigflow angles (Lu and Song 2024, arXiv 2410.11081; diffusers SCMScheduler
 * and SanaSprintPipeline): X = cos t x0 + sin t data_sigma noise. Each step asks for x0 and adds fresh noise.
 */
#include "engine/samplers/schedule.h"

#include <math.h>

/* What SanaSprintPipeline passes unless told otherwise. */
#define MAX_ANGLE 1.57080
#define MIDDLE_ANGLE 1.3

gboolean
easel_build_scm (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double t[EASEL_SAMPLER_MAX_STEPS + 1];

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  for (int i = 0; i <= n; i++)
    t[i] = easel_linspace_f32 (MAX_ANGLE, 0, n + 1, i);
  if (n == 2)
    t[1] = easel_f32 (MIDDLE_ANGLE);
  for (int i = first; i < n; i++)
    {
      EaselPredictor clean = easel_predict_clean (s->prediction, cos (t[i]), sin (t[i]));
      EaselEvaluation *e = easel_sampler_add (self, i, t[i], NAN);

      e->preview_x = clean.x;
      e->preview_model = clean.model;
      e->noise = 1;
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, cos (t[i + 1]) * clean.x },
                    { EASEL_SLOT_MODEL, cos (t[i + 1]) * clean.model },
                    { EASEL_SLOT_NOISE, sin (t[i + 1]) * s->data_sigma });
    }
  self->init_sigma = self->data_sigma = s->data_sigma;
  self->start_clean = cos (t[first]);
  self->start_noise = sin (t[first]) * s->data_sigma;
  return TRUE;
}

EaselTrigflow
easel_sampler_trigflow (EaselSampler *self, int i)
{
  const EaselEvaluation *e = easel_sampler_evaluation (self, i);

  if (self->def->build != easel_build_scm)
    return (EaselTrigflow){ e->timestep, e->input_scale, 0, 1 };
  /* u is flow's time for the angle: X / data_sigma, brought to flow's (1 - u) x0 + u noise, is scaled by the norm of
   * (u, 1 - u); the network's velocity then turns back into trigflow's. */
  double u = easel_f32 (sin (e->timestep) / (cos (e->timestep) + sin (e->timestep)));
  double norm = sqrt (u * u + (1 - u) * (1 - u));
  return (EaselTrigflow){
    .timestep = u,
    .input_scale = norm / self->data_sigma,
    .from_sample = 1 - 2 * u,
    .from_output = (1 - 2 * u + 2 * u * u) / norm * self->data_sigma,
  };
}
