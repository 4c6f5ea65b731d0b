/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * reproduce: makes a picture again from the request inside its file and compares the pixels.
 * Exit status: 0 every pixel is the same; 1 close; 2 different, or it could not be made again (a sentence says why).
 */
#include "app/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/media/image-file.h"

/* Close: what a lossy file format, another processor or another precision does to a picture. Mean difference of the
 * 8-bit values, over all. JPEG at quality 75 stays below 3; another seed starts above 20. */
#define CLOSE_MEAN 4.0

enum
{
  SAME = 0,
  CLOSE = 1,
  DIFFERENT = 2,
};

typedef struct
{
  int max;
  double mean;
  gint64 n_different; /* pixels */
} Difference;

static Difference
compare (const EaselPicture *a, const EaselPicture *b)
{
  gint64 n = (gint64) a->width * a->height;
  Difference out = { 0 };
  guint64 sum = 0;

  for (gint64 i = 0; i < n; i++)
    {
      gboolean different = FALSE;

      for (int c = 0; c < 3; c++)
        {
          int d = abs (a->rgb[3 * i + c] - b->rgb[3 * i + c]);

          sum += (guint64) d;
          out.max = MAX (out.max, d);
          different |= d != 0;
        }
      out.n_different += different;
    }
  out.mean = (double) sum / (3.0 * (double) n);
  return out;
}

static int
judge (const EaselPicture *old, const EaselPicture *new, Difference *difference, char **why)
{
  if (old->width != new->width || old->height != new->height)
    {
      *why = g_strdup_printf ("the file has %d x %d pixels, the picture %d x %d: the file was scaled or cropped",
                              old->width, old->height, new->width, new->height);
      return DIFFERENT;
    }
  *difference = compare (old, new);
  if (difference->max == 0)
    return SAME;
  if (difference->mean <= CLOSE_MEAN)
    return CLOSE;
  *why = g_strdup ("the file was edited, or the model of that name is another one now");
  return DIFFERENT;
}

/* The request inside the file, with the model the command line names instead of its own. */
static EaselRequest *
read_request (const CliArgs *args, const char *path, GError **error)
{
  g_autoptr (EaselRequest) inside = easel_image_read_request (path, error);
  EaselRequestSettings settings;

  if (inside == NULL)
    return NULL;
  settings = *easel_request_settings (inside);
  settings.count = 1;
  if (args->model)
    settings.model = args->model;
  if (settings.model == NULL || settings.model[0] == '\0')
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "%s does not say which model made it. Name one with --model.", path);
      return NULL;
    }
  if (settings.seed < 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s does not say its seed, so it cannot be made again.",
                   path);
      return NULL;
    }
  return easel_request_new (&settings, error);
}

static void
print_json (const char *path, int verdict, const Difference *difference, const char *why, const char *output)
{
  static const char *const words[] = { "identical", "close", "different" };
  CliJson json;

  cli_json_begin (&json);
  cli_json_open (&json, NULL, '{');
  cli_json_string (&json, "event", "verdict");
  cli_json_string (&json, "file", path);
  cli_json_string (&json, "verdict", words[verdict]);
  cli_json_int (&json, "max_difference", difference->max);
  cli_json_double (&json, "mean_difference", difference->mean);
  cli_json_int (&json, "different_pixels", difference->n_different);
  cli_json_string (&json, "why", why);
  cli_json_string (&json, "output", output);
  cli_json_close (&json, '}');
  cli_json_end (&json);
}

static void
print_text (const char *path, int verdict, const Difference *difference, const char *why)
{
  if (verdict == SAME)
    printf ("%s: identical\n", path);
  else if (difference->max == 0)
    printf ("%s: different: %s\n", path, why);
  else
    printf ("%s: %s: the values differ by %.3f of 255 on average, %d at most%s%s\n", path,
            verdict == CLOSE ? "close" : "different", difference->mean, difference->max, why ? "; " : "",
            why ? why : "");
}

CliStatus
cli_reproduce (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  const char *path = g_ptr_array_index (args->positional, 0);
  g_autoptr (EaselPicture) old = easel_image_read (path, &error);
  g_autoptr (EaselRequest) request = old ? read_request (args, path, &error) : NULL;
  g_autoptr (EaselEngine) engine = NULL;
  g_autoptr (CliProgress) progress = cli_progress_new (args, 1);
  g_autoptr (EaselPicture) new = NULL;
  g_autofree char *why = NULL;
  EaselImageOptions options = { .quality = args->quality, .no_metadata = args->no_metadata,
                                .overwrite = args->force };
  Difference difference = { 0 };
  int verdict;

  if (request && (args->output == NULL || easel_image_can_write (args->output, &error)))
    {
      cli_job_watch_signals ();
      engine = cli_engine_new (args, &error);
    }
  if (engine)
    {
      cli_progress_start (progress, easel_engine_device_name (engine));
      new = cli_job_run (engine, request, progress, NULL, &error);
    }
  if (new && args->output)
    easel_image_write (new, args->output, &options, &error);
  if (error)
    {
      CliStatus status;

      cli_progress_error (progress, error);
      status = cli_failed (error);
      return status == CLI_CANCELLED ? status : (CliStatus) DIFFERENT;
    }
  g_clear_pointer (&progress, cli_progress_free); /* wipes the bar */

  verdict = judge (old, new, &difference, &why);
  if (args->json)
    print_json (path, verdict, &difference, why, args->output);
  else
    print_text (path, verdict, &difference, why);
  return (CliStatus) verdict;
}
