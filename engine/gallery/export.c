/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/gallery/export.h"

#include <string.h>

#include "engine/gallery/gallery-private.h"
#include "engine/media/atomic-file.h"
#include "engine/media/image-file.h"
#include "engine/media/video-file.h"

#define MAX_CLIP_FRAMES 2000 /* held in memory to be encoded again */

static const char *
ending_of (const char *path)
{
  const char *dot = strrchr (path, '.');
  return dot && !strchr (dot, G_DIR_SEPARATOR) ? dot + 1 : "";
}

/* "jpeg" and "JPG" are "jpg". */
static gboolean
same_format (const char *a, const char *b)
{
  if (g_ascii_strcasecmp (a, "jpeg") == 0)
    a = "jpg";
  if (g_ascii_strcasecmp (b, "jpeg") == 0)
    b = "jpg";
  return g_ascii_strcasecmp (a, b) == 0;
}

static gboolean
copy_bytes (const char *source, const char *target, gboolean overwrite, GCancellable *cancellable, GError **error)
{
  g_autoptr (GFile) from = g_file_new_for_path (source);
  g_autoptr (GError) problem = NULL;
  g_autoptr (GFileInputStream) in = g_file_read (from, cancellable, &problem);
  g_autoptr (EaselAtomicFile) out = NULL;
  g_autofree guint8 *block = g_malloc (1 << 16);
  gssize n = 0;

  if (in && !(out = easel_atomic_file_open (target, overwrite, error)))
    return FALSE;
  while (in && (n = g_input_stream_read (G_INPUT_STREAM (in), block, 1 << 16, cancellable, &problem)) > 0)
    if (!easel_atomic_file_write (out, block, (gsize) n, error))
      return FALSE;
  if (!in || n < 0)
    {
      g_set_error (error, EASEL_ERROR,
                   g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_CANCELLED)   ? EASEL_ERROR_CANCELLED
                   : g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ? EASEL_ERROR_NOT_FOUND
                                                                                 : EASEL_ERROR_IO,
                   "%s cannot be read: %s.", source, problem->message);
      return FALSE;
    }
  return easel_atomic_file_commit (out, error);
}

static gboolean
export_clip (const char *source, const char *target, const EaselExportOptions *options, GCancellable *cancellable,
             GError **error)
{
  const EaselVideoOptions video = { .no_metadata = TRUE, .overwrite = options->overwrite, .cancellable = cancellable };
  g_autoptr (EaselPicture) clip = NULL;

  if (!same_format (ending_of (source), ending_of (target)))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "%s is a clip: it can be exported as .%s, not as .%s.", source, ending_of (source),
                   ending_of (target));
      return FALSE;
    }
  if (!options->no_metadata)
    return copy_bytes (source, target, options->overwrite, cancellable, error);
  clip = easel_video_read (source, MAX_CLIP_FRAMES + 1, error);
  if (!clip)
    return FALSE;
  if (clip->n_frames > MAX_CLIP_FRAMES)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "%s has more than %d frames; it can only be exported with its settings inside.", source,
                   MAX_CLIP_FRAMES);
      return FALSE;
    }
  return easel_video_write (clip, target, &video, error);
}

gboolean
easel_gallery_export (const char *source, const char *target, const EaselExportOptions *options,
                      GCancellable *cancellable, GError **error)
{
  const EaselExportOptions usual = { 0 };
  const EaselExportOptions *o = options ? options : &usual;
  const EaselImageOptions image = { .quality = o->quality, .no_metadata = o->no_metadata, .overwrite = o->overwrite };
  EaselItemKind kind = EASEL_ITEM_PICTURE;
  g_autoptr (EaselPicture) picture = NULL;

  if (g_cancellable_is_cancelled (cancellable))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_CANCELLED, "The export was stopped.");
      return FALSE;
    }
  easel_gallery_kind_of (source, &kind);
  if (kind == EASEL_ITEM_CLIP)
    return export_clip (source, target, o, cancellable, error);
  if (!o->no_metadata && same_format (ending_of (source), ending_of (target)) && !o->quality)
    return copy_bytes (source, target, o->overwrite, cancellable, error);
  picture = easel_image_can_write (target, error) ? easel_image_read (source, error) : NULL;
  return picture && easel_image_write (picture, target, &image, error);
}

char *
easel_gallery_export_name (const char *source, const char *folder, const char *format)
{
  EaselItemKind kind = EASEL_ITEM_PICTURE;
  g_autofree char *base = g_path_get_basename (source);
  char *dot = strrchr (base, '.');
  g_autofree char *ending = NULL;
  char *path = NULL;

  easel_gallery_kind_of (source, &kind);
  ending = g_strdup (format && kind == EASEL_ITEM_PICTURE ? format : ending_of (source));
  if (dot)
    *dot = '\0';
  for (int n = 1; !path || g_file_test (path, G_FILE_TEST_EXISTS); n++)
    {
      g_autofree char *number = n > 1 ? g_strdup_printf (" (%d)", n) : g_strdup ("");
      g_autofree char *name = g_strdup_printf ("%s%s.%s", base, number, ending);

      g_free (path);
      path = g_build_filename (folder, name, NULL);
    }
  return path;
}
