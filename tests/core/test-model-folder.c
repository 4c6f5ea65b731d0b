/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model folders: reading, licences, names of the Hub's cache, what is wrong with a folder; the list.
 */
#include "engine/core/model-folder.h"

#include <string.h>

#include "tests/core/tiny-model.h"

static EaselModelFolder *
open_folder (const char *path)
{
  g_autoptr (GError) error = NULL;
  EaselModelFolder *folder = easel_model_folder_open (path, &error);
  g_assert_no_error (error);
  return folder;
}

static void
test_open (void)
{
  g_autofree char *root = tiny_folder ();
  g_autofree char *path = tiny_sana (root, "tiny");
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselModelFolder) folder = open_folder (path);
  g_assert_cmpstr (easel_model_folder_name (folder), ==, "tiny");
  g_assert_cmpstr (easel_model_folder_pipeline_class (folder), ==, "SanaPipeline");
  g_assert_cmpstr (easel_model_folder_class (folder, "vae"), ==, "AutoencoderDC");
  g_assert_null (easel_model_folder_class (folder, "safety_checker"));
  g_assert_null (easel_model_folder_class (folder, "_class_name"));
  g_autofree char *licence = easel_model_folder_licence (folder);
  g_assert_cmpstr (licence, ==, "cc0-1.0");
  g_autoptr (GPtrArray) components = easel_model_folder_components (folder);
  g_assert_cmpuint (components->len, ==, 5);
  JsonObject *config = easel_model_folder_config (folder, "vae", &error);
  g_assert_no_error (error);
  g_assert_true (config == easel_model_folder_config (folder, "vae", &error));
  g_assert_cmpfloat (json_object_get_double_member (easel_model_folder_config (folder, "scheduler", &error),
                                                    "lambda_min_clipped"),
                     <, -1e300);
  g_assert_null (easel_model_folder_config (folder, "text_encoder_2", &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  g_autoptr (EaselWeights) weights = easel_model_folder_weights (folder, "transformer", NULL, &error);
  g_assert_no_error (error);
  g_assert_null (easel_model_folder_weights (folder, "scheduler", NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
  tiny_remove (root);
}

static void
refuse (const char *path, int code, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (easel_model_folder_open (path, &error));
  g_assert_error (error, EASEL_ERROR, code);
  if (!strstr (error->message, says))
    g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, says));
}

static void
test_refused (void)
{
  g_autofree char *root = tiny_folder ();
  refuse (root, EASEL_ERROR_NOT_FOUND, "model_index.json");
  static const struct
  {
    const char *index, *says;
    int code;
  } BAD[] = {
    { "{", "model_index.json", EASEL_ERROR_DAMAGED },
    { "{}", "class", EASEL_ERROR_DAMAGED },
    { "{\"_class_name\":7}", "_class_name", EASEL_ERROR_DAMAGED },
    { "{\"_class_name\":\"X\"}", "no components", EASEL_ERROR_DAMAGED },
    { "{\"_class_name\":\"X\",\"../vae\":[\"a\",\"B\"]}", "no components", EASEL_ERROR_DAMAGED },
    { "{\"_class_name\":\"X\",\"a\":[\"a\"],\"b\":[null,null],\"c\":{},\"d\":[1,2]}", "no components",
      EASEL_ERROR_DAMAGED },
    { "{\"_class_name\":\"X\",\"vae\":[\"diffusers\",\"B\"]}", "\"vae\"", EASEL_ERROR_NOT_FOUND },
  };
  for (guint i = 0; i < G_N_ELEMENTS (BAD); i++)
    {
      tiny_write (root, "model_index.json", BAD[i].index);
      refuse (root, BAD[i].code, BAD[i].says);
    }
  tiny_remove (root);
}

static void
test_licence (void)
{
  static const struct
  {
    const char *readme, *file, *licence;
  } CASES[] = {
    { "---\nlicense: apache-2.0\n---\n", NULL, "apache-2.0" },
    { "---\r\ntags:\r\n- a\r\nlicense: \"mit\"\r\n---\r\n", NULL, "mit" },
    { "---\nlicense: other\nlicense_name: cogvideox-license\n---\n", "x", "cogvideox-license" },
    { "---\nlicense: other\n---\n", NULL, "other" },
    { "# Title\nlicense: fake\n", "\n  Apache License  \nVersion 2.0\n", "Apache License" },
    { "---\na: b\n---\nlicense: fake\n", NULL, NULL },
    { "---\nlicense:\n", NULL, NULL },
    { "\xff\xfe", "\xff\xfe\n", "\xef\xbf\xbd\xef\xbf\xbd" },
    { "---", "", NULL },
  };
  g_autofree char *root = tiny_folder ();
  g_autofree char *vae = g_build_filename (root, "vae", NULL);
  g_assert_cmpint (g_mkdir (vae, 0755), ==, 0);
  tiny_write (root, "model_index.json", "{\"_class_name\":\"X\",\"vae\":[\"diffusers\",\"B\"]}");
  g_autoptr (EaselModelFolder) folder = open_folder (root);
  for (guint i = 0; i < G_N_ELEMENTS (CASES); i++)
    {
      tiny_write (root, "README.md", CASES[i].readme);
      tiny_write (root, "LICENSE.txt", CASES[i].file ? CASES[i].file : "");
      g_autofree char *licence = easel_model_folder_licence (folder);
      g_assert_cmpstr (licence, ==, CASES[i].licence);
    }
  tiny_remove (root);
}

static const EaselModelInfo *
info_of (GPtrArray *list, const char *name)
{
  for (guint i = 0; i < list->len; i++)
    if (!strcmp (((EaselModelInfo *) list->pdata[i])->name, name))
      return list->pdata[i];
  return NULL;
}

static void
test_list (void)
{
  g_autofree char *root = tiny_folder ();
  g_autofree char *other = tiny_folder ();
  g_autofree char *fine = tiny_sana (root, "fine");
  g_autofree char *same = tiny_sana (other, "fine");
  g_autofree char *broken = tiny_sana (root, "broken");
  g_autofree char *vae = g_build_filename (broken, "vae", NULL);
  g_autofree char *unknown = tiny_sana (root, "unknown");
  g_autofree char *cached = tiny_sana (root, "models--Owner--Name/snapshots/abc");
  g_autofree char *no_model = g_build_filename (root, "no-model", NULL);
  g_assert_cmpint (g_remove (vae), ==, 0);
  g_assert_cmpint (g_mkdir (no_model, 0755), ==, 0);
  tiny_write (unknown, "model_index.json", "{\"_class_name\":\"FluxPipeline\",\"vae\":[\"diffusers\",\"B\"]}");
  tiny_write (root, "file", "");
  const char *roots[] = { root, other, "/nonexistent", NULL };
  g_autoptr (GPtrArray) list = easel_model_folder_list (roots);
  g_assert_cmpuint (list->len, ==, 4);
  for (guint i = 1; i < list->len; i++)
    g_assert_cmpstr (((EaselModelInfo *) list->pdata[i - 1])->name, <, ((EaselModelInfo *) list->pdata[i])->name);
  const EaselModelInfo *info = info_of (list, "fine");
  g_assert_cmpstr (info->path, ==, fine);
  g_assert_null (info->problem);
  g_assert_cmpstr (info->pipeline_class, ==, "SanaPipeline");
  g_assert_cmpstr (info->dtype, ==, "bf16");
  g_assert_cmpstr (info->licence, ==, "cc0-1.0");
  g_assert_cmpint (info->default_size, >, 0);
  g_assert_cmpuint (info->bytes, >, 100000);
  g_assert_nonnull (strstr (info_of (list, "broken")->problem, "vae"));
  g_assert_nonnull (strstr (info_of (list, "unknown")->problem, "FluxPipeline"));
  g_assert_null (info_of (list, "Owner/Name")->problem);
  g_autoptr (GPtrArray) none = easel_model_folder_list (NULL);
  g_assert_cmpuint (none->len, ==, 0);
  tiny_remove (root);
  tiny_remove (other);
}

/* One look at many folders, for the eye: easel-cli models should take at most 30 ms. */
static void
test_list_time (void)
{
  g_autofree char *root = tiny_folder ();
  for (int i = 0; i < 30; i++)
    {
      g_autofree char *name = g_strdup_printf ("model-%03d", i);
      g_autofree char *path = tiny_sana (root, name);
    }
  const char *roots[] = { root, NULL };
  gint64 start = g_get_monotonic_time ();
  g_autoptr (GPtrArray) list = easel_model_folder_list (roots);
  g_test_message ("30 folders in %.1f ms", (double) (g_get_monotonic_time () - start) / 1000);
  g_assert_cmpuint (list->len, ==, 30);
  tiny_remove (root);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model-folder/open", test_open);
  g_test_add_func ("/model-folder/refused", test_refused);
  g_test_add_func ("/model-folder/licence", test_licence);
  g_test_add_func ("/model-folder/list", test_list);
  g_test_add_func ("/model-folder/list-time", test_list_time);
  return g_test_run ();
}
