/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The models of the room: what they refuse and how they say it, and what the denoising loop holds.
 */
#include "engine/sana/controlnet.h"
#include "engine/sana/dcae.h"
#include "engine/sana/denoise.h"
#include "engine/core/habits.h"
#include "engine/core/pixels.h"
#include "engine/sana/resolution.h"
#include "tests/sana/sana-test.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------------------- refusals */

typedef struct
{
  const char *model, *member, *value; /* value: JSON */
  EaselError code;
  const char *says; /* part of the message */
} Refusal;

/* Reads the value as JSON and puts it into the configuration. */
static void
change (JsonObject *config, const char *member, const char *value)
{
  g_autofree char *text = g_strdup_printf ("{\"v\": %s}", value);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = easel_json_parse (text, strlen (text), "test", &error);

  g_assert_no_error (error);
  json_object_set_member (config, member, json_node_copy (json_object_get_member (object, "v")));
}

static const Refusal transformer_refusals[] = {
  { "sana-v1-tiny", "num_layers", "3", EASEL_ERROR_DAMAGED, "transformer_blocks.2" },
  { "sana-v1-tiny", "mlp_ratio", "3.5", EASEL_ERROR_DAMAGED, "conv_inverted" },
  { "sana-v1-tiny", "caption_channels", "100", EASEL_ERROR_DAMAGED, "caption_projection.linear_1" },
  { "sana-v1-tiny", "attention_bias", "true", EASEL_ERROR_DAMAGED, "attn1.to_q.bias" },
  { "sana-v1-tiny", "guidance_embeds", "true", EASEL_ERROR_DAMAGED, "time_embed.timestep_embedder" },
  { "sana-v1-tiny", "qk_norm", "\"rms_norm_across_heads\"", EASEL_ERROR_DAMAGED, "norm_q" },
  { "sana-v1-tiny", "qk_norm", "\"layer_norm\"", EASEL_ERROR_UNSUPPORTED, "qk_norm" },
  { "sana-v1-tiny", "patch_size", "2", EASEL_ERROR_UNSUPPORTED, "patch_size" },
  { "sana-v1-tiny", "cross_attention_dim", "128", EASEL_ERROR_UNSUPPORTED, "cross_attention_dim" },
  { "sana-v1-tiny", "mlp_ratio", "NaN", EASEL_ERROR_DAMAGED, "mlp_ratio" },
  { "sana-v1-tiny", "mlp_ratio", "1e300", EASEL_ERROR_DAMAGED, "mlp_ratio" },
  { "sana-v1-tiny", "num_attention_heads", "-7", EASEL_ERROR_DAMAGED, "num_attention_heads" },
  { "sana-v1-tiny", "num_attention_heads", "\"seven\"", EASEL_ERROR_DAMAGED, "num_attention_heads" },
  { "sana-v1-tiny", "interpolation_scale", "0", EASEL_ERROR_DAMAGED, "interpolation_scale" },
};

static const Refusal autoencoder_refusals[] = {
  { "dcae-tiny", "decoder_layers_per_block", "[1, 1, 1, 1, 1, 2]", EASEL_ERROR_DAMAGED, "decoder.up_blocks.5" },
  { "dcae-tiny", "latent_channels", "16", EASEL_ERROR_DAMAGED, "decoder.conv_in.weight" },
  { "dcae-tiny", "latent_channels", "33", EASEL_ERROR_DAMAGED, "33" },
  { "dcae-tiny", "decoder_block_types", "\"MobileBlock\"", EASEL_ERROR_UNSUPPORTED, "MobileBlock" },
  { "dcae-tiny", "decoder_act_fns", "\"relu6\"", EASEL_ERROR_UNSUPPORTED, "relu6" },
  { "dcae-tiny", "decoder_norm_types", "\"group_norm\"", EASEL_ERROR_UNSUPPORTED, "group_norm" },
  { "dcae-tiny", "decoder_norm_types", "\"batch_norm\"", EASEL_ERROR_DAMAGED, "running_mean" },
  { "dcae-tiny", "decoder_conv_act_fn", "\"mish\"", EASEL_ERROR_UNSUPPORTED, "mish" },
  { "dcae-tiny", "upsample_block_type", "\"bicubic\"", EASEL_ERROR_UNSUPPORTED, "bicubic" },
  { "dcae-tiny", "downsample_block_type", "\"pool\"", EASEL_ERROR_UNSUPPORTED, "pool" },
  { "dcae-tiny", "decoder_block_types", "[\"ResBlock\"]", EASEL_ERROR_DAMAGED, "decoder_block_types" },
  { "dcae-tiny", "decoder_block_out_channels", "[32, 64]", EASEL_ERROR_UNSUPPORTED, "stages" },
  { "dcae-tiny", "encoder_block_out_channels", "[]", EASEL_ERROR_UNSUPPORTED, "encoder_block_out_channels" },
  { "dcae-tiny", "encoder_layers_per_block", "[1, 1, 0, 1, 1, 1]", EASEL_ERROR_UNSUPPORTED, "first stage" },
  { "dcae-tiny", "decoder_qkv_multiscales", "[[], [], [], [4], [5], [5]]", EASEL_ERROR_UNSUPPORTED, "odd" },
  { "dcae-tiny", "decoder_qkv_multiscales", "5", EASEL_ERROR_DAMAGED, "decoder_qkv_multiscales" },
  { "dcae-tiny", "scaling_factor", "0", EASEL_ERROR_DAMAGED, "scaling_factor" },
  { "dcae-tiny", "scaling_factor", "NaN", EASEL_ERROR_DAMAGED, "scaling_factor" },
  { "dcae-tiny", "attention_head_dim", "0", EASEL_ERROR_DAMAGED, "attention_head_dim" },
};

static void
check_refusal (const Refusal *r, const GError *error)
{
  g_test_message ("%s = %s: %s", r->member, r->value, error ? error->message : "accepted");
  g_assert_nonnull (error);
  g_assert_true (error->domain == EASEL_ERROR);
  g_assert_true (error->code == (int) r->code || error->code == EASEL_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, r->says));
}

static void
test_transformer_refusals (void)
{
  EaselDevice *device = open_cpu ();

  for (gsize i = 0; i < G_N_ELEMENTS (transformer_refusals); i++)
    {
      const Refusal *r = &transformer_refusals[i];
      g_autoptr (JsonObject) config = reference_config (r->model);
      g_autoptr (GError) error = NULL;

      change (config, r->member, r->value);
      g_assert_null (easel_sana_transformer_new (config, reference_weights (r->model), device, &error));
      check_refusal (r, error);
    }
  easel_device_close (&device);
}

static void
test_autoencoder_refusals (void)
{
  EaselDevice *device = open_cpu ();

  for (gsize i = 0; i < G_N_ELEMENTS (autoencoder_refusals); i++)
    {
      const Refusal *r = &autoencoder_refusals[i];
      g_autoptr (JsonObject) config = reference_config (r->model);
      g_autoptr (GError) error = NULL;

      change (config, r->member, r->value);
      g_assert_null (easel_dcae_new (config, reference_weights (r->model), device, &error));
      check_refusal (r, error);
    }
  easel_device_close (&device);
}

/* --------------------------------------------------------------------------------------------------- denoising loop */

typedef struct
{
  EaselDevice *device;
  EaselSanaTransformer *transformer;
  EaselSampler *sampler;
  EaselStream *stream;
} Fixture;

static void
fixture_open (Fixture *f, const char *name, const char *scheduler, int steps)
{
  g_autoptr (JsonObject) config = reference_config (name);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) schedule = easel_json_parse (scheduler, strlen (scheduler), "test", &error);

  f->device = open_cpu ();
  f->transformer = easel_sana_transformer_new (config, reference_weights (name), f->device, &error);
  g_assert_no_error (error);
  f->sampler = easel_sampler_new (NULL, schedule, steps, &error);
  g_assert_no_error (error);
}

static void
fixture_close (Fixture *f)
{
  easel_stream_close (&f->stream);
  easel_sana_transformer_free (f->transformer);
  easel_sampler_free (f->sampler);
  easel_device_close (&f->device);
}

#define FLOW "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"prediction_type\": \"flow_prediction\", " \
             "\"use_flow_sigmas\": true, \"flow_shift\": 3.0}"
#define SCM "{\"_class_name\": \"SCMScheduler\", \"sigma_data\": 0.5, \"prediction_type\": \"trigflow\"}"

enum { LATENT_H = 3, LATENT_W = 5, N_TEXT = 6 };

typedef struct
{
  EaselDevice *device;
  guint64 memory, used, launches, per_step;
  int steps;
} Watch;

/* The device's memory, the arena's use and the launches of a step never change. */
static void
watch_cb (int evaluation, EaselStream *s, EaselTensor x, EaselTensor clean, gpointer data)
{
  Watch *w = data;

  g_assert_nonnull (x.data);
  g_assert_nonnull (clean.data);
  if (evaluation > 0)
    {
      g_assert_cmpuint (w->device->memory_used, ==, w->memory);
      g_assert_cmpuint (s->used, ==, w->used);
    }
  /* the first and the last step of a multistep sampler have other coefficients, at most a few more terms */
  if (evaluation > 1)
    g_assert_cmpuint (ABS ((gint64) (s->launches - w->launches) - (gint64) w->per_step), <=, 8);
  w->per_step = s->launches - w->launches;
  w->launches = s->launches;
  w->memory = w->device->memory_used;
  w->used = s->used;
  w->steps++;
}

/* latents of a run on `s`; text and noise from fixed seeds. NULL latents on a dry stream. */
static gboolean
run_loop (Fixture *f, EaselStream *s, int samples, Watch *watch, float *latents, GError **error)
{
  const EaselSanaConfig *c = easel_sana_transformer_config (f->transformer);
  const gint64 n = (gint64) samples * N_TEXT * c->caption_channels;
  g_autoptr (EaselRng) rng = easel_rng_new (EASEL_RNG_CPU, 7), words = easel_rng_new (EASEL_RNG_CPU, 8);
  g_autofree float *host = g_new (float, n);
  guint8 mask[2 * N_TEXT] = { 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1 };
  EaselTensor text = easel_new (s, s->act_dtype, samples, N_TEXT, c->caption_channels);
  EaselTensor out = easel_new (s, EASEL_DTYPE_F32, 1, LATENT_H, LATENT_W, c->in_channels);
  SanaDenoise denoise = { .transformer = f->transformer, .sampler = f->sampler, .text = text, .mask = mask,
                          .h = LATENT_H, .w = LATENT_W, .guidance = 4.5, .trigflow = c->guidance_embeds, .rng = rng };

  if (watch)
    {
      denoise.step_cb = watch_cb;
      denoise.user_data = watch;
    }
  easel_rng_randn (words, host, n, EASEL_DTYPE_F32);
  easel_upload (s, text, host);
  if (!sana_denoise (&denoise, s, out, NULL, error))
    return FALSE;
  if (latents)
    easel_download (s, latents, out);
  return TRUE;
}

/* The dry run measures exactly what the real run takes; a loop allocates nothing; a run repeats to the byte. */
static void
check_loop (const char *model, const char *scheduler, int steps, int samples)
{
  Fixture f = { 0 };
  g_autoptr (GError) error = NULL;
  EaselDevice *dry_device = NULL;
  EaselStream *dry = NULL;
  float first[LATENT_H * LATENT_W * 32], again[LATENT_H * LATENT_W * 32];
  Watch watch = { 0 };

  fixture_open (&f, model, scheduler, steps);
  g_assert_cmpint (easel_dry_device_open (EASEL_DTYPE_F32, &dry_device), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_stream_open (dry_device, 0, &dry), ==, EASEL_STATUS_OK);
  g_assert_true (run_loop (&f, dry, samples, NULL, NULL, &error));
  g_assert_no_error (error);

  g_assert_cmpint (easel_stream_open (f.device, dry->peak, &f.stream), ==, EASEL_STATUS_OK);
  watch.device = f.device;
  for (int i = 0; i < 2; i++)
    {
      size_t mark = easel_stream_mark (f.stream);

      g_assert_true (run_loop (&f, f.stream, samples, &watch, i ? again : first, &error));
      g_assert_no_error (error);
      easel_stream_release (f.stream, mark);
      g_assert_cmpuint (f.stream->peak, ==, dry->peak);
      watch.launches = f.stream->launches;
      easel_stream_reset_counters (f.stream);
      watch.launches = 0;
    }
  g_assert_cmpint (watch.steps, ==, 2 * easel_sampler_n_evaluations (f.sampler));
  /* 13 operations a block, 5 more with norms of queries and keys; then time, guidance, the sampler */
  g_assert_cmpuint (watch.per_step, <=, 18 * easel_sana_transformer_config (f.transformer)->layers + 40);
  g_assert_cmpmem (first, sizeof first, again, sizeof again);
  for (gsize i = 0; i < G_N_ELEMENTS (first); i++)
    g_assert_true (isfinite (first[i]));

  /* One byte less is refused in words. */
  easel_stream_close (&f.stream);
  g_assert_cmpint (easel_stream_open (f.device, dry->peak - 1, &f.stream), ==, EASEL_STATUS_OK);
  g_assert_false (run_loop (&f, f.stream, samples, NULL, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
  easel_stream_close (&dry);
  easel_device_close (&dry_device);
  fixture_close (&f);
}

static void
test_loop_flow (void)
{
  check_loop ("sana-v1-tiny", FLOW, 5, 2);
}

static void
test_loop_sprint (void)
{
  check_loop ("sana-sprint-tiny", SCM, 4, 1);
}

/* A card computes in 16 bits: every op must get the dtypes it asks for. ops.c checks them on the dry device too. */
static void
test_sixteen_bits (void)
{
  static const EaselDtype dtypes[] = { EASEL_DTYPE_BF16, EASEL_DTYPE_F16, EASEL_DTYPE_F32 };
  const EaselDcaeTiling tiling = { 64, 64, 32, 64 };
  g_autoptr (JsonObject) config = reference_config ("dcae-tiny");
  g_autoptr (JsonObject) shuffle_config = reference_config ("dcae-shuffle-tiny");
  Fixture flow = { 0 }, sprint = { 0 };

  fixture_open (&flow, "sana-v1-tiny", FLOW, 4);
  fixture_open (&sprint, "sana-sprint-tiny", SCM, 2);
  for (gsize i = 0; i < G_N_ELEMENTS (dtypes); i++)
    {
      g_autoptr (GError) error = NULL;
      EaselDevice *device = NULL;
      EaselStream *s = NULL;

      g_assert_cmpint (easel_dry_device_open (dtypes[i], &device), ==, EASEL_STATUS_OK);
      g_assert_cmpint (easel_stream_open (device, 0, &s), ==, EASEL_STATUS_OK);
      g_assert_true (run_loop (&flow, s, 2, NULL, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (run_loop (&sprint, s, 1, NULL, NULL, &error));
      g_assert_no_error (error);
      for (int kind = 0; kind < 2; kind++)
        {
          const char *name = kind ? "dcae-shuffle-tiny" : "dcae-tiny";
          g_autoptr (EaselDcae) dcae
              = easel_dcae_new (kind ? shuffle_config : config, reference_weights (name), device, &error);
          const gint64 f = easel_dcae_factor (dcae), channels = easel_dcae_latent_channels (dcae);
          EaselTensor z = easel_new (s, EASEL_DTYPE_F32, 1, 3, 5, channels);
          EaselTensor image = easel_new (s, EASEL_DTYPE_F32, 1, 3 * f, 5 * f, 3);

          g_assert_true (easel_dcae_decode (dcae, s, z, NULL, image, NULL, &error));
          g_assert_true (easel_dcae_decode (dcae, s, z, &tiling, image, NULL, &error));
          g_assert_true (easel_dcae_encode (dcae, s, image, NULL, z, NULL, &error));
          g_assert_no_error (error);
        }
      easel_stream_close (&s);
      easel_device_close (&device);
    }
  fixture_close (&flow);
  fixture_close (&sprint);
}

/* Strips as wide as the picture: each decoded by itself, its first rows faded in over the rows that are there. */
static void
test_strips (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) config = reference_config ("dcae-tiny");
  g_autoptr (EaselDcae) dcae = NULL;
  EaselDevice *device = NULL;
  EaselStream *s = NULL;

  g_assert_cmpint (easel_cpu_device_open (1, &device), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_stream_open (device, 64 << 20, &s), ==, EASEL_STATUS_OK);
  dcae = easel_dcae_new (config, reference_weights ("dcae-tiny"), device, &error);
  g_assert_no_error (error);
  const int f = easel_dcae_factor (dcae), channels = easel_dcae_latent_channels (dcae), h = 5, w = 3;
  const gsize row = (gsize) w * f * 3;
  const EaselDcaeTiling tiling = { 3 * f, 1 << 20, 2 * f, 1 << 20 };
  EaselTensor z = easel_new (s, EASEL_DTYPE_F32, 1, h, w, channels);
  EaselTensor got = easel_new (s, EASEL_DTYPE_F32, 1, h * f, w * f, 3);
  g_autofree float *want = g_new (float, h * f * row);

  for (int i = 0; i < h * w * channels; i++)
    ((float *) z.data)[i] = (float) sin (i * 0.7);
  g_assert_true (easel_dcae_decode (dcae, s, z, &tiling, got, NULL, &error));
  g_assert_no_error (error);
  for (int from = 0; from < h; from += 2)
    {
      const int n = MIN (3, h - from);
      EaselTensor strip = easel_tensor_as (easel_tensor_rows (easel_tensor_as (z, h, w, channels), from, n), 1, n, w,
                                           channels);
      EaselTensor part = easel_new (s, EASEL_DTYPE_F32, 1, n * f, w * f, 3);

      g_assert_true (easel_dcae_decode (dcae, s, strip, NULL, part, NULL, &error));
      for (gsize i = 0; i < n * f * row; i++)
        {
          const double t = from > 0 && i / row < (gsize) f ? (double) (i / row) / f : 1;
          float *to = &want[from * f * row + i];

          *to = (float) ((t < 1 ? *to * (1 - t) : 0) + ((const float *) part.data)[i] * t);
        }
    }
  for (gsize i = 0; i < h * f * row; i++)
    g_assert_true (fabs (((const float *) got.data)[i] - want[i]) <= 1e-5);
  easel_stream_close (&s);
  g_clear_pointer (&dcae, easel_dcae_free);
  easel_device_close (&device);
}

/* Shapes that do not fit are said, not read. */
static void
test_step_refusals (void)
{
  Fixture f = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselSanaContext) context = NULL;
  const EaselSanaConfig *c;
  guint8 mask[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
  float zeros[4096] = { 0 };
  EaselTensor text, narrow, x, wide, t, out;
  EaselSanaStep step = { 0 };

  fixture_open (&f, "sana-v1-tiny", FLOW, 5);
  c = easel_sana_transformer_config (f.transformer);
  g_assert_cmpint (easel_stream_open (f.device, 32 << 20, &f.stream), ==, EASEL_STATUS_OK);
  text = easel_new (f.stream, EASEL_DTYPE_F32, 1, 8, c->caption_channels);
  narrow = easel_new (f.stream, EASEL_DTYPE_F32, 1, 8, c->caption_channels - 1);
  x = easel_new (f.stream, EASEL_DTYPE_F32, 1, 2, 2, c->in_channels);
  wide = easel_new (f.stream, EASEL_DTYPE_F32, 1, 2, 3, c->in_channels);
  out = easel_new (f.stream, EASEL_DTYPE_F32, 1, 2, 2, c->out_channels);
  t = easel_new (f.stream, EASEL_DTYPE_F32, 1);
  easel_upload (f.stream, text, zeros);
  easel_upload (f.stream, x, zeros);
  easel_upload (f.stream, t, zeros);

  g_assert_null (easel_sana_context_new (f.transformer, f.stream, narrow, mask, 2, 2, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  context = easel_sana_context_new (f.transformer, f.stream, text, mask, 2, 2, &error);
  g_assert_no_error (error);

  step = (EaselSanaStep){ .x = wide, .timestep = t };
  g_assert_false (easel_sana_transformer_forward (f.transformer, f.stream, context, &step, out, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  step = (EaselSanaStep){ .x = x, .timestep = t, .guidance = t };
  g_assert_false (easel_sana_transformer_forward (f.transformer, f.stream, context, &step, out, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  step = (EaselSanaStep){ .x = x, .timestep = t, .n_perturbed = 1 };
  g_assert_false (easel_sana_transformer_forward (f.transformer, f.stream, context, &step, out, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  step = (EaselSanaStep){ .x = x, .timestep = t };
  g_assert_true (easel_sana_transformer_forward (f.transformer, f.stream, context, &step, out, NULL, &error));
  g_assert_no_error (error);
  fixture_close (&f);
}

static void
test_tiling_refusals (void)
{
  EaselDevice *device = open_cpu ();
  g_autoptr (JsonObject) config = reference_config ("dcae-tiny");
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselDcae) dcae = easel_dcae_new (config, reference_weights ("dcae-tiny"), device, &error);
  const EaselDcaeTiling bad[] = { { 48, 64, 32, 32 }, { 64, 64, 96, 64 }, { 64, 64, 0, 64 }, { 64, 64, 32, 33 } };
  EaselStream *s = NULL;
  EaselTensor z, image;

  g_assert_no_error (error);
  g_assert_cmpint (easel_stream_open (device, 8 << 20, &s), ==, EASEL_STATUS_OK);
  z = easel_new (s, EASEL_DTYPE_F32, 1, 3, 3, 32);
  image = easel_new (s, EASEL_DTYPE_F32, 1, 96, 96, 3);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_assert_false (easel_dcae_decode (dcae, s, z, &bad[i], image, NULL, &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
      g_clear_error (&error);
    }
  image = easel_new (s, EASEL_DTYPE_F32, 1, 96, 64, 3);
  g_assert_false (easel_dcae_decode (dcae, s, z, NULL, image, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  easel_stream_close (&s);
  g_clear_pointer (&dcae, easel_dcae_free);
  easel_device_close (&device);
}

/* ------------------------------------------------------------------------------------------------- sizes and habits */

static void
test_sizes (void)
{
  const float in[] = { -1, 1, 0, 3, -7, 0.00392156862745f };
  guint8 out[6];
  int w, h;

  g_assert_false (easel_sana_nearest_size (20, 512, 512, &w, &h));
  g_assert_false (easel_sana_nearest_size (16, 0, 512, &w, &h));
  g_assert_true (easel_sana_nearest_size (16, 1, 100000, &w, &h));
  g_assert_cmpint (w, ==, 256);
  g_assert_cmpint (h, ==, 1024);
  g_assert_true (easel_pixels_to_u8 (in, 6, out));
  g_assert_cmpint (out[0], ==, 0);
  g_assert_cmpint (out[1], ==, 255);
  g_assert_cmpint (out[2], ==, 128); /* 127.5 goes to the even one */
  g_assert_cmpint (out[3], ==, 255);
  g_assert_cmpint (out[4], ==, 0);
  g_assert_cmpint (out[5], ==, 128);
  g_assert_false (easel_pixels_to_u8 ((const float[]){ 0, NAN }, 2, out));
  g_assert_false (easel_pixels_to_u8 ((const float[]){ INFINITY }, 1, out));
}

static void
test_habits (void)
{
  g_autofree char *dir = g_dir_make_tmp ("easel-habits-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "easel.json", NULL);
  const char *bad[] = { "[]", "{\"max_tokens\": 1}", "{\"guidance\": NaN}", "{\"steps\": \"many\"}",
                        "{\"latent_rgb\": [[1, 2, 3]]}", "{\"latent_rgb\": [[1, 2], [1, 2]]}",
                        "{\"latent_rgb_bias\": [0, 0, Infinity]}", "{" };
  g_autoptr (GError) error = NULL;
  const EaselHabits sana = { .human_instruction = TRUE, .max_tokens = 300, .steps = 20, .guidance = 4.5 };
  const EaselHabits sprint = { .human_instruction = TRUE, .max_tokens = 300, .steps = 2, .guidance = 4.5 };
  EaselHabits habits;
  const float clean[] = { 0.5f, -1, 0, 0 };
  EaselPicture *picture;

  g_assert_true (easel_habits_read (&habits, dir, 4, &sana, &error));
  g_assert_true (habits.human_instruction);
  g_assert_cmpint (habits.max_tokens, ==, 300);
  g_assert_cmpint (habits.steps, ==, 20);
  easel_habits_clear (&habits);
  g_assert_true (easel_habits_read (&habits, dir, 4, &sprint, &error));
  g_assert_cmpint (habits.steps, ==, 2);
  easel_habits_clear (&habits);

  g_assert_true (g_file_set_contents (path, "{\"human_instruction\": false, \"max_tokens\": 64, \"steps\": 12, "
                                            "\"guidance\": 3, \"latent_rgb\": [[1, 0, 0], [0, 0.25, 0]], "
                                            "\"latent_rgb_bias\": [0, 0.5, 1]}", -1, NULL));
  g_assert_true (easel_habits_read (&habits, dir, 2, &sana, &error));
  g_assert_no_error (error);
  g_assert_false (habits.human_instruction);
  g_assert_cmpint (habits.max_tokens, ==, 64);
  g_assert_cmpint (habits.steps, ==, 12);
  picture = easel_habits_preview (&habits, clean, 1, 2, 1);
  g_assert_cmpint (picture->rgb[0], ==, 128);
  g_assert_cmpint (picture->rgb[1], ==, 64);
  g_assert_cmpint (picture->rgb[2], ==, 255);
  easel_picture_unref (picture);
  easel_habits_clear (&habits);

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_assert_true (g_file_set_contents (path, bad[i], -1, NULL));
      g_assert_false (easel_habits_read (&habits, dir, 2, &sana, &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
      g_assert_nonnull (strstr (error->message, "easel.json"));
      g_clear_error (&error);
      easel_habits_clear (&habits);
    }
  g_remove (path);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sana/transformer/refusals", test_transformer_refusals);
  g_test_add_func ("/sana/transformer/step-refusals", test_step_refusals);
  g_test_add_func ("/sana/dcae/refusals", test_autoencoder_refusals);
  g_test_add_func ("/sana/dcae/strips", test_strips);
  g_test_add_func ("/sana/dcae/tiling-refusals", test_tiling_refusals);
  g_test_add_func ("/sana/loop/flow", test_loop_flow);
  g_test_add_func ("/sana/loop/sprint", test_loop_sprint);
  g_test_add_func ("/sana/sixteen-bits", test_sixteen_bits);
  g_test_add_func ("/sana/sizes", test_sizes);
  g_test_add_func ("/sana/habits", test_habits);
  return g_test_run ();
}
