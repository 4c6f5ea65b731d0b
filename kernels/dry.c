/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The device that computes nothing. Its addresses start where no process has memory, so that a read of them faults
 * rather than gives numbers. ops.c checks and counts as on any other device; here every op is then a no-op.
 */
#include "ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_ALLOCATIONS ((uintptr_t) 1 << 52)
#define FAKE_ARENA ((uintptr_t) 1 << 54)

typedef struct
{
  uintptr_t next;
} DryDevice;

static EaselStatus
dry_alloc (EaselDevice *device, size_t bytes, void **out)
{
  DryDevice *self = device->priv;
  uintptr_t size = (bytes + 4095) / 4096 * 4096;

  if (bytes > (uintptr_t) 1 << 50)
    return EASEL_STATUS_NO_MEMORY;
  *out = (void *) (__atomic_add_fetch (&self->next, size, __ATOMIC_RELAXED) - size);
  return EASEL_STATUS_OK;
}

static void
dry_free (EaselDevice *device, void *data, size_t bytes)
{
  (void) device, (void) data, (void) bytes;
}

static EaselStatus
dry_upload (EaselStream *stream, void *dst, const void *src, size_t bytes)
{
  (void) stream, (void) dst, (void) src, (void) bytes;
  return EASEL_STATUS_OK;
}

static EaselStatus
dry_download (EaselStream *stream, void *dst, const void *src, size_t bytes)
{
  (void) stream, (void) src;
  memset (dst, 0, bytes);
  return EASEL_STATUS_OK;
}

static EaselStatus
dry_synchronize (EaselStream *stream)
{
  (void) stream;
  return EASEL_STATUS_OK;
}

static EaselStatus
dry_stream_open (EaselStream *stream)
{
  stream->base = (char *) FAKE_ARENA;
  stream->capacity = (size_t) 1 << 52;
  return EASEL_STATUS_OK;
}

static void
dry_close (EaselDevice *device)
{
  free (device->priv);
  free (device);
}

#define DRY_OP(name, Args)                        \
  static void dry_##name (EaselStream *s, const Args *a) \
  {                                               \
    (void) s, (void) a;                           \
  }
EASEL_FOR_EACH_OP (DRY_OP)
#undef DRY_OP

#define DRY_ENTRY(name, Args) .name = dry_##name,
static const EaselOps dry_ops = { EASEL_FOR_EACH_OP (DRY_ENTRY) };
#undef DRY_ENTRY

static const EaselBackend dry_backend = {
  .kind = "dry",
  .alloc = dry_alloc,
  .free = dry_free,
  .upload = dry_upload,
  .download = dry_download,
  .synchronize = dry_synchronize,
  .stream_open = dry_stream_open,
  .close = dry_close,
  .ops = &dry_ops,
};

EaselStatus
easel_dry_device_open (EaselDtype act_dtype, EaselDevice **out)
{
  EaselDevice *device = calloc (1, sizeof *device);
  DryDevice *self = calloc (1, sizeof *self);

  if (!device || !self)
    {
      free (device);
      free (self);
      return EASEL_STATUS_NO_MEMORY;
    }
  self->next = FAKE_ALLOCATIONS;
  device->backend = &dry_backend;
  snprintf (device->name, sizeof device->name, "dry run, %s", easel_dtype_name (act_dtype));
  device->act_dtype = act_dtype;
  device->act_dtypes = 1u << EASEL_DTYPE_F32 | 1u << EASEL_DTYPE_F16 | 1u << EASEL_DTYPE_BF16;
  device->maps_weights = true;
  device->priv = self;
  *out = device;
  return EASEL_STATUS_OK;
}
