/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/large-picture.h"

#include <stdlib.h>

#include "engine/media/image-file.h"
#include "engine/media/video-file.h"

#define BRIGHTER 4 /* differences are shown this many times as large */

GdkTexture *
easel_large_picture_to_texture (const EaselPicture *picture, GError **error)
{
  gsize n = (gsize) picture->width * (gsize) picture->height, stride = (gsize) picture->width * 4;
  guint32 *pixels = g_try_malloc (n * 4);
  g_autoptr (GBytes) bytes = NULL;

  if (!pixels)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "There is not enough memory to show %d × %d pixels.",
                   picture->width, picture->height);
      return NULL;
    }
  for (gsize i = 0; i < n; i++)
    {
      const guint8 *p = picture->rgb + i * 3;
      pixels[i] = 0xff000000u | (guint32) p[0] << 16 | (guint32) p[1] << 8 | p[2];
    }
  bytes = g_bytes_new_take (pixels, n * 4);
  return gdk_memory_texture_new (picture->width, picture->height, GDK_MEMORY_DEFAULT, bytes, stride);
}

static EaselPicture *
read_any (const char *path, GError **error)
{
  return easel_video_is_container (path) && !g_str_has_suffix (path, ".webp") ? easel_video_read (path, 1, error)
                                                                              : easel_image_read (path, error);
}

static void
load_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  g_autoptr (EaselPicture) picture = NULL;
  GdkTexture *texture;

  if (g_task_return_error_if_cancelled (task))
    return;
  picture = read_any (data, &error);
  texture = picture ? easel_large_picture_to_texture (picture, &error) : NULL;
  if (texture)
    g_task_return_pointer (task, texture, g_object_unref);
  else
    g_task_return_error (task, error);
}

void
easel_large_picture_load (const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_task_data (task, g_strdup (path), g_free);
  g_task_run_in_thread (task, load_thread);
}

GdkTexture *
easel_large_picture_load_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* ---- two ---- */

void
easel_picture_pair_free (EaselPicturePair *pair)
{
  g_clear_object (&pair->first);
  g_clear_object (&pair->second);
  g_clear_object (&pair->difference);
  g_free (pair);
}

static gboolean
compare (const EaselPicture *a, const EaselPicture *b, EaselPicturePair *pair, GError **error)
{
  g_autoptr (EaselPicture) shown = easel_picture_new (a->width, a->height, 1, error);
  guint64 sum = 0, different = 0;

  if (!shown)
    return FALSE;
  for (int y = 0; y < a->height; y++)
    for (int x = 0; x < a->width; x++)
      {
        gsize i = ((gsize) y * a->width + x) * 3;
        gsize row = (gsize) ((gint64) y * b->height / a->height), column = (gsize) ((gint64) x * b->width / a->width);
        gsize j = (row * (gsize) b->width + column) * 3;
        int most = 0;

        for (int c = 0; c < 3; c++)
          {
            int d = abs (a->rgb[i + c] - b->rgb[j + c]);

            sum += (guint64) d;
            most = MAX (most, d);
            shown->rgb[i + c] = (guint8) MIN (255, d * BRIGHTER);
          }
        different += most > 0;
      }
  pair->mean = (double) sum / ((double) a->width * a->height * 3);
  pair->part = (double) different / ((double) a->width * a->height);
  pair->difference = easel_large_picture_to_texture (shown, error);
  return pair->difference != NULL;
}

static void
pair_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  char **paths = data;
  GError *error = NULL;
  g_autoptr (EaselPicturePair) pair = g_new0 (EaselPicturePair, 1);
  g_autoptr (EaselPicture) a = read_any (paths[0], &error);
  g_autoptr (EaselPicture) b = a ? read_any (paths[1], &error) : NULL;

  if (b)
    {
      pair->first = easel_large_picture_to_texture (a, &error);
      pair->second = pair->first ? easel_large_picture_to_texture (b, &error) : NULL;
    }
  if (pair->second && compare (a, b, pair, &error))
    g_task_return_pointer (task, g_steal_pointer (&pair), (GDestroyNotify) easel_picture_pair_free);
  else
    g_task_return_error (task, error);
}

void
easel_picture_pair_load (const char *first, const char *second, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  const char *paths[] = { first, second, NULL };

  g_task_set_task_data (task, g_strdupv ((GStrv) paths), (GDestroyNotify) g_strfreev);
  g_task_run_in_thread (task, pair_thread);
}

EaselPicturePair *
easel_picture_pair_load_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
