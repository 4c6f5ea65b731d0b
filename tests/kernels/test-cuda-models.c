/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Convolutions, attention and group norm.
 */
#include "cuda-pair.h"

typedef struct
{
  int64_t B, h, w, ci, co;
  int k, stride, pad, groups, up, end, bias, residual;
  EaselAct act;
} Conv;

static void
conv2d_case (Pair *p, Conv c)
{
  const int groups = c.groups ? c.groups : 1, stride = c.stride ? c.stride : 1, up = c.up ? c.up : 1;
  const int64_t oh = (c.h * up + 2 * c.pad + c.end - c.k) / stride + 1;
  const int64_t ow = (c.w * up + 2 * c.pad + c.end - c.k) / stride + 1;
  const float spread = 2 / sqrtf ((float) (c.ci / groups * c.k * c.k));
  char what[200];

  if (!pair_begin (p, "conv2d"))
    return;
  Both x = ACT (p, c.B, c.h, c.w, c.ci), y = ACT (p, c.B, oh, ow, c.co), b = NONE, r = NONE;
  Both w = pair_weight (p, p->act, -spread, spread, SHAPE (c.co, c.ci / groups, c.k, c.k));
  if (c.bias)
    b = pair_weight (p, c.bias == 2 ? EASEL_DTYPE_F32 : p->act, -1, 1, SHAPE (c.co));
  if (c.residual == 2)
    r = ACT (p, c.B, oh, ow, c.co);
  for (int i = 0; i < SIDES; i++)
    easel_conv2d (p->s[i], .x = x.on[i], .w = w.on[i], .bias = b.on[i], .y = y.on[i],
                  .residual = c.residual == 1 ? y.on[i] : r.on[i], .act = c.act, .stride = c.stride, .pad = c.pad,
                  .groups = c.groups, .upsample = c.up, .pad_end = c.end);
  snprintf (what, sizeof what, "conv2d %lldx%lldx%lldx%lld to %lld, %dx%d /%d pad %d+%d groups %d up %d act %d",
            (long long) c.B, (long long) c.h, (long long) c.w, (long long) c.ci, (long long) c.co, c.k, c.k, stride,
            c.pad, c.end, groups, up, c.act);
  pair_compare (p, what, y, 1);
  pair_end (p);
}

static void
test_conv2d (Pair *p)
{
  static const Conv cases[] = {
    { 1, 1, 1, 1, 1, 1 },
    { 1, 5, 7, 3, 8, 3, .pad = 1, .bias = 1 },
    { 2, 9, 6, 8, 3, 3, .pad = 1, .bias = 2, .act = EASEL_ACT_SILU },
    { 1, 16, 16, 32, 64, 3, .pad = 1, .bias = 1, .residual = 2 },
    { 1, 17, 33, 64, 130, 3, .pad = 1, .residual = 2, .act = EASEL_ACT_RELU },
    { 1, 32, 32, 128, 128, 3, .pad = 1, .bias = 1, .act = EASEL_ACT_SILU },
    { 1, 12, 10, 48, 40, 3, .stride = 2, .pad = 1, .bias = 1 },
    { 1, 11, 13, 32, 32, 3, .stride = 2, .end = 1, .bias = 1 },
    { 1, 8, 9, 64, 32, 3, .pad = 1, .up = 2, .bias = 1, .residual = 2 },
    { 2, 7, 7, 24, 24, 3, .pad = 1, .groups = 24, .bias = 1 },
    { 1, 9, 5, 96, 96, 5, .pad = 2, .groups = 96 },
    { 1, 8, 8, 48, 96, 1, .groups = 3 },
    { 1, 10, 10, 72, 72, 1, .bias = 1, .residual = 1 },
    { 1, 20, 12, 32, 32, 5, .pad = 2, .bias = 1 },
    { 1, 64, 66, 16, 3, 3, .pad = 1, .bias = 1 },
    { 1, 6, 6, 512, 256, 3, .pad = 1, .bias = 1 },
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    conv2d_case (p, cases[i]);
}

static void
conv3d_case (Pair *p, int64_t f, int64_t h, int64_t w, int64_t ci, int64_t co, int kt, int k, int before, int residual,
             EaselAct act)
{
  const int pad = k / 2;
  const float spread = 2 / sqrtf ((float) (ci * kt * k * k));
  char what[160];

  if (!pair_begin (p, "conv3d"))
    return;
  Both x = ACT (p, f, h, w, ci), y = ACT (p, f, h, w, co), past = NONE, r = NONE;
  Both weight = pair_weight (p, p->act, -spread, spread, SHAPE (co, ci, kt, k, k));
  Both b = pair_weight (p, p->act, -1, 1, SHAPE (co));
  if (before)
    past = ACT (p, kt - 1, h, w, ci);
  if (residual)
    r = ACT (p, f, h, w, co);
  for (int i = 0; i < SIDES; i++)
    easel_conv3d (p->s[i], .x = x.on[i], .before = past.on[i], .w = weight.on[i], .bias = b.on[i],
                  .residual = r.on[i], .y = y.on[i], .act = act, .pad = pad);
  snprintf (what, sizeof what, "conv3d %lldx%lldx%lldx%lld to %lld, %dx%dx%d before %d act %d", (long long) f,
            (long long) h, (long long) w, (long long) ci, (long long) co, kt, k, k, before, act);
  pair_compare (p, what, y, 1);
  pair_end (p);
}

static void
test_clips (Pair *p)
{
  static const struct
  {
    int64_t f, h, w, c, groups, cf, ch, cw;
    EaselAct act;
  } norms[] = {
    { 1, 3, 5, 8, 2, 0, 0, 0, EASEL_ACT_NONE },      { 2, 16, 16, 64, 32, 0, 0, 0, EASEL_ACT_SILU },
    { 3, 8, 12, 48, 8, 2, 4, 6, EASEL_ACT_SILU },    { 4, 6, 6, 32, 32, 2, 3, 2, EASEL_ACT_NONE },
    { 1, 60, 33, 512, 32, 1, 30, 11, EASEL_ACT_SILU }, { 9, 20, 30, 128, 32, 3, 10, 10, EASEL_ACT_SILU },
  };

  conv3d_case (p, 1, 3, 4, 1, 1, 1, 1, 0, 0, EASEL_ACT_NONE);
  conv3d_case (p, 1, 6, 5, 16, 24, 3, 3, 0, 0, EASEL_ACT_NONE);
  conv3d_case (p, 2, 8, 8, 32, 64, 3, 3, 1, 1, EASEL_ACT_SILU);
  conv3d_case (p, 3, 9, 17, 128, 64, 3, 3, 1, 0, EASEL_ACT_NONE);
  conv3d_case (p, 2, 5, 6, 64, 3, 3, 3, 0, 0, EASEL_ACT_NONE);
  conv3d_case (p, 4, 4, 4, 32, 16, 1, 1, 0, 1, EASEL_ACT_NONE);
  for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++)
    {
      if (!pair_begin (p, "group_norm"))
        break;
      const int64_t f = norms[i].f, h = norms[i].h, w = norms[i].w, c = norms[i].c;
      Both x = pair_numbers (p, p->act, -1, 3, SHAPE (f, h, w, c)), y = ACT (p, f, h, w, c), scale = NONE;
      Both shift = NONE;
      Both weight = pair_weight (p, p->act, -1, 1, SHAPE (c));
      Both bias = pair_weight (p, EASEL_DTYPE_F32, -1, 1, SHAPE (c));
      if (norms[i].cf)
        {
          scale = ACT (p, norms[i].cf, norms[i].ch, norms[i].cw, c);
          shift = ACT (p, norms[i].cf, norms[i].ch, norms[i].cw, c);
        }
      for (int j = 0; j < SIDES; j++)
        easel_group_norm (p->s[j], .x = x.on[j], .weight = weight.on[j], .bias = bias.on[j], .scale = scale.on[j],
                          .shift = shift.on[j], .y = i % 2 ? x.on[j] : y.on[j], .act = norms[i].act,
                          .groups = norms[i].groups, .eps = 1e-6f);
      pair_compare (p, "group_norm", i % 2 ? x : y, 1);
      pair_end (p);
    }
}

static void
depthwise_case (Pair *p, int64_t B, int64_t h, int64_t w, int64_t c)
{
  if (!pair_begin (p, "depthwise_glu"))
    return;
  Both x = ACT (p, B, h, w, 2 * c), y = ACT (p, B, h, w, c), weight = WEIGHT (p, 2 * c, 1, 3, 3);
  Both b = pair_weight (p, p->act, -1, 1, SHAPE (2 * c));
  for (int i = 0; i < SIDES; i++)
    easel_depthwise_glu (p->s[i], .x = x.on[i], .w = weight.on[i], .bias = b.on[i], .y = y.on[i]);
  pair_compare (p, "depthwise_glu", y, 1);
  pair_end (p);
}

static void
linear_attention_case (Pair *p, int64_t B, int64_t n, int64_t heads, int64_t d, bool together, int64_t wider)
{
  const int64_t width = heads * d, row = together ? 3 * width : width, ldy = width + wider;
  char what[120];

  if (!pair_begin (p, "linear_attention"))
    return;
  Both q = ACT (p, B * n * row), k = together ? q : ACT (p, B * n * row), v = together ? q : ACT (p, B * n * row);
  Both y = ACT (p, (B * n - 1) * ldy + width);
  for (int i = 0; i < SIDES; i++)
    if (q.on[i].data && y.on[i].data)
      {
        const size_t size = easel_dtype_size (q.on[i].dtype) * (size_t) width * (together ? 1 : 0);

        easel_linear_attention (p->s[i], .q = { q.on[i].data, row, d }, .k = { (char *) k.on[i].data + size, row, d },
                                .v = { (char *) v.on[i].data + 2 * size, row, d },
                                .y = easel_tensor_of (y.on[i].data, y.on[i].dtype, B, n, width), .heads = heads,
                                .head_dim = d, .y_stride = wider ? ldy : 0, .eps = 1e-15f);
      }
  snprintf (what, sizeof what, "linear_attention %lldx%lld, %lld heads of %lld, wider %lld", (long long) B,
            (long long) n, (long long) heads, (long long) d, (long long) wider);
  pair_compare (p, what, y, 2);
  pair_end (p);
}

typedef struct
{
  int64_t B, n_q, n_kv, heads, kv_heads, d;
  int mask; /* percent of keys that are seen; 0: no mask */
  bool bias, causal, together;
  float softcap;
  int64_t window;
} Attend;

static void
attention_case (Pair *p, Attend c)
{
  const int64_t width = c.heads * c.d, kv_width = c.kv_heads * c.d;
  const int64_t row = c.together ? width + 2 * kv_width : width, kv_row = c.together ? row : kv_width;
  char what[160];

  if (!pair_begin (p, "attention"))
    return;
  Both q = pair_numbers (p, p->act, -2, 2, SHAPE (c.B * c.n_q * row)), y = ACT (p, c.B, c.n_q, width), m = NONE;
  Both k = c.together ? q : pair_numbers (p, p->act, -2, 2, SHAPE (c.B * c.n_kv * kv_row)), v = q, bias = NONE;
  if (!c.together)
    v = ACT (p, c.B * c.n_kv * kv_row);
  if (c.mask)
    m = pair_mask (p, c.mask, c.B * c.n_kv);
  if (c.bias)
    bias = F32 (p, c.heads, c.n_q, c.n_kv);
  for (int i = 0; i < SIDES; i++)
    if (q.on[i].data && k.on[i].data && v.on[i].data)
      {
        const size_t size = c.together ? easel_dtype_size (q.on[i].dtype) : 0;

        easel_attention (p->s[i], .q = { q.on[i].data, row, c.d },
                         .k = { (char *) k.on[i].data + size * (size_t) width, kv_row, c.d },
                         .v = { (char *) v.on[i].data + size * (size_t) (width + kv_width), kv_row, c.d },
                         .mask = m.on[i], .bias = bias.on[i], .y = y.on[i], .n_kv = c.n_kv, .heads = c.heads,
                         .kv_heads = c.kv_heads, .head_dim = c.d, .scale = 1 / sqrtf ((float) c.d),
                         .softcap = c.softcap, .causal = c.causal, .window = c.window);
      }
  snprintf (what, sizeof what, "attention %lldx%lld on %lld, %lld/%lld heads of %lld, mask %d bias %d causal %d "
                               "window %lld cap %g",
            (long long) c.B, (long long) c.n_q, (long long) c.n_kv, (long long) c.heads, (long long) c.kv_heads,
            (long long) c.d, c.mask, c.bias, c.causal, (long long) c.window, c.softcap);
  pair_compare (p, what, y, p->act == EASEL_DTYPE_F32 ? 4 : 1); /* exponentials of sums */
  pair_end (p);
}

static void
test_attention (Pair *p)
{
  static const Attend cases[] = {
    { 1, 1, 1, 1, 1, 8 },
    { 2, 5, 3, 2, 2, 16, .mask = 50 },
    { 1, 64, 64, 2, 2, 64 },
    { 1, 65, 129, 3, 3, 64, .mask = 70 },
    { 2, 100, 77, 4, 4, 112, .mask = 80 },
    { 1, 130, 300, 2, 2, 72, .mask = 90 },
    { 1, 33, 31, 2, 2, 128, .mask = 60 },
    { 1, 48, 48, 2, 1, 256, .causal = true, .softcap = 50, .together = true },
    { 1, 100, 100, 4, 2, 256, .causal = true, .softcap = 50, .window = 40, .together = true },
    { 2, 70, 70, 3, 3, 64, .together = true },
    { 1, 40, 40, 4, 4, 64, .bias = true },
    { 1, 66, 66, 2, 2, 64, .bias = true, .mask = 80 },
    { 1, 20, 24, 2, 2, 24, .mask = 1 }, /* hardly anything seen: rows of zeros */
    { 1, 257, 257, 2, 2, 48, .together = true },
    { 1, 17, 19, 5, 5, 20 },
    { 1, 1000, 300, 20, 20, 112, .mask = 30 },
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    attention_case (p, cases[i]);
}

void
test_models (Pair *p)
{
  test_conv2d (p);
  test_clips (p);
  depthwise_case (p, 1, 1, 1, 1);
  depthwise_case (p, 2, 5, 7, 12);
  depthwise_case (p, 1, 16, 16, 64);
  depthwise_case (p, 2, 9, 33, 140);
  depthwise_case (p, 1, 32, 32, 1120);
  linear_attention_case (p, 1, 1, 1, 8, false, 0);
  linear_attention_case (p, 2, 35, 3, 32, true, 0);
  linear_attention_case (p, 1, 257, 5, 32, true, 32);
  linear_attention_case (p, 1, 1024, 70, 32, false, 0);
  linear_attention_case (p, 2, 100, 4, 16, true, 3);
  linear_attention_case (p, 1, 300, 2, 64, false, 0);
  test_attention (p);
}
