/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/star-box.h"

#include <glib/gi18n.h>

#define MOST 5

struct _EaselStarBox
{
  GtkBox parent;
  GtkWidget *buttons[MOST]; /* borrowed */
  int stars;
};

G_DEFINE_FINAL_TYPE (EaselStarBox, easel_star_box, GTK_TYPE_BOX)

static guint picked;

static void
clicked_cb (GtkButton *button, EaselStarBox *self)
{
  int n = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (button), "stars"));
  g_signal_emit (self, picked, 0, n == self->stars ? 0 : n);
}

void
easel_star_box_set_stars (EaselStarBox *self, int stars)
{
  self->stars = CLAMP (stars, 0, MOST);
  for (int i = 0; i < MOST; i++)
    {
      g_autofree char *words = NULL;

      gtk_button_set_icon_name (GTK_BUTTON (self->buttons[i]),
                                i < self->stars ? "starred-symbolic" : "non-starred-symbolic");
      words = i + 1 == self->stars
                  ? g_strdup (_ ("No stars"))
                  : g_strdup_printf (ngettext ("%d star", "%d stars", (gulong) i + 1), i + 1);
      gtk_widget_set_tooltip_text (self->buttons[i], words);
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->buttons[i]), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
    }
}

int
easel_star_box_get_stars (EaselStarBox *self)
{
  return self->stars;
}

static void
easel_star_box_class_init (EaselStarBoxClass *klass)
{
  picked = g_signal_new ("picked", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                         G_TYPE_INT);
  gtk_widget_class_set_accessible_role (GTK_WIDGET_CLASS (klass), GTK_ACCESSIBLE_ROLE_GROUP);
}

static void
easel_star_box_init (EaselStarBox *self)
{
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Stars"), -1);
  for (int i = 0; i < MOST; i++)
    {
      GtkWidget *button = gtk_button_new ();

      gtk_widget_add_css_class (button, "flat");
      gtk_widget_add_css_class (button, "easel-star");
      gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
      g_object_set_data (G_OBJECT (button), "stars", GINT_TO_POINTER (i + 1));
      g_signal_connect (button, "clicked", G_CALLBACK (clicked_cb), self);
      gtk_box_append (GTK_BOX (self), button);
      self->buttons[i] = button;
    }
  easel_star_box_set_stars (self, 0);
}
