/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/media/image-private.h"

#include <string.h>

#include "engine/core/files.h"

#define DEFAULT_QUALITY 92

static const EaselImageFormat *const formats[] = { &easel_image_png, &easel_image_jpeg, &easel_image_webp };

static const EaselImageFormat *
format_of_name (const char *path)
{
  const char *dot = strrchr (path, '.');

  if (dot == NULL || strchr (dot, '/'))
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    for (guint k = 0; formats[i]->endings[k]; k++)
      if (g_ascii_strcasecmp (dot + 1, formats[i]->endings[k]) == 0)
        return formats[i];
  return NULL;
}

gboolean
easel_image_can_write (const char *path, GError **error)
{
  if (format_of_name (path))
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
               "The ending of %s names no picture format. Use .png, .jpg or .webp.", path);
  return FALSE;
}

gboolean
easel_image_write (EaselPicture *picture, const char *path, const EaselImageOptions *options, GError **error)
{
  static const EaselImageOptions defaults = { 0 };
  const EaselImageFormat *format = format_of_name (path);
  g_autoptr (EaselAtomicFile) file = NULL;
  g_autofree char *parameters = NULL;
  g_autofree char *json = NULL;
  int quality;

  if (options == NULL)
    options = &defaults;
  if (format == NULL)
    return easel_image_can_write (path, error);
  quality = options->quality == 0 ? DEFAULT_QUALITY : options->quality;
  if (quality < 1 || quality > 100)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "The quality must be from 1 to 100, not %d.", quality);
      return FALSE;
    }
  if (picture->width > format->max_side || picture->height > format->max_side)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "A %s file holds at most %d pixels on a side, the picture has %d × %d. Use .png.", format->name,
                   format->max_side, picture->width, picture->height);
      return FALSE;
    }
  if (!options->no_metadata && picture->request)
    {
      parameters = easel_request_to_parameters (picture->request);
      json = easel_request_to_json (picture->request);
    }

  file = easel_atomic_file_open (path, options->overwrite, error);
  return file != NULL
         && format->write (picture, &(EaselImageTexts){ .parameters = parameters, .json = json }, quality, file, error)
         && easel_atomic_file_commit (file, error);
}

EaselPicture *
easel_image_new_picture (gint64 width, gint64 height, const char *where, GError **error)
{
  if (width < 1 || height < 1 || width > EASEL_IMAGE_MAX_SIDE || height > EASEL_IMAGE_MAX_SIDE
      || width * height > EASEL_IMAGE_MAX_PIXELS)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                   "%s says it has %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT
                   " pixels, more than is read (%d on a side, %d million in all).",
                   where, width, height, EASEL_IMAGE_MAX_SIDE, (int) (EASEL_IMAGE_MAX_PIXELS / 1000000));
      return NULL;
    }
  return easel_picture_new ((int) width, (int) height, 1, error);
}

void
easel_image_add_text (GHashTable *texts, const char *key, const char *value, gsize length)
{
  GHashTableIter iter;
  gpointer there_key, there;
  gsize total = length;

  if (length > EASEL_IMAGE_MAX_TEXT || g_hash_table_contains (texts, key)
      || !g_utf8_validate_len (value, length, NULL) || !g_utf8_validate (key, -1, NULL))
    return;
  /* A file has a few dozen texts at most, so counting again is cheaper than carrying a total around. */
  g_hash_table_iter_init (&iter, texts);
  while (g_hash_table_iter_next (&iter, &there_key, &there))
    total += strlen (there);
  if (total <= EASEL_IMAGE_MAX_TEXTS)
    g_hash_table_insert (texts, g_strdup (key), g_strndup (value, length));
}

static guint8 *
load (const char *path, gsize *size, GError **error)
{
  return (guint8 *) easel_read_small_file (path, EASEL_IMAGE_MAX_FILE, size, error);
}

static const EaselImageFormat *
recognise (const guint8 *data, gsize size, const char *where, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    if (formats[i]->recognise (data, size))
      return formats[i];
  if (size == 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is empty.", where);
  else
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s is not a PNG, JPEG or WebP picture.", where);
  return NULL;
}

static EaselRequest *
request_of (GHashTable *texts, GError **error)
{
  const char *json = g_hash_table_lookup (texts, "easel");
  const char *parameters = g_hash_table_lookup (texts, "parameters");

  if (json)
    return easel_request_from_json (json, strlen (json), error);
  if (parameters)
    return easel_request_from_parameters (parameters, strlen (parameters), error);
  g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "It does not say what it was made from.");
  return NULL;
}

EaselPicture *
easel_image_read (const char *path, GError **error)
{
  g_autofree guint8 *data = NULL;
  gsize size;
  const EaselImageFormat *format;
  g_autoptr (EaselPicture) picture = NULL;
  g_autoptr (GHashTable) texts = NULL;

  if ((data = load (path, &size, error)) == NULL || (format = recognise (data, size, path, error)) == NULL
      || (picture = format->read (data, size, path, error)) == NULL)
    return NULL;
  /* Pixels without a readable request are still a picture. */
  texts = easel_image_parse_texts (data, size, path, NULL);
  if (texts)
    picture->request = request_of (texts, NULL);
  return g_steal_pointer (&picture);
}

GHashTable *
easel_image_parse_texts (const void *data, gsize size, const char *where, GError **error)
{
  g_autoptr (GHashTable) texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  const EaselImageFormat *format = recognise (data, size, where, error);

  if (format == NULL || !format->read_texts (data, size, where, texts, error))
    return NULL;
  return g_steal_pointer (&texts);
}

GHashTable *
easel_image_read_texts (const char *path, GError **error)
{
  gsize size;
  g_autofree guint8 *data = load (path, &size, error);

  return data ? easel_image_parse_texts (data, size, path, error) : NULL;
}

EaselRequest *
easel_image_read_request (const char *path, GError **error)
{
  g_autoptr (GHashTable) texts = easel_image_read_texts (path, error);
  EaselRequest *request;

  if (texts == NULL)
    return NULL;
  request = request_of (texts, error);
  if (request == NULL)
    g_prefix_error (error, "%s: ", path);
  return request;
}
