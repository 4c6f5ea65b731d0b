/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Ops that move numbers without arithmetic to speak of: embedding, cast, layout. timestep_embedding (a few hundred
 * sines a step) and quantise (see linear) are the plain ones.
 */
#include "simd.h"

#define UNIT 16384 /* elements a unit */
#define TILE 16    /* pixels and channels a tile of a transposition, a cache line of floats each way */

static void
embedding_row (const void *data, int64_t m, int worker)
{
  const EaselEmbeddingArgs *a = data;
  int64_t c = a->table.shape[1];
  float *y = (float *) a->y.data + m * c;

  (void) worker;
  vcopy_any (y, a->table.data, a->table.dtype, ((const int32_t *) a->ids.data)[m] * c, c);
  for (int64_t i = 0; i < c; i++)
    y[i] *= a->scale;
}

void
ISA (embedding) (EaselStream *s, const EaselEmbeddingArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, easel_tensor_count (&a->ids), embedding_row, a);
}

void
ISA (timestep_embedding) (EaselStream *s, const EaselTimestepEmbeddingArgs *a)
{
  easel_plain_timestep_embedding (s, a);
}

void
ISA (quantise) (EaselStream *s, const EaselQuantiseArgs *a)
{
  easel_plain_quantise (s, a);
}

static void
cast_unit (const void *data, int64_t unit, int worker)
{
  const EaselCastArgs *a = data;
  int64_t start = unit * UNIT, n = easel_min_i64 (easel_tensor_count (&a->x) - start, UNIT);

  (void) worker;
  if (a->y.dtype == EASEL_DTYPE_F32)
    vcopy_any ((float *) a->y.data + start, a->x.data, a->x.dtype, start, n);
  else
    for (int64_t i = start; i < start + n; i++)
      {
        float v = easel_float_at (a->x.data, a->x.dtype, i);
        ((uint16_t *) a->y.data)[i] = a->y.dtype == EASEL_DTYPE_BF16 ? easel_bf16_from_f32 (v) : easel_f16_from_f32 (v);
      }
}

void
ISA (cast) (EaselStream *s, const EaselCastArgs *a)
{
  easel_pool_run (easel_cpu (s)->pool, easel_ceil_div (easel_tensor_count (&a->x), UNIT), cast_unit, a);
}

typedef struct
{
  const EaselLayoutArgs *a;
  int64_t channels, pixels, tiles;
} Work;

/* TILE * 16 pixels of one picture, all channels. */
static void
layout_unit (const void *data, int64_t unit, int worker)
{
  const Work *work = data;
  int64_t b = unit / work->tiles, p0 = unit % work->tiles * TILE * 16;
  int64_t end = easel_min_i64 (work->pixels, p0 + TILE * 16);
  const float *x = (const float *) work->a->x.data + b * work->channels * work->pixels;
  float *y = (float *) work->a->y.data + b * work->channels * work->pixels;

  (void) worker;
  for (int64_t p = p0; p < end; p += TILE)
    for (int64_t c = 0; c < work->channels; c += TILE)
      {
        int64_t p1 = easel_min_i64 (p + TILE, end), c1 = easel_min_i64 (c + TILE, work->channels);

        if (work->a->to_channels_last)
          for (int64_t i = p; i < p1; i++)
            for (int64_t j = c; j < c1; j++)
              y[i * work->channels + j] = x[j * work->pixels + i];
        else
          for (int64_t j = c; j < c1; j++)
            for (int64_t i = p; i < p1; i++)
              y[j * work->pixels + i] = x[i * work->channels + j];
      }
}

void
ISA (layout) (EaselStream *s, const EaselLayoutArgs *a)
{
  const EaselTensor *planar = a->to_channels_last ? &a->x : &a->y;
  Work work = { .a = a, .channels = planar->shape[1], .pixels = planar->shape[2] * planar->shape[3] };

  work.tiles = easel_ceil_div (work.pixels, TILE * 16);
  easel_pool_run (easel_cpu (s)->pool, planar->shape[0] * work.tiles, layout_unit, &work);
}
