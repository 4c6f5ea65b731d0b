/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See prompt-text.h. Unicode Standard, chapter 3.13 (default case conversion) and SpecialCasing.txt.
 */
#include "engine/text/prompt-text.h"

#include <string.h>

#include "engine/core/request.h"

#define CAPITAL_SIGMA 0x3A3
#define SMALL_SIGMA 0x3C3
#define FINAL_SIGMA 0x3C2
#define CAPITAL_I_WITH_DOT 0x130

/* str.isspace () */
static gboolean
is_space (gunichar c)
{
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680
         || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Case_Ignorable: marks, formats, modifiers, and the word-break classes MidLetter, MidNumLet and Single_Quote. */
static gboolean
is_case_ignorable (gunichar c)
{
  static const guint16 inside_words[] = { 0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,  0x5F4,  0x2018, 0x2019,
                                          0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A };

  switch (g_unichar_type (c))
    {
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
    case G_UNICODE_FORMAT:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_MODIFIER_SYMBOL:
      return TRUE;
    default:
      for (gsize i = 0; i < G_N_ELEMENTS (inside_words); i++)
        if (c == inside_words[i])
          return TRUE;
      return FALSE;
    }
}

/* Cased, for characters that are not Case_Ignorable: letters, ordinal signs, Roman numerals, letters in circles and
 * squares. */
static gboolean
is_cased (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_UPPERCASE_LETTER:
    case G_UNICODE_LOWERCASE_LETTER:
    case G_UNICODE_TITLECASE_LETTER:
      return TRUE;
    default:
      return c == 0xAA || c == 0xBA || (c >= 0x2160 && c <= 0x217F) || (c >= 0x24B6 && c <= 0x24E9)
             || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
    }
}

/* Final_Sigma: a cased letter comes before text [i] and none after it, looking past ignorable characters. */
static gboolean
is_final (const gunichar *text, glong n, glong i)
{
  glong j = i - 1;

  while (j >= 0 && is_case_ignorable (text[j]))
    j--;
  if (j < 0 || !is_cased (text[j]))
    return FALSE;
  j = i + 1;
  while (j < n && is_case_ignorable (text[j]))
    j++;
  return j == n || !is_cased (text[j]);
}

/* Simple_Lowercase_Mapping. GLib has it for letters; Roman numerals and letters in circles are no letters to it. */
static gunichar
simple_lower (gunichar c)
{
  if (c >= 0x2160 && c <= 0x216F)
    return c + 0x10;
  if (c >= 0x24B6 && c <= 0x24CF)
    return c + 0x1A;
  return g_unichar_tolower (c);
}

/* Lower case of text [i] into out; returns how many characters, 1 or 2. */
static int
lower (const gunichar *text, glong n, glong i, gunichar out[2])
{
  gunichar c = text[i];

  out[1] = 0x307; /* combining dot above */
  if (c == CAPITAL_I_WITH_DOT)
    {
      out[0] = 'i';
      return 2;
    }
  out[0] = c == CAPITAL_SIGMA ? (is_final (text, n, i) ? FINAL_SIGMA : SMALL_SIGMA) : simple_lower (c);
  return 1;
}

char *
easel_prompt_lower_strip (const char *text, guint32 **origin, GError **error)
{
  gsize size = strlen (text);
  const char *bad;
  g_autofree gunichar *characters = NULL;
  glong n, first = 0, last;
  GString *result;
  GArray *map;
  guint32 at = 0;

  if (size > EASEL_PROMPT_MAX_BYTES)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "The prompt is too long: %" G_GSIZE_FORMAT " bytes, at most %u.", size, EASEL_PROMPT_MAX_BYTES);
      return NULL;
    }
  if (!g_utf8_validate_len (text, size, &bad))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "The prompt is not UTF-8 text: byte %" G_GSIZE_FORMAT " is wrong.", (gsize) (bad - text) + 1);
      return NULL;
    }
  characters = g_utf8_to_ucs4_fast (text, (glong) size, &n);
  for (last = n; last > 0 && is_space (characters[last - 1]);)
    last--;
  result = g_string_sized_new (size + 1);
  map = g_array_sized_new (FALSE, FALSE, sizeof (guint32), (guint) size + 1);
  while (first < last && is_space (characters[first]))
    at += (guint32) g_unichar_to_utf8 (characters[first++], NULL);
  for (glong i = first; i < last; i++)
    {
      gunichar low[2];
      int n_low = lower (characters, n, i, low);

      for (int k = 0; k < n_low; k++)
        g_string_append_unichar (result, low[k]);
      while (map->len < result->len)
        g_array_append_val (map, at);
      at += (guint32) g_unichar_to_utf8 (characters[i], NULL);
    }
  g_array_append_val (map, at);
  if (origin != NULL)
    *origin = (guint32 *) g_array_steal (map, NULL);
  g_array_unref (map);
  return g_string_free (result, FALSE);
}
