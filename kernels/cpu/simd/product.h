/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A whole matrix product with its epilogue, split over threads: linear, and conv2d as an implicit one.
 */
#pragma once

#include "gemm.h"

/* Copies channels [c0, c0 + n) of every tap of rows [m0, m0 + rows) to dst[i * LDA + tap * n + c - c0]. */
typedef void (*GatherFunc) (const void *data, int64_t m0, int rows, int64_t c0, int64_t n, float *dst);

/* The same without a copy, for MR rows: false when they do not lie so. */
typedef bool (*DirectFunc) (const void *data, int64_t m0, int64_t c0, int64_t n, Direct *direct);

/* Packs channels [c0, c0 + n_c) of all taps of columns [n0, n0 + n): rows tap * n_c + c - c0 of the panels. */
typedef struct
{
  const void *w;
  EaselDtype dtype;
  int64_t start, row; /* element (n, k) of w at start + n * row + k, k = channel * taps_in_file + tap */
  int phase;          /* -1, or 0 … 3: 3x3 weights folded to the 2x2 of that corner of a picture enlarged by 2 */
} Weights;

/* c[m, n] = residual + gate * act (sum + bias[n]). Row m of c starts at m * ldc, or, when small_w is set, at the pixel
 * (2 y + phase / 2, 2 x + phase % 2) of a picture twice as large, m being pixel (y, x) of a small_h x small_w one. */
typedef struct
{
  const EaselCpu *cpu;
  GatherFunc gather;
  DirectFunc direct; /* or NULL */
  const void *gather_data;
  Weights weights;
  int64_t m, n, channels, taps; /* k = channels * taps */
  const void *bias;
  EaselDtype bias_dtype;
  int64_t bias_start;
  const float *gate; /* [m / gate_rows, n] */
  int64_t gate_rows;
  const float *residual;
  float *c;
  int64_t ldc, ldr, small_h, small_w;
  EaselAct act;
} Product;

/* False when it does not fit the scratch (more than KC taps): the caller has another way. */
bool ISA (product) (const Product *p);
