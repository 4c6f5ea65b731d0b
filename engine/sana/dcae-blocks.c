/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The forward passes of DC-AE. Pictures are [B, h, w, C], channels last.
 *
 * Memory: the pictures of all stages are cut from the arena from the last to be made to the first, and each stage's
 * scratch after them; so a stage's picture is given back as soon as the next one is made from it, and the peak is that
 * of the largest stage alone: its picture and two more of its size.
 */
#include "engine/sana/dcae-private.h"

#define NORM_EPS 1e-5f
#define ATTENTION_EPS 1e-15f

static EaselTensor
new_like (EaselStream *s, EaselTensor x, gint64 channels)
{
  return easel_new (s, s->act_dtype, x.shape[0], x.shape[1], x.shape[2], channels);
}

/* y = residual + norm (x), y is residual; spare: as y, used by batch norms only */
static void
add_norm (EaselStream *s, const DcaeNorm *norm, EaselTensor x, EaselTensor y, EaselTensor spare)
{
  if (norm->kind == DCAE_NORM_BATCH)
    {
      easel_conv2d (s, .x = x, .w = norm->w, .bias = norm->b, .residual = y, .y = spare, .groups = (int) y.shape[3]);
      easel_cast (s, .x = spare, .y = y);
      return;
    }
  easel_norm (s, .kind = EASEL_NORM_RMS, .x = x, .weight = norm->w, .bias = norm->b, .residual = y, .y = y,
              .eps = NORM_EPS);
}

/* x += norm (conv_2 (act (conv_1 (x)))) */
static void
res_block (EaselStream *s, const DcaeBlock *b, EaselTensor x)
{
  EaselTensor t = new_like (s, x, x.shape[3]), u = new_like (s, x, x.shape[3]);

  easel_conv2d (s, .x = x, .w = b->conv_1.w, .bias = b->conv_1.b, .y = t, .act = b->act, .pad = 1);
  easel_conv2d (s, .x = t, .w = b->conv_2, .y = u, .pad = 1);
  add_norm (s, &b->norm, u, x, t);
}

/* Linear attention over the joined columns [q, k, v], 3 I of them. Heads cut them into groups of 3 head_dim without
 * regard to where q ends and k begins, as the reference's reshape does. Writes I columns of rows y_stride long. */
static void
attend (EaselStream *s, const DcaeBlock *b, EaselTensor qkv, EaselTensor y, gint64 column, gint64 y_stride)
{
  const gint64 B = qkv.shape[0], N = qkv.shape[1] * qkv.shape[2], I = (gint64) b->heads * b->head_dim;
  const gsize size = easel_dtype_size (qkv.dtype);
  EaselHeads h[3];

  if (!easel_stream_ok (s))
    return;
  for (int j = 0; j < 3; j++)
    h[j] = (EaselHeads){ .data = (char *) qkv.data + (gsize) j * b->head_dim * size,
                         .row = 3 * I,
                         .head = 3 * b->head_dim };
  easel_linear_attention (s, .q = h[0], .k = h[1], .v = h[2],
                          .y = easel_tensor_of ((char *) y.data + column * size, y.dtype, B, N, I),
                          .y_stride = y_stride, .heads = b->heads, .head_dim = b->head_dim, .eps = ATTENTION_EPS);
}

/* x += norm (out (join of attentions at every scale)) */
static void
multiscale_attention (EaselStream *s, const DcaeBlock *b, EaselTensor x)
{
  const gint64 C = x.shape[3], I = (gint64) b->heads * b->head_dim, rows = easel_tensor_count (&x) / C;
  const gint64 width = I * (1 + b->n_scales);
  EaselTensor joined = new_like (s, x, width), y = new_like (s, x, C), qkv = new_like (s, x, 3 * I);
  EaselTensor spare = b->norm.kind == DCAE_NORM_BATCH ? new_like (s, x, C) : EASEL_NO_TENSOR;
  const EaselTensor w[3] = { b->q, b->k, b->v };

  for (int j = 0; j < 3 && easel_stream_ok (s); j++)
    easel_linear (s, .x = x, .w = w[j], .y_stride = 3 * I,
                  .y = easel_tensor_of ((char *) qkv.data + j * I * easel_dtype_size (qkv.dtype), qkv.dtype, rows, I));
  attend (s, b, qkv, joined, 0, width);
  for (int j = 0; j < b->n_scales; j++)
    {
      const size_t mark = easel_stream_mark (s);
      EaselTensor deep = new_like (s, x, 3 * I), mixed = new_like (s, x, 3 * I);
      const DcaeScale *scale = &b->scales[j];

      easel_conv2d (s, .x = qkv, .w = scale->depth, .y = deep, .groups = (int) (3 * I),
                    .pad = (int) scale->depth.shape[2] / 2);
      easel_conv2d (s, .x = deep, .w = scale->mix, .y = mixed, .groups = 3 * b->heads);
      attend (s, b, mixed, joined, (1 + j) * I, width);
      easel_stream_release (s, mark);
    }
  easel_linear (s, .x = joined, .w = b->out, .y = y);
  add_norm (s, &b->norm, y, x, spare);
}

/* x += norm (point (depthwise GLU (silu (inverted (x))))) */
static void
glu_block (EaselStream *s, const DcaeBlock *b, EaselTensor x)
{
  const gint64 C = x.shape[3];
  EaselTensor y = new_like (s, x, C), gated = new_like (s, x, 4 * C), wide = new_like (s, x, 8 * C);

  easel_linear (s, .x = x, .w = b->inverted.w, .bias = b->inverted.b, .y = wide, .act = EASEL_ACT_SILU);
  easel_depthwise_glu (s, .x = wide, .w = b->depth.w, .bias = b->depth.b, .y = gated);
  easel_linear (s, .x = gated, .w = b->point, .y = y);
  add_norm (s, &b->glu_norm, y, x, EASEL_NO_TENSOR);
}

/* Multiplications a pixel of a stage's block, roughly: what progress is measured in. */
static double
block_work (const DcaeBlock *b, gint64 channels)
{
  return (b->kind == DCAE_RES_BLOCK ? 18.0 : 16.0 + 2.0 * b->n_scales) * channels * channels;
}

/* Of all blocks of a side, on a picture whose first stage has `pixels`. */
static double
side_work (const DcaeSide *side, int n_stages, double pixels)
{
  double work = 0;

  for (int i = 0; i < n_stages; i++)
    for (int j = 0; j < side->stages[i].n_blocks; j++)
      work += block_work (&side->stages[i].blocks[j], side->stages[i].channels) * pixels / (1 << (2 * i));
  return work;
}

typedef struct
{
  DcaeProgress to;
  double done, total;
} Work;

static gboolean
report (const Work *work, GError **error)
{
  const int step = (int) (DCAE_STEPS * MIN (work->done / MAX (work->total, 1), 1.0));

  return easel_job_step (work->to.job, work->to.piece * DCAE_STEPS + step, work->to.n_pieces * DCAE_STEPS, error);
}

/* All blocks of a stage in place on x. */
static gboolean
run_stage (EaselStream *s, const DcaeStage *stage, EaselTensor x, const char *what, Work *work, GError **error)
{
  const size_t mark = easel_stream_mark (s);

  for (int i = 0; i < stage->n_blocks; i++)
    {
      if (stage->blocks[i].kind == DCAE_RES_BLOCK)
        res_block (s, &stage->blocks[i], x);
      else
        {
          multiscale_attention (s, &stage->blocks[i], x);
          easel_stream_release (s, mark);
          glu_block (s, &stage->blocks[i], x);
        }
      easel_stream_release (s, mark);
      work->done += block_work (&stage->blocks[i], stage->channels) * x.shape[1] * x.shape[2];
      if (!easel_stream_check (s, what, error) || !report (work, error))
        return FALSE;
    }
  return TRUE;
}

/* y [B, 2h, 2w, C'] from x [B, h, w, C]; the shortcut repeats channels into pixels. */
static void
upsample (EaselStream *s, const DcaeLayer *conv, gboolean interpolate, gboolean shortcut, EaselTensor x, EaselTensor y)
{
  const size_t mark = easel_stream_mark (s);

  if (interpolate)
    easel_conv2d (s, .x = x, .w = conv->w, .bias = conv->b, .y = y, .pad = 1, .upsample = 2);
  else
    {
      EaselTensor deep = new_like (s, x, 4 * y.shape[3]);

      easel_conv2d (s, .x = x, .w = conv->w, .bias = conv->b, .y = deep, .pad = 1);
      easel_pixel_shuffle (s, .x = deep, .y = y, .factor = 2);
      easel_stream_release (s, mark);
    }
  if (shortcut)
    easel_pixel_shuffle (s, .x = x, .residual = y, .y = y, .factor = 2);
}

/* y [B, h/2, w/2, C'] from x [B, h, w, C]; the shortcut averages pixels and channels. */
static void
downsample (EaselStream *s, const DcaeLayer *conv, gboolean unshuffle, gboolean shortcut, EaselTensor x, EaselTensor y)
{
  const size_t mark = easel_stream_mark (s);

  if (!unshuffle)
    easel_conv2d (s, .x = x, .w = conv->w, .bias = conv->b, .y = y, .pad = 1, .stride = 2);
  else
    {
      EaselTensor shallow = new_like (s, x, y.shape[3] / 4);

      easel_conv2d (s, .x = x, .w = conv->w, .bias = conv->b, .y = shallow, .pad = 1);
      easel_pixel_unshuffle (s, .x = shallow, .y = y, .factor = 2);
      easel_stream_release (s, mark);
    }
  if (shortcut)
    easel_pixel_unshuffle (s, .x = x, .residual = y, .y = y, .factor = 2);
}

/* x itself, or a copy in the device's activation dtype */
static EaselTensor
as_act (EaselStream *s, EaselTensor x)
{
  EaselTensor y;

  if (x.dtype == s->act_dtype)
    return x;
  y = new_like (s, x, x.shape[3]);
  easel_cast (s, .x = x, .y = y);
  return y;
}

/* Where an output in the activation dtype goes before it becomes `out`. */
static EaselTensor
act_for (EaselStream *s, EaselTensor out)
{
  return out.dtype == s->act_dtype ? out : new_like (s, out, out.shape[3]);
}

gboolean
dcae_decode_piece (EaselDcae *self, EaselStream *s, EaselTensor z, EaselTensor out, DcaeProgress progress,
                   GError **error)
{
  const DcaeConfig *c = &self->config;
  const DcaeSide *side = &self->decoder;
  const int last = c->n_stages - 1, first = c->decoder.layers[0] > 0 ? 0 : 1;
  const size_t mark = easel_stream_mark (s);
  const gint64 B = z.shape[0], h = z.shape[1], w = z.shape[2];
  EaselTensor picture[DCAE_MAX_STAGES], y = act_for (s, out);
  size_t below[DCAE_MAX_STAGES];
  Work work = { progress, 0, side_work (side, c->n_stages, (double) h * w * (1 << (2 * last))) };
  gboolean ok = report (&work, error);

  for (int i = first; i <= last; i++)
    {
      below[i] = easel_stream_mark (s);
      picture[i] = easel_new (s, s->act_dtype, B, h << (last - i), w << (last - i), side->stages[i].channels);
    }

  /* 1. Latents into the deepest stage; the shortcut repeats channels. [B, h, w, latent] -> [B, h, w, C] */
  easel_conv2d (s, .x = as_act (s, z), .w = side->in.w, .bias = side->in.b, .y = picture[last], .pad = 1);
  if (c->in_shortcut)
    easel_pixel_shuffle (s, .x = as_act (s, z), .residual = picture[last], .y = picture[last], .factor = 1);
  ok = ok && easel_stream_check (s, "Decoding", error);

  /* 2. Up, stage by stage. */
  for (int i = last; ok && i >= first; i--)
    {
      if (i < last)
        {
          upsample (s, &side->stages[i].resample, c->up_interpolate, TRUE, picture[i + 1], picture[i]);
          easel_stream_release (s, below[i + 1]);
        }
      ok = run_stage (s, &side->stages[i], picture[i], "Decoding", &work, error);
    }

  /* 3. Norm, activation, pixels. */
  if (ok)
    {
      easel_norm (s, .kind = EASEL_NORM_RMS, .x = picture[first], .weight = side->norm_out.w, .bias = side->norm_out.b,
                  .y = picture[first], .act = side->out_act, .eps = NORM_EPS);
      if (first == 0)
        easel_conv2d (s, .x = picture[0], .w = side->out.w, .bias = side->out.b, .y = y, .pad = 1);
      else
        upsample (s, &side->out, c->up_interpolate, FALSE, picture[1], y);
      if (y.data != out.data)
        easel_cast (s, .x = y, .y = out);
      ok = easel_stream_check (s, "Decoding", error);
    }
  easel_stream_release (s, mark);
  return ok;
}

gboolean
dcae_encode_piece (EaselDcae *self, EaselStream *s, EaselTensor image, EaselTensor out, DcaeProgress progress,
                   GError **error)
{
  const DcaeConfig *c = &self->config;
  const DcaeSide *side = &self->encoder;
  const int last = c->n_stages - 1, first = c->encoder.layers[0] > 0 ? 0 : 1;
  const size_t mark = easel_stream_mark (s);
  const gint64 B = image.shape[0], H = image.shape[1], W = image.shape[2];
  EaselTensor picture[DCAE_MAX_STAGES], y = act_for (s, out);
  size_t below[DCAE_MAX_STAGES];
  Work work = { progress, 0, side_work (side, c->n_stages, (double) H * W) };
  gboolean ok = report (&work, error);

  for (int i = last; i >= first; i--)
    {
      below[i] = easel_stream_mark (s);
      picture[i] = easel_new (s, s->act_dtype, B, H >> i, W >> i, side->stages[i].channels);
    }

  /* 1. Pixels into the first stage. */
  if (first == 0)
    easel_conv2d (s, .x = as_act (s, image), .w = side->in.w, .bias = side->in.b, .y = picture[0], .pad = 1);
  else
    downsample (s, &side->in, c->down_unshuffle, FALSE, as_act (s, image), picture[1]);

  /* 2. Down, stage by stage. */
  for (int i = first; ok && i <= last; i++)
    {
      ok = run_stage (s, &side->stages[i], picture[i], "Encoding", &work, error);
      if (ok && i < last)
        {
          downsample (s, &side->stages[i].resample, c->down_unshuffle, TRUE, picture[i], picture[i + 1]);
          easel_stream_release (s, below[i]);
        }
    }

  /* 3. Latents; the shortcut averages channels. */
  if (ok)
    {
      easel_conv2d (s, .x = picture[last], .w = side->out.w, .bias = side->out.b, .y = y, .pad = 1);
      if (c->out_shortcut)
        easel_pixel_unshuffle (s, .x = picture[last], .residual = y, .y = y, .factor = 1);
      if (y.data != out.data)
        easel_cast (s, .x = y, .y = out);
      ok = easel_stream_check (s, "Encoding", error);
    }
  easel_stream_release (s, mark);
  return ok;
}
