/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clips as GIF, written and read by giflib. The line other tools read is a comment, the JSON an application block of
 * our own name. Times are hundredths of a second: 8 frames a second alternate between 12 and 13.
 */
#include "engine/media/gif-palette.h"
#include "engine/media/video-private.h"

#include <string.h>

#include <gif_lib.h>

#define APPLICATION "EASELreq1.0" /* eleven bytes: name and code */
#define MAX_CENTI 65535

/* ------------------------------------------------------------------------------------------------------- writing */

static int
write_cb (GifFileType *gif, const GifByteType *bytes, int n)
{
  g_byte_array_append (gif->UserData, bytes, (guint) n);
  return n;
}

static gboolean
failed (GError **error, int code)
{
  const char *why = GifErrorString (code);

  g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "The animation cannot be written: %s", why ? why : "no reason");
  return FALSE;
}

/* Any number of bytes in blocks of 255. */
static gboolean
put_application (GifFileType *gif, const char *name, const void *data, gsize size)
{
  const guint8 *bytes = data;

  if (EGifPutExtensionLeader (gif, APPLICATION_EXT_FUNC_CODE) != GIF_OK
      || EGifPutExtensionBlock (gif, 11, name) != GIF_OK)
    return FALSE;
  for (gsize at = 0; at < size; at += 255)
    if (EGifPutExtensionBlock (gif, (int) MIN (size - at, 255), bytes + at) != GIF_OK)
      return FALSE;
  return EGifPutExtensionTrailer (gif) == GIF_OK;
}

static gboolean
put_header (GifFileType *gif, const EaselGifPalette *palette, const EaselPicture *clip, int loops,
            const EaselImageTexts *texts)
{
  ColorMapObject *map = GifMakeMapObject (256, NULL);
  const guint8 loop[3] = { 1, (guint8) (loops & 255), (guint8) (loops >> 8 & 255) };
  gboolean ok;

  for (int i = 0; map && i < 256; i++)
    map->Colors[i] = (GifColorType){ palette->rgb[i][0], palette->rgb[i][1], palette->rgb[i][2] };
  EGifSetGifVersion (gif, true);
  ok = map && EGifPutScreenDesc (gif, clip->width, clip->height, 8, 0, map) == GIF_OK;
  GifFreeMapObject (map);
  /* Without this block an animation is played once; the number in it is how often it is played again. */
  ok = ok && (loops == 1 || put_application (gif, "NETSCAPE2.0", loop, sizeof loop));
  ok = ok && (!texts->parameters || EGifPutComment (gif, texts->parameters) == GIF_OK);
  return ok && (!texts->json || put_application (gif, APPLICATION, texts->json, strlen (texts->json)));
}

/* The part of a frame that differs from the one before: left, top, width, height; at least one pixel. */
static void
changed (const guint8 *now, const guint8 *before, int width, int height, int box[4])
{
  int left = width, right = -1, top = height, bottom = -1;

  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      if (now[(gsize) y * width + x] != before[(gsize) y * width + x])
        {
          left = MIN (left, x);
          right = MAX (right, x);
          top = MIN (top, y);
          bottom = MAX (bottom, y);
        }
  if (right < 0)
    left = right = top = bottom = 0;
  box[0] = left;
  box[1] = top;
  box[2] = right - left + 1;
  box[3] = bottom - top + 1;
}

static gboolean
put_frame (GifFileType *gif, guint8 *indices, int width, const int box[4], int centi)
{
  const GraphicsControlBlock control = { .DisposalMode = DISPOSE_DO_NOT, .DelayTime = centi,
                                         .TransparentColor = NO_TRANSPARENT_COLOR };
  GifByteType block[4];

  EGifGCBToExtension (&control, block);
  if (EGifPutExtension (gif, GRAPHICS_EXT_FUNC_CODE, sizeof block, block) != GIF_OK
      || EGifPutImageDesc (gif, box[0], box[1], box[2], box[3], false, NULL) != GIF_OK)
    return FALSE;
  for (int y = 0; y < box[3]; y++)
    if (EGifPutLine (gif, indices + (gsize) (box[1] + y) * width + box[0], box[2]) != GIF_OK)
      return FALSE;
  return TRUE;
}

static gboolean
put_frames (GifFileType *gif, const EaselGifPalette *palette, const EaselPicture *clip,
            const EaselVideoOptions *options, GError **error)
{
  const gsize pixels = (gsize) clip->width * clip->height;
  g_autofree guint8 *both = g_try_malloc (2 * pixels);
  const double centi = 100 / easel_video_fps (clip);
  int box[4] = { 0, 0, clip->width, clip->height };

  if (!both)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to write the animation");
      return FALSE;
    }
  for (int f = 0; f < clip->n_frames; f++)
    {
      guint8 *now = both + f % 2 * pixels;
      const int begin = (int) (f * centi + 0.5), end = (int) ((f + 1) * centi + 0.5);

      if (!easel_video_go_on (options, (double) f / clip->n_frames, error))
        return FALSE;
      easel_gif_palette_map (palette, clip, f, now);
      if (f > 0)
        changed (now, both + (f + 1) % 2 * pixels, clip->width, clip->height, box);
      if (!put_frame (gif, now, clip->width, box, CLAMP (end - begin, 1, MAX_CENTI)))
        return failed (error, gif->Error);
    }
  return TRUE;
}

gboolean
easel_video_gif_write (EaselPicture *clip, const char *path, const EaselVideoOptions *options,
                       const EaselImageTexts *texts, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  EaselGifPalette palette;
  GifFileType *gif;
  gboolean ok;
  int code = 0;

  if (!easel_gif_palette_init (&palette, clip, error))
    return FALSE;
  if ((gif = EGifOpen (bytes, write_cb, &code)))
    {
      ok = put_header (gif, &palette, clip, options->loops, texts) || failed (error, gif->Error);
      ok = ok && put_frames (gif, &palette, clip, options, error);
      if (EGifCloseFile (gif, &code) != GIF_OK && ok)
        ok = failed (error, code);
    }
  else
    ok = failed (error, code);
  easel_gif_palette_clear (&palette);
  return ok && easel_atomic_file_replace (path, bytes->data, bytes->len, options->overwrite, error)
         && easel_video_go_on (options, 1, error);
}

/* ------------------------------------------------------------------------------------------------------- reading */

typedef struct
{
  const guint8 *bytes;
  gsize size, at;
} Source;

static int
read_cb (GifFileType *gif, GifByteType *out, int n)
{
  Source *source = gif->UserData;

  n = (int) MIN ((gsize) MAX (n, 0), source->size - source->at);
  memcpy (out, source->bytes + source->at, (gsize) n);
  source->at += (gsize) n;
  return n;
}

static GifFileType *
open_gif (const char *path, Source *source, char **bytes, GError **error)
{
  GifFileType *gif;
  int code = 0;

  if (!(*bytes = easel_read_small_file (path, EASEL_IMAGE_MAX_FILE, &source->size, error)))
    return NULL;
  source->bytes = (const guint8 *) *bytes;
  if (!(gif = DGifOpen (source, read_cb, &code)))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as an animation: %s", path,
                 GifErrorString (code) ? GifErrorString (code) : "it is cut short");
  return gif;
}

/* The bytes of an extension, its sub-blocks in one, up to a bound; NULL when the file is damaged. */
static GByteArray *
read_extension (GifFileType *gif, int *kind)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  GifByteType *block;

  if (DGifGetExtension (gif, kind, &block) != GIF_OK)
    return NULL;
  while (block)
    {
      if (out->len + block[0] <= EASEL_IMAGE_MAX_TEXT)
        g_byte_array_append (out, block + 1, block[0]);
      if (DGifGetExtensionNext (gif, &block) != GIF_OK)
        return NULL;
    }
  return g_steal_pointer (&out);
}

typedef struct
{
  EaselVideoFrames frames;
  guint8 *canvas, *before; /* [height, width, 4]; `before`: to go back to */
  guint8 *line;
  GraphicsControlBlock control;
} Reader;

static void
reader_clear (Reader *self)
{
  easel_video_frames_clear (&self->frames);
  g_free (self->canvas);
  g_free (self->before);
  g_free (self->line);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reader, reader_clear)

static void
put_line (Reader *self, const GifFileType *gif, const ColorMapObject *map, int y)
{
  const GifImageDesc *image = &gif->Image;
  guint8 *out = self->canvas + ((gsize) (image->Top + y) * gif->SWidth + image->Left) * 4;

  for (int x = 0; x < image->Width; x++, out += 4)
    {
      const int index = self->line[x];

      if (index == self->control.TransparentColor || index >= map->ColorCount)
        continue;
      out[0] = map->Colors[index].Red;
      out[1] = map->Colors[index].Green;
      out[2] = map->Colors[index].Blue;
      out[3] = 255;
    }
}

/* One picture of the file onto the canvas, and the canvas into the clip. */
static gboolean
read_frame (Reader *self, GifFileType *gif, GError **error)
{
  static const int start[] = { 0, 4, 2, 1 }, stride[] = { 8, 8, 4, 2 };
  const gsize size = (gsize) gif->SWidth * gif->SHeight * 4;
  const GifImageDesc *image = &gif->Image;
  const ColorMapObject *map;
  const int passes = image->Interlace ? 4 : 1;
  int ms;

  map = image->ColorMap ? image->ColorMap : gif->SColorMap;
  if (!map || image->Left < 0 || image->Top < 0 || image->Width < 1 || image->Height < 1
      || image->Left + image->Width > gif->SWidth || image->Top + image->Height > gif->SHeight)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as an animation: a picture in it "
                   "contradicts its size", self->frames.path);
      return FALSE;
    }
  if (self->control.DisposalMode == DISPOSE_PREVIOUS)
    memcpy (self->before, self->canvas, size);
  for (int pass = 0; pass < passes; pass++)
    for (int y = image->Interlace ? start[pass] : 0; y < image->Height; y += image->Interlace ? stride[pass] : 1)
      {
        if (DGifGetLine (gif, self->line, image->Width) != GIF_OK)
          {
            g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as an animation: it is cut short",
                         self->frames.path);
            return FALSE;
          }
        put_line (self, gif, map, y);
      }
  /* Browsers show what claims to be faster than 50 frames a second at 10. */
  ms = self->control.DelayTime < 2 ? 100 : self->control.DelayTime * 10;
  if (!easel_video_frames_add (&self->frames, self->canvas, ms, error))
    return FALSE;
  if (self->control.DisposalMode == DISPOSE_PREVIOUS)
    memcpy (self->canvas, self->before, size);
  else if (self->control.DisposalMode == DISPOSE_BACKGROUND)
    for (int y = 0; y < image->Height; y++)
      memset (self->canvas + ((gsize) (image->Top + y) * gif->SWidth + image->Left) * 4, 0, (gsize) image->Width * 4);
  self->control = (GraphicsControlBlock){ .TransparentColor = NO_TRANSPARENT_COLOR };
  return TRUE;
}

static gboolean
read_frames (Reader *self, GifFileType *gif, int max_frames, GError **error)
{
  GifRecordType record;

  while ((int) self->frames.n < max_frames && DGifGetRecordType (gif, &record) == GIF_OK)
    {
      g_autoptr (GByteArray) extension = NULL;
      int kind;

      if (record == TERMINATE_RECORD_TYPE)
        return TRUE;
      if (record == IMAGE_DESC_RECORD_TYPE)
        {
          if (DGifGetImageDesc (gif) != GIF_OK)
            break;
          if (!read_frame (self, gif, error))
            return FALSE;
        }
      else if (record == EXTENSION_RECORD_TYPE)
        {
          if (!(extension = read_extension (gif, &kind)))
            break;
          if (kind == GRAPHICS_EXT_FUNC_CODE && extension->len == 4)
            DGifExtensionToGCB (extension->len, extension->data, &self->control);
        }
    }
  return TRUE; /* what there is of a file that is cut short */
}

EaselPicture *
easel_video_gif_read (const char *path, int max_frames, GError **error)
{
  g_auto (Reader) reader = { .control = { .TransparentColor = NO_TRANSPARENT_COLOR } };
  g_autofree char *bytes = NULL;
  Source source = { 0 };
  GifFileType *gif = open_gif (path, &source, &bytes, error);
  EaselPicture *clip = NULL;
  gsize size;

  if (!gif)
    return NULL;
  size = (gsize) gif->SWidth * gif->SHeight * 4;
  if (easel_video_frames_init (&reader.frames, path, gif->SWidth, gif->SHeight, error))
    {
      reader.canvas = g_try_malloc0 (size);
      reader.before = g_try_malloc (size);
      reader.line = g_try_malloc ((gsize) gif->SWidth);
      if (!reader.canvas || !reader.before || !reader.line)
        g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read %s", path);
      else if (read_frames (&reader, gif, max_frames, error))
        {
          if (reader.frames.n > 0)
            clip = easel_video_frames_finish (&reader.frames, max_frames, error);
          else
            g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as an animation: it is cut short",
                         path);
        }
    }
  DGifCloseFile (gif, NULL);
  return clip;
}

GHashTable *
easel_video_gif_read_texts (const char *path, GError **error)
{
  g_autofree char *bytes = NULL;
  Source source = { 0 };
  GifFileType *gif = open_gif (path, &source, &bytes, error);
  const gsize name = strlen (APPLICATION);
  GifRecordType record;
  GHashTable *texts;

  if (!gif)
    return NULL;
  texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  /* Texts stand before the first picture. */
  while (DGifGetRecordType (gif, &record) == GIF_OK && record == EXTENSION_RECORD_TYPE)
    {
      int kind;
      g_autoptr (GByteArray) extension = read_extension (gif, &kind);

      if (!extension)
        break;
      if (kind == COMMENT_EXT_FUNC_CODE)
        easel_image_add_text (texts, "parameters", (const char *) extension->data, extension->len);
      else if (kind == APPLICATION_EXT_FUNC_CODE && extension->len > name
               && memcmp (extension->data, APPLICATION, name) == 0)
        easel_image_add_text (texts, "easel", (const char *) extension->data + name, extension->len - name);
    }
  DGifCloseFile (gif, NULL);
  return texts;
}
