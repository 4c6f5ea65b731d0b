/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a tile of sums becomes pixels: bias, activation, residual, 16 bytes a lane. Accumulators of mma and of wgmma lie
 * alike: a lane has columns 2t, 2t + 1 of each 8 columns, t = lane % 4; 32 columns are four such pairs.
 */
#pragma once

#include "conv.cuh"
#include "tensor-core.cuh"

/* A lane's four pairs of biases from column 0 of `from` (shared memory, f32) on. */
__device__ __forceinline__ void
conv_bias (const float *from, float2 (&bias)[4])
{
#pragma unroll
  for (int i = 0; i < 4; i++)
    bias[i] = *reinterpret_cast<const float2 *> (from + i * 8 + (threadIdx.x & 3) * 2);
}

/* No GELU here: code that is unrolled for every register has to stay short, or fetching it takes longer than its work.
 * conv_stores() says which it takes. */
__device__ __forceinline__ void
conv_activate (int act, float2 (&v)[4])
{
  if (act == EASEL_ACT_SILU)
    {
#pragma unroll
      for (int i = 0; i < 4; i++)
        v[i] = make_float2 (silu_16 (v[i].x), silu_16 (v[i].y));
    }
  else if (act == EASEL_ACT_RELU)
    {
#pragma unroll
      for (int i = 0; i < 4; i++)
        v[i] = make_float2 (relu (v[i].x), relu (v[i].y));
    }
}

/* Where a lane's row of 32 columns goes: columns n to n + 31 of a pixel of y; those from `end` on are not written. All
 * lanes of a warp have one, those of a quad the same pixel. */
struct ConvRow
{
  int64_t at; /* in y: the lane's 8 columns when WIDE, else column n */
  bool valid; /* the pixel is there, and when WIDE so are the lane's columns */
  uint4 residual;
};

/* Asks for the residual: well before conv_store(), for several rows at once. WIDE: y's rows and `end` are multiples of
 * 8. */
template <typename T, bool WIDE>
__device__ __forceinline__ ConvRow
conv_row (const Conv &c, int64_t pixel, bool valid, int n, int end)
{
  const int column = WIDE ? n + (threadIdx.x & 3) * 8 : n;
  ConvRow row = { pixel * c.co + column, valid && (!WIDE || column < end), make_uint4 (0, 0, 0, 0) };

  if (WIDE && c.residual && row.valid)
    row.residual = *reinterpret_cast<const uint4 *> (static_cast<const T *> (c.residual) + row.at);
  return row;
}

/* v: what the lane holds of the row. `columns`: how many there are from n on, when not WIDE. */
template <typename T, bool WIDE>
__device__ __forceinline__ void
conv_store (const Conv &c, const ConvRow &row, int columns, const float2 (&bias)[4], float2 (&v)[4])
{
  const int lane = threadIdx.x & 3;

#pragma unroll
  for (int i = 0; i < 4; i++)
    {
      v[i].x += bias[i].x;
      v[i].y += bias[i].y;
    }
  conv_activate (c.act, v);
  if constexpr (WIDE)
    {
      uint32_t pairs[4] = { row.residual.x, row.residual.y, row.residual.z, row.residual.w };

      if (c.residual)
        {
          quad_transpose (pairs);
#pragma unroll
          for (int i = 0; i < 4; i++)
            {
              const float2 r = unpack2<T> (pairs[i]);

              v[i].x += r.x;
              v[i].y += r.y;
            }
        }
#pragma unroll
      for (int i = 0; i < 4; i++)
        pairs[i] = pack2<T> (v[i].x, v[i].y);
      quad_transpose (pairs);
      if (row.valid)
        *reinterpret_cast<uint4 *> (static_cast<T *> (c.y) + row.at) =
            make_uint4 (pairs[0], pairs[1], pairs[2], pairs[3]);
    }
  else
    {
#pragma unroll
      for (int i = 0; i < 8; i++)
        {
          const int column = i / 2 * 8 + lane * 2 + i % 2;
          float u = i % 2 ? v[i / 2].y : v[i / 2].x;

          if (row.valid && column < columns)
            {
              if (c.residual)
                u += to_f32 (static_cast<const T *> (c.residual)[row.at + column]);
              static_cast<T *> (c.y)[row.at + column] = from_f32<T> (u);
            }
        }
    }
}

static inline bool
conv_stores (const Conv *c)
{
  return c->act != EASEL_ACT_GELU_TANH;
}

static inline bool
conv_is_wide (const Conv *c)
{
  return c->no % 8 == 0 && c->co % 8 == 0 && easel_cuda_aligned (c->y) && easel_cuda_aligned (c->residual);
}
