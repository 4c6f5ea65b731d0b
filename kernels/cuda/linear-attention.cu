/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ReLU linear attention: y_i = q'_i S / (q'_i z + eps), S = sum_j k'_j^T v_j [D, D], z = sum_j k'_j [D], in f32.
 *
 * Two launches, for heads of 32 in 16 bits (Sana, DC-AE):
 * 1. sums_32: a block takes a stretch of tokens of one head; warps multiply k'^T v on the tensor cores (products of
 *    16-bit numbers are exact in f32), are added in the order of their numbers, and leave [33, 32] f32 (z is the last
 *    row) in the workspace.
 * 2. apply_32: a block adds the stretches in order and multiplies q' by S as tf32: q' fits, S goes as two parts whose
 *    sum has 21 bits, so that nothing is lost that f32 keeps.
 * Anything else: sums_any, reduce_any, apply_any with f32 multiplications.
 */
#include "tensor-core.cuh"

#define HEAD 32
#define PARTIAL ((HEAD + 1) * HEAD)
#define PITCH (HEAD + 4) /* of sums in shared memory: rows 8 apart meet other banks */
#define TILE 64 /* tokens a block loads at once */
#define STAGES 3
#define APPLY 256 /* tokens of a block of apply_32 */

struct Linear
{
  EaselHeads q, k, v;
  void *y;
  int64_t y_row;
  int b, n, heads, d, splits, stretch;
  float eps;
  float *sums; /* [b][heads][splits][d + 1][d] */
};

/* ------------------------------------------------------------------------------------------------------ heads of 32 */

__device__ __forceinline__ uint32_t
relu2 (uint32_t v, bf16)
{
  __nv_bfloat162 r = __hmax2_nan (*reinterpret_cast<__nv_bfloat162 *> (&v), __floats2bfloat162_rn (0, 0));

  return *reinterpret_cast<uint32_t *> (&r);
}

__device__ __forceinline__ uint32_t
relu2 (uint32_t v, f16)
{
  __half2 r = __hmax2_nan (*reinterpret_cast<__half2 *> (&v), __floats2half2_rn (0, 0));

  return *reinterpret_cast<uint32_t *> (&r);
}

/* Grid: splits, heads, b. 4 warps; warp i has tokens 16 i to 16 i + 15 of every tile. */
template <typename T>
__global__ void __launch_bounds__ (128)
sums_32 (const Linear a)
{
  /* k and v, 64 bytes a token; chunks of 16 bytes permuted by the token so that ldmatrix meets every bank once */
  __shared__ __align__ (128) unsigned char tiles[STAGES][2][TILE * 64];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, h = blockIdx.y, b = blockIdx.z;
  const int first = blockIdx.x * a.stretch, last = min (first + a.stretch, a.n);
  const int steps = (last - first + TILE - 1) / TILE;
  const T *k = static_cast<const T *> (a.k.data) + ((int64_t) b * a.n) * a.k.row + h * a.k.head;
  const T *v = static_cast<const T *> (a.v.data) + ((int64_t) b * a.n) * a.v.row + h * a.v.head;
  float sum[2][4][4] = {}, z[2][2] = {};

  auto fetch = [&] (int step) {
#pragma unroll
    for (int i = 0; i < 2; i++)
      {
        const int row = threadIdx.x / 4 + i * 32, chunk = threadIdx.x % 4, token = first + step * TILE + row;
        const uint32_t to = row * 64 + ((chunk ^ (row / 2 & 3)) << 4);
        const bool there = token < last;

        copy_async (shared_address (tiles[step % STAGES][0]) + to, there ? k + token * a.k.row + chunk * 8 : k, there);
        copy_async (shared_address (tiles[step % STAGES][1]) + to, there ? v + token * a.v.row + chunk * 8 : v, there);
      }
  };

  for (int i = 0; i < STAGES - 1; i++)
    {
      if (i < steps)
        fetch (i);
      copy_commit ();
    }
  for (int step = 0; step < steps; step++)
    {
      uint32_t rk[2][4], rv[2][4];

      copy_wait<STAGES - 2> ();
      __syncthreads ();
      if (step + STAGES - 1 < steps)
        fetch (step + STAGES - 1);
      copy_commit ();
#pragma unroll
      for (int i = 0; i < 2; i++)
        {
          /* k': [channels 16 i .., tokens]: transposed; matrices in the order (channel, token) = 00, 10, 01, 11 */
          const int kr = warp * 16 + lane / 16 * 8 + lane % 8, kc = i * 2 + lane / 8 % 2;
          /* v: [tokens, channels 16 i ..]: matrices (token, channel) = 00, 10, 01, 11 */
          const int vr = warp * 16 + lane % 16, vc = i * 2 + lane / 16;

          load_matrix_transposed (rk[i], shared_address (tiles[step % STAGES][0]) + kr * 64
                                             + ((kc ^ (kr / 2 & 3)) << 4));
          load_matrix_transposed (rv[i], shared_address (tiles[step % STAGES][1]) + vr * 64
                                             + ((vc ^ (vr / 2 & 3)) << 4));
        }
#pragma unroll
      for (int i = 0; i < 2; i++)
        {
#pragma unroll
          for (int j = 0; j < 4; j++)
            {
              rk[i][j] = relu2 (rk[i][j], T{});
              const float2 u = unpack2<T> (rk[i][j]);

              z[i][j % 2] += u.x + u.y; /* registers 0 and 2: row lane / 4; 1 and 3: that + 8 */
            }
#pragma unroll
          for (int j = 0; j < 4; j++)
            mma<T> (sum[i][j], rk[i], rv[j / 2][j % 2 * 2], rv[j / 2][j % 2 * 2 + 1]);
        }
    }
  copy_wait<0> ();

  /* Warps one after the other into shared memory, then out. */
  float *all = reinterpret_cast<float *> (tiles);
  for (int w = 0; w < 4; w++)
    {
      __syncthreads ();
      if (warp != w)
        continue;
#pragma unroll
      for (int i = 0; i < 2; i++)
#pragma unroll
        for (int half = 0; half < 2; half++)
          {
            const int r = i * 16 + half * 8 + lane / 4;
            float zr = z[i][half];

            zr += __shfl_xor_sync (~0u, zr, 1);
            zr += __shfl_xor_sync (~0u, zr, 2);
            if (lane % 4 == 0)
              all[HEAD * HEAD + r] = (w ? all[HEAD * HEAD + r] : 0) + zr;
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
              for (int e = 0; e < 2; e++)
                {
                  float *to = &all[r * HEAD + j * 8 + lane % 4 * 2 + e];

                  *to = (w ? *to : 0) + sum[i][j][half * 2 + e];
                }
          }
    }
  __syncthreads ();
  float *out = a.sums + (((int64_t) b * a.heads + h) * a.splits + blockIdx.x) * PARTIAL;
  for (int i = threadIdx.x; i < PARTIAL; i += 128)
    out[i] = all[i];
}

__device__ __forceinline__ void
mma_tf32 (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
  asm volatile ("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                "{%0,%1,%2,%3};\n"
                : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Grid: stretches of 256 tokens, heads, b. 4 warps of 64 tokens. Channels of q are given to the mma in another order
 * than they lie in, the same for q and S: a lane's 16 bytes are its two elements of four mma. */
template <typename T>
__global__ void __launch_bounds__ (128)
apply_32 (const Linear a)
{
  __shared__ __align__ (16) float all[(HEAD + 1) * PITCH];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, t = lane % 4, h = blockIdx.y, b = blockIdx.z;
  const float *from = a.sums + ((int64_t) b * a.heads + h) * a.splits * PARTIAL;
  const T *q = static_cast<const T *> (a.q.data) + (int64_t) b * a.n * a.q.row + h * a.q.head;
  T *y = static_cast<T *> (a.y) + (int64_t) b * a.n * a.y_row + h * HEAD;
  uint32_t high[4][5][2], low[4][5][2];

  for (int i = threadIdx.x; i < PARTIAL / 4; i += 128)
    {
      float4 sum = make_float4 (0, 0, 0, 0);

#pragma unroll 4
      for (int j = 0; j < a.splits; j++)
        {
          const float4 part = *reinterpret_cast<const float4 *> (from + (int64_t) j * PARTIAL + i * 4);

          sum = make_float4 (sum.x + part.x, sum.y + part.y, sum.z + part.z, sum.w + part.w);
        }
      *reinterpret_cast<float4 *> (&all[i * 4 / HEAD * PITCH + i * 4 % HEAD]) = sum;
    }
  __syncthreads ();
#pragma unroll
  for (int k = 0; k < 4; k++)
#pragma unroll
    for (int j = 0; j < 5; j++)
#pragma unroll
      for (int e = 0; e < 2; e++)
        {
          /* the fifth tile of columns: z alone, in its first column */
          const int r = t * 8 + k * 2 + e, c = j * 8 + lane / 4;
          const float x = j < 4 ? all[r * PITCH + c] : lane / 4 == 0 ? all[HEAD * PITCH + r] : 0;

          high[k][j][e] = __float_as_uint (x) & 0xffffe000u;
          low[k][j][e] = __float_as_uint (x - __uint_as_float (high[k][j][e])) & 0xffffe000u;
        }
#pragma unroll 1
  for (int tile = 0; tile < APPLY / 64; tile++)
    {
      const int i0 = blockIdx.x * APPLY + warp * (APPLY / 4) + tile * 16 + lane / 4;
      float sum[5][4] = {};
      uint32_t rows[2][4];

#pragma unroll
      for (int half = 0; half < 2; half++)
        {
          const int i = i0 + half * 8;
          uint4 u = make_uint4 (0, 0, 0, 0);

          if (i < a.n)
            u = *reinterpret_cast<const uint4 *> (q + i * a.q.row + t * 8);
          rows[half][0] = relu2 (u.x, T{});
          rows[half][1] = relu2 (u.y, T{});
          rows[half][2] = relu2 (u.z, T{});
          rows[half][3] = relu2 (u.w, T{});
        }
#pragma unroll
      for (int k = 0; k < 4; k++)
        {
          const float2 u = unpack2<T> (rows[0][k]), v = unpack2<T> (rows[1][k]);
          const uint32_t ra[4] = { __float_as_uint (u.x), __float_as_uint (v.x), __float_as_uint (u.y),
                                   __float_as_uint (v.y) };

#pragma unroll
          for (int j = 0; j < 5; j++)
            {
              mma_tf32 (sum[j], ra, low[k][j][0], low[k][j][1]);
              mma_tf32 (sum[j], ra, high[k][j][0], high[k][j][1]);
            }
        }
#pragma unroll
      for (int half = 0; half < 2; half++)
        {
          const float below = __shfl_sync (~0u, sum[4][half * 2], lane & ~3) + a.eps;
          uint32_t out[4];

#pragma unroll
          for (int j = 0; j < 4; j++)
            out[j] = pack2<T> (sum[j][half * 2] / below, sum[j][half * 2 + 1] / below);
          quad_transpose (out);
          if (i0 + half * 8 < a.n)
            *reinterpret_cast<uint4 *> (y + (i0 + half * 8) * a.y_row + t * 8) =
                make_uint4 (out[0], out[1], out[2], out[3]);
        }
    }
}

/* -------------------------------------------------------------------------------------------------------- any heads */

#define ANY_TOKENS 16

/* Grid: splits, heads, b. Sums stand in the workspace while the block walks over its tokens. */
template <typename T>
__global__ void __launch_bounds__ (256)
sums_any (const Linear a)
{
  extern __shared__ float rows[]; /* [ANY_TOKENS][k: d, v: d] */
  const int d = a.d, h = blockIdx.y, b = blockIdx.z, first = blockIdx.x * a.stretch;
  const int last = min (first + a.stretch, a.n);
  float *sums = a.sums + (((int64_t) b * a.heads + h) * a.splits + blockIdx.x) * (d + 1) * d;

  for (int j0 = first; j0 < last; j0 += ANY_TOKENS)
    {
      const int n = min (ANY_TOKENS, last - j0);

      __syncthreads ();
      for (int i = threadIdx.x; i < n * d; i += blockDim.x)
        {
          const int64_t token = (int64_t) b * a.n + j0 + i / d;

          rows[i / d * 2 * d + i % d] = relu (to_f32 (static_cast<const T *> (a.k.data)[token * a.k.row
                                                                                        + h * a.k.head + i % d]));
          rows[i / d * 2 * d + d + i % d] =
              to_f32 (static_cast<const T *> (a.v.data)[token * a.v.row + h * a.v.head + i % d]);
        }
      __syncthreads ();
      for (int i = threadIdx.x; i < (d + 1) * d; i += blockDim.x)
        {
          float sum = j0 == first ? 0 : sums[i];

          for (int j = 0; j < n; j++)
            sum = i < d * d ? fmaf (rows[j * 2 * d + i / d], rows[j * 2 * d + d + i % d], sum)
                            : sum + rows[j * 2 * d + i % d];
          sums[i] = sum;
        }
    }
}

/* Adds the splits of each head into the first. Grid: blocks of 256 sums, heads * b. */
__global__ void __launch_bounds__ (256)
reduce_any (const Linear a)
{
  const int64_t size = (int64_t) (a.d + 1) * a.d, i = blockIdx.x * (int64_t) 256 + threadIdx.x;
  float *sums = a.sums + (int64_t) blockIdx.y * a.splits * size;
  float sum = 0;

  if (i >= size)
    return;
  for (int j = 0; j < a.splits; j++)
    sum += sums[j * size + i];
  sums[i] = sum;
}

/* Grid: tokens, heads, b; a thread a column. */
template <typename T>
__global__ void __launch_bounds__ (256)
apply_any (const Linear a)
{
  extern __shared__ float q[];
  const int d = a.d, h = blockIdx.y, b = blockIdx.z;
  const int64_t token = (int64_t) b * a.n + blockIdx.x;
  const float *sums = a.sums + ((int64_t) b * a.heads + h) * a.splits * (d + 1) * d;

  for (int i = threadIdx.x; i < d; i += blockDim.x)
    q[i] = relu (to_f32 (static_cast<const T *> (a.q.data)[token * a.q.row + h * a.q.head + i]));
  __syncthreads ();
  for (int c = threadIdx.x; c < d; c += blockDim.x)
    {
      float above = 0, below = 0;

      for (int r = 0; r < d; r++)
        {
          above = fmaf (q[r], sums[r * d + c], above);
          below = fmaf (q[r], sums[d * d + r], below);
        }
      static_cast<T *> (a.y)[token * a.y_row + (int64_t) h * d + c] = from_f32<T> (above / (below + a.eps));
    }
}

/* ------------------------------------------------------------------------------------------------------------- host */

/* Splits of the tokens: enough blocks to fill the card, stretches of whole tiles, sums that fit the workspace. */
static bool
divide (EaselStream *s, Linear *a)
{
  const int64_t heads = (int64_t) a->b * a->heads, size = (int64_t) (a->d + 1) * a->d * sizeof (float);
  int64_t splits = easel_cuda_divide_up (4 * (int64_t) easel_cuda (s)->n_sms, heads);
  const int64_t tiles = easel_cuda_divide_up (a->n, TILE), most = (int64_t) EASEL_CUDA_WORKSPACE / (heads * size);

  splits = splits < tiles ? splits : tiles;
  splits = splits < most ? splits : most;
  if (splits < 1 || a->heads > 65535 || a->b > 65535)
    {
      easel_stream_fail (s, EASEL_STATUS_UNSUPPORTED, "linear_attention: %d heads of %d in a batch of %d", a->heads,
                         a->d, a->b);
      return false;
    }
  a->stretch = (int) (easel_cuda_divide_up (tiles, splits) * TILE);
  a->splits = (int) easel_cuda_divide_up (a->n, a->stretch);
  a->sums = static_cast<float *> (easel_cuda (s)->workspace);
  return true;
}

static bool
in_16_bytes (const EaselHeads &h)
{
  return h.row % 8 == 0 && h.head % 8 == 0 && easel_cuda_aligned (h.data);
}

template <typename T>
static void
run_any (EaselStream *s, const Linear &a)
{
  const cudaStream_t stream = easel_cuda (s)->stream;

  sums_any<T><<<dim3 (a.splits, a.heads, a.b), 256, ANY_TOKENS * 2 * a.d * sizeof (float), stream>>> (a);
  reduce_any<<<dim3 ((unsigned) easel_cuda_divide_up ((a.d + 1) * a.d, 256), (unsigned) a.heads * a.b), 256, 0,
               stream>>> (a);
  apply_any<T><<<dim3 (a.n, a.heads, a.b), a.d < 64 ? 64 : 256, a.d * sizeof (float), stream>>> (a);
}

template <typename T>
static void
run_32 (EaselStream *s, const Linear &a)
{
  const cudaStream_t stream = easel_cuda (s)->stream;

  sums_32<T><<<dim3 (a.splits, a.heads, a.b), 128, 0, stream>>> (a);
  apply_32<T><<<dim3 ((unsigned) easel_cuda_divide_up (a.n, APPLY), a.heads, a.b), 128, 0, stream>>> (a);
}

extern "C" void
easel_cuda_linear_attention (EaselStream *s, const EaselLinearAttentionArgs *args)
{
  const EaselDtype dtype = args->y.dtype;
  Linear a = {};

  a.q = args->q;
  a.k = args->k;
  a.v = args->v;
  a.y = args->y.data;
  a.y_row = args->y_stride ? args->y_stride : args->heads * args->head_dim;
  a.b = (int) args->y.shape[0];
  a.n = (int) args->y.shape[1];
  a.heads = (int) args->heads;
  a.d = (int) args->head_dim;
  a.eps = args->eps;
  if (a.d > 256)
    easel_cuda_refuse (s, "linear_attention", "heads of more than 256", &args->y);
  else if (divide (s, &a))
    {
      if (dtype != EASEL_DTYPE_F32 && a.d == HEAD && in_16_bytes (a.q) && in_16_bytes (a.k) && in_16_bytes (a.v)
          && easel_cuda_aligned (a.y) && a.y_row % 8 == 0)
        {
          if (dtype == EASEL_DTYPE_BF16)
            run_32<bf16> (s, a);
          else
            run_32<f16> (s, a);
        }
      else
        EASEL_CUDA_DISPATCH (dtype, run_any<T> (s, a););
      easel_cuda_launched (s, "linear_attention", &args->y);
    }
}
