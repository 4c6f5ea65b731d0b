/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The settings of downloads: account, folder, speed, mirror.
 */
#pragma once

#include "ui/models/hub-client.h"

G_BEGIN_DECLS

void easel_hub_preferences_present (GtkWidget *parent, EaselHubClient *client);

G_END_DECLS
