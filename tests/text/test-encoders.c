/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gemma 2 and T5: files that do not fit are refused by name, the forms in which files come give the same result, memory
 * is planned and given back, work can be stopped. Numbers are compared with the reference by parity.
 */
#include <math.h>
#include <string.h>

#include <glib/gstdio.h>

#include "engine/core/json.h"
#include "engine/text/gemma2.h"
#include "engine/text/t5.h"
#include "kernels/half.h"
#include "tests/text/text-common.h"

#define GEMMA_CONFIG                                                                                             \
  "\"model_type\":\"gemma2\",\"hidden_size\":96,\"intermediate_size\":160,\"num_hidden_layers\":3,"                    \
  "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":32,\"query_pre_attn_scalar\":32,"                  \
  "\"vocab_size\":1600,\"sliding_window\":24"

typedef struct
{
  EaselDevice *cpu, *dry;
  EaselStream *stream, *measure;
  char *dir; /* for files the tests write */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  (void) data;
  g_assert_cmpint (easel_cpu_device_open (2, &f->cpu), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_dry_device_open (EASEL_DTYPE_F32, &f->dry), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_stream_open (f->cpu, 64 << 20, &f->stream), ==, EASEL_STATUS_OK);
  g_assert_cmpint (easel_stream_open (f->dry, 0, &f->measure), ==, EASEL_STATUS_OK);
  f->dir = g_dir_make_tmp ("easel-encoders-XXXXXX", NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  (void) data;
  easel_stream_close (&f->stream);
  easel_stream_close (&f->measure);
  easel_device_close (&f->cpu);
  easel_device_close (&f->dry);
  g_assert_cmpint (g_rmdir (f->dir), ==, 0);
  g_free (f->dir);
}

static JsonObject *
parse (const char *members)
{
  g_autofree char *text = g_strdup_printf ("{%s}", members);
  g_autoptr (GError) error = NULL;
  JsonObject *object = easel_json_parse (text, strlen (text), "config.json", &error);

  g_assert_no_error (error);
  return object;
}

static EaselWeights *
reference_weights (void)
{
  g_autofree char *dir = reference_path ("models/gemma2-tiny");
  EaselWeights *weights = easel_weights_open (dir, NULL, NULL);

  g_assert_nonnull (weights);
  return weights;
}

/* A file written by `write` and read back; deleted at once, the mapping stays. */
static EaselWeights *
written_weights (Fixture *f, guint n, char **names, const EaselTensor *tensors)
{
  g_autofree char *path = g_build_filename (f->dir, "model.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  EaselWeights *weights = NULL;

  if (easel_safetensors_write (path, n, (const char *const *) names, tensors, NULL, &error))
    weights = easel_weights_open (f->dir, NULL, &error);
  g_assert_no_error (error);
  g_unlink (path);
  return weights;
}

/* The tiny Gemma's tensors under other names, without those that hold `leave_out`. */
static EaselWeights *
renamed_weights (Fixture *f, const char *prefix, const char *leave_out)
{
  g_autofree char *path = reference_path ("models/gemma2-tiny/model.safetensors");
  g_autoptr (EaselSafetensors) file = easel_safetensors_open (path, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) tensors = g_array_new (FALSE, FALSE, sizeof (EaselTensor));

  for (guint i = 0; i < easel_safetensors_count (file); i++)
    {
      EaselTensor t;
      const char *name = easel_safetensors_nth (file, i, &t);

      if (leave_out != NULL && strstr (name, leave_out) != NULL)
        continue;
      g_ptr_array_add (names, g_strconcat (prefix, name, NULL));
      g_array_append_val (tensors, t);
    }
  return written_weights (f, names->len, (char **) names->pdata, (const EaselTensor *) (void *) tensors->data);
}

static EaselGemma2 *
gemma_of (Fixture *f, const char *members, EaselWeights *weights)
{
  g_autoptr (JsonObject) config = parse (members);
  g_autoptr (GError) error = NULL;
  EaselGemma2 *self = easel_gemma2_new (config, weights, f->cpu, &error);

  g_assert_no_error (error);
  g_assert_nonnull (self);
  return self;
}

static gint32 *
some_ids (int n, int vocab)
{
  gint32 *ids = g_new (gint32, n);

  for (int i = 0; i < n; i++)
    ids[i] = i == 0 ? 2 : 3 + (i * 7919) % (vocab - 3);
  return ids;
}

/* Last hidden states of `n` tokens as [n, hidden]; caller frees. */
static float *
run_gemma (Fixture *f, EaselGemma2 *gemma, int batch, int n, const gint32 *ids, const guint8 *mask)
{
  gsize count = (gsize) (batch * n * easel_gemma2_hidden_size (gemma));
  float *out = g_new0 (float, count);
  g_autoptr (GError) error = NULL;
  EaselTensor got;

  g_assert_true (easel_gemma2_encode (gemma, f->stream, batch, n, ids, mask, &got, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (got.n_dims, ==, 3);
  easel_download (f->stream, out, got);
  easel_stream_release (f->stream, 0);
  return out;
}

static void
assert_close (const float *a, const float *b, gsize n, double bound)
{
  double difference = 0, size = 0;

  for (gsize i = 0; i < n; i++)
    {
      difference += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
      size += (double) b[i] * b[i];
    }
  g_assert_true (size > 0);
  g_assert_true (difference <= size * bound * bound);
}

/* Old and new configurations, bare and prefixed names: one result. */
static void
test_gemma_forms (Fixture *f, gconstpointer data)
{
  static const char *const forms[] = {
    GEMMA_CONFIG,
    GEMMA_CONFIG ",\"rope_theta\":10000.0,\"hidden_activation\":null,\"final_logit_softcapping\":30.0",
    GEMMA_CONFIG ",\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"layer_types\":"
                 "[\"sliding_attention\",\"full_attention\",\"sliding_attention\"],"
                 "\"use_bidirectional_attention\":null",
    GEMMA_CONFIG ",\"attn_logit_softcapping\":50.0,\"rms_norm_eps\":1e-06,\"rope_scaling\":null",
  };
  static const char *const others[] = {
    GEMMA_CONFIG ",\"rope_theta\":20000.0",
    GEMMA_CONFIG ",\"attn_logit_softcapping\":null",
    GEMMA_CONFIG ",\"layer_types\":[\"full_attention\",\"full_attention\",\"full_attention\"]",
  };
  g_autofree gint32 *ids = some_ids (40, 1600);
  g_autoptr (EaselGemma2) first = gemma_of (f, forms[0], renamed_weights (f, "model.", NULL));
  g_autofree float *want = run_gemma (f, first, 1, 40, ids, NULL);
  gsize bytes = 40 * 96 * sizeof (float);

  (void) data;
  g_assert_cmpint (easel_gemma2_hidden_size (first), ==, 96);
  g_assert_cmpint (easel_gemma2_n_layers (first), ==, 3);
  for (gsize i = 0; i < G_N_ELEMENTS (forms); i++)
    {
      g_autoptr (EaselGemma2) gemma = gemma_of (f, forms[i], reference_weights ());
      g_autofree float *got = run_gemma (f, gemma, 1, 40, ids, NULL);

      g_assert_cmpmem (got, bytes, want, bytes);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autoptr (EaselGemma2) gemma = gemma_of (f, others[i], reference_weights ());
      g_autofree float *got = run_gemma (f, gemma, 1, 40, ids, NULL);

      g_assert_true (memcmp (got, want, bytes) != 0);
    }
}

/* Texts of one batch do not see each other, and nothing sees padding. */
static void
test_gemma_batch (Fixture *f, gconstpointer data)
{
  g_autoptr (EaselGemma2) gemma = gemma_of (f, GEMMA_CONFIG, reference_weights ());
  g_autofree gint32 *ids = some_ids (80, 1600);
  guint8 mask[80];
  g_autofree float *both = NULL, *one = NULL, *two = NULL;

  (void) data;
  for (int i = 0; i < 80; i++)
    mask[i] = i < 40 || i < 57;
  for (int i = 57; i < 80; i++)
    ids[i] = 0;
  both = run_gemma (f, gemma, 2, 40, ids, mask);
  one = run_gemma (f, gemma, 1, 40, ids, NULL);
  two = run_gemma (f, gemma, 1, 17, ids + 40, NULL);
  assert_close (both, one, 40 * 96, 1e-6);
  assert_close (both + 40 * 96, two, 17 * 96, 1e-6);
}

/* Bytes of the states after a prefix; caller frees. */
static float *
run_after (Fixture *f, EaselGemma2 *gemma, int n_prefix, int n, const gint32 *ids)
{
  float *out = g_new0 (float, (1 + n) * 96);
  g_autoptr (GError) error = NULL;
  EaselTensor got;

  g_assert_true (easel_gemma2_encode_after (gemma, f->stream, n_prefix, n, ids, &got, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (got.shape[0], ==, 1 + n);
  easel_download (f->stream, out, got);
  easel_stream_release (f->stream, 0);
  return out;
}

/* A remembered prefix changes nothing but the time: the numbers are those of the whole text, and the same bytes whether
 * the prefix was remembered, forgotten or another. The window (24) is shorter than the text. */
static void
test_gemma_prefix (Fixture *f, gconstpointer data)
{
  static const int sizes[][2] = { { 1, 1 }, { 5, 3 }, { 40, 7 }, { 30, 60 }, { 23, 1 }, { 24, 30 } };
  g_autoptr (EaselGemma2) gemma = gemma_of (f, GEMMA_CONFIG, reference_weights ());

  (void) data;
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      int p = sizes[i][0], n = sizes[i][1];
      gsize bytes = (gsize) (1 + n) * 96 * sizeof (float);
      g_autofree gint32 *ids = some_ids (p + n, 1600), *other = g_memdup2 (ids, (gsize) (p + n) * sizeof (gint32));
      g_autofree float *whole = run_gemma (f, gemma, 1, p + n, ids, NULL);
      g_autofree float *first = run_after (f, gemma, p, n, ids), *second = run_after (f, gemma, p, n, ids);
      g_autofree float *changed = NULL, *back = NULL;

      assert_close (first, whole, 96, 1e-6);
      assert_close (first + 96, whole + p * 96, (gsize) n * 96, 1e-6);
      g_assert_cmpmem (first, bytes, second, bytes);
      other[p / 2] = 777;
      changed = run_after (f, gemma, p, n, other);
      g_assert_true (memcmp (changed, first, bytes) != 0);
      back = run_after (f, gemma, p, n, ids);
      g_assert_cmpmem (first, bytes, back, bytes);
    }
  g_assert_cmpuint (easel_gemma2_prefix_bytes (gemma, 10, EASEL_DTYPE_F32), ==, 2 * 3 * 10 * 64 * 4);
}

static void
refuse_gemma (Fixture *f, const char *members, EaselWeights *weights, EaselError code, const char *text)
{
  g_autoptr (JsonObject) config = parse (members);
  g_autoptr (GError) error = NULL;

  g_assert_null (easel_gemma2_new (config, weights, f->cpu, &error));
  assert_refused (&error, code, text);
}

static void
test_gemma_refused (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *members, *text;
  } unsupported[] = {
    { GEMMA_CONFIG ",\"hidden_activation\":\"relu\"", "hidden_activation" },
    { GEMMA_CONFIG ",\"attention_bias\":true", "attention_bias" },
    { GEMMA_CONFIG ",\"use_bidirectional_attention\":true", "use_bidirectional_attention" },
    { GEMMA_CONFIG ",\"rope_scaling\":{\"type\":\"linear\"}", "rope_scaling" },
    { GEMMA_CONFIG ",\"rope_parameters\":{\"rope_type\":\"yarn\"}", "yarn" },
    { GEMMA_CONFIG ",\"rope_parameters\":[]", "rope_parameters" },
    { GEMMA_CONFIG ",\"rope_theta\":-1", "rope_theta" },
    { GEMMA_CONFIG ",\"layer_types\":[\"full_attention\"]", "layer_types" },
    { GEMMA_CONFIG ",\"layer_types\":[1,2,3]", "layer_types" },
    { GEMMA_CONFIG ",\"layer_types\":[\"x\",\"x\",\"x\"]", "layer_types" },
    { "\"model_type\":\"llama\"", "llama" },
    { "\"head_dim\":33", "head_dim" },
    { "\"num_key_value_heads\":3", "num_key_value_heads" },
    { "\"query_pre_attn_scalar\":0", "query_pre_attn_scalar" },
  };

  (void) data;
  for (gsize i = 0; i < G_N_ELEMENTS (unsupported); i++)
    refuse_gemma (f, unsupported[i].members, reference_weights (), EASEL_ERROR_UNSUPPORTED, unsupported[i].text);
  refuse_gemma (f, "\"hidden_size\":\"wide\"", reference_weights (), EASEL_ERROR_DAMAGED, "hidden_size");
  refuse_gemma (f, "\"hidden_size\":-5", reference_weights (), EASEL_ERROR_DAMAGED, "hidden_size");
  refuse_gemma (f, "\"num_hidden_layers\":1000000000", reference_weights (), EASEL_ERROR_DAMAGED, "num_hidden_layers");
  /* What the file has and what the configuration says: tensor and both shapes. */
  refuse_gemma (f, GEMMA_CONFIG ",\"intermediate_size\":128", reference_weights (), EASEL_ERROR_DAMAGED,
                "layers.0.mlp.gate_proj.weight");
  refuse_gemma (f, GEMMA_CONFIG ",\"vocab_size\":1601", reference_weights (), EASEL_ERROR_DAMAGED, "[1600, 96]");
  refuse_gemma (f, GEMMA_CONFIG, renamed_weights (f, "", "layers.1.mlp.up"), EASEL_ERROR_DAMAGED,
                "layers.1.mlp.up_proj.weight");
}

static void
test_gemma_calls_refused (Fixture *f, gconstpointer data)
{
  g_autoptr (EaselGemma2) gemma = gemma_of (f, GEMMA_CONFIG, reference_weights ());
  g_autofree gint32 *ids = some_ids (40, 1600);
  g_autoptr (GError) error = NULL;
  EaselTensor out = { 0 };

  (void) data;
  ids[30] = 1600;
  g_assert_false (easel_gemma2_encode (gemma, f->stream, 1, 40, ids, NULL, &out, NULL, NULL, &error));
  assert_refused (&error, EASEL_ERROR_DAMAGED, "1600");
  ids[30] = -1;
  g_assert_false (easel_gemma2_encode (gemma, f->stream, 1, 40, ids, NULL, &out, NULL, NULL, &error));
  assert_refused (&error, EASEL_ERROR_DAMAGED, "-1");
  g_assert_false (easel_gemma2_encode (gemma, f->stream, 0, 40, ids, NULL, &out, NULL, NULL, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, NULL);
  g_assert_false (easel_gemma2_encode (gemma, f->stream, 1, 0, ids, NULL, &out, NULL, NULL, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, NULL);
  g_assert_false (easel_gemma2_encode_after (gemma, f->stream, 0, 4, ids, &out, NULL, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, NULL);
  g_assert_false (easel_gemma2_encode_after (gemma, f->stream, 4, 0, ids, &out, NULL, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, NULL);
  g_assert_false (easel_gemma2_encode_after (gemma, f->stream, 4, G_MAXINT, ids, &out, NULL, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, NULL);
  g_assert_false (easel_gemma2_encode (gemma, f->stream, 1 << 20, 1 << 20, ids, NULL, &out, NULL, NULL, &error));
  assert_refused (&error, EASEL_ERROR_BAD_REQUEST, NULL);
  g_assert_null (out.data);
  g_assert_cmpuint (f->stream->used, ==, 0);
}

static void
test_cancel (Fixture *f, gconstpointer data)
{
  g_autoptr (EaselGemma2) gemma = gemma_of (f, GEMMA_CONFIG, reference_weights ());
  g_autofree gint32 *ids = some_ids (40, 1600);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request
      = easel_request_new (&(EaselRequestSettings){ .model = "m", .prompt = "a" }, &error);
  g_autoptr (EaselJob) job = easel_job_new (request);
  EaselTensor out = { 0 };

  (void) data;
  g_assert_true (easel_gemma2_encode (gemma, f->stream, 1, 40, ids, NULL, &out, NULL, job, &error));
  g_assert_true (easel_gemma2_encode_after (gemma, f->stream, 30, 10, ids, &out, job, &error));
  easel_stream_release (f->stream, 0);
  out = EASEL_NO_TENSOR;
  easel_job_cancel (job);
  g_assert_false (easel_gemma2_encode (gemma, f->stream, 1, 40, ids, NULL, &out, NULL, job, &error));
  assert_refused (&error, EASEL_ERROR_CANCELLED, NULL);
  g_assert_false (easel_gemma2_encode_after (gemma, f->stream, 30, 10, ids, &out, job, &error));
  assert_refused (&error, EASEL_ERROR_CANCELLED, NULL);
  g_assert_null (out.data);
  g_assert_cmpuint (f->stream->used, ==, 0);
}

/* A tiny T5 with made-up weights, in one dtype, under one of the two names of the embedding. */
#define T5_MODEL 32
#define T5_HEADS 3
#define T5_KV 8
#define T5_FF 40
#define T5_VOCAB 50
#define T5_LAYERS 2
#define T5_CONFIG                                                                                               \
  "\"model_type\":\"t5\",\"d_model\":32,\"d_kv\":8,\"d_ff\":40,\"num_layers\":2,\"num_heads\":3,\"vocab_size\":50," \
  "\"feed_forward_proj\":\"gated-gelu\""

typedef struct
{
  EaselDtype dtype;
  guint32 state;
  GPtrArray *names, *memory;
  GArray *tensors;
} T5File;

static void
t5_add (T5File *file, char *name, gint64 rows, gint64 columns, float scale)
{
  gint64 n = rows * columns;
  guint8 *data = g_malloc0 ((gsize) n * 4);
  EaselTensor t = rows == 1 ? easel_tensor_of (data, file->dtype, columns)
                            : easel_tensor_of (data, file->dtype, rows, columns);

  for (gint64 i = 0; i < n; i++)
    {
      float value;
      guint16 half;

      /* Eighths from -1 to 1 times a power of two: exact in every dtype. */
      file->state = file->state * 1664525u + 1013904223u;
      value = (float) ((int) (file->state >> 28) - 8) * 0.125f * scale;
      if (rows == 1)
        value = 1 + value;
      half = file->dtype == EASEL_DTYPE_F16 ? easel_f16_from_f32 (value) : easel_bf16_from_f32 (value);
      if (file->dtype == EASEL_DTYPE_F32)
        memcpy (data + i * 4, &value, 4);
      else
        memcpy (data + i * 2, &half, 2);
    }
  g_ptr_array_add (file->names, name);
  g_ptr_array_add (file->memory, data);
  g_array_append_val (file->tensors, t);
}

static EaselWeights *
t5_weights (Fixture *f, EaselDtype dtype, const char *embedding)
{
  static const char *const projections[] = { "q", "k", "v", "o" };
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) memory = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) tensors = g_array_new (FALSE, FALSE, sizeof (EaselTensor));
  T5File file = { dtype, 1, names, memory, tensors };

  t5_add (&file, g_strdup (embedding), T5_VOCAB, T5_MODEL, 1);
  t5_add (&file, g_strdup ("encoder.final_layer_norm.weight"), 1, T5_MODEL, 0.25f);
  t5_add (&file, g_strdup ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"), 32, T5_HEADS, 2);
  for (int i = 0; i < T5_LAYERS; i++)
    {
      g_autofree char *p = g_strdup_printf ("encoder.block.%d.layer.", i);

      for (int k = 0; k < 4; k++)
        t5_add (&file, g_strdup_printf ("%s0.SelfAttention.%s.weight", p, projections[k]),
                k < 3 ? T5_HEADS * T5_KV : T5_MODEL, k < 3 ? T5_MODEL : T5_HEADS * T5_KV, 0.25f);
      t5_add (&file, g_strconcat (p, "0.layer_norm.weight", NULL), 1, T5_MODEL, 0.25f);
      t5_add (&file, g_strconcat (p, "1.layer_norm.weight", NULL), 1, T5_MODEL, 0.25f);
      t5_add (&file, g_strconcat (p, "1.DenseReluDense.wi_0.weight", NULL), T5_FF, T5_MODEL, 0.25f);
      t5_add (&file, g_strconcat (p, "1.DenseReluDense.wi_1.weight", NULL), T5_FF, T5_MODEL, 0.25f);
      t5_add (&file, g_strconcat (p, "1.DenseReluDense.wo.weight", NULL), T5_MODEL, T5_FF, 0.25f);
    }
  return written_weights (f, names->len, (char **) names->pdata, (const EaselTensor *) (void *) tensors->data);
}

static EaselT5 *
t5_of (EaselDevice *device, const char *members, EaselWeights *weights)
{
  g_autoptr (JsonObject) config = parse (members);
  g_autoptr (GError) error = NULL;
  EaselT5 *self = easel_t5_new (config, weights, device, &error);

  g_assert_no_error (error);
  return self;
}

static float *
run_t5 (Fixture *f, EaselT5 *t5, int batch, int n, const gint32 *ids)
{
  float *out = g_new0 (float, batch * n * T5_MODEL);
  g_autoptr (GError) error = NULL;
  EaselTensor got;

  g_assert_true (easel_t5_encode (t5, f->stream, batch, n, ids, &got, NULL, &error));
  g_assert_no_error (error);
  easel_download (f->stream, out, got);
  easel_stream_release (f->stream, 0);
  return out;
}

/* 16 and 32 bit files, both names, a batch and its texts alone: one result. */
static void
test_t5_forms (Fixture *f, gconstpointer data)
{
  static const EaselDtype dtypes[] = { EASEL_DTYPE_F32, EASEL_DTYPE_BF16, EASEL_DTYPE_F16 };
  static const char *const names[] = { "shared.weight", "encoder.embed_tokens.weight" };
  g_autofree gint32 *ids = some_ids (2 * 150, T5_VOCAB);
  g_autofree float *want = NULL;

  (void) data;
  for (gsize d = 0; d < G_N_ELEMENTS (dtypes); d++)
    for (gsize k = 0; k < G_N_ELEMENTS (names); k++)
      {
        g_autoptr (EaselT5) t5 = t5_of (f->cpu, T5_CONFIG, t5_weights (f, dtypes[d], names[k]));
        g_autofree float *both = run_t5 (f, t5, 2, 150, ids), *second = run_t5 (f, t5, 1, 150, ids + 150);

        assert_close (both + 150 * T5_MODEL, second, 150 * T5_MODEL, 1e-6);
        if (want == NULL)
          want = g_memdup2 (both, 2 * 150 * T5_MODEL * sizeof (float));
        assert_close (both, want, 2 * 150 * T5_MODEL, 1e-6);
      }
}

static void
refuse_t5 (Fixture *f, const char *members, EaselWeights *weights, EaselError code, const char *text)
{
  g_autoptr (JsonObject) config = parse (members);
  g_autoptr (GError) error = NULL;

  g_assert_null (easel_t5_new (config, weights, f->cpu, &error));
  assert_refused (&error, code, text);
}

static void
test_t5_refused (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *members, *text;
  } unsupported[] = {
    { "\"model_type\":\"umt5\"", "umt5" },
    { "\"feed_forward_proj\":\"relu\"", "feed_forward_proj" },
    { T5_CONFIG ",\"relative_attention_num_buckets\":30", "relative_attention_num_buckets" },
    { T5_CONFIG ",\"relative_attention_max_distance\":8", "relative_attention_num_buckets" },
  };
  g_autoptr (EaselT5) t5 = t5_of (f->cpu, T5_CONFIG, t5_weights (f, EASEL_DTYPE_F32, "shared.weight"));
  g_autofree gint32 *ids = some_ids (10, T5_VOCAB);
  g_autoptr (GError) error = NULL;
  EaselTensor out;

  (void) data;
  for (gsize i = 0; i < G_N_ELEMENTS (unsupported); i++)
    refuse_t5 (f, unsupported[i].members, t5_weights (f, EASEL_DTYPE_F32, "shared.weight"), EASEL_ERROR_UNSUPPORTED,
               unsupported[i].text);
  refuse_t5 (f, T5_CONFIG ",\"num_layers\":3", t5_weights (f, EASEL_DTYPE_F32, "shared.weight"), EASEL_ERROR_DAMAGED,
             "encoder.block.2");
  refuse_t5 (f, T5_CONFIG ",\"num_heads\":4", t5_weights (f, EASEL_DTYPE_F32, "shared.weight"), EASEL_ERROR_DAMAGED,
             "relative_attention_bias");
  refuse_t5 (f, T5_CONFIG, t5_weights (f, EASEL_DTYPE_F32, "lm_head.weight"), EASEL_ERROR_DAMAGED,
             "encoder.embed_tokens.weight");
  ids[9] = T5_VOCAB;
  g_assert_false (easel_t5_encode (t5, f->stream, 1, 10, ids, &out, NULL, &error));
  assert_refused (&error, EASEL_ERROR_DAMAGED, "50");
}

/* What the dry device measures is what the CPU takes; with less there is an error and nothing is left behind. */
static void
test_memory (Fixture *f, gconstpointer data)
{
  g_autoptr (JsonObject) config = parse (GEMMA_CONFIG);
  g_autoptr (EaselGemma2) gemma = gemma_of (f, GEMMA_CONFIG, reference_weights ());
  g_autoptr (EaselGemma2) dry_gemma = easel_gemma2_new (config, reference_weights (), f->dry, NULL);
  g_autoptr (EaselT5) t5 = t5_of (f->cpu, T5_CONFIG, t5_weights (f, EASEL_DTYPE_F16, "shared.weight"));
  g_autoptr (EaselT5) dry_t5 = t5_of (f->dry, T5_CONFIG, t5_weights (f, EASEL_DTYPE_F16, "shared.weight"));
  g_autofree gint32 *ids = some_ids (60, T5_VOCAB);
  guint8 mask[60];
  EaselTensor out;

  (void) data;
  memset (mask, 1, sizeof mask);
  mask[59] = 0;
  for (int model = 0; model < 3; model++)
    {
      gsize kept = model == 0 ? 60 * 96 : model == 1 ? 60 * T5_MODEL : 21 * 96, peak;
      gboolean ok = FALSE;

      easel_stream_release (f->measure, 0);
      f->measure->peak = 0;
      ok = model == 0   ? easel_gemma2_encode (dry_gemma, f->measure, 1, 60, NULL, mask, &out, NULL, NULL, NULL)
           : model == 1 ? easel_t5_encode (dry_t5, f->measure, 1, 60, NULL, &out, NULL, NULL)
                        : easel_gemma2_encode_after (dry_gemma, f->measure, 40, 20, NULL, &out, NULL, NULL);
      g_assert_true (ok);
      peak = f->measure->peak;
      g_assert_cmpuint (f->measure->used, ==, kept * sizeof (float));
      for (gsize step = 0; step <= 16; step++)
        {
          gsize bytes = step == 16 ? peak : step == 15 ? peak - 1 : peak * step / 15 + 64;
          EaselStream *stream = NULL;
          g_autoptr (GError) error = NULL;

          g_assert_cmpint (easel_stream_open (f->cpu, bytes, &stream), ==, EASEL_STATUS_OK);
          ok = model == 0   ? easel_gemma2_encode (gemma, stream, 1, 60, ids, mask, &out, NULL, NULL, &error)
               : model == 1 ? easel_t5_encode (t5, stream, 1, 60, ids, &out, NULL, &error)
                            : easel_gemma2_encode_after (gemma, stream, 40, 20, ids, &out, NULL, &error);
          if (ok)
            g_assert_cmpuint (stream->used, ==, kept * sizeof (float));
          else
            {
              assert_refused (&error, EASEL_ERROR_NO_MEMORY, NULL);
              g_assert_cmpuint (stream->used, ==, 0);
            }
          g_assert_true (ok == (bytes >= peak));
          g_assert_cmpuint (stream->peak, <=, peak);
          easel_stream_close (&stream);
        }
      g_assert_true (ok);
    }
}

/* Values of transformers' T5Attention._relative_position_bucket (bidirectional, 32 buckets, distance 128). */
static void
test_buckets (Fixture *f, gconstpointer data)
{
  static const struct
  {
    int relative, bucket;
  } cases[] = { { 0, 0 },   { 1, 17 },  { -1, 1 },   { 7, 23 },  { -7, 7 },   { 8, 24 },   { -8, 8 },   { 11, 24 },
                { 12, 25 }, { 15, 25 }, { 16, 26 },  { 22, 26 }, { 23, 27 },  { 32, 28 },  { -45, 12 }, { -46, 13 },
                { 63, 29 }, { 64, 30 }, { 90, 30 },  { 91, 31 }, { 127, 31 }, { 128, 31 }, { -226, 15 } };

  (void) f;
  (void) data;
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (easel_t5_bucket (cases[i].relative, 32, 128), ==, cases[i].bucket);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/gemma2/forms", Fixture, NULL, set_up, test_gemma_forms, tear_down);
  g_test_add ("/gemma2/batch", Fixture, NULL, set_up, test_gemma_batch, tear_down);
  g_test_add ("/gemma2/prefix", Fixture, NULL, set_up, test_gemma_prefix, tear_down);
  g_test_add ("/gemma2/refused", Fixture, NULL, set_up, test_gemma_refused, tear_down);
  g_test_add ("/gemma2/calls-refused", Fixture, NULL, set_up, test_gemma_calls_refused, tear_down);
  g_test_add ("/gemma2/cancel", Fixture, NULL, set_up, test_cancel, tear_down);
  g_test_add ("/t5/forms", Fixture, NULL, set_up, test_t5_forms, tear_down);
  g_test_add ("/t5/refused", Fixture, NULL, set_up, test_t5_refused, tear_down);
  g_test_add ("/t5/buckets", Fixture, NULL, set_up, test_buckets, tear_down);
  g_test_add ("/encoders/memory", Fixture, NULL, set_up, test_memory, tear_down);
  return g_test_run ();
}
