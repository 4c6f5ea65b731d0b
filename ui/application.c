/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/application.h"

#include <glib/gi18n.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ui/compat.h"
#include "ui/search-provider.h"
#include "ui/window.h"

struct _EaselApplication
{
  AdwApplication parent;
  GStrv model_roots;
  char *pictures_folder, *data_folder, *converted_folder;
  GSettings *settings;
  EaselEngine *engine;
  EaselGallery *gallery;
  EaselQueue *queue;
  EaselHubClientPlaces hub_places; /* owned strings and settings */
  EaselHubClient *hub;
  EaselSearchProvider *search;
  EaselGallery *searched; /* while the program serves searches alone, without its rooms */
  char *problem;
  guint inhibited;  /* cookie while something is being made */
  gboolean restart; /* asked for, once this run has ended */
};

G_DEFINE_FINAL_TYPE (EaselApplication, easel_application, ADW_TYPE_APPLICATION)

enum
{
  USABLE,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

EaselApplication *
easel_application_get (void)
{
  return EASEL_APPLICATION (g_application_get_default ());
}

EaselEngine *
easel_application_get_engine (EaselApplication *self)
{
  return self->engine;
}

EaselGallery *
easel_application_get_gallery (EaselApplication *self)
{
  return self->gallery;
}

EaselQueue *
easel_application_get_queue (EaselApplication *self)
{
  return self->queue;
}

EaselHubClient *
easel_application_get_hub (EaselApplication *self)
{
  return self->hub;
}

GSettings *
easel_application_get_settings (EaselApplication *self)
{
  return self->settings;
}

const char *
easel_application_get_data_folder (EaselApplication *self)
{
  return self->data_folder;
}

const char *
easel_application_get_problem (EaselApplication *self)
{
  return self->problem;
}

gboolean
easel_application_wants_restart (EaselApplication *self)
{
  return self->restart;
}

void
easel_application_note_usable (EaselApplication *self)
{
  g_signal_emit (self, signals[USABLE], 0);
}

/* ---- what happens while pictures are made ---- */

/* The picture itself, small; for a sandbox its bytes, since the shell cannot see files in there. */
static GIcon *
icon_of (const char *path)
{
  g_autofree char *small = easel_thumbnail_ensure (path, 256, NULL);
  g_autoptr (GFile) file = g_file_new_for_path (small ? small : path);
  char *bytes;
  gsize n;

  if (small && g_file_test ("/.flatpak-info", G_FILE_TEST_EXISTS) && g_file_get_contents (small, &bytes, &n, NULL))
    {
      g_autoptr (GBytes) owned = g_bytes_new_take (bytes, n);
      return g_bytes_icon_new (owned);
    }
  return g_file_icon_new (file);
}

typedef struct
{
  GNotification *notification;
  char *path;
} Announcement;

static void
announcement_free (gpointer data)
{
  Announcement *self = data;

  g_object_unref (self->notification);
  g_free (self->path);
  g_free (self);
}

static void
icon_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_task_return_pointer (task, icon_of (((Announcement *) data)->path), g_object_unref);
}

static void
icon_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GIcon) icon = g_task_propagate_pointer (G_TASK (result), NULL);
  Announcement *announcement = g_task_get_task_data (G_TASK (result));

  if (icon)
    g_notification_set_icon (announcement->notification, icon);
  g_application_send_notification (G_APPLICATION (source), "finished", announcement->notification);
}

static void
current_changed_cb (EaselQueue *queue, GParamSpec *spec, EaselApplication *self)
{
  gboolean busy = easel_queue_get_current (queue) != NULL;

  if (busy && !self->inhibited)
    self->inhibited = gtk_application_inhibit (GTK_APPLICATION (self), gtk_application_get_active_window (
                                                                           GTK_APPLICATION (self)),
                                               GTK_APPLICATION_INHIBIT_SUSPEND, _ ("A picture is being made"));
  else if (!busy && self->inhibited)
    {
      gtk_application_uninhibit (GTK_APPLICATION (self), self->inhibited);
      self->inhibited = 0;
    }
}

static void
announce_done (EaselApplication *self, EaselQueueItem *item)
{
  const EaselRequestSettings *s = easel_request_settings (easel_queue_item_get_request (item));
  g_autoptr (GTask) task = g_task_new (self, NULL, icon_cb, NULL);
  g_autoptr (EaselGalleryItem) saved = easel_gallery_get (self->gallery, easel_queue_item_get_saved_id (item), NULL);
  Announcement *announcement;

  if (!saved)
    return;
  announcement = g_new0 (Announcement, 1);
  announcement->path = g_strdup (saved->path);
  announcement->notification = g_notification_new (saved->kind == EASEL_ITEM_CLIP ? _ ("Your clip is ready")
                                                                                  : _ ("Your picture is ready"));
  g_notification_set_body (announcement->notification, s->prompt);
  g_notification_set_default_action_and_target (announcement->notification, "app.show-item", "x", saved->id);
  g_task_set_task_data (task, announcement, announcement_free);
  g_task_run_in_thread (task, icon_thread);
}

static void
finished_cb (EaselQueue *queue, EaselQueueItem *item, EaselApplication *self)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self));
  g_autoptr (GNotification) notification = NULL;

  if ((window && gtk_window_is_active (window)) || !g_settings_get_boolean (self->settings, "notify"))
    return;
  if (easel_queue_item_get_state (item) == EASEL_JOB_DONE)
    announce_done (self, item);
  if (easel_queue_item_get_state (item) != EASEL_JOB_FAILED)
    return;
  notification = g_notification_new (_ ("It could not be made"));
  g_notification_set_body (notification, easel_queue_item_get_message (item));
  g_notification_set_default_action (notification, "app.activate");
  g_application_send_notification (G_APPLICATION (self), "finished", notification);
}

/* ---- starting ---- */

/* ---- the engine ---- */

typedef struct
{
  const EaselEngineSettings *settings;
  EaselEngine *engine;
  GError *error;
} Start;

#define ENGINE_NICENESS 5 /* a third of the share of other programs where they compete, everything where they do not */

/* Threads inherit their niceness: with those that compute behind all others, the window draws on a machine with every
 * core busy. */
static gpointer
start_thread (gpointer data)
{
  Start *start = data;

  setpriority (PRIO_PROCESS, (id_t) syscall (SYS_gettid), ENGINE_NICENESS);
  start->engine = easel_engine_new (start->settings, &start->error);
  return NULL;
}

static EaselEngine *
start_engine (const EaselEngineSettings *settings, GError **error)
{
  Start start = { settings, NULL, NULL };

  g_thread_join (g_thread_new ("easel-start", start_thread, &start));
  if (start.error)
    g_propagate_error (error, start.error);
  return start.engine;
}

static void
set_problem (EaselApplication *self, const char *sentence)
{
  g_free (self->problem);
  self->problem = g_strdup (sentence);
}

/* The device that was chosen; the best there is when that one is gone, with a sentence about it. */
static EaselEngine *
start_some_engine (EaselApplication *self, EaselEngineSettings *settings, GError **error)
{
  g_autoptr (GError) problem = NULL;
  EaselEngine *engine = start_engine (settings, &problem);

  if (!engine && settings->device)
    {
      set_problem (self, problem->message);
      settings->device = NULL;
      return start_engine (settings, error);
    }
  if (!engine)
    g_propagate_error (error, g_steal_pointer (&problem));
  return engine;
}

/* The engine, the gallery, the queue. What fails leaves a sentence for the window's banner; the window opens anyway. */
static void
open_rooms (EaselApplication *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) more = g_settings_get_strv (self->settings, "model-folders");
  g_autoptr (GStrvBuilder) roots = g_strv_builder_new ();
  g_autofree char *chosen = g_settings_get_string (self->settings, "pictures-folder");
  g_autofree char *device = g_settings_get_string (self->settings, "device");
  g_autofree char *index = g_build_filename (self->data_folder, "gallery.sqlite", NULL);
  g_autofree char *waiting = g_build_filename (self->data_folder, "queue.sqlite", NULL);
  g_auto (GStrv) all = NULL;
  gboolean rebuilt = FALSE, damaged = FALSE;
  EaselEngineSettings settings = { 0 };

  g_strv_builder_addv (roots, (const char **) more);
  g_strv_builder_addv (roots, (const char **) self->model_roots);
  all = g_strv_builder_end (roots);
  settings.model_roots = (const char *const *) all;
  settings.device = *device ? device : NULL;
  settings.threads = g_settings_get_int (self->settings, "threads");
  settings.cache_folder = self->converted_folder;
  settings.leave_free = (guint64) g_settings_get_int (self->settings, "leave-free") * 1000000000u;
  self->engine = start_some_engine (self, &settings, &error);
  if (self->engine)
    {
      g_autofree char *downloads = g_build_filename (self->data_folder, "downloads.json", NULL);

      self->hub = easel_hub_client_new (&self->hub_places, G_APPLICATION (self), self->settings, self->engine,
                                        (const char *const *) self->model_roots, downloads);
    }
  if (self->engine)
    self->gallery = easel_gallery_open (index, *chosen ? chosen : self->pictures_folder, &rebuilt, &error);
  if (self->gallery)
    self->queue = easel_queue_new (waiting, self->engine, self->gallery, &damaged, &error);
  if (!self->queue)
    {
      set_problem (self, error->message);
      return;
    }
  if (rebuilt)
    set_problem (self, _ ("The gallery's index was damaged. It was made anew from your pictures; the old one was kept "
                          "beside it."));
  else if (damaged)
    set_problem (self, _ ("The list of what was waiting to be made was damaged. It begins anew; the old one was "
                          "kept."));
  easel_gallery_watch (self->gallery);
  g_settings_bind (self->settings, "format", self->queue, "format", G_SETTINGS_BIND_GET);
  g_settings_bind (self->settings, "clip-format", self->queue, "clip-format", G_SETTINGS_BIND_GET);
  g_settings_bind (self->settings, "metadata", self->queue, "metadata", G_SETTINGS_BIND_GET);
  g_settings_bind (self->settings, "preview", self->queue, "preview", G_SETTINGS_BIND_GET);
  g_signal_connect_object (self->queue, "notify::current", G_CALLBACK (current_changed_cb), self, 0);
  g_signal_connect_object (self->queue, "finished", G_CALLBACK (finished_cb), self, 0);
}

static void
close_rooms (EaselApplication *self)
{
  if (self->queue)
    g_object_run_dispose (G_OBJECT (self->queue)); /* stops the job; its row stays for the next start */
  g_clear_object (&self->queue);
  g_clear_object (&self->hub);
  if (self->gallery)
    g_object_run_dispose (G_OBJECT (self->gallery)); /* stops a scan */
  g_clear_object (&self->gallery);
  g_clear_object (&self->searched);
  g_clear_object (&self->engine);
}

/* ---- searches from outside ---- */

static EaselGallery *
lend_gallery (GApplication *app)
{
  EaselApplication *self = EASEL_APPLICATION (app);
  g_autofree char *index = g_build_filename (self->data_folder, "gallery.sqlite", NULL);
  g_autofree char *chosen = NULL;

  if (self->gallery)
    return self->gallery;
  if (!self->searched && self->settings && g_file_test (index, G_FILE_TEST_EXISTS))
    {
      chosen = g_settings_get_string (self->settings, "pictures-folder");
      self->searched = easel_gallery_open (index, *chosen ? chosen : self->pictures_folder, NULL, NULL);
    }
  return self->searched;
}

static gboolean
easel_application_dbus_register (GApplication *app, GDBusConnection *bus, const char *path, GError **error)
{
  return G_APPLICATION_CLASS (easel_application_parent_class)->dbus_register (app, bus, path, error) &&
         easel_search_provider_register (EASEL_APPLICATION (app)->search, bus, error);
}

static void
easel_application_dbus_unregister (GApplication *app, GDBusConnection *bus, const char *path)
{
  easel_search_provider_unregister (EASEL_APPLICATION (app)->search, bus);
  G_APPLICATION_CLASS (easel_application_parent_class)->dbus_unregister (app, bus, path);
}

static void
theme_changed_cb (GSettings *settings, const char *key, gpointer user_data)
{
  g_autofree char *theme = g_settings_get_string (settings, "theme");

  adw_style_manager_set_color_scheme (adw_style_manager_get_default (),
                                      g_str_equal (theme, "dark")    ? ADW_COLOR_SCHEME_FORCE_DARK
                                      : g_str_equal (theme, "light") ? ADW_COLOR_SCHEME_FORCE_LIGHT
                                                                     : ADW_COLOR_SCHEME_DEFAULT);
}

static void
easel_application_startup (GApplication *app)
{
  EaselApplication *self = EASEL_APPLICATION (app);

  G_APPLICATION_CLASS (easel_application_parent_class)->startup (app);
  gtk_window_set_default_icon_name (EASEL_APPLICATION_ID);
  self->settings = g_settings_new (EASEL_APPLICATION_ID);
  g_signal_connect (self->settings, "changed::theme", G_CALLBACK (theme_changed_cb), NULL);
  theme_changed_cb (self->settings, "theme", NULL);
  /* Started to answer searches: what waits in the queue waits for a window. */
  if (g_application_get_flags (app) & G_APPLICATION_IS_SERVICE)
    g_application_set_inactivity_timeout (app, 20000);
  else
    open_rooms (self);
}

static EaselWindow *
the_window (EaselApplication *self)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self));

  if (!self->engine && !self->problem)
    {
      g_clear_object (&self->searched);
      open_rooms (self);
    }
  return window && EASEL_IS_WINDOW (window) ? EASEL_WINDOW (window) : easel_window_new (self);
}

static void
easel_application_activate (GApplication *app)
{
  gtk_window_present (GTK_WINDOW (the_window (EASEL_APPLICATION (app))));
}

static void
easel_application_open (GApplication *app, GFile **files, int n_files, const char *hint)
{
  EaselWindow *window = the_window (EASEL_APPLICATION (app));

  gtk_window_present (GTK_WINDOW (window));
  for (int i = 0; i < n_files; i++)
    easel_window_open_file (window, files[i]);
}

static void
easel_application_shutdown (GApplication *app)
{
  EaselApplication *self = EASEL_APPLICATION (app);

  close_rooms (self);
  G_APPLICATION_CLASS (easel_application_parent_class)->shutdown (app);
}

static void
easel_application_finalize (GObject *object)
{
  EaselApplication *self = EASEL_APPLICATION (object);

  g_clear_object (&self->settings);
  g_clear_object (&self->search);
  g_strfreev (self->model_roots);
  g_free (self->pictures_folder);
  g_free (self->data_folder);
  g_free (self->converted_folder);
  g_free (self->problem);
  easel_hub_settings_free ((EaselHubSettings *) self->hub_places.base);
  g_free ((char *) self->hub_places.catalogue);
  g_free ((char *) self->hub_places.own_catalogue);
  g_free ((char *) self->hub_places.login_file);
  G_OBJECT_CLASS (easel_application_parent_class)->finalize (object);
}

/* ---- actions ---- */

static void
quit_action_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (user_data));

  if (window && EASEL_IS_WINDOW (window))
    easel_window_remember_size (EASEL_WINDOW (window));
  g_application_quit (G_APPLICATION (user_data));
}

static void
restart_action_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  EASEL_APPLICATION (user_data)->restart = TRUE;
  quit_action_cb (action, parameter, user_data);
}

static void
about_action_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (user_data));
  const EaselAbout about = {
    .name = _ ("Easel"),
    .icon = EASEL_APPLICATION_ID,
    .version = EASEL_VERSION,
    .developer = _ ("The Easel developers"),
    .website = "https://github.com/easelstudio/easel",
    .issue_url = "https://github.com/easelstudio/easel/issues",
    .copyright = "© 2026 The Easel developers",
    /* Translators: put your names here, one a line. */
    .translators = _ ("translator-credits"),
  };

  if (window)
    easel_compat_about (GTK_WIDGET (window), &about);
}

static void
show_item_action_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  EaselWindow *window = the_window (user_data);

  gtk_window_present (GTK_WINDOW (window));
  easel_window_show_item (window, g_variant_get_int64 (parameter));
}

static void
activate_action_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_application_activate (G_APPLICATION (user_data));
}

static void
search_action_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  EaselWindow *window = the_window (user_data);

  gtk_window_present (GTK_WINDOW (window));
  easel_window_search (window, g_variant_get_string (parameter, NULL));
}

/* In place of an index that this version cannot read: a new one from the pictures; the old one is kept beside it. */
static void
renew_gallery_action_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  EaselApplication *self = user_data;
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self));
  g_autofree char *index = g_build_filename (self->data_folder, "gallery.sqlite", NULL);
  g_autofree char *chosen = g_settings_get_string (self->settings, "pictures-folder");
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselGallery) anew = NULL;

  close_rooms (self);
  anew = easel_gallery_open_anew (index, *chosen ? chosen : self->pictures_folder, &error);
  g_clear_object (&anew);
  g_clear_pointer (&self->problem, g_free);
  open_rooms (self);
  if (error && !self->problem)
    self->problem = g_strdup (error->message);
  gtk_window_present (GTK_WINDOW (easel_window_new (self)));
  if (window)
    gtk_window_destroy (window);
}

static void
easel_application_class_init (EaselApplicationClass *klass)
{
  GApplicationClass *app_class = G_APPLICATION_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = easel_application_finalize;
  signals[USABLE] = g_signal_new ("usable", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, 0);
  app_class->startup = easel_application_startup;
  app_class->activate = easel_application_activate;
  app_class->open = easel_application_open;
  app_class->shutdown = easel_application_shutdown;
  app_class->dbus_register = easel_application_dbus_register;
  app_class->dbus_unregister = easel_application_dbus_unregister;
}

static void
easel_application_init (EaselApplication *self)
{
  static const GActionEntry actions[] = {
    { .name = "quit", .activate = quit_action_cb },
    { .name = "restart", .activate = restart_action_cb },
    { .name = "about", .activate = about_action_cb },
    { .name = "activate", .activate = activate_action_cb },
    { .name = "show-item", .parameter_type = "x", .activate = show_item_action_cb },
    { .name = "search", .parameter_type = "s", .activate = search_action_cb },
    { .name = "renew-gallery", .activate = renew_gallery_action_cb },
  };
  static const struct
  {
    const char *action;
    const char *keys[3];
  } accels[] = {
    { "app.quit", { "<Control>q" } },
    { "win.show-page::create", { "<Alt>1" } },
    { "win.show-page::gallery", { "<Alt>2" } },
    { "win.show-page::models", { "<Alt>3" } },
    { "win.generate", { "<Control>Return", "<Control>KP_Enter" } },
    { "win.stop", { "<Control>period" } },
    { "win.stop-and-keep", { "<Control><Shift>period", "<Control>greater" } },
    { "win.search", { "<Control>f" } },
    { "win.preferences", { "<Control>comma" } },
    { "win.show-help-overlay", { "<Control>question" } },
    { "window.close", { "<Control>w" } },
  };

  self->search = easel_search_provider_new (G_APPLICATION (self), lend_gallery);
  g_action_map_add_action_entries (G_ACTION_MAP (self), actions, G_N_ELEMENTS (actions), self);
  for (gsize i = 0; i < G_N_ELEMENTS (accels); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (self), accels[i].action, accels[i].keys);
}

EaselApplication *
easel_application_new (const EaselApplicationSettings *settings)
{
  EaselApplication *self = g_object_new (EASEL_TYPE_APPLICATION, "application-id", EASEL_APPLICATION_ID, "flags",
                                         G_APPLICATION_HANDLES_OPEN, "resource-base-path",
                                         "/io/github/easelstudio/Easel", NULL);

  self->model_roots = g_strdupv ((GStrv) settings->model_roots);
  self->pictures_folder = g_strdup (settings->pictures_folder);
  self->data_folder = g_strdup (settings->data_folder);
  self->converted_folder = g_strdup (settings->converted_folder);
  self->hub_places.base = easel_hub_settings_copy (settings->hub.base);
  self->hub_places.catalogue = g_strdup (settings->hub.catalogue);
  self->hub_places.own_catalogue = g_strdup (settings->hub.own_catalogue);
  self->hub_places.login_file = g_strdup (settings->hub.login_file);
  return self;
}
