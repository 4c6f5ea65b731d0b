/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/pick-model.h"

struct _EaselPickModel
{
  GObject parent;
  GtkSelectionModel *all; /* a GtkMultiSelection */
};

static void list_init (GListModelInterface *iface);
static void selection_init (GtkSelectionModelInterface *iface);
G_DEFINE_FINAL_TYPE_WITH_CODE (EaselPickModel, easel_pick_model, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_init)
                               G_IMPLEMENT_INTERFACE (GTK_TYPE_SELECTION_MODEL, selection_init))

static GType
get_item_type (GListModel *list)
{
  return g_list_model_get_item_type (G_LIST_MODEL (EASEL_PICK_MODEL (list)->all));
}

static guint
get_n_items (GListModel *list)
{
  return EASEL_PICK_MODEL (list)->all ? g_list_model_get_n_items (G_LIST_MODEL (EASEL_PICK_MODEL (list)->all)) : 0;
}

static gpointer
get_item (GListModel *list, guint position)
{
  return g_list_model_get_item (G_LIST_MODEL (EASEL_PICK_MODEL (list)->all), position);
}

static void
list_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static gboolean
is_selected (GtkSelectionModel *model, guint position)
{
  return gtk_selection_model_is_selected (EASEL_PICK_MODEL (model)->all, position);
}

static GtkBitset *
get_selection_in_range (GtkSelectionModel *model, guint position, guint n)
{
  return gtk_selection_model_get_selection_in_range (EASEL_PICK_MODEL (model)->all, position, n);
}

/* "This one and no other" is what a view asks for when the focus moves. */
static gboolean
select_item (GtkSelectionModel *model, guint position, gboolean alone)
{
  return !alone && gtk_selection_model_select_item (EASEL_PICK_MODEL (model)->all, position, FALSE);
}

static gboolean
unselect_item (GtkSelectionModel *model, guint position)
{
  return gtk_selection_model_unselect_item (EASEL_PICK_MODEL (model)->all, position);
}

static gboolean
select_range (GtkSelectionModel *model, guint position, guint n, gboolean alone)
{
  return gtk_selection_model_select_range (EASEL_PICK_MODEL (model)->all, position, n, alone);
}

static gboolean
unselect_range (GtkSelectionModel *model, guint position, guint n)
{
  return gtk_selection_model_unselect_range (EASEL_PICK_MODEL (model)->all, position, n);
}

static gboolean
select_all (GtkSelectionModel *model)
{
  return gtk_selection_model_select_all (EASEL_PICK_MODEL (model)->all);
}

static gboolean
unselect_all (GtkSelectionModel *model)
{
  return gtk_selection_model_unselect_all (EASEL_PICK_MODEL (model)->all);
}

static gboolean
set_selection (GtkSelectionModel *model, GtkBitset *selected, GtkBitset *mask)
{
  return gtk_selection_model_set_selection (EASEL_PICK_MODEL (model)->all, selected, mask);
}

static void
selection_init (GtkSelectionModelInterface *iface)
{
  iface->is_selected = is_selected;
  iface->get_selection_in_range = get_selection_in_range;
  iface->select_item = select_item;
  iface->unselect_item = unselect_item;
  iface->select_range = select_range;
  iface->unselect_range = unselect_range;
  iface->select_all = select_all;
  iface->unselect_all = unselect_all;
  iface->set_selection = set_selection;
}

static void
easel_pick_model_dispose (GObject *object)
{
  g_clear_object (&EASEL_PICK_MODEL (object)->all);
  G_OBJECT_CLASS (easel_pick_model_parent_class)->dispose (object);
}

static void
easel_pick_model_class_init (EaselPickModelClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = easel_pick_model_dispose;
}

static void
easel_pick_model_init (EaselPickModel *self)
{
}

EaselPickModel *
easel_pick_model_new (GListModel *list)
{
  EaselPickModel *self = g_object_new (EASEL_TYPE_PICK_MODEL, NULL);

  self->all = GTK_SELECTION_MODEL (gtk_multi_selection_new (g_object_ref (list)));
  g_signal_connect_object (self->all, "items-changed", G_CALLBACK (g_list_model_items_changed), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->all, "selection-changed", G_CALLBACK (gtk_selection_model_selection_changed), self,
                           G_CONNECT_SWAPPED);
  return self;
}
