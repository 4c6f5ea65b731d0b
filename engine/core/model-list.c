/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The list of models: a quick look at each folder. No weights are opened; the dtype is guessed from the first kilobytes
 * of the main weights' header.
 */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "engine/core/files.h"
#include "engine/core/model-folder.h"
#include "engine/core/pipeline.h"

#define HEAD_BYTES 4096

void
easel_model_info_free (EaselModelInfo *info)
{
  if (!info)
    return;
  g_free (info->name);
  g_free (info->path);
  g_free (info->pipeline_class);
  g_free (info->licence);
  g_free (info->dtype);
  g_free (info->problem);
  g_free (info);
}

/* The dtype that most of the first tensors of a safetensors file have, in our words; NULL when it is none. */
static char *
guess_dtype (const char *path)
{
  static const struct
  {
    const char *word;
    EaselDtype dtype;
  } KNOWN[] = {
    { "\"F32\"", EASEL_DTYPE_F32 },
    { "\"F16\"", EASEL_DTYPE_F16 },
    { "\"BF16\"", EASEL_DTYPE_BF16 },
    { "\"F8_E4M3\"", EASEL_DTYPE_F8_E4M3 },
    { "\"I8\"", EASEL_DTYPE_I8 },
  };
  char head[HEAD_BYTES + 1] = { 0 };
  guint best = 0, most = 0;
  FILE *file = fopen (path, "re");
  if (!file)
    return NULL;
  gsize n = fread (head, 1, HEAD_BYTES, file);
  fclose (file);
  if (n < 16)
    return NULL;
  /* The text begins after the length and may be cut; NULs would end the search. */
  head[n] = '\0';
  for (guint i = 0; i < G_N_ELEMENTS (KNOWN); i++)
    {
      guint count = 0;
      for (const char *p = head + 8; (p = strstr (p, KNOWN[i].word)); p++)
        count++;
      if (count > most)
        {
          most = count;
          best = i;
        }
    }
  return most > 0 ? g_strdup (easel_dtype_name (KNOWN[best].dtype)) : NULL;
}

static guint64
file_size (const char *path)
{
  GStatBuf info;
  return g_stat (path, &info) == 0 && S_ISREG (info.st_mode) ? (guint64) info.st_size : 0;
}

/* What a run reads of a component that has no weights: small JSON and the SentencePiece file. */
static guint64
plain_bytes (const char *dir)
{
  guint64 bytes = 0;
  const char *name;
  g_autoptr (GDir) listing = g_dir_open (dir, 0, NULL);
  while (listing && (name = g_dir_read_name (listing)))
    if (g_str_has_suffix (name, "config.json") || g_str_has_suffix (name, ".model"))
      {
        g_autofree char *path = g_build_filename (dir, name, NULL);
        bytes += file_size (path);
      }
  return bytes;
}

static gboolean
needs_weights (const char *component)
{
  static const char *const NONE[] = { "scheduler", "tokenizer", "tokenizer_2", "feature_extractor", "image_processor" };
  for (guint i = 0; i < G_N_ELEMENTS (NONE); i++)
    if (!strcmp (component, NONE[i]))
      return FALSE;
  return TRUE;
}

/* Pixels on the longer side that the model was trained for: sample_size times what the VAE shrinks. */
static int
default_size (EaselModelFolder *folder)
{
  JsonObject *transformer = easel_model_folder_config (folder, "transformer", NULL);
  JsonObject *vae = easel_model_folder_config (folder, "vae", NULL);
  if (!transformer || !vae)
    return 0;
  EaselFields f = easel_fields (transformer, "transformer");
  gint64 size = easel_fields_int (&f, "sample_size", 0, 0, 4096);
  if (size == 0)
    size = MAX (easel_fields_int (&f, "sample_height", 0, 0, 4096), easel_fields_int (&f, "sample_width", 0, 0, 4096));
  g_clear_error (&f.error);
  JsonNode *widths = json_object_get_member (vae, "encoder_block_out_channels");
  if (!widths)
    widths = json_object_get_member (vae, "block_out_channels");
  if (!widths || !JSON_NODE_HOLDS_ARRAY (widths))
    return 0;
  guint levels = json_array_get_length (json_node_get_array (widths));
  return levels >= 1 && levels <= 8 ? (int) size << (levels - 1) : 0;
}

static EaselModelInfo *
look_at (const char *path)
{
  EaselModelInfo *info = g_new0 (EaselModelInfo, 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselModelFolder) folder = easel_model_folder_open (path, &error);
  info->path = g_canonicalize_filename (path, NULL);
  if (!folder)
    {
      info->name = g_path_get_basename (info->path);
      info->problem = g_strdup (error->message);
      return info;
    }
  info->name = g_strdup (easel_model_folder_name (folder));
  info->pipeline_class = g_strdup (easel_model_folder_pipeline_class (folder));
  info->licence = easel_model_folder_licence (folder);
  info->default_size = default_size (folder);
  g_autoptr (GPtrArray) components = easel_model_folder_components (folder);
  for (guint i = 0; i < components->len; i++)
    {
      const char *component = components->pdata[i];
      g_autofree char *dir = easel_model_folder_dir (folder, component);
      guint64 before = info->bytes;
      info->bytes += plain_bytes (dir);
      if (!needs_weights (component))
        continue;
      g_autoptr (GError) local = NULL;
      g_autoptr (GPtrArray) files = easel_weights_find_files (dir, NULL, NULL, &local);
      if (!files && !info->problem)
        info->problem = g_strdup (local->message);
      for (guint k = 0; files && k < files->len; k++)
        info->bytes += file_size (files->pdata[k]);
      info->largest = MAX (info->largest, info->bytes - before);
      if (files && !strcmp (component, "transformer"))
        info->dtype = guess_dtype (files->pdata[0]);
    }
  if (!info->problem && !easel_pipeline_class_find (info->pipeline_class, &error))
    info->problem = g_strdup (error->message);
  return info;
}

EaselFit
easel_fit (guint64 weights, guint64 largest, guint64 budget)
{
  const guint64 room = budget - budget / 8;

  if (weights == 0 || budget == G_MAXUINT64)
    return EASEL_FIT_UNKNOWN;
  if (weights <= room)
    return EASEL_FIT_WHOLE;
  if (largest == 0)
    return EASEL_FIT_UNKNOWN;
  return largest <= room ? EASEL_FIT_IN_PARTS : EASEL_FIT_NOT;
}

static void
consider (GPtrArray *list, GHashTable *seen, const char *path)
{
  g_autofree char *index = g_build_filename (path, "model_index.json", NULL);
  if (!g_file_test (index, G_FILE_TEST_EXISTS))
    return;
  EaselModelInfo *info = look_at (path);
  if (g_hash_table_add (seen, g_strdup (info->name)))
    g_ptr_array_add (list, info);
  else
    easel_model_info_free (info);
}

/* models--OWNER--NAME: the revision that refs/main names, else any. */
static void
consider_repository (GPtrArray *list, GHashTable *seen, const char *path)
{
  g_autofree char *ref = g_build_filename (path, "refs", "main", NULL);
  g_autofree char *revision = NULL;
  gsize length;
  g_autofree char *snapshots = g_build_filename (path, "snapshots", NULL);
  revision = easel_read_small_file (ref, 256, &length, NULL);
  if (revision && *g_strstrip (revision) && !strpbrk (revision, "/\\") && *revision != '.')
    {
      g_autofree char *snapshot = g_build_filename (snapshots, revision, NULL);
      consider (list, seen, snapshot);
    }
  g_autoptr (GDir) listing = g_dir_open (snapshots, 0, NULL);
  const char *name;
  while (listing && (name = g_dir_read_name (listing)))
    {
      g_autofree char *snapshot = g_build_filename (snapshots, name, NULL);
      if (g_strcmp0 (name, revision) != 0)
        consider (list, seen, snapshot);
    }
}

static gint
compare_infos (gconstpointer a, gconstpointer b)
{
  const EaselModelInfo *const *x = a, *const *y = b;
  return strcmp ((*x)->name, (*y)->name);
}

GPtrArray *
easel_model_folder_list (const char *const *roots)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_model_info_free);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; roots && roots[i]; i++)
    {
      g_autoptr (GDir) listing = g_dir_open (roots[i], 0, NULL);
      const char *name;
      while (listing && (name = g_dir_read_name (listing)))
        {
          g_autofree char *path = g_build_filename (roots[i], name, NULL);
          if (g_str_has_prefix (name, "models--"))
            consider_repository (list, seen, path);
          else if (*name != '.')
            consider (list, seen, path);
        }
    }
  g_ptr_array_sort (list, compare_infos);
  return list;
}
