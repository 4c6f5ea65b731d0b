/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y[b, h f + i, w f + j, c] = residual + x[b, h, w, ((c f + i) f + j) / repeats],  repeats = Cy f^2 / Cx
 * One thread a number, threads along the channels of y: writes are in order; reads are of one pixel's row, which the
 * four pixels that share it read from the cache.
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
  const int x = C >= 128 ? 128 : 32, rows = 256 / x;
  const dim3 block (x, rows);
  const unsigned blocks = easel_cuda_blocks (pixels, rows, (int64_t) easel_cuda (s)->n_sms * 64);
  EASEL_CUDA_DISPATCH (s->act_dtype, {
    shuffle<T><<<blocks, block, 0, easel_cuda (s)->stream>>> ((T *) a->y.data, (const T *) a->x.data,
                                                               (const T *) a->residual.data, pixels, w, (int) C,
                                                               (int) a->x.shape[3], f,
                                                               (int) (C * f * f / a->x.shape[3]));
  });
  easel_cuda_launched (s, "pixel_shuffle", &a->y);
}
