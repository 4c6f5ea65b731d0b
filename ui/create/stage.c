/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/stage.h"

#include <glib/gi18n.h>

#include "ui/application.h"
#include "ui/create/welcome.h"
#include "ui/picture.h"
#include "ui/video/video-view.h"
#include "ui/window.h"

struct _EaselStage
{
  AdwBin parent;

  /* Template widgets */
  GtkStack *stack, *foot;
  EaselWelcome *welcome;
  GtkPicture *picture;
  EaselVideoView *clip;
  GtkLabel *phase;
  GtkProgressBar *bar;
  GtkButton *stop, *keep, *show, *copy;

  /* Owned */
  EaselQueue *queue;
  GSignalGroup *job_signals; /* of the current job */
  gint64 saved_id;
  gboolean stopping, keeping;
};

G_DEFINE_FINAL_TYPE (EaselStage, easel_stage, ADW_TYPE_BIN)

enum
{
  EXAMPLE,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

/* file: of a finished clip, so that it plays as it was saved; NULL for what is in memory alone. */
static void
show_picture (EaselStage *self, EaselPicture *picture, const char *file, const char *alternative)
{
  g_autoptr (GdkTexture) texture = NULL;

  if (picture->n_frames > 1)
    {
      easel_video_view_set_controls (self->clip, file != NULL);
      easel_video_view_set_description (self->clip, alternative);
      if (file)
        easel_video_view_set_file (self->clip, file);
      else
        easel_video_view_set_clip (self->clip, picture);
      gtk_stack_set_visible_child_name (self->stack, "clip");
      return;
    }
  texture = easel_picture_to_texture (picture);
  gtk_picture_set_paintable (self->picture, GDK_PAINTABLE (texture));
  gtk_picture_set_alternative_text (self->picture, alternative);
  gtk_stack_set_visible_child_name (self->stack, "picture");
}

static void
say_phase (EaselStage *self, EaselJob *job)
{
  int phase, step, steps;
  double eta, progress;
  g_autofree char *left = NULL, *text = NULL;

  g_object_get (job, "phase", &phase, "step", &step, "steps", &steps, "eta", &eta, "progress", &progress, NULL);
  left = easel_time_left_words (eta);
  if (self->stopping)
    /* Translators: the numbers are steps. */
    text = phase == EASEL_PHASE_DENOISING && steps > 0
               ? g_strdup_printf (_ ("Stopping after step %d of %d…"), MIN (step + 1, steps), steps)
               : g_strdup (_ ("Stopping…"));
  else if (self->keeping && phase == EASEL_PHASE_DENOISING && steps > 0)
    /* Translators: the numbers are steps. */
    text = g_strdup_printf (_ ("Finishing after step %d of %d…"), MIN (step + 1, steps), steps);
  else if (phase == EASEL_PHASE_DENOISING && steps > 0)
    /* Translators: what is being done, the step, of how many, and the time left. */
    text = g_strdup_printf (_ ("%s · step %d of %d · %s"), easel_phase_words (phase), step, steps, left);
  else
    text = *left ? g_strdup_printf ("%s · %s", easel_phase_words (phase), left)
                 : g_strdup (easel_phase_words (phase));
  gtk_label_set_label (self->phase, text);
  gtk_progress_bar_set_fraction (self->bar, CLAMP (progress, 0, 1));
  gtk_widget_set_sensitive (GTK_WIDGET (self->keep),
                            phase == EASEL_PHASE_DENOISING && !self->stopping && !self->keeping);
}

static void
job_changed_cb (EaselJob *job, GParamSpec *spec, EaselStage *self)
{
  say_phase (self, job);
}

static void
preview_cb (EaselJob *job, GParamSpec *spec, EaselStage *self)
{
  g_autoptr (EaselPicture) preview = NULL;

  g_object_get (job, "preview", &preview, NULL);
  if (preview)
    show_picture (self, preview, NULL, _ ("Preview of the picture being made"));
}

static void
current_job_cb (EaselQueueItem *item, GParamSpec *spec, EaselStage *self)
{
  EaselJob *job = easel_queue_item_get_job (item);

  g_signal_group_set_target (self->job_signals, job);
  if (job)
    say_phase (self, job);
}

static void
current_changed_cb (EaselQueue *queue, GParamSpec *spec, EaselStage *self)
{
  EaselQueueItem *item = easel_queue_get_current (queue);

  self->stopping = self->keeping = FALSE;
  if (item || g_str_equal (gtk_stack_get_visible_child_name (self->foot), "progress"))
    gtk_stack_set_visible_child_name (self->foot, item ? "progress" : "nothing");
  gtk_widget_set_sensitive (GTK_WIDGET (self->stop), item != NULL);
  if (!item)
    {
      g_signal_group_set_target (self->job_signals, NULL);
      return;
    }
  g_signal_connect_object (item, "notify::job", G_CALLBACK (current_job_cb), self, 0);
  current_job_cb (item, NULL, self);
}

static void
finished_cb (EaselQueue *queue, EaselQueueItem *item, EaselStage *self)
{
  EaselJob *job = easel_queue_item_get_job (item);
  GPtrArray *pictures = job ? easel_job_get_pictures (job) : NULL;
  EaselWindow *window = easel_window_of (self);
  EaselGallery *gallery;
  EaselPicture *picture;
  g_autoptr (EaselGalleryItem) saved = NULL;

  if (easel_queue_item_get_state (item) == EASEL_JOB_FAILED && window)
    easel_window_toast (window, easel_queue_item_get_message (item));
  if (easel_queue_item_get_state (item) != EASEL_JOB_DONE || !pictures || pictures->len == 0)
    return;
  self->saved_id = easel_queue_item_get_saved_id (item);
  gallery = easel_application_get_gallery (easel_application_get ());
  saved = gallery ? easel_gallery_get (gallery, self->saved_id, NULL) : NULL;
  picture = pictures->pdata[pictures->len - 1];
  show_picture (self, picture, saved ? saved->path : NULL,
                easel_request_settings (easel_queue_item_get_request (item))->prompt);
  gtk_widget_set_visible (GTK_WIDGET (self->copy), picture->n_frames == 1);
  g_settings_set_boolean (easel_application_get_settings (easel_application_get ()), "first-run-done", TRUE);
  gtk_stack_set_visible_child_name (self->foot, "done");
}

void
easel_stage_stop (EaselStage *self, gboolean keep)
{
  EaselQueueItem *item = self->queue ? easel_queue_get_current (self->queue) : NULL;

  if (!item || self->stopping || (keep && self->keeping))
    return;
  if (keep)
    self->keeping = TRUE;
  else
    {
      self->stopping = TRUE;
      gtk_widget_set_sensitive (GTK_WIDGET (self->stop), FALSE);
    }
  if (easel_queue_item_get_job (item))
    say_phase (self, easel_queue_item_get_job (item));
  easel_queue_stop_current (self->queue, keep);
}

void
easel_stage_set_queue (EaselStage *self, EaselQueue *queue)
{
  g_return_if_fail (!self->queue);
  self->queue = g_object_ref (queue);
  g_signal_connect_object (queue, "notify::current", G_CALLBACK (current_changed_cb), self, 0);
  g_signal_connect_object (queue, "finished", G_CALLBACK (finished_cb), self, 0);
  current_changed_cb (queue, NULL, self);
}

static void
example_cb (EaselStage *self, const char *prompt)
{
  g_signal_emit (self, signals[EXAMPLE], 0, prompt);
}

static void
show_clicked_cb (EaselStage *self)
{
  EaselWindow *window = easel_window_of (self);

  if (window && self->saved_id)
    easel_window_show_item (window, self->saved_id);
}

static void
copy_clicked_cb (EaselStage *self)
{
  GdkPaintable *texture = gtk_picture_get_paintable (self->picture);
  EaselWindow *window = easel_window_of (self);

  if (!GDK_IS_TEXTURE (texture))
    return;
  gdk_clipboard_set_texture (gtk_widget_get_clipboard (GTK_WIDGET (self)), GDK_TEXTURE (texture));
  easel_window_toast (window, _ ("The picture was copied."));
}

static void
easel_stage_dispose (GObject *object)
{
  EaselStage *self = EASEL_STAGE (object);

  g_clear_object (&self->job_signals);
  g_clear_object (&self->queue);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_STAGE);
  G_OBJECT_CLASS (easel_stage_parent_class)->dispose (object);
}

static void
easel_stage_class_init (EaselStageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_stage_dispose;
  signals[EXAMPLE] = g_signal_new ("example", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, G_TYPE_STRING);
  g_type_ensure (EASEL_TYPE_WELCOME);
  g_type_ensure (EASEL_TYPE_VIDEO_VIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/stage.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselStage, stack);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, welcome);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, picture);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, clip);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, foot);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, phase);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, bar);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, stop);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, keep);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, show);
  gtk_widget_class_bind_template_child (widget_class, EaselStage, copy);
  gtk_widget_class_bind_template_callback (widget_class, example_cb);
  gtk_widget_class_bind_template_callback (widget_class, show_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_clicked_cb);
}

static void
easel_stage_init (EaselStage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->job_signals = g_signal_group_new (EASEL_TYPE_JOB);
  g_signal_group_connect_object (self->job_signals, "notify::progress", G_CALLBACK (job_changed_cb), self, 0);
  g_signal_group_connect_object (self->job_signals, "notify::phase", G_CALLBACK (job_changed_cb), self, 0);
  g_signal_group_connect_object (self->job_signals, "notify::preview", G_CALLBACK (preview_cb), self, 0);
}
