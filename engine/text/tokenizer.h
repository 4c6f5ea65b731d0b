/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SentencePiece tokenizers of model folders (tokenizer/tokenizer.model, tokenizer/spiece.model), over libsentencepiece
 * behind a thin C shim (sentencepiece-shim.cc, the only C++ file). Text that spells a special token ("<bos>", "<pad>")
 * is plain text.
 */
#pragma once

#include "engine/core/error.h"

G_BEGIN_DECLS

typedef struct EaselTokenizer EaselTokenizer;

typedef enum
{
  EASEL_TOKENIZER_GEMMA, /* <bos> + pieces */
  EASEL_TOKENIZER_T5,    /* pieces + </s> */
} EaselTokenizerKind;

/* `dir` is the tokenizer folder. NOT_FOUND, DAMAGED. Special ids come from the model file. Thread-safe once open. */
EaselTokenizer *easel_tokenizer_open (const char *dir, EaselTokenizerKind kind, GError **error);
EaselTokenizer *easel_tokenizer_open_memory (const void *data, gsize size, EaselTokenizerKind kind, GError **error);
void easel_tokenizer_free (EaselTokenizer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselTokenizer, easel_tokenizer_free)

int easel_tokenizer_vocab_size (EaselTokenizer *self);
int easel_tokenizer_pad_id (EaselTokenizer *self);

/* Ids with <bos> or </s>, not cut, not padded: GArray of gint32, caller unrefs. */
GArray *easel_tokenizer_encode (EaselTokenizer *self, const char *text, GError **error);

/* Exactly `length` ids: cut on the right (T5 keeps </s> last), padded on the right. mask[i] = 1 for real tokens; may be
 * NULL. *n_real (may be NULL): tokens before cutting, for the token meter. */
gboolean easel_tokenizer_encode_fixed (EaselTokenizer *self, const char *text, int length, gint32 *ids, guint8 *mask,
                                       int *n_real, GError **error);

G_END_DECLS
