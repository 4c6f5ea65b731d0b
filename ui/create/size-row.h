/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselSizeRow: the size of the picture as named shapes (each drawn), and free numbers that explain the rule.
 * Properties: "width", "height" (pixels).
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define EASEL_TYPE_SIZE_ROW (easel_size_row_get_type ())
G_DECLARE_FINAL_TYPE (EaselSizeRow, easel_size_row, EASEL, SIZE_ROW, AdwPreferencesRow)

int easel_size_row_get_width (EaselSizeRow *self);
int easel_size_row_get_height (EaselSizeRow *self);
void easel_size_row_set_size (EaselSizeRow *self, int width, int height);
/* The model's own size and its step: shapes are sizes of about base x base pixels, sides multiples of `multiple`. */
void easel_size_row_set_model (EaselSizeRow *self, int base, int multiple);

G_END_DECLS
