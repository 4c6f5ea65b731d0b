/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/models-page.h"

#include <glib/gi18n.h>

#include "engine/core/model-folder.h"
#include "ui/application.h"
#include "ui/compat.h"
#include "ui/window.h"

struct _EaselModelsPage
{
  AdwBin parent;

  /* Template widgets */
  AdwActionRow *machine;
  AdwPreferencesGroup *installed;

  GPtrArray *rows; /* in installed, borrowed */
};

G_DEFINE_FINAL_TYPE (EaselModelsPage, easel_models_page, ADW_TYPE_BIN)

/* Memory of this machine in bytes; 0 unknown. */
static guint64
machine_memory (void)
{
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/meminfo", &text, NULL, NULL))
    return 0;
  line = g_strstr_len (text, -1, "MemTotal:");
  return line ? g_ascii_strtoull (line + 9, NULL, 10) * 1024 : 0;
}

static void
add_row (EaselModelsPage *self, GtkWidget *row)
{
  adw_preferences_group_add (self->installed, row);
  g_ptr_array_add (self->rows, row);
}

static GtkWidget *
model_row (const EaselModelInfo *info, guint64 memory)
{
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *bytes = g_format_size (info->bytes);
  g_autofree char *licence =
      g_strdup_printf (_ ("licence: %s"), info->licence ? info->licence : _ ("not stated"));
  g_autofree char *subtitle = NULL, *escaped_name = g_markup_escape_text (info->name, -1), *escaped = NULL;
  const char *fit = info->problem                                  ? info->problem
                    : memory == 0                                  ? ""
                    : info->bytes + (memory / 8) <= memory         ? _ ("fits this machine")
                                                                   : _ ("needs more memory than this machine has");

  subtitle = g_strdup_printf ("%s · %s · %s · %s", info->pipeline_class ? info->pipeline_class : "?", bytes, licence,
                              fit);
  escaped = g_markup_escape_text (subtitle, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), escaped_name);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), escaped);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 3);
  if (info->problem)
    adw_action_row_add_prefix (ADW_ACTION_ROW (row), gtk_image_new_from_icon_name ("dialog-warning-symbolic"));
  return row;
}

void
easel_models_page_refresh (EaselModelsPage *self)
{
  EaselEngine *engine = easel_application_get_engine (easel_application_get ());
  guint64 memory = machine_memory ();
  g_autofree char *amount = g_format_size (memory);
  g_autofree char *machine = NULL;
  g_autoptr (GPtrArray) models = NULL;

  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (self->installed, self->rows->pdata[i]);
  g_ptr_array_set_size (self->rows, 0);
  if (!engine)
    return;
  /* Translators: an amount of memory. */
  machine = g_strdup_printf (_ ("%s of memory"), amount);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->machine), easel_engine_device_name (engine));
  adw_action_row_set_subtitle (self->machine, machine);
  models = easel_engine_list_models (engine);
  for (guint i = 0; i < models->len; i++)
    add_row (self, model_row (models->pdata[i], memory));
  if (models->len == 0)
    {
      GtkWidget *row = adw_action_row_new ();

      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("No model was found"));
      adw_action_row_set_subtitle (ADW_ACTION_ROW (row), _ ("Add a folder that holds model folders."));
      add_row (self, row);
    }
}

static void
folder_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (EaselModelsPage) self = user_data;
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  g_autofree char *path = file ? g_file_get_path (file) : NULL;
  g_auto (GStrv) old = g_settings_get_strv (settings, "model-folders");
  g_autoptr (GStrvBuilder) folders = g_strv_builder_new ();
  g_auto (GStrv) all = NULL;

  if (!path || g_strv_contains ((const char *const *) old, path))
    return;
  g_strv_builder_addv (folders, (const char **) old);
  g_strv_builder_add (folders, path);
  all = g_strv_builder_end (folders);
  g_settings_set_strv (settings, "model-folders", (const char *const *) all);
  easel_window_toast (easel_window_of (self), _ ("The folder is used from the next start of Easel on."));
}

static void
add_clicked_cb (EaselModelsPage *self)
{
  easel_compat_choose_folder (GTK_WINDOW (easel_window_of (self)), _ ("Folder with Models"), folder_chosen_cb,
                              g_object_ref (self));
}

static void
easel_models_page_dispose (GObject *object)
{
  EaselModelsPage *self = EASEL_MODELS_PAGE (object);

  g_clear_pointer (&self->rows, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_MODELS_PAGE);
  G_OBJECT_CLASS (easel_models_page_parent_class)->dispose (object);
}

static void
easel_models_page_class_init (EaselModelsPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_models_page_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/models/models-page.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, machine);
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, installed);
  gtk_widget_class_bind_template_callback (widget_class, add_clicked_cb);
}

static void
easel_models_page_init (EaselModelsPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->rows = g_ptr_array_new ();
}
