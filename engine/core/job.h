/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselJob: one request on its way. A GObject with properties that widgets bind to:
 *
 *   state      EaselJobState      phase     EaselPhase       progress   double 0..1 over the whole job
 *   step       int, of `steps`    eta       double seconds, -1 unknown
 *   preview    EaselPicture (boxed) or NULL                  error      GError or NULL
 *   result     GPtrArray of EaselPicture, when done
 *
 * Threads: the worker writes through easel_job_report_*(); properties change and `notify` is emitted only in the main
 * context the job was created in (coalesced: at most one idle source is pending per job). easel_job_cancel() and
 * easel_job_is_cancelled() are safe from any thread. With no main loop running (easel-cli, tests) use
 * easel_job_set_observer(), called on the worker's thread.
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
} EaselPhase;

#define EASEL_TYPE_JOB (easel_job_get_type ())
G_DECLARE_FINAL_TYPE (EaselJob, easel_job, EASEL, JOB, GObject)

EaselJob *easel_job_new (EaselRequest *request);
EaselRequest *easel_job_get_request (EaselJob *self);
EaselJobState easel_job_get_state (EaselJob *self);
EaselPhase easel_job_get_phase (EaselJob *self);
/* Borrowed; NULL unless failed or cancelled. */
const GError *easel_job_get_error (EaselJob *self);
/* Borrowed array of EaselPicture; NULL unless done. */
GPtrArray *easel_job_get_pictures (EaselJob *self);

/* Any thread; takes effect within one step, one transformer block or one tile. */
void easel_job_cancel (EaselJob *self);
gboolean easel_job_is_cancelled (EaselJob *self);

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
/* Before the job is queued. Called on the worker's thread at every report. */
void easel_job_set_observer (EaselJob *self, EaselJobObserver observer, gpointer user_data);

/* Worker's side. easel_job_step: FALSE with CANCELLED set when the person asked to stop. */
void easel_job_report_phase (EaselJob *self, EaselPhase phase);
gboolean easel_job_step (EaselJob *self, int step, int steps, GError **error);
gboolean easel_job_check (EaselJob *self, GError **error); /* cancelled? between blocks and tiles */
void easel_job_report_preview (EaselJob *self, EaselPicture *preview); /* takes the reference */
gboolean easel_job_wants_preview (EaselJob *self);
void easel_job_set_wants_preview (EaselJob *self, gboolean wants);

G_END_DECLS
