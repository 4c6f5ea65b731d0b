/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conv2d and conv3d: arguments into one description, and which kernel runs it.
 */
#include "conv.cuh"

#include <limits.h>

static bool
fits (EaselStream *s, const Conv *c, const char *op, const EaselTensor *w, const EaselTensor *y)
{
  if (w->dtype != c->dtype)
    easel_cuda_refuse (s, op, "weights of another dtype than the activations", w);
  else if (easel_tensor_count (y) / c->co > INT_MAX / 2 || (int64_t) c->h * c->up > INT_MAX / 2
           || (int64_t) c->w_ * c->up > INT_MAX / 2 || easel_tensor_count (w) > INT_MAX / 2)
    easel_cuda_refuse (s, op, "more than 1073741823 pixels or weights", y);
  else
    return true;
  return false;
}

bool
conv_from_2d (EaselStream *s, const EaselConv2dArgs *a, Conv *c)
{
  const int groups = a->groups > 0 ? a->groups : 1;

  *c = Conv{};
  c->x = a->x.data;
  c->w = a->w.data;
  c->residual = a->residual.data;
  c->y = a->y.data;
  c->bias = easel_cuda_vector (&a->bias);
  c->act = a->act;
  c->frames = (int) a->x.shape[0];
  c->h = (int) a->x.shape[1];
  c->w_ = (int) a->x.shape[2];
  c->c = (int) a->x.shape[3];
  c->oh = (int) a->y.shape[1];
  c->ow = (int) a->y.shape[2];
  c->co = (int) a->y.shape[3];
  c->groups = groups;
  c->ci = c->c / groups;
  c->no = c->co / groups;
  c->kt = 1;
  c->kh = (int) a->w.shape[2];
  c->kw = (int) a->w.shape[3];
  c->stride = a->stride > 0 ? a->stride : 1;
  c->pad = a->pad; /* pad_end is in y's shape: what lies outside of x is zero */
  c->up = a->upsample > 0 ? a->upsample : 1;
  c->dtype = a->x.dtype;
  return fits (s, c, "conv2d", &a->w, &a->y);
}

bool
conv_from_3d (EaselStream *s, const EaselConv3dArgs *a, Conv *c)
{
  *c = Conv{};
  c->x = a->x.data;
  c->before = a->before.data;
  c->w = a->w.data;
  c->residual = a->residual.data;
  c->y = a->y.data;
  c->bias = easel_cuda_vector (&a->bias);
  c->act = a->act;
  c->frames = (int) a->x.shape[0];
  c->h = (int) a->x.shape[1];
  c->w_ = (int) a->x.shape[2];
  c->c = c->ci = (int) a->x.shape[3];
  c->oh = (int) a->y.shape[1];
  c->ow = (int) a->y.shape[2];
  c->co = c->no = (int) a->y.shape[3];
  c->groups = 1;
  c->kt = (int) a->w.shape[2];
  c->kh = (int) a->w.shape[3];
  c->kw = (int) a->w.shape[4];
  c->stride = c->up = 1;
  c->pad = a->pad;
  c->dtype = a->x.dtype;
  return fits (s, c, "conv3d", &a->w, &a->y);
}

void
conv_run (EaselStream *s, const Conv *c, const char *op, const EaselTensor *y)
{
  if (conv_depthwise (s, c) || conv_hopper (s, c) || conv_mma (s, c) || conv_plain (s, c))
    easel_cuda_launched (s, op, y);
}

extern "C" void
easel_cuda_conv2d (EaselStream *s, const EaselConv2dArgs *a)
{
  Conv c;

  if (conv_from_2d (s, a, &c))
    conv_run (s, &c, "conv2d", &a->y);
}

extern "C" void
easel_cuda_conv3d (EaselStream *s, const EaselConv3dArgs *a)
{
  Conv c;

  if (conv_from_3d (s, a, &c))
    conv_run (s, &c, "conv3d", &a->y);
}
