/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sana/resolution.h"

#include <math.h>
#include <string.h>

/* One table serves all four models: sides in units of 32, 64, 128 or 256 pixels. `ratio` is the reference's key,
 * rounded by hand there: it decides, not height / width. */
typedef struct
{
  double ratio;
  int height, width;
  gboolean large_only; /* only in the tables of 2048 and 4096 */
} Bin;

static const Bin bins[] = {
  { 0.25, 8, 32, FALSE },  { 0.26, 8, 31, TRUE },   { 0.27, 8, 30, TRUE },   { 0.28, 8, 29, FALSE },
  { 0.32, 9, 28, FALSE },  { 0.33, 9, 27, FALSE },  { 0.35, 9, 26, FALSE },  { 0.4, 10, 25, FALSE },
  { 0.42, 10, 24, FALSE }, { 0.48, 11, 23, FALSE }, { 0.5, 11, 22, FALSE },  { 0.52, 11, 21, FALSE },
  { 0.57, 12, 21, FALSE }, { 0.6, 12, 20, FALSE },  { 0.68, 13, 19, FALSE }, { 0.72, 13, 18, FALSE },
  { 0.78, 14, 18, FALSE }, { 0.82, 14, 17, FALSE }, { 0.88, 15, 17, FALSE }, { 0.94, 15, 16, FALSE },
  { 1.0, 16, 16, FALSE },  { 1.07, 16, 15, FALSE }, { 1.13, 17, 15, FALSE }, { 1.21, 17, 14, FALSE },
  { 1.29, 18, 14, FALSE }, { 1.38, 18, 13, FALSE }, { 1.46, 19, 13, FALSE }, { 1.67, 20, 12, FALSE },
  { 1.75, 21, 12, FALSE }, { 2.0, 22, 11, FALSE },  { 2.09, 23, 11, FALSE }, { 2.4, 24, 10, FALSE },
  { 2.5, 25, 10, FALSE },  { 2.89, 26, 9, TRUE },   { 3.0, 27, 9, FALSE },   { 3.11, 28, 9, TRUE },
  { 3.62, 29, 8, TRUE },   { 3.75, 30, 8, TRUE },   { 3.88, 31, 8, TRUE },   { 4.0, 32, 8, FALSE },
};

gboolean
easel_sana_nearest_size (int sample_size, int width, int height, int *out_width, int *out_height)
{
  const double ratio = (double) height / width;
  const gboolean large = sample_size >= 64;
  const Bin *best = NULL;

  if ((sample_size != 16 && sample_size != 32 && sample_size != 64 && sample_size != 128) || width < 1 || height < 1)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (bins); i++)
    if ((large || !bins[i].large_only) && (!best || fabs (bins[i].ratio - ratio) < fabs (best->ratio - ratio)))
      best = &bins[i];
  *out_width = best->width * sample_size * 2;
  *out_height = best->height * sample_size * 2;
  return TRUE;
}

gboolean
easel_sana_trained_size (int sample_size, int i, int *out_width, int *out_height)
{
  if (sample_size != 16 && sample_size != 32 && sample_size != 64 && sample_size != 128)
    return FALSE;
  for (gsize k = 0; k < G_N_ELEMENTS (bins); k++)
    if ((sample_size >= 64 || !bins[k].large_only) && i-- == 0)
      {
        *out_width = bins[k].width * sample_size * 2;
        *out_height = bins[k].height * sample_size * 2;
        return TRUE;
      }
  return FALSE;
}
