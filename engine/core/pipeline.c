/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/pipeline.h"

#include <string.h>
#include <unistd.h>

#define CARD_RESERVE ((guint64) 256 << 20) /* for what the driver rounds up and other programs take meanwhile */

/* One line a class. */
static const EaselPipelineClass *const CLASSES[] = {
  &easel_sana_pipeline_class,
  &easel_sana_sprint_pipeline_class,
  &easel_cogvideox_pipeline_class,
  &easel_cogvideox_image_pipeline_class,
  &easel_cogvideox_video_pipeline_class,
  NULL,
};

void
easel_plan_clear (EaselPlan *plan)
{
  g_free (plan->summary);
  *plan = (EaselPlan){ 0 };
}

double
easel_plan_input_cut (const EaselPlan *plan, gboolean *sides)
{
  const double wanted = plan->height > 0 ? (double) plan->width / plan->height : 1;
  const double given = plan->input_height > 0 ? (double) plan->input_width / plan->input_height : wanted;

  *sides = given > wanted;
  return 1 - MIN (wanted / given, given / wanted);
}

gboolean
easel_pipeline_plan (EaselPipeline *self, EaselRequest *resolved, EaselPlan *out, GError **error)
{
  GArray *plans = self->klass->plans (self, resolved, error);
  if (!plans)
    return FALSE;
  *out = g_array_index (plans, EaselPlan, 0);
  out->summary = g_strdup (out->summary);
  g_array_unref (plans);
  return TRUE;
}

EaselRequest *
easel_request_as_done (EaselRequest *resolved, int stopped_after, int reused, GError **error)
{
  EaselRequestSettings settings = *easel_request_settings (resolved);

  if (stopped_after > 0)
    settings.stop_after = stopped_after;
  settings.reused = reused;
  return easel_request_new (&settings, error);
}

const EaselPipelineClass *
easel_pipeline_class_find (const char *pipeline_class, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (guint i = 0; CLASSES[i]; i++)
    {
      if (!g_strcmp0 (pipeline_class, CLASSES[i]->pipeline_class))
        return CLASSES[i];
      g_string_append_printf (known, "%s%s", i ? ", " : "", CLASSES[i]->pipeline_class);
    }
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
               "Models of the class \"%.100s\" are not supported; supported are %s.", pipeline_class, known->str);
  return NULL;
}

guint64
easel_plan_budget (EaselDevice *device, guint64 used_before)
{
  const long pages = sysconf (_SC_PHYS_PAGES), size = sysconf (_SC_PAGESIZE);

  guint64 available, total;

  /* A job has a stream, and one more while a model is loaded. */
  used_before += 2 * device->stream_bytes;
  if (device->memory_limit)
    return device->memory_limit - MIN (device->memory_limit, used_before);
  /* A card is shared with what is on the screen: what is free now, and what this pipeline holds already. */
  if (easel_device_memory (device, &available, &total))
    {
      available += device->memory_used - MIN (device->memory_used, used_before);
      return available - MIN (available, CARD_RESERVE);
    }
  if (!device->maps_weights || pages <= 0 || size <= 0)
    return G_MAXUINT64;
  return (guint64) pages * size / 10 * 7;
}
