/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where arithmetic happens: a device (the CPU, one CUDA card), and a stream on it.
 *
 * A stream is what ops are issued on. It carries the arena they take their outputs from and the first error that
 * happened: after an error every further op and allocation on it is a no-op, so a model's forward pass is written
 * as a story and checked once per block. Kernels know neither GLib nor models; the engine turns an EaselStatus into
 * a GError.
 *
 * Threads: a device may be shared; a stream belongs to one thread at a time.
 */
#pragma once

#include "tensor.h"

typedef enum
{
  EASEL_STATUS_OK,
  EASEL_STATUS_NO_MEMORY,   /* the device could not give `bytes` */
  EASEL_STATUS_BAD_SHAPE,   /* an op was called with shapes or dtypes that do not fit: a bug or a hostile file */
  EASEL_STATUS_UNSUPPORTED, /* the backend has no kernel for it */
  EASEL_STATUS_DEVICE,      /* the device reported a fault; reopen it */
} EaselStatus;

typedef struct EaselDevice EaselDevice;
typedef struct EaselStream EaselStream;
typedef struct EaselOps EaselOps; /* ops.h */

/* Work that was recorded, see easel_graph_begin(). A backend's own follows. */
typedef struct
{
  uint64_t nodes; /* launches inside, as the device counts them */
  double flops, bytes;
} EaselGraph;

/* A point in the work of a stream that others may wait for. A backend's own. */
typedef struct EaselEvent EaselEvent;

/* What a backend provides. Filled once, never changed. */
typedef struct
{
  const char *kind; /* "cpu", "cuda", "dry" */
  EaselStatus (*alloc) (EaselDevice *device, size_t bytes, void **out); /* 64-byte aligned at least */
  void (*free) (EaselDevice *device, void *data, size_t bytes);
  /* Optional: what the device has free now and altogether, of all programs. */
  bool (*memory) (EaselDevice *device, uint64_t *free_bytes, uint64_t *total_bytes);
  /* Copies between host and device, in order with the stream's ops. When they return, src may be reused, and what was
   * downloaded is there. */
  EaselStatus (*upload) (EaselStream *stream, void *dst, const void *src, size_t bytes);
  /* Optional, see easel_upload_weight(). */
  EaselStatus (*upload_weight) (EaselStream *stream, EaselTensor dst, const void *src, EaselDtype src_dtype);
  EaselStatus (*download) (EaselStream *stream, void *dst, const void *src, size_t bytes);
  EaselStatus (*synchronize) (EaselStream *stream);
  /* Optional, all or none, see easel_graph_begin(). */
  EaselStatus (*graph_begin) (EaselStream *stream);
  EaselStatus (*graph_end) (EaselStream *stream, EaselGraph **out);
  void (*graph_replay) (EaselStream *stream, EaselGraph *graph);
  void (*graph_free) (EaselStream *stream, EaselGraph *graph);
  /* Optional, all or none: copies that run beside the ops of another stream, see easel_upload_beside(). */
  EaselStatus (*host_alloc) (EaselDevice *device, size_t bytes, void **out);
  void (*host_free) (EaselDevice *device, void *data);
  EaselStatus (*upload_beside) (EaselStream *stream, void *dst, const void *src, size_t bytes);
  EaselStatus (*event_new) (EaselDevice *device, EaselEvent **out);
  void (*event_free) (EaselDevice *device, EaselEvent *event);
  EaselStatus (*event_record) (EaselStream *stream, EaselEvent *event);
  EaselStatus (*event_wait) (EaselStream *stream, EaselEvent *event);
  /* Optional: fill and drop stream->priv. Called before the arena is allocated and before it is freed; a stream_open
   * that sets stream->base and ->capacity brings its own arena. */
  EaselStatus (*stream_open) (EaselStream *stream);
  void (*stream_close) (EaselStream *stream);
  void (*close) (EaselDevice *device);
  const EaselOps *ops;
} EaselBackend;

struct EaselDevice
{
  const EaselBackend *backend;
  char name[64];           /* "CPU, 8 threads (AVX-512)", "NVIDIA H200" */
  EaselDtype act_dtype;    /* what new streams compute in: f32 on the CPU; may be set before streams are opened */
  uint32_t act_dtypes;     /* what they can compute in: bits 1 << EASEL_DTYPE_… */
  uint32_t product_dtypes; /* scaled dtypes whose products are worth having here: bits as well */
  bool maps_weights;       /* weights are used where the file is mapped; otherwise they are uploaded */
  uint64_t stream_bytes;   /* what an open stream takes besides its arena */
  uint64_t memory_limit;   /* bytes alloc may have given out at once; 0: whatever there is */
  uint64_t memory_used;    /* bytes given out now */
  uint64_t memory_peak;    /* most given out since easel_device_reset_peak() */
  int fail_after;          /* tests: the n-th allocation from now fails; 0: never */
  void *priv;
};

/* The CPU with n_threads threads (0: one per core it may run on). *out is owned by the caller. Results do not depend on
 * the number of threads. A few MiB of scratch are allocated here (counted) and none later. */
EaselStatus easel_cpu_device_open (int n_threads, EaselDevice **out);

/* Which set of kernels: the plain twins (C and OpenBLAS) and the vectorised ones for a width of vectors. */
typedef enum
{
  EASEL_CPU_BEST, /* the fastest this processor has */
  EASEL_CPU_PLAIN,
  EASEL_CPU_SIMD_128, /* what every processor of the architecture has: SSE2, NEON */
  EASEL_CPU_SIMD_AVX2,
  EASEL_CPU_SIMD_AVX512,
  EASEL_CPU_N_LEVELS
} EaselCpuLevel;

/* The same with a chosen set, for tests and benchmarks. UNSUPPORTED when this processor or build lacks it. */
EaselStatus easel_cpu_device_open_level (int n_threads, EaselCpuLevel level, EaselDevice **out);

/* A device that computes nothing and gives out addresses that must not be read: running a model on it measures the
 * model's activations (arena peak), its work (stream->flops, bytes) and its launches. Cannot fail but for memory. */
EaselStatus easel_dry_device_open (EaselDtype act_dtype, EaselDevice **out);

/* Frees the device and NULLs the pointer. All of its memory must have been given back. */
void easel_device_close (EaselDevice **device);

/* Counted allocation. 0 bytes is BAD_SHAPE. *out untouched on failure. */
EaselStatus easel_device_alloc (EaselDevice *device, size_t bytes, void **out);
void easel_device_free (EaselDevice *device, void *data, size_t bytes);
void easel_device_reset_peak (EaselDevice *device);
/* Bytes free now, other programs considered, and altogether; false when the device does not say (the CPU). */
bool easel_device_memory (EaselDevice *device, uint64_t *free_bytes, uint64_t *total_bytes);

struct EaselStream
{
  EaselDevice *device;
  EaselDtype act_dtype; /* of activations between ops from now on: easel_stream_set_act() */
  /* Arena: [base, base + capacity). Outputs of ops are cut from it in order; a mark gives everything after it back. */
  char *base;
  size_t capacity, used, peak;
  bool owns_arena; /* base came from easel_device_alloc */
  /* First error; status stays until easel_stream_clear(). message names op, shapes and bytes. */
  EaselStatus status;
  char message[256];
  /* What was issued since easel_stream_reset_counters(): for plans, tests and benchmarks. */
  uint64_t launches;
  double flops, bytes;
  bool recording; /* between easel_graph_begin() and _end() */
  uint64_t launches_before;
  double flops_before, bytes_before;
  void *priv; /* the backend's (a cudaStream_t, …) */
};

/* A stream with an arena of `arena_bytes` (on the dry device: unlimited, pass 0). NO_MEMORY leaves *out untouched. */
EaselStatus easel_stream_open (EaselDevice *device, size_t arena_bytes, EaselStream **out);
void easel_stream_close (EaselStream **stream);

/* Chooses the dtype of activations for the ops that follow: a model asks for what it was trained in. False, and the
 * stream's error UNSUPPORTED, when the device does not compute in it. */
bool easel_stream_set_act (EaselStream *stream, EaselDtype dtype);

/* A tensor from the arena. 64-byte aligned, uninitialised. On failure the stream's error is set and .data is NULL. */
EaselTensor easel_stream_alloc (EaselStream *stream, EaselDtype dtype, int n_dims, const int64_t *shape);

#define easel_new(stream, dtype, ...)                                                                        \
  easel_stream_alloc ((stream), (dtype), (int) (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), \
                      (const int64_t[]){ __VA_ARGS__ })

/* Everything allocated after the mark is given back by release; tensors from there must not be used any more. */
size_t easel_stream_mark (EaselStream *stream);
void easel_stream_release (EaselStream *stream, size_t mark);

/* Host to device and back; sizes are those of the tensor. No-ops (download: zero-fills) on the dry device. */
void easel_upload (EaselStream *stream, EaselTensor dst, const void *src);
void easel_download (EaselStream *stream, void *dst, EaselTensor src);

/* A weight of a model, `src` of src_dtype as its file has it, to `dst`: converted to dst's dtype (f32, f16, bf16; or,
 * two dimensions, scaled as quantise does it: dst's scales are written too) and put in the order in which the backend's
 * convolutions read it. Ops take weights of two dimensions and more from here
 * only, in the dtype of activations. Devices that map weights take them as they are. */
void easel_upload_weight (EaselStream *stream, EaselTensor dst, const void *src, EaselDtype src_dtype);
void easel_synchronize (EaselStream *stream);

/* Memory of the host that a device copies from by itself (page-locked), not counted as the device's. NO_MEMORY: the
 * system does not lock that much; *out untouched. */
EaselStatus easel_host_alloc (EaselDevice *device, size_t bytes, void **out);
void easel_host_free (EaselDevice *device, void *data);
/* Host to device from easel_host_alloc(): returns at once where the device can, and src must stay as it is until an
 * event recorded later has been waited for. */
void easel_upload_beside (EaselStream *stream, void *dst, const void *src, size_t bytes);

/* An event is recorded on one stream and waited for on another of the device: what is issued there from then on begins
 * after what the first was given before the recording. The host does not wait. One that was never recorded is past.
 * On devices whose ops are done when they return these do nothing. Neither can be recorded in a graph. */
EaselStatus easel_event_new (EaselDevice *device, EaselEvent **out);
void easel_event_free (EaselDevice *device, EaselEvent **event);
void easel_event_record (EaselStream *stream, EaselEvent *event);
void easel_event_wait (EaselStream *stream, EaselEvent *event);

/* Records what is issued from here to easel_graph_end() instead of doing it: one launch then does it again and again.
 * The same ops must have been issued once before (what they choose at first is then chosen), and tensors stay where
 * they are. False when the device cannot: go on as usual. */
bool easel_graph_begin (EaselStream *stream);
/* The recording, or NULL when it did not succeed; the stream is then as it was before, its error too, and the work is
 * to be issued as usual. */
EaselGraph *easel_graph_end (EaselStream *stream);
/* Does the recorded work, in order with the stream's other ops. Counts one launch, and the work. */
void easel_graph_replay (EaselStream *stream, EaselGraph *graph);
void easel_graph_free (EaselStream *stream, EaselGraph **graph);

/* True when the stream computes nothing (dry device): host code must not look at results. */
bool easel_stream_is_dry (const EaselStream *stream);

/* Sets the error unless one is set already. For backends and ops. */
void easel_stream_fail (EaselStream *stream, EaselStatus status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
bool easel_stream_ok (const EaselStream *stream);
void easel_stream_clear (EaselStream *stream);
void easel_stream_reset_counters (EaselStream *stream);
