/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselWelcome: what stands on the stage before there is a picture: an invitation, a few prompts to press, and on the
 * first run what this machine can do. Signal "example" (string): make this.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define EASEL_TYPE_WELCOME (easel_welcome_get_type ())
G_DECLARE_FINAL_TYPE (EaselWelcome, easel_welcome, EASEL, WELCOME, AdwBin)

G_END_DECLS
