/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sampler-table CONFIG.json NAME|- STEPS [FIRST]: prints a run's coefficients as JSON, for tools that compare them with
 * other programs (compare_diffusers.py). Errors go to stderr, exit status 1.
 */
#include "engine/core/json.h"
#include "engine/samplers/sampler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_evaluation (const EaselEvaluation *e, EaselTrigflow trigflow)
{
  printf ("{\"timestep\":%.17g,\"scale\":%.17g,\"step\":%d,\"noise\":%d,\"preview\":[%.17g,%.17g],", e->timestep,
          e->input_scale, e->step, e->noise, e->preview_x, e->preview_model);
  printf ("\"sigma\":%.17g,", isfinite (e->sigma) ? e->sigma : -1.0);
  printf ("\"trigflow\":[%.17g,%.17g,%.17g,%.17g],\"assigns\":[", trigflow.timestep, trigflow.input_scale,
          trigflow.from_sample, trigflow.from_output);
  for (int k = 0; k < e->n_assigns; k++)
    {
      printf ("%s[%d,[", k ? "," : "", e->assigns[k].dst);
      for (int j = 0; j < e->assigns[k].n_terms; j++)
        printf ("%s[%d,%.17g]", j ? "," : "", e->assigns[k].src[j], e->assigns[k].c[j]);
      printf ("]]");
    }
  printf ("]}");
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) config = argc >= 4 ? easel_json_load (argv[1], &error) : NULL;
  g_autoptr (EaselSampler) sampler = NULL;
  double clean, noise;

  if (argc < 4)
    {
      fputs ("usage: sampler-table CONFIG.json NAME|- STEPS [FIRST]\n", stderr);
      return 2;
    }
  if (config)
    sampler = easel_sampler_new_from (strcmp (argv[2], "-") ? argv[2] : NULL, config, atoi (argv[3]),
                                      argc > 4 ? atoi (argv[4]) : 0, &error);
  if (!sampler)
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  easel_sampler_start (sampler, &clean, &noise);
  printf ("{\"name\":\"%s\",\"init_sigma\":%.17g,\"data_sigma\":%.17g,\"start\":[%.17g,%.17g],\"evaluations\":[",
          easel_sampler_name (sampler), easel_sampler_init_sigma (sampler), easel_sampler_data_sigma (sampler), clean,
          noise);
  for (int i = 0; i < easel_sampler_n_evaluations (sampler); i++)
    {
      printf ("%s", i ? ",\n" : "");
      print_evaluation (easel_sampler_evaluation (sampler, i), easel_sampler_trigflow (sampler, i));
    }
  puts ("]}");
  return 0;
}
