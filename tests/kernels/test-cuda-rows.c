/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The operations on rows and elements, at sizes on both sides of every tile and vector.
 */
#include "cuda-pair.h"

static void
linear_case (Pair *p, int64_t B, int64_t m, int64_t n, int64_t k, EaselAct act, int bias, int gate, int residual,
             int64_t wider)
{
  const int64_t ldx = k + wider, ldy = n + wider, M = B * m;
  char what[160];

  if (!pair_begin (p, "linear"))
    return;
  Both x = ACT (p, (M - 1) * ldx + k), y = ACT (p, (M - 1) * ldy + n), w = WEIGHT (p, n, k), b = NONE, g = NONE;
  Both r = NONE;
  if (bias) /* 2: of another dtype than the activations */
    b = pair_weight (p, bias == 2 ? EASEL_DTYPE_F32 : p->act, -1, 1, SHAPE (n));
  if (gate)
    g = F32 (p, B, n);
  if (residual == 2)
    r = ACT (p, M, n);
  for (int i = 0; i < SIDES; i++)
    {
      EaselTensor yi = y.on[i], xi = x.on[i];

      if (xi.data && yi.data)
        {
          xi = easel_tensor_of (xi.data, xi.dtype, B, m, k);
          yi = easel_tensor_of (yi.data, yi.dtype, B, m, n);
        }
      easel_linear (p->s[i], .x = xi, .w = w.on[i], .bias = b.on[i], .gate = g.on[i], .act = act,
                    .residual = residual == 1 ? yi : r.on[i], .y = yi, .x_stride = wider ? ldx : 0,
                    .y_stride = wider ? ldy : 0);
    }
  snprintf (what, sizeof what, "linear %lldx%lld x %lld x %lld act %d bias %d gate %d residual %d wider %lld",
            (long long) B, (long long) m, (long long) n, (long long) k, act, bias, gate, residual, (long long) wider);
  pair_compare (p, what, y, 1);
  pair_end (p);
}

static void
test_linear (Pair *p)
{
  static const int64_t sizes[][3] = { { 1, 1, 1 },     { 1, 8, 5 },     { 7, 3, 8 },       { 33, 40, 72 },
                                      { 64, 128, 64 }, { 65, 129, 66 }, { 257, 320, 256 }, { 130, 1120, 560 } };

  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (int act = EASEL_ACT_NONE; act <= EASEL_ACT_GELU_TANH; act++)
      for (int extras = 0; extras < 12; extras++)
        linear_case (p, 1 + extras % 2, sizes[i][0], sizes[i][1], sizes[i][2], (EaselAct) act, (extras + act) % 3,
                     extras / 2 % 2, extras / 4, extras % 4 == 3 ? 8 : extras % 4 == 1 ? 3 : 0);
  /* A product that is its own residual and larger than the workspace's room: in slices. */
  linear_case (p, 2, 2500, 3000, 16, EASEL_ACT_NONE, 1, 1, 1, 0);
}

static void
norm_case (Pair *p, EaselNormKind kind, int64_t B, int64_t m, int64_t c, int affine, int tables, int residual,
           int64_t wider, EaselAct act, float offset)
{
  const int64_t M = B * m, ld = c + wider;
  char what[160];

  if (!pair_begin (p, "norm"))
    return;
  Both x = pair_numbers (p, p->act, -1, 3, SHAPE ((M - 1) * ld + c)), y = ACT (p, (M - 1) * ld + c), w = NONE;
  Both b = NONE, scale = NONE, shift = NONE, r = NONE;
  if (affine)
    w = pair_weight (p, affine == 2 ? EASEL_DTYPE_F32 : p->act, -1, 1, SHAPE (c));
  if (affine && kind == EASEL_NORM_LAYER)
    b = pair_weight (p, p->act, -1, 1, SHAPE (c));
  if (tables)
    {
      scale = F32 (p, B, c);
      shift = F32 (p, B, c);
    }
  if (residual == 2)
    r = ACT (p, M, c);
  for (int i = 0; i < SIDES; i++)
    {
      EaselTensor xi = x.on[i], yi = y.on[i];

      if (xi.data && yi.data)
        {
          xi = easel_tensor_of (xi.data, xi.dtype, M, c);
          yi = easel_tensor_of (yi.data, yi.dtype, M, c);
        }
      easel_norm (p->s[i], .kind = kind, .x = residual == 3 ? yi : xi, .weight = w.on[i], .bias = b.on[i],
                  .scale = scale.on[i], .shift = shift.on[i], .residual = residual == 1 ? yi : r.on[i], .y = yi,
                  .act = act, .eps = 1e-6f, .weight_offset = offset, .x_stride = wider ? ld : 0,
                  .y_stride = wider ? ld : 0);
    }
  snprintf (what, sizeof what, "norm kind %d %lldx%lld x %lld affine %d tables %d residual %d wider %lld", kind,
            (long long) B, (long long) m, (long long) c, affine, tables, residual, (long long) wider);
  pair_compare (p, what, y, 1);
  pair_end (p);
}

static void
test_norm (Pair *p)
{
  static const int64_t columns[] = { 1, 3, 8, 31, 32, 72, 256, 1120, 2240, 2304, 5000, 9216, 70000 };

  for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
    for (int extras = 0; extras < 8; extras++)
      for (int kind = EASEL_NORM_LAYER; kind <= EASEL_NORM_RMS; kind++)
        norm_case (p, (EaselNormKind) kind, 1 + extras % 2, columns[i] > 5000 ? 2 : 5, columns[i], extras % 3,
                   extras / 2 % 2, extras % 4, extras == 5 ? 8 : extras == 6 ? 3 : 0,
                   extras == 7 ? EASEL_ACT_RELU : EASEL_ACT_NONE, kind == EASEL_NORM_RMS && extras % 2 ? 1.0f : 0.0f);
}

static void
rope_case (Pair *p, int64_t B, int64_t n, int64_t heads, int64_t d, int64_t first, bool interleaved, int64_t wider)
{
  const int64_t row = heads * d + wider;
  char what[120];

  if (!pair_begin (p, "rope"))
    return;
  Both x = ACT (p, B * n * row), c = F32 (p, n - first, d), s = F32 (p, n - first, d);
  for (int i = 0; i < SIDES; i++)
    easel_rope (p->s[i], .x = { x.on[i].data, row, d }, .cos = c.on[i], .sin = s.on[i], .batch = B, .n_tokens = n,
                .heads = heads, .head_dim = d, .first = first, .interleaved = interleaved);
  snprintf (what, sizeof what, "rope %lld x %lld x %lld x %lld first %lld %d", (long long) B, (long long) n,
            (long long) heads, (long long) d, (long long) first, interleaved);
  pair_compare (p, what, x, 1);
  pair_end (p);
}

static void
embedding_case (Pair *p, int64_t m, int64_t rows, int64_t c, EaselDtype table, float scale)
{
  if (!pair_begin (p, "embedding"))
    return;
  Both ids = pair_ids (p, (int) rows, m), t = pair_weight (p, table, -1, 1, SHAPE (rows, c)), y = ACT (p, m, c);
  for (int i = 0; i < SIDES; i++)
    easel_embedding (p->s[i], .ids = ids.on[i], .table = t.on[i], .y = y.on[i], .scale = scale);
  pair_compare (p, "embedding", y, 1);
  pair_end (p);
}

static void
timestep_case (Pair *p, int64_t b, int64_t dim, bool flip, float shift, float scale, float t_max)
{
  if (!pair_begin (p, "timestep_embedding"))
    return;
  Both t = pair_numbers (p, EASEL_DTYPE_F32, 0, t_max, SHAPE (b)), y = F32 (p, b, dim);
  for (int i = 0; i < SIDES; i++)
    easel_timestep_embedding (p->s[i], .t = t.on[i], .y = y.on[i], .flip_sin_to_cos = flip, .freq_shift = shift,
                              .scale = scale);
  pair_compare (p, "timestep_embedding", y, p->act == EASEL_DTYPE_F32 ? 20 : 1);
  pair_end (p);
}

static void
glu_case (Pair *p, int64_t m, int64_t c, EaselAct act, bool b, int64_t wider, bool in_place)
{
  const int64_t ld = c + wider;

  if (!pair_begin (p, "glu"))
    return;
  Both a = ACT (p, (m - 1) * ld + c), g = ACT (p, (m - 1) * ld + c), y = ACT (p, m, c);
  for (int i = 0; i < SIDES; i++)
    if (a.on[i].data && g.on[i].data)
      {
        EaselTensor ai = easel_tensor_of (a.on[i].data, a.on[i].dtype, m, c);

        easel_glu (p->s[i], .a = in_place ? y.on[i] : ai,
                   .b = b ? easel_tensor_of (g.on[i].data, g.on[i].dtype, m, c) : EASEL_NO_TENSOR, .y = y.on[i],
                   .act = act, .a_stride = wider && !in_place ? ld : 0, .b_stride = wider ? ld : 0);
      }
  pair_compare (p, "glu", y, 1);
  pair_end (p);
}

static void
lincomb_case (Pair *p, int n_terms, int64_t n, bool in_place)
{
  Both x[EASEL_MAX_TERMS], y;

  if (!pair_begin (p, "lincomb"))
    return;
  for (int j = 0; j < n_terms; j++)
    x[j] = F32 (p, n);
  y = in_place ? x[n_terms - 1] : F32 (p, n);
  for (int i = 0; i < SIDES; i++)
    {
      EaselLincombArgs a = { .n_terms = n_terms, .y = y.on[i] };

      for (int j = 0; j < n_terms; j++)
        {
          a.x[j] = x[j].on[i];
          a.c[j] = 0.3f * (float) j - 0.7f;
        }
      easel_op_lincomb (p->s[i], &a);
    }
  pair_compare (p, "lincomb", y, 1);
  pair_end (p);
}

static void
add_case (Pair *p, int64_t times, int64_t n, bool f32)
{
  const EaselDtype dtype = f32 ? EASEL_DTYPE_F32 : p->act;

  if (!pair_begin (p, "add"))
    return;
  Both x = pair_numbers (p, dtype, -1, 1, SHAPE (times, n)), r = pair_numbers (p, dtype, -1, 1, SHAPE (n));
  for (int i = 0; i < SIDES; i++)
    easel_add (p->s[i], .x = x.on[i], .r = r.on[i], .y = x.on[i]);
  pair_compare (p, "add", x, 1);
  pair_end (p);
}

static void
layout_case (Pair *p, int64_t B, int64_t C, int64_t h, int64_t w, bool to_last, bool x32, bool y32)
{
  const EaselDtype dx = x32 ? EASEL_DTYPE_F32 : p->act, dy = y32 ? EASEL_DTYPE_F32 : p->act;

  if (!pair_begin (p, "layout"))
    return;
  const int64_t planar[4] = { B, C, h, w }, last[4] = { B, h, w, C };
  Both x = pair_numbers (p, dx, -1, 1, 4, to_last ? planar : last);
  Both y = pair_numbers (p, dy, -1, 1, 4, to_last ? last : planar);
  for (int i = 0; i < SIDES; i++)
    easel_layout (p->s[i], .x = x.on[i], .y = y.on[i], .to_channels_last = to_last);
  pair_compare (p, "layout", y, 1);
  pair_end (p);
}

static void
cast_case (Pair *p, int64_t n, EaselDtype from, EaselDtype to)
{
  if (!pair_begin (p, "cast"))
    return;
  Both x = pair_numbers (p, from, -3, 3, SHAPE (n)), y = pair_numbers (p, to, -1, 1, SHAPE (n));
  for (int i = 0; i < SIDES; i++)
    easel_cast (p->s[i], .x = x.on[i], .y = y.on[i]);
  pair_compare (p, "cast", y, 1);
  pair_end (p);
}

static void
shuffle_case (Pair *p, int64_t B, int64_t h, int64_t w, int64_t cx, int64_t cy, int f, int residual, bool un)
{
  if (!pair_begin (p, un ? "pixel_unshuffle" : "pixel_shuffle"))
    return;
  Both small = ACT (p, B, h, w, cx), large = ACT (p, B, h * f, w * f, cy), r = NONE;
  Both x = un ? large : small, y = un ? small : large;
  if (residual == 2)
    r = un ? ACT (p, B, h, w, cx) : ACT (p, B, h * f, w * f, cy);
  for (int i = 0; i < SIDES; i++)
    if (un)
      easel_pixel_unshuffle (p->s[i], .x = x.on[i], .y = y.on[i], .factor = f,
                             .residual = residual == 1 ? y.on[i] : r.on[i]);
    else
      easel_pixel_shuffle (p->s[i], .x = x.on[i], .y = y.on[i], .factor = f,
                           .residual = residual == 1 ? y.on[i] : r.on[i]);
  pair_compare (p, un ? "pixel_unshuffle" : "pixel_shuffle", y, 1);
  pair_end (p);
}

static void
test_elements (Pair *p)
{
  static const EaselDtype dtypes[] = { EASEL_DTYPE_F32, EASEL_DTYPE_F16, EASEL_DTYPE_BF16 };
  static const int64_t counts[] = { 1, 7, 8, 255, 4096, 100003 };

  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
    {
      for (int terms = 1; terms <= EASEL_MAX_TERMS; terms++)
        lincomb_case (p, terms, counts[i], terms % 2);
      for (int f32 = 0; f32 < 2; f32++)
        add_case (p, 1 + (int64_t) i, counts[i], f32);
      for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
          cast_case (p, counts[i], dtypes[a], dtypes[b]);
    }
  for (int act = EASEL_ACT_NONE; act <= EASEL_ACT_GELU_TANH; act++)
    for (int extras = 0; extras < 8; extras++)
      glu_case (p, 1 + extras * 5, extras % 2 ? 72 : 5 + extras, (EaselAct) act, extras % 3 != 0,
                extras == 4 ? 8 : extras == 6 ? 3 : 0, extras == 3);
  for (int d = 0; d < 3; d++)
    {
      embedding_case (p, 1, 5, 7, dtypes[d], 1);
      embedding_case (p, 300, 1000, 2304, dtypes[d], 48);
    }
  timestep_case (p, 1, 256, true, 0, 1, 999);
  timestep_case (p, 3, 64, false, 1, 1000, 1);
  timestep_case (p, 2, 6, true, 0, 0.25f, 999);
}

void
test_rows (Pair *p)
{
  test_linear (p);
  test_norm (p);
  for (int interleaved = 0; interleaved < 2; interleaved++)
    {
      rope_case (p, 1, 1, 1, 2, 0, interleaved, 0);
      rope_case (p, 2, 17, 3, 64, 5, interleaved, 64);
      rope_case (p, 1, 300, 8, 256, 0, interleaved, 0);
    }
  test_elements (p);
  for (int extras = 0; extras < 8; extras++)
    layout_case (p, 1 + extras % 3, extras % 2 ? 3 : 33, 5 + extras, 32, extras & 1, extras & 2, extras & 4);
  layout_case (p, 1, 32, 64, 65, true, true, false);
  for (int residual = 0; residual < 3; residual++)
    for (int un = 0; un < 2; un++)
      {
        shuffle_case (p, 2, 3, 5, 8, 8, 2, residual, un);   /* repeats, means of 4 */
        shuffle_case (p, 1, 4, 4, 32, 8, 2, residual, un);  /* exact */
        shuffle_case (p, 1, 7, 3, 160, 80, 2, residual, un);
        shuffle_case (p, 1, 5, 6, 4, 16, 1, residual, un);
      }
  shuffle_case (p, 1, 9, 9, 3, 12, 1, 0, true); /* the plain mean over channels */
}
