/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * crash-worker MODE HOME SEED: changes a gallery until it is killed, and says on stdout what is saved, one line each,
 * only after the call that saved it came back. crash.py kills it and looks whether what was said is true.
 *
 *   saving      pictures into the folder and the index: "picture ID SUM PATH"
 *   editing     stars and tags of pictures that are there: "stars ID N", "tags ID a,b"
 *   trashing    to the trash and back: "trashed ID", "back ID"
 *   migrating   opens an index of version 1, which brings it up to date: "open"
 *   rebuilding  sets the index aside and makes a new one: "open"
 *   generating  the queue with the starter model: "queued N" (rows), "made ID PATH"
 */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/core/engine.h"
#include "engine/media/image-file.h"
#include "engine/queue/queue.h"
#include "engine/gallery/gallery.h"

static char *folder, *database;

/* The line is out before anything else happens. */
static void say (const char *format, ...) G_GNUC_PRINTF (1, 2);
static void
say (const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  vprintf (format, arguments);
  va_end (arguments);
  putchar ('\n');
  fflush (stdout);
}

static int
fail (GError *error)
{
  say ("error %s", error->message);
  return 3;
}

static EaselRequest *
request_of (int seed, GError **error)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  g_autofree char *prompt = g_strdup_printf ("a red circle, number %d", seed);

  s.prompt = prompt;
  s.model = "starter-sana";
  s.seed = seed;
  s.width = s.height = 64;
  s.steps = 2;
  s.guidance = 4.5;
  return easel_request_new (&s, error);
}

static gboolean
save (EaselGallery *gallery, int seed, GError **error)
{
  g_autoptr (EaselPicture) picture = easel_picture_new (64, 48, 1, error);
  g_autofree char *path = NULL, *bytes = NULL, *sum = NULL;
  gint64 id;
  gsize n;

  if (!picture)
    return FALSE;
  for (int i = 0; i < 64 * 48 * 3; i++)
    picture->rgb[i] = (guint8) g_random_int ();
  picture->request = request_of (seed, error);
  path = picture->request ? easel_gallery_new_path (gallery, picture->request, "png") : NULL;
  if (!path || !easel_image_write (picture, path, NULL, error) || !easel_gallery_add (gallery, path, &id, error))
    return FALSE;
  g_file_get_contents (path, &bytes, &n, NULL);
  sum = g_compute_checksum_for_data (G_CHECKSUM_MD5, (const guint8 *) bytes, n);
  say ("picture %" G_GINT64_FORMAT " %s %s", id, sum, path);
  return TRUE;
}

static gboolean
edit (EaselGallery *gallery, GArray *ids, GError **error)
{
  static const char *const words[] = { "sea", "sky", "night", "holiday", "keep" };
  gint64 id = g_array_index (ids, gint64, g_random_int_range (0, (gint32) ids->len));

  if (g_random_boolean ())
    {
      int stars = g_random_int_range (0, 6);

      if (!easel_gallery_set_stars (gallery, id, stars, error))
        return FALSE;
      say ("stars %" G_GINT64_FORMAT " %d", id, stars);
    }
  else
    {
      const char *tags[] = { words[g_random_int_range (0, 2)], words[g_random_int_range (2, 5)], NULL };
      /* Sorted, as they come back. */
      gboolean turned = strcmp (tags[0], tags[1]) > 0;

      if (!easel_gallery_set_tags (gallery, id, tags, error))
        return FALSE;
      say ("tags %" G_GINT64_FORMAT " %s,%s", id, tags[turned ? 1 : 0], tags[turned ? 0 : 1]);
    }
  return TRUE;
}

static gboolean
trash (EaselGallery *gallery, GArray *ids, GError **error)
{
  gint64 id = g_array_index (ids, gint64, g_random_int_range (0, (gint32) ids->len));

  if (!easel_gallery_trash (gallery, id, error))
    return FALSE;
  say ("trashed %" G_GINT64_FORMAT, id);
  if (!easel_gallery_untrash (gallery, id, error))
    return FALSE;
  say ("back %" G_GINT64_FORMAT, id);
  return TRUE;
}

static int
work (const char *mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselGallery) gallery = easel_gallery_open (database, folder, NULL, &error);
  const EaselGalleryQuery all = EASEL_GALLERY_QUERY_INIT;
  g_autoptr (GArray) ids = gallery ? easel_gallery_query (gallery, &all, &error) : NULL;

  if (!ids)
    return fail (error);
  say ("open");
  for (int i = 0;; i++)
    if (!(strcmp (mode, "saving") == 0    ? save (gallery, i, &error)
          : strcmp (mode, "editing") == 0 ? edit (gallery, ids, &error)
                                          : trash (gallery, ids, &error)))
      return fail (error);
}

/* Opening is all the work: again and again, until it is killed. */
static int
reopen (gboolean rebuild)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselGallery) gallery = rebuild ? easel_gallery_open_anew (database, folder, &error)
                                             : easel_gallery_open (database, folder, NULL, &error);

  if (!gallery || (rebuild && !easel_gallery_scan (gallery, NULL, NULL, &error)))
    return fail (error);
  say ("open");
  return 0;
}

static void
made_cb (EaselQueue *queue, EaselQueueItem *item, EaselGallery *gallery)
{
  g_autoptr (EaselGalleryItem) saved = easel_gallery_get (gallery, easel_queue_item_get_saved_id (item), NULL);

  if (easel_queue_item_get_state (item) == EASEL_JOB_DONE && saved)
    say ("made %" G_GINT64_FORMAT " %s", saved->id, saved->path);
  else
    say ("error %s", easel_queue_item_get_message (item) ? easel_queue_item_get_message (item) : "not made");
}

static int
generate (const char *home, const char *models, int seed)
{
  const char *roots[] = { models, NULL };
  const EaselEngineSettings settings = { .model_roots = roots, .device = "cpu", .threads = 1 };
  g_autofree char *rows = g_build_filename (home, "queue.sqlite", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselEngine) engine = easel_engine_new (&settings, &error);
  g_autoptr (EaselGallery) gallery = engine ? easel_gallery_open (database, folder, NULL, &error) : NULL;
  g_autoptr (EaselQueue) queue = gallery ? easel_queue_new (rows, engine, gallery, NULL, &error) : NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  if (!queue)
    return fail (error);
  g_signal_connect (queue, "finished", G_CALLBACK (made_cb), gallery);
  say ("open");
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (EaselRequest) request = request_of (seed * 100 + i, &error);

      if (!request || !easel_queue_add (queue, request, FALSE, &error))
        return fail (error);
      say ("queued %d", seed * 100 + i);
    }
  g_main_loop_run (loop);
  return 0;
}

int
main (int argc, char **argv)
{
  const char *mode = argc > 3 ? argv[1] : "";

  if (argc < 5)
    {
      fprintf (stderr, "crash-worker MODE HOME SEED MODELS\n");
      return 2;
    }
  g_random_set_seed ((guint32) g_ascii_strtoull (argv[3], NULL, 10));
  folder = g_build_filename (argv[2], "pictures", NULL);
  database = g_build_filename (argv[2], "index", "gallery.sqlite", NULL);
  if (strcmp (mode, "migrating") == 0 || strcmp (mode, "rebuilding") == 0)
    return reopen (strcmp (mode, "rebuilding") == 0);
  if (strcmp (mode, "generating") == 0)
    return generate (argv[2], argv[4], (int) g_ascii_strtoll (argv[3], NULL, 10));
  return work (mode);
}
