/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Safetensors as hostile input: what opens must be readable to the last byte.
 */
#include <string.h>

#include "engine/core/safetensors.h"
#include "tests/fuzz/fuzz.h"

static volatile guint8 sink;

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselSafetensors) file = easel_safetensors_open_memory (data, size, "fuzz", &error);
  g_assert_true ((file != NULL) == (error == NULL));
  for (guint i = 0; file && i < easel_safetensors_count (file); i++)
    {
      EaselTensor t, found;
      const char *name = easel_safetensors_nth (file, i, &t);
      gsize bytes = easel_tensor_bytes (&t);
      g_assert_true (easel_safetensors_find (file, name, &found) && found.data == t.data);
      g_assert_true (t.n_dims >= 1 && t.n_dims <= EASEL_MAX_DIMS && bytes > 0 && bytes <= size);
      g_assert_cmpuint ((guintptr) t.data % easel_dtype_size (t.dtype), ==, 0);
      sink = ((const guint8 *) t.data)[0] ^ ((const guint8 *) t.data)[bytes - 1];
    }
  return 0;
}

int
easel_fuzz_seed (unsigned i, const uint8_t **data, size_t *size)
{
  static const struct
  {
    const char *header;
    gsize n_data;
  } SEEDS[] = {
    { "{}", 0 },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8 },
    { "{\"a\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[8,9]},"
      "\"__metadata__\":{\"format\":\"pt\"}}   ",
      9 },
    { "{\"x.weight\":{\"dtype\":\"F16\",\"shape\":[1,2,1,1,2],\"data_offsets\":[4,12]},"
      "\"x.bias\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]},"
      "\"e\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[4,4]}}",
      12 },
  };
  static guint8 buffer[1024];
  if (i >= G_N_ELEMENTS (SEEDS))
    return 0;
  gsize length = strlen (SEEDS[i].header);
  memset (buffer, 0, sizeof buffer);
  buffer[0] = (guint8) length;
  buffer[1] = (guint8) (length >> 8);
  memcpy (buffer + 8, SEEDS[i].header, length);
  *data = buffer;
  *size = 8 + length + SEEDS[i].n_data;
  return 1;
}
