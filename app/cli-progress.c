/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How far a run is. On a terminal one line on stderr that is drawn over; elsewhere a line a phase and a tenth; with
 * --json an object a line on stdout (the events are listed in the manual). Reports come from the engine's thread, the
 * rest from the main thread; a lock keeps lines whole.
 */
#include "app/cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.05
#define EVENT_SECONDS 0.2 /* between events that say no new phase or step */
#define BAR_CELLS 24

typedef enum
{
  SAY_NOTHING,
  SAY_LINES,
  SAY_BAR,
  SAY_JSON,
} Manner;

struct CliProgress
{
  GMutex lock;
  Manner manner;
  gboolean quiet;
  gboolean utf8;     /* the terminal's */
  int picture, pictures;
  gint64 started;    /* monotonic, microseconds */
  gint64 last_draw;  /* or event */
  gboolean drawn;    /* a bar stands on the current line */
  int phase;         /* last one said, -1 none */
  int step, steps;
  int tenth;
};

CliProgress *
cli_progress_new (const CliArgs *args, int n_pictures)
{
  CliProgress *self = g_new0 (CliProgress, 1);

  g_mutex_init (&self->lock);
  self->quiet = args->quiet;
  self->manner = args->json              ? SAY_JSON
                 : args->quiet           ? SAY_NOTHING
                 : isatty (STDERR_FILENO) ? SAY_BAR
                                          : SAY_LINES;
  self->utf8 = g_get_charset (NULL);
  self->pictures = n_pictures;
  self->started = g_get_monotonic_time ();
  self->phase = -1;
  return self;
}

static void
erase_bar (CliProgress *self)
{
  if (self->drawn)
    fputs ("\r\033[K", stderr);
  self->drawn = FALSE;
}

void
cli_progress_free (CliProgress *self)
{
  erase_bar (self);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static double
seconds_since (gint64 start)
{
  return (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC;
}

void
cli_progress_start (CliProgress *self, const char *device)
{
  CliJson json;

  if (self->manner != SAY_JSON)
    return;
  cli_json_begin (&json);
  cli_json_open (&json, NULL, '{');
  cli_json_string (&json, "event", "start");
  cli_json_string (&json, "version", EASEL_VERSION);
  cli_json_string (&json, "device", device);
  cli_json_int (&json, "pictures", self->pictures);
  cli_json_close (&json, '}');
  cli_json_end (&json);
}

void
cli_progress_picture (CliProgress *self, int picture)
{
  g_mutex_lock (&self->lock);
  self->picture = picture;
  self->phase = -1;
  self->tenth = 0;
  g_mutex_unlock (&self->lock);
}

static void
say_event (CliProgress *self, const EaselProgress *p)
{
  CliJson json;

  cli_json_begin (&json);
  cli_json_open (&json, NULL, '{');
  cli_json_string (&json, "event", "progress");
  cli_json_int (&json, "picture", self->picture);
  cli_json_int (&json, "pictures", self->pictures);
  cli_json_string (&json, "phase", cli_phase_name (p->phase));
  cli_json_int (&json, "step", p->step);
  cli_json_int (&json, "steps", p->steps);
  cli_json_double (&json, "progress", p->progress);
  cli_json_double (&json, "elapsed", p->elapsed);
  if (p->eta >= 0)
    cli_json_double (&json, "eta", p->eta);
  else
    cli_json_string (&json, "eta", NULL);
  cli_json_close (&json, '}');
  cli_json_end (&json);
}

/* "2/4  Denoising  12/20" */
static char *
describe (const CliProgress *self, const EaselProgress *p)
{
  GString *out = g_string_new (NULL);

  if (self->pictures > 1)
    g_string_append_printf (out, "%d/%d  ", self->picture + 1, self->pictures);
  g_string_append (out, cli_phase_title (p->phase));
  if (p->phase == EASEL_PHASE_DENOISING && p->steps > 0)
    g_string_append_printf (out, " %d/%d", p->step, p->steps);
  return g_string_free (out, FALSE);
}

static void
draw_bar (CliProgress *self, const EaselProgress *p)
{
  g_autofree char *what = describe (self, p);
  g_autofree char *left = p->eta >= 0 ? cli_format_seconds (p->eta) : NULL;
  g_autoptr (GString) bar = g_string_new (NULL);
  int full = (int) (CLAMP (p->progress, 0, 1) * BAR_CELLS + 0.5);
  struct winsize window;
  int columns = ioctl (STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : 80;

  for (int i = 0; i < BAR_CELLS; i++)
    g_string_append (bar, self->utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : "-"));
  if (columns >= 64)
    fprintf (stderr, "\r\033[K%-26s %s %3d %%%s%s%s", what, bar->str, (int) (CLAMP (p->progress, 0, 1) * 100),
             left ? "  " : "", left ? left : "", left ? " left" : "");
  else
    fprintf (stderr, "\r\033[K%.*s", columns - 1, what);
  fflush (stderr);
  self->drawn = TRUE;
  self->last_draw = g_get_monotonic_time ();
}

static void
say_line (CliProgress *self, const EaselProgress *p)
{
  int tenth = (int) (p->progress * 10);
  g_autofree char *what = NULL;
  g_autofree char *left = NULL;

  if ((int) p->phase == self->phase && tenth <= self->tenth)
    return;
  what = describe (self, p);
  left = p->eta >= 1 ? cli_format_seconds (p->eta) : NULL;
  fprintf (stderr, "%s%s%s%s\n", what, left ? ", " : "", left ? left : "", left ? " left" : "");
  self->tenth = tenth;
}

void
cli_progress_report (CliProgress *self, const EaselProgress *p)
{
  if (p->state != EASEL_JOB_RUNNING || p->phase == EASEL_PHASE_WAITING)
    return;
  g_mutex_lock (&self->lock);
  switch (self->manner)
    {
    case SAY_JSON:
      if ((int) p->phase != self->phase || p->step != self->step || p->steps != self->steps
          || seconds_since (self->last_draw) >= EVENT_SECONDS)
        {
          say_event (self, p);
          self->last_draw = g_get_monotonic_time ();
        }
      break;
    case SAY_BAR:
      if ((int) p->phase != self->phase || seconds_since (self->last_draw) >= REDRAW_SECONDS)
        draw_bar (self, p);
      break;
    case SAY_LINES:
      say_line (self, p);
      break;
    case SAY_NOTHING:
      break;
    }
  self->phase = (int) p->phase;
  self->step = p->step;
  self->steps = p->steps;
  g_mutex_unlock (&self->lock);
}

void
cli_progress_done (CliProgress *self, const char *path, const EaselPicture *picture, double seconds)
{
  const EaselRequestSettings *settings = easel_request_settings (picture->request);
  g_autofree char *took = cli_format_seconds (seconds);
  g_autofree char *reused = settings->reused > 0 ? g_strdup_printf (" (%d used the work of others)", settings->reused)
                                                 : NULL;
  g_autofree char *request = NULL;
  struct stat about;
  CliJson json;

  g_mutex_lock (&self->lock);
  erase_bar (self);
  if (self->manner == SAY_JSON)
    {
      request = easel_request_to_json (picture->request);
      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "event", "picture");
      cli_json_int (&json, "picture", self->picture);
      cli_json_string (&json, "file", path);
      cli_json_int (&json, "seed", settings->seed);
      cli_json_int (&json, "width", picture->width);
      cli_json_int (&json, "height", picture->height);
      cli_json_int (&json, "bytes", stat (path, &about) == 0 ? (gint64) about.st_size : 0);
      cli_json_double (&json, "seconds", seconds);
      cli_json_raw (&json, "request", request);
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  else
    {
      if (!self->quiet)
        fprintf (stderr, "%d x %d, %d steps%s, seed %" G_GINT64_FORMAT ", %s\n", picture->width, picture->height,
                 settings->steps, reused ? reused : "", settings->seed, took);
      puts (path);
      fflush (stdout);
    }
  g_mutex_unlock (&self->lock);
}

void
cli_progress_error (CliProgress *self, const GError *error)
{
  CliJson json;

  g_mutex_lock (&self->lock);
  erase_bar (self);
  if (self->manner == SAY_JSON)
    {
      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "event", "error");
      cli_json_string (&json, "code",
                       error->domain == EASEL_ERROR ? easel_error_code_name ((EaselError) error->code) : "failed");
      cli_json_string (&json, "message", error->message);
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  g_mutex_unlock (&self->lock);
}

void
cli_progress_end (CliProgress *self, int n_done)
{
  double seconds = seconds_since (self->started);
  CliJson json;

  g_mutex_lock (&self->lock);
  erase_bar (self);
  if (self->manner == SAY_JSON)
    {
      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "event", "end");
      cli_json_int (&json, "made", n_done);
      cli_json_int (&json, "pictures", self->pictures);
      cli_json_double (&json, "seconds", seconds);
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  else if (!self->quiet && self->pictures > 1)
    {
      g_autofree char *took = cli_format_seconds (seconds);

      fprintf (stderr, "%d of %d pictures in %s\n", n_done, self->pictures, took);
    }
  g_mutex_unlock (&self->lock);
}
