/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The part of Exif that carries words: IFD0 points at the Exif IFD, which holds UserComment. Layout as in CIPA DC-008
 * (Exif 2.32), 4.6; big-endian, since the readers of the field expect UserComment's UTF-16 so.
 */
#include "engine/media/image-private.h"

#include <string.h>

#define TAG_EXIF_IFD 0x8769
#define TAG_EXIF_VERSION 0x9000
#define TAG_USER_COMMENT 0x9286
#define TAG_COLOR_SPACE 0xa001
#define TYPE_SHORT 3
#define TYPE_LONG 4
#define TYPE_UNDEFINED 7
#define CODE_SIZE 8 /* "UNICODE\0", "ASCII\0\0\0", … in front of the comment */

static void
put16 (GByteArray *out, guint value)
{
  guint8 bytes[2] = { (guint8) (value >> 8), (guint8) value };

  g_byte_array_append (out, bytes, 2);
}

static void
put32 (GByteArray *out, guint32 value)
{
  put16 (out, value >> 16);
  put16 (out, value & 0xffff);
}

static void
put_entry (GByteArray *out, guint tag, guint type, guint32 count, guint32 value)
{
  put16 (out, tag);
  put16 (out, type);
  put32 (out, count);
  put32 (out, value);
}

GBytes *
easel_exif_build (const char *parameters)
{
  GByteArray *out = g_byte_array_new ();
  glong n_units = 0;
  g_autofree gunichar2 *units = g_utf8_to_utf16 (parameters, -1, NULL, &n_units, NULL);

  g_byte_array_append (out, (const guint8 *) "MM\0*", 4);
  put32 (out, 8);
  /* IFD0, at 8: one entry of 12 bytes between the count and the next IFD's offset. */
  put16 (out, 1);
  put_entry (out, TAG_EXIF_IFD, TYPE_LONG, 1, 26);
  put32 (out, 0);
  /* Exif IFD, at 26; the comment follows at 26 + 2 + 3 * 12 + 4 = 68. */
  put16 (out, 3);
  put_entry (out, TAG_EXIF_VERSION, TYPE_UNDEFINED, 4, 0x30323332); /* "0232" */
  put_entry (out, TAG_USER_COMMENT, TYPE_UNDEFINED, (guint32) (CODE_SIZE + 2 * n_units), 68);
  put_entry (out, TAG_COLOR_SPACE, TYPE_SHORT, 1, 1u << 16); /* sRGB */
  put32 (out, 0);
  g_byte_array_append (out, (const guint8 *) "UNICODE", CODE_SIZE);
  for (glong i = 0; i < n_units; i++)
    put16 (out, units[i]);
  return g_byte_array_free_to_bytes (out);
}

typedef struct
{
  const guint8 *data;
  gsize size;
  gboolean big;
} Tiff;

static guint
get16 (const Tiff *tiff, gsize at)
{
  const guint8 *p = tiff->data + at;

  return tiff->big ? (guint) p[0] << 8 | p[1] : (guint) p[1] << 8 | p[0];
}

static guint32
get32 (const Tiff *tiff, gsize at)
{
  guint32 a = get16 (tiff, at), b = get16 (tiff, at + 2);

  return tiff->big ? a << 16 | b : b << 16 | a;
}

/* Where in the file the entry `tag` of the IFD at `ifd` lies, or 0. */
static gsize
find_entry (const Tiff *tiff, gsize ifd, guint tag)
{
  guint n;

  if (ifd > tiff->size || tiff->size - ifd < 2)
    return 0;
  n = get16 (tiff, ifd);
  for (gsize i = 0, at = ifd + 2; i < n && at <= tiff->size && tiff->size - at >= 12; i++, at += 12)
    if (get16 (tiff, at) == tag)
      return at;
  return 0;
}

/* UTF-16 whose byte order nobody says for sure: a mark decides, else the order in which more units are of the first
 * 256 (spaces, commas and digits occur in every language's parameters), else the file's. */
static char *
decode_utf16 (const guint8 *data, gsize size, gboolean file_big)
{
  gsize n = size / 2, low_big = 0, low_little = 0;
  gboolean big = file_big;
  g_autofree gunichar2 *units = NULL;

  if (n > 0 && ((data[0] == 0xfe && data[1] == 0xff) || (data[0] == 0xff && data[1] == 0xfe)))
    {
      big = data[0] == 0xfe;
      data += 2;
      n--;
    }
  else
    {
      for (gsize i = 0; i < n; i++)
        {
          low_big += data[2 * i] == 0 && data[2 * i + 1] != 0;
          low_little += data[2 * i + 1] == 0 && data[2 * i] != 0;
        }
      if (low_big != low_little)
        big = low_big > low_little;
    }
  units = g_new (gunichar2, n + 1);
  for (gsize i = 0; i < n; i++)
    units[i] = (gunichar2) (big ? data[2 * i] << 8 | data[2 * i + 1] : data[2 * i + 1] << 8 | data[2 * i]);
  while (n > 0 && units[n - 1] == 0)
    n--;
  return g_utf16_to_utf8 (units, (glong) n, NULL, NULL, NULL);
}

static char *
decode_bytes (const guint8 *data, gsize size)
{
  while (size > 0 && (data[size - 1] == 0 || data[size - 1] == ' '))
    size--;
  if (memchr (data, 0, size) != NULL)
    return NULL;
  if (g_utf8_validate ((const char *) data, (gssize) size, NULL))
    return g_strndup ((const char *) data, size);
  return g_convert ((const char *) data, (gssize) size, "UTF-8", "ISO-8859-1", NULL, NULL, NULL);
}

char *
easel_exif_parse (const guint8 *data, gsize size)
{
  Tiff tiff;
  gsize entry, offset, count;

  if (size >= 6 && memcmp (data, "Exif\0", 6) == 0)
    {
      data += 6;
      size -= 6;
    }
  if (size < 8 || size > G_MAXINT32)
    return NULL;
  tiff = (Tiff){ .data = data, .size = size, .big = data[0] == 'M' };
  if ((memcmp (data, "MM", 2) != 0 && memcmp (data, "II", 2) != 0) || get16 (&tiff, 2) != 42)
    return NULL;
  entry = find_entry (&tiff, get32 (&tiff, 4), TAG_EXIF_IFD);
  entry = entry ? find_entry (&tiff, get32 (&tiff, entry + 8), TAG_USER_COMMENT) : 0;
  if (entry == 0)
    return NULL;
  count = get32 (&tiff, entry + 4);
  offset = get32 (&tiff, entry + 8);
  if (count < CODE_SIZE || count > EASEL_IMAGE_MAX_TEXT || offset > size || count > size - offset)
    return NULL;
  data += offset;
  if (memcmp (data, "UNICODE", CODE_SIZE) == 0)
    return decode_utf16 (data + CODE_SIZE, count - CODE_SIZE, tiff.big);
  if (memcmp (data, "ASCII\0\0", CODE_SIZE) == 0 || memcmp (data, "\0\0\0\0\0\0\0", CODE_SIZE) == 0)
    return decode_bytes (data + CODE_SIZE, count - CODE_SIZE);
  return NULL;
}
