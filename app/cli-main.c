/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * easel-cli: finds the command, reads its options, runs it.
 */
#include "app/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

const CliCommand cli_commands[] = {
  { "generate", CLI_GENERATE, "make pictures from words", "[PROMPT]", 0, G_MAXINT, cli_generate,
    "Makes a picture from a prompt and prints where it is. Nothing is asked of the\n"
    "network. The file carries everything it was made from, so that\n"
    "'easel-cli reproduce' can make it again. An existing file is never touched\n"
    "unless --force is given. Ctrl+C stops within a step and keeps what is done.",
    "  easel-cli generate \"a red circle to the left of a blue square\"\n"
    "  easel-cli generate --prompt \"a lighthouse at dawn\" --seed 7 --output dawn.png\n"
    "  easel-cli generate -p \"three foxes\" --count 4 --output fox-{seed}.webp\n"
    "  easel-cli generate --prompts prompts.txt --output pictures/\n"
    "  easel-cli generate --model ~/models/Sana_600M_512px -p \"a koi pond\" --size 512x512" },
  { "models", CLI_MODELS, "list, find, fetch, check and remove models", "[WORD [NAME]]", 0, G_MAXINT, cli_models,
    "Lists the models found in --models, in the folders of the environment variable\n"
    "EASEL_MODELS (separated by ':'), in the person's data folder\n"
    "(~/.local/share/easel/models) and among the starter models. A model is a folder\n"
    "in the layout of the Hugging Face Hub, with a model_index.json.\n"
    "\n"
    "  models search [WORDS]  the catalogue, or what the Hub has under these words\n"
    "  models plan NAME       which files and bytes would be fetched\n"
    "  models licence NAME    the text of its licence, before fetching\n"
    "  models pull NAME       fetch them; the same command goes on after a break\n"
    "  models verify [NAME]   look for missing and damaged files\n"
    "  models repair NAME     fetch again exactly what is wrong\n"
    "  models remove NAME     free its space\n"
    "  models tidy            delete weights that were converted to 8 bits; they are\n"
    "                         made again when they are needed\n"
    "  models login           read a token and keep it in the keyring; models logout\n"
    "\n"
    "NAME is one of the catalogue or OWNER/NAME. Fetched models go into the cache that\n"
    "huggingface_hub uses; both programs can use it at once. A token for gated models\n"
    "comes from HF_TOKEN or the keyring.",
    "  easel-cli models\n"
    "  easel-cli models --models ~/models --json\n"
    "  easel-cli models search\n"
    "  easel-cli models search sana 4k\n"
    "  easel-cli models plan sana-1.6b\n"
    "  easel-cli models pull sana-1.6b --limit 5M\n"
    "  easel-cli models verify --deep" },
  { "plan", CLI_PLAN, "say what a picture would need, without making it", "[PROMPT]", 0, 1, cli_plan,
    "Says how much memory a picture would take and how many steps and operations,\n"
    "with the options of 'generate', without making it.",
    "  easel-cli plan\n"
    "  easel-cli plan --model ~/models/Sana_1600M_1024px --size 1024x1024 --json" },
  { "inspect", CLI_INSPECT, "say what is inside a picture, a weights file or a model", "FILE", 1, 1, cli_inspect,
    "A picture: the prompt and settings it was made from, also when another program\n"
    "wrote them. A safetensors file: its tensors with dtype and shape. A model folder:\n"
    "its parts.",
    "  easel-cli inspect dawn.png\n"
    "  easel-cli inspect ~/models/Sana_600M_512px/vae/diffusion_pytorch_model.safetensors\n"
    "  easel-cli inspect ~/models/Sana_600M_512px" },
  { "reproduce", CLI_REPRODUCE, "make a picture or clip again and compare", "FILE", 1, 1, cli_reproduce,
    "Makes a picture or clip again from the request inside its file and compares the\n"
    "pixels, of all frames (of numbered pictures: name the first).\n"
    "Says 'identical', 'close' (a lossy file, another processor or precision), or\n"
    "'different' and why. Exit status 0, 1, 2 in that order; 2 also when it could not\n"
    "be made again.",
    "  easel-cli reproduce dawn.png\n"
    "  easel-cli reproduce heart.mp4\n"
    "  easel-cli reproduce dawn.png --device cuda --output again.png" },
  { "gallery", CLI_GALLERY, "what was made: list, search, export, check", "[WORD …]", 0, G_MAXINT, cli_gallery,
    "The gallery of the desktop program; both may run at once. Files that came or went\n"
    "by hand are met first.\n"
    "\n"
    "  gallery list           number, day, size, stars, file, prompt\n"
    "  gallery search WORDS   those with all these words, or words that begin so, in\n"
    "                         prompt, model, tags or file name\n"
    "  gallery export FILE…   copies (a number of the list will do), as they are, in\n"
    "                         another format, or without the settings inside\n"
    "  gallery check          whether the index is sound and every file is there; exit\n"
    "                         status 1 when something is wrong",
    "  easel-cli gallery search sailboat --stars 3\n"
    "  easel-cli gallery list --since 2026-11-01 --sort stars --json\n"
    "  easel-cli gallery export 12 15 --format jpg --no-metadata --output for-mum/\n"
    "  easel-cli gallery check --repair" },
  { "samplers", CLI_SAMPLERS, "list the samplers", NULL, 0, 0, cli_samplers,
    "Lists the samplers; with --model it says which of them fit that model, and why the\n"
    "others do not.",
    "  easel-cli samplers\n"
    "  easel-cli samplers --model starter-sana" },
  { NULL },
};

static const CliCommand *
find_command (const char *name)
{
  const char *names[16];
  const char *nearest;
  guint n = 0;

  for (const CliCommand *command = cli_commands; command->name; command++)
    {
      if (strcmp (command->name, name) == 0)
        return command;
      names[n++] = command->name;
    }
  nearest = cli_nearest (name, names, n);
  if (nearest)
    cli_usage ("There is no command '%s'. Did you mean '%s'?", name, nearest);
  else
    cli_usage ("There is no command '%s'. 'easel-cli help' lists what there is.", name);
  return NULL;
}

static CliStatus
run_help (int argc, char **argv)
{
  const CliCommand *command;

  if (argc < 3)
    {
      cli_help_print ();
      return CLI_OK;
    }
  if ((command = find_command (argv[2])) == NULL)
    return CLI_USAGE;
  cli_help_print_command (command);
  return CLI_OK;
}

static CliStatus
run_command (const CliCommand *command, int argc, char **argv)
{
  CliStatus status = CLI_USAGE;
  CliArgs args;

  cli_args_init (&args);
  if (cli_args_parse (&args, command, argc, argv, 2))
    {
      if (args.help)
        cli_help_print_command (command);
      else if (args.version)
        puts ("easel-cli " EASEL_VERSION);
      status = args.help || args.version ? CLI_OK : command->run (&args);
    }
  cli_args_clear (&args);
  return status;
}

int
main (int argc, char **argv)
{
  const CliCommand *command;
  CliStatus status;

  setlocale (LC_CTYPE, "");  /* what the terminal can show */
  setlocale (LC_MESSAGES, ""); /* the system's reasons; numbers stay as in C */

  if (argc < 2)
    {
      cli_help_print ();
      return CLI_USAGE;
    }
  if (strcmp (argv[1], "help") == 0)
    status = run_help (argc, argv);
  else if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0)
    {
      cli_help_print ();
      status = CLI_OK;
    }
  else if (strcmp (argv[1], "--version") == 0 || strcmp (argv[1], "-V") == 0)
    {
      puts ("easel-cli " EASEL_VERSION);
      status = CLI_OK;
    }
  else if (argv[1][0] == '-')
    status = cli_usage ("A command comes first, such as 'easel-cli generate %s'. 'easel-cli help' lists what there is.",
                        argv[1]);
  else if ((command = find_command (argv[1])) == NULL)
    status = CLI_USAGE;
  else
    status = run_command (command, argc, argv);

  /* Results that could not be written are no success. */
  if ((fflush (stdout) != 0 || ferror (stdout)) && status == CLI_OK)
    {
      cli_usage ("Cannot write to standard output.");
      status = CLI_FAILED;
    }
  return (int) status;
}
