/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random numbers as torch draws them, so that a seed gives the same starting noise to the last bit.
 *   EASEL_RNG_CPU   torch.Generator("cpu"): mt19937, Box-Muller in float as aten/native/cpu normal_fill
 *                   (16 and more values: 8+8 blocks; fewer: one by one in double with the cached second value)
 *   EASEL_RNG_CUDA  torch.Generator("cuda"): Philox 4x32-10, the value depends on the thread grid; 132 processors of
 *                   2048 threads are assumed unless said (easel_rng_set_cuda_grid)
 */
#pragma once

#include <glib.h>

#include "kernels/tensor.h"

G_BEGIN_DECLS

typedef enum
{
  EASEL_RNG_CPU,
  EASEL_RNG_CUDA,
} EaselRngKind;

typedef struct EaselRng EaselRng;

EaselRng *easel_rng_new (EaselRngKind kind, guint64 seed);
void easel_rng_free (EaselRng *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselRng, easel_rng_free)

/* n standard normal values as torch.randn (n, generator, dtype) draws them, widened to f32. dtype: F32, F16, BF16, F64
 * (torch's sequences differ between dtypes). CPU: F32 and F64 equal torch to the last bit; F16 and BF16 are those of
 * torch up to 2.11 (newer versions draw F32 and round). CUDA: within 1e-6, since the card's sine is a table. */
void easel_rng_randn (EaselRng *self, float *out, gsize n, EaselDtype dtype);

void easel_rng_set_cuda_grid (EaselRng *self, guint multiprocessors, guint threads_per_multiprocessor);

G_END_DECLS
