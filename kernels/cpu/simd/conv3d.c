/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The blocked product again; rows of A are copied from the clip and from the frames before it as they are needed, so
 * neither a padded clip nor one with the earlier frames in front is ever written.
 */
#include "product.h"

typedef struct
{
  const float *x, *before; /* before NULL: the first frame of x */
  int64_t h, w, c, oh, ow, kt, kh, kw, pad;
} Patches;

/* The frame that tap t of output frame f reads. */
INLINE const float *
frame_at (const Patches *p, int64_t f, int64_t t)
{
  int64_t from = f + t - (p->kt - 1), size = p->h * p->w * p->c;

  if (from >= 0)
    return p->x + from * size;
  return p->before ? p->before + (from + p->kt - 1) * size : p->x;
}

/* Channels [c0, c0 + n) of the taps of one kernel row, from column sx of a row of pixels. */
INLINE void
gather_row (const Patches *p, const float *row, int64_t sx, int64_t c0, int64_t n, float *out)
{
  const bool inside = sx >= 0 && sx + p->kw <= p->w;

  if (inside && n == p->c)
    {
      vcopy (out, row + sx * p->c, p->kw * n);
      return;
    }
  for (int64_t kx = 0; kx < p->kw; kx++)
    if (sx + kx < 0 || sx + kx >= p->w)
      vzero (out + kx * n, n);
    else
      vcopy (out + kx * n, row + (sx + kx) * p->c + c0, n);
}

static void
gather_patches (const void *data, int64_t m0, int rows, int64_t c0, int64_t n, float *dst)
{
  const Patches *p = data;
  int64_t ox = m0 % p->ow, oy = m0 / p->ow % p->oh, f = m0 / (p->ow * p->oh);

  for (int i = 0; i < rows; i++)
    {
      float *out = dst + i * LDA;

      for (int64_t t = 0; t < p->kt; t++)
        {
          const float *frame = frame_at (p, f, t);

          for (int64_t ky = 0; ky < p->kh; ky++, out += p->kw * n)
            {
              int64_t sy = oy + ky - p->pad;

              if (sy < 0 || sy >= p->h)
                vzero (out, p->kw * n);
              else
                gather_row (p, frame + sy * p->w * p->c, ox - p->pad, c0, n, out);
            }
        }
      if (++ox == p->ow)
        {
          ox = 0;
          if (++oy == p->oh)
            {
              oy = 0;
              f++;
            }
        }
    }
}

void
ISA (conv3d) (EaselStream *s, const EaselConv3dArgs *a)
{
  int64_t co = a->w.shape[0];
  Patches p = {
    .x = a->x.data,
    .before = a->before.data,
    .h = a->x.shape[1],
    .w = a->x.shape[2],
    .c = a->x.shape[3],
    .oh = a->y.shape[1],
    .ow = a->y.shape[2],
    .kt = a->w.shape[2],
    .kh = a->w.shape[3],
    .kw = a->w.shape[4],
    .pad = a->pad,
  };
  int64_t taps = p.kt * p.kh * p.kw;

  if (!ISA (product) (&(Product){
          .cpu = easel_cpu (s),
          .gather = gather_patches,
          .gather_data = &p,
          .weights = { .w = a->w.data, .dtype = a->w.dtype, .row = p.c * taps, .phase = -1 },
          .m = easel_tensor_count (&a->y) / co,
          .n = co,
          .channels = p.c,
          .taps = taps,
          .bias = a->bias.data,
          .bias_dtype = a->bias.dtype,
          .residual = a->residual.data,
          .c = a->y.data,
          .ldc = co,
          .ldr = co,
          .act = a->act,
      }))
    easel_plain_conv3d (s, a);
}
