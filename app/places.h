/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where models are. Only app/ knows about the environment; the engine gets a list of folders.
 */
#pragma once

#include <glib.h>

/* Folders that hold model folders, first wins, NULL-terminated; free with g_strfreev. `first` (may be NULL): those the
 * person names, kept even when they are not there, so that the error says so. Then EASEL_MODELS (with colons), the
 * person's data folder, the cache of the Hub, and what came with this program: beside it wherever its prefix was moved
 * to, or data/starter of the source tree it was built in. */
char **easel_places_model_roots (const char *const *first);

/* Where new pictures go unless a person chose another folder; where the gallery's index and the queue are. Callers
 * free. */
char *easel_places_pictures (void);
char *easel_places_data (void);

/* Where what can be made again is kept; here: weights converted to 8 bits. Caller frees. */
char *easel_places_converted (void);

/* For the desktop program, before anything of GTK: lets it run from its build folder, where the settings' schema is
 * compiled but not installed. Does nothing for an installed program. */
void easel_places_prepare (void);

/* The catalogue of models that came with the program, NULL when it is not there; the person's own, there or not.
 * Callers free. */
char *easel_places_catalogue (void);
char *easel_places_own_catalogue (void);

/* Where translations are: of the build folder the program stands in, beside it, or where they were to be installed.
 * Caller frees. */
char *easel_places_locale_dir (void);
