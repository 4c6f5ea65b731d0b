/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/hub-preferences.h"

#include <glib/gi18n.h>

#include "engine/hub/secret.h"
#include "ui/application.h"
#include "ui/compat.h"

static GSettings *
settings (void)
{
  return easel_application_get_settings (easel_application_get ());
}

static GtkWidget *
group (GtkWidget *page, const char *title, const char *description)
{
  GtkWidget *made = adw_preferences_group_new ();

  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (made), title);
  adw_preferences_group_set_description (ADW_PREFERENCES_GROUP (made), description);
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (page), ADW_PREFERENCES_GROUP (made));
  return made;
}

/* ---- account ----------------------------------------------------------------------------------------------------- */

/* The row that says how storing went. */
static void
stored_cb (GObject *client, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (AdwActionRow) said = user_data;
  g_autoptr (GError) error = NULL;
  gboolean fine = easel_hub_client_store_token_finish (EASEL_HUB_CLIENT (client), result, &error);
  g_autofree char *escaped = error ? g_markup_escape_text (error->message, -1) : NULL;

  adw_action_row_set_subtitle (said, fine ? _ ("Done. The keyring has it, no file does.") : escaped);
}

static void
token_applied_cb (AdwEntryRow *row, AdwActionRow *said)
{
  EaselHubClient *client = g_object_get_data (G_OBJECT (row), "client");
  g_autofree char *token = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (row))));

  if (!easel_hub_token_is_plausible (token))
    {
      adw_action_row_set_subtitle (said, _ ("That does not look like an access token."));
      return;
    }
  easel_hub_client_store_token_async (client, token, stored_cb, g_object_ref (said));
  gtk_editable_set_text (GTK_EDITABLE (row), "");
}

static void
removed_cb (GObject *client, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (AdwActionRow) said = user_data;
  g_autoptr (GError) error = NULL;
  gboolean fine = easel_hub_client_store_token_finish (EASEL_HUB_CLIENT (client), result, &error);
  g_autofree char *escaped = error ? g_markup_escape_text (error->message, -1) : NULL;

  adw_action_row_set_subtitle (said, fine ? _ ("The keyring has no access token any more.") : escaped);
}

static void
remove_clicked_cb (GtkButton *button, AdwActionRow *said)
{
  EaselHubClient *client = g_object_get_data (G_OBJECT (said), "client");

  easel_hub_client_store_token_async (client, NULL, removed_cb, g_object_ref (said));
}

static void
add_account (GtkWidget *page, EaselHubClient *client)
{
  GtkWidget *into = group (page, _ ("Account"), _ ("Only for models that ask for one. The access token goes into the "
                                                   "keyring, and to the Hub alone."));
  GtkWidget *row = adw_password_entry_row_new (), *said = adw_action_row_new ();
  GtkWidget *button = gtk_button_new_with_label (_ ("Forget It"));

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("Access Token of Hugging Face"));
  adw_entry_row_set_show_apply_button (ADW_ENTRY_ROW (row), TRUE);
  g_object_set_data_full (G_OBJECT (row), "client", g_object_ref (client), g_object_unref);
  g_signal_connect_object (row, "apply", G_CALLBACK (token_applied_cb), said, 0);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), row);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (said), _ ("The Token in the Keyring"));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (said),
                               easel_hub_client_has_environment_token (client)
                                   ? _ ("The environment (HF_TOKEN) has one, and goes first.")
                                   : _ ("Make one at huggingface.co/settings/tokens"));
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (said), 3);
  g_object_set_data_full (G_OBJECT (said), "client", g_object_ref (client), g_object_unref);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_signal_connect_object (button, "clicked", G_CALLBACK (remove_clicked_cb), said, 0);
  adw_action_row_add_suffix (ADW_ACTION_ROW (said), button);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), said);

  if (easel_hub_client_get_login_file (client))
    {
      GtkWidget *login = adw_action_row_new (), *toggle = gtk_switch_new ();

      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (login), _ ("Use the Login of This Machine"));
      adw_action_row_set_subtitle (ADW_ACTION_ROW (login), _ ("Another program signed in to Hugging Face here."));
      gtk_widget_set_valign (toggle, GTK_ALIGN_CENTER);
      adw_action_row_add_suffix (ADW_ACTION_ROW (login), toggle);
      adw_action_row_set_activatable_widget (ADW_ACTION_ROW (login), toggle);
      g_settings_bind (settings (), "hub-use-login", toggle, "active", G_SETTINGS_BIND_DEFAULT);
      adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), login);
    }
}

/* ---- folder ------------------------------------------------------------------------------------------------------ */

static void
say_folder (AdwActionRow *row, EaselHubClient *client)
{
  g_autofree char *escaped = g_markup_escape_text (easel_hub_client_get_folder (client), -1);

  adw_action_row_set_subtitle (row, escaped);
}

static void
folder_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (AdwActionRow) row = user_data;
  EaselHubClient *client = g_object_get_data (G_OBJECT (row), "client");
  g_autofree char *path = file ? g_file_get_path (file) : NULL;

  if (!path)
    return;
  easel_hub_client_choose_folder (client, path);
  say_folder (row, client);
}

static void
choose_clicked_cb (GtkButton *button, AdwActionRow *row)
{
  easel_compat_choose_folder (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (button))), _ ("Folder for Models"),
                              folder_chosen_cb, g_object_ref (row));
}

static void
add_folder (GtkWidget *page, EaselHubClient *client)
{
  GtkWidget *into = group (page, _ ("Where"), NULL);
  GtkWidget *row = adw_action_row_new (), *button = gtk_button_new_with_label (_ ("Choose…"));

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("Folder for New Models"));
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 3);
  g_object_set_data_full (G_OBJECT (row), "client", g_object_ref (client), g_object_unref);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_signal_connect_object (button, "clicked", G_CALLBACK (choose_clicked_cb), row, 0);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  say_folder (ADW_ACTION_ROW (row), client);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), row);
}

/* ---- network ----------------------------------------------------------------------------------------------------- */

static gboolean
megabytes_of (GValue *value, GVariant *kilobytes, gpointer user_data)
{
  g_value_set_double (value, g_variant_get_int32 (kilobytes) / 1000.0);
  return TRUE;
}

static GVariant *
kilobytes_of (const GValue *megabytes, const GVariantType *type, gpointer user_data)
{
  return g_variant_new_int32 ((gint32) (g_value_get_double (megabytes) * 1000 + 0.5));
}

static void
mirror_applied_cb (AdwEntryRow *row)
{
  g_autofree char *text = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (row))));
  gboolean good = !*text || ((g_str_has_prefix (text, "https://") || g_str_has_prefix (text, "http://")) &&
                             g_uri_is_valid (text, G_URI_FLAGS_NONE, NULL));

  if (good)
    {
      gtk_widget_remove_css_class (GTK_WIDGET (row), "error");
      g_settings_set_string (settings (), "hub-endpoint", text);
    }
  else
    gtk_widget_add_css_class (GTK_WIDGET (row), "error");
}

static void
add_network (GtkWidget *page)
{
  GtkWidget *into = group (page, _ ("Network"), NULL);
  GtkWidget *limit = adw_action_row_new (), *spin = gtk_spin_button_new_with_range (0, 1000, 0.5);
  GtkWidget *mirror = adw_entry_row_new ();
  g_autofree char *endpoint = g_settings_get_string (settings (), "hub-endpoint");

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (limit), _ ("Limit"));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (limit), _ ("Megabytes a second; 0 is no limit"));
  gtk_spin_button_set_digits (GTK_SPIN_BUTTON (spin), 1);
  gtk_widget_set_valign (spin, GTK_ALIGN_CENTER);
  gtk_accessible_update_property (GTK_ACCESSIBLE (spin), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Limit"), -1);
  g_settings_bind_with_mapping (settings (), "hub-limit", spin, "value", G_SETTINGS_BIND_DEFAULT, megabytes_of,
                                kilobytes_of, NULL, NULL);
  adw_action_row_add_suffix (ADW_ACTION_ROW (limit), spin);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), limit);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (mirror), _ ("Address of a Mirror"));
  adw_entry_row_set_show_apply_button (ADW_ENTRY_ROW (mirror), TRUE);
  gtk_editable_set_text (GTK_EDITABLE (mirror), endpoint);
  g_signal_connect (mirror, "apply", G_CALLBACK (mirror_applied_cb), NULL);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), mirror);
}

void
easel_hub_preferences_present (GtkWidget *parent, EaselHubClient *client)
{
  g_autoptr (GPtrArray) pages = g_ptr_array_new ();
  GtkWidget *page = adw_preferences_page_new ();

  add_account (page, client);
  add_folder (page, client);
  add_network (page);
  g_ptr_array_add (pages, page);
  easel_compat_present_preferences (parent, _ ("Download Settings"), pages);
}
