/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselTensor: a view of numbers somewhere in memory.
 *
 * Invariants: row-major and contiguous (the last dimension varies fastest); every dimension >= 1;
 * the product of the dimensions times the size of the dtype fits in size_t. A view owns nothing: whoever gave
 * the memory out (a mapped file, an arena, a device) frees it. `data` is a pointer of the device the tensor
 * lives on and must not be read on the host unless that device is the CPU.
 *
 * Scaled tensors: 8 bits an element (f8_e4m3 or i8) and one f32 a row (all dimensions but the last) in `scales`, on the
 * same device: element k of row m stands for data[m, k] * scales[m].
 *
 * Layouts used throughout Easel
 *   tokens       [B, N, C]           batch, tokens, channels
 *   pictures     [B, H, W, C]        channels last, always; NCHW exists only in files and in golden tensors
 *   clips        [B, F, H, W, C]     channels last, frames before rows
 *   linear       [N_out, K_in]       as torch.nn.Linear stores it
 *   conv2d       [C_out, C_in / groups, kh, kw]   as torch stores it; a backend that wants another order repacks
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EASEL_MAX_DIMS 5

typedef enum
{
  EASEL_DTYPE_F32,
  EASEL_DTYPE_F16,
  EASEL_DTYPE_BF16,
  EASEL_DTYPE_F64,
  EASEL_DTYPE_F8_E4M3,
  EASEL_DTYPE_F8_E5M2,
  EASEL_DTYPE_I8,
  EASEL_DTYPE_U8,
  EASEL_DTYPE_I16,
  EASEL_DTYPE_U16,
  EASEL_DTYPE_I32,
  EASEL_DTYPE_U32,
  EASEL_DTYPE_I64,
  EASEL_DTYPE_U64,
  EASEL_DTYPE_BOOL,
  EASEL_N_DTYPES
} EaselDtype;

typedef struct
{
  void *data;   /* NULL: the tensor is absent (optional arguments) */
  EaselDtype dtype;
  int n_dims;
  int64_t shape[EASEL_MAX_DIMS];
  float *scales; /* of f8_e4m3 and i8 that stand for other numbers, else NULL: see below */
} EaselTensor;

/* Bytes of one element. */
size_t easel_dtype_size (EaselDtype dtype);

/* "f32", "bf16", … as people write them; never NULL. */
const char *easel_dtype_name (EaselDtype dtype);

/* A view of `data`. `n_dims` int64_t sizes follow. */
EaselTensor easel_tensor (void *data, EaselDtype dtype, int n_dims, const int64_t *shape);

#define easel_tensor_of(data, dtype, ...)                                                      \
  easel_tensor ((data), (dtype), (int) (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), \
                (const int64_t[]){ __VA_ARGS__ })

/* Number of elements; 0 for an absent tensor. */
int64_t easel_tensor_count (const EaselTensor *self);

/* Bytes of the elements (not of the scales); 0 for an absent tensor. */
size_t easel_tensor_bytes (const EaselTensor *self);

/* True for the two dtypes that may have scales. */
bool easel_dtype_is_scaled (EaselDtype dtype);

/* Rows, as scales count them; 0 for an absent tensor. */
int64_t easel_tensor_n_rows (const EaselTensor *self);

/* The same memory under another shape of the same count; of a scaled tensor also of the same last dimension. */
EaselTensor easel_tensor_reshape (EaselTensor self, int n_dims, const int64_t *shape);

#define easel_tensor_as(self, ...)                                                             \
  easel_tensor_reshape ((self), (int) (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), \
                        (const int64_t[]){ __VA_ARGS__ })

/* Rows [start, start + n) of the first dimension. */
EaselTensor easel_tensor_rows (EaselTensor self, int64_t start, int64_t n);

/* The absent tensor, for optional arguments. */
#define EASEL_NO_TENSOR ((EaselTensor){ 0 })

/* "[2, 32, 5, 7] bf16" into buf; returns buf. */
const char *easel_tensor_describe (const EaselTensor *self, char *buf, size_t size);
