/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See sana-prompt.h. Reference: SanaPipeline._get_gemma_prompt_embeds and encode_prompt.
 */
#include "engine/text/sana-prompt.h"

#include <string.h>

#include "engine/text/encoder.h"
#include "engine/text/prompt-text.h"
#include "kernels/ops.h"

/* Part of the trained models' input (a constant of the pipeline's interface): every character counts. */
const char *
easel_sana_human_instruction (void)
{
  return "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for "
         "image generation. Evaluate the level of detail in the user prompt:\n"
         "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial "
         "relationships to create vivid and concrete scenes.\n"
         "- If the prompt is already detailed, refine and enhance the existing details slightly without "
         "overcomplicating.\n"
         "Here are examples of how to transform or refine prompts:\n"
         "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping "
         "peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.\n"
         "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing "
         "street lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering "
         "glass skyscrapers.\n"
         "Please generate only the enhanced description for the prompt below and avoid including any additional "
         "commentary or evaluations:\n"
         "User Prompt: ";
}

/* The text as the tokenizer sees it, and what became of it. */
typedef struct
{
  GArray *tokens;   /* EaselToken, not cut */
  guint32 *origin;  /* byte of the lowered prompt -> byte of the person's text */
  gsize prefix;     /* bytes of the instruction */
  int length;       /* places there are */
  int first;        /* first token with something of the person's text in it */
} Reading;

static void
reading_clear (Reading *self)
{
  g_clear_pointer (&self->tokens, g_array_unref);
  g_clear_pointer (&self->origin, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reading, reading_clear)

static gboolean
check_max_tokens (int max_tokens, GError **error)
{
  if (max_tokens >= 2 && max_tokens <= 8192)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "max_sequence_length is %d; it can be 2 to 8192.",
               max_tokens);
  return FALSE;
}

static gboolean
read_prompt (EaselTokenizer *tokenizer, const char *text, const char *instruction, int max_tokens, Reading *out,
             GError **error)
{
  g_autofree char *low = NULL, *full = NULL;

  if (!check_max_tokens (max_tokens, error))
    return FALSE;
  low = easel_prompt_lower_strip (text, &out->origin, error);
  if (low == NULL)
    return FALSE;
  out->length = max_tokens;
  if (instruction != NULL && instruction[0] != 0)
    {
      g_autoptr (GArray) alone = easel_tokenizer_tokens (tokenizer, instruction, error);

      if (alone == NULL)
        return FALSE;
      out->length = (int) alone->len + max_tokens - 2;
      out->prefix = strlen (instruction);
    }
  full = g_strconcat (out->prefix > 0 ? instruction : "", low, NULL);
  out->tokens = easel_tokenizer_tokens (tokenizer, full, error);
  if (out->tokens == NULL)
    return FALSE;
  for (out->first = 1; out->first < (int) out->tokens->len; out->first++)
    {
      const EaselToken *t = &g_array_index (out->tokens, EaselToken, out->first);

      if (t->end > out->prefix || t->begin >= out->prefix)
        break;
    }
  return TRUE;
}

/* Room for `length` tokens, with select = [0] + the last max_tokens - 1. */
static EaselSanaTokens *
tokens_alloc (int length, int max_tokens)
{
  EaselSanaTokens *self = g_new0 (EaselSanaTokens, 1);

  self->length = length;
  self->n_selected = max_tokens;
  self->ids = g_new0 (gint32, length);
  self->mask = g_new0 (guint8, length);
  self->select = g_new0 (int, max_tokens);
  for (int i = 1; i < max_tokens; i++)
    self->select[i] = length - max_tokens + i;
  return self;
}

EaselSanaTokens *
easel_sana_tokens_new (EaselTokenizer *tokenizer, const char *text, const char *instruction, int max_tokens,
                       GError **error)
{
  g_auto (Reading) r = { NULL };
  EaselSanaTokens *self;

  if (!read_prompt (tokenizer, text, instruction, max_tokens, &r, error))
    return NULL;
  if (r.length < max_tokens)
    {
      /* An instruction of one token: diffusers would ask for a place before the first. */
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "The instruction before the prompt is too short.");
      return NULL;
    }
  self = tokens_alloc (r.length, max_tokens);
  self->n_real = MIN ((int) r.tokens->len, r.length);
  self->n_prompt = (int) r.tokens->len - r.first;
  for (int i = 0; i < r.length; i++)
    {
      self->mask[i] = i < self->n_real;
      self->ids[i] = self->mask[i] ? g_array_index (r.tokens, EaselToken, i).id : easel_tokenizer_pad_id (tokenizer);
    }
  return self;
}

EaselSanaTokens *
easel_sana_tokens_new_from_ids (const gint32 *ids, int length, gint32 pad_id, int max_tokens, GError **error)
{
  EaselSanaTokens *self;

  if (!check_max_tokens (max_tokens, error))
    return NULL;
  if (length < max_tokens || length > EASEL_ENCODER_MAX_TOKENS)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%d tokens do not hold the %d to keep.", length,
                   max_tokens);
      return NULL;
    }
  self = tokens_alloc (length, max_tokens);
  for (self->n_real = length; self->n_real > 1 && ids[self->n_real - 1] == pad_id;)
    self->n_real--;
  self->n_prompt = self->n_real - 1;
  memcpy (self->ids, ids, sizeof (gint32) * (gsize) length);
  memset (self->mask, 1, (gsize) self->n_real);
  return self;
}

void
easel_sana_tokens_free (EaselSanaTokens *self)
{
  if (self == NULL)
    return;
  g_free (self->ids);
  g_free (self->mask);
  g_free (self->select);
  g_free (self);
}

gboolean
easel_sana_token_meter (EaselTokenizer *tokenizer, const char *text, const char *instruction, int max_tokens,
                        EaselTokenMeter *out, GError **error)
{
  g_auto (Reading) r = { NULL };

  if (!read_prompt (tokenizer, text, instruction, max_tokens, &r, error))
    return FALSE;
  out->used = (int) r.tokens->len - r.first;
  out->limit = MAX (0, r.length - r.first);
  out->cut = strlen (text);
  if ((int) r.tokens->len > r.length)
    {
      guint32 begin = g_array_index (r.tokens, EaselToken, MAX (r.length, r.first)).begin;

      out->cut = r.origin[begin > r.prefix ? begin - r.prefix : 0];
    }
  return TRUE;
}

/* An instruction shorter than this, or a prompt longer, is not worth remembering the instruction for. */
#define MIN_PREFIX 32
#define MAX_AFTER_PREFIX 512

/* How many tokens of the instruction are remembered; 0: none. Between the first token and the others that are kept lies
 * the instruction, the same for every prompt. On a card a pass over it takes no longer than bringing back what is
 * remembered. */
static int
remembered (const EaselSanaTokens *tokens, EaselDtype act)
{
  int from = tokens->select[1], after = tokens->n_real - from;

  return from >= MIN_PREFIX && after > 0 && after <= MAX_AFTER_PREFIX && act == EASEL_DTYPE_F32 ? from : 0;
}

gsize
easel_sana_prompt_bytes (EaselGemma2 *encoder, const EaselSanaTokens *tokens, EaselDtype act)
{
  return easel_gemma2_prefix_bytes (encoder, remembered (tokens, act), act);
}

/* The states that are kept, up to the first that is not real: *states [n, hidden]. */
static gboolean
encode_kept (EaselGemma2 *encoder, EaselStream *s, const EaselSanaTokens *tokens, EaselTensor *states, EaselJob *job,
             GError **error)
{
  int from = tokens->select[1], after = tokens->n_real - from;
  EaselTensor all;

  if (remembered (tokens, s->act_dtype) > 0)
    return easel_gemma2_encode_after (encoder, s, from, after, tokens->ids, states, job, error);
  if (!easel_gemma2_encode (encoder, s, 1, tokens->n_real, tokens->ids, NULL, &all, NULL, job, error))
    return FALSE;
  all = easel_tensor_as (all, tokens->n_real, all.shape[2]);
  if (from <= 1)
    *states = all;
  else if (after < 1)
    *states = easel_tensor_rows (all, 0, 1);
  else
    {
      /* The first token's state takes the place before the others. */
      *states = easel_tensor_rows (all, from - 1, after + 1);
      easel_cast (s, .x = easel_tensor_rows (all, 0, 1), .y = easel_tensor_rows (*states, 0, 1));
    }
  return TRUE;
}

gboolean
easel_sana_encode_prompt (EaselGemma2 *encoder, EaselStream *stream, const EaselSanaTokens *tokens, EaselTensor *embeds,
                          guint8 *mask, EaselJob *job, GError **error)
{
  int hidden_size = easel_gemma2_hidden_size (encoder), n = tokens->n_selected, n_kept;
  EaselDtype act = stream->act_dtype;
  size_t start = easel_stream_mark (stream), mark;
  g_autofree void *zeros = g_try_malloc0_n ((gsize) n * (gsize) hidden_size, easel_dtype_size (act));
  EaselTensor y, states;
  gboolean ok;

  if (zeros == NULL)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read the prompt.");
      return FALSE;
    }
  y = easel_new (stream, act, n, hidden_size);
  mark = easel_stream_mark (stream);
  ok = encode_kept (encoder, stream, tokens, &states, job, error);
  if (ok)
    {
      n_kept = (int) states.shape[0];
      easel_cast (stream, .x = states, .y = easel_tensor_rows (y, 0, n_kept));
      if (n_kept < n && easel_stream_ok (stream))
        easel_upload (stream, easel_tensor_rows (y, n_kept, n - n_kept), zeros);
      memset (mask, 0, (gsize) n);
      memset (mask, 1, (gsize) n_kept);
      ok = easel_encoder_check (stream, job, error);
    }
  easel_stream_release (stream, ok ? mark : start);
  if (ok)
    *embeds = y;
  return ok;
}
