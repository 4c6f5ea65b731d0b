/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pictures as files: PNG, JPEG, WebP, chosen by the file's ending. The full request travels inside: PNG tEXt/iTXt
 * "parameters" (the line other tools read) and "easel" (JSON); JPEG and WebP: Exif UserComment and XMP. Nothing about
 * the person's machine is written. Files appear whole or not at all: temporary name in the same folder, fsync, rename.
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

/* Writes frame 0. BAD_REQUEST (unknown ending: lists the known), IO (says the folder and the system's reason). */
gboolean easel_image_write (EaselPicture *picture, const char *path, const EaselImageOptions *options, GError **error);

/* Reads pixels (8-bit RGB) and, when inside, the request. DAMAGED, UNSUPPORTED, NOT_FOUND. Hostile input. */
EaselPicture *easel_image_read (const char *path, GError **error);

/* Only the texts, char* to char*: PNG text chunks; for JPEG and WebP "parameters" and "easel". */
GHashTable *easel_image_read_texts (const char *path, GError **error);
GHashTable *easel_image_parse_texts (const void *data, gsize size, const char *where, GError **error);
/* The request inside, from "easel" JSON or else from "parameters"; NOT_FOUND when there is neither. */
EaselRequest *easel_image_read_request (const char *path, GError **error);

G_END_DECLS
