/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tokenizers: what counts as text, where texts are cut, and files that lie. Ids of whole texts are compared by parity.
 */
#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

#include "engine/text/tokenizer.h"
#include "tests/text/spm-builder.h"
#include "tests/text/text-common.h"

static EaselTokenizer *
open_reference (EaselTokenizerKind kind)
{
  g_autofree char *dir
      = reference_path (kind == EASEL_TOKENIZER_GEMMA ? "models/gemma-tokenizer" : "models/t5-tokenizer");
  g_autoptr (GError) error = NULL;
  EaselTokenizer *self = easel_tokenizer_open (dir, kind, &error);

  g_assert_no_error (error);
  g_assert_nonnull (self);
  return self;
}

static GArray *
tokens_of (EaselTokenizer *tokenizer, const char *text)
{
  g_autoptr (GError) error = NULL;
  GArray *tokens = easel_tokenizer_tokens (tokenizer, text, &error);

  g_assert_no_error (error);
  g_assert_nonnull (tokens);
  return tokens;
}

#define TOKEN(array, i) g_array_index (array, EaselToken, i)

/* Text that spells special pieces gives none of their ids. */
static void
test_special_text (void)
{
  static const char text[] = "<bos> <eos><pad> </s><unk> <extra_id_0> <0x41><mask>";

  for (int kind = EASEL_TOKENIZER_GEMMA; kind <= EASEL_TOKENIZER_T5; kind++)
    {
      g_autoptr (EaselTokenizer) t = open_reference ((EaselTokenizerKind) kind);
      g_autoptr (GArray) tokens = tokens_of (t, text);
      guint first = kind == EASEL_TOKENIZER_GEMMA ? 1 : 0, last = tokens->len - (kind == EASEL_TOKENIZER_T5 ? 1 : 0);

      g_assert_cmpint (easel_tokenizer_pad_id (t), ==, 0);
      for (guint i = first; i < last; i++)
        {
          /* <pad> <eos> <bos> <unk>; <pad> </s> <unk> */
          g_assert_cmpint (TOKEN (tokens, i).id, >, kind == EASEL_TOKENIZER_GEMMA ? 3 : 2);
          if (kind == EASEL_TOKENIZER_GEMMA)
            g_assert_false (TOKEN (tokens, i).id >= 8 && TOKEN (tokens, i).id < 264); /* <0x00> … */
        }
    }
}

static void
test_empty (void)
{
  g_autoptr (EaselTokenizer) gemma = open_reference (EASEL_TOKENIZER_GEMMA);
  g_autoptr (EaselTokenizer) t5 = open_reference (EASEL_TOKENIZER_T5);
  g_autoptr (GArray) a = tokens_of (gemma, ""), b = tokens_of (t5, ""), c = tokens_of (t5, " \t ");

  g_assert_cmpuint (a->len, ==, 1);
  g_assert_cmpint (TOKEN (a, 0).id, ==, 2);
  g_assert_cmpuint (b->len, ==, 1);
  g_assert_cmpint (TOKEN (b, 0).id, ==, 1);
  g_assert_cmpuint (c->len, ==, 1);
  g_assert_cmpint (easel_tokenizer_vocab_size (gemma), ==, 1600);
  g_assert_cmpint (easel_tokenizer_vocab_size (t5), ==, 900);
}

static void
test_fixed (void)
{
  g_autoptr (EaselTokenizer) gemma = open_reference (EASEL_TOKENIZER_GEMMA);
  g_autoptr (EaselTokenizer) t5 = open_reference (EASEL_TOKENIZER_T5);
  static const char text[] = "two red balls next to a green cube";
  g_autoptr (GArray) whole = easel_tokenizer_encode (t5, text, NULL);
  g_autoptr (GArray) whole_gemma = easel_tokenizer_encode (gemma, text, NULL);
  gint32 ids[64];
  guint8 mask[64];
  int n = (int) whole->len, n_real;

  g_assert_cmpint (n, <, 60);
  g_assert_true (easel_tokenizer_encode_fixed (t5, text, 64, ids, mask, &n_real, NULL));
  g_assert_cmpint (n_real, ==, n);
  for (int i = 0; i < 64; i++)
    {
      g_assert_cmpint (ids[i], ==, i < n ? g_array_index (whole, gint32, i) : 0);
      g_assert_cmpint (mask[i], ==, i < n);
    }
  /* Cut by one place too few: </s> stays last. */
  g_assert_true (easel_tokenizer_encode_fixed (t5, text, n - 1, ids, mask, &n_real, NULL));
  g_assert_cmpint (n_real, ==, n);
  g_assert_cmpint (ids[n - 2], ==, 1);
  g_assert_cmpmem (ids, sizeof (gint32) * (gsize) (n - 2), whole->data, sizeof (gint32) * (gsize) (n - 2));
  g_assert_true (easel_tokenizer_encode_fixed (t5, text, 1, ids, NULL, NULL, NULL));
  g_assert_cmpint (ids[0], ==, 1);
  /* Gemma has no end mark. */
  g_assert_true (easel_tokenizer_encode_fixed (gemma, text, 4, ids, mask, &n_real, NULL));
  g_assert_cmpint (n_real, ==, (int) whole_gemma->len);
  g_assert_cmpmem (ids, 4 * sizeof (gint32), whole_gemma->data, 4 * sizeof (gint32));
}

/* Tokens cover the text from its beginning to its end, in order. */
static void
check_cover (EaselTokenizer *tokenizer, const char *text)
{
  g_autoptr (GArray) tokens = tokens_of (tokenizer, text);
  guint32 at = 0;

  for (guint i = 0; i < tokens->len; i++)
    {
      g_assert_cmpuint (TOKEN (tokens, i).begin, <=, TOKEN (tokens, i).end);
      g_assert_cmpuint (TOKEN (tokens, i).begin, >=, at);
      at = TOKEN (tokens, i).end;
    }
  g_assert_cmpuint (at, ==, strlen (text));
}

static void
test_odd_text (void)
{
  static const char *const texts[] = {
    "\xF0\x9F\x90\xBC \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80", /* emoji, joined by U+200D */
    "\x01\x02 bell\x07 \x7F",
    "\xE2\x96\x81 already a mark",
    "line\r\nbreaks\n\n\n\tand tabs",
    "\xEF\xBF\xBD \xEF\xBB\xBF" "byte order mark",
    "\xD9\xA0\xD9\xA1 \xE0\xB8\xAA\xE0\xB8\xA7\xE0\xB8\xB1 \xEF\xB7\xBA",
  };

  for (int kind = EASEL_TOKENIZER_GEMMA; kind <= EASEL_TOKENIZER_T5; kind++)
    {
      g_autoptr (EaselTokenizer) t = open_reference ((EaselTokenizerKind) kind);

      for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
        check_cover (t, texts[i]);
    }
}

static void
test_long_text (void)
{
  static const char *const units[] = { "x", "a cat ", "\xF0\x9F\x90\xBC", "\xE2\x81\x87", " ", "\n" };

  for (int kind = EASEL_TOKENIZER_GEMMA; kind <= EASEL_TOKENIZER_T5; kind++)
    {
      g_autoptr (EaselTokenizer) t = open_reference ((EaselTokenizerKind) kind);
      g_autoptr (GError) error = NULL;
      g_autofree char *over = g_strnfill (EASEL_TOKENIZER_MAX_BYTES + 1, 'x');

      for (gsize i = 0; i < G_N_ELEMENTS (units); i++)
        {
          g_autoptr (GString) text = g_string_new (NULL);

          while (text->len + strlen (units[i]) <= 65536)
            g_string_append (text, units[i]);
          check_cover (t, text->str);
        }
      g_assert_null (easel_tokenizer_tokens (t, over, &error));
      assert_refused (&error, EASEL_ERROR_BAD_REQUEST, "too long");
    }
}

static void
test_invalid_utf8 (void)
{
  static const char *const texts[] = { "ab\xFF", "ab\xC3", "ab\xED\xA0\x80", "ab\xC0\x80", "ab\xF8\x88\x80\x80\x80" };
  g_autoptr (EaselTokenizer) t = open_reference (EASEL_TOKENIZER_GEMMA);
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_assert_null (easel_tokenizer_encode (t, texts[i], &error));
      assert_refused (&error, EASEL_ERROR_BAD_REQUEST, "byte 3");
    }
}

static void
test_meter (void)
{
  g_autoptr (EaselTokenizer) gemma = open_reference (EASEL_TOKENIZER_GEMMA);
  g_autoptr (EaselTokenizer) t5 = open_reference (EASEL_TOKENIZER_T5);
  EaselTokenizer *both[] = { gemma, t5 };
  static const char text[] = "a cat \xF0\x9F\x90\xBC on a mat";

  for (int k = 0; k < 2; k++)
    {
      g_autoptr (GArray) tokens = tokens_of (both[k], text);
      EaselTokenMeter meter;
      int n = (int) tokens->len;

      for (int length = 1; length <= n + 1; length++)
        {
          g_assert_true (easel_tokenizer_meter (both[k], text, length, &meter, NULL));
          g_assert_cmpint (meter.used, ==, n - 1);
          g_assert_cmpint (meter.limit, ==, length - 1);
          if (length >= n)
            g_assert_cmpuint (meter.cut, ==, strlen (text));
          else
            g_assert_cmpuint (meter.cut, ==, TOKEN (tokens, (k == 0 ? length : length - 1)).begin);
          g_assert_true (g_utf8_validate (text + meter.cut, -1, NULL)); /* never inside a character */
        }
    }
}

static void
test_missing_files (void)
{
  g_autofree char *dir = g_dir_make_tmp ("easel-tokenizer-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "tokenizer.model", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (easel_tokenizer_open (dir, EASEL_TOKENIZER_GEMMA, &error));
  assert_refused (&error, EASEL_ERROR_NOT_FOUND, "neither tokenizer.model nor spiece.model");
  g_assert_null (easel_tokenizer_open ("/nonexistent/folder", EASEL_TOKENIZER_T5, &error));
  assert_refused (&error, EASEL_ERROR_NOT_FOUND, "/nonexistent/folder");
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  g_assert_null (easel_tokenizer_open (dir, EASEL_TOKENIZER_GEMMA, &error));
  assert_refused (&error, EASEL_ERROR_DAMAGED, "not a SentencePiece model");
  g_unlink (path);
  g_mkdir (path, 0700);
  g_assert_null (easel_tokenizer_open (dir, EASEL_TOKENIZER_GEMMA, &error));
  assert_refused (&error, EASEL_ERROR_DAMAGED, path);
  g_rmdir (path);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  g_assert_null (easel_tokenizer_open (dir, EASEL_TOKENIZER_GEMMA, &error));
  assert_refused (&error, EASEL_ERROR_DAMAGED, path);
  g_unlink (path);
  g_rmdir (dir);
}

/* Every file cut short is refused; no file with changed bytes ends the program. */
static void
test_damaged_files (void)
{
  static const char *const names[] = { "models/gemma-tokenizer/tokenizer.model", "models/t5-tokenizer/spiece.model" };
  g_autoptr (GRand) random = g_rand_new_with_seed (7);

  for (int kind = 0; kind < 2; kind++)
    {
      g_autofree char *path = reference_path (names[kind]), *data = NULL;
      gsize size;

      g_assert_true (g_file_get_contents (path, &data, &size, NULL));
      for (gsize cut = 0; cut < size; cut += 1 + cut / 40)
        {
          g_autoptr (GError) error = NULL;
          /* A copy, so that a sanitiser sees reading past its end. */
          g_autofree void *copy = g_memdup2 (data, cut);

          g_assert_null (easel_tokenizer_open_memory (copy, cut, (EaselTokenizerKind) kind, &error));
          g_assert_true (g_error_matches (error, EASEL_ERROR, EASEL_ERROR_DAMAGED)
                         || g_error_matches (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED));
        }
      for (int round = 0; round < 60; round++)
        {
          g_autoptr (GError) error = NULL;
          g_autofree guint8 *copy = g_memdup2 (data, size);
          g_autoptr (EaselTokenizer) t = NULL;

          for (int i = 0; i < 1 + round % 20; i++)
            copy[g_rand_int_range (random, 0, (gint32) size)] = (guint8) g_rand_int (random);
          t = easel_tokenizer_open_memory (copy, size, (EaselTokenizerKind) kind, &error);
          g_assert_true ((t == NULL) == (error != NULL));
          if (t != NULL)
            {
              g_autoptr (GArray) ids
                  = easel_tokenizer_encode (t, "a red ball \xEF\xB7\xBA \xEF\xBC\xA1 \xC3\xA9\x01\n", NULL);
            }
        }
    }
}

static void
refuse (GByteArray *model, EaselError code, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (easel_tokenizer_open_memory (model->data, model->len, EASEL_TOKENIZER_T5, &error));
  assert_refused (&error, code, text);
  g_byte_array_unref (model);
}

static void
test_hostile_pieces (void)
{
  g_autoptr (GString) nested = g_string_new (NULL);
  g_autofree char *huge = g_strnfill (1025, 'x');
  GByteArray *m = start_model ();
  g_autoptr (EaselTokenizer) good = NULL;

  /* The beginning is good by itself. */
  put_specs (m, 1, FALSE, NULL, 0);
  good = easel_tokenizer_open_memory (m->data, m->len, EASEL_TOKENIZER_T5, NULL);
  g_assert_nonnull (good);
  g_byte_array_unref (m);

  for (int type = 3; type <= 5; type++) /* words, characters, nothing */
    {
      m = start_model ();
      put_specs (m, type, FALSE, NULL, 0);
      refuse (m, EASEL_ERROR_UNSUPPORTED, "type");
    }
  m = start_model ();
  for (int i = 0; i < 65; i++)
    {
      g_string_append_c (nested, 'a');
      if (i > 0)
        put_piece (m, nested->str, 0, USER_DEFINED);
    }
  g_string_append_c (nested, 'a');
  put_piece (m, nested->str, 0, USER_DEFINED);
  put_specs (m, 2, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "begin alike");
  m = start_model ();
  put_sized_piece (m, "c\0d", 3, 0, NORMAL);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "UTF-8");
  m = start_model ();
  put_piece (m, "\xE2\x96", 0, NORMAL);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "UTF-8");
  m = start_model ();
  put_piece (m, "", 0, NORMAL);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "empty");
  m = start_model ();
  put_piece (m, huge, 0, NORMAL);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "too long");
  m = start_model ();
  put_piece (m, "c", (float) G_MAXDOUBLE * 0.0f / 0.0f, NORMAL);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "not a number");
  m = start_model ();
  put_piece (m, "a", 0, NORMAL);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, NULL);
  m = start_model ();
  put_piece (m, "<unk2>", 0, UNKNOWN);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, NULL);
  m = start_model ();
  put_specs (m, 1, TRUE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "byte");
  m = start_model ();
  put_piece (m, "c", 0, 9);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "unknown type");
  m = g_byte_array_new ();
  put_piece (m, "a", 0, NORMAL);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_DAMAGED, "unknown text");
  m = g_byte_array_new ();
  put_piece (m, "a", 0, NORMAL);
  put_piece (m, "<unk>", 0, UNKNOWN);
  put_specs (m, 1, FALSE, NULL, 0);
  refuse (m, EASEL_ERROR_UNSUPPORTED, "padding");
}

/* A normalisation table of two blocks of units. Unit 0 is the root, with its children around `base`. */
typedef struct
{
  guint32 trie_bytes, unit[512];
  char strings[600];
} Table;

#define LEAF (1u << 8)
#define NODE(at, base, label, leaf) ((((at) ^ (base)) << 10) | (leaf) | (label))

static void
try_table (Table *table, gsize size, const char *problem)
{
  GByteArray *m = start_model ();

  table->trie_bytes = GUINT32_TO_LE (table->trie_bytes);
  for (int i = 0; i < 512; i++)
    table->unit[i] = GUINT32_TO_LE (table->unit[i]);
  put_specs (m, 1, FALSE, table, size);
  if (problem != NULL)
    {
      refuse (m, EASEL_ERROR_DAMAGED, problem);
      return;
    }
  g_autoptr (EaselTokenizer) t = easel_tokenizer_open_memory (m->data, m->len, EASEL_TOKENIZER_T5, NULL);
  g_assert_nonnull (t);
  g_autoptr (GArray) ids = easel_tokenizer_encode (t, "x", NULL);
  g_assert_cmpuint (ids->len, ==, 3); /* a space, x that became a, </s> */
  g_assert_cmpint (g_array_index (ids, gint32, 1), ==, 4);
  g_byte_array_unref (m);
}

static void
test_hostile_tables (void)
{
  Table good = { .trie_bytes = 2048, .strings = "a" }, t;

  for (int i = 0; i < 512; i++)
    good.unit[i] = 1u << 31; /* no node */
  /* "x" -> "a": root (0) -> children at 256; unit 256 ^ 'x' has a leaf at its own base 300, value 0. */
  good.unit[0] = NODE (0u, 256u, 0, 0);
  good.unit[256 ^ 'x'] = NODE (256u ^ 'x', 300u, 'x', LEAF);
  good.unit[300] = 1u << 31;
  t = good;
  try_table (&t, sizeof t, NULL);
  t = good;
  t.unit[0] = NODE (0u, 512u, 0, 0);
  try_table (&t, sizeof t, "out of its table");
  t = good;
  t.unit[256 ^ 'x'] = NODE (256u ^ 'x', 100000u, 'x', LEAF);
  try_table (&t, sizeof t, "out of its table");
  t = good;
  t.unit[300] = 1u << 31 | 600;
  try_table (&t, sizeof t, "outside of it");
  t = good;
  memset (t.strings, 'a', sizeof t.strings);
  try_table (&t, sizeof t, "too long");
  t = good;
  strcpy (t.strings, "\xC3");
  try_table (&t, sizeof t, "not UTF-8");
  t = good; /* x leads to itself: xxxx… would match without end */
  t.unit[256 ^ 'x'] = NODE (256u ^ 'x', 256u, 'x', LEAF);
  try_table (&t, sizeof t, "circle");
  t = good;
  t.trie_bytes = sizeof t - 4;
  try_table (&t, sizeof t, "sizes");
  t = good;
  try_table (&t, 3, "cut short");
  /* Nested rules "x", "xx", "xxx", …: node i has its children around 256 + i, and its value there. */
  for (guint32 n = 32; n <= 33; n++)
    {
      t = good;
      for (guint32 i = 1; i <= n; i++)
        {
          guint32 at = (256 + i - 1) ^ 'x';

          t.unit[at] = NODE (at, 256 + i, 'x', LEAF);
        }
      try_table (&t, sizeof t, n == 32 ? NULL : "begin alike");
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tokenizer/special-text", test_special_text);
  g_test_add_func ("/tokenizer/empty", test_empty);
  g_test_add_func ("/tokenizer/fixed", test_fixed);
  g_test_add_func ("/tokenizer/odd-text", test_odd_text);
  g_test_add_func ("/tokenizer/long-text", test_long_text);
  g_test_add_func ("/tokenizer/invalid-utf8", test_invalid_utf8);
  g_test_add_func ("/tokenizer/meter", test_meter);
  g_test_add_func ("/tokenizer/missing-files", test_missing_files);
  g_test_add_func ("/tokenizer/damaged-files", test_damaged_files);
  g_test_add_func ("/tokenizer/hostile-pieces", test_hostile_pieces);
  g_test_add_func ("/tokenizer/hostile-tables", test_hostile_tables);
  return g_test_run ();
}
