/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The folder on disk, as huggingface_hub lays it out (file_download.py, _local_folder.py, filelock's UnixFileLock):
 *
 *   CACHEDIR.TAG
 *   .locks/models--owner--name/ETAG.lock      flock; stays after release
 *   models--owner--name/blobs/ETAG            content, named by sha256 or git blob id
 *   models--owner--name/refs/main             40 hex digits, no newline
 *   models--owner--name/snapshots/COMMIT/...  relative links into blobs, or plain files
 *   models--owner--name/trees/COMMIT.json     listing
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/hub/hub-private.h"

char *
easel_hub_cache_repo_dir (const char *cache_dir, const char *repo)
{
  g_autofree char *folder = easel_hub_folder_name (repo);
  return g_build_filename (cache_dir, folder, NULL);
}

char *
easel_hub_cache_blob (const char *cache_dir, const char *repo, const char *etag)
{
  g_autofree char *dir = easel_hub_cache_repo_dir (cache_dir, repo);
  return g_build_filename (dir, "blobs", etag, NULL);
}

char *
easel_hub_cache_pointer (const char *cache_dir, const char *repo, const char *commit, const char *path)
{
  g_autofree char *dir = easel_hub_cache_repo_dir (cache_dir, repo);
  return g_build_filename (dir, "snapshots", commit, path, NULL);
}

static gboolean
make_dir (EaselHubSession *session, const char *path, GError **error)
{
  if (g_mkdir_with_parents (path, 0777) == 0)
    return TRUE;
  return easel_hub_fail_errno (session, errno, "Cannot make the folder", path, error);
}

gboolean
easel_hub_write_file (EaselHubSession *session, const char *path, const char *text, gsize n, GError **error)
{
  g_autofree char *tmp = g_strdup_printf ("%s.%08x.tmp", path, g_random_int ());
  int fd = open (tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), code = 0;

  if (fd < 0)
    return easel_hub_fail_errno (session, errno, "Cannot write", path, error);
  for (gsize at = 0; at < n && !code;)
    {
      gssize w = write (fd, text + at, n - at);
      if (w >= 0)
        at += w;
      else if (errno != EINTR)
        code = errno;
    }
  if (!code && !session->settings->no_sync && fdatasync (fd) != 0)
    code = errno;
  if (close (fd) != 0 && !code)
    code = errno;
  if (!code && rename (tmp, path) != 0)
    code = errno;
  if (!code)
    return TRUE;
  unlink (tmp);
  return easel_hub_fail_errno (session, code, "Cannot write", path, error);
}

/* https://bford.info/cachedir/: tells backup programs to leave the folder out. */
static void
write_tag (EaselHubSession *session)
{
  static const char text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                             "# This file marks a folder with models that can be fetched again.\n";
  g_autofree char *path = g_build_filename (session->settings->cache_dir, "CACHEDIR.TAG", NULL);

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    easel_hub_write_file (session, path, text, sizeof text - 1, NULL);
}

char *
easel_hub_cache_read_ref (const char *cache_dir, const char *repo, const char *revision)
{
  g_autofree char *dir = easel_hub_cache_repo_dir (cache_dir, repo);
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;

  if (easel_hub_is_commit (revision))
    return g_strdup (revision);
  path = g_build_filename (dir, "refs", revision, NULL);
  if (!easel_hub_valid_revision (revision) || !g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  g_strstrip (text);
  return easel_hub_is_commit (text) ? g_steal_pointer (&text) : NULL;
}

gboolean
easel_hub_cache_prepare (EaselHubSession *session, const char *repo, const char *revision, const char *commit,
                         GError **error)
{
  const char *cache = session->settings->cache_dir;
  g_autofree char *dir = easel_hub_cache_repo_dir (cache, repo);
  g_autofree char *blobs = g_build_filename (dir, "blobs", NULL);
  g_autofree char *snapshot = g_build_filename (dir, "snapshots", commit, NULL);
  g_autofree char *ref = g_build_filename (dir, "refs", revision, NULL);
  g_autofree char *ref_dir = g_path_get_dirname (ref);
  g_autofree char *old = NULL;

  /* The snapshot before the ref: a ref to nothing makes huggingface_hub call the repository corrupted. */
  if (!make_dir (session, blobs, error) || !make_dir (session, snapshot, error))
    return FALSE;
  write_tag (session);
  if (easel_hub_is_commit (revision))
    return TRUE;
  old = easel_hub_cache_read_ref (cache, repo, revision);
  if (g_strcmp0 (old, commit) == 0)
    return TRUE;
  return make_dir (session, ref_dir, error) && easel_hub_write_file (session, ref, commit, strlen (commit), error);
}

int
easel_hub_cache_lock (const char *cache_dir, const char *repo, const char *etag)
{
  g_autofree char *folder = easel_hub_folder_name (repo);
  g_autofree char *dir = g_build_filename (cache_dir, ".locks", folder, NULL);
  g_autofree char *name = g_strconcat (etag, ".lock", NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  struct stat st;
  int fd;

  if (g_mkdir_with_parents (dir, 0777) != 0)
    return -2;
  for (int attempt = 0; attempt < 3; attempt++)
    {
      gboolean made = TRUE;

      fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0664);
      if (fd < 0 && errno == EEXIST)
        {
          made = FALSE;
          fd = open (path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        }
      if (fd < 0 && errno == ENOENT)
        continue;
      if (fd < 0)
        return -2;
      if (made && fchmod (fd, 0664) != 0)
        g_debug ("hub: the mode of %s cannot be set", path);
      if (flock (fd, LOCK_EX | LOCK_NB) != 0)
        {
          int code = errno;
          if (code == ENOSYS || code == EOPNOTSUPP || code == ENOLCK)
            return fd; /* a drive without locks: the hash still guards the content */
          close (fd);
          errno = code;
          return code == EWOULDBLOCK || code == EACCES ? -1 : -2;
        }
      if (fstat (fd, &st) == 0 && st.st_nlink > 0)
        return fd;
      close (fd); /* deleted between open and lock: it guards nothing */
    }
  return -1;
}

void
easel_hub_cache_unlock (int fd)
{
  if (fd >= 0)
    close (fd);
}

gboolean
easel_hub_cache_links_work (const EaselHubSettings *settings)
{
  g_autofree char *dir = g_build_filename (settings->cache_dir, ".locks", NULL);
  g_autofree char *name = g_strdup_printf ("probe-%08x", g_random_int ());
  g_autofree char *path = g_build_filename (dir, name, NULL);
  gboolean work;

  if (settings->no_links || g_mkdir_with_parents (dir, 0777) != 0)
    return !settings->no_links;
  work = symlink ("../CACHEDIR.TAG", path) == 0;
  if (work)
    unlink (path);
  return work;
}

/* A copy that shares blocks where the file system can, under a temporary name first. */
static gboolean
copy_file (const char *from, const char *to)
{
  g_autofree char *tmp = g_strdup_printf ("%s.%08x.easel.incomplete", to, g_random_int ());
  int in = open (from, O_RDONLY | O_CLOEXEC), out = -1;
  gboolean fine = FALSE;

  if (in < 0 || (out = open (tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) < 0)
    goto end;
  fine = ioctl (out, FICLONE, in) == 0;
  if (!fine)
    for (;;)
      {
        gssize n = copy_file_range (in, NULL, out, NULL, 64 << 20, 0);
        if (n == 0)
          fine = TRUE;
        if (n == 0 || (n < 0 && errno != EINTR))
          break;
      }
  fine = fine && fdatasync (out) == 0;
end:
  {
    int code = errno;
    if (in >= 0)
      close (in);
    if (out >= 0 && close (out) != 0)
      fine = FALSE;
    fine = fine && rename (tmp, to) == 0;
    if (!fine && out >= 0)
      unlink (tmp);
    errno = code;
  }
  return fine;
}

/* "../../blobs/ETAG", one ".." for each folder between the pointer and the repository. */
static char *
link_target (const char *path, const char *etag)
{
  GString *target = g_string_new ("../../");

  for (const char *p = path; *p; p++)
    if (*p == '/')
      g_string_append (target, "../");
  g_string_append_printf (target, "blobs/%s", etag);
  return g_string_free (target, FALSE);
}

gboolean
easel_hub_cache_link (EaselHubSession *session, const char *repo, const char *commit, const char *path,
                      const char *etag, gboolean links, gboolean fresh, GError **error)
{
  const char *cache = session->settings->cache_dir;
  g_autofree char *pointer = easel_hub_cache_pointer (cache, repo, commit, path);
  g_autofree char *dir = g_path_get_dirname (pointer);
  g_autofree char *blob = easel_hub_cache_blob (cache, repo, etag);
  g_autofree char *target = link_target (path, etag);
  g_autofree char *tmp = g_strdup_printf ("%s.%08x.tmp", pointer, g_random_int ());

  if (!make_dir (session, dir, error))
    return FALSE;
  if (!links)
    {
      if (fresh ? rename (blob, pointer) == 0 : copy_file (blob, pointer))
        return TRUE;
      return easel_hub_fail_errno (session, errno, "Cannot write", pointer, error);
    }
  /* Under a temporary name first, so that no reader finds the name missing. */
  if (symlink (target, tmp) == 0 && rename (tmp, pointer) == 0)
    return TRUE;
  {
    int code = errno;
    unlink (tmp);
    return easel_hub_fail_errno (session, code, "Cannot make the link", pointer, error);
  }
}

int
easel_hub_cache_has (const char *cache_dir, const char *repo, const char *commit, const EaselHubFile *file)
{
  g_autofree char *pointer = easel_hub_cache_pointer (cache_dir, repo, commit, file->path);
  g_autofree char *blob = easel_hub_cache_blob (cache_dir, repo, file->etag);
  char target[4096];
  gssize n = readlink (pointer, target, sizeof target - 1);
  struct stat st;

  if (stat (pointer, &st) == 0 && S_ISREG (st.st_mode) && st.st_size == file->size)
    {
      const char *base;

      if (n < 0)
        return 2;
      target[n] = '\0';
      base = strrchr (target, '/');
      if (strcmp (base ? base + 1 : target, file->etag) == 0)
        return 2;
    }
  return stat (blob, &st) == 0 && S_ISREG (st.st_mode) && st.st_size == file->size ? 1 : 0;
}

gint64
easel_hub_disk_free (const char *path)
{
  g_autofree char *at = g_strdup (path);
  struct statvfs vfs;

  while (statvfs (at, &vfs) != 0)
    {
      char *up;
      if (errno != ENOENT || strcmp (at, "/") == 0 || strcmp (at, ".") == 0)
        return -1;
      up = g_path_get_dirname (at);
      g_free (at);
      at = up;
    }
  return (gint64) vfs.f_bavail * (gint64) vfs.f_frsize;
}

/* ---- the same content elsewhere ---------------------------------------------------------------------------------- */

static gboolean
not_cancelled (gint64 bytes G_GNUC_UNUSED, gpointer data)
{
  return !g_cancellable_is_cancelled (data);
}

/* `from` has the right size; takes it over when its bytes are right. Always hashed: a damaged file must not spread. */
static gboolean
take_over (EaselHubSession *session, const char *from, const char *blob, const EaselHubFile *file)
{
  char *real = realpath (from, NULL);
  gboolean fine = FALSE;

  if (real && easel_digest_file (real, file->etag, not_cancelled, session->cancellable) == 1)
    fine = link (real, blob) == 0 || copy_file (real, blob);
  free (real);
  return fine;
}

static gboolean
right_size (const char *path, gint64 size)
{
  struct stat st;
  return stat (path, &st) == 0 && S_ISREG (st.st_mode) && st.st_size == size;
}

static gboolean
search_folder (EaselHubSession *session, const char *folder, int depth, guint *budget, const char *blob,
               const EaselHubFile *file)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;
  gboolean found = FALSE;

  while (dir && !found && (name = g_dir_read_name (dir)) && *budget > 0)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      --*budget;
      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        found = depth > 0 && !g_file_test (path, G_FILE_TEST_IS_SYMLINK) &&
                search_folder (session, path, depth - 1, budget, blob, file);
      else
        found = right_size (path, file->size) && take_over (session, path, blob, file);
    }
  g_clear_pointer (&dir, g_dir_close);
  return found;
}

gboolean
easel_hub_cache_adopt (EaselHubSession *session, const char *repo, const EaselHubFile *file)
{
  const EaselHubSettings *settings = session->settings;
  g_autofree char *blob = easel_hub_cache_blob (settings->cache_dir, repo, file->etag);
  g_autofree char *own = easel_hub_folder_name (repo);
  GDir *dir;
  const char *name;
  gboolean found = FALSE;

  if (file->size < 4096)
    return FALSE; /* sooner fetched than looked for */
  dir = g_dir_open (settings->cache_dir, 0, NULL);
  while (dir && !found && (name = g_dir_read_name (dir)))
    if (g_str_has_prefix (name, "models--") && strcmp (name, own) != 0)
      {
        g_autofree char *other = g_build_filename (settings->cache_dir, name, "blobs", file->etag, NULL);
        found = right_size (other, file->size) && take_over (session, other, blob, file);
      }
  g_clear_pointer (&dir, g_dir_close);
  for (char **p = settings->import_dirs; p && *p && !found; p++)
    {
      guint budget = 20000;
      found = search_folder (session, *p, 8, &budget, blob, file);
    }
  return found;
}
