/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Everything the worker writes lies behind one lock. A report, when none is pending, attaches an idle source to the
 * context the job was created in; that source compares what was announced last with what is there and notifies the
 * difference. The source holds the job weakly: where no loop runs (easel-cli) it never fires, and must not keep the
 * job alive.
 */
#include "engine/core/job.h"

#define N_RECENT 8 /* steps whose mean duration predicts the next */

enum
{
  PROP_0,
  PROP_STATE,
  PROP_PHASE,
  PROP_PROGRESS,
  PROP_STEP,
  PROP_STEPS,
  PROP_ETA,
  PROP_ELAPSED,
  PROP_PICTURE,
  PROP_PICTURES,
  PROP_PREVIEW,
  PROP_ERROR,
  PROP_RESULT,
  PROP_REQUEST,
  N_PROPS
};

struct _EaselJob
{
  GObject parent_instance;

  /* Never change */
  EaselRequest *request;
  GMainContext *context;
  EaselJobObserver observer;
  gpointer observer_data;
  char *checkpoint;
  int checkpoint_every;

  /* Any thread, atomic */
  gint cancelled;
  gint ends_early;
  gint wants_preview;

  /* Behind the lock */
  GMutex lock;
  GCond ended;
  gboolean told;   /* the observer has heard of the end */
  GSource *source; /* pending, or NULL */
  EaselProgress now;
  EaselPicture *preview;
  GPtrArray *pictures; /* replaced, never changed */
  GError *error;
  EaselJobCosts costs;
  EaselPhase reached;                          /* the furthest of this picture; models load in between */
  gint64 started, phase_started, step_started; /* monotonic, microseconds */
  double seconds[EASEL_N_PHASES];              /* of finished phases of this picture */
  double recent[N_RECENT];                     /* seconds of the latest steps */
  guint n_recent;

  /* The main context's: what was announced */
  EaselProgress shown;
  EaselPicture *shown_preview;
  GPtrArray *shown_pictures;
  gboolean shown_error;
};

G_DEFINE_FINAL_TYPE (EaselJob, easel_job, G_TYPE_OBJECT)

static GParamSpec *const *job_properties (void);

/* ---- enumerations for properties ---- */

GType
easel_job_state_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { EASEL_JOB_QUEUED, "EASEL_JOB_QUEUED", "queued" },
    { EASEL_JOB_RUNNING, "EASEL_JOB_RUNNING", "running" },
    { EASEL_JOB_DONE, "EASEL_JOB_DONE", "done" },
    { EASEL_JOB_CANCELLED, "EASEL_JOB_CANCELLED", "cancelled" },
    { EASEL_JOB_FAILED, "EASEL_JOB_FAILED", "failed" },
    { 0 },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("EaselJobState", values));
  return type;
}

GType
easel_phase_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { EASEL_PHASE_WAITING, "EASEL_PHASE_WAITING", "waiting" },
    { EASEL_PHASE_LOADING, "EASEL_PHASE_LOADING", "loading" },
    { EASEL_PHASE_ENCODING_TEXT, "EASEL_PHASE_ENCODING_TEXT", "encoding-text" },
    { EASEL_PHASE_DENOISING, "EASEL_PHASE_DENOISING", "denoising" },
    { EASEL_PHASE_DECODING, "EASEL_PHASE_DECODING", "decoding" },
    { EASEL_PHASE_SAVING, "EASEL_PHASE_SAVING", "saving" },
    { 0 },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("EaselPhase", values));
  return type;
}

/* ---- progress and time left; all with the lock held ---- */

static gboolean
is_over (EaselJobState state)
{
  return state >= EASEL_JOB_DONE;
}

static double
seconds_since (gint64 then)
{
  return (double) (g_get_monotonic_time () - then) / 1e6;
}

/* How much of the current phase is done, by its steps. */
static double
phase_fraction_locked (EaselJob *self)
{
  return self->now.steps > 0 ? (double) self->now.step / self->now.steps : 0;
}

/* Cost of a whole picture, and of what is done of it. */
static double
picture_cost_locked (EaselJob *self, double *done)
{
  double total = 0;
  *done = 0;
  for (int phase = EASEL_PHASE_ENCODING_TEXT; phase < EASEL_N_PHASES; phase++)
    {
      double cost = self->costs.cost[phase];
      total += cost;
      if (phase < (int) self->reached || (phase == (int) self->reached && self->now.phase != self->reached))
        *done += cost;
      else if (phase == (int) self->reached)
        *done += cost * phase_fraction_locked (self);
    }
  return total;
}

/* Seconds a unit of cost takes; 0: unknown. Steps say it best; else the text encoder; else an earlier run. */
static double
rate_locked (EaselJob *self)
{
  double denoising = self->costs.cost[EASEL_PHASE_DENOISING];
  if (self->n_recent > 0 && self->now.phase == EASEL_PHASE_DENOISING && self->now.steps > 0 && denoising > 0)
    {
      double sum = 0;
      guint n = MIN (self->n_recent, N_RECENT);
      for (guint i = 0; i < n; i++)
        sum += self->recent[i];
      return sum / n / (denoising / self->now.steps);
    }
  double seconds = 0, cost = 0;
  for (int phase = EASEL_PHASE_ENCODING_TEXT; phase < EASEL_N_PHASES; phase++)
    if (self->seconds[phase] > 0 && self->costs.cost[phase] > 0)
      {
        seconds += self->seconds[phase];
        cost += self->costs.cost[phase];
      }
  if (cost > 0)
    return seconds / cost;
  return self->costs.measured ? 1.0 : 0.0;
}

static void
update_locked (EaselJob *self)
{
  EaselProgress *now = &self->now;
  if (now->state == EASEL_JOB_QUEUED)
    return;
  now->elapsed = self->started ? seconds_since (self->started) : 0;
  if (is_over (now->state))
    {
      now->eta = 0;
      now->progress = now->state == EASEL_JOB_DONE ? 1 : now->progress;
      return;
    }
  double done, picture = picture_cost_locked (self, &done);
  double loading = self->costs.cost[EASEL_PHASE_LOADING];
  double total = loading + picture * now->pictures;
  done += picture * now->picture + (self->reached > EASEL_PHASE_LOADING || now->picture > 0 ? loading : 0);
  if (total > 0)
    now->progress = CLAMP (done / total, now->progress, 1);
  double rate = rate_locked (self);
  /* The part of the running step or phase that has passed is taken off, but no more than it was thought to take. */
  now->eta = rate > 0 && total > 0 ? (total - done) * rate : -1;
  if (now->eta >= 0 && self->step_started)
    {
      double cost = self->costs.cost[now->phase] / MAX (now->steps, 1);
      now->eta = MAX (now->eta - MIN (seconds_since (self->step_started), cost * rate), 0);
    }
}

/* ---- telling ---- */

static gboolean
announce_cb (gpointer data)
{
  g_autoptr (EaselJob) self = g_weak_ref_get (data);
  gboolean changed[N_PROPS] = { FALSE };
  if (!self)
    return G_SOURCE_REMOVE;
  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->source, g_source_unref);
  update_locked (self);
  const EaselProgress *now = &self->now, *shown = &self->shown;
  changed[PROP_STATE] = now->state != shown->state;
  changed[PROP_PHASE] = now->phase != shown->phase;
  changed[PROP_PROGRESS] = now->progress != shown->progress;
  changed[PROP_STEP] = now->step != shown->step;
  changed[PROP_STEPS] = now->steps != shown->steps;
  changed[PROP_ETA] = now->eta != shown->eta;
  changed[PROP_ELAPSED] = now->elapsed != shown->elapsed;
  changed[PROP_PICTURE] = now->picture != shown->picture;
  changed[PROP_PICTURES] = now->pictures != shown->pictures;
  changed[PROP_PREVIEW] = self->preview != self->shown_preview;
  changed[PROP_RESULT] = self->pictures != self->shown_pictures;
  changed[PROP_ERROR] = (self->error != NULL) != self->shown_error;
  self->shown = *now;
  /* References, so that a new picture at an old address is seen as new. */
  EaselPicture *old_preview = self->shown_preview;
  GPtrArray *old_pictures = self->shown_pictures;
  self->shown_preview = self->preview ? easel_picture_ref (self->preview) : NULL;
  self->shown_pictures = self->pictures ? g_ptr_array_ref (self->pictures) : NULL;
  self->shown_error = self->error != NULL;
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&old_preview, easel_picture_unref);
  g_clear_pointer (&old_pictures, g_ptr_array_unref);
  /* The state last: whoever waits for the end finds everything in place. */
  for (int i = N_PROPS - 1; i > PROP_0; i--)
    if (changed[i])
      g_object_notify_by_pspec (G_OBJECT (self), job_properties ()[i]);
  return G_SOURCE_REMOVE;
}

static void
free_weak_ref (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

static void
announce_locked (EaselJob *self)
{
  if (self->source)
    return;
  GWeakRef *ref = g_new0 (GWeakRef, 1);
  g_weak_ref_init (ref, self);
  self->source = g_idle_source_new ();
  g_source_set_priority (self->source, G_PRIORITY_DEFAULT);
  g_source_set_callback (self->source, announce_cb, ref, free_weak_ref);
  g_source_attach (self->source, self->context);
}

/* Brings the numbers up to date, wakes the main context, tells the observer. Unlocks. */
static void
report_and_unlock (EaselJob *self)
{
  update_locked (self);
  EaselProgress progress = self->now;
  announce_locked (self);
  g_mutex_unlock (&self->lock);
  if (self->observer)
    self->observer (self, &progress, self->observer_data);
  if (!is_over (progress.state))
    return;
  /* Only now may waiters go: what the observer writes to is often theirs. */
  g_mutex_lock (&self->lock);
  self->told = TRUE;
  g_cond_broadcast (&self->ended);
  g_mutex_unlock (&self->lock);
}

/* ---- the worker's side ---- */

static void
close_phase_locked (EaselJob *self)
{
  if (self->phase_started)
    self->seconds[self->now.phase] += seconds_since (self->phase_started);
  self->phase_started = 0;
  self->step_started = 0;
}

void
easel_job_report_phase (EaselJob *self, EaselPhase phase)
{
  if (!self)
    return;
  g_mutex_lock (&self->lock);
  close_phase_locked (self);
  self->now.phase = phase;
  self->reached = MAX (self->reached, phase);
  self->now.step = self->now.steps = 0;
  self->phase_started = self->step_started = g_get_monotonic_time ();
  self->n_recent = 0;
  report_and_unlock (self);
}

gboolean
easel_job_step (EaselJob *self, int step, int steps, GError **error)
{
  if (!self)
    return TRUE;
  if (!easel_job_check (self, error))
    return FALSE;
  g_mutex_lock (&self->lock);
  if (step > self->now.step && self->step_started && self->now.phase == EASEL_PHASE_DENOISING)
    self->recent[self->n_recent++ % N_RECENT] = seconds_since (self->step_started) / (step - self->now.step);
  self->step_started = g_get_monotonic_time ();
  self->now.step = step;
  self->now.steps = steps;
  report_and_unlock (self);
  return TRUE;
}

gboolean
easel_job_check (EaselJob *self, GError **error)
{
  if (!self || !easel_job_is_cancelled (self))
    return TRUE;
  g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_CANCELLED, "Cancelled.");
  return FALSE;
}

void
easel_job_report_preview (EaselJob *self, EaselPicture *preview)
{
  if (!self)
    {
      g_clear_pointer (&preview, easel_picture_unref);
      return;
    }
  g_mutex_lock (&self->lock);
  EaselPicture *old = self->preview;
  self->preview = preview;
  announce_locked (self);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&old, easel_picture_unref);
}

gboolean
easel_job_wants_preview (EaselJob *self)
{
  return self && g_atomic_int_get (&self->wants_preview);
}

void
easel_job_set_wants_preview (EaselJob *self, gboolean wants)
{
  g_atomic_int_set (&self->wants_preview, wants != FALSE);
}

/* ---- the engine's side ---- */

gboolean
easel_job_begin (EaselJob *self)
{
  g_mutex_lock (&self->lock);
  if (self->now.state != EASEL_JOB_QUEUED)
    {
      g_mutex_unlock (&self->lock);
      return FALSE;
    }
  self->now.state = EASEL_JOB_RUNNING;
  self->started = g_get_monotonic_time ();
  report_and_unlock (self);
  return TRUE;
}

void
easel_job_expect (EaselJob *self, const EaselJobCosts *costs, int pictures)
{
  g_mutex_lock (&self->lock);
  self->costs = *costs;
  self->now.pictures = pictures;
  report_and_unlock (self);
}

void
easel_job_report_picture (EaselJob *self, int i)
{
  g_mutex_lock (&self->lock);
  close_phase_locked (self);
  for (int phase = EASEL_PHASE_ENCODING_TEXT; phase < EASEL_N_PHASES; phase++)
    self->seconds[phase] = 0;
  self->now.picture = i;
  self->now.phase = self->reached = EASEL_PHASE_LOADING;
  self->now.step = self->now.steps = 0;
  report_and_unlock (self);
}

void
easel_job_add_picture (EaselJob *self, EaselPicture *picture)
{
  GPtrArray *pictures = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_picture_unref);
  g_mutex_lock (&self->lock);
  close_phase_locked (self);
  for (guint i = 0; self->pictures && i < self->pictures->len; i++)
    g_ptr_array_add (pictures, easel_picture_ref (self->pictures->pdata[i]));
  g_ptr_array_add (pictures, picture);
  GPtrArray *old = self->pictures;
  self->pictures = pictures;
  report_and_unlock (self);
  g_clear_pointer (&old, g_ptr_array_unref);
}

void
easel_job_finish (EaselJob *self, GError *error)
{
  g_mutex_lock (&self->lock);
  close_phase_locked (self);
  self->now.state = !error                                                              ? EASEL_JOB_DONE
                    : g_error_matches (error, EASEL_ERROR, EASEL_ERROR_CANCELLED) ? EASEL_JOB_CANCELLED
                                                                                        : EASEL_JOB_FAILED;
  self->error = error;
  EaselPicture *preview = g_steal_pointer (&self->preview);
  report_and_unlock (self);
  g_clear_pointer (&preview, easel_picture_unref);
}

void
easel_job_get_measured (EaselJob *self, double seconds[EASEL_N_PHASES])
{
  g_mutex_lock (&self->lock);
  for (int phase = 0; phase < EASEL_N_PHASES; phase++)
    seconds[phase] = self->seconds[phase];
  g_mutex_unlock (&self->lock);
}

void
easel_job_wait (EaselJob *self)
{
  g_mutex_lock (&self->lock);
  while (!self->told)
    g_cond_wait (&self->ended, &self->lock);
  g_mutex_unlock (&self->lock);
}

/* ---- anybody's side ---- */

void
easel_job_cancel (EaselJob *self)
{
  g_atomic_int_set (&self->cancelled, TRUE);
  g_mutex_lock (&self->lock);
  if (self->now.state != EASEL_JOB_QUEUED)
    {
      g_mutex_unlock (&self->lock);
      return;
    }
  /* The worker will pass it by; nobody has to wait for that. */
  self->now.state = EASEL_JOB_CANCELLED;
  self->error = g_error_new_literal (EASEL_ERROR, EASEL_ERROR_CANCELLED, "Cancelled.");
  report_and_unlock (self);
}

void
easel_job_finish_early (EaselJob *self)
{
  g_atomic_int_set (&self->ends_early, TRUE);
}

gboolean
easel_job_ends_early (EaselJob *self)
{
  return self && g_atomic_int_get (&self->ends_early);
}

gboolean
easel_job_is_cancelled (EaselJob *self)
{
  return g_atomic_int_get (&self->cancelled);
}

void
easel_job_set_observer (EaselJob *self, EaselJobObserver observer, gpointer user_data)
{
  self->observer = observer;
  self->observer_data = user_data;
}

void
easel_job_set_checkpoint (EaselJob *self, const char *path, int every)
{
  g_free (self->checkpoint);
  self->checkpoint = g_strdup (path);
  self->checkpoint_every = MAX (every, 1);
}

const char *
easel_job_get_checkpoint (EaselJob *self, int *every)
{
  if (self && every)
    *every = self->checkpoint_every;
  return self ? self->checkpoint : NULL;
}

EaselProgress
easel_job_get_progress (EaselJob *self)
{
  g_mutex_lock (&self->lock);
  update_locked (self);
  EaselProgress progress = self->now;
  g_mutex_unlock (&self->lock);
  return progress;
}

EaselRequest *
easel_job_get_request (EaselJob *self)
{
  return self->request;
}

EaselJobState
easel_job_get_state (EaselJob *self)
{
  return easel_job_get_progress (self).state;
}

EaselPhase
easel_job_get_phase (EaselJob *self)
{
  return easel_job_get_progress (self).phase;
}

const GError *
easel_job_get_error (EaselJob *self)
{
  g_mutex_lock (&self->lock);
  const GError *error = self->error; /* set once */
  g_mutex_unlock (&self->lock);
  return error;
}

GPtrArray *
easel_job_get_pictures (EaselJob *self)
{
  g_mutex_lock (&self->lock);
  GPtrArray *pictures = is_over (self->now.state) ? self->pictures : NULL;
  g_mutex_unlock (&self->lock);
  return pictures;
}

GPtrArray *
easel_job_dup_pictures (EaselJob *self)
{
  g_mutex_lock (&self->lock);
  GPtrArray *pictures = self->pictures ? g_ptr_array_ref (self->pictures) : NULL;
  g_mutex_unlock (&self->lock);
  return pictures;
}

GPtrArray *
easel_job_take_pictures (EaselJob *self)
{
  g_mutex_lock (&self->lock);
  GPtrArray *pictures = g_steal_pointer (&self->pictures);
  g_mutex_unlock (&self->lock);
  return pictures;
}

/* ---- GObject ---- */

static void
easel_job_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  EaselJob *self = EASEL_JOB (object);
  g_mutex_lock (&self->lock);
  const EaselProgress *now = &self->now;
  switch (id)
    {
    case PROP_STATE:
      g_value_set_enum (value, (gint) now->state);
      break;
    case PROP_PHASE:
      g_value_set_enum (value, (gint) now->phase);
      break;
    case PROP_PROGRESS:
      g_value_set_double (value, now->progress);
      break;
    case PROP_STEP:
      g_value_set_int (value, now->step);
      break;
    case PROP_STEPS:
      g_value_set_int (value, now->steps);
      break;
    case PROP_ETA:
      g_value_set_double (value, now->eta);
      break;
    case PROP_ELAPSED:
      g_value_set_double (value, now->elapsed);
      break;
    case PROP_PICTURE:
      g_value_set_int (value, now->picture);
      break;
    case PROP_PICTURES:
      g_value_set_int (value, now->pictures);
      break;
    case PROP_PREVIEW:
      g_value_set_boxed (value, self->preview);
      break;
    case PROP_ERROR:
      g_value_set_boxed (value, self->error);
      break;
    case PROP_RESULT:
      g_value_set_boxed (value, self->pictures);
      break;
    case PROP_REQUEST:
      g_value_set_pointer (value, self->request);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
  g_mutex_unlock (&self->lock);
}

static void
easel_job_dispose (GObject *object)
{
  EaselJob *self = EASEL_JOB (object);
  g_mutex_lock (&self->lock);
  GSource *source = g_steal_pointer (&self->source);
  g_mutex_unlock (&self->lock);
  if (source)
    {
      g_source_destroy (source);
      g_source_unref (source);
    }
  G_OBJECT_CLASS (easel_job_parent_class)->dispose (object);
}

static void
easel_job_finalize (GObject *object)
{
  EaselJob *self = EASEL_JOB (object);
  g_clear_pointer (&self->request, easel_request_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_free (self->checkpoint);
  g_clear_pointer (&self->preview, easel_picture_unref);
  g_clear_pointer (&self->shown_preview, easel_picture_unref);
  g_clear_pointer (&self->pictures, g_ptr_array_unref);
  g_clear_pointer (&self->shown_pictures, g_ptr_array_unref);
  g_clear_error (&self->error);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->ended);
  G_OBJECT_CLASS (easel_job_parent_class)->finalize (object);
}

static GParamSpec *const *
job_properties (void)
{
  static gsize ready = 0;
  static GParamSpec *properties[N_PROPS];
  if (g_once_init_enter (&ready))
    {
      const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
      properties[PROP_STATE]
          = g_param_spec_enum ("state", NULL, NULL, EASEL_TYPE_JOB_STATE, EASEL_JOB_QUEUED, flags);
      properties[PROP_PHASE] = g_param_spec_enum ("phase", NULL, NULL, EASEL_TYPE_PHASE, EASEL_PHASE_WAITING, flags);
      properties[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, 0, 1, 0, flags);
      properties[PROP_STEP] = g_param_spec_int ("step", NULL, NULL, 0, G_MAXINT, 0, flags);
      properties[PROP_STEPS] = g_param_spec_int ("steps", NULL, NULL, 0, G_MAXINT, 0, flags);
      properties[PROP_ETA] = g_param_spec_double ("eta", NULL, NULL, -1, G_MAXDOUBLE, -1, flags);
      properties[PROP_ELAPSED] = g_param_spec_double ("elapsed", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);
      properties[PROP_PICTURE] = g_param_spec_int ("picture", NULL, NULL, 0, G_MAXINT, 0, flags);
      properties[PROP_PICTURES] = g_param_spec_int ("pictures", NULL, NULL, 0, G_MAXINT, 0, flags);
      properties[PROP_PREVIEW] = g_param_spec_boxed ("preview", NULL, NULL, EASEL_TYPE_PICTURE, flags);
      properties[PROP_ERROR] = g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, flags);
      properties[PROP_RESULT] = g_param_spec_boxed ("result", NULL, NULL, G_TYPE_PTR_ARRAY, flags);
      properties[PROP_REQUEST] = g_param_spec_pointer ("request", NULL, NULL, flags);
      g_once_init_leave (&ready, 1);
    }
  return properties;
}

static void
easel_job_class_init (EaselJobClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = easel_job_get_property;
  object_class->dispose = easel_job_dispose;
  object_class->finalize = easel_job_finalize;
  g_object_class_install_properties (object_class, N_PROPS, (GParamSpec **) job_properties ());
}

static void
easel_job_init (EaselJob *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->ended);
  self->context = g_main_context_ref_thread_default ();
  self->now.eta = -1;
  self->now.pictures = 1;
  self->shown = self->now;
}

EaselJob *
easel_job_new (EaselRequest *request)
{
  EaselJob *self = g_object_new (EASEL_TYPE_JOB, NULL);
  self->request = easel_request_ref (request);
  self->now.pictures = self->shown.pictures = easel_request_settings (request)->count;
  return self;
}
