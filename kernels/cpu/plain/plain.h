/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Shared by the plain kernels.
 */
#pragma once

#include "kernels/cpu/cpu.h"
#include "kernels/half.h"

#include <math.h>

static inline float
easel_plain_act (float x, EaselAct act)
{
  switch (act)
    {
    case EASEL_ACT_RELU:
      return x > 0 || x != x ? x : 0;
    case EASEL_ACT_SILU:
      return x / (1 + expf (-x));
    case EASEL_ACT_GELU_TANH: /* (1 + tanh (u)) / 2 = 1 / (1 + exp (-2 u)), which does not cancel */
      return x / (1 + expf (-1.5957691216057308f * (x + 0.044715f * x * x * x)));
    default:
      return x;
    }
}

/* Rows of a matrix product: writes columns [k0, k0 + n) of row m as f32 to out. */
typedef void (*EaselPlainRowFunc) (const void *data, int64_t m, int64_t k0, int64_t n, float *out);

/* One product: c[m, n] = residual + gate * act (sum_k row (m)[k] w[n, k] + bias[n]) for all m, n. `c` and `residual`
 * have ldc and ldr elements between rows. Split into tiles of fixed size; each calls sgemm with weights converted to
 * f32. */
typedef struct
{
  const EaselCpu *cpu;
  EaselPlainRowFunc row;
  const void *row_data;
  const void *w, *bias;
  EaselDtype w_dtype, bias_dtype;
  const float *w_scales;       /* [n], or NULL */
  int64_t w_start, bias_start; /* elements before the first used */
  const float *gate;           /* [m / gate_rows, n] or NULL */
  int64_t gate_rows;
  const float *residual;
  float *c;
  int64_t ldc, ldr, m, n, k;
  EaselAct act;
} EaselPlainProduct;

void easel_plain_product (const EaselPlainProduct *p);
