/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libyaml's events become a tree; the open maps and lists are a stack, so that nothing recurses while reading.
 */
#include "engine/recipes/yaml.h"

#include <string.h>
#include <yaml.h>

typedef struct
{
  const char *where;
  EaselYaml *root;
  EaselYaml *open[EASEL_YAML_MAX_DEPTH];
  int depth;
  guint nodes;
  gboolean done;
} Reader;

static gboolean
refuse (const Reader *r, guint line, const char *why, GError **error)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s:%u: %s.", r->where, line, why);
  return FALSE;
}

void
easel_yaml_free (EaselYaml *self)
{
  if (!self)
    return;
  g_free (self->text);
  if (self->items)
    g_ptr_array_unref (self->items);
  g_free (self);
}

EaselYaml *
easel_yaml_find (EaselYaml *self, const char *key)
{
  if (!self || self->kind != EASEL_YAML_MAP)
    return NULL;
  for (guint i = 0; i + 1 < self->items->len; i += 2)
    if (strcmp (((EaselYaml *) self->items->pdata[i])->text, key) == 0)
      return self->items->pdata[i + 1];
  return NULL;
}

gboolean
easel_yaml_is_null (const EaselYaml *self)
{
  return self->kind == EASEL_YAML_SCALAR && !self->quoted
         && (!self->text[0] || strcmp (self->text, "~") == 0 || g_ascii_strcasecmp (self->text, "null") == 0);
}

/* Takes the node. */
static gboolean
attach (Reader *r, EaselYaml *node, GError **error)
{
  EaselYaml *parent = r->depth ? r->open[r->depth - 1] : NULL;
  guint line = node->line;

  if (!parent)
    {
      r->root = node;
      return TRUE;
    }
  if (parent->kind == EASEL_YAML_MAP && parent->items->len % 2 == 0)
    {
      gboolean scalar = node->kind == EASEL_YAML_SCALAR;
      if (!scalar || easel_yaml_find (parent, node->text))
        {
          easel_yaml_free (node);
          return refuse (r, line, scalar ? "a name occurs twice" : "a name must be plain text", error);
        }
    }
  g_ptr_array_add (parent->items, node);
  return TRUE;
}

static gboolean
add (Reader *r, const yaml_event_t *event, GError **error)
{
  guint line = (guint) event->start_mark.line + 1;
  EaselYaml *node;

  if (++r->nodes > EASEL_YAML_MAX_NODES)
    return refuse (r, line, "too many values", error);
  node = g_new0 (EaselYaml, 1);
  node->line = line;
  if (event->type == YAML_SCALAR_EVENT)
    {
      const char *value = (const char *) event->data.scalar.value;
      gsize length = event->data.scalar.length;
      if (memchr (value, 0, length) || !g_utf8_validate (value, (gssize) length, NULL))
        {
          easel_yaml_free (node);
          return refuse (r, line, "a text has a character that no text can have", error);
        }
      node->text = g_strndup (value, length);
      node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
      return attach (r, node, error);
    }
  node->kind = event->type == YAML_MAPPING_START_EVENT ? EASEL_YAML_MAP : EASEL_YAML_LIST;
  node->items = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_yaml_free);
  if (r->depth == EASEL_YAML_MAX_DEPTH)
    {
      easel_yaml_free (node);
      return refuse (r, line, "nested too deeply", error);
    }
  if (!attach (r, node, error))
    return FALSE;
  r->open[r->depth++] = node;
  return TRUE;
}

/* An anchor or a tag on a node, wherever libyaml puts it. */
static gboolean
is_decorated (const yaml_event_t *event)
{
  switch (event->type)
    {
    case YAML_SCALAR_EVENT:
      return event->data.scalar.anchor || event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
      return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
      return event->data.mapping_start.anchor || event->data.mapping_start.tag;
    default:
      return FALSE;
    }
}

static gboolean
handle (Reader *r, const yaml_event_t *event, GError **error)
{
  guint line = (guint) event->start_mark.line + 1;

  if (is_decorated (event) || event->type == YAML_ALIAS_EVENT)
    return refuse (r, line, "anchors, aliases and tags (& * !) are not supported; quote a text that begins with one",
                   error);
  switch (event->type)
    {
    case YAML_STREAM_END_EVENT:
      r->done = TRUE;
      return TRUE;
    case YAML_DOCUMENT_START_EVENT:
      if (r->root)
        return refuse (r, line, "a second document begins; there may be one", error);
      return TRUE;
    case YAML_SCALAR_EVENT:
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
      return add (r, event, error);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
      r->depth--;
      return TRUE;
    default:
      return TRUE;
    }
}

static gboolean
read_events (Reader *r, yaml_parser_t *parser, GError **error)
{
  while (!r->done)
    {
      yaml_event_t event;
      gboolean good;
      if (!yaml_parser_parse (parser, &event))
        {
          if (parser->error == YAML_MEMORY_ERROR)
            {
              g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory to read %s.", r->where);
              return FALSE;
            }
          return refuse (r, (guint) parser->problem_mark.line + 1,
                         parser->problem ? parser->problem : "this is not YAML", error);
        }
      good = handle (r, &event, error);
      yaml_event_delete (&event);
      if (!good)
        return FALSE;
    }
  return TRUE;
}

EaselYaml *
easel_yaml_parse (const char *text, gsize length, const char *where, GError **error)
{
  Reader r = { .where = where };
  const char *bad;
  yaml_parser_t parser;
  gboolean good;

  if (length > EASEL_YAML_MAX_BYTES)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s has %" G_GSIZE_FORMAT " bytes; at most %u are read.",
                   where, length, EASEL_YAML_MAX_BYTES);
      return NULL;
    }
  if (!g_utf8_validate_len (text, length, &bad))
    {
      guint line = 1;
      for (const char *p = text; p < bad; p++)
        line += *p == '\n';
      refuse (&r, line, "this is not text in UTF-8", error);
      return NULL;
    }
  if (!yaml_parser_initialize (&parser))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory to read %s.", where);
      return NULL;
    }
  yaml_parser_set_encoding (&parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string (&parser, (const unsigned char *) text, length);
  good = read_events (&r, &parser, error);
  yaml_parser_delete (&parser);
  if (!good)
    {
      easel_yaml_free (r.root);
      return NULL;
    }
  if (!r.root)
    {
      r.root = g_new0 (EaselYaml, 1);
      r.root->kind = EASEL_YAML_MAP;
      r.root->line = 1;
      r.root->items = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_yaml_free);
    }
  return r.root;
}
