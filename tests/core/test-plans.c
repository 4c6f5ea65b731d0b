/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The same picture and the same clip by every plan: with all weights on the device, with the text encoder put out, and
 * with as many blocks taking turns as less and less memory asks for. The device is the processor made to hold weights
 * of its own, as a card does.
 */
#include "engine/cogvideox/transformer.h"
#include "engine/core/devices.h"
#include "engine/core/plans.h"
#include "engine/sana/transformer.h"
#include "engine/text/gemma2.h"

#include <string.h>

/* Of one forward pass of two samples of the starter models, six blocks each, in bf16. */
#define SANA_LAUNCHES 96
#define SANA_BYTES 42634560
#define COG_LAUNCHES 183
#define COG_BYTES 42873472

typedef struct
{
  EaselDevice *device;
  EaselPipeline *pipeline;
  EaselRequest *request;
  guint64 base;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  const gboolean clip = !strcmp (data, "starter-cogvideox");
  g_autofree char *dir = g_build_filename (g_getenv ("EASEL_SOURCE"), "data", "starter", data, NULL);
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) asked = NULL;
  EaselModelFolder *folder = easel_model_folder_open (dir, &error);

  g_assert_no_error (error);
  g_assert_cmpint (easel_cpu_device_open (2, &f->device), ==, EASEL_STATUS_OK);
  f->device->maps_weights = false;
  f->pipeline = (clip ? &easel_cogvideox_pipeline_class : &easel_sana_pipeline_class)->open (folder, f->device, &error);
  g_assert_no_error (error);
  s.prompt = "a red circle growing";
  s.model = "test";
  s.width = s.height = 128;
  s.frames = clip ? 9 : 0;
  s.resolution_binning = FALSE;
  s.steps = 2;
  s.seed = 5;
  asked = easel_request_new (&s, &error);
  g_assert_no_error (error);
  f->request = f->pipeline->klass->resolve (f->pipeline, asked, &error);
  g_assert_no_error (error);
  f->base = f->device->memory_used;
}

static void
tear_down (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  easel_request_unref (f->request);
  f->pipeline->klass->free (f->pipeline);
  g_assert_cmpuint (f->device->memory_used, ==, f->base);
  easel_device_close (&f->device);
}

static EaselPicture *
run (Fixture *f, GError **error)
{
  g_autoptr (EaselJob) job = easel_job_new (f->request);
  EaselPicture *picture = NULL;

  easel_device_reset_peak (f->device);
  f->pipeline->klass->run (f->pipeline, f->request, job, &picture, error);
  return picture;
}

static gsize
bytes_of (const EaselPicture *p)
{
  return (gsize) p->width * p->height * p->n_frames * 3;
}

static void
test_less_and_less (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselPicture) first = NULL;
  int last = -1, kinds = 0, way = 0;
  gboolean turns = FALSE;
  EaselPlan plan = { 0 };
  guint64 peak;

  g_assert_true (easel_pipeline_plan (f->pipeline, f->request, &plan, &error));
  g_assert_no_error (error);
  g_assert_true (plan.fits && !plan.takes_turns && plan.blocks_streamed == 0);
  first = run (f, &error);
  g_assert_no_error (error);

  for (;;)
    {
      g_autoptr (EaselPicture) again = NULL;

      peak = plan.peak_bytes;
      easel_plan_clear (&plan);
      f->device->memory_limit = f->base + peak - 1;
      g_assert_true (easel_pipeline_plan (f->pipeline, f->request, &plan, &error));
      g_assert_no_error (error);
      if (!plan.fits)
        break;
      g_assert_cmpuint (plan.peak_bytes, <, peak);
      g_test_message ("%s", plan.summary);
      again = run (f, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (f->device->memory_peak, <=, f->device->memory_limit);
      if (plan.way != way) /* decoded in other pieces: another picture, and the one to compare with from here on */
        {
          easel_picture_unref (first);
          first = easel_picture_ref (again);
        }
      way = plan.way;
      g_assert_cmpint (memcmp (first->rgb, again->rgb, bytes_of (first)), ==, 0);
      kinds += plan.blocks_streamed != last;
      last = plan.blocks_streamed;
      turns |= plan.takes_turns && !plan.encoder_streamed && plan.blocks_streamed == 0;
    }
  easel_plan_clear (&plan);
  g_assert_true (turns);
  g_assert_cmpint (kinds, >=, 3); /* none, some and all of the blocks */
  g_assert_cmpint (last, ==, 6);
  f->device->memory_limit = 0;
}

/* What the text encoder gives with `streamed` of its blocks taking turns; *blocks and *held (bytes) receive what there
 * is, and are read when some do. g_free. */
static float *
read_text (EaselDevice *device, int streamed, gboolean once, EaselWeightBlocks *blocks, guint64 *held)
{
  static const gint32 ids[] = { 2, 17, 404, 1279, 5, 6 };
  g_autofree char *dir
      = g_build_filename (g_getenv ("EASEL_SOURCE"), "data", "starter", "starter-sana", "text_encoder", NULL);
  g_autofree char *path = g_build_filename (dir, "config.json", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) config = easel_json_load (path, &error);
  EaselWeights *weights = easel_weights_open (dir, NULL, &error);
  g_autoptr (EaselGemma2) encoder = NULL;
  EaselStream *s = NULL;
  EaselTensor out;
  float *host = NULL;

  g_assert_no_error (error);
  easel_weights_set_compute (weights, EASEL_DTYPE_F32);
  easel_weights_set_streamed (weights, streamed, blocks->largest, once);
  easel_weights_expect_bytes (weights, *held - streamed * blocks->smallest);
  encoder = easel_gemma2_new (config, weights, device, &error);
  g_assert_no_error (error);
  g_assert_cmpint (easel_stream_open (device, 8 << 20, &s), ==, EASEL_STATUS_OK);
  for (int i = 0; i < 2; i++) /* the second begins where the first left the rooms */
    {
      g_clear_pointer (&host, g_free);
      g_assert_true (easel_gemma2_encode (encoder, s, 1, G_N_ELEMENTS (ids), ids, NULL, &out, NULL, NULL, &error));
      host = g_malloc (easel_tensor_bytes (&out));
      easel_download (s, host, out);
      g_assert_true (easel_stream_ok (s));
    }
  *blocks = easel_weights_blocks (weights);
  *held = easel_weights_held_bytes (weights);
  easel_stream_close (&s);
  return host;
}

/* A text encoder whose layers take turns, from memory and from its file: the same bytes, less memory. */
static void
test_text_encoder (void)
{
  EaselDevice *device = NULL;
  EaselWeightBlocks blocks = { 0 };
  g_autofree float *whole = NULL;
  guint64 base, most, held = 0;

  g_assert_cmpint (easel_cpu_device_open (2, &device), ==, EASEL_STATUS_OK);
  device->maps_weights = false;
  base = device->memory_used;
  easel_device_reset_peak (device);
  whole = read_text (device, 0, FALSE, &blocks, &held);
  most = device->memory_peak;
  g_assert_cmpint (blocks.n, ==, 3);
  for (int once = 0; once < 2; once++)
    {
      g_autofree float *streamed = NULL;

      easel_device_reset_peak (device);
      streamed = read_text (device, blocks.n, once == 1, &blocks, &held);
      g_assert_cmpint (memcmp (whole, streamed, 6 * 192 * sizeof (float)), ==, 0);
      g_assert_cmpuint (device->memory_peak, <, most);
      g_assert_cmpuint (device->memory_used, ==, base);
    }
  easel_device_close (&device);
}

/* The same with products of 8 bits: blocks travel with their scales. */
static void
test_8_bits (Fixture *f, gconstpointer data)
{
  EaselRequestSettings s = *easel_request_settings (f->request);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) before = f->request;

  f->device->product_dtypes = 1u << EASEL_DTYPE_I8 | 1u << EASEL_DTYPE_F8_E4M3;
  s.precision = "fp8";
  f->request = easel_request_new (&s, &error);
  g_assert_no_error (error);
  test_less_and_less (f, data);
}

/* All plans are there, in order, and say what they are. */
static void
test_all_plans (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  GArray *plans = f->pipeline->klass->plans (f->pipeline, f->request, &error);
  gboolean streamed = FALSE;

  g_assert_no_error (error);
  g_assert_cmpuint (plans->len, >=, 2);
  f->device->memory_limit = f->base + g_array_index (plans, EaselPlan, 0).peak_bytes / 2;
  g_array_unref (plans);
  plans = f->pipeline->klass->plans (f->pipeline, f->request, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < plans->len; i++)
    {
      const EaselPlan *p = &g_array_index (plans, EaselPlan, i);

      g_assert_nonnull (p->summary);
      g_assert_cmpint (p->fits, ==, f->base + p->peak_bytes + 2 * f->device->stream_bytes <= f->device->memory_limit);
      if (i > 0)
        g_assert_cmpint (p->fits, <=, g_array_index (plans, EaselPlan, i - 1).fits);
      streamed |= p->blocks_streamed > 0 && strstr (p->summary, "taking turns");
    }
  g_assert_true (streamed);
  g_array_unref (plans);
  f->device->memory_limit = 0;
}

/* Memory that another program takes at the wrong moment: every allocation fails once, and the job goes on by a smaller
 * plan or ends in words. */
static void
test_taken_away (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) none = NULL;
  g_autoptr (EaselPicture) first = run (f, &none);
  int recovered = 0;

  g_assert_no_error (none);
  for (int n = 1; n < 200; n++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (EaselPicture) again = NULL;

      f->device->fail_after = n;
      again = run (f, &error);
      if (f->device->fail_after > 0)
        break; /* it never came to that allocation */
      if (!again)
        g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
      else
        recovered++;
    }
  f->device->fail_after = 0;
  g_assert_cmpint (recovered, >, 0);
}

/* The component of a starter model on the dry device, in bf16 as on a card. */
static EaselWeights *
open_component (const char *model, const char *component, JsonObject **config)
{
  g_autofree char *dir = g_build_filename (g_getenv ("EASEL_SOURCE"), "data", "starter", model, component, NULL);
  g_autofree char *path = g_build_filename (dir, "config.json", NULL);
  g_autoptr (GError) error = NULL;
  EaselWeights *weights = easel_weights_open (dir, NULL, &error);

  g_assert_no_error (error);
  *config = easel_json_load (path, &error);
  g_assert_no_error (error);
  easel_weights_set_compute (weights, EASEL_DTYPE_BF16);
  return weights;
}

/* What one forward pass of two samples issues: every operation is a launch on a card, and each costs time there. A
 * number that grows is to be explained, one that shrinks to be written here. */
static void
test_launches (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) sana_config = NULL, cog_config = NULL;
  const guint8 mask[2 * 8] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
  EaselDevice *dry = NULL;
  EaselStream *s = NULL;

  g_assert_cmpint (easel_dry_device_open (EASEL_DTYPE_BF16, &dry), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_stream_open (dry, 0, &s), ==, EASEL_STATUS_OK);
  easel_stream_set_act (s, EASEL_DTYPE_BF16);

  EaselWeights *weights = open_component ("starter-sana", "transformer", &sana_config);
  g_autoptr (EaselSanaTransformer) sana = easel_sana_transformer_new (sana_config, weights, dry, &error);
  g_assert_no_error (error);
  g_autoptr (EaselSanaContext) picture
      = easel_sana_context_new (sana, s, easel_new (s, EASEL_DTYPE_BF16, 2, 8, 192), mask, 16, 16, &error);
  const EaselSanaStep step = { .x = easel_new (s, EASEL_DTYPE_F32, 1, 16, 16, 32),
                               .timestep = easel_new (s, EASEL_DTYPE_F32, 1) };
  EaselTensor out = easel_new (s, EASEL_DTYPE_F32, 2, 16, 16, 32);
  for (int i = 0; i < 2; i++) /* every step is like the first */
    {
      easel_stream_reset_counters (s);
      g_assert_true (easel_sana_transformer_forward (sana, s, picture, &step, out, NULL, &error));
      g_test_message ("Sana: %" G_GUINT64_FORMAT " launches, %.0f bytes", s->launches, s->bytes);
      g_assert_cmpuint (s->launches, ==, SANA_LAUNCHES);
      g_assert_cmpfloat (s->bytes, ==, SANA_BYTES);
    }

  weights = open_component ("starter-cogvideox", "transformer", &cog_config);
  g_autoptr (EaselCogTransformer) cog = easel_cog_transformer_new (cog_config, weights, dry, &error);
  g_assert_no_error (error);
  g_autoptr (EaselCogContext) clip
      = easel_cog_context_new (cog, s, easel_new (s, EASEL_DTYPE_BF16, 2, 32, 128), 5, 16, 16, &error);
  g_assert_no_error (error);
  const EaselCogStep frame = { .x = easel_new (s, EASEL_DTYPE_F32, 2, 5, 16, 16, 16),
                               .timestep = easel_new (s, EASEL_DTYPE_F32, 2) };
  out = easel_new (s, EASEL_DTYPE_F32, 2, 5, 16, 16, 16);
  for (int i = 0; i < 2; i++)
    {
      easel_stream_reset_counters (s);
      g_assert_true (easel_cog_transformer_forward (cog, s, clip, &frame, out, NULL, &error));
      g_test_message ("CogVideoX: %" G_GUINT64_FORMAT " launches, %.0f bytes", s->launches, s->bytes);
      g_assert_cmpuint (s->launches, ==, COG_LAUNCHES);
      g_assert_cmpfloat (s->bytes, ==, COG_BYTES);
    }
  easel_stream_close (&s);
  g_clear_pointer (&sana, easel_sana_transformer_free);
  g_clear_pointer (&cog, easel_cog_transformer_free);
  easel_device_close (&dry);
}

int
main (int argc, char **argv)
{
  static const char *const models[] = { "starter-sana", "starter-cogvideox" };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (models); i++)
    {
      const struct
      {
        const char *name;
        void (*test) (Fixture *, gconstpointer);
      } tests[] = { { "less-and-less", test_less_and_less },
                    { "8-bits", test_8_bits },
                    { "all-plans", test_all_plans },
                    { "taken-away", test_taken_away } };

      for (gsize k = 0; k < G_N_ELEMENTS (tests); k++)
        {
          g_autofree char *path = g_strdup_printf ("/plans/%s/%s", models[i], tests[k].name);

          g_test_add (path, Fixture, models[i], set_up, tests[k].test, tear_down);
        }
    }
  g_test_add_func ("/plans/text-encoder", test_text_encoder);
  g_test_add_func ("/plans/launches", test_launches);
  return g_test_run ();
}
