/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parity of the samplers room: whole trajectories on a synthetic model, noise from the CPU generator, through
 * easel_sampler_apply on the case's device.
 */
#include "tests/parity/parity.h"

#include "engine/core/rng.h"
#include "engine/samplers/sampler.h"

#include <math.h>
#include <string.h>

#define BOUND 1e-5

typedef struct
{
  ParityCase *c;
  const char *key; /* "flow-dpmpp-2m.10": prefix of the tensors */
  double ref;      /* the model's time is t / ref */
  guint64 x_seed, noise_seed;
  EaselStream *stream;
} Run;

/* The number after "seed " in a member of the case's description. */
static guint64
seed_in (ParityCase *c, const char *member)
{
  const char *text = json_object_get_string_member_with_default (c->meta, member, "");
  const char *seed = strstr (text, "seed ");
  return seed ? g_ascii_strtoull (seed + 5, NULL, 10) : 0;
}

static float *
tensor (Run *r, const char *name, gint64 *n, GError **error)
{
  g_autofree char *full = g_strdup_printf ("%s.%s", r->key, name);
  return parity_floats (r->c, full, n, error);
}

/* The synthetic model of the reference. */
static void
predict (const Run *r, const EaselEvaluation *e, const float *x, float *out, gint64 n)
{
  double t = e->timestep / r->ref;
  for (gint64 i = 0; i < n; i++)
    {
      double in = (float) (x[i] * e->input_scale);
      out[i] = (float) (0.7 * tanh (in) * cos (t * 2.1) + 0.3 * sin (1.7 * in + t));
    }
}

/* ||got - want|| / ||want||, NaN where either is. */
static double
relative (const float *got, const float *want, gint64 n)
{
  double difference = 0, size = 0;
  for (gint64 i = 0; i < n; i++)
    {
      difference += ((double) got[i] - want[i]) * ((double) got[i] - want[i]);
      size += (double) want[i] * want[i];
    }
  return size > 0 ? sqrt (difference / size) : sqrt (difference);
}

static void
row (Run *r, const char *what, double error, double bound)
{
  g_autofree char *text = g_strdup_printf ("%s %s", r->key, what);
  parity_row (r->c, text, error, bound);
}

static inline double
worse (double a, double b)
{
  return b <= a ? a : b; /* keeps a NaN */
}

static void
check_tables (Run *r, EaselSampler *sampler)
{
  gint64 n;
  g_autofree float *timesteps = tensor (r, "timesteps", &n, NULL);
  g_autofree char *name = g_strdup_printf ("%s.sigmas", r->key);
  g_autofree float *sigmas = parity_has (r->c, name) ? parity_floats (r->c, name, NULL, NULL) : NULL;
  double t_error = 0, s_error = 0;

  if (!timesteps || n < easel_sampler_n_evaluations (sampler))
    {
      row (r, "timesteps are missing", NAN, 0);
      return;
    }
  for (int i = 0; i < easel_sampler_n_evaluations (sampler); i++)
    {
      const EaselEvaluation *e = easel_sampler_evaluation (sampler, i);
      t_error = worse (t_error, fabs (e->timestep - timesteps[i]) / MAX (1, fabs (timesteps[i])));
      if (sigmas)
        s_error = worse (s_error, fabs (e->sigma - sigmas[i]) / MAX (1e-3, fabs (sigmas[i])));
    }
  row (r, "timesteps", t_error, 1e-6);
  if (sigmas)
    row (r, "sigmas", s_error, 1e-6);
}

static gboolean
run_steps (Run *r, EaselSampler *sampler, GError **error)
{
  gint64 n, n_xs, n_denoised = 0;
  g_autofree float *x0 = tensor (r, "x0", &n, error);
  g_autofree float *xs = x0 ? tensor (r, "xs", &n_xs, error) : NULL;
  g_autofree float *denoised = tensor (r, "denoised", &n_denoised, NULL);
  g_autofree float *x = g_new (float, n), *model = g_new (float, n), *noise = g_new (float, n);
  g_autoptr (EaselRng) start = easel_rng_new (EASEL_RNG_CPU, r->x_seed);
  g_autoptr (EaselRng) rng = easel_rng_new (EASEL_RNG_CPU, r->noise_seed);
  int n_evaluations = easel_sampler_n_evaluations (sampler);
  size_t mark = easel_stream_mark (r->stream);
  EaselTensor slots[EASEL_N_SLOTS];
  double worst = 0, worst_denoised = 0;

  if (!xs)
    return FALSE;
  if (n_xs != n * n_evaluations || (denoised && n_denoised != n_xs))
    {
      row (r, "has another number of steps", NAN, 0);
      return TRUE;
    }
  easel_rng_randn (start, x, (gsize) n, EASEL_DTYPE_F32);
  for (gint64 i = 0; i < n; i++)
    x[i] = (float) (x[i] * easel_sampler_init_sigma (sampler));
  row (r, "starting noise", relative (x, x0, n), 1e-6);
  for (int i = 0; i < EASEL_N_SLOTS; i++)
    slots[i] = easel_new (r->stream, EASEL_DTYPE_F32, n);
  easel_upload (r->stream, slots[EASEL_SLOT_X], x0);
  memcpy (x, x0, (size_t) n * sizeof *x);
  for (int i = 0; i < n_evaluations; i++)
    {
      const EaselEvaluation *e = easel_sampler_evaluation (sampler, i);
      predict (r, e, x, model, n);
      if (denoised)
        {
          for (gint64 k = 0; k < n; k++)
            noise[k] = (float) (e->preview_x * x[k] + e->preview_model * model[k]);
          worst_denoised = worse (worst_denoised, relative (noise, denoised + i * n, n));
        }
      for (int k = 0; k < e->noise; k++)
        easel_rng_randn (rng, noise, (gsize) n, EASEL_DTYPE_F32);
      easel_upload (r->stream, slots[EASEL_SLOT_MODEL], model);
      easel_upload (r->stream, slots[EASEL_SLOT_NOISE], noise);
      easel_sampler_apply (sampler, i, r->stream, slots);
      easel_download (r->stream, x, slots[EASEL_SLOT_X]);
      worst = worse (worst, relative (x, xs + i * n, n));
    }
  row (r, "worst step", worst, BOUND);
  if (denoised)
    row (r, "worst denoised", worst_denoised, BOUND);
  easel_stream_release (r->stream, mark);
  return easel_stream_check (r->stream, r->key, error);
}

/* "cog-dpm.10" -> 10 */
static int
steps_of (const char *key)
{
  const char *dot = strrchr (key, '.');
  return dot ? (int) g_ascii_strtoll (dot + 1, NULL, 10) : 0;
}

static gboolean
run_key (Run *r, JsonObject *config, GError **error)
{
  g_autoptr (EaselSampler) sampler = easel_sampler_new (NULL, config, steps_of (r->key), error);

  if (!sampler)
    return FALSE;
  check_tables (r, sampler);
  return run_steps (r, sampler, error);
}

static gboolean
run_samplers (ParityCase *c, GError **error)
{
  JsonObject *samplers = json_object_get_object_member (c->meta, "samplers");
  g_autoptr (GList) keys = samplers ? json_object_get_members (samplers) : NULL;
  Run r = { .c = c, .ref = 1000, .x_seed = seed_in (c, "x0"), .noise_seed = seed_in (c, "noise") };
  EaselStream *stream = NULL;
  gboolean good = TRUE;

  if (easel_stream_open (c->device, 1 << 20, &stream) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "no stream");
      return FALSE;
    }
  r.stream = stream;
  for (GList *l = keys; l && good; l = l->next)
    {
      JsonNode *node = json_object_get_member (samplers, l->data);
      JsonObject *entry = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
      r.key = l->data;
      if (!entry) /* "NAME.error": the reference itself could not */
        continue;
      JsonObject *config = json_object_get_object_member (entry, "config");
      json_object_set_string_member (config, "_class_name", json_object_get_string_member (entry, "cls"));
      good = run_key (&r, config, error);
    }
  /* SCM, of which the description lists no configuration: it is the class's own. */
  r.ref = 1;
  for (int n = 1; n <= 64 && good; n++)
    {
      g_autofree char *key = g_strdup_printf ("scm.%d", n), *xs = g_strdup_printf ("%s.xs", key);
      g_autoptr (JsonObject) config = json_object_new ();
      json_object_set_string_member (config, "_class_name", "SCMScheduler");
      r.key = key;
      if (parity_has (c, xs))
        good = run_key (&r, config, error);
    }
  easel_stream_close (&stream);
  return good;
}

const ParityFamily parity_samplers[] = {
  { "samplers", run_samplers },
  { NULL },
};
