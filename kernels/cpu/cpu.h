/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The CPU backend from inside. Ops of one device run one at a time (its lock is held while they do); each splits its
 * work into units whose borders depend on the shapes alone, so that results do not depend on the number of threads.
 * No op allocates: each worker has EASEL_CPU_SCRATCH bytes, all together share EASEL_CPU_SHARED.
 */
#pragma once

#include "kernels/ops.h"

#include <pthread.h>

#define EASEL_CPU_SCRATCH ((size_t) 1 << 20) /* bytes a worker */
#define EASEL_CPU_SHARED ((size_t) 2 << 20)  /* bytes a device */
#define EASEL_CPU_MAX_THREADS 256

/* Work unit `unit`, run by `worker` in [0, n_threads); both pointers borrowed. */
typedef void (*EaselWorkFunc) (const void *data, int64_t unit, int worker);

typedef struct EaselPool EaselPool;

/* n_threads - 1 threads are started; the caller of easel_pool_run is the remaining one. NULL when the system
 * refuses. */
EaselPool *easel_pool_new (int n_threads);
void easel_pool_free (EaselPool *pool);
int easel_pool_n_threads (EaselPool *pool);

/* Runs units [0, n_units), in any order, and returns when all are done. One caller at a time. */
void easel_pool_run (EaselPool *pool, int64_t n_units, EaselWorkFunc func, const void *data);

typedef struct
{
  EaselPool *pool;
  pthread_mutex_t lock;
  const EaselOps *ops; /* the unlocked kernels */
  char *scratch;       /* n_threads * EASEL_CPU_SCRATCH, then EASEL_CPU_SHARED */
  size_t scratch_bytes;
} EaselCpu;

static inline EaselCpu *
easel_cpu (EaselStream *s)
{
  return s->device->priv;
}

static inline void *
easel_cpu_scratch (const EaselCpu *cpu, int worker)
{
  return cpu->scratch + (size_t) worker * EASEL_CPU_SCRATCH;
}

static inline void *
easel_cpu_shared (const EaselCpu *cpu)
{
  return cpu->scratch + (size_t) easel_pool_n_threads (cpu->pool) * EASEL_CPU_SCRATCH;
}

static inline int64_t
easel_min_i64 (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static inline int64_t
easel_ceil_div (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

/* The plain twins: C as one would write it on paper, and OpenBLAS. */
extern const EaselOps easel_cpu_plain_ops;
/* The same sources compiled for each width of vectors (simd/). */
extern const EaselOps easel_simd128_ops;
#if defined(__x86_64__)
extern const EaselOps easel_avx2_ops, easel_avx512_ops;
#endif
#define EASEL_PLAIN_PROTOTYPE(name, Args) void easel_plain_##name (EaselStream *s, const Args *a);
EASEL_FOR_EACH_OP (EASEL_PLAIN_PROTOTYPE)
#undef EASEL_PLAIN_PROTOTYPE
