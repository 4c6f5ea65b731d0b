/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The queue on disk: rows in order. Every call is durable when it returns TRUE, or with the commit where one was
 * started. Any thread, one call at a time is in the database.
 */
#pragma once

#include "engine/core/request.h"

G_BEGIN_DECLS

typedef struct EaselQueueStore EaselQueueStore;

/* Created when absent, brought up to date when older. A damaged file is set aside as "….damaged-N", a new one begun,
 * and *damaged (may be NULL) says so. UNSUPPORTED: of a newer Easel. IO. */
EaselQueueStore *easel_queue_store_open (const char *path, gboolean *damaged, GError **error);
void easel_queue_store_free (EaselQueueStore *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselQueueStore, easel_queue_store_free)

/* problem: why it failed, NULL when it waits; borrowed. */
typedef void (*EaselQueueRow) (gint64 id, EaselRequest *request, const char *problem, gpointer user_data);
/* Every row in order; a row whose request cannot be read any more is left out (and stays in the file). */
gboolean easel_queue_store_each (EaselQueueStore *self, EaselQueueRow row, gpointer user_data, GError **error);

/* Several calls as one. */
gboolean easel_queue_store_start (EaselQueueStore *self, GError **error);
gboolean easel_queue_store_commit (EaselQueueStore *self, GError **error);
void easel_queue_store_undo (EaselQueueStore *self);

/* position: where in the order, 0 first; -1 last. */
gboolean easel_queue_store_add (EaselQueueStore *self, EaselRequest *request, int position, gint64 *id, GError **error);
/* Its making begins; after two beginnings without an end each() calls it failed. unbegin: it ended, if not for good
 * (the person quit). */
gboolean easel_queue_store_begin (EaselQueueStore *self, gint64 id, GError **error);
gboolean easel_queue_store_unbegin (EaselQueueStore *self, gint64 id, GError **error);
/* It failed, and goes last. */
gboolean easel_queue_store_fail (EaselQueueStore *self, gint64 id, const char *problem, GError **error);
gboolean easel_queue_store_remove (EaselQueueStore *self, gint64 id, GError **error);
/* All but one. */
gboolean easel_queue_store_clear (EaselQueueStore *self, gint64 keep, GError **error);
/* A failed one waits again, in its place. */
gboolean easel_queue_store_replace (EaselQueueStore *self, gint64 id, EaselRequest *request, GError **error);
/* The whole order at once. */
gboolean easel_queue_store_reorder (EaselQueueStore *self, const gint64 *ids, guint n, GError **error);
gboolean easel_queue_store_get_paused (EaselQueueStore *self);
gboolean easel_queue_store_set_paused (EaselQueueStore *self, gboolean paused, GError **error);

G_END_DECLS
