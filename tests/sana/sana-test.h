/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Shared by the room's tests: the reference models that travel with the repository.
 */
#pragma once

#include "engine/core/json.h"
#include "engine/core/weights.h"

/* tests/reference/models/NAME/FILE; g_free. */
static inline char *
reference_path (const char *name, const char *file)
{
  return g_build_filename (g_getenv ("EASEL_SOURCE"), "tests", "reference", "models", name, file, NULL);
}

static inline JsonObject *
reference_config (const char *name)
{
  g_autofree char *path = reference_path (name, "config.json");
  g_autoptr (GError) error = NULL;
  JsonObject *object = easel_json_load (path, &error);

  g_assert_no_error (error);
  return object;
}

static inline EaselWeights *
reference_weights (const char *name)
{
  g_autofree char *dir = reference_path (name, NULL);
  g_autoptr (GError) error = NULL;
  EaselWeights *weights = easel_weights_open (dir, NULL, &error);

  g_assert_no_error (error);
  return weights;
}

static inline EaselDevice *
open_cpu (void)
{
  EaselDevice *device = NULL;

  g_assert_cmpint (easel_cpu_device_open (2, &device), ==, EASEL_STATUS_OK);
  return device;
}
