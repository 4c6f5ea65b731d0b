/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselSizeRow: the shapes a model can make, drawn and named, and both sides to type, with the rule beside them.
 * Properties "width", "height" (read).
 */
#pragma once

#include <adwaita.h>

#include "engine/core/pipeline.h"

G_BEGIN_DECLS

#define EASEL_TYPE_SIZE_ROW (easel_size_row_get_type ())
G_DECLARE_FINAL_TYPE (EaselSizeRow, easel_size_row, EASEL, SIZE_ROW, AdwPreferencesRow)

int easel_size_row_get_width (EaselSizeRow *self);
int easel_size_row_get_height (EaselSizeRow *self);
/* Brought into what the model can do. */
void easel_size_row_set_size (EaselSizeRow *self, int width, int height);
/* Says that nothing is made at the nearest trained shape and cut. */
void easel_size_row_set_exact (EaselSizeRow *self, gboolean exact);
/* What can be chosen; goes to the model's own size when the present one was the last model's own, or cannot be kept. */
void easel_size_row_set_rules (EaselSizeRow *self, const EaselModelRules *rules);

G_END_DECLS
