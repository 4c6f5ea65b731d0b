/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Blocks of weights that take turns on the device. There is room for two of them: while one computes, the next
 * travels. A block always comes to the same place, block j (counted among those that take turns) to room j % 2, so its
 * tensors have addresses like any other's.
 *
 * Blocks that are needed again and again (a step's) wait on the host in the numbers the device computes in, in memory
 * that it copies from by itself. Blocks that are needed once (a text encoder's) come from their files each time.
 */
#include "engine/core/weights-private.h"

#define ALIGNMENT 256

typedef struct
{
  char *name;
  EaselTensor stored, placed; /* in the file; on the device */
} Part;

typedef struct
{
  GArray *parts; /* Part, of blocks from files */
  char *host;    /* of blocks that wait on the host */
  gsize used;    /* bytes */
} Block;

struct EaselStreamedWeights
{
  EaselDevice *device;
  int n_blocks, n_streamed;
  gsize room;        /* bytes of one */
  gboolean once;
  char *base;        /* two rooms */
  EaselStream *feed; /* copies are issued here */
  EaselEvent *ready[2], *through[2]; /* a room has been filled; its block has been used */
  int holds[2];      /* which block is in a room, or on its way there; -1: none */
  Block *blocks;     /* [n_streamed] */
  int taking;        /* the block whose tensors are being taken, -1: none */
  EaselConvertedWeights *converted; /* borrowed; NULL */
};

EaselStreamedWeights *
easel_streamed_weights_new (int n_streamed, guint64 room, gboolean once)
{
  EaselStreamedWeights *self = g_new0 (EaselStreamedWeights, 1);
  self->n_streamed = n_streamed;
  self->room = room;
  self->once = once;
  self->taking = self->holds[0] = self->holds[1] = -1;
  self->blocks = g_new0 (Block, n_streamed);
  for (int i = 0; i < n_streamed; i++)
    self->blocks[i].parts = g_array_new (FALSE, FALSE, sizeof (Part));
  return self;
}

/* Everything on the device and the memory it copies from. */
static void
forget (EaselStreamedWeights *self)
{
  if (self->feed)
    easel_stream_close (&self->feed); /* waits for what it was given */
  for (int i = 0; i < 2 && self->device; i++)
    {
      easel_event_free (self->device, &self->ready[i]);
      easel_event_free (self->device, &self->through[i]);
      self->holds[i] = -1;
    }
  for (int i = 0; i < self->n_streamed; i++)
    {
      Block *b = &self->blocks[i];
      for (guint k = 0; k < b->parts->len; k++)
        g_free (g_array_index (b->parts, Part, k).name);
      g_array_set_size (b->parts, 0);
      if (b->host)
        easel_host_free (self->device, b->host);
      b->host = NULL;
      b->used = 0;
    }
  if (self->base)
    easel_device_free (self->device, self->base, 2 * self->room);
  self->base = NULL;
  self->device = NULL;
}

void
easel_streamed_weights_free (EaselStreamedWeights *self)
{
  if (!self)
    return;
  forget (self);
  for (int i = 0; i < self->n_streamed; i++)
    g_array_unref (self->blocks[i].parts);
  g_free (self->blocks);
  g_free (self);
}

void
easel_streamed_weights_forget (EaselStreamedWeights *self)
{
  forget (self);
}

/* Which of the blocks that take turns block i is, -1: it stays. They lie evenly among the others, so that a copy has
 * as much time as there is. */
static int
turn_of (const EaselStreamedWeights *self, int i)
{
  const gint64 n = self->n_blocks, k = self->n_streamed;
  return i >= 0 && i < n && (i + 1) * k / n > i * k / n ? (int) (i * k / n) : -1;
}

void
easel_streamed_weights_begin (EaselStreamedWeights *self, int i, int n)
{
  self->n_blocks = n;
  self->taking = turn_of (self, i);
}

void
easel_streamed_weights_end (EaselStreamedWeights *self)
{
  self->taking = -1;
}

gboolean
easel_streamed_weights_taking (const EaselStreamedWeights *self)
{
  return self->taking >= 0;
}

static EaselStatus
open_rooms (EaselStreamedWeights *self, EaselDevice *device)
{
  void *base = NULL;
  EaselStatus status;
  if (self->base)
    return EASEL_STATUS_OK;
  self->device = device;
  status = easel_device_alloc (device, 2 * self->room, &base);
  if (status == EASEL_STATUS_OK)
    {
      self->base = base;
      status = easel_stream_open (device, 256, &self->feed);
    }
  for (int i = 0; i < 2 && status == EASEL_STATUS_OK; i++)
    if ((status = easel_event_new (device, &self->ready[i])) == EASEL_STATUS_OK)
      status = easel_event_new (device, &self->through[i]);
  return status;
}

/* The numbers of one tensor to where it is placed. */
static void
fill_part (EaselStreamedWeights *self, const Part *part)
{
  if (part->placed.scales)
    easel_converted_weights_place (self->converted, self->feed, part->name, part->placed, &part->stored, FALSE);
  else
    easel_upload_weight (self->feed, part->placed, part->stored.data, part->stored.dtype);
}

EaselStatus
easel_streamed_weights_place (EaselStreamedWeights *self, EaselDevice *device, EaselConvertedWeights *converted,
                              const char *name, const EaselTensor *stored, gsize bytes, gsize scales_at,
                              EaselTensor *tensor)
{
  Block *b = &self->blocks[self->taking];
  Part part = { .stored = *stored };
  EaselStatus status = open_rooms (self, device);
  void *host = NULL;

  self->converted = converted;
  if (status != EASEL_STATUS_OK)
    return status;
  if (b->used + bytes > self->room)
    return EASEL_STATUS_BAD_SHAPE; /* the plan was made for another model */
  tensor->data = self->base + (gsize) (self->taking % 2) * self->room + b->used;
  if (tensor->scales)
    tensor->scales = (float *) ((char *) tensor->data + scales_at);
  part.placed = *tensor;
  if (self->once)
    {
      part.name = g_strdup (name);
      g_array_append_val (b->parts, part);
    }
  else
    {
      if (!b->host && (status = easel_host_alloc (device, self->room, &host)) != EASEL_STATUS_OK)
        return status;
      b->host = b->host ? b->host : host;
      part.name = (char *) name;
      fill_part (self, &part);
      easel_download (self->feed, b->host + b->used, easel_tensor_of (tensor->data, EASEL_DTYPE_U8, (gint64) bytes));
      self->holds[self->taking % 2] = -1;
    }
  b->used += bytes;
  return self->feed->status;
}

/* Block j to its room, once what is there has been used. */
static void
fill (EaselStreamedWeights *self, int j)
{
  const Block *b = &self->blocks[j];
  const int room = j % 2;

  easel_event_wait (self->feed, self->through[room]);
  for (guint k = 0; k < b->parts->len; k++)
    fill_part (self, &g_array_index (b->parts, Part, k));
  if (b->host)
    easel_upload_beside (self->feed, self->base + (gsize) room * self->room, b->host, b->used);
  easel_event_record (self->feed, self->ready[room]);
  self->holds[room] = j;
}

static void
pass_on_failure (EaselStreamedWeights *self, EaselStream *s)
{
  if (!easel_stream_ok (self->feed))
    easel_stream_fail (s, self->feed->status, "%s", self->feed->message);
}

void
easel_streamed_weights_enter (EaselStreamedWeights *self, EaselStream *s, int i)
{
  const int j = turn_of (self, i);
  if (j < 0 || !self->base || !easel_stream_ok (s))
    return;
  if (self->holds[j % 2] != j)
    fill (self, j);
  easel_event_wait (s, self->ready[j % 2]);
  pass_on_failure (self, s);
}

void
easel_streamed_weights_leave (EaselStreamedWeights *self, EaselStream *s, int i)
{
  const int j = turn_of (self, i), next = self->n_streamed > 0 ? (j + 2) % self->n_streamed : 0;
  if (j < 0 || !self->base || !easel_stream_ok (s))
    return;
  easel_event_record (s, self->through[j % 2]);
  /* An odd number of blocks ends where it would begin: then the first is fetched when it is wanted. What comes from
   * files keeps the host busy: it is read when it is sure to be wanted. */
  if (next % 2 == j % 2 && next != j && !(self->once && next < j))
    fill (self, next);
  pass_on_failure (self, s);
}
