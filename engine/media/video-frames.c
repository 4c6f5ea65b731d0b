/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From an animation's pictures, each of which stays for a time of its own, to a clip's, which follow each other evenly.
 */
#include "engine/media/video-private.h"

#include <math.h>
#include <string.h>

/* Hostile files: what a clip may hold at most, over all frames. */
#define MAX_PIXELS (G_GINT64_CONSTANT (1) << 29)

gboolean
easel_video_frames_init (EaselVideoFrames *self, const char *path, int width, int height, GError **error)
{
  *self = (EaselVideoFrames){ .path = path, .width = width, .height = height };
  if (width < 1 || height < 1 || width > EASEL_IMAGE_MAX_SIDE || height > EASEL_IMAGE_MAX_SIDE)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s cannot be read as an animation: its sides of %d × %d "
                   "make no sense", path, width, height);
      return FALSE;
    }
  self->frames = g_ptr_array_new_with_free_func (g_free);
  self->times = g_array_new (FALSE, FALSE, sizeof (int));
  return TRUE;
}

void
easel_video_frames_clear (EaselVideoFrames *self)
{
  g_clear_pointer (&self->frames, g_ptr_array_unref);
  g_clear_pointer (&self->times, g_array_unref);
}

gboolean
easel_video_frames_add (EaselVideoFrames *self, const guint8 *rgba, int ms, GError **error)
{
  const gsize pixels = (gsize) self->width * self->height;
  guint8 *rgb = (self->n + 1) * (gint64) pixels <= MAX_PIXELS ? g_try_malloc (pixels * 3) : NULL;

  if (!rgb)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "%s has more frames of %d × %d than fit into memory",
                   self->path, self->width, self->height);
      return FALSE;
    }
  for (gsize i = 0; i < pixels; i++)
    for (int c = 0; c < 3; c++)
      rgb[3 * i + c] = (guint8) ((rgba[4 * i + c] * rgba[4 * i + 3] + 127) / 255);
  ms = MAX (ms, 1);
  g_ptr_array_add (self->frames, rgb);
  g_array_append_val (self->times, ms);
  self->n++;
  return TRUE;
}

/* Times are whole milliseconds (hundredths of a second in GIF), so a rate of 16 reads as 16.01. */
static double
nice_rate (double rate)
{
  const double whole = floor (rate + 0.5);

  return whole >= 1 && fabs (rate - whole) < 0.02 * whole ? whole : rate;
}

EaselPicture *
easel_video_frames_finish (EaselVideoFrames *self, int max_frames, GError **error)
{
  const int *times = (const int *) (gpointer) self->times->data;
  const gsize size = (gsize) self->width * self->height * 3;
  EaselPicture *clip;
  gint64 total = 0, n = 0;
  int shortest = G_MAXINT, f = 0;

  for (guint i = 0; i < self->n; i++)
    shortest = MIN (shortest, times[i]);
  for (guint i = 0; i < self->n; i++)
    {
      total += times[i];
      n += (times[i] + shortest / 2) / shortest;
    }
  if (!(clip = easel_picture_new (self->width, self->height, (int) MIN (n, max_frames), error)))
    return NULL;
  clip->fps = nice_rate (1000.0 * (double) n / (double) total);
  for (guint i = 0; i < self->n; i++)
    for (int j = (times[i] + shortest / 2) / shortest; j > 0 && f < clip->n_frames; j--, f++)
      memcpy (clip->rgb + f * size, g_ptr_array_index (self->frames, i), size);
  return clip;
}
