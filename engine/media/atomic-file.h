/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files that appear whole or not at all. The bytes go to a file without a name (O_TMPFILE) in the folder of the target;
 * where the file system has none, to a hidden unique name. Commit: fsync, give it its name in one step, fsync the
 * folder. Whatever fails, and whenever the process dies, a file that was there stays as it was.
 */
#pragma once

#include "engine/core/error.h"

G_BEGIN_DECLS

typedef struct EaselAtomicFile EaselAtomicFile;

/* Starts a file that will become `path`. overwrite FALSE: an existing file is refused, here and again at the commit.
 * IO names the folder and the system's reason. Belongs to one thread. */
EaselAtomicFile *easel_atomic_file_open (const char *path, gboolean overwrite, GError **error);

/* Appends. After a failure every further call fails the same way. */
gboolean easel_atomic_file_write (EaselAtomicFile *self, const void *data, gsize size, GError **error);

/* Makes the file appear under its name. On failure nothing has changed. Call once. */
gboolean easel_atomic_file_commit (EaselAtomicFile *self, GError **error);

/* Closes; without a successful commit nothing is left behind. */
void easel_atomic_file_free (EaselAtomicFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselAtomicFile, easel_atomic_file_free)

/* All of it at once. */
gboolean easel_atomic_file_replace (const char *path, const void *data, gsize size, gboolean overwrite,
                                    GError **error);

G_END_DECLS
