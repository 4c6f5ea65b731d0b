/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/queue/queue.h"

#include "engine/media/image-file.h"
#include "engine/queue/store.h"

/* ---- one item ---- */

struct _EaselQueueItem
{
  GObject parent;
  gint64 id; /* of the row */
  EaselRequest *request;
  EaselJob *job;
  EaselJobState state;
  gint64 saved_id;
  char *message;
};

G_DEFINE_FINAL_TYPE (EaselQueueItem, easel_queue_item, G_TYPE_OBJECT)

enum
{
  ITEM_JOB = 1,
  ITEM_STATE,
  ITEM_SAVED_ID,
  ITEM_MESSAGE,
  ITEM_N_PROPERTIES
};
static GParamSpec *item_properties[ITEM_N_PROPERTIES];

static void
easel_queue_item_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  EaselQueueItem *self = EASEL_QUEUE_ITEM (object);

  switch (id)
    {
    case ITEM_JOB:
      g_value_set_object (value, self->job);
      break;
    case ITEM_STATE:
      g_value_set_int (value, self->state);
      break;
    case ITEM_SAVED_ID:
      g_value_set_int64 (value, self->saved_id);
      break;
    case ITEM_MESSAGE:
      g_value_set_string (value, self->message);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
easel_queue_item_finalize (GObject *object)
{
  EaselQueueItem *self = EASEL_QUEUE_ITEM (object);

  g_clear_pointer (&self->request, easel_request_unref);
  g_clear_object (&self->job);
  g_free (self->message);
  G_OBJECT_CLASS (easel_queue_item_parent_class)->finalize (object);
}

static void
easel_queue_item_class_init (EaselQueueItemClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = easel_queue_item_get_property;
  object_class->finalize = easel_queue_item_finalize;
  item_properties[ITEM_JOB] = g_param_spec_object ("job", NULL, NULL, EASEL_TYPE_JOB, flags);
  item_properties[ITEM_STATE] =
      g_param_spec_int ("state", NULL, NULL, EASEL_JOB_QUEUED, EASEL_JOB_FAILED, EASEL_JOB_QUEUED, flags);
  item_properties[ITEM_SAVED_ID] = g_param_spec_int64 ("saved-id", NULL, NULL, 0, G_MAXINT64, 0, flags);
  item_properties[ITEM_MESSAGE] = g_param_spec_string ("message", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, ITEM_N_PROPERTIES, item_properties);
}

static void
easel_queue_item_init (EaselQueueItem *self)
{
}

EaselRequest *
easel_queue_item_get_request (EaselQueueItem *self)
{
  return self->request;
}

EaselJob *
easel_queue_item_get_job (EaselQueueItem *self)
{
  return self->job;
}

EaselJobState
easel_queue_item_get_state (EaselQueueItem *self)
{
  return self->state;
}

gint64
easel_queue_item_get_saved_id (EaselQueueItem *self)
{
  return self->saved_id;
}

const char *
easel_queue_item_get_message (EaselQueueItem *self)
{
  return self->message;
}

static void
item_set_state (EaselQueueItem *self, EaselJobState state)
{
  if (self->state == state)
    return;
  self->state = state;
  g_object_notify_by_pspec (G_OBJECT (self), item_properties[ITEM_STATE]);
}

static void
item_set_job (EaselQueueItem *self, EaselJob *job)
{
  if (g_set_object (&self->job, job))
    g_object_notify_by_pspec (G_OBJECT (self), item_properties[ITEM_JOB]);
}

static void
item_set_message (EaselQueueItem *self, const char *message)
{
  g_free (self->message);
  self->message = g_strdup (message);
  g_object_notify_by_pspec (G_OBJECT (self), item_properties[ITEM_MESSAGE]);
}

/* ---- the queue ---- */

struct _EaselQueue
{
  GObject parent;
  EaselEngine *engine;
  EaselGallery *gallery;
  EaselQueueStore *store;
  GPtrArray *items; /* EaselQueueItem in order; the running one is first */
  EaselQueueItem *current;
  gulong job_handler;
  gboolean paused, saving, preview;
  char *format; /* ending of new files */
};

static void easel_queue_list_init (GListModelInterface *iface);
G_DEFINE_FINAL_TYPE_WITH_CODE (EaselQueue, easel_queue, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, easel_queue_list_init))

enum
{
  PAUSED = 1,
  CURRENT,
  FORMAT,
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

/* The current item is over, for better or worse: out of the list, its state and message stay with whoever holds it. */
static void
finish_current (EaselQueue *self, EaselJobState state, const char *message, gboolean keep_row)
{
  g_autoptr (EaselQueueItem) item = g_object_ref (self->current);
  guint i;

  g_clear_signal_handler (&self->job_handler, item->job);
  if (message)
    item_set_message (item, message);
  item_set_state (item, state);
  set_current (self, NULL);
  if (!keep_row)
    easel_queue_store_remove (self->store, item->id, NULL); /* worst case: made once more after a restart */
  if (g_ptr_array_find (self->items, item, &i))
    drop_at (self, i);
  g_signal_emit (self, signals[FINISHED], 0, item);
  start_next (self);
}

/* ---- saving, on a worker ---- */

typedef struct
{
  GPtrArray *pictures;
  EaselGallery *gallery;
  char *format;
  gint64 last_id;
} Save;

static void
save_free (gpointer data)
{
  Save *save = data;

  g_ptr_array_unref (save->pictures);
  g_object_unref (save->gallery);
  g_free (save->format);
  g_free (save);
}

static void
save_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Save *save = data;
  GError *error = NULL;

  for (guint i = 0; i < save->pictures->len; i++)
    {
      EaselPicture *picture = save->pictures->pdata[i];
      g_autofree char *path = easel_gallery_new_path (save->gallery, picture->request, save->format);
      const EaselImageOptions options = { 0 };

      if (!easel_image_write (picture, path, &options, &error) ||
          !easel_gallery_add (save->gallery, path, &save->last_id, &error))
        {
          g_task_return_error (task, error);
          return;
        }
    }
  g_task_return_boolean (task, TRUE);
}

static void
saved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselQueue *self = EASEL_QUEUE (source);
  g_autoptr (GError) error = NULL;
  Save *save = g_task_get_task_data (G_TASK (result));

  self->saving = FALSE;
  if (!self->current)
    return;
  if (g_task_propagate_boolean (G_TASK (result), &error))
    {
      self->current->saved_id = save->last_id;
      g_object_notify_by_pspec (G_OBJECT (self->current), item_properties[ITEM_SAVED_ID]);
      finish_current (self, EASEL_JOB_DONE, NULL, FALSE);
    }
  else
    {
      /* The pictures are made but cannot be kept (a full disk, a folder that is gone): the queue waits, and the row
       * stays, so that nothing is lost. */
      easel_queue_set_paused (self, TRUE);
      finish_current (self, EASEL_JOB_FAILED, error->message, TRUE);
    }
}

static void
save_current (EaselQueue *self)
{
  Save *save = g_new0 (Save, 1);
  g_autoptr (GTask) task = g_task_new (self, NULL, saved_cb, NULL);

  self->saving = TRUE;
  save->pictures = g_ptr_array_ref (easel_job_get_pictures (self->current->job));
  save->gallery = g_object_ref (self->gallery);
  save->format = g_strdup (self->format);
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
      item_set_state (self->current, EASEL_JOB_RUNNING);
      break;
    case EASEL_JOB_DONE:
      if (!self->saving)
        save_current (self);
      break;
    case EASEL_JOB_CANCELLED:
      finish_current (self, EASEL_JOB_CANCELLED, NULL, FALSE);
      break;
    case EASEL_JOB_FAILED:
      finish_current (self, EASEL_JOB_FAILED, error ? error->message : NULL, FALSE);
      break;
    case EASEL_JOB_QUEUED:
    default:
      break;
    }
}

static void
start_next (EaselQueue *self)
{
  g_autoptr (EaselJob) job = NULL;

  if (self->current || self->paused || self->items->len == 0)
    return;
  set_current (self, self->items->pdata[0]);
  job = easel_job_new (self->current->request);
  easel_job_set_wants_preview (job, self->preview);
  item_set_job (self->current, job);
  self->job_handler = g_signal_connect (job, "notify::state", G_CALLBACK (job_state_cb), self);
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
    case FORMAT:
      g_value_set_string (value, self->format);
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
  self->preview = TRUE;
}

static EaselQueueItem *
item_new (gint64 id, EaselRequest *request)
{
  EaselQueueItem *item = g_object_new (EASEL_TYPE_QUEUE_ITEM, NULL);

  item->id = id;
  item->request = easel_request_ref (request);
  return item;
}

static void
restore_row (gint64 id, EaselRequest *request, gpointer user_data)
{
  g_ptr_array_add (EASEL_QUEUE (user_data)->items, item_new (id, request));
}

static gboolean
start_cb (gpointer user_data)
{
  start_next (user_data);
  return G_SOURCE_REMOVE;
}

EaselQueue *
easel_queue_new (const char *database, EaselEngine *engine, EaselGallery *gallery, GError **error)
{
  g_autoptr (EaselQueue) self = g_object_new (EASEL_TYPE_QUEUE, NULL);

  self->engine = g_object_ref (engine);
  self->gallery = g_object_ref (gallery);
  self->store = easel_queue_store_open (database, error);
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
  guint position = first ? (self->current ? 1 : 0) : self->items->len;
  int count = MAX (1, settings.count);

  settings.count = 1;
  for (int i = 0; i < count; i++, position++)
    {
      g_autoptr (EaselRequest) one = easel_request_new (&settings, error);
      gint64 id;

      if (!one || !easel_queue_store_add (self->store, one, (int) position, &id, error))
        return FALSE;
      g_ptr_array_insert (self->items, (int) position, item_new (id, one));
      g_list_model_items_changed (G_LIST_MODEL (self), position, 0, 1);
      if (settings.seed >= 0)
        settings.seed++;
    }
  start_next (self);
  return TRUE;
}

gboolean
easel_queue_move (EaselQueue *self, guint from, guint to, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  EaselQueueItem *item;
  guint fixed = self->current ? 1 : 0; /* the running one stays first */

  if (from < fixed || to < fixed || from >= self->items->len || to >= self->items->len)
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "The picture being made stays first.");
      return FALSE;
    }
  item = g_ptr_array_steal_index (self->items, from);
  g_ptr_array_insert (self->items, (int) to, item);
  for (guint i = 0; i < self->items->len; i++)
    g_array_append_val (ids, EASEL_QUEUE_ITEM (self->items->pdata[i])->id);
  if (!easel_queue_store_reorder (self->store, (gint64 *) ids->data, ids->len, error))
    {
      item = g_ptr_array_steal_index (self->items, to);
      g_ptr_array_insert (self->items, (int) from, item);
      return FALSE;
    }
  g_list_model_items_changed (G_LIST_MODEL (self), MIN (from, to), MAX (from, to) - MIN (from, to) + 1,
                              MAX (from, to) - MIN (from, to) + 1);
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
      easel_queue_stop_current (self);
      return TRUE;
    }
  if (!easel_queue_store_remove (self->store, item->id, error))
    return FALSE;
  drop_at (self, position);
  return TRUE;
}

gboolean
easel_queue_replace (EaselQueue *self, guint position, EaselRequest *request, GError **error)
{
  EaselQueueItem *item = position < self->items->len ? self->items->pdata[position] : NULL;
  EaselQueueItem *changed;

  if (!item || item == self->current)
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                           "This one is being made already; stop it first, or queue it again.");
      return FALSE;
    }
  if (!easel_queue_store_replace (self->store, item->id, request, error))
    return FALSE;
  changed = item_new (item->id, request);
  g_object_unref (item);
  self->items->pdata[position] = changed;
  g_list_model_items_changed (G_LIST_MODEL (self), position, 1, 1);
  return TRUE;
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
easel_queue_stop_current (EaselQueue *self)
{
  if (self->current && self->current->job)
    easel_job_cancel (self->current->job);
}
