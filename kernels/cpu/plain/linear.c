/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain.h"

typedef struct
{
  const float *x;
  int64_t stride;
  const EaselTensor *scaled; /* instead of x */
} Rows;

static void
linear_row (const void *data, int64_t m, int64_t k0, int64_t n, float *out)
{
  const Rows *rows = data;

  memcpy (out, rows->x + m * rows->stride + k0, (size_t) n * sizeof *out);
}

static void
scaled_row (const void *data, int64_t m, int64_t k0, int64_t n, float *out)
{
  const EaselTensor *x = ((const Rows *) data)->scaled;

  easel_floats_at (out, x->data, x->dtype, m * x->shape[x->n_dims - 1] + k0, n);
  for (int64_t i = 0; i < n; i++)
    out[i] *= x->scales[m];
}

void
easel_plain_linear (EaselStream *s, const EaselLinearArgs *a)
{
  int64_t n = a->w.shape[0], k = easel_tensor_count (&a->w) / n, m = easel_tensor_count (&a->y) / n;
  int64_t ldc = a->y_stride ? a->y_stride : n;
  Rows rows = { .x = a->x.data, .stride = a->x_stride ? a->x_stride : k, .scaled = &a->x };

  easel_plain_product (&(EaselPlainProduct){
      .cpu = easel_cpu (s),
      .row = a->w.scales ? scaled_row : linear_row,
      .row_data = &rows,
      .w = a->w.data,
      .w_dtype = a->w.dtype,
      .w_scales = a->w.scales,
      .bias = a->bias.data,
      .bias_dtype = a->bias.dtype,
      .gate = a->gate.data,
      .gate_rows = a->gate.data ? m / (easel_tensor_count (&a->gate) / n) : 1,
      .residual = a->residual.data,
      .c = a->y.data,
      .ldc = ldc,
      .ldr = a->residual.data == a->y.data ? ldc : n,
      .m = m,
      .n = n,
      .k = k,
      .act = a->act,
  });
}
