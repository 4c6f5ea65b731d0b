/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the Hub says about a repository, read as hostile input:
 *   GET /api/models/REPO/revision/REV          {"sha": commit, "tags": ["license:..."], ...}
 *   GET /api/models/REPO/tree/COMMIT?recursive  [{"type": "file", "path", "size", "oid", "lfs": {"oid", "size"},
 *                                                "xetHash"}, ...], further pages in the Link header
 *   GET /api/models?filter=diffusers:CLASS      [{"id", "downloads", ...}, ...]
 */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "engine/core/json.h"
#include "engine/hub/hub-private.h"

#define PAGE_BYTES (2 << 20)
#define MAX_FILE_BYTES ((gint64) 1 << 40)

EaselHubFile *
easel_hub_file_new (const char *path, gint64 size, const char *etag, gboolean lfs)
{
  EaselHubFile *self = g_new0 (EaselHubFile, 1);

  self->path = g_strdup (path);
  self->size = size;
  self->etag = g_strdup (etag);
  self->lfs = lfs;
  return self;
}

void
easel_hub_file_free (EaselHubFile *file)
{
  if (!file)
    return;
  g_free (file->path);
  g_free (file->etag);
  g_free (file->git_id);
  g_free (file->xet);
  g_free (file);
}

void
easel_hub_hit_free (EaselHubHit *hit)
{
  if (!hit)
    return;
  g_free (hit->repo);
  g_free (hit->pipeline_class);
  g_free (hit->licence);
  g_free (hit->last_modified);
  g_free (hit);
}

/* Any JSON value; core's reader bounds depth and number of values and takes objects only, so it gets one around it. */
static JsonNode *
parse_json (const char *text, gsize n)
{
  g_autofree char *wrapped = g_try_malloc (n + 16);
  JsonObject *holder;
  JsonNode *root;

  if (!wrapped || n == 0)
    return NULL;
  memcpy (wrapped, "{\"root\":", 8);
  memcpy (wrapped + 8, text, n);
  wrapped[8 + n] = '}';
  holder = easel_json_parse (wrapped, n + 9, "the answer", NULL);
  root = holder ? json_object_dup_member (holder, "root") : NULL;
  g_clear_pointer (&holder, json_object_unref);
  return root;
}

static const char *
member_string (JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member (object, name) : NULL;
  return node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING
           ? json_node_get_string (node) : NULL;
}

static gint64
member_int (JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member (object, name) : NULL;
  return node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64
           ? json_node_get_int (node) : -1;
}

static JsonObject *
member_object (JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member (object, name) : NULL;
  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static JsonArray *
member_array (JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member (object, name) : NULL;
  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

/* An answer that must be JSON; one that is cut short is asked for again. *next: of the Link header, or NULL. */
static JsonNode *
get_json (EaselHubSession *session, const char *url, const char *repo, char **next, GError **error)
{
  for (int attempt = 1;; attempt++)
    {
      EaselReply reply = { 0 };
      g_autoptr (GByteArray) body = NULL;
      JsonNode *root;
      gboolean html;

      if (!easel_net_get (session, url, FALSE, TRUE, PAGE_BYTES, repo, &reply, &body, error))
        {
          easel_reply_clear (&reply);
          return NULL;
        }
      root = parse_json ((const char *) body->data, body->len);
      html = reply.content_type && g_str_has_prefix (reply.content_type, "text/html");
      if (root && next)
        *next = reply.next ? easel_hub_url_resolve (url, reply.next) : NULL;
      easel_reply_clear (&reply);
      if (root)
        return root;
      if (html)
        easel_hub_fail (session, EASEL_HUB_REASON_PORTAL, error,
                        "A web page answers in place of the Hub. Sign in to the network (hotel, train, "
                        "caf\xc3\xa9) in a browser, then try again.");
      else if (attempt > session->settings->retries)
        easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error,
                        "The Hub's answer about %s is cut short or not JSON. Try again later.", repo);
      else
        {
          if (easel_hub_cancelled (session, error))
            return NULL;
          g_usleep (1000 * MIN (1000, easel_net_backoff (session->settings, attempt, -1)));
          continue;
        }
      return NULL;
    }
}

/* ---- trees ------------------------------------------------------------------------------------------------------- */

static gboolean
add_entry (EaselHubSession *session, JsonObject *entry, GPtrArray *files, GError **error)
{
  const char *type = member_string (entry, "type"), *path = member_string (entry, "path"), *why = NULL;
  const char *oid = member_string (entry, "oid"), *git_id = oid, *xet = member_string (entry, "xetHash");
  gint64 size = member_int (entry, "size");
  JsonObject *lfs = member_object (entry, "lfs");
  g_autofree char *shown = easel_hub_printable (path);
  EaselHubFile *file;

  if (!path || !easel_hub_valid_path (path, &why))
    return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                           "The repository was refused: the file name \xe2\x80\x9c%s\xe2\x80\x9d %s.", shown,
                           why ? why : "is missing");
  if (g_strcmp0 (type, "directory") == 0)
    return TRUE;
  if (g_strcmp0 (type, "file") != 0)
    return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                           "The repository was refused: %s is neither a file nor a folder.", shown);
  if (lfs)
    {
      const char *sha = member_string (lfs, "oid");
      gint64 lfs_size = member_int (lfs, "size");

      if (sha && g_str_has_prefix (sha, "sha256:"))
        sha += strlen ("sha256:");
      if (!easel_hub_is_hex (sha, 64) || lfs_size != size)
        return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                               "The repository was refused: %s contradicts itself about its size or hash.", shown);
      oid = sha;
    }
  if (!easel_hub_is_hex (oid, lfs ? 64 : 40) || size < 0 || size > MAX_FILE_BYTES)
    return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                           "The repository was refused: %s has an impossible size or hash.", shown);
  if (files->len >= session->settings->max_files)
    return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                           "The repository was refused: it has more than %u files.", session->settings->max_files);
  file = easel_hub_file_new (path, size, oid, lfs != NULL);
  file->git_id = easel_hub_is_hex (git_id, 40) ? g_strdup (git_id) : NULL;
  file->xet = easel_hub_is_hex (xet, 64) ? g_strdup (xet) : NULL;
  g_ptr_array_add (files, file);
  return TRUE;
}

gboolean
easel_listing_parse_tree (EaselHubSession *session, const char *text, gsize n, GPtrArray *files, GError **error)
{
  JsonNode *root = parse_json (text, n);
  gboolean fine = root && JSON_NODE_HOLDS_ARRAY (root);
  JsonArray *array = fine ? json_node_get_array (root) : NULL;

  if (!fine)
    easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error, "The Hub's list of files is cut short or not a list.");
  for (guint i = 0; fine && i < json_array_get_length (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);

      if (!JSON_NODE_HOLDS_OBJECT (node))
        fine = easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error, "The Hub's list of files is damaged.");
      else
        fine = add_entry (session, json_node_get_object (node), files, error);
    }
  g_clear_pointer (&root, json_node_unref);
  return fine;
}

static int
compare_files (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(EaselHubFile *const *) a)->path, (*(EaselHubFile *const *) b)->path);
}

gboolean
easel_listing_finish (EaselHubSession *session, GPtrArray *files, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  gint64 total = 0;

  g_ptr_array_sort (files, compare_files);
  for (guint i = 0; i < files->len; i++)
    {
      EaselHubFile *file = files->pdata[i];

      if (!g_hash_table_add (names, file->path))
        return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                               "The repository was refused: it lists %s twice.", file->path);
      total += file->size; /* at most 20,000 x 2^40 */
      if (total > ((gint64) 1 << 50))
        return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                               "The repository was refused: it claims more than a petabyte.");
    }
  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *path = g_strdup (((EaselHubFile *) files->pdata[i])->path);

      for (char *slash; (slash = strrchr (path, '/'));)
        {
          *slash = '\0';
          if (g_hash_table_contains (names, path))
            return easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                                   "The repository was refused: %s is both a file and a folder.", path);
        }
    }
  return TRUE;
}

GPtrArray *
easel_listing_tree (EaselHubSession *session, const char *repo, const char *commit, GError **error)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_file_free);
  g_autofree char *what = g_strdup_printf ("tree/%s?recursive=true&expand=false", commit);
  g_autofree char *url = easel_hub_api_url (session->settings->endpoint, repo, what);
  g_autofree char *endpoint = easel_hub_url_origin (session->settings->endpoint);

  for (guint page = 0; url; page++)
    {
      g_autofree char *next = NULL;
      g_autofree char *origin = NULL;
      JsonNode *root;
      gboolean fine = TRUE;

      if (page > session->settings->max_files / 20 + 10)
        {
          easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error, "The repository was refused: its list has no end.");
          return NULL;
        }
      if (!(root = get_json (session, url, repo, &next, error)))
        return NULL;
      if (!JSON_NODE_HOLDS_ARRAY (root))
        fine = easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error, "The Hub's list of files of %s is no list.",
                               repo);
      for (guint i = 0; fine && i < json_array_get_length (json_node_get_array (root)); i++)
        {
          JsonNode *node = json_array_get_element (json_node_get_array (root), i);

          if (!JSON_NODE_HOLDS_OBJECT (node))
            fine = easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error, "The Hub's list of files is damaged.");
          else
            fine = add_entry (session, json_node_get_object (node), files, error);
        }
      json_node_unref (root);
      if (!fine)
        return NULL;
      origin = next ? easel_hub_url_origin (next) : NULL;
      g_free (url);
      /* A mirror may name the real Hub in its links; the token must not follow. */
      url = next && g_strcmp0 (origin, endpoint) == 0 ? g_steal_pointer (&next) : NULL;
      if (next)
        {
          easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error,
                          "The list of files goes on at another address than %s; it is not followed.",
                          session->settings->endpoint);
          return NULL;
        }
    }
  return easel_listing_finish (session, files, error) ? g_steal_pointer (&files) : NULL;
}

static char *
licence_of (JsonObject *object)
{
  JsonArray *tags = member_array (object, "tags");

  for (guint i = 0; tags && i < json_array_get_length (tags); i++)
    {
      JsonNode *node = json_array_get_element (tags, i);
      const char *tag = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_string (node) : NULL;
      if (tag && g_str_has_prefix (tag, "license:"))
        return easel_hub_printable (tag + strlen ("license:"));
    }
  return NULL;
}

gboolean
easel_listing_info (EaselHubSession *session, const char *repo, const char *revision, char **commit, char **licence,
                    GError **error)
{
  g_autofree char *escaped = g_uri_escape_string (revision, NULL, FALSE);
  g_autofree char *what = g_strconcat ("revision/", escaped, NULL);
  g_autofree char *url = easel_hub_api_url (session->settings->endpoint, repo, what);
  JsonNode *root = get_json (session, url, repo, NULL, error);
  JsonObject *object = root && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  const char *sha = member_string (object, "sha");
  gboolean fine = easel_hub_is_commit (sha);

  if (fine)
    {
      *commit = g_strdup (sha);
      *licence = licence_of (object);
    }
  else if (root)
    easel_hub_fail (session, EASEL_HUB_REASON_SERVER, error, "The Hub does not say which commit %s of %s is.", revision,
                    repo);
  g_clear_pointer (&root, json_node_unref);
  return fine;
}

/* ---- on disk ----------------------------------------------------------------------------------------------------- */

static char *
listing_path (const char *cache_dir, const char *repo, const char *commit, gboolean complete)
{
  g_autofree char *dir = easel_hub_cache_repo_dir (cache_dir, repo);
  g_autofree char *name = g_strconcat (commit, complete ? ".json" : ".easel.json", NULL);

  return g_build_filename (dir, "trees", name, NULL);
}

gboolean
easel_listing_save (EaselHubSession *session, const char *repo, const char *commit, GPtrArray *files,
                    const char *precision, GError **error)
{
  g_autofree char *path = listing_path (session->settings->cache_dir, repo, commit, !precision);
  g_autofree char *dir = g_path_get_dirname (path);
  g_autoptr (JsonBuilder) b = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = NULL;

  json_builder_begin_object (b);
  json_builder_add_int_value (json_builder_set_member_name (b, "format_version"), 1);
  if (precision)
    json_builder_add_string_value (json_builder_set_member_name (b, "precision"), precision);
  json_builder_begin_object (json_builder_set_member_name (b, "files"));
  for (guint i = 0; i < files->len; i++)
    {
      const EaselHubFile *file = files->pdata[i];

      json_builder_begin_object (json_builder_set_member_name (b, file->path));
      json_builder_add_int_value (json_builder_set_member_name (b, "size"), file->size);
      json_builder_add_string_value (json_builder_set_member_name (b, "blob_id"),
                                     file->git_id ? file->git_id : file->lfs ? "" : file->etag);
      if (file->lfs)
        {
          json_builder_add_string_value (json_builder_set_member_name (b, "lfs_sha256"), file->etag);
          json_builder_add_int_value (json_builder_set_member_name (b, "lfs_size"), file->size);
        }
      if (file->xet)
        json_builder_add_string_value (json_builder_set_member_name (b, "xet_hash"), file->xet);
      json_builder_end_object (b);
    }
  json_builder_end_object (b);
  json_builder_end_object (b);
  root = json_builder_get_root (b);
  text = json_to_string (root, TRUE);
  if (g_mkdir_with_parents (dir, 0777) != 0)
    return easel_hub_fail_errno (session, errno, "Cannot make the folder", dir, error);
  return easel_hub_write_file (session, path, text, strlen (text), error);
}

static GPtrArray *
load_from (const char *path)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_file_free);
  g_autofree char *text = NULL;
  gsize n = 0;
  JsonNode *root = g_file_get_contents (path, &text, &n, NULL) && n < 16 << 20 ? parse_json (text, n) : NULL;
  JsonObject *object = root && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  JsonObject *listed = member_object (object, "files");
  gboolean fine = listed && member_int (object, "format_version") == 1;
  GList *names = fine ? json_object_get_members (listed) : NULL;

  for (GList *l = names; l && fine; l = l->next)
    {
      JsonObject *entry = member_object (listed, l->data);
      const char *git_id = member_string (entry, "blob_id");
      const char *sha = member_string (entry, "lfs_sha256"), *oid = sha ? sha : git_id;
      gint64 size = member_int (entry, sha ? "lfs_size" : "size");
      const char *xet = member_string (entry, "xet_hash");

      fine = easel_hub_valid_path (l->data, NULL) && easel_hub_is_hex (oid, sha ? 64 : 40) && size >= 0 &&
             size <= MAX_FILE_BYTES;
      if (fine)
        {
          EaselHubFile *file = easel_hub_file_new (l->data, size, oid, sha != NULL);
          file->git_id = easel_hub_is_hex (git_id, 40) ? g_strdup (git_id) : NULL;
          file->xet = easel_hub_is_hex (xet, 64) ? g_strdup (xet) : NULL;
          g_ptr_array_add (files, file);
        }
    }
  g_list_free (names);
  g_clear_pointer (&root, json_node_unref);
  g_ptr_array_sort (files, compare_files);
  return fine ? g_steal_pointer (&files) : NULL;
}

GPtrArray *
easel_listing_load (const char *cache_dir, const char *repo, const char *commit)
{
  g_autofree char *ours = listing_path (cache_dir, repo, commit, FALSE);
  g_autofree char *whole = listing_path (cache_dir, repo, commit, TRUE);
  GPtrArray *files = load_from (whole);

  return files ? files : load_from (ours);
}

char *
easel_listing_precision (const char *cache_dir, const char *repo, const char *commit)
{
  g_autofree char *path = listing_path (cache_dir, repo, commit, FALSE);
  g_autofree char *text = NULL;
  gsize n = 0;
  JsonNode *root = g_file_get_contents (path, &text, &n, NULL) && n < 16 << 20 ? parse_json (text, n) : NULL;
  const char *word = root && JSON_NODE_HOLDS_OBJECT (root) ? member_string (json_node_get_object (root), "precision")
                                                           : NULL;
  char *precision = word && strlen (word) <= 64 ? g_strdup (word) : NULL;

  g_clear_pointer (&root, json_node_unref);
  return precision;
}

/* ---- search ------------------------------------------------------------------------------------------------------ */

static EaselHubHit *
read_hit (JsonObject *object, const char *pipeline_class)
{
  const char *id = member_string (object, "id");
  JsonNode *gated = json_object_get_member (object, "gated");
  EaselHubHit *hit;

  if (!easel_hub_valid_repo (id))
    return NULL;
  hit = g_new0 (EaselHubHit, 1);
  hit->repo = g_strdup (id);
  hit->pipeline_class = g_strdup (pipeline_class);
  hit->licence = licence_of (object);
  hit->last_modified = g_strdup (member_string (object, "lastModified"));
  hit->downloads = member_int (object, "downloads");
  hit->likes = member_int (object, "likes");
  /* false, "auto" or "manual" */
  hit->gated = gated && JSON_NODE_HOLDS_VALUE (gated) &&
               (json_node_get_value_type (gated) == G_TYPE_STRING || json_node_get_boolean (gated));
  return hit;
}

static int
compare_hits (gconstpointer a, gconstpointer b)
{
  const EaselHubHit *x = *(EaselHubHit *const *) a, *y = *(EaselHubHit *const *) b;

  return x->downloads != y->downloads ? (x->downloads < y->downloads ? 1 : -1) : strcmp (x->repo, y->repo);
}

GPtrArray *
easel_hub_search (const EaselHubSettings *settings, const char *words, guint limit, GCancellable *cancellable,
                  EaselHubReason *reason, GError **error)
{
  static const char *const classes[] = { "SanaPipeline", "SanaSprintPipeline", "CogVideoXPipeline",
                                         "CogVideoXImageToVideoPipeline" };
  g_autoptr (EaselHubSession) session = easel_hub_session_new (settings, cancellable);
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_hub_hit_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *escaped = g_uri_escape_string (words ? words : "", NULL, FALSE);

  limit = CLAMP (limit, 1, 100);
  for (guint c = 0; c < G_N_ELEMENTS (classes); c++)
    {
      g_autofree char *url =
        g_strdup_printf ("%s/api/models?filter=diffusers:%s&search=%s&sort=downloads&direction=-1&limit=%u",
                         session->settings->endpoint, classes[c], escaped, limit);
      JsonNode *root = get_json (session, url, "the models of the Hub", NULL, error);
      JsonArray *array = root && JSON_NODE_HOLDS_ARRAY (root) ? json_node_get_array (root) : NULL;

      if (reason)
        *reason = root ? EASEL_HUB_REASON_NONE : session->reason;
      if (!root)
        return NULL;
      for (guint i = 0; array && i < MIN (json_array_get_length (array), limit); i++)
        {
          JsonNode *node = json_array_get_element (array, i);
          EaselHubHit *hit = JSON_NODE_HOLDS_OBJECT (node) ? read_hit (json_node_get_object (node), classes[c]) : NULL;

          if (hit && g_hash_table_add (seen, hit->repo))
            g_ptr_array_add (hits, hit);
          else
            easel_hub_hit_free (hit);
        }
      json_node_unref (root);
    }
  g_ptr_array_sort (hits, compare_hits);
  if (hits->len > limit)
    g_ptr_array_set_size (hits, limit);
  return g_steal_pointer (&hits);
}
