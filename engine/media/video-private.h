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
/* Upper or lower case. */
gboolean easel_video_ends_with (const char *path, const char *ending);
double easel_video_fps (const EaselPicture *clip);
/* Tells how far it is; FALSE with CANCELLED. */
gboolean easel_video_go_on (const EaselVideoOptions *options, double part, GError **error);

/* An encoder for `codec` (NULL: the usual) that is installed: name of the element and what parses its output (static).
 * UNSUPPORTED names the packages. */
gboolean easel_video_gst_find (const EaselVideoContainer *container, const char *codec, const char **encoder,
                               const char **parser, GError **error);
gboolean easel_video_gst_write (EaselPicture *clip, const char *path, const EaselVideoContainer *container,
                                const EaselVideoOptions *options, const EaselImageTexts *texts, GError **error);
EaselPicture *easel_video_gst_read (const char *path, int max_frames, GError **error);
GHashTable *easel_video_gst_read_texts (const char *path, GError **error);

/* Pictures of an animation that is being read. */
typedef struct
{
  const char *path;   /* borrowed, for errors */
  int width, height;
  guint n;
  GPtrArray *frames;  /* [height, width, 3] */
  GArray *times;      /* of int, milliseconds */
} EaselVideoFrames;
/* Path borrowed. DAMAGED. */
gboolean easel_video_frames_init (EaselVideoFrames *self, const char *path, int width, int height, GError **error);
void easel_video_frames_clear (EaselVideoFrames *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EaselVideoFrames, easel_video_frames_clear)
/* rgba: [height, width, 4], shown for `ms`; put on black. NO_MEMORY. */
gboolean easel_video_frames_add (EaselVideoFrames *self, const guint8 *rgba, int ms, GError **error);
/* A clip at the rate of the shortest time, where a frame that stays longer comes several times. */
EaselPicture *easel_video_frames_finish (EaselVideoFrames *self, int max_frames, GError **error);

gboolean easel_video_webp_write (EaselPicture *clip, const char *path, const EaselVideoOptions *options,
                                 const EaselImageTexts *texts, GError **error);
EaselPicture *easel_video_webp_read (const char *path, int max_frames, GError **error);
gboolean easel_video_gif_write (EaselPicture *clip, const char *path, const EaselVideoOptions *options,
                                const EaselImageTexts *texts, GError **error);
EaselPicture *easel_video_gif_read (const char *path, int max_frames, GError **error);
GHashTable *easel_video_gif_read_texts (const char *path, GError **error);
gboolean easel_video_apng_write (EaselPicture *clip, const char *path, const EaselVideoOptions *options,
                                 const EaselImageTexts *texts, GError **error);
EaselPicture *easel_video_apng_read (const char *path, int max_frames, GError **error);

G_END_DECLS
