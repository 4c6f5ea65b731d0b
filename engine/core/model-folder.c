/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/model-folder.h"

#include <stdio.h>
#include <string.h>

#include "engine/core/files.h"

struct EaselModelFolder
{
  char *path, *name, *cache;
  JsonObject *index;    /* model_index.json */
  GHashTable *configs;  /* component to JsonObject */
};

/* "snapshots/REVISION" of "models--OWNER--NAME" is called OWNER/NAME; anything else by its last part. */
static char *
name_of_path (const char *path)
{
  g_autofree char *last = g_path_get_basename (path);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autofree char *parent_name = g_path_get_basename (parent);
  g_autofree char *grand = g_path_get_dirname (parent);
  g_autofree char *repository = g_path_get_basename (grand);
  if (strcmp (parent_name, "snapshots") != 0 || !g_str_has_prefix (repository, "models--"))
    return g_steal_pointer (&last);
  g_auto (GStrv) parts = g_strsplit (repository + strlen ("models--"), "--", 2);
  return g_strjoinv ("/", parts);
}

/* A folder inside the model's, and nothing else. */
static gboolean
is_component_name (const char *name)
{
  return *name && *name != '.' && *name != '_' && !strpbrk (name, "/\\") && strlen (name) < 128;
}

/* Class of a member that describes a component: ["diffusers", "AutoencoderDC"]. NULL when it is none or absent. */
static const char *
component_class (JsonObject *index, const char *name)
{
  JsonNode *node = is_component_name (name) ? json_object_get_member (index, name) : NULL;
  if (!node || !JSON_NODE_HOLDS_ARRAY (node) || json_array_get_length (json_node_get_array (node)) != 2)
    return NULL;
  JsonNode *word = json_array_get_element (json_node_get_array (node), 1);
  if (!JSON_NODE_HOLDS_VALUE (word) || json_node_get_value_type (word) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (word);
}

static gboolean
check_components (EaselModelFolder *self, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  guint n = 0;
  json_object_iter_init (&iter, self->index);
  while (json_object_iter_next (&iter, &name, NULL))
    {
      if (!component_class (self->index, name))
        continue;
      g_autofree char *dir = g_build_filename (self->path, name, NULL);
      n++;
      if (!g_file_test (dir, G_FILE_TEST_IS_DIR))
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                       "%s lacks its folder \"%s\", which model_index.json names. Download the model again.",
                       self->path, name);
          return FALSE;
        }
    }
  if (n > 0)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s/model_index.json names no components.", self->path);
  return FALSE;
}

EaselModelFolder *
easel_model_folder_open (const char *path, GError **error)
{
  g_autofree char *index_path = g_build_filename (path, "model_index.json", NULL);
  g_autoptr (GError) local = NULL;
  JsonObject *index = easel_json_load (index_path, &local);
  if (!index)
    {
      if (g_error_matches (local, EASEL_ERROR, EASEL_ERROR_NOT_FOUND))
        g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                     "%s is no model folder: it has no model_index.json (single files are not supported).", path);
      else
        g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  return easel_model_folder_new (path, index, error);
}

EaselModelFolder *
easel_model_folder_new (const char *path, JsonObject *index, GError **error)
{
  EaselModelFolder *self = g_new0 (EaselModelFolder, 1);
  self->path = g_canonicalize_filename (path, NULL);
  self->name = name_of_path (self->path);
  self->index = index;
  self->configs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_object_unref);
  g_autofree char *where = g_build_filename (path, "model_index.json", NULL);
  EaselFields fields = easel_fields (index, where);
  if (!easel_fields_string (&fields, "_class_name", NULL) && !fields.error)
    fields.error = g_error_new (EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s names no pipeline class.", where);
  if (!easel_fields_done (&fields, error) || !check_components (self, error))
    g_clear_pointer (&self, easel_model_folder_free);
  return self;
}

void
easel_model_folder_free (EaselModelFolder *self)
{
  if (!self)
    return;
  g_hash_table_unref (self->configs);
  json_object_unref (self->index);
  g_free (self->path);
  g_free (self->name);
  g_free (self->cache);
  g_free (self);
}

void
easel_model_folder_set_cache (EaselModelFolder *self, const char *folder)
{
  g_free (self->cache);
  self->cache = g_strdup (folder);
}

const char *
easel_model_folder_path (EaselModelFolder *self)
{
  return self->path;
}

const char *
easel_model_folder_name (EaselModelFolder *self)
{
  return self->name;
}

const char *
easel_model_folder_pipeline_class (EaselModelFolder *self)
{
  return json_object_get_string_member_with_default (self->index, "_class_name", "");
}

const char *
easel_model_folder_class (EaselModelFolder *self, const char *component)
{
  return component_class (self->index, component);
}

char *
easel_model_folder_dir (EaselModelFolder *self, const char *component)
{
  return g_build_filename (self->path, component, NULL);
}

/* Schedulers and tokenizers have their own names for it. */
static const char *
config_name (const char *component)
{
  if (!strcmp (component, "scheduler"))
    return "scheduler_config.json";
  return g_str_has_prefix (component, "tokenizer") ? "tokenizer_config.json" : "config.json";
}

JsonObject *
easel_model_folder_config (EaselModelFolder *self, const char *component, GError **error)
{
  JsonObject *config = g_hash_table_lookup (self->configs, component);
  if (config)
    return config;
  if (!component_class (self->index, component))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s has no component \"%s\", which a %s needs.",
                   self->path, component, easel_model_folder_pipeline_class (self));
      return NULL;
    }
  g_autofree char *path = g_build_filename (self->path, component, config_name (component), NULL);
  config = easel_json_load (path, error);
  if (config)
    g_hash_table_insert (self->configs, g_strdup (component), config);
  return config;
}

EaselWeights *
easel_model_folder_weights (EaselModelFolder *self, const char *component, const char *variant, GError **error)
{
  g_autofree char *dir = easel_model_folder_dir (self, component);
  EaselWeights *weights = easel_weights_open (dir, variant, error);
  if (weights && self->cache)
    easel_weights_set_cache (weights, self->cache);
  return weights;
}

EaselWeights *
easel_model_folder_component (EaselModelFolder *self, const char *component, const char *variant, JsonObject **config,
                              GError **error)
{
  if (!(*config = easel_model_folder_config (self, component, error)))
    return NULL;
  return easel_model_folder_weights (self, component, variant, error);
}

/* ---- licence ---- */

/* The first `size` bytes of a file as text; "" when there is none. */
static char *
read_head (const char *dir, const char *name, gsize size)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  char *text = g_malloc0 (size + 1);
  FILE *file = fopen (path, "re");
  if (file)
    {
      text[fread (text, 1, size, file)] = '\0';
      fclose (file);
    }
  if (!g_utf8_validate (text, -1, NULL))
    {
      /* The cut may have hit a character. */
      char *valid = g_utf8_make_valid (text, -1);
      g_free (text);
      text = valid;
    }
  return text;
}

/* "key: value" in the lines between two "---" at the top; NULL when absent. */
static char *
front_matter (const char *text, const char *key)
{
  if (!g_str_has_prefix (text, "---"))
    return NULL;
  g_auto (GStrv) lines = g_strsplit (text, "\n", 400);
  for (guint i = 1; lines[i]; i++)
    {
      g_strchomp (lines[i]);
      if (!strcmp (lines[i], "---"))
        break;
      if (!g_str_has_prefix (lines[i], key) || lines[i][strlen (key)] != ':')
        continue;
      char *value = g_strstrip (lines[i] + strlen (key) + 1);
      gsize length = strlen (value);
      if (length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value)
        {
          value[length - 1] = '\0';
          value++;
        }
      return *value && strlen (value) <= 200 ? g_strdup (value) : NULL;
    }
  return NULL;
}

static char *
licence_of (const char *dir)
{
  static const char *const FILES[] = { "LICENSE", "LICENSE.txt", "LICENSE.md" };
  g_autofree char *readme = read_head (dir, "README.md", 32 << 10);
  g_autofree char *licence = front_matter (readme, "license");
  if (!licence || !strcmp (licence, "other"))
    {
      char *name = front_matter (readme, "license_name");
      if (name)
        return name;
    }
  if (licence)
    return g_steal_pointer (&licence);
  for (guint i = 0; i < G_N_ELEMENTS (FILES); i++)
    {
      g_autofree char *text = read_head (dir, FILES[i], 1024);
      char *line = g_strchug (text);
      line[strcspn (line, "\r\n")] = '\0';
      g_strstrip (line);
      if (*line)
        return g_utf8_strlen (line, -1) <= 80 ? g_strdup (line) : g_utf8_substring (line, 0, 80);
    }
  return NULL;
}

char *
easel_model_folder_licence (EaselModelFolder *self)
{
  return licence_of (self->path);
}

GPtrArray *
easel_model_folder_components (EaselModelFolder *self)
{
  GPtrArray *names = g_ptr_array_new ();
  JsonObjectIter iter;
  const char *name;
  json_object_iter_init (&iter, self->index);
  while (json_object_iter_next (&iter, &name, NULL))
    if (component_class (self->index, name))
      g_ptr_array_add (names, (char *) name);
  return names;
}
