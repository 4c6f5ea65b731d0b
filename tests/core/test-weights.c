/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Weights of a component, in all the ways they lie on the Hub; taking tensors; uploading.
 */
#include "engine/core/weights.h"

#include <math.h>
#include <string.h>

#include "kernels/half.h"

#include "tests/core/tiny-model.h"

/* One f32 tensor [2] of the given value. */
static void
put (const char *dir, const char *file, const char *tensor, float value)
{
  g_autofree char *path = g_build_filename (dir, file, NULL);
  g_autoptr (GError) error = NULL;
  float data[2] = { value, value };
  EaselTensor t = easel_tensor_of (data, EASEL_DTYPE_F32, 2);
  easel_safetensors_write (path, 1, &tensor, &t, NULL, &error);
  g_assert_no_error (error);
}

static void
put_index (const char *dir, const char *file, const char *shard_a, const char *shard_b)
{
  g_autofree char *text = g_strdup_printf (
      "{\"metadata\":{\"total_size\":16},\"weight_map\":{\"a\":\"%s\",\"b\":\"%s\"}}", shard_a, shard_b);
  tiny_write (dir, file, text);
}

static float
value_of (const char *dir, const char *variant, const char *tensor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselWeights) weights = easel_weights_open (dir, variant, &error);
  g_assert_no_error (error);
  EaselTensor t = easel_weights_take (weights, EASEL_SHAPE (2), "%s", tensor);
  g_assert_true (easel_weights_done (weights, &error));
  g_assert_no_error (error);
  return ((const float *) t.data)[0];
}

static void
refuse (const char *dir, int code, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (easel_weights_open (dir, NULL, &error));
  g_assert_error (error, EASEL_ERROR, code);
  if (!strstr (error->message, says))
    g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, says));
}

static void
test_choice (void)
{
  g_autofree char *dir = tiny_folder ();
  refuse (dir, EASEL_ERROR_NOT_FOUND, "no weights");
  put (dir, "diffusion_pytorch_model.fp16.safetensors", "a", 16);
  g_assert_cmpfloat (value_of (dir, NULL, "a"), ==, 16);
  put (dir, "model.bf16.safetensors", "a", 17);
  g_assert_cmpfloat (value_of (dir, NULL, "a"), ==, 17);
  g_assert_cmpfloat (value_of (dir, "fp16", "a"), ==, 16);
  put (dir, "diffusion_pytorch_model.safetensors", "a", 32);
  g_assert_cmpfloat (value_of (dir, NULL, "a"), ==, 32);
  g_assert_cmpfloat (value_of (dir, "bf16", "a"), ==, 17);
  g_assert_cmpfloat (value_of (dir, "int4", "a"), ==, 32);
  tiny_remove (dir);
}

static void
test_shards (void)
{
  g_autofree char *dir = tiny_folder ();
  put_index (dir, "model.safetensors.index.json", "model-00001-of-00002.safetensors",
             "model-00002-of-00002.safetensors");
  refuse (dir, EASEL_ERROR_NOT_FOUND, "no weights");
  /* Only another variant was downloaded. */
  put (dir, "model.fp16.safetensors", "a", 16);
  g_assert_cmpfloat (value_of (dir, NULL, "a"), ==, 16);
  put (dir, "model-00001-of-00002.safetensors", "a", 1);
  refuse (dir, EASEL_ERROR_NOT_FOUND, "model-00002-of-00002.safetensors");
  put (dir, "model-00002-of-00002.safetensors", "b", 2);
  g_assert_cmpfloat (value_of (dir, NULL, "b"), ==, 2);
  /* Both ways to name the index of a variant. */
  put (dir, "model.bf16-00001-of-00002.safetensors", "a", 3);
  put (dir, "model.bf16-00002-of-00002.safetensors", "b", 4);
  put_index (dir, "model.safetensors.index.bf16.json", "model.bf16-00001-of-00002.safetensors",
             "model.bf16-00002-of-00002.safetensors");
  g_assert_cmpfloat (value_of (dir, "bf16", "b"), ==, 4);
  put_index (dir, "model.q.safetensors.index.json", "model-00001-of-00002.safetensors",
             "model-00002-of-00002.safetensors");
  g_assert_cmpfloat (value_of (dir, "q", "a"), ==, 1);
  /* The index promises what the files lack; a tensor in two files. */
  put (dir, "model-00002-of-00002.safetensors", "c", 2);
  refuse (dir, EASEL_ERROR_DAMAGED, "\"b\"");
  put (dir, "model-00002-of-00002.safetensors", "a", 2);
  refuse (dir, EASEL_ERROR_DAMAGED, "more than one");
  tiny_remove (dir);
}

static void
test_shard_names (void)
{
  static const char *const BAD[] = { "../model.safetensors",  "/etc/model.safetensors", "sub/model.safetensors",
                                     ".model.safetensors",    "..",                     "",
                                     "model.bin",             "..\\\\model.safetensors" };
  g_autofree char *dir = tiny_folder ();
  put (dir, "model-1.safetensors", "a", 1);
  for (guint i = 0; i < G_N_ELEMENTS (BAD); i++)
    {
      put_index (dir, "model.safetensors.index.json", "model-1.safetensors", BAD[i]);
      refuse (dir, EASEL_ERROR_DAMAGED, "names no safetensors file");
    }
  static const char *const TEXTS[] = { "{}", "{\"weight_map\":[]}", "{\"weight_map\":{}}", "{\"weight_map\":{\"a\":7}}",
                                       "{\"weight_map\":{\"a\":null}}", "[]", "{" };
  for (guint i = 0; i < G_N_ELEMENTS (TEXTS); i++)
    {
      tiny_write (dir, "model.safetensors.index.json", TEXTS[i]);
      refuse (dir, EASEL_ERROR_DAMAGED, "model.safetensors.index.json");
    }
  GString *many = g_string_new ("{\"weight_map\":{\"a\":\"model-1.safetensors\"");
  for (int i = 0; i < 2000; i++)
    g_string_append_printf (many, ",\"t%d\":\"s%d.safetensors\"", i, i);
  tiny_write (dir, "model.safetensors.index.json", g_string_append (many, "}}")->str);
  g_string_free (many, TRUE);
  refuse (dir, EASEL_ERROR_DAMAGED, "2001 files");
  tiny_remove (dir);
}

static EaselWeights *
reference (void)
{
  g_autofree char *path = tiny_reference ("models", "sana-v1-tiny");
  g_autoptr (GError) error = NULL;
  EaselWeights *weights = easel_weights_open (path, NULL, &error);
  g_assert_no_error (error);
  return weights;
}

static void
expect_problem (EaselWeights *weights, int code, const char *says)
{
  g_autoptr (GError) error = NULL;
  /* It sticks. */
  g_assert_null (easel_weights_take (weights, EASEL_SHAPE (1), "proj_out.bias").data);
  g_assert_false (easel_weights_done (weights, &error));
  g_assert_error (error, EASEL_ERROR, code);
  g_assert_nonnull (strstr (error->message, says));
  g_assert_true (easel_weights_done (weights, NULL));
}

static void
test_take (void)
{
  g_autofree char *path = tiny_reference ("models", "sana-v1-tiny/diffusion_pytorch_model.safetensors");
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselSafetensors) file = easel_safetensors_open (path, &error);
  g_assert_no_error (error);
  g_autoptr (EaselWeights) weights = reference ();
  g_autoptr (GPtrArray) all = easel_weights_unused (weights);
  g_assert_cmpuint (all->len, ==, easel_safetensors_count (file));
  EaselTensor t, got;
  const char *name = easel_safetensors_nth (file, 0, &t);
  g_assert_true (easel_weights_has (weights, "%s", name));
  got = easel_weights_take (weights, t.n_dims, t.shape, "%s", name);
  g_assert_cmpmem (got.data, easel_tensor_bytes (&got), t.data, easel_tensor_bytes (&t));
  g_autoptr (GPtrArray) rest = easel_weights_unused (weights);
  g_assert_cmpuint (rest->len, ==, all->len - 1);
  g_assert_null (easel_weights_take_optional (weights, EASEL_SHAPE (1), "nothing.%d", 7).data);
  g_assert_true (easel_weights_done (weights, &error));
  g_assert_null (easel_weights_take (weights, EASEL_SHAPE (1), "nothing.%d", 7).data);
  expect_problem (weights, EASEL_ERROR_DAMAGED, "nothing.7");
  g_assert_null (easel_weights_take (weights, EASEL_SHAPE (1, 2, 3), "%s", name).data);
  expect_problem (weights, EASEL_ERROR_DAMAGED, "[1, 2, 3]");
  g_assert_null (easel_weights_take_optional (weights, EASEL_SHAPE (12345), "%s", name).data);
  expect_problem (weights, EASEL_ERROR_DAMAGED, "12345");
  guint64 bytes = 0, elements = 0;
  for (guint i = 0; i < easel_safetensors_count (file); i++)
    {
      easel_safetensors_nth (file, i, &t);
      bytes += easel_tensor_bytes (&t);
      elements += (guint64) easel_tensor_count (&t);
    }
  g_assert_cmpuint (easel_weights_bytes (weights), ==, bytes);
  g_assert_cmpuint (easel_weights_parameters (weights), ==, elements);
  g_assert_cmpint (easel_weights_dtype (weights), ==, t.dtype);
  easel_weights_drop_pages (weights);
}

static void
test_dtype (void)
{
  g_autofree char *dir = tiny_folder ();
  g_autofree char *path = g_build_filename (dir, "model.safetensors", NULL);
  gint32 data[2] = { 1, 2 };
  const char *name = "ids";
  EaselTensor t = easel_tensor_of (data, EASEL_DTYPE_I32, 2);
  g_autoptr (GError) error = NULL;
  g_assert_true (easel_safetensors_write (path, 1, &name, &t, NULL, &error));
  g_autoptr (EaselWeights) weights = easel_weights_open (dir, NULL, &error);
  g_assert_no_error (error);
  easel_weights_take (weights, EASEL_SHAPE (2), "ids");
  expect_problem (weights, EASEL_ERROR_UNSUPPORTED, "i32");
  tiny_remove (dir);
}

/* A device that does not map: every tensor is given memory once, and all of it is given back; no memory is an error. */
static void
test_upload (void)
{
  EaselDevice *device = NULL;
  g_assert_cmpint (easel_dry_device_open (EASEL_DTYPE_BF16, &device), ==, EASEL_STATUS_OK);
  device->maps_weights = false;
  guint64 before = device->memory_used;
  EaselWeights *weights = reference ();
  g_autoptr (GPtrArray) names = easel_weights_unused (weights);
  g_autofree char *path = tiny_reference ("models", "sana-v1-tiny/diffusion_pytorch_model.safetensors");
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselSafetensors) file = easel_safetensors_open (path, &error);
  g_assert_no_error (error);
  easel_weights_set_device (weights, device);
  for (int round = 0; round < 2; round++)
    for (guint i = 0; i < names->len; i++)
      {
        EaselTensor t;
        g_assert_true (easel_safetensors_find (file, names->pdata[i], &t));
        EaselTensor up = easel_weights_take (weights, t.n_dims, t.shape, "%s", (const char *) names->pdata[i]);
        g_assert_nonnull (up.data);
      }
  g_assert_true (easel_weights_done (weights, &error));
  guint64 used = device->memory_used;
  g_assert_cmpuint (used - before, >=, easel_weights_bytes (weights));
  g_assert_cmpuint (used - before, <=, easel_weights_bytes (weights) + 256 * names->len);
  easel_weights_set_device (weights, NULL);
  g_assert_cmpuint (device->memory_used, ==, before);
  /* From bf16 to f32: each number becomes what it was, in twice the room. */
  easel_weights_set_device (weights, device);
  easel_weights_set_compute (weights, EASEL_DTYPE_F32);
  EaselTensor first, wide;
  g_assert_true (easel_safetensors_find (file, names->pdata[0], &first));
  wide = easel_weights_take (weights, first.n_dims, first.shape, "%s", (const char *) names->pdata[0]);
  g_assert_cmpint (wide.dtype, ==, EASEL_DTYPE_F32);
  g_assert_cmpuint (device->memory_used - before, >=, 2 * easel_weights_bytes (weights));
  easel_weights_set_device (weights, NULL);
  easel_weights_set_device (weights, device);
  device->fail_after = 1;
  gboolean failed = FALSE;
  for (guint i = 0; i < names->len && !failed; i++)
    {
      EaselTensor t;
      g_assert_true (easel_safetensors_find (file, names->pdata[i], &t));
      failed = !easel_weights_take (weights, t.n_dims, t.shape, "%s", (const char *) names->pdata[i]).data;
    }
  g_assert_true (failed);
  g_assert_false (easel_weights_done (weights, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
  easel_weights_free (weights);
  g_assert_cmpuint (device->memory_used, ==, before);
  easel_device_close (&device);
}

/* Whatever is asked for is there, finite, around 0 or around 1; the same again when asked again. */
static void
test_random (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselWeights) weights = easel_weights_new_random (EASEL_DTYPE_BF16, 3, &error);
  g_assert_no_error (error);
  /* larger than the pattern that random numbers repeat */
  EaselTensor large = easel_weights_take (weights, EASEL_SHAPE (3000, 7001), "large.weight");
  EaselTensor norm = easel_weights_take (weights, EASEL_SHAPE (99), "norm.weight");
  EaselTensor again = easel_weights_take (weights, EASEL_SHAPE (3000, 7001), "large.weight");
  EaselTensor absent = easel_weights_take_optional (weights, EASEL_SHAPE (5), "bias");
  g_assert_true (easel_weights_done (weights, &error));
  g_assert_no_error (error);
  g_assert_true (large.data && large.data == again.data && !absent.data);
  g_assert_cmpint (large.dtype, ==, EASEL_DTYPE_BF16);
  double sum = 0, squares = 0;
  const gsize n = easel_tensor_count (&large);
  for (gsize i = 0; i < n; i++)
    {
      const double x = easel_f32_from_bf16 (((const guint16 *) large.data)[i]);
      sum += x;
      squares += x * x;
    }
  g_assert_cmpfloat_with_epsilon (sum / n, 0, 1e-3);
  g_assert_cmpfloat_with_epsilon (sqrt (squares / n), 0.02, 2e-3);
  for (int i = 0; i < 99; i++)
    g_assert_cmpfloat_with_epsilon (easel_f32_from_bf16 (((const guint16 *) norm.data)[i]), 1, 0.2);
  easel_weights_take (weights, EASEL_SHAPE (3000, 7002), "large.weight");
  g_assert_false (easel_weights_done (weights, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/weights/choice", test_choice);
  g_test_add_func ("/weights/shards", test_shards);
  g_test_add_func ("/weights/shard-names", test_shard_names);
  g_test_add_func ("/weights/take", test_take);
  g_test_add_func ("/weights/dtype", test_dtype);
  g_test_add_func ("/weights/random", test_random);
  g_test_add_func ("/weights/upload", test_upload);
  return g_test_run ();
}
