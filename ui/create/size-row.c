/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/size-row.h"

#include <glib/gi18n.h>
#include <math.h>

#include "ui/create/reset-button.h"
#include "ui/create/scroll-guard.h"

struct _EaselSizeRow
{
  AdwPreferencesRow parent;

  /* Template widgets */
  GtkFlowBox *shapes;
  GtkSpinButton *width, *height;
  GtkAdjustment *width_adjustment, *height_adjustment;
  GtkLabel *rule;
  GtkButton *reset;

  EaselModelRules rules;
  gboolean exact;
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

/* How far from its name a shape may be: the model's nearest is offered only when a person would call it that. */
#define MAX_DEVIATION 0.09

static double
deviation (gsize i, int width, int height)
{
  return fabs (log ((double) width * ratios[i].down / ((double) height * ratios[i].across)));
}

/* The sides of a shape: the nearest that the model was trained with, or where it takes any multiple about as many
 * pixels as its own size. FALSE when it has none like that. */
static gboolean
shape_size (EaselSizeRow *self, gsize i, int *width, int *height)
{
  const EaselModelRules *rules = &self->rules;
  double base = sqrt ((double) rules->sizes[0].width * rules->sizes[0].height);
  double ratio = (double) ratios[i].across / ratios[i].down;
  int best = 0;

  if (rules->n_sizes == 1 && !rules->only_sizes && rules->multiple > 1)
    {
      *width = MAX (1, (int) round (base * sqrt (ratio) / rules->multiple)) * rules->multiple;
      *height = MAX (1, (int) round (base / sqrt (ratio) / rules->multiple)) * rules->multiple;
      return *width >= rules->least && *height >= rules->least && *width <= rules->most && *height <= rules->most;
    }
  for (int k = 1; k < rules->n_sizes; k++)
    if (deviation (i, rules->sizes[k].width, rules->sizes[k].height) <
        deviation (i, rules->sizes[best].width, rules->sizes[best].height))
      best = k;
  *width = rules->sizes[best].width;
  *height = rules->sizes[best].height;
  return deviation (i, *width, *height) <= MAX_DEVIATION;
}

/* Of the trained sizes the one that a typed size is made at, as the engine chooses it: by the ratio of the sides. */
static int
nearest (EaselSizeRow *self, int width, int height)
{
  int best = 0;
  double ratio = (double) height / width;

  for (int k = 1; k < self->rules.n_sizes; k++)
    {
      double a = (double) self->rules.sizes[k].height / self->rules.sizes[k].width - ratio;
      double b = (double) self->rules.sizes[best].height / self->rules.sizes[best].width - ratio;

      if (fabs (a) < fabs (b))
        best = k;
    }
  return best;
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
say_rule (EaselSizeRow *self)
{
  const EaselModelRules *rules = &self->rules;
  int width = easel_size_row_get_width (self), height = easel_size_row_get_height (self);
  int near = nearest (self, width, height), w = rules->sizes[near].width, h = rules->sizes[near].height;
  g_autofree char *rule = NULL;

  if (rules->only_sizes && rules->n_sizes == 1)
    rule = g_strdup_printf (_ ("This model makes %d × %d pixels only."), w, h);
  else if (rules->only_sizes)
    rule = g_strdup (_ ("This model makes these shapes only."));
  else if (rules->multiple > 1)
    /* Translators: the numbers are pixels. */
    rule = g_strdup_printf (_ ("Sides go in steps of %d pixels, from %d to %d; %d × %d is what it was trained for."),
                            rules->multiple, rules->least, rules->most, rules->sizes[0].width, rules->sizes[0].height);
  else if (self->exact && (w != width || h != height))
    rule = g_strdup_printf (_ ("Computed at exactly this size; the nearest shape it was trained for is %d × %d."), w,
                            h);
  else if (w == width && h == height)
    rule = g_strdup_printf (_ ("A shape it was trained for. Any size from %d to %d pixels can be made."), rules->least,
                            rules->most);
  else
    /* Translators: the size a picture is made at, and the one it is cut to; pixels. */
    rule = g_strdup_printf (_ ("Made at %d × %d, the nearest shape it was trained for, then cut to %d × %d."), w, h,
                            width, height);
  gtk_label_set_label (self->rule, rule);
}

static void
size_changed_cb (EaselSizeRow *self)
{
  int width = easel_size_row_get_width (self), height = easel_size_row_get_height (self), chosen = -1;

  if (self->rules.n_sizes == 0)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (ratios) && chosen < 0; i++)
    {
      int w, h;

      if (shape_size (self, i, &w, &h) && w == width && h == height)
        chosen = (int) i;
    }
  if (chosen >= 0)
    gtk_flow_box_select_child (self->shapes, gtk_flow_box_get_child_at_index (self->shapes, chosen));
  else
    gtk_flow_box_unselect_all (self->shapes);
  easel_reset_button_set_needed (GTK_WIDGET (self->reset), width != self->rules.sizes[0].width ||
                                                               height != self->rules.sizes[0].height);
  say_rule (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[WIDTH]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[HEIGHT]);
}

static void
reset_clicked_cb (EaselSizeRow *self)
{
  easel_size_row_set_size (self, self->rules.sizes[0].width, self->rules.sizes[0].height);
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

  if (shape_size (self, (gsize) gtk_flow_box_child_get_index (child), &width, &height))
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
  gtk_accessible_update_property (GTK_ACCESSIBLE (child), GTK_ACCESSIBLE_PROPERTY_LABEL, _ (ratios[i].name),
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, tip, -1);
  gtk_flow_box_insert (self->shapes, child, -1);
}

void
easel_size_row_set_exact (EaselSizeRow *self, gboolean exact)
{
  self->exact = exact;
  if (self->rules.n_sizes > 0)
    say_rule (self);
}

void
easel_size_row_set_rules (EaselSizeRow *self, const EaselModelRules *rules)
{
  GtkAdjustment *adjustments[2] = { self->width_adjustment, self->height_adjustment };
  int width = easel_size_row_get_width (self), height = easel_size_row_get_height (self);
  gboolean own = self->rules.n_sizes == 0 ||
                 (width == self->rules.sizes[0].width && height == self->rules.sizes[0].height);

  self->rules = *rules;
  for (int i = 0; i < 2; i++)
    {
      gtk_adjustment_configure (adjustments[i], i ? height : width, rules->least, rules->most,
                                MAX (rules->multiple, 8), 8 * MAX (rules->multiple, 8), 0);
      gtk_spin_button_set_snap_to_ticks (i ? self->height : self->width, rules->multiple > 1);
      gtk_widget_set_sensitive (GTK_WIDGET (i ? self->height : self->width), !rules->only_sizes);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (ratios); i++)
    {
      int w, h;
      gboolean fits = shape_size (self, i, &w, &h);

      gtk_widget_set_visible (GTK_WIDGET (gtk_flow_box_get_child_at_index (self->shapes, (int) i)), fits);
    }
  if (own || rules->only_sizes)
    easel_size_row_set_size (self, rules->sizes[0].width, rules->sizes[0].height);
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
  gtk_widget_class_bind_template_child (widget_class, EaselSizeRow, reset);
  gtk_widget_class_bind_template_callback (widget_class, reset_clicked_cb);
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
  easel_reset_button_setup (self->reset, _ ("Size"));
  easel_reset_button_set_needed (GTK_WIDGET (self->reset), FALSE);
  easel_scroll_guard (GTK_WIDGET (self->width));
  easel_scroll_guard (GTK_WIDGET (self->height));
  gtk_adjustment_configure (self->width_adjustment, 1024, 16, 16384, 32, 256, 0);
  gtk_adjustment_configure (self->height_adjustment, 1024, 16, 16384, 32, 256, 0);
}
