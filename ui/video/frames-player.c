/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Frames in memory. The frame on screen follows from the time alone, so a busy main loop drops frames instead of
 * falling behind, and the last frame is followed by the first as any other is.
 */
#include "config-ui.h"
#include "ui/video/player-private.h"

#include <gtk/gtk.h>

#include "engine/media/video-file.h"

#define DEFAULT_RATE 8
#define MAX_FRAMES 2000 /* of an animation in a file; longer ones end there */

struct _EaselFramesPlayer
{
  EaselPlayer parent;

  EaselPicture *clip;
  gint64 began;    /* when began_frame was shown, in microseconds of the monotonic clock */
  int began_frame;
  guint timeout;
};

G_DEFINE_FINAL_TYPE (EaselFramesPlayer, easel_frames_player, EASEL_TYPE_PLAYER)

static void schedule (EaselFramesPlayer *self, gint64 now);

static double
rate_of (const EaselPicture *clip)
{
  return clip->fps > 0 ? clip->fps : DEFAULT_RATE;
}

static void
show (EaselFramesPlayer *self, int frame)
{
  const gsize stride = (gsize) self->clip->width * 3, size = stride * self->clip->height;
  g_autoptr (GBytes) bytes = g_bytes_new_with_free_func (self->clip->rgb + frame * size, size,
                                                         (GDestroyNotify) easel_picture_unref,
                                                         easel_picture_ref (self->clip));
  g_autoptr (GdkTexture) texture = gdk_memory_texture_new (self->clip->width, self->clip->height, GDK_MEMORY_R8G8B8,
                                                           bytes, stride);

  easel_player_present (EASEL_PLAYER (self), texture, frame);
}

static gboolean
timeout_cb (gpointer data)
{
  EaselFramesPlayer *self = data;
  EaselPlayer *player = data;
  const gint64 now = g_get_monotonic_time ();
  const int n = self->clip->n_frames;
  /* half a millisecond: a timeout may come a little early */
  gint64 frame = self->began_frame + (gint64) ((now - self->began + 500) * rate_of (self->clip) / G_USEC_PER_SEC);

  self->timeout = 0;
  if (frame >= n && !easel_player_get_loop (player))
    {
      show (self, n - 1);
      easel_player_ended (player);
      return G_SOURCE_REMOVE;
    }
  if (frame % n != easel_player_get_frame (player))
    show (self, (int) (frame % n));
  if (easel_player_get_playing (player))
    schedule (self, now);
  return G_SOURCE_REMOVE;
}

/* Sleeps until the next frame is due. */
static void
schedule (EaselFramesPlayer *self, gint64 now)
{
  const double rate = rate_of (self->clip);
  const gint64 shown = (gint64) ((now - self->began + 500) * rate / G_USEC_PER_SEC);
  const gint64 due = self->began + (gint64) ((shown + 1) * G_USEC_PER_SEC / rate);

  self->timeout = g_timeout_add_full (GDK_PRIORITY_REDRAW - 1, (guint) MAX ((due - now + 999) / 1000, 1), timeout_cb,
                                      self, NULL);
}

static void
start_from (EaselFramesPlayer *self, int frame)
{
  g_clear_handle_id (&self->timeout, g_source_remove);
  self->began = g_get_monotonic_time ();
  self->began_frame = frame;
  if (self->clip && self->clip->n_frames > 1 && easel_player_get_playing (EASEL_PLAYER (self)))
    schedule (self, self->began);
}

static void
frames_play (EaselPlayer *player, gboolean playing G_GNUC_UNUSED)
{
  start_from (EASEL_FRAMES_PLAYER (player), easel_player_get_frame (player));
}

static void
frames_seek (EaselPlayer *player, int frame)
{
  EaselFramesPlayer *self = EASEL_FRAMES_PLAYER (player);

  show (self, frame);
  start_from (self, frame);
}

static void
frames_loop (EaselPlayer *player, gboolean loop G_GNUC_UNUSED)
{
  start_from (EASEL_FRAMES_PLAYER (player), easel_player_get_frame (player));
}

void
easel_frames_player_set_clip (EaselFramesPlayer *self, EaselPicture *clip)
{
  EaselPlayer *player = EASEL_PLAYER (self);
  const gboolean same = self->clip && self->clip->n_frames == clip->n_frames && rate_of (self->clip) == rate_of (clip);

  easel_picture_ref (clip);
  g_clear_pointer (&self->clip, easel_picture_unref);
  self->clip = clip;
  easel_player_describe (player, clip->width, clip->height, clip->n_frames, rate_of (clip));
  show (self, same ? easel_player_get_frame (player) : 0);
  if (!same)
    start_from (self, 0);
}

/* --------------------------------------------------------------------------------------------------- from a file */

static void
read_thread (GTask *task, gpointer source G_GNUC_UNUSED, gpointer path, GCancellable *cancellable G_GNUC_UNUSED)
{
  GError *error = NULL;
  EaselPicture *clip = easel_video_read (path, MAX_FRAMES, &error);

  if (clip)
    g_task_return_pointer (task, clip, (GDestroyNotify) easel_picture_unref);
  else
    g_task_return_error (task, error);
}

static void
read_cb (GObject *object, GAsyncResult *result, gpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselPicture) clip = g_task_propagate_pointer (G_TASK (result), &error);

  if (clip)
    easel_frames_player_set_clip (EASEL_FRAMES_PLAYER (object), clip);
  else
    easel_player_fail (EASEL_PLAYER (object), g_strdup (error->message));
}

EaselPlayer *
easel_frames_player_new (EaselPicture *clip, const char *path)
{
  EaselFramesPlayer *self = g_object_new (EASEL_TYPE_FRAMES_PLAYER, NULL);

  if (clip)
    easel_frames_player_set_clip (self, clip);
  if (path)
    {
      g_autoptr (GTask) task = g_task_new (self, NULL, read_cb, NULL);

      g_task_set_task_data (task, g_strdup (path), g_free);
      g_task_run_in_thread (task, read_thread);
    }
  return EASEL_PLAYER (self);
}

static void
easel_frames_player_dispose (GObject *object)
{
  EaselFramesPlayer *self = EASEL_FRAMES_PLAYER (object);

  g_clear_handle_id (&self->timeout, g_source_remove);
  g_clear_pointer (&self->clip, easel_picture_unref);
  G_OBJECT_CLASS (easel_frames_player_parent_class)->dispose (object);
}

static void
easel_frames_player_class_init (EaselFramesPlayerClass *klass)
{
  EaselPlayerClass *player_class = EASEL_PLAYER_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_frames_player_dispose;
  player_class->play = frames_play;
  player_class->seek = frames_seek;
  player_class->loop = frames_loop;
}

static void
easel_frames_player_init (EaselFramesPlayer *self G_GNUC_UNUSED)
{
}
