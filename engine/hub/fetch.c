/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fetches the missing files of a plan. One thread, one curl multi handle, `connections` lanes; the hasher beside it.
 *
 *   1. room on the drive           4. lanes fetch runs of missing blocks, in file order
 *   2. items: one for each content  5. what is whole and hashed gets its name and its links
 *   3. lock, look, take over       6. model_index.json is linked last: a folder that has it is complete
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/hub/fetch-private.h"

#define MAX_OPEN 24 /* items with descriptors */
#define LOCK_POLL_US (200 * 1000)

static void
item_close (Item *item)
{
  easel_hash_job_end (g_steal_pointer (&item->job));
  easel_part_close (g_steal_pointer (&item->part), FALSE);
  g_clear_pointer (&item->taken, g_free);
  easel_hub_cache_unlock (item->lock);
  item->lock = -1;
}

static void
item_free (Item *item)
{
  item_close (item);
  g_ptr_array_unref (item->paths);
  g_free (item->location);
  g_free (item);
}

void
fetcher_give_up (Fetcher *f)
{
  f->failed = TRUE;
}

void
fetcher_try_again (Fetcher *f, Item *item, gint64 retry_after)
{
  const EaselHubSettings *s = f->session->settings;
  int wait;

  if (++item->failures > (guint) s->retries)
    {
      if (!*f->error)
        *f->error = g_steal_pointer (&f->trouble);
      f->session->reason = f->trouble_reason;
      fetcher_give_up (f);
      return;
    }
  wait = easel_net_backoff (s, (int) item->failures, retry_after);
  g_debug ("hub: %s: try %u failed (%s), next in %d ms", item->file->path, item->failures,
           f->trouble ? f->trouble->message : "", wait);
  item->retry_at = g_get_monotonic_time () + (gint64) wait * 1000;
}

/* ---- 1 and 2 ----------------------------------------------------------------------------------------------------- */

static gboolean
check_room (Fetcher *f, gint64 needed)
{
  const EaselHubSettings *s = f->session->settings;
  gint64 there = easel_hub_disk_free (s->cache_dir);
  g_autofree char *need_text = NULL, *there_text = NULL;

  if (there < 0 || there >= needed + s->keep_free)
    return TRUE;
  need_text = g_format_size (needed + s->keep_free - there);
  there_text = g_format_size (there);
  return easel_hub_fail (f->session, EASEL_HUB_REASON_DISK_FULL, f->error,
                         "%s more must be free on the drive of %s (%s are). Free some space or choose another folder; "
                         "what was fetched is kept.", need_text, s->cache_dir, there_text);
}

static GPtrArray *
make_items (EaselHubPlan *plan)
{
  GPtrArray *items = g_ptr_array_new_with_free_func ((GDestroyNotify) item_free);
  g_autoptr (GHashTable) by_etag = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < plan->files->len; i++)
    {
      EaselHubFile *file = plan->files->pdata[i];
      Item *item;

      if (!file->wanted)
        continue;
      item = g_hash_table_lookup (by_etag, file->etag);
      if (!item)
        {
          item = g_new0 (Item, 1);
          item->file = file;
          item->paths = g_ptr_array_new ();
          item->lock = -1;
          g_hash_table_insert (by_etag, file->etag, item);
          g_ptr_array_add (items, item);
        }
      g_ptr_array_add (item->paths, file->path);
    }
  return items;
}

/* ---- 3 ----------------------------------------------------------------------------------------------------------- */

static gboolean
is_last (const char *path)
{
  return strcmp (path, "model_index.json") == 0;
}

/* Gives a blob its names in the snapshot; those that are right already stay. */
static gboolean
link_item (Fetcher *f, Item *item, gboolean fresh, gboolean last)
{
  for (guint i = 0; i < item->paths->len; i++)
    {
      EaselHubFile named = *item->file;

      named.path = item->paths->pdata[i];
      if (is_last (named.path) != last)
        continue;
      if (easel_hub_cache_has (f->session->settings->cache_dir, f->plan->repo, f->plan->commit, &named) == 2)
        continue;
      if (!easel_hub_cache_link (f->session, f->plan->repo, f->plan->commit, named.path, named.etag, f->links,
                                 fresh && i + 1 == item->paths->len, f->error))
        return FALSE;
    }
  return TRUE;
}

static void
item_done (Fetcher *f, Item *item, gboolean fresh)
{
  item_close (item);
  if (link_item (f, item, fresh, FALSE))
    item->state = ITEM_DONE;
  else
    fetcher_give_up (f);
}

/* 2 or 1 as easel_hub_cache_has; with plain files, only all names together make an item complete. */
static gboolean
item_is_here (Fetcher *f, Item *item)
{
  const char *cache = f->session->settings->cache_dir;
  gboolean all = TRUE;

  for (guint i = 0; i < item->paths->len; i++)
    {
      EaselHubFile named = *item->file;
      int has;

      named.path = item->paths->pdata[i];
      has = easel_hub_cache_has (cache, f->plan->repo, f->plan->commit, &named);
      if (has == 1)
        return TRUE; /* the blob is there: names are made from it */
      all = all && has == 2;
    }
  return all;
}

/* Locks an item and opens its part. FALSE: not now (held elsewhere), done without fetching, or failed. */
static gboolean
open_item (Fetcher *f, Item *item, gint64 now)
{
  EaselHubSession *session = f->session;
  const EaselHubSettings *s = session->settings;
  g_autofree char *blob = easel_hub_cache_blob (s->cache_dir, f->plan->repo, item->file->etag);

  item->held_elsewhere = FALSE;
  if (item_is_here (f, item))
    {
      item_done (f, item, FALSE);
      return FALSE;
    }
  item->lock = easel_hub_cache_lock (s->cache_dir, f->plan->repo, item->file->etag);
  if (item->lock == -1)
    {
      item->held_elsewhere = TRUE;
      item->retry_at = now + LOCK_POLL_US;
      return FALSE;
    }
  if (item->lock < 0)
    {
      easel_hub_fail_errno (session, errno, "Cannot lock a file in", s->cache_dir, f->error);
      fetcher_give_up (f);
      return FALSE;
    }
  /* Somebody may have finished it while we waited for the lock. */
  if (item_is_here (f, item))
    {
      item_done (f, item, FALSE);
      return FALSE;
    }
  if (easel_hub_cache_adopt (session, f->plan->repo, item->file))
    {
      easel_part_delete (blob);
      item_done (f, item, TRUE);
      return FALSE;
    }
  item->part = easel_part_open (session, blob, item->file->size, f->error);
  if (!item->part)
    {
      fetcher_give_up (f);
      return FALSE;
    }
  item->taken = g_malloc0 (MAX (item->part->n_blocks, 1));
  item->inherited = item->part->bytes > 0;
  item->job = easel_hasher_add (f->hasher, item->part->fd, item->file->size, item->file->etag, !s->no_sync);
  easel_hash_job_written (item->job, 0, 0, NULL, easel_part_frontier_bytes (item->part));
  item->state = ITEM_OPEN;
  return TRUE;
}

/* ---- 4 ----------------------------------------------------------------------------------------------------------- */

/* The next run of blocks to fetch: [*from, *to). FALSE when nothing is left to hand out. */
static gboolean
next_run (Fetcher *f, Item *item, guint *from, guint *to)
{
  const EaselHubSettings *s = f->session->settings;
  EaselPart *part = item->part;
  guint i = part->frontier, most = G_MAXUINT;

  if (item->no_ranges)
    {
      *from = 0;
      *to = part->n_blocks;
      return item->lanes == 0 && part->frontier < part->n_blocks;
    }
  if (s->connections > 1)
    most = (guint) (s->piece / part->block);
  while (i < part->n_blocks && (part->done[i] || item->taken[i]))
    i++;
  *from = i;
  while (i < part->n_blocks && !part->done[i] && !item->taken[i] && i - *from < most)
    i++;
  *to = i;
  return *to > *from;
}

static Lane *
free_lane (Fetcher *f)
{
  for (guint i = 0; i < f->lanes->len; i++)
    if (lane_is_free (f->lanes->pdata[i]))
      return f->lanes->pdata[i];
  return NULL;
}

gboolean
fetcher_may_take (Fetcher *f, gsize bytes)
{
  if (f->session->settings->rate <= 0)
    return TRUE;
  if (f->allowance <= 0)
    return FALSE;
  f->allowance -= (double) bytes;
  return TRUE;
}

/* The bandwidth limit: a bucket that fills at that rate and holds a quarter of a second, shared by all lanes. */
static void
fill_up (Fetcher *f, gint64 now)
{
  const double rate = (double) f->session->settings->rate;

  if (rate <= 0)
    return;
  f->allowance = MIN (f->allowance + rate * (double) (now - f->allowed_at) / G_USEC_PER_SEC, rate / 4);
  f->allowed_at = now;
  for (guint i = 0; f->allowance > 0 && i < f->lanes->len; i++)
    lane_go_on (f->lanes->pdata[i]);
}

/* Gives an open item lanes until it has `most`. An address is tried by one lane before others follow. */
static void
serve (Fetcher *f, Item *item, guint most, gint64 now)
{
  Lane *lane;
  guint from, to;

  while (!f->failed && item->state == ITEM_OPEN && item->retry_at <= now && item->lanes < most &&
         (item->confirmed || item->lanes == 0) && (lane = free_lane (f)) && next_run (f, item, &from, &to))
    lane_start (lane, f, item, from, to);
}

/* Gives every free lane work: first one to each file, in order, then several to the same. A file that comes through one
 * lane comes in order, and need not be read back to be hashed. Returns when the next item may be tried again
 * (monotonic), or G_MAXINT64. */
static gint64
hand_out (Fetcher *f, gint64 now)
{
  gint64 next = G_MAXINT64;
  guint open = 0, end;

  while (f->first < f->items->len && ((Item *) f->items->pdata[f->first])->state == ITEM_DONE)
    f->first++;
  for (end = f->first; end < f->items->len && !f->failed; end++)
    {
      Item *item = f->items->pdata[end];

      if (item->state == ITEM_DONE)
        continue;
      if (item->retry_at > now)
        {
          next = MIN (next, item->retry_at);
          open += item->state == ITEM_OPEN;
          continue;
        }
      if (item->state == ITEM_WAITING && open >= MAX_OPEN)
        break;
      if (item->state == ITEM_WAITING && (!free_lane (f) || !open_item (f, item, now)))
        {
          if (item->held_elsewhere)
            next = MIN (next, item->retry_at);
          continue;
        }
      open++;
      serve (f, item, 1, now);
    }
  for (guint i = f->first; i < end && free_lane (f) && !f->failed; i++)
    serve (f, f->items->pdata[i], G_MAXUINT, now);
  return next;
}

/* ---- 5 ----------------------------------------------------------------------------------------------------------- */

static void
hash_was_wrong (Fetcher *f, Item *item)
{
  /* Bytes of an earlier run may have been lost with the power; that is nobody's fault and not counted. */
  if (!item->inherited && ++item->wrong >= 2)
    {
      easel_hub_fail (f->session, EASEL_HUB_REASON_WRONG_BYTES, f->error,
                      "%s arrived twice with wrong bytes: its hash does not match. Nothing of it was kept; try again "
                      "later, or another mirror.", item->file->path);
      item_close (item);
      {
        g_autofree char *blob = easel_hub_cache_blob (f->session->settings->cache_dir, f->plan->repo, item->file->etag);
        easel_part_delete (blob);
      }
      item->state = ITEM_WAITING;
      fetcher_give_up (f);
      return;
    }
  item->inherited = FALSE;
  easel_hash_job_end (item->job);
  if (!easel_part_reset (item->part))
    {
      item->job = NULL;
      easel_hub_fail_errno (f->session, errno, "Cannot write", item->part->map_path, f->error);
      fetcher_give_up (f);
      return;
    }
  memset (item->taken, 0, MAX (item->part->n_blocks, 1));
  item->job = easel_hasher_add (f->hasher, item->part->fd, item->file->size, item->file->etag,
                                !f->session->settings->no_sync);
  g_clear_pointer (&item->location, g_free);
  item->confirmed = FALSE;
}

static void
collect_hashes (Fetcher *f)
{
  for (guint i = f->first; i < f->items->len && !f->failed; i++)
    {
      Item *item = f->items->pdata[i];
      g_autofree char *blob = NULL;
      int code = 0;

      if (item->state != ITEM_OPEN || item->lanes > 0)
        continue;
      switch (easel_hash_job_state (item->job, NULL, &code))
        {
        case EASEL_HASH_RUNNING:
          break;
        case EASEL_HASH_RIGHT:
          blob = easel_hub_cache_blob (f->session->settings->cache_dir, f->plan->repo, item->file->etag);
          if (easel_part_finish (item->part, blob))
            item_done (f, item, TRUE);
          else
            {
              easel_hub_fail_errno (f->session, errno, "Cannot write", blob, f->error);
              fetcher_give_up (f);
            }
          break;
        case EASEL_HASH_WRONG:
          hash_was_wrong (f, item);
          break;
        case EASEL_HASH_FAILED:
          easel_hub_fail_errno (f->session, code, "Cannot read back", item->part->path, f->error);
          fetcher_give_up (f);
          break;
        }
    }
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void
sum_up (Fetcher *f, EaselDownloadProgress *p, gboolean *all_fetched, gboolean *held)
{
  *all_fetched = TRUE;
  *held = FALSE;
  for (guint i = 0; i < f->items->len; i++)
    {
      Item *item = f->items->pdata[i];
      gint64 size = item->file->size, hashed = 0;

      p->bytes_done += (item->paths->len - 1) * size;
      p->bytes_verified += (item->paths->len - 1) * size;
      p->files_total += item->paths->len;
      if (item->state == ITEM_DONE)
        {
          p->bytes_done += size;
          p->bytes_verified += size;
          p->files_done += item->paths->len;
        }
      else if (item->state == ITEM_OPEN)
        {
          p->bytes_done += item->part->bytes;
          easel_hash_job_state (item->job, &hashed, NULL);
          p->bytes_verified += hashed;
          *all_fetched = *all_fetched && item->part->bytes == size;
        }
      else
        {
          p->bytes_done += MIN (item->file->here, size);
          *all_fetched = FALSE;
          *held = *held || item->held_elsewhere;
        }
    }
}

static void
report (Fetcher *f, gint64 now, gint64 next_try)
{
  EaselDownloadProgress p = { .state = EASEL_DOWNLOAD_DOWNLOADING, .bytes_total = f->plan->bytes, .eta = -1,
                              .fetched = f->fetched };
  gboolean all_fetched, held;
  g_autofree char *detail = NULL;
  double seconds = (now - f->rate_at) / 1e6;

  if (seconds >= 0.5)
    {
      double newest = (f->fetched - f->rate_bytes) / seconds;
      f->rate = f->rate > 0 ? 0.7 * f->rate + 0.3 * newest : newest;
      f->rate_at = now;
      f->rate_bytes = f->fetched;
    }
  sum_up (f, &p, &all_fetched, &held);
  p.rate = f->busy > 0 ? f->rate : 0;
  if (p.rate > 1)
    p.eta = (p.bytes_total - p.bytes_done) / p.rate;
  if (all_fetched)
    p.state = EASEL_DOWNLOAD_VERIFYING;
  else if (f->busy == 0 && held)
    {
      p.state = EASEL_DOWNLOAD_WAITING;
      detail = g_strdup ("Another program is fetching the same files; waiting for it.");
    }
  else if (f->busy == 0 && next_try != G_MAXINT64 && next_try > now)
    {
      p.state = EASEL_DOWNLOAD_WAITING;
      p.reason = f->trouble_reason;
      detail = g_strdup_printf ("%s Trying again in %d s.", f->trouble ? f->trouble->message : "",
                                (int) ((next_try - now) / G_USEC_PER_SEC) + 1);
    }
  f->job->report (&p, detail, f->job->data);
}

static gint64
sleep_clock (void)
{
  struct timespec boot, mono;

  clock_gettime (CLOCK_BOOTTIME, &boot);
  clock_gettime (CLOCK_MONOTONIC, &mono);
  return (gint64) (boot.tv_sec - mono.tv_sec) * G_USEC_PER_SEC + (boot.tv_nsec - mono.tv_nsec) / 1000;
}

/* Dead connections: silent for too long, or from before the machine slept. */
static void
check_lanes (Fetcher *f, gint64 now)
{
  gint64 gap = sleep_clock ();
  gboolean slept = gap - f->clock_gap > 5 * G_USEC_PER_SEC;

  f->clock_gap = gap;
  for (guint i = 0; i < f->lanes->len && !f->failed; i++)
    if (slept)
      lane_stop (f->lanes->pdata[i], f);
    else if (lane_is_stalled (f->lanes->pdata[i], f, now))
      lane_finish (f->lanes->pdata[i], f, CURLE_OPERATION_TIMEDOUT);
}

/* Every second: is there still room for a second's worth and what must stay free? */
static void
check_space (Fetcher *f, gint64 now)
{
  if (now - f->last_space < G_USEC_PER_SEC)
    return;
  f->last_space = now;
  if (f->busy > 0 && !check_room (f, 0))
    fetcher_give_up (f);
}

static gboolean
all_done (Fetcher *f)
{
  return f->first >= f->items->len;
}

/* TRUE when everything is fetched. */
static gboolean
loop (Fetcher *f)
{
  while (!f->failed)
    {
      gint64 now = g_get_monotonic_time (), next_try = hand_out (f, now);
      int running, queued, wait = 100;
      CURLMsg *message;

      if (f->failed)
        break;
      fill_up (f, now);
      if (f->session->settings->rate > 0)
        wait = 20;
      curl_multi_perform (f->multi, &running);
      while (!f->failed && (message = curl_multi_info_read (f->multi, &queued)))
        if (message->msg == CURLMSG_DONE)
          {
            CURLcode code = message->data.result;
            Lane *lane = NULL;

            curl_easy_getinfo (message->easy_handle, CURLINFO_PRIVATE, (char **) &lane);
            lane_finish (lane, f, code);
            wait = 0;
          }
      if (!f->failed)
        collect_hashes (f);
      while (f->first < f->items->len && ((Item *) f->items->pdata[f->first])->state == ITEM_DONE)
        f->first++;
      if (f->failed || all_done (f))
        break;
      now = g_get_monotonic_time ();
      check_lanes (f, now);
      check_space (f, now);
      if (now - f->last_report > 100000)
        {
          f->last_report = now;
          report (f, now, next_try);
        }
      if (!f->job->go_on (f->job->data) || easel_hub_cancelled (f->session, NULL))
        return FALSE;
      if (next_try != G_MAXINT64)
        wait = MIN (wait, (int) CLAMP ((next_try - now) / 1000, 1, 100));
      curl_multi_poll (f->multi, NULL, 0, wait, NULL);
    }
  return !f->failed;
}

static void
wake_cb (gpointer multi)
{
  curl_multi_wakeup (multi);
}

EaselFetchResult
easel_fetch_run (EaselFetch *self, GError **error)
{
  g_autoptr (GError) local = NULL;
  Fetcher f = { .job = self, .session = self->session, .plan = self->plan, .error = &local };
  const EaselHubSettings *s = self->session->settings;
  EaselFetchResult result = EASEL_FETCH_FAILED;

  if (!easel_hub_cache_prepare (f.session, f.plan->repo, f.plan->revision, f.plan->commit, &local) ||
      !easel_listing_save (f.session, f.plan->repo, f.plan->commit, f.plan->files, f.plan->precision, &local) ||
      (f.plan->fetch > 0 && !check_room (&f, f.plan->fetch)))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return EASEL_FETCH_FAILED;
    }
  f.multi = curl_multi_init ();
  f.links = easel_hub_cache_links_work (s);
  f.items = make_items (f.plan);
  f.lanes = g_ptr_array_new ();
  for (int i = 0; i < s->connections; i++)
    g_ptr_array_add (f.lanes, lane_new ((gsize) s->block));
  f.hasher = easel_hasher_new ((gsize) s->block, wake_cb, f.multi);
  f.clock_gap = sleep_clock ();
  f.rate_at = f.last_space = f.allowed_at = g_get_monotonic_time ();
  self->multi_ready (f.multi, self->data);

  if (loop (&f))
    {
      result = EASEL_FETCH_DONE;
      for (guint i = 0; i < f.items->len && result == EASEL_FETCH_DONE; i++)
        if (!link_item (&f, f.items->pdata[i], TRUE, TRUE))
          result = EASEL_FETCH_FAILED;
    }
  else if (!f.failed)
    result = EASEL_FETCH_STOPPED;

  self->multi_ready (NULL, self->data);
  for (guint i = 0; i < f.lanes->len; i++)
    lane_free (f.lanes->pdata[i], &f);
  report (&f, g_get_monotonic_time (), G_MAXINT64);
  g_ptr_array_unref (f.items);
  g_ptr_array_unref (f.lanes);
  easel_hasher_free (f.hasher);
  curl_multi_cleanup (f.multi);
  g_clear_error (&f.trouble);
  if (local)
    g_propagate_error (error, g_steal_pointer (&local));
  return result;
}
