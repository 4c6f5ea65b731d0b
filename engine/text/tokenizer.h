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

/* Longest text that is taken, in bytes: the longest prompt and an instruction before it. */
#define EASEL_TOKENIZER_MAX_BYTES (256u << 10)

/* `dir` is the tokenizer folder. NOT_FOUND, IO, DAMAGED, UNSUPPORTED, NO_MEMORY. Special ids come from the model file.
 * Thread-safe once open. The memory of open_memory is borrowed while the call lasts. */
EaselTokenizer *easel_tokenizer_open (const char *dir, EaselTokenizerKind kind, GError **error);
EaselTokenizer *easel_tokenizer_open_memory (const void *data, gsize size, EaselTokenizerKind kind, GError **error);
void easel_tokenizer_free (EaselTokenizer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselTokenizer, easel_tokenizer_free)

int easel_tokenizer_vocab_size (EaselTokenizer *self);
int easel_tokenizer_pad_id (EaselTokenizer *self);

/* A token and the bytes [begin, end) of the text it stands for; begin == end for <bos>, </s> and all but the last byte
 * of a character that is spelled in bytes. */
typedef struct
{
  gint32 id;
  guint32 begin, end;
} EaselToken;

/* Tokens with <bos> or </s>, not cut, not padded: GArray of EaselToken, caller unrefs.
 * BAD_REQUEST: text that is not UTF-8 or longer than EASEL_TOKENIZER_MAX_BYTES. */
GArray *easel_tokenizer_tokens (EaselTokenizer *self, const char *text, GError **error);

/* The same, ids only: GArray of gint32, caller unrefs. */
GArray *easel_tokenizer_encode (EaselTokenizer *self, const char *text, GError **error);

/* Exactly `length` ids: cut on the right (T5 keeps </s> last), padded on the right. mask[i] = 1 for real tokens; may be
 * NULL. *n_real (may be NULL): tokens before cutting, for the token meter. */
gboolean easel_tokenizer_encode_fixed (EaselTokenizer *self, const char *text, int length, gint32 *ids, guint8 *mask,
                                       int *n_real, GError **error);

/* What a person is told while typing. */
typedef struct
{
  int used;  /* tokens of the person's text */
  int limit; /* how many of them fit */
  gsize cut; /* byte of the person's text from where the model does not see it; its length when all is seen */
} EaselTokenMeter;

/* The meter for text that fills `length` places together with <bos> or </s>. Fails as encode does. */
gboolean easel_tokenizer_meter (EaselTokenizer *self, const char *text, int length, EaselTokenMeter *out,
                                GError **error);

G_END_DECLS
