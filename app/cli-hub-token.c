/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * models login and logout: the token in the keyring. It is read from standard input, never from the command line, which
 * every program of the machine can read.
 */
#include "app/cli-hub.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "engine/hub/secret.h"

/* One line without showing what is typed; NULL at the end of the input. Free with easel_hub_token_free. */
static char *
read_token (void)
{
  char line[4200] = { 0 };
  struct termios shown, hidden;
  gboolean terminal = tcgetattr (STDIN_FILENO, &shown) == 0;
  char *token;

  if (terminal)
    {
      fputs ("Token (https://huggingface.co/settings/tokens; it is not shown): ", stderr);
      hidden = shown;
      hidden.c_lflag &= ~(tcflag_t) ECHO;
      tcsetattr (STDIN_FILENO, TCSAFLUSH, &hidden);
    }
  token = fgets (line, sizeof line, stdin) ? g_strdup (g_strstrip (line)) : NULL;
  explicit_bzero (line, sizeof line);
  if (terminal)
    {
      tcsetattr (STDIN_FILENO, TCSAFLUSH, &shown);
      fputc ('\n', stderr);
    }
  return token;
}

CliStatus
cli_hub_login (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, FALSE, &error);
  char *token;
  gboolean stored;

  if (!settings)
    return cli_failed (error);
  token = read_token ();
  stored = easel_hub_token_store (settings->endpoint, token ? token : "", &error);
  easel_hub_token_free (token);
  if (!stored)
    return cli_failed (error);
  if (!args->quiet)
    fprintf (stderr, "The token for %s is in the keyring.\n", settings->endpoint);
  return CLI_OK;
}

CliStatus
cli_hub_logout (const CliArgs *args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselHubSettings) settings = cli_hub_settings (args, FALSE, &error);

  if (!settings || !easel_hub_token_clear (settings->endpoint, &error))
    return cli_failed (error);
  if (!args->quiet)
    fprintf (stderr, "The keyring has no token for %s any more.\n", settings->endpoint);
  return CLI_OK;
}
