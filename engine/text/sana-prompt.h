/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The prompt rules of diffusers' SanaPipeline: the complex human instruction before the prompt (not before the negative
 * prompt), max_length = tokens(instruction) + max_tokens - 2, then the hidden states [0] + the last max_tokens - 1 are
 * kept with their mask; prompts are lower-cased and stripped (clean_caption off); right padding whatever the file says.
 */
#pragma once

#include "engine/text/gemma2.h"
#include "engine/text/tokenizer.h"

G_BEGIN_DECLS

/* The default complex_human_instruction, lines joined by newlines, as SanaPipeline.__call__ has it. */
const char *easel_sana_human_instruction (void);

typedef struct
{
  int length;     /* tokens the encoder runs over */
  int n_selected; /* tokens kept: max_tokens */
  int n_prompt;   /* tokens of the person's text, for the token meter (may exceed what fits) */
  gint32 *ids;    /* [length] */
  guint8 *mask;   /* [length] */
  int *select;    /* [n_selected] indices into length */
} EaselSanaTokens;

/* instruction NULL: none (negative prompts; models without). Free with easel_sana_tokens_free(). */
EaselSanaTokens *easel_sana_tokens_new (EaselTokenizer *tokenizer, const char *text, const char *instruction,
                                        int max_tokens, GError **error);
void easel_sana_tokens_free (EaselSanaTokens *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselSanaTokens, easel_sana_tokens_free)

/* Encodes and selects. embeds: [n_selected, hidden] act from the arena; mask: host u8 [n_selected], caller gives. */
gboolean easel_sana_encode_prompt (EaselGemma2 *encoder, EaselStream *stream, const EaselSanaTokens *tokens,
                                   EaselTensor *embeds, guint8 *mask, EaselJob *job, GError **error);

G_END_DECLS
