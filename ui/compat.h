/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What differs between GTK 4.8 / libadwaita 1.2 (Debian 12) and today's. The only file that names newer widgets; the
 * project is compiled with MIN_REQUIRED and MAX_ALLOWED at 4.8 / 1.2, and compat.c alone lifts the latter.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

typedef void (*EaselConfirmed) (gpointer user_data);
/* Asks; `confirmed` is called only when the person agreed. destructive colours the button red. user_data: a GObject,
 * kept until the answer, or NULL. */
void easel_compat_confirm (GtkWidget *parent, const char *heading, const char *body, const char *label,
                           gboolean destructive, EaselConfirmed confirmed, gpointer user_data);

typedef struct
{
  const char *name, *icon, *version, *developer, *website, *issue_url, *copyright, *translators;
} EaselAbout;
void easel_compat_about (GtkWidget *parent, const EaselAbout *about);

/* `file` is NULL when the person changed their mind. Borrowed. */
typedef void (*EaselFileChosen) (GFile *file, gpointer user_data);
void easel_compat_save_file (GtkWindow *parent, const char *title, const char *name, EaselFileChosen chosen,
                             gpointer user_data);
void easel_compat_open_file (GtkWindow *parent, const char *title, EaselFileChosen chosen, gpointer user_data);
void easel_compat_choose_folder (GtkWindow *parent, const char *title, EaselFileChosen chosen, gpointer user_data);

/* Told when a program was asked to open a file: problem is NULL or a sentence. */
typedef void (*EaselOpened) (const char *problem, gpointer user_data);
/* Opens a file in another program, through the portal inside a sandbox; where GTK can, the person chooses which. */
void easel_compat_open_with (GtkWindow *parent, GFile *file, EaselOpened opened, gpointer user_data);
/* Shows a file among its neighbours in the file manager. */
void easel_compat_show_in_folder (GtkWindow *parent, GFile *file, EaselOpened opened, gpointer user_data);

/* Before a text view goes: GTK 4.18 tells screen readers of the buffer that it gives back when it is finalised, and
 * takes a reference to itself for that. */
void easel_compat_text_view_ends (GtkTextView *view);

/* Preferences as the platform shows them: pages are AdwPreferencesPage. */
void easel_compat_present_preferences (GtkWidget *parent, const char *title, GPtrArray *pages);

/* Wide: the switcher in the header bar; narrow: the bar at the bottom. */
void easel_compat_setup_switcher (AdwApplicationWindow *window, AdwHeaderBar *bar, AdwViewStack *stack,
                                  AdwViewSwitcherBar *bottom);

/* A side pane beside content that becomes an overlay when the window is narrow. Setting "show-sidebar" (newer) or
 * "reveal-flap" goes through easel_compat_split_set_shown(). */
GtkWidget *easel_compat_split_new (GtkWidget *side, GtkWidget *content, gboolean at_end);
void easel_compat_split_set_shown (GtkWidget *split, gboolean shown);
gboolean easel_compat_split_get_shown (GtkWidget *split);
/* TRUE when the side covers the content. */
gboolean easel_compat_split_is_folded (GtkWidget *split);
/* callback (gpointer instance, GParamSpec *, GObject *split) when that changes, while `instance` lives. */
void easel_compat_split_watch_folded (GtkWidget *split, GCallback callback, gpointer instance);

G_END_DECLS
