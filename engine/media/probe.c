/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The size of a picture from the beginning of its file, for scanning folders: no pixel is decoded.
 */
#include "engine/media/image-file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <webp/decode.h>

#define HEAD_BYTES (256u << 10) /* a JPEG's size comes after its Exif and profile */

static guint
be16 (const guint8 *p)
{
  return (guint) p[0] << 8 | p[1];
}

static gboolean
probe_png (const guint8 *p, gsize n, int *width, int *height)
{
  guint32 w, h;

  if (n < 24 || memcmp (p, "\x89PNG\r\n\x1a\n", 8) != 0 || memcmp (p + 12, "IHDR", 4) != 0)
    return FALSE;
  w = (guint32) be16 (p + 16) << 16 | be16 (p + 18);
  h = (guint32) be16 (p + 20) << 16 | be16 (p + 22);
  if (w > G_MAXINT || h > G_MAXINT)
    return FALSE;
  *width = (int) w;
  *height = (int) h;
  return TRUE;
}

/* Walks the segments to the first start of frame (SOF0…SOF15 but DHT, JPG, DAC). */
static gboolean
probe_jpeg (const guint8 *p, gsize n, int *width, int *height)
{
  gsize at = 2;

  if (n < 4 || p[0] != 0xff || p[1] != 0xd8)
    return FALSE;
  while (at + 9 < n)
    {
      guint8 marker = p[at + 1];

      if (p[at] != 0xff)
        return FALSE;
      if (marker == 0xff) /* fill byte */
        {
          at++;
          continue;
        }
      if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc)
        {
          *height = (int) be16 (p + at + 5);
          *width = (int) be16 (p + at + 7);
          return TRUE;
        }
      at += 2 + be16 (p + at + 2);
    }
  return FALSE;
}

gboolean
easel_image_probe (const char *path, int *width, int *height, GError **error)
{
  g_autofree guint8 *head = g_malloc (HEAD_BYTES);
  FILE *file = fopen (path, "rbe");
  int w = 0, h = 0;
  gsize n;

  if (!file)
    {
      g_set_error (error, EASEL_ERROR, errno == ENOENT ? EASEL_ERROR_NOT_FOUND : EASEL_ERROR_IO,
                   "%s cannot be opened: %s.", path, g_strerror (errno));
      return FALSE;
    }
  n = fread (head, 1, HEAD_BYTES, file);
  fclose (file);
  if ((!probe_png (head, n, &w, &h) && !probe_jpeg (head, n, &w, &h) && !WebPGetInfo (head, n, &w, &h)) || w < 1 ||
      h < 1)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is not a PNG, JPEG or WebP picture, or is damaged.",
                   path);
      return FALSE;
    }
  *width = w;
  *height = h;
  return TRUE;
}
