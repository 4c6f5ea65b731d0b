/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Threads that run numbered units of work. Units are handed out by an atomic counter, and the caller works too: a
 * thread that the system has put aside delays no more than the unit it holds, and one that comes late finds the job
 * closed and is not waited for. A waiting thread spins for some microseconds before it sleeps: ops follow each other
 * closely within a forward pass.
 *
 * One word says how things stand: generation (high half), CLOSED, and how many threads are in the job. Threads join by
 * compare-and-swap while it is open; the caller closes it when no unit is left and waits until they have gone. The
 * job's fields are written only while it is closed and empty.
 */
#include "cpu.h"

#include <stdlib.h>

#define SPINS 1000
#define CLOSED ((uint64_t) 1 << 31)
#define THREADS (CLOSED - 1)
#define GENERATION(state) ((uint32_t) ((state) >> 32))

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
  EaselWorkFunc func;
  const void *data;
  int64_t n_units;
  int64_t next; /* atomic: next unit */
  uint64_t state; /* atomic */
  bool quit;      /* under the mutex */
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

static inline uint64_t
state_of (EaselPool *self)
{
  return __atomic_load_n (&self->state, __ATOMIC_ACQUIRE);
}

static void
run_units (EaselPool *self, int worker)
{
  int64_t unit;

  while ((unit = __atomic_fetch_add (&self->next, 1, __ATOMIC_RELAXED)) < self->n_units)
    self->func (self->data, unit, worker);
}

/* Waits for a generation other than `seen`; false: the pool ends. */
static bool
wait_for_work (EaselPool *self, uint32_t seen)
{
  bool quit;

  for (int i = 0; i < SPINS; i++)
    {
      if (GENERATION (state_of (self)) != seen)
        return true;
      relax ();
    }
  pthread_mutex_lock (&self->mutex);
  while (GENERATION (state_of (self)) == seen && !self->quit)
    pthread_cond_wait (&self->wake, &self->mutex);
  quit = self->quit;
  pthread_mutex_unlock (&self->mutex);
  return !quit;
}

/* In the job that `state` tells of, unless it has been closed or followed by another. */
static bool
join (EaselPool *self, uint64_t state)
{
  uint32_t generation = GENERATION (state);

  while (!(state & CLOSED) && GENERATION (state) == generation)
    if (__atomic_compare_exchange_n (&self->state, &state, state + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      return true;
  return false;
}

static void *
worker_main (void *data)
{
  Worker *worker = data;
  EaselPool *self = worker->pool;
  uint32_t seen = 0;

  while (wait_for_work (self, seen))
    {
      uint64_t state = state_of (self);

      seen = GENERATION (state);
      if (!join (self, state))
        continue;
      run_units (self, worker->worker);
      state = __atomic_sub_fetch (&self->state, 1, __ATOMIC_ACQ_REL);
      if ((state & CLOSED) && !(state & THREADS))
        {
          pthread_mutex_lock (&self->mutex);
          pthread_cond_signal (&self->done);
          pthread_mutex_unlock (&self->mutex);
        }
    }
  return NULL;
}

EaselPool *
easel_pool_new (int n_threads)
{
  EaselPool *self = calloc (1, sizeof *self);

  if (!self)
    return NULL;
  self->n_threads = n_threads;
  self->state = CLOSED;
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
  uint64_t state;

  if (self->n_threads == 1 || n_units <= 1)
    {
      for (int64_t unit = 0; unit < n_units; unit++)
        func (data, unit, 0);
      return;
    }

  self->func = func;
  self->data = data;
  self->n_units = n_units;
  __atomic_store_n (&self->next, 0, __ATOMIC_RELAXED);
  pthread_mutex_lock (&self->mutex); /* so that nobody falls asleep between looking and waiting */
  __atomic_store_n (&self->state, (uint64_t) (GENERATION (state_of (self)) + 1) << 32, __ATOMIC_RELEASE);
  pthread_cond_broadcast (&self->wake);
  pthread_mutex_unlock (&self->mutex);

  run_units (self, 0);

  state = __atomic_or_fetch (&self->state, CLOSED, __ATOMIC_ACQ_REL);
  for (int i = 0; i < SPINS && (state & THREADS); i++)
    {
      relax ();
      state = state_of (self);
    }
  if (!(state & THREADS))
    return;
  pthread_mutex_lock (&self->mutex);
  while (state_of (self) & THREADS)
    pthread_cond_wait (&self->done, &self->mutex);
  pthread_mutex_unlock (&self->mutex);
}
