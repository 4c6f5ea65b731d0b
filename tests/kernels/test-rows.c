/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Ops that go over rows or elements, against formulas in double.
 */
#include "harness.h"

#define ISSUE(name)                                 \
  static void issue_##name (EaselStream *s, const void *data) \
  {                                                 \
    easel_op_##name (s, data);                      \
  }
ISSUE (norm)
ISSUE (embedding)
ISSUE (timestep_embedding)
ISSUE (glu)
ISSUE (lincomb)
ISSUE (add)
ISSUE (layout)
ISSUE (cast)
ISSUE (pixel_shuffle)
ISSUE (pixel_unshuffle)

static const EaselDtype float_dtypes[] = { EASEL_DTYPE_F32, EASEL_DTYPE_F16, EASEL_DTYPE_BF16 };

/* residual: 0 none, 1 another tensor, 2 y itself. extra: elements between rows of x and y beyond a row. */
static void
norm_case (EaselNormKind kind, int64_t batch, int64_t m, int64_t c, EaselDtype dtype, bool affine, bool modulated,
           int residual, int64_t extra, double offset)
{
  int64_t rows = batch * m, ld = c + extra, n = (rows - 1) * ld + c;
  EaselTensor x = harness_random (EASEL_DTYPE_F32, 1, offset, 1, &n), y = RANDOM (F32, 1, n);
  EaselNormArgs a = {
    .kind = kind,
    .x = easel_tensor_of (x.data, EASEL_DTYPE_F32, batch, m, c),
    .y = easel_tensor_of (y.data, EASEL_DTYPE_F32, batch, m, c),
    .eps = 1e-6f,
    .x_stride = extra ? ld : 0,
    .y_stride = extra ? ld : 0,
    .weight_offset = affine && modulated ? 1 : 0,
    .act = residual ? EASEL_ACT_RELU : EASEL_ACT_NONE,
  };
  double *want = harness_want (n);
  char name[120];

  if (affine)
    {
      a.weight = harness_random (dtype, 1, 0, 1, &c);
      a.bias = harness_random (dtype, 1, 0, 1, &c);
    }
  if (modulated)
    {
      a.scale = RANDOM (F32, 1, batch, c);
      a.shift = RANDOM (F32, 1, batch, c);
    }
  if (residual)
    a.residual = residual == 2 ? a.y : RANDOM (F32, 1, rows, c);
  for (int64_t i = 0; i < n; i++)
    want[i] = NAN;
  for (int64_t i = 0; i < rows; i++)
    {
      double mean = 0, var = 0;

      for (int64_t j = 0; j < c && kind == EASEL_NORM_LAYER; j++)
        mean += harness_at (&x, i * ld + j) / (double) c;
      for (int64_t j = 0; j < c; j++)
        var += pow (harness_at (&x, i * ld + j) - mean, 2) / (double) c;
      for (int64_t j = 0; j < c; j++)
        {
          double v = (harness_at (&x, i * ld + j) - mean) / sqrt (var + a.eps);

          if (affine)
            v = v * (a.weight_offset + harness_at (&a.weight, j)) + harness_at (&a.bias, j);
          if (modulated)
            v = v * (1 + harness_at (&a.scale, i / m * c + j)) + harness_at (&a.shift, i / m * c + j);
          v = harness_act (v, a.act);
          if (residual)
            v += residual == 2 ? harness_at (&y, i * ld + j) : harness_at (&a.residual, i * c + j);
          want[i * ld + j] = v;
        }
    }
  snprintf (name, sizeof name, "norm %d b%lld m%lld c%lld %s residual %d +%lld", kind, (long long) batch, (long long) m,
            (long long) c, easel_dtype_name (dtype), residual, (long long) extra);
  /* A mean of `offset` costs digits before the norm sees them. */
  harness_check (name, issue_norm, &a, y, want, n, 2e-6 * (1 + fabs (offset)));
  harness_end ();
}

/* Scaled rows: what the plain norm gives, quantised. */
static void
scaled_norm_case (int64_t batch, int64_t m, int64_t c, EaselDtype dtype)
{
  const int64_t rows = batch * m;
  EaselTensor y = harness_empty (dtype, 2, (const int64_t[]){ rows, c }), plain = EMPTY (F32, rows, c), codes = y;
  EaselNormArgs a = { .kind = EASEL_NORM_LAYER, .x = RANDOM (F32, 1, rows, c), .scale = RANDOM (F32, 1, batch, c),
                      .shift = RANDOM (F32, 1, batch, c), .y = plain, .eps = 1e-6f };
  double *want = harness_want (rows * c);
  EaselDevice *device;
  EaselStream *s;
  char name[96];

  codes.data = harness_empty (dtype, 2, y.shape).data;
  codes.scales = harness_empty (EASEL_DTYPE_F32, 1, &rows).data;
  y.scales = harness_empty (EASEL_DTYPE_F32, 1, &rows).data;
  if (easel_cpu_device_open_level (1, EASEL_CPU_PLAIN, &device) != EASEL_STATUS_OK
      || easel_stream_open (device, 4096, &s) != EASEL_STATUS_OK)
    exit (2);
  easel_op_norm (s, &a);
  easel_quantise (s, .x = plain, .y = codes);
  easel_stream_close (&s);
  easel_device_close (&device);
  for (int64_t i = 0; i < rows * c; i++)
    want[i] = harness_at (&codes, i);
  a.y = y;
  snprintf (name, sizeof name, "norm %lldx%lldx%lld to %s", (long long) batch, (long long) m, (long long) c,
            easel_dtype_name (dtype));
  harness_check (name, issue_norm, &a, y, want, rows * c, 0);
  harness_end ();
}

static void
test_norm (void)
{
  static const int64_t columns[] = { 1, 2, 15, 16, 17, 31, 64, 100, 257, 1030 };

  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
    for (int d = 0; d < 3; d++)
      {
        EaselNormKind kind = (i + (size_t) d) % 2 ? EASEL_NORM_LAYER : EASEL_NORM_RMS;
        int64_t c = columns[i];

        norm_case (kind, 1, 3, c, float_dtypes[d], true, false, 0, 0, 0);
        norm_case (kind, 2, 5, c, float_dtypes[d], false, true, 1, 0, 0);
        norm_case (kind, 2, 17, c, float_dtypes[d], true, true, 2, 3, 0.5);
        norm_case (c > 1 ? EASEL_NORM_LAYER : EASEL_NORM_RMS, 1, 4, c, float_dtypes[d], true, false, 2, 0, 8);
      }
  scaled_norm_case (2, 5, 33, EASEL_DTYPE_F8_E4M3);
  scaled_norm_case (1, 3, 1030, EASEL_DTYPE_I8);
}

static void
glu_case (int64_t m, int64_t c, EaselAct act, bool both, bool in_place, int64_t extra)
{
  int64_t ld = c + extra, n = m * c;
  EaselTensor p = RANDOM (F32, 4, (m - 1) * ld + c), q = RANDOM (F32, 1, (m - 1) * ld + c);
  EaselGluArgs a = {
    .a = easel_tensor_of (p.data, EASEL_DTYPE_F32, m, c),
    .b = both ? easel_tensor_of (q.data, EASEL_DTYPE_F32, m, c) : EASEL_NO_TENSOR,
    .y = in_place && !extra ? easel_tensor_of (p.data, EASEL_DTYPE_F32, m, c) : EMPTY (F32, m, c),
    .act = act,
    .a_stride = extra ? ld : 0,
    .b_stride = extra ? ld : 0,
  };
  double *want = harness_want (n);
  char name[100];

  for (int64_t i = 0; i < n; i++)
    want[i] = harness_act (harness_at (&p, i / c * ld + i % c), act) *
              (both ? harness_at (&q, i / c * ld + i % c) : 1);
  snprintf (name, sizeof name, "glu %lldx%lld act %d%s", (long long) m, (long long) c, act, both ? " two" : "");
  harness_check (name, issue_glu, &a, a.y, want, n, 2e-6);
  harness_end ();
}

static void
lincomb_case (int64_t n, int terms)
{
  EaselLincombArgs a = { .n_terms = terms };
  double *want = harness_want (n);

  for (int t = 0; t < terms; t++)
    {
      a.x[t] = RANDOM (F32, 1, n);
      a.c[t] = 0.3f * (float) t - 0.7f;
    }
  a.y = terms > 2 ? a.x[2] : EMPTY (F32, n);
  for (int64_t i = 0; i < n; i++)
    {
      want[i] = 0;
      for (int t = 0; t < terms; t++)
        want[i] += (double) a.c[t] * harness_at (&a.x[t], i);
    }
  harness_check ("lincomb", issue_lincomb, &a, a.y, want, n, 1e-6);
  harness_end ();
}

static void
add_case (int64_t repeat, int64_t period)
{
  int64_t n = repeat * period;
  EaselAddArgs a = { .x = RANDOM (F32, 1, n), .r = RANDOM (F32, 1, period) };
  double *want = harness_want (n);

  a.y = repeat % 2 ? a.x : EMPTY (F32, n);
  for (int64_t i = 0; i < n; i++)
    want[i] = (float) (harness_at (&a.x, i) + harness_at (&a.r, i % period));
  harness_check ("add", issue_add, &a, a.y, want, n, 1e-7);
  harness_end ();
}

static void
embedding_case (int64_t m, int64_t rows, int64_t c, EaselDtype dtype)
{
  EaselEmbeddingArgs a = {
    .ids = EMPTY (I32, m),
    .table = harness_random (dtype, 1, 0, 2, (const int64_t[]){ rows, c }),
    .y = EMPTY (F32, m, c),
    .scale = 3.5f,
  };
  double *want = harness_want (m * c);

  for (int64_t i = 0; i < m; i++)
    ((int32_t *) a.ids.data)[i] = i ? harness_random_int ((int) rows) : (int32_t) rows - 1;
  for (int64_t i = 0; i < m * c; i++)
    want[i] = 3.5 * harness_at (&a.table, ((int32_t *) a.ids.data)[i / c] * c + i % c);
  harness_check ("embedding", issue_embedding, &a, a.y, want, m * c, 1e-7);
  harness_end ();
}

static void
timestep_embedding_case (int64_t batch, int64_t dim, bool flip, float shift, float scale)
{
  EaselTimestepEmbeddingArgs a = {
    .t = RANDOM (F32, 30, batch),
    .y = EMPTY (F32, batch, dim),
    .flip_sin_to_cos = flip,
    .freq_shift = shift,
    .scale = scale,
  };
  double *want = harness_want (batch * dim);

  for (int64_t i = 0; i < batch * dim; i++)
    {
      int64_t j = i % dim % (dim / 2);
      double angle = (scale != 0 ? scale : 1) * harness_at (&a.t, i / dim) *
                     exp (-log (10000) * (double) j / ((double) dim / 2 - shift));
      bool cosine = (i % dim < dim / 2) == flip;

      want[i] = cosine ? cos (angle) : sin (angle);
    }
  harness_check ("timestep_embedding", issue_timestep_embedding, &a, a.y, want, batch * dim, 5e-5);
  harness_end ();
}

static void
layout_case (int64_t b, int64_t c, int64_t h, int64_t w, bool to_last)
{
  int64_t n = b * c * h * w;
  EaselTensor planar = RANDOM (F32, 1, b, c, h, w), channels_last = RANDOM (F32, 1, b, h, w, c);
  EaselLayoutArgs a = {
    .x = to_last ? planar : channels_last,
    .y = to_last ? channels_last : planar,
    .to_channels_last = to_last,
  };
  double *want = harness_want (n);

  for (int64_t i = 0; i < n; i++)
    {
      int64_t pixel = i % (h * w), channel = i / (h * w) % c, at = (i / (h * w * c) * h * w + pixel) * c + channel;

      want[to_last ? at : i] = harness_at (&a.x, to_last ? i : at);
    }
  harness_check ("layout", issue_layout, &a, a.y, want, n, 0);
  harness_end ();
}

static void
cast_case (int64_t n, EaselDtype from, EaselDtype to)
{
  EaselCastArgs a = { .x = harness_random (from, 1, 0, 1, &n), .y = harness_empty (to, 1, &n) };
  double *want = harness_want (n);

  for (int64_t i = 0; i < n; i++)
    want[i] = harness_at (&a.x, i);
  harness_check ("cast", issue_cast, &a, a.y, want, n, to == EASEL_DTYPE_F32 ? 0 : to == EASEL_DTYPE_F16 ? 5e-4 : 4e-3);
  harness_end ();
}

/* Every 16-bit float survives the way through f32; ties round to even. */
static void
test_half (void)
{
  for (uint32_t h = 0; h < 0x10000; h++)
    {
      float f = easel_f32_from_f16 ((uint16_t) h), b = easel_f32_from_bf16 ((uint16_t) h);

      if (f == f && easel_f16_from_f32 (f) != h)
        harness_fail ("f16 %04x becomes %04x", h, easel_f16_from_f32 (f));
      if (b == b && easel_bf16_from_f32 (b) != h)
        harness_fail ("bf16 %04x becomes %04x", h, easel_bf16_from_f32 (b));
    }
  if (easel_bf16_from_f32 (1.00390625f) != 0x3f80 || easel_bf16_from_f32 (1.01171875f) != 0x3f82 ||
      easel_f16_from_f32 (1.00048828125f) != 0x3c00 || easel_f16_from_f32 (65520) != 0x7c00 ||
      easel_f16_from_f32 (65519) != 0x7bff || easel_f16_from_f32 (0x1p-25f) != 0 ||
      (easel_f16_from_f32 (NAN) & 0x7fff) <= 0x7c00 || (easel_bf16_from_f32 (NAN) & 0x7fff) <= 0x7f80)
    harness_fail ("rounding of 16-bit floats");
}

static void
shuffle_case (int64_t b, int64_t h, int64_t w, int64_t cx, int64_t cy, int f, bool residual)
{
  int64_t n = b * h * f * w * f * cy, repeats = cy * f * f / cx;
  EaselPixelShuffleArgs a = {
    .x = RANDOM (F32, 1, b, h, w, cx),
    .residual = residual ? RANDOM (F32, 1, b, h * f, w * f, cy) : EASEL_NO_TENSOR,
    .factor = f,
  };
  double *want = harness_want (n);

  a.y = residual ? a.residual : EMPTY (F32, b, h * f, w * f, cy);
  for (int64_t i = 0; i < n; i++)
    {
      int64_t c = i % cy, x = i / cy % (w * f), y = i / cy / (w * f) % (h * f), batch = i / cy / (w * f) / (h * f);
      int64_t q = ((c * f + y % f) * f + x % f) / repeats;

      want[i] = harness_at (&a.x, ((batch * h + y / f) * w + x / f) * cx + q);
      if (residual)
        want[i] = (float) (want[i] + harness_at (&a.residual, i));
    }
  harness_check ("pixel_shuffle", issue_pixel_shuffle, &a, a.y, want, n, 0);
  harness_end ();
}

static void
unshuffle_case (int64_t b, int64_t h, int64_t w, int64_t cx, int64_t cy, int f, bool residual)
{
  int64_t n = b * h * w * cy, group = cx * f * f / cy;
  EaselPixelUnshuffleArgs a = {
    .x = RANDOM (F32, 1, b, h * f, w * f, cx),
    .residual = residual ? RANDOM (F32, 1, b, h, w, cy) : EASEL_NO_TENSOR,
    .factor = f,
  };
  double *want = harness_want (n);

  a.y = residual ? a.residual : EMPTY (F32, b, h, w, cy);
  for (int64_t i = 0; i < n; i++)
    {
      int64_t c = i % cy, x = i / cy % w, y = i / cy / w % h, batch = i / cy / w / h;

      want[i] = residual ? harness_at (&a.residual, i) : 0;
      for (int64_t q = c * group; q < (c + 1) * group; q++)
        want[i] += harness_at (&a.x, ((batch * h * f + y * f + q / f % f) * w * f + x * f + q % f) * cx + q / (f * f)) /
                   (double) group;
    }
  harness_check ("pixel_unshuffle", issue_pixel_unshuffle, &a, a.y, want, n, 1e-6);
  harness_end ();
}

int
main (void)
{
  static const int64_t counts[] = { 1, 3, 16, 31, 33, 100, 1027, 70000 };

  test_half ();
  test_norm ();
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    {
      int64_t n = counts[i];

      lincomb_case (n, 1 + (int) i % EASEL_MAX_TERMS);
      lincomb_case (n, EASEL_MAX_TERMS);
      add_case (1 + (int64_t) i % 3, n);
      add_case (7, n > 1000 ? 1000 : n);
      for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++)
          cast_case (n, float_dtypes[from], float_dtypes[to]);
      if (n > 2000)
        continue;
      for (int act = 0; act < 4; act++)
        {
          glu_case (1 + (int64_t) i, n, (EaselAct) act, i % 2, i % 3 == 0, 0);
          glu_case (5, n, (EaselAct) act, true, false, n);
        }
      embedding_case (1 + (int64_t) i, 9, n, float_dtypes[i % 3]);
      layout_case (1 + (int64_t) i % 2, n > 100 ? 40 : n, 5, 7, true);
      layout_case (1 + (int64_t) i % 2, n > 100 ? 40 : n, 9, 16, false);
    }
  layout_case (1, 3, 40, 50, false);
  timestep_embedding_case (1, 2, false, 0, 0);
  timestep_embedding_case (3, 256, true, 0, 1);
  timestep_embedding_case (2, 34, true, 1, 10);
  shuffle_case (1, 1, 1, 4, 1, 2, false);
  shuffle_case (2, 3, 5, 16, 8, 2, true);
  shuffle_case (1, 2, 3, 12, 12, 2, false);
  shuffle_case (1, 2, 2, 9, 5, 3, true);
  shuffle_case (1, 3, 2, 32, 64, 2, true);
  shuffle_case (1, 4, 3, 7, 21, 1, false);
  shuffle_case (1, 5, 5, 64, 16, 2, false);
  unshuffle_case (1, 1, 1, 1, 4, 2, false);
  unshuffle_case (2, 3, 5, 8, 16, 2, true);
  unshuffle_case (1, 2, 3, 12, 4, 2, false);
  unshuffle_case (1, 3, 3, 5, 9, 3, true);
  unshuffle_case (1, 3, 2, 64, 32, 1, true);
  unshuffle_case (1, 4, 4, 16, 64, 2, false);
  return harness_finish ();
}
