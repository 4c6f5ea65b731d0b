/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where models are. Only app/ knows about the environment; the engine gets a list of folders.
 */
#include "app/cli.h"

#include <unistd.h>

static void
add_folder (GPtrArray *roots, char *path)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_ptr_array_find_with_equal_func (roots, path, g_str_equal, NULL))
    g_ptr_array_add (roots, path);
  else
    g_free (path);
}

/* Next to the program: PREFIX/bin/easel-cli and PREFIX/share/easel/starter (wherever the prefix was moved to), or
 * SOURCE/build/app/easel-cli and SOURCE/data/starter. */
static void
add_beside_program (GPtrArray *roots)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program ? g_path_get_dirname (program) : NULL;
  g_autofree char *build = folder ? g_path_get_dirname (folder) : NULL;
  g_autofree char *ninja = build ? g_build_filename (build, "build.ninja", NULL) : NULL;

  if (folder == NULL)
    return;
  if (g_file_test (ninja, G_FILE_TEST_EXISTS))
    {
      g_autofree char *source = g_path_get_dirname (build);

      add_folder (roots, g_build_filename (source, "data", "starter", NULL));
    }
  else
    add_folder (roots, g_build_filename (build, "share", "easel", "starter", NULL));
}

char **
cli_model_roots (const CliArgs *args)
{
  const char *environment = g_getenv ("EASEL_MODELS");
  GPtrArray *roots = g_ptr_array_new ();

  /* Those the person names are kept even when they are not there: the error then says so. */
  for (guint i = 0; i < args->models->len; i++)
    g_ptr_array_add (roots, g_strdup (g_ptr_array_index (args->models, i)));
  if (environment)
    {
      g_auto (GStrv) folders = g_strsplit (environment, ":", -1);

      for (guint i = 0; folders[i]; i++)
        if (folders[i][0])
          add_folder (roots, g_strdup (folders[i]));
    }
  add_folder (roots, g_build_filename (g_get_user_data_dir (), "easel", "models", NULL));
  add_beside_program (roots);
  add_folder (roots, g_build_filename (EASEL_DATADIR, "easel", "starter", NULL));
  g_ptr_array_add (roots, NULL);
  return (char **) g_ptr_array_free (roots, FALSE);
}

EaselEngine *
cli_engine_new (const CliArgs *args, GError **error)
{
  g_auto (GStrv) roots = cli_model_roots (args);

  return easel_engine_new (&(EaselEngineSettings){ .model_roots = (const char *const *) roots,
                                                   .device = args->device,
                                                   .threads = args->threads },
                           error);
}
