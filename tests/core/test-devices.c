/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Choosing a device by name, and the numbers a model computes in on it.
 */
#include "engine/core/devices.h"
#include "engine/core/error.h"
#include "kernels/cuda-loader.h"

#include <string.h>

static void
test_names (void)
{
  static const char *const wrong[] = { "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:999", "CPU", "cpu:1" };
  g_autoptr (GError) error = NULL;
  EaselDevice *device = easel_devices_open ("cpu", 1, 0, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (device->backend->kind, ==, "cpu");
  easel_device_close (&device);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_assert_null (easel_devices_open (wrong[i], 1, 0, NULL, &error));
      g_assert_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, wrong[i]));
      g_clear_error (&error);
    }
}

/* With a card or without: "auto" opens something, and a card that is not there is said, with the way out. */
static void
test_cards (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *note = NULL;
  EaselDevice *device = easel_devices_open (NULL, 1, 0, &note, &error);
  g_assert_no_error (error);
  gboolean card = !strcmp (device->backend->kind, "cuda");
  g_assert_true (card || !strcmp (device->backend->kind, "cpu"));
  g_assert_true (!card || note == NULL);
  easel_device_close (&device);

  device = easel_devices_open ("cuda", 1, 1 << 20, NULL, &error);
  if (card)
    {
      g_assert_no_error (error);
      g_assert_cmpuint (device->memory_limit, ==, 1 << 20);
      easel_device_close (&device);
      return;
    }
  g_assert_null (device);
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "CPU"));
}

/* A module that is none is words, not a crash. */
static void
test_module (void)
{
  EaselCudaSettings settings = { .module = "/nonexistent/libeasel-cuda.so" };
  EaselDevice *device = NULL;
  char why[256] = "";
  g_assert_cmpint (easel_cuda_device_open (&settings, &device, why, sizeof why), ==, EASEL_STATUS_UNSUPPORTED);
  g_assert_null (device);
  g_assert_nonnull (strstr (why, "cannot be opened"));
  settings.module = "libm.so.6"; /* a library, but not ours */
  g_assert_cmpint (easel_cuda_device_open (&settings, &device, why, sizeof why), ==, EASEL_STATUS_UNSUPPORTED);
  g_assert_nonnull (strstr (why, "another version"));
}

static void
test_precision (void)
{
  g_autoptr (GError) error = NULL;
  EaselDevice *cpu = easel_devices_open ("cpu", 1, 0, NULL, &error), *all = NULL;
  g_assert_no_error (error);
  g_assert_cmpint (easel_dry_device_open (EASEL_DTYPE_F32, &all), ==, EASEL_STATUS_OK);

  g_assert_true (easel_devices_check_precision (cpu, NULL, &error));
  g_assert_true (easel_devices_check_precision (cpu, "f32", &error));
  g_assert_false (easel_devices_check_precision (cpu, "bf16", &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_clear_error (&error);
  g_assert_true (easel_devices_check_precision (all, "f16", &error));

  /* The CPU computes in f32 whatever is asked; a card as the model was trained, or as asked. */
  g_assert_cmpint (easel_devices_compute_dtype (cpu, NULL, EASEL_DTYPE_BF16, FALSE), ==, EASEL_DTYPE_F32);
  g_assert_cmpint (easel_devices_compute_dtype (all, NULL, EASEL_DTYPE_BF16, FALSE), ==, EASEL_DTYPE_BF16);
  g_assert_cmpint (easel_devices_compute_dtype (all, NULL, EASEL_DTYPE_F16, FALSE), ==, EASEL_DTYPE_F16);
  g_assert_cmpint (easel_devices_compute_dtype (all, NULL, EASEL_DTYPE_F16, TRUE), ==, EASEL_DTYPE_BF16);
  g_assert_cmpint (easel_devices_compute_dtype (all, NULL, EASEL_DTYPE_F32, FALSE), ==, EASEL_DTYPE_BF16);
  g_assert_cmpint (easel_devices_compute_dtype (all, "f32", EASEL_DTYPE_F16, TRUE), ==, EASEL_DTYPE_F32);

  /* 8 bits: refused where there are none at all, 16 and a word on a card that lacks those. */
  g_assert_false (easel_devices_check_precision (cpu, "fp8", &error));
  g_assert_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST);
  g_assert_nonnull (strstr (error->message, "fp8"));
  g_clear_error (&error);
  all->product_dtypes = 1u << EASEL_DTYPE_I8;
  g_assert_true (easel_devices_check_precision (all, "fp8", &error));
  g_assert_true (easel_devices_check_precision (all, "int8", &error));
  g_assert_false (easel_devices_check_precision (all, "int4", &error));
  g_assert_nonnull (strstr (error->message, "fp8 or int8"));
  g_autofree char *fp8 = easel_devices_precision_note (all, "fp8"), *int8 = easel_devices_precision_note (all, "int8");
  g_assert_nonnull (strstr (fp8, "16 bits"));
  g_assert_null (int8);
  g_assert_cmpint (easel_devices_compute_dtype (all, "int8", EASEL_DTYPE_F16, FALSE), ==, EASEL_DTYPE_F16);
  g_assert_cmpint (easel_devices_compute_dtype (all, "fp8", EASEL_DTYPE_F16, TRUE), ==, EASEL_DTYPE_BF16);
  easel_device_close (&cpu);
  easel_device_close (&all);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/devices/names", test_names);
  g_test_add_func ("/devices/cards", test_cards);
  g_test_add_func ("/devices/module", test_module);
  g_test_add_func ("/devices/precision", test_precision);
  return g_test_run ();
}
