/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-detail.h"

#include <glib/gi18n.h>
#include <string.h>

#include "engine/media/image-file.h"
#include "ui/application.h"
#include "ui/compat.h"
#include "ui/window.h"

#define VARIATIONS 4

struct _EaselGalleryDetail
{
  AdwBin parent;

  /* Template widgets */
  GtkScrolledWindow *scroller;
  GtkLabel *name;
  GtkPicture *picture;
  GtkAdjustment *stars_adjustment;
  AdwEntryRow *tags;
  AdwPreferencesGroup *facts;

  EaselGalleryItem *item;
  EaselRequest *request; /* of the item; NULL: not made by Easel */
  GPtrArray *rows;       /* in facts, borrowed */
  GCancellable *loading;
};

G_DEFINE_FINAL_TYPE (EaselGalleryDetail, easel_gallery_detail, ADW_TYPE_BIN)

enum
{
  BACK,
  STEP,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void
say (EaselGalleryDetail *self, const char *message)
{
  EaselWindow *window = easel_window_of (self);
  if (window && message)
    easel_window_toast (window, message);
}

/* ---- the settings ---- */

static void
copy_clicked_cb (GtkButton *button, EaselGalleryDetail *self)
{
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), g_object_get_data (G_OBJECT (button), "text"));
  say (self, _ ("Copied."));
}

static void
add_fact (EaselGalleryDetail *self, const char *title, const char *value)
{
  GtkWidget *row, *copy;
  g_autofree char *escaped = NULL, *label = NULL;

  if (!value || !*value)
    return;
  row = adw_action_row_new ();
  copy = gtk_button_new_from_icon_name ("edit-copy-symbolic");
  escaped = g_markup_escape_text (value, -1);
  /* Translators: a setting's name, such as "Seed". */
  label = g_strdup_printf (_ ("Copy %s"), title);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), escaped);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 0);
  gtk_widget_set_valign (copy, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (copy, "flat");
  gtk_widget_set_tooltip_text (copy, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (copy), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  g_object_set_data_full (G_OBJECT (copy), "text", g_strdup (value), g_free);
  g_signal_connect_object (copy, "clicked", G_CALLBACK (copy_clicked_cb), self, 0);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), copy);
  adw_preferences_group_add (self->facts, row);
  g_ptr_array_add (self->rows, row);
}

static void
add_number (EaselGalleryDetail *self, const char *title, double value, int digits)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  char format[8];

  g_snprintf (format, sizeof format, "%%.%df", digits);
  g_ascii_formatd (text, sizeof text, format, value);
  add_fact (self, title, text);
}

static void
fill_facts (EaselGalleryDetail *self)
{
  const EaselGalleryItem *item = self->item;
  g_autofree char *size = g_strdup_printf ("%d × %d", item->width, item->height);
  g_autofree char *bytes = g_format_size ((guint64) item->bytes);
  g_autoptr (GDateTime) when = g_date_time_new_from_unix_local (item->created);
  g_autofree char *date = g_date_time_format (when, "%c");

  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (self->facts, self->rows->pdata[i]);
  g_ptr_array_set_size (self->rows, 0);
  add_fact (self, _ ("Prompt"), item->prompt);
  add_fact (self, _ ("Left Out"), item->negative);
  add_fact (self, _ ("Model"), item->model);
  add_fact (self, _ ("Size"), size);
  if (self->request)
    {
      const EaselRequestSettings *s = easel_request_settings (self->request);

      add_number (self, _ ("Seed"), (double) s->seed, 0);
      add_number (self, _ ("Steps"), s->steps, 0);
      add_number (self, _ ("Guidance"), s->guidance, 1);
      add_fact (self, _ ("Sampler"), s->sampler);
    }
  add_fact (self, _ ("Made"), date);
  add_fact (self, _ ("File"), item->path);
  add_fact (self, _ ("File Size"), bytes);
}

/* ---- the picture ---- */

static void
load_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  GdkTexture *texture = gdk_texture_new_from_filename (data, &error);

  if (texture)
    g_task_return_pointer (task, texture, g_object_unref);
  else
    g_task_return_error (task, error);
}

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkTexture) texture = g_task_propagate_pointer (G_TASK (result), &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  gtk_picture_set_paintable (self->picture, GDK_PAINTABLE (texture));
  if (!texture)
    say (self, self->item && self->item->missing ? _ ("The file is not there any more.") : error->message);
}

static void
load_picture (EaselGalleryDetail *self)
{
  g_autoptr (GTask) task = NULL;

  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  self->loading = g_cancellable_new ();
  gtk_picture_set_paintable (self->picture, NULL);
  task = g_task_new (self, self->loading, loaded_cb, NULL);
  g_task_set_task_data (task, g_strdup (self->item->path), g_free);
  g_task_run_in_thread (task, load_thread);
}

void
easel_gallery_detail_show (EaselGalleryDetail *self, gint64 id)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (GError) error = NULL;
  EaselGalleryItem *item = easel_gallery_get (gallery, id, &error);
  g_autofree char *name = NULL, *tags = NULL;
  int stars;

  if (!item)
    {
      say (self, error->message);
      return;
    }
  g_clear_pointer (&self->item, easel_gallery_item_free);
  g_clear_pointer (&self->request, easel_request_unref);
  stars = item->stars;
  self->item = item;
  self->request = item->request ? easel_request_from_json (item->request, strlen (item->request), NULL) : NULL;
  name = g_path_get_basename (item->path);
  tags = g_strjoinv (", ", item->tags);
  gtk_label_set_label (self->name, name);
  gtk_picture_set_alternative_text (self->picture, item->prompt);
  gtk_adjustment_set_value (self->stars_adjustment, stars);
  gtk_editable_set_text (GTK_EDITABLE (self->tags), tags);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "detail.again", self->request != NULL);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "detail.variations", self->request != NULL);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "detail.edit", self->request != NULL);
  fill_facts (self);
  load_picture (self);
}

/* ---- what a person does with it ---- */

static void
stars_changed_cb (EaselGalleryDetail *self)
{
  int stars = (int) gtk_adjustment_get_value (self->stars_adjustment);
  g_autoptr (GError) error = NULL;

  if (!self->item || stars == self->item->stars)
    return;
  if (easel_gallery_set_stars (easel_application_get_gallery (easel_application_get ()), self->item->id, stars, &error))
    self->item->stars = stars;
  else
    {
      gtk_adjustment_set_value (self->stars_adjustment, self->item->stars);
      say (self, error->message);
    }
}

static void
tags_applied_cb (EaselGalleryDetail *self)
{
  g_auto (GStrv) tags = g_strsplit (gtk_editable_get_text (GTK_EDITABLE (self->tags)), ",", -1);
  g_autoptr (GError) error = NULL;

  if (self->item && !easel_gallery_set_tags (easel_application_get_gallery (easel_application_get ()), self->item->id,
                                             (const char *const *) tags, &error))
    say (self, error->message);
}

static void
queue_settings (EaselGalleryDetail *self, const EaselRequestSettings *settings, const char *done)
{
  EaselQueue *queue = easel_application_get_queue (easel_application_get ());
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = easel_request_new (settings, &error);

  if (request && queue && easel_queue_add (queue, request, FALSE, &error))
    say (self, done);
  else
    say (self, error ? error->message : NULL);
}

static void
again_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  queue_settings (self, easel_request_settings (self->request), _ ("Queued to be made again."));
}

static void
variations_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  EaselRequestSettings settings = *easel_request_settings (self->request);
  g_autofree char *done = NULL;

  settings.count = VARIATIONS;
  settings.seed = (gint64) g_random_int ();
  done = g_strdup_printf (ngettext ("%d variation was queued.", "%d variations were queued.", VARIATIONS), VARIATIONS);
  queue_settings (self, &settings, done);
}

static void
edit_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  easel_window_edit_request (easel_window_of (self), self->request);
}

static void
back_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  g_signal_emit (widget, signals[BACK], 0);
}

static void
undo_trash_cb (AdwToast *toast, gpointer id)
{
  g_autoptr (GError) error = NULL;
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (easel_application_get ()));

  if (!easel_gallery_untrash (easel_application_get_gallery (easel_application_get ()),
                              *(gint64 *) g_object_get_data (G_OBJECT (toast), "id"), &error) &&
      window && EASEL_IS_WINDOW (window))
    easel_window_toast (EASEL_WINDOW (window), error->message);
}

static void
trash_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  EaselWindow *window = easel_window_of (self);
  g_autoptr (GError) error = NULL;
  gint64 *id = g_new (gint64, 1);
  AdwToast *toast;

  *id = self->item->id;
  if (!easel_gallery_trash (easel_application_get_gallery (easel_application_get ()), *id, &error))
    {
      say (self, error->message);
      g_free (id);
      return;
    }
  toast = adw_toast_new (_ ("Moved to the trash"));
  adw_toast_set_button_label (toast, _ ("_Undo"));
  g_object_set_data_full (G_OBJECT (toast), "id", id, g_free);
  g_signal_connect (toast, "button-clicked", G_CALLBACK (undo_trash_cb), NULL);
  adw_toast_overlay_add_toast (easel_window_get_toasts (window), toast);
  g_signal_emit (self, signals[STEP], 0, 0);
}

static void
forget_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  g_autoptr (GError) error = NULL;

  if (easel_gallery_forget (easel_application_get_gallery (easel_application_get ()), self->item->id, &error))
    {
      say (self, _ ("Taken out of the gallery. The file stays where it is."));
      g_signal_emit (self, signals[STEP], 0, 0);
    }
  else
    say (self, error->message);
}

static void
open_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  g_autofree char *uri = g_filename_to_uri (self->item->path, NULL, NULL);
  g_autoptr (GError) error = NULL;

  if (!g_app_info_launch_default_for_uri (uri, NULL, &error))
    say (self, error->message);
}

static void
show_folder_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  g_autofree char *folder = g_path_get_dirname (self->item->path);
  g_autofree char *uri = g_filename_to_uri (folder, NULL, NULL);
  g_autoptr (GError) error = NULL;

  if (!g_app_info_launch_default_for_uri (uri, NULL, &error))
    say (self, error->message);
}

static void
copy_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  GdkPaintable *texture = gtk_picture_get_paintable (self->picture);

  if (!GDK_IS_TEXTURE (texture))
    return;
  gdk_clipboard_set_texture (gtk_widget_get_clipboard (widget), GDK_TEXTURE (texture));
  say (self, _ ("The picture was copied."));
}

static void
export_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (EaselGalleryDetail) self = user_data;
  g_autofree char *path = file ? g_file_get_path (file) : NULL;
  const EaselImageOptions options = { .no_metadata = TRUE, .overwrite = TRUE };
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselPicture) picture = path && self->item ? easel_image_read (self->item->path, &error) : NULL;

  if (!file)
    return;
  if (picture && easel_image_write (picture, path, &options, &error))
    say (self, _ ("Exported without the settings inside."));
  else
    say (self, error ? error->message : _ ("Only folders on this machine can be exported to."));
}

static void
export_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  g_autofree char *base = g_path_get_basename (self->item->path);

  easel_compat_save_file (GTK_WINDOW (easel_window_of (self)), _ ("Export the Picture"), base, export_chosen_cb,
                          g_object_ref (self));
}

/* ---- object ---- */

static gboolean
step_shortcut_cb (GtkWidget *widget, GVariant *by, gpointer user_data)
{
  g_signal_emit (widget, signals[STEP], 0, g_variant_get_int32 (by));
  return TRUE;
}

static void
easel_gallery_detail_dispose (GObject *object)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (object);

  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  g_clear_pointer (&self->item, easel_gallery_item_free);
  g_clear_pointer (&self->request, easel_request_unref);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_GALLERY_DETAIL);
  G_OBJECT_CLASS (easel_gallery_detail_parent_class)->dispose (object);
}

static void
easel_gallery_detail_class_init (EaselGalleryDetailClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_detail_dispose;
  signals[BACK] = g_signal_new ("back", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 0);
  signals[STEP] = g_signal_new ("step", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 1, G_TYPE_INT);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/gallery/gallery-detail.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, scroller);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, name);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, picture);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, stars_adjustment);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, tags);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, facts);
  gtk_widget_class_bind_template_callback (widget_class, tags_applied_cb);
  gtk_widget_class_install_action (widget_class, "detail.back", NULL, back_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.again", NULL, again_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.variations", NULL, variations_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.edit", NULL, edit_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.trash", NULL, trash_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.forget", NULL, forget_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.open", NULL, open_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.show-folder", NULL, show_folder_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.copy", NULL, copy_action_cb);
  gtk_widget_class_install_action (widget_class, "detail.export", NULL, export_action_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "detail.back", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Delete, 0, "detail.trash", NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Left, GDK_ALT_MASK, step_shortcut_cb, "i", -1);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Right, GDK_ALT_MASK, step_shortcut_cb, "i", 1);
}

static void
easel_gallery_detail_init (EaselGalleryDetail *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->rows = g_ptr_array_new ();
  g_signal_connect_object (self->stars_adjustment, "value-changed", G_CALLBACK (stars_changed_cb), self,
                           G_CONNECT_SWAPPED);
}
