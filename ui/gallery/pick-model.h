/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselPickModel: a selection that only grows and shrinks on purpose. GTK's list views select whatever the focus moves
 * to; here the focus moves alone, and Space, Shift and the pointer pick.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define EASEL_TYPE_PICK_MODEL (easel_pick_model_get_type ())
G_DECLARE_FINAL_TYPE (EaselPickModel, easel_pick_model, EASEL, PICK_MODEL, GObject)

/* Takes a reference to the list. A GtkSelectionModel over it. */
EaselPickModel *easel_pick_model_new (GListModel *list);

G_END_DECLS
