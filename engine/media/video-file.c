/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which file a clip becomes, and the simplest of them: numbered pictures.
 */
#include "engine/media/video-private.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_FPS 8

static const EaselVideoContainer containers[] = {
  { ".mp4", "mp4mux", "gstreamer1.0-plugins-good", { "h264", "av1" } },
  { ".webm", "webmmux", "gstreamer1.0-plugins-good", { "vp9", "av1" } },
};

static const struct
{
  const char *ending;
  gboolean (*write) (EaselPicture *clip, const char *path, const EaselVideoOptions *options,
                     const EaselImageTexts *texts, GError **error);
  EaselPicture *(*read) (const char *path, int max_frames, GError **error);
  GHashTable *(*read_texts) (const char *path, GError **error);
  gboolean pictures_too; /* the ending says nothing of moving */
} animations[] = {
  { ".gif", easel_video_gif_write, easel_video_gif_read, easel_video_gif_read_texts },
  { ".apng", easel_video_apng_write, easel_video_apng_read, easel_image_read_texts },
  { ".webp", easel_video_webp_write, easel_video_webp_read, easel_image_read_texts, TRUE },
};

gboolean
easel_video_ends_with (const char *path, const char *ending)
{
  const gsize n = strlen (path), m = strlen (ending);

  return n > m && g_ascii_strcasecmp (path + n - m, ending) == 0;
}

/* Of the table above, or -1. */
static int
find_animation (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (animations); i++)
    if (easel_video_ends_with (path, animations[i].ending))
      return (int) i;
  return -1;
}

const EaselVideoContainer *
easel_video_container_find (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (containers); i++)
    if (easel_video_ends_with (path, containers[i].ending))
      return &containers[i];
  return NULL;
}

gboolean
easel_video_is_container (const char *path)
{
  const int i = find_animation (path);

  return i >= 0 ? !animations[i].pictures_too : easel_video_container_find (path) != NULL;
}

gboolean
easel_video_is_animation (const char *path)
{
  return find_animation (path) >= 0;
}

/* The WebP container's extended header says so: RIFF size WEBP VP8X size flags. */
gboolean
easel_video_moves (const char *path)
{
  guint8 head[21];
  FILE *file;
  gboolean moves;

  if (!easel_video_ends_with (path, ".webp"))
    return easel_video_is_container (path);
  if (!(file = fopen (path, "rb")))
    return FALSE;
  moves = fread (head, 1, sizeof head, file) == sizeof head && !memcmp (head, "RIFF", 4)
          && !memcmp (head + 8, "WEBPVP8X", 8) && (head[20] & 0x02) != 0;
  fclose (file);
  return moves;
}

gboolean
easel_video_can_write (const char *path, const char *codec, GError **error)
{
  const EaselVideoContainer *container = easel_video_container_find (path);

  if (container)
    return easel_video_gst_find (container, codec, NULL, NULL, error);
  if (codec)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "A codec can be chosen only for .mp4 and .webm, not for %s", path);
  else if (find_animation (path) >= 0 || easel_video_ends_with (path, ".png"))
    return TRUE;
  else
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "%s: clips are written as .mp4 or .webm (films), .gif, .webp or .apng (animations) or .png (numbered "
                 "pictures)", path);
  return FALSE;
}

gboolean
easel_video_can_write_so (const char *path, const EaselVideoOptions *options, GError **error)
{
  if (!easel_video_can_write (path, options->codec, error))
    return FALSE;
  if (options->loops != 0 && find_animation (path) < 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "%s: only animations (.gif, .webp, .apng) say how often they are played; of a film its player decides",
                 path);
  else if (options->loops < 0 || options->loops > 65535)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "An animation is played 1 to 65535 times, or 0 for ever, not %d times", options->loops);
  else if (options->bitrate != 0 && !easel_video_container_find (path))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "A bit rate can be chosen only for .mp4 and .webm, not for %s", path);
  else if (options->bitrate != 0 && (options->bitrate < 1000 || options->bitrate > 1000000000))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                 "A bit rate is between 1000 and 1000000000 bits a second, not %d", options->bitrate);
  else
    return TRUE;
  return FALSE;
}

double
easel_video_fps (const EaselPicture *clip)
{
  return clip->fps > 0 ? clip->fps : DEFAULT_FPS;
}

gboolean
easel_video_go_on (const EaselVideoOptions *options, double part, GError **error)
{
  if (options->cancellable && g_cancellable_is_cancelled (options->cancellable))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_CANCELLED, "Writing the clip was stopped");
      return FALSE;
    }
  if (options->progress)
    options->progress (part, options->user_data);
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ numbered pictures */

static gboolean
write_numbered (EaselPicture *clip, const char *path, const EaselVideoOptions *options, GError **error)
{
  const gsize size = (gsize) clip->width * clip->height * 3;
  const EaselImageOptions image = { .no_metadata = options->no_metadata, .overwrite = options->overwrite };

  for (int f = 0; f < clip->n_frames; f++)
    {
      g_autoptr (EaselPicture) frame = easel_picture_new (clip->width, clip->height, 1, error);
      g_autofree char *name = g_strdup_printf ("%.*s-%04d.png", (int) (strlen (path) - strlen (".png")), path, f + 1);

      if (!frame || !easel_video_go_on (options, (double) f / clip->n_frames, error))
        return FALSE;
      memcpy (frame->rgb, clip->rgb + f * size, size);
      frame->request = clip->request ? easel_request_ref (clip->request) : NULL;
      if (!easel_image_write (frame, name, &image, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
easel_video_write (EaselPicture *clip, const char *path, const EaselVideoOptions *options, GError **error)
{
  const EaselVideoOptions none = { 0 };
  const EaselVideoContainer *container = easel_video_container_find (path);
  g_autofree char *parameters = NULL, *json = NULL;
  EaselImageTexts texts;

  options = options ? options : &none;
  if (!easel_video_can_write_so (path, options, error))
    return FALSE;
  if (clip->request && !options->no_metadata)
    {
      parameters = easel_request_to_parameters (clip->request);
      json = easel_request_to_json (clip->request);
    }
  texts = (EaselImageTexts){ .parameters = parameters, .json = json };
  if (container)
    return easel_video_gst_write (clip, path, container, options, &texts, error);
  if (find_animation (path) >= 0)
    return animations[find_animation (path)].write (clip, path, options, &texts, error);
  return write_numbered (clip, path, options, error);
}

EaselPicture *
easel_video_read (const char *path, int max_frames, GError **error)
{
  const int i = find_animation (path);

  return i >= 0 ? animations[i].read (path, max_frames, error) : easel_video_gst_read (path, max_frames, error);
}

GHashTable *
easel_video_read_texts (const char *path, GError **error)
{
  const int i = find_animation (path);

  return i >= 0 ? animations[i].read_texts (path, error) : easel_video_gst_read_texts (path, error);
}

EaselRequest *
easel_video_read_request (const char *path, GError **error)
{
  g_autoptr (GHashTable) texts = easel_video_read_texts (path, error);
  const char *json = texts ? g_hash_table_lookup (texts, "easel") : NULL;
  const char *parameters = texts ? g_hash_table_lookup (texts, "parameters") : NULL;

  if (json)
    return easel_request_from_json (json, strlen (json), error);
  if (parameters)
    return easel_request_from_parameters (parameters, strlen (parameters), error);
  if (texts)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "%s holds no settings.", path);
  return NULL;
}
