/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A card that fails: in the middle of a job, for good, or before one. The program lives, says what happened, keeps what
 * waits, and goes on where it can. The card is fake-card.c's, beside this program.
 */
#include "engine/core/engine.h"

#include <string.h>

static EaselEngine *
start (const char *fault, const char *device, GError **error)
{
  g_autofree char *root = g_build_filename (g_getenv ("EASEL_SOURCE"), "data", "starter", NULL);
  const char *roots[] = { root, NULL };

  if (fault)
    g_setenv ("EASEL_FAKE_CARD", fault, TRUE);
  else
    g_unsetenv ("EASEL_FAKE_CARD");
  return easel_engine_new (&(EaselEngineSettings){ .model_roots = roots, .device = device, .threads = 2 }, error);
}

static EaselJob *
submit (EaselEngine *engine, gint64 seed)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (GError) error = NULL;

  s.model = "starter-sana";
  s.prompt = "a red circle";
  s.width = s.height = 64;
  s.resolution_binning = FALSE;
  s.steps = 2;
  s.seed = seed;
  request = easel_request_new (&s, &error);
  g_assert_no_error (error);
  return easel_engine_submit (engine, request);
}

static EaselPicture *
picture_of (EaselJob *job)
{
  easel_job_wait (job);
  g_assert_no_error ((GError *) easel_job_get_error (job));
  return easel_job_get_pictures (job)->pdata[0];
}

static gboolean
same (const EaselPicture *a, const EaselPicture *b)
{
  return !memcmp (a->rgb, b->rgb, 64 * 64 * 3);
}

/* Lost at any point of a job: that job ends with a sentence, the device is opened again, and the jobs that waited are
 * made, with the pixels they have on a card that did not fail. */
static void
test_lost (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselEngine) sound = start (NULL, "cuda", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (easel_engine_device_name (sound), ==, "Made-up card");
  g_autoptr (EaselJob) a = submit (sound, 1), b = submit (sound, 2);
  EaselPicture *first = picture_of (a), *second = picture_of (b);
  int failures = 0;

  g_assert_false (same (first, second));
  for (int n = 1; n < 2000; n = n * 3 + 1)
    {
      g_autofree char *fault = g_strdup_printf ("lost %d", n);
      g_autoptr (EaselEngine) engine = start (fault, "cuda", &error);
      g_assert_no_error (error);
      g_autoptr (EaselJob) hit = submit (engine, 1), waits = submit (engine, 2), again = NULL;

      easel_job_wait (hit);
      if (easel_job_get_state (hit) == EASEL_JOB_DONE)
        {
          g_assert_true (same (picture_of (hit), first)); /* the job has fewer operations: the next one meets it */
          easel_job_wait (waits);
          continue;
        }
      g_test_message ("operation %d: %s", n, easel_job_get_error (hit)->message);
      g_assert_error ((GError *) easel_job_get_error (hit), EASEL_ERROR, EASEL_ERROR_DEVICE);
      g_assert_nonnull (strstr (easel_job_get_error (hit)->message, "fallen off the bus"));
      failures++;
      g_assert_true (same (picture_of (waits), second));
      again = submit (engine, 1);
      g_assert_true (same (picture_of (again), first));
    }
  g_assert_cmpint (failures, >=, 4); /* reading the prompt, denoising, decoding */
}

/* It does not come back: what waits ends in words too, and the engine still answers. */
static void
test_gone (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselEngine) engine = start ("gone 20", "cuda", &error);
  g_assert_no_error (error);
  g_autoptr (EaselJob) hit = submit (engine, 1), waits = submit (engine, 2);

  easel_job_wait (hit);
  easel_job_wait (waits);
  g_assert_error ((GError *) easel_job_get_error (hit), EASEL_ERROR, EASEL_ERROR_DEVICE);
  g_assert_error ((GError *) easel_job_get_error (waits), EASEL_ERROR, EASEL_ERROR_DEVICE);
  g_test_message ("%s / %s", easel_job_get_error (hit)->message, easel_job_get_error (waits)->message);
  g_assert_nonnull (strstr (easel_job_get_error (waits)->message, "choose the CPU"));
  /* The worker puts a job away a moment after it has told of its end. */
  for (int i = 0; i < 10000 && easel_engine_queue_length (engine) > 0; i++)
    g_usleep (1000);
  g_assert_cmpuint (easel_engine_queue_length (engine), ==, 0);
}

/* Others hold its memory: the sentence offers the CPU; who leaves the choice to Easel is given it. */
static void
test_held (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselEngine) none = start ("held", "cuda", &error), other = NULL;

  g_assert_null (none);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
  g_assert_nonnull (strstr (error->message, "choose the device \"cpu\""));
  g_clear_error (&error);
  other = start ("held", NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (easel_engine_device_name (other), "CPU"));
  g_autoptr (EaselJob) job = submit (other, 1);
  g_assert_nonnull (picture_of (job));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/card/lost", test_lost);
  g_test_add_func ("/card/held", test_held);
  g_test_add_func ("/card/gone", test_gone); /* the last: it stays gone */
  return g_test_run ();
}
