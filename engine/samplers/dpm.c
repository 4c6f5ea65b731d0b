/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DPM-Solver++ multistep, second and third order as ODE, second as SDE, on diffusion and on flow schedules (Lu et al.
 * 2022, arXiv 2211.01095; diffusers DPMSolverMultistepScheduler with dpmsolver++ and sde-dpmsolver++).
 *
 * With lambda = log (alpha / sigma) and h the step in it, the exact solution for a polynomial x0 (lambda) is
 *   X' = (sigma' / sigma) X + alpha' (1 - e^-h) D0 + … D1 + … D2
 * where D0, D1, D2 are x0 and its divided differences over the last evaluations, kept in a ring of H slots.
 */
#include "engine/samplers/schedule.h"

#include <math.h>

typedef struct
{
  double alpha, sigma, lambda;
} Level;

static Level
level (gboolean flow, double k)
{
  Level l;
  easel_alpha_sigma (flow, k, &l.alpha, &l.sigma);
  l.lambda = log (l.alpha) - log (l.sigma); /* infinite at sigma 0: then e^-h is 0, as it should be */
  return l;
}

/* Timesteps and n + 1 sigmas. */
static gboolean
levels (EaselSampler *self, const EaselSchedule *s, int n, double *t, double *k, GError **error)
{
  gboolean flow = (self->def->flags & EASEL_SAMPLER_FLOW) != 0;
  int last = s->train;

  if (flow)
    for (int i = 0; i < n; i++)
      {
        k[i] = easel_schedule_shifted (s, 1 - easel_linspace (1, 1.0 / s->train, n + 1, n - i));
        t[i] = trunc (k[i] * s->train);
      }
  else if (s->karras || s->exponential)
    {
      easel_schedule_respace (s, easel_schedule_sigma (s, s->train - 1), easel_schedule_sigma (s, 0), n, k);
      for (int i = 0; i < n; i++)
        {
          t[i] = easel_schedule_time_of (s, k[i]);
          t[i] = s->karras ? rint (t[i]) : trunc (t[i]);
        }
    }
  else
    {
      /* Training steps of which lambda is below the limit are left out (cosine schedules). */
      while (last > 1 && -log (easel_schedule_sigma (s, last - 1)) < s->lambda_min_clipped)
        last--;
      if (last < s->train && s->spacing == EASEL_SPACING_TRAILING)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                       "scheduler_config.json: lambda_min_clipped together with trailing timesteps is not supported.");
          return FALSE;
        }
      easel_spacing_open (s, n, last, t);
      for (int i = 0; i < n; i++)
        k[i] = easel_schedule_sigma_at (s, t[i]);
    }
  k[n] = s->final_sigma_min && s->alphas_cumprod ? easel_schedule_sigma (s, 0) : 0;
  for (int i = 0; i <= n; i++)
    k[i] = easel_f32 (k[i]);
  return TRUE;
}

/* Weights of D0, D1, D2 for a step h of an order, alpha' taken out. */
static void
weights (gboolean sde, gboolean heun, int order, double h, double *w)
{
  double g = sde ? 2 * h : h; /* the SDE decays twice as fast */
  double e = -expm1 (-g);     /* 1 - e^-g */

  w[0] = e;
  w[1] = order == 2 && !heun ? 0.5 * e : 1 - e / g;
  w[2] = (e - g) / (g * g) + 0.5;
}

gboolean
easel_build_dpm (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  gboolean flow = (self->def->flags & EASEL_SAMPLER_FLOW) != 0;
  gboolean sde = (self->def->flags & EASEL_SAMPLER_STOCHASTIC) != 0;
  double t[EASEL_SAMPLER_MAX_STEPS], k[EASEL_SAMPLER_MAX_STEPS + 1];
  int order = self->def->order;

  if (!easel_sampler_room (self, n - first, error) || !levels (self, s, n, t, k, error))
    return FALSE;
  for (int i = first; i < n; i++)
    {
      Level now = level (flow, k[i]), next = level (flow, k[i + 1]);
      gboolean few = s->lower_order_final && n < 15;
      int use = MIN (order, i - first + 1);
      double h = next.lambda - now.lambda, w[3], m[3] = { 0 };
      EaselPredictor clean = easel_predict_clean (s->prediction, now.alpha, now.sigma);
      EaselEvaluation *e = easel_sampler_add (self, i, t[i], k[i]);

      if (i == n - 1 && (s->euler_at_final || few || !s->final_sigma_min))
        use = 1;
      else if (i == n - 2 && few)
        use = MIN (use, 2);
      weights (sde, s->solver_heun, use, h, w);
      m[0] = w[0];
      if (use >= 2)
        {
          double r0 = (now.lambda - level (flow, k[i - 1]).lambda) / h;
          if (use == 2)
            {
              m[0] += w[1] / r0;
              m[1] -= w[1] / r0;
            }
          else
            {
              double r1 = (level (flow, k[i - 1]).lambda - level (flow, k[i - 2]).lambda) / h;
              /* D1 = a + r0 / (r0 + r1) (a - b), D2 = (a - b) / (r0 + r1), a = (m0 - m1) / r0, b = (m1 - m2) / r1 */
              double a = w[1] + (w[1] * r0 + w[2]) / (r0 + r1), b = -(w[1] * r0 + w[2]) / (r0 + r1);
              m[0] += a / r0;
              m[1] += b / r1 - a / r0;
              m[2] -= b / r1;
            }
        }
      e->preview_x = clean.x;
      e->preview_model = clean.model;
      e->noise = sde;
      EASEL_ASSIGN (self, e, EASEL_SLOT_H0 + i % order, { EASEL_SLOT_X, clean.x }, { EASEL_SLOT_MODEL, clean.model });
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { EASEL_SLOT_X, next.sigma / now.sigma * (sde ? exp (-h) : 1) },
                    { EASEL_SLOT_H0 + i % order, next.alpha * m[0] },
                    { EASEL_SLOT_H0 + (i + order - 1) % order, next.alpha * m[1] },
                    { EASEL_SLOT_H0 + (i + 2 * order - 2) % order, next.alpha * m[2] },
                    { EASEL_SLOT_NOISE, sde ? next.sigma * sqrt (-expm1 (-2 * h)) : 0 });
    }
  easel_alpha_sigma (flow, k[first], &self->start_clean, &self->start_noise);
  return TRUE;
}
