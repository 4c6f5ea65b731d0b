/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The samplers that fit a model in an AdwComboRow, each with one line that says what it is like.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/* Gives the row its list; once. */
void easel_sampler_row_setup (AdwComboRow *row);
/* EaselSamplerInfo (static), the model's own first; what is chosen stays if it is there, else the model's own. */
void easel_sampler_row_set_samplers (AdwComboRow *row, GPtrArray *samplers);
/* NULL before there is a model. Static. */
const char *easel_sampler_row_get_name (AdwComboRow *row);
/* NULL, or one that is not there: the model's own. */
void easel_sampler_row_choose (AdwComboRow *row, const char *name);

G_END_DECLS
