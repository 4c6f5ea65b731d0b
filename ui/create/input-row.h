/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselInputRow: the picture or clip that a model begins with: chosen, dropped onto it, or taken away again.
 * The thumbnail has the shape of what is made, and shows what is kept of it. Property "path" (NULL: none).
 */
#pragma once

#include <adwaita.h>

#include "engine/core/pipeline.h"

G_BEGIN_DECLS

#define EASEL_TYPE_INPUT_ROW (easel_input_row_get_type ())
G_DECLARE_FINAL_TYPE (EaselInputRow, easel_input_row, EASEL, INPUT_ROW, AdwActionRow)

const char *easel_input_row_get_path (EaselInputRow *self);
void easel_input_row_set_path (EaselInputRow *self, const char *path);
/* Whether one of another shape stands between bars, or is cut. */
void easel_input_row_set_fits (EaselInputRow *self, gboolean fits);
/* The clip's size in pixels, whose shape the thumbnail has. */
void easel_input_row_set_size (EaselInputRow *self, int width, int height);
/* What the model takes; EASEL_INPUT_NONE hides the row. */
void easel_input_row_set_kind (EaselInputRow *self, EaselInput kind);

G_END_DECLS
