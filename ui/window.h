/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselWindow: Create, Gallery and Models behind one switcher. Holds no state of its own beyond its size; pages bind to
 * the application's rooms.
 */
#pragma once

#include "ui/application.h"

G_BEGIN_DECLS

#define EASEL_TYPE_WINDOW (easel_window_get_type ())
G_DECLARE_FINAL_TYPE (EaselWindow, easel_window, EASEL, WINDOW, AdwApplicationWindow)

EaselWindow *easel_window_new (EaselApplication *application);

/* A picture made by Easel: its settings go to Create. Others: a toast says what the file is not. */
void easel_window_open_file (EaselWindow *self, GFile *file);
/* Shows the gallery's item. */
void easel_window_show_item (EaselWindow *self, gint64 id);
/* Puts a request into Create and shows that page. */
void easel_window_edit_request (EaselWindow *self, EaselRequest *request);
/* Puts one setting of a request into Create ("prompt", "negative", "model", "size", "seed", "steps", "guidance",
 * "sampler", "frames", "fps"); the page stays. */
void easel_window_take_setting (EaselWindow *self, EaselRequest *request, const char *setting);
/* Shows the gallery with these words searched for. */
void easel_window_search (EaselWindow *self, const char *words);
/* For the next start. */
void easel_window_remember_size (EaselWindow *self);
/* A sentence that goes away by itself. */
void easel_window_toast (EaselWindow *self, const char *message);
/* The window a widget is in; NULL before it is in one. */
EaselWindow *easel_window_of (gpointer widget);
AdwToastOverlay *easel_window_get_toasts (EaselWindow *self);

G_END_DECLS
