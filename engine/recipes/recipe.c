/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of settings, and the order in which a recipe's layers are laid over each other.
 */
#include "engine/recipes/recipe.h"

#include "engine/core/files.h"
#include "engine/recipes/settings.h"
#include "engine/recipes/yaml.h"

#include <string.h>

struct EaselRecipe
{
  GStringChunk *strings; /* every text that settings point to */
  const char *name, *description;
  EaselRequestSettings base; /* the caller's defaults: what null goes back to */
  EaselRequestSettings defaults;
  GArray *pictures; /* EaselRequestSettings */
};

/* Reading: what the layers have said so far. */
typedef struct
{
  EaselRecipe *recipe;
  EaselYaml *list;           /* the `pictures` that count, inside one of `trees` */
  const char *list_where;
  GPtrArray *trees, *paths; /* files read, in order: of what, from where */
  const char *folder;       /* of the first file; NULL: from memory */
} Reading;

static gboolean
complain (GError **error, EaselError code, const char *where, guint line, const char *why)
{
  g_set_error (error, EASEL_ERROR, (int) code, "%s:%u: %s.", where, line, why);
  return FALSE;
}

/* Lays the settings of a map over `out`. Keys of the recipe itself are for its top level only. */
static gboolean
apply_map (Reading *r, EaselYaml *map, const char *where, gboolean top, EaselRequestSettings *out, GError **error)
{
  static const char *const OWN[] = { "easel", "name", "description", "extends", "pictures" };

  if (easel_yaml_find (map, "size") && (easel_yaml_find (map, "width") || easel_yaml_find (map, "height")))
    return complain (error, EASEL_ERROR_BAD_REQUEST, where, easel_yaml_find (map, "size")->line,
                     "size stands for width and height; give either");
  for (guint i = 0; i + 1 < map->items->len; i += 2)
    {
      EaselYaml *key = map->items->pdata[i], *value = map->items->pdata[i + 1];
      gboolean own = FALSE;
      for (guint k = 0; top && k < G_N_ELEMENTS (OWN); k++)
        own = own || strcmp (key->text, OWN[k]) == 0;
      g_autofree char *why = NULL;
      if (!own)
        why = easel_setting_apply (out, &r->recipe->base, key->text, value, r->recipe->strings);
      if (why)
        return complain (error, EASEL_ERROR_BAD_REQUEST, where, key->line, why);
    }
  return TRUE;
}

static gboolean
apply_texts (Reading *r, EaselYaml *root, const char *where, GError **error)
{
  static const char *const NAMES[] = { "name", "description" };
  const char **fields[] = { &r->recipe->name, &r->recipe->description };
  EaselYaml *format = easel_yaml_find (root, "easel");

  if (format && (format->kind != EASEL_YAML_SCALAR || strcmp (format->text, "1") != 0))
    return complain (error, EASEL_ERROR_UNSUPPORTED, where, format->line,
                     "easel: says which format this is, and only 1 is known");
  for (guint i = 0; i < G_N_ELEMENTS (NAMES); i++)
    {
      EaselYaml *text = easel_yaml_find (root, NAMES[i]);
      *fields[i] = NULL; /* not inherited: they are about one file */
      if (!text || easel_yaml_is_null (text))
        continue;
      if (text->kind != EASEL_YAML_SCALAR)
        return complain (error, EASEL_ERROR_BAD_REQUEST, where, text->line, "name and description must be text");
      *fields[i] = g_string_chunk_insert (r->recipe->strings, text->text);
    }
  return TRUE;
}

/* Every picture of the list is a map that could be applied; a list that is extended and not used is checked too. */
static gboolean
check_list (Reading *r, EaselYaml *list, const char *where, GError **error)
{
  if (list->kind != EASEL_YAML_LIST || list->items->len < 1 || list->items->len > EASEL_RECIPE_MAX_PICTURES)
    return complain (error, EASEL_ERROR_BAD_REQUEST, where, list->line, "pictures must be a list of 1 to 1000");
  for (guint i = 0; i < list->items->len; i++)
    {
      EaselYaml *item = list->items->pdata[i];
      EaselRequestSettings scratch = r->recipe->defaults;
      if (item->kind != EASEL_YAML_MAP)
        return complain (error, EASEL_ERROR_BAD_REQUEST, where, item->line, "a picture must be settings (name: value)");
      if (!apply_map (r, item, where, FALSE, &scratch, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
apply_file (Reading *r, EaselYaml *root, const char *where, GError **error)
{
  EaselYaml *list = easel_yaml_find (root, "pictures");

  if (!apply_texts (r, root, where, error) || !apply_map (r, root, where, TRUE, &r->recipe->defaults, error))
    return FALSE;
  if (!list || easel_yaml_is_null (list))
    return TRUE;
  if (!check_list (r, list, where, error))
    return FALSE;
  r->list = list;
  r->list_where = where;
  return TRUE;
}

/* The path that `extends` means: a relative name, only downwards. Caller frees. */
static char *
extended_path (Reading *r, EaselYaml *extends, const char *where, GError **error)
{
  g_auto (GStrv) parts = NULL;
  gboolean good = extends->kind == EASEL_YAML_SCALAR && extends->text[0] && !g_path_is_absolute (extends->text);

  if (!r->folder)
    {
      complain (error, EASEL_ERROR_BAD_REQUEST, where, extends->line, "extends needs a recipe that lies in a folder");
      return NULL;
    }
  parts = good ? g_strsplit (extends->text, "/", -1) : NULL;
  for (guint i = 0; good && parts[i]; i++)
    good = parts[i][0] && strcmp (parts[i], ".") != 0 && strcmp (parts[i], "..") != 0;
  if (!good)
    {
      complain (error, EASEL_ERROR_BAD_REQUEST, where, extends->line,
                "extends must name a file in this recipe's folder or below it");
      return NULL;
    }
  return g_build_filename (r->folder, extends->text, NULL);
}

/* Parses `text`, then what it extends, …; r->trees from the last child to the first ancestor. */
static gboolean
read_chain (Reading *r, const char *text, gsize length, const char *where, GError **error)
{
  EaselYaml *root = easel_yaml_parse (text, length, where, error);

  if (!root)
    return FALSE;
  g_ptr_array_add (r->trees, root);
  g_ptr_array_add (r->paths, g_strdup (where));
  while (TRUE)
    {
      const char *from = r->paths->pdata[r->paths->len - 1];
      EaselYaml *extends;
      root = r->trees->pdata[r->trees->len - 1];
      if (root->kind != EASEL_YAML_MAP)
        return complain (error, EASEL_ERROR_BAD_REQUEST, from, root->line, "a recipe is settings (name: value)");
      extends = easel_yaml_find (root, "extends");
      if (!extends || easel_yaml_is_null (extends))
        return TRUE;
      g_autofree char *path = extended_path (r, extends, from, error);
      g_autofree char *content = NULL;
      gsize size;
      if (!path)
        return FALSE;
      if (r->trees->len > EASEL_RECIPE_MAX_EXTENDS)
        return complain (error, EASEL_ERROR_BAD_REQUEST, from, extends->line,
                         "too many recipes extend each other, or in a circle");
      content = easel_read_small_file (path, EASEL_YAML_MAX_BYTES, &size, error);
      if (!content)
        {
          g_prefix_error (error, "%s:%u: ", from, extends->line);
          return FALSE;
        }
      root = easel_yaml_parse (content, size, path, error);
      if (!root)
        return FALSE;
      g_ptr_array_add (r->trees, root);
      g_ptr_array_add (r->paths, g_steal_pointer (&path));
    }
}

static gboolean
build (Reading *r, const char *text, gsize length, const char *where, GError **error)
{
  guint n;

  if (!read_chain (r, text, length, where, error))
    return FALSE;
  for (guint i = r->trees->len; i-- > 0;)
    if (!apply_file (r, r->trees->pdata[i], r->paths->pdata[i], error))
      return FALSE;
  n = r->list ? r->list->items->len : 1;
  for (guint i = 0; i < n; i++)
    {
      EaselRequestSettings settings = r->recipe->defaults;
      if (r->list && !apply_map (r, r->list->items->pdata[i], r->list_where, FALSE, &settings, error))
        return FALSE;
      g_array_append_val (r->recipe->pictures, settings);
    }
  return TRUE;
}

static EaselRecipe *
make (const char *text, gsize length, const char *where, const char *folder, const EaselRequestSettings *defaults,
      GError **error)
{
  g_autoptr (EaselRecipe) self = g_new0 (EaselRecipe, 1);
  Reading r = { .recipe = self, .folder = folder };
  gboolean good;

  self->strings = g_string_chunk_new (1024);
  self->pictures = g_array_new (FALSE, FALSE, sizeof (EaselRequestSettings));
  self->base = defaults ? *defaults : (EaselRequestSettings) EASEL_REQUEST_SETTINGS_INIT;
  easel_settings_copy_texts (&self->base, self->strings);
  self->defaults = self->base;
  r.trees = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_yaml_free);
  r.paths = g_ptr_array_new_with_free_func (g_free);
  good = build (&r, text, length, where, error);
  g_ptr_array_unref (r.trees);
  g_ptr_array_unref (r.paths);
  return good ? g_steal_pointer (&self) : NULL;
}

EaselRecipe *
easel_recipe_parse (const char *text, gsize length, const char *where, const EaselRequestSettings *defaults,
                    GError **error)
{
  return make (text, length, where, NULL, defaults, error);
}

EaselRecipe *
easel_recipe_load (const char *path, const EaselRequestSettings *defaults, GError **error)
{
  gsize length;
  g_autofree char *text = easel_read_small_file (path, EASEL_YAML_MAX_BYTES, &length, error);
  g_autofree char *folder = g_path_get_dirname (path);

  return text ? make (text, length, path, folder, defaults, error) : NULL;
}

void
easel_recipe_free (EaselRecipe *self)
{
  if (!self)
    return;
  g_string_chunk_free (self->strings);
  g_array_unref (self->pictures);
  g_free (self);
}

gboolean
easel_recipe_override (EaselRecipe *self, const char *assignment, GError **error)
{
  const char *equals = strchr (assignment, '=');
  g_autofree char *key = equals ? g_strstrip (g_strndup (assignment, (gsize) (equals - assignment))) : NULL;
  EaselYaml value = { .kind = EASEL_YAML_SCALAR, .text = (char *) (equals ? equals + 1 : "") };
  EaselRequestSettings scratch = self->base;
  g_autofree char *why = NULL;

  if (!equals || !g_utf8_validate (assignment, -1, NULL))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "\"%.60s\" is not a setting: write name=value.",
                   equals ? "?" : assignment);
      return FALSE;
    }
  why = easel_setting_apply (&scratch, &self->base, key, &value, self->strings);
  if (why)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s.", why);
      return FALSE;
    }
  for (guint i = 0; i < self->pictures->len; i++)
    g_free (easel_setting_apply (&g_array_index (self->pictures, EaselRequestSettings, i), &self->base, key, &value,
                                 self->strings));
  return TRUE;
}

const char *
easel_recipe_name (EaselRecipe *self)
{
  return self->name;
}

const char *
easel_recipe_description (EaselRecipe *self)
{
  return self->description;
}

guint
easel_recipe_n_pictures (EaselRecipe *self)
{
  return self->pictures->len;
}

const EaselRequestSettings *
easel_recipe_settings (EaselRecipe *self, guint i)
{
  g_return_val_if_fail (i < self->pictures->len, NULL);
  return &g_array_index (self->pictures, EaselRequestSettings, i);
}
