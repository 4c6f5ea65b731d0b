/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Safetensors: what is written is read back; hostile files are refused with a sentence; weights of a component.
 */
#include <string.h>

#include "engine/core/weights.h"
#include "tests/core/tiny-model.h"

/* ---- a file in memory ---- */

typedef struct
{
  guint8 *bytes;
  gsize size;
} Blob;

/* header_length < 0: the true one. Data: `n_data` bytes 0, 1, 2, … In a block of its own size, so that the address
 * sanitizer sees reads past the end. */
static Blob
blob (const char *header, gint64 header_length, gsize n_data)
{
  gsize length = strlen (header);
  guint64 said = header_length < 0 ? length : (guint64) header_length;
  Blob b = { g_malloc (8 + length + n_data), 8 + length + n_data };
  for (int i = 0; i < 8; i++)
    b.bytes[i] = (guint8) (said >> (8 * i));
  memcpy (b.bytes + 8, header, length);
  for (gsize i = 0; i < n_data; i++)
    b.bytes[8 + length + i] = (guint8) i;
  return b;
}

static EaselSafetensors *
open_blob (const Blob *b, GError **error)
{
  return easel_safetensors_open_memory (b->bytes, b->size, "x.safetensors", error);
}

static void
refuse_blob (Blob b, int code, const char *what)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselSafetensors) file = open_blob (&b, &error);
  if (file)
    g_test_message ("accepted: %s", what);
  g_assert_null (file);
  g_assert_error (error, EASEL_ERROR, code);
  g_assert_nonnull (strstr (error->message, "x.safetensors"));
  g_free (b.bytes);
}

static void
refuse (const char *header, gsize n_data, int code)
{
  refuse_blob (blob (header, -1, n_data), code, header);
}

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void
test_hostile (void)
{
  static const struct
  {
    const char *header;
    gsize n_data;
  } BAD[] = {
    { "{}", 1 },                                                                     /* bytes that belong to nobody */
    { "{\"a\":" T ("F32", "[1]", "[0,4]") "}", 3 },                                  /* cut short */
    { "{\"a\":" T ("F32", "[1]", "[0,4]") "}", 5 },                                  /* too long */
    { "{\"a\":" T ("F32", "[1]", "[4,8]") "}", 8 },                                  /* a gap before */
    { "{\"a\":" T ("F32", "[1]", "[0,4]") ",\"b\":" T ("F32", "[1]", "[8,12]") "}", 12 }, /* between */
    { "{\"a\":" T ("F32", "[2]", "[0,8]") ",\"b\":" T ("F32", "[1]", "[4,8]") "}", 8 },   /* overlap */
    { "{\"a\":" T ("F32", "[1]", "[0,4]") ",\"b\":" T ("F32", "[1]", "[0,4]") "}", 4 },   /* the same bytes */
    { "{\"a\":" T ("F32", "[1]", "[4,0]") "}", 4 },                                  /* end before begin */
    { "{\"a\":" T ("F32", "[1]", "[0,8]") "}", 8 },                                  /* more than the shape says */
    { "{\"a\":" T ("F32", "[2]", "[0,4]") "}", 4 },                                  /* less */
    { "{\"a\":" T ("F32", "[1]", "[0,4,4]") "}", 4 },                                /* three offsets */
    { "{\"a\":" T ("F32", "[1]", "[0]") "}", 4 },                                    /* one */
    { "{\"a\":" T ("F32", "[1]", "[-4,0]") "}", 4 },                                 /* negative */
    { "{\"a\":" T ("F32", "[1]", "[0,9223372036854775807]") "}", 4 },                /* far beyond */
    { "{\"a\":" T ("F32", "[1]", "[0,18446744073709551615]") "}", 4 },               /* wraps */
    { "{\"a\":" T ("F32", "[-1]", "[0,4]") "}", 4 },                                 /* negative side */
    { "{\"a\":" T ("F32", "[4611686018427387904,4]", "[0,0]") "}", 0 },              /* product wraps to 0 */
    { "{\"a\":" T ("F32", "[4294967296,4294967296]", "[0,0]") "}", 0 },              /* again */
    { "{\"a\":" T ("F32", "[9223372036854775807,2,0]", "[0,0]") "}", 0 },            /* before the zero */
    { "{\"a\":" T ("F32", "[1.0]", "[0,4]") "}", 4 },                                /* not whole */
    { "{\"a\":" T ("F32", "\"1\"", "[0,4]") "}", 4 },                                /* a text */
    { "{\"a\":" T ("F32", "[true]", "[0,4]") "}", 4 },
    { "{\"a\":" T ("F32", "[null]", "[0,4]") "}", 4 },
    { "{\"a\":" T ("F32", "[[1]]", "[0,4]") "}", 4 },
    { "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4 },
    { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4 },
    { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4 },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4 },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"dtype\":\"I32\"}}", 4 }, /* twice */
    { "{\"a\":" T ("F32", "[1]", "[0,4]") ",\"a\":" T ("F32", "[1]", "[4,8]") "}", 8 },           /* twice */
    { "{\"a\":" T ("F32", "[1]", "[0,4]") ",\"\\u0061\":" T ("F32", "[1]", "[4,8]") "}", 8 },     /* in disguise */
    { "{\"a\\u0000b\":" T ("F32", "[1]", "[0,4]") "}", 4 },                          /* a NUL in the name */
    { "{\"a\":[]}", 0 },
    { "{\"a\":null}", 0 },
    { "{\"__metadata__\":7}", 0 },
    { "{\"__metadata__\":{\"a\":1}}", 0 },
    { "[]", 0 },
    { " {}", 0 },
    { "{", 0 },
    { "{}}", 0 },
    { "{\"a\":" T ("F32", "[1]", "[0,4]"), 4 },
    { "{\"a\":" T ("F32", "[Infinity]", "[0,4]") "}", 4 },
    { "{\"\xff\":" T ("F32", "[1]", "[0,4]") "}", 4 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (BAD); i++)
    refuse (BAD[i].header, BAD[i].n_data, EASEL_ERROR_DAMAGED);
  refuse ("{\"a\":" T ("F6_E9", "[1]", "[0,4]") "}", 4, EASEL_ERROR_UNSUPPORTED);
  refuse ("{\"a\":" T ("f32", "[1]", "[0,4]") "}", 4, EASEL_ERROR_UNSUPPORTED);
  refuse ("{\"a\":" T ("F32", "[1,1,1,1,1,1]", "[0,4]") "}", 4, EASEL_ERROR_UNSUPPORTED);
  GString *deep = g_string_new ("{\"a\":");
  for (int i = 0; i < 100000; i++)
    g_string_append_c (deep, '[');
  refuse (deep->str, 0, EASEL_ERROR_DAMAGED);
  g_string_free (deep, TRUE);
}

static void
test_hostile_length (void)
{
  refuse_blob (blob ("{}", 0, 0), EASEL_ERROR_DAMAGED, "length 0");
  refuse_blob (blob ("{}", 1, 0), EASEL_ERROR_DAMAGED, "length 1");
  refuse_blob (blob ("{}", 3, 0), EASEL_ERROR_DAMAGED, "beyond the file");
  refuse_blob (blob ("{}", 3, 1), EASEL_ERROR_DAMAGED, "into the data");
  refuse_blob (blob ("{}", G_MAXINT64, 0), EASEL_ERROR_DAMAGED, "huge");
  refuse_blob (blob ("{}", (gint64) EASEL_JSON_MAX_BYTES + 1, 0), EASEL_ERROR_DAMAGED, "above the limit");
  Blob negative = blob ("{}", 2, 0);
  memset (negative.bytes, 0xff, 8);
  refuse_blob (negative, EASEL_ERROR_DAMAGED, "-1");
  negative = blob ("{}", 2, 0);
  memset (negative.bytes, 0xf8, 8);
  negative.bytes[0] = 0xfa; /* 8 + length wraps */
  refuse_blob (negative, EASEL_ERROR_DAMAGED, "wraps");
  /* Every shorter file of a good one is refused. */
  Blob good = blob ("{\"a\":" T ("BF16", "[2,2]", "[0,8]") "}", -1, 8);
  for (gsize size = 0; size < good.size; size++)
    {
      Blob cut = { g_memdup2 (good.bytes, MAX (size, 1)), size };
      refuse_blob (cut, EASEL_ERROR_DAMAGED, "cut");
    }
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselSafetensors) file = open_blob (&good, &error);
  g_assert_no_error (error);
  g_free (good.bytes);
}

static void
test_shapes (void)
{
  /* Out of order in the header, a scalar, an empty tensor, trailing blanks; the second is at an odd address. */
  Blob b = blob ("{\"c\":" T ("U8", "[3]", "[0,3]") ",\"b\":" T ("F32", "[]", "[3,7]") ",\"a\":" T (
                     "BOOL", "[1,1,1,1,1]", "[7,8]") ",\"z\":" T ("I64", "[0,7]", "[8,8]") ",\"__metadata__\":"
                 "{\"k\":\"v\"}}  ",
                 -1, 8);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselSafetensors) file = open_blob (&b, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (easel_safetensors_count (file), ==, 3);
  EaselTensor t;
  g_assert_cmpstr (easel_safetensors_nth (file, 0, &t), ==, "c");
  g_assert_cmpint (t.dtype, ==, EASEL_DTYPE_U8);
  g_assert_true (easel_safetensors_find (file, "b", &t));
  g_assert_cmpint (t.n_dims, ==, 1);
  g_assert_cmpint (t.shape[0], ==, 1);
  g_assert_cmpuint ((guintptr) t.data % 4, ==, 0);
  guint8 expected[] = { 3, 4, 5, 6 };
  g_assert_cmpmem (t.data, 4, expected, 4);
  g_assert_true (easel_safetensors_find (file, "a", &t));
  g_assert_cmpint (t.n_dims, ==, 5);
  g_assert_false (easel_safetensors_find (file, "z", &t));
  g_assert_false (easel_safetensors_find (file, "", &t));
  g_assert_cmpstr (g_hash_table_lookup (easel_safetensors_metadata (file), "k"), ==, "v");
  g_clear_pointer (&file, easel_safetensors_unref);
  g_free (b.bytes);
}

static void
test_write (void)
{
  g_autofree char *dir = tiny_folder ();
  g_autofree char *path = g_build_filename (dir, "w.safetensors", NULL);
  guint8 bytes[3] = { 1, 2, 3 };
  double doubles[2] = { 0.5, -2 };
  float floats[6] = { 1, 2, 3, 4, 5, 6 };
  const char *names[] = { "bytes", "a \"quoted\" näme", "floats" };
  EaselTensor tensors[] = { easel_tensor_of (bytes, EASEL_DTYPE_U8, 3), easel_tensor_of (doubles, EASEL_DTYPE_F64, 2),
                            easel_tensor_of (floats, EASEL_DTYPE_F32, 2, 3) };
  g_autoptr (GHashTable) metadata = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_insert (metadata, (char *) "format", (char *) "pt");
  g_autoptr (GError) error = NULL;
  g_assert_true (easel_safetensors_write (path, 3, names, tensors, metadata, &error));
  g_assert_no_error (error);
  g_autoptr (EaselSafetensors) file = easel_safetensors_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (easel_safetensors_count (file), ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      EaselTensor t;
      g_assert_true (easel_safetensors_find (file, names[i], &t));
      g_assert_cmpint (t.dtype, ==, tensors[i].dtype);
      g_assert_cmpint (t.n_dims, ==, tensors[i].n_dims);
      g_assert_cmpmem (t.data, easel_tensor_bytes (&t), tensors[i].data, easel_tensor_bytes (&tensors[i]));
    }
  g_assert_cmpstr (g_hash_table_lookup (easel_safetensors_metadata (file), "format"), ==, "pt");
  easel_safetensors_drop_pages (file);
  EaselTensor t;
  g_assert_true (easel_safetensors_find (file, "floats", &t));
  g_assert_cmpmem (t.data, 24, floats, 24);
  names[1] = "floats";
  g_assert_false (easel_safetensors_write (path, 3, names, tensors, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_FAILED);
  g_clear_pointer (&file, easel_safetensors_unref);
  tiny_remove (dir);
}

static void
test_not_files (void)
{
  g_autofree char *dir = tiny_folder ();
  g_autofree char *path = g_build_filename (dir, "x", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (easel_safetensors_open (path, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (easel_safetensors_open (dir, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  g_clear_error (&error);
  tiny_write (dir, "x", "");
  g_assert_null (easel_safetensors_open (path, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  g_clear_error (&error);
  tiny_write (dir, "x", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  g_assert_null (easel_safetensors_open (path, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  tiny_remove (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/safetensors/hostile", test_hostile);
  g_test_add_func ("/safetensors/hostile-length", test_hostile_length);
  g_test_add_func ("/safetensors/shapes", test_shapes);
  g_test_add_func ("/safetensors/write", test_write);
  g_test_add_func ("/safetensors/not-files", test_not_files);
  return g_test_run ();
}
