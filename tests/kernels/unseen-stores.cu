/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether compute-sanitizer's initcheck sees what cuBLASLt stores: a product fills a matrix, a kernel reads all of it.
 * Nothing here reads what was not written, so a report is the tool's mistake, and so are those of Easel's own reads of
 * such results. tests/gpu.sh compiles and runs it before the models.
 */
#include <cublasLt.h>
#include <cuda_bf16.h>

#include <cstdio>

static __global__ void
read_all (const __nv_bfloat16 *y, size_t n, float *nan)
{
  float sum = 0;

  for (size_t i = threadIdx.x; i < n; i += blockDim.x)
    sum += __bfloat162float (y[i]);
  if (sum != sum)
    *nan = sum;
}

int
main ()
{
  const int M = 256, N = 256, K = 256;
  const size_t workspace = 8 << 20;
  const float one = 1, zero = 0;
  const cublasOperation_t transpose = CUBLAS_OP_T;
  void *x, *w, *y, *scratch, *nan;
  cublasLtHandle_t lt;
  cublasLtMatmulDesc_t product;
  cublasLtMatrixLayout_t of_x, of_w, of_y;

  if (cudaMalloc (&x, M * K * 2) || cudaMalloc (&w, N * K * 2) || cudaMalloc (&y, M * N * 2)
      || cudaMalloc (&scratch, workspace) || cudaMalloc (&nan, sizeof (float)))
    return 77;
  cudaMemset (x, 0, M * K * 2);
  cudaMemset (w, 0, N * K * 2);
  cudaMemset (scratch, 0, workspace);
  cudaMemset (nan, 0, sizeof (float));
  cublasLtCreate (&lt);
  cublasLtMatmulDescCreate (&product, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  cublasLtMatmulDescSetAttribute (product, CUBLASLT_MATMUL_DESC_TRANSA, &transpose, sizeof transpose);
  cublasLtMatrixLayoutCreate (&of_w, CUDA_R_16BF, K, N, K);
  cublasLtMatrixLayoutCreate (&of_x, CUDA_R_16BF, K, M, K);
  cublasLtMatrixLayoutCreate (&of_y, CUDA_R_16BF, N, M, N);
  if (cublasLtMatmul (lt, product, &one, w, of_w, x, of_x, &zero, y, of_y, y, of_y, NULL, scratch, workspace, 0)
      != CUBLAS_STATUS_SUCCESS)
    return 77;
  read_all<<<1, 32>>> ((const __nv_bfloat16 *) y, (size_t) M * N, (float *) nan);
  printf ("%s\n", cudaGetErrorString (cudaDeviceSynchronize ()));
  return 0;
}
