/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * UniPC, predictor and corrector of first to third order on the clean sample (Zhao et al. 2023, arXiv 2302.04867;
 * diffusers UniPCMultistepScheduler). The corrector of a step runs when the next step's model output is there: it takes
 * the sample from which that step was predicted (LAST) and redoes the step with the new output as one more point.
 */
#include "engine/samplers/schedule.h"

#include <math.h>

#define LAST EASEL_SLOT_H0
#define RING (EASEL_SLOT_H0 + 1)

typedef struct
{
  double alpha, sigma, lambda;
} Level;

static Level
level (gboolean flow, double k)
{
  Level l;
  easel_alpha_sigma (flow, k, &l.alpha, &l.sigma);
  l.lambda = log (l.alpha) - log (l.sigma);
  return l;
}

/* Timesteps and n + 1 sigmas. */
static void
levels (const EaselSchedule *s, gboolean flow, int n, double *t, double *k)
{
  gboolean respaced = s->karras || s->exponential;

  if (flow)
    {
      for (int i = 0; i < n; i++)
        k[i] = easel_schedule_shifted (s, easel_linspace (1, 1.0 / s->train, n + 1, i));
      if (fabs (k[0] - 1) < 1e-6)
        k[0] -= 1e-6; /* alpha must not be 0: its logarithm is used */
      for (int i = 0; i < n; i++)
        t[i] = trunc (k[i] * s->train);
    }
  else if (respaced)
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
      easel_spacing_open (s, n, s->train, t);
      for (int i = 0; i < n; i++)
        k[i] = easel_schedule_sigma_at (s, t[i]);
    }
  k[n] = !s->final_sigma_min ? 0 : flow || respaced ? k[n - 1] : easel_schedule_sigma (s, 0);
  for (int i = 0; i <= n; i++)
    k[i] = easel_f32 (k[i]);
}

/* Solves a (n x n, rows of 3) x = b by elimination with pivoting. A singular system leaves what is not finite. */
static void
solve (double a[3][3], double *b, int n)
{
  for (int c = 0; c < n; c++)
    {
      int pivot = c;
      for (int r = c + 1; r < n; r++)
        if (fabs (a[r][c]) > fabs (a[pivot][c]))
          pivot = r;
      for (int j = 0; j < n; j++)
        {
          double swap = a[c][j];
          a[c][j] = a[pivot][j];
          a[pivot][j] = swap;
        }
      double swap = b[c];
      b[c] = b[pivot];
      b[pivot] = swap;
      for (int r = 0; r < n; r++)
        if (r != c)
          {
            double f = a[r][c] / a[c][c];
            for (int j = c; j < n; j++)
              a[r][j] -= f * a[c][j];
            b[r] -= f * b[c];
          }
    }
  for (int c = 0; c < n; c++)
    b[c] /= a[c][c];
}

/* One update from level `from` (index p) to `to` (index p + 1) with the outputs of the steps p, p - 1, … (`order` of
 * them), and for the corrector the output at p + 1. Coefficients: of X, of the outputs m[0..order), of the new one. */
typedef struct
{
  double x, m[3], fresh;
} Update;

static Update
update (const EaselSchedule *s, gboolean flow, const double *k, int p, int order, gboolean corrector)
{
  Level from = level (flow, k[p]), to = level (flow, k[p + 1]);
  double h = to.lambda - from.lambda, hh = -h;
  double phi_1 = expm1 (hh), phi = phi_1 / hh - 1, factorial = 1;
  double scale = s->bh1 ? hh : phi_1;
  double points[3], a[3][3], b[3];
  Update u = { .x = to.sigma / from.sigma, .m = { -to.alpha * phi_1 } };

  for (int i = 0; i < order - 1; i++)
    points[i] = (level (flow, k[p - 1 - i]).lambda - from.lambda) / h;
  points[order - 1] = 1;
  for (int i = 0; i < order; i++)
    {
      for (int j = 0; j < order; j++)
        a[i][j] = i ? a[i - 1][j] * points[j] : 1;
      b[i] = phi * factorial / scale;
      factorial *= i + 2;
      phi = phi / hh - 1 / factorial;
    }
  if (corrector && order == 1)
    b[0] = 0.5;
  else if (corrector)
    solve (a, b, order);
  else if (order == 2)
    b[0] = 0.5;
  else if (order == 3)
    solve (a, b, 2);
  for (int i = 0; i < order - 1; i++)
    {
      double c = -to.alpha * scale * b[i] / points[i];
      u.m[i + 1] += c;
      u.m[0] -= c;
    }
  if (corrector)
    {
      u.fresh = -to.alpha * scale * b[order - 1];
      u.m[0] -= u.fresh;
    }
  return u;
}

gboolean
easel_build_unipc (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error)
{
  gboolean flow = (self->def->flags & EASEL_SAMPLER_FLOW) != 0;
  double t[EASEL_SAMPLER_MAX_STEPS], k[EASEL_SAMPLER_MAX_STEPS + 1];
  int most = s->order ? s->order : 2, ring = most + 1, used = 0;

  if (!easel_sampler_room (self, n - first, error))
    return FALSE;
  levels (s, flow, n, t, k);
  for (int i = first; i < n; i++)
    {
      Level now = level (flow, k[i]);
      EaselPredictor clean = easel_predict_clean (s->prediction, now.alpha, now.sigma);
      EaselEvaluation *e = easel_sampler_add (self, i, t[i], k[i]);
      /* m[j]: where the output of step i - j lies. */
      const int m[4] = { RING + i % ring, RING + (i + ring - 1) % ring, RING + (i + 2 * ring - 2) % ring,
                         RING + (i + 3 * ring - 3) % ring };
      Update u;

      e->preview_x = clean.x;
      e->preview_model = clean.model;
      EASEL_ASSIGN (self, e, m[0], { EASEL_SLOT_X, clean.x }, { EASEL_SLOT_MODEL, clean.model });
      if (i > first && !s->no_corrector[i - 1])
        {
          u = update (s, flow, k, i - 1, used, TRUE);
          EASEL_ASSIGN (self, e, LAST, { LAST, u.x }, { m[1], u.m[0] }, { m[2], u.m[1] }, { m[3], u.m[2] },
                        { m[0], u.fresh });
        }
      else
        EASEL_ASSIGN (self, e, LAST, { EASEL_SLOT_X, 1 });
      used = MIN (s->lower_order_final ? MIN (most, n - i) : most, i - first + 1);
      u = update (s, flow, k, i, used, FALSE);
      EASEL_ASSIGN (self, e, EASEL_SLOT_X, { LAST, u.x }, { m[0], u.m[0] }, { m[1], u.m[1] }, { m[2], u.m[2] });
    }
  easel_alpha_sigma (flow, k[first], &self->start_clean, &self->start_noise);
  return TRUE;
}
