/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `models WORD …`, everything about models but listing them: cli-hub.c (what the words share), -search, -pull, -check,
 * -token.
 */
#pragma once

#include "app/cli.h"
#include "engine/hub/catalogue.h"
#include "engine/hub/hub.h"

/* positional[0] is the word. */
CliStatus cli_hub (const CliArgs *args);

CliStatus cli_hub_search (const CliArgs *args);
CliStatus cli_hub_plan (const CliArgs *args, const char *name);
CliStatus cli_hub_licence (const CliArgs *args, const char *name);
CliStatus cli_hub_pull (const CliArgs *args, const char *name);
CliStatus cli_hub_verify (const CliArgs *args, const char *name); /* name NULL: all that is installed */
CliStatus cli_hub_repair (const CliArgs *args, const char *name);
CliStatus cli_hub_remove (const CliArgs *args, const char *name);
CliStatus cli_hub_orphans (const CliArgs *args);
CliStatus cli_hub_login (const CliArgs *args);
CliStatus cli_hub_logout (const CliArgs *args);
CliStatus cli_models_tidy (const CliArgs *args);

/* ---- shared ------------------------------------------------------------------------------------------------------ */

/* From here on Ctrl+C is noticed, not died of. */
void cli_hub_watch_signals (void);
gboolean cli_hub_interrupted (void);

/* What the options and the environment say; network: with a token, if there is one. */
EaselHubSettings *cli_hub_settings (const CliArgs *args, gboolean network, GError **error);
/* The catalogue and the person's own; NULL when there is none. */
GPtrArray *cli_hub_catalogue (void);

/* What a person names: an entry of the catalogue, or owner/name. */
typedef struct
{
  GPtrArray *catalogue;
  const EaselCatalogueEntry *entry; /* or NULL */
  const char *repo, *revision, *precision;
} CliHubWanted;
CliHubWanted cli_hub_find (const CliArgs *args, const char *name);
void cli_hub_wanted_clear (CliHubWanted *w);

/* Pulls, saying how it goes. */
CliStatus cli_hub_fetch (const CliArgs *args, const EaselHubSettings *settings, const CliHubWanted *w);
/* cli_failed() with the reason and the page in the JSON. */
CliStatus cli_hub_failed (const CliArgs *args, const GError *error, EaselHubReason reason, const char *page);
