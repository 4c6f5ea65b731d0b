/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#undef ADW_VERSION_MAX_ALLOWED
#undef GDK_VERSION_MAX_ALLOWED
#include "ui/compat.h"

#include <glib/gi18n.h>

/* ---- asking ---- */

typedef struct
{
  EaselConfirmed confirmed;
  EaselFileChosen chosen;
  gpointer user_data;
} Answer;

/* Of a question. */
static void
answer_free (gpointer data, GClosure *closure)
{
  g_clear_object (&((Answer *) data)->user_data);
  g_free (data);
}

static void
response_cb (GObject *dialog, const char *response, Answer *answer)
{
  if (g_str_equal (response, "ok"))
    answer->confirmed (answer->user_data);
}

void
easel_compat_confirm (GtkWidget *parent, const char *heading, const char *body, const char *label, gboolean destructive,
                      EaselConfirmed confirmed, gpointer user_data)
{
  Answer *answer = g_new0 (Answer, 1);
  AdwResponseAppearance look = destructive ? ADW_RESPONSE_DESTRUCTIVE : ADW_RESPONSE_SUGGESTED;

  answer->confirmed = confirmed;
  answer->user_data = user_data ? g_object_ref (user_data) : NULL;
#if ADW_CHECK_VERSION (1, 5, 0)
  AdwAlertDialog *dialog = ADW_ALERT_DIALOG (adw_alert_dialog_new (heading, body));
  adw_alert_dialog_add_responses (dialog, "cancel", _ ("_Cancel"), "ok", label, NULL);
  adw_alert_dialog_set_response_appearance (dialog, "ok", look);
  g_signal_connect_data (dialog, "response", G_CALLBACK (response_cb), answer, answer_free, 0);
  adw_dialog_present (ADW_DIALOG (dialog), parent);
#else
  AdwMessageDialog *dialog =
      ADW_MESSAGE_DIALOG (adw_message_dialog_new (GTK_WINDOW (gtk_widget_get_root (parent)), heading, body));
  adw_message_dialog_add_responses (dialog, "cancel", _ ("_Cancel"), "ok", label, NULL);
  adw_message_dialog_set_response_appearance (dialog, "ok", look);
  g_signal_connect_data (dialog, "response", G_CALLBACK (response_cb), answer, answer_free, 0);
  gtk_window_present (GTK_WINDOW (dialog));
#endif
}

void
easel_compat_about (GtkWidget *parent, const EaselAbout *about)
{
#if ADW_CHECK_VERSION (1, 5, 0)
  AdwDialog *dialog = adw_about_dialog_new ();
#else
  GtkWidget *dialog = adw_about_window_new ();
#endif
  g_object_set (dialog, "application-name", about->name, "application-icon", about->icon, "version", about->version,
                "developer-name", about->developer, "website", about->website, "issue-url", about->issue_url,
                "copyright", about->copyright, "translator-credits", about->translators, "license-type",
                GTK_LICENSE_GPL_3_0, NULL);
#if ADW_CHECK_VERSION (1, 5, 0)
  adw_dialog_present (dialog, parent);
#else
  g_object_set (dialog, "transient-for", gtk_widget_get_root (parent), "modal", TRUE, NULL);
  gtk_window_present (GTK_WINDOW (dialog));
#endif
}

/* ---- files ---- */

#if GTK_CHECK_VERSION (4, 10, 0)
typedef GFile *(*Finish) (GtkFileDialog *, GAsyncResult *, GError **);

static void
finish_choice (GObject *dialog, GAsyncResult *result, Answer *answer, Finish finish)
{
  g_autoptr (GFile) file = finish (GTK_FILE_DIALOG (dialog), result, NULL);
  answer->chosen (file, answer->user_data);
  g_free (answer);
}

static void
saved_cb (GObject *dialog, GAsyncResult *result, gpointer answer)
{
  finish_choice (dialog, result, answer, gtk_file_dialog_save_finish);
}

static void
opened_cb (GObject *dialog, GAsyncResult *result, gpointer answer)
{
  finish_choice (dialog, result, answer, gtk_file_dialog_open_finish);
}

static void
folder_cb (GObject *dialog, GAsyncResult *result, gpointer answer)
{
  finish_choice (dialog, result, answer, gtk_file_dialog_select_folder_finish);
}
#else
static void
chooser_cb (GtkNativeDialog *dialog, int response, Answer *answer)
{
  g_autoptr (GFile) file =
      response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog)) : NULL;
  answer->chosen (file, answer->user_data);
  g_free (answer);
  g_object_unref (dialog);
}
#endif

static void
choose (GtkWindow *parent, const char *title, const char *name, GtkFileChooserAction action, EaselFileChosen chosen,
        gpointer user_data)
{
  Answer *answer = g_new0 (Answer, 1);

  answer->chosen = chosen;
  answer->user_data = user_data;
#if GTK_CHECK_VERSION (4, 10, 0)
  g_autoptr (GtkFileDialog) dialog = gtk_file_dialog_new ();
  gtk_file_dialog_set_title (dialog, title);
  if (name)
    gtk_file_dialog_set_initial_name (dialog, name);
  if (action == GTK_FILE_CHOOSER_ACTION_SAVE)
    gtk_file_dialog_save (dialog, parent, NULL, saved_cb, answer);
  else if (action == GTK_FILE_CHOOSER_ACTION_OPEN)
    gtk_file_dialog_open (dialog, parent, NULL, opened_cb, answer);
  else
    gtk_file_dialog_select_folder (dialog, parent, NULL, folder_cb, answer);
#else
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (title, parent, action, NULL, NULL);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  if (name)
    gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
  g_signal_connect (dialog, "response", G_CALLBACK (chooser_cb), answer);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
#endif
}

void
easel_compat_save_file (GtkWindow *parent, const char *title, const char *name, EaselFileChosen chosen,
                        gpointer user_data)
{
  choose (parent, title, name, GTK_FILE_CHOOSER_ACTION_SAVE, chosen, user_data);
}

void
easel_compat_open_file (GtkWindow *parent, const char *title, EaselFileChosen chosen, gpointer user_data)
{
  choose (parent, title, NULL, GTK_FILE_CHOOSER_ACTION_OPEN, chosen, user_data);
}

void
easel_compat_choose_folder (GtkWindow *parent, const char *title, EaselFileChosen chosen, gpointer user_data)
{
  choose (parent, title, NULL, GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, chosen, user_data);
}

typedef struct
{
  EaselOpened opened;
  gpointer user_data;
} Opening;

static Opening *
opening_new (EaselOpened opened, gpointer user_data)
{
  Opening *opening = g_new0 (Opening, 1);

  opening->opened = opened;
  opening->user_data = user_data;
  return opening;
}

static void
opening_finish (Opening *opening, const GError *error)
{
  gboolean told = error && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_autofree char *problem = NULL;

#if GTK_CHECK_VERSION (4, 10, 0)
  told = told && !g_error_matches (error, GTK_DIALOG_ERROR, GTK_DIALOG_ERROR_DISMISSED);
#endif
  problem = told ? g_strdup_printf (_ ("No other program could be started: %s"), error->message) : NULL;

  opening->opened (problem, opening->user_data);
  g_free (opening);
}

#if GTK_CHECK_VERSION (4, 10, 0)
static void
launched_cb (GObject *launcher, GAsyncResult *result, gpointer opening)
{
  g_autoptr (GError) error = NULL;

  gtk_file_launcher_launch_finish (GTK_FILE_LAUNCHER (launcher), result, &error);
  opening_finish (opening, error);
}

static void
folder_opened_cb (GObject *launcher, GAsyncResult *result, gpointer opening)
{
  g_autoptr (GError) error = NULL;

  gtk_file_launcher_open_containing_folder_finish (GTK_FILE_LAUNCHER (launcher), result, &error);
  opening_finish (opening, error);
}
#else
static void
shown_cb (GObject *parent, GAsyncResult *result, gpointer opening)
{
  g_autoptr (GError) error = NULL;

  gtk_show_uri_full_finish (GTK_WINDOW (parent), result, &error);
  opening_finish (opening, error);
}
#endif

void
easel_compat_open_with (GtkWindow *parent, GFile *file, EaselOpened opened, gpointer user_data)
{
#if GTK_CHECK_VERSION (4, 10, 0)
  g_autoptr (GtkFileLauncher) launcher = gtk_file_launcher_new (file);
#if GTK_CHECK_VERSION (4, 12, 0)
  gtk_file_launcher_set_always_ask (launcher, TRUE);
#endif
  gtk_file_launcher_launch (launcher, parent, NULL, launched_cb, opening_new (opened, user_data));
#else
  g_autofree char *uri = g_file_get_uri (file);
  gtk_show_uri_full (parent, uri, GDK_CURRENT_TIME, NULL, shown_cb, opening_new (opened, user_data));
#endif
}

void
easel_compat_show_in_folder (GtkWindow *parent, GFile *file, EaselOpened opened, gpointer user_data)
{
#if GTK_CHECK_VERSION (4, 10, 0)
  g_autoptr (GtkFileLauncher) launcher = gtk_file_launcher_new (file);
  gtk_file_launcher_open_containing_folder (launcher, parent, NULL, folder_opened_cb, opening_new (opened, user_data));
#else
  g_autoptr (GFile) folder = g_file_get_parent (file);
  g_autofree char *uri = g_file_get_uri (folder);
  gtk_show_uri_full (parent, uri, GDK_CURRENT_TIME, NULL, shown_cb, opening_new (opened, user_data));
#endif
}

/* ---- windows ---- */

void
easel_compat_present_preferences (GtkWidget *parent, const char *title, GPtrArray *pages)
{
#if ADW_CHECK_VERSION (1, 5, 0)
  AdwDialog *dialog = adw_preferences_dialog_new ();
  adw_dialog_set_title (dialog, title);
  for (guint i = 0; i < pages->len; i++)
    adw_preferences_dialog_add (ADW_PREFERENCES_DIALOG (dialog), pages->pdata[i]);
  adw_dialog_present (dialog, parent);
#else
  GtkWidget *window = adw_preferences_window_new ();
  g_object_set (window, "title", title, "transient-for", gtk_widget_get_root (parent), "modal", TRUE, NULL);
  for (guint i = 0; i < pages->len; i++)
    adw_preferences_window_add (ADW_PREFERENCES_WINDOW (window), pages->pdata[i]);
  gtk_window_present (GTK_WINDOW (window));
#endif
}

void
easel_compat_text_view_ends (GtkTextView *view)
{
  gtk_text_view_set_buffer (view, NULL);
}

void
easel_compat_setup_switcher (AdwApplicationWindow *window, AdwHeaderBar *bar, AdwViewStack *stack,
                             AdwViewSwitcherBar *bottom)
{
#if ADW_CHECK_VERSION (1, 4, 0)
  /* A stack: of a title widget that is taken away and put back the role is set twice, which GTK 4.18 calls critical. */
  GtkWidget *switcher = adw_view_switcher_new (), *titles = gtk_stack_new ();
  AdwBreakpoint *narrow = adw_breakpoint_new (adw_breakpoint_condition_parse ("max-width: 600sp"));
  adw_view_switcher_set_stack (ADW_VIEW_SWITCHER (switcher), stack);
  adw_view_switcher_set_policy (ADW_VIEW_SWITCHER (switcher), ADW_VIEW_SWITCHER_POLICY_WIDE);
  gtk_stack_set_hhomogeneous (GTK_STACK (titles), FALSE);
  gtk_stack_add_named (GTK_STACK (titles), switcher, "switcher");
  gtk_stack_add_named (GTK_STACK (titles), adw_window_title_new (gtk_window_get_title (GTK_WINDOW (window)), ""),
                       "title");
  adw_header_bar_set_title_widget (bar, titles);
  adw_view_switcher_bar_set_stack (bottom, stack);
  adw_breakpoint_add_setters (narrow, G_OBJECT (bottom), "reveal", TRUE, G_OBJECT (titles), "visible-child-name",
                              "title", NULL);
  adw_application_window_add_breakpoint (window, narrow);
#else
  GtkWidget *title = adw_view_switcher_title_new ();
  adw_view_switcher_title_set_stack (ADW_VIEW_SWITCHER_TITLE (title), stack);
  adw_view_switcher_title_set_title (ADW_VIEW_SWITCHER_TITLE (title), gtk_window_get_title (GTK_WINDOW (window)));
  adw_header_bar_set_title_widget (bar, title);
  adw_view_switcher_bar_set_stack (bottom, stack);
  g_object_bind_property (title, "title-visible", bottom, "reveal", G_BINDING_SYNC_CREATE);
#endif
}

#if ADW_CHECK_VERSION (1, 4, 0)
/* Of what easel_compat_split_new() gives: a bin whose breakpoint folds it. */
static AdwOverlaySplitView *
overlay_of (GtkWidget *split)
{
  return ADW_OVERLAY_SPLIT_VIEW (adw_breakpoint_bin_get_child (ADW_BREAKPOINT_BIN (split)));
}
#endif

GtkWidget *
easel_compat_split_new (GtkWidget *side, GtkWidget *content, gboolean at_end)
{
#if ADW_CHECK_VERSION (1, 4, 0)
  GtkWidget *bin = adw_breakpoint_bin_new ();
  AdwBreakpoint *narrow = adw_breakpoint_new (adw_breakpoint_condition_parse ("max-width: 700sp"));
  AdwOverlaySplitView *split = ADW_OVERLAY_SPLIT_VIEW (adw_overlay_split_view_new ());
  adw_overlay_split_view_set_sidebar (split, side);
  adw_overlay_split_view_set_content (split, content);
  adw_overlay_split_view_set_sidebar_position (split, at_end ? GTK_PACK_END : GTK_PACK_START);
  gtk_widget_set_size_request (side, 320, -1); /* a window may be 350 wide */
  adw_overlay_split_view_set_sidebar_width_fraction (split, 0.5);
  adw_overlay_split_view_set_max_sidebar_width (split, 380);
  adw_breakpoint_add_setters (narrow, G_OBJECT (split), "collapsed", TRUE, NULL);
  adw_breakpoint_bin_set_child (ADW_BREAKPOINT_BIN (bin), GTK_WIDGET (split));
  adw_breakpoint_bin_add_breakpoint (ADW_BREAKPOINT_BIN (bin), narrow);
  gtk_widget_set_size_request (bin, 320, 280); /* the least: a bin with breakpoints has none of its own */
  return bin;
#else
  AdwFlap *split = ADW_FLAP (adw_flap_new ());
  adw_flap_set_flap (split, side);
  adw_flap_set_content (split, content);
  adw_flap_set_separator (split, gtk_separator_new (GTK_ORIENTATION_VERTICAL));
  adw_flap_set_flap_position (split, at_end ? GTK_PACK_END : GTK_PACK_START);
  gtk_widget_set_hexpand (content, TRUE);
  return GTK_WIDGET (split);
#endif
}

void
easel_compat_split_set_shown (GtkWidget *split, gboolean shown)
{
#if ADW_CHECK_VERSION (1, 4, 0)
  adw_overlay_split_view_set_show_sidebar (overlay_of (split), shown);
#else
  adw_flap_set_reveal_flap (ADW_FLAP (split), shown);
#endif
}

gboolean
easel_compat_split_get_shown (GtkWidget *split)
{
#if ADW_CHECK_VERSION (1, 4, 0)
  return adw_overlay_split_view_get_show_sidebar (overlay_of (split));
#else
  return adw_flap_get_reveal_flap (ADW_FLAP (split));
#endif
}

gboolean
easel_compat_split_is_folded (GtkWidget *split)
{
#if ADW_CHECK_VERSION (1, 4, 0)
  return adw_overlay_split_view_get_collapsed (overlay_of (split));
#else
  return adw_flap_get_folded (ADW_FLAP (split));
#endif
}

void
easel_compat_split_watch_folded (GtkWidget *split, GCallback callback, gpointer instance)
{
#if ADW_CHECK_VERSION (1, 4, 0)
  g_signal_connect_object (overlay_of (split), "notify::collapsed", callback, instance, G_CONNECT_SWAPPED);
#else
  g_signal_connect_object (split, "notify::folded", callback, instance, G_CONNECT_SWAPPED);
#endif
}
