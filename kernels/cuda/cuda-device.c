/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening a card, its memory, and what can be wrong with either, in words.
 */
#include "cuda-device.h"

#include "module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EaselStatus
easel_cuda_status (cudaError_t error)
{
  switch (error)
    {
    case cudaSuccess:
      return EASEL_STATUS_OK;
    case cudaErrorMemoryAllocation:
      return EASEL_STATUS_NO_MEMORY;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorInsufficientDriver:
    case cudaErrorNoDevice:
      return EASEL_STATUS_UNSUPPORTED;
    default:
      return EASEL_STATUS_DEVICE;
    }
}

/* Faults after which the context answers nothing else. */
static bool
stays (cudaError_t error)
{
  return error != cudaSuccess && easel_cuda_status (error) == EASEL_STATUS_DEVICE &&
         error != cudaErrorInvalidValue && error != cudaErrorInvalidConfiguration;
}

bool
easel_cuda_check (EaselStream *s, cudaError_t error, const char *op, const EaselTensor *y)
{
  char shape[80] = "";

  if (error == cudaSuccess)
    return true;
  (void) cudaGetLastError ();
  if (stays (error))
    easel_cuda (s)->device->lost = true;
  if (y)
    easel_tensor_describe (y, shape, sizeof shape);
  easel_stream_fail (s, easel_cuda_status (error), "%s%s%s, %zu bytes: %s (%s)", op, y ? " " : "", shape,
                     y ? easel_tensor_bytes (y) : (size_t) 0, cudaGetErrorString (error), cudaGetErrorName (error));
  return false;
}

void
easel_cuda_launched (EaselStream *s, const char *op, const EaselTensor *y)
{
  cudaError_t error = cudaGetLastError ();

#ifdef EASEL_CUDA_SYNC
  /* Debug builds wait, so that a fault names its kernel; not while a graph is being captured. */
  enum cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  if (error == cudaSuccess && cudaStreamIsCapturing (easel_cuda (s)->stream, &capture) == cudaSuccess &&
      capture == cudaStreamCaptureStatusNone)
    error = cudaStreamSynchronize (easel_cuda (s)->stream);
#endif
  easel_cuda_check (s, error, op, y);
}

void
easel_cuda_refuse (EaselStream *s, const char *op, const char *why, const EaselTensor *t)
{
  char shape[80];

  easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, "%s: %s: %s", op, why,
                     easel_tensor_describe (t, shape, sizeof shape));
}

bool
easel_cuda_allow_shared (EaselStream *s, const void *kernel, size_t bytes, const char *op)
{
  if (bytes <= 48 << 10)
    return true;
  return easel_cuda_check (
      s, cudaFuncSetAttribute (kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int) bytes), op, NULL);
}

/* ---- memory ---- */

static EaselStatus
device_alloc (EaselDevice *device, size_t bytes, void **out)
{
  EaselCudaDevice *self = device->priv;
  void *data = NULL;
  cudaError_t error = cudaSetDevice (self->index);

  if (error == cudaSuccess)
    error = cudaMalloc (&data, bytes);
  if (error != cudaSuccess)
    {
      (void) cudaGetLastError ();
      self->lost = self->lost || stays (error);
      return easel_cuda_status (error);
    }
  *out = data;
  return EASEL_STATUS_OK;
}

static void
device_free (EaselDevice *device, void *data, size_t bytes)
{
  EaselCudaDevice *self = device->priv;

  (void) bytes;
  if (cudaSetDevice (self->index) != cudaSuccess || cudaFree (data) != cudaSuccess)
    (void) cudaGetLastError ();
}

static bool
device_memory (EaselDevice *device, uint64_t *free_bytes, uint64_t *total_bytes)
{
  EaselCudaDevice *self = device->priv;
  size_t available = 0, total = 0;

  if (cudaSetDevice (self->index) != cudaSuccess || cudaMemGetInfo (&available, &total) != cudaSuccess)
    {
      (void) cudaGetLastError ();
      return false;
    }
  *free_bytes = available;
  *total_bytes = total;
  return true;
}

static void
device_close (EaselDevice *device)
{
  EaselCudaDevice *self = device->priv;

  if (self)
    {
      if (cudaSetDevice (self->index) != cudaSuccess)
        (void) cudaGetLastError ();
      if (self->lt && !self->lost)
        self->blas.cublasLtDestroy (self->lt);
      /* A faulty context answers nothing any more; without it, opening the card again may work. */
      if (self->lost)
        {
          cudaDeviceReset ();
          (void) cudaGetLastError ();
        }
      easel_blas_close (&self->blas);
      free (self);
    }
  free (device);
}

static const EaselBackend cuda_backend = {
  .kind = "cuda",
  .alloc = device_alloc,
  .free = device_free,
  .memory = device_memory,
  .upload = easel_cuda_upload,
  .upload_weight = easel_cuda_upload_weight,
  .download = easel_cuda_download,
  .synchronize = easel_cuda_synchronize,
  .graph_begin = easel_cuda_graph_begin,
  .graph_end = easel_cuda_graph_end,
  .graph_replay = easel_cuda_graph_replay,
  .graph_free = easel_cuda_graph_free,
  .host_alloc = easel_cuda_host_alloc,
  .host_free = easel_cuda_host_free,
  .upload_beside = easel_cuda_upload_beside,
  .event_new = easel_cuda_event_new,
  .event_free = easel_cuda_event_free,
  .event_record = easel_cuda_event_record,
  .event_wait = easel_cuda_event_wait,
  .stream_open = easel_cuda_stream_open,
  .stream_close = easel_cuda_stream_close,
  .close = device_close,
  .ops = &easel_cuda_ops,
};

/* ---- opening ---- */

/* A card that is there and new enough, or a sentence. */
static EaselStatus
look_at_card (int index, struct cudaDeviceProp *card, char *why, size_t size)
{
  int n = 0, driver = 0;
  cudaError_t error = cudaGetDeviceCount (&n);

  if (error == cudaErrorInsufficientDriver && (cudaDriverGetVersion (&driver) != cudaSuccess || driver == 0))
    snprintf (why, size, "There is no NVIDIA driver on this machine (or it is not loaded).");
  else if (error == cudaErrorInsufficientDriver)
    snprintf (why, size, "The NVIDIA driver is too old: it knows CUDA %d.%d, and %d.%d is needed. Install a newer "
                         "driver.",
              driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  else if (error == cudaErrorNoDevice || (error == cudaSuccess && n == 0))
    snprintf (why, size, "There is no NVIDIA card that CUDA can use.");
  else if (error != cudaSuccess)
    snprintf (why, size, "CUDA does not start: %s.", cudaGetErrorString (error));
  else if (index < 0 || index >= n)
    snprintf (why, size, "There is no card %d; there %s %d, counted from 0.", index, n == 1 ? "is" : "are", n);
  else if ((error = cudaGetDeviceProperties (card, index)) != cudaSuccess)
    snprintf (why, size, "CUDA cannot read the card's properties: %s.", cudaGetErrorString (error));
  else if (card->major < 8)
    snprintf (why, size, "%.60s is too old: its compute capability is %d.%d and 8.0 is needed (2020 or newer).",
              card->name, card->major, card->minor);
  else
    return EASEL_STATUS_OK;
  (void) cudaGetLastError ();
  return EASEL_STATUS_UNSUPPORTED;
}

/* Starts CUDA's context on the card: this takes some memory and can fail when others hold it. */
static EaselStatus
start (EaselCudaDevice *self, const char *name, char *why, size_t size)
{
  struct cudaFuncAttributes attributes;
  cudaError_t error = cudaSetDevice (self->index);

  if (error == cudaSuccess)
    error = cudaFree (NULL);
  if (error == cudaSuccess && (error = cudaFuncGetAttributes (&attributes, easel_cuda_probe ())) != cudaSuccess)
    {
      (void) cudaGetLastError ();
      snprintf (why, size, "This build of Easel has no code for %.60s (sm_%d): %s.", name, self->sm,
                cudaGetErrorString (error));
      return EASEL_STATUS_UNSUPPORTED;
    }
  if (error != cudaSuccess)
    {
      (void) cudaGetLastError ();
      if (easel_cuda_status (error) == EASEL_STATUS_NO_MEMORY)
        snprintf (why, size, "%.60s has no memory left: other programs hold it. Close them and try again.", name);
      else
        snprintf (why, size, "%.60s cannot be used: %s.", name, cudaGetErrorString (error));
      return easel_cuda_status (error);
    }
  if (!easel_blas_open (&self->blas, why, size))
    return EASEL_STATUS_UNSUPPORTED;
  if (self->blas.cublasLtCreate (&self->lt) == CUBLAS_STATUS_SUCCESS)
    return EASEL_STATUS_OK;
  snprintf (why, size, "%.60s cannot be used: cuBLASLt does not start on it.", name);
  return EASEL_STATUS_DEVICE;
}

static EaselStatus
open_card (int index, bool portable, EaselDevice **out, char *why, size_t size)
{
  struct cudaDeviceProp card;
  EaselStatus status = look_at_card (index, &card, why, size);
  EaselDevice *device = NULL;
  EaselCudaDevice *self = NULL;

  if (status != EASEL_STATUS_OK)
    return status;
  if (!(device = calloc (1, sizeof *device)) || !(device->priv = self = calloc (1, sizeof *self)))
    {
      free (device);
      snprintf (why, size, "Not enough memory.");
      return EASEL_STATUS_NO_MEMORY;
    }
  device->backend = &cuda_backend;
  device->act_dtype = EASEL_DTYPE_F32;
  device->stream_bytes = EASEL_CUDA_WORKSPACE;
  device->act_dtypes = 1u << EASEL_DTYPE_F32 | 1u << EASEL_DTYPE_F16 | 1u << EASEL_DTYPE_BF16;
  device->product_dtypes = 1u << EASEL_DTYPE_I8;
  if (card.major * 10 + card.minor >= 89)
    device->product_dtypes |= 1u << EASEL_DTYPE_F8_E4M3;
  snprintf (device->name, sizeof device->name, "%.60s", card.name);
  self->index = index;
  self->sm = card.major * 10 + card.minor;
  self->n_sms = card.multiProcessorCount;
  self->shared_max = (int) card.sharedMemPerBlockOptin;
  self->l2 = (size_t) card.l2CacheSize;
  self->portable = portable;
  if ((status = start (self, card.name, why, size)) != EASEL_STATUS_OK)
    {
      device_close (device);
      return status;
    }
  *out = device;
  return EASEL_STATUS_OK;
}

EASEL_CUDA_MODULE_DEFINE (open_card);
