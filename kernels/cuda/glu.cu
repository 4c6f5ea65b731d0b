/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y = act (a) * b over rows of C columns, a and b inside wider rows perhaps; b absent: y = act (a). Bound by memory.
 */
#include "device.cuh"

template <typename T, bool PACKS>
static __global__ void
gate_rows (T *y, const T *a, const T *b, int64_t M, int64_t C, int64_t lda, int64_t ldb, int act)
{
  constexpr int P = PACKS ? Pack<T>::N : 1;
  const int64_t columns = C / P, stride = (int64_t) gridDim.x * blockDim.x;

  for (int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x; i < M * columns; i += stride)
    {
      const int64_t m = i / columns, c = i % columns * P;

      if (PACKS)
        {
          float u[Pack<T>::N], v[Pack<T>::N];

          load_f32 (u, a + m * lda + c);
          if (b)
            load_f32 (v, b + m * ldb + c);
#pragma unroll
          for (int j = 0; j < Pack<T>::N; j++)
            u[j] = activate (act, u[j]) * (b ? v[j] : 1.0f);
          store_f32 (y + m * C + c, u);
        }
      else
        y[m * C + c] = from_f32<T> (activate (act, to_f32 (a[m * lda + c])) * (b ? to_f32 (b[m * ldb + c]) : 1.0f));
    }
}

template <typename T>
static void
launch (EaselStream *s, const EaselGluArgs *a)
{
  constexpr int P = Pack<T>::N;
  const int64_t C = a->y.shape[a->y.n_dims - 1], M = easel_tensor_count (&a->y) / C;
  const int64_t lda = a->a_stride ? a->a_stride : C, ldb = a->b_stride ? a->b_stride : C;
  const bool packs = C % P == 0 && lda % P == 0 && ldb % P == 0 && easel_cuda_aligned (a->a.data)
                     && easel_cuda_aligned (a->b.data) && easel_cuda_aligned (a->y.data);
  const unsigned blocks = easel_cuda_blocks (packs ? M * C / P : M * C, 256, (int64_t) easel_cuda (s)->n_sms * 32);
  cudaStream_t stream = easel_cuda (s)->stream;

  if (packs)
    gate_rows<T, true><<<blocks, 256, 0, stream>>> ((T *) a->y.data, (const T *) a->a.data, (const T *) a->b.data, M, C,
                                                    lda, ldb, a->act);
  else
    gate_rows<T, false><<<blocks, 256, 0, stream>>> ((T *) a->y.data, (const T *) a->a.data, (const T *) a->b.data, M,
                                                     C, lda, ldb, a->act);
}

void
easel_cuda_glu (EaselStream *s, const EaselGluArgs *a)
{
  EASEL_CUDA_DISPATCH (a->y.dtype, { launch<T> (s, a); });
  easel_cuda_launched (s, "glu", &a->y);
}
