/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/preferences/preferences.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/application.h"
#include "ui/compat.h"

static GSettings *
settings (void)
{
  return easel_application_get_settings (easel_application_get ());
}

static GtkWidget *
group (AdwPreferencesPage *page, const char *title, const char *description)
{
  GtkWidget *made = adw_preferences_group_new ();

  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (made), title);
  adw_preferences_group_set_description (ADW_PREFERENCES_GROUP (made), description);
  adw_preferences_page_add (page, ADW_PREFERENCES_GROUP (made));
  return made;
}

static GtkWidget *
action_row (GtkWidget *into, const char *title, const char *subtitle, GtkWidget *suffix)
{
  GtkWidget *row = adw_action_row_new ();

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  if (subtitle)
    adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 3);
  gtk_widget_set_valign (suffix, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), suffix);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), row);
  return row;
}

static void
add_switch (GtkWidget *into, const char *key, const char *title, const char *subtitle)
{
  GtkWidget *toggle = gtk_switch_new (), *row = action_row (into, title, subtitle, toggle);

  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), toggle);
  g_settings_bind (settings (), key, toggle, "active", G_SETTINGS_BIND_DEFAULT);
}

static void
add_number (GtkWidget *into, const char *key, double most, const char *title, const char *subtitle)
{
  GtkWidget *spin = gtk_spin_button_new_with_range (0, most, 1);

  action_row (into, title, subtitle, spin);
  gtk_accessible_update_property (GTK_ACCESSIBLE (spin), GTK_ACCESSIBLE_PROPERTY_LABEL, title, -1);
  g_settings_bind (settings (), key, spin, "value", G_SETTINGS_BIND_DEFAULT);
}

/* ---- one of several words ---- */

typedef struct
{
  const char *value, *name, *sentence; /* sentence: about it when it is chosen, or NULL */
} Choice;

static void
chosen_cb (AdwComboRow *row, GParamSpec *spec, const char *key)
{
  const Choice *choices = g_object_get_data (G_OBJECT (row), "choices");

  g_settings_set_string (settings (), key, choices[adw_combo_row_get_selected (row)].value);
}

static void
say_choice_cb (AdwComboRow *row)
{
  const Choice *choices = g_object_get_data (G_OBJECT (row), "choices");
  const char *sentence = choices[adw_combo_row_get_selected (row)].sentence;

  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), sentence ? _ (sentence) : "");
}

/* choices: static, ended by a NULL value; key: static. */
static void
add_choice (GtkWidget *into, const char *key, const char *title, const Choice *choices)
{
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);
  g_autofree char *now = g_settings_get_string (settings (), key);
  GtkWidget *row = adw_combo_row_new ();
  guint at = 0;

  for (guint i = 0; choices[i].value; i++)
    {
      gtk_string_list_append (names, _ (choices[i].name));
      if (strcmp (choices[i].value, now) == 0)
        at = i;
    }
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (names));
  adw_combo_row_set_selected (ADW_COMBO_ROW (row), at);
  g_object_set_data (G_OBJECT (row), "choices", (gpointer) choices);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 3);
  say_choice_cb (ADW_COMBO_ROW (row));
  g_signal_connect (row, "notify::selected", G_CALLBACK (chosen_cb), (gpointer) key);
  g_signal_connect (row, "notify::selected", G_CALLBACK (say_choice_cb), NULL);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (into), row);
}

/* ---- the pictures' folder ---- */

static void
say_folder (AdwActionRow *row)
{
  g_autofree char *chosen = g_settings_get_string (settings (), "pictures-folder"), *escaped = NULL;
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());

  escaped = g_markup_escape_text (*chosen ? chosen : gallery ? easel_gallery_get_folder (gallery) : "", -1);
  adw_action_row_set_subtitle (row, escaped);
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
  GtkWidget *button = gtk_button_new_with_label (_ ("Choose…"));
  GtkWidget *row = action_row (into, _ ("Folder"), NULL, button);

  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Folder for Pictures"),
                                  -1);
  g_signal_connect_object (button, "clicked", G_CALLBACK (choose_clicked_cb), row, 0);
  say_folder (ADW_ACTION_ROW (row));
}

/* ---- what is read at the start alone ---- */

static void
needs_restart_cb (GSettings *store, const char *key, GtkWidget *row)
{
  gtk_widget_show (row);
}

static void
add_restart (GtkWidget *into)
{
  static const char *const keys[] = { "pictures-folder", "device", "threads", "leave-free" };
  GtkWidget *button = gtk_button_new_with_label (_ ("Restart Easel"));
  GtkWidget *row = action_row (into, _ ("Changes Wait for a Restart"),
                               _ ("What is being made is begun again afterwards; nothing else is lost."), button);

  gtk_widget_add_css_class (button, "suggested-action");
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), "app.restart");
  gtk_widget_hide (row);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autofree char *signal = g_strconcat ("changed::", keys[i], NULL);
      g_signal_connect_object (settings (), signal, G_CALLBACK (needs_restart_cb), row, 0);
    }
}

void
easel_preferences_present (GtkWidget *parent)
{
  static const Choice formats[] = { { "png", N_ ("PNG, exact") }, { "jpg", N_ ("JPEG, small") },
                                    { "webp", N_ ("WebP, small") }, { NULL, NULL } };
  static const Choice clips[] = { { "mp4", N_ ("MP4, plays everywhere") }, { "webm", N_ ("WebM, free") },
                                  { "webp", N_ ("WebP, an animation") }, { NULL, NULL } };
  static const Choice devices[] = { { "", N_ ("The best there is") }, { "cuda", N_ ("Graphics card") },
                                    { "cpu", N_ ("Processor") }, { NULL, NULL } };
  static const Choice precisions[] = {
    { "", N_ ("As the model was trained"), N_ ("16 bits: what its makers chose.") },
    { "fp8", N_ ("FP8"), N_ ("Faster and in less memory. Pictures differ visibly from those in 16 bits.") },
    { "int8", N_ ("INT8"), N_ ("Faster and in less memory. Pictures stay closer to those in 16 bits than with FP8.") },
    { NULL }
  };
  static const Choice themes[] = { { "system", N_ ("As the system") }, { "light", N_ ("Light") },
                                   { "dark", N_ ("Dark") }, { NULL, NULL } };
  g_autoptr (GPtrArray) pages = g_ptr_array_new ();
  EaselEngine *engine = easel_application_get_engine (easel_application_get ());
  GtkWidget *page = adw_preferences_page_new (), *into;

  into = group (ADW_PREFERENCES_PAGE (page), _ ("New Pictures and Clips"), NULL);
  add_folder (into);
  add_choice (into, "format", _ ("Pictures"), formats);
  add_choice (into, "clip-format", _ ("Clips"), clips);
  add_switch (into, "metadata", _ ("Write the Settings into the Files"),
              _ ("Prompt and settings, so that they can be made again. Nothing about this machine."));
  into = group (ADW_PREFERENCES_PAGE (page), _ ("While Making Them"), NULL);
  add_switch (into, "preview", _ ("Live Preview"), _ ("Show the picture after every step."));
  add_switch (into, "notify", _ ("Notify When Ready"), _ ("When the window is not in front."));
  into = group (ADW_PREFERENCES_PAGE (page), _ ("This Machine"), NULL);
  add_choice (into, "device", _ ("Computes on"), devices);
  if (engine && easel_engine_has_8_bits (engine))
    add_choice (into, "precision", _ ("Numbers on the Card"), precisions);
  add_number (into, "threads", g_get_num_processors (), _ ("Threads"),
              _ ("0 uses every core; fewer leave some for other programs."));
  add_number (into, "leave-free", 1024, _ ("Memory to Leave Free"),
              _ ("Gigabytes for other programs; 0 leaves three tenths of what there is."));
  add_restart (into);
  into = group (ADW_PREFERENCES_PAGE (page), _ ("Looks"), NULL);
  add_choice (into, "theme", _ ("Light or Dark"), themes);
  g_ptr_array_add (pages, page);
  easel_compat_present_preferences (parent, _ ("Preferences"), pages);
}
