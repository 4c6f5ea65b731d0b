/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/zoom-view.h"

#include <math.h>

#define MOST 16.0      /* GTK pixels a pixel of the picture */
#define STEP 1.25
#define PAN 60.0       /* GTK pixels an arrow key moves */
#define HANDLE 12.0

struct _EaselZoomView
{
  GtkWidget parent;
  GdkTexture *texture, *second;
  EaselZoom view;
  double divider;
  EaselZoom grabbed;        /* the view when a drag began */
  double pinched, pointer_x, pointer_y;
};

G_DEFINE_FINAL_TYPE (EaselZoomView, easel_zoom_view, GTK_TYPE_WIDGET)

static guint view_changed, divider_moved;

static double
fit_scale (EaselZoomView *self)
{
  double w = gtk_widget_get_width (GTK_WIDGET (self)), h = gtk_widget_get_height (GTK_WIDGET (self));

  if (!self->texture || !(w > 0) || !(h > 0))
    return 1;
  return MIN (w / gdk_texture_get_width (self->texture), h / gdk_texture_get_height (self->texture));
}

double
easel_zoom_view_get_scale (EaselZoomView *self)
{
  return self->view.zoom > 0 ? self->view.zoom : fit_scale (self);
}

/* Where the picture lies in the widget. */
static graphene_rect_t
picture_box (EaselZoomView *self)
{
  double scale = easel_zoom_view_get_scale (self);
  double w = gdk_texture_get_width (self->texture) * scale, h = gdk_texture_get_height (self->texture) * scale;
  double width = gtk_widget_get_width (GTK_WIDGET (self)), height = gtk_widget_get_height (GTK_WIDGET (self));
  double x = w <= width ? (width - w) / 2 : width / 2 - self->view.x * w;
  double y = h <= height ? (height - h) / 2 : height / 2 - self->view.y * h;

  return GRAPHENE_RECT_INIT ((float) round (x), (float) round (y), (float) w, (float) h);
}

static double
clamp_middle (double middle, double picture, double view)
{
  double edge = view / 2 / picture;
  return picture <= view ? 0.5 : CLAMP (middle, edge, 1 - edge);
}

/* Keeps the picture's edges at the widget's. */
static void
settle (EaselZoomView *self)
{
  double scale = easel_zoom_view_get_scale (self);

  if (!self->texture)
    return;
  self->view.x = clamp_middle (self->view.x, gdk_texture_get_width (self->texture) * scale,
                               gtk_widget_get_width (GTK_WIDGET (self)));
  self->view.y = clamp_middle (self->view.y, gdk_texture_get_height (self->texture) * scale,
                               gtk_widget_get_height (GTK_WIDGET (self)));
}

static void
changed (EaselZoomView *self)
{
  settle (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_signal_emit (self, view_changed, 0);
}

/* The point of the picture under (px, py) stays there. */
static void
zoom_at (EaselZoomView *self, double zoom, double px, double py)
{
  graphene_rect_t box;
  double fit = fit_scale (self), u, v, w, h;

  if (!self->texture)
    return;
  box = picture_box (self);
  u = (px - box.origin.x) / box.size.width;
  v = (py - box.origin.y) / box.size.height;
  zoom = MIN (zoom, MAX (MOST, fit));
  if (zoom <= MIN (fit, 1) * 1.001) /* no smaller than what fits, or pixel by pixel */
    zoom = fit <= 1 ? 0 : 1;
  self->view.zoom = zoom;
  w = gdk_texture_get_width (self->texture) * easel_zoom_view_get_scale (self);
  h = gdk_texture_get_height (self->texture) * easel_zoom_view_get_scale (self);
  self->view.x = u + (gtk_widget_get_width (GTK_WIDGET (self)) / 2.0 - px) / w;
  self->view.y = v + (gtk_widget_get_height (GTK_WIDGET (self)) / 2.0 - py) / h;
  changed (self);
}

void
easel_zoom_view_zoom_by (EaselZoomView *self, double factor)
{
  zoom_at (self, easel_zoom_view_get_scale (self) * factor, gtk_widget_get_width (GTK_WIDGET (self)) / 2.0,
           gtk_widget_get_height (GTK_WIDGET (self)) / 2.0);
}

void
easel_zoom_view_zoom_to (EaselZoomView *self, double zoom)
{
  self->view.zoom = zoom;
  if (!(zoom > 0))
    self->view.x = self->view.y = 0.5;
  changed (self);
}

EaselZoom
easel_zoom_view_get_view (EaselZoomView *self)
{
  return self->view;
}

void
easel_zoom_view_set_view (EaselZoomView *self, EaselZoom view)
{
  self->view = view;
  settle (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
easel_zoom_view_set_texture (EaselZoomView *self, GdkTexture *texture)
{
  gboolean same = self->texture && texture &&
                  gdk_texture_get_width (self->texture) == gdk_texture_get_width (texture) &&
                  gdk_texture_get_height (self->texture) == gdk_texture_get_height (texture);

  g_set_object (&self->texture, texture);
  if (!same)
    self->view = (EaselZoom){ 0, 0.5, 0.5 };
  changed (self);
}

GdkTexture *
easel_zoom_view_get_texture (EaselZoomView *self)
{
  return self->texture;
}

void
easel_zoom_view_set_words (EaselZoomView *self, const char *words)
{
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
}

void
easel_zoom_view_set_second (EaselZoomView *self, GdkTexture *texture)
{
  g_set_object (&self->second, texture);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
easel_zoom_view_set_divider (EaselZoomView *self, double divider)
{
  self->divider = CLAMP (divider, 0, 1);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

double
easel_zoom_view_get_divider (EaselZoomView *self)
{
  return self->divider;
}

static void
easel_zoom_view_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  EaselZoomView *self = EASEL_ZOOM_VIEW (widget);
  float width = (float) gtk_widget_get_width (widget), height = (float) gtk_widget_get_height (widget);
  gboolean rtl = gtk_widget_get_direction (widget) == GTK_TEXT_DIR_RTL;
  graphene_rect_t box;

  if (!self->texture)
    return;
  box = picture_box (self);
  gtk_snapshot_push_clip (snapshot, &GRAPHENE_RECT_INIT (0, 0, width, height));
  gtk_snapshot_append_texture (snapshot, self->texture, &box);
  if (self->second)
    {
      const GdkRGBA white = { 1, 1, 1, 1 }, shade = { 0, 0, 0, 0.5f };
      float at = roundf ((float) (rtl ? 1 - self->divider : self->divider) * width);
      graphene_rect_t handle = GRAPHENE_RECT_INIT (at - (float) HANDLE, height / 2 - (float) HANDLE,
                                                   (float) HANDLE * 2, (float) HANDLE * 2);
      GskRoundedRect round;

      gtk_snapshot_push_clip (snapshot, rtl ? &GRAPHENE_RECT_INIT (0, 0, at, height)
                                            : &GRAPHENE_RECT_INIT (at, 0, width - at, height));
      gtk_snapshot_append_texture (snapshot, self->second, &box);
      gtk_snapshot_pop (snapshot);
      gtk_snapshot_append_color (snapshot, &shade, &GRAPHENE_RECT_INIT (at - 2, 0, 4, height));
      gtk_snapshot_append_color (snapshot, &white, &GRAPHENE_RECT_INIT (at - 1, 0, 2, height));
      gsk_rounded_rect_init_from_rect (&round, &handle, (float) HANDLE);
      gtk_snapshot_push_rounded_clip (snapshot, &round);
      gtk_snapshot_append_color (snapshot, &white, &handle);
      gtk_snapshot_pop (snapshot);
    }
  gtk_snapshot_pop (snapshot);
}

static void
easel_zoom_view_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  EaselZoomView *self = EASEL_ZOOM_VIEW (widget);

  settle (self);
  g_signal_emit (self, view_changed, 0);
}

static void
easel_zoom_view_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural,
                         int *minimum_baseline, int *natural_baseline)
{
  *minimum = 120;
  *natural = 480;
}

/* ---- the hand ---- */

static gboolean
is_enlarged (EaselZoomView *self)
{
  return self->view.zoom > fit_scale (self) * 1.001;
}

static void
drag_begin_cb (GtkGestureDrag *gesture, double x, double y, EaselZoomView *self)
{
  self->grabbed = self->view;
  if (!is_enlarged (self) && !self->second) /* leaves the drag to whoever gives the picture away */
    gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_DENIED);
  gtk_widget_grab_focus (GTK_WIDGET (self));
}

static void
drag_update_cb (GtkGestureDrag *gesture, double dx, double dy, EaselZoomView *self)
{
  double scale = easel_zoom_view_get_scale (self), x, y, width = gtk_widget_get_width (GTK_WIDGET (self));

  if (!self->texture)
    return;
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  gtk_gesture_drag_get_start_point (gesture, &x, &y);
  if (self->second && (!is_enlarged (self) || fabs (x - self->divider * width) < 4 * HANDLE))
    {
      double at = (x + dx) / width;

      if (gtk_widget_get_direction (GTK_WIDGET (self)) == GTK_TEXT_DIR_RTL)
        at = 1 - at;
      easel_zoom_view_set_divider (self, at);
      g_signal_emit (self, divider_moved, 0);
      return;
    }
  self->view.x = self->grabbed.x - dx / (gdk_texture_get_width (self->texture) * scale);
  self->view.y = self->grabbed.y - dy / (gdk_texture_get_height (self->texture) * scale);
  changed (self);
}

static void
motion_cb (GtkEventControllerMotion *controller, double x, double y, EaselZoomView *self)
{
  self->pointer_x = x;
  self->pointer_y = y;
}

/* A wheel enlarges where the pointer is; two fingers move, and enlarge with Ctrl. */
static gboolean
scroll_cb (GtkEventControllerScroll *controller, double dx, double dy, EaselZoomView *self)
{
  GdkModifierType state = gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (controller));
  double scale = easel_zoom_view_get_scale (self);

  if (!self->texture)
    return FALSE;
  if ((state & GDK_CONTROL_MASK) || gtk_event_controller_scroll_get_unit (controller) == GDK_SCROLL_UNIT_WHEEL)
    zoom_at (self, scale * pow (STEP, -dy), self->pointer_x, self->pointer_y);
  else
    {
      self->view.x += dx / (gdk_texture_get_width (self->texture) * scale);
      self->view.y += dy / (gdk_texture_get_height (self->texture) * scale);
      changed (self);
    }
  return TRUE;
}

static void
pinch_begin_cb (GtkGesture *gesture, GdkEventSequence *sequence, EaselZoomView *self)
{
  self->pinched = easel_zoom_view_get_scale (self);
}

static void
pinch_cb (GtkGestureZoom *gesture, double scale, EaselZoomView *self)
{
  double x, y;

  if (gtk_gesture_get_bounding_box_center (GTK_GESTURE (gesture), &x, &y))
    zoom_at (self, self->pinched * scale, x, y);
}

static void
pressed_cb (GtkGestureClick *gesture, int n, double x, double y, EaselZoomView *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self));
  if (n == 2 && self->texture)
    {
      if (self->view.zoom > 0)
        easel_zoom_view_zoom_to (self, 0);
      else
        zoom_at (self, fit_scale (self) < 1 ? 1 : fit_scale (self) * 2, x, y);
    }
}

/* ---- the keyboard ---- */

static gboolean
zoom_key_cb (GtkWidget *widget, GVariant *by, gpointer user_data)
{
  EaselZoomView *self = EASEL_ZOOM_VIEW (widget);
  int direction = g_variant_get_int32 (by);

  easel_zoom_view_zoom_by (self, direction > 0 ? STEP : 1 / STEP);
  return TRUE;
}

static gboolean
zoom_to_key_cb (GtkWidget *widget, GVariant *zoom, gpointer user_data)
{
  easel_zoom_view_zoom_to (EASEL_ZOOM_VIEW (widget), g_variant_get_int32 (zoom));
  return TRUE;
}

/* FALSE where there is nothing to move: the keys go on to whoever pages. */
static gboolean
pan_key_cb (GtkWidget *widget, GVariant *by, gpointer user_data)
{
  EaselZoomView *self = EASEL_ZOOM_VIEW (widget);
  double scale = easel_zoom_view_get_scale (self);
  int dx, dy;

  if (!self->texture || !is_enlarged (self))
    return FALSE;
  g_variant_get (by, "(ii)", &dx, &dy);
  self->view.x += dx * PAN / (gdk_texture_get_width (self->texture) * scale);
  self->view.y += dy * PAN / (gdk_texture_get_height (self->texture) * scale);
  changed (self);
  return TRUE;
}

static void
easel_zoom_view_dispose (GObject *object)
{
  EaselZoomView *self = EASEL_ZOOM_VIEW (object);

  g_clear_object (&self->texture);
  g_clear_object (&self->second);
  G_OBJECT_CLASS (easel_zoom_view_parent_class)->dispose (object);
}

static void
add_keys (GtkWidgetClass *widget_class)
{
  static const struct
  {
    guint key, pad;
    int zoom; /* +1, -1 by a step; otherwise to this one, 10 for fitted */
  } zooms[] = { { GDK_KEY_plus, GDK_KEY_KP_Add, 1 },
                { GDK_KEY_equal, GDK_KEY_equal, 1 },
                { GDK_KEY_minus, GDK_KEY_KP_Subtract, -1 } };
  static const struct
  {
    guint key;
    int dx, dy;
  } pans[] = { { GDK_KEY_Left, -1, 0 }, { GDK_KEY_Right, 1, 0 }, { GDK_KEY_Up, 0, -1 }, { GDK_KEY_Down, 0, 1 } };

  for (gsize i = 0; i < G_N_ELEMENTS (zooms); i++)
    for (int ctrl = 0; ctrl < 2; ctrl++)
      {
        gtk_widget_class_add_binding (widget_class, zooms[i].key, ctrl ? GDK_CONTROL_MASK : 0, zoom_key_cb, "i",
                                      zooms[i].zoom);
        gtk_widget_class_add_binding (widget_class, zooms[i].pad, ctrl ? GDK_CONTROL_MASK : 0, zoom_key_cb, "i",
                                      zooms[i].zoom);
      }
  gtk_widget_class_add_binding (widget_class, GDK_KEY_0, GDK_CONTROL_MASK, zoom_to_key_cb, "i", 0);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_1, GDK_CONTROL_MASK, zoom_to_key_cb, "i", 1);
  for (gsize i = 0; i < G_N_ELEMENTS (pans); i++)
    gtk_widget_class_add_binding (widget_class, pans[i].key, 0, pan_key_cb, "(ii)", pans[i].dx, pans[i].dy);
}

static void
easel_zoom_view_class_init (EaselZoomViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_zoom_view_dispose;
  widget_class->snapshot = easel_zoom_view_snapshot;
  widget_class->measure = easel_zoom_view_measure;
  widget_class->size_allocate = easel_zoom_view_size_allocate;
  view_changed = g_signal_new ("view-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                               G_TYPE_NONE, 0);
  divider_moved = g_signal_new ("divider-moved", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 0);
  gtk_widget_class_set_css_name (widget_class, "easel-zoom");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
  add_keys (widget_class);
}

static void
easel_zoom_view_init (EaselZoomView *self)
{
  GtkGesture *drag = gtk_gesture_drag_new (), *pinch = gtk_gesture_zoom_new (), *click = gtk_gesture_click_new ();
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkEventController *scroll = gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_BOTH_AXES);

  self->view = (EaselZoom){ 0, 0.5, 0.5 };
  self->divider = 0.5;
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  g_signal_connect (drag, "drag-begin", G_CALLBACK (drag_begin_cb), self);
  g_signal_connect (drag, "drag-update", G_CALLBACK (drag_update_cb), self);
  g_signal_connect (pinch, "begin", G_CALLBACK (pinch_begin_cb), self);
  g_signal_connect (pinch, "scale-changed", G_CALLBACK (pinch_cb), self);
  g_signal_connect (click, "pressed", G_CALLBACK (pressed_cb), self);
  g_signal_connect (motion, "motion", G_CALLBACK (motion_cb), self);
  g_signal_connect (scroll, "scroll", G_CALLBACK (scroll_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drag));
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (pinch));
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
  gtk_widget_add_controller (GTK_WIDGET (self), motion);
  gtk_widget_add_controller (GTK_WIDGET (self), scroll);
}
