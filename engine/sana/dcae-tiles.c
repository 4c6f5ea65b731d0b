/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Decoding and encoding in tiles: AutoencoderDC.tiled_decode and tiled_encode. Tiles start every `stride` and overlap;
 * the first rows of a tile fade in over the last rows of the tile above, then its first columns over those of the tile
 * on the left, each neighbour taken after its own blending. Blending is done on the host: it is little work on few
 * numbers, and the device then holds one tile instead of the whole picture's activations. Tiles as wide as the picture
 * (strips) have no neighbours on the left: their rows are rows of the result, and everything stays on the device.
 */
#include <string.h>

#include "engine/sana/dcae-private.h"

typedef struct
{
  int height, width, channels;
  float *data; /* [height, width, channels] */
} Tile;

typedef struct
{
  int tile_h, tile_w, stride_h, stride_w;
} Grid;

/* b's first rows fade in over a's last rows. */
static void
blend_rows (const Tile *a, Tile *b, int extent)
{
  const int columns = MIN (a->width, b->width) * b->channels;

  extent = MIN (extent, MIN (a->height, b->height));
  for (int y = 0; y < extent; y++)
    {
      const float *from = a->data + (gsize) (a->height - extent + y) * a->width * a->channels;
      float *to = b->data + (gsize) y * b->width * b->channels;
      const float t = (float) ((double) y / extent), u = (float) (1 - (double) y / extent);

      for (int i = 0; i < columns; i++)
        to[i] = from[i] * u + to[i] * t;
    }
}

/* b's first columns fade in over a's last columns. */
static void
blend_columns (const Tile *a, Tile *b, int extent)
{
  const int c = b->channels;

  extent = MIN (extent, MIN (a->width, b->width));
  for (int y = 0; y < MIN (a->height, b->height); y++)
    for (int x = 0; x < extent; x++)
      {
        const float *from = a->data + ((gsize) y * a->width + a->width - extent + x) * c;
        float *to = b->data + ((gsize) y * b->width + x) * c;
        const float t = (float) ((double) x / extent), u = (float) (1 - (double) x / extent);

        for (int i = 0; i < c; i++)
          to[i] = from[i] * u + to[i] * t;
      }
}

static void
copy_region (float *dst, gsize dst_row, const float *src, gsize src_row, int rows, gsize row)
{
  for (int y = 0; y < rows; y++)
    memcpy (dst + y * dst_row, src + y * src_row, row * sizeof (float));
}

typedef struct
{
  EaselDcae *self;
  EaselStream *s;
  EaselJob *job;
  gboolean encode, dry;
  Grid in, out;
  int height, width, channels;             /* of one sample of the input */
  int out_height, out_width, out_channels; /* of one sample of the output */
  int n_columns, n_rows;
  Tile *row;         /* [n_columns]: the row above, replaced tile by tile */
  float *source, *result; /* one sample on the host */
} Run;

/* Tile `piece` of the sample through the model: source[y.., x..] -> tile->data. */
static gboolean
run_piece (Run *r, int piece, int y, int x, Tile *tile, GError **error)
{
  const DcaeProgress progress = { r->job, piece, r->n_rows * r->n_columns };
  EaselStream *s = r->s;
  const int h = MIN (r->in.tile_h, r->height - y), w = MIN (r->in.tile_w, r->width - x);
  const size_t mark = easel_stream_mark (s);
  EaselTensor in = easel_new (s, EASEL_DTYPE_F32, 1, h, w, r->channels);
  EaselTensor out = easel_new (s, EASEL_DTYPE_F32, 1, tile->height, tile->width, tile->channels);
  gboolean ok;

  if (!r->dry)
    {
      /* tile->data is free until the download and may be smaller than the input: cut the input out on its own */
      g_autofree float *cut = g_try_malloc_n ((gsize) h * w, r->channels * sizeof (float));

      if (!cut)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for a tile of %d x %d", w, h);
          return FALSE;
        }
      copy_region (cut, (gsize) w * r->channels, r->source + ((gsize) y * r->width + x) * r->channels,
                   (gsize) r->width * r->channels, h, (gsize) w * r->channels);
      easel_upload (s, in, cut);
    }
  ok = (r->encode ? dcae_encode_piece : dcae_decode_piece) (r->self, s, in, out, progress, error);
  if (ok && !r->dry)
    {
      easel_download (s, tile->data, out);
      ok = easel_stream_check (s, r->encode ? "Encoding" : "Decoding", error);
    }
  easel_stream_release (s, mark);
  return ok;
}

/* Tile (i, j): run, blend, store, remember for its neighbours. left: the tile before it in the row, or NULL. */
static gboolean
run_tile (Run *r, int i, int j, const Tile *left, Tile *out, GError **error)
{
  const int y = i * r->in.stride_h, x = j * r->in.stride_w;
  const int oy = i * r->out.stride_h, ox = j * r->out.stride_w;
  Tile *above = &r->row[j];
  Tile tile = { .height = MIN (r->out.tile_h, r->out_height - oy), .width = MIN (r->out.tile_w, r->out_width - ox),
                .channels = r->out_channels };

  if (!r->dry)
    {
      tile.data = g_try_malloc_n ((gsize) tile.height * tile.width, tile.channels * sizeof (float));
      if (!tile.data)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for a tile of %d x %d", tile.width,
                       tile.height);
          return FALSE;
        }
    }
  if (!run_piece (r, i * r->n_columns + j, y, x, &tile, error))
    {
      g_free (tile.data);
      return FALSE;
    }
  if (!r->dry)
    {
      if (i > 0)
        blend_rows (above, &tile, r->out.tile_h - r->out.stride_h);
      if (left)
        blend_columns (left, &tile, r->out.tile_w - r->out.stride_w);
      copy_region (r->result + ((gsize) oy * r->out_width + ox) * tile.channels, (gsize) r->out_width * tile.channels,
                   tile.data, (gsize) tile.width * tile.channels, MIN (tile.height, r->out.stride_h),
                   (gsize) MIN (tile.width, r->out.stride_w) * tile.channels);
    }
  *out = tile;
  return TRUE;
}

static gboolean
run_sample (Run *r, GError **error)
{
  gboolean ok = TRUE;

  for (int i = 0; ok && i * r->in.stride_h < r->height; i++)
    {
      Tile left = { 0 };

      for (int j = 0; ok && j < r->n_columns; j++)
        {
          Tile tile = { 0 };

          ok = run_tile (r, i, j, j > 0 ? &left : NULL, &tile, error);
          if (!ok)
            break;
          /* the row above keeps its tile j - 1 until tile j has been blended, then the left one takes its place */
          if (j > 0)
            {
              g_free (r->row[j - 1].data);
              r->row[j - 1] = left;
            }
          left = tile;
        }
      if (ok)
        {
          g_free (r->row[r->n_columns - 1].data);
          r->row[r->n_columns - 1] = left;
        }
      else
        g_free (left.data);
    }
  for (int j = 0; j < r->n_columns; j++)
    g_clear_pointer (&r->row[j].data, g_free);
  return ok;
}

/* n rows of a picture [1, h, w, c] from `first` on, as [1, n, w, c]. */
static EaselTensor
picture_rows (EaselTensor t, gint64 first, gint64 n)
{
  const gint64 w = t.shape[2], c = t.shape[3];

  return easel_tensor_as (easel_tensor_rows (easel_tensor_as (t, t.shape[1], w, c), first, n), 1, n, w, c);
}

/* One sample in strips: x [1, h, w, c] -> y [1, h', w', c'] f32. A strip is written whole, so that where the next one
 * begins, y holds what it fades in over. */
static gboolean
run_strips (Run *r, EaselTensor x, EaselTensor y, GError **error)
{
  EaselStream *s = r->s;

  for (int i = 0; i * r->in.stride_h < r->height; i++)
    {
      const DcaeProgress progress = { r->job, i, r->n_rows };
      const int from = i * r->in.stride_h, to = i * r->out.stride_h;
      const int rows = MIN (r->out.tile_h, r->out_height - to);
      const int shared = i > 0 ? MIN (r->out.tile_h - r->out.stride_h, rows) : 0;
      const EaselTensor in = picture_rows (x, from, MIN (r->in.tile_h, r->height - from));
      const size_t mark = easel_stream_mark (s);
      EaselTensor out = picture_rows (y, to, rows);

      if (i > 0)
        out = easel_new (s, EASEL_DTYPE_F32, 1, rows, r->out_width, r->out_channels);
      if (!easel_stream_check (s, r->encode ? "Encoding" : "Decoding", error)
          || !(r->encode ? dcae_encode_piece : dcae_decode_piece) (r->self, s, in, out, progress, error))
        return FALSE;
      for (int j = 0; j < shared; j++)
        easel_lincomb (s, .n_terms = 2, .x = { picture_rows (y, to + j, 1), picture_rows (out, j, 1) },
                       .c = { (float) (1 - (double) j / shared), (float) ((double) j / shared) },
                       .y = picture_rows (y, to + j, 1));
      if (i > 0 && rows > shared)
        easel_cast (s, .x = picture_rows (out, shared, rows - shared),
                    .y = picture_rows (y, to + shared, rows - shared));
      easel_stream_release (s, mark);
    }
  return easel_stream_check (s, r->encode ? "Encoding" : "Decoding", error);
}

gboolean
dcae_run_tiled (EaselDcae *self, EaselStream *s, EaselTensor x, const EaselDcaeTiling *tiling, gboolean encode,
                EaselTensor y, EaselJob *job, GError **error)
{
  const int f = easel_dcae_factor (self);
  const Grid pixels = { tiling->tile_height, tiling->tile_width, tiling->stride_height, tiling->stride_width };
  const Grid latents = { pixels.tile_h / f, pixels.tile_w / f, pixels.stride_h / f, pixels.stride_w / f };
  Run r = { .self = self, .s = s, .job = job, .encode = encode, .dry = easel_stream_is_dry (s),
            .in = encode ? pixels : latents, .out = encode ? latents : pixels,
            .height = x.shape[1], .width = x.shape[2], .channels = x.shape[3],
            .out_height = y.shape[1], .out_width = y.shape[2], .out_channels = y.shape[3] };
  const gsize n_in = (gsize) r.height * r.width * r.channels;
  const gsize n_out = (gsize) r.out_height * r.out_width * r.out_channels;
  const size_t mark = easel_stream_mark (s);
  g_autofree float *source = NULL, *result = NULL;
  g_autofree Tile *row = NULL;
  gboolean ok = TRUE;

  r.n_columns = (r.width + r.in.stride_w - 1) / r.in.stride_w;
  r.n_rows = (r.height + r.in.stride_h - 1) / r.in.stride_h;
  if (r.n_columns == 1)
    {
      for (gint64 b = 0; ok && b < x.shape[0]; b++)
        ok = run_strips (&r, easel_tensor_rows (x, b, 1), easel_tensor_rows (y, b, 1), error);
      return ok;
    }
  r.row = row = g_new0 (Tile, r.n_columns);
  if (!r.dry)
    {
      r.source = source = g_try_malloc_n (n_in, sizeof (float));
      r.result = result = g_try_malloc_n (n_out, sizeof (float));
      if (!source || !result)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory for a picture of %d x %d",
                       encode ? r.width : r.out_width, encode ? r.height : r.out_height);
          return FALSE;
        }
    }
  for (gint64 b = 0; ok && b < x.shape[0]; b++)
    {
      EaselTensor from = easel_tensor_rows (x, b, 1);

      if (from.dtype != EASEL_DTYPE_F32)
        {
          EaselTensor f32 = easel_new (s, EASEL_DTYPE_F32, 1, r.height, r.width, r.channels);

          easel_cast (s, .x = from, .y = f32);
          from = f32;
        }
      if (!r.dry)
        easel_download (s, r.source, from);
      ok = easel_stream_check (s, encode ? "Encoding" : "Decoding", error) && run_sample (&r, error);
      if (ok && !r.dry)
        easel_upload (s, easel_tensor_rows (y, b, 1), r.result);
      easel_stream_release (s, mark);
    }
  return ok && easel_stream_check (s, encode ? "Encoding" : "Decoding", error);
}
