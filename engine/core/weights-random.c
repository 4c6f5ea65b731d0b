/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A model's worth of random numbers without a model's worth of memory: one pattern of 4 MiB, mapped again and again
 * into as long a stretch of addresses as the largest tensor asked for needs.
 */
#include "engine/core/weights-private.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/half.h"

#define PATTERN ((gsize) 4 << 20) /* bytes; a multiple of every page size */
#define SPREAD 0.02                /* of weights, as models are initialised */

struct EaselRandomWeights
{
  EaselDtype dtype;
  int file;          /* two patterns: around 0, around 1 */
  GArray *stretches; /* Stretch */
};

typedef struct
{
  void *base;
  gsize bytes;
  gboolean around_one;
} Stretch;

/* Sum of uniform numbers: close enough to normal. */
static float
draw (GRand *rand)
{
  double sum = 0;
  for (int i = 0; i < 4; i++)
    sum += g_rand_double (rand) - 0.5;
  return (float) (sum * sqrt (3));
}

static void
fill (guint16 *to, EaselDtype dtype, double centre, GRand *rand)
{
  for (gsize i = 0; i < PATTERN / sizeof *to; i++)
    {
      const float x = (float) (centre + SPREAD * draw (rand));
      to[i] = dtype == EASEL_DTYPE_BF16 ? easel_bf16_from_f32 (x) : easel_f16_from_f32 (x);
    }
}

EaselRandomWeights *
easel_random_weights_new (EaselDtype dtype, guint32 seed, GError **error)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  int file = memfd_create ("random-weights", MFD_CLOEXEC);
  guint16 *pattern = MAP_FAILED;
  if (file >= 0 && ftruncate (file, 2 * PATTERN) == 0)
    pattern = mmap (NULL, 2 * PATTERN, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (pattern == MAP_FAILED)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory for random weights: %s.", g_strerror (errno));
      if (file >= 0)
        close (file);
      return NULL;
    }
  fill (pattern, dtype, 0, rand);
  fill (pattern + PATTERN / sizeof *pattern, dtype, 1, rand);
  munmap (pattern, 2 * PATTERN);
  EaselRandomWeights *self = g_new0 (EaselRandomWeights, 1);
  self->dtype = dtype;
  self->file = file;
  self->stretches = g_array_new (FALSE, FALSE, sizeof (Stretch));
  return self;
}

void
easel_random_weights_free (EaselRandomWeights *self)
{
  if (!self)
    return;
  for (guint i = 0; i < self->stretches->len; i++)
    munmap (g_array_index (self->stretches, Stretch, i).base, g_array_index (self->stretches, Stretch, i).bytes);
  g_array_unref (self->stretches);
  close (self->file);
  g_free (self);
}

/* The pattern repeated over at least `bytes`. NULL when the system has no room for it. */
static const void *
stretch (EaselRandomWeights *self, gsize bytes, gboolean around_one)
{
  for (guint i = 0; i < self->stretches->len; i++)
    {
      const Stretch *s = &g_array_index (self->stretches, Stretch, i);
      if (s->around_one == around_one && s->bytes >= bytes)
        return s->base;
    }
  Stretch s = { .bytes = (bytes + PATTERN - 1) / PATTERN * PATTERN, .around_one = around_one };
  s.base = mmap (NULL, s.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (s.base == MAP_FAILED)
    return NULL;
  for (gsize at = 0; at < s.bytes; at += PATTERN)
    if (mmap ((char *) s.base + at, PATTERN, PROT_READ, MAP_SHARED | MAP_FIXED, self->file, around_one ? PATTERN : 0)
        == MAP_FAILED)
      {
        munmap (s.base, s.bytes);
        return NULL;
      }
  g_array_append_val (self->stretches, s);
  return s.base;
}

gboolean
easel_random_weights_make (EaselRandomWeights *self, const char *name, int n_dims, const gint64 *shape,
                           EaselTensor *out)
{
  EaselTensor tensor = easel_tensor (self, self->dtype, n_dims, shape);
  const gboolean around_one = n_dims == 1 && g_str_has_suffix (name, "weight");
  tensor.data = (void *) stretch (self, easel_tensor_bytes (&tensor), around_one);
  if (!tensor.data)
    return FALSE;
  *out = tensor;
  return TRUE;
}
