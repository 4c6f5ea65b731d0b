/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Scrolling over a number that does not have the focus scrolls the page it is on, not the number: nobody changes a
 * setting by passing over it. */
void easel_scroll_guard (GtkWidget *widget);

G_END_DECLS
