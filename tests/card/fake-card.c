/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A module in the place of libeasel-cuda.so whose card is the processor, and which fails as hardware does where tests
 * say so. Only the fault is made up: the loader, the engine, the pipelines and the sentences are the real ones. Like a
 * card it holds weights of its own.
 *
 * EASEL_FAKE_CARD: "lost N" (the N-th operation from now finds the card gone; so do all after it, until the device is
 * closed and opened again, which works), "gone N" (and it does not), "held" (others hold its memory when it is opened).
 */
#include "kernels/cuda/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static EaselBackend backend;
static const EaselBackend *processor;
static EaselOps operations;
static long left; /* operations until it is lost; 0: it is not going to be */
static bool lost, gone;

static bool
works (EaselStream *s, const char *op)
{
  if (left > 0 && --left == 0)
    lost = true;
  if (lost)
    easel_stream_fail (s, EASEL_STATUS_DEVICE, "%s: the card has fallen off the bus (made up)", op);
  return !lost;
}

#define FAKE(name, Args)                          \
  static void fake_##name (EaselStream *s, const Args *a) \
  {                                               \
    if (works (s, #name))                         \
      processor->ops->name (s, a);                \
  }
EASEL_FOR_EACH_OP (FAKE)
#undef FAKE

/* A lost card answers no copy either, nor gives memory. */
static EaselStatus
fake_upload (EaselStream *s, void *dst, const void *src, size_t bytes)
{
  return lost ? EASEL_STATUS_DEVICE : processor->upload (s, dst, src, bytes);
}

static EaselStatus
fake_alloc (EaselDevice *device, size_t bytes, void **out)
{
  return lost ? EASEL_STATUS_DEVICE : processor->alloc (device, bytes, out);
}

static EaselStatus
open_card (int index, bool portable, EaselDevice **out, char *why, size_t size)
{
  const char *fault = getenv ("EASEL_FAKE_CARD");
  EaselStatus status;
  EaselDevice *device = NULL;

  (void) index, (void) portable;
  if (gone || (fault && !strcmp (fault, "held")))
    {
      snprintf (why, size, gone ? "The made-up card cannot be used: it is gone."
                                : "The made-up card has no memory left: other programs hold it. Close them and try "
                                  "again.");
      return gone ? EASEL_STATUS_DEVICE : EASEL_STATUS_NO_MEMORY;
    }
  if ((status = easel_cpu_device_open (2, &device)) != EASEL_STATUS_OK)
    return status;
  if (!processor)
    {
      processor = device->backend;
      backend = *processor;
      backend.kind = "cuda";
      backend.upload = fake_upload;
      backend.alloc = fake_alloc;
#define ENTRY(name, Args) operations.name = fake_##name;
      EASEL_FOR_EACH_OP (ENTRY)
#undef ENTRY
      backend.ops = &operations;
    }
  device->backend = &backend;
  device->maps_weights = false;
  snprintf (device->name, sizeof device->name, "Made-up card");
  /* The fault comes once: a card that is opened again is a new one. */
  lost = false;
  left = 0;
  if (fault && (sscanf (fault, "lost %ld", &left) == 1 || sscanf (fault, "gone %ld", &left) == 1))
    gone = fault[0] == 'g';
  unsetenv ("EASEL_FAKE_CARD");
  *out = device;
  return EASEL_STATUS_OK;
}

EASEL_CUDA_MODULE_DEFINE (open_card);
