/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Properties that every sampler has on every schedule it fits, what is refused and how, and configurations that lie.
 */
#include "engine/core/json.h"
#include "engine/samplers/sampler.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Schedules of published models, and of other kinds. The first member is a name for messages. */
#define DPM_FLOW                                                                                                     \
  "\"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"dpmsolver++\", \"beta_end\": 0.02, "      \
  "\"beta_schedule\": \"linear\", \"beta_start\": 0.0001, \"dynamic_thresholding_ratio\": 0.995, "                   \
  "\"final_sigmas_type\": \"zero\", \"lambda_min_clipped\": -Infinity, \"lower_order_final\": true, "                \
  "\"num_train_timesteps\": 1000, \"prediction_type\": \"flow_prediction\", \"solver_order\": 2, "                   \
  "\"solver_type\": \"midpoint\", \"timestep_spacing\": \"linspace\", \"trained_betas\": null, "                     \
  "\"use_flow_sigmas\": true, \"use_karras_sigmas\": false, \"variance_type\": null"
#define COGVIDEOX                                                                                                    \
  "\"_class_name\": \"CogVideoXDDIMScheduler\", \"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", "         \
  "\"beta_start\": 0.00085, \"clip_sample\": false, \"clip_sample_range\": 1.0, \"num_train_timesteps\": 1000, "     \
  "\"prediction_type\": \"v_prediction\", \"rescale_betas_zero_snr\": true, \"sample_max_value\": 1.0, "             \
  "\"set_alpha_to_one\": true, \"steps_offset\": 0, \"timestep_spacing\": \"trailing\", \"trained_betas\": null"
#define STABLE \
  "\"beta_start\": 0.00085, \"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", \"clip_sample\": false"
static const struct
{
  const char *label, *json, *sampler;
  gboolean ends_clean; /* the last timestep's successor is noise-free whatever the steps */
} MODELS[] = {
  { "sana", "{" DPM_FLOW ", \"flow_shift\": 3.0}", "flow-dpm++", TRUE },
  { "sana 4k", "{" DPM_FLOW ", \"flow_shift\": 6.0}", "flow-dpm++", TRUE },
  { "flow match", "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 3.0}", "flow-euler", TRUE },
  { "sana sprint",
    "{\"_class_name\": \"SCMScheduler\", \"_diffusers_version\": \"0.33.0.dev0\", \"num_train_timesteps\": 1000, "
    "\"prediction_type\": \"trigflow\", \"sigma_data\": 0.5}", "scm", TRUE },
  { "cogvideox 2b", "{" COGVIDEOX ", \"snr_shift_scale\": 3.0}", "cogvideox-ddim", FALSE },
  { "cogvideox 5b", "{" COGVIDEOX ", \"snr_shift_scale\": 1.0}", "cogvideox-ddim", FALSE },
  { "epsilon", "{\"_class_name\": \"EulerDiscreteScheduler\", " STABLE "}", "euler", TRUE },
  { "epsilon, leading", "{\"_class_name\": \"DDIMScheduler\", " STABLE "}", "ddim", TRUE },
  { "velocity", "{\"_class_name\": \"HeunDiscreteScheduler\", \"prediction_type\": \"v_prediction\", " STABLE "}",
    "heun", TRUE },
  { "clean sample",
    "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"prediction_type\": \"sample\", \"solver_order\": 3, " STABLE
    "}", "dpm++-3m", TRUE },
};

static JsonObject *
parse (const char *json)
{
  g_autoptr (GError) error = NULL;
  JsonObject *config = easel_json_parse (json, strlen (json), "test", &error);
  g_assert_no_error (error);
  return config;
}

/* A run on one number with a model that knows the clean sample (its `preview` is what it predicts). Returns the end. */
static double
run_perfect (EaselSampler *sampler, double x, double clean)
{
  double slot[EASEL_N_SLOTS];
  guint64 state = 42;

  for (int i = 0; i < EASEL_N_SLOTS; i++)
    slot[i] = NAN; /* what is read before it was written shows */
  slot[EASEL_SLOT_X] = x;
  for (int i = 0; i < easel_sampler_n_evaluations (sampler); i++)
    {
      const EaselEvaluation *e = easel_sampler_evaluation (sampler, i);
      g_assert_cmpint (e->n_assigns, >, 0);
      g_assert_cmpint (e->n_assigns, <=, EASEL_MAX_ASSIGNS);
      g_assert_cmpint (e->noise, <=, 2);
      slot[EASEL_SLOT_MODEL] = (clean - e->preview_x * slot[EASEL_SLOT_X]) / e->preview_model;
      slot[EASEL_SLOT_NOISE] = NAN;
      for (int k = 0; k < e->noise; k++)
        {
          state = state * 6364136223846793005u + 1442695040888963407u;
          slot[EASEL_SLOT_NOISE] = (double) (state >> 33) / (1u << 30) - 1;
        }
      for (int k = 0; k < e->n_assigns; k++)
        {
          const EaselAssign *a = &e->assigns[k];
          double sum = 0;
          g_assert_cmpint (a->n_terms, >=, 1);
          g_assert_cmpint (a->n_terms, <=, EASEL_MAX_TERMS);
          g_assert_cmpint (a->dst, <, easel_sampler_n_slots (sampler));
          for (int j = 0; j < a->n_terms; j++)
            {
              g_assert_cmpint (a->src[j], <, easel_sampler_n_slots (sampler));
              sum += a->c[j] * slot[a->src[j]];
            }
          slot[a->dst] = sum;
        }
    }
  g_assert_cmpint (easel_sampler_n_slots (sampler), <=, EASEL_N_SLOTS);
  return slot[EASEL_SLOT_X];
}

static gboolean
is_ddim (const char *name)
{
  return strcmp (name, "ddim") == 0 || g_str_has_prefix (name, "cogvideox-");
}

static void
test_every_sampler (void)
{
  guint n, n_runs = 0;
  const EaselSamplerInfo *samplers = easel_sampler_list (&n);

  for (guint m = 0; m < G_N_ELEMENTS (MODELS); m++)
    for (guint s = 0; s < n; s++)
      {
        g_autoptr (JsonObject) config = parse (MODELS[m].json);
        if (!easel_sampler_fits (samplers[s].name, config, NULL))
          continue;
        for (int steps = 1; steps <= 60; steps++)
          for (int first = 0; first < MIN (steps, 5); first += 4)
            {
              g_autoptr (GError) error = NULL;
              const char *name = samplers[s].name;
              g_autoptr (EaselSampler) sampler = easel_sampler_new_from (name, config, steps, first, &error);
              double clean = 0.7, noise = -1.3, a, b, end, x, tolerance;
              g_assert_no_error (error);
              g_assert_cmpstr (easel_sampler_name (sampler), ==, samplers[s].name);
              easel_sampler_start (sampler, &a, &b);
              x = first ? a * clean + b * noise : easel_sampler_init_sigma (sampler) * noise;
              end = run_perfect (sampler, x, clean);
              /* Where DDIM's steps do not divide the schedule, its last one stops at an early timestep's noise. */
              tolerance = is_ddim (samplers[s].name) && 1000 % steps ? 0.5 : 1e-7;
              if (!(fabs (end - clean) <= tolerance))
                {
                  printf ("%s on %s, %d steps from %d: ends at %.9g, not %.9g\n", samplers[s].name, MODELS[m].label,
                          steps, first, end, clean);
                  g_test_fail ();
                }
              n_runs++;
            }
      }
  g_test_message ("%u runs", n_runs);
  g_assert_cmpuint (n_runs, >, 5000);
}

static void
test_published_configs (void)
{
  for (guint m = 0; m < G_N_ELEMENTS (MODELS); m++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (JsonObject) config = parse (MODELS[m].json);
      g_autoptr (EaselSampler) own = easel_sampler_new (NULL, config, 20, &error), named = NULL;
      g_assert_no_error (error);
      g_assert_cmpstr (easel_sampler_default_name (config, &error), ==, MODELS[m].sampler);
      g_assert_cmpstr (easel_sampler_name (own), ==, MODELS[m].sampler);
      /* The config's own, by name, is the same; and every construction gives the same bits. */
      named = easel_sampler_new (MODELS[m].sampler, config, 20, &error);
      g_assert_no_error (error);
      g_assert_cmpint (easel_sampler_n_evaluations (own), ==, easel_sampler_n_evaluations (named));
      for (int i = 0; i < easel_sampler_n_evaluations (own); i++)
        g_assert_cmpmem (easel_sampler_evaluation (own, i), sizeof (EaselEvaluation),
                         easel_sampler_evaluation (named, i), sizeof (EaselEvaluation));
    }
}

static void
test_table (void)
{
  guint n;
  const EaselSamplerInfo *samplers = easel_sampler_list (&n);

  g_assert_cmpuint (n, >=, 19);
  for (guint i = 0; i < n; i++)
    {
      g_assert_true (easel_sampler_find (samplers[i].name) == &samplers[i]);
      g_assert_true (samplers[i].predictions && samplers[i].description[0]);
    }
  g_assert_null (easel_sampler_find ("no such thing"));
  g_assert_null (easel_sampler_find (NULL));
}

/* The tail of a schedule is the schedule from there. */
static void
test_first_step (void)
{
  static const char *const NAMES[] = { "flow-heun", "flow-dpm++", "flow-euler", "flow-unipc" };
  g_autoptr (JsonObject) config = parse (MODELS[0].json);

  for (guint i = 0; i < G_N_ELEMENTS (NAMES); i++)
    {
      g_autoptr (EaselSampler) whole = easel_sampler_new (NAMES[i], config, 12, NULL);
      g_autoptr (EaselSampler) tail = easel_sampler_new_from (NAMES[i], config, 12, 5, NULL);
      int skipped = easel_sampler_n_evaluations (whole) - easel_sampler_n_evaluations (tail);
      double clean, noise;
      g_assert_cmpint (skipped, ==, strcmp (NAMES[i], "flow-heun") == 0 ? 10 : 5);
      for (int k = 0; k < easel_sampler_n_evaluations (tail); k++)
        {
          const EaselEvaluation *a = easel_sampler_evaluation (tail, k);
          const EaselEvaluation *b = easel_sampler_evaluation (whole, k + skipped);
          g_assert_cmpfloat (a->timestep, ==, b->timestep);
          g_assert_cmpfloat (a->sigma, ==, b->sigma);
          g_assert_cmpint (a->step, ==, b->step);
        }
      easel_sampler_start (tail, &clean, &noise);
      g_assert_cmpfloat (noise, ==, easel_sampler_evaluation (tail, 0)->sigma);
      g_assert_cmpfloat_with_epsilon (clean + noise, 1, 1e-7);
    }
}

/* A network that knows flow's velocity becomes a trigflow model that knows the clean sample. */
static void
test_trigflow (void)
{
  g_autoptr (JsonObject) config = parse (MODELS[3].json);

  for (int n = 1; n <= 8; n++)
    {
      g_autoptr (EaselSampler) sampler = easel_sampler_new (NULL, config, n, NULL);
      g_assert_cmpfloat (easel_sampler_init_sigma (sampler), ==, 0.5);
      g_assert_cmpfloat (easel_sampler_data_sigma (sampler), ==, 0.5);
      for (int i = 0; i < n; i++)
        {
          const EaselEvaluation *e = easel_sampler_evaluation (sampler, i);
          EaselTrigflow t = easel_sampler_trigflow (sampler, i);
          double x0 = 0.8, z = -1.7; /* in the network's units */
          double x = 0.5 * (cos (e->timestep) * x0 + sin (e->timestep) * z);
          double out = z - x0, model = t.from_sample * x + t.from_output * out;
          g_assert_cmpfloat_with_epsilon (x * t.input_scale, (1 - t.timestep) * x0 + t.timestep * z, 1e-6);
          g_assert_cmpfloat_with_epsilon (e->preview_x * x + e->preview_model * model, 0.5 * x0, 1e-6);
        }
    }
}

/* `name` on `json` is refused with `code` and a message that has `word`. */
static void
refused (const char *name, const char *json, int steps, EaselError code, const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) config = parse (json);
  g_autoptr (EaselSampler) sampler = easel_sampler_new (name, config, steps, &error);

  g_assert_null (sampler);
  if (!g_error_matches (error, EASEL_ERROR, (int) code) || !strstr (error->message, word))
    g_test_fail_printf ("%s: wanted \"%s\" (%d), got (%d) %s", json, word, code, error->code, error->message);
}

static void
test_refused_pairs (void)
{
  const char *reason = NULL;
  g_autoptr (JsonObject) sana = parse (MODELS[0].json);

  refused ("ddim", MODELS[0].json, 20, EASEL_ERROR_BAD_REQUEST, "flow-dpm++, flow-euler");
  refused ("scm", MODELS[0].json, 2, EASEL_ERROR_BAD_REQUEST, "consistency");
  refused ("flow-euler", MODELS[3].json, 2, EASEL_ERROR_BAD_REQUEST, "These can: scm.");
  refused ("flow-euler", MODELS[4].json, 20, EASEL_ERROR_BAD_REQUEST, "cogvideox-dpm");
  refused ("euler-a", MODELS[9].json, 20, EASEL_ERROR_BAD_REQUEST, "clean sample");
  refused ("k-lms", MODELS[0].json, 20, EASEL_ERROR_BAD_REQUEST, "no sampler of that name");
  refused ("flow-dpm++", "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"use_karras_sigmas\": true}", 20,
           EASEL_ERROR_BAD_REQUEST, "use_karras_sigmas");
  refused (NULL, "{\"_class_name\": \"DDIMScheduler\"}", 20, EASEL_ERROR_UNSUPPORTED, "clip_sample");
  refused (NULL, "{\"_class_name\": \"DDPMScheduler\", \"clip_sample\": true}", 20, EASEL_ERROR_UNSUPPORTED,
           "clip_sample");
  g_assert_false (easel_sampler_fits ("ddim", sana, &reason));
  g_assert_nonnull (strstr (reason, "flow model"));
  g_assert_true (easel_sampler_fits ("flow-heun", sana, &reason));
  g_assert_null (reason);
}

static void
test_refused_fields (void)
{
#define EULER "{\"_class_name\": \"EulerDiscreteScheduler\", " STABLE
#define DPM "{\"_class_name\": \"DPMSolverMultistepScheduler\", " STABLE
  g_autoptr (JsonObject) harmless = parse (EULER ", \"foo\": null, \"bar\": false, \"_private\": 3, "
                                                 "\"skip_prk_steps\": true, \"use_beta_sigmas\": false}");
  g_autoptr (GError) error = NULL;
  static const struct
  {
    const char *json, *word;
  } CASES[] = {
    { "{\"_class_name\": \"PNDMScheduler\"}", "PNDMScheduler" },
    { EULER ", \"foo\": 3}", "foo" },
    { EULER ", \"use_beta_sigmas\": true}", "use_beta_sigmas" },
    { EULER ", \"interpolation_type\": \"log_linear\"}", "interpolation_type" },
    { EULER ", \"timestep_type\": \"continuous\"}", "timestep_type" },
    { EULER ", \"beta_schedule\": \"sigmoid\"}", "beta_schedule" },
    { EULER ", \"timestep_spacing\": \"karras\"}", "timestep_spacing" },
    { EULER ", \"prediction_type\": \"original\"}", "prediction_type" },
    { EULER ", \"prediction_type\": \"flow_prediction\"}", "prediction_type" },
    { DPM ", \"thresholding\": true}", "thresholding" },
    { DPM ", \"use_lu_lambdas\": true}", "use_lu_lambdas" },
    { DPM ", \"algorithm_type\": \"dpmsolver\"}", "algorithm_type" },
    { DPM ", \"algorithm_type\": \"sde-dpmsolver++\", \"solver_order\": 3}", "solver_order" },
    { DPM ", \"solver_order\": 1}", "solver_order" },
    { DPM ", \"solver_type\": \"rk4\"}", "solver_type" },
    { DPM ", \"variance_type\": \"learned_range\"}", "variance_type" },
    { DPM ", \"use_flow_sigmas\": true}", "prediction_type" },
    { "{\"_class_name\": \"UniPCMultistepScheduler\", \"predict_x0\": false}", "predict_x0" },
    { "{\"_class_name\": \"UniPCMultistepScheduler\", \"solver_p\": {\"a\": 1}}", "solver_p" },
    { "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"use_dynamic_shifting\": true}",
      "use_dynamic_shifting" },
    { "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift_terminal\": 0.1}", "shift_terminal" },
    { "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"invert_sigmas\": true}", "invert_sigmas" },
    { "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"stochastic_sampling\": true}", "stochastic_sampling" },
    { "{\"_class_name\": \"SCMScheduler\", \"prediction_type\": \"epsilon\"}", "prediction_type" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (CASES); i++)
    refused (NULL, CASES[i].json, 20, EASEL_ERROR_UNSUPPORTED, CASES[i].word);
  g_autoptr (EaselSampler) sampler = easel_sampler_new (NULL, harmless, 20, &error);
  g_assert_no_error (error);
  g_assert_nonnull (sampler);
}

/* Every sampler on a configuration that lies: an error or a finite run, nothing else. */
static void
survives (const char *json)
{
  static const int STEPS[] = { G_MININT, -1, 0, 1, 2, 3, 7, 50, 999, 1000, 1001, G_MAXINT };
  guint n;
  const EaselSamplerInfo *samplers = easel_sampler_list (&n);
  g_autoptr (JsonObject) config = parse (json);

  for (guint s = 0; s <= n; s++)
    for (guint i = 0; i < G_N_ELEMENTS (STEPS); i++)
      {
        g_autoptr (GError) error = NULL;
        const char *name = s < n ? samplers[s].name : NULL;
        g_autoptr (EaselSampler) sampler = easel_sampler_new (name, config, STEPS[i], &error);
        g_assert_true ((sampler != NULL) == (error == NULL));
        if (sampler)
          g_assert_true (isfinite (run_perfect (sampler, easel_sampler_init_sigma (sampler) * 0.3, 0.7)));
        else
          g_assert_true (g_utf8_validate (error->message, -1, NULL));
      }
}

static void
test_hostile (void)
{
  static const char *const DAMAGED[] = {
    EULER ", \"beta_start\": NaN}",
    EULER ", \"beta_end\": Infinity}",
    EULER ", \"beta_start\": -1}",
    EULER ", \"num_train_timesteps\": 0}",
    EULER ", \"num_train_timesteps\": -5}",
    EULER ", \"num_train_timesteps\": 9000000000}",
    EULER ", \"num_train_timesteps\": \"1000\"}",
    EULER ", \"steps_offset\": -3}",
    EULER ", \"sigma_min\": 0, \"use_karras_sigmas\": true}",
    EULER ", \"sigma_max\": -2.5, \"use_karras_sigmas\": true}",
    EULER ", \"use_karras_sigmas\": true, \"use_exponential_sigmas\": true}",
    EULER ", \"trained_betas\": [0.1, 0.2]}",
    EULER ", \"trained_betas\": 3}",
    EULER ", \"num_train_timesteps\": 2, \"trained_betas\": [0.1, NaN]}",
    EULER ", \"num_train_timesteps\": 2, \"trained_betas\": [0.1, \"x\"]}",
    DPM ", \"solver_order\": 9}",
    DPM ", \"lambda_min_clipped\": NaN}",
    DPM ", \"prediction_type\": 4}",
    "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": -3}",
    "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": NaN}",
    "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 0}",
    "{\"_class_name\": \"SCMScheduler\", \"sigma_data\": 0}",
    "{\"_class_name\": \"CogVideoXDDIMScheduler\", \"snr_shift_scale\": 0}",
    "{\"_class_name\": \"CogVideoXDDIMScheduler\", \"snr_shift_scale\": NaN}",
    "{\"_class_name\": 3}",
    "{}",
  };
  static const char *const STRANGE[] = {
    EULER ", \"num_train_timesteps\": 1}",
    EULER ", \"num_train_timesteps\": 2, \"rescale_betas_zero_snr\": true}",
    EULER ", \"num_train_timesteps\": 3, \"trained_betas\": [0, 0, 0]}",
    EULER ", \"num_train_timesteps\": 3, \"trained_betas\": [1, 1, 1]}",
    EULER ", \"num_train_timesteps\": 3, \"trained_betas\": [0.5, 0, 1], \"prediction_type\": \"v_prediction\"}",
    EULER ", \"rescale_betas_zero_snr\": true}",
    EULER ", \"timestep_spacing\": \"leading\", \"steps_offset\": 100000}",
    EULER ", \"timestep_spacing\": \"trailing\", \"num_train_timesteps\": 7}",
    EULER ", \"sigma_min\": 1e-300, \"sigma_max\": 1e300, \"use_karras_sigmas\": true}",
    EULER ", \"sigma_min\": 5, \"sigma_max\": 5, \"use_exponential_sigmas\": true}",
    DPM ", \"lambda_min_clipped\": Infinity}",
    DPM ", \"lambda_min_clipped\": -2, \"timestep_spacing\": \"trailing\"}",
    DPM ", \"lower_order_final\": false, \"final_sigmas_type\": \"sigma_min\"}",
    "{\"_class_name\": \"UniPCMultistepScheduler\", \"lower_order_final\": false, \"solver_order\": 3}",
    "{\"_class_name\": \"UniPCMultistepScheduler\", \"solver_type\": \"bh1\", \"disable_corrector\": [-1, 5000, 0]}",
    "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 1e-300}",
    "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 1000000}",
    "{\"_class_name\": \"FlowMatchHeunDiscreteScheduler\", \"num_train_timesteps\": 1}",
    "{\"_class_name\": \"CogVideoXDDIMScheduler\", \"snr_shift_scale\": 1e-300}",
    "{\"_class_name\": \"CogVideoXDPMScheduler\", \"rescale_betas_zero_snr\": true}",
    "{\"_class_name\": \"SCMScheduler\", \"sigma_data\": 1000000}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (DAMAGED); i++)
    {
      refused (NULL, DAMAGED[i], 20, EASEL_ERROR_DAMAGED, "scheduler_config.json");
      survives (DAMAGED[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (STRANGE); i++)
    survives (STRANGE[i]);
  refused (NULL, MODELS[0].json, 0, EASEL_ERROR_BAD_REQUEST, "Steps must be from 1 to 1000");
  refused (NULL, MODELS[0].json, 1001, EASEL_ERROR_BAD_REQUEST, "Steps must be from 1 to 1000");
  refused (NULL, "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"num_train_timesteps\": 10}", 11,
           EASEL_ERROR_BAD_REQUEST, "Steps must be from 1 to 10");
}

/* One launch an assignment, on a real device; what apply() does to the slots is what the table says. */
static void
test_apply (void)
{
  g_autoptr (JsonObject) config = parse (MODELS[0].json);
  g_autoptr (EaselSampler) sampler = easel_sampler_new ("flow-unipc", config, 6, NULL);
  EaselDevice *device = NULL;
  EaselStream *stream = NULL;
  EaselTensor slots[EASEL_N_SLOTS];
  guint64 assigns = 0;
  float values[4] = { 0.3f, -1.5f, 2.0f, 0 }, clean = 0.25f;

  g_assert_cmpint (easel_cpu_device_open (1, &device), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_stream_open (device, 1 << 16, &stream), ==, EASEL_STATUS_OK);
  for (int i = 0; i < EASEL_N_SLOTS; i++)
    slots[i] = easel_new (stream, EASEL_DTYPE_F32, 4);
  easel_upload (stream, slots[EASEL_SLOT_X], values);
  easel_stream_reset_counters (stream);
  for (int i = 0; i < easel_sampler_n_evaluations (sampler); i++)
    {
      const EaselEvaluation *e = easel_sampler_evaluation (sampler, i);
      float model[4];
      assigns += (guint64) e->n_assigns;
      easel_download (stream, values, slots[EASEL_SLOT_X]);
      for (int k = 0; k < 4; k++)
        model[k] = (float) ((clean - e->preview_x * values[k]) / e->preview_model);
      easel_upload (stream, slots[EASEL_SLOT_MODEL], model);
      easel_sampler_apply (sampler, i, stream, slots);
    }
  g_assert_cmpuint (stream->launches, ==, assigns);
  easel_download (stream, values, slots[EASEL_SLOT_X]);
  g_assert_true (easel_stream_ok (stream));
  for (int k = 0; k < 4; k++)
    g_assert_cmpfloat_with_epsilon (values[k], clean, 1e-5);
  easel_stream_close (&stream);
  easel_device_close (&device);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/samplers/table", test_table);
  g_test_add_func ("/samplers/published-configs", test_published_configs);
  g_test_add_func ("/samplers/every-sampler", test_every_sampler);
  g_test_add_func ("/samplers/first-step", test_first_step);
  g_test_add_func ("/samplers/trigflow", test_trigflow);
  g_test_add_func ("/samplers/refused-pairs", test_refused_pairs);
  g_test_add_func ("/samplers/refused-fields", test_refused_fields);
  g_test_add_func ("/samplers/hostile", test_hostile);
  g_test_add_func ("/samplers/apply", test_apply);
  return g_test_run ();
}
