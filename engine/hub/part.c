/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An unfinished file. huggingface_hub's own ETAG.incomplete is filled from the front, and older versions go on at its
 * size; ours is filled by several connections and has holes, so it must not bear that name: ETAG.easel.incomplete,
 * which `scan_cache_dir` still counts as an incomplete file.
 *
 * The map, ETAG.easel.blocks: "easel-blocks 1 SIZE BLOCK\n" padded to 64 bytes, then one byte for each block, written
 * after the block's bytes. Both survive kill -9 in the page cache. After a power cut the map may promise blocks that
 * never reached the drive: those that are holes are seen, the others are caught by the hash.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/hub/hub-private.h"

#define HEAD 64

static void
head_text (char *head, gint64 size, gint64 block)
{
  memset (head, 0, HEAD);
  g_snprintf (head, HEAD, "easel-blocks 1 %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", size, block);
}

static void
names_of (const char *blob_path, char **path, char **map_path)
{
  *path = g_strconcat (blob_path, ".easel.incomplete", NULL);
  *map_path = g_strconcat (blob_path, ".easel.blocks", NULL);
}

static gint64
block_bytes (gint64 size, gint64 block, guint i)
{
  return MIN (block, size - (gint64) i * block);
}

/* Blocks that lie in a hole or behind the end of the file were never written, whatever the map says. */
static void
distrust_holes (EaselPart *self)
{
  gint64 at = 0;
  struct stat st;

  if (fstat (self->fd, &st) != 0)
    st.st_size = 0;
  while (at < self->size)
    {
      gint64 hole = at < st.st_size ? lseek (self->fd, at, SEEK_HOLE) : at;
      gint64 data;

      if (hole < 0)
        return; /* a drive that cannot tell */
      if (hole >= self->size)
        return;
      data = hole < st.st_size ? lseek (self->fd, hole, SEEK_DATA) : -1;
      if (data < 0 || data > self->size)
        data = self->size;
      for (gint64 i = hole / self->block; i < self->n_blocks && i * self->block < data; i++)
        self->done[i] = 0;
      at = MAX (data, at + 1);
    }
}

static void
count (EaselPart *self)
{
  self->bytes = 0;
  self->frontier = 0;
  for (guint i = 0; i < self->n_blocks; i++)
    {
      if (self->done[i])
        self->bytes += block_bytes (self->size, self->block, i);
      if (self->done[i] && self->frontier == i)
        self->frontier = i + 1;
    }
}

/* A part that huggingface_hub (old: ETAG.incomplete, new: ETAG.xxxxxxxx.incomplete) left behind. We hold the lock, so
 * no program that respects it is writing. Its bytes before the first hole are taken; the hash will judge them. */
static void
take_foreign (EaselPart *self, const char *blob_path)
{
  g_autofree char *dir_path = g_path_get_dirname (blob_path);
  g_autofree char *base = g_path_get_basename (blob_path);
  g_autofree char *best = NULL;
  gint64 best_bytes = self->block - 1;
  GDir *dir = g_dir_open (dir_path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (dir_path, name, NULL);
      const char *rest = g_str_has_prefix (name, base) ? name + strlen (base) : "";
      struct stat st;

      if (strcmp (rest, ".incomplete") != 0 &&
          !(strlen (rest) == 20 && rest[0] == '.' && strcmp (rest + 9, ".incomplete") == 0))
        continue;
      if (lstat (path, &st) == 0 && S_ISREG (st.st_mode) && st.st_size > best_bytes && st.st_size <= self->size)
        {
          best_bytes = st.st_size;
          g_free (best);
          best = g_steal_pointer (&path);
        }
    }
  g_clear_pointer (&dir, g_dir_close);
  if (!best || rename (best, self->path) != 0)
    return;
  close (self->fd);
  self->fd = open (self->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  for (guint i = 0; self->fd >= 0 && i < self->n_blocks; i++)
    self->done[i] = (gint64) i * self->block + block_bytes (self->size, self->block, i) <= best_bytes;
}

EaselPart *
easel_part_open (EaselHubSession *session, const char *blob_path, gint64 size, GError **error)
{
  EaselPart *self = g_new0 (EaselPart, 1);
  char want[HEAD], have[HEAD];
  struct stat st;
  gint64 n_blocks;

  names_of (blob_path, &self->path, &self->map_path);
  self->size = size;
  self->block = session->settings->block;
  self->map_fd = -1;
  n_blocks = (size + self->block - 1) / self->block;
  self->fd = open (self->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (self->fd < 0)
    goto io;
  self->map_fd = open (self->map_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (self->map_fd < 0)
    goto io;
  /* 256 KiB blocks: a byte for each is 4 MiB for a terabyte, and larger files are refused when they are listed. */
  self->n_blocks = (guint) n_blocks;
  self->done = g_try_malloc0 (MAX (n_blocks, 1));
  if (!self->done)
    {
      errno = ENOMEM;
      goto io;
    }
  head_text (want, size, self->block);
  if (fstat (self->map_fd, &st) == 0 && st.st_size == HEAD + n_blocks && pread (self->map_fd, have, HEAD, 0) == HEAD &&
      memcmp (want, have, HEAD) == 0 && pread (self->map_fd, self->done, n_blocks, HEAD) == n_blocks)
    distrust_holes (self);
  else
    {
      memset (self->done, 0, MAX (n_blocks, 1));
      if (fstat (self->fd, &st) == 0 && st.st_size == 0)
        take_foreign (self, blob_path);
      if (self->fd < 0)
        goto io;
      distrust_holes (self);
    }
  /* (Re)write the map, so that it and `done` agree. */
  if (ftruncate (self->map_fd, 0) != 0 || pwrite (self->map_fd, want, HEAD, 0) != HEAD ||
      pwrite (self->map_fd, self->done, n_blocks, HEAD) != n_blocks || ftruncate (self->fd, size) != 0)
    goto io;
  count (self);
  return self;
io:
  easel_hub_fail_errno (session, errno ? errno : EIO, "Cannot write", self->path, error);
  easel_part_close (self, FALSE);
  return NULL;
}

gboolean
easel_part_mark (EaselPart *self, guint i)
{
  if (i >= self->n_blocks || self->done[i])
    return TRUE;
  self->done[i] = 1;
  self->bytes += block_bytes (self->size, self->block, i);
  while (self->frontier < self->n_blocks && self->done[self->frontier])
    self->frontier++;
  return pwrite (self->map_fd, &self->done[i], 1, HEAD + (off_t) i) == 1;
}

gint64
easel_part_frontier_bytes (EaselPart *self)
{
  return MIN ((gint64) self->frontier * self->block, self->size);
}

gboolean
easel_part_reset (EaselPart *self)
{
  memset (self->done, 0, self->n_blocks);
  count (self);
  return pwrite (self->map_fd, self->done, self->n_blocks, HEAD) == (gssize) self->n_blocks;
}

gboolean
easel_part_finish (EaselPart *self, const char *blob_path)
{
  if (rename (self->path, blob_path) != 0)
    return FALSE;
  unlink (self->map_path);
  return TRUE;
}

void
easel_part_close (EaselPart *self, gboolean remove)
{
  if (!self)
    return;
  if (self->fd >= 0)
    close (self->fd);
  if (self->map_fd >= 0)
    close (self->map_fd);
  if (remove)
    {
      unlink (self->path);
      unlink (self->map_path);
    }
  g_free (self->path);
  g_free (self->map_path);
  g_free (self->done);
  g_free (self);
}

gint64
easel_part_peek (const char *blob_path, gint64 size, gint64 block)
{
  g_autofree char *path = NULL, *map_path = NULL, *map = NULL;
  char want[HEAD];
  gsize n = 0;
  gint64 bytes = 0;

  names_of (blob_path, &path, &map_path);
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR) || !g_file_get_contents (map_path, &map, &n, NULL))
    return 0;
  head_text (want, size, block);
  if (n != (gsize) (HEAD + (size + block - 1) / block) || memcmp (want, map, HEAD) != 0)
    return 0;
  for (gsize i = 0; i + HEAD < n; i++)
    if (map[HEAD + i])
      bytes += block_bytes (size, block, (guint) i);
  return bytes;
}

void
easel_part_delete (const char *blob_path)
{
  g_autofree char *path = NULL, *map_path = NULL;

  names_of (blob_path, &path, &map_path);
  unlink (path);
  unlink (map_path);
}
