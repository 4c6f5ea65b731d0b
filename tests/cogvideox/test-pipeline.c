/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whole clips through the pipeline class, with a model folder put together from the reference models: rules of a
 * request, plans, memory, cancelling, failing, going on after an interruption. Skips where those models are absent.
 */
#include "engine/cogvideox/pipeline-private.h"
#include "engine/media/compare.h"
#include "engine/media/image-file.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define SCHEDULER "{\"_class_name\": \"CogVideoXDPMScheduler\", \"beta_start\": 0.00085, \"beta_end\": 0.012, " \
                  "\"beta_schedule\": \"scaled_linear\", \"prediction_type\": \"v_prediction\", " \
                  "\"clip_sample\": false, " \
                  "\"rescale_betas_zero_snr\": true, \"timestep_spacing\": \"trailing\", \"snr_shift_scale\": 3.0}"
#define INDEX "{\"_class_name\": \"CogVideoXPipeline\", \"scheduler\": [\"diffusers\", \"CogVideoXDPMScheduler\"], " \
              "\"text_encoder\": [\"transformers\", \"T5EncoderModel\"], \"tokenizer\": [\"transformers\", " \
              "\"T5Tokenizer\"], \"transformer\": [\"diffusers\", \"CogVideoXTransformer3DModel\"], \"vae\": " \
              "[\"diffusers\", \"AutoencoderKLCogVideoX\"]}"
#define STEPS 4

static char *models; /* of the reference, or NULL */

typedef struct
{
  char *dir;
  EaselDevice *device;
  EaselPipeline *pipeline;
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
  g_autofree char *from = g_build_filename (models, model, NULL), *to = g_build_filename (dir, component, NULL);

  g_assert_cmpint (symlink (from, to), ==, 0);
}

static void
fixture_set_up (Fixture *f, gconstpointer data)
{
  g_autofree char *scheduler = NULL;
  g_autoptr (GError) error = NULL;
  EaselModelFolder *folder;

  if (!models)
    return;
  f->dir = g_dir_make_tmp ("easel-cog-XXXXXX", NULL);
  scheduler = g_build_filename (f->dir, "scheduler", NULL);
  g_assert_cmpint (g_mkdir (scheduler, 0700), ==, 0);
  put (f->dir, "model_index.json", INDEX);
  put (scheduler, "scheduler_config.json", SCHEDULER);
  join (f->dir, "transformer", data);
  join (f->dir, "vae", "cogvae-tiny");
  join (f->dir, "text_encoder", "t5-tiny");
  join (f->dir, "tokenizer", "t5-tokenizer");
  g_assert_cmpint (easel_cpu_device_open (2, &f->device), ==, EASEL_STATUS_OK);
  folder = easel_model_folder_open (f->dir, &error);
  g_assert_no_error (error);
  f->pipeline = (strstr (data, "i2v") ? &easel_cogvideox_image_pipeline_class : &easel_cogvideox_pipeline_class)
                    ->open (folder, f->device, &error);
  g_assert_no_error (error);
}

static void
fixture_tear_down (Fixture *f, gconstpointer data)
{
  static const char *const parts[] = { "scheduler/scheduler_config.json", "scheduler", "transformer", "vae",
                                       "text_encoder", "tokenizer", "model_index.json", "kept.safetensors", "" };

  if (!models)
    return;
  f->pipeline->klass->free (f->pipeline);
  easel_device_close (&f->device);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autofree char *path = g_build_filename (f->dir, parts[i], NULL);

      g_remove (path);
    }
  g_free (f->dir);
}

static EaselRequest *
resolve (Fixture *f, const EaselRequestSettings *s, GError **error)
{
  g_autoptr (EaselRequest) request = easel_request_new (s, NULL);

  return f->pipeline->klass->resolve (f->pipeline, request, error);
}

static EaselRequestSettings
usual (void)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;

  s.prompt = "a red ball rolls";
  s.seed = 3;
  s.steps = STEPS;
  return s;
}

static EaselPicture *
run (Fixture *f, EaselJob *job, GError **error)
{
  const EaselRequestSettings s = usual ();
  g_autoptr (EaselRequest) request = resolve (f, &s, NULL);
  EaselPicture *clip = NULL;

  f->pipeline->klass->run (f->pipeline, request, job, &clip, error);
  return clip;
}

static gboolean
same (const EaselPicture *a, const EaselPicture *b)
{
  return a->n_frames == b->n_frames
         && memcmp (a->rgb, b->rgb, (gsize) a->width * a->height * 3 * a->n_frames) == 0;
}

#define NEED_MODELS()                           \
  do                                            \
    if (!models)                                \
      {                                         \
        g_test_skip ("no reference models");    \
        return;                                 \
      }                                         \
  while (0)

static void
refused (Fixture *f, EaselRequestSettings s, const char *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (resolve (f, &s, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  if (!strstr (error->message, word))
    g_error ("\"%s\" does not say \"%s\"", error->message, word);
}

static void
test_rules (Fixture *f, gconstpointer data)
{
  EaselRequestSettings s = usual ();
  g_autoptr (EaselRequest) request = NULL;
  const EaselRequestSettings *r;

  NEED_MODELS ();
  request = resolve (f, &s, NULL);
  g_assert_nonnull (request);
  r = easel_request_settings (request);
  g_assert_cmpint (r->width, ==, 96);
  g_assert_cmpint (r->height, ==, 64);
  g_assert_cmpint (r->frames, ==, 9);
  g_assert_cmpfloat (r->fps, ==, 8);
  g_assert_cmpfloat (r->guidance, ==, 6);
  g_assert_cmpstr (r->sampler, ==, "cogvideox-dpm");

  s.frames = 10, refused (f, s, "9");
  s.frames = 5, refused (f, s, "1 and 9");
  s = usual (), s.width = 128, s.height = 64, refused (f, s, "96 × 64");
  s.resolution_binning = FALSE, s.width = 100, refused (f, s, "96 and 112");
  s = usual (), s.max_tokens = 8, refused (f, s, "16");
  s = usual (), s.guidance = 101, refused (f, s, "100");
  s = usual (), s.sampler = "flow-euler", refused (f, s, "flow-euler");
  s = usual (), s.input = "x.mp4", s.strength = 0.01, refused (f, s, "strength");
}

static void
test_rules_15 (Fixture *f, gconstpointer data)
{
  EaselRequestSettings s = usual ();
  g_autoptr (EaselRequest) request = NULL;

  NEED_MODELS ();
  request = resolve (f, &s, NULL);
  g_assert_nonnull (request);
  g_assert_cmpint (easel_request_settings (request)->width, ==, 1360);
  g_assert_cmpint (easel_request_settings (request)->height, ==, 768);
  g_assert_cmpint (easel_request_settings (request)->frames, ==, 17);
  s.frames = 9, refused (f, s, "1 and 17");
  s = usual (), s.width = 720, s.height = 480, refused (f, s, "1360");
  s = usual (), s.width = 4096, s.height = 768, refused (f, s, "2400");
}

/* The dry run is the real one's memory, to the byte; the same request gives the same bytes. */
static void
test_memory_and_bytes (Fixture *f, gconstpointer data)
{
  const EaselRequestSettings s = usual ();
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (EaselPicture) one = NULL, two = NULL;
  g_autoptr (GError) error = NULL;
  EaselPlan plan = { 0 };
  guint64 before;

  NEED_MODELS ();
  request = resolve (f, &s, NULL);
  g_assert_true (easel_pipeline_plan (f->pipeline, request, &plan, &error));
  before = f->device->memory_used;
  easel_device_reset_peak (f->device);
  one = run (f, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (f->device->memory_peak - before, ==, plan.activations_bytes);
  g_assert_cmpuint (f->device->memory_used, ==, before);
  two = run (f, NULL, &error);
  g_assert_true (same (one, two));
  easel_plan_clear (&plan);
}

typedef struct
{
  int stop_at;
  EaselPhase phase;
} Stopper;

static void
stop_cb (EaselJob *job, const EaselProgress *progress, gpointer data)
{
  Stopper *stopper = data;

  if (progress->phase == stopper->phase && progress->step >= stopper->stop_at)
    easel_job_cancel (job);
}

static void
test_cancel (Fixture *f, gconstpointer data)
{
  const EaselRequestSettings s = usual ();

  NEED_MODELS ();
  for (int i = 0; i <= STEPS; i++)
    {
      g_autoptr (EaselRequest) request = resolve (f, &s, NULL);
      g_autoptr (EaselJob) job = easel_job_new (request);
      g_autoptr (GError) error = NULL;
      Stopper stopper = { i < STEPS ? i : 0, i < STEPS ? EASEL_PHASE_DENOISING : EASEL_PHASE_DECODING };
      const guint64 before = f->device->memory_used;

      easel_job_set_observer (job, stop_cb, &stopper);
      easel_job_begin (job);
      g_assert_null (run (f, job, &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_CANCELLED);
      g_assert_cmpuint (f->device->memory_used, ==, before);
      easel_job_finish (job, g_error_copy (error));
    }
}

/* An allocation that fails leads to another plan or to a sentence, never to a crash or a leak. */
static void
test_no_memory (Fixture *f, gconstpointer data)
{
  guint64 before;

  NEED_MODELS ();
  before = f->device->memory_used;
  for (int i = 1; i <= 4; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (EaselPicture) clip = NULL;

      f->device->fail_after = i;
      clip = run (f, NULL, &error);
      g_assert_true (clip != NULL || g_error_matches (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY));
      f->device->fail_after = 0;
      g_assert_cmpuint (f->device->memory_used, ==, before);
    }
}

/* A job stopped in the middle and begun again from its file gives the bytes of one that was not. */
static void
test_checkpoint (Fixture *f, gconstpointer data)
{
  const EaselRequestSettings s = usual ();
  g_autofree char *kept = NULL;
  g_autoptr (EaselPicture) straight = NULL, resumed = NULL;
  g_autoptr (GError) error = NULL;
  Stopper stopper = { 2, EASEL_PHASE_DENOISING };

  NEED_MODELS ();
  kept = g_build_filename (f->dir, "kept.safetensors", NULL);
  straight = run (f, NULL, &error);
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (EaselRequest) request = resolve (f, &s, NULL);
      g_autoptr (EaselJob) job = easel_job_new (request);

      easel_job_set_checkpoint (job, kept, 1);
      if (i == 0)
        easel_job_set_observer (job, stop_cb, &stopper);
      easel_job_begin (job);
      resumed = run (f, job, &error);
      g_assert_true (g_file_test (kept, G_FILE_TEST_EXISTS));
      easel_job_finish (job, error ? g_error_copy (error) : NULL);
      if (i == 0)
        g_assert_error (error, EASEL_ERROR, EASEL_ERROR_CANCELLED);
      else
        g_assert_no_error (error);
      g_clear_error (&error);
    }
  g_assert_true (same (straight, resumed));
  put (f->dir, "kept.safetensors", "damaged");
}

static EaselPicture *
run_settings (EaselPipeline *pipeline, const EaselRequestSettings *s)
{
  g_autoptr (EaselRequest) request = easel_request_new (s, NULL), resolved = NULL;
  g_autoptr (GError) error = NULL;
  EaselPicture *clip = NULL;

  resolved = pipeline->klass->resolve (pipeline, request, &error);
  g_assert_no_error (error);
  pipeline->klass->run (pipeline, resolved, NULL, &clip, &error);
  g_assert_no_error (error);
  return clip;
}

/* Where no step changes as little as is asked, all is computed: the same bytes, in the memory that was planned. */
static void
test_reuse_nothing (Fixture *f, gconstpointer data)
{
  EaselRequestSettings s = usual ();
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (EaselPicture) exact = NULL, clip = NULL;
  EaselPlan plan = { 0 };
  guint64 used;

  NEED_MODELS ();
  exact = run_settings (f->pipeline, &s);
  s.reuse = 1e-9;
  request = resolve (f, &s, NULL);
  g_assert_true (easel_pipeline_plan (f->pipeline, request, &plan, NULL));
  used = f->device->memory_used;
  easel_device_reset_peak (f->device);
  clip = run_settings (f->pipeline, &s);
  g_assert_cmpuint (f->device->memory_peak - used, ==, plan.activations_bytes);
  g_assert_null (clip->request); /* as it was asked for */
  g_assert_true (same (exact, clip));
  easel_plan_clear (&plan);
}

/* Interrupted between steps that reuse work and begun again: the bytes and the count of the job that was not. */
static void
check_interrupted (EaselPipeline *pipeline, const EaselRequestSettings *s, const EaselPicture *straight)
{
  g_autofree char *dir = g_dir_make_tmp ("easel-reuse-XXXXXX", NULL);
  g_autofree char *kept = g_build_filename (dir, "kept.safetensors", NULL);
  g_autoptr (EaselRequest) request = easel_request_new (s, NULL), resolved = NULL;
  g_autoptr (EaselPicture) clip = NULL;
  Stopper stopper = { 17, EASEL_PHASE_DENOISING };

  resolved = pipeline->klass->resolve (pipeline, request, NULL);
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (EaselJob) job = easel_job_new (resolved);
      GError *error = NULL;

      easel_job_set_checkpoint (job, kept, 1);
      if (i == 0)
        easel_job_set_observer (job, stop_cb, &stopper);
      easel_job_begin (job);
      pipeline->klass->run (pipeline, resolved, job, &clip, &error);
      g_assert_true (g_file_test (kept, G_FILE_TEST_EXISTS));
      g_assert_true (i == 0 ? g_error_matches (error, EASEL_ERROR, EASEL_ERROR_CANCELLED) : !error);
      easel_job_finish (job, error);
    }
  g_assert_true (same (straight, clip));
  g_assert_cmpint (easel_request_settings (clip->request)->reused, ==,
                   easel_request_settings (straight->request)->reused);
  g_remove (kept);
  g_rmdir (dir);
}

/* A trained model: neighbouring steps are alike, and the clip stays like the exact one. */
static void
test_reuse (void)
{
  const char *source = g_getenv ("EASEL_SOURCE");
  g_autofree char *dir = g_build_filename (source ? source : ".", "data", "starter", "starter-cogvideox", NULL);
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  g_autoptr (EaselPicture) exact = NULL, clip = NULL;
  g_autoptr (GError) error = NULL;
  EaselDevice *device = NULL;
  EaselPipeline *pipeline;
  EaselModelFolder *folder;
  EaselLikeness likeness;
  int reused;

  if (!g_file_test (dir, G_FILE_TEST_IS_DIR))
    {
      g_test_skip ("no starter model for clips");
      return;
    }
  g_assert_cmpint (easel_cpu_device_open (2, &device), ==, EASEL_STATUS_OK);
  folder = easel_model_folder_open (dir, &error);
  g_assert_no_error (error);
  pipeline = easel_cogvideox_pipeline_class.open (folder, device, &error);
  g_assert_no_error (error);
  s.prompt = "a red ball moves to the right";
  s.seed = 3;
  s.frames = 9;
  s.steps = 30;
  exact = run_settings (pipeline, &s);
  s.reuse = 0.15;
  clip = run_settings (pipeline, &s);
  reused = easel_request_settings (clip->request)->reused;
  g_assert_true (easel_picture_compare (exact, clip, &likeness, &error));
  g_test_message ("%d of %d steps used earlier work: PSNR %.1f dB, SSIM %.3f", reused, s.steps, likeness.psnr,
                  likeness.ssim);
  g_assert_cmpint (reused, >=, s.steps / 3);
  g_assert_cmpint (reused, <=, s.steps - 3); /* the two first and the last are always computed */
  g_assert_cmpfloat (likeness.psnr, >, 22);
  g_assert_cmpfloat (likeness.ssim, >, 0.9);
  check_interrupted (pipeline, &s, clip);
  pipeline->klass->free (pipeline);
  easel_device_close (&device);
}

/* A picture of another shape: the plan says what is cut off, or that it stands between bars. */
static void
test_shape (Fixture *f, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree float *given = NULL;
  g_auto (CogRecipe) recipe = { 0 };
  g_autoptr (EaselPicture) wide = easel_picture_new (300, 50, 1, NULL);
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (GError) error = NULL;
  EaselRequestSettings s = usual ();
  EaselPlan plan = { 0 };

  NEED_MODELS ();
  path = g_build_filename (f->dir, "wide.png", NULL);
  memset (wide->rgb, 99, 300 * 50 * 3);
  g_assert_true (easel_image_write (wide, path, NULL, &error));
  s.input = path;
  request = resolve (f, &s, &error);
  g_assert_no_error (error);
  g_assert_true (easel_pipeline_plan (f->pipeline, request, &plan, &error));
  g_assert_nonnull (strstr (plan.summary, "of the picture of 300 × 50 are cut off at its sides"));
  easel_plan_clear (&plan);

  /* or it stands between bars: what the model is given begins and ends with black rows, and none is cut */
  s.fit_input = TRUE;
  g_clear_pointer (&request, easel_request_unref);
  request = resolve (f, &s, &error);
  g_assert_no_error (error);
  g_assert_true (easel_pipeline_plan (f->pipeline, request, &plan, &error));
  g_assert_nonnull (strstr (plan.summary, "the picture of 300 × 50 stands between bars above and below"));
  g_assert_true (cog_recipe_init (&recipe, (CogPipeline *) f->pipeline, request, &error));
  given = cog_input_read (&recipe, &error);
  g_assert_no_error (error);
  for (int x = 0; x < 3 * recipe.settings->width; x++)
    {
      const int last = 3 * recipe.settings->width * (recipe.settings->height - 1);

      g_assert_true (given[x] == -1 && given[last + x] == -1);
    }
  g_assert_true (given[3 * recipe.settings->width * (recipe.settings->height / 2)] > -1);
  easel_plan_clear (&plan);
  g_remove (path);
}

#define ADD(name, model, func) \
  g_test_add ("/cogvideox/" name, Fixture, model, fixture_set_up, func, fixture_tear_down)

int
main (int argc, char **argv)
{
  const char *golden = g_getenv ("EASEL_GOLDEN"), *source = g_getenv ("EASEL_SOURCE");

  g_test_init (&argc, &argv, NULL);
  models = golden   ? g_build_filename (golden, "models", NULL)
           : source ? g_build_filename (source, "..", "shared", "golden", "models", NULL)
                    : NULL;
  if (models && !g_file_test (models, G_FILE_TEST_IS_DIR))
    g_clear_pointer (&models, g_free);
  ADD ("rules", "cog-2b-tiny", test_rules);
  ADD ("rules-1.5", "cog-15-tiny", test_rules_15);
  ADD ("memory-and-bytes", "cog-2b-tiny", test_memory_and_bytes);
  ADD ("memory-and-bytes-rotary", "cog-5b-tiny", test_memory_and_bytes);
  ADD ("cancel", "cog-2b-tiny", test_cancel);
  ADD ("no-memory", "cog-2b-tiny", test_no_memory);
  ADD ("checkpoint", "cog-2b-tiny", test_checkpoint);
  ADD ("reuse-nothing", "cog-2b-tiny", test_reuse_nothing);
  ADD ("reuse-nothing-rotary", "cog-5b-tiny", test_reuse_nothing);
  g_test_add_func ("/cogvideox/reuse", test_reuse);
  ADD ("shape", "cog-5b-i2v-tiny", test_shape);
  return g_test_run ();
}
