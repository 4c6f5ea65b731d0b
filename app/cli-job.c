/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One job, with Ctrl+C. A handler passes the signal through a pipe to one thread that waits for it: the first one
 * cancels the job, a second one ends the process as if nobody had caught it. Blocking the signals instead would not do:
 * OpenBLAS starts threads before main() that have them unblocked, and one of those would die of them.
 */
#include "app/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/media/image-file.h"

/* The job that Ctrl+C means. Written by the main thread, read by the watching one. */
static struct
{
  GMutex lock;
  EaselJob *job;
  gboolean interrupted;
} current;

static int signal_pipe[2] = { -1, -1 };

static void
pass_on (int which)
{
  int saved = errno;
  guint8 byte = (guint8) which;

  (void) !write (signal_pipe[1], &byte, 1);
  errno = saved;
}

/* Waits for a signal; which one. */
static int
next_signal (void)
{
  guint8 byte;

  while (read (signal_pipe[0], &byte, 1) != 1)
    ;
  return byte;
}

static gpointer
watch_thread (gpointer data G_GNUC_UNUSED)
{
  int which;

  next_signal ();
  g_mutex_lock (&current.lock);
  current.interrupted = TRUE;
  if (current.job)
    easel_job_cancel (current.job);
  g_mutex_unlock (&current.lock);

  which = next_signal ();
  signal (which, SIG_DFL);
  raise (which);
  return NULL;
}

void
cli_job_watch_signals (void)
{
  struct sigaction action = { .sa_handler = pass_on, .sa_flags = SA_RESTART };

  /* A full disk limit or a closed pipe is an error to report, not a reason to die. */
  signal (SIGXFSZ, SIG_IGN);
  signal (SIGPIPE, SIG_IGN);
  if (pipe2 (signal_pipe, O_CLOEXEC) != 0)
    return; /* Ctrl+C then ends the process at once, as without us; files still appear whole or not at all */
  g_thread_unref (g_thread_new ("signals", watch_thread, NULL));
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

/* What the observer knows. It lives as long as the job: the engine's thread may still be in its last report when the
 * waiting is over. */
typedef struct
{
  GMutex lock;
  CliProgress *progress; /* borrowed; NULL when the waiting is over */
  const char *preview;
  EaselPicture *written; /* the preview that is in the file now */
} Observed;

static void
observed_free (gpointer data)
{
  Observed *observed = data;

  g_clear_pointer (&observed->written, easel_picture_unref);
  g_mutex_clear (&observed->lock);
  g_free (observed);
}

/* A preview that cannot be written is no reason to stop. */
static void
write_preview (EaselJob *job, Observed *observed)
{
  EaselPicture *preview = NULL;

  g_object_get (job, "preview", &preview, NULL);
  if (preview && preview != observed->written)
    easel_image_write (preview, observed->preview, &(EaselImageOptions){ .overwrite = TRUE }, NULL);
  g_clear_pointer (&observed->written, easel_picture_unref);
  observed->written = preview;
}

/* On the engine's thread. */
static void
observe (EaselJob *job, const EaselProgress *progress, gpointer user_data)
{
  Observed *observed = user_data;

  g_mutex_lock (&observed->lock);
  if (observed->progress)
    {
      cli_progress_report (observed->progress, progress);
      if (observed->preview)
        write_preview (job, observed);
    }
  g_mutex_unlock (&observed->lock);
}

static void
set_current (EaselJob *job)
{
  g_mutex_lock (&current.lock);
  current.job = job;
  if (job && current.interrupted)
    easel_job_cancel (job);
  g_mutex_unlock (&current.lock);
}

EaselPicture *
cli_job_run (EaselEngine *engine, EaselRequest *request, CliProgress *progress, const CliArgs *args, GError **error)
{
  const char *preview = args ? args->preview : NULL;
  g_autoptr (EaselJob) job = easel_job_new (request);
  g_autoptr (GPtrArray) pictures = NULL;
  Observed *observed = g_new0 (Observed, 1);

  g_mutex_init (&observed->lock);
  observed->progress = progress;
  observed->preview = preview;
  g_object_set_data_full (G_OBJECT (job), "observed", observed, observed_free);
  easel_job_set_observer (job, observe, observed);
  easel_job_set_wants_preview (job, preview != NULL);
  if (args && args->checkpoint)
    easel_job_set_checkpoint (job, args->checkpoint, 5);

  set_current (job);
  easel_engine_submit_job (engine, job);
  easel_engine_wait (engine, job);
  set_current (NULL);
  g_mutex_lock (&observed->lock);
  observed->progress = NULL;
  g_mutex_unlock (&observed->lock);

  if (easel_job_get_state (job) != EASEL_JOB_DONE)
    {
      g_propagate_error (error, g_error_copy (easel_job_get_error (job)));
      return NULL;
    }
  pictures = easel_job_take_pictures (job);
  return easel_picture_ref (g_ptr_array_index (pictures, 0));
}
