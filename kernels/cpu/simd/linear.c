/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Many rows: the blocked product. Few rows (a timestep, a pooled vector): the weights are read once, as they lie, and
 * each row of them is multiplied with all rows of x; memory is the limit then.
 */
#include "product.h"

#define FEW 4      /* rows of x below which packing does not pay */
#define COLUMNS 32 /* columns of y a unit */

typedef struct
{
  const EaselLinearArgs *a;
  int64_t m, n, k, ldx, ldy, ldr, gate_rows;
} Rows;

static void
gather_rows (const void *data, int64_t m0, int rows, int64_t c0, int64_t n, float *dst)
{
  const Rows *r = data;
  const float *x = (const float *) r->a->x.data + m0 * r->ldx + c0;

  for (int i = 0; i < rows; i++)
    vcopy (dst + i * LDA, x + i * r->ldx, n);
}

/* w[j, :] times up to FEW rows of x. Two sums a row hide the latency of the multiply-adds. */
INLINE void
dot_rows (const Rows *r, int64_t j, EaselDtype dtype, int rows, float *out)
{
  const float *x = r->a->x.data;
  vf s[FEW][2];
  int64_t k = 0;

  UNROLL
  for (int i = 0; i < FEW; i++)
    s[i][0] = s[i][1] = vset (0);
  for (; k + 2 * VL <= r->k; k += 2 * VL)
    {
      vf w0 = vload_any (r->a->w.data, dtype, j * r->k + k), w1 = vload_any (r->a->w.data, dtype, j * r->k + k + VL);

      UNROLL
      for (int i = 0; i < rows; i++)
        {
          s[i][0] = vfma (vload (x + i * r->ldx + k), w0, s[i][0]);
          s[i][1] = vfma (vload (x + i * r->ldx + k + VL), w1, s[i][1]);
        }
    }
  for (; k < r->k; k += VL)
    {
      int64_t some = easel_min_i64 (VL, r->k - k);
      vf w = some == VL ? vload_any (r->a->w.data, dtype, j * r->k + k)
                        : vload_any_part (r->a->w.data, dtype, j * r->k + k, some);

      for (int i = 0; i < rows; i++)
        s[i][0] = vfma (some == VL ? vload (x + i * r->ldx + k) : vload_part (x + i * r->ldx + k, some), w, s[i][0]);
    }
  for (int i = 0; i < rows; i++)
    out[i] = vsum (s[i][0] + s[i][1]);
}

INLINE void
dot_rows_of (const Rows *r, int64_t j, EaselDtype dtype, float *out)
{
  switch (r->m)
    {
    case 1:
      dot_rows (r, j, dtype, 1, out);
      break;
    case 2:
      dot_rows (r, j, dtype, 2, out);
      break;
    case 3:
      dot_rows (r, j, dtype, 3, out);
      break;
    default:
      dot_rows (r, j, dtype, 4, out);
    }
}

static void
few_rows (const void *data, int64_t unit, int worker)
{
  const Rows *r = data;
  const EaselLinearArgs *a = r->a;
  int64_t end = easel_min_i64 (r->n, (unit + 1) * COLUMNS);

  (void) worker;
  for (int64_t j = unit * COLUMNS; j < end; j++)
    {
      float sums[FEW], t[VL];

      if (a->w.dtype == EASEL_DTYPE_F32)
        dot_rows_of (r, j, EASEL_DTYPE_F32, sums);
      else if (a->w.dtype == EASEL_DTYPE_F16)
        dot_rows_of (r, j, EASEL_DTYPE_F16, sums);
      else
        dot_rows_of (r, j, EASEL_DTYPE_BF16, sums);
      for (int64_t i = 0; i < r->m; i++)
        {
          float v = a->bias.data ? sums[i] + easel_float_at (a->bias.data, a->bias.dtype, j) : sums[i];

          if (a->act != EASEL_ACT_NONE)
            {
              vstore (t, vact (vset (v), a->act));
              v = t[0];
            }
          if (a->gate.data)
            v *= ((const float *) a->gate.data)[i / r->gate_rows * r->n + j];
          if (a->residual.data)
            v += ((const float *) a->residual.data)[i * r->ldr + j];
          ((float *) a->y.data)[i * r->ldy + j] = v;
        }
    }
}

void
ISA (linear) (EaselStream *s, const EaselLinearArgs *a)
{
  int64_t n = a->w.shape[0], k = easel_tensor_count (&a->w) / n, m = easel_tensor_count (&a->y) / n;
  Rows rows = {
    .a = a,
    .m = m,
    .n = n,
    .k = k,
    .ldx = a->x_stride ? a->x_stride : k,
    .ldy = a->y_stride ? a->y_stride : n,
    .gate_rows = a->gate.data ? m / (easel_tensor_count (&a->gate) / n) : 1,
  };

  if (a->w.scales) /* nothing is gained by 8 bits here: models that compute on the CPU keep theirs */
    {
      easel_plain_linear (s, a);
      return;
    }
  rows.ldr = a->residual.data == a->y.data ? rows.ldy : n;
  if (m <= FEW)
    {
      easel_pool_run (easel_cpu (s)->pool, easel_ceil_div (n, COLUMNS), few_rows, &rows);
      return;
    }
  ISA (product) (&(Product){
      .cpu = easel_cpu (s),
      .gather = gather_rows,
      .gather_data = &rows,
      .weights = { .w = a->w.data, .dtype = a->w.dtype, .row = k, .phase = -1 },
      .m = m,
      .n = n,
      .channels = k,
      .taps = 1,
      .bias = a->bias.data,
      .bias_dtype = a->bias.dtype,
      .gate = a->gate.data,
      .gate_rows = rows.gate_rows,
      .residual = a->residual.data,
      .c = a->y.data,
      .ldc = rows.ldy,
      .ldr = rows.ldr,
      .act = a->act,
  });
}
