/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/speeds.h"

#include <string.h>

#define MAX_ENTRIES 64

typedef struct
{
  double loading;              /* seconds */
  double encode, step, decode; /* operations a second; 0 unknown */
} Speed;

/* What makes a model faster without its being said in the plan is a speed of its own. */
static char *
key_of (const EaselRequestSettings *s, const char *device)
{
  g_autofree char *name = easel_request_model_name (s->model ? s->model : "");
  return g_strdup_printf ("%s%s%s%s | %s", name, s->precision ? ", " : "", s->precision ? s->precision : "",
                          s->reuse > 0 ? ", faster" : "", device);
}

/* New values count for a third: one disturbed run does not spoil what was known. */
static void
blend (double *old, double now)
{
  if (!(now > 0 && now < 1e18))
    return;
  *old = *old > 0 ? *old * 2 / 3 + now / 3 : now;
}

static void
learn_size (GSettings *settings, const EaselPlan *plan, gint64 bytes, const char *format)
{
  g_autoptr (GVariant) old = g_settings_get_value (settings, "file-sizes");
  double pixels = (double) plan->width * plan->height * MAX (plan->frames, 1), now = 0, value;
  GVariantBuilder builder;
  GVariantIter iter;
  const char *name;

  if (bytes <= 0 || pixels <= 0)
    return;
  g_variant_lookup (old, format, "d", &now);
  blend (&now, (double) bytes / pixels);
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{sd}"));
  g_variant_iter_init (&iter, old);
  while (g_variant_iter_next (&iter, "{&sd}", &name, &value))
    if (strcmp (name, format) != 0)
      g_variant_builder_add (&builder, "{sd}", name, value);
  g_variant_builder_add (&builder, "{sd}", format, now);
  g_settings_set_value (settings, "file-sizes", g_variant_builder_end (&builder));
}

void
easel_speeds_learn (GSettings *settings, const char *device, EaselJob *job, const EaselPlan *plan, gint64 bytes,
                    const char *format)
{
  const EaselRequestSettings *s = easel_request_settings (easel_job_get_request (job));
  g_autofree char *key = key_of (s, device);
  g_autoptr (GVariant) old = g_settings_get_value (settings, "speeds");
  double seconds[EASEL_N_PHASES];
  Speed speed = { 0 };
  GVariantBuilder builder;
  GVariantIter iter;
  const char *name;
  Speed other;
  int n = 0;

  learn_size (settings, plan, bytes, format);
  if (easel_job_ends_early (job))
    return; /* fewer steps than the plan counts */
  easel_job_get_measured (job, seconds);
  g_variant_lookup (old, key, "(dddd)", &speed.loading, &speed.encode, &speed.step, &speed.decode);
  if (seconds[EASEL_PHASE_LOADING] > 0.05)
    blend (&speed.loading, seconds[EASEL_PHASE_LOADING]);
  /* Words that were kept from the picture before cost nothing, and say nothing of the next. */
  if (seconds[EASEL_PHASE_ENCODING_TEXT] > 0.02)
    blend (&speed.encode, plan->encode_flops / seconds[EASEL_PHASE_ENCODING_TEXT]);
  if (seconds[EASEL_PHASE_DENOISING] > 0.01)
    blend (&speed.step, plan->step_flops * MAX (plan->steps, 1) / seconds[EASEL_PHASE_DENOISING]);
  if (seconds[EASEL_PHASE_DECODING] > 0.01)
    blend (&speed.decode, plan->decode_flops / seconds[EASEL_PHASE_DECODING]);

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{s(dddd)}"));
  g_variant_builder_add (&builder, "{s(dddd)}", key, speed.loading, speed.encode, speed.step, speed.decode);
  g_variant_iter_init (&iter, old);
  while (g_variant_iter_next (&iter, "{&s(dddd)}", &name, &other.loading, &other.encode, &other.step, &other.decode))
    if (strcmp (name, key) != 0 && ++n < MAX_ENTRIES)
      g_variant_builder_add (&builder, "{s(dddd)}", name, other.loading, other.encode, other.step, other.decode);
  g_settings_set_value (settings, "speeds", g_variant_builder_end (&builder));
}

/* Of a model that was never used here: as fast as the slowest of the others on this device. */
static Speed
speed_of (GSettings *settings, const EaselRequestSettings *s, const char *device)
{
  g_autofree char *key = key_of (s, device), *end = g_strdup_printf (" | %s", device);
  g_autoptr (GVariant) known = g_settings_get_value (settings, "speeds");
  Speed speed = { 0 }, other;
  GVariantIter iter;
  const char *name;

  if (g_variant_lookup (known, key, "(dddd)", &speed.loading, &speed.encode, &speed.step, &speed.decode))
    return speed;
  g_variant_iter_init (&iter, known);
  while (g_variant_iter_next (&iter, "{&s(dddd)}", &name, &other.loading, &other.encode, &other.step, &other.decode))
    if (g_str_has_suffix (name, end) && other.step > 0 && (speed.step <= 0 || other.step < speed.step))
      speed = other;
  return speed;
}

double
easel_speeds_seconds (GSettings *settings, const char *device, const EaselRequestSettings *s, const EaselPlan *plan)
{
  Speed speed = speed_of (settings, s, device);
  double seconds;

  if (!(speed.step > 0))
    return -1;
  seconds = plan->step_flops * MAX (plan->steps, 1) / speed.step;
  seconds += plan->encode_flops / (speed.encode > 0 ? speed.encode : speed.step);
  seconds += plan->decode_flops / (speed.decode > 0 ? speed.decode : speed.step);
  return seconds;
}

double
easel_speeds_bytes (GSettings *settings, const EaselPlan *plan, const char *format)
{
  static const struct
  {
    const char *format;
    double bytes; /* a pixel, of a picture with some detail */
  } usual[] = { { "png", 1.4 }, { "jpg", 0.25 }, { "webp", 0.15 }, { "mp4", 0.03 }, { "webm", 0.03 } };
  g_autoptr (GVariant) known = g_settings_get_value (settings, "file-sizes");
  double pixels = (double) plan->width * plan->height * MAX (plan->frames, 1), each = 1;

  if (!g_variant_lookup (known, format, "d", &each))
    for (gsize i = 0; i < G_N_ELEMENTS (usual); i++)
      if (strcmp (usual[i].format, format) == 0)
        each = usual[i].bytes;
  return each * pixels;
}
