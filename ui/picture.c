/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/picture.h"

#include <glib/gi18n.h>

#include "engine/core/job.h"

GdkTexture *
easel_picture_to_texture (EaselPicture *picture)
{
  gsize stride = (gsize) picture->width * 3;
  g_autoptr (GBytes) bytes =
      g_bytes_new_with_free_func (picture->rgb, stride * (gsize) picture->height,
                                  (GDestroyNotify) easel_picture_unref, easel_picture_ref (picture));

  return gdk_memory_texture_new (picture->width, picture->height, GDK_MEMORY_R8G8B8, bytes, stride);
}

const char *
easel_phase_words (int phase)
{
  switch (phase)
    {
    case EASEL_PHASE_LOADING:
      return _ ("Loading the model");
    case EASEL_PHASE_ENCODING_TEXT:
      return _ ("Reading the prompt");
    case EASEL_PHASE_DENOISING:
      return _ ("Making the picture");
    case EASEL_PHASE_DECODING:
      return _ ("Developing");
    case EASEL_PHASE_SAVING:
      return _ ("Saving");
    case EASEL_PHASE_WAITING:
    default:
      return _ ("Waiting");
    }
}

char *
easel_time_left_words (double seconds)
{
  if (!(seconds >= 0))
    return g_strdup ("");
  if (seconds < 90)
    return g_strdup_printf (_ ("%d s left"), MAX (1, (int) (seconds + 0.5)));
  return g_strdup_printf (_ ("%d min left"), (int) (seconds / 60 + 0.5));
}

char *
easel_duration_words (double seconds)
{
  gulong n;

  if (!(seconds >= 0))
    return g_strdup ("");
  if (seconds < 90)
    {
      n = (gulong) MAX (1, seconds + 0.5);
      return g_strdup_printf (ngettext ("about %lu second", "about %lu seconds", n), n);
    }
  if (seconds < 90 * 60)
    {
      n = (gulong) (seconds / 60 + 0.5);
      return g_strdup_printf (ngettext ("about %lu minute", "about %lu minutes", n), n);
    }
  n = (gulong) (MIN (seconds, 1e9) / 3600 + 0.5);
  return g_strdup_printf (ngettext ("about %lu hour", "about %lu hours", n), n);
}
