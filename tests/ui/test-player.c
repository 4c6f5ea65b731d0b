/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The players of clips without a window: which frame is there after opening, seeking, stepping, playing and looping, by
 * what the frame's own pixels say; and that nothing is left of them. Films that cannot be written here are skipped.
 */
#include "ui/video/player.h"

#include <glib/gstdio.h>

#include "engine/media/video-file.h"
#include "tests/ui/numbered-clip.h"

#define N 25
#define RATE 10
#define PATIENCE (60 * G_USEC_PER_SEC) /* for busy machines */

typedef struct
{
  EaselPlayer *player;
  int shown;     /* frames that came on screen since it was set to 0 */
  int back;      /* how often a smaller number followed */
  int last;      /* the number that the last one says */
  gint64 gap, at; /* the longest time without a new frame, in microseconds */
} Eye;

static void
seen_cb (Eye *eye)
{
  g_autoptr (GdkPaintable) image = gdk_paintable_get_current_image (GDK_PAINTABLE (eye->player));
  const int number = numbered_clip_read (GDK_TEXTURE (image));
  const gint64 now = g_get_monotonic_time ();

  if (eye->shown > 0)
    eye->gap = MAX (eye->gap, now - eye->at);
  eye->back += number < eye->last;
  eye->last = number;
  eye->shown++;
  eye->at = now;
}

static gboolean
wake_cb (gpointer data G_GNUC_UNUSED)
{
  return G_SOURCE_CONTINUE;
}

#define UNTIL(condition)                                                                                               \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    const gint64 end = g_get_monotonic_time () + PATIENCE;                                                             \
    const guint tick = g_timeout_add (20, wake_cb, NULL);                                                              \
                                                                                                                       \
    while (!(condition) && g_get_monotonic_time () < end)                                                              \
      g_main_context_iteration (NULL, TRUE);                                                                           \
    g_source_remove (tick);                                                                                            \
    g_assert_true (condition);                                                                                         \
  }                                                                                                                    \
  G_STMT_END

static void
pass (int ms)
{
  const gint64 end = g_get_monotonic_time () + ms * 1000;
  const guint tick = g_timeout_add (20, wake_cb, NULL);

  while (g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (tick);
}

/* The player says that it is at `frame`, and the picture says the same. */
static gboolean
is_at (Eye *eye, int frame)
{
  return easel_player_get_frame (eye->player) == frame && eye->last == frame;
}

static void
run (EaselPlayer *player)
{
  Eye eye = { .player = player, .last = -1 };
  gpointer gone = player;

  g_object_add_weak_pointer (G_OBJECT (player), &gone);
  g_signal_connect_swapped (player, "invalidate-contents", G_CALLBACK (seen_cb), &eye);
  if (easel_player_get_ready (player))
    seen_cb (&eye);

  /* open: the first frame, everything known, standing still */
  UNTIL (easel_player_get_ready (player) && easel_player_get_n_frames (player) == N);
  UNTIL (is_at (&eye, 0));
  g_assert_cmpfloat_with_epsilon (easel_player_get_rate (player), RATE, 1e-3);
  g_assert_cmpint (gdk_paintable_get_intrinsic_width (GDK_PAINTABLE (player)), ==, 320);
  g_assert_null (easel_player_get_error (player));
  g_assert_false (easel_player_get_playing (player));

  /* every frame can be sought, in any order, and stepped to in both directions */
  for (int i = 0; i < N; i += 3)
    {
      const int frame = i * 7 % N;

      easel_player_seek (player, frame);
      UNTIL (is_at (&eye, frame));
    }
  easel_player_seek (player, 5);
  for (int i = 0; i < 3; i++)
    easel_player_step (player, 1);
  UNTIL (is_at (&eye, 8));
  easel_player_step (player, -1);
  UNTIL (is_at (&eye, 7));
  easel_player_seek (player, 0);
  easel_player_step (player, -1);
  UNTIL (is_at (&eye, N - 1));
  easel_player_step (player, 1);
  UNTIL (is_at (&eye, 0));
  for (int i = 0; i < N; i++) /* a slider that is dragged */
    easel_player_seek (player, i);
  UNTIL (is_at (&eye, N - 1));

  /* playing goes round, in order, without a pause between last and first */
  easel_player_seek (player, N - 8);
  UNTIL (is_at (&eye, N - 8));
  eye.shown = eye.back = 0;
  eye.gap = 0;
  easel_player_set_playing (player, TRUE);
  UNTIL (eye.back >= 2);
  easel_player_set_playing (player, FALSE);
  g_test_message ("%d frames on screen, longest gap %.0f ms of %d", eye.shown, eye.gap / 1e3, 1000 / RATE);
  pass (300);
  eye.shown = 0;
  pass (400);
  g_assert_cmpint (eye.shown, ==, 0);

  /* without looping it ends at the last frame, and plays again from the first */
  easel_player_set_loop (player, FALSE);
  easel_player_seek (player, N - 4);
  UNTIL (is_at (&eye, N - 4));
  easel_player_set_playing (player, TRUE);
  UNTIL (!easel_player_get_playing (player));
  UNTIL (is_at (&eye, N - 1));
  easel_player_step (player, 1);
  pass (200);
  g_assert_true (is_at (&eye, N - 1));
  eye.back = 0;
  easel_player_set_playing (player, TRUE);
  UNTIL (eye.back == 1 && eye.last > 1);

  g_signal_handlers_disconnect_by_data (player, &eye);
  g_object_unref (player);
  UNTIL (gone == NULL);
  pass (50); /* what was on its way to the main loop */
}

static void
test_memory (void)
{
  g_autoptr (EaselPicture) clip = numbered_clip_new (N, RATE), other = numbered_clip_new (N, RATE);
  EaselPlayer *player = easel_player_new_for_clip (clip);

  /* a preview that comes again: the same place, the new pixels */
  memset (other->rgb, 0, (gsize) 320 * 240 * 3 * N);
  easel_player_seek (player, 9);
  g_assert_true (easel_player_set_clip (player, other));
  g_assert_cmpint (easel_player_get_frame (player), ==, 9);
  {
    g_autoptr (GdkPaintable) image = gdk_paintable_get_current_image (GDK_PAINTABLE (player));

    g_assert_cmpint (numbered_clip_read (GDK_TEXTURE (image)), ==, 0);
  }
  g_assert_true (easel_player_set_clip (player, clip));
  easel_player_seek (player, 0);
  run (player);
  g_assert_true (g_atomic_ref_count_compare (&clip->refs, 1));
}

static void
test_file (gconstpointer ending)
{
  g_autofree char *dir = g_dir_make_tmp ("easel-player-XXXXXX", NULL), *name = g_strconcat ("clip", ending, NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (EaselPicture) clip = numbered_clip_new (N, RATE);
  g_autoptr (GError) error = NULL;

  if (!easel_video_can_write (path, NULL, &error))
    g_test_skip (error->message);
  else
    {
      g_assert_true (easel_video_write (clip, path, NULL, &error));
      g_assert_no_error (error);
      run (easel_player_new_for_file (path));
      g_remove (path);
    }
  g_rmdir (dir);
}

static void
test_refusals (void)
{
  g_autofree char *dir = g_dir_make_tmp ("easel-player-XXXXXX", NULL);
  const char *const names[] = { "none.mp4", "text.webm", "none.webp", NULL };

  for (int i = 0; names[i]; i++)
    {
      g_autofree char *path = g_build_filename (dir, names[i], NULL);
      g_autoptr (EaselPlayer) player = NULL;

      if (i == 1)
        g_assert_true (g_file_set_contents (path, "this is no film", -1, NULL));
      player = easel_player_new_for_file (path);
      easel_player_set_playing (player, TRUE);
      UNTIL (easel_player_get_error (player));
      g_test_message ("%s", easel_player_get_error (player));
      g_assert_false (easel_player_get_playing (player));
      g_assert_nonnull (strstr (easel_player_get_error (player), names[i]));
      g_remove (path);
    }
  /* closed while it opens */
  g_object_unref (easel_player_new_for_file ("/nowhere.mp4"));
  pass (300);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ui/player/memory", test_memory);
  g_test_add_data_func ("/ui/player/webm", ".webm", test_file);
  g_test_add_data_func ("/ui/player/mp4", ".mp4", test_file);
  g_test_add_data_func ("/ui/player/webp", ".webp", test_file);
  g_test_add_func ("/ui/player/refusals", test_refusals);
  return g_test_run ();
}
