/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * reproduce: makes a picture or clip again from the request inside its file and compares the pixels.
 * Exit status: 0 every pixel is the same; 1 close; 2 different, or it could not be made again (a sentence says why).
 */
#include "app/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/media/compare.h"
#include "engine/media/image-file.h"
#include "engine/media/video-file.h"

#define MAX_FRAMES 1000 /* of a file that says nothing of its frames */
/* A film is close from here on, dB: encoders at usual rates stay above 30, another seed below 20. */
#define CLOSE_PSNR 25.0

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
  gint64 n_different; /* pixels, of all frames */
  double psnr;        /* dB */
} Difference;

static Difference
compare (const EaselPicture *a, const EaselPicture *b)
{
  gint64 n = (gint64) a->width * a->height * a->n_frames;
  EaselLikeness likeness = { 0 };
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
  if (easel_picture_compare (a, b, &likeness, NULL))
    out.psnr = likeness.psnr;
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
  if (old->n_frames != new->n_frames)
    {
      *why = g_strdup_printf ("the file has %d frames, the clip %d: the file was cut", old->n_frames, new->n_frames);
      return DIFFERENT;
    }
  *difference = compare (old, new);
  if (difference->max == 0)
    return SAME;
  if (difference->mean <= CLOSE_MEAN || (new->n_frames > 1 && difference->psnr >= CLOSE_PSNR))
    return CLOSE;
  *why = g_strdup ("the file was edited, or the model of that name is another one now");
  return DIFFERENT;
}

/* "name-0001.png" of numbered pictures -> the clip: its n frames, from files beside it. */
static EaselPicture *
read_numbered (const char *path, int n, GError **error)
{
  const gsize end = strlen (path) - MIN (strlen (path), strlen ("0001.png"));
  g_autoptr (EaselPicture) clip = NULL;

  if (!g_str_has_suffix (path, ".png") || end == 0 || path[end - 1] != '-')
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "%s belongs to a clip of %d frames, but its name is not that of numbered pictures (NAME-0001.png). "
                   "Name the clip's file.",
                   path, n);
      return NULL;
    }
  for (int f = 0; f < n; f++)
    {
      g_autofree char *name = g_strdup_printf ("%.*s%04d.png", (int) end, path, f + 1);
      g_autoptr (EaselPicture) frame = easel_image_read (name, error);

      if (frame == NULL || (clip == NULL && !(clip = easel_picture_new (frame->width, frame->height, n, error))))
        return NULL;
      if (frame->width != clip->width || frame->height != clip->height)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s has another size than the first picture.", name);
          return NULL;
        }
      memcpy (clip->rgb + (gsize) f * frame->width * frame->height * 3, frame->rgb,
              (gsize) frame->width * frame->height * 3);
    }
  return g_steal_pointer (&clip);
}

/* The request inside a picture or a film. */
static EaselRequest *
read_inside (const char *path, GError **error)
{
  return easel_video_is_container (path) || easel_video_is_animation (path) ? easel_video_read_request (path, error)
                                                                           : easel_image_read_request (path, error);
}

/* What the file shows: frames where its request speaks of a clip. */
static EaselPicture *
read_pixels (const char *path, const EaselRequestSettings *s, GError **error)
{
  const int frames = s->frames > 1 ? s->frames : MAX_FRAMES;

  if (easel_video_is_container (path) || (s->frames > 1 && easel_video_is_animation (path)))
    return easel_video_read (path, frames + 1, error); /* one more: a longer file is another clip */
  return s->frames > 1 ? read_numbered (path, s->frames, error) : easel_image_read (path, error);
}

/* The request inside the file, with the model the command line names instead of its own. */
static EaselRequest *
read_request (const CliArgs *args, const char *path, GError **error)
{
  g_autoptr (EaselRequest) inside = read_inside (path, error);
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
  cli_json_double (&json, "psnr", difference->psnr);
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
    printf ("%s: %s: the values differ by %.3f of 255 on average, %d at most (PSNR %.1f dB)%s%s\n", path,
            verdict == CLOSE ? "close" : "different", difference->mean, difference->max, difference->psnr,
            why ? "; " : "", why ? why : "");
}

static gboolean
write_again (EaselPicture *picture, const CliArgs *args, GError **error)
{
  const EaselImageOptions image = { .quality = args->quality, .no_metadata = args->no_metadata,
                                    .overwrite = args->force };
  const EaselVideoOptions video = { .quality = args->quality, .no_metadata = args->no_metadata,
                                    .overwrite = args->force };

  return picture->n_frames > 1 ? easel_video_write (picture, args->output, &video, error)
                               : easel_image_write (picture, args->output, &image, error);
}

static gboolean
can_write (const CliArgs *args, EaselRequest *request, GError **error)
{
  return easel_request_settings (request)->frames > 1 ? easel_video_can_write (args->output, NULL, error)
                                                      : easel_image_can_write (args->output, error);
}

CliStatus
cli_reproduce (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  const char *path = g_ptr_array_index (args->positional, 0);
  g_autoptr (EaselRequest) request = read_request (args, path, &error);
  g_autoptr (EaselPicture) old = request ? read_pixels (path, easel_request_settings (request), &error) : NULL;
  g_autoptr (EaselEngine) engine = NULL;
  g_autoptr (CliProgress) progress = cli_progress_new (args, 1);
  g_autoptr (EaselPicture) new = NULL;
  g_autofree char *why = NULL;
  Difference difference = { 0 };
  int verdict;

  if (old && (args->output == NULL || can_write (args, request, &error)))
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
    write_again (new, args, &error);
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
