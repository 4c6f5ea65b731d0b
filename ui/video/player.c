/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/video/player-private.h"

#include <math.h>

#include <gtk/gtk.h>

#include "engine/media/video-file.h"

typedef struct
{
  GdkTexture *texture;
  double width, height; /* with square pixels */
  double rate;
  int frame, n_frames;
  int wanted;           /* a frame that was asked for and is not yet shown, or -1 */
  gboolean playing, loop;
  char *error;
} EaselPlayerPrivate;

static void paintable_init (GdkPaintableInterface *interface);

G_DEFINE_ABSTRACT_TYPE_WITH_CODE (EaselPlayer, easel_player, G_TYPE_OBJECT,
                                  G_ADD_PRIVATE (EaselPlayer)
                                  G_IMPLEMENT_INTERFACE (GDK_TYPE_PAINTABLE, paintable_init))

enum
{
  PLAYING = 1,
  LOOP,
  FRAME,
  N_FRAMES,
  RATE,
  READY,
  ERROR,
  N_PROPERTIES
};
static GParamSpec *properties[N_PROPERTIES];

static EaselPlayerPrivate *
private_of (EaselPlayer *self)
{
  return easel_player_get_instance_private (self);
}

static void
notify (EaselPlayer *self, int property)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

/* ------------------------------------------------------------------------------------------------------- paintable */

static void
paintable_snapshot (GdkPaintable *paintable, GdkSnapshot *snapshot, double width, double height)
{
  EaselPlayerPrivate *p = private_of (EASEL_PLAYER (paintable));

  if (p->texture)
    gtk_snapshot_append_texture (GTK_SNAPSHOT (snapshot), p->texture,
                                 &GRAPHENE_RECT_INIT (0, 0, (float) width, (float) height));
}

static int
paintable_width (GdkPaintable *paintable)
{
  return (int) (private_of (EASEL_PLAYER (paintable))->width + 0.5);
}

static int
paintable_height (GdkPaintable *paintable)
{
  return (int) (private_of (EASEL_PLAYER (paintable))->height + 0.5);
}

static double
paintable_aspect (GdkPaintable *paintable)
{
  EaselPlayerPrivate *p = private_of (EASEL_PLAYER (paintable));

  return p->height > 0 ? p->width / p->height : 0;
}

static GdkPaintable *
paintable_current (GdkPaintable *paintable)
{
  EaselPlayerPrivate *p = private_of (EASEL_PLAYER (paintable));

  return p->texture ? GDK_PAINTABLE (g_object_ref (p->texture))
                    : gdk_paintable_new_empty (paintable_width (paintable), paintable_height (paintable));
}

static void
paintable_init (GdkPaintableInterface *interface)
{
  interface->snapshot = paintable_snapshot;
  interface->get_intrinsic_width = paintable_width;
  interface->get_intrinsic_height = paintable_height;
  interface->get_intrinsic_aspect_ratio = paintable_aspect;
  interface->get_current_image = paintable_current;
}

/* ----------------------------------------------------------------------------------------------- for the two kinds */

void
easel_player_describe (EaselPlayer *self, double width, double height, int n_frames, double rate)
{
  EaselPlayerPrivate *p = private_of (self);
  const gboolean size = !(fabs (p->width - width) < 0.5 && fabs (p->height - height) < 0.5);
  const gboolean frames = p->n_frames != n_frames, new_rate = !(fabs (p->rate - rate) < 1e-6);

  p->width = width;
  p->height = height;
  p->n_frames = n_frames;
  p->rate = rate;
  if (size)
    gdk_paintable_invalidate_size (GDK_PAINTABLE (self));
  if (frames)
    notify (self, N_FRAMES);
  if (new_rate)
    notify (self, RATE);
}

void
easel_player_present (EaselPlayer *self, GdkTexture *texture, int frame)
{
  EaselPlayerPrivate *p = private_of (self);
  const gboolean first = !p->texture;

  frame = MAX (frame, 0);
  if (p->n_frames > 0)
    frame = MIN (frame, p->n_frames - 1);
  if (frame == p->wanted)
    p->wanted = -1;
  g_set_object (&p->texture, texture);
  gdk_paintable_invalidate_contents (GDK_PAINTABLE (self));
  if (p->frame != frame)
    {
      p->frame = frame;
      notify (self, FRAME);
    }
  if (first)
    notify (self, READY);
}

void
easel_player_ended (EaselPlayer *self)
{
  EaselPlayerPrivate *p = private_of (self);

  if (!p->playing)
    return;
  p->playing = FALSE;
  notify (self, PLAYING);
}

void
easel_player_fail (EaselPlayer *self, char *sentence)
{
  EaselPlayerPrivate *p = private_of (self);

  g_free (p->error);
  p->error = sentence;
  notify (self, ERROR);
  easel_player_ended (self);
}

/* ------------------------------------------------------------------------------------------------------- for others */

EaselPlayer *
easel_player_new_for_file (const char *path)
{
  return easel_video_is_animation (path) ? easel_frames_player_new (NULL, path) : easel_file_player_new (path);
}

EaselPlayer *
easel_player_new_for_clip (EaselPicture *clip)
{
  return easel_frames_player_new (clip, NULL);
}

gboolean
easel_player_set_clip (EaselPlayer *self, EaselPicture *clip)
{
  if (!EASEL_IS_FRAMES_PLAYER (self))
    return FALSE;
  easel_frames_player_set_clip (EASEL_FRAMES_PLAYER (self), clip);
  return TRUE;
}

void
easel_player_set_playing (EaselPlayer *self, gboolean playing)
{
  EaselPlayerPrivate *p = private_of (self);

  if (p->playing == !!playing || p->error)
    return;
  p->playing = !!playing;
  if (playing && !p->loop && p->n_frames > 0 && p->frame == p->n_frames - 1)
    easel_player_seek (self, 0);
  EASEL_PLAYER_GET_CLASS (self)->play (self, p->playing);
  notify (self, PLAYING);
}

void
easel_player_set_loop (EaselPlayer *self, gboolean loop)
{
  EaselPlayerPrivate *p = private_of (self);

  if (p->loop == !!loop)
    return;
  p->loop = !!loop;
  EASEL_PLAYER_GET_CLASS (self)->loop (self, p->loop);
  notify (self, LOOP);
}

void
easel_player_seek (EaselPlayer *self, int frame)
{
  EaselPlayerPrivate *p = private_of (self);

  if (p->n_frames < 1 || p->error)
    return;
  p->wanted = CLAMP (frame, 0, p->n_frames - 1);
  EASEL_PLAYER_GET_CLASS (self)->seek (self, p->wanted);
}

void
easel_player_step (EaselPlayer *self, int n)
{
  EaselPlayerPrivate *p = private_of (self);
  int frame = (p->wanted >= 0 ? p->wanted : p->frame) + n;

  if (p->n_frames < 1)
    return;
  easel_player_set_playing (self, FALSE);
  if (p->loop)
    frame = (frame % p->n_frames + p->n_frames) % p->n_frames;
  easel_player_seek (self, frame);
}

gboolean
easel_player_get_playing (EaselPlayer *self)
{
  return private_of (self)->playing;
}

gboolean
easel_player_get_loop (EaselPlayer *self)
{
  return private_of (self)->loop;
}

int
easel_player_get_frame (EaselPlayer *self)
{
  return private_of (self)->frame;
}

int
easel_player_get_n_frames (EaselPlayer *self)
{
  return private_of (self)->n_frames;
}

double
easel_player_get_rate (EaselPlayer *self)
{
  return private_of (self)->rate;
}

gboolean
easel_player_get_ready (EaselPlayer *self)
{
  return private_of (self)->texture != NULL;
}

const char *
easel_player_get_error (EaselPlayer *self)
{
  return private_of (self)->error;
}

/* ---------------------------------------------------------------------------------------------------------- object */

static void
easel_player_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  EaselPlayerPrivate *p = private_of (EASEL_PLAYER (object));

  switch (id)
    {
    case PLAYING:
      g_value_set_boolean (value, p->playing);
      break;
    case LOOP:
      g_value_set_boolean (value, p->loop);
      break;
    case FRAME:
      g_value_set_int (value, p->frame);
      break;
    case N_FRAMES:
      g_value_set_int (value, p->n_frames);
      break;
    case RATE:
      g_value_set_double (value, p->rate);
      break;
    case READY:
      g_value_set_boolean (value, p->texture != NULL);
      break;
    case ERROR:
      g_value_set_string (value, p->error);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
easel_player_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PLAYING:
      easel_player_set_playing (EASEL_PLAYER (object), g_value_get_boolean (value));
      break;
    case LOOP:
      easel_player_set_loop (EASEL_PLAYER (object), g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
easel_player_finalize (GObject *object)
{
  EaselPlayerPrivate *p = private_of (EASEL_PLAYER (object));

  g_clear_object (&p->texture);
  g_free (p->error);
  G_OBJECT_CLASS (easel_player_parent_class)->finalize (object);
}

static void
easel_player_class_init (EaselPlayerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags read = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  const GParamFlags both = read | G_PARAM_WRITABLE;

  object_class->get_property = easel_player_get_property;
  object_class->set_property = easel_player_set_property;
  object_class->finalize = easel_player_finalize;
  properties[PLAYING] = g_param_spec_boolean ("playing", NULL, NULL, FALSE, both);
  properties[LOOP] = g_param_spec_boolean ("loop", NULL, NULL, TRUE, both);
  properties[FRAME] = g_param_spec_int ("frame", NULL, NULL, 0, G_MAXINT, 0, read);
  properties[N_FRAMES] = g_param_spec_int ("n-frames", NULL, NULL, 0, G_MAXINT, 0, read);
  properties[RATE] = g_param_spec_double ("rate", NULL, NULL, 0, G_MAXDOUBLE, 0, read);
  properties[READY] = g_param_spec_boolean ("ready", NULL, NULL, FALSE, read);
  properties[ERROR] = g_param_spec_string ("error", NULL, NULL, NULL, read);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
easel_player_init (EaselPlayer *self)
{
  EaselPlayerPrivate *p = private_of (self);

  p->loop = TRUE;
  p->wanted = -1;
}
