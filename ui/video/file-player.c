/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A film file: playbin decodes, an appsink hands frames over in their time. Looping is a segment that is sought again
 * without flushing, so the pipeline never empties. Only the picture is played: clips made here have no sound.
 */
#include "config-ui.h"
#include "ui/video/player-private.h"

#include <glib/gi18n.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>
#include <gtk/gtk.h>

#define PICTURE_ONLY 1 /* GstPlayFlags is not in a public header */
#define FALLBACK_RATE 25

/* Between GStreamer's threads, which put samples in, and the main thread, which takes the newest. Outlives both. */
typedef struct
{
  gatomicrefcount refs;
  char *uri;               /* never changes */
  GMutex lock;             /* guards pending and idle */
  GstSample *pending;
  gboolean idle;
  EaselFilePlayer *player; /* main thread only; NULL when it is gone */
} Feed;

struct _EaselFilePlayer
{
  EaselPlayer parent;

  char *path;
  Feed *feed;
  GstElement *playbin;  /* NULL until it is opened */
  guint watch;
  gint64 duration;      /* ns, -1 unknown */
  gint64 frame_time;    /* ns, 0 until known */
  int width, height;
  double aspect;        /* of a pixel */
  gboolean seeking;     /* a flushing seek is on its way */
  gboolean in_segment;  /* the running segment ends with SEGMENT_DONE */
  guint32 segment;      /* the seek that began it */
  int next;             /* to be sought when this seek is done, or -1 */
};

G_DEFINE_FINAL_TYPE (EaselFilePlayer, easel_file_player, EASEL_TYPE_PLAYER)

static void
feed_unref (gpointer data)
{
  Feed *feed = data;

  if (!g_atomic_ref_count_dec (&feed->refs))
    return;
  g_clear_pointer (&feed->pending, gst_sample_unref);
  g_mutex_clear (&feed->lock);
  g_free (feed->uri);
  g_free (feed);
}

static Feed *
feed_ref (Feed *feed)
{
  g_atomic_ref_count_inc (&feed->refs);
  return feed;
}

/* ----------------------------------------------------------------------------------------------- frames to textures */

static void
mapped_free (gpointer data)
{
  gst_video_frame_unmap (data);
  g_free (data);
}

/* No copy: the texture keeps the decoder's buffer. */
static GdkTexture *
texture_of (GstSample *sample, const GstVideoInfo *info)
{
  GstVideoFrame *mapped = g_new0 (GstVideoFrame, 1);
  g_autoptr (GBytes) bytes = NULL;
  gsize stride;

  if (!gst_video_frame_map (mapped, info, gst_sample_get_buffer (sample), GST_MAP_READ))
    {
      g_free (mapped);
      return NULL;
    }
  stride = (gsize) GST_VIDEO_FRAME_PLANE_STRIDE (mapped, 0);
  bytes = g_bytes_new_with_free_func (GST_VIDEO_FRAME_PLANE_DATA (mapped, 0), stride * (gsize) info->height,
                                      mapped_free, mapped);
  return gdk_memory_texture_new (info->width, info->height, GDK_MEMORY_B8G8R8A8_PREMULTIPLIED, bytes, stride);
}

static void
describe (EaselFilePlayer *self)
{
  const double rate = self->frame_time > 0 ? (double) GST_SECOND / (double) self->frame_time : 0;
  int n = 0;

  if (self->frame_time > 0 && self->duration > 0)
    n = (int) MIN ((self->duration + self->frame_time / 2) / self->frame_time, G_MAXINT - 1);
  easel_player_describe (EASEL_PLAYER (self), self->width * self->aspect, self->height, n, rate);
}

static void
show (EaselFilePlayer *self, GstSample *sample)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  g_autoptr (GdkTexture) texture = NULL;
  GstVideoInfo info;
  gint64 time;

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample)) || !(texture = texture_of (sample, &info)))
    return;
  self->width = info.width;
  self->height = info.height;
  self->aspect = (double) GST_VIDEO_INFO_PAR_N (&info) / GST_VIDEO_INFO_PAR_D (&info);
  if (info.fps_n > 0)
    self->frame_time = (gint64) gst_util_uint64_scale (GST_SECOND, info.fps_d, info.fps_n);
  else if (self->frame_time == 0)
    self->frame_time
        = GST_BUFFER_DURATION_IS_VALID (buffer) ? (gint64) GST_BUFFER_DURATION (buffer) : GST_SECOND / FALLBACK_RATE;
  self->frame_time = MAX (self->frame_time, 1);
  describe (self);
  time = (gint64) gst_segment_to_stream_time (gst_sample_get_segment (sample), GST_FORMAT_TIME,
                                              GST_BUFFER_PTS (buffer));
  /* An exact seek cuts the frame's own time to the time that was sought, which lies in its first tenth. */
  easel_player_present (EASEL_PLAYER (self), texture,
                        (int) ((MAX (time, 0) + self->frame_time / 4) / self->frame_time));
}

static gboolean
newest_cb (gpointer data)
{
  Feed *feed = data;
  GstSample *sample;

  g_mutex_lock (&feed->lock);
  sample = g_steal_pointer (&feed->pending);
  feed->idle = FALSE;
  g_mutex_unlock (&feed->lock);
  if (sample && feed->player)
    show (feed->player, sample);
  g_clear_pointer (&sample, gst_sample_unref);
  return G_SOURCE_REMOVE;
}

static void
offer (Feed *feed, GstSample *sample)
{
  if (!sample)
    return;
  g_mutex_lock (&feed->lock);
  g_clear_pointer (&feed->pending, gst_sample_unref);
  feed->pending = sample;
  if (!feed->idle)
    {
      feed->idle = TRUE;
      g_idle_add_full (GDK_PRIORITY_REDRAW - 1, newest_cb, feed_ref (feed), feed_unref);
    }
  g_mutex_unlock (&feed->lock);
}

static GstFlowReturn
sample_cb (GstAppSink *sink, gpointer feed)
{
  offer (feed, gst_app_sink_pull_sample (sink));
  return GST_FLOW_OK;
}

static GstFlowReturn
preroll_cb (GstAppSink *sink, gpointer feed)
{
  offer (feed, gst_app_sink_pull_preroll (sink));
  return GST_FLOW_OK;
}

/* ---------------------------------------------------------------------------------------------------------- seeking */

/* The frame's first tenth, clear of rounding in the file's timestamps on either side. */
static gint64
time_of (EaselFilePlayer *self, int frame)
{
  return (gint64) frame * self->frame_time + self->frame_time / 10;
}

static gboolean
seek_to (EaselFilePlayer *self, GstSeekFlags flags, gint64 time)
{
  GstEvent *event;

  self->in_segment = easel_player_get_loop (EASEL_PLAYER (self));
  if (self->in_segment)
    flags |= GST_SEEK_FLAG_SEGMENT;
  event = gst_event_new_seek (1, GST_FORMAT_TIME, flags, GST_SEEK_TYPE_SET, time, GST_SEEK_TYPE_NONE, -1);
  self->segment = gst_event_get_seqnum (event);
  return gst_element_send_event (self->playbin, event);
}

static void
seek_now (EaselFilePlayer *self, int frame)
{
  self->next = -1;
  self->seeking = seek_to (self, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, frame > 0 ? time_of (self, frame) : 0);
}

static void
file_seek (EaselPlayer *player, int frame)
{
  EaselFilePlayer *self = EASEL_FILE_PLAYER (player);

  if (self->seeking)
    self->next = frame;
  else if (self->playbin)
    seek_now (self, frame);
}

static void
file_play (EaselPlayer *player, gboolean playing)
{
  EaselFilePlayer *self = EASEL_FILE_PLAYER (player);

  if (self->playbin)
    gst_element_set_state (self->playbin, playing ? GST_STATE_PLAYING : GST_STATE_PAUSED);
}

static void
file_loop (EaselPlayer *player, gboolean loop)
{
  EaselFilePlayer *self = EASEL_FILE_PLAYER (player);

  if (self->playbin && loop != self->in_segment)
    file_seek (player, easel_player_get_frame (player));
}

/* --------------------------------------------------------------------------------------------------------- messages */

static void
settled (EaselFilePlayer *self)
{
  gint64 duration;

  if (gst_element_query_duration (self->playbin, GST_FORMAT_TIME, &duration) && duration > 0)
    self->duration = duration;
  describe (self);
  self->seeking = FALSE;
  if (self->next >= 0)
    seek_now (self, self->next);
  else if (easel_player_get_loop (EASEL_PLAYER (self)) != self->in_segment && self->frame_time > 0)
    seek_now (self, easel_player_get_frame (EASEL_PLAYER (self)));
}

static void
fail (EaselFilePlayer *self, const char *why)
{
  g_autofree char *name = g_filename_display_basename (self->path);

  /* Translators: the name of a film file, and what GStreamer says of it */
  easel_player_fail (EASEL_PLAYER (self), g_strdup_printf (_ ("“%s” cannot be played: %s"), name, why));
}

static gboolean
bus_cb (GstBus *bus G_GNUC_UNUSED, GstMessage *message, gpointer data)
{
  EaselFilePlayer *self = data;
  g_autoptr (GError) problem = NULL;
  g_autofree char *missing = NULL;

  switch (GST_MESSAGE_TYPE (message))
    {
    case GST_MESSAGE_ASYNC_DONE:
      settled (self);
      break;
    case GST_MESSAGE_DURATION_CHANGED:
      self->duration = -1;
      break;
    case GST_MESSAGE_SEGMENT_DONE:
      /* No flush: what is decoded of the end is still shown while the beginning is read. The end of a segment that was
       * left for another one meanwhile is of no interest. */
      if (gst_message_get_seqnum (message) == self->segment)
        seek_to (self, GST_SEEK_FLAG_NONE, 0);
      break;
    case GST_MESSAGE_EOS:
      if (easel_player_get_loop (EASEL_PLAYER (self)))
        seek_now (self, 0);
      else
        {
          gst_element_set_state (self->playbin, GST_STATE_PAUSED);
          easel_player_ended (EASEL_PLAYER (self));
        }
      break;
    case GST_MESSAGE_ELEMENT:
      if (!gst_is_missing_plugin_message (message))
        break;
      missing = gst_missing_plugin_message_get_description (message);
      /* Translators: what GStreamer misses, such as "H.264 decoder" */
      fail (self, missing);
      break;
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &problem, NULL);
      if (!easel_player_get_error (EASEL_PLAYER (self)))
        fail (self, g_error_matches (problem, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND)
                        ? _ ("there is no such file")
                        : problem->message);
      break;
    default:
      break;
    }
  return G_SOURCE_CONTINUE;
}

/* ---------------------------------------------------------------------------------------------------------- opening */

static void
pipeline_free (gpointer data)
{
  gst_element_set_state (data, GST_STATE_NULL);
  gst_object_unref (data);
}

/* In a thread: the first start of GStreamer looks through all plugins, and playbin loads some. */
static void
open_thread (GTask *task, gpointer source G_GNUC_UNUSED, gpointer data, GCancellable *cancellable G_GNUC_UNUSED)
{
  Feed *feed = data;
  GstAppSinkCallbacks callbacks = { .new_sample = sample_cb, .new_preroll = preroll_cb };
  g_autoptr (GstCaps) caps = NULL;
  GstElement *playbin, *sink;
  GError *error = NULL;

  if (!gst_init_check (NULL, NULL, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  playbin = gst_element_factory_make ("playbin", NULL);
  sink = gst_element_factory_make ("appsink", NULL);
  if (!playbin || !sink)
    {
      g_clear_pointer (&playbin, gst_object_unref);
      g_clear_pointer (&sink, gst_object_unref);
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "%s",
                               /* Translators: the name of a package follows */
                               _ ("install the package gstreamer1.0-plugins-base"));
      return;
    }
  gst_object_ref_sink (playbin);
  caps = gst_caps_from_string ("video/x-raw,format=BGRA");
  g_object_set (sink, "caps", caps, "max-buffers", 2u, "drop", TRUE, "enable-last-sample", FALSE, NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, feed_ref (feed), feed_unref);
  g_object_set (playbin, "flags", PICTURE_ONLY, "video-sink", sink, "uri", feed->uri, NULL);
  gst_element_set_state (playbin, GST_STATE_PAUSED);
  g_task_return_pointer (task, playbin, pipeline_free);
}

static void
opened_cb (GObject *object, GAsyncResult *result, gpointer data G_GNUC_UNUSED)
{
  EaselFilePlayer *self = EASEL_FILE_PLAYER (object);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstBus) bus = NULL;

  if (!(self->playbin = g_task_propagate_pointer (G_TASK (result), &error)))
    {
      fail (self, error->message);
      return;
    }
  bus = gst_element_get_bus (self->playbin);
  self->watch = gst_bus_add_watch (bus, bus_cb, self);
  if (easel_player_get_playing (EASEL_PLAYER (self)))
    file_play (EASEL_PLAYER (self), TRUE);
}

EaselPlayer *
easel_file_player_new (const char *path)
{
  EaselFilePlayer *self = g_object_new (EASEL_TYPE_FILE_PLAYER, NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GTask) task = g_task_new (self, NULL, opened_cb, NULL);

  self->path = g_strdup (path);
  self->seeking = TRUE; /* until the first frame is there */
  self->feed->uri = g_file_get_uri (file);
  g_task_set_task_data (task, feed_ref (self->feed), feed_unref);
  g_task_run_in_thread (task, open_thread);
  return EASEL_PLAYER (self);
}

static void
easel_file_player_dispose (GObject *object)
{
  EaselFilePlayer *self = EASEL_FILE_PLAYER (object);

  if (self->feed)
    self->feed->player = NULL;
  g_clear_handle_id (&self->watch, g_source_remove);
  g_clear_pointer (&self->playbin, pipeline_free);
  g_clear_pointer (&self->feed, feed_unref);
  g_clear_pointer (&self->path, g_free);
  G_OBJECT_CLASS (easel_file_player_parent_class)->dispose (object);
}

static void
easel_file_player_class_init (EaselFilePlayerClass *klass)
{
  EaselPlayerClass *player_class = EASEL_PLAYER_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_file_player_dispose;
  player_class->play = file_play;
  player_class->seek = file_seek;
  player_class->loop = file_loop;
}

static void
easel_file_player_init (EaselFilePlayer *self)
{
  self->feed = g_new0 (Feed, 1);
  g_atomic_ref_count_init (&self->feed->refs);
  g_mutex_init (&self->feed->lock);
  self->feed->player = self;
  self->duration = -1;
  self->next = -1;
}
