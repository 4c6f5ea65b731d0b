/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y[b, h f + i, w f + j, c] = residual + x[b, h, w, ((c f + i) f + j) / repeats],  repeats = Cy f^2 / Cx
 * Threads along the channels of y, 16 bytes each where its rows allow (else a number each): writes are in order; reads
 * are of one pixel's row, which the four pixels that share it read from the cache.
 */
#include "device.cuh"

template <typename T>
static __global__ void
shuffle (T *y, const T *__restrict__ x, const T *residual, int64_t pixels, int64_t w, int C, int Cx, int f, int repeats)
{
  for (int64_t pixel = (int64_t) blockIdx.x * blockDim.y + threadIdx.y; pixel < pixels;
       pixel += (int64_t) gridDim.x * blockDim.y)
    {
      const int64_t row = pixel / w, column = pixel % w;
      const int phase = (int) (row % f) * f + (int) (column % f);
      const T *from = x + (row / f * (w / f) + column / f) * Cx;

      for (int c = threadIdx.x; c < C; c += blockDim.x)
        {
          const float v = to_f32 (from[(c * f * f + phase) / repeats]);
          const int64_t at = pixel * C + c;

          y[at] = from_f32<T> (residual ? to_f32 (residual[at]) + v : v);
        }
    }
}

/* 16 bytes of y's channels a thread. */
template <typename T>
static __global__ void
shuffle_packs (T *y, const T *__restrict__ x, const T *residual, int64_t n, int w, int C, int Cx, int f, int repeats)
{
  constexpr int P = Pack<T>::N;

  for (int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t) gridDim.x * blockDim.x)
    {
      const int c = (int) (i % (C / P)) * P;
      const int64_t pixel = i / (C / P), row = pixel / w;
      const int column = (int) (pixel % w), phase = (int) (row % f) * f + column % f;
      const T *from = x + (row / f * (w / f) + column / f) * Cx;
      float v[P], r[P] = {};

      if (residual)
        load_f32 (r, residual + i * P);
      if (repeats == f * f)
        load_f32 (v, from + c);
      else
#pragma unroll
        for (int j = 0; j < P; j++)
          v[j] = to_f32 (from[((c + j) * f * f + phase) / repeats]);
#pragma unroll
      for (int j = 0; j < P; j++)
        v[j] += r[j];
      store_f32 (y + i * P, v);
    }
}

void
easel_cuda_pixel_shuffle (EaselStream *s, const EaselPixelShuffleArgs *a)
{
  const int64_t w = a->y.shape[2], C = a->y.shape[3], pixels = easel_tensor_count (&a->y) / C;
  const int f = a->factor;

  if (C * f * f > INT32_MAX)
    {
      easel_cuda_refuse (s, "pixel_shuffle", "too many channels", &a->y);
      return;
    }
  const int repeats = (int) (C * f * f / a->x.shape[3]), packs = s->act_dtype == EASEL_DTYPE_F32 ? 4 : 8;
  if (C % packs == 0 && a->x.shape[3] % packs == 0 && w <= INT32_MAX && easel_cuda_aligned (a->x.data)
      && easel_cuda_aligned (a->y.data) && easel_cuda_aligned (a->residual.data))
    {
      const int64_t n = pixels * (C / packs);

      EASEL_CUDA_DISPATCH (s->act_dtype, {
        shuffle_packs<T><<<easel_cuda_blocks (n, 256, (int64_t) easel_cuda (s)->n_sms * 64), 256, 0,
                           easel_cuda (s)->stream>>> ((T *) a->y.data, (const T *) a->x.data,
                                                      (const T *) a->residual.data, n, (int) w, (int) C,
                                                      (int) a->x.shape[3], f, repeats);
      });
      easel_cuda_launched (s, "pixel_shuffle", &a->y);
      return;
    }

  const int x = C >= 128 ? 128 : 32, rows = 256 / x;
  const dim3 block (x, rows);
  const unsigned blocks = easel_cuda_blocks (pixels, rows, (int64_t) easel_cuda (s)->n_sms * 64);
  EASEL_CUDA_DISPATCH (s->act_dtype, {
    shuffle<T><<<blocks, block, 0, easel_cuda (s)->stream>>> ((T *) a->y.data, (const T *) a->x.data,
                                                               (const T *) a->residual.data, pixels, w, (int) C,
                                                               (int) a->x.shape[3], f, repeats);
  });
  easel_cuda_launched (s, "pixel_shuffle", &a->y);
}
