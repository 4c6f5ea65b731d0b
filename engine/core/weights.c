/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/weights-private.h"

#include <string.h>

#include "engine/core/json.h"

#define ALIGNMENT 256            /* of uploaded tensors */
#define RANDOM_SLAB ((gsize) 32 << 20) /* when nobody knows what will be asked for */
#define LARGE ((gsize) 4 << 20)  /* gets a piece of its own when no slab has room: little stays empty at their ends */
#define SLAB ((gsize) 256 << 20) /* a device is asked for memory in pieces of this size: few, and hardly rounded up */

typedef struct
{
  EaselTensor mapped;        /* in the file, or random */
  void *uploaded;            /* on the device, in a slab, or NULL */
  EaselSafetensors *file;    /* borrowed from `files`; NULL when random */
  gboolean used;
  gboolean scaled;           /* 8 bits on the device, scales behind them */
  gboolean table;            /* rows are fetched from the host, see easel_weights_take_table() */
} Slot;

/* How a tensor is wanted. */
typedef enum
{
  AS_STORED,
  AS_MATRIX,
  AS_PRODUCT,
  AS_TABLE,
} Use;

typedef struct
{
  char *base;
  gsize bytes, used;
} Slab;

struct EaselWeights
{
  char *where;       /* folder or file, for errors */
  GPtrArray *files;  /* EaselSafetensors */
  GHashTable *slots; /* name (of the file) to Slot */
  EaselConvertedWeights *converted; /* or NULL: products keep 16 bits */
  char *cache;       /* folder, or NULL */
  EaselRandomWeights *random; /* or NULL; then names belong to random_names */
  GPtrArray *random_names;
  EaselDevice *device;
  EaselStream *stream; /* for uploads, until they are done; NULL on a device that maps */
  GArray *slabs;       /* Slab */
  EaselStreamedWeights *streamed; /* or NULL: all of them stay */
  EaselWeightBlocks blocks;
  guint64 block_bytes; /* of the block that is being taken */
  gboolean in_block;
  guint64 expected, asked; /* bytes of all slabs: as they shall be, as they are */
  EaselDtype compute;  /* EASEL_N_DTYPES: the device's */
  GError *error;       /* the first problem of take */
};

static EaselWeights *
weights_new (const char *where)
{
  EaselWeights *self = g_new0 (EaselWeights, 1);
  self->where = g_strdup (where);
  self->compute = EASEL_N_DTYPES;
  self->slabs = g_array_new (FALSE, FALSE, sizeof (Slab));
  self->files = g_ptr_array_new_with_free_func ((GDestroyNotify) easel_safetensors_unref);
  self->slots = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  return self;
}

/* Takes the reference to `file`. */
static gboolean
add_file (EaselWeights *self, EaselSafetensors *file, GError **error)
{
  g_ptr_array_add (self->files, file);
  for (guint i = 0; i < easel_safetensors_count (file); i++)
    {
      EaselTensor tensor;
      const char *name = easel_safetensors_nth (file, i, &tensor);
      if (g_hash_table_contains (self->slots, name))
        {
          g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                       "%s is damaged: \"%.200s\" is in more than one of its files.", self->where, name);
          return FALSE;
        }
      Slot *slot = g_new0 (Slot, 1);
      slot->mapped = tensor;
      slot->file = file;
      g_hash_table_insert (self->slots, (char *) name, slot);
    }
  return TRUE;
}

static gboolean
open_into (EaselWeights *self, const char *path, GError **error)
{
  EaselSafetensors *file = easel_safetensors_open (path, error);
  return file && add_file (self, file, error);
}

EaselWeights *
easel_weights_open_file (const char *path, GError **error)
{
  EaselWeights *self = weights_new (path);
  if (!open_into (self, path, error))
    g_clear_pointer (&self, easel_weights_free);
  return self;
}

EaselWeights *
easel_weights_new_random (EaselDtype dtype, guint32 seed, GError **error)
{
  EaselRandomWeights *random = easel_random_weights_new (dtype, seed, error);
  if (!random)
    return NULL;
  EaselWeights *self = weights_new ("Random weights");
  self->random = random;
  self->random_names = g_ptr_array_new_with_free_func (g_free);
  return self;
}

/* A tensor that nobody asked for before; NULL when there are files, or no room. */
static Slot *
make_random (EaselWeights *self, const char *name, int n_dims, const gint64 *shape)
{
  EaselTensor tensor;
  if (!self->random || !easel_random_weights_make (self->random, name, n_dims, shape, &tensor))
    return NULL;
  Slot *slot = g_new0 (Slot, 1);
  char *key = g_strdup (name);
  slot->mapped = tensor;
  g_ptr_array_add (self->random_names, key);
  g_hash_table_insert (self->slots, key, slot);
  return slot;
}

/* What the index promises must be in the files. */
static gboolean
check_index (EaselWeights *self, JsonObject *index, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  json_object_iter_init (&iter, json_object_get_object_member (index, "weight_map"));
  while (json_object_iter_next (&iter, &name, &value))
    if (!g_hash_table_contains (self->slots, name))
      {
        g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                     "%s is damaged: its index names \"%.200s\", but the files do not have it. Download it again.",
                     self->where, name);
        return FALSE;
      }
  return TRUE;
}

EaselWeights *
easel_weights_open (const char *dir, const char *variant, GError **error)
{
  g_autoptr (JsonObject) index = NULL;
  g_autoptr (GPtrArray) paths = easel_weights_find_files (dir, variant, &index, error);
  if (!paths)
    return NULL;
  EaselWeights *self = weights_new (dir);
  for (guint i = 0; i < paths->len; i++)
    if (!open_into (self, paths->pdata[i], error))
      goto fail;
  if (!index || check_index (self, index, error))
    return self;

fail:
  easel_weights_free (self);
  return NULL;
}

/* ---- where tensors live ---- */

static void
forget_uploads (EaselWeights *self)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->slots);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    ((Slot *) value)->uploaded = NULL;
  if (self->converted)
    easel_converted_weights_forget (self->converted);
  if (self->streamed)
    easel_streamed_weights_forget (self->streamed);
  if (self->stream)
    easel_stream_close (&self->stream);
  for (guint i = 0; i < self->slabs->len; i++)
    {
      Slab *slab = &g_array_index (self->slabs, Slab, i);
      easel_device_free (self->device, slab->base, slab->bytes);
    }
  g_array_set_size (self->slabs, 0);
  self->asked = 0;
}

void
easel_weights_set_device (EaselWeights *self, EaselDevice *device)
{
  if (device && device->maps_weights)
    device = NULL;
  if (device == self->device)
    return;
  forget_uploads (self);
  self->device = device;
}

void
easel_weights_set_compute (EaselWeights *self, EaselDtype dtype)
{
  self->compute = dtype;
}

void
easel_weights_set_products (EaselWeights *self, EaselDtype dtype)
{
  g_clear_pointer (&self->converted, easel_converted_weights_free);
  self->converted = easel_converted_weights_new (dtype, self->where, self->files, self->cache);
}

void
easel_weights_set_streamed (EaselWeights *self, int n_streamed, guint64 room, gboolean once)
{
  g_clear_pointer (&self->streamed, easel_streamed_weights_free);
  if (n_streamed > 0)
    self->streamed = easel_streamed_weights_new (n_streamed, room, once);
}

void
easel_weights_set_cache (EaselWeights *self, const char *folder)
{
  g_free (self->cache);
  self->cache = g_strdup (folder);
}

void
easel_weights_expect_bytes (EaselWeights *self, guint64 bytes)
{
  self->expected = bytes;
}

void
easel_weights_free (EaselWeights *self)
{
  if (!self)
    return;
  forget_uploads (self);
  easel_streamed_weights_free (self->streamed);
  g_hash_table_unref (self->slots);
  g_clear_pointer (&self->random_names, g_ptr_array_unref);
  easel_random_weights_free (self->random);
  easel_converted_weights_free (self->converted);
  g_free (self->cache);
  g_ptr_array_unref (self->files);
  g_array_unref (self->slabs);
  g_clear_error (&self->error);
  g_free (self->where);
  g_free (self);
}

static gsize
aligned (gsize bytes)
{
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Bytes of an uploaded tensor with the room it takes in a slab: of a scaled one its scales come after its elements. */
static gsize
uploaded_bytes (const Slot *slot, EaselDtype compute)
{
  const gsize count = (gsize) easel_tensor_count (&slot->mapped);
  if (slot->table)
    return 0;
  if (slot->scaled)
    return aligned (count) + aligned ((gsize) slot->mapped.shape[0] * sizeof (float));
  return aligned (count * easel_dtype_size (compute));
}

/* Bytes that will still be asked for, as far as anybody knows. */
static gsize
bytes_left (EaselWeights *self, EaselDtype compute)
{
  GHashTableIter iter;
  gpointer value;
  gsize left = self->random ? RANDOM_SLAB : 0;
  if (self->expected > self->asked)
    return self->expected - self->asked;
  if (self->streamed)
    return 0; /* most of what is not there yet will not stay */
  g_hash_table_iter_init (&iter, self->slots);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (!((Slot *) value)->uploaded)
      left += uploaded_bytes (value, compute);
  return left;
}

/* Room for a tensor on the device: in a slab that has some, else in a new one as large as what is left to upload,
 * within SLAB. A large tensor gets one of its own, so that small ones fill the end of the slab before. */
static EaselStatus
find_room (EaselWeights *self, gsize bytes, EaselDtype compute, void **out)
{
  Slab *found = NULL;
  for (guint i = 0; i < self->slabs->len && !found; i++)
    {
      Slab *slab = &g_array_index (self->slabs, Slab, i);
      if (slab->bytes - slab->used >= bytes)
        found = slab;
    }
  if (!found)
    {
      const gboolean own = bytes > LARGE && self->slabs->len > 0;
      Slab slab = { .bytes = own ? bytes : MAX (bytes, MIN (bytes_left (self, compute), SLAB)) };
      void *base = NULL;
      EaselStatus status = easel_device_alloc (self->device, slab.bytes, &base);
      if (status != EASEL_STATUS_OK)
        return status;
      slab.base = base;
      self->asked += slab.bytes;
      g_array_append_val (self->slabs, slab);
      found = &g_array_index (self->slabs, Slab, self->slabs->len - 1);
    }
  *out = found->base + found->used;
  found->used += bytes;
  return EASEL_STATUS_OK;
}

/* Sizes that all kernels of scaled products take. */
static gboolean
can_be_scaled (EaselWeights *self, const EaselTensor *matrix)
{
  return self->converted && matrix->shape[0] % 16 == 0 && matrix->shape[1] % 16 == 0;
}

static EaselStatus
upload (EaselWeights *self, Slot *slot, const char *name, EaselTensor *tensor, gsize bytes)
{
  void *memory = NULL;
  EaselStatus status = EASEL_STATUS_OK;
  if (self->streamed && easel_streamed_weights_taking (self->streamed))
    {
      status = easel_streamed_weights_place (self->streamed, self->device, self->converted, name, &slot->mapped, bytes,
                                             aligned (easel_tensor_bytes (tensor)), tensor);
      slot->uploaded = tensor->data;
      return status;
    }
  /* The arena of this stream is never used; it only orders the copies. */
  if (!self->stream)
    status = easel_stream_open (self->device, 256, &self->stream);
  if (status == EASEL_STATUS_OK)
    status = find_room (self, bytes, tensor->dtype, &memory);
  if (status != EASEL_STATUS_OK)
    return status;
  tensor->data = slot->uploaded = memory;
  if (!slot->scaled)
    easel_upload_weight (self->stream, *tensor, slot->mapped.data, slot->mapped.dtype);
  else
    {
      tensor->scales = (float *) ((char *) memory + aligned (easel_tensor_bytes (tensor)));
      easel_converted_weights_place (self->converted, self->stream, name, *tensor, &slot->mapped, TRUE);
    }
  return self->stream->status;
}

/* The tensor on the device, uploaded once. */
static EaselTensor
place (EaselWeights *self, Slot *slot, const char *name, Use use)
{
  EaselTensor tensor = slot->mapped;
  slot->table = use == AS_TABLE && easel_weights_keeps_tables (self);
  if (slot->table)
    return tensor;
  if (use == AS_MATRIX || use == AS_PRODUCT)
    tensor = easel_tensor_as (tensor, tensor.shape[0], easel_tensor_count (&tensor) / tensor.shape[0]);
  slot->scaled = use == AS_PRODUCT && can_be_scaled (self, &tensor);
  if (slot->scaled)
    {
      tensor.dtype = easel_converted_weights_dtype (self->converted);
      tensor.scales = tensor.data; /* the dry device reads neither */
    }
  if (!self->device)
    return tensor;
  if (!slot->scaled)
    tensor.dtype = self->compute < EASEL_N_DTYPES ? self->compute : self->device->act_dtype;
  if (!slot->uploaded)
    {
      const gsize bytes = uploaded_bytes (slot, tensor.dtype);
      EaselStatus status = upload (self, slot, name, &tensor, bytes);
      char detail[160];
      if (status == EASEL_STATUS_OK)
        return tensor;
      g_snprintf (detail, sizeof detail, "%" G_GSIZE_FORMAT " bytes for %.100s", bytes, name);
      easel_status_to_error (status, "Loading the model", detail, &self->error);
      return EASEL_NO_TENSOR;
    }
  tensor.data = slot->uploaded;
  if (slot->scaled)
    tensor.scales = (float *) ((char *) tensor.data + aligned (easel_tensor_bytes (&tensor)));
  return tensor;
}

static gboolean
same_shape (const EaselTensor *tensor, int n_dims, const gint64 *shape)
{
  if (tensor->n_dims != n_dims)
    return FALSE;
  for (int i = 0; i < n_dims; i++)
    if (tensor->shape[i] != shape[i])
      return FALSE;
  return TRUE;
}

static char *
shape_text (int n_dims, const gint64 *shape)
{
  GString *text = g_string_new ("[");
  for (int i = 0; i < n_dims; i++)
    g_string_append_printf (text, "%s%" G_GINT64_FORMAT, i ? ", " : "", shape[i]);
  return g_string_free (g_string_append_c (text, ']'), FALSE);
}

static EaselTensor
take (EaselWeights *self, gboolean optional, Use use, int n_dims, const gint64 *shape, const char *format,
      va_list args)
{
  if (self->error)
    return EASEL_NO_TENSOR;
  g_autofree char *name = g_strdup_vprintf (format, args);
  Slot *slot = g_hash_table_lookup (self->slots, name);
  if (!slot && !optional)
    slot = make_random (self, name, n_dims, shape);
  if (!slot)
    {
      if (!optional)
        self->error = g_error_new (EASEL_ERROR, EASEL_ERROR_DAMAGED,
                                   "%s lacks the tensor \"%s\" that its configuration asks for. The files do not "
                                   "belong together, or this kind of model is not supported.",
                                   self->where, name);
      return EASEL_NO_TENSOR;
    }
  if (!same_shape (&slot->mapped, n_dims, shape))
    {
      g_autofree char *want = shape_text (n_dims, shape);
      char have[96];
      easel_tensor_describe (&slot->mapped, have, sizeof have);
      self->error = g_error_new (EASEL_ERROR, EASEL_ERROR_DAMAGED,
                                 "%s: \"%s\" is %s, but the configuration asks for %s. The files do not belong "
                                 "together.",
                                 slot->file ? easel_safetensors_path (slot->file) : self->where, name, have, want);
      return EASEL_NO_TENSOR;
    }
  if (slot->mapped.dtype > EASEL_DTYPE_BF16)
    {
      self->error = g_error_new (EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                                 "%s: \"%s\" is stored as %s; this version computes with f32, f16 and bf16 weights.",
                                 easel_safetensors_path (slot->file), name, easel_dtype_name (slot->mapped.dtype));
      return EASEL_NO_TENSOR;
    }
  EaselTensor tensor = place (self, slot, name, use);
  if (self->in_block && !slot->used)
    self->block_bytes += uploaded_bytes (slot, self->compute < EASEL_N_DTYPES ? self->compute : slot->mapped.dtype);
  slot->used = TRUE;
  return tensor;
}

EaselTensor
easel_weights_take (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
{
  va_list args;
  va_start (args, name);
  EaselTensor tensor = take (self, FALSE, AS_STORED, n_dims, shape, name, args);
  va_end (args);
  return tensor;
}

EaselTensor
easel_weights_take_optional (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
{
  va_list args;
  va_start (args, name);
  EaselTensor tensor = take (self, TRUE, AS_STORED, n_dims, shape, name, args);
  va_end (args);
  return tensor;
}

EaselTensor
easel_weights_take_matrix (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
{
  va_list args;
  va_start (args, name);
  EaselTensor tensor = take (self, FALSE, AS_MATRIX, n_dims, shape, name, args);
  va_end (args);
  return tensor;
}

EaselTensor
easel_weights_take_product (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
{
  va_list args;
  va_start (args, name);
  EaselTensor tensor = take (self, FALSE, AS_PRODUCT, n_dims, shape, name, args);
  va_end (args);
  return tensor;
}

EaselTensor
easel_weights_take_table (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
{
  va_list args;
  va_start (args, name);
  EaselTensor tensor = take (self, FALSE, AS_TABLE, n_dims, shape, name, args);
  va_end (args);
  return tensor;
}

gboolean
easel_weights_keeps_tables (EaselWeights *self)
{
  return self->device || self->compute < EASEL_N_DTYPES;
}

/* ---- blocks ---- */

void
easel_weights_begin_block (EaselWeights *self, int i, int n)
{
  self->in_block = TRUE;
  self->block_bytes = 0;
  self->blocks.n = n;
  if (self->streamed)
    easel_streamed_weights_begin (self->streamed, i, n);
}

void
easel_weights_end_block (EaselWeights *self)
{
  EaselWeightBlocks *b = &self->blocks;
  self->in_block = FALSE;
  b->largest = MAX (b->largest, self->block_bytes);
  b->smallest = b->smallest ? MIN (b->smallest, self->block_bytes) : self->block_bytes;
  if (self->streamed)
    easel_streamed_weights_end (self->streamed);
}

void
easel_weights_enter_block (EaselWeights *self, EaselStream *s, int i)
{
  if (self->streamed)
    easel_streamed_weights_enter (self->streamed, s, i);
}

void
easel_weights_leave_block (EaselWeights *self, EaselStream *s, int i)
{
  if (self->streamed)
    easel_streamed_weights_leave (self->streamed, s, i);
}

EaselWeightBlocks
easel_weights_blocks (EaselWeights *self)
{
  return self->blocks;
}

gboolean
easel_weights_has (EaselWeights *self, const char *name, ...)
{
  va_list args;
  va_start (args, name);
  g_autofree char *full = g_strdup_vprintf (name, args);
  va_end (args);
  return g_hash_table_contains (self->slots, full);
}

gboolean
easel_weights_done (EaselWeights *self, GError **error)
{
  /* The copies are ordered among themselves alone: whoever uses the tensors uses another stream. */
  if (self->stream)
    {
      easel_synchronize (self->stream);
      if (!self->error && easel_stream_check (self->stream, "Loading the model", &self->error) && self->converted)
        easel_converted_weights_keep (self->converted, self->stream);
      easel_stream_close (&self->stream);
    }
  if (!self->error)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&self->error));
  return FALSE;
}

/* ---- what there is ---- */

GPtrArray *
easel_weights_unused (EaselWeights *self)
{
  GPtrArray *names = g_ptr_array_new ();
  for (guint f = 0; f < self->files->len; f++)
    for (guint i = 0; i < easel_safetensors_count (self->files->pdata[f]); i++)
      {
        const char *name = easel_safetensors_nth (self->files->pdata[f], i, NULL);
        if (!((Slot *) g_hash_table_lookup (self->slots, name))->used)
          g_ptr_array_add (names, (char *) name);
      }
  return names;
}

/* Elements and bytes of each dtype. */
static void
measure (EaselWeights *self, guint64 elements[EASEL_N_DTYPES], guint64 *bytes)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->slots);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const EaselTensor *tensor = &((Slot *) value)->mapped;
      elements[tensor->dtype] += (guint64) easel_tensor_count (tensor);
      *bytes += easel_tensor_bytes (tensor);
    }
}

guint64
easel_weights_bytes (EaselWeights *self)
{
  guint64 elements[EASEL_N_DTYPES] = { 0 }, bytes = 0;
  measure (self, elements, &bytes);
  return bytes;
}

guint64
easel_weights_held_bytes (EaselWeights *self)
{
  GHashTableIter iter;
  gpointer value;
  guint64 bytes = 0;
  if (self->compute >= EASEL_N_DTYPES)
    return easel_weights_bytes (self);
  g_hash_table_iter_init (&iter, self->slots);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Slot *) value)->used)
      bytes += uploaded_bytes (value, self->compute);
  return bytes;
}

guint64
easel_weights_parameters (EaselWeights *self)
{
  guint64 elements[EASEL_N_DTYPES] = { 0 }, bytes = 0, sum = 0;
  measure (self, elements, &bytes);
  for (guint i = 0; i < EASEL_N_DTYPES; i++)
    sum += elements[i];
  return sum;
}

EaselDtype
easel_weights_dtype (EaselWeights *self)
{
  guint64 elements[EASEL_N_DTYPES] = { 0 }, bytes = 0;
  guint best = 0;
  measure (self, elements, &bytes);
  for (guint i = 1; i < EASEL_N_DTYPES; i++)
    if (elements[i] > elements[best])
      best = i;
  return (EaselDtype) best;
}

void
easel_weights_drop_pages (EaselWeights *self)
{
  for (guint i = 0; i < self->files->len; i++)
    easel_safetensors_drop_pages (self->files->pdata[i]);
}
