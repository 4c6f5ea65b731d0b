/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * y[m,n] = residual[m,n] + gate[b,n] * act (sum_k x[m,k] w[n,k] + bias[n])
 *
 * The product is cuBLASLt's, sums in f32 (f32 operands: real f32, no TF32). What its epilogue can do it does: bias;
 * bias and relu or gelu; bias and residual. SiLU, gates and biases of another dtype are a second kernel over the
 * product, which goes through the workspace in slices of rows when y is its own residual, so that it stays in the L2
 * cache.
 * A large product with SiLU on Hopper is a 1 x 1 convolution of ours instead, whose way out does it all.
 * The algorithm is the library's first choice for a shape, among those that sum in a fixed order, and is remembered.
 * What cuBLASLt does not take, a plain kernel does.
 */
#include "conv.cuh"
#include "cuda-device.h"

#include <stdlib.h>
#include <string.h>

#define BLAS_WORKSPACE (EASEL_CUDA_WORKSPACE - EASEL_CUDA_BLAS_SCRATCH)
#define MAX_PRODUCTS 512

/* ---- cuBLASLt: what was chosen for a shape ---- */

typedef struct
{
  int64_t m, n, k, ldx, ldy, ldr;
  int dtype, epilogue;
  int align_x, align_w, align_y, align_r;
  int residual; /* C is read */
} Key;

typedef struct
{
  Key key;
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t w, x, y, r;
  cublasLtMatmulAlgo_t algo;
  bool possible;
} Product;

struct EaselCudaProducts
{
  int n, last;
  Product list[MAX_PRODUCTS];
};

EaselCudaProducts *
easel_cuda_products_new (void)
{
  return (EaselCudaProducts *) calloc (1, sizeof (EaselCudaProducts));
}

static void
product_clear (Product *p, const EaselBlas *blas)
{
  if (p->desc)
    blas->cublasLtMatmulDescDestroy (p->desc);
  for (cublasLtMatrixLayout_t layout : { p->w, p->x, p->y, p->r })
    if (layout)
      blas->cublasLtMatrixLayoutDestroy (layout);
  *p = Product ();
}

void
easel_cuda_products_free (EaselCudaProducts *self, EaselCudaDevice *device)
{
  for (int i = 0; i < self->n; i++)
    product_clear (&self->list[i], &device->blas);
  free (self);
}

static cudaDataType
blas_type (int dtype)
{
  switch (dtype)
    {
    case EASEL_DTYPE_F32:
      return CUDA_R_32F;
    case EASEL_DTYPE_F16:
      return CUDA_R_16F;
    case EASEL_DTYPE_F8_E4M3:
      return CUDA_R_8F_E4M3;
    case EASEL_DTYPE_I8:
      return CUDA_R_8I;
    default:
      return CUDA_R_16BF;
    }
}

/* Of the product's result: operands of 8 bits are not what sums are rounded to. */
static cudaDataType
blas_result_type (int dtype)
{
  return dtype == EASEL_DTYPE_I8 ? CUDA_R_32I : dtype == EASEL_DTYPE_F8_E4M3 ? CUDA_R_32F : blas_type (dtype);
}

static int
alignment_of (const void *p)
{
  const uintptr_t bits = (uintptr_t) p | 256;
  return (int) (bits & -bits);
}

/* Column-major as cuBLASLt thinks: Y^T [n, m] = W [n, k] X^T [k, m]. */
static bool
describe (Product *p, const EaselBlas *blas)
{
  const Key *key = &p->key;
  const cudaDataType type = blas_type (key->dtype), result = blas_result_type (key->dtype);
  const bool integers = key->dtype == EASEL_DTYPE_I8;
  const int8_t fast = key->dtype == EASEL_DTYPE_F8_E4M3; /* sums as the tensor cores have them */
  const cublasOperation_t transpose = CUBLAS_OP_T;
  const cublasLtEpilogue_t epilogue = (cublasLtEpilogue_t) key->epilogue;

  return blas->cublasLtMatmulDescCreate (&p->desc, integers ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                         integers ? CUDA_R_32I : CUDA_R_32F) == CUBLAS_STATUS_SUCCESS
         && blas->cublasLtMatmulDescSetAttribute (p->desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast)
                == CUBLAS_STATUS_SUCCESS
         && blas->cublasLtMatmulDescSetAttribute (p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &transpose, sizeof transpose)
                == CUBLAS_STATUS_SUCCESS
         && blas->cublasLtMatmulDescSetAttribute (p->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue)
                == CUBLAS_STATUS_SUCCESS
         && blas->cublasLtMatrixLayoutCreate (&p->w, type, key->k, key->n, key->k) == CUBLAS_STATUS_SUCCESS
         && blas->cublasLtMatrixLayoutCreate (&p->x, type, key->k, key->m, key->ldx) == CUBLAS_STATUS_SUCCESS
         && blas->cublasLtMatrixLayoutCreate (&p->y, result, key->n, key->m, key->ldy) == CUBLAS_STATUS_SUCCESS
         && blas->cublasLtMatrixLayoutCreate (&p->r, result, key->n, key->m, key->ldr) == CUBLAS_STATUS_SUCCESS;
}

static bool
choose (Product *p, EaselCudaStream *cuda)
{
  const EaselBlas *blas = &cuda->device->blas;
  const size_t workspace = BLAS_WORKSPACE;
  const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE; /* not in place: that order is not fixed */
  const Key *key = &p->key;
  const uint32_t align[4]
      = { (uint32_t) key->align_w, (uint32_t) key->align_x, (uint32_t) key->align_r, (uint32_t) key->align_y };
  const cublasLtMatmulPreferenceAttributes_t names[4]
      = { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES };
  cublasLtMatmulPreference_t preference = NULL;
  cublasLtMatmulHeuristicResult_t result;
  int found = 0;
  bool ok = blas->cublasLtMatmulPreferenceCreate (&preference) == CUBLAS_STATUS_SUCCESS
            && blas->cublasLtMatmulPreferenceSetAttribute (preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                           &workspace, sizeof workspace) == CUBLAS_STATUS_SUCCESS
            && blas->cublasLtMatmulPreferenceSetAttribute (preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                           &reductions, sizeof reductions) == CUBLAS_STATUS_SUCCESS;

  for (int i = 0; ok && i < 4; i++)
    ok = blas->cublasLtMatmulPreferenceSetAttribute (preference, names[i], &align[i], sizeof align[i])
         == CUBLAS_STATUS_SUCCESS;
  ok = ok
       && blas->cublasLtMatmulAlgoGetHeuristic ((cublasLtHandle_t) cuda->lt, p->desc, p->w, p->x, p->r, p->y,
                                                preference, 1, &result, &found) == CUBLAS_STATUS_SUCCESS
       && found > 0 && result.state == CUBLAS_STATUS_SUCCESS;
  if (ok)
    p->algo = result.algo;
  if (preference)
    blas->cublasLtMatmulPreferenceDestroy (preference);
  return ok;
}

/* The product for a key, chosen now or before. */
static Product *
find (EaselCudaStream *cuda, const Key *key)
{
  EaselCudaProducts *all = cuda->products;
  Product *p;

  for (int i = 0; i < all->n; i++)
    {
      p = &all->list[(all->last + i) % all->n]; /* models ask in a circle */
      if (memcmp (&p->key, key, sizeof *key) == 0)
        {
          all->last = (int) (p - all->list);
          return p;
        }
    }
  if (all->n == MAX_PRODUCTS) /* shapes of many jobs: begin again */
    {
      for (int i = 0; i < all->n; i++)
        product_clear (&all->list[i], &cuda->device->blas);
      all->n = 0;
    }
  p = &all->list[all->n++];
  *p = Product ();
  p->key = *key;
  p->possible = describe (p, &cuda->device->blas) && choose (p, cuda);
  return p;
}

/* y = act (x w^T + bias) + (r ? r : 0) as far as `epilogue` goes; false when cuBLASLt does not take it. */
static bool
blas_product (EaselStream *s, const Key *key, const void *x, const void *w, const void *bias, const void *r, void *y)
{
  EaselCudaStream *cuda = easel_cuda (s);
  const EaselBlas *blas = &cuda->device->blas;
  const float one = 1, beta = r ? 1 : 0;
  const int32_t integer_one = 1, integer_zero = 0; /* sums of integers take no residual */
  const bool integers = key->dtype == EASEL_DTYPE_I8;
  Product *p = find (cuda, key);

  if (!p->possible)
    return false;
  if (bias
      && blas->cublasLtMatmulDescSetAttribute (p->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias)
             != CUBLAS_STATUS_SUCCESS)
    return false;
  return blas->cublasLtMatmul ((cublasLtHandle_t) cuda->lt, p->desc,
                               integers ? (const void *) &integer_one : &one, w, p->w, x, p->x,
                               integers ? (const void *) &integer_zero : &beta, r ? r : y, r ? p->r : p->y, y, p->y,
                               &p->algo, cuda->workspace, BLAS_WORKSPACE, cuda->stream)
         == CUBLAS_STATUS_SUCCESS;
}

void *
easel_cuda_blas_scratch (EaselStream *s)
{
  return (char *) easel_cuda (s)->workspace + BLAS_WORKSPACE;
}

bool
easel_cuda_blas_8bit (EaselStream *s, EaselDtype dtype, int64_t m, int64_t n, int64_t k, const void *x, const void *w,
                      void *p)
{
  Key key;

  if (dtype == EASEL_DTYPE_F8_E4M3 && easel_cuda (s)->sm < 89)
    return false;
  memset (&key, 0, sizeof key); /* compared byte by byte */
  key.m = m, key.n = key.ldy = key.ldr = n, key.k = key.ldx = k;
  key.dtype = dtype, key.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  key.align_x = alignment_of (x), key.align_w = alignment_of (w), key.align_y = key.align_r = alignment_of (p);
  return blas_product (s, &key, x, w, NULL, NULL, p);
}

/* ---- the plain product: any strides, any dtypes ---- */

#define TILE 16

template <typename T, typename W>
static __global__ void
plain_product (const T *__restrict__ x, const W *__restrict__ w, T *__restrict__ y, int64_t M, int64_t N, int64_t K,
               int64_t ldx, int64_t ldy)
{
  __shared__ float a[TILE][TILE + 1], b[TILE][TILE + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int64_t n = (int64_t) blockIdx.x * TILE + tx;

  for (int64_t row = blockIdx.y; row * TILE < M; row += gridDim.y)
    {
      const int64_t m = row * TILE + ty, nw = (int64_t) blockIdx.x * TILE + ty;
      float sum = 0;

      for (int64_t k = 0; k < K; k += TILE)
        {
          a[ty][tx] = m < M && k + tx < K ? to_f32 (x[m * ldx + k + tx]) : 0.0f;
          b[ty][tx] = nw < N && k + tx < K ? to_f32 (w[nw * K + k + tx]) : 0.0f;
          __syncthreads ();
#pragma unroll
          for (int i = 0; i < TILE; i++)
            sum += a[ty][i] * b[tx][i];
          __syncthreads ();
        }
      if (m < M && n < N)
        y[m * ldy + n] = from_f32<T> (sum);
    }
}

template <typename T>
static void
launch_plain (EaselStream *s, const Key *key, const void *x, const EaselTensor *w, void *y)
{
  const dim3 grid ((unsigned) easel_cuda_divide_up (key->n, TILE),
                   easel_cuda_blocks (key->m, TILE, 65535)), block (TILE, TILE);
  cudaStream_t stream = easel_cuda (s)->stream;

  if (w->dtype == EASEL_DTYPE_F32)
    plain_product<T, float><<<grid, block, 0, stream>>> ((const T *) x, (const float *) w->data, (T *) y, key->m,
                                                         key->n, key->k, key->ldx, key->ldy);
  else if (w->dtype == EASEL_DTYPE_F16)
    plain_product<T, f16><<<grid, block, 0, stream>>> ((const T *) x, (const f16 *) w->data, (T *) y, key->m, key->n,
                                                       key->k, key->ldx, key->ldy);
  else
    plain_product<T, bf16><<<grid, block, 0, stream>>> ((const T *) x, (const bf16 *) w->data, (T *) y, key->m,
                                                        key->n, key->k, key->ldx, key->ldy);
}

/* ---- what the epilogue could not do ---- */

/* y[m,n] = r[m,n] + gate[(m0 + m) / per, n] * act (p[m,n] + bias[n]) */
template <typename T>
static __global__ void
finish (const T *p, int64_t ldp, EaselCudaVector bias, const float *__restrict__ gate, int64_t m0, int64_t per,
        const T *r, int64_t ldr, T *y, int64_t ldy, int64_t M, int64_t N, int act)
{
  const int64_t n = (int64_t) blockIdx.x * blockDim.x + threadIdx.x;

  if (n >= N)
    return;
  for (int64_t m = blockIdx.y; m < M; m += gridDim.y)
    {
      float v = activate (act, to_f32 (p[m * ldp + n]) + vector_at (bias, n, 0.0f));

      if (gate)
        v *= gate[(m0 + m) / per * N + n];
      if (r)
        v += to_f32 (r[m * ldr + n]);
      y[m * ldy + n] = from_f32<T> (v);
    }
}

/* The same, 16 bytes a thread: columns and strides are multiples of a pack, pointers on 16 bytes, bias of type T. */
template <typename T>
static __global__ void
finish_packs (const T *p, int64_t ldp, const T *__restrict__ bias, const float *__restrict__ gate, int64_t m0,
              int64_t per, const T *r, int64_t ldr, T *y, int64_t ldy, int64_t M, int64_t N, int act)
{
  constexpr int P = Pack<T>::N;
  const int64_t n = ((int64_t) blockIdx.x * blockDim.x + threadIdx.x) * P;
  float b[P] = {}, v[P];

  if (n >= N)
    return;
  if (bias)
    load_f32 (b, bias + n);
  for (int64_t m = blockIdx.y; m < M; m += gridDim.y)
    {
      load_f32 (v, p + m * ldp + n);
#pragma unroll
      for (int i = 0; i < P; i++)
        v[i] = activate (act, v[i] + b[i]);
      if (gate)
#pragma unroll
        for (int i = 0; i < P; i += 4)
          {
            const float4 g = *(const float4 *) (gate + (m0 + m) / per * N + n + i);

            v[i] *= g.x;
            v[i + 1] *= g.y;
            v[i + 2] *= g.z;
            v[i + 3] *= g.w;
          }
      if (r)
        {
          float add[P];

          load_f32 (add, r + m * ldr + n);
#pragma unroll
          for (int i = 0; i < P; i++)
            v[i] += add[i];
        }
      store_f32 (y + m * ldy + n, v);
    }
}

typedef struct
{
  const void *product, *residual;
  void *y;
  int64_t ldp, ldr, ldy, m0, m, n, per;
} Finish;

template <typename T>
static void
launch_finish (EaselStream *s, const EaselLinearArgs *a, const Finish *f, bool bias)
{
  constexpr int P = Pack<T>::N;
  const float *gate = (const float *) a->gate.data;
  const EaselTensor none = {};
  const EaselTensor *b = bias ? &a->bias : &none;
  const bool packs = f->n % P == 0 && f->ldp % P == 0 && f->ldy % P == 0 && f->ldr % P == 0
                     && easel_cuda_aligned (f->product) && easel_cuda_aligned (f->residual)
                     && easel_cuda_aligned (f->y) && easel_cuda_aligned (gate) && easel_cuda_aligned (b->data)
                     && (!b->data || b->dtype == s->act_dtype);
  const int64_t columns = packs ? f->n / P : f->n;
  const int threads = columns >= 128 ? 128 : 32;
  const unsigned x = (unsigned) easel_cuda_divide_up (columns, threads);
  const dim3 grid (x, easel_cuda_blocks (f->m, 1, 1 + (int64_t) easel_cuda (s)->n_sms * 32 / x));
  cudaStream_t stream = easel_cuda (s)->stream;

  if (packs)
    finish_packs<T><<<grid, threads, 0, stream>>> ((const T *) f->product, f->ldp, (const T *) b->data, gate, f->m0,
                                                   f->per, (const T *) f->residual, f->ldr, (T *) f->y, f->ldy, f->m,
                                                   f->n, a->act);
  else
    finish<T><<<grid, threads, 0, stream>>> ((const T *) f->product, f->ldp, easel_cuda_vector (b), gate, f->m0,
                                             f->per, (const T *) f->residual, f->ldr, (T *) f->y, f->ldy, f->m, f->n,
                                             a->act);
}

/* ---- a 1 x 1 convolution ---- */

/* SiLU without a gate, when there are tiles (256 rows by 128 columns) for every multiprocessor twice: rows are the
 * pixels of a picture 16 wide. False when it is not taken. */
static bool
as_convolution (EaselStream *s, const EaselLinearArgs *a, int64_t M, int64_t N, int64_t K)
{
  Conv c = {};

  if (a->act != EASEL_ACT_SILU || a->gate.data || (a->x_stride && a->x_stride != K) || (a->y_stride && a->y_stride != N)
      || a->w.dtype != s->act_dtype || M % 16 || M / 256 * (N / 128) < 2 * easel_cuda (s)->n_sms || M > 1 << 28
      || N > 1 << 20 || K > 1 << 20)
    return false;
  c.x = a->x.data;
  c.w = a->w.data;
  c.residual = a->residual.data;
  c.y = a->y.data;
  c.bias = easel_cuda_vector (&a->bias);
  c.act = a->act;
  c.frames = 1;
  c.h = c.oh = (int) (M / 16);
  c.w_ = c.ow = 16;
  c.c = c.ci = (int) K;
  c.co = c.no = (int) N;
  c.groups = c.kt = c.kh = c.kw = c.stride = c.up = 1;
  c.dtype = s->act_dtype;
  return conv_hopper (s, &c);
}

/* ---- the operation ---- */

/* The epilogue for bias and activation, or -1 when there is none. */
static int
epilogue_for (EaselAct act, bool bias)
{
  switch (act)
    {
    case EASEL_ACT_NONE:
      return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    case EASEL_ACT_RELU:
      return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    case EASEL_ACT_GELU_TANH:
      return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    default:
      return -1;
    }
}

void
easel_cuda_linear (EaselStream *s, const EaselLinearArgs *a)
{
  const int64_t N = a->w.shape[0], K = easel_tensor_count (&a->w) / N, M = easel_tensor_count (&a->x) / K;
  const int64_t ldx = a->x_stride ? a->x_stride : K, ldy = a->y_stride ? a->y_stride : N;
  const bool own = a->residual.data == a->y.data;
  const int64_t ldr = a->residual.data && !own ? N : ldy;
  const size_t size = easel_dtype_size (s->act_dtype);
  const bool library = a->w.dtype == s->act_dtype, bias_fits = !a->bias.data || a->bias.dtype == s->act_dtype;
  const int epilogue = epilogue_for (a->act, a->bias.data != NULL);
  /* All in the epilogue? A residual is added before its activation, so only without one. */
  const bool whole = library && bias_fits && epilogue >= 0 && !a->gate.data && (!a->residual.data || !a->act);
  const bool bias_inside = whole || (library && bias_fits && a->bias.data);
  const int64_t per = a->gate.data ? M / (easel_tensor_count (&a->gate) / N) : M;
  const size_t room = EASEL_CUDA_BLAS_SCRATCH;
  const bool through = !whole && own; /* the product may not go where the residual still lies */
  int64_t slice = through ? (int64_t) (room / (N * size)) : M;
  char *scratch = (char *) easel_cuda_blas_scratch (s);

  if (a->w.scales)
    {
      easel_cuda_linear_8bit (s, a);
      return;
    }
  if (as_convolution (s, a, M, N, K))
    {
      easel_cuda_launched (s, "linear", &a->y);
      return;
    }
  slice = slice < 1 ? 1 : slice > M ? M : slice;
  if (through && (size_t) (N * size) > room)
    {
      easel_cuda_refuse (s, "linear", "rows are too long to be their own residual", &a->y);
      return;
    }
  for (int64_t m0 = 0; m0 < M && easel_stream_ok (s); m0 += slice)
    {
      const int64_t m = M - m0 < slice ? M - m0 : slice;
      const char *x = (const char *) a->x.data + m0 * ldx * size;
      const char *r = a->residual.data ? (const char *) a->residual.data + m0 * ldr * size : NULL;
      char *y = (char *) a->y.data + m0 * ldy * size, *p = through ? scratch : y;
      const void *added = whole ? r : NULL, *bias = bias_inside ? a->bias.data : NULL;
      Key key;
      bool done;

      memset (&key, 0, sizeof key); /* compared byte by byte */
      key.m = m, key.n = N, key.k = K, key.ldx = ldx, key.ldy = through ? N : ldy;
      key.ldr = added ? ldr : key.ldy;
      key.dtype = s->act_dtype;
      key.epilogue = whole ? epilogue : bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
      key.align_x = alignment_of (x), key.align_w = alignment_of (a->w.data), key.align_y = alignment_of (p);
      key.align_r = added ? alignment_of (added) : key.align_y;
      key.residual = added != NULL;
      done = library && blas_product (s, &key, x, a->w.data, bias, added, p);
      if (!done)
        {
          /* As a product alone; the rest below. Where y is the residual it must go through the workspace. */
          if (own && !through)
            {
              if (m * N * (int64_t) size > (int64_t) room)
                {
                  easel_cuda_refuse (s, "linear", "cuBLASLt has no algorithm", &a->y);
                  return;
                }
              p = scratch;
              key.ldy = N;
            }
          EASEL_CUDA_DISPATCH (s->act_dtype, { launch_plain<T> (s, &key, x, &a->w, p); });
        }
      if (!done || !whole)
        {
          const Finish f = { p, r, y, key.ldy, ldr, ldy, m0, m, N, per };

          EASEL_CUDA_DISPATCH (s->act_dtype, { launch_finish<T> (s, a, &f, !(done && bias_inside)); });
        }
      easel_cuda_launched (s, "linear", &a->y);
    }
}
