/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pictures as files: what goes in comes out, in each format; writing that fails leaves nothing behind.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "engine/media/image-file.h"
#include "tests/media/pictures.h"

static const char *const endings[] = { "png", "jpg", "webp" };

/* Prompts that have broken other programs' files. */
static const struct
{
  const char *name, *prompt;
  gsize repeat; /* the prompt again and again up to so many bytes; 0: once */
} prompts[] = {
  { "plain", "a red circle to the left of a blue square", 0 },
  { "empty", "", 0 },
  { "latin-1", "ein Haus, Öl auf Leinwand, déjà-vu", 0 },
  { "looks-like-utf8", "Ã© Â£ as Latin-1 bytes are valid UTF-8", 0 },
  { "unicode", "富士山と桜、夕焼け, Москва зимой, שלום", 0 },
  { "emoji", "a 🦊 under a 🌈, family 👩‍👩‍👧", 0 },
  { "newline", "first line\nsecond line\n\n  indented\tand a tab", 0 },
  { "carriage-return", "first\r\nsecond\rthird", 0 },
  { "markup", "<b>\"bold\" & 'quoted'</b> ]]> <?xml ?> <!-- --> &amp; {\"json\": true}", 0 },
  { "control", "bell \x07 escape \x1b[31m unit \x1f separator, delete \x7f next-line \xc2\x85 done", 0 },
  { "noncharacter", "bounds \xef\xbf\xbe \xef\xbf\xbf \xf4\x8f\xbf\xbf", 0 },
  { "long", "a long prompt that goes on, ", 60 << 10 },
  { "long-cjk", "山川草木", 60 << 10 },
  { "long-emoji", "🦊🌈", 60 << 10 },
};

static char *
prompt_text (gsize i)
{
  GString *out = g_string_new (prompts[i].prompt);

  while (prompts[i].repeat && out->len + strlen (prompts[i].prompt) <= prompts[i].repeat)
    g_string_append (out, prompts[i].prompt);
  return g_string_free (out, FALSE);
}

static double
mean_difference (const EaselPicture *a, const EaselPicture *b)
{
  gsize n = (gsize) a->width * a->height * 3;
  double sum = 0;

  g_assert_cmpint (a->width, ==, b->width);
  g_assert_cmpint (a->height, ==, b->height);
  for (gsize i = 0; i < n; i++)
    sum += abs (a->rgb[i] - b->rgb[i]);
  return sum / (double) n;
}

static void
check_same_request (EaselRequest *a, EaselRequest *b)
{
  g_autofree char *json_a = easel_request_to_json (a);
  g_autofree char *json_b = easel_request_to_json (b);

  g_assert_cmpstr (json_a, ==, json_b);
  g_assert_cmpstr (easel_request_settings (a)->prompt, ==, easel_request_settings (b)->prompt);
  g_assert_cmpstr (easel_request_settings (a)->negative, ==, easel_request_settings (b)->negative);
}

static void
round_trip (const char *ending, gsize i)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = pictures_make_folder ();
  g_autofree char *name = g_strdup_printf ("%s.%s", prompts[i].name, ending);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *prompt = prompt_text (i);
  g_autoptr (EaselPicture) picture = pictures_new (37, 23, prompt, "blurry, 低画質");
  g_autoptr (EaselPicture) back = NULL;
  g_autoptr (EaselRequest) request = NULL;
  g_autoptr (GHashTable) texts = NULL;
  g_autofree char *parameters = easel_request_to_parameters (picture->request);
  gboolean lossless = strcmp (ending, "jpg") != 0;

  g_assert_true (easel_image_write (picture, path, &(EaselImageOptions){ .quality = lossless ? 100 : 92 }, &error));
  g_assert_no_error (error);
  back = easel_image_read (path, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (mean_difference (picture, back), <=, lossless ? 0 : 6);
  g_assert_nonnull (back->request);
  check_same_request (picture->request, back->request);
  request = easel_image_read_request (path, &error);
  g_assert_no_error (error);
  check_same_request (picture->request, request);

  texts = easel_image_read_texts (path, &error);
  g_assert_no_error (error);
  g_assert_nonnull (g_hash_table_lookup (texts, "easel"));
  /* XMP, where a JPEG's longest lines go, has no word for some characters; the JSON has. */
  if (strcmp (ending, "jpg") != 0 || strlen (parameters) < 30000)
    g_assert_cmpstr (g_hash_table_lookup (texts, "parameters"), ==, parameters);
  else
    g_assert_nonnull (g_hash_table_lookup (texts, "parameters"));
  pictures_remove_folder (folder);
}

static void
test_round_trip (gconstpointer ending)
{
  for (gsize i = 0; i < G_N_ELEMENTS (prompts); i++)
    round_trip (ending, i);
}

static void
test_sizes (void)
{
  static const int sizes[][2] = { { 1, 1 }, { 1, 700 }, { 700, 1 }, { 3, 2 }, { 511, 17 }, { 512, 512 } };
  g_autofree char *folder = pictures_make_folder ();

  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    for (gsize e = 0; e < G_N_ELEMENTS (endings); e++)
      {
        g_autoptr (GError) error = NULL;
        g_autofree char *name = g_strdup_printf ("%d.%s", (int) s, endings[e]);
        g_autofree char *path = g_build_filename (folder, name, NULL);
        g_autoptr (EaselPicture) picture = pictures_new (sizes[s][0], sizes[s][1], "p", "");
        g_autoptr (EaselPicture) back = NULL;

        g_assert_true (easel_image_write (picture, path, &(EaselImageOptions){ .quality = 100 }, &error));
        g_assert_no_error (error);
        back = easel_image_read (path, &error);
        g_assert_no_error (error);
        g_assert_cmpfloat (mean_difference (picture, back), <=, e == 1 ? 3 : 0);
      }
  pictures_remove_folder (folder);
}

/* Same picture, same bytes: files can be compared by their hashes. */
static void
test_deterministic (void)
{
  g_autofree char *folder = pictures_make_folder ();

  for (gsize e = 0; e < G_N_ELEMENTS (endings); e++)
    {
      g_autofree char *a = g_strdup_printf ("%s/a.%s", folder, endings[e]);
      g_autofree char *b = g_strdup_printf ("%s/b.%s", folder, endings[e]);
      g_autofree char *bytes_a = NULL, *bytes_b = NULL;
      g_autoptr (EaselPicture) picture = pictures_new (64, 48, "the same", "");
      gsize n_a, n_b;

      g_assert_true (easel_image_write (picture, a, NULL, NULL));
      g_assert_true (easel_image_write (picture, b, NULL, NULL));
      g_assert_true (g_file_get_contents (a, &bytes_a, &n_a, NULL));
      g_assert_true (g_file_get_contents (b, &bytes_b, &n_b, NULL));
      g_assert_cmpmem (bytes_a, n_a, bytes_b, n_b);
    }
  pictures_remove_folder (folder);
}

static gboolean
contains (const char *data, gsize size, const char *word)
{
  g_autoptr (GString) utf16 = g_string_new (NULL);

  for (const char *c = word; *c; c++)
    {
      g_string_append_c (utf16, '\0');
      g_string_append_c (utf16, *c);
    }
  return memmem (data, size, word, strlen (word)) != NULL || memmem (data, size, utf16->str, utf16->len) != NULL;
}

static void
test_no_metadata (void)
{
  static const char *const words[] = { "unmistakable", "parameters", "easel", "Easel", "Seed", "starter", "xmp" };
  g_autofree char *folder = pictures_make_folder ();

  for (gsize e = 0; e < G_N_ELEMENTS (endings); e++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *path = g_strdup_printf ("%s/p.%s", folder, endings[e]);
      g_autoptr (EaselPicture) picture = pictures_new (40, 40, "an unmistakable prompt", "");
      g_autoptr (EaselPicture) back = NULL;
      g_autoptr (EaselRequest) request = NULL;
      g_autoptr (GHashTable) texts = NULL;
      g_autofree char *bytes = NULL;
      gsize n;

      g_assert_true (easel_image_write (picture, path, &(EaselImageOptions){ .no_metadata = TRUE }, &error));
      texts = easel_image_read_texts (path, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (g_hash_table_size (texts), ==, 0);
      request = easel_image_read_request (path, &error);
      g_assert_null (request);
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
      g_clear_error (&error);
      back = easel_image_read (path, &error);
      g_assert_no_error (error);
      g_assert_null (back->request);
      g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
      for (gsize w = 0; w < G_N_ELEMENTS (words); w++)
        g_assert_false (contains (bytes, n, words[w]));
    }
  pictures_remove_folder (folder);
}

/* A model given as a folder leaves its name in the file, not where it lies; nor does the file's own path get in. */
static void
test_no_paths (void)
{
  g_autofree char *folder = pictures_make_folder ();

  for (gsize e = 0; e < G_N_ELEMENTS (endings); e++)
    {
      g_autofree char *path = g_strdup_printf ("%s/p.%s", folder, endings[e]);
      g_autoptr (EaselPicture) picture = pictures_new_with_model (40, 40, "p", "", "/somewhere/private/my-model");
      g_autofree char *bytes = NULL;
      gsize n;

      g_assert_true (easel_image_write (picture, path, NULL, NULL));
      g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
      g_assert_true (contains (bytes, n, "my-model"));
      g_assert_false (contains (bytes, n, "private"));
      g_assert_false (contains (bytes, n, folder));
    }
  pictures_remove_folder (folder);
}

static void
test_existing (void)
{
  g_autofree char *folder = pictures_make_folder ();

  for (gsize e = 0; e < G_N_ELEMENTS (endings); e++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *path = g_strdup_printf ("%s/p.%s", folder, endings[e]);
      g_autoptr (EaselPicture) picture = pictures_new (40, 40, "p", "");
      g_autofree char *bytes = NULL;

      g_assert_true (g_file_set_contents (path, "precious", -1, NULL));
      g_assert_false (easel_image_write (picture, path, NULL, &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_IO);
      g_assert_nonnull (strstr (error->message, "exists"));
      g_assert_true (g_file_get_contents (path, &bytes, NULL, NULL));
      g_assert_cmpstr (bytes, ==, "precious");
      g_clear_error (&error);
      g_assert_true (easel_image_write (picture, path, &(EaselImageOptions){ .overwrite = TRUE }, &error));
      g_assert_no_error (error);
    }
  g_assert_cmpuint (pictures_count_files (folder), ==, G_N_ELEMENTS (endings));
  pictures_remove_folder (folder);
}

static void
expect_refusal (EaselPicture *picture, const char *path, const EaselImageOptions *options, EaselError code,
                const char *says)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (easel_image_write (picture, path, options, &error));
  g_assert_error (error, EASEL_ERROR, (int) code);
  if (strstr (error->message, says) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, says);
}

static void
test_refusals (void)
{
  g_autofree char *folder = pictures_make_folder ();
  g_autofree char *missing = g_build_filename (folder, "no-such", "p.png", NULL);
  g_autofree char *bmp = g_build_filename (folder, "p.bmp", NULL);
  g_autofree char *bare = g_build_filename (folder, "picture", NULL);
  g_autofree char *png = g_build_filename (folder, "p.png", NULL);
  g_autofree char *webp = g_build_filename (folder, "p.webp", NULL);
  g_autofree char *dir = g_build_filename (folder, "dir.png", NULL);
  g_autoptr (EaselPicture) picture = pictures_new (8, 8, "p", "");
  g_autoptr (EaselPicture) wide = pictures_new (16384, 1, "p", "");

  g_mkdir (dir, 0700);
  expect_refusal (picture, missing, NULL, EASEL_ERROR_IO, "no-such");
  expect_refusal (picture, bmp, NULL, EASEL_ERROR_BAD_REQUEST, ".webp");
  expect_refusal (picture, bare, NULL, EASEL_ERROR_BAD_REQUEST, ".png");
  expect_refusal (picture, dir, NULL, EASEL_ERROR_IO, "is a folder");
  expect_refusal (picture, dir, &(EaselImageOptions){ .overwrite = TRUE }, EASEL_ERROR_IO, "is a folder");
  expect_refusal (picture, png, &(EaselImageOptions){ .quality = 101 }, EASEL_ERROR_BAD_REQUEST, "100");
  expect_refusal (picture, png, &(EaselImageOptions){ .quality = -1 }, EASEL_ERROR_BAD_REQUEST, "100");
  expect_refusal (wide, webp, NULL, EASEL_ERROR_BAD_REQUEST, "16383");
  g_assert_cmpuint (pictures_count_files (folder), ==, 1);
  pictures_remove_folder (folder);
}

static void
test_read_only_folder (void)
{
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  g_autoptr (EaselPicture) picture = NULL;

  if (geteuid () == 0)
    {
      g_test_skip ("root may write everywhere");
      return;
    }
  folder = pictures_make_folder ();
  path = g_build_filename (folder, "p.png", NULL);
  picture = pictures_new (8, 8, "p", "");
  g_chmod (folder, 0500);
  expect_refusal (picture, path, NULL, EASEL_ERROR_IO, folder);
  g_chmod (folder, 0700);
  g_assert_cmpuint (pictures_count_files (folder), ==, 0);
  pictures_remove_folder (folder);
}

/* A disk that is full after so many bytes: for each of them an error, what was there stays, nothing is left behind. */
static void
test_full_disk (gconstpointer ending)
{
  g_autofree char *folder = pictures_make_folder ();
  g_autofree char *path = g_strdup_printf ("%s/p.%s", folder, (const char *) ending);
  g_autoptr (EaselPicture) picture = pictures_new (96, 96, "p", "");
  g_autofree char *old = NULL;
  g_autofree char *now = NULL;
  gsize n_old, n_now;
  struct stat about;
  struct rlimit before, limit;
  int n_failed = 0;

  g_assert_true (easel_image_write (picture, path, NULL, NULL));
  g_assert_true (g_file_get_contents (path, &old, &n_old, NULL));
  g_assert_cmpint (stat (path, &about), ==, 0);
  signal (SIGXFSZ, SIG_IGN);
  getrlimit (RLIMIT_FSIZE, &before);
  limit = before;
  for (off_t most = 0; most < about.st_size; most += 1 + about.st_size / 40)
    {
      g_autoptr (GError) error = NULL;
      gboolean written;

      limit.rlim_cur = (rlim_t) most;
      setrlimit (RLIMIT_FSIZE, &limit);
      written = easel_image_write (picture, path, &(EaselImageOptions){ .overwrite = TRUE }, &error);
      setrlimit (RLIMIT_FSIZE, &before);
      g_assert_false (written);
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_IO);
      n_failed++;
    }
  g_assert_cmpint (n_failed, >, 20);
  g_assert_true (g_file_get_contents (path, &now, &n_now, NULL));
  g_assert_cmpmem (now, n_now, old, n_old);
  g_assert_cmpuint (pictures_count_files (folder), ==, 1);
  pictures_remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize e = 0; e < G_N_ELEMENTS (endings); e++)
    {
      g_autofree char *round = g_strdup_printf ("/image/round-trip/%s", endings[e]);
      g_autofree char *full = g_strdup_printf ("/image/full-disk/%s", endings[e]);

      g_test_add_data_func (round, endings[e], test_round_trip);
      g_test_add_data_func (full, endings[e], test_full_disk);
    }
  g_test_add_func ("/image/sizes", test_sizes);
  g_test_add_func ("/image/deterministic", test_deterministic);
  g_test_add_func ("/image/no-metadata", test_no_metadata);
  g_test_add_func ("/image/no-paths", test_no_paths);
  g_test_add_func ("/image/existing", test_existing);
  g_test_add_func ("/image/refusals", test_refusals);
  g_test_add_func ("/image/read-only-folder", test_read_only_folder);
  return g_test_run ();
}
