/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * generate: words to files. Each picture is a job of its own and is written as soon as it is done, so that stopping a
 * long run keeps what was made.
 */
#include "app/cli.h"

#include <stdio.h>

#include <glib/gstdio.h>

#include "engine/media/compare.h"
#include "engine/media/image-file.h"
#include "engine/media/video-file.h"
#include "engine/samplers/sampler.h"

/* One picture to make. */
typedef struct
{
  EaselRequest *request;
  char *path;
  gboolean derived; /* nobody gave that name */
} Task;

static void
task_free (Task *task)
{
  g_clear_pointer (&task->request, easel_request_unref);
  g_free (task->path);
  g_free (task);
}

/* A sampler's name that nobody knows is refused before the model is opened, with the one that was likely meant. */
static gboolean
check_sampler (const char *name, GError **error)
{
  g_autofree const char **names = NULL;
  const char *nearest;
  guint n;
  const EaselSamplerInfo *list = easel_sampler_list (&n);

  if (name == NULL || easel_sampler_find (name))
    return TRUE;
  names = g_new (const char *, n);
  for (guint i = 0; i < n; i++)
    names[i] = list[i].name;
  nearest = cli_nearest (name, names, n);
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
               "There is no sampler '%s'.%s%s%s 'easel-cli samplers' lists what there is.", name,
               nearest ? " Did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
  return FALSE;
}

/* The pictures of one wish: requests and names. Seeds are drawn here, since names carry them. */
static gboolean
add_tasks (GPtrArray *tasks, CliWish *wish, const CliArgs *args, CliOutput *output, GError **error)
{
  if (!check_sampler (wish->sampler, error))
    return FALSE;
  if (wish->seed < 0)
    wish->seed = g_random_int ();
  for (int i = 0; i < wish->count; i++)
    {
      Task *task = g_new0 (Task, 1);

      g_ptr_array_add (tasks, task);
      task->request = cli_wish_request (wish, args, i, error);
      if (task->request == NULL)
        return FALSE;
      task->path = cli_output_name (output, wish->prompt, wish->seed + i, (int) tasks->len, error);
      if (task->path == NULL)
        return FALSE;
      task->derived = cli_output_is_derived (output);
    }
  return TRUE;
}

static EaselVideoOptions
video_options (const CliArgs *args)
{
  return (EaselVideoOptions){ .quality = args->quality, .no_metadata = args->no_metadata, .overwrite = args->force,
                              .codec = args->codec, .bitrate = args->bitrate, .loops = args->loops };
}

/* Everything that can be refused before the engine starts is refused here. */
static gboolean
plan_tasks (GPtrArray *tasks, GPtrArray *wishes, const CliArgs *args, GError **error)
{
  CliOutput output;
  gint64 total = 0;
  gboolean ok;

  for (guint i = 0; i < wishes->len; i++)
    total += ((CliWish *) g_ptr_array_index (wishes, i))->count;
  cli_output_init (&output, args->output, args->force, total > 1);
  output.video = video_options (args);
  ok = cli_output_check (&output, error) && (args->preview == NULL || easel_image_can_write (args->preview, error));
  for (guint i = 0; ok && i < wishes->len; i++)
    {
      CliWish *wish = g_ptr_array_index (wishes, i);

      if (wish->output)
        {
          CliOutput own = { .output = wish->output, .force = args->force, .many = wish->count > 1,
                            .taken = output.taken };

          ok = cli_output_check (&own, error) && add_tasks (tasks, wish, args, &own, error);
        }
      else
        ok = add_tasks (tasks, wish, args, &output, error);
    }
  cli_output_clear (&output);
  return ok;
}

/* A clip in a name without an ending of its own becomes numbered pictures; a picture never becomes a film. */
static gboolean
write_result (EaselPicture *picture, const Task *task, const CliArgs *args, GError **error)
{
  const EaselImageOptions image = { .quality = args->quality, .no_metadata = args->no_metadata,
                                    .overwrite = args->force };
  const EaselVideoOptions video = video_options (args);

  if (picture->n_frames > 1 || easel_video_is_container (task->path))
    return easel_video_write (picture, task->path, &video, error);
  return easel_image_write (picture, task->path, &image, error);
}

/* What was made but could not be written where it was wanted (a full disk, a folder gone meanwhile) goes to the
 * person's data folder, and the error says so. */
static void
keep_elsewhere (EaselPicture *picture, const Task *task, const CliArgs *args, GError **error)
{
  g_autofree char *folder = g_build_filename (g_get_user_data_dir (), "easel", "rescued", NULL);
  g_autofree char *name = g_path_get_basename (task->path);
  g_autofree char *stem = g_strdup_printf ("%" G_GINT64_FORMAT "-%s", g_get_real_time (), name);
  const Task elsewhere = { .request = task->request, .path = g_build_filename (folder, stem, NULL) };

  if (g_mkdir_with_parents (folder, 0700) == 0 && write_result (picture, &elsewhere, args, NULL))
    g_prefix_error (error, "It was made, and is kept as %s, because: ", elsewhere.path);
  g_free (elsewhere.path);
}

/* Makes the exact clip too, and writes into the request of the other how far it is from it. */
static gboolean
measure_loss (EaselEngine *engine, EaselPicture *clip, const Task *task, const CliArgs *args, CliProgress *progress,
              GError **error)
{
  EaselRequestSettings exact = *easel_request_settings (task->request);
  EaselRequestSettings done = *easel_request_settings (clip->request);
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (EaselPicture) other = NULL;
  EaselLikeness likeness;

  exact.reuse = 0;
  if (!(request = easel_request_new (&exact, error)) || !(other = cli_job_run (engine, request, progress, NULL, error))
      || !easel_picture_compare (other, clip, &likeness, error))
    return FALSE;
  done.psnr = likeness.psnr;
  done.ssim = likeness.ssim;
  g_clear_pointer (&request, easel_request_unref);
  if (!(request = easel_request_new (&done, error)))
    return FALSE;
  easel_request_unref (clip->request);
  clip->request = g_steal_pointer (&request);
  if (!args->quiet && !args->json)
    fprintf (stderr, "against the exact clip: PSNR %.1f dB, SSIM %.3f\n", likeness.psnr, likeness.ssim);
  return TRUE;
}

/* A derived name is a picture's until the model has made a clip. */
static void
name_clip (Task *task, const CliArgs *args)
{
  g_autofree char *why = NULL, *name = cli_output_clip_name (task->path, &why);

  if (why && !args->quiet && !args->json)
    fprintf (stderr, "%s It becomes %s.\n", why, name);
  g_free (task->path);
  task->path = g_steal_pointer (&name);
}

static gboolean
run_task (EaselEngine *engine, Task *task, const CliArgs *args, CliProgress *progress, GError **error)
{
  gint64 start = g_get_monotonic_time ();
  g_autoptr (EaselPicture) picture = cli_job_run (engine, task->request, progress, args, error);

  if (picture == NULL)
    return FALSE;
  if (picture->n_frames > 1 && task->derived)
    name_clip (task, args);
  if (args->measure_loss && easel_request_settings (task->request)->reuse > 0
      && !measure_loss (engine, picture, task, args, progress, error))
    {
      keep_elsewhere (picture, task, args, error);
      return FALSE;
    }
  if (!write_result (picture, task, args, error))
    {
      keep_elsewhere (picture, task, args, error);
      return FALSE;
    }
  if (args->checkpoint)
    g_remove (args->checkpoint);
  cli_progress_done (progress, task->path, picture, (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  return TRUE;
}

CliStatus
cli_generate (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) task_free);
  g_autoptr (GPtrArray) wishes = cli_wishes_read (args, &error);
  g_autoptr (EaselEngine) engine = NULL;
  g_autoptr (CliProgress) progress = NULL;
  guint n_done = 0;

  if (wishes && plan_tasks (tasks, wishes, args, &error))
    {
      cli_job_watch_signals ();
      engine = cli_engine_new (args, &error);
    }
  progress = cli_progress_new (args, (int) tasks->len);
  if (engine)
    {
      cli_progress_start (progress, easel_engine_device_name (engine));
      while (n_done < tasks->len)
        {
          cli_progress_picture (progress, (int) n_done);
          if (!run_task (engine, g_ptr_array_index (tasks, n_done), args, progress, &error))
            break;
          n_done++;
        }
    }
  if (error)
    cli_progress_error (progress, error);
  cli_progress_end (progress, (int) n_done);
  return error ? cli_failed (error) : CLI_OK;
}
