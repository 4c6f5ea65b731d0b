/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which files one pipeline needs. Repositories hold the same weights several times (Sana_1600M_1024px_BF16_diffusers:
 * 23.9 GB, of which a run needs 9.7), named by diffusers' rules:
 *
 *   STEM.safetensors                        STEM.VARIANT.safetensors
 *   STEM-00001-of-00002.safetensors         STEM.VARIANT-00001-of-00002.safetensors
 *   STEM.safetensors.index.json             STEM.safetensors.index.VARIANT.json
 *
 * For each component that model_index.json names, one set of weights is chosen and everything else that is small.
 */
#include <string.h>

#include "engine/core/json.h"
#include "engine/hub/hub-private.h"

gboolean
easel_hub_runs_class (const char *pipeline_class)
{
  static const char *const classes[] = { "SanaPipeline", "SanaPAGPipeline", "SanaSprintPipeline", "CogVideoXPipeline",
                                         "CogVideoXImageToVideoPipeline", NULL };
  return pipeline_class && g_strv_contains (classes, pipeline_class);
}

/* One way in which a component's weights are stored. */
typedef struct
{
  char *variant;  /* "" for none */
  gboolean sharded;
  GPtrArray *files; /* borrowed EaselHubFile: shards, and the index when there is one */
  gboolean index;
  guint shards, shards_wanted;
  gint64 bytes;
} WeightSet;

static void
weight_set_free (WeightSet *set)
{
  g_free (set->variant);
  g_ptr_array_unref (set->files);
  g_free (set);
}

/* Takes "-00001-of-00002" off the end of `name`. TRUE when it was there. */
static gboolean
strip_shard (char *name, guint *of)
{
  gsize n = strlen (name);
  char *end = n >= 15 ? name + n - 15 : NULL;

  if (!end || end[0] != '-' || strncmp (end + 6, "-of-", 4) != 0)
    return FALSE;
  for (int i = 1; i < 15; i++)
    if ((i < 6 || i > 9) && !g_ascii_isdigit (end[i]))
      return FALSE;
  *of = (guint) g_ascii_strtoull (end + 10, NULL, 10);
  *end = '\0';
  return TRUE;
}

/* Reads a file name as weights or as their index. FALSE when it is neither. *variant is to be freed. */
static gboolean
read_weight_name (const char *name, char **variant, gboolean *sharded, gboolean *index, guint *of)
{
  g_autofree char *stem = NULL;
  char *dot;

  *index = *sharded = FALSE;
  *of = 1;
  if (g_str_has_suffix (name, ".json"))
    {
      const char *marker = strstr (name, ".safetensors.index");
      const char *rest = marker ? marker + strlen (".safetensors.index") : NULL;

      if (!rest || *rest != '.')
        return FALSE;
      *index = *sharded = TRUE;
      *variant = strcmp (rest, ".json") == 0 ? g_strdup ("")
                                             : g_strndup (rest + 1, strlen (rest) - strlen (".json") - 1);
      return TRUE;
    }
  if (!g_str_has_suffix (name, ".safetensors"))
    return FALSE;
  stem = g_strndup (name, strlen (name) - strlen (".safetensors"));
  *sharded = strip_shard (stem, of);
  dot = strrchr (stem, '.');
  *variant = g_strdup (dot ? dot + 1 : "");
  return TRUE;
}

static WeightSet *
find_set (GPtrArray *sets, const char *variant, gboolean sharded)
{
  WeightSet *set;

  for (guint i = 0; i < sets->len; i++)
    {
      set = sets->pdata[i];
      if (strcmp (set->variant, variant) == 0 && set->sharded == sharded)
        return set;
    }
  set = g_new0 (WeightSet, 1);
  set->variant = g_strdup (variant);
  set->sharded = sharded;
  set->files = g_ptr_array_new ();
  g_ptr_array_add (sets, set);
  return set;
}

static gboolean
set_is_complete (const WeightSet *set)
{
  return set->shards > 0 && (!set->sharded || (set->index && set->shards == set->shards_wanted));
}

/* How well a set fits; the largest wins, 0 is out.
 *
 * auto: 16 bits. The transformer is stored in the precision that it was trained in, as variant or plainly. Sana's
 * text encoder and VAE overflow in fp16, so for them the fp16 variant is out even where the transformer needs it
 * (the plain files beside it are bf16). Variants that are other layouts (int4) are chosen only by name. */
static int
fitness (const WeightSet *set, const char *precision, const char *component, const char *pipeline_class)
{
  gboolean sana = g_str_has_prefix (pipeline_class, "Sana");
  gboolean fragile = sana && !g_str_has_prefix (component, "transformer");
  gboolean plain = *set->variant == '\0', bf16 = strcmp (set->variant, "bf16") == 0;
  gboolean fp16 = strcmp (set->variant, "fp16") == 0;
  int base;

  if (!set_is_complete (set) || (fp16 && fragile))
    return 0;
  if (strcmp (precision, "fp32") == 0)
    base = plain ? 40 : bf16 ? 20 : fp16 ? 10 : 0;
  else if (strcmp (precision, "fp16") == 0)
    base = fp16 ? 40 : bf16 ? 20 : plain ? 30 : 0;
  else if (strcmp (precision, "auto") == 0 || strcmp (precision, "bf16") == 0)
    base = bf16 ? 40 : fp16 ? 30 : plain ? 20 : 0;
  else
    base = strcmp (precision, set->variant) == 0 ? 50 : bf16 ? 40 : plain ? 20 : fp16 ? 10 : 0;
  /* diffusers takes the sharded files when their index is there; a single file beside them is a leftover. */
  return base == 0 ? 0 : base + (set->sharded ? 1 : 0);
}

/* Small things that belong to a component: configurations, vocabularies. */
static gboolean
is_small_part (const EaselHubFile *file, const char *name)
{
  static const char *const endings[] = { ".json", ".txt", ".model", ".jinja", NULL };

  for (guint i = 0; endings[i]; i++)
    if (g_str_has_suffix (name, endings[i]))
      return file->size <= 64 << 20;
  return FALSE;
}

static gboolean
select_component (EaselHubSession *session, GPtrArray *files, const char *component, const char *library,
                  const char *precision, const char *pipeline_class, GError **error)
{
  g_autoptr (GPtrArray) sets = g_ptr_array_new_with_free_func ((GDestroyNotify) weight_set_free);
  g_autofree char *prefix = g_strconcat (component, "/", NULL);
  gboolean needs_weights = !g_str_has_prefix (component, "tokenizer") && !g_str_has_prefix (component, "scheduler") &&
                           !g_str_has_prefix (component, "feature_extractor");
  WeightSet *best = NULL;
  guint n = 0;

  for (guint i = 0; i < files->len; i++)
    {
      EaselHubFile *file = files->pdata[i];
      const char *name = g_str_has_prefix (file->path, prefix) ? file->path + strlen (prefix) : NULL;
      g_autofree char *variant = NULL;
      gboolean sharded, index;
      guint of;

      if (!name || strchr (name, '/'))
        continue;
      n++;
      if (needs_weights && read_weight_name (name, &variant, &sharded, &index, &of))
        {
          WeightSet *set = find_set (sets, variant, sharded);

          g_ptr_array_add (set->files, file);
          set->index |= index;
          set->shards += !index;
          if (!index)
            set->shards_wanted = of;
          set->bytes += file->size;
        }
      else if (is_small_part (file, name))
        file->wanted = TRUE;
    }
  if (n == 0)
    return easel_hub_fail (session, EASEL_HUB_REASON_NOT_A_PIPELINE, error,
                           "model_index.json names %s (%s), and the repository has no such folder.", component,
                           library);
  if (!needs_weights)
    return TRUE;
  for (guint i = 0; i < sets->len; i++)
    {
      WeightSet *set = sets->pdata[i];
      int fit = fitness (set, precision, component, pipeline_class);
      int best_fit = best ? fitness (best, precision, component, pipeline_class) : 0;

      if (fit > best_fit)
        best = set;
    }
  if (!best)
    return easel_hub_fail (session, EASEL_HUB_REASON_NOT_A_PIPELINE, error,
                           "The repository has no complete safetensors weights of %s for precision %s.", component,
                           precision);
  for (guint i = 0; i < best->files->len; i++)
    ((EaselHubFile *) best->files->pdata[i])->wanted = TRUE;
  return TRUE;
}

static gboolean
is_paper (const char *path)
{
  g_autofree char *lower = g_ascii_strdown (path, -1);

  return !strchr (path, '/') && (strcmp (lower, "readme.md") == 0 || g_str_has_prefix (lower, "license") ||
                                 g_str_has_prefix (lower, "licence") || g_str_has_prefix (lower, "notice"));
}

/* model_index.json: {"_class_name": "SanaPipeline", "vae": ["diffusers", "AutoencoderDC"], ...} */
static JsonObject *
parse_index (const char *text, gsize n, const char **class_name)
{
  JsonObject *object = easel_json_parse (text, n, "model_index.json", NULL);
  JsonNode *node = object ? json_object_get_member (object, "_class_name") : NULL;

  *class_name = node && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_string (node) : NULL;
  if (!*class_name)
    g_clear_pointer (&object, json_object_unref);
  return object;
}

/* "transformer": ["diffusers", "SanaTransformer2DModel"]; null, [null, null] and settings are no components. */
static const char *
component_class (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  JsonArray *pair = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  JsonNode *second = pair && json_array_get_length (pair) == 2 ? json_array_get_element (pair, 1) : NULL;

  return *name != '_' && second && JSON_NODE_HOLDS_VALUE (second) && json_node_get_value_type (second) == G_TYPE_STRING
           ? json_node_get_string (second) : NULL;
}

gboolean
easel_select_files (EaselHubSession *session, GPtrArray *files, const char *model_index, gsize n, const char *precision,
                    char **pipeline_class, GError **error)
{
  const char *class_name = NULL;
  JsonObject *object = parse_index (model_index, n, &class_name);
  gboolean fine = TRUE;
  GList *names;

  if (!object)
    return easel_hub_fail (session, EASEL_HUB_REASON_NOT_A_PIPELINE, error,
                           "model_index.json of the repository cannot be read: it is no diffusers pipeline.");
  *pipeline_class = easel_hub_printable (class_name);
  if (!easel_hub_runs_class (class_name))
    {
      json_object_unref (object);
      return easel_hub_fail (session, EASEL_HUB_REASON_NOT_A_PIPELINE, error,
                             "The repository holds a %s; this program runs Sana and CogVideoX pipelines.",
                             *pipeline_class);
    }
  for (guint i = 0; i < files->len; i++)
    {
      EaselHubFile *file = files->pdata[i];
      file->wanted = strcmp (file->path, "model_index.json") == 0 || is_paper (file->path);
    }
  names = json_object_get_members (object);
  for (GList *l = names; l && fine; l = l->next)
    {
      const char *class_of = component_class (object, l->data);

      if (class_of && (strchr (l->data, '/') || !easel_hub_valid_path (l->data, NULL)))
        fine = easel_hub_fail (session, EASEL_HUB_REASON_HOSTILE, error,
                               "The repository was refused: model_index.json names an impossible component.");
      else if (class_of)
        fine = select_component (session, files, l->data, class_of, precision, class_name, error);
    }
  g_list_free (names);
  json_object_unref (object);
  return fine;
}
