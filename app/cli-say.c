/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

CliStatus
cli_usage (const char *format, ...)
{
  va_list list;
  g_autofree char *text = NULL;

  va_start (list, format);
  text = g_strdup_vprintf (format, list);
  va_end (list);
  fprintf (stderr, "easel-cli: %s\n", text);
  return CLI_USAGE;
}

CliStatus
cli_failed (const GError *error)
{
  gsize length = strlen (error->message);
  gboolean ends = length > 0 && strchr (".?!", error->message[length - 1]);

  fprintf (stderr, "easel-cli: %s%s\n", error->message, ends ? "" : ".");
  return g_error_matches (error, EASEL_ERROR, EASEL_ERROR_CANCELLED) ? CLI_CANCELLED : CLI_FAILED;
}

char *
cli_format_bytes (guint64 bytes)
{
  static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
  double value = (double) bytes;
  guint unit = 0;

  while (value >= 1023.5 && unit + 1 < G_N_ELEMENTS (units))
    {
      value /= 1024;
      unit++;
    }
  if (unit == 0 || value >= 99.95)
    return g_strdup_printf ("%.0f %s", value, units[unit]);
  return g_strdup_printf ("%.1f %s", value, units[unit]);
}

char *
cli_format_seconds (double seconds)
{
  gint64 whole = llround (seconds);

  if (seconds < 10)
    return g_strdup_printf ("%.1f s", seconds);
  if (whole < 60)
    return g_strdup_printf ("%d s", (int) whole);
  if (whole < 3600)
    return g_strdup_printf ("%d min %d s", (int) (whole / 60), (int) (whole % 60));
  return g_strdup_printf ("%" G_GINT64_FORMAT " h %d min", whole / 3600, (int) (whole / 60 % 60));
}

static const struct
{
  const char *name, *title;
} phases[] = {
  [EASEL_PHASE_WAITING] = { "waiting", "Waiting" },
  [EASEL_PHASE_LOADING] = { "loading", "Loading the model" },
  [EASEL_PHASE_ENCODING_TEXT] = { "encoding-text", "Reading the prompt" },
  [EASEL_PHASE_DENOISING] = { "denoising", "Denoising" },
  [EASEL_PHASE_DECODING] = { "decoding", "Decoding" },
  [EASEL_PHASE_SAVING] = { "saving", "Saving" },
};

const char *
cli_phase_title (EaselPhase phase)
{
  return (guint) phase < G_N_ELEMENTS (phases) ? phases[phase].title : "Working";
}

const char *
cli_phase_name (EaselPhase phase)
{
  return (guint) phase < G_N_ELEMENTS (phases) ? phases[phase].name : "working";
}

void
cli_print_table (const GPtrArray *cells, guint n_columns, guint right)
{
  g_autofree glong *widths = g_new0 (glong, n_columns);

  for (guint i = 0; i < cells->len; i++)
    widths[i % n_columns] = MAX (widths[i % n_columns], g_utf8_strlen (g_ptr_array_index (cells, i), -1));
  for (guint i = 0; i < cells->len; i++)
    {
      const char *cell = g_ptr_array_index (cells, i);
      guint column = i % n_columns;
      int padding = (int) (widths[column] - g_utf8_strlen (cell, -1));
      gboolean last = column + 1 == n_columns;

      if (right & (1u << column))
        printf ("%*s%s", padding, "", cell);
      else
        printf ("%s%*s", cell, last ? 0 : padding, "");
      fputs (last ? "\n" : "  ", stdout);
    }
}
