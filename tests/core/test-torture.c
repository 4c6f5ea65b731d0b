/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Torture: allocation N of the device fails, for every N of a tiny job; a job is cancelled at every report it makes.
 * Each time an error or a cancel, all memory back, and the next job gives the same picture as ever. Run it under the
 * address and leak sanitizers to see that nothing on the host is lost either.
 */
#include <string.h>

#include "engine/core/engine.h"
#include "tests/core/tiny-model.h"

typedef struct
{
  char *root, *model;
  EaselEngine *engine;
  EaselDevice *device;
  guint64 idle_bytes; /* the device keeps scratch */
} Fixture;

static void
set_up (Fixture *f, gconstpointer uploads)
{
  f->root = tiny_folder ();
  f->model = tiny_sana (f->root, "tiny");
  const char *roots[] = { f->root, NULL };
  g_autoptr (GError) error = NULL;
  f->engine = easel_engine_new (&(EaselEngineSettings){ .model_roots = roots, .device = "cpu", .threads = 1 }, &error);
  g_assert_no_error (error);
  f->device = easel_engine_get_device (f->engine);
  /* As on a card: every weight has its own memory. */
  if (uploads)
    f->device->maps_weights = false;
  f->idle_bytes = f->device->memory_used;
}

static void
tear_down (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_object_unref (f->engine);
  tiny_remove (f->root);
  g_free (f->root);
  g_free (f->model);
}

typedef struct
{
  int reports, cancel_at;
} Watch;

static void
watch_cb (EaselJob *job, const EaselProgress *progress G_GNUC_UNUSED, gpointer data)
{
  Watch *w = data;
  if (++w->reports == w->cancel_at)
    easel_job_cancel (job);
}

static EaselJob *
run (Fixture *f, Watch *w, const char *prompt)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  s.model = "tiny";
  s.prompt = prompt;
  s.width = s.height = 64;
  s.resolution_binning = FALSE;
  s.human_instruction = FALSE;
  s.max_tokens = 8;
  s.steps = 3;
  s.seed = 5;
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = easel_request_new (&s, &error);
  g_assert_no_error (error);
  EaselJob *job = easel_job_new (request);
  if (w)
    easel_job_set_observer (job, watch_cb, w);
  easel_engine_submit_job (f->engine, job);
  easel_engine_wait (f->engine, job);
  return job;
}

static void
assert_same (EaselJob *a, EaselJob *b)
{
  g_assert_no_error ((GError *) easel_job_get_error (b));
  g_assert_cmpint (easel_job_get_state (b), ==, EASEL_JOB_DONE);
  const EaselPicture *x = easel_job_get_pictures (a)->pdata[0], *y = easel_job_get_pictures (b)->pdata[0];
  g_assert_cmpmem (x->rgb, (gsize) x->width * x->height * 3, y->rgb, (gsize) y->width * y->height * 3);
}

/* Takes the model away and waits until that has happened; then nothing may be left on the device. */
static void
assert_all_given_back (Fixture *f)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  s.model = "nowhere";
  g_autoptr (EaselRequest) request = easel_request_new (&s, NULL);
  easel_engine_unload (f->engine);
  g_autoptr (EaselJob) job = easel_engine_submit (f->engine, request);
  easel_engine_wait (f->engine, job);
  g_assert_cmpuint (f->device->memory_used, ==, f->idle_bytes);
}

static void
test_allocations (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (EaselJob) good = run (f, NULL, "a red cube");
  assert_same (good, good);
  guint failed = 0;
  for (int n = 1;; n++)
    {
      g_assert_cmpint (n, <, 1000);
      assert_all_given_back (f);
      f->device->fail_after = n;
      g_autoptr (EaselJob) job = run (f, NULL, "a red cube");
      gboolean untouched = f->device->fail_after > 0; /* fewer than n allocations */
      f->device->fail_after = 0;
      /* A smaller plan may have saved the job: then the picture is the same. */
      if (easel_job_get_state (job) == EASEL_JOB_DONE)
        assert_same (good, job);
      else
        {
          failed++;
          g_assert_cmpint (easel_job_get_state (job), ==, EASEL_JOB_FAILED);
          g_assert_error (easel_job_get_error (job), EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
          g_assert_cmpuint (strlen (easel_job_get_error (job)->message), >, 10);
        }
      g_autoptr (EaselJob) next = run (f, NULL, "a red cube");
      assert_same (good, next);
      if (untouched)
        {
          g_test_message ("%d allocations, %u ended the job", n - 1, failed);
          break;
        }
    }
}

/* A device with room for half of what the job needs: an error, not a crash, and the next job fits again. */
static void
test_limit (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  easel_device_reset_peak (f->device);
  g_autoptr (EaselJob) good = run (f, NULL, "a red cube");
  guint64 peak = f->device->memory_peak;
  assert_same (good, good);
  for (int part = 1; part < 8; part++)
    {
      assert_all_given_back (f);
      f->device->memory_limit = f->idle_bytes + (peak - f->idle_bytes) * (guint64) part / 8;
      g_autoptr (EaselJob) job = run (f, NULL, "a red cube");
      f->device->memory_limit = 0;
      if (easel_job_get_state (job) == EASEL_JOB_DONE)
        assert_same (good, job);
      else
        g_assert_error (easel_job_get_error (job), EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
    }
  g_autoptr (EaselJob) next = run (f, NULL, "a red cube");
  assert_same (good, next);
}

static void
test_cancels (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (EaselJob) good = run (f, NULL, "a red cube");
  assert_same (good, good);
  for (int at = 1;; at++)
    {
      g_assert_cmpint (at, <, 1000);
      Watch w = { .cancel_at = at };
      /* Other words each time, so that the text encoder runs and can be cancelled. */
      g_autofree char *prompt = g_strdup_printf ("a red cube %d", at);
      g_autoptr (EaselJob) job = run (f, &w, prompt);
      if (easel_job_get_state (job) == EASEL_JOB_DONE)
        {
          /* The cancel came with the last report. */
          g_assert_cmpint (w.reports, <=, at + 1);
          g_test_message ("cancelled at each of %d reports", at - 1);
          break;
        }
      g_assert_cmpint (easel_job_get_state (job), ==, EASEL_JOB_CANCELLED);
      g_assert_error (easel_job_get_error (job), EASEL_ERROR, EASEL_ERROR_CANCELLED);
      g_assert_null (easel_job_get_pictures (job));
      /* Within one step, one block or one tile: only bookkeeping and the end are reported after it. */
      g_assert_cmpint (w.reports, <=, at + 3);
      if (at % 5 == 0)
        assert_all_given_back (f);
    }
  assert_all_given_back (f);
  g_autoptr (EaselJob) next = run (f, NULL, "a red cube");
  assert_same (good, next);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function, uploads) g_test_add (name, Fixture, uploads, set_up, function, tear_down)
  ADD ("/torture/mapped/allocations", test_allocations, NULL);
  ADD ("/torture/mapped/limit", test_limit, NULL);
  ADD ("/torture/mapped/cancels", test_cancels, NULL);
  ADD ("/torture/uploaded/allocations", test_allocations, "uploads");
  ADD ("/torture/uploaded/limit", test_limit, "uploads");
  ADD ("/torture/uploaded/cancels", test_cancels, "uploads");
  return g_test_run ();
}
