/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselModelsPage: the models that are installed: size, licence, and whether they fit this machine.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define EASEL_TYPE_MODELS_PAGE (easel_models_page_get_type ())
G_DECLARE_FINAL_TYPE (EaselModelsPage, easel_models_page, EASEL, MODELS_PAGE, AdwBin)

/* Looks at the folders again. */
void easel_models_page_refresh (EaselModelsPage *self);

G_END_DECLS
