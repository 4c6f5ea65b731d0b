/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recipes as hostile input: what is read must be writable and read back alike. Entry point of libFuzzer and AFL++.
 */
#include <stdint.h>
#include <string.h>

#include "engine/recipes/recipe.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRecipe) recipe = easel_recipe_parse ((const char *) data, size, "fuzz.yaml", NULL, &error);

  for (guint i = 0; recipe && i < easel_recipe_n_pictures (recipe); i++)
    {
      const EaselRequestSettings *a = easel_recipe_settings (recipe, i), *b;
      g_autofree char *text = easel_recipe_to_yaml (a, easel_recipe_name (recipe), NULL, &error);
      g_autoptr (EaselRecipe) again = NULL;
      /* A prompt of 64 KiB of escaped characters is longer than a file may be. */
      if (!text || strlen (text) > 200000)
        continue;
      again = easel_recipe_parse (text, strlen (text), "again.yaml", NULL, &error);
      g_assert_no_error (error);
      b = easel_recipe_settings (again, 0);
      g_assert_cmpstr (a->prompt, ==, b->prompt);
      g_assert_cmpint (a->seed, ==, b->seed);
      g_assert_cmpfloat (a->guidance, ==, b->guidance);
    }
  return 0;
}
