/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Conversion between f32, f16 and bf16, to the nearest even.
 */
#include "device.cuh"

template <typename To, typename From>
static __global__ void
convert (To *__restrict__ y, const From *__restrict__ x, int64_t n)
{
  for (int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t) gridDim.x * blockDim.x)
    y[i] = from_f32<To> (to_f32 (x[i]));
}

/* 8 numbers a thread at once. */
template <typename To, typename From> struct Eight
{
  struct alignas (16) In
  {
    From v[8];
  };
  struct alignas (16) Out
  {
    To v[8];
  };
};

template <typename To, typename From>
static __global__ void
convert_eights (To *y, const From *x, int64_t n)
{
  typedef Eight<To, From> E;

  for (int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t) gridDim.x * blockDim.x)
    {
      const typename E::In in = ((const typename E::In *) x)[i];
      typename E::Out out;

#pragma unroll
      for (int j = 0; j < 8; j++)
        out.v[j] = from_f32<To> (to_f32 (in.v[j]));
      ((typename E::Out *) y)[i] = out;
    }
}

template <typename From>
static void
launch (EaselStream *s, const EaselCastArgs *a, int64_t n)
{
  const unsigned blocks = easel_cuda_blocks (n, 256, (int64_t) easel_cuda (s)->n_sms * 32);

  if (n % 8 == 0 && easel_cuda_aligned (a->x.data) && easel_cuda_aligned (a->y.data))
    EASEL_CUDA_DISPATCH (a->y.dtype, {
      convert_eights<T, From><<<easel_cuda_blocks (n / 8, 256, (int64_t) easel_cuda (s)->n_sms * 32), 256, 0,
                                easel_cuda (s)->stream>>> ((T *) a->y.data, (const From *) a->x.data, n / 8);
    });
  else
    EASEL_CUDA_DISPATCH (a->y.dtype, {
      convert<T, From><<<blocks, 256, 0, easel_cuda (s)->stream>>> ((T *) a->y.data, (const From *) a->x.data, n);
    });
}

void
easel_cuda_cast (EaselStream *s, const EaselCastArgs *a)
{
  EASEL_CUDA_DISPATCH (a->x.dtype, { launch<T> (s, a, easel_tensor_count (&a->x)); });
  easel_cuda_launched (s, "cast", &a->y);
}
