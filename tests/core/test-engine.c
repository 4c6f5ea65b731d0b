/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The engine with a tiny model: pictures, series, the queue, cancelling, planning, errors, what widgets are told.
 */
#include "engine/core/engine.h"

#include <string.h>

#include "tests/core/tiny-model.h"

typedef struct
{
  char *root, *model;
  EaselEngine *engine;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  f->root = tiny_folder ();
  f->model = tiny_sana (f->root, "tiny");
  const char *roots[] = { f->root, NULL };
  g_autoptr (GError) error = NULL;
  f->engine = easel_engine_new (&(EaselEngineSettings){ .model_roots = roots, .device = "cpu", .threads = 1 }, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_object_add_weak_pointer (G_OBJECT (f->engine), (gpointer *) &f->engine);
  g_object_unref (f->engine);
  g_assert_null (f->engine);
  tiny_remove (f->root);
  g_free (f->root);
  g_free (f->model);
}

static EaselRequest *
request (const char *model, int steps, gint64 seed, int count)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  s.model = model;
  s.prompt = "a red cube";
  s.width = s.height = 64;
  s.resolution_binning = FALSE;
  s.human_instruction = FALSE;
  s.max_tokens = 16;
  s.steps = steps;
  s.seed = seed;
  s.count = count;
  g_autoptr (GError) error = NULL;
  EaselRequest *self = easel_request_new (&s, &error);
  g_assert_no_error (error);
  return self;
}

static EaselJob *
submit (Fixture *f, const char *model, int steps, gint64 seed, int count)
{
  g_autoptr (EaselRequest) r = request (model, steps, seed, count);
  return easel_engine_submit (f->engine, r);
}

static EaselPicture *
picture (EaselJob *job, guint i)
{
  easel_job_wait (job);
  g_assert_no_error ((GError *) easel_job_get_error (job));
  g_assert_cmpint (easel_job_get_state (job), ==, EASEL_JOB_DONE);
  g_assert_cmpuint (easel_job_get_pictures (job)->len, >, i);
  return easel_job_get_pictures (job)->pdata[i];
}

static gboolean
same_pixels (const EaselPicture *a, const EaselPicture *b)
{
  return a->width == b->width && a->height == b->height && !memcmp (a->rgb, b->rgb, (gsize) a->width * a->height * 3);
}

/* A series gives what single requests give; the same request the same bytes; files say how to make each again. */
static void
test_series (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (EaselJob) series = submit (f, "tiny", 2, 7, 3);
  g_autoptr (EaselJob) single = submit (f, "tiny", 2, 8, 1);
  g_autoptr (EaselJob) again = submit (f, f->model, 2, 7, 1);
  g_assert_true (same_pixels (picture (series, 1), picture (single, 0)));
  g_assert_true (same_pixels (picture (series, 0), picture (again, 0)));
  g_assert_false (same_pixels (picture (series, 0), picture (series, 1)));
  g_assert_cmpuint (easel_job_get_pictures (series)->len, ==, 3);
  const EaselRequestSettings *s = easel_request_settings (picture (series, 2)->request);
  g_assert_cmpint (s->seed, ==, 9);
  g_assert_cmpint (s->count, ==, 1);
  g_assert_cmpstr (s->model, ==, "tiny");
  g_assert_nonnull (s->sampler);
  g_assert_cmpfloat (s->guidance, >=, 0);
  g_autoptr (GPtrArray) taken = easel_job_take_pictures (series);
  g_assert_cmpuint (taken->len, ==, 3);
  g_assert_null (easel_job_get_pictures (series));
}

typedef struct
{
  double progress;
  int reports, steps_seen, cancel_at;
  EaselPhase last_phase;
  gboolean eta_while_denoising, phases[EASEL_N_PHASES];
} Watch;

static void
watch_cb (EaselJob *job, const EaselProgress *p, gpointer data)
{
  Watch *w = data;
  g_assert_cmpfloat (p->progress, >=, w->progress);
  g_assert_true (p->progress <= 1 && p->eta >= -1 && p->elapsed >= 0);
  w->progress = p->progress;
  w->reports++;
  w->phases[p->phase] = TRUE;
  if (p->phase == EASEL_PHASE_DENOISING && p->steps > 0)
    {
      w->steps_seen++;
      w->eta_while_denoising = w->eta_while_denoising || p->eta > 0;
    }
  if (w->cancel_at && w->reports == w->cancel_at)
    easel_job_cancel (job);
}

static EaselJob *
watched (Fixture *f, Watch *w, int steps, int count)
{
  g_autoptr (EaselRequest) r = request ("tiny", steps, 1, count);
  EaselJob *job = easel_job_new (r);
  easel_job_set_observer (job, watch_cb, w);
  easel_engine_submit_job (f->engine, job);
  easel_engine_wait (f->engine, job);
  return job;
}

static void
test_progress (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  Watch w = { 0 };
  g_autoptr (EaselJob) job = watched (f, &w, 4, 2);
  g_assert_cmpint (easel_job_get_state (job), ==, EASEL_JOB_DONE);
  g_assert_cmpfloat (w.progress, ==, 1);
  g_assert_cmpint (w.steps_seen, >=, 8);
  g_assert_true (w.eta_while_denoising);
  g_assert_true (w.phases[EASEL_PHASE_LOADING] && w.phases[EASEL_PHASE_ENCODING_TEXT]
                 && w.phases[EASEL_PHASE_DENOISING] && w.phases[EASEL_PHASE_DECODING]);
  /* The second time there is an estimate before the first step: text and decoding are known. */
  Watch second = { 0 };
  g_autoptr (EaselJob) other = watched (f, &second, 4, 1);
  double seconds[EASEL_N_PHASES];
  easel_job_get_measured (other, seconds);
  g_assert_cmpfloat (seconds[EASEL_PHASE_DENOISING], >, 0);
  g_assert_cmpfloat (seconds[EASEL_PHASE_DECODING], >, 0);
}

static void
test_cancel_queued (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (EaselJob) long_job = submit (f, "tiny", 500, 1, 100);
  g_autoptr (EaselJob) waiting = submit (f, "tiny", 2, 1, 1);
  g_autoptr (EaselJob) after = submit (f, "tiny", 2, 1, 1);
  easel_job_cancel (waiting);
  /* At once, though the worker is busy. */
  g_assert_cmpint (easel_job_get_state (waiting), ==, EASEL_JOB_CANCELLED);
  easel_job_wait (waiting);
  g_assert_error (easel_job_get_error (waiting), EASEL_ERROR, EASEL_ERROR_CANCELLED);
  /* Planning and resolving do not wait for the picture. */
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) r = request ("tiny", 2, -1, 1);
  EaselPlan plan = { 0 };
  g_assert_true (easel_engine_plan (f->engine, r, &plan, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (plan.peak_bytes, >, 0);
  g_assert_nonnull (plan.summary);
  easel_plan_clear (&plan);
  g_autoptr (EaselRequest) resolved = easel_engine_resolve (f->engine, r, &error);
  g_assert_no_error (error);
  g_assert_cmpint (easel_request_settings (resolved)->seed, >=, 0);
  g_assert_cmpint (easel_job_get_state (long_job), <=, EASEL_JOB_RUNNING);
  g_assert_cmpuint (easel_engine_queue_length (f->engine), >=, 2);
  easel_job_cancel (long_job);
  easel_job_wait (long_job);
  g_assert_cmpint (easel_job_get_state (long_job), ==, EASEL_JOB_CANCELLED);
  picture (after, 0);
}

/* Pictures finished before the cancel are kept. */
static void
test_cancel_keeps (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  Watch w = { .cancel_at = 28 };
  g_autoptr (EaselJob) job = watched (f, &w, 2, 200);
  g_assert_cmpint (easel_job_get_state (job), ==, EASEL_JOB_CANCELLED);
  g_assert_error (easel_job_get_error (job), EASEL_ERROR, EASEL_ERROR_CANCELLED);
  g_assert_nonnull (easel_job_get_pictures (job));
  g_assert_cmpuint (easel_job_get_pictures (job)->len, <, 200);
}

static void
expect_error (Fixture *f, EaselRequest *r, int code)
{
  g_autoptr (EaselJob) job = easel_engine_submit (f->engine, r);
  easel_job_wait (job);
  g_assert_cmpint (easel_job_get_state (job), ==, EASEL_JOB_FAILED);
  g_assert_error (easel_job_get_error (job), EASEL_ERROR, code);
  g_assert_cmpuint (strlen (easel_job_get_error (job)->message), >, 10);
}

static void
test_errors (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (EaselRequest) nowhere = request ("nowhere", 2, 1, 1);
  g_autoptr (EaselRequest) outside = request ("../tiny", 2, 1, 1);
  expect_error (f, nowhere, EASEL_ERROR_NOT_FOUND);
  expect_error (f, outside, EASEL_ERROR_NOT_FOUND);
  EaselRequestSettings s = *easel_request_settings (nowhere);
  s.model = "tiny";
  s.width = 65;
  g_autoptr (EaselRequest) odd = easel_request_new (&s, NULL);
  expect_error (f, odd, EASEL_ERROR_BAD_REQUEST);
  s.width = 64;
  s.sampler = "nonsense";
  g_autoptr (EaselRequest) sampler = easel_request_new (&s, NULL);
  expect_error (f, sampler, EASEL_ERROR_BAD_REQUEST);
  /* A broken model beside the good one, which works afterwards. */
  g_autofree char *broken = tiny_sana (f->root, "broken");
  g_autofree char *vae = g_build_filename (broken, "vae", NULL);
  g_assert_cmpint (g_remove (vae), ==, 0);
  g_autoptr (EaselRequest) missing = request ("broken", 2, 1, 1);
  expect_error (f, missing, EASEL_ERROR_NOT_FOUND);
  g_assert_cmpint (g_mkdir (vae, 0755), ==, 0);
  expect_error (f, missing, EASEL_ERROR_NOT_FOUND);
  tiny_write (vae, "config.json", "{ \"_class_name\": \"AutoencoderDC\" ");
  expect_error (f, missing, EASEL_ERROR_DAMAGED);
  tiny_write (broken, "model_index.json", "{ \"_class_name\": \"OtherPipeline\", \"vae\": [\"diffusers\", \"X\"] }");
  expect_error (f, missing, EASEL_ERROR_UNSUPPORTED);
  g_autoptr (EaselJob) fine = submit (f, "tiny", 2, 1, 1);
  picture (fine, 0);
}

static void
test_devices (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (easel_engine_new (&(EaselEngineSettings){ .device = "abacus" }, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED);
}

static void
test_unload (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  guint64 before = easel_engine_get_device (f->engine)->memory_used;
  g_autoptr (EaselJob) first = submit (f, "tiny", 2, 1, 1);
  picture (first, 0);
  easel_engine_unload (f->engine);
  g_autoptr (EaselJob) second = submit (f, "tiny", 2, 1, 1);
  g_assert_true (same_pixels (picture (first, 0), picture (second, 0)));
  easel_engine_unload (f->engine);
  g_autoptr (EaselJob) bad = submit (f, "nowhere", 2, 1, 1);
  easel_job_wait (bad); /* the unload ran before it */
  g_assert_cmpuint (easel_engine_get_device (f->engine)->memory_used, ==, before);
}

/* Dropping the engine ends everything, with jobs still held by somebody. */
static void
test_drop_busy (void)
{
  Fixture f = { 0 };
  set_up (&f, NULL);
  g_autoptr (EaselJob) running = submit (&f, "tiny", 500, 1, 100);
  g_autoptr (EaselJob) waiting = submit (&f, "tiny", 2, 1, 1);
  tear_down (&f, NULL);
  g_assert_cmpint (easel_job_get_state (running), ==, EASEL_JOB_CANCELLED);
  g_assert_cmpint (easel_job_get_state (waiting), ==, EASEL_JOB_CANCELLED);
}

typedef struct
{
  GThread *thread;
  GMainLoop *loop;
  int notified;
  double progress;
} Widget;

static void
notify_cb (EaselJob *job, GParamSpec *pspec, Widget *w)
{
  g_assert_true (g_thread_self () == w->thread);
  w->notified++;
  if (!strcmp (pspec->name, "progress"))
    {
      double progress;
      g_object_get (job, "progress", &progress, NULL);
      g_assert_cmpfloat (progress, >=, w->progress);
      w->progress = progress;
    }
  if (!strcmp (pspec->name, "state") && easel_job_get_state (job) == EASEL_JOB_DONE)
    {
      /* All the rest was told before. */
      g_autoptr (GPtrArray) result = NULL;
      g_object_get (job, "result", &result, NULL);
      g_assert_cmpuint (result->len, ==, 2);
      g_assert_cmpfloat (w->progress, ==, 1);
      g_main_loop_quit (w->loop);
    }
}

static gboolean
too_late_cb (gpointer data G_GNUC_UNUSED)
{
  g_error ("the job never told its end");
  return G_SOURCE_REMOVE;
}

static void
test_notify (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_main_context_push_thread_default (context);
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (GSource) late = g_timeout_source_new_seconds (100);
  g_source_set_callback (late, too_late_cb, NULL, NULL);
  g_source_attach (late, context);
  Widget w = { .thread = g_thread_self (), .loop = loop };
  g_autoptr (EaselRequest) r = request ("tiny", 3, 1, 2);
  g_autoptr (EaselJob) job = easel_job_new (r);
  easel_job_set_wants_preview (job, TRUE);
  g_signal_connect (job, "notify", G_CALLBACK (notify_cb), &w);
  easel_engine_submit_job (f->engine, job);
  g_main_loop_run (loop);
  g_assert_cmpint (w.notified, >, 3);
  g_source_destroy (late);
  g_main_context_pop_thread_default (context);
}

/* Without a loop nothing keeps a job alive. */
static void
test_no_loop (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  EaselJob *job = submit (f, "tiny", 2, 1, 1);
  g_object_add_weak_pointer (G_OBJECT (job), (gpointer *) &job);
  easel_job_wait (job);
  /* The worker lets go of it before it takes the next. */
  g_autoptr (EaselJob) next = submit (f, "tiny", 2, 1, 1);
  easel_job_wait (next);
  g_object_unref (job);
  g_assert_null (job);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/engine/series", test_series);
  ADD ("/engine/progress", test_progress);
  ADD ("/engine/cancel-queued", test_cancel_queued);
  ADD ("/engine/cancel-keeps", test_cancel_keeps);
  ADD ("/engine/errors", test_errors);
  ADD ("/engine/unload", test_unload);
  ADD ("/engine/notify", test_notify);
  ADD ("/engine/no-loop", test_no_loop);
  g_test_add_func ("/engine/devices", test_devices);
  g_test_add_func ("/engine/drop-busy", test_drop_busy);
  return g_test_run ();
}
