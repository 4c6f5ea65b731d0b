/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one place where arguments are checked and work is counted. A backend's kernels trust what passes here; hostile
 * files reach kernels only as shapes, so everything that would read or write outside a tensor is refused here.
 */
#include "ops.h"

#include <stdio.h>

/* Refuses with the op's name and the shapes of the tensors that follow. */
static void
refuse (EaselStream *s, const char *op, const char *why, const EaselTensor *x, const EaselTensor *w,
        const EaselTensor *y)
{
  char dx[80], dw[80], dy[80];

  easel_stream_fail (s, EASEL_STATUS_BAD_SHAPE, "%s: %s: x %s, w %s, y %s", op, why,
                     easel_tensor_describe (x, dx, sizeof dx), easel_tensor_describe (w, dw, sizeof dw),
                     easel_tensor_describe (y, dy, sizeof dy));
}

/* Every dimension >= 1 and the count does not overflow. */
static bool
sane (const EaselTensor *t)
{
  int64_t count = 1;

  if (!t->data)
    return false;
  if (t->n_dims < 1 || t->n_dims > EASEL_MAX_DIMS)
    return false;
  for (int i = 0; i < t->n_dims; i++)
    if (t->shape[i] < 1 || __builtin_mul_overflow (count, t->shape[i], &count) || count > INT64_MAX / 16)
      return false;
  return true;
}

static int64_t
last (const EaselTensor *t)
{
  return t->shape[t->n_dims - 1];
}

static bool
is_act (const EaselStream *s, const EaselTensor *t)
{
  return sane (t) && t->dtype == s->act_dtype;
}

static bool
is_float (const EaselTensor *t)
{
  return sane (t) && (t->dtype == EASEL_DTYPE_F32 || t->dtype == EASEL_DTYPE_F16 || t->dtype == EASEL_DTYPE_BF16);
}

static bool
is_f32 (const EaselTensor *t)
{
  return sane (t) && t->dtype == EASEL_DTYPE_F32;
}

static bool
is_scaled (const EaselTensor *t)
{
  return sane (t) && easel_dtype_is_scaled (t->dtype) && t->scales;
}

/* Absent, or a float tensor of `count` elements. */
static bool
optional_weight (const EaselTensor *t, int64_t count)
{
  return !t->data || (is_float (t) && easel_tensor_count (t) == count);
}

static bool
optional_act (const EaselStream *s, const EaselTensor *t, int64_t count)
{
  return !t->data || (is_act (s, t) && easel_tensor_count (t) == count);
}

/* Absent, or f32 [B, C] with B dividing the rows m. */
static bool
optional_per_batch (const EaselTensor *t, int64_t m, int64_t c)
{
  return !t->data || (is_f32 (t) && last (t) == c && m % (easel_tensor_count (t) / c) == 0);
}

static bool
same_shape (const EaselTensor *a, const EaselTensor *b)
{
  if (a->n_dims != b->n_dims)
    return false;
  for (int i = 0; i < a->n_dims; i++)
    if (a->shape[i] != b->shape[i])
      return false;
  return true;
}

static bool
heads_ok (const EaselHeads *h, int64_t heads, int64_t head_dim)
{
  return h->data && h->row >= 0 && h->head >= 0 && heads >= 1 && head_dim >= 1;
}

static void
count (EaselStream *s, double flops, double bytes)
{
  s->launches++;
  s->flops += flops;
  s->bytes += bytes;
}

#define BYTES(t) ((double) easel_tensor_bytes (&(t)))
#define COUNT(t) easel_tensor_count (&(t))
#define REFUSE(op, why, x, w, y)                  \
  do                                              \
    {                                             \
      refuse (s, op, why, &(x), &(w), &(y));      \
      return;                                     \
    }                                             \
  while (0)
#define RUN(op)                                                                           \
  do                                                                                      \
    {                                                                                     \
      if (s->device->backend->ops->op)                                                    \
        s->device->backend->ops->op (s, a);                                               \
      else                                                                                \
        easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, #op ": not on %s", s->device->name); \
    }                                                                                     \
  while (0)

EaselTensor
easel_stream_alloc_input (EaselStream *s, const EaselTensor *w, int n_dims, const int64_t *shape)
{
  EaselTensor x = easel_stream_alloc (s, w->scales ? w->dtype : s->act_dtype, n_dims, shape);

  if (w->scales && x.data)
    x.scales = easel_new (s, EASEL_DTYPE_F32, easel_tensor_n_rows (&x)).data;
  return x;
}

/* A scaled w and an x that is not yet. */
static void
quantise_and_multiply (EaselStream *s, const EaselLinearArgs *a)
{
  EaselLinearArgs scaled = *a;
  const size_t mark = easel_stream_mark (s);

  scaled.x = easel_stream_alloc_input (s, &a->w, a->x.n_dims, a->x.shape);
  scaled.x_stride = 0;
  easel_quantise (s, .x = a->x, .y = scaled.x, .x_stride = a->x_stride);
  easel_op_linear (s, &scaled);
  easel_stream_release (s, mark);
}

void
easel_op_linear (EaselStream *s, const EaselLinearArgs *a)
{
  const bool scaled = is_scaled (&a->w);
  int64_t m, n, k;

  if (!easel_stream_ok (s))
    return;
  if (scaled && is_act (s, &a->x))
    {
      quantise_and_multiply (s, a);
      return;
    }
  if (scaled ? !is_scaled (&a->x) || a->x.dtype != a->w.dtype || a->x_stride != 0 || a->w.n_dims != 2
             : !is_act (s, &a->x) || !is_float (&a->w) || a->w.n_dims < 2)
    REFUSE ("linear", "dtype or dimensions", a->x, a->w, a->y);
  if (!is_act (s, &a->y))
    REFUSE ("linear", "dtype or dimensions", a->x, a->w, a->y);
  n = a->w.shape[0];
  k = COUNT (a->w) / n;
  m = COUNT (a->x) / k;
  if (last (&a->x) != k || last (&a->y) != n || COUNT (a->y) != m * n)
    REFUSE ("linear", "shapes do not fit", a->x, a->w, a->y);
  if (!optional_weight (&a->bias, n) || !optional_per_batch (&a->gate, m, n) || !optional_act (s, &a->residual, m * n))
    REFUSE ("linear", "bias, gate or residual does not fit", a->x, a->w, a->y);
  if ((a->x_stride != 0 && a->x_stride < k) || (a->y_stride != 0 && a->y_stride < n))
    REFUSE ("linear", "a stride is smaller than a row", a->x, a->w, a->y);
  count (s, 2.0 * m * n * k, BYTES (a->x) + BYTES (a->w) + BYTES (a->y) + BYTES (a->residual));
  RUN (linear);
}

void
easel_op_conv2d (EaselStream *s, const EaselConv2dArgs *a)
{
  int64_t groups = a->groups > 0 ? a->groups : 1, stride = a->stride > 0 ? a->stride : 1;
  int64_t up = a->upsample > 0 ? a->upsample : 1, h, w;

  if (!easel_stream_ok (s))
    return;
  if (!is_act (s, &a->x) || !is_float (&a->w) || !is_act (s, &a->y) || a->x.n_dims != 4 || a->w.n_dims != 4 ||
      a->y.n_dims != 4)
    REFUSE ("conv2d", "dtype or dimensions", a->x, a->w, a->y);
  if (a->groups < 0 || a->stride < 0 || a->upsample < 0 || a->upsample > 64 || a->pad < 0 || a->pad > 64 ||
      a->pad_end < 0 || a->pad_end > 64)
    REFUSE ("conv2d", "settings", a->x, a->w, a->y);
  if (a->x.shape[3] % groups || a->w.shape[0] % groups || a->w.shape[1] != a->x.shape[3] / groups)
    REFUSE ("conv2d", "channels do not fit the groups", a->x, a->w, a->y);
  h = a->x.shape[1] * up + 2 * a->pad + a->pad_end - a->w.shape[2];
  w = a->x.shape[2] * up + 2 * a->pad + a->pad_end - a->w.shape[3];
  if (h < 0 || w < 0 || a->y.shape[0] != a->x.shape[0] || a->y.shape[1] != h / stride + 1 ||
      a->y.shape[2] != w / stride + 1 || a->y.shape[3] != a->w.shape[0])
    REFUSE ("conv2d", "shapes do not fit", a->x, a->w, a->y);
  if (!optional_weight (&a->bias, a->w.shape[0]) || !optional_act (s, &a->residual, COUNT (a->y)))
    REFUSE ("conv2d", "bias or residual does not fit", a->x, a->w, a->y);
  count (s, 2.0 * COUNT (a->y) * (COUNT (a->w) / a->w.shape[0]),
         BYTES (a->x) + BYTES (a->w) + BYTES (a->y) + BYTES (a->residual));
  RUN (conv2d);
}

void
easel_op_conv3d (EaselStream *s, const EaselConv3dArgs *a)
{
  int64_t frames, h, w;

  if (!easel_stream_ok (s))
    return;
  if (!is_act (s, &a->x) || !is_float (&a->w) || !is_act (s, &a->y) || a->x.n_dims != 4 || a->w.n_dims != 5 ||
      a->y.n_dims != 4 || a->pad < 0 || a->pad > 64)
    REFUSE ("conv3d", "dtype, dimensions or settings", a->x, a->w, a->y);
  frames = a->x.shape[0];
  h = a->x.shape[1] + 2 * a->pad - a->w.shape[3] + 1;
  w = a->x.shape[2] + 2 * a->pad - a->w.shape[4] + 1;
  if (h < 1 || w < 1 || a->w.shape[1] != a->x.shape[3] || a->y.shape[0] != frames || a->y.shape[1] != h ||
      a->y.shape[2] != w || a->y.shape[3] != a->w.shape[0])
    REFUSE ("conv3d", "shapes do not fit", a->x, a->w, a->y);
  if (a->before.data && (!is_act (s, &a->before) || COUNT (a->before) != COUNT (a->x) / frames * (a->w.shape[2] - 1)))
    REFUSE ("conv3d", "the frames before do not fit", a->x, a->before, a->y);
  if (!optional_weight (&a->bias, a->w.shape[0]) || !optional_act (s, &a->residual, COUNT (a->y)))
    REFUSE ("conv3d", "bias or residual does not fit", a->x, a->w, a->y);
  count (s, 2.0 * COUNT (a->y) * (COUNT (a->w) / a->w.shape[0]),
         BYTES (a->x) + BYTES (a->before) + BYTES (a->w) + BYTES (a->y) + BYTES (a->residual));
  RUN (conv3d);
}

void
easel_op_depthwise_glu (EaselStream *s, const EaselDepthwiseGluArgs *a)
{
  int64_t c2;

  if (!easel_stream_ok (s))
    return;
  if (!is_act (s, &a->x) || !is_float (&a->w) || !is_act (s, &a->y) || a->x.n_dims != 4 || a->w.n_dims != 4 ||
      a->y.n_dims != 4)
    REFUSE ("depthwise_glu", "dtype or dimensions", a->x, a->w, a->y);
  c2 = a->x.shape[3];
  if (c2 % 2 || a->w.shape[0] != c2 || a->w.shape[1] != 1 || a->w.shape[2] != 3 || a->w.shape[3] != 3 ||
      !optional_weight (&a->bias, c2) || a->y.shape[0] != a->x.shape[0] || a->y.shape[1] != a->x.shape[1] ||
      a->y.shape[2] != a->x.shape[2] || a->y.shape[3] != c2 / 2)
    REFUSE ("depthwise_glu", "shapes do not fit", a->x, a->w, a->y);
  count (s, 22.0 * COUNT (a->x), BYTES (a->x) + BYTES (a->w) + BYTES (a->y));
  RUN (depthwise_glu);
}

void
easel_op_norm (EaselStream *s, const EaselNormArgs *a)
{
  int64_t m, c;

  if (!easel_stream_ok (s))
    return;
  if (!is_act (s, &a->x) || !(is_act (s, &a->y) || is_scaled (&a->y)))
    REFUSE ("norm", "dtype or dimensions", a->x, a->weight, a->y);
  c = last (&a->x);
  if (is_scaled (&a->y) && (c > 65536 || a->y_stride != 0 || a->y.data == a->residual.data))
    REFUSE ("norm", "scaled rows are too long, apart, or the residual", a->x, a->weight, a->y);
  m = COUNT (a->x) / c;
  if (last (&a->y) != c || COUNT (a->y) != m * c)
    REFUSE ("norm", "shapes do not fit", a->x, a->weight, a->y);
  if (!optional_weight (&a->weight, c) || !optional_weight (&a->bias, c) || !optional_per_batch (&a->scale, m, c) ||
      !optional_per_batch (&a->shift, m, c) || !optional_act (s, &a->residual, m * c))
    REFUSE ("norm", "weight, bias, scale, shift or residual does not fit", a->x, a->weight, a->y);
  if ((a->x_stride != 0 && a->x_stride < c) || (a->y_stride != 0 && a->y_stride < c))
    REFUSE ("norm", "a stride is smaller than a row", a->x, a->weight, a->y);
  count (s, 8.0 * m * c, BYTES (a->x) + BYTES (a->y) + BYTES (a->residual));
  RUN (norm);
}

/* Nearest neighbours take `n` frames to `to`, the first one apart when `to` is odd and above 1. */
static bool
frames_enlarge (int64_t n, int64_t to)
{
  if (to > 1 && to % 2 == 1)
    return n > 1 && (to - 1) % (n - 1) == 0;
  return to % n == 0;
}

void
easel_op_group_norm (EaselStream *s, const EaselGroupNormArgs *a)
{
  const EaselTensor *c = &a->scale;

  if (!easel_stream_ok (s))
    return;
  if (!is_act (s, &a->x) || !is_act (s, &a->y) || a->x.n_dims != 4 || !same_shape (&a->x, &a->y))
    REFUSE ("group_norm", "dtype or dimensions", a->x, a->weight, a->y);
  if (a->groups < 1 || last (&a->x) % a->groups || !optional_weight (&a->weight, last (&a->x)) ||
      !optional_weight (&a->bias, last (&a->x)))
    REFUSE ("group_norm", "groups, weight or bias do not fit", a->x, a->weight, a->y);
  if (!a->scale.data != !a->shift.data ||
      (c->data && (!is_act (s, c) || !is_act (s, &a->shift) || c->n_dims != 4 || !same_shape (c, &a->shift) ||
                   last (c) != last (&a->x) || !frames_enlarge (c->shape[0], a->x.shape[0]) ||
                   a->x.shape[1] % c->shape[1] || a->x.shape[2] % c->shape[2])))
    REFUSE ("group_norm", "scale or shift does not fit", a->x, a->scale, a->y);
  count (s, 10.0 * COUNT (a->x), 2 * BYTES (a->x) + BYTES (a->y));
  RUN (group_norm);
}

void
easel_op_linear_attention (EaselStream *s, const EaselLinearAttentionArgs *a)
{
  if (!easel_stream_ok (s))
    return;
  if (!is_act (s, &a->y) || a->y.n_dims != 3 || !heads_ok (&a->q, a->heads, a->head_dim) ||
      !heads_ok (&a->k, a->heads, a->head_dim) || !heads_ok (&a->v, a->heads, a->head_dim) ||
      last (&a->y) != a->heads * a->head_dim || (a->y_stride != 0 && a->y_stride < last (&a->y)))
    REFUSE ("linear_attention", "shapes do not fit", EASEL_NO_TENSOR, EASEL_NO_TENSOR, a->y);
  count (s, 4.0 * COUNT (a->y) * (a->head_dim + 1), 4 * BYTES (a->y));
  RUN (linear_attention);
}

void
easel_op_attention (EaselStream *s, const EaselAttentionArgs *a)
{
  int64_t batch, n_q;

  if (!easel_stream_ok (s))
    return;
  if (!is_act (s, &a->y) || a->y.n_dims != 3 || a->n_kv < 1 || a->kv_heads < 1 || a->heads % a->kv_heads ||
      !heads_ok (&a->q, a->heads, a->head_dim) || !heads_ok (&a->k, a->heads, a->head_dim) ||
      !heads_ok (&a->v, a->heads, a->head_dim) || last (&a->y) != a->heads * a->head_dim || a->window < 0)
    REFUSE ("attention", "shapes do not fit", EASEL_NO_TENSOR, EASEL_NO_TENSOR, a->y);
  batch = a->y.shape[0];
  n_q = a->y.shape[1];
  if (a->mask.data && (!sane (&a->mask) || easel_dtype_size (a->mask.dtype) != 1 || COUNT (a->mask) != batch * a->n_kv))
    REFUSE ("attention", "the mask does not fit", a->mask, EASEL_NO_TENSOR, a->y);
  if (a->bias.data && (!is_f32 (&a->bias) || COUNT (a->bias) != a->heads * n_q * a->n_kv))
    REFUSE ("attention", "the bias does not fit", a->bias, EASEL_NO_TENSOR, a->y);
  count (s, 4.0 * batch * a->heads * n_q * a->n_kv * a->head_dim * (a->causal ? 0.5 : 1.0),
         2 * BYTES (a->y) + 2 * BYTES (a->y) / n_q * a->n_kv * a->kv_heads / a->heads + BYTES (a->bias));
  RUN (attention);
}

void
easel_op_rope (EaselStream *s, const EaselRopeArgs *a)
{
  int64_t rows = a->n_tokens - a->first;

  if (!easel_stream_ok (s))
    return;
  if (!heads_ok (&a->x, a->heads, a->head_dim) || a->head_dim % 2 || a->batch < 1 || a->first < 0 || rows < 1 ||
      !is_f32 (&a->cos) || !is_f32 (&a->sin) || COUNT (a->cos) != rows * a->head_dim ||
      COUNT (a->sin) != rows * a->head_dim)
    REFUSE ("rope", "shapes do not fit", a->cos, a->sin, EASEL_NO_TENSOR);
  count (s, 3.0 * a->batch * rows * a->heads * a->head_dim,
         2.0 * a->batch * rows * a->heads * a->head_dim * easel_dtype_size (s->act_dtype));
  RUN (rope);
}

void
easel_op_embedding (EaselStream *s, const EaselEmbeddingArgs *a)
{
  if (!easel_stream_ok (s))
    return;
  if (!sane (&a->ids) || a->ids.dtype != EASEL_DTYPE_I32 || !is_float (&a->table) || a->table.n_dims != 2 ||
      !is_act (s, &a->y) || last (&a->y) != a->table.shape[1] || COUNT (a->y) != COUNT (a->ids) * a->table.shape[1])
    REFUSE ("embedding", "shapes do not fit", a->ids, a->table, a->y);
  count (s, COUNT (a->y), 2 * BYTES (a->y));
  RUN (embedding);
}

void
easel_op_timestep_embedding (EaselStream *s, const EaselTimestepEmbeddingArgs *a)
{
  if (!easel_stream_ok (s))
    return;
  if (!is_f32 (&a->t) || !is_f32 (&a->y) || last (&a->y) % 2 || COUNT (a->y) != COUNT (a->t) * last (&a->y) ||
      !((double) last (&a->y) / 2 - a->freq_shift > 0))
    REFUSE ("timestep_embedding", "shapes do not fit", a->t, EASEL_NO_TENSOR, a->y);
  count (s, 4.0 * COUNT (a->y), BYTES (a->y));
  RUN (timestep_embedding);
}

void
easel_op_glu (EaselStream *s, const EaselGluArgs *a)
{
  int64_t c;

  if (!easel_stream_ok (s))
    return;
  if (!(is_act (s, &a->a) || is_f32 (&a->a)) || !sane (&a->y) || a->y.dtype != a->a.dtype)
    REFUSE ("glu", "dtype or dimensions", a->a, a->b, a->y);
  c = last (&a->y);
  if (last (&a->a) != c || COUNT (a->a) != COUNT (a->y) ||
      (a->b.data && (!sane (&a->b) || a->b.dtype != a->a.dtype || last (&a->b) != c || COUNT (a->b) != COUNT (a->y))))
    REFUSE ("glu", "shapes do not fit", a->a, a->b, a->y);
  if ((a->a_stride != 0 && a->a_stride < c) || (a->b_stride != 0 && a->b_stride < c))
    REFUSE ("glu", "a stride is smaller than a row", a->a, a->b, a->y);
  count (s, 5.0 * COUNT (a->y), BYTES (a->a) + BYTES (a->b) + BYTES (a->y));
  RUN (glu);
}

void
easel_op_lincomb (EaselStream *s, const EaselLincombArgs *a)
{
  if (!easel_stream_ok (s))
    return;
  if (a->n_terms < 1 || a->n_terms > EASEL_MAX_TERMS || !is_f32 (&a->y))
    REFUSE ("lincomb", "dtype or number of terms", a->x[0], EASEL_NO_TENSOR, a->y);
  for (int i = 0; i < a->n_terms; i++)
    if (!is_f32 (&a->x[i]) || COUNT (a->x[i]) != COUNT (a->y))
      REFUSE ("lincomb", "a term does not fit", a->x[i], EASEL_NO_TENSOR, a->y);
  count (s, 2.0 * a->n_terms * COUNT (a->y), (1.0 + a->n_terms) * BYTES (a->y));
  RUN (lincomb);
}

void
easel_op_add (EaselStream *s, const EaselAddArgs *a)
{
  if (!easel_stream_ok (s))
    return;
  if (!(is_act (s, &a->x) || is_f32 (&a->x)) || !sane (&a->r) || a->r.dtype != a->x.dtype || !sane (&a->y) ||
      a->y.dtype != a->x.dtype || COUNT (a->y) != COUNT (a->x) || COUNT (a->x) % COUNT (a->r))
    REFUSE ("add", "shapes do not fit", a->x, a->r, a->y);
  count (s, COUNT (a->y), BYTES (a->x) + BYTES (a->r) + BYTES (a->y));
  RUN (add);
}

void
easel_op_layout (EaselStream *s, const EaselLayoutArgs *a)
{
  const EaselTensor *first = a->to_channels_last ? &a->x : &a->y, *last_ = a->to_channels_last ? &a->y : &a->x;

  if (!easel_stream_ok (s))
    return;
  if (!(is_act (s, &a->x) || is_f32 (&a->x)) || !(is_act (s, &a->y) || is_f32 (&a->y)) || a->x.n_dims != 4 ||
      a->y.n_dims != 4 || first->shape[0] != last_->shape[0] || first->shape[1] != last_->shape[3] ||
      first->shape[2] != last_->shape[1] || first->shape[3] != last_->shape[2])
    REFUSE ("layout", "shapes do not fit", a->x, EASEL_NO_TENSOR, a->y);
  count (s, 0, BYTES (a->x) + BYTES (a->y));
  RUN (layout);
}

void
easel_op_cast (EaselStream *s, const EaselCastArgs *a)
{
  if (!easel_stream_ok (s))
    return;
  if (!is_float (&a->x) || !is_float (&a->y) || COUNT (a->x) != COUNT (a->y))
    REFUSE ("cast", "shapes do not fit", a->x, EASEL_NO_TENSOR, a->y);
  count (s, 0, BYTES (a->x) + BYTES (a->y));
  RUN (cast);
}

void
easel_op_quantise (EaselStream *s, const EaselQuantiseArgs *a)
{
  if (!easel_stream_ok (s))
    return;
  if (!is_act (s, &a->x) || !is_scaled (&a->y) || last (&a->x) != last (&a->y) || COUNT (a->x) != COUNT (a->y) ||
      (a->x_stride != 0 && a->x_stride < last (&a->x)))
    REFUSE ("quantise", "shapes do not fit", a->x, EASEL_NO_TENSOR, a->y);
  count (s, 2.0 * COUNT (a->x), BYTES (a->x) + BYTES (a->y));
  RUN (quantise);
}

void
easel_op_pixel_shuffle (EaselStream *s, const EaselPixelShuffleArgs *a)
{
  int64_t f = a->factor;

  if (!easel_stream_ok (s))
    return;
  if (f < 1 || f > 64 || !is_act (s, &a->x) || !is_act (s, &a->y) || a->x.n_dims != 4 || a->y.n_dims != 4 ||
      a->y.shape[0] != a->x.shape[0] || a->y.shape[1] != a->x.shape[1] * f || a->y.shape[2] != a->x.shape[2] * f ||
      a->y.shape[3] * f * f % a->x.shape[3] || !optional_act (s, &a->residual, COUNT (a->y)) ||
      (a->residual.data && !same_shape (&a->residual, &a->y)))
    REFUSE ("pixel_shuffle", "shapes do not fit", a->x, a->residual, a->y);
  count (s, COUNT (a->y), BYTES (a->x) + BYTES (a->residual) + BYTES (a->y));
  RUN (pixel_shuffle);
}

void
easel_op_pixel_unshuffle (EaselStream *s, const EaselPixelUnshuffleArgs *a)
{
  int64_t f = a->factor;

  if (!easel_stream_ok (s))
    return;
  if (f < 1 || f > 64 || !is_act (s, &a->x) || !is_act (s, &a->y) || a->x.n_dims != 4 || a->y.n_dims != 4 ||
      a->y.shape[0] != a->x.shape[0] || a->y.shape[1] * f != a->x.shape[1] || a->y.shape[2] * f != a->x.shape[2] ||
      a->x.shape[3] * f * f % a->y.shape[3] || !optional_act (s, &a->residual, COUNT (a->y)) ||
      (a->residual.data && !same_shape (&a->residual, &a->y)))
    REFUSE ("pixel_unshuffle", "shapes do not fit", a->x, a->residual, a->y);
  count (s, COUNT (a->x), BYTES (a->x) + BYTES (a->residual) + BYTES (a->y));
  RUN (pixel_unshuffle);
}
