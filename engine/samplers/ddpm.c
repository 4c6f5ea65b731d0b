/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DDPM (Ho et al. 2020, arXiv 2006.11239, equation 7; diffusers DDPMScheduler). The last beta of a step is 1 - a / b in
 * floats in the reference, which keeps few digits when steps are many; it is rounded the same way here.
 */
#include "engine/samplers/schedule.h"

#include <math.h>

static double
deviation (const EaselSchedule *s, double a, double a_next, double beta)
{
  double variance = MAX ((1 - a_next) / (1 - a) * beta, 1e-20);

  switch (s->variance)
    {
    case EASEL_VARIANCE_LARGE:
      return sqrt (beta);
    case EASEL_VARIANCE_SMALL:
    case EASEL_VARIANCE_SMALL_LOG: /* the same, by way of the logarithm */
      break;
    }
  return sqrt (variance);
}

gboolean
easel_build_ddpm (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double t[EASEL_SAMPLER_MAX_STEPS];

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  easel_spacing_ends (s, n, TRUE, t);
  for (int i = first; i < n; i++)
    {
      int now = (int) t[i];
      if (!easel_schedule_covers (s, now, n, error)
          || (i + 1 < n && !easel_schedule_covers (s, (int) t[i + 1], n, error)))
        return FALSE;
      double a = s->alphas_cumprod[now], a_next = i + 1 < n ? s->alphas_cumprod[(int) t[i + 1]] : 1;
      double keep = s->wide ? a / a_next : easel_f32 (a / a_next);
      double beta = s->wide ? 1 - keep : easel_f32 (1 - keep);
      double alpha = sqrt (a), sigma = sqrt (1 - a);
      EaselPredictor clean = easel_predict_clean (s->prediction, alpha, sigma);
      double c = sqrt (a_next) * beta / (1 - a), d = sqrt (keep) * (1 - a_next) / (1 - a);
      EaselEvaluation *e = easel_sampler_add (self, i, now, sigma / alpha);

      e->preview_x = clean.x;
      e->preview_model = clean.model;
      e->noise = now > 0;
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, c * clean.x + d }, { EASEL_SLOT_MODEL, c * clean.model },
                    { EASEL_SLOT_NOISE, now > 0 ? deviation (s, a, a_next, beta) : 0 });
      if (i == first)
        {
          self->start_clean = alpha;
          self->start_noise = sigma;
        }
    }
  return TRUE;
}
