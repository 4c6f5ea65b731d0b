/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli.h"

#include <stdio.h>

#define INDENT 25

static int
length_of (const char *text)
{
  return text ? (int) g_utf8_strlen (text, -1) : 0;
}

void
cli_help_print (void)
{
  puts ("Easel makes pictures from words, on this machine alone.\n"
        "\n"
        "usage: easel-cli COMMAND [OPTIONS]\n");
  for (const CliCommand *command = cli_commands; command->name; command++)
    printf ("  %-10s %s\n", command->name, command->summary);
  puts ("  help       explain a command: easel-cli help generate\n"
        "\n"
        "The first picture, with the starter model that comes along:\n"
        "\n"
        "  easel-cli generate \"a red circle to the left of a blue square\"\n"
        "\n"
        "  -h, --help     this text\n"
        "  -V, --version  the program's version");
}

static void
print_option (const CliOption *option)
{
  g_autofree char *left = NULL;
  g_auto (GStrv) lines = g_strsplit (option->help, "\n", -1);
  int width;

  left = option->letter ? g_strdup_printf ("  -%c, --%s%s%s", option->letter, option->name, option->argument ? " " : "",
                                           option->argument ? option->argument : "")
                        : g_strdup_printf ("      --%s%s%s", option->name, option->argument ? " " : "",
                                           option->argument ? option->argument : "");
  width = length_of (left);
  if (width >= INDENT)
    printf ("%s\n%*s", left, INDENT, "");
  else
    printf ("%s%*s", left, INDENT - width, "");
  for (guint i = 0; lines[i]; i++)
    printf ("%*s%s\n", i ? INDENT : 0, "", lines[i]);
}

void
cli_help_print_command (const CliCommand *command)
{
  printf ("usage: easel-cli %s [OPTIONS]%s%s\n\n%s\n\nExamples\n\n%s\n\nOptions\n\n", command->name,
          command->positional ? " " : "", command->positional ? command->positional : "", command->description,
          command->examples);
  for (const CliOption *option = cli_options; option->name; option++)
    if (option->commands & command->bit)
      print_option (option);
  if (command->bit == CLI_GENERATE)
    puts ("\nWith --json each line is one event: start, progress, picture, error, end. The manual\n"
          "page easel-cli(1) lists their members. Exit status: 0 all pictures are made, 1 a\n"
          "sentence on standard error says why not, 2 the command line could not be\n"
          "understood, 130 stopped by Ctrl+C.");
}
