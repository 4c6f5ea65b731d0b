/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselInstalledRow: a model that is here: what it is, and, when it came from the Hub, verifying, repairing, removing.
 */
#pragma once

#include "ui/models/hub-client.h"

G_BEGIN_DECLS

#define EASEL_TYPE_INSTALLED_ROW (easel_installed_row_get_type ())
G_DECLARE_FINAL_TYPE (EaselInstalledRow, easel_installed_row, EASEL, INSTALLED_ROW, AdwActionRow)

/* What is known of it; copied. */
typedef struct
{
  const EaselModelInfo *info;       /* NULL for an older revision that no name leads to */
  const EaselHubSnapshot *snapshot; /* NULL when it is no folder of the Hub */
  const char *cache_dir;            /* of the snapshot */
  guint64 budget;                   /* easel_engine_get_memory_budget */
} EaselInstalledModel;
GtkWidget *easel_installed_row_new (EaselHubClient *client, const EaselInstalledModel *model);

G_END_DECLS
