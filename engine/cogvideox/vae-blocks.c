/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Running the autoencoder over the batches of frames of one piece of a clip.
 */
#include "engine/cogvideox/vae-private.h"

#include <string.h>

#define CAUSAL 2            /* frames that a convolution remembers */
#define SPATIAL_EPS 1e-6f   /* a constant of the reference class */

typedef struct
{
  EaselCogVae *vae;
  const VaeSide *side;
  EaselStream *s;
  EaselJob *job;
  EaselTensor z;       /* decoder: this batch's latents [F, h, w, latent] act */
  EaselTensor *caches; /* [n_convs]: [2, h, w, k] act, the last frames of the batch before; NULL: one batch alone */
  gboolean filled;     /* there was a batch before */
} VaeRun;

static EaselTensor
clip_new (EaselStream *s, gint64 frames, gint64 h, gint64 w, gint64 channels)
{
  return easel_new (s, s->act_dtype, frames, h, w, channels);
}

/* The last two frames of all that this convolution has seen. */
static void
remember (VaeRun *r, EaselTensor cache, EaselTensor x)
{
  const gint64 n = x.shape[0];

  if (n >= CAUSAL)
    {
      easel_cast (r->s, .x = easel_tensor_rows (x, n - CAUSAL, CAUSAL), .y = cache);
      return;
    }
  easel_cast (r->s, .x = r->filled ? easel_tensor_rows (cache, 1, 1) : x, .y = easel_tensor_rows (cache, 0, 1));
  easel_cast (r->s, .x = x, .y = easel_tensor_rows (cache, 1, 1));
}

/* y = residual + conv (x); y may be the residual. */
static void
convolve (VaeRun *r, const VaeConv *conv, EaselTensor x, EaselTensor residual, EaselTensor y)
{
  if (!easel_stream_ok (r->s))
    return;
  easel_conv3d (r->s, .x = x, .before = r->filled ? r->caches[conv->at] : EASEL_NO_TENSOR, .w = conv->w,
                .bias = conv->b, .residual = residual, .y = y, .pad = 1);
  if (r->caches)
    remember (r, r->caches[conv->at], x);
}

/* y = silu (norm (x)), scaled and shifted by the latents in the decoder. y may be x. */
static void
normalize (VaeRun *r, const VaeNorm *n, float eps, EaselTensor x, EaselTensor y)
{
  EaselStream *s = r->s;
  const size_t mark = easel_stream_mark (s);
  EaselTensor scale = EASEL_NO_TENSOR, shift = EASEL_NO_TENSOR;

  if (n->scale_w.data)
    {
      const gint64 *z = r->z.shape, C = x.shape[3];

      scale = clip_new (s, z[0], z[1], z[2], C);
      shift = clip_new (s, z[0], z[1], z[2], C);
      easel_linear (s, .x = r->z, .w = n->scale_w, .bias = n->scale_b, .y = scale);
      easel_linear (s, .x = r->z, .w = n->shift_w, .bias = n->shift_b, .y = shift);
    }
  easel_group_norm (s, .x = x, .weight = n->w, .bias = n->b, .scale = scale, .shift = shift, .y = y,
                    .act = EASEL_ACT_SILU, .groups = r->vae->config.groups, .eps = n->scale_w.data ? SPATIAL_EPS : eps);
  easel_stream_release (s, mark);
}

/* x + conv_2 (silu (norm_2 (conv_1 (silu (norm_1 (x)))))): in place, or in a new clip of other channels. */
static gboolean
run_resnet (VaeRun *r, const VaeResnet *b, EaselTensor *clip, GError **error)
{
  EaselStream *s = r->s;
  const float eps = (float) r->vae->config.norm_eps;
  const gint64 F = clip->shape[0], h = clip->shape[1], w = clip->shape[2];
  EaselTensor x = *clip, out = b->in == b->out ? x : clip_new (s, F, h, w, b->out), y, normed;
  const size_t mark = easel_stream_mark (s);

  if (b->in != b->out)
    easel_linear (s, .x = x, .w = b->shortcut_w, .bias = b->shortcut_b, .y = out);
  y = clip_new (s, F, h, w, b->out);
  normed = clip_new (s, F, h, w, b->in);
  normalize (r, &b->norm_1, eps, x, normed);
  convolve (r, &b->conv_1, normed, EASEL_NO_TENSOR, y);
  normalize (r, &b->norm_2, eps, y, y);
  convolve (r, &b->conv_2, y, out, out);
  easel_stream_release (s, mark);
  *clip = out;
  return easel_stream_check (s, "Running the autoencoder", error) && easel_job_check (r->job, error);
}

static gboolean
run_resnets (VaeRun *r, const VaeResnet *resnets, int n, EaselTensor *clip, GError **error)
{
  for (int i = 0; i < n; i++)
    if (!run_resnet (r, &resnets[i], clip, error))
      return FALSE;
  return TRUE;
}

/* Twice as large, and twice as many frames but for the first of an odd number. A frame shown twice is computed once. */
static EaselTensor
enlarge (VaeRun *r, const VaeStage *stage, EaselTensor x)
{
  EaselStream *s = r->s;
  const gint64 n = x.shape[0], h = x.shape[1], w = x.shape[2], C = x.shape[3];
  const gboolean twice = stage->over_time && n > 1, odd = n % 2 == 1;
  EaselTensor y = clip_new (s, twice ? 2 * n - odd : n, 2 * h, 2 * w, C);

  if (!easel_stream_ok (s))
    return y;
  if (!twice)
    {
      easel_conv2d (s, .x = x, .w = stage->resample_w, .bias = stage->resample_b, .y = y, .pad = 1, .upsample = 2);
      return y;
    }
  for (gint64 f = 0; f < n; f++)
    {
      const gint64 to = odd ? MAX (2 * f - 1, 0) : 2 * f;
      EaselTensor frame = easel_tensor_rows (y, to, 1);

      easel_conv2d (s, .x = easel_tensor_rows (x, f, 1), .w = stage->resample_w, .bias = stage->resample_b, .y = frame,
                    .pad = 1, .upsample = 2);
      if (!odd || f > 0)
        easel_cast (s, .x = frame, .y = easel_tensor_rows (y, to + 1, 1));
    }
  return y;
}

/* Averages of pairs of frames; the first of an odd number stays alone. */
static EaselTensor
halve_frames (VaeRun *r, EaselTensor x)
{
  EaselStream *s = r->s;
  const gint64 n = x.shape[0], h = x.shape[1], w = x.shape[2], C = x.shape[3], odd = n % 2, pairs = n / 2;
  EaselTensor y = clip_new (s, odd + pairs, h, w, C);
  const size_t mark = easel_stream_mark (s);

  if (!easel_stream_ok (s))
    return y;
  if (odd)
    easel_cast (s, .x = easel_tensor_rows (x, 0, 1), .y = easel_tensor_rows (y, 0, 1));
  if (pairs > 0)
    {
      EaselTensor beside = easel_new (s, s->act_dtype, pairs, h * w, C, 2);

      easel_layout (s, .x = easel_tensor_as (easel_tensor_rows (x, odd, 2 * pairs), pairs, 2, h * w, C), .y = beside,
                    .to_channels_last = true);
      easel_pixel_unshuffle (s, .x = beside, .factor = 1,
                             .y = easel_tensor_as (easel_tensor_rows (y, odd, pairs), pairs, h * w, C, 1));
    }
  easel_stream_release (s, mark);
  return y;
}

static EaselTensor
reduce (VaeRun *r, const VaeStage *stage, EaselTensor x)
{
  EaselStream *s = r->s;
  EaselTensor y;

  if (stage->over_time)
    x = halve_frames (r, x);
  y = clip_new (s, x.shape[0], x.shape[1] / 2, x.shape[2] / 2, x.shape[3]);
  easel_conv2d (s, .x = x, .w = stage->resample_w, .bias = stage->resample_b, .y = y, .stride = 2, .pad_end = 1);
  return y;
}

/* z [F, h, w, latent] -> clip [F', 8 h, 8 w, out], act, from the arena */
static gboolean
decode_batch (VaeRun *r, EaselTensor z, EaselTensor *out, GError **error)
{
  const EaselCogVaeConfig *c = &r->vae->config;
  const VaeSide *side = r->side;
  EaselTensor clip = clip_new (r->s, z.shape[0], z.shape[1], z.shape[2], c->channels[c->n_stages - 1]);

  r->z = z;
  convolve (r, &side->in, z, EASEL_NO_TENSOR, clip);
  if (!run_resnets (r, side->mid, 2, &clip, error))
    return FALSE;
  for (int i = 0; i < c->n_stages; i++)
    {
      if (!run_resnets (r, side->stages[i].resnets, side->stages[i].n_resnets, &clip, error))
        return FALSE;
      if (i < c->n_stages - 1)
        clip = enlarge (r, &side->stages[i], clip);
    }
  normalize (r, &side->norm_out, SPATIAL_EPS, clip, clip);
  *out = clip_new (r->s, clip.shape[0], clip.shape[1], clip.shape[2], c->out_channels);
  convolve (r, &side->out, clip, EASEL_NO_TENSOR, *out);
  return easel_stream_check (r->s, "Decoding", error);
}

/* clip [F, H, W, in] -> moments [F', H / 8, W / 8, 2 latent], act, from the arena */
static gboolean
encode_batch (VaeRun *r, EaselTensor x, EaselTensor *out, GError **error)
{
  const EaselCogVaeConfig *c = &r->vae->config;
  const VaeSide *side = r->side;
  EaselTensor clip = clip_new (r->s, x.shape[0], x.shape[1], x.shape[2], c->channels[0]);

  convolve (r, &side->in, x, EASEL_NO_TENSOR, clip);
  for (int i = 0; i < c->n_stages; i++)
    {
      if (!run_resnets (r, side->stages[i].resnets, side->stages[i].n_resnets, &clip, error))
        return FALSE;
      if (i < c->n_stages - 1)
        clip = reduce (r, &side->stages[i], clip);
    }
  if (!run_resnets (r, side->mid, 2, &clip, error))
    return FALSE;
  normalize (r, &side->norm_out, SPATIAL_EPS, clip, clip);
  *out = clip_new (r->s, clip.shape[0], clip.shape[1], clip.shape[2], 2 * c->latent_channels);
  convolve (r, &side->out, clip, EASEL_NO_TENSOR, *out);
  return easel_stream_check (r->s, "Encoding", error);
}

/* -------------------------------------------------------------------------------------------------------- batches */

static void
cache_resnets (VaeRun *r, const VaeResnet *resnets, int n, gint64 h, gint64 w)
{
  for (int i = 0; i < n; i++)
    {
      r->caches[resnets[i].conv_1.at] = clip_new (r->s, CAUSAL, h, w, resnets[i].in);
      r->caches[resnets[i].conv_2.at] = clip_new (r->s, CAUSAL, h, w, resnets[i].out);
    }
}

/* Memory for what every convolution remembers, at the sides it sees. */
static void
make_caches (VaeRun *r, gboolean encode, gint64 h, gint64 w)
{
  const EaselCogVaeConfig *c = &r->vae->config;
  const VaeSide *side = r->side;
  const int last = c->n_stages - 1;

  r->caches = g_new0 (EaselTensor, side->n_convs);
  r->caches[side->in.at] = clip_new (r->s, CAUSAL, h, w, encode ? c->in_channels : c->latent_channels);
  if (!encode)
    cache_resnets (r, side->mid, 2, h, w);
  for (int i = 0; i <= last; i++)
    {
      cache_resnets (r, side->stages[i].resnets, side->stages[i].n_resnets, h, w);
      if (i < last)
        h = encode ? h / 2 : 2 * h, w = encode ? w / 2 : 2 * w;
    }
  if (encode)
    cache_resnets (r, side->mid, 2, h, w);
  r->caches[side->out.at] = clip_new (r->s, CAUSAL, h, w, side->stages[last].channels);
}

/* Rows of a picture between two memories of other widths. */
static void
copy_frames (float *to, gint64 to_row, gint64 to_stride, const float *from, gint64 from_row, gint64 from_stride,
             int frames, int h, int w, int channels)
{
  for (int f = 0; f < frames; f++)
    for (int y = 0; y < h; y++)
      memcpy (to + (f * to_stride + y * to_row) * channels, from + (f * from_stride + y * from_row) * channels,
              (gsize) w * channels * sizeof (float));
}

/* Frames [start, start + n) of the piece, on the device in act. */
static EaselTensor
upload_frames (EaselStream *s, const VaePiece *p, int start, int n, int channels, float *host)
{
  EaselTensor x = clip_new (s, n, p->h, p->w, channels), f32 = x;
  const size_t mark = easel_stream_mark (s);

  if (host)
    copy_frames (host, p->w, (gint64) p->w * p->h, p->x + start * p->stride_x * channels, p->row_x, p->stride_x, n,
                 p->h, p->w, channels);
  if (x.dtype != EASEL_DTYPE_F32)
    f32 = easel_new (s, EASEL_DTYPE_F32, n, p->h, p->w, channels);
  easel_upload (s, f32, host);
  if (x.dtype != EASEL_DTYPE_F32)
    easel_cast (s, .x = f32, .y = x);
  easel_stream_release (s, mark);
  return x;
}

static void
download_frames (EaselStream *s, EaselTensor y, const VaePiece *p, int start, float *host)
{
  const int n = (int) y.shape[0], h = (int) y.shape[1], w = (int) y.shape[2], channels = (int) y.shape[3];
  EaselTensor f32 = y;

  if (y.dtype != EASEL_DTYPE_F32)
    {
      f32 = easel_new (s, EASEL_DTYPE_F32, n, h, w, channels);
      easel_cast (s, .x = y, .y = f32);
    }
  if (!host)
    return;
  easel_download (s, host, f32);
  copy_frames (p->y + start * p->stride_y * channels, p->row_y, p->stride_y, host, w, (gint64) w * h, n, h, w,
               channels);
}

static gboolean
run_piece (EaselCogVae *self, EaselStream *s, const VaePiece *p, gboolean encode, EaselJob *job, GError **error)
{
  const EaselCogVaeConfig *c = &self->config;
  const gboolean dry = easel_stream_is_dry (s);
  const int size = encode ? VAE_ENCODE_FRAMES : VAE_DECODE_FRAMES, n_batches = vae_n_batches (p->frames, size);
  const int in = encode ? c->in_channels : c->latent_channels, out = encode ? 2 * c->latent_channels : c->out_channels;
  const int f = easel_cog_vae_factor (self), ratio = c->temporal_ratio;
  const gsize pixels_in = (gsize) p->h * p->w, pixels_out = encode ? pixels_in / f / f : pixels_in * f * f;
  const size_t start_mark = easel_stream_mark (s);
  const gsize largest_in = pixels_in * in * 2 * size, largest_out = pixels_out * out * 2 * size * ratio;
  g_autofree float *host = dry ? NULL : g_try_malloc_n (MAX (largest_in, largest_out), sizeof (float));
  VaeRun r = { .vae = self, .side = encode ? &self->encoder : &self->decoder, .s = s, .job = job };
  gboolean ok = TRUE;
  int done = 0;

  if (!dry && !host)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for the frames of the clip");
      return FALSE;
    }
  if (n_batches > 1)
    make_caches (&r, encode, p->h, p->w);
  for (int i = 0; ok && i < n_batches; i++)
    {
      const size_t mark = easel_stream_mark (s);
      EaselTensor x, y;
      int start, end;

      vae_batch (p->frames, size, i, &start, &end);
      x = upload_frames (s, p, start, end - start, in, host);
      ok = easel_stream_check (s, encode ? "Encoding" : "Decoding", error) && easel_job_check (job, error)
           && (encode ? encode_batch : decode_batch) (&r, x, &y, error);
      if (ok)
        {
          download_frames (s, y, p, done, host);
          done += (int) y.shape[0];
          ok = easel_stream_check (s, encode ? "Encoding" : "Decoding", error);
        }
      r.filled = r.caches != NULL;
      easel_stream_release (s, mark);
    }
  g_free (r.caches);
  easel_stream_release (s, start_mark);
  return ok;
}

gboolean
vae_decode_piece (EaselCogVae *self, EaselStream *s, const VaePiece *piece, EaselJob *job, GError **error)
{
  return run_piece (self, s, piece, FALSE, job, error);
}

gboolean
vae_encode_piece (EaselCogVae *self, EaselStream *s, const VaePiece *piece, EaselJob *job, GError **error)
{
  return run_piece (self, s, piece, TRUE, job, error);
}
