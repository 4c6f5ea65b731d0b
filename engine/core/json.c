/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * json-glib does the parsing, but it recurses, keeps going where JSON says stop (comments, octal numbers), has no limit
 * on what it builds, and does not know NaN and Infinity. So a lexer goes over the text first: it accepts exactly the
 * tokens of RFC 8259 plus the three words, bounds depth and number of values, counts members, and swaps each word for a
 * string that cannot be mistaken; those strings become doubles after the parse.
 */
#include "engine/core/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Stand-ins for the three words. U+E000 is private, so no honest file holds them; a hostile one only gets a number. */
#define MARK "\xee\x80\x80"
static const struct
{
  const char *word, *mark;
} WORDS[] = {
  { "NaN", MARK "NaN" },
  { "Infinity", MARK "Infinity" },
  { "-Infinity", MARK "-Infinity" },
};

static double
word_value (guint i)
{
  return i == 0 ? (double) NAN : i == 1 ? (double) INFINITY : -(double) INFINITY;
}

typedef struct
{
  const char *text, *end, *at;
  const char *where;
  GString *out; /* NULL until a word had to be swapped; then holds everything before `kept` */
  const char *kept;
  int depth;
  guint values, members;
} Lexer;

static gboolean
bad (Lexer *self, const char *why, GError **error)
{
  gsize line = 1;
  for (const char *p = self->text; p < self->at && p < self->end; p++)
    line += *p == '\n';
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is not valid JSON: %s on line %" G_GSIZE_FORMAT ".",
               self->where, why, line);
  return FALSE;
}

/* Four hexadecimal digits at p; -1 when they are not. */
static int
hex4 (const char *p, const char *end)
{
  int code = 0;
  if (end - p < 4)
    return -1;
  for (int i = 0; i < 4; i++)
    {
      if (!g_ascii_isxdigit (p[i]))
        return -1;
      code = code << 4 | g_ascii_xdigit_value (p[i]);
    }
  return code;
}

/* At the u of an escape; moves to its last digit. NUL would end a C string, so that two names become one; half a
 * surrogate pair is no character. */
static gboolean
lex_unicode (Lexer *self, GError **error)
{
  int code = hex4 (self->at + 1, self->end);
  if (code < 0)
    return bad (self, "a wrong \\u escape", error);
  if (code == 0)
    return bad (self, "a NUL character in a string", error);
  self->at += 4;
  if (code < 0xd800 || code > 0xdfff)
    return TRUE;
  const char *next = self->at + 1;
  int low = self->end - next > 2 && next[0] == '\\' && next[1] == 'u' ? hex4 (next + 2, self->end) : -1;
  if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
    return bad (self, "half a character (a surrogate) in a string", error);
  self->at += 6;
  return TRUE;
}

static gboolean
lex_string (Lexer *self, GError **error)
{
  for (self->at++; self->at < self->end; self->at++)
    {
      guchar c = (guchar) *self->at;
      if (c == '"')
        {
          self->at++;
          return TRUE;
        }
      if (c < 0x20)
        return bad (self, "a control character in a string", error);
      if (c != '\\')
        continue;
      if (++self->at >= self->end)
        break;
      c = (guchar) *self->at;
      if (c == 'u')
        {
          if (!lex_unicode (self, error))
            return FALSE;
        }
      else if (!strchr ("\"\\/bfnrt", c) || c == '\0')
        return bad (self, "a wrong escape", error);
    }
  return bad (self, "a string without an end", error);
}

static gboolean
lex_number (Lexer *self, GError **error)
{
  const char *p = self->at, *end = self->end;
  gboolean whole = TRUE;
  if (p < end && *p == '-')
    p++;
  const char *digits = p;
  while (p < end && g_ascii_isdigit (*p))
    p++;
  if (p == digits || (*digits == '0' && p - digits > 1))
    return bad (self, "a wrong number", error);
  /* json-glib wraps silently what does not fit in 64 bits. */
  gsize n_digits = (gsize) (p - digits);
  if (p < end && *p == '.')
    {
      const char *fraction = ++p;
      whole = FALSE;
      while (p < end && g_ascii_isdigit (*p))
        p++;
      if (p == fraction)
        return bad (self, "a wrong number", error);
    }
  if (p < end && (*p == 'e' || *p == 'E'))
    {
      p++;
      whole = FALSE;
      if (p < end && (*p == '+' || *p == '-'))
        p++;
      const char *exponent = p;
      while (p < end && g_ascii_isdigit (*p))
        p++;
      if (p == exponent)
        return bad (self, "a wrong number", error);
    }
  if (whole && (n_digits > 19 || (n_digits == 19 && strncmp (digits, "9223372036854775807", 19) > 0)))
    return bad (self, "a whole number that does not fit in 64 bits", error);
  self->at = p;
  return TRUE;
}

static gboolean
lex_word (Lexer *self, GError **error)
{
  static const char *const PLAIN[] = { "true", "false", "null" };
  gsize left = (gsize) (self->end - self->at);
  for (guint i = 0; i < G_N_ELEMENTS (PLAIN); i++)
    if (left >= strlen (PLAIN[i]) && !memcmp (self->at, PLAIN[i], strlen (PLAIN[i])))
      {
        self->at += strlen (PLAIN[i]);
        return TRUE;
      }
  for (guint i = 0; i < G_N_ELEMENTS (WORDS); i++)
    if (left >= strlen (WORDS[i].word) && !memcmp (self->at, WORDS[i].word, strlen (WORDS[i].word)))
      {
        if (!self->out)
          self->out = g_string_sized_new ((gsize) (self->end - self->text) + 64);
        g_string_append_len (self->out, self->kept, self->at - self->kept);
        g_string_append_printf (self->out, "\"%s\"", WORDS[i].mark);
        self->at += strlen (WORDS[i].word);
        self->kept = self->at;
        return TRUE;
      }
  return bad (self, "an unknown word", error);
}

static gboolean
lex (Lexer *self, GError **error)
{
  while (self->at < self->end)
    switch (*self->at)
      {
      case ' ':
      case '\t':
      case '\n':
      case '\r':
        self->at++;
        break;
      case '{':
      case '[':
        if (++self->depth > EASEL_JSON_MAX_DEPTH)
          return bad (self, "nested too deeply", error);
        self->values++;
        self->at++;
        break;
      case '}':
      case ']':
        if (--self->depth < 0)
          return bad (self, "a bracket too many", error);
        self->at++;
        break;
      case ':':
        self->members++;
        self->at++;
        break;
      case ',':
        self->at++;
        break;
      case '"':
        self->values++;
        if (!lex_string (self, error))
          return FALSE;
        break;
      default:
        if (++self->values > EASEL_JSON_MAX_VALUES)
          return bad (self, "too many values", error);
        if (g_ascii_isdigit (*self->at)
            || (*self->at == '-' && self->end - self->at > 1 && g_ascii_isdigit (self->at[1])))
          {
            if (!lex_number (self, error))
              return FALSE;
          }
        else if (!lex_word (self, error))
          return FALSE;
        break;
      }
  if (self->values > EASEL_JSON_MAX_VALUES)
    return bad (self, "too many values", error);
  if (self->depth != 0)
    return bad (self, "cut short", error);
  if (self->out)
    g_string_append_len (self->out, self->kept, self->end - self->kept);
  return TRUE;
}

/* Turns marks back into numbers and counts members. Depth is bounded by the lexer. */
static void
walk (JsonNode *node, guint *members)
{
  switch (JSON_NODE_TYPE (node))
    {
    case JSON_NODE_OBJECT:
      {
        JsonObjectIter iter;
        JsonNode *child;
        json_object_iter_init (&iter, json_node_get_object (node));
        while (json_object_iter_next (&iter, NULL, &child))
          {
            ++*members;
            walk (child, members);
          }
        break;
      }
    case JSON_NODE_ARRAY:
      {
        JsonArray *array = json_node_get_array (node);
        for (guint i = 0; i < json_array_get_length (array); i++)
          walk (json_array_get_element (array, i), members);
        break;
      }
    case JSON_NODE_VALUE:
      if (json_node_get_value_type (node) == G_TYPE_STRING)
        for (guint i = 0; i < G_N_ELEMENTS (WORDS); i++)
          if (!strcmp (json_node_get_string (node), WORDS[i].mark))
            {
              json_node_set_double (node, word_value (i));
              break;
            }
      break;
    case JSON_NODE_NULL:
      break;
    }
}

JsonObject *
easel_json_parse_strict (const char *text, gsize length, const char *where, gboolean refuse_duplicates, GError **error)
{
  if (length > EASEL_JSON_MAX_BYTES)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                   "%s has %" G_GSIZE_FORMAT " bytes; JSON of more than %u is not read.", where, length,
                   EASEL_JSON_MAX_BYTES);
      return NULL;
    }
  if (!g_utf8_validate_len (text, length, NULL))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is not text in UTF-8.", where);
      return NULL;
    }
  Lexer lexer = { .text = text, .end = text + length, .at = text, .where = where, .kept = text };
  JsonObject *object = NULL;
  g_autoptr (JsonParser) parser = NULL;
  g_autoptr (GError) local = NULL;
  if (!lex (&lexer, error))
    goto cleanup;
  parser = json_parser_new ();
  if (!json_parser_load_from_data (parser, lexer.out ? lexer.out->str : text,
                                   lexer.out ? (gssize) lexer.out->len : (gssize) length, &local))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is not valid JSON: %s", where, local->message);
      goto cleanup;
    }
  JsonNode *root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s must hold a JSON object ({ … }).", where);
      goto cleanup;
    }
  guint members = 0;
  if (lexer.out || refuse_duplicates)
    walk (root, &members);
  if (refuse_duplicates && members != lexer.members)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s names something twice.", where);
      goto cleanup;
    }
  object = json_object_ref (json_node_get_object (root));

cleanup:
  if (lexer.out)
    g_string_free (lexer.out, TRUE);
  return object;
}

JsonObject *
easel_json_parse (const char *text, gsize length, const char *where, GError **error)
{
  return easel_json_parse_strict (text, length, where, FALSE, error);
}

JsonObject *
easel_json_load (const char *path, GError **error)
{
  gsize length = 0;
  g_autofree char *text = easel_read_small_file (path, EASEL_JSON_MAX_BYTES, &length, error);
  return text ? easel_json_parse (text, length, path, error) : NULL;
}

char *
easel_json_to_text (JsonNode *root)
{
  g_autofree char *text = json_to_string (root, FALSE);
  GString *out = g_string_sized_new (strlen (text) + 16);
  gboolean quoted = FALSE, exponent = FALSE;
  /* Without indentation a control character can only be inside a string. json-glib 1.6 also writes 1e-15 as 1e-15.0. */
  for (const char *p = text; *p; p++)
    {
      if (*p == '"')
        quoted = !quoted;
      if (quoted && *p == '\\' && p[1])
        g_string_append_c (out, *p++);
      exponent = !quoted && (*p == 'e' || (exponent && (g_ascii_isdigit (*p) || strchr ("+-.", *p))));
      if (exponent && *p == '.')
        p += p[1] == '0';
      else if ((guchar) *p < 0x20)
        g_string_append_printf (out, "\\u%04x", (guint) (guchar) *p);
      else
        g_string_append_c (out, *p);
    }
  return g_string_free (out, FALSE);
}

/* ---- fields ---- */

EaselFields
easel_fields (JsonObject *object, const char *where)
{
  return (EaselFields){ .object = object, .where = where };
}

static void
complain (EaselFields *self, const char *name, const char *must)
{
  if (!self->error)
    self->error = g_error_new (EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s: %s must be %s.", self->where, name, must);
}

/* The member, or NULL when it is missing, null, or an error is pending. */
static JsonNode *
member (EaselFields *self, const char *name)
{
  JsonNode *node = self->error ? NULL : json_object_get_member (self->object, name);
  return node && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

gboolean
easel_fields_has (EaselFields *self, const char *name)
{
  return member (self, name) != NULL;
}

/* A whole number; 2.0 counts as one, since Python writes both. */
static gboolean
node_int (JsonNode *node, gint64 *out)
{
  if (!JSON_NODE_HOLDS_VALUE (node))
    return FALSE;
  GType type = json_node_get_value_type (node);
  if (type == G_TYPE_INT64)
    {
      *out = json_node_get_int (node);
      return TRUE;
    }
  if (type != G_TYPE_DOUBLE)
    return FALSE;
  double value = json_node_get_double (node);
  if (!(fabs (value) <= 9007199254740992.0) || value != floor (value))
    return FALSE;
  *out = (gint64) value;
  return TRUE;
}

gint64
easel_fields_int (EaselFields *self, const char *name, gint64 fallback, gint64 min, gint64 max)
{
  JsonNode *node = member (self, name);
  gint64 value;
  if (!node)
    return fallback;
  if (!node_int (node, &value))
    complain (self, name, "a whole number");
  else if (value < min || value > max)
    {
      g_autofree char *must = g_strdup_printf ("from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
                                               ", not %" G_GINT64_FORMAT, min, max, value);
      complain (self, name, must);
    }
  else
    return value;
  return fallback;
}

double
easel_fields_double (EaselFields *self, const char *name, double fallback)
{
  JsonNode *node = member (self, name);
  if (!node)
    return fallback;
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64)
    return (double) json_node_get_int (node);
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_DOUBLE)
    return json_node_get_double (node);
  complain (self, name, "a number");
  return fallback;
}

gboolean
easel_fields_bool (EaselFields *self, const char *name, gboolean fallback)
{
  JsonNode *node = member (self, name);
  if (!node)
    return fallback;
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_BOOLEAN)
    return json_node_get_boolean (node);
  complain (self, name, "true or false");
  return fallback;
}

const char *
easel_fields_string (EaselFields *self, const char *name, const char *fallback)
{
  JsonNode *node = member (self, name);
  if (!node)
    return fallback;
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    return json_node_get_string (node);
  complain (self, name, "a text");
  return fallback;
}

int
easel_fields_ints (EaselFields *self, const char *name, int n, gint64 *out)
{
  JsonNode *node = member (self, name);
  gint64 value;
  if (!node)
    return self->error ? -1 : 0;
  if (node_int (node, &value))
    {
      for (int i = 0; i < n; i++)
        out[i] = value;
      return n;
    }
  if (JSON_NODE_HOLDS_ARRAY (node))
    {
      JsonArray *array = json_node_get_array (node);
      guint length = json_array_get_length (array);
      if (length <= (guint) n)
        {
          guint i = 0;
          while (i < length && node_int (json_array_get_element (array, i), &out[i]))
            i++;
          if (i == length)
            return (int) length;
        }
    }
  g_autofree char *must = g_strdup_printf ("a list of at most %d whole numbers", n);
  complain (self, name, must);
  return -1;
}

gboolean
easel_fields_done (EaselFields *self, GError **error)
{
  if (!self->error)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&self->error));
  return FALSE;
}
