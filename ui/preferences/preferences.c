/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/preferences/preferences.h"

#include <glib/gi18n.h>

#include "ui/application.h"
#include "ui/compat.h"

static GSettings *
settings (void)
{
  return easel_application_get_settings (easel_application_get ());
}

static GtkWidget *
group (AdwPreferencesPage *page, const char *title)
{
  GtkWidget *made = adw_preferences_group_new ();

  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (made), title);
  adw_preferences_page_add (page, ADW_PREFERENCES_GROUP (made));
  return made;
}

static void
add_switch (GtkWidget *into, const char *key, const char *title, const char *subtitle)
{
  GtkWidget *row = adw_action_row_new (), *toggle = gtk_switch_new ();

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  gtk_widget_set_valign (toggle, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), toggle);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), toggle);
  g_settings_bind (settings (), key, toggle, "active", G_SETTINGS_BIND_DEFAULT);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), row);
}

/* ---- the pictures' folder ---- */

static void
say_folder (AdwActionRow *row)
{
  g_autofree char *chosen = g_settings_get_string (settings (), "pictures-folder");
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());

  adw_action_row_set_subtitle (row, *chosen ? chosen : gallery ? easel_gallery_get_folder (gallery) : "");
}

static void
folder_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (AdwActionRow) row = user_data;
  g_autofree char *path = file ? g_file_get_path (file) : NULL;

  if (!path)
    return;
  g_settings_set_string (settings (), "pictures-folder", path);
  say_folder (row);
}

static void
choose_clicked_cb (GtkButton *button, AdwActionRow *row)
{
  easel_compat_choose_folder (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (button))), _ ("Folder for Pictures"),
                              folder_chosen_cb, g_object_ref (row));
}

static void
add_folder (GtkWidget *into)
{
  GtkWidget *row = adw_action_row_new (), *button = gtk_button_new_with_label (_ ("Choose…"));

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("Folder (from the next start on)"));
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_signal_connect_object (button, "clicked", G_CALLBACK (choose_clicked_cb), row, 0);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  say_folder (ADW_ACTION_ROW (row));
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), row);
}

/* ---- format ---- */

static const char *const formats[] = { "png", "jpg", "webp" };

static void
format_changed_cb (AdwComboRow *row)
{
  guint i = adw_combo_row_get_selected (row);
  if (i < G_N_ELEMENTS (formats))
    g_settings_set_string (settings (), "format", formats[i]);
}

static void
add_format (GtkWidget *into)
{
  const char *names[] = { _ ("PNG, exact"), _ ("JPEG, small"), _ ("WebP, small"), NULL };
  g_autoptr (GtkStringList) list = gtk_string_list_new (names);
  g_autofree char *now = g_settings_get_string (settings (), "format");
  GtkWidget *row = adw_combo_row_new ();

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("Format"));
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (list));
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    if (g_str_equal (formats[i], now))
      adw_combo_row_set_selected (ADW_COMBO_ROW (row), i);
  g_signal_connect (row, "notify::selected", G_CALLBACK (format_changed_cb), NULL);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), row);
}

/* ---- threads ---- */

static void
add_threads (GtkWidget *into)
{
  GtkWidget *row = adw_action_row_new ();
  GtkWidget *spin = gtk_spin_button_new_with_range (0, g_get_num_processors (), 1);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("Threads (from the next start on)"));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), _ ("0 uses every core; fewer leave some for other programs."));
  gtk_widget_set_valign (spin, GTK_ALIGN_CENTER);
  gtk_accessible_update_property (GTK_ACCESSIBLE (spin), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Threads"), -1);
  g_settings_bind (settings (), "threads", spin, "value", G_SETTINGS_BIND_DEFAULT);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), spin);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), row);
}

void
easel_preferences_present (GtkWidget *parent)
{
  g_autoptr (GPtrArray) pages = g_ptr_array_new ();
  GtkWidget *page = adw_preferences_page_new (), *into;

  into = group (ADW_PREFERENCES_PAGE (page), _ ("New Pictures"));
  add_folder (into);
  add_format (into);
  into = group (ADW_PREFERENCES_PAGE (page), _ ("While Making Them"));
  add_switch (into, "preview", _ ("Live Preview"), _ ("Show the picture after every step."));
  add_switch (into, "notify", _ ("Notify When Ready"), _ ("When the window is not in front."));
  add_threads (into);
  g_ptr_array_add (pages, page);
  easel_compat_present_preferences (parent, _ ("Preferences"), pages);
}
