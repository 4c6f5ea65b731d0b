/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JSON of model folders as hostile input. The first byte says as what it is read: fields of any kind, model_index.json,
 * or the configuration of a network whose weights lie in a file of one tensor.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "engine/core/model-folder.h"
#include "engine/sana/dcae.h"
#include "engine/sana/transformer.h"
#include "engine/text/gemma2.h"
#include "tests/fuzz/fuzz.h"

static EaselDevice *device;
static char *weights_path;

int LLVMFuzzerInitialize (int *argc, char ***argv);

int
LLVMFuzzerInitialize (int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
  float zero[4] = { 0 };
  const char *name = "embed_tokens.weight";
  EaselTensor t = easel_tensor_of (zero, EASEL_DTYPE_F32, 2, 2);
  g_autofree char *dir = g_dir_make_tmp ("easel-fuzz-XXXXXX", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (easel_dry_device_open (EASEL_DTYPE_F32, &device), ==, EASEL_STATUS_OK);
  weights_path = g_build_filename (dir, "w.safetensors", NULL);
  easel_safetensors_write (weights_path, 1, &name, &t, NULL, &error);
  g_assert_no_error (error);
  return 0;
}

static void
read_fields (JsonObject *object)
{
  g_autoptr (GList) names = json_object_get_members (object);
  gint64 list[4];
  for (GList *l = names; l; l = l->next)
    for (int kind = 0; kind < 5; kind++)
      {
        EaselFields f = easel_fields (object, "fuzz");
        const char *name = l->data;
        if (kind == 0)
          easel_fields_int (&f, name, 3, -1000, 1000);
        else if (kind == 1)
          easel_fields_double (&f, name, 3);
        else if (kind == 2)
          easel_fields_bool (&f, name, TRUE);
        else if (kind == 3)
          g_assert_true (g_utf8_validate (easel_fields_string (&f, name, ""), -1, NULL));
        else
          easel_fields_ints (&f, name, 4, list);
        g_autoptr (GError) error = NULL;
        g_assert_true (easel_fields_done (&f, &error) == (error == NULL));
      }
}

static void
read_index (JsonObject *object)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselModelFolder) folder = easel_model_folder_new ("/", json_object_ref (object), &error);
  g_assert_true ((folder != NULL) == (error == NULL));
  if (!folder)
    return;
  g_autoptr (GPtrArray) components = easel_model_folder_components (folder);
  for (guint i = 0; i < components->len; i++)
    g_assert_nonnull (easel_model_folder_class (folder, components->pdata[i]));
  g_assert_nonnull (easel_model_folder_pipeline_class (folder));
}

/* No configuration fits these weights: each must say so. */
static void
read_config (JsonObject *object, int kind)
{
  g_autoptr (GError) error = NULL;
  EaselWeights *weights = easel_weights_open_file (weights_path, NULL);
  g_assert_nonnull (weights);
  if (kind == 0)
    g_assert_null (easel_sana_transformer_new (object, weights, device, &error));
  else if (kind == 1)
    g_assert_null (easel_dcae_new (object, weights, device, &error));
  else
    g_assert_null (easel_gemma2_new (object, weights, device, &error));
  g_assert_nonnull (error);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  if (size < 1)
    return 0;
  g_autoptr (JsonObject) object
      = easel_json_parse_strict ((const char *) data + 1, size - 1, "fuzz", data[0] & 8, &error);
  g_assert_true ((object != NULL) == (error == NULL));
  if (!object)
    return 0;
  switch (data[0] & 7)
    {
    case 0:
    case 1:
    case 2:
      read_config (object, data[0] & 7);
      break;
    case 3:
    case 4:
      read_index (object);
      break;
    default:
      read_fields (object);
    }
  return 0;
}

int
easel_fuzz_seed (unsigned i, const uint8_t **data, size_t *size)
{
  static const char *const SEEDS[] = {
    "5{\"a\": 1, \"b\": [1.5, -2e3, NaN], \"c\": {\"d\": -Infinity, \"e\": null}, \"f\": \"\\u00e4\\ud83c\\udfa8\", "
    "\"g\": true, \"h\": [1, 2]}",
    "3{\"_class_name\": \"SanaPipeline\", \"_diffusers_version\": \"0.32\", \"tmp\": [\"diffusers\", \"A\"], "
    "\"usr\": [\"b\", \"B\"], \"x\": [null, null]}",
    "0{\"_class_name\": \"SanaTransformer2DModel\", \"attention_bias\": false, \"attention_head_dim\": 8, "
    "\"caption_channels\": 32, \"cross_attention_dim\": 32, \"cross_attention_head_dim\": 8, \"in_channels\": 4, "
    "\"interpolation_scale\": null, \"mlp_ratio\": 2.5, \"norm_elementwise_affine\": false, \"norm_eps\": 1e-06, "
    "\"num_attention_heads\": 4, \"num_cross_attention_heads\": 4, \"num_layers\": 2, \"out_channels\": 4, "
    "\"patch_size\": 1, \"qk_norm\": null, \"sample_size\": 32, \"guidance_embeds\": false}",
    "1{\"_class_name\": \"AutoencoderDC\", \"attention_head_dim\": 32, \"decoder_act_fns\": \"silu\", "
    "\"decoder_block_out_channels\": [16, 32], \"decoder_block_types\": [\"ResBlock\", \"EfficientViTBlock\"], "
    "\"decoder_layers_per_block\": [1, 1], \"decoder_norm_types\": \"rms_norm\", \"decoder_qkv_multiscales\": [[], "
    "[5]], \"downsample_block_type\": \"conv\", \"encoder_block_out_channels\": [16, 32], \"encoder_block_types\": "
    "\"ResBlock\", \"encoder_layers_per_block\": [1, 1], \"encoder_qkv_multiscales\": [[], []], \"in_channels\": 3, "
    "\"latent_channels\": 4, \"scaling_factor\": 0.41407, \"upsample_block_type\": \"interpolate\"}",
    "2{\"architectures\": [\"Gemma2Model\"], \"attention_bias\": false, \"attn_logit_softcapping\": 50.0, "
    "\"final_logit_softcapping\": 30.0, \"head_dim\": 8, \"hidden_activation\": \"gelu_pytorch_tanh\", "
    "\"hidden_size\": 32, \"intermediate_size\": 64, \"layer_types\": [\"sliding_attention\", \"full_attention\"], "
    "\"num_attention_heads\": 4, \"num_hidden_layers\": 2, \"num_key_value_heads\": 2, \"query_pre_attn_scalar\": 8, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 10000.0, \"sliding_window\": 4, \"vocab_size\": 64}",
  };
  if (i >= G_N_ELEMENTS (SEEDS))
    return 0;
  *data = (const uint8_t *) SEEDS[i];
  *size = strlen (SEEDS[i]);
  return 1;
}
