/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * WebP through libwebp, its Exif and XMP chunks through libwebpmux. Pixels are sRGB by the format's definition, since
 * no colour profile is stored.
 */
#include "engine/media/image-private.h"

#include <string.h>

#include <webp/decode.h>
#include <webp/encode.h>
#include <webp/mux.h>

static const char *const endings[] = { "webp", NULL };

static gboolean
recognise (const guint8 *data, gsize size)
{
  return size >= 12 && memcmp (data, "RIFF", 4) == 0 && memcmp (data + 8, "WEBP", 4) == 0;
}

static gboolean
fail_encode (GError **error, const char *why)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "Cannot encode the picture as WebP: %s.", why);
  return FALSE;
}

static const char *
encoding_reason (WebPEncodingError code)
{
  switch (code)
    {
    case VP8_ENC_ERROR_OUT_OF_MEMORY:
    case VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY:
      return "not enough memory";
    case VP8_ENC_ERROR_PARTITION0_OVERFLOW:
    case VP8_ENC_ERROR_PARTITION_OVERFLOW:
    case VP8_ENC_ERROR_FILE_TOO_BIG:
      return "the format cannot hold so much detail at this size; choose a lower quality or PNG";
    case VP8_ENC_ERROR_BAD_DIMENSION:
      return "the format cannot hold this size";
    default:
      return "the encoder failed";
    }
}

/* The bare picture into `memory`, which the caller clears whatever happens. */
static gboolean
encode (const EaselPicture *picture, int quality, WebPMemoryWriter *memory, GError **error)
{
  WebPConfig config;
  WebPPicture source;
  gboolean ok;

  if (!WebPConfigPreset (&config, WEBP_PRESET_DEFAULT, (float) quality) || !WebPPictureInit (&source))
    return fail_encode (error, "another version of the library is installed than this program was built for");
  if (quality == 100)
    ok = WebPConfigLosslessPreset (&config, 6);
  else
    {
      config.use_sharp_yuv = 1; /* thin coloured lines keep their edges */
      ok = TRUE;
    }
  source.width = picture->width;
  source.height = picture->height;
  source.use_argb = 1;
  source.writer = WebPMemoryWrite;
  source.custom_ptr = memory;
  ok = ok && WebPValidateConfig (&config);
  if (!ok)
    fail_encode (error, "the encoder refuses its settings");
  else if (!(ok = WebPPictureImportRGB (&source, picture->rgb, picture->width * 3) && WebPEncode (&config, &source)))
    fail_encode (error, encoding_reason (source.error_code));
  WebPPictureFree (&source);
  return ok;
}

static gboolean
set_chunk (WebPMux *mux, const char *id, const void *data, gsize size)
{
  WebPData chunk = { .bytes = data, .size = size };

  return WebPMuxSetChunk (mux, id, &chunk, 1) == WEBP_MUX_OK;
}

static gboolean
assemble (const WebPMemoryWriter *memory, const EaselImageTexts *texts, WebPData *out, GError **error)
{
  WebPData bare = { .bytes = memory->mem, .size = memory->size };
  WebPMux *mux = WebPMuxNew ();
  gboolean ok = mux && WebPMuxSetImage (mux, &bare, 0) == WEBP_MUX_OK;

  if (ok && texts->parameters)
    {
      g_autoptr (GBytes) exif = easel_exif_build (texts->parameters);
      gsize size;
      gconstpointer data = g_bytes_get_data (exif, &size);

      ok = set_chunk (mux, "EXIF", data, size);
    }
  if (ok && texts->json)
    {
      g_autofree char *packet = easel_xmp_build (&(EaselImageTexts){ .json = texts->json });

      ok = set_chunk (mux, "XMP ", packet, strlen (packet));
    }
  ok = ok && WebPMuxAssemble (mux, out) == WEBP_MUX_OK;
  WebPMuxDelete (mux);
  return ok || fail_encode (error, "not enough memory");
}

static gboolean
write_webp (const EaselPicture *picture, const EaselImageTexts *texts, int quality, EaselAtomicFile *file,
            GError **error)
{
  WebPMemoryWriter memory;
  WebPData whole = { 0 };
  gboolean ok;

  WebPMemoryWriterInit (&memory);
  ok = encode (picture, quality, &memory, error);
  if (ok && (texts->parameters || texts->json))
    ok = assemble (&memory, texts, &whole, error) && easel_atomic_file_write (file, whole.bytes, whole.size, error);
  else if (ok)
    ok = easel_atomic_file_write (file, memory.mem, memory.size, error);
  WebPDataClear (&whole);
  WebPMemoryWriterClear (&memory);
  return ok;
}

static EaselPicture *
read_webp (const guint8 *data, gsize size, const char *where, GError **error)
{
  WebPBitstreamFeatures features;
  g_autoptr (EaselPicture) picture = NULL;

  if (WebPGetFeatures (data, size, &features) != VP8_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is a damaged WebP file: its header cannot be read.",
                   where);
      return NULL;
    }
  if (features.has_animation)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s is an animation, not a picture.", where);
      return NULL;
    }
  picture = easel_image_new_picture (features.width, features.height, where, error);
  if (picture == NULL)
    return NULL;
  if (WebPDecodeRGBInto (data, size, picture->rgb, (size_t) picture->width * picture->height * 3, picture->width * 3)
      == NULL)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                   "%s is a damaged WebP file: its pixels are cut short or contradict themselves.", where);
      return NULL;
    }
  return g_steal_pointer (&picture);
}

static gboolean
read_texts (const guint8 *data, gsize size, const char *where, GHashTable *texts, GError **error)
{
  WebPData whole = { .bytes = data, .size = size };
  WebPMux *mux = WebPMuxCreate (&whole, 0);
  WebPData chunk;

  if (mux == NULL)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                   "%s is a damaged WebP file: it is cut short or its chunks contradict each other.", where);
      return FALSE;
    }
  if (WebPMuxGetChunk (mux, "EXIF", &chunk) == WEBP_MUX_OK)
    {
      g_autofree char *comment = easel_exif_parse (chunk.bytes, chunk.size);

      if (comment)
        easel_image_add_text (texts, "parameters", comment, strlen (comment));
    }
  if (WebPMuxGetChunk (mux, "XMP ", &chunk) == WEBP_MUX_OK)
    easel_xmp_parse (chunk.bytes, chunk.size, texts);
  g_hash_table_remove (texts, EASEL_XMP_EXTENDED);
  WebPMuxDelete (mux);
  return TRUE;
}

const EaselImageFormat easel_image_webp = {
  .name = "WebP",
  .endings = endings,
  .max_side = WEBP_MAX_DIMENSION,
  .recognise = recognise,
  .write = write_webp,
  .read = read_webp,
  .read_texts = read_texts,
};
