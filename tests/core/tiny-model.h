/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A Sana folder of reference models, put together in a temporary folder with links: the smallest thing that the whole
 * engine can run.
 */
#pragma once

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/core/files.h"
#include "engine/core/json.h"

static inline char *
tiny_reference (const char *folder, const char *name)
{
  return g_build_filename (g_getenv ("EASEL_SOURCE"), "tests", "reference", folder, name, NULL);
}

static inline void
tiny_write (const char *dir, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (GError) error = NULL;
  struct iovec piece = { (void *) text, strlen (text) };
  easel_write_file (path, &piece, 1, &error);
  g_assert_no_error (error);
}

/* A new empty folder; tiny_remove() takes it away. */
static inline char *
tiny_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *path = g_dir_make_tmp ("easel-test-XXXXXX", &error);
  g_assert_no_error (error);
  return path;
}

/* Links are removed, not followed. */
static inline void
tiny_remove (const char *path)
{
  if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK) && g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      g_autoptr (GDir) listing = g_dir_open (path, 0, NULL);
      const char *name;
      while (listing && (name = g_dir_read_name (listing)))
        {
          g_autofree char *child = g_build_filename (path, name, NULL);
          tiny_remove (child);
        }
    }
  g_assert_cmpint (g_remove (path), ==, 0);
}

static inline void
tiny_link (const char *dir, const char *component, const char *model)
{
  g_autofree char *path = g_build_filename (dir, component, NULL);
  g_autofree char *target = tiny_reference ("models", model);
  g_assert_cmpint (symlink (target, path), ==, 0);
}

/* root/name, a SanaPipeline of tiny models: 32 latent channels, 32 pixels a latent. */
static inline char *
tiny_sana (const char *root, const char *name)
{
  char *dir = g_build_filename (root, name, NULL);
  g_autofree char *scheduler = g_build_filename (dir, "scheduler", NULL);
  g_assert_cmpint (g_mkdir_with_parents (scheduler, 0755), ==, 0);
  tiny_write (dir, "model_index.json",
              "{ \"_class_name\": \"SanaPipeline\", \"_diffusers_version\": \"0.32.0\",\n"
              "  \"scheduler\": [\"diffusers\", \"DPMSolverMultistepScheduler\"],\n"
              "  \"text_encoder\": [\"transformers\", \"Gemma2Model\"],\n"
              "  \"tokenizer\": [\"transformers\", \"GemmaTokenizerFast\"],\n"
              "  \"transformer\": [\"diffusers\", \"SanaTransformer2DModel\"],\n"
              "  \"vae\": [\"diffusers\", \"AutoencoderDC\"] }\n");
  tiny_write (dir, "README.md", "---\nlicense: cc0-1.0\n---\nTiny models for tests.\n");
  tiny_write (scheduler, "scheduler_config.json",
              "{ \"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"dpmsolver++\",\n"
              "  \"flow_shift\": 3.0, \"use_flow_sigmas\": true, \"prediction_type\": \"flow_prediction\",\n"
              "  \"solver_order\": 2, \"num_train_timesteps\": 1000, \"lambda_min_clipped\": -Infinity }\n");
  tiny_link (dir, "transformer", "sana-v1-tiny");
  tiny_link (dir, "vae", "dcae-tiny");
  tiny_link (dir, "text_encoder", "gemma2-tiny");
  tiny_link (dir, "tokenizer", "gemma-tokenizer");
  return dir;
}
