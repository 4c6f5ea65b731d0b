/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is wanted, on disk. Beside a repository that is not complete lies the wish for it, which tells every program so;
 * a program with a queue keeps that in a file of its own.
 */
#include <string.h>
#include <unistd.h>

#include "engine/core/json.h"
#include "engine/hub/hub-private.h"

void
easel_wish_free (EaselWish *wish)
{
  if (!wish)
    return;
  g_free (wish->cache_dir);
  g_free (wish->repo);
  g_free (wish->revision);
  g_free (wish->precision);
  g_free (wish);
}

/* Names come from files that others can write: only those that a download would accept. */
static gboolean
is_sane (const EaselWish *wish)
{
  return wish->cache_dir && g_path_is_absolute (wish->cache_dir) && easel_hub_valid_repo (wish->repo) &&
         easel_hub_valid_revision (wish->revision) && wish->precision && strlen (wish->precision) <= 64;
}

/* ---- beside the repository --------------------------------------------------------------------------------------- */

static char *
want_path (const char *cache_dir, const char *repo)
{
  g_autofree char *dir = easel_hub_cache_repo_dir (cache_dir, repo);
  return g_build_filename (dir, "easel-wanted.json", NULL);
}

gboolean
easel_want_save (EaselHubSession *session, const char *repo, const char *revision, const char *precision,
                 GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *dir = NULL;
  g_autoptr (JsonBuilder) b = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = NULL;

  if (!easel_hub_valid_repo (repo))
    return FALSE;
  path = want_path (session->settings->cache_dir, repo);
  dir = g_path_get_dirname (path);
  if (!g_file_test (dir, G_FILE_TEST_IS_DIR))
    return FALSE; /* nothing on disk yet; saved once there is */
  json_builder_begin_object (b);
  json_builder_add_string_value (json_builder_set_member_name (b, "revision"), revision);
  json_builder_add_string_value (json_builder_set_member_name (b, "precision"), precision);
  json_builder_end_object (b);
  root = json_builder_get_root (b);
  text = json_to_string (root, FALSE);
  return easel_hub_write_file (session, path, text, strlen (text), error);
}

void
easel_want_delete (const char *cache_dir, const char *repo)
{
  if (easel_hub_valid_repo (repo))
    {
      g_autofree char *path = want_path (cache_dir, repo);
      unlink (path);
    }
}

EaselWish *
easel_want_load (const char *cache_dir, const char *repo)
{
  g_autofree char *path = want_path (cache_dir, repo);
  JsonObject *object = easel_json_load (path, NULL);
  g_autoptr (EaselWish) wish = g_new0 (EaselWish, 1);
  EaselFields fields;

  if (!object)
    return NULL;
  fields = easel_fields (object, path);
  wish->cache_dir = g_canonicalize_filename (cache_dir, NULL);
  wish->repo = g_strdup (repo);
  wish->revision = g_strdup (easel_fields_string (&fields, "revision", "main"));
  wish->precision = g_strdup (easel_fields_string (&fields, "precision", "auto"));
  wish->paused = TRUE;
  if (!easel_fields_done (&fields, NULL) || !is_sane (wish))
    g_clear_pointer (&wish, easel_wish_free);
  json_object_unref (object);
  return g_steal_pointer (&wish);
}

static int
compare_wishes (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(EaselWish *const *) a)->repo, (*(EaselWish *const *) b)->repo);
}

GPtrArray *
easel_wants_in (const char *cache_dir)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_wish_free);
  GDir *dir = g_dir_open (cache_dir, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *repo = easel_hub_repo_from_folder (name);
      EaselWish *wish = repo ? easel_want_load (cache_dir, repo) : NULL;

      if (wish)
        g_ptr_array_add (found, wish);
    }
  g_clear_pointer (&dir, g_dir_close);
  g_ptr_array_sort (found, compare_wishes);
  return found;
}

/* ---- the queue --------------------------------------------------------------------------------------------------- */

char *
easel_queue_text (GPtrArray *downloads)
{
  g_autoptr (JsonBuilder) b = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (b);
  json_builder_add_int_value (json_builder_set_member_name (b, "version"), 1);
  json_builder_begin_array (json_builder_set_member_name (b, "downloads"));
  for (guint i = 0; i < downloads->len; i++)
    {
      EaselDownload *d = downloads->pdata[i];
      EaselDownloadState state = easel_download_get_state (d);
      gboolean paused = easel_download_get_want (d) == EASEL_WANT_PAUSE || state == EASEL_DOWNLOAD_FAILED;

      if (state == EASEL_DOWNLOAD_DONE || easel_download_get_want (d) >= EASEL_WANT_CANCEL)
        continue;
      json_builder_begin_object (b);
      json_builder_add_string_value (json_builder_set_member_name (b, "cache"), easel_download_get_cache_dir (d));
      json_builder_add_string_value (json_builder_set_member_name (b, "repository"), easel_download_get_repo (d));
      json_builder_add_string_value (json_builder_set_member_name (b, "revision"), easel_download_get_revision (d));
      json_builder_add_string_value (json_builder_set_member_name (b, "precision"), easel_download_get_precision (d));
      json_builder_add_boolean_value (json_builder_set_member_name (b, "paused"), paused);
      json_builder_end_object (b);
    }
  json_builder_end_array (b);
  json_builder_end_object (b);
  root = json_builder_get_root (b);
  return json_to_string (root, TRUE);
}

static EaselWish *
read_wish (JsonObject *object, const char *where)
{
  EaselFields f = easel_fields (object, where);
  g_autoptr (EaselWish) wish = g_new0 (EaselWish, 1);

  wish->cache_dir = g_strdup (easel_fields_string (&f, "cache", NULL));
  wish->repo = g_strdup (easel_fields_string (&f, "repository", NULL));
  wish->revision = g_strdup (easel_fields_string (&f, "revision", "main"));
  wish->precision = g_strdup (easel_fields_string (&f, "precision", "auto"));
  wish->paused = easel_fields_bool (&f, "paused", FALSE);
  return easel_fields_done (&f, NULL) && is_sane (wish) ? g_steal_pointer (&wish) : NULL;
}

GPtrArray *
easel_queue_load (const char *path)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_wish_free);
  JsonObject *object = g_file_test (path, G_FILE_TEST_EXISTS) ? easel_json_load (path, NULL) : NULL;
  JsonNode *node = object ? json_object_get_member (object, "downloads") : NULL;
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; array && i < MIN (json_array_get_length (array), 1000); i++)
    {
      JsonNode *entry = json_array_get_element (array, i);
      EaselWish *wish = JSON_NODE_HOLDS_OBJECT (entry) ? read_wish (json_node_get_object (entry), path) : NULL;

      if (wish)
        g_ptr_array_add (found, wish);
    }
  g_clear_pointer (&object, json_object_unref);
  return found;
}
