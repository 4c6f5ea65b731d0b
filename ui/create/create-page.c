/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/create-page.h"

#include <glib/gi18n.h>

#include "ui/application.h"
#include "ui/compat.h"
#include "ui/create/queue-list.h"
#include "ui/create/settings-panel.h"
#include "ui/create/stage.h"
#include "ui/window.h"

struct _EaselCreatePage
{
  AdwBin parent;

  /* Borrowed: children */
  EaselSettingsPanel *panel;
  EaselStage *stage;
  EaselQueueList *waiting;
  GtkWidget *split, *settings_button;

  EaselQueueItem *editing; /* owned; whose settings are being changed */
};

G_DEFINE_FINAL_TYPE (EaselCreatePage, easel_create_page, ADW_TYPE_BIN)

static void
set_editing (EaselCreatePage *self, EaselQueueItem *item)
{
  g_set_object (&self->editing, item);
  easel_settings_panel_set_editing (self->panel, item != NULL);
}

/* The changed one in its place; a new one when it was begun or removed meanwhile. */
static gboolean
put (EaselCreatePage *self, EaselQueue *queue, EaselRequest *request, GError **error)
{
  guint at = self->editing ? easel_queue_find (queue, self->editing) : G_MAXUINT;
  gboolean begun = self->editing && self->editing == easel_queue_get_current (queue);

  if (at != G_MAXUINT && !begun)
    return easel_queue_replace (queue, at, request, error);
  if (self->editing)
    easel_window_toast (easel_window_of (self), _ ("The other one was begun already; this one was added."));
  return easel_queue_add (queue, request, FALSE, error);
}

void
easel_create_page_generate (EaselCreatePage *self)
{
  EaselQueue *queue = easel_application_get_queue (easel_application_get ());
  EaselWindow *window = easel_window_of (self);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;

  if (!queue)
    return;
  request = easel_settings_panel_build (self->panel, &error);
  if (!request || !put (self, queue, request, &error))
    {
      easel_window_toast (window, error->message);
      return;
    }
  set_editing (self, NULL);
  easel_settings_panel_queued (self->panel, request);
  if (easel_compat_split_is_folded (self->split))
    easel_compat_split_set_shown (self->split, FALSE);
}

void
easel_create_page_stop (EaselCreatePage *self, gboolean keep)
{
  easel_stage_stop (self->stage, keep);
}

void
easel_create_page_load (EaselCreatePage *self, EaselRequest *request)
{
  easel_settings_panel_load (self->panel, request);
  easel_compat_split_set_shown (self->split, TRUE);
  easel_settings_panel_focus_prompt (self->panel);
}

/* The settings of `onto` with one of `from`. */
static void
take_setting (EaselRequestSettings *onto, const EaselRequestSettings *from, const char *setting)
{
  if (g_str_equal (setting, "prompt"))
    onto->prompt = from->prompt;
  else if (g_str_equal (setting, "negative"))
    onto->negative = from->negative;
  else if (g_str_equal (setting, "model"))
    onto->model = from->model;
  else if (g_str_equal (setting, "size"))
    {
      onto->width = from->width;
      onto->height = from->height;
    }
  else if (g_str_equal (setting, "seed"))
    onto->seed = from->seed;
  else if (g_str_equal (setting, "steps"))
    onto->steps = from->steps;
  else if (g_str_equal (setting, "guidance"))
    onto->guidance = from->guidance;
  else if (g_str_equal (setting, "sampler"))
    onto->sampler = from->sampler;
  else if (g_str_equal (setting, "frames"))
    onto->frames = from->frames;
  else if (g_str_equal (setting, "fps"))
    onto->fps = from->fps;
}

gboolean
easel_create_page_take_setting (EaselCreatePage *self, EaselRequest *request, const char *setting, GError **error)
{
  g_autoptr (EaselRequest) now = easel_settings_panel_build (self->panel, error);
  g_autoptr (EaselRequest) then = NULL;
  EaselRequestSettings settings;

  if (!now)
    return FALSE;
  settings = *easel_request_settings (now);
  take_setting (&settings, easel_request_settings (request), setting);
  then = easel_request_new (&settings, error);
  if (then)
    easel_settings_panel_load (self->panel, then);
  return then != NULL;
}

void
easel_create_page_refresh_models (EaselCreatePage *self)
{
  easel_settings_panel_refresh_models (self->panel);
}

static void
edit_cb (EaselCreatePage *self, EaselQueueItem *item)
{
  set_editing (self, item);
  easel_create_page_load (self, easel_queue_item_get_request (item));
}

static void
edit_cancelled_cb (EaselCreatePage *self)
{
  set_editing (self, NULL);
}

static void
finished_cb (EaselQueue *queue, EaselQueueItem *item, EaselCreatePage *self)
{
  EaselJob *job = easel_queue_item_get_job (item);
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (EaselGalleryItem) saved = NULL;

  if (easel_queue_item_get_state (item) != EASEL_JOB_DONE || !job)
    return;
  saved = gallery ? easel_gallery_get (gallery, easel_queue_item_get_saved_id (item), NULL) : NULL;
  easel_settings_panel_learn (self->panel, job, saved ? saved->bytes : 0);
}

static void
example_cb (EaselCreatePage *self, const char *prompt)
{
  easel_settings_panel_set_prompt (self->panel, prompt);
  easel_create_page_generate (self);
}

static void
settings_clicked_cb (EaselCreatePage *self)
{
  easel_compat_split_set_shown (self->split, !easel_compat_split_get_shown (self->split));
}

/* Only in a narrow window, where the settings cover the stage: the way back to them. */
static void
folded_cb (EaselCreatePage *self, GParamSpec *spec, GObject *split)
{
  gtk_widget_set_visible (self->settings_button, easel_compat_split_is_folded (self->split));
}

static void
easel_create_page_dispose (GObject *object)
{
  g_clear_object (&EASEL_CREATE_PAGE (object)->editing);
  G_OBJECT_CLASS (easel_create_page_parent_class)->dispose (object);
}

static void
easel_create_page_class_init (EaselCreatePageClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = easel_create_page_dispose;
}

static void
easel_create_page_init (EaselCreatePage *self)
{
  EaselQueue *queue = easel_application_get_queue (easel_application_get ());
  GtkWidget *content = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *button = gtk_button_new_with_label (_ ("Settings"));

  self->panel = g_object_new (EASEL_TYPE_SETTINGS_PANEL, NULL);
  self->stage = g_object_new (EASEL_TYPE_STAGE, NULL);
  self->waiting = g_object_new (EASEL_TYPE_QUEUE_LIST, NULL);
  gtk_widget_set_halign (button, GTK_ALIGN_START);
  gtk_widget_set_margin_top (button, 6);
  gtk_widget_set_margin_start (button, 6);
  g_signal_connect_object (button, "clicked", G_CALLBACK (settings_clicked_cb), self, G_CONNECT_SWAPPED);
  self->settings_button = button;
  gtk_box_append (GTK_BOX (content), button);
  gtk_box_append (GTK_BOX (content), GTK_WIDGET (self->stage));
  gtk_box_append (GTK_BOX (content), GTK_WIDGET (self->waiting));
  self->split = easel_compat_split_new (GTK_WIDGET (self->panel), content, FALSE);
  adw_bin_set_child (ADW_BIN (self), self->split);
  easel_compat_split_watch_folded (self->split, G_CALLBACK (folded_cb), self);
  folded_cb (self, NULL, NULL);
  g_signal_connect_object (self->stage, "example", G_CALLBACK (example_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->panel, "edit-cancelled", G_CALLBACK (edit_cancelled_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->waiting, "edit", G_CALLBACK (edit_cb), self, G_CONNECT_SWAPPED);
  if (!queue)
    return;
  easel_stage_set_queue (self->stage, queue);
  easel_queue_list_set_queue (self->waiting, queue);
  g_signal_connect_object (queue, "finished", G_CALLBACK (finished_cb), self, 0);
}
