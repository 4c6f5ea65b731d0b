/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Spell checking of a text view with Enchant, where that library and a dictionary are installed; without them nothing
 * happens. It is looked for at run time, on a worker thread.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Underlines unknown words and offers others in the context menu, as long as the view lives. */
void easel_spelling_attach (GtkTextView *view);

G_END_DECLS
