/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * inspect: what a file says about itself. A safetensors file: its tensors. A picture: the request inside. A model
 * folder: its components. What a file is, its content says, not its name.
 */
#include "app/cli.h"

#include <stdio.h>
#include <string.h>

#include "engine/core/files.h"
#include "engine/core/model-folder.h"
#include "engine/core/safetensors.h"
#include "engine/media/image-file.h"
#include "engine/media/video-file.h"

static void
print_metadata (GHashTable *metadata)
{
  GHashTableIter iter;
  gpointer key, value;

  if (metadata == NULL)
    return;
  g_hash_table_iter_init (&iter, metadata);
  while (g_hash_table_iter_next (&iter, &key, &value))
    printf ("%s: %s\n", (char *) key, (char *) value);
}

static char *
shape_text (const EaselTensor *tensor)
{
  GString *out = g_string_new ("[");

  for (int i = 0; i < tensor->n_dims; i++)
    g_string_append_printf (out, "%s%" G_GINT64_FORMAT, i ? ", " : "", tensor->shape[i]);
  g_string_append_c (out, ']');
  return g_string_free (out, FALSE);
}

static void
print_tensors_json (const char *path, EaselSafetensors *file)
{
  GHashTable *metadata = easel_safetensors_metadata (file);
  GHashTableIter iter;
  gpointer key, value;
  CliJson json;

  cli_json_begin (&json);
  cli_json_open (&json, NULL, '{');
  cli_json_string (&json, "file", path);
  cli_json_open (&json, "metadata", '{');
  if (metadata)
    g_hash_table_iter_init (&iter, metadata);
  while (metadata && g_hash_table_iter_next (&iter, &key, &value))
    cli_json_string (&json, key, value);
  cli_json_close (&json, '}');
  cli_json_open (&json, "tensors", '[');
  for (guint i = 0; i < easel_safetensors_count (file); i++)
    {
      EaselTensor tensor;
      const char *name = easel_safetensors_nth (file, i, &tensor);

      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "name", name);
      cli_json_string (&json, "dtype", easel_dtype_name (tensor.dtype));
      cli_json_open (&json, "shape", '[');
      for (int d = 0; d < tensor.n_dims; d++)
        cli_json_int (&json, NULL, tensor.shape[d]);
      cli_json_close (&json, ']');
      cli_json_int (&json, "bytes", (gint64) easel_tensor_bytes (&tensor));
      cli_json_close (&json, '}');
    }
  cli_json_close (&json, ']');
  cli_json_close (&json, '}');
  cli_json_end (&json);
}

static CliStatus
inspect_safetensors (const CliArgs *args, const char *path, GError **error)
{
  g_autoptr (EaselSafetensors) file = easel_safetensors_open (path, error);
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *total = NULL;
  guint64 bytes = 0;
  gint64 elements = 0;

  if (file == NULL)
    return CLI_FAILED;
  if (args->json)
    {
      print_tensors_json (path, file);
      return CLI_OK;
    }
  for (guint i = 0; i < easel_safetensors_count (file); i++)
    {
      EaselTensor tensor;
      const char *name = easel_safetensors_nth (file, i, &tensor);

      g_ptr_array_add (cells, g_strdup (name));
      g_ptr_array_add (cells, g_strdup (easel_dtype_name (tensor.dtype)));
      g_ptr_array_add (cells, shape_text (&tensor));
      g_ptr_array_add (cells, cli_format_bytes (easel_tensor_bytes (&tensor)));
      bytes += easel_tensor_bytes (&tensor);
      elements += easel_tensor_count (&tensor);
    }
  cli_print_table (cells, 4, 1u << 3);
  print_metadata (easel_safetensors_metadata (file));
  total = cli_format_bytes (bytes);
  printf ("%u tensors, %" G_GINT64_FORMAT " numbers, %s\n", easel_safetensors_count (file), elements, total);
  return CLI_OK;
}

static CliStatus
inspect_picture (const CliArgs *args, const char *path, GError **error)
{
  const gboolean film = easel_video_is_container (path);
  g_autoptr (GHashTable) texts = film ? easel_video_read_texts (path, error) : easel_image_read_texts (path, error);
  g_autoptr (EaselRequest) request = NULL;
  g_autofree char *json_text = NULL;
  g_autofree char *parameters = NULL;
  CliJson json;

  if (texts)
    request = film ? easel_video_read_request (path, error) : easel_image_read_request (path, error);
  if (request == NULL)
    return CLI_FAILED;
  json_text = easel_request_to_json (request);
  parameters = easel_request_to_parameters (request);
  if (args->json)
    {
      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "file", path);
      cli_json_string (&json, "source", g_hash_table_contains (texts, "easel") ? "easel" : "parameters");
      cli_json_raw (&json, "request", json_text);
      cli_json_string (&json, "parameters", g_hash_table_lookup (texts, "parameters"));
      cli_json_close (&json, '}');
      cli_json_end (&json);
    }
  else
    puts (parameters);
  return CLI_OK;
}

/* What one component weighs, or why that is not known. */
static void
add_component (GPtrArray *cells, CliJson *json, EaselModelFolder *folder, const char *component)
{
  g_autoptr (EaselWeights) weights = NULL;
  const char *class = easel_model_folder_class (folder, component);
  gboolean has_weights = !g_str_has_prefix (component, "scheduler") && !g_str_has_prefix (component, "tokenizer");
  g_autoptr (GError) error = NULL;

  if (has_weights)
    weights = easel_model_folder_weights (folder, component, NULL, &error);
  if (json)
    {
      cli_json_open (json, NULL, '{');
      cli_json_string (json, "name", component);
      cli_json_string (json, "class", class);
      if (weights)
        {
          cli_json_string (json, "dtype", easel_dtype_name (easel_weights_dtype (weights)));
          cli_json_int (json, "parameters", (gint64) easel_weights_parameters (weights));
          cli_json_int (json, "bytes", (gint64) easel_weights_bytes (weights));
        }
      if (error)
        cli_json_string (json, "problem", error->message);
      cli_json_close (json, '}');
      return;
    }
  g_ptr_array_add (cells, g_strdup (component));
  g_ptr_array_add (cells, g_strdup (class));
  g_ptr_array_add (cells, g_strdup (weights ? easel_dtype_name (easel_weights_dtype (weights)) : ""));
  g_ptr_array_add (cells, weights ? g_strdup_printf ("%.1f M", (double) easel_weights_parameters (weights) / 1e6)
                                  : g_strdup (""));
  g_ptr_array_add (cells, weights ? cli_format_bytes (easel_weights_bytes (weights)) : g_strdup (""));
  g_ptr_array_add (cells, g_strdup (error ? error->message : ""));
}

static CliStatus
inspect_folder (const CliArgs *args, const char *path, GError **error)
{
  g_autoptr (EaselModelFolder) folder = easel_model_folder_open (path, error);
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) components = NULL;
  g_autofree char *licence = NULL;
  CliJson json;

  if (folder == NULL)
    return CLI_FAILED;
  components = easel_model_folder_components (folder);
  licence = easel_model_folder_licence (folder);
  if (args->json)
    {
      cli_json_begin (&json);
      cli_json_open (&json, NULL, '{');
      cli_json_string (&json, "name", easel_model_folder_name (folder));
      cli_json_string (&json, "class", easel_model_folder_pipeline_class (folder));
      cli_json_string (&json, "licence", licence);
      cli_json_open (&json, "components", '[');
    }
  for (guint i = 0; i < components->len; i++)
    add_component (cells, args->json ? &json : NULL, folder, g_ptr_array_index (components, i));
  if (args->json)
    {
      cli_json_close (&json, ']');
      cli_json_close (&json, '}');
      cli_json_end (&json);
      return CLI_OK;
    }
  printf ("%s: %s, licence %s\n", easel_model_folder_name (folder), easel_model_folder_pipeline_class (folder),
          licence ? licence : "unknown");
  cli_print_table (cells, 6, 1u << 3 | 1u << 4);
  return CLI_OK;
}

/* Pictures are known by their first bytes; everything else that is a file is taken for safetensors, whose reader says
 * what is wrong. */
static gboolean
looks_like_picture (const char *path)
{
  static const struct
  {
    gsize offset;
    const char *bytes;
  } marks[] = { { 0, "\x89PNG" }, { 0, "\xff\xd8\xff" }, { 8, "WEBP" } };
  FILE *file = g_file_test (path, G_FILE_TEST_IS_REGULAR) ? fopen (path, "re") : NULL;
  char start[12] = { 0 };
  gboolean found = FALSE;

  if (file == NULL)
    return FALSE;
  if (fread (start, 1, sizeof start, file) == sizeof start)
    for (guint i = 0; i < G_N_ELEMENTS (marks); i++)
      found |= memcmp (start + marks[i].offset, marks[i].bytes, strlen (marks[i].bytes)) == 0;
  fclose (file);
  return found;
}

CliStatus
cli_inspect (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  const char *path = g_ptr_array_index (args->positional, 0);
  CliStatus status;

  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    status = inspect_folder (args, path, &error);
  else if (easel_video_is_container (path) || looks_like_picture (path) || g_str_has_suffix (path, ".png")
           || g_str_has_suffix (path, ".jpg")
           || g_str_has_suffix (path, ".webp"))
    status = inspect_picture (args, path, &error);
  else
    status = inspect_safetensors (args, path, &error);
  return error ? cli_failed (error) : status;
}
