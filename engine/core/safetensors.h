/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The safetensors format, read as hostile input: 8-byte little-endian header length (bounded), JSON header, data.
 * The file is memory-mapped read-only and not copied (only a tensor that does not lie on a multiple of its element size
 * is: old writers did not pad the header). Every offset is checked for order, overlap, gaps, overflow and against
 * dtype x shape before anything is given out.
 * Scalars (shape []) are given out as [1]; tensors without elements are checked but not listed.
 */
#pragma once

#include "engine/core/files.h"

G_BEGIN_DECLS

typedef struct EaselSafetensors EaselSafetensors;

/* NOT_FOUND, IO, DAMAGED (says what is wrong), UNSUPPORTED (a dtype we do not know). Any thread. */
EaselSafetensors *easel_safetensors_open (const char *path, GError **error);
/* From memory that outlives the object (tests, fuzzing). `where` names it in errors. */
EaselSafetensors *easel_safetensors_open_memory (const void *data, gsize size, const char *where, GError **error);
/* Views given out die with the last reference. */
EaselSafetensors *easel_safetensors_ref (EaselSafetensors *self);
void easel_safetensors_unref (EaselSafetensors *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselSafetensors, easel_safetensors_unref)

const char *easel_safetensors_path (EaselSafetensors *self);
guint easel_safetensors_count (EaselSafetensors *self);
/* i-th tensor in file order: name borrowed, view into the mapping. */
const char *easel_safetensors_nth (EaselSafetensors *self, guint i, EaselTensor *out);
/* FALSE when there is none of that name; no error. */
gboolean easel_safetensors_find (EaselSafetensors *self, const char *name, EaselTensor *out);
/* The __metadata__ strings, borrowed, or NULL. */
GHashTable *easel_safetensors_metadata (EaselSafetensors *self);

/* Lets the system drop the mapped pages; they are read again when touched. */
void easel_safetensors_drop_pages (EaselSafetensors *self);

/* Writes a file: temporary name, fsync, rename. Tensors are host memory, names differ. IO. */
gboolean easel_safetensors_write (const char *path, guint n, const char *const *names, const EaselTensor *tensors,
                                  GHashTable *metadata, GError **error);

/* The same for tensors that are not the host's: see EaselElsewhere in files.h; `first` is set here. */
gboolean easel_safetensors_write_from (const char *path, guint n, const char *const *names, const EaselTensor *tensors,
                                       GHashTable *metadata, EaselElsewhere *elsewhere, GError **error);

G_END_DECLS
