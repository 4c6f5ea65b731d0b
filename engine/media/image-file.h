/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pictures as files: PNG, JPEG, WebP, chosen by the file's ending when writing, by their first bytes when reading.
 * The full request travels inside: PNG tEXt/iTXt "parameters" (the line other tools read) and "easel" (JSON); JPEG and
 * WebP: Exif UserComment (the same line) and XMP (the same JSON). Nothing about the person's machine is written. Files
 * appear whole or not at all (atomic-file.h). Any thread.
 */
#pragma once

#include "engine/core/picture.h"

G_BEGIN_DECLS

typedef struct
{
  int quality;           /* JPEG, WebP: 1..100; 0: 92. WebP 100: lossless */
  gboolean no_metadata;  /* leave the request out */
  gboolean overwrite;    /* FALSE: refuse an existing file */
} EaselImageOptions;

/* Whether the ending of `path` names a format; else BAD_REQUEST, which lists the known. To check before the work. */
gboolean easel_image_can_write (const char *path, GError **error);

/* Writes frame 0. options may be NULL. BAD_REQUEST (unknown ending: lists the known; a size the format cannot hold), IO
 * (says the folder and the system's reason). On failure nothing is left behind and an existing file is as it was. */
gboolean easel_image_write (EaselPicture *picture, const char *path, const EaselImageOptions *options, GError **error);

/* Reads pixels (8-bit RGB) and, when inside, the request. DAMAGED, UNSUPPORTED, NOT_FOUND. Hostile input. */
EaselPicture *easel_image_read (const char *path, GError **error);

/* The size alone, from the file's beginning. DAMAGED, NOT_FOUND, IO. Hostile input. */
gboolean easel_image_probe (const char *path, int *width, int *height, GError **error);

/* Only the texts: keys and values (PNG text chunks; for JPEG and WebP "parameters", "easel"). Hash of char * to
 * char *, caller unrefs. */
GHashTable *easel_image_read_texts (const char *path, GError **error);
GHashTable *easel_image_parse_texts (const void *data, gsize size, const char *where, GError **error);
/* The request inside, from "easel" JSON or else from "parameters"; NOT_FOUND when there is neither. */
EaselRequest *easel_image_read_request (const char *path, GError **error);

G_END_DECLS
