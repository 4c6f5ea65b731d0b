/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tensors, devices, streams: accounting, failures, the dry run, and arguments that must be refused.
 */
#include "harness.h"
#include "kernels/cpu/cpu.h"

#include <string.h>

#define CHECK(condition)                                        \
  do                                                            \
    {                                                           \
      if (!(condition))                                         \
        harness_fail ("%s:%d: %s", __FILE__, __LINE__, #condition); \
    }                                                           \
  while (0)

static void
test_tensor (void)
{
  float data[24];
  char text[64], tiny[6];
  EaselTensor t = easel_tensor_of (data, EASEL_DTYPE_F32, 2, 3, 4), rows, none = EASEL_NO_TENSOR;

  CHECK (easel_tensor_count (&t) == 24 && easel_tensor_bytes (&t) == 96);
  CHECK (easel_tensor_count (&none) == 0 && easel_tensor_bytes (&none) == 0);
  CHECK (strcmp (easel_tensor_describe (&t, text, sizeof text), "[2, 3, 4] f32") == 0);
  CHECK (strcmp (easel_tensor_describe (&t, tiny, sizeof tiny), "[2, 3") == 0);
  CHECK (strcmp (easel_tensor_describe (&none, text, sizeof text), "absent") == 0);
  rows = easel_tensor_rows (t, 1, 1);
  CHECK (rows.data == data + 12 && rows.shape[0] == 1 && easel_tensor_count (&rows) == 12);
  rows = easel_tensor_as (t, 6, 4);
  CHECK (rows.n_dims == 2 && easel_tensor_count (&rows) == 24);
  CHECK (easel_dtype_size (EASEL_DTYPE_BF16) == 2 && strcmp (easel_dtype_name (EASEL_DTYPE_BF16), "bf16") == 0);
  CHECK (easel_dtype_name ((EaselDtype) 99) != NULL && easel_dtype_size ((EaselDtype) 99) == 0);
}

static void
test_accounting (void)
{
  EaselDevice *device;
  EaselStream *s = NULL;
  void *p = NULL, *q = NULL;
  uint64_t base;

  CHECK (easel_cpu_device_open (2, &device) == EASEL_STATUS_OK);
  base = device->memory_used;
  CHECK (easel_device_alloc (device, 0, &p) == EASEL_STATUS_BAD_SHAPE && !p);
  CHECK (easel_device_alloc (device, 1000, &p) == EASEL_STATUS_OK && (uintptr_t) p % 64 == 0);
  CHECK (device->memory_used == base + 1000 && device->memory_peak == base + 1000);
  device->memory_limit = base + 1500;
  CHECK (easel_device_alloc (device, 501, &q) == EASEL_STATUS_NO_MEMORY && !q);
  CHECK (easel_device_alloc (device, SIZE_MAX - 10, &q) == EASEL_STATUS_NO_MEMORY && !q);
  CHECK (easel_stream_open (device, 501, &s) == EASEL_STATUS_NO_MEMORY && !s);
  CHECK (easel_device_alloc (device, 500, &q) == EASEL_STATUS_OK);
  easel_device_free (device, q, 500);
  easel_device_free (device, p, 1000);
  CHECK (device->memory_used == base && device->memory_peak == base + 1500);
  easel_device_reset_peak (device);
  CHECK (device->memory_peak == base);
  device->memory_limit = 0;
  CHECK (easel_device_alloc (device, (size_t) 1 << 60, &p) == EASEL_STATUS_NO_MEMORY && device->memory_used == base);

  device->fail_after = 2;
  p = q = NULL;
  CHECK (easel_device_alloc (device, 8, &p) == EASEL_STATUS_OK);
  CHECK (easel_device_alloc (device, 8, &q) == EASEL_STATUS_NO_MEMORY && !q);
  CHECK (easel_device_alloc (device, 8, &q) == EASEL_STATUS_OK);
  easel_device_free (device, p, 8);
  easel_device_free (device, q, 8);
  device->fail_after = 1;
  CHECK (easel_stream_open (device, 4096, &s) == EASEL_STATUS_NO_MEMORY && !s);
  easel_device_close (&device);
  CHECK (!device);
  easel_device_close (&device);
}

static void
test_arena (void)
{
  EaselDevice *device;
  EaselStream *s;
  EaselTensor a, b;
  size_t mark;

  CHECK (easel_cpu_device_open (1, &device) == EASEL_STATUS_OK);
  CHECK (easel_stream_open (device, 1024, &s) == EASEL_STATUS_OK);
  a = easel_new (s, EASEL_DTYPE_F32, 3);
  mark = easel_stream_mark (s);
  b = easel_new (s, EASEL_DTYPE_BF16, 5, 7);
  CHECK ((uintptr_t) a.data % 64 == 0 && (char *) b.data == (char *) a.data + 64);
  CHECK (s->used == 64 + 70 && s->peak == 134);
  easel_stream_release (s, mark);
  CHECK (s->used == mark && s->peak == 134);
  b = easel_new (s, EASEL_DTYPE_F32, 240);
  CHECK (b.data && easel_stream_ok (s));
  b = easel_new (s, EASEL_DTYPE_F32, 1);
  CHECK (!b.data && s->status == EASEL_STATUS_NO_MEMORY && s->message[0]);

  /* The first error stays; nothing happens after it. */
  easel_stream_fail (s, EASEL_STATUS_DEVICE, "later");
  CHECK (s->status == EASEL_STATUS_NO_MEMORY);
  easel_linear (s, .x = b);
  CHECK (s->launches == 0 && s->status == EASEL_STATUS_NO_MEMORY);
  easel_stream_clear (s);
  b = easel_new (s, EASEL_DTYPE_F32, 0);
  CHECK (!b.data && s->status == EASEL_STATUS_BAD_SHAPE);
  easel_stream_clear (s);
  b = easel_new (s, EASEL_DTYPE_F32, INT64_MAX / 2, 8);
  CHECK (!b.data && s->status == EASEL_STATUS_BAD_SHAPE);
  easel_stream_close (&s);
  easel_device_close (&device);
}

/* A small model's worth of calls: what the dry run says about it must be what the CPU does. */
static void
forward (EaselStream *s, float *out)
{
  static const float ones[64 * 96] = { 1, 2, 3 };
  size_t mark;
  EaselTensor x, w, h, y;

  x = easel_new (s, EASEL_DTYPE_F32, 2, 5, 96);
  w = easel_new (s, EASEL_DTYPE_F32, 64, 96);
  easel_upload (s, x, ones);
  easel_upload (s, w, ones);
  y = easel_new (s, EASEL_DTYPE_F32, 2, 5, 64);
  mark = easel_stream_mark (s);
  h = easel_new (s, EASEL_DTYPE_F32, 2, 5, 96);
  easel_norm (s, .kind = EASEL_NORM_RMS, .x = x, .y = h, .eps = 1e-6f);
  easel_linear (s, .x = h, .w = w, .y = y, .act = EASEL_ACT_SILU);
  easel_stream_release (s, mark);
  easel_glu (s, .a = y, .y = y, .act = EASEL_ACT_RELU);
  easel_download (s, out, y);
  easel_synchronize (s);
}

static void
test_dry (void)
{
  EaselDevice *dry, *cpu;
  EaselStream *d, *c;
  float out[640] = { 5 }, real[640];
  void *p = NULL;

  CHECK (easel_dry_device_open (EASEL_DTYPE_F32, &dry) == EASEL_STATUS_OK);
  CHECK (easel_cpu_device_open (2, &cpu) == EASEL_STATUS_OK);
  CHECK (easel_stream_open (dry, 0, &d) == EASEL_STATUS_OK && easel_stream_is_dry (d));
  forward (d, out);
  CHECK (easel_stream_ok (d) && out[0] == 0);
  CHECK (easel_stream_open (cpu, d->peak, &c) == EASEL_STATUS_OK && !easel_stream_is_dry (c));
  forward (c, real);
  CHECK (easel_stream_ok (c) && real[0] != 0);
  CHECK (c->peak == d->peak && c->launches == d->launches && c->flops == d->flops && c->bytes == d->bytes);
  CHECK (d->launches == 3 && d->flops > 2 * 10 * 64 * 96);
  easel_stream_close (&c);

  /* One byte less does not fit, and says so. */
  CHECK (easel_stream_open (cpu, d->peak - 1, &c) == EASEL_STATUS_OK);
  forward (c, real);
  CHECK (c->status == EASEL_STATUS_NO_MEMORY);
  easel_stream_close (&c);
  easel_stream_reset_counters (d);
  CHECK (d->launches == 0 && d->flops == 0);

  /* Models larger than any machine can be measured. */
  CHECK (easel_new (d, EASEL_DTYPE_F32, 1000, 1000, 1000, 100).data != NULL);
  CHECK (easel_device_alloc (dry, (size_t) 1 << 40, &p) == EASEL_STATUS_OK && dry->memory_used == (uint64_t) 1 << 40);
  easel_device_free (dry, p, (size_t) 1 << 40);
  CHECK (dry->memory_used == 0);
  easel_stream_close (&d);
  easel_device_close (&dry);
  easel_device_close (&cpu);
}

#define REFUSED(call)                             \
  do                                              \
    {                                             \
      call;                                       \
      CHECK (s->status == EASEL_STATUS_BAD_SHAPE); \
      easel_stream_clear (s);                     \
    }                                             \
  while (0)

static void
test_refusals (void)
{
  static float m[4096];
  EaselDevice *device;
  EaselStream *s;
  EaselTensor x = easel_tensor_of (m, EASEL_DTYPE_F32, 4, 8), w = easel_tensor_of (m, EASEL_DTYPE_F32, 6, 8);
  EaselTensor y = easel_tensor_of (m, EASEL_DTYPE_F32, 4, 6), h = easel_tensor_of (m, EASEL_DTYPE_BF16, 4, 8);
  EaselTensor p = easel_tensor_of (m, EASEL_DTYPE_F32, 1, 4, 4, 8);
  EaselTensor k = easel_tensor_of (m, EASEL_DTYPE_F32, 6, 8, 3, 3);
  EaselTensor o = easel_tensor_of (m, EASEL_DTYPE_F32, 1, 4, 4, 6), zero = easel_tensor_of (m, EASEL_DTYPE_F32, 0, 8);
  EaselTensor huge = easel_tensor_of (m, EASEL_DTYPE_F32, INT64_MAX / 2, 8);
  EaselTensor y3 = easel_tensor_of (m, EASEL_DTYPE_F32, 1, 4, 8);
  EaselHeads heads = { m, 8, 4 };

  CHECK (easel_cpu_device_open (1, &device) == EASEL_STATUS_OK);
  CHECK (easel_stream_open (device, 0, &s) == EASEL_STATUS_OK);
  REFUSED (easel_linear (s, .x = x, .w = w));
  REFUSED (easel_linear (s, .x = y, .w = w, .y = y));
  REFUSED (easel_linear (s, .x = x, .w = w, .y = x));
  REFUSED (easel_linear (s, .x = h, .w = w, .y = y));
  REFUSED (easel_linear (s, .x = zero, .w = w, .y = y));
  REFUSED (easel_linear (s, .x = huge, .w = w, .y = y));
  REFUSED (easel_linear (s, .x = x, .w = w, .bias = y, .y = y));
  REFUSED (easel_linear (s, .x = x, .w = w, .residual = x, .y = y));
  REFUSED (easel_linear (s, .x = x, .w = w, .y = y, .x_stride = 7));
  REFUSED (easel_linear (s, .x = x, .w = w, .y = y, .gate = easel_tensor_of (m, EASEL_DTYPE_F32, 3, 6)));
  REFUSED (easel_conv2d (s, .x = p, .w = k, .y = o));
  REFUSED (easel_conv2d (s, .x = p, .w = k, .y = o, .pad = 1, .groups = 2));
  REFUSED (easel_conv2d (s, .x = p, .w = k, .y = o, .pad = 1, .upsample = 2));
  REFUSED (easel_conv2d (s, .x = p, .w = k, .y = o, .pad = -1));
  REFUSED (easel_depthwise_glu (s, .x = p, .w = k, .y = o));
  REFUSED (easel_norm (s, .x = x, .y = y));
  REFUSED (easel_norm (s, .x = x, .y = x, .weight = easel_tensor_of (m, EASEL_DTYPE_F32, 7)));
  REFUSED (easel_linear_attention (s, .q = heads, .k = heads, .v = heads, .y = y3, .heads = 3, .head_dim = 4));
  REFUSED (easel_linear_attention (s, .q = heads, .k = heads, .y = y3, .heads = 2, .head_dim = 4));
  REFUSED (easel_attention (s, .q = heads, .k = heads, .v = heads, .y = y3, .heads = 2, .head_dim = 4, .n_kv = 0));
  REFUSED (easel_attention (s, .q = heads, .k = heads, .v = heads, .y = y3, .heads = 2, .kv_heads = 2, .head_dim = 4,
                            .n_kv = 4, .mask = x));
  REFUSED (easel_rope (s, .x = heads, .cos = x, .sin = x, .batch = 1, .n_tokens = 5, .heads = 1, .head_dim = 8));
  REFUSED (easel_embedding (s, .ids = x, .table = w, .y = x));
  REFUSED (easel_timestep_embedding (s, .t = x, .y = x));
  REFUSED (easel_glu (s, .a = x, .b = y, .y = x));
  REFUSED (easel_lincomb (s, .n_terms = 9, .x = { x }, .y = x));
  REFUSED (easel_lincomb (s, .n_terms = 2, .x = { x, y }, .y = x));
  REFUSED (easel_add (s, .x = x, .r = easel_tensor_of (m, EASEL_DTYPE_F32, 3), .y = x));
  REFUSED (easel_layout (s, .x = p, .y = p, .to_channels_last = true));
  REFUSED (easel_cast (s, .x = x, .y = y));
  REFUSED (easel_pixel_shuffle (s, .x = p, .y = o, .factor = 2));
  REFUSED (easel_pixel_unshuffle (s, .x = p, .y = o, .factor = 2));
  CHECK (s->launches == 0);
  easel_stream_close (&s);
  easel_device_close (&device);
}

/* Many short jobs: each unit exactly once, none after the call has returned. */
static void
count_unit (const void *data, int64_t unit, int worker)
{
  int *counts = *(int *const *) data;

  (void) worker;
  __atomic_add_fetch (&counts[unit], 1, __ATOMIC_RELAXED);
}

static void
test_pool (void)
{
  for (int threads = 1; threads <= 5; threads++)
    {
      EaselPool *pool = easel_pool_new (threads);

      for (int job = 0; job < 3000; job++)
        {
          int counts[16] = { 0 }, *data = counts, n = job % 17;

          easel_pool_run (pool, n, count_unit, &data);
          for (int i = 0; i < 16; i++)
            CHECK (counts[i] == (i < n));
        }
      easel_pool_free (pool);
    }
}

int
main (void)
{
  test_tensor ();
  test_accounting ();
  test_arena ();
  test_dry ();
  test_refusals ();
  test_pool ();
  return harness_finish ();
}
