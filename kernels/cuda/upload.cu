/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Weights on their way to the card: another dtype, 8 bits with scales, for convolutions channels last. The file's bytes
 * go up as they are, in slices through the workspace; a kernel writes them where they belong.
 */
#include "cuda-device.h"
#include "device.cuh"

/* dst[f, p, c] = src[f, c, p] for the elements [start, start + n) of src; C channels, P taps. P = 1: a conversion. */
template <typename To, typename From>
static __global__ void
place (To *__restrict__ dst, const From *__restrict__ src, int64_t start, int64_t n, int64_t C, int64_t P)
{
  for (int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t) gridDim.x * blockDim.x)
    {
      const int64_t at = start + i, f = at / (C * P), c = at / P % C, p = at % P;

      dst[(f * P + p) * C + c] = from_f32<To> (to_f32 (src[i]));
    }
}

template <typename To>
static void
place_slice (EaselStream *s, To *dst, const void *src, EaselDtype src_dtype, int64_t start, int64_t n, int64_t C,
             int64_t P)
{
  const unsigned blocks = easel_cuda_blocks (n, 256 * 4, 65535);

  EASEL_CUDA_DISPATCH (src_dtype, {
    place<To, T><<<blocks, 256, 0, easel_cuda (s)->stream>>> (dst, (const T *) src, start, n, C, P);
  });
}

/* A weight that becomes scaled: rows in slices through the workspace. */
static EaselStatus
upload_scaled (EaselStream *s, EaselTensor dst, const void *src, EaselDtype src_dtype)
{
  const int64_t rows = easel_tensor_n_rows (&dst), K = dst.shape[dst.n_dims - 1];
  const size_t row = (size_t) K * easel_dtype_size (src_dtype);
  const int64_t slice = (int64_t) (EASEL_CUDA_WORKSPACE / row);

  if (dst.n_dims != 2 || !dst.scales || src_dtype > EASEL_DTYPE_BF16 || slice < 1)
    return EASEL_STATUS_UNSUPPORTED;
  for (int64_t start = 0; start < rows; start += slice)
    {
      const int64_t m = rows - start < slice ? rows - start : slice;
      void *const piece = easel_cuda (s)->workspace;
      const EaselStatus status = easel_cuda_upload (s, piece, (const char *) src + (size_t) start * row,
                                                    (size_t) m * row);

      if (status != EASEL_STATUS_OK)
        return status;
      if (!easel_cuda_quantise_rows (s, piece, src_dtype, K, easel_tensor_rows (dst, start, m)))
        return EASEL_STATUS_UNSUPPORTED;
      easel_cuda_launched (s, "upload_weight", &dst);
      if (!easel_stream_ok (s))
        return s->status;
    }
  return EASEL_STATUS_OK;
}

EaselStatus
easel_cuda_upload_weight (EaselStream *s, EaselTensor dst, const void *src, EaselDtype src_dtype)
{
  EaselCudaStream *self = easel_cuda (s);
  const size_t size = easel_dtype_size (src_dtype);
  const int64_t n = easel_tensor_count (&dst), slice = (int64_t) (EASEL_CUDA_WORKSPACE / size);
  const bool conv = dst.n_dims >= 4;
  int64_t P = 1;

  if (easel_dtype_is_scaled (dst.dtype))
    return upload_scaled (s, dst, src, src_dtype);
  for (int i = 2; conv && i < dst.n_dims; i++)
    P *= dst.shape[i];
  if (dst.dtype == src_dtype && (P == 1 || dst.shape[1] == 1))
    return easel_cuda_upload (s, dst.data, src, (size_t) n * size);
  if (dst.dtype > EASEL_DTYPE_BF16 || src_dtype > EASEL_DTYPE_BF16)
    return EASEL_STATUS_UNSUPPORTED;
  for (int64_t start = 0; start < n; start += slice)
    {
      const int64_t m = n - start < slice ? n - start : slice;
      EaselStatus status
          = easel_cuda_upload (s, self->workspace, (const char *) src + (size_t) start * size, (size_t) m * size);

      if (status != EASEL_STATUS_OK)
        return status;
      EASEL_CUDA_DISPATCH (dst.dtype, {
        place_slice<T> (s, (T *) dst.data, self->workspace, src_dtype, start, m, conv ? dst.shape[1] : 1, P);
      });
      easel_cuda_launched (s, "upload_weight", &dst);
      if (!easel_stream_ok (s))
        return s->status;
    }
  return EASEL_STATUS_OK;
}

static __global__ void
probe ()
{
}

const void *
easel_cuda_probe (void)
{
  return (const void *) probe;
}
