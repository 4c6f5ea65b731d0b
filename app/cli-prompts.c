/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What to make: from the command line, or a file with a prompt or a JSON object a line.
 */
#include "app/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE (64u << 20)
#define MAX_WISHES 100000

void
cli_wish_free (CliWish *wish)
{
  g_free (wish->model);
  g_free (wish->prompt);
  g_free (wish->negative);
  g_free (wish->sampler);
  g_free (wish->output);
  g_free (wish);
}

CliWish *
cli_wish_new (const CliArgs *args, const char *prompt)
{
  CliWish *wish = g_new0 (CliWish, 1);

  wish->model = g_strdup (args->model ? args->model : CLI_DEFAULT_MODEL);
  wish->prompt = g_strdup (prompt);
  wish->negative = g_strdup (args->negative ? args->negative : "");
  wish->sampler = g_strdup (args->sampler);
  wish->width = args->width;
  wish->height = args->height;
  wish->steps = args->steps;
  wish->count = MAX (args->count, 1);
  wish->guidance = args->guidance;
  wish->seed = args->seed;
  return wish;
}

/* Requests name dtypes as the files do. */
static const char *
precision_word (const char *said)
{
  if (!g_strcmp0 (said, "auto"))
    return NULL;
  return !g_strcmp0 (said, "fp32") ? "f32" : !g_strcmp0 (said, "fp16") ? "f16" : said;
}

EaselRequest *
cli_wish_request (const CliWish *wish, const CliArgs *args, int i, GError **error)
{
  EaselRequestSettings settings = EASEL_REQUEST_SETTINGS_INIT;

  settings.model = wish->model;
  settings.prompt = wish->prompt;
  settings.negative = wish->negative;
  settings.width = wish->width;
  settings.height = wish->height;
  settings.steps = wish->steps;
  settings.guidance = wish->guidance;
  settings.seed = wish->seed + i;
  settings.sampler = wish->sampler;
  settings.count = 1;
  settings.resolution_binning = !args->no_binning;
  settings.human_instruction = !args->no_instruction;
  settings.max_tokens = args->max_tokens;
  settings.noise = args->noise;
  settings.precision = precision_word (args->precision);
  settings.frames = args->frames;
  settings.fps = args->fps;
  settings.input = args->input;
  settings.fit_input = args->fit_input;
  settings.strength = args->strength;
  settings.reuse = args->reuse;
  settings.dynamic_guidance = args->dynamic_guidance;
  return easel_request_new (&settings, error);
}

static const char *const members[] = { "prompt", "negative", "seed",  "size",  "width",  "height", "steps",
                                       "guidance", "sampler", "count", "model", "output", NULL };

static void
replace (char **field, const char *value)
{
  g_free (*field);
  *field = g_strdup (value);
}

/* `object` over the defaults in `wish`. */
static gboolean
read_members (CliWish *wish, JsonObject *object, const char *where, GError **error)
{
  g_autoptr (GList) names = json_object_get_members (object);
  EaselFields fields = easel_fields (object, where);
  const char *size;

  for (GList *l = names; l; l = l->next)
    if (!g_strv_contains (members, l->data))
      {
        const char *nearest = cli_nearest (l->data, members, G_N_ELEMENTS (members) - 1);

        g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s: there is no setting '%s'%s%s%s.", where,
                     (char *) l->data, nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
        return FALSE;
      }
  replace (&wish->prompt, easel_fields_string (&fields, "prompt", ""));
  if (easel_fields_has (&fields, "negative"))
    replace (&wish->negative, easel_fields_string (&fields, "negative", ""));
  if (easel_fields_has (&fields, "model"))
    replace (&wish->model, easel_fields_string (&fields, "model", ""));
  if (easel_fields_has (&fields, "sampler"))
    replace (&wish->sampler, easel_fields_string (&fields, "sampler", NULL));
  replace (&wish->output, easel_fields_string (&fields, "output", NULL));
  wish->seed = easel_fields_int (&fields, "seed", wish->seed, easel_fields_has (&fields, "seed") ? 0 : -1,
                                 G_MAXINT64 - 10000);
  wish->width = (int) easel_fields_int (&fields, "width", wish->width, 0, 65535);
  wish->height = (int) easel_fields_int (&fields, "height", wish->height, 0, 65535);
  wish->steps = (int) easel_fields_int (&fields, "steps", wish->steps, 0, 10000);
  wish->count = (int) easel_fields_int (&fields, "count", wish->count, 1, 10000);
  wish->guidance = easel_fields_double (&fields, "guidance", wish->guidance);
  size = easel_fields_string (&fields, "size", NULL);
  if (!easel_fields_done (&fields, error))
    return FALSE;
  if (size && !cli_parse_size (size, &wish->width, &wish->height))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s: size must look like \"512x768\", not \"%s\".",
                   where, size);
      return FALSE;
    }
  if (easel_fields_has (&fields, "guidance") && !(isfinite (wish->guidance) && wish->guidance >= 0))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s: guidance must be a number of at least 0.", where);
      return FALSE;
    }
  if (!json_object_has_member (object, "prompt"))
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s: the prompt is missing.", where);
      return FALSE;
    }
  return TRUE;
}

/* All of a file or of standard input, bounded. */
static char *
read_all (const char *path, gsize *length, GError **error)
{
  gboolean is_stdin = strcmp (path, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open (path, O_RDONLY | O_CLOEXEC);
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[16384];
  ssize_t n = -1;

  while (fd >= 0 && text->len <= MAX_FILE && ((n = read (fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR)))
    if (n > 0)
      g_string_append_len (text, buffer, n);
  if (fd < 0 || n < 0)
    {
      g_set_error (error, EASEL_ERROR, fd < 0 && errno == ENOENT ? EASEL_ERROR_NOT_FOUND : EASEL_ERROR_IO,
                   "Cannot read the prompts in %s: %s.", is_stdin ? "standard input" : path, g_strerror (errno));
      if (fd >= 0 && !is_stdin)
        close (fd);
      return NULL;
    }
  if (!is_stdin)
    close (fd);
  if (text->len > MAX_FILE)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                   "The prompts in %s are more than %u MiB. Split the file.", path, MAX_FILE >> 20);
      return NULL;
    }
  *length = text->len;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* One wish a line. A line that begins with "{" is JSON; empty lines, and lines of text that begin with "#", are not
 * prompts. */
static gboolean
read_line (GPtrArray *wishes, const CliArgs *args, char *line, const char *where, GError **error)
{
  CliWish *wish;

  g_strchomp (line);
  if (line[0] == '\0' || line[0] == '#')
    return TRUE;
  if (wishes->len >= MAX_WISHES)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s: more than %d prompts. Split the file.", where,
                   MAX_WISHES);
      return FALSE;
    }
  wish = cli_wish_new (args, line);
  g_ptr_array_add (wishes, wish);
  if (line[0] == '{')
    {
      g_autoptr (JsonObject) object = easel_json_parse (line, strlen (line), where, error);

      return object && read_members (wish, object, where, error);
    }
  return TRUE;
}

static gboolean
read_file (GPtrArray *wishes, const CliArgs *args, GError **error)
{
  const char *name = strcmp (args->prompts, "-") == 0 ? "standard input" : args->prompts;
  gsize length = 0;
  g_autofree char *text = read_all (args->prompts, &length, error);
  char *line = text;

  if (text == NULL)
    return FALSE;
  if (memchr (text, 0, length) != NULL)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s is not a text file.", name);
      return FALSE;
    }
  if (g_str_has_prefix (line, "\xef\xbb\xbf"))
    line += 3;
  for (guint number = 1; line; number++)
    {
      char *end = strchr (line, '\n');
      g_autofree char *where = g_strdup_printf ("%s, line %u", name, number);

      if (end)
        *end = '\0';
      if (!read_line (wishes, args, line, where, error))
        return FALSE;
      line = end ? end + 1 : NULL;
    }
  if (wishes->len > 0)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "There is no prompt in %s.", name);
  return FALSE;
}

GPtrArray *
cli_wishes_read (const CliArgs *args, GError **error)
{
  g_autoptr (GPtrArray) wishes = g_ptr_array_new_with_free_func ((GDestroyNotify) cli_wish_free);
  int n_ways = (args->prompt != NULL) + (args->prompts != NULL) + (args->positional->len > 0);

  if (n_ways > 1)
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                           "Give the prompt once: with --prompt, as words, or in a file with --prompts.");
      return NULL;
    }
  if (args->prompts)
    {
      if (!read_file (wishes, args, error))
        return NULL;
    }
  else if (args->prompt)
    g_ptr_array_add (wishes, cli_wish_new (args, args->prompt));
  else if (args->positional->len > 0)
    {
      g_autoptr (GString) words = g_string_new (NULL);

      for (guint i = 0; i < args->positional->len; i++)
        g_string_append_printf (words, "%s%s", i ? " " : "", (char *) g_ptr_array_index (args->positional, i));
      g_ptr_array_add (wishes, cli_wish_new (args, words->str));
    }
  else
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                           "Say what the picture should show: easel-cli generate --prompt \"a red circle\".");
      return NULL;
    }
  return g_steal_pointer (&wishes);
}
