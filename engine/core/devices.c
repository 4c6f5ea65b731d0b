/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/devices.h"

#include <string.h>

#include "engine/core/error.h"
#include "kernels/cuda-loader.h"

/* The number of "cuda:N"; -1: the name is another. */
static int
card_of (const char *name)
{
  gint64 index = 0;
  if (!strcmp (name, "cuda"))
    return 0;
  if (g_str_has_prefix (name, "cuda:") && g_ascii_string_to_signed (name + 5, 10, 0, 255, &index, NULL))
    return (int) index;
  return -1;
}

static EaselDevice *
open_cpu (int threads, GError **error)
{
  EaselDevice *device = NULL;
  EaselStatus status = easel_cpu_device_open (threads, &device);
  if (status == EASEL_STATUS_OK)
    return device;
  easel_status_to_error (status, "Opening the device", "cpu", error);
  return NULL;
}

static EaselError
error_of (EaselStatus status)
{
  return status == EASEL_STATUS_NO_MEMORY ? EASEL_ERROR_NO_MEMORY
         : status == EASEL_STATUS_DEVICE  ? EASEL_ERROR_DEVICE
                                          : EASEL_ERROR_UNSUPPORTED;
}

EaselDevice *
easel_devices_open (const char *name, int threads, guint64 card_limit, char **note, GError **error)
{
  gboolean choose = !name || !*name || !strcmp (name, "auto");
  EaselCudaSettings settings = { .index = choose ? 0 : card_of (name) };
  EaselDevice *device = NULL;
  EaselStatus status;
  char why[256];
  if (!choose && !strcmp (name, "cpu"))
    return open_cpu (threads, error);
  if (settings.index < 0)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED,
                   "There is no device \"%.40s\"; there are \"auto\", \"cpu\", \"cuda\" and \"cuda:1\" for a second "
                   "card.",
                   name);
      return NULL;
    }
  status = easel_cuda_device_open (&settings, &device, why, sizeof why);
  if (status == EASEL_STATUS_OK)
    {
      device->memory_limit = card_limit;
      return device;
    }
  if (choose)
    {
      /* A machine without a card is nothing to speak of; a card that cannot be used is. */
      if (note && g_file_test ("/proc/driver/nvidia", G_FILE_TEST_EXISTS))
        *note = g_strdup (why);
      return open_cpu (threads, error);
    }
  g_set_error (error, EASEL_ERROR, error_of (status), "%s The CPU can do the same work: choose the device \"cpu\".",
               why);
  return NULL;
}

/* What 8 bits a precision asks for; EASEL_N_DTYPES: none. */
static EaselDtype
scaled_dtype (const char *precision)
{
  return !g_strcmp0 (precision, "fp8")    ? EASEL_DTYPE_F8_E4M3
         : !g_strcmp0 (precision, "int8") ? EASEL_DTYPE_I8
                                          : EASEL_N_DTYPES;
}

static gboolean
has_products (EaselDevice *device, EaselDtype dtype)
{
  return dtype < EASEL_N_DTYPES && device->product_dtypes >> dtype & 1;
}

gboolean
easel_devices_check_precision (EaselDevice *device, const char *precision, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (int dtype = EASEL_DTYPE_F32; dtype <= EASEL_DTYPE_BF16; dtype++)
    if (device->act_dtypes >> dtype & 1)
      {
        if (!precision || !strcmp (precision, easel_dtype_name ((EaselDtype) dtype)))
          return TRUE;
        g_string_append_printf (known, "%s%s", known->len ? " or " : "", easel_dtype_name ((EaselDtype) dtype));
      }
  /* A device with some products of 8 bits is a card, and an older one computes in 16. */
  if (device->product_dtypes != 0 && scaled_dtype (precision) < EASEL_N_DTYPES)
    return TRUE;
  if (device->product_dtypes != 0)
    g_string_append (known, " or fp8 or int8");
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "%s computes in %s, not in \"%.40s\"", device->name,
               known->str, precision);
  return FALSE;
}

char *
easel_devices_precision_note (EaselDevice *device, const char *precision)
{
  const EaselDtype dtype = scaled_dtype (precision);
  if (dtype >= EASEL_N_DTYPES || has_products (device, dtype))
    return NULL;
  return g_strdup_printf ("in 16 bits, because %s has no %s products", device->name,
                          dtype == EASEL_DTYPE_I8 ? "INT8" : "FP8");
}

EaselDtype
easel_devices_compute_dtype (EaselDevice *device, const char *precision, EaselDtype stored, gboolean range)
{
  EaselDtype dtype = stored == EASEL_DTYPE_F16 ? EASEL_DTYPE_F16 : EASEL_DTYPE_BF16;
  if (precision && scaled_dtype (precision) >= EASEL_N_DTYPES)
    dtype = !strcmp (precision, "f32")   ? EASEL_DTYPE_F32
            : !strcmp (precision, "f16") ? EASEL_DTYPE_F16
                                         : EASEL_DTYPE_BF16;
  if (range && dtype == EASEL_DTYPE_F16)
    dtype = EASEL_DTYPE_BF16;
  return device->act_dtypes >> dtype & 1 ? dtype : EASEL_DTYPE_F32;
}

EaselDtype
easel_devices_choose_dtype (EaselDevice *device, const char *precision, EaselWeights *weights, gboolean range,
                            guint64 expected)
{
  const EaselDtype dtype = easel_devices_compute_dtype (device, precision, easel_weights_dtype (weights), range);

  if (!device->maps_weights)
    {
      easel_weights_set_compute (weights, dtype);
      easel_weights_expect_bytes (weights, expected);
      if (has_products (device, scaled_dtype (precision)))
        easel_weights_set_products (weights, scaled_dtype (precision));
    }
  return dtype;
}
