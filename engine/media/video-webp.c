/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clips as WebP animations, written and read by libwebp.
 */
#include "engine/media/video-private.h"

#include <string.h>

#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

static gboolean
webp_failed (GError **error, const char *why)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "The animation cannot be written: %s", why ? why : "no memory");
  return FALSE;
}

static gboolean
add_frames (WebPAnimEncoder *encoder, const EaselPicture *clip, const EaselVideoOptions *options, GError **error)
{
  const gsize size = (gsize) clip->width * clip->height * 3;
  const double ms = 1000 / easel_video_fps (clip);
  const int quality = options->quality > 0 ? options->quality : 80;
  WebPConfig config;

  if (!WebPConfigInit (&config))
    return webp_failed (error, "the library is of another version");
  config.quality = (float) quality;
  config.lossless = quality == 100;
  for (int f = 0; f < clip->n_frames; f++)
    {
      WebPPicture frame;
      gboolean ok;

      if (!easel_video_go_on (options, (double) f / clip->n_frames, error))
        return FALSE;
      if (!WebPPictureInit (&frame))
        return webp_failed (error, "the library is of another version");
      frame.width = clip->width;
      frame.height = clip->height;
      frame.use_argb = 1;
      ok = WebPPictureImportRGB (&frame, clip->rgb + f * size, clip->width * 3)
           && WebPAnimEncoderAdd (encoder, &frame, (int) (f * ms + 0.5), &config);
      WebPPictureFree (&frame);
      if (!ok)
        return webp_failed (error, WebPAnimEncoderGetError (encoder));
    }
  return WebPAnimEncoderAdd (encoder, NULL, (int) (clip->n_frames * ms + 0.5), NULL)
         || webp_failed (error, WebPAnimEncoderGetError (encoder));
}

/* The same two chunks that pictures have. */
static gboolean
add_texts (WebPData *file, const EaselImageTexts *texts, GError **error)
{
  WebPMux *mux = WebPMuxCreate (file, 1);
  g_autoptr (GBytes) exif = easel_exif_build (texts->parameters);
  g_autofree char *packet = easel_xmp_build (&(EaselImageTexts){ .json = texts->json });
  gsize size;
  WebPData chunk = { .bytes = g_bytes_get_data (exif, &size) };
  WebPData xmp = { .bytes = (const guint8 *) packet, .size = strlen (packet) }, whole = { 0 };
  gboolean ok;

  chunk.size = size;
  ok = mux && WebPMuxSetChunk (mux, "EXIF", &chunk, 1) == WEBP_MUX_OK
       && WebPMuxSetChunk (mux, "XMP ", &xmp, 1) == WEBP_MUX_OK && WebPMuxAssemble (mux, &whole) == WEBP_MUX_OK;
  WebPMuxDelete (mux);
  if (!ok)
    return webp_failed (error, NULL);
  WebPDataClear (file);
  *file = whole;
  return TRUE;
}

gboolean
easel_video_webp_write (EaselPicture *clip, const char *path, const EaselVideoOptions *options,
                        const EaselImageTexts *texts, GError **error)
{
  WebPAnimEncoderOptions settings;
  WebPAnimEncoder *encoder;
  WebPData file = { 0 };
  gboolean ok;

  if (!WebPAnimEncoderOptionsInit (&settings))
    return webp_failed (error, "the library is of another version");
  settings.anim_params.loop_count = options->loops;
  if (!(encoder = WebPAnimEncoderNew (clip->width, clip->height, &settings)))
    return webp_failed (error, "a side is too long for WebP, or there is no memory");
  ok = add_frames (encoder, clip, options, error);
  if (ok && !WebPAnimEncoderAssemble (encoder, &file))
    ok = webp_failed (error, WebPAnimEncoderGetError (encoder));
  WebPAnimEncoderDelete (encoder);
  ok = ok && (!texts->json || add_texts (&file, texts, error))
       && easel_atomic_file_replace (path, file.bytes, file.size, options->overwrite, error);
  WebPDataClear (&file);
  return ok;
}


EaselPicture *
easel_video_webp_read (const char *path, int max_frames, GError **error)
{
  g_auto (EaselVideoFrames) frames = { 0 };
  g_autofree char *bytes = NULL;
  WebPAnimDecoder *decoder;
  WebPAnimInfo info;
  WebPData data = { 0 };
  guint8 *rgba;
  int end, begin = 0;
  gboolean ok;

  if (!(bytes = easel_read_small_file (path, EASEL_IMAGE_MAX_FILE, &data.size, error)))
    return NULL;
  data.bytes = (const guint8 *) bytes;
  decoder = WebPAnimDecoderNew (&data, NULL);
  ok = decoder && WebPAnimDecoderGetInfo (decoder, &info)
       && easel_video_frames_init (&frames, path, (int) info.canvas_width, (int) info.canvas_height, error);
  while (ok && (int) frames.n < max_frames && WebPAnimDecoderHasMoreFrames (decoder)
         && WebPAnimDecoderGetNext (decoder, &rgba, &end))
    {
      ok = easel_video_frames_add (&frames, rgba, end - begin, error);
      begin = end;
    }
  WebPAnimDecoderDelete (decoder);
  if (ok && frames.n > 0)
    return easel_video_frames_finish (&frames, max_frames, error);
  if (error && !*error)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as an animation: it is cut short", path);
  return NULL;
}
