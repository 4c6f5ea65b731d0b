/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Texts inside pictures as hostile input: PNG, JPEG and WebP. The sums of PNG chunks are set right first, else the
 * fuzzer would only ever learn that they are wrong. Entry point of libFuzzer and AFL++.
 */
#include <stdint.h>
#include <string.h>

#include <zlib.h>

#include "engine/media/image-file.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static guint32
get_u32 (const guint8 *data)
{
  return (guint32) data[0] << 24 | (guint32) data[1] << 16 | (guint32) data[2] << 8 | data[3];
}

static void
mend_sums (guint8 *data, gsize size)
{
  for (gsize at = 8; at + 12 <= size;)
    {
      gsize length = get_u32 (data + at);
      guint32 sum;

      if (length > size - at - 12)
        return;
      sum = GUINT32_TO_BE ((guint32) crc32 (0, data + at + 4, (uInt) length + 4));
      memcpy (data + at + 8 + length, &sum, 4);
      at += length + 12;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);
  g_autoptr (GHashTable) texts = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;
  const char *text;

  if (size > 8 && copy[0] == 0x89)
    mend_sums (copy, size);
  texts = easel_image_parse_texts (copy, size, "fuzz", &error);
  g_assert_true ((texts == NULL) == (error != NULL));
  text = texts ? g_hash_table_lookup (texts, "parameters") : NULL;
  if (text == NULL)
    return 0;
  g_assert_true (g_utf8_validate (text, -1, NULL));
  /* What we understand of another program's text, we must be able to write and to read again. */
  request = easel_request_from_parameters (text, strlen (text), NULL);
  if (request)
    {
      g_autofree char *json = easel_request_to_json (request);
      g_autoptr (EaselRequest) again = easel_request_from_json (json, strlen (json), &error);

      g_assert_no_error (error);
      g_assert_true (easel_request_equal (request, again));
    }
  return 0;
}
