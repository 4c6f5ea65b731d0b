/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/queue/queue-private.h"

#include "engine/media/image-file.h"
#include "engine/media/video-file.h"
#include "engine/queue/store.h"

/* ---- the queue ---- */

struct _EaselQueue
{
  GObject parent;
  EaselEngine *engine;
  EaselGallery *gallery;
  EaselQueueStore *store;
  GPtrArray *items; /* EaselQueueItem in order: the running one, those that wait, those that failed */
  EaselQueueItem *current;
  gulong job_handler;
  gboolean paused, saving, preview, metadata;
  char *format, *clip_format; /* endings of new files */
};

static void easel_queue_list_init (GListModelInterface *iface);
G_DEFINE_FINAL_TYPE_WITH_CODE (EaselQueue, easel_queue, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, easel_queue_list_init))

enum
{
  PAUSED = 1,
  CURRENT,
  SAVING,
  FORMAT,
  CLIP_FORMAT,
  METADATA,
  PREVIEW,
  N_PROPERTIES
};
static GParamSpec *properties[N_PROPERTIES];

enum
{
  FINISHED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static GType
get_item_type (GListModel *list)
{
  return EASEL_TYPE_QUEUE_ITEM;
}

static guint
get_n_items (GListModel *list)
{
  return EASEL_QUEUE (list)->items->len;
}

static gpointer
get_item (GListModel *list, guint i)
{
  EaselQueue *self = EASEL_QUEUE (list);
  return i < self->items->len ? g_object_ref (self->items->pdata[i]) : NULL;
}

static void
easel_queue_list_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void start_next (EaselQueue *self);

static void
set_current (EaselQueue *self, EaselQueueItem *item)
{
  if (g_set_object (&self->current, item))
    g_object_notify_by_pspec (G_OBJECT (self), properties[CURRENT]);
}

static void
drop_at (EaselQueue *self, guint i)
{
  g_ptr_array_remove_index (self->items, i);
  g_list_model_items_changed (G_LIST_MODEL (self), i, 1, 0);
}

static guint
n_failed (EaselQueue *self)
{
  guint n = 0;

  while (n < self->items->len &&
         EASEL_QUEUE_ITEM (self->items->pdata[self->items->len - 1 - n])->state == EASEL_JOB_FAILED)
    n++;
  return n;
}

guint
easel_queue_n_to_do (EaselQueue *self)
{
  return self->items->len - n_failed (self);
}

/* Behind those that wait, with its reason, also on disk. */
static void
put_last (EaselQueue *self, EaselQueueItem *item, const char *problem)
{
  guint from;

  easel_queue_store_fail (self->store, item->id, problem, NULL); /* worst case: tried once more after a restart */
  if (!g_ptr_array_find (self->items, item, &from))
    return;
  g_ptr_array_add (self->items, g_ptr_array_steal_index (self->items, from));
  g_list_model_items_changed (G_LIST_MODEL (self), from, self->items->len - from, self->items->len - from);
}

/* The current item is over. Done and cancelled ones leave the list, what failed stays; state and message stay with
 * whoever holds it. in_store: whether its row is still there. */
static void
finish_current (EaselQueue *self, EaselJobState state, const char *message, gboolean in_store)
{
  g_autoptr (EaselQueueItem) item = g_object_ref (self->current);
  guint i;

  g_clear_signal_handler (&self->job_handler, item->job);
  if (message)
    easel_queue_item_set_message (item, message);
  easel_queue_item_set_state (item, state);
  set_current (self, NULL);
  if (state == EASEL_JOB_FAILED)
    put_last (self, item, message ? message : "");
  else
    {
      if (in_store)
        easel_queue_store_remove (self->store, item->id, NULL); /* worst case: made once more after a restart */
      if (g_ptr_array_find (self->items, item, &i))
        drop_at (self, i);
    }
  g_signal_emit (self, signals[FINISHED], 0, item);
  start_next (self);
}

/* ---- saving, on a worker ---- */

typedef struct
{
  GPtrArray *pictures;
  EaselGallery *gallery;
  EaselQueueStore *store; /* borrowed: the task holds the queue */
  gint64 row;
  char *format, *clip_format;
  gboolean metadata;
  gint64 last_id;
} Save;

static void
save_free (gpointer data)
{
  Save *save = data;

  g_ptr_array_unref (save->pictures);
  g_object_unref (save->gallery);
  g_free (save->format);
  g_free (save->clip_format);
  g_free (save);
}

static gboolean
save_one (Save *save, EaselPicture *picture, GError **error)
{
  gboolean clip = picture->n_frames > 1;
  g_autofree char *path =
      easel_gallery_new_path (save->gallery, picture->request, clip ? save->clip_format : save->format);
  const EaselImageOptions image = { .no_metadata = !save->metadata };
  const EaselVideoOptions video = { .no_metadata = !save->metadata };

  return (clip ? easel_video_write (picture, path, &video, error) : easel_image_write (picture, path, &image, error)) &&
         easel_gallery_add (save->gallery, path, &save->last_id, error);
}

/* The row goes once everything is in the gallery, here, where waiting for the disk stalls nobody. */
static void
save_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Save *save = data;
  GError *error = NULL;

  for (guint i = 0; i < save->pictures->len; i++)
    if (!save_one (save, save->pictures->pdata[i], &error))
      {
        g_task_return_error (task, error);
        return;
      }
  easel_queue_store_remove (save->store, save->row, NULL); /* worst case: made once more after a restart */
  g_task_return_boolean (task, TRUE);
}

static void
set_saving (EaselQueue *self, gboolean saving)
{
  self->saving = saving;
  g_object_notify_by_pspec (G_OBJECT (self), properties[SAVING]);
}

static void
saved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselQueue *self = EASEL_QUEUE (source);
  g_autoptr (GError) error = NULL;
  Save *save = g_task_get_task_data (G_TASK (result));

  set_saving (self, FALSE);
  if (!self->current)
    return;
  if (g_task_propagate_boolean (G_TASK (result), &error))
    {
      easel_queue_item_set_saved_id (self->current, save->last_id);
      finish_current (self, EASEL_JOB_DONE, NULL, FALSE);
    }
  else
    {
      /* Made but not kept (a full disk, a folder that is gone): the next would fare no better, so the queue waits. */
      easel_queue_set_paused (self, TRUE);
      finish_current (self, EASEL_JOB_FAILED, error->message, TRUE);
    }
}

static void
save_current (EaselQueue *self)
{
  Save *save = g_new0 (Save, 1);
  g_autoptr (GTask) task = g_task_new (self, NULL, saved_cb, NULL);

  set_saving (self, TRUE);
  save->pictures = g_ptr_array_ref (easel_job_get_pictures (self->current->job));
  save->gallery = g_object_ref (self->gallery);
  save->store = self->store;
  save->row = self->current->id;
  save->format = g_strdup (self->format);
  save->clip_format = g_strdup (self->clip_format);
  save->metadata = self->metadata;
  g_task_set_task_data (task, save, save_free);
  g_task_run_in_thread (task, save_thread);
}

static void
job_state_cb (EaselJob *job, GParamSpec *spec, EaselQueue *self)
{
  const GError *error = easel_job_get_error (job);

  switch (easel_job_get_state (job))
    {
    case EASEL_JOB_RUNNING:
      easel_queue_item_set_state (self->current, EASEL_JOB_RUNNING);
      break;
    case EASEL_JOB_DONE:
      if (!self->saving)
        save_current (self);
      break;
    case EASEL_JOB_CANCELLED:
      finish_current (self, EASEL_JOB_CANCELLED, NULL, TRUE);
      break;
    case EASEL_JOB_FAILED:
      finish_current (self, EASEL_JOB_FAILED, error ? error->message : NULL, TRUE);
      break;
    case EASEL_JOB_QUEUED:
    default:
      break;
    }
}

/* On disk that it was begun, so that one which ends the program is known the next time. */
static void
begin_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  easel_queue_store_begin (EASEL_QUEUE (source)->store, *(gint64 *) data, NULL);
}

static void
remember_begin (EaselQueue *self, gint64 row)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, NULL, NULL);

  g_task_set_task_data (task, g_memdup2 (&row, sizeof row), g_free);
  g_task_run_in_thread (task, begin_thread);
}

static void
start_next (EaselQueue *self)
{
  g_autoptr (EaselJob) job = NULL;

  if (self->current || self->paused || !self->engine || easel_queue_n_to_do (self) == 0)
    return;
  set_current (self, self->items->pdata[0]);
  job = easel_job_new (self->current->request);
  easel_job_set_wants_preview (job, self->preview);
  easel_queue_item_set_job (self->current, job);
  self->job_handler = g_signal_connect (job, "notify::state", G_CALLBACK (job_state_cb), self);
  remember_begin (self, self->current->id);
  easel_engine_submit_job (self->engine, job);
}

/* ---- object ---- */

static void
easel_queue_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  EaselQueue *self = EASEL_QUEUE (object);

  switch (id)
    {
    case PAUSED:
      g_value_set_boolean (value, self->paused);
      break;
    case CURRENT:
      g_value_set_object (value, self->current);
      break;
    case SAVING:
      g_value_set_boolean (value, self->saving);
      break;
    case FORMAT:
      g_value_set_string (value, self->format);
      break;
    case CLIP_FORMAT:
      g_value_set_string (value, self->clip_format);
      break;
    case METADATA:
      g_value_set_boolean (value, self->metadata);
      break;
    case PREVIEW:
      g_value_set_boolean (value, self->preview);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
easel_queue_set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  EaselQueue *self = EASEL_QUEUE (object);

  switch (id)
    {
    case PAUSED:
      easel_queue_set_paused (self, g_value_get_boolean (value));
      break;
    case FORMAT:
      g_free (self->format);
      self->format = g_value_dup_string (value);
      break;
    case CLIP_FORMAT:
      g_free (self->clip_format);
      self->clip_format = g_value_dup_string (value);
      break;
    case METADATA:
      self->metadata = g_value_get_boolean (value);
      break;
    case PREVIEW:
      self->preview = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
easel_queue_dispose (GObject *object)
{
  EaselQueue *self = EASEL_QUEUE (object);

  if (self->current && self->current->job)
    {
      /* Quitting: the row stays, so the next start makes it again. */
      g_clear_signal_handler (&self->job_handler, self->current->job);
      easel_job_cancel (self->current->job);
      easel_queue_store_unbegin (self->store, self->current->id, NULL);
    }
  g_clear_object (&self->current);
  g_clear_object (&self->engine);
  g_clear_object (&self->gallery);
  G_OBJECT_CLASS (easel_queue_parent_class)->dispose (object);
}

static void
easel_queue_finalize (GObject *object)
{
  EaselQueue *self = EASEL_QUEUE (object);

  g_ptr_array_unref (self->items);
  easel_queue_store_free (self->store);
  g_free (self->format);
  g_free (self->clip_format);
  G_OBJECT_CLASS (easel_queue_parent_class)->finalize (object);
}

static void
easel_queue_class_init (EaselQueueClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags = G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = easel_queue_get_property;
  object_class->set_property = easel_queue_set_property;
  object_class->dispose = easel_queue_dispose;
  object_class->finalize = easel_queue_finalize;
  properties[PAUSED] = g_param_spec_boolean ("paused", NULL, NULL, FALSE, G_PARAM_READWRITE | flags);
  properties[CURRENT] = g_param_spec_object ("current", NULL, NULL, EASEL_TYPE_QUEUE_ITEM, G_PARAM_READABLE | flags);
  properties[SAVING] = g_param_spec_boolean ("saving", NULL, NULL, FALSE, G_PARAM_READABLE | flags);
  properties[CLIP_FORMAT] = g_param_spec_string ("clip-format", NULL, NULL, "mp4", G_PARAM_READWRITE | flags);
  properties[METADATA] = g_param_spec_boolean ("metadata", NULL, NULL, TRUE, G_PARAM_READWRITE | flags);
  properties[FORMAT] = g_param_spec_string ("format", NULL, NULL, "png", G_PARAM_READWRITE | flags);
  properties[PREVIEW] = g_param_spec_boolean ("preview", NULL, NULL, TRUE, G_PARAM_READWRITE | flags);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
  signals[FINISHED] = g_signal_new ("finished", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                    G_TYPE_NONE, 1, EASEL_TYPE_QUEUE_ITEM);
}

static void
easel_queue_init (EaselQueue *self)
{
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->format = g_strdup ("png");
  self->clip_format = g_strdup ("mp4");
  self->preview = self->metadata = TRUE;
}

/* Those that failed come last, whatever their place. */
static void
restore_row (gint64 id, EaselRequest *request, const char *problem, gpointer user_data)
{
  EaselQueue *self = user_data;
  EaselQueueItem *item = easel_queue_item_new (id, request);

  if (problem)
    {
      easel_queue_item_set_message (item, problem);
      easel_queue_item_set_state (item, EASEL_JOB_FAILED);
      g_ptr_array_add (self->items, item);
    }
  else
    g_ptr_array_insert (self->items, (int) easel_queue_n_to_do (self), item);
}

static gboolean
start_cb (gpointer user_data)
{
  start_next (user_data);
  return G_SOURCE_REMOVE;
}

EaselQueue *
easel_queue_new (const char *database, EaselEngine *engine, EaselGallery *gallery, gboolean *damaged, GError **error)
{
  g_autoptr (EaselQueue) self = g_object_new (EASEL_TYPE_QUEUE, NULL);

  self->engine = g_object_ref (engine);
  self->gallery = g_object_ref (gallery);
  self->store = easel_queue_store_open (database, damaged, error);
  if (!self->store || !easel_queue_store_each (self->store, restore_row, self, error))
    return NULL;
  self->paused = easel_queue_store_get_paused (self->store);
  /* From the main loop, once whoever made the queue has connected to it. */
  g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, start_cb, g_object_ref (self), g_object_unref);
  return g_steal_pointer (&self);
}

gboolean
easel_queue_add (EaselQueue *self, EaselRequest *request, gboolean first, GError **error)
{
  EaselRequestSettings settings = *easel_request_settings (request);
  guint at = first ? (self->current ? 1 : 0) : easel_queue_n_to_do (self), n = 0;
  int count = MAX (1, settings.count);
  g_autoptr (GPtrArray) added = g_ptr_array_new_with_free_func (g_object_unref);

  settings.count = 1;
  if (!easel_queue_store_start (self->store, error))
    return FALSE;
  for (int i = 0; i < count; i++)
    {
      g_autoptr (EaselRequest) one = easel_request_new (&settings, error);
      gint64 id;

      if (!one || !easel_queue_store_add (self->store, one, (int) at + i, &id, error))
        {
          easel_queue_store_undo (self->store);
          return FALSE;
        }
      g_ptr_array_add (added, easel_queue_item_new (id, one));
      if (settings.seed >= 0)
        settings.seed = settings.seed < G_MAXINT64 ? settings.seed + 1 : 0;
    }
  if (!easel_queue_store_commit (self->store, error))
    return FALSE;
  for (; n < added->len; n++)
    g_ptr_array_insert (self->items, (int) (at + n), g_object_ref (added->pdata[n]));
  g_list_model_items_changed (G_LIST_MODEL (self), at, 0, n);
  start_next (self);
  return TRUE;
}

/* The order as it is in the list, on disk. */
static gboolean
store_order (EaselQueue *self, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));

  for (guint i = 0; i < self->items->len; i++)
    g_array_append_val (ids, EASEL_QUEUE_ITEM (self->items->pdata[i])->id);
  return easel_queue_store_reorder (self->store, (gint64 *) ids->data, ids->len, error);
}

gboolean
easel_queue_move (EaselQueue *self, guint from, guint to, GError **error)
{
  guint fixed = self->current ? 1 : 0, end = easel_queue_n_to_do (self), low = MIN (from, to), n;

  if (from < fixed || to < fixed || from >= end || to >= end)
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                           "Only those that wait can change places: the one being made stays first.");
      return FALSE;
    }
  if (from == to)
    return TRUE;
  g_ptr_array_insert (self->items, (int) to, g_ptr_array_steal_index (self->items, from));
  if (!store_order (self, error))
    {
      g_ptr_array_insert (self->items, (int) from, g_ptr_array_steal_index (self->items, to));
      return FALSE;
    }
  n = MAX (from, to) - low + 1;
  g_list_model_items_changed (G_LIST_MODEL (self), low, n, n);
  return TRUE;
}

gboolean
easel_queue_remove (EaselQueue *self, guint position, GError **error)
{
  EaselQueueItem *item;

  if (position >= self->items->len)
    return TRUE;
  item = self->items->pdata[position];
  if (item == self->current)
    {
      easel_queue_stop_current (self, FALSE);
      return TRUE;
    }
  if (!easel_queue_store_remove (self->store, item->id, error))
    return FALSE;
  drop_at (self, position);
  return TRUE;
}

gboolean
easel_queue_clear (EaselQueue *self, GError **error)
{
  guint keep = self->current ? 1 : 0, n = self->items->len - keep;

  if (n == 0)
    return TRUE;
  if (!easel_queue_store_clear (self->store, self->current ? self->current->id : 0, error))
    return FALSE;
  g_ptr_array_remove_range (self->items, keep, n);
  g_list_model_items_changed (G_LIST_MODEL (self), keep, n, 0);
  return TRUE;
}

gboolean
easel_queue_replace (EaselQueue *self, guint position, EaselRequest *request, GError **error)
{
  EaselQueueItem *item = position < self->items->len ? self->items->pdata[position] : NULL;
  EaselQueueItem *changed;
  guint to;

  if (!item || item == self->current)
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                           "This one is being made already; stop it first, or queue it again.");
      return FALSE;
    }
  if (!easel_queue_store_replace (self->store, item->id, request, error))
    return FALSE;
  changed = easel_queue_item_new (item->id, request);
  to = item->state == EASEL_JOB_FAILED ? easel_queue_n_to_do (self) : position;
  g_object_unref (g_ptr_array_steal_index (self->items, position));
  g_ptr_array_insert (self->items, (int) to, changed);
  g_list_model_items_changed (G_LIST_MODEL (self), to, position - to + 1, position - to + 1);
  if (to != position)
    store_order (self, NULL); /* worst case: another order after a restart */
  start_next (self);
  return TRUE;
}

guint
easel_queue_find (EaselQueue *self, EaselQueueItem *item)
{
  guint i;
  return g_ptr_array_find (self->items, item, &i) ? i : G_MAXUINT;
}

void
easel_queue_set_paused (EaselQueue *self, gboolean paused)
{
  if (self->paused == !!paused)
    return;
  self->paused = !!paused;
  easel_queue_store_set_paused (self->store, paused, NULL);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PAUSED]);
  start_next (self);
}

gboolean
easel_queue_get_paused (EaselQueue *self)
{
  return self->paused;
}

EaselQueueItem *
easel_queue_get_current (EaselQueue *self)
{
  return self->current;
}

void
easel_queue_stop_current (EaselQueue *self, gboolean keep)
{
  if (!self->current || !self->current->job)
    return;
  if (keep)
    easel_job_finish_early (self->current->job);
  else
    easel_job_cancel (self->current->job);
}
