/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/* Shows the preferences over the window that `parent` is in. */
void easel_preferences_present (GtkWidget *parent);

G_END_DECLS
