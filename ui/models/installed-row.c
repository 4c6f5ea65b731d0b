/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/installed-row.h"

#include <glib/gi18n.h>

#include "ui/compat.h"
#include "ui/models/hub-words.h"
#include "ui/window.h"

struct _EaselInstalledRow
{
  AdwActionRow parent;

  /* Template widgets */
  GtkButton *stop;
  GtkMenuButton *more;

  /* Owned */
  EaselHubClient *client;
  GCancellable *checking; /* NULL unless it is being verified */
  GPtrArray *findings;    /* of the last time */
  char *subtitle, *title, *path, *cache_dir, *repo, *commit;
  gint64 bytes, bytes_alone;
};

G_DEFINE_FINAL_TYPE (EaselInstalledRow, easel_installed_row, ADW_TYPE_ACTION_ROW)

static void
say (EaselInstalledRow *self, const char *message)
{
  EaselWindow *window = easel_window_of (self);

  if (window)
    easel_window_toast (window, message);
}

static void
set_subtitle (EaselInstalledRow *self, const char *text)
{
  g_autofree char *escaped = g_markup_escape_text (text, -1);

  adw_action_row_set_subtitle (ADW_ACTION_ROW (self), escaped);
}

/* ---- verify and repair ------------------------------------------------------------------------------------------- */

typedef struct
{
  EaselInstalledRow *row;
  int percent;
} Told;

static gboolean
told_cb (gpointer data)
{
  Told *told = data;

  if (told->row->checking)
    {
      g_autofree char *text = g_strdup_printf (_ ("Verifying · %d %%"), told->percent);
      set_subtitle (told->row, text);
    }
  return G_SOURCE_REMOVE;
}

static void
told_free (gpointer data)
{
  g_object_unref (((Told *) data)->row);
  g_free (data);
}

typedef struct
{
  EaselInstalledRow *row; /* borrowed: the task's source */
  char *cache_dir, *repo, *commit;
  GPtrArray *findings; /* to repair */
  int percent;
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;

  g_free (work->cache_dir);
  g_free (work->repo);
  g_free (work->commit);
  g_clear_pointer (&work->findings, g_ptr_array_unref);
  g_free (work);
}

static Work *
new_work (EaselInstalledRow *self)
{
  Work *work = g_new0 (Work, 1);

  work->row = self;
  work->cache_dir = g_strdup (self->cache_dir);
  work->repo = g_strdup (self->repo);
  work->commit = g_strdup (self->commit);
  work->percent = -1;
  return work;
}

/* On the worker's thread: a new percent goes to the main loop. */
static void
progress_cb (gint64 done, gint64 total, const char *path, gpointer user_data)
{
  Work *work = user_data;
  int percent = total > 0 ? (int) (100 * done / total) : 0;
  Told *told;

  if (percent == work->percent)
    return;
  work->percent = percent;
  told = g_new0 (Told, 1);
  told->row = g_object_ref (work->row);
  told->percent = percent;
  g_main_context_invoke_full (NULL, G_PRIORITY_DEFAULT_IDLE, told_cb, told, told_free);
}

static void
verify_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  GError *error = NULL;
  GPtrArray *findings = easel_hub_verify (work->cache_dir, work->repo, work->commit, TRUE, progress_cb, work,
                                          cancellable, &error);

  if (findings)
    g_task_return_pointer (task, findings, (GDestroyNotify) g_ptr_array_unref);
  else
    g_task_return_error (task, error);
}

static void
repair_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  GError *error = NULL;

  if (easel_hub_repair (work->cache_dir, work->repo, work->commit, work->findings, &error) >= 0)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
repaired_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselInstalledRow *self = EASEL_INSTALLED_ROW (source);
  g_autofree char *precision = easel_hub_precision_of (self->cache_dir, self->repo, self->commit);
  g_autoptr (GError) error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      say (self, error->message);
      return;
    }
  easel_hub_client_pull (self->client, self->cache_dir, self->repo, self->commit, precision);
  easel_hub_client_tell_changed (self->client);
}

static void
repair_agreed_cb (gpointer user_data)
{
  EaselInstalledRow *self = user_data;
  g_autoptr (GTask) task = g_task_new (self, NULL, repaired_cb, NULL);
  Work *work = new_work (self);

  work->findings = g_ptr_array_ref (self->findings);
  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, repair_thread);
}

static void
offer_repair (EaselInstalledRow *self)
{
  GPtrArray *findings = self->findings;
  g_autofree char *heading = g_strdup_printf (ngettext ("%u File Is Wrong", "%u Files Are Wrong", findings->len),
                                              findings->len);
  g_autofree char *fetch = NULL;
  GString *body = g_string_new (NULL);
  gint64 bytes = 0;

  for (guint i = 0; i < findings->len; i++)
    {
      const EaselHubFinding *finding = findings->pdata[i];

      bytes += finding->bytes;
      if (i < 5)
        g_string_append_printf (body, "%s\n", finding->path);
    }
  if (findings->len > 5)
    g_string_append (body, "…\n");
  fetch = g_format_size ((guint64) bytes);
  g_string_append_printf (body, _ ("Repairing fetches exactly these again: %s."), fetch);
  easel_compat_confirm (GTK_WIDGET (self), heading, body->str, _ ("_Repair"), FALSE, repair_agreed_cb, self);
  g_string_free (body, TRUE);
}

static void
verified_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselInstalledRow *self = EASEL_INSTALLED_ROW (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) findings = g_task_propagate_pointer (G_TASK (result), &error);

  g_clear_object (&self->checking);
  if (!gtk_widget_get_root (GTK_WIDGET (self)))
    return; /* the list was made anew meanwhile */
  gtk_widget_set_visible (GTK_WIDGET (self->stop), FALSE);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "installed.verify", TRUE);
  set_subtitle (self, self->subtitle);
  if (!findings)
    {
      if (!g_error_matches (error, EASEL_ERROR, EASEL_ERROR_CANCELLED))
        say (self, error->message);
      return;
    }
  g_clear_pointer (&self->findings, g_ptr_array_unref);
  self->findings = g_steal_pointer (&findings);
  if (self->findings->len == 0)
    say (self, _ ("Nothing is wrong: every byte is what the Hub lists."));
  else
    offer_repair (self);
}

static void
verify_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselInstalledRow *self = EASEL_INSTALLED_ROW (widget);
  g_autoptr (GTask) task = NULL;

  if (self->checking)
    return;
  self->checking = g_cancellable_new ();
  gtk_widget_set_visible (GTK_WIDGET (self->stop), TRUE);
  gtk_widget_action_set_enabled (widget, "installed.verify", FALSE);
  task = g_task_new (self, self->checking, verified_cb, NULL);
  g_task_set_return_on_cancel (task, FALSE);
  g_task_set_task_data (task, new_work (self), work_free);
  g_task_run_in_thread (task, verify_thread);
}

static void
stop_clicked_cb (EaselInstalledRow *self)
{
  if (self->checking)
    g_cancellable_cancel (self->checking);
}

/* ---- remove ------------------------------------------------------------------------------------------------------ */

static void
remove_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  GError *error = NULL;
  gint64 freed = easel_hub_remove (work->cache_dir, work->repo, work->commit, FALSE, &error);

  if (freed >= 0)
    g_task_return_pointer (task, g_memdup2 (&freed, sizeof freed), g_free);
  else
    g_task_return_error (task, error);
}

static void
removed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselInstalledRow *self = EASEL_INSTALLED_ROW (source);
  g_autoptr (GError) error = NULL;
  g_autofree gint64 *freed = g_task_propagate_pointer (G_TASK (result), &error);

  if (freed)
    {
      g_autofree char *bytes = g_format_size ((guint64) *freed);
      /* Translators: a model was removed; bytes that are free now. */
      g_autofree char *text = g_strdup_printf (_ ("Removed: %s are free now."), bytes);

      say (self, text);
      easel_hub_client_tell_changed (self->client);
    }
  else
    say (self, error->message);
}

static void
remove_agreed_cb (gpointer user_data)
{
  EaselInstalledRow *self = user_data;
  g_autoptr (GTask) task = g_task_new (self, NULL, removed_cb, NULL);

  g_task_set_task_data (task, new_work (self), work_free);
  g_task_run_in_thread (task, remove_thread);
}

static void
remove_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselInstalledRow *self = EASEL_INSTALLED_ROW (widget);
  g_autofree char *heading = g_strdup_printf (_ ("Remove “%s”?"), self->title);
  g_autofree char *freed = g_format_size ((guint64) self->bytes_alone);
  g_autofree char *shared = g_format_size ((guint64) MAX (0, self->bytes - self->bytes_alone));
  g_autofree char *body =
      self->bytes > self->bytes_alone
          ? g_strdup_printf (_ ("This frees %s. Another %s stay, because other models use them too. It can be "
                                "downloaded again."), freed, shared)
          : g_strdup_printf (_ ("This frees %s. It can be downloaded again."), freed);

  easel_compat_confirm (widget, heading, body, _ ("_Remove"), TRUE, remove_agreed_cb, self);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static void
open_folder_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  g_autofree char *uri = g_filename_to_uri (EASEL_INSTALLED_ROW (widget)->path, NULL, NULL);

  if (uri)
    gtk_show_uri (GTK_WINDOW (gtk_widget_get_root (widget)), uri, GDK_CURRENT_TIME);
}

static void
open_page_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselInstalledRow *self = EASEL_INSTALLED_ROW (widget);
  g_autofree char *uri = g_strdup_printf ("%s/%s", easel_hub_client_get_endpoint (self->client), self->repo);

  gtk_show_uri (GTK_WINDOW (gtk_widget_get_root (widget)), uri, GDK_CURRENT_TIME);
}

/* ---- object ------------------------------------------------------------------------------------------------------ */

static void
easel_installed_row_finalize (GObject *object)
{
  EaselInstalledRow *self = EASEL_INSTALLED_ROW (object);

  g_clear_object (&self->client);
  g_clear_object (&self->checking);
  g_clear_pointer (&self->findings, g_ptr_array_unref);
  g_free (self->subtitle);
  g_free (self->title);
  g_free (self->path);
  g_free (self->cache_dir);
  g_free (self->repo);
  g_free (self->commit);
  G_OBJECT_CLASS (easel_installed_row_parent_class)->finalize (object);
}

static void
easel_installed_row_class_init (EaselInstalledRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = easel_installed_row_finalize;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/models/installed-row.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselInstalledRow, stop);
  gtk_widget_class_bind_template_child (widget_class, EaselInstalledRow, more);
  gtk_widget_class_bind_template_callback (widget_class, stop_clicked_cb);
  gtk_widget_class_install_action (widget_class, "installed.verify", NULL, verify_action_cb);
  gtk_widget_class_install_action (widget_class, "installed.open-folder", NULL, open_folder_action_cb);
  gtk_widget_class_install_action (widget_class, "installed.open-page", NULL, open_page_action_cb);
  gtk_widget_class_install_action (widget_class, "installed.remove", NULL, remove_action_cb);
}

static void
easel_installed_row_init (EaselInstalledRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

static char *
describe (const EaselInstalledModel *model)
{
  const EaselModelInfo *info = model->info;
  g_autofree char *bytes = g_format_size (info ? info->bytes : (guint64) model->snapshot->bytes);
  const char *fit, *licence;

  if (!info)
    /* Translators: a revision of a model that nothing leads to any more; bytes. */
    return g_strdup_printf (_ ("an older revision · %s"), bytes);
  fit = info->problem ? info->problem : easel_hub_words_fit (easel_fit (info->bytes, info->largest, model->budget));
  licence = info->licence ? info->licence : _ ("not stated");
  {
    g_autofree char *named = g_strdup_printf (_ ("licence: %s"), licence);
    return g_strjoin (" · ", info->pipeline_class ? info->pipeline_class : "?", bytes, named, fit, NULL);
  }
}

GtkWidget *
easel_installed_row_new (EaselHubClient *client, const EaselInstalledModel *model)
{
  EaselInstalledRow *self = g_object_new (EASEL_TYPE_INSTALLED_ROW, NULL);
  const EaselHubSnapshot *snapshot = model->snapshot;
  static const char *const of_hub[] = { "installed.verify", "installed.open-page", "installed.remove" };
  g_autofree char *escaped = NULL;

  self->client = g_object_ref (client);
  self->title = snapshot ? easel_hub_words_title (client, snapshot->repo) : g_strdup (model->info->name);
  self->path = g_strdup (snapshot ? snapshot->path : model->info->path);
  self->subtitle = describe (model);
  if (snapshot)
    {
      self->cache_dir = g_strdup (model->cache_dir);
      self->repo = g_strdup (snapshot->repo);
      self->commit = g_strdup (snapshot->commit);
      self->bytes = snapshot->bytes;
      self->bytes_alone = snapshot->bytes_alone;
    }
  for (guint i = 0; i < G_N_ELEMENTS (of_hub); i++)
    gtk_widget_action_set_enabled (GTK_WIDGET (self), of_hub[i], snapshot != NULL);
  escaped = g_markup_escape_text (self->title, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self), escaped);
  set_subtitle (self, self->subtitle);
  if (model->info && model->info->problem)
    adw_action_row_add_prefix (ADW_ACTION_ROW (self), gtk_image_new_from_icon_name ("dialog-warning-symbolic"));
  return GTK_WIDGET (self);
}
