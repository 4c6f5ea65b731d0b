/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ops of clips against sums in double: conv3d, group_norm, and conv2d with padding at the end alone.
 */
#include "harness.h"

static void
issue_conv2d (EaselStream *s, const void *data)
{
  easel_op_conv2d (s, data);
}

static void
issue_conv3d (EaselStream *s, const void *data)
{
  easel_op_conv3d (s, data);
}

static void
issue_group_norm (EaselStream *s, const void *data)
{
  easel_op_group_norm (s, data);
}

static double
conv3d_at (const EaselConv3dArgs *a, int64_t i)
{
  const int64_t *x = a->x.shape, *w = a->w.shape, *y = a->y.shape;
  int64_t co = i % y[3], ox = i / y[3] % y[2], oy = i / y[3] / y[2] % y[1], f = i / y[3] / y[2] / y[1];
  double sum = 0;

  for (int64_t t = 0; t < w[2]; t++)
    for (int64_t ky = 0; ky < w[3]; ky++)
      for (int64_t kx = 0; kx < w[4]; kx++)
        {
          int64_t from = f + t - (w[2] - 1), sy = oy + ky - a->pad, sx = ox + kx - a->pad;
          const EaselTensor *clip = from < 0 && a->before.data ? &a->before : &a->x;

          if (sy < 0 || sy >= x[1] || sx < 0 || sx >= x[2])
            continue;
          if (from < 0)
            from = a->before.data ? from + w[2] - 1 : 0;
          for (int64_t c = 0; c < x[3]; c++)
            sum += harness_at (clip, ((from * x[1] + sy) * x[2] + sx) * x[3] + c)
                   * harness_at (&a->w, (((co * x[3] + c) * w[2] + t) * w[3] + ky) * w[4] + kx);
        }
  return sum;
}

static void
conv3d_case (const int64_t x[4], int64_t co, int64_t k, int pad, EaselDtype dtype, bool before, bool full)
{
  int64_t y[4] = { x[0], x[1] + 2 * pad - k + 1, x[2] + 2 * pad - k + 1, co }, n = y[0] * y[1] * y[2] * y[3];
  EaselConv3dArgs a = {
    .x = harness_random (EASEL_DTYPE_F32, 1, 0, 4, x),
    .w = harness_random (dtype, 1 / sqrt ((double) (x[3] * k * k * k)), 0, 5, (int64_t[]){ co, x[3], k, k, k }),
    .y = harness_random (EASEL_DTYPE_F32, 1, 0, 4, y),
    .pad = pad,
    .act = full ? EASEL_ACT_SILU : EASEL_ACT_NONE,
  };
  double *want = harness_want (n);
  char name[160];

  if (before)
    a.before = RANDOM (F32, 1, k - 1, x[1], x[2], x[3]);
  if (full)
    {
      a.bias = harness_random (dtype, 1, 0, 1, &co);
      a.residual = harness_random (EASEL_DTYPE_F32, 1, 0, 4, y);
    }
  for (int64_t i = 0; i < n; i++)
    {
      want[i] = conv3d_at (&a, i) + (full ? harness_at (&a.bias, i % co) : 0);
      want[i] = harness_act (want[i], a.act) + (full ? harness_at (&a.residual, i) : 0);
    }
  snprintf (name, sizeof name, "conv3d %lldx%lldx%lldx%lld -> %lld kernel %lld pad %d %s%s", (long long) x[0],
            (long long) x[1], (long long) x[2], (long long) x[3], (long long) co, (long long) k, pad,
            easel_dtype_name (dtype), before ? " with frames before" : "");
  harness_check (name, issue_conv3d, &a, a.y, want, n, 1e-5);
  harness_end ();
}

static void
test_conv3d (void)
{
  static const int64_t shapes[][4] = {
    { 1, 1, 1, 1 }, { 3, 4, 5, 16 }, { 2, 3, 7, 5 }, { 8, 2, 3, 20 }, { 1, 9, 6, 33 }, { 5, 3, 2, 130 },
  };
  static const EaselDtype dtypes[] = { EASEL_DTYPE_F32, EASEL_DTYPE_F16, EASEL_DTYPE_BF16 };

  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int b = 0; b < 2; b++)
      {
        conv3d_case (shapes[i], 3 + 13 * (int64_t) i, 3, 1, dtypes[i % 3], b, true);
        conv3d_case (shapes[i], 16, 3, 1, dtypes[(i + 1) % 3], b, false);
        conv3d_case (shapes[i], 7, 1, 0, EASEL_DTYPE_F32, false, b);
      }
}

/* Where frame f of `to` frames reads in `n`. */
static int64_t
frame_of (int64_t f, int64_t n, int64_t to)
{
  if (to > 1 && to % 2 == 1)
    return f == 0 ? 0 : 1 + (f - 1) * (n - 1) / (to - 1);
  return f * n / to;
}

static void
group_norm_case (const int64_t x[4], int64_t groups, const int64_t *condition, EaselDtype dtype, EaselAct act,
                 double offset)
{
  int64_t C = x[3], per = C / groups, m = x[0] * x[1] * x[2], n = m * C;
  EaselGroupNormArgs a = {
    .x = harness_random (EASEL_DTYPE_F32, 1, offset, 4, x),
    .groups = groups,
    .eps = 1e-6f,
    .act = act,
    .weight = harness_random (dtype, 1, 0, 1, &C),
    .bias = harness_random (dtype, 1, 0, 1, &C),
  };
  double *want = harness_want (n);
  char name[160];

  a.y = a.x;
  if (condition)
    {
      a.scale = harness_random (EASEL_DTYPE_F32, 1, 0, 4, condition);
      a.shift = harness_random (EASEL_DTYPE_F32, 1, 0, 4, condition);
    }
  for (int64_t g = 0; g < groups; g++)
    {
      double mean = 0, var = 0;

      for (int64_t i = 0; i < m * per; i++)
        mean += harness_at (&a.x, i / per * C + g * per + i % per);
      mean /= (double) (m * per);
      for (int64_t i = 0; i < m * per; i++)
        var += pow (harness_at (&a.x, i / per * C + g * per + i % per) - mean, 2);
      var /= (double) (m * per);
      for (int64_t i = 0; i < m * per; i++)
        {
          int64_t p = i / per, c = g * per + i % per, at = 0;
          double v = (harness_at (&a.x, p * C + c) - mean) / sqrt (var + (double) a.eps);

          v = v * harness_at (&a.weight, c) + harness_at (&a.bias, c);
          if (condition)
            {
              at = frame_of (p / (x[1] * x[2]), condition[0], x[0]) * condition[1];
              at = (at + p / x[2] % x[1] * condition[1] / x[1]) * condition[2] + p % x[2] * condition[2] / x[2];
              v = v * harness_at (&a.scale, at * C + c) + harness_at (&a.shift, at * C + c);
            }
          want[p * C + c] = harness_act (v, act);
        }
    }
  snprintf (name, sizeof name, "group_norm %lldx%lldx%lldx%lld, %lld groups%s", (long long) x[0], (long long) x[1],
            (long long) x[2], (long long) C, (long long) groups, condition ? ", conditioned" : "");
  harness_check (name, issue_group_norm, &a, a.y, want, n, offset != 0 ? 1e-4 : 1e-5);
  harness_end ();
}

static void
test_group_norm (void)
{
  group_norm_case ((int64_t[]){ 1, 1, 1, 8 }, 2, NULL, EASEL_DTYPE_F32, EASEL_ACT_NONE, 0);
  group_norm_case ((int64_t[]){ 3, 5, 4, 33 }, 11, NULL, EASEL_DTYPE_F16, EASEL_ACT_SILU, 0);
  group_norm_case ((int64_t[]){ 4, 30, 20, 16 }, 8, NULL, EASEL_DTYPE_BF16, EASEL_ACT_SILU, 0);
  group_norm_case ((int64_t[]){ 2, 9, 7, 24 }, 3, NULL, EASEL_DTYPE_F32, EASEL_ACT_NONE, 100);
  group_norm_case ((int64_t[]){ 1, 4, 6, 16 }, 4, (int64_t[]){ 1, 2, 3, 16 }, EASEL_DTYPE_BF16, EASEL_ACT_SILU, 0);
  group_norm_case ((int64_t[]){ 3, 4, 6, 20 }, 5, (int64_t[]){ 3, 4, 6, 20 }, EASEL_DTYPE_F32, EASEL_ACT_NONE, 0);
  group_norm_case ((int64_t[]){ 9, 4, 6, 20 }, 5, (int64_t[]){ 3, 1, 2, 20 }, EASEL_DTYPE_F16, EASEL_ACT_SILU, 0);
  group_norm_case ((int64_t[]){ 8, 4, 6, 20 }, 5, (int64_t[]){ 2, 1, 2, 20 }, EASEL_DTYPE_F32, EASEL_ACT_SILU, 0);
}

/* A picture with zeros below and on the right is the same without padding. */
static void
test_pad_end (void)
{
  const int64_t h = 6, w = 8, C = 5, Co = 7, oh = 3, ow = 4, n = oh * ow * Co;
  EaselConv2dArgs a = { .x = RANDOM (F32, 1, 1, h, w, C), .w = RANDOM (F32, 0.2, Co, C, 3, 3),
                        .stride = 2, .pad_end = 1,
                        .y = RANDOM (F32, 1, 1, oh, ow, Co) };
  double *want = harness_want (n);

  for (int64_t i = 0; i < n; i++)
    {
      int64_t co = i % Co, ox = i / Co % ow, oy = i / Co / ow;

      want[i] = 0;
      for (int64_t k = 0; k < 9 * C; k++)
        {
          int64_t c = k / 9, y = 2 * oy + k / 3 % 3, x = 2 * ox + k % 3;

          if (y < h && x < w)
            want[i] += harness_at (&a.x, (y * w + x) * C + c) * harness_at (&a.w, co * 9 * C + k);
        }
    }
  harness_check ("conv2d, padding at the end", issue_conv2d, &a, a.y, want, n, 1e-5);
  harness_end ();
}

int
main (void)
{
  test_conv3d ();
  test_group_norm ();
  test_pad_end ();
  return harness_finish ();
}
