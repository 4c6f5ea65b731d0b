/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JSON for programs that run easel-cli: one line, numbers short and the same in every locale.
 */
#include "app/cli.h"

#include <math.h>
#include <stdio.h>

void
cli_json_begin (CliJson *self)
{
  self->text = g_string_new (NULL);
}

static void
append_escaped (GString *out, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1); /* paths need not be UTF-8 */

  g_string_append_c (out, '"');
  for (const char *p = valid; *p; p++)
    {
      if (*p == '"' || *p == '\\')
        g_string_append_printf (out, "\\%c", *p);
      else if ((guchar) *p < 0x20 || *p == 0x7f)
        g_string_append_printf (out, "\\u%04x", (guchar) *p);
      else
        g_string_append_c (out, *p);
    }
  g_string_append_c (out, '"');
}

static void
begin_member (CliJson *self, const char *name)
{
  char last = self->text->len ? self->text->str[self->text->len - 1] : '{';

  if (last != '{' && last != '[')
    g_string_append_c (self->text, ',');
  if (name)
    {
      append_escaped (self->text, name);
      g_string_append_c (self->text, ':');
    }
}

void
cli_json_open (CliJson *self, const char *name, char bracket)
{
  begin_member (self, name);
  g_string_append_c (self->text, bracket);
}

void
cli_json_close (CliJson *self, char bracket)
{
  g_string_append_c (self->text, bracket);
}

void
cli_json_string (CliJson *self, const char *name, const char *value)
{
  begin_member (self, name);
  if (value)
    append_escaped (self->text, value);
  else
    g_string_append (self->text, "null");
}

void
cli_json_int (CliJson *self, const char *name, gint64 value)
{
  begin_member (self, name);
  g_string_append_printf (self->text, "%" G_GINT64_FORMAT, value);
}

void
cli_json_double (CliJson *self, const char *name, double value)
{
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];

  begin_member (self, name);
  g_string_append (self->text, isfinite (value) ? g_ascii_formatd (buffer, sizeof buffer, "%.6g", value) : "null");
}

void
cli_json_bool (CliJson *self, const char *name, gboolean value)
{
  begin_member (self, name);
  g_string_append (self->text, value ? "true" : "false");
}

void
cli_json_raw (CliJson *self, const char *name, const char *json)
{
  begin_member (self, name);
  g_string_append (self->text, json);
}

void
cli_json_end (CliJson *self)
{
  puts (self->text->str);
  fflush (stdout);
  g_string_free (self->text, TRUE);
  self->text = NULL;
}
