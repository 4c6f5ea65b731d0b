/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Linear layers of scaled 8-bit numbers: our own kernel on Hopper (linear-8bit-hopper.cu); elsewhere cuBLASLt's product
 * (e4m3: sums in f32, sm_89 and newer; s8: in s32) through the workspace, in slices of rows that stay in the L2 cache,
 * and a second kernel for scales, bias, activation, gate and residual. What cuBLASLt does not take, a plain kernel
 * does.
 */
#include "cuda-device.h"
#include "linear-8bit.cuh"

#include <cuda_fp8.h>

__device__ __forceinline__ float
value_of (float x)
{
  return x;
}

__device__ __forceinline__ float
value_of (int x)
{
  return (float) x;
}

/* ---- the plain product ---- */

#define TILE 16

static __device__ __forceinline__ float
code_of (const void *codes, EaselDtype dtype, int64_t i)
{
  return dtype == EASEL_DTYPE_I8 ? (float) ((const int8_t *) codes)[i] : (float) ((const __nv_fp8_e4m3 *) codes)[i];
}

/* p[m, n] = sum_k x[m0 + m, k] w[n, k], in f32 whatever the codes. */
static __global__ void
plain_product (const Linear8 l, float *p, int m0, int rows)
{
  __shared__ float a[TILE][TILE + 1], b[TILE][TILE + 1];
  const int tx = threadIdx.x, ty = threadIdx.y, n = blockIdx.x * TILE + tx, nw = blockIdx.x * TILE + ty;

  for (int row = blockIdx.y; row * TILE < rows; row += gridDim.y)
    {
      const int m = row * TILE + ty;
      float sum = 0;

      for (int k = 0; k < l.K; k += TILE)
        {
          a[ty][tx] = m < rows && k + tx < l.K ? code_of (l.x, l.dtype, (int64_t) (m0 + m) * l.K + k + tx) : 0.0f;
          b[ty][tx] = nw < l.N && k + tx < l.K ? code_of (l.w, l.dtype, (int64_t) nw * l.K + k + tx) : 0.0f;
          __syncthreads ();
#pragma unroll
          for (int i = 0; i < TILE; i++)
            sum += a[ty][i] * b[tx][i];
          __syncthreads ();
        }
      if (m < rows && n < l.N)
        p[(int64_t) m * l.N + n] = sum;
    }
}

/* ---- what follows a product ---- */

/* Rows m0 to m0 + rows - 1 of y from p [rows, N]. */
template <typename T, typename Sum>
static __global__ void
finish (const Linear8 l, const Sum *p, int m0, int rows)
{
  const int n = blockIdx.x * blockDim.x + threadIdx.x;

  if (n >= l.N)
    return;
  const float factor = l.w_scales[n], bias = vector_at (l.bias, n, 0.0f);

  for (int i = blockIdx.y; i < rows; i += gridDim.y)
    {
      const int64_t m = m0 + i;
      float v = activate (l.act, value_of (p[(int64_t) i * l.N + n]) * (l.x_scales[m] * factor) + bias);

      if (l.gate)
        v *= l.gate[m / l.per * l.N + n];
      if (l.residual)
        v += to_f32 (((const T *) l.residual)[m * l.ldr + n]);
      ((T *) l.y)[m * l.ldy + n] = from_f32<T> (v);
    }
}

template <typename T>
static void
launch_finish (EaselStream *s, const Linear8 *l, const void *p, bool integers, int m0, int rows)
{
  const unsigned x = (unsigned) easel_cuda_divide_up (l->N, 128);
  const dim3 grid (x, easel_cuda_blocks (rows, 1, 1 + (int64_t) easel_cuda (s)->n_sms * 32 / x));

  if (integers)
    finish<T, int><<<grid, 128, 0, easel_cuda (s)->stream>>> (*l, (const int *) p, m0, rows);
  else
    finish<T, float><<<grid, 128, 0, easel_cuda (s)->stream>>> (*l, (const float *) p, m0, rows);
}

/* ---- the operation ---- */

void
easel_cuda_linear_8bit (EaselStream *s, const EaselLinearArgs *a)
{
  const int64_t N = a->w.shape[0], K = a->w.shape[1], M = easel_tensor_n_rows (&a->x);
  const int64_t room = (int64_t) EASEL_CUDA_BLAS_SCRATCH / 4, slice = M < room / N ? M : room / N;
  Linear8 l = {};

  if (M > INT32_MAX || N > INT32_MAX || K > INT32_MAX || slice < 1)
    {
      easel_cuda_refuse (s, "linear", "too large", &a->y);
      return;
    }
  l.x = a->x.data, l.w = a->w.data, l.x_scales = a->x.scales, l.w_scales = a->w.scales;
  l.gate = (const float *) a->gate.data, l.bias = easel_cuda_vector (&a->bias);
  l.residual = a->residual.data, l.y = a->y.data;
  l.ldy = a->y_stride ? a->y_stride : N;
  l.ldr = a->residual.data && a->residual.data != a->y.data ? N : l.ldy;
  l.M = (int) M, l.N = (int) N, l.K = (int) K, l.act = a->act;
  l.per = (int) (a->gate.data ? M / (easel_tensor_count (&a->gate) / N) : M);
  l.dtype = a->w.dtype, l.y_dtype = s->act_dtype;
  if (linear_8bit_hopper (s, &l))
    {
      easel_cuda_launched (s, "linear", &a->y);
      return;
    }
  for (int64_t m0 = 0; m0 < M && easel_stream_ok (s); m0 += slice)
    {
      const int64_t m = M - m0 < slice ? M - m0 : slice;
      void *p = easel_cuda_blas_scratch (s);
      const bool done = easel_cuda_blas_8bit (s, l.dtype, m, N, K, (const char *) l.x + m0 * K, l.w, p);

      if (!done)
        plain_product<<<dim3 ((unsigned) easel_cuda_divide_up (N, TILE), easel_cuda_blocks (m, TILE, 65535)),
                        dim3 (TILE, TILE), 0, easel_cuda (s)->stream>>> (l, (float *) p, (int) m0, (int) m);
      EASEL_CUDA_DISPATCH (s->act_dtype, {
        launch_finish<T> (s, &l, p, done && l.dtype == EASEL_DTYPE_I8, (int) m0, (int) m);
      });
      easel_cuda_launched (s, "linear", &a->y);
    }
}
