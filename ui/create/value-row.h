/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselValueRow: a number as a slider and as digits that can be typed, with its default one click away.
 * Properties: "title" (of AdwPreferencesRow), "value", "default-value", "lower", "upper", "step", "digits".
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define EASEL_TYPE_VALUE_ROW (easel_value_row_get_type ())
G_DECLARE_FINAL_TYPE (EaselValueRow, easel_value_row, EASEL, VALUE_ROW, AdwPreferencesRow)

double easel_value_row_get_value (EaselValueRow *self);
/* Clamped to [lower, upper]; notifies only on change. */
void easel_value_row_set_value (EaselValueRow *self, double value);
/* When the value was the old default it follows the new one. */
void easel_value_row_set_default (EaselValueRow *self, double value);
void easel_value_row_set_range (EaselValueRow *self, double lower, double upper);
/* only: what is typed goes to the nearest step from the lower end. */
void easel_value_row_set_step (EaselValueRow *self, double step, gboolean only);

G_END_DECLS
