/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The arithmetic that schedules share: sigma tables, spacings of timesteps, spacings of sigmas.
 * Karras et al. 2022 (arXiv 2206.00364) for sigmas, Lin et al. 2023 (arXiv 2305.08891) table 2 for timesteps; the order
 * of operations is numpy's and torch's, since rounding to whole timesteps shows the last bit.
 */
#include "engine/samplers/schedule.h"

#include <math.h>

double
easel_linspace (double start, double stop, int n, int i)
{
  if (n > 1 && i == n - 1)
    return stop;
  return n > 1 ? i * ((stop - start) / (n - 1)) + start : start;
}

double
easel_linspace_f32 (double start, double stop, int n, int i)
{
  double a = easel_f32 (start), b = easel_f32 (stop);
  double step = n > 1 ? easel_f32 (easel_f32 (b - a) / (n - 1)) : 0;

  /* From both ends to the middle, so that both are exact. */
  return easel_f32 (i < n / 2 || n == 1 ? a + step * i : b - step * (n - i - 1));
}

double
easel_schedule_sigma (const EaselSchedule *self, int t)
{
  double a = self->alphas_cumprod[t];

  if (self->zero_snr && t == self->train - 1)
    a = 0x1p-24; /* nearly nothing, so that sigma is not infinite */
  if (self->wide)
    return sqrt ((1 - a) / a);
  return easel_f32 (sqrt (easel_f32 (easel_f32 (1 - a) / a)));
}

double
easel_schedule_sigma_at (const EaselSchedule *self, double t)
{
  int last = self->train - 1, j;
  double low;

  if (!(t > 0))
    return easel_schedule_sigma (self, 0);
  if (t >= last)
    return easel_schedule_sigma (self, last);
  j = (int) t;
  low = easel_schedule_sigma (self, j);
  return (easel_schedule_sigma (self, j + 1) - low) * (t - j) + low;
}

static double
log_sigma_at (const EaselSchedule *self, int t)
{
  return easel_f32 (log (easel_schedule_sigma (self, t)));
}

double
easel_schedule_time_of (const EaselSchedule *self, double sigma)
{
  double wanted = log (MAX (sigma, 1e-10)), low, high, w;
  int below = 0, above = self->train - 1; /* the last entry that is not above `wanted` */

  if (self->train < 2)
    return 0;
  while (above - below > 1)
    {
      int middle = below + (above - below) / 2;
      if (log_sigma_at (self, middle) <= wanted)
        below = middle;
      else
        above = middle;
    }
  low = log_sigma_at (self, below);
  high = log_sigma_at (self, below + 1);
  w = CLAMP ((low - wanted) / (low - high), 0, 1);
  return (1 - w) * below + w * (below + 1);
}

void
easel_schedule_respace (const EaselSchedule *self, double high, double low, int n, double *out)
{
  const double rho = 7;

  if (!isnan (self->sigma_min))
    low = self->sigma_min;
  if (!isnan (self->sigma_max))
    high = self->sigma_max;
  for (int i = 0; i < n; i++)
    if (self->karras)
      {
        double a = pow (high, 1 / rho), b = pow (low, 1 / rho);
        out[i] = pow (a + easel_linspace (0, 1, n, i) * (b - a), rho);
      }
    else
      out[i] = exp (easel_linspace (log (high), log (low), n, i));
}

double
easel_schedule_shifted (const EaselSchedule *self, double sigma)
{
  return self->shift * sigma / (1 + (self->shift - 1) * sigma);
}

gboolean
easel_schedule_covers (const EaselSchedule *self, int t, int n, GError **error)
{
  if (t >= 0 && t < self->train)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
               "%d steps begin at timestep %d, and the model was trained with 0 to %d. Use fewer steps.", n, t,
               self->train - 1);
  return FALSE;
}

/* numpy.arange (from, 0, -train / n), rounded, less one. Where rounding of the step gives arange one value more than
 * asked (61 steps of 1000), that value would be timestep -1; it is left out here. */
static double
trailing (const EaselSchedule *self, int n, int from, int i)
{
  double delta = (from - (double) self->train / n) - from;
  return rint (from + i * delta) - 1;
}

void
easel_spacing_ends (const EaselSchedule *self, int n, gboolean whole, double *out)
{
  for (int i = 0; i < n; i++)
    switch (self->spacing)
      {
      case EASEL_SPACING_LINSPACE:
        out[i] = easel_linspace (0, self->train - 1, n, n - 1 - i);
        out[i] = whole ? rint (out[i]) : easel_f32 (out[i]);
        break;
      case EASEL_SPACING_LEADING:
        out[i] = (double) (n - 1 - i) * (self->train / n) + self->steps_offset;
        break;
      case EASEL_SPACING_TRAILING:
        out[i] = trailing (self, n, self->train, i);
        break;
      }
}

void
easel_spacing_open (const EaselSchedule *self, int n, int last, double *out)
{
  for (int i = 0; i < n; i++)
    switch (self->spacing)
      {
      case EASEL_SPACING_LINSPACE:
        out[i] = rint (easel_linspace (0, last - 1, n + 1, n - i));
        break;
      case EASEL_SPACING_LEADING:
        out[i] = (double) (n - i) * (last / (n + 1)) + self->steps_offset;
        break;
      case EASEL_SPACING_TRAILING:
        out[i] = trailing (self, n, last, i);
        break;
      }
}

void
easel_alpha_sigma (gboolean flow, double k, double *alpha, double *sigma)
{
  if (flow)
    {
      *alpha = 1 - k;
      *sigma = k;
    }
  else
    {
      *alpha = 1 / sqrt (k * k + 1);
      *sigma = k * *alpha;
    }
}

EaselPredictor
easel_predict_clean (EaselPrediction prediction, double alpha, double sigma)
{
  switch (prediction)
    {
    case EASEL_PREDICTS_EPSILON:
      return (EaselPredictor){ 1 / alpha, -sigma / alpha };
    case EASEL_PREDICTS_V:
    case EASEL_PREDICTS_TRIGFLOW:
      return (EaselPredictor){ alpha, -sigma };
    case EASEL_PREDICTS_FLOW:
      return (EaselPredictor){ 1, -sigma };
    case EASEL_PREDICTS_SAMPLE:
      break;
    }
  return (EaselPredictor){ 0, 1 };
}

EaselPredictor
easel_predict_noise (EaselPrediction prediction, double alpha, double sigma)
{
  switch (prediction)
    {
    case EASEL_PREDICTS_SAMPLE:
      return (EaselPredictor){ 1 / sigma, -alpha / sigma };
    case EASEL_PREDICTS_V:
    case EASEL_PREDICTS_TRIGFLOW:
      return (EaselPredictor){ sigma, alpha };
    case EASEL_PREDICTS_FLOW:
      return (EaselPredictor){ 1, alpha };
    case EASEL_PREDICTS_EPSILON:
      break;
    }
  return (EaselPredictor){ 0, 1 };
}
