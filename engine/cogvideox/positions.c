/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a token is in the clip: sine tables added to it (2b), learned tables (5b image-to-video), rotary angles (5b,
 * 1.5). Angles are computed in the precision of the reference, which shows in the last digits.
 */
#include "engine/cogvideox/transformer-private.h"
#include "kernels/half.h"

#include <math.h>
#include <string.h>

static gboolean
no_memory (const EaselCogContext *context, GError **error)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for the positions of %" G_GINT64_FORMAT
               " tokens", context->n);
  return FALSE;
}

/* [sin (pos w_i)], [cos (pos w_i)], w_i = 10000^(-i / (n / 2)) in f64 (get_1d_sincos_pos_embed_from_grid). */
static void
waves (float *out, int n, double pos)
{
  const int half = n / 2;

  for (int i = 0; i < half; i++)
    {
      const double angle = pos * (1.0 / pow (10000, i / (n / 2.0)));

      out[i] = (float) sin (angle);
      out[half + i] = (float) cos (angle);
    }
}

/* waves () of n positions, each divided by `scale`: [n, width]. */
static void
axis (float *out, int n, int width, double scale)
{
  for (int i = 0; i < n; i++)
    waves (out + (gsize) i * width, width, (float) i / (float) scale);
}

/* Rows of the clip: a quarter of the channels says when, three eighths which column, three eighths which row. Rows of
 * the text are zero. table [n, C]. (get_3d_sincos_pos_embed) */
static void
fill_sines (const EaselCogConfig *c, const EaselCogContext *x, float *table)
{
  const gsize C = c->inner, when = C / 4, side = 3 * C / 8;
  g_autofree float *times = g_new (float, x->f *when), *rows = g_new (float, x->y *side);
  g_autofree float *columns = g_new (float, x->x *side);
  float *row = table + (gsize) x->n_text * C;

  axis (times, x->f, (int) when, c->temporal_scale);
  axis (rows, x->y, (int) side, c->spatial_scale);
  axis (columns, x->x, (int) side, c->spatial_scale);
  memset (table, 0, (gsize) x->n_text * C * sizeof (float));
  for (int f = 0; f < x->f; f++)
    for (int i = 0; i < x->y; i++)
      for (int j = 0; j < x->x; j++, row += C)
        {
          memcpy (row, times + f * when, when * sizeof (float));
          memcpy (row + when, columns + j * side, side * sizeof (float));
          memcpy (row + when + side, rows + i * side, side * sizeof (float));
        }
}

/* Whether a table of 16-bit floats from the file is nothing but these sines, rounded. */
static gboolean
only_rounded (const float *file, const float *sines, gsize n, EaselDtype dtype)
{
  const float relative = dtype == EASEL_DTYPE_BF16 ? 0x1p-8f : 0x1p-11f;

  for (gsize i = 0; i < n; i++)
    if (!(fabsf (file[i] - sines[i]) <= relative * fabsf (sines[i]) + 0x1p-24f))
      return FALSE;
  return TRUE;
}

/* Numbers of a file, which need not be aligned, as floats. */
static void
read_floats (const EaselTensor *stored, float *out, gsize n)
{
  const char *from = stored->data;
  guint16 h;

  for (gsize i = 0; i < n; i++)
    if (stored->dtype == EASEL_DTYPE_F32)
      memcpy (&out[i], from + i * sizeof (float), sizeof (float));
    else
      {
        memcpy (&h, from + i * sizeof h, sizeof h);
        out[i] = stored->dtype == EASEL_DTYPE_BF16 ? easel_f32_from_bf16 (h) : easel_f32_from_f16 (h);
      }
}

/* Learned positions count where the clip is as long as the model's; other lengths have sines, as the reference. A table
 * of 16 bits that was never trained is made anew, as the reference class makes it, without the rounding of its file. */
static gboolean
place_added (const EaselCogTransformer *self, EaselStream *s, EaselCogContext *context, GError **error)
{
  const EaselCogConfig *c = &self->config;
  const gboolean learned = c->learned && (context->frames - 1) * c->temporal_ratio + 1 == c->sample_frames;
  const gsize count = (gsize) context->n * c->inner;
  g_autofree float *sines = NULL, *file = NULL;
  EaselTensor f32;
  size_t mark;

  context->position = easel_new (s, s->act_dtype, context->n, c->inner);
  mark = easel_stream_mark (s);
  f32 = easel_new (s, EASEL_DTYPE_F32, context->n, c->inner);
  if (!easel_stream_is_dry (s) && easel_stream_ok (s))
    {
      sines = g_try_malloc_n (count, sizeof (float));
      file = learned ? g_try_malloc_n (count, sizeof (float)) : NULL;
      if (!sines || (learned && !file))
        return no_memory (context, error);
      fill_sines (c, context, sines);
      if (learned)
        read_floats (&self->positions, file, count);
      easel_upload (s, f32,
                    learned && (self->positions.dtype == EASEL_DTYPE_F32
                                || !only_rounded (file, sines, count, self->positions.dtype))
                        ? file
                        : sines);
    }
  easel_cast (s, .x = f32, .y = context->position);
  easel_stream_release (s, mark);
  return TRUE;
}

/* torch.linspace in floats. */
static float
linspace (float start, float stop, int n, int i)
{
  const float step = n > 1 ? (stop - start) / (float) (n - 1) : 0;

  return i < n / 2 ? start + step * (float) i : stop - step * (float) (n - 1 - i);
}

/* Angles of one axis, each twice (for the pair that is turned): [n] into cos and sin. All in floats. */
static void
turns (float *cosine, float *sine, int n, float pos)
{
  for (int i = 0; i < n; i += 2)
    {
      const float angle = pos * (1.0f / powf (10000, (float) i / (float) n));

      cosine[i] = cosine[i + 1] = cosf (angle);
      sine[i] = sine[i + 1] = sinf (angle);
    }
}

/* The part of the model's own grid that a grid of another shape lies on, as large as fits, centred
 * (get_resize_crop_region_for_grid). Python rounds halves to even. */
static void
crop_region (int h, int w, int base_h, int base_w, float *top, float *left, float *bottom, float *right)
{
  int height = base_h, width = base_w;

  if ((double) h / w > (double) base_h / base_w)
    width = (int) nearbyint ((double) base_h / h * w);
  else
    height = (int) nearbyint ((double) base_w / w * h);
  *top = (float) nearbyint ((base_h - height) / 2.0);
  *left = (float) nearbyint ((base_w - width) / 2.0);
  *bottom = *top + (float) height;
  *right = *left + (float) width;
}

static void
fill_turns (const EaselCogConfig *c, const EaselCogContext *x, float *cosine, float *sine)
{
  const int D = c->head_dim, when = D / 4, side = D / 8 * 3;
  float top = 0, left = 0, bottom = 0, right = 0;

  crop_region (x->y, x->x, c->sample_height / c->patch, c->sample_width / c->patch, &top, &left, &bottom, &right);
  for (int f = 0; f < x->f; f++)
    for (int i = 0; i < x->y; i++)
      for (int j = 0; j < x->x; j++, cosine += D, sine += D)
        {
          float row = (float) i, column = (float) j;

          if (!c->over_time)
            {
              row = linspace (top, (float) ((double) bottom * (x->y - 1) / x->y), x->y, i);
              column = linspace (left, (float) ((double) right * (x->x - 1) / x->x), x->x, j);
            }
          turns (cosine, sine, when, (float) f);
          turns (cosine + when, sine + when, side, row);
          turns (cosine + when + side, sine + when + side, side, column);
        }
}

static gboolean
place_rotary (const EaselCogTransformer *self, EaselStream *s, EaselCogContext *context, GError **error)
{
  const EaselCogConfig *c = &self->config;
  const gsize count = (gsize) context->n_clip * c->head_dim;
  g_autofree float *cosine = NULL, *sine = NULL;

  context->cos = easel_new (s, EASEL_DTYPE_F32, context->n_clip, c->head_dim);
  context->sin = easel_new (s, EASEL_DTYPE_F32, context->n_clip, c->head_dim);
  if (easel_stream_is_dry (s))
    return TRUE;
  cosine = g_try_malloc_n (count, sizeof (float));
  sine = g_try_malloc_n (count, sizeof (float));
  if (!cosine || !sine)
    return no_memory (context, error);
  fill_turns (c, context, cosine, sine);
  easel_upload (s, context->cos, cosine);
  easel_upload (s, context->sin, sine);
  return TRUE;
}

gboolean
cog_context_place (const EaselCogTransformer *self, EaselStream *s, EaselCogContext *context, GError **error)
{
  const EaselCogConfig *c = &self->config;

  return ((c->rotary && !c->learned) || place_added (self, s, context, error))
         && (!c->rotary || place_rotary (self, s, context, error));
}
