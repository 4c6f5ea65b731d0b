/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests: what is refused, JSON and "parameters" there and back, other tools' text; pictures.
 */
#include "engine/core/picture.h"

#include <math.h>
#include <string.h>

/* The address sanitizer's malloc shall say no as the real one does. */
const char *__asan_default_options (void);
const char *
__asan_default_options (void)
{
  return "allocator_may_return_null=1";
}

static EaselRequest *
make (const EaselRequestSettings *s)
{
  g_autoptr (GError) error = NULL;
  EaselRequest *request = easel_request_new (s, &error);
  g_assert_no_error (error);
  return request;
}

static void
refuse (const EaselRequestSettings *s, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (easel_request_new (s, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  if (!strstr (error->message, says))
    g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, says));
}

#define REFUSE(says, ...)                                                                                            \
  {                                                                                                                  \
    EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;                                                            \
    __VA_ARGS__;                                                                                                     \
    refuse (&s, says);                                                                                               \
  }

static void
test_refused (void)
{
  g_autofree char *megabyte = g_strnfill (1 << 20, 'a');
  g_autofree char *fits = g_strnfill (EASEL_PROMPT_MAX_BYTES, 'a');
  REFUSE ("prompt", s.prompt = megabyte)
  REFUSE ("negative prompt", s.negative = megabyte)
  REFUSE ("prompt must be text", s.prompt = "\xff")
  REFUSE ("model", s.model = megabyte)
  REFUSE ("width", s.width = -1)
  REFUSE ("height", s.height = EASEL_REQUEST_MAX_SIDE + 1)
  REFUSE ("width", s.width = G_MAXINT)
  REFUSE ("steps", s.steps = -5)
  REFUSE ("steps", s.steps = EASEL_REQUEST_MAX_STEPS + 1)
  REFUSE ("guidance", s.guidance = NAN)
  REFUSE ("guidance", s.guidance = INFINITY)
  REFUSE ("guidance", s.guidance = -INFINITY)
  REFUSE ("guidance", s.guidance = 1001)
  REFUSE ("pictures", s.count = EASEL_REQUEST_MAX_COUNT + 1)
  REFUSE ("pictures", s.count = -1)
  REFUSE ("frames", s.frames = -1)
  REFUSE ("frames per second", s.fps = NAN)
  REFUSE ("frames per second", s.fps = -1)
  REFUSE ("tokens", s.max_tokens = 5000)
  REFUSE ("noise", s.noise = "brown")
  REFUSE ("precision", s.precision = "f4")
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  s.prompt = fits;
  g_autoptr (EaselRequest) large = make (&s);
  s.prompt = NULL;
  s.guidance = -7;
  s.seed = G_MININT64;
  s.sampler = "";
  g_autoptr (EaselRequest) plain = make (&s);
  const EaselRequestSettings *p = easel_request_settings (plain);
  g_assert_cmpstr (p->prompt, ==, "");
  g_assert_cmpfloat (p->guidance, ==, -1);
  g_assert_cmpint (p->seed, ==, -1);
  g_assert_cmpint (p->count, ==, 1);
  g_assert_cmpstr (p->noise, ==, "cpu");
  g_assert_null (p->sampler);
  g_assert_false (easel_request_equal (large, plain));
  g_assert_true (easel_request_equal (plain, plain));
}

static EaselRequest *
full (void)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  s.model = "starter-sana";
  s.prompt = "a \"red\" cube,\n\tSteps: many – ünïcödé 🎨 \\ \x01\x1f\x7f <bos>";
  s.negative = "blurry,\nNegative prompt: twice";
  s.width = 768;
  s.height = 1344;
  s.steps = 20;
  s.guidance = 4.1;
  s.seed = 9007199254740993; /* no double holds it */
  s.sampler = "dpm++-2m";
  s.count = 4;
  s.resolution_binning = FALSE;
  s.human_instruction = FALSE;
  s.max_tokens = 300;
  s.frames = 49;
  s.fps = 8.5;
  s.noise = "cuda";
  s.precision = "fp8";
  return make (&s);
}

static void
test_json (void)
{
  g_autoptr (EaselRequest) request = full ();
  g_autofree char *text = easel_request_to_json (request);
  g_assert_null (strchr (text, '\n'));
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) back = easel_request_from_json (text, strlen (text), &error);
  g_assert_no_error (error);
  g_assert_true (easel_request_equal (request, back));
  const char *newer = "{\"version\":9,\"prompt\":\"x\",\"flux\":{\"a\":[1]}}";
  g_autoptr (EaselRequest) from_newer = easel_request_from_json (newer, strlen (newer), &error);
  g_assert_no_error (error);
  static const char *const BAD[] = { "{\"prompt\":7}", "{\"width\":\"512\"}", "{\"width\":-1}", "{\"guidance\":\"x\"}",
                                     "{\"seed\":1.5}", "{\"human_instruction\":1}", "[]", "{", "{\"steps\":1e9}" };
  for (guint i = 0; i < G_N_ELEMENTS (BAD); i++)
    {
      g_assert_null (easel_request_from_json (BAD[i], strlen (BAD[i]), &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
      g_clear_error (&error);
    }
  const char *nan = "{\"guidance\":NaN}";
  g_assert_null (easel_request_from_json (nan, strlen (nan), &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
}

/* Nothing about the person's machine goes into a file. */
static void
test_model_names (void)
{
  static const struct
  {
    const char *model, *name;
  } NAMES[] = {
    { "starter-sana", "starter-sana" },       { "Owner/Model", "Owner/Model" }, { "/data/me/models/x", "x" },
    { "/data/me/models/x/", "x" },            { "./x", "x" },                   { "../secret/x", "x" },
    { "~/x", "x" },                           { "a/b/c", "c" },                 { "/", "model" },
    { "..", ".." },                           { "/x", "x" },                    { "x/", "x" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (NAMES); i++)
    {
      g_autofree char *name = easel_request_model_name (NAMES[i].model);
      g_assert_cmpstr (name, ==, NAMES[i].name);
    }
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  s.model = "/data/somebody/models/x";
  g_autoptr (EaselRequest) request = make (&s);
  g_autofree char *json = easel_request_to_json (request);
  g_autofree char *parameters = easel_request_to_parameters (request);
  g_assert_null (strstr (json, "somebody"));
  g_assert_null (strstr (parameters, "somebody"));
}

static EaselRequest *
read_parameters (const char *text)
{
  g_autoptr (GError) error = NULL;
  EaselRequest *request = easel_request_from_parameters (text, strlen (text), &error);
  g_assert_no_error (error);
  return request;
}

static void
test_parameters (void)
{
  g_autoptr (EaselRequest) all = full ();
  EaselRequestSettings s = *easel_request_settings (all);
  s.negative = "blurry, \"ugly\",\ntwo lines";
  s.model = "odd, \"name\": x";
  s.prompt = "a \"red\" cube,\n\tSteps: many – ünïcödé 🎨 \\";
  g_autoptr (EaselRequest) request = make (&s);
  g_autofree char *text = easel_request_to_parameters (request);
  g_autoptr (EaselRequest) back = read_parameters (text);
  g_autofree char *again = easel_request_to_parameters (back);
  g_assert_cmpstr (again, ==, text);
  g_assert_true (easel_request_equal (request, back));
  /* The line that others read. */
  EaselRequestSettings t = EASEL_REQUEST_SETTINGS_INIT;
  t.prompt = "a cat";
  t.negative = "dogs";
  t.steps = 20;
  t.sampler = "flow-dpm++";
  t.guidance = 4.5;
  t.seed = 7;
  t.width = t.height = 512;
  t.model = "starter-sana";
  g_autoptr (EaselRequest) simple = make (&t);
  g_autofree char *line = easel_request_to_parameters (simple);
  g_assert_cmpstr (line, ==,
                   "a cat\nNegative prompt: dogs\nSteps: 20, Sampler: flow-dpm++, CFG scale: 4.5, Seed: 7, Size: "
                   "512x512, Model: starter-sana, Version: Easel " EASEL_VERSION);
  /* Hardly anything set. */
  EaselRequestSettings u = EASEL_REQUEST_SETTINGS_INIT;
  g_autoptr (EaselRequest) empty = make (&u);
  g_autofree char *short_line = easel_request_to_parameters (empty);
  g_autoptr (EaselRequest) empty_back = read_parameters (short_line);
  g_assert_true (easel_request_equal (empty, empty_back));
}

static void
test_foreign (void)
{
  g_autoptr (EaselRequest) a = read_parameters (
      "masterpiece, (cat:1.2)\nsecond line\nNegative prompt: lowres,\nbad hands\n"
      "Steps: 30, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1234567890, Size: 640x960, Model hash: abc, Model: "
      "some_model, \"odd, Clip skip: 2, Lora hashes: \"x: 1, y: 2\", Version: v1.6.0");
  const EaselRequestSettings *s = easel_request_settings (a);
  g_assert_cmpstr (s->prompt, ==, "masterpiece, (cat:1.2)\nsecond line");
  g_assert_cmpstr (s->negative, ==, "lowres,\nbad hands");
  g_assert_cmpint (s->steps, ==, 30);
  g_assert_cmpstr (s->sampler, ==, "dpm++-2m-karras");
  g_assert_cmpfloat (s->guidance, ==, 7);
  g_assert_cmpint (s->seed, ==, 1234567890);
  g_assert_cmpint (s->width, ==, 640);
  g_assert_cmpint (s->height, ==, 960);
  g_assert_cmpstr (s->model, ==, "some_model");
  g_autoptr (EaselRequest) b = read_parameters ("just words: with a colon, and a comma");
  g_assert_cmpstr (easel_request_settings (b)->prompt, ==, "just words: with a colon, and a comma");
  /* Values that make no sense are left out, not taken. */
  g_autoptr (EaselRequest) c = read_parameters (
      "x\nSteps: -3, Sampler: , CFG scale: nan, Seed: 99999999999999999999999, Size: 5x5x5, Noise: brown, FPS: -inf, "
      "Precision: f4, Count: 1e9");
  s = easel_request_settings (c);
  g_assert_cmpint (s->steps, ==, 0);
  g_assert_null (s->sampler);
  g_assert_cmpfloat (s->guidance, ==, -1);
  g_assert_cmpint (s->seed, ==, -1);
  g_assert_cmpint (s->width, ==, 0);
  g_assert_cmpint (s->count, ==, 1);
  g_autoptr (EaselRequest) d = read_parameters ("Negative prompt: only\nSteps: 1, Seed: 2, Size: 64x64");
  g_assert_cmpstr (easel_request_settings (d)->prompt, ==, "");
  g_assert_cmpstr (easel_request_settings (d)->negative, ==, "only");
  g_autoptr (EaselRequest) e = read_parameters ("");
  g_assert_cmpstr (easel_request_settings (e)->prompt, ==, "");
  g_autoptr (GError) error = NULL;
  g_assert_null (easel_request_from_parameters ("\xff\xfe", 2, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
}

static void
test_picture (void)
{
  static const int BAD[][3] = { { 0, 1, 1 }, { 1, 0, 1 }, { 1, 1, 0 }, { -1, 1, 1 }, { 65536, 1, 1 }, { 1, 1, 100001 },
                                { G_MAXINT, G_MAXINT, G_MAXINT } };
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (BAD); i++)
    {
      g_assert_null (easel_picture_new (BAD[i][0], BAD[i][1], BAD[i][2], &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
      g_clear_error (&error);
    }
  /* 1.3 petabytes. */
  g_assert_null (easel_picture_new (65535, 65535, 100000, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY);
  g_clear_error (&error);
  EaselPicture *picture = easel_picture_new (3, 2, 1, &error);
  g_assert_no_error (error);
  g_autoptr (EaselPicture) other = easel_picture_ref (picture);
  memset (picture->rgb, 1, 18);
  picture->request = full ();
  easel_picture_unref (picture);
  g_assert_nonnull (other->request);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/request/refused", test_refused);
  g_test_add_func ("/request/json", test_json);
  g_test_add_func ("/request/model-names", test_model_names);
  g_test_add_func ("/request/parameters", test_parameters);
  g_test_add_func ("/request/foreign", test_foreign);
  g_test_add_func ("/picture", test_picture);
  return g_test_run ();
}
