/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the two kinds of players are made of, private to this room.
 */
#pragma once

#include "ui/video/player.h"

G_BEGIN_DECLS

struct _EaselPlayerClass
{
  GObjectClass parent_class;

  void (*play) (EaselPlayer *self, gboolean playing);
  void (*seek) (EaselPlayer *self, int frame);
  void (*loop) (EaselPlayer *self, gboolean loop);
};

/* What is played, as far as it is known: called again when more is. `height` with square pixels. */
void easel_player_describe (EaselPlayer *self, double width, double height, int n_frames, double rate);
/* Puts `texture` (borrowed) on screen as `frame`. */
void easel_player_present (EaselPlayer *self, GdkTexture *texture, int frame);
/* The last frame was shown and it does not loop. */
void easel_player_ended (EaselPlayer *self);
/* Takes the sentence. */
void easel_player_fail (EaselPlayer *self, char *sentence);

#define EASEL_TYPE_FILE_PLAYER (easel_file_player_get_type ())
G_DECLARE_FINAL_TYPE (EaselFilePlayer, easel_file_player, EASEL, FILE_PLAYER, EaselPlayer)
EaselPlayer *easel_file_player_new (const char *path);

#define EASEL_TYPE_FRAMES_PLAYER (easel_frames_player_get_type ())
G_DECLARE_FINAL_TYPE (EaselFramesPlayer, easel_frames_player, EASEL, FRAMES_PLAYER, EaselPlayer)
/* clip: or NULL, to be set. path: or NULL, an animation that is read as a whole. */
EaselPlayer *easel_frames_player_new (EaselPicture *clip, const char *path);
void easel_frames_player_set_clip (EaselFramesPlayer *self, EaselPicture *clip);

G_END_DECLS
