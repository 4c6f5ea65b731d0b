/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/places.h"

#include "app/hub-environment.h"

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
easel_places_model_roots (const char *const *first)
{
  const char *environment = g_getenv ("EASEL_MODELS");
  GPtrArray *roots = g_ptr_array_new ();

  for (; first && *first; first++)
    g_ptr_array_add (roots, g_strdup (*first));
  if (environment)
    {
      g_auto (GStrv) folders = g_strsplit (environment, ":", -1);

      for (guint i = 0; folders[i]; i++)
        if (folders[i][0])
          add_folder (roots, g_strdup (folders[i]));
    }
  add_folder (roots, g_build_filename (g_get_user_data_dir (), "easel", "models", NULL));
  add_folder (roots, hub_environment_cache_dir ());
  add_beside_program (roots);
  add_folder (roots, g_build_filename (EASEL_DATADIR, "easel", "starter", NULL));
  g_ptr_array_add (roots, NULL);
  return (char **) g_ptr_array_free (roots, FALSE);
}

/* data/catalogue.yaml of the source tree, or share/easel/catalogue.yaml beside the program or where it was to be. */
char *
easel_places_catalogue (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program ? g_path_get_dirname (program) : g_strdup (".");
  g_autofree char *ninja = g_build_filename (folder, "..", "build.ninja", NULL);
  char *places[] = { g_file_test (ninja, G_FILE_TEST_EXISTS)
                       ? g_build_filename (folder, "..", "..", "data", "catalogue.yaml", NULL) : NULL,
                     g_build_filename (folder, "..", "share", "easel", "catalogue.yaml", NULL),
                     g_build_filename (EASEL_DATADIR, "easel", "catalogue.yaml", NULL) };
  char *found = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    if (!found && places[i] && g_file_test (places[i], G_FILE_TEST_EXISTS))
      found = places[i];
    else
      g_free (places[i]);
  return found;
}

char *
easel_places_own_catalogue (void)
{
  return g_build_filename (g_get_user_data_dir (), "easel", "catalogue.yaml", NULL);
}

void
easel_places_prepare (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program ? g_path_get_dirname (program) : NULL;
  g_autofree char *schemas = folder ? g_build_filename (folder, "..", "data", NULL) : NULL;
  g_autofree char *compiled = schemas ? g_build_filename (schemas, "gschemas.compiled", NULL) : NULL;

  if (compiled && g_file_test (compiled, G_FILE_TEST_EXISTS))
    g_setenv ("GSETTINGS_SCHEMA_DIR", schemas, FALSE);
}

char *
easel_places_pictures (void)
{
  const char *base = g_get_user_special_dir (G_USER_DIRECTORY_PICTURES);

  return g_build_filename (base ? base : g_get_home_dir (), "Easel", NULL);
}

char *
easel_places_data (void)
{
  return g_build_filename (g_get_user_data_dir (), "easel", NULL);
}

char *
easel_places_converted (void)
{
  return g_build_filename (g_get_user_cache_dir (), "easel", "converted", NULL);
}

char *
easel_places_locale_dir (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program ? g_path_get_dirname (program) : NULL;
  g_autofree char *build = folder ? g_path_get_dirname (folder) : NULL;
  g_autofree char *ninja = build ? g_build_filename (build, "build.ninja", NULL) : NULL;
  g_autofree char *beside = build ? g_build_filename (build, "share", "locale", NULL) : NULL;

  if (ninja && g_file_test (ninja, G_FILE_TEST_EXISTS))
    return g_build_filename (build, "po", NULL);
  return g_strdup (beside && g_file_test (beside, G_FILE_TEST_IS_DIR) ? beside : EASEL_LOCALEDIR);
}
