/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/hub-words.h"

#include <glib/gi18n.h>

char *
easel_hub_words_title (EaselHubClient *client, const char *repo)
{
  const EaselCatalogueEntry *entry = easel_hub_client_find_entry (client, repo);

  return g_strdup (entry ? entry->title : repo);
}

const char *
easel_hub_words_fit (EaselFit fit)
{
  switch (fit)
    {
    case EASEL_FIT_WHOLE:
      return _ ("fits this machine");
    case EASEL_FIT_IN_PARTS:
      return _ ("fits with offload: slower");
    case EASEL_FIT_NOT:
      return _ ("does not fit this machine");
    case EASEL_FIT_UNKNOWN:
    default:
      return NULL;
    }
}

char *
easel_hub_words_seconds (double seconds)
{
  if (seconds < 60)
    return g_strdup_printf (ngettext ("%d second left", "%d seconds left", (int) seconds), (int) seconds);
  if (seconds < 5400)
    return g_strdup_printf (ngettext ("%d minute left", "%d minutes left", (int) (seconds / 60 + 0.5)),
                            (int) (seconds / 60 + 0.5));
  /* Translators: hours and minutes. */
  return g_strdup_printf (_ ("%d h %d min left"), (int) (seconds / 3600), (int) (seconds / 60) % 60);
}

char *
easel_hub_words_failure (EaselHubReason reason, const char *repo, const GError *error)
{
  switch (reason)
    {
    case EASEL_HUB_REASON_NO_NETWORK:
      return g_strdup (_ ("There is no connection to the Hub."));
    case EASEL_HUB_REASON_OFFLINE:
      return g_strdup (_ ("Easel was started offline (HF_HUB_OFFLINE), and this is not on this machine."));
    case EASEL_HUB_REASON_PORTAL:
      return g_strdup (_ ("The network wants you to sign in first. Open any page in a browser, then try again."));
    case EASEL_HUB_REASON_BUSY:
      return g_strdup (_ ("The Hub asks to wait: too many requests from this address. Try again later."));
    case EASEL_HUB_REASON_NO_TOKEN:
      return g_strdup_printf (_ ("%s is only for people who are signed in and accepted its terms. Accept them on its "
                                 "page, then put your access token into the download settings."), repo);
    case EASEL_HUB_REASON_BAD_TOKEN:
      return g_strdup (_ ("The Hub does not accept your access token: it is mistyped, expired or revoked. Put a new "
                          "one into the download settings."));
    case EASEL_HUB_REASON_TOKEN_RIGHT:
      return g_strdup_printf (_ ("Your access token may not read %s. Give it the right to read public gated "
                                 "repositories, or this one."), repo);
    case EASEL_HUB_REASON_TERMS:
      return g_strdup_printf (_ ("The terms of %s are not accepted yet. Read and accept them on its page, with the "
                                 "account of your token, then try again."), repo);
    case EASEL_HUB_REASON_NO_REPOSITORY:
      return g_strdup_printf (_ ("There is no %s on the Hub, or it is private."), repo);
    case EASEL_HUB_REASON_WRONG_BYTES:
      return g_strdup (_ ("A file arrived twice with wrong bytes. Nothing of it was kept; try again later, or another "
                          "mirror."));
    default:
      return g_strdup (error ? error->message : _ ("It did not work."));
    }
}

static char *
amount (const EaselDownloadProgress *p)
{
  g_autofree char *done = g_format_size (p->bytes_done), *total = g_format_size (p->bytes_total);

  /* Translators: bytes that are here, of all, such as "1.2 GB of 9.7 GB". */
  return p->bytes_total > 0 ? g_strdup_printf (_ ("%s of %s"), done, total) : NULL;
}

static char *
join (const char *a, const char *b, const char *c, const char *d)
{
  const char *parts[4] = { 0 };
  guint n = 0;

  for (guint i = 0; i < 4; i++)
    {
      const char *part = (const char *[]){ a, b, c, d }[i];
      if (part)
        parts[n++] = part;
    }
  return g_strjoin (" · ", parts[0], parts[1], parts[2], parts[3], NULL);
}

char *
easel_hub_words_state (EaselDownload *download)
{
  EaselDownloadProgress p = easel_download_get_progress (download);
  g_autofree char *much = amount (&p), *rate = NULL, *left = NULL, *why = NULL, *speed = NULL, *verified = NULL;
  g_autoptr (GError) error = NULL;

  switch (p.state)
    {
    case EASEL_DOWNLOAD_WAITING:
      if (p.reason == EASEL_HUB_REASON_NO_NETWORK)
        return join (_ ("Paused: no network"), much, _ ("trying again"), NULL);
      if (p.reason != EASEL_HUB_REASON_NONE)
        return join (_ ("Waiting"), much, why = easel_download_dup_detail (download), NULL);
      return join (_ ("Waiting for its turn"), much, NULL, NULL);
    case EASEL_DOWNLOAD_PLANNING:
      return g_strdup (_ ("Asking the Hub what is needed"));
    case EASEL_DOWNLOAD_DOWNLOADING:
      rate = g_format_size ((guint64) p.rate);
      /* Translators: bytes a second. */
      speed = p.rate >= 1 ? g_strdup_printf (_ ("%s/s"), rate) : NULL;
      left = p.eta >= 0 ? easel_hub_words_seconds (p.eta) : NULL;
      return join (_ ("Downloading"), much, speed, left);
    case EASEL_DOWNLOAD_VERIFYING:
      rate = g_format_size (p.bytes_verified);
      left = g_format_size (p.bytes_total);
      verified = g_strdup_printf (_ ("%s of %s"), rate, left);
      return join (_ ("Verifying"), verified, NULL, NULL);
    case EASEL_DOWNLOAD_PAUSED:
      return join (_ ("Paused"), much, NULL, NULL);
    case EASEL_DOWNLOAD_NO_NETWORK:
      return join (p.reason == EASEL_HUB_REASON_PORTAL ? _ ("Paused: the network wants you to sign in")
                                                       : _ ("Paused: no network"),
                   much, _ ("goes on by itself"), NULL);
    case EASEL_DOWNLOAD_FAILED:
      error = easel_download_dup_error (download);
      why = easel_hub_words_failure (p.reason, easel_download_get_repo (download), error);
      return g_strdup_printf (_ ("Failed: %s"), why);
    case EASEL_DOWNLOAD_CANCELLED:
      return g_strdup (_ ("Cancelled"));
    case EASEL_DOWNLOAD_DONE:
    default:
      left = g_format_size (p.bytes_total);
      return join (_ ("Done"), left, NULL, NULL);
    }
}
