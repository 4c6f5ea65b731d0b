/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the Hub's states and reasons are called on the screen. Callers free.
 */
#pragma once

#include "ui/models/hub-client.h"

G_BEGIN_DECLS

/* The catalogue's title of a repository, or its name. */
char *easel_hub_words_title (EaselHubClient *client, const char *repo);
/* "Downloading · 1.2 GB of 9.7 GB · 45 MB/s · 3 min left" */
char *easel_hub_words_state (EaselDownload *download);
/* Why something did not work, as a sentence that says what to do. error may be NULL. */
char *easel_hub_words_failure (EaselHubReason reason, const char *repo, const GError *error);
/* "fits this machine", or NULL when there is no telling. Borrowed. */
const char *easel_hub_words_fit (EaselFit fit);
/* "3 minutes left". */
char *easel_hub_words_seconds (double seconds);

G_END_DECLS
