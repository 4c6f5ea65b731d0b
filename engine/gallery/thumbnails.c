/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Thumbnails after the freedesktop.org Thumbnail Managing Standard: shared with file managers, made once.
 */
#include "engine/gallery/gallery-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <png.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/media/atomic-file.h"
#include "engine/media/image-file.h"

/* Box filter: every source pixel counts once. [height, width, 3] to fit into size x size; never enlarged. */
static guint8 *
shrink (EaselPicture *picture, int size, int *width, int *height)
{
  double scale = MIN (1.0, (double) size / MAX (picture->width, picture->height));
  int w = MAX (1, (int) (picture->width * scale + 0.5)), h = MAX (1, (int) (picture->height * scale + 0.5));
  guint8 *out = g_malloc ((gsize) w * h * 3); /* at most 512 x 512 */

  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      {
        int y0 = (int) ((gint64) y * picture->height / h), y1 = (int) ((gint64) (y + 1) * picture->height / h);
        int x0 = (int) ((gint64) x * picture->width / w), x1 = (int) ((gint64) (x + 1) * picture->width / w);
        guint64 sum[3] = { 0 }, n = (guint64) (y1 - y0) * (x1 - x0);

        for (int sy = y0; sy < y1; sy++)
          for (int sx = x0; sx < x1; sx++)
            for (int c = 0; c < 3; c++)
              sum[c] += picture->rgb[((gsize) sy * picture->width + sx) * 3 + c];
        for (int c = 0; c < 3; c++)
          out[((gsize) y * w + x) * 3 + c] = (guint8) ((sum[c] + n / 2) / n);
      }
  *width = w;
  *height = h;
  return out;
}

static void
append_png (png_structp png, png_bytep data, png_size_t n)
{
  g_byte_array_append (png_get_io_ptr (png), data, n);
}

static void
flush_png (png_structp png)
{
}

/* A PNG with the standard's keys. NULL when libpng gives up (it has no memory). */
static GByteArray *
encode (const guint8 *rgb, int width, int height, const char *uri, gint64 mtime)
{
  g_autofree char *seconds = g_strdup_printf ("%" G_GINT64_FORMAT, mtime);
  png_text texts[] = {
    { .compression = PNG_TEXT_COMPRESSION_NONE, .key = (char *) "Thumb::URI", .text = (char *) uri },
    { .compression = PNG_TEXT_COMPRESSION_NONE, .key = (char *) "Thumb::MTime", .text = seconds },
    { .compression = PNG_TEXT_COMPRESSION_NONE, .key = (char *) "Software", .text = (char *) "Easel" },
  };
  GByteArray *bytes = g_byte_array_new ();
  png_structp png = png_create_write_struct (PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png ? png_create_info_struct (png) : NULL;

  if (!info || setjmp (png_jmpbuf (png)))
    {
      png_destroy_write_struct (&png, &info);
      g_byte_array_unref (bytes);
      return NULL;
    }
  png_set_write_fn (png, bytes, append_png, flush_png);
  png_set_IHDR (png, info, width, height, 8, rgb ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_text (png, info, texts, G_N_ELEMENTS (texts));
  png_write_info (png, info);
  for (int y = 0; y < height; y++)
    png_write_row (png, rgb ? rgb + (gsize) y * width * 3 : (png_const_bytep) "");
  png_write_end (png, NULL);
  png_destroy_write_struct (&png, &info);
  return bytes;
}

/* Whether a thumbnail is there and of this state of the file. */
static gboolean
fresh (const char *thumbnail, gint64 mtime)
{
  g_autoptr (GHashTable) texts = NULL;
  const char *recorded;

  if (!g_file_test (thumbnail, G_FILE_TEST_IS_REGULAR))
    return FALSE;
  texts = easel_image_read_texts (thumbnail, NULL);
  recorded = texts ? g_hash_table_lookup (texts, "Thumb::MTime") : NULL;
  return recorded && g_ascii_strtoll (recorded, NULL, 10) == mtime;
}

/* Writes `bytes` as folder/name; the standard wants 0700 folders and 0600 files. */
static gboolean
store (const char *folder, const char *path, GByteArray *bytes, GError **error)
{
  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "The folder for thumbnails %s cannot be made: %s.", folder,
                   g_strerror (errno));
      return FALSE;
    }
  if (!easel_atomic_file_replace (path, bytes->data, bytes->len, TRUE, error))
    return FALSE;
  g_chmod (path, 0600);
  return TRUE;
}

char *
easel_thumbnail_ensure (const char *path, int size, GError **error)
{
  g_autofree char *uri = g_filename_to_uri (path, NULL, error);
  g_autofree char *hash = NULL, *name = NULL, *base = NULL, *folder = NULL, *thumbnail = NULL, *failures = NULL,
                  *failed = NULL;
  g_autoptr (EaselPicture) picture = NULL;
  g_autoptr (GByteArray) bytes = NULL;
  g_autofree guint8 *small = NULL;
  struct stat st;
  int width, height;

  if (!uri)
    return NULL;
  if (stat (path, &st) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "%s is not there.", path);
      return NULL;
    }
  hash = g_compute_checksum_for_string (G_CHECKSUM_MD5, uri, -1);
  name = g_strconcat (hash, ".png", NULL);
  base = g_build_filename (g_get_user_cache_dir (), "thumbnails", NULL);
  folder = g_build_filename (base, size > 256 ? "x-large" : "large", NULL);
  thumbnail = g_build_filename (folder, name, NULL);
  failures = g_build_filename (base, "fail", "easel", NULL);
  failed = g_build_filename (failures, name, NULL);
  if (fresh (thumbnail, st.st_mtim.tv_sec))
    return g_steal_pointer (&thumbnail);
  if (fresh (failed, st.st_mtim.tv_sec))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s could not be read as a picture.", path);
      return NULL;
    }
  picture = easel_image_read (path, error);
  if (!picture)
    {
      bytes = encode (NULL, 1, 1, uri, st.st_mtim.tv_sec);
      if (bytes)
        store (failures, failed, bytes, NULL);
      return NULL;
    }
  small = shrink (picture, size > 256 ? 512 : 256, &width, &height);
  bytes = encode (small, width, height, uri, st.st_mtim.tv_sec);
  if (!bytes)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "There is no memory left for the thumbnail of %s.", path);
      return NULL;
    }
  return store (folder, thumbnail, bytes, error) ? g_steal_pointer (&thumbnail) : NULL;
}
