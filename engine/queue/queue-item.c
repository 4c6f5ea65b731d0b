/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/queue/queue-private.h"

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

void
easel_queue_item_set_state (EaselQueueItem *self, EaselJobState state)
{
  if (self->state == state)
    return;
  self->state = state;
  g_object_notify_by_pspec (G_OBJECT (self), item_properties[ITEM_STATE]);
}

void
easel_queue_item_set_job (EaselQueueItem *self, EaselJob *job)
{
  if (g_set_object (&self->job, job))
    g_object_notify_by_pspec (G_OBJECT (self), item_properties[ITEM_JOB]);
}

void
easel_queue_item_set_message (EaselQueueItem *self, const char *message)
{
  g_free (self->message);
  self->message = g_strdup (message);
  g_object_notify_by_pspec (G_OBJECT (self), item_properties[ITEM_MESSAGE]);
}

void
easel_queue_item_set_saved_id (EaselQueueItem *self, gint64 id)
{
  self->saved_id = id;
  g_object_notify_by_pspec (G_OBJECT (self), item_properties[ITEM_SAVED_ID]);
}

EaselQueueItem *
easel_queue_item_new (gint64 id, EaselRequest *request)
{
  EaselQueueItem *self = g_object_new (EASEL_TYPE_QUEUE_ITEM, NULL);

  self->id = id;
  self->request = easel_request_ref (request);
  return self;
}
