/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/queue-list.h"

#include <glib/gi18n.h>

#include "ui/window.h"

struct _EaselQueueList
{
  AdwBin parent;

  /* Template widgets */
  GtkLabel *title;
  GtkToggleButton *pause;
  GtkListBox *list;

  /* Owned */
  EaselQueue *queue;
};

G_DEFINE_FINAL_TYPE (EaselQueueList, easel_queue_list, ADW_TYPE_BIN)

static guint
position_of (EaselQueueList *self, EaselQueueItem *item)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->queue));

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (EaselQueueItem) other = g_list_model_get_item (G_LIST_MODEL (self->queue), i);
      if (other == item)
        return i;
    }
  return G_MAXUINT;
}

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
  GtkWidget *row = gtk_widget_get_ancestor (widget, GTK_TYPE_LIST_BOX_ROW);
  return row ? g_object_get_data (G_OBJECT (row), "item") : NULL;
}

static void
move_by (EaselQueueList *self, EaselQueueItem *item, int by)
{
  guint from = item ? position_of (self, item) : G_MAXUINT;
  GError *error = NULL;

  if (from == G_MAXUINT || (by < 0 && from == 0) ||
      from + (guint) by >= g_list_model_get_n_items (G_LIST_MODEL (self->queue)))
    return;
  easel_queue_move (self->queue, from, from + (guint) by, &error);
  say (self, error);
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

static void
remove_clicked_cb (GtkButton *button, EaselQueueList *self)
{
  EaselQueueItem *item = item_of (GTK_WIDGET (button));
  guint at = item ? position_of (self, item) : G_MAXUINT;
  GError *error = NULL;

  if (at == G_MAXUINT)
    return;
  easel_queue_remove (self->queue, at, &error);
  say (self, error);
}

/* Its settings go to Create, and it leaves the queue: pressing Generate puts it back changed. */
static void
edit_clicked_cb (GtkButton *button, EaselQueueList *self)
{
  g_autoptr (EaselQueueItem) item = g_object_ref (item_of (GTK_WIDGET (button)));
  EaselWindow *window = easel_window_of (self);

  remove_clicked_cb (button, self);
  easel_window_edit_request (window, easel_queue_item_get_request (item));
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
  g_autofree char *title = g_markup_escape_text (*s->prompt ? s->prompt : _ ("(no prompt)"), -1);
  g_autofree char *subtitle = g_strdup_printf ("%d × %d · %s", s->width, s->height, s->model ? s->model : "");

  g_object_set_data_full (G_OBJECT (row), "item", g_object_ref (item), g_object_unref);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 1);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  if (easel_queue_get_current (self->queue) == item)
    adw_action_row_add_prefix (ADW_ACTION_ROW (row), gtk_image_new_from_icon_name ("media-playback-start-symbolic"));
  else
    {
      add_button (row, "go-up-symbolic", _ ("Move Up"), up_clicked_cb, self);
      add_button (row, "go-down-symbolic", _ ("Move Down"), down_clicked_cb, self);
      add_button (row, "document-edit-symbolic", _ ("Change"), edit_clicked_cb, self);
    }
  add_button (row, "user-trash-symbolic", _ ("Remove from the Queue"), remove_clicked_cb, self);
  return row;
}

static void
count_changed_cb (EaselQueueList *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->queue));
  g_autofree char *title = g_strdup_printf (ngettext ("%u picture in the queue", "%u pictures in the queue", n), n);

  gtk_label_set_label (self->title, title);
  gtk_widget_set_visible (GTK_WIDGET (self), n > 1 || (n > 0 && easel_queue_get_paused (self->queue)));
}

/* Which row is the running one changed: rows are made anew, for they differ. */
static void
current_changed_cb (EaselQueueList *self)
{
  gtk_list_box_bind_model (self->list, G_LIST_MODEL (self->queue), make_row_cb, self, NULL);
  count_changed_cb (self);
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
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/queue-list.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselQueueList, title);
  gtk_widget_class_bind_template_child (widget_class, EaselQueueList, pause);
  gtk_widget_class_bind_template_child (widget_class, EaselQueueList, list);
}

static void
easel_queue_list_init (EaselQueueList *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
