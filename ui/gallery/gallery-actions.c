/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-actions.h"

#include <glib/gi18n.h>

#include "engine/core/error.h"
#include "ui/compat.h"
#include "ui/gallery/export-dialog.h"
#include "ui/window.h"

#define VARIATIONS 4

typedef enum
{
  TRASH,
  UNTRASH,
  DELETE,
  FORGET,
  STARS,
  TAGS,
  SET_TAGS,
} What;

typedef struct
{
  What what;
  EaselGallery *gallery;
  GArray *ids, *done; /* done: those it worked for */
  int stars;
  GStrv add, remove;
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;

  g_object_unref (work->gallery);
  g_array_unref (work->ids);
  g_array_unref (work->done);
  g_strfreev (work->add);
  g_strfreev (work->remove);
  g_free (work);
}

static void
say (GtkWidget *widget, const char *message)
{
  EaselWindow *window = easel_window_of (widget);

  if (window && message)
    easel_window_toast (window, message);
}

/* ---- on the worker ---- */

/* Those that go one by one: what failed does not keep the rest. */
static gboolean
work_on (Work *work, gint64 id, GError **error)
{
  switch (work->what)
    {
    case TRASH:
      return easel_gallery_trash (work->gallery, id, error);
    case UNTRASH:
      return easel_gallery_untrash (work->gallery, id, error);
    case DELETE:
      return easel_gallery_delete (work->gallery, id, error);
    case FORGET:
      return easel_gallery_forget (work->gallery, id, error);
    case SET_TAGS:
      return easel_gallery_set_tags (work->gallery, id, (const char *const *) work->add, error);
    case STARS:
    case TAGS:
    default:
      return FALSE;
    }
}

static void
work_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  const gint64 *ids = (const gint64 *) (gpointer) work->ids->data;
  GError *error = NULL;

  if (work->what == STARS)
    easel_gallery_set_stars_of (work->gallery, ids, work->ids->len, work->stars, &error);
  else if (work->what == TAGS)
    easel_gallery_edit_tags_of (work->gallery, ids, work->ids->len, (const char *const *) work->add,
                                (const char *const *) work->remove, &error);
  else
    for (guint i = 0; i < work->ids->len; i++)
      {
        g_autoptr (GError) problem = NULL;

        if (work_on (work, ids[i], &problem))
          g_array_append_val (work->done, ids[i]);
        else if (!error)
          error = g_steal_pointer (&problem);
      }
  if (error)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

/* ---- telling ---- */

static void start (GtkWidget *widget, Work *work);

static Work *
work_new (What what, GArray *ids)
{
  Work *work = g_new0 (Work, 1);

  work->what = what;
  work->gallery = g_object_ref (easel_application_get_gallery (easel_application_get ()));
  work->ids = g_array_copy (ids);
  work->done = g_array_new (FALSE, FALSE, sizeof (gint64));
  return work;
}

static void
undo_cb (AdwToast *toast, gpointer window)
{
  easel_gallery_actions_untrash (window, g_object_get_data (G_OBJECT (toast), "ids"));
}

static void
tell_trashed (GtkWidget *widget, GArray *done)
{
  EaselWindow *window = easel_window_of (widget);
  g_autofree char *words =
      g_strdup_printf (ngettext ("%u picture moved to the trash", "%u pictures moved to the trash", done->len),
                       done->len);
  AdwToast *toast;

  if (!window || done->len == 0)
    return;
  toast = adw_toast_new (words);
  adw_toast_set_timeout (toast, 10);
  adw_toast_set_priority (toast, ADW_TOAST_PRIORITY_HIGH); /* not behind what was said before */
  adw_toast_set_button_label (toast, _ ("Undo"));          /* a mnemonic would be read out */
  g_object_set_data_full (G_OBJECT (toast), "ids", g_array_ref (done), (GDestroyNotify) g_array_unref);
  g_signal_connect_object (toast, "button-clicked", G_CALLBACK (undo_cb), window, 0);
  adw_toast_overlay_add_toast (easel_window_get_toasts (window), toast);
}

typedef struct
{
  GWeakRef widget;
  GArray *ids;
} Deletion;

static void
delete_confirmed_cb (gpointer user_data)
{
  Deletion *deletion = user_data;
  g_autoptr (GtkWidget) widget = g_weak_ref_get (&deletion->widget);

  if (widget)
    start (widget, work_new (DELETE, deletion->ids));
}

static void
deletion_free (gpointer data)
{
  Deletion *deletion = data;

  g_weak_ref_clear (&deletion->widget);
  g_array_unref (deletion->ids);
  g_free (deletion);
}

/* There is no trash where the files lie (a network drive, a camera's card). */
static void
ask_to_delete (GtkWidget *widget, Work *work)
{
  Deletion *deletion = g_new0 (Deletion, 1);
  g_autofree char *heading =
      g_strdup_printf (ngettext ("Delete %u Picture for Good?", "Delete %u Pictures for Good?", work->ids->len),
                       work->ids->len);

  g_weak_ref_init (&deletion->widget, widget);
  deletion->ids = g_array_copy (work->ids);
  g_object_set_data_full (G_OBJECT (widget), "easel-deletion", deletion, deletion_free);
  easel_compat_confirm (GTK_WIDGET (gtk_widget_get_root (widget)), heading,
                        _ ("There is no trash on the drive of these files. This cannot be undone."), _ ("_Delete"),
                        TRUE, delete_confirmed_cb, deletion);
}

static void
worked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GtkWidget) widget = GTK_WIDGET (source);
  Work *work = g_task_get_task_data (G_TASK (result));
  g_autoptr (GError) error = NULL;

  g_object_ref (widget);
  g_task_propagate_boolean (G_TASK (result), &error);
  if (!gtk_widget_get_root (widget))
    return;
  if (work->what == TRASH)
    tell_trashed (widget, work->done);
  if (work->what == TRASH && g_error_matches (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED) && work->done->len == 0)
    ask_to_delete (widget, work);
  else if (error)
    say (widget, error->message);
  else if (work->what == FORGET)
    say (widget, ngettext ("Taken out of the gallery. The file stays where it is.",
                           "Taken out of the gallery. The files stay where they are.", work->ids->len));
  else if (work->what == UNTRASH)
    say (widget, ngettext ("It is back.", "They are back.", work->ids->len));
  else if (work->what == TAGS || work->what == SET_TAGS)
    say (widget, _ ("Tags saved."));
}

/* Takes the work. */
static void
start (GtkWidget *widget, Work *work)
{
  g_autoptr (GTask) task = g_task_new (widget, NULL, worked_cb, NULL);

  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, work_thread);
}

void
easel_gallery_actions_trash (GtkWidget *widget, GArray *ids)
{
  if (ids->len)
    start (widget, work_new (TRASH, ids));
}

void
easel_gallery_actions_untrash (GtkWidget *widget, GArray *ids)
{
  if (ids->len)
    start (widget, work_new (UNTRASH, ids));
}

void
easel_gallery_actions_forget (GtkWidget *widget, GArray *ids)
{
  if (ids->len)
    start (widget, work_new (FORGET, ids));
}

void
easel_gallery_actions_set_stars (GtkWidget *widget, GArray *ids, int stars)
{
  Work *work;

  if (!ids->len)
    return;
  work = work_new (STARS, ids);
  work->stars = stars;
  start (widget, work);
}

static GStrv
split_tags (const char *words)
{
  GStrv tags = g_strsplit (words, ",", -1);

  for (guint i = 0; tags[i]; i++)
    g_strstrip (tags[i]);
  return tags;
}

void
easel_gallery_actions_edit_tags (GtkWidget *widget, GArray *ids, const char *add, const char *remove)
{
  Work *work;

  if (!ids->len)
    return;
  work = work_new (TAGS, ids);
  work->add = split_tags (add);
  work->remove = split_tags (remove);
  start (widget, work);
}

void
easel_gallery_actions_set_tags (GtkWidget *widget, gint64 id, const char *tags)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  Work *work;

  g_array_append_val (ids, id);
  work = work_new (SET_TAGS, ids);
  work->add = split_tags (tags);
  start (widget, work);
}

void
easel_gallery_actions_export (GtkWidget *widget, GArray *ids)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) items =
      easel_gallery_get_many (gallery, (const gint64 *) (gpointer) ids->data, ids->len, &error);

  if (!items)
    say (widget, error->message);
  else if (items->len)
    easel_export_dialog_present (GTK_WINDOW (gtk_widget_get_root (widget)), items);
}

/* ---- other programs ---- */

static void
opened_cb (const char *problem, gpointer user_data)
{
  g_autoptr (GtkWidget) widget = user_data;

  say (widget, problem);
}

void
easel_gallery_actions_open (GtkWidget *widget, const char *path)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);

  easel_compat_open_with (GTK_WINDOW (gtk_widget_get_root (widget)), file, opened_cb, g_object_ref (widget));
}

void
easel_gallery_actions_show_in_folder (GtkWidget *widget, const char *path)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);

  easel_compat_show_in_folder (GTK_WINDOW (gtk_widget_get_root (widget)), file, opened_cb, g_object_ref (widget));
}

GdkContentProvider *
easel_gallery_actions_content (const char *const *paths, GdkTexture *texture)
{
  GSList *files = NULL;
  GdkFileList *list;
  g_autoptr (GString) uris = g_string_new (NULL);
  g_autoptr (GBytes) bytes = NULL;
  GdkContentProvider *parts[3];
  gsize n = 0;

  for (; *paths; paths++)
    {
      g_autofree char *uri = g_filename_to_uri (*paths, NULL, NULL);

      files = g_slist_prepend (files, g_file_new_for_path (*paths));
      if (uri)
        g_string_append_printf (uris, "%s\r\n", uri);
    }
  files = g_slist_reverse (files);
  list = gdk_file_list_new_from_list (files);
  g_slist_free_full (files, g_object_unref);
  parts[n++] = gdk_content_provider_new_typed (GDK_TYPE_FILE_LIST, list);
  g_boxed_free (GDK_TYPE_FILE_LIST, list);
  /* File managers of other toolkits ask for the words. */
  bytes = g_bytes_new (uris->str, uris->len);
  parts[n++] = gdk_content_provider_new_for_bytes ("text/uri-list", bytes);
  if (texture)
    parts[n++] = gdk_content_provider_new_typed (GDK_TYPE_TEXTURE, texture);
  return gdk_content_provider_new_union (parts, n);
}

/* ---- the queue ---- */

static void
queue_settings (GtkWidget *widget, const EaselRequestSettings *settings, const char *done)
{
  EaselQueue *queue = easel_application_get_queue (easel_application_get ());
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = easel_request_new (settings, &error);

  if (request && queue && easel_queue_add (queue, request, FALSE, &error))
    say (widget, done);
  else
    say (widget, error ? error->message : NULL);
}

void
easel_gallery_actions_make_again (GtkWidget *widget, EaselRequest *request)
{
  queue_settings (widget, easel_request_settings (request), _ ("Queued to be made again."));
}

void
easel_gallery_actions_make_variations (GtkWidget *widget, EaselRequest *request)
{
  EaselRequestSettings settings = *easel_request_settings (request);
  g_autofree char *done =
      g_strdup_printf (ngettext ("%d variation was queued.", "%d variations were queued.", VARIATIONS), VARIATIONS);

  settings.count = VARIATIONS;
  settings.seed = (gint64) g_random_int ();
  queue_settings (widget, &settings, done);
}
