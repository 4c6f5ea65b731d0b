/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/queue-list.h"

#include <glib/gi18n.h>

#include "ui/compat.h"
#include "ui/window.h"

struct _EaselQueueList
{
  AdwBin parent;

  /* Template widgets */
  GtkLabel *title;
  GtkToggleButton *pause;
  GtkButton *clear;
  GtkListBox *list;

  /* Owned */
  EaselQueue *queue;
};

G_DEFINE_FINAL_TYPE (EaselQueueList, easel_queue_list, ADW_TYPE_BIN)

enum
{
  EDIT,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void
say (EaselQueueList *self, GError *error)
{
  EaselWindow *window = easel_window_of (self);

  if (error && window)
    easel_window_toast (window, error->message);
  g_clear_error (&error);
}

static EaselQueueItem *
item_of (GtkWidget *widget)
{
  GtkWidget *row = GTK_IS_LIST_BOX_ROW (widget) ? widget : gtk_widget_get_ancestor (widget, GTK_TYPE_LIST_BOX_ROW);
  return row ? g_object_get_data (G_OBJECT (row), "item") : NULL;
}

/* ---- order ---- */

static gboolean
focus_cb (gpointer row)
{
  if (gtk_widget_get_root (row))
    gtk_widget_grab_focus (row);
  return G_SOURCE_REMOVE;
}

/* The rows are made anew: the focus goes with the item, once the new one has its place. */
static void
move_to (EaselQueueList *self, EaselQueueItem *item, guint to)
{
  guint from = item ? easel_queue_find (self->queue, item) : G_MAXUINT;
  GtkListBoxRow *row;
  GError *error = NULL;

  if (from == G_MAXUINT || from == to)
    return;
  if (!easel_queue_move (self->queue, from, to, &error))
    {
      say (self, error);
      return;
    }
  row = gtk_list_box_get_row_at_index (self->list, (int) to);
  if (row)
    g_idle_add_full (G_PRIORITY_LOW, focus_cb, g_object_ref (row), g_object_unref);
}

static gboolean
can_move (EaselQueueList *self, guint to)
{
  return to >= (easel_queue_get_current (self->queue) ? 1 : 0) && to < easel_queue_n_to_do (self->queue);
}

static void
move_by (EaselQueueList *self, EaselQueueItem *item, int by)
{
  guint from = item ? easel_queue_find (self->queue, item) : G_MAXUINT;

  if (from != G_MAXUINT && !(by < 0 && from == 0) && can_move (self, from + (guint) by))
    move_to (self, item, from + (guint) by);
}

static void
up_clicked_cb (GtkButton *button, EaselQueueList *self)
{
  move_by (self, item_of (GTK_WIDGET (button)), -1);
}

static void
down_clicked_cb (GtkButton *button, EaselQueueList *self)
{
  move_by (self, item_of (GTK_WIDGET (button)), 1);
}

static gboolean
key_cb (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, EaselQueueList *self)
{
  GtkWidget *row = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (controller));
  EaselQueueItem *item = item_of (row);
  GError *error = NULL;

  if (key == GDK_KEY_Delete || key == GDK_KEY_KP_Delete)
    {
      if (!easel_queue_remove (self->queue, easel_queue_find (self->queue, item), &error))
        say (self, error);
      return TRUE;
    }
  if ((state & GDK_ALT_MASK) == 0 || (key != GDK_KEY_Up && key != GDK_KEY_Down))
    return FALSE;
  move_by (self, item, key == GDK_KEY_Up ? -1 : 1);
  return TRUE;
}

static GdkContentProvider *
drag_prepare_cb (GtkDragSource *source, double x, double y, EaselQueueItem *item)
{
  return gdk_content_provider_new_typed (EASEL_TYPE_QUEUE_ITEM, item);
}

static void
drag_begin_cb (GtkDragSource *source, GdkDrag *drag, gpointer user_data)
{
  GtkWidget *row = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (source));
  g_autoptr (GdkPaintable) picture = gtk_widget_paintable_new (row);

  gtk_drag_source_set_icon (source, picture, 0, 0);
}

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, EaselQueueList *self)
{
  GtkWidget *row = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (target));
  guint to = easel_queue_find (self->queue, item_of (row));

  if (to == G_MAXUINT || !can_move (self, to))
    return FALSE;
  move_to (self, g_value_get_object (value), to);
  return TRUE;
}

static void
make_movable (EaselQueueList *self, GtkWidget *row, EaselQueueItem *item)
{
  GtkDragSource *source = gtk_drag_source_new ();
  GtkDropTarget *target = gtk_drop_target_new (EASEL_TYPE_QUEUE_ITEM, GDK_ACTION_MOVE);

  gtk_drag_source_set_actions (source, GDK_ACTION_MOVE);
  g_signal_connect_object (source, "prepare", G_CALLBACK (drag_prepare_cb), item, 0);
  g_signal_connect (source, "drag-begin", G_CALLBACK (drag_begin_cb), NULL);
  gtk_widget_add_controller (row, GTK_EVENT_CONTROLLER (source));
  g_signal_connect_object (target, "drop", G_CALLBACK (drop_cb), self, 0);
  gtk_widget_add_controller (row, GTK_EVENT_CONTROLLER (target));
}

/* ---- one item ---- */

static void
remove_clicked_cb (GtkButton *button, EaselQueueList *self)
{
  EaselQueueItem *item = item_of (GTK_WIDGET (button));
  GError *error = NULL;

  if (item && !easel_queue_remove (self->queue, easel_queue_find (self->queue, item), &error))
    say (self, error);
}

/* It stays where it is until the changed one takes its place. */
static void
edit_clicked_cb (GtkButton *button, EaselQueueList *self)
{
  g_signal_emit (self, signals[EDIT], 0, item_of (GTK_WIDGET (button)));
}

static void
retry_clicked_cb (GtkButton *button, EaselQueueList *self)
{
  EaselQueueItem *item = item_of (GTK_WIDGET (button));
  GError *error = NULL;

  if (item && !easel_queue_replace (self->queue, easel_queue_find (self->queue, item),
                                    easel_queue_item_get_request (item), &error))
    say (self, error);
}

static void
add_button (GtkWidget *row, const char *icon, const char *label, gpointer callback, EaselQueueList *self)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);

  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  g_signal_connect_object (button, "clicked", callback, self, 0);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
}

static GtkWidget *
make_row_cb (gpointer object, gpointer user_data)
{
  EaselQueueList *self = user_data;
  EaselQueueItem *item = object;
  const EaselRequestSettings *s = easel_request_settings (easel_queue_item_get_request (item));
  GtkWidget *row = adw_action_row_new ();
  GtkEventController *keys = gtk_event_controller_key_new ();
  g_autofree char *title = g_markup_escape_text (*s->prompt ? s->prompt : _ ("(no prompt)"), -1);
  g_autofree char *subtitle = g_strdup_printf ("%d × %d · %s", s->width, s->height, s->model ? s->model : "");
  gboolean failed = easel_queue_item_get_state (item) == EASEL_JOB_FAILED;
  g_autofree char *problem = failed ? g_markup_escape_text (easel_queue_item_get_message (item), -1) : NULL;

  g_object_set_data_full (G_OBJECT (row), "item", g_object_ref (item), g_object_unref);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 1);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), failed ? problem : subtitle);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), failed ? 4 : 1);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), FALSE);
  g_signal_connect_object (keys, "key-pressed", G_CALLBACK (key_cb), self, 0);
  gtk_widget_add_controller (row, keys);
  if (easel_queue_get_current (self->queue) == item)
    adw_action_row_add_prefix (ADW_ACTION_ROW (row), gtk_image_new_from_icon_name ("media-playback-start-symbolic"));
  else if (failed)
    {
      adw_action_row_add_prefix (ADW_ACTION_ROW (row), gtk_image_new_from_icon_name ("dialog-warning-symbolic"));
      add_button (row, "view-refresh-symbolic", _ ("Try Again"), retry_clicked_cb, self);
      add_button (row, "document-edit-symbolic", _ ("Change"), edit_clicked_cb, self);
    }
  else
    {
      make_movable (self, row, item);
      add_button (row, "go-up-symbolic", _ ("Move Up"), up_clicked_cb, self);
      add_button (row, "go-down-symbolic", _ ("Move Down"), down_clicked_cb, self);
      add_button (row, "document-edit-symbolic", _ ("Change"), edit_clicked_cb, self);
    }
  add_button (row, "user-trash-symbolic", _ ("Remove from the Queue"), remove_clicked_cb, self);
  return row;
}

/* ---- the whole ---- */

static void
count_changed_cb (EaselQueueList *self)
{
  guint n = easel_queue_n_to_do (self->queue), all = g_list_model_get_n_items (G_LIST_MODEL (self->queue));
  gboolean paused = easel_queue_get_paused (self->queue);
  g_autofree char *title = NULL;

  if (n == 0 && all > 0)
    title = g_strdup_printf (ngettext ("%u could not be made", "%u could not be made", all), all);
  else if (paused)
    title = g_strdup_printf (ngettext ("%u in the queue, paused", "%u in the queue, paused", n), n);
  else
    title = g_strdup_printf (ngettext ("%u in the queue", "%u in the queue", n), n);
  gtk_label_set_label (self->title, title);
  gtk_widget_set_visible (GTK_WIDGET (self), n > 1 || all > n || (n > 0 && paused));
}

/* Which row is the running one changed: rows are made anew, for they differ. */
static void
current_changed_cb (EaselQueueList *self)
{
  gtk_list_box_bind_model (self->list, G_LIST_MODEL (self->queue), make_row_cb, self, NULL);
  count_changed_cb (self);
}

static void
clear_all (gpointer user_data)
{
  EaselQueueList *self = user_data;
  GError *error = NULL;

  if (!easel_queue_clear (self->queue, &error))
    say (self, error);
}

static void
clear_clicked_cb (EaselQueueList *self)
{
  easel_compat_confirm (GTK_WIDGET (self), _ ("Empty the Queue?"),
                        _ ("What waits is removed. What is being made goes on, and what was made stays."),
                        _ ("_Empty"), TRUE, clear_all, self);
}

void
easel_queue_list_set_queue (EaselQueueList *self, EaselQueue *queue)
{
  g_return_if_fail (!self->queue);
  self->queue = g_object_ref (queue);
  g_object_bind_property (queue, "paused", self->pause, "active", G_BINDING_SYNC_CREATE | G_BINDING_BIDIRECTIONAL);
  g_signal_connect_object (queue, "items-changed", G_CALLBACK (count_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (queue, "notify::paused", G_CALLBACK (count_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (queue, "notify::current", G_CALLBACK (current_changed_cb), self, G_CONNECT_SWAPPED);
  current_changed_cb (self);
}

static void
easel_queue_list_dispose (GObject *object)
{
  EaselQueueList *self = EASEL_QUEUE_LIST (object);

  if (self->list)
    gtk_list_box_bind_model (self->list, NULL, NULL, NULL, NULL);
  g_clear_object (&self->queue);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_QUEUE_LIST);
  G_OBJECT_CLASS (easel_queue_list_parent_class)->dispose (object);
}

static void
easel_queue_list_class_init (EaselQueueListClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_queue_list_dispose;
  signals[EDIT] = g_signal_new ("edit", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                1, EASEL_TYPE_QUEUE_ITEM);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/queue-list.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselQueueList, title);
  gtk_widget_class_bind_template_child (widget_class, EaselQueueList, pause);
  gtk_widget_class_bind_template_child (widget_class, EaselQueueList, clear);
  gtk_widget_class_bind_template_child (widget_class, EaselQueueList, list);
  gtk_widget_class_bind_template_callback (widget_class, clear_clicked_cb);
}

static void
easel_queue_list_init (EaselQueueList *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
