/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselJob: one request on its way. A GObject with properties that widgets bind to:
 *
 *   state      EaselJobState      phase     EaselPhase       progress   double 0..1 over the whole job
 *   step       int, of `steps`    eta       double seconds, -1 unknown; text, steps and decoding of all pictures
 *   picture    int, of `pictures`                            elapsed    double seconds since it started
 *   preview    EaselPicture (boxed) or NULL                  error      GError or NULL
 *   result     GPtrArray of EaselPicture: those finished so far, complete when done
 *   request    EaselRequest (pointer), as it was submitted
 *
 * Threads: the worker writes through easel_job_report_*(); properties change and `notify` is emitted only in the main
 * context the job was created in (coalesced: at most one idle source is pending per job). easel_job_cancel() and
 * easel_job_is_cancelled() are safe from any thread, and so are the getters. With no main loop running (easel-cli,
 * tests) use easel_job_set_observer(), called on the worker's thread.
 */
#pragma once

#include <gio/gio.h>

#include "engine/core/picture.h"
#include "engine/core/request.h"

G_BEGIN_DECLS

typedef enum
{
  EASEL_JOB_QUEUED,
  EASEL_JOB_RUNNING,
  EASEL_JOB_DONE,
  EASEL_JOB_CANCELLED,
  EASEL_JOB_FAILED,
} EaselJobState;

typedef enum
{
  EASEL_PHASE_WAITING,
  EASEL_PHASE_LOADING,
  EASEL_PHASE_ENCODING_TEXT,
  EASEL_PHASE_DENOISING,
  EASEL_PHASE_DECODING,
  EASEL_PHASE_SAVING,
  EASEL_N_PHASES
} EaselPhase;

#define EASEL_TYPE_JOB_STATE (easel_job_state_get_type ())
GType easel_job_state_get_type (void);
#define EASEL_TYPE_PHASE (easel_phase_get_type ())
GType easel_phase_get_type (void);

#define EASEL_TYPE_JOB (easel_job_get_type ())
G_DECLARE_FINAL_TYPE (EaselJob, easel_job, EASEL, JOB, GObject)

EaselJob *easel_job_new (EaselRequest *request);
EaselRequest *easel_job_get_request (EaselJob *self);
EaselJobState easel_job_get_state (EaselJob *self);
EaselPhase easel_job_get_phase (EaselJob *self);
/* Borrowed, lives as long as the job; NULL unless failed or cancelled. */
const GError *easel_job_get_error (EaselJob *self);
/* Borrowed array of EaselPicture; NULL until the job has ended, and when nothing was finished. */
GPtrArray *easel_job_get_pictures (EaselJob *self);
/* Full reference to an array of EaselPicture: those finished so far, complete when done; NULL before the first. The
 * array does not change. */
GPtrArray *easel_job_dup_pictures (EaselJob *self);
/* Takes the finished pictures out of the job, so that a long series does not stay in memory; NULL when there are none.
 * The caller unrefs. */
GPtrArray *easel_job_take_pictures (EaselJob *self);

/* Any thread; takes effect within one step, one transformer block or one tile. A queued job ends at once. */
void easel_job_cancel (EaselJob *self);
gboolean easel_job_is_cancelled (EaselJob *self);
/* Any thread: no more steps after the one that runs; the picture is finished from what the model makes of it there, and
 * a series ends with it. Nothing happens once denoising is over. */
void easel_job_finish_early (EaselJob *self);
gboolean easel_job_ends_early (EaselJob *self); /* takes a NULL job */

/* Snapshot for observers. Borrowed while the call lasts. */
typedef struct
{
  EaselJobState state;
  EaselPhase phase;
  int picture, pictures; /* which of `count`, from 0 */
  int step, steps;
  double progress;  /* 0..1 */
  double elapsed;   /* seconds since the job started */
  double eta;       /* seconds left, -1 unknown */
} EaselProgress;
typedef void (*EaselJobObserver) (EaselJob *job, const EaselProgress *progress, gpointer user_data);
/* Before the job is queued. Called on the worker's thread at every report (of a job cancelled while it is queued:
 * on the thread that cancels), never after easel_job_wait() has returned. */
void easel_job_set_observer (EaselJob *self, EaselJobObserver observer, gpointer user_data);
/* The same snapshot, any thread. */
EaselProgress easel_job_get_progress (EaselJob *self);

/* Before the job is queued: a file in which pipelines of clips leave their latents every `every` steps and after the
 * last, and from which a job with the same request goes on. Whoever has written the result removes it. */
void easel_job_set_checkpoint (EaselJob *self, const char *path, int every);
/* Borrowed path, or NULL; *every may be NULL. Takes a NULL job. */
const char *easel_job_get_checkpoint (EaselJob *self, int *every);

/* Worker's side. easel_job_step: `step` of `steps` of this phase are done, the next one begins; FALSE with CANCELLED
 * set when the person asked to stop. All take a NULL job and do nothing. */
void easel_job_report_phase (EaselJob *self, EaselPhase phase);
gboolean easel_job_step (EaselJob *self, int step, int steps, GError **error);
gboolean easel_job_check (EaselJob *self, GError **error); /* cancelled? between blocks and tiles */
void easel_job_report_preview (EaselJob *self, EaselPicture *preview); /* takes the reference */
gboolean easel_job_wants_preview (EaselJob *self);
void easel_job_set_wants_preview (EaselJob *self, gboolean wants);

/* Engine's side. */

/* What each phase of one picture costs, in any unit; LOADING once a job. `measured`: seconds of an earlier run, so that
 * an ETA can be given from the start. */
typedef struct
{
  double cost[EASEL_N_PHASES];
  gboolean measured;
} EaselJobCosts;

/* QUEUED to RUNNING; FALSE when the job was cancelled before. */
gboolean easel_job_begin (EaselJob *self);
void easel_job_expect (EaselJob *self, const EaselJobCosts *costs, int pictures);
/* Picture i of the series begins; costs are those of one picture. */
void easel_job_report_picture (EaselJob *self, int i);
void easel_job_add_picture (EaselJob *self, EaselPicture *picture); /* takes the reference */
/* Ends the job: DONE with a NULL error, else CANCELLED or FAILED. Takes the error. */
void easel_job_finish (EaselJob *self, GError *error);
/* Seconds spent in each phase by the last picture; LOADING by the job. */
void easel_job_get_measured (EaselJob *self, double seconds[EASEL_N_PHASES]);
/* Blocks until the job has ended. */
void easel_job_wait (EaselJob *self);

G_END_DECLS
