/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Copies of the gallery's files for elsewhere: as they are, without the settings inside, or in another format. Any
 * thread.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  const char *format;    /* "png", "jpg", "webp"; NULL: as the file is */
  int quality;           /* of JPEG and WebP, 1..100; 0: 92 */
  gboolean no_metadata;  /* leave prompt and settings out */
  gboolean overwrite;    /* FALSE: refuse an existing file */
} EaselExportOptions;

/* Writes a copy of `source` as `target`; options may be NULL. As it is and with its settings, the bytes are the same. A
 * clip keeps its container; without its settings it is encoded again. As easel_image_write() and easel_image_read();
 * BAD_REQUEST for a clip into a picture's format. On failure nothing is left behind. */
gboolean easel_gallery_export (const char *source, const char *target, const EaselExportOptions *options,
                               GCancellable *cancellable, GError **error);

/* A name for `source` in `folder` that is free: its own with the format's ending, and a number when that is taken.
 * Caller frees. */
char *easel_gallery_export_name (const char *source, const char *folder, const char *format);

G_END_DECLS
