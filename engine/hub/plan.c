/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a name to a list of files: revision to commit, tree, access, selection, what is here.
 */
#include <string.h>

#include "engine/hub/hub-private.h"

void
easel_hub_plan_free (EaselHubPlan *plan)
{
  if (!plan)
    return;
  g_free (plan->repo);
  g_free (plan->revision);
  g_free (plan->commit);
  g_free (plan->precision);
  g_free (plan->pipeline_class);
  g_free (plan->licence);
  g_free (plan->page);
  g_clear_pointer (&plan->files, g_ptr_array_unref);
  g_free (plan);
}

void
easel_hub_plan_look (EaselHubPlan *plan, const EaselHubSettings *settings)
{
  g_autoptr (GHashTable) counted = g_hash_table_new (g_str_hash, g_str_equal);

  plan->bytes = plan->here = plan->repo_bytes = 0;
  plan->n_wanted = 0;
  for (guint i = 0; i < plan->files->len; i++)
    {
      EaselHubFile *file = plan->files->pdata[i];
      gboolean first = g_hash_table_add (counted, file->etag);

      plan->repo_bytes += file->size;
      if (!file->wanted)
        continue;
      plan->n_wanted++;
      plan->bytes += file->size;
      if (easel_hub_cache_has (settings->cache_dir, plan->repo, plan->commit, file) || !first)
        file->here = file->size; /* the same content under a second name costs nothing */
      else
        {
          g_autofree char *blob = easel_hub_cache_blob (settings->cache_dir, plan->repo, file->etag);
          file->here = easel_part_peek (blob, file->size, settings->block);
        }
      plan->here += file->here;
    }
  plan->fetch = plan->bytes - plan->here;
  plan->disk_free = easel_hub_disk_free (settings->cache_dir);
}

static EaselHubFile *
find_file (GPtrArray *files, const char *path)
{
  for (guint i = 0; i < files->len; i++)
    if (strcmp (((EaselHubFile *) files->pdata[i])->path, path) == 0)
      return files->pdata[i];
  return NULL;
}

gboolean
easel_hub_read_small_file (EaselHubSession *session, const EaselHubPlan *plan, const EaselHubFile *file, char **text,
                           gsize *n, GError **error)
{
  const EaselHubSettings *s = session->settings;
  g_autofree char *blob = easel_hub_cache_blob (s->cache_dir, plan->repo, file->etag);
  g_autofree char *pointer = easel_hub_cache_pointer (s->cache_dir, plan->repo, plan->commit, file->path);
  g_autofree char *url = easel_hub_resolve_url (s->endpoint, plan->repo, plan->commit, file->path);
  const char *places[] = { pointer, blob };

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    if (easel_digest_file (places[i], file->etag, NULL, NULL) == 1 && g_file_get_contents (places[i], text, n, NULL))
      return TRUE;
  for (int attempt = 1;; attempt++)
    {
      EaselReply reply = { 0 };
      g_autoptr (GByteArray) body = NULL;
      g_autoptr (EaselDigest) digest = easel_digest_new (file->etag, file->size);
      gboolean fine = easel_net_get (session, url, FALSE, FALSE, 1 << 20, plan->repo, &reply, &body, error);

      easel_reply_clear (&reply);
      if (!fine)
        return FALSE;
      easel_digest_update (digest, body->data, body->len);
      if (easel_digest_matches (digest, file->etag))
        {
          *n = body->len;
          *text = g_strndup ((char *) body->data, body->len);
          return TRUE;
        }
      if (attempt > session->settings->retries)
        return easel_hub_fail (session, EASEL_HUB_REASON_WRONG_BYTES, error,
                               "%s of %s arrives damaged each time. Try again later, or another mirror.", file->path,
                               plan->repo);
      if (easel_hub_cancelled (session, error))
        return FALSE;
      g_usleep (1000 * MIN (1000, easel_net_backoff (session->settings, attempt, -1)));
    }
}

/* May we have it? The tree of a gated repository is public, its files are not: asked on one of them. */
static gboolean
check_access (EaselHubSession *session, EaselHubPlan *plan, GError **error)
{
  for (guint i = 0; i < plan->files->len; i++)
    {
      EaselHubFile *file = plan->files->pdata[i];

      if (file->wanted && file->here < file->size && file->lfs)
        {
          g_autofree char *url =
            easel_hub_resolve_url (session->settings->endpoint, plan->repo, plan->commit, file->path);
          EaselReply reply = { 0 };
          gboolean fine = easel_net_get (session, url, TRUE, FALSE, 0, plan->repo, &reply, NULL, error);

          easel_reply_clear (&reply);
          return fine;
        }
    }
  return TRUE;
}

/* 1. revision -> commit, 2. commit -> files. Offline both come from the cache. */
static gboolean
list_files (EaselHubSession *session, EaselHubPlan *plan, GError **error)
{
  const EaselHubSettings *s = session->settings;

  if (s->offline)
    {
      plan->commit = easel_hub_cache_read_ref (s->cache_dir, plan->repo, plan->revision);
      plan->files = plan->commit ? easel_listing_load (s->cache_dir, plan->repo, plan->commit) : NULL;
      if (!plan->files)
        return easel_hub_fail (session, EASEL_HUB_REASON_OFFLINE, error,
                               "Working offline, as the settings say, and no list of the files of %s is on this "
                               "machine.", plan->repo);
      return TRUE;
    }
  if (!easel_listing_info (session, plan->repo, plan->revision, &plan->commit, &plan->licence, error))
    return FALSE;
  /* A commit never changes, so a list that was saved for it is as good as the Hub's. */
  plan->files = easel_listing_load (s->cache_dir, plan->repo, plan->commit);
  if (!plan->files)
    plan->files = easel_listing_tree (session, plan->repo, plan->commit, error);
  return plan->files != NULL;
}

EaselHubPlan *
easel_hub_plan_in_session (EaselHubSession *session, const char *repo, const char *revision, const char *precision,
                           GError **error)
{
  g_autoptr (EaselHubPlan) plan = g_new0 (EaselHubPlan, 1);
  g_autofree char *text = NULL;
  EaselHubFile *index;
  gsize n = 0;

  plan->repo = g_strdup (repo);
  plan->revision = g_strdup (revision ? revision : "main");
  plan->precision = g_strdup (precision ? precision : "auto");
  plan->page = g_strdup_printf ("%s/%s", session->settings->endpoint, repo);
  if (!easel_hub_valid_repo (repo))
    {
      g_autofree char *shown = easel_hub_printable (repo);
      easel_hub_fail (session, EASEL_HUB_REASON_NO_REPOSITORY, error,
                      "\xe2\x80\x9c%s\xe2\x80\x9d is not the name of a repository. It looks like owner/name.", shown);
      return NULL;
    }
  if (!easel_hub_valid_revision (plan->revision))
    {
      easel_hub_fail (session, EASEL_HUB_REASON_NO_REVISION, error,
                      "That is not the name of a branch, a tag or a commit.");
      return NULL;
    }
  if (!list_files (session, plan, error))
    return NULL;
  index = find_file (plan->files, "model_index.json");
  if (strcmp (plan->precision, "all") == 0)
    for (guint i = 0; i < plan->files->len; i++)
      ((EaselHubFile *) plan->files->pdata[i])->wanted = TRUE;
  else if (!index || index->size > 1 << 20)
    {
      easel_hub_fail (session, EASEL_HUB_REASON_NOT_A_PIPELINE, error,
                      "%s has no model_index.json: it is no diffusers pipeline, and this program cannot run it.", repo);
      return NULL;
    }
  else if (!easel_hub_read_small_file (session, plan, index, &text, &n, error) ||
           !easel_select_files (session, plan->files, text, n, plan->precision, &plan->pipeline_class, error))
    return NULL;
  easel_hub_plan_look (plan, session->settings);
  if (!session->settings->offline && plan->fetch > 0 && !check_access (session, plan, error))
    return NULL;
  return g_steal_pointer (&plan);
}

EaselHubPlan *
easel_hub_plan (const EaselHubSettings *settings, const char *repo, const char *revision, const char *precision,
                GCancellable *cancellable, EaselHubReason *reason, char **page, GError **error)
{
  g_autoptr (EaselHubSession) session = easel_hub_session_new (settings, cancellable);
  EaselHubPlan *plan = easel_hub_plan_in_session (session, repo, revision, precision, error);

  if (reason)
    *reason = plan ? EASEL_HUB_REASON_NONE : session->reason;
  if (page)
    *page = g_steal_pointer (&session->page);
  return plan;
}
