/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Writes SentencePiece models for tests, good and bad: protobuf by hand.
 */
#pragma once

#include <glib.h>
#include <string.h>

enum
{
  NORMAL = 1,
  UNKNOWN,
  CONTROL,
  USER_DEFINED,
  UNUSED,
  BYTE
};

static inline void
put_varint (GByteArray *out, guint64 value)
{
  guint8 byte;

  do
    {
      byte = (guint8) (value & 0x7F) | (value >= 0x80 ? 0x80 : 0);
      g_byte_array_append (out, &byte, 1);
      value >>= 7;
    }
  while (value > 0);
}

static inline void
put_value (GByteArray *out, guint field, guint64 value)
{
  put_varint (out, field << 3);
  put_varint (out, value);
}

static inline void
put_bytes (GByteArray *out, guint field, const void *data, gsize size)
{
  put_varint (out, field << 3 | 2);
  put_varint (out, size);
  g_byte_array_append (out, data, (guint) size);
}

static inline void
put_sized_piece (GByteArray *out, const char *text, gsize size, float score, int type)
{
  g_autoptr (GByteArray) body = g_byte_array_new ();
  guint32 bits;
  guint8 little[4];

  memcpy (&bits, &score, 4);
  for (int i = 0; i < 4; i++)
    little[i] = (guint8) (bits >> (8 * i));
  put_bytes (body, 1, text, size);
  put_varint (body, 2 << 3 | 5);
  g_byte_array_append (body, little, 4);
  put_value (body, 3, (guint64) type);
  put_bytes (out, 1, body->data, body->len);
}

static inline void
put_piece (GByteArray *out, const char *text, float score, int type)
{
  put_sized_piece (out, text, strlen (text), score, type);
}

/* Trainer and normaliser settings, which end a model. */
static inline void
put_specs (GByteArray *out, int model_type, gboolean byte_fallback, const void *charsmap, gsize charsmap_size)
{
  g_autoptr (GByteArray) trainer = g_byte_array_new (), rules = g_byte_array_new ();

  put_value (trainer, 3, (guint64) model_type);
  put_value (trainer, 35, byte_fallback);
  put_bytes (out, 2, trainer->data, trainer->len);
  if (charsmap_size > 0)
    put_bytes (rules, 2, charsmap, charsmap_size);
  put_value (rules, 3, 1);
  put_bytes (out, 3, rules->data, rules->len);
}

/* <pad> </s> <unk> and three letters: the start of a good model. */
static inline GByteArray *
start_model (void)
{
  GByteArray *out = g_byte_array_new ();

  put_piece (out, "<pad>", 0, CONTROL);
  put_piece (out, "</s>", 0, CONTROL);
  put_piece (out, "<unk>", 0, UNKNOWN);
  put_piece (out, "\xE2\x96\x81", -2, NORMAL);
  put_piece (out, "a", -3, NORMAL);
  put_piece (out, "b", -3.5f, NORMAL);
  return out;
}
