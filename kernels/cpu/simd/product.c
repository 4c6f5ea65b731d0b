/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Work is split into blocks of rows x columns. A worker packs the weights of its block (bounded by its scratch, from
 * whatever dtype the file has) and then goes over its rows, MR at a time: copy them, multiply, finish, write. Long sums
 * are split at fixed places of k, so the split over rows, columns and threads never changes a result.
 */
#include "product.h"

#define MAX_NB 256
#define C_FLOATS (288 * MAX_NB)

/* Scratch of a worker, in floats: rows of A, panels of B, sums. The last holds a whole block when k is split. */
#define B_FLOATS (KC * MAX_NB)
_Static_assert ((A_FLOATS + B_FLOATS + C_FLOATS + MAX_NB) * sizeof (float) <= EASEL_CPU_SCRATCH, "scratch");

typedef struct
{
  const Product *p;
  int64_t mb, nb, blocks_n; /* rows and columns of a block, blocks across */
  int64_t cb, n_cb;         /* channels of a block of k, blocks of k */
} Split;

static void
pack_folded (const Weights *w, float *panels, int64_t n0, int64_t n, int64_t c0, int64_t n_c)
{
  /* Corner (py, px) of an enlarged pixel sees rows {y - 1 + py, y + py}: the first sums taps 0 … py, and so on. */
  int py = w->phase / 2, px = w->phase % 2;

  for (int64_t j = 0; j < n; j += NR)
    {
      int64_t width = n - j > VL ? NR : VL;

      for (int64_t v = 0; v < width; v++)
        for (int64_t c = 0; c < n_c; c++)
          {
            float t[9], *out = panels + j * 4 * n_c + c * width + v, f[4] = { 0 };

            if (j + v < n)
              {
                easel_floats_at (t, w->w, w->dtype, w->start + (n0 + j + v) * w->row + (c0 + c) * 9, 9);
                for (int ky = 0; ky < 3; ky++)
                  for (int kx = 0; kx < 3; kx++)
                    f[(ky > py) * 2 + (kx > px)] += t[ky * 3 + kx];
              }
            for (int tap = 0; tap < 4; tap++)
              out[tap * n_c * width] = f[tap];
          }
    }
}

static void
pack_weights (const Product *p, float *panels, int64_t n0, int64_t n, int64_t c0, int64_t n_c)
{
  const Weights *w = &p->weights;

  if (w->phase >= 0)
    pack_folded (w, panels, n0, n, c0, n_c);
  else
    ISA (pack_rows) (panels, w->w, w->dtype, w->start + n0 * w->row + c0 * p->taps, w->row, n, n_c * p->taps, p->taps);
}

/* Elements before row m of c. */
INLINE int64_t
row_start (const Product *p, int64_t m)
{
  int64_t y, x;

  if (!p->small_w)
    return m * p->ldc;
  y = m / p->small_w;
  x = m % p->small_w;
  return ((2 * y + p->weights.phase / 2) * 2 * p->small_w + 2 * x + p->weights.phase % 2) * p->ldc;
}

INLINE void
finish_row (const Product *p, const float *sum, const float *bias, int64_t m, int64_t at, int64_t n0, int64_t n,
            EaselAct act)
{
  float *c = p->c + at + n0;
  const float *residual = p->residual ? p->residual + (p->small_w ? at : m * p->ldr) + n0 : NULL;
  const float *gate = p->gate ? p->gate + m / p->gate_rows * p->n + n0 : NULL;

  for (int64_t j = 0; j < n; j += VL)
    {
      int64_t some = n - j;
      vf v = vact (vload (sum + j) + vload (bias + j), act);

      if (some >= VL)
        {
          if (gate)
            v = v * vload (gate + j);
          if (residual)
            v = vload (residual + j) + v;
          vstore (c + j, v);
        }
      else
        {
          if (gate)
            v = v * vload_part (gate + j, some);
          if (residual)
            v = vload_part (residual + j, some) + v;
          vstore_part (c + j, v, some);
        }
    }
}

/* sums: `rows` rows of ld floats; bias: n rounded up to VL floats. */
static void
finish_rows (const Product *p, const float *sums, int64_t ld, const float *bias, int64_t m0, int rows, int64_t n0,
             int64_t n)
{
  int64_t at = row_start (p, m0), x = p->small_w ? m0 % p->small_w : 0;

  for (int i = 0; i < rows; i++)
    {
      switch (p->act)
        {
        case EASEL_ACT_RELU:
          finish_row (p, sums + i * ld, bias, m0 + i, at, n0, n, EASEL_ACT_RELU);
          break;
        case EASEL_ACT_SILU:
          finish_row (p, sums + i * ld, bias, m0 + i, at, n0, n, EASEL_ACT_SILU);
          break;
        case EASEL_ACT_GELU_TANH:
          finish_row (p, sums + i * ld, bias, m0 + i, at, n0, n, EASEL_ACT_GELU_TANH);
          break;
        default:
          finish_row (p, sums + i * ld, bias, m0 + i, at, n0, n, EASEL_ACT_NONE);
        }
      at += (p->small_w ? 2 : 1) * p->ldc;
      if (p->small_w && ++x == p->small_w) /* over the row of the other corner */
        {
          x = 0;
          at += 2 * p->small_w * p->ldc;
        }
    }
}

static void
product_block (const void *data, int64_t unit, int worker)
{
  const Split *split = data;
  const Product *p = split->p;
  int64_t m0 = unit / split->blocks_n * split->mb, m1 = easel_min_i64 (m0 + split->mb, p->m);
  int64_t n0 = unit % split->blocks_n * split->nb, n = easel_min_i64 (split->nb, p->n - n0);
  int64_t ld = easel_ceil_div (n, VL) * VL;
  Direct direct;
  float *a = easel_cpu_scratch (p->cpu, worker), *b = a + A_FLOATS, *sums = b + B_FLOATS, *bias = sums + C_FLOATS;

  vzero (bias, ld);
  if (p->bias)
    vcopy_any (bias, p->bias, p->bias_dtype, p->bias_start + n0, n);

  for (int64_t block = 0; block < split->n_cb; block++)
    {
      int64_t c0 = block * split->cb, n_c = easel_min_i64 (split->cb, p->channels - c0);
      bool last = block == split->n_cb - 1;

      pack_weights (p, b, n0, n, c0, n_c);
      for (int64_t m = m0; m < m1; m += MR)
        {
          int rows = (int) easel_min_i64 (MR, m1 - m);
          float *c = split->n_cb > 1 ? sums + (m - m0) * ld : sums;

          if (p->direct && rows == MR && p->direct (p->gather_data, m, c0, n_c, &direct))
            ISA (gemm_direct) (&direct, n, b, c, ld, block > 0);
          else
            {
              p->gather (p->gather_data, m, rows, c0, n_c, a);
              ISA (gemm_rows) (rows, n, n_c * p->taps, a, b, c, ld, block > 0);
            }
          if (last)
            finish_rows (p, c, ld, bias, m, rows, n0, n);
        }
    }
}

/* Blocks large enough to pay for packing, small enough that every thread has work. None of it changes results. */
static void
choose_blocks (const Product *p, Split *split, int threads)
{
  int64_t max_mb = split->n_cb == 1 && p->m >= 8192 ? 1120 : 280, blocks_m, blocks_n, units;

  max_mb = max_mb / MR * MR;
  blocks_m = easel_ceil_div (p->m, max_mb);
  blocks_n = easel_ceil_div (p->n, MAX_NB);
  for (;;)
    {
      split->mb = easel_ceil_div (easel_ceil_div (p->m, blocks_m), MR) * MR;
      split->nb = easel_ceil_div (easel_ceil_div (p->n, blocks_n), NR) * NR;
      split->blocks_n = easel_ceil_div (p->n, split->nb);
      units = easel_ceil_div (p->m, split->mb) * split->blocks_n;
      if (threads == 1 || units >= 4 * threads || (units >= threads && units % threads == 0))
        return;
      if (split->nb > 2 * NR)
        blocks_n++;
      else if (split->mb > 4 * MR)
        blocks_m++;
      else
        return;
    }
}

bool
ISA (product) (const Product *p)
{
  int64_t max_c = KC / p->taps;
  Split split = { .p = p };

  if (max_c < 1)
    return false;
  split.n_cb = easel_ceil_div (p->channels, max_c);
  split.cb = easel_ceil_div (p->channels, split.n_cb);
  if (split.cb % 8 && (split.cb + 7) / 8 * 8 <= max_c)
    split.cb = (split.cb + 7) / 8 * 8;
  split.n_cb = easel_ceil_div (p->channels, split.cb);
  choose_blocks (p, &split, easel_pool_n_threads (p->cpu->pool));
  easel_pool_run (p->cpu->pool, easel_ceil_div (p->m, split.mb) * split.blocks_n, product_block, &split);
  return true;
}
