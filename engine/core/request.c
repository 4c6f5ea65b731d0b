/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/request.h"

#include <math.h>
#include <string.h>

#define MODEL_MAX_BYTES 4096u
#define WORD_MAX_BYTES 64u

struct EaselRequest
{
  gatomicrefcount refs;
  EaselRequestSettings settings;
};

static gboolean
refuse (GError **error, const char *setting, const char *must)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s must be %s.", setting, must);
  return FALSE;
}

static gboolean
check_text (const char *text, gsize max_bytes, const char *setting, GError **error)
{
  if (!text)
    return TRUE;
  if (strlen (text) > max_bytes)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "%s has %" G_GSIZE_FORMAT " bytes; at most %" G_GSIZE_FORMAT " are possible.", setting,
                   strlen (text), max_bytes);
      return FALSE;
    }
  return g_utf8_validate (text, -1, NULL) || refuse (error, setting, "text in UTF-8");
}

static gboolean
check_int (int value, int max, const char *setting, GError **error)
{
  if (value >= 0 && value <= max)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s must be from 1 to %d (0: the model's own), not %d.",
               setting, max, value);
  return FALSE;
}

gboolean
easel_request_knows_precision (const char *word)
{
  static const char *const words[] = { "f32", "bf16", "f16", "fp8", "int8", NULL };
  return g_strv_contains (words, word);
}

static gboolean
check (const EaselRequestSettings *s, GError **error)
{
  if (!check_text (s->model, MODEL_MAX_BYTES, "The model's name", error)
      || !check_text (s->prompt, EASEL_PROMPT_MAX_BYTES, "The prompt", error)
      || !check_text (s->negative, EASEL_PROMPT_MAX_BYTES, "The negative prompt", error)
      || !check_text (s->input, MODEL_MAX_BYTES, "The name of the input", error)
      || !check_text (s->sampler, WORD_MAX_BYTES, "The sampler's name", error)
      || !check_text (s->noise, WORD_MAX_BYTES, "The kind of noise", error)
      || !check_text (s->precision, WORD_MAX_BYTES, "The precision", error)
      || !check_int (s->width, EASEL_REQUEST_MAX_SIDE, "The width", error)
      || !check_int (s->height, EASEL_REQUEST_MAX_SIDE, "The height", error)
      || !check_int (s->steps, EASEL_REQUEST_MAX_STEPS, "The number of steps", error)
      || !check_int (s->stop_after, EASEL_REQUEST_MAX_STEPS, "The number of steps to stop after", error)
      || !check_int (s->count, EASEL_REQUEST_MAX_COUNT, "The number of pictures", error)
      || !check_int (s->max_tokens, 4096, "The number of tokens", error)
      || !check_int (s->frames, EASEL_REQUEST_MAX_FRAMES, "The number of frames", error))
    return FALSE;
  /* Written so that NaN is refused. */
  if (!(s->guidance <= 1000.0) || isinf (s->guidance))
    return refuse (error, "The guidance scale", "a number from 0 to 1000");
  if (!(s->fps >= 0.0 && s->fps <= 1000.0))
    return refuse (error, "The number of frames per second", "a number from 0 to 1000");
  if (!(s->strength >= 0.0 && s->strength <= 1.0))
    return refuse (error, "The strength", "a number from 0 to 1");
  if (!(s->reuse >= 0.0 && s->reuse <= 1.0))
    return refuse (error, "The change below which work is used again", "a number from 0 to 1");
  if (!(s->psnr >= 0.0 && s->psnr <= 100.0 && fabs (s->ssim) <= 1.0))
    return refuse (error, "The likeness to the exact clip", "a PSNR from 0 to 100 dB and an SSIM from -1 to 1");
  if (s->noise && strcmp (s->noise, "cpu") != 0 && strcmp (s->noise, "cuda") != 0)
    return refuse (error, "The kind of noise", "\"cpu\" or \"cuda\"");
  if (s->precision && !easel_request_knows_precision (s->precision))
    return refuse (error, "The precision", "\"f32\", \"bf16\", \"f16\", \"fp8\" or \"int8\"");
  return TRUE;
}

/* "" and NULL mean the same where a word is optional. */
static char *
copy_word (const char *text)
{
  return text && *text ? g_strdup (text) : NULL;
}

EaselRequest *
easel_request_new (const EaselRequestSettings *settings, GError **error)
{
  if (!check (settings, error))
    return NULL;
  EaselRequest *self = g_new0 (EaselRequest, 1);
  EaselRequestSettings *s = &self->settings;
  g_atomic_ref_count_init (&self->refs);
  *s = *settings;
  s->model = copy_word (settings->model);
  s->prompt = g_strdup (settings->prompt ? settings->prompt : "");
  s->negative = g_strdup (settings->negative ? settings->negative : "");
  s->sampler = copy_word (settings->sampler);
  s->noise = g_strdup (settings->noise ? settings->noise : "cpu");
  s->precision = copy_word (settings->precision);
  s->input = copy_word (settings->input);
  s->dynamic_guidance = settings->dynamic_guidance != FALSE;
  s->fit_input = settings->fit_input != FALSE;
  s->guidance = settings->guidance < 0 ? -1 : settings->guidance;
  s->seed = MAX (settings->seed, -1);
  s->count = MAX (settings->count, 1);
  s->resolution_binning = settings->resolution_binning != FALSE;
  s->human_instruction = settings->human_instruction != FALSE;
  return self;
}

EaselRequest *
easel_request_ref (EaselRequest *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
easel_request_unref (EaselRequest *self)
{
  if (!self || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_free ((char *) self->settings.model);
  g_free ((char *) self->settings.prompt);
  g_free ((char *) self->settings.negative);
  g_free ((char *) self->settings.sampler);
  g_free ((char *) self->settings.noise);
  g_free ((char *) self->settings.precision);
  g_free ((char *) self->settings.input);
  g_free (self);
}

const EaselRequestSettings *
easel_request_settings (EaselRequest *self)
{
  return &self->settings;
}

gboolean
easel_request_equal (EaselRequest *a, EaselRequest *b)
{
  const EaselRequestSettings *x = &a->settings, *y = &b->settings;
  return !g_strcmp0 (x->model, y->model) && !g_strcmp0 (x->prompt, y->prompt) && !g_strcmp0 (x->negative, y->negative)
         && !g_strcmp0 (x->sampler, y->sampler) && !g_strcmp0 (x->noise, y->noise)
         && !g_strcmp0 (x->precision, y->precision) && x->width == y->width && x->height == y->height
         && x->steps == y->steps && x->guidance == y->guidance && x->seed == y->seed && x->count == y->count
         && x->resolution_binning == y->resolution_binning && x->human_instruction == y->human_instruction
         && x->max_tokens == y->max_tokens && x->frames == y->frames && x->fps == y->fps
         && x->dynamic_guidance == y->dynamic_guidance && x->fit_input == y->fit_input
         && !g_strcmp0 (x->input, y->input)
         && x->strength == y->strength && x->stop_after == y->stop_after && x->reuse == y->reuse
         && x->reused == y->reused && x->psnr == y->psnr && x->ssim == y->ssim;
}

/* ---- JSON ---- */

/* Nothing about the person's machine goes into a file: of a path only the last part is a name. "Owner/Name" is the name
 * of a Hub repository. */
char *
easel_request_model_name (const char *model)
{
  const char *slash = strchr (model, '/');
  if (!slash || (slash != model && model[0] != '.' && model[0] != '~' && slash[1] != '\0' && !strchr (slash + 1, '/')))
    return g_strdup (model);
  g_autofree char *name = g_path_get_basename (model);
  return g_strdup (!strcmp (name, "/") || !strcmp (name, ".") || !strcmp (name, "..") ? "model" : name);
}

static void
set_word (JsonObject *object, const char *name, const char *value)
{
  if (value)
    json_object_set_string_member (object, name, value);
}

char *
easel_request_to_json (EaselRequest *self)
{
  const EaselRequestSettings *s = &self->settings;
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *model = s->model ? easel_request_model_name (s->model) : NULL;
  g_autofree char *input = s->input ? g_path_get_basename (s->input) : NULL;
  json_object_set_int_member (object, "version", 1);
  set_word (object, "model", model);
  set_word (object, "prompt", s->prompt);
  set_word (object, "negative", s->negative);
  json_object_set_int_member (object, "width", s->width);
  json_object_set_int_member (object, "height", s->height);
  json_object_set_int_member (object, "steps", s->steps);
  if (s->stop_after > 0)
    json_object_set_int_member (object, "stop_after", s->stop_after);
  if (s->reuse > 0)
    json_object_set_double_member (object, "reuse", s->reuse);
  if (s->reused > 0)
    json_object_set_int_member (object, "reused", s->reused);
  if (s->psnr > 0)
    {
      json_object_set_double_member (object, "psnr", s->psnr);
      json_object_set_double_member (object, "ssim", s->ssim);
    }
  json_object_set_double_member (object, "guidance", s->guidance);
  json_object_set_int_member (object, "seed", s->seed);
  set_word (object, "sampler", s->sampler);
  json_object_set_int_member (object, "count", s->count);
  json_object_set_boolean_member (object, "resolution_binning", s->resolution_binning);
  json_object_set_boolean_member (object, "human_instruction", s->human_instruction);
  json_object_set_int_member (object, "max_tokens", s->max_tokens);
  json_object_set_int_member (object, "frames", s->frames);
  json_object_set_double_member (object, "fps", s->fps);
  if (s->dynamic_guidance)
    json_object_set_boolean_member (object, "dynamic_guidance", TRUE);
  if (s->fit_input)
    json_object_set_boolean_member (object, "fit_input", TRUE);
  set_word (object, "input", input);
  if (s->strength > 0)
    json_object_set_double_member (object, "strength", s->strength);
  set_word (object, "noise", s->noise);
  set_word (object, "precision", s->precision);
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  json_node_set_object (root, object);
  return easel_json_to_text (root);
}

EaselRequest *
easel_request_from_json (const char *text, gsize length, GError **error)
{
  g_autoptr (JsonObject) object = easel_json_parse (text, length, "The request", error);
  if (!object)
    return NULL;
  EaselFields f = easel_fields (object, "The request");
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  s.model = easel_fields_string (&f, "model", NULL);
  s.prompt = easel_fields_string (&f, "prompt", "");
  s.negative = easel_fields_string (&f, "negative", "");
  s.width = (int) easel_fields_int (&f, "width", 0, 0, EASEL_REQUEST_MAX_SIDE);
  s.height = (int) easel_fields_int (&f, "height", 0, 0, EASEL_REQUEST_MAX_SIDE);
  s.steps = (int) easel_fields_int (&f, "steps", 0, 0, EASEL_REQUEST_MAX_STEPS);
  s.stop_after = (int) easel_fields_int (&f, "stop_after", 0, 0, EASEL_REQUEST_MAX_STEPS);
  s.reuse = easel_fields_double (&f, "reuse", 0);
  s.psnr = easel_fields_double (&f, "psnr", 0);
  s.ssim = easel_fields_double (&f, "ssim", 0);
  s.reused = (int) easel_fields_int (&f, "reused", 0, 0, 2 * EASEL_REQUEST_MAX_STEPS);
  s.guidance = easel_fields_double (&f, "guidance", -1);
  s.seed = easel_fields_int (&f, "seed", -1, G_MININT64, G_MAXINT64);
  s.sampler = easel_fields_string (&f, "sampler", NULL);
  s.count = (int) easel_fields_int (&f, "count", 1, 0, EASEL_REQUEST_MAX_COUNT);
  s.resolution_binning = easel_fields_bool (&f, "resolution_binning", TRUE);
  s.human_instruction = easel_fields_bool (&f, "human_instruction", TRUE);
  s.max_tokens = (int) easel_fields_int (&f, "max_tokens", 0, 0, 4096);
  s.frames = (int) easel_fields_int (&f, "frames", 0, 0, EASEL_REQUEST_MAX_FRAMES);
  s.fps = easel_fields_double (&f, "fps", 0);
  s.dynamic_guidance = easel_fields_bool (&f, "dynamic_guidance", FALSE);
  s.fit_input = easel_fields_bool (&f, "fit_input", FALSE);
  s.input = easel_fields_string (&f, "input", NULL);
  s.strength = easel_fields_double (&f, "strength", 0);
  s.noise = easel_fields_string (&f, "noise", NULL);
  s.precision = easel_fields_string (&f, "precision", NULL);
  return easel_fields_done (&f, error) ? easel_request_new (&s, error) : NULL;
}
