/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/export-dialog.h"

#include <glib/gi18n.h>

#include "engine/core/error.h"
#include "engine/gallery/export.h"
#include "ui/compat.h"
#include "ui/window.h"

#define EASEL_TYPE_EXPORT_DIALOG (easel_export_dialog_get_type ())
G_DECLARE_FINAL_TYPE (EaselExportDialog, easel_export_dialog, EASEL, EXPORT_DIALOG, AdwWindow)

struct _EaselExportDialog
{
  AdwWindow parent;

  /* Template widgets */
  GtkStack *stack;
  GtkButton *export;
  AdwComboRow *format;
  AdwActionRow *quality_row;
  GtkSwitch *metadata;
  GtkSpinButton *quality;
  GtkLabel *working;
  GtkProgressBar *progress;

  GPtrArray *items;
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (EaselExportDialog, easel_export_dialog, ADW_TYPE_WINDOW)

/* In the order of the list in the template. */
static const char *const formats[] = { "", "png", "jpg", "webp" };

static const char *
chosen_format (EaselExportDialog *self)
{
  guint i = adw_combo_row_get_selected (self->format);
  return i > 0 && i < G_N_ELEMENTS (formats) ? formats[i] : NULL;
}

/* ---- the work ---- */

typedef struct
{
  GPtrArray *items;
  char *folder, *file; /* one of them */
  char *format;
  EaselExportOptions options;
  guint done; /* atomic */
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;

  g_ptr_array_unref (work->items);
  g_free (work->folder);
  g_free (work->file);
  g_free (work->format);
  g_free (work);
}

static void
work_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  GError *error = NULL;

  for (guint i = 0; i < work->items->len && !error; i++)
    {
      EaselGalleryItem *item = work->items->pdata[i];
      g_autofree char *target = work->file ? g_strdup (work->file)
                                           : easel_gallery_export_name (item->path, work->folder, work->format);

      easel_gallery_export (item->path, target, &work->options, cancellable, &error);
      g_atomic_int_inc ((gint *) &work->done);
    }
  if (error)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

static void
worked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselExportDialog *self = EASEL_EXPORT_DIALOG (source);
  Work *work = g_task_get_task_data (G_TASK (result));
  GtkWindow *parent = gtk_window_get_transient_for (GTK_WINDOW (self));
  g_autoptr (GError) error = NULL;
  g_autofree char *words = NULL;
  guint timer = GPOINTER_TO_UINT (g_object_steal_data (G_OBJECT (self), "easel-timer"));

  if (timer)
    g_source_remove (timer);
  if (g_task_propagate_boolean (G_TASK (result), &error))
    words = g_strdup_printf (ngettext ("%u picture was exported.", "%u pictures were exported.", work->items->len),
                             work->items->len);
  else if (!g_error_matches (error, EASEL_ERROR, EASEL_ERROR_CANCELLED))
    words = g_strdup (error->message);
  if (words && parent && EASEL_IS_WINDOW (parent))
    easel_window_toast (EASEL_WINDOW (parent), words);
  gtk_window_destroy (GTK_WINDOW (self));
}

static gboolean
progress_cb (gpointer user_data)
{
  EaselExportDialog *self = user_data;
  Work *work = g_object_get_data (G_OBJECT (self), "easel-work");

  gtk_progress_bar_set_fraction (self->progress, (double) g_atomic_int_get ((gint *) &work->done) / work->items->len);
  return G_SOURCE_CONTINUE;
}

static void
start (EaselExportDialog *self, GFile *place)
{
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  g_autofree char *path = g_file_get_path (place);
  g_autoptr (GTask) task = g_task_new (self, self->cancellable, worked_cb, NULL);
  const char *format = chosen_format (self);
  Work *work;

  if (!path)
    {
      easel_window_toast (EASEL_WINDOW (gtk_window_get_transient_for (GTK_WINDOW (self))),
                          _ ("Only folders on this machine can be exported to."));
      gtk_window_destroy (GTK_WINDOW (self));
      return;
    }
  work = g_new0 (Work, 1);
  work->items = g_ptr_array_ref (self->items);
  work->format = g_strdup (format);
  work->options.format = work->format;
  work->options.no_metadata = !gtk_switch_get_active (self->metadata);
  work->options.quality = format && !g_str_equal (format, "png") ? gtk_spin_button_get_value_as_int (self->quality) : 0;
  if (self->items->len == 1)
    {
      work->file = g_steal_pointer (&path);
      work->options.overwrite = TRUE; /* the file chooser asked */
    }
  else
    work->folder = g_steal_pointer (&path);
  g_settings_set_string (settings, "export-format", format ? format : "");
  g_settings_set_boolean (settings, "export-settings", gtk_switch_get_active (self->metadata));
  g_settings_set_int (settings, "export-quality", gtk_spin_button_get_value_as_int (self->quality));
  g_task_set_task_data (task, work, work_free);
  g_object_set_data (G_OBJECT (self), "easel-work", work);
  g_object_set_data (G_OBJECT (self), "easel-timer", GUINT_TO_POINTER (g_timeout_add (100, progress_cb, self)));
  gtk_stack_set_visible_child_name (self->stack, "working");
  gtk_widget_set_visible (GTK_WIDGET (self->export), FALSE);
  g_task_run_in_thread (task, work_thread);
}

static void
chosen_cb (GFile *place, gpointer user_data)
{
  g_autoptr (EaselExportDialog) self = user_data;

  if (place && self->items)
    start (self, place);
}

/* ---- asking ---- */

static void
export_clicked_cb (EaselExportDialog *self)
{
  const EaselGalleryItem *first = self->items->pdata[0];

  if (self->items->len == 1)
    {
      g_autofree char *free_name = easel_gallery_export_name (first->path, "", chosen_format (self));
      g_autofree char *name = g_path_get_basename (free_name);

      easel_compat_save_file (GTK_WINDOW (self), _ ("Export the Picture"), name, chosen_cb, g_object_ref (self));
    }
  else
    easel_compat_choose_folder (GTK_WINDOW (self), _ ("Export into a Folder"), chosen_cb, g_object_ref (self));
}

static void
format_changed_cb (EaselExportDialog *self)
{
  const char *format = chosen_format (self);

  gtk_widget_set_sensitive (GTK_WIDGET (self->quality_row), format && !g_str_equal (format, "png"));
}

static gboolean
close_request_cb (EaselExportDialog *self)
{
  g_cancellable_cancel (self->cancellable);
  return FALSE;
}

static void
easel_export_dialog_dispose (GObject *object)
{
  EaselExportDialog *self = EASEL_EXPORT_DIALOG (object);
  guint timer = GPOINTER_TO_UINT (g_object_steal_data (object, "easel-timer"));

  if (timer)
    g_source_remove (timer);
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->items, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_EXPORT_DIALOG);
  G_OBJECT_CLASS (easel_export_dialog_parent_class)->dispose (object);
}

static void
easel_export_dialog_class_init (EaselExportDialogClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_export_dialog_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/gallery/export-dialog.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselExportDialog, stack);
  gtk_widget_class_bind_template_child (widget_class, EaselExportDialog, export);
  gtk_widget_class_bind_template_child (widget_class, EaselExportDialog, format);
  gtk_widget_class_bind_template_child (widget_class, EaselExportDialog, quality_row);
  gtk_widget_class_bind_template_child (widget_class, EaselExportDialog, metadata);
  gtk_widget_class_bind_template_child (widget_class, EaselExportDialog, quality);
  gtk_widget_class_bind_template_child (widget_class, EaselExportDialog, working);
  gtk_widget_class_bind_template_child (widget_class, EaselExportDialog, progress);
  gtk_widget_class_bind_template_callback (widget_class, export_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, format_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, close_request_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
easel_export_dialog_init (EaselExportDialog *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->cancellable = g_cancellable_new ();
}

void
easel_export_dialog_present (GtkWindow *parent, GPtrArray *items)
{
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  EaselExportDialog *self = g_object_new (EASEL_TYPE_EXPORT_DIALOG, "transient-for", parent, NULL);
  g_autofree char *format = g_settings_get_string (settings, "export-format");
  g_autofree char *title =
      g_strdup_printf (ngettext ("Export %u Picture", "Export %u Pictures", items->len), items->len);

  self->items = g_ptr_array_ref (items);
  gtk_window_set_title (GTK_WINDOW (self), title);
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    if (g_str_equal (formats[i], format))
      adw_combo_row_set_selected (self->format, i);
  gtk_switch_set_active (self->metadata, g_settings_get_boolean (settings, "export-settings"));
  gtk_spin_button_set_value (self->quality, g_settings_get_int (settings, "export-quality"));
  format_changed_cb (self);
  gtk_window_present (GTK_WINDOW (self));
}
