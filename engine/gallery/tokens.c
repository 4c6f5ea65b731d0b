/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The tokenizer of the word index. unicode61 takes a run of letters for one word; Chinese or Thai sentences have no
 * spaces, so a whole sentence would be one word and only its beginning could be found. Here such letters are tokens of
 * their own, and a query's string becomes a phrase of them.
 */
#include "engine/gallery/gallery-private.h"

#include <string.h>

typedef struct
{
  fts5_tokenizer base;
  Fts5Tokenizer *instance;
} Tokenizer;

typedef struct
{
  void *context;
  int (*token) (void *, int, const char *, int, int, int);
} Sink;

static gboolean
stands_alone (gunichar c)
{
  if (c < 0x0e00)
    return FALSE;
  switch (g_unichar_get_script (c))
    {
    case G_UNICODE_SCRIPT_HAN:
    case G_UNICODE_SCRIPT_HIRAGANA:
    case G_UNICODE_SCRIPT_KATAKANA:
    case G_UNICODE_SCRIPT_BOPOMOFO:
    case G_UNICODE_SCRIPT_THAI:
    case G_UNICODE_SCRIPT_LAO:
    case G_UNICODE_SCRIPT_KHMER:
    case G_UNICODE_SCRIPT_MYANMAR:
      return TRUE;
    default:
      return FALSE;
    }
}

/* A token of unicode61, cut where a letter stands alone. Its bytes are folded, so offsets inside it are not those of
 * the text; the whole token's are given, which only snippets would use. */
static int
cut_token (void *data, int flags, const char *text, int n, int start, int end)
{
  Sink *sink = data;
  int begin = 0;

  for (int at = 0; at < n;)
    {
      gunichar c = g_utf8_get_char_validated (text + at, n - at);
      int length = c >= (gunichar) -2 ? 1 : g_utf8_skip[(guchar) text[at]];
      int code = SQLITE_OK;

      if (c < (gunichar) -2 && stands_alone (c))
        {
          if (at > begin)
            code = sink->token (sink->context, flags, text + begin, at - begin, start, end);
          if (code == SQLITE_OK)
            code = sink->token (sink->context, flags, text + at, length, start, end);
          begin = at + length;
          if (code != SQLITE_OK)
            return code;
        }
      at += length;
    }
  return begin < n ? sink->token (sink->context, flags, text + begin, n - begin, start, end) : SQLITE_OK;
}

static int
create (void *context, const char **arguments, int n, Fts5Tokenizer **out)
{
  static const char *own[] = { "remove_diacritics", "2" };
  fts5_api *api = context;
  Tokenizer *self = g_new0 (Tokenizer, 1);
  void *base_context;
  int code = api->xFindTokenizer (api, "unicode61", &base_context, &self->base);

  if (code == SQLITE_OK)
    code = self->base.xCreate (base_context, own, 2, &self->instance);
  if (code != SQLITE_OK)
    g_clear_pointer (&self, g_free);
  *out = (Fts5Tokenizer *) self;
  return code;
}

static void
discard (Fts5Tokenizer *tokenizer)
{
  Tokenizer *self = (Tokenizer *) tokenizer;

  self->base.xDelete (self->instance);
  g_free (self);
}

static int
tokenize (Fts5Tokenizer *tokenizer, void *context, int flags, const char *text, int n,
          int (*token) (void *, int, const char *, int, int, int))
{
  Tokenizer *self = (Tokenizer *) tokenizer;
  Sink sink = { context, token };

  return self->base.xTokenize (self->instance, &sink, flags, text, n, cut_token);
}

gboolean
easel_gallery_add_tokenizer (sqlite3 *db, GError **error)
{
  static fts5_tokenizer methods = { create, discard, tokenize };
  g_autoptr (EaselStatement) ask = easel_gallery_prepare (db, "SELECT fts5 (?1)", error);
  fts5_api *api = NULL;

  if (!ask)
    return FALSE;
  sqlite3_bind_pointer (ask, 1, &api, "fts5_api_ptr", NULL);
  if (sqlite3_step (ask) != SQLITE_ROW || !api ||
      api->xCreateTokenizer (api, "easel", api, &methods, NULL) != SQLITE_OK)
    return easel_gallery_fail (db, error);
  return TRUE;
}
