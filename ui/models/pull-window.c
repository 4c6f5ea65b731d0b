/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/pull-window.h"

#include <glib/gi18n.h>

#include "ui/application.h"
#include "ui/compat.h"
#include "ui/models/hub-preferences.h"
#include "ui/models/hub-words.h"

#define KEEP_FREE (256 << 20) /* as EaselHubSettings has it */

struct _EaselPullWindow
{
  AdwWindow parent;

  /* Template widgets */
  GtkButton *download, *settings;
  GtkStack *stack;
  AdwStatusPage *failed;
  GtkLinkButton *failed_page, *licence_page;
  AdwActionRow *fetch, *fit, *where;
  AdwPreferencesGroup *what, *licence;
  GtkWidget *licence_frame;
  GtkTextView *licence_text;

  /* Owned */
  EaselHubClient *client;
  GCancellable *cancellable;
  char *repo, *revision, *precision, *folder;
};

G_DEFINE_FINAL_TYPE (EaselPullWindow, easel_pull_window, ADW_TYPE_WINDOW)

static void
show_failure (EaselPullWindow *self, const EaselHubFailure *failure)
{
  g_autofree char *words = easel_hub_words_failure (failure->reason, self->repo, failure->error);
  g_autofree char *escaped = g_markup_escape_text (words, -1);
  gboolean token = failure->reason == EASEL_HUB_REASON_NO_TOKEN || failure->reason == EASEL_HUB_REASON_BAD_TOKEN ||
                   failure->reason == EASEL_HUB_REASON_TOKEN_RIGHT || failure->reason == EASEL_HUB_REASON_TERMS;

  adw_status_page_set_description (self->failed, escaped);
  gtk_widget_set_visible (GTK_WIDGET (self->failed_page), failure->page != NULL);
  if (failure->page)
    gtk_link_button_set_uri (self->failed_page, failure->page);
  gtk_widget_set_visible (GTK_WIDGET (self->settings), token);
  gtk_stack_set_visible_child_name (self->stack, "failed");
}

static void
show_licence (EaselPullWindow *self, const EaselHubOffer *offer)
{
  const EaselCatalogueEntry *entry = easel_hub_client_find_entry (self->client, self->repo);
  const char *name = entry ? entry->licence_name : offer->plan->licence;
  g_autofree char *escaped = g_markup_escape_text (name ? name : _ ("not stated"), -1);
  g_autofree char *description =
      offer->licence_text
          ? g_strdup (escaped)
          : g_strdup_printf (_ ("%s. The repository has no licence text; its page says what holds."), escaped);

  adw_preferences_group_set_description (self->licence, description);
  gtk_widget_set_visible (self->licence_frame, offer->licence_text != NULL);
  gtk_text_buffer_set_text (gtk_text_view_get_buffer (self->licence_text),
                            offer->licence_text ? offer->licence_text : "", -1);
  gtk_link_button_set_uri (self->licence_page, entry ? entry->licence_link : offer->plan->page);
}

/* Room for what comes and for what must stay free: the download itself looks again, before and on its way. */
static void
show_room (EaselPullWindow *self, const EaselHubPlan *plan)
{
  g_autofree char *free_text = plan->disk_free >= 0 ? g_format_size ((guint64) plan->disk_free) : NULL;
  gint64 missing = plan->disk_free >= 0 ? plan->fetch + KEEP_FREE - plan->disk_free : 0;
  GString *text = g_string_new (self->folder);
  g_autofree char *escaped = NULL;

  if (missing > 0 && plan->fetch > 0)
    {
      g_autofree char *more = g_format_size ((guint64) missing);
      g_string_append_c (text, '\n');
      g_string_append_printf (text, _ ("Not enough space: %s more must be free there. Free some, or choose another "
                                       "folder."), more);
      gtk_widget_add_css_class (GTK_WIDGET (self->where), "error");
    }
  else
    {
      if (free_text)
        {
          g_string_append_c (text, '\n');
          /* Translators: bytes free on a drive. */
          g_string_append_printf (text, _ ("%s free on this drive"), free_text);
        }
      gtk_widget_remove_css_class (GTK_WIDGET (self->where), "error");
    }
  escaped = g_markup_escape_text (text->str, -1);
  adw_action_row_set_subtitle (self->where, escaped);
  gtk_widget_set_sensitive (GTK_WIDGET (self->download), missing <= 0 || plan->fetch == 0);
  g_string_free (text, TRUE);
}

static void
show_offer (EaselPullWindow *self, const EaselHubOffer *offer)
{
  const EaselHubPlan *plan = offer->plan;
  EaselEngine *engine = easel_application_get_engine (easel_application_get ());
  guint64 budget = engine ? easel_engine_get_memory_budget (engine) : G_MAXUINT64;
  const char *fit = easel_hub_words_fit (easel_fit ((guint64) plan->bytes, (guint64) easel_hub_plan_largest (plan),
                                                    budget));
  g_autofree char *fetch = g_format_size ((guint64) plan->fetch), *here = g_format_size ((guint64) plan->here);
  g_autofree char *all = g_format_size ((guint64) plan->repo_bytes);
  g_autofree char *title = g_strdup_printf (_ ("%s to Fetch"), fetch);
  GString *subtitle = g_string_new (NULL);

  g_string_append_printf (subtitle, ngettext ("%u file", "%u files", plan->n_wanted), plan->n_wanted);
  if (plan->here > plan->bytes / 100) /* not the two bytes of an empty file that another one has too */
    {
      g_string_append (subtitle, " · ");
      g_string_append_printf (subtitle, _ ("%s are here already"), here);
    }
  if (plan->repo_bytes > plan->bytes + plan->bytes / 10)
    {
      g_string_append (subtitle, " · ");
      g_string_append_printf (subtitle, _ ("the repository has %s, the rest is not needed"), all);
    }
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->fetch), title);
  adw_action_row_set_subtitle (self->fetch, subtitle->str);
  g_string_free (subtitle, TRUE);
  adw_action_row_set_subtitle (self->fit, fit ? fit : "");
  gtk_widget_set_visible (GTK_WIDGET (self->fit), fit != NULL);
  show_licence (self, offer);
  show_room (self, plan);
  gtk_stack_set_visible_child_name (self->stack, "offer");
}

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (EaselPullWindow) self = user_data;
  EaselHubFailure *failure = NULL;
  g_autoptr (EaselHubOffer) offer = easel_hub_client_ask_finish (EASEL_HUB_CLIENT (source), result, &failure);

  if (!g_cancellable_is_cancelled (self->cancellable))
    {
      if (offer)
        show_offer (self, offer);
      else if (failure)
        show_failure (self, failure);
    }
  easel_hub_failure_free (failure);
}

static void
ask (EaselPullWindow *self)
{
  gtk_widget_set_sensitive (GTK_WIDGET (self->download), FALSE);
  gtk_stack_set_visible_child_name (self->stack, "asking");
  easel_hub_client_ask_async (self->client, self->folder, self->repo, self->revision, self->precision,
                              self->cancellable, answered_cb, g_object_ref (self));
}

static void
folder_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (EaselPullWindow) self = user_data;
  g_autofree char *path = file ? g_file_get_path (file) : NULL;

  if (!path || g_cancellable_is_cancelled (self->cancellable))
    return;
  g_free (self->folder);
  self->folder = g_steal_pointer (&path);
  ask (self); /* what is here, and how much room there is, is another question now */
}

static void
choose_clicked_cb (EaselPullWindow *self)
{
  easel_compat_choose_folder (GTK_WINDOW (self), _ ("Folder for Models"), folder_chosen_cb, g_object_ref (self));
}

static void
settings_clicked_cb (EaselPullWindow *self)
{
  easel_hub_preferences_present (GTK_WIDGET (self), self->client);
}

static void
download_clicked_cb (EaselPullWindow *self)
{
  easel_hub_client_pull (self->client, self->folder, self->repo, self->revision, self->precision);
  gtk_window_close (GTK_WINDOW (self));
}

static gboolean
easel_pull_window_close_request (GtkWindow *window)
{
  g_cancellable_cancel (EASEL_PULL_WINDOW (window)->cancellable);
  return GTK_WINDOW_CLASS (easel_pull_window_parent_class)->close_request (window);
}

static void
easel_pull_window_dispose (GObject *object)
{
  EaselPullWindow *self = EASEL_PULL_WINDOW (object);

  g_cancellable_cancel (self->cancellable);
  if (self->licence_text)
    easel_compat_text_view_ends (self->licence_text);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_PULL_WINDOW);
  G_OBJECT_CLASS (easel_pull_window_parent_class)->dispose (object);
}

static void
easel_pull_window_finalize (GObject *object)
{
  EaselPullWindow *self = EASEL_PULL_WINDOW (object);

  g_clear_object (&self->client);
  g_clear_object (&self->cancellable);
  g_free (self->repo);
  g_free (self->revision);
  g_free (self->precision);
  g_free (self->folder);
  G_OBJECT_CLASS (easel_pull_window_parent_class)->finalize (object);
}

static void
easel_pull_window_class_init (EaselPullWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_pull_window_dispose;
  G_OBJECT_CLASS (klass)->finalize = easel_pull_window_finalize;
  GTK_WINDOW_CLASS (klass)->close_request = easel_pull_window_close_request;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/models/pull-window.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, download);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, settings);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, failed);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, failed_page);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, licence_page);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, fetch);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, fit);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, where);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, what);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, licence);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, licence_frame);
  gtk_widget_class_bind_template_child (widget_class, EaselPullWindow, licence_text);
  gtk_widget_class_bind_template_callback (widget_class, ask);
  gtk_widget_class_bind_template_callback (widget_class, choose_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, settings_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, download_clicked_cb);
}

static void
easel_pull_window_init (EaselPullWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->cancellable = g_cancellable_new ();
}

void
easel_pull_window_present (GtkWidget *parent, EaselHubClient *client, const char *repo, const char *revision,
                           const char *precision)
{
  EaselPullWindow *self =
      g_object_new (EASEL_TYPE_PULL_WINDOW, "transient-for", gtk_widget_get_root (parent), NULL);
  g_autofree char *title = easel_hub_words_title (client, repo);
  g_autofree char *escaped = g_markup_escape_text (title, -1), *name = g_markup_escape_text (repo, -1);

  self->client = g_object_ref (client);
  self->repo = g_strdup (repo);
  self->revision = g_strdup (revision);
  self->precision = g_strdup (precision);
  self->folder = g_strdup (easel_hub_client_get_folder (client));
  adw_preferences_group_set_title (self->what, escaped);
  if (g_strcmp0 (title, repo) != 0)
    adw_preferences_group_set_description (self->what, name);
  gtk_window_present (GTK_WINDOW (self));
  ask (self);
}
