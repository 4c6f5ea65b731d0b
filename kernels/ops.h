/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of operations. One struct of arguments an operation, filled with designated initialisers:
 *
 *   easel_linear (s, .x = x, .w = w, .bias = b, .y = y);
 *
 * What is not named is absent (tensors) or zero. ops.c checks shapes and dtypes in one place, counts work and calls
 * the backend's table; a backend may assume that arguments fit. Outputs never overlap inputs unless said.
 *
 * Dtypes: "act" is the stream's activation dtype (f32 on the CPU, bf16, f16 or f32 on a card; every activation argument
 * of one call has the same). Weights are f32, f16 or bf16, in the file's own layout. Sums, norms, softmax and linear
 * attention accumulate in f32 whatever the dtypes. In formulas m is a row, n an output column, b = m / (M / B).
 */
#pragma once

#include "device.h"

typedef enum
{
  EASEL_ACT_NONE,
  EASEL_ACT_RELU,
  EASEL_ACT_SILU,
  EASEL_ACT_GELU_TANH, /* 0.5 x (1 + tanh (sqrt (2/pi) (x + 0.044715 x^3))) */
} EaselAct;

/* Heads inside rows of a larger matrix: element (b, i, h, d) is data[((b * n + i) * row + h * head) + d], n the number
 * of tokens of that operand. A plain [B, N, H, D] tensor has row = H * D, head = D. */
typedef struct
{
  void *data;
  int64_t row, head;
} EaselHeads;

/* y[m,n] = residual[m,n] + gate[b,n] * act (sum_k x[m,k] w[n,k] + bias[n])
 * x [M, K] act; w [N, K]; bias [N]; gate [B, N] f32; residual [M, N] act, may be y; y [M, N] act.
 * w may be scaled (tensor.h): the product is then one of 8-bit numbers, and x scaled of the same dtype, without a
 * stride. An x that is act is made that first, by quantise into the stream's arena: K + 4 bytes a row, given back at
 * the end. Whoever multiplies one x several times quantises it once.
 * Leading dimensions of x and y are folded into M. x_stride, y_stride: elements between rows of x (0: K) and of y (0:
 * N), for columns inside a wider matrix: y.shape is then still [M, N]. A residual other than y has N elements a row. */
typedef struct
{
  EaselTensor x, w, bias, gate, residual, y;
  EaselAct act;
  int64_t x_stride, y_stride;
} EaselLinearArgs;

/* y = residual + act (conv (x, w) + bias), zero padding of `pad` on every side.
 * x [B, H, W, Ci] act; w [Co, Ci/groups, kh, kw]; y [B, (H + 2 pad - kh) / stride + 1, …, Co] act.
 * groups: 0 or 1: dense. Depthwise (groups = Ci = Co) is fine. stride 0: 1. upsample: x is read as if enlarged by that
 * factor with nearest neighbours first (0: 1), without writing the enlarged picture. pad_end: so many more rows and
 * columns of zeros, at the bottom and on the right alone. */
typedef struct
{
  EaselTensor x, w, bias, residual, y;
  EaselAct act;
  int stride, pad, groups, upsample, pad_end;
} EaselConv2dArgs;

/* Causal convolution over a clip: y[f] = residual[f] + act (sum_t conv2d (x'[f + t], w[:, :, t]) + bias), where x' is
 * the kt - 1 frames of `before` followed by x; without `before` the first frame stands in for them. Zero padding of
 * `pad` on every side of a frame.
 * x [F, H, W, Ci] act; before [kt - 1, H, W, Ci] act; w [Co, Ci, kt, kh, kw]; y [F, H + 2 pad - kh + 1, …, Co] act. */
typedef struct
{
  EaselTensor x, before, w, bias, residual, y;
  EaselAct act;
  int pad;
} EaselConv3dArgs;

/* Group norm over a clip, conditioned by place (CogVideoXSpatialNorm3D):
 * n = (x - mean) / sqrt (var + eps) * weight + bias, mean and variance (two passes, f32 or better) over all frames, all
 * pixels and the C / groups channels of a group;  y = act (n * scale + shift)
 * x, y [F, H, W, C] act, y may be x; weight, bias [C]; scale, shift [f, h, w, C] act, both or none, read as if enlarged
 * with nearest neighbours: H a multiple of h, W of w, F of f; but when F is odd and above 1, first belongs to first and
 * the other F - 1 frames to the other f - 1. */
typedef struct
{
  EaselTensor x, weight, bias, scale, shift, y;
  EaselAct act;
  int64_t groups;
  float eps;
} EaselGroupNormArgs;

/* GLUMBConv's middle: h = conv_depthwise_3x3 (x) + bias; y = h[.., :C] * silu (h[.., C:])
 * x [B, H, W, 2C] act; w [2C, 1, 3, 3]; bias [2C]; y [B, H, W, C] act. */
typedef struct
{
  EaselTensor x, w, bias, y;
} EaselDepthwiseGluArgs;

typedef enum
{
  EASEL_NORM_LAYER, /* (x - mean) / sqrt (var + eps), two passes */
  EASEL_NORM_RMS,   /* x / sqrt (mean (x^2) + eps) */
} EaselNormKind;

/* n = norm (x[m,:]) * (weight_offset + weight) + bias;  y[m,:] = residual + act (n * (1 + scale[b,:]) + shift[b,:])
 * x [M, C] act; weight, bias [C]; scale, shift [B, C] f32; residual, y [M, C] act; y may be x. Leading dimensions are
 * folded. x_stride, y_stride: elements between rows (0: C). y may also be residual. weight_offset: 0, or 1 (Gemma).
 * A residual other than y has C elements a row. y may be scaled (C up to 65536, no stride, not the residual): what norm
 * would write, rounded to act, quantised. */
typedef struct
{
  EaselNormKind kind;
  EaselTensor x, weight, bias, scale, shift, residual, y;
  EaselAct act;
  float eps, weight_offset;
  int64_t x_stride, y_stride;
} EaselNormArgs;

/* ReLU linear attention (Sana, DC-AE): with q' = relu (q), k' = relu (k), in f32:
 * y[b,i,h,:] = q'_i (sum_j k'_j^T v_j) / (q'_i sum_j k'_j + eps)
 * heads * head_dim columns in y [B, N, heads * head_dim] act; y_stride: elements between rows of y (0: heads *
 * head_dim), for columns inside a wider matrix. */
typedef struct
{
  EaselHeads q, k, v;
  EaselTensor y;
  int64_t heads, head_dim;
  int64_t y_stride;
  float eps;
} EaselLinearAttentionArgs;

/* Softmax attention. s = scale * q k^T; softcap > 0: s = softcap * tanh (s / softcap); s += bias[h,i,j];
 * key j is seen by query i when mask[b,j] != 0, and (causal) j <= i, and (window > 0) i - j < window.
 * q has n_q tokens; k, v have n_kv tokens and kv_heads heads (heads % kv_heads == 0).
 * mask [B, n_kv] u8; bias [heads, n_q, n_kv] f32; y [B, n_q, heads * head_dim] act. A row that sees no key is 0. */
typedef struct
{
  EaselHeads q, k, v;
  EaselTensor mask, bias, y;
  int64_t n_kv, heads, kv_heads, head_dim;
  float scale, softcap;
  bool causal;
  int64_t window;
} EaselAttentionArgs;

/* Rotary positions, in place on x: heads of head_dim over N tokens, batch B.
 * cos, sin [N, head_dim] f32. interleaved: pairs (2i, 2i+1) (CogVideoX); else halves (i, i + head_dim/2) (Gemma):
 * x' = x * cos + rotate (x) * sin. Tokens before `first` are left alone, tables start there. */
typedef struct
{
  EaselHeads x;
  EaselTensor cos, sin;
  int64_t batch, n_tokens, heads, head_dim, first;
  bool interleaved;
} EaselRopeArgs;

/* y[m,:] = table[ids[m],:] * scale.   ids [M] i32, each in [0, rows of table) (checked by the engine); y [M, C] act */
typedef struct
{
  EaselTensor ids, table, y;
  float scale;
} EaselEmbeddingArgs;

/* Sinusoidal timestep embedding (diffusers get_timestep_embedding): half = dim/2,
 * f_i = exp (-ln (max_period) i / (half - freq_shift)); e = [sin (scale t f), cos (scale t f)], halves swapped by flip.
 * t [B] f32; y [B, dim] f32. max_period 0: 10000. scale 0: 1. */
typedef struct
{
  EaselTensor t, y;
  bool flip_sin_to_cos;
  float freq_shift, scale, max_period;
} EaselTimestepEmbeddingArgs;

/* y = act (a) * b, elementwise over rows of C columns. a, b act with a_stride, b_stride elements between rows
 * (0: C); b absent: y = act (a). y [M, C] act, may be a or b. f32 instead of act is allowed when all three are. */
typedef struct
{
  EaselTensor a, b, y;
  EaselAct act;
  int64_t a_stride, b_stride;
} EaselGluArgs;

/* y = sum_i c[i] x[i], f32, up to EASEL_MAX_TERMS terms of one count; y may be any of the x.
 * The update of every sampler, guidance, scaling of latents. */
#define EASEL_MAX_TERMS 8
typedef struct
{
  int n_terms;
  EaselTensor x[EASEL_MAX_TERMS];
  float c[EASEL_MAX_TERMS];
  EaselTensor y;
} EaselLincombArgs;

/* y = x + r, act or f32; r is repeated along the leading dimensions of x (its count divides x's). y may be x. */
typedef struct
{
  EaselTensor x, r, y;
} EaselAddArgs;

/* Between [B, C, H, W] (to_channels_last true: x is that) and [B, H, W, C], converting between f32 and act.
 * Clips: fold frames into B first. */
typedef struct
{
  EaselTensor x, y;
  bool to_channels_last;
} EaselLayoutArgs;

/* Conversion of dtype (f32, f16, bf16, any to any), same count. */
typedef struct
{
  EaselTensor x, y;
} EaselCastArgs;

/* Depth to space, torch.pixel_shuffle in channels-last, with the DC-AE shortcut's repetition:
 * y[b, h f + i, w f + j, c] = residual + x[b, h, w, ((c f + i) f + j) / repeats],  repeats = Cy f^2 / Cx
 * x [B, H, W, Cx]; residual, y [B, H f, W f, Cy]; y may be residual. */
typedef struct
{
  EaselTensor x, residual, y;
  int factor;
} EaselPixelShuffleArgs;

/* Space to depth, torch.pixel_unshuffle in channels-last, with the DC-AE shortcut's mean over groups:
 * y[b, h, w, c] = residual + mean over q in [c g, (c + 1) g) of x[b, h f + i, w f + j, ci],
 * q = (ci f + i) f + j,  g = Cx f^2 / Cy.  factor 1 is the plain mean over groups of channels. y may be residual. */
typedef struct
{
  EaselTensor x, residual, y;
  int factor;
} EaselPixelUnshuffleArgs;

/* y[m,k] = x[m,k] / scale[m], rounded to the nearest (ties to even), scale[m] = max_k |x[m,k]| / most; most is 448
 * (f8_e4m3) or 127 (i8). Rows below 1e-30 are zeros; one that holds NaN or infinity gets a scale that is not finite, so
 * that all which is made of it is NaN.
 * x [M, K] act; y [M, K] scaled. x_stride: elements between rows of x (0: K). */
typedef struct
{
  EaselTensor x, y;
  int64_t x_stride;
} EaselQuantiseArgs;

/* Every operation once, X (name, type of arguments): tables of backends, counters and tests are written with it. */
#define EASEL_FOR_EACH_OP(X) \
  X (linear, EaselLinearArgs) \
  X (conv2d, EaselConv2dArgs) \
  X (conv3d, EaselConv3dArgs) \
  X (depthwise_glu, EaselDepthwiseGluArgs) \
  X (norm, EaselNormArgs) \
  X (group_norm, EaselGroupNormArgs) \
  X (linear_attention, EaselLinearAttentionArgs) \
  X (attention, EaselAttentionArgs) \
  X (rope, EaselRopeArgs) \
  X (embedding, EaselEmbeddingArgs) \
  X (timestep_embedding, EaselTimestepEmbeddingArgs) \
  X (glu, EaselGluArgs) \
  X (lincomb, EaselLincombArgs) \
  X (add, EaselAddArgs) \
  X (layout, EaselLayoutArgs) \
  X (cast, EaselCastArgs) \
  X (quantise, EaselQuantiseArgs) \
  X (pixel_shuffle, EaselPixelShuffleArgs) \
  X (pixel_unshuffle, EaselPixelUnshuffleArgs)

struct EaselOps
{
#define EASEL_OP_MEMBER(name, Args) void (*name) (EaselStream *s, const Args *a);
  EASEL_FOR_EACH_OP (EASEL_OP_MEMBER)
#undef EASEL_OP_MEMBER
};

/* Checked calls, void easel_op_NAME (EaselStream *s, const EaselNameArgs *a). Each is a no-op on a stream that has
 * failed. */
#define EASEL_OP_PROTOTYPE(name, Args) void easel_op_##name (EaselStream *s, const Args *a);
EASEL_FOR_EACH_OP (EASEL_OP_PROTOTYPE)
#undef EASEL_OP_PROTOTYPE

/* From the arena: what a product with w reads, act or scaled as w is. */
EaselTensor easel_stream_alloc_input (EaselStream *s, const EaselTensor *w, int n_dims, const int64_t *shape);
#define easel_new_input(s, w, ...)                                                                          \
  easel_stream_alloc_input ((s), (w), (int) (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), \
                            (const int64_t[]){ __VA_ARGS__ })

#define easel_linear(s, ...) easel_op_linear ((s), &(EaselLinearArgs){ __VA_ARGS__ })
#define easel_conv2d(s, ...) easel_op_conv2d ((s), &(EaselConv2dArgs){ __VA_ARGS__ })
#define easel_conv3d(s, ...) easel_op_conv3d ((s), &(EaselConv3dArgs){ __VA_ARGS__ })
#define easel_depthwise_glu(s, ...) easel_op_depthwise_glu ((s), &(EaselDepthwiseGluArgs){ __VA_ARGS__ })
#define easel_norm(s, ...) easel_op_norm ((s), &(EaselNormArgs){ __VA_ARGS__ })
#define easel_group_norm(s, ...) easel_op_group_norm ((s), &(EaselGroupNormArgs){ __VA_ARGS__ })
#define easel_linear_attention(s, ...) easel_op_linear_attention ((s), &(EaselLinearAttentionArgs){ __VA_ARGS__ })
#define easel_attention(s, ...) easel_op_attention ((s), &(EaselAttentionArgs){ __VA_ARGS__ })
#define easel_rope(s, ...) easel_op_rope ((s), &(EaselRopeArgs){ __VA_ARGS__ })
#define easel_embedding(s, ...) easel_op_embedding ((s), &(EaselEmbeddingArgs){ __VA_ARGS__ })
#define easel_timestep_embedding(s, ...) easel_op_timestep_embedding ((s), &(EaselTimestepEmbeddingArgs){ __VA_ARGS__ })
#define easel_glu(s, ...) easel_op_glu ((s), &(EaselGluArgs){ __VA_ARGS__ })
#define easel_lincomb(s, ...) easel_op_lincomb ((s), &(EaselLincombArgs){ __VA_ARGS__ })
#define easel_add(s, ...) easel_op_add ((s), &(EaselAddArgs){ __VA_ARGS__ })
#define easel_layout(s, ...) easel_op_layout ((s), &(EaselLayoutArgs){ __VA_ARGS__ })
#define easel_cast(s, ...) easel_op_cast ((s), &(EaselCastArgs){ __VA_ARGS__ })
#define easel_quantise(s, ...) easel_op_quantise ((s), &(EaselQuantiseArgs){ __VA_ARGS__ })
#define easel_pixel_shuffle(s, ...) easel_op_pixel_shuffle ((s), &(EaselPixelShuffleArgs){ __VA_ARGS__ })
#define easel_pixel_unshuffle(s, ...) easel_op_pixel_unshuffle ((s), &(EaselPixelUnshuffleArgs){ __VA_ARGS__ })
