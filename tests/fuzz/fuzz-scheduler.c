/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * scheduler_config.json as hostile input, through every sampler: an error, or a run of numbers that uses only its own
 * slots. Entry point of libFuzzer and AFL++.
 */
#include <math.h>
#include <stdint.h>

#include "engine/core/json.h"
#include "engine/samplers/sampler.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check (EaselSampler *sampler)
{
  g_assert_cmpint (easel_sampler_n_slots (sampler), <=, EASEL_N_SLOTS);
  for (int i = 0; i < easel_sampler_n_evaluations (sampler); i++)
    {
      const EaselEvaluation *e = easel_sampler_evaluation (sampler, i);
      g_assert_cmpint (e->n_assigns, <=, EASEL_MAX_ASSIGNS);
      for (int k = 0; k < e->n_assigns; k++)
        for (int j = 0; j < e->assigns[k].n_terms; j++)
          {
            g_assert_true (isfinite (e->assigns[k].c[j]));
            g_assert_cmpint (e->assigns[k].src[j], <, easel_sampler_n_slots (sampler));
          }
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (JsonObject) config = NULL;
  guint n;
  const EaselSamplerInfo *samplers = easel_sampler_list (&n);
  int steps;

  if (size < 1)
    return 0;
  steps = data[0] % 64;
  config = easel_json_parse ((const char *) data + 1, size - 1, "fuzz", NULL);
  for (guint i = 0; config && i <= n; i++)
    {
      g_autoptr (GError) error = NULL;
      const char *name = i < n ? samplers[i].name : NULL;
      g_autoptr (EaselSampler) sampler = easel_sampler_new_from (name, config, steps, steps / 3, &error);
      g_assert_true ((sampler != NULL) == (error == NULL));
      if (sampler)
        check (sampler);
    }
  return 0;
}
