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

/* Where output pixel i reads: two neighbours and the weight of the second. torch computes this in f32. */
static void
source_of (int i, int n_in, int n_out, int *first, int *second, float *t)
{
  const float scale = (float) n_in / (float) n_out;
  float at = scale * (i + 0.5f) - 0.5f;

  if (at < 0)
    at = 0;
  *first = MIN ((int) at, n_in - 1);
  *second = *first + (*first < n_in - 1);
  *t = MIN (MAX (at - *first, 0.0f), 1.0f);
}

void
easel_sana_resize_and_crop (const float *in, int width, int height, int channels, float *out, int new_width,
                            int new_height)
{
  const double ratio = MAX ((double) new_height / height, (double) new_width / width);
  const int resized_width = (int) (width * ratio), resized_height = (int) (height * ratio);
  const int left = (resized_width - new_width) / 2, top = (resized_height - new_height) / 2;
  const gsize row = (gsize) width * channels;

  if (width == new_width && height == new_height)
    {
      memcpy (out, in, row * height * sizeof (float));
      return;
    }
  for (int y = 0; y < new_height; y++)
    {
      int y0, y1;
      float ty;

      source_of (MIN (y + top, resized_height - 1), height, resized_height, &y0, &y1, &ty);
      for (int x = 0; x < new_width; x++)
        {
          int x0, x1;
          float tx;

          source_of (MIN (x + left, resized_width - 1), width, resized_width, &x0, &x1, &tx);
          for (int c = 0; c < channels; c++)
            {
              const float a = in[y0 * row + (gsize) x0 * channels + c], b = in[y0 * row + (gsize) x1 * channels + c];
              const float d = in[y1 * row + (gsize) x0 * channels + c], e = in[y1 * row + (gsize) x1 * channels + c];

              *out++ = (1 - ty) * ((1 - tx) * a + tx * b) + ty * ((1 - tx) * d + tx * e);
            }
        }
    }
}

gboolean
easel_sana_to_u8 (const float *in, gsize n, guint8 *out)
{
  gboolean finite = TRUE;

  for (gsize i = 0; i < n; i++)
    {
      const float v = in[i] * 0.5f + 0.5f;

      finite = finite && isfinite (v);
      out[i] = (guint8) rintf ((v > 0 ? v < 1 ? v : 1 : 0) * 255.0f);
    }
  return finite;
}
