/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gdk/gdk.h>

#include "engine/core/picture.h"

G_BEGIN_DECLS

/* A texture of frame 0; keeps the picture alive, copies nothing. */
GdkTexture *easel_picture_to_texture (EaselPicture *picture);

/* The phase in a person's words, for beside a progress bar. */
const char *easel_phase_words (int phase);
/* "3 s left", "2 min left"; "" when unknown. Caller frees. */
char *easel_time_left_words (double seconds);
/* "about 4 seconds", "about 12 minutes", "about 3 hours"; "" below 0. Caller frees. */
char *easel_duration_words (double seconds);

G_END_DECLS
