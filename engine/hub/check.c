/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Is what is on disk what the Hub listed? Quick: links, sizes, headers. Deep: the hash of every byte, which needs no
 * network, since the blobs' names are their hashes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/core/json.h"
#include "engine/core/safetensors.h"
#include "engine/hub/hub-private.h"

void
easel_hub_finding_free (EaselHubFinding *finding)
{
  if (!finding)
    return;
  g_free (finding->path);
  g_free (finding->what);
  g_free (finding);
}

static void
find_fault (GPtrArray *findings, EaselHubFault fault, const EaselHubFile *file, char *what)
{
  EaselHubFinding *finding = g_new0 (EaselHubFinding, 1);

  finding->fault = fault;
  finding->path = g_strdup (file->path);
  finding->what = what;
  finding->bytes = file->size;
  g_ptr_array_add (findings, finding);
}

/* The files of a snapshot as they are on disk; etag and size from the link's target or, for plain files, unknown. */
static void
list_snapshot (const char *dir, const char *prefix, int depth, GPtrArray *files)
{
  GDir *entries = g_dir_open (dir, 0, NULL);
  const char *name;

  while (entries && (name = g_dir_read_name (entries)))
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);
      g_autofree char *inner = *prefix ? g_strconcat (prefix, "/", name, NULL) : g_strdup (name);
      struct stat st;

      if (lstat (path, &st) != 0)
        continue;
      if (S_ISDIR (st.st_mode))
        {
          if (depth > 0)
            list_snapshot (path, inner, depth - 1, files);
        }
      else
        {
          char target[4096];
          gssize n = readlink (path, target, sizeof target - 1);
          g_autofree char *base = NULL;

          if (n > 0)
            {
              target[n] = '\0';
              base = g_path_get_basename (target);
            }
          g_ptr_array_add (files, easel_hub_file_new (inner, stat (path, &st) == 0 ? st.st_size : 0, base, FALSE));
        }
    }
  g_clear_pointer (&entries, g_dir_close);
}

/* What the snapshot should hold: of the saved listing what is there or was chosen; without one what is there. */
static GPtrArray *
expected_files (const char *cache_dir, const char *repo, const char *commit, const char *snapshot)
{
  g_autoptr (GPtrArray) listed = easel_listing_load (cache_dir, repo, commit);
  GPtrArray *there = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_file_free);
  g_autofree char *index_path = g_build_filename (snapshot, "model_index.json", NULL);
  g_autofree char *class_name = NULL, *index = NULL;
  g_autofree char *precision = easel_listing_precision (cache_dir, repo, commit);
  gsize n;

  list_snapshot (snapshot, "", 32, there);
  if (!listed)
    return there;
  if (g_file_get_contents (index_path, &index, &n, NULL))
    {
      /* The choice may have been another precision: then what is there decides, and nothing is called missing. */
      EaselHubSession nobody = { 0 };
      gboolean chosen = easel_select_files (&nobody, listed, index, n, precision ? precision : "auto", &class_name,
                                            NULL);
      gboolean any_weights = FALSE;

      for (guint i = 0; chosen && i < listed->len; i++)
        {
          EaselHubFile *file = listed->pdata[i];
          g_autofree char *path = g_build_filename (snapshot, file->path, NULL);
          struct stat st;

          if (file->wanted && g_str_has_suffix (file->path, ".safetensors") && lstat (path, &st) == 0)
            any_weights = TRUE;
        }
      for (guint i = 0; !any_weights && i < listed->len; i++)
        ((EaselHubFile *) listed->pdata[i])->wanted = FALSE;
    }
  for (guint i = 0; i < there->len; i++)
    for (guint j = 0; j < listed->len; j++)
      {
        EaselHubFile *file = listed->pdata[j];
        if (strcmp (file->path, ((EaselHubFile *) there->pdata[i])->path) == 0)
          file->wanted = TRUE;
      }
  g_ptr_array_set_size (there, 0);
  for (guint j = 0; j < listed->len; j++)
    {
      EaselHubFile *file = listed->pdata[j];
      if (file->wanted)
        g_ptr_array_add (there, easel_hub_file_new (file->path, file->size, file->etag, file->lfs));
    }
  return there;
}

static gboolean
known_hash (const EaselHubFile *file)
{
  return easel_hub_is_hex (file->etag, 64) || easel_hub_is_hex (file->etag, 40);
}

/* A link that points to another blob than the listing names. */
static gboolean
points_elsewhere (const char *path, const EaselHubFile *file)
{
  char target[4096];
  gssize n = readlink (path, target, sizeof target - 1);
  g_autofree char *base = NULL;

  if (n <= 0)
    return FALSE;
  target[n] = '\0';
  base = g_path_get_basename (target);
  return file->etag && strcmp (base, file->etag) != 0;
}

/* Links, size, headers. TRUE when nothing is wrong so far. */
static gboolean
check_quick (const char *path, const EaselHubFile *file, GPtrArray *findings)
{
  g_autoptr (GError) error = NULL;
  struct stat st;

  if (lstat (path, &st) != 0)
    {
      find_fault (findings, EASEL_HUB_MISSING, file, g_strdup_printf ("%s is missing.", file->path));
      return FALSE;
    }
  if (stat (path, &st) != 0 || !S_ISREG (st.st_mode) || access (path, R_OK) != 0 || points_elsewhere (path, file))
    {
      find_fault (findings, EASEL_HUB_BROKEN, file,
                  g_strdup_printf ("%s points to a file that is not there or cannot be read.", file->path));
      return FALSE;
    }
  if (st.st_size != file->size)
    {
      find_fault (findings, EASEL_HUB_WRONG_SIZE, file,
                  g_strdup_printf ("%s has %" G_GINT64_FORMAT " bytes; %" G_GINT64_FORMAT " are right.", file->path,
                                   (gint64) st.st_size, file->size));
      return FALSE;
    }
  if (g_str_has_suffix (file->path, ".safetensors"))
    {
      EaselSafetensors *weights = easel_safetensors_open (path, &error);
      g_clear_pointer (&weights, easel_safetensors_unref);
    }
  else if (g_str_has_suffix (file->path, ".json") && st.st_size < EASEL_JSON_MAX_BYTES &&
           g_str_has_suffix (file->path, "config.json"))
    {
      JsonObject *object = easel_json_load (path, &error);
      g_clear_pointer (&object, json_object_unref);
    }
  if (error && error->code == EASEL_ERROR_DAMAGED)
    {
      find_fault (findings, EASEL_HUB_BAD_HEADER, file, g_strdup_printf ("%s: %s", file->path, error->message));
      return FALSE;
    }
  return TRUE;
}

typedef struct
{
  EaselHubProgressFunc progress;
  gpointer user_data;
  GCancellable *cancellable;
  const char *path;
  gint64 done, total;
} Deep;

static gboolean
deep_cb (gint64 bytes, gpointer data)
{
  Deep *deep = data;

  deep->done += bytes;
  if (deep->progress)
    deep->progress (deep->done, deep->total, deep->path, deep->user_data);
  return !g_cancellable_is_cancelled (deep->cancellable);
}

GPtrArray *
easel_hub_verify (const char *cache_dir, const char *repo, const char *revision, gboolean deep,
                  EaselHubProgressFunc progress, gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autofree char *snapshot = easel_hub_snapshot_path (cache_dir, repo, revision, error);
  g_autofree char *commit = snapshot ? g_path_get_basename (snapshot) : NULL;
  g_autoptr (GPtrArray) findings = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_finding_free);
  g_autoptr (GPtrArray) files = NULL;
  Deep state = { progress, user_data, cancellable, NULL, 0, 0 };

  if (!snapshot)
    return NULL;
  files = expected_files (cache_dir, repo, commit, snapshot);
  for (guint i = 0; i < files->len; i++)
    state.total += ((EaselHubFile *) files->pdata[i])->size;
  for (guint i = 0; i < files->len; i++)
    {
      EaselHubFile *file = files->pdata[i];
      g_autofree char *path = g_build_filename (snapshot, file->path, NULL);
      int right;

      if (g_cancellable_set_error_if_cancelled (cancellable, NULL))
        break;
      if (!check_quick (path, file, findings) || !deep || !known_hash (file))
        {
          state.done += file->size;
          continue;
        }
      state.path = file->path;
      right = easel_digest_file (path, file->etag, deep_cb, &state);
      if (right == 0)
        find_fault (findings, EASEL_HUB_WRONG_HASH, file,
                    g_strdup_printf ("%s has the right size and wrong bytes.", file->path));
      else if (right < 0 && errno != ECANCELED)
        find_fault (findings, EASEL_HUB_BROKEN, file,
                    g_strdup_printf ("%s cannot be read: %s.", file->path, g_strerror (errno)));
    }
  if (g_cancellable_is_cancelled (cancellable))
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_CANCELLED, "Stopped because you asked.");
      return NULL;
    }
  return g_steal_pointer (&findings);
}

char *
easel_hub_precision_of (const char *cache_dir, const char *repo, const char *revision)
{
  g_autofree char *commit = easel_hub_cache_read_ref (cache_dir, repo, revision ? revision : "main");

  return commit ? easel_listing_precision (cache_dir, repo, commit) : NULL;
}

gint64
easel_hub_repair (const char *cache_dir, const char *repo, const char *revision, GPtrArray *findings, GError **error)
{
  g_autofree char *snapshot = easel_hub_snapshot_path (cache_dir, repo, revision, error);
  g_autofree char *commit = snapshot ? g_path_get_basename (snapshot) : NULL;
  g_autoptr (GPtrArray) listed = NULL;
  gint64 bytes = 0;

  if (!snapshot)
    return -1;
  listed = easel_listing_load (cache_dir, repo, commit);
  for (guint i = 0; i < findings->len; i++)
    {
      EaselHubFinding *finding = findings->pdata[i];
      g_autofree char *path = g_build_filename (snapshot, finding->path, NULL);
      g_autofree char *etag = NULL, *blob = NULL;
      char target[4096];
      gssize n;
      int lock = -1;

      if (!easel_hub_valid_path (finding->path, NULL))
        continue;
      for (guint j = 0; listed && j < listed->len && !etag; j++)
        if (strcmp (((EaselHubFile *) listed->pdata[j])->path, finding->path) == 0)
          etag = g_strdup (((EaselHubFile *) listed->pdata[j])->etag);
      n = readlink (path, target, sizeof target - 1);
      if (!etag && n > 0)
        {
          target[n] = '\0';
          etag = g_path_get_basename (target);
        }
      if (easel_hub_is_hex (etag, 64) || easel_hub_is_hex (etag, 40))
        {
          blob = easel_hub_cache_blob (cache_dir, repo, etag);
          lock = easel_hub_cache_lock (cache_dir, repo, etag);
          if (lock == -1)
            {
              g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                           "%s is being downloaded at this moment. Wait for that, then repair it.", repo);
              return -1;
            }
        }
      /* The name first, then the content: no reader sees a wrong file under it in between. */
      if ((unlink (path) != 0 && errno != ENOENT) ||
          (blob && finding->fault != EASEL_HUB_MISSING && unlink (blob) != 0 && errno != ENOENT))
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "Cannot remove the damaged %s: %s.", finding->path,
                       g_strerror (errno));
          easel_hub_cache_unlock (lock);
          return -1;
        }
      easel_hub_cache_unlock (lock);
      bytes += finding->bytes;
    }
  return bytes;
}
