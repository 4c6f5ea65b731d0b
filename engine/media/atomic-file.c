/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/media/atomic-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

/* One name in 2^60 is free at the first try; a few more for folders in which someone makes all of them. */
#define N_TRIES 16

struct EaselAtomicFile
{
  char *path;
  char *folder;
  char *temporary; /* the hidden name, or NULL while the file has none */
  int fd;
  gboolean overwrite;
  int failed; /* errno of the first failure, kept so that later writes cannot succeed by chance */
};

static gboolean
fail_write (const EaselAtomicFile *self, int code, GError **error)
{
  const char *advice = "";

  if (code == ENOSPC || code == EDQUOT)
    advice = " Free some space, or choose another folder.";
  else if (code == EACCES || code == EPERM || code == EROFS)
    advice = " Choose a folder you may write to.";
  else if (code == ENOENT)
    advice = " Make the folder first, or choose another one.";
  else if (code == ENAMETOOLONG)
    advice = " Choose a shorter name.";

  if (code == EEXIST)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "%s exists already and is kept. Choose another name.", self->path);
  else
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "Cannot write %s in the folder %s: %s.%s",
                 strrchr (self->path, '/') ? strrchr (self->path, '/') + 1 : self->path, self->folder,
                 g_strerror (code), advice);
  return FALSE;
}

static char *
hidden_name (const EaselAtomicFile *self)
{
  guint64 bits = ((guint64) g_random_int () << 32) | g_random_int ();

  return g_strdup_printf ("%s/.easel-%016" G_GINT64_MODIFIER "x.part", self->folder, bits);
}

static gboolean
open_hidden (EaselAtomicFile *self)
{
  for (int i = 0; i < N_TRIES; i++)
    {
      g_autofree char *name = hidden_name (self);

      self->fd = open (name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (self->fd >= 0)
        {
          self->temporary = g_steal_pointer (&name);
          return TRUE;
        }
      if (errno != EEXIST)
        return FALSE;
    }
  return FALSE;
}

EaselAtomicFile *
easel_atomic_file_open (const char *path, gboolean overwrite, GError **error)
{
  g_autoptr (EaselAtomicFile) self = g_new0 (EaselAtomicFile, 1);
  struct stat there;

  self->path = g_strdup (path);
  self->folder = g_path_get_dirname (path);
  self->overwrite = overwrite;
  self->fd = -1;

  if (path[0] == '\0' || g_str_has_suffix (path, "/"))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "'%s' names a folder, not a file.", path);
      return NULL;
    }
  if (lstat (path, &there) == 0)
    {
      if (S_ISDIR (there.st_mode))
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "%s is a folder. Add a file name to it.", path);
          return NULL;
        }
      if (!overwrite)
        {
          fail_write (self, EEXIST, error);
          return NULL;
        }
    }

  self->fd = open (self->folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
  /* No O_TMPFILE: EOPNOTSUPP (the file system), EISDIR or EINVAL (old kernels, some network mounts). */
  if (self->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) && !open_hidden (self))
    self->fd = -1;
  if (self->fd < 0)
    {
      fail_write (self, errno, error);
      return NULL;
    }
  return g_steal_pointer (&self);
}

gboolean
easel_atomic_file_write (EaselAtomicFile *self, const void *data, gsize size, GError **error)
{
  const char *next = data;

  if (self->failed)
    return fail_write (self, self->failed, error);
  while (size > 0)
    {
      ssize_t n = write (self->fd, next, MIN (size, (gsize) 1 << 30));

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          self->failed = n < 0 ? errno : EIO;
          return fail_write (self, self->failed, error);
        }
      next += n;
      size -= (gsize) n;
    }
  return TRUE;
}

/* Gives the file without a name the name `to`, which must not exist. errno on failure. Unprivileged linkat goes through
 * /proc; where that is not mounted the capability-bound form is tried. */
static int
name_it (EaselAtomicFile *self, const char *to)
{
  char from[64];

  snprintf (from, sizeof from, "/proc/self/fd/%d", self->fd);
  if (linkat (AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0)
    return 0;
  if (errno == ENOENT && linkat (self->fd, "", AT_FDCWD, to, AT_EMPTY_PATH) == 0)
    return 0;
  return errno;
}

static int
rename_new (const char *from, const char *to)
{
  if (renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return errno;
  /* The file system knows no NOREPLACE: link() refuses an existing name too. */
  if (link (from, to) != 0)
    return errno;
  unlink (from);
  return 0;
}

static void
sync_folder (const EaselAtomicFile *self)
{
  int fd = open (self->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return; /* the file is there and synced; some file systems let nobody open their folders */
  (void) !fsync (fd);
  close (fd);
}

gboolean
easel_atomic_file_commit (EaselAtomicFile *self, GError **error)
{
  int code = self->failed;

  if (code == 0 && fsync (self->fd) != 0)
    code = errno;
  if (code == 0 && self->temporary == NULL && !self->overwrite)
    code = name_it (self, self->path);
  else if (code == 0)
    {
      for (int i = 0; code == 0 && self->temporary == NULL; i++)
        {
          g_autofree char *name = hidden_name (self);
          int tried = name_it (self, name);

          if (tried == 0)
            self->temporary = g_steal_pointer (&name);
          else if (tried != EEXIST || i + 1 == N_TRIES)
            code = tried;
        }
      if (code == 0 && self->overwrite)
        code = rename (self->temporary, self->path) == 0 ? 0 : errno;
      else if (code == 0)
        code = rename_new (self->temporary, self->path);
    }
  if (code != 0)
    {
      self->failed = code;
      return fail_write (self, code, error);
    }
  g_clear_pointer (&self->temporary, g_free);
  sync_folder (self);
  return TRUE;
}

void
easel_atomic_file_free (EaselAtomicFile *self)
{
  if (self == NULL)
    return;
  if (self->temporary)
    unlink (self->temporary);
  if (self->fd >= 0)
    close (self->fd);
  g_free (self->temporary);
  g_free (self->folder);
  g_free (self->path);
  g_free (self);
}

gboolean
easel_atomic_file_replace (const char *path, const void *data, gsize size, gboolean overwrite, GError **error)
{
  g_autoptr (EaselAtomicFile) file = easel_atomic_file_open (path, overwrite, error);

  return file && easel_atomic_file_write (file, data, size, error) && easel_atomic_file_commit (file, error);
}
