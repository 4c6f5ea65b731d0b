/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tiles of a clip, each with all its frames, blended over the host with those above and to the left (tiled_decode and
 * tiled_encode of the reference). Of the finished tiles only the edges that are still blended with are kept.
 */
#include "engine/cogvideox/vae-private.h"

#include <string.h>

/* One direction: sides of tiles in x and y, the step between tiles in x, the seam in y, what each tile adds to y. */
typedef struct
{
  int tile_h, tile_w, step_h, step_w, seam_h, seam_w, limit_h, limit_w;
} Grid;

static Grid
grid_of (EaselCogVae *self, const EaselCogTiling *t, gboolean encode)
{
  const int f = easel_cog_vae_factor (self), h = t->tile_height / f, w = t->tile_width / f;
  Grid g;

  if (encode)
    {
      g = (Grid){ .tile_h = t->tile_height, .tile_w = t->tile_width,
                  .step_h = (int) (t->tile_height * (1 - t->overlap_height)),
                  .step_w = (int) (t->tile_width * (1 - t->overlap_width)), .seam_h = (int) (h * t->overlap_height),
                  .seam_w = (int) (w * t->overlap_width) };
      g.limit_h = h - g.seam_h;
      g.limit_w = w - g.seam_w;
      return g;
    }
  g = (Grid){ .tile_h = h, .tile_w = w, .step_h = (int) (h * (1 - t->overlap_height)),
              .step_w = (int) (w * (1 - t->overlap_width)), .seam_h = (int) (t->tile_height * t->overlap_height),
              .seam_w = (int) (t->tile_width * t->overlap_width) };
  g.limit_h = t->tile_height - g.seam_h;
  g.limit_w = t->tile_width - g.seam_w;
  return g;
}

/* Length of y along one side of n in x. */
static int
covered (int n, int tile, int step, int limit, int (*out) (EaselCogVae *, int), EaselCogVae *self)
{
  int sum = 0;

  for (int i = 0; i < n; i += step)
    sum += MIN (out (self, MIN (tile, n - i)), limit);
  return sum;
}

static int
up (EaselCogVae *self, int n)
{
  return n * easel_cog_vae_factor (self);
}

/* Sides of an encoded tile: each stage halves them, rounding down. */
static int
down (EaselCogVae *self, int n)
{
  return n / easel_cog_vae_factor (self);
}

void
easel_cog_vae_size (EaselCogVae *self, const EaselCogTiling *tiling, int h, int w, int *height, int *width)
{
  const int f = easel_cog_vae_factor (self);

  *height = h * f;
  *width = w * f;
  if (tiling && tiling->tile_height > 0 && (h > tiling->tile_height / f || w > tiling->tile_width / f))
    {
      const Grid g = grid_of (self, tiling, FALSE);

      *height = covered (h, g.tile_h, MAX (g.step_h, 1), g.limit_h, up, self);
      *width = covered (w, g.tile_w, MAX (g.step_w, 1), g.limit_w, up, self);
    }
}

typedef struct
{
  EaselCogVae *self;
  const VaePiece *whole;
  Grid g;
  gboolean encode;
  int channels_in, channels_out, frames; /* frames of y */
  gint64 row_y, stride_y;                /* of the result */
  float *tile;                           /* [frames, h, w, channels_out] of one tile */
  float *left;                           /* [frames, h, seam_w, channels_out]: right edge of the tile to the left */
  float *above, *next;                   /* [columns][frames, seam_h, w, channels_out]: lower edges */
  gsize above_size;                      /* floats of one column */
} Tiles;

/* tile[·, y, x, ·] for x, y of the seam: a weighted mean with the edge. `n` runs along the seam's width. */
static void
blend (Tiles *t, const float *edge, int edge_n, int n, int h, int w, gboolean vertical)
{
  const int C = t->channels_out, size = vertical ? MIN (h, n) : MIN (w, n), used = MIN (size, edge_n);

  for (int f = 0; f < t->frames; f++)
    for (int y = 0; y < (vertical ? used : h); y++)
      for (int x = 0; x < (vertical ? w : used); x++)
        {
          const int k = vertical ? y : x;
          const float share = (float) k / (float) used;
          float *to = t->tile + (((gsize) f * h + y) * w + x) * C;
          const float *from = vertical ? edge + (((gsize) f * edge_n + edge_n - used + y) * w + x) * C
                                       : edge + (((gsize) f * h + y) * edge_n + edge_n - used + x) * C;

          for (int c = 0; c < C; c++)
            to[c] = from[c] * (1 - share) + to[c] * share;
        }
}

/* The lower or right edge of the tile, `n` rows or columns of it. */
static void
keep_edge (Tiles *t, float *edge, int n, int h, int w, gboolean vertical)
{
  const gsize C = t->channels_out;

  for (int f = 0; f < t->frames; f++)
    for (int y = vertical ? h - n : 0; y < h; y++)
      {
        const float *from = t->tile + (((gsize) f * h + y) * w + (vertical ? 0 : w - n)) * C;
        float *to = vertical ? edge + ((gsize) f * n + y - (h - n)) * w * C : edge + ((gsize) f * h + y) * n * C;

        memcpy (to, from, (vertical ? w : n) * C * sizeof (float));
      }
}

/* The tile at row and column of the grid: runs it, blends it, puts it into the result. */
static gboolean
run_tile (Tiles *t, EaselStream *s, int row, int column, EaselJob *job, GError **error)
{
  const VaePiece *all = t->whole;
  const int i = row * t->g.step_h, j = column * t->g.step_w;
  const int in_h = MIN (t->g.tile_h, all->h - i), in_w = MIN (t->g.tile_w, all->w - j);
  int (*side) (EaselCogVae *, int) = t->encode ? down : up;
  const int h = side (t->self, in_h), w = side (t->self, in_w), C = t->channels_out;
  const gboolean dry = easel_stream_is_dry (s);
  VaePiece piece = { .x = dry ? NULL : all->x + ((gsize) i * all->row_x + j) * t->channels_in, .y = t->tile,
                     .row_x = all->row_x, .stride_x = all->stride_x, .row_y = w, .stride_y = (gint64) w * h,
                     .frames = all->frames, .h = in_h, .w = in_w };
  const int seam_h = MIN (t->g.seam_h, h), seam_w = MIN (t->g.seam_w, w);

  if (!(t->encode ? vae_encode_piece : vae_decode_piece) (t->self, s, &piece, job, error))
    return FALSE;
  if (dry)
    return TRUE;
  if (row > 0)
    blend (t, t->above + column * t->above_size, t->g.seam_h, t->g.seam_h, h, w, TRUE);
  if (column > 0)
    blend (t, t->left, MIN (t->g.seam_w, side (t->self, t->g.tile_w)), t->g.seam_w, h, w, FALSE);
  keep_edge (t, t->next + column * t->above_size, seam_h, h, w, TRUE);
  keep_edge (t, t->left, seam_w, h, w, FALSE);
  for (int f = 0; f < t->frames; f++)
    for (int y = 0; y < MIN (h, t->g.limit_h); y++)
      memcpy (all->y
                  + (f * t->stride_y + ((gsize) row * t->g.limit_h + y) * t->row_y + (gsize) column * t->g.limit_w) * C,
              t->tile + ((gsize) f * h + y) * w * C, (gsize) MIN (w, t->g.limit_w) * C * sizeof (float));
  return TRUE;
}

gboolean
vae_run_tiled (EaselCogVae *self, EaselStream *s, const VaePiece *whole, const EaselCogTiling *tiling, gboolean encode,
               EaselJob *job, GError **error)
{
  const EaselCogVaeConfig *c = &self->config;
  int (*side) (EaselCogVae *, int) = encode ? down : up;
  Tiles t = { .self = self, .whole = whole, .g = grid_of (self, tiling, encode), .encode = encode,
              .channels_in = encode ? c->in_channels : c->latent_channels,
              .channels_out = encode ? 2 * c->latent_channels : c->out_channels,
              .frames = encode ? easel_cog_vae_latent_frames (self, whole->frames)
                               : easel_cog_vae_frames (self, whole->frames) };
  const int rows = (whole->h + t.g.step_h - 1) / t.g.step_h, columns = (whole->w + t.g.step_w - 1) / t.g.step_w;
  const gsize h = side (self, t.g.tile_h), w = side (self, t.g.tile_w), line = (gsize) t.frames * t.channels_out;
  g_autofree float *tile = NULL, *left = NULL, *above = NULL, *next = NULL;
  gboolean ok = TRUE;

  t.row_y = covered (whole->w, t.g.tile_w, t.g.step_w, t.g.limit_w, side, self);
  t.stride_y = t.row_y * covered (whole->h, t.g.tile_h, t.g.step_h, t.g.limit_h, side, self);
  t.above_size = line * MAX (t.g.seam_h, 1) * w;
  if (!easel_stream_is_dry (s))
    {
      t.tile = tile = g_try_malloc_n (line * h * w, sizeof (float));
      t.left = left = g_try_malloc_n (line * h * MAX (t.g.seam_w, 1), sizeof (float));
      above = g_try_malloc_n (t.above_size * columns, sizeof (float));
      next = g_try_malloc_n (t.above_size * columns, sizeof (float));
      if (!tile || !left || !above || !next)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for the tiles of the clip");
          return FALSE;
        }
    }
  t.above = above;
  t.next = next;
  for (int i = 0; ok && i < rows; i++)
    {
      float *swap;

      for (int j = 0; ok && j < columns; j++)
        ok = run_tile (&t, s, i, j, job, error);
      swap = t.above;
      t.above = t.next;
      t.next = swap;
    }
  return ok;
}
