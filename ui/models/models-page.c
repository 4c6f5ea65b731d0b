/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/models-page.h"

#include <glib/gi18n.h>

#include "engine/core/model-folder.h"
#include "ui/application.h"
#include "ui/compat.h"
#include "ui/models/download-row.h"
#include "ui/models/hub-preferences.h"
#include "ui/models/hub-words.h"
#include "ui/models/installed-row.h"
#include "ui/models/offer-row.h"
#include "ui/window.h"

struct _EaselModelsPage
{
  AdwBin parent;

  /* Template widgets */
  AdwActionRow *machine;
  AdwPreferencesGroup *downloading, *installed, *available, *search;
  GtkListBox *downloads;
  AdwEntryRow *words;
  GtkSpinner *searching;

  /* Owned */
  EaselHubClient *client;  /* NULL when starting failed */
  GCancellable *searched;  /* the search that is under way */
  GHashTable *here;        /* repositories that are installed */
  GPtrArray *installed_rows, *available_rows, *found_rows; /* borrowed from their groups */
  gboolean looking, look_again;
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
clear_rows (AdwPreferencesGroup *group, GPtrArray *rows)
{
  for (guint i = 0; i < rows->len; i++)
    adw_preferences_group_remove (group, rows->pdata[i]);
  g_ptr_array_set_size (rows, 0);
}

static void
add_row (AdwPreferencesGroup *group, GPtrArray *rows, GtkWidget *row)
{
  adw_preferences_group_add (group, row);
  g_ptr_array_add (rows, row);
}

static GtkWidget *
message_row (const char *title, const char *subtitle)
{
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *escaped_title = g_markup_escape_text (title, -1);
  g_autofree char *escaped = g_markup_escape_text (subtitle, -1);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), escaped_title);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 3);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), escaped);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 4);
  return row;
}

static guint64
budget (void)
{
  EaselEngine *engine = easel_application_get_engine (easel_application_get ());

  return engine ? easel_engine_get_memory_budget (engine) : G_MAXUINT64;
}

/* ---- looking at the folders, on a worker ------------------------------------------------------------------------- */

typedef struct
{
  EaselEngine *engine;
  char **folders; /* of the Hub's layout */
  char **keep;    /* repositories whose unfinished files are wanted */
  GPtrArray *models;    /* EaselModelInfo */
  GPtrArray *snapshots; /* EaselHubSnapshot */
  GPtrArray *dirs;      /* borrowed from folders, one for each snapshot */
  gint64 orphans;       /* bytes that nothing uses */
} Look;

static void
look_free (gpointer data)
{
  Look *look = data;

  g_object_unref (look->engine);
  g_strfreev (look->folders);
  g_strfreev (look->keep);
  g_clear_pointer (&look->models, g_ptr_array_unref);
  g_clear_pointer (&look->snapshots, g_ptr_array_unref);
  g_clear_pointer (&look->dirs, g_ptr_array_unref);
  g_free (look);
}

static void
look_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Look *look = data;

  look->models = easel_engine_list_models (look->engine);
  look->snapshots = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_snapshot_free);
  look->dirs = g_ptr_array_new ();
  for (char **folder = look->folders; *folder; folder++)
    {
      GPtrArray *found = easel_hub_installed (*folder);
      g_autoptr (GPtrArray) orphans = easel_hub_orphans (*folder, (const char *const *) look->keep, FALSE);

      for (guint i = 0; i < found->len; i++)
        g_ptr_array_add (look->dirs, *folder);
      g_ptr_array_extend_and_steal (look->snapshots, found);
      for (guint i = 0; i < orphans->len; i++)
        look->orphans += ((EaselHubOrphan *) orphans->pdata[i])->bytes;
    }
  g_task_return_boolean (task, TRUE);
}

/* Repositories of the queue. */
static char **
queued_repositories (EaselModelsPage *self)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  GListModel *list = easel_hub_client_get_downloads (self->client);

  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (EaselDownload) download = g_list_model_get_item (list, i);
      g_strv_builder_add (builder, easel_download_get_repo (download));
    }
  return g_strv_builder_end (builder);
}

/* ---- installed --------------------------------------------------------------------------------------------------- */

static void
orphans_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Look *look = data;

  for (char **folder = look->folders; *folder; folder++)
    {
      g_autoptr (GPtrArray) gone = easel_hub_orphans (*folder, (const char *const *) look->keep, TRUE);

      for (guint i = 0; i < gone->len; i++)
        look->orphans += ((EaselHubOrphan *) gone->pdata[i])->bytes;
    }
  g_task_return_boolean (task, TRUE);
}

static void
orphans_removed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselModelsPage *self = EASEL_MODELS_PAGE (source);
  const Look *look = g_task_get_task_data (G_TASK (result));
  g_autofree char *bytes = g_format_size ((guint64) look->orphans);
  g_autofree char *text = g_strdup_printf (_ ("Removed: %s are free now."), bytes);
  EaselWindow *window = easel_window_of (self);

  if (window)
    easel_window_toast (window, text);
  easel_models_page_refresh (self);
}

static Look *
new_look (EaselModelsPage *self)
{
  Look *look = g_new0 (Look, 1);

  look->engine = g_object_ref (easel_application_get_engine (easel_application_get ()));
  look->folders = easel_hub_client_dup_folders (self->client);
  look->keep = queued_repositories (self);
  return look;
}

static void
free_clicked_cb (GtkButton *button, EaselModelsPage *self)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, orphans_removed_cb, NULL);

  gtk_widget_set_sensitive (GTK_WIDGET (button), FALSE);
  g_task_set_task_data (task, new_look (self), look_free);
  g_task_run_in_thread (task, orphans_thread);
}

static GtkWidget *
orphans_row (EaselModelsPage *self, gint64 bytes)
{
  g_autofree char *much = g_format_size ((guint64) bytes);
  /* Translators: bytes. */
  g_autofree char *title = g_strdup_printf (_ ("%s That Nothing Uses"), much);
  GtkWidget *row = message_row (title, _ ("Left by downloads that were given up or replaced."));
  GtkWidget *button = gtk_button_new_with_label (_ ("Free Them"));

  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_signal_connect_object (button, "clicked", G_CALLBACK (free_clicked_cb), self, 0);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  return row;
}

static gboolean
is_listed (const Look *look, const EaselHubSnapshot *snapshot)
{
  for (guint i = 0; i < look->models->len; i++)
    if (g_strcmp0 (((EaselModelInfo *) look->models->pdata[i])->path, snapshot->path) == 0)
      return TRUE;
  return FALSE;
}

static void
show_installed (EaselModelsPage *self, const Look *look)
{
  clear_rows (self->installed, self->installed_rows);
  g_hash_table_remove_all (self->here);
  for (guint i = 0; i < look->models->len; i++)
    {
      EaselInstalledModel model = { .info = look->models->pdata[i], .budget = budget () };

      for (guint k = 0; k < look->snapshots->len && !model.snapshot; k++)
        if (g_strcmp0 (((EaselHubSnapshot *) look->snapshots->pdata[k])->path, model.info->path) == 0)
          {
            model.snapshot = look->snapshots->pdata[k];
            model.cache_dir = look->dirs->pdata[k];
            g_hash_table_add (self->here, g_strdup (model.snapshot->repo));
          }
      add_row (self->installed, self->installed_rows, easel_installed_row_new (self->client, &model));
    }
  for (guint k = 0; k < look->snapshots->len; k++)
    {
      EaselInstalledModel model = { .snapshot = look->snapshots->pdata[k], .cache_dir = look->dirs->pdata[k] };

      if (easel_hub_runs_class (model.snapshot->pipeline_class) && !is_listed (look, model.snapshot))
        add_row (self->installed, self->installed_rows, easel_installed_row_new (self->client, &model));
    }
  if (self->installed_rows->len == 0)
    add_row (self->installed, self->installed_rows,
             message_row (_ ("No model was found"), _ ("Download one, or add a folder that holds model folders.")));
  if (look->orphans > 0)
    add_row (self->installed, self->installed_rows, orphans_row (self, look->orphans));
}

/* ---- available --------------------------------------------------------------------------------------------------- */

static void
show_available (EaselModelsPage *self)
{
  const char *problem;
  GPtrArray *catalogue = easel_hub_client_get_catalogue (self->client, &problem);
  g_auto (GStrv) queued = queued_repositories (self);

  clear_rows (self->available, self->available_rows);
  if (problem)
    add_row (self->available, self->available_rows, message_row (_ ("Your list of models cannot be read"), problem));
  for (guint i = 0; catalogue && i < catalogue->len; i++)
    {
      const EaselCatalogueEntry *entry = catalogue->pdata[i];

      if (!g_hash_table_contains (self->here, entry->repository) &&
          !g_strv_contains ((const char *const *) queued, entry->repository))
        add_row (self->available, self->available_rows, easel_offer_row_new_entry (self->client, entry, budget ()));
    }
  gtk_widget_set_visible (GTK_WIDGET (self->available), self->available_rows->len > 0);
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselModelsPage *self = EASEL_MODELS_PAGE (source);

  self->looking = FALSE;
  if (!self->client)
    return; /* the window is gone */
  show_installed (self, g_task_get_task_data (G_TASK (result)));
  show_available (self);
  if (self->look_again)
    {
      self->look_again = FALSE;
      easel_models_page_refresh (self);
    }
}

void
easel_models_page_refresh (EaselModelsPage *self)
{
  EaselEngine *engine = easel_application_get_engine (easel_application_get ());
  g_autofree char *amount = g_format_size (machine_memory ());
  g_autofree char *machine = NULL, *escaped = NULL;
  g_autoptr (GTask) task = NULL;

  if (!engine || !self->client)
    return;
  /* Translators: an amount of memory. */
  machine = g_strdup_printf (_ ("%s of memory"), amount);
  escaped = g_markup_escape_text (easel_engine_device_name (engine), -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->machine), escaped);
  adw_action_row_set_subtitle (self->machine, machine);
  if (self->looking)
    {
      self->look_again = TRUE;
      return;
    }
  self->looking = TRUE;
  task = g_task_new (self, NULL, looked_cb, NULL);
  g_task_set_task_data (task, new_look (self), look_free);
  g_task_run_in_thread (task, look_thread);
}

static void
folder_chosen_cb (GFile *file, gpointer user_data)
{
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
}

static void
add_clicked_cb (EaselModelsPage *self)
{
  easel_compat_choose_folder (GTK_WINDOW (easel_window_of (self)), _ ("Folder with Models"), folder_chosen_cb,
                              NULL);
}

static void
settings_clicked_cb (EaselModelsPage *self)
{
  if (self->client)
    easel_hub_preferences_present (GTK_WIDGET (self), self->client);
}

/* ---- search ------------------------------------------------------------------------------------------------------ */

static void
show_hits (EaselModelsPage *self, GPtrArray *hits, const EaselHubFailure *failure)
{
  clear_rows (self->search, self->found_rows);
  if (failure)
    {
      g_autofree char *words = easel_hub_words_failure (failure->reason, "", failure->error);
      add_row (self->search, self->found_rows, message_row (_ ("The search did not work"), words));
    }
  else if (hits->len == 0)
    add_row (self->search, self->found_rows,
             message_row (_ ("Nothing Found"), _ ("The Hub has nothing under these words that Easel runs.")));
  for (guint i = 0; hits && i < hits->len; i++)
    {
      const EaselHubHit *hit = hits->pdata[i];

      add_row (self->search, self->found_rows,
               g_hash_table_contains (self->here, hit->repo) ? message_row (hit->repo, _ ("Installed already"))
                                                             : easel_offer_row_new_hit (self->client, hit));
    }
}

static void
found_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (EaselModelsPage) self = user_data;
  EaselHubFailure *failure = NULL;
  g_autoptr (GPtrArray) hits = easel_hub_client_search_finish (EASEL_HUB_CLIENT (source), result, &failure);

  if (self->client && (hits || failure))
    {
      gtk_spinner_stop (self->searching);
      show_hits (self, hits, failure);
    }
  easel_hub_failure_free (failure);
}

static void
search_cb (EaselModelsPage *self)
{
  const char *words = gtk_editable_get_text (GTK_EDITABLE (self->words));

  if (!self->client)
    return;
  g_cancellable_cancel (self->searched);
  g_clear_object (&self->searched);
  self->searched = g_cancellable_new ();
  gtk_spinner_start (self->searching);
  easel_hub_client_search_async (self->client, words, self->searched, found_cb, g_object_ref (self));
}

/* ---- object ------------------------------------------------------------------------------------------------------ */

static GtkWidget *
make_download_row_cb (gpointer download, gpointer user_data)
{
  return easel_download_row_new (EASEL_MODELS_PAGE (user_data)->client, download);
}

static void
downloads_changed_cb (EaselModelsPage *self)
{
  gtk_widget_set_visible (GTK_WIDGET (self->downloading),
                          g_list_model_get_n_items (easel_hub_client_get_downloads (self->client)) > 0);
  easel_models_page_refresh (self); /* what is in the queue is not offered, and its parts are no orphans */
}

static void
easel_models_page_dispose (GObject *object)
{
  EaselModelsPage *self = EASEL_MODELS_PAGE (object);

  g_cancellable_cancel (self->searched);
  g_clear_object (&self->searched);
  if (self->downloads)
    gtk_list_box_bind_model (self->downloads, NULL, NULL, NULL, NULL);
  g_clear_object (&self->client);
  g_clear_pointer (&self->here, g_hash_table_unref);
  g_clear_pointer (&self->installed_rows, g_ptr_array_unref);
  g_clear_pointer (&self->available_rows, g_ptr_array_unref);
  g_clear_pointer (&self->found_rows, g_ptr_array_unref);
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
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, downloading);
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, downloads);
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, installed);
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, available);
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, search);
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, words);
  gtk_widget_class_bind_template_child (widget_class, EaselModelsPage, searching);
  gtk_widget_class_bind_template_callback (widget_class, add_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, settings_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, search_cb);
}

static void
easel_models_page_init (EaselModelsPage *self)
{
  EaselHubClient *client = easel_application_get_hub (easel_application_get ());

  gtk_widget_init_template (GTK_WIDGET (self));
  self->installed_rows = g_ptr_array_new ();
  self->available_rows = g_ptr_array_new ();
  self->found_rows = g_ptr_array_new ();
  self->here = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!client)
    return;
  self->client = g_object_ref (client);
  gtk_list_box_bind_model (self->downloads, easel_hub_client_get_downloads (client), make_download_row_cb, self, NULL);
  g_signal_connect_object (easel_hub_client_get_downloads (client), "items-changed", G_CALLBACK (downloads_changed_cb),
                           self, G_CONNECT_SWAPPED);
  g_signal_connect_object (client, "installed-changed", G_CALLBACK (easel_models_page_refresh), self,
                           G_CONNECT_SWAPPED);
  downloads_changed_cb (self);
}
