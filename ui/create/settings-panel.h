/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselSettingsPanel: every control that makes a request. It asks the engine for the models and for each model's
 * defaults and rules on a worker thread, offers what the model can do and nothing else, and says under the button what
 * Generate will do before it does it. Signals: "edit-cancelled".
 */
#pragma once

#include <adwaita.h>

#include "engine/core/job.h"

G_BEGIN_DECLS

#define EASEL_TYPE_SETTINGS_PANEL (easel_settings_panel_get_type ())
G_DECLARE_FINAL_TYPE (EaselSettingsPanel, easel_settings_panel, EASEL, SETTINGS_PANEL, AdwBin)

/* What the controls say now. BAD_REQUEST with a sentence. Caller unrefs. */
EaselRequest *easel_settings_panel_build (EaselSettingsPanel *self, GError **error);
/* Sets every control that the request says something about. A model that is not here leaves the present one, with a
 * toast. */
void easel_settings_panel_load (EaselSettingsPanel *self, EaselRequest *request);
/* After a request was queued: remembers prompt and settings, rolls the dice unless the seed is locked. */
void easel_settings_panel_queued (EaselSettingsPanel *self, EaselRequest *request);
void easel_settings_panel_set_prompt (EaselSettingsPanel *self, const char *prompt);
void easel_settings_panel_focus_prompt (EaselSettingsPanel *self);
/* Looks again for models; what is chosen stays chosen. */
void easel_settings_panel_refresh_models (EaselSettingsPanel *self);
/* TRUE: the button puts a changed request back into the queue. */
void easel_settings_panel_set_editing (EaselSettingsPanel *self, gboolean editing);
/* How fast this machine was. bytes: of the file. */
void easel_settings_panel_learn (EaselSettingsPanel *self, EaselJob *job, gint64 bytes);

G_END_DECLS
