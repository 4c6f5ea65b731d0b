/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/input-row.h"

#include <glib/gi18n.h>

#include "engine/gallery/gallery.h"
#include "ui/compat.h"
#include "ui/window.h"

#define SIDE 56 /* pixels of the thumbnail's longer side */

struct _EaselInputRow
{
  AdwActionRow parent;

  GtkWidget *thumbnail, *frame, *clear; /* borrowed: children; the frame holds the thumbnail to its size */
  char *path;
  EaselInput kind;
  GCancellable *looking;
};

G_DEFINE_FINAL_TYPE (EaselInputRow, easel_input_row, ADW_TYPE_ACTION_ROW)

enum
{
  PATH = 1,
  N_PROPERTIES
};
static GParamSpec *properties[N_PROPERTIES];

/* ---- its thumbnail ---- */

static void
thumbnail_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  char *path = easel_thumbnail_ensure (data, 256, &error);

  if (path)
    g_task_return_pointer (task, path, g_free);
  else
    g_task_return_error (task, error);
}

static void
thumbnail_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselInputRow *self = EASEL_INPUT_ROW (source);
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_task_propagate_pointer (G_TASK (result), &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || !self->thumbnail)
    return;
  gtk_widget_set_visible (self->frame, path != NULL);
  if (path)
    gtk_picture_set_filename (GTK_PICTURE (self->thumbnail), path);
  if (error && easel_window_of (self))
    easel_window_toast (easel_window_of (self), error->message);
}

static void
show_input (EaselInputRow *self)
{
  g_autofree char *name = self->path ? g_path_get_basename (self->path) : NULL;
  g_autofree char *shown = name ? g_filename_display_name (name) : NULL;
  g_autofree char *escaped = shown ? g_markup_escape_text (shown, -1) : NULL;

  if (!escaped)
    escaped = g_strdup (self->kind == EASEL_INPUT_CLIP_OPTIONAL ? _ ("None: made from words alone")
                                                                : _ ("None yet; this model needs one"));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self), escaped);
  gtk_widget_set_visible (self->clear, self->path != NULL);
  g_cancellable_cancel (self->looking);
  g_clear_object (&self->looking);
  gtk_widget_set_visible (self->frame, FALSE);
  if (self->path)
    {
      g_autoptr (GTask) task = NULL;

      self->looking = g_cancellable_new ();
      task = g_task_new (self, self->looking, thumbnail_cb, NULL);
      g_task_set_task_data (task, g_strdup (self->path), g_free);
      g_task_run_in_thread (task, thumbnail_thread);
    }
}

const char *
easel_input_row_get_path (EaselInputRow *self)
{
  return self->path;
}

void
easel_input_row_set_path (EaselInputRow *self, const char *path)
{
  if (g_strcmp0 (self->path, path) == 0)
    return;
  g_free (self->path);
  self->path = g_strdup (path);
  show_input (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PATH]);
}

void
easel_input_row_set_kind (EaselInputRow *self, EaselInput kind)
{
  self->kind = kind;
  gtk_widget_set_visible (GTK_WIDGET (self), kind != EASEL_INPUT_NONE);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self),
                                 kind == EASEL_INPUT_PICTURE ? _ ("Begin With a Picture") : _ ("Begin With a Clip"));
  show_input (self);
}

/* ---- its shape ---- */

/* The thumbnail stands in the shape of the clip, and shows what of the file is kept. */
void
easel_input_row_set_fits (EaselInputRow *self, gboolean fits)
{
  gtk_picture_set_content_fit (GTK_PICTURE (self->thumbnail), fits ? GTK_CONTENT_FIT_CONTAIN : GTK_CONTENT_FIT_COVER);
}

void
easel_input_row_set_size (EaselInputRow *self, int width, int height)
{
  const double ratio = width > 0 && height > 0 ? CLAMP ((double) width / height, 0.5, 2) : 1;
  const int w = (int) (SIDE * MIN (ratio, 1)), h = (int) (SIDE * MIN (1 / ratio, 1));

  gtk_widget_set_size_request (self->thumbnail, w, h);
  adw_clamp_set_maximum_size (ADW_CLAMP (self->frame), w);
}

/* ---- choosing ---- */

static void
chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (EaselInputRow) self = user_data;
  g_autofree char *path = file ? g_file_get_path (file) : NULL;

  if (path)
    easel_input_row_set_path (self, path);
}

static void
choose_clicked_cb (EaselInputRow *self)
{
  easel_compat_open_file (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))),
                          adw_preferences_row_get_title (ADW_PREFERENCES_ROW (self)), chosen_cb, g_object_ref (self));
}

static void
clear_clicked_cb (EaselInputRow *self)
{
  easel_input_row_set_path (self, NULL);
}

static gboolean
drop_cb (EaselInputRow *self, const GValue *value, double x, double y)
{
  g_autofree char *path = g_file_get_path (g_value_get_object (value));

  if (path)
    easel_input_row_set_path (self, path);
  return path != NULL;
}

/* ---- object ---- */

static void
easel_input_row_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  if (id == PATH)
    g_value_set_string (value, EASEL_INPUT_ROW (object)->path);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
easel_input_row_dispose (GObject *object)
{
  EaselInputRow *self = EASEL_INPUT_ROW (object);

  g_cancellable_cancel (self->looking);
  g_clear_object (&self->looking);
  self->thumbnail = NULL;
  G_OBJECT_CLASS (easel_input_row_parent_class)->dispose (object);
}

static void
easel_input_row_finalize (GObject *object)
{
  g_free (EASEL_INPUT_ROW (object)->path);
  G_OBJECT_CLASS (easel_input_row_parent_class)->finalize (object);
}

static void
easel_input_row_class_init (EaselInputRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = easel_input_row_get_property;
  object_class->dispose = easel_input_row_dispose;
  object_class->finalize = easel_input_row_finalize;
  properties[PATH] = g_param_spec_string ("path", NULL, NULL, NULL,
                                          G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
easel_input_row_init (EaselInputRow *self)
{
  GtkWidget *choose = gtk_button_new_from_icon_name ("document-open-symbolic");
  GtkDropTarget *drop = gtk_drop_target_new (G_TYPE_FILE, GDK_ACTION_COPY);

  self->thumbnail = gtk_picture_new ();
  gtk_picture_set_can_shrink (GTK_PICTURE (self->thumbnail), TRUE);
  gtk_picture_set_content_fit (GTK_PICTURE (self->thumbnail), GTK_CONTENT_FIT_COVER);
  gtk_widget_set_valign (self->thumbnail, GTK_ALIGN_CENTER);
  gtk_widget_set_overflow (self->thumbnail, GTK_OVERFLOW_HIDDEN);
  gtk_widget_add_css_class (self->thumbnail, "input-shape");
  self->frame = adw_clamp_new ();
  adw_clamp_set_child (ADW_CLAMP (self->frame), self->thumbnail);
  adw_clamp_set_tightening_threshold (ADW_CLAMP (self->frame), 0);
  gtk_widget_set_visible (self->frame, FALSE);
  easel_input_row_set_size (self, 0, 0);
  adw_action_row_add_prefix (ADW_ACTION_ROW (self), self->frame);
  self->clear = gtk_button_new_from_icon_name ("edit-clear-symbolic");
  gtk_widget_set_tooltip_text (self->clear, _ ("Begin With None"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->clear), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Begin With None"),
                                  -1);
  gtk_widget_set_tooltip_text (choose, _ ("Choose a File"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (choose), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Choose a File"), -1);
  g_signal_connect_object (choose, "clicked", G_CALLBACK (choose_clicked_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->clear, "clicked", G_CALLBACK (clear_clicked_cb), self, G_CONNECT_SWAPPED);
  for (int i = 0; i < 2; i++)
    {
      GtkWidget *button = i ? choose : self->clear;

      gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
      gtk_widget_add_css_class (button, "flat");
      adw_action_row_add_suffix (ADW_ACTION_ROW (self), button);
    }
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (self), 2);
  g_signal_connect_object (drop, "drop", G_CALLBACK (drop_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drop));
  easel_input_row_set_kind (self, EASEL_INPUT_NONE);
}
