/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselPullWindow: what downloading a model would mean, asked of the Hub and shown before the first byte: how much, to
 * which drive, whether it fits this machine, the licence in its authors' words.
 */
#pragma once

#include "ui/models/hub-client.h"

G_BEGIN_DECLS

#define EASEL_TYPE_PULL_WINDOW (easel_pull_window_get_type ())
G_DECLARE_FINAL_TYPE (EaselPullWindow, easel_pull_window, EASEL, PULL_WINDOW, AdwWindow)

/* revision, precision: NULL for the usual. */
void easel_pull_window_present (GtkWidget *parent, EaselHubClient *client, const char *repo, const char *revision,
                                const char *precision);

G_END_DECLS
