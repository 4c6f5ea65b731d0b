/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stream on a card, and copies. Uploads go through pinned memory in pieces: while one piece travels, the next is read
 * from its file.
 */
#include "cuda-device.h"

#include <stdlib.h>
#include <string.h>

typedef struct
{
  EaselCudaStream base; /* what operations see */
  char *stage;          /* pinned: EASEL_CUDA_STAGES pieces */
  cudaEvent_t free_[EASEL_CUDA_STAGES];
  int next;
} Stream;

static void
fail_device (EaselStream *s, cudaError_t error)
{
  easel_cuda_check (s, error, "copy", NULL);
}

static void
stream_free (EaselStream *s)
{
  Stream *self = s->priv;

  if (!self)
    return;
  if (cudaSetDevice (self->base.device->index) != cudaSuccess)
    (void) cudaGetLastError ();
  if (self->base.stream)
    {
      cudaStreamSynchronize (self->base.stream);
      cudaStreamDestroy (self->base.stream);
    }
  for (int i = 0; i < EASEL_CUDA_STAGES; i++)
    if (self->free_[i])
      cudaEventDestroy (self->free_[i]);
  if (self->stage)
    cudaFreeHost (self->stage);
  if (self->base.products)
    easel_cuda_products_free (self->base.products, self->base.device);
  if (self->base.workspace)
    easel_device_free (s->device, self->base.workspace, EASEL_CUDA_WORKSPACE);
  (void) cudaGetLastError ();
  free (self);
  s->priv = NULL;
}

EaselStatus
easel_cuda_stream_open (EaselStream *s)
{
  EaselCudaDevice *device = s->device->priv;
  Stream *self = calloc (1, sizeof *self);
  cudaError_t error;
  EaselStatus status;

  if (!self)
    return EASEL_STATUS_NO_MEMORY;
  s->priv = self;
  self->base.device = device;
  self->base.lt = device->lt;
  self->base.sm = device->sm;
  self->base.n_sms = device->n_sms;
  self->base.shared_max = device->shared_max;
  self->base.l2 = device->l2;
  self->base.portable = device->portable;
  if (!(self->base.products = easel_cuda_products_new ()))
    {
      stream_free (s);
      return EASEL_STATUS_NO_MEMORY;
    }
  if ((status = easel_device_alloc (s->device, EASEL_CUDA_WORKSPACE, &self->base.workspace)) != EASEL_STATUS_OK)
    {
      stream_free (s);
      return status;
    }
  error = cudaStreamCreateWithFlags (&self->base.stream, cudaStreamNonBlocking);
  if (error == cudaSuccess)
    error = cudaMallocHost ((void **) &self->stage, EASEL_CUDA_STAGES * EASEL_CUDA_STAGE_BYTES);
  for (int i = 0; error == cudaSuccess && i < EASEL_CUDA_STAGES; i++)
    error = cudaEventCreateWithFlags (&self->free_[i], cudaEventDisableTiming);
  if (error == cudaSuccess)
    return EASEL_STATUS_OK;
  stream_free (s);
  return easel_cuda_status (error);
}

void
easel_cuda_stream_close (EaselStream *s)
{
  stream_free (s);
}

EaselStatus
easel_cuda_upload (EaselStream *s, void *dst, const void *src, size_t bytes)
{
  Stream *self = s->priv;

  if (self->base.recording)
    {
      self->base.unrecordable = true;
      return EASEL_STATUS_OK;
    }
  for (size_t at = 0; at < bytes; at += EASEL_CUDA_STAGE_BYTES)
    {
      size_t n = bytes - at < EASEL_CUDA_STAGE_BYTES ? bytes - at : EASEL_CUDA_STAGE_BYTES;
      char *piece = self->stage + (size_t) self->next * EASEL_CUDA_STAGE_BYTES;
      cudaError_t error = cudaEventSynchronize (self->free_[self->next]);

      if (error == cudaSuccess)
        {
          memcpy (piece, (const char *) src + at, n);
          error = cudaMemcpyAsync ((char *) dst + at, piece, n, cudaMemcpyHostToDevice, self->base.stream);
        }
      if (error == cudaSuccess)
        error = cudaEventRecord (self->free_[self->next], self->base.stream);
      if (error != cudaSuccess)
        {
          fail_device (s, error);
          return easel_cuda_status (error);
        }
      self->next = (self->next + 1) % EASEL_CUDA_STAGES;
    }
  return EASEL_STATUS_OK;
}

EaselStatus
easel_cuda_download (EaselStream *s, void *dst, const void *src, size_t bytes)
{
  Stream *self = s->priv;
  cudaError_t error;

  if (self->base.recording)
    {
      self->base.unrecordable = true;
      return EASEL_STATUS_OK;
    }
  error = cudaMemcpyAsync (dst, src, bytes, cudaMemcpyDeviceToHost, self->base.stream);
  if (error == cudaSuccess)
    error = cudaStreamSynchronize (self->base.stream);
  if (error != cudaSuccess)
    fail_device (s, error);
  return easel_cuda_status (error);
}

EaselStatus
easel_cuda_synchronize (EaselStream *s)
{
  Stream *self = s->priv;
  cudaError_t error;

  if (self->base.recording)
    {
      self->base.unrecordable = true;
      return EASEL_STATUS_OK;
    }
  error = cudaStreamSynchronize (self->base.stream);
  if (error != cudaSuccess)
    fail_device (s, error);
  return easel_cuda_status (error);
}
