/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Weights of products as 8-bit numbers with a scale for each row, made on the card from the model's 16 bits and kept on
 * disk: one safetensors file for a component and a precision, where NAME is the scaled tensor and NAME.scales its rows'
 * scales. The file says in its metadata what it was made from (path, size and time of every file); when that is not
 * what is there now, or the file is damaged, it is made again. It appears whole or not at all.
 *
 * The folder holds at most MOST bytes of them, those written or read last; what was made from files that are gone or
 * have changed goes first. Deleting any of it, or the folder, costs one conversion.
 */
#include "engine/core/weights-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <utime.h>

#define SOURCE "easel.source"
#define SUFFIX ".safetensors"
#define VERSION "1" /* of how rows become codes */
#define MOST ((guint64) 40 << 30)

typedef struct
{
  char *name;
  EaselTensor tensor; /* on the device */
} Placed;

struct EaselConvertedWeights
{
  EaselDtype dtype;
  char *path, *source;    /* NULL: nothing is kept */
  EaselSafetensors *file; /* made before; NULL: there is none that fits */
  GPtrArray *placed;      /* Placed */
  gboolean anything_new;
};

static void
placed_free (gpointer data)
{
  Placed *placed = data;
  g_free (placed->name);
  g_free (placed);
}

/* A line a file: "bytes nanoseconds path". NULL when one is gone. */
static char *
describe_files (const char *const *paths, guint n)
{
  g_autoptr (GString) text = g_string_new (VERSION "\n");
  for (guint i = 0; i < n; i++)
    {
      struct stat info;
      if (stat (paths[i], &info) != 0)
        return NULL;
      g_string_append_printf (text, "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT ".%09ld %s\n", (gint64) info.st_size,
                              (gint64) info.st_mtim.tv_sec, (long) info.st_mtim.tv_nsec, paths[i]);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
describe_source (GPtrArray *files)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < files->len; i++)
    g_ptr_array_add (paths, g_canonicalize_filename (easel_safetensors_path (files->pdata[i]), NULL));
  return describe_files ((const char *const *) paths->pdata, paths->len);
}

/* The file, when it was made from `source`. Its time says then that it was used. */
static EaselSafetensors *
open_kept (const char *path, const char *source)
{
  g_autoptr (GError) error = NULL;
  EaselSafetensors *file = easel_safetensors_open (path, &error);
  GHashTable *metadata = file ? easel_safetensors_metadata (file) : NULL;
  if (!file && !g_error_matches (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND))
    g_info ("Converted weights are made again: %s", error->message);
  if (metadata && !g_strcmp0 (g_hash_table_lookup (metadata, SOURCE), source))
    {
      (void) utime (path, NULL);
      return file;
    }
  g_clear_pointer (&file, easel_safetensors_unref);
  return NULL;
}

EaselConvertedWeights *
easel_converted_weights_new (EaselDtype dtype, const char *where, GPtrArray *files, const char *folder)
{
  EaselConvertedWeights *self = g_new0 (EaselConvertedWeights, 1);
  self->dtype = dtype;
  self->placed = g_ptr_array_new_with_free_func (placed_free);
  if (folder && files->len > 0)
    self->source = describe_source (files);
  if (self->source)
    {
      g_autofree char *whole = g_canonicalize_filename (where, NULL);
      g_autofree char *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, whole, -1);
      g_autofree char *name = g_strdup_printf ("%.32s.%s" SUFFIX, digest, easel_dtype_name (dtype));
      self->path = g_build_filename (folder, name, NULL);
      self->file = open_kept (self->path, self->source);
    }
  return self;
}

void
easel_converted_weights_free (EaselConvertedWeights *self)
{
  if (!self)
    return;
  g_clear_pointer (&self->file, easel_safetensors_unref);
  g_ptr_array_unref (self->placed);
  g_free (self->path);
  g_free (self->source);
  g_free (self);
}

EaselDtype
easel_converted_weights_dtype (EaselConvertedWeights *self)
{
  return self->dtype;
}

/* Elements and scales of a tensor from the file. */
static gboolean
find_kept (EaselConvertedWeights *self, const char *name, const EaselTensor *like, EaselTensor *codes,
           EaselTensor *scales)
{
  g_autofree char *of_scales = g_strconcat (name, ".scales", NULL);
  return self->file && easel_safetensors_find (self->file, name, codes)
         && easel_safetensors_find (self->file, of_scales, scales) && codes->dtype == like->dtype && codes->n_dims == 2
         && codes->shape[0] == like->shape[0] && codes->shape[1] == like->shape[1] && scales->dtype == EASEL_DTYPE_F32
         && scales->n_dims == 1 && scales->shape[0] == like->shape[0];
}

void
easel_converted_weights_place (EaselConvertedWeights *self, EaselStream *s, const char *name, EaselTensor dst,
                               const EaselTensor *src, gboolean stays)
{
  EaselTensor codes, scales;
  if (find_kept (self, name, &dst, &codes, &scales))
    {
      easel_upload (s, dst, codes.data);
      easel_upload (s, easel_tensor_of (dst.scales, EASEL_DTYPE_F32, dst.shape[0]), scales.data);
    }
  else
    {
      easel_upload_weight (s, dst, src->data, src->dtype);
      self->anything_new = self->anything_new || stays;
    }
  if (!self->path || !stays)
    return;
  Placed *placed = g_new0 (Placed, 1);
  placed->name = g_strdup (name);
  placed->tensor = dst;
  g_ptr_array_add (self->placed, placed);
}

/* ---- the folder ---- */

typedef struct
{
  char *path;
  guint64 bytes;
  gint64 time;
} Kept;

static void
kept_free (gpointer data)
{
  Kept *kept = data;
  g_free (kept->path);
  g_free (kept);
}

static gint
compare_newest (gconstpointer a, gconstpointer b)
{
  const gint64 x = (*(const Kept *const *) a)->time, y = (*(const Kept *const *) b)->time;
  return x > y ? -1 : x < y;
}

/* Made from files that are still what they were? */
static gboolean
is_current (const char *path)
{
  g_autoptr (EaselSafetensors) file = easel_safetensors_open (path, NULL);
  GHashTable *metadata = file ? easel_safetensors_metadata (file) : NULL;
  const char *source = metadata ? g_hash_table_lookup (metadata, SOURCE) : NULL;
  g_auto (GStrv) lines = g_strsplit (source ? source : "", "\n", -1);
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();
  for (guint i = 1; lines[0] && lines[i]; i++)
    {
      const char *at = strchr (lines[i], ' ');
      if (at && (at = strchr (at + 1, ' ')))
        g_ptr_array_add (paths, (char *) at + 1);
    }
  g_autofree char *now = describe_files ((const char *const *) paths->pdata, paths->len);
  return source && now && !strcmp (source, now);
}

/* Of the names that files get here: 32 digits of a hash, the dtype. */
static gboolean
is_ours (const char *name)
{
  return strspn (name, "0123456789abcdef") == 32 && name[32] == '.' && g_str_has_suffix (name, SUFFIX);
}

/* What is out of date, and what is too much, goes; its bytes. */
static guint64
prune (const char *folder, guint64 most)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (kept_free);
  const char *name;
  guint64 sum = 0, freed = 0;
  while (dir && (name = g_dir_read_name (dir)))
    {
      struct stat info;
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (!is_ours (name) || g_lstat (path, &info) != 0 || !S_ISREG (info.st_mode))
        continue;
      Kept *kept = g_new0 (Kept, 1);
      kept->bytes = (guint64) info.st_size;
      kept->time = info.st_mtime;
      kept->path = g_steal_pointer (&path);
      g_ptr_array_add (all, kept);
    }
  g_ptr_array_sort (all, compare_newest);
  for (guint i = 0; i < all->len; i++)
    {
      const Kept *kept = all->pdata[i];
      sum += kept->bytes;
      if (sum <= most && is_current (kept->path))
        continue;
      sum -= kept->bytes;
      if (g_unlink (kept->path) == 0)
        freed += kept->bytes;
    }
  return freed;
}

guint64
easel_weights_clear_cache (const char *folder)
{
  return prune (folder, 0);
}

typedef struct
{
  EaselStream *s;
  void *copy;
  gsize size;
} Download;

static const void *
fetch (gpointer data, void *where, gsize bytes, GError **error)
{
  Download *d = data;
  if (bytes > d->size)
    {
      g_free (d->copy);
      d->copy = g_try_malloc (bytes);
      d->size = d->copy ? bytes : 0;
    }
  if (!d->copy)
    g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY, "No memory for a copy of %" G_GSIZE_FORMAT " bytes", bytes);
  else
    {
      easel_download (d->s, d->copy, easel_tensor_of (where, EASEL_DTYPE_U8, (gint64) bytes));
      if (easel_stream_check (d->s, "Reading converted weights", error))
        return d->copy;
    }
  return NULL;
}

void
easel_converted_weights_keep (EaselConvertedWeights *self, EaselStream *s)
{
  const guint n = self->placed->len;
  if (!self->path || !self->anything_new || n == 0)
    return;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autofree EaselTensor *tensors = g_new (EaselTensor, 2 * n);
  g_autoptr (GHashTable) metadata = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *folder = g_path_get_dirname (self->path);
  g_autoptr (GError) error = NULL;
  Download download = { .s = s };
  EaselElsewhere elsewhere = { .fetch = fetch, .data = &download };
  for (guint i = 0; i < n; i++)
    {
      const Placed *placed = self->placed->pdata[i];
      g_ptr_array_add (names, g_strdup (placed->name));
      g_ptr_array_add (names, g_strconcat (placed->name, ".scales", NULL));
      tensors[2 * i] = placed->tensor;
      tensors[2 * i + 1] = easel_tensor_of (placed->tensor.scales, EASEL_DTYPE_F32, placed->tensor.shape[0]);
    }
  g_hash_table_insert (metadata, (char *) SOURCE, self->source);
  if (g_mkdir_with_parents (folder, 0700) != 0
      || !easel_safetensors_write_from (self->path, 2 * n, (const char *const *) names->pdata, tensors, metadata,
                                        &elsewhere, &error))
    g_info ("Converted weights are not kept: %s", error ? error->message : g_strerror (errno));
  else
    prune (folder, MOST);
  g_free (download.copy);
  self->anything_new = FALSE;
}

void
easel_converted_weights_forget (EaselConvertedWeights *self)
{
  g_ptr_array_set_size (self->placed, 0);
  self->anything_new = FALSE;
}
