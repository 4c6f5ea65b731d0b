/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/hub-environment.h"

#include "engine/hub/secret.h"

/* The first of the names (NULL-terminated) that is set to something. */
static const char *
first_set (const char *const *names)
{
  for (; *names; names++)
    {
      const char *value = g_getenv (*names);
      if (value && *value)
        return value;
    }
  return NULL;
}

#define FIRST_SET(...) first_set ((const char *const[]){ __VA_ARGS__, NULL })

static gboolean
is_true (const char *value)
{
  static const char *const words[] = { "1", "ON", "YES", "TRUE", NULL };
  g_autofree char *upper = value ? g_ascii_strup (value, -1) : NULL;

  return upper && g_strv_contains (words, upper);
}

static char *
expand (const char *path)
{
  if (path[0] == '~' && (path[1] == '/' || path[1] == '\0'))
    return g_build_filename (g_get_home_dir (), path + 1, NULL);
  return g_strdup (path);
}

static char *
hf_home (void)
{
  const char *home = FIRST_SET ("HF_HOME");

  return home ? expand (home) : g_build_filename (g_get_user_cache_dir (), "huggingface", NULL);
}

char *
hub_environment_cache_dir (void)
{
  const char *cache = FIRST_SET ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE");
  g_autofree char *home = hf_home ();

  return cache ? expand (cache) : g_build_filename (home, "hub", NULL);
}

char *
hub_environment_login_path (void)
{
  const char *path = FIRST_SET ("HF_TOKEN_PATH");
  g_autofree char *home = hf_home ();

  return path ? expand (path) : g_build_filename (home, "token", NULL);
}

EaselHubSettings *
hub_environment_settings (void)
{
  g_autofree char *cache = hub_environment_cache_dir ();
  EaselHubSettings *settings = easel_hub_settings_new (cache);
  const char *endpoint = FIRST_SET ("HF_ENDPOINT");
  const char *token = FIRST_SET ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN");
  gboolean plain = endpoint && g_ascii_strncasecmp (endpoint, "http:", 5) == 0;

  if (endpoint)
    {
      g_free (settings->endpoint);
      settings->endpoint = g_strdup (endpoint);
    }
  if (token)
    {
      settings->token = g_strstrip (g_strdup (token));
      if (!easel_hub_token_is_plausible (settings->token))
        g_clear_pointer (&settings->token, easel_hub_token_free);
    }
  settings->offline = is_true (FIRST_SET ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"));
  settings->no_links = is_true (g_getenv ("HF_HUB_DISABLE_SYMLINKS"));
  /* HTTP_PROXY in capitals is left out, as curl does: a web server sets it from a visitor's header. */
  settings->proxy = g_strdup (plain ? FIRST_SET ("http_proxy", "all_proxy", "ALL_PROXY")
                                    : FIRST_SET ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"));
  settings->no_proxy = g_strdup (FIRST_SET ("no_proxy", "NO_PROXY"));
  settings->ca_file = g_strdup (FIRST_SET ("SSL_CERT_FILE", "CURL_CA_BUNDLE"));
  return settings;
}
