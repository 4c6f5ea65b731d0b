/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/files.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void
set_errno (GError **error, int saved_errno, const char *doing, const char *path)
{
  g_set_error (error, EASEL_ERROR, easel_error_from_errno (saved_errno), "%s %s: %s.", doing, path,
               g_strerror (saved_errno));
}

int
easel_file_open (const char *path, guint64 *size, GError **error)
{
  struct stat info;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    {
      set_errno (error, errno, "Cannot open", path);
      return -1;
    }
  if (fstat (fd, &info) < 0)
    set_errno (error, errno, "Cannot read", path);
  else if (!S_ISREG (info.st_mode))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is a folder or a device where a file is expected.", path);
  else
    {
      *size = (guint64) info.st_size;
      return fd;
    }
  close (fd);
  return -1;
}

char *
easel_read_small_file (const char *path, gsize max_bytes, gsize *length, GError **error)
{
  guint64 size;
  int fd = easel_file_open (path, &size, error);
  if (fd < 0)
    return NULL;
  char *data = NULL;
  gsize done = 0;
  if (size > max_bytes)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                   "%s has %" G_GUINT64_FORMAT " bytes; at most %" G_GSIZE_FORMAT " are expected here.", path, size,
                   max_bytes);
      goto fail;
    }
  data = g_try_malloc ((gsize) size + 1);
  if (!data)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory to read %s (%" G_GUINT64_FORMAT " bytes).",
                   path, size);
      goto fail;
    }
  while (done < size)
    {
      ssize_t got = read (fd, data + done, (gsize) size - done);
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        {
          set_errno (error, errno, "Cannot read", path);
          goto fail;
        }
      if (got == 0)
        break;
      done += (gsize) got;
    }
  close (fd);
  data[done] = '\0';
  *length = done;
  return data;

fail:
  close (fd);
  g_free (data);
  return NULL;
}

static gboolean
write_all (int fd, const void *data, gsize bytes)
{
  const char *at = data;
  while (bytes > 0)
    {
      /* One call writes at most 2 GiB on Linux whatever is asked. */
      ssize_t put = write (fd, at, MIN (bytes, (gsize) 1 << 30));
      if (put < 0 && errno == EINTR)
        continue;
      if (put < 0)
        return FALSE;
      at += put;
      bytes -= (gsize) put;
    }
  return TRUE;
}

gboolean
easel_write_file (const char *path, const struct iovec *pieces, guint n_pieces, GError **error)
{
  return easel_write_file_from (path, pieces, n_pieces, NULL, error);
}

gboolean
easel_write_file_from (const char *path, const struct iovec *pieces, guint n_pieces, const EaselElsewhere *elsewhere,
                       GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *temporary = g_build_filename (folder, ".easel-XXXXXX", NULL);
  int fd = g_mkstemp_full (temporary, O_RDWR | O_CLOEXEC, 0666);
  if (fd < 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "Cannot write into the folder %s: %s.", folder,
                   g_strerror (errno));
      return FALSE;
    }
  gboolean fine = TRUE;
  g_autoptr (GError) problem = NULL;
  for (guint i = 0; fine && i < n_pieces; i++)
    {
      const void *from = pieces[i].iov_base;
      if (elsewhere && i >= elsewhere->first)
        from = elsewhere->fetch (elsewhere->data, pieces[i].iov_base, pieces[i].iov_len, &problem);
      fine = from && write_all (fd, from, pieces[i].iov_len);
    }
  fine = fine && fsync (fd) == 0;
  int saved_errno = errno;
  if (close (fd) < 0 && fine)
    {
      saved_errno = errno;
      fine = FALSE;
    }
  if (fine && g_rename (temporary, path) < 0)
    {
      saved_errno = errno;
      fine = FALSE;
    }
  if (!fine)
    {
      g_unlink (temporary);
      if (problem)
        g_propagate_error (error, g_steal_pointer (&problem));
      else
        g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "Cannot write %s: %s.", path, g_strerror (saved_errno));
      return FALSE;
    }
  /* The name itself must survive a power cut too; a folder that cannot be synced is no reason to fail. */
  int dir = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0)
    {
      (void) !fsync (dir);
      close (dir);
    }
  return TRUE;
}
