/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of the text room share.
 */
#pragma once

#include <glib.h>

#include "engine/core/error.h"

/* A folder or file of the reference subset that travels with the sources. Caller frees. */
static inline char *
reference_path (const char *name)
{
  const char *source = g_getenv ("EASEL_SOURCE");

  return g_build_filename (source != NULL ? source : ".", "tests", "reference", name, NULL);
}

/* The same in the full set, where it is: EASEL_GOLDEN, or beside the checkout. NULL otherwise. Caller frees. */
static inline char *
golden_path (const char *name)
{
  const char *golden = g_getenv ("EASEL_GOLDEN"), *source = g_getenv ("EASEL_SOURCE");
  char *path = golden != NULL ? g_build_filename (golden, name, NULL)
                              : g_build_filename (source != NULL ? source : ".", "..", "shared", "golden", name, NULL);

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    g_clear_pointer (&path, g_free);
  return path;
}

/* The error is there, has this code, and its message holds this text. Clears it. */
static inline void
assert_refused (GError **error, EaselError code, const char *text)
{
  g_assert_error (*error, EASEL_ERROR, (int) code);
  if (text != NULL && strstr ((*error)->message, text) == NULL)
    g_error ("\"%s\" is not in the message \"%s\"", text, (*error)->message);
  g_clear_error (error);
}
