/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clips as files: every container that can be written here, read back with its request, its size and its rate;
 * refusals; stopping; nothing left behind.
 */
#include "engine/media/video-file.h"
#include "engine/media/image-file.h"

#include <glib/gstdio.h>
#include <string.h>

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
  g_autoptr (GError) error = NULL;
  EaselVideoOptions options = { .codec = parts[1], .quality = 90 };

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
  if (strcmp (parts[0], ".webp") != 0)
    {
      back = easel_video_read (path, 100, &error);
      if (!back && strstr (error->message, "missing"))
        g_test_message ("no decoder here: %s", error->message);
      else
        {
          g_assert_no_error (error);
          g_assert_cmpint (back->width, ==, WIDTH);
          g_assert_cmpint (back->height, ==, HEIGHT);
          g_assert_cmpint (back->n_frames, ==, FRAMES);
          g_assert_cmpfloat_with_epsilon (back->fps, 8, 0.01);
          g_assert_cmpfloat (mean_difference (clip, back), <, 8);
        }
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
  g_test_add_func ("/media/video/numbered", test_numbered);
  g_test_add_data_func ("/media/video/stop-webm", ".webm", test_stop);
  g_test_add_data_func ("/media/video/stop-webp", ".webp", test_stop);
  g_test_add_func ("/media/video/refusals", test_refusals);
  return g_test_run ();
}
