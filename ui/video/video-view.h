/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselVideoView: a clip with its controls: play, loop, seek, step by frame; Space, comma and full stop, L. Plays only
 * while it is shown, and starts by itself unless animations are switched off in the system.
 */
#pragma once

#include <gtk/gtk.h>

#include "ui/video/player.h"

G_BEGIN_DECLS

#define EASEL_TYPE_VIDEO_VIEW (easel_video_view_get_type ())
G_DECLARE_FINAL_TYPE (EaselVideoView, easel_video_view, EASEL, VIDEO_VIEW, GtkWidget)

GtkWidget *easel_video_view_new (void);

/* Shows the film or animation at `path`; the same path again opens it anew. NULL: nothing. */
void easel_video_view_set_file (EaselVideoView *self, const char *path);
/* Shows frames in memory, kept alive and not copied. When frames in memory are shown already it goes on from the same
 * frame: a moving preview is set again after every step. NULL: nothing. */
void easel_video_view_set_clip (EaselVideoView *self, EaselPicture *clip);

/* The player, for what the view does not offer; borrowed; NULL when nothing is shown. */
EaselPlayer *easel_video_view_get_player (EaselVideoView *self);

/* What a screen reader says of the picture: the prompt. NULL: "Clip". */
void easel_video_view_set_description (EaselVideoView *self, const char *description);
/* Whether the row of controls is there (TRUE). A preview goes without. */
void easel_video_view_set_controls (EaselVideoView *self, gboolean controls);

G_END_DECLS
