/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/hub/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
easel_hub_token_free (char *token)
{
  if (token)
    explicit_bzero (token, strlen (token));
  g_free (token);
}

gboolean
easel_hub_token_is_plausible (const char *token)
{
  gsize n = token ? strlen (token) : 0;

  for (gsize i = 0; i < n; i++)
    if (!g_ascii_isgraph (token[i]))
      return FALSE;
  return n >= 4 && n <= 4096;
}

char *
easel_hub_token_from_login (const char *path, GError **error)
{
  char text[4200] = { 0 };
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  gssize n = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;
  int code = errno;
  char *token;

  if (fd >= 0)
    close (fd);
  if (n < 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "There is no Hugging Face login in %s: %s.", path,
                   g_strerror (code));
      return NULL;
    }
  token = g_strdup (g_strstrip (text));
  explicit_bzero (text, sizeof text);
  if (easel_hub_token_is_plausible (token))
    return token;
  easel_hub_token_free (token);
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s holds no token.", path);
  return NULL;
}
