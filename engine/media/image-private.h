/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the three formats share: one table entry each, bounds for hostile files, the texts that travel inside.
 */
#pragma once

#include "engine/media/atomic-file.h"
#include "engine/media/image-file.h"

G_BEGIN_DECLS

/* Bounds of what is read. Pictures made by Easel stay far below. */
#define EASEL_IMAGE_MAX_SIDE 32768
#define EASEL_IMAGE_MAX_PIXELS (G_GINT64_CONSTANT (1) << 27)
#define EASEL_IMAGE_MAX_FILE (1u << 30)
#define EASEL_IMAGE_MAX_TEXT (2u << 20)      /* bytes of one text */
#define EASEL_IMAGE_MAX_TEXTS (16u << 20)    /* bytes of all texts of a file */

/* UTF-8; NULL: leave it out. */
typedef struct
{
  const char *parameters; /* the line other tools read */
  const char *json;       /* the complete request */
} EaselImageTexts;

typedef struct
{
  const char *name;             /* "PNG" */
  const char *const *endings;   /* without the dot, lower case; the first is the usual one */
  int max_side;                 /* the format holds no more */
  gboolean (*recognise) (const guint8 *data, gsize size);
  gboolean (*write) (const EaselPicture *picture, const EaselImageTexts *texts, int quality, EaselAtomicFile *file,
                     GError **error);
  /* `where` names the file in errors. */
  EaselPicture *(*read) (const guint8 *data, gsize size, const char *where, GError **error);
  gboolean (*read_texts) (const guint8 *data, gsize size, const char *where, GHashTable *texts, GError **error);
} EaselImageFormat;

extern const EaselImageFormat easel_image_png, easel_image_jpeg, easel_image_webp;

/* DAMAGED unless width and height are within the bounds; then a new picture. */
EaselPicture *easel_image_new_picture (gint64 width, gint64 height, const char *where, GError **error);

/* Adds a text unless the key is there already, the text is no UTF-8, or the bounds are reached. `value` need not end
 * in NUL. */
void easel_image_add_text (GHashTable *texts, const char *key, const char *value, gsize length);

/* Exif, as a TIFF structure without the "Exif\0\0" in front: UserComment holds `parameters` as UTF-16 ("UNICODE"), the
 * way other tools write it; ColorSpace says sRGB. Never fails; caller unrefs. */
GBytes *easel_exif_build (const char *parameters);
/* The UserComment of such a structure (either byte order, with or without "Exif\0\0"), or NULL. Hostile input. */
char *easel_exif_parse (const guint8 *data, gsize size);

/* An XMP packet with easel:request (JSON) and, unless NULL, easel:parameters. Caller frees. */
char *easel_xmp_build (const EaselImageTexts *texts);
/* The short packet that points at an extended one (JPEG segments hold 64 KiB). */
char *easel_xmp_build_pointer (const char *digest);
/* Adds what a packet holds to `texts`: "easel", "parameters"; the digest of an extended packet under
 * EASEL_XMP_EXTENDED. Hostile input: whatever it cannot read is left out. */
#define EASEL_XMP_EXTENDED "xmpNote:HasExtendedXMP"
void easel_xmp_parse (const guint8 *data, gsize size, GHashTable *texts);

G_END_DECLS
