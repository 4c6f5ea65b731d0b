/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

typedef struct
{
  const float *x, *before; /* before NULL: the first frame of x */
  int64_t h, w, c, oh, ow, kt, kh, kw, pad;
} Patches;

/* A pixel's patch in the order of torch's weights: (channel, t, ky, kx). */
static void
conv_row (const void *data, int64_t m, int64_t k0, int64_t n, float *out)
{
  const Patches *p = data;
  int64_t f = m / (p->oh * p->ow), oy = m / p->ow % p->oh, ox = m % p->ow, size = p->h * p->w * p->c;

  for (int64_t i = 0; i < n; i++)
    {
      int64_t k = k0 + i, ci = k / (p->kt * p->kh * p->kw), kx = k % p->kw, ky = k / p->kw % p->kh;
      int64_t from = f + k / (p->kh * p->kw) % p->kt - (p->kt - 1);
      int64_t y = oy + ky - p->pad, x = ox + kx - p->pad;
      const float *frame = p->x;

      if (from >= 0)
        frame += from * size;
      else if (p->before)
        frame = p->before + (from + p->kt - 1) * size;
      out[i] = y >= 0 && y < p->h && x >= 0 && x < p->w ? frame[(y * p->w + x) * p->c + ci] : 0;
    }
}

void
easel_plain_conv3d (EaselStream *s, const EaselConv3dArgs *a)
{
  int64_t co = a->w.shape[0];
  Patches patches = {
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

  easel_plain_product (&(EaselPlainProduct){
      .cpu = easel_cpu (s),
      .row = conv_row,
      .row_data = &patches,
      .w = a->w.data,
      .w_dtype = a->w.dtype,
      .bias = a->bias.data,
      .bias_dtype = a->bias.dtype,
      .residual = a->residual.data,
      .c = a->y.data,
      .ldc = co,
      .ldr = co,
      .m = easel_tensor_count (&a->y) / co,
      .n = co,
      .k = easel_tensor_count (&a->w) / co,
      .act = a->act,
  });
}
