/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A lane: one connection that fetches a run of blocks of one file. The first request for a file goes to the Hub, whose
 * answer is the bytes (small files) or a redirect to where they are (LFS, and Xet through its plain bridge); the
 * headers of either are held against the listing. Later lanes go where the first one was sent.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "engine/hub/fetch-private.h"

#define BUFFER (256 << 10)

struct Lane
{
  CURL *easy;
  struct curl_slist *headers;
  EaselReply reply;
  Item *item; /* NULL: free */
  Fetcher *fetcher;
  char *url;
  int hops;
  guint from, to;         /* blocks */
  gint64 start, end, pos; /* bytes: [start, end) wanted, pos the next one to come */
  gint64 heard;           /* monotonic time of the last byte */
  enum { BODY_UNCHECKED, BODY_GOOD, BODY_IGNORED } body;
  gboolean too_long, lies, write_failed;
  gboolean held;          /* by the bandwidth limit */
  int code;               /* errno of a failed write */
  guint8 *buffer;         /* the block that is being filled: libcurl gives 16 KiB at a time */
};

Lane *
lane_new (gsize block)
{
  Lane *self = g_new0 (Lane, 1);

  self->buffer = g_malloc (block);
  self->easy = curl_easy_init ();
  easel_reply_clear (&self->reply);
  return self;
}

gboolean
lane_is_free (const Lane *self)
{
  return self->item == NULL;
}

gboolean
lane_is_stalled (const Lane *self, Fetcher *f, gint64 now)
{
  return self->item && !self->held && now - self->heard > (gint64) f->session->settings->stall_ms * 1000;
}

void
lane_go_on (Lane *self)
{
  if (!self->item || !self->held)
    return;
  self->held = FALSE;
  self->heard = g_get_monotonic_time ();
  curl_easy_pause (self->easy, CURLPAUSE_CONT); /* may give us bytes, and be held again, before it returns */
}

/* ---- the bytes --------------------------------------------------------------------------------------------------- */

/* The first bytes came: are they the ones we asked for? */
static void
check_body (Lane *self)
{
  const EaselReply *r = &self->reply;
  Item *item = self->item;
  gint64 size = item->file->size;
  long status = 0;

  curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
  self->body = BODY_IGNORED;
  if (r->encoded)
    self->lies = TRUE;
  else if (status == 206)
    {
      if (r->range_from == self->start && r->range_all == size && r->range_to < self->end)
        self->body = BODY_GOOD;
      else
        self->lies = TRUE;
    }
  else if (status == 200 && r->length >= 0 && r->length != size)
    self->lies = TRUE;
  else if (status == 200 && self->start == 0 && self->end == size)
    self->body = BODY_GOOD;
  else if (status == 200)
    item->no_ranges = TRUE; /* asked for a part, got everything: start over with everything */
  if (self->body == BODY_GOOD && !item->confirmed)
    {
      g_free (item->location);
      item->location = g_strdup (self->url);
      item->confirmed = TRUE;
    }
}

/* The buffer holds all of `block`: to the file, to the map, to the hasher. */
static gboolean
write_block (Lane *self, guint block)
{
  EaselPart *part = self->item->part;
  gint64 start = (gint64) block * part->block;
  gsize n = MIN (part->block, part->size - start);

  for (gsize at = 0; at < n;)
    {
      gssize w = pwrite (part->fd, self->buffer + at, n - at, start + at);
      if (w > 0)
        at += w;
      else if (w == 0 || errno != EINTR)
        {
          self->code = w == 0 ? ENOSPC : errno;
          return FALSE;
        }
    }
  self->item->failures = 0;
  if (!easel_part_mark (part, block))
    {
      self->code = errno;
      return FALSE;
    }
  easel_hash_job_written (self->item->job, start, n, &self->buffer, easel_part_frontier_bytes (part));
  return TRUE;
}

/* Takes [pos, pos + n); a run begins with a block, so a block that ends here is in the buffer as a whole. Blocks that
 * are done already are left out. */
static gboolean
take_bytes (Lane *self, const char *data, gsize n)
{
  EaselPart *part = self->item->part;

  while (n > 0)
    {
      guint block = (guint) (self->pos / part->block);
      gint64 block_end = MIN (((gint64) block + 1) * part->block, part->size);
      gsize now = MIN ((gint64) n, block_end - self->pos);

      if (!part->done[block])
        memcpy (self->buffer + (self->pos - (gint64) block * part->block), data, now);
      self->pos += now;
      data += now;
      n -= now;
      if (self->pos == block_end && !part->done[block] && !write_block (self, block))
        return FALSE;
    }
  return TRUE;
}

static size_t
data_cb (char *data, size_t size, size_t n, void *user_data)
{
  Lane *self = user_data;
  gsize bytes = size * n, take;

  self->heard = g_get_monotonic_time ();
  if (!fetcher_may_take (self->fetcher, bytes))
    {
      self->held = TRUE;
      return CURL_WRITEFUNC_PAUSE;
    }
  self->fetcher->fetched += bytes;
  if (self->body == BODY_UNCHECKED)
    check_body (self);
  if (self->body == BODY_IGNORED)
    return self->lies || self->item->no_ranges ? 0 : bytes;
  take = MIN ((gint64) bytes, self->end - self->pos);
  if (!take_bytes (self, data, take))
    {
      self->write_failed = TRUE;
      return 0;
    }
  if (take < bytes)
    {
      self->too_long = TRUE;
      return 0;
    }
  return bytes;
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

static void
release (Lane *self, Fetcher *f)
{
  Item *item = self->item;

  if (!item)
    return;
  if (item->taken)
    memset (item->taken + self->from, 0, self->to - self->from);
  item->lanes--;
  f->busy--;
  self->item = NULL;
  g_clear_pointer (&self->url, g_free);
}

static void
perform (Lane *self, Fetcher *f)
{
  gint64 size = self->item->file->size;

  curl_easy_reset (self->easy);
  g_clear_pointer (&self->headers, curl_slist_free_all);
  self->body = BODY_UNCHECKED;
  self->too_long = self->lies = self->write_failed = self->held = FALSE;
  self->pos = self->start;
  self->heard = g_get_monotonic_time ();
  if (!easel_net_setup (f->session, self->easy, self->url, &self->reply, &self->headers))
    {
      easel_hub_fail (f->session, EASEL_HUB_REASON_SERVER, f->error, "The Hub gave an address that cannot be used.");
      release (self, f);
      fetcher_give_up (f);
      return;
    }
  curl_easy_setopt (self->easy, CURLOPT_PRIVATE, self);
  curl_easy_setopt (self->easy, CURLOPT_WRITEFUNCTION, data_cb);
  curl_easy_setopt (self->easy, CURLOPT_WRITEDATA, self);
  curl_easy_setopt (self->easy, CURLOPT_BUFFERSIZE, (long) BUFFER);
  curl_easy_setopt (self->easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1); /* one connection for each lane */
  if (self->start > 0 || self->end < size)
    {
      g_autofree char *range =
        g_strdup_printf ("%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT, self->start, self->end - 1);
      curl_easy_setopt (self->easy, CURLOPT_RANGE, range);
    }
  curl_multi_add_handle (f->multi, self->easy);
}

void
lane_start (Lane *self, Fetcher *f, Item *item, guint from, guint to)
{
  self->fetcher = f;
  self->item = item;
  self->from = from;
  self->to = to;
  self->start = (gint64) from * item->part->block;
  self->end = MIN ((gint64) to * item->part->block, item->part->size);
  self->hops = 0;
  self->url = item->location ? g_strdup (item->location)
                             : easel_hub_resolve_url (f->session->settings->endpoint, f->plan->repo, f->plan->commit,
                                                      item->file->path);
  memset (item->taken + from, 1, to - from);
  item->lanes++;
  f->busy++;
  perform (self, f);
}

void
lane_stop (Lane *self, Fetcher *f)
{
  if (!self->item)
    return;
  curl_multi_remove_handle (f->multi, self->easy);
  release (self, f);
}

void
lane_free (Lane *self, Fetcher *f)
{
  lane_stop (self, f);
  curl_easy_cleanup (self->easy);
  curl_slist_free_all (self->headers);
  easel_reply_clear (&self->reply);
  g_free (self->buffer);
  g_free (self);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

/* What the Hub itself says about the file must be what it said in the listing. */
static gboolean
agrees_with_listing (Lane *self, Fetcher *f)
{
  const EaselReply *r = &self->reply;
  const EaselHubFile *file = self->item->file;
  g_autofree char *etag = easel_hub_normalize_etag (r->linked_etag);
  g_autofree char *origin = easel_hub_url_origin (self->url);
  g_autofree char *endpoint = easel_hub_url_origin (f->session->settings->endpoint);

  if (g_strcmp0 (origin, endpoint) != 0)
    return TRUE; /* a storage host: its etags are its own */
  if (!etag && r->status < 300)
    {
      g_autofree char *plain = easel_hub_normalize_etag (r->etag);
      if (easel_hub_is_hex (plain, strlen (file->etag)))
        etag = g_steal_pointer (&plain);
    }
  if ((etag && strcmp (etag, file->etag) != 0) || (r->commit && strcmp (r->commit, f->plan->commit) != 0))
    return easel_hub_fail (f->session, EASEL_HUB_REASON_CHANGED, f->error,
                           "%s changed on the Hub while it was fetched. Try again: the list is read anew.", file->path);
  if (r->linked_size >= 0 && r->linked_size != file->size)
    return easel_hub_fail (f->session, EASEL_HUB_REASON_HOSTILE, f->error,
                           "The Hub lists %s with %" G_GINT64_FORMAT " bytes and offers %" G_GINT64_FORMAT
                           "; it was refused.", file->path, file->size, r->linked_size);
  return TRUE;
}

static void
follow (Lane *self, Fetcher *f)
{
  g_autofree char *next = easel_hub_url_resolve (self->url, self->reply.location);

  if (!easel_net_check_redirect (f->session, self->url, next, ++self->hops, f->error))
    {
      release (self, f);
      fetcher_give_up (f);
      return;
    }
  g_free (self->url);
  self->url = g_steal_pointer (&next);
  perform (self, f);
}

/* The storage host refuses: its address was good for a while only. Ask the Hub again. */
static gboolean
address_expired (const Lane *self, Fetcher *f)
{
  g_autofree char *origin = easel_hub_url_origin (self->url);
  g_autofree char *endpoint = easel_hub_url_origin (f->session->settings->endpoint);
  long status = self->reply.status;

  return self->item->confirmed && self->item->location && g_strcmp0 (origin, endpoint) != 0 && status >= 400 &&
         status < 500 && status != 416 && !easel_net_is_temporary (status);
}

static void
fail_status (Lane *self, Fetcher *f)
{
  Item *item = self->item;
  gint64 retry_after = self->reply.retry_after;

  g_clear_error (&f->trouble);
  easel_net_fail_reply (f->session, &self->reply, f->plan->repo, &f->trouble);
  f->trouble_reason = f->session->reason;
  if (address_expired (self, f))
    {
      g_clear_pointer (&item->location, g_free);
      item->confirmed = FALSE;
    }
  else if (!easel_net_is_temporary (self->reply.status))
    {
      if (!*f->error)
        *f->error = g_steal_pointer (&f->trouble);
      release (self, f);
      fetcher_give_up (f);
      return;
    }
  release (self, f);
  fetcher_try_again (f, item, retry_after);
}

static void
fail_transfer (Lane *self, Fetcher *f, CURLcode code)
{
  Item *item = self->item;

  g_clear_error (&f->trouble);
  if (self->lies)
    easel_hub_fail (f->session, EASEL_HUB_REASON_HOSTILE, &f->trouble,
                    "The server sends another length of %s than was listed; it was refused.", item->file->path);
  else if (code == CURLE_OK)
    easel_net_fail_curl (f->session, CURLE_PARTIAL_FILE, self->url, &f->trouble);
  else
    easel_net_fail_curl (f->session, code, self->url, &f->trouble);
  f->trouble_reason = f->session->reason;
  if (f->trouble_reason == EASEL_HUB_REASON_TLS)
    {
      if (!*f->error)
        *f->error = g_steal_pointer (&f->trouble);
      release (self, f);
      fetcher_give_up (f);
      return;
    }
  /* A storage host that cannot be reached may be another one next time. */
  g_clear_pointer (&item->location, g_free);
  item->confirmed = FALSE;
  release (self, f);
  fetcher_try_again (f, item, -1);
}

void
lane_finish (Lane *self, Fetcher *f, CURLcode code)
{
  Item *item = self->item;

  curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &self->reply.status);
  curl_multi_remove_handle (f->multi, self->easy);
  if (self->write_failed)
    {
      easel_hub_fail_errno (f->session, self->code, "Cannot write", item->part->path, f->error);
      release (self, f);
      fetcher_give_up (f);
      return;
    }
  if (self->reply.status > 0 && !agrees_with_listing (self, f))
    {
      release (self, f);
      fetcher_give_up (f);
      return;
    }
  if (self->body == BODY_GOOD && self->pos == self->end)
    release (self, f); /* all of it, whatever else happened */
  else if (self->body == BODY_IGNORED && item->no_ranges && !self->lies)
    {
      item->confirmed = FALSE;
      release (self, f);
    }
  else if (self->lies || code != CURLE_OK || self->body == BODY_GOOD)
    fail_transfer (self, f, code);
  else if (self->reply.status >= 300 && self->reply.status < 400 && self->reply.location)
    follow (self, f);
  else if (self->reply.status >= 200 && self->reply.status < 300)
    fail_transfer (self, f, CURLE_OK); /* no bytes at all */
  else
    fail_status (self, f);
}
