/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all devices share: counted allocation, the arena, the sticky error. Counters are atomic, since a device may be
 * used by several threads; a stream is not.
 */
#include "device.h"

#include "half.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

void
easel_device_close (EaselDevice **device)
{
  if (!*device)
    return;
  (*device)->backend->close (*device);
  *device = NULL;
}

EaselStatus
easel_device_alloc (EaselDevice *device, size_t bytes, void **out)
{
  EaselStatus status;
  uint64_t used, peak;
  void *data = NULL;

  if (bytes == 0)
    return EASEL_STATUS_BAD_SHAPE;
  if (__atomic_load_n (&device->fail_after, __ATOMIC_RELAXED) > 0 &&
      __atomic_sub_fetch (&device->fail_after, 1, __ATOMIC_RELAXED) == 0)
    return EASEL_STATUS_NO_MEMORY;

  /* Reserve before asking the backend, so that two threads cannot pass the limit together. */
  used = __atomic_add_fetch (&device->memory_used, bytes, __ATOMIC_RELAXED);
  if (used < bytes || (device->memory_limit && used > device->memory_limit))
    {
      __atomic_sub_fetch (&device->memory_used, bytes, __ATOMIC_RELAXED);
      return EASEL_STATUS_NO_MEMORY;
    }
  if ((status = device->backend->alloc (device, bytes, &data)) != EASEL_STATUS_OK)
    {
      __atomic_sub_fetch (&device->memory_used, bytes, __ATOMIC_RELAXED);
      return status;
    }
  peak = __atomic_load_n (&device->memory_peak, __ATOMIC_RELAXED);
  while (used > peak && !__atomic_compare_exchange_n (&device->memory_peak, &peak, used, true, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED))
    ;
  *out = data;
  return EASEL_STATUS_OK;
}

void
easel_device_free (EaselDevice *device, void *data, size_t bytes)
{
  if (!data)
    return;
  device->backend->free (device, data, bytes);
  __atomic_sub_fetch (&device->memory_used, bytes, __ATOMIC_RELAXED);
}

void
easel_device_reset_peak (EaselDevice *device)
{
  __atomic_store_n (&device->memory_peak, __atomic_load_n (&device->memory_used, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

bool
easel_device_memory (EaselDevice *device, uint64_t *free_bytes, uint64_t *total_bytes)
{
  return device->backend->memory && device->backend->memory (device, free_bytes, total_bytes);
}

EaselStatus
easel_stream_open (EaselDevice *device, size_t arena_bytes, EaselStream **out)
{
  EaselStatus status;
  EaselStream *self;
  void *base = NULL;

  if (!(self = calloc (1, sizeof *self)))
    return EASEL_STATUS_NO_MEMORY;
  self->device = device;
  self->act_dtype = device->act_dtype;
  if (device->backend->stream_open && (status = device->backend->stream_open (self)) != EASEL_STATUS_OK)
    {
      free (self);
      return status;
    }
  /* A backend may have provided an arena of its own (the dry device does). */
  if (!self->base && arena_bytes > 0)
    {
      if ((status = easel_device_alloc (device, arena_bytes, &base)) != EASEL_STATUS_OK)
        {
          if (device->backend->stream_close)
            device->backend->stream_close (self);
          free (self);
          return status;
        }
      self->base = base;
      self->capacity = arena_bytes;
      self->owns_arena = true;
    }
  *out = self;
  return EASEL_STATUS_OK;
}

void
easel_stream_close (EaselStream **stream)
{
  EaselStream *self = *stream;

  if (!self)
    return;
  if (self->device->backend->stream_close)
    self->device->backend->stream_close (self);
  if (self->owns_arena)
    easel_device_free (self->device, self->base, self->capacity);
  free (self);
  *stream = NULL;
}

bool
easel_stream_set_act (EaselStream *self, EaselDtype dtype)
{
  if (dtype > EASEL_DTYPE_BF16 || !(self->device->act_dtypes >> dtype & 1))
    {
      easel_stream_fail (self, EASEL_STATUS_UNSUPPORTED, "%s does not compute in %s", self->device->name,
                         easel_dtype_name (dtype));
      return false;
    }
  self->act_dtype = dtype;
  return true;
}

EaselTensor
easel_stream_alloc (EaselStream *self, EaselDtype dtype, int n_dims, const int64_t *shape)
{
  size_t bytes = easel_dtype_size (dtype);
  size_t start = (self->used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

  if (self->status != EASEL_STATUS_OK)
    return EASEL_NO_TENSOR;
  if (n_dims < 1 || n_dims > EASEL_MAX_DIMS || bytes == 0)
    {
      easel_stream_fail (self, EASEL_STATUS_BAD_SHAPE, "a tensor of %d dimensions", n_dims);
      return EASEL_NO_TENSOR;
    }
  for (int i = 0; i < n_dims; i++)
    if (shape[i] < 1 || __builtin_mul_overflow (bytes, (size_t) shape[i], &bytes) || bytes > PTRDIFF_MAX / 2)
      {
        easel_stream_fail (self, EASEL_STATUS_BAD_SHAPE, "a tensor with a dimension of %lld", (long long) shape[i]);
        return EASEL_NO_TENSOR;
      }
  if (start > self->capacity || bytes > self->capacity - start)
    {
      easel_stream_fail (self, EASEL_STATUS_NO_MEMORY, "the arena has %zu of %zu bytes left, %zu more are needed",
                         self->capacity - (start < self->capacity ? start : self->capacity), self->capacity, bytes);
      return EASEL_NO_TENSOR;
    }
  self->used = start + bytes;
  if (self->used > self->peak)
    self->peak = self->used;
  return easel_tensor (self->base + start, dtype, n_dims, shape);
}

size_t
easel_stream_mark (EaselStream *self)
{
  return self->used;
}

void
easel_stream_release (EaselStream *self, size_t mark)
{
  if (mark <= self->used)
    self->used = mark;
}

void
easel_upload (EaselStream *self, EaselTensor dst, const void *src)
{
  EaselStatus status;

  if (self->status != EASEL_STATUS_OK || !dst.data)
    return;
  if ((status = self->device->backend->upload (self, dst.data, src, easel_tensor_bytes (&dst))) != EASEL_STATUS_OK)
    easel_stream_fail (self, status, "upload of %zu bytes", easel_tensor_bytes (&dst));
}

static float
float_at (const void *data, EaselDtype dtype, size_t i)
{
  if (dtype == EASEL_DTYPE_F32)
    {
      float f;
      memcpy (&f, (const char *) data + i * sizeof f, sizeof f); /* files need not align */
      return f;
    }
  uint16_t h;
  memcpy (&h, (const char *) data + i * sizeof h, sizeof h);
  return dtype == EASEL_DTYPE_BF16 ? easel_f32_from_bf16 (h) : easel_f32_from_f16 (h);
}

/* For backends that cannot convert: on the host, in pieces. */
static EaselStatus
upload_converted (EaselStream *self, EaselTensor dst, const void *src, EaselDtype src_dtype)
{
  const size_t n = (size_t) easel_tensor_count (&dst), size = easel_dtype_size (dst.dtype);
  union
  {
    float f32[1024];
    uint16_t h[1024];
  } piece;

  if (dst.dtype > EASEL_DTYPE_BF16 || src_dtype > EASEL_DTYPE_BF16)
    return EASEL_STATUS_UNSUPPORTED;
  for (size_t at = 0; at < n; at += 1024)
    {
      const size_t m = n - at < 1024 ? n - at : 1024;
      EaselStatus status;

      for (size_t i = 0; i < m; i++)
        {
          const float f = float_at (src, src_dtype, at + i);

          if (dst.dtype == EASEL_DTYPE_F32)
            piece.f32[i] = f;
          else
            piece.h[i] = dst.dtype == EASEL_DTYPE_BF16 ? easel_bf16_from_f32 (f) : easel_f16_from_f32 (f);
        }
      status = self->device->backend->upload (self, (char *) dst.data + at * size, &piece, m * size);
      if (status != EASEL_STATUS_OK)
        return status;
    }
  return EASEL_STATUS_OK;
}

/* The same for a scaled tensor, a row at a time. */
static EaselStatus
upload_quantised (EaselStream *self, EaselTensor dst, const void *src, EaselDtype src_dtype)
{
  const int64_t rows = easel_tensor_n_rows (&dst), k = dst.shape[dst.n_dims - 1];
  EaselStatus status = EASEL_STATUS_OK;
  float *row = malloc ((size_t) k * (sizeof *row + 1));

  if (!row)
    return EASEL_STATUS_NO_MEMORY;
  if (src_dtype > EASEL_DTYPE_BF16 || !dst.scales)
    status = EASEL_STATUS_UNSUPPORTED;
  for (int64_t m = 0; m < rows && status == EASEL_STATUS_OK; m++)
    {
      float scale;

      easel_floats_at (row, src, src_dtype, m * k, k);
      easel_quantise_row (row, k, dst.dtype, row + k, &scale);
      status = self->device->backend->upload (self, (char *) dst.data + m * k, row + k, (size_t) k);
      if (status == EASEL_STATUS_OK)
        status = self->device->backend->upload (self, dst.scales + m, &scale, sizeof scale);
    }
  free (row);
  return status;
}

void
easel_upload_weight (EaselStream *self, EaselTensor dst, const void *src, EaselDtype src_dtype)
{
  EaselStatus status;

  if (self->status != EASEL_STATUS_OK || !dst.data)
    return;
  if (self->device->backend->upload_weight)
    status = self->device->backend->upload_weight (self, dst, src, src_dtype);
  else if (dst.dtype == src_dtype)
    status = self->device->backend->upload (self, dst.data, src, easel_tensor_bytes (&dst));
  else if (easel_dtype_is_scaled (dst.dtype))
    status = upload_quantised (self, dst, src, src_dtype);
  else
    status = upload_converted (self, dst, src, src_dtype);
  if (status != EASEL_STATUS_OK)
    easel_stream_fail (self, status, "upload of a weight of %zu bytes from %s to %s", easel_tensor_bytes (&dst),
                       easel_dtype_name (src_dtype), easel_dtype_name (dst.dtype));
}

void
easel_download (EaselStream *self, void *dst, EaselTensor src)
{
  EaselStatus status;

  if (self->status != EASEL_STATUS_OK || !src.data)
    return;
  if ((status = self->device->backend->download (self, dst, src.data, easel_tensor_bytes (&src))) != EASEL_STATUS_OK)
    easel_stream_fail (self, status, "download of %zu bytes", easel_tensor_bytes (&src));
}

void
easel_synchronize (EaselStream *self)
{
  EaselStatus status;

  if (self->status != EASEL_STATUS_OK)
    return;
  if ((status = self->device->backend->synchronize (self)) != EASEL_STATUS_OK)
    easel_stream_fail (self, status, "the device did not finish its work");
}

EaselStatus
easel_host_alloc (EaselDevice *device, size_t bytes, void **out)
{
  void *data;

  if (device->backend->host_alloc)
    return device->backend->host_alloc (device, bytes, out);
  if (!(data = malloc (bytes)))
    return EASEL_STATUS_NO_MEMORY;
  *out = data;
  return EASEL_STATUS_OK;
}

void
easel_host_free (EaselDevice *device, void *data)
{
  if (device->backend->host_free && data)
    device->backend->host_free (device, data);
  else
    free (data);
}

void
easel_upload_beside (EaselStream *self, void *dst, const void *src, size_t bytes)
{
  const EaselBackend *backend = self->device->backend;
  EaselStatus status;

  if (self->status != EASEL_STATUS_OK)
    return;
  status = backend->upload_beside ? backend->upload_beside (self, dst, src, bytes)
                                  : backend->upload (self, dst, src, bytes);
  if (status != EASEL_STATUS_OK)
    easel_stream_fail (self, status, "upload of %zu bytes", bytes);
}

EaselStatus
easel_event_new (EaselDevice *device, EaselEvent **out)
{
  *out = NULL;
  return device->backend->event_new ? device->backend->event_new (device, out) : EASEL_STATUS_OK;
}

void
easel_event_free (EaselDevice *device, EaselEvent **event)
{
  if (*event)
    device->backend->event_free (device, *event);
  *event = NULL;
}

void
easel_event_record (EaselStream *self, EaselEvent *event)
{
  EaselStatus status;

  if (self->status != EASEL_STATUS_OK || !event)
    return;
  if ((status = self->device->backend->event_record (self, event)) != EASEL_STATUS_OK)
    easel_stream_fail (self, status, "recording an event");
}

void
easel_event_wait (EaselStream *self, EaselEvent *event)
{
  EaselStatus status;

  if (self->status != EASEL_STATUS_OK || !event)
    return;
  if ((status = self->device->backend->event_wait (self, event)) != EASEL_STATUS_OK)
    easel_stream_fail (self, status, "waiting for an event");
}

bool
easel_graph_begin (EaselStream *self)
{
  if (self->status != EASEL_STATUS_OK || self->recording || !self->device->backend->graph_begin ||
      self->device->backend->graph_begin (self) != EASEL_STATUS_OK)
    return false;
  self->recording = true;
  self->launches_before = self->launches;
  self->flops_before = self->flops;
  self->bytes_before = self->bytes;
  return true;
}

EaselGraph *
easel_graph_end (EaselStream *self)
{
  EaselGraph *graph = NULL;
  EaselStatus status = self->device->backend->graph_end (self, &graph);

  self->recording = false;
  if (graph && (status != EASEL_STATUS_OK || self->status != EASEL_STATUS_OK))
    {
      self->device->backend->graph_free (self, graph);
      graph = NULL;
    }
  if (graph)
    {
      graph->flops = self->flops - self->flops_before;
      graph->bytes = self->bytes - self->bytes_before;
    }
  else
    easel_stream_clear (self); /* it was fine when the recording began */
  self->launches = self->launches_before;
  self->flops = self->flops_before;
  self->bytes = self->bytes_before;
  return graph;
}

void
easel_graph_replay (EaselStream *self, EaselGraph *graph)
{
  if (self->status != EASEL_STATUS_OK)
    return;
  self->launches++;
  self->flops += graph->flops;
  self->bytes += graph->bytes;
  self->device->backend->graph_replay (self, graph);
}

void
easel_graph_free (EaselStream *self, EaselGraph **graph)
{
  if (*graph)
    self->device->backend->graph_free (self, *graph);
  *graph = NULL;
}

bool
easel_stream_is_dry (const EaselStream *self)
{
  return strcmp (self->device->backend->kind, "dry") == 0;
}

void
easel_stream_fail (EaselStream *self, EaselStatus status, const char *format, ...)
{
  va_list args;

  if (self->status != EASEL_STATUS_OK || status == EASEL_STATUS_OK)
    return;
  self->status = status;
  va_start (args, format);
  vsnprintf (self->message, sizeof self->message, format, args);
  va_end (args);
}

bool
easel_stream_ok (const EaselStream *self)
{
  return self->status == EASEL_STATUS_OK;
}

void
easel_stream_clear (EaselStream *self)
{
  self->status = EASEL_STATUS_OK;
  self->message[0] = '\0';
}

void
easel_stream_reset_counters (EaselStream *self)
{
  self->launches = 0;
  self->flops = self->bytes = 0;
}
