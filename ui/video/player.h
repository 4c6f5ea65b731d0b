/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselPlayer: a moving paintable. Two kinds with the same behaviour: frames in memory, shown by a clock without any
 * decoding, and a film file, played by GStreamer. Both loop without a gap, seek to the exact frame and step.
 *
 * Properties, all notified only on change: playing (rw), loop (rw, TRUE), frame (the one on screen, 0 …), n-frames (0
 * until known), rate (frames a second, 0 until known), ready (there is a first frame), error (a sentence, or NULL).
 * Main thread only. What takes long (starting GStreamer, reading a file) happens in a thread of its own.
 */
#pragma once

#include <gdk/gdk.h>

#include "engine/core/picture.h"

G_BEGIN_DECLS

#define EASEL_TYPE_PLAYER (easel_player_get_type ())
G_DECLARE_DERIVABLE_TYPE (EaselPlayer, easel_player, EASEL, PLAYER, GObject)

/* Opens `path`, paused at its first frame, which is there when `ready` is. Never fails: see `error`. Caller unrefs. */
EaselPlayer *easel_player_new_for_file (const char *path);
/* Plays `clip` (kept alive, not copied), at 8 frames a second when it has no rate of its own. Caller unrefs. */
EaselPlayer *easel_player_new_for_clip (EaselPicture *clip);

/* For a player of frames in memory: goes on with `clip`, at the same frame when it has as many, so that the preview of
 * a clip in the making moves on. FALSE: this is another kind of player. */
gboolean easel_player_set_clip (EaselPlayer *self, EaselPicture *clip);

gboolean easel_player_get_playing (EaselPlayer *self);
/* Playing on from the last frame starts at the first. */
void easel_player_set_playing (EaselPlayer *self, gboolean playing);
gboolean easel_player_get_loop (EaselPlayer *self);
void easel_player_set_loop (EaselPlayer *self, gboolean loop);

/* Shows `frame` (clamped). Of many calls in a row the last one counts: to be called while a slider moves. */
void easel_player_seek (EaselPlayer *self, int frame);
/* Pauses and moves by n frames, around the ends when it loops. */
void easel_player_step (EaselPlayer *self, int n);

int easel_player_get_frame (EaselPlayer *self);
int easel_player_get_n_frames (EaselPlayer *self);
double easel_player_get_rate (EaselPlayer *self);
gboolean easel_player_get_ready (EaselPlayer *self);
const char *easel_player_get_error (EaselPlayer *self);

G_END_DECLS
