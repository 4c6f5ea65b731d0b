/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/ui/numbered-clip.h"

#define WIDTH 320
#define HEIGHT 240
#define SQUARE (WIDTH / 8)

EaselPicture *
numbered_clip_new (int n, double fps)
{
  EaselPicture *clip = easel_picture_new (WIDTH, HEIGHT, n, NULL);

  clip->fps = fps;
  for (int f = 0; f < n; f++)
    for (int y = 0; y < HEIGHT; y++)
      for (int x = 0; x < WIDTH; x++)
        {
          guint8 *p = clip->rgb + (((gsize) f * HEIGHT + y) * WIDTH + x) * 3;
          const int dx = x - WIDTH * f / n, dy = y - 150;
          const gboolean ball = dx * dx + dy * dy < 40 * 40;
          const gboolean bit = y < SQUARE && (f >> (x / SQUARE) & 1);

          p[0] = bit ? 255 : y < SQUARE ? 0 : ball ? 230 : 40;
          p[1] = bit ? 255 : y < SQUARE ? 0 : ball ? 90 : 60;
          p[2] = bit ? 255 : y < SQUARE ? 0 : ball ? 40 : 110;
        }
  return clip;
}

int
numbered_clip_read (GdkTexture *texture)
{
  const int width = gdk_texture_get_width (texture), height = gdk_texture_get_height (texture);
  g_autofree guchar *pixels = g_malloc ((gsize) width * height * 4);
  int number = 0;

  gdk_texture_download (texture, pixels, (gsize) width * 4);
  for (int bit = 0; bit < 8; bit++)
    {
      const int x = width * (2 * bit + 1) / 16, y = width / 16;

      if (pixels[((gsize) y * width + x) * 4 + 1] > 127)
        number |= 1 << bit;
    }
  return number;
}
