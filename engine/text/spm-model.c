/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See spm-model.h. Field numbers are those of sentencepiece_model.proto.
 */
#include "engine/text/spm-model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NESTED_SYMBOLS 64 /* kResultSize in PrefixMatcher::PrefixMatch */

/* Protobuf's wire types. Groups (3, 4) are long out of use and refused. */
enum
{
  WIRE_VARINT = 0,
  WIRE_FIXED64 = 1,
  WIRE_BYTES = 2,
  WIRE_FIXED32 = 5
};

typedef enum
{
  PIECE_NORMAL = 1,
  PIECE_UNKNOWN,
  PIECE_CONTROL,
  PIECE_USER_DEFINED,
  PIECE_UNUSED,
  PIECE_BYTE,
} PieceType;

enum
{
  MODEL_UNIGRAM = 1,
  MODEL_BPE = 2,
};

typedef struct
{
  const guint8 *p, *end;
} Reader;

typedef struct
{
  guint32 number;
  int wire;
  guint64 value;      /* varint, fixed32, fixed64 */
  const guint8 *data; /* bytes */
  gsize size;
} Field;

typedef struct
{
  const char *text; /* in the file; not ended by NUL */
  guint32 size;
  float score;
  PieceType type;
} Piece;

typedef struct
{
  const char *where;
  Piece *pieces;
  gsize n_pieces, allocated;
  guint64 model_type;
  gboolean has_trainer, has_normalizer, byte_fallback, whitespace_as_suffix;
  Field names[3]; /* bos, eos, pad: fields 46 to 48 of the trainer's settings */
  Field charsmap;
  gboolean dummy_prefix, remove_whitespace, escape_whitespace;
} Model;

static gboolean
damaged (const Model *model, const char *problem, GError **error)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is damaged: %s. Download the tokenizer again.",
               model->where, problem);
  return FALSE;
}

static gboolean
read_varint (Reader *r, guint64 *out)
{
  guint64 value = 0;

  for (int shift = 0; shift < 64 && r->p < r->end; shift += 7)
    {
      guint8 byte = *r->p++;

      value |= (guint64) (byte & 0x7F) << shift;
      if (byte < 0x80)
        {
          *out = value;
          return TRUE;
        }
    }
  return FALSE;
}

/* The next field; FALSE when the bytes make none. Call while r->p < r->end. */
static gboolean
read_field (Reader *r, Field *out)
{
  guint64 key;

  if (!read_varint (r, &key) || key >> 3 == 0 || key >> 3 > 0x1FFFFFFF)
    return FALSE;
  *out = (Field){ .number = (guint32) (key >> 3), .wire = (int) (key & 7) };
  switch (out->wire)
    {
    case WIRE_VARINT:
      return read_varint (r, &out->value);
    case WIRE_FIXED64:
    case WIRE_FIXED32:
      out->size = out->wire == WIRE_FIXED64 ? 8 : 4;
      if ((gsize) (r->end - r->p) < out->size)
        return FALSE;
      for (gsize i = 0; i < out->size; i++)
        out->value |= (guint64) r->p[i] << (8 * i);
      r->p += out->size;
      return TRUE;
    case WIRE_BYTES:
      if (!read_varint (r, &out->value) || out->value > (guint64) (r->end - r->p))
        return FALSE;
      out->data = r->p;
      out->size = (gsize) out->value;
      r->p += out->size;
      return TRUE;
    default:
      return FALSE;
    }
}

static Reader
reader_of (const Field *field)
{
  return (Reader){ field->data, field->data + field->size };
}

static gboolean
read_piece (Model *model, const Field *message, GError **error)
{
  Reader r = reader_of (message);
  Piece piece = { .type = PIECE_NORMAL };
  Field f;

  while (r.p < r.end)
    {
      if (!read_field (&r, &f))
        return damaged (model, "a piece is not a protobuf message", error);
      if (f.number == 1 && f.wire == WIRE_BYTES)
        {
          if (f.size > EASEL_SPM_MAX_PIECE_BYTES)
            return damaged (model, "a piece is too long", error);
          piece.text = (const char *) f.data;
          piece.size = (guint32) f.size;
        }
      else if (f.number == 2 && f.wire == WIRE_FIXED32)
        {
          guint32 bits = (guint32) f.value;

          memcpy (&piece.score, &bits, 4);
        }
      else if (f.number == 3 && f.wire == WIRE_VARINT)
        {
          if (f.value < PIECE_NORMAL || f.value > PIECE_BYTE)
            return damaged (model, "a piece is of an unknown type", error);
          piece.type = (PieceType) f.value;
        }
      else if (f.number <= 3)
        return damaged (model, "a piece is not a protobuf message", error);
    }
  if (piece.size == 0)
    return damaged (model, "a piece is empty", error);
  if (!g_utf8_validate_len (piece.text, piece.size, NULL)) /* NUL inside counts as invalid */
    return damaged (model, "a piece is not UTF-8", error);
  if (!isfinite (piece.score))
    return damaged (model, "the score of a piece is not a number", error);
  if (model->n_pieces == EASEL_SPM_MAX_PIECES)
    return damaged (model, "it has too many pieces", error);
  if (model->n_pieces == model->allocated)
    {
      gsize n = MAX (4096, model->allocated * 2);
      Piece *pieces = g_try_realloc_n (model->pieces, n, sizeof (Piece));

      if (pieces == NULL)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read %s.", model->where);
          return FALSE;
        }
      model->pieces = pieces;
      model->allocated = n;
    }
  model->pieces[model->n_pieces++] = piece;
  return TRUE;
}

/* Settings of the trainer: only what encoding looks at. */
static gboolean
read_trainer (Model *model, const Field *message, GError **error)
{
  Reader r = reader_of (message);
  Field f;

  model->has_trainer = TRUE;
  while (r.p < r.end)
    {
      if (!read_field (&r, &f))
        return damaged (model, "its settings are not a protobuf message", error);
      if (f.number == 3 && f.wire == WIRE_VARINT)
        model->model_type = f.value;
      else if (f.number == 24 && f.wire == WIRE_VARINT)
        model->whitespace_as_suffix = f.value != 0;
      else if (f.number == 35 && f.wire == WIRE_VARINT)
        model->byte_fallback = f.value != 0;
      else if (f.number >= 46 && f.number <= 48 && f.wire == WIRE_BYTES)
        model->names[f.number - 46] = f;
    }
  return TRUE;
}

static gboolean
read_normalizer (Model *model, const Field *message, GError **error)
{
  Reader r = reader_of (message);
  Field f;

  model->has_normalizer = TRUE;
  while (r.p < r.end)
    {
      if (!read_field (&r, &f))
        return damaged (model, "its normalisation rules are not a protobuf message", error);
      if (f.number == 2 && f.wire == WIRE_BYTES)
        model->charsmap = f;
      else if (f.number == 3 && f.wire == WIRE_VARINT)
        model->dummy_prefix = f.value != 0;
      else if (f.number == 4 && f.wire == WIRE_VARINT)
        model->remove_whitespace = f.value != 0;
      else if (f.number == 5 && f.wire == WIRE_VARINT)
        model->escape_whitespace = f.value != 0;
    }
  return TRUE;
}

static gboolean
read_model (Model *model, const void *data, gsize size, GError **error)
{
  Reader r = { data, (const guint8 *) data + size };
  Field f;

  while (r.p < r.end)
    {
      gboolean ok = TRUE;

      if (!read_field (&r, &f))
        return damaged (model, "it is not a protobuf message, or cut short", error);
      if (f.number <= 3 && f.wire != WIRE_BYTES)
        return damaged (model, "it is not a SentencePiece model", error);
      if (f.number == 1)
        ok = read_piece (model, &f, error);
      else if (f.number == 2)
        ok = read_trainer (model, &f, error);
      else if (f.number == 3)
        ok = read_normalizer (model, &f, error);
      if (!ok)
        return FALSE;
    }
  if (model->n_pieces == 0)
    return damaged (model, "it is not a SentencePiece model", error);
  /* Both come after the pieces in every file: without them it was cut between two messages. */
  if (!model->has_trainer || !model->has_normalizer)
    return damaged (model, "it is cut short", error);
  if (model->model_type != MODEL_UNIGRAM && model->model_type != MODEL_BPE)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "%s: a SentencePiece model of type %" G_GUINT64_FORMAT "; unigram (1) and BPE (2) are supported.",
                   model->where, model->model_type);
      return FALSE;
    }
  if (model->charsmap.size > 0)
    return easel_spm_charsmap_check (model->charsmap.data, model->charsmap.size, model->where, error);
  return TRUE;
}

static int
compare_pieces (const void *a, const void *b)
{
  const Piece *x = *(Piece *const *) a, *y = *(Piece *const *) b;
  int order = memcmp (x->text, y->text, MIN (x->size, y->size));

  return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

/* User-defined pieces are looked up into an array of fixed size: no text may begin with more of them at once. Sorted,
 * a piece comes right after those it begins with. */
static gboolean
check_nesting (const Model *model, GError **error)
{
  const Piece **sorted = g_try_new (const Piece *, model->n_pieces), *open[MAX_NESTED_SYMBOLS];
  gsize n = 0;
  int depth = 0;
  gboolean ok = TRUE;

  if (sorted == NULL)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read %s.", model->where);
      return FALSE;
    }
  for (gsize i = 0; i < model->n_pieces; i++)
    if (model->pieces[i].type == PIECE_USER_DEFINED)
      sorted[n++] = &model->pieces[i];
  qsort (sorted, n, sizeof *sorted, compare_pieces);
  for (gsize i = 0; i < n && ok; i++)
    {
      while (depth > 0 && (open[depth - 1]->size > sorted[i]->size
                           || memcmp (open[depth - 1]->text, sorted[i]->text, open[depth - 1]->size) != 0))
        depth--;
      ok = depth < MAX_NESTED_SYMBOLS;
      if (ok)
        open[depth++] = sorted[i];
    }
  g_free (sorted);
  return ok || damaged (model, "too many user-defined pieces begin alike", error);
}

/* Id of the control piece that carries the i-th special name; -1: none. */
static int
special_id (const Model *model, int i, const char *fallback)
{
  const char *name = model->names[i].data != NULL ? (const char *) model->names[i].data : fallback;
  gsize size = model->names[i].data != NULL ? model->names[i].size : strlen (fallback);

  for (gsize k = 0; k < model->n_pieces; k++)
    if (model->pieces[k].type == PIECE_CONTROL && model->pieces[k].size == size
        && memcmp (model->pieces[k].text, name, size) == 0)
      return (int) k;
  return -1;
}

static guint8 *
put_varint (guint8 *p, guint64 value)
{
  for (; value >= 0x80; value >>= 7)
    *p++ = (guint8) (value | 0x80);
  *p++ = (guint8) value;
  return p;
}

static guint8 *
put_bytes (guint8 *p, guint32 number, const void *data, gsize size)
{
  p = put_varint (p, number << 3 | WIRE_BYTES);
  p = put_varint (p, size);
  memcpy (p, data, size);
  return p + size;
}

static guint8 *
put_value (guint8 *p, guint32 number, guint64 value)
{
  p = put_varint (p, number << 3 | WIRE_VARINT);
  return put_varint (p, value);
}

static guint8 *
put_piece (guint8 *p, const Piece *piece)
{
  guint8 body[EASEL_SPM_MAX_PIECE_BYTES + 16], *q = put_bytes (body, 1, piece->text, piece->size);
  guint32 bits;

  memcpy (&bits, &piece->score, 4);
  q = put_varint (q, 2 << 3 | WIRE_FIXED32);
  for (int i = 0; i < 4; i++)
    *q++ = (guint8) (bits >> (8 * i));
  q = put_value (q, 3, piece->type);
  return put_bytes (p, 1, body, (gsize) (q - body));
}

/* The clean model. At most 16 bytes a piece and 64 altogether are added to texts and table. */
static gboolean
write_model (const Model *model, EaselSpmModel *out, GError **error)
{
  gsize bound = 64 + model->charsmap.size;
  guint8 head[32], *p, *q;

  for (gsize i = 0; i < model->n_pieces; i++)
    bound += 16 + model->pieces[i].size;
  out->data = g_try_malloc (bound);
  if (out->data == NULL)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read %s.", model->where);
      return FALSE;
    }
  p = out->data;
  for (gsize i = 0; i < model->n_pieces; i++)
    p = put_piece (p, &model->pieces[i]);
  q = put_value (head, 3, model->model_type);
  q = put_value (q, 24, model->whitespace_as_suffix);
  q = put_value (q, 35, model->byte_fallback);
  p = put_bytes (p, 2, head, (gsize) (q - head));
  /* The table goes into its own copy of the message, which protobuf merges with the switches after it. */
  if (model->charsmap.size > 0)
    {
      guint8 prefix[16], *prefix_end = put_varint (put_varint (prefix, 2 << 3 | WIRE_BYTES), model->charsmap.size);

      p = put_varint (p, 3 << 3 | WIRE_BYTES);
      p = put_varint (p, (gsize) (prefix_end - prefix) + model->charsmap.size);
      memcpy (p, prefix, (gsize) (prefix_end - prefix));
      p += prefix_end - prefix;
      memcpy (p, model->charsmap.data, model->charsmap.size);
      p += model->charsmap.size;
    }
  q = put_value (head, 3, model->dummy_prefix);
  q = put_value (q, 4, model->remove_whitespace);
  q = put_value (q, 5, model->escape_whitespace);
  p = put_bytes (p, 3, head, (gsize) (q - head));
  out->size = (gsize) (p - (guint8 *) out->data);
  return TRUE;
}

gboolean
easel_spm_model_read (const void *data, gsize size, const char *where, EaselSpmModel *out, GError **error)
{
  Model model = {
    .where = where,
    .model_type = MODEL_UNIGRAM,
    .dummy_prefix = TRUE,
    .remove_whitespace = TRUE,
    .escape_whitespace = TRUE,
  };
  EaselSpmModel result = { .unk = -1 };
  gboolean ok = FALSE;

  if (size > EASEL_SPM_MAX_BYTES)
    damaged (&model, "it is larger than 64 MiB", error);
  else if (read_model (&model, data, size, error) && check_nesting (&model, error))
    {
      result.n_pieces = (int) model.n_pieces;
      for (gsize i = 0; i < model.n_pieces && result.unk < 0; i++)
        if (model.pieces[i].type == PIECE_UNKNOWN)
          result.unk = (int) i;
      result.bos = special_id (&model, 0, "<s>");
      result.eos = special_id (&model, 1, "</s>");
      result.pad = special_id (&model, 2, "<pad>");
      ok = (result.unk >= 0 || damaged (&model, "it has no piece for unknown text", error))
           && write_model (&model, &result, error);
    }
  g_free (model.pieces);
  if (ok)
    *out = result;
  return ok;
}

void
easel_spm_model_clear (EaselSpmModel *self)
{
  g_clear_pointer (&self->data, g_free);
  self->size = 0;
}
