/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the two files of clips share, private to this room.
 */
#pragma once

#include "engine/media/image-private.h"
#include "engine/media/video-file.h"

G_BEGIN_DECLS

typedef struct
{
  const char *ending, *muxer, *package; /* package: where Debian has the muxer */
  const char *codecs[3];                /* the first is the usual one */
} EaselVideoContainer;

const EaselVideoContainer *easel_video_container_find (const char *path);
double easel_video_fps (const EaselPicture *clip);
/* Tells how far it is; FALSE with CANCELLED. */
gboolean easel_video_go_on (const EaselVideoOptions *options, double part, GError **error);

/* An encoder for `codec` (NULL: the usual) that is installed: name of the element and what parses its output (static).
 * UNSUPPORTED names the packages. */
gboolean easel_video_gst_find (const EaselVideoContainer *container, const char *codec, const char **encoder,
                               const char **parser, GError **error);
gboolean easel_video_gst_write (EaselPicture *clip, const char *path, const EaselVideoContainer *container,
                                const EaselVideoOptions *options, const EaselImageTexts *texts, GError **error);

G_END_DECLS
