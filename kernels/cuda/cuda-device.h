/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A card as the module keeps it. For cuda-device.c, stream.c and linear.cu.
 */
#pragma once

#include "blas.h"
#include "cuda.h"

#define EASEL_CUDA_STAGES 4
#define EASEL_CUDA_STAGE_BYTES ((size_t) 4 << 20)

#ifdef __cplusplus
extern "C" {
#endif

struct EaselCudaDevice
{
  int index;
  int sm, n_sms, shared_max;
  size_t l2;
  bool portable;
  bool lost; /* a fault that stays: the context goes when the device is closed */
  EaselBlas blas;
  cublasLtHandle_t lt;
};

/* stream.c: what the backend does with streams and copies. */
EaselStatus easel_cuda_stream_open (EaselStream *s);
void easel_cuda_stream_close (EaselStream *s);
EaselStatus easel_cuda_upload (EaselStream *s, void *dst, const void *src, size_t bytes);
EaselStatus easel_cuda_download (EaselStream *s, void *dst, const void *src, size_t bytes);
EaselStatus easel_cuda_synchronize (EaselStream *s);

/* beside.c: copies that run beside the ops of another stream. */
EaselStatus easel_cuda_host_alloc (EaselDevice *device, size_t bytes, void **out);
void easel_cuda_host_free (EaselDevice *device, void *data);
EaselStatus easel_cuda_upload_beside (EaselStream *s, void *dst, const void *src, size_t bytes);
EaselStatus easel_cuda_event_new (EaselDevice *device, EaselEvent **out);
void easel_cuda_event_free (EaselDevice *device, EaselEvent *event);
EaselStatus easel_cuda_event_record (EaselStream *s, EaselEvent *event);
EaselStatus easel_cuda_event_wait (EaselStream *s, EaselEvent *event);

/* graph.c */
EaselStatus easel_cuda_graph_begin (EaselStream *s);
EaselStatus easel_cuda_graph_end (EaselStream *s, EaselGraph **out);
void easel_cuda_graph_replay (EaselStream *s, EaselGraph *graph);
void easel_cuda_graph_free (EaselStream *s, EaselGraph *graph);

/* upload.cu: a kernel that tells whether the module has code for a card. */
const void *easel_cuda_probe (void);

/* linear-8bit.cu: a->w is scaled, and a->x too. */
void easel_cuda_linear_8bit (EaselStream *s, const EaselLinearArgs *a);

/* quantise.cu: rows of `dtype`, ldx elements apart, into y (scaled). False when they are too large. */
bool easel_cuda_quantise_rows (EaselStream *s, const void *x, EaselDtype dtype, int64_t ldx, EaselTensor y);

/* linear.cu: what cuBLASLt leaves of the workspace, and its product of 8-bit numbers without scales:
 * p [m, n] = x [m, k] w [n, k], f32 of e4m3 and s32 of s8. False when it does not take it. */
#define EASEL_CUDA_BLAS_SCRATCH (EASEL_CUDA_WORKSPACE - ((size_t) 8 << 20))
void *easel_cuda_blas_scratch (EaselStream *s);
bool easel_cuda_blas_8bit (EaselStream *s, EaselDtype dtype, int64_t m, int64_t n, int64_t k, const void *x,
                           const void *w, void *p);

/* linear.cu */
EaselCudaProducts *easel_cuda_products_new (void);
void easel_cuda_products_free (EaselCudaProducts *self, EaselCudaDevice *device);

#ifdef __cplusplus
}
#endif
