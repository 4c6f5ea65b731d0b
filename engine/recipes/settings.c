/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of settings that a recipe can hold, how each is read, and how they are written.
 */
#include "engine/recipes/settings.h"

#include "engine/recipes/recipe.h"

#include <math.h>
#include <string.h>
#include <yaml.h>

typedef enum
{
  KIND_TEXT,
  KIND_INT,
  KIND_DOUBLE,
  KIND_BOOL,
  KIND_SEED, /* a whole number from 0, or "random" */
  KIND_SIZE, /* 1024x768 */
} Kind;

typedef struct
{
  const char *name;
  Kind kind;
  gsize offset;
  double min, max; /* numbers: range; texts: most bytes */
  const char *choices; /* texts: the words there are, "|cpu|cuda|"; NULL: any */
} Setting;

#define AT(member) G_STRUCT_OFFSET (EaselRequestSettings, member)
static const Setting SETTINGS[] = {
  { "model", KIND_TEXT, AT (model), 0, 4096, NULL },
  { "prompt", KIND_TEXT, AT (prompt), 0, EASEL_PROMPT_MAX_BYTES, NULL },
  { "negative", KIND_TEXT, AT (negative), 0, EASEL_PROMPT_MAX_BYTES, NULL },
  { "size", KIND_SIZE, AT (width), 1, 16384, NULL },
  { "width", KIND_INT, AT (width), 1, 16384, NULL },
  { "height", KIND_INT, AT (height), 1, 16384, NULL },
  { "steps", KIND_INT, AT (steps), 1, 10000, NULL },
  { "stop-after", KIND_INT, AT (stop_after), 1, 10000, NULL },
  { "guidance", KIND_DOUBLE, AT (guidance), 0, 1000, NULL },
  { "seed", KIND_SEED, AT (seed), 0, 0, NULL },
  { "sampler", KIND_TEXT, AT (sampler), 0, 64, NULL },
  { "count", KIND_INT, AT (count), 1, 10000, NULL },
  { "resolution-binning", KIND_BOOL, AT (resolution_binning), 0, 0, NULL },
  { "human-instruction", KIND_BOOL, AT (human_instruction), 0, 0, NULL },
  { "max-tokens", KIND_INT, AT (max_tokens), 1, 4096, NULL },
  { "frames", KIND_INT, AT (frames), 1, 10000, NULL },
  { "fps", KIND_DOUBLE, AT (fps), 0.001, 1000, NULL },
  { "dynamic-guidance", KIND_BOOL, AT (dynamic_guidance), 0, 0, NULL },
  { "strength", KIND_DOUBLE, AT (strength), 0.001, 1, NULL },
  { "fit-input", KIND_BOOL, AT (fit_input), 0, 0, NULL },
  { "reuse", KIND_DOUBLE, AT (reuse), 0.001, 1, NULL },
  { "noise", KIND_TEXT, AT (noise), 0, 64, "|cpu|cuda|" },
  { "precision", KIND_TEXT, AT (precision), 0, 64, "|f32|bf16|f16|fp8|int8|" },
};

#define FIELD(settings, s, type) (*(type *) ((char *) (settings) + (s)->offset))
#define CONST_FIELD(settings, s, type) (*(const type *) ((const char *) (settings) + (s)->offset))

static const Setting *
find (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (SETTINGS); i++)
    if (strcmp (name, SETTINGS[i].name) == 0)
      return &SETTINGS[i];
  return NULL;
}

/* The first characters of a text, for a message. */
static char *
excerpt (const char *text)
{
  g_autofree char *head = g_utf8_strlen (text, -1) > 40 ? g_utf8_substring (text, 0, 40) : g_strdup (text);
  char *escaped = g_strescape (head, NULL);
  char *readable = g_utf8_strlen (text, -1) > 40 ? g_strconcat (escaped, "…", NULL) : g_strdup (escaped);

  g_free (escaped);
  return readable;
}

static char *
unknown (const char *key)
{
  GString *names = g_string_new (NULL);
  g_autofree char *shown = excerpt (key);

  g_string_printf (names, "there is no setting \"%s\"; there are ", shown);
  for (guint i = 0; i < G_N_ELEMENTS (SETTINGS); i++)
    g_string_append_printf (names, "%s%s", i ? ", " : "", SETTINGS[i].name);
  return g_string_free (names, FALSE);
}

static char *
wrong (const Setting *s, const EaselYaml *value)
{
  g_autofree char *shown = value->text ? excerpt (value->text) : g_strdup ("a list or a map");

  switch (s->kind)
    {
    case KIND_TEXT:
      if (s->choices)
        return g_strdup_printf ("%s must be one of %.*s, not \"%s\"", s->name, (int) strlen (s->choices) - 2,
                                s->choices + 1, shown);
      return g_strdup_printf ("%s must be text of at most %.0f bytes", s->name, s->max);
    case KIND_BOOL:
      return g_strdup_printf ("%s must be true or false, not \"%s\"", s->name, shown);
    case KIND_SEED:
      return g_strdup_printf ("%s must be a whole number from 0 to %" G_GINT64_FORMAT ", or random, not \"%s\"",
                              s->name, G_MAXINT64, shown);
    case KIND_SIZE:
      return g_strdup_printf ("%s must be width x height in pixels, such as 1024x768, not \"%s\"", s->name, shown);
    case KIND_DOUBLE:
      return g_strdup_printf ("%s must be a number from %g to %g, not \"%s\"", s->name, s->min, s->max, shown);
    case KIND_INT:
      break;
    }
  return g_strdup_printf ("%s must be a whole number from %.0f to %.0f, not \"%s\"", s->name, s->min, s->max, shown);
}

/* Digits only, at most `max`; *end is set after them. */
static gboolean
read_digits (const char *text, gint64 max, gint64 *out, const char **end)
{
  gint64 value = 0;

  if (!g_ascii_isdigit (text[0]))
    return FALSE;
  for (; g_ascii_isdigit (*text); text++)
    {
      int digit = *text - '0';
      if (digit > max || value > (max - digit) / 10)
        return FALSE;
      value = value * 10 + digit;
    }
  *out = value;
  *end = text;
  return TRUE;
}

static gboolean
read_int (const char *text, gint64 min, gint64 max, gint64 *out)
{
  const char *end;
  return read_digits (text, max, out, &end) && !*end && *out >= min;
}

/* Decimal notation only: no hexadecimal, infinity or NaN. */
static gboolean
read_double (const char *text, double min, double max, double *out)
{
  char *end;

  if (!text[0] || strspn (text, "0123456789.eE+-") != strlen (text))
    return FALSE;
  *out = g_ascii_strtod (text, &end);
  return !*end && end != text && *out >= min && *out <= max;
}

static gboolean
read_size (const char *text, gint64 max, int *width, int *height)
{
  gint64 w, h;
  const char *x;

  if (!read_digits (text, max, &w, &x))
    return FALSE;
  if (*x == 'x' || *x == 'X')
    x++;
  else if (g_str_has_prefix (x, "×"))
    x += strlen ("×");
  else
    return FALSE;
  if (!read_int (x, 1, max, &h) || w < 1)
    return FALSE;
  *width = (int) w;
  *height = (int) h;
  return TRUE;
}

static gboolean
is_choice (const Setting *s, const char *text)
{
  g_autofree char *bar = g_strconcat ("|", text, "|", NULL);
  return !s->choices || (!strchr (text, '|') && strstr (s->choices, bar));
}

static gboolean
set (EaselRequestSettings *out, const Setting *s, const EaselYaml *value, GStringChunk *strings)
{
  gboolean plain = !value->quoted;
  gint64 whole;
  double number;

  switch (s->kind)
    {
    case KIND_TEXT:
      if (strlen (value->text) > (gsize) s->max || !is_choice (s, value->text))
        return FALSE;
      FIELD (out, s, const char *) = g_string_chunk_insert (strings, value->text);
      return TRUE;
    case KIND_BOOL:
      if (!plain || (g_ascii_strcasecmp (value->text, "true") != 0 && g_ascii_strcasecmp (value->text, "false") != 0))
        return FALSE;
      FIELD (out, s, gboolean) = g_ascii_strcasecmp (value->text, "true") == 0;
      return TRUE;
    case KIND_SEED:
      if (strcmp (value->text, "random") == 0)
        FIELD (out, s, gint64) = -1;
      else if (plain && read_int (value->text, 0, G_MAXINT64, &whole))
        FIELD (out, s, gint64) = whole;
      else
        return FALSE;
      return TRUE;
    case KIND_SIZE:
      return read_size (value->text, (gint64) s->max, &out->width, &out->height);
    case KIND_DOUBLE:
      if (!plain || !read_double (value->text, s->min, s->max, &number))
        return FALSE;
      FIELD (out, s, double) = number;
      return TRUE;
    case KIND_INT:
      if (!plain || !read_int (value->text, (gint64) s->min, (gint64) s->max, &whole))
        return FALSE;
      FIELD (out, s, int) = (int) whole;
      return TRUE;
    }
  return FALSE;
}

static void
take_back (EaselRequestSettings *out, const EaselRequestSettings *base, const Setting *s)
{
  switch (s->kind)
    {
    case KIND_TEXT:
      FIELD (out, s, const char *) = CONST_FIELD (base, s, char *);
      break;
    case KIND_BOOL:
      FIELD (out, s, gboolean) = CONST_FIELD (base, s, gboolean);
      break;
    case KIND_SEED:
      FIELD (out, s, gint64) = CONST_FIELD (base, s, gint64);
      break;
    case KIND_SIZE:
      out->width = base->width;
      out->height = base->height;
      break;
    case KIND_DOUBLE:
      FIELD (out, s, double) = CONST_FIELD (base, s, double);
      break;
    case KIND_INT:
      FIELD (out, s, int) = CONST_FIELD (base, s, int);
      break;
    }
}

char *
easel_setting_apply (EaselRequestSettings *out, const EaselRequestSettings *base, const char *key,
                     const EaselYaml *value, GStringChunk *strings)
{
  const Setting *s = find (key);

  if (!s)
    return unknown (key);
  if (value->kind == EASEL_YAML_SCALAR && easel_yaml_is_null (value))
    {
      take_back (out, base, s);
      return NULL;
    }
  if (value->kind != EASEL_YAML_SCALAR || !set (out, s, value, strings))
    return wrong (s, value);
  return NULL;
}

void
easel_settings_copy_texts (EaselRequestSettings *self, GStringChunk *strings)
{
  for (guint i = 0; i < G_N_ELEMENTS (SETTINGS); i++)
    {
      const char *text = SETTINGS[i].kind == KIND_TEXT ? FIELD (self, &SETTINGS[i], const char *) : NULL;
      if (text)
        FIELD (self, &SETTINGS[i], const char *) = g_string_chunk_insert (strings, text);
    }
}

/* ---- writing ---- */

static int
append_cb (void *data, unsigned char *buffer, size_t size)
{
  g_string_append_len (data, (const char *) buffer, (gssize) size);
  return 1;
}

static gboolean
emit_scalar (yaml_emitter_t *emitter, const char *text, gboolean quoted)
{
  yaml_event_t event;
  return yaml_scalar_event_initialize (&event, NULL, NULL, (yaml_char_t *) text, (int) strlen (text), !quoted, quoted,
                                       quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE)
         && yaml_emitter_emit (emitter, &event);
}

static gboolean
emit_pair (yaml_emitter_t *emitter, const char *key, const char *value, gboolean quoted)
{
  return !value || (emit_scalar (emitter, key, FALSE) && emit_scalar (emitter, value, quoted));
}

/* The value as it is written, or NULL where nobody chose one. Caller frees. */
static char *
written (const EaselRequestSettings *settings, const Setting *s)
{
  const EaselRequestSettings none = EASEL_REQUEST_SETTINGS_INIT;
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  const char *text;

  switch (s->kind)
    {
    case KIND_TEXT:
      text = CONST_FIELD (settings, s, char *);
      return text && *text ? g_strdup (text) : NULL;
    case KIND_INT:
      return CONST_FIELD (settings, s, int) > 0 ? g_strdup_printf ("%d", CONST_FIELD (settings, s, int)) : NULL;
    case KIND_SEED:
      if (CONST_FIELD (settings, s, gint64) < 0)
        return NULL;
      return g_strdup_printf ("%" G_GINT64_FORMAT, CONST_FIELD (settings, s, gint64));
    case KIND_DOUBLE:
      if (!(CONST_FIELD (settings, s, double) >= s->min && CONST_FIELD (settings, s, double) <= s->max))
        return NULL;
      return g_strdup (g_ascii_dtostr (number, sizeof number, CONST_FIELD (settings, s, double)));
    case KIND_BOOL:
      if (!CONST_FIELD (settings, s, gboolean) == !CONST_FIELD (&none, s, gboolean))
        return NULL;
      return g_strdup (CONST_FIELD (settings, s, gboolean) ? "true" : "false");
    case KIND_SIZE:
      break;
    }
  return NULL; /* width and height say it */
}

static gboolean
emit_recipe (yaml_emitter_t *emitter, const EaselRequestSettings *settings, const char *name, const char *description)
{
  yaml_event_t event;

  if (!yaml_stream_start_event_initialize (&event, YAML_UTF8_ENCODING) || !yaml_emitter_emit (emitter, &event)
      || !yaml_document_start_event_initialize (&event, NULL, NULL, NULL, 1) || !yaml_emitter_emit (emitter, &event)
      || !yaml_mapping_start_event_initialize (&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)
      || !yaml_emitter_emit (emitter, &event) || !emit_pair (emitter, "easel", "1", FALSE)
      || !emit_pair (emitter, "name", name, TRUE) || !emit_pair (emitter, "description", description, TRUE))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (SETTINGS); i++)
    {
      g_autofree char *value = written (settings, &SETTINGS[i]);
      if (!emit_pair (emitter, SETTINGS[i].name, value, SETTINGS[i].kind == KIND_TEXT))
        return FALSE;
    }
  return yaml_mapping_end_event_initialize (&event) && yaml_emitter_emit (emitter, &event)
         && yaml_document_end_event_initialize (&event, 1) && yaml_emitter_emit (emitter, &event)
         && yaml_stream_end_event_initialize (&event) && yaml_emitter_emit (emitter, &event)
         && yaml_emitter_flush (emitter);
}

char *
easel_recipe_to_yaml (const EaselRequestSettings *settings, const char *name, const char *description, GError **error)
{
  yaml_emitter_t emitter;
  GString *out;
  gboolean good, text = (!name || g_utf8_validate (name, -1, NULL))
                        && (!description || g_utf8_validate (description, -1, NULL));

  for (guint i = 0; i < G_N_ELEMENTS (SETTINGS); i++)
    if (SETTINGS[i].kind == KIND_TEXT && CONST_FIELD (settings, &SETTINGS[i], char *))
      text = text && g_utf8_validate (CONST_FIELD (settings, &SETTINGS[i], char *), -1, NULL);
  if (!text)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "A recipe can only hold text in UTF-8.");
      return NULL;
    }
  if (!yaml_emitter_initialize (&emitter))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory to write a recipe.");
      return NULL;
    }
  out = g_string_new (NULL);
  yaml_emitter_set_output (&emitter, append_cb, out);
  yaml_emitter_set_unicode (&emitter, 1);
  yaml_emitter_set_width (&emitter, -1);
  good = emit_recipe (&emitter, settings, name, description);
  yaml_emitter_delete (&emitter);
  if (!good)
    {
      g_string_free (out, TRUE);
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory to write a recipe.");
      return NULL;
    }
  return g_string_free (out, FALSE);
}
