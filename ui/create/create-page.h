/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselCreatePage: settings beside the stage, the queue below it.
 */
#pragma once

#include <adwaita.h>

#include "engine/core/request.h"

G_BEGIN_DECLS

#define EASEL_TYPE_CREATE_PAGE (easel_create_page_get_type ())
G_DECLARE_FINAL_TYPE (EaselCreatePage, easel_create_page, EASEL, CREATE_PAGE, AdwBin)

/* Queues what the controls say; while a waiting one is being changed, puts it back. */
void easel_create_page_generate (EaselCreatePage *self);
void easel_create_page_stop (EaselCreatePage *self, gboolean keep);
void easel_create_page_load (EaselCreatePage *self, EaselRequest *request);
/* Something was installed or removed. */
void easel_create_page_refresh_models (EaselCreatePage *self);
/* One setting of a request ("prompt", "size", "seed", …); the others stay as they are. */
gboolean easel_create_page_take_setting (EaselCreatePage *self, EaselRequest *request, const char *setting,
                                         GError **error);

G_END_DECLS
