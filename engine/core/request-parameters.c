/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The "parameters" text, as the field's tools write it into their pictures:
 *
 *   the prompt, one or more lines
 *   Negative prompt: one or more lines
 *   Steps: 20, Sampler: euler, CFG scale: 4.5, Seed: 7, Size: 512x512, Model: name, Version: Easel 0.1.0
 *
 * The last line counts as settings when it holds at least three pairs. A value with a comma, a colon or a newline is
 * written as a JSON string.
 */
#include <math.h>
#include <string.h>

#include "engine/core/request.h"

#define TEXT_MAX_BYTES (2 * EASEL_PROMPT_MAX_BYTES + (64u << 10))
#define NEGATIVE "Negative prompt:"
#define DEFAULTS_SAY "off"

/* ---- writing ---- */

static void
add_pair (GString *line, const char *key, const char *value)
{
  if (line->len > 0)
    g_string_append (line, ", ");
  g_string_append_printf (line, "%s: ", key);
  if (*value && !strpbrk (value, ",:\n\r\"") && !g_ascii_isspace (value[0])
      && !g_ascii_isspace (value[strlen (value) - 1]))
    {
      g_string_append (line, value);
      return;
    }
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_VALUE);
  json_node_set_string (node, value);
  g_autofree char *quoted = easel_json_to_text (node);
  g_string_append (line, quoted);
}

static void
add_int (GString *line, const char *key, gint64 value)
{
  char text[32];
  g_snprintf (text, sizeof text, "%" G_GINT64_FORMAT, value);
  add_pair (line, key, text);
}

/* The shortest digits that read back as the same number. */
static void
add_double (GString *line, const char *key, double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE], format[8];
  for (int digits = 1; digits <= 17; digits++)
    {
      g_snprintf (format, sizeof format, "%%.%dg", digits);
      g_ascii_formatd (text, sizeof text, format, value);
      if (g_ascii_strtod (text, NULL) == value)
        break;
    }
  add_pair (line, key, text);
}

char *
easel_request_to_parameters (EaselRequest *self)
{
  const EaselRequestSettings *s = easel_request_settings (self);
  GString *text = g_string_new (s->prompt);
  g_autoptr (GString) line = g_string_new (NULL);
  if (*s->negative)
    g_string_append_printf (text, "\n" NEGATIVE " %s", s->negative);
  if (s->steps > 0)
    add_int (line, "Steps", s->steps);
  if (s->sampler)
    add_pair (line, "Sampler", s->sampler);
  if (s->guidance >= 0)
    add_double (line, "CFG scale", s->guidance);
  add_int (line, "Seed", s->seed);
  if (s->width > 0 && s->height > 0)
    {
      char size[32];
      g_snprintf (size, sizeof size, "%dx%d", s->width, s->height);
      add_pair (line, "Size", size);
    }
  if (s->model)
    {
      g_autofree char *name = easel_request_model_name (s->model);
      add_pair (line, "Model", name);
    }
  if (s->count > 1)
    add_int (line, "Count", s->count);
  if (s->frames > 1)
    add_int (line, "Frames", s->frames);
  if (s->fps > 0)
    add_double (line, "FPS", s->fps);
  if (s->dynamic_guidance)
    add_pair (line, "Dynamic guidance", "on");
  if (s->input)
    {
      g_autofree char *input = g_path_get_basename (s->input);
      add_pair (line, "Input", input);
      if (s->fit_input)
        add_pair (line, "Input shape", "fitted");
    }
  if (s->stop_after > 0)
    add_int (line, "Stopped after", s->stop_after);
  if (s->reuse > 0)
    add_double (line, "Reuse", s->reuse);
  if (s->reused > 0)
    add_int (line, "Reused", s->reused);
  if (s->psnr > 0)
    {
      add_double (line, "PSNR", s->psnr);
      add_double (line, "SSIM", s->ssim);
    }
  if (s->strength > 0)
    add_double (line, "Denoising strength", s->strength);
  if (s->max_tokens > 0)
    add_int (line, "Max tokens", s->max_tokens);
  if (!s->resolution_binning)
    add_pair (line, "Resolution binning", DEFAULTS_SAY);
  if (!s->human_instruction)
    add_pair (line, "Human instruction", DEFAULTS_SAY);
  if (strcmp (s->noise, "cpu") != 0)
    add_pair (line, "Noise", s->noise);
  if (s->precision)
    add_pair (line, "Precision", s->precision);
  /* Always three pairs at least: Seed and these two, so that the line is known for what it is. */
  if (s->steps == 0 && s->guidance < 0)
    add_pair (line, "Tool", "Easel");
  add_pair (line, "Version", "Easel " EASEL_VERSION);
  g_string_append_printf (text, "\n%s", line->str);
  return g_string_free (text, FALSE);
}

/* ---- reading ---- */

static gboolean
is_key_char (char c)
{
  return g_ascii_isalnum (c) || c == '_' || c == ' ' || c == '-' || c == '/' || (guchar) c >= 0x80;
}

/* One "Key: value" at *at, which moves behind it and its comma. FALSE: no pair here; *at moves on to after the next
 * comma. Keys are lower-cased. */
static gboolean
next_pair (const char **at, char **key, char **value)
{
  const char *p = *at;
  while (g_ascii_isspace (*p))
    p++;
  const char *start = p;
  while (is_key_char (*p))
    p++;
  if (*p != ':' || p - start < 2 || p - start > 64)
    {
      p = strchr (start, ',');
      *at = p ? p + 1 : start + strlen (start);
      return FALSE;
    }
  *key = g_ascii_strdown (start, p - start);
  p++;
  while (g_ascii_isspace (*p))
    p++;
  const char *begin = p;
  if (*p == '"')
    {
      for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
          p++;
      const char *end = *p == '"' ? p + 1 : p;
      /* As JSON; what is not, is taken as it stands. */
      g_autofree char *object = g_strdup_printf ("{\"v\":%.*s}", (int) (end - begin), begin);
      g_autoptr (JsonObject) parsed = easel_json_parse (object, strlen (object), "value", NULL);
      *value = parsed ? g_strdup (json_object_get_string_member_with_default (parsed, "v", "")) : NULL;
      p = *value ? end : begin;
    }
  else
    *value = NULL;
  const char *comma = strchr (p, ',');
  const char *end = comma ? comma : p + strlen (p);
  if (!*value)
    *value = g_strchomp (g_strndup (begin, (gsize) (end - begin)));
  *at = comma ? comma + 1 : end;
  return TRUE;
}

static guint
count_pairs (const char *line)
{
  guint n = 0;
  while (*line)
    {
      g_autofree char *key = NULL;
      g_autofree char *value = NULL;
      n += next_pair (&line, &key, &value);
    }
  return n;
}

/* A whole number of [min, max], or FALSE. */
static gboolean
read_int (const char *value, gint64 min, gint64 max, gint64 *out)
{
  return g_ascii_string_to_signed (value, 10, min, max, out, NULL);
}

static gboolean
read_double (const char *value, double max, double *out)
{
  char *end = NULL;
  double number = g_ascii_strtod (value, &end);
  if (end == value || *end || !(number >= 0 && number <= max))
    return FALSE;
  *out = number;
  return TRUE;
}

static void
set_int (int *field, const char *value, int max)
{
  gint64 number;
  if (read_int (value, 1, max, &number))
    *field = (int) number;
}

/* "Euler a" and "DPM++ 2M" are what others call euler-a and dpm++-2m. */
static char *
sampler_name (const char *value)
{
  char *name = g_ascii_strdown (value, -1);
  return g_strdelimit (name, " _", '-');
}

typedef struct
{
  EaselRequestSettings s;
  char *model, *sampler, *noise, *precision, *input;
} Reader;

static void
read_size (Reader *reader, const char *value)
{
  g_auto (GStrv) sides = g_strsplit (value, "x", 3);
  gint64 width, height;
  if (g_strv_length (sides) == 2 && read_int (sides[0], 1, EASEL_REQUEST_MAX_SIDE, &width)
      && read_int (sides[1], 1, EASEL_REQUEST_MAX_SIDE, &height))
    {
      reader->s.width = (int) width;
      reader->s.height = (int) height;
    }
}

static void
take_word (char **field, char *value)
{
  if (strlen (value) >= 1 && strlen (value) <= 64)
    {
      g_free (*field);
      *field = value;
    }
  else
    g_free (value);
}

static void
read_pair (Reader *reader, const char *key, const char *value)
{
  EaselRequestSettings *s = &reader->s;
  if (!strcmp (key, "steps"))
    set_int (&s->steps, value, EASEL_REQUEST_MAX_STEPS);
  else if (!strcmp (key, "sampler"))
    take_word (&reader->sampler, sampler_name (value));
  else if (!strcmp (key, "cfg scale") || !strcmp (key, "guidance scale"))
    read_double (value, 1000.0, &s->guidance);
  else if (!strcmp (key, "seed"))
    read_int (value, 0, G_MAXINT64, &s->seed);
  else if (!strcmp (key, "size"))
    read_size (reader, value);
  else if (!strcmp (key, "model") && *value && strlen (value) <= 4096)
    {
      g_free (reader->model);
      reader->model = easel_request_model_name (value);
    }
  else if (!strcmp (key, "count"))
    set_int (&s->count, value, EASEL_REQUEST_MAX_COUNT);
  else if (!strcmp (key, "frames"))
    {
      set_int (&s->frames, value, EASEL_REQUEST_MAX_FRAMES);
      s->frames = s->frames > 1 ? s->frames : 0; /* one frame is a picture, and not written */
    }
  else if (!strcmp (key, "fps"))
    read_double (value, 1000.0, &s->fps);
  else if (!strcmp (key, "dynamic guidance"))
    s->dynamic_guidance = !strcmp (value, "on");
  else if (!strcmp (key, "input shape"))
    s->fit_input = !strcmp (value, "fitted");
  else if (!strcmp (key, "denoising strength"))
    read_double (value, 1.0, &s->strength);
  else if (!strcmp (key, "input") && *value && strlen (value) <= 4096)
    {
      g_free (reader->input);
      reader->input = g_path_get_basename (value);
    }
  else if (!strcmp (key, "stopped after"))
    set_int (&s->stop_after, value, EASEL_REQUEST_MAX_STEPS);
  else if (!strcmp (key, "reuse"))
    read_double (value, 1.0, &s->reuse);
  else if (!strcmp (key, "reused"))
    set_int (&s->reused, value, 2 * EASEL_REQUEST_MAX_STEPS);
  else if (!strcmp (key, "psnr"))
    read_double (value, 100, &s->psnr);
  else if (!strcmp (key, "ssim"))
    read_double (value, 1, &s->ssim);
  else if (!strcmp (key, "max tokens"))
    set_int (&s->max_tokens, value, 4096);
  else if (!strcmp (key, "resolution binning"))
    s->resolution_binning = strcmp (value, DEFAULTS_SAY) != 0;
  else if (!strcmp (key, "human instruction"))
    s->human_instruction = strcmp (value, DEFAULTS_SAY) != 0;
  else if (!strcmp (key, "noise") && (!strcmp (value, "cpu") || !strcmp (value, "cuda")))
    take_word (&reader->noise, g_strdup (value));
  else if (!strcmp (key, "precision") && easel_request_knows_precision (value))
    take_word (&reader->precision, g_strdup (value));
}

EaselRequest *
easel_request_from_parameters (const char *text, gsize length, GError **error)
{
  if (length > TEXT_MAX_BYTES || !g_utf8_validate_len (text, length, NULL))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "The text of settings is too long or not UTF-8.");
      return NULL;
    }
  g_autofree char *copy = g_strndup (text, length);
  g_strchomp (copy);
  Reader reader = { .s = EASEL_REQUEST_SETTINGS_INIT };
  char *last = strrchr (copy, '\n');
  const char *line = last ? last + 1 : copy;
  if (count_pairs (line) >= 3)
    {
      while (*line)
        {
          g_autofree char *key = NULL;
          g_autofree char *value = NULL;
          if (next_pair (&line, &key, &value))
            read_pair (&reader, key, value);
        }
      *(last ? last : copy) = '\0';
    }
  char *negative = g_str_has_prefix (copy, NEGATIVE) ? copy : strstr (copy, "\n" NEGATIVE);
  if (negative)
    {
      reader.s.negative = g_strstrip (negative + (*negative == '\n') + strlen (NEGATIVE));
      *negative = '\0';
    }
  reader.s.prompt = copy;
  reader.s.model = reader.model;
  reader.s.sampler = reader.sampler;
  reader.s.noise = reader.noise;
  reader.s.precision = reader.precision;
  reader.s.input = reader.input;
  EaselRequest *request = easel_request_new (&reader.s, error);
  g_free (reader.model);
  g_free (reader.sampler);
  g_free (reader.noise);
  g_free (reader.precision);
  g_free (reader.input);
  return request;
}
