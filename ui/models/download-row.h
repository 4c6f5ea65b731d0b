/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselDownloadRow: one download: what it is doing, how far, and what can be done about it.
 */
#pragma once

#include "ui/models/hub-client.h"

G_BEGIN_DECLS

#define EASEL_TYPE_DOWNLOAD_ROW (easel_download_row_get_type ())
G_DECLARE_FINAL_TYPE (EaselDownloadRow, easel_download_row, EASEL, DOWNLOAD_ROW, GtkListBoxRow)

GtkWidget *easel_download_row_new (EaselHubClient *client, EaselDownload *download);

G_END_DECLS
