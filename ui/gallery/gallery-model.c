/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-model.h"

#include <gio/gio.h>

#include "ui/gallery/tile-loader.h"

#define KEPT_BYTES (48 << 20) /* of tiles that are not on the screen any more, or still */
#define FIRST_ROWS 60         /* read together with a query: a screenful */
#define CORNER 9

/* ---- one item ---- */

struct _EaselGalleryObject
{
  GObject parent;
  gint64 id;
  EaselGalleryModel *model; /* borrowed: cleared when the model goes */
  EaselGalleryItem *item;
  GdkTexture *tile;
  EaselTileWish *wish;
  GList kept; /* in model->kept while there is a tile; data is the object itself */
  int shown;
  gboolean damaged, row_wanted;
};

struct _EaselGalleryModel
{
  GObject parent;
  EaselGallery *gallery;
  EaselTileLoader *loader;
  int scale;
  GArray *ids;
  GHashTable *alive;  /* id to EaselGalleryObject, not owned */
  GQueue kept;        /* objects with tiles, the latest first; a reference each */
  GArray *wanted;     /* ids whose rows are to be read after this iteration */
  guint fetch;        /* source id */
  GStrv words;        /* of the query: text, model, tag */
  EaselGalleryQuery query;
  gboolean running, again;
  GCancellable *gone;
};

G_DEFINE_FINAL_TYPE (EaselGalleryObject, easel_gallery_object, G_TYPE_OBJECT)

static void easel_gallery_model_list_init (GListModelInterface *iface);
G_DEFINE_FINAL_TYPE_WITH_CODE (EaselGalleryModel, easel_gallery_model, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, easel_gallery_model_list_init))

static guint object_changed, model_loaded;

static void want_row (EaselGalleryModel *self, EaselGalleryObject *object);

gint64
easel_gallery_object_get_id (EaselGalleryObject *self)
{
  return self->id;
}

const EaselGalleryItem *
easel_gallery_object_get_item (EaselGalleryObject *self)
{
  return self->item;
}

GdkTexture *
easel_gallery_object_get_tile (EaselGalleryObject *self)
{
  return self->tile;
}

gboolean
easel_gallery_object_is_damaged (EaselGalleryObject *self)
{
  return self->damaged;
}

/* The tiles shown last stay; the oldest ones that are not on the screen go. */
static void
keep_tile (EaselGalleryObject *self)
{
  EaselGalleryModel *model = self->model;
  gsize each = (gsize) EASEL_GALLERY_TILE * EASEL_GALLERY_TILE * 4 * (gsize) (model->scale * model->scale);
  GList *last;

  if (self->kept.data)
    g_queue_unlink (&model->kept, &self->kept);
  else
    self->kept.data = g_object_ref (self);
  g_queue_push_head_link (&model->kept, &self->kept);
  while (model->kept.length * each > KEPT_BYTES && (last = model->kept.tail) &&
         EASEL_GALLERY_OBJECT (last->data)->shown == 0)
    {
      g_autoptr (EaselGalleryObject) oldest = last->data;

      g_queue_unlink (&model->kept, last);
      oldest->kept.data = NULL;
      g_clear_object (&oldest->tile);
    }
}

static void
tile_ready_cb (GdkTexture *texture, gboolean damaged, gpointer user_data)
{
  EaselGalleryObject *self = user_data;

  self->wish = NULL;
  self->damaged = damaged;
  if (g_set_object (&self->tile, texture) && texture && self->model)
    keep_tile (self);
  g_signal_emit (self, object_changed, 0, FALSE);
}

static void
want_tile (EaselGalleryObject *self)
{
  if (self->tile && self->model)
    keep_tile (self);
  if (!self->tile && !self->wish && !self->damaged && self->item && self->model)
    self->wish = easel_tile_loader_want (self->model->loader, self->item->path, tile_ready_cb, self);
}

void
easel_gallery_object_show (EaselGalleryObject *self)
{
  self->shown++;
  if (!self->item && self->model)
    want_row (self->model, self);
  want_tile (self);
}

void
easel_gallery_object_hide (EaselGalleryObject *self)
{
  if (--self->shown == 0)
    g_clear_pointer (&self->wish, easel_tile_wish_withdraw);
}

/* Takes the item. A file that was written anew has another tile. */
static void
set_item (EaselGalleryObject *self, EaselGalleryItem *item)
{
  gboolean other = self->item && item &&
                   (self->item->bytes != item->bytes || self->item->modified != item->modified ||
                    g_strcmp0 (self->item->path, item->path) != 0 || self->item->missing != item->missing);

  g_clear_pointer (&self->item, easel_gallery_item_free);
  self->item = item;
  self->row_wanted = FALSE;
  if (other)
    {
      self->damaged = FALSE;
      g_clear_pointer (&self->wish, easel_tile_wish_withdraw);
    }
  if (self->shown > 0)
    want_tile (self);
  g_signal_emit (self, object_changed, 0, TRUE);
}

static void
easel_gallery_object_finalize (GObject *object)
{
  EaselGalleryObject *self = EASEL_GALLERY_OBJECT (object);

  if (self->model && g_hash_table_lookup (self->model->alive, &self->id) == self)
    g_hash_table_remove (self->model->alive, &self->id);
  g_clear_pointer (&self->wish, easel_tile_wish_withdraw);
  g_clear_object (&self->tile);
  g_clear_pointer (&self->item, easel_gallery_item_free);
  G_OBJECT_CLASS (easel_gallery_object_parent_class)->finalize (object);
}

static void
easel_gallery_object_class_init (EaselGalleryObjectClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = easel_gallery_object_finalize;
  object_changed = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                 G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
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

/* Common beginning and end stay: a new picture at the front does not make the view start over. */
static void
take_ids (EaselGalleryModel *self, GArray *ids)
{
  g_autoptr (GArray) old = g_steal_pointer (&self->ids);
  guint start = 0, end = 0;

  self->ids = ids;
  while (start < old->len && start < ids->len &&
         g_array_index (old, gint64, start) == g_array_index (ids, gint64, start))
    start++;
  while (end < old->len - start && end < ids->len - start &&
         g_array_index (old, gint64, old->len - 1 - end) == g_array_index (ids, gint64, ids->len - 1 - end))
    end++;
  if (old->len - start - end || ids->len - start - end)
    g_list_model_items_changed (G_LIST_MODEL (self), start, old->len - start - end, ids->len - start - end);
}

/* ---- rows, read on a worker ---- */

/* Gives rows to the objects that are still there; objects of `asked` that got none are gone. */
static void
take_rows (EaselGalleryModel *self, GPtrArray *items, GArray *asked)
{
  for (guint i = 0; items && i < items->len; i++)
    {
      EaselGalleryItem *item = items->pdata[i];
      EaselGalleryObject *object = g_hash_table_lookup (self->alive, &item->id);

      if (!object)
        continue;
      g_object_ref (object); /* what hears of it may let go of it */
      items->pdata[i] = NULL;
      set_item (object, item);
      g_object_unref (object);
    }
  for (guint i = 0; asked && i < asked->len; i++)
    {
      EaselGalleryObject *object = g_hash_table_lookup (self->alive, &g_array_index (asked, gint64, i));

      if (object)
        object->row_wanted = FALSE;
    }
}

static void
rows_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  EaselGallery *gallery = g_object_get_data (G_OBJECT (task), "gallery");
  GArray *ids = data;
  GError *error = NULL;
  GPtrArray *items = easel_gallery_get_many (gallery, (const gint64 *) (gpointer) ids->data, ids->len, &error);

  if (items)
    g_task_return_pointer (task, items, (GDestroyNotify) g_ptr_array_unref);
  else
    g_task_return_error (task, error);
}

static void
rows_read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGalleryModel *self = EASEL_GALLERY_MODEL (source);
  g_autoptr (GPtrArray) items = g_task_propagate_pointer (G_TASK (result), NULL);

  if (!self->gallery)
    return;
  take_rows (self, items, g_task_get_task_data (G_TASK (result)));
}

static gboolean
fetch_cb (gpointer user_data)
{
  EaselGalleryModel *self = user_data;
  g_autoptr (GTask) task = g_task_new (self, self->gone, rows_read_cb, NULL);

  self->fetch = 0;
  g_object_set_data_full (G_OBJECT (task), "gallery", g_object_ref (self->gallery), g_object_unref);
  g_task_set_task_data (task, g_steal_pointer (&self->wanted), (GDestroyNotify) g_array_unref);
  self->wanted = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_task_run_in_thread (task, rows_thread);
  return G_SOURCE_REMOVE;
}

/* A screenful of cells asks one after the other: one question for all of them. */
static void
want_row (EaselGalleryModel *self, EaselGalleryObject *object)
{
  if (object->row_wanted || !self->gallery)
    return;
  object->row_wanted = TRUE;
  g_array_append_val (self->wanted, object->id);
  if (!self->fetch)
    self->fetch = g_idle_add_full (G_PRIORITY_HIGH_IDLE, fetch_cb, self, NULL);
}

/* ---- the query ---- */

typedef struct
{
  EaselGallery *gallery;
  EaselGalleryQuery query;
  GStrv words;
  GArray *alive; /* ids of objects that exist: their rows are read again */
  GArray *ids;   /* the answer */
  GPtrArray *rows;
} Question;

static void
question_free (gpointer data)
{
  Question *question = data;

  g_object_unref (question->gallery);
  g_strfreev (question->words);
  g_array_unref (question->alive);
  g_clear_pointer (&question->ids, g_array_unref);
  g_clear_pointer (&question->rows, g_ptr_array_unref);
  g_free (question);
}

/* "" stands for nothing. */
static void
point_at (EaselGalleryQuery *query, GStrv words)
{
  query->text = *words[0] ? words[0] : NULL;
  query->model = *words[1] ? words[1] : NULL;
  query->tag = *words[2] ? words[2] : NULL;
}

static void
query_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Question *question = data;
  GError *error = NULL;

  question->ids = easel_gallery_query (question->gallery, &question->query, &error);
  if (question->ids)
    {
      g_array_append_vals (question->alive, question->ids->data, MIN (question->ids->len, FIRST_ROWS));
      question->rows = easel_gallery_get_many (question->gallery, (const gint64 *) (gpointer) question->alive->data,
                                               question->alive->len, &error);
    }
  if (error)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

static void start_query (EaselGalleryModel *self);

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGalleryModel *self = EASEL_GALLERY_MODEL (source);
  Question *question = g_task_get_task_data (G_TASK (result));
  g_autoptr (GError) error = NULL;
  gboolean ok = g_task_propagate_boolean (G_TASK (result), &error);

  self->running = FALSE;
  if (!self->gallery)
    return;
  if (self->again)
    {
      /* Somebody typed on: what is on the screen by then is the answer to that. */
      self->again = FALSE;
      start_query (self);
      return;
    }
  if (ok)
    {
      take_ids (self, g_steal_pointer (&question->ids));
      take_rows (self, question->rows, NULL);
    }
  g_signal_emit (self, model_loaded, 0, ok ? NULL : error->message);
}

static void
start_query (EaselGalleryModel *self)
{
  g_autoptr (GTask) task = NULL;
  Question *question;
  GHashTableIter iter;
  gpointer id;

  if (!self->gallery)
    return;
  if (self->running)
    {
      self->again = TRUE;
      return;
    }
  self->running = TRUE;
  question = g_new0 (Question, 1);
  question->gallery = g_object_ref (self->gallery);
  question->query = self->query;
  question->words = g_strdupv (self->words);
  point_at (&question->query, question->words);
  question->alive = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_hash_table_iter_init (&iter, self->alive);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    g_array_append_val (question->alive, *(gint64 *) id);
  task = g_task_new (self, self->gone, answered_cb, NULL);
  g_task_set_task_data (task, question, question_free);
  g_task_run_in_thread (task, query_thread);
}

void
easel_gallery_model_set_query (EaselGalleryModel *self, const EaselGalleryQuery *query)
{
  const char *words[] = { query->text ? query->text : "", query->model ? query->model : "",
                          query->tag ? query->tag : "", NULL };

  g_strfreev (self->words);
  self->words = g_strdupv ((GStrv) words);
  self->query = *query;
  start_query (self);
}

gboolean
easel_gallery_model_is_settled (EaselGalleryModel *self)
{
  return !self->running;
}

guint
easel_gallery_model_find (EaselGalleryModel *self, gint64 id)
{
  for (guint i = 0; i < self->ids->len; i++)
    if (g_array_index (self->ids, gint64, i) == id)
      return i;
  return G_MAXUINT;
}

gint64
easel_gallery_model_get_id (EaselGalleryModel *self, guint position)
{
  return position < self->ids->len ? g_array_index (self->ids, gint64, position) : 0;
}

static void
easel_gallery_model_dispose (GObject *object)
{
  EaselGalleryModel *self = EASEL_GALLERY_MODEL (object);
  GHashTableIter iter;
  gpointer item;
  GList *link;

  g_cancellable_cancel (self->gone);
  g_clear_handle_id (&self->fetch, g_source_remove);
  g_hash_table_iter_init (&iter, self->alive);
  while (g_hash_table_iter_next (&iter, NULL, &item))
    {
      EASEL_GALLERY_OBJECT (item)->model = NULL;
      g_clear_pointer (&EASEL_GALLERY_OBJECT (item)->wish, easel_tile_wish_withdraw);
    }
  g_hash_table_remove_all (self->alive);
  while ((link = g_queue_pop_head_link (&self->kept)))
    {
      g_autoptr (EaselGalleryObject) kept = g_steal_pointer (&link->data);
    }
  g_clear_pointer (&self->loader, easel_tile_loader_free);
  g_clear_object (&self->gallery);
  G_OBJECT_CLASS (easel_gallery_model_parent_class)->dispose (object);
}

static void
easel_gallery_model_finalize (GObject *object)
{
  EaselGalleryModel *self = EASEL_GALLERY_MODEL (object);

  g_array_unref (self->ids);
  g_array_unref (self->wanted);
  g_hash_table_unref (self->alive);
  g_strfreev (self->words);
  g_object_unref (self->gone);
  G_OBJECT_CLASS (easel_gallery_model_parent_class)->finalize (object);
}

static void
easel_gallery_model_class_init (EaselGalleryModelClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = easel_gallery_model_dispose;
  G_OBJECT_CLASS (klass)->finalize = easel_gallery_model_finalize;
  model_loaded = g_signal_new ("loaded", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                               G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
easel_gallery_model_init (EaselGalleryModel *self)
{
  const EaselGalleryQuery everything = EASEL_GALLERY_QUERY_INIT;
  const char *words[] = { "", "", "", NULL };

  self->ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  self->wanted = g_array_new (FALSE, FALSE, sizeof (gint64));
  self->alive = g_hash_table_new (g_int64_hash, g_int64_equal);
  self->gone = g_cancellable_new ();
  self->words = g_strdupv ((GStrv) words);
  self->query = everything;
}

EaselGalleryModel *
easel_gallery_model_new (EaselGallery *gallery, int scale)
{
  EaselGalleryModel *self = g_object_new (EASEL_TYPE_GALLERY_MODEL, NULL);

  self->gallery = g_object_ref (gallery);
  self->scale = MAX (1, scale);
  self->loader = easel_tile_loader_new (EASEL_GALLERY_TILE * self->scale, CORNER * self->scale);
  g_signal_connect_object (gallery, "changed", G_CALLBACK (start_query), self, G_CONNECT_SWAPPED);
  start_query (self);
  return self;
}
