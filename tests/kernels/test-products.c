/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * linear (in 8 bits too), quantise, conv2d and depthwise_glu against sums in double.
 */
#include "harness.h"

static const EaselDtype weight_dtypes[] = { EASEL_DTYPE_F32, EASEL_DTYPE_F16, EASEL_DTYPE_BF16 };

static void
issue_linear (EaselStream *s, const void *data)
{
  easel_op_linear (s, data);
}

static void
issue_conv2d (EaselStream *s, const void *data)
{
  easel_op_conv2d (s, data);
}

static void
issue_depthwise_glu (EaselStream *s, const void *data)
{
  easel_op_depthwise_glu (s, data);
}

/* m rows in `batch` batches. extra: elements between rows beyond a row. in_place: the residual is y. */
static void
linear_case (int64_t batch, int64_t m, int64_t n, int64_t k, EaselDtype dtype, EaselAct act, bool full, int64_t extra,
             bool in_place)
{
  int64_t ldx = k + extra, ldy = n + extra, rows = batch * m, n_y = (rows - 1) * ldy + n;
  EaselTensor x = RANDOM (F32, 1, (rows - 1) * ldx + k), y = RANDOM (F32, 1, n_y);
  EaselLinearArgs a = {
    .x = easel_tensor_of (x.data, EASEL_DTYPE_F32, batch, m, k),
    .w = harness_random (dtype, 1 / sqrt ((double) k), 0, 2, (const int64_t[]){ n, k }),
    .y = easel_tensor_of (y.data, EASEL_DTYPE_F32, batch, m, n),
    .act = act,
    .x_stride = extra ? ldx : 0,
    .y_stride = extra ? ldy : 0,
  };
  double *want = harness_want (n_y);
  char name[160];

  if (full)
    {
      a.bias = harness_random (dtype, 1, 0, 1, &n);
      a.gate = RANDOM (F32, 1, batch, n);
      a.residual = in_place ? a.y : RANDOM (F32, 1, rows, n);
    }
  for (int64_t i = 0; i < n_y; i++)
    want[i] = NAN;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < n; j++)
      {
        double sum = 0;

        for (int64_t l = 0; l < k; l++)
          sum += harness_at (&x, i * ldx + l) * harness_at (&a.w, j * k + l);
        if (full)
          {
            sum = harness_act (sum + harness_at (&a.bias, j), act) * harness_at (&a.gate, i / m * n + j);
            sum += in_place ? harness_at (&y, i * ldy + j) : harness_at (&a.residual, i * n + j);
          }
        else
          sum = harness_act (sum, act);
        want[i * ldy + j] = sum;
      }
  snprintf (name, sizeof name, "linear %lldx%lldx%lldx%lld %s act %d%s%s +%lld", (long long) batch, (long long) m,
            (long long) n, (long long) k, easel_dtype_name (dtype), act, full ? " full" : "",
            in_place ? " in place" : "",
            (long long) extra);
  harness_check (name, issue_linear, &a, y, want, n_y, 1e-5);
  harness_end ();
}

static void
test_linear (void)
{
  static const int64_t sizes[][3] = {
    { 1, 1, 1 },   { 1, 17, 5 },    { 2, 33, 64 },  { 3, 8, 31 },     { 5, 70, 129 },   { 7, 31, 16 },
    { 14, 32, 8 }, { 15, 33, 7 },   { 29, 65, 130 }, { 64, 48, 100 }, { 100, 3, 40 },   { 33, 200, 515 },
    { 61, 97, 2 }, { 130, 40, 1100 }, { 9, 300, 2051 }, { 12, 64, 256 }, { 257, 130, 96 },
  };

  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int d = 0; d < 3; d++)
      {
        EaselAct act = (EaselAct) ((i + (size_t) d) % 4);

        linear_case (1, sizes[i][0], sizes[i][1], sizes[i][2], weight_dtypes[d], EASEL_ACT_NONE, false, 0, false);
        linear_case (2, sizes[i][0], sizes[i][1], sizes[i][2], weight_dtypes[d], act, true, 0, i % 2);
        linear_case (2, sizes[i][0], sizes[i][1], sizes[i][2], weight_dtypes[d], act, true, 3, (i + 1) % 2);
      }
}

/* Rows of `x` as 8 bits, one number at a time: what is nearest, ties to even. */
static EaselTensor
quantise_slowly (const EaselTensor *x, EaselDtype dtype, int64_t rows, int64_t k, int64_t stride)
{
  EaselTensor y = harness_empty (dtype, 2, (const int64_t[]){ rows, k });

  y.scales = harness_empty (EASEL_DTYPE_F32, 1, &rows).data;
  for (int64_t m = 0; m < rows; m++)
    {
      const float most = dtype == EASEL_DTYPE_I8 ? 127 : 448;
      float largest = 0;

      for (int64_t i = 0; i < k; i++)
        largest = fmaxf (largest, fabsf ((float) harness_at (x, m * stride + i)));
      y.scales[m] = largest / most;
      for (int64_t i = 0; i < k; i++)
        {
          const float v = (float) harness_at (x, m * stride + i) * (largest > 0 ? most / largest : 0);

          if (dtype == EASEL_DTYPE_I8)
            ((int8_t *) y.data)[m * k + i] = (int8_t) nearbyintf (v);
          else
            {
              const int sign = signbit (v) ? 0x80 : 0;
              int best = 0;

              for (int c = 1; c < 0x7f; c++)
                {
                  const float off = fabsf (easel_f32_from_e4m3 ((uint8_t) c) - fabsf (v));
                  const float least = fabsf (easel_f32_from_e4m3 ((uint8_t) best) - fabsf (v));

                  if (off < least || (off == least && c % 2 == 0))
                    best = c;
                }
              ((uint8_t *) y.data)[m * k + i] = (uint8_t) (sign | best);
            }
        }
    }
  return y;
}

static void
issue_quantise (EaselStream *s, const void *data)
{
  easel_op_quantise (s, data);
}

/* w of 8 bits; x too (given), or f32 with `extra` elements between rows. */
static void
scaled_case (int64_t batch, int64_t m, int64_t n, int64_t k, EaselDtype dtype, EaselAct act, bool given, int64_t extra)
{
  int64_t rows = batch * m, ldx = k + extra;
  EaselTensor x = RANDOM (F32, 1, (rows - 1) * ldx + k), w = RANDOM (F32, 0.1, n, k), y = EMPTY (F32, batch, m, n);
  EaselTensor codes = quantise_slowly (&x, dtype, rows, k, ldx);
  EaselTensor out = harness_empty (dtype, 2, (const int64_t[]){ rows, k });
  EaselLinearArgs a = { .x = given ? codes : easel_tensor_of (x.data, EASEL_DTYPE_F32, batch, m, k),
                        .w = quantise_slowly (&w, dtype, n, k, k), .bias = RANDOM (F32, 1, n),
                        .gate = RANDOM (F32, 1, batch, n), .residual = RANDOM (F32, 1, rows, n), .y = y, .act = act,
                        .x_stride = given || !extra ? 0 : ldx };
  double *want = harness_want (rows * n), *want_codes = harness_want (rows * k);
  char name[160];

  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < n; j++)
      {
        double sum = harness_at (&a.bias, j);

        for (int64_t l = 0; l < k; l++)
          sum += harness_at (&codes, i * k + l) * harness_at (&a.w, j * k + l);
        want[i * n + j] = harness_act (sum, act) * harness_at (&a.gate, i / m * n + j)
                          + harness_at (&a.residual, i * n + j);
      }
  snprintf (name, sizeof name, "linear %lldx%lldx%lldx%lld %s%s act %d +%lld", (long long) batch, (long long) m,
            (long long) n, (long long) k, easel_dtype_name (dtype), given ? " both" : "", act, (long long) extra);
  harness_check (name, issue_linear, &a, y, want, rows * n, 1e-5);

  /* The codes themselves, and through them the scales. */
  out.scales = harness_empty (EASEL_DTYPE_F32, 1, &rows).data;
  for (int64_t i = 0; i < rows * k; i++)
    want_codes[i] = harness_at (&codes, i);
  snprintf (name, sizeof name, "quantise %lldx%lld to %s +%lld", (long long) rows, (long long) k,
            easel_dtype_name (dtype), (long long) extra);
  harness_check (name, issue_quantise,
                 &(EaselQuantiseArgs){ .x = easel_tensor_of (x.data, EASEL_DTYPE_F32, rows, k), .y = out,
                                       .x_stride = extra ? ldx : 0 },
                 out, want_codes, rows * k, 0);
  harness_end ();
}

static void
test_scaled (void)
{
  static const int64_t sizes[][3] = { { 1, 1, 1 }, { 3, 17, 5 }, { 33, 70, 129 }, { 9, 65, 1100 } };

  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int d = 0; d < 2; d++)
      for (int given = 0; given < 2; given++)
        scaled_case (1 + (int64_t) i % 2, sizes[i][0], sizes[i][1], sizes[i][2],
                     d ? EASEL_DTYPE_I8 : EASEL_DTYPE_F8_E4M3, (EaselAct) ((i + (size_t) d) % 4), given, given ? 3 : 0);
}

typedef struct
{
  int64_t b, h, w, ci, co, kh, kw;
  int stride, pad, groups, up;
} Conv;

static double
conv_at (const EaselConv2dArgs *a, const Conv *c, int64_t b, int64_t oy, int64_t ox, int64_t co)
{
  int64_t groups = c->groups ? c->groups : 1, stride = c->stride ? c->stride : 1, up = c->up ? c->up : 1;
  int64_t per = c->ci / groups, c0 = co / (c->co / groups) * per;
  double sum = 0;

  for (int64_t ky = 0; ky < c->kh; ky++)
    for (int64_t kx = 0; kx < c->kw; kx++)
      {
        int64_t y = oy * stride + ky - c->pad, x = ox * stride + kx - c->pad;

        if (y < 0 || x < 0 || y >= c->h * up || x >= c->w * up)
          continue;
        for (int64_t i = 0; i < per; i++)
          sum += harness_at (&a->x, ((b * c->h + y / up) * c->w + x / up) * c->ci + c0 + i) *
                 harness_at (&a->w, ((co * per + i) * c->kh + ky) * c->kw + kx);
      }
  return sum;
}

static void
conv_case (const Conv *c, EaselDtype dtype, EaselAct act, bool full, bool in_place)
{
  int64_t groups = c->groups ? c->groups : 1, stride = c->stride ? c->stride : 1, up = c->up ? c->up : 1;
  int64_t oh = (c->h * up + 2 * c->pad - c->kh) / stride + 1, ow = (c->w * up + 2 * c->pad - c->kw) / stride + 1;
  int64_t n = c->b * oh * ow * c->co;
  EaselConv2dArgs a = {
    .x = RANDOM (F32, 1, c->b, c->h, c->w, c->ci),
    .w = harness_random (dtype, 1 / sqrt ((double) (c->ci / groups * c->kh * c->kw)), 0, 4,
                         (const int64_t[]){ c->co, c->ci / groups, c->kh, c->kw }),
    .y = RANDOM (F32, 1, c->b, oh, ow, c->co),
    .act = act,
    .stride = c->stride,
    .pad = c->pad,
    .groups = c->groups,
    .upsample = c->up,
  };
  double *want = harness_want (n);
  char name[160];

  if (full)
    {
      a.bias = harness_random (dtype, 1, 0, 1, &c->co);
      a.residual = in_place ? a.y : RANDOM (F32, 1, c->b, oh, ow, c->co);
    }
  for (int64_t i = 0; i < n; i++)
    {
      int64_t co = i % c->co, pixel = i / c->co;

      want[i] = conv_at (&a, c, pixel / (oh * ow), pixel / ow % oh, pixel % ow, co);
      want[i] = harness_act (full ? want[i] + harness_at (&a.bias, co) : want[i], act);
      if (full)
        want[i] += harness_at (&a.residual, i);
    }
  snprintf (name, sizeof name, "conv2d %lldx%lldx%lldx%lld -> %lld, %lldx%lld stride %d pad %d groups %d up %d %s",
            (long long) c->b, (long long) c->h, (long long) c->w, (long long) c->ci, (long long) c->co,
            (long long) c->kh, (long long) c->kw, c->stride, c->pad, c->groups, c->up, easel_dtype_name (dtype));
  harness_check (name, issue_conv2d, &a, a.y, want, n, 1e-5);
  harness_end ();
}

static void
test_conv2d (void)
{
  static const Conv cases[] = {
    { 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1 },      { 1, 5, 7, 3, 5, 3, 3, 1, 1, 1, 1 },
    { 2, 6, 5, 16, 16, 3, 3, 1, 1, 0, 0 },    { 1, 9, 33, 17, 31, 3, 3, 1, 1, 1, 1 },
    { 1, 4, 4, 32, 70, 3, 3, 1, 1, 1, 2 },    { 2, 3, 5, 8, 16, 3, 3, 1, 1, 1, 2 },
    { 1, 1, 1, 4, 4, 3, 3, 1, 1, 1, 2 },      { 1, 7, 6, 5, 6, 5, 5, 1, 2, 1, 1 },
    { 1, 8, 8, 12, 20, 3, 3, 2, 1, 1, 1 },    { 1, 8, 9, 4, 8, 2, 2, 2, 0, 1, 1 },
    { 1, 5, 5, 6, 12, 1, 1, 1, 0, 3, 1 },     { 2, 4, 5, 96, 96, 1, 1, 1, 0, 3, 1 },
    { 1, 6, 7, 24, 24, 5, 5, 1, 2, 24, 1 },   { 1, 6, 7, 40, 40, 3, 3, 1, 1, 40, 1 },
    { 1, 3, 3, 33, 33, 3, 3, 2, 1, 33, 1 },   { 1, 5, 4, 150, 40, 3, 3, 1, 1, 1, 1 },
    { 1, 20, 37, 16, 3, 3, 3, 1, 1, 1, 1 },   { 1, 3, 4, 6, 4, 3, 3, 1, 1, 2, 3 },
    { 1, 2, 3, 260, 10, 1, 1, 1, 0, 1, 1 },   { 1, 4, 3, 16, 16, 1, 1, 1, 0, 1, 2 },
    { 1, 4, 6, 10, 9, 3, 1, 1, 1, 1, 1 },     { 1, 17, 3, 24, 48, 3, 3, 1, 1, 1, 2 },
    { 1, 5, 6, 2, 4, 3, 3, 1, 0, 1, 1 },      { 1, 4, 4, 8, 16, 3, 3, 1, 0, 1, 2 },
    { 1, 9, 9, 40, 20, 4, 4, 4, 0, 1, 1 },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int d = 0; d < 3; d++)
      {
        conv_case (&cases[i], weight_dtypes[d], EASEL_ACT_NONE, false, false);
        conv_case (&cases[i], weight_dtypes[d], (EaselAct) ((i + (size_t) d) % 4), true, i % 2);
      }
}

static void
depthwise_glu_case (int64_t b, int64_t h, int64_t w, int64_t c, EaselDtype dtype, bool bias)
{
  int64_t n = b * h * w * c, c2 = 2 * c;
  EaselDepthwiseGluArgs a = {
    .x = RANDOM (F32, 1, b, h, w, c2),
    .w = harness_random (dtype, 0.5, 0, 4, (const int64_t[]){ c2, 1, 3, 3 }),
    .bias = bias ? harness_random (dtype, 1, 0, 1, &c2) : EASEL_NO_TENSOR,
    .y = EMPTY (F32, b, h, w, c),
  };
  Conv shape = { b, h, w, c2, c2, 3, 3, 1, 1, (int) c2, 1 };
  EaselConv2dArgs conv = { .x = a.x, .w = a.w };
  double *want = harness_want (n);
  char name[100];

  for (int64_t i = 0; i < n; i++)
    {
      int64_t pixel = i / c, oy = pixel / w % h, ox = pixel % w;
      double u = conv_at (&conv, &shape, pixel / (h * w), oy, ox, i % c);
      double v = conv_at (&conv, &shape, pixel / (h * w), oy, ox, c + i % c);

      if (bias)
        {
          u += harness_at (&a.bias, i % c);
          v += harness_at (&a.bias, c + i % c);
        }
      want[i] = u * harness_act (v, EASEL_ACT_SILU);
    }
  snprintf (name, sizeof name, "depthwise_glu %lldx%lldx%lldx%lld %s", (long long) b, (long long) h, (long long) w,
            (long long) c, easel_dtype_name (dtype));
  harness_check (name, issue_depthwise_glu, &a, a.y, want, n, 1e-5);
  harness_end ();
}

int
main (void)
{
  test_linear ();
  test_scaled ();
  test_conv2d ();
  for (int d = 0; d < 3; d++)
    {
      depthwise_glu_case (1, 1, 1, 1, weight_dtypes[d], true);
      depthwise_glu_case (2, 3, 5, 7, weight_dtypes[d], true);
      depthwise_glu_case (1, 2, 1, 16, weight_dtypes[d], false);
      depthwise_glu_case (1, 1, 9, 33, weight_dtypes[d], true);
      depthwise_glu_case (2, 6, 8, 50, weight_dtypes[d], true);
      depthwise_glu_case (1, 5, 3, 640, weight_dtypes[d], true);
    }
  return harness_finish ();
}
