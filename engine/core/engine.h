/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselEngine: one worker thread, the device, the loaded models, the queue. ui and app talk to this and to jobs only.
 */
#pragma once

#include "engine/core/job.h"
#include "engine/core/pipeline.h"

G_BEGIN_DECLS

#define EASEL_TYPE_ENGINE (easel_engine_get_type ())
G_DECLARE_FINAL_TYPE (EaselEngine, easel_engine, EASEL, ENGINE, GObject)

typedef struct
{
  const char *const *model_roots; /* NULL-terminated folders that hold model folders; first wins */
  const char *device;             /* "cpu", "cuda", "cuda:1"; NULL or "auto": a card when one can be used */
  int threads;                    /* CPU; 0: one per core */
  guint64 card_limit;             /* bytes of a card that may be used; 0: what is free */
  const char *cache_folder;       /* for weights converted to 8 bits; NULL: they are converted each time */
  guint64 leave_free;             /* bytes of the machine's memory that jobs leave to other programs; 0: the usual */
} EaselEngineSettings;

/* Starts the thread. UNSUPPORTED or DEVICE when the device asked for is not there; NO_MEMORY. Dropping the last
 * reference cancels what is queued and running and waits for the worker: not from a job's observer. */
EaselEngine *easel_engine_new (const EaselEngineSettings *settings, GError **error);

/* Queues; returns the job (full reference). Any thread. Problems with the request appear as the job's error. */
EaselJob *easel_engine_submit (EaselEngine *self, EaselRequest *request);
/* The same for a job made by the caller (with an observer). */
void easel_engine_submit_job (EaselEngine *self, EaselJob *job);

/* Jobs queued and running. */
guint easel_engine_queue_length (EaselEngine *self);

/* Waits until the job has ended. Not from the main thread of a desktop program. */
void easel_engine_wait (EaselEngine *self, EaselJob *job);

/* Plans without running; blocking (it opens the model's configuration, no weights), any thread, also while a job runs.
 * *out is to be cleared with easel_plan_clear(). */
gboolean easel_engine_plan (EaselEngine *self, EaselRequest *request, EaselPlan *out, GError **error);
/* All ways to do it, an array of EaselPlan in the order in which they are tried; g_array_unref. */
GArray *easel_engine_plans (EaselEngine *self, EaselRequest *request, GError **error);
/* Fills the defaults of a request for its model; blocking, any thread. */
EaselRequest *easel_engine_resolve (EaselEngine *self, EaselRequest *request, GError **error);

/* What the model can be asked for; blocking, any thread. NULL or "": the starter model. */
gboolean easel_engine_rules (EaselEngine *self, const char *model, EaselModelRules *out, GError **error);
/* How much of a request's prompt its model sees; blocking (milliseconds once the model is open), any thread. */
gboolean easel_engine_meter (EaselEngine *self, EaselRequest *request, EaselTokenMeter *out, GError **error);

/* Folder of a model given by name (of a folder below a root, or of the Hub: "Owner/Name") or by a path; NULL or "": the
 * starter model. NOT_FOUND lists what there is. Caller frees. */
char *easel_engine_find_model (EaselEngine *self, const char *model, GError **error);
GPtrArray *easel_engine_list_models (EaselEngine *self); /* EaselModelInfo */
/* Looks for models in these folders (NULL-terminated) from now on. Any thread. */
void easel_engine_set_model_roots (EaselEngine *self, const char *const *roots);
const char *easel_engine_device_name (EaselEngine *self);
/* Why a card that is there is not used, a sentence; NULL when there is nothing to say. */
const char *easel_engine_device_note (EaselEngine *self);
/* Bytes a job may use on this device when nothing else does (see easel_plan_budget); G_MAXUINT64 when there is no
 * telling. Any thread. */
guint64 easel_engine_get_memory_budget (EaselEngine *self);
/* Whether requests may ask for "fp8" and "int8": the device is a card. Any thread. */
gboolean easel_engine_has_8_bits (EaselEngine *self);
/* Borrowed, for tests and benchmarks (memory used, failing allocations); only while no job runs. */
EaselDevice *easel_engine_get_device (EaselEngine *self);

/* Unloads models and gives their memory back; runs between jobs. */
void easel_engine_unload (EaselEngine *self);

G_END_DECLS
