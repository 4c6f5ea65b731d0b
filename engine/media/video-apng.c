/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clips as animated PNG, without loss. libpng packs and unpacks each frame; the chunks that make them an animation
 * (acTL, fcTL, fdAT: "PNG Specification, third edition", 2025) are put together and taken apart here.
 */
#include "engine/media/video-private.h"

#include <string.h>

#include <png.h>
#include <zlib.h>

#define SIGNATURE "\x89PNG\r\n\x1a\n"
#define MAX_HEADER (1u << 20) /* of chunks that every frame needs: palette, transparency */

enum
{
  DISPOSE_NONE = 0,
  DISPOSE_BACKGROUND = 1,
  DISPOSE_PREVIOUS = 2,
};

static guint32
get_32 (const guint8 *p)
{
  return (guint32) p[0] << 24 | (guint32) p[1] << 16 | (guint32) p[2] << 8 | p[3];
}

static void
put_32 (guint8 *p, guint32 v)
{
  for (int i = 0; i < 4; i++)
    p[i] = (guint8) (v >> (24 - 8 * i));
}

/* A chunk of the bytes of `head`, then those of `data`. */
static void
put_chunk (GByteArray *out, const char *type, const void *head, gsize n_head, const void *data, gsize n_data)
{
  guint8 number[4];
  uLong crc;

  put_32 (number, (guint32) (n_head + n_data));
  g_byte_array_append (out, number, 4);
  g_byte_array_append (out, (const guint8 *) type, 4);
  crc = crc32 (0, (const Bytef *) type, 4);
  if (n_head > 0)
    {
      g_byte_array_append (out, head, (guint) n_head);
      crc = crc32 (crc, head, (uInt) n_head);
    }
  if (n_data > 0)
    {
      g_byte_array_append (out, data, (guint) n_data);
      crc = crc32 (crc, data, (uInt) n_data);
    }
  put_32 (number, (guint32) crc);
  g_byte_array_append (out, number, 4);
}

/* The next chunk of a file; FALSE at its end and where it is cut short. */
typedef struct
{
  const guint8 *type, *data;
  guint32 size;
} Chunk;

static gboolean
next_chunk (const guint8 *file, gsize size, gsize *at, Chunk *chunk)
{
  if (*at + 12 > size)
    return FALSE;
  chunk->size = get_32 (file + *at);
  if (chunk->size > size - *at - 12)
    return FALSE;
  chunk->type = file + *at + 4;
  chunk->data = chunk->type + 4;
  *at += (gsize) chunk->size + 12;
  return TRUE;
}

static gboolean
is (const Chunk *chunk, const char *type)
{
  return memcmp (chunk->type, type, 4) == 0;
}

/* ------------------------------------------------------------------------------------------------------- writing */

/* UTF-8 under a key. */
static void
put_text (GByteArray *out, const char *key, const char *text)
{
  g_autoptr (GByteArray) head = g_byte_array_new ();

  if (!text)
    return;
  g_byte_array_append (head, (const guint8 *) key, (guint) strlen (key) + 1);
  g_byte_array_append (head, (const guint8 *) "\0\0\0\0", 4); /* not compressed; no language, no translated key */
  put_chunk (out, "iTXt", head->data, head->len, text, strlen (text));
}

static void
put_control (GByteArray *out, const EaselPicture *clip, guint32 sequence)
{
  const double fps = easel_video_fps (clip);
  /* A whole rate is exact as 1/rate; another one in ten-thousandths of a second. */
  const gboolean whole = fps >= 1 && fps <= 65535 && fps == (int) fps;
  const guint32 delay = whole ? 1 : (guint32) CLAMP (10000 / fps + 0.5, 1, 65535);
  const guint32 unit = whole ? (guint32) fps : 10000;
  guint8 head[26] = { 0 };

  put_32 (head, sequence);
  put_32 (head + 4, (guint32) clip->width);
  put_32 (head + 8, (guint32) clip->height);
  head[20] = (guint8) (delay >> 8);
  head[21] = (guint8) delay;
  head[22] = (guint8) (unit >> 8);
  head[23] = (guint8) unit;
  put_chunk (out, "fcTL", head, sizeof head, NULL, 0); /* the two last bytes: leave it, replace what is there */
}

/* The file of one frame as a picture; g_free. */
static guint8 *
pack (const EaselPicture *clip, int f, gsize *size, GError **error)
{
  const guint8 *rgb = clip->rgb + (gsize) f * clip->width * clip->height * 3;
  png_image image = { .version = PNG_IMAGE_VERSION, .width = (png_uint_32) clip->width,
                      .height = (png_uint_32) clip->height, .format = PNG_FORMAT_RGB };
  png_alloc_size_t n = PNG_IMAGE_PNG_SIZE_MAX (image);
  guint8 *out = g_try_malloc (n);

  if (out && png_image_write_to_memory (&image, out, &n, 0, rgb, 0, NULL))
    {
      *size = n;
      return out;
    }
  g_set_error (error, EASEL_ERROR, out ? EASEL_ERROR_FAILED : EASEL_ERROR_NO_MEMORY,
               "The animation cannot be written: %s", out ? image.message : "not enough memory");
  g_free (out);
  return NULL;
}

static gboolean
put_frame (GByteArray *out, const EaselPicture *clip, int f, guint32 *sequence, const EaselVideoOptions *options,
           const EaselImageTexts *texts, GError **error)
{
  g_autofree guint8 *file = NULL;
  gsize size, at = 8;
  Chunk chunk;
  guint8 head[8];

  if (!(file = pack (clip, f, &size, error)))
    return FALSE;
  while (next_chunk (file, size, &at, &chunk))
    if (f == 0 && is (&chunk, "IHDR"))
      {
        put_chunk (out, "IHDR", chunk.data, chunk.size, NULL, 0);
        put_chunk (out, "sRGB", "\0", 1, NULL, 0);
        put_text (out, "parameters", texts->parameters);
        put_text (out, "easel", texts->json);
        put_32 (head, (guint32) clip->n_frames);
        put_32 (head + 4, (guint32) options->loops);
        put_chunk (out, "acTL", head, 8, NULL, 0);
        put_control (out, clip, (*sequence)++);
      }
    else if (f == 0 && is (&chunk, "IDAT"))
      put_chunk (out, "IDAT", chunk.data, chunk.size, NULL, 0);
    else if (f > 0 && is (&chunk, "IHDR"))
      put_control (out, clip, (*sequence)++);
    else if (is (&chunk, "IDAT"))
      {
        put_32 (head, (*sequence)++);
        put_chunk (out, "fdAT", head, 4, chunk.data, chunk.size);
      }
  return TRUE;
}

gboolean
easel_video_apng_write (EaselPicture *clip, const char *path, const EaselVideoOptions *options,
                        const EaselImageTexts *texts, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  guint32 sequence = 0;

  g_byte_array_append (out, (const guint8 *) SIGNATURE, 8);
  for (int f = 0; f < clip->n_frames; f++)
    {
      if (!easel_video_go_on (options, (double) f / clip->n_frames, error)
          || !put_frame (out, clip, f, &sequence, options, texts, error))
        return FALSE;
      if (out->len > G_MAXINT)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED,
                       "The animation cannot be written: it grows over 2 GiB; choose .webp, .webm or .mp4");
          return FALSE;
        }
    }
  put_chunk (out, "IEND", NULL, 0, NULL, 0);
  return easel_atomic_file_replace (path, out->data, out->len, options->overwrite, error)
         && easel_video_go_on (options, 1, error);
}

/* ------------------------------------------------------------------------------------------------------- reading */

typedef struct
{
  EaselVideoFrames frames;
  guint8 *canvas, *before;   /* [height, width, 4] */
  guint8 ihdr[13];
  GByteArray *header;        /* chunks before the pixels that every frame needs */
  GByteArray *pixels;        /* of the frame that is being read */
  gboolean open;             /* there is one */
  guint32 x, y, w, h;
  int ms, dispose, blend;
} Reader;

static void
reader_clear (Reader *self)
{
  easel_video_frames_clear (&self->frames);
  g_free (self->canvas);
  g_free (self->before);
  g_clear_pointer (&self->header, g_byte_array_unref);
  g_clear_pointer (&self->pixels, g_byte_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reader, reader_clear)

static gboolean
damaged (const Reader *self, const char *why, GError **error)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as an animation: %s", self->frames.path,
               why);
  return FALSE;
}

/* The frame's pixels [h, w, 4] through libpng, as if they were a file of their own. */
static guint8 *
unpack (const Reader *self, GError **error)
{
  g_autoptr (GByteArray) file = g_byte_array_new ();
  png_image image = { .version = PNG_IMAGE_VERSION };
  guint8 ihdr[13];
  guint8 *rgba;

  memcpy (ihdr, self->ihdr, sizeof ihdr);
  put_32 (ihdr, self->w);
  put_32 (ihdr + 4, self->h);
  g_byte_array_append (file, (const guint8 *) SIGNATURE, 8);
  put_chunk (file, "IHDR", ihdr, sizeof ihdr, NULL, 0);
  g_byte_array_append (file, self->header->data, self->header->len);
  put_chunk (file, "IDAT", self->pixels->data, self->pixels->len, NULL, 0);
  put_chunk (file, "IEND", NULL, 0, NULL, 0);
  if (!png_image_begin_read_from_memory (&image, file->data, file->len))
    {
      damaged (self, image.message, error);
      return NULL;
    }
  image.format = PNG_FORMAT_RGBA;
  if (image.width != self->w || image.height != self->h || !(rgba = g_try_malloc ((gsize) self->w * self->h * 4)))
    {
      png_image_free (&image);
      damaged (self, "a frame is too large", error);
      return NULL;
    }
  if (png_image_finish_read (&image, NULL, rgba, 0, NULL))
    return rgba;
  damaged (self, image.message, error);
  g_free (rgba);
  return NULL;
}

static void
compose (Reader *self, const guint8 *rgba)
{
  for (guint32 y = 0; y < self->h; y++)
    for (guint32 x = 0; x < self->w; x++, rgba += 4)
      {
        guint8 *out = self->canvas + ((gsize) (self->y + y) * self->frames.width + self->x + x) * 4;
        const int a = rgba[3], under = out[3] * (255 - a) / 255, whole = a + under;

        if (!self->blend || a == 255 || out[3] == 0)
          memcpy (out, rgba, 4);
        else if (a > 0)
          {
            for (int c = 0; c < 3; c++)
              out[c] = (guint8) ((rgba[c] * a + out[c] * under) / whole);
            out[3] = (guint8) whole;
          }
      }
}

static gboolean
finish_frame (Reader *self, GError **error)
{
  const gsize size = (gsize) self->frames.width * self->frames.height * 4;
  g_autofree guint8 *rgba = NULL;

  if (!self->open)
    return TRUE;
  self->open = FALSE;
  if (self->pixels->len == 0)
    return TRUE; /* a control without pixels: left out */
  if (!(rgba = unpack (self, error)))
    return FALSE;
  if (self->dispose == DISPOSE_PREVIOUS)
    memcpy (self->before, self->canvas, size);
  compose (self, rgba);
  g_byte_array_set_size (self->pixels, 0);
  if (!easel_video_frames_add (&self->frames, self->canvas, self->ms, error))
    return FALSE;
  if (self->dispose == DISPOSE_PREVIOUS)
    memcpy (self->canvas, self->before, size);
  for (guint32 y = 0; self->dispose == DISPOSE_BACKGROUND && y < self->h; y++)
    memset (self->canvas + ((gsize) (self->y + y) * self->frames.width + self->x) * 4, 0, (gsize) self->w * 4);
  return TRUE;
}

static gboolean
begin_frame (Reader *self, const Chunk *chunk, GError **error)
{
  const guint8 *d = chunk->data;
  guint32 delay, unit;

  if (!finish_frame (self, error))
    return FALSE;
  if (chunk->size < 26)
    return damaged (self, "a frame's header is cut short", error);
  self->w = get_32 (d + 4);
  self->h = get_32 (d + 8);
  self->x = get_32 (d + 12);
  self->y = get_32 (d + 16);
  if (self->w < 1 || self->h < 1 || self->x > (guint32) self->frames.width || self->y > (guint32) self->frames.height
      || self->w > (guint32) self->frames.width - self->x || self->h > (guint32) self->frames.height - self->y)
    return damaged (self, "a frame in it contradicts its size", error);
  delay = (guint32) d[20] << 8 | d[21];
  unit = (guint32) d[22] << 8 | d[23];
  unit = unit ? unit : 100;
  self->ms = (int) ((delay * 1000 + unit / 2) / unit);
  self->dispose = d[24];
  self->blend = d[25];
  self->open = TRUE;
  return TRUE;
}

static gboolean
begin_file (Reader *self, const Chunk *chunk, const char *path, GError **error)
{
  gsize size;

  self->frames.path = path;
  if (chunk->size != 13)
    return damaged (self, "its header is of the wrong size", error);
  memcpy (self->ihdr, chunk->data, 13);
  if (get_32 (chunk->data) > G_MAXINT || get_32 (chunk->data + 4) > G_MAXINT)
    return damaged (self, "its sides make no sense", error);
  if (!easel_video_frames_init (&self->frames, path, (int) get_32 (chunk->data), (int) get_32 (chunk->data + 4), error))
    return FALSE;
  size = (gsize) self->frames.width * self->frames.height * 4;
  self->canvas = g_try_malloc0 (size);
  self->before = g_try_malloc (size);
  self->header = g_byte_array_new ();
  self->pixels = g_byte_array_new ();
  if (self->canvas && self->before)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read %s", path);
  return FALSE;
}

static gboolean
take_chunk (Reader *self, const Chunk *chunk, const char *path, GError **error)
{
  static const char *const needed[] = { "PLTE", "tRNS", "gAMA", "cHRM", "sRGB" };

  if (!self->header)
    return is (chunk, "IHDR") ? begin_file (self, chunk, path, error)
                              : damaged (&(Reader){ .frames.path = path }, "it does not begin with a header", error);
  if (is (chunk, "fcTL"))
    return begin_frame (self, chunk, error);
  if (is (chunk, "IDAT") && self->open) /* without a control before it, it is no frame */
    g_byte_array_append (self->pixels, chunk->data, chunk->size);
  else if (is (chunk, "fdAT") && self->open && chunk->size >= 4)
    g_byte_array_append (self->pixels, chunk->data + 4, chunk->size - 4);
  for (gsize i = 0; i < G_N_ELEMENTS (needed); i++)
    if (is (chunk, needed[i]) && self->header->len + chunk->size < MAX_HEADER)
      put_chunk (self->header, needed[i], chunk->data, chunk->size, NULL, 0);
  return TRUE;
}

EaselPicture *
easel_video_apng_read (const char *path, int max_frames, GError **error)
{
  g_auto (Reader) reader = { 0 };
  gsize size = 0, at = 8;
  g_autofree char *bytes = easel_read_small_file (path, EASEL_IMAGE_MAX_FILE, &size, error);
  const guint8 *file = (const guint8 *) bytes;
  Chunk chunk;

  if (!bytes)
    return NULL;
  reader.frames.path = path;
  if (size < 8 || memcmp (file, SIGNATURE, 8) != 0)
    {
      damaged (&reader, "it is no PNG file", error);
      return NULL;
    }
  while ((int) reader.frames.n < max_frames && next_chunk (file, size, &at, &chunk) && !is (&chunk, "IEND"))
    if (!take_chunk (&reader, &chunk, path, error))
      return NULL;
  if ((int) reader.frames.n < max_frames && !finish_frame (&reader, error))
    return NULL;
  if (reader.frames.n > 0)
    return easel_video_frames_finish (&reader.frames, max_frames, error);
  damaged (&reader, "there are no frames in it", error);
  return NULL;
}
