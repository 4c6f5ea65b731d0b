/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parity of the text room: tokenizers, Gemma 2, T5.
 */
#include "tests/parity/parity.h"

#include <string.h>

#include "engine/core/weights.h"
#include "engine/text/gemma2.h"
#include "engine/text/prompt-text.h"
#include "engine/text/sana-prompt.h"
#include "engine/text/t5.h"
#include "engine/text/tokenizer.h"

#define ENCODER_BOUND 2e-5
#define ARENA_BYTES (256u << 20)

static EaselTokenizer *
open_tokenizer (ParityCase *c, const char *name, EaselTokenizerKind kind, GError **error)
{
  g_autofree char *dir = g_build_filename (c->dir, name, NULL);

  return easel_tokenizer_open (dir, kind, error);
}

/* The ids of `text` against the case's tensor PREFIX.I. */
static gboolean
check_ids (ParityCase *c, EaselTokenizer *tokenizer, const char *prefix, guint i, const char *text, GError **error)
{
  g_autoptr (GArray) ids = easel_tokenizer_encode (tokenizer, text, error);
  g_autofree char *name = g_strdup_printf ("%s.%u", prefix, i);
  g_autofree gint64 *wide = NULL;

  if (ids == NULL)
    return FALSE;
  wide = g_new (gint64, ids->len);
  for (guint k = 0; k < ids->len; k++)
    wide[k] = g_array_index (ids, gint32, k);
  parity_check_ints (c, name, wide, ids->len);
  return TRUE;
}

static gboolean
run_tokenizers (ParityCase *c, GError **error)
{
  g_autoptr (EaselTokenizer) gemma = open_tokenizer (c, "models/gemma-tokenizer", EASEL_TOKENIZER_GEMMA, error);
  g_autoptr (EaselTokenizer) t5 = gemma ? open_tokenizer (c, "models/t5-tokenizer", EASEL_TOKENIZER_T5, error) : NULL;
  JsonArray *prompts = json_object_get_array_member (c->meta, "prompts");
  const char *instruction = json_object_get_string_member (c->meta, "chi");

  if (t5 == NULL)
    return FALSE;
  parity_row (c, "complex human instruction", strcmp (instruction, easel_sana_human_instruction ()) != 0, 0);
  for (guint i = 0; i < json_array_get_length (prompts); i++)
    {
      const char *prompt = json_array_get_string_element (prompts, i);
      g_autofree char *instructed = g_strconcat (instruction, prompt, NULL);

      if (!check_ids (c, gemma, "gemma", i, prompt, error) || !check_ids (c, gemma, "gemma_chi", i, instructed, error)
          || !check_ids (c, t5, "t5", i, prompt, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
run_t5_tokenizer (ParityCase *c, GError **error)
{
  g_autofree char *dir = parity_model_dir (c, "tokenizer", error);
  g_autoptr (EaselTokenizer) t5 = dir ? easel_tokenizer_open (dir, EASEL_TOKENIZER_T5, error) : NULL;
  JsonArray *prompts = json_object_get_array_member (c->meta, "prompts");

  if (t5 == NULL)
    return FALSE;
  for (guint i = 0; i < json_array_get_length (prompts); i++)
    if (!check_ids (c, t5, "ids", i, json_array_get_string_element (prompts, i), error))
      return FALSE;
  return TRUE;
}

/* Configuration and weights of the case's model. */
static EaselWeights *
open_model (ParityCase *c, JsonObject **config, GError **error)
{
  g_autofree char *dir = parity_model_dir (c, "model", error);
  g_autofree char *path = dir ? g_build_filename (dir, "config.json", NULL) : NULL;
  EaselWeights *weights;

  *config = path ? easel_json_load (path, error) : NULL;
  if (*config == NULL)
    return NULL;
  weights = parity_weights (c, dir, error);
  if (weights == NULL)
    g_clear_pointer (config, json_object_unref);
  return weights;
}

static gint32 *
ids_of (ParityCase *c, const char *name, gint64 *n, GError **error)
{
  g_autofree gint64 *wide = parity_ints (c, name, n, error);
  gint32 *ids;

  if (wide == NULL)
    return NULL;
  ids = g_new (gint32, *n);
  for (gint64 i = 0; i < *n; i++)
    ids[i] = (gint32) wide[i];
  return ids;
}

static gboolean
check_gemma (ParityCase *c, EaselGemma2 *gemma, EaselStream *stream, int index, GError **error)
{
  g_autofree char *ids_name = g_strdup_printf ("ids.%d", index), *mask_name = g_strdup_printf ("mask.%d", index);
  g_autofree char *last_name = g_strdup_printf ("last.%d", index);
  gint64 n, n_mask, size = easel_gemma2_hidden_size (gemma);
  g_autofree gint32 *ids = ids_of (c, ids_name, &n, error);
  g_autofree gint64 *wide = ids ? parity_ints (c, mask_name, &n_mask, error) : NULL;
  g_autofree guint8 *mask = NULL;
  g_autofree float *last = NULL;
  g_autoptr (GPtrArray) hidden = g_ptr_array_new_with_free_func (g_free);
  size_t mark = easel_stream_mark (stream);
  EaselTensor out;

  if (wide == NULL)
    return FALSE;
  mask = g_new (guint8, n);
  for (gint64 i = 0; i < n; i++)
    mask[i] = wide[i] != 0;
  for (int k = 0; k <= easel_gemma2_n_layers (gemma); k++)
    g_ptr_array_add (hidden, g_new0 (float, n * size));
  last = g_new0 (float, n * size);
  if (!easel_gemma2_encode (gemma, stream, 1, (int) n, ids, mask, &out, (float **) hidden->pdata, NULL, error))
    return FALSE;
  parity_download (stream, last, out);
  if (!easel_stream_check (stream, "Reading the prompt", error))
    return FALSE;
  parity_check_rows (c, last_name, last, n, size, mask, ENCODER_BOUND);
  for (guint k = 0; k < hidden->len; k++)
    {
      g_autofree char *name = g_strdup_printf ("hidden.%d.%u", index, k);

      parity_check_rows (c, name, hidden->pdata[k], n, size, mask, ENCODER_BOUND);
    }
  easel_stream_release (stream, mark);
  return TRUE;
}

static gboolean
run_gemma2 (ParityCase *c, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = open_model (c, &config, error);
  g_autoptr (EaselGemma2) gemma = weights ? easel_gemma2_new (config, weights, c->device, error) : NULL;
  EaselStream *stream = NULL;
  gboolean ok = gemma != NULL;

  if (ok && easel_stream_open (c->device, ARENA_BYTES, &stream) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "no arena");
      return FALSE;
    }
  for (int i = 0; ok; i++)
    {
      g_autofree char *name = g_strdup_printf ("ids.%d", i);

      if (!parity_has (c, name))
        break;
      ok = check_gemma (c, gemma, stream, i, error);
    }
  easel_stream_close (&stream);
  return ok;
}

static gboolean
check_t5 (ParityCase *c, EaselT5 *t5, EaselStream *stream, int index, GError **error)
{
  g_autofree char *ids_name = g_strdup_printf ("ids.%d", index), *out_name = g_strdup_printf ("out.%d", index);
  gint64 n, size = easel_t5_hidden_size (t5);
  g_autofree gint32 *ids = ids_of (c, ids_name, &n, error);
  g_autofree float *got = NULL;
  size_t mark = easel_stream_mark (stream);
  EaselTensor out;

  if (ids == NULL || !easel_t5_encode (t5, stream, 1, (int) n, ids, &out, NULL, error))
    return FALSE;
  got = g_new0 (float, n * size);
  parity_download (stream, got, out);
  if (!easel_stream_check (stream, "Reading the prompt", error))
    return FALSE;
  parity_check (c, out_name, got, n * size, ENCODER_BOUND);
  easel_stream_release (stream, mark);
  return TRUE;
}

static gboolean
run_t5 (ParityCase *c, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = open_model (c, &config, error);
  g_autoptr (EaselT5) t5 = weights ? easel_t5_new (config, weights, c->device, error) : NULL;
  EaselStream *stream = NULL;
  gboolean ok = t5 != NULL;

  if (ok && easel_stream_open (c->device, ARENA_BYTES, &stream) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "no arena");
      return FALSE;
    }
  for (int i = 0; ok; i++)
    {
      g_autofree char *name = g_strdup_printf ("ids.%d", i);

      if (!parity_has (c, name))
        break;
      ok = check_t5 (c, t5, stream, i, error);
    }
  easel_stream_close (&stream);
  return ok;
}

/* A prompt through the rules of SanaPipeline, with and without the instruction: mask and kept states. */
static gboolean
check_prompt (ParityCase *c, EaselTokenizer *tokenizer, EaselGemma2 *gemma, EaselStream *stream, guint index,
              gboolean instructed, GError **error)
{
  const char *text = json_array_get_string_element (json_object_get_array_member (c->meta, "prompts"), index);
  int n = (int) json_object_get_int_member (c->meta, "max_tokens");
  g_autoptr (EaselSanaTokens) tokens
      = easel_sana_tokens_new (tokenizer, text, instructed ? easel_sana_human_instruction () : NULL, n, error);
  g_autofree char *embeds_name = g_strdup_printf ("embeds.%u.%d", index, instructed);
  g_autofree char *mask_name = g_strdup_printf ("mask.%u.%d", index, instructed);
  g_autofree guint8 *mask = g_new0 (guint8, n);
  g_autofree gint64 *wide = g_new0 (gint64, n);
  gint64 size = easel_gemma2_hidden_size (gemma);
  g_autofree float *got = g_new0 (float, n * size);
  EaselTensor embeds;

  if (tokens == NULL || !easel_sana_encode_prompt (gemma, stream, tokens, &embeds, mask, NULL, error))
    return FALSE;
  parity_download (stream, got, embeds);
  if (!easel_stream_check (stream, "Reading the prompt", error))
    return FALSE;
  easel_stream_release (stream, 0);
  for (int i = 0; i < n; i++)
    wide[i] = mask[i];
  parity_check_ints (c, mask_name, wide, n);
  parity_check_rows (c, embeds_name, got, n, size, mask, ENCODER_BOUND);
  return TRUE;
}

static gboolean
run_prompts (ParityCase *c, GError **error)
{
  g_autofree char *dir = parity_model_dir (c, "tokenizer", error);
  g_autoptr (EaselTokenizer) tokenizer = dir ? easel_tokenizer_open (dir, EASEL_TOKENIZER_GEMMA, error) : NULL;
  g_autoptr (JsonObject) config = NULL;
  EaselWeights *weights = tokenizer ? open_model (c, &config, error) : NULL;
  g_autoptr (EaselGemma2) gemma = weights ? easel_gemma2_new (config, weights, c->device, error) : NULL;
  guint n = json_array_get_length (json_object_get_array_member (c->meta, "prompts"));
  EaselStream *stream = NULL;
  gboolean ok = gemma != NULL;

  if (ok && easel_stream_open (c->device, ARENA_BYTES, &stream) != EASEL_STATUS_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "no arena");
      return FALSE;
    }
  for (guint i = 0; i < 2 * n && ok; i++)
    ok = check_prompt (c, tokenizer, gemma, stream, i / 2, i % 2, error);
  easel_stream_close (&stream);
  return ok;
}

/* Lower case and white space: how many texts differ. */
static gboolean
run_lower (ParityCase *c, GError **error)
{
  JsonArray *texts = json_object_get_array_member (c->meta, "texts");
  JsonArray *lowered = json_object_get_array_member (c->meta, "lowered");
  int differ = 0;

  for (guint i = 0; i < json_array_get_length (texts); i++)
    {
      g_autofree char *low = easel_prompt_lower_strip (json_array_get_string_element (texts, i), NULL, error);

      if (low == NULL)
        return FALSE;
      differ += strcmp (low, json_array_get_string_element (lowered, i)) != 0;
    }
  parity_row (c, "texts whose lower case differs", differ, 0);
  return TRUE;
}

const ParityFamily parity_text[] = {
  { "tokenizers", run_tokenizers },
  { "t5-real-tokenizer", run_t5_tokenizer },
  { "gemma2", run_gemma2 },
  { "t5", run_t5 },
  { "prompts-sana-*", run_prompts },
  { "prompts-lower", run_lower },
  { NULL },
};
