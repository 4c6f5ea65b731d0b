/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PNG through libpng. Texts come before the pixels, so that readers find them at once: tEXt when Latin-1 can say it
 * (what the oldest readers know), iTXt otherwise.
 */
#include "engine/media/image-private.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

/* Texts, palettes and unknown chunks kept from one file. */
#define MAX_CHUNKS 64
/* deflate cannot shrink by more; a file that promises more pixels is cut short or lies. */
#define DEFLATE_RATIO 1040

static const char *const endings[] = { "png", NULL };

static gboolean
recognise (const guint8 *data, gsize size)
{
  return size >= 8 && png_sig_cmp (data, 0, 8) == 0;
}

/* libpng's callbacks cannot return errors, they jump: this travels through its error and io pointers. */
typedef struct
{
  const char *where;
  char message[160];
  /* writing */
  EaselAtomicFile *file;
  GError *error;
  /* reading */
  const guint8 *data;
  gsize size, used;
} Channel;

G_NORETURN static void
error_cb (png_structp png, png_const_charp message)
{
  Channel *channel = png_get_error_ptr (png);

  g_strlcpy (channel->message, message, sizeof channel->message);
  png_longjmp (png, 1);
}

static void
warning_cb (png_structp png G_GNUC_UNUSED, png_const_charp message G_GNUC_UNUSED)
{
}

static void
write_cb (png_structp png, png_bytep data, size_t size)
{
  Channel *channel = png_get_io_ptr (png);

  if (!easel_atomic_file_write (channel->file, data, size, &channel->error))
    png_error (png, "writing failed");
}

static void
flush_cb (png_structp png G_GNUC_UNUSED)
{
}

static void
read_cb (png_structp png, png_bytep out, size_t size)
{
  Channel *channel = png_get_io_ptr (png);

  if (size > channel->size - channel->used)
    png_error (png, "it is cut short");
  memcpy (out, channel->data + channel->used, size);
  channel->used += size;
}

/* Latin-1 bytes of a text, or NULL when it needs iTXt: PNG allows only printable Latin-1 and newlines in tEXt. */
static char *
as_latin1 (const char *text)
{
  g_autofree char *out = g_malloc (strlen (text) + 1);
  gsize n = 0;

  for (const char *p = text; *p; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (!(c == '\n' || (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c <= 0xff)))
        return NULL;
      out[n++] = (char) c;
    }
  out[n] = '\0';
  return g_steal_pointer (&out);
}

/* Fills `chunk`; *latin1 receives what the caller frees after writing. */
static void
prepare_text (png_text *chunk, const char *key, const char *text, char **latin1)
{
  memset (chunk, 0, sizeof *chunk);
  chunk->key = (char *) key;
  *latin1 = as_latin1 (text);
  if (*latin1)
    {
      chunk->compression = PNG_TEXT_COMPRESSION_NONE;
      chunk->text = *latin1;
      chunk->text_length = strlen (*latin1);
    }
  else
    {
      chunk->compression = PNG_ITXT_COMPRESSION_NONE;
      chunk->text = (char *) text;
      chunk->itxt_length = strlen (text);
      chunk->lang = (char *) "";
      chunk->lang_key = (char *) "";
    }
}

static gboolean
write_png (const EaselPicture *picture, const EaselImageTexts *texts, int quality G_GNUC_UNUSED, EaselAtomicFile *file,
           GError **error)
{
  Channel channel = { .file = file };
  png_structp png = png_create_write_struct (PNG_LIBPNG_VER_STRING, &channel, error_cb, warning_cb);
  png_infop info = png ? png_create_info_struct (png) : NULL;
  png_text chunks[2];
  char *latin1[2] = { NULL, NULL };
  int n_chunks = 0;

  if (texts->parameters)
    {
      prepare_text (&chunks[n_chunks], "parameters", texts->parameters, &latin1[n_chunks]);
      n_chunks++;
    }
  if (texts->json)
    {
      prepare_text (&chunks[n_chunks], "easel", texts->json, &latin1[n_chunks]);
      n_chunks++;
    }

  if (info == NULL)
    g_strlcpy (channel.message, "not enough memory", sizeof channel.message);
  else if (setjmp (png_jmpbuf (png)) == 0)
    {
      png_set_write_fn (png, &channel, write_cb, flush_cb);
      png_set_user_limits (png, 65535, 65535);
      png_set_IHDR (png, info, (png_uint_32) picture->width, (png_uint_32) picture->height, 8, PNG_COLOR_TYPE_RGB,
                    PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
      png_set_sRGB_gAMA_and_cHRM (png, info, PNG_sRGB_INTENT_PERCEPTUAL);
      if (n_chunks > 0)
        png_set_text (png, info, chunks, n_chunks);
      png_write_info (png, info);
      for (int y = 0; y < picture->height; y++)
        png_write_row (png, picture->rgb + (gsize) y * picture->width * 3);
      png_write_end (png, NULL);
    }
  png_destroy_write_struct (&png, &info);
  g_free (latin1[0]);
  g_free (latin1[1]);

  if (channel.error)
    {
      g_propagate_error (error, channel.error);
      return FALSE;
    }
  if (channel.message[0])
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "Cannot encode the picture as PNG: %s.", channel.message);
      return FALSE;
    }
  return TRUE;
}

static gboolean
fail_read (Channel *channel, GError **error)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is a damaged PNG file: %s.", channel->where,
               channel->message);
  return FALSE;
}

static png_structp
open_reader (Channel *channel, png_infop *info)
{
  png_structp png = png_create_read_struct (PNG_LIBPNG_VER_STRING, channel, error_cb, warning_cb);

  *info = png ? png_create_info_struct (png) : NULL;
  if (*info == NULL)
    {
      png_destroy_read_struct (&png, info, NULL);
      g_strlcpy (channel->message, "not enough memory", sizeof channel->message);
      return NULL;
    }
  png_set_read_fn (png, channel, read_cb);
  png_set_user_limits (png, EASEL_IMAGE_MAX_SIDE, EASEL_IMAGE_MAX_SIDE);
  png_set_chunk_cache_max (png, MAX_CHUNKS);
  png_set_chunk_malloc_max (png, EASEL_IMAGE_MAX_TEXT);
  return png;
}

/* 8-bit RGB whatever the file holds: alpha dropped, grey spread, palette looked up. */
static void
ask_for_rgb (png_structp png)
{
  png_set_expand (png);
  png_set_scale_16 (png);
  png_set_gray_to_rgb (png);
  png_set_strip_alpha (png);
}

static EaselPicture *
read_png (const guint8 *data, gsize size, const char *where, GError **error)
{
  Channel channel = { .where = where, .data = data, .size = size };
  png_infop info;
  png_structp png = open_reader (&channel, &info);
  EaselPicture *volatile picture = NULL;
  png_bytep *volatile rows = NULL;
  volatile gboolean complete = FALSE;

  if (png == NULL)
    {
      fail_read (&channel, error);
      return NULL;
    }
  if (setjmp (png_jmpbuf (png)) == 0)
    {
      gint64 width, height;

      png_read_info (png, info);
      width = png_get_image_width (png, info);
      height = png_get_image_height (png, info);
      if ((gint64) png_get_rowbytes (png, info) * height > (gint64) size * DEFLATE_RATIO)
        png_error (png, "it is too short for its size in pixels");
      picture = easel_image_new_picture (width, height, where, &channel.error);
      if (picture == NULL)
        png_error (png, "it is too large");
      ask_for_rgb (png);
      png_set_interlace_handling (png);
      png_read_update_info (png, info);
      if (png_get_rowbytes (png, info) != (gsize) width * 3)
        png_error (png, "its pixels cannot be turned into RGB");
      rows = g_try_new (png_bytep, height);
      if (rows == NULL)
        png_error (png, "not enough memory");
      for (gint64 y = 0; y < height; y++)
        rows[y] = picture->rgb + y * width * 3;
      png_read_image (png, rows);
      png_read_end (png, NULL); /* checks the sums of the last pixels too */
      complete = TRUE;
    }
  png_destroy_read_struct (&png, &info, NULL);
  g_free (rows);
  if (complete)
    return picture;

  if (channel.error)
    g_propagate_error (error, channel.error);
  else
    fail_read (&channel, error);
  g_clear_pointer ((EaselPicture **) &picture, easel_picture_unref);
  return NULL;
}

static void
add_chunk_texts (png_structp png, png_infop info, GHashTable *texts)
{
  png_textp chunks;
  int n = 0;

  png_get_text (png, info, &chunks, &n);
  for (int i = 0; i < n; i++)
    {
      g_autofree char *key = g_convert (chunks[i].key, -1, "UTF-8", "ISO-8859-1", NULL, NULL, NULL);
      gboolean utf8 = chunks[i].compression >= PNG_ITXT_COMPRESSION_NONE;
      gsize length = utf8 ? chunks[i].itxt_length : chunks[i].text_length;

      if (key == NULL || chunks[i].text == NULL)
        continue;
      if (utf8)
        easel_image_add_text (texts, key, chunks[i].text, length);
      else
        {
          gsize n_utf8;
          g_autofree char *text =
              g_convert (chunks[i].text, (gssize) length, "UTF-8", "ISO-8859-1", NULL, &n_utf8, NULL);

          if (text)
            easel_image_add_text (texts, key, text, n_utf8);
        }
    }
}

/* What libpng needs to see of a file to read its texts: header, palette, text chunks, and a first chunk of pixels of no
 * length. So pixels are passed over, not inflated, and texts behind them are found too. */
static GByteArray *
without_pixels (const guint8 *data, gsize size)
{
  static const char wanted[][5] = { "IHDR", "PLTE", "tEXt", "zTXt", "iTXt" };
  static const guint8 pixels[8] = { 0, 0, 0, 0, 'I', 'D', 'A', 'T' };
  GByteArray *out = g_byte_array_new ();
  gsize at = 8;

  g_byte_array_append (out, data, 8);
  while (size - at >= 12)
    {
      gsize length = png_get_uint_32 (data + at);

      if (length > size - at - 12)
        break;
      for (gsize i = 0; i < G_N_ELEMENTS (wanted); i++)
        if (memcmp (data + at + 4, wanted[i], 4) == 0 && out->len + length <= EASEL_IMAGE_MAX_TEXTS)
          g_byte_array_append (out, data + at, (guint) length + 12);
      at += length + 12;
    }
  g_byte_array_append (out, pixels, sizeof pixels);
  return out;
}

static gboolean
read_texts (const guint8 *data, gsize size, const char *where, GHashTable *texts, GError **error)
{
  GByteArray *short_file = without_pixels (data, size);
  Channel channel = { .where = where, .data = short_file->data, .size = short_file->len };
  png_infop info;
  png_structp png = open_reader (&channel, &info);
  volatile gboolean complete = FALSE;

  if (png && setjmp (png_jmpbuf (png)) == 0)
    {
      png_read_info (png, info);
      complete = TRUE;
    }
  if (complete)
    add_chunk_texts (png, info, texts);
  png_destroy_read_struct (&png, &info, NULL);
  g_byte_array_unref (short_file);
  return complete || fail_read (&channel, error);
}

const EaselImageFormat easel_image_png = {
  .name = "PNG",
  .endings = endings,
  .max_side = 65535,
  .recognise = recognise,
  .write = write_png,
  .read = read_png,
  .read_texts = read_texts,
};
