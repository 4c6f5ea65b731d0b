/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the gallery's tests share: a gallery in a folder of its own, pictures in it.
 */
#pragma once

#include "engine/gallery/gallery.h"

typedef struct
{
  char *folder, *database;
  EaselGallery *gallery;
} Fixture;

/* A home of its own for this process, with the data and cache folders in it; before anything else. */
void fixture_home (void);
const char *fixture_get_home (void);
/* Removes it. */
void fixture_home_away (void);

void fixture_set_up (Fixture *f, gconstpointer data);
void fixture_tear_down (Fixture *f, gconstpointer data);
/* Closes and opens again. */
void fixture_reopen (Fixture *f, gboolean *rebuilt);

EaselRequest *fixture_request (const char *prompt, const char *model, gint64 seed);
/* Writes a picture of 8 x 6 into the gallery's folder; returns its path. */
char *fixture_file (Fixture *f, const char *prompt, const char *model, gint64 seed);
/* The same, and adds it. */
gint64 fixture_make (Fixture *f, const char *prompt, const char *model, gint64 seed);
guint fixture_count (Fixture *f, const char *text, int min_stars, const char *tag);
/* Runs SQL on the index from outside. */
void fixture_sql (const char *database, const char *sql);
