/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What can be done with items of the gallery, one or many: on worker threads, told by toasts in the window of `widget`,
 * which must be in one. Ids are copied.
 */
#pragma once

#include <gtk/gtk.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

/* With an undo; asks before deleting for good where there is no trash. */
void easel_gallery_actions_trash (GtkWidget *widget, GArray *ids);
void easel_gallery_actions_untrash (GtkWidget *widget, GArray *ids);
/* Out of the gallery; the files stay. */
void easel_gallery_actions_forget (GtkWidget *widget, GArray *ids);
void easel_gallery_actions_set_stars (GtkWidget *widget, GArray *ids, int stars);
/* Words with commas between them; either may be "". */
void easel_gallery_actions_edit_tags (GtkWidget *widget, GArray *ids, const char *add, const char *remove);
/* The whole list of one item. */
void easel_gallery_actions_set_tags (GtkWidget *widget, gint64 id, const char *tags);
/* Asks for format and place. */
void easel_gallery_actions_export (GtkWidget *widget, GArray *ids);
/* Each one's own program, or the one the person chooses. */
void easel_gallery_actions_open (GtkWidget *widget, const char *path);
void easel_gallery_actions_show_in_folder (GtkWidget *widget, const char *path);
/* Queues the picture again, or four with other seeds. */
void easel_gallery_actions_make_again (GtkWidget *widget, EaselRequest *request);
void easel_gallery_actions_make_variations (GtkWidget *widget, EaselRequest *request);

/* Files, for the clipboard and for dragging out; with the pixels of `texture` unless NULL. Paths are copied. Caller
 * unrefs. */
GdkContentProvider *easel_gallery_actions_content (const char *const *paths, GdkTexture *texture);

G_END_DECLS
