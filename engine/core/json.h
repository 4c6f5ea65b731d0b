/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JSON as found in model folders. json-glib parses; the three words that are not JSON but occur in real scheduler
 * configs (NaN, Infinity, -Infinity, outside strings) are accepted and read as doubles.
 *
 * Getters: a missing member, or null, gives the default; a member of another type is an error that names the member
 * and the file ("transformer/config.json: num_layers must be a whole number").
 */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/core/error.h"
#include "engine/core/files.h"

G_BEGIN_DECLS

/* Limits on what is read at all; real files stay far below. */
#define EASEL_JSON_MAX_BYTES (16u << 20)
#define EASEL_JSON_MAX_VALUES (1u << 20)
#define EASEL_JSON_MAX_DEPTH 64

/* The object at `path`. NOT_FOUND, IO, DAMAGED (not JSON, not an object, over EASEL_JSON_MAX_BYTES). Any thread. */
JsonObject *easel_json_load (const char *path, GError **error);

/* The same from memory; `where` names the source in errors. */
JsonObject *easel_json_parse (const char *text, gsize length, const char *where, GError **error);

/* The same; a name that occurs twice in one object is DAMAGED when refuse_duplicates. Otherwise the last
 * counts. */
JsonObject *easel_json_parse_strict (const char *text, gsize length, const char *where, gboolean refuse_duplicates,
                                     GError **error);

/* One line of JSON, caller frees. (json-glib leaves most control characters in strings as they are; JSON does not.) */
char *easel_json_to_text (JsonNode *root);

/* A view of an object with the name of its file for errors; getters record the first error. Check once at the end. */
typedef struct
{
  JsonObject *object;
  const char *where;
  GError *error;
} EaselFields;

EaselFields easel_fields (JsonObject *object, const char *where);
gint64 easel_fields_int (EaselFields *self, const char *name, gint64 fallback, gint64 min, gint64 max);
double easel_fields_double (EaselFields *self, const char *name, double fallback);
gboolean easel_fields_bool (EaselFields *self, const char *name, gboolean fallback);
/* Borrowed from the object, or `fallback`. */
const char *easel_fields_string (EaselFields *self, const char *name, const char *fallback);
/* A list of ints, or one int repeated `n` times; returns how many were written (at most n); -1 on error. */
int easel_fields_ints (EaselFields *self, const char *name, int n, gint64 *out);
gboolean easel_fields_has (EaselFields *self, const char *name); /* present and not null */
/* TRUE when nothing went wrong; else moves the error out. */
gboolean easel_fields_done (EaselFields *self, GError **error);

G_END_DECLS
