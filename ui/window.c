/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/window.h"

#include <glib/gi18n.h>

#include "engine/media/image-file.h"
#include "ui/compat.h"
#include "ui/create/create-page.h"
#include "ui/gallery/gallery-page.h"
#include "ui/models/models-page.h"
#include "ui/preferences/preferences.h"

struct _EaselWindow
{
  AdwApplicationWindow parent;

  /* Template widgets */
  AdwHeaderBar *header;
  AdwViewStack *stack;
  AdwViewSwitcherBar *bottom;
  AdwToastOverlay *toasts;
  GtkRevealer *banner;
  GtkLabel *banner_label;
  GtkWidget *banner_folder;
  EaselCreatePage *create_page;
  EaselGalleryPage *gallery_page;
  EaselModelsPage *models_page;
};

G_DEFINE_FINAL_TYPE (EaselWindow, easel_window, ADW_TYPE_APPLICATION_WINDOW)

EaselWindow *
easel_window_of (gpointer widget)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (widget));
  return root && EASEL_IS_WINDOW (root) ? EASEL_WINDOW (root) : NULL;
}

AdwToastOverlay *
easel_window_get_toasts (EaselWindow *self)
{
  return self->toasts;
}

void
easel_window_toast (EaselWindow *self, const char *message)
{
  AdwToast *toast = adw_toast_new ("");
  g_autofree char *escaped = g_markup_escape_text (message, -1);

  adw_toast_set_title (toast, escaped);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

void
easel_window_show_item (EaselWindow *self, gint64 id)
{
  adw_view_stack_set_visible_child_name (self->stack, "gallery");
  easel_gallery_page_show_item (self->gallery_page, id);
}

void
easel_window_edit_request (EaselWindow *self, EaselRequest *request)
{
  adw_view_stack_set_visible_child_name (self->stack, "create");
  easel_create_page_load (self->create_page, request);
}

void
easel_window_take_setting (EaselWindow *self, EaselRequest *request, const char *setting)
{
  g_autoptr (GError) error = NULL;

  if (easel_create_page_take_setting (self->create_page, request, setting, &error))
    easel_window_toast (self, _ ("Taken over into Create."));
  else
    easel_window_toast (self, error->message);
}

void
easel_window_search (EaselWindow *self, const char *words)
{
  adw_view_stack_set_visible_child_name (self->stack, "gallery");
  easel_gallery_page_search (self->gallery_page, words);
}

void
easel_window_open_file (EaselWindow *self, GFile *file)
{
  g_autofree char *path = g_file_get_path (file);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = path ? easel_image_read_request (path, &error) : NULL;

  if (request)
    easel_window_edit_request (self, request);
  else
    easel_window_toast (self, error ? error->message : _ ("Only files on this machine can be opened."));
}

/* ---- actions ---- */

static void
generate_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselWindow *self = EASEL_WINDOW (widget);

  if (g_strcmp0 (adw_view_stack_get_visible_child_name (self->stack), "create") == 0)
    easel_create_page_generate (self->create_page);
}

static void
stop_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  easel_create_page_stop (EASEL_WINDOW (widget)->create_page, FALSE);
}

static void
keep_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  easel_create_page_stop (EASEL_WINDOW (widget)->create_page, TRUE);
}

static void
search_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselWindow *self = EASEL_WINDOW (widget);

  adw_view_stack_set_visible_child_name (self->stack, "gallery");
  easel_gallery_page_start_search (self->gallery_page);
}

static void
preferences_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  easel_preferences_present (widget);
}

static void
show_page_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  adw_view_stack_set_visible_child_name (EASEL_WINDOW (widget)->stack, g_variant_get_string (parameter, NULL));
}

static void
banner_dismiss_cb (EaselWindow *self)
{
  gtk_revealer_set_reveal_child (self->banner, FALSE);
}

/* Pictures cannot be kept where they should be: somewhere else, and begin again from there. */
static void
folder_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (EaselWindow) self = user_data;
  g_autofree char *path = file ? g_file_get_path (file) : NULL;

  if (!path)
    return;
  g_settings_set_string (easel_application_get_settings (easel_application_get ()), "pictures-folder", path);
  g_action_group_activate_action (G_ACTION_GROUP (easel_application_get ()), "restart", NULL);
}

static void
banner_folder_cb (EaselWindow *self)
{
  easel_compat_choose_folder (GTK_WINDOW (self), _ ("Folder for Pictures"), folder_chosen_cb, g_object_ref (self));
}

static void
page_changed_cb (EaselWindow *self)
{
  const char *name = adw_view_stack_get_visible_child_name (self->stack);

  if (g_strcmp0 (name, "models") == 0)
    easel_models_page_refresh (self->models_page);
  if (g_strcmp0 (name, "create") == 0 && self->create_page)
    easel_create_page_refresh_models (self->create_page);
}

/* ---- object ---- */

void
easel_window_remember_size (EaselWindow *self)
{
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  int width, height;

  gtk_window_get_default_size (GTK_WINDOW (self), &width, &height);
  g_settings_set_int (settings, "window-width", width);
  g_settings_set_int (settings, "window-height", height);
  g_settings_set_boolean (settings, "window-maximized", gtk_window_is_maximized (GTK_WINDOW (self)));
}

static gboolean
easel_window_close_request (GtkWindow *window)
{
  easel_window_remember_size (EASEL_WINDOW (window));
  return GTK_WINDOW_CLASS (easel_window_parent_class)->close_request (window);
}

static void
easel_window_constructed (GObject *object)
{
  EaselWindow *self = EASEL_WINDOW (object);
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  const char *problem = easel_application_get_problem (easel_application_get ());

  G_OBJECT_CLASS (easel_window_parent_class)->constructed (object);
  gtk_window_set_default_size (GTK_WINDOW (self), g_settings_get_int (settings, "window-width"),
                               g_settings_get_int (settings, "window-height"));
  if (g_settings_get_boolean (settings, "window-maximized"))
    gtk_window_maximize (GTK_WINDOW (self));
  easel_compat_setup_switcher (ADW_APPLICATION_WINDOW (self), self->header, self->stack, self->bottom);
  if (problem)
    {
      gtk_label_set_label (self->banner_label, problem);
      gtk_widget_set_visible (self->banner_folder, !easel_application_get_queue (easel_application_get ()));
      gtk_revealer_set_reveal_child (self->banner, TRUE);
    }
}

static void
easel_window_dispose (GObject *object)
{
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_WINDOW);
  G_OBJECT_CLASS (easel_window_parent_class)->dispose (object);
}

static void
easel_window_class_init (EaselWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->constructed = easel_window_constructed;
  G_OBJECT_CLASS (klass)->dispose = easel_window_dispose;
  GTK_WINDOW_CLASS (klass)->close_request = easel_window_close_request;

  g_type_ensure (EASEL_TYPE_CREATE_PAGE);
  g_type_ensure (EASEL_TYPE_GALLERY_PAGE);
  g_type_ensure (EASEL_TYPE_MODELS_PAGE);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/window.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, header);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, bottom);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, banner);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, banner_label);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, banner_folder);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, create_page);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, gallery_page);
  gtk_widget_class_bind_template_child (widget_class, EaselWindow, models_page);
  gtk_widget_class_bind_template_callback (widget_class, banner_dismiss_cb);
  gtk_widget_class_bind_template_callback (widget_class, banner_folder_cb);
  gtk_widget_class_bind_template_callback (widget_class, page_changed_cb);
  gtk_widget_class_install_action (widget_class, "win.generate", NULL, generate_action_cb);
  gtk_widget_class_install_action (widget_class, "win.stop", NULL, stop_action_cb);
  gtk_widget_class_install_action (widget_class, "win.stop-and-keep", NULL, keep_action_cb);
  gtk_widget_class_install_action (widget_class, "win.search", NULL, search_action_cb);
  gtk_widget_class_install_action (widget_class, "win.preferences", NULL, preferences_action_cb);
  gtk_widget_class_install_action (widget_class, "win.show-page", "s", show_page_action_cb);
}

static void
easel_window_init (EaselWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

EaselWindow *
easel_window_new (EaselApplication *application)
{
  return g_object_new (EASEL_TYPE_WINDOW, "application", application, NULL);
}
