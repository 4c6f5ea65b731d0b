/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/video/video-view.h"

#include <glib/gi18n.h>

struct _EaselVideoView
{
  GtkWidget parent;

  /* Template widgets */
  GtkPicture *picture;
  GtkLabel *error;
  GtkWidget *controls;
  GtkButton *play;
  GtkButton *back;
  GtkButton *forward;
  GtkScale *scale;
  GtkAdjustment *adjustment;
  GtkLabel *place;
  GtkToggleButton *loop;

  EaselPlayer *player; /* owned */
  gulong handlers[6];
  gboolean wants;      /* to play, as soon as it is shown */
  gboolean showing;    /* the player's frame is being written to the scale */
};

G_DEFINE_FINAL_TYPE (EaselVideoView, easel_video_view, GTK_TYPE_WIDGET)

/* --------------------------------------------------------------------------------------------- the player's news */

static void
playing_changed_cb (EaselVideoView *self)
{
  const gboolean playing = self->player && easel_player_get_playing (self->player);
  const char *label = playing ? _ ("Pause") : _ ("Play");
  g_autofree char *tooltip = g_strdup_printf ("%s (%s)", label, _ ("Space"));

  gtk_button_set_icon_name (self->play, playing ? "media-playback-pause-symbolic" : "media-playback-start-symbolic");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->play), tooltip);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->play), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  if (gtk_widget_get_mapped (GTK_WIDGET (self)))
    self->wants = playing;
}

static void
frame_changed_cb (EaselVideoView *self)
{
  const int frame = self->player ? easel_player_get_frame (self->player) : 0;
  const int n = self->player ? easel_player_get_n_frames (self->player) : 0;
  const double rate = self->player ? easel_player_get_rate (self->player) : 0;
  g_autofree char *place = NULL, *spoken = NULL;

  self->showing = TRUE;
  gtk_adjustment_set_value (self->adjustment, frame);
  self->showing = FALSE;
  if (n < 1)
    {
      gtk_label_set_label (self->place, "");
      return;
    }
  /* Translators: seconds played of a clip, then the number of the frame and how many there are */
  place = g_strdup_printf (_ ("%.1f s · %d/%d"), rate > 0 ? frame / rate : 0, frame + 1, n);
  gtk_label_set_label (self->place, place);
  /* Translators: what a screen reader says of the slider below a clip */
  spoken = g_strdup_printf (_ ("frame %d of %d, %.1f seconds"), frame + 1, n, rate > 0 ? frame / rate : 0);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->scale), GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, spoken, -1);
}

static void
length_changed_cb (EaselVideoView *self)
{
  const int n = self->player ? easel_player_get_n_frames (self->player) : 0;
  g_autofree char *widest = g_strdup_printf ("%.1f s · %d/%d", 88.8, n, n);

  self->showing = TRUE;
  gtk_adjustment_set_upper (self->adjustment, MAX (n - 1, 1));
  self->showing = FALSE;
  gtk_widget_set_sensitive (self->controls, n > 1);
  gtk_label_set_width_chars (self->place, (int) g_utf8_strlen (widest, -1));
  frame_changed_cb (self);
}

static void
loop_changed_cb (EaselVideoView *self)
{
  gtk_toggle_button_set_active (self->loop, easel_player_get_loop (self->player));
}

static void
error_changed_cb (EaselVideoView *self)
{
  const char *sentence = self->player ? easel_player_get_error (self->player) : NULL;

  gtk_label_set_label (self->error, sentence ? sentence : "");
  gtk_widget_set_visible (GTK_WIDGET (self->error), sentence != NULL);
}

/* Takes the player. */
static void
set_player (EaselVideoView *self, EaselPlayer *player)
{
  if (self->player)
    {
      for (gsize i = 0; i < G_N_ELEMENTS (self->handlers); i++)
        g_clear_signal_handler (&self->handlers[i], self->player);
      easel_player_set_playing (self->player, FALSE);
      g_clear_object (&self->player);
    }
  self->player = player;
  gtk_picture_set_paintable (self->picture, GDK_PAINTABLE (player));
  if (player)
    {
      const struct
      {
        const char *name;
        void (*callback) (EaselVideoView *self);
      } news[G_N_ELEMENTS (self->handlers)] = {
        { "notify::playing", playing_changed_cb }, { "notify::frame", frame_changed_cb },
        { "notify::n-frames", length_changed_cb }, { "notify::rate", length_changed_cb },
        { "notify::loop", loop_changed_cb },       { "notify::error", error_changed_cb },
      };

      easel_player_set_loop (player, gtk_toggle_button_get_active (self->loop));
      for (gsize i = 0; i < G_N_ELEMENTS (news); i++)
        self->handlers[i] = g_signal_connect_swapped (player, news[i].name, G_CALLBACK (news[i].callback), self);
      if (self->wants && gtk_widget_get_mapped (GTK_WIDGET (self)))
        easel_player_set_playing (player, TRUE);
    }
  length_changed_cb (self);
  error_changed_cb (self);
  if (player)
    playing_changed_cb (self);
}

/* ----------------------------------------------------------------------------------------------- what a person does */

static void
toggle (EaselVideoView *self)
{
  if (self->player)
    easel_player_set_playing (self->player, !easel_player_get_playing (self->player));
}

static void
play_clicked_cb (EaselVideoView *self)
{
  toggle (self);
}

static void
picture_clicked_cb (EaselVideoView *self)
{
  toggle (self);
}

static void
back_clicked_cb (EaselVideoView *self)
{
  if (self->player)
    easel_player_step (self->player, -1);
}

static void
forward_clicked_cb (EaselVideoView *self)
{
  if (self->player)
    easel_player_step (self->player, 1);
}

static void
scale_changed_cb (EaselVideoView *self)
{
  if (self->player && !self->showing)
    easel_player_seek (self->player, (int) (gtk_adjustment_get_value (self->adjustment) + 0.5));
}

static void
loop_toggled_cb (EaselVideoView *self)
{
  if (self->player)
    easel_player_set_loop (self->player, gtk_toggle_button_get_active (self->loop));
}

static void
play_action_cb (GtkWidget *widget, const char *name G_GNUC_UNUSED, GVariant *parameter G_GNUC_UNUSED)
{
  toggle (EASEL_VIDEO_VIEW (widget));
}

static void
step_action_cb (GtkWidget *widget, const char *name G_GNUC_UNUSED, GVariant *parameter)
{
  EaselVideoView *self = EASEL_VIDEO_VIEW (widget);

  if (self->player)
    easel_player_step (self->player, g_variant_get_int32 (parameter));
}

static void
loop_action_cb (GtkWidget *widget, const char *name G_GNUC_UNUSED, GVariant *parameter G_GNUC_UNUSED)
{
  EaselVideoView *self = EASEL_VIDEO_VIEW (widget);

  gtk_toggle_button_set_active (self->loop, !gtk_toggle_button_get_active (self->loop));
}

/* ---------------------------------------------------------------------------------------------------------- widget */

static gboolean
moves_by_itself (EaselVideoView *self)
{
  gboolean animations = TRUE;

  g_object_get (gtk_widget_get_settings (GTK_WIDGET (self)), "gtk-enable-animations", &animations, NULL);
  return animations;
}

void
easel_video_view_set_file (EaselVideoView *self, const char *path)
{
  self->wants = path && moves_by_itself (self);
  set_player (self, path ? easel_player_new_for_file (path) : NULL);
}

void
easel_video_view_set_clip (EaselVideoView *self, EaselPicture *clip)
{
  if (clip && self->player && easel_player_set_clip (self->player, clip))
    return;
  self->wants = clip && moves_by_itself (self);
  set_player (self, clip ? easel_player_new_for_clip (clip) : NULL);
}

EaselPlayer *
easel_video_view_get_player (EaselVideoView *self)
{
  return self->player;
}

void
easel_video_view_set_description (EaselVideoView *self, const char *description)
{
  if (!description)
    description = _ ("Clip");
  gtk_picture_set_alternative_text (self->picture, description); /* its description; the name is */
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->picture), GTK_ACCESSIBLE_PROPERTY_LABEL, description, -1);
}

void
easel_video_view_set_controls (EaselVideoView *self, gboolean controls)
{
  gtk_widget_set_visible (self->controls, controls);
}

static void
easel_video_view_map (GtkWidget *widget)
{
  EaselVideoView *self = EASEL_VIDEO_VIEW (widget);

  GTK_WIDGET_CLASS (easel_video_view_parent_class)->map (widget);
  if (self->wants && self->player)
    easel_player_set_playing (self->player, TRUE);
}

static void
easel_video_view_unmap (GtkWidget *widget)
{
  EaselVideoView *self = EASEL_VIDEO_VIEW (widget);

  GTK_WIDGET_CLASS (easel_video_view_parent_class)->unmap (widget);
  if (self->player)
    easel_player_set_playing (self->player, FALSE);
}

static void
easel_video_view_dispose (GObject *object)
{
  EaselVideoView *self = EASEL_VIDEO_VIEW (object);
  GtkWidget *child;

  if (self->picture)
    set_player (self, NULL);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self))))
    gtk_widget_unparent (child);
  self->picture = NULL;
  G_OBJECT_CLASS (easel_video_view_parent_class)->dispose (object);
}

static void
easel_video_view_class_init (EaselVideoViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_video_view_dispose;
  widget_class->map = easel_video_view_map;
  widget_class->unmap = easel_video_view_unmap;

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/video/video-view.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, picture);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, error);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, controls);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, play);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, back);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, forward);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, scale);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, adjustment);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, place);
  gtk_widget_class_bind_template_child (widget_class, EaselVideoView, loop);
  gtk_widget_class_bind_template_callback (widget_class, play_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, picture_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, back_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, forward_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, scale_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, loop_toggled_cb);

  gtk_widget_class_install_action (widget_class, "video.play", NULL, play_action_cb);
  gtk_widget_class_install_action (widget_class, "video.step", "i", step_action_cb);
  gtk_widget_class_install_action (widget_class, "video.loop", NULL, loop_action_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_space, 0, "video.play", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_comma, 0, "video.step", "i", -1);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_period, 0, "video.step", "i", 1);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_l, 0, "video.loop", NULL);
}

static void
easel_video_view_init (EaselVideoView *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  easel_video_view_set_description (self, NULL);
  playing_changed_cb (self);
}

GtkWidget *
easel_video_view_new (void)
{
  return g_object_new (EASEL_TYPE_VIDEO_VIEW, NULL);
}
