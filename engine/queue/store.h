/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The queue on disk: rows in order. Every call is durable when it returns TRUE. One thread.
 */
#pragma once

#include "engine/core/request.h"

G_BEGIN_DECLS

typedef struct EaselQueueStore EaselQueueStore;

/* Created when absent. DAMAGED: set aside as "….damaged-N" by the caller's next try; UNSUPPORTED: of a newer Easel. */
EaselQueueStore *easel_queue_store_open (const char *path, GError **error);
void easel_queue_store_free (EaselQueueStore *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselQueueStore, easel_queue_store_free)

typedef void (*EaselQueueRow) (gint64 id, EaselRequest *request, gpointer user_data);
/* Every row in order; a row whose request cannot be read any more is left out (and stays in the file). */
gboolean easel_queue_store_each (EaselQueueStore *self, EaselQueueRow row, gpointer user_data, GError **error);
/* position: where in the order, 0 first; -1 last. */
gboolean easel_queue_store_add (EaselQueueStore *self, EaselRequest *request, int position, gint64 *id, GError **error);
gboolean easel_queue_store_remove (EaselQueueStore *self, gint64 id, GError **error);
gboolean easel_queue_store_replace (EaselQueueStore *self, gint64 id, EaselRequest *request, GError **error);
/* The whole order at once. */
gboolean easel_queue_store_reorder (EaselQueueStore *self, const gint64 *ids, guint n, GError **error);
gboolean easel_queue_store_get_paused (EaselQueueStore *self);
gboolean easel_queue_store_set_paused (EaselQueueStore *self, gboolean paused, GError **error);

G_END_DECLS
