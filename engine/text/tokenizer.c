/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See tokenizer.h. Pieces come from libsentencepiece without any of its own special tokens; <bos> and </s> are put
 * around them here, so no text can spell them.
 */
#include "engine/text/tokenizer.h"

#include <string.h>

#include "engine/core/files.h"
#include "engine/text/sentencepiece-shim.h"
#include "engine/text/spm-model.h"

struct EaselTokenizer
{
  EaselSpm *spm;
  EaselTokenizerKind kind;
  int n_pieces, bos, eos, pad;
};

static EaselTokenizer *
open_model (const void *data, gsize size, const char *where, EaselTokenizerKind kind, GError **error)
{
  g_auto (EaselSpmModel) model = { NULL };
  EaselTokenizer *self;
  EaselSpm *spm = NULL;
  EaselSpmStatus status;
  gboolean gemma = kind == EASEL_TOKENIZER_GEMMA;
  char message[256] = "";

  if (!easel_spm_model_read (data, size, where, &model, error))
    return NULL;
  if (model.pad < 0 || (gemma ? model.bos : model.eos) < 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s has no piece for %s; it is not a %s tokenizer.",
                   where, model.pad < 0 ? "padding" : gemma ? "the beginning of text" : "the end of text",
                   gemma ? "Gemma" : "T5");
      return NULL;
    }
  status = easel_spm_open (model.data, model.size, &spm, message, sizeof message);
  if (status == EASEL_SPM_NO_MEMORY)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to load %s.", where);
      return NULL;
    }
  if (status != EASEL_SPM_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is damaged: %s. Download the tokenizer again.", where,
                   message);
      return NULL;
    }
  self = g_new0 (EaselTokenizer, 1);
  self->spm = spm;
  self->kind = kind;
  self->n_pieces = model.n_pieces;
  self->bos = model.bos;
  self->eos = model.eos;
  self->pad = model.pad;
  return self;
}

EaselTokenizer *
easel_tokenizer_open (const char *dir, EaselTokenizerKind kind, GError **error)
{
  static const char *const names[] = { "tokenizer.model", "spiece.model" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (dir, names[i], NULL);
      g_autoptr (GError) problem = NULL;
      gsize size = 0;
      g_autofree char *data = easel_read_small_file (path, EASEL_SPM_MAX_BYTES, &size, &problem);

      if (data != NULL)
        return open_model (data, size, path, kind, error);
      if (!g_error_matches (problem, EASEL_ERROR, EASEL_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&problem));
          return NULL;
        }
    }
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
               "%s has neither tokenizer.model nor spiece.model. Download the tokenizer again.", dir);
  return NULL;
}

EaselTokenizer *
easel_tokenizer_open_memory (const void *data, gsize size, EaselTokenizerKind kind, GError **error)
{
  return open_model (data, size, "The tokenizer", kind, error);
}

void
easel_tokenizer_free (EaselTokenizer *self)
{
  if (self == NULL)
    return;
  easel_spm_free (self->spm);
  g_free (self);
}

int
easel_tokenizer_vocab_size (EaselTokenizer *self)
{
  return self->n_pieces;
}

int
easel_tokenizer_pad_id (EaselTokenizer *self)
{
  return self->pad;
}

static void
append_token_cb (void *user, int32_t id, uint32_t begin, uint32_t end)
{
  EaselToken token = { id, begin, end };

  g_array_append_val ((GArray *) user, token);
}

GArray *
easel_tokenizer_tokens (EaselTokenizer *self, const char *text, GError **error)
{
  gsize size = strlen (text);
  g_autoptr (GArray) tokens = NULL;
  EaselToken special = { 0 };
  EaselSpmStatus status;
  const char *bad;
  char message[256] = "";

  if (size > EASEL_TOKENIZER_MAX_BYTES)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "The prompt is too long: %" G_GSIZE_FORMAT " bytes, at most %u.", size, EASEL_TOKENIZER_MAX_BYTES);
      return NULL;
    }
  if (!g_utf8_validate_len (text, size, &bad))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "The prompt is not UTF-8 text: byte %" G_GSIZE_FORMAT " is wrong.", (gsize) (bad - text) + 1);
      return NULL;
    }
  tokens = g_array_new (FALSE, FALSE, sizeof (EaselToken));
  if (self->kind == EASEL_TOKENIZER_GEMMA)
    append_token_cb (tokens, self->bos, 0, 0);
  status = easel_spm_encode (self->spm, text, size, append_token_cb, tokens, message, sizeof message);
  if (status == EASEL_SPM_NO_MEMORY)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read the prompt.");
      return NULL;
    }
  for (guint i = 0; i < tokens->len && status == EASEL_SPM_OK; i++)
    {
      special = g_array_index (tokens, EaselToken, i);
      if (special.id < 0 || special.id >= self->n_pieces || special.begin > special.end || special.end > size)
        status = EASEL_SPM_FAILED;
    }
  if (status != EASEL_SPM_OK)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                   "The tokenizer cannot read this prompt (%s). Download the tokenizer again.",
                   message[0] != 0 ? message : "it gave a token it does not have");
      return NULL;
    }
  if (self->kind == EASEL_TOKENIZER_T5)
    append_token_cb (tokens, self->eos, (guint32) size, (guint32) size);
  return g_steal_pointer (&tokens);
}

GArray *
easel_tokenizer_encode (EaselTokenizer *self, const char *text, GError **error)
{
  g_autoptr (GArray) tokens = easel_tokenizer_tokens (self, text, error);
  GArray *ids;

  if (tokens == NULL)
    return NULL;
  ids = g_array_sized_new (FALSE, FALSE, sizeof (gint32), tokens->len);
  for (guint i = 0; i < tokens->len; i++)
    g_array_append_val (ids, g_array_index (tokens, EaselToken, i).id);
  return ids;
}

gboolean
easel_tokenizer_encode_fixed (EaselTokenizer *self, const char *text, int length, gint32 *ids, guint8 *mask,
                              int *n_real, GError **error)
{
  g_autoptr (GArray) tokens = NULL;
  int n;

  g_return_val_if_fail (length > 0, FALSE);
  tokens = easel_tokenizer_tokens (self, text, error);
  if (tokens == NULL)
    return FALSE;
  n = (int) tokens->len;
  for (int i = 0; i < length; i++)
    {
      ids[i] = i < n ? g_array_index (tokens, EaselToken, i).id : self->pad;
      if (mask != NULL)
        mask[i] = i < n;
    }
  if (n > length && self->kind == EASEL_TOKENIZER_T5)
    ids[length - 1] = self->eos;
  if (n_real != NULL)
    *n_real = n;
  return TRUE;
}

gboolean
easel_tokenizer_meter (EaselTokenizer *self, const char *text, int length, EaselTokenMeter *out, GError **error)
{
  g_autoptr (GArray) tokens = NULL;
  guint first = self->kind == EASEL_TOKENIZER_GEMMA ? 1 : 0;

  g_return_val_if_fail (length > 0, FALSE);
  tokens = easel_tokenizer_tokens (self, text, error);
  if (tokens == NULL)
    return FALSE;
  out->used = (int) tokens->len - 1;
  out->limit = length - 1;
  out->cut = strlen (text);
  if (out->used > out->limit)
    out->cut = g_array_index (tokens, EaselToken, first + (guint) out->limit).begin;
  return TRUE;
}
