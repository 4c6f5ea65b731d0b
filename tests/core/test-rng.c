/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random numbers against values printed by torch 2.11 (the reference case "rng" has many more, see tests/parity), and
 * what the generator promises by itself.
 */
#include "engine/core/rng.h"

#include <math.h>
#include <string.h>

#include "tests/core/rng-values.h"

static void
draw (EaselRngKind kind, guint64 seed, float *out, gsize n, EaselDtype dtype)
{
  g_autoptr (EaselRng) rng = easel_rng_new (kind, seed);
  easel_rng_randn (rng, out, n, dtype);
}

/* torch.randn (n, generator = torch.Generator ().manual_seed (seed)), to the last bit. */
static void
test_cpu_bits (void)
{
  float got[32];
  draw (EASEL_RNG_CPU, 42, got, 16, EASEL_DTYPE_F32);
  g_assert_cmpmem (got, sizeof CPU_42_16, CPU_42_16, sizeof CPU_42_16);
  draw (EASEL_RNG_CPU, 42, got, 17, EASEL_DTYPE_F32);
  g_assert_cmpmem (got, sizeof CPU_42_17, CPU_42_17, sizeof CPU_42_17);
  draw (EASEL_RNG_CPU, 42, got, 5, EASEL_DTYPE_F32);
  g_assert_cmpmem (got, sizeof CPU_42_5, CPU_42_5, sizeof CPU_42_5);
  draw (EASEL_RNG_CPU, 42, got, 16, EASEL_DTYPE_F64);
  g_assert_cmpmem (got, sizeof CPU_42_16_F64, CPU_42_16_F64, sizeof CPU_42_16_F64);
  /* Only the low 32 bits of a seed count on the CPU. */
  float other[16];
  draw (EASEL_RNG_CPU, 42 + (G_GUINT64_CONSTANT (5) << 32), other, 16, EASEL_DTYPE_F32);
  g_assert_cmpmem (other, sizeof other, CPU_42_16, sizeof CPU_42_16);
}

/* Single draws keep the second value of a pair; a long draw in between does not touch it. */
static void
test_sequence (void)
{
  float whole[6], parts[6], between[16];
  draw (EASEL_RNG_CPU, 3, whole, 6, EASEL_DTYPE_F32);
  g_autoptr (EaselRng) rng = easel_rng_new (EASEL_RNG_CPU, 3);
  for (int i = 0; i < 5; i++)
    easel_rng_randn (rng, parts + i, 1, EASEL_DTYPE_F32);
  easel_rng_randn (rng, between, 16, EASEL_DTYPE_F32);
  easel_rng_randn (rng, parts + 5, 1, EASEL_DTYPE_F32);
  g_assert_cmpmem (parts, sizeof parts, whole, sizeof whole);
  easel_rng_randn (rng, NULL, 0, EASEL_DTYPE_F32);
}

/* Mean 0, variance 1, nothing missing, of every dtype and length around the block size; both generators. */
static void
test_moments (void)
{
  static const gsize LENGTHS[] = { 1, 15, 16, 17, 31, 33, 1000, 300001 };
  static const EaselDtype DTYPES[] = { EASEL_DTYPE_F32, EASEL_DTYPE_F16, EASEL_DTYPE_BF16, EASEL_DTYPE_F64 };
  for (int kind = EASEL_RNG_CPU; kind <= EASEL_RNG_CUDA; kind++)
    for (guint d = 0; d < G_N_ELEMENTS (DTYPES); d++)
      for (guint l = 0; l < G_N_ELEMENTS (LENGTHS); l++)
        {
          gsize n = LENGTHS[l];
          g_autofree float *got = g_new (float, n);
          double sum = 0, squares = 0;
          memset (got, 0xff, n * sizeof *got); /* NaN */
          draw ((EaselRngKind) kind, 11, got, n, DTYPES[d]);
          for (gsize i = 0; i < n; i++)
            {
              g_assert_true (fabsf (got[i]) <= 9);
              sum += got[i];
              squares += (double) got[i] * got[i];
            }
          if (n < 1000)
            continue;
          double spread = 5 / sqrt ((double) n);
          /* bf16 uniforms have 8 bits: their normals are wider. */
          g_assert_true (fabs (sum / (double) n) <= spread);
          g_assert_true (fabs (squares / (double) n - 1) <= 2 * spread + (DTYPES[d] == EASEL_DTYPE_BF16 ? 0.05 : 0));
        }
}

/* The card's grid decides which value lands where, not which values there are. */
static void
test_cuda_grid (void)
{
  const gsize n = 4 * 256 * 3 + 5;
  g_autofree float *a = g_new (float, n), *b = g_new (float, n), *c = g_new (float, n);
  draw (EASEL_RNG_CUDA, 1, a, n, EASEL_DTYPE_F32);
  g_autoptr (EaselRng) small = easel_rng_new (EASEL_RNG_CUDA, 1);
  easel_rng_set_cuda_grid (small, 1, 256);
  easel_rng_randn (small, b, n, EASEL_DTYPE_F32);
  g_assert_true (memcmp (a, b, n * sizeof *a) != 0);
  g_assert_cmpmem (a, 256 * sizeof *a, b, 256 * sizeof *b); /* first numbers of the first 256 threads */
  /* The next draw goes on where this one ended. */
  easel_rng_randn (small, c, n, EASEL_DTYPE_F32);
  g_assert_true (memcmp (b, c, n * sizeof *b) != 0);
  draw (EASEL_RNG_CUDA, 2, c, n, EASEL_DTYPE_F32);
  g_assert_true (memcmp (a, c, n * sizeof *a) != 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rng/cpu-bits", test_cpu_bits);
  g_test_add_func ("/rng/sequence", test_sequence);
  g_test_add_func ("/rng/moments", test_moments);
  g_test_add_func ("/rng/cuda-grid", test_cuda_grid);
  return g_test_run ();
}
