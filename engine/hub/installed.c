/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is in the cache: snapshots, what removing one frees, files that nothing uses.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/core/json.h"
#include "engine/hub/hub-private.h"

void
easel_hub_snapshot_free (EaselHubSnapshot *snapshot)
{
  if (!snapshot)
    return;
  g_free (snapshot->repo);
  g_free (snapshot->commit);
  g_strfreev (snapshot->refs);
  g_free (snapshot->path);
  g_free (snapshot->pipeline_class);
  g_free (snapshot);
}

void
easel_hub_orphan_free (EaselHubOrphan *orphan)
{
  if (!orphan)
    return;
  g_free (orphan->path);
  g_free (orphan->why);
  g_free (orphan);
}

typedef void (*FileFunc) (const char *path, const struct stat *st, gpointer data);

/* Calls `func` for every entry below `dir` that is no folder, links not followed. `depth` bounds the recursion. */
static void
walk (const char *dir, int depth, FileFunc func, gpointer data)
{
  GDir *entries = g_dir_open (dir, 0, NULL);
  const char *name;

  while (entries && (name = g_dir_read_name (entries)))
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);
      struct stat st;

      if (lstat (path, &st) != 0)
        continue;
      if (!S_ISDIR (st.st_mode))
        func (path, &st, data);
      else if (depth > 0)
        walk (path, depth - 1, func, data);
    }
  g_clear_pointer (&entries, g_dir_close);
}

/* The file behind a snapshot entry: the blob of a link (one hop, as huggingface_hub counts), or the file itself. */
static char *
content_of (const char *path, const struct stat *st)
{
  g_autofree char *dir = NULL;
  char target[4096];
  gssize n;

  if (!S_ISLNK (st->st_mode))
    return g_strdup (path);
  n = readlink (path, target, sizeof target - 1);
  if (n <= 0)
    return NULL;
  target[n] = '\0';
  dir = g_path_get_dirname (path);
  return g_canonicalize_filename (target, dir);
}

static void
collect_cb (const char *path, const struct stat *st, gpointer data)
{
  char *content = content_of (path, st);

  if (content)
    g_hash_table_add (data, content);
}

static void
count_cb (const char *path G_GNUC_UNUSED, const struct stat *st G_GNUC_UNUSED, gpointer data)
{
  ++*(guint *) data;
}

/* The set of files that a snapshot consists of. */
static GHashTable *
contents_of_snapshot (const char *snapshot)
{
  GHashTable *set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  walk (snapshot, 32, collect_cb, set);
  return set;
}

static char **
list_dir (const char *path)
{
  GPtrArray *names = g_ptr_array_new ();
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    g_ptr_array_add (names, g_strdup (name));
  g_clear_pointer (&dir, g_dir_close);
  g_ptr_array_sort (names, (GCompareFunc) (void (*) (void)) g_ascii_strcasecmp);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (names, FALSE);
}

/* Bytes that go when these files go: hard links that stay elsewhere keep theirs. */
static gint64
bytes_freed (GHashTable *files)
{
  GHashTableIter iter;
  gpointer path;
  gint64 bytes = 0;
  struct stat st;

  g_hash_table_iter_init (&iter, files);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    if (lstat (path, &st) == 0 && S_ISREG (st.st_mode) && st.st_nlink <= 1)
      bytes += st.st_size;
  return bytes;
}

typedef struct
{
  const char *commit;
  const char *root;
  GPtrArray *names;
} Refs;

static void
ref_cb (const char *path, const struct stat *st, gpointer data)
{
  Refs *refs = data;
  g_autofree char *text = NULL;

  if (S_ISREG (st->st_mode) && st->st_size <= 64 && g_file_get_contents (path, &text, NULL, NULL) &&
      strcmp (g_strstrip (text), refs->commit) == 0)
    g_ptr_array_add (refs->names, g_strdup (path + strlen (refs->root) + 1));
}

static char **
refs_of (const char *repo_dir, const char *commit)
{
  g_autofree char *root = g_build_filename (repo_dir, "refs", NULL);
  Refs refs = { commit, root, g_ptr_array_new () };

  walk (root, 8, ref_cb, &refs);
  g_ptr_array_add (refs.names, NULL);
  return (char **) g_ptr_array_free (refs.names, FALSE);
}

static char *
class_of_folder (const char *path)
{
  g_autofree char *index = g_build_filename (path, "model_index.json", NULL);
  JsonObject *object = easel_json_load (index, NULL);
  JsonNode *node = object ? json_object_get_member (object, "_class_name") : NULL;
  char *name = node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING
                 ? easel_hub_printable (json_node_get_string (node)) : NULL;

  g_clear_pointer (&object, json_object_unref);
  return name;
}

/* Files that snapshots of the repository other than `commit` consist of. */
static GHashTable *
contents_of_others (const char *repo_dir, const char *commit)
{
  GHashTable *set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *snapshots = g_build_filename (repo_dir, "snapshots", NULL);
  g_auto (GStrv) commits = list_dir (snapshots);

  for (char **c = commits; *c; c++)
    if (g_strcmp0 (*c, commit) != 0)
      {
        g_autofree char *path = g_build_filename (snapshots, *c, NULL);
        walk (path, 32, collect_cb, set);
      }
  return set;
}

static EaselHubSnapshot *
look_at_snapshot (const char *repo, const char *repo_dir, const char *commit)
{
  EaselHubSnapshot *snapshot = g_new0 (EaselHubSnapshot, 1);
  g_autofree char *want = g_build_filename (repo_dir, "easel-wanted.json", NULL);
  g_autoptr (GHashTable) mine = NULL, others = contents_of_others (repo_dir, commit);
  GHashTableIter iter;
  gpointer path;
  struct stat st;

  snapshot->repo = g_strdup (repo);
  snapshot->commit = g_strdup (commit);
  snapshot->path = g_build_filename (repo_dir, "snapshots", commit, NULL);
  snapshot->refs = refs_of (repo_dir, commit);
  snapshot->pipeline_class = class_of_folder (snapshot->path);
  snapshot->unfinished = g_file_test (want, G_FILE_TEST_EXISTS);
  walk (snapshot->path, 32, count_cb, &snapshot->files);
  mine = contents_of_snapshot (snapshot->path);
  g_hash_table_iter_init (&iter, mine);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      if (stat (path, &st) == 0)
        snapshot->bytes += st.st_size;
      if (g_hash_table_contains (others, path))
        g_hash_table_iter_remove (&iter);
    }
  snapshot->bytes_alone = bytes_freed (mine);
  return snapshot;
}

GPtrArray *
easel_hub_installed (const char *cache_dir)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_snapshot_free);
  g_auto (GStrv) folders = list_dir (cache_dir);

  for (char **folder = folders; *folder; folder++)
    {
      g_autofree char *repo = easel_hub_repo_from_folder (*folder);
      g_autofree char *repo_dir = g_build_filename (cache_dir, *folder, NULL);
      g_autofree char *snapshots = g_build_filename (repo_dir, "snapshots", NULL);
      g_auto (GStrv) commits = NULL;

      if (!repo)
        continue;
      commits = list_dir (snapshots);
      for (char **commit = commits; *commit; commit++)
        if (easel_hub_is_commit (*commit))
          g_ptr_array_add (found, look_at_snapshot (repo, repo_dir, *commit));
    }
  return found;
}

char *
easel_hub_snapshot_path (const char *cache_dir, const char *repo, const char *revision, GError **error)
{
  g_autofree char *shown = easel_hub_printable (repo);
  g_autofree char *commit = NULL, *dir = NULL, *path = NULL;

  revision = revision ? revision : "main";
  if (easel_hub_valid_repo (repo) && (commit = easel_hub_cache_read_ref (cache_dir, repo, revision)))
    {
      dir = easel_hub_cache_repo_dir (cache_dir, repo);
      path = g_build_filename (dir, "snapshots", commit, NULL);
      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        return g_steal_pointer (&path);
    }
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "%s (%s) is not in %s.", shown, revision, cache_dir);
  return NULL;
}

/* ---- removing ---------------------------------------------------------------------------------------------------- */

static gboolean
delete_tree (const char *path, int depth)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;
  gboolean fine = dir != NULL;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *entry = g_build_filename (path, name, NULL);
      struct stat st;

      if (lstat (entry, &st) == 0 && S_ISDIR (st.st_mode))
        fine = depth > 0 && delete_tree (entry, depth - 1) && fine;
      else
        fine = unlink (entry) == 0 && fine;
    }
  g_clear_pointer (&dir, g_dir_close);
  return rmdir (path) == 0 && fine;
}

typedef struct
{
  const char *cache_dir, *repo;
  gboolean held;
} Locks;

static void
lock_cb (const char *path, const struct stat *st G_GNUC_UNUSED, gpointer data)
{
  Locks *locks = data;
  g_autofree char *name = g_path_get_basename (path);
  int fd;

  if (!g_str_has_suffix (name, ".lock"))
    return;
  name[strlen (name) - strlen (".lock")] = '\0';
  fd = easel_hub_cache_lock (locks->cache_dir, locks->repo, name);
  locks->held = locks->held || fd == -1;
  easel_hub_cache_unlock (fd);
}

static gboolean
somebody_downloads (const char *cache_dir, const char *repo)
{
  g_autofree char *folder = easel_hub_folder_name (repo);
  g_autofree char *dir = g_build_filename (cache_dir, ".locks", folder, NULL);
  Locks locks = { cache_dir, repo, FALSE };

  walk (dir, 0, lock_cb, &locks);
  return locks.held;
}

static void
whole_cb (const char *path, const struct stat *st, gpointer data)
{
  if (S_ISREG (st->st_mode))
    g_hash_table_add (data, g_strdup (path));
}

/* Blobs first would leave links to nothing for a reader; the names go first, then what they named. */
static gboolean
remove_revision (const char *repo_dir, const char *commit, GHashTable *files)
{
  g_autofree char *snapshot = g_build_filename (repo_dir, "snapshots", commit, NULL);
  g_auto (GStrv) refs = refs_of (repo_dir, commit);
  static const char *const endings[] = { ".json", ".easel.json" };
  GHashTableIter iter;
  gpointer path;
  gboolean fine = TRUE;

  for (char **ref = refs; *ref; ref++)
    {
      g_autofree char *ref_path = g_build_filename (repo_dir, "refs", *ref, NULL);
      unlink (ref_path);
    }
  fine = delete_tree (snapshot, 32);
  g_hash_table_iter_init (&iter, files);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    if (unlink (path) != 0 && errno != ENOENT)
      fine = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_autofree char *name = g_strconcat (commit, endings[i], NULL);
      g_autofree char *tree = g_build_filename (repo_dir, "trees", name, NULL);
      unlink (tree);
    }
  return fine;
}

gint64
easel_hub_remove (const char *cache_dir, const char *repo, const char *revision, gboolean dry, GError **error)
{
  g_autofree char *repo_dir = NULL, *commit = NULL, *snapshots = NULL;
  g_autoptr (GHashTable) files = NULL, others = NULL;
  g_auto (GStrv) commits = NULL;
  gboolean whole = revision == NULL, fine;
  GHashTableIter iter;
  gpointer path;
  gint64 freed;

  if (whole ? !easel_hub_valid_repo (repo) : FALSE)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "That is not the name of a repository.");
      return -1;
    }
  if (!whole)
    {
      g_autofree char *snapshot = easel_hub_snapshot_path (cache_dir, repo, revision, error);
      if (!snapshot)
        return -1;
      commit = g_path_get_basename (snapshot);
    }
  repo_dir = easel_hub_cache_repo_dir (cache_dir, repo);
  snapshots = g_build_filename (repo_dir, "snapshots", NULL);
  commits = list_dir (snapshots);
  whole = whole || (g_strv_length (commits) == 1 && strcmp (commits[0], commit) == 0);
  if (!g_file_test (repo_dir, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "%s is not in %s.", repo, cache_dir);
      return -1;
    }
  if (!dry && somebody_downloads (cache_dir, repo))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                   "%s is being downloaded at this moment. Stop that first, then remove it.", repo);
      return -1;
    }
  if (whole)
    {
      files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      walk (repo_dir, 32, whole_cb, files);
    }
  else
    {
      g_autofree char *snapshot = g_build_filename (snapshots, commit, NULL);

      files = contents_of_snapshot (snapshot);
      others = contents_of_others (repo_dir, commit);
      g_hash_table_iter_init (&iter, files);
      while (g_hash_table_iter_next (&iter, &path, NULL))
        if (g_hash_table_contains (others, path) || !g_str_has_prefix (path, repo_dir))
          g_hash_table_iter_remove (&iter); /* used elsewhere, or a link that leaves the repository: not ours */
    }
  freed = bytes_freed (files);
  if (dry)
    return freed;
  fine = whole ? delete_tree (repo_dir, 32) : remove_revision (repo_dir, commit, files);
  if (fine)
    return freed;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "Not everything of %s could be removed: %s.", repo,
               g_strerror (errno));
  return -1;
}

/* ---- orphans ----------------------------------------------------------------------------------------------------- */

static void
add_orphan (GPtrArray *found, const char *path, gint64 bytes, const char *why)
{
  EaselHubOrphan *orphan = g_new0 (EaselHubOrphan, 1);

  orphan->path = g_strdup (path);
  orphan->bytes = bytes;
  orphan->why = g_strdup (why);
  g_ptr_array_add (found, orphan);
}

static void
orphans_of_repo (const char *cache_dir, const char *repo, gboolean remove, GPtrArray *found)
{
  g_autofree char *repo_dir = easel_hub_cache_repo_dir (cache_dir, repo);
  g_autofree char *blobs = g_build_filename (repo_dir, "blobs", NULL);
  g_autoptr (GHashTable) used = contents_of_others (repo_dir, NULL);
  g_auto (GStrv) names = list_dir (blobs);

  for (char **name = names; *name; name++)
    {
      g_autofree char *path = g_build_filename (blobs, *name, NULL);
      g_autofree char *etag = g_strndup (*name, strcspn (*name, "."));
      struct stat st;
      int lock;

      if (g_hash_table_contains (used, path) || lstat (path, &st) != 0 || S_ISDIR (st.st_mode) || !*etag)
        continue;
      lock = easel_hub_cache_lock (cache_dir, repo, etag);
      if (lock >= 0 && (!remove || unlink (path) == 0))
        /* Blocks that were never written take no room. */
        add_orphan (found, path, MIN (st.st_size, (gint64) st.st_blocks * 512),
                    strchr (*name, '.') ? "unfinished download" : "no snapshot uses it");
      easel_hub_cache_unlock (lock);
    }
}

GPtrArray *
easel_hub_orphans (const char *cache_dir, const char *const *keep, gboolean remove)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_orphan_free);
  g_auto (GStrv) folders = list_dir (cache_dir);

  for (char **folder = folders; *folder; folder++)
    {
      g_autofree char *repo = easel_hub_repo_from_folder (*folder);

      if (repo && !(keep && g_strv_contains (keep, repo)))
        orphans_of_repo (cache_dir, repo, remove, found);
    }
  return found;
}
