/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Films through GStreamer: frames go in through an appsrc, the finished file comes out in memory and appears under its
 * name in one step, since muxers go back and forth in what they write.
 */
#include "engine/media/video-private.h"

#include <string.h>

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>

#define JSON_PART "\neasel: " /* between the two texts of a comment; JSON has one line */
#define NO_LIMIT 200000000     /* bits a second: constant quality also heeds a bit rate, by default 256000 */
#define READ_TIMEOUT (20 * GST_SECOND)
#define READ_SLICE (50 * GST_MSECOND)
#define AFTER_ERROR 10 /* slices in which what was decoded before may still come */

#define PARSERS "gstreamer1.0-plugins-bad"

typedef struct
{
  const char *codec, *element, *parser, *package; /* the package of the element; parsers are all in PARSERS */
} Encoder;

/* In the order they are tried. */
static const Encoder encoders[] = {
  { "h264", "x264enc", "h264parse", "gstreamer1.0-plugins-ugly" },
  { "h264", "openh264enc", "h264parse", "gstreamer1.0-plugins-bad" },
  { "vp9", "vp9enc", NULL, "gstreamer1.0-plugins-good" },
  { "av1", "svtav1enc", "av1parse", "gstreamer1.0-plugins-bad" },
  { "av1", "av1enc", "av1parse", "gstreamer1.0-plugins-bad" },
};

static gboolean
start (GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (gst_init_check (NULL, NULL, &problem))
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "GStreamer does not start: %s",
               problem ? problem->message : "no reason given");
  return FALSE;
}

static gboolean
installed (const char *element)
{
  GstElementFactory *factory = gst_element_factory_find (element);

  if (factory)
    gst_object_unref (factory);
  return factory != NULL;
}

gboolean
easel_video_gst_find (const EaselVideoContainer *container, const char *codec, const char **encoder,
                      const char **parser, GError **error)
{
  g_autoptr (GString) missing = g_string_new (NULL);
  const char *package;

  if (codec && !g_strv_contains (container->codecs, codec))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s holds %s or %s, not \"%s\"", container->ending,
                   container->codecs[0], container->codecs[1], codec);
      return FALSE;
    }
  if (!start (error))
    return FALSE;
  codec = codec ? codec : container->codecs[0];
  if (!installed (container->muxer) || !installed ("appsrc") || !installed ("giostreamsink"))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "%s files cannot be written: install the packages gstreamer1.0-plugins-base and %s",
                   container->ending, container->package);
      return FALSE;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (encoders); i++)
    if (strcmp (encoders[i].codec, codec) == 0)
      {
        if (installed (encoders[i].element) && (!encoders[i].parser || installed (encoders[i].parser)))
          {
            if (encoder)
              *encoder = encoders[i].element;
            if (parser)
              *parser = encoders[i].parser;
            return TRUE;
          }
        package = installed (encoders[i].element) ? PARSERS : encoders[i].package;
        if (!strstr (missing->str, package))
          g_string_append_printf (missing, "%s%s", missing->len > 0 ? " or " : "", package);
      }
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
               "There is no encoder for %s: install the package %s, or choose another ending than %s", codec,
               missing->str, container->ending);
  return FALSE;
}

/* Quality as each encoder has it: a quantiser or a level of constant quality; or a bit rate. One thread more or less
 * must not change the file, so what depends on their number is switched off where it can be. */
static void
set_quality (GstElement *encoder, const char *name, int quality, int bitrate)
{
  const int level = 50 - quality / 2 + 1; /* 1 (best) to 51 */
  const guint kilo = (guint) MAX (bitrate / 1000, 1);
  const int q = MIN (level + level / 4, 63); /* of VP9 and AV1 */

  if (strcmp (name, "x264enc") == 0)
    {
      g_object_set (encoder, "threads", 1u, NULL);
      if (bitrate)
        g_object_set (encoder, "pass", 0, "bitrate", kilo, NULL);
      else
        g_object_set (encoder, "pass", 5, "quantizer", (guint) MIN (level, 50), NULL);
    }
  else if (strcmp (name, "openh264enc") == 0)
    {
      if (bitrate)
        g_object_set (encoder, "rate-control", 1, "bitrate", (guint) bitrate, NULL);
      else
        g_object_set (encoder, "rate-control", -1, "qp-min", (guint) level, "qp-max", (guint) MIN (level + 1, 51),
                      NULL);
    }
  else if (strcmp (name, "vp9enc") == 0)
    {
      /* With frames held back, GStreamer 1.22 loses the last ones of a clip that is hard to compress. */
      g_object_set (encoder, "deadline", (gint64) 0, "cpu-used", 2, "threads", 1, "lag-in-frames", 0, NULL);
      if (bitrate)
        g_object_set (encoder, "end-usage", 0, "target-bitrate", bitrate, NULL);
      else
        g_object_set (encoder, "end-usage", 2, "cq-level", q, "min-quantizer", MAX (q - 2, 0), "max-quantizer",
                      MIN (q + 4, 63), "target-bitrate", NO_LIMIT, NULL);
    }
  else if (strcmp (name, "svtav1enc") == 0)
    {
      /* not of every version */
      const char *property = bitrate ? "target-bitrate" : "crf";

      if (g_object_class_find_property (G_OBJECT_GET_CLASS (encoder), property))
        g_object_set (encoder, property, bitrate ? (int) kilo : q, NULL);
    }
  else if (strcmp (name, "av1enc") == 0)
    {
      g_object_set (encoder, "cpu-used", 6, NULL);
      if (bitrate)
        g_object_set (encoder, "target-bitrate", kilo, NULL);
      else
        g_object_set (encoder, "min-quantizer", (guint) MIN (level, 60), "max-quantizer",
                      (guint) MIN (q + 2, 63), "target-bitrate", (guint) NO_LIMIT / 1000, NULL);
    }
}

static gboolean
bus_failed (GstElement *pipeline, const char *path, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) problem = NULL;

  if (!message)
    return FALSE;
  gst_message_parse_error (message, &problem, NULL);
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "%s cannot be encoded: %s", path, problem->message);
  return TRUE;
}

/* Fractions such as 30000/1001 are not needed: rates are given in thousandths. */
static GstCaps *
raw_caps (const EaselPicture *clip)
{
  const int rate = (int) (easel_video_fps (clip) * 1000 + 0.5);

  return gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, "RGB", "width", G_TYPE_INT, clip->width, "height",
                              G_TYPE_INT, clip->height, "framerate", GST_TYPE_FRACTION, MAX (rate, 1), 1000, NULL);
}

/* One frame, rows padded to four bytes as GStreamer's RGB has them. */
static GstBuffer *
frame_buffer (const EaselPicture *clip, int f)
{
  const gsize row = (gsize) clip->width * 3, stride = GST_ROUND_UP_4 (row);
  const guint8 *from = clip->rgb + (gsize) f * row * clip->height;
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, stride * clip->height, NULL);
  const double ns = GST_SECOND / easel_video_fps (clip);
  GstMapInfo map;

  if (!buffer || !gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    {
      g_clear_pointer (&buffer, gst_buffer_unref);
      return NULL;
    }
  for (int y = 0; y < clip->height; y++)
    {
      memcpy (map.data + y * stride, from + y * row, row);
      memset (map.data + y * stride + row, 0, stride - row);
    }
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_PTS (buffer) = (GstClockTime) (f * ns + 0.5);
  GST_BUFFER_DURATION (buffer) = (GstClockTime) ((f + 1) * ns + 0.5) - GST_BUFFER_PTS (buffer);
  return buffer;
}

/* Pushes all frames and waits until the muxer is done. */
static gboolean
feed (GstElement *pipeline, GstAppSrc *source, const EaselPicture *clip, const char *path,
      const EaselVideoOptions *options, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  if (gst_element_set_state (pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
    {
      if (!bus_failed (pipeline, path, error))
        g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "%s cannot be encoded: the encoder does not start", path);
      return FALSE;
    }
  for (int f = 0; f < clip->n_frames; f++)
    {
      GstBuffer *buffer;

      /* Waits here instead of in push_buffer, so that an encoder that failed or a person who stops is heard. */
      while (gst_app_src_get_current_level_buffers (source) >= 4)
        {
          if (bus_failed (pipeline, path, error) || !easel_video_go_on (options, (double) f / clip->n_frames, error))
            return FALSE;
          g_usleep (2000);
        }
      if (!easel_video_go_on (options, (double) f / clip->n_frames, error))
        return FALSE;
      if (!(buffer = frame_buffer (clip, f)))
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to encode %s", path);
          return FALSE;
        }
      if (gst_app_src_push_buffer (source, buffer) != GST_FLOW_OK)
        break; /* the bus says why */
    }
  gst_app_src_end_of_stream (source);
  for (;;)
    {
      g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (bus, 100 * GST_MSECOND,
                                                                   GST_MESSAGE_EOS | GST_MESSAGE_ERROR);

      if (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
        return easel_video_go_on (options, 1, error);
      if (message)
        {
          g_autoptr (GError) problem = NULL;

          gst_message_parse_error (message, &problem, NULL);
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "%s cannot be encoded: %s", path, problem->message);
          return FALSE;
        }
      if (!easel_video_go_on (options, 1, error))
        return FALSE;
    }
}

static void
add_tag (GstTagSetter *setter, const char *tag, const char *value)
{
  if (value)
    gst_tag_setter_add_tags (setter, GST_TAG_MERGE_REPLACE, tag, value, NULL);
}

/* GStreamer writes no description into Matroska, so there the comment has two parts. */
static void
set_tags (GstElement *muxer, const EaselImageTexts *texts)
{
  GstTagSetter *setter = GST_IS_TAG_SETTER (muxer) ? GST_TAG_SETTER (muxer) : NULL;
  g_autofree char *both = NULL;

  if (!setter)
    return;
  gst_tag_setter_set_tag_merge_mode (setter, GST_TAG_MERGE_KEEP_ALL);
  add_tag (setter, GST_TAG_APPLICATION_NAME, "Easel " EASEL_VERSION);
  if (strcmp (G_OBJECT_TYPE_NAME (muxer), "GstWebMMux") == 0 && texts->json)
    {
      both = g_strconcat (texts->parameters ? texts->parameters : "", JSON_PART, texts->json, NULL);
      add_tag (setter, GST_TAG_COMMENT, both);
      return;
    }
  add_tag (setter, GST_TAG_COMMENT, texts->parameters);
  add_tag (setter, GST_TAG_DESCRIPTION, texts->json);
}

gboolean
easel_video_gst_write (EaselPicture *clip, const char *path, const EaselVideoContainer *container,
                       const EaselVideoOptions *options, const EaselImageTexts *texts, GError **error)
{
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();
  g_autofree char *description = NULL;
  g_autoptr (GstElement) pipeline = NULL, source = NULL, encode = NULL, muxer = NULL, sink = NULL;
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GError) problem = NULL;
  const char *encoder = NULL, *parser = NULL;
  gboolean ok;

  if (clip->width % 2 || clip->height % 2)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "Films have even sides, not %d × %d", clip->width,
                   clip->height);
      return FALSE;
    }
  if (!easel_video_gst_find (container, options->codec, &encoder, &parser, error))
    return FALSE;
  description = g_strdup_printf ("appsrc name=source ! videoconvert ! video/x-raw,format=I420 ! %s name=encode ! "
                                 "%s%s%s name=muxer ! giostreamsink name=sink sync=false",
                                 encoder, parser ? parser : "", parser ? " ! " : "", container->muxer);
  if (!(pipeline = gst_parse_launch (description, &problem)) || problem)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s cannot be encoded: %s", path,
                   problem ? problem->message : "GStreamer gives no reason");
      return FALSE;
    }
  source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  encode = gst_bin_get_by_name (GST_BIN (pipeline), "encode");
  muxer = gst_bin_get_by_name (GST_BIN (pipeline), "muxer");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  caps = raw_caps (clip);
  gst_app_src_set_caps (GST_APP_SRC (source), caps);
  g_object_set (source, "format", GST_FORMAT_TIME, NULL);
  g_object_set (sink, "stream", memory, NULL);
  set_quality (encode, encoder, options->quality > 0 ? options->quality : 80, options->bitrate);
  set_tags (muxer, texts);

  ok = feed (pipeline, GST_APP_SRC (source), clip, path, options, error);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return ok
         && easel_atomic_file_replace (path, g_memory_output_stream_get_data (G_MEMORY_OUTPUT_STREAM (memory)),
                                       g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (memory)),
                                       options->overwrite, error);
}

/* --------------------------------------------------------------------------------------------------------- reading */

static GstDiscovererInfo *
discover (const char *path, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autofree char *uri = g_file_get_uri (file);
  g_autoptr (GstDiscoverer) discoverer = NULL;
  g_autoptr (GError) problem = NULL;
  GstDiscovererInfo *info;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "There is no file %s.", path);
      return NULL;
    }
  if (!start (error) || !(discoverer = gst_discoverer_new (READ_TIMEOUT, NULL)))
    return NULL;
  info = gst_discoverer_discover_uri (discoverer, uri, &problem);
  if (info && !problem)
    return info;
  if (info)
    gst_discoverer_info_unref (info);
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as a film: %s", path,
               problem ? problem->message : "GStreamer gives no reason");
  return NULL;
}

/* A comment of two parts becomes two texts. */
static void
split_comment (GHashTable *texts)
{
  const char *comment = g_hash_table_lookup (texts, "parameters");
  const char *part = comment ? g_strrstr (comment, JSON_PART) : NULL;
  g_autofree char *parameters = NULL;

  if (!part || part[strlen (JSON_PART)] != '{')
    return;
  parameters = g_strndup (comment, (gsize) (part - comment));
  easel_image_add_text (texts, "easel", part + strlen (JSON_PART), strlen (part) - strlen (JSON_PART));
  g_hash_table_remove (texts, "parameters");
  if (parameters[0])
    easel_image_add_text (texts, "parameters", parameters, strlen (parameters));
}

static void
take_tag (GHashTable *texts, const GstTagList *tags, const char *tag, const char *key)
{
  g_autofree char *value = NULL;

  if (tags && gst_tag_list_get_string (tags, tag, &value))
    easel_image_add_text (texts, key, value, strlen (value));
}

GHashTable *
easel_video_gst_read_texts (const char *path, GError **error)
{
  GstDiscovererInfo *info;
  GHashTable *texts;
  const GstTagList *tags;

  if (!(info = discover (path, error)))
    return NULL;
  texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  tags = gst_discoverer_info_get_tags (info);
  G_GNUC_END_IGNORE_DEPRECATIONS
  take_tag (texts, tags, GST_TAG_COMMENT, "parameters");
  take_tag (texts, tags, GST_TAG_DESCRIPTION, "easel");
  split_comment (texts);
  gst_discoverer_info_unref (info);
  return texts;
}

/* Whether an error waits on the bus; it is left there for bus_failed(). */
static gboolean
has_error (GstBus *bus)
{
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);

  if (message)
    gst_bus_post (bus, message);
  return message != NULL;
}

/* The next sample; NULL at the end, soon after an error (a damaged film says nothing more), or when none comes. */
static GstSample *
pull_sample (GstAppSink *sink, GstBus *bus)
{
  int quiet = 0;

  for (GstClockTime waited = 0; waited < READ_TIMEOUT && quiet < AFTER_ERROR; waited += READ_SLICE)
    {
      GstSample *sample = gst_app_sink_try_pull_sample (sink, READ_SLICE);

      if (sample || gst_app_sink_is_eos (sink))
        return sample;
      quiet = has_error (bus) ? quiet + 1 : 0;
    }
  return NULL;
}

/* The next frame into `to`, [height, width, 3]; FALSE at the end. */
static gboolean
pull_frame (GstAppSink *sink, GstBus *bus, guint8 **rgb, int *width, int *height, double *fps)
{
  g_autoptr (GstSample) sample = pull_sample (sink, bus);
  const GstStructure *shape = sample ? gst_caps_get_structure (gst_sample_get_caps (sample), 0) : NULL;
  int w = 0, h = 0, n = 0, d = 1;
  GstMapInfo map;
  gsize row;

  if (!shape || !gst_structure_get_int (shape, "width", &w) || !gst_structure_get_int (shape, "height", &h)
      || (*width && (w != *width || h != *height)) || w < 1 || h < 1 || w > EASEL_PICTURE_MAX_SIDE
      || h > EASEL_PICTURE_MAX_SIDE || !gst_buffer_map (gst_sample_get_buffer (sample), &map, GST_MAP_READ))
    return FALSE;
  row = (gsize) w * 3;
  if (map.size >= GST_ROUND_UP_4 (row) * (h - 1) + row && (*rgb = g_try_malloc (row * h)))
    for (int y = 0; y < h; y++)
      memcpy (*rgb + y * row, map.data + y * GST_ROUND_UP_4 (row), row);
  gst_buffer_unmap (gst_sample_get_buffer (sample), &map);
  if (gst_structure_get_fraction (shape, "framerate", &n, &d) && n > 0 && d > 0)
    *fps = (double) n / d;
  *width = w;
  *height = h;
  return *rgb != NULL;
}

EaselPicture *
easel_video_gst_read (const char *path, int max_frames, GError **error)
{
  g_autoptr (GPtrArray) frames = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GstElement) pipeline = NULL, source = NULL, sink = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GError) problem = NULL;
  EaselPicture *clip = NULL;
  int width = 0, height = 0;
  double fps = 0;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "There is no file %s.", path);
      return NULL;
    }
  if (!start (error))
    return NULL;
  pipeline = gst_parse_launch ("filesrc name=source ! decodebin ! videoconvert ! video/x-raw,format=RGB ! "
                               "appsink name=sink sync=false max-buffers=4", &problem);
  if (!pipeline || problem)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "Films cannot be read: %s",
                   problem ? problem->message : "GStreamer gives no reason");
      return NULL;
    }
  source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (source, "location", path, NULL);
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((int) frames->len < max_frames)
    {
      guint8 *rgb = NULL;

      if (!pull_frame (GST_APP_SINK (sink), bus, &rgb, &width, &height, &fps))
        break;
      g_ptr_array_add (frames, rgb);
    }
  if (frames->len == 0)
    {
      g_autoptr (GError) why = NULL;

      if (!bus_failed (pipeline, path, &why))
        g_set_error (&why, EASEL_ERROR, EASEL_ERROR_DAMAGED, "there are no frames in it");
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as a film: %s", path, why->message);
    }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (frames->len == 0 || !(clip = easel_picture_new (width, height, (int) frames->len, error)))
    return NULL;
  clip->fps = fps;
  for (guint f = 0; f < frames->len; f++)
    memcpy (clip->rgb + (gsize) f * width * height * 3, g_ptr_array_index (frames, f), (gsize) width * height * 3);
  return clip;
}
