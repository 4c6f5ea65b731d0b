/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One convolution over frames of pixels, channels last: what conv2d (frames are the batch, kt is 1) and conv3d (causal
 * in frames) have in common. Seen as a matrix product: M = frames * oh * ow pixels, N output channels of a group,
 * K = (kt, ky, kx, channel of the group), which is the order weights lie in.
 */
#pragma once

#include "device.cuh"

struct Conv
{
  const void *x, *before, *w, *residual; /* before NULL: the first frame of x stands in */
  void *y;
  EaselCudaVector bias;
  int act;
  int frames, h, w_, c;     /* x [frames, h, w_, c] */
  int oh, ow, co;           /* y [frames, oh, ow, co] */
  int groups, ci, no;       /* channels of a group: in, out */
  int kt, kh, kw, stride, pad, up;
  EaselDtype dtype;
};

/* The frame that tap t of output frame f reads. T is the type of activations. */
template <typename T>
__device__ __forceinline__ const T *
conv_frame (const Conv &c, int f, int t)
{
  const int from = f + t - (c.kt - 1);
  const int64_t size = (int64_t) c.h * c.w_ * c.c;

  if (from >= 0)
    return static_cast<const T *> (c.x) + from * size;
  return c.before ? static_cast<const T *> (c.before) + (from + c.kt - 1) * size : static_cast<const T *> (c.x);
}

/* Frames of `c` as a convolution of conv2d or conv3d. False with the stream's error set: too large, or weights of
 * another dtype. */
bool conv_from_2d (EaselStream *s, const EaselConv2dArgs *a, Conv *c);
bool conv_from_3d (EaselStream *s, const EaselConv3dArgs *a, Conv *c);

/* The fastest path for this shape and card. `y` names the shape in errors. */
void conv_run (EaselStream *s, const Conv *c, const char *op, const EaselTensor *y);

/* Each path: false when it does not take this convolution (nothing was launched then).
 * plain: everything, f32 multiplications. depthwise: groups of one channel. mma: 16-bit, channels in eights.
 * hopper: 16-bit, stride 1, one group, channels in eights, sm_90a. */
bool conv_plain (EaselStream *s, const Conv *c);
bool conv_depthwise (EaselStream *s, const Conv *c);
bool conv_mma (EaselStream *s, const Conv *c);
bool conv_hopper (EaselStream *s, const Conv *c);
