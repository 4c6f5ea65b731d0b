/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-grid.h"

#include <glib/gi18n.h>

#include "ui/gallery/gallery-actions.h"
#include "ui/gallery/gallery-cell.h"
#include "ui/gallery/pick-model.h"

#define CELL_WIDTH (EASEL_GALLERY_TILE + 6) /* with the padding of the style sheet */
#define MOST_COLUMNS 32

struct _EaselGalleryGrid
{
  AdwBin parent;

  GtkWidget *scroller, *view; /* borrowed */
  EaselGalleryModel *model;
  GtkSelectionModel *selection;
  GHashTable *cells; /* GtkListItem, borrowed, those that exist */
  gboolean picking;
  guint anchor;      /* where a range begins */
  guint columns, resize;
};

G_DEFINE_FINAL_TYPE (EaselGalleryGrid, easel_gallery_grid, ADW_TYPE_BIN)

enum
{
  OPEN,
  PICKED_CHANGED,
  MENU,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static EaselGalleryGrid *
grid_of (gpointer widget)
{
  return EASEL_GALLERY_GRID (gtk_widget_get_ancestor (GTK_WIDGET (widget), EASEL_TYPE_GALLERY_GRID));
}

/* ---- picking ---- */

static void
mark_cell (EaselGalleryGrid *self, GtkListItem *item)
{
  GtkWidget *cell = gtk_list_item_get_child (item);

  if (cell)
    easel_gallery_cell_set_picked (EASEL_GALLERY_CELL (cell), self->picking, gtk_list_item_get_selected (item));
}

static void
mark_cells (EaselGalleryGrid *self)
{
  GHashTableIter iter;
  gpointer item;

  g_hash_table_iter_init (&iter, self->cells);
  while (g_hash_table_iter_next (&iter, &item, NULL))
    mark_cell (self, item);
}

guint
easel_gallery_grid_count_picked (EaselGalleryGrid *self)
{
  g_autoptr (GtkBitset) set = self->selection ? gtk_selection_model_get_selection (self->selection) : NULL;
  return set ? (guint) gtk_bitset_get_size (set) : 0;
}

static void
selection_changed_cb (EaselGalleryGrid *self)
{
  if (!self->picking && easel_gallery_grid_count_picked (self) > 0)
    {
      self->picking = TRUE;
      mark_cells (self);
    }
  g_signal_emit (self, signals[PICKED_CHANGED], 0);
}

gboolean
easel_gallery_grid_get_picking (EaselGalleryGrid *self)
{
  return self->picking;
}

void
easel_gallery_grid_set_picking (EaselGalleryGrid *self, gboolean picking)
{
  if (self->picking == picking)
    return;
  self->picking = picking;
  if (!picking && self->selection)
    gtk_selection_model_unselect_all (self->selection);
  mark_cells (self);
  g_signal_emit (self, signals[PICKED_CHANGED], 0);
}

GArray *
easel_gallery_grid_get_picked (EaselGalleryGrid *self)
{
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GtkBitset) set = self->selection ? gtk_selection_model_get_selection (self->selection) : NULL;
  GtkBitsetIter iter;
  guint position;

  if (set && gtk_bitset_iter_init_first (&iter, set, &position))
    do
      {
        gint64 id = easel_gallery_model_get_id (self->model, position);
        if (id)
          g_array_append_val (ids, id);
      }
    while (gtk_bitset_iter_next (&iter, &position));
  return ids;
}

static EaselGalleryCell *
focused_cell (EaselGalleryGrid *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkWidget *focus = root ? gtk_root_get_focus (root) : NULL;
  GtkWidget *child = focus && gtk_widget_is_ancestor (focus, self->view) ? gtk_widget_get_first_child (focus) : NULL;

  return child && EASEL_IS_GALLERY_CELL (child) ? EASEL_GALLERY_CELL (child) : NULL;
}

GArray *
easel_gallery_grid_get_targets (EaselGalleryGrid *self)
{
  GArray *ids = easel_gallery_grid_get_picked (self);
  EaselGalleryCell *cell = ids->len ? NULL : focused_cell (self);
  EaselGalleryObject *object = cell ? easel_gallery_cell_get_object (cell) : NULL;

  if (object)
    {
      gint64 id = easel_gallery_object_get_id (object);
      g_array_append_val (ids, id);
    }
  return ids;
}

void
easel_gallery_grid_pick_all (EaselGalleryGrid *self)
{
  if (self->selection)
    gtk_selection_model_select_all (self->selection);
}

static void
toggle (EaselGalleryGrid *self, guint position)
{
  self->anchor = position;
  if (gtk_selection_model_is_selected (self->selection, position))
    gtk_selection_model_unselect_item (self->selection, position);
  else
    gtk_selection_model_select_item (self->selection, position, FALSE);
}

static void
pick_range (EaselGalleryGrid *self, guint position)
{
  guint first = MIN (self->anchor, position), last = MAX (self->anchor, position);

  gtk_selection_model_select_range (self->selection, first, last - first + 1, FALSE);
}

/* ---- the hand ---- */

static void
pressed_cb (GtkGestureClick *gesture, int n, double x, double y, GtkListItem *item)
{
  GtkWidget *cell = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (gesture));
  EaselGalleryGrid *self = grid_of (cell);
  GdkModifierType state = gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (gesture));
  guint position = gtk_list_item_get_position (item);

  if (!self->picking && !(state & (GDK_CONTROL_MASK | GDK_SHIFT_MASK)))
    return; /* opens when it is let go, unless it is dragged away */
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  gtk_widget_grab_focus (gtk_widget_get_parent (cell));
  if (state & GDK_SHIFT_MASK)
    pick_range (self, position);
  else
    toggle (self, position);
}

static void
released_cb (GtkGestureClick *gesture, int n, double x, double y, GtkListItem *item)
{
  GtkWidget *cell = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (gesture));

  if (gtk_gesture_get_sequence_state (GTK_GESTURE (gesture),
                                      gtk_gesture_single_get_current_sequence (GTK_GESTURE_SINGLE (gesture))) ==
          GTK_EVENT_SEQUENCE_CLAIMED ||
      !gtk_widget_contains (cell, x, y))
    return;
  /* Not left to the view: it would pick the tile, and with single clicks it picks what the pointer passes over. */
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  g_signal_emit (grid_of (cell), signals[OPEN], 0, gtk_list_item_get_position (item));
}

static void
held_cb (GtkGestureLongPress *gesture, double x, double y, GtkListItem *item)
{
  GtkWidget *cell = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (gesture));

  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  toggle (grid_of (cell), gtk_list_item_get_position (item));
}

static void
menu_cb (GtkGestureClick *gesture, int n, double x, double y, GtkListItem *item)
{
  GtkWidget *cell = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (gesture));
  EaselGalleryGrid *self = grid_of (cell);
  guint position = gtk_list_item_get_position (item);

  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  gtk_widget_grab_focus (gtk_widget_get_parent (cell));
  /* What was picked stays what is meant when the menu is asked of one of them. */
  if (self->picking && !gtk_selection_model_is_selected (self->selection, position))
    gtk_selection_model_select_range (self->selection, position, 1, TRUE);
  g_signal_emit (self, signals[MENU], 0, cell, x, y);
}

static GdkContentProvider *
drag_prepare_cb (GtkDragSource *source, double x, double y, GtkListItem *item)
{
  GtkWidget *cell = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (source));
  EaselGalleryGrid *self = grid_of (cell);
  EaselGalleryObject *object = easel_gallery_cell_get_object (EASEL_GALLERY_CELL (cell));
  const EaselGalleryItem *one = object ? easel_gallery_object_get_item (object) : NULL;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  if (!one)
    return NULL;
  if (gtk_list_item_get_selected (item))
    {
      g_autoptr (GtkBitset) set = gtk_selection_model_get_selection (self->selection);
      GtkBitsetIter iter;
      guint position;

      /* Those whose row was read: who drags a thousand has not seen them all, and gets those seen. */
      if (gtk_bitset_iter_init_first (&iter, set, &position))
        do
          {
            g_autoptr (EaselGalleryObject) other = g_list_model_get_item (G_LIST_MODEL (self->model), position);
            const EaselGalleryItem *row = other ? easel_gallery_object_get_item (other) : NULL;

            if (row && !row->missing)
              g_ptr_array_add (paths, g_strdup (row->path));
          }
        while (gtk_bitset_iter_next (&iter, &position));
    }
  if (paths->len == 0)
    {
      if (one->missing)
        return NULL;
      g_ptr_array_add (paths, g_strdup (one->path));
    }
  g_ptr_array_add (paths, NULL);
  return easel_gallery_actions_content ((const char *const *) paths->pdata, NULL);
}

static void
drag_begin_cb (GtkDragSource *source, GdkDrag *drag, GtkListItem *item)
{
  GtkWidget *cell = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (source));
  EaselGalleryObject *object = easel_gallery_cell_get_object (EASEL_GALLERY_CELL (cell));
  GdkTexture *tile = object ? easel_gallery_object_get_tile (object) : NULL;

  if (tile)
    gtk_drag_source_set_icon (source, GDK_PAINTABLE (tile), EASEL_GALLERY_TILE / 2, EASEL_GALLERY_TILE / 2);
}

/* ---- tiles ---- */

static void
selected_cb (GtkListItem *item, GParamSpec *spec, EaselGalleryGrid *self)
{
  mark_cell (self, item);
}

static void
setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, EaselGalleryGrid *self)
{
  GtkWidget *cell = GTK_WIDGET (easel_gallery_cell_new ());
  GtkGesture *click = gtk_gesture_click_new (), *menu = gtk_gesture_click_new (), *hold = gtk_gesture_long_press_new ();
  GtkDragSource *drag = gtk_drag_source_new ();

  gtk_list_item_set_child (item, cell);
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (menu), GDK_BUTTON_SECONDARY);
  gtk_gesture_single_set_touch_only (GTK_GESTURE_SINGLE (hold), TRUE);
  gtk_drag_source_set_actions (drag, GDK_ACTION_COPY);
  g_signal_connect (click, "pressed", G_CALLBACK (pressed_cb), item);
  g_signal_connect (click, "released", G_CALLBACK (released_cb), item);
  g_signal_connect (menu, "pressed", G_CALLBACK (menu_cb), item);
  g_signal_connect (hold, "pressed", G_CALLBACK (held_cb), item);
  g_signal_connect (drag, "prepare", G_CALLBACK (drag_prepare_cb), item);
  g_signal_connect (drag, "drag-begin", G_CALLBACK (drag_begin_cb), item);
  gtk_widget_add_controller (cell, GTK_EVENT_CONTROLLER (click));
  gtk_widget_add_controller (cell, GTK_EVENT_CONTROLLER (menu));
  gtk_widget_add_controller (cell, GTK_EVENT_CONTROLLER (hold));
  gtk_widget_add_controller (cell, GTK_EVENT_CONTROLLER (drag));
  g_signal_connect_object (item, "notify::selected", G_CALLBACK (selected_cb), self, 0);
  g_hash_table_add (self->cells, item);
}

static void
bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, EaselGalleryGrid *self)
{
  easel_gallery_cell_set_object (EASEL_GALLERY_CELL (gtk_list_item_get_child (item)), gtk_list_item_get_item (item));
  mark_cell (self, item);
}

static void
unbind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, EaselGalleryGrid *self)
{
  easel_gallery_cell_set_object (EASEL_GALLERY_CELL (gtk_list_item_get_child (item)), NULL);
}

static void
teardown_cb (GtkSignalListItemFactory *factory, GtkListItem *item, EaselGalleryGrid *self)
{
  if (self->cells)
    g_hash_table_remove (self->cells, item);
}

static void
activate_cb (EaselGalleryGrid *self, guint position)
{
  g_signal_emit (self, signals[OPEN], 0, position);
}

void
easel_gallery_grid_set_model (EaselGalleryGrid *self, EaselGalleryModel *model)
{
  g_set_object (&self->model, model);
  g_clear_object (&self->selection);
  self->selection = GTK_SELECTION_MODEL (easel_pick_model_new (G_LIST_MODEL (model)));
  g_signal_connect_object (self->selection, "selection-changed", G_CALLBACK (selection_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->selection, "items-changed", G_CALLBACK (selection_changed_cb), self,
                           G_CONNECT_SWAPPED | G_CONNECT_AFTER);
  gtk_grid_view_set_model (GTK_GRID_VIEW (self->view), self->selection);
}

GtkAdjustment *
easel_gallery_grid_get_adjustment (EaselGalleryGrid *self)
{
  return gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self->scroller));
}

void
easel_gallery_grid_focus (EaselGalleryGrid *self, guint position)
{
  if (position != G_MAXUINT)
    gtk_widget_activate_action (self->view, "list.scroll-to-item", "u", position);
  gtk_widget_grab_focus (self->view);
}

static void
menu_key_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryGrid *self = EASEL_GALLERY_GRID (widget);
  EaselGalleryCell *cell = focused_cell (self);

  if (cell)
    g_signal_emit (self, signals[MENU], 0, cell, EASEL_GALLERY_TILE / 2.0, EASEL_GALLERY_TILE / 2.0);
}

/* ---- object ---- */

static gboolean
resize_cb (gpointer user_data)
{
  EaselGalleryGrid *self = user_data;

  self->resize = 0;
  gtk_grid_view_set_max_columns (GTK_GRID_VIEW (self->view), self->columns);
  return G_SOURCE_REMOVE;
}

/* The view keeps thirty rows of max-columns tiles alive: no more columns than there is room for. */
static void
easel_gallery_grid_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  EaselGalleryGrid *self = EASEL_GALLERY_GRID (widget);
  guint columns = (guint) CLAMP (width / CELL_WIDTH, 2, MOST_COLUMNS);

  GTK_WIDGET_CLASS (easel_gallery_grid_parent_class)->size_allocate (widget, width, height, baseline);
  if (columns == self->columns)
    return;
  self->columns = columns;
  if (!self->resize)
    self->resize = g_idle_add_full (GTK_PRIORITY_RESIZE - 1, resize_cb, self, NULL);
}

static void
easel_gallery_grid_dispose (GObject *object)
{
  EaselGalleryGrid *self = EASEL_GALLERY_GRID (object);

  g_clear_handle_id (&self->resize, g_source_remove);
  adw_bin_set_child (ADW_BIN (self), NULL);
  g_clear_object (&self->selection);
  g_clear_object (&self->model);
  g_clear_pointer (&self->cells, g_hash_table_unref);
  G_OBJECT_CLASS (easel_gallery_grid_parent_class)->dispose (object);
}

static void
easel_gallery_grid_class_init (EaselGalleryGridClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_grid_dispose;
  widget_class->size_allocate = easel_gallery_grid_size_allocate;
  signals[OPEN] = g_signal_new ("open", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
  signals[PICKED_CHANGED] = g_signal_new ("picked-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                          0);
  signals[MENU] = g_signal_new ("menu", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3, GTK_TYPE_WIDGET,
                                G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  gtk_widget_class_install_action (widget_class, "grid.menu", NULL, menu_key_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Menu, 0, "grid.menu", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_F10, GDK_SHIFT_MASK, "grid.menu", NULL);
}

static void
easel_gallery_grid_init (EaselGalleryGrid *self)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();

  self->cells = g_hash_table_new (NULL, NULL);
  g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), self);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_cb), self);
  g_signal_connect (factory, "unbind", G_CALLBACK (unbind_cb), self);
  g_signal_connect (factory, "teardown", G_CALLBACK (teardown_cb), self);
  self->columns = 6;
  self->view = gtk_grid_view_new (NULL, factory);
  gtk_grid_view_set_min_columns (GTK_GRID_VIEW (self->view), 2);
  gtk_grid_view_set_max_columns (GTK_GRID_VIEW (self->view), self->columns);
  gtk_widget_add_css_class (self->view, "easel-grid");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Pictures"), -1);
  g_signal_connect_object (self->view, "activate", G_CALLBACK (activate_cb), self, G_CONNECT_SWAPPED);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), self->view);
  adw_bin_set_child (ADW_BIN (self), self->scroller);
}
