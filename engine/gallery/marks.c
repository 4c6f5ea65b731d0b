/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stars and tags beside the pixels: the names and forms other programs of the desktop use (freedesktop.org's common
 * extended attributes; a rating counts half stars). Setting one does not touch the file's time or bytes.
 */
#include "engine/gallery/gallery-private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define TAGS "user.xdg.tags"
#define RATING "user.baloo.rating"
#define MAX_BYTES 4096 /* what ext4 holds in all; more tags than that stay in the index alone */

void
easel_marks_write (const char *path, int stars, const char *const *tags)
{
  g_autofree char *joined = tags && tags[0] ? g_strjoinv (",", (char **) tags) : NULL;
  char rating[16];

  g_snprintf (rating, sizeof rating, "%d", stars * 2);
  if (stars > 0)
    setxattr (path, RATING, rating, strlen (rating), 0);
  else
    removexattr (path, RATING);
  if (joined && strlen (joined) <= MAX_BYTES)
    setxattr (path, TAGS, joined, strlen (joined), 0);
  else
    removexattr (path, TAGS);
}

static char *
read_attribute (const char *path, const char *name)
{
  char value[MAX_BYTES + 1];
  ssize_t n = getxattr (path, name, value, MAX_BYTES);

  if (n <= 0)
    return NULL;
  value[n] = '\0';
  return g_utf8_validate (value, n, NULL) ? g_strdup (value) : NULL;
}

gboolean
easel_marks_read (const char *path, int *stars, char ***tags)
{
  g_autofree char *rating = read_attribute (path, RATING);
  g_autofree char *joined = read_attribute (path, TAGS);

  if (!rating && !joined)
    return FALSE;
  *stars = rating ? CLAMP (atoi (rating) / 2, 0, 5) : 0;
  *tags = g_strsplit (joined ? joined : "", ",", -1);
  return TRUE;
}
