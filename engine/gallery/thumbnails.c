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
#include "engine/media/video-file.h"

static const struct
{
  int side;
  const char *folder;
} sizes[] = { { 128, "normal" }, { 256, "large" }, { 512, "x-large" }, { 1024, "xx-large" } };

/* Box filter: every source pixel counts once. [height, width, 3] of frame 0 to fit into size x size; never enlarged.
 * NULL with NO_MEMORY. */
static guint8 *
shrink (const EaselPicture *picture, int size, int *width, int *height, GError **error)
{
  double scale = MIN (1.0, (double) size / MAX (picture->width, picture->height));
  int w = MAX (1, (int) (picture->width * scale + 0.5)), h = MAX (1, (int) (picture->height * scale + 0.5));
  guint8 *out = g_try_malloc ((gsize) w * h * 3);

  if (!out)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "There is no memory left for a thumbnail.");
      return NULL;
    }
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

/* Writes the bytes as `path`; the standard wants 0700 folders and 0600 files. A cache that is lost to a power cut is
 * made again, so nothing waits for the disk. */
static gboolean
store (const char *path, GByteArray *bytes, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "The folder for thumbnails %s cannot be made: %s.", folder,
                   g_strerror (errno));
      return FALSE;
    }
  return g_file_set_contents_full (path, (const char *) bytes->data, bytes->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                   error);
}

/* A thumbnail that lies ready beside the file: named after the file's name alone, read and never written. */
static char *
find_shared (const char *path, const char *size, gint64 mtime)
{
  g_autofree char *folder = g_path_get_dirname (path), *base = g_path_get_basename (path);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_MD5, base, -1);
  g_autofree char *name = g_strconcat (hash, ".png", NULL);
  g_autofree char *thumbnail = g_build_filename (folder, ".sh_thumbnails", size, name, NULL);

  return fresh (thumbnail, mtime) ? g_steal_pointer (&thumbnail) : NULL;
}

static EaselPicture *
read_source (const char *path, GError **error)
{
  EaselItemKind kind = EASEL_ITEM_PICTURE;

  easel_gallery_kind_of (path, &kind);
  return kind == EASEL_ITEM_CLIP ? easel_video_read (path, 1, error) : easel_image_read (path, error);
}

/* Where things of this file are in the person's cache. */
typedef struct
{
  char *uri, *thumbnail, *failure;
  gint64 mtime;
} Places;

static void
places_clear (Places *places)
{
  g_free (places->uri);
  g_free (places->thumbnail);
  g_free (places->failure);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Places, places_clear)

static gboolean
find_places (const char *path, const char *size, Places *places, GError **error)
{
  g_autofree char *hash = NULL, *name = NULL, *base = g_build_filename (g_get_user_cache_dir (), "thumbnails", NULL);
  struct stat st;

  places->uri = g_filename_to_uri (path, NULL, error);
  if (!places->uri)
    return FALSE;
  if (stat (path, &st) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "%s is not there.", path);
      return FALSE;
    }
  places->mtime = st.st_mtim.tv_sec;
  hash = g_compute_checksum_for_string (G_CHECKSUM_MD5, places->uri, -1);
  name = g_strconcat (hash, ".png", NULL);
  places->thumbnail = g_build_filename (base, size, name, NULL);
  places->failure = g_build_filename (base, "fail", "easel-" EASEL_VERSION, name, NULL);
  return TRUE;
}

/* Reads, shrinks, writes. A file that cannot be read is recorded; that there is no memory or codec now is not. */
static gboolean
make_thumbnail (const char *path, int side, const Places *places, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (EaselPicture) picture = read_source (path, &problem);
  g_autoptr (GByteArray) bytes = NULL;
  g_autofree guint8 *small = NULL;
  EaselItemKind kind;
  int width, height;

  if (!picture)
    {
      gboolean clip = easel_gallery_kind_of (path, &kind) && kind == EASEL_ITEM_CLIP;

      if (g_error_matches (problem, EASEL_ERROR, EASEL_ERROR_DAMAGED) ||
          (!clip && g_error_matches (problem, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED)))
        bytes = encode (NULL, 1, 1, places->uri, places->mtime);
      if (bytes)
        store (places->failure, bytes, NULL);
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  small = shrink (picture, side, &width, &height, error);
  if (!small)
    return FALSE;
  bytes = encode (small, width, height, places->uri, places->mtime);
  if (!bytes)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "There is no memory left for the thumbnail of %s.", path);
      return FALSE;
    }
  return store (places->thumbnail, bytes, error);
}

char *
easel_thumbnail_ensure (const char *path, int size, GError **error)
{
  g_auto (Places) places = { 0 };
  gsize s = 0;
  char *shared;

  while (s + 1 < G_N_ELEMENTS (sizes) && sizes[s].side < size)
    s++;
  if (!find_places (path, sizes[s].folder, &places, error))
    return NULL;
  if (fresh (places.thumbnail, places.mtime))
    return g_steal_pointer (&places.thumbnail);
  shared = find_shared (path, sizes[s].folder, places.mtime);
  if (shared)
    return shared;
  if (fresh (places.failure, places.mtime))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s could not be read as a picture.", path);
      return NULL;
    }
  return make_thumbnail (path, sizes[s].side, &places, error) ? g_steal_pointer (&places.thumbnail) : NULL;
}
