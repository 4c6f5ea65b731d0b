/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * easel-cli: the engine with no display. Each command is one file; this header is what they share.
 *
 * Results go to stdout, everything said on the way to stderr, one sentence an error. Everything here runs on the main
 * thread, except what says otherwise.
 */
#pragma once

#include "engine/core/engine.h"
#include "engine/media/video-file.h"

G_BEGIN_DECLS

/* Exit statuses. `reproduce` has its own meaning for 1 and 2, see cli-reproduce.c. */
typedef enum
{
  CLI_OK = 0,
  CLI_FAILED = 1,    /* a sentence on stderr says what, where and what to do */
  CLI_USAGE = 2,     /* the command line could not be understood */
  CLI_CANCELLED = 130, /* Ctrl+C, as shells say it */
} CliStatus;

typedef enum
{
  CLI_GENERATE = 1 << 0,
  CLI_MODELS = 1 << 1,
  CLI_PLAN = 1 << 2,
  CLI_INSPECT = 1 << 3,
  CLI_REPRODUCE = 1 << 4,
  CLI_SAMPLERS = 1 << 5,
  CLI_GALLERY = 1 << 6,
} CliCommandBit;

/* What the command line said. Strings are borrowed from argv. */
typedef struct
{
  GPtrArray *positional; /* what is no option */
  GPtrArray *models;     /* --models DIR, each */
  const char *model, *prompt, *negative, *prompts, *output, *sampler, *device, *vram_limit, *noise, *preview,
      *input, *checkpoint;
  int width, height; /* 0: not said */
  int steps, count, quality, max_tokens, threads, frames, bitrate, loops; /* 0: not said */
  double guidance; /* < 0: not said */
  double fps, strength, reuse; /* 0: not said */
  gboolean measure_loss;
  const char *codec;
  gboolean dynamic_guidance;
  gboolean fit_input;
  gint64 seed;     /* < 0: not said */
  GPtrArray *imports; /* --import DIR, each */
  const char *precision; /* of a run, and of `models pull` */
  const char *revision, *cache, *endpoint, *limit; /* of `models pull` and its like */
  int connections;
  gboolean deep, dry_run, offline, login, orphans;
  const char *folder, *tag, *sort, *since, *kind, *format; /* of `gallery` */
  int stars;
  gboolean repair, new_index;
  gboolean no_metadata, no_instruction, no_binning, force, json, quiet, help, version;
} CliArgs;

typedef struct
{
  const char *name;
  CliCommandBit bit;
  const char *summary;    /* one line, for the list of commands */
  const char *positional; /* "FILE", "[PROMPT]", or NULL when the command takes none */
  int min_positional, max_positional;
  CliStatus (*run) (const CliArgs *args);
  const char *description; /* paragraphs for --help, wrapped by hand at 79 columns */
  const char *examples;
} CliCommand;

typedef enum
{
  CLI_TYPE_FLAG,    /* gboolean */
  CLI_TYPE_STRING,  /* const char * */
  CLI_TYPE_STRINGS, /* GPtrArray *, appended to */
  CLI_TYPE_INT,     /* int within [min, max] */
  CLI_TYPE_SEED,    /* gint64 within [0, 2^63) */
  CLI_TYPE_DOUBLE,  /* double, any: rules are the model's */
  CLI_TYPE_SIZE,    /* two ints: width, height; "512x768" or "512" */
} CliType;

typedef struct
{
  const char *name; /* without the dashes */
  char letter;      /* 'p' for -p, 0: none */
  CliType type;
  gsize offset;     /* in CliArgs */
  guint commands;   /* CliCommandBit */
  int min, max;
  const char *argument; /* "N" in the help */
  const char *help;     /* lines separated by newlines */
} CliOption;

/* cli-main.c: ended by an entry without a name. */
extern const CliCommand cli_commands[];

/* cli-args.c: ended by an entry without a name. */
extern const CliOption cli_options[];
void cli_args_init (CliArgs *args);
void cli_args_clear (CliArgs *args);
/* Reads argv[first..] for `command`. On failure a sentence on stderr and FALSE. */
gboolean cli_args_parse (CliArgs *args, const CliCommand *command, int argc, char **argv, int first);
/* The whole of `text` as a number; FALSE when it is none or outside. "." is the decimal point in every locale. */
gboolean cli_parse_int (const char *text, gint64 min, gint64 max, gint64 *out);
/* "5M": bytes, in powers of 1024; 0 when it is no size. */
gint64 cli_parse_bytes (const char *text);
gboolean cli_parse_double (const char *text, double *out);
gboolean cli_parse_size (const char *text, int *width, int *height);
/* The word of `words` (n of them) that `word` most likely was meant to be, or NULL. */
const char *cli_nearest (const char *word, const char *const *words, guint n);

/* cli-help.c: to stdout. */
void cli_help_print (void);
void cli_help_print_command (const CliCommand *command);

/* cli-say.c: sentences on stderr, "easel-cli: …". The status is returned for `return cli_usage (…)`. */
CliStatus cli_usage (const char *format, ...) G_GNUC_PRINTF (1, 2);
CliStatus cli_failed (const GError *error);
/* "1.5 GiB"; "3.2 s", "4 min 10 s", "1 h 2 min". Caller frees. */
char *cli_format_bytes (guint64 bytes);
char *cli_format_seconds (double seconds);
/* The phase in a person's words ("Denoising") and as the stable word of the JSON events ("denoising"). */
const char *cli_phase_title (EaselPhase phase);
const char *cli_phase_name (EaselPhase phase);
/* A table to stdout, columns as wide as their cells need: rows of n_columns strings each. right: columns (bits) that
 * line up on the right. */
void cli_print_table (const GPtrArray *cells, guint n_columns, guint right);

/* cli-json.c: JSON text on stdout. Objects and arrays nest; commas are its business. name NULL inside arrays. */
typedef struct
{
  GString *text;
} CliJson;
void cli_json_begin (CliJson *self);
void cli_json_open (CliJson *self, const char *name, char bracket); /* '{' or '[' */
void cli_json_close (CliJson *self, char bracket);                  /* '}' or ']' */
void cli_json_string (CliJson *self, const char *name, const char *value); /* NULL: null */
void cli_json_int (CliJson *self, const char *name, gint64 value);
void cli_json_double (CliJson *self, const char *name, double value); /* six digits; not finite: null */
void cli_json_bool (CliJson *self, const char *name, gboolean value);
void cli_json_raw (CliJson *self, const char *name, const char *json); /* finished JSON */
/* Prints as one line, flushes, frees. */
void cli_json_end (CliJson *self);

/* cli-paths.c: the folders in which models are looked for, first wins: --models, EASEL_MODELS, the person's data
 * folder, the installed starter models, those of the source tree when run from a build folder. Free with g_strfreev. */
char **cli_model_roots (const CliArgs *args);
/* The engine for what the command line says. NULL: the error has been set. */
EaselEngine *cli_engine_new (const CliArgs *args, GError **error);
/* Name or folder of the model to use when the command line names none. */
#define CLI_DEFAULT_MODEL "starter-sana"

/* cli-prompts.c: one wish, before it becomes a request. Strings are owned. */
typedef struct
{
  char *model, *prompt, *negative, *sampler, *output;
  int width, height, steps, count; /* 0: not said */
  double guidance;                 /* < 0: not said */
  gint64 seed;                     /* < 0: not said */
} CliWish;
void cli_wish_free (CliWish *wish);
/* What the command line wishes, with `prompt`. */
CliWish *cli_wish_new (const CliArgs *args, const char *prompt);
/* All wishes of the command line: --prompt, words, or the lines of --prompts. Array of CliWish. */
GPtrArray *cli_wishes_read (const CliArgs *args, GError **error);
/* The request of picture `i` of a wish; its seed must be set. */
EaselRequest *cli_wish_request (const CliWish *wish, const CliArgs *args, int i, GError **error);

/* cli-output.c: where pictures go. */
typedef struct
{
  const char *output; /* as given, or NULL */
  gboolean force;
  gboolean many; /* more than one picture is on its way: a plain name gets a number */
  GHashTable *taken; /* names given out in this run, owned */
  EaselVideoOptions video; /* set after init: what a film would be written with */
} CliOutput;
void cli_output_init (CliOutput *self, const char *output, gboolean force, gboolean many);
void cli_output_clear (CliOutput *self);
/* Checks what can be checked before the work: placeholders, ending, folder there and writable (a folder that ends in
 * "/" is made). */
gboolean cli_output_check (CliOutput *self, GError **error);
/* The path of picture `number` (from 1). An existing file is refused unless force; derived names step aside. */
char *cli_output_name (CliOutput *self, const char *prompt, gint64 seed, int number, GError **error);

/* The name of a clip for the derived name `path` of a picture: the first kind of film or animation that can be written
 * here, MP4 before WebM before WebP; the name steps aside for a file of that name. *why (may be NULL) receives why it
 * is not MP4, or NULL. */
char *cli_output_clip_name (const char *path, char **why);
gboolean cli_output_is_derived (const CliOutput *self); /* its names are */

/* cli-progress.c: says how far a run is: a bar on a terminal, lines elsewhere, events with --json. */
typedef struct CliProgress CliProgress;
CliProgress *cli_progress_new (const CliArgs *args, int n_pictures);
void cli_progress_free (CliProgress *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliProgress, cli_progress_free)
void cli_progress_start (CliProgress *self, const char *device);
void cli_progress_picture (CliProgress *self, int picture); /* which one comes now, from 0 */
void cli_progress_report (CliProgress *self, const EaselProgress *progress); /* any thread */
void cli_progress_done (CliProgress *self, const char *path, const EaselPicture *picture, double seconds);
void cli_progress_error (CliProgress *self, const GError *error);
void cli_progress_end (CliProgress *self, int n_done);

/* cli-job.c: runs one request to its end; Ctrl+C cancels it. NULL with an error (CANCELLED). args: those
 * of generate (preview, checkpoint), or NULL. */
EaselPicture *cli_job_run (EaselEngine *engine, EaselRequest *request, CliProgress *progress, const CliArgs *args,
                           GError **error);
/* Blocks SIGINT and SIGTERM in this thread and those it starts, and watches for them. Before the engine is made. */
void cli_job_watch_signals (void);

CliStatus cli_generate (const CliArgs *args);
CliStatus cli_models (const CliArgs *args);
CliStatus cli_samplers (const CliArgs *args);
CliStatus cli_plan (const CliArgs *args);
CliStatus cli_inspect (const CliArgs *args);
CliStatus cli_reproduce (const CliArgs *args);
CliStatus cli_gallery (const CliArgs *args);

G_END_DECLS
