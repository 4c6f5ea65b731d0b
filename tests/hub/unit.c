/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * engine/hub without a network: names, hashes, listings, the choice of files, unfinished files, locks, the catalogue.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/hub/catalogue.h"
#include "engine/hub/hub-private.h"
#include "engine/hub/secret.h"

static EaselHubSession *
new_session (const char *cache)
{
  g_autoptr (EaselHubSettings) settings = easel_hub_settings_new (cache);

  settings->block = 4096;
  return easel_hub_session_new (settings, NULL);
}

static char *
temp_dir (void)
{
  char *dir = g_dir_make_tmp ("easel-hub-XXXXXX", NULL);

  g_assert_nonnull (dir);
  return dir;
}

static void
remove_dir (const char *dir)
{
  const char *argv[] = { "rm", "-rf", "--", dir, NULL };
  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
}

static void
test_names (void)
{
  static const char *const good_repos[] = { "a/b", "gpt2", "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers" };
  static const char *const bad_repos[] = { "",       "/",    "a/",   "/b",   "a/b/c", "../b",    "a/..",  "a--b/c",
                                           "a/b--c", "a/.b", "a/b.", "-a/b", "a b/c", "a/b.git", "a/\nb", "a/b\x01" };
  static const char *const good_paths[] = { "a", "a/b.json", "x-00001-of-00002.safetensors", "\xc3\xa9/\xe5\xad\x97" };
  static const char *const bad_paths[] = { "",      "/etc/passwd", "../x",   "a/../b", "a/..",   "..",     "./a",
                                           "a//b",  "a/",          "a\\b",   "C:/x",   "a/C:b",  "a\nb",   "a\x1b[2Jb",
                                           "a\x7f", "\xff\xfe",    "a\xe2\x80\xae" "b", "a\xc2\x85" "b" };
  static const char *const bad_revisions[] = { "",     "..",          "a/../b", "/a",      "a/",  "-x", "a b", "a\n",
                                               "a..b", "refs/x.lock", "a\\b",   ".hidden", "a/.b" };
  g_autofree char *longest = g_strnfill (97, 'a');
  g_autofree char *long_part = g_strnfill (300, 'a');

  for (guint i = 0; i < G_N_ELEMENTS (good_repos); i++)
    {
      g_autofree char *folder = easel_hub_folder_name (good_repos[i]);
      g_autofree char *back = easel_hub_repo_from_folder (folder);

      g_assert_true (easel_hub_valid_repo (good_repos[i]));
      g_assert_cmpstr (back, ==, good_repos[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad_repos); i++)
    g_assert_false (easel_hub_valid_repo (bad_repos[i]));
  g_assert_false (easel_hub_valid_repo (longest));
  g_assert_null (easel_hub_repo_from_folder ("datasets--a--b"));
  g_assert_null (easel_hub_repo_from_folder ("models--..--b"));
  for (guint i = 0; i < G_N_ELEMENTS (good_paths); i++)
    g_assert_true (easel_hub_valid_path (good_paths[i], NULL));
  for (guint i = 0; i < G_N_ELEMENTS (bad_paths); i++)
    {
      const char *why = NULL;
      g_assert_false (easel_hub_valid_path (bad_paths[i], &why));
      g_assert_nonnull (why);
    }
  g_assert_false (easel_hub_valid_path (long_part, NULL));
  g_assert_true (easel_hub_valid_revision ("main"));
  g_assert_true (easel_hub_valid_revision ("refs/pr/1"));
  for (guint i = 0; i < G_N_ELEMENTS (bad_revisions); i++)
    g_assert_false (easel_hub_valid_revision (bad_revisions[i]));
}

static void
assert_takes (char *got, const char *want)
{
  g_assert_cmpstr (got, ==, want);
  g_free (got);
}

static void
test_urls (void)
{
  assert_takes (easel_hub_url_origin ("https://Hub.Example/x"), "https://hub.example:443");
  assert_takes (easel_hub_url_origin ("http://h:8080/x"), "http://h:8080");
  g_assert_null (easel_hub_url_origin ("file:///etc/passwd"));
  g_assert_null (easel_hub_url_origin ("ftp://h/x"));
  assert_takes (easel_hub_url_resolve ("https://h/a/b", "/c"), "https://h/c");
  assert_takes (easel_hub_url_resolve ("https://h/a/b", "https://s/c?x=1"), "https://s/c?x=1");
  g_assert_null (easel_hub_url_resolve ("https://h/a", "file:///etc/passwd"));
  g_assert_null (easel_hub_url_resolve ("https://h/a", "https://user:secret@s/c"));
  assert_takes (easel_hub_resolve_url ("https://h", "a/b", "refs/pr/1", "x y/\xc3\xa9#?.json"),
                "https://h/a/b/resolve/refs%2Fpr%2F1/x%20y/%C3%A9%23%3F.json");
  assert_takes (easel_hub_normalize_etag ("W/\"abc\""), "abc");
  assert_takes (easel_hub_normalize_etag ("\"abc-2\""), "abc-2");
  g_assert_null (easel_hub_normalize_etag ("\"../x\""));
  g_assert_null (easel_hub_normalize_etag ("\"\""));
  assert_takes (easel_hub_printable ("a\nb\x1b[0m"), "a\xef\xbf\xbd" "b\xef\xbf\xbd[0m");
}

static void
test_digest (void)
{
  static const struct { const char *etag, *text; } cases[] = {
    { "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "" },      /* git hash-object /dev/null */
    { "ce013625030ba8dba906f756967f9e9ca394464a", "hello\n" },
    { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "" },
    { "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", "hello\n" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gsize n = strlen (cases[i].text);
      g_autoptr (EaselDigest) right = easel_digest_new (cases[i].etag, n);
      g_autoptr (EaselDigest) wrong = easel_digest_new (cases[i].etag, n);

      easel_digest_update (right, cases[i].text, n);
      g_assert_true (easel_digest_matches (right, cases[i].etag));
      easel_digest_update (wrong, "x", 1);
      g_assert_false (easel_digest_matches (wrong, cases[i].etag));
    }
  g_assert_null (easel_digest_new ("abc", 0));
}

/* ---- listings ---------------------------------------------------------------------------------------------------- */

#define OID "ce013625030ba8dba906f756967f9e9ca394464a"
#define SHA "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static EaselHubReason
parse (const char *text, guint *n)
{
  g_autoptr (EaselHubSession) session = new_session ("/nonexistent");
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_file_free);
  g_autoptr (GError) error = NULL;
  gboolean fine = easel_listing_parse_tree (session, text, strlen (text), files, &error) &&
                  easel_listing_finish (session, files, &error);

  g_assert_true (fine == (error == NULL));
  g_assert_true (fine || strlen (error->message) > 10);
  if (n)
    *n = files->len;
  return fine ? EASEL_HUB_REASON_NONE : session->reason;
}

static void
test_listing (void)
{
  static const char *const hostile[] = {
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"../x\"}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"/x\"}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"a\\nb\"}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":-1,\"path\":\"x\"}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":1e30,\"path\":\"x\"}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":9223372036854775807,\"path\":\"x\"}]",
    "[{\"type\":\"file\",\"oid\":\"../../../etc/passwd\",\"size\":6,\"path\":\"x\"}]",
    "[{\"type\":\"symlink\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"x\"}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"x\",\"lfs\":{\"oid\":\"" SHA "\",\"size\":7}}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"x\",\"lfs\":{\"oid\":\"../x\",\"size\":6}}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"x\"},"
    "{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"x\"}]",
    "[{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"x\"},"
    "{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"x/y\"}]",
  };
  static const char *const damaged[] = { "", "[", "{}", "[1]", "null", "[{\"type\":\"file\"", "[[[[", "\xff" };
  g_autofree char *deep = g_strnfill (1 << 20, '[');
  guint n = 0;

  g_assert_cmpint (parse ("[{\"type\":\"directory\",\"oid\":\"" OID "\",\"size\":0,\"path\":\"a\"},"
                          "{\"type\":\"file\",\"oid\":\"" OID "\",\"size\":6,\"path\":\"a/b\",\"lfs\":"
                          "{\"oid\":\"" SHA "\",\"size\":6,\"pointerSize\":134}}]", &n), ==, EASEL_HUB_REASON_NONE);
  g_assert_cmpuint (n, ==, 1);
  for (guint i = 0; i < G_N_ELEMENTS (hostile); i++)
    g_assert_cmpint (parse (hostile[i], NULL), ==, EASEL_HUB_REASON_HOSTILE);
  for (guint i = 0; i < G_N_ELEMENTS (damaged); i++)
    g_assert_cmpint (parse (damaged[i], NULL), ==, EASEL_HUB_REASON_SERVER);
  g_assert_cmpint (parse (deep, NULL), ==, EASEL_HUB_REASON_SERVER);
}

/* ---- the choice of files ----------------------------------------------------------------------------------------- */

static void
add_file (GPtrArray *files, const char *path, gint64 size)
{
  g_ptr_array_add (files, easel_hub_file_new (path, size, SHA, TRUE));
}

/* The lists of real repositories, from their pages; sizes in MB. */
static GPtrArray *
real_files (const char *variant)
{
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_file_free);
  static const char *const small[] = { "model_index.json", "README.md", ".gitattributes", "LICENSE.txt",
                                       "scheduler/scheduler_config.json", "text_encoder/config.json",
                                       "tokenizer/special_tokens_map.json", "tokenizer/tokenizer.json",
                                       "tokenizer/tokenizer.model", "tokenizer/tokenizer_config.json",
                                       "transformer/config.json", "vae/config.json",
                                       "transformer/diffusion_pytorch_model.safetensors.index.json",
                                       "text_encoder/model.safetensors.index.json" };
  const char *formats[] = { "transformer/diffusion_pytorch_model.%s.safetensors",
                            "text_encoder/model.%s-00001-of-00002.safetensors",
                            "text_encoder/model.%s-00002-of-00002.safetensors",
                            "text_encoder/model.safetensors.index.%s.json",
                            "vae/diffusion_pytorch_model.%s.safetensors" };
  const gint64 sizes[] = { 3210, 4990, 241, 0, 1250 };

  for (guint i = 0; i < G_N_ELEMENTS (small); i++)
    add_file (files, small[i], 1000);
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      g_auto (GStrv) parts = g_strsplit (formats[i], "%s", 2);
      g_autofree char *path = g_strconcat (parts[0], variant, parts[1], NULL);
      add_file (files, path, sizes[i] * 1000000);
    }
  add_file (files, "transformer/diffusion_pytorch_model-00001-of-00002.safetensors", 5000000000);
  add_file (files, "transformer/diffusion_pytorch_model-00002-of-00002.safetensors", 1420000000);
  add_file (files, "transformer/diffusion_pytorch_model.safetensors", 3210000000); /* left over from an older upload */
  add_file (files, "transformer/diffusion_pytorch_model.int4.safetensors", 1280000000);
  add_file (files, "text_encoder/model-00001-of-00002.safetensors", 4990000000);
  add_file (files, "text_encoder/model-00002-of-00002.safetensors", 241000000);
  add_file (files, "vae/diffusion_pytorch_model.safetensors", 1250000000);
  add_file (files, "checkpoints/model.pth", 6400000000);
  add_file (files, "transformer/old/diffusion_pytorch_model.safetensors", 1000);
  return files;
}

static const char sana_index[] =
  "{\"_class_name\":\"SanaPipeline\",\"_diffusers_version\":\"0.32.0\",\"scheduler\":[\"diffusers\",\"DPM\"],"
  "\"text_encoder\":[\"transformers\",\"Gemma2Model\"],\"tokenizer\":[\"transformers\",\"GemmaTokenizerFast\"],"
  "\"transformer\":[\"diffusers\",\"SanaTransformer2DModel\"],\"vae\":[\"diffusers\",\"AutoencoderDC\"],"
  "\"safety_checker\":[null,null],\"force_zeros\":true}";

static gboolean
is_wanted (GPtrArray *files, const char *path)
{
  for (guint i = 0; i < files->len; i++)
    if (strcmp (((EaselHubFile *) files->pdata[i])->path, path) == 0)
      return ((EaselHubFile *) files->pdata[i])->wanted;
  g_error ("no %s", path);
}

static gint64
choose (GPtrArray *files, const char *index, const char *precision, EaselHubReason *reason)
{
  g_autoptr (EaselHubSession) session = new_session ("/nonexistent");
  g_autoptr (GError) error = NULL;
  g_autofree char *class_name = NULL;
  gint64 bytes = 0;
  gboolean fine = easel_select_files (session, files, index, strlen (index), precision, &class_name, &error);

  *reason = fine ? EASEL_HUB_REASON_NONE : session->reason;
  g_assert_true (fine || error != NULL);
  for (guint i = 0; fine && i < files->len; i++)
    if (((EaselHubFile *) files->pdata[i])->wanted)
      bytes += ((EaselHubFile *) files->pdata[i])->size;
  return bytes / 1000000;
}

static void
test_select_bf16 (void)
{
  g_autoptr (GPtrArray) files = real_files ("bf16");
  EaselHubReason reason;

  g_assert_cmpint (choose (files, sana_index, "auto", &reason), ==, 3210 + 4990 + 241 + 1250); /* 9.7 of 23.9 GB */
  g_assert_cmpint (reason, ==, EASEL_HUB_REASON_NONE);
  g_assert_true (is_wanted (files, "transformer/diffusion_pytorch_model.bf16.safetensors"));
  g_assert_true (is_wanted (files, "text_encoder/model.safetensors.index.bf16.json"));
  g_assert_false (is_wanted (files, "text_encoder/model.safetensors.index.json"));
  g_assert_false (is_wanted (files, "transformer/diffusion_pytorch_model.int4.safetensors"));
  g_assert_false (is_wanted (files, "transformer/old/diffusion_pytorch_model.safetensors"));
  g_assert_false (is_wanted (files, "checkpoints/model.pth"));
  g_assert_false (is_wanted (files, ".gitattributes"));
  g_assert_true (is_wanted (files, "tokenizer/tokenizer.model"));
  g_assert_true (is_wanted (files, "LICENSE.txt"));
}

/* The text encoder and the VAE overflow in fp16, whatever the transformer needs. */
static void
test_select_fp16 (void)
{
  g_autoptr (GPtrArray) files = real_files ("fp16");
  EaselHubReason reason;

  choose (files, sana_index, "auto", &reason);
  g_assert_true (is_wanted (files, "transformer/diffusion_pytorch_model.fp16.safetensors"));
  g_assert_false (is_wanted (files, "text_encoder/model.fp16-00001-of-00002.safetensors"));
  g_assert_true (is_wanted (files, "text_encoder/model-00001-of-00002.safetensors"));
  g_assert_true (is_wanted (files, "text_encoder/model.safetensors.index.json"));
  g_assert_false (is_wanted (files, "vae/diffusion_pytorch_model.fp16.safetensors"));
  g_assert_true (is_wanted (files, "vae/diffusion_pytorch_model.safetensors"));
}

static void
test_select_others (void)
{
  static const char *const not_ours[] = { "{\"_class_name\":\"StableDiffusionPipeline\"}", "{\"_class_name\":7}", "{}",
                                          "[]", "" };
  g_autoptr (GPtrArray) files = real_files ("bf16"), few = g_ptr_array_new_with_free_func (
    (GDestroyNotify) easel_hub_file_free);
  EaselHubReason reason;

  choose (files, sana_index, "fp32", &reason);
  g_assert_true (is_wanted (files, "transformer/diffusion_pytorch_model-00001-of-00002.safetensors"));
  g_assert_false (is_wanted (files, "transformer/diffusion_pytorch_model.safetensors"));
  choose (files, sana_index, "int4", &reason);
  g_assert_true (is_wanted (files, "transformer/diffusion_pytorch_model.int4.safetensors"));
  g_assert_true (is_wanted (files, "vae/diffusion_pytorch_model.bf16.safetensors"));
  for (guint i = 0; i < G_N_ELEMENTS (not_ours); i++)
    {
      choose (files, not_ours[i], "auto", &reason);
      g_assert_cmpint (reason, ==, EASEL_HUB_REASON_NOT_A_PIPELINE);
    }
  choose (files, "{\"_class_name\":\"SanaPipeline\",\"../x\":[\"diffusers\",\"A\"]}", "auto", &reason);
  g_assert_cmpint (reason, ==, EASEL_HUB_REASON_HOSTILE);
  /* A shard is missing: not complete, not chosen, and no other set is there. */
  add_file (few, "model_index.json", 400);
  add_file (few, "vae/diffusion_pytorch_model-00001-of-00002.safetensors", 5);
  add_file (few, "vae/diffusion_pytorch_model.safetensors.index.json", 5);
  choose (few, "{\"_class_name\":\"SanaPipeline\",\"vae\":[\"diffusers\",\"AutoencoderDC\"]}", "auto", &reason);
  g_assert_cmpint (reason, ==, EASEL_HUB_REASON_NOT_A_PIPELINE);
}

/* ---- unfinished files, locks ------------------------------------------------------------------------------------- */

static void
test_part (void)
{
  g_autofree char *dir = temp_dir ();
  g_autofree char *blob = g_build_filename (dir, SHA, NULL);
  g_autofree char *junk = g_malloc0 (4096);
  g_autoptr (EaselHubSession) session = new_session (dir);
  EaselPart *part = easel_part_open (session, blob, 10000, NULL); /* blocks of 4096, 4096, 1808 */

  g_assert_nonnull (part);
  g_assert_cmpuint (part->n_blocks, ==, 3);
  memset (junk, 'x', 4096);
  g_assert_cmpint (pwrite (part->fd, junk, 1808, 8192), ==, 1808);
  g_assert_true (easel_part_mark (part, 2));
  g_assert_cmpint (part->bytes, ==, 1808);
  g_assert_cmpint (easel_part_frontier_bytes (part), ==, 0);
  g_assert_cmpint (pwrite (part->fd, junk, 4096, 0), ==, 4096);
  g_assert_true (easel_part_mark (part, 0));
  g_assert_cmpint (easel_part_frontier_bytes (part), ==, 4096);
  easel_part_close (part, FALSE);
  g_assert_cmpint (easel_part_peek (blob, 10000, 4096), ==, 4096 + 1808);
  g_assert_cmpint (easel_part_peek (blob, 10001, 4096), ==, 0);

  part = easel_part_open (session, blob, 10000, NULL);
  g_assert_cmpint (part->bytes, ==, 4096 + 1808);
  /* The map promises block 1, the file has a hole there: the hole wins (where the drive can tell). */
  g_assert_true (easel_part_mark (part, 1));
  easel_part_close (part, FALSE);
  part = easel_part_open (session, blob, 10000, NULL);
  g_assert_true (part->bytes == 4096 + 1808 || part->bytes == 10000);
  easel_part_close (part, FALSE);
  /* Another size: all is forgotten. */
  part = easel_part_open (session, blob, 9999, NULL);
  g_assert_cmpint (part->bytes, ==, 0);
  easel_part_close (part, TRUE);
  g_assert_cmpint (easel_part_peek (blob, 9999, 4096), ==, 0);
  remove_dir (dir);
}

/* What huggingface_hub left behind is gone on with; a link in its place is not followed. */
static void
test_foreign_part (void)
{
  g_autofree char *dir = temp_dir ();
  g_autofree char *blob = g_build_filename (dir, SHA, NULL);
  g_autofree char *foreign = g_strconcat (blob, ".0a1b2c3d.incomplete", NULL);
  g_autofree char *text = g_strnfill (9000, 'x');
  g_autofree char *own = g_strconcat (blob, ".easel.incomplete", NULL);
  g_autoptr (EaselHubSession) session = new_session (dir);
  EaselPart *part;

  g_assert_true (g_file_set_contents (foreign, text, 9000, NULL));
  part = easel_part_open (session, blob, 10000, NULL);
  g_assert_cmpint (part->bytes, ==, 8192);
  easel_part_close (part, TRUE);
  g_assert_cmpint (symlink ("/etc/passwd", own), ==, 0);
  part = easel_part_open (session, blob, 10000, NULL);
  g_assert_null (part);
  remove_dir (dir);
}

static void
test_lock (void)
{
  g_autofree char *dir = temp_dir ();
  int a = easel_hub_cache_lock (dir, "a/b", SHA), b = easel_hub_cache_lock (dir, "a/b", SHA);
  g_autofree char *path = g_build_filename (dir, ".locks", "models--a--b", SHA ".lock", NULL);
  struct stat st;

  g_assert_cmpint (a, >=, 0);
  g_assert_cmpint (b, ==, -1);
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0664);
  easel_hub_cache_unlock (a);
  b = easel_hub_cache_lock (dir, "a/b", SHA);
  g_assert_cmpint (b, >=, 0);
  easel_hub_cache_unlock (b);
  g_assert_cmpint (stat (path, &st), ==, 0); /* stays, as filelock's does */
  remove_dir (dir);
}

/* ---- catalogue --------------------------------------------------------------------------------------------------- */

static void
test_catalogue (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("EASEL_SOURCE"), "data", "catalogue.yaml", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) entries = easel_catalogue_load (path, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (entries->len, >=, 12);
  for (guint i = 0; i < entries->len; i++)
    {
      const EaselCatalogueEntry *e = entries->pdata[i];
      gint64 sum = 0;

      g_assert_true (g_str_has_prefix (e->repository, "Efficient-Large-Model/") ||
                     g_str_has_prefix (e->repository, "zai-org/"));
      g_assert_cmpint (strlen (e->good_for), <=, 120);
      for (guint j = 0; j < e->files->len; j++)
        {
          const EaselCatalogueFile *f = e->files->pdata[j];
          sum += f->bytes >= 0 ? f->bytes : MAX (0, f->about);
        }
      /* Where everything is known, the sum and the total agree within the rounding of three digits. */
      if (e->download > 0)
        g_assert_cmpint (sum, <=, e->download + e->download / 100);
    }
  g_assert_nonnull (easel_catalogue_find (entries, "sana-1.6b"));
  g_assert_nonnull (easel_catalogue_find (entries, "zai-org/CogVideoX-2b"));
  g_assert_null (easel_catalogue_find (entries, "nothing"));
}

#define ENTRY(name, more) \
  "  - {name: " name ", title: T, kind: image, repository: a/b, class: SanaPipeline, good_for: x, " more \
  "licence: {name: L, link: 'https://x/y'}}\n"

static void
test_own_catalogue (void)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_catalogue_entry_free);
  static const char good[] = "version: 1\nmodels:\n" ENTRY ("one", "") ENTRY ("two", "size: 512, ");
  static const char own[] = "version: 1\nmodels:\n" ENTRY ("two", "size: 1024, ") ENTRY ("three", "");
  static const char *const bad[] = {
    "", "x", "version: 2\nmodels: []\n", "version: 1\n", "version: 1\nmodels: 7\n", "version: 1\nmodels: [7]\n",
    "version: 1\nmodels:\n" ENTRY ("one", "") ENTRY ("one", ""), "version: 1\nmodels:\n" ENTRY ("one", "typo: 1, "),
    "version: 1\nmodels:\n" ENTRY ("one", "download: lots, "), "version: 1\nmodels:\n" ENTRY ("one", "download: -5, "),
    "version: 1\nmodels:\n" ENTRY ("one", "files: [{path: ../x}], "), "version: 1\nmodels: &a [*a]\n",
    "version: 1\nmodels:\n" ENTRY ("one", "files: [{path: x, sha256: zz}], "), "version: 1\nmodels: [{name: x}]\n",
    "a: &a [1,1]\nb: &b [*a,*a]\n", "version: 1\nmodels: [", "\t", "%YAML 9.9\n---\nx",
  };

  g_assert_true (easel_catalogue_parse (good, strlen (good), "a file", FALSE, entries, NULL));
  g_assert_true (easel_catalogue_parse (own, strlen (own), "own file", TRUE, entries, NULL));
  g_assert_cmpuint (entries->len, ==, 3);
  g_assert_cmpint (easel_catalogue_find (entries, "two")->size, ==, 1024);
  g_assert_true (easel_catalogue_find (entries, "two")->own);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_false (easel_catalogue_parse (bad[i], strlen (bad[i]), "a file", FALSE, entries, &error));
      g_assert_nonnull (error);
    }
}

static void
test_token (void)
{
  g_autofree char *dir = temp_dir ();
  g_autofree char *path = g_build_filename (dir, "token", NULL);
  g_autoptr (GError) error = NULL;
  char *token;

  g_assert_null (easel_hub_token_from_login (path, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_true (g_file_set_contents (path, "hf_abcDEF123\n", -1, NULL));
  token = easel_hub_token_from_login (path, NULL);
  g_assert_cmpstr (token, ==, "hf_abcDEF123");
  easel_hub_token_free (token);
  g_assert_true (g_file_set_contents (path, "hf_abc\r\nX-Evil: 1", -1, NULL));
  g_assert_null (easel_hub_token_from_login (path, &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED);
  remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hub/names", test_names);
  g_test_add_func ("/hub/urls", test_urls);
  g_test_add_func ("/hub/digest", test_digest);
  g_test_add_func ("/hub/listing", test_listing);
  g_test_add_func ("/hub/select/bf16", test_select_bf16);
  g_test_add_func ("/hub/select/fp16", test_select_fp16);
  g_test_add_func ("/hub/select/others", test_select_others);
  g_test_add_func ("/hub/part", test_part);
  g_test_add_func ("/hub/part/foreign", test_foreign_part);
  g_test_add_func ("/hub/lock", test_lock);
  g_test_add_func ("/hub/catalogue", test_catalogue);
  g_test_add_func ("/hub/catalogue/own", test_own_catalogue);
  g_test_add_func ("/hub/token", test_token);
  return g_test_run ();
}
