/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y[b, h, w, c] = residual + mean over q in [c g, (c + 1) g) of x[b, h f + i, w f + j, ci],
 * q = (ci f + i) f + j,  g = Cx f^2 / Cy. One thread a number of y.
 */
#include "device.cuh"

template <typename T>
static __global__ void
unshuffle (T *y, const T *__restrict__ x, const T *residual, int64_t pixels, int64_t w, int C, int Cx, int f, int group)
{
  for (int64_t pixel = (int64_t) blockIdx.x * blockDim.y + threadIdx.y; pixel < pixels;
       pixel += (int64_t) gridDim.x * blockDim.y)
    {
      const int64_t row = pixel / w, column = pixel % w;

      for (int c = threadIdx.x; c < C; c += blockDim.x)
        {
          const int64_t at = pixel * C + c;
          float sum = 0;

          for (int q = c * group; q < (c + 1) * group; q++)
            {
              const int ci = q / (f * f), dy = q / f % f, dx = q % f;

              sum += to_f32 (x[((row * f + dy) * w * f + column * f + dx) * Cx + ci]);
            }
          sum /= (float) group;
          y[at] = from_f32<T> (residual ? to_f32 (residual[at]) + sum : sum);
        }
    }
}

void
easel_cuda_pixel_unshuffle (EaselStream *s, const EaselPixelUnshuffleArgs *a)
{
  const int64_t w = a->y.shape[2], C = a->y.shape[3], Cx = a->x.shape[3], pixels = easel_tensor_count (&a->y) / C;
  const int f = a->factor;

  if (Cx * f * f > INT32_MAX)
    {
      easel_cuda_refuse (s, "pixel_unshuffle", "too many channels", &a->x);
      return;
    }
  const int x = C >= 128 ? 128 : 32, rows = 256 / x;
  const dim3 block (x, rows);
  const unsigned blocks = easel_cuda_blocks (pixels, rows, (int64_t) easel_cuda (s)->n_sms * 64);
  EASEL_CUDA_DISPATCH (s->act_dtype, {
    unshuffle<T><<<blocks, block, 0, easel_cuda (s)->stream>>> ((T *) a->y.data, (const T *) a->x.data,
                                                                 (const T *) a->residual.data, pixels, w, (int) C,
                                                                 (int) Cx, f, (int) (Cx * f * f / C));
  });
  easel_cuda_launched (s, "pixel_unshuffle", &a->y);
}
