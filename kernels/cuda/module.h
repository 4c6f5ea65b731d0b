/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one symbol of libeasel-cuda.so, for kernels/cuda-loader.c. The sizes guard against a module of another version:
 * program and module share structs.
 */
#pragma once

#include "kernels/ops.h"

#define EASEL_CUDA_MODULE_ABI 1
#define EASEL_CUDA_MODULE_SYMBOL "easel_cuda_module"

typedef struct
{
  uint32_t abi, size_stream, size_device, size_backend, size_ops, size_tensor;
  /* Opens card `index`. portable: only kernels that every card from sm_80 up can run. On failure `why` is a sentence
   * (what is wrong, what to do) and *out is untouched. */
  EaselStatus (*open) (int index, bool portable, EaselDevice **out, char *why, size_t why_size);
} EaselCudaModule;

/* Defines the symbol, in the one file of a module that opens cards. */
#define EASEL_CUDA_MODULE_DEFINE(open_card)                                                    \
  __attribute__ ((visibility ("default"))) extern const EaselCudaModule easel_cuda_module; \
  const EaselCudaModule easel_cuda_module = {                                                  \
    .abi = EASEL_CUDA_MODULE_ABI,                                                              \
    .size_stream = sizeof (EaselStream),                                                       \
    .size_device = sizeof (EaselDevice),                                                       \
    .size_backend = sizeof (EaselBackend),                                                     \
    .size_ops = sizeof (EaselOps),                                                             \
    .size_tensor = sizeof (EaselTensor),                                                       \
    .open = (open_card),                                                                       \
  }

extern const EaselOps easel_cuda_ops;
