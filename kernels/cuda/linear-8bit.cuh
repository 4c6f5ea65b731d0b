/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A linear layer of scaled 8-bit numbers as its paths see it:
 * y[m,n] = residual[m,n] + gate[m / per, n] * act (x_scales[m] w_scales[n] sum_k x[m,k] w[n,k] + bias[n])
 */
#pragma once

#include "device.cuh"

struct Linear8
{
  const void *x, *w; /* [M, K], [N, K]; e4m3 or s8 */
  const float *x_scales, *w_scales, *gate;
  EaselCudaVector bias;
  const void *residual;
  void *y;
  int64_t ldy, ldr;
  int M, N, K, per, act;
  EaselDtype dtype, y_dtype; /* of the operands; of residual and y */
};

/* sm_90a, y in 16 bits, N and K in sixteens: false when it does not take it (nothing was launched then). */
bool linear_8bit_hopper (EaselStream *s, const Linear8 *l);
