/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

typedef struct
{
  const float *x;
  int64_t h, w, c, oh, ow, kh, kw, ci, c0, up, stride, pad;
} Patches;

/* A pixel's patch in the order of torch's weights: (channel, ky, kx). */
static void
conv_row (const void *data, int64_t m, int64_t k0, int64_t n, float *out)
{
  const Patches *p = data;
  int64_t b = m / (p->oh * p->ow), oy = m / p->ow % p->oh, ox = m % p->ow;

  for (int64_t i = 0; i < n; i++)
    {
      int64_t k = k0 + i, ci = k / (p->kh * p->kw), ky = k / p->kw % p->kh, kx = k % p->kw;
      int64_t y = oy * p->stride + ky - p->pad, x = ox * p->stride + kx - p->pad;
      bool inside = y >= 0 && y < p->h * p->up && x >= 0 && x < p->w * p->up;

      out[i] = inside ? p->x[((b * p->h + y / p->up) * p->w + x / p->up) * p->c + p->c0 + ci] : 0;
    }
}

void
easel_plain_conv2d (EaselStream *s, const EaselConv2dArgs *a)
{
  int64_t groups = a->groups ? a->groups : 1, co = a->w.shape[0] / groups;
  int64_t k = easel_tensor_count (&a->w) / a->w.shape[0];

  for (int64_t g = 0; g < groups; g++)
    {
      Patches patches = {
        .x = a->x.data,
        .h = a->x.shape[1],
        .w = a->x.shape[2],
        .c = a->x.shape[3],
        .oh = a->y.shape[1],
        .ow = a->y.shape[2],
        .kh = a->w.shape[2],
        .kw = a->w.shape[3],
        .ci = a->w.shape[1],
        .c0 = g * a->w.shape[1],
        .up = a->upsample ? a->upsample : 1,
        .stride = a->stride ? a->stride : 1,
        .pad = a->pad,
      };

      easel_plain_product (&(EaselPlainProduct){
          .cpu = easel_cpu (s),
          .row = conv_row,
          .row_data = &patches,
          .w = a->w.data,
          .w_dtype = a->w.dtype,
          .w_start = g * co * k,
          .bias = a->bias.data,
          .bias_dtype = a->bias.dtype,
          .bias_start = g * co,
          .residual = a->residual.data ? (const float *) a->residual.data + g * co : NULL,
          .c = (float *) a->y.data + g * co,
          .ldc = a->y.shape[3],
          .ldr = a->y.shape[3],
          .m = easel_tensor_count (&a->y) / a->y.shape[3],
          .n = co,
          .k = k,
          .act = a->act,
      });
    }
}
