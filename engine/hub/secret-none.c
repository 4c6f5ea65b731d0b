/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * No keyring in this build.
 */
#include "engine/hub/secret.h"

static gboolean
no_keyring (GError **error)
{
  g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "This build has no support for a keyring.");
  return FALSE;
}

char *
easel_hub_token_lookup (const char *endpoint, GError **error)
{
  no_keyring (error);
  return NULL;
}

gboolean
easel_hub_token_store (const char *endpoint, const char *token, GError **error)
{
  return no_keyring (error);
}

gboolean
easel_hub_token_clear (const char *endpoint, GError **error)
{
  return no_keyring (error);
}
