/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files read whole and files written whole. Errors name the file and the system's reason.
 */
#pragma once

#include <sys/uio.h>

#include "engine/core/error.h"

G_BEGIN_DECLS

/* Opens a regular file for reading (close-on-exec; never blocks on a pipe) and says its size. -1 with NOT_FOUND, IO, or
 * DAMAGED when it is not a regular file. The caller closes. */
int easel_file_open (const char *path, guint64 *size, GError **error);

/* The bytes of a file of at most max_bytes, followed by a NUL; caller frees with g_free. NOT_FOUND, IO, NO_MEMORY,
 * DAMAGED (too large, not a regular file). */
char *easel_read_small_file (const char *path, gsize max_bytes, gsize *length, GError **error);

/* Writes the pieces one after the other into a new file of an unguessable name in the same folder, syncs it and renames
 * it to `path` (replacing what is there), so that the file appears whole or not at all. IO, with the folder and the
 * reason. */
gboolean easel_write_file (const char *path, const struct iovec *pieces, guint n_pieces, GError **error);

/* Pieces that lie elsewhere (on a card): all from `first` on. fetch gives a copy of one on this side, valid until it is
 * called again, or NULL with an error. */
typedef struct
{
  guint first;
  const void *(*fetch) (gpointer data, void *where, gsize bytes, GError **error);
  gpointer data;
} EaselElsewhere;

/* The same; elsewhere may be NULL. */
gboolean easel_write_file_from (const char *path, const struct iovec *pieces, guint n_pieces,
                                const EaselElsewhere *elsewhere, GError **error);

G_END_DECLS
