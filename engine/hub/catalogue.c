/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/hub/catalogue.h"

#include <string.h>

#include "engine/hub/hub-private.h"
#include "engine/recipes/yaml.h"

#define MAX_ENTRIES 1000
#define MAX_FILES 200

static void
file_free (EaselCatalogueFile *file)
{
  g_free (file->path);
  g_free (file->sha256);
  g_free (file);
}

void
easel_catalogue_entry_free (EaselCatalogueEntry *e)
{
  char **texts[] = { &e->name,      &e->title,          &e->kind,     &e->repository,   &e->revision,
                     &e->precision, &e->pipeline_class, &e->good_for, &e->licence_name, &e->licence_link };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (*texts[i]);
  g_ptr_array_unref (e->files);
  g_free (e);
}

/* Where we are, for errors; the first error stays. */
typedef struct
{
  const char *where;
  GError **error;
  gboolean failed;
} Reader;

static void
bad (Reader *r, const EaselYaml *node, const char *what)
{
  if (!r->failed)
    g_set_error (r->error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s, line %u: %s.", r->where, node->line, what);
  r->failed = TRUE;
}

/* Refuses members that nobody reads: a misspelt one would be silently lost. */
static void
only (Reader *r, EaselYaml *map, const char *const *names)
{
  for (guint i = 0; i < map->items->len; i += 2)
    {
      const EaselYaml *key = map->items->pdata[i];

      if (!g_strv_contains (names, key->text))
        {
          g_autofree char *shown = easel_hub_printable (key->text);
          g_autofree char *what = g_strdup_printf ("\xe2\x80\x9c%s\xe2\x80\x9d is not known here", shown);
          bad (r, key, what);
        }
    }
}

static char *
text (Reader *r, EaselYaml *map, const char *name, gboolean required)
{
  const EaselYaml *node = easel_yaml_find (map, name);
  const char *value = node ? node->text : NULL;

  if ((!node && required) || (node && (!value || !*value || strlen (value) > 1000)))
    {
      g_autofree char *what = g_strdup_printf ("%s must be a text", name);
      bad (r, node ? node : map, what);
    }
  return g_strdup (value);
}

static gint64
bytes (Reader *r, EaselYaml *map, const char *name)
{
  const EaselYaml *node = easel_yaml_find (map, name);
  gint64 number = -1;

  if (node && (!node->text || !g_ascii_string_to_signed (node->text, 10, 0, (gint64) 1 << 50, &number, NULL)))
    {
      g_autofree char *what = g_strdup_printf ("%s must be a whole number", name);
      bad (r, node, what);
      return -1;
    }
  return number;
}

static void
read_files (Reader *r, EaselYaml *list, GPtrArray *files)
{
  static const char *const names[] = { "path", "bytes", "about", "sha256", NULL };

  if (list->kind != EASEL_YAML_LIST || list->items->len > MAX_FILES)
    {
      bad (r, list, "files must be a list, and not a long one");
      return;
    }
  for (guint i = 0; i < list->items->len && !r->failed; i++)
    {
      EaselYaml *node = list->items->pdata[i];
      EaselCatalogueFile *file;

      if (node->kind != EASEL_YAML_MAP)
        {
          bad (r, node, "a file must have a path");
          return;
        }
      only (r, node, names);
      file = g_new0 (EaselCatalogueFile, 1);
      g_ptr_array_add (files, file);
      file->path = text (r, node, "path", TRUE);
      file->bytes = bytes (r, node, "bytes");
      file->about = bytes (r, node, "about");
      file->sha256 = text (r, node, "sha256", FALSE);
      if (!r->failed && !easel_hub_valid_path (file->path, NULL))
        bad (r, node, "that is no path in a repository");
      if (!r->failed && file->sha256 && !easel_hub_is_hex (file->sha256, 64))
        bad (r, node, "sha256 must have 64 hex digits");
    }
}

static void
check_entry (Reader *r, EaselYaml *node, const EaselCatalogueEntry *e)
{
  static const char *const kinds[] = { "image", "video", "image-to-video", NULL };

  if (r->failed)
    return;
  if (!easel_hub_valid_repo (e->repository))
    bad (r, node, "repository must look like owner/name");
  else if (!easel_hub_valid_revision (e->revision))
    bad (r, node, "revision must be a branch, a tag or a commit");
  else if (!easel_hub_runs_class (e->pipeline_class))
    bad (r, node, "class must be a pipeline that this program runs");
  else if (!g_strv_contains (kinds, e->kind))
    bad (r, node, "kind must be image, video or image-to-video");
  else if (!g_str_has_prefix (e->licence_link, "https://"))
    bad (r, node, "the licence needs a link that starts with https://");
}

static EaselCatalogueEntry *
read_entry (Reader *r, EaselYaml *node)
{
  static const char *const names[] = { "name",     "title",   "kind",   "repository", "revision", "precision", "class",
                                       "good_for", "licence", "download", "memory",   "largest",  "size",      "files",
                                       NULL };
  static const char *const licence_names[] = { "name", "link", NULL };
  EaselCatalogueEntry *e = g_new0 (EaselCatalogueEntry, 1);
  EaselYaml *licence, *files;
  gint64 size;

  e->files = g_ptr_array_new_with_free_func ((GDestroyNotify) file_free);
  if (node->kind != EASEL_YAML_MAP)
    {
      bad (r, node, "a model must have a name and the rest");
      return e;
    }
  only (r, node, names);
  e->name = text (r, node, "name", TRUE);
  e->title = text (r, node, "title", TRUE);
  e->kind = text (r, node, "kind", TRUE);
  e->repository = text (r, node, "repository", TRUE);
  e->revision = text (r, node, "revision", FALSE);
  e->precision = text (r, node, "precision", FALSE);
  e->pipeline_class = text (r, node, "class", TRUE);
  e->good_for = text (r, node, "good_for", TRUE);
  e->download = bytes (r, node, "download");
  e->memory = bytes (r, node, "memory");
  e->largest = bytes (r, node, "largest");
  size = bytes (r, node, "size");
  e->size = (int) CLAMP (size, 0, 65536);
  if (!e->revision)
    e->revision = g_strdup ("main");
  if (!e->precision)
    e->precision = g_strdup ("auto");
  licence = easel_yaml_find (node, "licence");
  if (licence && licence->kind == EASEL_YAML_MAP)
    {
      only (r, licence, licence_names);
      e->licence_name = text (r, licence, "name", TRUE);
      e->licence_link = text (r, licence, "link", TRUE);
    }
  else
    bad (r, node, "licence must have a name and a link");
  if ((files = easel_yaml_find (node, "files")))
    read_files (r, files, e->files);
  check_entry (r, node, e);
  return e;
}

static void
put (GPtrArray *entries, EaselCatalogueEntry *entry)
{
  for (guint i = 0; i < entries->len; i++)
    if (strcmp (((EaselCatalogueEntry *) entries->pdata[i])->name, entry->name) == 0)
      {
        easel_catalogue_entry_free (entries->pdata[i]);
        entries->pdata[i] = entry;
        return;
      }
  g_ptr_array_add (entries, entry);
}

static void
read_models (Reader *r, EaselYaml *list, gboolean own, GPtrArray *entries)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  if (list->kind != EASEL_YAML_LIST || list->items->len > MAX_ENTRIES)
    {
      bad (r, list, "models must be a list, and not a long one");
      return;
    }
  for (guint i = 0; i < list->items->len && !r->failed; i++)
    {
      EaselYaml *node = list->items->pdata[i];
      EaselCatalogueEntry *entry = read_entry (r, node);

      if (!r->failed && !g_hash_table_add (seen, g_strdup (entry->name)))
        bad (r, node, "this name is there already");
      entry->own = own;
      if (r->failed)
        easel_catalogue_entry_free (entry);
      else
        put (entries, entry);
    }
}

gboolean
easel_catalogue_parse (const char *text_in, gsize n, const char *where, gboolean own, GPtrArray *entries,
                       GError **error)
{
  static const char *const names[] = { "version", "models", NULL };
  Reader r = { where, error, FALSE };
  g_autoptr (EaselYaml) root = easel_yaml_parse (text_in, n, where, error);
  EaselYaml *models = easel_yaml_find (root, "models");

  if (!root)
    return FALSE;
  if (!models)
    bad (&r, root, "a catalogue has a version and models");
  else
    {
      only (&r, root, names);
      if (bytes (&r, root, "version") != 1 && !r.failed)
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                       "%s is of a version that this program does not know.", where);
          r.failed = TRUE;
        }
      if (!r.failed)
        read_models (&r, models, own, entries);
    }
  return !r.failed;
}

static gboolean
load_one (const char *path, gboolean own, GPtrArray *entries, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *contents = NULL;
  gsize n;

  if (!g_file_get_contents (path, &contents, &n, &local))
    {
      g_set_error (error, EASEL_ERROR,
                   g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? EASEL_ERROR_NOT_FOUND : EASEL_ERROR_IO,
                   "The catalogue cannot be read: %s.", local->message);
      return FALSE;
    }
  return easel_catalogue_parse (contents, n, path, own, entries, error);
}

GPtrArray *
easel_catalogue_load (const char *path, const char *own_path, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_catalogue_entry_free);

  if (!load_one (path, FALSE, entries, error))
    return NULL;
  if (own_path && g_file_test (own_path, G_FILE_TEST_EXISTS) && !load_one (own_path, TRUE, entries, error))
    return NULL;
  return g_steal_pointer (&entries);
}

const EaselCatalogueEntry *
easel_catalogue_find (GPtrArray *entries, const char *name)
{
  for (guint i = 0; i < entries->len; i++)
    {
      const EaselCatalogueEntry *e = entries->pdata[i];
      if (g_strcmp0 (e->name, name) == 0 || g_strcmp0 (e->repository, name) == 0)
        return e;
    }
  return NULL;
}
