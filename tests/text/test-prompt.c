/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The prompt rules: lower case and white space as Python has them, Sana's instruction, what is kept, the token meter.
 */
#include <math.h>
#include <string.h>

#include "engine/core/json.h"
#include "engine/core/request.h"
#include "engine/text/prompt-text.h"
#include "engine/text/sana-prompt.h"
#include "tests/text/text-common.h"

/* Right-hand sides are what Python 3.11 prints for left.lower ().strip (). */
static void
test_lower_strip (void)
{
  static const struct
  {
    const char *text, *low;
  } cases[] = {
    { "", "" },
    { "  A Cat \n", "a cat" },
    { " \t\v\f\r\n\x1C\x1D\x1E\x1F", "" },
    { "\xC2\xA0\xE3\x80\x80X\xE2\x80\xA9\xC2\x85", "x" },
    { "\xE2\x80\x8BX\xEF\xBB\xBF", "\xE2\x80\x8Bx\xEF\xBB\xBF" }, /* U+200B and U+FEFF are no white space */
    { "\xC3\x84\xC3\x96\xC3\x9C \xC3\x89", "\xC3\xA4\xC3\xB6\xC3\xBC \xC3\xA9" },
    { "\xC4\xB0stanbul I", "i\xCC\x87stanbul i" },     /* not Turkish, whatever the locale */
    { "\xE1\xBA\x9E", "\xC3\x9F" },
    { "\xC7\x84\xC7\x85", "\xC7\x86\xC7\x86" },        /* titlecase too */
    { "\xE2\x85\xA7 \xE2\x92\xB6", "\xE2\x85\xB7 \xE2\x93\x90" },
    { "\xCE\xA3", "\xCF\x83" },                        /* alone */
    { "\xCE\x91\xCE\xA3", "\xCE\xB1\xCF\x82" },        /* at the end of a word */
    { "\xCE\x91\xCE\xA3 \xCE\xA3\xCE\x91", "\xCE\xB1\xCF\x82 \xCF\x83\xCE\xB1" },
    { "\xCE\x91\xCE\xA3'\xCE\x91", "\xCE\xB1\xCF\x83'\xCE\xB1" }, /* an apostrophe is looked past */
    { "\xCE\x91.\xCE\xA3", "\xCE\xB1.\xCF\x82" },
    { "\xF0\x90\x90\x80 \xF0\x9F\x90\xBC", "\xF0\x90\x90\xA8 \xF0\x9F\x90\xBC" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree guint32 *origin = NULL;
      g_autofree char *low = easel_prompt_lower_strip (cases[i].text, &origin, &error);
      gsize n;

      g_assert_no_error (error);
      g_assert_cmpstr (low, ==, cases[i].low);
      n = strlen (low);
      for (gsize k = 0; k < n; k++)
        {
          g_assert_cmpuint (origin[k], <=, origin[k + 1]);
          g_assert_cmpuint (origin[k], <, strlen (cases[i].text));
          g_assert_true (g_utf8_validate (cases[i].text + origin[k], -1, NULL));
        }
      g_assert_cmpuint (origin[n], <=, strlen (cases[i].text));
    }
}

static void
test_refused_text (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *whole = g_strnfill (EASEL_PROMPT_MAX_BYTES, 'X');
  g_autofree char *over = g_strnfill (EASEL_PROMPT_MAX_BYTES + 1, 'X');
  g_autofree char *low = easel_prompt_lower_strip (whole, NULL, NULL);

  g_assert_cmpuint (strlen (low), ==, EASEL_PROMPT_MAX_BYTES);
  g_assert_null (easel_prompt_lower_strip (over, NULL, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, "too long");
  g_assert_null (easel_prompt_lower_strip ("caf\xE9", NULL, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, "byte 4");
}

static EaselTokenizer *
open_gemma (void)
{
  g_autofree char *dir = reference_path ("models/gemma-tokenizer");
  EaselTokenizer *self = easel_tokenizer_open (dir, EASEL_TOKENIZER_GEMMA, NULL);

  g_assert_nonnull (self);
  return self;
}

/* Ids, mask and selection against the tokenizer alone and against the rules as SanaPipeline spells them. */
static void
test_tokens (void)
{
  static const char *const texts[] = { "", "a red ball", "\xF0\x9F\x90\xBC panda", "tabbed\tline\nof text" };
  g_autoptr (EaselTokenizer) t = open_gemma ();
  const char *instruction = easel_sana_human_instruction ();
  g_autoptr (GArray) alone = easel_tokenizer_encode (t, instruction, NULL);

  for (int with = 0; with < 2; with++)
    for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
      for (int max_tokens = 2; max_tokens <= 302; max_tokens += 3)
        {
          g_autofree char *full = g_strconcat (with ? instruction : "", texts[i], NULL);
          g_autoptr (GArray) ids = easel_tokenizer_encode (t, full, NULL);
          g_autoptr (EaselSanaTokens) s
              = easel_sana_tokens_new (t, texts[i], with ? instruction : NULL, max_tokens, NULL);
          int length = with ? (int) alone->len + max_tokens - 2 : max_tokens;

          g_assert_nonnull (s);
          g_assert_cmpint (s->length, ==, length);
          g_assert_cmpint (s->n_real, ==, MIN (length, (int) ids->len));
          g_assert_cmpint (s->n_selected, ==, max_tokens);
          for (int k = 0; k < length; k++)
            {
              g_assert_cmpint (s->mask[k], ==, k < (int) ids->len);
              g_assert_cmpint (s->ids[k], ==, k < (int) ids->len ? g_array_index (ids, gint32, k) : 0);
            }
          g_assert_cmpint (s->select[0], ==, 0);
          for (int k = 1; k < max_tokens; k++)
            g_assert_cmpint (s->select[k], ==, length - max_tokens + k);
          if (!with)
            g_assert_cmpint (s->n_prompt, ==, (int) ids->len - 1);
        }
}

static void
test_tokens_refused (void)
{
  g_autoptr (EaselTokenizer) t = open_gemma ();
  g_autoptr (GError) error = NULL;
  gint32 ids[4] = { 2, 20, 0, 0 };

  g_assert_null (easel_sana_tokens_new (t, "a", NULL, 1, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, "max_sequence_length");
  g_assert_null (easel_sana_tokens_new (t, "a", NULL, 100000, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, "max_sequence_length");
  g_assert_null (easel_sana_tokens_new (t, "a\xFF", NULL, 300, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, "UTF-8");
  g_assert_null (easel_sana_tokens_new_from_ids (ids, 4, 0, 5, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, "4 tokens");
  g_autoptr (EaselSanaTokens) s = easel_sana_tokens_new_from_ids (ids, 4, 0, 3, &error);
  g_assert_no_error (error);
  g_assert_cmpint (s->n_real, ==, 2);
  g_assert_cmpint (s->select[1], ==, 2);
}

static void
test_meter (void)
{
  g_autoptr (EaselTokenizer) t = open_gemma ();
  const char *instruction = easel_sana_human_instruction ();
  g_autoptr (GString) long_text = g_string_new ("  \xC4\xB0 ");
  EaselTokenMeter m;

  g_assert_true (easel_sana_token_meter (t, "   ", instruction, 300, &m, NULL));
  g_assert_cmpint (m.used, ==, 0);
  g_assert_cmpuint (m.cut, ==, 3);
  g_assert_true (easel_sana_token_meter (t, "A Cat", NULL, 300, &m, NULL));
  g_assert_cmpint (m.limit, ==, 299);
  g_assert_cmpint (m.used, >, 0);
  g_assert_cmpuint (m.cut, ==, 5);
  while (long_text->len < 4000)
    g_string_append_printf (long_text, "Word%u ", (guint) long_text->len);
  for (int with = 0; with < 2; with++)
    for (int max_tokens = 2; max_tokens < 400; max_tokens += 57)
      {
        const char *before = with ? instruction : NULL;
        g_autoptr (EaselSanaTokens) whole = easel_sana_tokens_new (t, long_text->str, before, max_tokens, NULL);
        g_autofree char *seen = NULL;

        g_assert_true (easel_sana_token_meter (t, long_text->str, before, max_tokens, &m, NULL));
        g_assert_cmpint (m.used, ==, whole->n_prompt);
        g_assert_cmpint (m.limit, >=, max_tokens - 2);
        g_assert_cmpint (m.limit, <, max_tokens);
        g_assert_cmpuint (m.cut, <, long_text->len);
        /* What is before the cut fits. */
        seen = g_strndup (long_text->str, m.cut);
        g_assert_true (easel_sana_token_meter (t, seen, before, max_tokens, &m, NULL));
        g_assert_cmpint (m.used, <=, m.limit);
      }
}

typedef struct
{
  EaselDevice *cpu, *dry;
  EaselStream *stream;
  EaselGemma2 *gemma;
  EaselTokenizer *tokenizer;
} Fixture;

static EaselGemma2 *
load_gemma (EaselDevice *device)
{
  g_autofree char *dir = reference_path ("models/gemma2-tiny"), *path = g_build_filename (dir, "config.json", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) config = easel_json_load (path, &error);
  EaselWeights *weights = easel_weights_open (dir, NULL, &error);
  EaselGemma2 *self = easel_gemma2_new (config, weights, device, &error);

  g_assert_no_error (error);
  return self;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  (void) data;
  g_assert_cmpint (easel_cpu_device_open (2, &f->cpu), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_dry_device_open (EASEL_DTYPE_F32, &f->dry), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_stream_open (f->cpu, 64 << 20, &f->stream), ==, EASEL_STATUS_OK);
  f->gemma = load_gemma (f->cpu);
  f->tokenizer = open_gemma ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  (void) data;
  easel_gemma2_free (f->gemma);
  easel_tokenizer_free (f->tokenizer);
  easel_stream_close (&f->stream);
  easel_device_close (&f->cpu);
  easel_device_close (&f->dry);
}

/* From the reference's ids to its embeddings; rows that are not real are zeros. */
static void
check_embeds (Fixture *f, const char *file, const char *prefix)
{
  g_autoptr (EaselSafetensors) c = easel_safetensors_open (file, NULL);
  g_autofree char *ids_name = g_strconcat (strcmp (prefix, "neg") ? "" : "neg_", "ids", NULL);
  g_autofree char *embeds_name = g_strconcat (prefix, "_embeds", NULL);
  g_autofree char *mask_name = g_strconcat (prefix, "_mask", NULL);
  EaselTensor ids, want, want_mask, got;
  g_autofree gint32 *narrow = NULL;
  g_autofree guint8 *mask = NULL;
  g_autofree float *values = NULL;
  g_autoptr (GError) error = NULL;
  double difference = 0, size = 0;
  gint64 n, hidden;

  g_assert_true (easel_safetensors_find (c, ids_name, &ids));
  g_assert_true (easel_safetensors_find (c, embeds_name, &want));
  g_assert_true (easel_safetensors_find (c, mask_name, &want_mask));
  n = want.shape[1];
  hidden = want.shape[2];
  narrow = g_new (gint32, ids.shape[1]);
  for (gint64 i = 0; i < ids.shape[1]; i++)
    narrow[i] = (gint32) ((const gint64 *) ids.data)[i];
  g_autoptr (EaselSanaTokens) tokens
      = easel_sana_tokens_new_from_ids (narrow, (int) ids.shape[1], 0, (int) n, &error);
  g_assert_no_error (error);
  mask = g_new0 (guint8, n);
  g_assert_true (easel_sana_encode_prompt (f->gemma, f->stream, tokens, &got, mask, NULL, &error));
  g_assert_no_error (error);
  values = g_new0 (float, n * hidden);
  easel_download (f->stream, values, got);
  for (gint64 i = 0; i < n; i++)
    {
      g_assert_cmpint (mask[i], ==, ((const gint64 *) want_mask.data)[i]);
      for (gint64 k = i * hidden; k < (i + 1) * hidden; k++)
        {
          double w = ((const float *) want.data)[k];

          if (!mask[i])
            g_assert_cmpfloat (values[k], ==, 0);
          else
            {
              difference += (values[k] - w) * (values[k] - w);
              size += w * w;
            }
        }
    }
  g_test_message ("%s %s: %g", file, prefix, sqrt (difference / size));
  g_assert_true (difference <= size * 2e-5 * 2e-5);
  easel_stream_release (f->stream, 0);
}

static void
test_embeds (Fixture *f, gconstpointer data)
{
  static const char *const full[] = { "e2e-sana-dpm-chi", "e2e-sana-euler", "e2e-sana15-dpm" };
  g_autofree char *path = reference_path ("cases/e2e-sana-dpm.safetensors");

  (void) data;
  check_embeds (f, path, "prompt");
  check_embeds (f, path, "neg");
  for (gsize i = 0; i < G_N_ELEMENTS (full); i++)
    {
      g_autofree char *name = g_strdup_printf ("cases/%s.safetensors", full[i]), *more = golden_path (name);

      if (more == NULL)
        g_test_message ("skipping %s: not here", name);
      else
        check_embeds (f, more, "prompt");
    }
}

/* The dry device measures what the CPU then takes, and only the embeddings stay. */
static void
test_memory (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = { "", "a red ball to the left of a green cube" };
  g_autoptr (EaselGemma2) dry_gemma = load_gemma (f->dry);
  guint8 mask[300];

  (void) data;
  for (int with = 0; with < 2; with++)
    for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
      {
        g_autoptr (EaselSanaTokens) tokens = easel_sana_tokens_new (
            f->tokenizer, texts[i], with ? easel_sana_human_instruction () : NULL, 300, NULL);
        g_autoptr (GError) error = NULL;
        g_autoptr (EaselGemma2) gemma = load_gemma (f->cpu), again = load_gemma (f->cpu); /* that remember nothing */
        EaselStream *dry = NULL, *exact = NULL;
        EaselTensor got;

        g_assert_cmpint (easel_stream_open (f->dry, 0, &dry), ==, EASEL_STATUS_OK);
        g_assert_true (easel_sana_encode_prompt (dry_gemma, dry, tokens, &got, mask, NULL, &error));
        g_assert_cmpuint (dry->used, ==, 300 * 96 * sizeof (float));
        g_assert_cmpint (easel_stream_open (f->cpu, dry->peak, &exact), ==, EASEL_STATUS_OK);
        g_assert_true (easel_sana_encode_prompt (gemma, exact, tokens, &got, mask, NULL, &error));
        g_assert_cmpuint (exact->peak, ==, dry->peak);
        g_assert_cmpuint (exact->used, ==, dry->used);
        easel_stream_close (&exact);
        /* A byte less is an answer, not a crash, and leaves nothing behind. */
        g_assert_cmpint (easel_stream_open (f->cpu, dry->peak - 1, &exact), ==, EASEL_STATUS_OK);
        g_assert_false (easel_sana_encode_prompt (again, exact, tokens, &got, mask, NULL, &error));
        assert_refused (&error, EASEL_ERROR_NO_MEMORY, NULL);
        g_assert_cmpuint (exact->used, ==, 0);
        easel_stream_close (&exact);
        easel_stream_close (&dry);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prompt/lower-strip", test_lower_strip);
  g_test_add_func ("/prompt/refused-text", test_refused_text);
  g_test_add_func ("/prompt/tokens", test_tokens);
  g_test_add_func ("/prompt/tokens-refused", test_tokens_refused);
  g_test_add_func ("/prompt/meter", test_meter);
  g_test_add ("/prompt/embeds", Fixture, NULL, set_up, test_embeds, tear_down);
  g_test_add ("/prompt/memory", Fixture, NULL, set_up, test_memory, tear_down);
  return g_test_run ();
}
