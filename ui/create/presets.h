/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselPresets: a button with the settings a person has saved under names. Each is a recipe (YAML) in a folder, so it
 * can be shared as a file and opened by easel-cli and by others. Signal "load" (pointer EaselRequest, borrowed): a
 * preset was chosen; what it leaves open is at its default there (guidance -1, sizes 0, no prompt).
 */
#pragma once

#include <adwaita.h>

#include "engine/core/request.h"

G_BEGIN_DECLS

#define EASEL_TYPE_PRESETS (easel_presets_get_type ())
G_DECLARE_FINAL_TYPE (EaselPresets, easel_presets, EASEL, PRESETS, AdwBin)

/* Says what would be saved; caller unrefs; NULL with an error. */
typedef EaselRequest *(*EaselPresetSource) (gpointer user_data, GError **error);

/* folder: made when something is saved. */
GtkWidget *easel_presets_new (const char *folder, EaselPresetSource source, gpointer user_data);

G_END_DECLS
