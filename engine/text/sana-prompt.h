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
  int length;     /* tokens with padding, as diffusers would run them */
  int n_real;     /* tokens without: what the encoder runs over here */
  int n_selected; /* tokens kept: max_tokens */
  int n_prompt;   /* tokens of the person's text, for the token meter (may exceed what fits) */
  gint32 *ids;    /* [length] */
  guint8 *mask;   /* [length] n_real ones, then zeros */
  int *select;    /* [n_selected] indices into length */
} EaselSanaTokens;

/* instruction NULL or "": none (negative prompts; models without). max_tokens: 2 to 8192; diffusers' default is 300.
 * Free with easel_sana_tokens_free(). Any thread. BAD_REQUEST: text not UTF-8 or longer than EASEL_PROMPT_MAX_BYTES. */
EaselSanaTokens *easel_sana_tokens_new (EaselTokenizer *tokenizer, const char *text, const char *instruction,
                                        int max_tokens, GError **error);
/* From ids [length] made elsewhere: real tokens, then pad_id to the end. BAD_REQUEST. */
EaselSanaTokens *easel_sana_tokens_new_from_ids (const gint32 *ids, int length, gint32 pad_id, int max_tokens,
                                                 GError **error);
void easel_sana_tokens_free (EaselSanaTokens *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselSanaTokens, easel_sana_tokens_free)

/* The meter for the person's text under these rules; cut counts bytes of `text` as it was typed. Fails as
 * easel_sana_tokens_new() does. Any thread. */
gboolean easel_sana_token_meter (EaselTokenizer *tokenizer, const char *text, const char *instruction, int max_tokens,
                                 EaselTokenMeter *out, GError **error);

/* Encodes and selects. embeds: [n_selected, hidden] act from the arena; mask: host u8 [n_selected], caller gives.
 * Only real tokens are computed: the order is causal and padding is on the right, so none of them sees it. Rows with
 * mask 0 are zeros (diffusers has values there, which its masked cross-attention does not look at). */
gboolean easel_sana_encode_prompt (EaselGemma2 *encoder, EaselStream *stream, const EaselSanaTokens *tokens,
                                   EaselTensor *embeds, guint8 *mask, EaselJob *job, GError **error);

/* Host bytes that stay with the encoder after such a prompt, for plans: what it remembers of the instruction. */
gsize easel_sana_prompt_bytes (EaselGemma2 *encoder, const EaselSanaTokens *tokens, EaselDtype act);

G_END_DECLS
