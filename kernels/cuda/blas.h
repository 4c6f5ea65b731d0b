/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cuBLASLt, opened at run time: its library is large and comes with the toolkit or a package of its own.
 */
#pragma once

#include <cublasLt.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EASEL_CUBLASLT_FOR_EACH(X)                                                                                     \
  X (cublasLtCreate)                                                                                                   \
  X (cublasLtDestroy)                                                                                                  \
  X (cublasLtMatmul)                                                                                                   \
  X (cublasLtMatmulDescCreate)                                                                                         \
  X (cublasLtMatmulDescDestroy)                                                                                        \
  X (cublasLtMatmulDescSetAttribute)                                                                                   \
  X (cublasLtMatrixLayoutCreate)                                                                                       \
  X (cublasLtMatrixLayoutDestroy)                                                                                      \
  X (cublasLtMatmulPreferenceCreate)                                                                                   \
  X (cublasLtMatmulPreferenceDestroy)                                                                                  \
  X (cublasLtMatmulPreferenceSetAttribute)                                                                             \
  X (cublasLtMatmulAlgoGetHeuristic)

typedef struct
{
  void *library;
#define EASEL_CUBLASLT_MEMBER(name) __typeof__ (&name) name;
  EASEL_CUBLASLT_FOR_EACH (EASEL_CUBLASLT_MEMBER)
#undef EASEL_CUBLASLT_MEMBER
} EaselBlas;

/* False with a sentence when the library is not there or too old. */
bool easel_blas_open (EaselBlas *self, char *why, size_t why_size);
void easel_blas_close (EaselBlas *self);

#ifdef __cplusplus
}
#endif
