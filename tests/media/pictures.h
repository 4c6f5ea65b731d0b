/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of media share. Everything aborts the test when it fails.
 */
#pragma once

#include "engine/core/picture.h"

/* A picture with slopes, edges and a little noise, the same every time; its request is complete. */
EaselPicture *pictures_new (int width, int height, const char *prompt, const char *negative);
EaselPicture *pictures_new_with_model (int width, int height, const char *prompt, const char *negative,
                                       const char *model);

/* An empty folder of its own; the path is freed by the caller after pictures_remove_folder (). */
char *pictures_make_folder (void);
void pictures_remove_folder (const char *folder);
/* Everything in it, hidden files too. */
guint pictures_count_files (const char *folder);
