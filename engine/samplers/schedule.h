/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Inside the room: what a scheduler_config.json says (EaselSchedule), and what a family needs to build a run.
 *
 * The reference computes its tables in 32-bit floats (CogVideoX's in 64), and near the clean end 1 - alpha loses most
 * of its digits there. So the tables are rounded where the reference rounds, and everything after them is in double.
 */
#pragma once

#include "engine/samplers/sampler.h"

G_BEGIN_DECLS

#define EASEL_SAMPLER_MAX_STEPS 1000

typedef enum
{
  EASEL_SPACING_LINSPACE,
  EASEL_SPACING_LEADING,
  EASEL_SPACING_TRAILING,
} EaselSpacing;

typedef enum
{
  EASEL_VARIANCE_SMALL,
  EASEL_VARIANCE_SMALL_LOG,
  EASEL_VARIANCE_LARGE,
} EaselVariance;

/* A model's schedule, read with the defaults of the config's own class. */
typedef struct
{
  const char *sampler; /* the name of the class and its fields in our table */
  EaselPrediction prediction;
  int train;             /* training steps, [1, 100000] */
  double *alphas_cumprod; /* [train]; NULL for flow matching and trigflow classes */
  gboolean wide;         /* the reference keeps the table in 64 bits */
  EaselSpacing spacing;
  int steps_offset;
  gboolean zero_snr, set_alpha_to_one;
  double shift;                   /* flow */
  gboolean karras, exponential;
  double sigma_min, sigma_max;    /* limits of those; NaN: the schedule's own */
  gboolean final_sigma_min;       /* the last sigma is that of timestep 0 instead of 0 */
  gboolean lower_order_final, euler_at_final, solver_heun; /* DPM; the first also UniPC */
  double lambda_min_clipped;
  int order;                      /* of DPM and UniPC, 0: the config's class has none */
  gboolean bh1;                   /* UniPC */
  guint8 no_corrector[EASEL_SAMPLER_MAX_STEPS];
  EaselVariance variance;         /* DDPM */
  gboolean clip_sample, thresholding;
  double data_sigma;              /* SCM */
} EaselSchedule;

/* Reads and checks every field. UNSUPPORTED names class or field; DAMAGED for values that no schedule can have. */
EaselSchedule *easel_schedule_new (JsonObject *config, GError **error);
void easel_schedule_free (EaselSchedule *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselSchedule, easel_schedule_free)

/* x rounded to float. */
static inline double
easel_f32 (double x)
{
  return (double) (float) x;
}

/* sqrt ((1 - alpha) / alpha) of training step t. With zero terminal SNR the last alpha counts as 2^-24. */
double easel_schedule_sigma (const EaselSchedule *self, int t);
/* That table, in floats, linearly interpolated at t. */
double easel_schedule_sigma_at (const EaselSchedule *self, double t);
/* The training time of a sigma, between the table's steps. */
double easel_schedule_time_of (const EaselSchedule *self, double sigma);
/* n sigmas from `high` down to `low` as Karras et al. (2022) space them (rho 7), or evenly in their logarithm. */
void easel_schedule_respace (const EaselSchedule *self, double high, double low, int n, double *out);
/* A sigma of flow matching, shifted. */
double easel_schedule_shifted (const EaselSchedule *self, double sigma);

/* Timesteps of n steps, falling: whole numbers with both ends (DDIM and relatives); the same but not rounded to whole
 * numbers in linspace (Euler and relatives); n of n + 1 without the clean end, from `last` (DPM, UniPC). */
void easel_spacing_ends (const EaselSchedule *self, int n, gboolean whole, double *out);
void easel_spacing_open (const EaselSchedule *self, int n, int last, double *out);
/* FALSE with BAD_REQUEST where a timestep of n steps lies outside the table (leading spacing with an offset). */
gboolean easel_schedule_covers (const EaselSchedule *self, int t, int n, GError **error);
/* numpy.linspace, and torch.linspace in floats. */
double easel_linspace (double start, double stop, int n, int i);
double easel_linspace_f32 (double start, double stop, int n, int i);

/* A sampler's variant in the table. */
typedef enum
{
  EASEL_SAMPLER_STOCHASTIC = 1 << 0, /* DPM: the SDE solver */
  EASEL_SAMPLER_KARRAS = 1 << 1,
  EASEL_SAMPLER_PLAIN = 1 << 2,     /* not Karras, whatever the config says: another name is for that */
  EASEL_SAMPLER_FLOW = 1 << 3,
  EASEL_SAMPLER_CLIPS = 1 << 4,     /* the class would clip or threshold where the config says so */
  EASEL_SAMPLER_THRESHOLDS = 1 << 5,
} EaselSamplerFlags;

typedef struct
{
  guint flags;
  int order; /* DPM; 0: as the config says */
  gboolean (*build) (EaselSampler *self, const EaselSchedule *schedule, int n, int first, GError **error);
} EaselSamplerDef;

struct EaselSampler
{
  const EaselSamplerInfo *info;
  const EaselSamplerDef *def;
  int n_steps, n_evaluations, n_slots;
  double init_sigma, data_sigma, start_clean, start_noise;
  EaselEvaluation *evaluations;
};

gboolean easel_build_ddim (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_ddpm (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_euler (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_euler_ancestral (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_heun (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_dpm (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_unipc (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_flow_euler (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_flow_heun (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_scm (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_cogvideox_ddim (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);
gboolean easel_build_cogvideox_dpm (EaselSampler *self, const EaselSchedule *s, int n, int first, GError **error);

/* The next evaluation, empty. The caller knows that there is room (easel_sampler_room). */
gboolean easel_sampler_room (EaselSampler *self, int n_evaluations, GError **error);
EaselEvaluation *easel_sampler_add (EaselSampler *self, int step, double timestep, double sigma);

typedef struct
{
  int slot;
  double c;
} EaselTerm;

/* slot[dst] = the terms; those with a coefficient of 0 are left out, so that 0 * garbage never happens. */
void easel_sampler_assign (EaselSampler *self, EaselEvaluation *e, int dst, int n, const EaselTerm *terms);
#define EASEL_ASSIGN(self, e, dst, ...)                                                                         \
  easel_sampler_assign ((self), (e), (dst), (int) (sizeof ((EaselTerm[]){ __VA_ARGS__ }) / sizeof (EaselTerm)), \
                        (EaselTerm[]){ __VA_ARGS__ })

/* x0 = x * X + model * MODEL. */
typedef struct
{
  double x, model;
} EaselPredictor;

/* The clean sample, and the noise, from the model's output where X = alpha x0 + sigma noise (flow: alpha is
 * 1 - sigma). */
EaselPredictor easel_predict_clean (EaselPrediction prediction, double alpha, double sigma);
EaselPredictor easel_predict_noise (EaselPrediction prediction, double alpha, double sigma);
/* alpha and sigma of X = alpha x0 + sigma noise for k = sigma / alpha (or for flow's sigma). */
void easel_alpha_sigma (gboolean flow, double k, double *alpha, double *sigma);

G_END_DECLS
