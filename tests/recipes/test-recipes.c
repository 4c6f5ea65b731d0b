/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recipes: what they mean, in which order layers count, where errors point, and files that mean harm.
 */
#include "engine/recipes/recipe.h"
#include "engine/recipes/yaml.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static EaselRecipe *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  EaselRecipe *recipe = easel_recipe_parse (text, strlen (text), "test.yaml", NULL, &error);
  g_assert_no_error (error);
  return recipe;
}

static void
test_settings (void)
{
  g_autoptr (EaselRecipe) r = parse ("easel: 1\nname: Harbour\ndescription: |\n  Wide\n  and calm\n"
                                     "model: starter-sana\nprompt: a harbour at dawn, no people\nnegative: no\n"
                                     "size: 1024x768\nsteps: 20\nguidance: 4.5\nseed: 9223372036854775807\n"
                                     "sampler: flow-dpm++\ncount: 3\nresolution-binning: false\n"
                                     "human-instruction: False\nmax-tokens: 300\nframes: 49\nfps: 8\nnoise: cuda\n"
                                     "precision: bf16\ndynamic-guidance: true\nstrength: 0.5\nfit-input: true\n"
                                     "reuse: 0.3\n");
  const EaselRequestSettings *s = easel_recipe_settings (r, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = NULL;

  g_assert_cmpstr (easel_recipe_name (r), ==, "Harbour");
  g_assert_cmpstr (easel_recipe_description (r), ==, "Wide\nand calm\n");
  g_assert_cmpuint (easel_recipe_n_pictures (r), ==, 1);
  g_assert_cmpstr (s->model, ==, "starter-sana");
  g_assert_cmpstr (s->prompt, ==, "a harbour at dawn, no people");
  g_assert_cmpstr (s->negative, ==, "no");
  g_assert_cmpint (s->width, ==, 1024);
  g_assert_cmpint (s->height, ==, 768);
  g_assert_cmpint (s->steps, ==, 20);
  g_assert_cmpfloat (s->guidance, ==, 4.5);
  g_assert_cmpint (s->seed, ==, G_MAXINT64);
  g_assert_cmpstr (s->sampler, ==, "flow-dpm++");
  g_assert_cmpint (s->count, ==, 3);
  g_assert_false (s->resolution_binning);
  g_assert_false (s->human_instruction);
  g_assert_cmpint (s->max_tokens, ==, 300);
  g_assert_cmpint (s->frames, ==, 49);
  g_assert_cmpfloat (s->fps, ==, 8);
  g_assert_cmpstr (s->noise, ==, "cuda");
  g_assert_cmpstr (s->precision, ==, "bf16");
  g_assert_true (s->dynamic_guidance);
  g_assert_cmpfloat (s->strength, ==, 0.5);
  g_assert_true (s->fit_input);
  g_assert_cmpfloat (s->reuse, ==, 0.3);
  request = easel_request_new (s, &error);
  g_assert_no_error (error);
  g_assert_nonnull (request);
}

static void
test_defaults (void)
{
  EaselRequestSettings defaults = EASEL_REQUEST_SETTINGS_INIT;
  const char *text = "steps: null\nseed: random\nguidance: ~\n";
  char model[] = "other";
  g_autoptr (EaselRecipe) r = NULL, empty = parse ("");

  g_assert_cmpfloat (easel_recipe_settings (empty, 0)->guidance, ==, -1);
  g_assert_cmpint (easel_recipe_settings (empty, 0)->seed, ==, -1);
  g_assert_true (easel_recipe_settings (empty, 0)->resolution_binning);
  g_assert_cmpstr (easel_recipe_settings (empty, 0)->prompt, ==, "");
  defaults.model = model;
  defaults.steps = 7;
  r = easel_recipe_parse (text, strlen (text), "t", &defaults, NULL);
  g_assert_nonnull (r);
  model[0] = 'X'; /* the recipe has its own copy */
  g_assert_cmpstr (easel_recipe_settings (r, 0)->model, ==, "other");
  g_assert_cmpint (easel_recipe_settings (r, 0)->steps, ==, 7);
}

static void
test_pictures (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRecipe) r = parse ("prompt: base\nsteps: 10\nseed: 1\npictures:\n  - seed: 2\n  - {prompt: other, "
                                     "steps: null}\n  - {}\n");

  g_assert_cmpuint (easel_recipe_n_pictures (r), ==, 3);
  g_assert_cmpint (easel_recipe_settings (r, 0)->seed, ==, 2);
  g_assert_cmpstr (easel_recipe_settings (r, 0)->prompt, ==, "base");
  g_assert_cmpstr (easel_recipe_settings (r, 1)->prompt, ==, "other");
  g_assert_cmpint (easel_recipe_settings (r, 1)->steps, ==, 0);
  g_assert_cmpint (easel_recipe_settings (r, 2)->steps, ==, 10);

  g_assert_true (easel_recipe_override (r, "steps=4", &error));
  g_assert_true (easel_recipe_override (r, "size=512x256", &error));
  g_assert_true (easel_recipe_override (r, "prompt=a = b, 100%", &error));
  g_assert_no_error (error);
  for (guint i = 0; i < 3; i++)
    {
      g_assert_cmpint (easel_recipe_settings (r, i)->steps, ==, 4);
      g_assert_cmpint (easel_recipe_settings (r, i)->height, ==, 256);
      g_assert_cmpstr (easel_recipe_settings (r, i)->prompt, ==, "a = b, 100%");
    }
  g_assert_false (easel_recipe_override (r, "steps=x", &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  g_assert_false (easel_recipe_override (r, "steps", &error));
  g_assert_nonnull (strstr (error->message, "name=value"));
  g_assert_cmpint (easel_recipe_settings (r, 0)->steps, ==, 4);
}

/* `text` is refused with `code` at `place` ("test.yaml:3") for a reason that has `word`. */
static void
refused (const char *text, gssize length, EaselError code, const char *place, const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRecipe) r = easel_recipe_parse (text, length < 0 ? strlen (text) : (gsize) length, "test.yaml", NULL,
                                                  &error);
  g_assert_null (r);
  if (!g_error_matches (error, EASEL_ERROR, (int) code) || !g_str_has_prefix (error->message, place)
      || !strstr (error->message, word))
    g_test_fail_printf ("%.80s: wanted %s … %s (%d), got (%d) %s", text, place, word, code, error->code,
                        error->message);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static void
test_errors (void)
{
  static const struct
  {
    const char *text, *place, *word;
  } CASES[] = {
    { "prompt: x\nsetps: 3\n", "test.yaml:2: ", "there is no setting \"setps\"" },
    { "steps: many", "test.yaml:1: ", "whole number from 1 to 10000, not \"many\"" },
    { "\n\nsteps: 0", "test.yaml:3: ", "not \"0\"" },
    { "steps: 20.5", "test.yaml:1: ", "whole number" },
    { "steps: \"20\"", "test.yaml:1: ", "whole number" },
    { "steps: 99999999999999999999", "test.yaml:1: ", "whole number" },
    { "steps: [1, 2]", "test.yaml:1: ", "a list or a map" },
    { "guidance: .nan", "test.yaml:1: ", "number from 0 to 1000" },
    { "guidance: .inf", "test.yaml:1: ", "number from 0 to 1000" },
    { "guidance: 0x10", "test.yaml:1: ", "number from 0 to 1000" },
    { "guidance: -1", "test.yaml:1: ", "number from 0 to 1000" },
    { "seed: -4", "test.yaml:1: ", "or random" },
    { "seed: 9223372036854775808", "test.yaml:1: ", "or random" },
    { "size: 1024", "test.yaml:1: ", "1024x768" },
    { "size: 0x16", "test.yaml:1: ", "1024x768" },
    { "size: 10x20x30", "test.yaml:1: ", "1024x768" },
    { "size: 10x10\nwidth: 20", "test.yaml:1: ", "give either" },
    { "resolution-binning: yes", "test.yaml:1: ", "true or false" },
    { "noise: tpu", "test.yaml:1: ", "cpu|cuda" },
    { "noise: \"cpu|cuda\"", "test.yaml:1: ", "cpu|cuda" },
    { "name: [x]", "test.yaml:1: ", "must be text" },
    { "pictures: 3", "test.yaml:1: ", "list of 1 to 1000" },
    { "pictures: []", "test.yaml:1: ", "list of 1 to 1000" },
    { "pictures:\n  - steps: 2\n  - 3\n", "test.yaml:3: ", "must be settings" },
    { "pictures:\n  - steps: 2\n    seed: x\n", "test.yaml:3: ", "seed must be" },
    { "pictures:\n  - pictures: []\n", "test.yaml:2: ", "there is no setting" },
    { "- a\n- b\n", "test.yaml:1: ", "a recipe is settings" },
    { "extends: base.yaml", "test.yaml:1: ", "folder" },
  };
  g_autofree char *longest = g_strnfill (EASEL_PROMPT_MAX_BYTES + 1, 'x');
  g_autofree char *prompt = g_strconcat ("prompt: ", longest, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (CASES); i++)
    refused (CASES[i].text, -1, EASEL_ERROR_BAD_REQUEST, CASES[i].place, CASES[i].word);
  refused (prompt, -1, EASEL_ERROR_BAD_REQUEST, "test.yaml:1: ", "at most 65536 bytes");
  refused ("easel: 2", -1, EASEL_ERROR_UNSUPPORTED, "test.yaml:1: ", "only 1 is known");
}

static void
test_hostile (void)
{
  g_autoptr (GString) deep = g_string_new (NULL), wide = g_string_new ("pictures:\n"), many = g_string_new (NULL);
  g_autofree char *huge = g_strnfill (EASEL_YAML_MAX_BYTES + 1, ' ');
  static const struct
  {
    const char *text, *place, *word;
  } CASES[] = {
    { "steps: 3\nseed: 4\nsteps: 5\n", "test.yaml:3: ", "occurs twice" },
    { "prompt: &a x\nnegative: *a\n", "test.yaml:1: ", "anchors" },
    { "negative: *a\n", "test.yaml:1: ", "anchors" },
    { "<<: {steps: 3}\nprompt: !!python/object x\n", "test.yaml:2: ", "tags" },
    { "a: &a [x]\nb: [*a, *a, *a, *a]\n", "test.yaml:1: ", "anchors" },
    { "? [a, b]\n: c\n", "test.yaml:1: ", "a name must be" },
    { "steps: 3\n---\nsteps: 4\n", "test.yaml:2: ", "second document" },
    { "steps: 3\n\tseed: 4\n", "test.yaml:2: ", "" },
    { "prompt: \"x\n", "test.yaml:", "" },
    { "prompt: \"a\\0b\"\n", "test.yaml:1: ", "character" },
    { "a: b: c\n", "test.yaml:1: ", "" },
    { "steps: 3\nprompt: \xff\xfe\n", "test.yaml:2: ", "UTF-8" },
    { "%YAML 9.9\n---\nsteps: 3\n", "test.yaml:1: ", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (CASES); i++)
    refused (CASES[i].text, -1, EASEL_ERROR_DAMAGED, CASES[i].place, CASES[i].word);
  refused ("steps: 3\0seed: 4", 16, EASEL_ERROR_DAMAGED, "test.yaml:1: ", "UTF-8");
  refused (huge, -1, EASEL_ERROR_DAMAGED, "test.yaml has", "at most");
  for (int i = 0; i < 5000; i++)
    g_string_append_c (deep, '[');
  refused (deep->str, -1, EASEL_ERROR_DAMAGED, "test.yaml:1: ", "nested too deeply");
  for (guint i = 0; i <= EASEL_RECIPE_MAX_PICTURES; i++)
    g_string_append (wide, "  - {}\n");
  refused (wide->str, -1, EASEL_ERROR_BAD_REQUEST, "test.yaml:2: ", "list of 1 to 1000");
  g_string_append (many, "x: [");
  for (guint i = 0; i <= EASEL_YAML_MAX_NODES; i++)
    g_string_append (many, "1,");
  g_string_append (many, "]");
  refused (many->str, -1, EASEL_ERROR_DAMAGED, "test.yaml:1: ", "too many values");
}

static char *folder;

static char *
write_file (const char *name, const char *text)
{
  char *path = g_build_filename (folder, name, NULL);
  g_autofree char *dir = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (dir, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return path;
}

static void
load_refused (const char *path, EaselError code, const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRecipe) r = easel_recipe_load (path, NULL, &error);

  g_assert_null (r);
  if (!g_error_matches (error, EASEL_ERROR, (int) code) || !strstr (error->message, word))
    g_test_fail_printf ("%s: wanted %s (%d), got (%d) %s", path, word, code, error->code, error->message);
}

static void
test_extends (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *base = write_file ("base.yaml", "name: Base\nmodel: starter-sana\nprompt: base\nsteps: 20\n"
                                                   "guidance: 4\npictures:\n  - seed: 1\n  - {seed: 2, steps: 9}\n");
  g_autofree char *middle = write_file ("below/middle.yaml", "extends: base.yaml\nsteps: 12\nnegative: blur\n");
  g_autofree char *child = write_file ("child.yaml", "extends: below/middle.yaml\nprompt: child\nguidance: null\n");
  g_autofree char *own = write_file ("own.yaml", "extends: base.yaml\npictures: [{seed: 7}]\n");
  g_autoptr (EaselRecipe) r = easel_recipe_load (child, NULL, &error), second = NULL;
  const EaselRequestSettings *s;

  g_assert_no_error (error);
  g_assert_null (easel_recipe_name (r)); /* a name is about one file */
  g_assert_cmpuint (easel_recipe_n_pictures (r), ==, 2);
  s = easel_recipe_settings (r, 0);
  g_assert_cmpstr (s->model, ==, "starter-sana");
  g_assert_cmpstr (s->prompt, ==, "child");
  g_assert_cmpstr (s->negative, ==, "blur");
  g_assert_cmpint (s->steps, ==, 12);
  g_assert_cmpint (s->seed, ==, 1);
  g_assert_cmpfloat (s->guidance, ==, -1);
  g_assert_cmpint (easel_recipe_settings (r, 1)->steps, ==, 9);
  second = easel_recipe_load (own, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (easel_recipe_n_pictures (second), ==, 1);
  g_assert_cmpint (easel_recipe_settings (second, 0)->seed, ==, 7);
}

static void
test_extends_refused (void)
{
  static const char *const OUTSIDE[] = { "../x.yaml", "/etc/passwd", "a/../../x", "./x", "a//b", "\"\"", "[a]", "a/" };
  g_autofree char *loop = write_file ("loop.yaml", "extends: loop2.yaml\n");
  g_autofree char *loop2 = write_file ("loop2.yaml", "extends: loop.yaml\n");
  g_autofree char *gone = write_file ("gone.yaml", "steps: 3\nextends: nothing.yaml\n");
  g_autofree char *wrong_base = write_file ("wrong-base.yaml", "\nsteps: x\n");
  g_autofree char *wrong = write_file ("wrong.yaml", "extends: wrong-base.yaml\nsteps: 3\n");
  g_autofree char *missing = g_build_filename (folder, "missing.yaml", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (OUTSIDE); i++)
    {
      g_autofree char *text = g_strdup_printf ("extends: %s\n", OUTSIDE[i]);
      g_autofree char *path = write_file ("outside.yaml", text);
      load_refused (path, EASEL_ERROR_BAD_REQUEST, "outside.yaml:1: extends must name a file");
    }
  load_refused (loop, EASEL_ERROR_BAD_REQUEST, "in a circle");
  load_refused (gone, EASEL_ERROR_NOT_FOUND, "gone.yaml:2: ");
  load_refused (wrong, EASEL_ERROR_BAD_REQUEST, "wrong-base.yaml:2: steps");
  load_refused (missing, EASEL_ERROR_NOT_FOUND, "missing.yaml");
  load_refused (folder, EASEL_ERROR_DAMAGED, folder);
}

static void
test_write (void)
{
  static const char *const PROMPTS[] = {
    "plain",
    "null",
    "~",
    "- a: b # c",
    "*star &and !tag",
    "two\nlines\n\n three ",
    "\"quotes\" 'and' \\back",
    "caf\xc3\xa9 \xf0\x9f\x8e\xa8 \xe2\x80\xa8 x\xc2\x85y",
    "\ttab\r\n",
    "{a: [b, c]}",
    "%x @y `z",
    " ",
    "\x01\x7f",
    "\xef\xbb\xbf"
    "bom",
  };

  for (guint i = 0; i < G_N_ELEMENTS (PROMPTS); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *text = NULL;
      g_autoptr (EaselRecipe) r = NULL;
      EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
      const EaselRequestSettings *back;
      s.model = "starter-sana";
      s.prompt = PROMPTS[i];
      s.width = 512;
      s.height = 768;
      s.guidance = i % 2 ? 0 : 4.5;
      s.seed = 0;
      s.human_instruction = FALSE;
      s.fps = 7.5;
      s.dynamic_guidance = s.fit_input = i % 2;
      s.strength = i % 2 ? 0.25 : 0;
      s.reuse = i % 2 ? 0.2 : 0;
      s.noise = "cuda";
      text = easel_recipe_to_yaml (&s, PROMPTS[i], NULL, &error);
      g_assert_no_error (error);
      r = easel_recipe_parse (text, strlen (text), "written", NULL, &error);
      g_assert_no_error (error);
      back = easel_recipe_settings (r, 0);
      g_assert_cmpstr (back->prompt, ==, PROMPTS[i]);
      g_assert_cmpstr (easel_recipe_name (r), ==, PROMPTS[i]);
      g_assert_cmpstr (back->model, ==, s.model);
      g_assert_cmpint (back->width, ==, 512);
      g_assert_cmpint (back->height, ==, 768);
      g_assert_cmpfloat (back->guidance, ==, s.guidance);
      g_assert_cmpint (back->seed, ==, 0);
      g_assert_cmpint (back->steps, ==, 0);
      g_assert_false (back->human_instruction);
      g_assert_true (back->resolution_binning);
      g_assert_cmpfloat (back->fps, ==, 7.5);
      g_assert_cmpint (back->dynamic_guidance, ==, s.dynamic_guidance);
      g_assert_cmpint (back->fit_input, ==, s.fit_input);
      g_assert_cmpfloat (back->strength, ==, s.strength);
      g_assert_cmpfloat (back->reuse, ==, s.reuse);
      g_assert_cmpstr (back->noise, ==, "cuda");
      g_assert_null (back->sampler);
    }
  EaselRequestSettings bad = EASEL_REQUEST_SETTINGS_INIT;
  g_autoptr (GError) error = NULL;
  bad.prompt = "\xff";
  g_assert_null (easel_recipe_to_yaml (&bad, NULL, NULL, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
}

/* Every prefix and every single changed byte of a recipe: an answer, whatever it is. */
static void
test_mutations (void)
{
  const char *text = "easel: 1\nname: \"N\\u00e9\"\nmodel: m\nprompt: >-\n  folded\n  text\nsize: 64x32\nsteps: 4\n"
                     "pictures:\n  - {seed: 5, guidance: 1.5}\n  - negative: 'it''s'\n";
  gsize length = strlen (text);
  g_autofree char *copy = g_strdup (text);

  for (gsize i = 0; i <= length; i++)
    {
      EaselRecipe *r = easel_recipe_parse (text, i, "prefix", NULL, NULL);
      easel_recipe_free (r);
    }
  for (gsize i = 0; i < length; i++)
    {
      for (const char *c = "\t\n \"'#%&*,-:>?@[]{|}!0x\x80"; *c; c++)
        {
          g_autoptr (GError) error = NULL;
          copy[i] = *c;
          EaselRecipe *r = easel_recipe_parse (copy, length, "changed", NULL, &error);
          g_assert_true ((r != NULL) == (error == NULL));
          easel_recipe_free (r);
        }
      copy[i] = text[i];
    }
}

static void
remove_files (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      if (g_file_test (child, G_FILE_TEST_IS_DIR))
        remove_files (child);
      else
        g_unlink (child);
    }
  g_rmdir (path);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("easel-recipes-XXXXXX", NULL);
  g_assert_nonnull (folder);
  g_test_add_func ("/recipes/settings", test_settings);
  g_test_add_func ("/recipes/defaults", test_defaults);
  g_test_add_func ("/recipes/pictures", test_pictures);
  g_test_add_func ("/recipes/errors", test_errors);
  g_test_add_func ("/recipes/hostile", test_hostile);
  g_test_add_func ("/recipes/extends", test_extends);
  g_test_add_func ("/recipes/extends-refused", test_extends_refused);
  g_test_add_func ("/recipes/write", test_write);
  g_test_add_func ("/recipes/mutations", test_mutations);
  status = g_test_run ();
  remove_files (folder);
  g_free (folder);
  return status;
}
