/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which files of a folder a component's weights are in.
 */
#include "engine/core/weights.h"

#include <string.h>

#include "engine/core/error.h"

#define MAX_SHARDS 1000

/* A name of a file inside the folder, and nothing else. */
static gboolean
is_plain_name (const char *name)
{
  return g_str_has_suffix (name, ".safetensors") && name[0] != '.' && !strpbrk (name, "/\\") && strlen (name) < 256;
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* The shards an index names: sorted, each once. NULL with an error. */
static GPtrArray *
index_shards (const char *path, JsonObject *index, GError **error)
{
  JsonNode *node = json_object_get_member (index, "weight_map");
  if (!node || !JSON_NODE_HOLDS_OBJECT (node))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is damaged: it has no weight_map.", path);
      return NULL;
    }
  g_autoptr (GPtrArray) shards = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  JsonObjectIter iter;
  const char *tensor;
  JsonNode *value;
  json_object_iter_init (&iter, json_node_get_object (node));
  while (json_object_iter_next (&iter, &tensor, &value))
    {
      const char *name = NULL;
      if (JSON_NODE_HOLDS_VALUE (value) && json_node_get_value_type (value) == G_TYPE_STRING)
        name = json_node_get_string (value);
      if (!name || !is_plain_name (name))
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                       "%s is damaged: for \"%.200s\" it names no safetensors file of its folder.", path, tensor);
          return NULL;
        }
      if (g_hash_table_contains (seen, name))
        continue;
      char *copy = g_strdup (name);
      g_hash_table_add (seen, copy);
      g_ptr_array_add (shards, copy);
    }
  if (shards->len == 0 || shards->len > MAX_SHARDS)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is damaged: it names %u files.", path, shards->len);
      return NULL;
    }
  g_ptr_array_sort (shards, compare_names);
  return g_steal_pointer (&shards);
}

/* The paths of a sharded set. NULL without an error when the index or all of its shards are absent: another variant was
 * downloaded. *index receives the index. */
static GPtrArray *
find_sharded (const char *dir, const char *index_name, JsonObject **index, GError **error)
{
  g_autofree char *path = g_build_filename (dir, index_name, NULL);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return NULL;
  g_autoptr (JsonObject) object = easel_json_load (path, error);
  g_autoptr (GPtrArray) shards = object ? index_shards (path, object, error) : NULL;
  if (!shards)
    return NULL;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  const char *missing = NULL;
  guint n_missing = 0;
  for (guint i = 0; i < shards->len; i++)
    {
      char *shard = g_build_filename (dir, shards->pdata[i], NULL);
      g_ptr_array_add (paths, shard);
      if (!g_file_test (shard, G_FILE_TEST_EXISTS))
        {
          n_missing++;
          missing = missing ? missing : shards->pdata[i];
        }
    }
  if (n_missing == shards->len)
    return NULL;
  if (n_missing > 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                   "%s: %u of %u weight files are missing, the first is %s. Download the model again.", dir, n_missing,
                   shards->len, missing);
      return NULL;
    }
  *index = g_steal_pointer (&object);
  return g_steal_pointer (&paths);
}

/* The files of one stem and one variant ("" for the plain one); NULL without an error when there are none. */
static GPtrArray *
find_set (const char *dir, const char *stem, const char *variant, JsonObject **index, GError **error)
{
  const char *dot = *variant ? "." : "";
  g_autofree char *single = g_strconcat (stem, dot, variant, ".safetensors", NULL);
  g_autofree char *path = g_build_filename (dir, single, NULL);
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    {
      GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
      g_ptr_array_add (paths, g_steal_pointer (&path));
      return paths;
    }
  GError *local = NULL;
  /* transformers and diffusers put the variant after "index"; some repositories have it before. */
  g_autofree char *after = g_strconcat (stem, ".safetensors.index", dot, variant, ".json", NULL);
  GPtrArray *paths = find_sharded (dir, after, index, &local);
  if (!paths && !local && *variant)
    {
      g_autofree char *before = g_strconcat (stem, dot, variant, ".safetensors.index.json", NULL);
      paths = find_sharded (dir, before, index, &local);
    }
  if (local)
    g_propagate_error (error, local);
  return paths;
}

GPtrArray *
easel_weights_find_files (const char *dir, const char *variant, JsonObject **index, GError **error)
{
  static const char *const STEMS[] = { "diffusion_pytorch_model", "model" };
  const char *variants[] = { variant ? variant : "", "", "bf16", "fp16" };
  g_autoptr (JsonObject) found_index = NULL;
  for (guint v = 0; v < G_N_ELEMENTS (variants); v++)
    for (guint s = 0; s < G_N_ELEMENTS (STEMS); s++)
      {
        GError *local = NULL;
        GPtrArray *paths = find_set (dir, STEMS[s], variants[v], &found_index, &local);
        if (local)
          {
            g_propagate_error (error, local);
            return NULL;
          }
        if (paths)
          {
            if (index)
              *index = g_steal_pointer (&found_index);
            return paths;
          }
      }
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
               "%s has no weights: neither diffusion_pytorch_model.safetensors nor model.safetensors nor shards of "
               "them. Download the model again.",
               dir);
  return NULL;
}
