/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The normalisation table inside a SentencePiece model. Layout, little endian:
 *
 *   u32 trie_bytes | u32 unit[trie_bytes / 4] | replacement strings, each ended by NUL
 *
 * The units are a Darts-clone double array (Aoe, "An efficient digital search algorithm"; darts.h of the clone says the
 * bits): bits 0..7 label, 8 has_leaf, 9 offset is shifted by 8, 10..30 offset, 31 marks a value instead of a node. The
 * children of node p lie in the block of 256 around base = p ^ offset; the child for byte c is at base ^ c when its
 * label is c; has_leaf says that unit[base] holds a value: where the replacement starts.
 *
 * A lookup starts at unit 0 and trusts all of it. It collects matches into an array of 32 and then reads as many as it
 * counted.
 */
#include "engine/text/spm-model.h"

#include <string.h>

#define MAX_TRIE_BYTES (4u << 20)
#define MAX_MATCHES 32     /* Normalizer::kMaxTrieResultsSize */
#define MAX_KEY_BYTES 256  /* deepest path; longest key of NFKC is far below */
#define MAX_REPLACEMENT 256 /* longest replacement in bytes; U+FDFA takes 33 */

enum
{
  NEW,
  OPEN,
  DONE
};

typedef struct
{
  const guint8 *trie;
  guint32 n_units;
  const char *strings;
  gsize n_strings;
  guint8 *state;   /* [n_units] */
  guint8 *matches; /* [n_units] most matches on a path that starts at this node, once DONE */
} Charsmap;

static guint32
unit_at (const Charsmap *self, guint32 i)
{
  guint32 unit;

  memcpy (&unit, self->trie + (gsize) i * 4, 4);
  return GUINT32_FROM_LE (unit);
}

static guint32
base_of (guint32 node, guint32 unit)
{
  return node ^ ((unit >> 10) << ((unit & (1u << 9)) >> 6));
}

/* What is wrong with a node by itself; NULL when nothing is. */
static const char *
check_node (const Charsmap *self, guint32 node)
{
  guint32 unit = unit_at (self, node), base = base_of (node, unit), value;
  const char *text, *end;

  if ((base | 0xFFu) >= self->n_units)
    return "a branch leads out of its table";
  if (!(unit >> 8 & 1))
    return NULL;
  value = unit_at (self, base) & 0x7FFFFFFFu;
  if (value >= self->n_strings)
    return "a replacement lies outside of it";
  text = self->strings + value;
  end = memchr (text, 0, MIN (self->n_strings - value, MAX_REPLACEMENT + 1));
  if (end == NULL)
    return "a replacement is too long";
  if (!g_utf8_validate_len (text, (gsize) (end - text), NULL))
    return "a replacement is not UTF-8";
  return NULL;
}

/* Depth first over all nodes a text can reach, each once. */
static const char *
walk (Charsmap *self)
{
  struct
  {
    guint32 node;
    guint16 next; /* label to look at */
  } stack[MAX_KEY_BYTES + 1];
  int depth = 0;
  const char *problem = check_node (self, 0);

  if (problem != NULL)
    return problem;
  stack[0].node = 0;
  stack[0].next = 0;
  self->state[0] = OPEN;
  while (depth >= 0)
    {
      guint32 node = stack[depth].node, unit = unit_at (self, node), base = base_of (node, unit), child = 0;
      gboolean found = FALSE;
      guint own;

      while (stack[depth].next < 256 && !found)
        {
          guint32 label = stack[depth].next++;

          child = base ^ label;
          found = (unit_at (self, child) & (1u << 31 | 0xFFu)) == label;
        }
      if (found && self->state[child] == OPEN)
        return "it runs in a circle";
      if (found && self->state[child] == NEW)
        {
          if (depth == MAX_KEY_BYTES)
            return "a rule is too long";
          if ((problem = check_node (self, child)) != NULL)
            return problem;
          self->state[child] = OPEN;
          stack[++depth].node = child;
          stack[depth].next = 0;
          continue;
        }
      if (found)
        {
          self->matches[node] = MAX (self->matches[node], self->matches[child]);
          continue;
        }
      /* All children are done. Reaching the root is no match. */
      own = self->matches[node] + (node != 0 && (unit >> 8 & 1) ? 1 : 0);
      if (own > MAX_MATCHES)
        return "too many rules begin alike";
      self->matches[node] = (guint8) own;
      self->state[node] = DONE;
      depth--;
      if (depth >= 0)
        self->matches[stack[depth].node] = MAX (self->matches[stack[depth].node], (guint8) own);
    }
  return NULL;
}

gboolean
easel_spm_charsmap_check (const guint8 *data, gsize size, const char *where, GError **error)
{
  Charsmap self = { NULL };
  guint32 trie_bytes;
  const char *problem;

  if (size < 4)
    problem = "it is cut short";
  else
    {
      memcpy (&trie_bytes, data, 4);
      trie_bytes = GUINT32_FROM_LE (trie_bytes);
      if (trie_bytes > MAX_TRIE_BYTES || trie_bytes >= size - 4 || trie_bytes % 4 != 0 || trie_bytes == 0)
        problem = "its sizes do not fit";
      else
        {
          self.trie = data + 4;
          self.n_units = trie_bytes / 4;
          self.strings = (const char *) data + 4 + trie_bytes;
          self.n_strings = size - 4 - trie_bytes;
          self.state = g_try_malloc0 (self.n_units);
          self.matches = g_try_malloc0 (self.n_units);
          if (self.state == NULL || self.matches == NULL)
            {
              g_free (self.state);
              g_free (self.matches);
              g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "Not enough memory to read %s.", where);
              return FALSE;
            }
          problem = walk (&self);
          g_free (self.state);
          g_free (self.matches);
        }
    }
  if (problem == NULL)
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
               "%s is damaged: in its table of character replacements, %s. Download the tokenizer again.", where,
               problem);
  return FALSE;
}
