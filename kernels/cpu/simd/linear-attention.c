/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A head: S = sum_j k'_j^T v_j and z = sum_j k'_j over tokens, then y = q' S / (q' z + eps), both as matrix products. z
 * is one more column of S, from a one beside every v. Tokens are summed KC at a time, so that no float sum is longer.
 */
#include "gemm.h"

typedef struct
{
  const EaselCpu *cpu;
  const EaselLinearAttentionArgs *a;
  int64_t n, ldy;
} Work;

/* Scratch, in floats, for head_dim d: rows of A, panels of B ([KC tokens or d][d + 1]), S, rows of sums. */
INLINE int64_t
columns_of (int64_t d)
{
  return easel_ceil_div (d + 1, VL) * VL;
}

/* Panels of [v, 1] for `n` tokens. */
static void
pack_values (float *panels, float *row, const float *v, int64_t ld, int64_t d, int64_t n)
{
  int64_t columns = columns_of (d);

  vzero (row, columns);
  row[d] = 1;
  for (int64_t t = 0; t < n; t++)
    {
      vcopy (row, v + t * ld, d);
      for (int64_t j = 0; j < columns; j += NR)
        {
          int64_t width = columns - j > VL ? NR : VL;

          for (int64_t i = 0; i < width; i += VL)
            vstore (panels + j * n + t * width + i, vload (row + j + i));
        }
    }
}

/* block[i * LDA + t] = relu (k[t * ld + i]) for n tokens and `rows` rows, of which a vector's worth is done here;
 * `left` elements may be read from each token. */
static void
turn_keys (float *block, const float *k, int64_t ld, int64_t n, int64_t rows, int64_t left)
{
  for (int64_t t = 0; t < n; t += VL)
    {
      vf r[VL];

      for (int j = 0; j < VL; j++)
        r[j] = t + j >= n    ? vset (0)
               : left >= VL ? vmax_nan (vload (k + (t + j) * ld), 0)
                            : vmax_nan (vload_part (k + (t + j) * ld, left), 0);
      vtranspose (r);
      for (int64_t i = 0; i < easel_min_i64 (VL, rows); i++)
        vstore (block + i * LDA + t, r[i]);
    }
}

static void
attention_head (const void *data, int64_t unit, int worker)
{
  const Work *work = data;
  const EaselLinearAttentionArgs *a = work->a;
  int64_t d = a->head_dim, columns = columns_of (d), h = unit % a->heads, first = unit / a->heads * work->n;
  const float *q = (const float *) a->q.data + first * a->q.row + h * a->q.head;
  const float *k = (const float *) a->k.data + first * a->k.row + h * a->k.head;
  const float *v = (const float *) a->v.data + first * a->v.row + h * a->v.head;
  float *y = (float *) a->y.data + first * work->ldy + h * d;
  float *block = easel_cpu_scratch (work->cpu, worker), *panels = block + A_FLOATS;
  float *sums = panels + KC * columns, *rows = sums + d * columns, *one = rows + MR * columns;

  vzero (sums, d * columns);
  for (int64_t t0 = 0; t0 < work->n; t0 += KC)
    {
      int64_t n = easel_min_i64 (KC, work->n - t0);

      pack_values (panels, one, v + t0 * a->v.row, a->v.row, d, n);
      for (int64_t r = 0; r < d; r += MR)
        {
          int some = (int) easel_min_i64 (MR, d - r);

          for (int64_t i = 0; i < some; i += VL)
            turn_keys (block + i * LDA, k + t0 * a->k.row + r + i, a->k.row, n, some - i, d - r - i);
          ISA (gemm_rows) (some, columns, n, block, panels, rows, columns, false);
          for (int64_t i = 0; i < some * columns; i += VL)
            vstore (sums + r * columns + i, vload (sums + r * columns + i) + vload (rows + i));
        }
    }

  ISA (pack_columns) (panels, sums, columns, columns, d);
  for (int64_t m = 0; m < work->n; m += MR)
    {
      int some = (int) easel_min_i64 (MR, work->n - m);

      for (int i = 0; i < some; i++)
        for (int64_t r = 0; r < d; r += VL)
          {
            const float *p = q + (m + i) * a->q.row + r;
            vstore (block + i * LDA + r, vmax_nan (d - r >= VL ? vload (p) : vload_part (p, d - r), 0));
          }
      ISA (gemm_rows) (some, columns, d, block, panels, rows, columns, false);
      for (int i = 0; i < some; i++)
        {
          vf scale = vset (1 / (rows[i * columns + d] + a->eps));
          float *out = y + (m + i) * work->ldy;

          for (int64_t c = 0; c < d; c += VL)
            if (d - c >= VL)
              vstore (out + c, vload (rows + i * columns + c) * scale);
            else
              vstore_part (out + c, vload (rows + i * columns + c) * scale, d - c);
        }
    }
}

void
ISA (linear_attention) (EaselStream *s, const EaselLinearAttentionArgs *a)
{
  int64_t d = a->head_dim, columns = columns_of (d);

  if (d > KC || (size_t) (A_FLOATS + (KC + d + MR + 1) * columns) * sizeof (float) > EASEL_CPU_SCRATCH)
    {
      easel_plain_linear_attention (s, a);
      return;
    }
  easel_pool_run (easel_cpu (s)->pool, a->y.shape[0] * a->heads, attention_head,
                  &(Work){ .cpu = easel_cpu (s), .a = a, .n = a->y.shape[1],
                           .ldy = a->y_stride ? a->y_stride : a->heads * d });
}
