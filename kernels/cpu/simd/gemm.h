/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The core of all matrix products: a block of MR rows of A, copied to rows of LDA floats, times panels of B.
 *
 *   A block   [rows <= MR][LDA]        rows one after the other; element k of row i at i * LDA + k
 *   B panel   [K][NR]                  all k of NR columns; the last panel of a matrix may be [K][NR / 2]
 *   C tile    rows <= MR of NR columns
 *
 * An element of C is one chain of multiply-adds over k from 0 up, whatever tile it is computed in.
 */
#pragma once

#include "simd.h"

/* MR x NR accumulators, two vectors of B and one of A fill the registers; more rows per load of B are faster. */
#if VL == 16
#define MR 14
#elif VL == 8
#define MR 6
#elif defined(__aarch64__)
#define MR 12
#else
#define MR 6
#endif
#define NR (2 * VL)

/* Longest block of k: MR rows of it stay in the first-level cache (14 * 592 * 4 = 32 KiB), and 3x3 kernels of 64
 * channels are one block. A row has 16 floats more, so
 * that rows do not fall on the same cache set. */
#define KC 576
#define LDA (KC + 16)
#define A_FLOATS (MR * LDA)

/* Floats of a panel set for n columns and k rows: whole panels and perhaps a half one. */
INLINE int64_t
panel_floats (int64_t n, int64_t k)
{
  return easel_ceil_div (n, VL) * VL * k;
}

/* c[i, j] (+)= sum_k a[i, k] b[k, j] for `rows` rows and columns [0, n); b holds the panels one after the other, c has
 * ldc floats a row and room for n rounded up to VL. */
void ISA (gemm_rows) (int rows, int64_t n, int64_t k, const float *a, const float *b, float *c, int64_t ldc,
                      bool accumulate);

/* A where it lies: MR rows with `lda` floats between their starts, each of n_segments runs of `length` floats that
 * start at offsets[] from the row's start. No copy, but only for the distances that have a kernel of their own
 * (channels of a picture: 16, 32, 64, 128), since constants leave registers for the sums. */
#define MAX_SEGMENTS 25
typedef struct
{
  const float *a;
  int64_t lda, n_segments, length;
  int64_t offsets[MAX_SEGMENTS];
} Direct;

bool ISA (gemm_has_direct) (int64_t lda);
/* As gemm_rows for MR rows; k = n_segments * length. */
void ISA (gemm_direct) (const Direct *direct, int64_t n, const float *b, float *c, int64_t ldc, bool accumulate);

/* Column j of the panels becomes row j of w: element (k, j) is w[start + j * row + k], k in [0, n_k), j in [0, n).
 * Row k of a panel goes to position (k % taps) * (n_k / taps) + k / taps: convolution weights are stored with the taps
 * of one channel together and wanted with the channels of one tap together. taps = 1: as they are. */
void ISA (pack_rows) (float *panels, const void *w, EaselDtype dtype, int64_t start, int64_t row, int64_t n,
                      int64_t n_k, int64_t taps);

/* The same for b[k, j] = src[k * row + j]: no transposition. */
void ISA (pack_columns) (float *panels, const float *src, int64_t row, int64_t n, int64_t n_k);
