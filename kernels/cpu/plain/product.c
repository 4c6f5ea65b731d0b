/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

#include <cblas.h>

#define TILE_M 64
#define TILE_N 64
#define TILE_K 1024

static void
product_tile (const void *data, int64_t unit, int worker)
{
  const EaselPlainProduct *p = data;
  int64_t tiles_n = easel_ceil_div (p->n, TILE_N), m0 = unit / tiles_n * TILE_M, n0 = unit % tiles_n * TILE_N;
  int64_t m = easel_min_i64 (TILE_M, p->m - m0), n = easel_min_i64 (TILE_N, p->n - n0);
  float *a = easel_cpu_scratch (p->cpu, worker), *b = a + TILE_M * TILE_K, *c = b + TILE_N * TILE_K;

  for (int64_t k0 = 0; k0 < p->k; k0 += TILE_K)
    {
      int64_t k = easel_min_i64 (TILE_K, p->k - k0);

      for (int64_t i = 0; i < m; i++)
        p->row (p->row_data, m0 + i, k0, k, a + i * k);
      for (int64_t j = 0; j < n; j++)
        easel_floats_at (b + j * k, p->w, p->w_dtype, p->w_start + (n0 + j) * p->k + k0, k);
      cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (int) m, (int) n, (int) k, 1, a, (int) k, b, (int) k,
                   k0 ? 1 : 0, c, TILE_N);
    }
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      {
        float v = c[i * TILE_N + j];

        if (p->w_scales)
          v *= p->w_scales[n0 + j];
        if (p->bias)
          v += easel_float_at (p->bias, p->bias_dtype, p->bias_start + n0 + j);
        v = easel_plain_act (v, p->act);
        if (p->gate)
          v *= p->gate[(m0 + i) / p->gate_rows * p->n + n0 + j];
        if (p->residual)
          v += p->residual[(m0 + i) * p->ldr + n0 + j];
        p->c[(m0 + i) * p->ldc + n0 + j] = v;
      }
}

void
easel_plain_product (const EaselPlainProduct *p)
{
  easel_pool_run (p->cpu->pool, easel_ceil_div (p->m, TILE_M) * easel_ceil_div (p->n, TILE_N), product_tile, p);
}
