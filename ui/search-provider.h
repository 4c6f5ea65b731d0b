/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselSearchProvider: the gallery in GNOME Shell's search, by the words of prompts (org.gnome.Shell.SearchProvider2).
 * Lives on the application's own bus name; the Shell starts the program as a service for it, without a window. Answers
 * come from a worker. Opening a result is the application's action "show-item", more results its action "search".
 */
#pragma once

#include <gio/gio.h>

#include "engine/gallery/gallery.h"

G_BEGIN_DECLS

#define EASEL_TYPE_SEARCH_PROVIDER (easel_search_provider_get_type ())
G_DECLARE_FINAL_TYPE (EaselSearchProvider, easel_search_provider, EASEL, SEARCH_PROVIDER, GObject)

/* Lends the gallery that is to be searched, or NULL. Main thread. */
typedef EaselGallery *(*EaselSearchSource) (GApplication *application);

EaselSearchProvider *easel_search_provider_new (GApplication *application, EaselSearchSource source);
gboolean easel_search_provider_register (EaselSearchProvider *self, GDBusConnection *bus, GError **error);
void easel_search_provider_unregister (EaselSearchProvider *self, GDBusConnection *bus);

G_END_DECLS
