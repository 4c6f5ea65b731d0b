/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y = sum_i c[i] x[i], f32: a sampler's step, guidance. Latents are small; one launch whatever the number of terms.
 */
#include "device.cuh"

typedef struct
{
  const float *x[EASEL_MAX_TERMS];
  float c[EASEL_MAX_TERMS];
  int n;
} Terms;

/* y may be one of the x: every element is read before it is written, by the thread that writes it. Products and sums
 * are rounded apart, as on the CPU: the same sampler steps to the last bit. */
static __global__ void
combine (float *y, const Terms terms, int64_t n)
{
  for (int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t) gridDim.x * blockDim.x)
    {
      float sum = __fmul_rn (terms.c[0], terms.x[0][i]);

#pragma unroll
      for (int j = 1; j < EASEL_MAX_TERMS; j++)
        if (j < terms.n)
          sum = __fadd_rn (sum, __fmul_rn (terms.c[j], terms.x[j][i]));
      y[i] = sum;
    }
}

void
easel_cuda_lincomb (EaselStream *s, const EaselLincombArgs *a)
{
  const int64_t n = easel_tensor_count (&a->y);
  Terms terms = {};

  terms.n = a->n_terms;
  for (int i = 0; i < a->n_terms; i++)
    {
      terms.x[i] = (const float *) a->x[i].data;
      terms.c[i] = a->c[i];
    }
  combine<<<easel_cuda_blocks (n, 256, (int64_t) easel_cuda (s)->n_sms * 16), 256, 0, easel_cuda (s)->stream>>> (
      (float *) a->y.data, terms, n);
  easel_cuda_launched (s, "lincomb", &a->y);
}
