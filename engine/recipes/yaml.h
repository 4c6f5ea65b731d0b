/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * YAML read as hostile input: one document of maps, lists and scalars as a tree with line numbers. Bounded in bytes,
 * depth and nodes; anchors, aliases, tags and keys that occur twice are refused, since a file of settings needs none of
 * them and each is a way to make a small file large or to hide what it says. libyaml does the scanning.
 *
 * Scalars stay text: what "no" or "12" means is decided by whoever knows which setting it is for.
 */
#pragma once

#include "engine/core/error.h"

G_BEGIN_DECLS

#define EASEL_YAML_MAX_BYTES (256u << 10)
#define EASEL_YAML_MAX_DEPTH 16
#define EASEL_YAML_MAX_NODES 20000u

typedef enum
{
  EASEL_YAML_SCALAR,
  EASEL_YAML_MAP,
  EASEL_YAML_LIST,
} EaselYamlKind;

typedef struct EaselYaml EaselYaml;
struct EaselYaml
{
  EaselYamlKind kind;
  guint line;       /* from 1 */
  char *text;       /* scalars: UTF-8, no NUL inside. NULL otherwise */
  gboolean quoted;  /* scalars: quoted or a block, so text whatever it looks like */
  GPtrArray *items; /* lists: EaselYaml; maps: key (a scalar), value, key, value, … */
};

/* The document; an empty one is an empty map. `where` names the source in errors ("photo.yaml:3: …"). DAMAGED,
 * NO_MEMORY. Any thread. Caller frees. */
EaselYaml *easel_yaml_parse (const char *text, gsize length, const char *where, GError **error);
void easel_yaml_free (EaselYaml *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselYaml, easel_yaml_free)

/* The value of `key` in a map, borrowed; NULL when there is none or this is no map. */
EaselYaml *easel_yaml_find (EaselYaml *self, const char *key);
/* A plain scalar that says nothing: empty, ~, null. */
gboolean easel_yaml_is_null (const EaselYaml *self);

G_END_DECLS
