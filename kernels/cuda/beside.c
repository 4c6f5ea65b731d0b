/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Copies that run beside the ops of another stream: page-locked memory, and events between streams.
 */
#include "cuda-device.h"

/* What a call outside of any op says: the stream's error, if it is one. */
static EaselStatus
told (EaselStream *s, cudaError_t error, const char *what)
{
  easel_cuda_check (s, error, what, NULL);
  return easel_cuda_status (error);
}

/* Events of work that is only recorded mean nothing to the work itself. */
static bool
recording (EaselStream *s)
{
  EaselCudaStream *cuda = easel_cuda (s);

  if (cuda->recording)
    cuda->unrecordable = true;
  return cuda->recording;
}

EaselStatus
easel_cuda_host_alloc (EaselDevice *device, size_t bytes, void **out)
{
  EaselCudaDevice *self = device->priv;
  void *data = NULL;
  cudaError_t error = cudaSetDevice (self->index);

  if (error == cudaSuccess)
    error = cudaHostAlloc (&data, bytes, cudaHostAllocDefault);
  if (error == cudaSuccess)
    {
      *out = data;
      return EASEL_STATUS_OK;
    }
  (void) cudaGetLastError ();
  return easel_cuda_status (error);
}

void
easel_cuda_host_free (EaselDevice *device, void *data)
{
  (void) device;
  if (cudaFreeHost (data) != cudaSuccess)
    (void) cudaGetLastError ();
}

EaselStatus
easel_cuda_upload_beside (EaselStream *s, void *dst, const void *src, size_t bytes)
{
  if (recording (s))
    return EASEL_STATUS_OK;
  return told (s, cudaMemcpyAsync (dst, src, bytes, cudaMemcpyHostToDevice, easel_cuda (s)->stream), "copy");
}

EaselStatus
easel_cuda_event_new (EaselDevice *device, EaselEvent **out)
{
  EaselCudaDevice *self = device->priv;
  cudaEvent_t event = NULL;
  cudaError_t error = cudaSetDevice (self->index);

  if (error == cudaSuccess)
    error = cudaEventCreateWithFlags (&event, cudaEventDisableTiming);
  *out = (EaselEvent *) event;
  if (error != cudaSuccess)
    (void) cudaGetLastError ();
  return easel_cuda_status (error);
}

void
easel_cuda_event_free (EaselDevice *device, EaselEvent *event)
{
  (void) device;
  if (cudaEventDestroy ((cudaEvent_t) event) != cudaSuccess)
    (void) cudaGetLastError ();
}

EaselStatus
easel_cuda_event_record (EaselStream *s, EaselEvent *event)
{
  return recording (s) ? EASEL_STATUS_OK
                       : told (s, cudaEventRecord ((cudaEvent_t) event, easel_cuda (s)->stream), "event");
}

EaselStatus
easel_cuda_event_wait (EaselStream *s, EaselEvent *event)
{
  return recording (s) ? EASEL_STATUS_OK
                       : told (s, cudaStreamWaitEvent (easel_cuda (s)->stream, (cudaEvent_t) event, 0), "event");
}
