/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Latents of an unfinished clip in a file, so that hours of work survive a power cut. The file is replaced whole; one
 * that cannot be written stops nothing, and one that is damaged or belongs to another request is as good as none.
 */
#include "engine/cogvideox/pipeline-private.h"

#include <string.h>

#define REQUEST "easel.request"
#define EVALUATION "easel.evaluation"
#define REUSED "easel.reused"

void
cog_checkpoint_write (const char *path, const CogRecipe *recipe, const CogState *state, int C)
{
  g_autoptr (GHashTable) metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GError) error = NULL;
  const int64_t shape[4] = { recipe->frames, recipe->h, recipe->w, C };
  const char *names[EASEL_N_SLOTS];
  char buffers[EASEL_N_SLOTS][16];
  EaselTensor tensors[EASEL_N_SLOTS];
  guint n = 0;

  for (int i = 0; i < state->n_slots; i++)
    if (state->slots[i])
      {
        g_snprintf (buffers[n], sizeof buffers[n], "slot.%d", i);
        names[n] = buffers[n];
        tensors[n++] = easel_tensor (state->slots[i], EASEL_DTYPE_F32, 4, shape);
      }
  g_hash_table_insert (metadata, (char *) REQUEST, easel_request_to_json (recipe->request));
  g_hash_table_insert (metadata, (char *) EVALUATION, g_strdup_printf ("%d", state->evaluation));
  g_hash_table_insert (metadata, (char *) REUSED, g_strdup_printf ("%d", state->reused));
  if (!easel_safetensors_write (path, n, names, tensors, metadata, &error))
    g_debug ("Latents are not kept: %s", error->message);
}

gboolean
cog_checkpoint_read (const char *path, const CogRecipe *recipe, int C, CogState *out)
{
  g_autoptr (EaselSafetensors) file = easel_safetensors_open (path, NULL);
  GHashTable *metadata = file ? easel_safetensors_metadata (file) : NULL;
  const char *request = metadata ? g_hash_table_lookup (metadata, REQUEST) : NULL;
  const char *evaluation = metadata ? g_hash_table_lookup (metadata, EVALUATION) : NULL;
  const char *reused = metadata ? g_hash_table_lookup (metadata, REUSED) : NULL;
  g_autofree char *mine = easel_request_to_json (recipe->request);
  g_auto (CogState) state = { .n_slots = easel_sampler_n_slots (recipe->sampler) };
  gint64 number;

  if (!request || !evaluation || strcmp (request, mine) != 0
      || !g_ascii_string_to_signed (evaluation, 10, 1, easel_sampler_n_evaluations (recipe->sampler), &number, NULL))
    return FALSE;
  state.evaluation = (int) number;
  /* Files from before this was counted have none; those with reuse did not begin where all is computed. */
  if (!reused && recipe->settings->reuse > 0)
    return FALSE;
  if (reused)
    {
      if (!g_ascii_string_to_signed (reused, 10, 0, state.evaluation, &number, NULL))
        return FALSE;
      state.reused = (int) number;
    }
  for (int i = 0; i < state.n_slots; i++)
    {
      g_autofree char *name = g_strdup_printf ("slot.%d", i);
      EaselTensor t;

      if (i == EASEL_SLOT_MODEL || i == EASEL_SLOT_NOISE)
        continue;
      if (!easel_safetensors_find (file, name, &t) || t.dtype != EASEL_DTYPE_F32 || t.n_dims != 4
          || t.shape[0] != recipe->frames || t.shape[1] != recipe->h || t.shape[2] != recipe->w || t.shape[3] != C
          || !(state.slots[i] = g_try_malloc (easel_tensor_bytes (&t))))
        return FALSE;
      memcpy (state.slots[i], t.data, easel_tensor_bytes (&t));
    }
  *out = state;
  memset (&state, 0, sizeof state); /* taken */
  return TRUE;
}
