/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Layout of a file:  u64 n | n bytes of JSON | data
 * JSON: { "__metadata__": { "k": "v" }, "name": { "dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12] }, … }
 */
#include "engine/core/safetensors.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/core/files.h"
#include "engine/core/json.h"

typedef struct
{
  char *name;
  guint64 begin, end;
  EaselTensor tensor;
  void *copy; /* of a tensor that does not lie on a multiple of its element size */
} Entry;

struct EaselSafetensors
{
  gatomicrefcount refs;
  char *path;
  void *map; /* NULL: memory of the caller */
  gsize map_size;
  const guint8 *data;
  guint64 data_size;
  GArray *entries;      /* Entry, in file order */
  GHashTable *by_name;  /* name (of the entry) to index + 1 */
  GHashTable *metadata; /* or NULL */
};

/* The words of the format. Kept beside EaselDtype's order on purpose. */
static const char *const DTYPE_WORDS[EASEL_N_DTYPES] = {
  [EASEL_DTYPE_F32] = "F32",         [EASEL_DTYPE_F16] = "F16",         [EASEL_DTYPE_BF16] = "BF16",
  [EASEL_DTYPE_F64] = "F64",         [EASEL_DTYPE_F8_E4M3] = "F8_E4M3", [EASEL_DTYPE_F8_E5M2] = "F8_E5M2",
  [EASEL_DTYPE_I8] = "I8",           [EASEL_DTYPE_U8] = "U8",           [EASEL_DTYPE_I16] = "I16",
  [EASEL_DTYPE_U16] = "U16",         [EASEL_DTYPE_I32] = "I32",         [EASEL_DTYPE_U32] = "U32",
  [EASEL_DTYPE_I64] = "I64",         [EASEL_DTYPE_U64] = "U64",         [EASEL_DTYPE_BOOL] = "BOOL",
};

static gboolean
damaged (GError **error, const char *path, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
damaged (GError **error, const char *path, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, "%s is damaged: %s. Download it again.", path, what);
  return FALSE;
}

static void
entry_clear (gpointer data)
{
  Entry *entry = data;
  g_free (entry->name);
  g_free (entry->copy);
}

/* A list of whole numbers, each at least 0. */
static gboolean
read_numbers (JsonObject *object, const char *member, guint max, guint64 *out, guint *n)
{
  JsonNode *node = json_object_get_member (object, member);
  if (!node || !JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  JsonArray *array = json_node_get_array (node);
  *n = json_array_get_length (array);
  for (guint i = 0; i < MIN (*n, max); i++)
    {
      JsonNode *element = json_array_get_element (array, i);
      if (!JSON_NODE_HOLDS_VALUE (element) || json_node_get_value_type (element) != G_TYPE_INT64
          || json_node_get_int (element) < 0)
        return FALSE;
      out[i] = (guint64) json_node_get_int (element);
    }
  return TRUE;
}

/* One tensor of the header, checked against itself and the size of the data. */
static gboolean
read_entry (EaselSafetensors *self, const char *name, JsonNode *node, Entry *out, GError **error)
{
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return damaged (error, self->path, "its header describes \"%.200s\" with something that is not an object", name);
  JsonObject *object = json_node_get_object (node);
  JsonNode *word = json_object_get_member (object, "dtype");
  if (!word || !JSON_NODE_HOLDS_VALUE (word) || json_node_get_value_type (word) != G_TYPE_STRING)
    return damaged (error, self->path, "\"%.200s\" has no dtype", name);
  guint dtype = 0;
  while (dtype < EASEL_N_DTYPES && strcmp (DTYPE_WORDS[dtype], json_node_get_string (word)) != 0)
    dtype++;
  if (dtype == EASEL_N_DTYPES)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "%s: \"%.200s\" has the dtype \"%.40s\", which this version cannot read.", self->path, name,
                   json_node_get_string (word));
      return FALSE;
    }
  guint64 shape[EASEL_MAX_DIMS], offsets[2];
  guint n_dims = 0, n_offsets = 0;
  if (!read_numbers (object, "shape", EASEL_MAX_DIMS, shape, &n_dims))
    return damaged (error, self->path, "\"%.200s\" has no proper shape", name);
  if (n_dims > EASEL_MAX_DIMS)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "%s: \"%.200s\" has %u dimensions; at most %d are supported.", self->path, name, n_dims,
                   EASEL_MAX_DIMS);
      return FALSE;
    }
  if (!read_numbers (object, "data_offsets", 2, offsets, &n_offsets) || n_offsets != 2)
    return damaged (error, self->path, "\"%.200s\" has no proper data_offsets", name);
  guint64 bytes = easel_dtype_size ((EaselDtype) dtype);
  for (guint i = 0; i < n_dims; i++)
    if (!g_uint64_checked_mul (&bytes, bytes, shape[i]) || bytes > G_MAXINT64)
      return damaged (error, self->path, "the shape of \"%.200s\" is larger than any memory", name);
  if (offsets[0] > offsets[1] || offsets[1] > self->data_size)
    return damaged (error, self->path,
                    "\"%.200s\" lies at %" G_GUINT64_FORMAT "…%" G_GUINT64_FORMAT ", but there are %" G_GUINT64_FORMAT
                    " bytes of data (the file is cut short?)",
                    name, offsets[0], offsets[1], self->data_size);
  if (offsets[1] - offsets[0] != bytes)
    return damaged (error, self->path,
                    "\"%.200s\" needs %" G_GUINT64_FORMAT " bytes by its shape, but has %" G_GUINT64_FORMAT, name,
                    bytes, offsets[1] - offsets[0]);
  *out = (Entry){ .begin = offsets[0], .end = offsets[1] };
  out->tensor.dtype = (EaselDtype) dtype;
  /* A scalar is given out as [1]: a tensor's dimensions are at least one. */
  out->tensor.n_dims = MAX ((int) n_dims, 1);
  out->tensor.shape[0] = 1;
  for (guint i = 0; i < n_dims; i++)
    out->tensor.shape[i] = (int64_t) shape[i];
  out->name = g_strdup (name);
  return TRUE;
}

static gboolean
read_metadata (EaselSafetensors *self, JsonNode *node, GError **error)
{
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return damaged (error, self->path, "its __metadata__ is not an object");
  JsonObjectIter iter;
  const char *key;
  JsonNode *value;
  self->metadata = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  json_object_iter_init (&iter, json_node_get_object (node));
  while (json_object_iter_next (&iter, &key, &value))
    {
      if (!JSON_NODE_HOLDS_VALUE (value) || json_node_get_value_type (value) != G_TYPE_STRING)
        return damaged (error, self->path, "\"%.200s\" in its __metadata__ is not a text", key);
      g_hash_table_insert (self->metadata, g_strdup (key), g_strdup (json_node_get_string (value)));
    }
  return TRUE;
}

static gint
compare_entries (gconstpointer a, gconstpointer b)
{
  const Entry *x = a, *y = b;
  if (x->begin != y->begin)
    return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end)
    return x->end < y->end ? -1 : 1;
  return strcmp (x->name, y->name);
}

/* Tensors must follow each other without gap or overlap and use all data, as the format says: no byte has two readings,
 * nothing is hidden. Then hands out the addresses. */
static gboolean
place_entries (EaselSafetensors *self, GError **error)
{
  g_array_sort (self->entries, compare_entries);
  guint64 at = 0;
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = &g_array_index (self->entries, Entry, i);
      if (entry->begin != at)
        return damaged (error, self->path, "\"%.200s\" begins at %" G_GUINT64_FORMAT ", %s", entry->name, entry->begin,
                        entry->begin < at ? "inside the tensor before it" : "after bytes that belong to no tensor");
      at = entry->end;
    }
  if (at != self->data_size)
    return damaged (error, self->path,
                    "its tensors end at %" G_GUINT64_FORMAT ", but there are %" G_GUINT64_FORMAT " bytes of data", at,
                    self->data_size);
  /* Tensors without elements are legal, but no tensor to us. */
  guint kept = 0;
  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = &g_array_index (self->entries, Entry, i);
      if (entry->begin == entry->end)
        {
          entry_clear (entry);
          continue;
        }
      const guint8 *place = self->data + entry->begin;
      gsize bytes = (gsize) (entry->end - entry->begin);
      if ((guintptr) place % easel_dtype_size (entry->tensor.dtype) != 0)
        {
          /* Old writers did not pad the header. Kernels want natural alignment, so these few files cost a copy. */
          entry->copy = g_try_malloc (bytes);
          if (entry->copy)
            memcpy (entry->copy, place, bytes);
          else if (error && !*error)
            g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY,
                         "No memory for \"%.200s\" of %s (%" G_GSIZE_FORMAT " bytes).", entry->name, self->path, bytes);
          place = entry->copy;
        }
      entry->tensor.data = (void *) place;
      g_array_index (self->entries, Entry, kept++) = *entry;
    }
  /* What lies behind `kept` was moved or cleared: it must not be cleared again. */
  g_array_set_clear_func (self->entries, NULL);
  g_array_set_size (self->entries, kept);
  g_array_set_clear_func (self->entries, entry_clear);
  for (guint i = 0; i < kept; i++)
    if (!g_array_index (self->entries, Entry, i).tensor.data)
      return FALSE;
  return TRUE;
}

/* Reads the header of [bytes, bytes + size). */
static gboolean
parse (EaselSafetensors *self, const guint8 *bytes, guint64 size, GError **error)
{
  guint64 length = 0;
  if (size < 8)
    return damaged (error, self->path, "it has only %" G_GUINT64_FORMAT " bytes", size);
  for (int i = 7; i >= 0; i--)
    length = length << 8 | bytes[i];
  if (length > EASEL_JSON_MAX_BYTES)
    return damaged (error, self->path, "it is no safetensors file, or its header is larger than %u bytes",
                    EASEL_JSON_MAX_BYTES);
  if (length > size - 8)
    return damaged (error, self->path, "it is cut short inside its header");
  if (length == 0 || bytes[8] != '{')
    return damaged (error, self->path, "it is no safetensors file");
  self->data = bytes + 8 + length;
  self->data_size = size - 8 - length;
  g_autoptr (JsonObject) header
      = easel_json_parse_strict ((const char *) bytes + 8, (gsize) length, self->path, TRUE, error);
  if (!header)
    return FALSE;
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  json_object_iter_init (&iter, header);
  while (json_object_iter_next (&iter, &name, &node))
    {
      Entry entry;
      if (!strcmp (name, "__metadata__"))
        {
          if (!read_metadata (self, node, error))
            return FALSE;
          continue;
        }
      if (!read_entry (self, name, node, &entry, error))
        return FALSE;
      g_array_append_val (self->entries, entry);
    }
  if (!place_entries (self, error))
    return FALSE;
  for (guint i = 0; i < self->entries->len; i++)
    g_hash_table_insert (self->by_name, g_array_index (self->entries, Entry, i).name, GUINT_TO_POINTER (i + 1));
  return TRUE;
}

static EaselSafetensors *
safetensors_new (const char *path)
{
  EaselSafetensors *self = g_new0 (EaselSafetensors, 1);
  g_atomic_ref_count_init (&self->refs);
  self->path = g_strdup (path);
  self->entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_array_set_clear_func (self->entries, entry_clear);
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  return self;
}

EaselSafetensors *
easel_safetensors_open (const char *path, GError **error)
{
  guint64 size = 0;
  int fd = easel_file_open (path, &size, error);
  if (fd < 0)
    return NULL;
  if (size < 8 || size > G_MAXSIZE / 2)
    {
      close (fd);
      damaged (error, path, "it has %" G_GUINT64_FORMAT " bytes", size);
      return NULL;
    }
  void *map = mmap (NULL, (size_t) size, PROT_READ, MAP_PRIVATE, fd, 0);
  int saved_errno = errno;
  close (fd);
  if (map == MAP_FAILED)
    {
      g_set_error (error, EASEL_ERROR, easel_error_from_errno (saved_errno), "Cannot map %s: %s.", path,
                   g_strerror (saved_errno));
      return NULL;
    }
  EaselSafetensors *self = safetensors_new (path);
  self->map = map;
  self->map_size = (gsize) size;
  if (!parse (self, map, size, error))
    g_clear_pointer (&self, easel_safetensors_unref);
  return self;
}

EaselSafetensors *
easel_safetensors_open_memory (const void *data, gsize size, const char *where, GError **error)
{
  EaselSafetensors *self = safetensors_new (where);
  if (!parse (self, data, size, error))
    g_clear_pointer (&self, easel_safetensors_unref);
  return self;
}

EaselSafetensors *
easel_safetensors_ref (EaselSafetensors *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
easel_safetensors_unref (EaselSafetensors *self)
{
  if (!self || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_hash_table_unref (self->by_name);
  g_array_unref (self->entries);
  g_clear_pointer (&self->metadata, g_hash_table_unref);
  if (self->map)
    munmap (self->map, self->map_size);
  g_free (self->path);
  g_free (self);
}

const char *
easel_safetensors_path (EaselSafetensors *self)
{
  return self->path;
}

guint
easel_safetensors_count (EaselSafetensors *self)
{
  return self->entries->len;
}

const char *
easel_safetensors_nth (EaselSafetensors *self, guint i, EaselTensor *out)
{
  g_return_val_if_fail (i < self->entries->len, NULL);
  const Entry *entry = &g_array_index (self->entries, Entry, i);
  if (out)
    *out = entry->tensor;
  return entry->name;
}

gboolean
easel_safetensors_find (EaselSafetensors *self, const char *name, EaselTensor *out)
{
  guint i = GPOINTER_TO_UINT (g_hash_table_lookup (self->by_name, name));
  if (i == 0)
    return FALSE;
  if (out)
    *out = g_array_index (self->entries, Entry, i - 1).tensor;
  return TRUE;
}

GHashTable *
easel_safetensors_metadata (EaselSafetensors *self)
{
  return self->metadata;
}

void
easel_safetensors_drop_pages (EaselSafetensors *self)
{
  if (self->map)
    (void) madvise (self->map, self->map_size, MADV_DONTNEED);
}

/* ---- writing ---- */

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
add_metadata (JsonObject *header, GHashTable *metadata)
{
  JsonObject *object = json_object_new ();
  guint n = 0;
  /* Sorted: the same request gives the same bytes. */
  g_autofree const char **keys = (const char **) g_hash_table_get_keys_as_array (metadata, &n);
  qsort (keys, n, sizeof *keys, compare_strings);
  for (guint i = 0; i < n; i++)
    json_object_set_string_member (object, keys[i], g_hash_table_lookup (metadata, keys[i]));
  json_object_set_object_member (header, "__metadata__", object);
}

gboolean
easel_safetensors_write (const char *path, guint n, const char *const *names, const EaselTensor *tensors,
                         GHashTable *metadata, GError **error)
{
  return easel_safetensors_write_from (path, n, names, tensors, metadata, NULL, error);
}

gboolean
easel_safetensors_write_from (const char *path, guint n, const char *const *names, const EaselTensor *tensors,
                              GHashTable *metadata, EaselElsewhere *elsewhere, GError **error)
{
  g_autoptr (JsonObject) header = json_object_new ();
  g_autofree struct iovec *pieces = g_new0 (struct iovec, n + 2);
  gint64 at = 0;
  guint n_pieces = 2;
  if (metadata && g_hash_table_size (metadata) > 0)
    add_metadata (header, metadata);
  /* Wide elements first: then every tensor lies on a multiple of its element size. */
  for (gsize width = 8; width > 0; width /= 2)
    for (guint i = 0; i < n; i++)
      {
        if (easel_dtype_size (tensors[i].dtype) != width)
          continue;
        if (json_object_has_member (header, names[i]) || !strcmp (names[i], "__metadata__"))
          {
            g_set_error (error, EASEL_ERROR, EASEL_ERROR_FAILED, "Two tensors are called \"%s\".", names[i]);
            return FALSE;
          }
        JsonObject *entry = json_object_new ();
        JsonArray *shape = json_array_new (), *offsets = json_array_new ();
        for (int d = 0; d < tensors[i].n_dims; d++)
          json_array_add_int_element (shape, tensors[i].shape[d]);
        gsize bytes = easel_tensor_bytes (&tensors[i]);
        json_array_add_int_element (offsets, at);
        json_array_add_int_element (offsets, at + (gint64) bytes);
        json_object_set_string_member (entry, "dtype", DTYPE_WORDS[tensors[i].dtype]);
        json_object_set_array_member (entry, "shape", shape);
        json_object_set_array_member (entry, "data_offsets", offsets);
        json_object_set_object_member (header, names[i], entry);
        pieces[n_pieces++] = (struct iovec){ tensors[i].data, bytes };
        at += (gint64) bytes;
      }
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  json_node_set_object (root, header);
  g_autofree char *text = easel_json_to_text (root);
  gsize length = strlen (text), padded = (length + 7) / 8 * 8;
  guint8 prefix[8];
  for (int i = 0; i < 8; i++)
    prefix[i] = (guint8) ((guint64) padded >> (8 * i));
  text = g_realloc (text, padded + 1);
  memset (text + length, ' ', padded - length);
  pieces[0] = (struct iovec){ prefix, sizeof prefix };
  pieces[1] = (struct iovec){ text, padded };
  if (elsewhere)
    elsewhere->first = 2;
  return easel_write_file_from (path, pieces, n_pieces, elsewhere, error);
}
