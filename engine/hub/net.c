/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request. Redirects are followed by us and not by libcurl, so that each hop is looked at: the token goes to the
 * origin (scheme, host and port) of the endpoint and to no other, and https is never left for http.
 */
#include <string.h>

#include "engine/hub/hub-private.h"

#define MAX_REDIRECTS 8

void
easel_reply_clear (EaselReply *self)
{
  char **texts[] = { &self->location,   &self->etag, &self->linked_etag,  &self->commit, &self->error_code,
                     &self->error_message, &self->next, &self->content_type, &self->xet };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (*texts[i]);
  *self = (EaselReply){ .linked_size = -1, .length = -1, .range_from = -1, .range_to = -1, .range_all = -1,
                        .retry_after = -1 };
}

/* A number with nothing behind it; -1 when it is none. */
static gint64
whole_number (const char *text)
{
  gint64 value;
  return g_ascii_string_to_signed (text, 10, 0, G_MAXINT64 / 4, &value, NULL) ? value : -1;
}

/* "bytes 0-99/1234" */
static void
parse_range (EaselReply *reply, const char *value)
{
  g_auto (GStrv) parts = NULL;

  if (!g_str_has_prefix (value, "bytes "))
    return;
  parts = g_strsplit_set (value + 6, "-/", -1);
  if (g_strv_length (parts) != 3)
    return;
  reply->range_from = whole_number (parts[0]);
  reply->range_to = whole_number (parts[1]);
  reply->range_all = whole_number (parts[2]);
}

/* The URL of rel="next" in a Link header. */
static char *
parse_next (const char *value)
{
  g_auto (GStrv) links = g_strsplit (value, ",", -1);

  for (char **p = links; *p; p++)
    {
      const char *open = strchr (*p, '<'), *close = open ? strchr (open, '>') : NULL;
      if (close && (strstr (close, "rel=\"next\"") || strstr (close, "rel=next")))
        return g_strndup (open + 1, close - open - 1);
    }
  return NULL;
}

static size_t
header_cb (char *data, size_t size, size_t n, void *user_data)
{
  EaselReply *reply = user_data;
  g_autofree char *line = g_strndup (data, size * n);
  const struct { const char *name; char **text; } texts[] = {
    { "location", &reply->location },           { "etag", &reply->etag },
    { "x-linked-etag", &reply->linked_etag },   { "x-repo-commit", &reply->commit },
    { "x-error-code", &reply->error_code },     { "x-error-message", &reply->error_message },
    { "content-type", &reply->content_type },   { "x-xet-hash", &reply->xet },
  };
  char *value;

  if (g_str_has_prefix (line, "HTTP/"))
    {
      easel_reply_clear (reply); /* of a 1xx answer or a proxy before this one */
      return size * n;
    }
  if (!(value = strchr (line, ':')))
    return size * n;
  *value++ = '\0';
  g_strstrip (value);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (g_ascii_strcasecmp (line, texts[i].name) == 0)
      {
        g_free (*texts[i].text);
        *texts[i].text = g_strdup (value);
      }
  if (g_ascii_strcasecmp (line, "content-length") == 0)
    reply->length = whole_number (value);
  else if (g_ascii_strcasecmp (line, "x-linked-size") == 0)
    reply->linked_size = whole_number (value);
  else if (g_ascii_strcasecmp (line, "content-range") == 0)
    parse_range (reply, value);
  else if (g_ascii_strcasecmp (line, "content-encoding") == 0)
    reply->encoded = g_ascii_strcasecmp (value, "identity") != 0;
  else if (g_ascii_strcasecmp (line, "link") == 0 && !reply->next)
    reply->next = parse_next (value);
  else if (g_ascii_strcasecmp (line, "retry-after") == 0)
    {
      reply->retry_after = whole_number (value);
      if (reply->retry_after < 0)
        {
          gint64 at = curl_getdate (value, NULL);
          if (at > 0)
            reply->retry_after = MAX (0, at - g_get_real_time () / G_USEC_PER_SEC);
        }
    }
  return size * n;
}

gboolean
easel_net_setup (EaselHubSession *session, CURL *easy, const char *url, EaselReply *reply, struct curl_slist **headers)
{
  const EaselHubSettings *s = session->settings;
  g_autofree char *origin = easel_hub_url_origin (url);
  g_autofree char *endpoint = easel_hub_url_origin (s->endpoint);

  if (!origin)
    return FALSE;
  easel_reply_clear (reply);
  curl_easy_setopt (easy, CURLOPT_URL, url);
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS, (long) s->connect_ms);
  curl_easy_setopt (easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt (easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
  curl_easy_setopt (easy, CURLOPT_USERAGENT, "easel/" EASEL_VERSION);
  /* Never NULL: that would make libcurl read http_proxy from the environment, which is for app/ to do. */
  curl_easy_setopt (easy, CURLOPT_PROXY, s->proxy ? s->proxy : "");
  if (s->no_proxy)
    curl_easy_setopt (easy, CURLOPT_NOPROXY, s->no_proxy);
  if (s->ca_file)
    curl_easy_setopt (easy, CURLOPT_CAINFO, s->ca_file);
  curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, header_cb);
  curl_easy_setopt (easy, CURLOPT_HEADERDATA, reply);
  curl_easy_setopt (easy, CURLOPT_HEADEROPT, (long) CURLHEADER_SEPARATE); /* a proxy gets none of these */
  *headers = curl_slist_append (*headers, "Accept-Encoding: identity");
  if (s->token && g_strcmp0 (origin, endpoint) == 0)
    {
      char *line = g_strconcat ("Authorization: Bearer ", s->token, NULL);
      *headers = curl_slist_append (*headers, line);
      explicit_bzero (line, strlen (line));
      g_free (line);
    }
  curl_easy_setopt (easy, CURLOPT_HTTPHEADER, *headers);
  return TRUE;
}

gboolean
easel_net_is_temporary (long status)
{
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

int
easel_net_backoff (const EaselHubSettings *settings, int attempt, gint64 retry_after)
{
  gint64 wait = (gint64) settings->backoff_ms << CLAMP (attempt - 1, 0, 10);

  wait = MIN (wait, 30000);
  wait = wait / 2 + g_random_int_range (0, (int) wait / 2 + 1);
  if (retry_after >= 0)
    wait = MAX (wait, MIN (retry_after, 3600) * 1000);
  return (int) wait;
}

static char *
host_of (const char *url)
{
  g_autofree char *origin = easel_hub_url_origin (url);
  const char *host = origin ? strstr (origin, "://") : NULL;
  char *text = g_strdup (host ? host + 3 : "the server"), *colon = strrchr (text, ':');

  if (colon && (g_str_has_suffix (text, ":443") || g_str_has_suffix (text, ":80")))
    *colon = '\0';
  return text;
}

gboolean
easel_net_fail_curl (EaselHubSession *session, CURLcode code, const char *url, GError **error)
{
  g_autofree char *host = host_of (url);

  switch (code)
    {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
      return easel_hub_fail (session, EASEL_HUB_REASON_TLS, error,
                             "The connection to %s is not safe: %s. Check the clock of this machine, or ask who runs "
                             "the network whether it reads encrypted traffic.", host, curl_easy_strerror (code));
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
      return easel_hub_fail (session, EASEL_HUB_REASON_NO_NETWORK, error,
                             "The proxy cannot be reached (%s). Check the proxy in the settings.",
                             curl_easy_strerror (code));
    case CURLE_OPERATION_TIMEDOUT:
      return easel_hub_fail (session, EASEL_HUB_REASON_NO_NETWORK, error,
                             "%s does not answer. What was fetched is kept.", host);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error,
                             "%s gave an address that cannot be used.", host);
    default:
      return easel_hub_fail (session, EASEL_HUB_REASON_NO_NETWORK, error,
                             "The connection to %s failed (%s). Check the network; what was fetched is kept.", host,
                             curl_easy_strerror (code));
    }
}

/* What the server said, without the token should it be repeated there. */
static char *
server_words (EaselHubSession *session, const EaselReply *reply)
{
  g_autofree char *text = easel_hub_printable (reply->error_message);
  const char *token = session->settings->token;
  char *at;

  while (token && (at = strstr (text, token)))
    memset (at, '*', strlen (token));
  return *text ? g_strdup_printf (" The Hub says: \xe2\x80\x9c%s\xe2\x80\x9d", text) : g_strdup ("");
}

static gboolean
mentions (const EaselReply *reply, const char *const *words)
{
  g_autofree char *text = g_ascii_strdown (reply->error_message ? reply->error_message : "", -1);

  for (; *words; words++)
    if (strstr (text, *words))
      return TRUE;
  return FALSE;
}

static gboolean
fail_access (EaselHubSession *session, const EaselReply *reply, const char *repo, GError **error)
{
  static const char *const about_right[] = { "fine-grained", "token settings", "permission", "scope", NULL };
  static const char *const about_waiting[] = { "awaiting a review", "pending", NULL };
  static const char *const about_token[] = { "invalid credentials", "invalid user token", "expired", NULL };
  const EaselHubSettings *s = session->settings;
  gboolean gated = g_strcmp0 (reply->error_code, "GatedRepo") == 0;
  g_autofree char *words = server_words (session, reply);

  g_free (session->page);
  session->page = g_strdup_printf ("%s/%s", s->endpoint, repo ? repo : "");
  if (!s->token && gated)
    return easel_hub_fail (session, EASEL_HUB_REASON_NO_TOKEN, error,
                           "%s is gated and no token is set. Accept its terms on %s, make a token (read access) on "
                           "%s/settings/tokens, and add it in the settings.", repo, session->page, s->endpoint);
  if (!s->token)
    return easel_hub_fail (session, EASEL_HUB_REASON_NO_REPOSITORY, error,
                           "There is no repository %s that everyone may read. Check the name; if it is a private one, "
                           "add a token (read access) from %s/settings/tokens in the settings.", repo, s->endpoint);
  if (reply->status == 401 || mentions (reply, about_token))
    {
      g_free (session->page);
      session->page = g_strdup_printf ("%s/settings/tokens", s->endpoint);
      return easel_hub_fail (session, EASEL_HUB_REASON_BAD_TOKEN, error,
                             "The Hub does not accept the token: it is mistyped, expired or revoked. Make a new one on "
                             "%s.", session->page);
    }
  if (mentions (reply, about_right) || !gated)
    {
      g_free (session->page);
      session->page = g_strdup_printf ("%s/settings/tokens", s->endpoint);
      return easel_hub_fail (session, EASEL_HUB_REASON_TOKEN_RIGHT, error,
                             "The token may not read %s. On %s, give it read access to public gated repositories, or "
                             "to this one.%s", repo, session->page, words);
    }
  if (mentions (reply, about_waiting))
    return easel_hub_fail (session, EASEL_HUB_REASON_TERMS, error,
                           "You asked for access to %s and its authors have not answered yet. See %s.", repo,
                           session->page);
  return easel_hub_fail (session, EASEL_HUB_REASON_TERMS, error,
                         "The terms of %s are not accepted yet. Open %s with the account of your token, read and "
                         "accept them, then try again.", repo, session->page);
}

gboolean
easel_net_fail_reply (EaselHubSession *session, const EaselReply *reply, const char *repo, GError **error)
{
  const char *code = reply->error_code ? reply->error_code : "";
  g_autofree char *words = server_words (session, reply);

  repo = repo ? repo : "it";
  if (reply->status == 401 || reply->status == 403)
    return fail_access (session, reply, repo, error);
  if (strcmp (code, "RevisionNotFound") == 0)
    return easel_hub_fail (session, EASEL_HUB_REASON_NO_REVISION, error,
                           "%s has no such revision: it never had, or it is gone. Try the revision \xe2\x80\x9cmain"
                           "\xe2\x80\x9d.", repo);
  if (strcmp (code, "EntryNotFound") == 0)
    return easel_hub_fail (session, EASEL_HUB_REASON_CHANGED, error,
                           "A file of %s is not on the Hub any more. Try again: the list is read anew.", repo);
  if (reply->status == 404 || reply->status == 410)
    return easel_hub_fail (session, EASEL_HUB_REASON_NO_REPOSITORY, error,
                           "There is no repository %s on %s. Check the name.", repo, session->settings->endpoint);
  if (reply->status == 429)
    return easel_hub_fail (session, EASEL_HUB_REASON_BUSY, error,
                           "The Hub asks to wait: too many requests from this address. Try again later; a token raises "
                           "the limit.");
  return easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error, "The Hub answers with status %ld for %s.%s",
                         reply->status, repo, words);
}

gboolean
easel_net_check_redirect (EaselHubSession *session, const char *from, const char *to, int count, GError **error)
{
  if (!to)
    return easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error,
                           "The Hub points to an address that cannot be used.");
  if (count > MAX_REDIRECTS)
    return easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error,
                           "The Hub sends from one address to the next without end.");
  if (g_ascii_strncasecmp (from, "https:", 6) == 0 && g_ascii_strncasecmp (to, "https:", 6) != 0)
    return easel_hub_fail (session, EASEL_HUB_REASON_TLS, error,
                           "The Hub points to an address without encryption; it is not used.");
  return TRUE;
}

/* ---- small answers ----------------------------------------------------------------------------------------------- */

typedef struct
{
  GByteArray *body;
  gsize max;
  gboolean too_long;
  gint64 *heard; /* monotonic time of the last byte */
} Sink;

static size_t
body_cb (char *data, size_t size, size_t n, void *user_data)
{
  Sink *sink = user_data;

  *sink->heard = g_get_monotonic_time ();
  if (sink->body->len + size * n > sink->max)
    {
      sink->too_long = TRUE;
      return 0;
    }
  g_byte_array_append (sink->body, (const guint8 *) data, size * n);
  return size * n;
}

/* One exchange, no retries. The code, or CURLE_ABORTED_BY_CALLBACK when cancelled. */
static CURLcode
exchange (EaselHubSession *session, const char *url, gboolean head, EaselReply *reply, Sink *sink)
{
  gint64 heard = g_get_monotonic_time ();
  struct curl_slist *headers = NULL;
  CURLcode code = CURLE_FAILED_INIT;
  CURL *easy = curl_easy_init ();
  int running = 1, queued;

  if (!session->multi)
    session->multi = curl_multi_init ();
  sink->heard = &heard;
  if (!easy || !session->multi || !easel_net_setup (session, easy, url, reply, &headers))
    goto out;
  curl_easy_setopt (easy, CURLOPT_NOBODY, head ? 1L : 0L);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, body_cb);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, sink);
  curl_multi_add_handle (session->multi, easy);
  while (running)
    {
      CURLMsg *message;

      if (curl_multi_perform (session->multi, &running) != CURLM_OK)
        break;
      while ((message = curl_multi_info_read (session->multi, &queued)))
        if (message->msg == CURLMSG_DONE)
          code = message->data.result;
      if (!running)
        break;
      if (easel_hub_cancelled (session, NULL))
        {
          code = CURLE_ABORTED_BY_CALLBACK;
          break;
        }
      if (g_get_monotonic_time () - heard > (gint64) session->settings->stall_ms * 1000)
        {
          code = CURLE_OPERATION_TIMEDOUT;
          break;
        }
      curl_multi_poll (session->multi, NULL, 0, 50, NULL);
    }
  curl_easy_getinfo (easy, CURLINFO_RESPONSE_CODE, &reply->status);
  curl_multi_remove_handle (session->multi, easy);
out:
  curl_easy_cleanup (easy);
  curl_slist_free_all (headers);
  return code;
}

static gboolean
wait_ms (EaselHubSession *session, int ms, GError **error)
{
  gint64 until = g_get_monotonic_time () + (gint64) ms * 1000;

  while (g_get_monotonic_time () < until)
    {
      if (easel_hub_cancelled (session, error))
        return FALSE;
      g_usleep (MIN (50000, MAX (1, until - g_get_monotonic_time ())));
    }
  return TRUE;
}

/* Follows redirects; *url is replaced. FALSE with an error, or with none when it is worth another try. */
static gboolean
get_once (EaselHubSession *session, char **url, gboolean head, gboolean same_origin, EaselReply *reply, Sink *sink,
          const char *repo, GError **error)
{
  for (int hops = 0;; hops++)
    {
      CURLcode code;

      if (sink->body)
        g_byte_array_set_size (sink->body, 0);
      code = exchange (session, *url, head, reply, sink);
      if (code == CURLE_ABORTED_BY_CALLBACK)
        {
          easel_hub_cancelled (session, error);
          return FALSE;
        }
      if (sink->too_long)
        return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                               "The answer about %s is larger than any honest one; it was refused.", repo);
      if (code != CURLE_OK)
        {
          easel_net_fail_curl (session, code, *url, error);
          return FALSE;
        }
      if (reply->status >= 300 && reply->status < 400 && reply->status != 304 && reply->location)
        {
          g_autofree char *next = easel_hub_url_resolve (*url, reply->location);
          g_autofree char *from = easel_hub_url_origin (*url);
          g_autofree char *to = next ? easel_hub_url_origin (next) : NULL;

          if (head && !same_origin && g_strcmp0 (from, to) != 0)
            return TRUE; /* the headers we came for; the other host has none of them */
          if (!easel_net_check_redirect (session, *url, next, hops, error))
            return FALSE;
          if (same_origin && g_strcmp0 (from, to) != 0)
            return easel_hub_fail (session, EASEL_HUB_REASON_PORTAL, error,
                                   "The network answers in place of the Hub and points elsewhere. Sign in to the "
                                   "network (hotel, train, caf\xc3\xa9) in a browser, then try again.");
          g_free (*url);
          *url = g_steal_pointer (&next);
          continue;
        }
      if (reply->status >= 200 && reply->status < 300)
        return TRUE;
      easel_net_fail_reply (session, reply, repo, error);
      return FALSE;
    }
}

gboolean
easel_net_get (EaselHubSession *session, const char *url, gboolean head, gboolean same_origin, gsize max_bytes,
               const char *repo, EaselReply *reply, GByteArray **body, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  Sink sink = { .body = bytes, .max = head ? 0 : max_bytes };

  if (session->settings->offline)
    return easel_hub_fail (session, EASEL_HUB_REASON_OFFLINE, error,
                           "Working offline, as the settings say; %s is not on this machine.", repo ? repo : "it");
  for (int attempt = 1;; attempt++)
    {
      g_autofree char *at = g_strdup (url);
      g_autoptr (GError) trouble = NULL;
      gboolean again;

      if (get_once (session, &at, head, same_origin, reply, &sink, repo, &trouble))
        break;
      again = session->reason == EASEL_HUB_REASON_NO_NETWORK ||
              (easel_net_is_temporary (reply->status) &&
               (session->reason == EASEL_HUB_REASON_SERVER || session->reason == EASEL_HUB_REASON_BUSY));
      if (!again || attempt > session->settings->retries)
        {
          g_propagate_error (error, g_steal_pointer (&trouble));
          return FALSE;
        }
      g_debug ("hub: try %d: %s", attempt, trouble ? trouble->message : "");
      if (!wait_ms (session, easel_net_backoff (session->settings, attempt, reply->retry_after), error))
        return FALSE;
    }
  if (body)
    *body = g_steal_pointer (&bytes);
  return TRUE;
}
