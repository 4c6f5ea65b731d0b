/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files that lie: cut short anywhere, bits turned over, sizes that nothing backs, texts that unpack to gigabytes,
 * things that are no files. Whatever happens is an error or a picture, quickly, and within bounded memory.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <zlib.h>

#include "engine/media/image-file.h"
#include "tests/media/pictures.h"

static const char *const endings[] = { "png", "jpg", "webp" };

typedef struct
{
  char *folder, *path;
} Place;

static Place
place_new (const char *ending)
{
  Place place = { .folder = pictures_make_folder () };

  place.path = g_strdup_printf ("%s/hostile.%s", place.folder, ending);
  return place;
}

static void
place_clear (Place *place)
{
  pictures_remove_folder (place->folder);
  g_free (place->folder);
  g_free (place->path);
}

/* Reads everything there is to read; an error is one of ours. TRUE when the pixels came out. */
static gboolean
read_all (const Place *place, const void *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) texts_error = NULL;
  g_autoptr (GError) request_error = NULL;
  g_autoptr (EaselPicture) picture = NULL;
  g_autoptr (GHashTable) texts = NULL;
  g_autoptr (EaselRequest) request = NULL;

  FILE *file = fopen (place->path, "wb");

  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (data, 1, size, file), ==, size);
  fclose (file);
  picture = easel_image_read (place->path, &error);
  g_assert_true ((picture == NULL) == (error != NULL));
  g_assert_true (error == NULL || error->domain == EASEL_ERROR);
  texts = easel_image_parse_texts (data, size, "hostile", &texts_error);
  g_assert_true ((texts == NULL) == (texts_error != NULL));
  request = easel_image_read_request (place->path, &request_error);
  g_assert_true ((request == NULL) == (request_error != NULL));
  return picture != NULL;
}

static char *
good_file (const Place *place, gsize *size)
{
  g_autoptr (EaselPicture) picture = pictures_new (24, 16, "a prompt, 富士山", "negative");
  char *bytes = NULL;

  g_assert_true (easel_image_write (picture, place->path, &(EaselImageOptions){ .overwrite = TRUE }, NULL));
  g_assert_true (g_file_get_contents (place->path, &bytes, size, NULL));
  return bytes;
}

static void
test_truncated (gconstpointer ending)
{
  Place place = place_new (ending);
  gsize size;
  g_autofree char *bytes = good_file (&place, &size);

  g_assert_true (read_all (&place, bytes, size));
  for (gsize n = 0; n < size; n++)
    if (read_all (&place, bytes, n))
      g_error ("%s of %d bytes is read when cut to %d", (const char *) ending, (int) size, (int) n);
  place_clear (&place);
}

static void
test_bits (gconstpointer ending)
{
  Place place = place_new (ending);
  gsize size;
  g_autofree char *bytes = good_file (&place, &size);
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);

  for (int i = 0; i < 1500; i++)
    {
      g_autofree char *copy = g_memdup2 (bytes, size);

      for (int k = g_rand_int_range (rand, 1, 4); k > 0; k--)
        {
          gsize at = (gsize) g_rand_int_range (rand, 0, (gint32) size);

          copy[at] = (char) (g_rand_boolean (rand) ? copy[at] ^ (1 << g_rand_int_range (rand, 0, 8))
                                                   : g_rand_int_range (rand, 0, 256));
        }
      read_all (&place, copy, size);
    }
  place_clear (&place);
}

static void
append_chunk (GByteArray *out, const char *type, const void *data, gsize size)
{
  guint32 length = GUINT32_TO_BE ((guint32) size);
  uLong sum = crc32 (crc32 (0, (const Bytef *) type, 4), data ? data : (const void *) "", (uInt) size);
  guint32 crc = GUINT32_TO_BE ((guint32) sum);

  g_byte_array_append (out, (const guint8 *) &length, 4);
  g_byte_array_append (out, (const guint8 *) type, 4);
  g_byte_array_append (out, data, (guint) size);
  g_byte_array_append (out, (const guint8 *) &crc, 4);
}

/* The start of a PNG: 8-bit RGB unless told. */
static GByteArray *
png_start (guint32 width, guint32 height, guint8 depth, guint8 colour)
{
  GByteArray *out = g_byte_array_new ();
  guint32 sides[2] = { GUINT32_TO_BE (width), GUINT32_TO_BE (height) };
  guint8 header[13] = { 0 };

  memcpy (header, sides, 8);
  header[8] = depth;
  header[9] = colour;
  g_byte_array_append (out, (const guint8 *) "\x89PNG\r\n\x1a\n", 8);
  append_chunk (out, "IHDR", header, sizeof header);
  return out;
}

static void
append_packed (GByteArray *out, const char *type, const char *prefix, gsize prefix_size, const void *data, gsize size)
{
  uLongf packed_size = compressBound (size);
  g_autofree guint8 *packed = g_malloc (packed_size + prefix_size);

  memcpy (packed, prefix, prefix_size);
  g_assert_cmpint (compress2 (packed + prefix_size, &packed_size, data, size, 9), ==, Z_OK);
  append_chunk (out, type, packed, prefix_size + packed_size);
}

static void
test_png_sizes (void)
{
  static const guint32 sizes[][2] = { { 30000, 30000 }, { 32768, 4096 },   { 0x7fffffff, 0x7fffffff },
                                      { 0, 1 },         { 1, 0x7fffffff }, { 40000, 1 },
                                      { 1, 40000 },     { 65535, 65535 },  { 0xffffffff, 1 } };
  Place place = place_new ("png");

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GByteArray) file = png_start (sizes[i][0], sizes[i][1], 8, 2);
      guint8 zeros[1000] = { 0 };

      append_packed (file, "IDAT", "", 0, zeros, sizeof zeros);
      append_chunk (file, "IEND", NULL, 0);
      g_assert_false (read_all (&place, file->data, file->len));
    }
  place_clear (&place);
}

/* Texts that unpack to much more than they are: bounded, and the others are still read. */
static void
test_png_text_bombs (void)
{
  Place place = place_new ("png");
  g_autoptr (GByteArray) file = png_start (1, 1, 8, 2);
  gsize size = 64u << 20;
  g_autofree char *zeros = g_malloc (size);
  guint8 pixel[4] = { 0, 1, 2, 3 };
  g_autoptr (GHashTable) texts = NULL;

  memset (zeros, 'a', size);
  for (int i = 0; i < 40; i++)
    {
      char prefix[] = "bomb00\0";

      prefix[4] = (char) ('0' + i / 10);
      prefix[5] = (char) ('0' + i % 10);
      if (i < 2)
        append_packed (file, "zTXt", prefix, 8, zeros, size);
      else
        append_packed (file, "zTXt", prefix, 8, zeros, 1u << 20);
    }
  append_packed (file, "IDAT", "", 0, pixel, sizeof pixel);
  append_chunk (file, "tEXt", "late\0behind the pixels", 22);
  append_chunk (file, "IEND", NULL, 0);
  read_all (&place, file->data, file->len);
  texts = easel_image_parse_texts (file->data, file->len, "bombs", NULL);
  if (texts)
    {
      GHashTableIter iter;
      gpointer key, value;
      gsize total = 0;

      g_hash_table_iter_init (&iter, texts);
      while (g_hash_table_iter_next (&iter, &key, &value))
        total += strlen (value);
      g_assert_cmpuint (total, <=, 16u << 20);
    }
  place_clear (&place);
}

static void
test_png_late_text (void)
{
  Place place = place_new ("png");
  g_autoptr (GByteArray) file = png_start (1, 1, 8, 2);
  g_autoptr (GHashTable) texts = NULL;
  guint8 pixel[4] = { 0, 1, 2, 3 };

  append_packed (file, "IDAT", "", 0, pixel, sizeof pixel);
  append_chunk (file, "tEXt", "late\0behind the pixels", 22);
  append_chunk (file, "tEXt", "late\0said twice: the first counts", 33);
  append_chunk (file, "IEND", NULL, 0);
  g_assert_true (read_all (&place, file->data, file->len));
  texts = easel_image_parse_texts (file->data, file->len, "late", NULL);
  g_assert_cmpstr (g_hash_table_lookup (texts, "late"), ==, "behind the pixels");
  place_clear (&place);
}

/* A lossless WebP of one colour: a few bytes that stand for the largest picture of the format. */
static void
test_webp_size (void)
{
  /* RIFF, VP8L, signature 0x2f, 14 bits of width - 1 and of height - 1, then nothing. */
  static const guint8 file[] = { 'R',  'I', 'F', 'F', 26, 0, 0, 0, 'W',  'E',  'B',  'P',
                                 'V',  'P', '8', 'L', 14, 0, 0, 0, 0x2f, 0xfe, 0xbf, 0xff,
                                 0x0f, 0,   0,   0,   0,  0, 0, 0, 0,    0 };
  Place place = place_new ("webp");

  g_assert_false (read_all (&place, file, sizeof file));
  place_clear (&place);
}

static void
expect_error (const char *path, EaselError code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (easel_image_read (path, &error));
  g_assert_error (error, EASEL_ERROR, (int) code);
  g_clear_error (&error);
  g_assert_null (easel_image_read_texts (path, &error));
  g_assert_error (error, EASEL_ERROR, (int) code);
}

static void
test_no_files (void)
{
  g_autofree char *folder = pictures_make_folder ();
  g_autofree char *pipe = g_build_filename (folder, "pipe.png", NULL);
  g_autofree char *empty = g_build_filename (folder, "empty.png", NULL);
  g_autofree char *missing = g_build_filename (folder, "missing.png", NULL);
  g_autofree char *gif = g_build_filename (folder, "gif.png", NULL);
  g_autofree char *huge = g_build_filename (folder, "huge.png", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  g_assert_true (g_file_set_contents (empty, "", 0, NULL));
  g_assert_true (g_file_set_contents (gif, "GIF89a, as far as anyone can tell", -1, NULL));
  g_assert_true (g_file_set_contents (huge, "", 0, NULL));
  g_assert_cmpint (truncate (huge, (off_t) 3 << 30), ==, 0); /* sparse */
  expect_error (missing, EASEL_ERROR_NOT_FOUND);
  expect_error (empty, EASEL_ERROR_DAMAGED);
  expect_error (gif, EASEL_ERROR_UNSUPPORTED);
  g_assert_null (easel_image_read (pipe, NULL)); /* and does not wait for somebody to write into it */
  g_assert_null (easel_image_read (folder, NULL));
  g_assert_null (easel_image_read (huge, &error));
  g_assert_nonnull (error);
  pictures_remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize e = 0; e < G_N_ELEMENTS (endings); e++)
    {
      g_autofree char *truncated = g_strdup_printf ("/hostile/truncated/%s", endings[e]);
      g_autofree char *bits = g_strdup_printf ("/hostile/bits/%s", endings[e]);

      g_test_add_data_func (truncated, endings[e], test_truncated);
      g_test_add_data_func (bits, endings[e], test_bits);
    }
  g_test_add_func ("/hostile/png-sizes", test_png_sizes);
  g_test_add_func ("/hostile/png-text-bombs", test_png_text_bombs);
  g_test_add_func ("/hostile/png-late-text", test_png_late_text);
  g_test_add_func ("/hostile/webp-size", test_webp_size);
  g_test_add_func ("/hostile/no-files", test_no_files);
  return g_test_run ();
}
