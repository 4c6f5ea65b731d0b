/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plan: what a picture would need, without making it.
 */
#include "app/cli.h"

#include <stdio.h>

static void
print_json (const char *request_json, const EaselPlan *plan, const char *device)
{
  CliJson json;

  cli_json_begin (&json);
  cli_json_open (&json, NULL, '{');
  cli_json_string (&json, "device", device);
  cli_json_int (&json, "width", plan->width);
  cli_json_int (&json, "height", plan->height);
  cli_json_int (&json, "frames", plan->frames);
  cli_json_int (&json, "steps", plan->steps);
  cli_json_int (&json, "weights_bytes", (gint64) plan->weights_bytes);
  cli_json_int (&json, "activations_bytes", (gint64) plan->activations_bytes);
  cli_json_int (&json, "peak_bytes", (gint64) plan->peak_bytes);
  cli_json_double (&json, "flops", plan->flops);
  cli_json_string (&json, "summary", plan->summary);
  cli_json_raw (&json, "request", request_json);
  cli_json_close (&json, '}');
  cli_json_end (&json);
}

static void
print_text (const EaselRequestSettings *settings, const EaselPlan *plan, const char *device)
{
  g_autofree char *weights = cli_format_bytes (plan->weights_bytes);
  g_autofree char *activations = cli_format_bytes (plan->activations_bytes);
  g_autofree char *peak = cli_format_bytes (plan->peak_bytes);

  printf ("model        %s\n", settings->model);
  printf ("device       %s\n", device);
  printf ("size         %d x %d", plan->width, plan->height);
  if (plan->frames > 1)
    printf (", %d frames", plan->frames);
  printf ("\nsteps        %d, %s\n", plan->steps, settings->sampler ? settings->sampler : "the model's sampler");
  printf ("weights      %s\n", weights);
  printf ("activations  %s\n", activations);
  printf ("peak memory  %s\n", peak);
  if (plan->flops > 0)
    printf ("work         %.3g TFLOP\n", plan->flops / 1e12);
  if (plan->summary)
    printf ("%s\n", plan->summary);
}

CliStatus
cli_plan (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselEngine) engine = NULL;
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (EaselRequest) resolved = NULL;
  const char *words = args->positional->len ? g_ptr_array_index (args->positional, 0) : "";
  CliWish *wish = cli_wish_new (args, args->prompt ? args->prompt : words);
  EaselPlan plan = { 0 };

  wish->seed = MAX (wish->seed, 0);
  request = cli_wish_request (wish, args, 0, &error);
  cli_wish_free (wish);
  if (request == NULL || (engine = cli_engine_new (args, &error)) == NULL
      || (resolved = easel_engine_resolve (engine, request, &error)) == NULL
      || !easel_engine_plan (engine, request, &plan, &error)) /* not `resolved`: that names a model, not a folder */
    return cli_failed (error);

  if (args->json)
    {
      g_autofree char *request_json = easel_request_to_json (resolved);

      print_json (request_json, &plan, easel_engine_device_name (engine));
    }
  else
    print_text (easel_request_settings (resolved), &plan, easel_engine_device_name (engine));
  easel_plan_clear (&plan);
  return CLI_OK;
}
