/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The weights of one component: one safetensors file or several shards, found as they lie on the Hub. A model asks
 * for each tensor by name with the shape its configuration says; what is missing or of another shape is an error
 * that names tensor, file and both shapes. Weights of another dtype than f32, f16 and bf16 are UNSUPPORTED.
 *
 * On a device that maps weights (the CPU) tensors are views into the mapped file in the file's dtype; elsewhere they
 * are uploaded once and live as long as this object.
 */
#pragma once

#include "engine/core/json.h"
#include "engine/core/safetensors.h"

G_BEGIN_DECLS

typedef struct EaselWeights EaselWeights;

/* Opens the best file set in `dir` for `variant` (NULL: none preferred):
 *   {diffusion_pytorch_model,model}[.variant].safetensors, else the sharded set through its index
 *   ({stem}.safetensors.index[.variant].json or {stem}.variant.safetensors.index.json, shard names from its weight_map,
 *   never outside `dir`).
 * The variant asked for comes first, then the plain set, then bf16, then fp16. An index none of whose shards is there
 * does not count (another variant was downloaded); one with some shards missing is NOT_FOUND.
 * NOT_FOUND, DAMAGED, IO. */
EaselWeights *easel_weights_open (const char *dir, const char *variant, GError **error);

/* The files easel_weights_open() would open: paths, free with g_ptr_array_unref. *index (may be NULL) receives the
 * index of a sharded set, else is untouched. Opens no weights. */
GPtrArray *easel_weights_find_files (const char *dir, const char *variant, JsonObject **index, GError **error);

/* One file, for golden tensors and tests. */
EaselWeights *easel_weights_open_file (const char *path, GError **error);

/* Not a file's but random weights, for benchmarks: every tensor that a model asks for is there in the shape it asks
 * for, in `dtype` (f16 or bf16, as if in a file), normal around 0 with the spread models are initialised with (weights
 * of norms: around 1). Optional tensors are absent. Takes 8 MiB of memory whatever is asked for. NO_MEMORY. */
EaselWeights *easel_weights_new_random (EaselDtype dtype, guint32 seed, GError **error);

/* Says where tensors shall live from now on; NULL or a mapping device: in the mapped files. Device borrowed. */
void easel_weights_set_device (EaselWeights *self, EaselDevice *device);

/* What uploaded tensors are converted to: f32, f16 or bf16, the dtype of activations of the model that takes them.
 * Before the first take; without it, the device's act_dtype. Tensors in mapped files stay as they are. */
void easel_weights_set_compute (EaselWeights *self, EaselDtype dtype);

/* The weights that easel_weights_take_product() takes become scaled tensors (tensor.h) of `dtype` (f8_e4m3 or i8) as
 * they are uploaded, where their sizes allow: rows and columns in sixteens. Before the first take, for a device that
 * does not map weights, or the dry device that measures for one. */
void easel_weights_set_products (EaselWeights *self, EaselDtype dtype);

/* A folder (made when it is missing) where converted weights are kept, so that they are not converted again and half
 * as many bytes are read; NULL: none. Before easel_weights_set_products(). See weights-convert.c. */
void easel_weights_set_cache (EaselWeights *self, const char *folder);

/* Deletes what is kept in such a folder; the next time it is made again. Gives the bytes that were freed. */
guint64 easel_weights_clear_cache (const char *folder);

/* How many bytes will be taken, as easel_weights_held_bytes() of another copy says: memory is then asked for in pieces
 * that add up to that, and not for tensors nobody takes. 0: not known. */
void easel_weights_expect_bytes (EaselWeights *self, guint64 bytes);

void easel_weights_free (EaselWeights *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EaselWeights, easel_weights_free)

/* Lets n_streamed of the blocks, evenly spread, take turns in two places of `room` bytes (the largest block's) on the
 * device; all others stay there. once: for a model that is run a few times and put out, whose blocks are read from
 * their files each time; else they wait in page-locked memory. 0: all stay, which is so without this. Before the first
 * take; nothing on a device that maps weights. */
void easel_weights_set_streamed (EaselWeights *self, int n_streamed, guint64 room, gboolean once);

/* Tensors taken between begin and end belong to block i of n. */
void easel_weights_begin_block (EaselWeights *self, int i, int n);
void easel_weights_end_block (EaselWeights *self);
/* Around every use of block i's tensors on a stream: waits until they are there; lets the next block come when the
 * stream is through with them. The host does not wait but for files. Problems are the stream's. */
void easel_weights_enter_block (EaselWeights *self, EaselStream *s, int i);
void easel_weights_leave_block (EaselWeights *self, EaselStream *s, int i);

/* What the blocks taken so far need on a device. */
typedef struct
{
  int n;
  guint64 largest, smallest; /* bytes */
} EaselWeightBlocks;
EaselWeightBlocks easel_weights_blocks (EaselWeights *self);

/* A builder in the style of EaselFields: the first problem sticks, check once at the end with easel_weights_done().
 * Gives EASEL_NO_TENSOR after a problem. The name may hold printf conversions. Counts the tensor as used.
 *   w = easel_weights_take (weights, EASEL_SHAPE (n, k), "blocks.%d.attn.weight", i); */
#define EASEL_SHAPE(...) (int) (sizeof ((gint64[]){ __VA_ARGS__ }) / sizeof (gint64)), (const gint64[]){ __VA_ARGS__ }
EaselTensor easel_weights_take (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
    G_GNUC_PRINTF (4, 5);
/* Absent is not a problem: gives EASEL_NO_TENSOR. Another shape is. */
EaselTensor easel_weights_take_optional (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
    G_GNUC_PRINTF (4, 5);
/* A convolution that is used as a matrix: [shape[0], the rest] in the file's order, which a device's convolutions may
 * not keep. */
EaselTensor easel_weights_take_matrix (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
    G_GNUC_PRINTF (4, 5);
/* A weight of a product inside a block, [shape[0], the rest] as easel_weights_take_matrix(): one that may have 8 bits.
 * For everything else 16 bits stay: embeddings, norms, tables, patches in and out, what comes from the time (few rows,
 * so nothing is won, and an error there is one of every token): what SmoothQuant, Q-DiT and ViDiT-Q keep as well. */
EaselTensor easel_weights_take_product (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
    G_GNUC_PRINTF (4, 5);
/* A table whose rows are looked up (embeddings): where weights are uploaded it stays on the host, in the dtype of the
 * file, and rows are fetched when they are wanted: see easel_encoder_embed(). */
EaselTensor easel_weights_take_table (EaselWeights *self, int n_dims, const gint64 *shape, const char *name, ...)
    G_GNUC_PRINTF (4, 5);
gboolean easel_weights_keeps_tables (EaselWeights *self); /* on the host while the rest is uploaded */
gboolean easel_weights_has (EaselWeights *self, const char *name, ...) G_GNUC_PRINTF (2, 3);

/* TRUE when all that was asked for was there and has arrived; else moves the error out. */
gboolean easel_weights_done (EaselWeights *self, GError **error);

/* Names in the files that nothing asked for (a sign of an unsupported model); borrowed names, free the array. */
GPtrArray *easel_weights_unused (EaselWeights *self);

guint64 easel_weights_bytes (EaselWeights *self);      /* of all tensors in the files */
/* Bytes of a device that the tensors taken so far need (or would, on a dry device) after easel_weights_set_compute();
 * without that, of all tensors as they are in the files. */
guint64 easel_weights_held_bytes (EaselWeights *self);
guint64 easel_weights_parameters (EaselWeights *self); /* elements */
EaselDtype easel_weights_dtype (EaselWeights *self);   /* of most elements */

/* Lets the system drop the mapped pages (madvise): after the text encoder has done its work. */
void easel_weights_drop_pages (EaselWeights *self);

G_END_DECLS
