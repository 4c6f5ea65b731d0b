/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselPromptBox: the words. Checks their spelling, remembers those used before (Alt+Up, Alt+Down walk through them),
 * counts tokens with the model's own tokenizer on a worker thread and greys what the model will not see.
 * Signal "changed".
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define EASEL_TYPE_PROMPT_BOX (easel_prompt_box_get_type ())
G_DECLARE_FINAL_TYPE (EaselPromptBox, easel_prompt_box, EASEL, PROMPT_BOX, AdwBin)

/* Caller frees. */
char *easel_prompt_box_dup_text (EaselPromptBox *self);
void easel_prompt_box_set_text (EaselPromptBox *self, const char *text);
/* Whose tokenizer counts. max_tokens: 0 the model's own. */
void easel_prompt_box_set_model (EaselPromptBox *self, const char *model);
/* Puts a prompt that was used at the front of the history. */
void easel_prompt_box_remember (EaselPromptBox *self, const char *prompt);
void easel_prompt_box_focus (EaselPromptBox *self);
/* A widget beside the history button. */
void easel_prompt_box_add_tool (EaselPromptBox *self, GtkWidget *tool);

G_END_DECLS
