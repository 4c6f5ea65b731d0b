/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Softmax attention as its kernels see it; ops.h says what it computes.
 */
#pragma once

#include "device.cuh"

struct Attention
{
  EaselHeads q, k, v;
  const uint8_t *mask; /* [b, n_kv] or NULL */
  const float *bias;   /* [heads, n_q, n_kv] or NULL */
  void *y;             /* [b, n_q, heads * d] */
  int b, n_q, n_kv, heads, kv_heads, d;
  float scale, softcap;
  bool causal;
  int window;
};

/* Each path: false when it does not take these arguments (nothing was launched then).
 * plain: everything, f32. mma: 16 bits, rows in 16 bytes, heads up to 256. hopper: sm_90a, heads of 64, no mask, bias,
 * soft-cap, causality or window. */
bool attention_plain (EaselStream *s, const Attention *a, EaselDtype dtype);
bool attention_mma (EaselStream *s, const Attention *a, EaselDtype dtype);
bool attention_hopper (EaselStream *s, const Attention *a, EaselDtype dtype);

/* True when rows of all three operands can be read 16 bytes at a time (16-bit numbers). */
static inline bool
attention_in_16_bytes (const Attention *a)
{
  const EaselHeads h[3] = { a->q, a->k, a->v };

  for (int i = 0; i < 3; i++)
    if (h[i].row % 8 || h[i].head % 8 || !easel_cuda_aligned (h[i].data))
      return false;
  return a->d % 8 == 0 && easel_cuda_aligned (a->y);
}
