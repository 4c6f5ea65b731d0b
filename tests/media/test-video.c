/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clips as files: every container that can be written here, read back with its request, its size and its rate;
 * refusals; stopping; nothing left behind.
 */
#include "engine/media/video-file.h"
#include "engine/media/image-file.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <glib/gstdio.h>
#include <gst/pbutils/pbutils.h>

#define FRAMES 9
#define WIDTH 96
#define HEIGHT 64

static EaselPicture *
make_clip (void)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  EaselPicture *clip = easel_picture_new (WIDTH, HEIGHT, FRAMES, NULL);

  s.prompt = "a red ball, \"rolling\"; Füße\nand a second line";
  s.model = "starter-cogvideox";
  s.seed = 7;
  s.frames = FRAMES;
  s.fps = 8;
  s.width = WIDTH;
  s.height = HEIGHT;
  s.steps = 20;
  clip->fps = 8;
  clip->request = easel_request_new (&s, NULL);
  for (int f = 0; f < FRAMES; f++)
    for (int y = 0; y < HEIGHT; y++)
      for (int x = 0; x < WIDTH; x++)
        {
          guint8 *p = clip->rgb + (((gsize) f * HEIGHT + y) * WIDTH + x) * 3;

          p[0] = 255 * x / WIDTH;
          p[1] = 255 * y / HEIGHT;
          p[2] = 255 * f / FRAMES;
        }
  return clip;
}

static double
mean_difference (const EaselPicture *a, const EaselPicture *b)
{
  const gsize n = (gsize) a->width * a->height * 3 * MIN (a->n_frames, b->n_frames);
  double sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += ABS ((int) a->rgb[i] - b->rgb[i]);
  return sum / n;
}

static char *
folder_new (void)
{
  char *dir = g_dir_make_tmp ("easel-video-XXXXXX", NULL);

  g_assert_nonnull (dir);
  return dir;
}

static int
folder_clear (const char *dir)
{
  GDir *listing = g_dir_open (dir, 0, NULL);
  const char *name;
  int n = 0;

  while ((name = g_dir_read_name (listing)))
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);

      g_remove (path);
      n++;
    }
  g_dir_close (listing);
  g_rmdir (dir);
  return n;
}

static void
test_container (gconstpointer data)
{
  g_auto (GStrv) parts = g_strsplit (data, " ", 2); /* ending, codec */
  g_autofree char *dir = folder_new (), *name = g_strconcat ("clip", parts[0], NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (EaselPicture) clip = make_clip (), back = NULL;
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (GHashTable) texts = NULL;
  g_autofree char *json = NULL, *line = NULL;
  g_autoptr (GError) error = NULL;
  EaselVideoOptions options = { .codec = parts[1], .quality = 90 };
  /* APNG loses nothing; 256 colours cannot say more of a cloud of them. */
  const double bound = strcmp (parts[0], ".apng") == 0 ? 0 : strcmp (parts[0], ".gif") == 0 ? 12 : 8;

  if (!easel_video_can_write (path, parts[1], &error))
    {
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, "gstreamer1.0-"));
      g_test_skip (error->message);
      g_rmdir (dir);
      return;
    }
  g_assert_true (easel_video_write (clip, path, &options, &error));
  g_assert_no_error (error);

  /* again: refused, unless told to */
  g_assert_false (easel_video_write (clip, path, &options, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_IO);
  g_clear_error (&error);
  options.overwrite = TRUE;
  g_assert_true (easel_video_write (clip, path, &options, &error));

  request = easel_video_read_request (path, &error);
  g_assert_no_error (error);
  g_assert_true (easel_request_equal (request, clip->request));
  texts = easel_video_read_texts (path, &error);
  g_assert_no_error (error);
  json = easel_request_to_json (clip->request);
  line = easel_request_to_parameters (clip->request);
  g_assert_cmpstr (g_hash_table_lookup (texts, "easel"), ==, json);
  g_assert_cmpstr (g_hash_table_lookup (texts, "parameters"), ==, line);
  back = easel_video_read (path, 100, &error);
  g_assert_no_error (error);
  g_assert_cmpint (back->width, ==, WIDTH);
  g_assert_cmpint (back->height, ==, HEIGHT);
  g_assert_cmpint (back->n_frames, ==, FRAMES);
  g_assert_cmpfloat_with_epsilon (back->fps, 8, 0.01);
  g_assert_cmpfloat (mean_difference (clip, back), <=, bound);
  g_clear_pointer (&back, easel_picture_unref);
  back = easel_video_read (path, 3, &error); /* no more than asked for */
  g_assert_no_error (error);
  g_assert_cmpint (back->n_frames, ==, 3);
  g_assert_cmpint (folder_clear (dir), ==, 1);
}

/* What others make of the file: GStreamer's own discoverer. */
static void
test_discoverer (gconstpointer data)
{
  g_auto (GStrv) parts = g_strsplit (data, " ", 2); /* ending, codec */
  g_autofree char *dir = folder_new (), *name = g_strconcat ("clip", parts[0], NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL), *uri = g_strconcat ("file://", path, NULL);
  g_autofree char *comment = NULL, *description = NULL, *program = NULL, *json = NULL, *line = NULL;
  g_autoptr (EaselPicture) clip = make_clip ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GstDiscoverer) discoverer = NULL;
  GstDiscovererInfo *info;
  GList *streams;
  GstDiscovererVideoInfo *video;
  const GstTagList *tags;

  if (!easel_video_can_write (path, parts[1], &error))
    {
      g_test_skip (error->message);
      g_rmdir (dir);
      return;
    }
  g_assert_true (easel_video_write (clip, path, &(EaselVideoOptions){ .codec = parts[1] }, &error));
  g_assert_no_error (error);
  discoverer = gst_discoverer_new (60 * GST_SECOND, &error);
  g_assert_no_error (error);
  info = gst_discoverer_discover_uri (discoverer, uri, &error);
  g_assert_no_error (error);
  streams = gst_discoverer_info_get_video_streams (info);
  g_assert_cmpint (g_list_length (streams), ==, 1);
  video = streams->data;
  g_assert_cmpint (gst_discoverer_video_info_get_width (video), ==, WIDTH);
  g_assert_cmpint (gst_discoverer_video_info_get_height (video), ==, HEIGHT);
  g_assert_cmpfloat_with_epsilon ((double) gst_discoverer_video_info_get_framerate_num (video)
                                      / gst_discoverer_video_info_get_framerate_denom (video), 8, 1e-6);
  g_assert_true (gst_discoverer_info_get_seekable (info));
  /* as many frames as the request says, by the duration */
  g_assert_cmpfloat_with_epsilon ((double) gst_discoverer_info_get_duration (info) / GST_SECOND * 8, FRAMES, 0.05);
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  tags = gst_discoverer_info_get_tags (info);
  G_GNUC_END_IGNORE_DEPRECATIONS
  json = easel_request_to_json (clip->request);
  line = easel_request_to_parameters (clip->request);
  g_assert_true (gst_tag_list_get_string (tags, GST_TAG_COMMENT, &comment));
  if (strcmp (parts[0], ".webm") == 0)
    {
      g_assert_true (g_str_has_prefix (comment, line));
      g_assert_true (g_str_has_suffix (comment, json));
    }
  else
    {
      g_assert_true (gst_tag_list_get_string (tags, GST_TAG_APPLICATION_NAME, &program));
      g_assert_true (gst_tag_list_get_string (tags, GST_TAG_DESCRIPTION, &description));
      g_assert_cmpstr (comment, ==, line);
      g_assert_cmpstr (description, ==, json);
    }
  gst_discoverer_stream_info_list_free (streams);
  gst_discoverer_info_unref (info);
  g_assert_cmpint (folder_clear (dir), ==, 1);
}

static goffset
size_of (const char *path)
{
  GStatBuf about;

  g_assert_cmpint (g_stat (path, &about), ==, 0);
  return about.st_size;
}

/* Quality, bit rate and loops do something; what a file cannot have is refused before any work. */
static void
test_options (void)
{
  g_autofree char *dir = folder_new (), *film = g_build_filename (dir, "clip.webm", NULL);
  g_autofree char *gif = g_build_filename (dir, "clip.gif", NULL), *bytes = NULL;
  g_autoptr (EaselPicture) clip = make_clip (), back = NULL;
  g_autoptr (GError) error = NULL;
  const EaselVideoOptions refused[] = { { .loops = 2 }, { .bitrate = 12 }, { .bitrate = -1 }, { .loops = -1 } };
  const EaselVideoOptions refused_gif[] = { { .bitrate = 100000 }, { .loops = 70000 }, { .codec = "vp9" } };
  const char *block;
  goffset small, large;
  gsize size;

  if (easel_video_can_write (film, NULL, NULL))
    {
      for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
        {
          g_assert_false (easel_video_write (clip, film, &refused[i], &error));
          g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
          g_clear_error (&error);
        }
      srand (1); /* noise, which has no end of detail */
      for (gsize i = 0; i < (gsize) WIDTH * HEIGHT * FRAMES * 3; i++)
        clip->rgb[i] = (guint8) (rand () >> 7);
      g_assert_true (easel_video_write (clip, film, &(EaselVideoOptions){ .quality = 20 }, &error));
      small = size_of (film);
      g_assert_true (
          easel_video_write (clip, film, &(EaselVideoOptions){ .quality = 95, .overwrite = TRUE }, &error));
      large = size_of (film);
      back = easel_video_read (film, 100, &error);
      g_assert_no_error (error);
      g_assert_cmpint (back->n_frames, ==, FRAMES); /* an encoder that looks ahead may lose the last ones */
      g_assert_cmpint (large, >, small * 2);
      g_assert_true (
          easel_video_write (clip, film, &(EaselVideoOptions){ .bitrate = 50000, .overwrite = TRUE }, &error));
      g_assert_cmpint (size_of (film), <, large);
      g_assert_no_error (error);
      g_remove (film);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (refused_gif); i++)
    {
      g_assert_false (easel_video_write (clip, gif, &refused_gif[i], &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
      g_clear_error (&error);
    }
  g_assert_true (easel_video_write (clip, gif, &(EaselVideoOptions){ .loops = 3 }, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (gif, &bytes, &size, NULL));
  block = memmem (bytes, size, "NETSCAPE2.0", 11);
  g_assert_nonnull (block);
  g_assert_cmpmem (block + 11, 5, "\3\1\3\0\0", 5);
  g_assert_cmpint (folder_clear (dir), ==, 1);
}

/* Where there is no room for the file: a sentence, nothing left behind, and what was there is as it was. */
static void
test_full (gconstpointer ending)
{
  g_autofree char *dir = folder_new (), *name = g_strconcat ("clip", ending, NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (EaselPicture) clip = make_clip ();
  g_autoptr (GError) error = NULL;
  struct rlimit was, limit;

  if (!easel_video_can_write (path, NULL, NULL))
    {
      g_test_skip ("no encoder");
      g_rmdir (dir);
      return;
    }
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &was), ==, 0);
  limit = was;
  limit.rlim_cur = 1000; /* no file grows over this: writing fails as on a full disk */
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  g_assert_false (easel_video_write (clip, path, NULL, &error));
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &was), ==, 0);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_IO);
  g_test_message ("%s", error->message);
  g_assert_cmpint (folder_clear (dir), ==, 0);
}

/* Files cut short anywhere and with bits turned over: what can be read or a sentence, never more. Films are only cut:
 * on turned bits GStreamer 1.22's Matroska reader itself warns of what it takes for an element. */
static void
test_damaged (gconstpointer ending)
{
  g_autofree char *dir = folder_new (), *name = g_strconcat ("clip", ending, NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL), *bytes = NULL;
  g_autoptr (EaselPicture) clip = make_clip ();
  g_autoptr (GError) error = NULL;
  const gboolean film = strcmp (ending, ".webm") == 0;
  gsize size;

  if (!easel_video_can_write (path, NULL, NULL))
    {
      g_test_skip ("no encoder");
      g_rmdir (dir);
      return;
    }
  g_assert_true (easel_video_write (clip, path, NULL, &error));
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  srand (2);
  for (int i = 0; i < (film ? 6 : 60); i++)
    {
      g_autofree char *broken = g_memdup2 (bytes, size);
      const gboolean turn = !film && i % 2;
      const gsize length = turn ? size : 1 + (gsize) rand () % size;
      g_autoptr (EaselPicture) back = NULL;
      g_autoptr (GHashTable) texts = NULL;

      for (int j = 0; turn && j < 20; j++)
        broken[(gsize) rand () % size] ^= (char) (1 << rand () % 8);
      g_assert_true (g_file_set_contents (path, broken, (gssize) length, NULL));
      back = easel_video_read (path, 100, &error);
      g_assert_true (back || (error && error->message[0]));
      g_clear_error (&error);
      texts = easel_video_read_texts (path, &error);
      g_assert_true (texts || (error && error->message[0]));
      g_clear_error (&error);
    }
  g_assert_cmpint (folder_clear (dir), ==, 1);
}

static void
test_numbered (void)
{
  g_autofree char *dir = folder_new (), *path = g_build_filename (dir, "clip.png", NULL);
  g_autofree char *fifth = g_build_filename (dir, "clip-0005.png", NULL);
  g_autoptr (EaselPicture) clip = make_clip (), back = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (easel_video_write (clip, path, NULL, &error));
  back = easel_image_read (fifth, &error);
  g_assert_no_error (error);
  g_assert_true (memcmp (back->rgb, clip->rgb + (gsize) 4 * WIDTH * HEIGHT * 3, WIDTH * HEIGHT * 3) == 0);
  g_assert_true (easel_request_equal (back->request, clip->request));
  g_assert_cmpint (folder_clear (dir), ==, FRAMES);
}

static void
stop_halfway (double part, gpointer data)
{
  if (part >= 0.5)
    g_cancellable_cancel (data);
}

static void
test_stop (gconstpointer ending)
{
  g_autofree char *dir = folder_new (), *name = g_strconcat ("clip", ending, NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (EaselPicture) clip = make_clip ();
  g_autoptr (GCancellable) stop = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  const EaselVideoOptions options = { .cancellable = stop, .progress = stop_halfway, .user_data = stop };

  if (!easel_video_can_write (path, NULL, NULL))
    g_test_skip ("no encoder");
  else
    {
      g_assert_false (easel_video_write (clip, path, &options, &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_CANCELLED);
    }
  g_assert_cmpint (folder_clear (dir), ==, 0);
}

static void
test_refusals (void)
{
  g_autofree char *dir = folder_new (), *odd = g_build_filename (dir, "odd.mp4", NULL);
  g_autofree char *nowhere = g_build_filename (dir, "no", "clip.webp", NULL);
  g_autofree char *text = g_build_filename (dir, "text.mp4", NULL);
  g_autoptr (EaselPicture) clip = make_clip (), narrow = easel_picture_new (33, 32, 2, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (easel_video_can_write ("clip.avi", NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_assert_nonnull (strstr (error->message, ".webm"));
  g_clear_error (&error);
  g_assert_false (easel_video_can_write ("clip.webm", "h264", &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  g_assert_false (easel_video_can_write ("clip.webp", "vp9", &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  if (easel_video_can_write (odd, NULL, NULL))
    {
      g_assert_false (easel_video_write (narrow, odd, NULL, &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
      g_clear_error (&error);
    }
  g_assert_false (easel_video_write (clip, nowhere, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_IO);
  g_clear_error (&error);
  g_assert_null (easel_video_read (nowhere, 5, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_true (g_file_set_contents (text, "this is no film", -1, NULL));
  g_assert_null (easel_video_read (text, 5, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  g_assert_cmpint (folder_clear (dir), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/media/video/mp4-h264", ".mp4 h264", test_container);
  g_test_add_data_func ("/media/video/mp4-av1", ".mp4 av1", test_container);
  g_test_add_data_func ("/media/video/webm-vp9", ".webm vp9", test_container);
  g_test_add_data_func ("/media/video/webm-av1", ".webm av1", test_container);
  g_test_add_data_func ("/media/video/webp", ".webp", test_container);
  g_test_add_data_func ("/media/video/gif", ".gif", test_container);
  g_test_add_data_func ("/media/video/apng", ".apng", test_container);
  g_test_add_data_func ("/media/video/discover-mp4-h264", ".mp4 h264", test_discoverer);
  g_test_add_data_func ("/media/video/discover-mp4-av1", ".mp4 av1", test_discoverer);
  g_test_add_data_func ("/media/video/discover-webm-vp9", ".webm vp9", test_discoverer);
  g_test_add_data_func ("/media/video/discover-webm-av1", ".webm av1", test_discoverer);
  g_test_add_func ("/media/video/options", test_options);
  g_test_add_data_func ("/media/video/full-mp4", ".mp4", test_full);
  g_test_add_data_func ("/media/video/full-webm", ".webm", test_full);
  g_test_add_data_func ("/media/video/full-webp", ".webp", test_full);
  g_test_add_data_func ("/media/video/full-gif", ".gif", test_full);
  g_test_add_data_func ("/media/video/full-apng", ".apng", test_full);
  g_test_add_data_func ("/media/video/damaged-webm", ".webm", test_damaged);
  g_test_add_data_func ("/media/video/damaged-webp", ".webp", test_damaged);
  g_test_add_data_func ("/media/video/damaged-gif", ".gif", test_damaged);
  g_test_add_data_func ("/media/video/damaged-apng", ".apng", test_damaged);
  g_test_add_func ("/media/video/numbered", test_numbered);
  g_test_add_data_func ("/media/video/stop-webm", ".webm", test_stop);
  g_test_add_data_func ("/media/video/stop-webp", ".webp", test_stop);
  g_test_add_data_func ("/media/video/stop-gif", ".gif", test_stop);
  g_test_add_data_func ("/media/video/stop-apng", ".apng", test_stop);
  g_test_add_func ("/media/video/refusals", test_refusals);
  return g_test_run ();
}
