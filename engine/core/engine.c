/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One worker thread takes jobs off a queue. A pipeline is opened when the first job needs it and kept for the next (its
 * weights are in mapped files or on the device). Planning and resolving run on the caller's thread: with the worker's
 * pipeline when it is idle, else with a second one that never loads weights, so that nobody waits for a picture to
 * learn what the next would need.
 */
#include "engine/core/engine.h"

#include "engine/core/devices.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define DEFAULT_MODEL "starter-sana"
#define MAX_HABITS 256

/* An opened model. Its lock is held while anything uses it. */
typedef struct
{
  GMutex lock;
  char *path, *name;
  EaselPipeline *pipeline;
} Slot;

/* What one picture took the last time, for the time left of the next. */
typedef struct
{
  double seconds[EASEL_N_PHASES]; /* DENOISING: one step */
  double pixels;                  /* width * height * frames */
} Habit;

struct _EaselEngine
{
  GObject parent_instance;

  /* Never change */
  GThread *thread;
  int threads;
  char *device_name, *device_kind, *device_note, *cache_folder;
  guint64 card_limit;
  guint64 budget;
  gboolean has_8_bits;

  EaselDevice *device; /* behind both slots' locks */
  Slot working, planning;

  /* Behind the lock */
  GMutex lock;
  GCond wake;
  char **roots;
  GQueue queue;      /* EaselJob, full references */
  EaselJob *running; /* borrowed from the worker */
  gboolean stop, unload;

  /* The worker's */
  GHashTable *habits; /* model path to Habit */
};

G_DEFINE_FINAL_TYPE (EaselEngine, easel_engine, G_TYPE_OBJECT)

/* ---- slots ---- */

static void
slot_clear (Slot *slot)
{
  if (slot->pipeline)
    slot->pipeline->klass->free (slot->pipeline);
  slot->pipeline = NULL;
  g_clear_pointer (&slot->path, g_free);
  g_clear_pointer (&slot->name, g_free);
}

/* Opens `path` unless it is open already. With the slot's lock held. */
static gboolean
slot_open (EaselEngine *self, Slot *slot, const char *path, GError **error)
{
  if (slot->path && !strcmp (slot->path, path))
    return TRUE;
  /* The old model goes first: there may not be room for two. */
  slot_clear (slot);
  if (!self->device)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DEVICE,
                   "The device failed before and could not be opened again. Start Easel again, or choose the CPU.");
      return FALSE;
    }
  g_autoptr (EaselModelFolder) folder = easel_model_folder_open (path, error);
  const EaselPipelineClass *klass
      = folder ? easel_pipeline_class_find (easel_model_folder_pipeline_class (folder), error) : NULL;
  if (!klass)
    return FALSE;
  g_autofree char *name = g_strdup (easel_model_folder_name (folder));
  easel_model_folder_set_cache (folder, self->cache_folder);
  EaselPipeline *pipeline = klass->open (g_steal_pointer (&folder), self->device, error);
  if (!pipeline)
    return FALSE;
  slot->pipeline = pipeline;
  slot->name = g_steal_pointer (&name);
  slot->path = g_strdup (path);
  return TRUE;
}

/* ---- models by name ---- */

/* A folder with a model_index.json, canonical; NULL when it is none. */
static char *
model_at (const char *path)
{
  g_autofree char *index = g_build_filename (path, "model_index.json", NULL);
  return g_file_test (index, G_FILE_TEST_EXISTS) ? g_canonicalize_filename (path, NULL) : NULL;
}

static char **
dup_roots (EaselEngine *self)
{
  g_mutex_lock (&self->lock);
  char **roots = g_strdupv (self->roots);
  g_mutex_unlock (&self->lock);
  return roots;
}

void
easel_engine_set_model_roots (EaselEngine *self, const char *const *roots)
{
  g_mutex_lock (&self->lock);
  g_strfreev (self->roots);
  self->roots = g_strdupv ((char **) roots);
  g_mutex_unlock (&self->lock);
}

char *
easel_engine_find_model (EaselEngine *self, const char *model, GError **error)
{
  const char *name = model && *model ? model : DEFAULT_MODEL;
  char *found = NULL;
  g_auto (GStrv) roots = dup_roots (self);
  if (strlen (name) > 4096)
    name = "";
  if (strchr (name, '/') && (found = model_at (name)))
    return found;
  if (strchr (name, '/') && g_file_test (name, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                   "The folder %s is no model: it has no model_index.json. Name the folder that has one.", name);
      return NULL;
    }
  for (guint i = 0; !g_path_is_absolute (name) && !strstr (name, "..") && roots[i]; i++)
    {
      g_autofree char *path = g_build_filename (roots[i], name, NULL);
      if (*name && (found = model_at (path)))
        return found;
    }
  /* Names of the Hub, in its cache layout or not; and what other tools call a model by the last part of its name. */
  g_autoptr (GPtrArray) list = easel_engine_list_models (self);
  g_autoptr (GString) known = g_string_new (NULL);
  for (guint i = 0; i < list->len; i++)
    {
      const EaselModelInfo *info = list->pdata[i];
      const char *last = strrchr (info->name, '/');
      if (!strcmp (info->name, name) || (last && !strcmp (last + 1, name)))
        return g_strdup (info->path);
      g_string_append_printf (known, "%s%s", i ? ", " : "", info->name);
    }
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "There is no model \"%.200s\". %s%s%s", name,
               list->len ? "Installed are: " : "No models are installed", known->str, ".");
  return NULL;
}

GPtrArray *
easel_engine_list_models (EaselEngine *self)
{
  g_auto (GStrv) roots = dup_roots (self);
  return easel_model_folder_list ((const char *const *) roots);
}

const char *
easel_engine_device_name (EaselEngine *self)
{
  return self->device_name;
}

const char *
easel_engine_device_note (EaselEngine *self)
{
  return self->device_note;
}

guint64
easel_engine_get_memory_budget (EaselEngine *self)
{
  return self->budget;
}

gboolean
easel_engine_has_8_bits (EaselEngine *self)
{
  return self->has_8_bits;
}

EaselDevice *
easel_engine_get_device (EaselEngine *self)
{
  return self->device;
}

/* ---- requests ---- */

/* A seed that a person can type and other tools take. */
static gint64
draw_seed (void)
{
  guint32 bits;
  if (getrandom (&bits, sizeof bits, 0) != sizeof bits)
    bits = (guint32) g_get_real_time ();
  return bits;
}

/* The request with all defaults of its model, a seed and the model's name. With the slot's lock held. */
static EaselRequest *
resolve_in (Slot *slot, EaselRequest *request, GError **error)
{
  EaselRequestSettings settings = *easel_request_settings (request);
  if (settings.seed < 0)
    settings.seed = draw_seed ();
  settings.model = slot->name;
  g_autoptr (EaselRequest) seeded = easel_request_new (&settings, error);
  return seeded ? slot->pipeline->klass->resolve (slot->pipeline, seeded, error) : NULL;
}

/* The i-th of a series: its own seed, a count of one. */
static EaselRequest *
nth_request (EaselRequest *resolved, int i, GError **error)
{
  EaselRequestSettings settings = *easel_request_settings (resolved);
  settings.seed = (gint64) (((guint64) settings.seed + (guint64) i) & G_MAXINT64);
  settings.count = 1;
  return easel_request_new (&settings, error);
}

/* Opens the model of a request in whichever slot is free and returns it locked; NULL with an error. */
static Slot *
borrow_slot (EaselEngine *self, EaselRequest *request, GError **error)
{
  g_autofree char *path = easel_engine_find_model (self, easel_request_settings (request)->model, error);
  if (!path)
    return NULL;
  Slot *slot = &self->working;
  if (!g_mutex_trylock (&slot->lock))
    {
      slot = &self->planning;
      g_mutex_lock (&slot->lock);
    }
  if (slot_open (self, slot, path, error))
    return slot;
  g_mutex_unlock (&slot->lock);
  return NULL;
}

EaselRequest *
easel_engine_resolve (EaselEngine *self, EaselRequest *request, GError **error)
{
  Slot *slot = borrow_slot (self, request, error);
  if (!slot)
    return NULL;
  EaselRequest *resolved = resolve_in (slot, request, error);
  g_mutex_unlock (&slot->lock);
  return resolved;
}

gboolean
easel_engine_rules (EaselEngine *self, const char *model, EaselModelRules *out, GError **error)
{
  EaselRequestSettings settings = EASEL_REQUEST_SETTINGS_INIT;
  settings.model = model;
  g_autoptr (EaselRequest) request = easel_request_new (&settings, error);
  Slot *slot = request ? borrow_slot (self, request, error) : NULL;
  if (!slot)
    return FALSE;
  *out = (EaselModelRules){ 0 };
  slot->pipeline->klass->rules (slot->pipeline, out);
  g_mutex_unlock (&slot->lock);
  return TRUE;
}

gboolean
easel_engine_meter (EaselEngine *self, EaselRequest *request, EaselTokenMeter *out, GError **error)
{
  Slot *slot = borrow_slot (self, request, error);
  if (!slot)
    return FALSE;
  /* Only the prompt is asked about: a size or an input that is still wrong does not matter here. */
  const EaselRequestSettings *s = easel_request_settings (request);
  EaselRequestSettings words = EASEL_REQUEST_SETTINGS_INIT;
  words.model = s->model;
  words.prompt = s->prompt;
  words.max_tokens = s->max_tokens;
  words.human_instruction = s->human_instruction;
  g_autoptr (EaselRequest) asked = easel_request_new (&words, error);
  gboolean fine = asked && slot->pipeline->klass->meter (slot->pipeline, asked, out, error);
  g_mutex_unlock (&slot->lock);
  return fine;
}

gboolean
easel_engine_plan (EaselEngine *self, EaselRequest *request, EaselPlan *out, GError **error)
{
  Slot *slot = borrow_slot (self, request, error);
  if (!slot)
    return FALSE;
  g_autoptr (EaselRequest) resolved = resolve_in (slot, request, error);
  gboolean fine = resolved && easel_pipeline_plan (slot->pipeline, resolved, out, error);
  g_mutex_unlock (&slot->lock);
  return fine;
}

GArray *
easel_engine_plans (EaselEngine *self, EaselRequest *request, GError **error)
{
  Slot *slot = borrow_slot (self, request, error);
  if (!slot)
    return NULL;
  g_autoptr (EaselRequest) resolved = resolve_in (slot, request, error);
  GArray *plans = resolved ? slot->pipeline->klass->plans (slot->pipeline, resolved, error) : NULL;
  g_mutex_unlock (&slot->lock);
  return plans;
}

/* ---- time left ---- */

static double
pixels_of (const EaselRequestSettings *s)
{
  return (double) s->width * s->height * MAX (s->frames, 1);
}

/* What the phases are thought to cost: as measured the last time, else as the plan counts operations, else a guess. */
static EaselJobCosts
expect_costs (EaselEngine *self, EaselRequest *resolved)
{
  const EaselRequestSettings *s = easel_request_settings (resolved);
  EaselJobCosts costs = { 0 };
  double steps = MAX (s->steps, 1);
  const Habit *habit = g_hash_table_lookup (self->habits, self->working.path);
  if (habit)
    {
      double scale = habit->pixels > 0 ? pixels_of (s) / habit->pixels : 1;
      costs.measured = TRUE;
      costs.cost[EASEL_PHASE_ENCODING_TEXT] = habit->seconds[EASEL_PHASE_ENCODING_TEXT];
      costs.cost[EASEL_PHASE_DENOISING] = habit->seconds[EASEL_PHASE_DENOISING] * scale * steps;
      costs.cost[EASEL_PHASE_DECODING] = habit->seconds[EASEL_PHASE_DECODING] * scale;
      return costs;
    }
  EaselPlan plan = { 0 };
  EaselPipeline *pipeline = self->working.pipeline;
  if (easel_pipeline_plan (pipeline, resolved, &plan, NULL) && plan.step_flops > 0)
    {
      costs.cost[EASEL_PHASE_ENCODING_TEXT] = plan.encode_flops;
      costs.cost[EASEL_PHASE_DENOISING] = plan.step_flops * steps;
      costs.cost[EASEL_PHASE_DECODING] = plan.decode_flops;
    }
  else
    {
      costs.cost[EASEL_PHASE_ENCODING_TEXT] = 2;
      costs.cost[EASEL_PHASE_DENOISING] = steps;
      costs.cost[EASEL_PHASE_DECODING] = 3;
    }
  easel_plan_clear (&plan);
  return costs;
}

static void
remember_costs (EaselEngine *self, EaselJob *job, EaselRequest *resolved)
{
  const EaselRequestSettings *s = easel_request_settings (resolved);
  if (g_hash_table_size (self->habits) > MAX_HABITS)
    g_hash_table_remove_all (self->habits);
  Habit *habit = g_new0 (Habit, 1);
  const Habit *before = g_hash_table_lookup (self->habits, self->working.path);
  easel_job_get_measured (job, habit->seconds);
  /* Pipelines remember the words of the last pictures; a text that cost next to nothing says nothing of the next. */
  if (before && habit->seconds[EASEL_PHASE_ENCODING_TEXT] < before->seconds[EASEL_PHASE_ENCODING_TEXT] / 4)
    habit->seconds[EASEL_PHASE_ENCODING_TEXT] = before->seconds[EASEL_PHASE_ENCODING_TEXT];
  habit->seconds[EASEL_PHASE_DENOISING] /= MAX (s->steps, 1);
  habit->pixels = pixels_of (s);
  g_hash_table_insert (self->habits, g_strdup (self->working.path), habit);
}

/* ---- the worker ---- */

/* One request to its pictures. With the working slot's lock held. */
static gboolean
make_pictures (EaselEngine *self, EaselJob *job, GError **error)
{
  EaselRequest *request = easel_job_get_request (job);
  /* 1. The model, opened or still open. */
  easel_job_report_phase (job, EASEL_PHASE_LOADING);
  g_autofree char *path = easel_engine_find_model (self, easel_request_settings (request)->model, error);
  if (!path || !slot_open (self, &self->working, path, error))
    return FALSE;

  /* 2. Every setting. */
  g_autoptr (EaselRequest) resolved = resolve_in (&self->working, request, error);
  if (!resolved)
    return FALSE;
  int count = easel_request_settings (resolved)->count;
  EaselJobCosts costs = expect_costs (self, resolved);
  easel_job_expect (job, &costs, count);

  /* 3. Picture after picture; picture i has the seed + i. */
  for (int i = 0; i < count; i++)
    {
      g_autoptr (EaselRequest) one = nth_request (resolved, i, error);
      EaselPicture *picture = NULL;
      if (!one || !easel_job_check (job, error))
        return FALSE;
      easel_job_report_picture (job, i);
      EaselPipeline *pipeline = self->working.pipeline;
      if (!pipeline->klass->run (pipeline, one, job, &picture, error))
        return FALSE;
      if (!picture->request)
        picture->request = easel_request_ref (one);
      easel_job_add_picture (job, picture);
      remember_costs (self, job, one);
      if (easel_job_ends_early (job))
        break;
    }
  return TRUE;
}

/* A failed device is opened again, so that the next job has a chance. With the working slot's lock held. */
static void
reopen_device (EaselEngine *self)
{
  g_mutex_lock (&self->planning.lock);
  slot_clear (&self->planning);
  easel_device_close (&self->device);
  self->device = easel_devices_open (self->device_kind, self->threads, self->card_limit, NULL, NULL);
  g_mutex_unlock (&self->planning.lock);
}

static void
run_job (EaselEngine *self, EaselJob *job)
{
  GError *error = NULL;
  if (!easel_job_begin (job))
    return;
  g_mutex_lock (&self->working.lock);
  if (!make_pictures (self, job, &error))
    {
      if (!error)
        error = g_error_new_literal (EASEL_ERROR, EASEL_ERROR_FAILED, "The picture failed without saying why.");
      gboolean keep = g_error_matches (error, EASEL_ERROR, EASEL_ERROR_CANCELLED)
                      || g_error_matches (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
      /* After a real failure nothing is kept: memory is given back, damaged files are read again. */
      if (!keep)
        slot_clear (&self->working);
      if (g_error_matches (error, EASEL_ERROR, EASEL_ERROR_DEVICE) && self->device)
        reopen_device (self);
    }
  g_mutex_unlock (&self->working.lock);
  easel_job_finish (job, error);
}

static void
unload_slots (EaselEngine *self)
{
  g_mutex_lock (&self->working.lock);
  slot_clear (&self->working);
  g_mutex_unlock (&self->working.lock);
  g_mutex_lock (&self->planning.lock);
  slot_clear (&self->planning);
  g_mutex_unlock (&self->planning.lock);
}

static gpointer
worker (gpointer data)
{
  EaselEngine *self = data; /* not a reference: dispose joins this thread */
  g_mutex_lock (&self->lock);
  while (!self->stop)
    {
      if (self->unload)
        {
          self->unload = FALSE;
          g_mutex_unlock (&self->lock);
          unload_slots (self);
          g_mutex_lock (&self->lock);
          continue;
        }
      EaselJob *job = g_queue_pop_head (&self->queue);
      if (!job)
        {
          g_cond_wait (&self->wake, &self->lock);
          continue;
        }
      self->running = job;
      g_mutex_unlock (&self->lock);
      run_job (self, job);
      g_mutex_lock (&self->lock);
      self->running = NULL;
      g_mutex_unlock (&self->lock);
      /* Outside the lock: the last reference may call back into the engine. */
      g_object_unref (job);
      g_mutex_lock (&self->lock);
    }
  g_mutex_unlock (&self->lock);
  return NULL;
}

/* ---- the queue ---- */

void
easel_engine_submit_job (EaselEngine *self, EaselJob *job)
{
  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->queue, g_object_ref (job));
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
}

EaselJob *
easel_engine_submit (EaselEngine *self, EaselRequest *request)
{
  EaselJob *job = easel_job_new (request);
  easel_engine_submit_job (self, job);
  return job;
}

void
easel_engine_wait (EaselEngine *self G_GNUC_UNUSED, EaselJob *job)
{
  easel_job_wait (job);
}

guint
easel_engine_queue_length (EaselEngine *self)
{
  g_mutex_lock (&self->lock);
  guint length = g_queue_get_length (&self->queue) + (self->running ? 1 : 0);
  g_mutex_unlock (&self->lock);
  return length;
}

void
easel_engine_unload (EaselEngine *self)
{
  g_mutex_lock (&self->lock);
  self->unload = TRUE;
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
}

/* ---- GObject ---- */

/* Cancels everything and waits for the worker. */
static void
easel_engine_dispose (GObject *object)
{
  EaselEngine *self = EASEL_ENGINE (object);
  if (self->thread)
    {
      EaselJob *job;
      g_mutex_lock (&self->lock);
      self->stop = TRUE;
      if (self->running)
        easel_job_cancel (self->running);
      GQueue queue = self->queue;
      g_queue_init (&self->queue);
      g_cond_signal (&self->wake);
      g_mutex_unlock (&self->lock);
      while ((job = g_queue_pop_head (&queue)))
        {
          easel_job_cancel (job);
          g_object_unref (job);
        }
      g_thread_join (g_steal_pointer (&self->thread));
    }
  G_OBJECT_CLASS (easel_engine_parent_class)->dispose (object);
}

static void
easel_engine_finalize (GObject *object)
{
  EaselEngine *self = EASEL_ENGINE (object);
  slot_clear (&self->working);
  slot_clear (&self->planning);
  if (self->device)
    easel_device_close (&self->device);
  g_hash_table_unref (self->habits);
  g_strfreev (self->roots);
  g_free (self->device_name);
  g_free (self->device_kind);
  g_free (self->device_note);
  g_free (self->cache_folder);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->working.lock);
  g_mutex_clear (&self->planning.lock);
  g_cond_clear (&self->wake);
  G_OBJECT_CLASS (easel_engine_parent_class)->finalize (object);
}

static void
easel_engine_class_init (EaselEngineClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = easel_engine_dispose;
  G_OBJECT_CLASS (klass)->finalize = easel_engine_finalize;
}

static void
easel_engine_init (EaselEngine *self)
{
  g_mutex_init (&self->lock);
  g_mutex_init (&self->working.lock);
  g_mutex_init (&self->planning.lock);
  g_cond_init (&self->wake);
  g_queue_init (&self->queue);
  self->habits = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

/* Of the machine's memory, where that is the device's. A quarter of it can be used whatever was asked for. */
static void
leave_free (EaselDevice *device, guint64 bytes)
{
  const long pages = sysconf (_SC_PHYS_PAGES), size = sysconf (_SC_PAGESIZE);
  const guint64 total = pages > 0 && size > 0 ? (guint64) pages * (guint64) size : 0;
  if (bytes > 0 && total > 0 && device->maps_weights)
    device->memory_limit = device->memory_used + MAX (total / 4, total - MIN (total, bytes));
}

EaselEngine *
easel_engine_new (const EaselEngineSettings *settings, GError **error)
{
  char *note = NULL;
  EaselDevice *device
      = easel_devices_open (settings->device, settings->threads, settings->card_limit, &note, error);
  if (!device)
    return NULL;
  leave_free (device, settings->leave_free);
  EaselEngine *self = g_object_new (EASEL_TYPE_ENGINE, NULL);
  self->device = device;
  self->device_name = g_strdup (device->name);
  self->device_note = note;
  /* What is opened again after a fault is what was opened, not what "auto" would choose then. */
  self->device_kind = g_strdup (!strcmp (device->backend->kind, "cpu") ? "cpu"
                                : settings->device && g_str_has_prefix (settings->device, "cuda") ? settings->device
                                                                                                 : "cuda");
  self->card_limit = settings->card_limit;
  self->cache_folder = g_strdup (settings->cache_folder);
  self->budget = easel_plan_budget (device, device->memory_used);
  self->has_8_bits = device->product_dtypes != 0;
  self->threads = settings->threads;
  self->roots = settings->model_roots ? g_strdupv ((char **) settings->model_roots) : g_new0 (char *, 1);
  self->thread = g_thread_new ("easel-engine", worker, self);
  return self;
}
