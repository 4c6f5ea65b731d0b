/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The smallest XMP packet (ISO 16684-1) that carries the request: one rdf:Description with simple text properties.
 * Read back with GMarkup, which knows no external entities, so a packet cannot grow by being parsed.
 */
#include "engine/media/image-private.h"

#include <string.h>

#define NS "https://easelstudio.github.io/ns/1.0/"
#define OPENING                                                        \
  "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>" \
  "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">"                             \
  "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
#define CLOSING "</rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"

/* XML has no way to say most control characters and two others. In JSON an escape says the same; in plain text they
 * become U+FFFD. */
static void
append_xml (GString *out, const char *text, gboolean json)
{
  for (const char *p = text; *p; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (c == '&')
        g_string_append (out, "&amp;");
      else if (c == '<')
        g_string_append (out, "&lt;");
      else if (c == '>')
        g_string_append (out, "&gt;");
      else if (c == '\n' || c == '\t')
        g_string_append_c (out, (char) c);
      else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffe || c == 0xffff)
        {
          if (json)
            g_string_append_printf (out, "\\u%04x", c);
          else if (c == '\r')
            g_string_append (out, "&#13;");
          else
            g_string_append_unichar (out, 0xfffd);
        }
      else
        g_string_append_unichar (out, c);
    }
}

char *
easel_xmp_build (const EaselImageTexts *texts)
{
  GString *out = g_string_new (OPENING "<rdf:Description rdf:about=\"\" xmlns:easel=\"" NS "\">");

  if (texts->parameters)
    {
      g_string_append (out, "<easel:parameters>");
      append_xml (out, texts->parameters, FALSE);
      g_string_append (out, "</easel:parameters>");
    }
  if (texts->json)
    {
      g_string_append (out, "<easel:request>");
      append_xml (out, texts->json, TRUE);
      g_string_append (out, "</easel:request>");
    }
  g_string_append (out, "</rdf:Description>" CLOSING);
  return g_string_free (out, FALSE);
}

char *
easel_xmp_build_pointer (const char *digest)
{
  return g_strconcat (OPENING "<rdf:Description rdf:about=\"\" xmlns:xmpNote=\"http://ns.adobe.com/xmp/note/\" "
                              "xmpNote:HasExtendedXMP=\"",
                      digest, "\"/>" CLOSING, NULL);
}

/* Properties we know, as elements or as attributes of rdf:Description: programs that rewrite a packet choose either. */
static const struct
{
  const char *name, *key;
} properties[] = {
  { "easel:request", "easel" },
  { "easel:parameters", "parameters" },
  { EASEL_XMP_EXTENDED, EASEL_XMP_EXTENDED },
};

static const char *
key_of (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (properties); i++)
    if (strcmp (name, properties[i].name) == 0)
      return properties[i].key;
  return NULL;
}

typedef struct
{
  GHashTable *texts;
  const char *key; /* of the element we are in, or NULL */
  GString *value;
} Parser;

static void
start_element_cb (GMarkupParseContext *context G_GNUC_UNUSED, const char *name, const char **attribute_names,
                  const char **attribute_values, gpointer user_data, GError **error G_GNUC_UNUSED)
{
  Parser *parser = user_data;

  parser->key = key_of (name);
  g_string_truncate (parser->value, 0);
  if (strcmp (name, "rdf:Description") != 0)
    return;
  for (guint i = 0; attribute_names[i]; i++)
    {
      const char *key = key_of (attribute_names[i]);

      if (key)
        easel_image_add_text (parser->texts, key, attribute_values[i], strlen (attribute_values[i]));
    }
}

static void
end_element_cb (GMarkupParseContext *context G_GNUC_UNUSED, const char *name G_GNUC_UNUSED, gpointer user_data,
                GError **error G_GNUC_UNUSED)
{
  Parser *parser = user_data;

  if (parser->key)
    easel_image_add_text (parser->texts, parser->key, parser->value->str, parser->value->len);
  parser->key = NULL;
}

static void
text_cb (GMarkupParseContext *context G_GNUC_UNUSED, const char *text, gsize length, gpointer user_data,
         GError **error G_GNUC_UNUSED)
{
  Parser *parser = user_data;

  if (parser->key)
    g_string_append_len (parser->value, text, (gssize) length);
}

void
easel_xmp_parse (const guint8 *data, gsize size, GHashTable *texts)
{
  static const GMarkupParser callbacks = {
    .start_element = start_element_cb,
    .end_element = end_element_cb,
    .text = text_cb,
  };
  Parser parser = { .texts = texts };
  GMarkupParseContext *context;

  if (size > 2 * EASEL_IMAGE_MAX_TEXT)
    return;
  parser.value = g_string_new (NULL);
  context = g_markup_parse_context_new (&callbacks, G_MARKUP_TREAT_CDATA_AS_TEXT, &parser, NULL);
  g_markup_parse_context_parse (context, (const char *) data, (gssize) size, NULL);
  g_markup_parse_context_free (context);
  g_string_free (parser.value, TRUE);
}
