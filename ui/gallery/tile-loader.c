/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/tile-loader.h"

#include <math.h>

#include "engine/gallery/gallery.h"
#include "engine/media/image-file.h"

#define THREADS 2

struct EaselTileLoader
{
  GThreadPool *pool;
  int side, radius, serial;
};

struct EaselTileWish
{
  gatomicrefcount refs; /* the asker's until the answer, the pool's until it was worked on */
  int withdrawn;        /* atomic */
  int serial;
  int side, radius;
  char *path;
  EaselTileReady ready;
  gpointer user_data;
  GdkTexture *texture;
  gboolean damaged;
};

static void
wish_unref (EaselTileWish *wish)
{
  if (!g_atomic_ref_count_dec (&wish->refs))
    return;
  g_clear_object (&wish->texture);
  g_free (wish->path);
  g_free (wish);
}

/* How much of the pixel at (x, y) lies inside the rounded square, 0..255. */
static guint
coverage (int x, int y, int side, int radius)
{
  double dx = MAX (radius - x - 0.5, x + 0.5 - (side - radius)), dy = MAX (radius - y - 0.5, y + 0.5 - (side - radius));

  if (dx <= 0 || dy <= 0)
    return 255;
  return (guint) (CLAMP (radius - sqrt (dx * dx + dy * dy) + 0.5, 0.0, 1.0) * 255.0 + 0.5);
}

/* The middle of the picture, to fill the square: bilinear from the thumbnail, which is at most twice as large. */
static GdkTexture *
make_tile (const EaselPicture *picture, int side, int radius)
{
  double scale = (double) MIN (picture->width, picture->height) / side;
  double left = (picture->width - side * scale) / 2, top = (picture->height - side * scale) / 2;
  gsize stride = (gsize) side * 4;
  guint8 *pixels = g_malloc (stride * (gsize) side);
  g_autoptr (GBytes) bytes = NULL;

  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++)
      {
        double sx = CLAMP (left + (x + 0.5) * scale - 0.5, 0, picture->width - 1);
        double sy = CLAMP (top + (y + 0.5) * scale - 0.5, 0, picture->height - 1);
        int x0 = (int) sx, y0 = (int) sy, x1 = MIN (x0 + 1, picture->width - 1), y1 = MIN (y0 + 1, picture->height - 1);
        int fx = (int) ((sx - x0) * 256), fy = (int) ((sy - y0) * 256);
        const guint8 *a = picture->rgb + ((gsize) y0 * picture->width + x0) * 3;
        const guint8 *b = picture->rgb + ((gsize) y0 * picture->width + x1) * 3;
        const guint8 *c = picture->rgb + ((gsize) y1 * picture->width + x0) * 3;
        const guint8 *d = picture->rgb + ((gsize) y1 * picture->width + x1) * 3;
        guint alpha = coverage (x, y, side, radius);
        guint32 value = alpha << 24;

        for (int i = 0; i < 3; i++)
          {
            int upper = a[i] * (256 - fx) + b[i] * fx, lower = c[i] * (256 - fx) + d[i] * fx;
            guint v = (guint) ((upper * (256 - fy) + lower * fy) >> 16);
            value |= (v * alpha / 255) << (16 - 8 * i);
          }
        ((guint32 *) (gpointer) pixels)[(gsize) y * (gsize) side + (gsize) x] = value;
      }
  bytes = g_bytes_new_take (pixels, stride * (gsize) side);
  return gdk_memory_texture_new (side, side, GDK_MEMORY_DEFAULT, bytes, stride);
}

static gboolean
answer_cb (gpointer user_data)
{
  EaselTileWish *wish = user_data;

  if (!g_atomic_int_get (&wish->withdrawn))
    {
      wish->ready (wish->texture, wish->damaged, wish->user_data);
      wish_unref (wish);
    }
  return G_SOURCE_REMOVE;
}

static void
work (gpointer data, gpointer user_data)
{
  EaselTileWish *wish = data;
  g_autoptr (GError) error = NULL;

  if (!g_atomic_int_get (&wish->withdrawn))
    {
      g_autofree char *thumbnail = easel_thumbnail_ensure (wish->path, wish->side, &error);
      g_autoptr (EaselPicture) picture = thumbnail ? easel_image_read (thumbnail, &error) : NULL;

      if (picture)
        wish->texture = make_tile (picture, wish->side, wish->radius);
      else
        wish->damaged = !g_error_matches (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
    }
  g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, answer_cb, wish, (GDestroyNotify) wish_unref);
}

static int
latest_first (gconstpointer a, gconstpointer b, gpointer user_data)
{
  int x = ((const EaselTileWish *) a)->serial, y = ((const EaselTileWish *) b)->serial;
  return (y > x) - (y < x);
}

static void
drop_wish (gpointer data)
{
  wish_unref (data);
}

EaselTileLoader *
easel_tile_loader_new (int side, int radius)
{
  EaselTileLoader *self = g_new0 (EaselTileLoader, 1);

  self->side = side;
  self->radius = radius;
  self->pool = g_thread_pool_new_full (work, self, drop_wish, THREADS, FALSE, NULL);
  g_thread_pool_set_sort_function (self->pool, latest_first, NULL);
  return self;
}

void
easel_tile_loader_free (EaselTileLoader *self)
{
  g_thread_pool_free (self->pool, TRUE, TRUE);
  g_free (self);
}

EaselTileWish *
easel_tile_loader_want (EaselTileLoader *self, const char *path, EaselTileReady ready, gpointer user_data)
{
  EaselTileWish *wish = g_new0 (EaselTileWish, 1);

  g_atomic_ref_count_init (&wish->refs);
  g_atomic_ref_count_inc (&wish->refs);
  wish->serial = self->serial++;
  wish->side = self->side;
  wish->radius = self->radius;
  wish->path = g_strdup (path);
  wish->ready = ready;
  wish->user_data = user_data;
  g_thread_pool_push (self->pool, wish, NULL);
  return wish;
}

void
easel_tile_wish_withdraw (EaselTileWish *wish)
{
  g_atomic_int_set (&wish->withdrawn, TRUE);
  wish_unref (wish);
}
