/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One thread that follows the network thread at the frontier (the end of what is on disk without a gap), reads back
 * what was written, from the page cache, and hashes it. So what is hashed is what is in the file, the network never
 * waits for the hash, and pieces that arrive out of order cost no memory.
 */
#include <errno.h>
#include <unistd.h>

#include "engine/hub/hub-private.h"

#define CHUNK (512 << 10)

struct EaselHashJob
{
  EaselHasher *hasher;
  EaselDigest *digest;
  char *etag;
  int fd;
  gint64 size;
  gboolean sync;
  /* Under the hasher's lock: */
  gint64 frontier, hashed;
  EaselHashState state;
  int code;
  gboolean busy; /* the thread is working on it */
};

struct EaselHasher
{
  GThread *thread;
  GMutex lock;
  GCond cond; /* work for the thread; a job no longer busy */
  GPtrArray *jobs; /* borrowed EaselHashJob, in order of arrival */
  gboolean quit;
  void (*wake) (gpointer data);
  gpointer data;
  guint8 *buffer;
};

static EaselHashJob *
next_job_locked (EaselHasher *self)
{
  for (guint i = 0; i < self->jobs->len; i++)
    {
      EaselHashJob *job = self->jobs->pdata[i];
      if (job->state == EASEL_HASH_RUNNING && (job->frontier > job->hashed || job->size == job->hashed))
        return job;
    }
  return NULL;
}

/* One chunk of one job, without the lock. The new state. */
static EaselHashState
work (EaselHasher *self, EaselHashJob *job, gint64 at, gint64 frontier, gint64 *n_read)
{
  gssize n = 0;

  if (at < frontier)
    do
      n = pread (job->fd, self->buffer, MIN (CHUNK, frontier - at), at);
    while (n < 0 && errno == EINTR);
  if (n < 0 || (n == 0 && at < frontier))
    {
      job->code = n < 0 ? errno : EIO;
      return EASEL_HASH_FAILED;
    }
  easel_digest_update (job->digest, self->buffer, n);
  *n_read = n;
  if (at + n < job->size)
    return EASEL_HASH_RUNNING;
  if (!easel_digest_matches (job->digest, job->etag))
    return EASEL_HASH_WRONG;
  if (job->sync && fdatasync (job->fd) != 0)
    {
      job->code = errno;
      return EASEL_HASH_FAILED;
    }
  return EASEL_HASH_RIGHT;
}

static gpointer
hasher_thread (gpointer data)
{
  EaselHasher *self = data;

  g_mutex_lock (&self->lock);
  while (!self->quit)
    {
      EaselHashJob *job = next_job_locked (self);
      EaselHashState state;
      gint64 at, frontier, n = 0;

      if (!job)
        {
          g_cond_wait (&self->cond, &self->lock);
          continue;
        }
      job->busy = TRUE;
      at = job->hashed;
      frontier = job->frontier;
      g_mutex_unlock (&self->lock);
      state = work (self, job, at, frontier, &n);
      g_mutex_lock (&self->lock);
      job->hashed += n;
      job->state = state;
      job->busy = FALSE;
      g_cond_broadcast (&self->cond);
      if (state != EASEL_HASH_RUNNING)
        self->wake (self->data);
    }
  g_mutex_unlock (&self->lock);
  return NULL;
}

EaselHasher *
easel_hasher_new (void (*wake) (gpointer data), gpointer data)
{
  EaselHasher *self = g_new0 (EaselHasher, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->jobs = g_ptr_array_new ();
  self->buffer = g_malloc (CHUNK);
  self->wake = wake;
  self->data = data;
  self->thread = g_thread_new ("easel-hash", hasher_thread, self);
  return self;
}

void
easel_hasher_free (EaselHasher *self)
{
  if (!self)
    return;
  g_mutex_lock (&self->lock);
  self->quit = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);
  g_ptr_array_unref (self->jobs);
  g_free (self->buffer);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self);
}

EaselHashJob *
easel_hasher_add (EaselHasher *self, int fd, gint64 size, const char *etag, gboolean sync)
{
  EaselHashJob *job = g_new0 (EaselHashJob, 1);

  job->hasher = self;
  job->digest = easel_digest_new (etag, size);
  job->etag = g_strdup (etag);
  job->fd = fd;
  job->size = size;
  job->sync = sync;
  job->state = job->digest ? EASEL_HASH_RUNNING : EASEL_HASH_FAILED;
  job->code = job->digest ? 0 : ENOMEM;
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->jobs, job);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  return job;
}

void
easel_hash_job_frontier (EaselHashJob *self, gint64 bytes)
{
  EaselHasher *hasher = self->hasher;

  g_mutex_lock (&hasher->lock);
  if (bytes > self->frontier)
    {
      self->frontier = bytes;
      g_cond_broadcast (&hasher->cond);
    }
  g_mutex_unlock (&hasher->lock);
}

EaselHashState
easel_hash_job_state (EaselHashJob *self, gint64 *hashed, int *code)
{
  EaselHashState state;

  g_mutex_lock (&self->hasher->lock);
  state = self->state;
  if (hashed)
    *hashed = self->hashed;
  if (code)
    *code = self->code;
  g_mutex_unlock (&self->hasher->lock);
  return state;
}

void
easel_hash_job_end (EaselHashJob *self)
{
  EaselHasher *hasher;

  if (!self)
    return;
  hasher = self->hasher;
  g_mutex_lock (&hasher->lock);
  while (self->busy)
    g_cond_wait (&hasher->cond, &hasher->lock);
  g_ptr_array_remove (hasher->jobs, self);
  g_mutex_unlock (&hasher->lock);
  easel_digest_free (self->digest);
  g_free (self->etag);
  g_free (self);
}
