/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The JSON of requests as hostile input: what is read is written and read back alike.
 */
#include <string.h>

#include "engine/core/request.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = easel_request_from_json ((const char *) data, size, &error);
  g_assert_true ((request != NULL) == (error == NULL));
  if (!request)
    return 0;
  g_autofree char *text = easel_request_to_json (request);
  g_autoptr (EaselRequest) back = easel_request_from_json (text, strlen (text), &error);
  g_assert_no_error (error);
  g_autofree char *again = easel_request_to_json (back);
  g_assert_cmpstr (text, ==, again);
  g_autofree char *line = easel_request_to_parameters (request);
  g_autoptr (EaselRequest) read = easel_request_from_parameters (line, strlen (line), &error);
  g_assert_true ((read != NULL) == (error == NULL));
  return 0;
}

int
easel_fuzz_seed (unsigned i, const uint8_t **data, size_t *size)
{
  static const char *const SEEDS[] = {
    "{\"version\":1,\"model\":\"starter-sana\",\"prompt\":\"a cat\",\"negative\":\"\",\"width\":512,\"height\":512,"
    "\"steps\":20,\"guidance\":4.5,\"seed\":7,\"sampler\":\"flow-dpm++\",\"count\":1,\"resolution_binning\":true,"
    "\"human_instruction\":false,\"max_tokens\":300,\"frames\":0,\"fps\":0.0,\"noise\":\"cpu\"}",
    "{\"prompt\":\"\\u00e4 \\ud83c\\udfa8 \\\"x\\\"\\n\\tNegative prompt: y\",\"guidance\":NaN,\"precision\":\"bf16\"}",
    "{\"model\":\"/a/b/c\",\"seed\":9223372036854775807,\"fps\":1e1,\"noise\":\"cuda\"}",
  };
  if (i >= G_N_ELEMENTS (SEEDS))
    return 0;
  *data = (const uint8_t *) SEEDS[i];
  *size = strlen (SEEDS[i]);
  return 1;
}
