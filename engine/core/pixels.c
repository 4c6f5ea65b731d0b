/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/pixels.h"

#include <math.h>
#include <string.h>

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

typedef struct
{
  const float *in;
  int width, height, channels;         /* of it */
  int resized_width, resized_height;   /* what it is enlarged or shrunk to */
} Source;

/* The resized picture's pixel x, y; places beyond its edges are those at them. */
static void
pixel_at (const Source *s, int x, int y, float *out)
{
  const int C = s->channels;
  const gsize row = (gsize) s->width * C;
  int x0, x1, y0, y1;
  float tx, ty;

  source_of (MIN (y, s->resized_height - 1), s->height, s->resized_height, &y0, &y1, &ty);
  source_of (MIN (x, s->resized_width - 1), s->width, s->resized_width, &x0, &x1, &tx);
  for (int c = 0; c < C; c++)
    {
      const float a = s->in[y0 * row + (gsize) x0 * C + c], b = s->in[y0 * row + (gsize) x1 * C + c];
      const float d = s->in[y1 * row + (gsize) x0 * C + c], e = s->in[y1 * row + (gsize) x1 * C + c];

      out[c] = (1 - ty) * ((1 - tx) * a + tx * b) + ty * ((1 - tx) * d + tx * e);
    }
}

void
easel_pixels_cover (const float *in, int width, int height, int channels, float *out, int new_width, int new_height)
{
  const double ratio = MAX ((double) new_height / height, (double) new_width / width);
  const Source s = { in, width, height, channels, (int) (width * ratio), (int) (height * ratio) };
  const int left = (s.resized_width - new_width) / 2, top = (s.resized_height - new_height) / 2;

  if (width == new_width && height == new_height)
    {
      memcpy (out, in, (gsize) width * height * channels * sizeof (float));
      return;
    }
  for (int y = 0; y < new_height; y++)
    for (int x = 0; x < new_width; x++, out += channels)
      pixel_at (&s, x + left, y + top, out);
}

void
easel_pixels_fit (const float *in, int width, int height, int channels, float *out, int new_width, int new_height)
{
  const double ratio = MIN ((double) new_height / height, (double) new_width / width);
  const Source s = { in, width, height, channels, CLAMP ((int) lrint (width * ratio), 1, new_width),
                     CLAMP ((int) lrint (height * ratio), 1, new_height) };
  const int left = (new_width - s.resized_width) / 2, top = (new_height - s.resized_height) / 2;

  for (int y = 0; y < new_height; y++)
    for (int x = 0; x < new_width; x++, out += channels)
      if (x >= left && x < left + s.resized_width && y >= top && y < top + s.resized_height)
        pixel_at (&s, x - left, y - top, out);
      else
        for (int c = 0; c < channels; c++)
          out[c] = -1;
}

gboolean
easel_pixels_to_u8 (const float *in, gsize n, guint8 *out)
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
