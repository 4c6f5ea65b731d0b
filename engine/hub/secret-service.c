/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keyring through libsecret. Built when libsecret is there; else secret-none.c is.
 */
#include <libsecret/secret.h>

#include "engine/hub/secret.h"

static const SecretSchema schema = {
  .name = "io.github.easelstudio.Easel.Hub",
  .flags = SECRET_SCHEMA_NONE,
  .attributes = { { "endpoint", SECRET_SCHEMA_ATTRIBUTE_STRING }, { NULL, 0 } },
};

static gboolean
translate (GError *from, GError **error)
{
  if (!from)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "The keyring does not answer: %s.", from->message);
  g_error_free (from);
  return FALSE;
}

char *
easel_hub_token_lookup (const char *endpoint, GError **error)
{
  GError *local = NULL;
  char *secret = secret_password_lookup_sync (&schema, NULL, &local, "endpoint", endpoint, NULL);
  char *token;

  if (!translate (local, error) || !secret)
    return NULL;
  token = g_strdup (secret);
  secret_password_free (secret);
  return token;
}

gboolean
easel_hub_token_store (const char *endpoint, const char *token, GError **error)
{
  GError *local = NULL;

  if (!easel_hub_token_is_plausible (token))
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "That does not look like a token.");
      return FALSE;
    }
  secret_password_store_sync (&schema, SECRET_COLLECTION_DEFAULT, "Hugging Face token for Easel", token, NULL, &local,
                              "endpoint", endpoint, NULL);
  return translate (local, error);
}

gboolean
easel_hub_token_clear (const char *endpoint, GError **error)
{
  GError *local = NULL;

  secret_password_clear_sync (&schema, NULL, &local, "endpoint", endpoint, NULL);
  return translate (local, error);
}
