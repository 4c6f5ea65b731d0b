/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JSON of model folders: the three words, limits, what is refused; fields and their errors; files.
 */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/core/tiny-model.h"

static JsonObject *
parse (const char *text, GError **error)
{
  return easel_json_parse (text, strlen (text), "x.json", error);
}

static void
test_words (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = parse ("{ \"a\": NaN, \"b\": [Infinity, -Infinity, \"NaN\", -1e-3], \"NaN\": "
                                         "{\"c\": -Infinity}, \"d\": \"-Infinity, \\\"NaN\" }",
                                         &error);
  g_assert_no_error (error);
  EaselFields f = easel_fields (object, "x.json");
  g_assert_true (isnan (easel_fields_double (&f, "a", 0)));
  JsonArray *b = json_object_get_array_member (object, "b");
  g_assert_cmpfloat (json_array_get_double_element (b, 0), ==, INFINITY);
  g_assert_cmpfloat (json_array_get_double_element (b, 1), ==, -INFINITY);
  g_assert_cmpstr (json_array_get_string_element (b, 2), ==, "NaN");
  g_assert_cmpfloat (json_array_get_double_element (b, 3), ==, -1e-3);
  JsonObject *inner = json_object_get_object_member (object, "NaN");
  g_assert_cmpfloat (json_object_get_double_member (inner, "c"), ==, -INFINITY);
  g_assert_cmpstr (easel_fields_string (&f, "d", NULL), ==, "-Infinity, \"NaN");
  g_assert_true (easel_fields_done (&f, &error));
}

static void
refuse (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = parse (text, &error);
  if (object)
    g_test_message ("accepted: %s", text);
  g_assert_null (object);
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  g_assert_nonnull (strstr (error->message, "x.json"));
}

static void
test_refused (void)
{
  static const char *const BAD[] = {
    "", " ", "[]", "1", "null", "NaN", "{", "}", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}}", "{\"a\":1} x",
    "{a:1}", "{'a':1}", "{\"a\":01}", "{\"a\":0x10}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":1e}",
    "{\"a\":-}", "{\"a\":nan}", "{\"a\":Inf}", "{\"a\":--Infinity}", "{\"a\":tru}", "/* c */ {}", "{} // c",
    "{\"a\":\"\x01\"}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud800\\u0041\"}", "{\"a\":\"\\ud800\\", "{\"a",
    "{\"a\":\"\\", "{\"a\":9223372036854775808}", "{\"a\":99999999999999999999999}",
    "{\"a\":\"\xff\"}", "{\"a\":\"\xed\xa0\x80\"}",
  };
  for (guint i = 0; i < G_N_ELEMENTS (BAD); i++)
    refuse (BAD[i]);
  g_autoptr (GError) error = NULL;
  /* A NUL ends no text. */
  g_assert_null (easel_json_parse ("{}\0{}", 5, "x.json", &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
}

static char *
repeat (const char *open, const char *middle, const char *close, guint n)
{
  GString *text = g_string_new ("{\"a\":");
  for (guint i = 0; i < n; i++)
    g_string_append (text, open);
  g_string_append (text, middle);
  for (guint i = 0; i < n; i++)
    g_string_append (text, close);
  return g_string_free (g_string_append_c (text, '}'), FALSE);
}

static void
test_limits (void)
{
  g_autofree char *fits = repeat ("[", "1", "]", EASEL_JSON_MAX_DEPTH - 1);
  g_autofree char *deep = repeat ("[", "1", "]", EASEL_JSON_MAX_DEPTH);
  g_autofree char *abyss = repeat ("[", "", "", 1 << 20);
  g_autofree char *objects = repeat ("{\"a\":", "1", "}", 100000);
  g_autofree char *many = repeat ("", "[", "", 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = parse (fits, &error);
  g_assert_no_error (error);
  refuse (deep);
  refuse (abyss);
  refuse (objects);
  GString *wide = g_string_new (many);
  g_string_truncate (wide, wide->len - 1);
  for (guint i = 0; i <= EASEL_JSON_MAX_VALUES; i++)
    g_string_append (wide, "{},");
  g_string_append (wide, "0]}");
  refuse (wide->str);
  g_string_free (wide, TRUE);
  g_autofree char *huge = g_strnfill (EASEL_JSON_MAX_BYTES + 1, ' ');
  refuse (huge);
}

static void
test_duplicates (void)
{
  static const char *const TEXTS[] = { "{\"a\":1,\"a\":2}", "{\"o\":{\"a\":1,\"b\":2,\"a\":2}}",
                                       "{\"o\":[{\"a\":1,\"\\u0061\":2}]}" };
  for (guint i = 0; i < G_N_ELEMENTS (TEXTS); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (JsonObject) lax = parse (TEXTS[i], &error);
      g_assert_no_error (error);
      g_assert_null (easel_json_parse_strict (TEXTS[i], strlen (TEXTS[i]), "x.json", TRUE, &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
    }
  g_autoptr (GError) error = NULL;
  const char *fine = "{\"a:\":{\"a\":\":\"},\"b\":[{\"a\":1},{\"a\":NaN}]}";
  g_autoptr (JsonObject) object = easel_json_parse_strict (fine, strlen (fine), "x.json", TRUE, &error);
  g_assert_no_error (error);
}

static void
test_fields (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = parse ("{\"i\":3,\"d\":2.5,\"w\":4.0,\"s\":\"x\",\"t\":true,\"n\":null,"
                                         "\"l\":[1,2,3],\"m\":[1,\"2\"],\"o\":{}}",
                                         &error);
  g_assert_no_error (error);
  EaselFields f = easel_fields (object, "x.json");
  gint64 list[3] = { 9, 9, 9 };
  g_assert_cmpint (easel_fields_int (&f, "i", 7, 0, 10), ==, 3);
  g_assert_cmpint (easel_fields_int (&f, "w", 7, 0, 10), ==, 4);
  g_assert_cmpint (easel_fields_int (&f, "n", 7, 0, 10), ==, 7);
  g_assert_cmpint (easel_fields_int (&f, "absent", 7, 0, 10), ==, 7);
  g_assert_cmpfloat (easel_fields_double (&f, "d", 0), ==, 2.5);
  g_assert_cmpfloat (easel_fields_double (&f, "i", 0), ==, 3);
  g_assert_true (easel_fields_bool (&f, "t", FALSE));
  g_assert_cmpstr (easel_fields_string (&f, "s", ""), ==, "x");
  g_assert_true (easel_fields_has (&f, "s") && !easel_fields_has (&f, "n") && !easel_fields_has (&f, "absent"));
  g_assert_cmpint (easel_fields_ints (&f, "l", 3, list), ==, 3);
  g_assert_cmpint (list[2], ==, 3);
  g_assert_cmpint (easel_fields_ints (&f, "i", 2, list), ==, 2);
  g_assert_cmpint (list[1], ==, 3);
  g_assert_cmpint (easel_fields_ints (&f, "absent", 2, list), ==, 0);
  g_assert_true (easel_fields_done (&f, &error));
  /* The first problem sticks; the message names file and member. */
  g_assert_cmpint (easel_fields_int (&f, "d", 7, 0, 10), ==, 7);
  g_assert_cmpint (easel_fields_int (&f, "s", 8, 0, 10), ==, 8);
  g_assert_false (easel_fields_done (&f, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  g_assert_cmpstr (error->message, ==, "x.json: d must be a whole number.");
  g_clear_error (&error);
  struct
  {
    const char *name;
    int kind;
  } wrong[] = { { "i", 0 }, { "s", 1 }, { "o", 1 }, { "i", 2 }, { "i", 3 }, { "m", 4 }, { "l", 5 }, { "o", 4 } };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      const char *name = wrong[i].name;
      switch (wrong[i].kind)
        {
        case 0:
          easel_fields_int (&f, name, 0, 5, 10);
          break;
        case 1:
          easel_fields_double (&f, name, 0);
          break;
        case 2:
          easel_fields_bool (&f, name, FALSE);
          break;
        case 3:
          easel_fields_string (&f, name, NULL);
          break;
        default:
          g_assert_cmpint (easel_fields_ints (&f, name, wrong[i].kind == 4 ? 3 : 2, list), ==, -1);
        }
      g_assert_false (easel_fields_done (&f, &error));
      g_assert_nonnull (strstr (error->message, name));
      g_clear_error (&error);
    }
}

static void
test_files (void)
{
  g_autofree char *dir = tiny_folder ();
  g_autofree char *path = g_build_filename (dir, "a.json", NULL);
  g_autofree char *inside = g_build_filename (path, "b.json", NULL);
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (easel_json_load (path, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (easel_json_load (dir, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  g_clear_error (&error);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_null (easel_json_load (fifo, &error)); /* and does not wait for a writer */
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  g_clear_error (&error);
  tiny_write (dir, "a.json", "{\"a\": 1}");
  g_autoptr (JsonObject) object = easel_json_load (path, &error);
  g_assert_no_error (error);
  g_assert_null (easel_json_load (inside, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
  g_clear_error (&error);
  /* A file appears whole or not at all: nothing is left where writing fails. */
  g_autofree char *missing = g_build_filename (dir, "no", "such", NULL);
  struct iovec piece = { (char *) "x", 1 };
  g_assert_false (easel_write_file (missing, &piece, 1, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_IO);
  g_clear_error (&error);
  g_assert_false (easel_write_file (dir, &piece, 1, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_IO);
  guint n = 0;
  g_autoptr (GDir) listing = g_dir_open (dir, 0, NULL);
  while (g_dir_read_name (listing))
    n++;
  g_assert_cmpuint (n, ==, 2);
  g_clear_pointer (&listing, g_dir_close);
  tiny_remove (dir);
}

static void
test_codes (void)
{
  g_assert_cmpstr (easel_error_code_name (EASEL_ERROR_NO_MEMORY), ==, "no-memory");
  g_assert_cmpstr (easel_error_code_name (EASEL_ERROR_ACCESS), ==, "access");
  for (int status = EASEL_STATUS_NO_MEMORY; status <= EASEL_STATUS_DEVICE; status++)
    {
      g_autoptr (GError) error = NULL;
      easel_status_to_error ((EaselStatus) status, "Decoding", "linear [1, 2]", &error);
      g_assert_nonnull (strstr (error->message, "Decoding"));
      g_assert_nonnull (strstr (error->message, "linear [1, 2]"));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/words", test_words);
  g_test_add_func ("/json/refused", test_refused);
  g_test_add_func ("/json/limits", test_limits);
  g_test_add_func ("/json/duplicates", test_duplicates);
  g_test_add_func ("/json/fields", test_fields);
  g_test_add_func ("/json/files", test_files);
  g_test_add_func ("/error/codes", test_codes);
  return g_test_run ();
}
