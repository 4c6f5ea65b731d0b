/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reads a SentencePiece model file (a protobuf, sentencepiece_model.proto) as hostile input and writes a clean one.
 *
 * libsentencepiece trusts its models: a file may name a type of model it answers by ending the process, nest more
 * user-defined pieces than its stack buffer holds, or carry a normalisation table whose double array points outside
 * itself. So the library never sees the file: it sees what this reader understood and checked, written out again with
 * only the fields that encoding uses.
 */
#pragma once

#include "engine/core/error.h"

G_BEGIN_DECLS

#define EASEL_SPM_MAX_BYTES (64u << 20)
#define EASEL_SPM_MAX_PIECES (1 << 20)
#define EASEL_SPM_MAX_PIECE_BYTES 1024

typedef struct
{
  void *data; /* the clean model */
  gsize size;
  int n_pieces;
  int unk, bos, eos, pad; /* ids of the special pieces; -1: the model has none (unk is always there) */
} EaselSpmModel;

/* data: the file, borrowed while the call lasts. where: its name in errors. On success *out is the caller's, to be
 * cleared. Any thread. DAMAGED, UNSUPPORTED (word and character models), NO_MEMORY; *out untouched. */
gboolean easel_spm_model_read (const void *data, gsize size, const char *where, EaselSpmModel *out, GError **error);
void easel_spm_model_clear (EaselSpmModel *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EaselSpmModel, easel_spm_model_clear)

/* Checks a precompiled_charsmap: u32 size of a Darts double array, the array, NUL-terminated replacements. TRUE when
 * no text can lead the library outside of it. DAMAGED, NO_MEMORY. */
gboolean easel_spm_charsmap_check (const guint8 *data, gsize size, const char *where, GError **error);

G_END_DECLS
