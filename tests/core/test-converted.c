/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Weights as 8 bits, on a processor that is made to behave as a card: which of them, what they stand for, and the cache
 * on disk: written once, read afterwards, made again when the model or the file changed.
 */
#include "tests/core/tiny-model.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <utime.h>

#include "engine/core/weights.h"
#include "kernels/half.h"

#define N 32
#define K 48

typedef struct
{
  char *dir, *cache;
  EaselDevice *device;
  guint16 numbers[N * K], bias[N], odd[3 * K];
} Fixture;

static void
write_model (Fixture *f)
{
  g_autofree char *path = g_build_filename (f->dir, "model.safetensors", NULL);
  const char *const names[] = { "a.weight", "a.bias", "odd.weight" };
  const EaselTensor tensors[] = { easel_tensor_of (f->numbers, EASEL_DTYPE_BF16, N, K, 1, 1),
                                  easel_tensor_of (f->bias, EASEL_DTYPE_BF16, N),
                                  easel_tensor_of (f->odd, EASEL_DTYPE_BF16, 3, K) };
  g_autoptr (GError) error = NULL;
  g_assert_true (easel_safetensors_write (path, 3, names, tensors, NULL, &error));
  g_assert_no_error (error);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->dir = tiny_folder ();
  f->cache = g_build_filename (f->dir, "cache", "converted", NULL);
  for (int i = 0; i < N * K; i++)
    f->numbers[i] = easel_bf16_from_f32 (sinf ((float) i) * (float) (1 + i / K));
  write_model (f);
  g_assert_cmpint (easel_cpu_device_open (1, &f->device), ==, EASEL_STATUS_OK);
  f->device->maps_weights = false;
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  easel_device_close (&f->device);
  tiny_remove (f->dir);
  g_free (f->dir);
  g_free (f->cache);
}

static EaselWeights *
open_scaled (Fixture *f, EaselDtype dtype)
{
  g_autoptr (GError) error = NULL;
  EaselWeights *weights = easel_weights_open (f->dir, NULL, &error);
  g_assert_no_error (error);
  easel_weights_set_cache (weights, f->cache);
  easel_weights_set_products (weights, dtype);
  easel_weights_set_device (weights, f->device);
  easel_weights_set_compute (weights, EASEL_DTYPE_F32);
  return weights;
}

static EaselTensor
take (EaselWeights *weights)
{
  g_autoptr (GError) error = NULL;
  EaselTensor t = easel_weights_take_product (weights, EASEL_SHAPE (N, K, 1, 1), "a.weight");
  g_assert_true (easel_weights_done (weights, &error));
  g_assert_no_error (error);
  return t;
}

static guint
count_files (Fixture *f)
{
  g_autoptr (GDir) dir = g_dir_open (f->cache, 0, NULL);
  guint n = 0;
  while (dir && g_dir_read_name (dir))
    n++;
  return n;
}

/* The largest difference, in steps of a row's largest. */
static double
worst (Fixture *f, EaselTensor t)
{
  double most = 0;
  for (int m = 0; m < N; m++)
    for (int k = 0; k < K; k++)
      {
        float code;
        easel_floats_at (&code, t.data, t.dtype, m * K + k, 1);
        most = MAX (most, fabs (code * t.scales[m] - easel_f32_from_bf16 (f->numbers[m * K + k])) / (1 + m));
      }
  return most;
}

static void
test_scaled (Fixture *f, gconstpointer data)
{
  static const EaselDtype dtypes[] = { EASEL_DTYPE_F8_E4M3, EASEL_DTYPE_I8 };
  static const double bounds[] = { 1 / 16.0, 0.5 / 127 * 1.01 };
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (EaselWeights) weights = open_scaled (f, dtypes[i]);
      EaselTensor t = easel_weights_take_product (weights, EASEL_SHAPE (N, K, 1, 1), "a.weight");
      EaselTensor again = easel_weights_take_product (weights, EASEL_SHAPE (N, K, 1, 1), "a.weight");
      EaselTensor bias = easel_weights_take (weights, EASEL_SHAPE (N), "a.bias");
      EaselTensor odd = easel_weights_take_product (weights, EASEL_SHAPE (3, K), "odd.weight");
      g_assert_true (easel_weights_done (weights, NULL));
      g_assert_cmpint (t.dtype, ==, dtypes[i]);
      g_assert_cmpint (t.n_dims, ==, 2);
      g_assert_true (t.scales && again.data == t.data && again.scales == t.scales);
      g_assert_cmpfloat (worst (f, t), <=, bounds[i]);
      /* What is no product stays, and what has sizes that kernels do not take. */
      g_assert_true (bias.dtype == EASEL_DTYPE_F32 && !bias.scales);
      g_assert_true (odd.dtype == EASEL_DTYPE_F32 && !odd.scales);
      g_assert_cmpuint (easel_weights_held_bytes (weights), ==, (N * K + 255) / 256 * 256 + 256 + 256 + 768);
    }
  g_assert_cmpuint (count_files (f), ==, 2);
}

/* What another copy takes comes from the file: it shows when the file's numbers are others. */
static void
test_cache (Fixture *f, gconstpointer data)
{
  g_autoptr (GDir) dir = NULL;
  g_autofree char *path = NULL, *bytes = NULL;
  guint8 first[N * K];
  gsize size;
  {
    g_autoptr (EaselWeights) weights = open_scaled (f, EASEL_DTYPE_I8);
    memcpy (first, take (weights).data, sizeof first);
  }
  dir = g_dir_open (f->cache, 0, NULL);
  path = g_build_filename (f->cache, g_dir_read_name (dir), NULL);
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  bytes[size - 1] ^= 1;
  g_assert_true (g_file_set_contents (path, bytes, (gssize) size, NULL));
  {
    g_autoptr (EaselWeights) weights = open_scaled (f, EASEL_DTYPE_I8);
    EaselTensor t = take (weights);
    g_assert_cmpmem (t.data, sizeof first - 1, first, sizeof first - 1);
    g_assert_cmpint (((guint8 *) t.data)[N * K - 1], ==, first[N * K - 1] ^ 1);
  }
  /* Cut short, it is made again. */
  g_assert_cmpint (truncate (path, (off_t) size / 2), ==, 0);
  {
    g_autoptr (EaselWeights) weights = open_scaled (f, EASEL_DTYPE_I8);
    g_assert_cmpmem (take (weights).data, sizeof first, first, sizeof first);
  }
  /* So it is when the model is another, under the same name. */
  f->numbers[0] = easel_bf16_from_f32 (-1);
  write_model (f);
  {
    g_autoptr (EaselWeights) weights = open_scaled (f, EASEL_DTYPE_I8);
    EaselTensor t = take (weights);
    g_assert_cmpint (((gint8 *) t.data)[0], ==, -127);
  }
  g_assert_cmpuint (count_files (f), ==, 1);
}

/* A folder that cannot be written, none, and one that holds other things: everything works all the same. */
static void
test_no_cache (Fixture *f, gconstpointer data)
{
  g_autofree char *stranger = g_build_filename (f->cache, "stranger.safetensors", NULL);
  g_autofree char *orphan = g_build_filename (f->cache, "0123456789abcdef0123456789abcdef.i8.safetensors", NULL);
  g_autofree char *real = g_steal_pointer (&f->cache);
  f->cache = g_strdup ("/proc/nothing/here");
  {
    g_autoptr (EaselWeights) weights = open_scaled (f, EASEL_DTYPE_F8_E4M3);
    g_assert_cmpint (take (weights).dtype, ==, EASEL_DTYPE_F8_E4M3);
  }
  g_clear_pointer (&f->cache, g_free);
  {
    g_autoptr (EaselWeights) weights = open_scaled (f, EASEL_DTYPE_F8_E4M3);
    g_assert_cmpint (take (weights).dtype, ==, EASEL_DTYPE_F8_E4M3);
  }
  f->cache = g_steal_pointer (&real);
  g_mkdir_with_parents (f->cache, 0700);
  g_assert_true (g_file_set_contents (stranger, "not one of ours", -1, NULL));
  g_assert_true (g_file_set_contents (orphan, "made from nothing that is still there", -1, NULL));
  {
    g_autoptr (EaselWeights) weights = open_scaled (f, EASEL_DTYPE_F8_E4M3);
    take (weights);
  }
  g_assert_true (g_file_test (stranger, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (orphan, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count_files (f), ==, 2);
  g_assert_cmpuint (easel_weights_clear_cache (f->cache), >=, N * K);
  g_assert_cmpuint (easel_weights_clear_cache (f->cache), ==, 0);
  g_assert_true (g_file_test (stranger, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/converted/scaled", Fixture, NULL, set_up, test_scaled, tear_down);
  g_test_add ("/converted/cache", Fixture, NULL, set_up, test_cache, tear_down);
  g_test_add ("/converted/no-cache", Fixture, NULL, set_up, test_no_cache, tear_down);
  return g_test_run ();
}
