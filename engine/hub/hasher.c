/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One thread that follows the network thread at the frontier (the end of what is on disk without a gap) and hashes. A
 * block that was written at the frontier is handed over in the buffer it was written from: reading it back costs as
 * much as half the hash. What came out of order, or before this run, or while every buffer was waiting, is read back
 * from the page cache; so the network never waits for the hash, and out of order costs no memory.
 */
#include <errno.h>
#include <unistd.h>

#include "engine/hub/hub-private.h"

#define CHUNK (128 << 10)   /* read back: small enough to stay in the processor's second cache */
#define WAITING (8 << 20)   /* bytes in buffers that wait, at most */

/* A block as it was written, at its place in the file. */
typedef struct
{
  gint64 at;
  gsize n;
  guint8 *bytes;
} Block;

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
  GQueue blocks; /* owned Block, by place; all at or behind `hashed` and before `frontier` */
};

struct EaselHasher
{
  GThread *thread;
  GMutex lock;
  GCond cond; /* work for the thread */
  GCond done; /* a job is no longer busy */
  GPtrArray *jobs; /* borrowed EaselHashJob, in order of arrival */
  gboolean quit, idle; /* idle: the thread waits for work */
  gsize block;     /* bytes of a buffer */
  guint n_buffers, max_buffers; /* made for waiting blocks */
  GQueue spare;    /* owned buffers */
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

/* Hashes `block`, or reads back from `at` and hashes that; without the lock. The new state. */
static EaselHashState
work (EaselHasher *self, EaselHashJob *job, gint64 at, gint64 end, const Block *block, gint64 *n_hashed)
{
  gssize n = 0;

  if (block)
    n = (gssize) block->n;
  else if (at < end)
    do
      n = pread (job->fd, self->buffer, MIN (CHUNK, end - at), at);
    while (n < 0 && errno == EINTR);
  if (n < 0 || (n == 0 && at < end))
    {
      job->code = n < 0 ? errno : EIO;
      return EASEL_HASH_FAILED;
    }
  easel_digest_update (job->digest, block ? block->bytes : self->buffer, n);
  *n_hashed = n;
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

static void
give_back_locked (EaselHasher *self, Block *block)
{
  g_queue_push_head (&self->spare, block->bytes); /* the next one taken: still in the cache */
  g_free (block);
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
      Block *block;
      gint64 at, end, n = 0;

      if (!job)
        {
          self->idle = TRUE;
          g_cond_wait (&self->cond, &self->lock);
          self->idle = FALSE;
          continue;
        }
      job->busy = TRUE;
      at = job->hashed;
      end = job->frontier;
      block = g_queue_peek_head (&job->blocks);
      if (block && block->at == at)
        g_queue_pop_head (&job->blocks);
      else if (block)
        {
          end = MIN (end, block->at); /* read back only what nobody kept */
          block = NULL;
        }
      g_mutex_unlock (&self->lock);
      state = work (self, job, at, end, block, &n);
      g_mutex_lock (&self->lock);
      if (block)
        give_back_locked (self, block);
      job->hashed += n;
      job->state = state;
      job->busy = FALSE;
      g_cond_broadcast (&self->done);
      if (state != EASEL_HASH_RUNNING)
        self->wake (self->data);
    }
  g_mutex_unlock (&self->lock);
  return NULL;
}

EaselHasher *
easel_hasher_new (gsize block, void (*wake) (gpointer data), gpointer data)
{
  EaselHasher *self = g_new0 (EaselHasher, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  g_cond_init (&self->done);
  self->block = block;
  self->max_buffers = MAX (2, WAITING / block);
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
  g_queue_clear_full (&self->spare, g_free);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_cond_clear (&self->done);
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

/* An empty buffer in exchange for a full one; NULL when all of them wait. */
static guint8 *
empty_buffer_locked (EaselHasher *self)
{
  guint8 *buffer = g_queue_pop_head (&self->spare);

  if (!buffer && self->n_buffers < self->max_buffers)
    {
      buffer = g_malloc (self->block);
      self->n_buffers++;
    }
  return buffer;
}

void
easel_hash_job_written (EaselHashJob *self, gint64 at, gsize n, guint8 **bytes, gint64 frontier)
{
  EaselHasher *hasher = self->hasher;
  guint8 *empty;

  g_mutex_lock (&hasher->lock);
  if (bytes && at == self->frontier && self->state == EASEL_HASH_RUNNING && (empty = empty_buffer_locked (hasher)))
    {
      Block *block = g_new0 (Block, 1);

      block->at = at;
      block->n = n;
      block->bytes = *bytes;
      *bytes = empty;
      g_queue_push_tail (&self->blocks, block);
    }
  if (frontier > self->frontier)
    {
      self->frontier = frontier;
      if (hasher->idle)
        g_cond_signal (&hasher->cond);
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
    g_cond_wait (&hasher->done, &hasher->lock);
  g_ptr_array_remove (hasher->jobs, self);
  while (!g_queue_is_empty (&self->blocks))
    give_back_locked (hasher, g_queue_pop_head (&self->blocks));
  g_mutex_unlock (&hasher->lock);
  easel_digest_free (self->digest);
  g_free (self->etag);
  g_free (self);
}
