/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The licence that comes with a repository, as text. Nothing is summarised: what a person agrees to is what the authors
 * wrote.
 */
#include <string.h>

#include "engine/hub/hub-private.h"

#define MAX_TEXT (256 << 10)

/* 0 for files that are no licence; the higher, the more likely it is the licence of the weights. */
static int
rank (const EaselHubFile *file)
{
  static const struct { const char *stem; int rank; } stems[] = {
    { "model_license", 4 }, { "model-license", 4 }, { "license", 3 }, { "licence", 3 }, { "copying", 2 },
  };
  g_autofree char *lower = g_ascii_strdown (file->path, -1);
  const char *dot = strrchr (lower, '.');

  if (strchr (lower, '/') || file->size > MAX_TEXT || file->size == 0 ||
      (dot && strcmp (dot, ".txt") != 0 && strcmp (dot, ".md") != 0))
    return 0;
  for (guint i = 0; i < G_N_ELEMENTS (stems); i++)
    if (g_str_has_prefix (lower, stems[i].stem))
      return stems[i].rank;
  return 0;
}

static const EaselHubFile *
find_licence (const EaselHubPlan *plan)
{
  const EaselHubFile *best = NULL;

  for (guint i = 0; i < plan->files->len; i++)
    if (rank (plan->files->pdata[i]) > (best ? rank (best) : 0))
      best = plan->files->pdata[i];
  return best;
}

static gboolean
is_heading (const char *line)
{
  return line[strspn (line, "#")] == ' ' && line[0] == '#';
}

/* What a model card says below a heading about the licence, up to the next heading of that rank. NULL: nothing. */
static char *
section_of_card (const char *card)
{
  g_auto (GStrv) lines = g_strsplit (card, "\n", -1);
  GString *out = NULL;
  gsize level = 0;

  for (char **line = lines; *line; line++)
    {
      g_autofree char *lower = g_ascii_strdown (*line, -1);
      gsize this_level = is_heading (*line) ? strspn (*line, "#") : 0;

      if (out && this_level > 0 && this_level <= level)
        break;
      if (!out && this_level > 0 && (strstr (lower, "license") || strstr (lower, "licence")))
        {
          out = g_string_new (NULL);
          level = this_level;
        }
      else if (out)
        g_string_append_printf (out, "%s\n", *line);
    }
  if (!out)
    return NULL;
  g_strstrip (out->str);
  return g_string_free (out, *out->str == '\0');
}

static const EaselHubFile *
find_card (const EaselHubPlan *plan)
{
  for (guint i = 0; i < plan->files->len; i++)
    {
      const EaselHubFile *file = plan->files->pdata[i];
      if (strcmp (file->path, "README.md") == 0 && file->size <= MAX_TEXT)
        return file;
    }
  return NULL;
}

char *
easel_hub_licence_text (const EaselHubSettings *settings, const EaselHubPlan *plan, GCancellable *cancellable,
                        char **name, GError **error)
{
  g_autoptr (EaselHubSession) session = easel_hub_session_new (settings, cancellable);
  const EaselHubFile *file = find_licence (plan), *card = file ? NULL : find_card (plan);
  g_autofree char *text = NULL, *valid = NULL, *section = NULL;
  gsize n = 0;

  if ((!file && !card) || !easel_hub_read_small_file (session, plan, file ? file : card, &text, &n, error))
    return NULL;
  valid = g_utf8_make_valid (text, (gssize) n);
  if (card)
    section = section_of_card (valid);
  if (card && !section)
    return NULL;
  *name = g_strdup ((file ? file : card)->path);
  return section ? g_steal_pointer (&section) : g_steal_pointer (&valid);
}

gint64
easel_hub_plan_largest (const EaselHubPlan *plan)
{
  g_autoptr (GHashTable) sums = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  gint64 largest = 0;

  for (guint i = 0; i < plan->files->len; i++)
    {
      const EaselHubFile *file = plan->files->pdata[i];
      g_autofree char *folder = g_path_get_dirname (file->path);
      gint64 *sum = g_hash_table_lookup (sums, folder);

      if (!file->wanted)
        continue;
      if (!sum)
        g_hash_table_insert (sums, g_strdup (folder), sum = g_new0 (gint64, 1));
      *sum += file->size;
      largest = MAX (largest, *sum);
    }
  return largest;
}
