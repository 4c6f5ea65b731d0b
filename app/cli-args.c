/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command line: one table of options, each with the commands that take it.
 */
#include "app/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUNS (CLI_GENERATE | CLI_PLAN)
#define ENGINE (CLI_GENERATE | CLI_PLAN | CLI_REPRODUCE)
#define ALL (~0u)
#define AT(field) G_STRUCT_OFFSET (CliArgs, field)

const CliOption cli_options[] = {
  { "model", 'm', CLI_TYPE_STRING, AT (model), ENGINE | CLI_SAMPLERS | CLI_GALLERY, 0, 0, "NAME|DIR",
    "the model: a name that 'easel-cli models' lists, or a folder\n(default: " CLI_DEFAULT_MODEL ")" },
  { "prompt", 'p', CLI_TYPE_STRING, AT (prompt), RUNS, 0, 0, "TEXT", "what the picture should show" },
  { "negative", 'n', CLI_TYPE_STRING, AT (negative), RUNS, 0, 0, "TEXT", "what it should not show" },
  { "prompts", 0, CLI_TYPE_STRING, AT (prompts), CLI_GENERATE, 0, 0, "FILE",
    "many prompts: one a line, or one JSON object a line with any of\n"
    "prompt, negative, seed, size, steps, guidance, sampler, count,\n"
    "model, output; '-' reads standard input" },
  { "size", 's', CLI_TYPE_SIZE, AT (width), RUNS, 1, 65535, "WxH", "pixels, such as 512x512 (default: the model's)" },
  { "steps", 0, CLI_TYPE_INT, AT (steps), RUNS, 1, 10000, "N",
    "denoising steps; more is slower and often finer (default: the model's)" },
  { "guidance", 'g', CLI_TYPE_DOUBLE, AT (guidance), RUNS, 0, 0, "G",
    "how strictly to follow the prompt, such as 4.5 (default: the model's)" },
  { "seed", 0, CLI_TYPE_SEED, AT (seed), RUNS, 0, 0, "S",
    "start of the random numbers: the same seed makes the same picture\n(default: drawn, and written into the file)" },
  { "sampler", 0, CLI_TYPE_STRING, AT (sampler), RUNS, 0, 0, "NAME",
    "one that 'easel-cli samplers' lists (default: the model's own)" },
  { "count", 'c', CLI_TYPE_INT, AT (count), RUNS | CLI_GALLERY, 1, 10000, "N",
    "pictures for each prompt, with seeds S, S+1, … (default: 1); gallery:\nhow many to list" },
  { "output", 'o', CLI_TYPE_STRING, AT (output), CLI_GENERATE | CLI_REPRODUCE | CLI_GALLERY, 0, 0, "FILE",
    "where to write; .png, .jpg or .webp decides the format, for clips\n"
    ".mp4, .webm, .gif, .webp, .apng, or .png for numbered pictures. May hold\n"
    "{seed}, {n} (1, 2, …) and {prompt}; 'folder/' derives the name from\n"
    "prompt and seed (default: that, in the current folder)" },
  { "force", 'f', CLI_TYPE_FLAG, AT (force), CLI_GENERATE | CLI_REPRODUCE | CLI_GALLERY, 0, 0, NULL,
    "write over an existing FILE" },
  { "quality", 0, CLI_TYPE_INT, AT (quality), CLI_GENERATE | CLI_REPRODUCE | CLI_GALLERY, 1, 100, "N",
    "of JPEG, WebP and films, 1 to 100; WebP at 100 is lossless\n(default: 92, of films 80)" },
  { "bitrate", 0, CLI_TYPE_INT, AT (bitrate), CLI_GENERATE, 1000, 1000000000, "N",
    "of films: bits a second, in place of the quality" },
  { "codec", 0, CLI_TYPE_STRING, AT (codec), CLI_GENERATE, 0, 0, "h264|vp9|av1",
    "of films (default: h264 in .mp4, vp9 in .webm)" },
  { "loops", 0, CLI_TYPE_INT, AT (loops), CLI_GENERATE, 0, 65535, "N",
    "of animations: how often they are played (default: 0, for ever)" },
  { "no-metadata", 0, CLI_TYPE_FLAG, AT (no_metadata), CLI_GENERATE | CLI_REPRODUCE | CLI_GALLERY, 0, 0, NULL,
    "leave prompt and settings out of the file" },
  { "preview", 0, CLI_TYPE_STRING, AT (preview), CLI_GENERATE, 0, 0, "FILE",
    "show the picture as it grows in this file" },
  { "no-instruction", 0, CLI_TYPE_FLAG, AT (no_instruction), RUNS, 0, 0, NULL,
    "do not put the model's own instruction before the prompt" },
  { "no-binning", 0, CLI_TYPE_FLAG, AT (no_binning), RUNS, 0, 0, NULL,
    "compute at exactly the size asked for, not at the nearest one the\nmodel was trained for" },
  { "max-tokens", 0, CLI_TYPE_INT, AT (max_tokens), RUNS, 1, 4096, "N",
    "how much of the prompt the model reads (default: the model's)" },
  { "frames", 0, CLI_TYPE_INT, AT (frames), RUNS, 1, 10000, "N",
    "length of a clip; the model says which lengths it can make\n(default: the model's)" },
  { "fps", 0, CLI_TYPE_DOUBLE, AT (fps), RUNS, 0, 0, "F", "frames a second of a clip (default: the model's)" },
  { "input", 'i', CLI_TYPE_STRING, AT (input), RUNS, 0, 0, "FILE",
    "a picture or clip to begin with, for models that take one" },
  { "fit-input", 0, CLI_TYPE_FLAG, AT (fit_input), RUNS, 0, 0, NULL,
    "fit an --input of another shape between black bars, instead of\ncutting off what stands out" },
  { "strength", 0, CLI_TYPE_DOUBLE, AT (strength), RUNS, 0, 0, "S",
    "how much of the clip in --input is made anew, above 0 to 1\n(default: 0.8)" },
  { "image", 0, CLI_TYPE_STRING, AT (input), RUNS, 0, 0, "FILE", "the same as --input, for a picture" },
  { "video", 0, CLI_TYPE_STRING, AT (input), RUNS, 0, 0, "FILE", "the same as --input, for a clip" },
  { "reuse", 0, CLI_TYPE_DOUBLE, AT (reuse), RUNS, 0, 0, "T",
    "clips: a step that changes less than T uses the work of an earlier\n"
    "one; 0.3 takes less than half the time and is not the same clip;\n"
    "how often that was is said and written into the file (default: 0,\n"
    "exact)" },
  { "measure-loss", 0, CLI_TYPE_FLAG, AT (measure_loss), CLI_GENERATE, 0, 0, NULL,
    "with --reuse: make the exact clip too, compare, and say and write\n"
    "into the file how far the other is from it (PSNR, SSIM)" },
  { "dynamic-guidance", 0, CLI_TYPE_FLAG, AT (dynamic_guidance), RUNS, 0, 0, NULL,
    "clips: let the guidance grow while the clip takes shape" },
  { "checkpoint", 0, CLI_TYPE_STRING, AT (checkpoint), CLI_GENERATE, 0, 0, "FILE",
    "clips: keep the latents in this file while working, and go on from\nit when the same clip was interrupted" },
  { "noise", 0, CLI_TYPE_STRING, AT (noise), RUNS, 0, 0, "cpu|cuda",
    "whose random numbers a seed means: those PyTorch draws on the CPU or\non a CUDA card (default: cpu)" },
  { "device", 'd', CLI_TYPE_STRING, AT (device), ENGINE, 0, 0, "auto|cpu|cuda",
    "what computes; cuda:1 is a second card (default: auto, a card when\none can be used)" },
  { "vram-limit", 0, CLI_TYPE_STRING, AT (vram_limit), ENGINE, 0, 0, "SIZE",
    "use no more of a card's memory than this, such as 4G" },
  { "threads", 't', CLI_TYPE_INT, AT (threads), ENGINE, 1, 1024, "N",
    "processor threads (default: one for each core)" },
  { "models", 0, CLI_TYPE_STRINGS, AT (models), ALL, 0, 0, "DIR",
    "look for models in this folder too, before all others; may be\nrepeated" },
  { "json", 0, CLI_TYPE_FLAG, AT (json), ALL, 0, 0, NULL, "for programs: JSON on standard output" },
  { "revision", 0, CLI_TYPE_STRING, AT (revision), CLI_MODELS, 0, 0, "NAME",
    "branch, tag or commit of the repository (default: main)" },
  { "precision", 0, CLI_TYPE_STRING, AT (precision), CLI_MODELS | RUNS, 0, 0, "WORD",
    "numbers to compute in: auto (as the model was trained), bf16, fp16,\n"
    "fp32; on a card fp8 or int8: faster, in less memory, less exact.\n"
    "models pull: the weights to fetch, a variant's name, or 'all'" },
  { "cache", 0, CLI_TYPE_STRING, AT (cache), CLI_MODELS, 0, 0, "DIR",
    "where models are kept (default: HF_HUB_CACHE, the cache that\nhuggingface_hub uses too)" },
  { "import", 0, CLI_TYPE_STRINGS, AT (imports), CLI_MODELS, 0, 0, "DIR",
    "take files from this folder when their hash is right, instead of\nfetching them; may be repeated" },
  { "connections", 0, CLI_TYPE_INT, AT (connections), CLI_MODELS, 1, 16, "N", "connections at once (default: 4)" },
  { "limit", 0, CLI_TYPE_STRING, AT (limit), CLI_MODELS, 0, 0, "RATE", "bytes a second at most, such as 500K or 5M" },
  { "endpoint", 0, CLI_TYPE_STRING, AT (endpoint), CLI_MODELS, 0, 0, "URL",
    "the Hub or a mirror of it (default: HF_ENDPOINT, huggingface.co)" },
  { "use-login", 0, CLI_TYPE_FLAG, AT (login), CLI_MODELS, 0, 0, NULL,
    "use the token of an existing 'hf auth login'" },
  { "offline", 0, CLI_TYPE_FLAG, AT (offline), CLI_MODELS, 0, 0, NULL, "no connection: what is here is all there is" },
  { "deep", 0, CLI_TYPE_FLAG, AT (deep), CLI_MODELS, 0, 0, NULL, "verify: read every byte and compare its hash" },
  { "dry-run", 0, CLI_TYPE_FLAG, AT (dry_run), CLI_MODELS, 0, 0, NULL, "remove: only say how much it would free" },
  { "orphans", 0, CLI_TYPE_FLAG, AT (orphans), CLI_MODELS, 0, 0, NULL,
    "remove: unfinished parts and files that no model uses" },
  { "folder", 0, CLI_TYPE_STRING, AT (folder), CLI_GALLERY, 0, 0, "DIR",
    "the gallery's folder (default: the one it has; Easel in the\nPictures folder at first)" },
  { "stars", 0, CLI_TYPE_INT, AT (stars), CLI_GALLERY, 1, 5, "N", "only those with at least N stars" },
  { "tag", 0, CLI_TYPE_STRING, AT (tag), CLI_GALLERY, 0, 0, "TAG", "only those with this tag" },
  { "kind", 0, CLI_TYPE_STRING, AT (kind), CLI_GALLERY, 0, 0, "picture|clip", "only pictures, or only clips" },
  { "since", 0, CLI_TYPE_STRING, AT (since), CLI_GALLERY, 0, 0, "DAY", "only those made since, such as 2026-11-25" },
  { "sort", 0, CLI_TYPE_STRING, AT (sort), CLI_GALLERY, 0, 0, "ORDER",
    "newest, oldest, stars or name (default: newest)" },
  { "format", 0, CLI_TYPE_STRING, AT (format), CLI_GALLERY, 0, 0, "png|jpg|webp",
    "export in this format (default: as the file is)" },
  { "repair", 0, CLI_TYPE_FLAG, AT (repair), CLI_GALLERY, 0, 0, NULL,
    "check: make anew what is damaged; the old index is kept" },
  { "new-index", 0, CLI_TYPE_FLAG, AT (new_index), CLI_GALLERY, 0, 0, NULL,
    "check: a new index from the files in any case, also in place of one\n"
    "of a newer Easel; stars and tags are carried over" },
  { "quiet", 'q', CLI_TYPE_FLAG, AT (quiet), ALL, 0, 0, NULL,
    "no progress, only results and errors" },
  { "help", 'h', CLI_TYPE_FLAG, AT (help), ALL, 0, 0, NULL, "this text" },
  { "version", 'V', CLI_TYPE_FLAG, AT (version), ALL, 0, 0, NULL, "the program's version" },
  { NULL },
};

void
cli_args_init (CliArgs *args)
{
  *args = (CliArgs){ .guidance = -1, .seed = -1, .positional = g_ptr_array_new (), .models = g_ptr_array_new (),
                     .imports = g_ptr_array_new () };
}

void
cli_args_clear (CliArgs *args)
{
  g_ptr_array_unref (args->positional);
  g_ptr_array_unref (args->models);
  g_ptr_array_unref (args->imports);
}

gboolean
cli_parse_int (const char *text, gint64 min, gint64 max, gint64 *out)
{
  return g_ascii_string_to_signed (text, 10, min, max, out, NULL);
}

gint64
cli_parse_bytes (const char *text)
{
  char *end = NULL;
  gint64 value = g_ascii_strtoll (text, &end, 10);
  int shift = 0;

  if (end == text || value <= 0 || value > (gint64) 1 << 30)
    return 0;
  switch (g_ascii_toupper (*end))
    {
    case 'G':
      shift += 10;
      G_GNUC_FALLTHROUGH;
    case 'M':
      shift += 10;
      G_GNUC_FALLTHROUGH;
    case 'K':
      shift += 10;
      end++;
      break;
    default:
      break;
    }
  return *end ? 0 : value << shift;
}

gboolean
cli_parse_double (const char *text, double *out)
{
  char *end;
  double value = g_ascii_strtod (text, &end);

  if (end == text || *end != '\0' || g_ascii_isspace (*text))
    return FALSE;
  *out = value;
  return TRUE;
}

gboolean
cli_parse_size (const char *text, int *width, int *height)
{
  gint64 w, h;
  g_auto (GStrv) sides = g_strsplit_set (text, "xX", 3);
  guint n = g_strv_length (sides);

  if (n < 1 || n > 2 || !cli_parse_int (sides[0], 1, 65535, &w) || !cli_parse_int (sides[n - 1], 1, 65535, &h))
    return FALSE;
  *width = (int) w;
  *height = (int) h;
  return TRUE;
}

/* Edits (insert, delete, replace, swap neighbours) that turn a into b. */
static guint
distance (const char *a, const char *b)
{
  gsize m = MIN (strlen (a), 31), n = MIN (strlen (b), 31);
  guint d[33][33];

  for (gsize i = 0; i <= m; i++)
    d[i][0] = (guint) i;
  for (gsize j = 0; j <= n; j++)
    d[0][j] = (guint) j;
  for (gsize i = 1; i <= m; i++)
    for (gsize j = 1; j <= n; j++)
      {
        guint best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

        best = MIN (best, MIN (d[i - 1][j], d[i][j - 1]) + 1);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
          best = MIN (best, d[i - 2][j - 2] + 1);
        d[i][j] = best;
      }
  return d[m][n];
}

const char *
cli_nearest (const char *word, const char *const *words, guint n)
{
  const char *nearest = NULL;
  guint best = 3;

  for (guint i = 0; i < n; i++)
    {
      guint edits = distance (word, words[i]);

      if (strlen (word) >= 3 && g_str_has_prefix (words[i], word))
        edits = MIN (edits, 1);
      if (edits < best && edits < MAX (strlen (word), 2))
        {
          best = edits;
          nearest = words[i];
        }
    }
  return nearest;
}

static const CliOption *
find_long (const CliCommand *command, const char *name)
{
  for (const CliOption *option = cli_options; option->name; option++)
    if ((option->commands & command->bit) && strcmp (option->name, name) == 0)
      return option;
  return NULL;
}

static const CliOption *
find_letter (const CliCommand *command, char letter)
{
  for (const CliOption *option = cli_options; option->name; option++)
    if ((option->commands & command->bit) && option->letter == letter)
      return option;
  return NULL;
}

static void
say_unknown (const CliCommand *command, const char *name)
{
  const char *names[64];
  const char *nearest;
  guint n = 0;

  for (const CliOption *option = cli_options; option->name; option++)
    {
      if (strcmp (option->name, name) == 0)
        {
          cli_usage ("'easel-cli %s' takes no option --%s; 'easel-cli help %s' lists what it takes.", command->name,
                     name, command->name);
          return;
        }
      if ((option->commands & command->bit) && n < G_N_ELEMENTS (names))
        names[n++] = option->name;
    }
  nearest = cli_nearest (name, names, n);
  if (nearest)
    cli_usage ("There is no option --%s. Did you mean --%s?", name, nearest);
  else
    cli_usage ("There is no option --%s. 'easel-cli help %s' lists what there is.", name, command->name);
}

static gboolean
store (CliArgs *args, const CliOption *option, const char *value)
{
  void *field = (char *) args + option->offset;
  gint64 number;

  switch (option->type)
    {
    case CLI_TYPE_FLAG:
      *(gboolean *) field = TRUE;
      return TRUE;
    case CLI_TYPE_STRING:
      *(const char **) field = value;
      return TRUE;
    case CLI_TYPE_STRINGS:
      g_ptr_array_add (*(GPtrArray **) field, (char *) value);
      return TRUE;
    case CLI_TYPE_INT:
      if (cli_parse_int (value, option->min, option->max, &number))
        {
          *(int *) field = (int) number;
          return TRUE;
        }
      cli_usage ("--%s takes a whole number from %d to %d, not '%s'.", option->name, option->min, option->max, value);
      return FALSE;
    case CLI_TYPE_SEED:
      if (cli_parse_int (value, 0, G_MAXINT64 - 10000, (gint64 *) field))
        return TRUE;
      cli_usage ("--%s takes a whole number of at least 0, not '%s'.", option->name, value);
      return FALSE;
    case CLI_TYPE_DOUBLE:
      if (!cli_parse_double (value, field))
        cli_usage ("--%s takes a number such as 4.5, not '%s'.", option->name, value);
      else if (!(isfinite (*(double *) field) && *(double *) field >= 0))
        cli_usage ("--%s takes a number of at least 0, not '%s'.", option->name, value);
      else
        return TRUE;
      return FALSE;
    case CLI_TYPE_SIZE:
      if (cli_parse_size (value, &args->width, &args->height))
        return TRUE;
      cli_usage ("--%s takes width x height in pixels, such as 512x512, each from %d to %d; not '%s'.", option->name,
                 option->min, option->max, value);
      return FALSE;
    }
  return FALSE;
}

/* One option at argv[*i]; moves *i over its value. */
static gboolean
parse_option (CliArgs *args, const CliCommand *command, int argc, char **argv, int *i)
{
  const char *word = argv[*i];
  const char *value = NULL;
  const CliOption *option;

  if (word[1] == '-')
    {
      const char *equals = strchr (word, '=');
      g_autofree char *name = equals ? g_strndup (word + 2, (gsize) (equals - word - 2)) : g_strdup (word + 2);

      option = find_long (command, name);
      value = equals ? equals + 1 : NULL;
      if (option == NULL)
        {
          say_unknown (command, name);
          return FALSE;
        }
    }
  else
    {
      option = find_letter (command, word[1]);
      if (option == NULL)
        {
          cli_usage ("There is no option -%c. 'easel-cli help %s' lists what there is.", word[1], command->name);
          return FALSE;
        }
      if (word[2] != '\0')
        value = word + 2;
    }

  if (option->type == CLI_TYPE_FLAG && value)
    {
      cli_usage ("--%s takes no value.", option->name);
      return FALSE;
    }
  if (option->type != CLI_TYPE_FLAG && value == NULL)
    {
      if (*i + 1 >= argc)
        {
          cli_usage ("--%s needs a value: --%s %s.", option->name, option->name, option->argument);
          return FALSE;
        }
      value = argv[++*i];
    }
  return store (args, option, value);
}

gboolean
cli_args_parse (CliArgs *args, const CliCommand *command, int argc, char **argv, int first)
{
  gboolean only_words = FALSE;

  for (int i = first; i < argc; i++)
    {
      if (!only_words && strcmp (argv[i], "--") == 0)
        only_words = TRUE;
      else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0')
        {
          if (!parse_option (args, command, argc, argv, &i))
            return FALSE;
        }
      else
        g_ptr_array_add (args->positional, argv[i]);
    }
  if (args->help || args->version)
    return TRUE;
  if ((int) args->positional->len > command->max_positional)
    {
      cli_usage ("'easel-cli %s' does not know what to do with '%s'.", command->name,
                 (char *) g_ptr_array_index (args->positional, (guint) command->max_positional));
      return FALSE;
    }
  if ((int) args->positional->len < command->min_positional)
    {
      cli_usage ("'easel-cli %s' needs a %s. 'easel-cli help %s' shows examples.", command->name, command->positional,
                 command->name);
      return FALSE;
    }
  return TRUE;
}
