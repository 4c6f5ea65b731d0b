/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of this folder share. The folder becomes one module, libeasel-cuda.so, that a program opens at run
 * time (kernels/cuda-loader.h); nothing outside of it sees this header or CUDA's.
 *
 * One operation, one file: NAME.cu defines extern "C" easel_cuda_NAME (s, a); table.c names them all. ops.c has checked
 * shapes and dtypes before a function is called. A function launches on easel_cuda (s)->stream, returns without
 * waiting, allocates nothing, and reports through easel_cuda_launched(). It must be fit for capture into a graph: no
 * synchronisation, no host memory read later than the call, the same launches for the same shapes.
 *
 * What a kernel may take for granted
 *   - Activations are f32, f16 or bf16: s->act_dtype, and the dtype of every activation of the call.
 *   - Weights with two dimensions or more have come through easel_upload_weight(): they have the activations' dtype,
 *     and those of convolutions (n_dims 4 or 5) lie channels last: [Co, kh, kw, Ci / groups], [Co, kt, kh, kw, Ci],
 *     whatever their shape says ([Co, Ci / groups, kh, kw] as in ops.h). One that has another dtype all the same is
 *     UNSUPPORTED, said with easel_cuda_refuse().
 *   - Weights with one dimension (biases, norms) are f32, f16 or bf16, each on its own: EaselCudaVector, vector_at().
 *   - Every tensor starts on 16 bytes at least; rows need not: look at strides and columns before reading 16 bytes.
 *   - The workspace belongs to the function until the work it launched is done; the next operation may use it again
 *     since all of them run in one stream. Its content is undefined.
 * Sums are f32 whatever the dtypes, in an order that depends on shapes and the card alone: no atomics on floats.
 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#include "kernels/ops.h"

#include <cuda_runtime_api.h>

#define EASEL_CUDA_WORKSPACE ((size_t) 32 << 20)

typedef struct EaselCudaDevice EaselCudaDevice; /* device.c */
typedef struct EaselCudaProducts EaselCudaProducts; /* linear.cu: algorithms chosen before */

/* stream->priv */
typedef struct
{
  EaselCudaDevice *device;
  cudaStream_t stream;
  void *workspace; /* EASEL_CUDA_WORKSPACE bytes, 256-byte aligned */
  void *lt;        /* cublasLtHandle_t; owned by the device */
  EaselCudaProducts *products;
  int sm;         /* 80, 86, 89, 90, 100, 120 */
  int n_sms;      /* multiprocessors */
  int shared_max; /* bytes of shared memory a block may ask for */
  size_t l2;      /* bytes */
  /* Tests set this: only what every card from sm_80 up has (no TMA, no wgmma). Kernels choose by
   * easel_cuda_hopper(). */
  bool portable;
  bool recording, unrecordable; /* graph.c */
} EaselCudaStream;

static inline EaselCudaStream *
easel_cuda (const EaselStream *s)
{
  return (EaselCudaStream *) s->priv;
}

/* True when kernels compiled for sm_90a may run: the card is one and nobody forces the portable path. Such a kernel's
 * body stands in #if EASEL_CUDA_HAS_HOPPER (device.cuh) and is an empty body elsewhere. */
static inline bool
easel_cuda_hopper (const EaselStream *s)
{
  return easel_cuda (s)->sm == 90 && !easel_cuda (s)->portable;
}

/* After launching: what the runtime says of it becomes the stream's error with the operation, the shape of `y` (may be
 * NULL) and its bytes. Counts nothing. */
void easel_cuda_launched (EaselStream *s, const char *op, const EaselTensor *y);

/* The same for the result of any runtime call. True when it was fine. */
bool easel_cuda_check (EaselStream *s, cudaError_t error, const char *op, const EaselTensor *y);

/* UNSUPPORTED, with the operation, why, and the tensor. */
void easel_cuda_refuse (EaselStream *s, const char *op, const char *why, const EaselTensor *t);

/* A runtime error as a status: NO_MEMORY, DEVICE (the context is lost or faulty), UNSUPPORTED (no code for this
 * card). */
EaselStatus easel_cuda_status (cudaError_t error);

/* Raises the dynamic shared memory a kernel may have; once for each kernel and process is enough but any number is
 * fine. False with the stream's error set. */
bool easel_cuda_allow_shared (EaselStream *s, const void *kernel, size_t bytes, const char *op);

#define EASEL_CUDA_PROTOTYPE(name, Args) void easel_cuda_##name (EaselStream *s, const Args *a);
EASEL_FOR_EACH_OP (EASEL_CUDA_PROTOTYPE)
#undef EASEL_CUDA_PROTOTYPE

/* upload.cu. See easel_upload_weight() in device.h. */
EaselStatus easel_cuda_upload_weight (EaselStream *s, EaselTensor dst, const void *src, EaselDtype src_dtype);

#ifdef __cplusplus
}
#endif
