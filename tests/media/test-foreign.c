/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pictures that other programs made: kinds of PNG that Easel does not write, and the words in them.
 */
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "engine/media/image-private.h"
#include "tests/media/pictures.h"

/* Writes a PNG of 5 x 3 pixels of a kind; samples are (x + y) * 40, alpha x * 60. */
static void
write_png (const char *path, int depth, int colour, int interlace, const char *text)
{
  png_structp png = png_create_write_struct (PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct (png);
  FILE *file = fopen (path, "wb");
  int channels = (colour & PNG_COLOR_MASK_COLOR && !(colour & PNG_COLOR_MASK_PALETTE) ? 3 : 1)
                 + (colour & PNG_COLOR_MASK_ALPHA ? 1 : 0);
  guint8 rows[3][5 * 4 * 2] = { 0 };
  png_bytep pointers[3] = { rows[0], rows[1], rows[2] };

  g_assert_nonnull (file);
  png_init_io (png, file);
  png_set_IHDR (png, info, 5, 3, depth, colour, interlace, 0, 0);
  if (colour == PNG_COLOR_TYPE_PALETTE)
    {
      png_color palette[16];

      for (int i = 0; i < 16; i++)
        palette[i] = (png_color){ (png_byte) (i * 40), (png_byte) (i * 40), (png_byte) (i * 40) };
      png_set_PLTE (png, info, palette, 16);
    }
  if (text)
    {
      png_text chunk = { .compression = PNG_TEXT_COMPRESSION_zTXt, .key = (char *) "parameters", .text = (char *) text,
                         .text_length = strlen (text) };

      png_set_text (png, info, &chunk, 1);
    }
  for (int y = 0; y < 3; y++)
    for (int x = 0; x < 5; x++)
      for (int c = 0; c < channels; c++)
        {
          gboolean alpha = (colour & PNG_COLOR_MASK_ALPHA) && c == channels - 1;
          int value = alpha ? x * 60 : colour == PNG_COLOR_TYPE_PALETTE ? x + y : (x + y) * 40;

          if (depth == 16)
            rows[y][2 * (x * channels + c)] = rows[y][2 * (x * channels + c) + 1] = (guint8) value;
          else if (depth == 4)
            rows[y][x / 2] |= (guint8) ((colour == PNG_COLOR_TYPE_PALETTE ? value : 0) << (x % 2 ? 0 : 4));
          else
            rows[y][x * channels + c] = (guint8) value;
        }
  png_write_info (png, info);
  png_write_image (png, pointers);
  png_write_end (png, info);
  png_destroy_write_struct (&png, &info);
  fclose (file);
}

static void
test_png_kinds (void)
{
  static const struct
  {
    int depth, colour;
  } kinds[] = {
    { 8, PNG_COLOR_TYPE_GRAY },  { 16, PNG_COLOR_TYPE_GRAY }, { 8, PNG_COLOR_TYPE_GRAY_ALPHA },
    { 8, PNG_COLOR_TYPE_RGB },   { 16, PNG_COLOR_TYPE_RGB },  { 8, PNG_COLOR_TYPE_RGB_ALPHA },
    { 16, PNG_COLOR_TYPE_RGBA }, { 8, PNG_COLOR_TYPE_PALETTE }, { 4, PNG_COLOR_TYPE_PALETTE },
  };
  g_autofree char *folder = pictures_make_folder ();
  g_autofree char *path = g_build_filename (folder, "kind.png", NULL);

  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (int interlace = 0; interlace <= 1; interlace++)
      {
        g_autoptr (GError) error = NULL;
        g_autoptr (EaselPicture) picture = NULL;

        write_png (path, kinds[k].depth, kinds[k].colour, interlace, NULL);
        picture = easel_image_read (path, &error);
        g_assert_no_error (error);
        g_assert_cmpint (picture->width, ==, 5);
        g_assert_cmpint (picture->height, ==, 3);
        for (int y = 0; y < 3; y++)
          for (int x = 0; x < 5; x++)
            for (int c = 0; c < 3; c++)
              g_assert_cmpint (picture->rgb[(y * 5 + x) * 3 + c], ==, (x + y) * 40);
      }
  pictures_remove_folder (folder);
}

#define FOREIGN                                                                                           \
  "masterpiece, a (red:1.2) fox\nin the snow\nNegative prompt: lowres, bad hands\n"                      \
  "Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 4294967295, Size: 832x1216, " \
  "Model hash: 67ab2fd8ec, Model: someModel_v10, VAE: \"a, b: c\", Clip skip: 2, Version: v1.9.4"

static void
check_foreign (EaselRequest *request)
{
  const EaselRequestSettings *s = easel_request_settings (request);

  g_assert_cmpstr (s->prompt, ==, "masterpiece, a (red:1.2) fox\nin the snow");
  g_assert_cmpstr (s->negative, ==, "lowres, bad hands");
  g_assert_cmpint (s->steps, ==, 28);
  g_assert_cmpstr (s->sampler, ==, "dpm++-2m");
  g_assert_cmpfloat (s->guidance, ==, 7.5);
  g_assert_cmpint (s->seed, ==, 4294967295);
  g_assert_cmpint (s->width, ==, 832);
  g_assert_cmpint (s->height, ==, 1216);
  g_assert_cmpstr (s->model, ==, "someModel_v10");
}

/* The text that the widely used web interface writes, in a compressed chunk. */
static void
test_png_parameters (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = pictures_make_folder ();
  g_autofree char *path = g_build_filename (folder, "foreign.png", NULL);
  g_autoptr (EaselRequest) request = NULL;

  write_png (path, 8, PNG_COLOR_TYPE_RGB, 0, FOREIGN);
  request = easel_image_read_request (path, &error);
  g_assert_no_error (error);
  check_foreign (request);
  pictures_remove_folder (folder);
}

/* An Exif structure with one UserComment, in either byte order of the file and of the text. */
static GBytes *
make_exif (gboolean big_file, const char *code, const void *text, gsize size)
{
  GByteArray *out = g_byte_array_new ();
  guint32 words[] = { 0x0001, 0x8769, 4, 1, 26, 0, 0x0001, 0x9286, 7, (guint32) size + 8, 44, 0 };
  static const guint8 widths[] = { 2, 2, 2, 4, 4, 4, 2, 2, 2, 4, 4, 4 };

  g_byte_array_append (out, (const guint8 *) (big_file ? "MM\0*\0\0\0\b" : "II*\0\b\0\0\0"), 8);
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    for (int k = 0; k < widths[i]; k++)
      {
        guint8 byte = (guint8) (words[i] >> (8 * (big_file ? widths[i] - 1 - k : k)));

        g_byte_array_append (out, &byte, 1);
      }
  g_byte_array_append (out, (const guint8 *) code, 8);
  g_byte_array_append (out, text, (guint) size);
  return g_byte_array_free_to_bytes (out);
}

static void
check_exif (gboolean big_file, const char *code, const void *text, gsize size, const char *want)
{
  g_autoptr (GBytes) exif = make_exif (big_file, code, text, size);
  gsize n;
  const guint8 *data = g_bytes_get_data (exif, &n);
  g_autofree char *got = easel_exif_parse (data, n);

  g_assert_cmpstr (got, ==, want);
  for (gsize cut = 0; cut < n; cut++)
    {
      g_autofree guint8 *exact = g_memdup2 (data, MAX (cut, 1));
      g_autofree char *less = easel_exif_parse (exact, cut); /* no reads behind the end: the sanitizers look */

      g_assert_null (less);
    }
}

static void
test_exif (void)
{
  static const char *const texts[] = { "Steps: 20, Seed: 1, plain", "富士山, Steps: 20", "é 🦊 x" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      glong n;
      g_autofree gunichar2 *units = g_utf8_to_utf16 (texts[i], -1, NULL, &n, NULL);
      g_autofree gunichar2 *big = g_new (gunichar2, n + 1);
      g_autofree gunichar2 *little = g_new (gunichar2, n + 1);
      g_autofree gunichar2 *marked = g_new (gunichar2, n + 2);

      marked[0] = GUINT16_TO_LE (0xfeff);
      for (glong k = 0; k < n; k++)
        {
          big[k] = GUINT16_TO_BE (units[k]);
          little[k] = GUINT16_TO_LE (units[k]);
          marked[k + 1] = little[k];
        }
      for (int big_file = 0; big_file <= 1; big_file++)
        {
          check_exif (big_file, "UNICODE", big, (gsize) n * 2, texts[i]);
          check_exif (big_file, "UNICODE", little, (gsize) n * 2, texts[i]);
          check_exif (big_file, "UNICODE", marked, (gsize) n * 2 + 2, texts[i]);
          check_exif (big_file, "ASCII\0\0", texts[i], strlen (texts[i]), texts[i]);
          check_exif (big_file, "\0\0\0\0\0\0\0", texts[i], strlen (texts[i]), texts[i]);
        }
    }
  check_exif (TRUE, "ASCII\0\0", "caf\xe9   \0\0", 9, "café");
  check_exif (TRUE, "JIS\0\0\0\0", "x", 1, NULL);
}

static void
check_xmp (const char *packet, const char *want_json, const char *want_parameters)
{
  g_autoptr (GHashTable) texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  easel_xmp_parse ((const guint8 *) packet, strlen (packet), texts);
  g_assert_cmpstr (g_hash_table_lookup (texts, "easel"), ==, want_json);
  g_assert_cmpstr (g_hash_table_lookup (texts, "parameters"), ==, want_parameters);
}

/* Programs that rewrite a packet turn elements into attributes and add their own; others write what is no XML. */
static void
test_xmp (void)
{
  g_autofree char *bomb = NULL;
  GString *deep = g_string_new (NULL);

  check_xmp ("<x:xmpmeta><rdf:RDF><rdf:Description easel:request='{\"a\": 1}' dc:title='t'/></rdf:RDF></x:xmpmeta>",
             "{\"a\": 1}", NULL);
  check_xmp ("<a><b>noise</b><easel:request>{&quot;a&quot;: &lt;</easel:request><c/><easel:parameters><![CDATA[p & q]]>"
             "</easel:parameters></a>",
             "{\"a\": <", "p & q");
  check_xmp ("<easel:request>cut short", NULL, NULL);
  check_xmp ("no XML at all", NULL, NULL);
  check_xmp ("<easel:request>\xff\xfe</easel:request>", NULL, NULL);
  check_xmp ("<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><easel:request>&b;</easel:request>", NULL,
             NULL);
  for (int i = 0; i < 100000; i++)
    g_string_append (deep, "<a>");
  bomb = g_string_free (deep, FALSE);
  check_xmp (bomb, NULL, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/foreign/png-kinds", test_png_kinds);
  g_test_add_func ("/foreign/png-parameters", test_png_parameters);
  g_test_add_func ("/foreign/exif", test_exif);
  g_test_add_func ("/foreign/xmp", test_xmp);
  return g_test_run ();
}
