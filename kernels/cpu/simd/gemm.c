/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * 14 x 32 (AVX-512): 28 multiply-adds for 14 broadcasts and 2 loads, so the multipliers are the limit, not the loads.
 * 6 x 16 (AVX2). Measured rates stand in kernels/README.md.
 */
#include "gemm.h"

typedef void (*Micro) (int64_t k, const float *a, const float *b, float *c, int64_t ldc, bool accumulate);

/* The sums of `rows` rows and `vectors` vectors of columns; all sizes are constants where this is inlined. */
#define LOAD_SUMS(ROWS, VECTORS)              \
  vf s[ROWS][VECTORS];                        \
  UNROLL for (int i = 0; i < ROWS; i++)       \
    UNROLL for (int v = 0; v < VECTORS; v++)  \
      s[i][v] = accumulate ? vload (c + i * ldc + v * VL) : vset (0)
#define STORE_SUMS(ROWS, VECTORS)             \
  UNROLL for (int i = 0; i < ROWS; i++)       \
    UNROLL for (int v = 0; v < VECTORS; v++)  \
      vstore (c + i * ldc + v * VL, s[i][v])
/* One k: the panel's row `b`, elements a[i * lda]. */
#define ADD_PRODUCTS(ROWS, VECTORS, a, lda, b)      \
  do                                                \
    {                                               \
      vf p[VECTORS];                                \
                                                    \
      UNROLL for (int v = 0; v < VECTORS; v++)      \
        p[v] = vload ((b) + v * VL);                \
      UNROLL for (int i = 0; i < ROWS; i++)         \
        {                                           \
          vf x = vset ((a)[i * (lda)]);             \
                                                    \
          UNROLL for (int v = 0; v < VECTORS; v++)  \
            s[i][v] = vfma (x, p[v], s[i][v]);      \
        }                                           \
    }                                               \
  while (0)

#define DEFINE_MICRO(ROWS, VECTORS)                                                                              \
  static void micro_##ROWS##_##VECTORS (int64_t n_k, const float *a, const float *b, float *c, int64_t ldc,      \
                                        bool accumulate)                                                         \
  {                                                                                                              \
    LOAD_SUMS (ROWS, VECTORS);                                                                                   \
    for (int64_t k = 0; k < n_k; k++)                                                                            \
      ADD_PRODUCTS (ROWS, VECTORS, a + k, LDA, b + k * VECTORS * VL);                                            \
    STORE_SUMS (ROWS, VECTORS);                                                                                  \
  }
#define DEFINE_BOTH(ROWS) \
  DEFINE_MICRO (ROWS, 1)  \
  DEFINE_MICRO (ROWS, 2)
#define BOTH(ROWS) { micro_##ROWS##_1, micro_##ROWS##_2 }

DEFINE_BOTH (1)
DEFINE_BOTH (2)
DEFINE_BOTH (3)
DEFINE_BOTH (4)
DEFINE_BOTH (5)
DEFINE_BOTH (6)
#if MR > 6
DEFINE_BOTH (7)
DEFINE_BOTH (8)
DEFINE_BOTH (9)
DEFINE_BOTH (10)
DEFINE_BOTH (11)
DEFINE_BOTH (12)
#endif
#if MR > 12
DEFINE_BOTH (13)
DEFINE_BOTH (14)
#endif

static const Micro micros[MR + 1][2] = {
  { NULL, NULL }, BOTH (1),  BOTH (2),  BOTH (3),  BOTH (4),  BOTH (5),  BOTH (6),
#if MR > 6
  BOTH (7),       BOTH (8),  BOTH (9),  BOTH (10), BOTH (11), BOTH (12),
#endif
#if MR > 12
  BOTH (13),      BOTH (14),
#endif
};

void
ISA (gemm_rows) (int rows, int64_t n, int64_t k, const float *a, const float *b, float *c, int64_t ldc, bool accumulate)
{
  int64_t j = 0;

  for (; n - j > VL; j += NR)
    micros[rows][1] (k, a, b + j * k, c + j, ldc, accumulate);
  if (j < n)
    micros[rows][0] (k, a, b + j * k, c + j, ldc, accumulate);
}

typedef void (*MicroDirect) (const Direct *direct, const float *b, float *c, int64_t ldc, bool accumulate);

#define DEFINE_DIRECT(APART, VECTORS)                                                                               \
  static void direct_##APART##_##VECTORS (const Direct *direct, const float *b, float *c, int64_t ldc,              \
                                          bool accumulate)                                                          \
  {                                                                                                                 \
    LOAD_SUMS (MR, VECTORS);                                                                                        \
    for (int64_t segment = 0; segment < direct->n_segments; segment++)                                              \
      {                                                                                                             \
        const float *a = direct->a + direct->offsets[segment], *end = a + direct->length;                           \
                                                                                                                    \
        for (; a < end; a++, b += VECTORS * VL)                                                                     \
          ADD_PRODUCTS (MR, VECTORS, a, APART, b);                                                                  \
      }                                                                                                             \
    STORE_SUMS (MR, VECTORS);                                                                                       \
  }
#define DEFINE_BOTH_DIRECT(APART) \
  DEFINE_DIRECT (APART, 1)        \
  DEFINE_DIRECT (APART, 2)
DEFINE_BOTH_DIRECT (16)
DEFINE_BOTH_DIRECT (32)
DEFINE_BOTH_DIRECT (64)
DEFINE_BOTH_DIRECT (128)

#define N_DIRECT 4
static const MicroDirect directs[N_DIRECT][2] = {
  { direct_16_1, direct_16_2 },
  { direct_32_1, direct_32_2 },
  { direct_64_1, direct_64_2 },
  { direct_128_1, direct_128_2 },
};

bool
ISA (gemm_has_direct) (int64_t lda)
{
  return lda == 16 || lda == 32 || lda == 64 || lda == 128;
}

void
ISA (gemm_direct) (const Direct *direct, int64_t n, const float *b, float *c, int64_t ldc, bool accumulate)
{
  const MicroDirect *pair = directs[direct->lda == 16 ? 0 : direct->lda == 32 ? 1 : direct->lda == 64 ? 2 : 3];
  int64_t j = 0, k = direct->n_segments * direct->length;

  for (; n - j > VL; j += NR)
    pair[1](direct, b + j * k, c + j, ldc, accumulate);
  if (j < n)
    pair[0](direct, b + j * k, c + j, ldc, accumulate);
}

/* Where row k of a packed block goes; see pack_rows in gemm.h. */
INLINE void
pack_block (float *panel, int64_t width, const void *w, EaselDtype dtype, int64_t start, int64_t row, int64_t n,
            int64_t n_k, int64_t taps)
{
  int64_t channels = n_k / taps, channel = 0, tap = 0;

  for (int64_t k = 0; k < n_k; k += VL)
    {
      int64_t some = easel_min_i64 (VL, n_k - k);
      vf r[VL];

      if (some == VL && n == VL)
        {
          UNROLL
          for (int j = 0; j < VL; j++)
            r[j] = vload_any (w, dtype, start + j * row + k);
        }
      else
        for (int j = 0; j < VL; j++)
          r[j] = j >= n         ? vset (0)
                 : some == VL ? vload_any (w, dtype, start + j * row + k)
                              : vload_any_part (w, dtype, start + j * row + k, some);
      vtranspose (r);
      if (taps == 1)
        for (int64_t i = 0; i < some; i++)
          vstore (panel + (k + i) * width, r[i]);
      else
        for (int64_t i = 0; i < some; i++)
          {
            vstore (panel + (tap * channels + channel) * width, r[i]);
            if (++tap == taps)
              {
                tap = 0;
                channel++;
              }
          }
    }
}

void
ISA (pack_rows) (float *panels, const void *w, EaselDtype dtype, int64_t start, int64_t row, int64_t n, int64_t n_k,
                 int64_t taps)
{
  for (int64_t j = 0; j < n; j += NR)
    {
      int64_t width = n - j > VL ? NR : VL;

      for (int64_t v = 0; v < width; v += VL)
        {
          float *panel = panels + j * n_k + v;
          int64_t at = start + (j + v) * row, some = easel_min_i64 (VL, n - j - v);

          /* A constant dtype lets the compiler drop the test from the inner loop. */
          if (dtype == EASEL_DTYPE_F32)
            pack_block (panel, width, w, EASEL_DTYPE_F32, at, row, some, n_k, taps);
          else if (dtype == EASEL_DTYPE_F16)
            pack_block (panel, width, w, EASEL_DTYPE_F16, at, row, some, n_k, taps);
          else
            pack_block (panel, width, w, EASEL_DTYPE_BF16, at, row, some, n_k, taps);
        }
    }
}

void
ISA (pack_columns) (float *panels, const float *src, int64_t row, int64_t n, int64_t n_k)
{
  for (int64_t j = 0; j < n; j += NR)
    {
      int64_t width = n - j > VL ? NR : VL;

      for (int64_t k = 0; k < n_k; k++)
        for (int64_t v = 0; v < width; v += VL)
          {
            int64_t some = n - j - v;
            const float *p = src + k * row + j + v;

            vstore (panels + j * n_k + k * width + v, some >= VL ? vload (p) : vload_part (p, some));
          }
    }
}
