/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselOfferRow: a model that could be fetched, from the catalogue or a search; its button opens the dialog that says
 * what that means.
 */
#pragma once

#include "ui/models/hub-client.h"

G_BEGIN_DECLS

#define EASEL_TYPE_OFFER_ROW (easel_offer_row_get_type ())
G_DECLARE_FINAL_TYPE (EaselOfferRow, easel_offer_row, EASEL, OFFER_ROW, AdwActionRow)

/* budget: easel_engine_get_memory_budget. */
GtkWidget *easel_offer_row_new_entry (EaselHubClient *client, const EaselCatalogueEntry *entry, guint64 budget);
GtkWidget *easel_offer_row_new_hit (EaselHubClient *client, const EaselHubHit *hit);

G_END_DECLS
