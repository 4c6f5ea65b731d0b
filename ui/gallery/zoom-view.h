/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EaselZoomView: a picture that can be enlarged and moved: mouse wheel, pinch, double click, dragging, and the keys
 * + - 0 (fits) 1 (pixel by pixel) and the arrows. A second picture can lie on top, cut off at a divider, to compare the
 * two.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define EASEL_TYPE_ZOOM_VIEW (easel_zoom_view_get_type ())
G_DECLARE_FINAL_TYPE (EaselZoomView, easel_zoom_view, EASEL, ZOOM_VIEW, GtkWidget)

/* Signals: "view-changed" when zoom or place changed, "divider-moved" when a person dragged it. */

/* NULL: empty. The view is fitted again when the size is another one. */
void easel_zoom_view_set_texture (EaselZoomView *self, GdkTexture *texture);
GdkTexture *easel_zoom_view_get_texture (EaselZoomView *self);
/* What a screen reader says. */
void easel_zoom_view_set_words (EaselZoomView *self, const char *words);

/* The one beneath the divider's other side, scaled to the same size; NULL: no divider. */
void easel_zoom_view_set_second (EaselZoomView *self, GdkTexture *texture);
/* 0..1 of the width, from the start. */
void easel_zoom_view_set_divider (EaselZoomView *self, double divider);
double easel_zoom_view_get_divider (EaselZoomView *self);

/* zoom: GTK pixels a pixel of the picture, 0 fits. x, y: the point of the picture in the middle, 0..1. */
typedef struct
{
  double zoom, x, y;
} EaselZoom;
EaselZoom easel_zoom_view_get_view (EaselZoomView *self);
/* No signal. */
void easel_zoom_view_set_view (EaselZoomView *self, EaselZoom view);
/* The zoom as it is on the screen now, also when fitted. */
double easel_zoom_view_get_scale (EaselZoomView *self);
void easel_zoom_view_zoom_by (EaselZoomView *self, double factor);
void easel_zoom_view_zoom_to (EaselZoomView *self, double zoom);

G_END_DECLS
