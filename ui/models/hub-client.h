/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselHubClient: the Hub as the window uses it. Owns the queue of downloads; joins what the environment says, what the
 * person chose and the token into its settings; keeps the machine awake while something is fetched; tells the engine
 * where models are. Main thread only; what blocks runs on worker threads behind the _async functions.
 *
 * "installed-changed" is emitted when models came or went.
 */
#pragma once

#include <adwaita.h>

#include "engine/core/engine.h"
#include "engine/hub/catalogue.h"
#include "engine/hub/hub.h"

G_BEGIN_DECLS

#define EASEL_TYPE_HUB_CLIENT (easel_hub_client_get_type ())
G_DECLARE_FINAL_TYPE (EaselHubClient, easel_hub_client, EASEL, HUB_CLIENT, GObject)

/* What main() found out. Copied. */
typedef struct
{
  const EaselHubSettings *base;               /* what the environment says, HF_TOKEN included */
  const char *catalogue, *own_catalogue;      /* files; the first may be NULL */
  const char *login_file;                     /* of `hf auth login`, there or not */
} EaselHubClientPlaces;

/* roots: where models are besides the Hub's folders. queue_file: where downloads are kept. engine may be NULL. */
EaselHubClient *easel_hub_client_new (const EaselHubClientPlaces *places, GApplication *application,
                                      GSettings *settings, EaselEngine *engine, const char *const *roots,
                                      const char *queue_file);

/* EaselDownload, in order; borrowed. */
GListModel *easel_hub_client_get_downloads (EaselHubClient *self);
/* EaselCatalogueEntry, or NULL with why not; borrowed. */
GPtrArray *easel_hub_client_get_catalogue (EaselHubClient *self, const char **problem);
/* The entry of a repository, or NULL; borrowed. */
const EaselCatalogueEntry *easel_hub_client_find_entry (EaselHubClient *self, const char *repo);
/* Where downloads go unless another folder is chosen; borrowed until it changes. */
const char *easel_hub_client_get_folder (EaselHubClient *self);
/* Every folder that downloads went to, NULL-terminated; caller frees. */
char **easel_hub_client_dup_folders (EaselHubClient *self);
/* Downloads go there from now on, and models are looked for there. */
void easel_hub_client_choose_folder (EaselHubClient *self, const char *folder);
const char *easel_hub_client_get_endpoint (EaselHubClient *self);
const char *easel_hub_client_get_login_file (EaselHubClient *self); /* NULL when there is no login */
gboolean easel_hub_client_has_environment_token (EaselHubClient *self);

/* ---- asking the Hub ---------------------------------------------------------------------------------------------- */

/* Why an answer did not come; *page (caller frees) may be NULL. */
typedef struct
{
  EaselHubReason reason;
  char *page;
  GError *error;
} EaselHubFailure;
void easel_hub_failure_free (EaselHubFailure *failure);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselHubFailure, easel_hub_failure_free)

typedef struct
{
  EaselHubPlan *plan;
  char *licence_text, *licence_name; /* NULL: the repository has none */
} EaselHubOffer;
void easel_hub_offer_free (EaselHubOffer *offer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselHubOffer, easel_hub_offer_free)

/* What fetching would mean, with the licence's text. */
void easel_hub_client_ask_async (EaselHubClient *self, const char *folder, const char *repo, const char *revision,
                                 const char *precision, GCancellable *cancellable, GAsyncReadyCallback callback,
                                 gpointer user_data);
/* NULL with *failure, which is NULL when cancelled. */
EaselHubOffer *easel_hub_client_ask_finish (EaselHubClient *self, GAsyncResult *result, EaselHubFailure **failure);

/* EaselHubHit. */
void easel_hub_client_search_async (EaselHubClient *self, const char *words, GCancellable *cancellable,
                                    GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *easel_hub_client_search_finish (EaselHubClient *self, GAsyncResult *result, EaselHubFailure **failure);

/* ---- the queue --------------------------------------------------------------------------------------------------- */

void easel_hub_client_pull (EaselHubClient *self, const char *folder, const char *repo, const char *revision,
                            const char *precision);
void easel_hub_client_move (EaselHubClient *self, EaselDownload *download, int by);
/* Takes one that is over off the list; those that were cancelled leave it by themselves. */
void easel_hub_client_forget (EaselHubClient *self, EaselDownload *download);

/* ---- the token --------------------------------------------------------------------------------------------------- */

/* Puts it into the keyring, or takes it out (NULL). */
void easel_hub_client_store_token_async (EaselHubClient *self, const char *token, GAsyncReadyCallback callback,
                                         gpointer user_data);
gboolean easel_hub_client_store_token_finish (EaselHubClient *self, GAsyncResult *result, GError **error);

/* Models came or went by other means than a download: emits "installed-changed". */
void easel_hub_client_tell_changed (EaselHubClient *self);

G_END_DECLS
