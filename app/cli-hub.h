/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cli-hub.c: `models WORD ...`, everything about models but listing them.
 */
#pragma once

#include "app/cli.h"

/* positional[0] is the word. */
CliStatus cli_hub (const CliArgs *args);
