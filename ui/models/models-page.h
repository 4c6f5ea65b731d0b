/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselModelsPage: downloads, the models that are here, those that could be, and a search on the Hub.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define EASEL_TYPE_MODELS_PAGE (easel_models_page_get_type ())
G_DECLARE_FINAL_TYPE (EaselModelsPage, easel_models_page, EASEL, MODELS_PAGE, AdwBin)

/* Looks at the folders again, on a worker thread. */
void easel_models_page_refresh (EaselModelsPage *self);

G_END_DECLS
