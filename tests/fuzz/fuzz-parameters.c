/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * "parameters" texts, ours and other tools', as hostile input: what is read once stays the same when it is written and
 * read again.
 */
#include <string.h>

#include "engine/core/request.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = easel_request_from_parameters ((const char *) data, size, &error);
  g_assert_true ((request != NULL) == (error == NULL));
  if (!request)
    return 0;
  g_autofree char *text = easel_request_to_parameters (request);
  g_autoptr (EaselRequest) back = easel_request_from_parameters (text, strlen (text), &error);
  g_assert_no_error (error);
  g_assert_true (easel_request_equal (request, back));
  return 0;
}

int
easel_fuzz_seed (unsigned i, const uint8_t **data, size_t *size)
{
  static const char *const SEEDS[] = {
    "a cat\nNegative prompt: dogs\nSteps: 20, Sampler: flow-dpm++, CFG scale: 4.5, Seed: 7, Size: 512x512, Model: "
    "starter-sana, Version: Easel 0.1.0",
    "(cat:1.2),\nline\nNegative prompt: low,\nbad\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1, Size: "
    "640x960, Model: \"odd, \\\"name\\\": x\", Lora hashes: \"x: 1, y: 2\", Noise: cuda, FPS: 8.5, Frames: 49",
    "x\nSteps: -3, Sampler: , CFG scale: nan, Seed: 99999999999999999999999, Size: 5x5x5, Resolution binning: off, "
    "Human instruction: off, Max tokens: 12, Precision: bf16, Count: 3",
  };
  if (i >= G_N_ELEMENTS (SEEDS))
    return 0;
  *data = (const uint8_t *) SEEDS[i];
  *size = strlen (SEEDS[i]);
  return 1;
}
