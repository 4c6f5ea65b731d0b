/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The token of the Hub: in the Secret Service (GNOME Keyring, KWallet, or the portal inside a sandbox), never in a file
 * of ours. Built without libsecret, or with no service running, the three functions say UNSUPPORTED.
 */
#pragma once

#include "engine/core/error.h"

G_BEGIN_DECLS

/* The token kept for an endpoint; NULL without error when there is none. Free with easel_hub_token_free.
 * Blocking: the service may ask the person to unlock it. */
char *easel_hub_token_lookup (const char *endpoint, GError **error);
gboolean easel_hub_token_store (const char *endpoint, const char *token, GError **error);
gboolean easel_hub_token_clear (const char *endpoint, GError **error);

/* The token of an existing `hf auth login`, from its file. Call it only when the person agreed to that.
 * NULL with NOT_FOUND, or DAMAGED when the file holds no token. */
char *easel_hub_token_from_login (const char *path, GError **error);

/* TRUE when a token has the characters of one: so that a header cannot be broken out of. */
gboolean easel_hub_token_is_plausible (const char *token);

/* Overwrites before freeing. NULL is fine. */
void easel_hub_token_free (char *token);

G_END_DECLS
