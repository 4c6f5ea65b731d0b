/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Median cut: P. Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982. Ordered dithering:
 * B. Bayer, 1973.
 */
#include "engine/media/gif-palette.h"

#include <string.h>

#include "engine/core/error.h"

#define BITS 5
#define LEVELS (1 << BITS)
#define CELLS (LEVELS * LEVELS * LEVELS)
#define COLOURS 256

/* Cells of the cube from `low` to `high`, both inside, with pixels in them. */
typedef struct
{
  int low[3], high[3];
  gint64 count;
} Box;

static int
cell_of (const guint8 *rgb)
{
  return (rgb[0] >> (8 - BITS)) << 2 * BITS | (rgb[1] >> (8 - BITS)) << BITS | rgb[2] >> (8 - BITS);
}

/* Pixels of each level along `axis`; shrinks the box to where there are any. */
static void
fit (Box *box, const guint32 *histogram, int axis, gint64 levels[LEVELS])
{
  int low[3] = { LEVELS, LEVELS, LEVELS }, high[3] = { -1, -1, -1 };

  memset (levels, 0, LEVELS * sizeof levels[0]);
  box->count = 0;
  for (int r = box->low[0]; r <= box->high[0]; r++)
    for (int g = box->low[1]; g <= box->high[1]; g++)
      for (int b = box->low[2]; b <= box->high[2]; b++)
        {
          const guint32 n = histogram[r << 2 * BITS | g << BITS | b];
          const int at[3] = { r, g, b };

          if (n == 0)
            continue;
          box->count += n;
          levels[at[axis]] += n;
          for (int i = 0; i < 3; i++)
            {
              low[i] = MIN (low[i], at[i]);
              high[i] = MAX (high[i], at[i]);
            }
        }
  memcpy (box->low, low, sizeof low);
  memcpy (box->high, high, sizeof high);
}

static int
longest (const Box *box)
{
  int axis = 1; /* the eye sees green best */

  for (int i = 0; i < 3; i++)
    if (box->high[i] - box->low[i] > box->high[axis] - box->low[axis])
      axis = i;
  return axis;
}

/* The box that gains most from being cut, or -1. */
static int
choose (const Box *boxes, int n)
{
  int best = -1;
  gint64 most = 0;

  for (int i = 0; i < n; i++)
    {
      const int axis = longest (&boxes[i]);
      const gint64 worth = boxes[i].count * (boxes[i].high[axis] - boxes[i].low[axis]);

      if (worth > most)
        {
          most = worth;
          best = i;
        }
    }
  return best;
}

static int
cut (Box boxes[COLOURS], const guint32 *histogram)
{
  gint64 levels[LEVELS];
  int n = 1, i;

  boxes[0] = (Box){ .high = { LEVELS - 1, LEVELS - 1, LEVELS - 1 } };
  fit (&boxes[0], histogram, 0, levels);
  while (n < COLOURS && (i = choose (boxes, n)) >= 0)
    {
      Box *box = &boxes[i], upper;
      const int axis = longest (box);
      gint64 below = 0;
      int level;

      fit (box, histogram, axis, levels);
      for (level = box->low[axis]; level < box->high[axis] - 1 && 2 * (below + levels[level]) < box->count; level++)
        below += levels[level];
      upper = *box;
      box->high[axis] = level;
      upper.low[axis] = level + 1;
      fit (box, histogram, axis, levels);
      fit (&upper, histogram, axis, levels);
      boxes[n++] = upper;
    }
  return n;
}

/* The mean of the pixels in each box. */
static void
mean_colours (EaselGifPalette *self, const Box *boxes, int n, const guint32 *histogram)
{
  memset (self->rgb, 0, sizeof self->rgb);
  for (int i = 0; i < n; i++)
    {
      double sum[3] = { 0 };

      for (int r = boxes[i].low[0]; r <= boxes[i].high[0]; r++)
        for (int g = boxes[i].low[1]; g <= boxes[i].high[1]; g++)
          for (int b = boxes[i].low[2]; b <= boxes[i].high[2]; b++)
            {
              const double count = histogram[r << 2 * BITS | g << BITS | b];

              sum[0] += count * r;
              sum[1] += count * g;
              sum[2] += count * b;
            }
      for (int c = 0; c < 3; c++)
        self->rgb[i][c] = (guint8) (sum[c] / MAX (boxes[i].count, 1) * 255 / (LEVELS - 1) + 0.5);
    }
}

static void
find_nearest (EaselGifPalette *self, int n)
{
  for (int cell = 0; cell < CELLS; cell++)
    {
      const int at[3] = { cell >> 2 * BITS, cell >> BITS & (LEVELS - 1), cell & (LEVELS - 1) };
      int best = 0, least = G_MAXINT;

      for (int i = 0; i < n; i++)
        {
          int d = 0;

          for (int c = 0; c < 3; c++)
            {
              const int e = at[c] * 255 / (LEVELS - 1) - self->rgb[i][c];

              d += e * e;
            }
          if (d < least)
            {
              least = d;
              best = i;
            }
        }
      self->nearest[cell] = (guint8) best;
    }
}

gboolean
easel_gif_palette_init (EaselGifPalette *self, const EaselPicture *clip, GError **error)
{
  const gint64 n = (gint64) clip->width * clip->height * clip->n_frames;
  const gint64 step = MAX (n >> 24, 1); /* 16 million pixels say enough */
  g_autofree guint32 *histogram = g_new0 (guint32, CELLS);
  g_autofree Box *boxes = g_new (Box, COLOURS);
  int n_colours;

  if (!(self->nearest = g_try_malloc (CELLS)))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to choose colours");
      return FALSE;
    }
  for (gint64 i = 0; i < n; i += step)
    histogram[cell_of (clip->rgb + 3 * i)]++;
  n_colours = cut (boxes, histogram);
  mean_colours (self, boxes, n_colours, histogram);
  find_nearest (self, n_colours);
  return TRUE;
}

void
easel_gif_palette_clear (EaselGifPalette *self)
{
  g_clear_pointer (&self->nearest, g_free);
}

void
easel_gif_palette_map (const EaselGifPalette *self, const EaselPicture *clip, int frame, guint8 *indices)
{
  static const int bayer[4][4] = { { 0, 8, 2, 10 }, { 12, 4, 14, 6 }, { 3, 11, 1, 9 }, { 15, 7, 13, 5 } };
  const guint8 *p = clip->rgb + (gsize) frame * clip->width * clip->height * 3;

  for (int y = 0; y < clip->height; y++)
    for (int x = 0; x < clip->width; x++, p += 3)
      {
        const int shift = bayer[y % 4][x % 4] * 8 / 16 - 4; /* one level of 5 bits */
        guint8 rgb[3];

        for (int c = 0; c < 3; c++)
          rgb[c] = (guint8) CLAMP (p[c] + shift, 0, 255);
        *indices++ = self->nearest[cell_of (rgb)];
      }
}
