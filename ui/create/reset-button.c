/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/reset-button.h"

#include <glib/gi18n.h>

void
easel_reset_button_setup (GtkButton *button, const char *of)
{
  /* Translators: the title of a control, such as "Steps". */
  g_autofree char *label = g_strdup_printf (_ ("Default for %s"), of);

  gtk_button_set_icon_name (button, "edit-undo-symbolic");
  gtk_widget_set_valign (GTK_WIDGET (button), GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (GTK_WIDGET (button), "flat");
  gtk_widget_add_css_class (GTK_WIDGET (button), "circular");
  gtk_widget_set_tooltip_text (GTK_WIDGET (button), label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
}

GtkWidget *
easel_reset_button_new (const char *of)
{
  GtkWidget *button = gtk_button_new ();

  easel_reset_button_setup (GTK_BUTTON (button), of);
  g_object_set_data (G_OBJECT (button), "comes-and-goes", button);
  easel_reset_button_set_needed (button, FALSE);
  return button;
}

void
easel_reset_button_set_needed (GtkWidget *button, gboolean needed)
{
  if (g_object_get_data (G_OBJECT (button), "comes-and-goes"))
    gtk_widget_set_visible (button, needed);
  gtk_widget_set_opacity (button, needed ? 1 : 0);
  gtk_widget_set_sensitive (button, needed);
}
