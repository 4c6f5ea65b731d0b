/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * easel-cli gallery list | search WORDS | export FILE|NUMBER… | check: the gallery of the desktop program, with no
 * display. Both may run at once.
 */
#include "app/cli.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "app/places.h"
#include "engine/core/error.h"
#include "engine/gallery/export.h"
#include "engine/gallery/gallery.h"

/* The words of --sort, in the order of EaselGallerySort. */
static const char *const sorts[] = { "newest", "oldest", "stars", "name" };

/* The folder that is named, or else the one the index was opened with last, or else the usual one. */
static void
find_places (const CliArgs *args, char **index, char **folder)
{
  g_autofree char *data = easel_places_data ();

  *index = g_build_filename (data, "gallery.sqlite", NULL);
  *folder = args->folder ? g_strdup (args->folder) : easel_gallery_last_folder (*index);
  if (!*folder)
    *folder = easel_places_pictures ();
}

static EaselGallery *
open_gallery (const CliArgs *args, GError **error)
{
  g_autofree char *folder = NULL, *index = NULL;
  gboolean rebuilt = FALSE;
  EaselGallery *gallery;

  find_places (args, &index, &folder);
  gallery = easel_gallery_open (index, folder, &rebuilt, error);
  if (rebuilt && !args->quiet)
    fprintf (stderr, "easel-cli: the gallery's index was damaged; a new one is made from the pictures, the old one is"
                     " kept beside it.\n");
  return gallery;
}

/* Files that came or went by hand since; a folder that is away is said and does not keep the index from being read. */
static void
bring_up_to_date (EaselGallery *gallery)
{
  g_autofree char *problem = easel_gallery_folder_problem (gallery);

  if (problem)
    fprintf (stderr, "easel-cli: %s\n", problem);
  else
    easel_gallery_scan (gallery, NULL, NULL, NULL);
}

/* "2026-11-25" as the beginning of that day; 0 with an error. */
static gboolean
parse_day (const char *text, gint64 *seconds)
{
  int year, month, day;
  g_autoptr (GDateTime) start = NULL;

  if (!text)
    return TRUE;
  if (sscanf (text, "%4d-%2d-%2d", &year, &month, &day) == 3)
    start = g_date_time_new_local (year, month, day, 0, 0, 0);
  if (!start)
    return FALSE;
  *seconds = g_date_time_to_unix (start);
  return TRUE;
}

/* FALSE: a sentence was said. */
static gboolean
read_query (const CliArgs *args, const char *words, EaselGalleryQuery *query, CliStatus *status)
{
  const EaselGalleryQuery init = EASEL_GALLERY_QUERY_INIT;

  *query = init;
  query->text = words;
  query->model = args->model;
  query->tag = args->tag;
  query->min_stars = args->stars;
  query->limit = args->count;
  if (!parse_day (args->since, &query->since))
    {
      *status = cli_usage ("--since takes a day such as 2026-11-25, not \"%s\".", args->since);
      return FALSE;
    }
  if (args->kind && strcmp (args->kind, "picture") != 0 && strcmp (args->kind, "clip") != 0)
    {
      *status = cli_usage ("--kind takes picture or clip, not \"%s\".", args->kind);
      return FALSE;
    }
  if (args->kind)
    query->kind = strcmp (args->kind, "clip") == 0 ? EASEL_ITEM_CLIP : EASEL_ITEM_PICTURE;
  for (gsize i = 0; args->sort && i <= G_N_ELEMENTS (sorts); i++)
    {
      if (i == G_N_ELEMENTS (sorts))
        {
          *status = cli_usage ("--sort takes newest, oldest, stars or name, not \"%s\".", args->sort);
          return FALSE;
        }
      if (strcmp (args->sort, sorts[i]) == 0)
        {
          query->sort = (EaselGallerySort) i;
          break;
        }
    }
  return TRUE;
}

/* ---- list, search ---- */

static void
print_json (GPtrArray *items)
{
  CliJson json;

  cli_json_begin (&json);
  cli_json_open (&json, NULL, '[');
  for (guint i = 0; i < items->len; i++)
    {
      const EaselGalleryItem *item = items->pdata[i];

      cli_json_open (&json, NULL, '{');
      cli_json_int (&json, "number", item->id);
      cli_json_string (&json, "file", item->path);
      cli_json_string (&json, "kind", item->kind == EASEL_ITEM_CLIP ? "clip" : "picture");
      cli_json_int (&json, "width", item->width);
      cli_json_int (&json, "height", item->height);
      cli_json_int (&json, "bytes", item->bytes);
      cli_json_int (&json, "created", item->created);
      cli_json_int (&json, "stars", item->stars);
      cli_json_open (&json, "tags", '[');
      for (guint t = 0; item->tags[t]; t++)
        cli_json_string (&json, NULL, item->tags[t]);
      cli_json_close (&json, ']');
      cli_json_bool (&json, "missing", item->missing);
      if (item->request)
        cli_json_raw (&json, "request", item->request);
      cli_json_close (&json, '}');
    }
  cli_json_close (&json, ']');
  cli_json_end (&json);
}

static void
print_table (GPtrArray *items)
{
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < items->len; i++)
    {
      const EaselGalleryItem *item = items->pdata[i];
      g_autoptr (GDateTime) when = g_date_time_new_from_unix_local (item->created);
      g_autofree char *prompt = g_strdup (item->prompt);

      g_strdelimit (prompt, "\n\r\t", ' ');
      g_ptr_array_add (cells, g_strdup_printf ("%" G_GINT64_FORMAT, item->id));
      g_ptr_array_add (cells, when ? g_date_time_format (when, "%Y-%m-%d") : g_strdup (""));
      g_ptr_array_add (cells, g_strdup_printf ("%dx%d", item->width, item->height));
      g_ptr_array_add (cells, g_strnfill ((gsize) item->stars, '*'));
      g_ptr_array_add (cells, item->missing ? g_strdup_printf ("%s (gone)", item->path) : g_strdup (item->path));
      g_ptr_array_add (cells, g_steal_pointer (&prompt));
    }
  cli_print_table (cells, 6, 1u << 0 | 1u << 2);
}

static CliStatus
list (const CliArgs *args, EaselGallery *gallery, const char *words, GError **error)
{
  EaselGalleryQuery query;
  CliStatus status;
  g_autoptr (GArray) ids = NULL;
  g_autoptr (GPtrArray) items = NULL;

  if (!read_query (args, words, &query, &status))
    return status;
  bring_up_to_date (gallery);
  ids = easel_gallery_query (gallery, &query, error);
  items = ids ? easel_gallery_get_many (gallery, (const gint64 *) (gpointer) ids->data, ids->len, error) : NULL;
  if (!items)
    return CLI_FAILED;
  if (args->json)
    print_json (items);
  else
    print_table (items);
  return CLI_OK;
}

/* ---- export ---- */

/* A number of the list, or a file. */
static char *
find_source (EaselGallery *gallery, const char *name, GError **error)
{
  g_autoptr (EaselGalleryItem) item = NULL;
  gint64 id;

  if (g_file_test (name, G_FILE_TEST_IS_REGULAR))
    return g_canonicalize_filename (name, NULL);
  if (!cli_parse_int (name, 1, G_MAXINT64, &id))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                   "%s is neither a file nor a number that 'easel-cli gallery list' shows.", name);
      return NULL;
    }
  item = easel_gallery_get (gallery, id, error);
  return item ? g_strdup (item->path) : NULL;
}

static CliStatus
export (const CliArgs *args, EaselGallery *gallery, GError **error)
{
  EaselExportOptions options = { .no_metadata = args->no_metadata, .quality = args->quality, .overwrite = args->force };
  gboolean into_folder = !args->output || g_str_has_suffix (args->output, "/") ||
                         g_file_test (args->output, G_FILE_TEST_IS_DIR) || args->positional->len > 2;
  const char *folder = args->output ? args->output : ".";

  if (args->positional->len < 2)
    return cli_usage ("'easel-cli gallery export' takes the files or numbers to export.");
  if (args->format && strcmp (args->format, "png") != 0 && strcmp (args->format, "jpg") != 0 &&
      strcmp (args->format, "webp") != 0)
    return cli_usage ("--format takes png, jpg or webp, not \"%s\".", args->format);
  options.format = args->format;
  if (into_folder && g_mkdir_with_parents (folder, 0755) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "The folder %s cannot be made: %s.", folder,
                   g_strerror (errno));
      return CLI_FAILED;
    }
  for (guint i = 1; i < args->positional->len; i++)
    {
      g_autofree char *source = find_source (gallery, args->positional->pdata[i], error);
      g_autofree char *target = NULL;

      if (!source)
        return CLI_FAILED;
      target = into_folder ? easel_gallery_export_name (source, folder, args->format) : g_strdup (args->output);
      if (!easel_gallery_export (source, target, &options, NULL, error))
        return CLI_FAILED;
      puts (target);
    }
  return CLI_OK;
}

/* ---- check ---- */

static CliStatus
check (const CliArgs *args, EaselGallery *gallery, GError **error)
{
  g_autofree char *report = easel_gallery_check (gallery, args->repair, NULL, error);
  gboolean sound = report && *report == '\0';

  if (!report)
    return CLI_FAILED;
  if (args->json)
    {
      g_auto (GStrv) lines = g_strsplit (report, "\n", -1);
      CliJson json;

      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_bool (&json, "sound", sound);
      cli_json_open (&json, "problems", '[');
      for (guint i = 0; lines[i]; i++)
        if (*lines[i])
          cli_json_string (&json, NULL, lines[i]);
      cli_json_close (&json, ']');
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  else
    fputs (sound ? "The index is sound and every file is there.\n" : report, stdout);
  return sound || args->repair ? CLI_OK : CLI_FAILED;
}

/* The way forward for an index of a newer version. */
static EaselGallery *
open_anew (const CliArgs *args, GError **error)
{
  g_autofree char *folder = NULL, *index = NULL;
  g_autoptr (EaselGallery) gallery = NULL;

  find_places (args, &index, &folder);
  gallery = easel_gallery_open_anew (index, folder, error);
  return gallery && easel_gallery_scan (gallery, NULL, NULL, error) ? g_steal_pointer (&gallery) : NULL;
}

CliStatus
cli_gallery (const CliArgs *args)
{
  const char *what = args->positional->len ? args->positional->pdata[0] : "list";
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselGallery) gallery = NULL;
  CliStatus status;

  if (strcmp (what, "list") != 0 && strcmp (what, "search") != 0 && strcmp (what, "export") != 0 &&
      strcmp (what, "check") != 0)
    return cli_usage ("'easel-cli gallery' knows list, search, export and check, not \"%s\".", what);
  if (args->new_index && strcmp (what, "check") != 0)
    return cli_usage ("--new-index belongs to 'easel-cli gallery check'.");
  gallery = args->new_index ? open_anew (args, &error) : open_gallery (args, &error);
  if (!gallery)
    return cli_failed (error);
  if (strcmp (what, "export") == 0)
    status = export (args, gallery, &error);
  else if (strcmp (what, "check") == 0)
    status = check (args, gallery, &error);
  else
    {
      g_autofree char *words = NULL;

      g_ptr_array_add (args->positional, NULL);
      words = args->positional->len > 1 ? g_strjoinv (" ", (char **) args->positional->pdata + 1) : NULL;
      g_ptr_array_set_size (args->positional, (int) args->positional->len - 1);
      if (strcmp (what, "search") == 0 && !(words && *words))
        return cli_usage ("'easel-cli gallery search' takes words to look for.");
      status = list (args, gallery, words, &error);
    }
  return error ? cli_failed (error) : status;
}
