/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opens the CPU: chooses the set of kernels, starts the threads, takes the scratch.
 */
#include "cpu.h"

#include <cblas.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static EaselStatus
cpu_alloc (EaselDevice *device, size_t bytes, void **out)
{
  (void) device;
  return posix_memalign (out, 64, bytes) == 0 ? EASEL_STATUS_OK : EASEL_STATUS_NO_MEMORY;
}

static void
cpu_free (EaselDevice *device, void *data, size_t bytes)
{
  (void) device, (void) bytes;
  free (data);
}

static EaselStatus
cpu_upload (EaselStream *stream, void *dst, const void *src, size_t bytes)
{
  (void) stream;
  memcpy (dst, src, bytes);
  return EASEL_STATUS_OK;
}

static EaselStatus
cpu_synchronize (EaselStream *stream)
{
  (void) stream;
  return EASEL_STATUS_OK;
}

static void
cpu_close (EaselDevice *device)
{
  EaselCpu *self = device->priv;

  if (self)
    {
      easel_pool_free (self->pool);
      easel_device_free (device, self->scratch, self->scratch_bytes);
      pthread_mutex_destroy (&self->lock);
      free (self);
    }
  free (device);
}

/* The device's table: each kernel under the device's lock, since threads and scratch are shared. */
#define LOCKED_OP(name, Args)                            \
  static void locked_##name (EaselStream *s, const Args *a) \
  {                                                      \
    EaselCpu *self = easel_cpu (s);                      \
    pthread_mutex_lock (&self->lock);                    \
    self->ops->name (s, a);                              \
    pthread_mutex_unlock (&self->lock);                  \
  }
EASEL_FOR_EACH_OP (LOCKED_OP)
#undef LOCKED_OP

#define LOCKED_ENTRY(name, Args) .name = locked_##name,
static const EaselOps locked_ops = { EASEL_FOR_EACH_OP (LOCKED_ENTRY) };
#undef LOCKED_ENTRY

#define PLAIN_ENTRY(name, Args) .name = easel_plain_##name,
const EaselOps easel_cpu_plain_ops = { EASEL_FOR_EACH_OP (PLAIN_ENTRY) };
#undef PLAIN_ENTRY

static const EaselBackend cpu_backend = {
  .kind = "cpu",
  .alloc = cpu_alloc,
  .free = cpu_free,
  .upload = cpu_upload,
  .download = cpu_upload,
  .synchronize = cpu_synchronize,
  .close = cpu_close,
  .ops = &locked_ops,
};

static int
count_processors (void)
{
  cpu_set_t set;
  long n;

  if (sched_getaffinity (0, sizeof set, &set) == 0 && CPU_COUNT (&set) > 0)
    return CPU_COUNT (&set);
  n = sysconf (_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int) n : 1;
}

#if defined(__x86_64__)
/* Half precision conversions. Asked of the processor itself: clang before 15 does not know this name. */
static bool
has_f16c (void)
{
  unsigned a, b, c, d;
  return __get_cpuid (1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

/* The kernels of a level and their name, or NULL when this processor or build has none. */
static const EaselOps *
ops_of_level (EaselCpuLevel level, const char **name)
{
#if defined(__x86_64__)
  bool avx2 = __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma") && has_f16c ();
  bool avx512 = avx2 && __builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512vl") &&
                __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512dq");

  if (level == EASEL_CPU_BEST)
    level = avx512 ? EASEL_CPU_SIMD_AVX512 : avx2 ? EASEL_CPU_SIMD_AVX2 : EASEL_CPU_SIMD_128;
  if (level == EASEL_CPU_SIMD_AVX512 && avx512)
    {
      *name = "AVX-512";
      return &easel_avx512_ops;
    }
  if (level == EASEL_CPU_SIMD_AVX2 && avx2)
    {
      *name = "AVX2";
      return &easel_avx2_ops;
    }
#endif
  if (level == EASEL_CPU_BEST)
    level = EASEL_CPU_SIMD_128;
  *name = level == EASEL_CPU_PLAIN ? "plain" : "128-bit";
  return level == EASEL_CPU_PLAIN ? &easel_cpu_plain_ops : level == EASEL_CPU_SIMD_128 ? &easel_simd128_ops : NULL;
}

EaselStatus
easel_cpu_device_open (int n_threads, EaselDevice **out)
{
  return easel_cpu_device_open_level (n_threads, EASEL_CPU_BEST, out);
}

EaselStatus
easel_cpu_device_open_level (int n_threads, EaselCpuLevel level, EaselDevice **out)
{
  EaselStatus status = EASEL_STATUS_NO_MEMORY;
  EaselDevice *device = NULL;
  EaselCpu *self;
  const EaselOps *ops;
  const char *name = "";
  void *scratch = NULL;

  if (!(ops = ops_of_level (level, &name)))
    return EASEL_STATUS_UNSUPPORTED;
  if (n_threads <= 0)
    n_threads = count_processors ();
  if (n_threads > EASEL_CPU_MAX_THREADS)
    n_threads = EASEL_CPU_MAX_THREADS;
  /* OpenBLAS runs within our threads; its own would compete with them. */
  openblas_set_num_threads (1);

  if (!(device = calloc (1, sizeof *device)))
    return EASEL_STATUS_NO_MEMORY;
  device->backend = &cpu_backend;
  device->act_dtype = EASEL_DTYPE_F32;
  device->act_dtypes = 1u << EASEL_DTYPE_F32;
  device->maps_weights = true;
  snprintf (device->name, sizeof device->name, "CPU, %d thread%s (%s)", n_threads, n_threads == 1 ? "" : "s", name);
  if (!(device->priv = self = calloc (1, sizeof *self)))
    goto fail;
  self->ops = ops;
  pthread_mutex_init (&self->lock, NULL);
  self->scratch_bytes = (size_t) n_threads * EASEL_CPU_SCRATCH + EASEL_CPU_SHARED;
  if ((status = easel_device_alloc (device, self->scratch_bytes, &scratch)) != EASEL_STATUS_OK)
    goto fail;
  self->scratch = scratch;
  if (!(self->pool = easel_pool_new (n_threads)))
    {
      status = EASEL_STATUS_NO_MEMORY;
      goto fail;
    }
  *out = device;
  return EASEL_STATUS_OK;

fail:
  cpu_close (device);
  return status;
}
