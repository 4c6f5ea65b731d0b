/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A prompt as diffusers' SanaPipeline sees it with clean_caption off: Python's text.lower ().strip (). Lower case by
 * Unicode's rules, the same in every locale (final sigma and dotted capital I included); white space as str.isspace ()
 * has it.
 */
#pragma once

#include "engine/core/error.h"

G_BEGIN_DECLS

/* text: UTF-8 of at most EASEL_PROMPT_MAX_BYTES. Returns the new text, caller frees. *origin (may be NULL) receives
 * [its bytes + 1] offsets into `text`: where the character that each byte belongs to came from; caller frees.
 * BAD_REQUEST: not UTF-8, too long. */
char *easel_prompt_lower_strip (const char *text, guint32 **origin, GError **error);

G_END_DECLS
