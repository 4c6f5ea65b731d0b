/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pixel_shuffle and pixel_unshuffle, one row of output pixels a unit. The channel read for output channel c is
 * (c f^2 + t) / repeats with t the place within the block; for the shapes that occur either repeats divides f^2
 * (c step + t / repeats) or f^2 divides repeats (c / step), which costs no division an element.
 */
#include "simd.h"

typedef struct
{
  const EaselPixelShuffleArgs *a;
  int64_t w, c, cx, f, repeats;
} Shuffle;

INLINE void
shuffle_pixel (const float *x, const float *residual, float *y, int64_t n, int64_t step)
{
  if (step == 1)
    {
      int64_t i = 0;

      for (; i + VL <= n; i += VL)
        vstore (y + i, residual ? vload (residual + i) + vload (x + i) : vload (x + i));
      for (; i < n; i++)
        y[i] = residual ? residual[i] + x[i] : x[i];
    }
  else if (residual)
    for (int64_t i = 0; i < n; i++)
      y[i] = residual[i] + x[i * step];
  else
    for (int64_t i = 0; i < n; i++)
      y[i] = x[i * step];
}

static void
shuffle_row (const void *data, int64_t row, int worker)
{
  const Shuffle *s = data;
  int64_t f = s->f, ff = f * f;
  const float *x = (const float *) s->a->x.data + row / f * (s->w / f) * s->cx;
  const float *residual = s->a->residual.data ? (const float *) s->a->residual.data + row * s->w * s->c : NULL;
  float *y = (float *) s->a->y.data + row * s->w * s->c;

  (void) worker;
  for (int64_t column = 0; column < s->w; column++)
    {
      int64_t t = row % f * f + column % f, at = column * s->c;
      const float *in = x + column / f * s->cx, *r = residual ? residual + at : NULL;

      if (ff % s->repeats == 0 && ff / s->repeats == 2)
        shuffle_pixel (in + t / s->repeats, r, y + at, s->c, 2);
      else if (ff % s->repeats == 0 && ff / s->repeats == 4)
        shuffle_pixel (in + t / s->repeats, r, y + at, s->c, 4);
      else if (ff == s->repeats)
        shuffle_pixel (in, r, y + at, s->c, 1);
      else
        for (int64_t i = 0; i < s->c; i++)
          y[at + i] = r ? r[i] + in[(i * ff + t) / s->repeats] : in[(i * ff + t) / s->repeats];
    }
}

void
ISA (pixel_shuffle) (EaselStream *s, const EaselPixelShuffleArgs *a)
{
  Shuffle work = { .a = a, .w = a->y.shape[2], .c = a->y.shape[3], .cx = a->x.shape[3], .f = a->factor };

  work.repeats = work.c * work.f * work.f / work.cx;
  easel_pool_run (easel_cpu (s)->pool, a->y.shape[0] * a->y.shape[1], shuffle_row, &work);
}

typedef struct
{
  const EaselPixelUnshuffleArgs *a;
  int64_t w, c, cx, f, group;
} Unshuffle;

static void
unshuffle_row (const void *data, int64_t row, int worker)
{
  const Unshuffle *u = data;
  int64_t f = u->f, ff = f * f, line = u->w * f * u->cx;
  const float *x = (const float *) u->a->x.data + row * f * line;
  const float *residual = u->a->residual.data ? (const float *) u->a->residual.data + row * u->w * u->c : NULL;
  float *y = (float *) u->a->y.data + row * u->w * u->c;

  (void) worker;
  for (int64_t column = 0; column < u->w; column++)
    {
      int64_t t = 0, ci = 0; /* q = ci f^2 + t, counted on rather than divided out */

      for (int64_t i = 0; i < u->c; i++)
        {
          float sum = 0;

          for (int64_t q = 0; q < u->group; q++)
            {
              sum += x[t / f * line + (column * f + t % f) * u->cx + ci];
              if (++t == ff)
                {
                  t = 0;
                  ci++;
                }
            }
          sum /= (float) u->group;
          y[column * u->c + i] = residual ? residual[column * u->c + i] + sum : sum;
        }
    }
}

void
ISA (pixel_unshuffle) (EaselStream *s, const EaselPixelUnshuffleArgs *a)
{
  Unshuffle work = { .a = a, .w = a->y.shape[2], .c = a->y.shape[3], .cx = a->x.shape[3], .f = a->factor };

  work.group = work.cx * work.f * work.f / work.c;
  easel_pool_run (easel_cpu (s)->pool, a->y.shape[0] * a->y.shape[1], unshuffle_row, &work);
}
