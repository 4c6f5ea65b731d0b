/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The catalogue: models that are known to run, as data (data/catalogue.yaml; a person's own file in the same form adds
 * to it and replaces entries of the same name). What is not known is absent: -1 or NULL, never a guess.
 */
#pragma once

#include "engine/core/error.h"

G_BEGIN_DECLS

typedef struct
{
  char *path;    /* in the repository */
  gint64 bytes;  /* exact, or -1 */
  gint64 about;  /* as the Hub's page shows it, three digits; -1 when not even that is known */
  char *sha256;  /* or NULL */
} EaselCatalogueFile;

typedef struct
{
  char *name;           /* what a person types: "sana-1.6b" */
  char *title;
  char *kind;           /* "image", "video", "image-to-video" */
  char *repository;
  char *revision;       /* "main" or a commit */
  char *precision;      /* for easel_hub_plan */
  char *pipeline_class;
  char *good_for;       /* one line */
  char *licence_name, *licence_link;
  gint64 download;      /* bytes that one run needs, about; -1 unknown */
  gint64 memory;        /* bytes of the weights when all are resident, about; -1 unknown */
  gint64 largest;       /* bytes of the largest component, about; -1 unknown */
  int size;             /* pixels on the long side it was made for; 0 unknown */
  GPtrArray *files;     /* EaselCatalogueFile; may be empty */
  gboolean own;         /* from the person's file */
} EaselCatalogueEntry;

void easel_catalogue_entry_free (EaselCatalogueEntry *entry);

/* Reads the file at `path`, then, when `own_path` is not NULL and there, the person's. EaselCatalogueEntry in file
 * order.
 * NOT_FOUND, IO, DAMAGED (says file, line and what), UNSUPPORTED (a newer version). Any thread. */
GPtrArray *easel_catalogue_load (const char *path, const char *own_path, GError **error);
/* One text; `where` names it in errors. Appends to or replaces in `entries`. */
gboolean easel_catalogue_parse (const char *text, gsize n, const char *where, gboolean own, GPtrArray *entries,
                                GError **error);
/* By name or repository; borrowed; NULL when there is none. */
const EaselCatalogueEntry *easel_catalogue_find (GPtrArray *entries, const char *name);

G_END_DECLS
