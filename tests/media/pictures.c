/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/media/pictures.h"

#include <unistd.h>

#include <glib/gstdio.h>

EaselPicture *
pictures_new_with_model (int width, int height, const char *prompt, const char *negative, const char *model)
{
  EaselRequestSettings settings = EASEL_REQUEST_SETTINGS_INIT;
  g_autoptr (GError) error = NULL;
  EaselPicture *picture = easel_picture_new (width, height, 1, &error);
  guint32 noise = 1;

  g_assert_no_error (error);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      {
        guint8 *p = picture->rgb + ((gsize) y * width + x) * 3;

        noise = noise * 1664525u + 1013904223u;
        p[0] = (guint8) (255 * x / width);
        p[1] = (guint8) ((x / 8 + y / 8) % 2 ? 200 : 60);
        p[2] = (guint8) (255 * y / height / 2 + (noise >> 28));
      }
  settings.model = model;
  settings.prompt = prompt;
  settings.negative = negative;
  settings.width = width;
  settings.height = height;
  settings.steps = 20;
  settings.guidance = 4.5;
  settings.seed = 1234567890123;
  settings.sampler = "flow-dpm++";
  settings.count = 1;
  settings.max_tokens = 300;
  settings.noise = "cpu";
  picture->request = easel_request_new (&settings, &error);
  g_assert_no_error (error);
  return picture;
}

EaselPicture *
pictures_new (int width, int height, const char *prompt, const char *negative)
{
  return pictures_new_with_model (width, height, prompt, negative, "starter-sana");
}

char *
pictures_make_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("easel-test-XXXXXX", &error);

  g_assert_no_error (error);
  return folder;
}

void
pictures_remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_remove (path);
    }
  g_remove (folder);
}

guint
pictures_count_files (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (dir && g_dir_read_name (dir))
    n++;
  return n;
}
