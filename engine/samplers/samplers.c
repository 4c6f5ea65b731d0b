/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one table of samplers, which of them fit a model, and the run that a family builds.
 */
#include "engine/samplers/schedule.h"

#include <math.h>
#include <string.h>

#define DIFFUSION (EASEL_PREDICTS_EPSILON | EASEL_PREDICTS_V | EASEL_PREDICTS_SAMPLE)
#define FLOW EASEL_PREDICTS_FLOW
#define SDE EASEL_SAMPLER_STOCHASTIC
#define KARRAS EASEL_SAMPLER_KARRAS
#define PLAIN EASEL_SAMPLER_PLAIN
#define CLIPS EASEL_SAMPLER_CLIPS
#define THRESHOLDS EASEL_SAMPLER_THRESHOLDS
#define FLOWS EASEL_SAMPLER_FLOW

/* name, one line, predictions it can be used with, whether it draws noise, flags, order, family */
#define SAMPLERS(X)                                                                                                  \
  X ("flow-dpm++", "DPM-Solver++ of second order, for flow models", FLOW, FALSE, FLOWS | THRESHOLDS, 2, dpm)         \
  X ("flow-euler", "Euler, for flow models", FLOW, FALSE, FLOWS, 0, flow_euler)                                      \
  X ("flow-heun", "Heun, for flow models: two evaluations a step", FLOW, FALSE, FLOWS, 0, flow_heun)                 \
  X ("flow-unipc", "UniPC with its corrector, for flow models", FLOW, FALSE, FLOWS | THRESHOLDS, 0, unipc)           \
  X ("flow-dpm++-3m", "DPM-Solver++ of third order, for flow models", FLOW, FALSE, FLOWS | THRESHOLDS, 3, dpm)       \
  X ("flow-dpm++-sde", "DPM-Solver++ with fresh noise, for flow models", FLOW, TRUE, FLOWS | THRESHOLDS | SDE, 2,    \
     dpm)                                                                                                            \
  X ("scm", "Continuous-time consistency, one to four steps", EASEL_PREDICTS_TRIGFLOW, TRUE, 0, 0, scm)              \
  X ("cogvideox-dpm", "DPM-Solver++ with fresh noise, as CogVideoX 5B was tuned", DIFFUSION, TRUE, 0, 0,             \
     cogvideox_dpm)                                                                                                  \
  X ("cogvideox-ddim", "DDIM, as CogVideoX 2B was tuned", DIFFUSION, FALSE, 0, 0, cogvideox_ddim)                    \
  X ("dpm++-2m", "DPM-Solver++ of second order", DIFFUSION, FALSE, THRESHOLDS | PLAIN, 2, dpm)                       \
  X ("dpm++-2m-karras", "DPM-Solver++ of second order, noise levels after Karras", DIFFUSION, FALSE,                 \
     THRESHOLDS | KARRAS, 2, dpm)                                                                                    \
  X ("dpm++-2m-sde", "DPM-Solver++ with fresh noise", DIFFUSION, TRUE, THRESHOLDS | SDE | PLAIN, 2, dpm)             \
  X ("dpm++-2m-sde-karras", "DPM-Solver++ with fresh noise, noise levels after Karras", DIFFUSION, TRUE,             \
     THRESHOLDS | SDE | KARRAS, 2, dpm)                                                                              \
  X ("dpm++-3m", "DPM-Solver++ of third order", DIFFUSION, FALSE, THRESHOLDS, 3, dpm)                                \
  X ("unipc", "UniPC with its corrector", DIFFUSION, FALSE, THRESHOLDS, 0, unipc)                                    \
  X ("euler", "Euler", DIFFUSION, FALSE, 0, 0, euler)                                                                \
  X ("euler-a", "Euler with fresh noise", EASEL_PREDICTS_EPSILON | EASEL_PREDICTS_V, TRUE, 0, 0, euler_ancestral)    \
  X ("heun", "Heun: two evaluations a step", DIFFUSION, FALSE, CLIPS, 0, heun)                                       \
  X ("ddim", "DDIM, deterministic", DIFFUSION, FALSE, CLIPS | THRESHOLDS, 0, ddim)                                   \
  X ("ddpm", "DDPM, with fresh noise", DIFFUSION, TRUE, CLIPS | THRESHOLDS, 0, ddpm)

#define INFO(name, description, predictions, noise, flags, order, build) \
  { name, description, predictions, 1, EASEL_SAMPLER_MAX_STEPS, noise },
#define DEF(name, description, predictions, noise, flags, order, build) { flags, order, easel_build_##build },

static const EaselSamplerInfo INFOS[] = { SAMPLERS (INFO) };
static const EaselSamplerDef DEFS[] = { SAMPLERS (DEF) };

const EaselSamplerInfo *
easel_sampler_list (guint *n)
{
  if (n)
    *n = G_N_ELEMENTS (INFOS);
  return INFOS;
}

const EaselSamplerInfo *
easel_sampler_find (const char *name)
{
  for (guint i = 0; name && i < G_N_ELEMENTS (INFOS); i++)
    if (strcmp (name, INFOS[i].name) == 0)
      return &INFOS[i];
  return NULL;
}

/* ---- what fits ---- */

/* Why a sampler cannot serve this schedule, or NULL. */
static const char *
misfit (const EaselSamplerInfo *info, const EaselSchedule *s)
{
  const EaselSamplerDef *def = &DEFS[info - INFOS];

  if (!(info->predictions & s->prediction))
    {
      if (s->prediction == EASEL_PREDICTS_SAMPLE && (info->predictions & EASEL_PREDICTS_EPSILON))
        return "it needs a model that predicts noise or velocity, and this one predicts the clean sample";
      if (info->predictions & EASEL_PREDICTS_TRIGFLOW)
        return "it needs a consistency model such as SANA-Sprint";
      if (s->prediction == EASEL_PREDICTS_TRIGFLOW)
        return "this is a consistency model, which only its own sampler can use";
      return s->prediction == EASEL_PREDICTS_FLOW ? "this is a flow model, and it needs a diffusion model"
                                                  : "it needs a flow model, and this is a diffusion model";
    }
  if ((def->flags & EASEL_SAMPLER_CLIPS) && s->clip_sample)
    return "the model's schedule asks it to clip the predicted sample (clip_sample), which is not supported";
  if ((def->flags & EASEL_SAMPLER_THRESHOLDS) && s->thresholding)
    return "the model's schedule asks it for dynamic thresholding (thresholding), which is not supported";
  if ((def->flags & EASEL_SAMPLER_FLOW) && (s->karras || s->exponential) && def->build != easel_build_flow_euler)
    return "the model's schedule respaces its noise levels (use_karras_sigmas or use_exponential_sigmas), which only "
           "flow-euler can do for flow models";
  return NULL;
}

static char *
names_that_fit (const EaselSchedule *s)
{
  GString *names = g_string_new (NULL);
  for (guint i = 0; i < G_N_ELEMENTS (INFOS); i++)
    if (!s || !misfit (&INFOS[i], s))
      g_string_append_printf (names, "%s%s", names->len ? ", " : "", INFOS[i].name);
  if (!names->len)
    g_string_append (names, "(none)");
  return g_string_free (names, FALSE);
}

gboolean
easel_sampler_fits (const char *name, JsonObject *config, const char **reason)
{
  const EaselSamplerInfo *info = easel_sampler_find (name);
  g_autoptr (EaselSchedule) schedule = info ? easel_schedule_new (config, NULL) : NULL;
  const char *why = !info       ? "there is no sampler of that name"
                    : !schedule ? "the model's scheduler configuration is not supported"
                                : misfit (info, schedule);
  if (reason)
    *reason = why;
  return why == NULL;
}

const char *
easel_sampler_default_name (JsonObject *config, GError **error)
{
  g_autoptr (EaselSchedule) schedule = easel_schedule_new (config, error);
  return schedule ? schedule->sampler : NULL;
}

/* ---- building blocks for the families ---- */

gboolean
easel_sampler_room (EaselSampler *self, int n_evaluations, GError **error)
{
  self->evaluations = g_try_new0 (EaselEvaluation, n_evaluations);
  if (self->evaluations)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory for a schedule of %d evaluations.", n_evaluations);
  return FALSE;
}

EaselEvaluation *
easel_sampler_add (EaselSampler *self, int step, double timestep, double sigma)
{
  EaselEvaluation *e = &self->evaluations[self->n_evaluations++];
  e->timestep = timestep;
  e->input_scale = 1;
  e->sigma = sigma;
  e->step = step;
  return e;
}

void
easel_sampler_assign (EaselSampler *self, EaselEvaluation *e, int dst, int n, const EaselTerm *terms)
{
  EaselAssign *a = &e->assigns[e->n_assigns++];

  a->dst = dst;
  for (int i = 0; i < n; i++)
    if (terms[i].c != 0)
      {
        a->src[a->n_terms] = terms[i].slot;
        a->c[a->n_terms++] = terms[i].c;
        self->n_slots = MAX (self->n_slots, terms[i].slot + 1);
      }
  if (!a->n_terms)
    a->src[a->n_terms++] = EASEL_SLOT_X; /* 0 * X */
  self->n_slots = MAX (self->n_slots, dst + 1);
}

/* Every number of the run is one: a schedule whose steps coincide or divide by zero has no result. */
static gboolean
check_finite (EaselSampler *self, GError **error)
{
  gboolean good = isfinite (self->init_sigma) && isfinite (self->start_clean) && isfinite (self->start_noise);
  int step = 0;

  for (int i = 0; i < self->n_evaluations && good; i++)
    {
      const EaselEvaluation *e = &self->evaluations[i];
      step = e->step;
      good = isfinite (e->timestep) && isfinite (e->input_scale) && isfinite (e->preview_x)
             && isfinite (e->preview_model);
      for (int k = 0; k < e->n_assigns; k++)
        for (int j = 0; j < e->assigns[k].n_terms; j++)
          good = good && isfinite ((float) e->assigns[k].c[j]);
    }
  if (!good)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "Sampler %s cannot take %d steps on this model's schedule: step %d divides by zero. "
                 "Use another number of steps or another sampler.", self->info->name, self->n_steps, step + 1);
  return good;
}

EaselSampler *
easel_sampler_new_from (const char *name, JsonObject *config, int n_steps, int first, GError **error)
{
  g_autoptr (EaselSchedule) schedule = easel_schedule_new (config, error);
  g_autoptr (EaselSampler) self = NULL;
  const EaselSamplerInfo *info;
  const EaselSamplerDef *def;
  const char *why;

  if (!schedule)
    return NULL;
  info = easel_sampler_find (name ? name : schedule->sampler);
  why = info ? misfit (info, schedule) : "there is no sampler of that name";
  if (why)
    {
      g_autofree char *fitting = names_that_fit (schedule);
      g_set_error (error, EASEL_ERROR, name ? EASEL_ERROR_BAD_REQUEST : EASEL_ERROR_UNSUPPORTED,
                   "Sampler %.60s cannot be used with this model: %s. These can: %s.", name ? name : schedule->sampler,
                   why, fitting);
      return NULL;
    }
  if (n_steps < 1 || n_steps > MIN (schedule->train, EASEL_SAMPLER_MAX_STEPS) || first < 0 || first >= n_steps)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "Steps must be from 1 to %d, not %d (from step %d).",
                   MIN (schedule->train, EASEL_SAMPLER_MAX_STEPS), n_steps, first);
      return NULL;
    }
  def = &DEFS[info - INFOS];
  if (def->flags & (EASEL_SAMPLER_KARRAS | EASEL_SAMPLER_PLAIN))
    schedule->karras = (def->flags & EASEL_SAMPLER_KARRAS) != 0;
  if (schedule->karras)
    schedule->exponential = FALSE;
  self = g_new0 (EaselSampler, 1);
  self->info = info;
  self->def = def;
  self->n_steps = n_steps;
  self->init_sigma = self->data_sigma = 1;
  self->n_slots = EASEL_SLOT_MODEL + 1;
  if (!def->build (self, schedule, n_steps, first, error) || !check_finite (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

EaselSampler *
easel_sampler_new (const char *name, JsonObject *config, int n_steps, GError **error)
{
  return easel_sampler_new_from (name, config, n_steps, 0, error);
}

void
easel_sampler_free (EaselSampler *self)
{
  if (self)
    g_free (self->evaluations);
  g_free (self);
}

/* ---- a finished run ---- */

const char *
easel_sampler_name (EaselSampler *self)
{
  return self->info->name;
}

double
easel_sampler_init_sigma (EaselSampler *self)
{
  return self->init_sigma;
}

double
easel_sampler_data_sigma (EaselSampler *self)
{
  return self->data_sigma;
}

int
easel_sampler_n_steps (EaselSampler *self)
{
  return self->n_steps;
}

int
easel_sampler_n_evaluations (EaselSampler *self)
{
  return self->n_evaluations;
}

const EaselEvaluation *
easel_sampler_evaluation (EaselSampler *self, int i)
{
  g_return_val_if_fail (i >= 0 && i < self->n_evaluations, NULL);
  return &self->evaluations[i];
}

int
easel_sampler_n_slots (EaselSampler *self)
{
  return self->n_slots;
}

void
easel_sampler_start (EaselSampler *self, double *clean, double *noise)
{
  *clean = self->start_clean;
  *noise = self->start_noise;
}

void
easel_sampler_apply (EaselSampler *self, int i, EaselStream *stream, EaselTensor *slots)
{
  const EaselEvaluation *e = easel_sampler_evaluation (self, i);

  for (int k = 0; e && k < e->n_assigns; k++)
    {
      const EaselAssign *a = &e->assigns[k];
      EaselLincombArgs args = { .n_terms = a->n_terms, .y = slots[a->dst] };
      for (int j = 0; j < a->n_terms; j++)
        {
          args.x[j] = slots[a->src[j]];
          args.c[j] = (float) a->c[j];
        }
      easel_op_lincomb (stream, &args);
    }
}
