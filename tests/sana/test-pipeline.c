/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whole pictures through the pipeline classes, with a model folder put together from the reference models: rules of a
 * request, plans, memory, cancelling, failing.
 */
#include "engine/sana/pipeline-private.h"
#include "tests/sana/sana-test.h"

#include <glib/gstdio.h>
#include <string.h>

#define FLOW "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"prediction_type\": \"flow_prediction\", " \
             "\"use_flow_sigmas\": true, \"flow_shift\": 3.0, \"lambda_min_clipped\": -Infinity}"
#define SCM "{\"_class_name\": \"SCMScheduler\", \"sigma_data\": 0.5, \"prediction_type\": \"trigflow\"}"

/* -------------------------------------------------------------------------------------------------- a model folder */

typedef struct
{
  char *dir;
  EaselDevice *device;
  EaselPipeline *pipeline;
  guint64 base; /* what the device has allocated with no job running */
  gboolean uploads; /* as a card does, not used where they are mapped */
} Fixture;

static void
put (const char *dir, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
join (const char *dir, const char *component, const char *model)
{
  g_autofree char *from = reference_path (model, NULL), *to = g_build_filename (dir, component, NULL);

  g_assert_cmpint (symlink (from, to), ==, 0);
}

static char *
make_folder (gboolean sprint, const char *habits)
{
  char *dir = g_dir_make_tmp ("easel-sana-XXXXXX", NULL);
  g_autofree char *scheduler = g_build_filename (dir, "scheduler", NULL);
  g_autofree char *index = g_strdup_printf (
      "{\"_class_name\": \"%s\", \"scheduler\": [\"diffusers\", \"%s\"], \"text_encoder\": [\"transformers\", "
      "\"Gemma2Model\"], \"tokenizer\": [\"transformers\", \"GemmaTokenizerFast\"], \"transformer\": [\"diffusers\", "
      "\"SanaTransformer2DModel\"], \"vae\": [\"diffusers\", \"AutoencoderDC\"]}",
      sprint ? "SanaSprintPipeline" : "SanaPipeline", sprint ? "SCMScheduler" : "DPMSolverMultistepScheduler");

  g_assert_nonnull (dir);
  put (dir, "model_index.json", index);
  g_assert_cmpint (g_mkdir (scheduler, 0700), ==, 0);
  put (scheduler, "scheduler_config.json", sprint ? SCM : FLOW);
  join (dir, "text_encoder", "gemma2-tiny");
  join (dir, "tokenizer", "gemma-tokenizer");
  join (dir, "transformer", sprint ? "sana-sprint-tiny" : "sana-v1-tiny");
  join (dir, "vae", "dcae-tiny");
  if (habits)
    put (dir, "easel.json", habits);
  return dir;
}

static void
remove_folder (char *dir)
{
  const char *names[] = { "scheduler/scheduler_config.json", "scheduler", "text_encoder", "tokenizer", "transformer",
                          "vae", "easel.json", "model_index.json" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (dir, names[i], NULL);

      g_remove (path);
    }
  g_rmdir (dir);
  g_free (dir);
}

static void
fixture_open (Fixture *f, gboolean sprint, const char *habits)
{
  g_autoptr (GError) error = NULL;
  EaselModelFolder *folder;

  f->dir = make_folder (sprint, habits);
  f->device = open_cpu ();
  f->device->maps_weights = !f->uploads;
  folder = easel_model_folder_open (f->dir, &error);
  g_assert_no_error (error);
  f->pipeline = (sprint ? &easel_sana_sprint_pipeline_class : &easel_sana_pipeline_class)->open (folder, f->device,
                                                                                                   &error);
  g_assert_no_error (error);
  f->base = f->device->memory_used;
}

static void
fixture_close (Fixture *f)
{
  f->pipeline->klass->free (f->pipeline);
  g_assert_cmpuint (f->device->memory_used, ==, f->base);
  easel_device_close (&f->device);
  remove_folder (f->dir);
}

/* A small request: 96 x 64, three steps. */
static EaselRequestSettings
small (void)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;

  s.prompt = "a red circle";
  s.model = "test";
  s.width = 96;
  s.height = 64;
  s.steps = 3;
  s.seed = 5;
  s.max_tokens = 24;
  s.resolution_binning = FALSE;
  s.human_instruction = FALSE;
  return s;
}

static EaselRequest *
resolve (Fixture *f, const EaselRequestSettings *s, GError **error)
{
  g_autoptr (EaselRequest) request = easel_request_new (s, error);

  return request ? f->pipeline->klass->resolve (f->pipeline, request, error) : NULL;
}

/* Resolved and run; NULL with an error. */
static EaselPicture *
paint (Fixture *f, const EaselRequestSettings *s, EaselJobObserver observer, gpointer data, GError **error)
{
  g_autoptr (EaselRequest) request = resolve (f, s, error);
  g_autoptr (EaselJob) job = request ? easel_job_new (request) : NULL;
  EaselPicture *picture = NULL;

  if (!request)
    return NULL;
  if (observer)
    easel_job_set_observer (job, observer, data);
  if (!f->pipeline->klass->run (f->pipeline, request, job, &picture, error))
    g_assert_null (picture);
  return picture;
}

static gboolean
same_pixels (EaselPicture *a, EaselPicture *b)
{
  return a->width == b->width && a->height == b->height
         && !memcmp (a->rgb, b->rgb, (gsize) a->width * a->height * 3);
}

/* ----------------------------------------------------------------------------------------------------------- rules */

static void
test_defaults (void)
{
  Fixture f = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  const EaselRequestSettings *r;

  fixture_open (&f, FALSE, NULL);
  s.prompt = "a cat";
  request = resolve (&f, &s, &error);
  g_assert_no_error (error);
  r = easel_request_settings (request);
  g_assert_cmpint (r->width, ==, 1024); /* sample_size 32 */
  g_assert_cmpint (r->height, ==, 1024);
  g_assert_cmpint (r->steps, ==, 20);
  g_assert_cmpfloat (r->guidance, ==, 4.5);
  g_assert_cmpint (r->max_tokens, ==, 300);
  g_assert_cmpint (r->seed, >=, 0);
  g_assert_cmpstr (r->noise, ==, "cpu");
  g_assert_nonnull (r->sampler);
  g_assert_true (r->human_instruction);
  g_assert_true (r->resolution_binning);
  fixture_close (&f);
}

static void
test_habits_and_sprint (void)
{
  Fixture f = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;

  fixture_open (&f, TRUE, "{\"human_instruction\": false, \"max_tokens\": 40, \"guidance\": 3.5}");
  request = resolve (&f, &s, &error);
  g_assert_no_error (error);
  g_assert_cmpint (easel_request_settings (request)->steps, ==, 2);
  g_assert_cmpfloat (easel_request_settings (request)->guidance, ==, 3.5);
  g_assert_cmpint (easel_request_settings (request)->max_tokens, ==, 40);
  g_assert_false (easel_request_settings (request)->human_instruction);
  fixture_close (&f);
}

typedef struct
{
  int width, height, steps;
  double guidance;
  const char *sampler, *noise, *precision;
  int frames, max_tokens;
  const char *input;
  gboolean dynamic_guidance;
  const char *says;
} Rule;

static void
test_rules (void)
{
  static const Rule rules[] = {
    { .width = 100, .says = "96 and 128" },
    { .height = 33, .says = "32 and 64" },
    { .width = 8, .says = "32 to 8192" },
    { .width = 9000, .says = "32 to 8192" },
    { .guidance = 1000, .says = "guidance" },
    { .sampler = "ddim", .says = "ddim" },
    { .sampler = "scm", .says = "scm" },
    { .sampler = "no-such-sampler", .says = "none of that name" },
    { .noise = "quantum", .says = "noise" },
    { .precision = "bf16", .says = "computes in f32" },
    { .frames = 9, .says = "clips" },
    { .max_tokens = 1, .says = "token" },
    { .input = "cat.png", .says = "words alone" },
    { .dynamic_guidance = TRUE, .says = "Dynamic guidance" },
    { .steps = 9999, .says = "steps" },
  };
  Fixture f = { 0 };

  fixture_open (&f, FALSE, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    {
      const Rule *r = &rules[i];
      EaselRequestSettings s = small ();
      g_autoptr (GError) error = NULL;

      s.width = r->width ? r->width : s.width;
      s.height = r->height ? r->height : s.height;
      s.steps = r->steps ? r->steps : s.steps;
      s.guidance = r->guidance != 0 ? r->guidance : s.guidance;
      s.sampler = r->sampler;
      s.noise = r->noise;
      s.precision = r->precision;
      s.frames = r->frames;
      s.input = r->input;
      s.dynamic_guidance = r->dynamic_guidance;
      s.max_tokens = r->max_tokens ? r->max_tokens : s.max_tokens;
      g_assert_null (resolve (&f, &s, &error));
      g_test_message ("%s", error->message);
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
      g_assert_nonnull (strstr (error->message, r->says));
    }
  fixture_close (&f);
}

/* A folder whose parts do not belong together, or are not what the class needs. */
static void
test_wrong_folders (void)
{
  EaselDevice *device = open_cpu ();
  char *dir = make_folder (TRUE, NULL);
  g_autoptr (GError) error = NULL;
  EaselModelFolder *folder = easel_model_folder_open (dir, &error);

  /* a Sprint transformer in a plain pipeline */
  g_assert_no_error (error);
  g_assert_null (easel_sana_pipeline_class.open (folder, device, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "guidance_embeds"));
  g_clear_error (&error);

  put (dir, "easel.json", "{\"max_tokens\": \"all\"}");
  folder = easel_model_folder_open (dir, &error);
  g_assert_null (easel_sana_sprint_pipeline_class.open (folder, device, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  g_assert_nonnull (strstr (error->message, "max_tokens"));
  remove_folder (dir);
  easel_device_close (&device);
}

/* ------------------------------------------------------------------------------------------------------- pictures */

/* The plan is the run: the arena is all that a job allocates, and to the byte what was planned. */
static void
test_plan_is_the_run (void)
{
  for (int sprint = 0; sprint < 2; sprint++)
    {
      Fixture f = { 0 };
      EaselRequestSettings s = small ();
      g_autoptr (GError) error = NULL;
      g_autoptr (EaselRequest) request = NULL;
      g_autoptr (EaselPicture) picture = NULL;
      EaselPlan plan = { 0 };

      fixture_open (&f, sprint, NULL);
      request = resolve (&f, &s, &error);
      g_assert_no_error (error);
      g_assert_true (easel_pipeline_plan (f.pipeline, request, &plan, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (f.device->memory_used, ==, f.base);
      g_assert_cmpuint (plan.peak_bytes, ==, plan.weights_bytes + plan.activations_bytes);
      g_assert_cmpfloat (plan.flops, >, 0);
      g_assert_cmpfloat (plan.encode_flops + plan.step_flops * plan.steps + plan.decode_flops, >, plan.flops * 0.999);
      g_assert_cmpfloat (plan.encode_flops + plan.step_flops * plan.steps + plan.decode_flops, <, plan.flops * 1.001);
      g_assert_nonnull (plan.summary);
      g_test_message ("%s", plan.summary);

      easel_device_reset_peak (f.device);
      picture = paint (&f, &s, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (picture->width, ==, 96);
      g_assert_cmpint (picture->height, ==, 64);
      g_assert_cmpuint (f.device->memory_peak, ==, f.base + plan.activations_bytes);
      g_assert_cmpuint (f.device->memory_used, ==, f.base);
      easel_plan_clear (&plan);
      fixture_close (&f);
    }
}

/* The same request gives the same bytes, whatever ran before; another seed, prompt or guidance does not. */
static void
test_repeats (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small (), other = small ();
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselPicture) first = NULL, again = NULL, seed = NULL, prompt = NULL, plain = NULL;

  fixture_open (&f, FALSE, NULL);
  first = paint (&f, &s, NULL, NULL, &error);
  other.seed = 6;
  seed = paint (&f, &other, NULL, NULL, &error);
  other = small ();
  other.prompt = "a blue square on a long road to somewhere";
  prompt = paint (&f, &other, NULL, NULL, &error);
  other = small ();
  other.guidance = 1;
  plain = paint (&f, &other, NULL, NULL, &error);
  again = paint (&f, &s, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (same_pixels (first, again));
  g_assert_false (same_pixels (first, seed));
  g_assert_false (same_pixels (first, prompt));
  g_assert_false (same_pixels (first, plain));
  fixture_close (&f);
}

/* A second job with the same words does not run the text encoder. */
static void
test_texts_are_kept (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small ();
  g_autoptr (GError) error = NULL;
  SanaPipeline *self;

  fixture_open (&f, FALSE, NULL);
  self = (SanaPipeline *) f.pipeline;
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (EaselPicture) picture = paint (&f, &s, NULL, NULL, &error);

      g_assert_no_error (error);
      g_assert_nonnull (picture);
      g_assert_cmpuint (self->encodings, ==, 2); /* the prompt and the negative one */
      s.seed++;
    }
  for (int i = 0; i < 20; i++)
    {
      g_autofree char *words = g_strdup_printf ("number %d", i);
      g_autoptr (EaselPicture) picture = NULL;

      s.prompt = words;
      s.steps = 2;
      picture = paint (&f, &s, NULL, NULL, &error);
      g_assert_no_error (error);
    }
  g_assert_cmpuint (self->texts.length, <=, 8);
  g_assert_cmpuint (self->encodings, ==, 22); /* the negative one stayed, as it was used every time */
  fixture_close (&f);
}

/* With the sizes' table: generated at a trained size, handed out at the one asked for. */
static void
test_binning (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small ();
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;
  g_auto (SanaRecipe) recipe = { 0 };

  fixture_open (&f, FALSE, NULL);
  s.resolution_binning = TRUE;
  s.width = 333;
  s.height = 777;
  request = resolve (&f, &s, &error);
  g_assert_no_error (error);
  g_assert_true (sana_recipe_init (&recipe, (SanaPipeline *) f.pipeline, request, &error));
  g_assert_cmpint (recipe.width, ==, 640);
  g_assert_cmpint (recipe.height, ==, 1536);
  fixture_close (&f);
}

/* Less memory: tiles, and it is said. Too little: an answer in words. */
static void
test_memory (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small ();
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;
  EaselPlan whole = { 0 }, tiles = { 0 };
  g_autoptr (EaselPicture) picture = NULL;

  fixture_open (&f, FALSE, NULL);
  s.width = 1280;
  s.height = 1088;
  request = resolve (&f, &s, &error);
  g_assert_true (easel_pipeline_plan (f.pipeline, request, &whole, &error));
  f.device->memory_limit = f.base + whole.peak_bytes - 1;
  g_assert_true (easel_pipeline_plan (f.pipeline, request, &tiles, &error));
  g_assert_no_error (error);
  g_test_message ("%s; %s", whole.summary, tiles.summary);
  g_assert_cmpuint (tiles.peak_bytes, <, whole.peak_bytes);
  g_assert_nonnull (strstr (tiles.summary, "tiles"));

  f.device->memory_limit = f.base + 4096;
  picture = paint (&f, &s, NULL, NULL, &error);
  g_assert_null (picture);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
  g_test_message ("%s", error->message);
  g_assert_cmpuint (f.device->memory_used, ==, f.base);
  easel_plan_clear (&whole);
  easel_plan_clear (&tiles);
  fixture_close (&f);
}

/* A device that holds weights of its own and has room for the text encoder or the other models, not for both: they take
 * turns, within the plan, and the pictures are the same. */
static void
test_taking_turns (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small (), other = small ();
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (EaselPicture) mapped = NULL, first = NULL, second = NULL, third = NULL;
  EaselPlan all = { 0 }, turns = { 0 };

  fixture_open (&f, FALSE, NULL);
  other.prompt = "another picture";
  mapped = paint (&f, &s, NULL, NULL, &error);
  g_assert_no_error (error);
  fixture_close (&f);

  f.uploads = TRUE;
  fixture_open (&f, FALSE, NULL);
  request = resolve (&f, &s, &error);
  g_assert_true (easel_pipeline_plan (f.pipeline, request, &all, &error));
  f.device->memory_limit = f.base + all.peak_bytes - 1;
  g_assert_true (easel_pipeline_plan (f.pipeline, request, &turns, &error));
  g_assert_cmpuint (turns.peak_bytes, <, all.peak_bytes);

  easel_device_reset_peak (f.device);
  first = paint (&f, &s, NULL, NULL, &error);
  g_assert_no_error (error);
  second = paint (&f, &other, NULL, NULL, &error); /* the encoder comes back */
  g_assert_no_error (error);
  third = paint (&f, &s, NULL, NULL, &error); /* words that are kept */
  g_assert_no_error (error);
  g_assert_true (same_pixels (mapped, first));
  g_assert_true (same_pixels (mapped, third));
  g_assert_false (same_pixels (mapped, second));
  g_test_message ("peak %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, f.device->memory_peak - f.base,
                  turns.peak_bytes);
  /* a tensor starts at a multiple of 64 bytes or more */
  g_assert_cmpuint (f.device->memory_peak - f.base, <=, turns.peak_bytes + turns.peak_bytes / 20);
  easel_plan_clear (&all);
  easel_plan_clear (&turns);
  fixture_close (&f);
}

/* Products of 8 bits: less memory, as planned; nearly the same picture; the same bytes again. A device that has some
 * says when it computes in more. */
static void
test_8_bits (void)
{
  static const char *const words[] = { NULL, "int8", "fp8" };
  Fixture f = { .uploads = TRUE };
  EaselRequestSettings s = small ();
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselPicture) first = NULL;
  EaselPlan plans[3] = { 0 };

  fixture_open (&f, FALSE, NULL);
  f.device->product_dtypes = 1u << EASEL_DTYPE_I8 | 1u << EASEL_DTYPE_F8_E4M3;
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (EaselRequest) request = NULL;
      g_autoptr (EaselPicture) picture = NULL, again = NULL;
      double off = 0;

      s.precision = words[i];
      request = resolve (&f, &s, &error);
      g_assert_no_error (error);
      g_assert_true (easel_pipeline_plan (f.pipeline, request, &plans[i], &error));
      easel_device_reset_peak (f.device);
      picture = paint (&f, &s, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (f.device->memory_peak - f.base, <=, plans[i].peak_bytes + plans[i].peak_bytes / 20);
      again = paint (&f, &s, NULL, NULL, &error);
      g_assert_true (same_pixels (picture, again));
      for (gsize k = 0; first && k < 96 * 64 * 3; k++)
        off += abs (picture->rgb[k] - first->rgb[k]);
      off /= 96 * 64 * 3;
      g_test_message ("%s: off by %.2f of 255 on average, %" G_GUINT64_FORMAT " bytes of weights",
                      words[i] ? words[i] : "f32", off, plans[i].weights_bytes);
      g_assert_true (i == 0 || (off > 0 && off < (i == 1 ? 4 : 16)));
      g_assert_true (i == 0 || plans[i].weights_bytes < plans[0].weights_bytes);
      if (i == 0)
        first = g_steal_pointer (&picture);
    }
  for (int i = 0; i < 3; i++)
    easel_plan_clear (&plans[i]);

  f.device->product_dtypes = 1u << EASEL_DTYPE_I8;
  g_autoptr (EaselRequest) request = resolve (&f, &s, &error);
  g_assert_no_error (error);
  g_assert_true (easel_pipeline_plan (f.pipeline, request, &plans[0], &error));
  g_assert_nonnull (strstr (plans[0].summary, "has no FP8 products"));
  easel_plan_clear (&plans[0]);
  fixture_close (&f);
}

/* Every allocation on the device fails in turn: always words, never a leak. */
static void
test_torture (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small ();
  gboolean done = FALSE;

  fixture_open (&f, FALSE, NULL);
  for (int n = 1; !done && n < 100; n++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (EaselPicture) picture = NULL;

      f.device->fail_after = n;
      picture = paint (&f, &s, NULL, NULL, &error);
      done = f.device->fail_after > 0; /* it was not reached */
      f.device->fail_after = 0;
      g_assert_true (picture || g_error_matches (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY));
      g_assert_cmpuint (f.device->memory_used, ==, f.base);
    }
  g_assert_true (done);
  fixture_close (&f);
}

typedef struct
{
  EaselDevice *device;
  int reports, cancel_at; /* cancel at this report; -1 never */
  int steps, decoding;
  guint64 memory; /* while denoising */
} Watch;

static void
watch_cb (EaselJob *job, const EaselProgress *progress, gpointer data)
{
  Watch *w = data;

  if (w->reports++ == w->cancel_at)
    easel_job_cancel (job);
  if (progress->phase == EASEL_PHASE_DECODING)
    w->decoding++;
  if (progress->phase != EASEL_PHASE_DENOISING)
    return;
  if (w->steps++ > 0)
    g_assert_cmpuint (w->device->memory_used, ==, w->memory);
  w->memory = w->device->memory_used;
}

/* Cancelled at every report in turn: CANCELLED, and all memory is back. */
static void
test_cancel (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small ();
  Watch whole = { .cancel_at = -1 };
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselPicture) first = NULL, last = NULL;

  fixture_open (&f, FALSE, NULL);
  whole.device = f.device;
  first = paint (&f, &s, watch_cb, &whole, &error);
  g_assert_no_error (error);
  g_assert_cmpint (whole.steps, >=, 3);
  g_assert_cmpint (whole.decoding, >=, 1);
  for (int i = 0; i < whole.reports; i++)
    {
      Watch w = { .device = f.device, .cancel_at = i };
      g_autoptr (GError) problem = NULL;
      g_autoptr (EaselPicture) picture = paint (&f, &s, watch_cb, &w, &problem);

      g_assert_null (picture);
      g_assert_error (problem, EASEL_ERROR, EASEL_ERROR_CANCELLED);
      g_assert_cmpuint (f.device->memory_used, ==, f.base);
    }
  last = paint (&f, &s, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (same_pixels (first, last));
  fixture_close (&f);
}

typedef struct
{
  int previews;
} Previews;

static void
preview_cb (EaselJob *job, const EaselProgress *progress G_GNUC_UNUSED, gpointer data)
{
  Previews *p = data;
  g_autoptr (EaselPicture) preview = NULL;

  g_object_get (job, "preview", &preview, NULL);
  if (!preview)
    return;
  g_assert_cmpint (preview->width, ==, 3);
  g_assert_cmpint (preview->height, ==, 2);
  p->previews++;
}

/* A preview each step changes nothing in the picture. */
static void
test_preview (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small ();
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (EaselJob) job = NULL;
  g_autoptr (EaselPicture) plain = NULL, watched = NULL;
  Previews p = { 0 };

  fixture_open (&f, FALSE, NULL);
  plain = paint (&f, &s, NULL, NULL, &error);
  request = resolve (&f, &s, &error);
  job = easel_job_new (request);
  easel_job_set_wants_preview (job, TRUE);
  easel_job_set_observer (job, preview_cb, &p);
  g_assert_true (f.pipeline->klass->run (f.pipeline, request, job, &watched, &error));
  g_assert_no_error (error);
  g_assert_true (same_pixels (plain, watched));
  g_assert_cmpint (p.previews, >=, 2);
  fixture_close (&f);
}

/* ---------------------------------------------------------------------------------------------- stopped and kept */

static void
early_cb (EaselJob *job, const EaselProgress *progress, gpointer data)
{
  if (progress->phase == EASEL_PHASE_DENOISING && progress->step == *(int *) data)
    easel_job_finish_early (job);
}

/* Stopped while step 2 runs is the same picture as asked to stop after 2; its request says so, and is complete. */
static void
test_stopped_and_kept (void)
{
  for (int sprint = 0; sprint < 2; sprint++)
    {
      Fixture f = { 0 };
      EaselRequestSettings s = small ();
      int at = 1;
      g_autoptr (GError) error = NULL;
      g_autoptr (EaselPicture) whole = NULL, asked = NULL, stopped = NULL, late = NULL;

      fixture_open (&f, sprint, NULL);
      whole = paint (&f, &s, NULL, NULL, &error);
      g_assert_no_error (error);
      stopped = paint (&f, &s, early_cb, &at, &error);
      g_assert_no_error (error);
      g_assert_nonnull (stopped->request);
      g_assert_cmpint (easel_request_settings (stopped->request)->stop_after, ==, 2);
      g_assert_cmpint (easel_request_settings (stopped->request)->steps, ==, 3);
      s.stop_after = 2;
      asked = paint (&f, &s, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (same_pixels (asked, stopped));
      g_assert_false (same_pixels (whole, asked));
      /* All of them is not early. */
      s.stop_after = 3;
      late = paint (&f, &s, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (same_pixels (whole, late));
      g_assert_cmpuint (f.device->memory_used, ==, f.base);
      fixture_close (&f);
    }
}

/* What is offered is accepted, and the meter cuts where the model stops reading. */
static void
test_what_is_offered (void)
{
  Fixture f = { 0 };
  EaselRequestSettings s = small ();
  EaselModelRules rules = { 0 };
  EaselTokenMeter meter;
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) words = g_string_new (NULL);

  fixture_open (&f, FALSE, NULL);
  f.pipeline->klass->rules (f.pipeline, &rules);
  g_assert_cmpint (rules.n_sizes, >=, 1);
  g_assert_cmpint (rules.frames_most, ==, 0);
  g_assert_true (rules.negative);
  s.resolution_binning = TRUE;
  for (int i = 0; i < rules.n_sizes; i++)
    {
      g_autoptr (EaselRequest) request = NULL;

      s.width = rules.sizes[i].width;
      s.height = rules.sizes[i].height;
      request = resolve (&f, &s, &error);
      g_assert_no_error (error);
    }
  s.width = rules.least;
  s.height = rules.most;
  {
    g_autoptr (EaselRequest) request = resolve (&f, &s, &error);
    g_assert_no_error (error);
  }
  for (int i = 0; i < 60; i++)
    g_string_append (words, "circle ");
  s.prompt = words->str;
  {
    g_autoptr (EaselRequest) request = easel_request_new (&s, &error);

    g_assert_true (f.pipeline->klass->meter (f.pipeline, request, &meter, &error));
    g_assert_no_error (error);
    g_assert_cmpint (meter.used, >, meter.limit);
    g_assert_cmpint (meter.limit, <=, 24);
    g_assert_cmpuint (meter.cut, >, 0);
    g_assert_cmpuint (meter.cut, <, words->len);
  }
  fixture_close (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sana/pipeline/defaults", test_defaults);
  g_test_add_func ("/sana/pipeline/habits-and-sprint", test_habits_and_sprint);
  g_test_add_func ("/sana/pipeline/rules", test_rules);
  g_test_add_func ("/sana/pipeline/wrong-folders", test_wrong_folders);
  g_test_add_func ("/sana/pipeline/plan-is-the-run", test_plan_is_the_run);
  g_test_add_func ("/sana/pipeline/repeats", test_repeats);
  g_test_add_func ("/sana/pipeline/texts-are-kept", test_texts_are_kept);
  g_test_add_func ("/sana/pipeline/binning", test_binning);
  g_test_add_func ("/sana/pipeline/memory", test_memory);
  g_test_add_func ("/sana/pipeline/taking-turns", test_taking_turns);
  g_test_add_func ("/sana/pipeline/8-bits", test_8_bits);
  g_test_add_func ("/sana/pipeline/torture", test_torture);
  g_test_add_func ("/sana/pipeline/cancel", test_cancel);
  g_test_add_func ("/sana/pipeline/preview", test_preview);
  g_test_add_func ("/sana/pipeline/stopped-and-kept", test_stopped_and_kept);
  g_test_add_func ("/sana/pipeline/what-is-offered", test_what_is_offered);
  return g_test_run ();
}
