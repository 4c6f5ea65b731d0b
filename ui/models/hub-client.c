/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/hub-client.h"

#include <glib/gi18n.h>
#include <string.h>

#include "engine/hub/secret.h"
#include "ui/models/hub-words.h"

struct _EaselHubClient
{
  GObject parent;

  GApplication *application; /* borrowed: it owns us */
  GSettings *settings;
  EaselEngine *engine;
  EaselHub *hub;
  GNetworkMonitor *network;
  EaselHubSettings *base;
  GPtrArray *catalogue;
  char *catalogue_problem, *login_file;
  GStrv roots;
  guint inhibited; /* cookie while something is fetched */

  /* Under `lock`: worker threads ask for them. */
  GMutex lock;
  EaselHubSettings *now; /* base and what the person chose; the token once it was looked for */
  gboolean token_known;
};

enum
{
  INSTALLED_CHANGED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (EaselHubClient, easel_hub_client, G_TYPE_OBJECT)

void
easel_hub_failure_free (EaselHubFailure *failure)
{
  if (!failure)
    return;
  g_free (failure->page);
  g_clear_error (&failure->error);
  g_free (failure);
}

void
easel_hub_offer_free (EaselHubOffer *offer)
{
  if (!offer)
    return;
  g_clear_pointer (&offer->plan, easel_hub_plan_free);
  g_free (offer->licence_text);
  g_free (offer->licence_name);
  g_free (offer);
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

/* HF_TOKEN, else the login if the person agreed, else the keyring, which may ask to be unlocked: worker threads. */
static char *
look_for_token (const EaselHubSettings *now, const char *login_file)
{
  char *token = NULL;

  if (now->token)
    return g_strdup (now->token);
  if (login_file && (token = easel_hub_token_from_login (login_file, NULL)))
    return token;
  return easel_hub_token_lookup (now->endpoint, NULL);
}

/* A copy of what holds now, with the token. Worker threads. */
static EaselHubSettings *
dup_settings (EaselHubClient *self, const char *login_file)
{
  g_autoptr (EaselHubSettings) asked = NULL;
  EaselHubSettings *copy;
  gboolean known;

  g_mutex_lock (&self->lock);
  copy = easel_hub_settings_copy (self->now);
  known = self->token_known;
  g_mutex_unlock (&self->lock);
  if (known)
    return copy;
  asked = copy;
  {
    char *token = look_for_token (copy, login_file);

    g_mutex_lock (&self->lock);
    /* Another endpoint may have been chosen meanwhile: its token is another one. */
    if (!self->token_known && strcmp (self->now->endpoint, asked->endpoint) == 0)
      {
        easel_hub_token_free (self->now->token);
        self->now->token = g_strdup (token);
        self->token_known = TRUE;
      }
    easel_hub_token_free (asked->token);
    asked->token = token;
    g_mutex_unlock (&self->lock);
  }
  return g_steal_pointer (&asked);
}

/* The queue takes over what was found out. */
static void
apply (EaselHubClient *self)
{
  g_autoptr (EaselHubSettings) copy = NULL;

  g_mutex_lock (&self->lock);
  copy = easel_hub_settings_copy (self->now);
  g_mutex_unlock (&self->lock);
  easel_hub_set_settings (self->hub, copy);
}

static void
tell_engine (EaselHubClient *self)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) folders = easel_hub_client_dup_folders (self), all = NULL;
  g_auto (GStrv) own = g_settings_get_strv (self->settings, "model-folders");

  if (!self->engine)
    return;
  g_strv_builder_addv (builder, (const char **) own);
  g_strv_builder_addv (builder, (const char **) self->roots);
  for (char **folder = folders; *folder; folder++)
    if (!g_strv_contains ((const char *const *) self->roots, *folder))
      g_strv_builder_add (builder, *folder);
  all = g_strv_builder_end (builder);
  easel_engine_set_model_roots (self->engine, (const char *const *) all);
}

static EaselHubSettings *
read_settings (EaselHubClient *self)
{
  EaselHubSettings *s = easel_hub_settings_copy (self->base);
  g_autofree char *endpoint = g_settings_get_string (self->settings, "hub-endpoint");
  g_autofree char *folder = g_settings_get_string (self->settings, "hub-folder");

  if (*endpoint)
    {
      g_free (s->endpoint);
      s->endpoint = g_strdup (endpoint);
    }
  if (*folder)
    {
      g_free (s->cache_dir);
      s->cache_dir = g_strdup (folder);
    }
  s->rate = (gint64) g_settings_get_int (self->settings, "hub-limit") * 1000;
  /* What lies in another folder already is taken from there: by hash, and without copying on the same drive. */
  {
    g_autoptr (GStrvBuilder) imports = g_strv_builder_new ();
    g_auto (GStrv) hub = g_settings_get_strv (self->settings, "hub-folders");
    g_auto (GStrv) own = g_settings_get_strv (self->settings, "model-folders");

    g_strv_builder_addv (imports, (const char **) hub);
    g_strv_builder_addv (imports, (const char **) own);
    g_strfreev (s->import_dirs);
    s->import_dirs = g_strv_builder_end (imports);
  }
  return s;
}

static const char *
agreed_login (EaselHubClient *self)
{
  return g_settings_get_boolean (self->settings, "hub-use-login") ? self->login_file : NULL;
}

static void
token_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  easel_hub_settings_free (dup_settings (source, data));
  g_task_return_boolean (task, TRUE);
}

static void
token_found_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  apply (EASEL_HUB_CLIENT (source));
}

/* Looks for the token in the background, so that downloads that go on have it. */
static void
look_later (EaselHubClient *self)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, token_found_cb, NULL);

  g_task_set_task_data (task, g_strdup (agreed_login (self)), g_free);
  g_task_run_in_thread (task, token_thread);
}

static void
settings_changed_cb (EaselHubClient *self, const char *key)
{
  if (!g_str_has_prefix (key, "hub-") && strcmp (key, "model-folders") != 0)
    return;
  g_mutex_lock (&self->lock);
  easel_hub_settings_free (self->now);
  self->now = read_settings (self);
  self->token_known = self->now->token != NULL;
  g_mutex_unlock (&self->lock);
  apply (self);
  if (g_list_model_get_n_items (easel_hub_get_queue (self->hub)) > 0)
    look_later (self);
  tell_engine (self);
  if (g_str_has_suffix (key, "-folders"))
    easel_hub_client_tell_changed (self);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

typedef struct
{
  char *folder, *repo, *revision, *precision, *words, *login_file, *token;
  EaselHubFailure *failure;
} Question;

static void
question_free (Question *q)
{
  g_free (q->folder);
  g_free (q->repo);
  g_free (q->revision);
  g_free (q->precision);
  g_free (q->words);
  g_free (q->login_file);
  easel_hub_token_free (q->token);
  easel_hub_failure_free (q->failure);
  g_free (q);
}

static GTask *
ask (EaselHubClient *self, Question *q, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  q->login_file = g_strdup (agreed_login (self));
  g_task_set_task_data (task, q, (GDestroyNotify) question_free);
  return task;
}

static void
fail_question (GTask *task, Question *q, EaselHubReason reason, char *page, GError *error)
{
  q->failure = g_new0 (EaselHubFailure, 1);
  q->failure->reason = reason;
  q->failure->page = page;
  q->failure->error = g_error_copy (error);
  g_task_return_error (task, error);
}

static void
ask_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Question *q = data;
  g_autoptr (EaselHubSettings) settings = dup_settings (source, q->login_file);
  g_autoptr (EaselHubOffer) offer = g_new0 (EaselHubOffer, 1);
  EaselHubReason reason = EASEL_HUB_REASON_NONE;
  GError *error = NULL;
  char *page = NULL;

  g_free (settings->cache_dir);
  settings->cache_dir = g_strdup (q->folder);
  offer->plan = easel_hub_plan (settings, q->repo, q->revision, q->precision, cancellable, &reason, &page, &error);
  if (offer->plan)
    offer->licence_text =
        easel_hub_licence_text (settings, offer->plan, cancellable, &offer->licence_name, &error);
  if (error)
    fail_question (task, q, reason, page, error);
  else
    {
      g_free (page);
      g_task_return_pointer (task, g_steal_pointer (&offer), (GDestroyNotify) easel_hub_offer_free);
    }
}

void
easel_hub_client_ask_async (EaselHubClient *self, const char *folder, const char *repo, const char *revision,
                            const char *precision, GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data)
{
  Question *q = g_new0 (Question, 1);
  g_autoptr (GTask) task = NULL;

  q->folder = g_strdup (folder);
  q->repo = g_strdup (repo);
  q->revision = g_strdup (revision);
  q->precision = g_strdup (precision);
  task = ask (self, q, cancellable, callback, user_data);
  g_task_run_in_thread (task, ask_thread);
}

static gpointer
answer (GAsyncResult *result, EaselHubFailure **failure)
{
  Question *q = g_task_get_task_data (G_TASK (result));
  gpointer got = g_task_propagate_pointer (G_TASK (result), NULL);

  *failure = got ? NULL : g_steal_pointer (&q->failure);
  if (*failure && (*failure)->reason == EASEL_HUB_REASON_CANCELLED)
    g_clear_pointer (failure, easel_hub_failure_free);
  return got;
}

EaselHubOffer *
easel_hub_client_ask_finish (EaselHubClient *self, GAsyncResult *result, EaselHubFailure **failure)
{
  return answer (result, failure);
}

static void
search_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Question *q = data;
  g_autoptr (EaselHubSettings) settings = dup_settings (source, q->login_file);
  EaselHubReason reason = EASEL_HUB_REASON_NONE;
  GError *error = NULL;
  GPtrArray *hits = easel_hub_search (settings, q->words, 30, cancellable, &reason, &error);

  if (hits)
    g_task_return_pointer (task, hits, (GDestroyNotify) g_ptr_array_unref);
  else
    fail_question (task, q, reason, NULL, error);
}

void
easel_hub_client_search_async (EaselHubClient *self, const char *words, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data)
{
  Question *q = g_new0 (Question, 1);
  g_autoptr (GTask) task = NULL;

  q->words = g_strdup (words);
  task = ask (self, q, cancellable, callback, user_data);
  g_task_run_in_thread (task, search_thread);
}

GPtrArray *
easel_hub_client_search_finish (EaselHubClient *self, GAsyncResult *result, EaselHubFailure **failure)
{
  return answer (result, failure);
}

/* ---- the token --------------------------------------------------------------------------------------------------- */

static void
store_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  EaselHubClient *self = source;
  Question *q = data;
  g_autofree char *endpoint = NULL;
  GError *error = NULL;

  g_mutex_lock (&self->lock);
  endpoint = g_strdup (self->now->endpoint);
  g_mutex_unlock (&self->lock);
  if (q->token ? easel_hub_token_store (endpoint, q->token, &error) : easel_hub_token_clear (endpoint, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
easel_hub_client_store_token_async (EaselHubClient *self, const char *token, GAsyncReadyCallback callback,
                                    gpointer user_data)
{
  Question *q = g_new0 (Question, 1);
  g_autoptr (GTask) task = ask (self, q, NULL, callback, user_data);

  q->token = g_strdup (token);
  g_task_run_in_thread (task, store_thread);
}

gboolean
easel_hub_client_store_token_finish (EaselHubClient *self, GAsyncResult *result, GError **error)
{
  gboolean stored = g_task_propagate_boolean (G_TASK (result), error);

  if (stored)
    settings_changed_cb (self, "hub-token");
  return stored;
}

/* ---- the queue --------------------------------------------------------------------------------------------------- */

static gboolean
is_active (EaselDownload *download)
{
  EaselDownloadState state = easel_download_get_state (download);

  return state == EASEL_DOWNLOAD_WAITING || state == EASEL_DOWNLOAD_PLANNING || state == EASEL_DOWNLOAD_DOWNLOADING ||
         state == EASEL_DOWNLOAD_VERIFYING;
}

/* The machine stays awake while something is fetched; not for what waits for a network or a person. */
static void
update_inhibition (EaselHubClient *self)
{
  GListModel *list = easel_hub_get_queue (self->hub);
  GtkApplication *application = GTK_APPLICATION (self->application);
  gboolean active = FALSE;

  for (guint i = 0; i < g_list_model_get_n_items (list) && !active; i++)
    {
      g_autoptr (EaselDownload) download = g_list_model_get_item (list, i);
      active = is_active (download);
    }
  if (active && !self->inhibited)
    self->inhibited = gtk_application_inhibit (application, gtk_application_get_active_window (application),
                                               GTK_APPLICATION_INHIBIT_SUSPEND, _ ("A model is being downloaded"));
  else if (!active && self->inhibited)
    {
      gtk_application_uninhibit (application, self->inhibited);
      self->inhibited = 0;
    }
}

static void
notify_person (EaselHubClient *self, EaselDownload *download, EaselDownloadState state)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self->application));
  g_autofree char *title = NULL, *body = easel_hub_words_title (self, easel_download_get_repo (download));
  g_autoptr (GNotification) notification = NULL;

  if ((window && gtk_window_is_active (window)) || !g_settings_get_boolean (self->settings, "notify"))
    return;
  title = g_strdup (state == EASEL_DOWNLOAD_DONE ? _ ("The model is here") : _ ("A download failed"));
  notification = g_notification_new (title);
  g_notification_set_body (notification, body);
  g_notification_set_default_action (notification, "app.activate");
  g_application_send_notification (self->application, "download", notification);
}

/* Of one download. What was seen last is kept with it, so that a change is told once. */
static void
state_changed_cb (EaselDownload *download, GParamSpec *spec, EaselHubClient *self)
{
  EaselDownloadState state = easel_download_get_state (download);
  int before = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (download), "seen")) - 1;

  if ((int) state == before)
    return;
  g_object_set_data (G_OBJECT (download), "seen", GINT_TO_POINTER (state + 1));
  update_inhibition (self);
  if (state == EASEL_DOWNLOAD_DONE)
    easel_hub_client_tell_changed (self);
  if (state == EASEL_DOWNLOAD_DONE || state == EASEL_DOWNLOAD_FAILED)
    notify_person (self, download, state);
  if (state == EASEL_DOWNLOAD_CANCELLED)
    easel_hub_forget (self->hub, download);
}

static void
items_changed_cb (GListModel *list, guint position, guint removed, guint added, EaselHubClient *self)
{
  for (guint i = position; i < position + added; i++)
    {
      g_autoptr (EaselDownload) download = g_list_model_get_item (list, i);

      if (!g_object_get_data (G_OBJECT (download), "seen")) /* moving takes it out and in again */
        g_signal_connect_object (download, "notify::state", G_CALLBACK (state_changed_cb), self, 0);
      state_changed_cb (download, NULL, self);
    }
  update_inhibition (self);
}

static void
network_changed_cb (EaselHubClient *self, gboolean available)
{
  if (available)
    easel_hub_network_changed (self->hub);
}

GListModel *
easel_hub_client_get_downloads (EaselHubClient *self)
{
  return easel_hub_get_queue (self->hub);
}

void
easel_hub_client_pull (EaselHubClient *self, const char *folder, const char *repo, const char *revision,
                       const char *precision)
{
  g_autoptr (EaselDownload) download = NULL;

  if (strcmp (folder, easel_hub_client_get_folder (self)) != 0)
    easel_hub_client_choose_folder (self, folder);
  apply (self); /* the question before this found the token */
  download = easel_hub_pull (self->hub, folder, repo, revision, precision);
}

void
easel_hub_client_move (EaselHubClient *self, EaselDownload *download, int by)
{
  GListModel *list = easel_hub_get_queue (self->hub);
  guint at;

  if (g_list_store_find (G_LIST_STORE (list), download, &at) && (by > 0 || at > 0))
    easel_hub_move (self->hub, download, (guint) ((int) at + by));
}

void
easel_hub_client_forget (EaselHubClient *self, EaselDownload *download)
{
  easel_hub_forget (self->hub, download);
}

/* ---- what others ask --------------------------------------------------------------------------------------------- */

GPtrArray *
easel_hub_client_get_catalogue (EaselHubClient *self, const char **problem)
{
  *problem = self->catalogue_problem;
  return self->catalogue;
}

const EaselCatalogueEntry *
easel_hub_client_find_entry (EaselHubClient *self, const char *repo)
{
  return self->catalogue ? easel_catalogue_find (self->catalogue, repo) : NULL;
}

const char *
easel_hub_client_get_folder (EaselHubClient *self)
{
  return self->now->cache_dir;
}

char **
easel_hub_client_dup_folders (EaselHubClient *self)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) chosen = g_settings_get_strv (self->settings, "hub-folders");

  g_strv_builder_add (builder, self->base->cache_dir);
  for (char **folder = chosen; *folder; folder++)
    if (strcmp (*folder, self->base->cache_dir) != 0)
      g_strv_builder_add (builder, *folder);
  return g_strv_builder_end (builder);
}

void
easel_hub_client_choose_folder (EaselHubClient *self, const char *folder)
{
  g_auto (GStrv) old = g_settings_get_strv (self->settings, "hub-folders"), all = NULL;
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  if (!g_strv_contains ((const char *const *) old, folder))
    {
      g_strv_builder_addv (builder, (const char **) old);
      g_strv_builder_add (builder, folder);
      all = g_strv_builder_end (builder);
      g_settings_set_strv (self->settings, "hub-folders", (const char *const *) all);
    }
  g_settings_set_string (self->settings, "hub-folder", folder);
}

const char *
easel_hub_client_get_endpoint (EaselHubClient *self)
{
  return self->now->endpoint;
}

const char *
easel_hub_client_get_login_file (EaselHubClient *self)
{
  return g_file_test (self->login_file, G_FILE_TEST_IS_REGULAR) ? self->login_file : NULL;
}

gboolean
easel_hub_client_has_environment_token (EaselHubClient *self)
{
  return self->base->token != NULL;
}

void
easel_hub_client_tell_changed (EaselHubClient *self)
{
  g_signal_emit (self, signals[INSTALLED_CHANGED], 0);
}

/* ---- object ------------------------------------------------------------------------------------------------------ */

static void
easel_hub_client_finalize (GObject *object)
{
  EaselHubClient *self = EASEL_HUB_CLIENT (object);

  g_clear_object (&self->hub); /* stops its thread; what is unfinished stays, and goes on after the next start */
  g_clear_object (&self->settings);
  g_clear_object (&self->engine);
  g_clear_pointer (&self->base, easel_hub_settings_free);
  g_clear_pointer (&self->now, easel_hub_settings_free);
  g_clear_pointer (&self->catalogue, g_ptr_array_unref);
  g_free (self->catalogue_problem);
  g_free (self->login_file);
  g_strfreev (self->roots);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (easel_hub_client_parent_class)->finalize (object);
}

static void
easel_hub_client_class_init (EaselHubClientClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = easel_hub_client_finalize;
  signals[INSTALLED_CHANGED] =
      g_signal_new ("installed-changed", EASEL_TYPE_HUB_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
easel_hub_client_init (EaselHubClient *self)
{
  g_mutex_init (&self->lock);
}

EaselHubClient *
easel_hub_client_new (const EaselHubClientPlaces *places, GApplication *application, GSettings *settings,
                      EaselEngine *engine, const char *const *roots, const char *queue_file)
{
  EaselHubClient *self = g_object_new (EASEL_TYPE_HUB_CLIENT, NULL);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) folders = NULL;

  self->application = application;
  self->settings = g_object_ref (settings);
  g_set_object (&self->engine, engine);
  self->base = easel_hub_settings_copy (places->base);
  self->login_file = g_strdup (places->login_file);
  self->roots = g_strdupv ((GStrv) roots);
  if (places->catalogue)
    self->catalogue = easel_catalogue_load (places->catalogue, places->own_catalogue, &error);
  if (error)
    {
      /* The person's own file is wrong: say so, and go on with ours. */
      self->catalogue_problem = g_strdup (error->message);
      self->catalogue = easel_catalogue_load (places->catalogue, NULL, NULL);
    }
  self->now = read_settings (self);
  self->token_known = self->now->token != NULL;
  self->hub = easel_hub_new (self->now);
  folders = easel_hub_client_dup_folders (self);
  g_signal_connect_object (easel_hub_get_queue (self->hub), "items-changed", G_CALLBACK (items_changed_cb), self, 0);
  g_signal_connect_object (settings, "changed", G_CALLBACK (settings_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (g_network_monitor_get_default (), "network-changed", G_CALLBACK (network_changed_cb), self,
                           G_CONNECT_SWAPPED);
  easel_hub_restore (self->hub, queue_file, (const char *const *) folders);
  if (g_list_model_get_n_items (easel_hub_get_queue (self->hub)) > 0)
    look_later (self);
  tell_engine (self);
  return self;
}
