/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JPEG through libjpeg. The request travels as Exif UserComment (what other tools read) and XMP. A segment holds
 * 64 KiB: a longer UserComment is left to XMP, and a longer XMP packet goes into extended segments, as Adobe's "XMP
 * Specification Part 3" describes for JPEG.
 */
#include "engine/media/image-private.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#define MAX_SEGMENT 65533 /* payload of a marker */
#define MAX_SCANS 200     /* progressive files of a few bytes can ask for thousands */
#define EXIF_HEADER "Exif\0"            /* and the NUL of the literal */
#define XMP_HEADER "http://ns.adobe.com/xap/1.0/"
#define EXTENDED_HEADER "http://ns.adobe.com/xmp/extension/"
#define DIGEST_LENGTH 32
#define BUFFER_SIZE (64 << 10)

static const char *const endings[] = { "jpg", "jpeg", "jpe", "jfif", NULL };

typedef struct
{
  struct jpeg_error_mgr base; /* first: libjpeg hands out a pointer to it */
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  GError *error; /* of the file, when that failed */
} Errors;

typedef struct
{
  struct jpeg_destination_mgr base;
  EaselAtomicFile *file;
  guint8 buffer[BUFFER_SIZE];
} Destination;

static gboolean
recognise (const guint8 *data, gsize size)
{
  return size >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff;
}

G_NORETURN static void
error_exit_cb (j_common_ptr cinfo)
{
  Errors *errors = (Errors *) cinfo->err;

  cinfo->err->format_message (cinfo, errors->message);
  longjmp (errors->jump, 1);
}

/* libjpeg paints over what is missing and warns; half a picture is not a picture here. */
static void
emit_message_cb (j_common_ptr cinfo, int level)
{
  if (level < 0 && cinfo->err->msg_code != JWRN_EXTRANEOUS_DATA)
    error_exit_cb (cinfo);
}

static struct jpeg_error_mgr *
errors_init (Errors *errors)
{
  jpeg_std_error (&errors->base);
  errors->base.error_exit = error_exit_cb;
  errors->base.emit_message = emit_message_cb;
  return &errors->base;
}

static void
init_destination_cb (j_compress_ptr cinfo)
{
  Destination *destination = (Destination *) cinfo->dest;

  destination->base.next_output_byte = destination->buffer;
  destination->base.free_in_buffer = BUFFER_SIZE;
}

static void
flush_destination (j_compress_ptr cinfo, gsize n)
{
  Destination *destination = (Destination *) cinfo->dest;
  Errors *errors = (Errors *) cinfo->err;

  if (!easel_atomic_file_write (destination->file, destination->buffer, n, &errors->error))
    ERREXIT (cinfo, JERR_FILE_WRITE);
}

static boolean
empty_output_cb (j_compress_ptr cinfo)
{
  flush_destination (cinfo, BUFFER_SIZE);
  init_destination_cb (cinfo);
  return TRUE;
}

static void
term_destination_cb (j_compress_ptr cinfo)
{
  flush_destination (cinfo, BUFFER_SIZE - cinfo->dest->free_in_buffer);
}

/* One APP1 segment of `header` (its NUL included) and data. */
static void
append_segment (GPtrArray *segments, const char *header, gsize header_size, const void *data, gsize size)
{
  GByteArray *segment = g_byte_array_new ();

  g_byte_array_append (segment, (const guint8 *) header, (guint) header_size);
  g_byte_array_append (segment, data, (guint) size);
  g_ptr_array_add (segments, g_byte_array_free_to_bytes (segment));
}

static void
append_u32 (GString *out, gsize value)
{
  for (int shift = 24; shift >= 0; shift -= 8)
    g_string_append_c (out, (char) (value >> shift));
}

static void
append_xmp (GPtrArray *segments, const EaselImageTexts *texts)
{
  g_autofree char *packet = easel_xmp_build (texts);
  gsize size = strlen (packet);
  gsize part = MAX_SEGMENT - sizeof EXTENDED_HEADER - DIGEST_LENGTH - 8;
  g_autofree char *digest = NULL;
  g_autofree char *pointer = NULL;

  if (size <= MAX_SEGMENT - sizeof XMP_HEADER)
    {
      append_segment (segments, XMP_HEADER, sizeof XMP_HEADER, packet, size);
      return;
    }
  /* MD5 is what the format asks for; it only tells packets apart. */
  digest = g_compute_checksum_for_data (G_CHECKSUM_MD5, (const guchar *) packet, size);
  for (char *c = digest; *c; c++)
    *c = g_ascii_toupper (*c);
  pointer = easel_xmp_build_pointer (digest);
  append_segment (segments, XMP_HEADER, sizeof XMP_HEADER, pointer, strlen (pointer));
  for (gsize offset = 0; offset < size; offset += part)
    {
      g_autoptr (GString) header = g_string_new_len (EXTENDED_HEADER, sizeof EXTENDED_HEADER);

      g_string_append (header, digest);
      append_u32 (header, size);
      append_u32 (header, offset);
      append_segment (segments, header->str, header->len, packet + offset, MIN (part, size - offset));
    }
}

/* What goes into APP1 segments, GBytes each. */
static GPtrArray *
make_segments (const EaselImageTexts *texts)
{
  GPtrArray *segments = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  EaselImageTexts xmp = { .json = texts->json };

  if (texts->parameters)
    {
      g_autoptr (GBytes) exif = easel_exif_build (texts->parameters);
      gsize size;
      gconstpointer data = g_bytes_get_data (exif, &size);

      if (size <= MAX_SEGMENT - sizeof EXIF_HEADER)
        append_segment (segments, EXIF_HEADER, sizeof EXIF_HEADER, data, size);
      else
        xmp.parameters = texts->parameters;
    }
  if (xmp.json || xmp.parameters)
    append_xmp (segments, &xmp);
  return segments;
}

static void
compress (j_compress_ptr cinfo, const EaselPicture *picture, GPtrArray *segments, int quality)
{
  cinfo->image_width = (JDIMENSION) picture->width;
  cinfo->image_height = (JDIMENSION) picture->height;
  cinfo->input_components = 3;
  cinfo->in_color_space = JCS_RGB;
  jpeg_set_defaults (cinfo);
  jpeg_set_quality (cinfo, quality, TRUE);
  cinfo->optimize_coding = TRUE;
  cinfo->dct_method = JDCT_ISLOW;
  /* Colour at full resolution where quality is asked for; drawings and letters suffer first. */
  cinfo->comp_info[0].h_samp_factor = quality >= 90 ? 1 : 2;
  cinfo->comp_info[0].v_samp_factor = quality >= 90 ? 1 : 2;

  jpeg_start_compress (cinfo, TRUE);
  for (guint i = 0; i < segments->len; i++)
    {
      gsize size;
      gconstpointer data = g_bytes_get_data (g_ptr_array_index (segments, i), &size);

      jpeg_write_marker (cinfo, JPEG_APP0 + 1, data, (unsigned) size);
    }
  while (cinfo->next_scanline < cinfo->image_height)
    {
      JSAMPROW row = picture->rgb + (gsize) cinfo->next_scanline * picture->width * 3;

      jpeg_write_scanlines (cinfo, &row, 1);
    }
  jpeg_finish_compress (cinfo);
}

static gboolean
write_jpeg (const EaselPicture *picture, const EaselImageTexts *texts, int quality, EaselAtomicFile *file,
            GError **error)
{
  struct jpeg_compress_struct cinfo = { 0 };
  Errors errors = { 0 };
  Destination *destination = g_new0 (Destination, 1);
  GPtrArray *segments = make_segments (texts);

  destination->file = file;
  destination->base.init_destination = init_destination_cb;
  destination->base.empty_output_buffer = empty_output_cb;
  destination->base.term_destination = term_destination_cb;
  cinfo.err = errors_init (&errors);
  if (setjmp (errors.jump) == 0)
    {
      jpeg_create_compress (&cinfo);
      cinfo.dest = &destination->base;
      compress (&cinfo, picture, segments, quality);
    }
  jpeg_destroy_compress (&cinfo);
  g_ptr_array_unref (segments);
  g_free (destination);

  if (errors.error)
    {
      g_propagate_error (error, errors.error);
      return FALSE;
    }
  if (errors.message[0])
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "Cannot encode the picture as JPEG: %s.", errors.message);
      return FALSE;
    }
  return TRUE;
}

static gboolean
fail_read (const char *where, const char *why, GError **error)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is a damaged JPEG file: %s.", where, why);
  return FALSE;
}

static void
count_scans_cb (j_common_ptr cinfo)
{
  if (cinfo->is_decompressor && ((j_decompress_ptr) cinfo)->input_scan_number > MAX_SCANS)
    ERREXIT (cinfo, JERR_BAD_PROGRESSION);
}

/* Errors jump past it. Returns NULL with *refused set when the picture cannot be held. */
static EaselPicture *
decompress (j_decompress_ptr cinfo, const guint8 *data, gsize size, const char *where, EaselPicture *volatile *keep,
            GError **refused)
{
  EaselPicture *picture;

  jpeg_mem_src (cinfo, data, size);
  jpeg_read_header (cinfo, TRUE);
  if (cinfo->jpeg_color_space == JCS_CMYK || cinfo->jpeg_color_space == JCS_YCCK)
    {
      g_set_error (refused, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s holds print colours (CMYK); save it as RGB.",
                   where);
      return NULL;
    }
  picture = *keep = easel_image_new_picture (cinfo->image_width, cinfo->image_height, where, refused);
  if (picture == NULL)
    return NULL;
  cinfo->out_color_space = JCS_RGB;
  cinfo->dct_method = JDCT_ISLOW;
  jpeg_start_decompress (cinfo);
  while (cinfo->output_scanline < cinfo->output_height)
    {
      JSAMPROW row = picture->rgb + (gsize) cinfo->output_scanline * picture->width * 3;

      jpeg_read_scanlines (cinfo, &row, 1);
    }
  jpeg_finish_decompress (cinfo);
  return picture;
}

static EaselPicture *
read_jpeg (const guint8 *data, gsize size, const char *where, GError **error)
{
  struct jpeg_decompress_struct cinfo = { 0 };
  struct jpeg_progress_mgr progress = { .progress_monitor = count_scans_cb };
  Errors errors = { 0 };
  EaselPicture *volatile picture = NULL;

  cinfo.err = errors_init (&errors);
  if (setjmp (errors.jump) == 0)
    {
      jpeg_create_decompress (&cinfo);
      cinfo.progress = &progress;
      cinfo.mem->max_memory_to_use = 8l * EASEL_IMAGE_MAX_PIXELS; /* coefficients of a progressive file */
      decompress (&cinfo, data, size, where, &picture, &errors.error);
    }
  jpeg_destroy_decompress (&cinfo);
  if (errors.error == NULL && errors.message[0] == '\0')
    return picture;

  if (errors.error)
    g_propagate_error (error, errors.error);
  else
    fail_read (where, errors.message, error);
  g_clear_pointer ((EaselPicture **) &picture, easel_picture_unref);
  return NULL;
}

/* The pieces of an extended XMP packet, put where their offsets say. */
typedef struct
{
  char *digest;
  guint8 *data;
  guint8 *have; /* one for each byte: pieces may come in any order, must not overlap and must be complete */
  gsize size, filled;
} Extended;

static guint32
get_u32 (const guint8 *data)
{
  return (guint32) data[0] << 24 | (guint32) data[1] << 16 | (guint32) data[2] << 8 | data[3];
}

static void
add_extended (Extended *extended, const guint8 *data, gsize size)
{
  gsize total, offset;

  if (extended->digest == NULL || size < DIGEST_LENGTH + 8
      || memcmp (data, extended->digest, DIGEST_LENGTH) != 0)
    return;
  total = get_u32 (data + DIGEST_LENGTH);
  offset = get_u32 (data + DIGEST_LENGTH + 4);
  data += DIGEST_LENGTH + 8;
  size -= DIGEST_LENGTH + 8;
  if (extended->data == NULL)
    {
      if (total == 0 || total > EASEL_IMAGE_MAX_TEXT)
        return;
      extended->data = g_malloc0 (total);
      extended->have = g_malloc0 (total);
      extended->size = total;
    }
  if (total != extended->size || offset > total || size > total - offset
      || memchr (extended->have + offset, 1, size) != NULL)
    return;
  memcpy (extended->data + offset, data, size);
  memset (extended->have + offset, 1, size);
  extended->filled += size;
}

static gboolean
starts_with (const guint8 *data, gsize size, const char *header, gsize header_size)
{
  return size >= header_size && memcmp (data, header, header_size) == 0;
}

static void
read_segment (const guint8 *data, gsize size, GHashTable *texts, Extended *extended)
{
  if (starts_with (data, size, EXIF_HEADER, sizeof EXIF_HEADER))
    {
      g_autofree char *comment = easel_exif_parse (data, size);

      if (comment)
        easel_image_add_text (texts, "parameters", comment, strlen (comment));
    }
  else if (starts_with (data, size, XMP_HEADER, sizeof XMP_HEADER))
    {
      easel_xmp_parse (data + sizeof XMP_HEADER, size - sizeof XMP_HEADER, texts);
      if (extended->digest == NULL)
        {
          const char *digest = g_hash_table_lookup (texts, EASEL_XMP_EXTENDED);

          if (digest && strlen (digest) == DIGEST_LENGTH)
            extended->digest = g_strdup (digest);
        }
    }
  else if (starts_with (data, size, EXTENDED_HEADER, sizeof EXTENDED_HEADER))
    add_extended (extended, data + sizeof EXTENDED_HEADER, size - sizeof EXTENDED_HEADER);
}

/* Walks the markers up to the pixels; libjpeg could do it, but would want to see a complete header first. */
static gboolean
read_texts (const guint8 *data, gsize size, const char *where G_GNUC_UNUSED, GHashTable *texts,
            GError **error G_GNUC_UNUSED)
{
  Extended extended = { 0 };
  gsize at = 2;

  while (size - at >= 4 && data[at] == 0xff)
    {
      guint8 marker = data[at + 1];
      gsize length = (gsize) data[at + 2] << 8 | data[at + 3];

      if (marker == 0xff) /* fill byte */
        {
          at++;
          continue;
        }
      if (marker == 0xda || marker == 0xd9 || length < 2 || length > size - at - 2)
        break;
      if (marker == 0xe1)
        read_segment (data + at + 4, length - 2, texts, &extended);
      at += 2 + length;
    }
  if (extended.data && extended.filled == extended.size)
    easel_xmp_parse (extended.data, extended.size, texts);
  g_hash_table_remove (texts, EASEL_XMP_EXTENDED);
  g_free (extended.digest);
  g_free (extended.data);
  g_free (extended.have);
  return TRUE;
}

const EaselImageFormat easel_image_jpeg = {
  .name = "JPEG",
  .endings = endings,
  .max_side = 65500,
  .recognise = recognise,
  .write = write_jpeg,
  .read = read_jpeg,
  .read_texts = read_texts,
};
