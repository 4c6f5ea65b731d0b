/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselRequest: every setting of one picture or clip, the seed included. Immutable and reference-counted: made from a
 * builder struct, shared between threads, written to files as JSON ("easel" chunk, gallery) and read back.
 */
#pragma once

#include "engine/core/json.h"

G_BEGIN_DECLS

#define EASEL_PROMPT_MAX_BYTES (64u << 10)

typedef struct
{
  const char *model;    /* a name ("starter-sana") or a folder; never written to files as a path: its name is */
  const char *prompt;   /* UTF-8 */
  const char *negative; /* "" when none */
  int width, height;    /* pixels of the result; 0: the model's default */
  int steps;            /* 0: the model's default */
  double guidance;      /* < 0: the model's default; NaN is refused */
  gint64 seed;          /* < 0: drawn when the request is resolved */
  const char *sampler;  /* NULL: the model's own */
  int stop_after;       /* steps after which the picture is finished from the model's guess; 0: all of them */
  int count;            /* pictures; picture i uses seed + i. 0: 1 */
  gboolean resolution_binning;  /* as diffusers: nearest trained size, then resize and crop. default TRUE */
  gboolean human_instruction;   /* the complex human instruction of Sana. default: as the model was trained */
  int max_tokens;       /* 0: 300 (Sana), 226 (CogVideoX) */
  int frames;           /* clips; 0: the model's default */
  double fps;           /* clips; 0: the model's */
  gboolean dynamic_guidance; /* clips: guidance grows while denoising (CogVideoX) */
  gboolean fit_input;   /* an input of another shape: between bars; FALSE: cut to the request's */
  const char *input;    /* a picture or clip to begin with: a file, NULL none; written to files by its last part */
  double reuse;         /* clips: the change below which a step uses the work of an earlier one; 0: none does, exact */
  int reused;           /* of a finished clip: how many evaluations of the model did so; no wish, resolving clears it */
  double psnr, ssim;    /* of a finished clip: its likeness to the exact one, where that was measured; else 0 */
  double strength;      /* of a clip that is changed: 1 leaves nothing of it. 0: 0.8 */
  const char *noise;    /* "cpu" (default) or "cuda": whose starting noise */
  const char *precision;/* "f32", "bf16", "f16", "fp8", "int8" (see devices.h); NULL: as the model was trained */
} EaselRequestSettings;

/* All zero but: guidance -1, seed -1, resolution_binning TRUE, human_instruction TRUE, negative "". */
#define EASEL_REQUEST_SETTINGS_INIT                                                                                  \
  { .prompt = "", .negative = "", .guidance = -1, .seed = -1, .resolution_binning = TRUE, .human_instruction = TRUE }

typedef struct EaselRequest EaselRequest;

/* What any request may ask for; a model allows less. */
#define EASEL_REQUEST_MAX_SIDE 16384
#define EASEL_REQUEST_MAX_STEPS 10000
#define EASEL_REQUEST_MAX_COUNT 10000
#define EASEL_REQUEST_MAX_FRAMES 10000

/* Copies the strings; NULL texts become "", a guidance or seed below 0 becomes -1, count 0 becomes 1, noise NULL "cpu".
 * BAD_REQUEST names the setting: a text that is not UTF-8 or too long, a size, number of steps, count or guidance out
 * of range, NaN, … Model-dependent rules are checked by the pipeline's resolve. */
EaselRequest *easel_request_new (const EaselRequestSettings *settings, GError **error);
EaselRequest *easel_request_ref (EaselRequest *self);
void easel_request_unref (EaselRequest *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselRequest, easel_request_unref)
/* Borrowed view, valid while the request lives. */
const EaselRequestSettings *easel_request_settings (EaselRequest *self);
/* TRUE when every setting is the same. */
gboolean easel_request_equal (EaselRequest *a, EaselRequest *b);

/* Whether a precision may be called so. */
gboolean easel_request_knows_precision (const char *word);

/* The name under which a model is written to files: a path's last part; "Owner/Name" and plain names stay. Caller
 * frees. */
char *easel_request_model_name (const char *model);

/* Complete JSON, one line, caller frees; and back. Unknown members are ignored (newer versions), wrong types refused.
 * A model given as a path is written by its last part. DAMAGED: not JSON or wrong types; BAD_REQUEST: as for _new(). */
char *easel_request_to_json (EaselRequest *self);
EaselRequest *easel_request_from_json (const char *text, gsize length, GError **error);

/* The line other tools read ("parameters" in PNG): prompt, newline, "Negative prompt: …", newline,
 * "Steps: 20, Sampler: …, CFG scale: …, Seed: …, Size: WxH, Model: …, Version: Easel x". Caller frees; and back, also
 * from other tools' text: unknown keys and values that make no sense are ignored, text without settings is a prompt.
 * Settings that differ from the default and have no key in other tools follow under names of our own. What cannot be
 * told apart in this format (a prompt with a line "Negative prompt: …") is exact only in the JSON. */
char *easel_request_to_parameters (EaselRequest *self);
EaselRequest *easel_request_from_parameters (const char *text, gsize length, GError **error);

G_END_DECLS
