/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parity of the core room: random numbers.
 */
#include "tests/parity/parity.h"

#include <math.h>
#include <string.h>

#include "engine/core/rng.h"

/* The float path of the CPU generator is equal to the last bit; the rest goes through other libraries' log and sin. */
#define RNG_BOUND 1e-6

static void
draw (EaselRngKind kind, guint64 seed, float *out, gsize n, EaselDtype dtype)
{
  g_autoptr (EaselRng) rng = easel_rng_new (kind, seed);
  easel_rng_randn (rng, out, n, dtype);
}

/* name: "cpu.42.1000", "cpu.42.seq", "cuda.0.sana.tail", "cpu.42.bf16" … */
static gboolean
check_one (ParityCase *c, const char *name, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (name, ".", -1);
  guint n_parts = g_strv_length (parts);
  EaselRngKind kind = !strcmp (parts[0], "cuda") ? EASEL_RNG_CUDA : EASEL_RNG_CPU;
  EaselDtype dtype = EASEL_DTYPE_F32;
  EaselTensor want;
  easel_safetensors_find (c->tensors, name, &want);
  gsize n_want = (gsize) easel_tensor_count (&want), n = n_want, from = 0;
  if (n_parts < 3)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "case rng: cannot read the name \"%s\"", name);
      return FALSE;
    }
  guint64 seed = g_ascii_strtoull (parts[1], NULL, 10);
  if (n_parts == 4)
    {
      n = !strcmp (parts[2], "sana")  ? 32 * 32 * 32
          : !strcmp (parts[2], "cog") ? 13 * 16 * 60 * 90
          : !strcmp (parts[2], "4k")  ? 32 * 128 * 128
                                      : (gsize) g_ascii_strtoull (parts[2], NULL, 10);
      from = !strcmp (parts[3], "head") ? 0 : !strcmp (parts[3], "mid") ? n / 2 : n - n_want;
    }
  else if (!strcmp (parts[2], "half16"))
    dtype = EASEL_DTYPE_F16;
  else if (!strcmp (parts[2], "bf16"))
    dtype = EASEL_DTYPE_BF16;
  g_autofree float *got = g_new (float, n);
  if (!strcmp (parts[2], "seq"))
    {
      g_autoptr (EaselRng) rng = easel_rng_new (kind, seed);
      easel_rng_randn (rng, got, 20, dtype);
      easel_rng_randn (rng, got + 20, 5, dtype);
      easel_rng_randn (rng, got + 25, 33, dtype);
    }
  else
    draw (kind, seed, got, n, dtype);
  gboolean exact = kind == EASEL_RNG_CPU && dtype == EASEL_DTYPE_F32;
  parity_check_absolute (c, name, got + from, (gint64) n_want, exact ? 0.0 : RNG_BOUND);
  if (n_parts == 4 && !strcmp (parts[3], "head"))
    {
      g_autofree char *key = g_strdup_printf ("%s.%s.%s.sum", parts[0], parts[1], parts[2]);
      double sum = 0, wanted = json_object_get_double_member_with_default (c->meta, key, NAN);
      for (gsize i = 0; i < n; i++)
        sum += got[i];
      parity_row (c, key, fabs (sum - wanted), exact ? 1e-9 : 1e-8 * (double) n);
    }
  return TRUE;
}

static gboolean
run_rng (ParityCase *c, GError **error)
{
  for (guint i = 0; i < easel_safetensors_count (c->tensors); i++)
    if (!check_one (c, easel_safetensors_nth (c->tensors, i, NULL), error))
      return FALSE;
  return TRUE;
}

const ParityFamily parity_core[] = {
  { "rng", run_rng },
  { NULL },
};
