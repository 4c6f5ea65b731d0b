/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SSIM: Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004; over flat
 * windows of 8 × 8 pixels, four apart.
 */
#include "engine/media/compare.h"

#include <math.h>

#include "engine/core/error.h"

#define WINDOW 8
#define STEP 4
#define SAME_PSNR 100

static double
luma (const guint8 *p)
{
  return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
}

static double
ssim_window (const guint8 *a, const guint8 *b, gsize stride, int width, int height)
{
  const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255, n = width * height;
  double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0, va, vb, cov;

  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      {
        const double la = luma (a + y * stride + 3 * x), lb = luma (b + y * stride + 3 * x);

        sa += la;
        sb += lb;
        saa += la * la;
        sbb += lb * lb;
        sab += la * lb;
      }
  sa /= n;
  sb /= n;
  va = saa / n - sa * sa;
  vb = sbb / n - sb * sb;
  cov = sab / n - sa * sb;
  return (2 * sa * sb + c1) * (2 * cov + c2) / ((sa * sa + sb * sb + c1) * (va + vb + c2));
}

gboolean
easel_picture_compare (const EaselPicture *a, const EaselPicture *b, EaselLikeness *out, GError **error)
{
  const int w = MIN (WINDOW, a->width), h = MIN (WINDOW, a->height);
  const gsize stride = (gsize) a->width * 3, frame = stride * a->height, n = frame * a->n_frames;
  double squares = 0, sum = 0;
  gint64 windows = 0;

  if (a->width != b->width || a->height != b->height || a->n_frames != b->n_frames)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "%d frames of %d × %d cannot be compared with %d of %d × %d", a->n_frames, a->width, a->height,
                   b->n_frames, b->width, b->height);
      return FALSE;
    }
  for (gsize i = 0; i < n; i++)
    {
      const double d = (double) a->rgb[i] - b->rgb[i];

      squares += d * d;
    }
  for (int f = 0; f < a->n_frames; f++)
    for (int y = 0; y + h <= a->height; y += STEP)
      for (int x = 0; x + w <= a->width; x += STEP, windows++)
        {
          const gsize at = f * frame + y * stride + (gsize) x * 3;

          sum += ssim_window (a->rgb + at, b->rgb + at, stride, w, h);
        }
  out->psnr = squares > 0 ? MIN (10 * log10 (255.0 * 255.0 * (double) n / squares), SAME_PSNR) : SAME_PSNR;
  out->ssim = sum / (double) windows;
  return TRUE;
}
