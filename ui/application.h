/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselApplication: the desktop program. One instance; owns the engine, the gallery and the settings, and lends them to
 * pages. Main thread only.
 */
#pragma once

#include <adwaita.h>

#include "engine/core/engine.h"
#include "engine/gallery/gallery.h"
#include "engine/queue/queue.h"
#include "ui/models/hub-client.h"

G_BEGIN_DECLS

#define EASEL_APPLICATION_ID "io.github.easelstudio.Easel"

#define EASEL_TYPE_APPLICATION (easel_application_get_type ())
G_DECLARE_FINAL_TYPE (EaselApplication, easel_application, EASEL, APPLICATION, AdwApplication)

/* What main() found out about the surroundings (ui/ and engine/ do not look themselves). Copied. */
typedef struct
{
  const char *const *model_roots; /* NULL-terminated, first wins */
  const char *pictures_folder;    /* where new pictures go unless the person chose another */
  const char *data_folder;        /* the gallery's index, the queues, presets */
  const char *converted_folder;   /* see EaselEngineSettings.cache_folder */
  EaselHubClientPlaces hub;
} EaselApplicationSettings;

EaselApplication *easel_application_new (const EaselApplicationSettings *settings);

/* The one that is running, for widgets; borrowed. */
EaselApplication *easel_application_get (void);

/* After the run: begin another one (the person changed what is read at the start). */
gboolean easel_application_wants_restart (EaselApplication *self);
/* The first time everything on the Create page can be used. Signal "usable", for measuring. */
void easel_application_note_usable (EaselApplication *self);

/* Borrowed; NULL while starting failed, with the reason in easel_application_get_problem(). */
EaselEngine *easel_application_get_engine (EaselApplication *self);
EaselGallery *easel_application_get_gallery (EaselApplication *self);
EaselQueue *easel_application_get_queue (EaselApplication *self);
EaselHubClient *easel_application_get_hub (EaselApplication *self);
GSettings *easel_application_get_settings (EaselApplication *self);
/* Where the program keeps its own files. Borrowed. */
const char *easel_application_get_data_folder (EaselApplication *self);
/* A sentence for a banner, or NULL. Borrowed. */
const char *easel_application_get_problem (EaselApplication *self);

G_END_DECLS
