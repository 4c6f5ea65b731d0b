/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * video-window ENDING|frames|PATH: a window with EaselVideoView alone, for test_video.py. With an ending (".webm") it
 * writes a numbered clip and plays that file; with "frames" it plays the same clip from memory. The label "Seen" has
 * the number that the pixels on screen say. At the end it says what is still alive.
 */
#include <adwaita.h>

#include <glib/gstdio.h>

#include "engine/media/video-file.h"
#include "tests/ui/numbered-clip.h"
#include "ui/video/video-view.h"

#define N 33
#define RATE 16

static const char *source;
static char *file, *folder;
static GtkLabel *seen;
static EaselVideoView *view;
static EaselPlayer *player;

static void
frame_cb (EaselPlayer *from)
{
  g_autoptr (GdkPaintable) image = gdk_paintable_get_current_image (GDK_PAINTABLE (from));
  g_autofree char *text = NULL;

  if (!GDK_IS_TEXTURE (image))
    return;
  text = g_strdup_printf ("Seen %d", numbered_clip_read (GDK_TEXTURE (image)));
  gtk_label_set_label (seen, text);
}

static void
show_clip (void)
{
  g_autoptr (EaselPicture) clip = numbered_clip_new (N, RATE);
  g_autoptr (GError) error = NULL;

  if (g_str_equal (source, "frames"))
    easel_video_view_set_clip (view, clip);
  else if (source[0] == '.')
    {
      folder = g_dir_make_tmp ("easel-window-XXXXXX", NULL);
      file = g_strconcat (folder, "/clip", source, NULL);
      if (!easel_video_write (clip, file, NULL, &error))
        {
          g_print ("SKIP: %s\n", error->message);
          g_application_quit (g_application_get_default ());
          return;
        }
      easel_video_view_set_file (view, file);
    }
  else
    easel_video_view_set_file (view, source);
  player = easel_video_view_get_player (view);
  g_signal_connect (player, "invalidate-contents", G_CALLBACK (frame_cb), NULL);
  frame_cb (player);
}

static void
quit_cb (GSimpleAction *action G_GNUC_UNUSED, GVariant *parameter G_GNUC_UNUSED, gpointer app)
{
  GtkWindow *window = gtk_application_get_active_window (app);

  if (window)
    gtk_window_destroy (window);
}

static void
activate_cb (GtkApplication *app)
{
  GtkWidget *window = adw_application_window_new (app), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);

  seen = GTK_LABEL (gtk_label_new ("Seen nothing"));
  view = EASEL_VIDEO_VIEW (easel_video_view_new ());
  easel_video_view_set_description (view, "a ball that rolls");
  show_clip ();
  g_object_add_weak_pointer (G_OBJECT (view), (gpointer *) &view);
  g_object_add_weak_pointer (G_OBJECT (player), (gpointer *) &player);
  gtk_box_append (GTK_BOX (box), adw_header_bar_new ());
  gtk_widget_set_vexpand (GTK_WIDGET (view), TRUE);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (view));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (seen));
  adw_application_window_set_content (ADW_APPLICATION_WINDOW (window), box);
  gtk_window_set_title (GTK_WINDOW (window), "Clip");
  gtk_window_set_default_size (GTK_WINDOW (window), 420, 460);
  gtk_window_present (GTK_WINDOW (window));
}

int
main (int argc, char **argv)
{
  g_autoptr (AdwApplication) app = adw_application_new ("io.github.easelstudio.Easel.VideoWindow",
                                                        G_APPLICATION_NON_UNIQUE);
  const GActionEntry quit = { "quit", quit_cb };
  int status;

  source = argc > 1 ? argv[1] : "frames";
  g_signal_connect (app, "activate", G_CALLBACK (activate_cb), NULL);
  g_action_map_add_action_entries (G_ACTION_MAP (app), &quit, 1, app);
  gtk_application_set_accels_for_action (GTK_APPLICATION (app), "app.quit",
                                         (const char *const[]){ "<Control>q", NULL });
  status = g_application_run (G_APPLICATION (app), 1, argv);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_print ("%s\n", view || player ? "LEFT: a view or a player is still alive" : "all finalised");
  if (file)
    g_remove (file);
  if (folder)
    g_rmdir (folder);
  g_free (file);
  g_free (folder);
  return status;
}
