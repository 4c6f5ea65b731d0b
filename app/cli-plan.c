/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plan: what a picture would need, without making it, by every plan there is.
 */
#include "app/cli.h"

#include <stdio.h>

/* How the weights are held, in a word or two. */
static char *
held (const EaselPlan *plan)
{
  if (plan->blocks_streamed > 0 && plan->encoder_streamed)
    return g_strdup_printf ("%d blocks and text streamed", plan->blocks_streamed);
  if (plan->blocks_streamed > 0)
    return g_strdup_printf ("%d blocks streamed", plan->blocks_streamed);
  return g_strdup (plan->encoder_streamed ? "text streamed" : plan->takes_turns ? "text put out" : "all");
}

static void
print_members (CliJson *json, const EaselPlan *plan)
{
  cli_json_int (json, "weights_bytes", (gint64) plan->weights_bytes);
  cli_json_int (json, "activations_bytes", (gint64) plan->activations_bytes);
  cli_json_int (json, "peak_bytes", (gint64) plan->peak_bytes);
  cli_json_int (json, "tile_width", plan->tile_width);
  cli_json_int (json, "tile_height", plan->tile_height);
  cli_json_bool (json, "takes_turns", plan->takes_turns);
  cli_json_bool (json, "encoder_streamed", plan->encoder_streamed);
  cli_json_int (json, "blocks_streamed", plan->blocks_streamed);
  cli_json_int (json, "streamed_bytes", (gint64) plan->streamed_bytes);
  cli_json_bool (json, "fits", plan->fits);
  cli_json_string (json, "summary", plan->summary);
}

static void
print_json (const char *request_json, GArray *plans, const char *device)
{
  const EaselPlan *plan = &g_array_index (plans, EaselPlan, 0);
  CliJson json;

  cli_json_begin (&json);
  cli_json_open (&json, NULL, '{');
  cli_json_string (&json, "device", device);
  cli_json_int (&json, "width", plan->width);
  cli_json_int (&json, "height", plan->height);
  cli_json_int (&json, "frames", plan->frames);
  cli_json_int (&json, "steps", plan->steps);
  print_members (&json, plan);
  cli_json_double (&json, "flops", plan->flops);
  cli_json_raw (&json, "request", request_json);
  cli_json_open (&json, "plans", '[');
  for (guint i = 0; i < plans->len; i++)
    {
      cli_json_open (&json, NULL, '{');
      print_members (&json, &g_array_index (plans, EaselPlan, i));
      cli_json_close (&json, '}');
    }
  cli_json_close (&json, ']');
  cli_json_close (&json, '}');
  cli_json_end (&json);
}

/* A line a plan, the one that is taken first. */
static void
print_table (GArray *plans)
{
  printf ("\n  %10s %10s %11s %11s  %-12s %s\n", "peak", "weights", "activations", "copied/step", "decoded in",
          "weights on the device");
  for (guint i = 0; i < plans->len; i++)
    {
      const EaselPlan *plan = &g_array_index (plans, EaselPlan, i);
      g_autofree char *peak = cli_format_bytes (plan->peak_bytes), *weights = cli_format_bytes (plan->weights_bytes);
      g_autofree char *activations = cli_format_bytes (plan->activations_bytes);
      g_autofree char *streamed = plan->streamed_bytes ? cli_format_bytes (plan->streamed_bytes) : g_strdup ("-");
      g_autofree char *tile = plan->tile_width ? g_strdup_printf ("%dx%d", plan->tile_width, plan->tile_height)
                                               : g_strdup ("one piece");
      g_autofree char *how = held (plan);

      printf ("%c %10s %10s %11s %11s  %-12s %s%s\n", i == 0 ? '>' : ' ', peak, weights, activations, streamed, tile,
              how, plan->fits ? "" : " (does not fit)");
    }
}

static void
print_text (const EaselRequestSettings *settings, GArray *plans, const char *device)
{
  const EaselPlan *plan = &g_array_index (plans, EaselPlan, 0);
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
  if (plans->len > 1)
    print_table (plans);
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
  g_autoptr (GArray) plans = NULL;

  wish->seed = MAX (wish->seed, 0);
  request = cli_wish_request (wish, args, 0, &error);
  cli_wish_free (wish);
  if (request == NULL || (engine = cli_engine_new (args, &error)) == NULL
      || (resolved = easel_engine_resolve (engine, request, &error)) == NULL
      || !(plans = easel_engine_plans (engine, request, &error))) /* not `resolved`: that names a model, not a folder */
    return cli_failed (error);

  if (args->json)
    {
      g_autofree char *request_json = easel_request_to_json (resolved);

      print_json (request_json, plans, easel_engine_device_name (engine));
    }
  else
    print_text (easel_request_settings (resolved), plans, easel_engine_device_name (engine));
  return CLI_OK;
}
