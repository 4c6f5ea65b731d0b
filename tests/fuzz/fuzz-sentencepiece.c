/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SentencePiece models as hostile input: whatever opens must also read text. Entry point of libFuzzer and AFL++.
 */
#include <stdint.h>

#include "engine/text/tokenizer.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const char *const texts[] = {
    "",
    "a red ball to the left of a green cube",
    "  \xEF\xB7\xBA \xEF\xBC\xA1\xE2\x85\xA7 \xC3\xA9\xCC\x81\x01\n\n\t<bos></s><0x41>",
    "\xF0\x9F\x90\xBC\xE4\xB8\x80\xE5\x8F\xAA xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
  };

  for (int kind = EASEL_TOKENIZER_GEMMA; kind <= EASEL_TOKENIZER_T5; kind++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (EaselTokenizer) t = easel_tokenizer_open_memory (data, size, (EaselTokenizerKind) kind, &error);

      for (gsize i = 0; t != NULL && i < G_N_ELEMENTS (texts); i++)
        {
          g_autoptr (GArray) tokens = easel_tokenizer_tokens (t, texts[i], NULL);
        }
    }
  return 0;
}
