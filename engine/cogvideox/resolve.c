/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a request may ask of a CogVideoX model, and what it means when it does not say.
 */
#include "engine/cogvideox/pipeline-private.h"
#include "engine/core/devices.h"

#include <string.h>

#define MAX_GUIDANCE 100
#define MAX_SIDE 4096
#define MAX_FRAMES 1025
/* CogVideoX 1.5 is trained with the shorter side of 768 and the longer of up to 1360 pixels. */
#define SHORT_15 768
#define LONG_15 1360

static gboolean G_GNUC_PRINTF (2, 3)
bad (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error)
    *error = g_error_new_valist (EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, format, args);
  va_end (args);
  return FALSE;
}

static void
default_size (CogPipeline *self, int *width, int *height)
{
  *width = self->config.over_time ? LONG_15 : self->config.sample_width * self->factor;
  *height = self->config.over_time ? SHORT_15 : self->config.sample_height * self->factor;
}

/* Frames of a clip: batches of two latents (of four with patches over time) and one frame more. */
static int
frames_step (CogPipeline *self)
{
  return self->vae_config.temporal_ratio * 2 * (self->config.over_time ? 2 : 1);
}

static gboolean
check_side (CogPipeline *self, const char *name, int side, int most, GError **error)
{
  const int f = self->factor * self->config.patch, low = side / f * f;

  if (side < f || side > most)
    return bad (error, "%s %d is outside of what the model can do: %d to %d", name, side, f, most);
  if (side % f == 0)
    return TRUE;
  if (low < f || low + f > most)
    return bad (error, "%s must be a multiple of %d, and %d is not; the nearest is %d", name, f, side,
                low < f ? f : low);
  return bad (error, "%s must be a multiple of %d, and %d is not; the nearest are %d and %d", name, f, side, low,
              low + f);
}

static gboolean
check_size (CogPipeline *self, const EaselRequestSettings *s, GError **error)
{
  const EaselCogConfig *c = &self->config;
  const int most_w = c->over_time ? c->sample_width * self->factor : MAX_SIDE;
  const int most_h = c->over_time ? c->sample_height * self->factor : MAX_SIDE;
  const int longer = MAX (s->width, s->height), shorter = MIN (s->width, s->height);
  int width, height;

  default_size (self, &width, &height);
  if (!check_side (self, "Width", s->width, most_w, error) || !check_side (self, "Height", s->height, most_h, error))
    return FALSE;
  if (c->learned && (s->width != width || s->height != height))
    return bad (error, "This model makes clips of %d × %d pixels only, not of %d × %d", width, height, s->width,
                s->height);
  if (!s->resolution_binning)
    return TRUE;
  if (c->over_time && (shorter != SHORT_15 || longer > LONG_15))
    return bad (error,
                "This model was trained with a shorter side of %d and a longer one of up to %d pixels, not with %d × "
                "%d; try %d × %d, or switch off resolution binning to make it all the same",
                SHORT_15, LONG_15, s->width, s->height, width, height);
  if (!c->over_time && (s->width != width || s->height != height))
    return bad (error,
                "This model was trained with %d × %d pixels, not with %d × %d; other sizes are made only with "
                "resolution binning switched off",
                width, height, s->width, s->height);
  return TRUE;
}

static gboolean
check_frames (CogPipeline *self, const EaselRequestSettings *s, GError **error)
{
  const int step = frames_step (self), own = self->config.sample_frames;
  const int trained = self->config.over_time ? 2 * (own - 1) + 1 : own;
  const int most = s->resolution_binning ? MAX (trained, 1) : MAX_FRAMES;
  const int low = MAX (s->frames - 1, 0) / step * step + 1;

  if (s->frames > most)
    return bad (error, "%d frames are too many: this model makes clips of up to %d%s", s->frames, most,
                s->resolution_binning ? "; longer ones only with resolution binning switched off" : "");
  if ((s->frames - 1) % step == 0)
    return TRUE;
  if (low + step > most)
    return bad (error, "The number of frames must be a multiple of %d and one more, and %d is not; the nearest is %d",
                step, s->frames, low);
  return bad (error, "The number of frames must be a multiple of %d and one more, and %d is not; the nearest are %d "
              "and %d", step, s->frames, low, low + step);
}

static gboolean
check_input (CogPipeline *self, CogKind kind, const EaselRequestSettings *s, GError **error)
{
  const int latents = (s->frames - 1) / self->vae_config.temporal_ratio + 1;

  if (kind == COG_FROM_PICTURE && !s->input)
    return bad (error, "This model makes a clip from a picture; name one as the input");
  if (kind == COG_FROM_CLIP && !s->input)
    return bad (error, "This model changes a clip; name one as the input");
  if (kind == COG_FROM_CLIP && !(s->strength > 0 && (int) (s->steps * s->strength) >= 1))
    return bad (error, "A strength of %g leaves none of %d steps; choose a higher one", s->strength, s->steps);
  if (kind == COG_FROM_CLIP && latents % self->config.patch_t != 0)
    return bad (error, "A clip of %d frames cannot be changed by this model: its %d latents are not a multiple of %d",
                s->frames, latents, self->config.patch_t);
  return TRUE;
}

static gboolean
check_rules (CogPipeline *self, CogKind kind, const EaselRequestSettings *s, GError **error)
{
  const EaselCogConfig *c = &self->config;
  const gboolean exact = !c->rotary || c->learned;
  const EaselSamplerInfo *info;
  const char *reason = NULL;
  g_autoptr (EaselSampler) sampler = NULL;

  if (!check_size (self, s, error) || !check_frames (self, s, error))
    return FALSE;
  if (!(s->guidance >= 0 && s->guidance <= MAX_GUIDANCE))
    return bad (error, "The guidance scale must be a number from 0 to %d", MAX_GUIDANCE);
  if (exact ? s->max_tokens != c->max_text : s->max_tokens < 2 || s->max_tokens > c->max_text)
    return bad (error, "This model reads %s%d tokens, not %d", exact ? "" : "up to ", c->max_text, s->max_tokens);
  if (!(s->fps > 0))
    return bad (error, "The number of frames per second must be above 0");
  if (!easel_devices_check_precision (self->device, s->precision, error))
    return FALSE;
  if (!(info = easel_sampler_find (s->sampler)) || !easel_sampler_fits (s->sampler, self->scheduler, &reason))
    return bad (error, "The sampler \"%s\" cannot be used with this model: %s", s->sampler,
                info ? reason : "there is none of that name");
  if (s->steps < info->min_steps || s->steps > info->max_steps)
    return bad (error, "The sampler \"%s\" takes %d to %d steps, not %d", s->sampler, info->min_steps, info->max_steps,
                s->steps);
  if (!check_input (self, kind, s, error))
    return FALSE;
  sampler = easel_sampler_new (s->sampler, self->scheduler, s->steps, error);
  return sampler != NULL;
}

EaselRequest *
cog_resolve (CogPipeline *self, EaselRequest *request, GError **error)
{
  EaselRequestSettings s = *easel_request_settings (request);
  const CogKind kind = self->kind == COG_FROM_TEXT && s.input ? COG_FROM_CLIP : self->kind;
  int width, height;

  default_size (self, &width, &height);
  s.width = s.width ? s.width : width;
  s.height = s.height ? s.height : height;
  s.frames = s.frames ? s.frames : self->config.sample_frames;
  s.fps = s.fps > 0 ? s.fps : self->habits.fps;
  s.steps = s.steps ? s.steps : self->habits.steps;
  s.stop_after = s.stop_after < s.steps ? s.stop_after : 0;
  s.reused = 0;
  s.psnr = s.ssim = 0;
  s.guidance = s.guidance < 0 ? self->habits.guidance : s.guidance;
  s.max_tokens = s.max_tokens ? s.max_tokens : self->habits.max_tokens;
  s.human_instruction = TRUE; /* there is none: not worth a word in files */
  s.strength = kind != COG_FROM_CLIP ? 0 : s.strength > 0 ? s.strength : 0.8;
  s.seed = s.seed < 0 ? (gint64) g_random_int () : s.seed;
  s.count = s.count ? s.count : 1;
  s.noise = s.noise ? s.noise : "cpu";
  if (!s.sampler && !(s.sampler = easel_sampler_default_name (self->scheduler, error)))
    return NULL;
  return check_rules (self, kind, &s, error) ? easel_request_new (&s, error) : NULL;
}

void
cog_rules (CogPipeline *self, EaselModelRules *out)
{
  const EaselCogConfig *c = &self->config;
  const int own = c->sample_frames, f = self->factor * c->patch;

  default_size (self, &out->sizes[0].width, &out->sizes[0].height);
  out->n_sizes = 1;
  if (c->over_time && !c->learned)
    {
      out->sizes[1].width = out->sizes[1].height = SHORT_15;
      out->sizes[2].width = 1024 / f * f;
      out->sizes[2].height = SHORT_15;
      out->n_sizes = 3;
    }
  out->only_sizes = !c->over_time || c->learned;
  out->least = c->over_time ? SHORT_15 : MIN (out->sizes[0].width, out->sizes[0].height);
  out->most = MAX (out->sizes[0].width, out->sizes[0].height);
  out->multiple = f;
  out->frames_least = 1;
  out->frames_step = frames_step (self);
  out->frames_most = MAX (c->over_time ? 2 * (own - 1) + 1 : own, 1);
  out->input = self->kind == COG_FROM_PICTURE ? EASEL_INPUT_PICTURE
               : self->kind == COG_FROM_CLIP  ? EASEL_INPUT_CLIP
                                              : EASEL_INPUT_CLIP_OPTIONAL;
  out->negative = TRUE;
  out->guidance_most = MAX_GUIDANCE;
}
