/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Threads that run numbered units of work. Units are handed out by an atomic counter, so a thread that is held up by
 * other programs delays no more than its own unit. A waiting thread spins for some microseconds before it sleeps: ops
 * follow each other closely within a forward pass.
 */
#include "cpu.h"

#include <stdlib.h>

#define SPINS 4000

typedef struct
{
  EaselPool *pool;
  int worker;
  pthread_t thread;
} Worker;

struct EaselPool
{
  int n_threads, n_started;
  Worker *workers;
  pthread_mutex_t mutex;
  pthread_cond_t wake, done;
  /* The job, written under the mutex before `generation` moves. */
  EaselWorkFunc func;
  const void *data;
  int64_t n_units;
  int64_t next;        /* atomic: next unit */
  int n_busy;          /* atomic: threads that have not finished this generation */
  unsigned generation; /* atomic */
  bool quit;
};

static inline void
relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ volatile ("yield");
#endif
}

static void
run_units (EaselPool *self, int worker)
{
  int64_t unit;

  while ((unit = __atomic_fetch_add (&self->next, 1, __ATOMIC_RELAXED)) < self->n_units)
    self->func (self->data, unit, worker);
}

static void *
worker_main (void *data)
{
  Worker *worker = data;
  EaselPool *self = worker->pool;
  unsigned seen = 0;

  for (;;)
    {
      for (int i = 0; i < SPINS && __atomic_load_n (&self->generation, __ATOMIC_ACQUIRE) == seen; i++)
        relax ();
      pthread_mutex_lock (&self->mutex);
      while (self->generation == seen && !self->quit)
        pthread_cond_wait (&self->wake, &self->mutex);
      seen = self->generation;
      pthread_mutex_unlock (&self->mutex);
      if (self->quit)
        return NULL;
      run_units (self, worker->worker);
      if (__atomic_sub_fetch (&self->n_busy, 1, __ATOMIC_ACQ_REL) == 0)
        {
          pthread_mutex_lock (&self->mutex);
          pthread_cond_signal (&self->done);
          pthread_mutex_unlock (&self->mutex);
        }
    }
}

EaselPool *
easel_pool_new (int n_threads)
{
  EaselPool *self = calloc (1, sizeof *self);

  if (!self)
    return NULL;
  self->n_threads = n_threads;
  pthread_mutex_init (&self->mutex, NULL);
  pthread_cond_init (&self->wake, NULL);
  pthread_cond_init (&self->done, NULL);
  if (!(self->workers = calloc ((size_t) n_threads, sizeof *self->workers)))
    {
      easel_pool_free (self);
      return NULL;
    }
  for (int i = 1; i < n_threads; i++)
    {
      self->workers[i] = (Worker){ .pool = self, .worker = i };
      if (pthread_create (&self->workers[i].thread, NULL, worker_main, &self->workers[i]) != 0)
        {
          easel_pool_free (self);
          return NULL;
        }
      self->n_started = i;
    }
  return self;
}

void
easel_pool_free (EaselPool *self)
{
  if (!self)
    return;
  pthread_mutex_lock (&self->mutex);
  self->quit = true;
  pthread_cond_broadcast (&self->wake);
  pthread_mutex_unlock (&self->mutex);
  for (int i = 1; i <= self->n_started; i++)
    pthread_join (self->workers[i].thread, NULL);
  pthread_cond_destroy (&self->wake);
  pthread_cond_destroy (&self->done);
  pthread_mutex_destroy (&self->mutex);
  free (self->workers);
  free (self);
}

int
easel_pool_n_threads (EaselPool *self)
{
  return self->n_threads;
}

void
easel_pool_run (EaselPool *self, int64_t n_units, EaselWorkFunc func, const void *data)
{
  if (self->n_threads == 1 || n_units <= 1)
    {
      for (int64_t unit = 0; unit < n_units; unit++)
        func (data, unit, 0);
      return;
    }

  pthread_mutex_lock (&self->mutex);
  self->func = func;
  self->data = data;
  self->n_units = n_units;
  __atomic_store_n (&self->next, 0, __ATOMIC_RELAXED);
  __atomic_store_n (&self->n_busy, self->n_threads - 1, __ATOMIC_RELAXED);
  __atomic_add_fetch (&self->generation, 1, __ATOMIC_RELEASE);
  pthread_cond_broadcast (&self->wake);
  pthread_mutex_unlock (&self->mutex);

  run_units (self, 0);

  for (int i = 0; i < SPINS && __atomic_load_n (&self->n_busy, __ATOMIC_ACQUIRE) > 0; i++)
    relax ();
  pthread_mutex_lock (&self->mutex);
  while (__atomic_load_n (&self->n_busy, __ATOMIC_ACQUIRE) > 0)
    pthread_cond_wait (&self->done, &self->mutex);
  pthread_mutex_unlock (&self->mutex);
}
