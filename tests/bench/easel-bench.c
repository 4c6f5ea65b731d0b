/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * easel-bench: the models at their real sizes on a card, with random weights. Each stage is the engine's own code.
 *
 *   easel-bench [--list] [--plan] [--configs DIR] [--portable] [--precision fp8|int8] [--seconds S] [--csv FILE]
 *               [--ops N] [STAGE…]
 *
 * --plan needs no card: it only says how much work and memory each stage is. --ops N: where the time goes: the N kinds
 * of operations (a kind: one operation and one amount of work) that took most of a run in which each is waited for,
 * some microseconds too long therefore. --precision: products of transformers and text encoders of 8 bits; the floor
 * stays that of 16.
 *
 * First the two rates of the card: a product of 8192 x 8192 x 8192 and a copy of 1 GiB (bytes read and written). Then a
 * line a stage: the median of repeated runs, the spread (slowest quarter - fastest quarter) / median, the floor (the
 * larger of its multiplications over the one rate and its bytes over the other) and what share of the median that is,
 * the most memory the device had given out, and how many operations a run issues. A run ends when its result is there.
 * Results are looked at: one that holds NaN or infinity is a failure.
 */
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/cogvideox/transformer.h"
#include "engine/cogvideox/vae.h"
#include "engine/sana/dcae.h"
#include "engine/sana/denoise.h"
#include "engine/text/gemma2.h"
#include "engine/text/t5.h"
#include "kernels/cuda-loader.h"

#define WARM_RUNS 2
#define MAX_RUNS 30
#define MIN_RUNS 3

typedef struct
{
  const char *configs;
  double seconds; /* of timed runs a stage */
  double flops, bytes; /* the card's rates, a second */
  EaselDtype products; /* of 8 bits, or EASEL_N_DTYPES */
  int n_ops;
  FILE *csv;
} Bench;

typedef struct _Stage Stage;

/* A stage under way on one device. */
typedef struct
{
  const Stage *stage;
  EaselDevice *device;
  EaselStream *s;
  EaselSanaTransformer *sana;
  EaselSanaContext *sana_context;
  EaselDcae *dcae;
  EaselGemma2 *gemma;
  EaselT5 *t5;
  EaselCogTransformer *cog;
  EaselCogContext *cog_context;
  EaselCogVae *cog_vae;
  EaselSampler *sampler;
  EaselTensor x, timestep, text, out;
  gint32 *ids;
  guint8 *mask;
  float *z, *host; /* host: where the result goes, `count` of them */
  gsize count;
} Work;

struct _Stage
{
  const char *name, *what;
  EaselDtype dtype;
  gboolean (*setup) (const Bench *b, Work *w, GError **error); /* what a job does once */
  gboolean (*once) (Work *w, GError **error);
  int batch, side, tokens; /* side: of latents. Decoding in tiles: their stride, side, their size */
};

static gboolean
fine (EaselStatus status, const char *what, GError **error)
{
  if (status != EASEL_STATUS_OK)
    easel_status_to_error (status, "Benchmark", what, error);
  return status == EASEL_STATUS_OK;
}

/* ---------------------------------------------------------------------------------------------------------- inputs */

/* Normal-like numbers from the arena, in f32 or as activations. */
static EaselTensor
random_tensor (EaselStream *s, EaselDtype dtype, int n_dims, const gint64 *shape)
{
  EaselTensor t = easel_stream_alloc (s, EASEL_DTYPE_F32, n_dims, shape), to = t;
  const gsize count = easel_tensor_count (&t);
  g_autoptr (GRand) rand = g_rand_new_with_seed (count & 0xffff);
  g_autofree float *host = NULL;

  if (!t.data)
    return t;
  if (!easel_stream_is_dry (s))
    {
      host = g_new (float, count);
      for (gsize i = 0; i < count; i++)
        host[i] = (float) ((g_rand_double (rand) + g_rand_double (rand) + g_rand_double (rand) - 1.5) * 2);
      easel_upload (s, t, host);
    }
  if (dtype == EASEL_DTYPE_F32)
    return t;
  to = easel_stream_alloc (s, dtype, n_dims, shape);
  easel_cast (s, .x = t, .y = to);
  return to;
}

#define RANDOM(s, dtype, ...) random_tensor ((s), (dtype), EASEL_SHAPE (__VA_ARGS__))

static gint32 *
random_ids (int n)
{
  gint32 *ids = g_new (gint32, n);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);

  for (int i = 0; i < n; i++)
    ids[i] = g_rand_int_range (rand, 5, 32000);
  return ids;
}

/* A component's configuration, and weights that are made as they are asked for. */
static JsonObject *
open_config (const Bench *b, Work *w, const char *name, EaselWeights **weights, GError **error)
{
  g_autofree char *path = g_build_filename (b->configs, name, NULL);
  JsonObject *config = easel_json_load (path, error);

  if (config && !(*weights = easel_weights_new_random (w->stage->dtype, 7, error)))
    g_clear_pointer (&config, json_object_unref);
  if (config && b->products < EASEL_N_DTYPES)
    easel_weights_set_products (*weights, b->products);
  return config;
}

/* ---------------------------------------------------------------------------------------------------------- stages */

static gboolean
take_sana (const Bench *b, Work *w, GError **error)
{
  EaselWeights *weights;
  g_autoptr (JsonObject) config = open_config (b, w, "sana-1600m.transformer.json", &weights, error);

  return config && (w->sana = easel_sana_transformer_new (config, weights, w->device, error));
}

/* 60 of 300 tokens are real, as with the reference's fixed length. */
static void
sana_text (Work *w)
{
  const int n = w->stage->tokens;

  w->text = RANDOM (w->s, w->stage->dtype, w->stage->batch, n, 2304);
  w->mask = g_new0 (guint8, w->stage->batch * n);
  for (int i = 0; i < w->stage->batch * n; i++)
    w->mask[i] = i % n < 60;
}

static gboolean
sana_setup (const Bench *b, Work *w, GError **error)
{
  const int B = w->stage->batch, side = w->stage->side;

  if (!take_sana (b, w, error))
    return FALSE;
  sana_text (w);
  w->x = RANDOM (w->s, EASEL_DTYPE_F32, B, side, side, 32);
  w->timestep = RANDOM (w->s, EASEL_DTYPE_F32, 1);
  w->out = easel_new (w->s, EASEL_DTYPE_F32, B, side, side, 32);
  w->sana_context = easel_sana_context_new (w->sana, w->s, w->text, w->mask, side, side, error);
  return w->sana_context != NULL;
}

static gboolean
sana_once (Work *w, GError **error)
{
  const EaselSanaStep step = { .x = w->x, .timestep = w->timestep };

  return easel_sana_transformer_forward (w->sana, w->s, w->sana_context, &step, w->out, NULL, error);
}

static gboolean
dcae_setup (const Bench *b, Work *w, GError **error)
{
  EaselWeights *weights;
  g_autoptr (JsonObject) config = open_config (b, w, "sana-dcae.vae.json", &weights, error);
  const int side = w->stage->side;

  if (!config || !(w->dcae = easel_dcae_new (config, weights, w->device, error)))
    return FALSE;
  w->x = RANDOM (w->s, EASEL_DTYPE_F32, 1, side, side, 32);
  w->out = easel_new (w->s, EASEL_DTYPE_F32, 1, side * 32, side * 32, 3);
  return easel_stream_check (w->s, "Decoding", error);
}

#define STRIPS (1 << 20) /* tiles as wide as any picture */

static gboolean
dcae_strips_once (Work *w, GError **error)
{
  const int tile = w->stage->tokens, stride = w->stage->batch;
  const EaselDcaeTiling tiles = { tile, STRIPS, stride, STRIPS };

  return easel_dcae_decode (w->dcae, w->s, w->x, &tiles, w->out, NULL, error);
}

static gboolean
dcae_once (Work *w, GError **error)
{
  const int tile = w->stage->tokens, stride = w->stage->batch;
  const EaselDcaeTiling tiles = { tile, tile, stride, stride };

  return easel_dcae_decode (w->dcae, w->s, w->x, &tiles, w->out, NULL, error);
}

static gboolean
dcae_whole_once (Work *w, GError **error)
{
  return easel_dcae_decode (w->dcae, w->s, w->x, NULL, w->out, NULL, error);
}

static gboolean
picture_setup (const Bench *b, Work *w, GError **error)
{
  g_autofree char *path = g_build_filename (b->configs, "sana.scheduler.json", NULL);
  g_autoptr (JsonObject) scheduler = easel_json_load (path, error);

  if (!scheduler || !(w->sampler = easel_sampler_new (NULL, scheduler, 20, error)) || !take_sana (b, w, error)
      || !dcae_setup (b, w, error))
    return FALSE;
  sana_text (w);
  return easel_stream_check (w->s, "Denoising", error);
}

/* Noise to pixels on the host, guidance 4.5. */
static gboolean
picture_once (Work *w, GError **error)
{
  g_autoptr (EaselRng) rng = easel_rng_new (EASEL_RNG_CPU, 1);
  const SanaDenoise job = { .transformer = w->sana, .sampler = w->sampler, .text = w->text, .mask = w->mask,
                            .h = w->stage->side, .w = w->stage->side, .guidance = 4.5, .rng = rng };

  return sana_denoise (&job, w->s, w->x, NULL, error) && dcae_whole_once (w, error);
}

static gboolean
gemma_setup (const Bench *b, Work *w, GError **error)
{
  EaselWeights *weights;
  g_autoptr (JsonObject) config = open_config (b, w, "gemma-2-2b.text_encoder.json", &weights, error);

  w->ids = random_ids (w->stage->batch * w->stage->tokens);
  w->mask = g_new (guint8, w->stage->batch * w->stage->tokens);
  memset (w->mask, 1, w->stage->batch * w->stage->tokens);
  return config && (w->gemma = easel_gemma2_new (config, weights, w->device, error));
}

static gboolean
gemma_once (Work *w, GError **error)
{
  return easel_gemma2_encode (w->gemma, w->s, w->stage->batch, w->stage->tokens, w->ids, w->mask, &w->out, NULL, NULL,
                              error);
}

static gboolean
t5_setup (const Bench *b, Work *w, GError **error)
{
  EaselWeights *weights;
  g_autoptr (JsonObject) config = open_config (b, w, "t5-v1_1-xxl.text_encoder.json", &weights, error);

  w->ids = random_ids (w->stage->batch * w->stage->tokens);
  return config && (w->t5 = easel_t5_new (config, weights, w->device, error));
}

static gboolean
t5_once (Work *w, GError **error)
{
  return easel_t5_encode (w->t5, w->s, w->stage->batch, w->stage->tokens, w->ids, &w->out, NULL, error);
}

#define COG_FRAMES 13 /* of latents: 49 of the clip */
#define COG_HEIGHT 60
#define COG_WIDTH 90

static gboolean
cog_setup (const Bench *b, Work *w, GError **error)
{
  EaselWeights *weights;
  g_autoptr (JsonObject) config = open_config (b, w, "cogvideox-2b.transformer.json", &weights, error);
  const int B = w->stage->batch;

  if (!config || !(w->cog = easel_cog_transformer_new (config, weights, w->device, error)))
    return FALSE;
  w->text = RANDOM (w->s, w->stage->dtype, B, w->stage->tokens, 4096);
  w->x = RANDOM (w->s, EASEL_DTYPE_F32, B, COG_FRAMES, COG_HEIGHT, COG_WIDTH, 16);
  w->timestep = RANDOM (w->s, EASEL_DTYPE_F32, B);
  w->out = easel_new (w->s, EASEL_DTYPE_F32, B, COG_FRAMES, COG_HEIGHT, COG_WIDTH, 16);
  w->cog_context = easel_cog_context_new (w->cog, w->s, w->text, COG_FRAMES, COG_HEIGHT, COG_WIDTH, error);
  return w->cog_context != NULL;
}

static gboolean
cog_once (Work *w, GError **error)
{
  const EaselCogStep step = { .x = w->x, .timestep = w->timestep };

  return easel_cog_transformer_forward (w->cog, w->s, w->cog_context, &step, w->out, NULL, error);
}

static gboolean
cog_vae_setup (const Bench *b, Work *w, GError **error)
{
  EaselWeights *weights;
  g_autoptr (JsonObject) config = open_config (b, w, "cogvideox-2b.vae.json", &weights, error);
  const gsize n = (gsize) COG_FRAMES * COG_HEIGHT * COG_WIDTH * 16;
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);

  if (!config || !(w->cog_vae = easel_cog_vae_new (config, weights, w->device, error)))
    return FALSE;
  w->z = g_new (float, n);
  for (gsize i = 0; i < n; i++)
    w->z[i] = (float) (g_rand_double (rand) * 4 - 2);
  w->count = (gsize) 49 * COG_HEIGHT * 8 * COG_WIDTH * 8 * 3;
  w->host = g_new (float, w->count);
  return TRUE;
}

static gboolean
cog_vae_once (Work *w, GError **error)
{
  return easel_cog_vae_decode (w->cog_vae, w->s, w->z, COG_FRAMES, COG_HEIGHT, COG_WIDTH, NULL, w->host, NULL, error);
}

static gboolean
cog_vae_strips_once (Work *w, GError **error)
{
  const EaselCogTiling halves = { 320, 832, 0.125, 0.125 };

  return easel_cog_vae_decode (w->cog_vae, w->s, w->z, COG_FRAMES, COG_HEIGHT, COG_WIDTH, &halves, w->host, NULL,
                               error);
}

static gboolean
cog_vae_tiled_once (Work *w, GError **error)
{
  EaselCogTiling tiling;

  easel_cog_vae_default_tiling (w->cog_vae, &tiling);
  return easel_cog_vae_decode (w->cog_vae, w->s, w->z, COG_FRAMES, COG_HEIGHT, COG_WIDTH, &tiling, w->host, NULL,
                               error);
}

#define B16 EASEL_DTYPE_BF16
#define F16 EASEL_DTYPE_F16
static const Stage stages[] = {
  { "sana-1024-b2", "Sana 1.6B, 1024 x 1024, one forward of two", B16, sana_setup, sana_once, 2, 32, 300 },
  { "sana-1024-b1", "Sana 1.6B, 1024 x 1024, one forward of one", B16, sana_setup, sana_once, 1, 32, 300 },
  { "sana-4096-b2", "Sana 1.6B, 4096 x 4096, one forward of two", B16, sana_setup, sana_once, 2, 128, 300 },
  { "dcae-1024", "DC-AE, decoding 1024 x 1024", B16, dcae_setup, dcae_whole_once, 1, 32, 0 },
  { "dcae-4096", "DC-AE, decoding 4096 x 4096 in tiles of 1024", B16, dcae_setup, dcae_once, 896, 128, 1024 },
  { "dcae-4096-strips", "the same in strips of 4096 x 1088", B16, dcae_setup, dcae_strips_once, 1024, 128, 1088 },
  { "picture-1024", "Sana 1.6B, 1024 x 1024, 20 steps to pixels", B16, picture_setup, picture_once, 2, 32, 300 },
  { "gemma-300", "Gemma 2 2B, 300 tokens", B16, gemma_setup, gemma_once, 1, 0, 300 },
  { "cogvideox-b2", "CogVideoX-2b, 49 frames 720 x 480, a forward of two", F16, cog_setup, cog_once, 2, 0, 226 },
  { "cogvideox-vae", "CogVideoX VAE, decoding 49 frames 720 x 480", F16, cog_vae_setup, cog_vae_once, 1, 0, 0 },
  { "cogvideox-vae-strips", "the same in two strips", F16, cog_vae_setup, cog_vae_strips_once, 1, 0, 0 },
  { "cogvideox-vae-tiled", "the same in tiles", F16, cog_vae_setup, cog_vae_tiled_once, 1, 0, 0 },
  { "t5-226", "T5-XXL, 2 x 226 tokens", B16, t5_setup, t5_once, 2, 0, 226 },
};

/* ------------------------------------------------------------------------------------------- where the time goes */

typedef struct
{
  const char *name;
  double flops, bytes, seconds;
  int count;
} Kind;

/* One run of one stage, in this program's only thread. */
static struct
{
  const EaselOps *real;
  GArray *kinds;
  double flops, bytes; /* of the stream before the operation */
} ops;

static void
account (const char *name, EaselStream *s, double seconds)
{
  const double flops = s->flops - ops.flops, bytes = s->bytes - ops.bytes;
  Kind *kind = NULL;

  for (guint i = 0; i < ops.kinds->len && !kind; i++)
    {
      Kind *k = &g_array_index (ops.kinds, Kind, i);

      if (k->name == name && k->flops == flops && k->bytes == bytes)
        kind = k;
    }
  if (!kind)
    {
      g_array_append_val (ops.kinds, ((Kind){ .name = name, .flops = flops, .bytes = bytes }));
      kind = &g_array_index (ops.kinds, Kind, ops.kinds->len - 1);
    }
  kind->seconds += seconds;
  kind->count++;
  ops.flops = s->flops;
  ops.bytes = s->bytes;
}

#define TIMED(name, Args)                                                \
  static void timed_##name (EaselStream *s, const Args *a)               \
  {                                                                      \
    const gint64 start = g_get_monotonic_time ();                        \
    ops.real->name (s, a);                                               \
    easel_synchronize (s);                                               \
    account (#name, s, (g_get_monotonic_time () - start) / 1e6);         \
  }
EASEL_FOR_EACH_OP (TIMED)
#define TIMED_ENTRY(name, Args) .name = timed_##name,
static const EaselOps timed_ops = { EASEL_FOR_EACH_OP (TIMED_ENTRY) };

static gint
compare_kinds (gconstpointer a, gconstpointer b)
{
  const double x = ((const Kind *) a)->seconds, y = ((const Kind *) b)->seconds;

  return x > y ? -1 : x < y;
}

/* --------------------------------------------------------------------------------------------------------- running */

static void
work_clear (Work *w)
{
  g_clear_pointer (&w->sana_context, easel_sana_context_free);
  g_clear_pointer (&w->cog_context, easel_cog_context_free);
  g_clear_pointer (&w->sana, easel_sana_transformer_free);
  g_clear_pointer (&w->dcae, easel_dcae_free);
  g_clear_pointer (&w->gemma, easel_gemma2_free);
  g_clear_pointer (&w->t5, easel_t5_free);
  g_clear_pointer (&w->cog, easel_cog_transformer_free);
  g_clear_pointer (&w->cog_vae, easel_cog_vae_free);
  g_clear_pointer (&w->sampler, easel_sampler_free);
  easel_stream_close (&w->s);
  g_free (w->ids);
  g_free (w->mask);
  g_free (w->z);
  g_free (w->host);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Work, work_clear)

static gboolean
work_begin (const Bench *b, Work *w, const Stage *stage, EaselDevice *device, gsize arena, GError **error)
{
  w->stage = stage;
  w->device = device;
  device->act_dtype = stage->dtype;
  return fine (easel_stream_open (device, arena, &w->s), "arena", error) && stage->setup (b, w, error);
}

/* One run, its result on the host where it is one that the stage leaves on the device. */
static gboolean
work_once (Work *w, GError **error)
{
  const size_t mark = easel_stream_mark (w->s);
  gboolean ok = w->stage->once (w, error);

  if (ok && w->out.data && !easel_stream_is_dry (w->s) && w->stage->setup == picture_setup)
    {
      w->count = easel_tensor_count (&w->out);
      w->host = w->host ? w->host : g_new (float, w->count);
      easel_download (w->s, w->host, w->out);
    }
  easel_synchronize (w->s);
  easel_stream_release (w->s, mark);
  return ok && easel_stream_check (w->s, w->stage->name, error);
}

/* Everything finite? Looks at the last run's result. */
static gboolean
check_result (Work *w, GError **error)
{
  g_autofree guint16 *half = NULL;
  gsize bad = 0;

  if (!w->host)
    {
      w->count = easel_tensor_count (&w->out);
      w->host = g_new (float, w->count);
      half = g_new (guint16, w->count);
      easel_download (w->s, w->out.dtype == EASEL_DTYPE_F32 ? (void *) w->host : half, w->out);
      if (w->out.dtype != EASEL_DTYPE_F32)
        for (gsize i = 0; i < w->count; i++) /* all ones in the exponent: not a number one can use */
          w->host[i] = (half[i] & (w->out.dtype == F16 ? 0x7c00 : 0x7f80)) == (w->out.dtype == F16 ? 0x7c00 : 0x7f80)
                           ? NAN
                           : 0;
    }
  for (gsize i = 0; i < w->count; i++)
    bad += !isfinite (w->host[i]);
  if (bad == 0)
    return easel_stream_check (w->s, w->stage->name, error);
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DEVICE, "%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " numbers not finite",
               bad, w->count);
  return FALSE;
}

static int
compare_doubles (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return x < y ? -1 : x > y;
}

/* Milliseconds, sorted; returns how many. */
static int
time_runs (const Bench *b, Work *w, double ms[MAX_RUNS], GError **error)
{
  const gint64 begin = g_get_monotonic_time ();
  int n = 0;

  for (int i = 0; i < WARM_RUNS; i++)
    if (!work_once (w, error))
      return 0;
  while (n < MAX_RUNS && (n < MIN_RUNS || g_get_monotonic_time () - begin < b->seconds * 1e6))
    {
      const gint64 start = g_get_monotonic_time ();

      if (!work_once (w, error))
        return 0;
      ms[n++] = (g_get_monotonic_time () - start) / 1e3;
    }
  qsort (ms, n, sizeof *ms, compare_doubles);
  return n;
}

/* One more run, with operations that are timed. */
static gboolean
show_ops (const Bench *b, Work *w, GError **error)
{
  const EaselBackend *real = w->device->backend;
  EaselBackend timed = *real;
  gboolean ok;

  timed.ops = &timed_ops;
  ops.real = real->ops;
  ops.kinds = g_array_new (FALSE, TRUE, sizeof (Kind));
  easel_stream_reset_counters (w->s);
  ops.flops = ops.bytes = 0;
  w->device->backend = &timed;
  ok = work_once (w, error);
  w->device->backend = real;
  g_array_sort (ops.kinds, compare_kinds);
  for (guint i = 0; i < ops.kinds->len && i < (guint) b->n_ops; i++)
    {
      const Kind *k = &g_array_index (ops.kinds, Kind, i);
      const double least = k->count * MAX (k->flops / b->flops, k->bytes / b->bytes);

      printf ("    %-18s %9.3f ms in %4d  %8.1f TFLOP/s %8.1f GB/s  %4.0f%%\n", k->name, 1e3 * k->seconds, k->count,
              k->count * k->flops / k->seconds / 1e12, k->count * k->bytes / k->seconds / 1e9,
              100 * least / k->seconds);
    }
  g_array_unref (ops.kinds);
  return ok;
}

static gboolean
run_stage (const Bench *b, const Stage *stage, EaselDevice *device, GError **error)
{
  g_auto (Work) dry = { 0 }, real = { 0 };
  EaselDevice *plan = NULL;
  double ms[MAX_RUNS], floor_ms = 0;
  gboolean planned = FALSE;
  int n = 0;

  /* 1. On the device that computes nothing: how much memory, how much work. */
  if (!fine (easel_dry_device_open (stage->dtype, &plan), "plan", error)
      || !work_begin (b, &dry, stage, plan, 0, error))
    goto cleanup;
  easel_stream_reset_counters (dry.s);
  if (!work_once (&dry, error))
    goto cleanup;
  floor_ms = 1e3 * MAX (dry.s->flops / b->flops, dry.s->bytes / b->bytes);
  if (!device)
    {
      printf ("%-20s %8.2f TFLOP  %8.2f GB  activations %7.3f GiB  %6" G_GUINT64_FORMAT " ops  %s\n", stage->name,
              dry.s->flops / 1e12, dry.s->bytes / 1e9, dry.s->peak / 1073741824.0, dry.s->launches, stage->what);
      planned = TRUE;
      goto cleanup;
    }

  /* 2. On the card. */
  easel_device_reset_peak (device);
  if (!work_begin (b, &real, stage, device, dry.s->peak + 4096, error))
    goto cleanup;
  if (!(n = time_runs (b, &real, ms, error)) || !check_result (&real, error))
    n = 0;

cleanup:
  if (n > 0)
    {
      const double median = ms[n / 2], spread = (ms[n - 1 - n / 4] - ms[n / 4]) / median;

      printf ("%-20s %10.3f ms  %5.1f%%  floor %8.3f ms (%3.0f%%)  %7.2f TFLOP  peak %6.2f GiB  %6" G_GUINT64_FORMAT
              " ops  %s\n",
              stage->name, median, 100 * spread, floor_ms, 100 * floor_ms / median, dry.s->flops / 1e12,
              device->memory_peak / 1073741824.0, dry.s->launches, stage->what);
      if (b->csv)
        fprintf (b->csv, "%s,%.4f,%.4f,%.4f,%.4f,%.3f,%" G_GUINT64_FORMAT "\n", stage->name, median, spread, floor_ms,
                 dry.s->flops / 1e12, device->memory_peak / 1073741824.0, dry.s->launches);
    }
  if (n > 0 && b->n_ops > 0 && !show_ops (b, &real, error))
    n = 0;
  work_clear (&dry);
  memset (&dry, 0, sizeof dry);
  if (plan)
    easel_device_close (&plan);
  return planned || n > 0;
}

/* The card's two rates, through our own operations. */
static gboolean
measure_rates (Bench *b, EaselDevice *device, GError **error)
{
  const gint64 n = 8192, copied = (gint64) 1 << 29;
  EaselStream *s = NULL;
  double best[2] = { INFINITY, INFINITY };

  device->act_dtype = B16;
  if (!fine (easel_stream_open (device, (gsize) 5 * n * n * 2 + 4 * copied + 65536, &s), "arena", error))
    return FALSE;
  EaselTensor x = RANDOM (s, B16, n / 4, n), from = easel_new (s, B16, copied), to = easel_new (s, B16, copied);
  EaselTensor a = easel_new (s, B16, n, n), w = easel_new (s, B16, n, n), y = easel_new (s, B16, n, n);

  for (int i = 0; i < 4 && easel_stream_ok (s); i++)
    {
      easel_cast (s, .x = x, .y = easel_tensor_rows (a, i * n / 4, n / 4));
      easel_cast (s, .x = x, .y = easel_tensor_rows (w, i * n / 4, n / 4));
    }
  for (int i = 0; i < 10; i++)
    {
      gint64 start;

      easel_synchronize (s);
      start = g_get_monotonic_time ();
      easel_linear (s, .x = a, .w = w, .y = y);
      easel_synchronize (s);
      best[0] = MIN (best[0], (g_get_monotonic_time () - start) / 1e6);
      start = g_get_monotonic_time ();
      easel_cast (s, .x = from, .y = to);
      easel_synchronize (s);
      best[1] = MIN (best[1], (g_get_monotonic_time () - start) / 1e6);
    }
  b->flops = 2.0 * n * n * n / best[0];
  b->bytes = 4.0 * copied / best[1];
  gboolean ok = easel_stream_check (s, "Rates", error);
  easel_stream_close (&s);
  if (ok)
    printf ("# %s: %.0f TFLOP/s (8192 x 8192 x 8192, bf16), %.0f GB/s (1 GiB, read and written)\n", device->name,
            b->flops / 1e12, b->bytes / 1e9);
  return ok;
}

static gboolean
wanted (char **names, const Stage *stage)
{
  gboolean any = !names || !names[0];

  for (int i = 0; !any && names[i]; i++)
    any = g_str_has_prefix (stage->name, names[i]);
  return any;
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) names = NULL;
  g_autofree char *configs = NULL, *csv = NULL, *precision = NULL;
  gboolean list = FALSE, portable = FALSE, plan = FALSE;
  double seconds = 1;
  int n_ops = 0;
  const GOptionEntry entries[] = {
    { "list", 0, 0, G_OPTION_ARG_NONE, &list, "Name the stages", NULL },
    { "plan", 0, 0, G_OPTION_ARG_NONE, &plan, "Say how much work and memory there is, without a card", NULL },
    { "configs", 0, 0, G_OPTION_ARG_FILENAME, &configs, "Where the configurations are", "DIR" },
    { "portable", 0, 0, G_OPTION_ARG_NONE, &portable, "Only kernels that every card can run", NULL },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, "Products of 8 bits: fp8 or int8", "WORD" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "How long to repeat a stage (default: 1)", "S" },
    { "ops", 0, 0, G_OPTION_ARG_INT, &n_ops, "Say where the time goes", "N" },
    { "csv", 0, 0, G_OPTION_ARG_FILENAME, &csv, "Write the figures there too", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &names, NULL, "[STAGE…]" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- the models at their real sizes on a card");
  g_autoptr (GError) error = NULL;
  EaselDevice *device = NULL;
  char why[512];
  int failures = 0;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "easel-bench: %s\n", error->message);
      return 2;
    }
  if (precision && strcmp (precision, "fp8") != 0 && strcmp (precision, "int8") != 0)
    {
      fprintf (stderr, "easel-bench: --precision is fp8 or int8, not %s\n", precision);
      return 2;
    }
  if (list)
    {
      for (guint i = 0; i < G_N_ELEMENTS (stages); i++)
        printf ("%-20s %s\n", stages[i].name, stages[i].what);
      return 0;
    }
  if (!plan
      && easel_cuda_device_open (&(EaselCudaSettings){ .portable = portable }, &device, why, sizeof why)
             != EASEL_STATUS_OK)
    {
      fprintf (stderr, "easel-bench: %s\n", why);
      return 77;
    }
  Bench b = { .configs = configs ? configs : EASEL_BENCH_CONFIGS, .seconds = seconds, .flops = 1, .bytes = 1,
              .products = !precision                  ? EASEL_N_DTYPES
                          : !strcmp (precision, "fp8") ? EASEL_DTYPE_F8_E4M3
                                                       : EASEL_DTYPE_I8,
              .n_ops = n_ops };
  if (csv && (b.csv = fopen (csv, "w")))
    fprintf (b.csv, "stage,ms,spread,floor_ms,tflop,peak_gib,ops\n");
  setvbuf (stdout, NULL, _IOLBF, 0);
  if (device && !measure_rates (&b, device, &error))
    {
      fprintf (stderr, "easel-bench: %s\n", error->message);
      return 1;
    }
  for (guint i = 0; i < G_N_ELEMENTS (stages); i++)
    if (wanted (names, &stages[i]) && !run_stage (&b, &stages[i], device, &error))
      {
        fprintf (stderr, "%-20s failed: %s\n", stages[i].name, error->message);
        g_clear_error (&error);
        failures++;
      }
  if (b.csv)
    fclose (b.csv);
  if (device)
    easel_device_close (&device);
  return failures > 0;
}
