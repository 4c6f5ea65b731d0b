/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names of files: as given, with placeholders, or derived from prompt and seed.
 */
#include "app/cli.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "engine/media/image-file.h"
#include "engine/media/video-file.h"

#define MAX_SLUG 48 /* bytes of the prompt in a derived name */

void
cli_output_init (CliOutput *self, const char *output, gboolean force, gboolean many)
{
  *self = (CliOutput){ .output = output, .force = force, .many = many,
                       .taken = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL) };
}

void
cli_output_clear (CliOutput *self)
{
  g_clear_pointer (&self->taken, g_hash_table_unref);
}

static gboolean
is_folder (const CliOutput *self)
{
  return self->output == NULL || g_str_has_suffix (self->output, "/")
         || g_file_test (self->output, G_FILE_TEST_IS_DIR);
}

/* "A red fox, at dawn!" -> "a-red-fox-at-dawn": letters and digits of any script, cut at a word. */
static char *
slug (const char *prompt)
{
  GString *out = g_string_new (NULL);
  g_autofree char *valid = g_utf8_make_valid (prompt, -1);
  g_autofree char *lower = g_utf8_strdown (valid, -1);
  gsize last_word = 0;

  for (const char *p = lower; *p && out->len <= MAX_SLUG; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_isalnum (c) || g_unichar_ismark (c))
        g_string_append_unichar (out, c);
      else if (out->len > 0 && out->str[out->len - 1] != '-')
        {
          last_word = out->len;
          g_string_append_c (out, '-');
        }
    }
  if (out->len > MAX_SLUG)
    {
      gsize cut = last_word > 0 ? last_word : MAX_SLUG;

      while (cut > 0 && ((guchar) out->str[cut] & 0xc0) == 0x80)
        cut--;
      g_string_truncate (out, cut);
    }
  while (out->len > 0 && out->str[out->len - 1] == '-')
    g_string_truncate (out, out->len - 1);
  if (out->len == 0)
    g_string_append (out, "picture");
  return g_string_free (out, FALSE);
}

/* Fills placeholders; an unknown one is an error. *has_number: something tells the pictures of a run apart. */
static char *
expand (const char *pattern, const char *prompt, gint64 seed, int number, gboolean *has_number, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);

  *has_number = FALSE;
  for (const char *p = pattern; *p;)
    {
      const char *end = *p == '{' ? strchr (p, '}') : NULL;
      g_autofree char *name = end ? g_strndup (p + 1, (gsize) (end - p - 1)) : NULL;

      if (end == NULL)
        {
          g_string_append_c (out, *p++);
          continue;
        }
      if (strcmp (name, "seed") == 0)
        g_string_append_printf (out, "%" G_GINT64_FORMAT, seed);
      else if (strcmp (name, "n") == 0)
        g_string_append_printf (out, "%d", number);
      else if (strcmp (name, "prompt") == 0)
        {
          g_autofree char *words = slug (prompt);

          g_string_append (out, words);
        }
      else
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                       "--output knows no {%s}; it knows {seed}, {n} and {prompt}.", name);
          return NULL;
        }
      *has_number = *has_number || strcmp (name, "n") == 0 || strcmp (name, "seed") == 0;
      p = end + 1;
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* name.png -> name-2.png */
static char *
with_number (const char *path, int number)
{
  const char *slash = strrchr (path, '/');
  const char *dot = strrchr (slash ? slash : path, '.');
  gsize stem = dot ? (gsize) (dot - path) : strlen (path);

  return g_strdup_printf ("%.*s-%d%s", (int) stem, path, number, path + stem);
}

static gboolean
check_folder (const char *folder, gboolean make, GError **error)
{
  if (make && g_mkdir_with_parents (folder, 0777) != 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO, "Cannot make the folder %s: %s.", folder, g_strerror (errno));
      return FALSE;
    }
  if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                 "There is no folder %s. Make it first, or choose another one.", folder);
  else if (access (folder, W_OK | X_OK) != 0)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                 "Cannot write in the folder %s: %s. Choose a folder you may write to.", folder, g_strerror (errno));
  else
    return TRUE;
  return FALSE;
}

/* By its ending a film, else a picture (or what can be both). */
static gboolean
can_write (const CliOutput *self, const char *path, GError **error)
{
  return easel_video_is_container (path) ? easel_video_can_write_so (path, &self->video, error)
                                         : easel_image_can_write (path, error);
}

gboolean
cli_output_check (CliOutput *self, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *folder = NULL;
  gboolean has_number;

  if (is_folder (self))
    return check_folder (self->output ? self->output : ".", self->output && g_str_has_suffix (self->output, "/"),
                         error);
  if ((path = expand (self->output, "", 0, 1, &has_number, error)) == NULL || !can_write (self, path, error))
    return FALSE;
  folder = g_path_get_dirname (path);
  return strchr (folder, '{') != NULL || check_folder (folder, FALSE, error);
}

/* Takes `path` when nobody has it. */
static gboolean
is_free (CliOutput *self, const char *path)
{
  return !g_hash_table_contains (self->taken, path)
         && (self->force ? !g_file_test (path, G_FILE_TEST_IS_DIR)
                         : g_access (path, F_OK) != 0 && !g_file_test (path, G_FILE_TEST_IS_SYMLINK));
}

char *
cli_output_name (CliOutput *self, const char *prompt, gint64 seed, int number, GError **error)
{
  g_autofree char *path = NULL;
  gboolean has_number = FALSE;

  if (is_folder (self))
    {
      g_autofree char *words = slug (prompt);
      g_autofree char *name = g_strdup_printf ("%s-%" G_GINT64_FORMAT ".png", words, seed);
      g_autofree char *first = self->output ? g_build_filename (self->output, name, NULL) : g_strdup (name);

      path = g_strdup (first);
      for (int i = 2; !is_free (&(CliOutput){ .taken = self->taken }, path); i++)
        {
          g_free (path);
          path = with_number (first, i);
        }
    }
  else
    {
      path = expand (self->output, prompt, seed, number, &has_number, error);
      if (path == NULL)
        return NULL;
      if (self->many && !has_number)
        {
          char *numbered = with_number (path, number);

          g_free (path);
          path = numbered;
        }
      if (g_hash_table_contains (self->taken, path))
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                       "Two pictures of this run would be written to %s. Put {n} into the name.", path);
          return NULL;
        }
      if (!is_free (self, path))
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_IO,
                       self->force ? "%s is a folder. Choose another name."
                                   : "%s exists already and is kept. Choose another name, or say --force.",
                       path);
          return NULL;
        }
      if (!can_write (self, path, error))
        return NULL;
    }
  g_hash_table_add (self->taken, g_strdup (path));
  return g_steal_pointer (&path);
}

gboolean
cli_output_is_derived (const CliOutput *self)
{
  return is_folder (self);
}

char *
cli_output_clip_name (const char *path, char **why)
{
  static const char *const endings[] = { "mp4", "webm", "webp" }; /* the last needs no encoder of GStreamer's */
  const gsize stem = strlen (path) - strlen ("png");
  g_autofree char *first = NULL, *name = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_autoptr (GError) error = NULL;

      g_free (first);
      first = g_strdup_printf ("%.*s%s", (int) stem, path, endings[i]);
      if (easel_video_can_write (first, NULL, &error))
        break;
      if (i == 0 && why)
        *why = g_strdup (error->message);
    }
  name = g_strdup (first);
  for (int i = 2; g_file_test (name, G_FILE_TEST_EXISTS) || g_file_test (name, G_FILE_TEST_IS_SYMLINK); i++)
    {
      g_free (name);
      name = with_number (first, i);
    }
  return g_steal_pointer (&name);
}
