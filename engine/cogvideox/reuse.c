/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cogvideox/reuse.h"

#include <math.h>
#include <string.h>

/* The change is measured on some tokens spread over each sample's clip: the whole would have to leave the device. */
#define GROUPS 16
#define GROUP 4

/* The first steps find the clip's shape, and each of them changes much. */
#define FIRST_COMPUTED 2

struct EaselCogReuse
{
  double threshold;
  gint64 B, n, n_text, C, group;
  gsize n_probe;                 /* rows of the probes */
  EaselTensor before, after;     /* [n_probe, C] f32: tokens around the first block */
  EaselTensor middle, rest;      /* [B, n, C] f32: tokens after the first block; what the others added */
  float *work, *last;            /* [n_probe, C]: what the first block did, now and when all was computed */
  int n_reused;
  gboolean whole;                /* this forward computes everything, whatever changes */
};

EaselCogReuse *
easel_cog_reuse_new (EaselCogTransformer *transformer, EaselStream *s, EaselCogContext *x, double threshold,
                     int reused, GError **error)
{
  g_autoptr (EaselCogReuse) self = g_new0 (EaselCogReuse, 1);
  const gint64 C = transformer->config.inner;

  self->threshold = threshold;
  self->n_reused = reused;
  self->whole = TRUE;
  self->B = x->batch;
  self->n = x->n;
  self->n_text = x->n_text;
  self->C = C;
  self->group = MIN (GROUP, x->n_clip);
  self->n_probe = (gsize) (self->B * GROUPS * self->group);
  self->before = easel_new (s, EASEL_DTYPE_F32, (gint64) self->n_probe, C);
  self->after = easel_new (s, EASEL_DTYPE_F32, (gint64) self->n_probe, C);
  self->middle = easel_new (s, EASEL_DTYPE_F32, self->B, self->n, C);
  self->rest = easel_new (s, EASEL_DTYPE_F32, self->B, self->n, C);
  self->work = g_try_malloc0_n (self->n_probe * (gsize) C, sizeof (float));
  self->last = g_try_malloc0_n (self->n_probe * (gsize) C, sizeof (float));
  if (self->work && self->last)
    return easel_stream_check (s, "Denoising", error) ? g_steal_pointer (&self) : NULL;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to keep the work of a step");
  return NULL;
}

void
easel_cog_reuse_free (EaselCogReuse *self)
{
  if (!self)
    return;
  g_free (self->work);
  g_free (self->last);
  g_free (self);
}

void
easel_cog_reuse_next (EaselCogReuse *self, int i, int n)
{
  /* The last one is what is seen. */
  self->whole = i < FIRST_COMPUTED || i % EASEL_COG_REUSE_EVERY == 0 || i + 1 == n;
}

int
easel_cog_reuse_count (EaselCogReuse *self)
{
  return self->n_reused;
}

/* Rows of the clip's tokens, spread evenly over each sample. */
static void
probe (EaselCogReuse *self, EaselStream *s, EaselTensor tokens, EaselTensor to)
{
  EaselTensor rows = easel_tensor_as (tokens, self->B * self->n, self->C);
  const gint64 n_clip = self->n - self->n_text;

  for (gint64 b = 0; b < self->B && easel_stream_ok (s); b++)
    for (gint64 g = 0; g < GROUPS; g++)
      {
        const gint64 from = b * self->n + self->n_text + g * (n_clip - self->group) / (GROUPS - 1);

        easel_cast (s, .x = easel_tensor_rows (rows, from, self->group),
                    .y = easel_tensor_rows (to, (b * GROUPS + g) * self->group, self->group));
      }
}

void
cog_reuse_before (EaselCogReuse *self, EaselStream *s, EaselTensor tokens)
{
  probe (self, s, tokens, self->before);
}

/* sum |work - last| / sum |last|; NaN where a number is out of range. */
static double
change (const EaselCogReuse *self)
{
  double moved = 0, size = 0;

  for (gsize i = 0; i < self->n_probe * (gsize) self->C; i++)
    {
      moved += fabs ((double) self->work[i] - self->last[i]);
      size += fabs ((double) self->last[i]);
    }
  return moved / size;
}

gboolean
cog_reuse_skips (EaselCogReuse *self, EaselStream *s, EaselTensor tokens)
{
  easel_cast (s, .x = tokens, .y = self->middle);
  probe (self, s, tokens, self->after);
  easel_lincomb (s, .n_terms = 2, .x = { self->after, self->before }, .c = { 1, -1 }, .y = self->after);
  easel_download (s, self->work, self->after);
  if (easel_stream_is_dry (s) || !easel_stream_ok (s))
    return FALSE;
  /* Written so that NaN computes. */
  if (!self->whole && change (self) < self->threshold)
    {
      self->n_reused++;
      return TRUE;
    }
  memcpy (self->last, self->work, self->n_probe * (gsize) self->C * sizeof (float));
  return FALSE;
}

void
cog_reuse_remember (EaselCogReuse *self, EaselStream *s, EaselTensor tokens)
{
  easel_cast (s, .x = tokens, .y = self->rest);
  easel_lincomb (s, .n_terms = 2, .x = { self->rest, self->middle }, .c = { 1, -1 }, .y = self->rest);
}

void
cog_reuse_apply (EaselCogReuse *self, EaselStream *s, EaselTensor tokens)
{
  easel_lincomb (s, .n_terms = 2, .x = { self->middle, self->rest }, .c = { 1, 1 }, .y = self->middle);
  easel_cast (s, .x = self->middle, .y = tokens);
}
