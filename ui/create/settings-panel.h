/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselSettingsPanel: every control that makes a request. It knows the models, asks the engine for each model's
 * defaults and rules on a worker thread, and says under the button what Generate will do before it does it. Signals:
 * "generate" when the button is pressed.
 */
#pragma once

#include <adwaita.h>

#include "engine/core/request.h"

G_BEGIN_DECLS

#define EASEL_TYPE_SETTINGS_PANEL (easel_settings_panel_get_type ())
G_DECLARE_FINAL_TYPE (EaselSettingsPanel, easel_settings_panel, EASEL, SETTINGS_PANEL, AdwBin)

/* What the controls say now. BAD_REQUEST with a sentence. Caller unrefs. */
EaselRequest *easel_settings_panel_build (EaselSettingsPanel *self, GError **error);
/* Sets every control. */
void easel_settings_panel_load (EaselSettingsPanel *self, EaselRequest *request);
/* After a request was queued: remembers prompt and settings, rolls the dice unless the seed is locked. */
void easel_settings_panel_queued (EaselSettingsPanel *self, EaselRequest *request);
void easel_settings_panel_focus_prompt (EaselSettingsPanel *self);
/* How fast this machine was: operations and seconds of a finished job. */
void easel_settings_panel_learn (EaselSettingsPanel *self, EaselRequest *request, double seconds);

G_END_DECLS
