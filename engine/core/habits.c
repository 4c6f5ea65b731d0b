/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/habits.h"

#include <math.h>

#define WHERE "easel.json"

/* Without a matrix made for the autoencoder: channels spread around the colour circle. It shows where things are and
 * that they change, not what colour they will have. */
static void
spread_channels (EaselHabits *self)
{
  const double size = 0.5 / sqrt (self->n_channels);

  for (int c = 0; c < self->n_channels; c++)
    for (int k = 0; k < 3; k++)
      self->latent_rgb[3 * c + k] = (float) (size * cos (2 * G_PI * (c * 0.6180339887 + k / 3.0)));
}

static gboolean
damaged (GError **error, const char *what)
{
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED, WHERE ": %s", what);
  return FALSE;
}

static gboolean
number_at (JsonArray *array, guint i, float *out)
{
  JsonNode *node = json_array_get_element (array, i);

  if (!JSON_NODE_HOLDS_VALUE (node)
      || (json_node_get_value_type (node) != G_TYPE_DOUBLE && json_node_get_value_type (node) != G_TYPE_INT64))
    return FALSE;
  *out = (float) json_node_get_double (node);
  return isfinite (*out);
}

static gboolean
read_row (JsonNode *node, float *out)
{
  JsonArray *row = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  return row && json_array_get_length (row) == 3 && number_at (row, 0, out) && number_at (row, 1, out + 1)
         && number_at (row, 2, out + 2);
}

static gboolean
read_colours (EaselHabits *self, JsonObject *object, GError **error)
{
  JsonNode *node = json_object_get_member (object, "latent_rgb");
  JsonNode *bias = json_object_get_member (object, "latent_rgb_bias");
  JsonArray *rows;

  if (bias && !read_row (bias, self->bias))
    return damaged (error, "latent_rgb_bias must be three numbers");
  if (!node)
    return TRUE;
  rows = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  if (!rows || (int) json_array_get_length (rows) != self->n_channels)
    return damaged (error, "latent_rgb must have a row of three numbers for each channel of the latents");
  for (int c = 0; c < self->n_channels; c++)
    if (!read_row (json_array_get_element (rows, c), self->latent_rgb + 3 * c))
      return damaged (error, "latent_rgb must have a row of three numbers for each channel of the latents");
  return TRUE;
}

gboolean
easel_habits_read (EaselHabits *self, const char *folder, int n_channels, const EaselHabits *defaults,
                   GError **error)
{
  g_autofree char *path = g_build_filename (folder, WHERE, NULL);
  g_autoptr (JsonObject) object = NULL;
  EaselFields f;

  *self = *defaults;
  self->n_channels = n_channels;
  self->bias[0] = self->bias[1] = self->bias[2] = 0.5f;
  self->latent_rgb = g_new (float, 3 * n_channels);
  spread_channels (self);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  if (!(object = easel_json_load (path, error)))
    return FALSE;
  f = easel_fields (object, WHERE);
  self->human_instruction = easel_fields_bool (&f, "human_instruction", self->human_instruction);
  self->max_tokens = easel_fields_int (&f, "max_tokens", self->max_tokens, 2, 8192);
  self->steps = easel_fields_int (&f, "steps", self->steps, 1, 1000);
  self->guidance = easel_fields_double (&f, "guidance", self->guidance);
  self->fps = easel_fields_double (&f, "fps", self->fps);
  if (!easel_fields_done (&f, error))
    return FALSE;
  if (!(self->guidance >= 0 && self->guidance <= 100))
    return damaged (error, "guidance must be between 0 and 100");
  if (!(self->fps >= 0 && self->fps <= 1000))
    return damaged (error, "fps must be between 0 and 1000");
  return read_colours (self, object, error);
}

void
easel_habits_clear (EaselHabits *self)
{
  g_clear_pointer (&self->latent_rgb, g_free);
}

EaselPicture *
easel_habits_preview (const EaselHabits *self, const float *clean, int w, int h, int frames)
{
  EaselPicture *picture = easel_picture_new (w, h, frames, NULL);

  if (!picture)
    return NULL;
  for (gsize p = 0; p < (gsize) w * h * frames; p++)
    {
      float rgb[3] = { self->bias[0], self->bias[1], self->bias[2] };

      for (int c = 0; c < self->n_channels; c++)
        for (int k = 0; k < 3; k++)
          rgb[k] += clean[p * self->n_channels + c] * self->latent_rgb[3 * c + k];
      for (int k = 0; k < 3; k++)
        picture->rgb[3 * p + k] = rgb[k] > 0 ? rgb[k] < 1 ? (guint8) (rgb[k] * 255 + 0.5f) : 255 : 0;
    }
  return picture;
}
