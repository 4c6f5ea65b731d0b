/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two hashes of the Hub: SHA-256 for what is in LFS or Xet, the git blob id (SHA-1 of "blob SIZE\0" and the bytes)
 * for small files. libcrypto, because it uses the processor's instructions for them.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "engine/hub/hub-private.h"

struct EaselDigest
{
  EVP_MD_CTX *context;
};

EaselDigest *
easel_digest_new (const char *etag, gint64 size)
{
  const EVP_MD *kind = easel_hub_is_hex (etag, 64) ? EVP_sha256 () : easel_hub_is_hex (etag, 40) ? EVP_sha1 () : NULL;
  EaselDigest *self;

  if (!kind)
    return NULL;
  self = g_new0 (EaselDigest, 1);
  self->context = EVP_MD_CTX_new ();
  if (!self->context || EVP_DigestInit_ex (self->context, kind, NULL) != 1)
    {
      easel_digest_free (self);
      return NULL;
    }
  if (kind == EVP_sha1 ())
    {
      g_autofree char *head = g_strdup_printf ("blob %" G_GINT64_FORMAT, size);
      EVP_DigestUpdate (self->context, head, strlen (head) + 1);
    }
  return self;
}

void
easel_digest_update (EaselDigest *self, const void *data, gsize n)
{
  EVP_DigestUpdate (self->context, data, n);
}

gboolean
easel_digest_matches (EaselDigest *self, const char *etag)
{
  unsigned char raw[EVP_MAX_MD_SIZE];
  char hex[2 * EVP_MAX_MD_SIZE + 1];
  unsigned int n = 0;

  if (EVP_DigestFinal_ex (self->context, raw, &n) != 1)
    return FALSE;
  for (unsigned int i = 0; i < n; i++)
    g_snprintf (hex + 2 * i, 3, "%02x", raw[i]);
  return strcmp (hex, etag) == 0;
}

void
easel_digest_free (EaselDigest *self)
{
  if (!self)
    return;
  EVP_MD_CTX_free (self->context);
  g_free (self);
}

#define CHUNK (1 << 20)

int
easel_digest_file (const char *path, const char *etag, gboolean (*progress) (gint64 bytes, gpointer data),
                   gpointer data)
{
  g_autoptr (EaselDigest) digest = NULL;
  g_autofree guint8 *buffer = NULL;
  gint64 size, read_so_far = 0;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1;

  if (fd < 0)
    return -1;
  size = lseek (fd, 0, SEEK_END);
  if (size < 0 || lseek (fd, 0, SEEK_SET) < 0)
    goto out;
  if (!(digest = easel_digest_new (etag, size)))
    {
      errno = EINVAL;
      goto out;
    }
  posix_fadvise (fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  buffer = g_malloc (CHUNK);
  for (;;)
    {
      gssize n = read (fd, buffer, CHUNK);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        goto out;
      if (n == 0)
        break;
      easel_digest_update (digest, buffer, n);
      read_so_far += n;
      if (progress && !progress (n, data))
        {
          errno = ECANCELED;
          goto out;
        }
    }
  result = read_so_far == size && easel_digest_matches (digest, etag);
out:
  {
    int saved = errno;
    close (fd);
    errno = saved;
  }
  return result;
}
