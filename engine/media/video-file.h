/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clips as files, chosen by the file's ending: .mp4 and .webm through GStreamer, .gif, .webp and .apng as animations,
 * .png as numbered pictures (name-0001.png, …). The full request travels inside all of them, as for pictures: the
 * line other tools read is the comment of MP4, WebM and GIF; the JSON is the description of MP4, a second part of the
 * comment of WebM and an application block of GIF. Files appear whole or not at all. Any thread.
 */
#pragma once

#include <gio/gio.h>

#include "engine/core/picture.h"

G_BEGIN_DECLS

typedef struct
{
  int quality;           /* 1..100; 0: 80 */
  const char *codec;     /* "h264", "av1", "vp9"; NULL: the container's usual one */
  gboolean no_metadata;  /* leave the request out */
  gboolean overwrite;    /* FALSE: refuse an existing file */
  int bitrate;           /* bits a second of a film, in place of quality; 0: by quality */
  int loops;             /* animations: how often, 0 for ever */
  GCancellable *cancellable;
  void (*progress) (double part, gpointer user_data); /* 0..1, on the calling thread; NULL: nobody asks */
  gpointer user_data;
} EaselVideoOptions;

/* Whether the ending of `path` says that it is a clip (.webp and .png do not: pictures have them too). */
gboolean easel_video_is_container (const char *path);
/* Whether the ending is one of those that need no GStreamer and are read as a whole: .gif, .webp, .apng. */
gboolean easel_video_is_animation (const char *path);

/* Whether the file moves: by its ending, and a .webp by its first bytes. FALSE where it cannot be read. */
gboolean easel_video_moves (const char *path);

/* Whether a clip can be written to `path`: BAD_REQUEST lists the known endings and codecs, UNSUPPORTED names the
 * encoder that is missing and the package that has it. To check before the work. */
gboolean easel_video_can_write (const char *path, const char *codec, GError **error);

/* The same, and BAD_REQUEST for options that this kind of file cannot have. */
gboolean easel_video_can_write_so (const char *path, const EaselVideoOptions *options, GError **error);

/* Writes all frames at clip->fps (8 when it has none). options may be NULL. As
 * easel_video_can_write_so(), and IO, NO_MEMORY, CANCELLED. On failure nothing is left behind and an
 * existing file is as it was (numbered pictures that are already written stay). */
gboolean easel_video_write (EaselPicture *clip, const char *path, const EaselVideoOptions *options, GError **error);

/* The first frames of a clip (at most max_frames), 8-bit RGB, with its rate. NOT_FOUND, DAMAGED, UNSUPPORTED (names
 * what GStreamer misses), NO_MEMORY. Hostile input as far as GStreamer's decoders are. */
EaselPicture *easel_video_read (const char *path, int max_frames, GError **error);

/* The texts inside: "parameters", "easel". Hash of char * to char *, caller unrefs. NOT_FOUND, DAMAGED. */
GHashTable *easel_video_read_texts (const char *path, GError **error);
/* The request inside; NOT_FOUND when there is none. */
EaselRequest *easel_video_read_request (const char *path, GError **error);

G_END_DECLS
