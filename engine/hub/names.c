/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names that come from outside: repositories, revisions, files, URLs. What is not plainly harmless is refused.
 */
#include <curl/curl.h>
#include <string.h>

#include "engine/hub/hub-private.h"

gboolean
easel_hub_is_hex (const char *text, gsize n)
{
  if (!text || strlen (text) != n)
    return FALSE;
  for (gsize i = 0; i < n; i++)
    if (!g_ascii_isdigit (text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
      return FALSE;
  return TRUE;
}

gboolean
easel_hub_is_commit (const char *text)
{
  return easel_hub_is_hex (text, 40);
}

static gboolean
valid_repo_part (const char *part, gsize n)
{
  if (n == 0 || part[0] == '-' || part[0] == '.' || part[n - 1] == '-' || part[n - 1] == '.')
    return FALSE;
  for (gsize i = 0; i < n; i++)
    if (!g_ascii_isalnum (part[i]) && !strchr ("-_.", part[i]))
      return FALSE;
  return TRUE;
}

gboolean
easel_hub_valid_repo (const char *repo)
{
  const char *slash;
  gsize n = repo ? strlen (repo) : 0;

  if (n == 0 || n > 96 || strstr (repo, "--") || strstr (repo, "..") || g_str_has_suffix (repo, ".git"))
    return FALSE;
  slash = strchr (repo, '/');
  if (!slash)
    return valid_repo_part (repo, n);
  return valid_repo_part (repo, slash - repo) && valid_repo_part (slash + 1, n - (slash - repo) - 1);
}

gboolean
easel_hub_valid_revision (const char *revision)
{
  gsize n = revision ? strlen (revision) : 0;

  if (n == 0 || n > 200 || strchr ("-/.", revision[0]) || revision[n - 1] == '/' || strstr (revision, "..") ||
      strstr (revision, "//") || strstr (revision, "/.") || g_str_has_suffix (revision, ".lock") ||
      !g_utf8_validate (revision, n, NULL))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    if (g_ascii_iscntrl (revision[i]) || strchr (" ~^:?*[\\", revision[i]))
      return FALSE;
  return TRUE;
}

static gboolean
harmless_character (gunichar c)
{
  /* Besides control characters: those that reorder or hide text, so that a name cannot look like another one. */
  return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || c == '\\');
}

gboolean
easel_hub_valid_path (const char *path, const char **why)
{
  const char *unused;
  g_auto (GStrv) parts = NULL;
  guint n_parts;

  why = why ? why : &unused;
  *why = NULL;
  if (!path || !*path)
    *why = "is empty";
  else if (strlen (path) > 1024)
    *why = "is longer than 1024 bytes";
  else if (!g_utf8_validate (path, -1, NULL))
    *why = "is not UTF-8";
  else if (path[0] == '/')
    *why = "is absolute";
  if (*why)
    return FALSE;
  for (const char *p = path; *p; p = g_utf8_next_char (p))
    if (!harmless_character (g_utf8_get_char (p)))
      {
        *why = *p == '\\' ? "contains a backslash" : "contains control characters";
        return FALSE;
      }
  parts = g_strsplit (path, "/", -1);
  n_parts = g_strv_length (parts);
  for (guint i = 0; i < n_parts && !*why; i++)
    if (strcmp (parts[i], "..") == 0)
      *why = "contains '..'";
    else if (!*parts[i] || strcmp (parts[i], ".") == 0)
      *why = "has an empty part";
    else if (strlen (parts[i]) > 240)
      *why = "has a part longer than 240 bytes";
    else if (g_ascii_isalpha (parts[i][0]) && parts[i][1] == ':')
      *why = "starts with a drive letter";
  if (!*why && n_parts > 24)
    *why = "has more than 24 folders";
  return *why == NULL;
}

char *
easel_hub_printable (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text ? text : "", -1);
  GString *out = g_string_new (NULL);
  guint n = 0;

  for (const char *p = valid; *p; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      if (++n > 120)
        {
          g_string_append (out, "\xe2\x80\xa6");
          break;
        }
      g_string_append_unichar (out, harmless_character (c) || c == '\\' ? c : 0xfffd);
    }
  return g_string_free (out, FALSE);
}

char *
easel_hub_normalize_etag (const char *etag)
{
  g_autofree char *copy = NULL;
  char *p;
  gsize n;

  if (!etag)
    return NULL;
  copy = g_strstrip (g_strdup (etag));
  p = g_str_has_prefix (copy, "W/") ? copy + 2 : copy;
  if (*p == '"')
    p++;
  n = strlen (p);
  if (n > 0 && p[n - 1] == '"')
    p[--n] = '\0';
  if (n == 0 || n > 128)
    return NULL;
  for (gsize i = 0; i < n; i++)
    if (!g_ascii_isalnum (p[i]) && !strchr ("-_", p[i]))
      return NULL;
  return g_strdup (p);
}

char *
easel_hub_resolve_url (const char *endpoint, const char *repo, const char *revision, const char *path)
{
  g_autofree char *r = g_uri_escape_string (revision, NULL, FALSE);
  g_autofree char *p = g_uri_escape_string (path, "/", FALSE);

  return g_strdup_printf ("%s/%s/resolve/%s/%s", endpoint, repo, r, p);
}

char *
easel_hub_api_url (const char *endpoint, const char *repo, const char *what)
{
  return g_strdup_printf ("%s/api/models/%s/%s", endpoint, repo, what);
}

char *
easel_hub_folder_name (const char *repo)
{
  g_auto (GStrv) parts = g_strsplit (repo, "/", 2);
  g_autofree char *joined = g_strjoinv ("--", parts);

  return g_strconcat ("models--", joined, NULL);
}

char *
easel_hub_repo_from_folder (const char *folder)
{
  g_auto (GStrv) parts = NULL;
  g_autofree char *repo = NULL;

  if (!g_str_has_prefix (folder, "models--"))
    return NULL;
  parts = g_strsplit (folder + strlen ("models--"), "--", -1);
  repo = g_strjoinv ("/", parts);
  return easel_hub_valid_repo (repo) ? g_steal_pointer (&repo) : NULL;
}

char *
easel_hub_url_origin (const char *url)
{
  CURLU *u = curl_url ();
  char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;

  if (u && curl_url_set (u, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_get (u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
      curl_url_get (u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
      curl_url_get (u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
      (g_ascii_strcasecmp (scheme, "http") == 0 || g_ascii_strcasecmp (scheme, "https") == 0))
    {
      g_autofree char *text = g_strdup_printf ("%s://%s:%s", scheme, host, port);
      origin = g_ascii_strdown (text, -1);
    }
  curl_free (scheme);
  curl_free (host);
  curl_free (port);
  curl_url_cleanup (u);
  return origin;
}

char *
easel_hub_url_resolve (const char *base, const char *location)
{
  CURLU *u = curl_url ();
  char *text = NULL, *user = NULL, *result = NULL;

  if (u && curl_url_set (u, CURLUPART_URL, base, 0) == CURLUE_OK &&
      curl_url_set (u, CURLUPART_URL, location, CURLU_URLENCODE) == CURLUE_OK &&
      curl_url_get (u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER && /* no credentials in URLs */
      curl_url_get (u, CURLUPART_URL, &text, 0) == CURLUE_OK)
    {
      g_autofree char *origin = easel_hub_url_origin (text);
      if (origin)
        result = g_strdup (text);
    }
  curl_free (text);
  curl_free (user);
  curl_url_cleanup (u);
  return result;
}
