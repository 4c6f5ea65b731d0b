/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/stall-meter.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>

#define FRAME_US 16000

/* One a program: a GPollFunc has no user data. */
static struct
{
  GPollFunc poll;
  char *path;
  gint64 back, started; /* when the last poll returned; when this count began; monotonic microseconds */
  gint64 longest;
  guint64 iterations, over;
} meter;

static gint
timed_poll (GPollFD *fds, guint n, gint timeout)
{
  gint64 now = g_get_monotonic_time (), away = meter.back ? now - meter.back : 0;
  gint ready;

  meter.iterations++;
  meter.over += away > FRAME_US;
  meter.longest = MAX (meter.longest, away);
  ready = meter.poll (fds, n, timeout);
  meter.back = g_get_monotonic_time ();
  return ready;
}

static void
append (const char *path, const char *line)
{
  FILE *file = fopen (path, "a");

  if (!file)
    return;
  fprintf (file, "%s\n", line);
  fclose (file);
}

static gboolean
report_cb (gpointer user_data)
{
  gint64 now = g_get_monotonic_time ();
  g_autofree char *line =
      g_strdup_printf ("{\"iterations\": %" G_GUINT64_FORMAT ", \"over_16_ms\": %" G_GUINT64_FORMAT
                       ", \"longest_ms\": %.1f, \"seconds\": %.2f}",
                       meter.iterations, meter.over, (double) meter.longest / 1000,
                       (double) (now - meter.started) / 1e6);

  append (meter.path, line);
  meter.iterations = meter.over = 0;
  meter.longest = 0;
  meter.started = now;
  return G_SOURCE_CONTINUE;
}

void
stall_meter_start (const char *path)
{
  meter.path = g_strdup (path);
  meter.poll = g_main_context_get_poll_func (NULL);
  meter.started = g_get_monotonic_time ();
  g_main_context_set_poll_func (NULL, timed_poll);
  g_unix_signal_add (SIGUSR1, report_cb, NULL);
}

void
stall_meter_say (const char *path, const char *name, double value)
{
  g_autofree char *line = g_strdup_printf ("{\"%s\": %.1f}", name, value);
  append (path, line);
}
