/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DDIM without noise (Song et al. 2020, arXiv 2010.02502, equation 12 with eta 0; diffusers DDIMScheduler).
 */
#include "engine/samplers/schedule.h"

#include <math.h>

gboolean
easel_build_ddim (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  double t[EASEL_SAMPLER_MAX_STEPS];

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  easel_spacing_ends (s, n, TRUE, t);
  for (int i = first; i < n; i++)
    {
      int now = (int) t[i], next = now - s->train / n;
      if (!easel_schedule_covers (s, now, n, error))
        return FALSE;
      double a = s->alphas_cumprod[now];
      double a_next = next >= 0 ? s->alphas_cumprod[next] : s->set_alpha_to_one ? 1 : s->alphas_cumprod[0];
      double alpha = sqrt (a), sigma = sqrt (1 - a);
      EaselPredictor clean = easel_predict_clean (s->prediction, alpha, sigma);
      EaselPredictor noise = easel_predict_noise (s->prediction, alpha, sigma);
      double c = sqrt (a_next), d = sqrt (1 - a_next);
      EaselEvaluation *e = easel_sampler_add (self, i, now, sigma / alpha);

      e->preview_x = clean.x;
      e->preview_model = clean.model;
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, c * clean.x + d * noise.x },
                    { EASEL_SLOT_MODEL, c * clean.model + d * noise.model });
      if (i == first)
        {
          self->start_clean = alpha;
          self->start_noise = sigma;
        }
    }
  return TRUE;
}
