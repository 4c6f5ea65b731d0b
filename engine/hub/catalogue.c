/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/hub/catalogue.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "engine/hub/hub-private.h"

#define MAX_BYTES (1 << 20)
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
  yaml_document_t *document;
  const char *where;
  GError **error;
  gboolean failed;
} Reader;

static void
bad (Reader *r, const yaml_node_t *node, const char *what)
{
  if (!r->failed)
    g_set_error (r->error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s, line %d: %s.", r->where,
                 node ? (int) node->start_mark.line + 1 : 1, what);
  r->failed = TRUE;
}

static const char *
scalar (const yaml_node_t *node)
{
  return node && node->type == YAML_SCALAR_NODE && strlen ((char *) node->data.scalar.value) == node->data.scalar.length
           ? (const char *) node->data.scalar.value : NULL;
}

static yaml_node_t *
member (Reader *r, yaml_node_t *map, const char *name)
{
  if (map->type != YAML_MAPPING_NODE)
    return NULL;
  for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
    {
      const char *key = scalar (yaml_document_get_node (r->document, p->key));
      if (key && strcmp (key, name) == 0)
        return yaml_document_get_node (r->document, p->value);
    }
  return NULL;
}

/* Refuses members that nobody reads: a misspelt one would be silently lost. */
static void
only (Reader *r, yaml_node_t *map, const char *const *names)
{
  for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
    {
      yaml_node_t *node = yaml_document_get_node (r->document, p->key);
      const char *key = scalar (node);

      if (!key || !g_strv_contains (names, key))
        {
          g_autofree char *shown = easel_hub_printable (key);
          g_autofree char *what = g_strdup_printf ("\xe2\x80\x9c%s\xe2\x80\x9d is not known here", shown);
          bad (r, node, what);
        }
    }
}

static char *
text (Reader *r, yaml_node_t *map, const char *name, gboolean required)
{
  yaml_node_t *node = member (r, map, name);
  const char *value = scalar (node);

  if ((!node && required) || (node && (!value || !*value || strlen (value) > 1000)))
    {
      g_autofree char *what = g_strdup_printf ("%s must be a text", name);
      bad (r, node ? node : map, what);
    }
  return g_strdup (value);
}

static gint64
bytes (Reader *r, yaml_node_t *map, const char *name)
{
  yaml_node_t *node = member (r, map, name);
  const char *value = scalar (node);
  gint64 number = -1;

  if (node && (!value || !g_ascii_string_to_signed (value, 10, 0, (gint64) 1 << 50, &number, NULL)))
    {
      g_autofree char *what = g_strdup_printf ("%s must be a whole number", name);
      bad (r, node, what);
      return -1;
    }
  return number;
}

static void
read_files (Reader *r, yaml_node_t *list, GPtrArray *files)
{
  static const char *const names[] = { "path", "bytes", "about", "sha256", NULL };

  if (list->type != YAML_SEQUENCE_NODE || list->data.sequence.items.top - list->data.sequence.items.start > MAX_FILES)
    {
      bad (r, list, "files must be a list, and not a long one");
      return;
    }
  for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top && !r->failed; i++)
    {
      yaml_node_t *node = yaml_document_get_node (r->document, *i);
      EaselCatalogueFile *file;

      if (node->type != YAML_MAPPING_NODE)
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
check_entry (Reader *r, yaml_node_t *node, const EaselCatalogueEntry *e)
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
read_entry (Reader *r, yaml_node_t *node)
{
  static const char *const names[] = { "name",   "title", "kind",     "repository", "revision", "precision", "class",
                                       "good_for", "licence", "download", "memory",  "size",   "files",     NULL };
  static const char *const licence_names[] = { "name", "link", NULL };
  EaselCatalogueEntry *e = g_new0 (EaselCatalogueEntry, 1);
  yaml_node_t *licence, *files;
  gint64 size;

  e->files = g_ptr_array_new_with_free_func ((GDestroyNotify) file_free);
  if (node->type != YAML_MAPPING_NODE)
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
  size = bytes (r, node, "size");
  e->size = (int) CLAMP (size, 0, 65536);
  if (!e->revision)
    e->revision = g_strdup ("main");
  if (!e->precision)
    e->precision = g_strdup ("auto");
  licence = member (r, node, "licence");
  if (licence && licence->type == YAML_MAPPING_NODE)
    {
      only (r, licence, licence_names);
      e->licence_name = text (r, licence, "name", TRUE);
      e->licence_link = text (r, licence, "link", TRUE);
    }
  else
    bad (r, node, "licence must have a name and a link");
  if ((files = member (r, node, "files")))
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
read_models (Reader *r, yaml_node_t *list, gboolean own, GPtrArray *entries)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  if (list->type != YAML_SEQUENCE_NODE || list->data.sequence.items.top - list->data.sequence.items.start > MAX_ENTRIES)
    {
      bad (r, list, "models must be a list, and not a long one");
      return;
    }
  for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top && !r->failed; i++)
    {
      yaml_node_t *node = yaml_document_get_node (r->document, *i);
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
  yaml_parser_t parser;
  yaml_document_t document;
  Reader r = { &document, where, error, FALSE };
  yaml_node_t *root, *models;

  if (n > MAX_BYTES || !yaml_parser_initialize (&parser))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is larger than a catalogue can be.", where);
      return FALSE;
    }
  yaml_parser_set_input_string (&parser, (const unsigned char *) text_in, n);
  if (!yaml_parser_load (&parser, &document))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s, line %d: %s.", where,
                   (int) parser.problem_mark.line + 1, parser.problem ? parser.problem : "not YAML");
      yaml_parser_delete (&parser);
      return FALSE;
    }
  root = yaml_document_get_root_node (&document);
  models = root ? member (&r, root, "models") : NULL;
  if (!root || root->type != YAML_MAPPING_NODE || !models)
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
  yaml_document_delete (&document);
  yaml_parser_delete (&parser);
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
