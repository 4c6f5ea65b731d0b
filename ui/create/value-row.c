/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/value-row.h"

#include <math.h>

#include "ui/create/reset-button.h"
#include "ui/create/scroll-guard.h"

struct _EaselValueRow
{
  AdwPreferencesRow parent;

  /* Template widgets */
  GtkLabel *label;
  GtkButton *reset;
  GtkSpinButton *spin;
  GtkScale *scale;
  GtkAdjustment *adjustment;

  double default_value;
};

G_DEFINE_FINAL_TYPE (EaselValueRow, easel_value_row, ADW_TYPE_PREFERENCES_ROW)

enum
{
  VALUE = 1,
  DEFAULT_VALUE,
  LOWER,
  UPPER,
  STEP,
  DIGITS,
  N_PROPERTIES
};
static GParamSpec *properties[N_PROPERTIES];

static gboolean
is_default (EaselValueRow *self)
{
  return fabs (gtk_adjustment_get_value (self->adjustment) - self->default_value) < 1e-6;
}

static void
value_changed_cb (EaselValueRow *self)
{
  easel_reset_button_set_needed (GTK_WIDGET (self->reset), !is_default (self));
  g_object_notify_by_pspec (G_OBJECT (self), properties[VALUE]);
}

static void
reset_clicked_cb (EaselValueRow *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->spin));
  easel_value_row_set_value (self, self->default_value);
}

double
easel_value_row_get_value (EaselValueRow *self)
{
  return gtk_adjustment_get_value (self->adjustment);
}

void
easel_value_row_set_value (EaselValueRow *self, double value)
{
  gtk_adjustment_set_value (self->adjustment, value);
}

void
easel_value_row_set_default (EaselValueRow *self, double value)
{
  gboolean follow = is_default (self);

  if (value == self->default_value)
    return;
  self->default_value = value;
  if (follow)
    gtk_adjustment_set_value (self->adjustment, value);
  value_changed_cb (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[DEFAULT_VALUE]);
}

void
easel_value_row_set_range (EaselValueRow *self, double lower, double upper)
{
  gtk_adjustment_set_lower (self->adjustment, lower);
  gtk_adjustment_set_upper (self->adjustment, upper);
  gtk_adjustment_set_value (self->adjustment, CLAMP (gtk_adjustment_get_value (self->adjustment), lower, upper));
}

void
easel_value_row_set_step (EaselValueRow *self, double step, gboolean only)
{
  gtk_adjustment_set_step_increment (self->adjustment, step);
  gtk_adjustment_set_page_increment (self->adjustment, 5 * step);
  gtk_spin_button_set_snap_to_ticks (self->spin, only);
}

static void
easel_value_row_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  EaselValueRow *self = EASEL_VALUE_ROW (object);

  switch (id)
    {
    case VALUE:
      g_value_set_double (value, easel_value_row_get_value (self));
      break;
    case DEFAULT_VALUE:
      g_value_set_double (value, self->default_value);
      break;
    case LOWER:
      g_value_set_double (value, gtk_adjustment_get_lower (self->adjustment));
      break;
    case UPPER:
      g_value_set_double (value, gtk_adjustment_get_upper (self->adjustment));
      break;
    case STEP:
      g_value_set_double (value, gtk_adjustment_get_step_increment (self->adjustment));
      break;
    case DIGITS:
      g_value_set_int (value, (int) gtk_spin_button_get_digits (self->spin));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
easel_value_row_set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  EaselValueRow *self = EASEL_VALUE_ROW (object);

  switch (id)
    {
    case VALUE:
      easel_value_row_set_value (self, g_value_get_double (value));
      break;
    case DEFAULT_VALUE:
      easel_value_row_set_default (self, g_value_get_double (value));
      break;
    case LOWER:
      gtk_adjustment_set_lower (self->adjustment, g_value_get_double (value));
      break;
    case UPPER:
      gtk_adjustment_set_upper (self->adjustment, g_value_get_double (value));
      break;
    case STEP:
      easel_value_row_set_step (self, g_value_get_double (value), FALSE);
      break;
    case DIGITS:
      gtk_spin_button_set_digits (self->spin, (guint) g_value_get_int (value));
      gtk_scale_set_digits (self->scale, g_value_get_int (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
easel_value_row_dispose (GObject *object)
{
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_VALUE_ROW);
  G_OBJECT_CLASS (easel_value_row_parent_class)->dispose (object);
}

static void
easel_value_row_class_init (EaselValueRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = easel_value_row_get_property;
  object_class->set_property = easel_value_row_set_property;
  object_class->dispose = easel_value_row_dispose;
  properties[VALUE] = g_param_spec_double ("value", NULL, NULL, -1e9, 1e9, 0, flags);
  properties[DEFAULT_VALUE] = g_param_spec_double ("default-value", NULL, NULL, -1e9, 1e9, 0, flags);
  properties[LOWER] = g_param_spec_double ("lower", NULL, NULL, -1e9, 1e9, 1, flags);
  properties[UPPER] = g_param_spec_double ("upper", NULL, NULL, -1e9, 1e9, 100, flags);
  properties[STEP] = g_param_spec_double ("step", NULL, NULL, 0, 1e9, 1, flags);
  properties[DIGITS] = g_param_spec_int ("digits", NULL, NULL, 0, 6, 0, flags);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/value-row.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselValueRow, label);
  gtk_widget_class_bind_template_child (widget_class, EaselValueRow, reset);
  gtk_widget_class_bind_template_child (widget_class, EaselValueRow, spin);
  gtk_widget_class_bind_template_child (widget_class, EaselValueRow, scale);
  gtk_widget_class_bind_template_child (widget_class, EaselValueRow, adjustment);
  gtk_widget_class_bind_template_callback (widget_class, reset_clicked_cb);
}

/* The title is set by the template that holds the row, after this one's own. */
static void
titled_cb (EaselValueRow *self)
{
  easel_reset_button_setup (self->reset, adw_preferences_row_get_title (ADW_PREFERENCES_ROW (self)));
}

static void
easel_value_row_init (EaselValueRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  g_object_bind_property (self, "title", self->label, "label", G_BINDING_SYNC_CREATE);
  g_signal_connect_object (self->adjustment, "value-changed", G_CALLBACK (value_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect (self, "notify::title", G_CALLBACK (titled_cb), NULL);
  easel_scroll_guard (GTK_WIDGET (self->spin));
  easel_scroll_guard (GTK_WIDGET (self->scale));
  titled_cb (self);
  value_changed_cb (self);
}
