/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading scheduler_config.json. Each class of the reference has its own defaults; a field that would change the result
 * and that we do not follow is refused by name, never ignored.
 */
#include "engine/samplers/schedule.h"

#include "engine/core/json.h"

#include <math.h>
#include <string.h>

#define WHERE "scheduler_config.json"

typedef enum
{
  CLASS_ALPHAS, /* DDIM, DDPM, Euler, …: a table of alphas */
  CLASS_COGVIDEOX,
  CLASS_DPM,
  CLASS_UNIPC,
  CLASS_FLOW,
  CLASS_SCM,
} ClassKind;

typedef struct
{
  const char *name;
  ClassKind kind;
  const char *sampler; /* DPM and UniPC: from their fields */
  double beta_start, beta_end;
  const char *beta_schedule;
  EaselSpacing spacing;
  gboolean clip_sample;
} SchedulerClass;

static const SchedulerClass CLASSES[] = {
  { "DDPMScheduler", CLASS_ALPHAS, "ddpm", 0.0001, 0.02, "linear", EASEL_SPACING_LEADING, TRUE },
  { "DDIMScheduler", CLASS_ALPHAS, "ddim", 0.0001, 0.02, "linear", EASEL_SPACING_LEADING, TRUE },
  { "EulerDiscreteScheduler", CLASS_ALPHAS, "euler", 0.0001, 0.02, "linear", EASEL_SPACING_LINSPACE, FALSE },
  { "EulerAncestralDiscreteScheduler", CLASS_ALPHAS, "euler-a", 0.0001, 0.02, "linear", EASEL_SPACING_LINSPACE, FALSE },
  { "HeunDiscreteScheduler", CLASS_ALPHAS, "heun", 0.00085, 0.012, "linear", EASEL_SPACING_LINSPACE, FALSE },
  { "DPMSolverMultistepScheduler", CLASS_DPM, NULL, 0.0001, 0.02, "linear", EASEL_SPACING_LINSPACE, FALSE },
  { "UniPCMultistepScheduler", CLASS_UNIPC, NULL, 0.0001, 0.02, "linear", EASEL_SPACING_LINSPACE, FALSE },
  { "FlowMatchEulerDiscreteScheduler", CLASS_FLOW, "flow-euler" },
  { "FlowMatchHeunDiscreteScheduler", CLASS_FLOW, "flow-heun" },
  { "SCMScheduler", CLASS_SCM, "scm" },
  { "CogVideoXDDIMScheduler", CLASS_COGVIDEOX, "cogvideox-ddim", 0.00085, 0.012, "scaled_linear",
    EASEL_SPACING_LEADING, FALSE },
  { "CogVideoXDPMScheduler", CLASS_COGVIDEOX, "cogvideox-dpm", 0.00085, 0.012, "scaled_linear",
    EASEL_SPACING_LEADING, FALSE },
};

/* Fields that are read below, and fields that only matter beside one that is refused when it is on. */
static const char *const KNOWN[] = {
  "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "clip_sample",
  "set_alpha_to_one", "steps_offset", "prediction_type", "thresholding", "timestep_spacing",
  "rescale_betas_zero_snr", "variance_type", "use_karras_sigmas", "use_exponential_sigmas", "use_flow_sigmas",
  "flow_shift", "shift", "sigma_min", "sigma_max", "final_sigmas_type", "lower_order_final", "euler_at_final",
  "solver_type", "solver_order", "algorithm_type", "lambda_min_clipped", "predict_x0", "disable_corrector",
  "snr_shift_scale", "sigma_data", "interpolation_type", "timestep_type", "dynamic_thresholding_ratio",
  "clip_sample_range", "sample_max_value", "base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len",
  "time_shift_type", "skip_prk_steps",
};

static gboolean
unsupported (GError **error, const char *field, const char *value)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, WHERE ": %s = %.60s is not supported.", field, value);
  return FALSE;
}

static gboolean
damaged (GError **error, const char *what)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, WHERE ": %s.", what);
  return FALSE;
}

/* null, false, 0 and [] switch a field off. */
static gboolean
is_off (JsonNode *node)
{
  if (JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (JSON_NODE_HOLDS_ARRAY (node))
    return json_array_get_length (json_node_get_array (node)) == 0;
  if (!JSON_NODE_HOLDS_VALUE (node))
    return FALSE;
  if (json_node_get_value_type (node) == G_TYPE_BOOLEAN)
    return !json_node_get_boolean (node);
  if (json_node_get_value_type (node) == G_TYPE_STRING)
    return FALSE;
  return json_node_get_double (node) == 0;
}

/* Every member is either known to us, private ("_class_name"), or off. */
static gboolean
check_members (JsonObject *config, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;

  json_object_iter_init (&iter, config);
  while (json_object_iter_next (&iter, &name, &node))
    {
      gboolean known = name[0] == '_' || is_off (node);
      for (guint i = 0; i < G_N_ELEMENTS (KNOWN) && !known; i++)
        known = strcmp (name, KNOWN[i]) == 0;
      if (!known)
        {
          g_autofree char *text = json_to_string (node, FALSE);
          g_autofree char *field = g_strndup (name, 60);
          g_autofree char *valid = g_utf8_make_valid (field, -1);
          return unsupported (error, valid, JSON_NODE_HOLDS_VALUE (node) ? text : "…");
        }
    }
  return TRUE;
}

static const SchedulerClass *
find_class (JsonObject *config, GError **error)
{
  EaselFields f = easel_fields (config, WHERE);
  const char *name = easel_fields_string (&f, "_class_name", NULL);
  g_autoptr (GString) known = NULL;

  if (!easel_fields_done (&f, error))
    return NULL;
  for (guint i = 0; name && i < G_N_ELEMENTS (CLASSES); i++)
    if (strcmp (name, CLASSES[i].name) == 0)
      return &CLASSES[i];
  if (!name)
    {
      damaged (error, "_class_name is missing");
      return NULL;
    }
  known = g_string_new (NULL);
  for (guint i = 0; i < G_N_ELEMENTS (CLASSES); i++)
    g_string_append_printf (known, "%s%s", i ? ", " : "", CLASSES[i].name);
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
               WHERE ": the scheduler class %.80s is not supported; these are: %s.", name, known->str);
  return NULL;
}

/* ---- the table of alphas ---- */

static double
cosine_alpha (double t)
{
  double c = cos ((t + 0.008) / 1.008 * G_PI / 2);
  return c * c;
}

/* betas into `out`, rounded as the reference holds them. Sets *wide. */
static gboolean
read_betas (const SchedulerClass *klass, EaselFields *f, JsonObject *config, int n, double *out, gboolean *wide,
            GError **error)
{
  double start = easel_fields_double (f, "beta_start", klass->beta_start);
  double end = easel_fields_double (f, "beta_end", klass->beta_end);
  const char *kind = easel_fields_string (f, "beta_schedule", klass->beta_schedule);

  if (!easel_fields_done (f, error))
    return FALSE;
  if (!(start >= 0 && start < 1 && end >= 0 && end <= 1))
    return damaged (error, "beta_start and beta_end must be from 0 to 1");
  *wide = FALSE;
  if (json_object_has_member (config, "trained_betas") && !json_object_get_null_member (config, "trained_betas"))
    {
      JsonNode *node = json_object_get_member (config, "trained_betas");
      JsonArray *betas = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
      if (!betas || json_array_get_length (betas) != (guint) n)
        return damaged (error, "trained_betas must be a list of num_train_timesteps numbers");
      for (int i = 0; i < n; i++)
        {
          JsonNode *item = json_array_get_element (betas, (guint) i);
          out[i] = JSON_NODE_HOLDS_VALUE (item) && json_node_get_value_type (item) != G_TYPE_STRING
                       ? easel_f32 (json_node_get_double (item))
                       : NAN;
        }
    }
  else if (strcmp (kind, "linear") == 0)
    for (int i = 0; i < n; i++)
      out[i] = easel_linspace_f32 (start, end, n, i);
  else if (strcmp (kind, "scaled_linear") == 0)
    {
      *wide = klass->kind == CLASS_COGVIDEOX;
      for (int i = 0; i < n; i++)
        {
          double root = *wide ? easel_linspace (sqrt (start), sqrt (end), n, i)
                              : easel_linspace_f32 (sqrt (start), sqrt (end), n, i);
          out[i] = *wide ? root * root : easel_f32 (root * root);
        }
    }
  else if (strcmp (kind, "squaredcos_cap_v2") == 0)
    for (int i = 0; i < n; i++)
      out[i] = easel_f32 (MIN (1 - cosine_alpha ((i + 1.0) / n) / cosine_alpha ((double) i / n), 0.999));
  else
    return unsupported (error, "beta_schedule", kind);
  for (int i = 0; i < n; i++)
    if (!(out[i] >= 0 && out[i] <= 1))
      return damaged (error, "a beta is not between 0 and 1");
  return TRUE;
}

static inline double
rounded (double x, gboolean wide)
{
  return wide ? x : easel_f32 (x);
}

/* betas in, running products of 1 - beta out. torch sums and multiplies along in double, stores in the table's type. */
static void
accumulate (double *table, int n, gboolean wide)
{
  double product = 1;
  for (int i = 0; i < n; i++)
    {
      product *= rounded (1 - table[i], wide);
      table[i] = rounded (product, wide);
    }
}

/* Moves sqrt (alpha) so that the last is 0 and the first stays (Lin et al. 2023, algorithm 1). */
static void
rescale_to_zero_snr (double *alphas, int n, gboolean wide)
{
  double first = rounded (sqrt (alphas[0]), wide), last = rounded (sqrt (alphas[n - 1]), wide);
  double scale = rounded (first / rounded (first - last, wide), wide);

  for (int i = 0; i < n; i++)
    {
      double root = rounded (rounded (rounded (sqrt (alphas[i]), wide) - last, wide) * scale, wide);
      alphas[i] = rounded (root * root, wide);
    }
}

static gboolean
read_alphas (EaselSchedule *self, const SchedulerClass *klass, EaselFields *f, JsonObject *config, GError **error)
{
  double snr_shift = easel_fields_double (f, "snr_shift_scale", klass->kind == CLASS_COGVIDEOX ? 3.0 : 1.0);
  int n = self->train;
  double *a = self->alphas_cumprod = g_try_new (double, n);

  if (!a)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory for a schedule of %d steps.", n);
      return FALSE;
    }
  if (!read_betas (klass, f, config, n, a, &self->wide, error))
    return FALSE;
  if (!(snr_shift > 0 && snr_shift <= 1e6))
    return damaged (error, "snr_shift_scale must be above 0");
  self->zero_snr = easel_fields_bool (f, "rescale_betas_zero_snr", FALSE);
  accumulate (a, n, self->wide);
  if (klass->kind == CLASS_COGVIDEOX)
    {
      for (int i = 0; i < n; i++)
        {
          double scaled = rounded ((1 - snr_shift) * a[i], self->wide);
          a[i] = rounded (a[i] / rounded (snr_shift + scaled, self->wide), self->wide);
        }
      if (self->zero_snr)
        rescale_to_zero_snr (a, n, self->wide);
    }
  else if (self->zero_snr)
    {
      /* These classes go back to betas and multiply again, which rounds once more. */
      rescale_to_zero_snr (a, n, FALSE);
      for (int i = n - 1; i > 0; i--)
        a[i] = easel_f32 (1 - easel_f32 (a[i] / a[i - 1]));
      a[0] = easel_f32 (1 - a[0]);
      accumulate (a, n, FALSE);
    }
  for (int i = 0; i < n; i++)
    if (!(a[i] >= 0 && a[i] <= 1))
      return damaged (error, "the betas give no schedule");
  return TRUE;
}

/* ---- the rest of the fields ---- */

static gboolean
read_prediction (EaselSchedule *self, const SchedulerClass *klass, EaselFields *f, gboolean flow_sigmas, GError **error)
{
  static const struct
  {
    const char *name;
    EaselPrediction prediction;
  } NAMES[] = {
    { "epsilon", EASEL_PREDICTS_EPSILON },   { "v_prediction", EASEL_PREDICTS_V },
    { "sample", EASEL_PREDICTS_SAMPLE },     { "flow_prediction", EASEL_PREDICTS_FLOW },
    { "trigflow", EASEL_PREDICTS_TRIGFLOW },
  };
  const char *standard = klass->kind == CLASS_FLOW  ? "flow_prediction"
                         : klass->kind == CLASS_SCM ? "trigflow"
                                                    : "epsilon";
  const char *name = easel_fields_string (f, "prediction_type", standard);
  gboolean flow = klass->kind == CLASS_FLOW || flow_sigmas;

  for (guint i = 0; i < G_N_ELEMENTS (NAMES); i++)
    if (strcmp (name, NAMES[i].name) == 0)
      self->prediction = NAMES[i].prediction;
  /* Flow sigmas with another prediction, or flow predictions without them, are no schedule that anyone trained. */
  if (!self->prediction || (self->prediction == EASEL_PREDICTS_FLOW) != flow
      || (self->prediction == EASEL_PREDICTS_TRIGFLOW) != (klass->kind == CLASS_SCM))
    return unsupported (error, "prediction_type", name);
  return TRUE;
}

static gboolean
read_spacing (EaselSchedule *self, const SchedulerClass *klass, EaselFields *f, GError **error)
{
  static const char *const NAMES[] = { "linspace", "leading", "trailing" };
  const char *name = easel_fields_string (f, "timestep_spacing", NAMES[klass->spacing]);

  for (guint i = 0; i < G_N_ELEMENTS (NAMES); i++)
    if (strcmp (name, NAMES[i]) == 0)
      {
        self->spacing = (EaselSpacing) i;
        return TRUE;
      }
  return unsupported (error, "timestep_spacing", name);
}

/* Choices where only some words are followed. */
static gboolean
read_words (EaselSchedule *self, const SchedulerClass *klass, EaselFields *f, GError **error)
{
  const char *last = easel_fields_string (f, "final_sigmas_type", "zero");
  const char *between = easel_fields_string (f, "interpolation_type", "linear");
  const char *kind = easel_fields_string (f, "timestep_type", "discrete");
  const char *variance = easel_fields_string (f, "variance_type", "fixed_small");
  const char *solver = easel_fields_string (f, "solver_type", "");

  self->final_sigma_min = strcmp (last, "sigma_min") == 0;
  if (!self->final_sigma_min && strcmp (last, "zero") != 0)
    return unsupported (error, "final_sigmas_type", last);
  if (strcmp (between, "linear") != 0)
    return unsupported (error, "interpolation_type", between);
  if (strcmp (kind, "discrete") != 0)
    return unsupported (error, "timestep_type", kind);
  if (strcmp (variance, "fixed_small") == 0)
    self->variance = EASEL_VARIANCE_SMALL;
  else if (strcmp (variance, "fixed_small_log") == 0)
    self->variance = EASEL_VARIANCE_SMALL_LOG;
  else if (strcmp (variance, "fixed_large") == 0)
    self->variance = EASEL_VARIANCE_LARGE;
  else
    return unsupported (error, "variance_type", variance);
  /* The reference takes each other's solver types for its own first one. */
  if (klass->kind == CLASS_DPM || klass->kind == CLASS_UNIPC)
    {
      static const char *const SOLVERS[] = { "", "midpoint", "heun", "logrho", "bh1", "bh2" };
      gboolean known = FALSE;
      for (guint i = 0; i < G_N_ELEMENTS (SOLVERS); i++)
        known = known || strcmp (solver, SOLVERS[i]) == 0;
      if (!known)
        return unsupported (error, "solver_type", solver);
      self->solver_heun = klass->kind == CLASS_DPM && strcmp (solver, "heun") == 0;
      self->bh1 = klass->kind == CLASS_UNIPC && strcmp (solver, "bh1") == 0;
    }
  return TRUE;
}

/* Names DPM's variant. */
static gboolean
read_algorithm (EaselSchedule *self, EaselFields *f, gboolean flow, GError **error)
{
  static const char *const NAMES[2][2][2] = {
    { { "dpm++-2m", "dpm++-3m" }, { "dpm++-2m-sde", NULL } },
    { { "flow-dpm++", "flow-dpm++-3m" }, { "flow-dpm++-sde", NULL } },
  };
  const char *algorithm = easel_fields_string (f, "algorithm_type", "dpmsolver++");
  gboolean sde = strcmp (algorithm, "sde-dpmsolver++") == 0;

  if (!sde && strcmp (algorithm, "dpmsolver++") != 0 && strcmp (algorithm, "deis") != 0)
    return unsupported (error, "algorithm_type", algorithm);
  if (self->order < 2)
    return unsupported (error, "solver_order", "1");
  /* The reference's third order SDE has a term of the wrong sign (its 1 - e^-2h - 2h over 4h^2 loses 0.5 instead of
   * gaining it), which is of first order only and multiplies rounding errors from about 100 steps on. */
  self->sampler = NAMES[flow][sde][self->order - 2];
  if (!self->sampler)
    return unsupported (error, "solver_order", "3 with sde-dpmsolver++");
  if (!flow && self->karras && self->order == 2)
    self->sampler = sde ? "dpm++-2m-sde-karras" : "dpm++-2m-karras";
  return TRUE;
}

static gboolean
read_solver (EaselSchedule *self, const SchedulerClass *klass, EaselFields *f, gboolean flow, GError **error)
{
  gint64 skipped[EASEL_SAMPLER_MAX_STEPS];
  int n;

  self->lower_order_final = easel_fields_bool (f, "lower_order_final", TRUE);
  self->euler_at_final = easel_fields_bool (f, "euler_at_final", FALSE);
  self->lambda_min_clipped = easel_fields_double (f, "lambda_min_clipped", -INFINITY);
  if (isnan (self->lambda_min_clipped))
    return damaged (error, "lambda_min_clipped must be a number");
  if (klass->kind != CLASS_DPM && klass->kind != CLASS_UNIPC)
    return TRUE;
  self->order = (int) easel_fields_int (f, "solver_order", 2, 1, 3);
  if (klass->kind == CLASS_DPM)
    return read_algorithm (self, f, flow, error);
  self->sampler = flow ? "flow-unipc" : "unipc";
  if (!easel_fields_bool (f, "predict_x0", TRUE))
    return unsupported (error, "predict_x0", "false");
  n = easel_fields_ints (f, "disable_corrector", G_N_ELEMENTS (skipped), skipped);
  for (int i = 0; i < n; i++)
    if (skipped[i] >= 0 && skipped[i] < EASEL_SAMPLER_MAX_STEPS)
      self->no_corrector[skipped[i]] = 1;
  return TRUE;
}

static gboolean
read_fields (EaselSchedule *self, const SchedulerClass *klass, EaselFields *f, JsonObject *config, GError **error)
{
  gboolean solver = klass->kind == CLASS_DPM || klass->kind == CLASS_UNIPC;
  gboolean flow = klass->kind == CLASS_FLOW || (solver && easel_fields_bool (f, "use_flow_sigmas", FALSE));

  self->sampler = klass->sampler;
  self->train = (int) easel_fields_int (f, "num_train_timesteps", 1000, 1, 100000);
  self->shift = easel_fields_double (f, klass->kind == CLASS_FLOW ? "shift" : "flow_shift", 1);
  self->karras = easel_fields_bool (f, "use_karras_sigmas", FALSE);
  self->exponential = easel_fields_bool (f, "use_exponential_sigmas", FALSE);
  self->sigma_min = easel_fields_double (f, "sigma_min", NAN);
  self->sigma_max = easel_fields_double (f, "sigma_max", NAN);
  self->set_alpha_to_one = easel_fields_bool (f, "set_alpha_to_one", TRUE);
  self->steps_offset = (int) easel_fields_int (f, "steps_offset", 0, 0, 100000);
  self->clip_sample = easel_fields_bool (f, "clip_sample", klass->clip_sample);
  self->thresholding = easel_fields_bool (f, "thresholding", FALSE);
  self->data_sigma = easel_fields_double (f, "sigma_data", 0.5);
  if (f->error)
    return easel_fields_done (f, error);
  if (!(self->shift > 0 && self->shift <= 1e6))
    return damaged (error, "the shift must be above 0");
  if (!(self->data_sigma > 0 && self->data_sigma <= 1e6))
    return damaged (error, "sigma_data must be above 0");
  if (self->sigma_min <= 0 || self->sigma_max <= 0 || isinf (self->sigma_min) || isinf (self->sigma_max))
    return damaged (error, "sigma_min and sigma_max must be above 0");
  if (self->karras && self->exponential)
    return damaged (error, "use_karras_sigmas and use_exponential_sigmas exclude each other");
  return read_prediction (self, klass, f, flow, error) && read_spacing (self, klass, f, error)
         && read_words (self, klass, f, error) && read_solver (self, klass, f, flow, error)
         && (klass->kind == CLASS_FLOW || klass->kind == CLASS_SCM || read_alphas (self, klass, f, config, error));
}

EaselSchedule *
easel_schedule_new (JsonObject *config, GError **error)
{
  const SchedulerClass *klass = find_class (config, error);
  g_autoptr (EaselSchedule) self = NULL;
  EaselFields f;
  gboolean good;

  if (!klass || !check_members (config, error))
    return NULL;
  self = g_new0 (EaselSchedule, 1);
  f = easel_fields (config, WHERE);
  good = read_fields (self, klass, &f, config, error);
  /* A field of a wrong type found late comes after a refusal found early; only one error travels. */
  if (!easel_fields_done (&f, good ? error : NULL) || !good)
    return NULL;
  return g_steal_pointer (&self);
}

void
easel_schedule_free (EaselSchedule *self)
{
  if (self)
    g_free (self->alphas_cumprod);
  g_free (self);
}
