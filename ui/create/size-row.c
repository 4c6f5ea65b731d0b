/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/size-row.h"

#include <glib/gi18n.h>
#include <math.h>

struct _EaselSizeRow
{
  AdwPreferencesRow parent;

  /* Template widgets */
  GtkFlowBox *shapes;
  GtkSpinButton *width, *height;
  GtkAdjustment *width_adjustment, *height_adjustment;
  GtkLabel *rule;

  int base, multiple;
};

G_DEFINE_FINAL_TYPE (EaselSizeRow, easel_size_row, ADW_TYPE_PREFERENCES_ROW)

enum
{
  WIDTH = 1,
  HEIGHT,
  N_PROPERTIES
};
static GParamSpec *properties[N_PROPERTIES];

static const struct
{
  const char *name;
  int across, down;
} ratios[] = {
  { N_ ("Square"), 1, 1 },   { N_ ("Landscape"), 4, 3 }, { N_ ("Wide"), 16, 9 },
  { N_ ("Portrait"), 3, 4 }, { N_ ("Tall"), 9, 16 },
};

/* The sides of a shape: about base^2 pixels, each a multiple. */
static void
shape_size (EaselSizeRow *self, gsize i, int *width, int *height)
{
  double ratio = (double) ratios[i].across / ratios[i].down;

  *width = MAX (1, (int) round (self->base * sqrt (ratio) / self->multiple)) * self->multiple;
  *height = MAX (1, (int) round (self->base / sqrt (ratio) / self->multiple)) * self->multiple;
}

int
easel_size_row_get_width (EaselSizeRow *self)
{
  return gtk_spin_button_get_value_as_int (self->width);
}

int
easel_size_row_get_height (EaselSizeRow *self)
{
  return gtk_spin_button_get_value_as_int (self->height);
}

static void
size_changed_cb (EaselSizeRow *self)
{
  int width = easel_size_row_get_width (self), height = easel_size_row_get_height (self), chosen = -1;

  for (gsize i = 0; i < G_N_ELEMENTS (ratios); i++)
    {
      int w, h;

      shape_size (self, i, &w, &h);
      if (w == width && h == height)
        chosen = (int) i;
    }
  if (chosen >= 0)
    gtk_flow_box_select_child (self->shapes, gtk_flow_box_get_child_at_index (self->shapes, chosen));
  else
    gtk_flow_box_unselect_all (self->shapes);
  g_object_notify_by_pspec (G_OBJECT (self), properties[WIDTH]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[HEIGHT]);
}

void
easel_size_row_set_size (EaselSizeRow *self, int width, int height)
{
  gtk_spin_button_set_value (self->width, width);
  gtk_spin_button_set_value (self->height, height);
}

static void
shape_activated_cb (EaselSizeRow *self, GtkFlowBoxChild *child)
{
  int width, height;

  shape_size (self, (gsize) gtk_flow_box_child_get_index (child), &width, &height);
  easel_size_row_set_size (self, width, height);
}

/* A rectangle of the shape, in the text's colour. */
static void
draw_shape (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  double ratio = (double) ratios[i].across / ratios[i].down, side = MIN (width, height) - 2.0;
  double w = ratio >= 1 ? side : side * ratio, h = ratio >= 1 ? side / ratio : side;
  GdkRGBA colour;

  gtk_style_context_get_color (gtk_widget_get_style_context (GTK_WIDGET (area)), &colour);
  gdk_cairo_set_source_rgba (cr, &colour);
  cairo_set_line_width (cr, 1.5);
  cairo_rectangle (cr, (width - w) / 2, (height - h) / 2, w, h);
  cairo_stroke (cr);
}

static void
add_shape (EaselSizeRow *self, gsize i)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3);
  GtkWidget *area = gtk_drawing_area_new ();
  GtkWidget *label = gtk_label_new (_ (ratios[i].name));
  GtkWidget *child = gtk_flow_box_child_new ();
  g_autofree char *tip = g_strdup_printf ("%d : %d", ratios[i].across, ratios[i].down);

  gtk_drawing_area_set_content_width (GTK_DRAWING_AREA (area), 26);
  gtk_drawing_area_set_content_height (GTK_DRAWING_AREA (area), 26);
  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (area), draw_shape, GSIZE_TO_POINTER (i), NULL);
  gtk_widget_add_css_class (label, "caption");
  gtk_box_append (GTK_BOX (box), area);
  gtk_box_append (GTK_BOX (box), label);
  gtk_widget_set_tooltip_text (box, tip);
  gtk_flow_box_child_set_child (GTK_FLOW_BOX_CHILD (child), box);
  gtk_accessible_update_property (GTK_ACCESSIBLE (child), GTK_ACCESSIBLE_PROPERTY_LABEL, _ (ratios[i].name), -1);
  gtk_flow_box_insert (self->shapes, child, -1);
}

void
easel_size_row_set_model (EaselSizeRow *self, int base, int multiple)
{
  int limits[2] = { MAX (multiple, base / 4 / multiple * multiple), base * 2 };
  GtkAdjustment *adjustments[2] = { self->width_adjustment, self->height_adjustment };
  g_autofree char *rule = NULL;

  if (self->base == base && self->multiple == multiple)
    return;
  self->base = base;
  self->multiple = multiple;
  for (int i = 0; i < 2; i++)
    gtk_adjustment_configure (adjustments[i], CLAMP (gtk_adjustment_get_value (adjustments[i]), limits[0], limits[1]),
                              limits[0], limits[1], multiple, 4 * multiple, 0);
  /* Translators: both numbers are pixels. */
  rule = g_strdup_printf (_ ("Best around %d × %d. Other sizes are made at the nearest trained shape, then cropped."),
                          base, base);
  gtk_label_set_label (self->rule, rule);
  size_changed_cb (self);
}

static void
easel_size_row_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  EaselSizeRow *self = EASEL_SIZE_ROW (object);

  if (id == WIDTH)
    g_value_set_int (value, easel_size_row_get_width (self));
  else if (id == HEIGHT)
    g_value_set_int (value, easel_size_row_get_height (self));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
easel_size_row_dispose (GObject *object)
{
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_SIZE_ROW);
  G_OBJECT_CLASS (easel_size_row_parent_class)->dispose (object);
}

static void
easel_size_row_class_init (EaselSizeRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = easel_size_row_get_property;
  object_class->dispose = easel_size_row_dispose;
  properties[WIDTH] = g_param_spec_int ("width", NULL, NULL, 0, G_MAXINT, 0, flags);
  properties[HEIGHT] = g_param_spec_int ("height", NULL, NULL, 0, G_MAXINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/size-row.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselSizeRow, shapes);
  gtk_widget_class_bind_template_child (widget_class, EaselSizeRow, width);
  gtk_widget_class_bind_template_child (widget_class, EaselSizeRow, height);
  gtk_widget_class_bind_template_child (widget_class, EaselSizeRow, width_adjustment);
  gtk_widget_class_bind_template_child (widget_class, EaselSizeRow, height_adjustment);
  gtk_widget_class_bind_template_child (widget_class, EaselSizeRow, rule);
  gtk_widget_class_bind_template_callback (widget_class, shape_activated_cb);
}

static void
easel_size_row_init (EaselSizeRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  for (gsize i = 0; i < G_N_ELEMENTS (ratios); i++)
    add_shape (self, i);
  g_signal_connect_object (self->width_adjustment, "value-changed", G_CALLBACK (size_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->height_adjustment, "value-changed", G_CALLBACK (size_changed_cb), self,
                           G_CONNECT_SWAPPED);
  easel_size_row_set_model (self, 1024, 32);
  easel_size_row_set_size (self, 1024, 1024);
}
