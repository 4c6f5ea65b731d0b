/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-model.h"

#include <gio/gio.h>

#define KEPT_TEXTURES 300 /* of 256 x 256 x 3 bytes: 59 MB */

/* ---- one item ---- */

struct _EaselGalleryObject
{
  GObject parent;
  gint64 id;
  EaselGalleryModel *model; /* borrowed: cleared when the model goes */
  EaselGalleryItem *item;
  GdkTexture *texture;
  GCancellable *loading;
};

struct _EaselGalleryModel
{
  GObject parent;
  EaselGallery *gallery;
  GArray *ids;
  GHashTable *alive; /* id to EaselGalleryObject, not owned */
  GQueue kept;       /* EaselGalleryObject with textures, the latest first; owned */
  char *text, *name, *tag;
  EaselGalleryQuery query;
};

G_DEFINE_FINAL_TYPE (EaselGalleryObject, easel_gallery_object, G_TYPE_OBJECT)

static void easel_gallery_model_list_init (GListModelInterface *iface);
G_DEFINE_FINAL_TYPE_WITH_CODE (EaselGalleryModel, easel_gallery_model, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, easel_gallery_model_list_init))

enum
{
  TEXTURE = 1,
  STARS,
  N_PROPERTIES
};
static GParamSpec *properties[N_PROPERTIES];

gint64
easel_gallery_object_get_id (EaselGalleryObject *self)
{
  return self->id;
}

const EaselGalleryItem *
easel_gallery_object_get_item (EaselGalleryObject *self)
{
  if (!self->item && self->model)
    self->item = easel_gallery_get (self->model->gallery, self->id, NULL);
  return self->item;
}

/* The textures shown last stay; the oldest one goes. */
static void
keep_texture (EaselGalleryObject *self)
{
  GList *link;

  if (!self->model)
    return;
  link = g_queue_find (&self->model->kept, self);
  if (link)
    {
      g_queue_unlink (&self->model->kept, link);
      g_queue_push_head_link (&self->model->kept, link);
      return;
    }
  g_queue_push_head (&self->model->kept, g_object_ref (self));
  while (g_queue_get_length (&self->model->kept) > KEPT_TEXTURES)
    {
      g_autoptr (EaselGalleryObject) oldest = g_queue_pop_tail (&self->model->kept);
      g_clear_object (&oldest->texture);
    }
}

static void
load_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autofree char *thumbnail = NULL;
  GdkTexture *texture = NULL;
  GError *error = NULL;

  if (g_task_return_error_if_cancelled (task))
    return;
  thumbnail = easel_thumbnail_ensure (data, 256, &error);
  if (thumbnail)
    texture = gdk_texture_new_from_filename (thumbnail, &error);
  if (texture)
    g_task_return_pointer (task, texture, g_object_unref);
  else
    g_task_return_error (task, error);
}

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGalleryObject *self = EASEL_GALLERY_OBJECT (source);
  GdkTexture *texture = g_task_propagate_pointer (G_TASK (result), NULL);

  g_clear_object (&self->loading);
  if (!texture)
    return; /* the cell keeps its sign of a picture that cannot be shown */
  g_clear_object (&self->texture);
  self->texture = texture;
  keep_texture (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[TEXTURE]);
}

void
easel_gallery_object_want_texture (EaselGalleryObject *self)
{
  const EaselGalleryItem *item = easel_gallery_object_get_item (self);
  g_autoptr (GTask) task = NULL;

  if (self->texture)
    keep_texture (self);
  if (self->texture || self->loading || !item || item->missing)
    return;
  self->loading = g_cancellable_new ();
  task = g_task_new (self, self->loading, loaded_cb, NULL);
  g_task_set_priority (task, G_PRIORITY_LOW);
  g_task_set_task_data (task, g_strdup (item->path), g_free);
  g_task_run_in_thread (task, load_thread);
}

static void
easel_gallery_object_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  EaselGalleryObject *self = EASEL_GALLERY_OBJECT (object);
  const EaselGalleryItem *item;

  switch (id)
    {
    case TEXTURE:
      g_value_set_object (value, self->texture);
      break;
    case STARS:
      item = easel_gallery_object_get_item (self);
      g_value_set_int (value, item ? item->stars : 0);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
easel_gallery_object_finalize (GObject *object)
{
  EaselGalleryObject *self = EASEL_GALLERY_OBJECT (object);

  if (self->model && g_hash_table_lookup (self->model->alive, &self->id) == self)
    g_hash_table_remove (self->model->alive, &self->id);
  g_clear_object (&self->texture);
  g_clear_object (&self->loading);
  g_clear_pointer (&self->item, easel_gallery_item_free);
  G_OBJECT_CLASS (easel_gallery_object_parent_class)->finalize (object);
}

static void
easel_gallery_object_class_init (EaselGalleryObjectClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = easel_gallery_object_get_property;
  object_class->finalize = easel_gallery_object_finalize;
  properties[TEXTURE] = g_param_spec_object ("texture", NULL, NULL, GDK_TYPE_TEXTURE, flags);
  properties[STARS] = g_param_spec_int ("stars", NULL, NULL, 0, 5, 0, flags);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
easel_gallery_object_init (EaselGalleryObject *self)
{
}

/* ---- the list ---- */

static GType
get_item_type (GListModel *list)
{
  return EASEL_TYPE_GALLERY_OBJECT;
}

static guint
get_n_items (GListModel *list)
{
  return EASEL_GALLERY_MODEL (list)->ids->len;
}

static gpointer
get_item (GListModel *list, guint i)
{
  EaselGalleryModel *self = EASEL_GALLERY_MODEL (list);
  EaselGalleryObject *object;
  gint64 id;

  if (i >= self->ids->len)
    return NULL;
  id = g_array_index (self->ids, gint64, i);
  object = g_hash_table_lookup (self->alive, &id);
  if (object)
    return g_object_ref (object);
  object = g_object_new (EASEL_TYPE_GALLERY_OBJECT, NULL);
  object->id = id;
  object->model = self;
  g_hash_table_insert (self->alive, &object->id, object);
  return object;
}

static void
easel_gallery_model_list_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
refresh (EaselGalleryModel *self)
{
  g_autoptr (GArray) ids = easel_gallery_query (self->gallery, &self->query, NULL);
  g_autoptr (GArray) old = NULL;
  guint start = 0, end = 0;

  if (!ids)
    return;
  old = g_steal_pointer (&self->ids);
  self->ids = g_steal_pointer (&ids);
  /* Common beginning and end stay: a new picture at the front does not make the view start over. */
  while (start < old->len && start < self->ids->len &&
         g_array_index (old, gint64, start) == g_array_index (self->ids, gint64, start))
    start++;
  while (end < old->len - start && end < self->ids->len - start &&
         g_array_index (old, gint64, old->len - 1 - end) == g_array_index (self->ids, gint64, self->ids->len - 1 - end))
    end++;
  if (old->len - start - end || self->ids->len - start - end)
    g_list_model_items_changed (G_LIST_MODEL (self), start, old->len - start - end, self->ids->len - start - end);
}

static void
gallery_changed_cb (EaselGallery *gallery, EaselGalleryModel *self)
{
  GHashTableIter iter;
  gpointer object;

  /* What is on screen reads its row again. */
  g_hash_table_iter_init (&iter, self->alive);
  while (g_hash_table_iter_next (&iter, NULL, &object))
    {
      g_clear_pointer (&EASEL_GALLERY_OBJECT (object)->item, easel_gallery_item_free);
      g_object_notify_by_pspec (object, properties[STARS]);
    }
  refresh (self);
}

void
easel_gallery_model_set_query (EaselGalleryModel *self, const EaselGalleryQuery *query)
{
  g_free (self->text);
  g_free (self->name);
  g_free (self->tag);
  self->query = *query;
  self->query.text = self->text = g_strdup (query->text);
  self->query.model = self->name = g_strdup (query->model);
  self->query.tag = self->tag = g_strdup (query->tag);
  refresh (self);
}

guint
easel_gallery_model_find (EaselGalleryModel *self, gint64 id)
{
  for (guint i = 0; i < self->ids->len; i++)
    if (g_array_index (self->ids, gint64, i) == id)
      return i;
  return G_MAXUINT;
}

static void
easel_gallery_model_dispose (GObject *object)
{
  EaselGalleryModel *self = EASEL_GALLERY_MODEL (object);
  GHashTableIter iter;
  gpointer item;

  g_queue_clear_full (&self->kept, g_object_unref);
  g_hash_table_iter_init (&iter, self->alive);
  while (g_hash_table_iter_next (&iter, NULL, &item))
    EASEL_GALLERY_OBJECT (item)->model = NULL;
  g_hash_table_remove_all (self->alive);
  g_clear_object (&self->gallery);
  G_OBJECT_CLASS (easel_gallery_model_parent_class)->dispose (object);
}

static void
easel_gallery_model_finalize (GObject *object)
{
  EaselGalleryModel *self = EASEL_GALLERY_MODEL (object);

  g_array_unref (self->ids);
  g_hash_table_unref (self->alive);
  g_free (self->text);
  g_free (self->name);
  g_free (self->tag);
  G_OBJECT_CLASS (easel_gallery_model_parent_class)->finalize (object);
}

static void
easel_gallery_model_class_init (EaselGalleryModelClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = easel_gallery_model_dispose;
  G_OBJECT_CLASS (klass)->finalize = easel_gallery_model_finalize;
}

static void
easel_gallery_model_init (EaselGalleryModel *self)
{
  const EaselGalleryQuery everything = EASEL_GALLERY_QUERY_INIT;

  self->ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  self->alive = g_hash_table_new (g_int64_hash, g_int64_equal);
  self->query = everything;
}

EaselGalleryModel *
easel_gallery_model_new (EaselGallery *gallery)
{
  EaselGalleryModel *self = g_object_new (EASEL_TYPE_GALLERY_MODEL, NULL);

  self->gallery = g_object_ref (gallery);
  g_signal_connect_object (gallery, "changed", G_CALLBACK (gallery_changed_cb), self, 0);
  refresh (self);
  return self;
}
